#include <netflow/enrich.h>

void nfl_enrich_app(nfl_flow *flow)
{
    if ((flow->present & NFL_HAS(NFL_FIELD_APP)) || !(flow->present & NFL_HAS(NFL_FIELD_PROTO)))
        return;
    flow->app = nfl_app_of(flow->proto, flow->src_port, flow->dst_port);
    flow->present |= NFL_HAS(NFL_FIELD_APP);
}

/* netflow flows: detail records. */
#include "commands.h"
#include "results.h"
#include "table.h"

#include <string.h>

/* Every stored field and the duration: JSON leaves out per record what its exporter did not send. */
static void flows_all_columns(char *list, size_t room)
{
    size_t len = 0;
    for (uint32_t field = 0; field <= NFL_FIELD_DURATION; field++) {
        nfl_field_info info = {.struct_size = sizeof info};
        if (nfl_field_get(field, &info) != NFL_OK)
            continue;
        int wrote = snprintf(list + len, room - len, "%s%s", len ? "," : "", info.name);
        if (wrote < 0 || (size_t)wrote >= room - len)
            return;
        len += (size_t)wrote;
    }
}

int command_flows(const options *given)
{
    static const char biflow_columns[] = "first,duration,src,src_port,dst,dst_port,proto,tcp_flags,reverse_tcp_flags,bytes,reverse_bytes,"
                                         "packets,reverse_packets,exporter";
    char all[2048] = "";
    nfl_query query = {.columns = given->columns,
                       .order_by = given->order,
                       .flags = given->descending ? 0 : NFL_QUERY_ASCENDING};
    if (!given->columns && given->biflow)
        query.columns = biflow_columns;
    if (!given->columns && given->format == FORMAT_JSON) {
        flows_all_columns(all, sizeof all);
        query.columns = all;
    }
    return results_run(given, &query, 1, TABLE_PLAIN);
}

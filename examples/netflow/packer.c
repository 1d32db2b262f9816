#include "packer.h"

#include "report.h"

int packer_flush(packer *p)
{
    size_t len;
    const uint8_t *data = p->encoder ? nfl_encoder_take(p->encoder, p->second_us, &len) : NULL;
    if (!data)
        return 0;
    p->datagrams++;
    p->bytes += len;
    return p->put(p->context, data, len);
}

/* Another encoder, with the next domain: template ids mean something else there. */
static int packer_renew(packer *p)
{
    nfl_error err;
    nfl_encoder *encoder = NULL;
    int failed = packer_flush(p);
    if (failed)
        return failed;
    if (nfl_encoder_new(&p->opts, &encoder, &err) < 0) {
        complain("%s", err.message);
        return 1;
    }
    nfl_encoder_free(p->encoder);
    p->encoder = encoder;
    p->opts.domain++;
    return 0;
}

/* v5 has one sampling rate for all flows of a datagram: counters are written as what they stand for. */
static nfl_flow packer_scale(const nfl_flow *flow)
{
    nfl_flow scaled = *flow;
    scaled.bytes = nfl_flow_scaled(flow, flow->bytes);
    scaled.packets = nfl_flow_scaled(flow, flow->packets);
    return scaled;
}

static int packer_put(packer *p, const nfl_flow *flow)
{
    nfl_error err;
    for (int renewed = 0;;) {
        nfl_status status = nfl_encoder_add(p->encoder, flow, p->second_us, &err);
        if (status == NFL_OK) {
            p->flows++;
            return 0;
        }
        if (status == NFL_E_UNSUPPORTED || (status == NFL_E_LIMIT && renewed)) {
            p->skipped++;
            return 0;
        }
        if (status == NFL_E_LIMIT ? packer_renew(p) : packer_flush(p))
            return 1;
        renewed |= status == NFL_E_LIMIT;
    }
}

int packer_add(packer *p, const nfl_flow *flow)
{
    nfl_usec second_us = flow->received_us - flow->received_us % 1000000;
    if (second_us != p->second_us && packer_flush(p))
        return 1;
    p->second_us = second_us;
    if (!p->encoder && packer_renew(p))
        return 1;
    if (p->opts.version != 5)
        return packer_put(p, flow);
    nfl_flow scaled = packer_scale(flow);
    return packer_put(p, &scaled);
}

void packer_done(packer *p)
{
    nfl_encoder_free(p->encoder);
    p->encoder = NULL;
}

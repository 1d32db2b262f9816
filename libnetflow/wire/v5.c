/* NetFlow v5: a header of 24 bytes, then records of 48 (Cisco "NetFlow Export Datagram Format").
 *
 * The header's count is not believed beyond what is there: known exporters send 55,582. */
#include "base/error.h"
#include "wire/decoder.h"

nfl_status nfl__v5_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    size_t len = nfl__rd_left(rd);
    if (len < NFL__V5_HEADER_LEN)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "netflow v5 header: %zu bytes, need %d", len,
                         NFL__V5_HEADER_LEN);
    header->version = nfl__rd_u16(rd);
    header->count = nfl__rd_u16(rd);
    header->length = (uint32_t)len;
    header->uptime_ms = nfl__rd_u32(rd);
    header->seconds = nfl__rd_u32(rd);
    header->nanoseconds = nfl__rd_u32(rd);
    header->sequence = nfl__rd_u32(rd);
    header->domain = nfl__rd_u16(rd); /* engine type, engine id */
    header->sampling = nfl__rd_u16(rd);
    return NFL_OK;
}

#define V5_PRESENT                                                                                           \
    (NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) |                         \
     NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) |                          \
     NFL_HAS(NFL_FIELD_NEXT_HOP) | NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_OUT_IF) |                    \
     NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) |                  \
     NFL_HAS(NFL_FIELD_TCP_FLAGS) | NFL_HAS(NFL_FIELD_TOS) | NFL_HAS(NFL_FIELD_SRC_AS) |                     \
     NFL_HAS(NFL_FIELD_DST_AS) | NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK))

/* Switched times are on the sysUptime clock: the signed difference to the header's survives the wrap after 49.7
 * days and stamps a little in the future. */
static nfl_usec v5_time(const nfl__context *context, uint32_t switched_ms)
{
    return context->export_us - (nfl_usec)(int32_t)(context->header.uptime_ms - switched_ms) * 1000;
}

static void v5_to_flow(nfl_parser *parser, const uint8_t *record)
{
    nfl_flow *flow = &parser->flow;
    nfl__rd rd = nfl__rd_make(record, NFL__V5_RECORD_LEN);
    *flow = parser->base;
    flow->present |= V5_PRESENT;
    flow->src = nfl_ip_from_v4(nfl__rd_u32(&rd));
    flow->dst = nfl_ip_from_v4(nfl__rd_u32(&rd));
    flow->next_hop = nfl_ip_from_v4(nfl__rd_u32(&rd));
    flow->in_if = nfl__rd_u16(&rd);
    flow->out_if = nfl__rd_u16(&rd);
    flow->packets = nfl__rd_u32(&rd);
    flow->bytes = nfl__rd_u32(&rd);
    flow->first_us = v5_time(parser->context, nfl__rd_u32(&rd));
    flow->last_us = v5_time(parser->context, nfl__rd_u32(&rd));
    flow->src_port = nfl__rd_u16(&rd);
    flow->dst_port = nfl__rd_u16(&rd);
    nfl__rd_skip(&rd, 1);
    flow->tcp_flags = nfl__rd_u8(&rd);
    flow->proto = nfl__rd_u8(&rd);
    flow->tos = nfl__rd_u8(&rd);
    flow->src_as = nfl__rd_u16(&rd);
    flow->dst_as = nfl__rd_u16(&rd);
    flow->src_mask = nfl__rd_u8(&rd);
    flow->dst_mask = nfl__rd_u8(&rd);
    parser->slots.have = 0;
    nfl__record_finish(parser, flow);
    parser->flow_set = 1;
}

nfl_status nfl__v5_step(nfl_parser *parser, nfl_error *err)
{
    uint32_t wanted = parser->own.header.count;
    if (parser->record_count == wanted)
        return NFL_DONE;
    uint32_t offset = (uint32_t)(parser->message.pos - parser->start);
    const uint8_t *record = nfl__rd_bytes(&parser->message, NFL__V5_RECORD_LEN);
    if (!record) {
        uint32_t got = parser->record_count;
        parser->record_count = wanted;
        parser->stats.bad_sets++;
        return nfl__fail(err, NFL_E_TRUNCATED, offset,
                         "netflow v5: the header counts %u records, %u are there", wanted, got);
    }
    parser->record_count++;
    parser->record = (nfl__record){NULL, record, NFL__V5_RECORD_LEN, offset};
    parser->kind = NFL_EVENT_RECORD;
    parser->stats.flows++;
    parser->domain->flows++;
    v5_to_flow(parser, record);
    return NFL_OK;
}

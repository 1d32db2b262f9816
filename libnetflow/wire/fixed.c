/* NetFlow v1, v5 and v7: a header, then records of one fixed layout (Cisco "NetFlow Export Datagram Format").
 *
 *            header  record  differences
 *     v1         16   52, 48 no sequence number, AS numbers or masks; TCP flags behind the type of service
 *     v5         24      48
 *     v7         24      52  v5, then the address of the router whose shortcut it was
 *
 * Records of v1 come in two lengths: 52 bytes as Cisco's and in nfdump, 48 from softflowd, fprobe and their kin, without the last
 * four reserved ones. Which it is, count and length of the datagram tell.
 *
 * The header's count is not believed beyond what is there: known exporters send 55,582. */
#include "base/error.h"
#include "wire/decoder.h"

enum {
    FIXED_V1_HEADER = 16,
    FIXED_HEADER = 24,
    FIXED_V1_RECORD = 52,
    FIXED_V1_SHORT_RECORD = 48,
    FIXED_V5_RECORD = 48,
    FIXED_V7_RECORD = 52
};

/* The first 16 bytes are the same in all three. */
static nfl_status fixed_read_header(nfl__rd *rd, size_t need, nfl_export_header *header, nfl_error *err)
{
    size_t len = nfl__rd_left(rd);
    if (len < need)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "netflow v%u header: %zu bytes, need %zu",
                         nfl__load_be16(rd->pos), len, need);
    header->version = nfl__rd_u16(rd);
    header->count = nfl__rd_u16(rd);
    header->length = (uint32_t)len;
    header->uptime_ms = nfl__rd_u32(rd);
    header->seconds = nfl__rd_u32(rd);
    header->nanoseconds = nfl__rd_u32(rd);
    return NFL_OK;
}

nfl_status nfl__v1_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    return fixed_read_header(rd, FIXED_V1_HEADER, header, err);
}

nfl_status nfl__v5_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    NFL_TRY(fixed_read_header(rd, FIXED_HEADER, header, err));
    header->sequence = nfl__rd_u32(rd);
    header->domain = nfl__rd_u16(rd); /* engine type, engine id */
    header->sampling = nfl__rd_u16(rd);
    return NFL_OK;
}

nfl_status nfl__v7_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    NFL_TRY(fixed_read_header(rd, FIXED_HEADER, header, err));
    header->sequence = nfl__rd_u32(rd);
    nfl__rd_skip(rd, 4);
    return NFL_OK;
}

#define FIXED_PRESENT_V1                                                                                     \
    (NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) |                         \
     NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) |                          \
     NFL_HAS(NFL_FIELD_NEXT_HOP) | NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_OUT_IF) |                    \
     NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) |                  \
     NFL_HAS(NFL_FIELD_TCP_FLAGS) | NFL_HAS(NFL_FIELD_TOS))
#define FIXED_PRESENT                                                                                        \
    (FIXED_PRESENT_V1 | NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_DST_AS) |                              \
     NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK))

/* Switched times are on the sysUptime clock: the signed difference to the header's survives the wrap after 49.7
 * days and stamps a little in the future. */
static nfl_usec fixed_time(const nfl__context *context, uint32_t switched_ms)
{
    return context->export_us - (nfl_usec)(int32_t)(context->header.uptime_ms - switched_ms) * 1000;
}

/* What all three versions have in front: up to the ports. */
static void fixed_read_common(nfl__rd *rd, const nfl__context *context, nfl_flow *flow)
{
    flow->src = nfl_ip_from_v4(nfl__rd_u32(rd));
    flow->dst = nfl_ip_from_v4(nfl__rd_u32(rd));
    flow->next_hop = nfl_ip_from_v4(nfl__rd_u32(rd));
    flow->in_if = nfl__rd_u16(rd);
    flow->out_if = nfl__rd_u16(rd);
    flow->packets = nfl__rd_u32(rd);
    flow->bytes = nfl__rd_u32(rd);
    flow->first_us = fixed_time(context, nfl__rd_u32(rd));
    flow->last_us = fixed_time(context, nfl__rd_u32(rd));
    flow->src_port = nfl__rd_u16(rd);
    flow->dst_port = nfl__rd_u16(rd);
}

static void fixed_read_v1(nfl__rd *rd, nfl_flow *flow)
{
    nfl__rd_skip(rd, 2);
    flow->proto = nfl__rd_u8(rd);
    flow->tos = nfl__rd_u8(rd);
    flow->tcp_flags = nfl__rd_u8(rd);
    flow->present |= FIXED_PRESENT_V1;
}

/* v5 and v7. The byte in front of the TCP flags is padding in v5 and tells invalid fields in v7. */
static void fixed_read_v5(nfl__rd *rd, nfl_flow *flow)
{
    nfl__rd_skip(rd, 1);
    flow->tcp_flags = nfl__rd_u8(rd);
    flow->proto = nfl__rd_u8(rd);
    flow->tos = nfl__rd_u8(rd);
    flow->src_as = nfl__rd_u16(rd);
    flow->dst_as = nfl__rd_u16(rd);
    flow->src_mask = nfl__rd_u8(rd);
    flow->dst_mask = nfl__rd_u8(rd);
    flow->present |= FIXED_PRESENT;
}

typedef struct fixed_layout {
    uint16_t version;
    uint16_t record_len;
    void (*read_rest)(nfl__rd *rd, nfl_flow *flow);
} fixed_layout;

static const fixed_layout fixed_layouts[] = {
    {1, FIXED_V1_RECORD, fixed_read_v1},
    {5, FIXED_V5_RECORD, fixed_read_v5},
    {7, FIXED_V7_RECORD, fixed_read_v5},
};

static const fixed_layout *fixed_layout_of(uint16_t version)
{
    const fixed_layout *layout = fixed_layouts;
    while (layout->version != version)
        layout++;
    return layout;
}

static uint32_t fixed_record_len(const fixed_layout *layout, const nfl_export_header *header)
{
    uint32_t all_short = FIXED_V1_HEADER + (uint32_t)header->count * FIXED_V1_SHORT_RECORD;
    return layout->version == 1 && header->length == all_short ? FIXED_V1_SHORT_RECORD : layout->record_len;
}

static void fixed_to_flow(nfl_parser *parser, const fixed_layout *layout, const uint8_t *record, uint32_t record_len)
{
    nfl_flow *flow = &parser->flow;
    nfl__rd rd = nfl__rd_make(record, record_len);
    *flow = parser->base;
    fixed_read_common(&rd, parser->context, flow);
    layout->read_rest(&rd, flow);
    parser->slots.have = 0;
    nfl__record_finish(parser, flow);
    parser->flow_set = 1;
}

nfl_status nfl__fixed_step(nfl_parser *parser, nfl_error *err)
{
    const fixed_layout *layout = fixed_layout_of(parser->own.header.version);
    uint32_t wanted = parser->own.header.count;
    if (parser->record_count == wanted)
        return NFL_DONE;
    uint32_t offset = (uint32_t)(parser->message.pos - parser->start);
    uint32_t record_len = fixed_record_len(layout, &parser->own.header);
    const uint8_t *record = nfl__rd_bytes(&parser->message, record_len);
    if (!record) {
        uint32_t got = parser->record_count;
        parser->record_count = wanted;
        parser->stats.bad_sets++;
        return nfl__fail(err, NFL_E_TRUNCATED, offset,
                         "netflow v%u: the header counts %u records, %u are there", layout->version, wanted,
                         got);
    }
    parser->record_count++;
    parser->record = (nfl__record){NULL, record, record_len, offset};
    parser->kind = NFL_EVENT_RECORD;
    parser->stats.flows++;
    parser->domain->flows++;
    fixed_to_flow(parser, layout, record, record_len);
    return NFL_OK;
}

/* sFlow v5 (sFlow.org, "sFlow Version 5", 2004; discards: "sFlow Dropped Packet Notification Structures").
 *
 *     datagram   version 5 in four bytes, agent address, sub-agent, sequence, uptime, samples
 *     sample     format, length, header, records      flow (1, expanded 3), counters (2, 4), discard (5)
 *     record     format, length, content              sampled header, addresses, VLANs, routes
 *
 * All is XDR: numbers of four bytes, everything padded to four. A format is 20 bits of enterprise and 12 of format.
 *
 * A reader for each level ends where the level's length says, so what is wrong inside stays inside: a sample with a
 * short header is reported and passed over, a record cut by the end of its sample gives what is complete. Counts are
 * not believed beyond what is there. A record takes at least 8 bytes, hence at most 8191 in a sample; their
 * positions are kept in the parser's `spans`. Work is linear: each record is looked at once for each row of
 * `sflow_readers`.
 */
#include "base/error.h"
#include "record/fields.h"
#include "wire/decoder.h"
#include "wire/packet.h"

#include <string.h>

enum {
    SFLOW_PREFIX = 8, /* format and length, of samples and records */
    SFLOW_FORMAT_BITS = 12,
    SFLOW_ADDRESS_V4 = 1,
    SFLOW_ADDRESS_V6 = 2
};

/* address: type, then 4 or 16 bytes. 0 if there is none; an unknown type leaves the reader failed. */
static int sflow_read_address(nfl__rd *rd, nfl_ip *out)
{
    uint32_t type = nfl__rd_u32(rd);
    if (type == SFLOW_ADDRESS_V4) {
        *out = nfl_ip_from_v4(nfl__rd_u32(rd));
    } else if (type == SFLOW_ADDRESS_V6) {
        const uint8_t *bytes = nfl__rd_bytes(rd, sizeof out->b);
        if (bytes)
            memcpy(out->b, bytes, sizeof out->b);
    } else if (type != 0) {
        rd->failed = 1;
    }
    return type != 0 && !rd->failed;
}

nfl_status nfl__sflow_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    size_t len = nfl__rd_left(rd);
    header->version = NFL_VERSION_SFLOW5;
    header->length = (uint32_t)len;
    nfl__rd_skip(rd, 4);
    uint32_t type = len >= SFLOW_PREFIX ? nfl__load_be32(rd->pos) : 0;
    if (type > SFLOW_ADDRESS_V6)
        return nfl__fail(err, NFL_E_FORMAT, 4, "sflow header: agent address of unknown type %u", type);
    (void)sflow_read_address(rd, &header->agent);
    header->domain = nfl__rd_u32(rd); /* sub-agent */
    header->sequence = nfl__rd_u32(rd);
    header->uptime_ms = nfl__rd_u32(rd);
    header->samples = nfl__rd_u32(rd);
    if (rd->failed)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "sflow header: cut off after %zu bytes", len);
    return NFL_OK;
}

/* One word of a sample's header. With a shift it is two members, of which this is the first: the upper bits. */
typedef struct sflow_word {
    uint8_t member; /* offset in nfl_sample */
    uint8_t shift;
} sflow_word;

#define SFLOW_MEMBER(name) (uint8_t) offsetof(nfl_sample, name)
#define SFLOW_MAX_WORDS 10

typedef struct sflow_layout {
    uint32_t word_count;
    sflow_word words[SFLOW_MAX_WORDS];
} sflow_layout;

enum {
    SFLOW_FLOW = 1,
    SFLOW_COUNTERS = 2,
    SFLOW_FLOW_EXPANDED = 3,
    SFLOW_COUNTERS_EXPANDED = 4,
    SFLOW_DISCARD = 5
};

static const sflow_layout sflow_layouts[] = {
    [SFLOW_FLOW] = {7,
                    {{SFLOW_MEMBER(sequence), 0},
                     {SFLOW_MEMBER(source_class), 24},
                     {SFLOW_MEMBER(rate), 0},
                     {SFLOW_MEMBER(pool), 0},
                     {SFLOW_MEMBER(drops), 0},
                     {SFLOW_MEMBER(input_format), 30},
                     {SFLOW_MEMBER(output_format), 30}}},
    [SFLOW_COUNTERS] = {2, {{SFLOW_MEMBER(sequence), 0}, {SFLOW_MEMBER(source_class), 24}}},
    [SFLOW_FLOW_EXPANDED] = {10,
                             {{SFLOW_MEMBER(sequence), 0},
                              {SFLOW_MEMBER(source_class), 0},
                              {SFLOW_MEMBER(source_index), 0},
                              {SFLOW_MEMBER(rate), 0},
                              {SFLOW_MEMBER(pool), 0},
                              {SFLOW_MEMBER(drops), 0},
                              {SFLOW_MEMBER(input_format), 0},
                              {SFLOW_MEMBER(input), 0},
                              {SFLOW_MEMBER(output_format), 0},
                              {SFLOW_MEMBER(output), 0}}},
    [SFLOW_COUNTERS_EXPANDED] =
        {3, {{SFLOW_MEMBER(sequence), 0}, {SFLOW_MEMBER(source_class), 0}, {SFLOW_MEMBER(source_index), 0}}},
    [SFLOW_DISCARD] = {7,
                       {{SFLOW_MEMBER(sequence), 0},
                        {SFLOW_MEMBER(source_class), 0},
                        {SFLOW_MEMBER(source_index), 0},
                        {SFLOW_MEMBER(drops), 0},
                        {SFLOW_MEMBER(input), 0},
                        {SFLOW_MEMBER(output), 0},
                        {SFLOW_MEMBER(reason), 0}}},
};

static int sflow_is_flow(const nfl_sample *sample)
{
    return sample->enterprise == 0 && (sample->format == SFLOW_FLOW || sample->format == SFLOW_FLOW_EXPANDED);
}

/* NULL for a format that is not known. */
static const sflow_layout *sflow_layout_of(const nfl_sample *sample)
{
    if (sample->enterprise != 0 || sample->format == 0 ||
        sample->format >= sizeof sflow_layouts / sizeof *sflow_layouts)
        return NULL;
    return &sflow_layouts[sample->format];
}

static void sflow_read_words(nfl__rd *rd, const sflow_layout *layout, nfl_sample *sample)
{
    for (uint32_t i = 0; i < layout->word_count; i++) {
        uint8_t *member = (uint8_t *)sample + layout->words[i].member;
        uint32_t shift = layout->words[i].shift, word = nfl__rd_u32(rd);
        uint32_t pair[2] = {word >> shift, word & ((UINT32_C(1) << shift) - 1)};
        memcpy(member, pair, shift ? sizeof pair : sizeof *pair);
    }
}

/* Padding of XDR; exporters leave it out at the end. */
static void sflow_skip_padding(nfl__rd *rd, uint32_t len)
{
    size_t padding = (4 - len % 4) % 4, left = nfl__rd_left(rd);
    nfl__rd_skip(rd, padding < left ? padding : left);
}

/* Note where the records are. Fewer than counted, or a last one that is cut, is a fault that costs nothing else. */
static nfl_status sflow_find_records(nfl_parser *parser, nfl__rd *rd, nfl_error *err)
{
    uint32_t wanted = nfl__rd_u32(rd), found = 0;
    size_t most = nfl__rd_left(rd) / SFLOW_PREFIX;
    int cut = 0;
    most = wanted < most ? wanted : most;
    void *spans = parser->spans;
    if (most && !nfl__grow(&parser->memory, &spans, &parser->span_capacity, most, sizeof *parser->spans))
        return nfl__fail_nomem(err, most * sizeof *parser->spans);
    parser->spans = spans;
    while (found < most && nfl__rd_left(rd) >= SFLOW_PREFIX) {
        nfl__rd_skip(rd, 4);
        uint32_t len = nfl__rd_u32(rd), left = (uint32_t)nfl__rd_left(rd);
        cut = len > left;
        uint32_t there = cut ? left : len;
        parser->spans[found++] = (nfl__span){(uint32_t)nfl__rd_offset(rd), there};
        nfl__rd_skip(rd, there);
        sflow_skip_padding(rd, there);
    }
    parser->sample.record_count = found;
    if (found != wanted || cut)
        parser->stats.bad_sets++;
    return NFL_OK;
}

/* --- records into the flow; each reads from the start of its content and leaves the flow as it is if cut off --- */

static void sflow_set_vlan(nfl_flow *flow, uint32_t vlan, uint16_t *member, uint32_t field)
{
    if (vlan == 0 || vlan >= 4095) /* untagged, reserved, unknown */
        return;
    *member = (uint16_t)vlan;
    flow->present |= NFL_HAS(field);
}

static void sflow_read_switch(nfl__rd *rd, nfl_flow *flow)
{
    uint32_t in = nfl__rd_u32(rd);
    nfl__rd_skip(rd, 4);
    uint32_t out = nfl__rd_u32(rd);
    if (rd->failed)
        return;
    sflow_set_vlan(flow, in, &flow->vlan, NFL_FIELD_VLAN);
    sflow_set_vlan(flow, out, &flow->post_vlan, NFL_FIELD_POST_VLAN);
}

static void sflow_read_router(nfl__rd *rd, nfl_flow *flow)
{
    nfl_ip next_hop = {{0}};
    int told = sflow_read_address(rd, &next_hop);
    uint32_t src_mask = nfl__rd_u32(rd), dst_mask = nfl__rd_u32(rd);
    if (rd->failed)
        return;
    if (told) {
        flow->next_hop = next_hop;
        flow->present |= NFL_HAS(NFL_FIELD_NEXT_HOP);
    }
    if (src_mask > 128 || dst_mask > 128)
        return;
    flow->src_mask = (uint8_t)src_mask;
    flow->dst_mask = (uint8_t)dst_mask;
    flow->present |= NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK);
}

/* Last AS number of a path: that of the destination. 0 = the path is empty. */
static uint32_t sflow_read_path(nfl__rd *rd)
{
    uint32_t last = 0;
    for (uint32_t segments = nfl__rd_u32(rd); segments && !rd->failed; segments--) {
        nfl__rd_skip(rd, 4); /* set or sequence */
        uint32_t count = nfl__rd_u32(rd);
        if (count > nfl__rd_left(rd) / 4) {
            rd->failed = 1;
        } else if (count) {
            nfl__rd_skip(rd, ((size_t)count - 1) * 4);
            last = nfl__rd_u32(rd);
        }
    }
    return last;
}

static void sflow_read_gateway(nfl__rd *rd, nfl_flow *flow)
{
    nfl_ip next_hop = {{0}};
    int told = sflow_read_address(rd, &next_hop);
    nfl__rd_skip(rd, 4); /* the router's own AS */
    uint32_t src_as = nfl__rd_u32(rd);
    nfl__rd_skip(rd, 4); /* the peer's the packet came from */
    uint32_t dst_as = sflow_read_path(rd);
    if (rd->failed)
        return;
    if (told) {
        flow->bgp_next_hop = next_hop;
        flow->present |= NFL_HAS(NFL_FIELD_BGP_NEXT_HOP);
    }
    flow->src_as = src_as;
    flow->dst_as = dst_as;
    flow->present |= (src_as ? NFL_HAS(NFL_FIELD_SRC_AS) : 0) | (dst_as ? NFL_HAS(NFL_FIELD_DST_AS) : 0);
}

static void sflow_set_bytes(nfl_flow *flow, uint64_t bytes)
{
    if (nfl__flow_has(flow, NFL_FIELD_BYTES))
        return;
    flow->bytes = bytes;
    flow->present |= NFL_HAS(NFL_FIELD_BYTES);
}

static int sflow_has_ports(uint32_t proto)
{
    return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

/* What sampled_ipv4 and sampled_ipv6 have in common, behind the addresses. */
static void sflow_read_packet(nfl__rd *rd, uint32_t len, uint32_t proto, const nfl_ip *src, const nfl_ip *dst,
                              nfl_flow *flow)
{
    uint32_t src_port = nfl__rd_u32(rd), dst_port = nfl__rd_u32(rd);
    uint32_t tcp_flags = nfl__rd_u32(rd), tos = nfl__rd_u32(rd);
    if (rd->failed)
        return;
    flow->src = *src;
    flow->dst = *dst;
    flow->proto = (uint8_t)proto;
    flow->tos = (uint8_t)tos;
    flow->present |=
        NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_TOS);
    sflow_set_bytes(flow, len);
    if (sflow_has_ports(proto)) {
        flow->src_port = (uint16_t)src_port;
        flow->dst_port = (uint16_t)dst_port;
        flow->present |= NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    }
    if (proto == 6) {
        flow->tcp_flags = (uint16_t)(tcp_flags & 0xfff);
        flow->present |= NFL_HAS(NFL_FIELD_TCP_FLAGS);
    }
}

static void sflow_read_ipv4(nfl__rd *rd, nfl_flow *flow)
{
    uint32_t len = nfl__rd_u32(rd), proto = nfl__rd_u32(rd);
    nfl_ip src = nfl_ip_from_v4(nfl__rd_u32(rd));
    nfl_ip dst = nfl_ip_from_v4(nfl__rd_u32(rd));
    sflow_read_packet(rd, len, proto, &src, &dst, flow);
}

static void sflow_read_ipv6(nfl__rd *rd, nfl_flow *flow)
{
    nfl_ip src = {{0}}, dst = {{0}};
    uint32_t len = nfl__rd_u32(rd), proto = nfl__rd_u32(rd);
    const uint8_t *addresses = nfl__rd_bytes(rd, sizeof src.b + sizeof dst.b);
    if (!addresses)
        return;
    memcpy(src.b, addresses, sizeof src.b);
    memcpy(dst.b, addresses + sizeof src.b, sizeof dst.b);
    sflow_read_packet(rd, len, proto, &src, &dst, flow);
}

/* header_protocol of sampled headers to what the packet reader calls it. */
static const struct {
    uint32_t protocol, start;
} sflow_protocols[] = {
    {1, NFL__PACKET_ETHERNET}, {7, NFL__PACKET_PPP},   {11, NFL__PACKET_IP},
    {12, NFL__PACKET_IP},      {13, NFL__PACKET_MPLS},
};

/* Bytes of the IP packet in the frame. What its header says is exact; segmentation offload leaves 0 there, or more
 * than the frame: then the frame, without what stands before the header and what was stripped. */
static uint64_t sflow_packet_bytes(uint32_t frame_len, uint32_t stripped, uint32_t ip_offset, uint32_t ip_len)
{
    uint64_t around = (uint64_t)stripped + ip_offset;
    if (ip_len && (uint64_t)ip_offset + ip_len <= frame_len)
        return ip_len;
    return around < frame_len ? frame_len - around : frame_len;
}

static void sflow_read_sampled_header(nfl__rd *rd, nfl_flow *flow)
{
    uint32_t protocol = nfl__rd_u32(rd), frame_len = nfl__rd_u32(rd), stripped = nfl__rd_u32(rd);
    size_t len = nfl__rd_u32(rd), left = nfl__rd_left(rd);
    if (rd->failed)
        return;
    int32_t ip_offset = -1;
    uint32_t ip_len = 0;
    for (size_t i = 0; i < sizeof sflow_protocols / sizeof *sflow_protocols; i++)
        if (sflow_protocols[i].protocol == protocol)
            ip_offset =
                nfl__packet_read(rd->pos, len < left ? len : left, sflow_protocols[i].start, flow, &ip_len);
    sflow_set_bytes(flow, ip_offset < 0
                              ? frame_len
                              : sflow_packet_bytes(frame_len, stripped, (uint32_t)ip_offset, ip_len));
}

static void sflow_set_mac(nfl_flow *flow, uint64_t mac, uint64_t *member, uint32_t field)
{
    if (flow->present & NFL_HAS(field))
        return;
    *member = mac >> 16; /* six bytes and padding */
    flow->present |= NFL_HAS(field);
}

static void sflow_read_ethernet(nfl__rd *rd, nfl_flow *flow)
{
    uint32_t len = nfl__rd_u32(rd);
    uint64_t src = nfl__rd_u64(rd), dst = nfl__rd_u64(rd);
    uint32_t type = nfl__rd_u32(rd);
    if (rd->failed)
        return;
    sflow_set_mac(flow, src, &flow->src_mac, NFL_FIELD_SRC_MAC);
    sflow_set_mac(flow, dst, &flow->dst_mac, NFL_FIELD_DST_MAC);
    sflow_set_bytes(flow, len);
    if (type > UINT16_MAX || (flow->present & NFL_HAS(NFL_FIELD_ETHER_TYPE)))
        return;
    flow->ether_type = (uint16_t)type;
    flow->present |= NFL_HAS(NFL_FIELD_ETHER_TYPE);
}

/* In order of precedence: the first to tell a field is believed. */
static const struct {
    uint32_t format;
    void (*read)(nfl__rd *rd, nfl_flow *flow);
} sflow_readers[] = {
    {1001, sflow_read_switch}, {1002, sflow_read_router}, {1003, sflow_read_gateway},
    {3, sflow_read_ipv4},      {4, sflow_read_ipv6},      {1, sflow_read_sampled_header},
    {2, sflow_read_ethernet},
};

static void sflow_set_interface(nfl_flow *flow, uint32_t format, uint32_t value, uint32_t *member,
                                uint32_t field)
{
    if (format != 0 || value == 0) /* discarded, more than one, unknown */
        return;
    *member = value;
    flow->present |= NFL_HAS(field);
}

static void sflow_read_records(const nfl_parser *parser, nfl_flow *flow)
{
    for (size_t r = 0; r < sizeof sflow_readers / sizeof *sflow_readers; r++) {
        for (uint32_t i = 0; i < parser->sample.record_count; i++) {
            const uint8_t *content = parser->record.data + parser->spans[i].offset;
            if (nfl__load_be32(content - SFLOW_PREFIX) != sflow_readers[r].format)
                continue;
            nfl__rd rd = nfl__rd_make(content, parser->spans[i].len);
            sflow_readers[r].read(&rd, flow);
        }
    }
}

/* A flow sample that tells nothing of the packet itself is no flow. */
static void sflow_to_flow(nfl_parser *parser)
{
    const nfl_sample *sample = &parser->sample;
    nfl_flow *flow = &parser->flow;
    *flow = parser->base;
    sflow_read_records(parser, flow);
    if (!nfl__flow_has(flow, NFL_FIELD_BYTES))
        return;
    flow->packets = 1;
    flow->sampling = sample->rate;
    flow->present |= NFL_HAS(NFL_FIELD_PACKETS) | (sample->rate ? NFL_HAS(NFL_FIELD_SAMPLING) : 0);
    sflow_set_interface(flow, sample->input_format, sample->input, &flow->in_if, NFL_FIELD_IN_IF);
    sflow_set_interface(flow, sample->output_format, sample->output, &flow->out_if, NFL_FIELD_OUT_IF);
    parser->slots.have = 0;
    nfl__record_finish(parser, flow);
    parser->flow_set = 1;
}

enum { SFLOW_GENERIC_COUNTERS = 1, SFLOW_PORT_NAME = 1005 }; /* records of counter samples */

/* What is in record `format` of sFlow.org; empty if the sample has none. */
static nfl__rd sflow_record_of(const nfl_parser *parser, uint32_t format)
{
    for (uint32_t i = 0; i < parser->sample.record_count; i++) {
        const uint8_t *content = parser->record.data + parser->spans[i].offset;
        if (nfl__load_be32(content - SFLOW_PREFIX) == format)
            return nfl__rd_make(content, parser->spans[i].len);
    }
    return nfl__rd_make(NULL, 0);
}

/* Counter samples may tell the name of their interface: its index stands in the generic counters, else it is the data
 * source. */
static void sflow_learn_name(nfl_parser *parser)
{
    nfl__rd named = sflow_record_of(parser, SFLOW_PORT_NAME), counters = sflow_record_of(parser, SFLOW_GENERIC_COUNTERS);
    uint32_t index = nfl__rd_u32(&counters), len = nfl__rd_u32(&named);
    const uint8_t *text = nfl__rd_bytes(&named, len);
    if (counters.failed && parser->sample.source_class == 0)
        index = parser->sample.source_index;
    if (named.failed || index == 0)
        return;
    nfl__telling telling = {.id = index, .kind = NFL_NAME_INTERFACE, .name = {text, len}};
    /* no room: the name stays unknown until the agent repeats it */
    (void)nfl__options_tell(parser, parser->domain, &telling, parser->own.received_us);
}

static int sflow_is_counters(const nfl_sample *sample)
{
    return sample->format == 2 || sample->format == 4;
}

static nfl_status sflow_read_sample(nfl_parser *parser, nfl__rd *rd, nfl_error *err)
{
    const sflow_layout *layout = sflow_layout_of(&parser->sample);
    if (!layout)
        return NFL_OK;
    uint32_t need = 4 * (layout->word_count + 1);
    if (nfl__rd_left(rd) < need)
        return nfl__fail(err, NFL_E_TRUNCATED, parser->record.offset,
                         "sflow sample of format %u: %zu bytes, need %u", parser->sample.format,
                         nfl__rd_left(rd), need);
    sflow_read_words(rd, layout, &parser->sample);
    NFL_TRY(sflow_find_records(parser, rd, err));
    if (sflow_is_flow(&parser->sample))
        sflow_to_flow(parser);
    else if (sflow_is_counters(&parser->sample))
        sflow_learn_name(parser);
    return NFL_OK;
}

/* Cut the next sample out of the datagram. */
static nfl_status sflow_next_sample(nfl_parser *parser, nfl__rd *sample, nfl_error *err)
{
    nfl__rd *message = &parser->message;
    uint32_t offset = (uint32_t)(message->pos - parser->start), wanted = parser->own.header.samples;
    uint32_t format = nfl__rd_u32(message), len = nfl__rd_u32(message);
    *sample = nfl__rd_sub(message, len);
    if (message->failed) {
        uint32_t got = parser->record_count;
        parser->record_count = wanted;
        return nfl__fail(err, NFL_E_TRUNCATED, offset, "sflow: the header counts %u samples, %u are there",
                         wanted, got);
    }
    sflow_skip_padding(message, len);
    parser->record_count++;
    parser->record = (nfl__record){NULL, sample->start, len + SFLOW_PREFIX, offset};
    parser->sample = (nfl_sample){.struct_size = (uint32_t)sizeof parser->sample,
                                  .enterprise = format >> SFLOW_FORMAT_BITS,
                                  .format = format & ((1 << SFLOW_FORMAT_BITS) - 1),
                                  .len = len};
    return NFL_OK;
}

nfl_status nfl__sflow_step(nfl_parser *parser, nfl_error *err)
{
    if (parser->record_count == parser->own.header.samples)
        return NFL_DONE;
    nfl__rd sample;
    nfl_status status = sflow_next_sample(parser, &sample, err);
    if (status == NFL_OK)
        status = sflow_read_sample(parser, &sample, err);
    if (status != NFL_OK) {
        parser->record.data = NULL;
        parser->stats.bad_sets++;
        return status;
    }
    parser->kind = NFL_EVENT_SAMPLE;
    if (parser->flow_set) {
        parser->stats.flows++;
        parser->domain->flows++;
    } else {
        parser->stats.other_records++;
    }
    return NFL_OK;
}

nfl_status nfl__sflow_record(const nfl_parser *parser, uint32_t i, nfl_record_field *out)
{
    if (!parser->record.data || i >= parser->sample.record_count)
        return NFL_DONE;
    const uint8_t *content = parser->record.data + parser->spans[i].offset;
    uint32_t format = nfl__load_be32(content - SFLOW_PREFIX);
    *out = (nfl_record_field){.pen = format >> SFLOW_FORMAT_BITS,
                              .id = format & ((1 << SFLOW_FORMAT_BITS) - 1),
                              .len = parser->spans[i].len,
                              .sent_len = nfl__load_be32(content - 4),
                              .data = content};
    return NFL_OK;
}

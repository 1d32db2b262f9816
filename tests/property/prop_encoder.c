/* Law of the encoder: what it writes the parser reads back, as far as the version can carry it. */
#include <CUnit/Basic.h>
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "record/fields.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000)
#define SECOND INT64_C(1000000)
#define EXPORT_US (START + 100 * SECOND)
#define RECEIVED_US (START + 101 * SECOND)

enum { FLOWS = 20000, MASKS = 12, QUEUE = 4096, PROTO_ICMP = 1, PROTO_ICMP6 = 58 };

/* --- random flows --- */

/* Bits a field may have; others are as wide as their member. */
static const struct {
    uint8_t field, bits;
} narrow[] = {
    {NFL_FIELD_SRC_MAC, 48},      {NFL_FIELD_DST_MAC, 48},   {NFL_FIELD_POST_SRC_MAC, 48}, {NFL_FIELD_POST_DST_MAC, 48},
    {NFL_FIELD_MPLS_LABEL, 20},   {NFL_FIELD_FLOW_LABEL, 20}, {NFL_FIELD_VLAN, 12},        {NFL_FIELD_POST_VLAN, 12},
    {NFL_FIELD_SRC_MASK, 5},      {NFL_FIELD_DST_MASK, 5},   {NFL_FIELD_DIRECTION, 1},     {NFL_FIELD_TCP_FLAGS, 9},
    {NFL_FIELD_REVERSE_TCP_FLAGS, 9}, {NFL_FIELD_APP_ID, 60},
};

static nfl_ip random_ip(test_random *r, int v6)
{
    nfl_ip ip = nfl_ip_from_v4((uint32_t)test_next(r) | 1);
    for (size_t i = 0; v6 && i < 16; i++)
        ip.b[i] = (uint8_t)(test_next(r) | 1);
    return ip;
}

static nfl_usec random_time(test_random *r, nfl_usec unit_us)
{
    return START + (nfl_usec)test_below(r, 100000000) / unit_us * unit_us;
}

static void set_number(nfl_flow *flow, uint32_t field, uint64_t value)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    uint8_t *at = (uint8_t *)flow + slot->offset;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    switch (slot->width) {
    case 1:
        memcpy(at, &u8, 1);
        break;
    case 2:
        memcpy(at, &u16, 2);
        break;
    case 4:
        memcpy(at, &u32, 4);
        break;
    default:
        memcpy(at, &value, 8);
    }
}

static void set_random(test_random *r, nfl_flow *flow, uint32_t field, int v6, nfl_usec unit_us)
{
    uint64_t value = test_next(r) | 1; /* 0 is "unknown" in some elements */
    if (nfl__field_slots[field].type == NFL_TYPE_IP) {
        nfl_ip ip = random_ip(r, v6);
        memcpy((uint8_t *)flow + nfl__field_slots[field].offset, &ip, sizeof ip);
        return;
    }
    if (nfl__field_slots[field].type == NFL_TYPE_TIME)
        value = (uint64_t)random_time(r, unit_us);
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        if (narrow[i].field == field)
            value &= (UINT64_C(1) << narrow[i].bits) - 1;
    set_number(flow, field, value);
}

/* A flow with the fields of the mask. Ports and ICMP exclude each other, as on the wire. */
static nfl_flow random_flow(test_random *r, uint64_t mask, nfl_usec unit_us)
{
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = RECEIVED_US, .last_us = RECEIVED_US};
    uint64_t icmp = NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE);
    int v6 = test_chance(r, 30);
    if (mask & NFL_HAS(NFL_FIELD_ICMP_TYPE))
        mask = (mask | icmp) & ~(NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT));
    flow.present = mask;
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (mask & NFL_HAS(field))
            set_random(r, &flow, field, v6, unit_us);
    if (mask & NFL_HAS(NFL_FIELD_ICMP_TYPE))
        flow.proto = v6 ? PROTO_ICMP6 : PROTO_ICMP;
    else if (mask & NFL_HAS(NFL_FIELD_PROTO))
        flow.proto = test_chance(r, 50) ? 6 : 17;
    if (!(mask & NFL_HAS(NFL_FIELD_FLOWS)))
        flow.flows = 1;
    return flow;
}

/* Fields of a flow: traffic always, so that it is one; the others at random. */
static uint64_t random_mask(test_random *r)
{
    uint64_t mask = test_next(r) & (test_chance(r, 50) ? test_next(r) : UINT64_MAX);
    mask |= NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PROTO);
    mask &= UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT) & ~NFL_HAS(NFL_FIELD_ICMP_CODE);
    if (!(mask & NFL_HAS(NFL_FIELD_FIRST)) != !(mask & NFL_HAS(NFL_FIELD_LAST)))
        mask &= ~(NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST)); /* one alone tells the other: not this law */
    return mask;
}

/* --- what must come back --- */

static void forget(nfl_flow *flow, uint64_t fields)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (fields & NFL_HAS(field))
            memset((uint8_t *)flow + nfl__field_slots[field].offset, 0, nfl__field_slots[field].width);
    flow->present &= ~fields;
}

static void set_facts(nfl_flow *flow, uint32_t version, uint32_t domain)
{
    flow->received_us = RECEIVED_US;
    flow->exporter = nfl_ip_from_v4(0xcb007109);
    flow->domain = domain;
    flow->version = (uint8_t)version;
    flow->present |= NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) |
                     NFL_HAS(NFL_FIELD_VERSION) | NFL_HAS(NFL_FIELD_FLOWS);
}

static nfl_flow expected(const nfl_flow *sent, uint32_t version, uint32_t domain)
{
    nfl_flow want = *sent;
    forget(&want, NFL_HAS(NFL_FIELD_APP));
    if (version == 9) { /* no enterprise elements; flags of 8 bits */
        forget(&want, NFL_HAS(NFL_FIELD_REVERSE_BYTES) | NFL_HAS(NFL_FIELD_REVERSE_PACKETS) | NFL_HAS(NFL_FIELD_REVERSE_TCP_FLAGS));
        want.tcp_flags &= 0xff;
    } else {
        forget(&want, NFL_HAS(NFL_FIELD_FW_EXT_EVENT));
    }
    set_facts(&want, version, domain);
    return want;
}

static nfl_flow expected_v5(const nfl_flow *sent, uint32_t domain)
{
    nfl_flow want = {.struct_size = sizeof want, .first_us = sent->first_us, .last_us = sent->last_us, .flows = 1};
    want.bytes = sent->bytes > UINT32_MAX ? UINT32_MAX : sent->bytes;
    want.packets = sent->packets > UINT32_MAX ? UINT32_MAX : sent->packets;
    want.src = sent->src;
    want.dst = sent->dst;
    want.next_hop = nfl__flow_has(sent, NFL_FIELD_NEXT_HOP) ? sent->next_hop : nfl_ip_from_v4(0);
    want.in_if = sent->in_if > UINT16_MAX ? UINT16_MAX : sent->in_if;
    want.out_if = sent->out_if > UINT16_MAX ? UINT16_MAX : sent->out_if;
    want.src_as = sent->src_as > UINT16_MAX ? 23456 : sent->src_as;
    want.dst_as = sent->dst_as > UINT16_MAX ? 23456 : sent->dst_as;
    want.src_mask = sent->src_mask;
    want.dst_mask = sent->dst_mask;
    want.proto = sent->proto;
    want.tos = sent->tos;
    want.tcp_flags = sent->tcp_flags & 0xff;
    want.present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) |
                   NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_NEXT_HOP) | NFL_HAS(NFL_FIELD_IN_IF) |
                   NFL_HAS(NFL_FIELD_OUT_IF) | NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_DST_AS) |
                   NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK) | NFL_HAS(NFL_FIELD_PROTO) |
                   NFL_HAS(NFL_FIELD_TOS) | NFL_HAS(NFL_FIELD_TCP_FLAGS);
    if (sent->proto == PROTO_ICMP) {
        want.icmp_type = sent->icmp_type;
        want.icmp_code = sent->icmp_code;
        want.present |= NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE);
    } else {
        want.src_port = sent->src_port;
        want.dst_port = sent->dst_port;
        want.present |= NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    }
    set_facts(&want, 5, domain);
    return want;
}

/* --- the run: flows sent wait in a queue until their datagram is read --- */

typedef struct run {
    uint32_t version, domain;
    nfl_encoder *encoder;
    nfl_parser *parser;
    nfl_flow queue[QUEUE];
    size_t queued, compared;
    unsigned differing;
} run;

static void renew_encoder(run *u, test_random *r)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = u->version, .domain = ++u->domain, .boot_us = START - 3600 * SECOND);
    opts.max_len = test_chance(r, 50) ? 1400 : 512 + (uint32_t)test_below(r, 9000);
    opts.max_records = test_chance(r, 50) ? 0 : 1 + (uint32_t)test_below(r, 50);
    opts.template_every = 1 + (uint32_t)test_below(r, 30);
    nfl_encoder_free(u->encoder);
    u->encoder = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(&opts, &u->encoder, NULL), NFL_OK);
}

static void compare(run *u, const nfl_flow *got, const nfl_flow *want)
{
    u->compared++;
    if (memcmp(got, want, sizeof *got) == 0 || u->differing++ >= 5)
        return;
    printf("\n    version %u, flow %zu: present %016llx, expected %016llx\n", u->version, u->compared,
           (unsigned long long)got->present, (unsigned long long)want->present);
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (memcmp(nfl__flow_at(got, field), nfl__flow_at(want, field), nfl__field_slots[field].width) != 0)
            printf("    field %s differs\n", nfl__field_row(field)->name);
}

/* Take the datagram, read it, compare with what was sent. */
static void turn_over(run *u)
{
    const nfl_ip exporter = nfl_ip_from_v4(0xcb007109);
    const nfl_flow *flow;
    size_t len, n = 0;
    const uint8_t *data = nfl_encoder_take(u->encoder, EXPORT_US, &len);
    CU_ASSERT_EQUAL(data != NULL, u->queued != 0);
    if (!data)
        return;
    uint8_t *copy = test_exact(data, len);
    nfl_status status = nfl_parser_feed(u->parser, &exporter, RECEIVED_US, copy, len, NULL);
    while (status == NFL_OK && (status = nfl_parser_next(u->parser, &flow, NULL)) == NFL_OK) {
        if (n < u->queued)
            compare(u, flow, &u->queue[n]);
        n++;
    }
    CU_ASSERT_EQUAL(status, NFL_DONE);
    CU_ASSERT_EQUAL(n, u->queued);
    u->queued = 0;
    free(copy);
}

static void send_flow(run *u, test_random *r, const nfl_flow *flow)
{
    nfl_status status = nfl_encoder_add(u->encoder, flow, EXPORT_US, NULL);
    if (status == NFL_PENDING || u->queued == QUEUE - 1) {
        turn_over(u);
        if (status == NFL_PENDING)
            status = nfl_encoder_add(u->encoder, flow, EXPORT_US, NULL);
    }
    for (unsigned tries = 0; status == NFL_E_LIMIT && tries < 20; tries++) { /* templates, or a datagram too short */
        turn_over(u);
        renew_encoder(u, r);
        status = nfl_encoder_add(u->encoder, flow, EXPORT_US, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(status, NFL_OK);
    u->queue[u->queued++] = u->version == 5 ? expected_v5(flow, u->domain) : expected(flow, u->version, u->domain);
}

static void check_nothing_is_lost(const run *u)
{
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(u->parser, &stats);
    CU_ASSERT_EQUAL(u->compared, FLOWS);
    CU_ASSERT_EQUAL(u->differing, 0);
    CU_ASSERT_EQUAL(stats.lost_flows + stats.lost_datagrams + stats.lost_records + stats.late_datagrams + stats.restarts, 0);
    CU_ASSERT_EQUAL(stats.bad_sets + stats.unknown_sets + stats.other_records, 0);
}

static void round_trip(uint32_t version)
{
    test_random r = {test_seed()};
    printf("(NFL_SEED=%llu) ", (unsigned long long)r.state);
    run *u = calloc(1, sizeof *u);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    u->version = version;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(NULL, &u->parser, NULL), NFL_OK);
    renew_encoder(u, &r);
    uint64_t masks[MASKS];
    for (size_t i = 0; i < MASKS; i++)
        masks[i] = random_mask(&r);
    for (unsigned n = 0; n < FLOWS; n++) {
        if (n % 500 == 0)
            masks[test_below(&r, MASKS)] = random_mask(&r);
        nfl_usec unit_us = version == 10 && test_chance(&r, 50) ? 1 : 1000;
        nfl_flow flow = random_flow(&r, masks[test_below(&r, MASKS)], unit_us);
        while (version == 5 && (!nfl_ip_is_v4(&flow.src) || !(flow.present & NFL_HAS(NFL_FIELD_FIRST))))
            flow = random_flow(&r, random_mask(&r), 1000);
        send_flow(u, &r, &flow);
    }
    turn_over(u);
    check_nothing_is_lost(u);
    nfl_encoder_free(u->encoder);
    nfl_parser_free(u->parser);
    free(u);
}

static void test_v5(void)
{
    round_trip(5);
}

static void test_v9(void)
{
    round_trip(9);
}

static void test_ipfix(void)
{
    round_trip(10);
}

NFL_SUITE("encoder", {"flows sent as v5 come back as far as it carries them", test_v5},
          {"flows sent as v9 come back with every field", test_v9},
          {"flows sent as IPFIX come back with every field and microsecond", test_ipfix})

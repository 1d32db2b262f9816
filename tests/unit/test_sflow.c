#include <CUnit/Basic.h>

#include "datagram.h"
#include "support.h"

#include <netflow/parser.h>

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1694498820000000)
#define SECOND INT64_C(1000000)

static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

enum { MAX_FLOWS = 16 };

typedef struct outcome {
    nfl_flow flows[MAX_FLOWS];
    size_t flow_count;
    size_t errors;
    nfl_status last_error;
} outcome;

static nfl_parser *new_parser(const nfl_alloc *alloc)
{
    NFL_OPTS(nfl_parser_opts, opts, .alloc = alloc);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    return parser;
}

static void feed_bytes(nfl_parser *parser, const uint8_t *data, size_t len, nfl_usec now_us, outcome *out)
{
    uint8_t *copy = test_exact(data, len);
    const nfl_flow *flow;
    nfl_error err;
    memset(out, 0, sizeof *out);
    nfl_status status = nfl_parser_feed(parser, &exporter, now_us, copy, len, &err);
    while (status >= 0 && (status = nfl_parser_next(parser, &flow, &err)) != NFL_DONE) {
        if (status == NFL_OK && out->flow_count < MAX_FLOWS)
            out->flows[out->flow_count++] = *flow;
        if (status < 0) {
            out->errors++;
            out->last_error = status;
            status = NFL_OK;
        }
    }
    if (status < 0) {
        out->errors++;
        out->last_error = status;
    }
    free(copy);
}

static void feed(nfl_parser *parser, const test_datagram *d, outcome *out)
{
    feed_bytes(parser, d->bytes, d->len, NOW, out);
}

static nfl_parser_stats stats_of(const nfl_parser *parser)
{
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(parser, &stats);
    return stats;
}

/* 10.0.0.1:12345 > 198.51.100.2:443, TCP with SYN and ACK; the IP header says 1440 bytes. */
#define ETHERNET "0200 00000002 0200 00000001 0800 "
#define IPV4 "4510 05a0 0000 4000 4006 0000 0a000001 c6336402 "
#define TCP "3039 01bb 00000000 00000000 5012 0000 00000000 "
#define RAW_HEADER "00000001 00000048 00000001 000005b2 00000004 00000036 " ETHERNET IPV4 TCP "0000 "
#define SWITCH "000003e9 00000010 00000064 00000000 000000c8 00000000 "
#define ROUTER "000003ea 00000010 00000001 0a0000fe 00000018 00000010 "
#define GATEWAY                                                                                              \
    "000003eb 00000034 00000001 c0000201 0000fde8 0000fde9 0000fdea 00000002 00000001 00000001 0000fdeb "    \
    "00000002 00000002 0000fdec 0000fded "
#define SAMPLED_IPV4                                                                                         \
    "00000003 00000020 0000002c 00000011 0a000003 0a000004 00000035 00003039 00000000 00000010 "
#define SAMPLED_IPV6                                                                                         \
    "00000004 00000038 00000064 00000006 20010db8000000000000000000000001 20010db8000000000000000000000002 " \
    "00000050 0000c000 00000012 00000000 "
#define SAMPLED_ETHERNET "00000002 00000018 0000003c 0200 00000001 0000 0200 00000002 0000 00000806 "
#define COUNTERS "00000002 00000018 00000007 00000003 00000001 00000001 00000004 deadbeef "

static void start(test_datagram *d, uint32_t sequence, uint32_t samples)
{
    test_sflow(d, "00000001 c0000264", 3, sequence, samples);
}

/* A flow sample with these records: sequence 9, source 0:5, 1 in 512, from 5 to 6. */
static void flow_sample(test_datagram *d, uint32_t records, const char *hex)
{
    test_sample(d, 1);
    test_bytes(d, "00000009 00000005 00000200 00010000 00000001 00000005 00000006");
    test_number(d, records, 4);
    test_bytes(d, hex);
}

static int has(const nfl_flow *flow, unsigned field)
{
    return (flow->present & NFL_HAS(field)) != 0;
}

static void a_flow_sample_is_a_flow(void)
{
    nfl_parser *parser = new_parser(NULL);
    static test_datagram d;
    outcome out;
    start(&d, 1, 1);
    flow_sample(&d, 4, RAW_HEADER SWITCH ROUTER GATEWAY);
    test_sample(&d, 0);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.errors, 0);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 1);
    const nfl_flow *f = &out.flows[0];
    CU_ASSERT(f->src.b[12] == 10 && f->dst.b[12] == 198 && f->proto == 6 && f->tos == 16);
    CU_ASSERT(f->src_port == 12345 && f->dst_port == 443 && f->tcp_flags == 0x12);
    CU_ASSERT(f->packets == 1 && f->bytes == 1440 && f->sampling == 512 && f->flows == 1);
    CU_ASSERT(f->in_if == 5 && f->out_if == 6 && has(f, NFL_FIELD_IN_IF) && has(f, NFL_FIELD_OUT_IF));
    CU_ASSERT(f->vlan == 100 && f->post_vlan == 200);
    CU_ASSERT(f->next_hop.b[15] == 254 && f->src_mask == 24 && f->dst_mask == 16);
    CU_ASSERT(f->bgp_next_hop.b[12] == 192 && f->src_as == 65001 && f->dst_as == 65005);
    CU_ASSERT(f->src_mac == 0x020000000001 && f->dst_mac == 0x020000000002);
    CU_ASSERT(f->first_us == NOW && f->last_us == NOW && f->received_us == NOW && !has(f, NFL_FIELD_FIRST));
    CU_ASSERT(f->version == NFL_VERSION_SFLOW5 && f->domain == 3);
    CU_ASSERT_EQUAL(memcmp(&f->exporter, &exporter, sizeof exporter), 0);
    nfl_parser_free(parser);
}

/* What the records of one flow sample make of the flow. */
static void records_become_flows(void)
{
    static const struct {
        const char *name;
        const char *records;
        uint32_t count, bytes;
        uint8_t proto;
        uint16_t src_port, dst_port;
        uint64_t present, absent;
    } t[] = {
        {"sampled IPv4", SAMPLED_IPV4, 1, 44, 17, 53, 12345, NFL_HAS(NFL_FIELD_SRC),
         NFL_HAS(NFL_FIELD_TCP_FLAGS)},
        {"sampled IPv6", SAMPLED_IPV6, 1, 100, 6, 80, 49152, NFL_HAS(NFL_FIELD_TCP_FLAGS),
         NFL_HAS(NFL_FIELD_VLAN)},
        {"sampled Ethernet", SAMPLED_ETHERNET, 1, 60, 0, 0, 0, NFL_HAS(NFL_FIELD_SRC_MAC),
         NFL_HAS(NFL_FIELD_SRC)},
        {"addresses told win over the header", RAW_HEADER SAMPLED_IPV4, 2, 44, 17, 53, 12345,
         NFL_HAS(NFL_FIELD_SRC_MAC), 0},
        {"IPv4 header", "00000001 00000038 0000000b 00000032 00000012 00000028 " IPV4 TCP, 1, 32, 6, 12345,
         443, NFL_HAS(NFL_FIELD_SRC), NFL_HAS(NFL_FIELD_SRC_MAC)},
        {"unknown header protocol", "00000001 00000014 00000063 00000032 00000000 00000004 01020304", 1, 50,
         0, 0, 0, 0, NFL_HAS(NFL_FIELD_SRC)},
        {"VLAN unknown", RAW_HEADER "000003e9 00000010 ffffffff 00000000 00000000 00000000", 2, 1440, 6,
         12345, 443, 0, NFL_HAS(NFL_FIELD_VLAN) | NFL_HAS(NFL_FIELD_POST_VLAN)},
        {"router with a cut address", RAW_HEADER "000003ea 0000001c 00000002 20010db8", 2, 1440, 6, 12345,
         443, 0, NFL_HAS(NFL_FIELD_NEXT_HOP)},
        {"AS path longer than its record",
         RAW_HEADER
         "000003eb 00000024 00000001 c0000201 00000001 00000002 00000003 00000001 00000002 ffffffff 00000001",
         2, 1440, 6, 12345, 443, 0, NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_BGP_NEXT_HOP)},
        {"more path segments than bytes",
         RAW_HEADER "000003eb 00000018 00000001 c0000201 00000001 00000002 00000003 ffffffff", 2, 1440, 6,
         12345, 443, 0, NFL_HAS(NFL_FIELD_SRC_AS)},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(NULL);
        static test_datagram d;
        outcome out;
        start(&d, 1, 1);
        flow_sample(&d, t[i].count, t[i].records);
        test_sample(&d, 0);
        feed(parser, &d, &out);
        const nfl_flow *f = &out.flows[0];
        NFL_CHECK(t[i].name, out.flow_count == 1 && out.errors == 0);
        NFL_CHECK(t[i].name, f->bytes == t[i].bytes && f->packets == 1);
        NFL_CHECK(t[i].name, f->proto == t[i].proto);
        NFL_CHECK(t[i].name, f->src_port == t[i].src_port && f->dst_port == t[i].dst_port);
        NFL_CHECK(t[i].name, (f->present & t[i].present) == t[i].present);
        NFL_CHECK(t[i].name, (f->present & t[i].absent) == 0);
        nfl_parser_free(parser);
    }
}

static void interfaces_follow_their_format(void)
{
    static const struct {
        const char *name;
        uint32_t sent;
        int present;
        uint32_t value;
    } t[] = {
        {"an index", 7, 1, 7},
        {"unknown", 0, 0, 0},
        {"the agent itself", 0x3fffffff, 1, 0x3fffffff},
        {"discarded", 0x40000102, 0, 0},
        {"multiple", 0x80000003, 0, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (int expanded = 0; expanded < 2; expanded++) {
            nfl_parser *parser = new_parser(NULL);
            static test_datagram d;
            outcome out;
            start(&d, 1, 1);
            test_sample(&d, expanded ? 3 : 1);
            test_bytes(&d, expanded
                               ? "00000001 00000000 00000005 00000001 00000001 00000000 00000000 00000001"
                               : "00000001 00000005 00000001 00000001 00000000 00000001");
            if (expanded)
                test_number(&d, t[i].sent >> 30, 4);
            test_number(&d, expanded ? t[i].sent & 0x3fffffff : t[i].sent, 4);
            test_number(&d, 1, 4);
            test_bytes(&d, SAMPLED_IPV4);
            test_sample(&d, 0);
            feed(parser, &d, &out);
            NFL_CHECK(t[i].name, out.flow_count == 1 && out.flows[0].in_if == 1);
            NFL_CHECK(t[i].name, has(&out.flows[0], NFL_FIELD_OUT_IF) == t[i].present);
            NFL_CHECK(t[i].name, out.flows[0].out_if == t[i].value);
            nfl_parser_free(parser);
        }
}

/* Flows, counters, a discard and something unknown in one datagram. */
static void mixed_datagram(test_datagram *d, uint32_t sequence)
{
    start(d, sequence, 5);
    flow_sample(d, 2, RAW_HEADER SWITCH);
    test_sample(d, 2);
    test_bytes(d, "00000004 02000005 00000001 " COUNTERS);
    test_sample(d, 5);
    test_bytes(d, "00000002 00000000 00000001 00000100 00000001 00000002 00000106 00000001 "
                  "0000040e 0000000a 00000006 666f6f626172");
    test_sample(d, 0x12345007);
    test_bytes(d, "cafe");
    flow_sample(d, 1, SAMPLED_IPV6);
    test_sample(d, 0);
}

static void samples_are_events(void)
{
    nfl_parser *parser = new_parser(NULL);
    static test_datagram d;
    const nfl_event *event;
    nfl_record_field record;
    mixed_datagram(&d, 77);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, NOW, d.bytes, d.len, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(event->kind == NFL_EVENT_HEADER && event->version == NFL_VERSION_SFLOW5 && !event->sample);
    CU_ASSERT(event->header->agent.b[15] == 100 && event->header->samples == 5 && event->header->domain == 3);
    CU_ASSERT(event->header->sequence == 77 && event->header->uptime_ms == 60000);

    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(event->kind == NFL_EVENT_SAMPLE && event->flow && event->field_count == 2);
    CU_ASSERT(event->sample->format == 1 && event->sample->sequence == 9 && event->sample->pool == 65536);
    CU_ASSERT(event->sample->source_index == 5 && event->sample->drops == 1 && event->sample->output == 6);
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 1, &record), NFL_OK);
    CU_ASSERT(record.pen == 0 && record.id == 1001 && record.len == 16 && record.data[3] == 100);
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 2, &record), NFL_DONE);
    CU_ASSERT(nfl_parser_element(parser, 0, 1001, &record) == NFL_OK && record.len == 16);
    CU_ASSERT_EQUAL(nfl_parser_element(parser, 0, 1002, &record), NFL_DONE);

    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(!event->flow && event->sample->format == 2 && event->sample->sequence == 4);
    CU_ASSERT(event->sample->source_class == 2 && event->sample->source_index == 5);
    CU_ASSERT(nfl_parser_field(parser, 0, &record) == NFL_OK && record.id == 2 && record.sent_len == 24);

    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(!event->flow && event->sample->format == 5 && event->sample->reason == 262);
    CU_ASSERT(event->sample->drops == 256 && event->sample->input == 1 && event->sample->output == 2);
    CU_ASSERT(nfl_parser_field(parser, 0, &record) == NFL_OK && record.id == 1038 && record.len == 10);

    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(event->sample->enterprise == 0x12345 && event->sample->format == 7 && event->len == 10);
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 0, &record), NFL_DONE);

    CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    CU_ASSERT(event->flow && event->flow->proto == 6);
    CU_ASSERT_EQUAL(nfl_parser_next_event(parser, &event, NULL), NFL_DONE);
    CU_ASSERT(stats_of(parser).flows == 2 && stats_of(parser).other_records == 3);
    CU_ASSERT_EQUAL(stats_of(parser).bad_sets, 0);
    nfl_parser_free(parser);
}

/* What is wrong in one sample leaves the others alone. */
static void counter_samples_name_interfaces(void)
{
    static const struct {
        const char *name;
        uint32_t format;
        const char *sample;
        uint32_t interface; /* 0 = none is named */
        const char *wanted;
    } t[] = {
        {"by its data source", 2, "00000001 00000003 00000001 000003ed 00000008 00000004 65746830", 3, "eth0"},
        {"by its index in the counters", 2,
         "00000001 00000003 00000002 000003ed 00000008 00000004 65746830 00000001 00000004 0000000b", 11, "eth0"},
        {"expanded", 4, "00000001 00000000 00000009 00000001 000003ed 00000008 00000003 65746800", 9, "eth"},
        {"a VLAN is no interface", 2, "00000001 01000003 00000001 000003ed 00000008 00000004 65746830", 0, ""},
        {"of an enterprise", 2, "00000001 00000003 00000001 000013ed 00000008 00000004 65746830", 0, ""},
        {"a name that is cut", 2, "00000001 00000003 00000001 000003ed 00000008 00000005 65746830", 0, ""},
        {"a length beyond all", 2, "00000001 00000003 00000001 000003ed 00000004 ffffffff", 0, ""},
        {"no length", 2, "00000001 00000003 00000001 000003ed 00000000", 0, ""},
        {"in a flow sample", 1,
         "00000001 00000003 00000001 00000001 00000000 00000000 00000000 00000001 000003ed 00000008 00000004 65746830", 0,
         ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static test_datagram d;
        outcome out;
        nfl_parser *parser = new_parser(NULL);
        nfl_name name = {.struct_size = sizeof name};
        start(&d, 1, 1);
        test_sample(&d, t[i].format);
        test_bytes(&d, t[i].sample);
        test_sample(&d, 0);
        feed(parser, &d, &out);
        NFL_CHECK(t[i].name, (nfl_parser_domain_name(parser, 0, 0, &name) == NFL_OK) == (t[i].interface != 0));
        if (t[i].interface) {
            NFL_CHECK(t[i].name, name.kind == NFL_NAME_INTERFACE && name.version == NFL_VERSION_SFLOW5);
            NFL_CHECK(t[i].name, name.id == t[i].interface && strcmp(name.name, t[i].wanted) == 0);
            NFL_CHECK(t[i].name, nfl_parser_name(parser, &exporter, NFL_VERSION_SFLOW5, 99, NFL_NAME_INTERFACE,
                                                 t[i].interface, &name) == NFL_OK);
        }
        nfl_parser_free(parser);
    }
}

static void faults_stay_where_they_are(void)
{
    static const struct {
        const char *name;
        uint32_t format;
        const char *content;
        size_t flows, errors, bad;
    } t[] = {
        {"a header too short", 1, "00000009 00000005", 1, 1, 1},
        {"an empty flow sample", 1, "", 1, 1, 1},
        {"no records", 1, "00000009 00000005 00000001 00000001 00000000 00000001 00000002 00000000", 1, 0, 0},
        {"more records than there are", 1,
         "00000009 00000005 00000001 00000001 00000000 00000001 00000002 ffffffff " SAMPLED_IPV4, 2, 0, 1},
        {"a record longer than the sample", 1,
         "00000009 00000005 00000001 00000001 00000000 00000001 00000002 00000001 00000003 ffffffff 00000001",
         1, 0, 1},
        {"counters cut in the header", 4, "00000009 00000005", 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(NULL);
        static test_datagram d;
        outcome out;
        start(&d, 1, 2);
        test_sample(&d, t[i].format);
        test_bytes(&d, t[i].content);
        flow_sample(&d, 1, SAMPLED_IPV4);
        test_sample(&d, 0);
        feed(parser, &d, &out);
        NFL_CHECK(t[i].name, out.flow_count == t[i].flows);
        NFL_CHECK(t[i].name, out.errors == t[i].errors);
        NFL_CHECK(t[i].name, stats_of(parser).bad_sets == t[i].bad);
        nfl_parser_free(parser);
    }
}

static void headers_are_checked(void)
{
    static const struct {
        const char *name;
        const char *agent;
        nfl_status want;
        size_t flows;
    } t[] = {
        {"an agent without address", "00000000", NFL_OK, 1},
        {"an agent with IPv6", "00000002 20010db8000000000000000000000001", NFL_OK, 1},
        {"an agent of unknown kind", "00000003 00000000", NFL_E_FORMAT, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(NULL);
        static test_datagram d;
        outcome out;
        test_sflow(&d, t[i].agent, 3, 1, 1);
        flow_sample(&d, 1, SAMPLED_IPV4);
        test_sample(&d, 0);
        feed(parser, &d, &out);
        NFL_CHECK(t[i].name, out.last_error == t[i].want && out.flow_count == t[i].flows);
        nfl_parser_free(parser);
    }
}

static void loss_is_counted_per_agent(void)
{
    static const struct {
        const char *agent;
        uint32_t sub_agent, sequence;
        uint64_t lost;
    } t[] = {
        {"00000001 c0000264", 3, 10, 0},  {"00000001 c0000264", 3, 11, 0},  {"00000001 c0000264", 3, 15, 3},
        {"00000001 c0000264", 4, 99, 3},  {"00000001 c0000264", 3, 13, 2},  {"00000001 c0000264", 4, 101, 3},
        {"00000001 c0000265", 4, 500, 3}, {"00000001 c0000264", 4, 102, 3},
    };
    nfl_parser *parser = new_parser(NULL);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static test_datagram d;
        outcome out;
        test_sflow(&d, t[i].agent, t[i].sub_agent, t[i].sequence, 1);
        flow_sample(&d, 1, SAMPLED_IPV4);
        test_sample(&d, 0);
        feed_bytes(parser, d.bytes, d.len, NOW + (nfl_usec)i * SECOND, &out);
        NFL_CHECK(t[i].agent, stats_of(parser).lost_datagrams == t[i].lost);
    }
    CU_ASSERT(stats_of(parser).late_datagrams == 1 && stats_of(parser).domains == 2);
    nfl_parser_free(parser);
}

static void cut_datagrams_give_what_is_complete(void)
{
    static test_datagram d;
    mixed_datagram(&d, 1);
    for (size_t len = 0; len < d.len; len++) {
        nfl_parser *parser = new_parser(NULL);
        outcome out;
        feed_bytes(parser, d.bytes, len, NOW, &out);
        CU_ASSERT_EQUAL(out.errors, 1);
        CU_ASSERT(out.last_error == NFL_E_TRUNCATED || (len < 4 && out.last_error == NFL_E_UNSUPPORTED));
        CU_ASSERT_EQUAL(out.flow_count, len >= 172);
        nfl_parser_free(parser);
    }
}

static void flipped_bits_are_survived(void)
{
    static test_datagram d;
    nfl_parser *parser = new_parser(NULL);
    outcome out;
    mixed_datagram(&d, 1);
    for (size_t bit = 32; bit < d.len * 8; bit++) { /* behind the version */
        d.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        feed(parser, &d, &out);
        d.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CU_ASSERT(out.flow_count <= 2 && out.errors <= 5);
    }
    nfl_parser_free(parser);
}

static nfl_status allocation_scenario(const nfl_alloc *alloc, void *ctx)
{
    static test_datagram d;
    (void)ctx;
    NFL_OPTS(nfl_parser_opts, opts, .alloc = alloc);
    nfl_parser *parser = NULL;
    nfl_status status = nfl_parser_new(&opts, &parser, NULL);
    if (status < 0)
        return status;
    outcome out;
    mixed_datagram(&d, 1);
    feed(parser, &d, &out);
    nfl_parser_free(parser);
    return out.errors ? out.last_error : NFL_OK;
}

static void allocation_failures_leak_nothing(void)
{
    /* two arrays ask for less when they do not get as much as they want */
    CU_ASSERT(test_allocation_failures(allocation_scenario, NULL, 2) > 2);
}

static void steady_state_allocates_nothing(void)
{
    static test_datagram d;
    test_allocator t;
    test_allocator_init(&t, -1, 0);
    nfl_parser *parser = new_parser(&t.alloc);
    outcome out;
    long before = 0;
    for (uint32_t i = 0; i < 100; i++) {
        mixed_datagram(&d, i);
        feed(parser, &d, &out);
        CU_ASSERT_EQUAL(out.flow_count, 2);
        if (i == 0)
            before = t.requests;
    }
    CU_ASSERT_EQUAL(t.requests, before);
    nfl_parser_free(parser);
    CU_ASSERT_EQUAL(t.live, 0);
}

NFL_SUITE("sflow", {"a flow sample is a flow", a_flow_sample_is_a_flow},
          {"records become flows", records_become_flows},
          {"interfaces follow their format", interfaces_follow_their_format},
          {"samples are events", samples_are_events},
          {"counter samples name interfaces", counter_samples_name_interfaces},
          {"faults stay where they are", faults_stay_where_they_are},
          {"headers are checked", headers_are_checked},
          {"loss is counted per agent", loss_is_counted_per_agent},
          {"cut datagrams give what is complete", cut_datagrams_give_what_is_complete},
          {"flipped bits are survived", flipped_bits_are_survived},
          {"allocation failures leak nothing", allocation_failures_leak_nothing},
          {"steady state allocates nothing", steady_state_allocates_nothing})

#include <CUnit/Basic.h>
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000) /* 6b043d80 seconds */
#define SECOND INT64_C(1000000)

static nfl_encoder *encoder_make(const nfl_encoder_opts *opts)
{
    nfl_encoder *encoder = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(opts, &encoder, NULL), NFL_OK);
    return encoder;
}

/* 192.0.2.1:5000 > 192.0.2.2:53, UDP, 2 packets of 100 bytes in all, from START for a second. */
static nfl_flow plain_flow(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = START, .last_us = START + SECOND, .bytes = 100, .packets = 2,
                     .flows = 1, .src_port = 5000, .dst_port = 53, .proto = 17};
    flow.src = nfl_ip_from_v4(0xc0000201);
    flow.dst = nfl_ip_from_v4(0xc0000202);
    flow.present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) |
                   NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_SRC_PORT) |
                   NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO);
    return flow;
}

static nfl_flow v6_flow(void)
{
    nfl_flow flow = plain_flow();
    flow.src = (nfl_ip){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    flow.dst = (nfl_ip){{0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
    return flow;
}

static nfl_status add(nfl_encoder *encoder, const nfl_flow *flow)
{
    nfl_error err;
    return nfl_encoder_add(encoder, flow, START + 10 * SECOND, &err);
}

static const uint8_t *take(nfl_encoder *encoder, size_t *len)
{
    const uint8_t *data = nfl_encoder_take(encoder, START + 10 * SECOND, len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    return data;
}

static unsigned number(const uint8_t *data, size_t at, size_t len)
{
    unsigned value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | data[at + i];
    return value;
}

/* --- bytes --- */

static void check_bytes(const char *name, nfl_encoder *encoder, const char *hex)
{
    size_t len, want_len;
    const uint8_t *data = take(encoder, &len);
    uint8_t *want = test_hex(hex, &want_len);
    NFL_CHECK(name, len == want_len);
    for (size_t i = 0; i < len && i < want_len; i++)
        if (data[i] != want[i]) {
            printf("\n    %s: byte %zu is %02x, expected %02x\n", name, i, data[i], want[i]);
            CU_FAIL("bytes differ");
            break;
        }
    free(want);
    nfl_encoder_free(encoder);
}

static void test_each_version_is_written_byte_by_byte(void)
{
    nfl_flow flow = plain_flow();
    NFL_OPTS(nfl_encoder_opts, v5, .version = 5, .domain = 0x0102, .sampling = 100, .boot_us = START - 60 * SECOND);
    nfl_encoder *encoder = encoder_make(&v5);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("v5", encoder,
                "0005 0001 00011170 6b043d8a 00000000 00000000 0102 4064"
                "c0000201 c0000202 00000000 0000 0000 00000002 00000064 0000ea60 0000ee48 1388 0035 00 00 11 00"
                "0000 0000 00 00 0000");
    NFL_OPTS(nfl_encoder_opts, v9, .version = 9, .domain = 7, .boot_us = START - 60 * SECOND);
    encoder = encoder_make(&v9);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("v9", encoder,
                "0009 0002 00011170 6b043d8a 00000000 00000007"
                "0000 002c 0100 0009 00160004 00150004 00010008 00020008 00080004 000c0004 00070002 000b0002 00040001"
                "0100 002c 0000ea60 0000ee48 0000000000000064 0000000000000002 c0000201 c0000202 1388 0035 11 000000");
    NFL_OPTS(nfl_encoder_opts, ipfix, .domain = 7);
    encoder = encoder_make(&ipfix);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("IPFIX", encoder,
                "000a 0070 6b043d8a 00000000 00000007"
                "0002 002c 0100 0009 00980008 00990008 00010008 00020008 00080004 000c0004 00070002 000b0002 00040001"
                "0100 0034 000001a208903c00 000001a208903fe8 0000000000000064 0000000000000002 c0000201 c0000202"
                "1388 0035 11 000000");
}

/* RFC 7011 6.1.9: element 154, NTP format, the last 11 bits 0. */
static void test_microseconds_are_sent_when_a_flow_needs_them(void)
{
    nfl_flow flow = plain_flow();
    flow.first_us++;
    flow.present = NFL_HAS(NFL_FIELD_FIRST);
    nfl_encoder *encoder = encoder_make(NULL);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("microseconds", encoder,
                "000a 0028 6b043d8a 00000000 00000000 0002 000c 0100 0001 009a0008 0100 000c eeaebc00 00001800");
}

/* RFC 5103: elements of the answers carry the reverse PEN. */
static void test_enterprise_elements_carry_their_number(void)
{
    nfl_flow flow = plain_flow();
    flow.reverse_packets = 3;
    flow.present = NFL_HAS(NFL_FIELD_REVERSE_PACKETS);
    nfl_encoder *encoder = encoder_make(NULL);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("reverse packets", encoder,
                "000a 002c 6b043d8a 00000000 00000000 0002 0010 0100 0001 80020008 00007279 0100 000c 0000000000000003");
}

/* RFC 3032 2.1: a label is followed by three bits of class and one that says "bottom of stack". */
static void test_fields_of_ipv6_and_labels_take_their_own_form(void)
{
    nfl_flow flow = v6_flow();
    flow.icmp_type = 128;
    flow.icmp_code = 1;
    flow.src_mask = 64;
    flow.dst_mask = 48;
    flow.mpls_label = 0x12345;
    flow.present = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE) |
                   NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK) | NFL_HAS(NFL_FIELD_MPLS_LABEL);
    nfl_encoder *encoder = encoder_make(NULL);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("IPv6", encoder,
                "000a 0060 6b043d8a 00000000 00000000"
                "0002 0024 0100 0007 001b0010 001c0010 00b20001 00b30001 001d0001 001e0001 00460003"
                "0100 002c 20010db8000000000000000000000001 20010db8000000000000000000000002 80 01 40 30 123451 00");
}

/* --- what the parser reads --- */

typedef struct reader {
    nfl_parser *parser;
    nfl_flow flows[4096];
    size_t count;
} reader;

static reader *reader_new(void)
{
    reader *r = calloc(1, sizeof *r);
    if (!r || nfl_parser_new(NULL, &r->parser, NULL) != NFL_OK)
        abort();
    return r;
}

static void reader_feed(reader *r, const uint8_t *data, size_t len)
{
    nfl_ip exporter = nfl_ip_from_v4(0xcb007109);
    uint8_t *copy = test_exact(data, len);
    nfl_status status = nfl_parser_feed(r->parser, &exporter, START + 11 * SECOND, copy, len, NULL);
    CU_ASSERT_EQUAL(status, NFL_OK);
    const nfl_flow *flow;
    while (status == NFL_OK && (status = nfl_parser_next(r->parser, &flow, NULL)) != NFL_DONE) {
        CU_ASSERT_EQUAL_FATAL(status, NFL_OK);
        if (r->count < sizeof r->flows / sizeof *r->flows)
            r->flows[r->count++] = *flow;
    }
    free(copy);
}

static nfl_parser_stats reader_stats(const reader *r)
{
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(r->parser, &stats);
    return stats;
}

static void reader_free(reader *r)
{
    nfl_parser_free(r->parser);
    free(r);
}

static void test_sequence_numbers_count_in_the_unit_of_their_version(void)
{
    static const struct {
        const char *name;
        uint32_t version;
        size_t sequence_at;
        unsigned want; /* of the third datagram, after two with 2 records each and options data */
    } rows[] = {{"v5 counts flows", 5, 16, 4}, {"v9 counts datagrams", 9, 12, 2}, {"IPFIX counts data records", 10, 8, 5}};
    nfl_flow flow = plain_flow();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = rows[i].version, .max_records = 3, .sampling = 10);
        nfl_encoder *encoder = encoder_make(&opts);
        reader *r = reader_new();
        size_t len;
        for (unsigned datagram = 0; datagram < 3; datagram++) {
            NFL_CHECK(rows[i].name, add(encoder, &flow) == NFL_OK);
            NFL_CHECK(rows[i].name, add(encoder, &flow) == NFL_OK);
            const uint8_t *data = take(encoder, &len);
            if (datagram == 2)
                NFL_CHECK(rows[i].name, number(data, rows[i].sequence_at, 4) == rows[i].want);
            reader_feed(r, data, len);
        }
        nfl_parser_stats stats = reader_stats(r);
        NFL_CHECK(rows[i].name, stats.lost_flows + stats.lost_datagrams + stats.lost_records + stats.late_datagrams == 0);
        NFL_CHECK(rows[i].name, stats.flows == 6 && stats.options_records == (rows[i].version == 5 ? 0 : 1));
        for (size_t n = 0; n < r->count; n++)
            NFL_CHECK(rows[i].name, r->flows[n].sampling == 10);
        reader_free(r);
        nfl_encoder_free(encoder);
    }
}

static void test_templates_and_options_are_sent_again(void)
{
    for (uint32_t version = 9; version <= 10; version++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = version, .template_every = 3, .sampling = 10);
        nfl_encoder *encoder = encoder_make(&opts);
        reader *r = reader_new();
        nfl_flow flow = plain_flow();
        for (unsigned datagram = 0; datagram < 7; datagram++) {
            size_t len;
            CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
            const uint8_t *data = take(encoder, &len);
            reader_feed(r, data, len);
            nfl_parser_stats stats = reader_stats(r);
            CU_ASSERT_EQUAL(stats.templates, 2 * (datagram / 3 + 1));
            CU_ASSERT_EQUAL(stats.options_records, datagram / 3 + 1);
        }
        reader_free(r);
        nfl_encoder_free(encoder);
    }
}

static void test_families_and_combinations_have_their_own_templates(void)
{
    for (uint32_t version = 9; version <= 10; version++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = version);
        nfl_encoder *encoder = encoder_make(&opts);
        reader *r = reader_new();
        nfl_flow v4 = plain_flow(), v6 = v6_flow(), masked = v6_flow();
        masked.src_mask = 64;
        masked.present |= NFL_HAS(NFL_FIELD_SRC_MASK);
        const nfl_flow *order[] = {&v4, &v6, &masked, &v4, &v4, &v6};
        size_t len;
        for (size_t i = 0; i < 6; i++)
            CU_ASSERT_EQUAL(add(encoder, order[i]), NFL_OK);
        const uint8_t *data = take(encoder, &len);
        reader_feed(r, data, len);
        CU_ASSERT_EQUAL(reader_stats(r).templates, 3);
        CU_ASSERT_EQUAL_FATAL(r->count, 6);
        for (size_t i = 0; i < 6; i++) {
            CU_ASSERT_EQUAL(nfl_ip_compare(&r->flows[i].src, &order[i]->src), 0);
            CU_ASSERT_EQUAL(nfl_ip_compare(&r->flows[i].dst, &order[i]->dst), 0);
            CU_ASSERT_EQUAL(r->flows[i].src_mask, order[i]->src_mask);
            CU_ASSERT_EQUAL(r->flows[i].present & NFL_HAS(NFL_FIELD_SRC_MASK), order[i]->present & NFL_HAS(NFL_FIELD_SRC_MASK));
        }
        reader_free(r);
        nfl_encoder_free(encoder);
    }
}

static void test_only_the_fields_asked_for_are_sent(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .fields = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_VLAN));
    nfl_encoder *encoder = encoder_make(&opts);
    nfl_flow flow = plain_flow();
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("fields", encoder,
                "000a 0030 6b043d8a 00000000 00000000 0002 0010 0100 0002 00010008 00080004 0100 0010 0000000000000064 c0000201");
}

/* RFC 7011 3.3.1: three bytes of padding behind records of one byte would be three records. */
static void test_padding_is_never_taken_for_records(void)
{
    static const uint64_t fields[] = {NFL_HAS(NFL_FIELD_PROTO), NFL_HAS(NFL_FIELD_SRC_PORT),
                                      NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_SRC_PORT), NFL_HAS(NFL_FIELD_IN_IF),
                                      NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_IN_IF)};
    for (uint32_t version = 9; version <= 10; version++)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            for (size_t count = 1; count <= 8; count++) {
                NFL_OPTS(nfl_encoder_opts, opts, .version = version, .fields = fields[i]);
                nfl_encoder *encoder = encoder_make(&opts);
                reader *r = reader_new();
                nfl_flow flow = plain_flow();
                flow.in_if = 1;
                flow.present |= NFL_HAS(NFL_FIELD_IN_IF);
                for (size_t n = 0; n < count; n++)
                    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
                size_t len;
                const uint8_t *data = take(encoder, &len);
                reader_feed(r, data, len);
                CU_ASSERT_EQUAL(reader_stats(r).flows + reader_stats(r).other_records, count);
                reader_free(r);
                nfl_encoder_free(encoder);
            }
}

/* --- limits --- */

static void test_datagrams_keep_their_limits(void)
{
    static const struct {
        const char *name;
        uint32_t version, max_len, max_records;
        unsigned want; /* most records in a datagram */
    } rows[] = {
        {"v5 by version", 5, 0, 0, 28},       {"v5 with long datagrams", 5, 9000, 100, 30}, {"v5 by records", 5, 0, 7, 7},
        {"v9 by bytes", 9, 512, 0, 13},       {"v9 one at a time", 9, 0, 1, 1},             {"IPFIX by bytes", 10, 1400, 0, 30},
        {"IPFIX by records", 10, 9000, 20, 20}, {"IPFIX, longest", 10, 65535, 0, 1455},
    };
    nfl_flow flow = plain_flow();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = rows[i].version, .max_len = rows[i].max_len, .max_records = rows[i].max_records);
        nfl_encoder *encoder = encoder_make(&opts);
        reader *r = reader_new();
        size_t longest = 0, most = 0, len;
        for (unsigned n = 0; n < 4000; n++) {
            nfl_status status = add(encoder, &flow);
            if (status == NFL_PENDING) {
                size_t before = r->count;
                const uint8_t *data = take(encoder, &len);
                reader_feed(r, data, len);
                longest = len > longest ? len : longest;
                most = r->count - before > most ? r->count - before : most;
                status = add(encoder, &flow);
            }
            NFL_CHECK(rows[i].name, status == NFL_OK);
        }
        NFL_CHECK(rows[i].name, longest <= (rows[i].max_len ? rows[i].max_len : 1400));
        NFL_CHECK(rows[i].name, most == rows[i].want);
        if (most != rows[i].want)
            printf("    %zu records, %zu bytes\n", most, longest);
        reader_free(r);
        nfl_encoder_free(encoder);
    }
}

static void test_v5_carries_what_fits(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = 5, .sampling = 100000, .boot_us = START - 60 * SECOND);
    nfl_encoder *encoder = encoder_make(&opts);
    nfl_flow flow = plain_flow(), v6 = v6_flow(), next_hop = plain_flow();
    next_hop.next_hop = v6.src;
    next_hop.present |= NFL_HAS(NFL_FIELD_NEXT_HOP);
    CU_ASSERT_EQUAL(add(encoder, &v6), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(add(encoder, &next_hop), NFL_E_UNSUPPORTED);
    flow.bytes = UINT64_MAX;
    flow.packets = UINT64_C(1) << 32;
    flow.in_if = 65536;
    flow.src_as = 65536;
    flow.dst_as = 65535;
    flow.proto = 1;
    flow.icmp_type = 3;
    flow.icmp_code = 1;
    flow.tcp_flags = 0x1ff;
    flow.present |= NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE);
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK);
    check_bytes("v5", encoder,
                "0005 0001 00011170 6b043d8a 00000000 00000000 0000 7fff"
                "c0000201 c0000202 00000000 ffff 0000 ffffffff ffffffff 0000ea60 0000ee48 1388 0301 00 ff 01 00"
                "5ba0 ffff 00 00 0000");
}

static void test_options_out_of_range_are_refused(void)
{
    static const struct {
        const char *name;
        nfl_encoder_opts opts;
        nfl_status want;
    } rows[] = {
        {"version 7", {.struct_size = sizeof(nfl_encoder_opts), .version = 7}, NFL_E_UNSUPPORTED},
        {"too short", {.struct_size = sizeof(nfl_encoder_opts), .max_len = 511}, NFL_E_ARG},
        {"too long", {.struct_size = sizeof(nfl_encoder_opts), .max_len = 65536}, NFL_E_ARG},
        {"no struct_size", {.version = 9}, NFL_E_ARG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nfl_encoder *encoder = NULL;
        nfl_error err;
        NFL_CHECK(rows[i].name, nfl_encoder_new(&rows[i].opts, &encoder, &err) == rows[i].want);
        NFL_CHECK(rows[i].name, encoder == NULL && err.code == rows[i].want && err.message[0]);
    }
    nfl_encoder_free(NULL);
}

static void test_flows_that_cannot_be_carried_are_refused(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .max_len = 512, .sampling = 10);
    nfl_encoder *encoder = encoder_make(&opts);
    nfl_flow flow = plain_flow(), empty = plain_flow(), full = v6_flow();
    size_t len;
    empty.present = NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_EXPORTER);
    full.present = UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT);
    CU_ASSERT_EQUAL(add(encoder, &empty), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(add(encoder, &full), NFL_E_LIMIT);
    CU_ASSERT_PTR_NULL(nfl_encoder_take(encoder, START, &len));
    CU_ASSERT_EQUAL(add(encoder, &flow), NFL_OK); /* others still go */
    (void)take(encoder, &len);
    CU_ASSERT_PTR_NULL(nfl_encoder_take(encoder, START, &len));
    nfl_encoder_free(encoder);
}

static void test_combinations_of_fields_are_limited(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = 9, .max_len = 65535);
    nfl_encoder *encoder = encoder_make(&opts);
    reader *r = reader_new();
    nfl_flow flow = plain_flow();
    size_t len;
    for (uint64_t n = 0; n < 65; n++) {
        flow.present = NFL_HAS(NFL_FIELD_SRC) | n << NFL_FIELD_TOS;
        CU_ASSERT_EQUAL(add(encoder, &flow), n < 64 ? NFL_OK : NFL_E_LIMIT);
    }
    const uint8_t *data = take(encoder, &len);
    reader_feed(r, data, len);
    CU_ASSERT_EQUAL(r->count, 64);
    CU_ASSERT_EQUAL(reader_stats(r).templates, 64);
    reader_free(r);
    nfl_encoder_free(encoder);
}

/* --- memory --- */

static nfl_status encode(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    NFL_OPTS(nfl_encoder_opts, opts, .alloc = alloc, .version = 9, .sampling = 2);
    nfl_encoder *encoder = NULL;
    nfl_flow flow = plain_flow();
    nfl_status status = nfl_encoder_new(&opts, &encoder, NULL);
    if (status == NFL_OK)
        status = add(encoder, &flow);
    nfl_encoder_free(encoder);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(encode, NULL, 0), 3); /* all of them at creation */
}

NFL_SUITE("encoder", {"each version is written byte by byte", test_each_version_is_written_byte_by_byte},
          {"microseconds are sent when a flow needs them", test_microseconds_are_sent_when_a_flow_needs_them},
          {"enterprise elements carry their number", test_enterprise_elements_carry_their_number},
          {"fields of IPv6 and labels take their own form", test_fields_of_ipv6_and_labels_take_their_own_form},
          {"sequence numbers count in the unit of their version", test_sequence_numbers_count_in_the_unit_of_their_version},
          {"templates and options are sent again", test_templates_and_options_are_sent_again},
          {"families and combinations have their own templates", test_families_and_combinations_have_their_own_templates},
          {"only the fields asked for are sent", test_only_the_fields_asked_for_are_sent},
          {"padding is never taken for records", test_padding_is_never_taken_for_records},
          {"datagrams keep their limits", test_datagrams_keep_their_limits},
          {"v5 carries what fits", test_v5_carries_what_fits},
          {"options out of range are refused", test_options_out_of_range_are_refused},
          {"flows that cannot be carried are refused", test_flows_that_cannot_be_carried_are_refused},
          {"combinations of fields are limited", test_combinations_of_fields_are_limited},
          {"every allocation may fail", test_every_allocation_may_fail})

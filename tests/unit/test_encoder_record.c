#include <CUnit/Basic.h>
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000) /* 6b043d80 seconds */
#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

static nfl_encoder *encoder_make(const nfl_encoder_opts *opts)
{
    nfl_encoder *encoder = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(opts, &encoder, NULL), NFL_OK);
    return encoder;
}

static nfl_record_field value(uint32_t pen, uint16_t id, const char *text)
{
    return (nfl_record_field){.pen = pen, .id = id, .len = (uint32_t)strlen(text), .data = (const uint8_t *)text};
}

static void check_bytes(const char *name, nfl_encoder *encoder, const char *hex)
{
    size_t len, want_len;
    const uint8_t *data = nfl_encoder_take(encoder, START, &len);
    uint8_t *want = test_hex(hex, &want_len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
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

/* RFC 7011 section 7: one octet of length, or 255 and two. */
static void test_lengths_of_variable_elements_take_one_octet_or_three(void)
{
    static const nfl_template_field fields[] = {{0, 82, 65535}, {29305, 1, 2}};
    NFL_OPTS(nfl_encoder_opts, opts, .domain = 7);
    nfl_encoder *encoder = encoder_make(&opts);
    uint16_t id = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(encoder, fields, 2, 0, &id, NULL), NFL_OK);
    nfl_record_field values[] = {value(0, 82, "eth0"), value(29305, 1, "ab")};
    CU_ASSERT_EQUAL(nfl_encoder_add_record(encoder, id, values, 2, START, NULL), NFL_OK);
    values[0] = value(0, 82, "");
    CU_ASSERT_EQUAL(nfl_encoder_add_record(encoder, id, values, 2, START, NULL), NFL_OK);
    check_bytes("short", encoder,
                "000a 0034 6b043d80 00000000 00000007"
                "0002 0014 0141 0002 0052ffff 80010002 00007279"
                "0141 0010 04 65746830 6162 00 6162 0000");

    char text[300];
    memset(text, 'x', 255);
    text[255] = 0;
    encoder = encoder_make(&opts);
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(encoder, fields, 1, 0, &id, NULL), NFL_OK);
    values[0] = value(0, 82, text);
    CU_ASSERT_EQUAL(nfl_encoder_add_record(encoder, id, values, 1, START, NULL), NFL_OK);
    size_t len;
    const uint8_t *out = nfl_encoder_take(encoder, START, &len);
    CU_ASSERT_EQUAL(len, 16 + 12 + 4 + 3 + 255); /* no padding: a record may be one octet long */
    CU_ASSERT_EQUAL(memcmp(out + 32, "\xff\x00\xffx", 4), 0);
    nfl_encoder_free(encoder);
}

static void test_options_templates_have_the_form_of_their_version(void)
{
    static const nfl_template_field v9[] = {{0, 2, 4}, {0, 82, 4}}, ipfix[] = {{0, 10, 4}, {0, 82, 4}};
    for (uint32_t version = 9; version <= 10; version++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = version, .boot_us = START - 60 * SECOND);
        nfl_encoder *encoder = encoder_make(&opts);
        const nfl_template_field *fields = version == 9 ? v9 : ipfix;
        uint16_t id = 0;
        CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(encoder, fields, 2, 1, &id, NULL), NFL_OK);
        static const uint8_t interface[] = {0, 0, 0, 3};
        nfl_record_field values[] = {{.id = fields[0].id, .scope = 1, .len = 4, .data = interface}, value(0, 82, "eth0")};
        CU_ASSERT_EQUAL(nfl_encoder_add_record(encoder, id, values, 2, START, NULL), NFL_OK);
        if (version == 9)
            check_bytes("v9", encoder,
                        "0009 0002 0000ea60 6b043d80 00000000 00000000"
                        "0001 0014 0141 0004 0004 00020004 00520004 0000 0141 000c 00000003 65746830");
        else
            check_bytes("IPFIX", encoder,
                        "000a 0030 6b043d80 00000000 00000000"
                        "0003 0014 0141 0002 0001 000a0004 00520004 0000 0141 000c 00000003 65746830");
    }
}

static void test_templates_that_cannot_be_sent_are_refused(void)
{
    static const nfl_template_field plain = {0, 82, 4}, enterprise = {9, 82, 4}, variable = {0, 82, 65535}, empty = {0, 82, 0},
                                    beyond = {0, 32768, 4}, huge = {0, 82, 1300};
    static const struct {
        const char *name;
        uint32_t version;
        const nfl_template_field *field;
        uint32_t count, scope_count;
        nfl_status want;
    } rows[] = {
        {"v5", 5, &plain, 1, 0, NFL_E_UNSUPPORTED},
        {"enterprise in v9", 9, &enterprise, 1, 0, NFL_E_UNSUPPORTED},
        {"variable in v9", 9, &variable, 1, 0, NFL_E_UNSUPPORTED},
        {"id with enterprise bit", 10, &beyond, 1, 0, NFL_E_ARG},
        {"vendor type in v9", 9, &beyond, 1, 0, NFL_OK},
        {"no fields", 10, &plain, 0, 0, NFL_E_ARG},
        {"no bytes", 10, &empty, 1, 0, NFL_E_ARG},
        {"more scopes than fields", 10, &plain, 1, 2, NFL_E_ARG},
        {"all scope", 10, &plain, 1, 1, NFL_OK},
        {"record that fits", 10, &huge, 1, 0, NFL_OK},
        {"too many fields", 10, &plain, 1000000, 0, NFL_E_LIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = rows[i].version);
        nfl_encoder *encoder = encoder_make(&opts);
        uint16_t id = 0;
        nfl_error err = {0};
        NFL_CHECK(rows[i].name,
                  nfl_encoder_define(encoder, rows[i].field, rows[i].count, rows[i].scope_count, &id, &err) == rows[i].want);
        NFL_CHECK(rows[i].name, err.code == rows[i].want && (id != 0) == (rows[i].want == NFL_OK));
        nfl_encoder_free(encoder);
    }
}

static void test_templates_are_limited(void)
{
    static const nfl_template_field one = {0, 82, 4}, long_pair[] = {{0, 82, 1300}, {0, 83, 300}};
    nfl_encoder *encoder = encoder_make(NULL);
    uint16_t id;
    CU_ASSERT_EQUAL(nfl_encoder_define(encoder, long_pair, 2, 0, &id, NULL), NFL_E_LIMIT);
    for (unsigned i = 0; i < 65; i++)
        CU_ASSERT_EQUAL(nfl_encoder_define(encoder, &one, 1, 0, &id, NULL), i < 64 ? NFL_OK : NFL_E_LIMIT);
    nfl_encoder_free(encoder);
}

static void test_records_that_are_not_their_template_are_refused(void)
{
    static const nfl_template_field fields[] = {{0, 82, 65535}, {0, 4, 1}};
    nfl_encoder *encoder = encoder_make(NULL);
    uint16_t id = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(encoder, fields, 2, 0, &id, NULL), NFL_OK);
    char *text = malloc(2001);
    memset(text, 'x', 2000);
    text[2000] = 0;
    nfl_record_field good[] = {value(0, 82, "eth0"), value(0, 4, "a")}, other[] = {value(0, 83, "eth0"), value(0, 4, "a")},
                     pen[] = {value(9, 82, "eth0"), value(0, 4, "a")}, wide[] = {value(0, 82, "eth0"), value(0, 4, "ab")},
                     large[] = {value(0, 82, text), value(0, 4, "a")};
    const struct {
        const char *name;
        uint16_t id;
        const nfl_record_field *values;
        uint32_t count;
        nfl_status want;
    } rows[] = {
        {"another element", id, other, 2, NFL_E_ARG},    {"another enterprise", id, pen, 2, NFL_E_ARG},
        {"another length", id, wide, 2, NFL_E_ARG},      {"too few", id, good, 1, NFL_E_ARG},
        {"no template", (uint16_t)(id + 1), good, 2, NFL_E_ARG}, {"one of the flows'", 256, good, 2, NFL_E_ARG},
        {"longer than a datagram", id, large, 2, NFL_E_LIMIT}, {"good", id, good, 2, NFL_OK},
        {"longer than what is left", id, large, 2, NFL_PENDING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        NFL_CHECK(rows[i].name,
                  nfl_encoder_add_record(encoder, rows[i].id, rows[i].values, rows[i].count, START, NULL) == rows[i].want);
    free(text);
    nfl_encoder_free(encoder);
}

/* --- times and domains of flows, read by the parser --- */

static nfl_flow flow_at(nfl_usec first_us)
{
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = first_us, .last_us = first_us + SECOND, .bytes = 1};
    flow.src = nfl_ip_from_v4(0xc0000201);
    flow.exporter = nfl_ip_from_v4(0xc6336401);
    flow.domain = 99;
    flow.present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_BYTES) |
                   NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN);
    return flow;
}

/* Through encoder and parser at export time now_us. */
static nfl_flow travel(nfl_encoder *encoder, nfl_parser *parser, const nfl_flow *flow, nfl_usec now_us)
{
    static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9}};
    const nfl_flow *out = NULL;
    size_t len = 0;
    CU_ASSERT_EQUAL(nfl_encoder_add(encoder, flow, now_us, NULL), NFL_OK);
    const uint8_t *data = nfl_encoder_take(encoder, now_us, &len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, now_us, data, len, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_next(parser, &out, NULL), NFL_OK);
    return *out;
}

static void test_times_stay_right_for_years(void)
{
    for (uint32_t version = 5; version <= 9; version += 4) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = version, .boot_us = START - 60 * SECOND + 123456,
                 .template_every = 1);
        nfl_encoder *encoder = encoder_make(&opts);
        nfl_parser *parser = NULL;
        CU_ASSERT_EQUAL_FATAL(nfl_parser_new(NULL, &parser, NULL), NFL_OK);
        for (unsigned day = 0; day < 400; day++) {
            nfl_usec now_us = START + day * DAY + 987654; /* within a second: the headers' seconds are whole */
            nfl_flow sent = flow_at(START + day * DAY - 20 * SECOND + 111000), got = travel(encoder, parser, &sent, now_us);
            CU_ASSERT_EQUAL(got.first_us, sent.first_us);
            CU_ASSERT_EQUAL(got.last_us, sent.last_us);
        }
        nfl_parser_stats stats = {.struct_size = sizeof stats};
        nfl_parser_get_stats(parser, &stats);
        CU_ASSERT_EQUAL(stats.lost_flows + stats.lost_datagrams + stats.restarts, 0);
        nfl_parser_free(parser);
        nfl_encoder_free(encoder);
    }
}

/* The parser tells whom a datagram came from; what the record claims stays readable. */
static void test_exporter_and_domain_are_written_when_asked_for(void)
{
    static const uint8_t claim[] = {0xc6, 0x33, 0x64, 0x01}, domain[] = {0, 0, 0, 99};
    for (uint32_t version = 9; version <= 10; version++)
        for (int asked = 0; asked <= 1; asked++) {
            NFL_OPTS(nfl_encoder_opts, opts, .version = version, .domain = 7, .fields = asked ? UINT64_MAX : 0);
            nfl_encoder *encoder = encoder_make(&opts);
            nfl_parser *parser = NULL;
            CU_ASSERT_EQUAL_FATAL(nfl_parser_new(NULL, &parser, NULL), NFL_OK);
            nfl_flow sent = flow_at(START), got = travel(encoder, parser, &sent, START + 2 * SECOND);
            CU_ASSERT_EQUAL(got.domain, 7);
            nfl_record_field field;
            CU_ASSERT_EQUAL(nfl_parser_element(parser, 0, 130, &field), asked ? NFL_OK : NFL_DONE);
            CU_ASSERT(!asked || (field.len == 4 && memcmp(field.data, claim, 4) == 0));
            CU_ASSERT_EQUAL(nfl_parser_element(parser, 0, 149, &field), asked ? NFL_OK : NFL_DONE);
            CU_ASSERT(!asked || (field.len == 4 && memcmp(field.data, domain, 4) == 0));
            nfl_parser_free(parser);
            nfl_encoder_free(encoder);
        }
}

static void test_a_domain_that_v5_cannot_tell_is_refused(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = 5, .domain = 65536);
    nfl_encoder *encoder = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_encoder_new(&opts, &encoder, &err), NFL_E_ARG);
    CU_ASSERT_PTR_NULL(encoder);
    opts.domain = 65535;
    encoder = encoder_make(&opts);
    nfl_encoder_free(encoder);
}

static nfl_status define(const nfl_alloc *alloc, void *ctx)
{
    static const nfl_template_field field = {0, 82, 65535};
    (void)ctx;
    NFL_OPTS(nfl_encoder_opts, opts, .alloc = alloc);
    nfl_encoder *encoder = NULL;
    uint16_t id;
    nfl_record_field values[] = {value(0, 82, "eth0")};
    nfl_status status = nfl_encoder_new(&opts, &encoder, NULL);
    if (status == NFL_OK)
        status = nfl_encoder_define(encoder, &field, 1, 0, &id, NULL);
    if (status == NFL_OK)
        status = nfl_encoder_add_record(encoder, id, values, 1, START, NULL);
    nfl_encoder_free(encoder);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(define, NULL, 0), 4); /* creation, and the template */
}

NFL_SUITE("encoder_record",
          {"lengths of variable elements take one octet or three", test_lengths_of_variable_elements_take_one_octet_or_three},
          {"options templates have the form of their version", test_options_templates_have_the_form_of_their_version},
          {"templates that cannot be sent are refused", test_templates_that_cannot_be_sent_are_refused},
          {"templates are limited", test_templates_are_limited},
          {"records that are not their template are refused", test_records_that_are_not_their_template_are_refused},
          {"times stay right for years", test_times_stay_right_for_years},
          {"exporter and domain are written when asked for", test_exporter_and_domain_are_written_when_asked_for},
          {"a domain that v5 cannot tell is refused", test_a_domain_that_v5_cannot_tell_is_refused},
          {"every allocation may fail", test_every_allocation_may_fail})

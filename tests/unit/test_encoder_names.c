#include <CUnit/Basic.h>
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000)

static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

/* An encoder, and a parser that takes all it sends. */
typedef struct line {
    nfl_encoder *encoder;
    nfl_parser *parser;
    nfl_flow last; /* decoded */
    size_t flows, errors, datagrams;
} line;

static line line_open(uint32_t version)
{
    line l = {0};
    NFL_OPTS(nfl_encoder_opts, opts, .version = version, .domain = 7);
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(&opts, &l.encoder, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(NULL, &l.parser, NULL), NFL_OK);
    return l;
}

static void line_send(line *l)
{
    size_t len;
    const nfl_flow *flow;
    nfl_status status;
    const uint8_t *data = nfl_encoder_take(l->encoder, START, &len);
    if (!data)
        return;
    l->datagrams++;
    CU_ASSERT_EQUAL(nfl_parser_feed(l->parser, &exporter, START, data, len, NULL), NFL_OK);
    while ((status = nfl_parser_next(l->parser, &flow, NULL)) != NFL_DONE) {
        l->errors += status < 0;
        if (status == NFL_OK) {
            l->last = *flow;
            l->flows++;
        }
    }
}

static void line_close(line *l)
{
    CU_ASSERT_EQUAL(l->errors, 0);
    nfl_encoder_free(l->encoder);
    nfl_parser_free(l->parser);
}

static nfl_status line_name(line *l, uint32_t kind, uint64_t id, const char *name, const char *description)
{
    nfl_status status = nfl_encoder_add_name(l->encoder, kind, id, name, description, START, NULL);
    if (status != NFL_PENDING)
        return status;
    line_send(l);
    return nfl_encoder_add_name(l->encoder, kind, id, name, description, START, NULL);
}

static int line_knows(const line *l, uint32_t version, uint32_t kind, uint64_t id, const char *name,
                      const char *description)
{
    nfl_name found = {.struct_size = sizeof found};
    return nfl_parser_name(l->parser, &exporter, (uint16_t)version, 7, kind, id, &found) == NFL_OK &&
           strcmp(found.name, name) == 0 && strcmp(found.description, description) == 0;
}

static void names_come_back(void)
{
    static const struct {
        uint32_t kind;
        uint64_t id;
        const char *name, *description;
    } t[] = {
        {NFL_NAME_INTERFACE, 1, "eth0", "uplink to \xc3\xa9t\xc3\xa9"},
        {NFL_NAME_INTERFACE, UINT32_MAX, "eth1", ""},
        {NFL_NAME_INTERFACE, 3, "", "no name"},
        {NFL_NAME_VRF, 0x60000001, "red", ""},
        {NFL_NAME_VRF, 0, "default", ""},
        {NFL_NAME_APPLICATION, UINT64_C(13) << 56 | 453, "youtube", "video"},
        {NFL_NAME_APPLICATION, UINT64_C(0x1400304400012345), "own", ""},
        {NFL_NAME_SAMPLER, 5, "one in a hundred", ""},
    };
    for (uint32_t version = 9; version <= 10; version++) {
        line l = line_open(version);
        for (size_t i = 0; i < sizeof t / sizeof *t; i++)
            NFL_CHECK(t[i].name, line_name(&l, t[i].kind, t[i].id, t[i].name, t[i].description) == NFL_OK);
        line_send(&l);
        for (size_t i = 0; i < sizeof t / sizeof *t; i++)
            NFL_CHECK(t[i].name, line_knows(&l, version, t[i].kind, t[i].id, t[i].name, t[i].description));
        line_close(&l);
    }
}

/* A table of applications takes many datagrams; flows in between have its numbers. */
static void tables_go_along_with_flows(void)
{
    for (uint32_t version = 9; version <= 10; version++) {
        line l = line_open(version);
        char name[32];
        for (uint64_t i = 0; i < 1000; i++) {
            nfl_flow flow = {.struct_size = sizeof flow, .bytes = 1, .app_id = UINT64_C(13) << 56 | i,
                             .present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_APP_ID)};
            snprintf(name, sizeof name, "app-%u", (unsigned)i);
            CU_ASSERT_EQUAL(line_name(&l, NFL_NAME_APPLICATION, UINT64_C(13) << 56 | i, name, NULL), NFL_OK);
            while (i % 10 == 0 && nfl_encoder_add(l.encoder, &flow, START, NULL) == NFL_PENDING)
                line_send(&l);
        }
        line_send(&l);
        CU_ASSERT(l.datagrams > 10 && l.flows == 100);
        CU_ASSERT(line_knows(&l, version, NFL_NAME_APPLICATION, l.last.app_id, "app-990", ""));
        nfl_parser_stats stats = {.struct_size = sizeof stats};
        nfl_parser_get_stats(l.parser, &stats);
        CU_ASSERT(stats.options_records == 1000 && stats.dropped_names == 0);
        CU_ASSERT(stats.lost_datagrams + stats.lost_records + stats.late_datagrams + stats.duplicate_datagrams == 0);
        line_close(&l);
    }
}

static void long_names_are_cut_where_their_field_ends(void)
{
    char text[200], want[65];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    memcpy(text + 63, "\xc3\xa9", 2); /* a character over the end */
    memset(want, 'x', 63);
    want[63] = 0;
    line l = line_open(9);
    CU_ASSERT_EQUAL(line_name(&l, NFL_NAME_INTERFACE, 1, text, "d"), NFL_OK);
    line_send(&l);
    CU_ASSERT(line_knows(&l, 9, NFL_NAME_INTERFACE, 1, want, "d"));
    line_close(&l);
    l = line_open(10);
    CU_ASSERT_EQUAL(line_name(&l, NFL_NAME_INTERFACE, 1, text, "d"), NFL_OK);
    line_send(&l);
    CU_ASSERT(line_knows(&l, 10, NFL_NAME_INTERFACE, 1, text, "d"));
    line_close(&l);
}

static void what_cannot_be_told_is_refused(void)
{
    static char huge[3000];
    memset(huge, 'x', sizeof huge - 1);
    static const struct {
        const char *name;
        uint32_t version, kind;
        uint64_t id;
        const char *text, *description;
        nfl_status status;
    } t[] = {
        {"v5", 5, NFL_NAME_INTERFACE, 1, "a", "", NFL_E_UNSUPPORTED},
        {"no kind", 10, 0, 1, "a", "", NFL_E_ARG},
        {"a kind too many", 10, NFL_NAME_COUNT, 1, "a", "", NFL_E_ARG},
        {"an element", 10, NFL_NAME_ELEMENT, 1, "a", "", NFL_E_ARG},
        {"an interface of 33 bits", 10, NFL_NAME_INTERFACE, UINT64_C(1) << 32, "a", "", NFL_E_ARG},
        {"a v9 sampler of 33 bits", 9, NFL_NAME_SAMPLER, UINT64_C(1) << 32, "a", "", NFL_E_ARG},
        {"an IPFIX sampler of 33 bits", 10, NFL_NAME_SAMPLER, UINT64_C(1) << 32, "a", "", NFL_OK},
        {"a VRF's description", 10, NFL_NAME_VRF, 1, "a", "b", NFL_E_ARG},
        {"more than a datagram", 10, NFL_NAME_VRF, 1, huge, NULL, NFL_E_LIMIT},
        {"nothing", 10, NFL_NAME_VRF, 1, NULL, NULL, NFL_OK},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        line l = line_open(t[i].version);
        NFL_CHECK(t[i].name, line_name(&l, t[i].kind, t[i].id, t[i].text, t[i].description) == t[i].status);
        line_close(&l);
    }
}

/* A sampler with its rate is a record of the caller's own: flows that have its number have its rate. */
static void a_sampler_is_told_with_its_rate(void)
{
    static const nfl_template_field sampler[] = {{0, 302, 4}, {0, 304, 2}, {0, 305, 4}, {0, 306, 4}, {0, 335, 65535}};
    static const nfl_template_field sampled[] = {{0, 8, 4}, {0, 1, 4}, {0, 302, 4}};
    line l = line_open(10);
    uint16_t sampler_id = 0, sampled_id = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(l.encoder, sampler, 5, 1, &sampler_id, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(l.encoder, sampled, 3, 0, &sampled_id, NULL), NFL_OK);
    const nfl_record_field told[] = {
        {.id = 302, .len = 4, .data = (const uint8_t *)"\0\0\0\5"},
        {.id = 304, .len = 2, .data = (const uint8_t *)"\0\1"},
        {.id = 305, .len = 4, .data = (const uint8_t *)"\0\0\0\1"},
        {.id = 306, .len = 4, .data = (const uint8_t *)"\0\0\0\143"}, /* 1 taken, 99 not */
        {.id = 335, .len = 7, .data = (const uint8_t *)"percent"},
    };
    const nfl_record_field flow[] = {
        {.id = 8, .len = 4, .data = (const uint8_t *)"\12\0\0\1"},
        {.id = 1, .len = 4, .data = (const uint8_t *)"\0\0\0\144"},
        {.id = 302, .len = 4, .data = (const uint8_t *)"\0\0\0\5"},
    };
    CU_ASSERT_EQUAL(nfl_encoder_add_record(l.encoder, sampler_id, told, 5, START, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_encoder_add_record(l.encoder, sampled_id, flow, 3, START, NULL), NFL_OK);
    line_send(&l);
    CU_ASSERT(l.flows == 1 && l.last.sampling == 100 && l.last.bytes == 100);
    CU_ASSERT(line_knows(&l, 10, NFL_NAME_SAMPLER, 5, "percent", ""));
    line_close(&l);
}

static nfl_status scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    NFL_OPTS(nfl_encoder_opts, opts, .alloc = alloc);
    nfl_encoder *encoder = NULL;
    nfl_status status = nfl_encoder_new(&opts, &encoder, NULL);
    for (uint32_t kind = 1; kind < NFL_NAME_ELEMENT && status == NFL_OK; kind++)
        status = nfl_encoder_add_name(encoder, kind, 1, "a", NULL, START, NULL);
    nfl_encoder_free(encoder);
    return status;
}

static void allocation_failures_leak_nothing(void)
{
    CU_ASSERT(test_allocation_failures(scenario, NULL, 0) >= NFL_NAME_ELEMENT);
}

NFL_SUITE("encoder names", {"names come back", names_come_back},
          {"tables go along with flows", tables_go_along_with_flows},
          {"long names are cut where their field ends", long_names_are_cut_where_their_field_ends},
          {"what cannot be told is refused", what_cannot_be_told_is_refused},
          {"a sampler is told with its rate", a_sampler_is_told_with_its_rate},
          {"allocation failures leak nothing", allocation_failures_leak_nothing})

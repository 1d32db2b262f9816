/* Law of the encoder's raw records: templates and values at random, data and options, come back octet by octet, with
 * their scopes and in their order. Structured elements (RFC 6313 basicList) among them travel as octets. */
#include <CUnit/Basic.h>
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000)

enum { TEMPLATES = 20, MAX_FIELDS = 12, RECORDS = 10000, QUEUE = 2048, VARIABLE = 65535, MAX_VALUE = 700, BASIC_LIST = 291 };

typedef struct shape {
    uint16_t id;
    uint32_t count, scope_count;
    nfl_template_field fields[MAX_FIELDS];
} shape;

typedef struct record {
    const shape *shape;
    nfl_record_field values[MAX_FIELDS];
    uint8_t *octets;
} record;

typedef struct run {
    nfl_encoder *encoder;
    nfl_parser *parser;
    shape shapes[TEMPLATES];
    record queue[QUEUE];
    size_t queued, compared;
} run;

/* basicList of u16 elements: semantic, element id, element length, values. */
static uint32_t random_list(test_random *r, uint8_t *out)
{
    uint32_t values = (uint32_t)test_below(r, 10);
    memcpy(out, "\x03\x00\x07\x00\x02", 5);
    for (uint32_t i = 0; i < 2 * values; i++)
        out[5 + i] = (uint8_t)test_next(r);
    return 5 + 2 * values;
}

static void random_shape(test_random *r, uint32_t version, shape *s)
{
    s->count = 1 + (uint32_t)test_below(r, MAX_FIELDS);
    s->scope_count = test_chance(r, 40) ? 1 + (uint32_t)test_below(r, s->count) : 0;
    for (uint32_t i = 0; i < s->count; i++) {
        nfl_template_field *field = &s->fields[i];
        /* An options record with element 160 is the boot time: it means something, but comes back like any other. */
        field->id = (uint16_t)(1 + test_below(r, 32767));
        field->len = (uint16_t)(1 + test_below(r, 20));
        if (version == 10 && test_chance(r, 30))
            field->pen = 1 + (uint32_t)test_below(r, 60000);
        if (version == 10 && test_chance(r, 40))
            field->len = VARIABLE;
        if (version == 10 && test_chance(r, 10))
            *field = (nfl_template_field){0, BASIC_LIST, VARIABLE};
        if (version == 9 && i < s->scope_count)
            field->id = (uint16_t)(1 + test_below(r, 5));
    }
}

static void random_record(test_random *r, const shape *s, record *out)
{
    *out = (record){.shape = s, .octets = malloc(MAX_FIELDS * MAX_VALUE)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(out->octets);
    for (uint32_t i = 0, at = 0; i < s->count; i++) {
        nfl_record_field *value = &out->values[i];
        *value = (nfl_record_field){.pen = s->fields[i].pen, .id = s->fields[i].id, .scope = i < s->scope_count};
        value->data = out->octets + at;
        value->len = s->fields[i].len != VARIABLE ? s->fields[i].len : (uint32_t)test_below(r, test_chance(r, 20) ? MAX_VALUE : 30);
        for (uint32_t j = 0; j < value->len; j++)
            out->octets[at + j] = (uint8_t)test_next(r);
        if (s->fields[i].id == BASIC_LIST && s->fields[i].len == VARIABLE)
            value->len = random_list(r, out->octets + at);
        at += value->len;
    }
}

static int same(const nfl_parser *parser, const nfl_event *event, const record *sent)
{
    const shape *s = sent->shape;
    if (event->template_id != s->id || event->kind != (s->scope_count ? NFL_EVENT_OPTIONS : NFL_EVENT_RECORD) ||
        event->scope_count != s->scope_count)
        return 0;
    nfl_record_field got;
    for (uint32_t i = 0; i < s->count; i++) {
        const nfl_record_field *want = &sent->values[i];
        if (nfl_parser_field(parser, i, &got) != NFL_OK || got.pen != want->pen || got.id != want->id ||
            got.scope != want->scope || got.len != want->len || memcmp(got.data, want->data, want->len) != 0)
            return 0;
    }
    return nfl_parser_field(parser, s->count, &got) == NFL_DONE;
}

static void turn_over(run *u)
{
    static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9}};
    size_t len, n = 0;
    const uint8_t *data = nfl_encoder_take(u->encoder, START, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    uint8_t *copy = test_exact(data, len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(u->parser, &exporter, START, copy, len, NULL), NFL_OK);
    const nfl_event *event;
    nfl_status status;
    while ((status = nfl_parser_next_event(u->parser, &event, NULL)) == NFL_OK)
        if (event->kind == NFL_EVENT_RECORD || event->kind == NFL_EVENT_OPTIONS) {
            CU_ASSERT_FATAL(n < u->queued);
            u->compared += (size_t)same(u->parser, event, &u->queue[n]);
            free(u->queue[n++].octets);
        }
    CU_ASSERT_EQUAL(status, NFL_DONE);
    CU_ASSERT_EQUAL(n, u->queued);
    u->queued = 0;
    free(copy);
}

static void start(run *u, test_random *r, uint32_t version)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = version, .template_every = 1 + (uint32_t)test_below(r, 30), .max_len = 65535);
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(&opts, &u->encoder, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(NULL, &u->parser, NULL), NFL_OK);
    for (size_t i = 0; i < TEMPLATES; i++) {
        shape *s = &u->shapes[i];
        random_shape(r, version, s);
        CU_ASSERT_EQUAL_FATAL(nfl_encoder_define(u->encoder, s->fields, s->count, s->scope_count, &s->id, NULL), NFL_OK);
    }
}

static void round_trip(uint32_t version)
{
    test_random r = {test_seed()};
    printf("(NFL_SEED=%llu) ", (unsigned long long)r.state);
    run *u = calloc(1, sizeof *u);
    CU_ASSERT_PTR_NOT_NULL_FATAL(u);
    start(u, &r, version);
    for (size_t n = 0; n < RECORDS; n++) {
        record one;
        random_record(&r, &u->shapes[test_below(&r, TEMPLATES)], &one);
        nfl_status status;
        while ((status = nfl_encoder_add_record(u->encoder, one.shape->id, one.values, one.shape->count, START, NULL)) ==
               NFL_PENDING)
            turn_over(u);
        CU_ASSERT_EQUAL_FATAL(status, NFL_OK);
        u->queue[u->queued++] = one;
        if (u->queued == QUEUE || test_chance(&r, 2))
            turn_over(u);
    }
    if (u->queued)
        turn_over(u);
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(u->parser, &stats);
    CU_ASSERT_EQUAL(u->compared, RECORDS);
    CU_ASSERT_EQUAL(stats.bad_sets + stats.unknown_sets + stats.lost_records + stats.lost_datagrams + stats.restarts, 0);
    nfl_encoder_free(u->encoder);
    nfl_parser_free(u->parser);
    free(u);
}

static void test_v9(void)
{
    round_trip(9);
}

static void test_ipfix(void)
{
    round_trip(10);
}

NFL_SUITE("record", {"records of any v9 template come back octet by octet", test_v9},
          {"records of any IPFIX template, variable lengths too, come back octet by octet", test_ipfix})

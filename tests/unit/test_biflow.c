#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "answers.h"
#include "column_source.h"
#include "query/biflow.h"
#include "query/exec.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795438800000000)
#define SECOND INT64_C(1000000)

enum { RECORDS = 4, MANY = 3000, A = 1, B = 2 };

/* A record of a case: zero means the usual. Times in seconds. */
typedef struct record {
    uint8_t src, dst; /* A or B; 0 = not sent */
    uint16_t src_port, dst_port;
    uint8_t proto, icmp_type, exporter, domain, sampling;
    int first, last, received;
    uint32_t packets, reverse_packets;
    uint16_t flags;
} record;

static nfl_flow make_flow(const record *r)
{
    nfl_flow flow;
    memset(&flow, 0, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.first_us = START + r->first * SECOND;
    flow.last_us = START + (r->last ? r->last : r->first) * SECOND;
    flow.received_us = START + (r->received ? r->received : 100) * SECOND;
    flow.flows = 1;
    flow.src = nfl_ip_from_v4(0x0a000000u + r->src);
    flow.dst = nfl_ip_from_v4(0x0a000000u + r->dst);
    flow.src_port = r->src_port;
    flow.dst_port = r->dst_port;
    flow.proto = r->proto ? r->proto : 6;
    flow.icmp_type = r->icmp_type;
    flow.exporter = nfl_ip_from_v4(0xc0000200u + r->exporter);
    flow.domain = r->domain;
    flow.sampling = r->sampling;
    flow.tcp_flags = r->flags;
    flow.packets = r->packets;
    flow.bytes = r->packets * 100;
    flow.reverse_packets = r->reverse_packets;
    flow.present = (r->src ? NFL_HAS(NFL_FIELD_SRC) : 0) | (r->dst ? NFL_HAS(NFL_FIELD_DST) : 0) | NFL_HAS(NFL_FIELD_SRC_PORT) |
                   NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_FIRST) |
                   NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SAMPLING) |
                   (r->flags ? NFL_HAS(NFL_FIELD_TCP_FLAGS) : 0) | (r->reverse_packets ? NFL_HAS(NFL_FIELD_REVERSE_PACKETS) : 0);
    return flow;
}

/* Packets and reverse packets of each row, in order: "5/3 2/0 4/-". */
static void describe(nfl_cursor *cursor, char *text, size_t room)
{
    size_t len = 0;
    text[0] = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
        nfl_value value = {.struct_size = sizeof value};
        nfl_cursor_get(cursor, 1, &value);
        len += (size_t)snprintf(text + len, room - len, "%s%llu/", len ? " " : "", (unsigned long long)nfl_cursor_u64(cursor, 0));
        len += (size_t)(value.present ? snprintf(text + len, room - len, "%llu", (unsigned long long)value.u64)
                                      : snprintf(text + len, room - len, "-"));
    }
}

static void test_halves_find_each_other(void)
{
    static const struct {
        const char *name;
        record records[RECORDS]; /* packets 0 ends the list */
        const char *expected;
    } cases[] = {
        {"question and answer are one", {{A, B, 5000, 443, .packets = 5}, {B, A, 443, 5000, .first = 1, .packets = 3}}, "5/3"},
        {"whoever comes first", {{B, A, 443, 5000, .first = 1, .packets = 3}, {A, B, 5000, 443, .packets = 5}}, "5/3"},
        {"of two that start together the higher port began",
         {{B, A, 443, 5000, .packets = 3}, {A, B, 5000, 443, .packets = 5}}, "5/3"},
        {"of two with the same port the lower address began",
         {{B, A, 123, 123, .packets = 3}, {A, B, 123, 123, .packets = 5}}, "5/3"},
        {"without an answer there are none", {{A, B, 5000, 443, .packets = 5}}, "5/0"},
        {"other ports are another conversation", {{A, B, 5000, 443, .packets = 5}, {B, A, 443, 5001, .packets = 3}}, "5/0 3/0"},
        {"the same direction is no answer", {{A, B, 7, 7, .packets = 5}, {A, B, 7, 7, .packets = 3}}, "5/0 3/0"},
        {"an exporter tells both halves", {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .exporter = 1, .packets = 3}}, "5/0 3/0"},
        {"a domain tells both halves", {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .domain = 1, .packets = 3}}, "5/0 3/0"},
        {"a protocol has its own ports", {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .proto = 17, .packets = 3}}, "5/0 3/0"},
        {"another sampling rate is another count", {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .sampling = 10, .packets = 3}}, "5/0 30/0"},
        {"no rate is a rate of 1", {{A, B, 5, 4, .first = -1, .packets = 5}, {B, A, 4, 5, .sampling = 1, .packets = 3}}, "5/3"},
        {"60 seconds apart is near",
         {{A, B, 5, 4, .last = 10, .packets = 5}, {B, A, 4, 5, .first = 70, .packets = 3}}, "5/3"},
        {"61 seconds are not",
         {{A, B, 5, 4, .last = 10, .packets = 5}, {B, A, 4, 5, .first = 71, .packets = 3}}, "5/0 3/0"},
        {"120 seconds of arrival are waited",
         {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .received = 220, .first = 1, .packets = 3}}, "5/3"},
        {"not 121", {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .received = 221, .first = 1, .packets = 3}}, "5/0 3/0"},
        {"an hour between starts is allowed",
         {{A, B, 5, 4, .last = 3700, .packets = 5}, {B, A, 4, 5, .first = 3600, .packets = 3}}, "5/3"},
        {"not more", {{A, B, 5, 4, .last = 3700, .packets = 5}, {B, A, 4, 5, .first = 3601, .packets = 3}}, "5/0 3/0"},
        {"the nearest start fits best",
         {{A, B, 5, 4, .packets = 5}, {A, B, 5, 4, .first = 30, .packets = 6}, {B, A, 4, 5, .first = 31, .packets = 3}}, "6/3 5/0"},
        {"of two as near the first to come",
         {{A, B, 5, 4, .packets = 5}, {A, B, 5, 4, .packets = 6}, {B, A, 4, 5, .first = 1, .packets = 3}}, "5/3 6/0"},
        {"pings and their answers",
         {{A, B, .proto = 1, .icmp_type = 8, .packets = 5}, {B, A, .proto = 1, .icmp_type = 0, .packets = 4}}, "5/4"},
        {"of two that start together the ping began",
         {{A, B, .proto = 58, .icmp_type = 129, .packets = 5}, {B, A, .proto = 58, .icmp_type = 128, .packets = 4}}, "4/5"},
        {"two pings are no conversation",
         {{A, B, .proto = 1, .icmp_type = 8, .packets = 5}, {B, A, .proto = 1, .icmp_type = 8, .packets = 4}}, "5/0 4/0"},
        {"unreachable is no answer to a ping",
         {{A, B, .proto = 1, .icmp_type = 8, .packets = 5}, {B, A, .proto = 1, .icmp_type = 3, .packets = 4}}, "4/0 5/0"},
        {"who talks to itself has no answer", {{A, A, 7, 7, .packets = 5}, {A, A, 7, 7, .packets = 4}}, "5/0 4/0"},
        {"biflows stay", {{A, B, 5, 4, .packets = 5, .reverse_packets = 9}, {B, A, 4, 5, .packets = 3}}, "5/9 3/0"},
        {"without an address nobody knows", {{A, 0, 5, 4, .packets = 5}, {0, A, 4, 5, .packets = 3}}, "5/- 3/-"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nfl_flow flows[RECORDS];
        char got[128];
        size_t count = 0;
        for (; count < RECORDS && cases[c].records[count].packets; count++)
            flows[count] = make_flow(&cases[c].records[count]);
        NFL_OPTS(nfl_query, query, .columns = "packets,reverse_packets", .flags = NFL_QUERY_BIFLOW);
        nfl_store *store = test_store_of(flows, count);
        nfl_cursor *cursor = NULL;
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
        describe(cursor, got, sizeof got);
        NFL_CHECK(cases[c].name, strcmp(got, cases[c].expected) == 0);
        if (strcmp(got, cases[c].expected) != 0)
            printf("    found %s, expected %s\n", got, cases[c].expected);
        nfl_cursor_free(cursor);
        nfl_store_free(store);
    }
}

static void test_a_biflow_has_the_initiators_fields_and_the_answers_counters(void)
{
    const record records[] = {{B, A, 443, 5000, .first = 1, .last = 9, .received = 110, .packets = 3, .flags = 0x12},
                              {A, B, 5000, 443, .last = 7, .packets = 5, .flags = 0x02}};
    const nfl_flow flows[] = {make_flow(&records[0]), make_flow(&records[1])};
    static const struct {
        const char *column;
        uint64_t value;
    } expected[] = {{"first", START}, {"last", START + 9 * SECOND}, {"received", START + 110 * SECOND}, {"src_port", 5000}, {"dst_port", 443},
                    {"bytes", 500}, {"packets", 5}, {"flows", 1}, {"tcp_flags", 2}, {"reverse_bytes", 300}, {"reverse_packets", 3},
                    {"reverse_tcp_flags", 0x12}, {"duration", 9 * SECOND}};
    nfl_store *store = test_store_of(flows, 2);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        NFL_OPTS(nfl_query, query, .columns = expected[i].column, .flags = NFL_QUERY_BIFLOW);
        nfl_cursor *cursor = NULL;
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
        NFL_CHECK(expected[i].column, nfl_cursor_u64(cursor, 0) == expected[i].value);
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
        nfl_cursor_free(cursor);
    }
    nfl_store_free(store);
}

static void test_windows_and_filters_look_at_biflows(void)
{
    static const record records[] = {{A, B, 5000, 443, .first = 10, .packets = 5},
                                     {B, A, 443, 5000, .first = 11, .packets = 3},
                                     {B, A, 6000, 22, .first = 20, .packets = 1}};
    static const struct {
        const char *filter;
        int from, to;
        const char *expected;
    } cases[] = {
        {NULL, 0, 0, "5/3 1/0"},          {"reverse_packets = 0", 0, 0, "1/0"}, {"reverse_packets > 2", 0, 0, "5/3"},
        {"src ip 10.0.0.1", 0, 0, "5/3"}, {"src ip 10.0.0.2", 0, 0, "1/0"},     {"dst port 443 and reverse_bytes > 0", 0, 0, "5/3"},
        {NULL, 11, 0, "1/0"},             {NULL, 0, 11, "5/3"},                 {NULL, 0, 10, ""},
    };
    nfl_flow flows[3];
    for (size_t i = 0; i < 3; i++)
        flows[i] = make_flow(&records[i]);
    nfl_store *store = test_store_of(flows, 3);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char got[128];
        nfl_cursor *cursor = NULL;
        NFL_OPTS(nfl_query, query, .columns = "packets,reverse_packets", .flags = NFL_QUERY_BIFLOW, .filter = cases[c].filter,
                 .from_us = cases[c].from ? START + cases[c].from * SECOND : 0, .to_us = cases[c].to ? START + cases[c].to * SECOND : 0);
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
        describe(cursor, got, sizeof got);
        NFL_CHECK(cases[c].filter ? cases[c].filter : "a window", strcmp(got, cases[c].expected) == 0);
        nfl_cursor_free(cursor);
    }
    nfl_store_free(store);
}

static void test_the_ninth_alike_makes_the_oldest_go_alone(void)
{
    nfl_flow flows[NFL__BIFLOW_ALIKE + 2];
    char got[256];
    nfl_cursor *cursor = NULL;
    NFL_OPTS(nfl_query, query, .columns = "packets,reverse_packets", .flags = NFL_QUERY_BIFLOW);
    for (int i = 0; i <= (int)NFL__BIFLOW_ALIKE; i++) {
        const record r = {A, B, 5, 4, .first = i, .packets = (uint32_t)(10 + i)};
        flows[i] = make_flow(&r);
    }
    const record answer = {B, A, 4, 5, .packets = 3}; /* nearest to the first, which is gone */
    flows[NFL__BIFLOW_ALIKE + 1] = make_flow(&answer);
    nfl_store *store = test_store_of(flows, NFL__BIFLOW_ALIKE + 2);
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    describe(cursor, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "10/0 3/11 12/0 13/0 14/0 15/0 16/0 17/0 18/0");
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* Hosts without answers, one a second if `seconds`, else all at once. */
static nfl_flow *many_flows(int seconds)
{
    nfl_flow *flows = calloc(MANY, sizeof *flows);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flows);
    for (int i = 0; i < MANY; i++) {
        const record r = {A, B, (uint16_t)(i + 1), 443, .packets = 1, .received = 100 + i * seconds};
        flows[i] = make_flow(&r);
    }
    return flows;
}

static void test_memory_is_a_matter_of_how_many_wait(void)
{
    for (int seconds = 0; seconds < 2; seconds++) {
        nfl_flow *flows = many_flows(seconds);
        nfl_store *store = test_store_of(flows, MANY);
        nfl_cursor *cursor = NULL;
        nfl_error err = {.code = 0};
        nfl_status status;
        uint64_t rows = 0;
        NFL_OPTS(nfl_query, query, .columns = "packets", .flags = NFL_QUERY_BIFLOW, .max_memory_bytes = 800000);
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, &err), NFL_OK);
        while ((status = nfl_cursor_next(cursor, &err)) == NFL_OK)
            rows++;
        CU_ASSERT_EQUAL(status, seconds ? NFL_DONE : NFL_E_LIMIT);
        CU_ASSERT(seconds ? rows == MANY : strstr(err.message, "records that wait for their answers") != NULL);
        nfl_cursor_free(cursor);
        nfl_store_free(store);
        free(flows);
    }
}

static void test_flags_that_exclude_each_other_are_refused(void)
{
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_BIFLOW | NFL_QUERY_UNIQUE);
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    nfl_error err = {.code = 0};
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, &err), NFL_E_ARG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "exclude each other"));
    nfl_store_free(store);
}

/* A store to which flows come whenever it is opened. */
static nfl_status open_growing(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out, nfl_error *err)
{
    test_columns *columns = self, blank;
    test_columns_init(&blank, columns->flows, 0, 1, 0);
    columns->count += 1;
    return blank.scannable.open(self, filter, fields, out, err);
}

static void test_a_second_reading_sees_the_same(void)
{
    const record records[] = {{A, B, 5, 4, .packets = 5}, {B, A, 4, 5, .first = 1, .packets = 3}};
    const nfl_flow flows[] = {make_flow(&records[0]), make_flow(&records[1])};
    test_columns columns;
    nfl__biflow *biflow = NULL;
    nfl__memory memory;
    const nfl_query query = {.struct_size = sizeof query};
    nfl__limits limits = {.cancel = NULL};
    nfl__memory_init(&memory, NULL, 0);
    test_columns_init(&columns, flows, 0, 1, 1);
    columns.scannable.open = open_growing; /* one at first, then both */
    CU_ASSERT_EQUAL_FATAL(nfl__biflow_new(&query, NULL, &memory, &limits, &biflow, NULL), NFL_OK);
    for (int reading = 0; reading < 2; reading++) {
        nfl__source *source = NULL;
        CU_ASSERT_EQUAL_FATAL(nfl__biflow_open(biflow, &columns.scannable, NFL_HAS(NFL_FIELD_PACKETS), &source, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_OK);
        CU_ASSERT_EQUAL(source->batch.rows, 1);
        CU_ASSERT_EQUAL(nfl__source_need(source, NFL_HAS(NFL_FIELD_REVERSE_PACKETS), NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl__column_u64(&source->batch.columns[NFL_FIELD_REVERSE_PACKETS], 0), 0);
        CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_DONE);
        source->ops->free(source);
    }
    nfl__biflow_free(biflow);
    CU_ASSERT_EQUAL(memory.held, 0);
}

/* One block of the result may take many of the store. */
static void test_it_can_be_cancelled_inside_of_a_block(void)
{
    const record one = {A, B, 5, 4, .packets = 5};
    const nfl_flow flow = make_flow(&one);
    int32_t cancel = 1;
    test_columns columns;
    nfl__biflow *biflow = NULL;
    nfl__source *source = NULL;
    nfl__memory memory;
    const nfl_query query = {.struct_size = sizeof query};
    nfl__limits limits = {.cancel = &cancel};
    nfl__memory_init(&memory, NULL, 0);
    test_columns_init(&columns, &flow, 1, 1, 1);
    CU_ASSERT_EQUAL_FATAL(nfl__biflow_new(&query, NULL, &memory, &limits, &biflow, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl__biflow_open(biflow, &columns.scannable, 0, &source, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_E_CANCELLED);
    source->ops->free(source);
    nfl__biflow_free(biflow);
}

static nfl_status ask(const nfl_alloc *alloc, void *ctx)
{
    NFL_OPTS(nfl_query, query, .columns = "packets", .order_by = "bytes", .flags = NFL_QUERY_BIFLOW, .from_us = START);
    uint64_t rows;
    nfl_status status = test_count_rows(alloc, ctx, 1500, &query, &rows);
    if (status == NFL_OK)
        CU_ASSERT_EQUAL(rows, 1500);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    nfl_flow *flows = many_flows(0);
    CU_ASSERT_EQUAL(ask(NULL, flows), NFL_OK);
    CU_ASSERT(test_allocation_failures(ask, flows, 20) > 20); /* arrays that grow ask for less once more */
    free(flows);
}

NFL_SUITE("biflow", {"halves find each other", test_halves_find_each_other},
          {"a biflow has the initiator's fields and the answer's counters", test_a_biflow_has_the_initiators_fields_and_the_answers_counters},
          {"windows and filters look at biflows", test_windows_and_filters_look_at_biflows},
          {"the ninth alike makes the oldest go alone", test_the_ninth_alike_makes_the_oldest_go_alone},
          {"memory is a matter of how many wait", test_memory_is_a_matter_of_how_many_wait},
          {"flags that exclude each other are refused", test_flags_that_exclude_each_other_are_refused},
          {"it can be cancelled inside of a block", test_it_can_be_cancelled_inside_of_a_block},
          {"a second reading sees the same", test_a_second_reading_sees_the_same},
          {"every allocation may fail", test_every_allocation_may_fail})

#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "answers.h"
#include "column_source.h"
#include "query/exec.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795438800000000) /* a full hour */
#define MINUTE INT64_C(60000000)

enum { RECORDS = 4, MANY = 4000 };

/* A record of a case: zero means the usual. */
typedef struct record {
    uint8_t exporter, domain, direction, dst, proto, icmp_type;
    uint16_t src_port, dst_port;
    uint32_t minute;
    uint32_t packets, bytes, sampling;
    uint8_t without_dst, without_ports, without_packets, counts;
} record;

static nfl_flow make_flow(const record *r, uint32_t number)
{
    nfl_flow flow;
    memset(&flow, 0, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.received_us = START + (nfl_usec)number;
    flow.first_us = START + r->minute * MINUTE;
    flow.flows = 1;
    flow.exporter = nfl_ip_from_v4(0xc0000200u + r->exporter);
    flow.domain = r->domain;
    flow.direction = r->direction;
    flow.src = nfl_ip_from_v4(0x0a000001);
    flow.dst = nfl_ip_from_v4(0x0a000002u + r->dst);
    flow.proto = r->proto ? r->proto : 6;
    flow.icmp_type = r->icmp_type;
    flow.src_port = r->src_port;
    flow.dst_port = r->dst_port;
    flow.packets = r->packets;
    flow.bytes = r->bytes ? r->bytes : 100;
    flow.sampling = r->sampling ? r->sampling : 1;
    flow.in_if = number;
    flow.present = NFL_HAS(NFL_FIELD_SRC) | (r->without_dst ? 0 : NFL_HAS(NFL_FIELD_DST)) | NFL_HAS(NFL_FIELD_PROTO) |
                   NFL_HAS(NFL_FIELD_BYTES) | (r->without_packets ? 0 : NFL_HAS(NFL_FIELD_PACKETS)) | NFL_HAS(NFL_FIELD_SAMPLING) |
                   NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_DIRECTION) |
                   (r->without_ports ? 0 : NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT)) |
                   (r->icmp_type ? NFL_HAS(NFL_FIELD_ICMP_TYPE) : 0);
    return flow;
}

static void test_of_each_conversation_and_hour_one_point_counts(void)
{
    static const struct {
        const char *name;
        record records[RECORDS]; /* packets 0 ends the list */
    } cases[] = {
        {"two routers saw the same", {{.exporter = 1, .packets = 5, .counts = 1}, {.exporter = 2, .packets = 5}}},
        {"one router exports what comes in and what goes out",
         {{.direction = 1, .packets = 5}, {.direction = 0, .packets = 5, .counts = 1}}},
        {"the point that saw more packets wins", {{.exporter = 1, .packets = 5}, {.exporter = 2, .packets = 6, .counts = 1}}},
        {"all parts of the better point count, none of the other's",
         {{.exporter = 1, .packets = 3, .counts = 1}, {.exporter = 2, .packets = 5}, {.exporter = 1, .minute = 30, .packets = 3, .counts = 1}}},
        {"bytes decide among as many packets",
         {{.exporter = 1, .packets = 5, .bytes = 10}, {.exporter = 2, .packets = 5, .bytes = 11, .counts = 1}}},
        {"the lower exporter wins a tie", {{.exporter = 9, .packets = 5}, {.exporter = 3, .domain = 7, .packets = 5, .counts = 1}}},
        {"the lower domain wins a tie",
         {{.domain = 2, .packets = 5}, {.domain = 1, .direction = 1, .packets = 5, .counts = 1}}},
        {"sampled packets count as many times",
         {{.exporter = 1, .packets = 5}, {.exporter = 2, .packets = 1, .sampling = 10, .counts = 1}}},
        {"a record without packets saw none",
         {{.exporter = 1, .packets = 5, .bytes = 900, .without_packets = 1}, {.exporter = 2, .packets = 1, .counts = 1}}},
        {"another hour is another matter",
         {{.exporter = 1, .minute = 59, .packets = 5, .counts = 1}, {.exporter = 2, .minute = 60, .packets = 4, .counts = 1}}},
        {"other ports are another conversation",
         {{.exporter = 1, .src_port = 1, .packets = 5, .counts = 1}, {.exporter = 2, .src_port = 2, .packets = 5, .counts = 1}}},
        {"a port is not the other one",
         {{.exporter = 1, .src_port = 7, .packets = 5, .counts = 1}, {.exporter = 2, .dst_port = 7, .packets = 5, .counts = 1}}},
        {"ports that were not sent are 0", {{.exporter = 1, .without_ports = 1, .packets = 5, .counts = 1}, {.exporter = 2, .packets = 4}}},
        {"ICMP is told apart by its type",
         {{.exporter = 1, .proto = 1, .icmp_type = 8, .packets = 5, .counts = 1}, {.exporter = 2, .proto = 1, .icmp_type = 3, .packets = 5, .counts = 1}}},
        {"ICMPv6 has no ports",
         {{.exporter = 1, .proto = 58, .icmp_type = 128, .dst_port = 9, .packets = 5, .counts = 1}, {.exporter = 2, .proto = 58, .icmp_type = 128, .packets = 5}}},
        {"TCP has no ICMP type",
         {{.exporter = 1, .icmp_type = 8, .packets = 5, .counts = 1}, {.exporter = 2, .packets = 5}}},
        {"without an address nobody knows",
         {{.exporter = 1, .without_dst = 1, .packets = 5, .counts = 1}, {.exporter = 2, .without_dst = 1, .packets = 5, .counts = 1}}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nfl_flow flows[RECORDS];
        uint32_t count = 0, expected = 0, got = 0;
        for (; count < RECORDS && cases[c].records[count].packets; count++) {
            flows[count] = make_flow(&cases[c].records[count], count);
            expected |= (uint32_t)cases[c].records[count].counts << count;
        }
        NFL_OPTS(nfl_query, query, .columns = "in_if", .flags = NFL_QUERY_UNIQUE);
        nfl_store *store = test_store_of(flows, count);
        nfl_cursor *cursor = NULL;
        nfl_query_stats stats = {.struct_size = sizeof stats};
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
        while (nfl_cursor_next(cursor, NULL) == NFL_OK)
            got |= 1u << nfl_cursor_u64(cursor, 0);
        nfl_cursor_get_stats(cursor, &stats);
        NFL_CHECK(cases[c].name, got == expected);
        NFL_CHECK(cases[c].name, stats.rows_matched + stats.rows_duplicate == count);
        NFL_CHECK(cases[c].name, stats.rows_matched == (uint32_t)__builtin_popcount(expected));
        nfl_cursor_free(cursor);
        nfl_store_free(store);
    }
}

static void test_a_filter_chooses_the_points(void)
{
    const record records[] = {{.exporter = 1, .packets = 5}, {.exporter = 2, .packets = 4}};
    const nfl_flow flows[] = {make_flow(&records[0], 0), make_flow(&records[1], 1)};
    NFL_OPTS(nfl_query, query, .columns = "packets", .filter = "exporter 192.0.2.2", .flags = NFL_QUERY_UNIQUE);
    nfl_store *store = test_store_of(flows, 2);
    nfl_cursor *cursor = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), 4);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* Unscaled answers are about the same records. */
static void test_points_are_compared_by_what_they_saw(void)
{
    const record records[] = {{.exporter = 1, .packets = 5}, {.exporter = 2, .packets = 1, .sampling = 10}};
    const nfl_flow flows[] = {make_flow(&records[0], 0), make_flow(&records[1], 1)};
    NFL_OPTS(nfl_query, query, .columns = "packets", .flags = NFL_QUERY_UNIQUE | NFL_QUERY_UNSCALED);
    nfl_store *store = test_store_of(flows, 2);
    nfl_cursor *cursor = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), 1);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static nfl_flow *many_flows(void)
{
    nfl_flow *flows = calloc(MANY, sizeof *flows);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flows);
    for (uint32_t i = 0; i < MANY; i++) {
        const record r = {.exporter = (uint8_t)(i % 2), .packets = 1, .src_port = (uint16_t)(i / 2)};
        flows[i] = make_flow(&r, i);
        flows[i].src.b[0] = i % 8 < 4 ? 0x20 : 0; /* half of them IPv6 */
        flows[i].src.b[12] = (uint8_t)(i / 256);
        flows[i].src.b[13] = (uint8_t)(i / 2 % 128);
    }
    return flows;
}

static void test_memory_is_bounded(void)
{
    nfl_flow *flows = many_flows();
    nfl_store *store = test_store_of(flows, MANY);
    nfl_cursor *cursor = NULL;
    nfl_error err = {.code = 0};
    NFL_OPTS(nfl_query, query, .columns = "in_if", .flags = NFL_QUERY_UNIQUE, .max_memory_bytes = 250000);
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, &err), NFL_E_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "of the query's memory budget"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "choose a shorter window"));
    query.max_memory_bytes = 2000000;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, &err), NFL_OK);
    nfl_query_stats stats = {.struct_size = sizeof stats};
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        ;
    nfl_cursor_get_stats(cursor, &stats);
    CU_ASSERT_EQUAL(stats.rows_matched, MANY / 2);
    CU_ASSERT_EQUAL(stats.rows_duplicate, MANY / 2);
    CU_ASSERT(stats.memory_bytes > MANY * 48 && stats.memory_bytes <= query.max_memory_bytes);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    free(flows);
}

/* A store to which flows come whenever it is opened. */
static nfl_status open_growing(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out, nfl_error *err)
{
    test_columns *columns = self;
    nfl__scannable original;
    test_columns blank;
    test_columns_init(&blank, columns->flows, 0, 1, 0);
    original = blank.scannable;
    columns->count += 2;
    return original.open(self, filter, fields, out, err);
}

static void test_records_that_arrive_meanwhile_do_not_count(void)
{
    const record records[] = {{.exporter = 1, .packets = 5}, {.exporter = 2, .packets = 4}, {.exporter = 2, .packets = 9}, {.exporter = 3, .dst = 1, .packets = 9}};
    nfl_flow flows[6];
    test_columns columns;
    nfl_cursor *cursor = NULL;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    NFL_OPTS(nfl_query, query, .columns = "in_if", .flags = NFL_QUERY_UNIQUE);
    for (uint32_t i = 0; i < 4; i++)
        flows[i] = make_flow(&records[i], i);
    test_columns_init(&columns, flows, 0, 1, 1);
    columns.scannable.open = open_growing; /* two at first, then four */
    CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), 0);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_get_stats(cursor, &stats);
    CU_ASSERT_EQUAL(stats.rows_matched, 1);
    CU_ASSERT_EQUAL(stats.rows_duplicate, 1);
    nfl_cursor_free(cursor);
}

static nfl_status ask(const nfl_alloc *alloc, void *ctx)
{
    NFL_OPTS(nfl_query, query, .columns = "in_if", .order_by = "bytes", .flags = NFL_QUERY_UNIQUE);
    uint64_t rows;
    nfl_status status = test_count_rows(alloc, ctx, 1500, &query, &rows);
    if (status == NFL_OK)
        CU_ASSERT_EQUAL(rows, 750);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    nfl_flow *flows = many_flows();
    CU_ASSERT_EQUAL(ask(NULL, flows), NFL_OK);
    CU_ASSERT(test_allocation_failures(ask, flows, 12) > 10); /* arrays that grow ask for less once more */
    free(flows);
}

NFL_SUITE("unique", {"of each conversation and hour one point counts", test_of_each_conversation_and_hour_one_point_counts},
          {"a filter chooses the points", test_a_filter_chooses_the_points},
          {"points are compared by what they saw", test_points_are_compared_by_what_they_saw},
          {"memory is bounded", test_memory_is_bounded},
          {"records that arrive meanwhile do not count", test_records_that_arrive_meanwhile_do_not_count},
          {"every allocation may fail", test_every_allocation_may_fail})

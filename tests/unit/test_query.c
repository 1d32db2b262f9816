#include <CUnit/Basic.h>

#include "column_source.h"
#include "query/exec.h"

#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795428000000000)
#define SECOND INT64_C(1000000)

enum { FLOWS = 4000 };

/* Flow i: src 10.0.0.(i % 4), one second after flow i - 1, i % 3 + 1 packets of 100 bytes, for 2 seconds. */
static nfl_flow *make_flows(void)
{
    nfl_flow *flows = calloc(FLOWS, sizeof *flows);
    if (!flows)
        abort();
    for (uint32_t i = 0; i < FLOWS; i++) {
        flows[i].struct_size = sizeof *flows;
        flows[i].src = nfl_ip_from_v4(0x0a000000u + i % 4);
        flows[i].first_us = START + (nfl_usec)i * SECOND;
        flows[i].last_us = flows[i].first_us + 2 * SECOND;
        flows[i].received_us = flows[i].last_us;
        flows[i].packets = i % 3 + 1;
        flows[i].bytes = 100 * flows[i].packets;
        flows[i].flows = 1;
        flows[i].proto = i % 2 ? 6 : 17;
        flows[i].src_port = (uint16_t)i;
        flows[i].tcp_flags = (uint16_t)(1u << i % 5);
        flows[i].present = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) |
                           NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PROTO) |
                           (i % 7 ? NFL_HAS(NFL_FIELD_SRC_PORT) : 0) |
                           (i % 2 ? NFL_HAS(NFL_FIELD_TCP_FLAGS) : 0);
    }
    return flows;
}

static nfl_store *make_store(const nfl_alloc *alloc)
{
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    nfl_store *store = NULL;
    nfl_flow *flows = make_flows();
    if (nfl_store_new("mem:", &opts, &store, NULL) == NFL_OK &&
        nfl_store_append(store, flows, FLOWS, sizeof *flows, NULL) != NFL_OK) {
        nfl_store_free(store);
        store = NULL;
    }
    free(flows);
    return store;
}

static nfl_cursor *run(nfl_store *store, const nfl_query *query)
{
    nfl_cursor *cursor = NULL;
    nfl_error err = {0};
    if (nfl_store_query(store, query, &cursor, &err) != NFL_OK)
        printf("\n    %s\n", err.message);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cursor);
    return cursor;
}

static uint64_t count_rows(nfl_cursor *cursor)
{
    uint64_t rows = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        rows++;
    return rows;
}

static void test_records_come_in_order_of_arrival(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .columns = "first, src", .offset = 3000, .limit = 500);
    nfl_cursor *cursor = run(store, &query);
    nfl_value src = {.struct_size = sizeof src};
    nfl_ip expected = nfl_ip_from_v4(0x0a000000u + 3000 % 4);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), 0); /* not on a row yet */
    CU_ASSERT_EQUAL_FATAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), (uint64_t)(START + 3000 * SECOND));
    nfl_cursor_get(cursor, 1, &src);
    CU_ASSERT(src.present && nfl_ip_compare(&src.ip, &expected) == 0);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 1), 0); /* an address is no number */
    nfl_cursor_get(cursor, 2, &src);
    CU_ASSERT_EQUAL(src.present, 0);
    CU_ASSERT_EQUAL(count_rows(cursor), 499);
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(cursor, &stats);
    CU_ASSERT_EQUAL(stats.rows_matched, FLOWS);
    CU_ASSERT_EQUAL(stats.groups, FLOWS);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), 0);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static void test_a_limited_listing_reads_no_more_than_asked_until_its_end(void)
{
    nfl_flow *flows = make_flows();
    test_columns columns;
    nfl_cursor *cursor = NULL;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    NFL_OPTS(nfl_query, query, .columns = "src", .limit = 5);
    test_columns_init(&columns, flows, FLOWS, 100, 1);
    CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    nfl_cursor_get_stats(cursor, &stats);
    CU_ASSERT(stats.rows_read < 600);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_get_stats(cursor, &stats);
    CU_ASSERT_EQUAL(stats.rows_read, FLOWS);
    CU_ASSERT_EQUAL(stats.rows_matched, FLOWS);
    nfl_cursor_free(cursor);
    CU_ASSERT_EQUAL(columns.references, 0);
    free(flows);
}

static void test_columns_of_blocks_without_a_match_are_not_loaded(void)
{
    nfl_flow *flows = make_flows();
    test_columns columns;
    nfl_cursor *cursor = NULL;
    NFL_OPTS(nfl_query, query, .group_by = "src", .filter = "flags FSRPA and proto 99 and bytes > 1");
    test_columns_init(&columns, flows, FLOWS, 100, 1);
    CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(columns.loaded & ~NFL_HAS(NFL_FIELD_TCP_FLAGS), 0);
    nfl_cursor_free(cursor);
    free(flows);
}

/* Port i, not sent in every seventh flow; whole blocks, and blocks too short for a table of ports. */
static void test_long_lists_of_ports(void)
{
    nfl_flow *flows = make_flows();
    for (unsigned round = 0; round < 20; round++) {
        test_columns columns;
        nfl_cursor *cursor = NULL;
        NFL_OPTS(nfl_query, query, .columns = "src_port",
                 .filter = "src port in (1,3,5,7,9,11-20,3000-65535)");
        test_columns_init(&columns, flows, FLOWS, round % 2 ? FLOWS : 100, round);
        CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
        for (uint32_t i = 0; i < FLOWS; i++) {
            int wanted = i % 7 && ((i < 11 && i % 2) || (i > 10 && i < 21) || i >= 3000);
            if (wanted)
                CU_ASSERT(nfl_cursor_next(cursor, NULL) == NFL_OK && nfl_cursor_u64(cursor, 0) == i);
        }
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
        nfl_cursor_free(cursor);
    }
    free(flows);
}

/* Counters as keys are those that are shown: scaled, also when a dictionary has them as sent. */
static void test_counters_as_keys_are_scaled(void)
{
    nfl_flow *flows = make_flows();
    for (uint32_t i = 0; i < FLOWS; i++) {
        flows[i].sampling = 1 + i % 2;
        flows[i].present |= NFL_HAS(NFL_FIELD_SAMPLING);
    }
    for (unsigned round = 0; round < 10; round++) {
        static const uint64_t unscaled[] = {300, 200, 100}, scaled[] = {600, 400, 300, 200, 100};
        test_columns columns;
        nfl_cursor *cursor = NULL;
        NFL_OPTS(nfl_query, query, .group_by = "bytes", .order_by = "bytes", .columns = "flows");
        query.flags = round % 2 ? NFL_QUERY_UNSCALED : 0;
        test_columns_init(&columns, flows, FLOWS, FLOWS, round);
        CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
        for (unsigned i = 0; i < (round % 2 ? 3 : 5); i++) {
            CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
            CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), round % 2 ? unscaled[i] : scaled[i]);
        }
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
        nfl_cursor_free(cursor);
    }
    free(flows);
}

static void test_usual_columns(void)
{
    static const char *const records[] = {"first",    "duration", "src",       "src_port", "dst",
                                          "dst_port", "proto",    "tcp_flags", "bytes",    "packets",
                                          "in_if",    "out_if",   "exporter"};
    static const char *const buckets[] = {"time", "src", "bytes", "packets", "flows"};
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .limit = 1);
    nfl_column_info info = {.struct_size = sizeof info};
    nfl_cursor *cursor = run(store, &query);
    CU_ASSERT_EQUAL(nfl_cursor_columns(cursor), 13);
    for (uint32_t i = 0; i < 13; i++) {
        CU_ASSERT_EQUAL(nfl_cursor_column(cursor, i, &info), NFL_OK);
        CU_ASSERT_STRING_EQUAL(info.name, records[i]);
        CU_ASSERT_EQUAL(info.is_key, 0);
    }
    CU_ASSERT_EQUAL(nfl_cursor_column(cursor, 13, &info), NFL_E_ARG);
    nfl_cursor_free(cursor);
    query.group_by = "src";
    query.columns = " ";
    query.bucket_us = 3600 * SECOND;
    cursor = run(store, &query);
    CU_ASSERT_EQUAL(nfl_cursor_columns(cursor), 5);
    for (uint32_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(nfl_cursor_column(cursor, i, &info), NFL_OK);
        CU_ASSERT_STRING_EQUAL(info.name, buckets[i]);
        CU_ASSERT_EQUAL(info.is_key, i < 2);
    }
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* 4000 flows of source 10.0.0.1: bytes, rates over the whole time, union of flags. */
static void test_measures_of_a_group(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .group_by = "src", .filter = "src 10.0.0.1",
             .columns = "bytes,packets,flows,first,last,duration,bps,pps,bpp,tcp_flags,proto,dst_port");
    uint64_t bytes = 0, packets = 0;
    for (uint32_t i = 1; i < FLOWS; i += 4)
        packets += i % 3 + 1;
    bytes = packets * 100;
    nfl_usec duration_us = (3997 - 1 + 2) * SECOND;
    const uint64_t expected[] = {bytes,
                                 packets,
                                 1000,
                                 (uint64_t)(START + SECOND),
                                 (uint64_t)(START + 3999 * SECOND),
                                 (uint64_t)duration_us,
                                 bytes * 8 / 3998,
                                 packets / 3998,
                                 100,
                                 31,
                                 6};
    nfl_cursor *cursor = run(store, &query);
    CU_ASSERT_EQUAL_FATAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    for (uint32_t i = 0; i < 11; i++)
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, i + 1), expected[i]);
    nfl_value absent = {.struct_size = sizeof absent, .present = 1};
    nfl_cursor_get(cursor, 12, &absent);
    CU_ASSERT_EQUAL(absent.present, 0);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* Blocks of dictionaries longer than one run of rows, so that the buckets change while the codes stay. */
static void test_buckets_over_dictionaries(void)
{
    nfl_flow *flows = make_flows();
    for (unsigned round = 0; round < 20; round++) {
        test_columns columns;
        nfl_cursor *cursor = NULL;
        NFL_OPTS(nfl_query, query, .group_by = "src", .bucket_us = 1200 * SECOND, .columns = "flows");
        test_columns_init(&columns, flows, FLOWS, FLOWS, round);
        CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
        uint64_t sum = 0, rows = 0;
        for (nfl_usec before = 0; nfl_cursor_next(cursor, NULL) == NFL_OK; rows++) {
            nfl_usec bucket = (nfl_usec)nfl_cursor_u64(cursor, 0);
            uint64_t whole = bucket == START + 3600 * SECOND ? 100 : 300;
            CU_ASSERT(bucket >= before && bucket % (1200 * SECOND) == 0);
            CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 2), whole);
            sum += nfl_cursor_u64(cursor, 2);
            before = bucket;
        }
        CU_ASSERT_EQUAL(sum, FLOWS);
        CU_ASSERT_EQUAL(rows, 16);
        nfl_cursor_free(cursor);
    }
    free(flows);
}

static void test_buckets_alone_make_a_trend(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .bucket_us = 1000 * SECOND, .columns = "flows,bps");
    nfl_cursor *cursor = run(store, &query);
    CU_ASSERT_EQUAL(count_rows(cursor), 4);
    nfl_cursor_free(cursor);
    query.order_by = "time"; /* from large to small: newest first */
    query.limit = 1;
    cursor = run(store, &query);
    CU_ASSERT_EQUAL_FATAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 0), (uint64_t)(START + 3000 * SECOND));
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* Times before 1970 lie in the bucket that starts before them. */
static void test_buckets_before_1970(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = -1, .flows = 1};
    nfl_store *store = NULL;
    NFL_OPTS(nfl_query, query, .bucket_us = SECOND, .columns = "flows");
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    flow.first_us = INT64_MIN;
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    nfl_cursor *cursor = run(store, &query);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL((int64_t)nfl_cursor_u64(cursor, 0), INT64_MIN);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL((int64_t)nfl_cursor_u64(cursor, 0), -SECOND);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static void test_counters_saturate(void)
{
    nfl_flow flow = {
        .struct_size = sizeof flow, .bytes = UINT64_MAX / 2, .packets = 1, .sampling = 3, .flows = 1};
    nfl_store *store = NULL;
    flow.present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SAMPLING);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    NFL_OPTS(nfl_query, query, .group_by = "proto", .columns = "bytes,packets");
    for (unsigned unscaled = 0; unscaled < 2; unscaled++) {
        query.flags = unscaled ? NFL_QUERY_UNSCALED : 0;
        nfl_cursor *cursor = run(store, &query);
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 1), UINT64_MAX);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 2), unscaled ? 5 : 15);
        nfl_cursor_free(cursor);
    }
    nfl_store_free(store);
}

static void test_mistakes_in_a_query(void)
{
    static const struct {
        const char *name;
        nfl_query query;
        nfl_status want;
        uint64_t offset;
        const char *message;
    } cases[] = {
        {"group by nothing known",
         {.group_by = "src,dts"},
         NFL_E_SYNTAX,
         4,
         "group_by: 'dts' is not a field (did you mean 'dst'?)"},
        {"group by a computed field", {.group_by = "bps"}, NFL_E_SYNTAX, 0, "cannot be grouped by"},
        {"group by a filter field", {.group_by = "src, port"}, NFL_E_SYNTAX, 5, "in filters only"},
        {"group by time", {.group_by = "time"}, NFL_E_SYNTAX, 0, "cannot be grouped by"},
        {"an empty name", {.columns = "src,,dst"}, NFL_E_SYNTAX, 4, "columns: '' is not a field"},
        {"a comma at the end", {.columns = "src,"}, NFL_E_SYNTAX, 4, "columns: '' is not a field"},
        {"a column twice", {.columns = "src, bytes , octets"}, NFL_E_SYNTAX, 13, "is named twice"},
        {"a key as column", {.group_by = "src", .columns = "bytes,src"}, NFL_E_SYNTAX, 6, "is named twice"},
        {"time without buckets", {.columns = "time"}, NFL_E_SYNTAX, 0, "needs time buckets"},
        {"order by time without buckets", {.order_by = "time"}, NFL_E_SYNTAX, 0, "needs time buckets"},
        {"time named again", {.columns = "time", .bucket_us = 1}, NFL_E_SYNTAX, 0, "is there already"},
        {"order by two", {.order_by = "bytes,packets"}, NFL_E_SYNTAX, 0, "one column expected"},
        {"order by something", {.order_by = "host"}, NFL_E_SYNTAX, 0, "in filters only"},
        {"a wrong filter", {.filter = "tcp and"}, NFL_E_SYNTAX, 7, "a comparison expected"},
        {"relative time without now", {.filter = "first > -1h"}, NFL_E_SYNTAX, 8, "absolute time"},
        {"an unknown flag", {.flags = 0x40000000}, NFL_E_ARG, NFL_NO_OFFSET, "flags"},
        {"a negative bucket", {.bucket_us = -1}, NFL_E_ARG, NFL_NO_OFFSET, "bucket_us"},
    };
    nfl_store *store = make_store(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nfl_query query = cases[i].query;
        nfl_cursor *cursor = NULL;
        nfl_error err = {0};
        query.struct_size = sizeof query;
        NFL_CHECK(cases[i].name, nfl_store_query(store, &query, &cursor, &err) == cases[i].want);
        NFL_CHECK(cases[i].name, cursor == NULL && err.offset == cases[i].offset);
        NFL_CHECK(cases[i].name, strstr(err.message, cases[i].message) != NULL);
    }
    nfl_store_free(store);
}

static void test_a_query_can_be_cancelled(void)
{
    nfl_store *store = make_store(NULL);
    volatile int32_t cancel = 1;
    nfl_cursor *cursor = NULL;
    nfl_error err;
    NFL_OPTS(nfl_query, query, .group_by = "src", .cancel = &cancel);
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, &err), NFL_E_CANCELLED);
    query.group_by = NULL;
    cancel = 0;
    cursor = run(store, &query);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, &err), NFL_OK);
    cancel = 1;
    nfl_status status;
    while ((status = nfl_cursor_next(cursor, &err)) == NFL_OK)
        ;
    CU_ASSERT_EQUAL(status, NFL_E_CANCELLED);
    cancel = 0;
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, &err), NFL_E_CANCELLED); /* for good */
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

/* Status and message of a query over 4000 rows in blocks of up to 1000. */
static nfl_status ask_blocks(const nfl_query *query, nfl_usec (*clock)(void), nfl_error *err)
{
    test_columns columns;
    nfl_flow *flows = make_flows();
    nfl_cursor *cursor = NULL;
    test_columns_init(&columns, flows, FLOWS, 1000, test_seed());
    columns.scannable.clock = clock;
    nfl_status status = nfl__query_run(query, NULL, &columns.scannable, &cursor, err);
    nfl_cursor_free(cursor);
    free(flows);
    return status;
}

static nfl_usec clock_us;

static nfl_usec slow_clock(void)
{
    return clock_us += 1000;
}

static void test_a_query_may_examine_so_many_rows(void)
{
    nfl_error err;
    NFL_OPTS(nfl_query, query, .group_by = "src", .max_rows = FLOWS);
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_OK);
    query.max_rows = FLOWS - 1;
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_E_CANCELLED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "more than the 3999 rows"));
    query.flags = NFL_QUERY_BIFLOW; /* fewer rows come of them, but all are examined */
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_E_CANCELLED);
    query.max_rows = FLOWS;
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_OK);
    query.flags = NFL_QUERY_UNIQUE; /* they are read twice */
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_E_CANCELLED);
    query.max_rows = 2 * FLOWS;
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_OK);
}

static void test_a_query_may_take_so_long(void)
{
    nfl_error err;
    NFL_OPTS(nfl_query, query, .group_by = "src", .max_time_us = 20000);
    CU_ASSERT_EQUAL(ask_blocks(&query, slow_clock, &err), NFL_OK);
    query.max_time_us = 3000;
    CU_ASSERT_EQUAL(ask_blocks(&query, slow_clock, &err), NFL_E_CANCELLED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "longer than the 3 ms"));
    CU_ASSERT_EQUAL(ask_blocks(&query, NULL, &err), NFL_OK); /* a source without a clock */
}

static void test_the_memory_budget_holds(void)
{
    static const struct {
        const char *name;
        nfl_query query;
        nfl_status want;
    } cases[] = {
        {"many groups", {.group_by = "first", .max_memory_bytes = 300000}, NFL_E_LIMIT},
        {"a few of many groups", {.group_by = "first", .limit = 10, .max_memory_bytes = 450000}, NFL_OK},
        {"few groups", {.group_by = "src", .max_memory_bytes = 600000}, NFL_OK},
        {"all sorted", {.order_by = "bytes", .max_memory_bytes = 300000}, NFL_E_LIMIT},
        {"few sorted", {.order_by = "bytes", .limit = 10, .max_memory_bytes = 300000}, NFL_OK},
        {"listed", {.columns = "src", .max_memory_bytes = 100000}, NFL_OK},
        {"nothing fits", {.columns = "src", .max_memory_bytes = 1}, NFL_E_LIMIT},
    };
    nfl_store *store = make_store(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nfl_query query = cases[i].query;
        nfl_cursor *cursor = NULL;
        nfl_error err = {0};
        query.struct_size = sizeof query;
        nfl_status status = nfl_store_query(store, &query, &cursor, &err);
        if (status != cases[i].want)
            printf("\n    '%s': %d %s\n", cases[i].name, status, err.message);
        CU_ASSERT_EQUAL(status, cases[i].want);
        if (cursor) {
            nfl_query_stats stats = {.struct_size = sizeof stats};
            count_rows(cursor);
            nfl_cursor_get_stats(cursor, &stats);
            NFL_CHECK(cases[i].name, stats.memory_bytes <= query.max_memory_bytes);
        }
        nfl_cursor_free(cursor);
    }
    nfl_store_free(store);
}

static void test_a_cursor_outlives_its_store(void)
{
    test_allocator allocator;
    test_allocator_init(&allocator, -1, 0);
    nfl_store *store = make_store(&allocator.alloc);
    NFL_OPTS(nfl_query, query, .columns = "bytes");
    nfl_cursor *cursor = run(store, &query);
    nfl_store_free(store);
    CU_ASSERT_EQUAL(count_rows(cursor), FLOWS);
    nfl_cursor_free(cursor);
    nfl_cursor_free(NULL);
    CU_ASSERT_EQUAL(allocator.live, 0);
}

static nfl_status query_and_read(const nfl_alloc *alloc, void *ctx)
{
    const nfl_query *query = ctx;
    nfl_flow *flows = make_flows();
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    nfl_error err = {0};
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    nfl_status status = nfl_store_new("mem:", &opts, &store, &err);
    if (status == NFL_OK)
        status = nfl_store_append(store, flows, FLOWS, sizeof *flows, &err);
    if (status == NFL_OK)
        status = nfl_store_query(store, query, &cursor, &err);
    while (status == NFL_OK)
        status = nfl_cursor_next(cursor, &err);
    nfl_store_free(store);
    nfl_cursor_free(cursor);
    free(flows);
    return status;
}

static void test_running_out_of_memory(void)
{
    nfl_query queries[] = {
        {.filter = "tcp"},
        {.order_by = "bps"},
        {.order_by = "bytes", .limit = 7},
        {.group_by = "first,src", .limit = 100},
        {.group_by = "src", .bucket_us = 100 * SECOND, .limit = 2},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        queries[i].struct_size = sizeof queries[i];
        CU_ASSERT(test_allocation_failures(query_and_read, &queries[i], 40) > 10);
    }
}

NFL_SUITE("query", {"records come in order of arrival", test_records_come_in_order_of_arrival},
          {"a limited listing reads no more than asked until its end",
           test_a_limited_listing_reads_no_more_than_asked_until_its_end},
          {"columns of blocks without a match are not loaded",
           test_columns_of_blocks_without_a_match_are_not_loaded},
          {"long lists of ports", test_long_lists_of_ports},
          {"counters as keys are scaled", test_counters_as_keys_are_scaled},
          {"usual columns", test_usual_columns}, {"measures of a group", test_measures_of_a_group},
          {"buckets over dictionaries", test_buckets_over_dictionaries},
          {"buckets alone make a trend", test_buckets_alone_make_a_trend},
          {"buckets before 1970", test_buckets_before_1970}, {"counters saturate", test_counters_saturate},
          {"mistakes in a query", test_mistakes_in_a_query},
          {"a query can be cancelled", test_a_query_can_be_cancelled},
          {"a query may examine so many rows", test_a_query_may_examine_so_many_rows},
          {"a query may take so long", test_a_query_may_take_so_long},
          {"the memory budget holds", test_the_memory_budget_holds},
          {"a cursor outlives its store", test_a_cursor_outlives_its_store},
          {"running out of memory", test_running_out_of_memory})

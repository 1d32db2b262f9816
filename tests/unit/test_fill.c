#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "flows.h"
#include "query/fill.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE INT64_C(60000000)

/* Two hosts: .1 in minutes 0 and 4, .2 in minute 2 (of TEST_START, a whole minute); .1 has more bytes. */
static nfl_store *make_store(void)
{
    static const struct {
        uint32_t src;
        int minute;
        uint64_t packets;
    } flows[] = {{1, 0, 10}, {2, 2, 5}, {1, 4, 7}};
    nfl_store *store = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        nfl_flow flow = test_record(flows[i].minute * MINUTE + 15 * TEST_SECOND, 6, flows[i].src, 1, 9, 2, 0, flows[i].packets);
        flow.present = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS);
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    }
    return store;
}

/* The rows as "minute:packets " and, with groups, "minute/host:packets ". Returns the groups counted. */
static uint64_t rows_of(nfl_store *store, const nfl_query *query, char text[256])
{
    nfl_cursor *cursor = NULL;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    size_t len = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, query, &cursor, NULL), NFL_OK);
    text[0] = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK && len < 240) {
        int minute = (int)(((nfl_usec)nfl_cursor_u64(cursor, 0) - TEST_START) / MINUTE);
        nfl_value host = {.struct_size = sizeof host};
        uint32_t packets = nfl_cursor_columns(cursor) - 1;
        nfl_cursor_get(cursor, 1, &host);
        if (query->group_by)
            len += (size_t)snprintf(text + len, 256 - len, "%d/%d:%d ", minute, host.ip.b[15], (int)nfl_cursor_u64(cursor, packets));
        else
            len += (size_t)snprintf(text + len, 256 - len, "%d:%d ", minute, (int)nfl_cursor_u64(cursor, packets));
    }
    nfl_cursor_get_stats(cursor, &stats);
    nfl_cursor_free(cursor);
    return stats.groups;
}

static void test_every_bucket_has_a_row(void)
{
    static const struct {
        const char *group_by, *order_by, *having;
        int from, to; /* minutes; 99 = open */
        uint64_t limit;
        uint32_t flags;
        const char *rows;
        uint64_t groups;
    } cases[] = {
        {NULL, "time", NULL, 99, 99, 0, NFL_QUERY_ASCENDING, "0:10 2:5 4:7 ", 3},
        {NULL, "time", NULL, 99, 99, 0, NFL_QUERY_ASCENDING | NFL_QUERY_FILL, "0:10 1:0 2:5 3:0 4:7 ", 5},
        {NULL, "time", NULL, -2, 3, 0, NFL_QUERY_ASCENDING | NFL_QUERY_FILL, "-2:0 -1:0 0:10 1:0 2:5 ", 5},
        {NULL, "time", NULL, 5, 7, 0, NFL_QUERY_ASCENDING | NFL_QUERY_FILL, "5:0 6:0 ", 2},
        {NULL, "time", NULL, 99, 99, 2, NFL_QUERY_ASCENDING | NFL_QUERY_FILL, "0:10 1:0 ", 5},
        {NULL, "time", "packets = 0", 99, 99, 0, NFL_QUERY_ASCENDING | NFL_QUERY_FILL, "1:0 3:0 ", 2},
        {"src", "bytes", NULL, 99, 99, 1, NFL_QUERY_FILL, "0/1:10 1/1:0 2/1:0 3/1:0 4/1:7 ", 2},
        {"src", "bytes", "packets < 10", 1, 4, 0, NFL_QUERY_FILL, "1/2:0 2/2:5 3/2:0 ", 1},
        {"src", "bytes", "packets > 100", 1, 4, 0, NFL_QUERY_FILL, "", 0},
        {"src", "bytes", NULL, 5, 9, 0, NFL_QUERY_FILL, "", 0}, /* there are no groups */
    };
    nfl_store *store = make_store();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .order_by = cases[i].order_by, .having = cases[i].having,
                 .columns = "packets", .bucket_us = MINUTE, .limit = cases[i].limit, .flags = cases[i].flags);
        query.from_us = cases[i].from == 99 ? 0 : TEST_START + cases[i].from * MINUTE;
        query.to_us = cases[i].to == 99 ? 0 : TEST_START + cases[i].to * MINUTE;
        uint64_t groups = rows_of(store, &query, text);
        CU_ASSERT_EQUAL(groups, cases[i].groups);
        CU_ASSERT_STRING_EQUAL(text, cases[i].rows);
        if (strcmp(text, cases[i].rows) != 0)
            printf("\n    case %zu: %s\n", i, text);
    }
    nfl_store_free(store);
}

static nfl_status ask(nfl_store *store, const nfl_query *query, nfl_error *err)
{
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(store, query, &cursor, err);
    nfl_cursor_free(cursor);
    return status;
}

static void test_too_many_buckets_are_refused(void)
{
    nfl_store *store = make_store();
    nfl_error err;
    NFL_OPTS(nfl_query, query, .bucket_us = 1, .flags = NFL_QUERY_FILL);
    CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_LIMIT);
    CU_ASSERT_STRING_EQUAL(err.message, "240000001 buckets to fill, 1048576 at most");
    query.from_us = INT64_MIN + 1;
    query.to_us = INT64_MAX;
    CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_LIMIT);
    nfl_store_free(store);
}

static void test_conditions_that_make_no_sense_are_refused(void)
{
    static const struct {
        const char *group_by, *having;
        nfl_status status;
        const char *message;
    } cases[] = {
        {"src", "dst_port 443", NFL_E_SYNTAX, "having: 'src_port' is neither grouped by nor a sum or time of groups"},
        {"src", "in_if > 3", NFL_E_SYNTAX, "having: 'in_if' is neither grouped by nor a sum or time of groups"},
        {"src", "bytes >", NFL_E_SYNTAX, NULL},
        {NULL, "bytes > 1", NFL_E_ARG, "having: the query has no groups"},
        {"src,in_if", "in_if > 3 or src net 10.0.0.0/8", NFL_OK, NULL},
        {"src", "", NFL_OK, NULL},
    };
    nfl_store *store = make_store();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nfl_error err = {.code = 0};
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .having = cases[i].having);
        CU_ASSERT_EQUAL(ask(store, &query, &err), cases[i].status);
        if (cases[i].message && i)
            CU_ASSERT_STRING_EQUAL(err.message, cases[i].message);
    }
    nfl_store_free(store);
}

static void test_buckets_round_down(void)
{
    static const struct {
        nfl_usec time, length, start;
    } cases[] = {{0, 10, 0}, {9, 10, 0}, {10, 10, 10}, {-1, 10, -10}, {-10, 10, -10}, {INT64_MIN, 7, INT64_MIN},
                 {INT64_MAX, 1, INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(nfl__bucket_start(cases[i].time, cases[i].length), cases[i].start);
}

/* The definition: the smallest value that at least so many per mille do not exceed. */
static uint64_t percentile_plainly(const uint64_t *values, size_t count, uint32_t per_mille)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t not_above = 0;
        for (size_t j = 0; j < count; j++)
            not_above += values[j] <= values[i];
        if (not_above * 1000 >= per_mille * count && values[i] < best)
            best = values[i];
    }
    return best;
}

static void test_percentiles_are_by_nearest_rank(void)
{
    test_random random = {7};
    for (size_t count = 1; count < 130; count++) {
        uint64_t values[130], sorted[130];
        for (size_t i = 0; i < count; i++)
            values[i] = test_below(&random, 60);
        static const uint32_t marks[] = {1, 10, 500, 900, 949, 950, 951, 999, 1000};
        for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
            memcpy(sorted, values, sizeof sorted);
            CU_ASSERT_EQUAL(nfl_percentile(sorted, count, marks[m]), percentile_plainly(values, count, marks[m]));
        }
        memcpy(sorted, values, sizeof sorted);
        CU_ASSERT_EQUAL(nfl_percentile(sorted, count, 0), percentile_plainly(values, count, 1));
        CU_ASSERT_EQUAL(nfl_percentile(sorted, count, 5000), percentile_plainly(values, count, 1000));
    }
    CU_ASSERT_EQUAL(nfl_percentile(NULL, 0, 950), 0);
}

NFL_SUITE("fill", {"every bucket has a row", test_every_bucket_has_a_row},
          {"too many buckets are refused", test_too_many_buckets_are_refused},
          {"conditions that make no sense are refused", test_conditions_that_make_no_sense_are_refused},
          {"percentiles are by nearest rank", test_percentiles_are_by_nearest_rank},
          {"buckets round down", test_buckets_round_down})

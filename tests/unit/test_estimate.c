#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "answers.h"
#include "column_source.h"
#include "query/exec.h"
#include "query/hll.h"

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 40000, FEW = 1500 };

#define START INT64_C(1795440000000000)

/* Three protocols: many destinations, some, few. IPv4 and IPv6, sampled at times, some without destination. */
static nfl_flow *make_flows(uint64_t seed)
{
    static const uint32_t hosts[] = {30000, 1000, 100};
    test_random random = {seed};
    nfl_flow *flows = calloc(FLOWS, sizeof *flows);
    CU_ASSERT_PTR_NOT_NULL_FATAL(flows);
    for (uint32_t i = 0; i < FLOWS; i++) {
        nfl_flow *flow = &flows[i];
        uint32_t kind = (uint32_t)test_below(&random, 3);
        flow->struct_size = sizeof *flow;
        flow->received_us = START + i;
        flow->first_us = START + (nfl_usec)test_below(&random, 3600) * 1000000;
        flow->last_us = flow->first_us + (nfl_usec)test_below(&random, 900) * 1000000;
        flow->flows = 1;
        flow->bytes = test_below(&random, 1000);
        flow->src = nfl_ip_from_v4((uint32_t)test_below(&random, 40));
        flow->dst = nfl_ip_from_v4((uint32_t)test_below(&random, hosts[kind]));
        flow->dst.b[0] = flow->dst.b[15] % 4 ? 0 : 0x20;
        flow->proto = (uint8_t)kind;
        flow->sampling = test_chance(&random, 20) ? 10 : 1;
        flow->present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_SAMPLING) |
                        NFL_HAS(NFL_FIELD_LAST) | (test_chance(&random, 95) ? NFL_HAS(NFL_FIELD_DST) : 0);
    }
    return flows;
}

static uint64_t error_of(const nfl_cursor *cursor)
{
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(cursor, &stats);
    return stats.distinct_error_per_mille;
}

/* Few different values in each group: whatever is asked, the answer is the exact one. */
static void test_small_groups_are_counted_exactly(void)
{
    static const struct {
        const char *group_by, *columns, *order_by, *having;
        int minutes;
        uint32_t flags;
        uint64_t limit;
    } cases[] = {
        {"src", "distinct(dst)", NULL, NULL, 0, 0, 0},
        {"src", "bytes,distinct(dst),flows,last", "distinct(dst)", NULL, 0, 0, 7},
        {"src", "distinct(dst)", "distinct(dst)", "flows > 30", 0, NFL_QUERY_ASCENDING, 0},
        {"src", "distinct(bytes)", NULL, NULL, 0, 0, 0},
        {"src", "distinct(bytes)", NULL, NULL, 0, NFL_QUERY_UNSCALED, 0},
        {"src", "distinct(first),bytes", NULL, NULL, 0, 0, 0},
        {"src,proto", "distinct(next_hop)", NULL, NULL, 0, 0, 0},
        {NULL, "distinct(proto),bytes", NULL, NULL, 10, 0, 0},
        {NULL, "distinct(src)", NULL, NULL, 10, NFL_QUERY_FILL, 0},
        {"proto", "distinct(src)", "distinct(src)", NULL, 10, 0, 2},
        {"proto", "bytes,distinct(src)", NULL, NULL, 10, NFL_QUERY_SPREAD, 0},
        {"proto", "distinct(src)", NULL, NULL, 5, NFL_QUERY_SPREAD | NFL_QUERY_FILL, 1},
    };
    nfl_flow *flows = make_flows(1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (uint32_t block_rows = 30; block_rows <= 3000; block_rows *= 10) {
            NFL_OPTS(nfl_query, query, .group_by = cases[c].group_by, .columns = cases[c].columns, .order_by = cases[c].order_by,
                     .having = cases[c].having, .bucket_us = cases[c].minutes * INT64_C(60000000), .flags = cases[c].flags,
                     .limit = cases[c].limit);
            test_columns columns;
            test_columns_init(&columns, flows, FEW, block_rows, c);
            nfl_cursor *exact = test_ask_columns(&columns, &query);
            query.flags |= NFL_QUERY_APPROXIMATE;
            nfl_cursor *estimated = test_ask_columns(&columns, &query);
            NFL_CHECK(cases[c].columns, error_of(estimated) == 0);
            NFL_CHECK(cases[c].columns, test_same_answers(exact, estimated));
            NFL_CHECK(cases[c].columns, test_same_totals(exact, estimated));
            nfl_cursor_free(exact);
            nfl_cursor_free(estimated);
            CU_ASSERT_EQUAL(columns.misuse, 0);
        }
    free(flows);
}

static void test_large_counts_are_within_the_bound_they_come_with(void)
{
    nfl_flow *flows = make_flows(2);
    NFL_OPTS(nfl_query, query, .group_by = "proto", .columns = "distinct(dst),bytes,flows");
    nfl_query_stats stats[2] = {{.struct_size = sizeof *stats}, {.struct_size = sizeof *stats}};
    test_columns columns;
    test_columns_init(&columns, flows, FLOWS, 5000, 2);
    nfl_cursor *exact = test_ask_columns(&columns, &query);
    query.flags = NFL_QUERY_APPROXIMATE;
    nfl_cursor *estimated = test_ask_columns(&columns, &query);
    nfl_cursor_get_stats(exact, &stats[0]);
    nfl_cursor_get_stats(estimated, &stats[1]);
    CU_ASSERT_EQUAL(stats[0].distinct_error_per_mille, 0);
    CU_ASSERT_EQUAL(stats[1].distinct_error_per_mille, NFL__HLL_ERROR_PER_MILLE);
    CU_ASSERT(stats[1].memory_bytes * 4 < stats[0].memory_bytes);
    uint64_t most = 0, least = UINT64_MAX;
    while (nfl_cursor_next(exact, NULL) == NFL_OK) {
        CU_ASSERT_EQUAL(nfl_cursor_next(estimated, NULL), NFL_OK);
        uint64_t is = nfl_cursor_u64(exact, 1), said = nfl_cursor_u64(estimated, 1), off = is > said ? is - said : said - is;
        CU_ASSERT(off * 1000 <= is * NFL__HLL_ERROR_PER_MILLE);
        for (uint32_t i = 0; i < 4; i++)
            if (i != 1)
                CU_ASSERT_EQUAL(nfl_cursor_u64(exact, i), nfl_cursor_u64(estimated, i));
        most = is > most ? is : most;
        least = is < least ? is : least;
    }
    CU_ASSERT_EQUAL(nfl_cursor_next(estimated, NULL), NFL_DONE);
    CU_ASSERT(most > 8000 && least <= 100);
    nfl_cursor_free(exact);
    nfl_cursor_free(estimated);
    free(flows);
}

static void test_estimates_do_not_depend_on_blocks_or_company(void)
{
    nfl_flow *flows = make_flows(3);
    nfl_store *store = NULL;
    NFL_OPTS(nfl_query, query, .group_by = "proto", .columns = "distinct(dst)", .filter = "not proto 99", .flags = NFL_QUERY_APPROXIMATE);
    NFL_OPTS(nfl_query, other, .group_by = "src", .columns = "bytes", .filter = "not proto 99");
    const nfl_query *queries[2] = {&other, &query};
    nfl_cursor *cursors[2];
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, FLOWS, sizeof *flows, NULL), NFL_OK);
    for (uint32_t block_rows = 50; block_rows <= 50000; block_rows *= 10) {
        test_columns columns;
        test_columns_init(&columns, flows, FLOWS, block_rows, 3);
        nfl_cursor *alone = test_ask_columns(&columns, &query);
        CU_ASSERT_EQUAL_FATAL(nfl_store_query_all(store, queries, 2, cursors, NULL), NFL_OK);
        CU_ASSERT(test_same_answers(alone, cursors[1]));
        CU_ASSERT_EQUAL(error_of(cursors[1]), NFL__HLL_ERROR_PER_MILLE);
        CU_ASSERT_EQUAL(error_of(cursors[0]), 0);
        nfl_cursor_free(alone);
        nfl_cursor_free(cursors[0]);
        nfl_cursor_free(cursors[1]);
    }
    nfl_store_free(store);
    free(flows);
}

static void test_mistakes_are_those_of_exact_counts(void)
{
    static const struct {
        const char *columns, *message;
    } cases[] = {{"distinct(src)", "columns: 'src' is grouped by, so it has one value in a group"},
                 {"distinct(dst),distinct(proto)", "columns: 'distinct(proto)' is a second one"},
                 {"distinct(dst),distinct(dst)", "columns: 'distinct(dst)' is named twice"}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        NFL_OPTS(nfl_query, query, .group_by = "src", .columns = cases[c].columns, .flags = NFL_QUERY_APPROXIMATE);
        test_columns columns;
        nfl_cursor *cursor = NULL;
        nfl_error err = {.code = 0};
        test_columns_init(&columns, NULL, 0, 1, 0);
        CU_ASSERT_EQUAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, &err), NFL_E_SYNTAX);
        NFL_CHECK(cases[c].columns, strncmp(err.message, cases[c].message, strlen(cases[c].message)) == 0);
    }
}

static void test_memory_is_bounded(void)
{
    nfl_flow *flows = make_flows(4);
    NFL_OPTS(nfl_query, query, .group_by = "first", .columns = "distinct(bytes)", .limit = 5, .flags = NFL_QUERY_APPROXIMATE,
             .max_memory_bytes = 700000);
    test_columns columns;
    nfl_cursor *cursor = NULL;
    nfl_error err = {.code = 0};
    test_columns_init(&columns, flows, FLOWS, 5000, 4);
    CU_ASSERT_EQUAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, &err), NFL_E_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "memory budget"));
    CU_ASSERT_EQUAL(columns.opened, 0);
    free(flows);
}

static nfl_status ask(const nfl_alloc *alloc, void *ctx)
{
    const nfl_flow *flows = ctx;
    NFL_OPTS(nfl_query, query, .group_by = "proto", .columns = "distinct(dst)", .flags = NFL_QUERY_APPROXIMATE);
    test_columns columns;
    nfl_cursor *cursor = NULL;
    uint64_t sum = 0;
    test_columns_init(&columns, flows, FEW, 100, 5);
    nfl_status status = nfl__query_run(&query, alloc, &columns.scannable, &cursor, NULL);
    while (status == NFL_OK && nfl_cursor_next(cursor, NULL) == NFL_OK)
        sum += nfl_cursor_u64(cursor, 1);
    if (status == NFL_OK)
        CU_ASSERT(sum > 500);
    nfl_cursor_free(cursor);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    nfl_flow *flows = make_flows(5);
    CU_ASSERT(test_allocation_failures(ask, flows, 8) > 20); /* arrays that grow ask for less once more */
    free(flows);
}

NFL_SUITE("estimate", {"small groups are counted exactly", test_small_groups_are_counted_exactly},
          {"large counts are within the bound they come with", test_large_counts_are_within_the_bound_they_come_with},
          {"estimates do not depend on blocks or company", test_estimates_do_not_depend_on_blocks_or_company},
          {"mistakes are those of exact counts", test_mistakes_are_those_of_exact_counts},
          {"memory is bounded", test_memory_is_bounded}, {"every allocation may fail", test_every_allocation_may_fail})

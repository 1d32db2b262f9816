#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "query/spread.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795440000000000)
#define SECOND INT64_C(1000000)

enum { FLOWS = 200, SPAN_S = 4000, BUCKETS = 500, PROTOS = 3 };

typedef struct fixture {
    nfl_flow flows[FLOWS];
    nfl_store *store;
} fixture;

static void random_flow(test_random *random, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    flow->first_us = START + (nfl_usec)test_below(random, SPAN_S) * SECOND + (nfl_usec)test_below(random, 1000000);
    flow->last_us = flow->first_us + (nfl_usec)test_below(random, test_chance(random, 30) ? 2000 * SECOND : 20 * SECOND);
    if (test_chance(random, 10))
        flow->last_us = flow->first_us - (nfl_usec)test_below(random, 100 * SECOND);
    flow->received_us = flow->first_us;
    flow->flows = 1 + test_below(random, 2);
    flow->bytes = test_below(random, 1 << 20);
    flow->packets = test_below(random, 100);
    flow->proto = (uint8_t)test_below(random, PROTOS);
    flow->sampling = test_chance(random, 20) ? 10 : 1;
    flow->present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_SAMPLING) |
                    (test_chance(random, 85) ? NFL_HAS(NFL_FIELD_LAST) : 0);
}

static fixture *make(uint64_t seed)
{
    fixture *f = calloc(1, sizeof *f);
    test_random random = {seed};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (size_t i = 0; i < FLOWS; i++)
        random_flow(&random, &f->flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &f->store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(f->store, f->flows, FLOWS, sizeof *f->flows, NULL), NFL_OK);
    return f;
}

static void unmake(fixture *f)
{
    nfl_store_free(f->store);
    free(f);
}

/* What a plain evaluation gives for a bucket: numbers are so small that nothing overflows. */
typedef struct cell {
    uint64_t bytes, packets, flows;
    int touched;
} cell;

static uint64_t portion(uint64_t value, nfl_usec length, nfl_usec from, nfl_usec to)
{
    if (length == 0)
        return value;
    return value * (uint64_t)to / (uint64_t)length - value * (uint64_t)from / (uint64_t)length;
}

static void add_to_cell(const nfl_flow *flow, const nfl_query *query, nfl_usec start, cell *out)
{
    nfl_usec first = flow->first_us, last = first, stop = start + query->bucket_us;
    if (flow->present & NFL_HAS(NFL_FIELD_LAST) && flow->last_us > first)
        last = flow->last_us;
    if (query->to_us && stop > query->to_us)
        stop = query->to_us;
    if (query->from_us && start < query->from_us)
        start = query->from_us;
    nfl_usec from = first > start ? first : start, to = last < stop ? last : stop;
    int moment = first == last && first >= start && first < stop;
    if (!moment && from >= to)
        return;
    out->touched = 1;
    out->bytes += portion(flow->bytes * flow->sampling, last - first, from - first, to - first);
    out->packets += portion(flow->packets * flow->sampling, last - first, from - first, to - first);
    out->flows += from == first ? flow->flows : 0;
}

static void check_series(const fixture *f, const nfl_query *query)
{
    static cell cells[BUCKETS][PROTOS];
    nfl_cursor *cursor = NULL;
    nfl_usec base = START - 1200 * SECOND;
    base -= base % query->bucket_us;
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < FLOWS; i++)
        for (int b = 0; b < BUCKETS; b++)
            add_to_cell(&f->flows[i], query, base + b * query->bucket_us, &cells[b][query->group_by ? f->flows[i].proto : 0]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(f->store, query, &cursor, NULL), NFL_OK);
    while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
        size_t b = (size_t)(((nfl_usec)nfl_cursor_u64(cursor, 0) - base) / query->bucket_us);
        uint32_t column = query->group_by ? 2 : 1;
        CU_ASSERT_FATAL(b < BUCKETS);
        cell *expected = &cells[b][query->group_by ? nfl_cursor_u64(cursor, 1) : 0];
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, column), expected->bytes);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, column + 1), expected->packets);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, column + 2), expected->flows);
        CU_ASSERT(expected->touched);
        expected->touched = 0;
    }
    for (int b = 0; b < BUCKETS; b++)
        for (int p = 0; p < PROTOS; p++)
            CU_ASSERT(!cells[b][p].touched); /* each had its row */
    nfl_cursor_free(cursor);
}

static void test_series_are_those_of_a_plain_evaluation(void)
{
    fixture *f = make(1);
    test_random random = {2};
    for (int round = 0; round < 60; round++) {
        nfl_usec from = START + (nfl_usec)test_below(&random, SPAN_S) * SECOND;
        NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_SPREAD, .bucket_us = (nfl_usec)(20 + test_below(&random, 600)) * SECOND,
                 .group_by = round % 2 ? "proto" : NULL, .from_us = test_chance(&random, 60) ? from : 0,
                 .to_us = test_chance(&random, 60) ? from + (nfl_usec)(1 + test_below(&random, 2000)) * SECOND : 0);
        check_series(f, &query);
    }
    unmake(f);
}

static void test_parts_add_up_to_the_whole(void)
{
    test_random random = {3};
    for (int round = 0; round < 20000; round++) {
        uint64_t value = test_next(&random) >> test_below(&random, 64), length = test_next(&random) >> (1 + test_below(&random, 62));
        uint64_t sum = 0, before = 0, at = 0;
        while (at < length) {
            at += 1 + test_below(&random, length / 5 + 1);
            uint64_t share = nfl__spread_share(value, at, length);
            CU_ASSERT(share >= before && share <= value);
            sum += share - before;
            before = share;
        }
        CU_ASSERT_EQUAL(sum, length ? value : 0);
    }
    CU_ASSERT_EQUAL(nfl__spread_share(9, 0, 0), 9);
    CU_ASSERT_EQUAL(nfl__spread_share(UINT64_MAX, 1, 2), UINT64_MAX / 2);
}

static nfl_status ask(nfl_store *store, const nfl_query *query, nfl_error *err)
{
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(store, query, &cursor, err);
    nfl_cursor_free(cursor);
    return status;
}

static void test_hostile_times_are_bounded(void)
{
    static const struct {
        nfl_usec first, last;
    } times[] = {{INT64_MIN, INT64_MAX}, {INT64_MIN, INT64_MIN}, {INT64_MAX, INT64_MAX}, {INT64_MAX, INT64_MIN}, {-5, 5}, {0, INT64_MAX}};
    nfl_error err;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        nfl_store *store = NULL;
        nfl_flow flow = {.struct_size = sizeof flow, .first_us = times[i].first, .last_us = times[i].last, .bytes = UINT64_MAX,
                         .flows = 1, .present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_LAST)};
        CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
        NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_SPREAD, .bucket_us = 60 * SECOND);
        nfl_status status = ask(store, &query, &err);
        int is_long = times[i].last > times[i].first && i != 4;
        CU_ASSERT_EQUAL(status, is_long ? NFL_E_LIMIT : NFL_OK);
        query.from_us = START;
        query.to_us = START + 3600 * SECOND;
        CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_OK);
        nfl_store_free(store);
    }
}

static void test_spreading_needs_buckets(void)
{
    fixture *f = make(4);
    nfl_error err;
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_SPREAD, .group_by = "proto");
    CU_ASSERT_EQUAL(ask(f->store, &query, &err), NFL_E_ARG);
    unmake(f);
}

/* Rates of a bucket are those of the time it was used in. */
static void test_times_of_parts_are_their_own(void)
{
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = START + 30 * SECOND, .last_us = START + 90 * SECOND, .bytes = 6000,
                     .flows = 1, .present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_LAST)};
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_SPREAD | NFL_QUERY_ASCENDING, .bucket_us = 60 * SECOND,
             .columns = "bytes,first,last,bps", .order_by = "time");
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 1), 3000);
        CU_ASSERT_EQUAL((nfl_usec)nfl_cursor_u64(cursor, 2), START + (30 + 30 * i) * SECOND);
        CU_ASSERT_EQUAL((nfl_usec)nfl_cursor_u64(cursor, 3), START + (60 + 30 * i) * SECOND);
        CU_ASSERT_EQUAL(nfl_cursor_u64(cursor, 4), 800);
    }
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static nfl_status scenario(const nfl_alloc *alloc, void *ctx)
{
    const fixture *f = ctx;
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_SPREAD, .bucket_us = 60 * SECOND, .group_by = "proto");
    nfl_store *store = NULL;
    nfl_status status = nfl_store_new("mem:", &opts, &store, NULL);
    if (status == NFL_OK)
        status = nfl_store_append(store, f->flows, 20, sizeof *f->flows, NULL);
    nfl_cursor *cursor = NULL;
    if (status == NFL_OK)
        status = nfl_store_query(store, &query, &cursor, NULL);
    uint64_t sum = 0, whole = 0;
    while (status == NFL_OK && nfl_cursor_next(cursor, NULL) == NFL_OK)
        sum += nfl_cursor_u64(cursor, 2);
    for (int i = 0; i < 20; i++)
        whole += f->flows[i].bytes * f->flows[i].sampling;
    if (status == NFL_OK)
        CU_ASSERT_EQUAL(sum, whole);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    fixture *f = make(5);
    CU_ASSERT(test_allocation_failures(scenario, f, 8) > 10); /* the memory ring keeps what it gets: nothing is missing */
    unmake(f);
}

NFL_SUITE("spread", {"series are those of a plain evaluation", test_series_are_those_of_a_plain_evaluation},
          {"parts add up to the whole", test_parts_add_up_to_the_whole}, {"hostile times are bounded", test_hostile_times_are_bounded},
          {"spreading needs buckets", test_spreading_needs_buckets},
          {"times of parts are their own", test_times_of_parts_are_their_own},
          {"every allocation may fail", test_every_allocation_may_fail})

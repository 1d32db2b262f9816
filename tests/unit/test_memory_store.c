#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

static nfl_flow numbered_flow(uint32_t i)
{
    nfl_flow flow;
    memset(&flow, 0, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.first_us = (nfl_usec)(i + 1) * SECOND;
    flow.last_us = flow.received_us = flow.first_us + SECOND;
    flow.in_if = i;
    flow.flows = 1;
    flow.present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_IN_IF);
    return flow;
}

static nfl_store *open_ring(uint64_t max_flows)
{
    NFL_OPTS(nfl_store_opts, opts, .max_flows = max_flows);
    nfl_store *store = NULL;
    if (nfl_store_new("mem:", &opts, &store, NULL) != NFL_OK)
        abort();
    return store;
}

static void append_numbered(nfl_store *store, uint32_t first, uint32_t n)
{
    nfl_flow *flows = calloc(n, sizeof *flows);
    if (!flows)
        abort();
    for (uint32_t i = 0; i < n; i++)
        flows[i] = numbered_flow(first + i);
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, n, sizeof *flows, NULL), NFL_OK);
    free(flows);
}

static nfl_cursor *list(nfl_store *store)
{
    NFL_OPTS(nfl_query, query, .columns = "in_if");
    nfl_cursor *cursor = NULL;
    if (nfl_store_query(store, &query, &cursor, NULL) != NFL_OK)
        abort();
    return cursor;
}

/* 1 if the rows to come are first .. last without a gap. */
static int comes(nfl_cursor *cursor, uint32_t first, uint32_t last)
{
    for (uint64_t i = first; i <= last; i++)
        if (nfl_cursor_next(cursor, NULL) != NFL_OK || nfl_cursor_u64(cursor, 0) != i)
            return 0;
    return nfl_cursor_next(cursor, NULL) == NFL_DONE;
}

static int holds(nfl_store *store, uint32_t first, uint32_t last)
{
    nfl_cursor *cursor = list(store);
    int good = comes(cursor, first, last);
    nfl_cursor_free(cursor);
    return good;
}

static void test_the_latest_flows_stay(void)
{
    nfl_store *store = open_ring(100);
    append_numbered(store, 0, 60);
    CU_ASSERT(holds(store, 0, 59));
    append_numbered(store, 60, 60);
    CU_ASSERT(holds(store, 20, 119));
    append_numbered(store, 120, 1000);
    CU_ASSERT(holds(store, 1020, 1119));
    nfl_store_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info.flows, 100);
    CU_ASSERT_EQUAL(info.dropped_flows, 1020);
    CU_ASSERT_EQUAL(info.first_us, 1021 * SECOND);
    CU_ASSERT_EQUAL(info.last_us, 1120 * SECOND);
    CU_ASSERT_EQUAL(info.received_first_us, 1022 * SECOND);
    CU_ASSERT_EQUAL(info.received_last_us, 1121 * SECOND);
    CU_ASSERT(info.bytes >= 100 * sizeof(nfl_flow) && info.bytes < 101 * sizeof(nfl_flow));
    nfl_store_free(store);
}

static void test_an_empty_ring(void)
{
    nfl_store *store = open_ring(0);
    nfl_store_info info = {.struct_size = sizeof info, .first_us = 7};
    nfl_verify_report report = {.struct_size = sizeof report};
    nfl_cursor *cursor = list(store);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE);
    nfl_cursor_free(cursor);
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info.flows, 0);
    CU_ASSERT_EQUAL(info.first_us, 0);
    CU_ASSERT_EQUAL(nfl_store_append(store, NULL, 0, 0, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_expire(store, INT64_MAX, NULL), NFL_OK);
    nfl_store_free(store);
    nfl_store_free(NULL);
}

static void test_expiry_drops_the_oldest(void)
{
    nfl_store *store = open_ring(50);
    append_numbered(store, 0, 70);
    CU_ASSERT_EQUAL(nfl_store_expire(store, 42 * SECOND, NULL), NFL_OK); /* flow i arrives at i + 2 */
    CU_ASSERT(holds(store, 40, 69));
    append_numbered(store, 70, 15);
    CU_ASSERT(holds(store, 40, 84));
    CU_ASSERT_EQUAL(nfl_store_expire(store, INT64_MAX, NULL), NFL_OK);
    append_numbered(store, 85, 3);
    CU_ASSERT(holds(store, 85, 87));
    nfl_store_free(store);
}

static void test_a_cursor_reads_what_was_there_when_it_was_made(void)
{
    nfl_store *store = open_ring(5000);
    append_numbered(store, 0, 4500);
    nfl_cursor *cursor = list(store);
    append_numbered(store, 4500, 100);
    CU_ASSERT(comes(cursor, 0, 4499));
    nfl_cursor_free(cursor);
    /* Overwritten while it reads: it goes on with the oldest that is left. */
    cursor = list(store);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    append_numbered(store, 4600, 4900);
    uint64_t row = 0, rows = 1, gaps = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
        gaps += nfl_cursor_u64(cursor, 0) != row + 1;
        row = nfl_cursor_u64(cursor, 0);
        rows++;
    }
    CU_ASSERT_EQUAL(row, 4599);
    CU_ASSERT_EQUAL(gaps, 1);
    CU_ASSERT(rows > 100 && rows < 4600);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static void test_flows_of_other_ages(void)
{
    struct {
        nfl_flow flow;
        uint64_t more[2];
    } newer[3];
    size_t old_len = offsetof(nfl_flow, src_port);
    nfl_flow flow = numbered_flow(0);
    nfl_store *store = open_ring(10);
    memset(newer, 0xff, sizeof newer);
    for (uint32_t i = 0; i < 3; i++) {
        newer[i].flow = numbered_flow(i);
        newer[i].flow.struct_size = sizeof newer[0];
        newer[i].flow.present |= UINT64_C(1) << 60;
    }
    CU_ASSERT_EQUAL(nfl_store_append(store, &newer[0].flow, 3, sizeof newer[0], NULL), NFL_OK);
    flow.in_if = 3;
    flow.struct_size = (uint32_t)old_len;
    nfl_flow *old = test_exact(&flow, old_len);
    CU_ASSERT_EQUAL(nfl_store_append(store, old, 1, old_len, NULL), NFL_OK);
    CU_ASSERT(holds(store, 0, 3));
    free(old);
    nfl_store_free(store);
}

static void test_mistakes(void)
{
    nfl_store *store = open_ring(10), *none = NULL;
    nfl_error err;
    nfl_flow flows[2] = {numbered_flow(0), numbered_flow(1)};
    flows[1].struct_size = 0;
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, 2, sizeof *flows, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, 1, 8, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, 1, sizeof *flows - 4, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_sync(store, 0, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_sync(store, 4, &err), NFL_E_ARG);
    nfl_store_info info = {0};
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, &err), NFL_E_ARG);
    nfl_cursor *cursor = list(store);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_DONE); /* nothing was appended */
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    NFL_OPTS(nfl_store_opts, opts, .flags = 0x100);
    CU_ASSERT_EQUAL(nfl_store_new("mem:", &opts, &none, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_new("clickhouse://localhost/db", NULL, &none, &err), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_new(NULL, NULL, &none, &err), NFL_E_ARG);
    CU_ASSERT_PTR_NULL(none);
}

static void test_a_store_opened_for_reading_is_not_written(void)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    nfl_store *store = NULL;
    nfl_flow flow = numbered_flow(0);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", &opts, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_E_STATE);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_VISIBLE, NULL), NFL_E_STATE);
    CU_ASSERT_EQUAL(nfl_store_expire(store, 0, NULL), NFL_E_STATE);
    nfl_store_free(store);
}

static nfl_status fill(const nfl_alloc *alloc, void *ctx)
{
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc, .max_flows = 50);
    nfl_store *store = NULL;
    nfl_flow flow = numbered_flow(0);
    (void)ctx;
    nfl_status status = nfl_store_new("mem:", &opts, &store, NULL);
    for (unsigned i = 0; i < 200 && status == NFL_OK; i++)
        status = nfl_store_append(store, &flow, 1, sizeof flow, NULL);
    nfl_store_free(store);
    return status;
}

static void test_running_out_of_memory(void)
{
    CU_ASSERT(test_allocation_failures(fill, NULL, 0) > 5);
}

NFL_SUITE("memory store", {"the latest flows stay", test_the_latest_flows_stay},
          {"an empty ring", test_an_empty_ring}, {"expiry drops the oldest", test_expiry_drops_the_oldest},
          {"a cursor reads what was there when it was made",
           test_a_cursor_reads_what_was_there_when_it_was_made},
          {"flows of other ages", test_flows_of_other_ages}, {"mistakes", test_mistakes},
          {"a store opened for reading is not written", test_a_store_opened_for_reading_is_not_written},
          {"running out of memory", test_running_out_of_memory})

#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS = 400, PAGE = 37 };

static nfl_store *open_store(const char *path, uint32_t flags)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags);
    nfl_store *store = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    return store;
}

static void append(nfl_store *store, uint32_t from, uint32_t to, uint64_t bytes_above)
{
    for (uint32_t i = from; i < to; i++) {
        nfl_flow flow;
        test_numbered_flow(i, &flow);
        flow.present |= NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_IN_IF);
        flow.bytes = bytes_above + i % 7 * 100; /* many are alike */
        flow.in_if = i;
        flow.sampling = 0;
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    }
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
}

/* Flows that differ in number and arrival only. */
static void append_alike(nfl_store *store, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        nfl_flow numbered, flow = {.struct_size = sizeof flow, .bytes = 100, .flows = 1, .in_if = i};
        test_numbered_flow(i, &numbered);
        flow.received_us = flow.first_us = numbered.received_us;
        flow.present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_IN_IF);
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    }
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
}

/* in_if of each row of a page, and its token. */
static size_t read_page(nfl_store *store, const nfl_query *query, uint64_t *numbers, char token[NFL_TOKEN_SIZE])
{
    nfl_cursor *cursor = NULL;
    nfl_error err;
    size_t n = 0;
    nfl_status status = nfl_store_query(store, query, &cursor, &err);
    if (status != NFL_OK)
        printf("\n    %s\n", err.message);
    CU_ASSERT_EQUAL_FATAL(status, NFL_OK);
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        numbers[n++] = nfl_cursor_u64(cursor, 0);
    if (n)
        CU_ASSERT_EQUAL(nfl_cursor_token(cursor, token, NULL), NFL_OK);
    nfl_cursor_free(cursor);
    return n;
}

static void test_pages_stay_while_flows_arrive_and_segments_are_merged(void)
{
    char path[TEST_PATH_SIZE], token[NFL_TOKEN_SIZE], after[NFL_TOKEN_SIZE];
    static uint64_t whole[FLOWS], pages[FLOWS + PAGE];
    NFL_OPTS(nfl_query, query, .columns = "in_if,bytes", .order_by = "bytes");
    NFL_OPTS(nfl_compact_opts, all, .flags = NFL_COMPACT_ALL);
    size_t got = 0, n;
    test_make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE);
    for (uint32_t i = 0; i < FLOWS; i += 100)
        append(store, i, i + 100, 1000);
    CU_ASSERT_EQUAL(read_page(store, &query, whole, token), FLOWS);
    query.limit = PAGE;
    for (int page = 0; (n = read_page(store, &query, pages + got, token)) > 0; page++) {
        got += n;
        CU_ASSERT_FATAL(got <= FLOWS);
        memcpy(after, token, sizeof after);
        query.after = after;
        append(store, FLOWS + 10 * (uint32_t)page, FLOWS + 10 * (uint32_t)page + 10, 5000); /* they sort before all pages */
        if (page == 3)
            while (nfl_store_compact(store, &all, NULL) == NFL_OK)
                ;
        if (page == 5) {
            nfl_store_free(store);
            store = open_store(path, 0);
        }
    }
    CU_ASSERT_EQUAL(got, FLOWS);
    CU_ASSERT_EQUAL(memcmp(pages, whole, sizeof whole), 0);
    nfl_store_free(store);
    test_remove_folder(path);
}

/* Rows that have gone, and groups that have come, move no others: all of the rest come once. */
static void test_what_comes_and_goes_moves_no_others(void)
{
    enum { HOSTS = 40, LOT = 10 };
    char path[TEST_PATH_SIZE], token[NFL_TOKEN_SIZE], after[NFL_TOKEN_SIZE];
    for (int grouped = 0; grouped < 2; grouped++) {
        uint64_t seen[4 * HOSTS] = {0}, page[LOT];
        NFL_OPTS(nfl_query, query, .columns = grouped ? "packets" : "in_if", .group_by = grouped ? "in_if" : NULL,
                 .order_by = "bytes", .limit = 7);
        size_t n;
        int pages = 0;
        test_make_folder(path);
        nfl_store *store = open_store(path, NFL_STORE_CREATE);
        for (uint32_t i = 0; i < HOSTS; i += LOT)
            append_alike(store, i + HOSTS, i + HOSTS + LOT);
        while ((n = read_page(store, &query, page, token)) > 0) {
            for (size_t i = 0; i < n; i++)
                seen[page[i]]++;
            query.after = memcpy(after, token, sizeof after);
            if (pages++ > 0)
                continue;
            if (!grouped) { /* the first segment goes ... */
                nfl_flow first;
                test_numbered_flow(HOSTS + LOT, &first);
                CU_ASSERT_EQUAL(nfl_store_expire(store, first.received_us, NULL), NFL_OK);
            }
            append_alike(store, 0, 5); /* ... and some come, before and behind the others */
            append_alike(store, 3 * HOSTS, 3 * HOSTS + 5);
        }
        CU_ASSERT(pages > 4);
        for (uint32_t i = HOSTS + LOT; i < 2 * HOSTS; i++)
            CU_ASSERT_EQUAL(seen[i], 1);
        for (uint32_t i = 0; i < HOSTS + LOT; i++)
            CU_ASSERT(seen[i] <= 1);
        nfl_store_free(store);
        test_remove_folder(path);
    }
}

static nfl_status ask(nfl_store *store, const nfl_query *query, nfl_error *err)
{
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(store, query, &cursor, err);
    nfl_cursor_free(cursor);
    return status;
}

static void test_tokens_that_are_none_are_refused(void)
{
    char token[NFL_TOKEN_SIZE], wrong[NFL_TOKEN_SIZE];
    uint64_t numbers[5];
    nfl_error err;
    nfl_store *store = open_store("mem:", 0);
    append(store, 0, 20, 10);
    NFL_OPTS(nfl_query, query, .columns = "in_if", .order_by = "bytes", .limit = 5);
    CU_ASSERT_EQUAL(read_page(store, &query, numbers, token), 5);
    query.after = wrong;
    for (size_t i = 0; i < strlen(token); i++) {
        memcpy(wrong, token, sizeof wrong);
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_SYNTAX);
    }
    static const char *const texts[] = {"", "x", "00", "after"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        query.after = texts[i];
        CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_SYNTAX);
    }
    query.after = token;
    CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_OK);
    query.filter = "tcp";
    CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_SYNTAX);
    CU_ASSERT_STRING_EQUAL(err.message, "after: the token is of another query");
    query.filter = NULL;
    query.order_by = NULL;
    CU_ASSERT_EQUAL(ask(store, &query, &err), NFL_E_ARG);
    nfl_store_free(store);
}

static void test_rows_without_place_have_no_token(void)
{
    char token[NFL_TOKEN_SIZE];
    nfl_error err;
    nfl_cursor *cursor = NULL;
    nfl_store *store = open_store("mem:", 0);
    append(store, 0, 20, 10);
    NFL_OPTS(nfl_query, ordered, .order_by = "bytes");
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &ordered, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_cursor_token(cursor, token, &err), NFL_E_STATE);
    nfl_cursor_free(cursor);
    NFL_OPTS(nfl_query, listed, .limit = 3);
    NFL_OPTS(nfl_query, buckets, .bucket_us = 1000000);
    const nfl_query *without[] = {&listed, &buckets};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, without[i], &cursor, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_cursor_token(cursor, token, &err), NFL_E_STATE);
        nfl_cursor_free(cursor);
    }
    nfl_store_free(store);
}

NFL_SUITE("page",
          {"pages stay while flows arrive and segments are merged", test_pages_stay_while_flows_arrive_and_segments_are_merged},
          {"what comes and goes moves no others", test_what_comes_and_goes_moves_no_others},
          {"tokens that are none are refused", test_tokens_that_are_none_are_refused},
          {"rows without place have no token", test_rows_without_place_have_no_token})

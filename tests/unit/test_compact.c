#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { LOT = 50, DAY_S = 86400 };

static nfl_store *open_store(const char *path, uint32_t flags)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags);
    nfl_store *store = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    return store;
}

/* A store of `segments` sealed segments of LOT flows each, numbered through; `per_day` of them arrive on each UTC day. */
static nfl_store *make_store(char path[TEST_PATH_SIZE], uint32_t segments, uint32_t per_day)
{
    test_make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE);
    for (uint32_t s = 0; s < segments; s++) {
        nfl_flow flows[LOT];
        for (uint32_t i = 0; i < LOT; i++) {
            test_numbered_flow(s * LOT + i, &flows[i]);
            nfl_usec day_us = (nfl_usec)(s / per_day) * DAY_S * 1000000;
            flows[i].received_us += day_us;
        }
        CU_ASSERT_EQUAL(nfl_store_append(store, flows, LOT, sizeof *flows, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
    return store;
}

static nfl_status compact_all(nfl_store *store, uint32_t flags, uint64_t max_rows)
{
    NFL_OPTS(nfl_compact_opts, opts, .flags = flags, .max_rows = max_rows);
    nfl_status status = NFL_OK;
    for (int i = 0; i < 1000 && status == NFL_OK; i++)
        status = nfl_store_compact(store, &opts, NULL);
    return status;
}

static uint64_t segments_of(nfl_store *store)
{
    nfl_store_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    return info.segments;
}

static nfl_cursor *list(nfl_store *store)
{
    NFL_OPTS(nfl_query, query, .columns = "in_if,received,src,dst,src_port,bytes");
    nfl_cursor *cursor = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    return cursor;
}

/* Are the flows that follow numbered `from` to `to` - 1, with the values they had? */
static int follows(nfl_cursor *cursor, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        nfl_flow flow;
        nfl_value address = {.struct_size = sizeof address};
        test_numbered_flow(i, &flow);
        if (nfl_cursor_next(cursor, NULL) != NFL_OK || nfl_cursor_u64(cursor, 0) != i)
            return 0;
        nfl_cursor_get(cursor, 2, &address);
        if (memcmp(&address.ip, &flow.src, sizeof flow.src) != 0)
            return 0;
    }
    return 1;
}

static int holds(nfl_store *store, uint32_t flows)
{
    nfl_cursor *cursor = list(store);
    int right = follows(cursor, 0, flows) && nfl_cursor_next(cursor, NULL) == NFL_DONE;
    nfl_cursor_free(cursor);
    return right;
}

static int is_sound(nfl_store *store)
{
    nfl_verify_report report = {.struct_size = sizeof report};
    return nfl_store_verify(store, &report, NULL) == NFL_OK;
}

static void test_small_segments_become_one(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 10, 10);
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    CU_ASSERT_EQUAL(segments_of(store), 1);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 1);
    CU_ASSERT(holds(store, 10 * LOT));
    CU_ASSERT(is_sound(store));
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_READ_ONLY);
    CU_ASSERT(holds(store, 10 * LOT));
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_which_segments_are_merged(void)
{
    static const struct {
        const char *name;
        uint32_t segments, per_day, flags;
        uint64_t max_rows, left;
    } cases[] = {{"a few of today are left alone", 7, 7, 0, 0, 7},
                 {"unless all are asked for", 7, 7, NFL_COMPACT_ALL, 0, 1},
                 {"those of a day that is over are merged", 8, 5, 0, 0, 4},
                 {"days stay apart", 30, 10, NFL_COMPACT_ALL, 0, 3},
                 {"none gets more rows than it may", 20, 20, NFL_COMPACT_ALL, 5 * LOT, 4},
                 {"one that is larger than allowed stays", 3, 3, NFL_COMPACT_ALL, LOT / 2, 3},
                 {"a single one becomes compact", 1, 1, NFL_COMPACT_ALL, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[TEST_PATH_SIZE];
        nfl_store *store = make_store(path, cases[i].segments, cases[i].per_day);
        NFL_CHECK(cases[i].name, compact_all(store, cases[i].flags, cases[i].max_rows) == NFL_DONE);
        NFL_CHECK(cases[i].name, segments_of(store) == cases[i].left);
        NFL_CHECK(cases[i].name, holds(store, cases[i].segments * LOT) && is_sound(store));
        nfl_store_free(store);
        test_remove_folder(path);
    }
}

/* A cursor of another handle (as of another process: locks belong to open files) sees what it began with. */
static void test_a_reader_that_began_before_misses_nothing(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 10, 10), *other = open_store(path, NFL_STORE_READ_ONLY);
    nfl_cursor *elsewhere = list(other), *here = list(store);
    CU_ASSERT(follows(elsewhere, 0, 3));
    CU_ASSERT(follows(here, 0, 3));
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    CU_ASSERT_EQUAL(segments_of(store), 1);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 11);
    CU_ASSERT(follows(elsewhere, 3, 10 * LOT));
    CU_ASSERT_EQUAL(nfl_cursor_next(elsewhere, NULL), NFL_DONE);
    nfl_cursor_free(elsewhere);
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 11); /* one reader is left */
    CU_ASSERT(follows(here, 3, 10 * LOT));
    nfl_cursor_free(here);
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 1);
    nfl_store_free(other);
    nfl_store_free(store);
    test_remove_folder(path);
}

/* The writer ends while somebody reads; its successor leaves the files alone, too, until the reader has finished. */
static void test_files_in_use_survive_their_writer(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 10, 10), *other = open_store(path, NFL_STORE_READ_ONLY);
    nfl_cursor *cursor = list(other);
    CU_ASSERT(follows(cursor, 0, 3));
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    nfl_store_free(store);
    store = open_store(path, 0);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 11);
    CU_ASSERT(follows(cursor, 3, 10 * LOT));
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    store = open_store(path, 0);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 1);
    CU_ASSERT(holds(store, 10 * LOT));
    nfl_store_free(other);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_appends_and_expiry_go_on_between_steps(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 10, 10);
    CU_ASSERT_EQUAL(nfl_store_compact(store, NULL, NULL), NFL_OK);
    nfl_flow flow;
    test_numbered_flow(10 * LOT, &flow);
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    CU_ASSERT_EQUAL(compact_all(store, 0, 0), NFL_DONE);
    CU_ASSERT_EQUAL(segments_of(store), 2);
    CU_ASSERT(holds(store, 10 * LOT + 1));
    CU_ASSERT_EQUAL(nfl_store_compact(store, &(nfl_compact_opts){.struct_size = sizeof(nfl_compact_opts), .flags = NFL_COMPACT_ALL}, NULL),
                    NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_expire(store, flow.received_us + 1, NULL), NFL_OK);
    CU_ASSERT_EQUAL(compact_all(store, NFL_COMPACT_ALL, 0), NFL_DONE);
    CU_ASSERT_EQUAL(segments_of(store), 0);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 0);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void damage_file(const char *path, const char *suffix)
{
    char found[2 * TEST_PATH_SIZE];
    CU_ASSERT_FATAL(test_find_file(path, suffix, found));
    FILE *file = fopen(found, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, 100, SEEK_SET);
    fputs("damage", file);
    fclose(file);
}

static void test_damaged_segments_stay_as_they_are(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 10, 10);
    damage_file(path, "6.nfs"); /* ids go up by two */
    damage_file(path, "c.nfs");
    CU_ASSERT_EQUAL(compact_all(store, NFL_COMPACT_ALL, 0), NFL_E_CORRUPT);
    CU_ASSERT_EQUAL(segments_of(store), 10);
    CU_ASSERT_EQUAL(compact_all(store, NFL_COMPACT_ALL, 0), NFL_E_CORRUPT);
    CU_ASSERT(segments_of(store) > 3);
    CU_ASSERT_EQUAL(compact_all(store, NFL_COMPACT_ALL, 0), NFL_DONE); /* the others */
    CU_ASSERT_EQUAL(segments_of(store), 5); /* those before, between and after */
    nfl_verify_report report = {.struct_size = sizeof report};
    CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_E_CORRUPT);
    CU_ASSERT_EQUAL(report.flows + 2 * LOT, 10 * LOT);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_what_cannot_be_compacted(void)
{
    char path[TEST_PATH_SIZE];
    nfl_error err;
    NFL_OPTS(nfl_compact_opts, opts, .flags = 0x10);
    nfl_store *store = make_store(path, 1, 1);
    CU_ASSERT_EQUAL(nfl_store_compact(store, &opts, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_store_compact(store, NULL, &err), NFL_DONE);
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_READ_ONLY);
    CU_ASSERT_EQUAL(nfl_store_compact(store, NULL, &err), NFL_E_STATE);
    nfl_store_free(store);
    store = open_store("mem:", 0);
    CU_ASSERT_EQUAL(nfl_store_compact(store, NULL, &err), NFL_DONE);
    nfl_store_free(store);
    test_remove_folder(path);
}

NFL_SUITE("compact", {"small segments become one", test_small_segments_become_one},
          {"which segments are merged", test_which_segments_are_merged},
          {"a reader that began before misses nothing", test_a_reader_that_began_before_misses_nothing},
          {"files in use survive their writer", test_files_in_use_survive_their_writer},
          {"appends and expiry go on between steps", test_appends_and_expiry_go_on_between_steps},
          {"damaged segments stay as they are", test_damaged_segments_stay_as_they_are},
          {"what cannot be compacted", test_what_cannot_be_compacted})

#include <CUnit/Basic.h>

#include <netflow/store.h>

#include "store/file_store.h"
#include "store/holds.h"
#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 10, LOT = 20 };

#define START_US INT64_C(1795440000000000)
#define HOUR_US INT64_C(3600000000)

typedef struct opened {
    void *self;
    const nfl__store_ops *ops;
} opened;

static nfl_status open_with(const nfl__files *files, const char *path, opened *out)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE);
    return nfl__file_store_open_with(files, path, &opts, &out->self, &out->ops, NULL);
}

/* SEGMENTS segments, one an hour, flow i has in_if = i and starts when it arrives. */
static void fill(const opened *store)
{
    for (uint32_t s = 0; s < SEGMENTS; s++) {
        nfl_flow flows[LOT];
        for (uint32_t i = 0; i < LOT; i++) {
            test_numbered_flow(s * LOT + i, &flows[i]);
            flows[i].received_us = flows[i].first_us = START_US + s * HOUR_US + i;
        }
        CU_ASSERT_EQUAL(store->ops->append(store->self, flows, LOT, sizeof *flows, NULL), NFL_OK);
        CU_ASSERT_EQUAL(store->ops->sync(store->self, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
}

static uint64_t segments_of(const opened *store, uint64_t *bytes)
{
    nfl_store_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(store->ops->info(store->self, &info, NULL), NFL_OK);
    if (bytes)
        *bytes = info.bytes;
    return info.segments;
}

static nfl_status hold(const opened *store, const char *name, nfl_usec from_us, nfl_usec to_us)
{
    nfl_hold h = {.struct_size = sizeof h, .from_us = from_us, .to_us = to_us, .note = "court order 17/2026"};
    (void)snprintf(h.name, sizeof h.name, "%s", name);
    return store->ops->hold(store->self, &h, h.name, NULL);
}

static void test_what_is_dropped(void)
{
    static const struct {
        const char *name;
        int hours;          /* older ones go */
        int segments_kept;  /* bytes of so many are allowed */
        int segments_free;  /* so many must go for the disk */
        int held;           /* hour that is held; -1 = none */
        nfl_status status;
        uint64_t left, files;
    } t[] = {{"nothing", 0, 0, 0, -1, NFL_OK, 10, 10},
             {"by age", 4, 0, 0, -1, NFL_OK, 6, 6},
             {"all", 20, 0, 0, -1, NFL_OK, 0, 0},
             {"by size", 0, 3, 0, -1, NFL_OK, 3, 3},
             {"by free space", 0, 0, 2, -1, NFL_OK, 8, 8},
             {"by both, the stricter counts", 7, 5, 1, -1, NFL_OK, 3, 3},
             {"held by age", 4, 0, 0, 2, NFL_PENDING, 7, 7},
             {"held and young anyway", 4, 0, 0, 6, NFL_OK, 6, 6},
             {"held by size: younger ones go instead", 0, 3, 0, 0, NFL_OK, 3, 3},
             {"all but what is held", 20, 0, 0, 9, NFL_PENDING, 1, 1}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char path[TEST_PATH_SIZE];
        test_files files;
        opened store;
        uint64_t bytes;
        test_files_init(&files);
        test_make_folder(path);
        CU_ASSERT_EQUAL_FATAL(open_with(&files.table, path, &store), NFL_OK);
        fill(&store);
        (void)segments_of(&store, &bytes);
        if (t[i].held >= 0)
            CU_ASSERT_EQUAL(hold(&store, "case", START_US + t[i].held * HOUR_US, START_US + t[i].held * HOUR_US + 5), NFL_OK);
        files.free_bytes = 1000000;
        nfl_retention wanted = {.struct_size = sizeof wanted,
                                .before_us = t[i].hours ? START_US + t[i].hours * HOUR_US - HOUR_US / 2 : 0,
                                .max_bytes = bytes * (uint64_t)t[i].segments_kept / SEGMENTS * 11 / 10,
                                .min_free_bytes = t[i].segments_free ? 1000000 + bytes * (uint64_t)t[i].segments_free / SEGMENTS * 9 / 10 : 0};
        NFL_CHECK(t[i].name, store.ops->retain(store.self, &wanted, NULL) == t[i].status);
        NFL_CHECK(t[i].name, segments_of(&store, NULL) == t[i].left);
        NFL_CHECK(t[i].name, test_count_files(path, ".nfs") == t[i].files);
        store.ops->close(store.self);
        test_remove_folder(path);
    }
}

static void test_holds_are_kept_and_released(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store;
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE);
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    NFL_OPTS(nfl_hold, b, .from_us = -5, .to_us = 7, .name = "b", .note = "note with spaces, \xc3\xa4");
    NFL_OPTS(nfl_hold, a, .from_us = 1, .to_us = 2, .name = "a.1_2-3");
    CU_ASSERT_EQUAL(nfl_store_hold(store, &b, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_hold(store, &a, NULL), NFL_OK);
    a.to_us = 3;
    CU_ASSERT_EQUAL(nfl_store_hold(store, &a, NULL), NFL_OK);
    nfl_store_free(store);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    nfl_hold found = {.struct_size = sizeof found};
    CU_ASSERT_EQUAL(nfl_store_get_hold(store, 0, &found, NULL), NFL_OK);
    CU_ASSERT_EQUAL(memcmp(&found, &a, sizeof a), 0);
    CU_ASSERT_EQUAL(nfl_store_get_hold(store, 1, &found, NULL), NFL_OK);
    CU_ASSERT_EQUAL(memcmp(&found, &b, sizeof b), 0);
    CU_ASSERT_EQUAL(nfl_store_get_hold(store, 2, &found, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_store_release(store, "a", NULL), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(nfl_store_release(store, "a.1_2-3", NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_get_hold(store, 0, &found, NULL), NFL_OK);
    CU_ASSERT_STRING_EQUAL(found.name, "b");
    CU_ASSERT_EQUAL(nfl_store_get_hold(store, 1, &found, NULL), NFL_DONE);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_holds_that_are_none(void)
{
    static const struct {
        const char *name, *note;
        nfl_usec from_us, to_us;
    } t[] = {{"", "x", 1, 2}, {"a b", "x", 1, 2}, {"a/b", "x", 1, 2}, {"a\n", "x", 1, 2}, {"a", "x\ny", 1, 2}, {"a", "x", 2, 2}, {"a", "x", 3, 2}};
    char path[TEST_PATH_SIZE];
    opened store;
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(open_with(&nfl__files_system, path, &store), NFL_OK);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_hold h = {.struct_size = sizeof h, .from_us = t[i].from_us, .to_us = t[i].to_us};
        (void)snprintf(h.name, sizeof h.name, "%s", t[i].name);
        (void)snprintf(h.note, sizeof h.note, "%s", t[i].note);
        NFL_CHECK(t[i].name, store.ops->hold(store.self, &h, h.name, NULL) == NFL_E_ARG);
    }
    nfl_hold h = {.struct_size = sizeof h, .to_us = 1};
    memset(h.name, 'a', sizeof h.name);
    CU_ASSERT_EQUAL(store.ops->hold(store.self, &h, h.name, NULL), NFL_E_ARG);
    memset(h.name + 5, 0, 5);
    memset(h.note, 'a', sizeof h.note);
    CU_ASSERT_EQUAL(store.ops->hold(store.self, &h, h.name, NULL), NFL_E_ARG);
    store.ops->close(store.self);
    test_remove_folder(path);
}

/* Each byte of the file changed, each length: an error, and nothing is dropped. */
static void test_damaged_holds_stop_all_dropping(void)
{
    char path[TEST_PATH_SIZE], name[TEST_PATH_SIZE + 8], text[200];
    opened store;
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(open_with(&nfl__files_system, path, &store), NFL_OK);
    fill(&store);
    CU_ASSERT_EQUAL(hold(&store, "case", START_US, START_US + 1), NFL_OK);
    (void)snprintf(name, sizeof name, "%s/holds", path);
    FILE *file = fopen(name, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    nfl_retention all = {.struct_size = sizeof all, .before_us = INT64_MAX};
    for (size_t i = 0; i < 2 * len; i++) {
        file = fopen(name, "wb");
        size_t n = i < len ? len : i - len;
        for (size_t at = 0; at < n; at++)
            fputc(i == at ? text[at] ^ 4 : text[at], file);
        fclose(file);
        CU_ASSERT_EQUAL(store.ops->retain(store.self, &all, NULL), NFL_E_CORRUPT);
    }
    CU_ASSERT_EQUAL(segments_of(&store, NULL), SEGMENTS);
    store.ops->close(store.self);
    test_remove_folder(path);
}

/* Every operation fails once: what is held is never dropped, and the next try does the rest. */
static void test_retention_through_failing_operations(void)
{
    for (long n = 0;; n++) {
        char path[TEST_PATH_SIZE];
        test_files files;
        opened store, again;
        test_files_init(&files);
        test_make_folder(path);
        CU_ASSERT_EQUAL_FATAL(open_with(&files.table, path, &store), NFL_OK);
        fill(&store);
        files.calls = 0;
        files.fail_at = n;
        files.fail_count = 1;
        files.error = EIO;
        files.count_reads = 1;
        nfl_status held = hold(&store, "case", START_US + 2 * HOUR_US, START_US + 2 * HOUR_US + 1);
        nfl_retention old = {.struct_size = sizeof old, .before_us = START_US + 5 * HOUR_US};
        nfl_status dropped = held == NFL_OK ? store.ops->retain(store.self, &old, NULL) : NFL_E_IO;
        long failed = files.failed;
        store.ops->close(store.self);
        CU_ASSERT_EQUAL_FATAL(open_with(&nfl__files_system, path, &again), NFL_OK);
        CU_ASSERT(dropped >= 0 ? segments_of(&again, NULL) == 6 : segments_of(&again, NULL) >= 6);
        CU_ASSERT_EQUAL(hold(&again, "case", START_US + 2 * HOUR_US, START_US + 2 * HOUR_US + 1), NFL_OK);
        CU_ASSERT_EQUAL(again.ops->retain(again.self, &old, NULL), NFL_PENDING);
        CU_ASSERT_EQUAL(segments_of(&again, NULL), 6);
        CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 6);
        again.ops->close(again.self);
        test_remove_folder(path);
        if (!failed)
            break;
    }
}

static int refuse_shared_locks(void *ctx, int file, uint64_t at, uint64_t len, int what)
{
    (void)ctx;
    return what == NFL__LOCK_SHARED ? -ENOLCK : nfl__files_system.lock(NULL, file, at, len, what);
}

/* Where locks do not work, what is gone may have been merged: an error, never an answer with less. */
static void test_a_reader_without_locks_does_not_pass_over_what_is_gone(void)
{
    for (int locks = 0; locks < 2; locks++) {
        char path[TEST_PATH_SIZE];
        opened writer, reader;
        nfl_filter *any;
        nfl__source *source;
        nfl__files files = nfl__files_system;
        NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
        test_make_folder(path);
        CU_ASSERT_EQUAL_FATAL(open_with(&nfl__files_system, path, &writer), NFL_OK);
        fill(&writer);
        if (!locks)
            files.lock = refuse_shared_locks;
        CU_ASSERT_EQUAL_FATAL(nfl__file_store_open_with(&files, path, &opts, &reader.self, &reader.ops, NULL), NFL_OK);
        CU_ASSERT_EQUAL_FATAL(nfl_filter_new(NULL, NULL, &any, NULL), NFL_OK);
        CU_ASSERT_EQUAL_FATAL(reader.ops->open_source(reader.self, any, 0, &source, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_OK);
        nfl_retention all = {.struct_size = sizeof all, .before_us = INT64_MAX};
        CU_ASSERT_EQUAL(writer.ops->retain(writer.self, &all, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl__source_next(source, NULL), locks ? NFL_DONE : NFL_E_CORRUPT);
        source->ops->free(source);
        nfl_filter_free(any);
        reader.ops->close(reader.self);
        writer.ops->close(writer.self);
        test_remove_folder(path);
    }
}

NFL_SUITE("retain", {"what is dropped", test_what_is_dropped}, {"holds are kept and released", test_holds_are_kept_and_released},
          {"holds that are none", test_holds_that_are_none}, {"damaged holds stop all dropping", test_damaged_holds_stop_all_dropping},
          {"retention through failing operations", test_retention_through_failing_operations},
          {"a reader without locks does not pass over what is gone", test_a_reader_without_locks_does_not_pass_over_what_is_gone})

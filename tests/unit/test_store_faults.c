#include <CUnit/Basic.h>

#include "store/file_store.h"
#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <netflow/store.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOWS = 3000 };

static nfl_flow flows[FLOWS];

/* A store opened below nfl_store, over operations of the test's choice. */
typedef struct opened {
    void *self;
    const nfl__store_ops *ops;
} opened;

static nfl_status open_with(const nfl__files *files, const char *path, uint32_t flags, uint32_t segment_rows, opened *out)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags, .segment_rows = segment_rows);
    return nfl__file_store_open_with(files, path, &opts, &out->self, &out->ops, NULL);
}

static opened open_good(const char *path, uint32_t flags, uint32_t segment_rows)
{
    opened store;
    if (open_with(&nfl__files_system, path, flags, segment_rows, &store) != NFL_OK)
        abort();
    return store;
}

static nfl_status append(const opened *store, uint32_t first, uint32_t n)
{
    return store->ops->append(store->self, flows + first, n, sizeof *flows, NULL);
}

/* 1 if the flows first .. last-1 are there once each and no others. */
static int holds(const opened *store, uint32_t first, uint32_t last)
{
    static uint8_t seen[FLOWS];
    size_t strangers;
    nfl_error err = {0};
    if (test_store_rows(store->ops, store->self, flows, FLOWS, seen, &strangers, &err) != NFL_OK) {
        printf("\n    %s\n", err.message);
        return 0;
    }
    int good = strangers == 0;
    for (uint32_t i = 0; i < FLOWS; i++)
        good &= seen[i] == (i >= first && i < last);
    return good;
}

/* The same through a new reader. */
static int reader_finds(const char *path, uint32_t first, uint32_t last)
{
    opened reader = open_good(path, NFL_STORE_READ_ONLY, 0);
    int good = holds(&reader, first, last);
    reader.ops->close(reader.self);
    return good;
}

static void test_flows_become_visible_to_others_with_sync_only(void)
{
    char path[TEST_PATH_SIZE];
    test_make_folder(path);
    opened store = open_good(path, NFL_STORE_CREATE, 0);
    CU_ASSERT_EQUAL(append(&store, 0, 10), NFL_OK);
    CU_ASSERT(reader_finds(path, 0, 0));
    CU_ASSERT(holds(&store, 0, 10));
    CU_ASSERT_EQUAL(store.ops->sync(store.self, NFL_SYNC_VISIBLE, NULL), NFL_OK);
    CU_ASSERT(reader_finds(path, 0, 10));
    store.ops->close(store.self);
    test_remove_folder(path);
}

static void test_a_source_is_a_snapshot(void)
{
    char path[TEST_PATH_SIZE];
    test_make_folder(path);
    opened store = open_good(path, NFL_STORE_CREATE, 1000);
    CU_ASSERT_EQUAL(append(&store, 0, 700), NFL_OK);
    nfl_filter *any;
    nfl__source *source;
    CU_ASSERT_EQUAL_FATAL(nfl_filter_new(NULL, NULL, &any, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(store.ops->open_source(store.self, any, NFL_HAS(NFL_FIELD_IN_IF), &source, NULL), NFL_OK);
    CU_ASSERT_EQUAL(append(&store, 700, 100), NFL_OK);
    CU_ASSERT_EQUAL(store.ops->sync(store.self, NFL_SYNC_SEAL, NULL), NFL_OK);
    CU_ASSERT_EQUAL(append(&store, 800, 900), NFL_OK);
    uint32_t rows = 0;
    int right = 1;
    while (nfl__source_next(source, NULL) == NFL_OK) {
        CU_ASSERT_EQUAL(source->ops->load(source, NFL_FIELD_IN_IF, NULL), NFL_OK);
        for (uint32_t i = 0; i < source->batch.rows; i++)
            right &= nfl__column_u64(&source->batch.columns[NFL_FIELD_IN_IF], i) == rows++;
    }
    CU_ASSERT(right);
    CU_ASSERT_EQUAL(rows, 700);
    source->ops->free(source);
    nfl_filter_free(any);
    store.ops->close(store.self);
    test_remove_folder(path);
}

static void test_segments_end_with_rows_time_and_day(void)
{
    static const struct {
        const char *name;
        nfl_usec step_us;
        uint32_t segment_rows, segment_s, flows, segments;
    } t[] = {
        {"rows", 1, 100, 0, 1000, 9},
        {"seconds", 1000000, 0, 60, 600, 9},
        {"days", INT64_C(3600000000), 0, 1000000, 72, 2},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char path[TEST_PATH_SIZE];
        nfl_store *store;
        test_make_folder(path);
        NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE, .segment_rows = t[i].segment_rows,
                 .segment_s = t[i].segment_s);
        CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
        for (uint32_t n = 0; n < t[i].flows; n++) {
            nfl_flow flow = flows[n];
            flow.received_us = INT64_C(1795392000000000) + (nfl_usec)n * t[i].step_us; /* a midnight */
            NFL_CHECK(t[i].name, nfl_store_append(store, &flow, 1, sizeof flow, NULL) == NFL_OK);
        }
        nfl_store_info info = {.struct_size = sizeof info};
        NFL_CHECK(t[i].name, nfl_store_get_info(store, &info, NULL) == NFL_OK);
        NFL_CHECK(t[i].name, info.flows == t[i].flows);
        NFL_CHECK(t[i].name, info.segments == t[i].segments);
        nfl_store_free(store);
        test_remove_folder(path);
    }
}

static void test_what_is_no_store(void)
{
    char path[TEST_PATH_SIZE], below[2 * TEST_PATH_SIZE];
    opened store;
    test_make_folder(path);
    CU_ASSERT_EQUAL(open_with(&nfl__files_system, path, 0, 0, &store), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(open_with(&nfl__files_system, path, NFL_STORE_READ_ONLY | NFL_STORE_CREATE, 0, &store), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(test_count_files(path, ""), 0);
    (void)snprintf(below, sizeof below, "%s/none", path);
    CU_ASSERT_EQUAL(open_with(&nfl__files_system, below, 0, 0, &store), NFL_E_NOT_FOUND);
    (void)snprintf(below, sizeof below, "%s/manifest", path);
    FILE *file = fopen(below, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("something else", file);
    fclose(file);
    CU_ASSERT_EQUAL(open_with(&nfl__files_system, path, NFL_STORE_CREATE, 0, &store), NFL_E_CORRUPT);
    CU_ASSERT_EQUAL(open_with(&nfl__files_system, below, NFL_STORE_CREATE, 0, &store), NFL_E_IO);
    test_remove_folder(path);
}

static void test_what_no_manifest_names_is_deleted(void)
{
    char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE], orphan[3 * TEST_PATH_SIZE];
    test_make_folder(path);
    opened store = open_good(path, NFL_STORE_CREATE, 0);
    CU_ASSERT_EQUAL(append(&store, 0, 100), NFL_OK);
    CU_ASSERT_EQUAL(store.ops->sync(store.self, NFL_SYNC_SEAL, NULL), NFL_OK);
    store.ops->close(store.self);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", found));
    (void)snprintf(orphan, sizeof orphan, "%.*s/00000000000000ff.nfs", (int)(strrchr(found, '/') - found), found);
    CU_ASSERT_EQUAL(link(found, orphan), 0);
    (void)snprintf(orphan, sizeof orphan, "%s/journal/00000000000000fe.nfj", path);
    CU_ASSERT_EQUAL(link(found, orphan), 0);
    CU_ASSERT(reader_finds(path, 0, 100));
    store = open_good(path, 0, 0);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 1);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfj"), 1);
    CU_ASSERT(holds(&store, 0, 100));
    store.ops->close(store.self);
    test_remove_folder(path);
}

/* Flows are in the store from the first on without a gap; returns how many. -1: not so. */
static long visible_prefix(const opened *reader)
{
    static uint8_t seen[FLOWS];
    size_t strangers;
    if (test_store_rows(reader->ops, reader->self, flows, FLOWS, seen, &strangers, NULL) != NFL_OK || strangers)
        return -1;
    long n = 0;
    while (n < FLOWS && seen[n] == 1)
        n++;
    for (long i = n; i < FLOWS; i++)
        if (seen[i])
            return -1;
    return n;
}

/* --- operations that fail --- */

/* What a scenario was told: flows below `acknowledged` are synced, none at or above `offered` was ever appended. */
typedef struct promise {
    uint32_t acknowledged;
    uint32_t offered;
} promise;

/* Append and sync through failing operations; goes on after errors as a collector would. */
static promise run_failing(const nfl__files *files, const char *path, uint32_t flags)
{
    promise p = {0, 0};
    opened store;
    if (open_with(files, path, NFL_STORE_CREATE | flags, 40, &store) != NFL_OK)
        return p;
    for (uint32_t step = 0; step < 6; step++) {
        if (append(&store, p.offered, 15) != NFL_OK)
            continue;
        p.offered += 15;
        CU_ASSERT(((test_files *)files->ctx)->count_reads || holds(&store, 0, p.offered));
        static const uint32_t levels[] = {NFL_SYNC_VISIBLE, NFL_SYNC_DURABLE, NFL_SYNC_SEAL};
        if (store.ops->sync(store.self, levels[step % 3], NULL) == NFL_OK)
            p.acknowledged = p.offered;
        const nfl_compact_opts all = {.struct_size = sizeof all, .flags = NFL_COMPACT_ALL, .max_rows = 60};
        for (int i = 0; i < 8 && store.ops->compact(store.self, &all, NULL) == NFL_OK; i++)
            ;
    }
    store.ops->close(store.self);
    return p;
}

/* Everything acknowledged is there once, of the rest a beginning. */
static int promise_is_kept(const char *path, const promise *p)
{
    opened reader;
    nfl_status status = open_with(&nfl__files_system, path, NFL_STORE_READ_ONLY, 0, &reader);
    if (status == NFL_E_NOT_FOUND)
        return p->acknowledged == 0;
    if (status != NFL_OK)
        return 0;
    long n = visible_prefix(&reader);
    reader.ops->close(reader.self);
    return n >= (long)p->acknowledged && n <= (long)p->offered;
}

/* Runs the scenario with the n-th operation failing, until none fails. */
static void fail_everywhere(uint32_t flags, int error, long fail_count, int short_writes, int reads)
{
    for (long n = 0;; n++) {
        char path[TEST_PATH_SIZE];
        test_files files;
        test_files_init(&files);
        files.fail_at = n;
        files.fail_count = fail_count;
        files.error = error;
        files.short_writes = short_writes;
        files.count_reads = reads;
        test_make_folder(path);
        promise p = run_failing(&files.table, path, flags);
        int kept = promise_is_kept(path, &p);
        opened again; /* a writer opens what is left, and finds the same */
        nfl_status status = open_with(&nfl__files_system, path, NFL_STORE_CREATE, 0, &again);
        kept &= status == NFL_OK;
        if (status == NFL_OK) {
            long prefix = visible_prefix(&again);
            kept &= prefix >= (long)p.acknowledged && prefix <= (long)p.offered;
            again.ops->close(again.self);
        }
        if (!kept)
            printf("\n    failure %ld (errno %d, %ld times, flags %u): acknowledged %u, offered %u\n", n, error, fail_count,
                   flags, p.acknowledged, p.offered);
        CU_ASSERT(kept);
        test_remove_folder(path);
        if (!files.failed) {
            CU_ASSERT_EQUAL(p.acknowledged, 90);
            break;
        }
    }
}

static void test_nothing_acknowledged_is_lost_when_an_operation_fails_once(void)
{
    fail_everywhere(0, ENOSPC, 1, 0, 0);
    fail_everywhere(0, EIO, 1, 1, 0);
    fail_everywhere(NFL_STORE_NO_JOURNAL, EIO, 1, 0, 0);
}

static void test_nothing_acknowledged_is_lost_when_the_disk_stays_full(void)
{
    fail_everywhere(0, ENOSPC, LONG_MAX, 0, 0);
    fail_everywhere(0, ENOSPC, LONG_MAX, 1, 0);
    fail_everywhere(NFL_STORE_NO_JOURNAL, ENOSPC, LONG_MAX, 1, 0);
}

static void test_nothing_acknowledged_is_lost_when_reading_fails(void)
{
    fail_everywhere(0, EIO, 1, 0, 1);
}

/* --- damage --- */

static void make_store(const char *path)
{
    opened store = open_good(path, NFL_STORE_CREATE, 0);
    (void)append(&store, 0, 300);
    (void)store.ops->sync(store.self, NFL_SYNC_SEAL, NULL);
    (void)append(&store, 300, 20);
    store.ops->close(store.self);
}

static void flip_bit(const char *file_path, size_t byte, unsigned bit)
{
    FILE *file = fopen(file_path, "r+b");
    if (!file)
        abort();
    fseek(file, (long)byte, SEEK_SET);
    int c = fgetc(file);
    fseek(file, (long)byte, SEEK_SET);
    fputc(c ^ (int)(1u << bit), file);
    fclose(file);
}

static nfl_status verify(const char *path, nfl_verify_report *report)
{
    nfl_store *store;
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    *report = (nfl_verify_report){.struct_size = sizeof *report};
    nfl_status status = nfl_store_new(path, &opts, &store, NULL);
    if (status != NFL_OK)
        return status;
    status = nfl_store_verify(store, report, NULL);
    nfl_store_free(store);
    return status;
}

static void test_verify_counts_what_is_there(void)
{
    char path[TEST_PATH_SIZE];
    nfl_verify_report report;
    test_make_folder(path);
    make_store(path);
    CU_ASSERT_EQUAL(verify(path, &report), NFL_OK);
    CU_ASSERT_EQUAL(report.flows, 320);
    CU_ASSERT_EQUAL(report.blocks, 1);
    CU_ASSERT_EQUAL(report.files, 3);
    CU_ASSERT_EQUAL(report.bad_files + report.bad_blocks, 0);
    CU_ASSERT_STRING_EQUAL(report.first_problem, "");
    test_remove_folder(path);
}

/* A flipped bit never gives wrong rows: verify tells, and a query fails or gives what is right. */
static void damage(const char *suffix, size_t step, int always_found)
{
    char path[TEST_PATH_SIZE], file[2 * TEST_PATH_SIZE];
    test_make_folder(path);
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, suffix, file));
    size_t len = 0;
    free(test_read_file(file, &len));
    for (size_t at = 0; at < len; at += step) {
        nfl_verify_report report;
        static uint8_t seen[FLOWS];
        size_t strangers = 0;
        opened reader;
        flip_bit(file, at, (unsigned)(at % 8));
        nfl_status status = verify(path, &report);
        int found = status == NFL_E_CORRUPT || status == NFL_E_VERSION || status == NFL_E_NOT_FOUND;
        if (!found && always_found)
            printf("\n    %s: flipped bit at %zu of %zu not found: %d\n", suffix, at, len, status);
        CU_ASSERT(found || !always_found);
        if (open_with(&nfl__files_system, path, NFL_STORE_READ_ONLY, 0, &reader) == NFL_OK) {
            (void)test_store_rows(reader.ops, reader.self, flows, FLOWS, seen, &strangers, NULL);
            CU_ASSERT_EQUAL(strangers, 0);
            reader.ops->close(reader.self);
        }
        flip_bit(file, at, (unsigned)(at % 8));
    }
    test_remove_folder(path);
}

static void test_a_flipped_bit_in_the_manifest_is_found(void)
{
    damage("manifest", 1, 1);
}

static void test_a_flipped_bit_in_the_journal_is_found(void)
{
    damage(".nfj", 1, 1);
}

/* Five frames of four flows; offsets[i] is where frame i starts. */
static void make_frames(const char *path, char file[2 * TEST_PATH_SIZE], size_t offsets[6])
{
    opened store = open_good(path, NFL_STORE_CREATE, 0);
    if (!test_find_file(path, ".nfj", file))
        abort();
    for (uint32_t i = 0; i < 5; i++) {
        free(test_read_file(file, &offsets[i]));
        (void)append(&store, 4 * i, 4);
        (void)store.ops->sync(store.self, NFL_SYNC_VISIBLE, NULL);
    }
    free(test_read_file(file, &offsets[5]));
    store.ops->close(store.self);
}

static void test_a_writer_saves_what_it_can_of_a_damaged_journal(void)
{
    static const struct {
        const char *name;
        size_t frame, byte; /* which one is damaged, where */
    } t[] = {{"payload", 1, 50}, {"magic", 2, 0}, {"length", 2, 5}, {"number", 0, 12}, {"first byte of payload", 3, 32}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char path[TEST_PATH_SIZE], file[2 * TEST_PATH_SIZE];
        size_t offsets[6];
        nfl_verify_report report;
        static uint8_t seen[FLOWS];
        size_t strangers;
        test_make_folder(path);
        make_frames(path, file, offsets);
        flip_bit(file, offsets[t[i].frame] + t[i].byte, 3);
        NFL_CHECK(t[i].name, verify(path, &report) == NFL_E_CORRUPT);
        opened store = open_good(path, 0, 0);
        NFL_CHECK(t[i].name, test_store_rows(store.ops, store.self, flows, FLOWS, seen, &strangers, NULL) == NFL_OK);
        NFL_CHECK(t[i].name, strangers == 0);
        for (size_t n = 0; n < 20; n++)
            NFL_CHECK(t[i].name, seen[n] == (n / 4 != t[i].frame));
        CU_ASSERT_EQUAL(append(&store, 20, 4), NFL_OK);
        store.ops->close(store.self);
        NFL_CHECK(t[i].name, verify(path, &report) == NFL_E_CORRUPT); /* nobody may miss it */
        NFL_CHECK(t[i].name, report.flows == 20 && report.bad_files == 1);
        NFL_CHECK(t[i].name, test_find_file(path, ".damaged", file));
        CU_ASSERT_EQUAL(unlink(file), 0);
        NFL_CHECK(t[i].name, verify(path, &report) == NFL_OK);
        test_remove_folder(path);
    }
}

static void test_a_torn_or_empty_tail_of_the_journal_is_no_damage(void)
{
    char path[TEST_PATH_SIZE], file[2 * TEST_PATH_SIZE];
    size_t offsets[6];
    test_make_folder(path);
    make_frames(path, file, offsets);
    for (size_t len = offsets[5]; len > offsets[4]; len--) {
        CU_ASSERT_EQUAL(truncate(file, (off_t)len), 0);
        CU_ASSERT(reader_finds(path, 0, len == offsets[5] ? 20 : 16));
    }
    CU_ASSERT_EQUAL(truncate(file, (off_t)offsets[4]), 0);
    CU_ASSERT_EQUAL(truncate(file, (off_t)offsets[5] + 10000), 0); /* blocks that never reached the disk are zeros */
    CU_ASSERT(reader_finds(path, 0, 16));
    opened store = open_good(path, 0, 0);
    CU_ASSERT_EQUAL(append(&store, 16, 4), NFL_OK);
    store.ops->close(store.self);
    CU_ASSERT(reader_finds(path, 0, 20));
    CU_ASSERT_EQUAL(test_count_files(path, ".damaged"), 0);
    test_remove_folder(path);
}

static void test_a_segment_that_is_missing_or_short_is_found(void)
{
    char path[TEST_PATH_SIZE], file[2 * TEST_PATH_SIZE];
    nfl_verify_report report;
    test_make_folder(path);
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", file));
    size_t len = 0;
    free(test_read_file(file, &len));
    for (size_t cut = 1; cut < len; cut = cut * 3 + 1) {
        CU_ASSERT_EQUAL(truncate(file, (off_t)(len - cut)), 0);
        CU_ASSERT_EQUAL(verify(path, &report), NFL_E_CORRUPT);
        CU_ASSERT_EQUAL(report.bad_files, 1);
        CU_ASSERT(report.first_problem[0] != 0);
    }
    CU_ASSERT_EQUAL(unlink(file), 0);
    CU_ASSERT_EQUAL(verify(path, &report), NFL_E_CORRUPT);
    static uint8_t seen[FLOWS];
    size_t strangers;
    opened reader = open_good(path, NFL_STORE_READ_ONLY, 0); /* no silent gap */
    CU_ASSERT_EQUAL(test_store_rows(reader.ops, reader.self, flows, FLOWS, seen, &strangers, NULL), NFL_E_CORRUPT);
    reader.ops->close(reader.self);
    test_remove_folder(path);
}

static void test_a_segment_that_expired_meanwhile_is_passed_over(void)
{
    char path[TEST_PATH_SIZE];
    test_make_folder(path);
    opened store = open_good(path, NFL_STORE_CREATE, 100);
    CU_ASSERT_EQUAL(append(&store, 0, 100), NFL_OK);
    CU_ASSERT_EQUAL(append(&store, 100, 100), NFL_OK);
    CU_ASSERT_EQUAL(store.ops->sync(store.self, NFL_SYNC_SEAL, NULL), NFL_OK);
    nfl_filter *any;
    nfl__source *source;
    CU_ASSERT_EQUAL_FATAL(nfl_filter_new(NULL, NULL, &any, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(store.ops->open_source(store.self, any, 0, &source, NULL), NFL_OK);
    CU_ASSERT_EQUAL(store.ops->retain(store.self, &(nfl_retention){.struct_size = sizeof(nfl_retention), .before_us = flows[150].received_us}, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_OK);
    CU_ASSERT_EQUAL(source->batch.rows, 100);
    CU_ASSERT_EQUAL(nfl__source_next(source, NULL), NFL_DONE);
    source->ops->free(source);
    nfl_filter_free(any);
    store.ops->close(store.self);
    test_remove_folder(path);
}

static void make_flows(void)
{
    for (uint32_t i = 0; i < FLOWS; i++)
        test_numbered_flow(i, &flows[i]);
}

static void test_flows_are_made(void)
{
    make_flows();
    CU_ASSERT_EQUAL(flows[FLOWS - 1].in_if, FLOWS - 1);
}

/* --- when the journal survives a loss of power --- */

static int counting_sync(void *ctx, int file)
{
    ++*(uint32_t *)ctx;
    return nfl__files_system.sync(NULL, file);
}

/* Syncs of files while 300 flows are appended, ten at a time, visible each time. */
static uint32_t syncs_of(uint64_t durable_bytes)
{
    char path[TEST_PATH_SIZE];
    uint32_t syncs = 0;
    nfl__files files = nfl__files_system;
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE, .durable_bytes = durable_bytes);
    opened store;
    files.sync = counting_sync;
    files.ctx = &syncs;
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(nfl__file_store_open_with(&files, path, &opts, &store.self, &store.ops, NULL), NFL_OK);
    uint32_t before = syncs;
    for (uint32_t i = 0; i < 300; i += 10) {
        CU_ASSERT_EQUAL(append(&store, i % 100, 10), NFL_OK);
        CU_ASSERT_EQUAL(store.ops->sync(store.self, NFL_SYNC_VISIBLE, NULL), NFL_OK);
    }
    before = syncs - before;
    store.ops->close(store.self);
    test_remove_folder(path);
    return before;
}

static void test_the_journal_is_made_durable_by_bytes(void)
{
    CU_ASSERT_EQUAL(syncs_of(0), 0);
    CU_ASSERT_EQUAL(syncs_of(1), 30);
    uint32_t some = syncs_of(5000);
    CU_ASSERT(some > 1 && some < 15);
    CU_ASSERT_EQUAL(syncs_of(UINT64_MAX), 0);
}

NFL_SUITE("store faults", {"flows are made", test_flows_are_made},
          {"the journal is made durable by bytes", test_the_journal_is_made_durable_by_bytes},
          {"flows become visible to others with sync only", test_flows_become_visible_to_others_with_sync_only},
          {"a source is a snapshot", test_a_source_is_a_snapshot},
          {"segments end with rows, time and day", test_segments_end_with_rows_time_and_day},
          {"what is no store", test_what_is_no_store},
          {"what no manifest names is deleted", test_what_no_manifest_names_is_deleted},
          {"nothing acknowledged is lost when an operation fails once",
           test_nothing_acknowledged_is_lost_when_an_operation_fails_once},
          {"nothing acknowledged is lost when the disk stays full",
           test_nothing_acknowledged_is_lost_when_the_disk_stays_full},
          {"nothing acknowledged is lost when reading fails", test_nothing_acknowledged_is_lost_when_reading_fails},
          {"verify counts what is there", test_verify_counts_what_is_there},
          {"a flipped bit in the manifest is found", test_a_flipped_bit_in_the_manifest_is_found},
          {"a flipped bit in the journal is found", test_a_flipped_bit_in_the_journal_is_found},
          {"a writer saves what it can of a damaged journal", test_a_writer_saves_what_it_can_of_a_damaged_journal},
          {"a torn or empty tail of the journal is no damage", test_a_torn_or_empty_tail_of_the_journal_is_no_damage},
          {"a segment that is missing or short is found", test_a_segment_that_is_missing_or_short_is_found},
          {"a segment that expired meanwhile is passed over", test_a_segment_that_expired_meanwhile_is_passed_over})

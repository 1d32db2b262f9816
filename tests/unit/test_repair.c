#include <CUnit/Basic.h>

#include "store/file_store.h"
#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOWS = 520, BLOCK = 40, LOT = 200 };

static nfl_flow flows[FLOWS];

static nfl_store *open_store(const char *path, uint32_t flags)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags, .segment_rows = BLOCK);
    nfl_store *store = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    return store;
}

/* Two segments of five blocks each, and 120 flows in the journal. */
static void make_store(char path[TEST_PATH_SIZE])
{
    test_make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE);
    for (int s = 0; s < 2; s++) {
        CU_ASSERT_EQUAL(nfl_store_append(store, flows + s * LOT, LOT, sizeof *flows, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
    CU_ASSERT_EQUAL(nfl_store_append(store, flows + 2 * LOT, FLOWS - 2 * LOT, sizeof *flows, NULL), NFL_OK);
    nfl_store_free(store);
}

static nfl_status repair(const char *path, nfl_repair_report *report)
{
    *report = (nfl_repair_report){.struct_size = sizeof *report};
    return nfl_store_repair(path, report, NULL);
}

static int is_sound(const char *path)
{
    nfl_verify_report report = {.struct_size = sizeof report};
    nfl_store *store = open_store(path, NFL_STORE_READ_ONLY);
    nfl_status status = nfl_store_verify(store, &report, NULL);
    nfl_store_free(store);
    return status == NFL_OK;
}

/* Counts flows that are there once; 0 if one is there twice or none of ours, or the store cannot be read. */
static uint32_t count_flows(const char *path, uint8_t seen[FLOWS])
{
    void *self;
    const nfl__store_ops *ops;
    size_t strangers;
    uint32_t count = 0;
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    if (nfl__file_store_open_with(&nfl__files_system, path, &opts, &self, &ops, NULL) != NFL_OK)
        return 0;
    nfl_status status = test_store_rows(ops, self, flows, FLOWS, seen, &strangers, NULL);
    ops->close(self);
    for (uint32_t i = 0; i < FLOWS; i++) {
        if (seen[i] > 1 || strangers || status != NFL_OK)
            return 0;
        count += seen[i];
    }
    return count;
}

static void change(const char *name, long byte, long truncate_to)
{
    FILE *file = fopen(name, "r+b");
    if (!file)
        abort();
    if (byte >= 0) {
        fseek(file, byte, SEEK_SET);
        int c = fgetc(file);
        fseek(file, byte, SEEK_SET);
        fputc(c ^ 0x20, file);
    }
    fclose(file);
    if (truncate_to >= 0 && truncate(name, truncate_to) != 0)
        abort();
}

static long size_of(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file)
        abort();
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fclose(file);
    return size;
}

static void test_a_sound_store_stays_as_it_is(void)
{
    char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE];
    uint8_t seen[FLOWS];
    nfl_repair_report report;
    make_store(path);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
    CU_ASSERT_EQUAL(report.segments, 2);
    CU_ASSERT_EQUAL(report.flows, 2 * LOT);
    CU_ASSERT_EQUAL(report.damaged_segments + report.missing_segments + report.lost_flows + report.manifest_rebuilt, 0);
    CU_ASSERT_STRING_EQUAL(report.first_problem, "");
    CU_ASSERT(!test_find_file(path, ".damaged", found));
    CU_ASSERT_EQUAL(count_flows(path, seen), FLOWS);
    CU_ASSERT(is_sound(path));
    test_remove_folder(path);
}

/* Each of many places of a segment damaged: whole blocks are lost, others not, and the report counts right. */
static void damage_segment(long byte, long truncate_to)
{
    char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE];
    uint8_t seen[FLOWS];
    nfl_repair_report report;
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", found));
    change(found, byte, truncate_to);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
    uint32_t left = count_flows(path, seen);
    CU_ASSERT_EQUAL(left + report.lost_flows, FLOWS);
    CU_ASSERT(left >= FLOWS - LOT);
    CU_ASSERT_EQUAL(report.damaged_segments, 1);
    CU_ASSERT_NOT_EQUAL(report.first_problem[0], 0);
    for (uint32_t i = 0; i < FLOWS; i++)
        CU_ASSERT_EQUAL(seen[i], seen[i / BLOCK * BLOCK]);
    CU_ASSERT(test_find_file(path, ".nfs.damaged", found));
    CU_ASSERT(is_sound(path));
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK); /* nothing is left to do */
    CU_ASSERT_EQUAL(report.damaged_segments + report.lost_flows, 0);
    test_remove_folder(path);
}

static void test_what_is_intact_of_a_segment_is_saved(void)
{
    char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE];
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", found));
    long size = size_of(found);
    test_remove_folder(path);
    for (long byte = 3; byte < size; byte += 2503)
        damage_segment(byte, -1);
    for (long byte = size - 200; byte < size; byte += 41)
        damage_segment(byte, -1);
    for (long len = 0; len < size; len += size / 3)
        damage_segment(-1, len);
}

static void test_a_manifest_is_made_anew(void)
{
    static const char *const ways[] = {"missing", "damaged", "empty", "something else"};
    for (int way = 0; way < 4; way++) {
        char path[TEST_PATH_SIZE], name[TEST_PATH_SIZE + 16];
        uint8_t seen[FLOWS];
        nfl_repair_report report;
        make_store(path);
        (void)snprintf(name, sizeof name, "%s/manifest", path);
        if (way == 0)
            (void)unlink(name);
        else
            change(name, way == 1 ? 60 : way == 3 ? 0 : -1, way == 2 ? 0 : -1);
        NFL_CHECK(ways[way], repair(path, &report) == NFL_OK);
        NFL_CHECK(ways[way], report.manifest_rebuilt == 1 && report.lost_flows == 0);
        NFL_CHECK(ways[way], count_flows(path, seen) == FLOWS && is_sound(path));
        nfl_store *store = open_store(path, 0); /* and it goes on */
        NFL_CHECK(ways[way], nfl_store_sync(store, NFL_SYNC_SEAL, NULL) == NFL_OK);
        nfl_store_free(store);
        NFL_CHECK(ways[way], count_flows(path, seen) == FLOWS && is_sound(path));
        test_remove_folder(path);
    }
}

/* A writer died before it deleted what it had merged and sealed: nothing is there twice. */
static void test_leftovers_are_not_taken_twice(void)
{
    char path[TEST_PATH_SIZE], name[TEST_PATH_SIZE + 16], journal[2 * TEST_PATH_SIZE], kept[2 * TEST_PATH_SIZE];
    uint8_t seen[FLOWS];
    nfl_repair_report report;
    nfl_cursor *cursor;
    NFL_OPTS(nfl_query, query, .columns = "src");
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, ".nfj", journal));
    (void)snprintf(kept, sizeof kept, "%s/kept", path);
    CU_ASSERT_EQUAL(link(journal, kept), 0);
    nfl_store *reader = open_store(path, NFL_STORE_READ_ONLY), *store = open_store(path, 0);
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(reader, &query, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    NFL_OPTS(nfl_compact_opts, all, .flags = NFL_COMPACT_ALL);
    while (nfl_store_compact(store, &all, NULL) == NFL_OK)
        ;
    nfl_store_free(store);
    CU_ASSERT_EQUAL(test_count_files(path, ".nfs"), 4); /* three of them merged */
    CU_ASSERT_EQUAL(rename(kept, journal), 0);
    nfl_cursor_free(cursor);
    nfl_store_free(reader);
    (void)snprintf(name, sizeof name, "%s/manifest", path);
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
    CU_ASSERT_EQUAL(count_flows(path, seen), FLOWS);
    CU_ASSERT(is_sound(path));
    test_remove_folder(path);
}

static void test_missing_files(void)
{
    char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE];
    uint8_t seen[FLOWS];
    nfl_repair_report report;
    make_store(path);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", found));
    CU_ASSERT_EQUAL(unlink(found), 0);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
    CU_ASSERT_EQUAL(report.missing_segments, 1);
    CU_ASSERT_EQUAL(report.lost_flows, LOT);
    CU_ASSERT_EQUAL(count_flows(path, seen), FLOWS - LOT);
    CU_ASSERT_FATAL(test_find_file(path, ".nfj", found));
    CU_ASSERT_EQUAL(unlink(found), 0);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
    CU_ASSERT_EQUAL(count_flows(path, seen), LOT);
    CU_ASSERT(is_sound(path));
    test_remove_folder(path);
}

static void test_what_is_no_store(void)
{
    char path[TEST_PATH_SIZE];
    nfl_repair_report report;
    test_make_folder(path);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(test_count_files(path, ""), 0);
    CU_ASSERT_EQUAL(repair("/nonexistent/store", &report), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(repair("mem:", &report), NFL_E_UNSUPPORTED);
    test_remove_folder(path);
    make_store(path);
    nfl_store *writer = open_store(path, 0);
    CU_ASSERT_EQUAL(repair(path, &report), NFL_E_BUSY);
    nfl_store_free(writer);
    test_remove_folder(path);
}

/* Many operations fail, one a run; the next run does the rest, and no intact block is lost. */
static void test_repair_through_failing_operations(void)
{
    for (int rebuild = 0; rebuild < 2; rebuild++) {
        for (long n = 0;; n += rebuild ? 5 : 2) {
            char path[TEST_PATH_SIZE], found[2 * TEST_PATH_SIZE];
            uint8_t seen[FLOWS];
            test_files files;
            nfl_repair_report report = {.struct_size = sizeof report};
            make_store(path);
            CU_ASSERT_FATAL(test_find_file(path, rebuild ? "manifest" : ".nfs", found));
            change(found, rebuild ? 60 : 100, -1); /* in the first block */
            test_files_init(&files);
            files.fail_at = n;
            files.fail_count = 1;
            files.error = EIO;
            files.count_reads = 1;
            nfl_status status = nfl__file_store_repair_with(&files.table, path, &report, NULL);
            CU_ASSERT(status == NFL_OK || files.failed);
            CU_ASSERT_EQUAL(repair(path, &report), NFL_OK);
            CU_ASSERT_EQUAL(count_flows(path, seen), rebuild ? FLOWS : FLOWS - BLOCK);
            CU_ASSERT(is_sound(path));
            test_remove_folder(path);
            if (!files.failed)
                break;
        }
    }
}

static void make_flows(void)
{
    for (uint32_t i = 0; i < FLOWS; i++)
        test_numbered_flow(i, &flows[i]);
}

static void test_flows_are_numbered(void)
{
    make_flows();
    CU_ASSERT_EQUAL(flows[FLOWS - 1].in_if, FLOWS - 1);
}

NFL_SUITE("repair", {"flows are numbered", test_flows_are_numbered}, {"a sound store stays as it is", test_a_sound_store_stays_as_it_is},
          {"what is intact of a segment is saved", test_what_is_intact_of_a_segment_is_saved},
          {"a manifest is made anew", test_a_manifest_is_made_anew}, {"leftovers are not taken twice", test_leftovers_are_not_taken_twice},
          {"missing files", test_missing_files}, {"what is no store", test_what_is_no_store},
          {"repair through failing operations", test_repair_through_failing_operations})

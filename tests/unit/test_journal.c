#include <CUnit/Basic.h>

#include "memory_file.h"
#include "store/columns.h"
#include "store/journal.h"
#include "store/rowcodec.h"
#include "store_files.h"
#include "store_rows.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void test_rows_come_back(void)
{
    nfl_usec written = 0, read = 0;
    uint8_t bytes[NFL__ROW_BYTES_MAX];
    size_t total = 0;
    int same = 1;
    for (uint32_t i = 0; i < 5000; i++) {
        nfl_flow flow, back;
        test_numbered_flow(i, &flow);
        size_t len = nfl__row_write(&flow, &written, bytes);
        total += len;
        uint8_t *exact = test_exact(bytes, len);
        nfl__rd rd = nfl__rd_make(exact, len);
        same &= nfl__row_read(&rd, &read, &back) && nfl__rd_left(&rd) == 0 && memcmp(&flow, &back, sizeof flow) == 0;
        rd = nfl__rd_make(exact, len - 1);
        read = 0;
        same &= !nfl__row_read(&rd, &read, &back);
        read = written;
        free(exact);
    }
    CU_ASSERT(same);
    CU_ASSERT(total / 5000 < 120);
}

static void test_the_largest_row_fits(void)
{
    nfl_flow flow, back;
    nfl_usec written = INT64_MIN, read = INT64_MIN;
    uint8_t bytes[NFL__ROW_BYTES_MAX];
    memset(&flow, 0xff, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.present = NFL__FIELDS_STORED;
    flow.received_us = INT64_MAX;
    flow.first_us = INT64_MIN;
    flow.last_us = INT64_MAX;
    memset(flow.reserved, 0, sizeof flow.reserved);
    size_t len = nfl__row_write(&flow, &written, bytes);
    CU_ASSERT(len <= NFL__ROW_BYTES_MAX);
    nfl__rd rd = nfl__rd_make(bytes, len);
    CU_ASSERT(nfl__row_read(&rd, &read, &back));
    CU_ASSERT_EQUAL(memcmp(&flow, &back, sizeof flow), 0);
}

/* Checks that rows come in order from number *ctx on. */
static nfl_status expect_row(void *ctx, const nfl_flow *flow, nfl_error *err)
{
    uint32_t *next = ctx;
    nfl_flow want;
    (void)err;
    test_numbered_flow((*next)++, &want);
    CU_ASSERT_EQUAL(memcmp(&want, flow, sizeof want), 0);
    return NFL_OK;
}

static nfl_status write_frame(nfl__journal *journal, uint32_t first, uint32_t n)
{
    nfl_status status = nfl__journal_reserve(journal, n, NULL);
    for (uint32_t i = 0; status == NFL_OK && i < n; i++) {
        nfl_flow flow;
        test_numbered_flow(first + i, &flow);
        nfl__journal_add(journal, &flow);
    }
    return status == NFL_OK ? nfl__journal_flush(journal, NULL) : status;
}

static void test_a_journal_is_resumed_behind_its_last_whole_frame(void)
{
    char path[TEST_PATH_SIZE], name[NFL__NAME_SIZE];
    test_make_folder(path);
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    const nfl__files *files = &nfl__files_system;
    int root = files->open_root(NULL, path, 0);
    nfl__journal journal;
    nfl__journal_extent extent;
    uint32_t next = 0;
    CU_ASSERT_EQUAL(files->make_folder(NULL, root, "journal"), 0);
    CU_ASSERT_EQUAL_FATAL(nfl__journal_create(&journal, files, root, 7, &memory, NULL), NFL_OK);
    CU_ASSERT_EQUAL(write_frame(&journal, 0, 10), NFL_OK);
    CU_ASSERT_EQUAL(write_frame(&journal, 10, 10), NFL_OK);
    CU_ASSERT_EQUAL(files->truncate(NULL, journal.file, journal.size - 3), 0);
    nfl__journal_close(&journal);
    nfl__journal_name(7, name);
    int file = files->open(NULL, root, name, NFL__FILE_WRITE);
    CU_ASSERT_EQUAL(nfl__journal_read(files, file, 8, &memory, NULL, NULL, &extent, NULL), NFL_E_CORRUPT); /* of other id */
    CU_ASSERT_EQUAL(nfl__journal_read(files, file, 7, &memory, expect_row, &next, &extent, NULL), NFL_OK);
    CU_ASSERT_EQUAL(extent.rows, 10);
    CU_ASSERT_EQUAL(extent.damaged, 0);
    CU_ASSERT_EQUAL_FATAL(nfl__journal_resume(&journal, files, file, 7, &extent, &memory, NULL), NFL_OK);
    CU_ASSERT_EQUAL(write_frame(&journal, 10, 5), NFL_OK);
    next = 0;
    CU_ASSERT_EQUAL(nfl__journal_read(files, file, 7, &memory, expect_row, &next, &extent, NULL), NFL_OK);
    CU_ASSERT_EQUAL(extent.rows, 15);
    CU_ASSERT_EQUAL(extent.good_bytes, extent.file_bytes);
    nfl__journal_close(&journal);
    files->close(NULL, root);
    CU_ASSERT_EQUAL(memory.held, 0);
    test_remove_folder(path);
}

static void test_a_failed_write_is_done_again(void)
{
    char path[TEST_PATH_SIZE];
    test_make_folder(path);
    test_files files;
    test_files_init(&files);
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    int root = files.table.open_root(&files, path, 0);
    nfl__journal journal;
    nfl__journal_extent extent;
    uint32_t next = 0;
    CU_ASSERT_EQUAL(files.table.make_folder(&files, root, "journal"), 0);
    CU_ASSERT_EQUAL_FATAL(nfl__journal_create(&journal, &files.table, root, 1, &memory, NULL), NFL_OK);
    files.short_writes = 1;
    files.fail_at = files.calls;
    CU_ASSERT_EQUAL(write_frame(&journal, 0, 10), NFL_E_IO);
    CU_ASSERT_EQUAL(write_frame(&journal, 10, 10), NFL_E_IO);
    files.fail_at = -1;
    CU_ASSERT_EQUAL(nfl__journal_flush(&journal, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl__journal_read(&files.table, journal.file, 1, &memory, expect_row, &next, &extent, NULL), NFL_OK);
    CU_ASSERT_EQUAL(extent.rows, 20);
    nfl__journal_close(&journal);
    files.table.close(&files, root);
    test_remove_folder(path);
}

NFL_SUITE("journal", {"rows come back", test_rows_come_back}, {"the largest row fits", test_the_largest_row_fits},
          {"a journal is resumed behind its last whole frame", test_a_journal_is_resumed_behind_its_last_whole_frame},
          {"a failed write is done again", test_a_failed_write_is_done_again})

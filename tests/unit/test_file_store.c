#include <CUnit/Basic.h>

#include <netflow/store.h>

#include "record/fields.h"
#include "store/file_store.h"
#include "store_files.h"
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a folder of our own --- */

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char name[600];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0)
            remove_tree(name);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void make_folder(char path[64])
{
    strcpy(path, "/tmp/nfl-store-XXXXXX");
    if (!mkdtemp(path))
        abort();
}

/* --- stores and what is in them --- */

static nfl_store *open_store(const char *path, uint32_t flags, nfl_status want)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags, .segment_rows = 1000);
    nfl_store *store = NULL;
    nfl_error err = {0};
    nfl_status status = nfl_store_new(path, &opts, &store, &err);
    if (status != want)
        printf("\n    open: %s %s\n", nfl_status_name(status), err.message);
    CU_ASSERT_EQUAL(status, want);
    return store;
}

/* Flow number i: all of its fields follow from i and the seed. */
static nfl_flow numbered_flow(uint64_t i)
{
    test_random random = {i * 7919 + 1};
    nfl_flow flow;
    test_flow(&random, &flow);
    flow.received_us = INT64_C(1795440000000000) + (nfl_usec)i * 1000;
    flow.in_if = (uint32_t)i;
    flow.present |= NFL_HAS(NFL_FIELD_IN_IF);
    return flow;
}

static nfl_status append_numbered(nfl_store *store, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to;) {
        nfl_flow flows[64];
        size_t n = 0;
        for (; n < 64 && i < to; n++, i++)
            flows[n] = numbered_flow(i);
        nfl_status status = nfl_store_append(store, flows, n, sizeof *flows, NULL);
        if (status != NFL_OK)
            return status;
    }
    return NFL_OK;
}

/* 1 if the store has flows 0 to count-1, each once, with every field as it was. */
static int has_exactly(nfl_store *store, uint64_t count)
{
    static const char columns[] = "in_if,first,last,received,bytes,packets,src,dst,src_port,dst_port,proto,tcp_flags,out_if,src_as,"
                                  "sampling,exporter,domain,version,src_mac";
    NFL_OPTS(nfl_query, query, .columns = columns, .flags = NFL_QUERY_UNSCALED);
    nfl_cursor *cursor;
    nfl_error err = {0};
    if (nfl_store_query(store, &query, &cursor, &err) != NFL_OK) {
        printf("\n    query: %s\n", err.message);
        return 0;
    }
    uint8_t *seen = calloc(count + 1, 1);
    uint64_t rows = 0;
    int good = 1;
    nfl_status status;
    while ((status = nfl_cursor_next(cursor, &err)) == NFL_OK && good) {
        uint64_t i = nfl_cursor_u64(cursor, 0);
        good = i < count && !seen[i]++;
        nfl_flow flow = numbered_flow(i);
        for (uint32_t c = 0; good && c < nfl_cursor_columns(cursor); c++) {
            nfl_value value = {.struct_size = sizeof value};
            nfl_column_info info = {.struct_size = sizeof info};
            nfl_cursor_get(cursor, c, &value);
            CU_ASSERT_EQUAL(nfl_cursor_column(cursor, c, &info), NFL_OK);
            if (value.present != nfl__flow_has(&flow, info.field))
                good = 0;
            else if (value.present && value.type == NFL_TYPE_IP)
                good = memcmp(&value.ip, nfl__flow_at(&flow, info.field), sizeof value.ip) == 0;
            else if (value.present)
                good = value.u64 == nfl__flow_u64(&flow, info.field);
            if (!good)
                printf("\n    flow %llu, field %s differs\n", (unsigned long long)i, info.name);
        }
        rows++;
    }
    if (status < 0)
        printf("\n    next: %s\n", err.message);
    if (good && rows != count)
        printf("\n    %llu rows, expected %llu\n", (unsigned long long)rows, (unsigned long long)count);
    free(seen);
    nfl_cursor_free(cursor);
    return good && status == NFL_DONE && rows == count;
}

static nfl_store_info info_of(nfl_store *store)
{
    nfl_store_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    return info;
}

/* --- tests --- */

static void test_what_is_appended_is_there_after_reopening(void)
{
    char path[64];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 2500), NFL_OK);
    CU_ASSERT(has_exactly(store, 2500)); /* own handle, before any sync */
    nfl_store_free(store);
    store = open_store(path, 0, NFL_OK);
    CU_ASSERT(has_exactly(store, 2500));
    nfl_store_info info = info_of(store);
    CU_ASSERT_EQUAL(info.flows, 2500);
    CU_ASSERT_EQUAL(info.segments, 2);
    CU_ASSERT(info.journal_flows > 0 && info.journal_flows < 1000);
    CU_ASSERT_EQUAL(append_numbered(store, 2500, 2600), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info_of(store).journal_flows, 0);
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
    CU_ASSERT(has_exactly(store, 2600));
    nfl_verify_report report = {.struct_size = sizeof report};
    CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_OK);
    CU_ASSERT_EQUAL(report.flows, 2600);
    nfl_store_free(store);
    remove_tree(path);
}

static void test_a_reader_sees_what_was_made_visible(void)
{
    char path[64];
    make_folder(path);
    nfl_store *writer = open_store(path, NFL_STORE_CREATE, NFL_OK);
    nfl_store *reader = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
    CU_ASSERT(has_exactly(reader, 0));
    uint64_t n = 0;
    for (int round = 0; round < 40; round++) {
        CU_ASSERT_EQUAL(append_numbered(writer, n, n + 90), NFL_OK);
        n += 90;
        CU_ASSERT_EQUAL(nfl_store_sync(writer, round % 3 ? NFL_SYNC_VISIBLE : NFL_SYNC_DURABLE, NULL), NFL_OK);
        CU_ASSERT(has_exactly(reader, n));
    }
    CU_ASSERT_EQUAL(nfl_store_append(reader, &(nfl_flow){.struct_size = sizeof(nfl_flow)}, 1, sizeof(nfl_flow), NULL), NFL_E_STATE);
    nfl_store_free(writer);
    CU_ASSERT(has_exactly(reader, n));
    nfl_store_free(reader);
    remove_tree(path);
}

static void test_there_is_one_writer(void)
{
    char path[64];
    make_folder(path);
    open_store("/tmp/nfl-no-such-store", 0, NFL_E_NOT_FOUND);
    open_store(path, 0, NFL_E_NOT_FOUND);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    open_store(path, NFL_STORE_CREATE, NFL_E_BUSY);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 10), NFL_OK);
    nfl_store_free(store);
    store = open_store(path, 0, NFL_OK);
    CU_ASSERT(has_exactly(store, 10));
    nfl_store_free(store);
    remove_tree(path);
}

static void test_a_cursor_outlives_its_store(void)
{
    char path[64];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 1500), NFL_OK);
    NFL_OPTS(nfl_query, query, .columns = "in_if");
    nfl_cursor *cursor;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 1500, 2500), NFL_OK);
    nfl_store_free(store);
    int rows = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        rows++;
    CU_ASSERT_EQUAL(rows, 1500);
    nfl_cursor_free(cursor);
    remove_tree(path);
}

static void test_a_torn_journal_tail_is_cut(void)
{
    char path[64], name[128];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 100), NFL_OK);
    nfl_store_free(store);
    snprintf(name, sizeof name, "%s/journal/0000000000000001.nfj", path);
    int file = open(name, O_WRONLY | O_APPEND);
    CU_ASSERT_FATAL(file >= 0);
    CU_ASSERT_EQUAL(write(file, "NFRM torn frame, never finished", 31), 31);
    close(file);
    store = open_store(path, 0, NFL_OK);
    CU_ASSERT(has_exactly(store, 100));
    CU_ASSERT_EQUAL(append_numbered(store, 100, 200), NFL_OK);
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
    CU_ASSERT(has_exactly(store, 200));
    nfl_store_free(store);
    remove_tree(path);
}

static void test_without_journal_flows_are_sealed_at_the_end(void)
{
    char path[64];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE | NFL_STORE_NO_JOURNAL, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 1234), NFL_OK);
    nfl_store_free(store);
    store = open_store(path, 0, NFL_OK); /* now with one */
    CU_ASSERT(has_exactly(store, 1234));
    CU_ASSERT_EQUAL(append_numbered(store, 1234, 1300), NFL_OK);
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_NO_JOURNAL, NFL_OK);
    CU_ASSERT(has_exactly(store, 1300));
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_VISIBLE, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info_of(store).journal_flows, 0);
    nfl_store_free(store);
    remove_tree(path);
}

static void test_expiry_drops_whole_segments(void)
{
    char path[64];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 3000), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    uint64_t segments = info_of(store).segments;
    CU_ASSERT_EQUAL(nfl_store_expire(store, numbered_flow(0).received_us, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info_of(store).segments, segments);
    CU_ASSERT_EQUAL(nfl_store_expire(store, numbered_flow(1500).received_us, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info_of(store).segments, segments - 1);
    CU_ASSERT(info_of(store).flows < 3000);
    CU_ASSERT_EQUAL(nfl_store_expire(store, INT64_MAX, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info_of(store).flows, 0);
    nfl_store_free(store);
    store = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
    CU_ASSERT(has_exactly(store, 0));
    nfl_store_free(store);
    remove_tree(path);
}

/* Path of some sealed segment. */
static void find_segment(const char *path, char name[512])
{
    char folder[256];
    snprintf(folder, sizeof folder, "%s/segments", path);
    name[0] = 0;
    for (int depth = 0; depth < 2; depth++) {
        DIR *dir = opendir(folder);
        for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
            if (entry->d_name[0] != '.')
                snprintf(name, 512, "%s/%s", folder, entry->d_name);
        if (dir)
            closedir(dir);
        snprintf(folder, sizeof folder, "%.255s", name);
    }
}

static void test_every_flipped_bit_is_found(void)
{
    char path[64], name[512];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 300), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    nfl_store_free(store);
    find_segment(path, name);
    size_t len;
    uint8_t *data = test_read_file(name, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    store = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
    int file = open(name, O_WRONLY);
    for (size_t at = 0; at < len; at += 1 + len / 700) {
        uint8_t flipped = data[at] ^ (uint8_t)(1 << at % 8);
        CU_ASSERT_EQUAL(pwrite(file, &flipped, 1, (off_t)at), 1);
        nfl_verify_report report = {.struct_size = sizeof report};
        nfl_status status = nfl_store_verify(store, &report, NULL);
        if (status != NFL_E_CORRUPT || !report.first_problem[0])
            printf("\n    byte %zu of %zu: %s\n", at, len, nfl_status_name(status));
        CU_ASSERT(status == NFL_E_CORRUPT && report.first_problem[0]);
        CU_ASSERT_EQUAL(pwrite(file, &data[at], 1, (off_t)at), 1);
    }
    for (size_t cut = 0; cut < len; cut += 1 + len / 50) {
        CU_ASSERT_EQUAL(ftruncate(file, (off_t)cut), 0);
        nfl_verify_report report = {.struct_size = sizeof report};
        CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_E_CORRUPT);
        CU_ASSERT(!has_exactly(store, 300));
        CU_ASSERT_EQUAL(pwrite(file, data, len, 0), (ssize_t)len);
    }
    close(file);
    CU_ASSERT(has_exactly(store, 300));
    nfl_store_free(store);
    free(data);
    remove_tree(path);
}

static void test_a_bit_flipped_under_the_writer_is_found(void)
{
    char path[64], name[2 * TEST_PATH_SIZE];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    CU_ASSERT_EQUAL(append_numbered(store, 0, 30), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_VISIBLE, NULL), NFL_OK);
    CU_ASSERT_FATAL(test_find_file(path, ".nfj", name));
    size_t len;
    uint8_t *data = test_read_file(name, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    int file = open(name, O_WRONLY);
    for (size_t at = 0; at < len; at += 1 + len / 200) {
        uint8_t flipped = data[at] ^ (uint8_t)(1 << at % 8);
        CU_ASSERT_EQUAL(pwrite(file, &flipped, 1, (off_t)at), 1);
        nfl_verify_report report = {.struct_size = sizeof report};
        CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_E_CORRUPT);
        CU_ASSERT_EQUAL(pwrite(file, &data[at], 1, (off_t)at), 1);
    }
    close(file);
    nfl_verify_report report = {.struct_size = sizeof report};
    CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_OK);
    nfl_store_free(store);
    free(data);
    remove_tree(path);
}

/* --- failing file operations --- */

typedef struct failing_files {
    nfl__files files;
    long calls;
    long fail_at;
    int fail_on; /* and every later one */
    int error;
} failing_files;

static int failing_now(failing_files *f)
{
    long n = f->calls++;
    return f->fail_at >= 0 && (n == f->fail_at || (f->fail_on && n > f->fail_at));
}

static int failing_open(void *ctx, int root, const char *name, int how)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.open(NULL, root, name, how);
}

static int64_t failing_write(void *ctx, int file, const void *src, size_t len, uint64_t offset)
{
    failing_files *f = ctx;
    if (!failing_now(f))
        return nfl__files_system.write(NULL, file, src, len, offset);
    if (len > 1) /* half of it gets there */
        (void)nfl__files_system.write(NULL, file, src, len / 2, offset);
    return -f->error;
}

static int failing_sync(void *ctx, int file)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.sync(NULL, file);
}

static int failing_sync_folder(void *ctx, int root, const char *name)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.sync_folder(NULL, root, name);
}

static int failing_rename(void *ctx, int root, const char *from, const char *to)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.rename(NULL, root, from, to);
}

static int failing_unlink(void *ctx, int root, const char *name)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.unlink(NULL, root, name);
}

static int failing_make_folder(void *ctx, int root, const char *name)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.make_folder(NULL, root, name);
}

static int failing_truncate(void *ctx, int file, uint64_t size)
{
    failing_files *f = ctx;
    return failing_now(f) ? -f->error : nfl__files_system.truncate(NULL, file, size);
}

static void failing_init(failing_files *f, long fail_at, int fail_on)
{
    *f = (failing_files){.files = nfl__files_system, .fail_at = fail_at, .fail_on = fail_on, .error = fail_at % 2 ? ENOSPC : EIO};
    f->files.open = failing_open;
    f->files.write = failing_write;
    f->files.sync = failing_sync;
    f->files.sync_folder = failing_sync_folder;
    f->files.rename = failing_rename;
    f->files.unlink = failing_unlink;
    f->files.make_folder = failing_make_folder;
    f->files.truncate = failing_truncate;
    f->files.ctx = f;
}

/* Write with one operation failing, drop the handle without closing it properly (as a dead process would), reopen: what
 * a sync acknowledged must be there, nothing twice. Returns 0 when the failure was never reached. */
static int run_with_failure(const char *path, long fail_at, int fail_on)
{
    failing_files f;
    failing_init(&f, fail_at, fail_on);
    nfl_store_opts opts = {.struct_size = sizeof opts, .flags = NFL_STORE_CREATE, .segment_rows = 100};
    void *self;
    const nfl__store_ops *ops;
    uint64_t appended = 0, acknowledged = 0;
    if (nfl__file_store_open_with(&f.files, path, &opts, &self, &ops, NULL) == NFL_OK) {
        for (int round = 0; round < 12; round++) {
            nfl_flow flows[30];
            for (size_t i = 0; i < 30; i++)
                flows[i] = numbered_flow(appended + i);
            if (ops->append(self, flows, 30, sizeof *flows, NULL) == NFL_OK)
                appended += 30;
            if (ops->sync(self, round == 7 ? NFL_SYNC_SEAL : round % 2 ? NFL_SYNC_DURABLE : NFL_SYNC_VISIBLE, NULL) == NFL_OK)
                acknowledged = appended;
        }
        f.fail_at = 0; /* closing gets nothing to disk any more: the process is gone */
        f.fail_on = 1;
        f.calls = 1;
        ops->close(self);
        f.calls = LONG_MAX / 2;
    }
    int reached = f.calls > fail_at;
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    if (store) {
        nfl_store_info info = info_of(store);
        if (info.flows < acknowledged || info.flows > appended)
            printf("\n    operation %ld (on %d): %llu flows, %llu acknowledged, %llu appended\n", fail_at, fail_on,
                   (unsigned long long)info.flows, (unsigned long long)acknowledged, (unsigned long long)appended);
        CU_ASSERT(info.flows >= acknowledged && info.flows <= appended);
        CU_ASSERT(has_exactly(store, info.flows));
        nfl_store_free(store);
    }
    return reached && acknowledged < 360;
}

static void test_any_file_operation_may_fail(void)
{
    for (int fail_on = 0; fail_on < 2; fail_on++) {
        int quiet = 0;
        long n = 0;
        for (; n < 400 && quiet < 40; n++) { /* some failures do not matter: stop when a long run does not */
            char path[64];
            make_folder(path);
            quiet = run_with_failure(path, n, fail_on) ? 0 : quiet + 1;
            remove_tree(path);
        }
        CU_ASSERT(n > 60);
    }
}

/* --- a reader in another process --- */

static int read_until(const char *path, uint64_t all)
{
    uint64_t before = 0;
    for (int tries = 0; tries < 100000 && before < all; tries++) {
        NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
        nfl_store *store;
        if (nfl_store_new(path, &opts, &store, NULL) != NFL_OK)
            return 1;
        nfl_store_info info = {.struct_size = sizeof info};
        if (nfl_store_get_info(store, &info, NULL) != NFL_OK || info.flows < before)
            return 2;
        before = info.flows;
        NFL_OPTS(nfl_query, query, .group_by = "version", .columns = "flows");
        nfl_cursor *cursor;
        uint64_t flows = 0;
        if (nfl_store_query(store, &query, &cursor, NULL) != NFL_OK)
            return 3;
        while (nfl_cursor_next(cursor, NULL) == NFL_OK)
            flows += nfl_cursor_u64(cursor, 1);
        nfl_cursor_free(cursor);
        nfl_store_free(store);
        if (flows < before || flows > all)
            return 4;
        before = flows;
    }
    return before == all ? 0 : 5;
}

static void test_another_process_reads_while_one_writes(void)
{
    char path[64];
    make_folder(path);
    nfl_store *store = open_store(path, NFL_STORE_CREATE, NFL_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(read_until(path, 30000));
    for (uint64_t n = 0; n < 30000; n += 250) {
        CU_ASSERT_EQUAL(append_numbered(store, n, n + 250), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_VISIBLE, NULL), NFL_OK);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    nfl_store_free(store);
    remove_tree(path);
}

static nfl_status file_scenario(const nfl_alloc *alloc, void *ctx)
{
    const char *path = ctx;
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc, .flags = NFL_STORE_CREATE, .segment_rows = 50);
    nfl_store *store = NULL;
    remove_tree(path);
    nfl_status status = nfl_store_new(path, &opts, &store, NULL);
    if (status == NFL_OK)
        status = append_numbered(store, 0, 80);
    if (status == NFL_OK)
        status = nfl_store_sync(store, NFL_SYNC_SEAL, NULL);
    if (status == NFL_OK)
        status = append_numbered(store, 80, 90);
    if (status == NFL_OK)
        status = nfl_store_sync(store, NFL_SYNC_DURABLE, NULL);
    NFL_OPTS(nfl_query, query, .group_by = "src");
    nfl_cursor *cursor = NULL;
    if (status == NFL_OK)
        status = nfl_store_query(store, &query, &cursor, NULL);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    if (status == NFL_OK) { /* whatever failed on the way was made good */
        store = open_store(path, NFL_STORE_READ_ONLY, NFL_OK);
        CU_ASSERT(has_exactly(store, 90));
        nfl_store_free(store);
    }
    return status;
}

static void test_every_allocation_may_fail(void)
{
    char path[64];
    make_folder(path);
    /* A seal that finds no memory during an append is tried again later: nobody notices, and no flow is lost. */
    CU_ASSERT(test_allocation_failures(file_scenario, path, 100) > 20);
    remove_tree(path);
}

NFL_SUITE("file store", {"what is appended is there after reopening", test_what_is_appended_is_there_after_reopening},
          {"a reader sees what was made visible", test_a_reader_sees_what_was_made_visible},
          {"there is one writer", test_there_is_one_writer}, {"a cursor outlives its store", test_a_cursor_outlives_its_store},
          {"a torn journal tail is cut", test_a_torn_journal_tail_is_cut},
          {"without journal flows are sealed at the end", test_without_journal_flows_are_sealed_at_the_end},
          {"expiry drops whole segments", test_expiry_drops_whole_segments},
          {"every flipped bit is found", test_every_flipped_bit_is_found},
          {"a bit flipped under the writer is found", test_a_bit_flipped_under_the_writer_is_found},
          {"any file operation may fail", test_any_file_operation_may_fail},
          {"another process reads while one writes", test_another_process_reads_while_one_writes},
          {"every allocation may fail", test_every_allocation_may_fail})

#include "store_files.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void test_make_folder(char path[TEST_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");
    if (snprintf(path, TEST_PATH_SIZE, "%s/nfl-store-XXXXXX", base ? base : "/tmp") >= TEST_PATH_SIZE ||
        !mkdtemp(path))
        abort();
}

static int store_files_remove(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void test_remove_folder(const char *path)
{
    (void)nftw(path, store_files_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int store_files_ends(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len >= end && strcmp(name + len - end, suffix) == 0;
}

static size_t store_files_walk(const char *path, const char *suffix, char found[2 * TEST_PATH_SIZE])
{
    DIR *dir = opendir(path);
    size_t count = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char below[2 * TEST_PATH_SIZE];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
            abort();
        if (entry->d_type == DT_DIR) {
            count += store_files_walk(below, suffix, found);
        } else if (store_files_ends(entry->d_name, suffix)) {
            if (found && !found[0])
                memcpy(found, below, sizeof below);
            count++;
        }
    }
    if (dir)
        closedir(dir);
    return count;
}

size_t test_count_files(const char *path, const char *suffix)
{
    return store_files_walk(path, suffix, NULL);
}

int test_find_file(const char *path, const char *suffix, char found[2 * TEST_PATH_SIZE])
{
    found[0] = 0;
    return store_files_walk(path, suffix, found) > 0;
}

/* --- operations that fail --- */

static int store_files_refuse(void *ctx)
{
    test_files *t = ctx;
    long n = t->calls++;
    if (t->fail_at < 0 || n < t->fail_at || n - t->fail_at >= t->fail_count)
        return 0;
    t->failed++;
    return -t->error;
}

static int store_files_refuse_read(void *ctx)
{
    return ((test_files *)ctx)->count_reads ? store_files_refuse(ctx) : 0;
}

static int files_open_root(void *ctx, const char *path, int create)
{
    int refused = store_files_refuse_read(ctx);
    return refused ? refused : nfl__files_system.open_root(NULL, path, create);
}

static int files_open(void *ctx, int root, const char *name, int how)
{
    int refused = how == NFL__FILE_READ ? store_files_refuse_read(ctx) : store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.open(NULL, root, name, how);
}

static void files_close(void *ctx, int file)
{
    (void)ctx;
    nfl__files_system.close(NULL, file);
}

static int64_t files_size(void *ctx, int file)
{
    int refused = store_files_refuse_read(ctx);
    return refused ? refused : nfl__files_system.size(NULL, file);
}

static int64_t files_read(void *ctx, int file, void *dst, size_t len, uint64_t offset)
{
    int refused = store_files_refuse_read(ctx);
    return refused ? refused : nfl__files_system.read(NULL, file, dst, len, offset);
}

static int64_t files_write(void *ctx, int file, const void *src, size_t len, uint64_t offset)
{
    test_files *t = ctx;
    int refused = store_files_refuse(ctx);
    if (refused && t->short_writes && len > 1)
        return nfl__files_system.write(NULL, file, src, len / 2, offset) < 0 ? refused : (int64_t)(len / 2);
    if (refused)
        return refused;
    return nfl__files_system.write(NULL, file, src, t->short_writes && len > 1000 ? 1000 : len, offset);
}

static int files_truncate(void *ctx, int file, uint64_t size)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.truncate(NULL, file, size);
}

static int files_sync(void *ctx, int file)
{
    (void)file;
    return store_files_refuse(ctx) ? -((test_files *)ctx)->error : 0; /* not for real: tests outlive no power loss */
}

static int files_sync_folder(void *ctx, int root, const char *name)
{
    (void)root;
    (void)name;
    return files_sync(ctx, -1);
}

static int files_rename(void *ctx, int root, const char *from, const char *to)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.rename(NULL, root, from, to);
}

static int files_unlink(void *ctx, int root, const char *name)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.unlink(NULL, root, name);
}

static int files_remove_folder(void *ctx, int root, const char *name)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.remove_folder(NULL, root, name);
}

static int files_make_folder(void *ctx, int root, const char *name)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.make_folder(NULL, root, name);
}

static int files_lock(void *ctx, int file, uint64_t at, uint64_t len, int what)
{
    int refused = store_files_refuse(ctx);
    return refused ? refused : nfl__files_system.lock(NULL, file, at, len, what);
}

static int files_list(void *ctx, int root, const char *name, nfl__files_visit visit, void *visit_ctx)
{
    int refused = store_files_refuse_read(ctx);
    return refused ? refused : nfl__files_system.list(NULL, root, name, visit, visit_ctx);
}

void test_files_init(test_files *files)
{
    memset(files, 0, sizeof *files);
    files->fail_at = -1;
    files->fail_count = LONG_MAX;
    files->error = ENOSPC;
    files->table = (nfl__files){files_open_root,   files_open,     files_close,  files_size,
                                files_read,        files_write,    files_truncate, files_sync,
                                files_sync_folder, files_rename,   files_unlink, files_remove_folder,
                                files_make_folder, files_lock,     files_list,   files};
}

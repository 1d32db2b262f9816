#define _GNU_SOURCE /* open file description locks */
#define _FILE_OFFSET_BITS 64
#include "store/files.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int files_result(int value)
{
    return value < 0 ? -errno : value;
}

static int files_system_open_root(void *ctx, const char *path, int create)
{
    (void)ctx;
    if (create && mkdir(path, 0777) < 0 && errno != EEXIST)
        return -errno;
    return files_result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int files_system_open(void *ctx, int root, const char *name, int how)
{
    (void)ctx;
    int flags = how == NFL__FILE_READ ? O_RDONLY : how == NFL__FILE_WRITE ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC;
    int file;
    do
        file = openat(root, name, flags | O_CLOEXEC | O_NOFOLLOW, 0666);
    while (file < 0 && errno == EINTR);
    return files_result(file);
}

static void files_system_close(void *ctx, int file)
{
    (void)ctx;
    (void)close(file);
}

static int64_t files_system_size(void *ctx, int file)
{
    (void)ctx;
    struct stat status;
    return fstat(file, &status) < 0 ? -errno : (int64_t)status.st_size;
}

static int64_t files_system_read(void *ctx, int file, void *dst, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n;
    do
        n = pread(file, dst, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int64_t files_system_write(void *ctx, int file, const void *src, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n;
    do
        n = pwrite(file, src, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int files_system_truncate(void *ctx, int file, uint64_t size)
{
    (void)ctx;
    return files_result(ftruncate(file, (off_t)size));
}

static int files_system_sync(void *ctx, int file)
{
    (void)ctx;
    return files_result(fdatasync(file));
}

static int files_system_sync_folder(void *ctx, int root, const char *name)
{
    (void)ctx;
    int folder = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    int result = files_result(fsync(folder));
    (void)close(folder);
    return result;
}

static int files_system_rename(void *ctx, int root, const char *from, const char *to)
{
    (void)ctx;
    return files_result(renameat(root, from, root, to));
}

static int files_system_unlink(void *ctx, int root, const char *name)
{
    (void)ctx;
    return files_result(unlinkat(root, name, 0));
}

static int files_system_remove_folder(void *ctx, int root, const char *name)
{
    (void)ctx;
    return files_result(unlinkat(root, name, AT_REMOVEDIR));
}

static int files_system_make_folder(void *ctx, int root, const char *name)
{
    (void)ctx;
    return files_result(mkdirat(root, name, 0777));
}

/* A lock of the open file, not of the process: two handles in one process exclude each other, and no other
 * close() in the process loses it. */
static int files_system_lock(void *ctx, int file, uint64_t at, uint64_t len, int what)
{
    (void)ctx;
#ifdef F_OFD_SETLK
    int set = F_OFD_SETLK, get = F_OFD_GETLK;
#else
    int set = F_SETLK, get = F_GETLK;
#endif
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = (off_t)len};
    if (what == NFL__LOCK_SHARED)
        lock.l_type = F_RDLCK;
    else if (what == NFL__LOCK_RELEASE)
        lock.l_type = F_UNLCK;
    int result = files_result(fcntl(file, what == NFL__LOCK_TEST ? get : set, &lock));
    if (result == 0 && what == NFL__LOCK_TEST && lock.l_type != F_UNLCK)
        return -EAGAIN;
    return result == -EACCES ? -EAGAIN : result;
}

static int files_is_dir(int folder, const char *name)
{
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static int files_system_list(void *ctx, int root, const char *name, nfl__files_visit visit, void *visit_ctx)
{
    (void)ctx;
    int folder = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0)
        return -errno;
    DIR *dir = fdopendir(folder);
    if (!dir) {
        int result = -errno;
        (void)close(folder);
        return result;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = visit(visit_ctx, entry->d_name, files_is_dir(folder, entry->d_name));
    (void)closedir(dir);
    return result;
}

const nfl__files nfl__files_system = {
    .open_root = files_system_open_root,
    .open = files_system_open,
    .close = files_system_close,
    .size = files_system_size,
    .read = files_system_read,
    .write = files_system_write,
    .truncate = files_system_truncate,
    .sync = files_system_sync,
    .sync_folder = files_system_sync_folder,
    .rename = files_system_rename,
    .unlink = files_system_unlink,
    .remove_folder = files_system_remove_folder,
    .make_folder = files_system_make_folder,
    .lock = files_system_lock,
    .list = files_system_list,
    .ctx = NULL,
};

nfl_status nfl__files_read_all(const nfl__files *files, int file, const char *name, void *dst, size_t len,
                               uint64_t offset, nfl_error *err)
{
    for (size_t done = 0; done < len;) {
        int64_t n = files->read(files->ctx, file, (uint8_t *)dst + done, len - done, offset + done);
        if (n < 0)
            return nfl__fail_io(err, (int)-n, "read %s", name);
        if (n == 0)
            return nfl__fail(err, NFL_E_CORRUPT, offset + done, "%s: ends after %llu bytes, need %llu", name,
                             (unsigned long long)(offset + done), (unsigned long long)(offset + len));
        done += (size_t)n;
    }
    return NFL_OK;
}

nfl_status nfl__files_write_all(const nfl__files *files, int file, const char *name, const void *src, size_t len,
                                uint64_t offset, nfl_error *err)
{
    for (size_t done = 0; done < len;) {
        int64_t n = files->write(files->ctx, file, (const uint8_t *)src + done, len - done, offset + done);
        if (n <= 0)
            return nfl__fail_io(err, n < 0 ? (int)-n : ENOSPC, "write %s", name);
        done += (size_t)n;
    }
    return NFL_OK;
}

nfl_status nfl__files_sync(const nfl__files *files, int file, const char *name, nfl_error *err)
{
    int result = files->sync(files->ctx, file);
    return result < 0 ? nfl__fail_io(err, -result, "sync %s", name) : NFL_OK;
}

nfl_status nfl__files_sync_folder(const nfl__files *files, int root, const char *name, nfl_error *err)
{
    int result = files->sync_folder(files->ctx, root, name);
    return result < 0 ? nfl__fail_io(err, -result, "sync folder %s", name) : NFL_OK;
}

nfl_status nfl__files_ensure_folder(const nfl__files *files, int root, const char *name, const char *above,
                                    nfl_error *err)
{
    int result = files->make_folder(files->ctx, root, name);
    if (result < 0 && result != -EEXIST)
        return nfl__fail_io(err, -result, "make folder %s", name);
    /* Also when it was there: whoever made it may have died before its name was durable. */
    return nfl__files_sync_folder(files, root, above, err);
}

nfl_status nfl__files_remove(const nfl__files *files, int root, const char *name, nfl_error *err)
{
    int result = files->unlink(files->ctx, root, name);
    return result < 0 && result != -ENOENT ? nfl__fail_io(err, -result, "delete %s", name) : NFL_OK;
}

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int files_read_all(int file, char *data, size_t capacity, size_t *len)
{
    *len = 0;
    while (*len < capacity) {
        ssize_t n = read(file, data + *len, capacity - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    return 0;
}

int files_read(const char *path, size_t max, char **data, size_t *len)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
    struct stat about;
    int result = fstat(file, &about) < 0                               ? errno
                 : about.st_size < 0 || (uintmax_t)about.st_size > max ? EFBIG
                                                                       : 0;
    char *bytes = result ? NULL : malloc((size_t)about.st_size + 1);
    if (!result && !bytes)
        result = ENOMEM;
    if (!result)
        result = files_read_all(file, bytes, (size_t)about.st_size, len);
    close(file);
    if (result) {
        free(bytes);
        return result;
    }
    bytes[*len] = '\0';
    *data = bytes;
    return 0;
}

int files_write_all(int file, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(file, (const char *)data + done, len - done);
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A new name is durable only when its folder is. */
static int files_sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int written = slash ? snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path)
                        : snprintf(folder, sizeof folder, ".");
    if (written >= (int)sizeof folder)
        return ENAMETOOLONG;
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return errno;
    int result = fsync(file) < 0 ? errno : 0;
    close(file);
    return result;
}

int files_replace(const char *path, const void *data, size_t len)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return ENAMETOOLONG;
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (file < 0)
        return errno;
    int result = files_write_all(file, data, len);
    if (!result && fsync(file) < 0)
        result = errno;
    if (close(file) < 0 && !result)
        result = errno;
    if (!result && rename(temporary, path) < 0)
        result = errno;
    if (result) {
        (void)unlink(temporary);
        return result;
    }
    return files_sync_folder_of(path);
}

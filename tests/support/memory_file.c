#include "memory_file.h"

#include <string.h>

static int memory_file_open(void *ctx, int root, const char *name, int how)
{
    (void)ctx;
    (void)root;
    (void)name;
    (void)how;
    return 3;
}

static void memory_file_close(void *ctx, int file)
{
    (void)ctx;
    (void)file;
}

static int64_t memory_file_size(void *ctx, int file)
{
    (void)file;
    return (int64_t)((test_memory_file *)ctx)->len;
}

static int64_t memory_file_read(void *ctx, int file, void *dst, size_t len, uint64_t offset)
{
    const test_memory_file *t = ctx;
    (void)file;
    if (offset >= t->len)
        return 0;
    size_t n = t->len - (size_t)offset < len ? t->len - (size_t)offset : len;
    memcpy(dst, t->data + offset, n);
    return (int64_t)n;
}

void test_memory_file_init(test_memory_file *file, const void *data, size_t len)
{
    memset(file, 0, sizeof *file);
    file->data = data;
    file->len = len;
    file->table.open = memory_file_open;
    file->table.close = memory_file_close;
    file->table.size = memory_file_size;
    file->table.read = memory_file_read;
    file->table.ctx = file;
}

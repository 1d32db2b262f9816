/* A file in memory behind the store's file operations: every name opens it for reading. */
#ifndef NFL_TEST_MEMORY_FILE_H
#define NFL_TEST_MEMORY_FILE_H

#include "store/files.h"

typedef struct test_memory_file {
    nfl__files table;
    const uint8_t *data;
    size_t len;
} test_memory_file;
void test_memory_file_init(test_memory_file *file, const void *data, size_t len);

#endif

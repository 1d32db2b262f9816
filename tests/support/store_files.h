/* What tests of the file store need: a temporary folder, and file operations that fail at the n-th call. */
#ifndef NFL_TEST_STORE_FILES_H
#define NFL_TEST_STORE_FILES_H

#include "store/files.h"

#include <stddef.h>
#include <stdint.h>

/* A new folder, its path in a static buffer of the caller. Aborts on failure. */
#define TEST_PATH_SIZE 128
void test_make_folder(char path[TEST_PATH_SIZE]);

/* Delete a folder with everything in it. */
void test_remove_folder(const char *path);

/* Files below a folder whose names end in suffix ("" = all). */
size_t test_count_files(const char *path, const char *suffix);

/* Path of the only (or first) file below a folder whose name ends in suffix; 0 if there is none. */
int test_find_file(const char *path, const char *suffix, char found[2 * TEST_PATH_SIZE]);

/* The operating system's operations, counted; those that change something fail from fail_at on. */
typedef struct test_files {
    nfl__files table;
    long calls;     /* changing ones so far */
    long fail_at;   /* number of the first call that fails; -1 = none */
    long fail_count; /* how many fail; LONG_MAX = all from there on */
    int error;      /* errno they fail with */
    long failed;    /* calls that failed */
    int count_reads; /* reading calls count and fail too */
    int64_t free_bytes; /* what the disk seems to have left; 0 = what it has */
    int short_writes; /* a failing write writes half first; a good one writes at most 1000 bytes */
} test_files;
void test_files_init(test_files *files);

#endif

/* The file operations of the store, as a table of functions.
 *
 * Names are relative to a root folder that is opened once, so a host may change its working directory or
 * rename the folder. Tests put their own table in between to let the n-th call fail or to count; nothing
 * else in this layer talks to the operating system.
 *
 * Functions return 0 (or a handle, or a number of bytes) when they worked, -errno when not.
 */
#ifndef NFL_STORE_FILES_H
#define NFL_STORE_FILES_H

#include <netflow/base.h>

enum {
    NFL__FILE_READ = 1,  /* existing file, read only */
    NFL__FILE_WRITE = 2, /* existing file, read and write */
    NFL__FILE_CREATE = 3 /* new or emptied file, read and write */
};

/* What to do with bytes of a file that stand for something, whether they exist or not. Locks belong to the open file: they
 * are gone when it is closed or its process dies. */
enum {
    NFL__LOCK_EXCLUSIVE = 1,
    NFL__LOCK_SHARED = 2,
    NFL__LOCK_RELEASE = 3,
    NFL__LOCK_TEST = 4 /* would EXCLUSIVE work? */
};

/* Called for each entry of a folder; a return value other than 0 ends the walk and is its result. */
typedef int (*nfl__files_visit)(void *visit_ctx, const char *name, int is_dir);

typedef struct nfl__files {
    int (*open_root)(void *ctx, const char *path, int create);
    int (*open)(void *ctx, int root, const char *name, int how);
    void (*close)(void *ctx, int file);
    int64_t (*size)(void *ctx, int file);
    int64_t (*read)(void *ctx, int file, void *dst, size_t len, uint64_t offset);
    int64_t (*write)(void *ctx, int file, const void *src, size_t len, uint64_t offset);
    int (*truncate)(void *ctx, int file, uint64_t size);
    int (*sync)(void *ctx, int file);                     /* data and size reach the disk */
    int (*sync_folder)(void *ctx, int root, const char *name); /* so do names in a folder; "." = root */
    int (*rename)(void *ctx, int root, const char *from, const char *to);
    int (*unlink)(void *ctx, int root, const char *name);
    int (*remove_folder)(void *ctx, int root, const char *name);
    int (*make_folder)(void *ctx, int root, const char *name);
    int (*lock)(void *ctx, int file, uint64_t at, uint64_t len, int what); /* -EAGAIN: somebody else has one */
    int (*list)(void *ctx, int root, const char *name, nfl__files_visit visit, void *visit_ctx);
    void *ctx;
} nfl__files;

/* The operating system. */
extern const nfl__files nfl__files_system;

/* Room for any name below the root. */
#define NFL__NAME_SIZE 64

/* All of len bytes at offset; NFL_E_CORRUPT when the file ends before. `name` is for the message. */
nfl_status nfl__files_read_all(const nfl__files *files, int file, const char *name, void *dst, size_t len,
                               uint64_t offset, nfl_error *err);
nfl_status nfl__files_write_all(const nfl__files *files, int file, const char *name, const void *src, size_t len,
                                uint64_t offset, nfl_error *err);
nfl_status nfl__files_sync(const nfl__files *files, int file, const char *name, nfl_error *err);
nfl_status nfl__files_sync_folder(const nfl__files *files, int root, const char *name, nfl_error *err);
/* Make a folder if it is missing, its name durable in the folder `above`. */
nfl_status nfl__files_ensure_folder(const nfl__files *files, int root, const char *name, const char *above,
                                    nfl_error *err);
/* Delete a file; one that is not there is fine. */
nfl_status nfl__files_remove(const nfl__files *files, int root, const char *name, nfl_error *err);

#endif

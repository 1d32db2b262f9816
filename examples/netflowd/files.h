/* Small files read and replaced as a whole. */
#ifndef NETFLOWD_FILES_H
#define NETFLOWD_FILES_H

#include <stddef.h>

/* Read a file of at most max bytes into memory from malloc. Returns 0, or an errno (ENOENT: there is none). */
int files_read(const char *path, size_t max, char **data, size_t *len);

/* Replace a file so that after any crash it has either its old or its new content. Returns 0 or an errno. */
int files_replace(const char *path, const void *data, size_t len);

/* Write all of it. Returns 0 or an errno. */
int files_write_all(int file, const void *data, size_t len);

#endif

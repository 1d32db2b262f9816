/* The dashboard's files, turned into arrays when the daemon is built (embed.cmake). */
#ifndef NETFLOWD_PAGE_H
#define NETFLOWD_PAGE_H

#include <stddef.h>

typedef struct page_file {
    const char *path; /* as in the URL */
    const char *content_type;
    const unsigned char *data;
    size_t len;
} page_file;

extern const page_file page_files[];
extern const size_t page_file_count;

#endif

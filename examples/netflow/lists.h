/* Lists that a filter names: `src in @FILE`. */
#ifndef NETFLOW_TOOL_LISTS_H
#define NETFLOW_TOOL_LISTS_H

#include <netflow/filter.h>

/* Holds the text of the file read last. Zero before the first use. */
typedef struct list_files {
    char *text;
} list_files;

/* An nfl_filter_list whose context is a `list_files`: the name is a file's path. */
nfl_status lists_read(void *context, const char *path, const char **text, size_t *len, nfl_error *err);

void lists_done(list_files *l);

#endif

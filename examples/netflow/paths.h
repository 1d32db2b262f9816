/* Files named directly or by their directory. */
#ifndef NETFLOW_TOOL_PATHS_H
#define NETFLOW_TOOL_PATHS_H

#include <stddef.h>
#include <stdint.h>

typedef struct paths {
    char **names;
    size_t count, room;
    uint64_t bytes;   /* of all files together */
    uint64_t missing; /* directories without captures, or that cannot be read; told on standard error */
} paths;

/* Add a file, or the captures of a directory and of those in it, in order of their names. */
void paths_add(paths *p, const char *name);

void paths_done(paths *p);

#endif

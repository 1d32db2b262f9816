/* What must not be dropped, in DIR/holds: a text file that people can read.
 *
 *   NFLHOLDS1
 *   case-17 1795392000000000 1795478400000000 Court order 17/2026
 *   checksum 7d1c0a3e5b2f9468
 *
 * A line a hold, in order of names: name, from, to (microseconds since 1970 UTC), note up to the end of the line. The last line is
 * the XXH64 of everything before it. The file is replaced as a whole (written beside, made durable, renamed). A file that
 * is damaged is an error for everything that drops flows: better too much than too little. At most 1024 holds.
 */
#ifndef NFL_STORE_HOLDS_H
#define NFL_STORE_HOLDS_H

#include <netflow/store.h>

#include "base/alloc.h"
#include "store/files.h"

typedef struct nfl__holds {
    nfl_hold *holds; /* in order of names */
    size_t count, capacity;
} nfl__holds;

void nfl__holds_free(nfl__holds *holds, nfl__memory *memory);

/* Read them; none if there is no file. */
nfl_status nfl__holds_read(nfl__holds *holds, const nfl__files *files, int root, nfl__memory *memory, nfl_error *err);

/* Add, replace, or with hold NULL remove one, and write them. */
nfl_status nfl__holds_change(const nfl__files *files, int root, const nfl_hold *hold, const char *name, nfl__memory *memory,
                             nfl_error *err);

/* Does a hold mark flows that start between these times? */
int nfl__holds_mark(const nfl__holds *holds, nfl_usec first_min, nfl_usec first_max);

#endif

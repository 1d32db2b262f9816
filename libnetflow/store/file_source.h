/* Reading a file store for one query: the segments of a snapshot, then the rows that are not sealed yet.
 *
 * Segments are opened one after the other, so a query over thousands holds one file. A segment that was expired
 * since the snapshot is passed over; one that was merged into another stays as long as the snapshot. Blocks are left out by the extents of the manifest (segment unopened) and by
 * the zones of the directory (block unread). Columns are read and decoded when asked for.
 */
#ifndef NFL_STORE_FILE_SOURCE_H
#define NFL_STORE_FILE_SOURCE_H

#include "store/manifest.h"

/* What a query sees. The source takes over the memory of both arrays, and the references to the columns, on
 * success. */
typedef struct nfl__snapshot {
    nfl__segment_entry *entries;
    size_t entry_count;
    nfl__columns **tails; /* rows not sealed */
    uint32_t *tail_rows;  /* of each, how many count */
    size_t tail_count;
    const nfl__files *files;
    int lock; /* open file that holds the generation; -1 = none */
} nfl__snapshot;

void nfl__snapshot_free(nfl__snapshot *snapshot, nfl__memory *memory);

/* files and root must outlive the source; the snapshot's memory came from an nfl__memory with the same allocator. */
nfl_status nfl__file_source_new(const nfl_alloc *alloc, const nfl__files *files, int root, const nfl_filter *filter,
                                nfl__snapshot *snapshot, nfl__source **out, nfl_error *err);

#endif

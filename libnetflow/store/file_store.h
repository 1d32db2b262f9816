/* `file:`: columnar files. The parts: files.h (operations), columns.h (rows in memory), encoding.h (columns as bytes),
 * segment.h (sealed files), journal.h (rows not sealed yet), manifest.h (what belongs to the store at an instant),
 * file_source.h (reading). This module holds them together.
 *
 *   DIR/manifest                            the state, replaced as a whole
 *   DIR/segments/2026-11-23/<id>.nfs        sealed flows, by day of arrival
 *   DIR/journal/<id>.nfj                    flows not sealed yet
 *   DIR/journal/<id>.damaged               a journal in which something was damaged after it was written
 *   DIR/lock                                held by the writer; the kernel lets go when it dies
 *   DIR/holds                               what must not be dropped; missing = nothing
 *
 * Writing. append() keeps rows in blocks of columns and, with a journal, as the next frame in memory; nothing can fail
 * once memory is reserved, so an append is all or nothing. sync(VISIBLE) writes the frame, sync(DURABLE) also
 * makes it durable. Sealing: encode the blocks; write and sync the segment; create the next journal; replace the
 * manifest by one that names the segment and the new journal; delete the old journal. Whatever instant the writer
 * dies at, the manifest names either the old journal or segment and new journal, so every flow is there once. What
 * no manifest names is deleted by the next writer. A failed seal leaves everything as it was and is tried again,
 * under a new id; the old journal is deleted only when the new manifest is durable.
 *
 * Compaction (file_compact.c). Neighbouring small segments of a day become one, a block of rows at each call. The manifest then
 * names the new one; the files of the old ones stay until nobody reads a state that names them.
 *
 * Locks, on bytes of DIR/lock: 0 the writer's, exclusive; 1 shared, while a reader takes its snapshot; 2 + generation shared, as
 * long as somebody reads that state; 2^62 exclusive, while holds are changed or flows dropped. The kernel drops the locks of a dead process.
 *
 * Reading. A snapshot is the manifest and the whole frames of the journal it names. The journal being gone means that
 * the manifest was replaced meanwhile: read it again. No lock is taken. The writer's own handle reads its memory.
 *
 * Costs: append about a copy of the fields sent, plus a varint each with a journal; memory: the rows not sealed, about
 * 100 bytes each, and an encoder's 5 MB while sealing. Limits: a seal is due at segment_rows, after segment_s of
 * arrival, or on a new day; when sealing keeps failing, appends are refused at 4 times segment_rows.
 */
#ifndef NFL_STORE_FILE_STORE_H
#define NFL_STORE_FILE_STORE_H

#include "store/backend.h"
#include "store/file_source.h"
#include "store/files.h"
#include "store/journal.h"
#include "store/segment.h"

/* Rows in blocks of columns: what the writer has not sealed, what a reader finds in the journal. */
typedef struct nfl__row_blocks {
    nfl__memory *memory;
    uint32_t block_rows;
    nfl__columns **blocks;
    size_t count, capacity;
    nfl__extent extent;
} nfl__row_blocks;
nfl_status nfl__row_blocks_reserve(nfl__row_blocks *blocks, size_t rows, uint64_t fields, nfl_error *err);
void nfl__row_blocks_add(nfl__row_blocks *blocks, const nfl_flow *flows, uint32_t n, size_t stride); /* as nfl__columns_add() */
nfl_status nfl__row_blocks_visit(void *ctx, const nfl_flow *flow, nfl_error *err); /* nfl__journal_visit */
void nfl__row_blocks_clear(nfl__row_blocks *blocks); /* no rows; some memory is kept for the next ones */
void nfl__row_blocks_free(nfl__row_blocks *blocks);

/* Bytes of DIR/lock. */
enum { NFL__LOCK_WRITER = 0, NFL__LOCK_SNAPSHOT = 1, NFL__LOCK_READERS = 2 };
#define NFL__LOCK_HOLDS (UINT64_C(1) << 62)

typedef struct nfl__compaction nfl__compaction;

typedef struct nfl__file_store {
    nfl__memory memory;
    const nfl__files *files;
    int root;
    int lock; /* -1 = reader */
    uint32_t flags;
    uint32_t segment_rows;
    nfl_usec segment_us;
    nfl__manifest manifest; /* writer: the current state */
    nfl__journal journal;   /* writer with journal; file -1 otherwise */
    nfl__row_blocks rows;   /* writer: rows not sealed */
    nfl__segment_builder *builder; /* made when first needed */
    nfl__compaction *compaction; /* made when first needed */
    int root_unsynced;      /* the manifest is replaced but perhaps not durable */
    uint64_t damaged_journal; /* id of one that is to be kept for inspection; 0 = none */
    uint64_t durable_bytes;   /* of the journal, after which it is synced; 0 = when asked */
    uint64_t durable_id, durable_size; /* the journal, and how much of it survives a loss of power */
    int journal_behind;     /* rows lacks nothing, but the journal does: only sealing saves them */
} nfl__file_store;

/* As nfl__file_store_open(), over other file operations. */
nfl_status nfl__file_store_open_with(const nfl__files *files, const char *path, const nfl_store_opts *opts, void **self,
                                     const nfl__store_ops **ops, nfl_error *err);

/* For repair: root open, writer's lock held, nothing read yet. */
nfl_status nfl__file_store_open_locked(const nfl__files *files, const char *path, nfl__file_store **out, nfl_error *err);
void nfl__file_store_close_locked(nfl__file_store *store);

/* As nfl_store_repair(), over other file operations. */
nfl_status nfl__file_store_repair_with(const nfl__files *files, const char *path, nfl_repair_report *out, nfl_error *err);

/* What a query sees now. */
nfl_status nfl__file_store_snapshot(nfl__file_store *store, nfl__memory *memory, nfl__snapshot *out, nfl_error *err);

/* Write a segment's file, durable; nothing remains of it on failure. */
nfl_status nfl__file_write_segment(nfl__file_store *store, const nfl__segment_entry *entry, const nfl__buffer *bytes, nfl_error *err);
/* Delete it, and its folder when that is empty. */
nfl_status nfl__file_remove_segment(nfl__file_store *store, const nfl__segment_entry *entry, nfl_error *err);

/* Write the manifest. What readers find is the state, even if it may not be durable yet. */
nfl_status nfl__file_write_manifest(nfl__file_store *store, nfl__manifest *manifest, int *replaced, nfl_error *err);
/* Make a manifest durable that was replaced and perhaps is not. */
nfl_status nfl__file_sync_root(nfl__file_store *store, nfl_error *err);

/* Does somebody read a state older than this generation, or is somebody taking a snapshot? */
int nfl__file_is_read_since(const nfl__file_store *store, uint64_t generation);

/* UTC day of a time. */
int64_t nfl__file_day(nfl_usec time_us);

/* retain(), hold() and get_hold() of the interface (file_retain.c). */
nfl_status nfl__file_retain(void *self, const nfl_retention *wanted, nfl_error *err);
nfl_status nfl__file_hold(void *self, const nfl_hold *hold, const char *name, nfl_error *err);
nfl_status nfl__file_get_hold(void *self, size_t i, nfl_hold *out, nfl_error *err);

/* Holds do not change while flows are dropped by what they say. *file: to be closed afterwards. NFL_E_BUSY. */
nfl_status nfl__file_lock_holds(nfl__file_store *store, int *file, nfl_error *err);

/* compact() of the interface; and what it holds in between. */
nfl_status nfl__file_compact(void *self, const nfl_compact_opts *opts, nfl_error *err);
void nfl__compaction_free(nfl__file_store *store);

/* verify() of the interface. */
nfl_status nfl__file_store_verify(void *self, nfl_verify_report *out, nfl_error *err);

#endif

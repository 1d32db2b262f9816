/**
 * @file store.h
 * @brief Keep flow records and ask questions about them.
 *
 * A store is named by a URI: `mem:` (ring in memory), `file:DIR` or a plain path (columnar files), or is
 * supplied by the host through ::nfl_store_backend. One writer, many readers: a file store may be
 * read by other processes while one writes; no lock survives a dead process.
 */
#ifndef NETFLOW_STORE_H
#define NETFLOW_STORE_H

#include <netflow/base.h>
#include <netflow/flow.h>
#include <netflow/query.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. One thread at a time per handle; open another handle to read in another thread. */
typedef struct nfl_store nfl_store;

/** Open for queries only; takes no writer lock and changes no file. */
#define NFL_STORE_READ_ONLY 0x1u
/** Create the store if it is missing. Without it a missing store is ::NFL_E_NOT_FOUND. */
#define NFL_STORE_CREATE 0x2u
/** No journal: flows are durable only after nfl_store_sync() or nfl_store_free(). For bulk import, flash. */
#define NFL_STORE_NO_JOURNAL 0x4u

/** How far nfl_store_sync() goes. */
enum {
    NFL_SYNC_VISIBLE = 1, /**< Other processes can read the flows; survives the death of this process. */
    NFL_SYNC_DURABLE = 2, /**< As above, and survives loss of power. */
    NFL_SYNC_SEAL = 3     /**< As above, and in sealed segments. */
};

/** Sizes and times of a store. */
typedef struct nfl_store_info {
    uint32_t struct_size;    /**< Set by the caller before the call. */
    uint32_t format_version; /**< Of the files; 0 if there are none. */
    uint64_t flows;          /**< Flow records held, including those not yet sealed. */
    uint64_t bytes;          /**< On disk, or in memory for `mem:`. */
    uint64_t segments;       /**< Sealed segments. */
    uint64_t journal_flows;  /**< Flow records not yet sealed. */
    nfl_usec first_us;       /**< Earliest start of a flow; 0 when empty. */
    nfl_usec last_us;        /**< Latest start of a flow. */
    nfl_usec received_first_us; /**< Earliest arrival. */
    nfl_usec received_last_us;  /**< Latest arrival. */
    uint64_t dropped_flows;  /**< Dropped because of a limit since the store was opened (`mem:` ring). */
    uint64_t summed_flows;   /**< Flow records that were replaced by their sums; not in `flows`. */
} nfl_store_info;

/** Result of nfl_store_verify(). */
typedef struct nfl_verify_report {
    uint32_t struct_size; /**< Set by the caller before the call. */
    uint32_t reserved;    /**< 0. */
    uint64_t files;       /**< Files checked. */
    uint64_t blocks;      /**< Blocks checked. */
    uint64_t flows;       /**< Flow records in good blocks. */
    uint64_t bad_files;   /**< Files that cannot be used at all. */
    uint64_t bad_blocks;  /**< Blocks whose check failed. */
    char first_problem[240]; /**< What, where; empty when all is well. */
} nfl_verify_report;

/** A scan over a host's own store: rows in any order. */
typedef struct nfl_store_scan {
    nfl_usec from_us; /**< Only flows that start at this time or later are of interest; INT64_MIN = no bound. */
    nfl_usec to_us;   /**< Only flows that start before this time are of interest; INT64_MAX = no bound. */
    uint64_t fields;  /**< NFL_HAS() bits of the members that will be read. */
} nfl_store_scan;

/** Keep @p n flows, @p stride bytes apart: all or nothing. */
typedef nfl_status (*nfl_backend_append)(void *self, const nfl_flow *flows, size_t n, size_t stride,
                                         nfl_error *err);
/** As nfl_store_sync(). */
typedef nfl_status (*nfl_backend_sync)(void *self, uint32_t level, nfl_error *err);
/** As nfl_store_expire(). */
typedef nfl_status (*nfl_backend_expire)(void *self, nfl_usec before_us, nfl_error *err);
/** Start a scan; *scan is passed to the next two. */
typedef nfl_status (*nfl_backend_scan)(void *self, const nfl_store_scan *wanted, void **scan,
                                       nfl_error *err);
/** Next rows of a scan: ::NFL_OK with *flows, *n > 0 and *stride set and valid until the next call, or ::NFL_DONE. */
typedef nfl_status (*nfl_backend_scan_next)(void *scan, const nfl_flow **flows, size_t *n,
                                            size_t *stride, nfl_error *err);
/** End a scan. */
typedef void (*nfl_backend_scan_end)(void *scan);
/** As nfl_store_get_info(). */
typedef void (*nfl_backend_info)(void *self, nfl_store_info *out);
/** The store is being freed. */
typedef void (*nfl_backend_close)(void *self);

/**
 * A host's own store. Calls come from the thread that uses the ::nfl_store. A member left NULL makes the
 * corresponding call return ::NFL_E_UNSUPPORTED (`close`, `info`: does nothing).
 */
typedef struct nfl_store_backend {
    uint32_t struct_size;                           /**< sizeof(nfl_store_backend). */
    uint32_t reserved;                              /**< 0. */
    NFL_PTR(nfl_backend_append, append);            /**< Keep flows. */
    NFL_PTR(nfl_backend_sync, sync);                /**< Make them durable. */
    NFL_PTR(nfl_backend_expire, expire);            /**< Drop old ones. */
    NFL_PTR(nfl_backend_scan, scan);                /**< Start reading. */
    NFL_PTR(nfl_backend_scan_next, scan_next);      /**< Read. */
    NFL_PTR(nfl_backend_scan_end, scan_end);        /**< End reading. */
    NFL_PTR(nfl_backend_info, info);                /**< Describe. */
    NFL_PTR(nfl_backend_close, close);              /**< Free. */
} nfl_store_backend;

/** Options of nfl_store_new(). Zero in a member means its default. */
typedef struct nfl_store_opts {
    uint32_t struct_size; /**< sizeof(nfl_store_opts). */
    uint32_t flags;       /**< NFL_STORE_* bits. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint64_t max_flows;   /**< `mem:`: flows held, the oldest go first; 0 = 65536. */
    uint32_t segment_rows; /**< `file:`: a segment is sealed at this many flows; 0 = 262144. */
    uint32_t segment_s;    /**< `file:`: and, with a journal, when its flows span this many seconds of arrival; 0 = 300. */
    NFL_PTR(const nfl_store_backend *, backend); /**< Host's own store; the URI is then not looked at. Must outlive the store. */
    NFL_PTR(void *, backend_self); /**< Passed to its functions. */
    /** `file:`: after so many bytes in the journal, about 100 a flow, they are made to survive a loss of power, at the next append or
     *  nfl_store_sync(); 0 = only when ::NFL_SYNC_DURABLE asks for it, and when a segment is sealed. */
    uint64_t durable_bytes;
} nfl_store_opts;

/**
 * @brief   Open a store.
 * @param   uri   "mem:", "file:DIR" or a path.
 * @param   opts  Options, or NULL for defaults (an existing store, for writing). Not kept.
 * @param[out] out Owned by the caller, free with nfl_store_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK             *out is set.
 * @retval  NFL_E_NOT_FOUND    There is no store and ::NFL_STORE_CREATE is not given.
 * @retval  NFL_E_BUSY         Another process writes to it.
 * @retval  NFL_E_VERSION      Written by a newer library.
 * @retval  NFL_E_CORRUPT      Not a store, or damaged where it matters; see nfl_store_verify().
 * @retval  NFL_E_UNSUPPORTED  Unknown scheme.
 * @retval  NFL_E_IO           The operating system refused; nfl_error::sys_errno is set.
 * @retval  NFL_E_NOMEM        Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_new(const char *uri, const nfl_store_opts *opts,
                                              nfl_store **out, nfl_error *err);

/**
 * @brief   Close a store; flows not yet sealed stay in the journal (without journal: are sealed). NULL is
 *          allowed. Cursors stay usable.
 *
 * Errors are lost here: call nfl_store_sync() first when they matter.
 * @since 0.1
 */
NFL_API void nfl_store_free(nfl_store *store);

/**
 * @brief   Append flows.
 * @param   store   Store opened for writing.
 * @param   flows   First flow.
 * @param   n       Flows.
 * @param   stride  Bytes from one flow to the next, normally sizeof(nfl_flow).
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK       All are in the store (visible to this handle); see nfl_store_sync() for more.
 * @retval  NFL_E_IO     Nothing was appended.
 * @retval  NFL_E_STATE  Opened read-only.
 * @retval  NFL_E_NOMEM  Nothing was appended.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_append(nfl_store *store, const nfl_flow *flows, size_t n,
                                                 size_t stride, nfl_error *err);

/**
 * @brief   Make what was appended visible or durable.
 * @param   store  Store opened for writing.
 * @param   level  NFL_SYNC_*.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK    Every flow appended before is at that level.
 * @retval  NFL_E_IO  Not all are; call again.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_sync(nfl_store *store, uint32_t level, nfl_error *err);

/** How much is to be kept. Zero in a member means no such limit. */
typedef struct nfl_retention {
    uint32_t struct_size;    /**< sizeof(nfl_retention). */
    uint32_t reserved;       /**< 0. */
    nfl_usec before_us;      /**< What arrived before this time goes. */
    uint64_t max_bytes;      /**< Sealed segments take at most so many bytes: the oldest go. */
    /** The file system keeps so many bytes free: the oldest go, all of them if something else fills it. */
    uint64_t min_free_bytes;
} nfl_retention;

/**
 * @brief   Drop what is too old or too much, in whole segments, the oldest arrivals first.
 *
 * What a hold marks stays (nfl_store_hold()), and so does what is not sealed yet. Queries that run pass over what is gone.
 *
 * @param   store  Store opened for writing.
 * @param   wanted Limits.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK       Done: the limits are kept.
 * @retval  NFL_PENDING  Done, but holds or unsealed flows keep more than the limits allow.
 * @retval  NFL_E_IO     Some remain; call again.
 * @retval  NFL_E_BUSY   Holds are being changed just now: call again.
 * @retval  NFL_E_STATE  Opened read-only.
 * @retval  NFL_E_NOMEM  Nothing was dropped.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_retain(nfl_store *store, const nfl_retention *wanted, nfl_error *err);

/**
 * @brief   Drop what arrived before a time: nfl_store_retain() with `before_us` alone.
 * @param   store      Store opened for writing.
 * @param   before_us  Segments whose flows all arrived before it are deleted, unless a hold marks them.
 * @param[out] err     Detail on failure; may be NULL.
 * @retval  NFL_OK    Done.
 * @retval  NFL_E_IO  Some remain; call again.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_expire(nfl_store *store, nfl_usec before_us, nfl_error *err);

/** Bytes of a hold's name, with the NUL. */
#define NFL_HOLD_NAME_SIZE 64
/** Bytes of a hold's note, with the NUL. */
#define NFL_HOLD_NOTE_SIZE 192

/** Flows that must not be dropped, whatever the limits: evidence, a legal duty. */
typedef struct nfl_hold {
    uint32_t struct_size; /**< sizeof(nfl_hold). */
    uint32_t reserved;    /**< 0. */
    nfl_usec from_us;     /**< Flows that start at this time or later ... */
    nfl_usec to_us;       /**< ... and before this one. */
    char name[NFL_HOLD_NAME_SIZE]; /**< Letters, digits, `.`, `_` and `-`. */
    char note[NFL_HOLD_NOTE_SIZE]; /**< Why, for people: UTF-8 without control characters. */
} nfl_hold;

/**
 * @brief   Mark flows that must not be dropped. A hold of the same name is replaced.
 *
 * Durable when this returns; every segment that has such a flow stays as a whole until the hold is released. This works
 * through a handle opened for reading, too: the writer is often another process, which heeds the hold from then on.
 *
 * @param   store  File store.
 * @param   hold   Times, name, note.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK             Marked.
 * @retval  NFL_E_ARG          No name or a wrong one, control characters, or from_us not before to_us.
 * @retval  NFL_E_LIMIT        There are 1024 holds.
 * @retval  NFL_E_IO           Not written: the holds are as before.
 * @retval  NFL_E_BUSY         Somebody changes holds or drops flows just now: try again.
 * @retval  NFL_E_UNSUPPORTED  Not a file store.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_hold(nfl_store *store, const nfl_hold *hold, nfl_error *err);

/**
 * @brief   Let go what a hold marks.
 * @retval  NFL_OK           Released.
 * @retval  NFL_E_NOT_FOUND  There is no hold of this name.
 * @return  Otherwise as nfl_store_hold().
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_release(nfl_store *store, const char *name, nfl_error *err);

/**
 * @brief   Hold number @p i, in order of their names.
 * @param   store  Store.
 * @param   i      From 0.
 * @param[out] out Set `struct_size` before the call.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK         *out is set.
 * @retval  NFL_DONE       There are no more.
 * @retval  NFL_E_CORRUPT  The file of holds is damaged; nothing is dropped until it is repaired.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_get_hold(nfl_store *store, size_t i, nfl_hold *out, nfl_error *err);

/** Merge all that can be merged, as if no more flows were to come today. */
#define NFL_COMPACT_ALL 0x1u

/** Options of nfl_store_compact(). Zero in a member means its default. */
typedef struct nfl_compact_opts {
    uint32_t struct_size; /**< sizeof(nfl_compact_opts). */
    uint32_t flags;       /**< NFL_COMPACT_* bits. */
    uint64_t max_rows;    /**< Segments of up to so many flows are made; 0 = 1048576. */
    /** Flows that arrived before are replaced by their sums, except where a hold marks them; 0 = none are. See
     *  nfl_store_compact(). */
    nfl_usec sums_before_us;
} nfl_compact_opts;

/**
 * @brief   Merge small segments into larger, smaller ones: one step.
 *
 * Sealing makes a segment at least every few minutes; compaction makes few of many, each as small as the encodings (and
 * zstd, if built in) get it, so that queries open fewer files. A step reads at most one block of 65536 flows, or writes
 * one segment: some tens of milliseconds. Call it from a timer until ::NFL_DONE; steps and other calls may alternate.
 * Segments stay within a UTC day of arrival and flows in their order. A row is rewritten a few times in all. What dies in
 * the middle leaves everything as it was. Cursors go on reading what they started with; its files go when they are freed.
 *
 * Segments that are made carry sums of bytes, packets and flows by source, by destination, and by either port per day, and by
 * exporter, interfaces, protocol and application per 5 minutes. Queries for such sums read them instead of flows. They are about a
 * tenth of a segment, so they can be kept for years when the flows are gone: that is what `sums_before_us` does. Of such times a
 * query is answered if it asks for bytes, packets or flows by one of these groups of fields or some of them, filters nothing but
 * time, and its window takes in whole segments or begins and ends at midnight (UTC); buckets must be multiples of days. By the fields
 * of the last group, buckets of multiples of 5 minutes will do, and any window, whose ends then fall on the next 5 minutes. nfl_query_stats::rows_reduced tells what is missing in other answers.
 *
 * @param   store  Store opened for writing.
 * @param   opts   Options, or NULL for defaults. Not kept; changes count from the next segment on.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK         A step was done: call again.
 * @retval  NFL_DONE       There is nothing to merge.
 * @retval  NFL_E_CORRUPT  A segment is damaged and stays as it is; nfl_store_verify() tells more.
 * @retval  NFL_E_IO       Reading or writing failed: nothing has changed, call again later.
 * @retval  NFL_E_BUSY     Holds are being changed just now; nothing has changed, call again later.
 * @retval  NFL_E_STATE    Opened read-only.
 * @retval  NFL_E_NOMEM    Out of memory: nothing has changed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_compact(nfl_store *store, const nfl_compact_opts *opts, nfl_error *err);

/**
 * @brief   Ask a question.
 * @param   store  Store. For a file store the answer is a snapshot of this moment.
 * @param   query  Request. Not kept, except nfl_query::cancel.
 * @param[out] out Owned by the caller, free with nfl_cursor_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK           *out is set.
 * @retval  NFL_E_SYNTAX     Filter or field list does not parse; nfl_error::offset is the column.
 * @retval  NFL_E_LIMIT      The memory budget does not suffice.
 * @retval  NFL_E_CANCELLED  nfl_query::cancel was set, or nfl_query::max_rows or max_time_us exceeded.
 * @retval  NFL_E_CORRUPT    Stored data failed its check.
 * @retval  NFL_E_IO         Reading failed.
 * @retval  NFL_E_NOMEM      Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_query(nfl_store *store, const nfl_query *query,
                                                nfl_cursor **out, nfl_error *err);

/**
 * @brief   Ask several questions at once: the lists of a report page.
 *
 * Groupings that look at the same flows (filter, window, scaling, cancel flag) share one reading of them, if there is a filter;
 * without one, each may have sums to read instead. The results are those of nfl_store_query(), one by one.
 *
 * @param   store    Store.
 * @param   queries  @p count requests. Not kept, except nfl_query::cancel.
 * @param   count    1 or more.
 * @param[out] out   Room for @p count cursors, each to be freed with nfl_cursor_free(). All NULL on failure.
 * @param[out] err   Detail on failure; may be NULL.
 * @return  As nfl_store_query(): of the first question that failed. ::NFL_E_ARG: @p count is 0.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_query_all(nfl_store *store, const nfl_query *const *queries, size_t count,
                                                    nfl_cursor **out, nfl_error *err);

/**
 * @brief   Read every byte back and check it.
 * @param   store  Store.
 * @param[out] out Report; set `struct_size` before the call.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK         All is well.
 * @retval  NFL_E_CORRUPT  Something is not; the report says what.
 * @retval  NFL_E_IO       Reading failed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_verify(nfl_store *store, nfl_verify_report *out,
                                                 nfl_error *err);

/** What nfl_store_repair() found and did. */
typedef struct nfl_repair_report {
    uint32_t struct_size;      /**< Set by the caller before the call. */
    uint32_t manifest_rebuilt; /**< 1 = made anew from the files there are. */
    uint64_t segments;         /**< There now. */
    uint64_t damaged_segments; /**< Whose flows were lost in parts or all; the old file is kept as `<id>.nfs.damaged`. */
    uint64_t missing_segments; /**< That the manifest named and that are not there. */
    uint64_t flows;            /**< In segments now. */
    uint64_t lost_flows;       /**< That are known to be lost. */
    char first_problem[240];   /**< What, where; empty when all was well. */
} nfl_repair_report;

/**
 * @brief   Save what is intact in a damaged store, and tell what is lost.
 *
 * Every block of every segment is read. A segment with damage is written anew from its good blocks; a manifest that cannot
 * be read is made anew from the segments and the journal found on disk. Damaged files are kept aside, nothing else is deleted.
 * A sound store stays as it is. Whatever interrupts it, it may be run again.
 *
 * @param   uri   "file:DIR" or a path. No other process may write to it.
 * @param[out] out Report; set `struct_size` before the call.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK             The store can be used; the report says what was lost.
 * @retval  NFL_E_NOT_FOUND    There is no store, not even a part of one.
 * @retval  NFL_E_BUSY         Another process writes to it.
 * @retval  NFL_E_VERSION      Written by a newer library: left as it is.
 * @retval  NFL_E_UNSUPPORTED  Not a file store.
 * @retval  NFL_E_IO           Reading or writing failed: run it again when the disk is sound.
 * @retval  NFL_E_NOMEM        Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_repair(const char *uri, nfl_repair_report *out, nfl_error *err);

/**
 * @brief   Sizes and times.
 * @param   store  Store.
 * @param[out] out Set `struct_size` before the call.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_E_IO  Reading failed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_store_get_info(nfl_store *store, nfl_store_info *out, nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

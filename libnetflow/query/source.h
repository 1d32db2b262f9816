/* Where a query gets its rows from: the seam between the query engine and the stores.
 *
 * A source walks over blocks. next() moves to the next block whose summaries do not exclude a match with
 * the filter the source was opened with (it may return blocks without a match, never leave one out) and
 * sets batch.rows; load() then fills single columns of it, so that columns of blocks without a matching
 * row are never decoded (late materialisation). Who knows which few rows of the block still matter says so with narrow(): columns
 * loaded from then on may hold values of these alone. Counters in columns are unscaled.
 *
 * A store offers nfl__scannable; the query engine opens sources through it and holds the store alive.
 */
#ifndef NFL_QUERY_SOURCE_H
#define NFL_QUERY_SOURCE_H

#include <netflow/filter.h>

#include "base/alloc.h"
#include "query/batch.h"

typedef struct nfl__source nfl__source;

/* Up to one row in so many counts as few: finding their values one by one costs less than decoding all. */
#define NFL__ONLY_ONE_IN 16u

/* What flows may be added up by, for a query that wants nothing but sums of bytes, packets and flows. */
typedef struct nfl__adding {
    uint64_t keys;      /* fields that must be kept apart: NFL_HAS() bits */
    nfl_usec bucket_us; /* and times, by the bucket of this length; 0 = not */
} nfl__adding;

typedef struct nfl__source_ops {
    /* NFL_OK: batch.rows is set and batch.loaded is 0. NFL_DONE: no more. Errors end the source. */
    nfl_status (*next)(nfl__source *source, nfl_error *err);
    /* Set batch.columns[field] and its bit in batch.loaded. Valid until the next next(). Of rows that are not among `only`, if there
     * are any, values and codes may be anything. */
    nfl_status (*load)(nfl__source *source, uint32_t field, nfl_error *err);
    void (*free)(nfl__source *source);
    /* Called before the first next(), or not at all: sums of flows that keep apart what is asked may come in their place. Their
     * counters are scaled, and they have no other columns. May be NULL. */
    void (*add_up)(nfl__source *source, const nfl__adding *asked);
} nfl__source_ops;

/* What the rows of a batch are. */
enum {
    NFL__SUMS_NONE = 0,  /* flows */
    NFL__SUMS_WHOLE = 1, /* sums, all of which match */
    NFL__SUMS_CUT = 2    /* sums, to be filtered by `first`, the start of their bucket */
};

struct nfl__source {
    const nfl__source_ops *ops;
    nfl__batch batch;
    uint8_t sums;          /* NFL__SUMS_* */
    uint8_t reserved[7];
    uint64_t stands_for;   /* flows that a block of NFL__SUMS_WHOLE stands for; the first one of several stands for all */
    uint64_t rows_reduced; /* flows that may match and are gone: their sums do not tell what is asked */
    uint64_t blocks_read;
    uint64_t blocks_skipped;
    uint32_t only_count; /* rows of the block that matter; 0 = all may */
    uint32_t only[NFL__BATCH_ROWS / NFL__ONLY_ONE_IN];
};

/* Go to the next block, as ops->next(); all its rows matter. */
nfl_status nfl__source_next(nfl__source *source, nfl_error *err);

/* Of this block no other rows will be looked at than those whose bits are set. Without effect if they are too many
 * (NFL__ONLY_ONE_IN) or none. What is narrow may be narrowed further. */
void nfl__source_narrow(nfl__source *source, const uint64_t *rows);

/* Load those of the fields (NFL_HAS() bits) that are not loaded yet. */
nfl_status nfl__source_need(nfl__source *source, uint64_t fields, nfl_error *err);

typedef struct nfl__scannable {
    void *self;
    /* filter: window and user filter in one, lives as long as the source. fields: NFL_HAS() bits that may be
     * loaded. */
    nfl_status (*open)(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                       nfl_error *err);
    /* Keep the store alive, and let go again. */
    void (*retain)(void *self);
    void (*release)(void *self);
    /* Microseconds that only go forward, for limits of time; this layer has no clock. NULL: there is none, and no such limit. */
    nfl_usec (*clock)(void);
} nfl__scannable;

/* Summary of one field over a block or segment. */
typedef struct nfl__zone {
    uint8_t known;     /* 0: nothing is known, assume anything */
    uint8_t all_null;  /* no row has the field; min and max do not count */
    uint8_t has_null;  /* some row lacks the field */
    uint8_t reserved[5];
    uint64_t min, max; /* numbers; times as signed cast to unsigned */
    nfl_ip min_ip, max_ip; /* addresses */
} nfl__zone;

/* Rows of nfl_flow, `stride` bytes apart, as a source: for the memory ring, journals and host stores.
 * pull() gives the next rows: NFL_OK with n > 0, NFL_DONE, or an error. They stay valid until the next pull.
 * The source makes blocks of at most NFL__ROW_BLOCK rows; a pull that gives no more than that is followed by
 * the next pull at the next block. done() is called when the source is freed, and not if new fails. */
#define NFL__ROW_BLOCK 2048u
typedef nfl_status (*nfl__row_pull)(void *ctx, const nfl_flow **flows, size_t *n, size_t *stride,
                                    nfl_error *err);
nfl_status nfl__row_source_new(const nfl_alloc *alloc, nfl__row_pull pull, void *ctx, void (*done)(void *ctx),
                               nfl__source **out, nfl_error *err);

#endif

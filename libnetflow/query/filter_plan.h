/* Inside of a compiled filter, as far as the query engine and the stores need it.
 *
 * Every comparison becomes "field in a sorted list of ranges" (or "field & mask == value" for flags), so
 * that matching a row, a whole column, a dictionary, and excluding a block by its min and max are each one
 * small function:  src net 10.0.0.0/8 -> [10.0.0.0, 10.255.255.255];  bytes > 10k -> [10001, max];
 * port in (80, 443) -> src_port in {[80,80],[443,443]} or dst_port in the same.
 * The tree of and/or/not above the comparisons is kept as is.
 *
 * Scaled counters (bytes, packets, out_*, reverse_*) are compared after multiplication with `sampling`;
 * derived fields (duration, bps, pps, bpp) are computed from theirs.
 */
#ifndef NFL_QUERY_FILTER_PLAN_H
#define NFL_QUERY_FILTER_PLAN_H

#include <netflow/filter.h>

#include "query/batch.h"
#include "query/source.h"

/* Filter text and the window from_us <= first < to_us (0 = open) in one plan. flags: NFL_QUERY_UNSCALED; NFL_QUERY_SPREAD: flows that
 * overlap the window. */
nfl_status nfl__filter_new_window(const char *text, const nfl_filter_opts *opts, nfl_usec from_us,
                                  nfl_usec to_us, uint32_t flags, nfl_filter **out, nfl_error *err);

/* Stored fields the filter reads: NFL_HAS() bits, `sampling` included where scaling needs it. */
uint64_t nfl__filter_fields(const nfl_filter *filter);

/* 1 if every flow matches, whatever its fields: no need to look. */
int nfl__filter_is_any(const nfl_filter *filter);

/* 1 if nothing but the window counts. */
int nfl__filter_is_window(const nfl_filter *filter);

/* 1 if every flow that starts between these times matches, whatever its other fields. */
int nfl__filter_takes_all(const nfl_filter *filter, nfl_usec first_min, nfl_usec first_max);

/* The window it was made with: first >= *from_us and first < *to_us; INT64_MIN and INT64_MAX = open. */
void nfl__filter_window(const nfl_filter *filter, nfl_usec *from_us, nfl_usec *to_us);

/* Match the rows of the source's current batch, loading columns as needed: `selected` gets bit i set for
 * row i; it has room for (rows + 63) / 64 words, `scratch` (same object across calls) holds intermediate
 * bitmaps. *count = rows selected. */
typedef struct nfl__filter_scratch nfl__filter_scratch;
nfl_status nfl__filter_scratch_new(const nfl_filter *filter, const nfl_alloc *alloc,
                                   nfl__filter_scratch **out, nfl_error *err);
void nfl__filter_scratch_free(nfl__filter_scratch *scratch);
nfl_status nfl__filter_select(const nfl_filter *filter, nfl__filter_scratch *scratch, nfl__source *source,
                              uint64_t *selected, uint32_t *count, nfl_error *err);

/* 0 only if no row of a block with these zones (indexed by field number) can match. */
int nfl__filter_may_match(const nfl_filter *filter, const nfl__zone zones[NFL_FIELD_STORED_COUNT]);

#endif

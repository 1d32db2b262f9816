/* Running an nfl_query over a source: the query engine's entry for the stores.
 *
 * Life of a query: field lists and filter are parsed, a source is opened, and per block:
 * select rows by the filter (bitmap) -> load the remaining columns -> group, sort or list.
 *
 *   groups   hash table keyed by the packed grouping values, sums per group; then the top `limit` by a heap
 *   sorted   records: a heap of limit + offset rows when limited, all rows otherwise
 *   listed   records in order of arrival stream block by block, so that any number can be exported
 *   buckets  groups with the bucket start as first key; with a limit, the groups with the largest totals
 *
 * Memory is counted against nfl_query::max_memory_bytes.
 */
#ifndef NFL_QUERY_EXEC_H
#define NFL_QUERY_EXEC_H

#include <netflow/query.h>

#include "query/source.h"

nfl_status nfl__query_run(const nfl_query *query, const nfl_alloc *alloc, const nfl__scannable *store,
                          nfl_cursor **out, nfl_error *err);

/* Several: out[i] is the cursor of queries[i], or all are NULL. Groups of the same flows, chosen by a filter, are made in one
 * reading; what then does not fit in memory is read again by itself. */
nfl_status nfl__query_run_all(const nfl_query *const *queries, size_t count, const nfl_alloc *alloc, const nfl__scannable *store,
                              nfl_cursor **out, nfl_error *err);

#endif

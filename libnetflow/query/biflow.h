/* The two halves of a conversation as one record (NFL_QUERY_BIFLOW in query.h, which says what belongs together).
 *
 * A source over another one:
 *
 *   rows of the inner source, in order of arrival ─► which waiting half fits? ─┬─ one: both leave as one row
 *                                                                              └─ none: it waits; what waited too long leaves alone
 *
 * Halves wait in a hash table whose hash is the same for both directions, and in a list by arrival. A chain of the table holds the
 * halves of both directions of the same endpoints, NFL__BIFLOW_ALIKE of a direction at most, so that a step costs a bounded number of
 * comparisons whatever comes. Nothing depends on the inner source's blocks.
 *
 * Memory: 360 bytes a waiting half, counted against the query's budget; how many wait is a matter of NFL__BIFLOW_WAIT_US.
 */
#ifndef NFL_QUERY_BIFLOW_H
#define NFL_QUERY_BIFLOW_H

#include <netflow/query.h>

#include "query/limits.h"
#include "query/source.h"

#define NFL__BIFLOW_WAIT_US INT64_C(120000000)   /* between the arrivals of two halves */
#define NFL__BIFLOW_GAP_US INT64_C(60000000)     /* between the end of one and the start of the other */
#define NFL__BIFLOW_START_US INT64_C(3600000000) /* between their starts */
#define NFL__BIFLOW_ALIKE 8u                     /* of the same endpoints and direction that wait */

/* What outlives a reading: the window of the inner source, and how many rows it had. */
typedef struct nfl__biflow nfl__biflow;

/* memory: what waits is counted against it. limits: what is read counts in them. Both outlive the object. */
nfl_status nfl__biflow_new(const nfl_query *query, const nfl_alloc *alloc, nfl__memory *memory, nfl__limits *limits,
                           nfl__biflow **out, nfl_error *err);
void nfl__biflow_free(nfl__biflow *biflow);

/* Open the store, and put its rows together. fields: that may be loaded. The second time, rows that arrived since the end of the
 * first reading are left out. The object outlives the source. next() may give NFL_E_LIMIT. */
nfl_status nfl__biflow_open(nfl__biflow *biflow, const nfl__scannable *store, uint64_t fields, nfl__source **out, nfl_error *err);

#endif

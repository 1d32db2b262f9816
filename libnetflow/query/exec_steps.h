/* The steps of a query, for those who run several at once (together.c). */
#ifndef NFL_QUERY_EXEC_STEPS_H
#define NFL_QUERY_EXEC_STEPS_H

#include "query/cursor.h"

/* A cursor that has not begun. */
nfl_status nfl__exec_open(const nfl_query *query, const nfl_alloc *alloc, const nfl__scannable *store, nfl_cursor **out,
                          nfl_error *err);

/* Run it: all of it, but for listings, which read as they go. */
nfl_status nfl__exec_start(nfl_cursor *cursor, const nfl_alloc *alloc, nfl_error *err);

/* All flows are in groups, or those of the first partitions are: what the result is made of. */
nfl_status nfl__exec_gathered(nfl_cursor *cursor, nfl_error *err);

/* Groups and what was made of them go; the cursor may be started again. */
void nfl__exec_forget_groups(nfl_cursor *cursor);

/* The counters outlive the scan. */
void nfl__exec_take_stats(nfl_cursor *cursor, const nfl__scan *scan);

/* The caller's texts need not live on. */
void nfl__exec_forget_texts(nfl_cursor *cursor);

#endif

/* Answers to queries: asked for when nothing may fail, and compared row by row. */
#ifndef NFL_TEST_ANSWERS_H
#define NFL_TEST_ANSWERS_H

#include <netflow/store.h>

#include "column_source.h"

/* A store in memory with these flows. */
nfl_store *test_store_of(const nfl_flow *flows, size_t count);

/* Rows of an answer from a store of these flows, all of it with this allocator: for runs in which allocations fail. */
nfl_status test_count_rows(const nfl_alloc *alloc, const nfl_flow *flows, size_t count, const nfl_query *query, uint64_t *rows);

/* The answer; ends the program if there is none. */
nfl_cursor *test_ask(nfl_store *store, const nfl_query *query);
nfl_cursor *test_ask_columns(test_columns *columns, const nfl_query *query);

/* 1 if both cursors give the same rows to their end, and the same columns. */
int test_same_answers(nfl_cursor *a, nfl_cursor *b);

/* 1 if both matched the same: records, sums, groups. */
int test_same_totals(const nfl_cursor *a, const nfl_cursor *b);

#endif

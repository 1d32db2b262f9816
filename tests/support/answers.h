/* Two answers, row by row. */
#ifndef NFL_TEST_ANSWERS_H
#define NFL_TEST_ANSWERS_H

#include <netflow/query.h>

/* 1 if both cursors give the same rows to their end, and the same columns. */
int test_same_answers(nfl_cursor *a, nfl_cursor *b);

/* 1 if both matched the same: records, sums, groups. */
int test_same_totals(const nfl_cursor *a, const nfl_cursor *b);

#endif

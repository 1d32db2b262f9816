/* Comparing what a store's sources give with the flows that went in, column by column, bit by bit. */
#ifndef NFL_TEST_STORE_ROWS_H
#define NFL_TEST_STORE_ROWS_H

#include "query/source.h"
#include "store/backend.h"

/* Does row `row` of a batch with all columns loaded equal the flow in every stored field? */
int test_row_equals(const nfl__batch *batch, uint32_t row, const nfl_flow *flow);

/* Reads everything through open_source(). Flow i has in_if = i, i < n; seen[i] counts how often it came. Returns
 * NFL_OK, or the error of the source; rows that are none of the flows count in *strangers. */
nfl_status test_store_rows(const nfl__store_ops *ops, void *self, const nfl_flow *flows, size_t n, uint8_t *seen,
                           size_t *strangers, nfl_error *err);

/* Flow number i of a reproducible sequence: every field sometimes there, in_if = i, arrival in order, a few
 * per millisecond. */
void test_numbered_flow(uint32_t i, nfl_flow *flow);

#endif

/* distinct(field) by estimate (NFL_QUERY_APPROXIMATE): each group has a sketch (hll.h) instead of all combinations being groups.
 *
 * While rows come in, the word of a group that will hold the count holds the number of its sketch, from 1 on; 0 = it has seen no value.
 */
#ifndef NFL_QUERY_ESTIMATE_H
#define NFL_QUERY_ESTIMATE_H

#include "query/measure.h"
#include "query/table.h"

typedef struct nfl__estimates nfl__estimates;

nfl__estimates *nfl__estimates_new(const nfl__plan *plan, nfl__memory *memory); /* NULL when out of memory */
void nfl__estimates_free(nfl__estimates *estimates);

/* Add the scan's rows to the sketches of their groups. NFL_E_LIMIT. */
nfl_status nfl__estimates_add(nfl__estimates *estimates, const nfl__scan *scan, const nfl__targets *targets, nfl_error *err);

/* All rows are in: groups get their counts instead of their sketches, once. Returns the error bound of the least exact one, per
 * mille. */
uint64_t nfl__estimates_finish(nfl__estimates *estimates, const nfl__table *groups);

#endif

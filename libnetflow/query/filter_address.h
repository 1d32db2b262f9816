/* A filter over an index of addresses: in which groups of blocks may a row match?
 *
 * Only what the filter says about source and destination addresses counts; anything else may match anywhere. */
#ifndef NFL_QUERY_FILTER_ADDRESS_H
#define NFL_QUERY_FILTER_ADDRESS_H

#include "query/filter_plan.h"
#include "query/key.h"

/* *bits = groups of blocks that have an address of the ranges in NFL_FIELD_SRC or NFL_FIELD_DST. */
typedef nfl_status (*nfl__find_address)(void *ctx, uint32_t field, const nfl__range *ranges, uint32_t count, uint64_t *bits,
                                        nfl_error *err);

/* Does the filter say anything about addresses that an index could answer? */
int nfl__filter_has_address(const nfl_filter *filter);

/* *bits = groups of blocks in which a row may match. */
nfl_status nfl__filter_address_bits(const nfl_filter *filter, nfl__find_address find, void *ctx, uint64_t *bits, nfl_error *err);

#endif

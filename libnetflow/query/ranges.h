/* Sets of keys as sorted lists of ranges that neither overlap nor touch. */
#ifndef NFL_QUERY_RANGES_H
#define NFL_QUERY_RANGES_H

#include "query/key.h"

/* Sort and merge n ranges in place; returns how many are left. */
uint32_t nfl__ranges_normalize(nfl__range *ranges, uint32_t n);

/* Turn a normalized set into what is missing in 0 .. max; room for n + 1 ranges. Returns how many. */
uint32_t nfl__ranges_complement(nfl__range *ranges, uint32_t n, nfl__key max);

/* 1 if the key is in the set. */
int nfl__ranges_contain(const nfl__range *ranges, uint32_t n, nfl__key key);

/* 1 if some key of first .. last is in the set. */
int nfl__ranges_overlap(const nfl__range *ranges, uint32_t n, nfl__key first, nfl__key last);

/* 1 if every key of first .. last is in the set. */
int nfl__ranges_cover(const nfl__range *ranges, uint32_t n, nfl__key first, nfl__key last);

#endif

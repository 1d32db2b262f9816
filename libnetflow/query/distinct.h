/* Counting different values: groups by all keys become groups by all but the last one, and tell how many there were. */
#ifndef NFL_QUERY_DISTINCT_H
#define NFL_QUERY_DISTINCT_H

#include "query/table.h"

/* *table becomes one with the merged groups, whose last key is absent. Meanwhile there are both. */
nfl_status nfl__distinct_merge(nfl__table *table, nfl__memory *memory, nfl_error *err);

#endif

/* Rows of zeros for buckets without flows. */
#ifndef NFL_QUERY_FILL_H
#define NFL_QUERY_FILL_H

#include "query/table.h"

#define NFL__FILL_MOST (UINT64_C(1) << 20) /* buckets */

/* The buckets of a result, as times of their starts. */
typedef struct nfl__buckets {
    nfl_usec first;
    uint64_t count;
} nfl__buckets;

/* Start of the bucket of a time: rounded down, before 1970 too. */
nfl_usec nfl__bucket_start(nfl_usec time_us, nfl_usec length);

/* Those from one end of the window to the other; an open end is that of the groups in the table. NFL_E_LIMIT: more than
 * NFL__FILL_MOST. */
nfl_status nfl__fill_buckets(const nfl__table *table, nfl__buckets *out, nfl_error *err);

/* A row in each bucket for the group with this key (its bucket does not count). */
nfl_status nfl__fill_group(nfl__table *table, const nfl__buckets *buckets, const uint8_t *key, nfl_error *err);

#endif

/* What ends a query that goes on for too long: its cancel flag, the rows it may examine, the time it may take.
 *
 * Whoever reads blocks of a store for the query counts their rows and checks, once a block. */
#ifndef NFL_QUERY_LIMITS_H
#define NFL_QUERY_LIMITS_H

#include <netflow/query.h>

#include "query/source.h"

typedef struct nfl__limits {
    const volatile int32_t *cancel;
    uint64_t max_rows;    /* 0 = any number */
    uint64_t examined;    /* in all readings */
    uint64_t max_time_us; /* 0 = as long as it takes, or there is no clock */
    nfl_usec begun_us;
    nfl_usec (*clock)(void);
} nfl__limits;

/* The time begins. */
void nfl__limits_begin(nfl__limits *limits, const nfl_query *query, const nfl__scannable *store);

/* May the query go on, now that it examines so many more rows? NFL_E_CANCELLED. */
nfl_status nfl__limits_check(nfl__limits *limits, uint32_t rows, nfl_error *err);

#endif

/* Flows as columns in every form that batch.h allows, chosen at random, and with zones: what a column store
 * would offer to the query engine, without files. Of rows that the query has said it will not look at, values are spoiled. */
#ifndef NFL_TEST_COLUMN_SOURCE_H
#define NFL_TEST_COLUMN_SOURCE_H

#include "query/source.h"
#include "support.h"

typedef struct test_columns {
    const nfl_flow *flows;
    size_t count;
    uint32_t block_rows; /* at most */
    test_random random;
    long references;       /* retain less release */
    long opened;           /* sources not freed */
    uint64_t loaded;       /* fields that were loaded for any block, NFL_HAS() bits */
    const nfl_flow *block; /* first flow of the current block */
    int misuse;            /* a field was loaded that was not announced */
    nfl__scannable scannable;
} test_columns;

/* Offers count flows in blocks of up to block_rows rows; the flows are not copied. */
void test_columns_init(test_columns *columns, const nfl_flow *flows, size_t count, uint32_t block_rows,
                       uint64_t seed);

/* As test_flow(), but now and then without the time of its end, its bytes or its packets. */
void test_flow_with_gaps(test_random *random, nfl_flow *flow);

/* Zones of n flows; about one in ten is said to be unknown. */
void test_zones(test_random *random, const nfl_flow *flows, size_t n,
                nfl__zone zones[NFL_FIELD_STORED_COUNT]);

#endif

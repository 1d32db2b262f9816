/* Many rows of the same number of 64-bit words that never move: blocks of rows, allocated as needed. */
#ifndef NFL_QUERY_POOL_H
#define NFL_QUERY_POOL_H

#include "base/alloc.h"

#define NFL__POOL_ROWS 1024u /* rows per block, a power of two */

typedef struct nfl__pool {
    nfl__memory *memory;
    uint64_t **blocks;
    size_t block_count, block_capacity;
    size_t count; /* rows in use */
    uint32_t row_words;
} nfl__pool;

void nfl__pool_init(nfl__pool *pool, nfl__memory *memory, uint32_t row_words);
void nfl__pool_done(nfl__pool *pool);

/* Make room for `count` rows more, which nfl__pool_add() then gives without fail; 0 when out of memory. */
int nfl__pool_reserve(nfl__pool *pool, size_t count);

/* A new row behind the others; NULL when out of memory. It is all zeros unless it was cut off before. */
uint64_t *nfl__pool_add(nfl__pool *pool);

/* Keep the first `count` rows. */
void nfl__pool_cut(nfl__pool *pool, size_t count);

static inline uint64_t *nfl__pool_at(const nfl__pool *pool, size_t i)
{
    return pool->blocks[i / NFL__POOL_ROWS] + i % NFL__POOL_ROWS * pool->row_words;
}

/* The failure of an allocation counted against a query's budget. */
nfl_status nfl__query_nomem(const nfl__memory *memory, size_t size, nfl_error *err);

#endif

#include "query/pool.h"

#include "base/error.h"

void nfl__pool_init(nfl__pool *pool, nfl__memory *memory, uint32_t row_words)
{
    *pool = (nfl__pool){.memory = memory, .row_words = row_words};
}

void nfl__pool_done(nfl__pool *pool)
{
    for (size_t i = 0; i < pool->block_count; i++)
        nfl__delete(pool->memory, pool->blocks[i], NFL__POOL_ROWS, pool->row_words * sizeof(uint64_t));
    nfl__delete(pool->memory, pool->blocks, pool->block_capacity, sizeof *pool->blocks);
}

uint64_t *nfl__pool_add(nfl__pool *pool)
{
    if (pool->count == pool->block_count * NFL__POOL_ROWS) {
        if (!nfl__grow(pool->memory, (void **)&pool->blocks, &pool->block_capacity, pool->block_count + 1,
                       sizeof *pool->blocks))
            return NULL;
        uint64_t *block = nfl__new(pool->memory, NFL__POOL_ROWS, pool->row_words * sizeof(uint64_t));
        if (!block)
            return NULL;
        pool->blocks[pool->block_count++] = block;
    }
    return nfl__pool_at(pool, pool->count++);
}

nfl_status nfl__query_nomem(const nfl__memory *memory, size_t size, nfl_error *err)
{
    if (memory->held > memory->limit || size > memory->limit - memory->held)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                         "query needs more than the %zu bytes of its memory budget", memory->limit);
    return nfl__fail_nomem(err, size);
}

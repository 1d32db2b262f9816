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

int nfl__pool_reserve(nfl__pool *pool, size_t count)
{
    while (pool->block_count * NFL__POOL_ROWS < pool->count + count) {
        if (!nfl__grow(pool->memory, (void **)&pool->blocks, &pool->block_capacity, pool->block_count + 1,
                       sizeof *pool->blocks))
            return 0;
        uint64_t *block = nfl__new(pool->memory, NFL__POOL_ROWS, pool->row_words * sizeof(uint64_t));
        if (!block)
            return 0;
        pool->blocks[pool->block_count++] = block;
    }
    return 1;
}

uint64_t *nfl__pool_add(nfl__pool *pool)
{
    return nfl__pool_reserve(pool, 1) ? nfl__pool_at(pool, pool->count++) : NULL;
}

void nfl__pool_cut(nfl__pool *pool, size_t count)
{
    pool->count = count;
    while (pool->block_count * NFL__POOL_ROWS >= count + NFL__POOL_ROWS)
        nfl__delete(pool->memory, pool->blocks[--pool->block_count], NFL__POOL_ROWS,
                    pool->row_words * sizeof(uint64_t));
}

nfl_status nfl__query_nomem(const nfl__memory *memory, size_t size, nfl_error *err)
{
    /* Arrays that grow ask for up to twice of what they need. */
    if (memory->held > memory->limit || size > (memory->limit - memory->held) / 2)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                         "query needs more than the %zu bytes of its memory budget", memory->limit);
    return nfl__fail_nomem(err, size);
}

#include "query/estimate.h"

#include "base/error.h"
#include "query/hll.h"

#define ESTIMATE_WORDS ((sizeof(nfl__hll) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

struct nfl__estimates {
    const nfl__plan *plan;
    nfl__memory *memory;
    nfl__pool sketches;
    uint64_t values[NFL__SCAN_ROWS]; /* of rows, then their hashes */
};

nfl__estimates *nfl__estimates_new(const nfl__plan *plan, nfl__memory *memory)
{
    nfl__estimates *estimates = nfl__new(memory, 1, sizeof *estimates);
    if (!estimates)
        return NULL;
    estimates->plan = plan;
    estimates->memory = memory;
    nfl__pool_init(&estimates->sketches, memory, ESTIMATE_WORDS);
    return estimates;
}

static nfl__hll *estimate_sketch(const nfl__estimates *estimates, size_t i)
{
    return (nfl__hll *)(void *)nfl__pool_at(&estimates->sketches, i);
}

void nfl__estimates_free(nfl__estimates *estimates)
{
    if (!estimates)
        return;
    for (size_t i = 0; i < estimates->sketches.count; i++)
        nfl__hll_free(estimate_sketch(estimates, i), estimates->memory);
    nfl__pool_done(&estimates->sketches);
    nfl__delete(estimates->memory, estimates, 1, sizeof *estimates);
}

/* Hashes of the scan's current rows; of rows without a value they mean nothing. */
static void estimate_hash(nfl__estimates *estimates, const nfl__scan *scan)
{
    const nfl__column *column = nfl__scan_column(scan, estimates->plan->distinct_field);
    if (column->form == NFL__COLUMN_NULL)
        return;
    if (column->width == sizeof(nfl_ip)) {
        for (uint32_t i = 0; i < scan->count; i++)
            estimates->values[i] = nfl__hll_hash(nfl__column_at(column, scan->rows[i]), sizeof(nfl_ip));
        return;
    }
    nfl__scan_values(scan, estimates->plan->distinct_field, estimates->values);
    for (uint32_t i = 0; i < scan->count; i++) {
        uint8_t bytes[sizeof(uint64_t)]; /* the same on every machine */
        for (unsigned b = 0; b < sizeof bytes; b++)
            bytes[b] = (uint8_t)(estimates->values[i] >> 8 * b);
        estimates->values[i] = nfl__hll_hash(bytes, sizeof bytes);
    }
}

static nfl_status estimate_add_one(nfl__estimates *estimates, uint64_t *number, uint64_t hash, nfl_error *err)
{
    if (*number == 0) {
        uint64_t *sketch = nfl__pool_add(&estimates->sketches);
        if (!sketch)
            return nfl__query_nomem(estimates->memory, NFL__POOL_ROWS * sizeof(nfl__hll), err);
        memset(sketch, 0, ESTIMATE_WORDS * sizeof *sketch);
        *number = estimates->sketches.count;
    }
    if (!nfl__hll_add(estimate_sketch(estimates, (size_t)*number - 1), hash, estimates->memory))
        return nfl__query_nomem(estimates->memory, NFL__HLL_REGISTERS, err);
    return NFL_OK;
}

nfl_status nfl__estimates_add(nfl__estimates *estimates, const nfl__scan *scan, const nfl__targets *targets, nfl_error *err)
{
    const nfl__plan *plan = estimates->plan;
    const nfl__column *column = nfl__scan_column(scan, plan->distinct_field);
    estimate_hash(estimates, scan);
    for (uint32_t i = 0; i < targets->count; i++) {
        uint32_t at = targets->index[i];
        if (nfl__column_has(column, scan->rows[at]))
            NFL_TRY(estimate_add_one(estimates, &targets->target[i][plan->distinct_word], estimates->values[at], err));
    }
    return NFL_OK;
}

uint64_t nfl__estimates_finish(nfl__estimates *estimates, const nfl__table *groups)
{
    uint64_t error = 0;
    for (size_t i = 0; i < groups->pool.count; i++) {
        uint64_t *number = &nfl__pool_at(&groups->pool, i)[estimates->plan->distinct_word];
        if (*number == 0)
            continue;
        const nfl__hll *sketch = estimate_sketch(estimates, (size_t)*number - 1);
        *number = nfl__hll_count(sketch);
        error = nfl__hll_is_estimate(sketch) ? NFL__HLL_ERROR_PER_MILLE : error;
    }
    return error;
}

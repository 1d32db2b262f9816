#include "query/group.h"

#include "base/error.h"
#include "query/estimate.h"
#include "query/fill.h"
#include "query/spread.h"

#define GROUP_BUCKET_MOST 4096u /* combinations where a change of bucket empties the array, and buckets are short */
#define GROUP_BUCKET_LONG INT64_C(3600000000)

/* Most combinations that pay. */
static uint32_t group_most(const nfl__plan *plan)
{
    return plan->bucketed && plan->query.bucket_us < GROUP_BUCKET_LONG ? GROUP_BUCKET_MOST : NFL__GROUP_DENSE;
}

nfl_status nfl__groups_init(nfl__groups *groups, const nfl__plan *plan, nfl__addresses *addresses, nfl__memory *memory,
                            nfl_error *err)
{
    *groups = (nfl__groups){.memory = memory, .plan = plan};
    groups->packing = (nfl__packing){.plan = plan, .addresses = addresses, .memory = memory};
    NFL_TRY(nfl__table_init(&groups->table, plan, 0, memory, err));
    groups->keys = nfl__new(memory, NFL__SCAN_ROWS, plan->key_bytes);
    groups->hashes = nfl__new(memory, NFL__SCAN_ROWS, sizeof *groups->hashes);
    groups->buckets = nfl__new(memory, NFL__SCAN_ROWS, sizeof *groups->buckets);
    groups->targets = nfl__new(memory, 1, sizeof *groups->targets);
    if (!groups->keys || !groups->hashes || !groups->buckets || !groups->targets)
        return nfl__query_nomem(memory, NFL__SCAN_ROWS * plan->key_bytes, err);
    if (plan->counts_distinct && !plan->distinct_key && !(groups->estimates = nfl__estimates_new(plan, memory)))
        return nfl__query_nomem(memory, NFL__SCAN_ROWS * sizeof(uint64_t), err);
    if (plan->spread && !(groups->spread = nfl__spread_new(plan, groups->estimates, memory)))
        return nfl__query_nomem(memory, NFL__SCAN_ROWS * plan->key_bytes, err);
    nfl__coding_of_values(plan, group_most(plan), &groups->by_value);
    return NFL_OK;
}

void nfl__groups_done(nfl__groups *groups)
{
    if (!groups->memory)
        return;
    nfl__table_done(&groups->table);
    nfl__packing_done(&groups->packing);
    nfl__delete(groups->memory, groups->dense, groups->dense_words, sizeof *groups->dense);
    nfl__delete(groups->memory, groups->keys, NFL__SCAN_ROWS, groups->plan->key_bytes);
    nfl__delete(groups->memory, groups->hashes, NFL__SCAN_ROWS, sizeof *groups->hashes);
    nfl__delete(groups->memory, groups->buckets, NFL__SCAN_ROWS, sizeof *groups->buckets);
    nfl__delete(groups->memory, groups->targets, 1, sizeof *groups->targets);
    nfl__spread_free(groups->spread, groups->plan, groups->memory);
    nfl__estimates_free(groups->estimates);
    groups->memory = NULL;
}

/* --- By number ---- */

static size_t group_dense_stride(const nfl__groups *groups)
{
    return groups->plan->seen_word + 1;
}

/* An array of measures of no flow for all combinations; 0 when there is no memory to spare. */
static int group_start_dense(nfl__groups *groups, const nfl__coding *coding)
{
    size_t stride = group_dense_stride(groups), words = coding->combinations * stride;
    if (words > groups->dense_words) {
        uint64_t *dense = words * sizeof *dense < groups->memory->limit / 4 ? nfl__new(groups->memory, words, sizeof *dense) : NULL;
        if (!dense)
            return 0;
        nfl__delete(groups->memory, groups->dense, groups->dense_words, sizeof *dense);
        groups->dense = dense;
        groups->dense_words = words;
        for (size_t at = 0; at < words; at += stride)
            nfl__measures_clear(groups->plan, dense + at);
    }
    groups->coding = *coding;
    groups->dense_rows = 0;
    groups->bounded = 1;
    return 1;
}

/* Numbers by value pay when as many rows come as there are numbers, or nearly. */
static int group_pays_by_value(const nfl__groups *groups, const nfl__scan *scan)
{
    return groups->by_value.combinations &&
           (scan->stats.rows_matched + scan->selected_count) * 16 >= groups->by_value.combinations;
}

nfl_status nfl__groups_block(nfl__groups *groups, const nfl__scan *scan, nfl_error *err)
{
    nfl__coding coding;
    NFL_TRY(nfl__packing_block(&groups->packing, scan, err));
    uint32_t most = scan->selected_count < NFL__GROUP_DENSE ? scan->selected_count : NFL__GROUP_DENSE;
    if (groups->dense_rows) { /* they are by value */
        groups->numbered = 1;
        return NFL_OK;
    }
    groups->numbered = 0;
    if (groups->plan->spread || groups->estimates)
        return NFL_OK;
    if (scan->source->sums) /* most keys have one row: numbers would be a detour */
        return NFL_OK;
    if (group_pays_by_value(groups, scan))
        coding = groups->by_value;
    else
        nfl__coding_of_block(groups->plan, scan, most < group_most(groups->plan) ? most : group_most(groups->plan), &coding);
    groups->numbered = coding.combinations && group_start_dense(groups, &coding);
    return NFL_OK;
}

/* The combinations in use, from *at on, as packed keys; their rows become sources. Returns how many. */
static uint32_t group_pack_used(nfl__groups *groups, const nfl__scan *scan, uint32_t *at, uint64_t **used)
{
    const nfl__plan *plan = groups->plan;
    size_t stride = group_dense_stride(groups);
    uint32_t n = 0;
    for (; *at < groups->coding.combinations && n < NFL__SCAN_ROWS; ++*at) {
        uint64_t *row = groups->dense + *at * stride;
        if (!(row[plan->seen_word] & NFL__GROUP_USED))
            continue;
        uint8_t *key = groups->keys + (size_t)n * plan->key_bytes;
        nfl__pack_combination(&groups->packing, &groups->coding, scan, groups->dense_bucket, *at, key);
        used[n++] = row;
    }
    return n;
}

static void group_hash_keys(nfl__groups *groups, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        groups->hashes[i] = nfl__table_hash(&groups->table, groups->keys + (size_t)i * groups->plan->key_bytes);
}

/* Slots and groups of packed keys are on the way to the cache. */
static void group_prefetch_keys(const nfl__groups *groups, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        nfl__table_prefetch_slot(&groups->table, groups->hashes[i]);
    for (uint32_t i = 0; i < count; i++)
        nfl__table_prefetch_group(&groups->table, groups->hashes[i]);
}

static nfl_status group_empty_dense(nfl__groups *groups, const nfl__scan *scan, nfl_error *err)
{
    const nfl__plan *plan = groups->plan;
    uint64_t *used[NFL__SCAN_ROWS];
    uint32_t at = 0, n;
    if (groups->dense_rows == 0)
        return NFL_OK;
    while ((n = group_pack_used(groups, scan, &at, used)) > 0) {
        group_hash_keys(groups, n);
        NFL_TRY(nfl__table_reserve(&groups->table, groups->hashes, n, err));
        group_prefetch_keys(groups, n);
        for (uint32_t i = 0; i < n; i++) {
            used[i][plan->seen_word] &= ~NFL__GROUP_USED;
            if (nfl__table_takes(&groups->table, groups->hashes[i]))
                nfl__measures_merge(plan,
                                    nfl__table_get(&groups->table, groups->keys + (size_t)i * plan->key_bytes,
                                                   groups->hashes[i]),
                                    used[i]);
            nfl__measures_clear(plan, used[i]);
        }
    }
    groups->dense_rows = 0;
    groups->bounded = 1;
    return NFL_OK;
}

static void group_add_by_number(nfl__groups *groups, nfl__scan *scan)
{
    uint32_t combinations[NFL__SCAN_ROWS];
    size_t stride = group_dense_stride(groups);
    nfl__targets *targets = groups->targets;
    nfl__coding_rows(&groups->coding, groups->plan, scan, combinations);
    for (uint32_t i = 0; i < scan->count; i++) {
        targets->target[i] = groups->dense + combinations[i] * stride;
        targets->index[i] = (uint16_t)i;
    }
    groups->dense_rows += scan->count;
    groups->bounded = groups->bounded && scan->total_bits >> NFL__MEASURE_BITS == 0;
    targets->count = scan->count;
    targets->bounded = groups->bounded;
    targets->mark = NFL__GROUP_USED;
    nfl__measures_add(groups->plan, scan, targets);
}

/* --- By key ---- */

static nfl_status group_add_by_key(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    nfl__targets *targets = groups->targets;
    nfl__table *table = &groups->table;
    nfl__pack_rows(&groups->packing, scan, groups->buckets, groups->keys);
    group_hash_keys(groups, scan->count);
    NFL_TRY(nfl__table_reserve(table, groups->hashes, scan->count, err));
    targets->count = targets->bounded = 0;
    targets->mark = 0;
    for (uint32_t i = 0; i < scan->count; i++) {
        targets->index[targets->count] = (uint16_t)i;
        targets->count += (uint32_t)nfl__table_takes(table, groups->hashes[i]);
    }
    for (uint32_t i = 0; i < targets->count; i++)
        nfl__table_prefetch_slot(table, groups->hashes[targets->index[i]]);
    for (uint32_t i = 0; i < targets->count; i++)
        nfl__table_prefetch_group(table, groups->hashes[targets->index[i]]);
    for (uint32_t i = 0; i < targets->count; i++) {
        uint32_t at = targets->index[i];
        targets->target[i] =
            nfl__table_get(table, groups->keys + (size_t)at * groups->plan->key_bytes, groups->hashes[at]);
    }
    nfl__measures_add(groups->plan, scan, targets);
    return groups->estimates ? nfl__estimates_add(groups->estimates, scan, targets, err) : NFL_OK;
}

/* --- Buckets ---- */

/* Start of the bucket of each row, as a key. Neighbours mostly share theirs, which saves the division. */
static void group_set_buckets(nfl__groups *groups, const nfl__scan *scan)
{
    nfl_usec length = groups->plan->query.bucket_us, start = 0;
    const uint64_t *first = nfl__scan_numbers(scan, NFL_FIELD_FIRST, groups->buckets);
    for (uint32_t i = 0; i < scan->count; i++) {
        uint64_t first_us = first[i];
        if (i == 0 || (nfl_usec)first_us < start || first_us - (uint64_t)start >= (uint64_t)length)
            start = nfl__bucket_start((nfl_usec)first_us, length);
        groups->buckets[i] = (uint64_t)start ^ NFL__KEY_SIGN;
    }
}

/* Do all rows lie in one bucket? The array is then that bucket's. */
static nfl_status group_enter_bucket(nfl__groups *groups, const nfl__scan *scan, int *single, nfl_error *err)
{
    group_set_buckets(groups, scan);
    *single = 1;
    for (uint32_t i = 1; i < scan->count && *single; i++)
        *single = groups->buckets[i] == groups->buckets[0];
    if (*single && groups->numbered && groups->dense_bucket != groups->buckets[0]) {
        NFL_TRY(group_empty_dense(groups, scan, err));
        groups->dense_bucket = groups->buckets[0];
    }
    return NFL_OK;
}

/* --- The whole ---- */

nfl_status nfl__groups_add(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    int single = 1;
    if (groups->plan->spread) {
        nfl__pack_rows(&groups->packing, scan, groups->buckets, groups->keys);
        return nfl__spread_add(groups->spread, &groups->table, scan, groups->keys, err);
    }
    if (groups->plan->bucketed)
        NFL_TRY(group_enter_bucket(groups, scan, &single, err));
    if (!groups->numbered || !single)
        return group_add_by_key(groups, scan, err);
    group_add_by_number(groups, scan);
    return NFL_OK;
}

nfl_status nfl__groups_flush(nfl__groups *groups, const nfl__scan *scan, int last, nfl_error *err)
{
    if (groups->dense_rows == 0 || (groups->coding.by_value && groups->dense_rows < NFL__MEASURE_ROWS && !last))
        return NFL_OK;
    return group_empty_dense(groups, scan, err);
}

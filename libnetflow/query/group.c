#include "query/group.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/wr.h"
#include "record/fields.h"

#define GROUP_FIRST_SLOTS 1024u

/* --- Table ---- */

nfl_status nfl__groups_init(nfl__groups *groups, const nfl__plan *plan, uint32_t key_at, nfl__memory *memory,
                            nfl_error *err)
{
    *groups =
        (nfl__groups){.memory = memory, .plan = plan, .key_at = key_at, .slot_count = GROUP_FIRST_SLOTS};
    /* Nothing that is returned depends on the seed; the address is hard to guess for who sends the flows. */
    groups->seed = nfl__hash_u64((uint64_t)(uintptr_t)groups, UINT64_C(0x6e666c71));
    nfl__pool_init(&groups->pool, memory, plan->row_words);
    groups->slots = nfl__new(memory, groups->slot_count, sizeof *groups->slots);
    if (!groups->slots)
        return nfl__query_nomem(memory, groups->slot_count * sizeof *groups->slots, err);
    if (key_at)
        return NFL_OK;
    groups->cache = nfl__new(memory, NFL__GROUP_CACHE, sizeof *groups->cache);
    groups->keys = nfl__new(memory, NFL__SCAN_ROWS, plan->key_bytes ? plan->key_bytes : 1);
    groups->found = nfl__new(memory, NFL__SCAN_ROWS, sizeof *groups->found);
    groups->buckets = nfl__new(memory, NFL__SCAN_ROWS, sizeof *groups->buckets);
    if (!groups->cache || !groups->keys || !groups->found || !groups->buckets)
        return nfl__query_nomem(memory, NFL__GROUP_CACHE * sizeof *groups->cache, err);
    return NFL_OK;
}

void nfl__groups_done(nfl__groups *groups)
{
    if (!groups->memory)
        return;
    uint32_t key_bytes = groups->plan->key_bytes;
    nfl__pool_done(&groups->pool);
    nfl__delete(groups->memory, groups->slots, groups->slot_count, sizeof *groups->slots);
    nfl__delete(groups->memory, groups->cache, NFL__GROUP_CACHE, sizeof *groups->cache);
    nfl__delete(groups->memory, groups->keys, NFL__SCAN_ROWS, key_bytes ? key_bytes : 1);
    nfl__delete(groups->memory, groups->found, NFL__SCAN_ROWS, sizeof *groups->found);
    nfl__delete(groups->memory, groups->buckets, NFL__SCAN_ROWS, sizeof *groups->buckets);
    groups->memory = NULL;
}

static uint32_t group_hash(const nfl__groups *groups, const uint8_t *key)
{
    uint32_t len = groups->plan->key_bytes - groups->key_at;
    uint64_t first;
    if (len != sizeof first)
        return (uint32_t)(nfl__hash(key + groups->key_at, len, groups->seed) >> 32);
    memcpy(&first, key + groups->key_at, sizeof first);
    return (uint32_t)(nfl__hash_u64(first, groups->seed) >> 32);
}

/* The low bits of the hash place a slot: all of it is in the slot, so that the table can grow. */
static size_t group_slot_of(const nfl__groups *groups, uint32_t hash)
{
    return hash & (groups->slot_count - 1);
}

static nfl_status group_grow(nfl__groups *groups, nfl_error *err)
{
    size_t count = groups->slot_count * 2;
    uint64_t *slots = nfl__new(groups->memory, count, sizeof *slots);
    if (!slots)
        return nfl__query_nomem(groups->memory, count * sizeof *slots, err);
    for (size_t i = 0; i < groups->slot_count; i++) {
        uint64_t slot = groups->slots[i];
        if (!slot)
            continue;
        size_t at = (slot >> 32) & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = slot;
    }
    nfl__delete(groups->memory, groups->slots, groups->slot_count, sizeof *groups->slots);
    groups->slots = slots;
    groups->slot_count = count;
    return NFL_OK;
}

/* The slot of a key: that of its group, or the free one where it belongs. */
static uint64_t *group_probe(const nfl__groups *groups, const uint8_t *key, uint32_t hash)
{
    uint32_t key_at = groups->key_at, len = groups->plan->key_bytes - key_at;
    for (size_t at = group_slot_of(groups, hash);; at = (at + 1) & (groups->slot_count - 1)) {
        uint64_t slot = groups->slots[at];
        if (!slot)
            return &groups->slots[at];
        if (slot >> 32 != hash)
            continue;
        const uint64_t *group = nfl__pool_at(&groups->pool, (uint32_t)slot - 1);
        if (memcmp(nfl__group_key_bytes(groups->plan, group) + key_at, key + key_at, len) == 0)
            return &groups->slots[at];
    }
}

static void group_start(const nfl__plan *plan, uint64_t *group, const uint8_t *key)
{
    for (uint32_t i = 0; i < plan->measure_count; i++)
        if (plan->measures[i].how == NFL__MEASURE_MIN)
            group[plan->measures[i].word] = UINT64_MAX;
    memcpy(group + plan->seen_word + 1, key, plan->key_bytes);
}

static nfl_status group_make_room(nfl__groups *groups, nfl_error *err)
{
    if (groups->pool.count >= UINT32_MAX - 1)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %u groups", UINT32_MAX - 1);
    return (groups->pool.count + 1) * 4 > groups->slot_count * 3 ? group_grow(groups, err) : NFL_OK;
}

/* Number + 1 of the key's group, which is made if there is none. */
static nfl_status group_number(nfl__groups *groups, const uint8_t *key, uint32_t hash, uint32_t *out,
                               nfl_error *err)
{
    uint64_t *slot = group_probe(groups, key, hash);
    if (!*slot) {
        NFL_TRY(group_make_room(groups, err));
        uint64_t *group = nfl__pool_add(&groups->pool);
        if (!group)
            return nfl__query_nomem(groups->memory, NFL__POOL_ROWS * groups->plan->row_words * sizeof *group,
                                    err);
        group_start(groups->plan, group, key);
        slot = group_probe(groups, key, hash);
        *slot = (uint64_t)hash << 32 | (uint32_t)groups->pool.count;
    }
    *out = (uint32_t)*slot;
    return NFL_OK;
}

uint64_t *nfl__groups_find(const nfl__groups *groups, const uint64_t *row)
{
    const uint8_t *key = nfl__group_key_bytes(groups->plan, row);
    uint64_t slot = *group_probe(groups, key, group_hash(groups, key));
    return slot ? nfl__pool_at(&groups->pool, (uint32_t)slot - 1) : NULL;
}

/* --- Keys ---- */

/* n numbers of `width` bytes into their keys; inlined with a constant width this is one swap and store each. */
static inline void group_pack_numbers(uint8_t *at, size_t stride, const uint64_t *values, uint32_t n,
                                      uint32_t width)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        nfl__store_be(at, values[i], width);
}

static void group_pack_values(uint8_t *at, size_t stride, const nfl__group_key *key, uint64_t *values,
                              uint32_t n)
{
    switch (key->width) {
    case 1:
        group_pack_numbers(at, stride, values, n, 1);
        break;
    case 2:
        group_pack_numbers(at, stride, values, n, 2);
        break;
    case 4:
        group_pack_numbers(at, stride, values, n, 4);
        break;
    default:
        for (uint32_t i = 0; i < n && key->type == NFL_TYPE_TIME; i++)
            values[i] ^= NFL__KEY_SIGN;
        group_pack_numbers(at, stride, values, n, 8);
    }
}

static void group_pack_addresses(uint8_t *at, size_t stride, const nfl__column *column, const uint32_t *rows,
                                 uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        if (nfl__column_has(column, rows[i]))
            memcpy(at, nfl__column_at(column, rows[i]), sizeof(nfl_ip));
}

static void group_pack_presence(uint8_t *at, size_t stride, uint8_t bit, const nfl__column *column,
                                const uint32_t *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        *at |= !column->valid || nfl__bit_get(column->valid, rows[i]) ? bit : 0;
}

/* Clear a field of the keys whose rows do not have it; a time of 0 is no longer 0 bytes. */
static void group_clear_absent(uint8_t *at, size_t stride, uint32_t width, const nfl__column *column,
                               const uint32_t *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        if (!nfl__bit_get(column->valid, rows[i]))
            memset(at, 0, width);
}

/* Pack one key field of all rows of the scan; keys are zeroed before. Counters go in scaled. */
static void group_pack_field(nfl__groups *groups, nfl__scan *scan, uint32_t index)
{
    const nfl__plan *plan = groups->plan;
    const nfl__group_key *key = &plan->keys[index];
    const nfl__column *column = nfl__scan_column(scan, key->field);
    uint8_t *at = groups->keys + key->offset, *presence = groups->keys + plan->presence_at + index / 8;
    if (column->form == NFL__COLUMN_NULL)
        return;
    group_pack_presence(presence, plan->key_bytes, (uint8_t)(0x80 >> index % 8), column, scan->rows,
                        scan->count);
    if (key->type == NFL_TYPE_IP) {
        group_pack_addresses(at, plan->key_bytes, column, scan->rows, scan->count);
        return;
    }
    nfl__scan_values(scan, key->field, scan->values);
    group_pack_values(at, plan->key_bytes, key, scan->values, scan->count);
    if (column->valid && key->type == NFL_TYPE_TIME)
        group_clear_absent(at, plan->key_bytes, key->width, column, scan->rows, scan->count);
}

static void group_pack(nfl__groups *groups, nfl__scan *scan)
{
    const nfl__plan *plan = groups->plan;
    memset(groups->keys, 0, (size_t)scan->count * plan->key_bytes);
    if (plan->bucketed)
        group_pack_numbers(groups->keys, plan->key_bytes, groups->buckets, scan->count, 8);
    for (uint32_t k = 0; k < plan->key_count; k++)
        group_pack_field(groups, scan, k);
}

/* The key of one row of the scan. */
static void group_pack_row(const nfl__groups *groups, const nfl__scan *scan, uint32_t i, uint8_t *out)
{
    const nfl__plan *plan = groups->plan;
    memset(out, 0, plan->key_bytes);
    if (plan->bucketed)
        nfl__store_be(out, groups->buckets[i], 8);
    for (uint32_t k = 0; k < plan->key_count; k++) {
        const nfl__group_key *key = &plan->keys[k];
        const nfl__column *column = nfl__scan_column(scan, key->field);
        uint64_t value;
        if (!nfl__column_has(column, scan->rows[i]))
            continue;
        out[plan->presence_at + k / 8] |= (uint8_t)(0x80 >> k % 8);
        if (key->type == NFL_TYPE_IP)
            memcpy(out + key->offset, nfl__column_at(column, scan->rows[i]), sizeof(nfl_ip));
        else if (nfl__scan_value(scan, key->field, scan->rows[i], &value))
            nfl__store_be(out + key->offset, nfl__key_u64(key->type, value).low, key->width);
    }
}

/* Rounded down, before 1970 too. */
static nfl_usec group_bucket_start(nfl_usec first_us, nfl_usec length)
{
    nfl_usec into = first_us % length, start = first_us - into;
    if (into >= 0)
        return start;
    return start < INT64_MIN + length ? INT64_MIN : start - length;
}

/* Start of the bucket of each row, as a key. Neighbours mostly share theirs, which saves the division. */
static void group_set_buckets(nfl__groups *groups, const nfl__scan *scan)
{
    nfl_usec length = groups->plan->query.bucket_us, start = 0;
    nfl__scan_values(scan, NFL_FIELD_FIRST, groups->buckets);
    for (uint32_t i = 0; i < scan->count; i++) {
        uint64_t first = groups->buckets[i];
        if (i == 0 || (nfl_usec)first < start || first - (uint64_t)start >= (uint64_t)length)
            start = group_bucket_start((nfl_usec)first, length);
        groups->buckets[i] = (uint64_t)start ^ NFL__KEY_SIGN;
    }
}

/* --- Rows to groups ---- */

/* Values a key can take in this block, one more if it can be absent; 0 if it has no dictionary or a value
 * does not decide the key, since sampling rates differ. */
static uint32_t group_combinations(const nfl__scan *scan, uint32_t field)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    if (scan->sampled && (NFL__SCALED_FIELDS & NFL_HAS(field)))
        return 0;
    switch (column->form) {
    case NFL__COLUMN_NULL:
        return 1;
    case NFL__COLUMN_CONST:
        return column->valid ? 2 : 1;
    case NFL__COLUMN_DICT:
        return column->dict_count + (column->valid != NULL);
    default:
        return 0;
    }
}

void nfl__groups_block(nfl__groups *groups, const nfl__scan *scan)
{
    uint64_t product = 1;
    for (uint32_t k = 0; k < groups->plan->key_count && product; k++) {
        product *= group_combinations(scan, groups->plan->keys[k].field);
        product = product > NFL__GROUP_CACHE ? 0 : product;
    }
    /* Worth it when combinations come up more than once. */
    groups->cache_used = product <= scan->selected_count ? (uint32_t)product : 0;
    memset(groups->cache, 0, groups->cache_used * sizeof *groups->cache);
}

static uint32_t group_code(const nfl__column *column, uint32_t row)
{
    if (column->form == NFL__COLUMN_NULL)
        return 0;
    uint32_t code = column->form == NFL__COLUMN_DICT ? column->codes[row] : 0;
    if (column->valid && !nfl__bit_get(column->valid, row))
        code = column->form == NFL__COLUMN_DICT ? column->dict_count : 1;
    return code;
}

static nfl_status group_find_by_codes(nfl__groups *groups, const nfl__scan *scan, nfl_error *err)
{
    const nfl__plan *plan = groups->plan;
    uint32_t combination[NFL__SCAN_ROWS] = {0};
    for (uint32_t k = 0; k < plan->key_count; k++) {
        const nfl__column *column = nfl__scan_column(scan, plan->keys[k].field);
        uint32_t factor = group_combinations(scan, plan->keys[k].field);
        if (factor > 1)
            for (uint32_t i = 0; i < scan->count; i++)
                combination[i] = combination[i] * factor + group_code(column, scan->rows[i]);
    }
    for (uint32_t i = 0; i < scan->count; i++) {
        uint32_t *cached = &groups->cache[combination[i]];
        if (!*cached) {
            group_pack_row(groups, scan, i, groups->keys);
            NFL_TRY(group_number(groups, groups->keys, group_hash(groups, groups->keys), cached, err));
        }
        groups->found[i] = nfl__pool_at(&groups->pool, *cached - 1);
    }
    return NFL_OK;
}

static nfl_status group_find_by_keys(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    uint32_t hashes[NFL__SCAN_ROWS], key_bytes = groups->plan->key_bytes;
    group_pack(groups, scan);
    for (uint32_t i = 0; i < scan->count; i++) {
        hashes[i] = group_hash(groups, groups->keys + (size_t)i * key_bytes);
        __builtin_prefetch(&groups->slots[group_slot_of(groups, hashes[i])]);
    }
    for (uint32_t i = 0; i < scan->count; i++) {
        uint32_t number;
        NFL_TRY(group_number(groups, groups->keys + (size_t)i * key_bytes, hashes[i], &number, err));
        groups->found[i] = nfl__pool_at(&groups->pool, number - 1);
    }
    return NFL_OK;
}

/* Do all rows lie in one bucket? The cache is then that bucket's. */
static int group_cache_fits(nfl__groups *groups, const nfl__scan *scan)
{
    if (!groups->cache_used)
        return 0;
    if (!groups->plan->bucketed)
        return 1;
    for (uint32_t i = 1; i < scan->count; i++)
        if (groups->buckets[i] != groups->buckets[0])
            return 0;
    if (groups->cache_bucket != groups->buckets[0])
        memset(groups->cache, 0, groups->cache_used * sizeof *groups->cache);
    groups->cache_bucket = groups->buckets[0];
    return 1;
}

/* --- Measures ---- */

static inline void group_apply(uint64_t *word, uint32_t how, uint64_t value)
{
    switch (how) {
    case NFL__MEASURE_SUM:
        *word = nfl__add_saturated(*word, value);
        break;
    case NFL__MEASURE_MIN:
        *word = value < *word ? value : *word;
        break;
    case NFL__MEASURE_MAX:
        *word = value > *word ? value : *word;
        break;
    default:
        *word |= value;
    }
}

/* One value to each group's word; inlined with a constant `how`. */
static inline void group_apply_each(uint64_t *const *found, uint32_t word, uint32_t how,
                                    const uint64_t *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        group_apply(found[i] + word, how, values[i]);
}

static void group_apply_all(uint64_t *const *found, const nfl__measure *measure, const uint64_t *values,
                            uint32_t n)
{
    switch (measure->how) {
    case NFL__MEASURE_SUM:
        group_apply_each(found, measure->word, NFL__MEASURE_SUM, values, n);
        break;
    case NFL__MEASURE_MIN:
        group_apply_each(found, measure->word, NFL__MEASURE_MIN, values, n);
        break;
    case NFL__MEASURE_MAX:
        group_apply_each(found, measure->word, NFL__MEASURE_MAX, values, n);
        break;
    default:
        group_apply_each(found, measure->word, NFL__MEASURE_UNION, values, n);
    }
}

static void group_apply_address(uint64_t *words, nfl__key value)
{
    nfl__key known = {words[0], words[1]};
    if (nfl__key_compare(value, known) > 0) {
        words[0] = value.high;
        words[1] = value.low;
    }
}

/* A measure that is not a plain number of every row: row by row. */
static void group_add_by_row(nfl__groups *groups, const nfl__scan *scan, uint32_t index)
{
    const nfl__measure *measure = &groups->plan->measures[index];
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    for (uint32_t i = 0; i < scan->count; i++) {
        uint64_t *group = groups->found[i];
        if (!nfl__column_has(column, scan->rows[i]))
            continue;
        group[groups->plan->seen_word] |= UINT64_C(1) << index;
        if (measure->type == NFL_TYPE_IP)
            group_apply_address(group + measure->word, nfl__key_ip(nfl__column_at(column, scan->rows[i])));
        else
            group_apply(group + measure->word, measure->how, scan->values[i]);
    }
}

/* Returns the bit to set in `seen` of all groups that rows went to. */
static uint64_t group_add_measure(nfl__groups *groups, nfl__scan *scan, uint32_t index)
{
    const nfl__measure *measure = &groups->plan->measures[index];
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    if (column->form == NFL__COLUMN_NULL)
        return 0;
    if (measure->type != NFL_TYPE_IP)
        nfl__scan_values(scan, measure->field, scan->values);
    for (uint32_t i = 0; i < scan->count && measure->type == NFL_TYPE_TIME; i++)
        scan->values[i] ^= NFL__KEY_SIGN;
    if (column->valid || measure->type == NFL_TYPE_IP) {
        group_add_by_row(groups, scan, index);
        return 0;
    }
    group_apply_all(groups->found, measure, scan->values, scan->count);
    return UINT64_C(1) << index;
}

nfl_status nfl__groups_add(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    if (groups->plan->bucketed)
        group_set_buckets(groups, scan);
    if (group_cache_fits(groups, scan))
        NFL_TRY(group_find_by_codes(groups, scan, err));
    else
        NFL_TRY(group_find_by_keys(groups, scan, err));
    uint64_t seen = 0;
    for (uint32_t i = 0; i < groups->plan->measure_count; i++)
        seen |= group_add_measure(groups, scan, i);
    for (uint32_t i = 0; i < scan->count; i++)
        groups->found[i][groups->plan->seen_word] |= seen;
    return NFL_OK;
}

nfl_status nfl__groups_merge(nfl__groups *groups, const uint64_t *row, nfl_error *err)
{
    const nfl__plan *plan = groups->plan;
    const uint8_t *key = nfl__group_key_bytes(plan, row);
    uint32_t number;
    NFL_TRY(group_number(groups, key, group_hash(groups, key), &number, err));
    uint64_t *group = nfl__pool_at(&groups->pool, number - 1);
    group[plan->seen_word] |= row[plan->seen_word];
    for (uint32_t i = 0; i < plan->measure_count; i++) {
        const nfl__measure *measure = &plan->measures[i];
        nfl__key address = {row[measure->word], measure->type == NFL_TYPE_IP ? row[measure->word + 1] : 0};
        if (measure->type == NFL_TYPE_IP)
            group_apply_address(group + measure->word, address);
        else
            group_apply(group + measure->word, measure->how, row[measure->word]);
    }
    return NFL_OK;
}

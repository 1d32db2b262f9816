#include "query/pack.h"

#include "base/error.h"
#include "base/wr.h"
#include "record/fields.h"

/* --- Addresses ---- */

static int pack_is_numbered(const nfl__plan *plan, uint32_t k)
{
    return plan->narrow && plan->keys[k].type == NFL_TYPE_IP;
}

void nfl__packing_done(nfl__packing *packing)
{
    for (uint32_t k = 0; packing->memory && k < NFL__PLAN_FIELDS; k++)
        nfl__delete(packing->memory, packing->numbers[k], packing->capacity[k], sizeof *packing->numbers[k]);
    packing->memory = NULL;
}

static uint32_t pack_distinct(const nfl__column *column, uint32_t rows)
{
    switch (column->form) {
    case NFL__COLUMN_NULL:
        return 0;
    case NFL__COLUMN_CONST:
        return 1;
    case NFL__COLUMN_DICT:
        return column->dict_count;
    default:
        return rows;
    }
}

static nfl_status packing_column(nfl__packing *packing, uint32_t k, const nfl__column *column, uint32_t rows,
                                 nfl_error *err)
{
    uint32_t count = pack_distinct(column, rows);
    int by_row = column->form == NFL__COLUMN_PLAIN && column->valid;
    const nfl_ip *values = column->values;
    if (!nfl__grow(packing->memory, (void **)&packing->numbers[k], &packing->capacity[k], count,
                   sizeof *packing->numbers[k]))
        return nfl__query_nomem(packing->memory, count * sizeof *packing->numbers[k], err);
    for (uint32_t i = 0; i < count; i++) {
        packing->numbers[k][i] = 0;
        if (!by_row || nfl__bit_get(column->valid, i))
            NFL_TRY(nfl__addresses_number(packing->addresses, &values[i], &packing->numbers[k][i], err));
    }
    return NFL_OK;
}

nfl_status nfl__packing_block(nfl__packing *packing, const nfl__scan *scan, nfl_error *err)
{
    const nfl__plan *plan = packing->plan;
    for (uint32_t k = 0; k < plan->key_count; k++)
        if (pack_is_numbered(plan, k))
            NFL_TRY(packing_column(packing, k, nfl__scan_column(scan, plan->keys[k].field), scan->source->batch.rows, err));
    return NFL_OK;
}

/* Offset of the bits that tell numbers from IPv4 addresses. */
static uint32_t pack_numbered_at(const nfl__plan *plan)
{
    return plan->presence_at + (plan->key_count + 7) / 8;
}

uint64_t nfl__pack_number(const nfl__plan *plan, uint32_t k, const uint8_t *key)
{
    uint64_t numbered = key[pack_numbered_at(plan) + k / 8] >> (7 - k % 8) & 1;
    return numbered << 32 | nfl__load_be(key + plan->keys[k].offset, 4);
}

void nfl__pack_clear_number(const nfl__plan *plan, uint32_t k, uint8_t *key)
{
    if (plan->narrow)
        key[pack_numbered_at(plan) + k / 8] &= (uint8_t)~(1u << (7 - k % 8));
}

static int pack_any_numbered(const nfl__plan *plan, const uint8_t *key)
{
    uint8_t any = 0;
    for (uint32_t at = pack_numbered_at(plan); at < plan->keys[0].offset; at++)
        any |= key[at];
    return any != 0;
}

static int pack_compare_field(const nfl__plan *plan, const nfl__addresses *addresses, uint32_t k, const uint8_t *a,
                              const uint8_t *b)
{
    const nfl__group_key *key = &plan->keys[k];
    if (key->type != NFL_TYPE_IP)
        return memcmp(a + key->offset, b + key->offset, key->width);
    nfl_ip left = nfl__addresses_get(addresses, nfl__pack_number(plan, k, a));
    nfl_ip right = nfl__addresses_get(addresses, nfl__pack_number(plan, k, b));
    return nfl_ip_compare(&left, &right);
}

int nfl__pack_compare(const nfl__plan *plan, const nfl__addresses *addresses, const uint8_t *a, const uint8_t *b,
                      uint32_t key_at)
{
    if (!plan->narrow || plan->key_count == 0 || (!pack_any_numbered(plan, a) && !pack_any_numbered(plan, b)))
        return memcmp(a + key_at, b + key_at, plan->key_bytes - key_at);
    int order = memcmp(a + key_at, b + key_at, pack_numbered_at(plan) - key_at);
    for (uint32_t k = 0; k < plan->key_count && order == 0; k++)
        order = pack_compare_field(plan, addresses, k, a, b);
    return order;
}

/* An address into a key: as it is, or its number, by its place among the column's values. */
static inline void pack_store_address(const nfl__packing *packing, uint32_t k, const nfl__column *column, uint32_t at,
                                      uint8_t *key)
{
    const nfl__plan *plan = packing->plan;
    uint8_t *field = key + plan->keys[k].offset;
    if (!plan->narrow) {
        memcpy(field, (const nfl_ip *)column->values + at, sizeof(nfl_ip));
        return;
    }
    uint64_t number = packing->numbers[k][at];
    nfl__store_be(field, number, 4);
    key[pack_numbered_at(plan) + k / 8] |= (uint8_t)((number >> 32) << (7 - k % 8));
}

/* --- Codings ---- */

/* Multiply in the values of one more key. */
static int coding_add(nfl__coding *coding, uint32_t k, uint64_t factor, uint32_t most)
{
    if (factor == 0 || factor > most || coding->combinations * factor > most) {
        coding->combinations = 0;
        return 0;
    }
    coding->factors[k] = (uint32_t)factor;
    coding->combinations *= (uint32_t)factor;
    return 1;
}

/* Values a key can take in this block, one more if it can be absent; 0 if it has no dictionary or a value
 * does not decide the key, since sampling rates differ. */
static uint32_t coding_factor(const nfl__scan *scan, uint32_t field)
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

void nfl__coding_of_block(const nfl__plan *plan, const nfl__scan *scan, uint32_t most, nfl__coding *out)
{
    *out = (nfl__coding){.combinations = 1};
    for (uint32_t k = 0; k < plan->key_count; k++)
        if (!coding_add(out, k, coding_factor(scan, plan->keys[k].field), most))
            return;
}

void nfl__coding_of_values(const nfl__plan *plan, uint32_t most, nfl__coding *out)
{
    *out = (nfl__coding){.combinations = 1, .by_value = 1};
    for (uint32_t k = 0; k < plan->key_count; k++) {
        uint32_t width = plan->keys[k].width;
        if (!coding_add(out, k, width <= 2 ? (UINT64_C(1) << 8 * width) + 1 : 0, most))
            return;
    }
}

/* Number of a row's value of one key in `out`, for all of the scan's rows. */
static void coding_of_values(nfl__scan *scan, uint32_t field, uint32_t absent, uint32_t *out)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    const uint64_t *values = nfl__scan_numbers(scan, field, scan->values);
    for (uint32_t i = 0; i < scan->count; i++)
        out[i] = (uint32_t)values[i];
    if (column->form == NFL__COLUMN_NULL || column->valid)
        for (uint32_t i = 0; i < scan->count; i++)
            out[i] = nfl__column_has(column, scan->rows[i]) ? out[i] : absent;
}

static void coding_of_codes(const nfl__scan *scan, uint32_t field, uint32_t absent, uint32_t *out)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    memset(out, 0, scan->count * sizeof *out);
    if (column->form == NFL__COLUMN_DICT && scan->dense)
        for (uint32_t i = 0; i < scan->count; i++)
            out[i] = column->codes[scan->rows[0] + i];
    else if (column->form == NFL__COLUMN_DICT)
        for (uint32_t i = 0; i < scan->count; i++)
            out[i] = column->codes[scan->rows[i]];
    for (uint32_t i = 0; i < scan->count && column->valid; i++)
        out[i] = nfl__bit_get(column->valid, scan->rows[i]) ? out[i] : absent;
}

void nfl__coding_rows(const nfl__coding *coding, const nfl__plan *plan, nfl__scan *scan, uint32_t *out)
{
    uint32_t codes[NFL__SCAN_ROWS];
    memset(out, 0, scan->count * sizeof *out);
    for (uint32_t k = 0; k < plan->key_count; k++) {
        uint32_t factor = coding->factors[k];
        if (factor == 1)
            continue;
        if (coding->by_value)
            coding_of_values(scan, plan->keys[k].field, factor - 1, codes);
        else
            coding_of_codes(scan, plan->keys[k].field, factor - 1, codes);
        for (uint32_t i = 0; i < scan->count; i++)
            out[i] = out[i] * factor + codes[i];
    }
}

static int coding_is_absent(const nfl__coding *coding, uint32_t k, const nfl__column *column, uint32_t code)
{
    if (coding->by_value)
        return code == coding->factors[k] - 1;
    return column->form == NFL__COLUMN_NULL || (column->valid && code == coding->factors[k] - 1);
}

static void pack_code(const nfl__packing *packing, const nfl__coding *coding, const nfl__scan *scan, uint32_t k,
                      uint32_t code, uint8_t *out)
{
    const nfl__group_key *key = &packing->plan->keys[k];
    const nfl__column *column = nfl__scan_column(scan, key->field);
    if (coding_is_absent(coding, k, column, code))
        return;
    out[packing->plan->presence_at + k / 8] |= (uint8_t)(0x80 >> k % 8);
    if (coding->by_value) {
        nfl__store_be(out + key->offset, code, key->width);
    } else if (key->type == NFL_TYPE_IP) {
        pack_store_address(packing, k, column, code, out);
    } else {
        const uint8_t *value = (const uint8_t *)column->values + (size_t)code * column->width;
        nfl__store_be(out + key->offset, nfl__key_u64(key->type, nfl__value_u64(value, key->width)).low, key->width);
    }
}

void nfl__pack_combination(const nfl__packing *packing, const nfl__coding *coding, const nfl__scan *scan,
                           uint64_t bucket, uint32_t combination, uint8_t *key)
{
    const nfl__plan *plan = packing->plan;
    static const uint64_t zero = 0;
    for (uint32_t at = 0; at < plan->key_bytes; at += sizeof zero)
        memcpy(key + at, &zero, sizeof zero);
    if (plan->bucketed)
        nfl__store_be(key, bucket, 8);
    if (plan->key_count == 1) {
        pack_code(packing, coding, scan, 0, combination, key);
        return;
    }
    for (uint32_t k = plan->key_count; k-- > 0;) {
        pack_code(packing, coding, scan, k, combination % coding->factors[k], key);
        combination /= coding->factors[k];
    }
}

/* --- Keys row by row ---- */

/* n numbers of `width` bytes into their keys; inlined with a constant width this is one swap and store each. */
static inline void pack_numbers(uint8_t *at, size_t stride, const uint64_t *values, uint32_t n, uint32_t width)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        nfl__store_be(at, values[i], width);
}

static void pack_times(uint8_t *at, size_t stride, const uint64_t *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, at += stride)
        nfl__store_be(at, values[i] ^ NFL__KEY_SIGN, 8);
}

static void pack_values(uint8_t *at, size_t stride, const nfl__group_key *key, const uint64_t *values, uint32_t n)
{
    switch (key->width) {
    case 1:
        pack_numbers(at, stride, values, n, 1);
        break;
    case 2:
        pack_numbers(at, stride, values, n, 2);
        break;
    case 4:
        pack_numbers(at, stride, values, n, 4);
        break;
    default:
        if (key->type == NFL_TYPE_TIME)
            pack_times(at, stride, values, n);
        else
            pack_numbers(at, stride, values, n, 8);
    }
}

static void pack_addresses(const nfl__packing *packing, uint32_t k, const nfl__column *column, const nfl__scan *scan,
                           uint8_t *keys)
{
    for (uint32_t i = 0; i < scan->count; i++, keys += packing->plan->key_bytes) {
        uint32_t row = scan->rows[i];
        uint32_t at = column->form == NFL__COLUMN_DICT ? column->codes[row] : column->form == NFL__COLUMN_PLAIN ? row : 0;
        pack_store_address(packing, k, column, at, keys);
    }
}

static void pack_presence(uint8_t *at, size_t stride, uint8_t bit, const nfl__column *column, const nfl__scan *scan)
{
    for (uint32_t i = 0; i < scan->count; i++, at += stride)
        *at |= !column->valid || nfl__bit_get(column->valid, scan->rows[i]) ? bit : 0;
}

/* Clear a field of the keys whose rows do not have it. */
static void pack_clear_absent(const nfl__plan *plan, uint32_t k, const nfl__column *column, const nfl__scan *scan,
                              uint8_t *keys)
{
    for (uint32_t i = 0; i < scan->count; i++, keys += plan->key_bytes) {
        if (nfl__bit_get(column->valid, scan->rows[i]))
            continue;
        memset(keys + plan->keys[k].offset, 0, plan->keys[k].width);
        if (pack_is_numbered(plan, k))
            keys[pack_numbered_at(plan) + k / 8] &= (uint8_t)~(0x80 >> k % 8);
    }
}

/* One key field of all rows; keys are zeroed before. Counters go in scaled. */
static void pack_field(const nfl__packing *packing, nfl__scan *scan, uint32_t k, uint8_t *keys)
{
    const nfl__plan *plan = packing->plan;
    const nfl__group_key *key = &plan->keys[k];
    const nfl__column *column = nfl__scan_column(scan, key->field);
    if (column->form == NFL__COLUMN_NULL)
        return;
    pack_presence(keys + plan->presence_at + k / 8, plan->key_bytes, (uint8_t)(0x80 >> k % 8), column, scan);
    if (key->type == NFL_TYPE_IP)
        pack_addresses(packing, k, column, scan, keys);
    else
        pack_values(keys + key->offset, plan->key_bytes, key, nfl__scan_numbers(scan, key->field, scan->values),
                    scan->count);
    if (column->valid)
        pack_clear_absent(plan, k, column, scan, keys);
}

void nfl__pack_rows(const nfl__packing *packing, nfl__scan *scan, const uint64_t *buckets, uint8_t *keys)
{
    const nfl__plan *plan = packing->plan;
    memset(keys, 0, (size_t)scan->count * plan->key_bytes);
    if (plan->bucketed)
        pack_numbers(keys, plan->key_bytes, buckets, scan->count, 8);
    for (uint32_t k = 0; k < plan->key_count; k++)
        pack_field(packing, scan, k, keys);
}

#include "store/columns.h"

#include "base/rd.h"
#include "base/wr.h"

#include <string.h>

void nfl__extent_add(nfl__extent *extent, const nfl__extent *more)
{
    if (more->rows == 0)
        return;
    if (extent->rows == 0) {
        *extent = *more;
        return;
    }
    extent->rows += more->rows;
    if (more->received_min < extent->received_min)
        extent->received_min = more->received_min;
    if (more->received_max > extent->received_max)
        extent->received_max = more->received_max;
    if (more->first_min < extent->first_min)
        extent->first_min = more->first_min;
    if (more->first_max > extent->first_max)
        extent->first_max = more->first_max;
}

void nfl__extent_add_flow(nfl__extent *extent, const nfl_flow *flow)
{
    nfl__extent one = {1, flow->received_us, flow->received_us, flow->first_us, flow->first_us};
    nfl__extent_add(extent, &one);
}

static size_t columns_words(uint32_t rows)
{
    return ((size_t)rows + 63) / 64;
}

nfl__columns *nfl__columns_new(const nfl_alloc *alloc, uint32_t capacity)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__columns *columns = nfl__new(&memory, 1, sizeof *columns);
    if (columns) {
        columns->memory = memory;
        columns->references = 1;
        columns->capacity = capacity;
    }
    return columns;
}

void nfl__columns_retain(nfl__columns *columns)
{
    columns->references++;
}

void nfl__columns_release(nfl__columns *columns)
{
    if (!columns || --columns->references)
        return;
    nfl__memory memory = columns->memory;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
        nfl__delete(&memory, columns->values[f], columns->capacity, nfl__field_slots[f].width);
        nfl__delete(&memory, columns->valid[f], columns_words(columns->capacity), sizeof(uint64_t));
    }
    nfl__delete(&memory, columns, 1, sizeof *columns);
}

void nfl__columns_clear(nfl__columns *columns)
{
    for (uint64_t left = columns->fields; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        memset(columns->valid[f], 0, columns_words(columns->rows) * sizeof(uint64_t));
    }
    columns->rows = 0;
}

uint64_t nfl__columns_fields_of(const nfl_flow *flow)
{
    return (flow->present & NFL__FIELDS_STORED) | NFL__FIELDS_ALWAYS;
}

int nfl__columns_reserve(nfl__columns *columns, uint64_t fields)
{
    for (uint64_t missing = fields & ~columns->fields; missing; missing &= missing - 1) {
        unsigned f = (unsigned)__builtin_ctzll(missing);
        void *values = nfl__new(&columns->memory, columns->capacity, nfl__field_slots[f].width);
        uint64_t *valid = nfl__new(&columns->memory, columns_words(columns->capacity), sizeof *valid);
        if (!values || !valid) {
            nfl__delete(&columns->memory, values, columns->capacity, nfl__field_slots[f].width);
            nfl__delete(&columns->memory, valid, columns_words(columns->capacity), sizeof *valid);
            return 0;
        }
        columns->values[f] = values;
        columns->valid[f] = valid;
        columns->fields |= NFL_HAS(f);
    }
    return 1;
}

/* memcpy with a constant length in each branch is one move. */
static void columns_copy(void *dst, const void *src, size_t width)
{
    switch (width) {
    case 1:
        memcpy(dst, src, 1);
        break;
    case 2:
        memcpy(dst, src, 2);
        break;
    case 4:
        memcpy(dst, src, 4);
        break;
    case 8:
        memcpy(dst, src, 8);
        break;
    default:
        memcpy(dst, src, 16);
    }
}

/* One member of n rows, `stride` bytes apart, to an array. */
static void columns_gather(void *dst, const uint8_t *src, uint32_t n, size_t stride, size_t width)
{
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < n; i++)
            ((uint8_t *)dst)[i] = src[i * stride];
        break;
    case 2:
        for (uint32_t i = 0; i < n; i++)
            memcpy((uint16_t *)dst + i, src + i * stride, 2);
        break;
    case 4:
        for (uint32_t i = 0; i < n; i++)
            memcpy((uint32_t *)dst + i, src + i * stride, 4);
        break;
    case 8:
        for (uint32_t i = 0; i < n; i++)
            memcpy((uint64_t *)dst + i, src + i * stride, 8);
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            memcpy((nfl_ip *)dst + i, src + i * stride, 16);
    }
}

/* The same, of the rows whose bit is set; 0 for the others. */
static void columns_gather_some(uint8_t *dst, const uint8_t *src, uint64_t bits, uint32_t n, size_t stride, size_t width)
{
    memset(dst, 0, n * width);
    for (; bits; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctzll(bits);
        columns_copy(dst + i * width, src + i * stride, width);
    }
}

/* Bits of rows `at` and up, of which none is set yet. */
static void columns_set_bits(uint64_t *valid, uint32_t at, uint64_t bits)
{
    valid[at / 64] |= bits << (at % 64);
    if (at % 64 && bits >> (64 - at % 64))
        valid[at / 64 + 1] |= bits >> (64 - at % 64);
}

static uint64_t columns_bits(const uint64_t *present, uint32_t n, unsigned field)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < n; i++)
        bits |= (present[i] >> field & 1) << i;
    return bits;
}

void nfl__columns_add(nfl__columns *columns, const nfl_flow *flows, uint32_t n, size_t stride)
{
    const uint8_t *rows = (const uint8_t *)flows;
    uint64_t present[NFL__COLUMNS_STEP], all = UINT64_MAX, every = UINT64_MAX >> (64 - n);
    uint32_t at = columns->rows;
    for (uint32_t i = 0; i < n; i++) {
        present[i] = ((const nfl_flow *)(const void *)(rows + i * stride))->present & NFL__FIELDS_STORED;
        all &= present[i];
    }
    for (uint64_t left = columns->fields; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        size_t width = nfl__field_slots[f].width;
        uint8_t *dst = (uint8_t *)columns->values[f] + at * width;
        const uint8_t *src = rows + nfl__field_slots[f].offset;
        uint64_t bits = every;
        if (!(all & NFL_HAS(f)))
            bits = columns_bits(present, n, f);
        if (bits == every || (NFL__FIELDS_ALWAYS & NFL_HAS(f)))
            columns_gather(dst, src, n, stride, width);
        else
            columns_gather_some(dst, src, bits, n, stride, width);
        columns_set_bits(columns->valid[f], at, bits);
    }
    columns->rows += n;
}

/* Values of one width by their codes; inlined with a constant width. Rows without the field have code 0, and are 0 only if
 * the caller sees to it. */
static inline void columns_expand(uint8_t *dst, const uint8_t *values, const uint16_t *codes, uint32_t n, size_t width)
{
    for (uint32_t i = 0; i < n; i++)
        memcpy(dst + i * width, values + codes[i] * width, width);
}

static void columns_expand_all(uint8_t *dst, const nfl__column *column, uint32_t from, uint32_t n)
{
    switch (column->width) {
    case 1:
        columns_expand(dst, column->values, column->codes + from, n, 1);
        break;
    case 2:
        columns_expand(dst, column->values, column->codes + from, n, 2);
        break;
    case 4:
        columns_expand(dst, column->values, column->codes + from, n, 4);
        break;
    case 8:
        columns_expand(dst, column->values, column->codes + from, n, 8);
        break;
    default:
        columns_expand(dst, column->values, column->codes + from, n, 16);
    }
}

/* n values of a column, 0 for rows without the field. */
static void columns_copy_values(uint8_t *dst, const nfl__column *column, uint32_t from, uint32_t n)
{
    size_t width = column->width;
    if (column->form == NFL__COLUMN_PLAIN) {
        memcpy(dst, (const uint8_t *)column->values + from * width, n * width);
        return;
    }
    if (column->form == NFL__COLUMN_DICT && !column->valid) {
        columns_expand_all(dst, column, from, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (nfl__column_has(column, from + i))
            columns_copy(dst + i * width, nfl__column_at(column, from + i), width);
        else
            memset(dst + i * width, 0, width);
    }
}

/* Up to 64 bits from bit `at` on. */
static uint64_t columns_get_bits(const uint64_t *bits, uint32_t at, uint32_t n)
{
    uint64_t got = bits[at / 64] >> (at % 64);
    if (at % 64 && at % 64 + n > 64)
        got |= bits[at / 64 + 1] << (64 - at % 64);
    return got & UINT64_MAX >> (64 - n);
}

static void columns_copy_valid(uint64_t *valid, uint32_t at, const nfl__column *column, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 64) {
        uint32_t step = n - i < 64 ? n - i : 64;
        uint64_t bits = UINT64_MAX >> (64 - step);
        if (column->valid)
            bits = columns_get_bits(column->valid, from + i, step);
        columns_set_bits(valid, at + i, bits);
    }
}

int nfl__columns_append(nfl__columns *columns, const nfl__batch *batch, uint32_t from, uint32_t n)
{
    uint64_t fields = 0;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++)
        if (batch->columns[f].form != NFL__COLUMN_NULL)
            fields |= NFL_HAS(f);
    if (!nfl__columns_reserve(columns, fields))
        return 0;
    for (uint64_t left = columns->fields; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        size_t width = nfl__field_slots[f].width;
        uint8_t *dst = (uint8_t *)columns->values[f] + columns->rows * width;
        if (!(fields & NFL_HAS(f))) {
            memset(dst, 0, n * width);
            continue;
        }
        columns_copy_values(dst, &batch->columns[f], from, n);
        columns_copy_valid(columns->valid[f], columns->rows, &batch->columns[f], from, n);
    }
    columns->rows += n;
    return 1;
}

void nfl__columns_view(const nfl__columns *columns, uint32_t rows, uint32_t field, nfl__column *out)
{
    memset(out, 0, sizeof *out);
    out->width = nfl__field_slots[field].width;
    if (rows == 0 || !(columns->fields & NFL_HAS(field)))
        return;
    out->form = NFL__COLUMN_PLAIN;
    out->values = columns->values[field];
    out->valid = NFL__FIELDS_ALWAYS & NFL_HAS(field) ? NULL : columns->valid[field];
}

void nfl__columns_row(const nfl__columns *columns, uint32_t row, nfl_flow *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    for (uint64_t left = columns->fields; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        size_t width = nfl__field_slots[f].width;
        columns_copy((uint8_t *)out + nfl__field_slots[f].offset,
                     (const uint8_t *)columns->values[f] + row * width, width);
        if (nfl__bit_get(columns->valid[f], row))
            out->present |= NFL_HAS(f);
    }
}

/* An address as two numbers that compare like it. */
static void columns_zone_ip(nfl__zone *zone, const nfl_ip *ips, const uint64_t *valid, uint32_t n)
{
    uint64_t min_high = UINT64_MAX, min_low = UINT64_MAX, max_high = 0, max_low = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (valid && !nfl__bit_get(valid, i))
            continue;
        uint64_t high = nfl__load_be64(ips[i].b), low = nfl__load_be64(ips[i].b + 8);
        if (high < min_high || (high == min_high && low < min_low)) {
            min_high = high;
            min_low = low;
        }
        if (high > max_high || (high == max_high && low > max_low)) {
            max_high = high;
            max_low = low;
        }
        zone->all_null = 0;
    }
    nfl__store_be(zone->min_ip.b, min_high, 8);
    nfl__store_be(zone->min_ip.b + 8, min_low, 8);
    nfl__store_be(zone->max_ip.b, max_high, 8);
    nfl__store_be(zone->max_ip.b + 8, max_low, 8);
}

/* Smallest and largest of n values, all of which count: one loop a width, which compilers turn into vector code. */
static void columns_range_u8(const uint8_t *values, uint32_t n, uint64_t *min, uint64_t *max)
{
    uint8_t low = UINT8_MAX, high = 0;
    for (uint32_t i = 0; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *min = low;
    *max = high;
}

static void columns_range_u16(const uint16_t *values, uint32_t n, uint64_t *min, uint64_t *max)
{
    uint16_t low = UINT16_MAX, high = 0;
    for (uint32_t i = 0; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *min = low;
    *max = high;
}

static void columns_range_u32(const uint32_t *values, uint32_t n, uint64_t *min, uint64_t *max)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 0; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *min = low;
    *max = high;
}

static void columns_range_u64(const uint64_t *values, uint32_t n, uint64_t flip, uint64_t *min, uint64_t *max)
{
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t value = values[i] ^ flip;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    *min = low;
    *max = high;
}

static void columns_range(const void *values, uint32_t width, uint32_t n, uint64_t flip, uint64_t *min, uint64_t *max)
{
    switch (width) {
    case 1:
        columns_range_u8(values, n, min, max);
        break;
    case 2:
        columns_range_u16(values, n, min, max);
        break;
    case 4:
        columns_range_u32(values, n, min, max);
        break;
    default:
        columns_range_u64(values, n, flip, min, max);
    }
}

static void columns_zone_number(nfl__zone *zone, uint32_t field, const uint8_t *values, const uint64_t *valid, uint32_t n)
{
    /* Flipping the sign bit makes signed order unsigned order. */
    uint64_t flip = nfl__field_slots[field].type == NFL_TYPE_TIME ? UINT64_C(1) << 63 : 0;
    uint32_t width = nfl__field_slots[field].width;
    uint64_t min = UINT64_MAX, max = 0;
    if (!valid)
        columns_range(values, width, n, flip, &min, &max);
    zone->all_null = valid || n == 0;
    for (uint32_t i = 0; valid && i < n; i++) {
        if (!nfl__bit_get(valid, i))
            continue;
        uint64_t value = nfl__value_u64(values + (size_t)i * width, width) ^ flip;
        min = value < min ? value : min;
        max = value > max ? value : max;
        zone->all_null = 0;
    }
    zone->min = min ^ flip;
    zone->max = max ^ flip;
}

void nfl__zone_compute(nfl__zone *zone, uint32_t field, const void *values, const uint64_t *valid, uint32_t n)
{
    memset(zone, 0, sizeof *zone);
    zone->known = 1;
    zone->all_null = 1;
    if (valid && nfl__bits_all(valid, n))
        valid = NULL;
    zone->has_null = valid != NULL;
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        columns_zone_ip(zone, values, valid, n);
    else
        columns_zone_number(zone, field, values, valid, n);
    if (zone->all_null)
        zone->min = zone->max = 0;
}

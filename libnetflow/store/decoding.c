/* Chunks back into columns: the reading half of encoding.h. Everything read here may be hostile. */
#include "base/error.h"
#include "record/fields.h"
#include "store/encoding.h"
#include "store/numbers.h"

enum { PAGE = NFL__NUMBERS_PAGE };

typedef struct decoding {
    nfl__rd rd;
    uint32_t field;
    uint32_t rows;
    const nfl__chunk_context *context;
    nfl__decoded *decoded; /* of `column` */
    nfl__column *column;
    nfl_error *err;
} decoding;

void nfl__decoded_free(nfl__decoded *decoded, nfl__memory *memory)
{
    nfl__delete(memory, decoded->values, decoded->value_words, sizeof *decoded->values);
    nfl__delete(memory, decoded->codes, decoded->code_count, sizeof *decoded->codes);
    nfl__delete(memory, decoded->valid, decoded->valid_words, sizeof *decoded->valid);
    nfl__delete(memory, decoded->scratch, decoded->scratch_words, sizeof *decoded->scratch);
    memset(decoded, 0, sizeof *decoded);
}

static nfl_status decoding_corrupt(const decoding *d, const char *what)
{
    return nfl__fail(d->err, NFL_E_CORRUPT, nfl__rd_offset(&d->rd), "column %s: %s", nfl__field_row(d->field)->name, what);
}

static nfl_status decoding_grow(const decoding *d, void **array, size_t *capacity, size_t need, size_t size)
{
    if (!nfl__grow(d->context->memory, array, capacity, need, size))
        return nfl__fail_nomem(d->err, nfl__mul(need, size));
    return NFL_OK;
}

static nfl_status decoding_reserve_values(const decoding *d, nfl__decoded *decoded, size_t words)
{
    return decoding_grow(d, (void **)&decoded->values, &decoded->value_words, words, sizeof *decoded->values);
}

static nfl_status decoding_reserve_codes(const decoding *d, nfl__decoded *decoded)
{
    return decoding_grow(d, (void **)&decoded->codes, &decoded->code_count, d->rows, sizeof *decoded->codes);
}

/* --- validity --- */

static nfl_status decoding_reserve_valid(decoding *d, size_t *words)
{
    *words = ((size_t)d->rows + 63) / 64;
    NFL_TRY(decoding_grow(d, (void **)&d->decoded->valid, &d->decoded->valid_words, *words, sizeof *d->decoded->valid));
    d->column->valid = d->decoded->valid;
    return NFL_OK;
}

static nfl_status decoding_bitmap(decoding *d)
{
    size_t words, len = ((size_t)d->rows + 7) / 8;
    const uint8_t *bitmap = nfl__rd_bytes(&d->rd, len);
    if (!bitmap)
        return decoding_corrupt(d, "the bitmap is cut short");
    NFL_TRY(decoding_reserve_valid(d, &words));
    memset(d->decoded->valid, 0, words * sizeof *d->decoded->valid);
    for (size_t i = 0; i < len; i++)
        d->decoded->valid[i / 8] |= (uint64_t)bitmap[i] << (i % 8 * 8);
    return NFL_OK;
}

/* flip: all ones for the opposite of the other column's. */
static nfl_status decoding_bitmap_of(decoding *d, uint64_t flip)
{
    size_t words;
    const nfl__column *other = d->context->validity;
    if (!other || !other->valid)
        return decoding_corrupt(d, "no such validity");
    NFL_TRY(decoding_reserve_valid(d, &words));
    for (size_t i = 0; i < words; i++)
        d->decoded->valid[i] = other->valid[i] ^ flip;
    if (d->rows % 64)
        d->decoded->valid[words - 1] &= (UINT64_C(1) << d->rows % 64) - 1;
    return NFL_OK;
}

static nfl_status decoding_validity(decoding *d)
{
    uint8_t kind = nfl__rd_u8(&d->rd);
    if (d->rd.failed || kind > 3)
        return decoding_corrupt(d, "no validity");
    switch (kind) {
    case 0:
        return NFL_OK;
    case 1:
        return decoding_bitmap(d);
    default:
        return decoding_bitmap_of(d, kind == 3 ? UINT64_MAX : 0);
    }
}

/* --- numbers --- */

/* `rows` numbers to values of the field's width, from row `at` on. */
static void decoding_store(void *values, uint32_t width, uint32_t at, const uint64_t *numbers, uint32_t rows)
{
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < rows; i++)
            ((uint8_t *)values)[at + i] = (uint8_t)numbers[i];
        break;
    case 2:
        for (uint32_t i = 0; i < rows; i++)
            ((uint16_t *)values)[at + i] = (uint16_t)numbers[i];
        break;
    case 4:
        for (uint32_t i = 0; i < rows; i++)
            ((uint32_t *)values)[at + i] = (uint32_t)numbers[i];
        break;
    default:
        memcpy((uint64_t *)values + at, numbers, rows * sizeof *numbers);
    }
}

static size_t decoding_words(uint32_t rows, uint32_t width)
{
    return ((size_t)rows * width + 7) / 8;
}

static nfl_status decoding_open(decoding *d, uint32_t count, nfl__numbers *numbers)
{
    nfl_status status = nfl__numbers_open(numbers, &d->rd, count, d->context->memory, &d->decoded->scratch,
                                          &d->decoded->scratch_words);
    if (status == NFL_E_NOMEM)
        return nfl__fail_nomem(d->err, (size_t)count * sizeof(uint64_t));
    return status == NFL_OK ? NFL_OK : decoding_corrupt(d, "numbers are cut short or of an unknown form");
}

static nfl_status decoding_wrong_numbers(const decoding *d)
{
    return decoding_corrupt(d, "numbers are wrong");
}

/* A sequence to codes below `limit`. */
static nfl_status decoding_codes(decoding *d, uint64_t limit, uint16_t *codes)
{
    nfl__numbers numbers;
    uint64_t page[PAGE], highest = 0;
    NFL_TRY(decoding_open(d, d->rows, &numbers));
    while (numbers.given < d->rows) {
        uint32_t at = numbers.given, rows = nfl__numbers_next(&numbers, page);
        if (rows == 0)
            return decoding_wrong_numbers(d);
        for (uint32_t i = 0; i < rows; i++) {
            highest |= page[i] >= limit;
            codes[at + i] = (uint16_t)page[i];
        }
    }
    return highest ? decoding_corrupt(d, "a position is beyond the dictionary") : NFL_OK;
}

static nfl_status decoding_const(decoding *d)
{
    uint32_t width = d->column->width;
    const uint8_t *value = nfl__rd_bytes(&d->rd, width);
    if (!value)
        return decoding_corrupt(d, "no value");
    NFL_TRY(decoding_reserve_values(d, d->decoded, 2));
    if (width == sizeof(nfl_ip)) {
        memcpy(d->decoded->values, value, sizeof(nfl_ip));
    } else {
        uint64_t number = 0;
        for (uint32_t i = 0; i < width; i++)
            number |= (uint64_t)value[i] << (8 * i);
        decoding_store(d->decoded->values, width, 0, &number, 1);
    }
    d->column->form = NFL__COLUMN_CONST;
    return NFL_OK;
}

/* A sequence with a dictionary, left as it is. */
static nfl_status decoding_dict(decoding *d, nfl__numbers *numbers)
{
    uint64_t page[PAGE];
    numbers->mapped = 0;
    NFL_TRY(decoding_reserve_codes(d, d->decoded));
    NFL_TRY(decoding_reserve_values(d, d->decoded, decoding_words(numbers->distinct, d->column->width)));
    decoding_store(d->decoded->values, d->column->width, 0, numbers->dict, numbers->distinct);
    while (numbers->given < d->rows) {
        uint32_t at = numbers->given, rows = nfl__numbers_next(numbers, page);
        if (rows == 0)
            return decoding_wrong_numbers(d);
        decoding_store(d->decoded->codes, sizeof *d->decoded->codes, at, page, rows);
    }
    d->column->form = NFL__COLUMN_DICT;
    d->column->codes = d->decoded->codes;
    d->column->dict_count = numbers->distinct;
    return NFL_OK;
}

/* Values of rows `at` and up of a column of times: in place, or in `page`. */
static const int64_t *decoding_times(const nfl__column *column, uint32_t at, uint32_t rows, int64_t page[PAGE])
{
    if (column->form == NFL__COLUMN_PLAIN)
        return (const int64_t *)column->values + at;
    for (uint32_t i = 0; i < rows; i++)
        page[i] = (int64_t)nfl__column_u64(column, at + i);
    return page;
}

/* page = unit * (page + of / unit); inlined with a constant unit. */
static inline void decoding_scale_by(uint64_t *page, uint32_t rows, uint32_t unit, const int64_t *of)
{
    for (uint32_t i = 0; of && i < rows; i++)
        page[i] += (uint64_t)nfl__floor_divide(of[i], unit);
    for (uint32_t i = 0; unit != 1 && i < rows; i++)
        page[i] *= unit;
}

static void decoding_scale(uint64_t *page, uint32_t rows, uint32_t unit, const nfl__column *reference, uint32_t at)
{
    int64_t times[PAGE];
    const int64_t *of = reference ? decoding_times(reference, at, rows, times) : NULL;
    switch (unit) {
    case 1:
        decoding_scale_by(page, rows, 1, of);
        break;
    case 1000:
        decoding_scale_by(page, rows, 1000, of);
        break;
    case 1000000:
        decoding_scale_by(page, rows, 1000000, of);
        break;
    default:
        decoding_scale_by(page, rows, unit, of);
    }
}

static nfl_status decoding_numbers(decoding *d, const nfl__column *reference)
{
    nfl__numbers numbers;
    uint64_t page[PAGE];
    uint32_t unit = nfl__rd_u32_le(&d->rd);
    if (d->column->width > 8 || unit == 0 || unit > INT32_MAX)
        return decoding_corrupt(d, "no unit");
    NFL_TRY(decoding_open(d, d->rows, &numbers));
    if (numbers.distinct && unit == 1 && !reference)
        return decoding_dict(d, &numbers);
    NFL_TRY(decoding_reserve_values(d, d->decoded, decoding_words(d->rows, d->column->width)));
    while (numbers.given < d->rows) {
        uint32_t at = numbers.given, rows = nfl__numbers_next(&numbers, page);
        if (rows == 0)
            return decoding_wrong_numbers(d);
        if (unit > 1 || reference)
            decoding_scale(page, rows, unit, reference, at);
        decoding_store(d->decoded->values, d->column->width, at, page, rows);
    }
    d->column->form = NFL__COLUMN_PLAIN;
    return NFL_OK;
}

static nfl_status decoding_relative(decoding *d)
{
    const nfl__column *reference = d->context->reference;
    if (d->column->width != 8 || !reference || reference->width != 8 || reference->form == NFL__COLUMN_NULL || reference->valid)
        return decoding_corrupt(d, "no such reference");
    return decoding_numbers(d, reference);
}

/* --- addresses --- */

typedef struct decoding_counts {
    uint32_t below, v4, above;
} decoding_counts;

/* Addresses outside of the IPv4 range from their halves. `halves`: room for both. */
static int decoding_outer(decoding *d, const decoding_counts *counts, uint64_t *halves, uint8_t *ips)
{
    uint32_t n = counts->below + counts->above;
    uint64_t *upper = halves, *lower = halves + ((size_t)n + PAGE - 1) / PAGE * PAGE;
    if (!nfl__numbers_read(&d->rd, n, upper) || !nfl__numbers_read(&d->rd, n, lower))
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *ip = ips + (i < counts->below ? i : (size_t)i + counts->v4) * sizeof(nfl_ip);
        nfl__store_be(ip, upper[i], 8);
        nfl__store_be(ip + 8, lower[i], 8);
    }
    return 1;
}

/* The dictionary of a chunk; the addresses stand first in decoded->values. */
static nfl_status decoding_dictionary(decoding *d, uint32_t most, uint32_t *count)
{
    decoding_counts counts;
    counts.below = nfl__rd_u32_le(&d->rd);
    counts.v4 = nfl__rd_u32_le(&d->rd);
    counts.above = nfl__rd_u32_le(&d->rd);
    uint64_t sum = (uint64_t)counts.below + counts.v4 + counts.above;
    if (d->column->width != sizeof(nfl_ip) || d->rd.failed || sum == 0 || sum > most)
        return decoding_corrupt(d, "the dictionary has an impossible size");
    size_t room = ((size_t)sum + PAGE) / PAGE * PAGE;
    NFL_TRY(decoding_reserve_values(d, d->decoded, 2 * (size_t)sum));
    NFL_TRY(decoding_grow(d, (void **)&d->decoded->scratch, &d->decoded->scratch_words, 2 * room, sizeof *d->decoded->scratch));
    uint8_t *ips = (uint8_t *)d->decoded->values;
    uint64_t *numbers = d->decoded->scratch;
    if (!decoding_outer(d, &counts, numbers, ips) || !nfl__numbers_read(&d->rd, counts.v4, numbers))
        return decoding_corrupt(d, "the dictionary is cut short");
    for (uint32_t i = 0; i < counts.v4; i++) {
        nfl_ip ip = nfl_ip_from_v4((uint32_t)numbers[i]);
        memcpy(ips + ((size_t)counts.below + i) * sizeof ip, &ip, sizeof ip);
    }
    *count = (uint32_t)sum;
    return NFL_OK;
}

static void decoding_set_dict(nfl__column *column, const uint16_t *codes, uint32_t count)
{
    column->form = NFL__COLUMN_DICT;
    column->codes = codes;
    column->dict_count = count;
}

static nfl_status decoding_addresses(decoding *d)
{
    uint32_t count;
    NFL_TRY(decoding_dictionary(d, d->rows, &count));
    NFL_TRY(decoding_reserve_codes(d, d->decoded));
    NFL_TRY(decoding_codes(d, count, d->decoded->codes));
    decoding_set_dict(d->column, d->decoded->codes, count);
    return NFL_OK;
}

/* --- pairs --- */

/* Exchange the two where the bitmap says so. */
static void decoding_swap(const uint8_t *bits, uint32_t rows, uint16_t *first, uint16_t *second)
{
    for (uint32_t i = 0; i < rows; i++) {
        uint16_t mask = (uint16_t)-(bits[i / 8] >> (i % 8) & 1);
        uint16_t difference = (uint16_t)((first[i] ^ second[i]) & mask);
        first[i] ^= difference;
        second[i] ^= difference;
    }
}

static nfl_status decoding_pair_codes(decoding *d, uint32_t limit, uint16_t *first, uint16_t *second)
{
    uint8_t swapped = nfl__rd_u8(&d->rd);
    const uint8_t *bits = swapped == 1 ? nfl__rd_bytes(&d->rd, ((size_t)d->rows + 7) / 8) : NULL;
    if (d->rd.failed || swapped > 1)
        return decoding_corrupt(d, "no bitmap of exchanged rows");
    NFL_TRY(decoding_codes(d, limit, first));
    NFL_TRY(decoding_codes(d, limit, second));
    if (bits)
        decoding_swap(bits, d->rows, first, second);
    return NFL_OK;
}

static nfl_status decoding_pair_ports(decoding *d, nfl__decoded *other)
{
    size_t words = decoding_words(d->rows, sizeof(uint16_t));
    NFL_TRY(decoding_reserve_values(d, d->decoded, words));
    NFL_TRY(decoding_reserve_values(d, other, words));
    NFL_TRY(decoding_pair_codes(d, 65536, (uint16_t *)(void *)d->decoded->values, (uint16_t *)(void *)other->values));
    d->column->form = d->context->partner->form = NFL__COLUMN_PLAIN;
    d->context->partner->values = other->values;
    return NFL_OK;
}

static nfl_status decoding_pair_addresses(decoding *d, nfl__decoded *other)
{
    uint32_t count;
    NFL_TRY(decoding_dictionary(d, NFL__BATCH_ROWS, &count));
    NFL_TRY(decoding_reserve_codes(d, d->decoded));
    NFL_TRY(decoding_reserve_codes(d, other));
    NFL_TRY(decoding_pair_codes(d, count, d->decoded->codes, other->codes));
    decoding_set_dict(d->column, d->decoded->codes, count);
    decoding_set_dict(d->context->partner, other->codes, count);
    d->context->partner->values = d->decoded->values; /* one dictionary for both */
    return NFL_OK;
}

static nfl_status decoding_pair(decoding *d)
{
    nfl__column *partner = d->context->partner;
    if (nfl__encoding_partner(d->field) == NFL_FIELD_NONE || !partner)
        return decoding_corrupt(d, "this column has no partner");
    memset(partner, 0, sizeof *partner);
    partner->width = d->column->width;
    partner->valid = d->column->valid;
    return d->column->width == 2 ? decoding_pair_ports(d, d->context->partner_decoded)
                                 : decoding_pair_addresses(d, d->context->partner_decoded);
}

/* --- what follows from an address --- */

static nfl_status decoding_exceptions(decoding *d, uint32_t count)
{
    nfl__decoded *decoded = d->decoded;
    size_t room = ((size_t)count + PAGE - 1) / PAGE * PAGE;
    NFL_TRY(decoding_grow(d, (void **)&decoded->scratch, &decoded->scratch_words, 2 * room, sizeof *decoded->scratch));
    uint64_t *at = decoded->scratch, *values = at + room;
    if (!nfl__numbers_read(&d->rd, count, at) || !nfl__numbers_read(&d->rd, count, values))
        return decoding_corrupt(d, "exceptions are cut short");
    for (uint32_t i = 0; i < count; i++) {
        if (at[i] >= d->rows)
            return decoding_corrupt(d, "an exception is beyond the last row");
        decoding_store(decoded->values, d->column->width, (uint32_t)at[i], &values[i], 1);
    }
    return NFL_OK;
}

/* The value of each position in the reference's dictionary, to `map`. */
static nfl_status decoding_map(decoding *d, uint32_t count, uint64_t *map)
{
    nfl__numbers numbers;
    uint64_t page[PAGE];
    NFL_TRY(decoding_open(d, count, &numbers));
    while (numbers.given < count) {
        uint32_t at = numbers.given, rows = nfl__numbers_next(&numbers, page);
        if (rows == 0)
            return decoding_wrong_numbers(d);
        memcpy(map + at, page, rows * sizeof *map);
    }
    return NFL_OK;
}

static nfl_status decoding_follows(decoding *d)
{
    const nfl__column *reference = d->context->reference;
    uint32_t width = d->column->width;
    if (width > 8 || !reference || reference->valid ||
        (reference->form != NFL__COLUMN_DICT && reference->form != NFL__COLUMN_CONST))
        return decoding_corrupt(d, "no such reference");
    uint32_t count = reference->form == NFL__COLUMN_DICT ? reference->dict_count : 1;
    size_t words = decoding_words(d->rows, width);
    NFL_TRY(decoding_reserve_values(d, d->decoded, words + count)); /* the map behind the values */
    uint64_t *map = d->decoded->values + words;
    NFL_TRY(decoding_map(d, count, map));
    for (uint32_t at = 0; at < d->rows;) {
        uint64_t page[PAGE];
        uint32_t rows = d->rows - at < PAGE ? d->rows - at : PAGE;
        for (uint32_t i = 0; i < rows; i++)
            page[i] = map[reference->codes ? reference->codes[at + i] : 0];
        decoding_store(d->decoded->values, width, at, page, rows);
        at += rows;
    }
    d->column->form = NFL__COLUMN_PLAIN;
    uint32_t exceptions = nfl__rd_u32_le(&d->rd);
    if (d->rd.failed || exceptions > d->rows)
        return decoding_corrupt(d, "more exceptions than rows");
    return exceptions ? decoding_exceptions(d, exceptions) : NFL_OK;
}

/* --- decode --- */

static nfl_status decoding_values(decoding *d, uint32_t encoding)
{
    switch (encoding) {
    case NFL__ENCODING_CONST:
        return decoding_const(d);
    case NFL__ENCODING_NUMBERS:
        return decoding_numbers(d, NULL);
    case NFL__ENCODING_RELATIVE:
        return decoding_relative(d);
    case NFL__ENCODING_ADDRESSES:
        return decoding_addresses(d);
    case NFL__ENCODING_PAIR:
        return decoding_pair(d);
    case NFL__ENCODING_FOLLOWS:
        return decoding_follows(d);
    default:
        return nfl__fail(d->err, NFL_E_VERSION, NFL_NO_OFFSET, "column %s: encoding %u is not known to this library",
                         nfl__field_row(d->field)->name, encoding);
    }
}

/* Rows without the field read as 0. */
static void decoding_clear_absent(nfl__column *column, nfl__decoded *decoded, uint32_t rows)
{
    if (!column->valid || column->form == NFL__COLUMN_CONST)
        return;
    uint8_t *values = (uint8_t *)decoded->values;
    for (uint32_t i = 0; i < rows; i++) {
        if (nfl__bit_get(column->valid, i))
            continue;
        if (column->form == NFL__COLUMN_DICT)
            decoded->codes[i] = 0;
        else
            memset(values + (size_t)i * column->width, 0, column->width);
    }
}

nfl_status nfl__decode_column(uint32_t field, uint32_t encoding, const uint8_t *data, size_t len,
                              const nfl__chunk_context *context, nfl_error *err)
{
    nfl__column *column = context->column;
    decoding d = {nfl__rd_make(data, len), field, context->rows, context, context->decoded, column, err};
    memset(column, 0, sizeof *column);
    column->width = nfl__field_slots[field].width;
    NFL_TRY(decoding_validity(&d));
    NFL_TRY(decoding_values(&d, encoding));
    if (nfl__rd_left(&d.rd))
        return decoding_corrupt(&d, "bytes behind the end");
    column->values = d.decoded->values;
    decoding_clear_absent(column, d.decoded, d.rows);
    if (encoding == NFL__ENCODING_PAIR)
        decoding_clear_absent(context->partner, context->partner_decoded, d.rows);
    return NFL_OK;
}

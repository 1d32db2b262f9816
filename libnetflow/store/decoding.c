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

/* Numbers of some rows that are wanted: of those from `first` on, or of those that `rows` names. */
typedef struct decoding_run {
    uint32_t done; /* of the rows that are wanted */
    uint32_t count;
    uint32_t first;
    const uint32_t *rows;
    uint64_t numbers[PAGE];
} decoding_run;

static uint32_t decoding_row(const decoding_run *run, uint32_t i)
{
    return run->rows ? run->rows[i] : run->first + i;
}

static int decoding_pick(const decoding *d, nfl__numbers *numbers, decoding_run *run)
{
    uint32_t left = d->context->only_count - run->done;
    run->rows = d->context->only + run->done;
    run->count = left < PAGE ? left : PAGE;
    run->done += run->count;
    return nfl__numbers_pick(numbers, run->rows, run->count, run->numbers);
}

/* The next run, of *run that is zero at first; NFL_DONE behind the last one. */
static nfl_status decoding_next(const decoding *d, nfl__numbers *numbers, decoding_run *run)
{
    int picks = d->context->only_count && nfl__numbers_can_pick(numbers);
    if (run->done >= (picks ? d->context->only_count : d->rows))
        return NFL_DONE;
    if (picks)
        return decoding_pick(d, numbers, run) ? NFL_OK : decoding_corrupt(d, "numbers are wrong");
    run->first = run->done;
    run->count = nfl__numbers_next(numbers, run->numbers);
    run->done += run->count;
    return run->count ? NFL_OK : decoding_corrupt(d, "numbers are wrong");
}

/* `rows` numbers to values of a field's width, from row `at` on. */
static void decoding_store(void *values, uint32_t width, uint32_t at, const uint64_t *numbers, uint32_t rows)
{
    uint8_t *bytes = (uint8_t *)values + at;
    uint16_t *halves = (uint16_t *)values + at;
    uint32_t *words = (uint32_t *)values + at;
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < rows; i++)
            bytes[i] = (uint8_t)numbers[i];
        break;
    case 2:
        for (uint32_t i = 0; i < rows; i++)
            halves[i] = (uint16_t)numbers[i];
        break;
    case 4:
        for (uint32_t i = 0; i < rows; i++)
            words[i] = (uint32_t)numbers[i];
        break;
    default:
        memcpy((uint64_t *)values + at, numbers, rows * sizeof *numbers);
    }
}

static void decoding_store_run(void *values, uint32_t width, const decoding_run *run)
{
    if (!run->rows)
        decoding_store(values, width, run->first, run->numbers, run->count);
    for (uint32_t i = 0; run->rows && i < run->count; i++)
        decoding_store(values, width, run->rows[i], &run->numbers[i], 1);
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

/* Codes of the rows that are wanted, below `limit`. */
static nfl_status decoding_pick_codes(const decoding *d, nfl__numbers *numbers, uint64_t limit, uint16_t *codes)
{
    decoding_run run = {0};
    nfl_status status;
    while ((status = decoding_next(d, numbers, &run)) == NFL_OK) {
        for (uint32_t i = 0; i < run.count; i++)
            if (run.numbers[i] >= limit)
                return decoding_corrupt(d, "a position is beyond the dictionary");
        decoding_store_run(codes, sizeof *codes, &run);
    }
    return status == NFL_DONE ? NFL_OK : status;
}

/* A sequence to codes below `limit`. */
static nfl_status decoding_take_codes(const decoding *d, nfl__numbers *numbers, uint32_t limit, uint16_t *codes)
{
    if (d->context->only_count && nfl__numbers_can_pick(numbers))
        return decoding_pick_codes(d, numbers, limit, codes);
    return nfl__numbers_codes(numbers, limit, codes) ? NFL_OK
                                                     : decoding_corrupt(d, "a position is beyond the dictionary, or numbers are wrong");
}

static nfl_status decoding_codes(decoding *d, uint32_t limit, uint16_t *codes)
{
    nfl__numbers numbers;
    NFL_TRY(decoding_open(d, d->rows, &numbers));
    return decoding_take_codes(d, &numbers, limit, codes);
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
    numbers->mapped = 0;
    NFL_TRY(decoding_reserve_codes(d, d->decoded));
    NFL_TRY(decoding_reserve_values(d, d->decoded, decoding_words(numbers->distinct, d->column->width)));
    decoding_store(d->decoded->values, d->column->width, 0, numbers->dict, numbers->distinct);
    NFL_TRY(decoding_take_codes(d, numbers, numbers->distinct, d->decoded->codes));
    d->column->form = NFL__COLUMN_DICT;
    d->column->codes = d->decoded->codes;
    d->column->dict_count = numbers->distinct;
    return NFL_OK;
}

/* The reference's times of the rows of a run: in place, or in `times`. */
static const int64_t *decoding_times(const nfl__column *column, const decoding_run *run, int64_t times[PAGE])
{
    if (column->form == NFL__COLUMN_PLAIN && !run->rows)
        return (const int64_t *)column->values + run->first;
    for (uint32_t i = 0; i < run->count; i++)
        times[i] = (int64_t)nfl__column_u64(column, decoding_row(run, i));
    return times;
}

/* number = unit * (number + of / unit); inlined with a constant unit. */
static inline void decoding_scale_by(decoding_run *run, uint32_t unit, const int64_t *of)
{
    for (uint32_t i = 0; of && i < run->count; i++)
        run->numbers[i] += (uint64_t)nfl__floor_divide(of[i], unit);
    for (uint32_t i = 0; unit != 1 && i < run->count; i++)
        run->numbers[i] *= unit;
}

static void decoding_scale(decoding_run *run, uint32_t unit, const nfl__column *reference)
{
    int64_t times[PAGE];
    const int64_t *of = reference ? decoding_times(reference, run, times) : NULL;
    switch (unit) {
    case 1:
        decoding_scale_by(run, 1, of);
        break;
    case 1000:
        decoding_scale_by(run, 1000, of);
        break;
    case 1000000:
        decoding_scale_by(run, 1000000, of);
        break;
    default:
        decoding_scale_by(run, unit, of);
    }
}

static nfl_status decoding_numbers(decoding *d, const nfl__column *reference)
{
    nfl__numbers numbers;
    decoding_run run = {0};
    nfl_status status;
    uint32_t unit = nfl__rd_u32_le(&d->rd);
    if (d->column->width > 8 || unit == 0 || unit > INT32_MAX)
        return decoding_corrupt(d, "no unit");
    NFL_TRY(decoding_open(d, d->rows, &numbers));
    if (numbers.distinct && unit == 1 && !reference)
        return decoding_dict(d, &numbers);
    NFL_TRY(decoding_reserve_values(d, d->decoded, decoding_words(d->rows, d->column->width)));
    while ((status = decoding_next(d, &numbers, &run)) == NFL_OK) {
        if (unit > 1 || reference)
            decoding_scale(&run, unit, reference);
        decoding_store_run(d->decoded->values, d->column->width, &run);
    }
    NFL_TRY(status);
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
static inline void decoding_swap_row(const uint8_t *bits, uint32_t row, uint16_t *first, uint16_t *second)
{
    uint16_t mask = (uint16_t)-(bits[row / 8] >> (row % 8) & 1);
    uint16_t difference = (uint16_t)((first[row] ^ second[row]) & mask);
    first[row] ^= difference;
    second[row] ^= difference;
}

/* In arrays that overlap with nothing: this becomes vector code. */
static inline void decoding_swap_eight(uint8_t bits, uint16_t *first, uint16_t *second)
{
    static const uint16_t bit[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint16_t a[8], b[8], difference[8];
    memcpy(a, first, sizeof a);
    memcpy(b, second, sizeof b);
    for (uint32_t i = 0; i < 8; i++)
        difference[i] = (uint16_t)((a[i] ^ b[i]) & -((bits & bit[i]) == bit[i]));
    for (uint32_t i = 0; i < 8; i++)
        a[i] ^= difference[i];
    for (uint32_t i = 0; i < 8; i++)
        b[i] ^= difference[i];
    memcpy(first, a, sizeof a);
    memcpy(second, b, sizeof b);
}

static void decoding_swap(const decoding *d, const uint8_t *bits, uint16_t *first, uint16_t *second)
{
    for (uint32_t i = 0; i < d->context->only_count; i++)
        decoding_swap_row(bits, d->context->only[i], first, second);
    if (d->context->only_count)
        return;
    uint32_t row = 0;
    for (; row + 8 <= d->rows; row += 8)
        decoding_swap_eight(bits[row / 8], first + row, second + row);
    for (; row < d->rows; row++)
        decoding_swap_row(bits, row, first, second);
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
        decoding_swap(d, bits, first, second);
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
            return decoding_corrupt(d, "numbers are wrong");
        memcpy(map + at, page, rows * sizeof *map);
    }
    return NFL_OK;
}

static void decoding_follow(const decoding *d, const nfl__column *reference, const uint64_t *map)
{
    uint32_t wanted = d->context->only_count ? d->context->only_count : d->rows;
    decoding_run run = {0};
    for (; run.done < wanted; run.done += run.count) {
        run.first = run.done;
        run.rows = d->context->only_count ? d->context->only + run.done : NULL;
        run.count = wanted - run.done < PAGE ? wanted - run.done : PAGE;
        for (uint32_t i = 0; i < run.count; i++)
            run.numbers[i] = map[reference->codes ? reference->codes[decoding_row(&run, i)] : 0];
        decoding_store_run(d->decoded->values, d->column->width, &run);
    }
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
    decoding_follow(d, reference, map);
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

static void decoding_clear_row(const nfl__column *column, nfl__decoded *decoded, uint32_t row)
{
    if (nfl__bit_get(column->valid, row))
        return;
    if (column->form == NFL__COLUMN_DICT)
        decoded->codes[row] = 0;
    else
        memset((uint8_t *)decoded->values + (size_t)row * column->width, 0, column->width);
}

/* Rows without the field read as 0. */
static void decoding_clear_absent(const nfl__chunk_context *context, nfl__column *column, nfl__decoded *decoded)
{
    if (!column->valid || column->form == NFL__COLUMN_CONST)
        return;
    for (uint32_t i = 0; i < context->only_count; i++)
        decoding_clear_row(column, decoded, context->only[i]);
    for (uint32_t row = 0; row < context->rows && context->only_count == 0; row++)
        decoding_clear_row(column, decoded, row);
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
    decoding_clear_absent(context, column, d.decoded);
    if (encoding == NFL__ENCODING_PAIR)
        decoding_clear_absent(context, context->partner, context->partner_decoded);
    return NFL_OK;
}

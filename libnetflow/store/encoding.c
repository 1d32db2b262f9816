#include "store/encoding.h"

#include "record/fields.h"
#include "store/address_dict.h"

enum {
    CODES_MAX = 65536,      /* positions in a dictionary are 16 bits in memory */
    EXCEPTIONS_PART = 64,   /* FOLLOWS: at most one row in so many is an exception */
    VALIDITY_ALL = 0,
    VALIDITY_BITMAP = 1,
    VALIDITY_SAME = 2,
    VALIDITY_OPPOSITE = 3
};

#define FIELDS NFL_FIELD_STORED_COUNT

/* Address columns whose dictionary others may follow, each with a memory of its own. */
enum { SIDES = 0, EXPORTER = 1, OTHER = 2, DICTIONARIES = 3 };

struct nfl__encoder {
    uint32_t capacity;
    nfl__numbers_work *work;
    uint64_t *numbers; /* the column, rows without the field filled up */
    uint64_t *others;  /* differences; the larger ones of a pair */
    uint64_t *map;     /* FOLLOWS: value by position */
    uint64_t *mapped;  /* bitmap: which have one */
    nfl__address_dict addresses[DICTIONARIES];

    /* the block */
    const nfl__batch *block;
    uint64_t all_valid; /* fields that every row has */
    uint64_t bitmaps;   /* fields whose chunk has a bitmap of its own */
    uint64_t paired;    /* first fields of PAIR chunks */
    int sides_ready;    /* addresses[SIDES] is that of both columns */
    int exporter_ready;
};

/* Columns that mostly follow from an address. */
static const struct {
    uint8_t field, reference;
} encoding_followers[] = {
    {NFL_FIELD_SRC_AS, NFL_FIELD_SRC},     {NFL_FIELD_DST_AS, NFL_FIELD_DST},    {NFL_FIELD_SRC_MASK, NFL_FIELD_SRC},
    {NFL_FIELD_DST_MASK, NFL_FIELD_DST},   {NFL_FIELD_IN_IF, NFL_FIELD_SRC},     {NFL_FIELD_OUT_IF, NFL_FIELD_DST},
    {NFL_FIELD_SRC_MAC, NFL_FIELD_SRC},    {NFL_FIELD_DST_MAC, NFL_FIELD_DST},   {NFL_FIELD_VLAN, NFL_FIELD_SRC},
    {NFL_FIELD_DOMAIN, NFL_FIELD_EXPORTER}, {NFL_FIELD_VERSION, NFL_FIELD_EXPORTER}, {NFL_FIELD_SAMPLING, NFL_FIELD_EXPORTER}};

uint32_t nfl__encoding_partner(uint32_t field)
{
    switch (field) {
    case NFL_FIELD_SRC:
        return NFL_FIELD_DST;
    case NFL_FIELD_SRC_PORT:
        return NFL_FIELD_DST_PORT;
    default:
        return NFL_FIELD_NONE;
    }
}

void nfl__encoder_free(nfl__encoder *e, nfl__memory *memory)
{
    if (!e)
        return;
    nfl__numbers_work_free(e->work, memory);
    nfl__delete(memory, e->numbers, e->capacity, sizeof *e->numbers);
    nfl__delete(memory, e->others, e->capacity, sizeof *e->others);
    nfl__delete(memory, e->map, (size_t)2 * e->capacity, sizeof *e->map);
    nfl__delete(memory, e->mapped, (size_t)2 * e->capacity / 64 + 1, sizeof *e->mapped);
    for (int i = 0; i < DICTIONARIES; i++)
        nfl__address_dict_free(&e->addresses[i], memory);
    nfl__delete(memory, e, 1, sizeof *e);
}

nfl__encoder *nfl__encoder_new(nfl__memory *memory, uint32_t rows)
{
    nfl__encoder *e = nfl__new(memory, 1, sizeof *e);
    if (!e)
        return NULL;
    e->capacity = rows;
    int good = (e->work = nfl__numbers_work_new(memory, 2 * rows)) != NULL;
    good &= (e->numbers = nfl__new(memory, rows, sizeof *e->numbers)) != NULL;
    good &= (e->others = nfl__new(memory, rows, sizeof *e->others)) != NULL;
    good &= (e->map = nfl__new(memory, (size_t)2 * rows, sizeof *e->map)) != NULL;
    good &= (e->mapped = nfl__new(memory, (size_t)2 * rows / 64 + 1, sizeof *e->mapped)) != NULL;
    for (int i = 0; i < DICTIONARIES; i++)
        good &= nfl__address_dict_init(&e->addresses[i], memory, rows);
    if (good)
        return e;
    nfl__encoder_free(e, memory);
    return NULL;
}

struct nfl__numbers_work *nfl__encoder_work(const nfl__encoder *e)
{
    return e->work;
}

/* --- what columns have in common --- */

/* Are the bits of two columns alike, or opposite (`flip` all ones)? */
static int encoding_same_bits(const uint64_t *a, const uint64_t *b, uint64_t flip, uint32_t rows)
{
    for (uint32_t i = 0; i + 64 <= rows; i += 64)
        if ((a[i / 64] ^ b[i / 64]) != flip)
            return 0;
    return rows % 64 == 0 || ((a[rows / 64] ^ b[rows / 64] ^ flip) & ((UINT64_C(1) << rows % 64) - 1)) == 0;
}

static int encoding_is_all_valid(const nfl__encoder *e, uint32_t field)
{
    return (int)(e->all_valid >> field & 1);
}

/* Do both columns of a pair have values in the same rows? */
static int encoding_share_rows(const nfl__encoder *e, uint32_t a, uint32_t b)
{
    const nfl__column *x = &e->block->columns[a], *y = &e->block->columns[b];
    if (x->form != NFL__COLUMN_PLAIN || y->form != NFL__COLUMN_PLAIN || encoding_is_all_valid(e, a) != encoding_is_all_valid(e, b))
        return 0;
    return encoding_is_all_valid(e, a) || encoding_same_bits(x->valid, y->valid, 0, e->block->rows);
}

/* Addresses of both sides, or of the one there is: for pairs, for what follows from them, and for the segment's index. */
static void encoding_collect_sides(nfl__encoder *e)
{
    nfl__column sides[2] = {e->block->columns[NFL_FIELD_SRC], e->block->columns[NFL_FIELD_DST]};
    int has_src = sides[0].form == NFL__COLUMN_PLAIN, has_dst = sides[1].form == NFL__COLUMN_PLAIN;
    for (int i = 0; i < 2; i++)
        if (encoding_is_all_valid(e, i ? NFL_FIELD_DST : NFL_FIELD_SRC))
            sides[i].valid = NULL;
    e->addresses[SIDES].count = 0;
    if (has_src || has_dst)
        nfl__address_dict_collect(&e->addresses[SIDES], &sides[has_src ? 0 : 1], has_src && has_dst ? &sides[1] : NULL, e->block->rows);
    e->sides_ready = encoding_share_rows(e, NFL_FIELD_SRC, NFL_FIELD_DST) && e->addresses[SIDES].count <= CODES_MAX;
}

const struct nfl__address_dict *nfl__encoder_sides(const nfl__encoder *e, const uint32_t *codes[2])
{
    const nfl__address_dict *sides = &e->addresses[SIDES];
    int has_src = e->block->columns[NFL_FIELD_SRC].form == NFL__COLUMN_PLAIN;
    codes[0] = has_src ? sides->codes[0] : NULL;
    codes[1] = e->block->columns[NFL_FIELD_DST].form != NFL__COLUMN_PLAIN ? NULL : sides->codes[has_src];
    return sides;
}

static void encoding_collect_exporter(nfl__encoder *e)
{
    e->exporter_ready = encoding_is_all_valid(e, NFL_FIELD_EXPORTER);
    if (e->exporter_ready)
        nfl__address_dict_collect(&e->addresses[EXPORTER], &e->block->columns[NFL_FIELD_EXPORTER], NULL, e->block->rows);
}

void nfl__encoder_start(nfl__encoder *e, const nfl__batch *block)
{
    e->block = block;
    e->all_valid = e->bitmaps = e->paired = 0;
    for (uint32_t f = 0; f < FIELDS; f++) {
        const nfl__column *column = &block->columns[f];
        if (column->form == NFL__COLUMN_PLAIN && (!column->valid || nfl__bits_all(column->valid, block->rows)))
            e->all_valid |= NFL_HAS(f);
    }
    encoding_collect_sides(e);
    encoding_collect_exporter(e);
    e->paired = e->sides_ready ? NFL_HAS(NFL_FIELD_SRC) : 0;
    if (encoding_share_rows(e, NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT))
        e->paired |= NFL_HAS(NFL_FIELD_SRC_PORT);
}

static uint64_t encoding_flip(uint32_t field)
{
    return nfl__field_slots[field].type == NFL_TYPE_TIME ? NFL__NUMBERS_SIGNED : 0;
}

/* Values of one width as numbers; inlined with a constant width. */
static inline void encoding_widen_all(const uint8_t *values, uint32_t width, uint32_t rows, uint64_t *numbers)
{
    for (uint32_t i = 0; i < rows; i++)
        numbers[i] = nfl__value_u64(values + (size_t)i * width, width);
}

/* The column as 64-bit numbers. A row without the field takes the value before it, leading ones the first. */
static void encoding_widen(const nfl__encoder *e, uint32_t field, uint64_t *numbers)
{
    const nfl__column *column = &e->block->columns[field];
    const uint8_t *values = column->values;
    uint32_t rows = e->block->rows, width = column->width, leading = 0;
    if (encoding_is_all_valid(e, field)) {
        switch (width) {
        case 1:
            encoding_widen_all(values, 1, rows, numbers);
            return;
        case 2:
            encoding_widen_all(values, 2, rows, numbers);
            return;
        case 4:
            encoding_widen_all(values, 4, rows, numbers);
            return;
        default:
            memcpy(numbers, values, rows * sizeof *numbers);
            return;
        }
    }
    while (leading < rows && !nfl__bit_get(column->valid, leading))
        leading++;
    uint64_t last = leading < rows ? nfl__value_u64(values + (size_t)leading * width, width) : 0;
    for (uint32_t i = 0; i < rows; i++) {
        if (nfl__bit_get(column->valid, i))
            last = nfl__value_u64(values + (size_t)i * width, width);
        numbers[i] = last;
    }
}

static int encoding_write_validity(nfl__encoder *e, uint32_t field, nfl__buffer *out, nfl__chunk_form *form)
{
    const uint64_t *valid = e->block->columns[field].valid;
    uint32_t rows = e->block->rows;
    uint8_t kind = VALIDITY_BITMAP;
    if (encoding_is_all_valid(e, field))
        kind = VALIDITY_ALL;
    for (uint64_t left = kind ? e->bitmaps & ~NFL_HAS(field) : 0; left && kind == VALIDITY_BITMAP; left &= left - 1) {
        uint32_t other = (uint32_t)__builtin_ctzll(left);
        form->validity_of = (uint8_t)other;
        if (encoding_same_bits(valid, e->block->columns[other].valid, 0, rows))
            kind = VALIDITY_SAME;
        else if (encoding_same_bits(valid, e->block->columns[other].valid, UINT64_MAX, rows))
            kind = VALIDITY_OPPOSITE;
        else
            form->validity_of = NFL_FIELD_NONE;
    }
    size_t len = kind == VALIDITY_BITMAP ? ((size_t)rows + 7) / 8 : 0;
    uint8_t *dst = nfl__buffer_room(out, 1 + len);
    if (!dst)
        return 0;
    dst[0] = kind;
    for (size_t i = 0; i < len; i++)
        dst[1 + i] = (uint8_t)(valid[i / 8] >> (i % 8 * 8));
    if (len && rows % 8) /* bits behind the last row are 0 */
        dst[len] &= (uint8_t)((1u << rows % 8) - 1);
    if (len)
        e->bitmaps |= NFL_HAS(field);
    return 1;
}

/* --- pairs --- */

/* Rows in which the first is larger, as a bitmap; the smaller ones to e->numbers, the larger ones to e->others. */
static int encoding_write_swapped(nfl__encoder *e, nfl__buffer *out)
{
    uint32_t rows = e->block->rows, swapped = 0;
    size_t at = out->len, len = ((size_t)rows + 7) / 8;
    uint8_t *dst = nfl__buffer_room(out, 1 + len);
    if (!dst)
        return 0;
    memset(dst, 0, 1 + len);
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t a = e->numbers[i], b = e->others[i];
        unsigned larger = a > b;
        dst[1 + i / 8] |= (uint8_t)(larger << (i % 8));
        e->numbers[i] = larger ? b : a;
        e->others[i] = larger ? a : b;
        swapped += larger;
    }
    dst[0] = swapped != 0;
    if (!swapped)
        out->len = at + 1;
    return 1;
}

static int encoding_write_pair(nfl__encoder *e, uint32_t field, unsigned how, nfl__buffer *out)
{
    uint32_t rows = e->block->rows;
    if (field == NFL_FIELD_SRC) {
        nfl__address_dict *sides = &e->addresses[SIDES];
        if (!nfl__address_dict_write(sides, e->work, how, out))
            return 0;
        for (uint32_t i = 0; i < rows; i++) {
            e->numbers[i] = sides->codes[0][i];
            e->others[i] = sides->codes[1][i];
        }
    } else {
        encoding_widen(e, field, e->numbers);
        encoding_widen(e, nfl__encoding_partner(field), e->others);
    }
    return encoding_write_swapped(e, out) && nfl__numbers_write(e->work, e->numbers, rows, how, out) &&
           nfl__numbers_write(e->work, e->others, rows, how, out);
}

/* --- addresses --- */

static int encoding_all_equal(const uint64_t *numbers, uint32_t rows)
{
    uint64_t difference = 0;
    for (uint32_t i = 1; i < rows; i++)
        difference |= numbers[i] ^ numbers[0];
    return difference == 0;
}

static int encoding_write_addresses(nfl__encoder *e, uint32_t field, unsigned how, nfl__buffer *out, nfl__chunk_form *form)
{
    int known = field == NFL_FIELD_EXPORTER && e->exporter_ready;
    nfl__address_dict *a = &e->addresses[known ? EXPORTER : OTHER];
    nfl__column column = e->block->columns[field];
    if (encoding_is_all_valid(e, field))
        column.valid = NULL;
    if (!known)
        nfl__address_dict_collect(a, &column, NULL, e->block->rows);
    if (a->count == 1) {
        uint8_t *dst = nfl__buffer_room(out, sizeof *a->sorted);
        if (dst)
            memcpy(dst, a->sorted, sizeof *a->sorted);
        form->encoding = NFL__ENCODING_CONST;
        return dst != NULL;
    }
    form->encoding = NFL__ENCODING_ADDRESSES;
    for (uint32_t i = 0; i < e->block->rows; i++)
        e->numbers[i] = a->codes[0][i];
    return nfl__address_dict_write(a, e->work, how, out) && nfl__numbers_write(e->work, e->numbers, e->block->rows, how, out);
}

/* --- what follows from an address --- */

/* Codes that a reference column will be decoded to, and how many there are; NULL if nothing can follow it. */
static const uint32_t *encoding_reference_codes(const nfl__encoder *e, uint32_t reference, uint32_t *count)
{
    if (!encoding_is_all_valid(e, reference))
        return NULL;
    if (reference == NFL_FIELD_EXPORTER) {
        *count = e->addresses[EXPORTER].count;
        return e->exporter_ready ? e->addresses[EXPORTER].codes[0] : NULL;
    }
    *count = e->addresses[SIDES].count;
    return e->sides_ready ? e->addresses[SIDES].codes[reference == NFL_FIELD_DST] : NULL;
}

/* Values by code to e->map; rows that differ to e->others. Returns how many, UINT32_MAX when there are too many. */
static uint32_t encoding_follow(nfl__encoder *e, const uint32_t *codes, uint32_t count)
{
    uint32_t rows = e->block->rows, exceptions = 0, most = rows / EXCEPTIONS_PART;
    memset(e->mapped, 0, ((size_t)count / 64 + 1) * sizeof *e->mapped);
    memset(e->map, 0, count * sizeof *e->map);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t code = codes[i];
        if (!nfl__bit_get(e->mapped, code)) {
            nfl__bit_set(e->mapped, code);
            e->map[code] = e->numbers[i];
        } else if (e->map[code] != e->numbers[i]) {
            if (exceptions == most)
                return UINT32_MAX;
            e->others[exceptions++] = i;
        }
    }
    for (uint32_t code = 1; code < count; code++) /* other codes cost least as repetitions */
        if (!nfl__bit_get(e->mapped, code))
            e->map[code] = e->map[code - 1];
    return exceptions;
}

/* 1 if written, 0 when out of memory, -1 if the column does not follow. */
static int encoding_write_follows(nfl__encoder *e, uint32_t reference, unsigned how, nfl__buffer *out)
{
    uint32_t count;
    const uint32_t *codes = encoding_reference_codes(e, reference, &count);
    uint32_t exceptions = codes ? encoding_follow(e, codes, count) : UINT32_MAX;
    if (exceptions == UINT32_MAX)
        return -1;
    if (!nfl__numbers_write(e->work, e->map, count, how, out))
        return 0;
    uint8_t *dst = nfl__buffer_room(out, 4);
    if (!dst)
        return 0;
    nfl__store_le(dst, exceptions, 4);
    if (exceptions == 0)
        return 1;
    if (!nfl__numbers_write(e->work, e->others, exceptions, how | NFL__NUMBERS_SORTED, out))
        return 0;
    for (uint32_t i = 0; i < exceptions; i++)
        e->others[i] = e->numbers[e->others[i]];
    return nfl__numbers_write(e->work, e->others, exceptions, how | NFL__NUMBERS_SIMPLE, out);
}

static uint32_t encoding_followed(uint32_t field)
{
    for (size_t i = 0; i < sizeof encoding_followers / sizeof *encoding_followers; i++)
        if (encoding_followers[i].field == field)
            return encoding_followers[i].reference;
    return NFL_FIELD_NONE;
}

/* --- numbers --- */

/* Inlined with a constant unit. */
static inline int encoding_divides(const uint64_t *numbers, uint32_t rows, int64_t unit)
{
    for (uint32_t i = 0; i < rows; i++)
        if ((int64_t)numbers[i] % unit)
            return 0;
    return 1;
}

static inline void encoding_divide(uint64_t *numbers, uint32_t rows, int64_t unit)
{
    for (uint32_t i = 0; i < rows; i++)
        numbers[i] = (uint64_t)((int64_t)numbers[i] / unit);
}

/* Divide all by the largest of 1 s, 1 ms, 1 us that leaves no rest; returns it. */
static uint32_t encoding_take_unit(uint64_t *numbers, uint32_t rows)
{
    if (encoding_divides(numbers, rows, 1000000)) {
        encoding_divide(numbers, rows, 1000000);
        return 1000000;
    }
    if (encoding_divides(numbers, rows, 1000)) {
        encoding_divide(numbers, rows, 1000);
        return 1000;
    }
    return 1;
}

static inline void encoding_subtract(const uint64_t *numbers, const int64_t *of, uint32_t rows, int64_t unit, uint64_t *differences)
{
    for (uint32_t i = 0; i < rows; i++)
        differences[i] = numbers[i] - (uint64_t)nfl__floor_divide(of[i], unit);
}

/* numbers - of / unit */
static void encoding_relate(const uint64_t *numbers, const int64_t *of, uint32_t rows, uint32_t unit, uint64_t *differences)
{
    if (unit == 1000000)
        encoding_subtract(numbers, of, rows, 1000000, differences);
    else if (unit == 1000)
        encoding_subtract(numbers, of, rows, 1000, differences);
    else
        encoding_subtract(numbers, of, rows, 1, differences);
}

static uint64_t encoding_span(const uint64_t *numbers, uint32_t rows)
{
    int64_t min = (int64_t)numbers[0], max = min;
    for (uint32_t i = 1; i < rows; i++) {
        min = (int64_t)numbers[i] < min ? (int64_t)numbers[i] : min;
        max = (int64_t)numbers[i] > max ? (int64_t)numbers[i] : max;
    }
    return (uint64_t)max - (uint64_t)min;
}

/* The column that a time lies near to, or NFL_FIELD_NONE. */
static uint32_t encoding_reference(const nfl__encoder *e, uint32_t field)
{
    if (field == NFL_FIELD_LAST)
        return NFL_FIELD_RECEIVED;
    if (field == NFL_FIELD_FIRST)
        return encoding_is_all_valid(e, NFL_FIELD_LAST) ? NFL_FIELD_LAST : NFL_FIELD_RECEIVED;
    return NFL_FIELD_NONE;
}

static int encoding_write_unit(uint32_t unit, nfl__buffer *out)
{
    uint8_t *dst = nfl__buffer_room(out, 4);
    if (dst)
        nfl__store_le(dst, unit, 4);
    return dst != NULL;
}

static int encoding_write_time(nfl__encoder *e, uint32_t field, unsigned how, nfl__buffer *out, nfl__chunk_form *form)
{
    uint32_t rows = e->block->rows, reference = encoding_reference(e, field);
    uint32_t unit = encoding_take_unit(e->numbers, rows);
    const uint64_t *write = e->numbers;
    if (reference != NFL_FIELD_NONE && e->block->columns[reference].form == NFL__COLUMN_PLAIN) {
        encoding_relate(e->numbers, e->block->columns[reference].values, rows, unit, e->others);
        if (encoding_span(e->others, rows) < encoding_span(e->numbers, rows)) {
            form->encoding = NFL__ENCODING_RELATIVE;
            form->reference = (uint8_t)reference;
            write = e->others;
        }
    }
    return encoding_write_unit(unit, out) && nfl__numbers_write(e->work, write, rows, how | NFL__NUMBERS_SIGNED, out);
}

static int encoding_write_number(nfl__encoder *e, uint32_t field, unsigned how, nfl__buffer *out, nfl__chunk_form *form)
{
    uint32_t rows = e->block->rows, width = nfl__field_slots[field].width;
    encoding_widen(e, field, e->numbers);
    if (encoding_all_equal(e->numbers, rows)) {
        uint8_t *dst = nfl__buffer_room(out, width);
        if (dst)
            nfl__store_le(dst, e->numbers[0], width);
        form->encoding = NFL__ENCODING_CONST;
        return dst != NULL;
    }
    uint32_t followed = encoding_followed(field);
    int follows = followed == NFL_FIELD_NONE ? -1 : encoding_write_follows(e, followed, how, out);
    if (follows >= 0) {
        form->encoding = NFL__ENCODING_FOLLOWS;
        form->reference = (uint8_t)followed;
        return follows;
    }
    form->encoding = NFL__ENCODING_NUMBERS;
    if (encoding_flip(field))
        return encoding_write_time(e, field, how, out, form);
    return encoding_write_unit(1, out) && nfl__numbers_write(e->work, e->numbers, rows, how, out);
}

/* --- encode --- */

int nfl__encode_column(nfl__encoder *e, uint32_t field, int planes, nfl__buffer *out, nfl__chunk_form *form)
{
    unsigned how = planes ? NFL__NUMBERS_PLANES : 0;
    *form = (nfl__chunk_form){0, NFL_FIELD_NONE, NFL_FIELD_NONE};
    for (uint64_t pairs = e->paired; pairs; pairs &= pairs - 1) {
        uint32_t first = (uint32_t)__builtin_ctzll(pairs);
        if (field != nfl__encoding_partner(first))
            continue;
        form->encoding = NFL__ENCODING_PARTNER;
        form->reference = (uint8_t)first;
        return 1;
    }
    if (!encoding_write_validity(e, field, out, form))
        return 0;
    if (e->paired & NFL_HAS(field)) {
        form->encoding = NFL__ENCODING_PAIR;
        return encoding_write_pair(e, field, how, out);
    }
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        return encoding_write_addresses(e, field, how, out, form);
    return encoding_write_number(e, field, how, out, form);
}

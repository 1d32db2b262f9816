/* Chunks back into columns: the reading half of encoding.h. Everything read here may be hostile. */
#include "base/error.h"
#include "record/fields.h"
#include "store/encoding.h"
#include "store/minipage.h"

enum { ROUNDED = 32 /* minipages are read in whole lanes */ };

typedef struct decoding {
    nfl__rd rd;
    uint32_t field;
    uint32_t rows;
    nfl__decoded *memory_of;
    nfl__memory *memory;
    nfl__column *column;
    nfl_error *err;
} decoding;

void nfl__decoded_free(nfl__decoded *decoded, nfl__memory *memory)
{
    nfl__delete(memory, decoded->values, decoded->value_words, sizeof *decoded->values);
    nfl__delete(memory, decoded->codes, decoded->code_count, sizeof *decoded->codes);
    nfl__delete(memory, decoded->valid, decoded->valid_words, sizeof *decoded->valid);
    memset(decoded, 0, sizeof *decoded);
}

static nfl_status decoding_corrupt(const decoding *d, const char *what)
{
    return nfl__fail(d->err, NFL_E_CORRUPT, nfl__rd_offset(&d->rd), "column %s: %s", nfl__field_row(d->field)->name, what);
}

static nfl_status decoding_reserve_values(decoding *d, size_t words)
{
    nfl__decoded *m = d->memory_of;
    size_t wanted = m->value_words;
    if (!nfl__grow(d->memory, (void **)&m->values, &wanted, words, sizeof *m->values))
        return nfl__fail_nomem(d->err, words * sizeof *m->values);
    m->value_words = wanted;
    return NFL_OK;
}

static nfl_status decoding_reserve_codes(decoding *d)
{
    nfl__decoded *m = d->memory_of;
    if (!nfl__grow(d->memory, (void **)&m->codes, &m->code_count, d->rows, sizeof *m->codes))
        return nfl__fail_nomem(d->err, d->rows * sizeof *m->codes);
    return NFL_OK;
}

static nfl_status decoding_validity(decoding *d)
{
    nfl__decoded *m = d->memory_of;
    uint8_t kind = nfl__rd_u8(&d->rd);
    if (kind == 0 && !d->rd.failed)
        return NFL_OK;
    size_t len = ((size_t)d->rows + 7) / 8;
    const uint8_t *bitmap = kind == 1 ? nfl__rd_bytes(&d->rd, len) : NULL;
    if (!bitmap)
        return decoding_corrupt(d, "no validity");
    size_t words = (len + 7) / 8;
    if (!nfl__grow(d->memory, (void **)&m->valid, &m->valid_words, words, sizeof *m->valid))
        return nfl__fail_nomem(d->err, words * sizeof *m->valid);
    memset(m->valid, 0, words * sizeof *m->valid);
    for (size_t i = 0; i < len; i++)
        m->valid[i / 8] |= (uint64_t)bitmap[i] << (i % 8 * 8);
    d->column->valid = m->valid;
    return NFL_OK;
}

/* 64-bit numbers to the width of the field, in place. */
static void decoding_narrow(uint64_t *numbers, uint32_t count, uint32_t width)
{
    uint8_t *dst = (uint8_t *)numbers;
    for (uint32_t i = 0; width == 1 && i < count; i++)
        dst[i] = (uint8_t)numbers[i];
    for (uint32_t i = 0; width == 2 && i < count; i++) {
        uint16_t value = (uint16_t)numbers[i];
        memcpy(dst + (size_t)i * 2, &value, sizeof value);
    }
    for (uint32_t i = 0; width == 4 && i < count; i++) {
        uint32_t value = (uint32_t)numbers[i];
        memcpy(dst + (size_t)i * 4, &value, sizeof value);
    }
}

static nfl_status decoding_const(decoding *d)
{
    uint32_t width = d->column->width;
    const uint8_t *value = nfl__rd_bytes(&d->rd, width);
    if (!value)
        return decoding_corrupt(d, "no value");
    NFL_TRY(decoding_reserve_values(d, 2));
    if (width == sizeof(nfl_ip)) {
        memcpy(d->memory_of->values, value, sizeof(nfl_ip));
    } else {
        uint64_t number = 0;
        for (uint32_t i = 0; i < width; i++)
            number |= (uint64_t)value[i] << (8 * i);
        d->memory_of->values[0] = number;
        decoding_narrow(d->memory_of->values, 1, width);
    }
    d->column->form = NFL__COLUMN_CONST;
    return NFL_OK;
}

static nfl_status decoding_numbers(decoding *d, uint32_t count)
{
    NFL_TRY(decoding_reserve_values(d, (size_t)count + ROUNDED));
    return nfl__minipages_read(&d->rd, count, d->memory_of->values) ? NFL_OK : decoding_corrupt(d, "minipages are cut short");
}

static nfl_status decoding_packed(decoding *d)
{
    if (d->column->width > 8)
        return decoding_corrupt(d, "addresses cannot be packed");
    NFL_TRY(decoding_numbers(d, d->rows));
    decoding_narrow(d->memory_of->values, d->rows, d->column->width);
    d->column->form = NFL__COLUMN_PLAIN;
    return NFL_OK;
}

static nfl_status decoding_relative(decoding *d, const nfl__column *reference)
{
    uint8_t of = nfl__rd_u8(&d->rd);
    if (d->column->width != 8 || of != nfl__encoding_reference(d->field) || !reference || reference->width != 8 ||
        reference->form == NFL__COLUMN_NULL)
        return decoding_corrupt(d, "no such reference");
    NFL_TRY(decoding_numbers(d, d->rows));
    uint64_t *values = d->memory_of->values;
    for (uint32_t i = 0; i < d->rows; i++)
        values[i] += nfl__column_u64(reference, i);
    d->column->form = NFL__COLUMN_PLAIN;
    return NFL_OK;
}

static nfl_status decoding_codes(decoding *d, uint32_t count)
{
    NFL_TRY(decoding_reserve_codes(d));
    if (!nfl__codes_read(&d->rd, d->rows, count, d->memory_of->codes))
        return decoding_corrupt(d, "codes are cut short or beyond the dictionary");
    d->column->form = NFL__COLUMN_DICT;
    d->column->codes = d->memory_of->codes;
    d->column->dict_count = count;
    return NFL_OK;
}

static nfl_status decoding_number_dict(decoding *d)
{
    uint32_t count = nfl__rd_u32_le(&d->rd);
    if (count == 0 || count > d->rows)
        return decoding_corrupt(d, "the dictionary has an impossible size");
    NFL_TRY(decoding_numbers(d, count));
    decoding_narrow(d->memory_of->values, count, d->column->width);
    return decoding_codes(d, count);
}

static nfl_status decoding_ip_dict(decoding *d)
{
    uint64_t below = nfl__rd_u32_le(&d->rd), v4 = nfl__rd_u32_le(&d->rd), above = nfl__rd_u32_le(&d->rd);
    uint64_t count = below + v4 + above;
    if (count == 0 || count > d->rows)
        return decoding_corrupt(d, "the dictionary has an impossible size");
    const uint8_t *low = nfl__rd_bytes(&d->rd, below * sizeof(nfl_ip)), *high = nfl__rd_bytes(&d->rd, above * sizeof(nfl_ip));
    if (d->rd.failed)
        return decoding_corrupt(d, "the dictionary is cut short");
    /* Addresses first, the numbers of the IPv4 ones behind them. */
    NFL_TRY(decoding_reserve_values(d, 2 * count + v4 + ROUNDED));
    uint64_t *numbers = d->memory_of->values + 2 * count;
    if (!nfl__minipages_read(&d->rd, (uint32_t)v4, numbers))
        return decoding_corrupt(d, "minipages are cut short");
    uint8_t *ips = (uint8_t *)d->memory_of->values;
    if (below)
        memcpy(ips, low, below * sizeof(nfl_ip));
    for (uint64_t i = 0; i < v4; i++) {
        nfl_ip ip = nfl_ip_from_v4((uint32_t)numbers[i]);
        memcpy(ips + (below + i) * sizeof ip, &ip, sizeof ip);
    }
    if (above)
        memcpy(ips + (below + v4) * sizeof(nfl_ip), high, above * sizeof(nfl_ip));
    return decoding_codes(d, (uint32_t)count);
}

static nfl_status decoding_plain(decoding *d)
{
    uint32_t width = d->column->width;
    const uint8_t *bytes = nfl__rd_bytes(&d->rd, (size_t)d->rows * width);
    if (!bytes)
        return decoding_corrupt(d, "values are cut short");
    NFL_TRY(decoding_reserve_values(d, ((size_t)d->rows * width + 7) / 8));
    uint8_t *dst = (uint8_t *)d->memory_of->values;
    memcpy(dst, bytes, (size_t)d->rows * width);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; width < 16 && i < (size_t)d->rows * width; i++)
        dst[i] = bytes[i - i % width + (width - 1 - i % width)];
#endif
    d->column->form = NFL__COLUMN_PLAIN;
    return NFL_OK;
}

static nfl_status decoding_values(decoding *d, uint32_t encoding, const nfl__column *reference)
{
    switch (encoding) {
    case NFL__ENCODING_CONST:
        return decoding_const(d);
    case NFL__ENCODING_PACKED:
        return decoding_packed(d);
    case NFL__ENCODING_RELATIVE:
        return decoding_relative(d, reference);
    case NFL__ENCODING_DICT:
        return d->column->width > 8 ? decoding_ip_dict(d) : decoding_number_dict(d);
    case NFL__ENCODING_PLAIN:
        return decoding_plain(d);
    default:
        return nfl__fail(d->err, NFL_E_VERSION, NFL_NO_OFFSET, "column %s: encoding %u is not known to this library",
                         nfl__field_row(d->field)->name, encoding);
    }
}

/* Rows without the field read as 0. */
static void decoding_clear_absent(decoding *d)
{
    nfl__column *column = d->column;
    if (!column->valid || column->form == NFL__COLUMN_CONST)
        return;
    uint8_t *values = (uint8_t *)d->memory_of->values;
    for (uint32_t i = 0; i < d->rows; i++) {
        if (nfl__bit_get(column->valid, i))
            continue;
        if (column->form == NFL__COLUMN_DICT)
            d->memory_of->codes[i] = 0;
        else
            memset(values + (size_t)i * column->width, 0, column->width);
    }
}

nfl_status nfl__decode_column(uint32_t field, uint32_t encoding, const uint8_t *data, size_t len, uint32_t rows,
                              const nfl__column *reference, nfl__decoded *decoded, nfl__memory *memory,
                              nfl__column *column, nfl_error *err)
{
    memset(column, 0, sizeof *column);
    column->width = nfl__field_slots[field].width;
    decoding d = {nfl__rd_make(data, len), field, rows, decoded, memory, column, err};
    NFL_TRY(decoding_validity(&d));
    NFL_TRY(decoding_values(&d, encoding, reference));
    if (nfl__rd_left(&d.rd))
        return decoding_corrupt(&d, "bytes behind the end");
    column->values = decoded->values;
    decoding_clear_absent(&d);
    return NFL_OK;
}

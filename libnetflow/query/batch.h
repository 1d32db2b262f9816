/* Columns: how flows are held while they are filtered, grouped and sorted.
 *
 * A batch is up to NFL__BATCH_ROWS rows; each field is one column in one of four forms:
 *
 *   NULL    no row has the field                                values, codes, valid = NULL
 *   CONST   every valid row has the same value                  values[0]
 *   PLAIN   one value per row                                   values[0..rows-1]
 *   DICT    few distinct values, sorted, and a code per row     values[0..dict_count-1], codes[0..rows-1]
 *
 * Values are native integers of the field's width (nfl_field_info) or 16-byte nfl_ip, aligned to their
 * width (nfl_ip: to 8). `valid` is a bitmap, bit i % 64 of word i / 64 = row i has the field; NULL = all
 * rows have it. This is Arrow's memory layout (validity bitmap, values, dictionary), so that columns can
 * leave the library without a copy. Rows without the field hold 0 in `values` or code 0. Columns of fields in
 * NFL__FIELDS_ALWAYS are valid in every row.
 */
#ifndef NFL_QUERY_BATCH_H
#define NFL_QUERY_BATCH_H

#include "record/fields.h"

#define NFL__BATCH_ROWS 65536u

enum { NFL__COLUMN_NULL = 0, NFL__COLUMN_CONST = 1, NFL__COLUMN_PLAIN = 2, NFL__COLUMN_DICT = 3 };

typedef struct nfl__column {
    const void *values;
    const uint16_t *codes;
    const uint64_t *valid;
    uint32_t dict_count;
    uint8_t form;  /* NFL__COLUMN_* */
    uint8_t width; /* bytes per value: 1, 2, 4, 8, 16 */
} nfl__column;

typedef struct nfl__batch {
    uint32_t rows;
    uint64_t loaded; /* bit i: columns[i] is set */
    nfl__column columns[NFL_FIELD_STORED_COUNT];
} nfl__batch;

static inline int nfl__bit_get(const uint64_t *bits, uint32_t i)
{
    return (int)(bits[i / 64] >> (i % 64) & 1);
}

static inline void nfl__bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* 1 if the first n bits are set. */
static inline int nfl__bits_all(const uint64_t *bits, uint32_t n)
{
    for (uint32_t i = 0; i < n / 64; i++)
        if (~bits[i])
            return 0;
    return n % 64 == 0 || (~bits[n / 64] & ((UINT64_C(1) << n % 64) - 1)) == 0;
}

/* 1 if row has the field. */
static inline int nfl__column_has(const nfl__column *column, uint32_t row)
{
    return column->form != NFL__COLUMN_NULL && (!column->valid || nfl__bit_get(column->valid, row));
}

/* Address of row's value; the column is not NULL-form. */
static inline const void *nfl__column_at(const nfl__column *column, uint32_t row)
{
    size_t i = column->form == NFL__COLUMN_CONST ? 0 : column->form == NFL__COLUMN_DICT ? column->codes[row] : row;
    return (const uint8_t *)column->values + i * column->width;
}

/* A value of 1 to 8 bytes as a number (times: the bits of the signed number). */
static inline uint64_t nfl__value_u64(const void *value, uint32_t width)
{
    switch (width) {
    case 1:
        return *(const uint8_t *)value;
    case 2:
        return *(const uint16_t *)value;
    case 4:
        return *(const uint32_t *)value;
    default:
        return *(const uint64_t *)value;
    }
}

static inline uint64_t nfl__column_u64(const nfl__column *column, uint32_t row)
{
    return nfl__value_u64(nfl__column_at(column, row), column->width);
}

#endif

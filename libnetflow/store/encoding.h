/* Column encodings: the values of one field in one block as few bytes, and back.
 *
 * A chunk is one column of one block:
 *
 *   validity   u8: 0 = every row has the field; 1 = a bitmap of (rows + 7) / 8 bytes follows
 *   values     by encoding:
 *     CONST    the value                                                     all rows alike
 *     PACKED   minipages, see below                                          numbers, times
 *     RELATIVE u8 reference field, minipages of value - reference           last by first, first by received
 *     DICT     dictionary, then minipages of codes                           addresses, small domains
 *     PLAIN    every value, little-endian; addresses as they are             what nothing else makes smaller
 *
 * A minipage is up to 1024 numbers by frame of reference: all base values (u64) and widths (u8, 0 to 64) of the
 * chunk stand first, then the differences, bit-packed (bitpack.h); above 32 bits the low 32 and the high rest are
 * packed one after the other. Codes of a dictionary have no base: one width stands first.
 *
 * Dictionary of numbers: u32 count, minipages of the sorted values. Of addresses: u32 counts of addresses below,
 * inside and above the IPv4-mapped range, the outer ones as 16 bytes, IPv4 as minipages of sorted 32-bit numbers.
 *
 * Rows without the field take the value before them when encoding, so they cost nothing, and read as 0.
 * The encoder computes the size of each encoding that can apply and takes the smallest. Everything is
 * little-endian. The decoder trusts nothing: it checks every count, width and length against the bytes there are.
 *
 * Costs per value: encode about one hash look-up for dictionaries, a subtraction and a shift otherwise; decode a
 * few shifts, vectorised by the compiler.
 */
#ifndef NFL_STORE_ENCODING_H
#define NFL_STORE_ENCODING_H

#include "query/batch.h"
#include "store/buffer.h"

/* Numbers are in files: never reuse one. 0 is no encoding. */
enum {
    NFL__ENCODING_CONST = 1,
    NFL__ENCODING_PACKED = 2,
    NFL__ENCODING_RELATIVE = 3,
    NFL__ENCODING_DICT = 4,
    NFL__ENCODING_PLAIN = 5,
    NFL__ENCODING_COUNT
};

/* Field whose column must be decoded first for RELATIVE, or NFL_FIELD_NONE. */
uint32_t nfl__encoding_reference(uint32_t field);

/* Working memory of an encoder of columns of up to `rows` rows: about 88 bytes a row. */
typedef struct nfl__encoder_work nfl__encoder_work;
nfl__encoder_work *nfl__encoder_work_new(nfl__memory *memory, uint32_t rows); /* NULL when out of memory */
void nfl__encoder_work_free(nfl__encoder_work *work, nfl__memory *memory);

/* Append the chunk of a column to `out`. values: rows values of the field's width; valid NULL = all; reference:
 * values of the reference field, or NULL. Returns the encoding, 0 when out of memory. */
uint32_t nfl__encode_column(nfl__encoder_work *work, uint32_t field, const void *values, const uint64_t *valid,
                            uint32_t rows, const int64_t *reference, nfl__buffer *out);

/* Memory a decoded column stays in; grown as needed, reused from block to block. */
typedef struct nfl__decoded {
    uint64_t *values;
    size_t value_words;
    uint16_t *codes;
    size_t code_count;
    uint64_t *valid;
    size_t valid_words;
} nfl__decoded;
void nfl__decoded_free(nfl__decoded *decoded, nfl__memory *memory);

/* Read a chunk of `rows` rows (1 to NFL__BATCH_ROWS). reference: the decoded reference column when the encoding is
 * RELATIVE. *column points into *decoded. NFL_E_CORRUPT with the offset in the chunk, NFL_E_NOMEM. */
nfl_status nfl__decode_column(uint32_t field, uint32_t encoding, const uint8_t *data, size_t len, uint32_t rows,
                              const nfl__column *reference, nfl__decoded *decoded, nfl__memory *memory,
                              nfl__column *column, nfl_error *err);

#endif

/* Column encodings: the columns of one block as few bytes, and back.
 *
 * A chunk is one column of one block, or two that belong together:
 *
 *   validity     u8: 0 = every row has the field; 1 = a bitmap of (rows + 7) / 8 bytes follows;
 *                2 = as in the column that the directory names for it; 3 = the opposite of it
 *   values       by encoding; numbers are sequences as numbers.h has them:
 *     CONST      the value                                                       all rows alike
 *     NUMBERS    unit u32, numbers: value = unit * number                        numbers, times
 *     RELATIVE   unit u32, numbers: value = unit * (reference / unit + number)   last by received, first by last
 *     ADDRESSES  dictionary, positions in it as numbers
 *     PAIR       addresses: dictionary; then for both kinds swapped u8 (0 = in no row, 1 = bitmap of rows in which the
 *                first of the two columns is the larger), the smaller ones as numbers, the larger ones as numbers
 *     PARTNER    the other column of a PAIR: the same chunk
 *     FOLLOWS    numbers: one value for each address in the reference's dictionary; exceptions u32, their rows as numbers,
 *                their values as numbers                                         AS by address
 *
 *   dictionary   counts u32 of addresses below, inside and above the IPv4-mapped range; upper halves of those outside as
 *                numbers, lower halves as numbers, IPv4 as numbers: all ascending
 *
 * Reasons (measured in docs/adr/005-encodings.md): both directions of a conversation have the same two addresses and
 * ports, and mostly follow each other: kept as smaller and larger one, they repeat, the dictionary is one for both, and a
 * service's port is not mixed with its clients'. Exporters count milliseconds. Rows of one datagram have one arrival time.
 *
 * Rows without the field take the value before them when encoding, so they cost nothing, and read as 0. Everything is
 * little-endian. The decoder trusts nothing: it checks every count, width and length against the bytes there are.
 */
#ifndef NFL_STORE_ENCODING_H
#define NFL_STORE_ENCODING_H

#include "query/batch.h"
#include "store/buffer.h"

/* Numbers are in files: never reuse one. 0 is no encoding. */
enum {
    NFL__ENCODING_CONST = 1,
    NFL__ENCODING_NUMBERS = 2,
    NFL__ENCODING_RELATIVE = 3,
    NFL__ENCODING_ADDRESSES = 4,
    NFL__ENCODING_PAIR = 5,
    NFL__ENCODING_PARTNER = 6,
    NFL__ENCODING_FOLLOWS = 7,
    NFL__ENCODING_COUNT
};

/* number / unit rounded down; inlined with a constant unit this is a multiplication. */
static inline int64_t nfl__floor_divide(int64_t number, int64_t unit)
{
    return number / unit - (number % unit < 0);
}

/* How a chunk is to be read. */
typedef struct nfl__chunk_form {
    uint8_t encoding;    /* NFL__ENCODING_* */
    uint8_t reference;   /* field that RELATIVE, FOLLOWS and PARTNER refer to, or NFL_FIELD_NONE */
    uint8_t validity_of; /* field for validity 2 and 3, or NFL_FIELD_NONE */
} nfl__chunk_form;

/* The other column of a PAIR whose first one is `field`, or NFL_FIELD_NONE. */
uint32_t nfl__encoding_partner(uint32_t field);

/* Encoder of blocks of up to `rows` rows: about 130 bytes a row. */
typedef struct nfl__encoder nfl__encoder;
nfl__encoder *nfl__encoder_new(nfl__memory *memory, uint32_t rows); /* NULL when out of memory */
void nfl__encoder_free(nfl__encoder *encoder, nfl__memory *memory);

/* Its working memory for sequences of numbers. */
struct nfl__numbers_work;
struct nfl__numbers_work *nfl__encoder_work(const nfl__encoder *encoder);

/* Start a block. Its columns have the form PLAIN or NULL and stay as they are until it is done. */
void nfl__encoder_start(nfl__encoder *encoder, const nfl__batch *block);

/* The distinct source and destination addresses of the block; codes[0] and codes[1]: for each row the position of its source and
 * destination among them (that of a row before, if it has none), NULL if no row has one. */
struct nfl__address_dict;
const struct nfl__address_dict *nfl__encoder_sides(const nfl__encoder *encoder, const uint32_t *codes[2]);

/* Append the chunk of a column that is not NULL to `out`. Planes: make it larger, but better to compress. PARTNER
 * appends nothing: its chunk is that of the reference. 0 when out of memory. */
int nfl__encode_column(nfl__encoder *encoder, uint32_t field, int planes, nfl__buffer *out, nfl__chunk_form *form);

/* Memory a decoded column stays in; grown as needed, reused from block to block. */
typedef struct nfl__decoded {
    uint64_t *values;
    size_t value_words;
    uint16_t *codes;
    size_t code_count;
    uint64_t *valid;
    size_t valid_words;
    uint64_t *scratch; /* dictionaries of numbers */
    size_t scratch_words;
} nfl__decoded;
void nfl__decoded_free(nfl__decoded *decoded, nfl__memory *memory);

/* What a chunk may refer to, and where the result goes. */
typedef struct nfl__chunk_context {
    nfl__memory *memory;
    uint32_t rows; /* 1 to NFL__BATCH_ROWS */
    uint32_t only_count;  /* 0 = all rows are wanted */
    const uint32_t *only; /* those that are: ascending. The others' values are left open */
    const nfl__column *reference; /* decoded, or NULL */
    const nfl__column *validity;  /* decoded, or NULL */
    nfl__decoded *decoded;
    nfl__column *column;          /* points into *decoded afterwards */
    nfl__decoded *partner_decoded; /* PAIR */
    nfl__column *partner;
} nfl__chunk_context;

/* Read a chunk. NFL_E_CORRUPT with the offset in the chunk, NFL_E_VERSION, NFL_E_NOMEM. */
nfl_status nfl__decode_column(uint32_t field, uint32_t encoding, const uint8_t *data, size_t len,
                              const nfl__chunk_context *context, nfl_error *err);

#endif

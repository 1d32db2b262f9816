/* Sequences of 64-bit numbers as few bytes: what every part of a chunk is made of, values, differences of times,
 * dictionaries and their codes alike.
 *
 *   form u8      bits 0-1  body: 0 CONST, 1 PACKED, 2 PLANES
 *                0x04      PATCHED   outliers of PACKED pages stand apart
 *                0x08      DICT      the body holds positions in a dictionary, which stands first
 *                0x10      REPEAT    a number like the one before is left out
 *                0x20      SUMMED    each number is the sum of those up to it (sorted sequences)
 *   REPEAT       stored u32, bitmap of (count + 7) / 8 bytes: bit i % 8 of byte i / 8 = number i is in the body
 *   DICT         distinct u32, its numbers ascending as a sequence without DICT and REPEAT
 *   CONST        the number u64
 *   PACKED       pages of 1024: base u64 each | width u8 each, 0 to 64 | PATCHED: outliers u16 each
 *                | number - base of each page, bit-packed (bitpack.h); above 32 bits the low 32 and the rest one after the other
 *                | PATCHED: bytes u8, 1 to 8; per outlier position in its page u16, upper bits (`bytes` bytes)
 *   PLANES       base u64, bytes u8, 0 to 8; then the lowest byte of every number - base, the second lowest, and so on:
 *                larger than PACKED, but what a general compressor can make much of
 *
 * The writer measures what each form takes and chooses; PLANES when it is told to. Writing takes a few passes of simple
 * loops and, if the numbers lie close together or a sample has few distinct ones, one to find a dictionary. Reading streams
 * pages of 1024 through the first-level cache: a shift and an addition a number, with DICT a look-up. Single numbers are
 * found without their neighbours, each at a higher cost; with REPEAT its bits up to there are counted. Only SUMMED is read in order.
 *
 * The reader trusts nothing: every length, width, position and code is checked against the bytes there are.
 */
#ifndef NFL_STORE_NUMBERS_H
#define NFL_STORE_NUMBERS_H

#include "base/rd.h"
#include "store/buffer.h"

#define NFL__NUMBERS_PAGE 1024u
#define NFL__NUMBERS_MAX 131072u /* in one sequence */

/* --- writing --- */

/* Working memory for sequences of up to `count` numbers, or a page if that is more: 40 bytes a number and 600 kB. */
typedef struct nfl__numbers_work nfl__numbers_work;
nfl__numbers_work *nfl__numbers_work_new(nfl__memory *memory, uint32_t count); /* NULL when out of memory */
void nfl__numbers_work_free(nfl__numbers_work *work, nfl__memory *memory);

#define NFL__NUMBERS_SIGNED 0x1u /* compare as signed numbers */
#define NFL__NUMBERS_SORTED 0x2u /* ascending: differences are smaller */
#define NFL__NUMBERS_PLANES 0x4u /* will be compressed */
#define NFL__NUMBERS_SIMPLE 0x8u /* for nfl__numbers_read(): no dictionary, nothing left out */

/* Append a sequence of 1 to `count` numbers; 0 when out of memory. */
int nfl__numbers_write(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, unsigned how, nfl__buffer *out);

/* --- reading --- */

typedef struct nfl__numbers {
    uint32_t count;  /* in all */
    uint32_t given;  /* by next() so far */
    uint32_t distinct; /* DICT: numbers in it; 0 = none */
    uint8_t form;
    uint8_t plane_bytes;
    uint8_t patch_bytes;
    uint8_t mapped; /* next() gives numbers; set to 0 behind open() to get positions in the dictionary */
    uint32_t stored; /* in the body */
    uint32_t taken;  /* of the body */
    uint32_t page;
    uint32_t held, used;  /* REPEAT: ends of what `buffer` holds and of what is given of it */
    uint64_t last;        /* SUMMED */
    uint64_t base;        /* CONST, PLANES */
    const uint8_t *repeat;
    const uint8_t *bases, *widths, *patch_counts, *packed, *patches, *planes;
    const uint64_t *dict;
    uint64_t buffer[1 + 2 * NFL__NUMBERS_PAGE];
} nfl__numbers;

/* Start to read a sequence of `count` numbers; the reader is moved behind it. *dict is grown to hold the dictionary,
 * rounded up to whole pages, if there is one. NFL_E_CORRUPT without message, NFL_E_NOMEM. */
nfl_status nfl__numbers_open(nfl__numbers *numbers, nfl__rd *rd, uint32_t count, nfl__memory *memory, uint64_t **dict,
                             size_t *dict_capacity);

/* The next numbers, NFL__NUMBERS_PAGE of them or what is left; 0 behind the end or when the bytes are wrong. */
uint32_t nfl__numbers_next(nfl__numbers *numbers, uint64_t page[NFL__NUMBERS_PAGE]);

/* Instead of next(), all of them, each below `limit`, 65536 at most. 0 when one is not, or the bytes are wrong. Several times as fast. */
int nfl__numbers_codes(nfl__numbers *numbers, uint32_t limit, uint16_t *codes);

/* Instead of next(), those at `at`: ascending positions below `count`, at most a page of them, behind those of the call before. 0 when
 * the bytes are wrong. Not if the sequence is SUMMED. */
int nfl__numbers_can_pick(const nfl__numbers *numbers);
int nfl__numbers_pick(nfl__numbers *numbers, const uint32_t *at, uint32_t count, uint64_t *out);

/* A whole sequence without dictionary; room for count rounded up to whole pages. 0 when the bytes are wrong. */
int nfl__numbers_read(nfl__rd *rd, uint32_t count, uint64_t *numbers);

#endif

/* Constants of number sequences, shared by the writing and the reading half; see numbers.h. */
#ifndef NFL_STORE_NUMBERS_FORMAT_H
#define NFL_STORE_NUMBERS_FORMAT_H

#include "store/bitpack.h"

enum {
    NUMBERS_CONST = 0,
    NUMBERS_PACKED = 1,
    NUMBERS_PLANES = 2,
    NUMBERS_BODY = 0x03,
    NUMBERS_PATCHED = 0x04,
    NUMBERS_DICT = 0x08,
    NUMBERS_REPEAT = 0x10,
    NUMBERS_SUMMED = 0x20,
    NUMBERS_KNOWN = 0x3f,
    NUMBERS_PAGE_HEAD = 9 /* base and width */
};

static inline uint32_t numbers_pages(uint32_t count)
{
    return (count + NFL__NUMBERS_PAGE - 1) / NFL__NUMBERS_PAGE;
}

static inline uint32_t numbers_page_rows(uint32_t count, uint32_t page)
{
    uint32_t left = count - page * NFL__NUMBERS_PAGE;
    return left < NFL__NUMBERS_PAGE ? left : NFL__NUMBERS_PAGE;
}

/* Bytes of a page bit-packed. */
static inline size_t numbers_packed_size(uint32_t rows, unsigned width)
{
    return width <= 32 ? nfl__bitpack_size(rows, width) : nfl__bitpack_size(rows, 32) + nfl__bitpack_size(rows, width - 32);
}

/* Bits set. The builtin is a call into a table look-up on machines whose baseline lacks the instruction. */
static inline uint32_t numbers_popcount(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(bits * UINT64_C(0x0101010101010101) >> 56);
}

#endif

/* Bit packing of up to 1024 numbers of 0 to 32 bits.
 *
 * Value i belongs to lane i % 32 at position i / 32; a lane is a stream of `width`-bit values in 32-bit
 * little-endian words, lowest bits first. Word k of all 32 lanes is stored together (128 bytes), before word
 * k + 1. So one step of the loop shifts 32 neighbouring words by the same distance, which compilers turn into
 * vector code for any instruction set, and a group that is not full just ends after fewer words.
 *
 *   bytes = ceil(ceil(count / 32) * width / 32) * 128
 */
#ifndef NFL_STORE_BITPACK_H
#define NFL_STORE_BITPACK_H

#include "base/rd.h"

#define NFL__BITPACK_COUNT 1024u
#define NFL__BITPACK_LANES 32u

static inline size_t nfl__bitpack_size(uint32_t count, unsigned width)
{
    uint32_t positions = (count + NFL__BITPACK_LANES - 1) / NFL__BITPACK_LANES;
    return (size_t)((positions * width + 31) / 32) * NFL__BITPACK_LANES * 4;
}

/* values: 1024, zero beyond count, all below 2^width. */
void nfl__bitpack(const uint32_t *values, uint32_t count, unsigned width, uint8_t *dst);

/* values: room for 1024; those beyond count (rounded up to 32) are left alone. */
void nfl__bitunpack(const uint8_t *src, uint32_t count, unsigned width, uint32_t *values);

/* One of the values; width 1 to 32. */
static inline uint32_t nfl__bitunpack_one(const uint8_t *src, unsigned width, uint32_t i)
{
    unsigned bit = i / NFL__BITPACK_LANES * width, used = bit % 32;
    const uint8_t *word = src + ((size_t)(bit / 32) * NFL__BITPACK_LANES + i % NFL__BITPACK_LANES) * 4;
    uint32_t value = nfl__load_le32(word) >> used;
    if (used + width > 32)
        value |= nfl__load_le32(word + NFL__BITPACK_LANES * 4) << (32 - used);
    return value & UINT32_MAX >> (32 - width);
}

#endif

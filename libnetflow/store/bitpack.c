#include "store/bitpack.h"

#include <string.h>

#define LANES NFL__BITPACK_LANES

/* One word of every lane, to and from little-endian. */
static void bitpack_load(uint32_t *lanes, const uint8_t *src)
{
    memcpy(lanes, src, LANES * 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (unsigned i = 0; i < LANES; i++)
        lanes[i] = __builtin_bswap32(lanes[i]);
#endif
}

static void bitpack_store(uint8_t *dst, const uint32_t *lanes)
{
    uint32_t words[LANES];
    for (unsigned i = 0; i < LANES; i++)
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        words[i] = __builtin_bswap32(lanes[i]);
#else
        words[i] = lanes[i];
#endif
    memcpy(dst, words, sizeof words);
}

void nfl__bitpack(const uint32_t *values, uint32_t count, unsigned width, uint8_t *dst)
{
    uint32_t lanes[LANES] = {0};
    unsigned used = 0; /* bits of the current words */
    for (uint32_t at = 0; at < count && width; at += LANES) {
        for (unsigned i = 0; i < LANES; i++)
            lanes[i] |= values[at + i] << used;
        used += width;
        if (used < 32)
            continue;
        bitpack_store(dst, lanes);
        dst += sizeof lanes;
        used -= 32;
        for (unsigned i = 0; i < LANES; i++) /* bits that did not fit; none when used is 0 */
            lanes[i] = used ? values[at + i] >> (width - used) : 0;
    }
    if (used)
        bitpack_store(dst, lanes);
}

void nfl__bitunpack(const uint8_t *src, uint32_t count, unsigned width, uint32_t *values)
{
    if (width == 0) {
        memset(values, 0, (size_t)(count + LANES - 1) / LANES * LANES * 4);
        return;
    }
    uint32_t mask = UINT32_MAX >> (32 - width), lanes[LANES];
    unsigned used = 32; /* bits taken of the current words: none loaded yet */
    for (uint32_t at = 0; at < count; at += LANES) {
        uint32_t *out = values + at;
        if (used == 32) {
            bitpack_load(lanes, src);
            src += sizeof lanes;
            used = 0;
        }
        if (used + width <= 32) {
            for (unsigned i = 0; i < LANES; i++)
                out[i] = lanes[i] >> used & mask;
            used += width;
            continue;
        }
        uint32_t next[LANES];
        bitpack_load(next, src);
        src += sizeof next;
        for (unsigned i = 0; i < LANES; i++)
            out[i] = (lanes[i] >> used | next[i] << (32 - used)) & mask;
        memcpy(lanes, next, sizeof lanes);
        used = used + width - 32;
    }
}

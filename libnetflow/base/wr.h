/* Bounded writer into memory of fixed size, the counterpart of rd.h.
 *
 * Writing past the end sets `failed`, which sticks, and writes nothing; `need` goes on counting, so that
 * one pass over a NULL buffer tells the size. Numbers are big-endian or, with _le, little-endian.
 */
#ifndef NFL_BASE_WR_H
#define NFL_BASE_WR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct nfl__wr {
    uint8_t *start;
    size_t cap;
    size_t need; /* bytes written, or that would have been */
    int failed;
} nfl__wr;

static inline nfl__wr nfl__wr_make(void *dst, size_t cap)
{
    nfl__wr wr = {(uint8_t *)dst, dst ? cap : 0, 0, 0};
    return wr;
}

/* n bytes to be filled in by the caller, or NULL. */
static inline uint8_t *nfl__wr_room(nfl__wr *wr, size_t n)
{
    size_t at = wr->need;
    wr->need += n;
    if (at > wr->cap || n > wr->cap - at) {
        wr->failed = 1;
        return NULL;
    }
    return wr->start ? wr->start + at : NULL;
}

static inline void nfl__wr_bytes(nfl__wr *wr, const void *src, size_t n)
{
    uint8_t *p = nfl__wr_room(wr, n);
    if (p && n)
        memcpy(p, src, n);
}

/* The low n bytes of value, most significant first; n = 0..8. */
static inline void nfl__store_be(uint8_t *p, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
}

/* The low n bytes of value, least significant first; n = 0..8. */
static inline void nfl__store_le(uint8_t *p, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static inline void nfl__wr_be(nfl__wr *wr, uint64_t value, size_t n)
{
    uint8_t *p = nfl__wr_room(wr, n);
    if (p)
        nfl__store_be(p, value, n);
}

static inline void nfl__wr_le(nfl__wr *wr, uint64_t value, size_t n)
{
    uint8_t *p = nfl__wr_room(wr, n);
    if (p)
        nfl__store_le(p, value, n);
}

static inline void nfl__wr_u8(nfl__wr *wr, uint8_t value)
{
    nfl__wr_be(wr, value, 1);
}

static inline void nfl__wr_u16(nfl__wr *wr, uint16_t value)
{
    nfl__wr_be(wr, value, 2);
}

static inline void nfl__wr_u32(nfl__wr *wr, uint32_t value)
{
    nfl__wr_be(wr, value, 4);
}

static inline void nfl__wr_u64(nfl__wr *wr, uint64_t value)
{
    nfl__wr_be(wr, value, 8);
}

static inline void nfl__wr_varint(nfl__wr *wr, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        nfl__wr_u8(wr, (uint8_t)(value | 0x80));
    nfl__wr_u8(wr, (uint8_t)value);
}

#endif

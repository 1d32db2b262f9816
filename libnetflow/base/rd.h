/* Bounded reader: all access to bytes from outside goes through here.
 *
 * A reader is three pointers on the stack. Reading past the end returns zeros and sets `failed`, which
 * sticks: check once per item, not per read. Numbers are big-endian (network order) or, with _le,
 * little-endian (our files).
 */
#ifndef NFL_BASE_RD_H
#define NFL_BASE_RD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct nfl__rd {
    const uint8_t *start; /* first byte of what may be read */
    const uint8_t *pos;   /* next byte */
    const uint8_t *limit; /* one past the last byte */
    int failed;           /* something was read that was not there */
} nfl__rd;

static inline nfl__rd nfl__rd_make(const void *data, size_t len)
{
    nfl__rd rd = {(const uint8_t *)data, (const uint8_t *)data, (const uint8_t *)data, 0};
    if (len)
        rd.limit = rd.start + len;
    return rd;
}

static inline size_t nfl__rd_left(const nfl__rd *rd)
{
    return (size_t)(rd->limit - rd->pos);
}

/* Bytes read so far. */
static inline size_t nfl__rd_offset(const nfl__rd *rd)
{
    return (size_t)(rd->pos - rd->start);
}

/* The next n bytes, consumed; NULL when there are fewer (then nothing is consumed). n may be 0. */
static inline const uint8_t *nfl__rd_bytes(nfl__rd *rd, size_t n)
{
    if (n > nfl__rd_left(rd)) {
        rd->failed = 1;
        return NULL;
    }
    const uint8_t *bytes = rd->pos;
    if (n)
        rd->pos += n;
    return bytes;
}

static inline void nfl__rd_skip(nfl__rd *rd, size_t n)
{
    (void)nfl__rd_bytes(rd, n);
}

/* A reader over the next n bytes, which are consumed; empty and failed when there are fewer. */
static inline nfl__rd nfl__rd_sub(nfl__rd *rd, size_t n)
{
    const uint8_t *bytes = nfl__rd_bytes(rd, n);
    nfl__rd sub = nfl__rd_make(bytes, bytes ? n : 0);
    sub.failed = bytes == NULL;
    return sub;
}

/* Big-endian unsigned number of n bytes at p, n = 0..8. The caller has checked that they are there. */
static inline uint64_t nfl__load_be(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

static inline uint16_t nfl__load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t nfl__load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t nfl__load_be64(const uint8_t *p)
{
    return (uint64_t)nfl__load_be32(p) << 32 | nfl__load_be32(p + 4);
}

static inline uint16_t nfl__load_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t nfl__load_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t nfl__load_le64(const uint8_t *p)
{
    return (uint64_t)nfl__load_le32(p + 4) << 32 | nfl__load_le32(p);
}

static inline uint8_t nfl__rd_u8(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 1);
    return p ? *p : 0;
}

static inline uint16_t nfl__rd_u16(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 2);
    return p ? nfl__load_be16(p) : 0;
}

static inline uint32_t nfl__rd_u32(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 4);
    return p ? nfl__load_be32(p) : 0;
}

static inline uint64_t nfl__rd_u64(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 8);
    return p ? nfl__load_be64(p) : 0;
}

static inline uint16_t nfl__rd_u16_le(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 2);
    return p ? nfl__load_le16(p) : 0;
}

static inline uint32_t nfl__rd_u32_le(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 4);
    return p ? nfl__load_le32(p) : 0;
}

static inline uint64_t nfl__rd_u64_le(nfl__rd *rd)
{
    const uint8_t *p = nfl__rd_bytes(rd, 8);
    return p ? nfl__load_le64(p) : 0;
}

/* LEB128 unsigned number, at most 10 bytes. */
static inline uint64_t nfl__rd_varint(nfl__rd *rd)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = nfl__rd_u8(rd);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    rd->failed = 1;
    return 0;
}

#endif

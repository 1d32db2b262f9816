#include "base/hash.h"

#include "base/rd.h"

#define HASH_P1 UINT64_C(0x9E3779B185EBCA87)
#define HASH_P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define HASH_P3 UINT64_C(0x165667B19E3779F9)
#define HASH_P4 UINT64_C(0x85EBCA77C2B2AE63)
#define HASH_P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t hash_rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t hash_round(uint64_t lane, uint64_t input)
{
    return hash_rotate(lane + input * HASH_P2, 31) * HASH_P1;
}

static uint64_t hash_merge(uint64_t h, uint64_t lane)
{
    return (h ^ hash_round(0, lane)) * HASH_P1 + HASH_P4;
}

/* The 32-byte stripes; *p is left at the tail. */
static uint64_t hash_stripes(const uint8_t **p, const uint8_t *limit, uint64_t seed)
{
    uint64_t a = seed + HASH_P1 + HASH_P2, b = seed + HASH_P2, c = seed, d = seed - HASH_P1;
    const uint8_t *q = *p;
    do {
        a = hash_round(a, nfl__load_le64(q));
        b = hash_round(b, nfl__load_le64(q + 8));
        c = hash_round(c, nfl__load_le64(q + 16));
        d = hash_round(d, nfl__load_le64(q + 24));
        q += 32;
    } while ((size_t)(limit - q) >= 32);
    *p = q;
    uint64_t h = hash_rotate(a, 1) + hash_rotate(b, 7) + hash_rotate(c, 12) + hash_rotate(d, 18);
    return hash_merge(hash_merge(hash_merge(hash_merge(h, a), b), c), d);
}

uint64_t nfl__hash(const void *data, size_t len, uint64_t seed)
{
    static const uint8_t nothing[1];
    const uint8_t *p = len ? data : nothing, *limit = p + len;
    uint64_t h = len >= 32 ? hash_stripes(&p, limit, seed) : seed + HASH_P5;
    h += len;
    for (; limit - p >= 8; p += 8)
        h = hash_rotate(h ^ hash_round(0, nfl__load_le64(p)), 27) * HASH_P1 + HASH_P4;
    if (limit - p >= 4) {
        h = hash_rotate(h ^ nfl__load_le32(p) * HASH_P1, 23) * HASH_P2 + HASH_P3;
        p += 4;
    }
    for (; p < limit; p++)
        h = hash_rotate(h ^ *p * HASH_P5, 11) * HASH_P1;
    h = (h ^ h >> 33) * HASH_P2;
    h = (h ^ h >> 29) * HASH_P3;
    return h ^ h >> 32;
}

/* XXH64 (Collet, public specification): checksum of files and seeded hash of keys.
 *
 * One function for both keeps the core free of dependencies; the values equal libxxhash's, so files can
 * be checked with other tools. It is no cryptographic hash: hash tables take a secret seed, and tamper
 * evidence is another matter.
 */
#ifndef NFL_BASE_HASH_H
#define NFL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash of len bytes; data may be NULL when len is 0. */
uint64_t nfl__hash(const void *data, size_t len, uint64_t seed);

/* Hash of one number, for tables keyed by small integers. */
static inline uint64_t nfl__hash_u64(uint64_t value, uint64_t seed)
{
    uint64_t h = (value ^ seed) * UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    h ^= h >> 29;
    return h;
}

#endif

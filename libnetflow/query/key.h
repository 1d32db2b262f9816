/* One order for every value: a 128-bit unsigned key.
 *
 *   numbers    {0, value}
 *   times      {0, value with its sign bit flipped}, so that 1969 sorts before 1970
 *   addresses  {first 8 bytes, last 8 bytes}, most significant first
 *
 * Ranges of keys serve filters, keys themselves serve sorting and grouping.
 */
#ifndef NFL_QUERY_KEY_H
#define NFL_QUERY_KEY_H

#include <netflow/flow.h>

#include "base/rd.h"
#include "query/batch.h"

#define NFL__KEY_SIGN (UINT64_C(1) << 63)

typedef struct nfl__key {
    uint64_t high, low;
} nfl__key;

typedef struct nfl__range {
    nfl__key first, last; /* both inside */
} nfl__range;

static inline int nfl__key_compare(nfl__key a, nfl__key b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

static inline nfl__key nfl__key_number(uint64_t value)
{
    nfl__key key = {0, value};
    return key;
}

static inline nfl__key nfl__key_time(nfl_usec time_us)
{
    return nfl__key_number((uint64_t)time_us ^ NFL__KEY_SIGN);
}

static inline nfl_usec nfl__key_to_time(nfl__key key)
{
    return (nfl_usec)(key.low ^ NFL__KEY_SIGN);
}

static inline nfl__key nfl__key_ip(const nfl_ip *ip)
{
    nfl__key key = {nfl__load_be64(ip->b), nfl__load_be64(ip->b + 8)};
    return key;
}

static inline nfl_ip nfl__key_to_ip(nfl__key key)
{
    nfl_ip ip;
    for (unsigned i = 0; i < 8; i++) {
        ip.b[i] = (uint8_t)(key.high >> (56 - 8 * i));
        ip.b[8 + i] = (uint8_t)(key.low >> (56 - 8 * i));
    }
    return ip;
}

/* Key of a number or time held as 64 bits (as nfl__value_u64() gives it). */
static inline nfl__key nfl__key_u64(uint8_t type, uint64_t value)
{
    return nfl__key_number(type == NFL_TYPE_TIME ? value ^ NFL__KEY_SIGN : value);
}

/* Key of a value in memory, of `width` bytes. */
static inline nfl__key nfl__key_at(uint8_t type, const void *value, uint32_t width)
{
    return type == NFL_TYPE_IP ? nfl__key_ip((const nfl_ip *)value)
                               : nfl__key_u64(type, nfl__value_u64(value, width));
}

/* Largest key of a type. */
static inline nfl__key nfl__key_max(uint8_t type, uint32_t width)
{
    nfl__key key = {type == NFL_TYPE_IP ? UINT64_MAX : 0,
                    width >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1};
    return key;
}

/* a * b, or UINT64_MAX when it does not fit. */
static inline uint64_t nfl__mul_saturated(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* a + b, or UINT64_MAX when it does not fit. */
static inline uint64_t nfl__add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

#endif

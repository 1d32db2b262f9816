/* Addresses as numbers of 32 bits, so that grouping keys stay small: IPv4 addresses are their own numbers, others are
 * numbered as they come. The numbers say nothing about the order of addresses. */
#ifndef NFL_QUERY_ADDRESSES_H
#define NFL_QUERY_ADDRESSES_H

#include <netflow/ip.h>

#include "query/pool.h"

/* Bit of a number: it is not an IPv4 address. */
#define NFL__ADDRESS_NUMBERED (UINT64_C(1) << 32)

typedef struct nfl__addresses {
    nfl__pool pool; /* by number; an address is a row of two words */
    uint64_t *slots; /* hash << 32 | number + 1 */
    size_t slot_count;
    uint64_t seed;
    size_t most_bytes; /* that it may take */
} nfl__addresses;

/* *addresses is zero before. */
void nfl__addresses_init(nfl__addresses *addresses, size_t most_bytes, nfl__memory *memory);
void nfl__addresses_done(nfl__addresses *addresses);

/* *out: number of an address. NFL_E_LIMIT when there are too many, NFL_E_NOMEM. */
nfl_status nfl__addresses_number(nfl__addresses *addresses, const nfl_ip *ip, uint64_t *out, nfl_error *err);

/* The address of a number that was given out. */
nfl_ip nfl__addresses_get(const nfl__addresses *addresses, uint64_t number);

#endif

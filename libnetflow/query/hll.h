/* How many different values there were, estimated in little memory: HyperLogLog.
 *
 * Few values are a set of their hashes, an open-addressed table that doubles up to 256 slots; its count is exact, but for hashes that
 * are equal (a chance of 10^-15). From the 193rd on they are 2048 registers of a byte: the first 11 bits of a hash choose one, which
 * keeps the largest rank, the position of the first 1 among the other 53 bits. Registers made of a set are those that its values would
 * have made by themselves, so what a sketch holds depends on which values it has seen and on nothing else: not on their order, not on
 * how often each came.
 *
 * Estimate: Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6: for all sizes without tables
 * and thresholds. Standard error 1.04 / sqrt(2048) = 2.3 % (Flajolet, Fusy, Gandouet, Meunier 2007); NFL__HLL_ERROR_PER_MILLE is three
 * of them, within which an estimate lies in 997 of 1000 cases.
 *
 * Memory: 64 bytes to 2 KiB. Cost: a probe, or a byte.
 */
#ifndef NFL_QUERY_HLL_H
#define NFL_QUERY_HLL_H

#include "base/alloc.h"

#define NFL__HLL_REGISTERS 2048u
#define NFL__HLL_MOST_EXACT 192u /* values that are counted one by one */
#define NFL__HLL_ERROR_PER_MILLE 69u

/* Zero = nothing seen. */
typedef struct nfl__hll {
    void *cells;    /* uint64_t hashes by slot, 0 = free; or uint8_t registers */
    uint32_t slots; /* of the set; 0 with cells: registers */
    uint32_t count; /* of the set */
} nfl__hll;

/* Hash of a value. The key is a fixed one, so that results are the same wherever they are computed. */
uint64_t nfl__hll_hash(const void *value, size_t len);

/* Add a value by its hash. 0 when out of memory: then it is as before. */
int nfl__hll_add(nfl__hll *hll, uint64_t hash, nfl__memory *memory);

uint64_t nfl__hll_count(const nfl__hll *hll);

/* 1 if the count is an estimate. */
static inline int nfl__hll_is_estimate(const nfl__hll *hll)
{
    return hll->cells && hll->slots == 0;
}

void nfl__hll_free(nfl__hll *hll, nfl__memory *memory);

#endif

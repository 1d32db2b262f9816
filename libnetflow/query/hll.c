#include "query/hll.h"

#include "base/hash.h"

#include <string.h>

#define HLL_KEY UINT64_C(0x9c7e1f1e53a2d46b)
#define HLL_INDEX_BITS 11u
#define HLL_RANKS (64u - HLL_INDEX_BITS + 1) /* ranks are from 1 to this */
#define HLL_FIRST_SLOTS 8u
#define HLL_MOST_SLOTS 256u

_Static_assert(NFL__HLL_REGISTERS == 1u << HLL_INDEX_BITS, "an index chooses a register");
_Static_assert(NFL__HLL_MOST_EXACT == HLL_MOST_SLOTS / 4 * 3, "a set is at most three quarters full");

uint64_t nfl__hll_hash(const void *value, size_t len)
{
    uint64_t hash = nfl__hash(value, len, HLL_KEY);
    return hash ? hash : 1; /* 0 is a free slot */
}

/* --- Registers ---- */

static void hll_raise(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << HLL_INDEX_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : (int)HLL_RANKS);
    uint8_t *cell = &registers[hash >> (64 - HLL_INDEX_BITS)];
    if (rank > *cell)
        *cell = rank;
}

static int hll_make_registers(nfl__hll *hll, nfl__memory *memory)
{
    const uint64_t *set = hll->cells;
    uint8_t *registers = nfl__new(memory, NFL__HLL_REGISTERS, 1);
    if (!registers)
        return 0;
    for (uint32_t i = 0; i < hll->slots; i++)
        if (set[i])
            hll_raise(registers, set[i]);
    nfl__hll_free(hll, memory);
    hll->cells = registers;
    return 1;
}

/* Sum of x^(2^k) * 2^(k-1), k = 0, 1, ...; x is below 1. */
static double hll_sigma(double x)
{
    double sum = x, power = x, factor = 1, before;
    do {
        power *= power;
        before = sum;
        sum += power * factor;
        factor += factor;
    } while (sum > before);
    return sum;
}

/* Ertl's algorithm 6. Its term for registers of the largest rank, which takes 2^53 values to show, counts them as they are. */
static uint64_t hll_estimate(const uint8_t *registers)
{
    static const double half_ln2 = 0.72134752044448170367996234050095; /* 1 / (2 ln 2) */
    const double m = NFL__HLL_REGISTERS;
    uint32_t with_rank[HLL_RANKS + 1] = {0};
    for (uint32_t i = 0; i < NFL__HLL_REGISTERS; i++)
        with_rank[registers[i]]++;
    double z = 0;
    for (uint32_t rank = HLL_RANKS; rank >= 1; rank--)
        z = 0.5 * (z + with_rank[rank]);
    z += m * hll_sigma(with_rank[0] / m);
    double estimate = half_ln2 * m * m / z;
    return estimate < 9e18 ? (uint64_t)(estimate + 0.5) : UINT64_MAX;
}

/* --- The set ---- */

/* The slot of a hash, or the free one where it belongs. */
static uint64_t *hll_slot(uint64_t *set, uint32_t slots, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (slots - 1);
    while (set[at] && set[at] != hash)
        at = (at + 1) & (slots - 1);
    return &set[at];
}

/* Room for one more; at most NFL__HLL_MOST_EXACT are in it. */
static int hll_grow_set(nfl__hll *hll, nfl__memory *memory)
{
    const uint64_t *old = hll->cells;
    uint32_t slots = hll->slots ? hll->slots * 2 : HLL_FIRST_SLOTS, count = hll->count;
    uint64_t *set = nfl__new(memory, slots, sizeof *set);
    if (!set)
        return 0;
    for (uint32_t i = 0; i < hll->slots; i++)
        if (old[i])
            *hll_slot(set, slots, old[i]) = old[i];
    nfl__hll_free(hll, memory);
    *hll = (nfl__hll){set, slots, count};
    return 1;
}

static int hll_add_to_set(nfl__hll *hll, uint64_t hash, nfl__memory *memory)
{
    if ((hll->count + 1) * 4 > hll->slots * 3 && !hll_grow_set(hll, memory))
        return 0;
    *hll_slot(hll->cells, hll->slots, hash) = hash;
    hll->count++;
    return 1;
}

int nfl__hll_add(nfl__hll *hll, uint64_t hash, nfl__memory *memory)
{
    int is_set = !nfl__hll_is_estimate(hll);
    if (is_set && hll->cells && *hll_slot(hll->cells, hll->slots, hash))
        return 1;
    if (is_set && hll->count < NFL__HLL_MOST_EXACT)
        return hll_add_to_set(hll, hash, memory);
    if (is_set && !hll_make_registers(hll, memory))
        return 0;
    hll_raise(hll->cells, hash);
    return 1;
}

/* --- Both ---- */

uint64_t nfl__hll_count(const nfl__hll *hll)
{
    return nfl__hll_is_estimate(hll) ? hll_estimate(hll->cells) : hll->count;
}

void nfl__hll_free(nfl__hll *hll, nfl__memory *memory)
{
    if (nfl__hll_is_estimate(hll))
        nfl__delete(memory, hll->cells, NFL__HLL_REGISTERS, 1);
    else
        nfl__delete(memory, hll->cells, hll->slots, sizeof(uint64_t));
    *hll = (nfl__hll){0};
}

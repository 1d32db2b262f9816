/* Grouping keys of rows: packed one by one, or as combinations of dictionary codes.
 *
 * A coding numbers the combinations of values that the keys of a block's rows can take: by dictionary code, or by the
 * value itself where keys are so narrow that all their values can be numbered; then the numbers mean the same in every
 * block. One number more stands for "absent" where that can be. */
#ifndef NFL_QUERY_PACK_H
#define NFL_QUERY_PACK_H

#include "query/addresses.h"
#include "query/plan.h"
#include "query/scan.h"

typedef struct nfl__coding {
    uint32_t combinations; /* 0 = there is no coding */
    uint8_t by_value;
    uint8_t reserved[3];
    uint32_t factors[NFL__PLAN_FIELDS]; /* values of each key, absence included */
} nfl__coding;

/* The addresses of a block as numbers, by code or row, for each key of a narrow plan that is an address. */
typedef struct nfl__packing {
    const nfl__plan *plan;
    nfl__addresses *addresses;
    nfl__memory *memory;
    uint64_t *numbers[NFL__PLAN_FIELDS];
    size_t capacity[NFL__PLAN_FIELDS];
} nfl__packing;

void nfl__packing_done(nfl__packing *packing);

/* Number the addresses of the scan's block. NFL_E_LIMIT: there are too many in all. */
nfl_status nfl__packing_block(nfl__packing *packing, const nfl__scan *scan, nfl_error *err);

/* Compare keys from key_at on as memcmp() does, but by addresses where they hold numbers. */
int nfl__pack_compare(const nfl__plan *plan, const nfl__addresses *addresses, const uint8_t *a, const uint8_t *b,
                      uint32_t key_at);

/* The number of an address in a narrow key. */
uint64_t nfl__pack_number(const nfl__plan *plan, uint32_t k, const uint8_t *key);

/* Forget that a key is an address that is not IPv4. */
void nfl__pack_clear_number(const nfl__plan *plan, uint32_t k, uint8_t *key);

/* Number the key values of the scan's block, or not if there are more than `most`. */
void nfl__coding_of_block(const nfl__plan *plan, const nfl__scan *scan, uint32_t most, nfl__coding *out);

/* Number the key values of all blocks, or not if there are more than `most`. */
void nfl__coding_of_values(const nfl__plan *plan, uint32_t most, nfl__coding *out);

/* The combination of each of the scan's rows. */
void nfl__coding_rows(const nfl__coding *coding, const nfl__plan *plan, nfl__scan *scan, uint32_t *out);

/* The key of a combination of the scan's block. bucket: as a key, 0 if there is none. */
void nfl__pack_combination(const nfl__packing *packing, const nfl__coding *coding, const nfl__scan *scan, uint64_t bucket,
                           uint32_t combination, uint8_t *key);

/* The keys of all of the scan's rows, plan->key_bytes apart. buckets: as keys. */
void nfl__pack_rows(const nfl__packing *packing, nfl__scan *scan, const uint64_t *buckets, uint8_t *keys);

#endif

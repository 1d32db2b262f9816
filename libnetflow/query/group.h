/* Grouping: an open-addressed hash table from packed keys to rows of sums (layout: plan.h).
 *
 * A slot holds 32 bits of the key's hash and the group's number + 1; the hash alone places a group, so
 * growing the table never touches the groups. The groups themselves never move.
 *
 * For each run of rows: find every row's group, then add one measure after the other to all of them. When all
 * key columns of a block are dictionaries with few combinations, the group of a combination is looked up
 * once a block, not once a row.
 *
 * Cost per row: a hash, one probe, one add a measure; by dictionary, a table look-up instead of the first two.
 */
#ifndef NFL_QUERY_GROUP_H
#define NFL_QUERY_GROUP_H

#include "query/plan.h"
#include "query/pool.h"
#include "query/scan.h"

#define NFL__GROUP_CACHE 65536u /* combinations of dictionary codes */

typedef struct nfl__groups {
    nfl__memory *memory;
    const nfl__plan *plan;
    nfl__pool pool;
    uint64_t *slots;
    size_t slot_count; /* a power of two */
    uint64_t seed;
    uint32_t key_at;       /* offset of the key that is looked up: 8 leaves the bucket out */
    uint32_t *cache;       /* number + 1 of the group of a combination of codes; 0 = not looked up yet */
    uint32_t cache_used;   /* combinations of this block */
    uint8_t *keys;         /* NFL__SCAN_ROWS packed keys */
    uint64_t **found;      /* their groups */
    uint64_t *buckets;     /* bucket of each row, as a key */
    uint64_t cache_bucket; /* the one the cache is for */
} nfl__groups;

/* key_at: 0, or 8 for groups regardless of the bucket. */
nfl_status nfl__groups_init(nfl__groups *groups, const nfl__plan *plan, uint32_t key_at, nfl__memory *memory,
                            nfl_error *err);
void nfl__groups_done(nfl__groups *groups);

/* Forget the codes of the last block. Call for each block. */
void nfl__groups_block(nfl__groups *groups, const nfl__scan *scan);

/* Add the scan's current rows. */
nfl_status nfl__groups_add(nfl__groups *groups, nfl__scan *scan, nfl_error *err);

/* The group whose key (from key_at on) equals that of `row`, a group of the same plan; NULL = none. */
uint64_t *nfl__groups_find(const nfl__groups *groups, const uint64_t *row);

/* Add a group of the same plan to the group whose key equals its own from key_at on. */
nfl_status nfl__groups_merge(nfl__groups *groups, const uint64_t *row, nfl_error *err);

static inline const uint8_t *nfl__group_key_bytes(const nfl__plan *plan, const uint64_t *group)
{
    return (const uint8_t *)(group + plan->seen_word + 1);
}

#endif

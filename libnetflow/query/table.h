/* Groups by key: an open-addressed hash table from packed keys to rows of sums (layout: plan.h).
 *
 * A slot holds 32 bits of the key's hash and the group's number + 1; they place the group, so growing the table never
 * touches the groups.
 *
 * A table that may be partitioned takes the keys whose other 32 bits of the hash are in [from, until). When memory
 * gets short it halves that range and forgets the groups outside; whoever fills it comes again with the next range
 * until all is done. So any number of groups is counted exactly in any memory, in as many passes as it takes.
 */
#ifndef NFL_QUERY_TABLE_H
#define NFL_QUERY_TABLE_H

#include "base/hash.h"
#include "query/plan.h"
#include "query/pool.h"

#define NFL__TABLE_PARTITIONS (UINT64_C(1) << 32)

typedef struct nfl__table {
    nfl__memory *memory;
    const nfl__plan *plan;
    nfl__pool pool;
    uint64_t *slots;
    size_t slot_count; /* a power of two */
    uint64_t seed;
    uint64_t from, until; /* partitions that it takes */
    uint32_t key_at;      /* offset of the key that is looked up: 8 leaves the bucket out */
    uint8_t partitioned;  /* it may be cut */
    uint8_t reserved[3];
} nfl__table;

/* *table is zero before. key_at: 0, or 8 for groups regardless of the bucket. */
nfl_status nfl__table_init(nfl__table *table, const nfl__plan *plan, uint32_t key_at, nfl__memory *memory,
                           nfl_error *err);
void nfl__table_done(nfl__table *table);

/* Forget the groups, and take the partitions behind those taken so far, as many. 0 if there are none. */
int nfl__table_next_partition(nfl__table *table);

/* Make room for the groups of those of n keys, by their hashes, that the table takes; to be called before nfl__table_get().
 * Groups may move, and when memory is short, partitions be given up: then it takes fewer of the keys. */
nfl_status nfl__table_reserve(nfl__table *table, const uint64_t *hashes, uint32_t n, nfl_error *err);

static inline const uint8_t *nfl__group_key_bytes(const nfl__plan *plan, const uint64_t *group)
{
    return (const uint8_t *)(group + plan->seen_word + 1);
}

/* Keys are whole 64-bit words. */
static inline uint64_t nfl__table_hash(const nfl__table *table, const uint8_t *key)
{
    uint64_t hash = table->seed, word;
    for (uint32_t at = table->key_at; at < table->plan->key_bytes; at += sizeof word) {
        memcpy(&word, key + at, sizeof word);
        hash = nfl__hash_u64(word, hash);
    }
    return hash;
}

static inline int nfl__table_takes(const nfl__table *table, uint64_t hash)
{
    return (uint32_t)hash >= table->from && (uint32_t)hash < table->until;
}

/* Looking up many keys: first their slots, then their groups on the way to the cache, then nfl__table_get(). */
static inline void nfl__table_prefetch_slot(const nfl__table *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[(hash >> 32) & (table->slot_count - 1)]);
}

static inline void nfl__table_prefetch_group(const nfl__table *table, uint64_t hash)
{
    uint64_t slot = table->slots[(hash >> 32) & (table->slot_count - 1)];
    if (slot >> 32 == hash >> 32 && slot)
        __builtin_prefetch(nfl__pool_at(&table->pool, (uint32_t)slot - 1));
}

/* The key's group, which is made if there is none. */
uint64_t *nfl__table_get(nfl__table *table, const uint8_t *key, uint64_t hash);

/* The group whose key (from key_at on) equals that of `row`, a group of the same plan; NULL = none. */
uint64_t *nfl__table_find(const nfl__table *table, const uint64_t *row);

/* Add a group of the same plan to the group whose key equals its own from key_at on. */
nfl_status nfl__table_merge(nfl__table *table, const uint64_t *row, nfl_error *err);

#endif

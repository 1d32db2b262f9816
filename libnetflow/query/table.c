#include "query/table.h"

#include "base/error.h"
#include "query/measure.h"

#define TABLE_FIRST_SLOTS 1024u
#define TABLE_WORTH_CUTTING 512u

nfl_status nfl__table_init(nfl__table *table, const nfl__plan *plan, uint32_t key_at, nfl__memory *memory,
                           nfl_error *err)
{
    *table = (nfl__table){.memory = memory, .plan = plan, .key_at = key_at, .slot_count = TABLE_FIRST_SLOTS};
    table->until = NFL__TABLE_PARTITIONS;
    /* Nothing that is returned depends on the seed; the address is hard to guess for who sends the flows. */
    table->seed = nfl__hash_u64((uint64_t)(uintptr_t)table, UINT64_C(0x6e666c71));
    nfl__pool_init(&table->pool, memory, plan->row_words);
    table->slots = nfl__new(memory, table->slot_count, sizeof *table->slots);
    return table->slots ? NFL_OK : nfl__query_nomem(memory, table->slot_count * sizeof *table->slots, err);
}

void nfl__table_done(nfl__table *table)
{
    if (!table->memory)
        return;
    nfl__pool_done(&table->pool);
    nfl__delete(table->memory, table->slots, table->slot_count, sizeof *table->slots);
    table->memory = NULL;
}

/* --- Slots ---- */

/* A slot for a group that is not in the table. */
static void table_place(uint64_t *slots, size_t slot_count, uint64_t slot)
{
    size_t at = (slot >> 32) & (slot_count - 1);
    while (slots[at])
        at = (at + 1) & (slot_count - 1);
    slots[at] = slot;
}

static nfl_status table_set_slots(nfl__table *table, size_t count, nfl_error *err)
{
    uint64_t *slots = nfl__new(table->memory, count, sizeof *slots);
    if (!slots)
        return nfl__query_nomem(table->memory, count * sizeof *slots, err);
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i])
            table_place(slots, count, table->slots[i]);
    nfl__delete(table->memory, table->slots, table->slot_count, sizeof *table->slots);
    table->slots = slots;
    table->slot_count = count;
    return NFL_OK;
}

/* Keys are whole 64-bit words. */
static int table_same_key(const uint8_t *a, const uint8_t *b, uint32_t at, uint32_t len)
{
    for (; at < len; at += sizeof(uint64_t)) {
        uint64_t left, right;
        memcpy(&left, a + at, sizeof left);
        memcpy(&right, b + at, sizeof right);
        if (left != right)
            return 0;
    }
    return 1;
}

/* The slot of a key: that of its group, or the free one where it belongs. */
static uint64_t *table_probe(const nfl__table *table, const uint8_t *key, uint64_t hash)
{
    for (size_t at = (hash >> 32) & (table->slot_count - 1);; at = (at + 1) & (table->slot_count - 1)) {
        uint64_t slot = table->slots[at];
        if (!slot)
            return &table->slots[at];
        if (slot >> 32 != hash >> 32)
            continue;
        const uint64_t *group = nfl__pool_at(&table->pool, (uint32_t)slot - 1);
        if (table_same_key(nfl__group_key_bytes(table->plan, group), key, table->key_at, table->plan->key_bytes))
            return &table->slots[at];
    }
}

/* --- Room ---- */

static nfl_status table_grow(nfl__table *table, size_t count, nfl_error *err)
{
    size_t groups = table->pool.count + count, slot_count = table->slot_count;
    if (groups >= UINT32_MAX)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %u groups", UINT32_MAX);
    while (groups * 4 > slot_count * 3)
        slot_count *= 2;
    if (slot_count != table->slot_count)
        NFL_TRY(table_set_slots(table, slot_count, err));
    if (!nfl__pool_reserve(&table->pool, count))
        return nfl__query_nomem(table->memory, NFL__POOL_ROWS * table->pool.row_words * sizeof(uint64_t), err);
    return NFL_OK;
}

/* Take half as many partitions and forget the groups of the others. 0 if that would spare next to nothing of what is held and
 * asked for: memory is then too small for reasons that more passes do not help against. */
static int table_cut(nfl__table *table, uint32_t asked)
{
    nfl__pool *pool = &table->pool;
    size_t kept = 0;
    if (pool->count + asked < TABLE_WORTH_CUTTING || table->until - table->from < 2)
        return 0;
    table->until -= (table->until - table->from) / 2;
    memset(table->slots, 0, table->slot_count * sizeof *table->slots);
    for (size_t i = 0; i < pool->count; i++) {
        const uint64_t *group = nfl__pool_at(pool, i);
        uint64_t hash = nfl__table_hash(table, nfl__group_key_bytes(table->plan, group));
        if (!nfl__table_takes(table, hash))
            continue;
        if (kept != i)
            memcpy(nfl__pool_at(pool, kept), group, pool->row_words * sizeof *group);
        kept++;
        table_place(table->slots, table->slot_count, (hash >> 32 << 32) | (uint32_t)kept);
    }
    nfl__pool_cut(pool, kept);
    return 1;
}

/* How many of the keys are in the table's partitions. */
static uint32_t table_taken(const nfl__table *table, const uint64_t *hashes, uint32_t n)
{
    uint32_t taken = 0;
    if (table->until - table->from == NFL__TABLE_PARTITIONS)
        return n;
    for (uint32_t i = 0; i < n; i++)
        taken += (uint32_t)nfl__table_takes(table, hashes[i]);
    return taken;
}

nfl_status nfl__table_reserve(nfl__table *table, const uint64_t *hashes, uint32_t n, nfl_error *err)
{
    nfl_error why;
    nfl_status status;
    uint32_t taken = table_taken(table, hashes, n);
    while ((status = table_grow(table, taken, &why)) == NFL_E_LIMIT && table->partitioned && table_cut(table, taken))
        taken = table_taken(table, hashes, n);
    if (status != NFL_OK && err)
        *err = why;
    return status;
}

int nfl__table_next_partition(nfl__table *table)
{
    uint64_t width = table->until - table->from;
    nfl__pool_cut(&table->pool, 0);
    memset(table->slots, 0, table->slot_count * sizeof *table->slots);
    table->from = table->until;
    table->until = width < NFL__TABLE_PARTITIONS - table->from ? table->from + width : NFL__TABLE_PARTITIONS;
    return table->from < NFL__TABLE_PARTITIONS;
}

/* --- Groups ---- */

uint64_t *nfl__table_get(nfl__table *table, const uint8_t *key, uint64_t hash)
{
    uint64_t *slot = table_probe(table, key, hash);
    if (*slot)
        return nfl__pool_at(&table->pool, (uint32_t)*slot - 1);
    uint64_t *group = nfl__pool_add(&table->pool);
    nfl__measures_clear(table->plan, group);
    memcpy(group + table->plan->seen_word + 1, key, table->plan->key_bytes);
    *slot = (hash >> 32 << 32) | (uint32_t)table->pool.count;
    return group;
}

uint64_t *nfl__table_find(const nfl__table *table, const uint64_t *row)
{
    const uint8_t *key = nfl__group_key_bytes(table->plan, row);
    uint64_t slot = *table_probe(table, key, nfl__table_hash(table, key));
    return slot ? nfl__pool_at(&table->pool, (uint32_t)slot - 1) : NULL;
}

nfl_status nfl__table_merge(nfl__table *table, const uint64_t *row, nfl_error *err)
{
    const uint8_t *key = nfl__group_key_bytes(table->plan, row);
    uint64_t hash = nfl__table_hash(table, key);
    NFL_TRY(nfl__table_reserve(table, &hash, 1, err));
    nfl__measures_merge(table->plan, nfl__table_get(table, key, hash), row);
    return NFL_OK;
}

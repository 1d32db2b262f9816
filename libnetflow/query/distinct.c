#include "query/distinct.h"

#include "base/error.h"
#include "query/measure.h"
#include "query/pack.h"

/* Make the group's last key absent; returns whether it was there. */
static int distinct_take_key(const nfl__plan *plan, uint64_t *group)
{
    uint32_t last = plan->key_count - 1;
    const nfl__group_key *key = &plan->keys[last];
    uint8_t *bytes = (uint8_t *)(group + plan->seen_word + 1), *presence = bytes + plan->presence_at + last / 8;
    uint8_t bit = (uint8_t)(1u << (7 - last % 8));
    int present = (*presence & bit) != 0;
    *presence = (uint8_t)(*presence & ~bit);
    memset(bytes + key->offset, 0, key->width);
    nfl__pack_clear_number(plan, last, bytes);
    return present;
}

nfl_status nfl__distinct_merge(nfl__table *table, nfl__memory *memory, nfl_error *err)
{
    const nfl__plan *plan = table->plan;
    nfl__table merged = {0};
    uint64_t *group = nfl__new(memory, plan->row_words, sizeof *group);
    if (!group)
        return nfl__query_nomem(memory, plan->row_words * sizeof *group, err);
    nfl_status status = nfl__table_init(&merged, plan, 0, memory, err);
    for (size_t i = 0; i < table->pool.count && status == NFL_OK; i++) {
        memcpy(group, nfl__pool_at(&table->pool, i), plan->row_words * sizeof *group);
        int present = distinct_take_key(plan, group);
        status = nfl__table_merge(&merged, group, err);
        if (status == NFL_OK)
            nfl__table_find(&merged, group)[plan->distinct_word] += (uint64_t)present;
    }
    nfl__delete(memory, group, plan->row_words, sizeof *group);
    if (status != NFL_OK) {
        nfl__table_done(&merged);
        return status;
    }
    nfl__table_done(table);
    *table = merged;
    return NFL_OK;
}

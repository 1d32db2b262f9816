#include "query/top.h"

#include "query/group.h"
#include "query/sort.h"

static int top_compare_bucket(const nfl__plan *plan, const nfl__item *a, const nfl__item *b)
{
    int order = memcmp(nfl__group_key_bytes(plan, a->row), nfl__group_key_bytes(plan, b->row), 8);
    return plan->newest_first ? -order : order;
}

int nfl__top_compare_order(const nfl__plan *plan, const nfl__item *a, const nfl__item *b)
{
    if (a->absent != b->absent)
        return a->absent ? 1 : -1;
    int order = nfl__key_compare(a->order, b->order);
    return plan->query.flags & NFL_QUERY_ASCENDING ? order : -order;
}

static int top_compare(const void *left, const void *right, void *ctx)
{
    const nfl__top *top = ctx;
    const nfl__plan *plan = top->plan;
    const nfl__item *a = left, *b = right;
    int order = plan->bucketed && top->key_at == 0 ? top_compare_bucket(plan, a, b) : 0;
    if (order == 0 && plan->ordered)
        order = nfl__top_compare_order(plan, a, b);
    if (order != 0)
        return order;
    if (plan->grouped)
        return nfl__pack_compare(plan, top->addresses, nfl__group_key_bytes(plan, a->row),
                                 nfl__group_key_bytes(plan, b->row), top->key_at);
    if (a->received_us != b->received_us)
        return a->received_us < b->received_us ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void nfl__top_init(nfl__top *top, const nfl__plan *plan, const nfl__addresses *addresses, uint32_t key_at, int limited,
                   nfl__memory *memory)
{
    uint64_t wanted = nfl__add_saturated(plan->query.limit, plan->query.offset);
    *top = (nfl__top){
        .memory = memory, .plan = plan, .addresses = addresses, .key_at = key_at, .limit = SIZE_MAX};
    if (limited && plan->query.limit && wanted < SIZE_MAX)
        top->limit = (size_t)wanted;
}

void nfl__top_done(nfl__top *top)
{
    if (top->memory)
        nfl__delete(top->memory, top->items, top->capacity, sizeof *top->items);
    top->memory = NULL;
}

int nfl__top_accepts(const nfl__top *top, const nfl__item *item)
{
    return !nfl__top_is_full(top) || top_compare(item, &top->items[0], (void *)(uintptr_t)top) < 0;
}

nfl_status nfl__top_add(nfl__top *top, const nfl__item *item, nfl_error *err)
{
    if (nfl__top_is_full(top)) {
        top->items[0] = *item;
        nfl__heap_down(top->items, top->count, sizeof *item, 0, top_compare, top);
        return NFL_OK;
    }
    if (!nfl__grow(top->memory, (void **)&top->items, &top->capacity, top->count + 1, sizeof *item))
        return nfl__query_nomem(top->memory, (top->count + 1) * sizeof *item, err);
    top->items[top->count++] = *item;
    if (top->limit != SIZE_MAX) /* only then is it a heap */
        nfl__heap_up(top->items, sizeof *item, top->count - 1, top_compare, top);
    return NFL_OK;
}

void nfl__top_finish(nfl__top *top)
{
    nfl__sort(top->items, top->count, sizeof *top->items, top_compare, top);
}

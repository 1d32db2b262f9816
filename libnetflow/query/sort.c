#include "query/sort.h"

#include <netflow/query.h>

#include "base/error.h"

#include <stdint.h>
#include <string.h>

void nfl__heap_down(void *items, size_t count, size_t size, size_t at, nfl__compare compare, void *ctx)
{
    uint8_t *base = items, moving[NFL__SORT_ITEM];
    nfl__assert(size <= sizeof moving);
    memcpy(moving, base + at * size, size);
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(base + (child + 1) * size, base + child * size, ctx) > 0)
            child++;
        if (compare(base + child * size, moving, ctx) <= 0)
            break;
        memcpy(base + at * size, base + child * size, size);
    }
    memcpy(base + at * size, moving, size);
}

void nfl__heap_up(void *items, size_t size, size_t at, nfl__compare compare, void *ctx)
{
    uint8_t *base = items, moving[NFL__SORT_ITEM];
    nfl__assert(size <= sizeof moving);
    memcpy(moving, base + at * size, size);
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (compare(base + parent * size, moving, ctx) >= 0)
            break;
        memcpy(base + at * size, base + parent * size, size);
    }
    memcpy(base + at * size, moving, size);
}

static int sort_compare_numbers(const void *left, const void *right, void *ctx)
{
    uint64_t a, b;
    (void)ctx;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return a < b ? -1 : a > b;
}

uint64_t nfl_percentile(uint64_t *values, size_t count, uint32_t per_mille)
{
    if (count == 0)
        return 0;
    per_mille = per_mille < 1 ? 1 : per_mille > 1000 ? 1000 : per_mille;
    nfl__sort(values, count, sizeof *values, sort_compare_numbers, NULL);
    /* rounded up, without overflow */
    size_t rank = count / 1000 * per_mille + (count % 1000 * per_mille + 999) / 1000;
    return values[rank - 1];
}

void nfl__sort(void *items, size_t count, size_t size, nfl__compare compare, void *ctx)
{
    uint8_t *base = items, top[NFL__SORT_ITEM];
    for (size_t at = count / 2; at-- > 0;)
        nfl__heap_down(items, count, size, at, compare, ctx);
    for (size_t left = count; left-- > 1;) {
        memcpy(top, base, size);
        memcpy(base, base + left * size, size);
        memcpy(base + left * size, top, size);
        nfl__heap_down(items, left, size, 0, compare, ctx);
    }
}

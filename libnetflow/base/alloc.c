#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *alloc_default_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *alloc_default_realloc(void *ctx, void *p, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    return realloc(p, new_size);
}

static void alloc_default_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    free(p);
}

void nfl__memory_init(nfl__memory *memory, const nfl_alloc *alloc, uint64_t limit)
{
    static const nfl_alloc standard = {alloc_default_alloc, alloc_default_realloc, alloc_default_free, NULL};
    memory->alloc = alloc ? *alloc : standard;
    memory->held = 0;
    memory->limit = limit == 0 || limit > SIZE_MAX ? SIZE_MAX : (size_t)limit;
}

size_t nfl__mul(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static int alloc_over_limit(const nfl__memory *memory, size_t more)
{
    return more > PTRDIFF_MAX || memory->held > memory->limit || more > memory->limit - memory->held;
}

void *nfl__new(nfl__memory *memory, size_t count, size_t size)
{
    size_t total = nfl__mul(count, size);
    if (total == 0 || alloc_over_limit(memory, total))
        return NULL;
    void *p = memory->alloc.alloc(memory->alloc.ctx, total);
    if (p) {
        memset(p, 0, total);
        memory->held += total;
    }
    return p;
}

void *nfl__renew(nfl__memory *memory, void *p, size_t old_count, size_t new_count, size_t size)
{
    if (!p)
        return nfl__new(memory, new_count, size);
    size_t old_total = nfl__mul(old_count, size), new_total = nfl__mul(new_count, size);
    if (new_total == 0 || new_total > PTRDIFF_MAX)
        return NULL;
    if (new_total > old_total && alloc_over_limit(memory, new_total - old_total))
        return NULL;
    void *q = memory->alloc.realloc(memory->alloc.ctx, p, old_total, new_total);
    if (q)
        memory->held = memory->held - old_total + new_total;
    return q;
}

void nfl__delete(nfl__memory *memory, void *p, size_t count, size_t size)
{
    if (!p)
        return;
    memory->alloc.free(memory->alloc.ctx, p, count * size);
    memory->held -= count * size;
}

char *nfl__copy_text(nfl__memory *memory, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? nfl__new(memory, len + 1, 1) : NULL;
    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

int nfl__grow(nfl__memory *memory, void **array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return 1;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    void *grown = nfl__renew(memory, *array, *capacity, wanted, size);
    if (!grown && wanted > need) {
        wanted = need;
        grown = nfl__renew(memory, *array, *capacity, wanted, size);
    }
    if (!grown)
        return 0;
    *array = grown;
    *capacity = wanted;
    return 1;
}

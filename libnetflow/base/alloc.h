/* Memory of an object: the allocator given in its options plus a count of what is held.
 *
 * Every object embeds one nfl__memory. All sizes are passed back on release, so the count is exact and
 * nfl_*_memory() costs nothing. With a limit, an allocation beyond it fails like an exhausted allocator.
 * malloc, realloc and free are called in alloc.c only.
 */
#ifndef NFL_BASE_ALLOC_H
#define NFL_BASE_ALLOC_H

#include <netflow/base.h>

typedef struct nfl__memory {
    nfl_alloc alloc;
    size_t held;  /* bytes given out now */
    size_t limit; /* most bytes; SIZE_MAX = none */
} nfl__memory;

/* alloc may be NULL: malloc. limit 0 = none. */
void nfl__memory_init(nfl__memory *memory, const nfl_alloc *alloc, uint64_t limit);

/* count * size bytes, zeroed; NULL when exhausted, over the limit, or the product overflows. */
void *nfl__new(nfl__memory *memory, size_t count, size_t size);

/* Resize an array; p may be NULL with old_count 0. New elements are not zeroed. NULL leaves p as it was. */
void *nfl__renew(nfl__memory *memory, void *p, size_t old_count, size_t new_count, size_t size);

/* Release count * size bytes; NULL is a no-op. */
void nfl__delete(nfl__memory *memory, void *p, size_t count, size_t size);

/* Copy of len bytes and a NUL. Release with nfl__delete(m, p, len + 1, 1). */
char *nfl__copy_text(nfl__memory *memory, const char *text, size_t len);

/* The object itself lives in memory it accounts for: these two carry the nfl__memory through.
 *
 *     nfl__memory memory;
 *     nfl__memory_init(&memory, opts.alloc, 0);
 *     nfl_thing *thing = nfl__new(&memory, 1, sizeof *thing);
 *     thing->memory = memory;
 *     ...
 *     nfl__memory memory = thing->memory;
 *     nfl__delete(&memory, thing, 1, sizeof *thing);
 */

/* a * b, or SIZE_MAX when it overflows (no allocator gives that). */
size_t nfl__mul(size_t a, size_t b);

/* Make room for at least `need` elements in a growing array, doubling. Returns 0 when out of memory (the
 * array is as before), 1 otherwise. */
int nfl__grow(nfl__memory *memory, void **array, size_t *capacity, size_t need, size_t size);

#endif

/* Sorting without memory of its own and without a worst case: heapsort. Libc's qsort may call malloc and
 * passes no context. Equal items change places: give a total order. */
#ifndef NFL_QUERY_SORT_H
#define NFL_QUERY_SORT_H

#include <stddef.h>

/* Negative, 0, positive: a before, with, behind b. */
typedef int (*nfl__compare)(const void *a, const void *b, void *ctx);

/* Sort `count` items of `size` bytes each, at most NFL__SORT_ITEM. */
#define NFL__SORT_ITEM 64u
void nfl__sort(void *items, size_t count, size_t size, nfl__compare compare, void *ctx);

/* A heap with the item that sorts last on top, for the first N of many: replace the top when something
 * sorts before it, then sift it down; push an item placed at `at` upwards. */
void nfl__heap_down(void *items, size_t count, size_t size, size_t at, nfl__compare compare, void *ctx);
void nfl__heap_up(void *items, size_t size, size_t at, nfl__compare compare, void *ctx);

#endif

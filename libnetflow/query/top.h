/* Result rows in order: all of them, or the first N kept in a heap while they come by.
 *
 * Order: bucket, then the ordering column (absent last), then key bytes (groups), or time and order of arrival (records). It
 * is total, so that results are the same however the rows came in.
 */
#ifndef NFL_QUERY_TOP_H
#define NFL_QUERY_TOP_H

#include "query/addresses.h"
#include "query/plan.h"
#include "query/pool.h"

typedef struct nfl__item {
    nfl__key order;
    uint64_t sequence; /* of arrival, for records */
    nfl_usec received_us; /* records: their arrival, as long as it decides about their place */
    uint64_t *row;
    uint32_t absent; /* 1: has no value to order by */
} nfl__item;

typedef struct nfl__top {
    nfl__memory *memory;
    const nfl__plan *plan;
    const nfl__addresses *addresses; /* of narrow keys */
    nfl__item *items;
    size_t count, capacity;
    size_t limit;    /* most items */
    uint32_t key_at; /* as in nfl__groups: 8 = regardless of the bucket */
} nfl__top;

/* Keep what `limit` and `offset` of the query ask for; all if limited is 0. */
void nfl__top_init(nfl__top *top, const nfl__plan *plan, const nfl__addresses *addresses, uint32_t key_at, int limited,
                   nfl__memory *memory);
void nfl__top_done(nfl__top *top);

/* Which of two items comes first by the ordering column: below, at or above 0. */
int nfl__top_compare_order(const nfl__plan *plan, const nfl__item *a, const nfl__item *b);

/* Would the item be among the first? Its row need not be set yet, except for groups. */
int nfl__top_accepts(const nfl__top *top, const nfl__item *item);

/* 1 if the next item takes the place of items[0], whose row it may reuse. */
static inline int nfl__top_is_full(const nfl__top *top)
{
    return top->count >= top->limit;
}

/* Add an accepted item. */
nfl_status nfl__top_add(nfl__top *top, const nfl__item *item, nfl_error *err);

/* Sort what was kept. */
void nfl__top_finish(nfl__top *top);

#endif

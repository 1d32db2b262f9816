/* Pages: where a row of an ordered result stands, as a token that survives new arrivals and a restart.
 *
 *   form u8 = 1 | absent u8 | key of the ordering column, 16 bytes | rows of that key up to and with this one u64 |
 *   XXH64 of the question u64 | XXH64 of all before u64                             42 bytes big-endian, in hexadecimal
 *
 * Rows that sort before the key are left out while the result is gathered; those with the same key are gathered, sorted and
 * passed over by number, since their order among themselves (grouping fields, arrival) is the same every time. */
#ifndef NFL_QUERY_PAGE_H
#define NFL_QUERY_PAGE_H

#include "query/top.h"

typedef struct nfl__page {
    nfl__item last;    /* order and absent: of the row behind which the result begins */
    uint64_t question; /* hash of the query's words */
    uint8_t begins;    /* there is such a row */
} nfl__page;

/* What the query asks; the rows to pass over are added to the plan's offset. NFL_E_SYNTAX: no token, or one of another question. */
nfl_status nfl__page_open(nfl__page *page, nfl__plan *plan, nfl_error *err);

/* Is the item at the page's beginning or behind it? */
int nfl__page_has(const nfl__page *page, const nfl__plan *plan, const nfl__item *item);

/* The token of the item at `at` of a sorted result. */
void nfl__page_token(const nfl__page *page, const nfl__top *top, size_t at, char dst[NFL_TOKEN_SIZE]);

#endif

/* Pages: where a row of an ordered result stands, as a token that survives new arrivals and a restart.
 *
 *   form u8 = 1 | absent u8 | key of the ordering column, 16 bytes | XXH64 of the question u64 | where among rows of that key |
 *   XXH64 of all before u64                                                        big-endian, in hexadecimal
 *   where, of records    received i64 | rows of that key and arrival up to and with this one u64
 *   where, of groups     per grouping field: 1 and the value, 8 bytes or 16 of an address; or 0 = absent
 *
 * Rows that sort before the token are left out while the result is gathered, by value: it does not matter what else has come or gone
 * since. Only records of one key and one time of arrival are passed over by number; they come and go together. */
#ifndef NFL_QUERY_PAGE_H
#define NFL_QUERY_PAGE_H

#include "query/top.h"

typedef struct nfl__page {
    nfl__item last;    /* order, absence and arrival of the row behind which the result begins */
    nfl_value keys[NFL__PLAN_FIELDS]; /* of that row, if it is a group */
    uint64_t alike;    /* records of the same order and arrival that are known, that row included, and not yet passed over */
    uint64_t question; /* hash of the query's words */
    uint8_t begins;    /* there is such a row */
} nfl__page;

/* What the query asks. NFL_E_SYNTAX: no token, or one of another question. */
nfl_status nfl__page_open(nfl__page *page, const nfl__plan *plan, nfl_error *err);

/* Does the record, or the group of the item, come behind the page's beginning? Records are asked about once, in their order of
 * arrival; the time of it counts only if their order is the same. */
int nfl__page_has(nfl__page *page, const nfl__plan *plan, const nfl__addresses *addresses, const nfl__item *item);

/* The token of the item at `at` of a sorted result. NFL_E_LIMIT: there are so many grouping fields that it is too long. */
nfl_status nfl__page_token(const nfl__page *page, const nfl__top *top, size_t at, char dst[NFL_TOKEN_SIZE], nfl_error *err);

#endif

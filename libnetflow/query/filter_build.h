/* Growing a filter's tree while it is parsed. Every call may fail with NFL_E_NOMEM or, when the filter has more
 * than max_nodes operators and comparisons or max_values values, NFL_E_LIMIT. */
#ifndef NFL_QUERY_FILTER_BUILD_H
#define NFL_QUERY_FILTER_BUILD_H

#include "query/filter_tree.h"

/* A node; its sibling is unset. */
nfl_status nfl__filter_add_node(nfl_filter *filter, uint32_t op, uint32_t child, uint32_t *out,
                                nfl_error *err);

/* A leaf on a field and its node. `leaf` has test, mask, range_at, range_count, word_at, word_len; the rest is filled in here.
 * unscaled: counters are compared as sent. */
nfl_status nfl__filter_add_leaf(nfl_filter *filter, uint32_t field, const nfl__filter_leaf *leaf,
                                int unscaled, uint32_t *out, nfl_error *err);

/* A leaf that compares two fields of the same kind and its node. orders: NFL__ORDER_* bits. */
nfl_status nfl__filter_add_order(nfl_filter *filter, uint32_t field, uint8_t orders, uint32_t other, int unscaled,
                                 uint32_t *out, nfl_error *err);

/* A range behind the others. */
nfl_status nfl__filter_add_range(nfl_filter *filter, const nfl__range *range, nfl_error *err);

#endif

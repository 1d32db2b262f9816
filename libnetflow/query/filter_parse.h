/* Filter text to tree: hand-written recursive descent over the grammar of docs/reference/filter.md. */
#ifndef NFL_QUERY_FILTER_PARSE_H
#define NFL_QUERY_FILTER_PARSE_H

#include "query/filter_tree.h"

/* Parse `text` into the filter's arrays; *root is the node of the whole. Recursion is bounded. */
nfl_status nfl__filter_parse(nfl_filter *filter, const char *text, const nfl_filter_opts *opts, int unscaled,
                             uint32_t *root, nfl_error *err);

#endif

/* Named lists: `src in @bad`. The caller of the library gives their text, one value a line. */
#ifndef NFL_QUERY_FILTER_LIST_H
#define NFL_QUERY_FILTER_LIST_H

#include "query/filter_tree.h"
#include "query/filter_value.h"

/* The values of the list called as the token says become ranges of the filter; none if it is empty. NFL_E_SYNTAX for a line
 * that is no value (the message names list and line, the offset is that of the list's name) and where opts know no
 * lists; NFL_E_LIMIT, NFL_E_NOMEM; and what the caller's function returned. */
nfl_status nfl__filter_add_list(nfl_filter *filter, const nfl_filter_opts *opts, const nfl__literal_type *type,
                                const nfl__token *name, nfl_error *err);

#endif

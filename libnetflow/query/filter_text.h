/* Search for text: `text "10.1. https"` finds flows that show 10.1. in one place and https in another. */
#ifndef NFL_QUERY_FILTER_TEXT_H
#define NFL_QUERY_FILTER_TEXT_H

#include "query/filter_lex.h"
#include "query/filter_tree.h"

/* A leaf per searched field for each word of the token (words are separated by spaces), joined: every word, in some
 * field. NFL_E_SYNTAX if there is no word, NFL_E_LIMIT, NFL_E_NOMEM. */
nfl_status nfl__filter_add_text(nfl_filter *filter, const nfl__token *token, uint32_t *out, nfl_error *err);

#endif

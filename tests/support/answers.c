#include "answers.h"

#include <string.h>

static int answers_same_row(nfl_cursor *a, nfl_cursor *b)
{
    for (uint32_t i = 0; i < nfl_cursor_columns(a); i++) {
        nfl_value x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
        nfl_cursor_get(a, i, &x);
        nfl_cursor_get(b, i, &y);
        if (x.type != y.type || x.present != y.present || x.u64 != y.u64 || memcmp(&x.ip, &y.ip, sizeof x.ip) != 0)
            return 0;
    }
    return 1;
}

int test_same_answers(nfl_cursor *a, nfl_cursor *b)
{
    nfl_status status;
    if (nfl_cursor_columns(a) != nfl_cursor_columns(b))
        return 0;
    while ((status = nfl_cursor_next(a, NULL)) == nfl_cursor_next(b, NULL) && status == NFL_OK)
        if (!answers_same_row(a, b))
            return 0;
    return status == NFL_DONE && nfl_cursor_next(b, NULL) == NFL_DONE;
}

int test_same_totals(const nfl_cursor *a, const nfl_cursor *b)
{
    nfl_query_stats x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
    nfl_cursor_get_stats(a, &x);
    nfl_cursor_get_stats(b, &y);
    return x.rows_matched == y.rows_matched && x.bytes == y.bytes && x.packets == y.packets && x.flows == y.flows &&
           x.groups == y.groups;
}

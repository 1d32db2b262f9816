#include "answers.h"

#include "query/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

nfl_store *test_store_of(const nfl_flow *flows, size_t count)
{
    nfl_store *store = NULL;
    if (nfl_store_new("mem:", NULL, &store, NULL) != NFL_OK || nfl_store_append(store, flows, count, sizeof *flows, NULL) != NFL_OK)
        abort();
    return store;
}

nfl_status test_count_rows(const nfl_alloc *alloc, const nfl_flow *flows, size_t count, const nfl_query *query, uint64_t *rows)
{
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    *rows = 0;
    nfl_status status = nfl_store_new("mem:", &opts, &store, NULL);
    if (status == NFL_OK)
        status = nfl_store_append(store, flows, count, sizeof *flows, NULL);
    if (status == NFL_OK)
        status = nfl_store_query(store, query, &cursor, NULL);
    while (status == NFL_OK && nfl_cursor_next(cursor, NULL) == NFL_OK)
        ++*rows;
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    return status;
}

static nfl_cursor *answers_or_end(nfl_status status, nfl_cursor *cursor, const nfl_error *err)
{
    if (status == NFL_OK)
        return cursor;
    printf("\n    %s\n", err->message);
    abort();
}

nfl_cursor *test_ask(nfl_store *store, const nfl_query *query)
{
    nfl_cursor *cursor = NULL;
    nfl_error err;
    nfl_status status = nfl_store_query(store, query, &cursor, &err);
    return answers_or_end(status, cursor, &err);
}

nfl_cursor *test_ask_columns(test_columns *columns, const nfl_query *query)
{
    nfl_cursor *cursor = NULL;
    nfl_error err;
    nfl_status status = nfl__query_run(query, NULL, &columns->scannable, &cursor, &err);
    return answers_or_end(status, cursor, &err);
}

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

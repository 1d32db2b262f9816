/* Any text is a filter or an error whose column lies in it; what follows its NUL is the list behind every @name. A filter gives the same answer for a flow as a row
 * and as columns, and never excludes by zones a block with a match. */
#include "column_source.h"
#include "query/filter_plan.h"

#include <netflow/filter.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOWS = 70 };

static void check(int condition)
{
    if (!condition)
        abort();
}

static void compare(const nfl_filter *filter, const nfl_flow *flows, uint64_t seed)
{
    uint64_t selected[NFL__BATCH_ROWS / 64];
    nfl__filter_scratch *scratch = NULL;
    nfl__source *source = NULL;
    test_columns columns;
    uint32_t count = 0, matches = 0;
    uint64_t found = 0;
    test_columns_init(&columns, flows, FLOWS, FLOWS, seed);
    check(columns.scannable.open(&columns, filter, nfl__filter_fields(filter), &source, NULL) == NFL_OK);
    check(nfl__filter_scratch_new(filter, NULL, &scratch, NULL) == NFL_OK);
    for (; nfl__source_next(source, NULL) == NFL_OK; found += count) {
        check(nfl__filter_select(filter, scratch, source, selected, &count, NULL) == NFL_OK);
        for (uint32_t i = 0; i < source->batch.rows; i++)
            check(nfl__bit_get(selected, i) == nfl_filter_match(filter, &columns.block[i]));
    }
    for (size_t i = 0; i < FLOWS; i++)
        matches += (uint32_t)nfl_filter_match(filter, &flows[i]);
    check(found == matches);
    nfl__filter_scratch_free(scratch);
    source->ops->free(source);
}

typedef struct named_list {
    const char *text;
    size_t len;
} named_list;

static nfl_status give_list(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err)
{
    named_list *list = ctx;
    (void)name;
    (void)err;
    *text = list->text;
    *len = list->len;
    return NFL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    named_list list = {NULL, 0};
    NFL_OPTS(nfl_filter_opts, opts, .now_us = INT64_C(1795440000000000), .list = give_list, .list_ctx = &list);
    nfl_flow flows[FLOWS];
    test_random random = {size};
    nfl_filter *filter = NULL;
    nfl_error err = {0};
    char *text = malloc(size + 1);
    check(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    if (strlen(text) < size) {
        list.len = size - strlen(text) - 1;
        list.text = test_exact(data + size - list.len, list.len);
    }
    for (size_t i = 0; i < FLOWS; i++)
        test_flow(&random, &flows[i]);
    nfl_status status = nfl_filter_new(text, &opts, &filter, &err);
    check((status == NFL_OK) == (filter != NULL));
    check(status == NFL_OK || status == NFL_E_SYNTAX || status == NFL_E_LIMIT);
    check(status != NFL_E_SYNTAX || (err.offset <= strlen(text) && err.message[0]));
    if (filter)
        compare(filter, flows, size);
    nfl_filter_free(filter);
    free((void *)(uintptr_t)list.text);
    free(text);
    return 0;
}

#include <netflow/filter.h>

#include "base/error.h"
#include "base/opts.h"
#include "query/filter_build.h"
#include "query/filter_parse.h"

#include <netflow/query.h>

#define FILTER_MAX_PARTS 4096u
#define FILTER_MAX_VALUES 65536u

static void filter_free_arrays(nfl_filter *filter)
{
    nfl__delete(&filter->memory, filter->nodes, filter->node_capacity, sizeof *filter->nodes);
    nfl__delete(&filter->memory, filter->leaves, filter->leaf_capacity, sizeof *filter->leaves);
    nfl__delete(&filter->memory, filter->ranges, filter->range_capacity, sizeof *filter->ranges);
    nfl__delete(&filter->memory, filter->words, filter->word_capacity, 1);
}

void nfl_filter_free(nfl_filter *filter)
{
    if (!filter)
        return;
    filter_free_arrays(filter);
    nfl__memory memory = filter->memory;
    nfl__delete(&memory, filter, 1, sizeof *filter);
}

/* field >= from_us and < to_us; 0 = open. */
static nfl_status filter_add_times(nfl_filter *filter, uint32_t field, nfl_usec from_us, nfl_usec to_us, uint32_t *node,
                                   nfl_error *err)
{
    nfl__range times = {nfl__key_time(from_us ? from_us : INT64_MIN), nfl__key_time(to_us ? to_us - 1 : INT64_MAX)};
    nfl__filter_leaf leaf = {0};
    leaf.test = NFL__TEST_RANGES;
    leaf.range_at = (uint32_t)filter->range_count;
    leaf.range_count = nfl__key_compare(times.first, times.last) <= 0;
    filter->max_nodes += 4; /* ours, not the caller's */
    filter->max_values += 1;
    NFL_TRY(nfl__filter_add_range(filter, &times, err));
    return nfl__filter_add_leaf(filter, field, &leaf, 1, node, err);
}

/* Flows that overlap the window: (first >= from or last >= from) and first < to. */
static nfl_status filter_add_overlap(nfl_filter *filter, nfl_usec from_us, nfl_usec to_us, uint32_t *node, nfl_error *err)
{
    uint32_t starts, ends, before;
    NFL_TRY(filter_add_times(filter, NFL_FIELD_FIRST, 0, to_us, &before, err));
    *node = before;
    if (!from_us)
        return NFL_OK;
    NFL_TRY(filter_add_times(filter, NFL_FIELD_FIRST, from_us, 0, &starts, err));
    NFL_TRY(filter_add_times(filter, NFL_FIELD_LAST, from_us, 0, &ends, err));
    filter->nodes[starts].sibling = ends;
    NFL_TRY(nfl__filter_add_node(filter, NFL__NODE_OR, starts, node, err));
    filter->nodes[*node].sibling = before;
    return nfl__filter_add_node(filter, NFL__NODE_AND, *node, node, err);
}

/* Put the window before the tree. */
static nfl_status filter_add_window(nfl_filter *filter, nfl_usec from_us, nfl_usec to_us, int overlap, nfl_error *err)
{
    uint32_t node;
    filter->from_us = overlap ? 0 : from_us; /* flows that start before may overlap */
    filter->to_us = to_us;
    if (from_us == 0 && to_us == 0)
        return NFL_OK;
    filter->max_nodes += 4;
    NFL_TRY(overlap ? filter_add_overlap(filter, from_us, to_us, &node, err)
                    : filter_add_times(filter, NFL_FIELD_FIRST, from_us, to_us, &node, err));
    if (filter->nodes[filter->root].op == NFL__NODE_ANY) {
        filter->root = node;
        return NFL_OK;
    }
    filter->nodes[node].sibling = filter->root;
    return nfl__filter_add_node(filter, NFL__NODE_AND, node, &filter->root, err);
}

static uint32_t filter_depth(const nfl_filter *filter, uint32_t at)
{
    const nfl__filter_node *node = &filter->nodes[at];
    uint32_t deepest = 0;
    if (node->op == NFL__NODE_ANY || node->op == NFL__NODE_LEAF)
        return 1;
    for (uint32_t child = node->child; child != NFL__FILTER_NONE; child = filter->nodes[child].sibling) {
        uint32_t depth = filter_depth(filter, child);
        if (depth > deepest)
            deepest = depth;
    }
    return deepest + 1;
}

nfl_status nfl__filter_new_window(const char *text, const nfl_filter_opts *opts, nfl_usec from_us,
                                  nfl_usec to_us, uint32_t flags, nfl_filter **out, nfl_error *err)
{
    nfl_filter_opts options;
    NFL_TRY(nfl__opts_read(&options, sizeof options, opts, err));
    nfl__memory memory;
    nfl__memory_init(&memory, options.alloc, 0);
    nfl_filter *filter = nfl__new(&memory, 1, sizeof *filter);
    if (!filter)
        return nfl__fail_nomem(err, sizeof *filter);
    filter->memory = memory;
    filter->max_nodes = options.max_nodes ? options.max_nodes : FILTER_MAX_PARTS;
    filter->max_values = options.max_values ? options.max_values : FILTER_MAX_VALUES;
    nfl_status status =
        nfl__filter_parse(filter, text ? text : "", &options, (flags & NFL_QUERY_UNSCALED) != 0, &filter->root, err);
    if (status == NFL_OK) {
        filter->only_window = filter->nodes[filter->root].op == NFL__NODE_ANY;
        status = filter_add_window(filter, from_us, to_us, (flags & NFL_QUERY_SPREAD) != 0, err);
    }
    if (status != NFL_OK) {
        nfl_filter_free(filter);
        return status;
    }
    filter->depth = filter_depth(filter, filter->root);
    nfl__assert(filter->depth <= NFL__FILTER_MAX_DEPTH);
    *out = filter;
    return NFL_OK;
}

nfl_status nfl_filter_new(const char *text, const nfl_filter_opts *opts, nfl_filter **out, nfl_error *err)
{
    return nfl__filter_new_window(text, opts, 0, 0, 0, out, err);
}

uint64_t nfl__filter_fields(const nfl_filter *filter)
{
    return filter->reads;
}

void nfl__filter_window(const nfl_filter *filter, nfl_usec *from_us, nfl_usec *to_us)
{
    *from_us = filter->from_us ? filter->from_us : INT64_MIN;
    *to_us = filter->to_us ? filter->to_us : INT64_MAX;
}

int nfl__filter_is_window(const nfl_filter *filter)
{
    return filter->only_window;
}

int nfl__filter_takes_all(const nfl_filter *filter, nfl_usec first_min, nfl_usec first_max)
{
    return filter->only_window && (!filter->from_us || first_min >= filter->from_us) &&
           (!filter->to_us || first_max < filter->to_us);
}

int nfl__filter_is_any(const nfl_filter *filter)
{
    return filter->nodes[filter->root].op == NFL__NODE_ANY;
}

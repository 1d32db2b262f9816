#include "query/filter_address.h"

#include "base/error.h"
#include "query/filter_tree.h"

static int address_is_leaf(const nfl__filter_leaf *leaf)
{
    return leaf->test == NFL__TEST_RANGES && !leaf->derived && (leaf->field == NFL_FIELD_SRC || leaf->field == NFL_FIELD_DST);
}

int nfl__filter_has_address(const nfl_filter *filter)
{
    for (size_t i = 0; i < filter->leaf_count; i++)
        if (address_is_leaf(&filter->leaves[i]))
            return 1;
    return 0;
}

typedef struct address_walk {
    const nfl_filter *filter;
    nfl__find_address find;
    void *ctx;
    nfl_error *err;
} address_walk;

static nfl_status address_node(const address_walk *walk, uint32_t at, uint64_t *bits)
{
    const nfl__filter_node *node = &walk->filter->nodes[at];
    *bits = UINT64_MAX;
    if (node->op == NFL__NODE_LEAF) {
        const nfl__filter_leaf *leaf = &walk->filter->leaves[node->child];
        if (!address_is_leaf(leaf))
            return NFL_OK;
        return walk->find(walk->ctx, leaf->field, nfl__leaf_ranges(walk->filter, leaf), leaf->range_count, bits, walk->err);
    }
    if (node->op != NFL__NODE_AND && node->op != NFL__NODE_OR) /* an address being there does not exclude others */
        return NFL_OK;
    *bits = node->op == NFL__NODE_AND ? UINT64_MAX : 0;
    for (uint32_t child = node->child; child != NFL__FILTER_NONE; child = walk->filter->nodes[child].sibling) {
        uint64_t inner;
        NFL_TRY(address_node(walk, child, &inner));
        *bits = node->op == NFL__NODE_AND ? *bits & inner : *bits | inner;
    }
    return NFL_OK;
}

nfl_status nfl__filter_address_bits(const nfl_filter *filter, nfl__find_address find, void *ctx, uint64_t *bits, nfl_error *err)
{
    const address_walk walk = {filter, find, ctx, err};
    return address_node(&walk, filter->root, bits);
}

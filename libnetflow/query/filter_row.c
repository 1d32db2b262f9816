/* A filter over one flow. */
#include "base/error.h"
#include "query/derive.h"
#include "query/filter_tree.h"

/* Fields the flow has: `present`, those that are always filled in, none behind the end of a flow written by
 * an older library. */
static int row_has(const nfl_flow *flow, uint32_t field)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    return ((flow->present | NFL__FIELDS_ALWAYS) >> field & 1) &&
           (uint32_t)slot->offset + slot->width <= flow->struct_size;
}

static int row_derive(const nfl__filter_leaf *leaf, const nfl_flow *flow, uint64_t *value)
{
    uint64_t reads = leaf->reads & ~NFL_HAS(NFL_FIELD_SAMPLING);
    nfl__derive_input input = {0, flow->first_us, flow->last_us, flow->bytes, flow->packets};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if ((reads >> field & 1) && row_has(flow, field))
            input.present |= NFL_HAS(field);
    if (leaf->reads & NFL_HAS(NFL_FIELD_SAMPLING)) {
        input.bytes = nfl_flow_scaled(flow, input.bytes);
        input.packets = nfl_flow_scaled(flow, input.packets);
    }
    return nfl__derive(leaf->field, &input, value);
}

/* The value that a leaf looks at; 0 if the flow does not have it. */
static int row_key(const nfl__filter_leaf *leaf, const nfl_flow *flow, nfl__key *key)
{
    uint64_t value;
    if (leaf->derived) {
        if (!row_derive(leaf, flow, &value))
            return 0;
        *key = nfl__key_u64(leaf->type, value);
        return 1;
    }
    if (!row_has(flow, leaf->field))
        return 0;
    if (leaf->scaled)
        *key = nfl__key_number(nfl_flow_scaled(flow, nfl__flow_u64(flow, leaf->field)));
    else
        *key = nfl__key_at(leaf->type, nfl__flow_at(flow, leaf->field), leaf->width);
    return 1;
}

static int row_leaf(const nfl_filter *filter, const nfl__filter_leaf *leaf, const nfl_flow *flow)
{
    nfl__key key, other;
    if (!row_key(leaf, flow, &key))
        return 0;
    if (leaf->test == NFL__TEST_FIELD)
        return row_key(&filter->leaves[leaf->other], flow, &other) && nfl__leaf_test_order(leaf, key, other);
    return nfl__leaf_test(filter, leaf, key);
}

static int row_node(const nfl_filter *filter, uint32_t at, const nfl_flow *flow)
{
    const nfl__filter_node *node = &filter->nodes[at];
    int stop = node->op == NFL__NODE_OR; /* the outcome of a child that decides */
    switch (node->op) {
    case NFL__NODE_ANY:
        return 1;
    case NFL__NODE_LEAF:
        return row_leaf(filter, &filter->leaves[node->child], flow);
    case NFL__NODE_NOT:
        return !row_node(filter, node->child, flow);
    default:
        for (uint32_t child = node->child; child != NFL__FILTER_NONE; child = filter->nodes[child].sibling)
            if (row_node(filter, child, flow) == stop)
                return stop;
        return !stop;
    }
}

int nfl_filter_match(const nfl_filter *filter, const nfl_flow *flow)
{
    return row_node(filter, filter->root, flow);
}

#include "query/filter_build.h"

#include "base/error.h"
#include "query/derive.h"
#include "record/fields.h"

static nfl_status build_grow(nfl_filter *filter, void **array, size_t *capacity, size_t count, size_t size,
                             nfl_error *err)
{
    return nfl__grow(&filter->memory, array, capacity, count + 1, size) ? NFL_OK : nfl__fail_nomem(err, size);
}

static nfl_status build_check_parts(const nfl_filter *filter, nfl_error *err)
{
    if (filter->node_count + filter->leaf_count < filter->max_nodes)
        return NFL_OK;
    return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "filter has more than %u operators and comparisons", filter->max_nodes);
}

nfl_status nfl__filter_add_node(nfl_filter *filter, uint32_t op, uint32_t child, uint32_t *out,
                                nfl_error *err)
{
    NFL_TRY(build_check_parts(filter, err));
    NFL_TRY(build_grow(filter, (void **)&filter->nodes, &filter->node_capacity, filter->node_count,
                       sizeof *filter->nodes, err));
    nfl__filter_node node = {op, child, NFL__FILTER_NONE};
    filter->nodes[filter->node_count] = node;
    *out = (uint32_t)filter->node_count++;
    return NFL_OK;
}

static nfl_status build_add_leaf(nfl_filter *filter, uint32_t field, const nfl__filter_leaf *leaf,
                                 int unscaled, uint32_t *out, nfl_error *err)
{
    const nfl_field_info *row = nfl__field_row(field);
    NFL_TRY(build_check_parts(filter, err));
    NFL_TRY(build_grow(filter, (void **)&filter->leaves, &filter->leaf_capacity, filter->leaf_count,
                       sizeof *filter->leaves, err));
    nfl__filter_leaf made = *leaf;
    made.field = (uint8_t)field;
    made.type = row->type;
    made.width = (uint8_t)row->width;
    made.offset = row->offset;
    made.derived = row->derived;
    made.reads = row->derived ? nfl__derive_reads(field) : NFL_HAS(field);
    made.scaled = !unscaled && !row->derived && (NFL__SCALED_FIELDS & NFL_HAS(field)) != 0;
    /* Of bytes per packet the rate cancels out. */
    if (!unscaled && (made.reads & NFL__SCALED_FIELDS) && field != NFL_FIELD_BPP)
        made.reads |= NFL_HAS(NFL_FIELD_SAMPLING);
    filter->leaves[filter->leaf_count] = made;
    filter->reads |= made.reads;
    if (made.range_count > filter->max_ranges)
        filter->max_ranges = made.range_count;
    *out = (uint32_t)filter->leaf_count++;
    return NFL_OK;
}

nfl_status nfl__filter_add_leaf(nfl_filter *filter, uint32_t field, const nfl__filter_leaf *leaf,
                                int unscaled, uint32_t *out, nfl_error *err)
{
    uint32_t made;
    NFL_TRY(build_add_leaf(filter, field, leaf, unscaled, &made, err));
    return nfl__filter_add_node(filter, NFL__NODE_LEAF, made, out, err);
}

nfl_status nfl__filter_add_order(nfl_filter *filter, uint32_t field, uint8_t orders, uint32_t other, int unscaled,
                                 uint32_t *out, nfl_error *err)
{
    nfl__filter_leaf value = {0}, leaf = {0};
    value.test = NFL__TEST_EXISTS;
    leaf.test = NFL__TEST_FIELD;
    leaf.orders = orders;
    NFL_TRY(build_add_leaf(filter, other, &value, unscaled, &leaf.other, err));
    return nfl__filter_add_leaf(filter, field, &leaf, unscaled, out, err);
}

nfl_status nfl__filter_add_range(nfl_filter *filter, const nfl__range *range, nfl_error *err)
{
    if (filter->range_count >= filter->max_values)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "filter has more than %u values", filter->max_values);
    NFL_TRY(build_grow(filter, (void **)&filter->ranges, &filter->range_capacity, filter->range_count,
                       sizeof *filter->ranges, err));
    filter->ranges[filter->range_count++] = *range;
    return NFL_OK;
}

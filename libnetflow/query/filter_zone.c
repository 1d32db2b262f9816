/* A filter over the summaries of a block: may any row match?
 *
 * Each node answers two questions, may it be true for some row, may it be false for some row. Both may be
 * yes without need (then a block is read in vain), never no without proof. `not` swaps the answers. */
#include "query/filter_tree.h"
#include "record/fields.h"

typedef struct zone_answer {
    int may_be_true, may_be_false;
} zone_answer;

static const zone_answer zone_unsure = {1, 1};

static nfl__key zone_key(uint8_t type, uint64_t number, const nfl_ip *ip)
{
    return type == NFL_TYPE_IP ? nfl__key_ip(ip) : nfl__key_u64(type, number);
}

/* Counters are compared after scaling; so are their bounds. */
static void zone_scale(const nfl__zone *sampling, nfl__key *first, nfl__key *last)
{
    if (sampling->known && sampling->all_null)
        return;
    uint64_t low = sampling->known && !sampling->has_null ? sampling->min : 1;
    uint64_t high = sampling->known ? sampling->max : UINT32_MAX;
    first->low = nfl__mul_saturated(first->low, low ? low : 1);
    last->low = nfl__mul_saturated(last->low, high ? high : 1);
}

static zone_answer zone_ranges(const nfl_filter *filter, const nfl__filter_leaf *leaf, const nfl__zone *zones)
{
    const nfl__zone *zone = &zones[leaf->field];
    const nfl__range *ranges = nfl__leaf_ranges(filter, leaf);
    nfl__key first = zone_key(leaf->type, zone->min, &zone->min_ip);
    nfl__key last = zone_key(leaf->type, zone->max, &zone->max_ip);
    if (leaf->scaled)
        zone_scale(&zones[NFL_FIELD_SAMPLING], &first, &last);
    zone_answer answer = {nfl__ranges_overlap(ranges, leaf->range_count, first, last),
                          zone->has_null || !nfl__ranges_cover(ranges, leaf->range_count, first, last)};
    return answer;
}

static int zone_is_absent(const nfl__filter_leaf *leaf, const nfl__zone *zones)
{
    return !leaf->derived && zones[leaf->field].known && zones[leaf->field].all_null;
}

static zone_answer zone_leaf(const nfl_filter *filter, const nfl__filter_leaf *leaf, const nfl__zone *zones)
{
    static const zone_answer no = {0, 1};
    if (leaf->test == NFL__TEST_FIELD)
        return zone_is_absent(leaf, zones) || zone_is_absent(&filter->leaves[leaf->other], zones) ? no : zone_unsure;
    if (leaf->derived)
        return zone_unsure;
    const nfl__zone *zone = &zones[leaf->field];
    zone_answer answer = {1, zone->has_null};
    if (!zone->known)
        return zone_unsure;
    if (zone->all_null)
        return no;
    if (leaf->test == NFL__TEST_EXISTS)
        return answer;
    if (leaf->test == NFL__TEST_RANGES)
        return zone_ranges(filter, leaf, zones);
    if (leaf->test == NFL__TEST_TEXT || zone->min != zone->max) /* the extremes tell nothing about letters or bits between */
        return zone_unsure;
    answer.may_be_true = (zone->min & leaf->mask) == leaf->mask;
    answer.may_be_false = zone->has_null || !answer.may_be_true;
    return answer;
}

static zone_answer zone_node(const nfl_filter *filter, uint32_t at, const nfl__zone *zones)
{
    const nfl__filter_node *node = &filter->nodes[at];
    if (node->op == NFL__NODE_LEAF)
        return zone_leaf(filter, &filter->leaves[node->child], zones);
    if (node->op == NFL__NODE_NOT) {
        zone_answer inner = zone_node(filter, node->child, zones),
                    turned = {inner.may_be_false, inner.may_be_true};
        return turned;
    }
    zone_answer answer = {node->op != NFL__NODE_OR,
                          node->op == NFL__NODE_OR}; /* ANY is an `and` of nothing */
    if (node->op == NFL__NODE_ANY)
        return answer;
    for (uint32_t child = node->child; child != NFL__FILTER_NONE; child = filter->nodes[child].sibling) {
        zone_answer inner = zone_node(filter, child, zones);
        if (node->op == NFL__NODE_AND) {
            answer.may_be_true &= inner.may_be_true;
            answer.may_be_false |= inner.may_be_false;
        } else {
            answer.may_be_true |= inner.may_be_true;
            answer.may_be_false &= inner.may_be_false;
        }
    }
    return answer;
}

int nfl__filter_may_match(const nfl_filter *filter, const nfl__zone zones[NFL_FIELD_STORED_COUNT])
{
    return zone_node(filter, filter->root, zones).may_be_true;
}

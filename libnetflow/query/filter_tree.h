/* A compiled filter: a tree of and/or/not over comparisons.
 *
 *   src net 10/8 and not port in (53, 80)
 *
 *   nodes    AND --child--> LEAF 0 --sibling--> NOT --child--> OR --child--> LEAF 1 --sibling--> LEAF 2
 *   leaves   0: src in ranges[0..1)   1: src_port in ranges[1..3)   2: dst_port in ranges[1..3)
 *   ranges   [10.0.0.0, 10.255.255.255] [53, 53] [80, 80]
 *
 * A comparison of two fields (src_port = dst_port) is a leaf on the first, which names a second leaf without node
 * that tells where the other value comes from.
 *
 * A search for text is a leaf per field searched, joined by or; the value is written as tables show it.
 *
 * Invariants: the ranges of a leaf are normalized (ranges.h) and lie within the field's type; the depth of
 * the tree is at most NFL__FILTER_MAX_DEPTH, so walks may recurse; nothing changes after compilation.
 *
 * The same tree is run over one row (filter_row.c), over columns (filter_select.c) and over the summaries
 * of a block (filter_zone.c). Cost: a row, a binary search per comparison reached; a column, one compare or
 * table look-up a row; a dictionary column, one test per distinct value.
 */
#ifndef NFL_QUERY_FILTER_TREE_H
#define NFL_QUERY_FILTER_TREE_H

#include "base/alloc.h"
#include "query/filter_plan.h"
#include "query/ranges.h"

#define NFL__FILTER_MAX_DEPTH 100u
#define NFL__FILTER_NONE UINT32_MAX

enum { NFL__NODE_ANY = 0, NFL__NODE_LEAF = 1, NFL__NODE_NOT = 2, NFL__NODE_AND = 3, NFL__NODE_OR = 4 };

typedef struct nfl__filter_node {
    uint32_t op;      /* NFL__NODE_* */
    uint32_t child;   /* AND, OR, NOT: first child; LEAF: index of the leaf */
    uint32_t sibling; /* next child of the same parent, or NFL__FILTER_NONE */
} nfl__filter_node;

enum { NFL__TEST_RANGES = 0, NFL__TEST_MASK = 1, NFL__TEST_EXISTS = 2, NFL__TEST_FIELD = 3, NFL__TEST_TEXT = 4 };

/* TEST_FIELD: the outcomes of nfl__key_compare() that match. */
enum { NFL__ORDER_LESS = 1, NFL__ORDER_EQUAL = 2, NFL__ORDER_GREATER = 4 };

typedef struct nfl__filter_leaf {
    uint64_t reads; /* stored fields looked at, NFL_HAS() bits; `sampling` among them: counters are scaled */
    uint64_t mask;  /* TEST_MASK: bits that must all be set */
    uint32_t range_at;    /* TEST_RANGES: first range */
    uint32_t range_count; /* 0: never true */
    uint32_t other;       /* TEST_FIELD: index of the leaf that stands for the other field */
    uint32_t offset;      /* in nfl_flow; 0 for derived fields */
    uint32_t word_at;     /* TEST_TEXT: first character in `words` */
    uint32_t word_len;    /* at least 1 */
    uint8_t field;        /* NFL_FIELD_* */
    uint8_t type;         /* NFL_TYPE_* */
    uint8_t width;        /* bytes of a value */
    uint8_t test;         /* NFL__TEST_* */
    uint8_t scaled;       /* multiply with sampling before the test */
    uint8_t derived;      /* computed from the fields in `reads` */
    uint8_t orders;       /* TEST_FIELD: NFL__ORDER_* bits */
    uint8_t reserved[5];
} nfl__filter_leaf;

struct nfl_filter {
    nfl__memory memory;
    nfl__filter_node *nodes;
    size_t node_count, node_capacity;
    nfl__filter_leaf *leaves;
    size_t leaf_count, leaf_capacity;
    nfl__range *ranges;
    size_t range_count, range_capacity;
    char *words; /* searched for by `text`, in lower case, one behind the other */
    size_t word_count, word_capacity; /* characters */
    nfl_usec from_us, to_us; /* window; 0 = open */
    uint64_t reads;          /* union over the leaves */
    uint32_t root;           /* index of a node */
    uint32_t depth;          /* nodes on the longest way from the root */
    uint32_t max_ranges;     /* of one leaf */
    uint32_t max_nodes;      /* limit on nodes and leaves together */
    uint32_t max_values;     /* limit on ranges */
    uint32_t listed;         /* of these, out of named lists */
    int only_window;         /* all flows of the window match */
};

static inline const nfl__range *nfl__leaf_ranges(const nfl_filter *filter, const nfl__filter_leaf *leaf)
{
    return leaf->range_count ? filter->ranges + leaf->range_at : NULL;
}

/* Two values' keys against a leaf that compares fields. */
static inline int nfl__leaf_test_order(const nfl__filter_leaf *leaf, nfl__key key, nfl__key other)
{
    return leaf->orders >> (nfl__key_compare(key, other) + 1) & 1;
}

/* filter_text.c: does the value's text have the leaf's word in it? */
int nfl__leaf_test_text(const nfl_filter *filter, const nfl__filter_leaf *leaf, nfl__key key);

/* A value's key against a leaf other than those that compare fields. Addresses are tested by ranges and text only. */
static inline int nfl__leaf_test(const nfl_filter *filter, const nfl__filter_leaf *leaf, nfl__key key)
{
    if (leaf->test == NFL__TEST_RANGES)
        return nfl__ranges_contain(nfl__leaf_ranges(filter, leaf), leaf->range_count, key);
    if (leaf->test == NFL__TEST_TEXT)
        return nfl__leaf_test_text(filter, leaf, key);
    return leaf->test == NFL__TEST_EXISTS || (key.low & leaf->mask) == leaf->mask;
}

#endif

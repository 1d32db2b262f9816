/* Grouping: rows of a scan to groups and their sums.
 *
 * Where the keys of a block can be numbered (pack.h), rows are added to an array by that number, small enough for the
 * caches, and only its sums go to the table of groups: once a block, or once a query when the numbers stay the same.
 * Elsewhere every row looks up its group.
 *
 * Cost per row: one add a measure, by number; else also packing the key, a hash and a probe.
 */
#ifndef NFL_QUERY_GROUP_H
#define NFL_QUERY_GROUP_H

#include "query/measure.h"
#include "query/pack.h"
#include "query/table.h"

#define NFL__GROUP_DENSE 70000u /* most combinations of key values that are numbered */

typedef struct nfl__groups {
    nfl__memory *memory;
    const nfl__plan *plan;
    nfl__table table;
    nfl__packing packing;
    nfl__coding by_value; /* if there is one */
    nfl__coding coding;   /* of what is in `dense` */
    uint64_t *dense;      /* measures of each combination; the bit NFL__GROUP_USED of `seen` marks those in use */
    size_t dense_words;
    uint64_t dense_rows;   /* added since they went to the table */
    uint64_t dense_bucket; /* the one they are for, as a key */
    uint8_t numbered;      /* the block's rows can go to `dense` */
    uint8_t bounded;       /* what is in `dense` is far from overflow */
    uint8_t reserved[6];
    uint64_t *buckets; /* bucket of each row, as a key */
    uint8_t *keys;     /* NFL__SCAN_ROWS packed keys */
    uint64_t *hashes;
    struct nfl__spread *spread; /* if flows are spread over buckets */
    struct nfl__estimates *estimates; /* if there is a distinct() by estimate */
    nfl__targets *targets;
} nfl__groups;

#define NFL__GROUP_USED (UINT64_C(1) << 62)

/* addresses: of narrow keys; they outlive the groups. */
nfl_status nfl__groups_init(nfl__groups *groups, const nfl__plan *plan, nfl__addresses *addresses, nfl__memory *memory,
                            nfl_error *err);
void nfl__groups_done(nfl__groups *groups);

/* Call for each block, before its rows. NFL_E_LIMIT for a narrow plan: there are too many addresses to number. */
nfl_status nfl__groups_block(nfl__groups *groups, const nfl__scan *scan, nfl_error *err);

/* Add the scan's current rows. */
nfl_status nfl__groups_add(nfl__groups *groups, nfl__scan *scan, nfl_error *err);

/* Call behind the rows of each block: what depends on its dictionaries goes to the table. last: of the source; all of
 * it goes. */
nfl_status nfl__groups_flush(nfl__groups *groups, const nfl__scan *scan, int last, nfl_error *err);

#endif

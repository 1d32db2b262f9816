/* The measures of groups: what flows, and other groups, add to them.
 *
 * Rows of measures are the beginning of a group (layout: plan.h): | measure 0 | measure 1 ... | seen |. */
#ifndef NFL_QUERY_MEASURE_H
#define NFL_QUERY_MEASURE_H

#include "query/plan.h"
#include "query/scan.h"

/* So many numbers below 2^40 cannot overflow. */
#define NFL__MEASURE_BITS 40u
#define NFL__MEASURE_ROWS (UINT64_C(1) << 23)

/* Where rows of a scan go: row index[i] of the scan's current rows to target[i]. */
typedef struct nfl__targets {
    uint64_t *target[NFL__SCAN_ROWS];
    uint16_t index[NFL__SCAN_ROWS];
    uint32_t count;
    uint64_t mark;   /* bits to set in `seen` besides those of the measures */
    uint8_t bounded; /* few rows went there so far, and only of small numbers: sums need no look for overflow */
} nfl__targets;

/* Measures of no flow. */
static inline void nfl__measures_clear(const nfl__plan *plan, uint64_t *group)
{
    for (uint32_t i = 0; i <= plan->seen_word; i++)
        group[i] = 0;
    for (uint32_t i = 0; !plan->sums_only && i < plan->measure_count; i++)
        if (plan->measures[i].how == NFL__MEASURE_MIN)
            group[plan->measures[i].word] = UINT64_MAX;
}

/* Add the scan's rows to their targets. */
void nfl__measures_add(const nfl__plan *plan, nfl__scan *scan, const nfl__targets *targets);

/* Add a value to one measure of a group: a number, with the sign bit of times flipped, or the address at `at`. */
void nfl__measure_add_one(const nfl__plan *plan, uint32_t index, uint64_t *group, uint64_t value, const void *at);

/* Add one group's measures, of any kind, to another's. */
void nfl__measures_merge_any(const nfl__plan *plan, uint64_t *group, const uint64_t *other);

static inline void nfl__measures_merge(const nfl__plan *plan, uint64_t *group, const uint64_t *other)
{
    group[plan->seen_word] |= other[plan->seen_word];
    if (!plan->sums_only) {
        nfl__measures_merge_any(plan, group, other);
        return;
    }
    for (uint32_t i = 0; i < plan->seen_word; i++)
        group[i] = nfl__add_saturated(group[i], other[i]);
}

#endif

#include "query/measure.h"

/* --- Any measure ---- */

static inline void measure_apply(uint64_t *word, uint32_t how, uint64_t value)
{
    switch (how) {
    case NFL__MEASURE_SUM:
        *word = nfl__add_saturated(*word, value);
        break;
    case NFL__MEASURE_MIN:
        *word = value < *word ? value : *word;
        break;
    case NFL__MEASURE_MAX:
        *word = value > *word ? value : *word;
        break;
    default:
        *word |= value;
    }
}

/* One value to each target's word; inlined with a constant `how`. */
static inline void measure_apply_each(const nfl__targets *targets, uint32_t word, uint32_t how, const uint64_t *values)
{
    for (uint32_t i = 0; i < targets->count; i++)
        measure_apply(targets->target[i] + word, how, values[targets->index[i]]);
}

static void measure_apply_all(const nfl__targets *targets, const nfl__measure *measure, const uint64_t *values)
{
    switch (measure->how) {
    case NFL__MEASURE_SUM:
        measure_apply_each(targets, measure->word, NFL__MEASURE_SUM, values);
        break;
    case NFL__MEASURE_MIN:
        measure_apply_each(targets, measure->word, NFL__MEASURE_MIN, values);
        break;
    case NFL__MEASURE_MAX:
        measure_apply_each(targets, measure->word, NFL__MEASURE_MAX, values);
        break;
    default:
        measure_apply_each(targets, measure->word, NFL__MEASURE_UNION, values);
    }
}

static void measure_apply_address(uint64_t *words, nfl__key value)
{
    nfl__key known = {words[0], words[1]};
    if (nfl__key_compare(value, known) > 0) {
        words[0] = value.high;
        words[1] = value.low;
    }
}

void nfl__measure_add_one(const nfl__plan *plan, uint32_t index, uint64_t *group, uint64_t value, const void *at)
{
    const nfl__measure *measure = &plan->measures[index];
    group[plan->seen_word] |= UINT64_C(1) << index;
    if (measure->type == NFL_TYPE_IP)
        measure_apply_address(group + measure->word, nfl__key_ip(at));
    else
        measure_apply(group + measure->word, measure->how, value);
}

/* A measure that is not a plain number of every row: row by row. */
static void measure_add_by_row(const nfl__plan *plan, const nfl__scan *scan, const nfl__targets *targets, uint32_t index,
                               const uint64_t *values)
{
    const nfl__measure *measure = &plan->measures[index];
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    for (uint32_t i = 0; i < targets->count; i++) {
        uint64_t *group = targets->target[i];
        uint32_t at = targets->index[i], row = scan->rows[at];
        if (!nfl__column_has(column, row))
            continue;
        nfl__measure_add_one(plan, index, group, values ? values[at] : 0, nfl__column_at(column, row));
    }
}

/* Returns the bit to set in `seen` of all targets. */
static uint64_t measure_add(const nfl__plan *plan, nfl__scan *scan, const nfl__targets *targets, uint32_t index)
{
    const nfl__measure *measure = &plan->measures[index];
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    const uint64_t *values = NULL;
    if (column->form == NFL__COLUMN_NULL)
        return 0;
    if (measure->type != NFL_TYPE_IP)
        values = nfl__scan_numbers(scan, measure->field, scan->values);
    if (measure->type == NFL_TYPE_TIME) {
        for (uint32_t i = 0; i < scan->count; i++)
            scan->values[i] = values[i] ^ NFL__KEY_SIGN;
        values = scan->values;
    }
    if (column->valid || measure->type == NFL_TYPE_IP) {
        measure_add_by_row(plan, scan, targets, index, values);
        return 0;
    }
    measure_apply_all(targets, measure, values);
    return UINT64_C(1) << index;
}

/* --- Sums of bytes, packets and flows in one go ---- */

/* Inlined with constant `count` and `bounded`. */
static inline void measure_sum_rows(const nfl__targets *targets, const uint64_t *const *values, uint32_t count, int bounded,
                                    uint64_t seen)
{
    for (uint32_t i = 0; i < targets->count; i++) {
        uint64_t *group = targets->target[i];
        for (uint32_t k = 0; k < count; k++) {
            uint64_t value = values[k][targets->index[i]];
            group[k] = bounded ? group[k] + value : nfl__add_saturated(group[k], value);
        }
        group[count] |= seen;
    }
}

static void measure_sum_all(const nfl__targets *targets, const uint64_t *const *values, uint32_t count, int bounded,
                            uint64_t seen)
{
    switch (count * 2 + (bounded != 0)) {
    case 2:
        measure_sum_rows(targets, values, 1, 0, seen);
        break;
    case 3:
        measure_sum_rows(targets, values, 1, 1, seen);
        break;
    case 4:
        measure_sum_rows(targets, values, 2, 0, seen);
        break;
    case 5:
        measure_sum_rows(targets, values, 2, 1, seen);
        break;
    case 6:
        measure_sum_rows(targets, values, 3, 0, seen);
        break;
    default:
        measure_sum_rows(targets, values, 3, 1, seen);
    }
}

/* The totalled values of a measure if it is a sum that every row has. */
static const uint64_t *measure_totalled(const nfl__scan *scan, const nfl__measure *measure)
{
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    return measure->how == NFL__MEASURE_SUM && !column->valid && column->form != NFL__COLUMN_NULL
               ? nfl__scan_totalled(scan, measure->field)
               : NULL;
}

/* 0 if some measure needs more. */
static int measures_sum(const nfl__plan *plan, const nfl__scan *scan, const nfl__targets *targets)
{
    const uint64_t *values[NFL__SCAN_TOTALS];
    if (plan->measure_count == 0 || plan->measure_count > NFL__SCAN_TOTALS || plan->measure_count != plan->seen_word)
        return 0;
    for (uint32_t i = 0; i < plan->measure_count; i++) {
        values[i] = measure_totalled(scan, &plan->measures[i]);
        if (!values[i])
            return 0;
    }
    measure_sum_all(targets, values, plan->measure_count, targets->bounded,
                    targets->mark | ((UINT64_C(1) << plan->measure_count) - 1));
    return 1;
}

void nfl__measures_add(const nfl__plan *plan, nfl__scan *scan, const nfl__targets *targets)
{
    uint64_t seen = targets->mark;
    if (measures_sum(plan, scan, targets))
        return;
    for (uint32_t i = 0; i < plan->measure_count; i++)
        seen |= measure_add(plan, scan, targets, i);
    for (uint32_t i = 0; i < targets->count; i++)
        targets->target[i][plan->seen_word] |= seen;
}

void nfl__measures_merge_any(const nfl__plan *plan, uint64_t *group, const uint64_t *other)
{
    if (plan->counts_distinct)
        group[plan->distinct_word] += other[plan->distinct_word];
    for (uint32_t i = 0; i < plan->measure_count; i++) {
        const nfl__measure *measure = &plan->measures[i];
        nfl__key address = {other[measure->word], measure->type == NFL_TYPE_IP ? other[measure->word + 1] : 0};
        if (measure->type == NFL_TYPE_IP)
            measure_apply_address(group + measure->word, address);
        else
            measure_apply(group + measure->word, measure->how, other[measure->word]);
    }
}

#include "column_source.h"

#include "query/filter_plan.h"
#include "query/key.h"
#include "record/fields.h"

#include <stdlib.h>
#include <string.h>

typedef struct column_source {
    nfl__source base;
    test_columns *columns;
    const nfl_filter *filter;
    uint64_t fields;
    size_t at; /* first flow of the next block */
    const nfl_flow *block;
    void *memory[3 * NFL_FIELD_STORED_COUNT]; /* of this block */
    size_t memory_count;
} column_source;

static int column_has(const nfl_flow *flow, uint32_t field)
{
    return (int)((flow->present | NFL__FIELDS_ALWAYS) >> field & 1);
}

static nfl__key column_key(const nfl_flow *flow, uint32_t field)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    return nfl__key_at(slot->type, nfl__flow_at(flow, field), slot->width);
}

static void column_zone(const nfl_flow *flows, size_t n, uint32_t field, nfl__zone *zone)
{
    const nfl_flow *min = NULL, *max = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!column_has(&flows[i], field)) {
            zone->has_null = 1;
            continue;
        }
        if (!min || nfl__key_compare(column_key(&flows[i], field), column_key(min, field)) < 0)
            min = &flows[i];
        if (!max || nfl__key_compare(column_key(&flows[i], field), column_key(max, field)) > 0)
            max = &flows[i];
    }
    zone->all_null = min == NULL;
    if (!min)
        return;
    if (nfl__field_slots[field].type == NFL_TYPE_IP) {
        memcpy(&zone->min_ip, nfl__flow_at(min, field), sizeof zone->min_ip);
        memcpy(&zone->max_ip, nfl__flow_at(max, field), sizeof zone->max_ip);
    } else {
        zone->min = nfl__flow_u64(min, field);
        zone->max = nfl__flow_u64(max, field);
    }
}

void test_zones(test_random *random, const nfl_flow *flows, size_t n, nfl__zone zones[NFL_FIELD_STORED_COUNT])
{
    memset(zones, 0, NFL_FIELD_STORED_COUNT * sizeof *zones);
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        zones[field].known = !test_chance(random, 10);
        if (zones[field].known)
            column_zone(flows, n, field, &zones[field]);
    }
}

void test_flow_with_gaps(test_random *random, nfl_flow *flow)
{
    static const uint32_t gaps[] = {NFL_FIELD_LAST, NFL_FIELD_BYTES, NFL_FIELD_PACKETS};
    test_flow(random, flow);
    for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        if (!test_chance(random, 6))
            continue;
        memset((uint8_t *)flow + nfl__field_slots[gaps[i]].offset, 0, nfl__field_slots[gaps[i]].width);
        flow->present &= ~NFL_HAS(gaps[i]);
    }
}

static void *column_memory(column_source *source, size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    source->memory[source->memory_count++] = p;
    return p;
}

static void column_free_block(column_source *source)
{
    while (source->memory_count)
        free(source->memory[--source->memory_count]);
}

static nfl_status column_next(nfl__source *base, nfl_error *err)
{
    column_source *source = (column_source *)base;
    test_columns *columns = source->columns;
    (void)err;
    for (;;) {
        nfl__zone zones[NFL_FIELD_STORED_COUNT];
        size_t left = columns->count - source->at;
        column_free_block(source);
        base->batch.loaded = 0;
        if (left == 0)
            return NFL_DONE;
        size_t rows = 1 + (size_t)test_below(&columns->random, columns->block_rows);
        rows = rows < left ? rows : left;
        source->block = columns->block = columns->flows + source->at;
        source->at += rows;
        base->batch.rows = (uint32_t)rows;
        test_zones(&columns->random, source->block, rows, zones);
        if (nfl__filter_may_match(source->filter, zones)) {
            base->blocks_read++;
            return NFL_OK;
        }
        base->blocks_skipped++;
    }
}

/* Bitmap of the rows that have the field; NULL if all have it. */
static uint64_t *column_valid(column_source *source, uint32_t field, uint32_t *count)
{
    uint32_t rows = source->base.batch.rows;
    uint64_t *valid = column_memory(source, (rows + 63) / 64 * sizeof *valid);
    *count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if (column_has(&source->block[i], field)) {
            nfl__bit_set(valid, i);
            ++*count;
        }
    }
    return *count == rows ? NULL : valid;
}

static int column_compare_bytes(const void *a, const void *b, void *ctx)
{
    const nfl__field_slot *slot = ctx;
    return nfl__key_compare(nfl__key_at(slot->type, a, slot->width), nfl__key_at(slot->type, b, slot->width));
}

static int column_insert(uint8_t *values, uint32_t *count, const void *value, const nfl__field_slot *slot)
{
    uint32_t at = 0;
    while (at < *count &&
           column_compare_bytes(values + (size_t)at * slot->width, value, (void *)(uintptr_t)slot) < 0)
        at++;
    if (at < *count && memcmp(values + (size_t)at * slot->width, value, slot->width) == 0)
        return (int)at;
    memmove(values + (size_t)(at + 1) * slot->width, values + (size_t)at * slot->width,
            (size_t)(*count - at) * slot->width);
    memcpy(values + (size_t)at * slot->width, value, slot->width);
    ++*count;
    return (int)at;
}

static void column_make_dictionary(column_source *source, uint32_t field, nfl__column *column)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    uint32_t rows = source->base.batch.rows;
    uint8_t *values = column_memory(source, (size_t)rows * slot->width);
    uint16_t *codes = column_memory(source, rows * sizeof *codes);
    for (uint32_t i = 0; i < rows; i++)
        if (column_has(&source->block[i], field))
            column_insert(values, &column->dict_count, nfl__flow_at(&source->block[i], field), slot);
    for (uint32_t i = 0; i < rows; i++)
        if (column_has(&source->block[i], field))
            codes[i] = (uint16_t)column_insert(values, &column->dict_count,
                                               nfl__flow_at(&source->block[i], field), slot);
    column->form = NFL__COLUMN_DICT;
    column->values = values;
    column->codes = codes;
    if (column->dict_count == 1 && test_chance(&source->columns->random, 80)) {
        column->form = NFL__COLUMN_CONST;
        column->codes = NULL;
    }
}

/* Rows that nobody will look at hold whatever the store finds convenient: here, what does harm if somebody does. */
static void column_spoil(column_source *source, nfl__column *column)
{
    const nfl__source *base = &source->base;
    uint32_t next = 0;
    for (uint32_t row = 0; row < base->batch.rows && base->only_count; row++) {
        if (next < base->only_count && base->only[next] == row)
            next++;
        else if (column->form == NFL__COLUMN_PLAIN)
            memset((uint8_t *)(uintptr_t)column->values + (size_t)row * column->width, 0xa5, column->width);
        else if (column->form == NFL__COLUMN_DICT)
            ((uint16_t *)(uintptr_t)column->codes)[row] = UINT16_MAX;
    }
}

static nfl_status column_load(nfl__source *base, uint32_t field, nfl_error *err)
{
    column_source *source = (column_source *)base;
    const nfl__field_slot *slot = &nfl__field_slots[field];
    nfl__column column = {.form = NFL__COLUMN_NULL, .width = slot->width};
    uint32_t count;
    (void)err;
    source->columns->loaded |= NFL_HAS(field);
    source->columns->misuse |= !(source->fields >> field & 1) || (base->batch.loaded >> field & 1);
    column.valid = column_valid(source, field, &count);
    if (count && test_chance(&source->columns->random, 60)) {
        column_make_dictionary(source, field, &column);
    } else if (count) {
        uint8_t *values = column_memory(source, (size_t)base->batch.rows * slot->width);
        for (uint32_t i = 0; i < base->batch.rows; i++)
            if (column_has(&source->block[i], field))
                memcpy(values + (size_t)i * slot->width, nfl__flow_at(&source->block[i], field), slot->width);
        column.values = values;
        column.form = NFL__COLUMN_PLAIN;
    } else {
        column.valid = NULL;
    }
    column_spoil(source, &column);
    base->batch.columns[field] = column;
    base->batch.loaded |= NFL_HAS(field);
    return NFL_OK;
}

static void column_free(nfl__source *base)
{
    column_source *source = (column_source *)base;
    column_free_block(source);
    source->columns->opened--;
    free(source);
}

static nfl_status column_open(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                              nfl_error *err)
{
    static const nfl__source_ops ops = {column_next, column_load, column_free, NULL};
    test_columns *columns = self;
    column_source *source = calloc(1, sizeof *source);
    (void)err;
    if (!source)
        abort();
    source->base.ops = &ops;
    source->columns = columns;
    source->filter = filter;
    source->fields = fields;
    columns->opened++;
    *out = &source->base;
    return NFL_OK;
}

static void column_retain(void *self)
{
    ((test_columns *)self)->references++;
}

static void column_release(void *self)
{
    ((test_columns *)self)->references--;
}

void test_columns_init(test_columns *columns, const nfl_flow *flows, size_t count, uint32_t block_rows,
                       uint64_t seed)
{
    memset(columns, 0, sizeof *columns);
    columns->flows = flows;
    columns->count = count;
    columns->block_rows = block_rows;
    columns->random.state = seed;
    columns->scannable = (nfl__scannable){columns, column_open, column_retain, column_release, NULL};
}

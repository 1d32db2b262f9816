/* A source over rows of nfl_flow: each column is gathered when it is asked for.
 *
 * Blocks are small so that a block's rows stay in the cache while one column after the other is gathered. */
#include "base/error.h"
#include "query/source.h"
#include "record/fields.h"

#include <stddef.h>

#define ROWS_WORDS (NFL__ROW_BLOCK / 64u)

typedef struct rows_source {
    nfl__source base;
    nfl__memory memory;
    nfl__row_pull pull;
    void *ctx;
    void (*done)(void *ctx);
    const nfl_flow *flows; /* the block's first row */
    size_t left;           /* rows from `flows` on, the block's included */
    size_t stride;
    void *values[NFL_FIELD_STORED_COUNT];    /* NFL__ROW_BLOCK values each, allocated when first needed */
    uint64_t *valid[NFL_FIELD_STORED_COUNT]; /* ROWS_WORDS words each */
} rows_source;

static const nfl_flow *rows_at(const rows_source *rows, size_t i)
{
    return (const nfl_flow *)(const void *)((const uint8_t *)rows->flows + i * rows->stride);
}

static nfl_status rows_next(nfl__source *source, nfl_error *err)
{
    rows_source *rows = (rows_source *)source;
    size_t used = source->batch.rows;
    source->batch.loaded = 0;
    source->batch.rows = 0;
    if (used)
        rows->flows = rows_at(rows, used);
    rows->left -= used;
    if (rows->left == 0) {
        nfl_status status = rows->pull(rows->ctx, &rows->flows, &rows->left, &rows->stride, err);
        if (status != NFL_OK) {
            rows->left = 0;
            return status;
        }
        if (rows->left == 0 || rows->stride < offsetof(nfl_flow, present) + sizeof rows->flows->present)
            return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "scan gave %zu flows, %zu bytes apart",
                             rows->left, rows->stride);
    }
    source->batch.rows = (uint32_t)(rows->left < NFL__ROW_BLOCK ? rows->left : NFL__ROW_BLOCK);
    source->blocks_read++;
    return NFL_OK;
}

static void rows_copy_value(void *values, uint32_t i, const void *from, uint32_t width)
{
    switch (width) {
    case 1:
        ((uint8_t *)values)[i] = *(const uint8_t *)from;
        break;
    case 2:
        ((uint16_t *)values)[i] = *(const uint16_t *)from;
        break;
    case 4:
        ((uint32_t *)values)[i] = *(const uint32_t *)from;
        break;
    case 8:
        ((uint64_t *)values)[i] = *(const uint64_t *)from;
        break;
    default:
        ((nfl_ip *)values)[i] = *(const nfl_ip *)from;
    }
}

/* Gather one field of the block; returns how many rows have it. */
static uint32_t rows_gather(const rows_source *rows, uint32_t field, void *values, uint64_t *valid)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    static const nfl_ip nothing;
    uint64_t always = NFL__FIELDS_ALWAYS;
    uint32_t count = 0;
    memset(valid, 0, ROWS_WORDS * sizeof *valid);
    for (uint32_t i = 0; i < rows->base.batch.rows; i++) {
        const nfl_flow *flow = rows_at(rows, i);
        size_t len = flow->struct_size < rows->stride ? flow->struct_size : rows->stride;
        int has = (size_t)slot->offset + slot->width <= len && ((flow->present | always) >> field & 1);
        rows_copy_value(values, i, has ? (const uint8_t *)flow + slot->offset : (const void *)&nothing,
                        slot->width);
        valid[i / 64] |= (uint64_t)has << (i % 64);
        count += (uint32_t)has;
    }
    return count;
}

static nfl_status rows_load(nfl__source *source, uint32_t field, nfl_error *err)
{
    rows_source *rows = (rows_source *)source;
    uint32_t width = nfl__field_slots[field].width;
    if (!rows->values[field])
        rows->values[field] = nfl__new(&rows->memory, NFL__ROW_BLOCK, width);
    if (!rows->valid[field])
        rows->valid[field] = nfl__new(&rows->memory, ROWS_WORDS, sizeof(uint64_t));
    if (!rows->values[field] || !rows->valid[field])
        return nfl__fail_nomem(err, NFL__ROW_BLOCK * width);
    uint32_t count = rows_gather(rows, field, rows->values[field], rows->valid[field]);
    nfl__column column = {.form = NFL__COLUMN_NULL, .width = (uint8_t)width};
    if (count) {
        column.form = NFL__COLUMN_PLAIN;
        column.values = rows->values[field];
        column.valid = count < source->batch.rows ? rows->valid[field] : NULL;
    }
    source->batch.columns[field] = column;
    source->batch.loaded |= NFL_HAS(field);
    return NFL_OK;
}

static void rows_free(nfl__source *source)
{
    rows_source *rows = (rows_source *)source;
    nfl__memory memory = rows->memory;
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        nfl__delete(&memory, rows->values[field], NFL__ROW_BLOCK, nfl__field_slots[field].width);
        nfl__delete(&memory, rows->valid[field], ROWS_WORDS, sizeof(uint64_t));
    }
    if (rows->done)
        rows->done(rows->ctx);
    nfl__delete(&memory, rows, 1, sizeof *rows);
}

nfl_status nfl__row_source_new(const nfl_alloc *alloc, nfl__row_pull pull, void *ctx, void (*done)(void *ctx),
                               nfl__source **out, nfl_error *err)
{
    static const nfl__source_ops ops = {rows_next, rows_load, rows_free, NULL};
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    rows_source *rows = nfl__new(&memory, 1, sizeof *rows);
    if (!rows)
        return nfl__fail_nomem(err, sizeof *rows);
    rows->base.ops = &ops;
    rows->memory = memory;
    rows->pull = pull;
    rows->ctx = ctx;
    rows->done = done;
    *out = &rows->base;
    return NFL_OK;
}

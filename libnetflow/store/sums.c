#include "store/sums.h"

#include "base/error.h"
#include "query/cursor.h"
#include "query/group.h"
#include "store/address_dict.h"

enum {
    SUMS_MEMORY = 16 << 20,      /* of the groups of a kind */
    SUMS_MEMORY_ALL = 256 << 20, /* the same, where none is left out */
    SUMS_PAY = 4                 /* flows a row, at least */
};

#define MINUTES INT64_C(60000000)
#define DAY (1440 * MINUTES)

const nfl__sums_kind nfl__sums_kinds[NFL__SUMS_KINDS] = {
    {1, "src", NFL_HAS(NFL_FIELD_SRC), DAY},
    {2, "dst", NFL_HAS(NFL_FIELD_DST), DAY},
    {3, "src_port", NFL_HAS(NFL_FIELD_SRC_PORT), DAY},
    {4, "dst_port", NFL_HAS(NFL_FIELD_DST_PORT), DAY},
    {5, "exporter,in_if,out_if,proto,app",
     NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_OUT_IF) | NFL_HAS(NFL_FIELD_PROTO) |
         NFL_HAS(NFL_FIELD_APP),
     5 * MINUTES},
};

/* The groups of one kind. */
typedef struct sums_groups {
    nfl__memory memory;
    nfl__plan plan;
    nfl__addresses addresses;
    nfl__groups groups;
    uint64_t **rows;  /* sorted by key, and as much room again; NULL until all flows are in */
    size_t row_count;
    size_t next;      /* row to give out */
    uint8_t given_up; /* there are too many */
} sums_groups;

struct nfl__sums_builder {
    nfl__memory memory;
    nfl__source source; /* the block that is being added */
    int has_block;
    int keep_all;       /* kinds that do not pay, too */
    nfl__scan *scan;
    uint64_t rows;      /* flows added so far */
    uint16_t *codes[2]; /* of source and destination addresses */
    nfl__columns *out;
    sums_groups kinds[NFL__SUMS_KINDS];
};

int nfl__sums_cut(const nfl__sums_kind *kind, nfl_usec from_us, nfl_usec to_us)
{
    return kind->bucket_us <= NFL__SUMS_ROUNDED_US || (from_us % kind->bucket_us == 0 && to_us % kind->bucket_us == 0);
}

int nfl__sums_answer(const nfl__sums_kind *kind, const nfl__adding *asked)
{
    if (asked->keys & ~kind->keys)
        return 0;
    return asked->bucket_us % kind->bucket_us == 0;
}

/* --- the block being added, as a source --- */

static nfl_status sums_source_next(nfl__source *source, nfl_error *err)
{
    nfl__sums_builder *b = (nfl__sums_builder *)(void *)((uint8_t *)source - offsetof(nfl__sums_builder, source));
    (void)err;
    int had_block = b->has_block;
    b->has_block = 0;
    return had_block ? NFL_OK : NFL_DONE;
}

static nfl_status sums_source_load(nfl__source *source, uint32_t field, nfl_error *err)
{
    (void)source, (void)field, (void)err; /* all are there */
    return NFL_OK;
}

static void sums_source_free(nfl__source *source)
{
    (void)source;
}

static nfl_status sums_source_open(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out, nfl_error *err)
{
    nfl__sums_builder *b = self;
    (void)filter, (void)fields, (void)err;
    *out = &b->source;
    return NFL_OK;
}

static void sums_source_keep(void *self)
{
    (void)self;
}

/* --- life --- */

static void sums_groups_done(sums_groups *g)
{
    nfl__groups_done(&g->groups);
    nfl__addresses_done(&g->addresses);
    nfl__delete(&g->memory, g->rows, 2 * g->row_count, sizeof *g->rows);
    g->rows = NULL;
}

static nfl_status sums_groups_start(sums_groups *g, const nfl__sums_kind *kind, uint64_t most_bytes, const nfl_alloc *alloc,
                                    nfl_error *err)
{
    NFL_OPTS(nfl_query, query, .group_by = kind->by, .bucket_us = kind->bucket_us);
    memset(g, 0, sizeof *g);
    NFL_TRY(nfl__plan_make(&query, &g->plan, err));
    nfl__memory_init(&g->memory, alloc, most_bytes);
    nfl__addresses_init(&g->addresses, (size_t)(most_bytes / 4), &g->memory);
    return nfl__groups_init(&g->groups, &g->plan, &g->addresses, &g->memory, err);
}

nfl__sums_builder *nfl__sums_builder_new(const nfl_alloc *alloc)
{
    static const nfl__source_ops ops = {.next = sums_source_next, .load = sums_source_load, .free = sums_source_free};
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__sums_builder *b = nfl__new(&memory, 1, sizeof *b);
    if (!b)
        return NULL;
    b->memory = memory;
    b->source.ops = &ops;
    b->scan = nfl__new(&b->memory, 1, sizeof *b->scan);
    b->out = nfl__columns_new(alloc, NFL__BATCH_ROWS);
    for (int side = 0; side < 2; side++)
        b->codes[side] = nfl__new(&b->memory, NFL__BATCH_ROWS, sizeof *b->codes[side]);
    if (b->scan && b->out && b->codes[0] && b->codes[1])
        return b;
    nfl__sums_builder_free(b);
    return NULL;
}

static void sums_forget(nfl__sums_builder *b)
{
    for (uint32_t i = 0; i < NFL__SUMS_KINDS; i++)
        sums_groups_done(&b->kinds[i]);
    nfl__scan_close(b->scan);
    memset(b->scan, 0, sizeof *b->scan);
    b->rows = 0;
}

void nfl__sums_builder_free(nfl__sums_builder *b)
{
    if (!b)
        return;
    nfl__memory memory = b->memory;
    if (b->scan)
        sums_forget(b);
    nfl__delete(&memory, b->scan, 1, sizeof *b->scan);
    nfl__columns_release(b->out);
    for (int side = 0; side < 2; side++)
        nfl__delete(&memory, b->codes[side], NFL__BATCH_ROWS, sizeof *b->codes[side]);
    nfl__delete(&memory, b, 1, sizeof *b);
}

nfl_status nfl__sums_start(nfl__sums_builder *b, int keep_all, nfl_error *err)
{
    const nfl__scannable flows = {b, sums_source_open, sums_source_keep, sums_source_keep, NULL};
    const nfl_alloc *alloc = &b->memory.alloc;
    uint64_t most_bytes = keep_all ? SUMS_MEMORY_ALL : SUMS_MEMORY;
    sums_forget(b);
    b->keep_all = keep_all;
    for (uint32_t i = 0; i < NFL__SUMS_KINDS; i++)
        NFL_TRY(sums_groups_start(&b->kinds[i], &nfl__sums_kinds[i], most_bytes, alloc, err));
    return nfl__scan_open(b->scan, &b->kinds[0].plan, 0, alloc, &flows, err);
}

/* --- adding --- */

/* Sources and destinations by their positions in the dictionary that the encoder has made of them. */
static void sums_use_dictionary(nfl__sums_builder *b, const nfl__encoder *encoder)
{
    static const uint8_t fields[2] = {NFL_FIELD_SRC, NFL_FIELD_DST};
    const uint32_t *codes[2];
    const nfl__address_dict *dictionary = nfl__encoder_sides(encoder, codes);
    uint32_t rows = b->source.batch.rows;
    for (int side = 0; side < 2; side++) {
        nfl__column *column = &b->source.batch.columns[fields[side]];
        if (column->form != NFL__COLUMN_PLAIN || !codes[side] || dictionary->count > NFL__BATCH_ROWS)
            continue;
        for (uint32_t i = 0; i < rows; i++)
            b->codes[side][i] = (uint16_t)codes[side][i];
        column->form = NFL__COLUMN_DICT;
        column->values = dictionary->sorted;
        column->codes = b->codes[side];
        column->dict_count = dictionary->count;
    }
}

/* Columns that all rows have need no bitmaps, which cost time for each row. */
static void sums_drop_bitmaps(nfl__batch *batch)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (batch->columns[field].valid && nfl__bits_all(batch->columns[field].valid, batch->rows))
            batch->columns[field].valid = NULL;
}

/* Too many groups, or addresses: this kind does not pay, and that is no failure. */
static nfl_status sums_check(const nfl__sums_builder *b, sums_groups *g, nfl_status status, const nfl_error *why, nfl_error *err)
{
    if (status == NFL_E_LIMIT && !b->keep_all) {
        g->given_up = 1;
        sums_groups_done(g);
        return NFL_OK;
    }
    if (status != NFL_OK && err)
        *err = *why;
    return status;
}

/* The rows of the block to the groups of one kind: kinds one after the other, so that each has the caches to itself. */
static nfl_status sums_add_to(nfl__sums_builder *b, sums_groups *g, nfl_error *err)
{
    b->has_block = 1;
    NFL_TRY(nfl__scan_block(b->scan, err));
    NFL_TRY(nfl__groups_block(&g->groups, b->scan, err));
    while (nfl__scan_rows(b->scan))
        NFL_TRY(nfl__groups_add(&g->groups, b->scan, err));
    return nfl__groups_flush(&g->groups, b->scan, 0, err);
}

nfl_status nfl__sums_add(nfl__sums_builder *b, const nfl__encoder *encoder, const nfl__batch *block, nfl_error *err)
{
    nfl_error why;
    b->source.batch = *block;
    b->source.batch.loaded = UINT64_MAX;
    b->rows += block->rows;
    sums_drop_bitmaps(&b->source.batch);
    sums_use_dictionary(b, encoder);
    for (uint32_t i = 0; i < NFL__SUMS_KINDS; i++) {
        sums_groups *g = &b->kinds[i];
        if (!g->given_up)
            NFL_TRY(sums_check(b, g, sums_add_to(b, g, &why), &why, err));
    }
    return NFL_OK;
}

/* --- rows --- */

/* Rows in the order of one byte of their keys; those alike stay in order. 0 if all are alike, and nothing was done. */
static int sums_sort_by_byte(const sums_groups *g, uint64_t *const *from, uint64_t **to, uint32_t at)
{
    size_t starts[257] = {0};
    for (size_t i = 0; i < g->row_count; i++)
        starts[1 + nfl__group_key_bytes(&g->plan, from[i])[at]]++;
    for (uint32_t byte = 0; byte < 256; byte++) {
        if (starts[byte + 1] == g->row_count)
            return 0;
        starts[byte + 1] += starts[byte];
    }
    for (size_t i = 0; i < g->row_count; i++)
        to[starts[nfl__group_key_bytes(&g->plan, from[i])[at]]++] = from[i];
    return 1;
}

/* Byte by byte, the last one first. */
static void sums_sort(sums_groups *g)
{
    uint64_t **from = g->rows, **to = g->rows + g->row_count;
    for (uint32_t at = g->plan.key_bytes; at-- > 0;) {
        if (!sums_sort_by_byte(g, from, to, at))
            continue;
        uint64_t **swap = from;
        from = to;
        to = swap;
    }
    if (from != g->rows)
        memcpy(g->rows, from, g->row_count * sizeof *from);
}

static nfl_status sums_take_rows(sums_groups *g, uint64_t flows, const nfl__scan *scan, nfl_error *err)
{
    NFL_TRY(nfl__groups_flush(&g->groups, scan, 1, err));
    const nfl__pool *pool = &g->groups.table.pool;
    if (pool->count > flows / SUMS_PAY)
        return NFL_E_LIMIT;
    g->rows = nfl__new(&g->memory, 2 * pool->count, sizeof *g->rows);
    if (!g->rows)
        return nfl__query_nomem(&g->memory, 2 * pool->count * sizeof *g->rows, err);
    g->row_count = pool->count;
    for (size_t i = 0; i < pool->count; i++)
        g->rows[i] = nfl__pool_at(pool, i);
    sums_sort(g);
    return NFL_OK;
}

/* A group as a flow: its keys, the start of its bucket, its sums. */
static void sums_flow(const sums_groups *g, const uint64_t *group, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    for (uint32_t i = 0; i < g->plan.output_count; i++) {
        const nfl__output *output = &g->plan.outputs[i];
        uint32_t field = output->from == NFL__OUTPUT_TIME ? NFL_FIELD_FIRST : output->field;
        nfl_value value = {.struct_size = sizeof value};
        nfl__cursor_group_value(&g->plan, &g->addresses, group, output, &value);
        if (!value.present)
            continue;
        flow->present |= NFL_HAS(field);
        if (output->type == NFL_TYPE_IP)
            memcpy(nfl__flow_slot(flow, field), &value.ip, sizeof value.ip);
        else
            nfl__flow_set_u64(flow, field, value.u64);
    }
}

static uint64_t sums_fields(const nfl__sums_kind *kind)
{
    return kind->keys | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_FLOWS) |
           NFL_HAS(NFL_FIELD_FIRST);
}

/* Room for the rows of a kind: columns of no other fields. */
static nfl_status sums_make_room(nfl__sums_builder *b, uint32_t i, nfl_error *err)
{
    nfl__columns_release(b->out);
    b->out = nfl__columns_new(&b->memory.alloc, NFL__BATCH_ROWS);
    if (!b->out || !nfl__columns_reserve(b->out, sums_fields(&nfl__sums_kinds[i])))
        return nfl__fail_nomem(err, NFL__BATCH_ROWS);
    return NFL_OK;
}

/* Sorted, unless there are too many. */
static nfl_status sums_finish(nfl__sums_builder *b, uint32_t i, nfl_error *err)
{
    sums_groups *g = &b->kinds[i];
    nfl_error why;
    NFL_TRY(sums_check(b, g, sums_take_rows(g, b->keep_all ? UINT64_MAX : b->rows, b->scan, &why), &why, err));
    return g->given_up ? NFL_OK : sums_make_room(b, i, err);
}

nfl_status nfl__sums_next(nfl__sums_builder *b, uint32_t i, const nfl__columns **block, nfl_error *err)
{
    sums_groups *g = &b->kinds[i];
    nfl_flow flows[NFL__COLUMNS_STEP];
    *block = NULL;
    if (!g->given_up && !g->rows)
        NFL_TRY(sums_finish(b, i, err));
    if (g->given_up || g->next == g->row_count)
        return NFL_OK;
    nfl__columns_clear(b->out);
    while (g->next < g->row_count && b->out->rows < NFL__BATCH_ROWS) {
        uint32_t n = 0;
        while (n < NFL__COLUMNS_STEP && g->next < g->row_count)
            sums_flow(g, g->rows[g->next++], &flows[n++]);
        nfl__columns_add(b->out, flows, n, sizeof *flows);
    }
    *block = b->out;
    return NFL_OK;
}

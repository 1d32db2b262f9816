#include "query/spread.h"

#include "base/error.h"
#include "base/wr.h"
#include "query/fill.h"

/* What a row has in one bucket: from `from` to `to` of its length, as microseconds behind its start. */
typedef struct spread_part {
    uint32_t row; /* of the scan's current ones */
    uint32_t starts; /* 1: the flow begins in it */
    uint64_t from, to, length;
    nfl_usec start;  /* of the flow */
    nfl_usec bucket;
} spread_part;

struct nfl__spread {
    spread_part parts[NFL__SCAN_ROWS];
    uint32_t count;
    uint64_t hashes[NFL__SCAN_ROWS];
    uint64_t values[NFL__SCAN_ROWS]; /* of rows */
    nfl__targets targets;
    nfl__estimates *estimates;
    uint8_t *keys; /* of parts */
};

nfl__spread *nfl__spread_new(const nfl__plan *plan, nfl__estimates *estimates, nfl__memory *memory)
{
    nfl__spread *spread = nfl__new(memory, 1, sizeof *spread);
    if (!spread)
        return NULL;
    spread->estimates = estimates;
    spread->keys = nfl__new(memory, NFL__SCAN_ROWS, plan->key_bytes);
    if (spread->keys)
        return spread;
    nfl__delete(memory, spread, 1, sizeof *spread);
    return NULL;
}

void nfl__spread_free(nfl__spread *spread, const nfl__plan *plan, nfl__memory *memory)
{
    if (!spread)
        return;
    nfl__delete(memory, spread->keys, NFL__SCAN_ROWS, plan->key_bytes);
    nfl__delete(memory, spread, 1, sizeof *spread);
}

uint64_t nfl__spread_share(uint64_t value, uint64_t t, uint64_t length)
{
    if (t >= length)
        return value;
    for (; length >> 32; length >>= 1)
        t >>= 1;
    return value / length * t + value % length * t / length;
}

/* --- parts to groups --- */

/* The part's value of a measure that is a number; `value` is that of its flow. */
static uint64_t spread_value(const nfl__measure *measure, const spread_part *part, uint64_t value)
{
    switch (measure->field) {
    case NFL_FIELD_FLOWS:
        return part->starts ? value : 0;
    case NFL_FIELD_FIRST:
        return ((uint64_t)part->start + part->from) ^ NFL__KEY_SIGN;
    case NFL_FIELD_LAST:
        return ((uint64_t)part->start + part->to) ^ NFL__KEY_SIGN;
    default:
        if (measure->how != NFL__MEASURE_SUM)
            return measure->type == NFL_TYPE_TIME ? value ^ NFL__KEY_SIGN : value;
        return nfl__spread_share(value, part->to, part->length) -
               (part->from ? nfl__spread_share(value, part->from, part->length) : 0);
    }
}

static void spread_measure(nfl__spread *spread, const nfl__plan *plan, nfl__scan *scan, uint32_t index)
{
    const nfl__measure *measure = &plan->measures[index];
    const nfl__column *column = nfl__scan_column(scan, measure->field);
    const uint64_t *values = measure->type == NFL_TYPE_IP || column->form == NFL__COLUMN_NULL
                                 ? spread->values
                                 : nfl__scan_numbers(scan, measure->field, spread->values);
    for (uint32_t i = 0; i < spread->count; i++) {
        const spread_part *part = &spread->parts[i];
        uint32_t row = scan->rows[part->row];
        if (!nfl__column_has(column, row))
            continue;
        uint64_t value = measure->type == NFL_TYPE_IP ? 0 : spread_value(measure, part, values[part->row]);
        nfl__measure_add_one(plan, index, spread->targets.target[i], value, nfl__column_at(column, row));
    }
}

static nfl_status spread_flush(nfl__spread *spread, nfl__table *table, nfl__scan *scan, nfl_error *err)
{
    const nfl__plan *plan = table->plan;
    for (uint32_t i = 0; i < spread->count; i++)
        spread->hashes[i] = nfl__table_hash(table, spread->keys + (size_t)i * plan->key_bytes);
    NFL_TRY(nfl__table_reserve(table, spread->hashes, spread->count, err));
    for (uint32_t i = 0; i < spread->count; i++) {
        spread->targets.target[i] = nfl__table_get(table, spread->keys + (size_t)i * plan->key_bytes, spread->hashes[i]);
        spread->targets.index[i] = (uint16_t)spread->parts[i].row;
    }
    for (uint32_t m = 0; m < plan->measure_count; m++)
        spread_measure(spread, plan, scan, m);
    spread->targets.count = spread->count;
    spread->count = 0;
    return spread->estimates ? nfl__estimates_add(spread->estimates, scan, &spread->targets, err) : NFL_OK;
}

/* --- rows to parts --- */

/* A row's time, and what of it is in the window. */
typedef struct spread_span {
    nfl_usec first;
    uint64_t length;   /* to the last packet */
    uint64_t from, to; /* inside of it */
} spread_span;

/* 0 if nothing of the row is in the window. */
static int spread_clip(const nfl_query *query, const nfl__scan *scan, uint32_t row, spread_span *out)
{
    const nfl__column *first = nfl__scan_column(scan, NFL_FIELD_FIRST), *last = nfl__scan_column(scan, NFL_FIELD_LAST);
    nfl_usec start = (nfl_usec)nfl__column_u64(first, row), end = start;
    if (nfl__column_has(last, row) && (nfl_usec)nfl__column_u64(last, row) > start)
        end = (nfl_usec)nfl__column_u64(last, row);
    nfl_usec from = query->from_us && query->from_us > start ? query->from_us : start;
    nfl_usec to = query->to_us && query->to_us < end ? query->to_us : end;
    *out = (spread_span){start, (uint64_t)end - (uint64_t)start, (uint64_t)from - (uint64_t)start, (uint64_t)to - (uint64_t)start};
    return from <= to && (from < to || start == end || from == start);
}

/* The part that begins `at` into the flow; returns where the next one does. */
static uint64_t spread_cut(const nfl__plan *plan, uint32_t row, const spread_span *span, uint64_t at, spread_part *out)
{
    uint64_t length = (uint64_t)plan->query.bucket_us;
    nfl_usec begins = (nfl_usec)((uint64_t)span->first + at), bucket = nfl__bucket_start(begins, plan->query.bucket_us);
    uint64_t left = length - ((uint64_t)begins - (uint64_t)bucket); /* of the bucket */
    uint64_t next = span->to - at > left ? at + left : span->to;
    *out = (spread_part){row, at == 0, at, next, span->length, span->first, bucket};
    return next;
}

static nfl_status spread_row(nfl__spread *spread, nfl__table *table, nfl__scan *scan, uint32_t row, const uint8_t *key, nfl_error *err)
{
    const nfl__plan *plan = table->plan;
    spread_span span;
    if (!spread_clip(&plan->query, scan, scan->rows[row], &span))
        return NFL_OK;
    if ((span.to - span.from) / (uint64_t)plan->query.bucket_us >= NFL__SPREAD_MOST)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "a flow covers more than %u buckets: choose longer ones, or a window",
                         NFL__SPREAD_MOST);
    uint64_t at = span.from;
    do {
        if (spread->count == NFL__SCAN_ROWS)
            NFL_TRY(spread_flush(spread, table, scan, err));
        spread_part *part = &spread->parts[spread->count];
        uint8_t *own = spread->keys + (size_t)spread->count++ * plan->key_bytes;
        at = spread_cut(plan, row, &span, at, part);
        memcpy(own, key, plan->key_bytes);
        nfl__store_be(own, (uint64_t)part->bucket ^ NFL__KEY_SIGN, 8);
    } while (at < span.to);
    return NFL_OK;
}

nfl_status nfl__spread_add(nfl__spread *spread, nfl__table *table, nfl__scan *scan, const uint8_t *keys, nfl_error *err)
{
    for (uint32_t i = 0; i < scan->count; i++)
        NFL_TRY(spread_row(spread, table, scan, i, keys + (size_t)i * table->plan->key_bytes, err));
    return spread_flush(spread, table, scan, err);
}

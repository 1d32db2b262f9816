#include "query/exec.h"

#include "base/error.h"
#include "query/derive.h"
#include "query/distinct.h"
#include "query/estimate.h"
#include "query/exec_steps.h"
#include "query/fill.h"

#define EXEC_MEMORY (UINT64_C(128) << 20)      /* what is enough where the result is small */
#define EXEC_MEMORY_ALL (UINT64_C(1) << 30) /* for results of any size */
#define EXEC_WIDEN 100 /* a status of this file: begin again with a wide plan */

/* --- Groups ---- */

/* Memory for the rows that are returned, kept free while groups are gathered. */
static size_t exec_spare(const nfl_cursor *cursor)
{
    const nfl__plan *plan = &cursor->plan;
    uint64_t rows = nfl__add_saturated(plan->query.limit, plan->query.offset);
    uint64_t row_bytes = 2 * (sizeof(nfl__item) + plan->row_words * sizeof(uint64_t));
    uint64_t bytes = nfl__add_saturated(nfl__mul_saturated(rows, row_bytes), NFL__POOL_ROWS * row_bytes);
    return bytes < cursor->memory.limit / 4 ? (size_t)bytes : cursor->memory.limit / 4;
}

/* All rows into groups. EXEC_WIDEN: there are too many addresses for a narrow plan. */
static nfl_status exec_read_groups(nfl_cursor *cursor, nfl_error *err)
{
    nfl__scan *scan = cursor->scan;
    nfl__groups *groups = &cursor->groups;
    nfl_status status;
    while ((status = nfl__scan_block(scan, err)) == NFL_OK) {
        status = nfl__groups_block(groups, scan, err);
        if (status == NFL_E_LIMIT && cursor->plan.narrow)
            return EXEC_WIDEN;
        NFL_TRY(status);
        while (nfl__scan_rows(scan))
            NFL_TRY(nfl__groups_add(groups, scan, err));
        NFL_TRY(nfl__groups_flush(groups, scan, 0, err));
        nfl__cursor_note_memory(cursor);
    }
    if (status == NFL_DONE)
        NFL_TRY(nfl__groups_flush(groups, scan, 1, err));
    nfl__cursor_note_memory(cursor);
    return status;
}

static nfl__item exec_item(const nfl_cursor *cursor, uint64_t *group)
{
    nfl__item item = {.row = group};
    if (cursor->plan.ordered)
        item.absent = !nfl__cursor_order_key(&cursor->plan, &cursor->addresses, group, &item.order);
    return item;
}

static int exec_having(const nfl_cursor *cursor, const uint64_t *group)
{
    return nfl__having_takes(&cursor->having, &cursor->plan, &cursor->addresses, group);
}

static nfl_status exec_offer_group(nfl_cursor *cursor, nfl__top *top, uint64_t *group, nfl_error *err)
{
    nfl__item item = exec_item(cursor, group);
    return nfl__top_accepts(top, &item) ? nfl__top_add(top, &item, err) : NFL_OK;
}

/* Is a group among those that the query asks for, apart from the limit? Others do not count. */
static int exec_takes(nfl_cursor *cursor, uint64_t *group)
{
    nfl__item item = exec_item(cursor, group);
    int taken = nfl__page_has(&cursor->page, &cursor->plan, &cursor->addresses, &item) && exec_having(cursor, group);
    cursor->stats.groups -= !taken;
    return taken;
}

/* Offer a group that is not kept: the row is copied, to the place of the one that it pushes out. */
static nfl_status exec_offer_copy(nfl_cursor *cursor, const uint64_t *group, nfl_error *err)
{
    nfl__top *top = &cursor->top;
    nfl__item item = exec_item(cursor, (uint64_t *)(uintptr_t)group);
    if (!nfl__top_accepts(top, &item))
        return NFL_OK;
    item.row = nfl__top_is_full(top) ? top->items[0].row : nfl__pool_add(&cursor->records);
    if (!item.row)
        return nfl__query_nomem(&cursor->memory, NFL__POOL_ROWS * cursor->plan.row_words * sizeof *item.row, err);
    memcpy(item.row, group, cursor->plan.row_words * sizeof *item.row);
    return nfl__top_add(top, &item, err);
}

/* Pass by pass, the groups of some partitions of the keys; the first of them are copied. */
static nfl_status exec_partitions(nfl_cursor *cursor, nfl_error *err)
{
    nfl__table *table = &cursor->groups.table;
    nfl_query_stats stats = cursor->scan->stats;
    nfl_status status = NFL_DONE;
    size_t spare = exec_spare(cursor);
    nfl__pool_init(&cursor->records, &cursor->memory, cursor->plan.row_words);
    for (;;) {
        for (size_t i = 0; i < table->pool.count; i++)
            if (exec_takes(cursor, nfl__pool_at(&table->pool, i)))
                NFL_TRY(exec_offer_copy(cursor, nfl__pool_at(&table->pool, i), err));
        nfl__cursor_note_memory(cursor);
        if (!nfl__table_next_partition(table))
            break;
        NFL_TRY(nfl__scan_again(cursor->scan, stats.rows_matched, err));
        cursor->memory.limit -= spare;
        status = exec_read_groups(cursor, err);
        cursor->memory.limit += spare;
        if (status != NFL_DONE)
            break;
        cursor->stats.groups += table->pool.count;
        cursor->stats.passes++;
    }
    cursor->scan->stats = stats;
    return status;
}

/* Groups of the largest totals over all buckets, marked by a bit of `seen` that no measure has. */
#define EXEC_KEPT (UINT64_C(1) << 63)

static nfl_status exec_mark_kept(nfl_cursor *cursor, nfl_error *err)
{
    nfl__top best;
    nfl_status status = NFL_OK;
    nfl__top_init(&best, &cursor->plan, &cursor->addresses, 8, 1, &cursor->memory);
    for (size_t i = 0; i < cursor->totals.pool.count && status == NFL_OK; i++)
        if (exec_takes(cursor, nfl__pool_at(&cursor->totals.pool, i)))
            status = exec_offer_group(cursor, &best, nfl__pool_at(&cursor->totals.pool, i), err);
    nfl__top_finish(&best);
    for (size_t i = 0; i < best.count && status == NFL_OK; i++)
        if (i >= cursor->plan.query.offset)
            best.items[i].row[cursor->plan.seen_word] |= EXEC_KEPT;
    nfl__cursor_note_memory(cursor);
    nfl__top_done(&best);
    return status;
}

static nfl_status exec_fill_kept(nfl_cursor *cursor, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    nfl__buckets buckets;
    NFL_TRY(nfl__fill_buckets(&cursor->groups.table, &buckets, err));
    for (size_t i = 0; i < cursor->totals.pool.count; i++) {
        const uint64_t *total = nfl__pool_at(&cursor->totals.pool, i);
        if (total[plan->seen_word] & EXEC_KEPT)
            NFL_TRY(nfl__fill_group(&cursor->groups.table, &buckets, nfl__group_key_bytes(plan, total), err));
    }
    return NFL_OK;
}

/* Groups and buckets: those of the groups with the first totals. */
static nfl_status exec_by_total(nfl_cursor *cursor, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    const nfl__pool *pool = &cursor->groups.table.pool;
    NFL_TRY(nfl__table_init(&cursor->totals, plan, 8, &cursor->memory, err));
    for (size_t i = 0; i < pool->count; i++)
        NFL_TRY(nfl__table_merge(&cursor->totals, nfl__pool_at(pool, i), err));
    cursor->stats.groups = cursor->totals.pool.count;
    NFL_TRY(exec_mark_kept(cursor, err));
    if (plan->query.flags & NFL_QUERY_FILL)
        NFL_TRY(exec_fill_kept(cursor, err));
    nfl__top_init(&cursor->top, plan, &cursor->addresses, 0, 0, &cursor->memory);
    for (size_t i = 0; i < pool->count; i++) {
        uint64_t *group = nfl__pool_at(pool, i);
        if (nfl__table_find(&cursor->totals, group)[plan->seen_word] & EXEC_KEPT)
            NFL_TRY(exec_offer_group(cursor, &cursor->top, group, err));
    }
    return NFL_OK;
}

/* The buckets without groups: each a row of zeros. */
static nfl_status exec_fill_buckets(nfl_cursor *cursor, nfl_error *err)
{
    nfl__buckets buckets;
    NFL_TRY(nfl__fill_buckets(&cursor->groups.table, &buckets, err));
    return nfl__fill_group(&cursor->groups.table, &buckets, NULL, err);
}

/* What was read in one pass, or in several. */
static nfl_status exec_order_groups(nfl_cursor *cursor, nfl_error *err)
{
    const nfl__table *table = &cursor->groups.table;
    uint64_t offset = cursor->plan.query.offset;
    nfl_status status = NFL_OK;
    nfl__top_init(&cursor->top, &cursor->plan, &cursor->addresses, 0, 1, &cursor->memory);
    if (table->until != NFL__TABLE_PARTITIONS)
        status = exec_partitions(cursor, err);
    else
        for (size_t i = 0; i < table->pool.count; i++)
            if (exec_takes(cursor, nfl__pool_at(&table->pool, i)))
                NFL_TRY(exec_offer_group(cursor, &cursor->top, nfl__pool_at(&table->pool, i), err));
    cursor->at = offset < cursor->top.count ? (size_t)offset : cursor->top.count;
    return status;
}

static int exec_is_by_total(const nfl__plan *plan)
{
    return plan->bucketed && plan->key_count > plan->distinct_key;
}

static int exec_fills(const nfl__plan *plan)
{
    return plan->bucketed && plan->query.flags & NFL_QUERY_FILL;
}

nfl_status nfl__exec_gathered(nfl_cursor *cursor, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    int by_total = exec_is_by_total(plan);
    cursor->stats.passes = 1;
    if (cursor->groups.estimates)
        cursor->stats.distinct_error_per_mille = nfl__estimates_finish(cursor->groups.estimates, &cursor->groups.table);
    if (plan->distinct_key)
        NFL_TRY(nfl__distinct_merge(&cursor->groups.table, &cursor->memory, err));
    if (exec_fills(plan) && !by_total)
        NFL_TRY(exec_fill_buckets(cursor, err));
    cursor->stats.groups = cursor->groups.table.pool.count;
    NFL_TRY(by_total ? exec_by_total(cursor, err) : exec_order_groups(cursor, err));
    return NFL_OK;
}

static nfl_status exec_narrow_or_wide(nfl_cursor *cursor, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    NFL_TRY(nfl__groups_init(&cursor->groups, plan, &cursor->addresses, &cursor->memory, err));
    cursor->groups.table.partitioned =
        !exec_is_by_total(plan) && !exec_fills(plan) && !plan->counts_distinct && !plan->spread && plan->query.limit > 0;
    size_t spare = cursor->groups.table.partitioned ? exec_spare(cursor) : 0;
    cursor->memory.limit -= spare;
    nfl_status status = exec_read_groups(cursor, err);
    cursor->memory.limit += spare;
    return status == NFL_DONE ? nfl__exec_gathered(cursor, err) : status;
}

void nfl__exec_forget_groups(nfl_cursor *cursor)
{
    nfl__groups_done(&cursor->groups);
    nfl__table_done(&cursor->totals);
    memset(&cursor->totals, 0, sizeof cursor->totals);
    nfl__addresses_done(&cursor->addresses);
    nfl__top_done(&cursor->top);
    if (cursor->records.memory)
        nfl__pool_done(&cursor->records);
    cursor->records.memory = NULL;
}

static nfl_status exec_groups(nfl_cursor *cursor, nfl_error *err)
{
    nfl_status status;
    nfl__addresses_init(&cursor->addresses, cursor->memory.limit / 4, &cursor->memory);
    while ((status = exec_narrow_or_wide(cursor, err)) == EXEC_WIDEN) {
        nfl__exec_forget_groups(cursor);
        nfl__plan_widen(&cursor->plan);
        NFL_TRY(nfl__scan_again(cursor->scan, UINT64_MAX, err));
    }
    return status;
}

/* --- Sorted records ---- */

static uint64_t exec_order_reads(const nfl__plan *plan)
{
    return plan->order.from == NFL__OUTPUT_DERIVED ? nfl__derive_reads(plan->order.field)
                                                   : NFL_HAS(plan->order.field);
}

static void exec_record_order(const nfl__scan *scan, const nfl__plan *plan, uint32_t row, nfl__item *item)
{
    uint64_t value;
    if (plan->order.type != NFL_TYPE_IP) {
        item->absent = !nfl__scan_value(scan, plan->order.field, row, &value);
        item->order = item->absent ? nfl__key_number(0) : nfl__key_u64(plan->order.type, value);
        return;
    }
    const nfl__column *column = nfl__scan_column(scan, plan->order.field);
    item->absent = !nfl__column_has(column, row);
    item->order = item->absent ? nfl__key_number(0) : nfl__key_ip(nfl__column_at(column, row));
}

static void exec_fill_record(const nfl__scan *scan, const nfl__plan *plan, uint32_t row, uint64_t *record)
{
    record[0] = 0;
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const nfl__output *output = &plan->outputs[i];
        const nfl__column *column =
            output->type == NFL_TYPE_IP ? nfl__scan_column(scan, output->field) : NULL;
        int present = column ? nfl__column_has(column, row)
                             : nfl__scan_value(scan, output->field, row, &record[output->word]);
        if (column && present)
            memcpy(&record[output->word], nfl__column_at(column, row), sizeof(nfl_ip));
        record[0] |= (uint64_t)present << i;
    }
}

/* Keep a row of the scan that is among the first so far; the row it pushes out gives its place. */
static nfl_status exec_keep_record(nfl_cursor *cursor, nfl__item *item, uint32_t row, nfl_error *err)
{
    nfl__top *top = &cursor->top;
    NFL_TRY(nfl__source_need(cursor->scan->source, cursor->plan.reads, err));
    item->row = nfl__top_is_full(top) ? top->items[0].row : nfl__pool_add(&cursor->records);
    if (!item->row)
        return nfl__query_nomem(&cursor->memory, NFL__POOL_ROWS * cursor->plan.row_words * sizeof *item->row,
                                err);
    exec_fill_record(cursor->scan, &cursor->plan, row, item->row);
    return nfl__top_add(top, item, err);
}

/* Where a row of the scan stands; NFL_DONE = behind all that are kept. Its arrival matters where the ordering column leaves it open. */
static nfl_status exec_place_record(nfl_cursor *cursor, uint32_t row, nfl__item *item, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    const nfl__top *top = &cursor->top;
    exec_record_order(cursor->scan, plan, row, item);
    if (!cursor->page.begins && nfl__top_is_full(top) && nfl__top_compare_order(plan, item, &top->items[0]) > 0)
        return NFL_DONE;
    NFL_TRY(nfl__source_need(cursor->scan->source, NFL_HAS(NFL_FIELD_RECEIVED), err));
    item->received_us = (nfl_usec)nfl__column_u64(nfl__scan_column(cursor->scan, NFL_FIELD_RECEIVED), row);
    return NFL_OK;
}

/* Rows of a block that may be among the first; the others' columns need not be decoded. */
typedef struct exec_candidates {
    uint64_t sequence; /* of the next row */
    uint32_t count;
    uint8_t overflowed; /* some of this block's were taken before all were known */
    uint32_t rows[NFL__SCAN_ROWS];
    uint64_t sequences[NFL__SCAN_ROWS];
    uint64_t bits[NFL__BATCH_ROWS / 64];
} exec_candidates;

/* By what all rows have loaded: a row that is behind all that are kept goes. */
static int exec_is_candidate(const nfl_cursor *cursor, uint32_t row)
{
    const nfl__top *top = &cursor->top;
    nfl__item item = {.row = NULL};
    if (cursor->page.begins || !nfl__top_is_full(top))
        return 1;
    exec_record_order(cursor->scan, &cursor->plan, row, &item);
    return nfl__top_compare_order(&cursor->plan, &item, &top->items[0]) <= 0;
}

static nfl_status exec_take_candidates(nfl_cursor *cursor, exec_candidates *found, nfl_error *err)
{
    for (uint32_t i = 0; i < found->count; i++) {
        nfl__item item = {.sequence = found->sequences[i]};
        nfl_status placed = exec_place_record(cursor, found->rows[i], &item, err);
        if (placed == NFL_DONE)
            continue;
        NFL_TRY(placed);
        if (!nfl__page_has(&cursor->page, &cursor->plan, &cursor->addresses, &item))
            cursor->passed_over++;
        else if (nfl__top_accepts(&cursor->top, &item))
            NFL_TRY(exec_keep_record(cursor, &item, found->rows[i], err));
    }
    found->count = 0;
    return NFL_OK;
}

static void exec_narrow(nfl__scan *scan, exec_candidates *found)
{
    memset(found->bits, 0, sizeof found->bits);
    for (uint32_t i = 0; i < found->count; i++)
        nfl__bit_set(found->bits, found->rows[i]);
    nfl__source_narrow(scan->source, found->bits);
}

static nfl_status exec_sort_block(nfl_cursor *cursor, exec_candidates *found, nfl_error *err)
{
    nfl__scan *scan = cursor->scan;
    found->overflowed = 0;
    while (nfl__scan_rows(scan)) {
        for (uint32_t i = 0; i < scan->count; i++, found->sequence++) {
            if (!exec_is_candidate(cursor, scan->rows[i]))
                continue;
            if (found->count == NFL__SCAN_ROWS) {
                found->overflowed = 1;
                NFL_TRY(exec_take_candidates(cursor, found, err));
            }
            found->rows[found->count] = scan->rows[i];
            found->sequences[found->count++] = found->sequence;
        }
    }
    if (!found->overflowed)
        exec_narrow(scan, found);
    return exec_take_candidates(cursor, found, err);
}

static nfl_status exec_sorted_rows(nfl_cursor *cursor, exec_candidates *found, nfl_error *err)
{
    nfl_status status;
    nfl__pool_init(&cursor->records, &cursor->memory, cursor->plan.row_words);
    nfl__top_init(&cursor->top, &cursor->plan, &cursor->addresses, 0, 1, &cursor->memory);
    while ((status = nfl__scan_block(cursor->scan, err)) == NFL_OK) {
        NFL_TRY(exec_sort_block(cursor, found, err));
        nfl__cursor_note_memory(cursor);
    }
    uint64_t offset = cursor->plan.query.offset;
    cursor->at = offset < cursor->top.count ? (size_t)offset : cursor->top.count;
    return status == NFL_DONE ? NFL_OK : status;
}

static nfl_status exec_sorted(nfl_cursor *cursor, nfl_error *err)
{
    exec_candidates *found = nfl__new(&cursor->memory, 1, sizeof *found);
    if (!found)
        return nfl__query_nomem(&cursor->memory, sizeof *found, err);
    nfl_status status = exec_sorted_rows(cursor, found, err);
    nfl__delete(&cursor->memory, found, 1, sizeof *found);
    return status;
}

/* --- The whole ---- */

void nfl__exec_take_stats(nfl_cursor *cursor, const nfl__scan *scan)
{
    nfl_query_stats own = cursor->stats;
    cursor->stats = scan->stats;
    cursor->stats.memory_bytes = own.memory_bytes;
    cursor->stats.passes = own.passes;
    cursor->stats.distinct_error_per_mille = own.distinct_error_per_mille;
    cursor->stats.groups = cursor->plan.grouped ? own.groups : cursor->stats.rows_matched - cursor->passed_over;
}

static void exec_end_scan(nfl_cursor *cursor)
{
    nfl__exec_take_stats(cursor, cursor->scan);
    nfl__scan_close(cursor->scan);
    nfl__delete(&cursor->memory, cursor->scan, 1, sizeof *cursor->scan);
    cursor->scan = NULL;
}

nfl_status nfl__exec_start(nfl_cursor *cursor, const nfl_alloc *alloc, nfl_error *err)
{
    const nfl__plan *plan = &cursor->plan;
    uint64_t reads = plan->grouped ? plan->reads : plan->ordered ? exec_order_reads(plan) : 0;
    cursor->scan = nfl__new(&cursor->memory, 1, sizeof *cursor->scan);
    if (!cursor->scan)
        return nfl__query_nomem(&cursor->memory, sizeof *cursor->scan, err);
    cursor->scan->memory = &cursor->memory;
    NFL_TRY(nfl__scan_open(cursor->scan, plan, reads, alloc, &cursor->store, err));
    if (plan->query.flags & NFL_QUERY_UNIQUE)
        NFL_TRY(nfl__scan_make_unique(cursor->scan, err));
    nfl__cursor_note_memory(cursor);
    if (plan->adds_up)
        nfl__scan_add_up(cursor->scan, &plan->adding);
    if (!plan->grouped && !plan->ordered)
        return NFL_OK;
    NFL_TRY(plan->grouped ? exec_groups(cursor, err) : exec_sorted(cursor, err));
    nfl__top_finish(&cursor->top);
    nfl__cursor_note_memory(cursor);
    exec_end_scan(cursor);
    return NFL_OK;
}

nfl_status nfl__exec_open(const nfl_query *query, const nfl_alloc *alloc, const nfl__scannable *store, nfl_cursor **out,
                            nfl_error *err)
{
    nfl__plan plan;
    NFL_TRY(nfl__plan_make(query, &plan, err));
    nfl__memory memory;
    int much = !plan.query.limit || plan.counts_distinct || plan.query.flags & (NFL_QUERY_UNIQUE | NFL_QUERY_BIFLOW);
    uint64_t budget = much ? EXEC_MEMORY_ALL : EXEC_MEMORY;
    nfl__memory_init(&memory, alloc, plan.query.max_memory_bytes ? plan.query.max_memory_bytes : budget);
    nfl_cursor *cursor = nfl__new(&memory, 1, sizeof *cursor);
    if (!cursor)
        return nfl__query_nomem(&memory, sizeof *cursor, err);
    cursor->memory = memory;
    cursor->plan = plan;
    cursor->store = *store;
    store->retain(store->self);
    cursor->retained = 1;
    nfl_status status = nfl__having_open(&cursor->having, &cursor->plan, alloc, err);
    if (status == NFL_OK)
        status = nfl__page_open(&cursor->page, &cursor->plan, err);
    if (status != NFL_OK) {
        nfl_cursor_free(cursor);
        return status;
    }
    *out = cursor;
    return NFL_OK;
}

void nfl__exec_forget_texts(nfl_cursor *cursor)
{
    nfl_query *query = &cursor->plan.query;
    query->filter = query->group_by = query->columns = query->order_by = query->having = query->after = NULL;
}

nfl_status nfl__query_run(const nfl_query *query, const nfl_alloc *alloc, const nfl__scannable *store,
                          nfl_cursor **out, nfl_error *err)
{
    nfl_cursor *cursor;
    NFL_TRY(nfl__exec_open(query, alloc, store, &cursor, err));
    nfl_status status = nfl__exec_start(cursor, alloc, err);
    if (status != NFL_OK) {
        nfl_cursor_free(cursor);
        return status;
    }
    nfl__exec_forget_texts(cursor);
    *out = cursor;
    return NFL_OK;
}

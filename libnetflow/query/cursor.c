#include "query/cursor.h"

#include "base/error.h"
#include "base/opts.h"
#include "query/derive.h"

/* --- Values of groups ---- */

static uint64_t cursor_unflip(uint8_t type, uint64_t word)
{
    return type == NFL_TYPE_TIME ? word ^ NFL__KEY_SIGN : word;
}

static void cursor_set_address(nfl_value *out, uint64_t high, uint64_t low)
{
    for (unsigned i = 0; i < 8; i++) {
        out->ip.b[i] = (uint8_t)(high >> (56 - 8 * i));
        out->ip.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

static void cursor_key_value(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group, uint32_t index, nfl_value *out)
{
    const nfl__group_key *key = &plan->keys[index];
    const uint8_t *bytes = nfl__group_key_bytes(plan, group);
    out->present = bytes[plan->presence_at + index / 8] >> (7 - index % 8) & 1;
    if (!out->present)
        return;
    if (key->type == NFL_TYPE_IP && plan->narrow)
        out->ip = nfl__addresses_get(addresses, nfl__pack_number(plan, index, bytes));
    else if (key->type == NFL_TYPE_IP)
        memcpy(&out->ip, bytes + key->offset, sizeof out->ip);
    else
        out->u64 = cursor_unflip(key->type, nfl__load_be(bytes + key->offset, key->width));
}

static void cursor_measure_value(const nfl__plan *plan, const uint64_t *group, uint32_t index, nfl_value *out)
{
    const nfl__measure *measure = &plan->measures[index];
    out->present = group[plan->seen_word] >> index & 1;
    if (!out->present)
        return;
    if (measure->type == NFL_TYPE_IP)
        cursor_set_address(out, group[measure->word], group[measure->word + 1]);
    else
        out->u64 = cursor_unflip(measure->type, group[measure->word]);
}

/* Rates of a group are those of its sums over the time from its first to its last packet. */
static void cursor_derived_value(const nfl__plan *plan, const uint64_t *group, uint32_t field, nfl_value *out)
{
    static const uint8_t fields[4] = {NFL_FIELD_FIRST, NFL_FIELD_LAST, NFL_FIELD_BYTES, NFL_FIELD_PACKETS};
    uint64_t present = 0, numbers[4] = {0, 0, 0, 0};
    for (unsigned i = 0; i < 4; i++) {
        int measure = nfl__plan_measure(plan, fields[i]);
        if (measure < 0 || !(group[plan->seen_word] >> measure & 1))
            continue;
        present |= NFL_HAS(fields[i]);
        numbers[i] = cursor_unflip(plan->measures[measure].type, group[plan->measures[measure].word]);
    }
    nfl__derive_input input = {present, (nfl_usec)numbers[0], (nfl_usec)numbers[1], numbers[2], numbers[3]};
    out->present = (uint8_t)nfl__derive(field, &input, &out->u64);
}

void nfl__cursor_group_value(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group,
                             const nfl__output *output, nfl_value *out)
{
    switch (output->from) {
    case NFL__OUTPUT_KEY:
        cursor_key_value(plan, addresses, group, output->index, out);
        break;
    case NFL__OUTPUT_MEASURE:
        cursor_measure_value(plan, group, output->index, out);
        break;
    case NFL__OUTPUT_DERIVED:
        cursor_derived_value(plan, group, output->field, out);
        break;
    case NFL__OUTPUT_DISTINCT:
        out->present = 1;
        out->u64 = group[plan->distinct_word];
        break;
    default: /* the bucket */
        out->present = 1;
        out->u64 = nfl__load_be64(nfl__group_key_bytes(plan, group)) ^ NFL__KEY_SIGN;
    }
}

void nfl__cursor_field_value(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group, uint32_t field,
                             nfl_value *out)
{
    int key = nfl__plan_key(plan, field), measure = nfl__plan_measure(plan, field);
    if (key >= 0)
        cursor_key_value(plan, addresses, group, (uint32_t)key, out);
    else if (measure >= 0)
        cursor_measure_value(plan, group, (uint32_t)measure, out);
}

int nfl__cursor_order_key(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *row, nfl__key *out)
{
    nfl_value value = {.struct_size = sizeof value};
    nfl__cursor_group_value(plan, addresses, row, &plan->order, &value);
    *out = nfl__key_number(0);
    if (value.present)
        *out = plan->order.type == NFL_TYPE_IP ? nfl__key_ip(&value.ip)
                                               : nfl__key_u64(plan->order.type, value.u64);
    return value.present;
}

/* --- Values of records ---- */

static void cursor_record_value(const nfl_cursor *cursor, uint32_t column, nfl_value *out)
{
    const nfl__output *output = &cursor->plan.outputs[column];
    out->present = cursor->row[0] >> column & 1;
    if (!out->present)
        return;
    if (output->type == NFL_TYPE_IP)
        memcpy(&out->ip, cursor->row + output->word, sizeof out->ip);
    else
        out->u64 = cursor->row[output->word];
}

static void cursor_listed_value(const nfl_cursor *cursor, const nfl__output *output, nfl_value *out)
{
    const nfl__scan *scan = cursor->scan;
    uint32_t row = scan->rows[cursor->at - 1];
    if (output->type != NFL_TYPE_IP) {
        out->present = (uint8_t)nfl__scan_value(scan, output->field, row, &out->u64);
        return;
    }
    const nfl__column *stored = nfl__scan_column(scan, output->field);
    out->present = (uint8_t)nfl__column_has(stored, row);
    if (out->present)
        memcpy(&out->ip, nfl__column_at(stored, row), sizeof out->ip);
}

/* --- Steps ---- */

void nfl__cursor_note_memory(nfl_cursor *cursor)
{
    if (cursor->memory.held > cursor->stats.memory_bytes)
        cursor->stats.memory_bytes = cursor->memory.held;
}

static nfl_status cursor_next_item(nfl_cursor *cursor)
{
    if (cursor->at >= cursor->top.count)
        return NFL_DONE;
    cursor->row = cursor->top.items[cursor->at++].row;
    return NFL_OK;
}

/* More rows to list: of this block or of the next one with a match. */
static nfl_status cursor_more_rows(nfl_cursor *cursor, int wanted, nfl_error *err)
{
    cursor->at = 0;
    if (nfl__scan_rows(cursor->scan))
        return NFL_OK;
    nfl_status status = nfl__scan_block(cursor->scan, err);
    if (status == NFL_OK && wanted)
        status = nfl__source_need(cursor->scan->source, cursor->plan.reads, err);
    if (status == NFL_OK)
        nfl__scan_rows(cursor->scan);
    return status;
}

static nfl_status cursor_next_listed(nfl_cursor *cursor, nfl_error *err)
{
    nfl__scan *scan = cursor->scan;
    const nfl_query *query = &cursor->plan.query;
    int wanted = query->limit == 0 || cursor->returned < query->limit;
    for (;;) {
        uint64_t left = scan->count - cursor->at, skip = query->offset - cursor->passed_over;
        skip = skip < left ? skip : left;
        cursor->at += (size_t)skip;
        cursor->passed_over += skip;
        if (wanted && cursor->at < scan->count) {
            cursor->at++;
            return NFL_OK;
        }
        nfl_status status = cursor_more_rows(cursor, wanted, err);
        if (status != NFL_OK)
            return status;
    }
}

nfl_status nfl_cursor_next(nfl_cursor *cursor, nfl_error *err)
{
    cursor->on_row = 0;
    if (cursor->failed != NFL_OK)
        return nfl__fail(err, cursor->failed, NFL_NO_OFFSET, "the query failed before");
    if (cursor->finished)
        return NFL_DONE;
    nfl_status status = cursor->scan ? cursor_next_listed(cursor, err) : cursor_next_item(cursor);
    cursor->on_row = status == NFL_OK;
    cursor->returned += status == NFL_OK;
    cursor->finished = status == NFL_DONE;
    cursor->failed = status < 0 ? status : NFL_OK;
    return status;
}

/* --- What the result looks like ---- */

uint32_t nfl_cursor_columns(const nfl_cursor *cursor)
{
    return cursor->plan.output_count;
}

nfl_status nfl_cursor_column(const nfl_cursor *cursor, uint32_t column, nfl_column_info *out)
{
    if (column >= cursor->plan.output_count)
        return NFL_E_ARG;
    const nfl__output *output = &cursor->plan.outputs[column];
    const nfl_field_info *row = nfl__field_row(output->field);
    nfl_column_info info = {
        .struct_size = sizeof info, .field = output->field, .type = output->type, .kind = output->kind};
    info.is_key = output->from == NFL__OUTPUT_KEY || output->from == NFL__OUTPUT_TIME;
    info.name = output->from == NFL__OUTPUT_DISTINCT ? cursor->plan.distinct_name : (const char *)row->name;
    info.title = output->from == NFL__OUTPUT_DISTINCT ? cursor->plan.distinct_title : (const char *)row->title;
    return nfl__opts_write(out, &info, sizeof info) ? NFL_OK : NFL_E_ARG;
}

static void cursor_read(const nfl_cursor *cursor, uint32_t column, nfl_value *value)
{
    const nfl__output *output = &cursor->plan.outputs[column];
    value->type = output->type;
    value->kind = output->kind;
    if (!cursor->on_row)
        return;
    if (cursor->scan)
        cursor_listed_value(cursor, output, value);
    else if (cursor->plan.grouped)
        nfl__cursor_group_value(&cursor->plan, &cursor->addresses, cursor->row, output, value);
    else
        cursor_record_value(cursor, column, value);
}

void nfl_cursor_get(const nfl_cursor *cursor, uint32_t column, nfl_value *out)
{
    nfl_value value = {.struct_size = sizeof value};
    if (column < cursor->plan.output_count)
        cursor_read(cursor, column, &value);
    if (out->struct_size == sizeof value) /* exports call this for every value: no copy of unknown length */
        *out = value;
    else
        nfl__opts_write(out, &value, sizeof value);
}

uint64_t nfl_cursor_u64(const nfl_cursor *cursor, uint32_t column)
{
    nfl_value value = {.struct_size = sizeof value};
    if (column < cursor->plan.output_count)
        cursor_read(cursor, column, &value);
    return value.present ? value.u64 : 0;
}

nfl_status nfl_cursor_token(const nfl_cursor *cursor, char dst[NFL_TOKEN_SIZE], nfl_error *err)
{
    if (cursor->returned == 0)
        return nfl__fail(err, NFL_E_STATE, NFL_NO_OFFSET, "no row was returned");
    if (!cursor->plan.ordered || cursor->plan.bucketed)
        return nfl__fail(err, NFL_E_STATE, NFL_NO_OFFSET, "rows of a query %s have no token",
                         cursor->plan.bucketed ? "with buckets" : "without order");
    return nfl__page_token(&cursor->page, &cursor->top, cursor->at - 1, dst, err);
}

void nfl_cursor_get_stats(const nfl_cursor *cursor, nfl_query_stats *out)
{
    nfl_query_stats stats = cursor->stats;
    if (cursor->scan) {
        uint64_t memory_bytes = stats.memory_bytes;
        stats = cursor->scan->stats;
        stats.memory_bytes = memory_bytes;
        stats.groups = stats.rows_matched;
    }
    nfl__opts_write(out, &stats, sizeof stats);
}

nfl_cursor *nfl__cursor_retain(nfl_cursor *cursor)
{
    cursor->streams++;
    return cursor;
}

void nfl_cursor_free(nfl_cursor *cursor)
{
    if (!cursor)
        return;
    if (cursor->streams > 0) {
        cursor->streams--;
        return;
    }
    nfl__memory memory = cursor->memory;
    if (cursor->scan)
        nfl__scan_close(cursor->scan);
    nfl__groups_done(&cursor->groups);
    nfl__table_done(&cursor->totals);
    nfl__addresses_done(&cursor->addresses);
    if (cursor->records.memory)
        nfl__pool_done(&cursor->records);
    nfl__top_done(&cursor->top);
    nfl__having_close(&cursor->having);
    nfl__delete(&cursor->memory, cursor->scan, 1, sizeof *cursor->scan);
    if (cursor->retained)
        cursor->store.release(cursor->store.self);
    memory = cursor->memory;
    nfl__delete(&memory, cursor, 1, sizeof *cursor);
}

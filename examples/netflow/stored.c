#include "stored.h"

#include "lists.h"
#include "report.h"
#include "results.h"

#include <netflow/filter.h>
#include <netflow/query.h>
#include <netflow/store.h>
#include <netflow/time.h>

#include <stdlib.h>
#include <string.h>

/* For sorting flows by arrival; more flows are read in several parts. */
#define STORED_MEMORY_BYTES (UINT64_C(256) << 20)

enum { STORED_COLUMNS = 64, STORED_NAMES = 2048 };

typedef struct stored {
    const options *given;
    nfl_store *store;
    const char *filter; /* NULL = all */
    list_files lists;
    const char *columns;
    int (*take)(void *context, const nfl_flow *flow);
    void *context;
    int stopped; /* `take` said so */
} stored;

static void stored_put(nfl_flow *flow, const nfl_field_info *info, const nfl_value *value)
{
    unsigned char *member = (unsigned char *)flow + info->offset;
    uint8_t u8 = (uint8_t)value->u64;
    uint16_t u16 = (uint16_t)value->u64;
    uint32_t u32 = (uint32_t)value->u64;
    const void *from = info->width == 1   ? (const void *)&u8
                       : info->width == 2 ? (const void *)&u16
                       : info->width == 4 ? (const void *)&u32
                       : info->width == 8 ? (const void *)&value->u64
                                          : (const void *)&value->ip;
    memcpy(member, from, info->width);
    flow->present |= NFL_HAS(info->field);
}

/* The current row as the flow it was. */
static void stored_flow(const nfl_cursor *cursor, const nfl_field_info *fields, uint32_t count,
                        nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    for (uint32_t i = 0; i < count; i++) {
        nfl_value value = {.struct_size = sizeof value};
        nfl_cursor_get(cursor, i, &value);
        if (value.present)
            stored_put(flow, &fields[i], &value);
    }
    if (!(flow->present & NFL_HAS(NFL_FIELD_FIRST)))
        flow->first_us = flow->received_us;
    if (!(flow->present & NFL_HAS(NFL_FIELD_LAST)))
        flow->last_us = flow->received_us;
}

static nfl_status stored_take(stored *s, nfl_cursor *cursor, nfl_error *err)
{
    nfl_field_info fields[STORED_COLUMNS];
    uint32_t count = nfl_cursor_columns(cursor);
    for (uint32_t i = 0; i < count && i < STORED_COLUMNS; i++) {
        NFL_OPTS(nfl_column_info, column, .field = 0);
        fields[i].struct_size = sizeof fields[i];
        nfl_status status = nfl_cursor_column(cursor, i, &column);
        if (status < 0 || (status = nfl_field_get(column.field, &fields[i])) < 0)
            return status;
    }
    nfl_status status = NFL_OK;
    while (!s->stopped && (status = nfl_cursor_next(cursor, err)) == NFL_OK) {
        nfl_flow flow;
        stored_flow(cursor, fields, count, &flow);
        s->stopped = s->take(s->context, &flow);
    }
    return status;
}

/* Flows received from `from_us` up to before `to_us`, in order of arrival. When sorting them takes too much memory,
 * the two halves of the time one after the other. */
static nfl_status stored_range(stored *s, nfl_usec from_us, nfl_usec to_us, nfl_error *err)
{
    char from[NFL_TIME_TEXT_SIZE], to[NFL_TIME_TEXT_SIZE];
    nfl_time_format(from_us, from, sizeof from);
    nfl_time_format(to_us, to, sizeof to);
    size_t room = sizeof from + sizeof to + 64 + (s->filter ? strlen(s->filter) : 0);
    char *filter = tool_grow(NULL, room);
    snprintf(filter, room, "%s%s%sreceived >= %s and received < %s", s->filter ? "(" : "",
             s->filter ? s->filter : "", s->filter ? ") and " : "", from, to);
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_UNSCALED | NFL_QUERY_ASCENDING,
             .from_us = s->given->from_us, .to_us = s->given->to_us, .filter = filter, .columns = s->columns,
             .order_by = "received", .now_us = s->given->now_us, .max_memory_bytes = STORED_MEMORY_BYTES,
             .filter_list = lists_read, .filter_list_ctx = &s->lists);
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(s->store, &query, &cursor, err);
    free(filter);
    if (status == NFL_E_LIMIT && to_us - from_us > 1) {
        nfl_usec middle_us = from_us + (to_us - from_us) / 2;
        status = stored_range(s, from_us, middle_us, err);
        return status < 0 || s->stopped ? status : stored_range(s, middle_us, to_us, err);
    }
    if (status == NFL_OK)
        status = stored_take(s, cursor, err);
    nfl_cursor_free(cursor);
    return status;
}

/* "first,last,bytes,...": every field that is stored. */
static void stored_all_columns(char names[STORED_NAMES])
{
    size_t at = 0;
    names[0] = 0;
    for (uint32_t i = 0; i < NFL_FIELD_STORED_COUNT; i++) {
        NFL_OPTS(nfl_field_info, field, .field = 0);
        if (nfl_field_get(i, &field) == NFL_OK && at < STORED_NAMES - 64)
            at += (size_t)snprintf(names + at, STORED_NAMES - at, "%s%s", at ? "," : "", field.name);
    }
}

static nfl_status stored_read_open(stored *s, nfl_error *err)
{
    nfl_filter *checked = NULL;
    NFL_OPTS(nfl_filter_opts, opts, .now_us = s->given->now_us, .list = lists_read, .list_ctx = &s->lists);
    nfl_status status = s->filter ? nfl_filter_new(s->filter, &opts, &checked, err) : NFL_OK;
    if (status < 0)
        return status; /* its column is that of the filter as given */
    nfl_filter_free(checked);
    NFL_OPTS(nfl_store_info, info, .flows = 0);
    status = nfl_store_get_info(s->store, &info, err);
    if (status == NFL_OK && info.flows)
        status = stored_range(s, info.received_first_us, info.received_last_us + 1, err);
    return status;
}

int stored_read(const options *given, const char *columns, int filtered,
                int (*take)(void *context, const nfl_flow *flow), void *context)
{
    char names[STORED_NAMES];
    stored s = {.given = given, .columns = columns ? columns : names, .take = take, .context = context};
    nfl_error err;
    if (!store_open_to_read(given, &s.store))
        return EXIT_FAILED;
    stored_all_columns(names);
    char *filter = filtered ? filter_of(given) : NULL;
    s.filter = filter;
    nfl_status status = stored_read_open(&s, &err);
    if (status == NFL_E_SYNTAX && filter)
        complain_at(&err, "filter", filter);
    else if (status < 0)
        complain_about(given->store, &err);
    free(filter);
    lists_done(&s.lists);
    nfl_store_free(s.store);
    return status < 0 || s.stopped ? EXIT_FAILED : EXIT_DONE;
}

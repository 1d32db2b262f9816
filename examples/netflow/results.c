#include "results.h"

#include "facts.h"
#include "lists.h"
#include "report.h"
#include "table.h"
#include "text.h"
#include "writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RESULTS_KEY_SIZE = 48 };

typedef struct results {
    const options *given;
    nfl_cursor *cursor;
    uint32_t column_count;
    int grouped;
    int gauge;             /* TABLE_* */
    uint32_t gauge_column; /* whose value the gauge shows */
    uint64_t rows;
    nfl_column_info columns[TABLE_COLUMNS];
    uint8_t key_lens[TABLE_COLUMNS];
    char keys[TABLE_COLUMNS][RESULTS_KEY_SIZE]; /* of JSON: "name": */
    writer out;                                 /* of CSV and JSON */
} results;

int store_open_to_read(const options *given, nfl_store **out)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    nfl_error err;
    if (nfl_store_new(given->store, &opts, out, &err) == NFL_OK)
        return 1;
    complain_about(given->store, &err);
    return 0;
}

char *filter_of(const options *given)
{
    size_t len = 0;
    for (int i = 0; i < given->argument_count; i++)
        len += strlen(given->arguments[i]) + 1;
    if (len == 0)
        return NULL;
    char *text = tool_grow(NULL, len);
    size_t at = 0;
    for (int i = 0; i < given->argument_count; i++) {
        size_t part = strlen(given->arguments[i]);
        memcpy(text + at, given->arguments[i], part);
        text[at + part] = ' ';
        at += part + 1;
    }
    text[len - 1] = 0;
    return text;
}

/* ---- the three forms ---- */

static void results_value(const results *r, uint32_t column, uint32_t form, char text[NFL_VALUE_TEXT_SIZE],
                          nfl_value *value)
{
    value->struct_size = sizeof *value;
    nfl_cursor_get(r->cursor, column, value);
    nfl_value_format(value, form, text, NFL_VALUE_TEXT_SIZE);
}

static void results_row_json(results *r)
{
    nfl_value value = {.struct_size = sizeof value};
    const char *between = "{";
    for (uint32_t i = 0; i < r->column_count; i++) {
        nfl_cursor_get(r->cursor, i, &value);
        if (!value.present && !r->columns[i].is_key)
            continue;
        writer_add(&r->out, between, strlen(between));
        writer_add(&r->out, r->keys[i], r->key_lens[i]);
        writer_value(&r->out, &value, NFL_TEXT_JSON);
        between = ", ";
    }
    writer_add(&r->out, *between == '{' ? "{}\n" : "}\n", *between == '{' ? 3 : 2);
}

static void results_row_csv(results *r)
{
    nfl_value value = {.struct_size = sizeof value};
    for (uint32_t i = 0; i < r->column_count; i++) {
        nfl_cursor_get(r->cursor, i, &value);
        if (i)
            writer_add(&r->out, ",", 1);
        writer_value(&r->out, &value, NFL_TEXT_PLAIN);
    }
    writer_add(&r->out, "\r\n", 2);
}

static void results_row_table(const results *r, table *t)
{
    char text[NFL_VALUE_TEXT_SIZE];
    nfl_value value;
    for (uint32_t i = 0; i < r->column_count; i++) {
        results_value(r, i, NFL_TEXT_HUMAN, text, &value);
        if (r->columns[i].field == NFL_FIELD_TIME && r->given->bucket_us % 1000000 == 0)
            text[strcspn(text, ".")] = 0; /* buckets of whole seconds */
        table_cell(t, text);
    }
    table_end_row(t, r->gauge == TABLE_PLAIN ? 0 : nfl_cursor_u64(r->cursor, r->gauge_column));
}

static void results_header_csv(const results *r)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        printf("%s%s", i ? "," : "", r->columns[i].name);
    fputs("\r\n", stdout);
}

static void results_header_table(const results *r, table *t)
{
    table_init(t, r->grouped ? 0 : RESULTS_HELD_ROWS);
    for (uint32_t i = 0; i < r->column_count; i++) {
        const nfl_column_info *c = &r->columns[i];
        int left = c->type == NFL_TYPE_IP || c->kind == NFL_KIND_TIME || c->kind == NFL_KIND_PROTO ||
                   c->kind == NFL_KIND_FLAGS || c->kind == NFL_KIND_MAC || c->kind == NFL_KIND_APP;
        table_add_column(t, c->title, !left);
    }
}

/* ---- totals ---- */

/* What was matched in all, for the columns that add up; NULL for others. */
static const uint64_t *results_total_of(const nfl_query_stats *stats, uint32_t field)
{
    return field == NFL_FIELD_BYTES     ? &stats->bytes
           : field == NFL_FIELD_PACKETS ? &stats->packets
           : field == NFL_FIELD_FLOWS   ? &stats->flows
                                        : NULL;
}

static void results_total_row(const results *r, table *t, const nfl_query_stats *stats)
{
    table_total(t);
    for (uint32_t i = 0; i < r->column_count; i++) {
        char text[NFL_VALUE_TEXT_SIZE];
        const uint64_t *total = results_total_of(stats, r->columns[i].field);
        table_cell(t, total ? fact_human(*total, text) : i == 0 ? "total" : "");
    }
    table_end_row(t, t->gauge_full);
}

static void results_end_table(results *r, table *t)
{
    NFL_OPTS(nfl_query_stats, stats, .reserved = 0);
    nfl_cursor_get_stats(r->cursor, &stats);
    const uint64_t *full = results_total_of(&stats, r->columns[r->gauge_column].field);
    t->gauge = full || r->gauge == TABLE_BAR ? r->gauge : TABLE_PLAIN;
    t->gauge_full = full ? *full : 0;
    if (r->gauge == TABLE_BAR) {
        t->gauge_full = 0;
        for (size_t i = 0; i < t->rows; i++)
            t->gauge_full = t->weights[i] > t->gauge_full ? t->weights[i] : t->gauge_full;
    }
    if (r->grouped && r->rows)
        results_total_row(r, t, &stats);
    table_done(t);
    if (r->rows == 0)
        puts("no flow matches");
    else if (r->grouped && r->rows < stats.groups)
        printf("%" PRIu64 " of %" PRIu64 " rows; -n 0 shows all\n", r->rows, stats.groups);
    else if (!r->grouped) {
        char bytes[NFL_VALUE_TEXT_SIZE], packets[NFL_VALUE_TEXT_SIZE];
        printf("%" PRIu64 " of %" PRIu64 " records; all together %sB, %s packets\n", r->rows, stats.groups,
               fact_human(stats.bytes, bytes), fact_human(stats.packets, packets));
    }
}

/* ---- asking ---- */

static void results_describe(results *r, const nfl_query *query)
{
    r->column_count = nfl_cursor_columns(r->cursor);
    if (r->column_count > TABLE_COLUMNS)
        r->column_count = TABLE_COLUMNS;
    const char *order = query->order_by ? query->order_by : "bytes";
    uint32_t wanted = nfl_field_find(order, strlen(order));
    for (uint32_t i = 0; i < r->column_count; i++) {
        r->columns[i].struct_size = sizeof r->columns[i];
        if (nfl_cursor_column(r->cursor, i, &r->columns[i]) < 0)
            continue;
        int len = snprintf(r->keys[i], RESULTS_KEY_SIZE, "\"%s\": ", r->columns[i].name);
        r->key_lens[i] = (uint8_t)(len < RESULTS_KEY_SIZE ? len : 0);
        if (r->columns[i].field == wanted || (r->columns[i].field == NFL_FIELD_BYTES && !r->gauge_column))
            r->gauge_column = i;
    }
}

static nfl_status results_print(results *r, nfl_error *err)
{
    table *t = r->given->format == FORMAT_TABLE ? tool_grow(NULL, sizeof *t) : NULL;
    if (t)
        results_header_table(r, t);
    else if (r->given->format == FORMAT_CSV)
        results_header_csv(r);
    nfl_status status;
    while ((status = nfl_cursor_next(r->cursor, err)) == NFL_OK && !ferror(stdout)) {
        r->rows++;
        if (t)
            results_row_table(r, t);
        else if (r->given->format == FORMAT_CSV)
            results_row_csv(r);
        else
            results_row_json(r);
    }
    writer_flush(&r->out);
    if (t)
        results_end_table(r, t);
    free(t);
    return status;
}

/* Say what is wrong with a query. The message of a field list begins with the list's name in nfl_query. */
static void results_complain(const nfl_error *err, const nfl_query *query)
{
    const struct {
        const char *prefix, *name, *text;
    } lists[] = {{"group_by: ", "--by", query->group_by},
                 {"columns: ", "--columns", query->columns},
                 {"order_by: ", "--order", query->order_by},
                 {"having: ", "--having", query->having}};
    if (err->code != NFL_E_SYNTAX) {
        complain("%s", err->message);
        return;
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        size_t len = strlen(lists[i].prefix);
        if (strncmp(err->message, lists[i].prefix, len) == 0 && lists[i].text) {
            nfl_error own = *err;
            memmove(own.message, err->message + len, strlen(err->message) - len + 1);
            complain_at(&own, lists[i].name, lists[i].text);
            return;
        }
    }
    complain_at(err, "filter", query->filter ? query->filter : "");
}

/* --explain: what the answer cost. */
static void results_explain(const results *r)
{
    NFL_OPTS(nfl_query_stats, stats, .reserved = 0);
    char memory[NFL_VALUE_TEXT_SIZE];
    nfl_cursor_get_stats(r->cursor, &stats);
    if (r->given->unique)
        fprintf(stderr, "records left out because another exporter saw them better %" PRIu64 "\n", stats.rows_duplicate);
    fprintf(stderr,
            "blocks read %" PRIu64 ", left out %" PRIu64 " (times, values and addresses in their summaries)\n"
            "records looked at %" PRIu64 ", matching %" PRIu64 ", of these by sums made before %" PRIu64 ", groups or rows %" PRIu64 "\n"
            "memory %sB, passes %" PRIu64 "\n",
            stats.blocks_read, stats.blocks_skipped, stats.rows_read, stats.rows_matched, stats.rows_summed, stats.groups,
            fact_human(stats.memory_bytes, memory), stats.passes ? stats.passes : 1);
}

/* Never less than was asked for without a word. */
static void results_note_reduced(const results *r)
{
    NFL_OPTS(nfl_query_stats, stats, .reserved = 0);
    nfl_cursor_get_stats(r->cursor, &stats);
    if (stats.rows_reduced)
        fprintf(stderr, "netflow: %" PRIu64 " records are not in this: only sums of them are kept, which do not tell it\n",
                stats.rows_reduced);
}

/* No estimate without its bound. */
static void results_note_error(const results *r)
{
    NFL_OPTS(nfl_query_stats, stats, .reserved = 0);
    nfl_cursor_get_stats(r->cursor, &stats);
    if (stats.distinct_error_per_mille)
        fprintf(stderr, "netflow: distinct counts above 192 are estimates, within %" PRIu64 ".%" PRIu64 " %% in 997 of 1000 cases\n",
                stats.distinct_error_per_mille / 10, stats.distinct_error_per_mille % 10);
}

/* The cursor is used up. */
static nfl_status results_show(const options *given, const nfl_query *query, nfl_cursor *cursor, int gauge)
{
    nfl_error err;
    results *r = tool_grow(NULL, sizeof *r);
    memset(r, 0, sizeof *r);
    r->given = given;
    r->out.to = stdout;
    r->gauge = gauge;
    r->grouped = query->group_by || query->bucket_us;
    r->cursor = cursor;
    results_describe(r, query);
    nfl_status status = results_print(r, &err);
    if (status >= 0)
        results_note_reduced(r);
    if (status >= 0)
        results_note_error(r);
    if (status >= 0 && given->explain)
        results_explain(r);
    if (status < 0)
        results_complain(&err, query);
    free(r);
    return status;
}

/* Asked together, questions do not tell whose mistake it is. */
static void results_find_mistake(nfl_store *store, const nfl_query *queries, size_t count, const nfl_error *err)
{
    for (size_t i = 0; i < count; i++) {
        nfl_error own;
        nfl_cursor *cursor = NULL;
        nfl_status status = nfl_store_query(store, &queries[i], &cursor, &own);
        nfl_cursor_free(cursor);
        if (status >= 0)
            continue;
        results_complain(&own, &queries[i]);
        return;
    }
    results_complain(err, &queries[0]);
}

static nfl_status results_ask(const options *given, nfl_store *store, const nfl_query *queries, size_t count, int gauge)
{
    const nfl_query *asked[RESULTS_QUERIES] = {NULL};
    nfl_cursor *cursors[RESULTS_QUERIES];
    nfl_error err;
    for (size_t i = 0; i < count; i++)
        asked[i] = &queries[i];
    nfl_status status = nfl_store_query_all(store, asked, count, cursors, &err);
    if (status < 0)
        results_find_mistake(store, queries, count, &err);
    for (size_t i = 0; i < count; i++) {
        if (i && status >= 0 && given->format == FORMAT_TABLE)
            putchar('\n');
        if (status >= 0)
            status = results_show(given, &queries[i], cursors[i], gauge);
        nfl_cursor_free(cursors[i]);
    }
    return status;
}

/* A store, and what queries to it refer to. */
struct results_source {
    nfl_store *store;
    char *filter;
    list_files known;
};

static results_source *results_begin(const options *given, nfl_query *queries, size_t count)
{
    nfl_store *store = NULL;
    if (!store_open_to_read(given, &store))
        return NULL;
    results_source *source = tool_grow(NULL, sizeof *source);
    *source = (results_source){.store = store, .filter = filter_of(given)};
    for (size_t i = 0; i < count; i++) {
        nfl_query *query = &queries[i];
        query->struct_size = sizeof *query;
        query->filter = source->filter;
        query->filter_list = lists_read;
        query->filter_list_ctx = &source->known;
        query->from_us = given->from_us;
        query->to_us = given->to_us;
        query->now_us = given->now_us;
        query->limit = given->limit;
        query->flags |= (given->unique ? NFL_QUERY_UNIQUE : 0) | (given->biflow ? NFL_QUERY_BIFLOW : 0) |
                        (given->approximate ? NFL_QUERY_APPROXIMATE : 0);
        query->max_memory_bytes = given->memory_bytes;
    }
    return source;
}

void results_close(results_source *source, nfl_cursor *cursor)
{
    nfl_cursor_free(cursor);
    nfl_store_free(source->store);
    lists_done(&source->known);
    free(source->filter);
    free(source);
}

results_source *results_open(const options *given, nfl_query *query, nfl_cursor **out)
{
    nfl_error err;
    results_source *source = results_begin(given, query, 1);
    *out = NULL;
    if (!source || nfl_store_query(source->store, query, out, &err) >= 0)
        return source;
    results_complain(&err, query);
    results_close(source, NULL);
    return NULL;
}

int results_run(const options *given, nfl_query *queries, size_t count, int gauge)
{
    results_source *source = results_begin(given, queries, count);
    if (!source)
        return EXIT_FAILED;
    nfl_status status = results_ask(given, source->store, queries, count, gauge);
    results_close(source, NULL);
    return report_output(status < 0 ? EXIT_FAILED : EXIT_DONE);
}

#include "export.h"

#include "row.h"

#include <stdlib.h>
#include <string.h>

enum { EXPORT_CHUNK = 16 << 10 };

struct export
{
    uint32_t form;
    queries *queries;
    query_slot *slot;
    nfl_store *store;
    nfl_cursor *cursor;
    json text;   /* made but not yet read */
    size_t read; /* bytes of it read */
    int started;
    int ended;
    int failed;
};

static const struct {
    const char *content_type;
    const char *file_name;
} export_forms[] = {
    [EXPORT_CSV] = {"text/csv; charset=utf-8; header=present", "flows.csv"},
    [EXPORT_JSON] = {"application/json", "flows.json"},
};

export *export_new(uint32_t form, queries *running, query_slot *slot, nfl_store *store, nfl_cursor *cursor)
{
    export *e = malloc(sizeof *e);
    export from = {.form = form, .queries = running, .slot = slot, .store = store, .cursor = cursor};
    if (e) {
        *e = from;
        return e;
    }
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    queries_end(running, slot);
    return NULL;
}

void export_free(export *e)
{
    if (!e)
        return;
    nfl_cursor_free(e->cursor);
    nfl_store_free(e->store);
    queries_end(e->queries, e->slot);
    json_done(&e->text);
    free(e);
}

const char *export_content_type(const export *e)
{
    return export_forms[e->form].content_type;
}

const char *export_file_name(const export *e)
{
    return export_forms[e->form].file_name;
}

static void export_put(export *e, const char *text)
{
    e->text.needs_comma = 0;
    json_raw(&e->text, text, strlen(text));
    e->text.needs_comma = 0;
}

/* Values are numbers, addresses, times and names from fixed tables: nothing that needs quotes or that a
 * spreadsheet would take for a formula. */
static void export_csv_line(export *e, int header)
{
    for (uint32_t i = 0; i < nfl_cursor_columns(e->cursor); i++) {
        char text[NFL_VALUE_TEXT_SIZE];
        nfl_column_info column = {.struct_size = sizeof column};
        nfl_value value = {.struct_size = sizeof value};
        if (i)
            export_put(e, ",");
        if (header) {
            export_put(e, nfl_cursor_column(e->cursor, i, &column) == NFL_OK ? column.name : "");
            continue;
        }
        nfl_cursor_get(e->cursor, i, &value);
        nfl_value_format(&value, NFL_TEXT_PLAIN, text, sizeof text);
        export_put(e, text);
    }
    export_put(e, "\r\n");
}

static void export_json_row(export *e, int first)
{
    export_put(e, first ? "\n" : ",\n");
    row_write(e->cursor, &e->text);
}

static void export_start(export *e)
{
    if (e->form == EXPORT_CSV)
        export_csv_line(e, 1);
    else
        export_put(e, "[");
}

static void export_row(export *e, int first)
{
    if (e->form == EXPORT_CSV)
        export_csv_line(e, 0);
    else
        export_json_row(e, first);
}

/* Make text until there is a chunk of it or no more rows. */
static void export_fill(export *e)
{
    e->text.len = 0;
    e->read = 0;
    int first = !e->started;
    if (first)
        export_start(e);
    e->started = 1;
    while (e->text.len < EXPORT_CHUNK && !e->ended && !e->failed) {
        nfl_status status = nfl_cursor_next(e->cursor, NULL);
        if (status == NFL_OK)
            export_row(e, first);
        first = 0;
        e->ended = status == NFL_DONE;
        e->failed = status < 0 || !json_ok(&e->text);
    }
    if (e->ended && e->form == EXPORT_JSON)
        export_put(e, "\n]\n");
}

ssize_t export_read(export *e, char *dst, size_t capacity)
{
    if (e->read == e->text.len && !e->ended && !e->failed)
        export_fill(e);
    if (e->failed)
        return -1;
    size_t n = e->text.len - e->read;
    n = n < capacity ? n : capacity;
    if (n)
        memcpy(dst, e->text.data + e->read, n);
    e->read += n;
    return (ssize_t)n;
}

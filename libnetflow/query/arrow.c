/* Cursor rows as Arrow record batches.
 *
 *   stream ──get_next──► batch (struct array) ──► one array a column ──► its buffers
 *
 * Consumers may take an array out of its batch and release it later, elsewhere. So every array owns its buffers by itself
 * and holds a copy of the allocator; nothing of it points into the batch, the stream or the cursor.
 */
#include <netflow/arrow.h>

#include "base/error.h"
#include "query/cursor.h"

#include <errno.h>
#include <string.h>

#define ARROW_BATCH_ROWS 65536u
#define ARROW_MOST_ROWS (1u << 20)
#define ARROW_FIRST_BYTES 1024u /* of a buffer; it grows as rows come */

/* How a column is laid out. */
typedef struct arrow_form {
    const char *format; /* of the Arrow specification */
    uint8_t width;      /* bytes of a value, or of an offset into the text */
    uint8_t is_text;
} arrow_form;

/* Buffers of one array. Rooms are in bytes. */
typedef struct arrow_column {
    nfl__memory memory; /* its own */
    arrow_form form;
    uint8_t *valid;  /* a bit a row */
    uint8_t *values; /* text: where each row's text begins, and where the last one's ends */
    char *text;
    size_t valid_room, value_room, text_room;
    size_t text_len;
    int64_t nulls;
    const void *buffers[3];
} arrow_column;

typedef struct arrow_stream {
    nfl__memory memory;
    nfl_cursor *cursor;
    uint32_t batch_rows;
    uint32_t flags;
    nfl_error failure; /* message is empty when there was none */
} arrow_stream;

static arrow_form arrow_form_of(const nfl_column_info *column, uint32_t flags)
{
    static const arrow_form text = {"u", sizeof(int32_t), 1}, ip = {"w:16", sizeof(nfl_ip), 0},
                            time = {"tsu:UTC", sizeof(int64_t), 0}, duration = {"tDu", sizeof(int64_t), 0},
                            numbers[] = {{"C", 1, 0}, {"S", 2, 0}, {"I", 4, 0}, {"L", 8, 0}};
    int written = column->kind == NFL_KIND_ADDRESS || column->kind == NFL_KIND_MAC || column->kind == NFL_KIND_APP;
    if (written && !(flags & NFL_ARROW_RAW))
        return text;
    switch (column->type) {
    case NFL_TYPE_IP:
        return ip;
    case NFL_TYPE_TIME:
        return column->kind == NFL_KIND_DURATION ? duration : time;
    case NFL_TYPE_U8:
        return numbers[0];
    case NFL_TYPE_U16:
        return numbers[1];
    case NFL_TYPE_U32:
        return numbers[2];
    default:
        return numbers[3];
    }
}

static arrow_form arrow_column_form(const arrow_stream *stream, uint32_t index, const char **name)
{
    nfl_column_info column = {.struct_size = sizeof column};
    nfl_status known = nfl_cursor_column(stream->cursor, index, &column);
    nfl__assert(known == NFL_OK);
    (void)known;
    *name = column.name;
    return arrow_form_of(&column, stream->flags);
}

/* --- One column ---- */

static void arrow_column_free(arrow_column *column)
{
    nfl__memory memory = column->memory;
    nfl__delete(&memory, column->valid, column->valid_room, 1);
    nfl__delete(&memory, column->values, column->value_room, 1);
    nfl__delete(&memory, column->text, column->text_room, 1);
    nfl__delete(&memory, column, 1, sizeof *column);
}

/* Room for at least `need` bytes, twice as many as before: batches are filled row by row. 0 when out of memory. */
static int arrow_grow(nfl__memory *memory, void **bytes, size_t *room, size_t need)
{
    size_t wanted = *room ? *room : ARROW_FIRST_BYTES;
    if (need <= *room)
        return 1;
    while (wanted < need)
        wanted *= 2;
    void *grown = nfl__renew(memory, *bytes, *room, wanted, 1);
    if (!grown)
        return 0;
    *bytes = grown;
    *room = wanted;
    return 1;
}

/* Room for the value of one more row. */
static int arrow_reserve(arrow_column *column, size_t row)
{
    size_t old_room = column->valid_room;
    if (!arrow_grow(&column->memory, (void **)&column->valid, &column->valid_room, row / 8 + 1))
        return 0;
    if (column->valid_room > old_room)
        memset(column->valid + old_room, 0, column->valid_room - old_room);
    return arrow_grow(&column->memory, (void **)&column->values, &column->value_room,
                      (row + 1 + column->form.is_text) * column->form.width);
}

static int arrow_add_text(arrow_column *column, size_t row, const nfl_value *value)
{
    if (!arrow_grow(&column->memory, (void **)&column->text, &column->text_room, column->text_len + NFL_VALUE_TEXT_SIZE))
        return 0;
    int32_t offsets[2] = {(int32_t)column->text_len, 0};
    column->text_len += nfl_value_format(value, NFL_TEXT_PLAIN, column->text + column->text_len, NFL_VALUE_TEXT_SIZE);
    offsets[1] = (int32_t)column->text_len;
    memcpy(column->values + row * sizeof *offsets, offsets, sizeof offsets);
    return 1;
}

static void arrow_add_number(arrow_column *column, size_t row, uint64_t number)
{
    uint8_t u8 = (uint8_t)number;
    uint16_t u16 = (uint16_t)number;
    uint32_t u32 = (uint32_t)number;
    const void *from = column->form.width == 1   ? (const void *)&u8
                       : column->form.width == 2 ? (const void *)&u16
                       : column->form.width == 4 ? (const void *)&u32
                                                 : (const void *)&number;
    memcpy(column->values + row * column->form.width, from, column->form.width);
}

/* The value of the next row. 0 when out of memory. */
static int arrow_add(arrow_column *column, size_t row, const nfl_value *value)
{
    if (!arrow_reserve(column, row))
        return 0;
    column->valid[row / 8] |= (uint8_t)(value->present << row % 8);
    column->nulls += !value->present;
    if (column->form.is_text)
        return arrow_add_text(column, row, value);
    if (column->form.width == sizeof(nfl_ip))
        memcpy(column->values + row * sizeof(nfl_ip), &value->ip, sizeof(nfl_ip)); /* absent: zeros */
    else
        arrow_add_number(column, row, value->present ? value->u64 : 0);
    return 1;
}

/* --- Batches ---- */

typedef struct arrow_batch {
    nfl__memory memory;
    uint32_t count;
    const void *validity; /* the buffer of the struct array: none, all rows are valid */
    struct ArrowArray **children;
    struct ArrowArray *arrays;
} arrow_batch;

static void arrow_release_column(struct ArrowArray *array)
{
    arrow_column_free(array->private_data);
    array->release = NULL;
}

static void arrow_batch_free(arrow_batch *batch)
{
    nfl__memory memory = batch->memory;
    for (uint32_t i = 0; i < batch->count && batch->arrays; i++)
        if (batch->arrays[i].release) /* not taken out by the consumer */
            batch->arrays[i].release(&batch->arrays[i]);
    nfl__delete(&memory, batch->arrays, batch->count, sizeof *batch->arrays);
    nfl__delete(&memory, batch->children, batch->count, sizeof *batch->children);
    nfl__delete(&memory, batch, 1, sizeof *batch);
}

static void arrow_release_batch(struct ArrowArray *array)
{
    arrow_batch_free(array->private_data);
    array->release = NULL;
}

static int arrow_batch_add_column(const arrow_stream *stream, arrow_batch *batch, uint32_t index)
{
    nfl__memory memory;
    const char *name;
    nfl__memory_init(&memory, &stream->memory.alloc, 0);
    arrow_column *column = nfl__new(&memory, 1, sizeof *column);
    if (!column)
        return 0;
    column->memory = memory;
    column->form = arrow_column_form(stream, index, &name);
    batch->arrays[index].private_data = column;
    batch->arrays[index].release = arrow_release_column;
    batch->children[index] = &batch->arrays[index];
    return 1;
}

/* A batch without rows; NULL when out of memory. */
static arrow_batch *arrow_batch_new(const arrow_stream *stream)
{
    nfl__memory memory;
    nfl__memory_init(&memory, &stream->memory.alloc, 0);
    arrow_batch *batch = nfl__new(&memory, 1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->memory = memory;
    batch->count = nfl_cursor_columns(stream->cursor);
    batch->arrays = nfl__new(&batch->memory, batch->count, sizeof *batch->arrays);
    batch->children = nfl__new(&batch->memory, batch->count, sizeof *batch->children);
    int good = batch->arrays && batch->children;
    for (uint32_t i = 0; i < batch->count && good; i++)
        good = arrow_batch_add_column(stream, batch, i);
    if (good)
        return batch;
    arrow_batch_free(batch);
    return NULL;
}

static nfl_status arrow_read_rows(const arrow_stream *stream, arrow_batch *batch, size_t *rows, nfl_error *err)
{
    nfl_status status = NFL_OK;
    nfl_value value = {.struct_size = sizeof value};
    while (*rows < stream->batch_rows && (status = nfl_cursor_next(stream->cursor, err)) == NFL_OK) {
        for (uint32_t i = 0; i < batch->count; i++) {
            nfl_cursor_get(stream->cursor, i, &value);
            if (!arrow_add(batch->arrays[i].private_data, *rows, &value))
                return nfl__fail_nomem(err, NFL_VALUE_TEXT_SIZE);
        }
        ++*rows;
    }
    return status;
}

/* Hand out the columns' buffers: their addresses do not change any more. */
static void arrow_finish_column(struct ArrowArray *array, size_t rows)
{
    arrow_column *column = array->private_data;
    column->buffers[0] = column->nulls ? column->valid : NULL;
    column->buffers[1] = column->values;
    column->buffers[2] = column->text;
    array->length = (int64_t)rows;
    array->null_count = column->nulls;
    array->n_buffers = column->form.is_text ? 3 : 2;
    array->buffers = column->buffers;
}

/* --- Schemas ---- */

typedef struct arrow_schema {
    nfl__memory memory;
    uint32_t count;
    struct ArrowSchema **children;
    struct ArrowSchema *columns;
} arrow_schema;

/* Name of a column, which outlives the cursor's. Formats are static. */
typedef struct arrow_name {
    nfl__memory memory;
    char *text;
    size_t size;
} arrow_name;

static void arrow_name_free(arrow_name *name)
{
    nfl__memory memory = name->memory;
    nfl__delete(&memory, name->text, name->size, 1);
    nfl__delete(&memory, name, 1, sizeof *name);
}

static void arrow_release_column_schema(struct ArrowSchema *schema)
{
    arrow_name_free(schema->private_data);
    schema->release = NULL;
}

static arrow_name *arrow_name_new(const nfl_alloc *alloc, const char *text)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    arrow_name *name = nfl__new(&memory, 1, sizeof *name);
    if (!name)
        return NULL;
    name->memory = memory;
    name->size = strlen(text) + 1;
    name->text = nfl__copy_text(&name->memory, text, name->size - 1);
    if (name->text)
        return name;
    arrow_name_free(name);
    return NULL;
}

static int arrow_schema_set_column(const arrow_stream *stream, uint32_t index, struct ArrowSchema *out)
{
    const char *text;
    arrow_form form = arrow_column_form(stream, index, &text);
    arrow_name *name = arrow_name_new(&stream->memory.alloc, text);
    if (!name)
        return 0;
    *out = (struct ArrowSchema){.format = form.format, .name = name->text, .flags = ARROW_FLAG_NULLABLE};
    out->release = arrow_release_column_schema;
    out->private_data = name;
    return 1;
}

static void arrow_schema_free(arrow_schema *schema)
{
    nfl__memory memory = schema->memory;
    for (uint32_t i = 0; i < schema->count && schema->columns; i++)
        if (schema->columns[i].release)
            schema->columns[i].release(&schema->columns[i]);
    nfl__delete(&memory, schema->columns, schema->count, sizeof *schema->columns);
    nfl__delete(&memory, schema->children, schema->count, sizeof *schema->children);
    nfl__delete(&memory, schema, 1, sizeof *schema);
}

static void arrow_release_schema(struct ArrowSchema *schema)
{
    arrow_schema_free(schema->private_data);
    schema->release = NULL;
}

static arrow_schema *arrow_schema_new(const arrow_stream *stream)
{
    nfl__memory memory;
    nfl__memory_init(&memory, &stream->memory.alloc, 0);
    arrow_schema *schema = nfl__new(&memory, 1, sizeof *schema);
    if (!schema)
        return NULL;
    schema->memory = memory;
    schema->count = nfl_cursor_columns(stream->cursor);
    schema->columns = nfl__new(&schema->memory, schema->count, sizeof *schema->columns);
    schema->children = nfl__new(&schema->memory, schema->count, sizeof *schema->children);
    int good = schema->columns && schema->children;
    for (uint32_t i = 0; i < schema->count && good; i++) {
        schema->children[i] = &schema->columns[i];
        good = arrow_schema_set_column(stream, i, &schema->columns[i]);
    }
    if (good)
        return schema;
    arrow_schema_free(schema);
    return NULL;
}

/* --- The stream ---- */

static int arrow_errno(nfl_status status)
{
    return status == NFL_E_NOMEM || status == NFL_E_LIMIT ? ENOMEM : status == NFL_E_CANCELLED ? ECANCELED : EIO;
}

static int arrow_get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out)
{
    arrow_stream *stream = self->private_data;
    arrow_schema *schema = arrow_schema_new(stream);
    if (!schema)
        return arrow_errno(nfl__fail_nomem(&stream->failure, sizeof *schema));
    *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = schema->count};
    out->children = schema->children;
    out->release = arrow_release_schema;
    out->private_data = schema;
    return 0;
}

/* After a failure rows may be missing: no batch follows. */
static int arrow_fail(arrow_stream *stream, arrow_batch *batch)
{
    if (batch)
        arrow_batch_free(batch);
    stream->batch_rows = 0;
    return arrow_errno(stream->failure.code);
}

static int arrow_get_next(struct ArrowArrayStream *self, struct ArrowArray *out)
{
    arrow_stream *stream = self->private_data;
    size_t rows = 0;
    if (stream->batch_rows == 0)
        return arrow_errno(stream->failure.code);
    arrow_batch *batch = arrow_batch_new(stream);
    if (!batch)
        nfl__fail_nomem(&stream->failure, sizeof *batch);
    if (!batch || arrow_read_rows(stream, batch, &rows, &stream->failure) < 0)
        return arrow_fail(stream, batch);
    *out = (struct ArrowArray){.length = (int64_t)rows, .n_buffers = 1, .n_children = batch->count};
    if (rows == 0) { /* the end: released from the beginning */
        arrow_batch_free(batch);
        return 0;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        arrow_finish_column(&batch->arrays[i], rows);
    out->buffers = &batch->validity;
    out->children = batch->children;
    out->release = arrow_release_batch;
    out->private_data = batch;
    return 0;
}

static const char *arrow_get_last_error(struct ArrowArrayStream *self)
{
    const arrow_stream *stream = self->private_data;
    return stream->failure.message[0] ? stream->failure.message : NULL;
}

static void arrow_release_stream(struct ArrowArrayStream *self)
{
    arrow_stream *stream = self->private_data;
    nfl__memory memory = stream->memory;
    nfl_cursor_free(stream->cursor);
    nfl__delete(&memory, stream, 1, sizeof *stream);
    self->release = NULL;
}

nfl_status nfl_cursor_arrow(nfl_cursor *cursor, uint32_t batch_rows, uint32_t flags, struct ArrowArrayStream *out,
                            nfl_error *err)
{
    nfl__memory memory;
    if (batch_rows > ARROW_MOST_ROWS)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "batches of %u rows, at most %u", batch_rows, ARROW_MOST_ROWS);
    if (flags & ~NFL_ARROW_RAW)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "flags 0x%x, only 0x%x is known", flags, NFL_ARROW_RAW);
    nfl__memory_init(&memory, &cursor->memory.alloc, 0);
    arrow_stream *stream = nfl__new(&memory, 1, sizeof *stream);
    if (!stream)
        return nfl__fail_nomem(err, sizeof *stream);
    stream->memory = memory;
    stream->cursor = nfl__cursor_retain(cursor);
    stream->batch_rows = batch_rows ? batch_rows : ARROW_BATCH_ROWS;
    stream->flags = flags;
    *out = (struct ArrowArrayStream){arrow_get_schema, arrow_get_next, arrow_get_last_error, arrow_release_stream, stream};
    return NFL_OK;
}

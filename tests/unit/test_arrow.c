#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/arrow.h>
#include <netflow/store.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS = 3000, COLUMNS = 11 };

static const char listed[] = "first,duration,src,src_mac,app,src_port,proto,tcp_flags,bytes,in_if,bps";

static nfl_store *make_store(const nfl_alloc *alloc)
{
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    nfl_store *store = NULL;
    static nfl_flow flows[FLOWS];
    test_random random = {1};
    for (size_t i = 0; i < FLOWS; i++) {
        test_flow(&random, &flows[i]);
        flows[i].app = nfl_app_of(flows[i].proto, flows[i].src_port, flows[i].dst_port);
        flows[i].present |= i % 3 ? NFL_HAS(NFL_FIELD_APP) : 0;
    }
    if (nfl_store_new("mem:", &opts, &store, NULL) == NFL_OK &&
        nfl_store_append(store, flows, FLOWS, sizeof *flows, NULL) != NFL_OK) {
        nfl_store_free(store);
        store = NULL;
    }
    return store;
}

static nfl_cursor *ask(nfl_store *store, const nfl_query *query)
{
    nfl_cursor *cursor = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, query, &cursor, NULL), NFL_OK);
    return cursor;
}

static struct ArrowArrayStream stream_of(nfl_cursor *cursor, uint32_t batch_rows, uint32_t flags)
{
    struct ArrowArrayStream stream;
    CU_ASSERT_EQUAL_FATAL(nfl_cursor_arrow(cursor, batch_rows, flags, &stream, NULL), NFL_OK);
    return stream;
}

static void test_columns_have_the_types_of_the_manual(void)
{
    static const struct {
        const char *name, *format, *raw;
    } want[COLUMNS] = {{"first", "tsu:UTC", "tsu:UTC"}, {"duration", "tDu", "tDu"}, {"src", "u", "w:16"}, {"src_mac", "u", "L"},
                       {"app", "u", "I"},               {"src_port", "S", "S"},     {"proto", "C", "C"},  {"tcp_flags", "S", "S"},
                       {"bytes", "L", "L"},             {"in_if", "I", "I"},        {"bps", "L", "L"}};
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .columns = listed);
    for (uint32_t raw = 0; raw < 2; raw++) {
        nfl_cursor *cursor = ask(store, &query);
        struct ArrowArrayStream stream = stream_of(cursor, 0, raw ? NFL_ARROW_RAW : 0);
        struct ArrowSchema schema;
        nfl_cursor_free(cursor);
        CU_ASSERT_EQUAL_FATAL(stream.get_schema(&stream, &schema), 0);
        stream.release(&stream);
        CU_ASSERT_PTR_NULL(stream.release);
        CU_ASSERT_STRING_EQUAL(schema.format, "+s");
        CU_ASSERT_EQUAL_FATAL(schema.n_children, COLUMNS);
        for (uint32_t i = 0; i < COLUMNS; i++) {
            const struct ArrowSchema *column = schema.children[i];
            NFL_CHECK(want[i].name, strcmp(column->name, want[i].name) == 0);
            NFL_CHECK(want[i].name, strcmp(column->format, raw ? want[i].raw : want[i].format) == 0);
            NFL_CHECK(want[i].name, column->flags == ARROW_FLAG_NULLABLE && !column->n_children && !column->dictionary);
        }
        schema.release(&schema);
        CU_ASSERT_PTR_NULL(schema.release);
    }
    nfl_store_free(store);
}

/* Does row i of the array hold the value? */
static int holds(const struct ArrowArray *array, const char *format, int64_t i, const nfl_value *value)
{
    const uint8_t *valid = array->buffers[0], *values = array->buffers[1];
    char text[NFL_VALUE_TEXT_SIZE];
    if ((valid ? valid[i / 8] >> i % 8 & 1 : 1) != value->present)
        return 0;
    if (*format == 'u') {
        int32_t offsets[2];
        memcpy(offsets, values + (size_t)i * sizeof *offsets, sizeof offsets);
        size_t len = nfl_value_format(value, NFL_TEXT_PLAIN, text, sizeof text);
        return (size_t)(offsets[1] - offsets[0]) == len &&
               (len == 0 || memcmp((const char *)array->buffers[2] + offsets[0], text, len) == 0);
    }
    if (!value->present)
        return 1;
    if (*format == 'w')
        return memcmp(values + i * 16, &value->ip, 16) == 0;
    size_t width = *format == 'C' ? 1 : *format == 'S' ? 2 : *format == 'I' ? 4 : 8;
    uint64_t number = 0;
    memcpy(&number, values + (size_t)i * width, width); /* little-endian, as every machine that these tests run on */
    return number == value->u64;
}

/* Rows of a batch against as many of a cursor. */
static void compare_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch, nfl_cursor *cursor)
{
    int64_t nulls[COLUMNS] = {0};
    nfl_value value = {.struct_size = sizeof value};
    CU_ASSERT_EQUAL_FATAL(batch->n_children, schema->n_children);
    CU_ASSERT(batch->n_buffers == 1 && !batch->buffers[0] && batch->null_count == 0 && batch->offset == 0);
    for (int64_t i = 0; i < batch->length; i++) {
        CU_ASSERT_EQUAL_FATAL(nfl_cursor_next(cursor, NULL), NFL_OK);
        for (int64_t c = 0; c < batch->n_children; c++) {
            nfl_cursor_get(cursor, (uint32_t)c, &value);
            nulls[c] += !value.present;
            if (!holds(batch->children[c], schema->children[c]->format, i, &value))
                NFL_CHECK(schema->children[c]->name, 0);
        }
    }
    for (int64_t c = 0; c < batch->n_children; c++) {
        const struct ArrowArray *column = batch->children[c];
        NFL_CHECK(schema->children[c]->name, column->length == batch->length && column->null_count == nulls[c] && column->offset == 0);
        NFL_CHECK(schema->children[c]->name, column->n_buffers == (*schema->children[c]->format == 'u' ? 3 : 2));
    }
}

/* Every batch of a query; returns how many. */
static unsigned compare_query(nfl_store *store, const nfl_query *query, uint32_t batch_rows, uint32_t flags)
{
    nfl_cursor *cursor = ask(store, query), *rows = ask(store, query);
    struct ArrowArrayStream stream = stream_of(cursor, batch_rows, flags);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    unsigned batches = 0;
    nfl_cursor_free(cursor);
    CU_ASSERT_EQUAL_FATAL(stream.get_schema(&stream, &schema), 0);
    while (stream.get_next(&stream, &batch) == 0 && batch.release) {
        compare_batch(&schema, &batch, rows);
        CU_ASSERT(batch.length > 0 && batch.length <= (int64_t)batch_rows);
        batch.release(&batch);
        CU_ASSERT_PTR_NULL(batch.release);
        batches++;
    }
    CU_ASSERT_PTR_NULL(stream.get_last_error(&stream));
    CU_ASSERT_EQUAL(nfl_cursor_next(rows, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(stream.get_next(&stream, &batch), 0); /* the end again */
    CU_ASSERT_PTR_NULL(batch.release);
    schema.release(&schema);
    stream.release(&stream);
    nfl_cursor_free(rows);
    return batches;
}

static void test_batches_have_the_rows_of_the_cursor(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, records, .columns = listed);
    NFL_OPTS(nfl_query, sorted, .columns = listed, .order_by = "src");
    NFL_OPTS(nfl_query, groups, .group_by = "src,app,src_mac,in_if");
    NFL_OPTS(nfl_query, series, .group_by = "proto", .columns = "bytes,last,duration", .bucket_us = INT64_C(60000000));
    NFL_OPTS(nfl_query, distinct, .group_by = "proto", .columns = "distinct(dst),bytes");
    NFL_OPTS(nfl_query, nothing, .filter = "packets = 0");
    for (uint32_t flags = 0; flags <= NFL_ARROW_RAW; flags++) {
        CU_ASSERT_EQUAL(compare_query(store, &records, 1000, flags), 3);
        CU_ASSERT_EQUAL(compare_query(store, &records, 1, flags), FLOWS);
        CU_ASSERT_EQUAL(compare_query(store, &records, 65, flags), (FLOWS + 64) / 65);
        CU_ASSERT_EQUAL(compare_query(store, &sorted, 1 << 20, flags), 1);
        CU_ASSERT(compare_query(store, &groups, 100, flags) > 1);
        CU_ASSERT(compare_query(store, &series, 3, flags) > 1);
        CU_ASSERT_EQUAL(compare_query(store, &distinct, 100, flags), 1);
        CU_ASSERT_EQUAL(compare_query(store, &nothing, 100, flags), 0);
    }
    nfl_store_free(store);
}

static void test_a_column_taken_out_outlives_everything(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .group_by = "src,src_port", .columns = "distinct(dst)", .limit = 100);
    nfl_cursor *cursor = ask(store, &query);
    struct ArrowArrayStream stream = stream_of(cursor, 0, 0);
    struct ArrowSchema schema, kept_schema, number_schema;
    struct ArrowArray batch, kept;
    CU_ASSERT_EQUAL_FATAL(stream.get_schema(&stream, &schema), 0);
    CU_ASSERT_EQUAL_FATAL(stream.get_next(&stream, &batch), 0);
    kept = *batch.children[0];
    batch.children[0]->release = NULL;
    kept_schema = *schema.children[0];
    schema.children[0]->release = NULL;
    number_schema = *schema.children[2];
    schema.children[2]->release = NULL;
    stream.release(&stream);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    batch.release(&batch);
    schema.release(&schema);
    const int32_t *offsets = kept.buffers[1];
    CU_ASSERT(strcmp(kept_schema.name, "src") == 0 && strcmp(kept_schema.format, "u") == 0);
    CU_ASSERT_EQUAL(kept.length, 100);
    CU_ASSERT(offsets[100] > 0 && ((const char *)kept.buffers[2])[offsets[100] - 1] != 0);
    kept.release(&kept);
    kept_schema.release(&kept_schema);
    CU_ASSERT(strcmp(number_schema.name, "distinct(dst)") == 0 && strcmp(number_schema.format, "L") == 0);
    number_schema.release(&number_schema);
    CU_ASSERT_PTR_NULL(kept.release);
}

static void test_stream_and_cursor_share_the_rows(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .columns = "src", .limit = 20);
    nfl_cursor *cursor = ask(store, &query);
    struct ArrowArrayStream stream = stream_of(cursor, 8, 0), second = stream_of(cursor, 8, NFL_ARROW_RAW);
    struct ArrowArray batch;
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    CU_ASSERT(stream.get_next(&stream, &batch) == 0 && batch.length == 8);
    batch.release(&batch);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    stream.release(&stream);
    CU_ASSERT(second.get_next(&second, &batch) == 0 && batch.length == 8);
    batch.release(&batch);
    CU_ASSERT_EQUAL(nfl_cursor_next(cursor, NULL), NFL_OK);
    nfl_cursor_free(cursor);
    CU_ASSERT(second.get_next(&second, &batch) == 0 && batch.length == 1);
    batch.release(&batch);
    second.release(&second);
    nfl_store_free(store);
}

static void test_a_failure_is_told_and_stays(void)
{
    nfl_store *store = make_store(NULL);
    int32_t cancel = 0;
    NFL_OPTS(nfl_query, query, .columns = "src", .cancel = &cancel);
    nfl_cursor *cursor = ask(store, &query);
    struct ArrowArrayStream stream = stream_of(cursor, 10, 0);
    struct ArrowArray batch;
    cancel = 1;
    nfl_cursor_free(cursor);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(stream.get_next(&stream, &batch), ECANCELED);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream.get_last_error(&stream));
        CU_ASSERT_STRING_EQUAL(stream.get_last_error(&stream), "query was cancelled");
    }
    stream.release(&stream);
    nfl_store_free(store);
}

static void test_arguments_are_checked(void)
{
    nfl_store *store = make_store(NULL);
    NFL_OPTS(nfl_query, query, .columns = "src");
    nfl_cursor *cursor = ask(store, &query);
    struct ArrowArrayStream stream = {.release = NULL};
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_cursor_arrow(cursor, (1u << 20) + 1, 0, &stream, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_cursor_arrow(cursor, 0, 2, &stream, &err), NFL_E_ARG);
    CU_ASSERT_PTR_NULL(stream.release);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
}

static nfl_status read_all(const nfl_alloc *alloc, void *ctx)
{
    NFL_OPTS(nfl_query, query, .columns = listed, .limit = 300);
    nfl_store *store = make_store(alloc);
    nfl_cursor *cursor = NULL;
    struct ArrowArrayStream stream = {.release = NULL};
    struct ArrowSchema schema;
    struct ArrowArray batch = {.release = NULL};
    (void)ctx;
    nfl_status status = store ? nfl_store_query(store, &query, &cursor, NULL) : NFL_E_NOMEM;
    if (status == NFL_OK)
        status = nfl_cursor_arrow(cursor, 128, 0, &stream, NULL);
    int failure = status == NFL_OK ? stream.get_schema(&stream, &schema) : 0;
    if (status == NFL_OK && failure == 0) {
        schema.release(&schema);
        while ((failure = stream.get_next(&stream, &batch)) == 0 && batch.release)
            batch.release(&batch);
    }
    CU_ASSERT(failure == 0 || failure == ENOMEM);
    if (stream.release)
        stream.release(&stream);
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    return failure ? NFL_E_NOMEM : status;
}

static void test_running_out_of_memory(void)
{
    CU_ASSERT(test_allocation_failures(read_all, NULL, 4) > 100);
}

NFL_SUITE("arrow", {"columns have the types of the manual", test_columns_have_the_types_of_the_manual},
          {"batches have the rows of the cursor", test_batches_have_the_rows_of_the_cursor},
          {"a column taken out outlives everything", test_a_column_taken_out_outlives_everything},
          {"stream and cursor share the rows", test_stream_and_cursor_share_the_rows},
          {"a failure is told and stays", test_a_failure_is_told_and_stays},
          {"arguments are checked", test_arguments_are_checked},
          {"running out of memory", test_running_out_of_memory})

/* Queries over a file store: rows a second, groups, memory, and how far they are from only reading the columns.
 *
 *   nfl_bench_query STORE [NAME]     NAME: only the queries whose names contain it
 *
 * A store to ask:
 *   nfl_generate --out day.pcap --flows 10000000 --version 9 --records 20; netflow import -s STORE day.pcap
 *
 * "decode" is the time to read, check and decode the same columns of the whole store, "memory" the time to read as many
 * bytes as the decoded columns have from memory. One thread; the best of three runs; CPU time.
 */
#include "query/filter_plan.h"
#include "query/plan.h"
#include "store/backend.h"

#include <netflow/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 3, MEMORY_WORDS = 8 << 20 };

typedef struct bench {
    const char *path;
    nfl_store *store;
    double read_s; /* a byte from memory */
} bench;

typedef struct bench_query {
    const char *name;
    nfl_query query;
} bench_query;

static const bench_query queries[] = {
    {"totals by proto", {.group_by = "proto", .columns = "bytes"}},
    {"top 10 src", {.group_by = "src", .columns = "bytes,packets,flows", .limit = 10}},
    {"top 10 dst_port", {.group_by = "dst_port", .columns = "bytes,packets,flows", .limit = 10}},
    {"top 10 src,dst", {.group_by = "src,dst", .columns = "bytes", .limit = 10}},
    {"top 10 proto,dst_port", {.group_by = "proto,dst_port", .columns = "bytes", .limit = 10}},
    {"top 10 src,dst,dst_port", {.group_by = "src,dst,dst_port", .columns = "bytes,packets,flows", .limit = 10}},
    {"hourly bytes", {.bucket_us = INT64_C(3600000000), .columns = "bytes"}},
    {"20 biggest flows", {.order_by = "bytes", .limit = 20}},
    {"20 longest flows", {.order_by = "duration", .limit = 20}},
    {"top 10 src of port 443", {.group_by = "src", .columns = "bytes", .filter = "dst port 443", .limit = 10}},
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(nfl_status status, const nfl_error *err)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static uint64_t sum_words(const void *words, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ((const uint64_t *)words)[i];
    return sum;
}

/* Seconds to read a byte, from an array larger than caches. */
static double measure_memory(void)
{
    volatile uint64_t sink;
    uint64_t *words = malloc(MEMORY_WORDS * sizeof *words);
    double best_s = 1;
    if (!words)
        exit(1);
    for (size_t i = 0; i < MEMORY_WORDS; i++)
        words[i] = i;
    for (unsigned run = 0; run < RUNS; run++) {
        double start_s = now_s();
        sink = sum_words(words, MEMORY_WORDS);
        double seconds = now_s() - start_s;
        best_s = seconds < best_s ? seconds : best_s;
    }
    (void)sink;
    free(words);
    return best_s / (MEMORY_WORDS * sizeof *words);
}

static size_t column_bytes(const nfl__column *column, uint32_t rows)
{
    switch (column->form) {
    case NFL__COLUMN_PLAIN:
        return (size_t)rows * column->width;
    case NFL__COLUMN_DICT:
        return (size_t)column->dict_count * column->width + rows * sizeof *column->codes;
    default:
        return 0;
    }
}

/* Decode the fields (NFL_HAS() bits) of every block. Returns seconds; *bytes: of the decoded columns. */
static double decode_all(const bench *b, const nfl_query *query, uint64_t fields, uint64_t *bytes)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    const nfl__store_ops *ops;
    nfl__source *source;
    nfl_filter *filter;
    nfl_error err;
    void *store;
    nfl_status status;
    must(nfl__file_store_open(b->path, &opts, &store, &ops, &err), &err);
    must(nfl__filter_new_window(query->filter, NULL, 0, 0, 0, &filter, &err), &err);
    double start_s = now_s();
    must(ops->open_source(store, filter, fields, &source, &err), &err);
    *bytes = 0;
    while ((status = nfl__source_next(source, &err)) == NFL_OK) {
        must(nfl__source_need(source, fields, &err), &err);
        for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
            if (fields >> field & 1)
                *bytes += column_bytes(&source->batch.columns[field], source->batch.rows);
    }
    must(status, &err);
    source->ops->free(source);
    double seconds = now_s() - start_s;
    nfl_filter_free(filter);
    ops->close(store);
    return seconds;
}

static double run_query(const bench *b, const nfl_query *query, nfl_query_stats *stats)
{
    nfl_cursor *cursor;
    nfl_error err;
    nfl_status status;
    double start_s = now_s();
    must(nfl_store_query(b->store, query, &cursor, &err), &err);
    while ((status = nfl_cursor_next(cursor, &err)) == NFL_OK)
        ;
    must(status, &err);
    nfl_cursor_get_stats(cursor, stats);
    nfl_cursor_free(cursor);
    return now_s() - start_s;
}

/* Stored fields that the query has to read whatever it does: those of the ordering only, for records. */
static uint64_t fields_of(const nfl_query *query)
{
    nfl__plan plan;
    nfl_filter *filter;
    nfl_error err;
    must(nfl__plan_make(query, &plan, &err), &err);
    must(nfl__filter_new_window(query->filter, NULL, 0, 0, 0, &filter, &err), &err);
    uint64_t fields = nfl__filter_fields(filter) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS);
    fields |= plan.grouped ? plan.reads : 0;
    nfl_filter_free(filter);
    return fields;
}

static void bench_one(const bench *b, const bench_query *asked)
{
    nfl_query query = asked->query;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    double best_s = 1e9, decode_s = 1e9;
    uint64_t bytes = 0;
    query.struct_size = sizeof query;
    uint64_t fields = fields_of(&query);
    for (unsigned run = 0; run < RUNS; run++) {
        double seconds = run_query(b, &query, &stats), decoding_s = decode_all(b, &query, fields, &bytes);
        best_s = seconds < best_s ? seconds : best_s;
        decode_s = decoding_s < decode_s ? decoding_s : decode_s;
    }
    printf("%-24s %6.3f s %7.1f M rows/s %9llu groups %7.1f MB  %llu passes  %5.2f x decode (%.3f s)  %6.1f x memory\n",
           asked->name,
           best_s, (double)stats.rows_read / best_s / 1e6, (unsigned long long)stats.groups,
           (double)stats.memory_bytes / 1e6, (unsigned long long)stats.passes, best_s / decode_s, decode_s, best_s / ((double)bytes * b->read_s));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    bench b = {.path = argc > 1 ? argv[1] : ""};
    char uri[4096];
    nfl_error err;
    if (argc < 2 || argc > 3 || snprintf(uri, sizeof uri, "file:%s", b.path) >= (int)sizeof uri) {
        fprintf(stderr, "usage: nfl_bench_query STORE [NAME]\n");
        return 2;
    }
    must(nfl_store_new(uri, &opts, &b.store, &err), &err);
    b.read_s = measure_memory();
    printf("memory %.1f GB/s\n", 1e-9 / b.read_s);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        if (argc == 2 || strstr(queries[i].name, argv[2]))
            bench_one(&b, &queries[i]);
    nfl_store_free(b.store);
    return 0;
}

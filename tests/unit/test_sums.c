#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "store/file_store.h"
#include "store/sums.h"
#include "store_files.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Matches everything, but is a filter: flows are read. */
#define READ_FLOWS "not (proto 253 and proto 254)"

enum { FLOWS = 6000, SEGMENT = 2000, HOUR = 3600 };

static nfl_usec start_us = INT64_C(1795440000000000); /* 13:20 */

/* Few keys, so that sums pay; every field absent now and then, some IPv6, some sampled, all times of six hours. */
static void random_flow(test_random *random, uint32_t i, uint32_t hosts, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    flow->received_us = start_us + (nfl_usec)i * 6 * HOUR * 1000000 / FLOWS;
    flow->first_us = flow->received_us - (nfl_usec)test_below(random, 400) * 1000000;
    flow->flows = 1 + test_below(random, 2);
    flow->bytes = test_chance(random, 5) ? UINT64_MAX - test_below(random, 9) : test_below(random, 1 << 20);
    flow->packets = test_below(random, 1000);
    flow->src = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    flow->dst = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    if (test_chance(random, 20))
        flow->src.b[0] = (uint8_t)test_below(random, 3);
    flow->exporter = nfl_ip_from_v4(0x7f000001);
    flow->src_port = (uint16_t)(test_chance(random, 50) ? 443 : test_below(random, hosts));
    flow->dst_port = (uint16_t)test_below(random, hosts);
    flow->proto = test_chance(random, 50) ? 6 : 17;
    flow->in_if = (uint32_t)test_below(random, 2);
    flow->app = (uint32_t)test_below(random, 2);
    flow->sampling = test_chance(random, 30) ? 100 : 1;
    flow->present = test_chance(random, 95) ? UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT) : test_next(random);
}

static nfl_store *make_store_of(char path[TEST_PATH_SIZE], uint64_t seed, uint32_t hosts, uint32_t count, uint32_t a_segment)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE);
    NFL_OPTS(nfl_compact_opts, all, .flags = NFL_COMPACT_ALL);
    nfl_store *store = NULL;
    nfl_flow *flows = calloc(a_segment, sizeof *flows);
    test_random random = {seed};
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    for (uint32_t at = 0; at < count; at += a_segment) {
        for (uint32_t i = 0; i < a_segment; i++)
            random_flow(&random, at + i, hosts, &flows[i]);
        CU_ASSERT_EQUAL(nfl_store_append(store, flows, a_segment, sizeof *flows, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
    free(flows);
    nfl_status status;
    while ((status = nfl_store_compact(store, &all, NULL)) == NFL_OK)
        ;
    CU_ASSERT_EQUAL(status, NFL_DONE);
    return store;
}

static nfl_store *make_store(char path[TEST_PATH_SIZE], uint64_t seed, uint32_t hosts)
{
    return make_store_of(path, seed, hosts, FLOWS, SEGMENT);
}

static nfl_cursor *run(nfl_store *store, const nfl_query *query)
{
    nfl_error err;
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(store, query, &cursor, &err);
    if (status != NFL_OK)
        printf("\n    %s: %s\n", query->group_by ? query->group_by : "no group", err.message);
    CU_ASSERT_EQUAL_FATAL(status, NFL_OK);
    return cursor;
}

static int same_value(const nfl_cursor *a, const nfl_cursor *b, uint32_t column)
{
    nfl_value x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
    nfl_cursor_get(a, column, &x);
    nfl_cursor_get(b, column, &y);
    return x.present == y.present && x.u64 == y.u64 && memcmp(&x.ip, &y.ip, sizeof x.ip) == 0;
}

/* Both ways give the same rows. Returns how many rows the first way read of the second's. */
static double compare(nfl_store *store, const nfl_query *asked)
{
    nfl_query from_flows = *asked;
    nfl_query_stats stats[2] = {{.struct_size = sizeof *stats}, {.struct_size = sizeof *stats}};
    from_flows.filter = READ_FLOWS;
    nfl_cursor *sums = run(store, asked), *flows = run(store, &from_flows);
    nfl_status status;
    size_t rows = 0;
    while ((status = nfl_cursor_next(sums, NULL)) == NFL_OK && nfl_cursor_next(flows, NULL) == NFL_OK) {
        for (uint32_t c = 0; c < nfl_cursor_columns(sums); c++)
            CU_ASSERT(same_value(sums, flows, c));
        rows++;
    }
    CU_ASSERT_EQUAL(status, NFL_DONE);
    CU_ASSERT_EQUAL(nfl_cursor_next(flows, NULL), NFL_DONE);
    nfl_cursor_get_stats(sums, &stats[0]);
    nfl_cursor_get_stats(flows, &stats[1]);
    CU_ASSERT(rows > 0);
    CU_ASSERT_EQUAL(stats[0].rows_matched, stats[1].rows_matched);
    CU_ASSERT_EQUAL(stats[0].bytes, stats[1].bytes);
    CU_ASSERT_EQUAL(stats[0].packets, stats[1].packets);
    CU_ASSERT_EQUAL(stats[0].flows, stats[1].flows);
    CU_ASSERT_EQUAL(stats[0].groups, stats[1].groups);
    nfl_cursor_free(sums);
    nfl_cursor_free(flows);
    return (double)stats[0].rows_read / (double)stats[1].rows_read;
}

static void test_sums_answer_as_the_flows_do(void)
{
    static const struct {
        const char *group_by;
        int minutes;
        const char *columns, *order_by;
        int summed;
    } cases[] = {
        {"src", 0, NULL, NULL, 1},
        {"dst", 0, "packets", "packets", 1},
        {"src_port", 0, NULL, "flows", 1},
        {"dst_port", 0, "flows", NULL, 1},
        {"proto", 0, NULL, NULL, 1},
        {"app,proto", 0, NULL, NULL, 1},
        {"exporter,in_if", 0, NULL, "in_if", 1},
        {"proto", 5, NULL, NULL, 1},
        {"app", 15, NULL, NULL, 1},
        {NULL, 60, NULL, "time", 1},
        {NULL, 60, "bytes,packets,flows", NULL, 1},
        {"src", 60, NULL, NULL, 0},             /* not by time */
        {"proto", 4, NULL, NULL, 0},            /* 4 minutes are no multiple of 5 */
        {"src,dst", 0, NULL, NULL, 0},          /* no such kind */
        {"src", 0, "bytes,last", NULL, 0},      /* no sum */
        {"dst", 0, "bytes", "bps", 0},          /* the rate needs times */
        {"proto", 0, "bytes,out_bytes", NULL, 0},
    };
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 1, 30);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .bucket_us = (nfl_usec)cases[i].minutes * 60000000,
                 .columns = cases[i].columns, .order_by = cases[i].order_by);
        double read = compare(store, &query);
        if (cases[i].summed != (read < 0.5))
            printf("\n    case %zu: %.2f of the rows were read\n", i, read);
        CU_ASSERT_EQUAL(cases[i].summed, read < 0.5);
    }
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_counters_as_sent_are_not_taken_from_sums(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 2, 30);
    NFL_OPTS(nfl_query, query, .group_by = "src", .flags = NFL_QUERY_UNSCALED);
    CU_ASSERT_EQUAL(compare(store, &query), 1.0);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_a_window_that_cuts_a_segment_reads_its_flows(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 3, 30);
    for (int hour = 1; hour < 6; hour++) {
        NFL_OPTS(nfl_query, before, .group_by = "dst", .to_us = start_us + (nfl_usec)hour * HOUR * 1000000);
        NFL_OPTS(nfl_query, after, .group_by = "dst", .from_us = start_us + (nfl_usec)hour * HOUR * 1000000);
        CU_ASSERT_EQUAL(compare(store, &before), 1.0);
        CU_ASSERT_EQUAL(compare(store, &after), 1.0);
    }
    NFL_OPTS(nfl_query, around, .group_by = "dst", .from_us = start_us - (nfl_usec)HOUR * 1000000,
             .to_us = start_us + INT64_C(7) * HOUR * 1000000);
    CU_ASSERT(compare(store, &around) < 0.5);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_later_flows_are_added_to_the_sums(void)
{
    char path[TEST_PATH_SIZE];
    nfl_flow flow;
    test_random random = {9};
    nfl_store *store = make_store(path, 4, 30);
    for (uint32_t i = 0; i < 500; i++) {
        random_flow(&random, FLOWS + i, 60, &flow);
        CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
        if (i == 250)
            CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
    NFL_OPTS(nfl_query, query, .group_by = "src", .limit = 7, .offset = 2);
    CU_ASSERT(compare(store, &query) < 0.5);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_kinds_that_do_not_pay_are_left_out(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 5, 60000);
    NFL_OPTS(nfl_query, sources, .group_by = "src");
    NFL_OPTS(nfl_query, protocols, .group_by = "proto");
    CU_ASSERT_EQUAL(compare(store, &sources), 1.0);
    CU_ASSERT(compare(store, &protocols) < 0.5);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_a_small_budget_gives_the_same_answer(void)
{
    char path[TEST_PATH_SIZE];
    nfl_store *store = make_store(path, 6, 1400);
    NFL_OPTS(nfl_query, query, .group_by = "dst", .limit = 20, .max_memory_bytes = 512 << 10);
    CU_ASSERT(compare(store, &query) <= 1.0);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_damaged_sums_are_an_error(void)
{
    char path[TEST_PATH_SIZE], name[2 * TEST_PATH_SIZE];
    size_t len;
    uint32_t refused = 0, read = 0;
    nfl_store *store = make_store(path, 7, 30);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", name));
    uint8_t *data = test_read_file(name, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    FILE *file = fopen(name, "r+b");
    for (size_t at = 0; at < len; at += 1 + len / 400) {
        NFL_OPTS(nfl_query, query, .group_by = "src");
        nfl_cursor *cursor = NULL;
        fseek(file, (long)at, SEEK_SET);
        fputc(data[at] ^ 0x20, file);
        fflush(file);
        nfl_status status = nfl_store_query(store, &query, &cursor, NULL);
        CU_ASSERT(status == NFL_OK || status == NFL_E_CORRUPT);
        refused += status == NFL_E_CORRUPT;
        read += status == NFL_OK;
        nfl_cursor_free(cursor);
        fseek(file, (long)at, SEEK_SET);
        fputc(data[at], file);
    }
    fclose(file);
    CU_ASSERT(refused > 0 && read > 0); /* the sums are somewhere, the flows elsewhere */
    free(data);
    nfl_store_free(store);
    test_remove_folder(path);
}

/* --- sums in the place of flows --- */

static nfl_status reduce(nfl_store *store, nfl_usec before_us)
{
    NFL_OPTS(nfl_compact_opts, opts, .sums_before_us = before_us);
    nfl_status status;
    while ((status = nfl_store_compact(store, &opts, NULL)) == NFL_OK)
        ;
    return status;
}

/* All rows of a result as text, with its totals. */
static char *answer(nfl_store *store, const nfl_query *query, nfl_query_stats *stats)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    nfl_cursor *cursor = run(store, query);
    while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
        for (uint32_t c = 0; c < nfl_cursor_columns(cursor); c++) {
            nfl_value value = {.struct_size = sizeof value};
            nfl_cursor_get(cursor, c, &value);
            fprintf(out, "%d %llx", value.present, (unsigned long long)value.u64);
            for (size_t b = 0; b < sizeof value.ip; b++)
                fprintf(out, "%02x", value.ip.b[b]);
        }
        fputc('\n', out);
    }
    *stats = (nfl_query_stats){.struct_size = sizeof *stats};
    nfl_cursor_get_stats(cursor, stats);
    fprintf(out, "bytes %llu packets %llu flows %llu\n", (unsigned long long)stats->bytes, (unsigned long long)stats->packets,
            (unsigned long long)stats->flows);
    nfl_cursor_free(cursor);
    fclose(out);
    return text;
}

static uint64_t flows_in(nfl_store *store, uint64_t *summed)
{
    NFL_OPTS(nfl_store_info, info, .flows = 0);
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    *summed = info.summed_flows;
    return info.flows;
}

static void test_flows_make_way_for_their_sums(void)
{
    static const struct {
        const char *group_by;
        int minutes;
    } cases[] = {{"src", 0}, {"dst", 0}, {"src_port", 0}, {"dst_port", 0}, {"exporter,in_if,out_if", 0}, {"app", 0},
                 {"proto", 10}, {NULL, 60}};
    enum { CASES = sizeof cases / sizeof *cases };
    char path[TEST_PATH_SIZE], *before[CASES];
    nfl_query_stats stats;
    uint64_t summed;
    nfl_store *store = make_store(path, 10, 50);
    for (int i = 0; i < CASES; i++) {
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .bucket_us = (nfl_usec)cases[i].minutes * 60000000);
        before[i] = answer(store, &query, &stats);
    }
    NFL_OPTS(nfl_query, about, .group_by = "exporter", .columns = "bytes,distinct(in_if)", .flags = NFL_QUERY_APPROXIMATE);
    char *interfaces = answer(store, &about, &stats);
    CU_ASSERT_EQUAL(reduce(store, start_us + INT64_C(100) * HOUR * 1000000), NFL_DONE);
    CU_ASSERT_EQUAL(flows_in(store, &summed), 0);
    CU_ASSERT_EQUAL(summed, FLOWS);
    for (int reopened = 0; reopened < 2; reopened++) {
        for (int i = 0; i < CASES; i++) {
            NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .bucket_us = (nfl_usec)cases[i].minutes * 60000000);
            char *after = answer(store, &query, &stats);
            CU_ASSERT_STRING_EQUAL(after, before[i]);
            CU_ASSERT_EQUAL(stats.rows_summed, FLOWS);
            CU_ASSERT_EQUAL(stats.rows_reduced, 0);
            free(after);
        }
        char *counted = answer(store, &about, &stats); /* sums keep interfaces apart */
        CU_ASSERT_STRING_EQUAL(counted, interfaces);
        CU_ASSERT_EQUAL(stats.rows_summed, FLOWS);
        free(counted);
        NFL_OPTS(nfl_query, flows, .limit = 10);
        NFL_OPTS(nfl_query, pairs, .group_by = "src,dst");
        free(answer(store, &flows, &stats));
        CU_ASSERT_EQUAL(stats.rows_matched, 0);
        CU_ASSERT_EQUAL(stats.rows_reduced, FLOWS);
        free(answer(store, &pairs, &stats));
        CU_ASSERT_EQUAL(stats.rows_reduced, FLOWS);
        NFL_OPTS(nfl_query, unique, .group_by = "src", .flags = NFL_QUERY_UNIQUE);
        free(answer(store, &unique, &stats)); /* sums do not tell who saw what */
        CU_ASSERT_EQUAL(stats.rows_matched, 0);
        CU_ASSERT_EQUAL(stats.rows_reduced, FLOWS);
        NFL_OPTS(nfl_query, biflow, .group_by = "src", .flags = NFL_QUERY_BIFLOW);
        free(answer(store, &biflow, &stats)); /* nor who answered */
        CU_ASSERT_EQUAL(stats.rows_matched, 0);
        CU_ASSERT_EQUAL(stats.rows_reduced, FLOWS);
        nfl_verify_report report = {.struct_size = sizeof report};
        CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_OK);
        CU_ASSERT_EQUAL(report.flows, 0);
        CU_ASSERT(report.blocks > 0);
        nfl_store_free(store);
        NFL_OPTS(nfl_store_opts, opts, .flags = 0);
        CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    }
    for (int i = 0; i < CASES; i++)
        free(before[i]);
    free(interfaces);
    nfl_store_free(store);
    test_remove_folder(path);
}

/* A window may cut what has buckets; its ends fall on the next multiple of them. */
static void test_windows_cut_sums_by_their_buckets(void)
{
    char path[TEST_PATH_SIZE], *before[5];
    nfl_query_stats stats;
    nfl_store *store = make_store(path, 11, 50);
    for (int pass = 0; pass < 2; pass++) {
        for (int hour = 0; hour < 5; hour++) {
            NFL_OPTS(nfl_query, query, .group_by = "proto,in_if", .from_us = start_us + (nfl_usec)hour * HOUR * 1000000,
                     .to_us = start_us + (nfl_usec)(hour * HOUR + 600) * 1000000);
            char *text = answer(store, &query, &stats);
            CU_ASSERT(stats.flows > 0 && stats.rows_reduced == 0);
            if (pass)
                CU_ASSERT_STRING_EQUAL(text, before[hour]);
            free(pass ? before[hour] : NULL);
            before[hour] = text;
        }
        CU_ASSERT_EQUAL(reduce(store, start_us + INT64_C(100) * HOUR * 1000000), NFL_DONE);
    }
    NFL_OPTS(nfl_query, sources, .group_by = "src", .from_us = start_us + (nfl_usec)HOUR * 1000000);
    free(answer(store, &sources, &stats));
    CU_ASSERT(stats.rows_reduced > 0); /* their buckets are days */
    for (int hour = 0; hour < 5; hour++)
        free(before[hour]);
    nfl_store_free(store);
    test_remove_folder(path);
}

/* Flows that start before midnight arrive after it, in the next day's segments. */
static void test_windows_of_days_cut_sums_by_days(void)
{
    static const char *const by[] = {"src", "dst", "src_port", "dst_port", "app"};
    enum { CASES = sizeof by / sizeof *by };
    const nfl_usec start = start_us, midnight = INT64_C(1795478400000000), day = INT64_C(86400000000);
    char path[TEST_PATH_SIZE], *before[CASES][2];
    nfl_query_stats stats;
    start_us = midnight - INT64_C(3) * HOUR * 1000000;
    nfl_store *store = make_store(path, 15, 50);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < CASES; i++)
            for (int half = 0; half < 2; half++) {
                NFL_OPTS(nfl_query, query, .group_by = by[i], .from_us = half ? midnight : midnight - day,
                         .to_us = half ? midnight + day : midnight);
                char *text = answer(store, &query, &stats);
                CU_ASSERT(stats.flows > 0 && stats.rows_reduced == 0);
                if (pass)
                    CU_ASSERT_STRING_EQUAL(text, before[i][half]);
                free(pass ? before[i][half] : NULL);
                before[i][half] = text;
            }
        CU_ASSERT_EQUAL(reduce(store, midnight + 2 * day), NFL_DONE);
    }
    for (int i = 0; i < CASES; i++)
        for (int half = 0; half < 2; half++)
            free(before[i][half]);
    nfl_store_free(store);
    test_remove_folder(path);
    start_us = start;
}

static void test_held_flows_stay(void)
{
    char path[TEST_PATH_SIZE];
    uint64_t summed;
    nfl_store *store = make_store(path, 12, 50);
    NFL_OPTS(nfl_hold, hold, .from_us = start_us + INT64_C(1000000), .to_us = start_us + INT64_C(2000000));
    memcpy(hold.name, "case", 5);
    CU_ASSERT_EQUAL(nfl_store_hold(store, &hold, NULL), NFL_OK);
    CU_ASSERT_EQUAL(reduce(store, start_us + INT64_C(100) * HOUR * 1000000), NFL_DONE);
    CU_ASSERT(flows_in(store, &summed) > 0);
    CU_ASSERT_EQUAL(nfl_store_release(store, "case", NULL), NFL_OK);
    CU_ASSERT_EQUAL(reduce(store, start_us), NFL_DONE); /* none is so old */
    CU_ASSERT(flows_in(store, &summed) > 0);
    CU_ASSERT_EQUAL(reduce(store, start_us + INT64_C(100) * HOUR * 1000000), NFL_DONE);
    CU_ASSERT_EQUAL(flows_in(store, &summed), 0);
    CU_ASSERT_EQUAL(nfl_store_expire(store, start_us + INT64_C(100) * HOUR * 1000000, NULL), NFL_OK);
    CU_ASSERT_EQUAL(flows_in(store, &summed) + summed, 0);
    nfl_store_free(store);
    test_remove_folder(path);
}

static void test_a_store_of_sums_can_be_repaired(void)
{
    char path[TEST_PATH_SIZE], name[2 * TEST_PATH_SIZE];
    uint64_t summed;
    nfl_repair_report report = {.struct_size = sizeof report};
    nfl_store *store = make_store(path, 13, 50);
    CU_ASSERT_EQUAL(reduce(store, start_us + INT64_C(100) * HOUR * 1000000), NFL_DONE);
    nfl_store_free(store);
    snprintf(name, sizeof name, "%s/manifest", path);
    CU_ASSERT_EQUAL(remove(name), 0);
    CU_ASSERT_EQUAL(nfl_store_repair(path, &report, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(flows_in(store, &summed), 0);
    CU_ASSERT_EQUAL(summed, FLOWS);
    nfl_store_free(store);
    CU_ASSERT_FATAL(test_find_file(path, ".nfs", name));
    FILE *file = fopen(name, "r+b");
    fseek(file, 100, SEEK_SET);
    fputs("damage", file);
    fclose(file);
    CU_ASSERT_EQUAL(nfl_store_repair(path, &report, NULL), NFL_OK);
    CU_ASSERT_EQUAL(report.lost_flows, FLOWS);
    test_remove_folder(path);
}

/* Replace flows by sums with the n-th file operation failing; goes on after errors as a host would. Returns whether one failed. */
static int reduce_failing(const char *path, long n)
{
    test_files files;
    test_files_init(&files);
    files.fail_at = n;
    files.fail_count = 1;
    files.error = EIO;
    files.count_reads = 1;
    const nfl_store_opts store_opts = {.struct_size = sizeof store_opts};
    const nfl_compact_opts opts = {.struct_size = sizeof opts, .sums_before_us = INT64_MAX};
    const nfl__store_ops *ops;
    void *self;
    if (nfl__file_store_open_with(&files.table, path, &store_opts, &self, &ops, NULL) != NFL_OK)
        return 1;
    for (int i = 0; i < 20 && ops->compact(self, &opts, NULL) != NFL_DONE; i++)
        ;
    ops->close(self);
    return files.failed > 0;
}

static void test_failing_operations_lose_nothing(void)
{
    char path[TEST_PATH_SIZE];
    int failed = 1;
    for (long n = 0; failed; n++) {
        uint64_t summed;
        nfl_query_stats stats;
        NFL_OPTS(nfl_query, query, .group_by = "proto");
        nfl_store *store = make_store_of(path, 14, 50, 60, 20);
        char *before = answer(store, &query, &stats);
        nfl_store_free(store);
        failed = reduce_failing(path, n);
        CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, NULL, &store, NULL), NFL_OK);
        uint64_t flows = flows_in(store, &summed);
        CU_ASSERT_EQUAL(flows + summed, 60);
        CU_ASSERT(failed || flows == 0);
        char *after = answer(store, &query, &stats);
        CU_ASSERT_STRING_EQUAL(after, before);
        CU_ASSERT_EQUAL(reduce(store, INT64_MAX), NFL_DONE);
        CU_ASSERT_EQUAL(flows_in(store, &summed), 0);
        CU_ASSERT_EQUAL(summed, 60);
        nfl_store_free(store);
        free(before);
        free(after);
        test_remove_folder(path);
    }
}

static nfl_status add_up(const nfl_alloc *alloc, void *ctx)
{
    const nfl_flow *flows = ctx;
    nfl_status status = NFL_E_NOMEM;
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__columns *columns = nfl__columns_new(alloc, SEGMENT);
    nfl__encoder *encoder = nfl__encoder_new(&memory, SEGMENT);
    nfl__sums_builder *builder = nfl__sums_builder_new(alloc);
    if (columns && encoder && builder && nfl__columns_reserve(columns, NFL__FIELDS_STORED))
        status = nfl__sums_start(builder, 0, NULL);
    if (status == NFL_OK) {
        nfl__batch batch = {.rows = NFL__COLUMNS_STEP};
        nfl__columns_add(columns, flows, NFL__COLUMNS_STEP, sizeof *flows);
        for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
            nfl__columns_view(columns, columns->rows, field, &batch.columns[field]);
        nfl__encoder_start(encoder, &batch);
        status = nfl__sums_add(builder, encoder, &batch, NULL);
    }
    for (uint32_t i = 0; i < NFL__SUMS_KINDS && status == NFL_OK; i++) {
        const nfl__columns *block;
        status = nfl__sums_next(builder, i, &block, NULL);
    }
    nfl__sums_builder_free(builder);
    nfl__encoder_free(encoder, &memory);
    nfl__columns_release(columns);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    nfl_flow flows[NFL__COLUMNS_STEP];
    test_random random = {8};
    for (uint32_t i = 0; i < NFL__COLUMNS_STEP; i++)
        random_flow(&random, i, 3, &flows[i]);
    /* Groups that get no memory for their array are counted by key. */
    CU_ASSERT(test_allocation_failures(add_up, flows, 12) > 20);
}

NFL_SUITE("sums", {"sums answer as the flows do", test_sums_answer_as_the_flows_do},
          {"counters as sent are not taken from sums", test_counters_as_sent_are_not_taken_from_sums},
          {"a window that cuts a segment reads its flows", test_a_window_that_cuts_a_segment_reads_its_flows},
          {"later flows are added to the sums", test_later_flows_are_added_to_the_sums},
          {"kinds that do not pay are left out", test_kinds_that_do_not_pay_are_left_out},
          {"a small budget gives the same answer", test_a_small_budget_gives_the_same_answer},
          {"damaged sums are an error", test_damaged_sums_are_an_error},
          {"flows make way for their sums", test_flows_make_way_for_their_sums},
          {"windows cut sums by their buckets", test_windows_cut_sums_by_their_buckets},
          {"windows of days cut sums by days", test_windows_of_days_cut_sums_by_days},
          {"held flows stay", test_held_flows_stay},
          {"a store of sums can be repaired", test_a_store_of_sums_can_be_repaired},
          {"failing operations lose nothing", test_failing_operations_lose_nothing},
          {"every allocation may fail", test_every_allocation_may_fail})

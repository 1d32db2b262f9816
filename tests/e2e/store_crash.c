/* Kills a writer with SIGKILL at random instants, many times, and checks after each time that every flow whose sync was
 * acknowledged is in the store exactly once, and no flow twice.
 *
 *   store_crash [KILLS] [SEED] [sums]
 *
 * The writer appends numbered flows in small lots, syncs with changing levels and small segments, compacts step by step, and tells through a
 * pipe how far it was acknowledged. It goes on where its predecessor's store ends. With `sums` it also replaces all but the
 * last thousand flows or so by their sums: then the store must have the later flows, and sums of exactly the earlier ones. */
#include "store_files.h"
#include "support.h"

#include <netflow/query.h>
#include <netflow/store.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOT = 7, SEGMENT_ROWS = 100, FLOWS_MAX = 1 << 20, FLOWS_KEPT = 1000 };

static int with_sums;

static nfl_store *crash_open(const char *path, uint32_t flags)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = flags, .segment_rows = SEGMENT_ROWS);
    nfl_store *store;
    nfl_error err;
    if (nfl_store_new(path, &opts, &store, &err) == NFL_OK)
        return store;
    printf("open: %s\n", err.message);
    exit(1);
}

static nfl_flow crash_flow(uint32_t i)
{
    test_random random = {i};
    nfl_flow flow;
    test_flow(&random, &flow);
    flow.received_us = INT64_C(1795440000000000) + (nfl_usec)i * 1000;
    flow.in_if = i;
    flow.present |= NFL_HAS(NFL_FIELD_IN_IF);
    return flow;
}

static void crash_writer(const char *path, uint32_t next, int acknowledge)
{
    nfl_store *store = crash_open(path, 0);
    for (uint32_t lot = 0;; lot++) {
        nfl_flow flows[LOT];
        for (uint32_t i = 0; i < LOT; i++)
            flows[i] = crash_flow(next + i);
        if (nfl_store_append(store, flows, LOT, sizeof *flows, NULL) != NFL_OK)
            _exit(1);
        next += LOT;
        uint32_t level = lot % 17 == 16 ? NFL_SYNC_SEAL : lot % 5 == 4 ? NFL_SYNC_DURABLE : NFL_SYNC_VISIBLE;
        if (nfl_store_sync(store, level, NULL) != NFL_OK || write(acknowledge, &next, sizeof next) != sizeof next)
            _exit(1);
        NFL_OPTS(nfl_compact_opts, compact, .flags = lot % 64 ? 0 : NFL_COMPACT_ALL, .max_rows = 2000);
        if (with_sums && next > FLOWS_KEPT)
            compact.sums_before_us = crash_flow(next - FLOWS_KEPT).received_us;
        if (nfl_store_compact(store, &compact, NULL) < 0)
            _exit(1);
    }
}

/* Flows that were replaced by sums, as the store says and as a report over all of it counts them; -1 and a message if not alike. */
static long crash_count_summed(nfl_store *store)
{
    NFL_OPTS(nfl_store_info, info, .flows = 0);
    NFL_OPTS(nfl_query, query, .group_by = "proto");
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_get_info(store, &info, NULL);
    if (status == NFL_OK)
        status = nfl_store_query(store, &query, &cursor, NULL);
    if (status == NFL_OK)
        nfl_cursor_get_stats(cursor, &stats);
    nfl_cursor_free(cursor);
    if (status == NFL_OK && stats.rows_matched == info.flows + info.summed_flows && !stats.rows_reduced)
        return (long)info.summed_flows;
    printf("%s: %llu flows and sums of %llu, a report has %llu\n", nfl_status_name(status), (unsigned long long)info.flows,
           (unsigned long long)info.summed_flows, (unsigned long long)stats.rows_matched);
    return -1;
}

/* Flows of the store, which must be 0, 1, 2 ... in any order, each once, those replaced by sums the first. -1 and a message if
 * not. */
static long crash_count(const char *path)
{
    static uint8_t seen[FLOWS_MAX];
    NFL_OPTS(nfl_query, query, .columns = "in_if");
    nfl_store *store = crash_open(path, NFL_STORE_READ_ONLY);
    nfl_cursor *cursor;
    nfl_error err = {0};
    long count = 0, bad = 0;
    memset(seen, 0, sizeof seen);
    nfl_status status = nfl_store_query(store, &query, &cursor, &err);
    for (; status == NFL_OK && (status = nfl_cursor_next(cursor, &err)) == NFL_OK; count++) {
        uint64_t i = nfl_cursor_u64(cursor, 0);
        bad += i >= FLOWS_MAX || seen[i]++;
    }
    long summed = crash_count_summed(store);
    for (long i = summed; i >= 0 && i < summed + count && i < FLOWS_MAX; i++)
        bad += !seen[i];
    if (status == NFL_DONE)
        nfl_cursor_free(cursor);
    nfl_store_free(store);
    if (status == NFL_DONE && !bad && summed >= 0)
        return summed + count;
    printf("%ld flows, %ld missing or twice, %s %s\n", count, bad, nfl_status_name(status), err.message);
    return -1;
}

/* Let a writer run for a random while, kill it; returns what it was acknowledged. */
static uint32_t crash_run(const char *path, uint32_t next, test_random *random)
{
    int ends[2];
    uint32_t acknowledged = next;
    if (pipe(ends) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        crash_writer(path, next, ends[1]);
    }
    close(ends[1]);
    struct timespec wait = {0, (long)(1000000 + test_below(random, 60000000))};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
        ;
    close(ends[0]);
    return acknowledged;
}

int main(int argc, char **argv)
{
    long kills = argc > 1 ? strtol(argv[1], NULL, 10) : 30;
    test_random random = {argc > 2 ? strtoull(argv[2], NULL, 0) : test_seed()};
    char path[TEST_PATH_SIZE];
    with_sums = argc > 3 && strcmp(argv[3], "sums") == 0;
    test_make_folder(path);
    nfl_store_free(crash_open(path, NFL_STORE_CREATE));
    long count = 0;
    for (long i = 0; i < kills && count >= 0 && count < FLOWS_MAX / 2; i++) {
        uint32_t acknowledged = crash_run(path, (uint32_t)count, &random);
        count = crash_count(path);
        if (count >= 0 && count < (long)acknowledged) {
            printf("kill %ld: %u flows acknowledged, %ld there\n", i, acknowledged, count);
            count = -1;
        }
    }
    nfl_verify_report report = {.struct_size = sizeof report};
    nfl_store *store = crash_open(path, 0);
    nfl_status status = nfl_store_verify(store, &report, NULL);
    long summed = crash_count_summed(store);
    nfl_store_free(store);
    printf("%ld kills, %ld flows, %ld of them as sums, verify: %s %s\n", kills, count, summed, nfl_status_name(status),
           report.first_problem);
    test_remove_folder(path);
    return count <= 0 || status != NFL_OK || (summed > 0) != with_sums;
}

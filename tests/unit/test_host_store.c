#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/store.h>

#include <string.h>

enum { FLOWS = 5000 };

/* A host's store: an array, handed out in pieces of any size. */
typedef struct host {
    nfl_flow flows[FLOWS];
    size_t count;
    size_t piece;
    size_t at;
    nfl_store_scan wanted;
    uint32_t synced;
    nfl_usec expired_us;
    int scans, closed;
    int fail_scan, fail_next; /* a status to return */
    int no_progress;          /* scan_next says OK and gives nothing */
} host;

static nfl_status keep(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    host *h = self;
    (void)err;
    if (stride != sizeof *flows || n > FLOWS - h->count)
        return NFL_E_LIMIT;
    memcpy(h->flows + h->count, flows, n * stride);
    h->count += n;
    return NFL_OK;
}

static nfl_status make_durable(void *self, uint32_t level, nfl_error *err)
{
    (void)err;
    ((host *)self)->synced = level;
    return NFL_OK;
}

static nfl_status drop_old(void *self, nfl_usec before_us, nfl_error *err)
{
    (void)err;
    ((host *)self)->expired_us = before_us;
    return NFL_OK;
}

static nfl_status scan(void *self, const nfl_store_scan *wanted, void **out, nfl_error *err)
{
    host *h = self;
    (void)err;
    if (h->fail_scan)
        return h->fail_scan;
    h->wanted = *wanted;
    h->at = 0;
    h->scans++;
    *out = h;
    return NFL_OK;
}

static nfl_status scan_next(void *state, const nfl_flow **flows, size_t *n, size_t *stride, nfl_error *err)
{
    host *h = state;
    (void)err;
    if (h->fail_next && h->at > 0)
        return h->fail_next;
    if (h->at == h->count)
        return NFL_DONE;
    *flows = h->flows + h->at;
    *n = h->no_progress ? 0 : h->count - h->at < h->piece ? h->count - h->at : h->piece;
    *stride = sizeof **flows;
    h->at += *n;
    return NFL_OK;
}

static void scan_end(void *state)
{
    ((host *)state)->scans--;
}

static void describe(void *self, nfl_store_info *out)
{
    out->flows = ((host *)self)->count;
}

static void closing(void *self)
{
    ((host *)self)->closed++;
}

static const nfl_store_backend backend = {.struct_size = sizeof backend,
                                          .append = keep,
                                          .sync = make_durable,
                                          .expire = drop_old,
                                          .scan = scan,
                                          .scan_next = scan_next,
                                          .scan_end = scan_end,
                                          .info = describe,
                                          .close = closing};

static nfl_store *open_host(host *h, const nfl_store_backend *with, const nfl_alloc *alloc)
{
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc, .backend = with, .backend_self = h);
    nfl_store *store = NULL;
    nfl_status status = nfl_store_new("anything://", &opts, &store, NULL);
    return status == NFL_OK ? store : NULL;
}

static void fill_host(host *h, nfl_store *store)
{
    test_random random = {test_seed()};
    nfl_flow flow;
    while (h->count < FLOWS) {
        test_flow(&random, &flow);
        if (nfl_store_append(store, &flow, 1, sizeof flow, NULL) != NFL_OK)
            break;
    }
}

static void test_calls_reach_the_host(void)
{
    static host h;
    memset(&h, 0, sizeof h);
    nfl_store *store = open_host(&h, &backend, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    fill_host(&h, store);
    CU_ASSERT_EQUAL(h.count, FLOWS);
    CU_ASSERT_EQUAL(nfl_store_append(store, h.flows, 1, sizeof *h.flows, NULL), NFL_E_LIMIT);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_DURABLE, NULL), NFL_OK);
    CU_ASSERT_EQUAL(h.synced, NFL_SYNC_DURABLE);
    CU_ASSERT_EQUAL(nfl_store_expire(store, 77, NULL), NFL_OK);
    CU_ASSERT_EQUAL(h.expired_us, 77);
    nfl_store_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    CU_ASSERT_EQUAL(info.flows, FLOWS);
    nfl_store_free(store);
    CU_ASSERT_EQUAL(h.closed, 1);
}

static void test_queries_read_the_host_in_pieces_of_any_size(void)
{
    static host h;
    memset(&h, 0, sizeof h);
    nfl_store *store = open_host(&h, &backend, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    fill_host(&h, store);
    static const size_t pieces[] = {1, 7, 2048, 2049, FLOWS};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        NFL_OPTS(nfl_query, query, .from_us = 1, .to_us = INT64_MAX, .filter = "tcp", .columns = "bytes");
        nfl_cursor *cursor = NULL;
        uint64_t rows = 0, bytes = 0, expected_rows = 0, expected_bytes = 0;
        h.piece = pieces[i];
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
        for (; nfl_cursor_next(cursor, NULL) == NFL_OK; rows++)
            bytes += nfl_cursor_u64(cursor, 0);
        for (size_t f = 0; f < FLOWS; f++) {
            expected_rows += h.flows[f].proto == 6;
            expected_bytes += h.flows[f].proto == 6 ? nfl_flow_scaled(&h.flows[f], h.flows[f].bytes) : 0;
        }
        CU_ASSERT_EQUAL(rows, expected_rows);
        CU_ASSERT_EQUAL(bytes, expected_bytes);
        CU_ASSERT_EQUAL(h.wanted.from_us, 1);
        CU_ASSERT_EQUAL(h.wanted.to_us, INT64_MAX);
        CU_ASSERT(h.wanted.fields & NFL_HAS(NFL_FIELD_PROTO));
        CU_ASSERT(!(h.wanted.fields & NFL_HAS(NFL_FIELD_SRC)));
        CU_ASSERT_EQUAL(h.scans, 1);
        nfl_cursor_free(cursor);
        CU_ASSERT_EQUAL(h.scans, 0);
    }
    nfl_store_free(store);
}

static void test_failures_of_the_host_come_through(void)
{
    static host h;
    memset(&h, 0, sizeof h);
    nfl_store *store = open_host(&h, &backend, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    fill_host(&h, store);
    NFL_OPTS(nfl_query, query, .group_by = "src");
    nfl_cursor *cursor = NULL;
    h.piece = 100;
    h.fail_scan = NFL_E_IO;
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, NULL), NFL_E_IO);
    h.fail_scan = NFL_DONE; /* not what a scan may say */
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, NULL), NFL_E_STATE);
    h.fail_scan = 0;
    h.fail_next = NFL_E_CORRUPT;
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, NULL), NFL_E_CORRUPT);
    h.fail_next = 0;
    h.no_progress = 1;
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, NULL), NFL_E_ARG);
    CU_ASSERT_EQUAL(h.scans, 0);
    CU_ASSERT_PTR_NULL(cursor);
    nfl_store_free(store);
}

static void test_what_a_host_leaves_out_is_unsupported(void)
{
    static host h;
    static const nfl_store_backend nothing = {.struct_size = sizeof nothing};
    nfl_store *store = open_host(&h, &nothing, NULL);
    nfl_cursor *cursor = NULL;
    nfl_flow flow = {.struct_size = sizeof flow};
    nfl_store_info info = {.struct_size = sizeof info};
    nfl_verify_report report = {.struct_size = sizeof report};
    NFL_OPTS(nfl_query, query, .group_by = "src");
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_expire(store, 0, NULL), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &cursor, NULL), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_verify(store, &report, NULL), NFL_E_UNSUPPORTED);
    CU_ASSERT_EQUAL(nfl_store_get_info(store, &info, NULL), NFL_OK);
    nfl_store_free(store);
}

static void test_the_host_is_closed_after_the_last_cursor(void)
{
    static host h;
    memset(&h, 0, sizeof h);
    nfl_store *store = open_host(&h, &backend, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    fill_host(&h, store);
    nfl_cursor *listing = NULL, *groups = NULL;
    NFL_OPTS(nfl_query, query, .columns = "src");
    h.piece = 10;
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &listing, NULL), NFL_OK);
    query.group_by = "dst";
    CU_ASSERT_EQUAL(nfl_store_query(store, &query, &groups, NULL), NFL_OK);
    nfl_store_free(store);
    nfl_cursor_free(groups);
    CU_ASSERT_EQUAL(h.closed, 0);
    nfl_cursor_free(listing);
    CU_ASSERT_EQUAL(h.closed, 1);
}

static nfl_status use_host(const nfl_alloc *alloc, void *ctx)
{
    host *h = ctx;
    nfl_cursor *cursor = NULL;
    NFL_OPTS(nfl_query, query, .group_by = "proto");
    nfl_store *store = open_host(h, &backend, alloc);
    nfl_status status = store ? nfl_store_query(store, &query, &cursor, NULL) : NFL_E_NOMEM;
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    CU_ASSERT_EQUAL(h->scans, 0);
    return status;
}

static void test_running_out_of_memory(void)
{
    static host h;
    memset(&h, 0, sizeof h);
    nfl_store *store = open_host(&h, &backend, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
    fill_host(&h, store);
    nfl_store_free(store);
    h.piece = 100;
    CU_ASSERT(test_allocation_failures(use_host, &h, 10) > 5);
}

NFL_SUITE("host store", {"calls reach the host", test_calls_reach_the_host},
          {"queries read the host in pieces of any size", test_queries_read_the_host_in_pieces_of_any_size},
          {"failures of the host come through", test_failures_of_the_host_come_through},
          {"what a host leaves out is unsupported", test_what_a_host_leaves_out_is_unsupported},
          {"the host is closed after the last cursor", test_the_host_is_closed_after_the_last_cursor},
          {"running out of memory", test_running_out_of_memory})

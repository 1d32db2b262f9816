#include <CUnit/Basic.h>

#include <netflow/encoder.h>
#include <netflow/engine.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000 };
static const nfl_usec start_us = INT64_C(1795440000000000);

/* A flow of `bytes` from 10.0.0.`host` to 198.51.100.1 port 443. */
static nfl_flow engine_flow(uint8_t host, uint64_t bytes)
{
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = start_us - SECOND, .last_us = start_us, .bytes = bytes,
                     .packets = 1 + bytes / 1000, .flows = 1, .src_port = (uint16_t)(40000 + host), .dst_port = 443,
                     .proto = 6, .tcp_flags = 0x1b};
    flow.src = nfl_ip_from_v4(0x0a000000u | host);
    flow.dst = nfl_ip_from_v4(0xc6336401u);
    flow.present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) |
                   NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) |
                   NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) |
                   NFL_HAS(NFL_FIELD_TCP_FLAGS);
    return flow;
}

/* Feed one flow as a v5 datagram of its own. */
static nfl_status engine_feed(nfl_engine *engine, nfl_encoder *encoder, const nfl_flow *flow, nfl_usec now_us)
{
    nfl_error err;
    nfl_ip exporter = nfl_ip_from_v4(0xc0000201u);
    size_t len;
    if (nfl_encoder_add(encoder, flow, now_us, &err) != NFL_OK)
        return NFL_E_STATE;
    const uint8_t *data = nfl_encoder_take(encoder, now_us, &len);
    void *exact = test_exact(data, len);
    nfl_status status = nfl_engine_feed(engine, &exporter, now_us, exact, len, &err);
    free(exact);
    return status;
}

static nfl_encoder *engine_encoder(void)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = 5, .boot_us = start_us - INT64_C(3600) * SECOND);
    nfl_encoder *encoder = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_encoder_new(&opts, &encoder, NULL), NFL_OK);
    return encoder;
}

static uint64_t engine_sum(nfl_store *store, const char *filter)
{
    NFL_OPTS(nfl_query, query, .filter = filter, .group_by = "version");
    nfl_cursor *cursor;
    uint64_t bytes = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &query, &cursor, NULL), NFL_OK);
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        bytes += nfl_cursor_u64(cursor, 1);
    nfl_cursor_free(cursor);
    return bytes;
}

static void test_a_datagram_goes_all_the_way(void)
{
    NFL_OPTS(nfl_engine_opts, opts, .store = "mem:");
    nfl_engine *engine = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_engine_new(&opts, &engine, NULL), NFL_OK);
    nfl_encoder *encoder = engine_encoder();
    for (uint8_t host = 1; host <= 20; host++) {
        nfl_flow flow = engine_flow(host, host * UINT64_C(1000));
        CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us + host), NFL_OK);
    }
    CU_ASSERT_EQUAL(nfl_engine_advance(engine, start_us + SECOND, NULL), NFL_OK);
    CU_ASSERT_EQUAL(engine_sum(nfl_engine_store(engine), NULL), 210000);
    CU_ASSERT_EQUAL(engine_sum(nfl_engine_store(engine), "app https and src ip 10.0.0.7"), 7000);

    nfl_topk_item top[3];
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_SRC, top, 3), 3);
    nfl_ip heaviest = nfl_ip_from_v4(0x0a000014u);
    CU_ASSERT_EQUAL(memcmp(top[0].key, heaviest.b, sizeof heaviest.b), 0);
    CU_ASSERT_EQUAL(top[0].weight, 20000);
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_APP, top, 3), 1);
    CU_ASSERT_EQUAL(top[0].weight, 210000);
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_COUNT, top, 3), 0);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
}

static void test_live_lists_forget_after_two_panes(void)
{
    nfl_engine *engine = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_engine_new(NULL, &engine, NULL), NFL_OK);
    nfl_encoder *encoder = engine_encoder();
    nfl_flow flow = engine_flow(1, 5000);
    nfl_topk_item top[2];
    CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us), NFL_OK);
    CU_ASSERT_EQUAL(nfl_engine_advance(engine, start_us + INT64_C(400) * SECOND, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_SRC, top, 2), 1);
    CU_ASSERT_EQUAL(nfl_engine_advance(engine, start_us + INT64_C(601) * SECOND, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_SRC, top, 2), 0);
    CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us + INT64_C(602) * SECOND), NFL_OK);
    CU_ASSERT_EQUAL(nfl_engine_advance(engine, start_us + INT64_C(100000) * SECOND, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_engine_top(engine, NFL_TOP_SRC, top, 2), 0);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
}

/* A store that refuses as long as `full` is set. */
typedef struct refusing_store {
    int full;
    size_t kept;
} refusing_store;

static nfl_status refusing_append(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    refusing_store *store = self;
    (void)flows;
    (void)stride;
    (void)err;
    if (store->full)
        return NFL_E_IO;
    store->kept += n;
    return NFL_OK;
}

static void test_flows_wait_while_the_store_refuses(void)
{
    refusing_store store = {.full = 1};
    nfl_store_backend backend = {.struct_size = sizeof backend, .append = refusing_append};
    NFL_OPTS(nfl_store_opts, store_opts, .backend = &backend, .backend_self = &store);
    NFL_OPTS(nfl_engine_opts, opts, .store = "host:", .store_opts = &store_opts, .no_detectors = 1);
    nfl_engine *engine = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_engine_new(&opts, &engine, NULL), NFL_OK);
    nfl_encoder *encoder = engine_encoder();
    nfl_flow flow = engine_flow(1, 5000);
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us + i), NFL_E_IO);
    store.full = 0;
    CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us + 10), NFL_OK);
    CU_ASSERT_EQUAL(store.kept, 11);
    CU_ASSERT_EQUAL(nfl_engine_dropped(engine), 0);

    store.full = 1;
    for (int i = 0; i < 16384 + 5; i++)
        CU_ASSERT(engine_feed(engine, encoder, &flow, start_us + 20 + i) < 0);
    CU_ASSERT_EQUAL(nfl_engine_dropped(engine), 5);
    store.full = 0;
    CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us + 30000), NFL_OK);
    CU_ASSERT_EQUAL(store.kept, 11 + 16384);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
}

static void test_rubbish_is_refused_and_the_rest_goes_on(void)
{
    nfl_engine *engine = NULL;
    NFL_OPTS(nfl_engine_opts, opts, .store = "mem:");
    CU_ASSERT_EQUAL_FATAL(nfl_engine_new(&opts, &engine, NULL), NFL_OK);
    nfl_encoder *encoder = engine_encoder();
    nfl_ip exporter = nfl_ip_from_v4(0xc0000201u);
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_engine_feed(engine, &exporter, start_us, "", 0, &err), NFL_E_TRUNCATED);
    CU_ASSERT_EQUAL(nfl_engine_feed(engine, &exporter, start_us, "\xff\xff\xff\xff", 4, &err), NFL_E_UNSUPPORTED);
    nfl_flow flow = engine_flow(1, 5000);
    CU_ASSERT_EQUAL(engine_feed(engine, encoder, &flow, start_us), NFL_OK);
    CU_ASSERT_EQUAL(engine_sum(nfl_engine_store(engine), NULL), 5000);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
}

static void test_findings_come_out(void)
{
    nfl_engine *engine = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_engine_new(NULL, &engine, NULL), NFL_OK);
    nfl_encoder *encoder = engine_encoder();
    for (uint16_t port = 1; port <= 100; port++) {
        nfl_flow probe = engine_flow(9, 44), answer;
        probe.dst_port = port;
        probe.tcp_flags = 0x02;
        answer = probe;
        answer.src = probe.dst;
        answer.dst = probe.src;
        answer.src_port = port;
        answer.dst_port = probe.src_port;
        answer.tcp_flags = 0x14;
        CU_ASSERT_EQUAL(engine_feed(engine, encoder, &probe, start_us + port), NFL_OK);
        CU_ASSERT_EQUAL(engine_feed(engine, encoder, &answer, start_us + port), NFL_OK);
    }
    nfl_engine_flush(engine);
    const nfl_finding *finding;
    int scans = 0;
    while (nfl_engine_next_finding(engine, &finding) == NFL_OK)
        scans += strcmp(finding->detector, "scan_vertical") == 0;
    CU_ASSERT(scans > 0);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
}

static nfl_status engine_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    NFL_OPTS(nfl_engine_opts, opts, .alloc = alloc, .store = "mem:", .top_counters = 64);
    nfl_engine *engine = NULL;
    nfl_status status = nfl_engine_new(&opts, &engine, NULL);
    if (status < 0)
        return status;
    nfl_encoder *encoder = engine_encoder();
    nfl_flow flow = engine_flow(1, 5000);
    status = engine_feed(engine, encoder, &flow, start_us);
    if (status == NFL_OK && nfl_engine_dropped(engine))
        status = NFL_E_NOMEM; /* no room for the row: counted */
    if (status == NFL_OK)
        status = nfl_engine_sync(engine, NFL_SYNC_DURABLE, NULL);
    nfl_encoder_free(encoder);
    nfl_engine_free(engine);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    /* A growing array that cannot double tries again with what it needs: that is not noticed. */
    CU_ASSERT(test_allocation_failures(engine_scenario, NULL, 4) > 5);
}

NFL_SUITE("engine", {"a datagram goes all the way", test_a_datagram_goes_all_the_way},
          {"live lists forget after two panes", test_live_lists_forget_after_two_panes},
          {"flows wait while the store refuses", test_flows_wait_while_the_store_refuses},
          {"rubbish is refused and the rest goes on", test_rubbish_is_refused_and_the_rest_goes_on},
          {"findings come out", test_findings_come_out},
          {"every allocation may fail", test_every_allocation_may_fail})

/* The parts wired together.
 *
 *   datagram -> parser -> enrich -> rows -> store
 *                                    |-> live top lists (two panes each)
 *                                    |-> watch (join + detectors)
 *
 * Rows collect in `rows` and go to the store at the end of each datagram. When the store refuses (disk full)
 * they stay, up to ENGINE_ROWS_MAX, and are tried again at the next call; beyond that flows are dropped and
 * counted, never silently. Top lists and detectors see every flow in any case.
 *
 * Cost per flow: decode + one copy of the row + one store append + three sketch updates + one join look-up.
 */
#include <netflow/engine.h>
#include <netflow/enrich.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"

#include <string.h>

enum {
    ENGINE_ROWS_MAX = 16384,  /* flows held while the store refuses: 5.4 MB */
    ENGINE_PANE_S = 300,      /* a top list covers the current and the last pane */
    ENGINE_DURABLE_MS = 10000
};

typedef struct engine_top {
    nfl_topk *current;
    nfl_topk *last;
} engine_top;

struct nfl_engine {
    nfl__memory memory;
    nfl_parser *parser;
    nfl_store *store;
    nfl_watch *watch;
    engine_top tops[NFL_TOP_COUNT];
    nfl_topk *merged; /* scratch of nfl_engine_top() */
    nfl_usec pane_start_us;
    nfl_flow *rows;
    size_t row_count, row_capacity;
    uint64_t dropped;
    nfl_usec flush_us;
    nfl_usec last_flush_us;
    nfl_usec durable_us; /* between two flushes that survive loss of power */
    nfl_usec last_durable_us;
    nfl_usec keep_us;
    nfl_usec keep_flows_us;
    nfl_retention retention; /* limits but age */
    nfl_usec last_retain_us;
};

static nfl_status engine_open_parser(nfl_engine *engine, const nfl_engine_opts *opts, nfl_error *err)
{
    nfl_parser_opts parser_opts;
    NFL_TRY(nfl__opts_read(&parser_opts, sizeof parser_opts, opts->parser_opts, err));
    parser_opts.struct_size = sizeof parser_opts;
    parser_opts.alloc = parser_opts.alloc ? parser_opts.alloc : &engine->memory.alloc;
    parser_opts.seed = parser_opts.seed ? parser_opts.seed : opts->seed;
    return nfl_parser_new(&parser_opts, &engine->parser, err);
}

static nfl_status engine_open_store(nfl_engine *engine, const nfl_engine_opts *opts, nfl_error *err)
{
    if (!opts->store)
        return NFL_OK;
    nfl_store_opts store_opts;
    NFL_TRY(nfl__opts_read(&store_opts, sizeof store_opts, opts->store_opts, err));
    store_opts.struct_size = sizeof store_opts;
    store_opts.flags |= NFL_STORE_CREATE;
    store_opts.alloc = store_opts.alloc ? store_opts.alloc : &engine->memory.alloc;
    return nfl_store_new(opts->store, &store_opts, &engine->store, err);
}

static nfl_status engine_open_watch(nfl_engine *engine, const nfl_engine_opts *opts, nfl_error *err)
{
    if (opts->no_detectors)
        return NFL_OK;
    nfl_watch_opts watch_opts;
    NFL_TRY(nfl__opts_read(&watch_opts, sizeof watch_opts, opts->watch_opts, err));
    watch_opts.struct_size = sizeof watch_opts;
    watch_opts.alloc = watch_opts.alloc ? watch_opts.alloc : &engine->memory.alloc;
    watch_opts.seed = watch_opts.seed ? watch_opts.seed : opts->seed;
    return nfl_watch_new(&watch_opts, &engine->watch, err);
}

static nfl_status engine_open_tops(nfl_engine *engine, const nfl_engine_opts *opts, nfl_error *err)
{
    NFL_OPTS(nfl_topk_opts, topk_opts, .counters = opts->top_counters ? opts->top_counters : 1024,
             .alloc = &engine->memory.alloc, .key_len = sizeof(nfl_ip), .seed = opts->seed);
    NFL_TRY(nfl_topk_new(&topk_opts, &engine->merged, err));
    for (size_t i = 0; i < NFL_TOP_COUNT; i++) {
        NFL_TRY(nfl_topk_new(&topk_opts, &engine->tops[i].current, err));
        NFL_TRY(nfl_topk_new(&topk_opts, &engine->tops[i].last, err));
    }
    return NFL_OK;
}

static nfl_status engine_open(nfl_engine *engine, const nfl_engine_opts *opts, nfl_error *err)
{
    engine->flush_us = (opts->flush_ms ? opts->flush_ms : 1000) * INT64_C(1000);
    engine->durable_us = (opts->durable_ms ? opts->durable_ms : ENGINE_DURABLE_MS) * INT64_C(1000);
    engine->keep_us = opts->keep_s * INT64_C(1000000);
    engine->keep_flows_us = opts->keep_flows_s * INT64_C(1000000);
    engine->retention = (nfl_retention){.struct_size = sizeof engine->retention, .max_bytes = opts->max_store_bytes,
                                        .min_free_bytes = opts->min_free_bytes};
    NFL_TRY(engine_open_parser(engine, opts, err));
    NFL_TRY(engine_open_watch(engine, opts, err));
    NFL_TRY(engine_open_tops(engine, opts, err));
    return engine_open_store(engine, opts, err);
}

nfl_status nfl_engine_new(const nfl_engine_opts *opts, nfl_engine **out, nfl_error *err)
{
    nfl_engine_opts read;
    NFL_TRY(nfl__opts_read(&read, sizeof read, opts, err));
    nfl__memory memory;
    nfl__memory_init(&memory, read.alloc, 0);
    nfl_engine *engine = nfl__new(&memory, 1, sizeof *engine);
    if (!engine)
        return nfl__fail_nomem(err, sizeof *engine);
    engine->memory = memory;
    nfl_status status = engine_open(engine, &read, err);
    if (status < 0) {
        nfl_engine_free(engine);
        return status;
    }
    *out = engine;
    return NFL_OK;
}

void nfl_engine_free(nfl_engine *engine)
{
    if (!engine)
        return;
    if (engine->store && engine->row_count)
        (void)!nfl_engine_sync(engine, NFL_SYNC_VISIBLE, NULL);
    nfl_parser_free(engine->parser);
    nfl_store_free(engine->store);
    nfl_watch_free(engine->watch);
    nfl_topk_free(engine->merged);
    for (size_t i = 0; i < NFL_TOP_COUNT; i++) {
        nfl_topk_free(engine->tops[i].current);
        nfl_topk_free(engine->tops[i].last);
    }
    nfl__memory memory = engine->memory;
    nfl__delete(&memory, engine->rows, engine->row_capacity, sizeof *engine->rows);
    nfl__delete(&memory, engine, 1, sizeof *engine);
}

static void engine_count_tops(nfl_engine *engine, const nfl_flow *flow)
{
    uint64_t bytes = nfl_flow_scaled(flow, flow->bytes);
    if (flow->present & NFL_HAS(NFL_FIELD_SRC))
        nfl_topk_add(engine->tops[NFL_TOP_SRC].current, flow->src.b, bytes);
    if (flow->present & NFL_HAS(NFL_FIELD_DST))
        nfl_topk_add(engine->tops[NFL_TOP_DST].current, flow->dst.b, bytes);
    if (flow->present & NFL_HAS(NFL_FIELD_APP)) {
        uint8_t key[sizeof(nfl_ip)] = {(uint8_t)(flow->app >> 24), (uint8_t)(flow->app >> 16),
                                       (uint8_t)(flow->app >> 8), (uint8_t)flow->app};
        nfl_topk_add(engine->tops[NFL_TOP_APP].current, key, bytes);
    }
}

/* Start a new pane when the current one is over; two at once after a long silence. */
static void engine_turn_panes(nfl_engine *engine, nfl_usec now_us)
{
    const nfl_usec pane_us = ENGINE_PANE_S * INT64_C(1000000);
    if (engine->pane_start_us == 0)
        engine->pane_start_us = now_us;
    for (int turns = 0; turns < 2 && now_us - engine->pane_start_us >= pane_us; turns++) {
        for (size_t i = 0; i < NFL_TOP_COUNT; i++) {
            engine_top *top = &engine->tops[i];
            nfl_topk *oldest = top->last;
            top->last = top->current;
            top->current = oldest;
            nfl_topk_reset(oldest);
        }
        engine->pane_start_us += pane_us;
    }
    if (now_us - engine->pane_start_us >= pane_us)
        engine->pane_start_us = now_us;
}

static void engine_keep_row(nfl_engine *engine, const nfl_flow *flow)
{
    if (!engine->store)
        return;
    if (engine->row_count == ENGINE_ROWS_MAX ||
        !nfl__grow(&engine->memory, (void **)&engine->rows, &engine->row_capacity, engine->row_count + 1,
                   sizeof *engine->rows)) {
        engine->dropped++;
        return;
    }
    engine->rows[engine->row_count++] = *flow;
}

static nfl_status engine_store_rows(nfl_engine *engine, nfl_error *err)
{
    if (engine->row_count == 0)
        return NFL_OK;
    nfl_status status = nfl_store_append(engine->store, engine->rows, engine->row_count, sizeof *engine->rows, err);
    if (status >= 0)
        engine->row_count = 0;
    return status;
}

nfl_status nfl_engine_feed(nfl_engine *engine, const nfl_ip *exporter, nfl_usec now_us, const void *data,
                           size_t len, nfl_error *err)
{
    engine_turn_panes(engine, now_us);
    NFL_TRY(nfl_parser_feed(engine->parser, exporter, now_us, data, len, err));
    const nfl_flow *decoded;
    for (nfl_status status; (status = nfl_parser_next(engine->parser, &decoded, NULL)) != NFL_DONE;) {
        if (status != NFL_OK)
            continue; /* a bad set: counted by the parser, the rest of the datagram goes on */
        nfl_flow flow = *decoded;
        nfl_enrich_app(&flow);
        engine_count_tops(engine, &flow);
        if (engine->watch)
            nfl_watch_feed(engine->watch, &flow);
        engine_keep_row(engine, &flow);
    }
    return engine_store_rows(engine, err);
}

/* What is too old or too much goes, once a minute. That holds keep some of it is no failure. */
static nfl_status engine_retain(nfl_engine *engine, nfl_usec now_us, nfl_error *err)
{
    const nfl_usec every_us = INT64_C(60000000);
    nfl_retention wanted = engine->retention;
    if ((!engine->keep_us && !wanted.max_bytes && !wanted.min_free_bytes) || now_us - engine->last_retain_us < every_us)
        return NFL_OK;
    wanted.before_us = engine->keep_us ? now_us - engine->keep_us : 0;
    NFL_TRY(nfl_store_retain(engine->store, &wanted, err));
    engine->last_retain_us = now_us;
    return NFL_OK;
}

/* One step of compaction; when segments are few, that is a look at the list of them. */
static nfl_status engine_compact(nfl_engine *engine, nfl_usec now_us, nfl_error *err)
{
    NFL_OPTS(nfl_compact_opts, opts, .sums_before_us = engine->keep_flows_us ? now_us - engine->keep_flows_us : 0);
    nfl_status status = nfl_store_compact(engine->store, &opts, err);
    return status == NFL_DONE ? NFL_OK : status;
}

nfl_status nfl_engine_advance(nfl_engine *engine, nfl_usec now_us, nfl_error *err)
{
    engine_turn_panes(engine, now_us);
    if (engine->watch)
        nfl_watch_advance(engine->watch, now_us);
    if (!engine->store)
        return NFL_OK;
    NFL_TRY(engine_store_rows(engine, err));
    nfl_usec since_us = now_us - engine->last_flush_us;
    if (since_us >= engine->flush_us || since_us < 0) {
        int durable = now_us - engine->last_durable_us >= engine->durable_us || now_us < engine->last_durable_us;
        NFL_TRY(nfl_store_sync(engine->store, durable ? NFL_SYNC_DURABLE : NFL_SYNC_VISIBLE, err));
        engine->last_flush_us = now_us;
        engine->last_durable_us = durable ? now_us : engine->last_durable_us;
    }
    NFL_TRY(engine_retain(engine, now_us, err));
    return engine_compact(engine, now_us, err);
}

nfl_status nfl_engine_sync(nfl_engine *engine, uint32_t level, nfl_error *err)
{
    if (!engine->store)
        return NFL_OK;
    NFL_TRY(engine_store_rows(engine, err));
    return nfl_store_sync(engine->store, level, err);
}

void nfl_engine_flush(nfl_engine *engine)
{
    if (engine->watch)
        nfl_watch_flush(engine->watch);
}

nfl_status nfl_engine_next_finding(nfl_engine *engine, const nfl_finding **out)
{
    return engine->watch ? nfl_watch_next(engine->watch, out) : NFL_DONE;
}

size_t nfl_engine_top(nfl_engine *engine, uint32_t which, nfl_topk_item *out, size_t cap)
{
    if (which >= NFL_TOP_COUNT)
        return 0;
    nfl_topk_reset(engine->merged);
    /* Same geometry and seed by construction: merging cannot fail. */
    (void)!nfl_topk_merge(engine->merged, engine->tops[which].last, NULL);
    (void)!nfl_topk_merge(engine->merged, engine->tops[which].current, NULL);
    return nfl_topk_list(engine->merged, out, cap);
}

nfl_parser *nfl_engine_parser(nfl_engine *engine)
{
    return engine->parser;
}

nfl_store *nfl_engine_store(nfl_engine *engine)
{
    return engine->store;
}

uint64_t nfl_engine_dropped(const nfl_engine *engine)
{
    return engine->dropped;
}

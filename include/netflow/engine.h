/**
 * @file engine.h
 * @brief The whole thing behind a handful of calls: parser, enrichment, store, live top lists, detectors.
 *
 * Feed datagrams, tell the time now and then, ask the store, read findings. See examples/hello.
 *
 * Flows become visible to other processes after `flush_ms`; every tenth flush also survives loss of power.
 */
#ifndef NETFLOW_ENGINE_H
#define NETFLOW_ENGINE_H

#include <netflow/base.h>
#include <netflow/detect.h>
#include <netflow/flow.h>
#include <netflow/parser.h>
#include <netflow/store.h>
#include <netflow/topk.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Engine. Opaque. One thread at a time. */
typedef struct nfl_engine nfl_engine;

/** Live top lists of an engine: byte weights over the current and the last minutes, in fixed memory. */
enum {
    NFL_TOP_SRC = 0, /**< Source addresses; keys are ::nfl_ip. */
    NFL_TOP_DST = 1, /**< Destination addresses; keys are ::nfl_ip. */
    NFL_TOP_APP = 2, /**< Applications; keys are 16 bytes, the first 4 the number, most significant first. */
    NFL_TOP_COUNT = 3 /**< How many there are. */
};

/** Options of nfl_engine_new(). Zero in a member means its default. */
typedef struct nfl_engine_opts {
    uint32_t struct_size;   /**< sizeof(nfl_engine_opts). */
    uint32_t flush_ms;      /**< Flows become visible to other processes after this long; 0 = 1000. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    NFL_PTR(const char *, store);      /**< URI of the store; created if missing. NULL = no store. */
    NFL_PTR(const nfl_store_opts *, store_opts);   /**< Further options of the store, or NULL. */
    NFL_PTR(const nfl_parser_opts *, parser_opts); /**< Options of the parser, or NULL. */
    NFL_PTR(const nfl_watch_opts *, watch_opts);   /**< Options of the detectors, or NULL. */
    uint32_t no_detectors;  /**< 1 = no detectors. */
    uint32_t top_counters;  /**< Counters per live top list and pane; 0 = 1024. */
    uint64_t seed;          /**< Secret of all hash tables whose own options give none. */
    uint32_t keep_s;        /**< Flows older than this are expired; 0 = never. */
    uint32_t reserved;      /**< 0. */
    uint64_t max_store_bytes; /**< The oldest segments go when all take more than this; 0 = no limit. */
    uint64_t min_free_bytes;  /**< The oldest segments go when the file system has less left; 0 = no limit. */
    uint32_t keep_flows_s;    /**< Flows older than this are replaced by their sums (nfl_compact_opts::sums_before_us);
                                   0 = never. */
    uint32_t durable_ms;      /**< Flows survive a loss of power after this long; 0 = 10000. Less than `flush_ms` is as that. */
} nfl_engine_opts;

/**
 * @brief   Create an engine.
 * @param   opts  Options, or NULL for an engine without store. Not kept.
 * @param[out] out Owned by the caller, free with nfl_engine_free().
 * @param[out] err Detail on failure; may be NULL.
 * @return  NFL_OK, or what the part that failed returned.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_engine_new(const nfl_engine_opts *opts, nfl_engine **out,
                                               nfl_error *err);

/** @brief Free an engine; flows not yet sealed stay in the journal. NULL is allowed. @since 0.1 */
NFL_API void nfl_engine_free(nfl_engine *engine);

/**
 * @brief   Take in one datagram: decode, enrich, keep, count, watch.
 *
 * Problems inside a datagram are counted (nfl_parser_get_stats()), not returned: the good part is kept.
 *
 * @param   engine    Engine.
 * @param   exporter  Address it came from.
 * @param   now_us    Time of arrival.
 * @param   data      UDP payload.
 * @param   len       Bytes.
 * @param[out] err    Detail on failure; may be NULL.
 * @retval  NFL_OK  Taken in. A negative value other than the two below is the store's: what it could not
 *                  take waits in a bounded buffer and is tried again at the next call.
 * @retval  NFL_E_FORMAT, NFL_E_TRUNCATED, NFL_E_UNSUPPORTED  Not an export datagram.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_engine_feed(nfl_engine *engine, const nfl_ip *exporter,
                                                nfl_usec now_us, const void *data, size_t len,
                                                nfl_error *err);

/**
 * @brief   Tell the time: flush, expire, age, and one step of nfl_store_compact(). Call about once a second.
 * @retval  NFL_OK  Done; otherwise what the store returned.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_engine_advance(nfl_engine *engine, nfl_usec now_us, nfl_error *err);

/**
 * @brief   End of input: everything to the store, judge open connections.
 * @param   engine  Engine.
 * @param   level   NFL_SYNC_*.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK  Done; otherwise what the store returned.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_engine_sync(nfl_engine *engine, uint32_t level, nfl_error *err);

/** @brief Judge the connections that are still open: end of a capture. @since 0.1 */
NFL_API void nfl_engine_flush(nfl_engine *engine);

/**
 * @brief   Next finding of the detectors.
 * @retval  NFL_OK    *out is set; borrowed, valid until the next call on @p engine.
 * @retval  NFL_DONE  Nothing new.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_engine_next_finding(nfl_engine *engine, const nfl_finding **out);

/**
 * @brief   Live top list of the last 5 to 10 minutes, by bytes, with error bounds. No scan of the store.
 * @param   engine  Engine.
 * @param   which   NFL_TOP_*.
 * @param[out] out  Room for @p cap items.
 * @param   cap     Items wanted.
 * @return  Items written.
 * @since 0.1
 */
NFL_API size_t nfl_engine_top(nfl_engine *engine, uint32_t which, nfl_topk_item *out, size_t cap);

/** @return The engine's parser, for its counters and exporter list; borrowed. @since 0.1 */
NFL_API nfl_parser *nfl_engine_parser(nfl_engine *engine);

/** @return The engine's store, or NULL; borrowed. @since 0.1 */
NFL_API nfl_store *nfl_engine_store(nfl_engine *engine);

/** @return Flows that could not be stored and were dropped because the buffer was full. @since 0.1 */
NFL_API uint64_t nfl_engine_dropped(const nfl_engine *engine);

#ifdef __cplusplus
}
#endif
#endif

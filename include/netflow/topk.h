/**
 * @file topk.h
 * @brief Heaviest keys of a stream in fixed memory: weighted space-saving with error bounds.
 *
 * Buckets of 8 counters; a new key takes over the smallest counter of its bucket and inherits its count
 * as possible error (Metwally et al. 2005, set-associative). For every key: weight - max_error <= true
 * weight <= weight. Ranked by the lower bound.
 */
#ifndef NETFLOW_TOPK_H
#define NETFLOW_TOPK_H

#include <netflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest key in bytes. */
#define NFL_TOPK_MAX_KEY 40

/** Sketch. Opaque. One thread at a time. */
typedef struct nfl_topk nfl_topk;

/** Options of nfl_topk_new(). Zero in a member means its default. */
typedef struct nfl_topk_opts {
    uint32_t struct_size; /**< sizeof(nfl_topk_opts). */
    uint32_t counters;    /**< Rounded up to 8 times a power of two; 0 = 4096. At most 2^24. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t key_len;     /**< Bytes per key, 1 to ::NFL_TOPK_MAX_KEY; 0 = 16. */
    uint32_t reserved;    /**< 0. */
    uint64_t seed;        /**< Secret of the hash; sketches merge only with the same seed. */
} nfl_topk_opts;

/** One heavy key. */
typedef struct nfl_topk_item {
    uint8_t key[NFL_TOPK_MAX_KEY]; /**< First key_len bytes count; others 0. */
    uint64_t weight;    /**< Upper bound of the true weight. */
    uint64_t max_error; /**< weight - max_error is the lower bound. */
    uint32_t certain;   /**< 1 if no key outside the list can be heavier. */
    uint32_t reserved;  /**< 0. */
} nfl_topk_item;

/**
 * @brief   Create a sketch. All memory is taken here.
 * @param   opts  Options, or NULL for defaults. Not kept.
 * @param[out] out Owned by the caller, free with nfl_topk_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is set.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @retval  NFL_E_ARG    A value is out of range.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_topk_new(const nfl_topk_opts *opts, nfl_topk **out, nfl_error *err);

/** @brief Free a sketch; NULL is allowed. @since 0.1 */
NFL_API void nfl_topk_free(nfl_topk *topk);

/** @brief Forget everything; geometry and seed stay. @since 0.1 */
NFL_API void nfl_topk_reset(nfl_topk *topk);

/** @brief Add @p weight to @p key (key_len bytes). Never allocates, never fails; counts saturate. @since 0.1 */
NFL_API void nfl_topk_add(nfl_topk *topk, const void *key, uint64_t weight);

/**
 * @brief   Bounds of one key, seen or not.
 * @param   topk   Sketch.
 * @param   key    key_len bytes.
 * @param[out] upper  No larger weight is possible; may be NULL.
 * @return  Lower bound of its weight.
 * @since 0.1
 */
NFL_API uint64_t nfl_topk_get(const nfl_topk *topk, const void *key, uint64_t *upper);

/**
 * @brief   Add what another sketch has seen. Bounds stay true.
 * @param   topk   Sketch that receives.
 * @param   other  Sketch of the same counters, key_len and seed.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK     Merged.
 * @retval  NFL_E_ARG  They differ in geometry or seed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_topk_merge(nfl_topk *topk, const nfl_topk *other, nfl_error *err);

/**
 * @brief   Heaviest keys, by lower bound, from large to small; equal ones in order of their bytes.
 * @param   topk  Sketch.
 * @param[out] out  Room for @p cap items.
 * @param   cap   Items wanted.
 * @return  Items written.
 * @since 0.1
 */
NFL_API size_t nfl_topk_list(const nfl_topk *topk, nfl_topk_item *out, size_t cap);

/** @return Bytes per key. @since 0.1 */
NFL_API size_t nfl_topk_key_len(const nfl_topk *topk);

/** @return Sum of all weights added. @since 0.1 */
NFL_API uint64_t nfl_topk_total(const nfl_topk *topk);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_topk_memory(const nfl_topk *topk);

/**
 * @brief   Write the sketch in portable form; the seed is not written, only its fingerprint.
 * @param   topk  Sketch.
 * @param   dst   Buffer, or NULL when @p cap is 0.
 * @param   cap   Bytes at @p dst.
 * @param[out] need  Bytes it takes; set also on ::NFL_E_LIMIT.
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK       Written.
 * @retval  NFL_E_LIMIT  @p cap is too small; nothing was written.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_topk_save(const nfl_topk *topk, void *dst, size_t cap, size_t *need,
                                              nfl_error *err);

/**
 * @brief   Replace the content by what nfl_topk_save() wrote.
 * @param   topk  Sketch of the same geometry and seed.
 * @param   data  Saved sketch; may be hostile.
 * @param   len   Bytes.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK         Loaded.
 * @retval  NFL_E_CORRUPT  Checksum or structure wrong; the sketch is unchanged.
 * @retval  NFL_E_ARG      Other geometry or seed; the sketch is unchanged.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_topk_load(nfl_topk *topk, const void *data, size_t len,
                                              nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

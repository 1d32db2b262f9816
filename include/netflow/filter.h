/**
 * @file filter.h
 * @brief The filter language of this field: "src ip 10.0.0.0/8 and dst port 443 and bytes > 10k".
 *
 * Grammar: docs/reference/filter.md. A comparison with a field that the exporter did not send is false;
 * `not` turns it round, as in nfdump. Counters compare after scaling by the sampling rate.
 */
#ifndef NETFLOW_FILTER_H
#define NETFLOW_FILTER_H

#include <netflow/base.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Compiled filter. Immutable after creation, so it may be shared between threads. */
typedef struct nfl_filter nfl_filter;

/**
 * Gives the text of a list that a filter names: `src in @bad`. One value a line, as it would stand in the filter; empty lines
 * are passed over, and what follows `#` or `;`.
 *
 * @param   ctx   nfl_filter_opts::list_ctx.
 * @param   name  NUL-terminated, 1 to 255 bytes, as written in the filter.
 * @param[out] text  Need not be terminated. Borrowed until the next call of this function or, if there is none, until the
 *                   filter is compiled.
 * @param[out] len   Bytes at *text.
 * @param[out] err   Never NULL; set its message on failure.
 * @retval  NFL_OK           *text and *len are set.
 * @retval  NFL_E_NOT_FOUND  There is no such list. Any error ends the compilation and is passed on.
 */
typedef nfl_status (*nfl_filter_list)(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err);

/** Options of nfl_filter_new(). Zero in a member means its default. */
typedef struct nfl_filter_opts {
    uint32_t struct_size; /**< sizeof(nfl_filter_opts). */
    uint32_t max_nodes;   /**< Operators and comparisons together, two for each comparison; 0 = 4096. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    nfl_usec now_us;      /**< What relative times in the text mean; 0: they are ::NFL_E_SYNTAX. */
    uint32_t max_values;  /**< Values and ranges, those of lists in the text included; 0 = 65536. */
    uint32_t reserved;    /**< 0. */
    NFL_PTR(nfl_filter_list, list); /**< Knows the lists behind `@`, 1,048,576 values at most; NULL: they are ::NFL_E_SYNTAX. */
    NFL_PTR(void *, list_ctx);      /**< For `list`. */
} nfl_filter_opts;

/**
 * @brief   Compile a filter.
 * @param   text  NUL-terminated; NULL, "" and "any" match every flow.
 * @param   opts  Options, or NULL for defaults. Not kept.
 * @param[out] out Owned by the caller, free with nfl_filter_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_SYNTAX  nfl_error::offset is the column (0 = first byte); the message says what was expected.
 * @retval  NFL_E_LIMIT   Too long or nested too deeply.
 * @retval  NFL_E_NOMEM   Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_filter_new(const char *text, const nfl_filter_opts *opts,
                                               nfl_filter **out, nfl_error *err);

/** @brief Free a filter; NULL is allowed. @since 0.1 */
NFL_API void nfl_filter_free(nfl_filter *filter);

/** @return 1 if @p flow passes @p filter, else 0. Allocates nothing. @since 0.1 */
NFL_API int nfl_filter_match(const nfl_filter *filter, const nfl_flow *flow);

#ifdef __cplusplus
}
#endif
#endif

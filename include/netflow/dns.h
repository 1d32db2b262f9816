/**
 * @file dns.h
 * @brief DNS transport of a resolver, with c-ares. Only in builds with NFL_WITH_CARES.
 */
#ifndef NETFLOW_DNS_H
#define NETFLOW_DNS_H

#include <netflow/base.h>
#include <netflow/resolver.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Transport. Opaque. One thread at a time, the one that uses the resolver. */
typedef struct nfl_dns nfl_dns;

/** Options of nfl_dns_new(). Zero in a member means its default. */
typedef struct nfl_dns_opts {
    uint32_t struct_size; /**< sizeof(nfl_dns_opts). */
    uint32_t timeout_ms;  /**< First try of a question; 0 = 2000. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. c-ares itself uses malloc. */
    NFL_PTR(const char *, servers); /**< "192.0.2.53,[2001:db8::1]:5353"; NULL = as the system is set up. */
    uint32_t tries;       /**< Per server; 0 = 2. */
    uint32_t reserved;    /**< 0. */
} nfl_dns_opts;

/**
 * @brief   Create a transport.
 * @param   resolver  Its questions are asked; must outlive the transport.
 * @param   opts      Options, or NULL for defaults. Not kept.
 * @param[out] out    Owned by the caller, free with nfl_dns_free().
 * @param[out] err    Detail on failure; may be NULL.
 * @retval  NFL_OK             *out is set.
 * @retval  NFL_E_ARG          `servers` does not parse.
 * @retval  NFL_E_UNSUPPORTED  Built without c-ares.
 * @retval  NFL_E_NOMEM        Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_dns_new(nfl_resolver *resolver, const nfl_dns_opts *opts,
                                            nfl_dns **out, nfl_error *err);

/** @brief Free a transport; open questions fail. NULL is allowed. @since 0.1 */
NFL_API void nfl_dns_free(nfl_dns *dns);

/**
 * @brief   Send what is to be asked, wait for answers, hand them to the resolver.
 * @param   dns         Transport.
 * @param   now_us      Time, for the cache.
 * @param   timeout_ms  Longest wait; 0 = none. Returns at once when nothing is open.
 * @param[out] err      Detail on failure; may be NULL.
 * @retval  NFL_OK       Nothing is open any more.
 * @retval  NFL_PENDING  Questions are open; call again.
 * @retval  NFL_E_IO     Sockets failed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_dns_poll(nfl_dns *dns, nfl_usec now_us, uint32_t timeout_ms,
                                             nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

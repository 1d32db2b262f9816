/**
 * @file resolver.h
 * @brief Names of addresses: cache and policy. Who asks the DNS is up to the host (dns.h does it with c-ares).
 *
 * nfl_resolver_lookup() answers from the cache or takes note of the question. The transport pulls questions
 * with nfl_resolver_ask() and gives answers with nfl_resolver_answer(). Nothing here blocks. Names are
 * checked before they are kept: a PTR record is whatever the owner of an address wrote.
 */
#ifndef NETFLOW_RESOLVER_H
#define NETFLOW_RESOLVER_H

#include <netflow/base.h>
#include <netflow/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Cache of names. Opaque. One thread at a time. */
typedef struct nfl_resolver nfl_resolver;

/** Options of nfl_resolver_new(). Zero in a member means its default. */
typedef struct nfl_resolver_opts {
    uint32_t struct_size; /**< sizeof(nfl_resolver_opts). */
    uint32_t max_entries; /**< Addresses remembered; 0 = 65536. The least recently asked for goes. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t max_inflight;     /**< Questions out at one time; 0 = 64. */
    uint32_t max_per_second;   /**< Questions given to the transport per second; 0 = 200. */
    uint32_t min_ttl_s;        /**< Answers are kept at least so long; 0 = 60. */
    uint32_t max_ttl_s;        /**< And at most so long; 0 = 86400. */
    uint32_t negative_ttl_s;   /**< "There is no name" is kept so long when the answer has no TTL; 0 = 900. */
    uint32_t failure_ttl_s;    /**< Timeouts and server failures are kept so long; 0 = 30. */
    uint64_t seed;             /**< Secret of the hash table. */
} nfl_resolver_opts;

/** How a question ended, for nfl_resolver_answer(). */
enum {
    NFL_DNS_NAME = 1,    /**< There is a name. */
    NFL_DNS_NO_NAME = 2, /**< NXDOMAIN, or no PTR record. */
    NFL_DNS_FAILED = 3   /**< Timeout, refusal, server failure. */
};

/** Counters of a resolver. */
typedef struct nfl_resolver_stats {
    uint32_t struct_size; /**< Set by the caller before the call. */
    uint32_t entries;     /**< Held now. */
    uint64_t lookups;     /**< Calls of nfl_resolver_lookup(). */
    uint64_t hits;        /**< Answered from the cache. */
    uint64_t asked;       /**< Questions given to the transport. */
    uint64_t names;       /**< Answers with a name. */
    uint64_t no_names;    /**< Answers without. */
    uint64_t failures;    /**< Timeouts and failures. */
    uint64_t refused_names; /**< Answers with a name that is no host name. */
    uint64_t dropped;     /**< Questions dropped because too many wait. */
} nfl_resolver_stats;

/** @brief Create a resolver. @retval NFL_OK *out is set. @retval NFL_E_NOMEM Out of memory. @since 0.1 */
NFL_API NFL_MUST_USE nfl_status nfl_resolver_new(const nfl_resolver_opts *opts, nfl_resolver **out,
                                                 nfl_error *err);

/** @brief Free a resolver; NULL is allowed. @since 0.1 */
NFL_API void nfl_resolver_free(nfl_resolver *resolver);

/**
 * @brief   Name of an address, from the cache; otherwise the question is noted.
 * @param   resolver  Resolver.
 * @param   ip        Address.
 * @param   now_us    Time.
 * @param[out] name   Borrowed, valid until the next call on @p resolver; NULL when there is none.
 * @retval  NFL_OK       The answer is known: *name, or NULL for "has no name".
 * @retval  NFL_PENDING  Not known yet.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_resolver_lookup(nfl_resolver *resolver, const nfl_ip *ip,
                                                    nfl_usec now_us, const char **name);

/**
 * @brief   Next question for the transport, within the limits of rate and number.
 * @retval  NFL_OK    *ip is set; it must be answered with nfl_resolver_answer().
 * @retval  NFL_DONE  Nothing to ask now.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_resolver_ask(nfl_resolver *resolver, nfl_usec now_us, nfl_ip *ip);

/**
 * @brief   Give the answer to a question.
 * @param   resolver  Resolver.
 * @param   ip        Address that was asked for; others are ignored.
 * @param   now_us    Time.
 * @param   outcome   NFL_DNS_*.
 * @param   name      For NFL_DNS_NAME: host name, NUL-terminated, may be hostile. Else ignored.
 * @param   ttl_s     Seconds the answer holds; 0 = default of its kind.
 * @since 0.1
 */
NFL_API void nfl_resolver_answer(nfl_resolver *resolver, const nfl_ip *ip, nfl_usec now_us,
                                 uint32_t outcome, const char *name, uint32_t ttl_s);

/** @return Questions out at this moment. @since 0.1 */
NFL_API uint32_t nfl_resolver_inflight(const nfl_resolver *resolver);

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_resolver_get_stats(const nfl_resolver *resolver, nfl_resolver_stats *out);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_resolver_memory(const nfl_resolver *resolver);

#ifdef __cplusplus
}
#endif
#endif

/**
 * @file udp.h
 * @brief UDP socket that receives export datagrams in batches. Linux (recvmmsg).
 */
#ifndef NETFLOW_UDP_H
#define NETFLOW_UDP_H

#include <netflow/base.h>
#include <netflow/pcap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Listening socket. Opaque. One thread at a time. */
typedef struct nfl_udp nfl_udp;

/** Options of nfl_udp_new(). Zero in a member means its default. */
typedef struct nfl_udp_opts {
    uint32_t struct_size; /**< sizeof(nfl_udp_opts). */
    uint32_t batch;       /**< Datagrams per system call; 0 = 32, at most 256. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t buffer_bytes; /**< Socket buffer asked for; 0 = 32 MiB. See nfl_udp_stats::buffer_bytes for what was got. */
    uint32_t max_len;     /**< Longest datagram; 0 = 65535. Longer ones are counted and dropped. */
} nfl_udp_opts;

/** Counters of a socket. */
typedef struct nfl_udp_stats {
    uint32_t struct_size;    /**< Set by the caller before the call. */
    uint32_t port;           /**< Port listened on (useful after port 0). */
    uint64_t datagrams;      /**< Received. */
    uint64_t bytes;          /**< Received. */
    uint64_t dropped;        /**< Dropped by the kernel because the socket buffer was full. */
    uint64_t too_long;       /**< Longer than max_len. */
    uint64_t buffer_bytes;   /**< Socket buffer granted. */
} nfl_udp_stats;

/**
 * @brief   Open a socket.
 * @param   address  "127.0.0.1:2055", "[::]:4739", ":2055" (every address). Port 0 = any free one.
 * @param   opts     Options, or NULL for defaults. Not kept.
 * @param[out] out   Owned by the caller, free with nfl_udp_free().
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK         *out is set.
 * @retval  NFL_E_SYNTAX   @p address does not parse.
 * @retval  NFL_E_IO       The operating system refused (port in use, no permission).
 * @retval  NFL_E_NOMEM    Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_udp_new(const char *address, const nfl_udp_opts *opts, nfl_udp **out,
                                            nfl_error *err);

/** @brief Close; NULL is allowed. @since 0.1 */
NFL_API void nfl_udp_free(nfl_udp *udp);

/** @return File descriptor, for poll() in the host's loop. @since 0.1 */
NFL_API int32_t nfl_udp_fd(const nfl_udp *udp);

/**
 * @brief   Next datagram. Receives a batch when the one before is used up; never waits.
 * @param   udp     Socket.
 * @param[out] out  Borrowed; valid until the next call on @p udp. `time_us` is the kernel's time of arrival.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is set.
 * @retval  NFL_PENDING  None is there now.
 * @retval  NFL_E_IO     Receiving failed.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_udp_next(nfl_udp *udp, const nfl_datagram **out, nfl_error *err);

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_udp_get_stats(const nfl_udp *udp, nfl_udp_stats *out);

#ifdef __cplusplus
}
#endif
#endif

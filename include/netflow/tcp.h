/**
 * @file tcp.h
 * @brief TCP listener that receives IPFIX messages from any number of exporters. Linux (epoll).
 *
 * @code
 * while ((status = nfl_tcp_next(t, now_us, &d, &err)) >= 0 && status != NFL_PENDING)
 *     if (status == NFL_OK)
 *         nfl_parser_feed(p, &d->src, d->time_us, d->data, d->len, &err) ...
 *     else if (nfl_tcp_sessions(t, &d->src) == 0)
 *         nfl_parser_forget(p, &d->src, 10); // its templates ended with it
 * @endcode
 */
#ifndef NETFLOW_TCP_H
#define NETFLOW_TCP_H

#include <netflow/base.h>
#include <netflow/pcap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Listening socket and its connections. Opaque. One thread at a time. */
typedef struct nfl_tcp nfl_tcp;

/** Options of nfl_tcp_new(). Zero in a member means its default. */
typedef struct nfl_tcp_opts {
    uint32_t struct_size;     /**< sizeof(nfl_tcp_opts). */
    uint32_t max_connections; /**< Further ones are closed at once; 0 = 64, at most 4096. Each may hold 64 KiB of a message. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    nfl_usec idle_us;         /**< A connection that sends nothing for so long is closed; 0 = 30 minutes. */
} nfl_tcp_opts;

/** Counters of a listener. */
typedef struct nfl_tcp_stats {
    uint32_t struct_size;  /**< Set by the caller before the call. */
    uint32_t port;         /**< Port listened on (useful after port 0). */
    uint64_t messages;     /**< Received. */
    uint64_t bytes;        /**< Of these messages. */
    uint64_t accepted;     /**< Connections so far. */
    uint64_t connections;  /**< Connections now. */
    uint64_t refused;      /**< Connections closed at once because there were too many. */
    uint64_t idle;         /**< Connections closed because nothing came. */
    uint64_t broken;       /**< Connections closed because what came was no IPFIX, or ended inside a message or with an error. */
} nfl_tcp_stats;

/**
 * @brief   Listen.
 * @param   address  "127.0.0.1:4739", "[::]:4739", ":4739" (every address). Port 0 = any free one.
 * @param   opts     Options, or NULL for defaults. Not kept.
 * @param[out] out   Owned by the caller, free with nfl_tcp_free().
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK         *out is set.
 * @retval  NFL_E_ARG      Too many connections, or a negative time.
 * @retval  NFL_E_SYNTAX   @p address does not parse.
 * @retval  NFL_E_IO       The operating system refused (port in use, no permission).
 * @retval  NFL_E_NOMEM    Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_tcp_new(const char *address, const nfl_tcp_opts *opts, nfl_tcp **out,
                                            nfl_error *err);

/** @brief Close everything; NULL is allowed. @since 0.1 */
NFL_API void nfl_tcp_free(nfl_tcp *tcp);

/** @return File descriptor that becomes readable when nfl_tcp_next() has work, for poll() in the host's loop. @since 0.1 */
NFL_API int32_t nfl_tcp_fd(const nfl_tcp *tcp);

/**
 * @brief   Next message, or the end of a connection. Accepts connections and closes idle ones; never waits.
 * @param   tcp     Listener.
 * @param   now_us  Time now; also the messages' time of arrival. Call at least once a second, so that idle ones are noticed.
 * @param[out] out  Borrowed; valid until the next call on @p tcp. At the end of a connection its addresses without data.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is an IPFIX message.
 * @retval  NFL_DONE     A connection has ended, whoever ended it. Templates end with the last session of an exporter (RFC
 *                       7011 8.1): ask nfl_tcp_sessions().
 * @retval  NFL_PENDING  Nothing is there now.
 * @retval  NFL_E_IO     Accepting failed, for want of file descriptors perhaps; it is tried again in a second, the connections
 *                       there are go on.
 * @retval  NFL_E_NOMEM  Out of memory for a connection, which is closed.
 * \rfc{7011,10.4}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_tcp_next(nfl_tcp *tcp, nfl_usec now_us, const nfl_datagram **out, nfl_error *err);

/** @return Connections from an address. @since 0.1 */
NFL_API uint32_t nfl_tcp_sessions(const nfl_tcp *tcp, const nfl_ip *exporter);

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_tcp_get_stats(const nfl_tcp *tcp, nfl_tcp_stats *out);

#ifdef __cplusplus
}
#endif
#endif

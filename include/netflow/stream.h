/**
 * @file stream.h
 * @brief IPFIX messages out of a byte stream: a TCP connection (RFC 7011 10.4) or an IPFIX file (RFC 5655).
 *
 * Bytes go in as they come, in any split; whole messages come out, each what nfl_parser_feed() takes:
 * @code
 * while ((n = read(fd, bytes, sizeof bytes)) > 0 && nfl_stream_feed(s, bytes, n, &err) == NFL_OK)
 *     while ((status = nfl_stream_next(s, &message, &len, &err)) == NFL_OK)
 *         nfl_parser_feed(p, &exporter, now_us, message, len, &err) ...
 * @endcode
 * At most one message is held (65535 bytes), and only when it is split between two pieces.
 *
 * A stream is one transport session: when it ends, its templates end (RFC 7011 8.1). Tell the parser with
 * nfl_parser_forget(). A stream that is broken cannot be trusted any more: close it.
 */
#ifndef NETFLOW_STREAM_H
#define NETFLOW_STREAM_H

#include <netflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Reader of one stream. Opaque. One thread at a time. */
typedef struct nfl_stream nfl_stream;

/**
 * @brief   Create a reader.
 * @param   alloc  Allocator, NULL = malloc. Copied.
 * @param[out] out Owned by the caller, free with nfl_stream_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is set.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_stream_new(const nfl_alloc *alloc, nfl_stream **out, nfl_error *err);

/** @brief Free a reader; NULL is allowed. @since 0.1 */
NFL_API void nfl_stream_free(nfl_stream *stream);

/**
 * @brief   Give the next bytes of the stream. Pull with nfl_stream_next() until ::NFL_PENDING before feeding more.
 * @param   stream  Reader.
 * @param   data    Bytes; borrowed until nfl_stream_next() returns ::NFL_PENDING.
 * @param   len     Bytes; 0 means end of the stream.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK       Taken.
 * @retval  NFL_E_STATE  The bytes before were not used up, or the stream has ended or is broken.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_stream_feed(nfl_stream *stream, const void *data, size_t len, nfl_error *err);

/**
 * @brief   Next message.
 * @param   stream  Reader.
 * @param[out] data Borrowed; valid until the next call on @p stream.
 * @param[out] len  Bytes, 16 to 65535.
 * @param[out] err  Detail on failure; may be NULL. Its offset is where in the stream the message starts.
 * @retval  NFL_OK           *data and *len are set.
 * @retval  NFL_PENDING      Feed more bytes.
 * @retval  NFL_DONE         End of the stream.
 * @retval  NFL_E_FORMAT     No IPFIX message: version not 10, or length below 16. The reader is finished.
 * @retval  NFL_E_TRUNCATED  The stream ends inside a message; all before it were returned.
 * @retval  NFL_E_NOMEM      Out of memory for a message in pieces. The reader is finished.
 * \rfc{7011,10.4.3} \rfc{5655,6}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_stream_next(nfl_stream *stream, const uint8_t **data, size_t *len, nfl_error *err);

/** @return Bytes of the messages returned so far. @since 0.1 */
NFL_API uint64_t nfl_stream_offset(const nfl_stream *stream);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_stream_memory(const nfl_stream *stream);

#ifdef __cplusplus
}
#endif
#endif

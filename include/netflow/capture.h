/**
 * @file capture.h
 * @brief Capture files (pcap, pcapng) and IPFIX files (RFC 5655) opened and read as datagrams. What a file is, its
 *        first bytes tell, not its name.
 *
 * A message of an IPFIX file comes as a datagram from the address :: (all zero, what nothing else comes from), with the
 * time of its export. A file is one transport session: when it is read, call nfl_parser_forget() for that address and
 * version 10, so that the templates of one file are not taken for those of the next.
 */
#ifndef NETFLOW_CAPTURE_H
#define NETFLOW_CAPTURE_H

#include <netflow/base.h>
#include <netflow/pcap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open capture file. Opaque. One thread at a time. */
typedef struct nfl_capture nfl_capture;

/**
 * @brief   Open a capture file.
 * @param   path   File, or "-" for standard input.
 * @param   alloc  Allocator, NULL = malloc. Copied.
 * @param[out] out Owned by the caller, free with nfl_capture_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_IO      Cannot be opened; nfl_error::sys_errno is set.
 * @retval  NFL_E_NOMEM   Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_capture_new(const char *path, const nfl_alloc *alloc,
                                                nfl_capture **out, nfl_error *err);

/** @brief Close; NULL is allowed. @since 0.1 */
NFL_API void nfl_capture_free(nfl_capture *capture);

/**
 * @brief   Next UDP datagram or IPFIX message.
 * @param   capture  Capture.
 * @param[out] out   Borrowed; valid until the next call on @p capture.
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK           *out is set.
 * @retval  NFL_DONE         End of the capture.
 * @retval  NFL_E_FORMAT     Not a capture, or broken beyond repair; finished.
 * @retval  NFL_E_TRUNCATED  The file ends inside a packet or message; finished.
 * @retval  NFL_E_IO         Reading failed.
 * @retval  NFL_E_NOMEM      Out of memory; finished.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_capture_next(nfl_capture *capture, const nfl_datagram **out,
                                                 nfl_error *err);

/** @brief Read the counters; messages of an IPFIX file count as packets and datagrams. @since 0.1 */
NFL_API void nfl_capture_get_stats(const nfl_capture *capture, nfl_pcap_stats *out);

/** @return Size of the file in bytes, 0 when unknown: for progress bars. @since 0.1 */
NFL_API uint64_t nfl_capture_size(const nfl_capture *capture);

#ifdef __cplusplus
}
#endif
#endif

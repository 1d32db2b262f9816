/**
 * @file pcap.h
 * @brief Captured packets as bytes in, UDP datagrams out: pcap and pcapng, no files touched.
 *
 * Link layers: Ethernet (VLAN and QinQ tags), Linux cooked v1 and v2, raw IP, BSD loopback. IPv4 and IPv6
 * with extension headers; fragments of a datagram are put together within a small bound. Anything else in
 * the capture is counted and passed over.
 *
 * Packets longer than 256 KiB are taken for damage in pcap and passed over in pcapng.
 *
 * Bytes may be fed in any split. See capture.h for reading files.
 */
#ifndef NETFLOW_PCAP_H
#define NETFLOW_PCAP_H

#include <netflow/base.h>
#include <netflow/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Reader of one capture. Opaque. One thread at a time. */
typedef struct nfl_pcap nfl_pcap;

/** A UDP datagram found in a capture. Borrowed; valid until the next call on the reader. */
typedef struct nfl_datagram {
    nfl_ip src;         /**< Source address: the exporter. */
    nfl_ip dst;         /**< Destination address: the collector. */
    uint16_t src_port;  /**< UDP source port. */
    uint16_t dst_port;  /**< UDP destination port. */
    uint32_t len;       /**< Bytes of payload. */
    nfl_usec time_us;   /**< Time of capture; 0 when the capture does not tell. */
    NFL_PTR(const uint8_t *, data); /**< Payload. */
} nfl_datagram;

/** Counters of a capture. */
typedef struct nfl_pcap_stats {
    uint32_t struct_size; /**< Set by the caller before the call. */
    uint32_t reserved;    /**< 0. */
    uint64_t packets;     /**< Packets in the capture. */
    uint64_t datagrams;   /**< UDP datagrams returned. */
    uint64_t other;       /**< Packets that are not UDP over IP. */
    uint64_t cut;         /**< Packets captured shorter than they were, passed over. */
    uint64_t fragments;   /**< Fragments whose other parts did not come. */
    uint64_t bytes;       /**< Bytes consumed. */
} nfl_pcap_stats;

/**
 * @brief   Create a reader.
 * @param   alloc  Allocator, NULL = malloc. Copied.
 * @param[out] out Owned by the caller, free with nfl_pcap_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is set.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_pcap_new(const nfl_alloc *alloc, nfl_pcap **out, nfl_error *err);

/** @brief Free a reader; NULL is allowed. @since 0.1 */
NFL_API void nfl_pcap_free(nfl_pcap *pcap);

/**
 * @brief   Give the next bytes of the capture. Pull with nfl_pcap_next() until ::NFL_PENDING before feeding more.
 * @param   pcap  Reader.
 * @param   data  Bytes; borrowed until nfl_pcap_next() returns ::NFL_PENDING.
 * @param   len   Bytes; 0 means end of capture.
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK       Taken.
 * @retval  NFL_E_STATE  The bytes before were not used up.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_pcap_feed(nfl_pcap *pcap, const void *data, size_t len,
                                              nfl_error *err);

/**
 * @brief   Next UDP datagram.
 * @param   pcap    Reader.
 * @param[out] out  Borrowed; valid until the next call on @p pcap.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK           *out is set.
 * @retval  NFL_PENDING      Feed more bytes.
 * @retval  NFL_DONE         End of the capture.
 * @retval  NFL_E_FORMAT     Not a capture, or broken beyond repair at nfl_error::offset; the reader is finished.
 * @retval  NFL_E_TRUNCATED  The capture ends inside a packet; all before it was returned.
 * @retval  NFL_E_NOMEM      Out of memory for fragments or interfaces; the reader is finished.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_pcap_next(nfl_pcap *pcap, const nfl_datagram **out, nfl_error *err);

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_pcap_get_stats(const nfl_pcap *pcap, nfl_pcap_stats *out);

#ifdef __cplusplus
}
#endif
#endif

/**
 * @file ip.h
 * @brief IP addresses and prefixes: one 16-byte form for both families.
 */
#ifndef NETFLOW_IP_H
#define NETFLOW_IP_H

#include <netflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An address in network order. IPv4 is held in its IPv6-mapped form (RFC 4291 2.5.5.2). */
typedef struct nfl_ip {
    uint8_t b[16]; /**< Most significant byte first. */
} nfl_ip;

/** Room for any address as text with its NUL. */
#define NFL_IP_TEXT_SIZE 46

/** @return 1 if @p ip is an IPv4 address, that is IPv4-mapped, else 0. @since 0.1 */
NFL_API int nfl_ip_is_v4(const nfl_ip *ip);

/** @return The address of IPv4 @p host_order, most significant byte = first octet. @since 0.1 */
NFL_API nfl_ip nfl_ip_from_v4(uint32_t host_order);

/** @return Negative, 0 or positive, as memcmp: numeric order, IPv4 between its IPv6 neighbours. @since 0.1 */
NFL_API int nfl_ip_compare(const nfl_ip *a, const nfl_ip *b);

/**
 * @brief   Write an address as text (RFC 5952: lower case, longest run of zeros shortened).
 * @param   ip   Address.
 * @param   dst  Buffer, or NULL when @p cap is 0.
 * @param   cap  Bytes at @p dst; ::NFL_IP_TEXT_SIZE is always enough.
 * @return  Length of the text without NUL. When @p cap > 0 the text is cut to fit and terminated.
 * @since 0.1
 */
NFL_API size_t nfl_ip_format(const nfl_ip *ip, char *dst, size_t cap);

/**
 * @brief   Read an address: dotted quad, or RFC 4291 2.2 text (an embedded IPv4 tail included).
 * @param   text  NUL-terminated; no surrounding space, no zone id.
 * @param[out] out  Address.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_SYNTAX  Not an address; nfl_error::offset is the column.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_ip_parse(const char *text, nfl_ip *out, nfl_error *err);

/**
 * @brief   Read an address or a prefix: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1".
 *
 * Bits beyond the prefix length must not matter and are cleared. Shortened IPv4 ("10.1/16", "172.16/12")
 * is accepted as administrators write it.
 *
 * @param   text  NUL-terminated.
 * @param[out] first  Lowest address of the prefix.
 * @param[out] last   Highest address of the prefix.
 * @param[out] err    Detail on failure; may be NULL.
 * @retval  NFL_OK        Both are set.
 * @retval  NFL_E_SYNTAX  Not a prefix, or its length is out of range.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_ip_parse_prefix(const char *text, nfl_ip *first, nfl_ip *last,
                                                    nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

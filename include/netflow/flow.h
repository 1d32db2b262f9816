/**
 * @file flow.h
 * @brief The flow record and what the library knows about its fields.
 */
#ifndef NETFLOW_FLOW_H
#define NETFLOW_FLOW_H

#include <netflow/base.h>
#include <netflow/fields.h>
#include <netflow/ip.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One flow record, as plain data without pointers.
 *
 * Only grows at its end: iterate arrays with a stride. A member counts only if its bit is set in
 * #present (bit number = NFL_FIELD_*); others are 0. `first_us`, `last_us`, `received_us`, `flows`,
 * `exporter`, `domain` and `version` are always filled in, but the bits of the first two are set only if
 * the exporter sent times.
 *
 * Counters are as sent. With `sampling` > 1 the traffic was that many times larger: queries, filters and
 * reports multiply when they read (see nfl_flow_scaled()).
 */
typedef struct nfl_flow {
    uint32_t struct_size; /**< sizeof(nfl_flow) of whoever wrote it. */
    uint32_t in_if;       /**< Input interface index. */
    uint64_t present;     /**< Bit i: field i was sent. */

    nfl_usec first_us;        /**< First packet. */
    nfl_usec last_us;         /**< Last packet. */
    nfl_usec received_us;     /**< Arrival at the collector. */
    uint64_t bytes;           /**< IP bytes, unscaled. */
    uint64_t packets;         /**< Packets, unscaled. */
    uint64_t flows;           /**< Flow records, 1 unless aggregated. */
    uint64_t reverse_bytes;   /**< Bytes of the answers in a biflow. */
    uint64_t reverse_packets; /**< Packets of the answers in a biflow. */
    uint64_t out_bytes;       /**< Post bytes. */
    uint64_t out_packets;     /**< Post packets. */
    uint64_t app_id;          /**< RFC 6759: engine << 56 | selector. */
    uint64_t src_mac;         /**< 48 bits, first octet most significant. */
    uint64_t dst_mac;         /**< 48 bits. */
    uint64_t post_src_mac;    /**< 48 bits. */
    uint64_t post_dst_mac;    /**< 48 bits. */

    nfl_ip src;          /**< Source. */
    nfl_ip dst;          /**< Destination. */
    nfl_ip next_hop;     /**< Next router. */
    nfl_ip bgp_next_hop; /**< BGP next hop. */
    nfl_ip exporter;     /**< Where the export came from. */
    nfl_ip nat_src;      /**< Source after translation. */
    nfl_ip nat_dst;      /**< Destination after translation. */

    uint32_t out_if;     /**< Output interface index. */
    uint32_t src_as;     /**< AS of source. */
    uint32_t dst_as;     /**< AS of destination. */
    uint32_t sampling;   /**< 1 in N, 0 unknown. */
    uint32_t domain;     /**< Observation domain. */
    uint32_t app;        /**< proto << 16 | service port, see nfl_app_format(). */
    uint32_t in_vrf;     /**< VRF on input. */
    uint32_t out_vrf;    /**< VRF on output. */
    uint32_t flow_label; /**< IPv6 flow label. */
    uint32_t mpls_label; /**< Top label, 20 bits. */

    uint16_t src_port;          /**< Source port. */
    uint16_t dst_port;          /**< Destination port. */
    uint16_t tcp_flags;         /**< Union of flags. */
    uint16_t reverse_tcp_flags; /**< Union of flags of the answers. */
    uint16_t vlan;              /**< VLAN on input. */
    uint16_t post_vlan;         /**< VLAN on output. */
    uint16_t nat_src_port;      /**< Source port after translation. */
    uint16_t nat_dst_port;      /**< Destination port after translation. */
    uint16_t fw_ext_event;      /**< Cisco ASA extended event. */
    uint16_t ether_type;        /**< Ethertype. */

    uint8_t proto;      /**< IP protocol. */
    uint8_t tos;        /**< ToS or traffic class. */
    uint8_t icmp_type;  /**< ICMP type. */
    uint8_t icmp_code;  /**< ICMP code. */
    uint8_t src_mask;   /**< Prefix length of source route. */
    uint8_t dst_mask;   /**< Prefix length of destination route. */
    uint8_t direction;  /**< 0 in, 1 out. */
    uint8_t end_reason; /**< IANA flowEndReason. */
    uint8_t version;    /**< Export protocol version. */
    uint8_t min_ttl;    /**< Lowest TTL. */
    uint8_t max_ttl;    /**< Highest TTL. */
    uint8_t nat_event;  /**< IANA natEvent. */
    uint8_t fw_event;   /**< IANA firewallEvent. */
    uint8_t reserved[7]; /**< 0. */
} nfl_flow;

/** Bit of a stored field in nfl_flow::present. */
#define NFL_HAS(field) (UINT64_C(1) << (field))

/** How a field's values are held in columns and in ::nfl_value. */
enum {
    NFL_TYPE_U8 = 1,  /**< Unsigned, 1 byte. */
    NFL_TYPE_U16 = 2, /**< Unsigned, 2 bytes. */
    NFL_TYPE_U32 = 3, /**< Unsigned, 4 bytes. */
    NFL_TYPE_U64 = 4, /**< Unsigned, 8 bytes. */
    NFL_TYPE_TIME = 5, /**< Signed microseconds, 8 bytes. */
    NFL_TYPE_IP = 6   /**< ::nfl_ip, 16 bytes. */
};

/** What a field's values mean: text form, literals in filters, whether sums make sense. */
enum {
    NFL_KIND_NUMBER = 1,    /**< Plain number. */
    NFL_KIND_COUNTER = 2,   /**< Adds up; k, M, G in text. */
    NFL_KIND_TIME = 3,      /**< Point in time. */
    NFL_KIND_DURATION = 4,  /**< Length of time; seconds in text. */
    NFL_KIND_ADDRESS = 5,   /**< IP address. */
    NFL_KIND_PORT = 6,      /**< Port; service names are literals. */
    NFL_KIND_PROTO = 7,     /**< IP protocol; names are literals. */
    NFL_KIND_FLAGS = 8,     /**< TCP flags. */
    NFL_KIND_MAC = 9,       /**< MAC address. */
    NFL_KIND_APP = 10,      /**< Application. */
    NFL_KIND_COUNTRY = 11   /**< Two letters. */
};

/** One row of the field table. All pointers are static. */
typedef struct nfl_field_info {
    uint32_t struct_size; /**< sizeof(nfl_field_info) of the caller. */
    uint8_t field;        /**< NFL_FIELD_*. */
    uint8_t type;         /**< NFL_TYPE_*. */
    uint8_t kind;         /**< NFL_KIND_*. */
    uint8_t derived;      /**< 1 if computed, 0 if a member of ::nfl_flow. */
    uint32_t width;       /**< Bytes of one value. */
    uint32_t offset;      /**< Offset in ::nfl_flow; 0 if derived. */
    NFL_PTR(const char *, name);     /**< JSON key, CSV column, filter name. */
    NFL_PTR(const char *, aliases);  /**< More names, separated by spaces. */
    NFL_PTR(const char *, title);    /**< Column header for people. */
    NFL_PTR(const char *, elements); /**< IPFIX elements that fill it: "8 27", "29305/1". */
    NFL_PTR(const char *, doc);      /**< One sentence. */
} nfl_field_info;

/**
 * @brief   Look a field up by number.
 * @param   field  NFL_FIELD_*.
 * @param[out] out  Its row; set `struct_size` before the call.
 * @retval  NFL_OK            *out is set.
 * @retval  NFL_E_NOT_FOUND   No such field.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_field_get(uint32_t field, nfl_field_info *out);

/**
 * @brief   Find a field by name or alias, case ignored.
 * @param   name  Start of the name; need not be terminated.
 * @param   len   Bytes of the name.
 * @return  NFL_FIELD_*, or ::NFL_FIELD_NONE.
 * @since 0.1
 */
NFL_API uint32_t nfl_field_find(const char *name, size_t len);

/** One value with its type: of a flow field, a result column or an information element. */
typedef struct nfl_value {
    uint32_t struct_size; /**< sizeof(nfl_value) of the caller. */
    uint8_t type;         /**< NFL_TYPE_*. */
    uint8_t kind;         /**< NFL_KIND_*. */
    uint8_t present;      /**< 0 = the exporter did not send it and nothing stands in for it. */
    uint8_t reserved;     /**< 0. */
    uint64_t u64;         /**< Value; NFL_TYPE_TIME: signed microseconds cast to unsigned. */
    nfl_ip ip;            /**< Value when type is NFL_TYPE_IP. */
} nfl_value;

/**
 * @brief   Read one field of a flow, derived ones included. Counters are scaled by the sampling rate.
 *
 * Fields that are always filled in (see ::nfl_flow) are present whether sent or not, but `last`, and with it
 * duration and rates, only if the exporter sent times.
 *
 * @param   flow   Flow.
 * @param   field  NFL_FIELD_*.
 * @param[out] out Value; set `struct_size` before the call. Filter-only fields (ip, port ...) are absent.
 * @since 0.1
 */
NFL_API void nfl_flow_get(const nfl_flow *flow, uint32_t field, nfl_value *out);

/** @return @p counter times the flow's sampling rate, saturating. @since 0.1 */
NFL_API uint64_t nfl_flow_scaled(const nfl_flow *flow, uint64_t counter);

/** Room for any value written by nfl_value_format() with its NUL. */
#define NFL_VALUE_TEXT_SIZE 64

/** Forms of text for nfl_value_format(). */
enum {
    NFL_TEXT_PLAIN = 0, /**< Exact and parseable: CSV. Absent is the empty string. */
    NFL_TEXT_JSON = 1,  /**< A JSON value, quoted where needed. Absent is null. */
    NFL_TEXT_HUMAN = 2  /**< For tables: 1.5 M, names of protocols, flags as letters. Absent is "-". */
};

/**
 * @brief   Write a value as text.
 * @param   value  Value.
 * @param   form   NFL_TEXT_*.
 * @param   dst    Buffer, or NULL when @p cap is 0.
 * @param   cap    Bytes at @p dst; ::NFL_VALUE_TEXT_SIZE is always enough.
 * @return  Length of the text without NUL. When @p cap > 0 the text is cut to fit and terminated.
 * @since 0.1
 */
NFL_API size_t nfl_value_format(const nfl_value *value, uint32_t form, char *dst, size_t cap);

/** @return Name of an IP protocol in lower case ("tcp"), or NULL. Static. @since 0.1 */
NFL_API const char *nfl_proto_name(uint8_t proto);

/** @return Number of the protocol called @p name (case ignored), or -1. @since 0.1 */
NFL_API int32_t nfl_proto_find(const char *name, size_t len);

/**
 * @brief   Name of a registered service.
 * @param   proto  IP protocol (6, 17, 33, 132).
 * @param   port   Port.
 * @return  Static text such as "https", or NULL.
 * @since 0.1
 */
NFL_API const char *nfl_service_name(uint8_t proto, uint16_t port);

/**
 * @brief   Find the port of a service by name, case ignored.
 * @param   proto  IP protocol, or 0 for any.
 * @param   name   Start of the name; need not be terminated.
 * @param   len    Bytes of the name.
 * @return  Port, or -1.
 * @since 0.1
 */
NFL_API int32_t nfl_service_find(uint8_t proto, const char *name, size_t len);

/**
 * @brief   Application of a flow by protocol and ports: the server's side wins.
 *
 * A registered port below 1024 beats other registered ports, these beat unregistered ones; among equals
 * the lower port wins. Protocols without ports have port 0.
 *
 * @return  proto << 16 | port.
 * @since 0.1
 */
NFL_API uint32_t nfl_app_of(uint8_t proto, uint16_t src_port, uint16_t dst_port);

/**
 * @brief   Write an application as text: "https", "icmp", "tcp/33001".
 *
 * A name stands for the service's main transport: "dns" is UDP, over TCP it is "dns/tcp". No two
 * applications have the same text, and nfl_app_find() reads it back.
 *
 * @param   app  From nfl_app_of().
 * @param   dst  Buffer, or NULL when @p cap is 0.
 * @param   cap  Bytes at @p dst; ::NFL_VALUE_TEXT_SIZE is always enough.
 * @return  Length of the text without NUL. When @p cap > 0 the text is cut to fit and terminated.
 * @since 0.1
 */
NFL_API size_t nfl_app_format(uint32_t app, char *dst, size_t cap);

/** @return Application called @p name ("https", "icmp", "dns/tcp", "tcp/8443", "udp/53"), or 0. @since 0.1 */
NFL_API uint32_t nfl_app_find(const char *name, size_t len);

#ifdef __cplusplus
}
#endif
#endif

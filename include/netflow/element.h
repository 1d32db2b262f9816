/**
 * @file element.h
 * @brief Information elements: names and types of what exporters send (RFC 7012, IANA registry).
 */
#ifndef NETFLOW_ELEMENT_H
#define NETFLOW_ELEMENT_H

#include <netflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Abstract data types, numbered as in RFC 5610 3.1 and RFC 6313. */
enum {
    NFL_ELEMENT_OCTETS = 0,    /**< octetArray */
    NFL_ELEMENT_U8 = 1,        /**< unsigned8 */
    NFL_ELEMENT_U16 = 2,       /**< unsigned16 */
    NFL_ELEMENT_U32 = 3,       /**< unsigned32 */
    NFL_ELEMENT_U64 = 4,       /**< unsigned64 */
    NFL_ELEMENT_I8 = 5,        /**< signed8 */
    NFL_ELEMENT_I16 = 6,       /**< signed16 */
    NFL_ELEMENT_I32 = 7,       /**< signed32 */
    NFL_ELEMENT_I64 = 8,       /**< signed64 */
    NFL_ELEMENT_F32 = 9,       /**< float32 */
    NFL_ELEMENT_F64 = 10,      /**< float64 */
    NFL_ELEMENT_BOOL = 11,     /**< boolean: 1 true, 2 false */
    NFL_ELEMENT_MAC = 12,      /**< macAddress */
    NFL_ELEMENT_STRING = 13,   /**< string, UTF-8 if the exporter keeps the rule */
    NFL_ELEMENT_SECONDS = 14,  /**< dateTimeSeconds */
    NFL_ELEMENT_MILLISECONDS = 15, /**< dateTimeMilliseconds */
    NFL_ELEMENT_MICROSECONDS = 16, /**< dateTimeMicroseconds, NTP format */
    NFL_ELEMENT_NANOSECONDS = 17,  /**< dateTimeNanoseconds, NTP format */
    NFL_ELEMENT_IPV4 = 18,     /**< ipv4Address */
    NFL_ELEMENT_IPV6 = 19,     /**< ipv6Address */
    NFL_ELEMENT_BASIC_LIST = 20, /**< basicList */
    NFL_ELEMENT_SUB_TEMPLATE_LIST = 21, /**< subTemplateList */
    NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST = 22, /**< subTemplateMultiList */
    NFL_ELEMENT_U256 = 23      /**< unsigned256 (RFC 9740) */
};

/** Semantics, numbered as in RFC 5610 3.2. */
enum {
    NFL_SEMANTICS_DEFAULT = 0,       /**< None given. */
    NFL_SEMANTICS_QUANTITY = 1,      /**< quantity */
    NFL_SEMANTICS_TOTAL_COUNTER = 2, /**< totalCounter: since the flow began */
    NFL_SEMANTICS_DELTA_COUNTER = 3, /**< deltaCounter: since the last report */
    NFL_SEMANTICS_IDENTIFIER = 4,    /**< identifier */
    NFL_SEMANTICS_FLAGS = 5,         /**< flags */
    NFL_SEMANTICS_LIST = 6,          /**< list */
    NFL_SEMANTICS_SNMP_COUNTER = 7,  /**< snmpCounter */
    NFL_SEMANTICS_SNMP_GAUGE = 8     /**< snmpGauge */
};

/** One information element. Immutable; static, or of an ::nfl_element_table. */
typedef struct nfl_element {
    uint32_t pen;       /**< Private enterprise number, 0 = IANA. Reverse elements: 29305 (RFC 5103). */
    uint16_t id;        /**< Element number. */
    uint8_t type;       /**< NFL_ELEMENT_*. */
    uint8_t semantics;  /**< NFL_SEMANTICS_*. */
    NFL_PTR(const char *, name); /**< Registered name, e.g. "sourceIPv4Address". */
} nfl_element;

/**
 * @brief   Look an element up by number.
 *
 * NetFlow v9 field types of 32768 and above that vendors use are listed with PEN 0. For PEN 29305 the row
 * of the forward element is returned.
 *
 * @return  Static row, or NULL if the registries have none. O(log n).
 * @since 0.1
 */
NFL_API const nfl_element *nfl_element_find(uint32_t pen, uint16_t id);

/** @return Static row of the element called @p name (case matters), IANA's first, or NULL. O(n). @since 0.1 */
NFL_API const nfl_element *nfl_element_find_name(const char *name);

/** @return Number of elements known. @since 0.1 */
NFL_API size_t nfl_element_count(void);

/** @return Element @p i in order of (pen, id), or NULL when @p i is too large. @since 0.1 */
NFL_API const nfl_element *nfl_element_at(size_t i);

/** @return Name of a NFL_ELEMENT_* type, e.g. "unsigned32"; "?" if unknown. Static. @since 0.1 */
NFL_API const char *nfl_element_type_name(uint32_t type);

/** Elements of a host's own: more than the built-in ones, or other names and types for these. Opaque. Immutable once
 *  loaded, so that parsers and threads may share it. */
typedef struct nfl_element_table nfl_element_table;

/**
 * @brief   Read elements from CSV text (RFC 4180).
 *
 * The first row has titles: `pen` (without it all are IANA's), `id` or `ie` or `elementId`, `name`, `type` or `dataType`
 * (names of RFC 5610; others and none are octetArray), `semantics`; other columns are passed over. Without titles the
 * columns are pen,id,name,type,semantics, of which the last two may be missing. So IANA's own
 * ipfix-information-elements.csv can be read, and most vendors' lists. Lines that begin with # or ; are comments. Of an
 * element listed twice the last row counts. Rows of PEN 29305 are passed over: the forward element tells (RFC 5103).
 *
 * @param   data   Text; not kept. NULL is allowed when @p len is 0.
 * @param   len    Bytes.
 * @param   alloc  NULL = malloc. Copied.
 * @param[out] out Owned by the caller, free with nfl_element_table_free() after all parsers that use it.
 * @param[out] err Detail on failure, with the number of the line; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_SYNTAX  A quote, number or name is wrong.
 * @retval  NFL_E_LIMIT   More than 65536 elements.
 * @retval  NFL_E_NOMEM   Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_element_table_load(const void *data, size_t len, const nfl_alloc *alloc,
                                                       nfl_element_table **out, nfl_error *err);

/** @brief Free a table; NULL is allowed. @since 0.1 */
NFL_API void nfl_element_table_free(nfl_element_table *table);

/**
 * @brief   Look an element up by number: in the table, else among the built-in ones as nfl_element_find() does.
 * @param   table  Table, or NULL for the built-in ones only.
 * @param   pen    Private enterprise number.
 * @param   id     Element number.
 * @return  Row that lives as long as the table, or NULL.
 * @since 0.1
 */
NFL_API const nfl_element *nfl_element_table_find(const nfl_element_table *table, uint32_t pen, uint16_t id);

/** @return Elements in the table, the built-in ones not counted. @since 0.1 */
NFL_API size_t nfl_element_table_count(const nfl_element_table *table);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_element_table_memory(const nfl_element_table *table);

#ifdef __cplusplus
}
#endif
#endif

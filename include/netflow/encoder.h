/**
 * @file encoder.h
 * @brief Flow records in, datagrams out: NetFlow v5, v9 and IPFIX. And records of any other template, in v9 and IPFIX.
 *
 * Add flows until ::NFL_PENDING says that a datagram is full, take it with nfl_encoder_take(), go on:
 * @code
 * if (nfl_encoder_add(e, &flow, now_us, &err) == NFL_PENDING) { send(nfl_encoder_take(e, now_us, &len), len); retry; }
 * ...
 * while ((data = nfl_encoder_take(e, now_us, &len)) != NULL) send(data, len);     // the rest
 * @endcode
 */
#ifndef NETFLOW_ENCODER_H
#define NETFLOW_ENCODER_H

#include <netflow/base.h>
#include <netflow/flow.h>
#include <netflow/parser.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Encoder of one exporter's stream. Opaque. One thread at a time. */
typedef struct nfl_encoder nfl_encoder;

/** Options of nfl_encoder_new(). Zero in a member means its default. */
typedef struct nfl_encoder_opts {
    uint32_t struct_size;  /**< sizeof(nfl_encoder_opts). */
    uint32_t version;      /**< 5, 9 or 10 (IPFIX); 0 = 10. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t domain;       /**< Observation domain, source id, or (v5, at most 65535) engine type << 8 | engine id. */
    uint32_t max_len;      /**< Bytes per datagram, 512 to 65535; 0 = 1400. */
    uint32_t max_records;  /**< Data records per datagram; 0 = as many as fit (v5: 30). */
    uint32_t template_every; /**< Templates are sent again every so many datagrams; 0 = 20. */
    /** v5, v9: when the exporter "booted"; 0 = one hour before the first flow. Rounded down to a millisecond; renewed when
     *  it lies 48 days back, because 32 bits of milliseconds tell times from it. */
    nfl_usec boot_us;
    /** v9, IPFIX: NFL_HAS() bits to write, of those a flow has; 0 = all but its exporter and domain. */
    uint64_t fields;
    uint32_t sampling;     /**< v5: header field; v9, IPFIX: an options record tells it. 0 = none. */
    uint32_t reserved;     /**< 0. */
} nfl_encoder_opts;

/**
 * @brief   Create an encoder.
 * @param   opts  Options, or NULL for defaults. Not kept.
 * @param[out] out Owned by the caller, free with nfl_encoder_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK             *out is set.
 * @retval  NFL_E_UNSUPPORTED  @p opts asks for another version.
 * @retval  NFL_E_NOMEM        Out of memory.
 * @retval  NFL_E_ARG          A value is out of range.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_encoder_new(const nfl_encoder_opts *opts, nfl_encoder **out,
                                                nfl_error *err);

/** @brief Free an encoder; NULL is allowed. @since 0.1 */
NFL_API void nfl_encoder_free(nfl_encoder *encoder);

/**
 * @brief   Add one flow to the datagram being built.
 *
 * v9 and IPFIX use one template per combination of fields and address family; a template record precedes
 * its first use. v5 writes what fits its fixed record.
 *
 * @param   encoder Encoder.
 * @param   flow    Flow. IPv6 addresses cannot go into v5.
 * @param   now_us  Export time of this datagram.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK             Added.
 * @retval  NFL_PENDING        The datagram is full: take it, then add this flow again.
 * @retval  NFL_E_UNSUPPORTED  The version cannot carry this flow (IPv6 in v5).
 * @retval  NFL_E_LIMIT        More than 64 combinations of fields.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_encoder_add(nfl_encoder *encoder, const nfl_flow *flow,
                                                nfl_usec now_us, nfl_error *err);

/**
 * @brief   Describe records of the caller's own: any elements, in any order, with repetition.
 *
 * With scope fields it is an options template (RFC 7011 3.4.2.2, RFC 3954 6.1): names of interfaces, counters of the
 * exporter, parameters of a sampler. It is sent before the first of its records in a datagram and again as
 * nfl_encoder_opts::template_every says; records are sent when they are added and not again.
 *
 * @param   encoder      Encoder of v9 or IPFIX.
 * @param   fields       Elements. A length of 65535 is variable (IPFIX). v9: pen is 0, scope fields have scope types. Copied.
 * @param   count        How many, scope fields included.
 * @param   scope_count  The first so many are scope fields; 0 = a data template.
 * @param[out] id        Template id, for nfl_encoder_add_record().
 * @param[out] err       Detail on failure; may be NULL.
 * @retval  NFL_OK             *id is set.
 * @retval  NFL_E_ARG          No fields, more scope fields than fields, records of 0 bytes, or an id beyond 32767 (IPFIX).
 * @retval  NFL_E_UNSUPPORTED  v5 has no templates; v9 no enterprise elements and no variable length.
 * @retval  NFL_E_LIMIT        More than 64 templates, or template and shortest record do not fit a datagram.
 * @retval  NFL_E_NOMEM        Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_encoder_define(nfl_encoder *encoder, const nfl_template_field *fields, uint32_t count,
                                                   uint32_t scope_count, uint16_t *id, nfl_error *err);

/**
 * @brief   Add one record of a template of nfl_encoder_define() to the datagram being built.
 * @param   encoder Encoder.
 * @param   id      Template.
 * @param   values  One for each of its fields, in their order, such as nfl_parser_field() gives: pen, id, data and len
 *                  count. A structured element (RFC 6313) is its octets.
 * @param   count   How many.
 * @param   now_us  Export time of this datagram.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK         Added.
 * @retval  NFL_PENDING    The datagram is full: take it, then add this record again.
 * @retval  NFL_E_ARG      No such template, or values do not match its fields.
 * @retval  NFL_E_LIMIT    The record does not fit a datagram.
 * \rfc{7011,7}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_encoder_add_record(nfl_encoder *encoder, uint16_t id, const nfl_record_field *values,
                                                       uint32_t count, nfl_usec now_us, nfl_error *err);

/**
 * @brief   Tell what a thing is called, so that collectors can name what flows have the number of.
 *
 * An options record as exporters send it: interfaces with elements 82 and 83, VRFs with 236, applications with 96 and 94
 * (RFC 6759), samplers with 335 or in v9 84. nfl_parser_name() finds it again. Names are sent when they are added and not
 * again: collectors that come later wait for the next time, so repeat them every few minutes. Each kind in use takes one
 * of the templates that nfl_encoder_define() has.
 *
 * @param   encoder      Encoder of v9 or IPFIX.
 * @param   kind         NFL_NAME_* of parser.h, but not ::NFL_NAME_ELEMENT.
 * @param   id           Number of the thing: at most 32 bits, but for applications (nfl_flow::app_id) and IPFIX samplers.
 * @param   name         UTF-8; NULL = none. In v9 the first 64 bytes are sent.
 * @param   description  Likewise. VRFs and samplers have none.
 * @param   now_us       Export time of this datagram.
 * @param[out] err       Detail on failure; may be NULL.
 * @retval  NFL_OK             Added.
 * @retval  NFL_PENDING        The datagram is full: take it, then add this name again.
 * @retval  NFL_E_ARG          Not such a kind, a number that is too large, or a description where there can be none.
 * @retval  NFL_E_UNSUPPORTED  v5 has no names.
 * @retval  NFL_E_LIMIT        The record does not fit a datagram, or there are too many templates.
 * @retval  NFL_E_NOMEM        Out of memory.
 * \rfc{6759,4} \rfc{3954,6.1}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_encoder_add_name(nfl_encoder *encoder, uint32_t kind, uint64_t id, const char *name,
                                                     const char *description, nfl_usec now_us, nfl_error *err);

/**
 * @brief   Finish and take the datagram being built.
 * @param   encoder Encoder.
 * @param   now_us  Export time written into the header.
 * @param[out] len  Bytes.
 * @return  Borrowed until the next call on @p encoder; NULL when no record was added since the last take.
 * @since 0.1
 */
NFL_API const uint8_t *nfl_encoder_take(nfl_encoder *encoder, nfl_usec now_us, size_t *len);

#ifdef __cplusplus
}
#endif
#endif

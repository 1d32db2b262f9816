/**
 * @file parser.h
 * @brief Datagrams in, flow records out: NetFlow v1, v5, v7, v9, IPFIX and sFlow v5.
 *
 * Feed one datagram, then pull until ::NFL_DONE:
 * @code
 * if (nfl_parser_feed(p, &exporter, now_us, data, len, &err) == NFL_OK)
 *     while ((s = nfl_parser_next(p, &flow, &err)) != NFL_DONE)
 *         if (s == NFL_OK) use(flow); else log(&err);       // a bad set was skipped: go on
 * @endcode
 * nfl_parser_next() yields flows only. nfl_parser_next_event() yields everything a datagram tells
 * (header, templates, options data, withdrawals, sets without template) for tools that show it. Use one
 * or the other for a datagram.
 *
 * The parser keeps, per exporter address + protocol version + observation domain: templates (one id space
 * for data and options templates, the last definition wins), samplers, names and other facts learnt from options
 * data, sequence state for loss counters, and a boot time estimate. All of it is bounded by options.
 *
 * Any bytes are safe input: every call consumes, nothing is read beyond @p len, work is linear in it.
 *
 * How records become flows, where exporters differ:
 * - ICMP and ICMPv6 have no ports: type and code are taken from elements 176 to 179, 32 or 139, or from the
 *   destination port (v5, Cisco v9), and both ports are absent. Other protocols have no ICMP fields.
 * - The first of repeated elements counts (RFC 7011 section 8: the outermost); nfl_parser_field() shows all.
 * - Numbers may have any length; what does not fit its field becomes the field's largest value.
 * - Times of v5 and v9 are signed 32-bit distances from sysUptime; their export time, sent in seconds, is refined by
 *   what earlier datagrams told about the boot time. IPFIX elements 21 and 22 need element 160, in the record or
 *   in options data. A flow without times has first = last = received and not the present bits.
 * - The sampling rate is that set with nfl_parser_set_sampling(), else that of the record, else of its sampler (48, 302), its input interface, or the domain, as
 *   options data told last; in v5 that of the header. Counters stay as sent.
 * - Names of interfaces, VRFs, applications and samplers that options data tell are kept for nfl_parser_name(); flows
 *   have the numbers.
 * - Counters: a delta (1, 2, 23, 24) wins over a total (85, 86, 171, 172) of the same record, also when it is 0; they
 *   are never added. Initiator and responder counters (231, 232, 298, 299) count since the previous report, as
 *   IANA has it, so that updates and the teardown of a firewall's connection add up to its traffic; its create and deny
 *   events have no counters, and nfl_flow::present says so.
 * - Clients and servers of Cisco's application records (PEN 9, 12236 to 12241) are sources and destinations.
 * - nfl_flow::app is left 0; nfl_app_of() tells it.
 *
 * sFlow v5 is told from NetFlow v5 by its version word of four bytes and has the version ::NFL_VERSION_SFLOW5 here:
 * - A flow sample is one flow of one packet, its sampling rate that of the sample, its times those of receipt.
 *   Bytes are those of the IP packet, else of the frame. What the agent tells in records of its own (VLANs, next
 *   hops, masks, AS numbers, addresses) wins over what the sampled header tells.
 * - Interfaces: SNMP indexes, and 0x3fffffff for the agent itself; unknown, multiple and discarded are absent.
 * - nfl_flow::exporter is the address the datagram came from, as everywhere; nfl_flow::domain the sub-agent; the agent's
 *   address is in nfl_export_header::agent. Loss is counted per sub-agent, while the agent's address stays the same.
 * - Counter samples, discards and what is not known are events (::NFL_EVENT_SAMPLE), counted as other_records.
 */
#ifndef NETFLOW_PARSER_H
#define NETFLOW_PARSER_H

#include <netflow/base.h>
#include <netflow/element.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Decoder with its template cache. Opaque. One thread at a time. */
typedef struct nfl_parser nfl_parser;

/** nfl_parser_feed() copies the datagram, so the caller may release it at once (bindings need this). */
#define NFL_PARSER_COPY_INPUT 0x1u
/** Data sets that come before their template are reported and dropped, not kept for later. */
#define NFL_PARSER_NO_PENDING 0x2u

/** sFlow v5 as a version: in nfl_export_header, nfl_event, nfl_domain_info and nfl_flow. */
#define NFL_VERSION_SFLOW5 105

/** Options of nfl_parser_new(). Zero in a member means its default. */
typedef struct nfl_parser_opts {
    uint32_t struct_size;   /**< sizeof(nfl_parser_opts). */
    uint32_t flags;         /**< NFL_PARSER_* bits; unknown bits are ::NFL_E_ARG. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    /** Exporter + version + domain states kept; 0 = 4096. The least recently heard newcomer goes; one that has been in
     *  service for a minute stays until it has been silent for half an hour. */
    uint32_t max_domains;
    uint32_t max_templates; /**< Per domain; 0 = 1024. */
    uint32_t max_fields;    /**< Per template; 0 = 1024. */
    uint32_t template_ttl_s; /**< Templates not refreshed for so long are dropped; 0 = 7 days; UINT32_MAX = never. */
    uint32_t max_pending_bytes; /**< Waiting data of all domains; 0 = 4 MiB. One domain gets at most 1/16. */
    uint32_t pending_ttl_s; /**< Waiting data older than this is dropped; 0 = 300. */
    uint64_t max_bytes;     /**< Memory held by the parser in all; 0 = 64 MiB. */
    uint64_t seed;          /**< Secret for the hash tables; 0 = a fixed one (then a sender can slow look-ups). */
    NFL_PTR(const nfl_element_table *, elements); /**< The host's own; borrowed, must live longer. NULL = built-in. */
} nfl_parser_opts;

/**
 * @brief   Create a parser.
 * @param   opts  Options, or NULL for defaults. Not kept.
 * @param[out] out Owned by the caller, free with nfl_parser_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK         *out is set.
 * @retval  NFL_E_NOMEM    Out of memory.
 * @retval  NFL_E_ARG      Unknown flag bits, or struct_size not set.
 * @retval  NFL_E_VERSION  @p opts uses members newer than this library.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_new(const nfl_parser_opts *opts, nfl_parser **out,
                                               nfl_error *err);

/** @brief Free a parser; NULL is allowed. @since 0.1 */
NFL_API void nfl_parser_free(nfl_parser *parser);

/**
 * @brief   Say what an exporter's sampling rate is, because it does not tell or tells it wrongly.
 *
 * It wins over all that records, headers and options data tell, for flows decoded from now on. It is not saved by
 * nfl_parser_save(). At most 4096 are kept.
 *
 * @param   parser    Parser.
 * @param   exporter  Address the datagrams come from; need not have been heard yet.
 * @param   domain    Observation domain, or -1 for all that have no rate of their own set.
 * @param   rate      1 in this many packets is counted; 1 = all are; 0 takes back what was set.
 * @param[out] err    Detail on failure; may be NULL.
 * @retval  NFL_OK       Set.
 * @retval  NFL_E_ARG    @p domain is below -1 or above UINT32_MAX.
 * @retval  NFL_E_LIMIT  Too many are set.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_set_sampling(nfl_parser *parser, const nfl_ip *exporter, int64_t domain,
                                                        uint32_t rate, nfl_error *err);

/**
 * @brief   Start decoding one datagram. What is left of the one before is dropped.
 * @param   parser    Parser.
 * @param   exporter  Address the datagram came from; part of the template key.
 * @param   now_us    Time of receipt; becomes nfl_flow::received_us.
 * @param   data      First byte of the UDP payload. Borrowed until ::NFL_DONE, unless
 *                    ::NFL_PARSER_COPY_INPUT. NULL is allowed when @p len is 0.
 * @param   len       Bytes, 0 to 65535.
 * @param[out] err    Detail on failure; may be NULL.
 * @retval  NFL_OK             Pull with nfl_parser_next() or nfl_parser_next_event().
 * @retval  NFL_E_UNSUPPORTED  The version word is none this library decodes.
 * @retval  NFL_E_TRUNCATED    Shorter than its own header.
 * @retval  NFL_E_FORMAT       The header contradicts itself.
 * @retval  NFL_E_LIMIT        A new domain, and all places are held by exporters in service.
 * @retval  NFL_E_ARG          @p len is above 65535, or @p data is NULL and @p len is not 0.
 * @retval  NFL_E_NOMEM        Out of memory.
 * \rfc{3954,5.1} \rfc{7011,3.1} Cisco "NetFlow Export Datagram Format" (v1, v5, v7), sFlow.org "sFlow Version 5".
 * \threads{One at a time per parser.}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_feed(nfl_parser *parser, const nfl_ip *exporter,
                                                nfl_usec now_us, const void *data, size_t len,
                                                nfl_error *err);

/**
 * @brief   Next flow of the datagram.
 * @param   parser  Parser.
 * @param[out] out  Borrowed; valid until the next call on @p parser.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK               *out is set.
 * @retval  NFL_DONE             Datagram used up.
 * @retval  NFL_E_FORMAT         A set was malformed and skipped; keep calling.
 * @retval  NFL_E_NO_TEMPLATE    A data set has no template yet; kept or dropped; keep calling.
 * @retval  NFL_E_LIMIT          A template was refused because of a limit; keep calling.
 * @retval  NFL_E_NOMEM          Out of memory for a template; keep calling.
 * \rfc{7011,3.3} \threads{One at a time per parser.}
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_next(nfl_parser *parser, const nfl_flow **out,
                                                nfl_error *err);

/** What an ::nfl_event tells. */
enum {
    NFL_EVENT_HEADER = 1,   /**< Once per datagram, first. */
    NFL_EVENT_TEMPLATE = 2, /**< A template or options template was defined. */
    NFL_EVENT_WITHDRAW = 3, /**< A template was withdrawn (RFC 7011 8.1); id 2 or 3 = all of that kind. */
    NFL_EVENT_RECORD = 4,   /**< A data record; its flow is in nfl_event::flow. */
    NFL_EVENT_OPTIONS = 5,  /**< An options data record. */
    NFL_EVENT_UNKNOWN_SET = 6, /**< A data set whose template is not known. */
    NFL_EVENT_ZERO_RECORD_TEMPLATE = 7, /**< A data set whose template describes records of 0 bytes. */
    NFL_EVENT_SAMPLE = 8 /**< An sFlow sample, of any kind, with its flow if it is a flow sample. */
};

/** Export packet header, all versions in one. */
typedef struct nfl_export_header {
    uint16_t version;      /**< 1, 5, 7, 9, 10 or ::NFL_VERSION_SFLOW5. */
    uint16_t count;        /**< v1, v5, v7, v9: as sent. */
    uint32_t length;       /**< IPFIX: message length as sent; else bytes received. */
    uint32_t uptime_ms;    /**< All but IPFIX: sysUptime. */
    uint32_t seconds;      /**< Export time, seconds since 1970; sFlow has none. */
    uint32_t nanoseconds;  /**< v1, v5, v7: residual nanoseconds. */
    uint32_t sequence;     /**< As sent; v1 has none. */
    uint32_t domain;       /**< Observation domain, source id, engine type << 8 | engine id, or sub-agent. */
    uint16_t sampling;     /**< v5: mode << 14 | interval, as sent. */
    uint16_t reserved;     /**< 0. */
    uint32_t samples;      /**< sFlow: number of samples, as sent. */
    nfl_ip agent;          /**< sFlow: address of the agent; all zero = not told. */
} nfl_export_header;

/** One field of a template. */
typedef struct nfl_template_field {
    uint32_t pen; /**< Enterprise number, 0 for IANA elements and for all of NetFlow v9. */
    uint16_t id;  /**< Element id (enterprise bit cleared), v9 field type, or v9 scope type. */
    uint16_t len; /**< Length as sent; 65535 = variable. */
} nfl_template_field;

/** Header of an sFlow sample. Members that its format does not have are 0. */
typedef struct nfl_sample {
    uint32_t struct_size;   /**< sizeof(nfl_sample) of the library. */
    uint32_t enterprise;    /**< Who defined the format; 0 = sFlow.org. */
    uint32_t format;        /**< Of sFlow.org: 1 flow, 2 counters, 3 and 4 the same expanded, 5 discard. */
    uint32_t len;           /**< Bytes, as sent. */
    uint32_t sequence;      /**< Number of the sample. */
    uint32_t source_class;  /**< Kind of data source: 0 interface, 1 VLAN, 2 entity. */
    uint32_t source_index;  /**< Data source. */
    uint32_t rate;          /**< One packet in this many is sampled. */
    uint32_t pool;          /**< Packets that could have been sampled. */
    uint32_t drops;         /**< Samples, or in a discard sample reports, lost by the agent. */
    uint32_t input_format;  /**< 0 an interface, 1 discarded, 2 more than one. */
    uint32_t input;         /**< Interface, reason, or number of interfaces. */
    uint32_t output_format; /**< As input_format. */
    uint32_t output;        /**< As input. */
    uint32_t reason;        /**< Discard: why. */
    uint32_t record_count;  /**< Records there are; see nfl_parser_field(). */
} nfl_sample;

/** Something found in a datagram. Borrowed; valid until the next call on the parser. */
typedef struct nfl_event {
    uint32_t struct_size;  /**< sizeof(nfl_event) of the library. */
    uint16_t kind;         /**< NFL_EVENT_*. */
    uint16_t version;      /**< As nfl_export_header::version. */
    uint32_t domain;       /**< As nfl_export_header::domain. */
    uint16_t template_id;  /**< Template, withdrawn template, or set id. */
    uint16_t set_id;       /**< Id of the set it stood in. */
    uint32_t offset;       /**< Where in the datagram it starts. */
    uint32_t len;          /**< Bytes it takes. UNKNOWN_SET: of the set's content. */
    uint16_t options;      /**< TEMPLATE: 1 for an options template. */
    uint16_t scope_count;  /**< TEMPLATE, OPTIONS: how many of the first fields are scope fields. */
    uint32_t field_count;  /**< TEMPLATE: fields defined. RECORD, OPTIONS, SAMPLE: see nfl_parser_field(). */
    NFL_PTR(const nfl_export_header *, header);  /**< Of this datagram. */
    NFL_PTR(const nfl_template_field *, fields); /**< TEMPLATE, RECORD, OPTIONS: definition, in order. */
    NFL_PTR(const nfl_flow *, flow); /**< RECORD, SAMPLE: what it means. NULL when it is no flow. */
    NFL_PTR(const nfl_sample *, sample); /**< SAMPLE: its header. */
} nfl_event;

/**
 * @brief   Next event of the datagram.
 * @param   parser  Parser.
 * @param[out] out  Borrowed; valid until the next call on @p parser.
 * @param[out] err  Detail on failure; may be NULL.
 * @return  As nfl_parser_next(); a set without template is the event ::NFL_EVENT_UNKNOWN_SET here, not an error.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_next_event(nfl_parser *parser, const nfl_event **out,
                                                      nfl_error *err);

/**
 * @brief   A transport session has ended: forget what its exporter told in it (templates, samplers, names, sequence
 *          numbers, waiting data) in all observation domains. A datagram being read is over.
 *
 * RFC 7011 8.1: over TCP and in files the end of the session withdraws its templates; a new one sends them again. Over
 * UDP there are no sessions, and templates live until they expire. Templates are keyed by exporter, version and domain;
 * sessions of one exporter and domain at the same time share them, so forget when the last of them ends.
 *
 * @param   parser    Parser.
 * @param   exporter  As given to nfl_parser_feed().
 * @param   version   As nfl_export_header::version.
 * @return  Observation domains forgotten. Counters of nfl_parser_get_stats() stay.
 * \rfc{7011,8.1}
 * @since 0.1
 */
NFL_API size_t nfl_parser_forget(nfl_parser *parser, const nfl_ip *exporter, uint16_t version);

/** One element of a record, raw. */
typedef struct nfl_record_field {
    uint32_t pen;      /**< Enterprise number. */
    uint16_t id;       /**< Element id; sFlow: format of the record. */
    uint16_t scope;    /**< 1 for a scope field of options data. */
    uint32_t len;      /**< Bytes at `data`. */
    uint32_t sent_len; /**< Length as sent; more than `len` in an sFlow record that is cut. */
    NFL_PTR(const uint8_t *, data); /**< As sent, network order. Borrowed like the record. */
} nfl_record_field;

/**
 * @brief   Field @p i of the current record (v9, IPFIX) or record @p i of the current sample (sFlow), in the order
 *          sent, repetitions included.
 *
 * Current is the record that nfl_parser_next() or nfl_parser_next_event() returned last.
 *
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  @p i is beyond the last field, or there is no current record, or it is v1, v5 or v7.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_field(const nfl_parser *parser, uint32_t i,
                                                 nfl_record_field *out);

/**
 * @brief   First field (pen, id) of the current record.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  The record has none.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_element(const nfl_parser *parser, uint32_t pen, uint16_t id,
                                                   nfl_record_field *out);

/**
 * @brief   What an element is called and how its octets are to be read: as nfl_parser_opts::elements says, else as
 *          nfl_element_find() does.
 * @return  Row that lives as long as the parser, or NULL.
 * @since 0.1
 */
NFL_API const nfl_element *nfl_parser_describe(const nfl_parser *parser, uint32_t pen, uint16_t id);

/** Counters since the parser was made. Every dropped thing is in one of them. */
typedef struct nfl_parser_stats {
    uint32_t struct_size;        /**< Set by the caller before the call. */
    uint32_t domains;            /**< Exporter + version + domain states held now. */
    uint64_t datagrams;          /**< Fed, good or bad. */
    uint64_t bytes;              /**< Fed. */
    uint64_t bad_datagrams;      /**< Refused by nfl_parser_feed(). */
    uint64_t bad_sets;           /**< Malformed sets and samples, skipped; samples with a cut record. */
    uint64_t flows;              /**< Flow records decoded. */
    uint64_t options_records;    /**< Options data records decoded. */
    uint64_t other_records;      /**< Data records and samples that are no flows. */
    uint64_t templates;          /**< Template definitions read. */
    uint64_t refused_templates;  /**< Refused because of a limit. */
    uint64_t expired_templates;  /**< Dropped by age. */
    uint64_t unknown_sets;       /**< Data sets without template, kept or not. */
    uint64_t replayed_sets;      /**< Kept data sets decoded when their template came. */
    uint64_t dropped_sets;       /**< Data sets lost for want of a template. */
    uint64_t evicted_domains;    /**< States dropped for want of room. */
    uint64_t lost_flows;         /**< v5, v7: flows missing by sequence number. */
    uint64_t lost_datagrams;     /**< v9, sFlow: datagrams missing by sequence number. */
    uint64_t lost_records;       /**< IPFIX: data records missing by sequence number. */
    uint64_t late_datagrams;     /**< Came after a younger one; what they bring is no longer lost. */
    uint64_t restarts;           /**< Exporter restarts detected. */
    uint64_t memory_bytes;       /**< Held now. */
    uint64_t dropped_names;      /**< Names forgotten or not learnt for want of room. */
    /** Came again: number, times and length are those of one of the last 64 of its domain. Decoded like the others,
     *  so that its flows are counted twice. */
    uint64_t duplicate_datagrams;
} nfl_parser_stats;

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_parser_get_stats(const nfl_parser *parser, nfl_parser_stats *out);

/** State of one exporter + version + domain. */
typedef struct nfl_domain_info {
    uint32_t struct_size;     /**< Set by the caller before the call. */
    uint16_t version;         /**< As nfl_export_header::version. */
    uint16_t reserved;        /**< 0. */
    nfl_ip exporter;          /**< Address. */
    uint32_t domain;          /**< Observation domain. */
    uint32_t templates;       /**< Held now. */
    uint32_t sampling;        /**< Latest known packet sampling 1 in N; 0 unknown. */
    uint32_t next_sequence;   /**< Expected in the next datagram. */
    nfl_usec first_seen_us;   /**< First datagram. */
    nfl_usec last_seen_us;    /**< Latest datagram. */
    uint64_t datagrams;       /**< Received. */
    uint64_t flows;           /**< Decoded. */
    uint64_t lost;            /**< In the unit of the version: flows, datagrams, records; of an exporter that was found to
                                   number datagrams, in these. */
    uint64_t late;            /**< Datagrams out of order; `lost` goes down again by what they bring. */
    uint64_t restarts;        /**< Restarts detected. */
    uint64_t pending_bytes;   /**< Data waiting for templates. */
    uint32_t names;           /**< Names held now; see nfl_parser_domain_name(). */
    uint32_t reserved_2;      /**< 0. */
    uint64_t duplicates;      /**< Datagrams that came again, see nfl_parser_stats::duplicate_datagrams. */
} nfl_domain_info;

/**
 * @brief   Exporter state by position, in no particular order; positions change when datagrams are fed.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  @p i is beyond the last one.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_domain(const nfl_parser *parser, size_t i,
                                                  nfl_domain_info *out);

/** What a name of ::nfl_name is the name of. Values are given out in order. */
enum {
    NFL_NAME_INTERFACE = 1,   /**< Interface: nfl_flow::in_if and out_if (elements 10, 14, 252, 253; 82, 83). */
    NFL_NAME_VRF = 2,         /**< VRF: nfl_flow::in_vrf and out_vrf (234, 235; 236). */
    NFL_NAME_APPLICATION = 3, /**< Application: nfl_flow::app_id (95; 96, 94) (RFC 6759). */
    NFL_NAME_SAMPLER = 4,     /**< Sampler (48, 302; 84, 335). */
    NFL_NAME_COUNT = 5        /**< One more than the last. */
};

/** A name that an exporter told in options data. */
typedef struct nfl_name {
    uint32_t struct_size;  /**< Set by the caller before the call. */
    uint16_t version;      /**< As nfl_export_header::version. */
    uint16_t kind;         /**< NFL_NAME_*. */
    nfl_ip exporter;       /**< Who told it. */
    uint32_t domain;       /**< Observation domain it was told in. */
    uint32_t reserved;     /**< 0. */
    uint64_t id;           /**< Number of the thing, as nfl_flow has it. */
    nfl_usec told_us;      /**< When it was told last. */
    /** At most 255 bytes and a NUL; "" = not told. As sent, up to the first NUL: it may be no UTF-8 and hold
     *  control characters. Borrowed until the next datagram is fed or a state loaded. */
    NFL_PTR(const char *, name);
    NFL_PTR(const char *, description); /**< Likewise. */
} nfl_name;

/**
 * @brief   What an exporter calls a thing that its flows have the number of.
 *
 * Names are those that options data told last. They are looked for in the domain of the flow, then in domain 0, which
 * stands for the whole exporter (RFC 7011 3.1), then in its other domains, where the one told last wins: many exporters
 * tell their tables in one domain only. A domain holds up to 8192 names and 1/32 of nfl_parser_opts::max_bytes; the
 * least recently told go first (nfl_parser_stats::dropped_names).
 *
 * @param   parser    Parser.
 * @param   exporter  As nfl_flow::exporter.
 * @param   version   As nfl_flow::version; 9 or 10, the others tell no names.
 * @param   domain    As nfl_flow::domain.
 * @param   kind      NFL_NAME_*.
 * @param   id        Number of the thing.
 * @param[out] out    Name and description.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  It has told no name. O(domains) then, O(1) where the flow's own domain told it.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_name(const nfl_parser *parser, const nfl_ip *exporter, uint16_t version,
                                                uint32_t domain, uint32_t kind, uint64_t id, nfl_name *out);

/**
 * @brief   Name @p i of the domain that nfl_parser_domain() has at position @p domain, in no particular order.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  There is no such domain, or @p i is beyond its last name.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_domain_name(const nfl_parser *parser, size_t domain, size_t i,
                                                       nfl_name *out);

/**
 * @brief   Write templates, samplers and names in portable form, so that a restart loses nothing.
 * @param   parser  Parser.
 * @param   dst   Buffer, or NULL when @p cap is 0.
 * @param   cap   Bytes at @p dst.
 * @param[out] need  Bytes the state takes; set also on ::NFL_E_LIMIT.
 * @param[out] err   Detail on failure; may be NULL.
 * @retval  NFL_OK       Written.
 * @retval  NFL_E_LIMIT  @p cap is too small; nothing was written.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_save(const nfl_parser *parser, void *dst, size_t cap,
                                                size_t *need, nfl_error *err);

/**
 * @brief   Read what nfl_parser_save() wrote. Templates and names already known are newer and stay.
 * @param   parser  Parser.
 * @param   data    Saved state; may be hostile.
 * @param   len     Bytes.
 * @param   now_us  Templates and names older than the limit at this time are left out.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK         Loaded.
 * @retval  NFL_E_CORRUPT  Checksum or structure wrong; nothing was loaded.
 * @retval  NFL_E_VERSION  Written by a newer library; nothing was loaded.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_parser_load(nfl_parser *parser, const void *data, size_t len,
                                                nfl_usec now_us, nfl_error *err);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_parser_memory(const nfl_parser *parser);

#ifdef __cplusplus
}
#endif
#endif

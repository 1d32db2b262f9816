/* The parser's inside: what fixed.c, sflow.c, set.c, record.c, options.c and state.c share.
 *
 * Decoding is a pull machine without recursion. nfl_parser_feed() reads the header and finds the domain;
 * nfl__decoder_step() goes on until it has found one thing. Three readers say where it stands:
 *
 *     message    rest of the datagram behind the current set
 *     templates  rest of the current template set
 *     records    rest of the current data set, with its template
 *
 * and are looked at from the inside out: records left? a waiting set to be replayed? templates left? next set? A
 * template that comes makes the sets waiting for it run through `records` before `templates` goes on; they carry
 * their own header and time in `context`. Templates change only while no data set is open, so the template of the
 * current record stays valid until the next step.
 *
 * Every step consumes bytes of the datagram or a waiting set. No allocation but for new templates, new domains,
 * waiting sets, and arrays that grow to the largest template.
 */
#ifndef NFL_WIRE_DECODER_H
#define NFL_WIRE_DECODER_H

#include "base/rd.h"
#include "wire/domain.h"
#include "wire/pending.h"

/* Where records come from: the datagram, or a set that waited. */
typedef struct nfl__context {
    nfl_export_header header;
    nfl_usec received_us;
    nfl_usec export_us; /* export time, finer than seconds if the boot time is known */
    uint32_t offset;    /* of the bytes being read, in their datagram */
    uint32_t reserved;
} nfl__context;

typedef struct nfl__record {
    const nfl__template *template; /* NULL = v1, v5, v7, sFlow, or no record */
    const uint8_t *data;           /* NULL = no current record */
    uint32_t len;
    uint32_t offset; /* in its datagram */
} nfl__record;

struct nfl_parser {
    nfl__memory memory;
    uint32_t flags;
    uint64_t seed;
    uint32_t max_fields;
    nfl__template_limits limits;
    nfl__plan_map map;
    nfl__domains domains;
    nfl__pending pending;
    nfl__overrides overrides;
    const nfl_element_table *elements; /* the host's; NULL = none */

    /* the datagram */
    nfl__domain *domain; /* NULL = none open */
    nfl__context own;    /* its header */
    const uint8_t *start;
    nfl__rd message;
    uint8_t header_told; /* the header event was given */
    uint8_t cut;         /* the datagram is shorter than it says */
    uint8_t counted;     /* all its records could be counted (IPFIX sequence) */
    uint8_t reserved;
    uint32_t record_count;

    /* where decoding stands */
    nfl__rd templates;
    nfl__rd records;
    const nfl__template *template; /* of `records`; NULL = no data set open */
    uint16_t set_id;
    uint16_t replay_id;          /* template whose waiting sets are being decoded; 0 = none */
    nfl__pending_set *replay;    /* the one being decoded */
    const nfl__context *context; /* of the records being read */
    nfl__context replay_context;

    /* what was found */
    uint16_t kind; /* NFL_EVENT_* */
    nfl__record record;
    nfl_event event;
    nfl_flow base; /* what all flows of the context have in common */
    nfl_flow flow;
    int flow_set; /* `flow` belongs to the current record */
    nfl__slots slots;
    nfl_sample sample; /* sFlow: header of the current one */

    /* arrays that keep their size */
    nfl__span *spans; /* of the current record, if its template is variable; sFlow: records of the sample */
    size_t span_capacity;
    nfl_template_field *fields; /* of a template being read */
    size_t field_capacity;
    uint8_t *copy; /* NFL_PARSER_COPY_INPUT */
    size_t copy_capacity;

    nfl_parser_stats stats;
};

/* Header of a datagram into *header; *rd is left at what follows it. */
nfl_status nfl__v1_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
nfl_status nfl__v5_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
nfl_status nfl__v7_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
nfl_status nfl__v9_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
nfl_status nfl__ipfix_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
nfl_status nfl__sflow_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err);

/* The next thing in a datagram of v1, v5 or v7, of sFlow, or in the sets of v9 and IPFIX: NFL_OK with `kind` set, NFL_DONE or an error. */
nfl_status nfl__fixed_step(nfl_parser *parser, nfl_error *err);
nfl_status nfl__sflow_step(nfl_parser *parser, nfl_error *err);
nfl_status nfl__set_step(nfl_parser *parser, nfl_error *err);

/* sflow.c: record i of the current sample; NFL_DONE beyond the last. */
nfl_status nfl__sflow_record(const nfl_parser *parser, uint32_t i, nfl_record_field *out);

/* template_set.c: the next definition or withdrawal of the open template set; NFL_DONE at its end. */
nfl_status nfl__template_set_step(nfl_parser *parser, nfl_error *err);

/* record.c: flow records from raw records. */
void nfl__record_prepare(nfl_parser *parser); /* `base` from `context` */
int nfl__record_find_spans(nfl_parser *parser, const nfl__template *template, const nfl__rd *rd,
                           uint32_t *len);
void nfl__record_to_flow(nfl_parser *parser);                /* current record of v9 or IPFIX into `flow` */
void nfl__record_finish(nfl_parser *parser, nfl_flow *flow); /* ICMP and sampling, all versions */

/* options.c: what the current options record teaches, into the domain; and one name. NFL_E_LIMIT: the memory of the
 * parser or the domain is used up; NFL_E_NOMEM: the allocator's. */
void nfl__options_learn(nfl_parser *parser);
nfl_status nfl__options_tell(nfl_parser *parser, nfl__domain *domain, const nfl__telling *telling, nfl_usec told_us);

/* Length in front of a field of variable length. */
uint32_t nfl__record_variable_len(nfl__rd *rd);

/* Export time of a header; finer than its seconds if the boot time is known. */
nfl_usec nfl__record_export_us(const nfl__domain *domain, const nfl_export_header *header);

/* parser.c: the datagram before, whether read to its end or not, is over. */
void nfl__parser_close(nfl_parser *parser);

/* parser.c: is this one of the versions it decodes? */
int nfl__parser_speaks(uint16_t version);

/* parser.c: the domain's state, created if need be. */
nfl_status nfl__parser_domain_of(nfl_parser *parser, const nfl_ip *exporter, uint16_t version, uint32_t id,
                                 nfl_usec now_us, nfl__domain **out, nfl_error *err);

/* parser.c: would `size` more bytes break the memory limit? If not, a failed allocation is the allocator's. */
int nfl__parser_is_full(const nfl_parser *parser, size_t size);

/* parser.c: `size` bytes are not free: drop a newcomer's state, but not `keep`. 0 when that is not the trouble, or there
 * is none. */
int nfl__parser_make_room(nfl_parser *parser, const nfl__domain *keep, size_t size, nfl_usec now_us);

/* parser.c: learn a template, other domains making room within the memory limit. */
nfl_status nfl__parser_define(nfl_parser *parser, nfl__domain *domain, const nfl__template_def *def,
                              nfl_usec now_us, nfl__template **out, nfl_error *err);

#endif

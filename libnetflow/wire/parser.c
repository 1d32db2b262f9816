#include <netflow/parser.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/opts.h"
#include "wire/decoder.h"

#include <string.h>

#define PARSER_KNOWN_FLAGS (NFL_PARSER_COPY_INPUT | NFL_PARSER_NO_PENDING)
#define PARSER_FIXED_SEED UINT64_C(0x6e666c2d77697265)

enum {
    PARSER_MAX_DOMAINS = 4096,
    PARSER_MAX_TEMPLATES = 1024,
    PARSER_MAX_FIELDS = 1024,
    PARSER_TEMPLATE_TTL_S = 7 * 24 * 3600,
    PARSER_MAX_PENDING = 4 << 20,
    PARSER_PENDING_TTL_S = 300,
    PARSER_MAX_BYTES = 64 << 20,
    PARSER_MAX_DATAGRAM = 65535
};

/* A protocol version: how its header is read, its records are found, its loss is counted. */
typedef struct parser_version {
    uint16_t version;
    uint32_t furthest; /* the largest jump of the sequence number taken for loss */
    nfl_status (*read_header)(nfl__rd *rd, nfl_export_header *header, nfl_error *err);
    nfl_status (*step)(nfl_parser *parser, nfl_error *err);
    size_t lost_counter; /* offset in nfl_parser_stats */
} parser_version;

static const parser_version parser_versions[] = {
    {1, 0, nfl__v1_read_header, nfl__fixed_step, offsetof(nfl_parser_stats, lost_flows)},
    {5, 30 * 4096, nfl__v5_read_header, nfl__fixed_step, offsetof(nfl_parser_stats, lost_flows)},
    {7, 28 * 4096, nfl__v7_read_header, nfl__fixed_step, offsetof(nfl_parser_stats, lost_flows)},
    {9, 4096, nfl__v9_read_header, nfl__set_step, offsetof(nfl_parser_stats, lost_datagrams)},
    {10, 100 * 4096, nfl__ipfix_read_header, nfl__set_step, offsetof(nfl_parser_stats, lost_records)},
    {NFL_VERSION_SFLOW5, 4096, nfl__sflow_read_header, nfl__sflow_step,
     offsetof(nfl_parser_stats, lost_datagrams)},
};

static const parser_version *parser_find_version(uint16_t version)
{
    for (size_t i = 0; i < sizeof parser_versions / sizeof *parser_versions; i++)
        if (parser_versions[i].version == version)
            return &parser_versions[i];
    return NULL;
}

int nfl__parser_speaks(uint16_t version)
{
    return parser_find_version(version) != NULL;
}

static uint32_t parser_default(uint32_t value, uint32_t standard)
{
    return value ? value : standard;
}

static void parser_init(nfl_parser *parser, const nfl_parser_opts *opts)
{
    uint64_t max_bytes = opts->max_bytes ? opts->max_bytes : PARSER_MAX_BYTES;
    uint32_t ttl_s = parser_default(opts->template_ttl_s, PARSER_TEMPLATE_TTL_S);
    parser->flags = opts->flags;
    parser->seed = opts->seed ? opts->seed : PARSER_FIXED_SEED;
    parser->max_fields = parser_default(opts->max_fields, PARSER_MAX_FIELDS);
    parser->limits.max_templates = parser_default(opts->max_templates, PARSER_MAX_TEMPLATES);
    parser->limits.max_bytes = max_bytes / 8 > SIZE_MAX ? SIZE_MAX : (size_t)(max_bytes / 8);
    parser->limits.ttl_us = ttl_s == UINT32_MAX ? INT64_MAX : (nfl_usec)ttl_s * 1000000;
    parser->domains.max_count = parser_default(opts->max_domains, PARSER_MAX_DOMAINS);
    parser->pending.max_bytes = parser_default(opts->max_pending_bytes, PARSER_MAX_PENDING);
    parser->pending.ttl_us = (nfl_usec)parser_default(opts->pending_ttl_s, PARSER_PENDING_TTL_S) * 1000000;
    parser->elements = opts->elements;
    parser->event.struct_size = (uint32_t)sizeof parser->event;
    nfl__plan_map_init(&parser->map);
}

nfl_status nfl_parser_new(const nfl_parser_opts *opts, nfl_parser **out, nfl_error *err)
{
    nfl_parser_opts own;
    NFL_TRY(nfl__opts_read(&own, sizeof own, opts, err));
    if (own.flags & ~PARSER_KNOWN_FLAGS)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "parser flags 0x%x: unknown bits 0x%x", own.flags,
                         own.flags & ~PARSER_KNOWN_FLAGS);
    nfl__memory memory;
    nfl__memory_init(&memory, own.alloc, own.max_bytes ? own.max_bytes : PARSER_MAX_BYTES);
    nfl_parser *parser = nfl__new(&memory, 1, sizeof *parser);
    if (!parser)
        return nfl__fail_nomem(err, sizeof *parser);
    parser->memory = memory;
    parser_init(parser, &own);
    *out = parser;
    return NFL_OK;
}

void nfl_parser_free(nfl_parser *parser)
{
    if (!parser)
        return;
    nfl__memory *memory = &parser->memory;
    nfl__pending_release(memory, parser->replay);
    nfl__pending_done(&parser->pending, memory);
    nfl__overrides_done(&parser->overrides, memory);
    nfl__domains_done(&parser->domains, memory);
    nfl__delete(memory, parser->spans, parser->span_capacity, sizeof *parser->spans);
    nfl__delete(memory, parser->fields, parser->field_capacity, sizeof *parser->fields);
    nfl__delete(memory, parser->copy, parser->copy_capacity, 1);
    nfl__memory last = parser->memory;
    nfl__delete(&last, parser, 1, sizeof *parser);
}

static void parser_drop_domain(nfl_parser *parser, nfl__domain *domain)
{
    nfl__pending_forget(&parser->pending, &parser->memory, domain);
    nfl__domains_remove(&parser->domains, &parser->memory, parser->seed, domain);
}

/* Drop a newcomer's state to make room; 0 when there is none but `keep`. */
static int parser_reclaim(nfl_parser *parser, const nfl__domain *keep, nfl_usec now_us)
{
    nfl__domain *victim = nfl__domains_victim(&parser->domains, now_us);
    if (!victim || victim == keep)
        return 0;
    parser_drop_domain(parser, victim);
    parser->stats.evicted_domains++;
    return 1;
}

int nfl__parser_is_full(const nfl_parser *parser, size_t size)
{
    return parser->memory.limit - parser->memory.held < size;
}

nfl_status nfl__parser_domain_of(nfl_parser *parser, const nfl_ip *exporter, uint16_t version, uint32_t id,
                                 nfl_usec now_us, nfl__domain **out, nfl_error *err)
{
    nfl__domains *domains = &parser->domains;
    nfl__domain *domain = nfl__domains_find(domains, parser->seed, exporter, version, id);
    if (domain) {
        *out = domain;
        return NFL_OK;
    }
    if (domains->count >= domains->max_count && !parser_reclaim(parser, NULL, now_us))
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                         "domain %u: all %u places are held by exporters in service", id, domains->max_count);
    do
        domain = nfl__domains_add(domains, &parser->memory, parser->seed, exporter, version, id, now_us);
    while (!domain && nfl__parser_is_full(parser, 2 * sizeof *domain) && parser_reclaim(parser, NULL, now_us));
    if (!domain)
        return nfl__fail_nomem(err, sizeof *domain);
    domain->set_rate = nfl__overrides_get(&parser->overrides, exporter, id);
    *out = domain;
    return NFL_OK;
}

int nfl__parser_make_room(nfl_parser *parser, const nfl__domain *keep, size_t size, nfl_usec now_us)
{
    return nfl__parser_is_full(parser, size) && parser_reclaim(parser, keep, now_us);
}

nfl_status nfl__parser_define(nfl_parser *parser, nfl__domain *domain, const nfl__template_def *def,
                              nfl_usec now_us, nfl__template **out, nfl_error *err)
{
    nfl__templates *templates = &domain->templates;
    if (templates->count >= parser->limits.max_templates && parser->limits.ttl_us != INT64_MAX)
        parser->stats.expired_templates +=
            nfl__templates_expire(templates, &parser->memory, parser->seed, now_us - parser->limits.ttl_us);
    nfl_status status;
    do
        status = nfl__templates_define(templates, &parser->memory, parser->seed, &parser->map,
                                       &parser->limits, def, now_us, out, err);
    while (status == NFL_E_LIMIT && nfl__parser_make_room(parser, domain, nfl__template_size(def), now_us));
    return status;
}

nfl_status nfl_parser_set_sampling(nfl_parser *parser, const nfl_ip *exporter, int64_t domain, uint32_t rate,
                                   nfl_error *err)
{
    if (domain < -1 || domain > UINT32_MAX)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "sampling rate: no domain has this number");
    NFL_TRY(nfl__overrides_set(&parser->overrides, &parser->memory, exporter, domain, rate, err));
    for (uint32_t i = 0; i < parser->domains.count; i++) {
        nfl__domain *known = parser->domains.all[i];
        if (memcmp(&known->exporter, exporter, sizeof *exporter) == 0)
            known->set_rate = nfl__overrides_get(&parser->overrides, exporter, known->id);
    }
    return NFL_OK;
}

void nfl__parser_close(nfl_parser *parser)
{
    nfl__pending_release(&parser->memory, parser->replay);
    parser->replay = NULL;
    parser->replay_id = 0;
    parser->template = NULL;
    parser->domain = NULL;
    parser->record.data = NULL;
    parser->record.template = NULL;
    parser->flow_set = 0;
}

/* The total over all domains that is kept in step with what their sequences report. */
static uint64_t *parser_lost_counter(nfl_parser *parser, const parser_version *version)
{
    return (uint64_t *)(void *)((uint8_t *)&parser->stats + version->lost_counter);
}

/* Some versions number datagrams, the others what stands in them. */
static int parser_counts_datagrams(const parser_version *version)
{
    return version->lost_counter == offsetof(nfl_parser_stats, lost_datagrams);
}

/* The clocks of the header; 1 when the exporter has restarted. */
static int parser_note_boot(nfl_parser *parser)
{
    const nfl_export_header *header = &parser->own.header;
    if (header->version == 10 || header->version == NFL_VERSION_SFLOW5)
        return 0;
    int exact = header->nanoseconds != 0 && header->nanoseconds < 1000000000;
    int64_t export_ms = (int64_t)header->seconds * 1000 + (exact ? header->nanoseconds / 1000000 : 0);
    return nfl__boot_note(&parser->domain->boot, export_ms, header->uptime_ms, exact ? 0 : 999);
}

/* sFlow: agents behind one address (a relay) number their datagrams independently. */
static void parser_note_agent(nfl_parser *parser)
{
    nfl__domain *domain = parser->domain;
    if (memcmp(&domain->agent, &parser->own.header.agent, sizeof domain->agent) == 0)
        return;
    domain->agent = parser->own.header.agent;
    domain->sequence.started = 0;
}

/* The counters of a sequence, as they were. */
typedef struct parser_losses {
    uint64_t lost, late, duplicates, restarts;
} parser_losses;

static parser_losses parser_losses_of(const nfl__sequence *sequence)
{
    return (parser_losses){sequence->lost, sequence->late_count, sequence->duplicates, sequence->restarts};
}

/* What the domain's sequence has found since `before` goes into the totals. */
static void parser_count_losses(nfl_parser *parser, const parser_version *version,
                                const parser_losses *before)
{
    const nfl__sequence *sequence = &parser->domain->sequence;
    parser->stats.late_datagrams += sequence->late_count - before->late;
    parser->stats.duplicate_datagrams += sequence->duplicates - before->duplicates;
    parser->stats.restarts += sequence->restarts - before->restarts;
    *parser_lost_counter(parser, version) += sequence->lost - before->lost;
}

/* What tells a datagram from others of the same number, but not from itself come twice. */
static uint32_t parser_mark(const nfl_parser *parser)
{
    const nfl_export_header *header = &parser->own.header;
    uint64_t clocks = (uint64_t)header->seconds << 32 | header->uptime_ms;
    uint64_t extent = (uint64_t)header->length << 32 | (uint32_t)header->count << 16;
    uint64_t hash = nfl__hash_u64(clocks, parser->seed) ^ (header->samples | (uint64_t)header->nanoseconds << 32);
    return (uint32_t)nfl__hash_u64(hash ^ extent, parser->seed) | 1;
}

static void parser_begin_sequence(nfl_parser *parser, const parser_version *version)
{
    const nfl_export_header *header = &parser->own.header;
    nfl__sequence *sequence = &parser->domain->sequence;
    parser_losses before = parser_losses_of(sequence);
    int restarted = parser_note_boot(parser);
    uint32_t seconds = header->version == NFL_VERSION_SFLOW5 ? (uint32_t)(parser->own.received_us / 1000000)
                                                             : header->seconds;
    parser_note_agent(parser);
    nfl__numbered datagram = {header->sequence, parser_mark(parser), seconds, version->furthest};
    nfl__sequence_begin(sequence, &datagram, restarted);
    parser_count_losses(parser, version, &before);
}

static void parser_end_sequence(nfl_parser *parser)
{
    const parser_version *version = parser_find_version(parser->own.header.version);
    nfl__sequence *sequence = &parser->domain->sequence;
    parser_losses before = parser_losses_of(sequence);
    int by_datagram = parser_counts_datagrams(version);
    nfl__sequence_end(sequence, by_datagram ? 1 : parser->record_count, by_datagram || parser->counted);
    parser_count_losses(parser, version, &before);
}

/* The version word; sFlow's has four bytes. */
static uint16_t parser_version_of(const uint8_t *data, size_t len)
{
    if (len >= 4 && nfl__load_be32(data) == 5)
        return NFL_VERSION_SFLOW5;
    uint16_t version = nfl__load_be16(data);
    return version == NFL_VERSION_SFLOW5 ? 0 : version;
}

/* Read the version's header; the datagram is bad if that fails. */
static nfl_status parser_read_header(nfl_parser *parser, const void *data, size_t len,
                                     const parser_version **version, nfl_error *err)
{
    nfl__rd rd = nfl__rd_make(data, len);
    if (len < 2)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "datagram of %zu bytes: no room for a version", len);
    uint16_t number = parser_version_of(rd.pos, len);
    *version = parser_find_version(number);
    if (!*version)
        return nfl__fail(err, NFL_E_UNSUPPORTED, 0,
                         "version %u is none of NetFlow 1, 5, 7, 9, IPFIX 10 and sFlow 5",
                         nfl__load_be16(rd.pos));
    memset(&parser->own, 0, sizeof parser->own);
    NFL_TRY((*version)->read_header(&rd, &parser->own.header, err));
    parser->start = rd.start;
    parser->message = rd;
    parser->cut = number == 10 && parser->own.header.length > len;
    return NFL_OK;
}

/* Take a copy of the input, or use the caller's bytes. */
static nfl_status parser_take_input(nfl_parser *parser, const void **data, size_t len, nfl_error *err)
{
    if (!(parser->flags & NFL_PARSER_COPY_INPUT) || len == 0)
        return NFL_OK;
    void *copy = parser->copy;
    if (!nfl__grow(&parser->memory, &copy, &parser->copy_capacity, len, 1))
        return nfl__fail_nomem(err, len);
    parser->copy = copy;
    memcpy(parser->copy, *data, len);
    *data = parser->copy;
    return NFL_OK;
}

static void parser_start(nfl_parser *parser, nfl__domain *domain, const parser_version *version,
                         nfl_usec now_us)
{
    parser->domain = domain;
    nfl__domains_touch(&parser->domains, domain, now_us);
    domain->datagrams++;
    parser->header_told = 0;
    parser->counted = 1;
    parser->record_count = 0;
    parser->templates = nfl__rd_make(NULL, 0);
    parser->own.received_us = now_us;
    parser_begin_sequence(parser, version);
    parser->own.export_us = nfl__record_export_us(domain, &parser->own.header);
    parser->context = &parser->own;
    nfl__record_prepare(parser);
}

static nfl_status parser_feed(nfl_parser *parser, const nfl_ip *exporter, nfl_usec now_us, const void *data,
                              size_t len, nfl_error *err)
{
    const parser_version *version = NULL;
    nfl__domain *domain = NULL;
    NFL_TRY(parser_take_input(parser, &data, len, err));
    NFL_TRY(parser_read_header(parser, data, len, &version, err));
    NFL_TRY(nfl__parser_domain_of(parser, exporter, version->version, parser->own.header.domain, now_us,
                                  &domain, err));
    parser_start(parser, domain, version, now_us);
    return NFL_OK;
}

nfl_status nfl_parser_feed(nfl_parser *parser, const nfl_ip *exporter, nfl_usec now_us, const void *data,
                           size_t len, nfl_error *err)
{
    if (len > PARSER_MAX_DATAGRAM || (!data && len))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "datagram of %zu bytes: at most %d, and not at NULL",
                         len, PARSER_MAX_DATAGRAM);
    nfl__parser_close(parser);
    nfl__pending_expire(&parser->pending, &parser->memory, now_us);
    parser->stats.datagrams++;
    parser->stats.bytes += len;
    nfl_status status = parser_feed(parser, exporter, now_us, data, len, err);
    if (status < 0)
        parser->stats.bad_datagrams++;
    return status;
}

size_t nfl_parser_forget(nfl_parser *parser, const nfl_ip *exporter, uint16_t version)
{
    size_t forgotten = 0;
    nfl__parser_close(parser);
    for (size_t i = parser->domains.count; i-- > 0;) { /* backwards: the last one takes the place of one removed */
        nfl__domain *domain = parser->domains.all[i];
        if (domain->version != version || nfl_ip_compare(&domain->exporter, exporter) != 0)
            continue;
        parser_drop_domain(parser, domain);
        forgotten++;
    }
    return forgotten;
}

/* One thing further: NFL_OK with `kind` set. */
static nfl_status parser_step(nfl_parser *parser, nfl_error *err)
{
    parser->record.data = NULL;
    parser->record.template = NULL;
    parser->flow_set = 0;
    if (!parser->domain)
        return NFL_DONE;
    const parser_version *version = parser_find_version(parser->own.header.version);
    nfl_status status = version->step(parser, err);
    if (status == NFL_DONE) {
        parser_end_sequence(parser);
        nfl__parser_close(parser);
    }
    return status;
}

nfl_status nfl_parser_next(nfl_parser *parser, const nfl_flow **out, nfl_error *err)
{
    nfl_status status;
    while ((status = parser_step(parser, err)) == NFL_OK) {
        if (parser->flow_set) {
            *out = &parser->flow;
            return NFL_OK;
        }
        if (parser->kind == NFL_EVENT_UNKNOWN_SET)
            return nfl__fail(err, NFL_E_NO_TEMPLATE, parser->record.offset,
                             "set %u: no template yet (%u bytes)", parser->set_id, parser->record.len);
        if (parser->kind == NFL_EVENT_ZERO_RECORD_TEMPLATE)
            return nfl__fail(err, NFL_E_FORMAT, parser->record.offset,
                             "set %u: its template describes records of 0 bytes", parser->set_id);
    }
    return status;
}

static int parser_has_sets(uint16_t version)
{
    return version == 9 || version == 10;
}

static void parser_fill_event(nfl_parser *parser)
{
    nfl_event *event = &parser->event;
    const nfl__template *template = parser->record.template;
    uint16_t withdrawn = parser->kind == NFL_EVENT_WITHDRAW ? event->template_id : parser->set_id;
    event->kind = parser->kind;
    event->version = parser->own.header.version;
    event->domain = parser->own.header.domain;
    event->set_id = template && parser->kind != NFL_EVENT_TEMPLATE ? template->id : parser->set_id;
    event->template_id = template ? template->id : parser_has_sets(event->version) ? withdrawn : 0;
    event->offset = parser->record.offset;
    event->len = parser->record.len;
    event->options = template ? template->options : 0;
    event->scope_count = template ? template->scope_count : 0;
    event->field_count = template ? template->field_count : 0;
    event->sample = NULL;
    if (parser->kind == NFL_EVENT_SAMPLE) {
        event->field_count = parser->sample.record_count;
        event->sample = &parser->sample;
    }
    event->header = &parser->context->header;
    event->fields = template ? template->fields : NULL;
    event->flow = parser->flow_set ? &parser->flow : NULL;
}

/* The header comes first, before any set is looked at. */
static void parser_found_header(nfl_parser *parser)
{
    parser->header_told = 1;
    parser->kind = NFL_EVENT_HEADER;
    parser->set_id = 0;
    parser->record = (nfl__record){NULL, NULL, (uint32_t)(parser->message.pos - parser->start), 0};
}

nfl_status nfl_parser_next_event(nfl_parser *parser, const nfl_event **out, nfl_error *err)
{
    if (parser->domain && !parser->header_told) {
        parser_found_header(parser);
    } else {
        nfl_status status = parser_step(parser, err);
        if (status != NFL_OK)
            return status;
    }
    parser_fill_event(parser);
    *out = &parser->event;
    return NFL_OK;
}

nfl_status nfl_parser_field(const nfl_parser *parser, uint32_t i, nfl_record_field *out)
{
    const nfl__template *template = parser->record.template;
    if (parser->own.header.version == NFL_VERSION_SFLOW5)
        return nfl__sflow_record(parser, i, out);
    if (!template || !parser->record.data || i >= template->field_count)
        return NFL_DONE;
    const nfl_template_field *field = &template->fields[i];
    nfl__span span = {template->offsets[i], field->len};
    if (template->variable)
        span = parser->spans[i];
    memset(out, 0, sizeof *out);
    out->pen = field->pen;
    out->id = field->id;
    out->scope = i < template->scope_count;
    out->len = span.len;
    out->sent_len = span.len;
    out->data = parser->record.data + span.offset;
    return NFL_OK;
}

nfl_status nfl_parser_element(const nfl_parser *parser, uint32_t pen, uint16_t id, nfl_record_field *out)
{
    const nfl__template *template = parser->record.template;
    for (uint32_t i = 0; template && i < template->field_count; i++)
        if (template->fields[i].id == id && template->fields[i].pen == pen &&
            (i >= template->scope_count || parser->own.header.version == 10))
            return nfl_parser_field(parser, i, out);
    for (uint32_t i = 0; !template && nfl_parser_field(parser, i, out) == NFL_OK; i++)
        if (out->id == id && out->pen == pen)
            return NFL_OK;
    return NFL_DONE;
}

const nfl_element *nfl_parser_describe(const nfl_parser *parser, uint32_t pen, uint16_t id)
{
    return nfl_element_table_find(parser->elements, pen, id);
}

void nfl_parser_get_stats(const nfl_parser *parser, nfl_parser_stats *out)
{
    nfl_parser_stats stats = parser->stats;
    stats.domains = parser->domains.count;
    stats.dropped_sets += parser->pending.dropped;
    stats.memory_bytes = parser->memory.held;
    (void)nfl__opts_write(out, &stats, sizeof stats);
}

nfl_status nfl_parser_domain(const nfl_parser *parser, size_t i, nfl_domain_info *out)
{
    if (i >= parser->domains.count)
        return NFL_DONE;
    const nfl__domain *domain = parser->domains.all[i];
    nfl_domain_info info = {.version = domain->version,
                            .exporter = domain->exporter,
                            .domain = domain->id,
                            .templates = domain->templates.count,
                            .sampling = domain->set_rate ? domain->set_rate : domain->samplers.latest,
                            .next_sequence = domain->sequence.expected,
                            .first_seen_us = domain->first_seen_us,
                            .last_seen_us = domain->last_seen_us,
                            .datagrams = domain->datagrams,
                            .flows = domain->flows,
                            .lost = domain->sequence.lost,
                            .late = domain->sequence.late_count,
                            .restarts = domain->sequence.restarts,
                            .pending_bytes = domain->pending_bytes,
                            .names = domain->names.count,
                            .duplicates = domain->sequence.duplicates};
    (void)nfl__opts_write(out, &info, sizeof info);
    return NFL_OK;
}

size_t nfl_parser_memory(const nfl_parser *parser)
{
    return parser->memory.held;
}

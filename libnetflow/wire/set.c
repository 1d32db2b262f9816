/* Walking the sets of NetFlow v9 and IPFIX: both lay a datagram out as header, then sets of { id, length, content }.
 *
 * What real exporters do and the walk allows for: the v9 header's count is wrong as often as not, so sets are
 * walked to the end of the datagram; set lengths need not be multiples of 4; data sets end in padding of any
 * content, shorter than a record; the datagram may end in a tail of zeros; the last set may claim more than there
 * is, then its complete records are decoded and the rest is reported. */
#include "base/error.h"
#include "wire/decoder.h"

enum { SET_HEADER_LEN = 4, SET_FIRST_DATA = 256, V9_HEADER_LEN = 20, IPFIX_HEADER_LEN = 16 };

nfl_status nfl__v9_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    size_t len = nfl__rd_left(rd);
    if (len < V9_HEADER_LEN)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "netflow v9 header: %zu bytes, need %d", len,
                         V9_HEADER_LEN);
    header->version = nfl__rd_u16(rd);
    header->count = nfl__rd_u16(rd);
    header->length = (uint32_t)len;
    header->uptime_ms = nfl__rd_u32(rd);
    header->seconds = nfl__rd_u32(rd);
    header->sequence = nfl__rd_u32(rd);
    header->domain = nfl__rd_u32(rd);
    return NFL_OK;
}

nfl_status nfl__ipfix_read_header(nfl__rd *rd, nfl_export_header *header, nfl_error *err)
{
    size_t len = nfl__rd_left(rd);
    if (len < IPFIX_HEADER_LEN)
        return nfl__fail(err, NFL_E_TRUNCATED, len, "ipfix header: %zu bytes, need %d", len,
                         IPFIX_HEADER_LEN);
    header->version = nfl__rd_u16(rd);
    header->length = nfl__rd_u16(rd);
    header->seconds = nfl__rd_u32(rd);
    header->sequence = nfl__rd_u32(rd);
    header->domain = nfl__rd_u32(rd);
    if (header->length < IPFIX_HEADER_LEN)
        return nfl__fail(err, NFL_E_FORMAT, 2, "ipfix header: message length %u, need at least %d",
                         header->length, IPFIX_HEADER_LEN);
    if (header->length < len)
        rd->limit = rd->start +
                    header->length; /* RFC 7011 10.3.3: one message a datagram; the rest is no part of it */
    return NFL_OK;
}

static uint32_t set_offset(const nfl_parser *parser, const uint8_t *pos)
{
    return (uint32_t)(pos - parser->start);
}

static void set_close_records(nfl_parser *parser)
{
    nfl__pending_release(&parser->memory, parser->replay);
    parser->replay = NULL;
    parser->template = NULL;
}

/* The rest of the open data set cannot be read. */
static nfl_status set_give_up_records(nfl_parser *parser, uint32_t offset, nfl_error *err)
{
    size_t left = nfl__rd_left(&parser->records);
    uint16_t id = parser->template->id;
    if (!parser->replay)
        parser->counted = 0;
    set_close_records(parser);
    parser->stats.bad_sets++;
    return nfl__fail(err, NFL_E_FORMAT, offset,
                     "set %u: a record runs past the end of the set (%zu bytes left)", id, left);
}

static void set_found_record(nfl_parser *parser, const uint8_t *data, uint32_t len, uint32_t offset)
{
    const nfl__template *template = parser->template;
    parser->record = (nfl__record){template, data, len, offset};
    parser->record_count += !parser->replay;
    if (template->options) {
        parser->kind = NFL_EVENT_OPTIONS;
        parser->stats.options_records++;
        nfl__options_learn(parser);
        return;
    }
    parser->kind = NFL_EVENT_RECORD;
    if (!template->plan.is_flow) {
        parser->stats.other_records++;
        return;
    }
    parser->stats.flows++;
    parser->domain->flows++;
    nfl__record_to_flow(parser);
}

/* Next record of the open data set; NFL_DONE when only padding is left (RFC 7011 3.3.1). */
static nfl_status set_next_record(nfl_parser *parser, nfl_error *err)
{
    const nfl__template *template = parser->template;
    uint32_t offset = parser->context->offset + (uint32_t)nfl__rd_offset(&parser->records);
    uint32_t len = template->record_len;
    if (nfl__rd_left(&parser->records) < len) {
        set_close_records(parser);
        return NFL_DONE;
    }
    if (template->variable && !nfl__record_find_spans(parser, template, &parser->records, &len))
        return set_give_up_records(parser, offset, err);
    set_found_record(parser, nfl__rd_bytes(&parser->records, len), len, offset);
    return NFL_OK;
}

static void set_open_records(nfl_parser *parser, const nfl__template *template, const uint8_t *data,
                             size_t len, const nfl__context *context)
{
    int same = parser->context == context && context == &parser->own;
    parser->template = template;
    parser->records = nfl__rd_make(data, len);
    parser->context = context;
    if (!same)
        nfl__record_prepare(parser);
}

/* Open the next set that waited for the template just defined. */
static void set_next_replay(nfl_parser *parser)
{
    const nfl__template *template =
        nfl__templates_find(&parser->domain->templates, parser->seed, parser->replay_id);
    nfl__pending_set *set = nfl__pending_take(&parser->pending, parser->domain, parser->replay_id);
    if (!set || !template || template->record_len == 0) {
        nfl__pending_release(&parser->memory, set);
        parser->replay_id = 0;
        return;
    }
    parser->replay = set;
    parser->stats.replayed_sets++;
    parser->replay_context = (nfl__context){.header = set->header,
                                            .received_us = set->received_us,
                                            .export_us = nfl__record_export_us(parser->domain, &set->header),
                                            .offset = set->offset};
    set_open_records(parser, template, nfl__pending_data(set), set->len, &parser->replay_context);
}

static void set_found_unknown(nfl_parser *parser, const nfl__rd *content)
{
    parser->kind = NFL_EVENT_UNKNOWN_SET;
    parser->counted = 0; /* nobody can say how many records these are */
    parser->stats.unknown_sets++;
    if (parser->flags & NFL_PARSER_NO_PENDING)
        parser->stats.dropped_sets++;
    else
        nfl__pending_add(&parser->pending, &parser->memory, parser->domain, &parser->own.header,
                         parser->own.received_us, parser->set_id, set_offset(parser, content->start),
                         content->start, nfl__rd_left(content));
}

static const nfl__template *set_find_template(nfl_parser *parser)
{
    nfl__templates *templates = &parser->domain->templates;
    const nfl__template *template = nfl__templates_find(templates, parser->seed, parser->set_id);
    if (template && parser->own.received_us - template->refreshed_us > parser->limits.ttl_us) {
        nfl__templates_remove(templates, &parser->memory, parser->seed, parser->set_id);
        parser->stats.expired_templates++;
        return NULL;
    }
    return template;
}

/* A data set: NFL_DONE when its records are ready to be read, else an event was found. */
static nfl_status set_open_data(nfl_parser *parser, const nfl__rd *content)
{
    parser->record.offset = set_offset(parser, content->start);
    parser->record.len = (uint32_t)nfl__rd_left(content);
    const nfl__template *template = set_find_template(parser);
    if (!template) {
        set_found_unknown(parser, content);
        return NFL_OK;
    }
    if (template->record_len == 0) { /* an endless number of records */
        parser->kind = NFL_EVENT_ZERO_RECORD_TEMPLATE;
        parser->stats.bad_sets++;
        return NFL_OK;
    }
    parser->own.offset = set_offset(parser, content->start);
    set_open_records(parser, template, content->start, nfl__rd_left(content), &parser->own);
    return NFL_DONE;
}

static int set_holds_templates(const nfl_parser *parser)
{
    uint16_t first = parser->own.header.version == 9 ? 0 : 2;
    return parser->set_id == first || parser->set_id == first + 1;
}

static nfl_status set_refuse(nfl_parser *parser, uint32_t offset, uint16_t len, nfl_error *err)
{
    parser->stats.bad_sets++;
    parser->counted = 0;
    if (len < SET_HEADER_LEN) {
        parser->message.pos = parser->message.limit; /* no way to find the next set */
        return nfl__fail(err, NFL_E_FORMAT, offset, "set %u: length %u, need at least 4", parser->set_id,
                         len);
    }
    return nfl__fail(err, NFL_E_FORMAT, offset, "set id %u is reserved in version %u", parser->set_id,
                     parser->own.header.version);
}

static nfl_status set_end(nfl_parser *parser, nfl_error *err)
{
    parser->message.pos = parser->message.limit;
    if (!parser->cut)
        return NFL_DONE;
    parser->cut = 0;
    parser->counted = 0;
    parser->stats.bad_sets++;
    size_t len = (size_t)(parser->message.limit - parser->start);
    return nfl__fail(err, NFL_E_TRUNCATED, len, "set %u: the datagram ends at byte %zu inside it",
                     parser->set_id, len);
}

/* Open the next set; NFL_DONE = go on reading it, or there is none and message is empty. */
static nfl_status set_open(nfl_parser *parser, nfl_error *err)
{
    uint32_t offset = set_offset(parser, parser->message.pos);
    parser->set_id = nfl__rd_u16(&parser->message);
    uint16_t len = nfl__rd_u16(&parser->message);
    if (parser->set_id == 0 && len == 0)
        return set_end(parser, err); /* a tail of zeros fills the datagram up */
    if (len < SET_HEADER_LEN)
        return set_refuse(parser, offset, len, err);
    size_t wanted = (size_t)len - SET_HEADER_LEN, left = nfl__rd_left(&parser->message);
    if (wanted > left) {
        parser->cut = 1;
        wanted = left;
    }
    nfl__rd content = nfl__rd_sub(&parser->message, wanted);
    if (set_holds_templates(parser)) {
        parser->templates = content;
        return NFL_DONE;
    }
    return parser->set_id < SET_FIRST_DATA ? set_refuse(parser, offset, len, err)
                                           : set_open_data(parser, &content);
}

nfl_status nfl__set_step(nfl_parser *parser, nfl_error *err)
{
    for (;;) {
        nfl_status status = NFL_DONE;
        if (parser->template)
            status = set_next_record(parser, err);
        else if (parser->replay_id)
            set_next_replay(parser);
        else if (nfl__rd_left(&parser->templates))
            status = nfl__template_set_step(parser, err);
        else if (nfl__rd_left(&parser->message) >= SET_HEADER_LEN)
            status = set_open(parser, err);
        else
            return set_end(parser, err);
        if (status != NFL_DONE)
            return status;
    }
}

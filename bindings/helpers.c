#include "helpers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nfl_status helpers_fail(nfl_error *err, nfl_status code, const char *what, const char *detail)
{
    if (err) {
        memset(err, 0, sizeof *err);
        err->code = code;
        err->offset = NFL_NO_OFFSET;
        snprintf(err->message, sizeof err->message, "%s: %s", what, detail);
    }
    return code;
}

const char *binding_version(void)
{
    static const char text[] = "0.1.0";
    _Static_assert(NFL_VERSION_MAJOR == 0 && NFL_VERSION_MINOR == 1 && NFL_VERSION_PATCH == 0, "text above");
    return text;
}

char *binding_field_names(void)
{
    size_t cap = 4096, len = 0;
    char *names = calloc(1, cap);
    for (uint32_t field = 0; names && field < NFL_FIELD_STORED_COUNT; field++) {
        nfl_field_info info = {.struct_size = sizeof info};
        if (nfl_field_get(field, &info) == NFL_OK)
            len += (size_t)snprintf(names + len, cap - len, "%s%s", len ? " " : "", info.name);
    }
    return names;
}

char *binding_app_name(uint32_t app)
{
    char text[NFL_VALUE_TEXT_SIZE];
    nfl_app_format(app, text, sizeof text);
    return strdup(text);
}

static int helpers_field(const char *name, nfl_field_info *info, nfl_error *err)
{
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    if (nfl_field_get(nfl_field_find(name, strlen(name)), info) == NFL_OK)
        return 1;
    helpers_fail(err, NFL_E_NOT_FOUND, name, "no such field");
    return 0;
}

nfl_value binding_flow_get(const nfl_flow *flow, const char *field, nfl_error *err)
{
    nfl_value value = {.struct_size = sizeof value};
    nfl_field_info info;
    if (helpers_field(field, &info, err))
        nfl_flow_get(flow, info.field, &value);
    return value;
}

nfl_status binding_flow_set(nfl_flow *flow, const char *field, const char *text, nfl_error *err)
{
    nfl_field_info info;
    if (!helpers_field(field, &info, err))
        return NFL_E_NOT_FOUND;
    if (info.derived)
        return helpers_fail(err, NFL_E_ARG, field, "is computed, cannot be set");
    void *member = (char *)flow + info.offset;
    nfl_status status = NFL_OK;
    if (info.type == NFL_TYPE_IP) {
        status = nfl_ip_parse(text, member, err);
    } else if (info.type == NFL_TYPE_TIME) {
        status = nfl_time_parse(text, 0, member, err);
    } else {
        char *rest;
        errno = 0;
        uint64_t number = strtoull(text, &rest, 0);
        if (errno || *rest || rest == text || *text == '-' || (info.width < 8 && number >> (8 * info.width)))
            return helpers_fail(err, NFL_E_SYNTAX, text, "is not a number that fits the field");
        switch (info.width) {
        case 1: *(uint8_t *)member = (uint8_t)number; break;
        case 2: *(uint16_t *)member = (uint16_t)number; break;
        case 4: *(uint32_t *)member = (uint32_t)number; break;
        default: *(uint64_t *)member = number; break;
        }
    }
    if (status == NFL_OK)
        flow->present |= NFL_HAS(info.field);
    return status;
}

nfl_parser *binding_parser_new(uint32_t max_templates, nfl_error *err)
{
    NFL_OPTS(nfl_parser_opts, opts, .flags = NFL_PARSER_COPY_INPUT, .max_templates = max_templates);
    nfl_parser *parser = NULL;
    return nfl_parser_new(&opts, &parser, err) < 0 ? NULL : parser;
}

static nfl_flow *helpers_copy_flow(const nfl_flow *flow)
{
    nfl_flow *copy = malloc(sizeof *copy);
    if (copy) {
        *copy = *flow;
        nfl_enrich_app(copy);
    }
    return copy;
}

nfl_flow *binding_parser_next(nfl_parser *parser)
{
    const nfl_flow *flow;
    nfl_status status;
    do
        status = nfl_parser_next(parser, &flow, NULL);
    while (status < 0);
    return status == NFL_OK ? helpers_copy_flow(flow) : NULL;
}

static const struct {
    uint32_t field, kind;
} helpers_named[] = {
    {NFL_FIELD_IN_IF, NFL_NAME_INTERFACE},      {NFL_FIELD_OUT_IF, NFL_NAME_INTERFACE}, {NFL_FIELD_IN_VRF, NFL_NAME_VRF},
    {NFL_FIELD_OUT_VRF, NFL_NAME_VRF}, {NFL_FIELD_APP_ID, NFL_NAME_APPLICATION},
};

/* The kind of names of a field's values; 0 if there are none. */
static uint32_t helpers_name_kind(const char *field, nfl_field_info *info, nfl_error *err)
{
    if (!helpers_field(field, info, err))
        return 0;
    for (size_t i = 0; i < sizeof helpers_named / sizeof *helpers_named; i++)
        if (helpers_named[i].field == info->field)
            return helpers_named[i].kind;
    helpers_fail(err, NFL_E_ARG, field, "exporters tell no names of it");
    return 0;
}

const char *binding_parser_name(const nfl_parser *parser, const nfl_flow *flow, const char *field, nfl_error *err)
{
    nfl_field_info info;
    nfl_value value = {.struct_size = sizeof value};
    nfl_name name = {.struct_size = sizeof name};
    uint32_t kind = helpers_name_kind(field, &info, err);
    if (!kind || !(flow->present & NFL_HAS(info.field)))
        return NULL;
    nfl_flow_get(flow, info.field, &value);
    if (nfl_parser_name(parser, &flow->exporter, flow->version, flow->domain, kind, value.u64, &name) != NFL_OK)
        return NULL;
    return *name.name ? name.name : name.description;
}

bool binding_encoder_name(nfl_encoder *encoder, const char *field, uint64_t id, const char *name, nfl_usec now_us,
                          const char *description, nfl_error *err)
{
    nfl_field_info info;
    uint32_t kind = helpers_name_kind(field, &info, err);
    return kind && nfl_encoder_add_name(encoder, kind, id, name, description, now_us, err) == NFL_OK;
}

struct binding_reader {
    nfl_capture *capture;
    nfl_parser *parser;
    nfl_filter *filter;
    uint64_t refused;
    int in_datagram;
};

binding_reader *binding_reader_new(const char *path, const char *filter, nfl_error *err)
{
    binding_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        helpers_fail(err, NFL_E_NOMEM, path, "out of memory");
        return NULL;
    }
    if (nfl_capture_new(path, NULL, &reader->capture, err) < 0 || nfl_parser_new(NULL, &reader->parser, err) < 0 ||
        nfl_filter_new(filter, NULL, &reader->filter, err) < 0) {
        binding_reader_free(reader);
        return NULL;
    }
    return reader;
}

void binding_reader_free(binding_reader *reader)
{
    if (!reader)
        return;
    nfl_filter_free(reader->filter);
    nfl_parser_free(reader->parser);
    nfl_capture_free(reader->capture);
    free(reader);
}

/* Feed datagrams until one is taken. 1: there is one; 0: end of capture or *err. */
static int helpers_next_datagram(binding_reader *reader, nfl_error *err)
{
    const nfl_datagram *datagram;
    while (nfl_capture_next(reader->capture, &datagram, err) == NFL_OK) {
        if (nfl_parser_feed(reader->parser, &datagram->src, datagram->time_us, datagram->data, datagram->len, NULL) == NFL_OK)
            return 1;
        reader->refused++;
    }
    return 0;
}

nfl_flow *binding_reader_next(binding_reader *reader, nfl_error *err)
{
    const nfl_flow *flow;
    for (;;) {
        if (!reader->in_datagram && !helpers_next_datagram(reader, err))
            return NULL;
        reader->in_datagram = 1;
        nfl_status status = nfl_parser_next(reader->parser, &flow, NULL);
        if (status == NFL_DONE)
            reader->in_datagram = 0;
        else if (status == NFL_OK && nfl_filter_match(reader->filter, flow))
            return helpers_copy_flow(flow);
    }
}

const char *binding_reader_name(const binding_reader *reader, const nfl_flow *flow, const char *field, nfl_error *err)
{
    return binding_parser_name(reader->parser, flow, field, err);
}

uint64_t binding_reader_problems(const binding_reader *reader)
{
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(reader->parser, &stats);
    return stats.bad_datagrams + stats.bad_sets + stats.dropped_sets + stats.lost_flows + stats.lost_datagrams +
           stats.lost_records;
}

nfl_filter *binding_filter_new(const char *text, nfl_error *err)
{
    nfl_filter *filter = NULL;
    return nfl_filter_new(text, NULL, &filter, err) < 0 ? NULL : filter;
}

nfl_store *binding_store_new(const char *uri, bool create, bool read_only, nfl_error *err)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = (create ? NFL_STORE_CREATE : 0) | (read_only ? NFL_STORE_READ_ONLY : 0));
    nfl_store *store = NULL;
    return nfl_store_new(uri, &opts, &store, err) < 0 ? NULL : store;
}

nfl_status binding_store_compact(nfl_store *store, bool all, nfl_error *err)
{
    NFL_OPTS(nfl_compact_opts, opts, .flags = all ? NFL_COMPACT_ALL : 0);
    nfl_status status = NFL_OK;
    while (status == NFL_OK)
        status = nfl_store_compact(store, &opts, err);
    return status == NFL_DONE ? NFL_OK : status;
}

nfl_status binding_store_hold(nfl_store *store, const char *name, nfl_usec from_us, nfl_usec to_us, const char *note,
                              nfl_error *err)
{
    NFL_OPTS(nfl_hold, hold, .from_us = from_us, .to_us = to_us);
    /* Texts that are too long are cut without a NUL, which the library refuses. */
    size_t name_len = name ? strlen(name) : 0, note_len = note ? strlen(note) : 0;
    if (name_len)
        memcpy(hold.name, name, name_len < sizeof hold.name ? name_len : sizeof hold.name);
    if (note_len)
        memcpy(hold.note, note, note_len < sizeof hold.note ? note_len : sizeof hold.note);
    return nfl_store_hold(store, &hold, err);
}

uint64_t binding_store_count(nfl_store *store, nfl_error *err)
{
    nfl_store_info info = {.struct_size = sizeof info};
    return nfl_store_get_info(store, &info, err) < 0 ? 0 : info.flows;
}

nfl_status binding_list(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err)
{
    size_t name_len = strlen(name);
    for (const char *at = ctx; at; at = strstr(at, "\n@"), at = at ? at + 1 : NULL) {
        if (strncmp(at + 1, name, name_len) != 0 || at[1 + name_len] != '\n')
            continue;
        const char *head_end = at + 1 + name_len, *end = strstr(head_end, "\n@");
        *text = head_end + 1;
        *len = end ? (size_t)(end + 1 - *text) : strlen(*text);
        return NFL_OK;
    }
    snprintf(err->message, sizeof err->message, "not among the lists of the query");
    return NFL_E_NOT_FOUND;
}

char *binding_cursor_token(nfl_cursor *cursor, nfl_error *err)
{
    char token[NFL_TOKEN_SIZE];
    return nfl_cursor_token(cursor, token, err) < 0 ? NULL : strdup(token);
}

const char *binding_cursor_name(const nfl_cursor *cursor, uint32_t column)
{
    nfl_column_info info = {.struct_size = sizeof info};
    return nfl_cursor_column(cursor, column, &info) == NFL_OK ? info.name : NULL;
}

uint64_t binding_cursor_matched(const nfl_cursor *cursor)
{
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(cursor, &stats);
    return stats.rows_matched;
}

nfl_topk *binding_topk_new(uint32_t counters, uint32_t key_len, uint64_t seed, nfl_error *err)
{
    NFL_OPTS(nfl_topk_opts, opts, .counters = counters, .key_len = key_len, .seed = seed);
    nfl_topk *topk = NULL;
    return nfl_topk_new(&opts, &topk, err) < 0 ? NULL : topk;
}

nfl_status binding_topk_add(nfl_topk *topk, const void *key, size_t len, uint64_t weight, nfl_error *err)
{
    if (len != nfl_topk_key_len(topk)) {
        char detail[64];
        snprintf(detail, sizeof detail, "%zu bytes, expected %zu", len, nfl_topk_key_len(topk));
        return helpers_fail(err, NFL_E_ARG, "key", detail);
    }
    nfl_topk_add(topk, key, weight);
    return NFL_OK;
}

binding_topk_items binding_topk_list(const nfl_topk *topk, size_t n)
{
    binding_topk_items list = {n && n < SIZE_MAX / sizeof(nfl_topk_item) ? malloc(n * sizeof(nfl_topk_item)) : NULL, 0,
                               nfl_topk_key_len(topk)};
    if (list.items)
        list.count = nfl_topk_list(topk, list.items, n);
    return list;
}

nfl_watch *binding_watch_new(const char *detectors, const char *inside, nfl_error *err)
{
    NFL_OPTS(nfl_watch_opts, opts, .detectors = detectors, .inside = inside);
    nfl_watch *watch = NULL;
    return nfl_watch_new(&opts, &watch, err) < 0 ? NULL : watch;
}

static char *helpers_peers(const nfl_finding *found)
{
    char text[NFL_FINDING_PEERS * NFL_IP_TEXT_SIZE] = "";
    size_t len = 0;
    for (size_t i = 0; i < found->peer_count && i < NFL_FINDING_PEERS; i++) {
        if (i)
            text[len++] = ' ';
        len += nfl_ip_format(&found->peers[i], text + len, sizeof text - len);
    }
    return strdup(text);
}

binding_finding *binding_watch_next(nfl_watch *watch)
{
    const nfl_finding *found;
    binding_finding *copy = NULL;
    if (nfl_watch_next(watch, &found) != NFL_OK || (copy = calloc(1, sizeof *copy)) == NULL)
        return NULL;
    char entity[NFL_IP_TEXT_SIZE];
    nfl_ip_format(&found->entity, entity, sizeof entity);
    *copy = (binding_finding){
        .detector = strdup(found->detector), .measure = strdup(found->measure), .attack = strdup(found->attack),
        .filter = strdup(found->filter), .message = strdup(found->message), .entity = strdup(entity),
        .peers = helpers_peers(found), .severity = nfl_severity_name(found->severity),
        .confidence = found->confidence, .first_us = found->first_us, .last_us = found->last_us,
        .found_us = found->found_us, .observed = found->observed, .threshold = found->threshold, .flows = found->flows,
    };
    return copy;
}

void binding_finding_free(binding_finding *finding)
{
    if (!finding)
        return;
    free(finding->detector);
    free(finding->measure);
    free(finding->attack);
    free(finding->filter);
    free(finding->message);
    free(finding->entity);
    free(finding->peers);
    free(finding);
}

nfl_encoder *binding_encoder_new(uint32_t version, uint32_t domain, nfl_error *err)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = version, .domain = domain);
    nfl_encoder *encoder = NULL;
    return nfl_encoder_new(&opts, &encoder, err) < 0 ? NULL : encoder;
}

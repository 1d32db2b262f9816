#include "api.h"

#include "api_query.h"
#include "row.h"

#include <inttypes.h>
#include <netflow/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    API_TOP_MAX = 1000,
    API_FLOWS_MAX = 1000,
    API_OFFSET_MAX = 1000000,
    API_SERIES_MAX = 20,
    API_BUCKETS_MAX = 2000,
    API_BUCKETS_WANTED = 120,
    API_FINDINGS_MAX = 1000
};

#define API_SECOND INT64_C(1000000)

/* Exports last as long as their readers are slow: four at most, so that the page always gets an answer. */
static const api_patience api_page_patience = {30, 0}, api_export_patience = {600, QUERIES_MAX - 4};

/* Columns of detail records, in lists and exports. */
static const char api_flow_columns[] =
    "first,last,duration,src,src_port,dst,dst_port,proto,app,tcp_flags,icmp_type,icmp_code,tos,"
    "bytes,packets,flows,in_if,out_if,src_as,dst_as,exporter,sampling";
static const char api_biflow_columns[] =
    "first,last,duration,src,src_port,dst,dst_port,proto,app,tcp_flags,reverse_tcp_flags,icmp_type,icmp_code,tos,"
    "bytes,reverse_bytes,packets,reverse_packets,flows,in_if,out_if,src_as,dst_as,exporter,sampling";

void api_fail(api_reply *reply, unsigned status, const char *message)
{
    json_done(&reply->body);
    reply->status = status;
    json_open(&reply->body, '{');
    json_pair_text(&reply->body, "error", message);
    json_close(&reply->body, '}');
}

/* Write member "rows" from the cursor; returns 0 after making the reply an error. */
static int api_write_rows(api_query *q, api_reply *reply)
{
    int more;
    json_key(&reply->body, "rows");
    json_open(&reply->body, '[');
    while ((more = api_query_next(q, reply)) > 0)
        row_write(q->cursor, &reply->body);
    if (more < 0)
        return 0;
    json_close(&reply->body, ']');
    return 1;
}

/* What matched, complete after the last row. */
static void api_write_stats(const api_query *q, json *j)
{
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(q->cursor, &stats);
    json_key(j, "total");
    json_open(j, '{');
    json_pair_u64(j, "records", stats.rows_matched);
    json_pair_u64(j, "groups", stats.groups);
    json_pair_u64(j, "bytes", stats.bytes);
    json_pair_u64(j, "packets", stats.packets);
    json_pair_u64(j, "flows", stats.flows);
    json_pair_u64(j, "reduced", stats.rows_reduced);
    json_pair_u64(j, "duplicates", stats.rows_duplicate);
    json_pair_u64(j, "distinct_error_per_mille", stats.distinct_error_per_mille);
    json_close(j, '}');
    json_key(j, "cost");
    json_open(j, '{');
    json_pair_u64(j, "rows_read", stats.rows_read);
    json_pair_u64(j, "blocks_read", stats.blocks_read);
    json_pair_u64(j, "blocks_skipped", stats.blocks_skipped);
    json_pair_u64(j, "memory_bytes", stats.memory_bytes);
    json_close(j, '}');
}

/* Where the next page begins; null behind the last one, and where there is no order. */
static void api_write_next(const api_query *q, json *j)
{
    char token[NFL_TOKEN_SIZE];
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(q->cursor, &stats);
    int more = q->query.limit && stats.groups > q->query.limit && nfl_cursor_token(q->cursor, token, NULL) == NFL_OK;
    json_pair_text(j, "next", more ? token : NULL);
}

/* Run the query and write its rows and totals into the open object. */
static void api_run(api_query *q, api_reply *reply)
{
    if (!api_query_start(q, reply) || !api_write_rows(q, reply))
        return;
    api_write_stats(q, &reply->body);
    api_write_next(q, &reply->body);
    json_close(&reply->body, '}');
}

static void api_top(const api *a, const api_request *request, api_reply *reply)
{
    api_query q = {0};
    uint64_t limit;
    if (api_get_number(request, reply, "n", 10, API_TOP_MAX, &limit) &&
        api_query_open(&q, a, request, reply, api_page_patience)) {
        const char *by = api_get(request, "by"), *order = api_get(request, "order");
        q.query.limit = limit;
        q.query.having = api_get(request, "having");
        q.query.group_by = by ? by : "src";
        q.query.columns = api_get(request, "columns");
        q.query.order_by = order ? order : "bytes";
        q.query.after = api_get(request, "after");
        json_open(&reply->body, '{');
        json_pair_text(&reply->body, "by", q.query.group_by);
        json_pair_text(&reply->body, "order", q.query.order_by);
        api_run(&q, reply);
    }
    api_query_close(&q, a);
}

/* Order and direction of detail records. */
static int api_set_order(nfl_query *query, const api_request *request, api_reply *reply)
{
    uint64_t descending;
    query->order_by = api_get(request, "order");
    query->after = api_get(request, "after");
    query->columns = query->flags & NFL_QUERY_BIFLOW ? api_biflow_columns : api_flow_columns;
    if (!api_get_number(request, reply, "desc", 1, 1, &descending))
        return 0;
    query->flags |= descending ? 0 : NFL_QUERY_ASCENDING;
    return 1;
}

static void api_flows(const api *a, const api_request *request, api_reply *reply)
{
    api_query q = {0};
    uint64_t limit, offset;
    if (api_get_number(request, reply, "n", 50, API_FLOWS_MAX, &limit) &&
        api_get_number(request, reply, "offset", 0, API_OFFSET_MAX, &offset) &&
        api_query_open(&q, a, request, reply, api_page_patience) && api_set_order(&q.query, request, reply)) {
        q.query.limit = limit;
        q.query.offset = offset;
        json_open(&reply->body, '{');
        json_pair_u64(&reply->body, "offset", offset);
        api_run(&q, reply);
    }
    api_query_close(&q, a);
}

/* --- series --- */

/* A readable length of time that gives about so many buckets. */
static nfl_usec api_choose_bucket(nfl_usec length_us)
{
    static const uint32_t steps_s[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                       600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800};
    size_t i = 0;
    while (i < sizeof steps_s / sizeof *steps_s - 1 &&
           length_us / (steps_s[i] * API_SECOND) > API_BUCKETS_WANTED)
        i++;
    return steps_s[i] * API_SECOND;
}

/* A window without bounds is that of the flows there are. */
static int api_close_window(api_query *q, api_reply *reply)
{
    nfl_store_info info = {.struct_size = sizeof info};
    nfl_error err;
    if (q->query.from_us && q->query.to_us)
        return 1;
    if (nfl_store_get_info(q->store, &info, &err) < 0) {
        api_fail_with(reply, &err, NULL);
        return 0;
    }
    if (!q->query.from_us)
        q->query.from_us = info.first_us;
    if (!q->query.to_us)
        q->query.to_us = info.last_us + 1;
    return 1;
}

static int api_set_bucket(api_query *q, const api_request *request, api_reply *reply)
{
    const char *text = api_get(request, "bucket");
    nfl_error err;
    if (!api_close_window(q, reply))
        return 0;
    nfl_usec length_us = q->query.to_us - q->query.from_us;
    q->query.bucket_us = api_choose_bucket(length_us);
    if (text && nfl_duration_parse(text, &q->query.bucket_us, &err) < 0) {
        api_fail_with(reply, &err, "bucket");
        return 0;
    }
    if (q->query.bucket_us <= 0 || length_us / q->query.bucket_us > API_BUCKETS_MAX) {
        api_fail(reply, 422, "more than 2000 buckets: choose a shorter window or a longer bucket");
        return 0;
    }
    return 1;
}

static void api_series(const api *a, const api_request *request, api_reply *reply)
{
    api_query q = {0};
    uint64_t limit, fill, spread;
    if (api_get_number(request, reply, "n", 5, API_SERIES_MAX, &limit) && api_get_number(request, reply, "fill", 0, 1, &fill) &&
        api_get_number(request, reply, "spread", 0, 1, &spread) &&
        api_query_open(&q, a, request, reply, api_page_patience) && api_set_bucket(&q, request, reply)) {
        q.query.group_by = api_get(request, "by");
        q.query.columns = api_get(request, "columns");
        q.query.order_by = q.query.group_by ? api_get(request, "order") : "time";
        q.query.limit = q.query.group_by ? limit : 0;
        q.query.flags |= (q.query.group_by ? 0 : NFL_QUERY_ASCENDING) | (fill ? NFL_QUERY_FILL : 0) | (spread ? NFL_QUERY_SPREAD : 0);
        q.query.having = api_get(request, "having");
        json_open(&reply->body, '{');
        json_pair_text(&reply->body, "by", q.query.group_by);
        json_pair_time(&reply->body, "from", q.query.from_us);
        json_pair_time(&reply->body, "to", q.query.to_us);
        json_key(&reply->body, "bucket_s");
        json_double(&reply->body, (double)q.query.bucket_us / (double)API_SECOND);
        api_run(&q, reply);
    }
    api_query_close(&q, a);
}

/* --- export --- */

static void api_export(const api *a, const api_request *request, api_reply *reply)
{
    const char *format = api_get(request, "format");
    uint64_t limit;
    if (format && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0) {
        api_fail(reply, 400, "parameter 'format': csv or json expected");
        return;
    }
    api_query q = {0};
    if (api_get_number(request, reply, "n", 0, UINT64_C(1000000000), &limit) &&
        api_query_open(&q, a, request, reply, api_export_patience) &&
        api_set_order(&q.query, request, reply)) {
        q.query.limit = limit;
        if (api_query_start(&q, reply)) {
            uint32_t form = format && strcmp(format, "json") == 0 ? EXPORT_JSON : EXPORT_CSV;
            reply->stream = export_new(form, a->queries, q.slot, q.store, q.cursor);
            q = (api_query){0};
            if (!reply->stream)
                api_fail(reply, 503, "out of memory");
            return;
        }
    }
    api_query_close(&q, a);
}

/* --- the rest --- */

static void api_findings(const api *a, const api_request *request, api_reply *reply)
{
    nfl_usec from_us, to_us;
    uint64_t n;
    if (!api_get_window(request, reply, &from_us, &to_us) ||
        !api_get_number(request, reply, "n", 100, API_FINDINGS_MAX, &n))
        return;
    json_open(&reply->body, '{');
    findings_write(a->findings, &reply->body, from_us, to_us, (size_t)n);
    json_close(&reply->body, '}');
}

static void api_write_store(const api *a, json *j)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    nfl_store_info info = {.struct_size = sizeof info};
    nfl_store *store = NULL;
    nfl_error err;
    nfl_status status = nfl_store_new(a->store, &opts, &store, &err);
    if (status >= 0)
        status = nfl_store_get_info(store, &info, &err);
    nfl_store_free(store);
    json_key(j, "store");
    json_open(j, '{');
    json_pair_text(j, "error", status < 0 ? err.message : NULL);
    json_pair_u64(j, "flows", info.flows);
    json_pair_u64(j, "bytes", info.bytes);
    json_pair_u64(j, "segments", info.segments);
    json_pair_u64(j, "journal_flows", info.journal_flows);
    json_pair_time(j, "first", info.first_us);
    json_pair_time(j, "last", info.last_us);
    json_pair_u64(j, "keep_days", a->keep_days);
    json_pair_u64(j, "summed_flows", info.summed_flows);
    json_pair_u64(j, "keep_flows_days", a->keep_flows_days);
    json_close(j, '}');
}

static void api_state(const api *a, const api_request *request, api_reply *reply)
{
    json *j = &reply->body;
    char version[32];
    uint32_t v = nfl_version();
    (void)request;
    snprintf(version, sizeof version, "%" PRIu32 ".%" PRIu32 ".%" PRIu32, v / 10000, v / 100 % 100, v % 100);
    json_open(j, '{');
    json_pair_text(j, "version", version);
    json_key(j, "resolver");
    json_bool(j, a->names != NULL);
    json_pair_u64(j, "findings", findings_count(a->findings));
    status_write(a->status, j);
    api_write_store(a, j);
    json_close(j, '}');
}

static void api_resolve(const api *a, const api_request *request, api_reply *reply)
{
    nfl_ip ips[API_PARAMETERS_MAX];
    size_t count = 0;
    nfl_error err;
    if (!a->names) {
        api_fail(reply, 501, "this netflowd cannot ask for names: it was built without DNS");
        return;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        if (nfl_ip_parse(request->parameters[i].value, &ips[count++], &err) == NFL_OK)
            continue;
        api_fail_with(reply, &err, "ip");
        return;
    }
    json_open(&reply->body, '{');
    names_resolve(a->names, &reply->body, ips, count);
    json_close(&reply->body, '}');
}

static void api_write_field(json *j, const nfl_field_info *field)
{
    static const char *const types[] = {
        [NFL_TYPE_U8] = "u8",   [NFL_TYPE_U16] = "u16",   [NFL_TYPE_U32] = "u32",
        [NFL_TYPE_U64] = "u64", [NFL_TYPE_TIME] = "time", [NFL_TYPE_IP] = "ip"};
    static const char *const kinds[] = {
        [NFL_KIND_NUMBER] = "number",     [NFL_KIND_COUNTER] = "counter", [NFL_KIND_TIME] = "time",
        [NFL_KIND_DURATION] = "duration", [NFL_KIND_ADDRESS] = "address", [NFL_KIND_PORT] = "port",
        [NFL_KIND_PROTO] = "proto",       [NFL_KIND_FLAGS] = "flags",     [NFL_KIND_MAC] = "mac",
        [NFL_KIND_APP] = "app",           [NFL_KIND_COUNTRY] = "country"};
    json_open(j, '{');
    json_pair_text(j, "name", field->name);
    json_pair_text(j, "aliases", field->aliases);
    json_pair_text(j, "title", field->title);
    json_pair_text(j, "type", field->type < sizeof types / sizeof *types ? types[field->type] : NULL);
    json_pair_text(j, "kind", field->kind < sizeof kinds / sizeof *kinds ? kinds[field->kind] : NULL);
    json_key(j, "derived");
    json_bool(j, field->derived);
    json_pair_text(j, "doc", field->doc);
    json_close(j, '}');
}

static void api_fields(const api *a, const api_request *request, api_reply *reply)
{
    (void)a;
    (void)request;
    json_open(&reply->body, '{');
    json_key(&reply->body, "fields");
    json_open(&reply->body, '[');
    for (uint32_t i = 0; i < NFL_FIELD_NONE; i++) {
        nfl_field_info field = {.struct_size = sizeof field};
        if (nfl_field_get(i, &field) == NFL_OK)
            api_write_field(&reply->body, &field);
    }
    json_close(&reply->body, ']');
    json_close(&reply->body, '}');
}

/* --- dispatch --- */

static const struct {
    const char *path;
    void (*answer)(const api *a, const api_request *request, api_reply *reply);
    const char *parameters; /* each with a space on both sides */
} api_routes[] = {
    {"/api/top", api_top, " by n from to order filter having after unique biflow columns approximate "},
    {"/api/flows", api_flows, " filter from to order desc n offset after unique biflow "},
    {"/api/series", api_series, " bucket by n from to order filter having fill spread unique biflow columns approximate "},
    {"/api/export", api_export, " format filter from to order desc n unique biflow "},
    {"/api/findings", api_findings, " from to n "},
    {"/api/status", api_state, " "},
    {"/api/resolve", api_resolve, " ip "},
    {"/api/fields", api_fields, " "},
};

/* Unknown, repeated and overlong parameters are refused: a typing error must not become an answer to
 * another question. */
static int api_check_parameters(const api_request *request, const char *known, api_reply *reply)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const api_parameter *parameter = &request->parameters[i];
        size_t max = strcmp(parameter->name, "filter") == 0 ? API_FILTER_MAX : API_VALUE_MAX;
        char name[32], message[128];
        const char *what = NULL;
        snprintf(name, sizeof name, " %.24s ", parameter->name);
        if (!strstr(known, name) || strlen(parameter->name) > 24 || strchr(parameter->name, ' '))
            what = "is unknown";
        else if (strlen(parameter->value) > max)
            what = "is too long";
        else if (strcmp(parameter->name, "ip") != 0 && api_get(request, parameter->name) != parameter->value)
            what = "is given twice";
        if (!what)
            continue;
        snprintf(message, sizeof message, "parameter '%.24s' %s", parameter->name, what);
        api_fail(reply, 400, message);
        return 0;
    }
    return 1;
}

void api_answer(const api *a, const api_request *request, api_reply *reply)
{
    *reply = (api_reply){.status = 200};
    for (size_t i = 0; i < sizeof api_routes / sizeof *api_routes; i++) {
        if (strcmp(api_routes[i].path, request->path) != 0)
            continue;
        if (api_check_parameters(request, api_routes[i].parameters, reply))
            api_routes[i].answer(a, request, reply);
        return;
    }
    api_fail(reply, 404, "no such address");
}

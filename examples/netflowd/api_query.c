#include "api_query.h"

#include <inttypes.h>
#include <netflow/filter.h>
#include <netflow/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_QUERY_MEMORY (UINT64_C(256) << 20)

const char *api_get(const api_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].value;
    return NULL;
}

int api_get_number(const api_request *request, api_reply *reply, const char *name, uint64_t fallback,
                   uint64_t max, uint64_t *out)
{
    const char *text = api_get(request, name);
    *out = fallback;
    if (!text)
        return 1;
    char *rest;
    size_t digits = strspn(text, "0123456789");
    *out = strtoull(text, &rest, 10);
    if (digits > 0 && digits <= 18 && text[digits] == '\0' && *out <= max)
        return 1;
    char message[128];
    snprintf(message, sizeof message, "parameter '%.20s': a number from 0 to %" PRIu64 " expected", name,
             max);
    api_fail(reply, 400, message);
    return 0;
}

static unsigned api_status_of(int32_t code)
{
    static const struct {
        int32_t code;
        unsigned status;
    } statuses[] = {{NFL_E_SYNTAX, 400},    {NFL_E_ARG, 400},   {NFL_E_UNSUPPORTED, 400}, {NFL_E_LIMIT, 422},
                    {NFL_E_CANCELLED, 503}, {NFL_E_NOMEM, 503}, {NFL_E_NOT_FOUND, 503},   {NFL_E_BUSY, 503}};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return 500;
}

void api_fail_with(api_reply *reply, const nfl_error *err, const char *parameter)
{
    const char *message =
        err->code == NFL_E_CANCELLED
            ? "the query took too long and was stopped: choose a shorter window or a narrower filter"
            : err->message;
    json_done(&reply->body);
    reply->status = api_status_of(err->code);
    json_open(&reply->body, '{');
    json_pair_text(&reply->body, "error", message);
    if (parameter)
        json_pair_text(&reply->body, "parameter", parameter);
    if (err->code == NFL_E_SYNTAX && err->offset != NFL_NO_OFFSET)
        json_pair_u64(&reply->body, "column", err->offset);
    json_close(&reply->body, '}');
}

static int api_get_time(const api_request *request, api_reply *reply, const char *name, nfl_usec *out)
{
    const char *text = api_get(request, name);
    nfl_error err;
    *out = 0;
    if (!text || *text == '\0' || nfl_time_parse(text, request->now_us, out, &err) == NFL_OK)
        return 1;
    api_fail_with(reply, &err, name);
    return 0;
}

int api_get_window(const api_request *request, api_reply *reply, nfl_usec *from_us, nfl_usec *to_us)
{
    if (!api_get_time(request, reply, "from", from_us) || !api_get_time(request, reply, "to", to_us))
        return 0;
    if (*to_us && *from_us >= *to_us) {
        api_fail(reply, 400, "the window is empty: 'from' must be before 'to'");
        return 0;
    }
    return 1;
}

/* The query would find a wrong filter too, but not say that it was the filter. */
static int api_check_filter(const api_request *request, api_reply *reply)
{
    NFL_OPTS(nfl_filter_opts, opts, .now_us = request->now_us);
    nfl_filter *filter = NULL;
    nfl_error err;
    if (nfl_filter_new(api_get(request, "filter"), &opts, &filter, &err) < 0) {
        api_fail_with(reply, &err, "filter");
        return 0;
    }
    nfl_filter_free(filter);
    return 1;
}

/* Flags of nfl_query that every question may set. */
static int api_get_flags(const api_request *request, api_reply *reply, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {{"unique", NFL_QUERY_UNIQUE}, {"biflow", NFL_QUERY_BIFLOW}, {"approximate", NFL_QUERY_APPROXIMATE}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        uint64_t set;
        if (!api_get_number(request, reply, flags[i].name, 0, 1, &set))
            return 0;
        *out |= set ? flags[i].flag : 0;
    }
    return 1;
}

int api_query_open(api_query *q, const api *a, const api_request *request, api_reply *reply,
                   api_patience patience)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_READ_ONLY);
    nfl_error err;
    q->query = (nfl_query){.struct_size = sizeof q->query,
                           .filter = api_get(request, "filter"),
                           .now_us = request->now_us,
                           .max_memory_bytes = API_QUERY_MEMORY};
    if (!api_get_window(request, reply, &q->query.from_us, &q->query.to_us) || !api_get_flags(request, reply, &q->query.flags) ||
        !api_check_filter(request, reply))
        return 0;
    q->slot = queries_begin(a->queries, patience.seconds, patience.leave_free);
    if (!q->slot) {
        api_fail(reply, 503, "too many queries are running: try again");
        return 0;
    }
    q->query.cancel = &q->slot->cancel;
    if (nfl_store_new(a->store, &opts, &q->store, &err) < 0) {
        api_fail_with(reply, &err, NULL);
        return 0;
    }
    return 1;
}

int api_query_start(api_query *q, api_reply *reply)
{
    nfl_error err;
    if (nfl_store_query(q->store, &q->query, &q->cursor, &err) >= 0)
        return 1;
    api_fail_with(reply, &err, NULL);
    return 0;
}

int api_query_next(api_query *q, api_reply *reply)
{
    nfl_error err;
    nfl_status status = nfl_cursor_next(q->cursor, &err);
    if (status < 0)
        api_fail_with(reply, &err, NULL);
    return status < 0 ? -1 : status == NFL_OK;
}

void api_query_close(api_query *q, const api *a)
{
    nfl_cursor_free(q->cursor);
    nfl_store_free(q->store);
    if (q->slot)
        queries_end(a->queries, q->slot);
    *q = (api_query){0};
}

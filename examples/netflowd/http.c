#include "http.h"

#include "address.h"
#include "clock.h"
#include "page.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HTTP_CONNECTIONS_MAX = 64,
    HTTP_TIMEOUT_S = 30,
    HTTP_MEMORY = 64 << 10, /* a connection's: bounds URL and headers together */
    HTTP_STREAM_BLOCK = 32 << 10,
    HTTP_STACK = 512 << 10
};

struct http {
    struct MHD_Daemon *daemon;
    const api *api;
    const config_list *names;
    char address[CONFIG_TEXT_SIZE];
};

/* What every answer carries. The page loads nothing from elsewhere and is shown in nobody's frame. */
static const char *const http_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

/* --- answers --- */

/* Takes the response; NULL makes the connection end. */
static enum MHD_Result http_send(struct MHD_Connection *connection, unsigned status, const char *type,
                                 struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof http_headers / sizeof *http_headers; i++)
        (void)MHD_add_response_header(response, http_headers[i][0], http_headers[i][1]);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static ssize_t http_read_stream(void *stream, uint64_t position, char *dst, size_t capacity)
{
    (void)position;
    ssize_t n = export_read(stream, dst, capacity);
    return n > 0 ? n : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void http_free_stream(void *stream)
{
    export_free(stream);
}

static enum MHD_Result http_send_stream(struct MHD_Connection *connection, export *stream)
{
    char disposition[64];
    snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", export_file_name(stream));
    const char *type = export_content_type(stream);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, HTTP_STREAM_BLOCK, http_read_stream, stream, http_free_stream);
    if (response)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
    else
        export_free(stream);
    return http_send(connection, MHD_HTTP_OK, type, response);
}

/* Takes what the reply holds. */
static enum MHD_Result http_send_reply(struct MHD_Connection *connection, api_reply *reply)
{
    if (reply->stream)
        return http_send_stream(connection, reply->stream);
    if (!json_ok(&reply->body) || !reply->body.data) {
        json_done(&reply->body);
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.len, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (!response)
        json_done(&reply->body);
    return http_send(connection, reply->status, "application/json", response);
}

static enum MHD_Result http_refuse(struct MHD_Connection *connection, unsigned status, const char *message)
{
    api_reply reply = {0};
    api_fail(&reply, status, message);
    return http_send_reply(connection, &reply);
}

static enum MHD_Result http_send_page(struct MHD_Connection *connection, const page_file *file)
{
    /* The buffer is not changed: MHD_RESPMEM_PERSISTENT; its type dates from before const. */
    union {
        const void *constant;
        void *plain;
    } data = {.constant = file->data};
    struct MHD_Response *response =
        MHD_create_response_from_buffer(file->len, data.plain, MHD_RESPMEM_PERSISTENT);
    return http_send(connection, MHD_HTTP_OK, file->content_type, response);
}

/* --- requests --- */

/* A page of another site that points its own name at this address (DNS rebinding) sends that name here.
 * Addresses, localhost and configured names are ours; anything else is refused. */
static int http_is_own_name(const http *h, const char *host)
{
    char name[CONFIG_TEXT_SIZE];
    nfl_ip ip;
    if (!address_split(host, name, sizeof name, NULL))
        return 0;
    if (strcasecmp(name, "localhost") == 0 || nfl_ip_parse(name, &ip, NULL) == NFL_OK)
        return 1;
    for (size_t i = 0; i < h->names->count; i++)
        if (strcasecmp(name, h->names->text[i]) == 0)
            return 1;
    return 0;
}

typedef struct http_collect {
    api_request *request;
    const char *problem;
} http_collect;

static enum MHD_Result http_add_parameter(void *ctx, enum MHD_ValueKind kind, const char *name,
                                          size_t name_len, const char *value, size_t value_len)
{
    http_collect *collect = ctx;
    api_request *request = collect->request;
    (void)kind;
    if (request->parameter_count == API_PARAMETERS_MAX)
        collect->problem = "too many parameters";
    else if (strlen(name) != name_len || (value && strlen(value) != value_len))
        collect->problem = "a parameter contains a zero byte";
    if (collect->problem)
        return MHD_NO;
    request->parameters[request->parameter_count++] = (api_parameter){name, value ? value : ""};
    return MHD_YES;
}

static enum MHD_Result http_answer_api(const http *h, struct MHD_Connection *connection, const char *path)
{
    api_request request = {.path = path, .now_us = clock_now()};
    http_collect collect = {.request = &request};
    api_reply reply;
    (void)MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, http_add_parameter, &collect);
    if (collect.problem)
        return http_refuse(connection, MHD_HTTP_BAD_REQUEST, collect.problem);
    api_answer(h->api, &request, &reply);
    return http_send_reply(connection, &reply);
}

static enum MHD_Result http_route(const http *h, struct MHD_Connection *connection, const char *path,
                                  const char *method)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (!host)
        return http_refuse(connection, MHD_HTTP_BAD_REQUEST, "the Host header is missing");
    if (!http_is_own_name(h, host))
        return http_refuse(connection, MHD_HTTP_FORBIDDEN,
                           "this host name is not known here: use the address, localhost, or start netflowd "
                           "with --http-name");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return http_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed");
    for (size_t i = 0; i < page_file_count; i++)
        if (strcmp(page_files[i].path, path) == 0)
            return http_send_page(connection, &page_files[i]);
    return http_answer_api(h, connection, path);
}

/* libmicrohttpd calls with the headers, then with parts of a body, then once more: answer the last call. */
static enum MHD_Result http_handle(void *ctx, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, const char *body,
                                   size_t *body_len, void **request)
{
    static const char seen[] = "seen";
    (void)version;
    (void)body;
    if (!*request) {
        union {
            const void *constant;
            void *plain;
        } mark = {.constant = seen};
        *request = mark.plain;
        return MHD_YES;
    }
    if (*body_len) {
        *body_len = 0; /* no request here has a use for one */
        return MHD_YES;
    }
    return http_route(ctx, connection, path, method);
}

/* --- start and stop --- */

static int http_listen(const address *where, char *text, size_t capacity)
{
    int on = 1;
    int listener = socket(where->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -1;
    /* After a restart the port's old connections may linger; they do not matter. */
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address bound = {.len = sizeof bound.storage};
    if (bind(listener, (const struct sockaddr *)&where->storage, where->len) < 0 ||
        listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&bound.storage, &bound.len) < 0) {
        int saved = errno;
        close(listener);
        errno = saved;
        return -1;
    }
    address_format(&bound, text, capacity);
    return listener;
}

int http_open(http **out, const char *text, const config_list *own_names, const api *a)
{
    address where;
    if (!address_parse(text, &where))
        return HTTP_WRONG_ADDRESS;
    http *h = calloc(1, sizeof *h);
    if (!h)
        return HTTP_FAILED;
    h->api = a;
    h->names = own_names;
    int listener = http_listen(&where, h->address, sizeof h->address);
    unsigned flags =
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
    if (where.storage.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    if (listener >= 0)
        h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_handle, h, MHD_OPTION_LISTEN_SOCKET, listener,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
                                     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY,
                                     MHD_OPTION_THREAD_STACK_SIZE, (size_t)HTTP_STACK, MHD_OPTION_END);
    if (!h->daemon) {
        int saved = errno;
        if (listener >= 0)
            close(listener);
        free(h);
        errno = saved;
        return HTTP_FAILED;
    }
    *out = h;
    return 0;
}

void http_close(http *h)
{
    if (!h)
        return;
    MHD_stop_daemon(h->daemon);
    free(h);
}

const char *http_address(const http *h)
{
    return h->address;
}

/* The JSON API: parameters in, reply out. Knows nothing of HTTP's wire. Documented in docs/reference/http-api.md.
 *
 * Calls come from several threads; what they share is guarded by itself (status, findings, queries, names), and
 * every query opens the store for itself. */
#ifndef NETFLOWD_API_H
#define NETFLOWD_API_H

#include "export.h"
#include "findings.h"
#include "names.h"
#include "queries.h"
#include "status.h"

enum {
    API_PARAMETERS_MAX = 128,
    API_FILTER_MAX = 4096, /* bytes of a filter */
    API_VALUE_MAX = 128    /* bytes of any other parameter */
};

/* What the API shows. Not owned. */
typedef struct api {
    const char *store;
    uint32_t keep_days;
    uint32_t keep_flows_days;
    status_board *status;
    findings *findings;
    queries *queries;
    names *names; /* NULL: names cannot be asked for */
} api;

typedef struct api_parameter {
    const char *name;
    const char *value;
} api_parameter;

typedef struct api_request {
    const char *path;
    api_parameter parameters[API_PARAMETERS_MAX];
    size_t parameter_count;
    nfl_usec now_us;
} api_request;

typedef struct api_reply {
    unsigned status; /* of HTTP */
    json body;       /* owned by whoever called */
    export *stream;  /* instead of the body; likewise */
} api_reply;

/* Answer a request; 404 for paths it does not know. */
void api_answer(const api *a, const api_request *request, api_reply *reply);

/* Make the reply an error: {"error": message}. */
void api_fail(api_reply *reply, unsigned status, const char *message);

#endif

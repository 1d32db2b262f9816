/* Questions to the store: window, filter and limits of a request become a cursor. */
#ifndef NETFLOWD_API_QUERY_H
#define NETFLOWD_API_QUERY_H

#include "api.h"

#include <netflow/store.h>

/* One question while it runs. Zero it, open it, close it. */
typedef struct api_query {
    query_slot *slot;
    nfl_store *store;
    nfl_cursor *cursor;
    nfl_query query;
} api_query;

/* The parameter's value, or NULL. */
const char *api_get(const api_request *request, const char *name);

/* A number up to max, or the default when it is not given. Returns 0 after making the reply an error. */
int api_get_number(const api_request *request, api_reply *reply, const char *name, uint64_t fallback,
                   uint64_t max, uint64_t *out);

/* "from" and "to"; 0 when not given. Returns 0 after making the reply an error. */
int api_get_window(const api_request *request, api_reply *reply, nfl_usec *from_us, nfl_usec *to_us);

/* How long a question may take, and how many places it must leave to others. */
typedef struct api_patience {
    unsigned seconds;
    size_t leave_free;
} api_patience;

/* Open the store and set window and filter. Returns 0 after making the reply an error. */
int api_query_open(api_query *q, const api *a, const api_request *request, api_reply *reply,
                   api_patience patience);

/* Start the query as it is set now. Returns 0 after making the reply an error. */
int api_query_start(api_query *q, api_reply *reply);

/* Next row: 1, end: 0, failure: -1 after making the reply an error. */
int api_query_next(api_query *q, api_reply *reply);

void api_query_close(api_query *q, const api *a);

/* An error of the library as a reply; parameter may be NULL. */
void api_fail_with(api_reply *reply, const nfl_error *err, const char *parameter);

#endif

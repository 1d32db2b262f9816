/* The HTTP side: dashboard and API over libmicrohttpd, one thread a connection, on its own. */
#ifndef NETFLOWD_HTTP_H
#define NETFLOWD_HTTP_H

#include "api.h"

typedef struct http http;

enum {
    HTTP_WRONG_ADDRESS = -1, /* the address does not parse */
    HTTP_FAILED = -2         /* the operating system refused; errno says why */
};

/* Start to serve. The api and the names must outlive it. Returns 0 or HTTP_*. */
int http_open(http **out, const char *address, const config_list *own_names, const api *a);

/* Stop; waits for the requests that run. */
void http_close(http *h);

/* "127.0.0.1:8080", with the real port. */
const char *http_address(const http *h);

#endif

#include "names.h"

#include "clock.h"

#include <netflow/dns.h>
#include <netflow/resolver.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    NAMES_WAIT_US = 1500000, /* longest wait of a request */
    NAMES_POLL_MS = 20       /* longest time the lock is held */
};

struct names {
    pthread_mutex_t lock;
    nfl_resolver *resolver;
    nfl_dns *dns;
};

nfl_status names_open(names **out, const char *server, uint64_t seed, nfl_error *err)
{
    names *n = calloc(1, sizeof *n);
    if (!n)
        return NFL_E_NOMEM;
    pthread_mutex_init(&n->lock, NULL);
    NFL_OPTS(nfl_resolver_opts, resolver_opts, .seed = seed);
    NFL_OPTS(nfl_dns_opts, dns_opts, .servers = server);
    nfl_status status = nfl_resolver_new(&resolver_opts, &n->resolver, err);
    if (status >= 0)
        status = nfl_dns_new(n->resolver, &dns_opts, &n->dns, err);
    if (status < 0) {
        names_close(n);
        return status;
    }
    *out = n;
    return NFL_OK;
}

void names_close(names *n)
{
    if (!n)
        return;
    nfl_dns_free(n->dns);
    nfl_resolver_free(n->resolver);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* Ask for all, so that the questions go out together; returns how many are open. */
static size_t names_ask(names *n, const nfl_ip *ips, size_t count)
{
    const char *name;
    size_t open = 0;
    nfl_usec now_us = clock_now();
    for (size_t i = 0; i < count; i++)
        open += nfl_resolver_lookup(n->resolver, &ips[i], now_us, &name) == NFL_PENDING;
    return open;
}

static void names_write(names *n, json *j, const nfl_ip *ips, size_t count, int known)
{
    nfl_usec now_us = clock_now();
    for (size_t i = 0; i < count; i++) {
        char text[NFL_IP_TEXT_SIZE];
        const char *name = NULL;
        if ((nfl_resolver_lookup(n->resolver, &ips[i], now_us, &name) == NFL_OK) != known)
            continue;
        nfl_ip_format(&ips[i], text, sizeof text);
        if (known)
            json_pair_text(j, text, name);
        else
            json_text(j, text);
    }
}

void names_resolve(names *n, json *j, const nfl_ip *ips, size_t count)
{
    nfl_usec until_us = clock_elapsed() + NAMES_WAIT_US;
    size_t open;
    do {
        pthread_mutex_lock(&n->lock);
        open = names_ask(n, ips, count);
        if (open)
            (void)!nfl_dns_poll(n->dns, clock_now(), NAMES_POLL_MS, NULL); /* a failed question is answered */
        pthread_mutex_unlock(&n->lock);
        if (open)
            nanosleep(&(struct timespec){.tv_nsec = 2000000},
                      NULL); /* others want the lock; the rate is limited */
    } while (open && clock_elapsed() < until_us);

    pthread_mutex_lock(&n->lock);
    json_key(j, "names");
    json_open(j, '{');
    names_write(n, j, ips, count, 1);
    json_close(j, '}');
    json_key(j, "pending");
    json_open(j, '[');
    names_write(n, j, ips, count, 0);
    json_close(j, ']');
    pthread_mutex_unlock(&n->lock);
}

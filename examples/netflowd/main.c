/* netflowd: collect export datagrams, keep the flows, watch them, show them in a browser.
 *
 *   main thread   sockets -> engine (parser, store, detectors), once a second flush, findings, status
 *   HTTP threads  read-only handles on the store; copies of status and findings behind locks
 *
 * The two halves share nothing else. */
#include "collector.h"
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static volatile sig_atomic_t main_stop;

static void main_on_signal(int number)
{
    (void)number;
    main_stop = 1;
}

/* Signals that stop are blocked in every thread and come only while the main loop waits. */
static void main_set_signals(sigset_t *waiting_mask)
{
    static const int stopping[] = {SIGTERM, SIGINT};
    struct sigaction on_stop = {.sa_handler = main_on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++) {
        sigaction(stopping[i], &on_stop, NULL);
        sigaddset(&blocked, stopping[i]);
    }
    sigaction(SIGPIPE, &ignore, NULL);
    sigprocmask(SIG_BLOCK, &blocked, waiting_mask);
    sigdelset(waiting_mask, SIGTERM);
    sigdelset(waiting_mask, SIGINT);
}

static int main_open_names(names **out, const config *settings)
{
    nfl_error err = {.message = "out of memory"};
    uint64_t seed = 0;
    (void)!getrandom(&seed, sizeof seed, GRND_NONBLOCK); /* left 0, the resolver has a default */
    nfl_status status = names_open(out, *settings->dns_server ? settings->dns_server : NULL, seed, &err);
    if (status >= 0 || status == NFL_E_UNSUPPORTED)
        return 0;
    fprintf(stderr, "netflowd: dns server %s: %s\n", settings->dns_server, err.message);
    return status == NFL_E_ARG ? 2 : 1;
}

static int main_open_http(http **out, const config *settings, const api *a)
{
    int result = http_open(out, settings->http, &settings->http_names, a);
    if (result == HTTP_WRONG_ADDRESS)
        fprintf(stderr, "netflowd: http %s: an address with port expected, such as 127.0.0.1:8080\n",
                settings->http);
    else if (result == HTTP_FAILED)
        fprintf(stderr, "netflowd: http %s: %s\n", settings->http, strerror(errno));
    return result == HTTP_WRONG_ADDRESS ? 2 : result ? 1 : 0;
}

static void main_say_ready(const collector *c, const http *h)
{
    fputs("netflowd: ready", stdout);
    for (size_t i = 0; i < c->now.listener_count; i++)
        printf(", listen %s", c->now.listeners[i].address);
    for (size_t i = 0; i < c->now.tcp_count; i++)
        printf(", tcp %s", c->now.tcp[i].address);
    printf(", dashboard http://%s/\n", http_address(h));
    fflush(stdout);
}

static int main_serve(collector *c, names *resolver, const sigset_t *waiting_mask)
{
    http *h = NULL;
    const api a = {.store = c->config->store,
                   .keep_days = c->config->keep_days,
                   .keep_flows_days = c->config->keep_flows_days,
                   .status = c->status,
                   .findings = c->findings,
                   .queries = c->queries,
                   .names = resolver};
    int result = main_open_http(&h, c->config, &a);
    if (result)
        return result;
    main_say_ready(c, h);
    collector_run(c, &main_stop, waiting_mask);
    queries_close(c->queries);
    http_close(h);
    return collector_finish(c);
}

int main(int argc, char **argv)
{
    static config settings;
    static collector c;
    static status_board board;
    static queries running;
    names *resolver = NULL;
    sigset_t waiting_mask;
    int result = config_read(&settings, argc, argv);
    if (result != CONFIG_RUN)
        return result == CONFIG_STOP ? 0 : 2;
    main_set_signals(&waiting_mask);
    status_init(&board);
    queries_init(&running);
    result = main_open_names(&resolver, &settings);
    if (!result) {
        result = collector_open(&c, &settings, &board, &running);
        if (!result)
            result = main_serve(&c, resolver, &waiting_mask);
        collector_close(&c);
    }
    names_close(resolver);
    queries_done(&running);
    status_done(&board);
    return result;
}

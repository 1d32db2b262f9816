#include "collector.h"

#include "clock.h"
#include "templates.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    COLLECTOR_TICK_US = 1000000,
    COLLECTOR_SAVE_US = 300000000,    /* templates are saved so often */
    COLLECTOR_COMPLAIN_US = 60000000, /* the same trouble is told again after so long */
    COLLECTOR_BURST = 1024,           /* datagrams of one socket before others have their turn */
    COLLECTOR_DRAIN_MAX = 1 << 20,    /* datagrams taken in after the signal: senders do not stop */
    COLLECTOR_RATE_S = 10
};

/* --- open --- */

/* "host:port" as it was wanted, with the port there is. */
static void collector_name(char name[CONFIG_TEXT_SIZE], const char *wanted, uint32_t port)
{
    snprintf(name, CONFIG_TEXT_SIZE, "%.*s:%u", (int)(strrchr(wanted, ':') - wanted), wanted, (unsigned)port);
}

static int collector_open_sockets(collector *c)
{
    for (size_t i = 0; i < c->config->listen.count; i++) {
        const char *wanted = c->config->listen.text[i];
        nfl_udp_stats stats = {.struct_size = sizeof stats};
        nfl_error err;
        nfl_status status = nfl_udp_new(wanted, NULL, &c->sockets[i], &err);
        if (status < 0) {
            fprintf(stderr, "netflowd: listen %s: %s\n", wanted, err.message);
            return status == NFL_E_SYNTAX ? 2 : 1;
        }
        c->socket_count++;
        nfl_udp_get_stats(c->sockets[i], &stats);
        collector_name(c->now.listeners[c->now.listener_count++].address, wanted, stats.port);
    }
    return 0;
}

static int collector_open_tcp(collector *c)
{
    for (size_t i = 0; i < c->config->tcp.count; i++) {
        const char *wanted = c->config->tcp.text[i];
        nfl_tcp_stats stats = {.struct_size = sizeof stats};
        nfl_error err;
        nfl_status status = nfl_tcp_new(wanted, NULL, &c->tcp[i], &err);
        if (status < 0) {
            fprintf(stderr, "netflowd: tcp %s: %s\n", wanted, err.message);
            return status == NFL_E_SYNTAX ? 2 : 1;
        }
        c->tcp_count++;
        nfl_tcp_get_stats(c->tcp[i], &stats);
        collector_name(c->now.tcp[c->now.tcp_count++].address, wanted, stats.port);
    }
    return 0;
}

static int collector_open_engine(collector *c)
{
    char uri[CONFIG_PATH_SIZE + 8];
    uint64_t seed = 0;
    nfl_error err;
    snprintf(uri, sizeof uri, "file:%s", c->config->store);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)clock_now(); /* a weak secret is better than none */
    NFL_OPTS(nfl_engine_opts, opts, .store = uri, .seed = seed, .keep_s = c->config->keep_days * 86400,
             .durable_ms = c->config->durable_ms, .keep_flows_s = c->config->keep_flows_days * 86400, .max_store_bytes = c->config->max_size, .min_free_bytes = c->config->min_free);
    if (nfl_engine_new(&opts, &c->engine, &err) >= 0)
        return 0;
    fprintf(stderr, "netflowd: store %s: %s\n", c->config->store, err.message);
    return 1;
}

int collector_open(collector *c, const config *settings, status_board *board, queries *running)
{
    *c = (collector){.config = settings, .status = board, .queries = running, .now.started_us = clock_now()};
    /* Sockets first: while the store recovers, the kernel keeps what comes. */
    int result = collector_open_sockets(c);
    if (!result)
        result = collector_open_tcp(c);
    if (!result)
        result = collector_open_engine(c);
    if (result)
        return result;
    result = findings_open(&c->findings, settings->store);
    if (result) {
        fprintf(stderr, "netflowd: %s/findings.jsonl: %s\n", settings->store, strerror(result));
        return 1;
    }
    templates_load(nfl_engine_parser(c->engine), settings->store, c->now.started_us);
    c->next_save_us = clock_elapsed() + COLLECTOR_SAVE_US;
    return 0;
}

void collector_close(collector *c)
{
    for (size_t i = 0; i < c->socket_count; i++)
        nfl_udp_free(c->sockets[i]);
    for (size_t i = 0; i < c->tcp_count; i++)
        nfl_tcp_free(c->tcp[i]);
    nfl_engine_free(c->engine);
    findings_close(c->findings);
    free(c->now.domains);
}

/* --- trouble --- */

static int collector_is_bad_datagram(nfl_status status)
{
    return status == NFL_E_FORMAT || status == NFL_E_TRUNCATED || status == NFL_E_UNSUPPORTED;
}

/* The store's trouble goes to the log, not with every datagram, and to the dashboard. */
static void collector_complain(collector *c, const char *where, const char *message)
{
    nfl_usec elapsed_us = clock_elapsed();
    snprintf(c->now.problem, sizeof c->now.problem, "%s: %.200s", where, message);
    c->now.problem_us = clock_now();
    if (c->complained_us && elapsed_us - c->complained_us < COLLECTOR_COMPLAIN_US)
        return;
    c->complained_us = elapsed_us;
    fprintf(stderr, "netflowd: %s\n", c->now.problem);
}

static void collector_recovered(collector *c)
{
    if (!*c->now.problem)
        return;
    *c->now.problem = '\0';
    c->now.problem_us = 0;
    c->complained_us = 0;
    fputs("netflowd: working again\n", stderr);
}

/* --- datagrams --- */

static void collector_feed(collector *c, const nfl_datagram *datagram)
{
    nfl_error err;
    nfl_status status =
        nfl_engine_feed(c->engine, &datagram->src, datagram->time_us, datagram->data, datagram->len, &err);
    if (status < 0 && !collector_is_bad_datagram(status) && status != NFL_E_LIMIT)
        collector_complain(c, "store", err.message);
}

/* Take in at most max datagrams of a socket; returns how many. */
static size_t collector_receive(collector *c, nfl_udp *socket, size_t max)
{
    const nfl_datagram *datagram;
    nfl_error err;
    size_t taken = 0;
    nfl_status received = NFL_OK;
    while (taken < max && (received = nfl_udp_next(socket, &datagram, &err)) == NFL_OK) {
        taken++;
        collector_feed(c, datagram);
    }
    if (received < 0)
        collector_complain(c, "receive", err.message);
    return taken;
}

/* Templates end with the last session of their exporter (RFC 7011 8.1). */
static void collector_end_session(collector *c, const nfl_ip *exporter)
{
    enum { IPFIX = 10 };
    uint32_t sessions = 0;
    for (size_t i = 0; i < c->tcp_count; i++)
        sessions += nfl_tcp_sessions(c->tcp[i], exporter);
    if (sessions == 0)
        (void)nfl_parser_forget(nfl_engine_parser(c->engine), exporter, IPFIX);
}

/* The same for a TCP listener, whose messages come from many connections. */
static size_t collector_receive_tcp(collector *c, nfl_tcp *tcp, size_t max)
{
    const nfl_datagram *message;
    nfl_error err;
    size_t taken = 0;
    nfl_status status = NFL_OK;
    while (taken < max && status >= 0 && status != NFL_PENDING) {
        status = nfl_tcp_next(tcp, clock_now(), &message, &err);
        taken += status == NFL_OK;
        if (status == NFL_OK)
            collector_feed(c, message);
        else if (status == NFL_DONE)
            collector_end_session(c, &message->src);
    }
    if (status < 0)
        collector_complain(c, "receive", err.message);
    return taken;
}

/* A turn for every listener; returns what was taken in. */
static size_t collector_receive_all(collector *c)
{
    size_t taken = 0;
    for (size_t i = 0; i < c->socket_count; i++)
        taken += collector_receive(c, c->sockets[i], COLLECTOR_BURST);
    for (size_t i = 0; i < c->tcp_count; i++)
        taken += collector_receive_tcp(c, c->tcp[i], COLLECTOR_BURST);
    return taken;
}

/* --- once a second --- */

static void collector_take_findings(collector *c)
{
    const nfl_finding *finding;
    int result = 0;
    while (nfl_engine_next_finding(c->engine, &finding) == NFL_OK) {
        int added = findings_add(c->findings, finding);
        result = result ? result : added;
    }
    int synced = findings_sync(c->findings);
    result = result ? result : synced;
    if (result)
        collector_complain(c, "findings", strerror(result));
}

static void collector_count_rates(collector *c)
{
    const size_t room = sizeof c->history_us / sizeof *c->history_us;
    size_t at = c->history_count++ % room;
    c->history_us[at] = clock_elapsed();
    c->flow_history[at] = c->now.parser.flows;
    c->datagram_history[at] = c->now.parser.datagrams;
    size_t back = c->history_count > COLLECTOR_RATE_S ? COLLECTOR_RATE_S : c->history_count - 1;
    size_t before = (c->history_count - 1 - back) % room;
    double seconds = (double)(c->history_us[at] - c->history_us[before]) / 1e6;
    if (seconds <= 0)
        return;
    c->now.flows_per_s = (double)(c->flow_history[at] - c->flow_history[before]) / seconds;
    c->now.datagrams_per_s = (double)(c->datagram_history[at] - c->datagram_history[before]) / seconds;
}

static void collector_copy_domains(collector *c, const nfl_parser *parser)
{
    size_t wanted = c->now.parser.domains;
    c->now.domain_count = 0;
    nfl_domain_info *domains = realloc(c->now.domains, (wanted + 1) * sizeof *domains);
    if (!domains)
        return;
    c->now.domains = domains;
    while (c->now.domain_count < wanted) {
        nfl_domain_info *domain = &domains[c->now.domain_count];
        *domain = (nfl_domain_info){.struct_size = sizeof *domain};
        if (nfl_parser_domain(parser, c->now.domain_count, domain) != NFL_OK)
            break;
        c->now.domain_count++;
    }
}

static void collector_publish(collector *c)
{
    const nfl_parser *parser = nfl_engine_parser(c->engine);
    c->now.now_us = clock_now();
    c->now.parser.struct_size = sizeof c->now.parser;
    nfl_parser_get_stats(parser, &c->now.parser);
    c->now.dropped_flows = nfl_engine_dropped(c->engine);
    for (size_t i = 0; i < c->socket_count; i++) {
        c->now.listeners[i].stats.struct_size = sizeof c->now.listeners[i].stats;
        nfl_udp_get_stats(c->sockets[i], &c->now.listeners[i].stats);
    }
    for (size_t i = 0; i < c->tcp_count; i++) {
        c->now.tcp[i].stats.struct_size = sizeof c->now.tcp[i].stats;
        nfl_tcp_get_stats(c->tcp[i], &c->now.tcp[i].stats);
    }
    collector_count_rates(c);
    collector_copy_domains(c, parser);
    status_publish(c->status, &c->now);
}

static void collector_tick(collector *c)
{
    nfl_error err;
    nfl_usec elapsed_us = clock_elapsed();
    c->next_tick_us = elapsed_us + COLLECTOR_TICK_US;
    if (nfl_engine_advance(c->engine, clock_now(), &err) < 0)
        collector_complain(c, "store", err.message);
    else
        collector_recovered(c);
    collector_take_findings(c);
    queries_tick(c->queries);
    if (elapsed_us >= c->next_save_us) {
        templates_save(nfl_engine_parser(c->engine), c->config->store);
        c->next_save_us = elapsed_us + COLLECTOR_SAVE_US;
    }
    collector_publish(c);
}

/* --- the loop --- */

void collector_run(collector *c, const volatile sig_atomic_t *stop, const sigset_t *waiting_mask)
{
    struct pollfd waits[2 * CONFIG_LIST_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < c->socket_count; i++)
        waits[count++] = (struct pollfd){.fd = nfl_udp_fd(c->sockets[i]), .events = POLLIN};
    for (size_t i = 0; i < c->tcp_count; i++)
        waits[count++] = (struct pollfd){.fd = nfl_tcp_fd(c->tcp[i]), .events = POLLIN};
    collector_tick(c);
    while (!*stop) {
        nfl_usec left_us = c->next_tick_us - clock_elapsed();
        struct timespec wait = {.tv_nsec = left_us > 0 ? (long)left_us * 1000 % 1000000000 : 0,
                                .tv_sec = left_us > 0 ? (time_t)(left_us / 1000000) : 0};
        (void)ppoll(waits, count, &wait, waiting_mask); /* a signal or nothing: both are fine */
        (void)collector_receive_all(c);
        if (clock_elapsed() >= c->next_tick_us)
            collector_tick(c);
    }
}

int collector_finish(collector *c)
{
    nfl_error err;
    size_t taken, total = 0;
    do {
        taken = collector_receive_all(c);
        total += taken;
    } while (taken && total < COLLECTOR_DRAIN_MAX);
    nfl_engine_flush(c->engine);
    collector_take_findings(c);
    templates_save(nfl_engine_parser(c->engine), c->config->store);
    if (nfl_engine_sync(c->engine, NFL_SYNC_DURABLE, &err) >= 0)
        return 0;
    fprintf(stderr, "netflowd: store %s: %s\n", c->config->store, err.message);
    return 1;
}

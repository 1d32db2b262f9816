/* The collecting half of the daemon: sockets and engine in one thread, one loop. */
#ifndef NETFLOWD_COLLECTOR_H
#define NETFLOWD_COLLECTOR_H

#include "config.h"
#include "findings.h"
#include "queries.h"
#include "status.h"

#include <netflow/engine.h>
#include <signal.h>

typedef struct collector {
    const config *config;
    nfl_engine *engine;
    nfl_udp *sockets[CONFIG_LIST_MAX];
    size_t socket_count;
    nfl_tcp *tcp[CONFIG_LIST_MAX];
    size_t tcp_count;
    findings *findings; /* shared with the HTTP threads, as are status and queries */
    status_board *status;
    queries *queries;
    status_data now;           /* made here, published once a second */
    uint64_t flow_history[16]; /* counters of the last seconds, a ring, for rates */
    uint64_t datagram_history[16];
    nfl_usec history_us[16];
    size_t history_count;
    nfl_usec next_tick_us; /* of the monotonic clock */
    nfl_usec next_save_us;
    nfl_usec complained_us;
} collector;

/* Open sockets, store and findings. Returns 0, or the exit status after saying why. */
int collector_open(collector *c, const config *settings, status_board *board, queries *running);

/* Collect until *stop is set by a signal that is blocked except while waiting. */
void collector_run(collector *c, const volatile sig_atomic_t *stop, const sigset_t *waiting_mask);

/* Take in what the sockets still hold, then make everything durable. Returns 0, or the exit status. */
int collector_finish(collector *c);

void collector_close(collector *c);

#endif

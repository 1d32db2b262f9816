/* What the collector tells the HTTP threads about itself: copies, published once a second. */
#ifndef NETFLOWD_STATUS_H
#define NETFLOWD_STATUS_H

#include "config.h"
#include "json.h"

#include <netflow/parser.h>
#include <netflow/tcp.h>
#include <netflow/udp.h>
#include <pthread.h>

typedef struct status_listener {
    char address[CONFIG_TEXT_SIZE]; /* with the real port */
    nfl_udp_stats stats;
} status_listener;

typedef struct status_tcp {
    char address[CONFIG_TEXT_SIZE];
    nfl_tcp_stats stats;
} status_tcp;

typedef struct status_data {
    nfl_usec now_us;
    nfl_usec started_us;
    status_listener listeners[CONFIG_LIST_MAX];
    size_t listener_count;
    status_tcp tcp[CONFIG_LIST_MAX];
    size_t tcp_count;
    nfl_parser_stats parser;
    nfl_domain_info *domains; /* from malloc */
    size_t domain_count;
    uint64_t dropped_flows;
    double flows_per_s;
    double datagrams_per_s;
    char problem[256]; /* of the store; empty when all is well */
    nfl_usec problem_us;
} status_data;

typedef struct status_board {
    pthread_mutex_t lock;
    status_data data;
} status_board;

void status_init(status_board *s);
void status_done(status_board *s);

/* Takes data->domains and gives back the one it replaces, for the next time. */
void status_publish(status_board *s, status_data *data);

/* Write the members of /api/status that come from the collector. */
void status_write(status_board *s, json *j);

#endif

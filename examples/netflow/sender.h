/* A UDP or TCP socket to a collector, and the pace at which it is used. */
#ifndef NETFLOW_TOOL_SENDER_H
#define NETFLOW_TOOL_SENDER_H

#include <netflow/base.h>

#include <stddef.h>

typedef struct sender {
    int fd;
    int stream; /* TCP */
    nfl_usec started_us; /* monotonic clock; 0 = nothing sent yet */
    uint64_t refused;    /* times the collector's host said that nobody listens */
} sender;

/* Open to "192.0.2.1:2055", "[2001:db8::1]:4739" or "name:port". 1, or 0 after a message. */
int sender_open(sender *s, const char *where, int stream);

void sender_close(sender *s);

/* Is it due later than now, counted from the first call? Microseconds to wait, 0 = go on. */
nfl_usec sender_wait_us(sender *s, nfl_usec due_us);

/* Wait so long, or until a signal comes. */
void sender_sleep(nfl_usec us);

/* 0, or 1 after a message. */
int sender_send(sender *s, const void *data, size_t len);

#endif

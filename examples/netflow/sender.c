#include "sender.h"

#include "report.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* "host:port" or "[host]:port" in two. 1 if it is that. */
static int sender_split(const char *where, char host[256], const char **port)
{
    const char *colon = strrchr(where, ':');
    size_t len = colon ? (size_t)(colon - where) : 0;
    if (!colon || !colon[1])
        return 0;
    if (len > 2 && where[0] == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    } else if (memchr(where, ':', len)) {
        return 0; /* an IPv6 address without brackets */
    }
    if (len == 0 || len >= 256)
        return 0;
    memcpy(host, where, len);
    host[len] = 0;
    *port = colon + 1;
    return 1;
}

int sender_open(sender *s, const char *where, int stream)
{
    int type = stream ? SOCK_STREAM : SOCK_DGRAM;
    char host[256];
    const char *port;
    *s = (sender){.fd = -1, .stream = stream};
    if (!sender_split(where, host, &port)) {
        complain("--collector '%s': an address with port expected, such as 127.0.0.1:2055 or [::1]:4739", where);
        return 0;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = type}, *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem) {
        complain("--collector '%s': %s", where, gai_strerror(problem));
        return 0;
    }
    s->fd = socket(found->ai_family, type | SOCK_CLOEXEC, 0);
    int connected = s->fd >= 0 && connect(s->fd, found->ai_addr, found->ai_addrlen) == 0;
    if (!connected)
        complain("%s: %s", where, strerror(errno));
    freeaddrinfo(found);
    if (!connected)
        sender_close(s);
    return connected;
}

void sender_close(sender *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

static nfl_usec sender_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (nfl_usec)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

nfl_usec sender_wait_us(sender *s, nfl_usec due_us)
{
    nfl_usec now_us = sender_clock_us();
    if (!s->started_us)
        s->started_us = now_us;
    nfl_usec wait_us = s->started_us + due_us - now_us;
    return wait_us > 0 ? wait_us : 0;
}

void sender_sleep(nfl_usec us)
{
    struct timespec wait = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    (void)nanosleep(&wait, NULL);
}

/* All of it; the collector's pace is kept by waiting. */
static int sender_stream(const sender *s, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            complain("connection to the collector: %s", strerror(errno));
            return 1;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int sender_send(sender *s, const void *data, size_t len)
{
    if (s->stream)
        return sender_stream(s, data, len);
    for (;;) {
        if (send(s->fd, data, len, 0) >= 0)
            return 0;
        struct pollfd room = {.fd = s->fd, .events = POLLOUT};
        if (errno == ECONNREFUSED) { /* what came of an earlier datagram; this one was not sent yet */
            s->refused++;
        } else if (errno == ENOBUFS || errno == EAGAIN) {
            (void)poll(&room, 1, 100);
        } else if (errno != EINTR) {
            complain("datagram of %zu bytes: %s", len, strerror(errno));
            return 1;
        }
    }
}

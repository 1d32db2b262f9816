/* IPFIX over TCP (RFC 7011 10.4): a listener, its connections, and an epoll instance over all of them, which is the one file
 * descriptor that the host polls.
 *
 *   epoll ──► listener: accept, or close at once when there are too many
 *         └─► connection: read what is there ──► nfl_stream ──► messages, one a call
 *
 * Memory: one buffer of 64 KiB for reading, shared because a stream uses up its input before the next connection is read;
 * and per connection the start of a message that came in pieces, 64 KiB at most (RFC 7011 3.1: lengths have 16 bits).
 */
#define _GNU_SOURCE /* accept4 */
#include <netflow/tcp.h>

#include <netflow/stream.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"
#include "net/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP_CONNECTIONS = 64, TCP_CONNECTIONS_MAX = 4096, TCP_INPUT = 65536, TCP_EVENTS = 64, TCP_BACKLOG = 128 };
#define TCP_LISTENER UINT32_MAX /* among the events; others are indexes of connections */
#define TCP_IDLE_US INT64_C(1800000000)
#define TCP_SECOND_US INT64_C(1000000)

typedef struct tcp_connection {
    int fd; /* -1: none */
    uint16_t port;
    nfl_ip peer;
    nfl_stream *stream;
    nfl_usec last_us; /* when bytes came */
} tcp_connection;

struct nfl_tcp {
    nfl__memory memory;
    int fd;
    int epoll_fd;
    uint32_t max_connections;
    tcp_connection *connections;
    tcp_connection *current; /* its stream has the input */
    uint8_t *input;
    uint32_t event_count, event_at;
    struct epoll_event events[TCP_EVENTS];
    nfl_usec idle_us;
    nfl_usec next_idle_us;   /* when to look for idle connections */
    nfl_usec accept_again_us; /* after a failure; 0 = the listener is polled */
    nfl_ip local_ip;
    nfl_datagram datagram;
    nfl_tcp_stats stats;
};

/* --- opening and closing --- */

static int tcp_poll(nfl_tcp *tcp, int operation, int fd, uint32_t events, uint32_t which)
{
    struct epoll_event event = {.events = events, .data.u32 = which};
    return epoll_ctl(tcp->epoll_fd, operation, fd, &event);
}

static nfl_status tcp_listen(nfl_tcp *tcp, const char *address, nfl_error *err)
{
    struct sockaddr_in6 wanted;
    uint16_t port;
    int on = 1;
    NFL_TRY(nfl__listen_socket(address, SOCK_STREAM, IPPROTO_TCP, &tcp->fd, &wanted, err));
    (void)setsockopt(tcp->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* connections of a run before do not matter */
    NFL_TRY(nfl__listen_bind(tcp->fd, address, &wanted, &tcp->local_ip, &port, err));
    tcp->stats.port = port;
    tcp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (listen(tcp->fd, TCP_BACKLOG) < 0 || tcp->epoll_fd < 0 || tcp_poll(tcp, EPOLL_CTL_ADD, tcp->fd, EPOLLIN, TCP_LISTENER) < 0)
        return nfl__fail_io(err, errno, "listen on %.80s", address);
    return NFL_OK;
}

static nfl_status tcp_open(nfl_tcp *tcp, const char *address, nfl_error *err)
{
    tcp->input = nfl__new(&tcp->memory, TCP_INPUT, 1);
    tcp->connections = nfl__new(&tcp->memory, tcp->max_connections, sizeof *tcp->connections);
    if (!tcp->input || !tcp->connections)
        return nfl__fail_nomem(err, nfl__mul(tcp->max_connections, sizeof *tcp->connections));
    for (uint32_t i = 0; i < tcp->max_connections; i++)
        tcp->connections[i].fd = -1;
    return tcp_listen(tcp, address, err);
}

nfl_status nfl_tcp_new(const char *address, const nfl_tcp_opts *opts, nfl_tcp **out, nfl_error *err)
{
    nfl_tcp_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    if (o.max_connections > TCP_CONNECTIONS_MAX || o.idle_us < 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "max_connections %u, at most %d; idle_us %lld, not negative",
                         o.max_connections, TCP_CONNECTIONS_MAX, (long long)o.idle_us);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_tcp *tcp = nfl__new(&memory, 1, sizeof *tcp);
    if (!tcp)
        return nfl__fail_nomem(err, sizeof *tcp);
    tcp->memory = memory;
    tcp->fd = tcp->epoll_fd = -1;
    tcp->max_connections = o.max_connections ? o.max_connections : TCP_CONNECTIONS;
    tcp->idle_us = o.idle_us ? o.idle_us : TCP_IDLE_US;
    nfl_status status = tcp_open(tcp, address, err);
    if (status != NFL_OK) {
        nfl_tcp_free(tcp);
        return status;
    }
    *out = tcp;
    return NFL_OK;
}

static void tcp_close(tcp_connection *connection)
{
    (void)close(connection->fd); /* takes it out of the epoll instance too */
    nfl_stream_free(connection->stream);
    connection->fd = -1;
    connection->stream = NULL;
}

void nfl_tcp_free(nfl_tcp *tcp)
{
    if (!tcp)
        return;
    nfl__memory memory = tcp->memory;
    for (uint32_t i = 0; i < tcp->max_connections && tcp->connections; i++)
        if (tcp->connections[i].fd >= 0)
            tcp_close(&tcp->connections[i]);
    if (tcp->epoll_fd >= 0)
        (void)close(tcp->epoll_fd);
    if (tcp->fd >= 0)
        (void)close(tcp->fd);
    nfl__delete(&memory, tcp->connections, tcp->max_connections, sizeof *tcp->connections);
    nfl__delete(&memory, tcp->input, TCP_INPUT, 1);
    nfl__delete(&memory, tcp, 1, sizeof *tcp);
}

int32_t nfl_tcp_fd(const nfl_tcp *tcp)
{
    return tcp->epoll_fd;
}

uint32_t nfl_tcp_sessions(const nfl_tcp *tcp, const nfl_ip *exporter)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tcp->max_connections; i++)
        count += tcp->connections[i].fd >= 0 && nfl_ip_compare(&tcp->connections[i].peer, exporter) == 0;
    return count;
}

void nfl_tcp_get_stats(const nfl_tcp *tcp, nfl_tcp_stats *out)
{
    (void)nfl__opts_write(out, &tcp->stats, sizeof tcp->stats);
}

/* --- accepting --- */

/* Leave the listener alone for a second: without file descriptors it would be ready all the time. */
static nfl_status tcp_pause(nfl_tcp *tcp, nfl_usec now_us, nfl_error *err)
{
    nfl_status status = nfl__fail_io(err, errno, "accept on port %u", tcp->stats.port);
    if (tcp_poll(tcp, EPOLL_CTL_MOD, tcp->fd, 0, TCP_LISTENER) == 0)
        tcp->accept_again_us = now_us + TCP_SECOND_US;
    return status;
}

static void tcp_resume(nfl_tcp *tcp, nfl_usec now_us)
{
    if (tcp->accept_again_us == 0 || now_us < tcp->accept_again_us)
        return;
    if (tcp_poll(tcp, EPOLL_CTL_MOD, tcp->fd, EPOLLIN, TCP_LISTENER) == 0)
        tcp->accept_again_us = 0;
}

static tcp_connection *tcp_find_free(nfl_tcp *tcp)
{
    for (uint32_t i = 0; i < tcp->max_connections; i++)
        if (tcp->connections[i].fd < 0)
            return &tcp->connections[i];
    return NULL;
}

/* The file descriptor belongs to the connection, failure or not. */
static nfl_status tcp_start(nfl_tcp *tcp, tcp_connection *connection, int fd, const struct sockaddr_in6 *peer, nfl_usec now_us,
                            nfl_error *err)
{
    int on = 1;
    *connection = (tcp_connection){.fd = fd, .port = ntohs(peer->sin6_port), .last_us = now_us};
    memcpy(connection->peer.b, &peer->sin6_addr, sizeof connection->peer.b);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    NFL_TRY(nfl_stream_new(&tcp->memory.alloc, &connection->stream, err));
    if (tcp_poll(tcp, EPOLL_CTL_ADD, fd, EPOLLIN, (uint32_t)(connection - tcp->connections)) < 0)
        return nfl__fail_io(err, errno, "connection on port %u", tcp->stats.port);
    tcp->stats.accepted++;
    tcp->stats.connections++;
    return NFL_OK;
}

static nfl_status tcp_accept(nfl_tcp *tcp, nfl_usec now_us, nfl_error *err)
{
    struct sockaddr_in6 peer;
    socklen_t len = sizeof peer;
    int fd = accept4(tcp->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int shortage = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return shortage ? tcp_pause(tcp, now_us, err) : NFL_PENDING; /* others concern the one connection: accept(2) */
    }
    tcp_connection *connection = tcp_find_free(tcp);
    if (!connection) {
        (void)close(fd);
        tcp->stats.refused++;
        return NFL_PENDING;
    }
    nfl_status status = tcp_start(tcp, connection, fd, &peer, now_us, err);
    if (status != NFL_OK)
        tcp_close(connection);
    return status == NFL_OK ? NFL_PENDING : status;
}

/* --- receiving --- */

static void tcp_fill(nfl_tcp *tcp, const tcp_connection *connection)
{
    tcp->datagram = (nfl_datagram){.src = connection->peer,
                                   .dst = tcp->local_ip,
                                   .src_port = connection->port,
                                   .dst_port = (uint16_t)tcp->stats.port};
}

static nfl_status tcp_end(nfl_tcp *tcp, tcp_connection *connection, uint64_t *counter)
{
    tcp_fill(tcp, connection);
    tcp_close(connection);
    tcp->stats.connections--;
    if (counter)
        ++*counter;
    return NFL_DONE;
}

/* Next message of the current connection, or its end; NFL_PENDING when its input is used up. */
static nfl_status tcp_message(nfl_tcp *tcp, nfl_usec now_us)
{
    tcp_connection *connection = tcp->current;
    const uint8_t *data;
    size_t len;
    nfl_status status = nfl_stream_next(connection->stream, &data, &len, NULL);
    if (status == NFL_OK) {
        tcp_fill(tcp, connection);
        tcp->datagram.time_us = now_us;
        tcp->datagram.data = data;
        tcp->datagram.len = (uint32_t)len;
        tcp->stats.messages++;
        tcp->stats.bytes += len;
        return NFL_OK;
    }
    tcp->current = NULL;
    if (status == NFL_PENDING)
        return NFL_PENDING;
    return tcp_end(tcp, connection, status == NFL_DONE ? NULL : &tcp->stats.broken);
}

static nfl_status tcp_read(nfl_tcp *tcp, tcp_connection *connection, nfl_usec now_us)
{
    ssize_t n = recv(connection->fd, tcp->input, TCP_INPUT, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return NFL_PENDING;
    if (n < 0 || nfl_stream_feed(connection->stream, tcp->input, (size_t)n, NULL) != NFL_OK)
        return tcp_end(tcp, connection, &tcp->stats.broken);
    connection->last_us = now_us;
    tcp->current = connection;
    return NFL_PENDING;
}

/* NFL_DONE: an idle connection was closed; there may be more. */
static nfl_status tcp_close_idle(nfl_tcp *tcp, nfl_usec now_us)
{
    if (now_us < tcp->next_idle_us && tcp->next_idle_us - now_us <= TCP_SECOND_US)
        return NFL_PENDING;
    for (uint32_t i = 0; i < tcp->max_connections; i++) {
        tcp_connection *connection = &tcp->connections[i];
        if (connection->fd >= 0 && now_us - connection->last_us >= tcp->idle_us)
            return tcp_end(tcp, connection, &tcp->stats.idle);
    }
    tcp->next_idle_us = now_us + TCP_SECOND_US;
    return NFL_PENDING;
}

/* What is to be done next; NFL_PENDING: something was, or there is nothing (*idle is set). */
static nfl_status tcp_step(nfl_tcp *tcp, nfl_usec now_us, int *idle, nfl_error *err)
{
    if (tcp->current)
        return tcp_message(tcp, now_us);
    if (tcp->event_at < tcp->event_count) {
        uint32_t which = tcp->events[tcp->event_at++].data.u32;
        return which == TCP_LISTENER ? tcp_accept(tcp, now_us, err) : tcp_read(tcp, &tcp->connections[which], now_us);
    }
    nfl_status status = tcp_close_idle(tcp, now_us);
    if (status != NFL_PENDING)
        return status;
    int n = epoll_wait(tcp->epoll_fd, tcp->events, TCP_EVENTS, 0);
    tcp->event_at = 0;
    tcp->event_count = n > 0 ? (uint32_t)n : 0;
    *idle = n <= 0;
    return NFL_PENDING;
}

nfl_status nfl_tcp_next(nfl_tcp *tcp, nfl_usec now_us, const nfl_datagram **out, nfl_error *err)
{
    nfl_status status;
    int idle = 0;
    tcp_resume(tcp, now_us);
    do
        status = tcp_step(tcp, now_us, &idle, err);
    while (status == NFL_PENDING && !idle);
    if (status == NFL_OK || status == NFL_DONE)
        *out = &tcp->datagram;
    return status;
}

/* Receiving export datagrams in batches: one recvmmsg() fetches up to `batch` of them into one block of memory, with
 * the kernel's time of arrival (SO_TIMESTAMPNS) and its count of datagrams dropped for want of room (SO_RXQ_OVFL).
 *
 * Memory: batch * (max_len + 1) bytes plus headers, taken at creation. The extra byte tells a datagram that fills its
 * place from one that is longer. Absorbing bursts is the job of the socket buffer: 32 MiB are asked for, with and
 * without privilege, and what was granted is told.
 */
#define _GNU_SOURCE /* recvmmsg, SO_RCVBUFFORCE, SO_RXQ_OVFL */
#include <netflow/udp.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"
#include "net/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UDP_BATCH = 32, UDP_BATCH_MAX = 256, UDP_MAX_LEN = 65535, UDP_BUFFER = 32 << 20 };

/* Room for the two control messages asked for, aligned as they must be. */
typedef union udp_control {
    uint64_t align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t)) + 64];
} udp_control;

typedef struct udp_slot {
    struct iovec iov;
    struct sockaddr_in6 peer;
    udp_control control;
} udp_slot;

struct nfl_udp {
    nfl__memory memory;
    int fd;
    uint32_t batch;
    uint32_t max_len;
    uint8_t *data;
    udp_slot *slots;
    struct mmsghdr *messages;
    uint32_t received; /* messages of the current batch */
    uint32_t next;
    nfl_ip local_ip;
    nfl_datagram datagram;
    nfl_udp_stats stats;
};

/* --- opening --- */

static void udp_ask_for_buffer(nfl_udp *udp, uint32_t wanted)
{
    int size = wanted > INT32_MAX ? INT32_MAX : (int)wanted, granted = 0;
    socklen_t len = sizeof granted;
    if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        (void)setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (getsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) == 0 && granted > 0)
        udp->stats.buffer_bytes = (uint64_t)granted / 2; /* the kernel doubles it for its own use: socket(7) */
}

static void udp_ask_for_facts(nfl_udp *udp)
{
    int on = 1;
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    (void)setsockopt(udp->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

static nfl_status udp_bind(nfl_udp *udp, const char *address, uint32_t buffer_bytes, nfl_error *err)
{
    struct sockaddr_in6 wanted;
    uint16_t port;
    NFL_TRY(nfl__listen_socket(address, SOCK_DGRAM, IPPROTO_UDP, &udp->fd, &wanted, err));
    udp_ask_for_buffer(udp, buffer_bytes ? buffer_bytes : UDP_BUFFER);
    udp_ask_for_facts(udp);
    NFL_TRY(nfl__listen_bind(udp->fd, address, &wanted, &udp->local_ip, &port, err));
    udp->stats.port = port;
    return NFL_OK;
}

static void udp_prepare(nfl_udp *udp)
{
    for (uint32_t i = 0; i < udp->batch; i++) {
        udp_slot *slot = &udp->slots[i];
        slot->iov = (struct iovec){udp->data + (size_t)i * (udp->max_len + 1), udp->max_len + 1};
        udp->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &slot->peer,
            .msg_namelen = sizeof slot->peer,
            .msg_iov = &slot->iov,
            .msg_iovlen = 1,
            .msg_control = slot->control.bytes,
            .msg_controllen = sizeof slot->control.bytes,
        };
    }
}

static nfl_status udp_open(nfl_udp *udp, const char *address, const nfl_udp_opts *opts, nfl_error *err)
{
    udp->data = nfl__new(&udp->memory, udp->batch, (size_t)udp->max_len + 1);
    udp->slots = nfl__new(&udp->memory, udp->batch, sizeof *udp->slots);
    udp->messages = nfl__new(&udp->memory, udp->batch, sizeof *udp->messages);
    if (!udp->data || !udp->slots || !udp->messages)
        return nfl__fail_nomem(err, nfl__mul(udp->batch, udp->max_len));
    return udp_bind(udp, address, opts->buffer_bytes, err);
}

nfl_status nfl_udp_new(const char *address, const nfl_udp_opts *opts, nfl_udp **out, nfl_error *err)
{
    nfl_udp_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    if (o.batch > UDP_BATCH_MAX || o.max_len > UDP_MAX_LEN)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "batch %u, at most %d; max_len %u, at most %d", o.batch, UDP_BATCH_MAX,
                         o.max_len, UDP_MAX_LEN);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_udp *udp = nfl__new(&memory, 1, sizeof *udp);
    if (!udp)
        return nfl__fail_nomem(err, sizeof *udp);
    udp->memory = memory;
    udp->fd = -1;
    udp->batch = o.batch ? o.batch : UDP_BATCH;
    udp->max_len = o.max_len ? o.max_len : UDP_MAX_LEN;
    nfl_status status = udp_open(udp, address, &o, err);
    if (status != NFL_OK) {
        nfl_udp_free(udp);
        return status;
    }
    *out = udp;
    return NFL_OK;
}

void nfl_udp_free(nfl_udp *udp)
{
    if (!udp)
        return;
    if (udp->fd >= 0)
        (void)close(udp->fd);
    nfl__memory memory = udp->memory;
    nfl__delete(&memory, udp->data, udp->batch, (size_t)udp->max_len + 1);
    nfl__delete(&memory, udp->slots, udp->batch, sizeof *udp->slots);
    nfl__delete(&memory, udp->messages, udp->batch, sizeof *udp->messages);
    nfl__delete(&memory, udp, 1, sizeof *udp);
}

int32_t nfl_udp_fd(const nfl_udp *udp)
{
    return udp->fd;
}

/* --- receiving --- */

static void udp_read_control(nfl_udp *udp, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof at);
            udp->datagram.time_us = (nfl_usec)at.tv_sec * 1000000 + at.tv_nsec / 1000;
        } else if (c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t dropped;
            memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
            udp->stats.dropped += (uint32_t)(dropped - (uint32_t)udp->stats.dropped); /* 32 bits in the kernel */
        }
    }
}

/* Take message i of the batch; 0 when it is to be passed over. */
static int udp_take(nfl_udp *udp, uint32_t i)
{
    struct mmsghdr *message = &udp->messages[i];
    nfl_datagram *d = &udp->datagram;
    memset(d, 0, sizeof *d);
    udp_read_control(udp, &message->msg_hdr);
    if (message->msg_len > udp->max_len) {
        udp->stats.too_long++;
        return 0;
    }
    const udp_slot *slot = &udp->slots[i];
    memcpy(d->src.b, &slot->peer.sin6_addr, sizeof d->src.b);
    d->src_port = ntohs(slot->peer.sin6_port);
    d->dst = udp->local_ip;
    d->dst_port = (uint16_t)udp->stats.port;
    d->len = message->msg_len;
    d->data = slot->iov.iov_base;
    udp->stats.datagrams++;
    udp->stats.bytes += d->len;
    return 1;
}

static nfl_status udp_receive(nfl_udp *udp, nfl_error *err)
{
    udp_prepare(udp);
    int n;
    do
        n = recvmmsg(udp->fd, udp->messages, udp->batch, 0, NULL);
    while (n < 0 && errno == EINTR);
    udp->next = 0;
    udp->received = n < 0 ? 0 : (uint32_t)n;
    if (n > 0)
        return NFL_OK;
    if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNREFUSED)
        return NFL_PENDING;
    return nfl__fail_io(err, errno, "receive on port %u", udp->stats.port);
}

nfl_status nfl_udp_next(nfl_udp *udp, const nfl_datagram **out, nfl_error *err)
{
    for (;;) {
        while (udp->next < udp->received)
            if (udp_take(udp, udp->next++)) {
                *out = &udp->datagram;
                return NFL_OK;
            }
        nfl_status status = udp_receive(udp, err);
        if (status != NFL_OK)
            return status;
    }
}

void nfl_udp_get_stats(const nfl_udp *udp, nfl_udp_stats *out)
{
    (void)nfl__opts_write(out, &udp->stats, sizeof udp->stats);
}

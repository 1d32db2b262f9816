#include <CUnit/Basic.h>

#include <netflow/tcp.h>

#include "support.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOW INT64_C(1795428000000000)
#define SECOND INT64_C(1000000)

static nfl_tcp *listen_on(const char *address, const nfl_tcp_opts *opts)
{
    nfl_tcp *tcp = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_tcp_new(address, opts, &tcp, NULL), NFL_OK);
    return tcp;
}

static nfl_tcp_stats stats_of(const nfl_tcp *tcp)
{
    nfl_tcp_stats stats = {.struct_size = sizeof stats};
    nfl_tcp_get_stats(tcp, &stats);
    return stats;
}

static int connect_to(const nfl_tcp *tcp, int v6)
{
    uint16_t port = htons((uint16_t)stats_of(tcp).port);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    int failed = v6 ? connect(fd, (struct sockaddr *)&six, sizeof six) : connect(fd, (struct sockaddr *)&v4, sizeof v4);
    CU_ASSERT_EQUAL(failed, 0);
    return fd;
}

/* Header of an IPFIX message (RFC 7011 3.1) of len bytes, the rest filled with `fill`. */
static void make_message(uint8_t *message, size_t len, uint8_t fill)
{
    memset(message, fill, len);
    message[0] = 0;
    message[1] = 10;
    message[2] = (uint8_t)(len >> 8);
    message[3] = (uint8_t)len;
}

static void send_bytes(int fd, const void *data, size_t len)
{
    CU_ASSERT_EQUAL(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void send_message(int fd, size_t len, uint8_t fill)
{
    static uint8_t message[65535];
    make_message(message, len, fill);
    send_bytes(fd, message, len);
}

/* Waits while there is nothing. */
static nfl_status wait_next(nfl_tcp *tcp, nfl_usec now_us, const nfl_datagram **out)
{
    nfl_status status = nfl_tcp_next(tcp, now_us, out, NULL);
    for (int i = 0; status == NFL_PENDING && i < 20; i++) {
        struct pollfd p = {nfl_tcp_fd(tcp), POLLIN, 0};
        (void)poll(&p, 1, 100);
        status = nfl_tcp_next(tcp, now_us, out, NULL);
    }
    return status;
}

/* Accept what has connected. */
static void settle(nfl_tcp *tcp, uint64_t accepted)
{
    const nfl_datagram *d;
    for (int i = 0; i < 50 && stats_of(tcp).accepted < accepted; i++) {
        struct pollfd p = {nfl_tcp_fd(tcp), POLLIN, 0};
        (void)poll(&p, 1, 100);
        CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW, &d, NULL), NFL_PENDING);
    }
    CU_ASSERT_EQUAL(stats_of(tcp).accepted, accepted);
}

static void test_messages_come_whole_however_they_are_split(void)
{
    nfl_tcp *tcp = listen_on("127.0.0.1:0", NULL);
    const nfl_datagram *d;
    nfl_ip loopback = nfl_ip_from_v4(0x7f000001);
    uint8_t message[200];
    int fd = connect_to(tcp, 0);
    CU_ASSERT_EQUAL(nfl_tcp_sessions(tcp, &loopback), 0); /* not accepted yet */
    for (size_t piece = 1; piece <= sizeof message; piece += 7) {
        make_message(message, sizeof message, (uint8_t)piece);
        for (size_t at = 0; at < sizeof message; at += piece) {
            send_bytes(fd, message + at, at + piece <= sizeof message ? piece : sizeof message - at);
            if (at + piece < sizeof message)
                CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW, &d, NULL), NFL_PENDING);
        }
        CU_ASSERT_EQUAL_FATAL(wait_next(tcp, NOW + (nfl_usec)piece, &d), NFL_OK);
        CU_ASSERT(d->len == sizeof message && memcmp(d->data, message, sizeof message) == 0);
        CU_ASSERT(memcmp(&d->src, &loopback, sizeof loopback) == 0 && memcmp(&d->dst, &loopback, sizeof loopback) == 0);
        CU_ASSERT(d->time_us == NOW + (nfl_usec)piece && d->dst_port == stats_of(tcp).port && d->src_port > 0);
    }
    CU_ASSERT_EQUAL(nfl_tcp_sessions(tcp, &loopback), 1);
    close(fd);
    CU_ASSERT_EQUAL(wait_next(tcp, NOW, &d), NFL_DONE);
    CU_ASSERT(d->len == 0 && memcmp(&d->src, &loopback, sizeof loopback) == 0);
    CU_ASSERT_EQUAL(nfl_tcp_sessions(tcp, &loopback), 0);
    CU_ASSERT(stats_of(tcp).messages == 29 && stats_of(tcp).bytes == 29 * 200 && stats_of(tcp).broken == 0);
    nfl_tcp_free(tcp);
}

static void test_connections_do_not_disturb_each_other(void)
{
    enum { MANY = 10 };
    nfl_tcp *tcp = listen_on(":0", NULL);
    const nfl_datagram *d;
    uint8_t message[60000];
    unsigned seen[MANY] = {0};
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        fd[i] = connect_to(tcp, i % 2);
    settle(tcp, MANY);
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < MANY; i++) {
            make_message(message, sizeof message, (uint8_t)(20 + i));
            send_bytes(fd[i], message + half * 30000, 30000);
        }
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL_FATAL(wait_next(tcp, NOW, &d), NFL_OK);
        CU_ASSERT_EQUAL(d->len, sizeof message);
        unsigned which = d->data[4] - 20u;
        make_message(message, sizeof message, d->data[4]);
        CU_ASSERT(which < MANY && memcmp(d->data, message, sizeof message) == 0);
        seen[which % MANY]++;
    }
    for (int i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(seen[i], 1);
    nfl_ip v4 = nfl_ip_from_v4(0x7f000001), v6 = {{0}};
    v6.b[15] = 1;
    CU_ASSERT_EQUAL(nfl_tcp_sessions(tcp, &v4), MANY / 2);
    CU_ASSERT_EQUAL(nfl_tcp_sessions(tcp, &v6), MANY / 2);
    for (int i = 0; i < MANY - 1; i++)
        close(fd[i]);
    for (int i = 0; i < MANY - 1; i++)
        CU_ASSERT_EQUAL(wait_next(tcp, NOW, &d), NFL_DONE);
    CU_ASSERT_EQUAL(stats_of(tcp).connections, 1);
    nfl_tcp_free(tcp); /* with a connection */
    close(fd[MANY - 1]);
}

static void test_what_is_no_ipfix_ends_the_connection(void)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        int messages;
    } cases[] = {
        {"NetFlow v9", "\0\x09\0\x14", 4, 0},
        {"a length below the header's", "\0\x0a\0\x0f", 4, 0},
        {"HTTP", "GET / HTTP/1.1\r\n\r\n", 18, 0},
        {"an end inside of a message", "\0\x0a\0\x10" "0123456789ab" "\0\x0a\0\x20" "012", 23, 1},
        {"an end inside of a header", "\0\x0a\0", 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nfl_tcp *tcp = listen_on("127.0.0.1:0", NULL);
        const nfl_datagram *d;
        int fd = connect_to(tcp, 0), good = connect_to(tcp, 0);
        send_bytes(fd, cases[i].bytes, cases[i].len);
        shutdown(fd, SHUT_WR);
        for (int m = 0; m < cases[i].messages; m++)
            NFL_CHECK(cases[i].name, wait_next(tcp, NOW, &d) == NFL_OK);
        NFL_CHECK(cases[i].name, wait_next(tcp, NOW, &d) == NFL_DONE);
        NFL_CHECK(cases[i].name, stats_of(tcp).broken == 1);
        send_message(good, 100, 1);
        NFL_CHECK(cases[i].name, wait_next(tcp, NOW, &d) == NFL_OK && d->len == 100);
        close(fd);
        close(good);
        nfl_tcp_free(tcp);
    }
}

static void test_connections_are_limited(void)
{
    NFL_OPTS(nfl_tcp_opts, opts, .max_connections = 2);
    nfl_tcp *tcp = listen_on("127.0.0.1:0", &opts);
    const nfl_datagram *d;
    char byte;
    int first = connect_to(tcp, 0), second = connect_to(tcp, 0);
    settle(tcp, 2);
    int third = connect_to(tcp, 0);
    for (int i = 0; i < 50 && stats_of(tcp).refused == 0; i++) {
        CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW, &d, NULL), NFL_PENDING);
        usleep(1000);
    }
    CU_ASSERT_EQUAL(stats_of(tcp).refused, 1);
    CU_ASSERT(recv(third, &byte, 1, 0) <= 0);
    close(first);
    CU_ASSERT_EQUAL(wait_next(tcp, NOW, &d), NFL_DONE);
    int fourth = connect_to(tcp, 0); /* takes the free place */
    send_message(fourth, 20, 4);
    CU_ASSERT_EQUAL(wait_next(tcp, NOW, &d), NFL_OK);
    CU_ASSERT(stats_of(tcp).accepted == 3 && stats_of(tcp).connections == 2);
    close(second);
    close(third);
    close(fourth);
    nfl_tcp_free(tcp);
}

static void test_idle_connections_are_closed(void)
{
    NFL_OPTS(nfl_tcp_opts, opts, .idle_us = 10 * SECOND);
    nfl_tcp *tcp = listen_on("127.0.0.1:0", &opts);
    const nfl_datagram *d;
    int quiet = connect_to(tcp, 0), busy = connect_to(tcp, 0);
    settle(tcp, 2);
    for (int i = 1; i < 10; i++) {
        send_message(busy, 20, 1);
        CU_ASSERT_EQUAL(wait_next(tcp, NOW + i * SECOND, &d), NFL_OK);
    }
    CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW + 9 * SECOND, &d, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW + 10 * SECOND, &d, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW + 18 * SECOND, &d, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW + 1 * SECOND, &d, NULL), NFL_PENDING); /* a clock that was set back */
    CU_ASSERT_EQUAL(nfl_tcp_next(tcp, NOW + 19 * SECOND, &d, NULL), NFL_DONE);
    CU_ASSERT(stats_of(tcp).idle == 2 && stats_of(tcp).connections == 0 && stats_of(tcp).broken == 0);
    close(quiet);
    close(busy);
    nfl_tcp_free(tcp);
}

/* Without file descriptors: told once a second, and connections go on. */
static void test_accepting_goes_on_after_a_shortage(void)
{
    nfl_tcp *tcp = listen_on("127.0.0.1:0", NULL);
    const nfl_datagram *d;
    struct rlimit before, none;
    int good = connect_to(tcp, 0);
    settle(tcp, 1);
    int waiting = connect_to(tcp, 0);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* those that are open stay so */
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct pollfd ready = {nfl_tcp_fd(tcp), POLLIN, 0};
    nfl_status status = nfl_tcp_next(tcp, NOW, &d, NULL);
    for (int i = 0; status == NFL_PENDING && i < 100; i++) {
        usleep(10000);
        status = nfl_tcp_next(tcp, NOW, &d, NULL);
    }
    nfl_status again = nfl_tcp_next(tcp, NOW + SECOND / 2, &d, NULL);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    CU_ASSERT_EQUAL(status, NFL_E_IO);
    CU_ASSERT_EQUAL(again, NFL_PENDING);
    CU_ASSERT_EQUAL(poll(&ready, 1, 0), 0); /* the listener does not keep the host's loop busy */
    send_message(good, 50, 1);
    CU_ASSERT_EQUAL(wait_next(tcp, NOW + SECOND / 2, &d), NFL_OK);
    send_message(waiting, 60, 2);
    CU_ASSERT_EQUAL(wait_next(tcp, NOW + SECOND, &d), NFL_OK);
    CU_ASSERT_EQUAL(d->len, 60);
    close(good);
    close(waiting);
    nfl_tcp_free(tcp);
}

static void test_arguments_are_checked(void)
{
    NFL_OPTS(nfl_tcp_opts, many, .max_connections = 4097);
    NFL_OPTS(nfl_tcp_opts, negative, .idle_us = -1);
    nfl_tcp *tcp = NULL, *taken = listen_on("127.0.0.1:0", NULL);
    nfl_error err;
    char address[32];
    CU_ASSERT_EQUAL(nfl_tcp_new("127.0.0.1:0", &many, &tcp, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_tcp_new("127.0.0.1:0", &negative, &tcp, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_tcp_new("127.0.0.1", NULL, &tcp, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(nfl_tcp_new("192.0.2.1:0", NULL, &tcp, &err), NFL_E_IO);
    snprintf(address, sizeof address, "127.0.0.1:%u", stats_of(taken).port);
    CU_ASSERT_EQUAL(nfl_tcp_new(address, NULL, &tcp, &err), NFL_E_IO);
    CU_ASSERT_PTR_NULL(tcp);
    nfl_tcp_free(taken);
    nfl_tcp_free(NULL);
}

/* A message in two pieces, so that the stream holds one. */
static nfl_status receive_in_pieces(const nfl_alloc *alloc, void *ctx)
{
    NFL_OPTS(nfl_tcp_opts, opts, .alloc = alloc);
    nfl_tcp *tcp = NULL;
    const nfl_datagram *d;
    uint8_t message[100];
    (void)ctx;
    nfl_status status = nfl_tcp_new("127.0.0.1:0", &opts, &tcp, NULL);
    if (status != NFL_OK)
        return status;
    make_message(message, sizeof message, 1);
    int fd = connect_to(tcp, 0);
    send_bytes(fd, message, 50);
    for (int i = 0; i < 100 && status >= 0 && !(stats_of(tcp).accepted && i > 3) && !stats_of(tcp).broken; i++) {
        struct pollfd p = {nfl_tcp_fd(tcp), POLLIN, 0};
        (void)poll(&p, 1, 20);
        status = nfl_tcp_next(tcp, NOW, &d, NULL);
    }
    if (status >= 0 && !stats_of(tcp).broken) {
        send_bytes(fd, message + 50, 50);
        status = wait_next(tcp, NOW, &d);
    }
    if (stats_of(tcp).broken) /* the connection was given up */
        status = NFL_E_NOMEM;
    close(fd);
    nfl_tcp_free(tcp);
    return status;
}

static void test_running_out_of_memory(void)
{
    /* Room for a message that cannot double still grows by what is needed. */
    CU_ASSERT(test_allocation_failures(receive_in_pieces, NULL, 1) >= 5);
}

NFL_SUITE("tcp", {"messages come whole however they are split", test_messages_come_whole_however_they_are_split},
          {"connections do not disturb each other", test_connections_do_not_disturb_each_other},
          {"what is no IPFIX ends the connection", test_what_is_no_ipfix_ends_the_connection},
          {"connections are limited", test_connections_are_limited},
          {"idle connections are closed", test_idle_connections_are_closed},
          {"accepting goes on after a shortage", test_accepting_goes_on_after_a_shortage},
          {"arguments are checked", test_arguments_are_checked},
          {"running out of memory", test_running_out_of_memory})

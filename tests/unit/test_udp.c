#include <CUnit/Basic.h>

#include <netflow/udp.h>

#include "support.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static nfl_udp *listen_on(const char *address, const nfl_udp_opts *opts)
{
    nfl_udp *udp = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL_FATAL(nfl_udp_new(address, opts, &udp, &err), NFL_OK);
    return udp;
}

static nfl_udp_stats stats_of(const nfl_udp *udp)
{
    nfl_udp_stats stats = {.struct_size = sizeof stats};
    nfl_udp_get_stats(udp, &stats);
    return stats;
}

/* Send len bytes of value from loopback, IPv4 or IPv6, to a port. */
static void send_to(uint32_t port, int v6, size_t len, uint8_t value)
{
    static uint8_t data[65536];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    memset(data, value, len);
    ssize_t sent = v6 ? sendto(fd, data, len, 0, (struct sockaddr *)&six, sizeof six)
                      : sendto(fd, data, len, 0, (struct sockaddr *)&v4, sizeof v4);
    CU_ASSERT_EQUAL(sent, (ssize_t)len);
    close(fd);
}

static nfl_status wait_next(nfl_udp *udp, const nfl_datagram **out)
{
    nfl_status status = nfl_udp_next(udp, out, NULL);
    for (int i = 0; status == NFL_PENDING && i < 20; i++) {
        struct pollfd p = {nfl_udp_fd(udp), POLLIN, 0};
        (void)poll(&p, 1, 100);
        status = nfl_udp_next(udp, out, NULL);
    }
    return status;
}

static void test_datagrams_arrive_whole_and_in_order(void)
{
    nfl_udp *udp = listen_on("127.0.0.1:0", NULL);
    const nfl_datagram *d;
    nfl_ip loopback = nfl_ip_from_v4(0x7f000001);
    CU_ASSERT_EQUAL(nfl_udp_next(udp, &d, NULL), NFL_PENDING);
    CU_ASSERT(stats_of(udp).port > 0);
    CU_ASSERT(stats_of(udp).buffer_bytes > 0);
    for (unsigned i = 0; i < 100; i++)
        send_to(stats_of(udp).port, 0, i * 10, (uint8_t)i);
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL_FATAL(wait_next(udp, &d), NFL_OK);
        CU_ASSERT_EQUAL(d->len, i * 10);
        CU_ASSERT(d->len == 0 || (d->data[0] == i && d->data[d->len - 1] == i));
        CU_ASSERT_EQUAL(memcmp(&d->src, &loopback, sizeof loopback), 0);
        CU_ASSERT_EQUAL(memcmp(&d->dst, &loopback, sizeof loopback), 0);
        CU_ASSERT(d->time_us > INT64_C(1600000000000000));
        CU_ASSERT_EQUAL(d->dst_port, stats_of(udp).port);
    }
    CU_ASSERT_EQUAL(stats_of(udp).datagrams, 100);
    CU_ASSERT_EQUAL(stats_of(udp).dropped, 0);
    nfl_udp_free(udp);
}

static void test_one_socket_takes_both_families(void)
{
    nfl_udp *udp = listen_on(":0", NULL);
    const nfl_datagram *d;
    send_to(stats_of(udp).port, 0, 10, 4);
    CU_ASSERT_EQUAL_FATAL(wait_next(udp, &d), NFL_OK);
    CU_ASSERT(nfl_ip_is_v4(&d->src));
    send_to(stats_of(udp).port, 1, 10, 6);
    CU_ASSERT_EQUAL_FATAL(wait_next(udp, &d), NFL_OK);
    CU_ASSERT(!nfl_ip_is_v4(&d->src));
    nfl_udp_free(udp);
}

static void test_datagrams_too_long_are_counted(void)
{
    NFL_OPTS(nfl_udp_opts, opts, .max_len = 100, .batch = 2);
    nfl_udp *udp = listen_on("127.0.0.1:0", &opts);
    const nfl_datagram *d;
    send_to(stats_of(udp).port, 0, 101, 1);
    send_to(stats_of(udp).port, 0, 100, 2);
    CU_ASSERT_EQUAL_FATAL(wait_next(udp, &d), NFL_OK);
    CU_ASSERT_EQUAL(d->len, 100);
    CU_ASSERT_EQUAL(stats_of(udp).too_long, 1);
    nfl_udp_free(udp);
}

static void test_drops_of_the_kernel_are_counted(void)
{
    NFL_OPTS(nfl_udp_opts, opts, .buffer_bytes = 4096);
    nfl_udp *udp = listen_on("127.0.0.1:0", &opts);
    const nfl_datagram *d;
    for (int i = 0; i < 200; i++)
        send_to(stats_of(udp).port, 0, 1000, 1);
    while (nfl_udp_next(udp, &d, NULL) == NFL_OK)
        continue;
    send_to(stats_of(udp).port, 0, 10, 1); /* the count comes with the next datagram */
    CU_ASSERT_EQUAL(wait_next(udp, &d), NFL_OK);
    CU_ASSERT(stats_of(udp).dropped > 0);
    CU_ASSERT_EQUAL(stats_of(udp).dropped + stats_of(udp).datagrams, 201);
    nfl_udp_free(udp);
}

static void test_addresses_that_cannot_be_listened_on(void)
{
    static const struct {
        const char *address;
        nfl_status want;
    } t[] = {{"", NFL_E_SYNTAX},          {"2055", NFL_E_SYNTAX},       {"127.0.0.1", NFL_E_SYNTAX}, {"127.0.0.1:", NFL_E_SYNTAX},
             {"127.0.0.1:65536", NFL_E_SYNTAX}, {"127.0.0.1:1x", NFL_E_SYNTAX}, {"localhost:2055", NFL_E_SYNTAX},
             {"192.0.2.1:2055", NFL_E_IO}, {"[::1:2055", NFL_E_SYNTAX}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_udp *udp = NULL;
        nfl_error err;
        NFL_CHECK(t[i].address, nfl_udp_new(t[i].address, NULL, &udp, &err) == t[i].want);
        NFL_CHECK(t[i].address, udp == NULL && err.message[0]);
    }
    nfl_udp *first = listen_on("127.0.0.1:0", NULL), *second = NULL;
    char address[32];
    nfl_error err;
    snprintf(address, sizeof address, "127.0.0.1:%u", stats_of(first).port);
    CU_ASSERT_EQUAL(nfl_udp_new(address, NULL, &second, &err), NFL_E_IO);
    CU_ASSERT(err.sys_errno != 0);
    nfl_udp_free(first);
    NFL_OPTS(nfl_udp_opts, opts, .batch = 1000);
    CU_ASSERT_EQUAL(nfl_udp_new("127.0.0.1:0", &opts, &second, &err), NFL_E_ARG);
}

static nfl_status udp_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    NFL_OPTS(nfl_udp_opts, opts, .alloc = alloc, .max_len = 1500);
    nfl_udp *udp = NULL;
    nfl_status status = nfl_udp_new("127.0.0.1:0", &opts, &udp, NULL);
    nfl_udp_free(udp);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(udp_scenario, NULL, 0), 4);
}

NFL_SUITE("udp", {"datagrams arrive whole and in order", test_datagrams_arrive_whole_and_in_order},
          {"one socket takes both families", test_one_socket_takes_both_families},
          {"datagrams too long are counted", test_datagrams_too_long_are_counted},
          {"drops of the kernel are counted", test_drops_of_the_kernel_are_counted},
          {"addresses that cannot be listened on", test_addresses_that_cannot_be_listened_on},
          {"every allocation may fail", test_every_allocation_may_fail})

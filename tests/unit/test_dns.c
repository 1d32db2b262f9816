/* The transport against a name server of one socket that answers what each case says. */
#include <CUnit/Basic.h>

#include <netflow/dns.h>

#include "support.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START INT64_C(1795440000000000)
#define SECOND INT64_C(1000000)

typedef struct fixture {
    int server;
    char address[32];
    nfl_resolver *resolver;
    nfl_dns *dns;
} fixture;

static void fixture_open(fixture *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct timeval patience = {2, 0};
    f->server = socket(AF_INET, SOCK_DGRAM, 0);
    CU_ASSERT_FATAL(f->server >= 0 && bind(f->server, (struct sockaddr *)&at, sizeof at) == 0);
    CU_ASSERT_FATAL(getsockname(f->server, (struct sockaddr *)&at, &len) == 0);
    CU_ASSERT_FATAL(setsockopt(f->server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%u", ntohs(at.sin_port));
    NFL_OPTS(nfl_dns_opts, o, .servers = f->address, .timeout_ms = 500, .tries = 1);
    CU_ASSERT_EQUAL_FATAL(nfl_resolver_new(NULL, &f->resolver, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_dns_new(f->resolver, &o, &f->dns, NULL), NFL_OK);
}

static void fixture_close(fixture *f)
{
    nfl_dns_free(f->dns);
    nfl_resolver_free(f->resolver);
    close(f->server);
}

/* The question as the server sees it, answered with those flags and sections. */
static size_t serve(const fixture *f, uint8_t *question, size_t cap, uint16_t flags, uint8_t answers,
                    uint8_t authorities, const char *hex)
{
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof peer;
    ssize_t got = recvfrom(f->server, question, cap, 0, (struct sockaddr *)&peer, &peer_len);
    CU_ASSERT_FATAL(got > 12);
    size_t extra, len = (size_t)got;
    uint8_t *sections = test_hex(hex, &extra), answer[1024];
    CU_ASSERT_FATAL(len + extra <= sizeof answer);
    memcpy(answer, question, len);
    memcpy(answer + len, sections, extra);
    answer[2] = (uint8_t)(flags >> 8);
    answer[3] = (uint8_t)flags;
    answer[7] = answers;
    answer[9] = authorities;
    CU_ASSERT(sendto(f->server, answer, len + extra, 0, (struct sockaddr *)&peer, peer_len) > 0);
    free(sections);
    return len;
}

/* Sections begin after the question for 9.2.0.192.in-addr.arpa: 12 + 24 + 4 = 40 = 0x28. */
static void test_answers(void)
{
    static const struct {
        const char *name;
        uint16_t flags;
        uint8_t answers, authorities;
        const char *hex;
        const char *want; /* NULL = none */
        uint32_t kept_s;
    } t[] = {
        {"a name", 0x8180, 1, 0, "c00c 000c 0001 0000012c 0008 01 61 04 74657374 00", "a.test", 300},
        {"other records first", 0x8180, 2, 0,
         "c00c 0010 0001 0000012c 0003 02 6869 c00c 000c 0001 0000012c 0008 01 61 04 74657374 00", "a.test",
         300},
        {"an alias as in RFC 2317", 0x8180, 2, 0,
         "c00c 0005 0001 00000064 000a 01 39 02 302f 03 78797a 00" /* 9.0/.xyz, at 0x34 */
         "c034 000c 0001 0000012c 0008 01 61 04 74657374 00",
         "a.test", 100},
        {"the alias comes last", 0x8180, 2, 0,
         "01 39 02 302f 03 78797a 00 000c 0001 0000012c 0008 01 61 04 74657374 00"
         "c00c 0005 0001 00000064 0002 c028",
         "a.test", 100},
        {"an alias of itself", 0x8180, 1, 0, "c00c 0005 0001 00000064 0002 c00c", NULL, 900},
        {"an alias that leads nowhere", 0x8180, 1, 0, "c00c 0005 0001 00000064 0003 01 39 00", NULL, 900},
        {"a name of somebody else", 0x8180, 1, 0, "01 39 00 000c 0001 0000012c 0008 01 61 04 74657374 00",
         NULL, 900},
        {"another class", 0x8180, 1, 0, "c00c 000c 0003 0000012c 0008 01 61 04 74657374 00", NULL, 900},
        {"a pointer to itself", 0x8180, 1, 0, "c00c 000c 0001 0000012c 0002 c034", NULL, 900},
        {"data longer than the message", 0x8180, 1, 0, "c00c 000c 0001 0000012c 00ff 01 61", NULL, 900},
        {"a record cut short", 0x8180, 1, 0, "c00c 000c 00", NULL, 900},
        {"fewer records than announced", 0x8180, 9, 9, "", NULL, 900},
        {"a name that is no host name", 0x8180, 1, 0, "c00c 000c 0001 0000012c 0005 03 3c623e 00", NULL, 300},
        {"a TTL beyond 2^31", 0x8180, 1, 0, "c00c 000c 0001 ffffffff 0008 01 61 04 74657374 00", "a.test",
         60},
        {"NXDOMAIN with SOA", 0x8183, 0, 1,
         "c00c 0006 0001 00000e10 0016 00 00 00000001 00000002 00000003 00000004 00000078", NULL, 120},
        {"NXDOMAIN, SOA shorter than its minimum", 0x8183, 0, 1,
         "c00c 0006 0001 00000064 0016 00 00 00000001 00000002 00000003 00000004 00000078", NULL, 100},
        {"no data", 0x8180, 0, 0, "", NULL, 900},
        {"server failure", 0x8182, 0, 0, "", NULL, 30},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        fixture f;
        fixture_open(&f);
        nfl_ip ip = nfl_ip_from_v4(0xc0000209);
        const char *name = "?";
        uint8_t question[512];
        CU_ASSERT_EQUAL(nfl_resolver_lookup(f.resolver, &ip, START, &name), NFL_PENDING);
        CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 0, NULL), NFL_PENDING);
        size_t len =
            serve(&f, question, sizeof question, t[i].flags, t[i].answers, t[i].authorities, t[i].hex);
        CU_ASSERT_EQUAL(len, 40);
        NFL_CHECK(t[i].name, nfl_dns_poll(f.dns, START, 2000, NULL) == NFL_OK);
        nfl_status status = nfl_resolver_lookup(f.resolver, &ip, START + t[i].kept_s * SECOND - 1, &name);
        NFL_CHECK(t[i].name, status == NFL_OK);
        NFL_CHECK(t[i].name,
                  status != NFL_OK || (name && t[i].want ? strcmp(name, t[i].want) == 0 : name == t[i].want));
        status = nfl_resolver_lookup(f.resolver, &ip, START + (t[i].kept_s + 3) * SECOND, &name);
        NFL_CHECK(t[i].name, status == NFL_PENDING);
        fixture_close(&f);
    }
}

static void test_names_of_addresses(void)
{
    static const struct {
        const char *address, *want;
    } t[] = {
        {"192.0.2.1", "\0011\0012\0010\003192\7in-addr\4arpa"},
        {"2001:db8::567:89ab",
         "\001b\001a\0019\0018\0017\0016\0015\0010\0010\0010\0010\0010\0010\0010\0010\0010"
         "\0010\0010\0010\0010\0010\0010\0010\0010\0018\001b\001d\0010\0011\0010\0010\0012\3ip6\4arpa"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        fixture f;
        fixture_open(&f);
        nfl_ip ip;
        const char *name;
        uint8_t question[512];
        CU_ASSERT_EQUAL(nfl_ip_parse(t[i].address, &ip, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_resolver_lookup(f.resolver, &ip, START, &name), NFL_PENDING);
        CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 0, NULL), NFL_PENDING);
        size_t len = serve(&f, question, sizeof question, 0x8183, 0, 0, "");
        NFL_CHECK(t[i].address, len == 12 + strlen(t[i].want) + 1 + 4);
        NFL_CHECK(t[i].address, memcmp(question + 12, t[i].want, strlen(t[i].want) + 1) == 0);
        fixture_close(&f);
    }
}

static void test_silence_is_a_failure(void)
{
    fixture f;
    fixture_open(&f);
    nfl_ip ip = nfl_ip_from_v4(1);
    const char *name = "?";
    CU_ASSERT_EQUAL(nfl_resolver_lookup(f.resolver, &ip, START, &name), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 10, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_resolver_inflight(f.resolver), 1);
    CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 20000, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_resolver_lookup(f.resolver, &ip, START, &name), NFL_OK);
    CU_ASSERT_PTR_NULL(name);
    nfl_resolver_stats stats = {.struct_size = sizeof stats};
    nfl_resolver_get_stats(f.resolver, &stats);
    CU_ASSERT_EQUAL(stats.failures, 1);
    fixture_close(&f);
}

static void test_freeing_fails_open_questions(void)
{
    fixture f;
    fixture_open(&f);
    const char *name;
    for (uint32_t i = 0; i < 20; i++) {
        nfl_ip ip = nfl_ip_from_v4(i);
        CU_ASSERT_EQUAL(nfl_resolver_lookup(f.resolver, &ip, START, &name), NFL_PENDING);
    }
    CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 0, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_resolver_inflight(f.resolver), 20);
    nfl_dns_free(f.dns);
    f.dns = NULL;
    CU_ASSERT_EQUAL(nfl_resolver_inflight(f.resolver), 0);
    fixture_close(&f);
}

static void test_nothing_to_ask_returns_at_once(void)
{
    fixture f;
    fixture_open(&f);
    CU_ASSERT_EQUAL(nfl_dns_poll(f.dns, START, 60000, NULL), NFL_OK);
    fixture_close(&f);
}

static void test_options_are_checked(void)
{
    static const struct {
        const char *servers;
        uint32_t timeout_ms, tries;
        nfl_status want;
    } t[] = {
        {"127.0.0.1", 0, 0, NFL_OK},
        {"127.0.0.1:5353,[::1]:5353,::1", 0, 0, NFL_OK},
        {"", 0, 0, NFL_E_ARG},
        {"localhost", 0, 0, NFL_E_ARG},
        {"127.0.0.1", 60001, 0, NFL_E_ARG},
        {"127.0.0.1", 0, 11, NFL_E_ARG},
    };
    nfl_resolver *resolver;
    CU_ASSERT_EQUAL_FATAL(nfl_resolver_new(NULL, &resolver, NULL), NFL_OK);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_dns *dns = NULL;
        NFL_OPTS(nfl_dns_opts, o, .servers = t[i].servers, .timeout_ms = t[i].timeout_ms,
                 .tries = t[i].tries);
        NFL_CHECK(t[i].servers, nfl_dns_new(resolver, &o, &dns, NULL) == t[i].want);
        nfl_dns_free(dns);
    }
    nfl_resolver_free(resolver);
}

/* Without memory for a question it fails and is asked again later: no error, no leak. */
static nfl_status dns_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_resolver *resolver;
    nfl_dns *dns;
    const char *name;
    CU_ASSERT_EQUAL_FATAL(nfl_resolver_new(NULL, &resolver, NULL), NFL_OK);
    NFL_OPTS(nfl_dns_opts, o, .alloc = alloc, .servers = "127.0.0.1:9", .timeout_ms = 1, .tries = 1);
    nfl_status status = nfl_dns_new(resolver, &o, &dns, NULL);
    if (status == NFL_OK) {
        nfl_ip ip = nfl_ip_from_v4(1);
        CU_ASSERT_EQUAL(nfl_resolver_lookup(resolver, &ip, START, &name), NFL_PENDING);
        CU_ASSERT(nfl_dns_poll(dns, START, 0, NULL) >= 0);
        nfl_dns_free(dns);
        CU_ASSERT_EQUAL(nfl_resolver_inflight(resolver), 0);
    }
    nfl_resolver_free(resolver);
    return status;
}

static void test_running_out_of_memory_is_survived(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(dns_scenario, NULL, 1), 2);
}

NFL_SUITE("dns", {"answers", test_answers}, {"names of addresses", test_names_of_addresses},
          {"silence is a failure", test_silence_is_a_failure},
          {"freeing fails open questions", test_freeing_fails_open_questions},
          {"nothing to ask returns at once", test_nothing_to_ask_returns_at_once},
          {"options are checked", test_options_are_checked},
          {"running out of memory is survived", test_running_out_of_memory_is_survived})

#include <CUnit/Basic.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

void *test_exact(const void *data, size_t len)
{
    void *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    if (len)
        memcpy(copy, data, len);
    return copy;
}

static int support_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint8_t *test_hex(const char *hex, size_t *len)
{
    size_t digits = 0;
    for (const char *p = hex; *p; p++)
        digits += support_hex_digit(*p) >= 0;
    if (digits % 2)
        abort();
    uint8_t *bytes = calloc(digits ? digits / 2 : 1, 1);
    if (!bytes)
        abort();
    size_t n = 0;
    for (const char *p = hex; *p; p++) {
        int digit = support_hex_digit(*p);
        if (digit < 0)
            continue;
        bytes[n / 2] = (uint8_t)(bytes[n / 2] << 4 | digit);
        n++;
    }
    *len = digits / 2;
    return bytes;
}

static int support_refuse(test_allocator *t)
{
    long n = t->requests++;
    return t->fail_at >= 0 && (n == t->fail_at || (t->fail_on && n > t->fail_at));
}

static void support_account(test_allocator *t, long change)
{
    t->live += change;
    if (t->live > t->peak)
        t->peak = t->live;
}

static void *support_alloc(void *ctx, size_t size)
{
    test_allocator *t = ctx;
    if (support_refuse(t))
        return NULL;
    support_account(t, (long)size);
    return malloc(size);
}

static void *support_realloc(void *ctx, void *p, size_t old_size, size_t new_size)
{
    test_allocator *t = ctx;
    if (support_refuse(t))
        return NULL;
    support_account(t, (long)new_size - (long)old_size);
    return realloc(p, new_size);
}

static void support_free(void *ctx, void *p, size_t size)
{
    test_allocator *t = ctx;
    t->live -= (long)size;
    free(p);
}

void test_allocator_init(test_allocator *t, long fail_at, int fail_on)
{
    memset(t, 0, sizeof *t);
    t->alloc = (nfl_alloc){support_alloc, support_realloc, support_free, t};
    t->fail_at = fail_at;
    t->fail_on = fail_on;
}

long test_allocation_failures(test_scenario scenario, void *ctx, long tolerated)
{
    long points = 0;
    for (int fail_on = 0; fail_on < 2; fail_on++) {
        long unnoticed = 0;
        for (long n = 0;; n++) {
            test_allocator t;
            test_allocator_init(&t, n, fail_on);
            nfl_status status = scenario(&t.alloc, ctx);
            if (t.live != 0)
                printf("\n    allocation %ld (fail_on %d): %ld bytes leaked\n", n, fail_on, t.live);
            CU_ASSERT_EQUAL(t.live, 0);
            if (t.requests <= n) { /* never reached: the scenario needs n allocations */
                CU_ASSERT(status >= 0);
                points = n;
                break;
            }
            if (status >= 0)
                unnoticed++;
            else
                CU_ASSERT_EQUAL(status, NFL_E_NOMEM);
        }
        if (unnoticed > tolerated)
            printf("\n    %ld failed allocations went unnoticed, %ld tolerated\n", unnoticed, tolerated);
        CU_ASSERT(unnoticed <= tolerated);
    }
    return points;
}

uint64_t test_seed(void)
{
    const char *text = getenv("NFL_SEED");
    return text ? strtoull(text, NULL, 0) : 20261123;
}

uint64_t test_next(test_random *r)
{
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t test_below(test_random *r, uint64_t bound)
{
    return bound ? test_next(r) % bound : 0;
}

int test_chance(test_random *r, unsigned percent)
{
    return test_below(r, 100) < percent;
}

/* Small numbers are much more likely than large ones, up to 2^bits. */
static uint64_t support_skewed(test_random *r, unsigned bits)
{
    return test_next(r) & ((UINT64_C(1) << test_below(r, bits + 1)) - 1);
}

static nfl_ip support_ip(test_random *r, int v6)
{
    uint32_t host = (uint32_t)support_skewed(r, 12);
    if (!v6) {
        nfl_ip ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, (uint8_t)(host % 3), (uint8_t)(host >> 8), (uint8_t)host}};
        return ip;
    }
    nfl_ip ip = {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, (uint8_t)(host % 3), 0, 0, 0, 0, 0, 0, (uint8_t)(host >> 8), (uint8_t)host}};
    return ip;
}

static void support_set_ports(test_random *r, nfl_flow *flow)
{
    static const uint16_t services[] = {443, 80, 53, 22, 123, 8443, 3389};
    uint16_t service = services[test_below(r, sizeof services / sizeof *services)];
    uint16_t client = (uint16_t)(32768 + test_below(r, 28232));
    int answer = test_chance(r, 50);
    flow->src_port = answer ? service : client;
    flow->dst_port = answer ? client : service;
    flow->present |= NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
}

void test_flow(test_random *r, nfl_flow *flow)
{
    static const uint8_t protos[] = {6, 6, 6, 17, 17, 1, 58, 47};
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    int v6 = test_chance(r, 20);
    flow->received_us = INT64_C(1795440000000000) + (nfl_usec)test_below(r, INT64_C(3600000000));
    flow->last_us = flow->received_us - (nfl_usec)test_below(r, 15000) * 1000;
    flow->first_us = flow->last_us - (nfl_usec)support_skewed(r, 18) * 1000;
    flow->packets = 1 + support_skewed(r, 12);
    flow->bytes = flow->packets * (40 + test_below(r, 1460));
    flow->flows = 1;
    flow->src = support_ip(r, v6);
    flow->dst = support_ip(r, v6);
    flow->proto = protos[test_below(r, sizeof protos)];
    flow->exporter = nfl_ip_from_v4(0xc0000200u | (uint32_t)test_below(r, 4));
    flow->domain = (uint32_t)test_below(r, 2);
    flow->version = test_chance(r, 50) ? 9 : 10;
    flow->present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_RECEIVED) |
                    NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_FLOWS) |
                    NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_PROTO) |
                    NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_VERSION);
    if (flow->proto == 6 || flow->proto == 17)
        support_set_ports(r, flow);
    if (flow->proto == 6) {
        flow->tcp_flags = (uint16_t)test_below(r, 64);
        flow->present |= NFL_HAS(NFL_FIELD_TCP_FLAGS);
    }
    if (test_chance(r, 80)) {
        flow->in_if = (uint32_t)test_below(r, 8);
        flow->out_if = (uint32_t)test_below(r, 8);
        flow->present |= NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_OUT_IF);
    }
    if (test_chance(r, 30)) {
        flow->src_as = 64512 + (uint32_t)test_below(r, 16);
        flow->dst_as = 64512 + (uint32_t)test_below(r, 16);
        flow->present |= NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_DST_AS);
    }
    if (test_chance(r, 20)) {
        flow->sampling = 1 + (uint32_t)test_below(r, 1000);
        flow->present |= NFL_HAS(NFL_FIELD_SAMPLING);
    }
    if (test_chance(r, 10)) {
        flow->src_mac = test_next(r) >> 16;
        flow->present |= NFL_HAS(NFL_FIELD_SRC_MAC);
    }
}

const char *test_shared(void)
{
    return getenv("NETFLOW_SHARED");
}

uint8_t *test_read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    uint8_t *data = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        data = malloc(size > 0 ? (size_t)size : 1);
        if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
        *len = (size_t)size;
    }
    fclose(file);
    return data;
}

#include <CUnit/Basic.h>

#include <netflow/resolver.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define START INT64_C(1795440000000000)

static nfl_resolver *resolver_make(const nfl_resolver_opts *o)
{
    nfl_resolver *r = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_resolver_new(o, &r, NULL), NFL_OK);
    return r;
}

static nfl_resolver_stats stats_of(const nfl_resolver *r)
{
    nfl_resolver_stats stats = {.struct_size = sizeof stats};
    nfl_resolver_get_stats(r, &stats);
    return stats;
}

static nfl_status lookup(nfl_resolver *r, uint32_t host, nfl_usec now_us, const char **name)
{
    nfl_ip ip = nfl_ip_from_v4(host);
    return nfl_resolver_lookup(r, &ip, now_us, name);
}

/* Asks for one address and answers it. */
static void answer_one(nfl_resolver *r, uint32_t host, nfl_usec now_us, uint32_t outcome, const char *text,
                       uint32_t ttl_s)
{
    const char *name;
    nfl_ip ip;
    CU_ASSERT_EQUAL(lookup(r, host, now_us, &name), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_resolver_ask(r, now_us, &ip), NFL_OK);
    nfl_resolver_answer(r, &ip, now_us, outcome, text, ttl_s);
}

static void test_an_answer_is_kept_for_its_time(void)
{
    nfl_resolver *r = resolver_make(NULL);
    const char *name = "untouched";
    answer_one(r, 1, START, NFL_DNS_NAME, "www.example.org.", 300);
    CU_ASSERT_EQUAL(lookup(r, 1, START + 299 * SECOND, &name), NFL_OK);
    CU_ASSERT_STRING_EQUAL(name, "www.example.org");
    CU_ASSERT_EQUAL(lookup(r, 1, START + 300 * SECOND, &name), NFL_PENDING);
    nfl_ip ip;
    CU_ASSERT_EQUAL(nfl_resolver_ask(r, START + 300 * SECOND, &ip), NFL_OK);
    CU_ASSERT_EQUAL(lookup(r, 1, START + 300 * SECOND, &name), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_resolver_inflight(r), 1);
    CU_ASSERT_EQUAL(nfl_resolver_ask(r, START + 300 * SECOND, &ip), NFL_DONE);
    nfl_resolver_answer(r, &ip, START + 301 * SECOND, NFL_DNS_NAME, "new.example.org", 300);
    CU_ASSERT_EQUAL(lookup(r, 1, START + 302 * SECOND, &name), NFL_OK);
    CU_ASSERT_STRING_EQUAL(name, "new.example.org");
    CU_ASSERT_EQUAL(nfl_resolver_inflight(r), 0);
    nfl_resolver_free(r);
    nfl_resolver_free(NULL);
}

static void test_times_to_live_are_clamped(void)
{
    static const struct {
        const char *name;
        uint32_t outcome, ttl_s, kept_s;
    } t[] = {
        {"name, in range", NFL_DNS_NAME, 100, 100},
        {"name, too short", NFL_DNS_NAME, 1, 60},
        {"name, too long", NFL_DNS_NAME, UINT32_MAX, 86400},
        {"name, none given", NFL_DNS_NAME, 0, 60},
        {"no name, as the zone says", NFL_DNS_NO_NAME, 120, 120},
        {"no name, none given", NFL_DNS_NO_NAME, 0, 900},
        {"failure", NFL_DNS_FAILED, 0, 30},
        {"failure, time ignored", NFL_DNS_FAILED, 5000, 30},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_resolver *r = resolver_make(NULL);
        const char *name = "x";
        answer_one(r, 1, START, t[i].outcome, "a.example", t[i].ttl_s);
        NFL_CHECK(t[i].name, lookup(r, 1, START + t[i].kept_s * SECOND - 1, &name) == NFL_OK);
        NFL_CHECK(t[i].name, (name != NULL) == (t[i].outcome == NFL_DNS_NAME));
        NFL_CHECK(t[i].name, lookup(r, 1, START + t[i].kept_s * SECOND, &name) == NFL_PENDING);
        nfl_resolver_free(r);
    }
}

static void test_only_host_names_are_kept(void)
{
    char label64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org";
    char long_name[400];
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 50; i < sizeof long_name; i += 51)
        long_name[i] = '.';
    long_name[254] = 0;
    const struct {
        const char *name;
        int good;
    } t[] = {
        {"a", 1},
        {"host-1.example.org", 1},
        {"_sip._tcp.example.org", 1},
        {"7.org", 1},
        {"a.b.", 1},
        {"", 0},
        {".", 0},
        {"a..b", 0},
        {".a", 0},
        {"a..", 0},
        {"-a.org", 0},
        {"a-.org", 0},
        {"a.b-", 0},
        {"<script>.org", 0},
        {"a b.org", 0},
        {"a\n.org", 0},
        {"caf\xc3\xa9.org", 0},
        {"a/b", 0},
        {"a:b", 0},
        {"$(reboot).org", 0},
        {label64, 0},
        {label64 + 1, 1},
        {long_name, 0},
        {long_name + 1, 1},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_resolver *r = resolver_make(NULL);
        char *text = test_exact(t[i].name, strlen(t[i].name) + 1);
        const char *name;
        answer_one(r, 1, START, NFL_DNS_NAME, text, 100);
        free(text);
        NFL_CHECK(t[i].name, lookup(r, 1, START, &name) == NFL_OK);
        NFL_CHECK(t[i].name, (name != NULL) == t[i].good);
        NFL_CHECK(t[i].name, stats_of(r).refused_names == (uint64_t)!t[i].good);
        nfl_resolver_free(r);
    }
}

static void test_answers_nobody_asked_for_are_ignored(void)
{
    nfl_resolver *r = resolver_make(NULL);
    const char *name;
    nfl_ip one = nfl_ip_from_v4(1);
    nfl_resolver_answer(r, &one, START, NFL_DNS_NAME, "evil.example", 100);
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_PENDING);
    nfl_resolver_answer(r, &one, START, NFL_DNS_NAME, "evil.example", 100); /* not given out yet */
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_PENDING);
    answer_one(r, 2, START, NFL_DNS_NO_NAME, NULL, 0); /* takes the first question: that of 1 */
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_OK);
    nfl_resolver_answer(r, &one, START, NFL_DNS_NAME, "evil.example", 100); /* a second answer */
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_OK);
    CU_ASSERT_PTR_NULL(name);
    nfl_resolver_free(r);
}

static size_t ask_all(nfl_resolver *r, nfl_usec now_us)
{
    size_t n = 0;
    for (nfl_ip ip; nfl_resolver_ask(r, now_us, &ip) == NFL_OK; n++)
        ;
    return n;
}

static void test_questions_are_limited_in_number_and_rate(void)
{
    NFL_OPTS(nfl_resolver_opts, o, .max_inflight = 7);
    nfl_resolver *r = resolver_make(&o);
    const char *name;
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(lookup(r, i, START, &name), NFL_PENDING);
    CU_ASSERT_EQUAL(ask_all(r, START), 7);
    nfl_ip ip = nfl_ip_from_v4(0);
    nfl_resolver_answer(r, &ip, START, NFL_DNS_FAILED, NULL, 0);
    CU_ASSERT_EQUAL(ask_all(r, START), 1);
    nfl_resolver_free(r);

    NFL_OPTS(nfl_resolver_opts, slow, .max_inflight = 1000, .max_per_second = 10);
    r = resolver_make(&slow);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(lookup(r, i, START, &name), NFL_PENDING);
    CU_ASSERT_EQUAL(ask_all(r, START), 10);
    CU_ASSERT_EQUAL(ask_all(r, START + SECOND / 20), 0);
    CU_ASSERT_EQUAL(ask_all(r, START + SECOND / 10), 1);
    CU_ASSERT_EQUAL(ask_all(r, START - 3600 * SECOND), 0); /* the clock was set back */
    CU_ASSERT_EQUAL(ask_all(r, START - 3599 * SECOND), 10);
    CU_ASSERT_EQUAL(ask_all(r, START), 10);
    nfl_resolver_free(r);
}

static void test_the_least_recently_used_goes(void)
{
    NFL_OPTS(nfl_resolver_opts, o, .max_entries = 4);
    nfl_resolver *r = resolver_make(&o);
    const char *name;
    for (uint32_t i = 0; i < 4; i++)
        answer_one(r, i, START, NFL_DNS_NAME, "a.example", 1000);
    CU_ASSERT_EQUAL(lookup(r, 0, START, &name), NFL_OK);
    answer_one(r, 4, START, NFL_DNS_NAME, "b.example", 1000);
    CU_ASSERT_EQUAL(lookup(r, 0, START, &name), NFL_OK);
    CU_ASSERT_EQUAL(lookup(r, 4, START, &name), NFL_OK);
    CU_ASSERT_EQUAL(stats_of(r).entries, 4);
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_PENDING);
    nfl_resolver_free(r);
}

static void test_unknown_addresses_push_out_half_of_the_names_at_most(void)
{
    NFL_OPTS(nfl_resolver_opts, o, .max_entries = 64);
    nfl_resolver *r = resolver_make(&o);
    const char *name;
    for (uint32_t i = 0; i < 64; i++)
        answer_one(r, i, START, NFL_DNS_NAME, "a.example", 1000);
    for (uint32_t i = 1000; i < 3000; i++)
        CU_ASSERT_EQUAL(lookup(r, i, START, &name), NFL_PENDING);
    size_t kept = 0;
    for (uint32_t i = 63; i >= 32; i--)
        kept += lookup(r, i, START, &name) == NFL_OK;
    CU_ASSERT_EQUAL(kept, 32);
    CU_ASSERT_EQUAL(stats_of(r).entries, 64);
    CU_ASSERT_EQUAL(stats_of(r).dropped, 2000 - 32);
    nfl_resolver_free(r);
}

static void test_questions_that_are_out_are_never_forgotten(void)
{
    NFL_OPTS(nfl_resolver_opts, o, .max_entries = 2, .max_inflight = 10);
    nfl_resolver *r = resolver_make(&o);
    const char *name;
    for (uint32_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(lookup(r, i, START, &name), NFL_PENDING);
        ask_all(r, START);
    }
    CU_ASSERT_EQUAL(nfl_resolver_inflight(r), 2);
    for (uint32_t i = 0; i < 10; i++) {
        nfl_ip ip = nfl_ip_from_v4(i);
        nfl_resolver_answer(r, &ip, START, NFL_DNS_NO_NAME, NULL, 0);
    }
    CU_ASSERT_EQUAL(nfl_resolver_inflight(r), 0);
    CU_ASSERT_EQUAL(stats_of(r).no_names, 2);
    nfl_resolver_free(r);
}

static void test_counters_add_up(void)
{
    nfl_resolver *r = resolver_make(NULL);
    const char *name;
    answer_one(r, 1, START, NFL_DNS_NAME, "a.example", 100);
    answer_one(r, 2, START, NFL_DNS_NO_NAME, NULL, 100);
    answer_one(r, 3, START, NFL_DNS_FAILED, NULL, 100);
    CU_ASSERT_EQUAL(lookup(r, 1, START, &name), NFL_OK);
    nfl_resolver_stats s = stats_of(r);
    CU_ASSERT(s.entries == 3 && s.lookups == 4 && s.hits == 1 && s.asked == 3);
    CU_ASSERT(s.names == 1 && s.no_names == 1 && s.failures == 1 && s.dropped == 0);
    nfl_resolver_free(r);
}

static void test_options_that_contradict_are_refused(void)
{
    nfl_resolver *r = NULL;
    NFL_OPTS(nfl_resolver_opts, o, .min_ttl_s = 100, .max_ttl_s = 10);
    CU_ASSERT_EQUAL(nfl_resolver_new(&o, &r, NULL), NFL_E_ARG);
    NFL_OPTS(nfl_resolver_opts, big, .max_entries = UINT32_MAX);
    CU_ASSERT_EQUAL(nfl_resolver_new(&big, &r, NULL), NFL_E_ARG);
}

/* Out of memory for a name is a failure that is tried again, not an error. */
static nfl_status resolver_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_resolver *r;
    NFL_OPTS(nfl_resolver_opts, o, .alloc = alloc, .max_entries = 16);
    nfl_status status = nfl_resolver_new(&o, &r, NULL);
    if (status < 0)
        return status;
    const char *name;
    for (uint32_t i = 0; i < 40; i++)
        answer_one(r, i, START, NFL_DNS_NAME, "a.example", 100);
    CU_ASSERT_EQUAL(lookup(r, 39, START, &name), NFL_OK);
    CU_ASSERT_EQUAL(nfl_resolver_memory(r), (size_t)((test_allocator *)alloc->ctx)->live);
    nfl_resolver_free(r);
    return NFL_OK;
}

static void test_running_out_of_memory_is_survived(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(resolver_scenario, NULL, 40), 43);
}

static void test_random_use_keeps_the_lists_whole(void)
{
    NFL_OPTS(nfl_resolver_opts, o, .max_entries = 32, .max_inflight = 8, .max_per_second = 1000);
    nfl_resolver *r = resolver_make(&o);
    test_random random = {test_seed()};
    nfl_ip out[8];
    size_t out_count = 0;
    nfl_usec now = START;
    for (size_t i = 0; i < 50000; i++) {
        const char *name = NULL;
        now += (nfl_usec)test_below(&random, 3) * SECOND;
        (void)lookup(r, (uint32_t)test_below(&random, 100), now, &name);
        if (out_count < 8 && test_chance(&random, 40))
            out_count += nfl_resolver_ask(r, now, &out[out_count]) == NFL_OK;
        if (out_count && test_chance(&random, 30)) {
            size_t which = test_below(&random, out_count);
            nfl_resolver_answer(r, &out[which], now, 1 + (uint32_t)test_below(&random, 3), "a.example", 1);
            out[which] = out[--out_count];
        }
        CU_ASSERT_FATAL(nfl_resolver_inflight(r) == out_count && stats_of(r).entries <= 32);
    }
    nfl_resolver_free(r);
}

NFL_SUITE("resolver", {"an answer is kept for its time", test_an_answer_is_kept_for_its_time},
          {"times to live are clamped", test_times_to_live_are_clamped},
          {"only host names are kept", test_only_host_names_are_kept},
          {"answers nobody asked for are ignored", test_answers_nobody_asked_for_are_ignored},
          {"questions are limited in number and rate", test_questions_are_limited_in_number_and_rate},
          {"the least recently used goes", test_the_least_recently_used_goes},
          {"unknown addresses push out half of the names at most",
           test_unknown_addresses_push_out_half_of_the_names_at_most},
          {"questions that are out are never forgotten", test_questions_that_are_out_are_never_forgotten},
          {"counters add up", test_counters_add_up},
          {"options that contradict are refused", test_options_that_contradict_are_refused},
          {"running out of memory is survived", test_running_out_of_memory_is_survived},
          {"random use keeps the lists whole", test_random_use_keeps_the_lists_whole})

#include <CUnit/Basic.h>

#include <netflow/detect.h>

#include "flows.h"
#include "support.h"

#include <string.h>

static void test_detectors_are_listed(void)
{
    size_t n = 0;
    for (; nfl_detector_name(n); n++)
        CU_ASSERT(nfl_detector_about(n) && strlen(nfl_detector_about(n)) > 20);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_PTR_NULL(nfl_detector_about(n));
    CU_ASSERT_STRING_EQUAL(nfl_severity_name(NFL_SEVERITY_INFO), "info");
    CU_ASSERT_STRING_EQUAL(nfl_severity_name(NFL_SEVERITY_CRITICAL), "critical");
    CU_ASSERT_STRING_EQUAL(nfl_severity_name(99), "?");
}

static void test_options_are_checked(void)
{
    static const struct {
        const char *name, *detectors, *inside;
        uint32_t max_sources;
        nfl_status want;
        uint64_t offset;
    } t[] = {
        {"defaults", NULL, NULL, 16, NFL_OK, 0},
        {"one detector", "scan_vertical", NULL, 16, NFL_OK, 0},
        {"two with blanks", " scan_vertical , scan_horizontal", NULL, 16, NFL_OK, 0},
        {"unknown detector", "scan_vertical,scan_diagonal", NULL, 16, NFL_E_NOT_FOUND, 14},
        {"own networks", NULL, "10.0.0.0/8, 2001:db8::/32 192.0.2.1", 16, NFL_OK, 0},
        {"no own networks", NULL, "", 16, NFL_OK, 0},
        {"not a network", NULL, "10.0.0.0/8,example", 16, NFL_E_SYNTAX, 11},
        {"endless network", NULL,
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 16,
         NFL_E_SYNTAX, 0},
        {"too many sources", NULL, NULL, UINT32_MAX, NFL_E_ARG, NFL_NO_OFFSET},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_watch *watch = NULL;
        nfl_error err = {0};
        NFL_OPTS(nfl_watch_opts, o, .max_connections = 10, .max_sources = t[i].max_sources,
                 .detectors = t[i].detectors, .inside = t[i].inside);
        NFL_CHECK(t[i].name, nfl_watch_new(&o, &watch, &err) == t[i].want);
        NFL_CHECK(t[i].name, t[i].want == NFL_OK || err.offset == t[i].offset);
        nfl_watch_free(watch);
    }
}

/* Thirty scanners at the same time, in random order among other traffic. */
static void make_traffic(nfl_flow *flows, size_t n)
{
    test_random r = {test_seed()};
    nfl_usec now = 0;
    for (size_t i = 0; i < n; i++) {
        now += (nfl_usec)test_below(&r, 20) * TEST_MS;
        if (test_chance(&r, 50)) {
            uint32_t source = 0xcb007100u + (uint32_t)test_below(&r, 30);
            flows[i] =
                test_record(now, 6, source, 40000, 0x0a4d0200u, (uint16_t)test_below(&r, 2000), SYN, 1);
        } else {
            test_flow(&r, &flows[i]);
            flows[i].received_us = TEST_START + now;
        }
    }
}

static uint64_t digest_finding(uint64_t sum, const nfl_finding *f)
{
    uint64_t parts[] = {f->id,
                        f->severity,
                        f->confidence,
                        (uint64_t)f->found_us,
                        (uint64_t)f->first_us,
                        (uint64_t)f->last_us,
                        (uint64_t)f->observed,
                        f->flows,
                        f->entity.b[15],
                        f->peers[0].b[15]};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum = (sum ^ parts[i]) * UINT64_C(0x9E3779B97F4A7C15);
    return sum;
}

static uint64_t run_batched(const nfl_flow *flows, size_t n, size_t batch, size_t *findings)
{
    nfl_watch *watch = NULL;
    NFL_OPTS(nfl_watch_opts, o, .seed = 3, .max_sources = 100, .max_connections = 1000);
    CU_ASSERT_EQUAL_FATAL(nfl_watch_new(&o, &watch, NULL), NFL_OK);
    uint64_t sum = 1;
    *findings = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n)
            nfl_watch_feed(watch, &flows[i]);
        else
            nfl_watch_flush(watch);
        if (i % batch && i < n)
            continue;
        if (i < n)
            nfl_watch_advance(watch, flows[i].received_us);
        for (const nfl_finding *f; nfl_watch_next(watch, &f) == NFL_OK; ++*findings)
            sum = digest_finding(sum, f);
    }
    CU_ASSERT_EQUAL(nfl_watch_dropped(watch), 0);
    nfl_watch_free(watch);
    return sum;
}

static void test_batches_do_not_change_the_findings(void)
{
    static nfl_flow flows[20000];
    size_t count[3];
    make_traffic(flows, 20000);
    uint64_t want = run_batched(flows, 20000, 1, &count[0]);
    CU_ASSERT(count[0] >= 30);
    CU_ASSERT_EQUAL(run_batched(flows, 20000, 30, &count[1]), want);
    CU_ASSERT_EQUAL(run_batched(flows, 20000, 777, &count[2]), want);
}

static void test_findings_nobody_reads_are_counted(void)
{
    nfl_watch *watch = NULL;
    NFL_OPTS(nfl_watch_opts, o, .seed = 3, .max_sources = 1000, .max_connections = 100,
             .detectors = "scan_vertical");
    CU_ASSERT_EQUAL_FATAL(nfl_watch_new(&o, &watch, NULL), NFL_OK);
    for (uint32_t source = 0; source < 300; source++) {
        for (uint16_t port = 1; port <= 30; port++) {
            nfl_flow flow = test_record(0, 6, 0xcb007100u + source, 40000, 0x0a4d0200u, port, SYN, 1);
            nfl_watch_feed(watch, &flow);
        }
    }
    nfl_watch_flush(watch);
    const nfl_finding *f;
    size_t n = 0;
    while (nfl_watch_next(watch, &f) == NFL_OK)
        n++;
    CU_ASSERT_EQUAL(n, 256);
    CU_ASSERT(nfl_watch_dropped(watch) >= 44);
    nfl_watch_free(watch);
}

static nfl_status watch_scenario(const nfl_alloc *alloc, void *ctx)
{
    nfl_watch *watch;
    NFL_OPTS(nfl_watch_opts, o, .alloc = alloc, .max_sources = 50, .max_connections = 100);
    nfl_status status = nfl_watch_new(&o, &watch, NULL);
    if (status < 0)
        return status;
    test_allocator *counted = alloc->ctx;
    long requests = counted->requests;
    const nfl_flow *flows = ctx;
    for (size_t i = 0; i < 500; i++)
        nfl_watch_feed(watch, &flows[i]);
    nfl_watch_flush(watch);
    CU_ASSERT_EQUAL(counted->requests, requests);
    CU_ASSERT_EQUAL(nfl_watch_memory(watch), (size_t)counted->live);
    nfl_watch_free(watch);
    return NFL_OK;
}

static void test_only_creation_allocates(void)
{
    static nfl_flow flows[500];
    make_traffic(flows, 500);
    /* the list of networks has a second try with less when it cannot double */
    CU_ASSERT(test_allocation_failures(watch_scenario, flows, 2) >= 10);
}

NFL_SUITE("watch", {"detectors are listed", test_detectors_are_listed},
          {"options are checked", test_options_are_checked},
          {"batches do not change the findings", test_batches_do_not_change_the_findings},
          {"findings nobody reads are counted", test_findings_nobody_reads_are_counted},
          {"only creation allocates", test_only_creation_allocates})

#include <CUnit/Basic.h>

#include <netflow/detect.h>

#include "flows.h"
#include "support.h"

#include <string.h>

#define SCANNER 0xcb007105u /* 203.0.113.5 */
#define INSIDER 0x0a4d0122u /* 10.77.1.34 */
#define TARGET 0x0a4d0216u  /* 10.77.2.22 */
#define OUTSIDE 0xc6336400u /* 198.51.100.0 */

/* What was found last, with its texts kept. */
typedef struct found {
    size_t count;
    nfl_finding last;
    char filter[256], message[256];
} found;

static nfl_watch *watch_make(const char *detectors)
{
    nfl_watch *watch = NULL;
    NFL_OPTS(nfl_watch_opts, o, .seed = 7, .detectors = detectors, .max_sources = 64,
             .max_connections = 5000);
    CU_ASSERT_EQUAL_FATAL(nfl_watch_new(&o, &watch, NULL), NFL_OK);
    return watch;
}

static void collect(nfl_watch *watch, found *f)
{
    for (const nfl_finding *next; nfl_watch_next(watch, &next) == NFL_OK; f->count++) {
        f->last = *next;
        memcpy(f->filter, next->filter, strlen(next->filter) + 1);
        memcpy(f->message, next->message, strlen(next->message) + 1);
    }
}

/* A closed port: SYN, and RST from the target; the answer comes first. */
static void feed_refused(nfl_watch *watch, nfl_usec at, uint32_t src, uint16_t src_port, uint32_t dst,
                         uint16_t dst_port)
{
    nfl_flow answer = test_record(at, 6, dst, dst_port, src, src_port, RST | ACK, 1);
    nfl_flow ask = test_record(at, 6, src, src_port, dst, dst_port, SYN, 1);
    nfl_watch_feed(watch, &answer);
    nfl_watch_feed(watch, &ask);
}

static void feed_answered(nfl_watch *watch, nfl_usec at, uint32_t src, uint16_t src_port, uint32_t dst,
                          uint16_t dst_port)
{
    nfl_flow ask = test_record(at, 6, src, src_port, dst, dst_port, SYN | ACK | PSH | FIN, 8);
    nfl_flow answer = test_record(at, 6, dst, dst_port, src, src_port, SYN | ACK | PSH | FIN, 8);
    nfl_watch_feed(watch, &ask);
    nfl_watch_feed(watch, &answer);
}

static void test_many_closed_ports_of_one_target_are_a_vertical_scan(void)
{
    nfl_watch *watch = watch_make(NULL);
    found f = {0};
    for (uint16_t port = 1; port <= 12; port++)
        feed_refused(watch, port, SCANNER, 47833, TARGET, port);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 0);
    for (uint16_t port = 13; port <= 20; port++)
        feed_refused(watch, port, SCANNER, 47833, TARGET, port);
    collect(watch, &f);
    CU_ASSERT_EQUAL_FATAL(f.count, 1);
    nfl_ip scanner = nfl_ip_from_v4(SCANNER), target = nfl_ip_from_v4(TARGET);
    CU_ASSERT(memcmp(&f.last.entity, &scanner, sizeof scanner) == 0);
    CU_ASSERT(f.last.peer_count == 1 && memcmp(&f.last.peers[0], &target, sizeof target) == 0);
    CU_ASSERT_STRING_EQUAL(f.last.detector, "scan_vertical");
    CU_ASSERT_STRING_EQUAL(f.last.attack, "T1046");
    CU_ASSERT_STRING_EQUAL(f.filter, "src ip 203.0.113.5 and dst ip 10.77.2.22 and proto tcp");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.message, "203.0.113.5 failed to connect to 1"));
    CU_ASSERT_EQUAL(f.last.severity, NFL_SEVERITY_MEDIUM);
    CU_ASSERT_EQUAL(f.last.threshold, 15);
    CU_ASSERT(f.last.observed >= 15 && f.last.observed <= 20);
    CU_ASSERT(f.last.first_us <= f.last.last_us && f.last.last_us <= f.last.found_us);
    nfl_watch_free(watch);
    nfl_watch_free(NULL);
}

static void test_an_episode_is_told_a_few_times_with_growing_numbers(void)
{
    nfl_watch *watch = watch_make("scan_vertical");
    found f = {0};
    uint64_t id = 0;
    double observed = 0;
    for (uint16_t port = 1; port <= 1024; port++) {
        size_t before = f.count;
        feed_refused(watch, port, SCANNER, 47833, TARGET, port);
        collect(watch, &f);
        if (f.count == before)
            continue;
        CU_ASSERT(id == 0 || f.last.id == id);
        CU_ASSERT(f.last.observed > observed);
        id = f.last.id;
        observed = f.last.observed;
    }
    CU_ASSERT_EQUAL(f.count, 3); /* 15, 50, and ten times that */
    CU_ASSERT_EQUAL(f.last.severity, NFL_SEVERITY_HIGH);
    CU_ASSERT(f.last.confidence >= 90);
    CU_ASSERT(observed > 450 && observed < 550);
    /* the same again half an hour later is nothing new; after two quiet hours it is */
    for (uint16_t port = 1; port <= 100; port++)
        feed_refused(watch, 1800 * TEST_SECOND, SCANNER, 47833, TARGET, port);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 3);
    for (uint16_t port = 1; port <= 30; port++)
        feed_refused(watch, 9000 * TEST_SECOND, SCANNER, 47833, TARGET, port);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 4);
    CU_ASSERT(f.last.id != id);
    nfl_watch_free(watch);
}

static void test_one_port_of_many_targets_is_a_horizontal_scan(void)
{
    static const struct {
        const char *name;
        uint32_t src;
        uint16_t port;
        uint32_t few, many; /* targets: not yet reported, reported */
        const char *attack;
    } t[] = {
        {"own host, SMB", INSIDER, 445, 12, 20, "T1046,T1021.002"},
        {"own host, RDP", INSIDER, 3389, 12, 20, "T1046,T1021.001"},
        {"own host, web", INSIDER, 80, 40, 62, "T1046"},
        {"foreign host, web", SCANNER, 80, 12, 20, "T1046"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_watch *watch = watch_make("scan_horizontal");
        found f = {0};
        for (uint32_t host = 1; host <= t[i].many; host++) {
            nfl_flow ask = test_record(host, 6, t[i].src, 50000, 0x0a4d0200u + host, t[i].port, SYN, 1);
            nfl_watch_feed(watch, &ask);
            if (host == t[i].few) {
                nfl_watch_advance(watch, ask.received_us + 3 * TEST_SECOND);
                collect(watch, &f);
                NFL_CHECK(t[i].name, f.count == 0);
            }
        }
        nfl_watch_advance(watch, TEST_START + 10 * TEST_SECOND);
        collect(watch, &f);
        NFL_CHECK(t[i].name, f.count >= 1);
        NFL_CHECK(t[i].name, f.count && strcmp(f.last.attack, t[i].attack) == 0);
        NFL_CHECK(t[i].name, f.last.peer_count == NFL_FINDING_PEERS);
        nfl_watch_free(watch);
    }
}

static void test_what_is_no_scan(void)
{
    nfl_watch *watch = watch_make(NULL);
    found f = {0};
    for (uint16_t i = 0; i < 400; i++) {
        nfl_usec at = i * 100 * TEST_MS;
        /* an open service is used from many ports */
        feed_answered(watch, at, INSIDER, (uint16_t)(30000 + i), TARGET, 443);
        /* one closed port, again and again */
        feed_refused(watch, at, INSIDER, (uint16_t)(30000 + i), TARGET, 9100);
        /* resets to somebody whose address was forged */
        nfl_flow backscatter = test_record(at, 6, TARGET, (uint16_t)(1000 + i), SCANNER, 80, RST | ACK, 1);
        nfl_watch_feed(watch, &backscatter);
        backscatter = test_record(at, 6, SCANNER + i, 80, TARGET, (uint16_t)(1000 + i), SYN | ACK, 1);
        nfl_watch_feed(watch, &backscatter);
        /* answers of a name server whose questions were not exported */
        nfl_flow answer = test_record(at, 17, TARGET, 53, INSIDER, (uint16_t)(20000 + i), 0, 1);
        nfl_watch_feed(watch, &answer);
        /* traceroute */
        nfl_flow trace = test_record(at, 17, INSIDER, 40000, OUTSIDE, (uint16_t)(33434 + i % 90), 0, 1);
        nfl_watch_feed(watch, &trace);
        /* discovery by multicast */
        nfl_flow group = test_record(at, 17, INSIDER, 5353, 0xe0000000u + i, 5353, 0, 1);
        nfl_watch_feed(watch, &group);
    }
    nfl_watch_flush(watch);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 0);
    nfl_watch_free(watch);
}

static void test_peers_of_a_file_sharing_network_are_worth_a_note_only(void)
{
    nfl_watch *watch = watch_make(NULL);
    found f = {0};
    for (uint32_t i = 0; i < 100; i++) {
        nfl_flow ask = test_record(i * TEST_SECOND, 17, INSIDER, 6881, OUTSIDE + i, 6881, 0, 1);
        nfl_watch_feed(watch, &ask);
        if (i % 3 == 0) {
            nfl_flow answer = test_record(i * TEST_SECOND, 17, OUTSIDE + i, 6881, INSIDER, 6881, 0, 1);
            nfl_watch_feed(watch, &answer);
        }
    }
    nfl_watch_flush(watch);
    collect(watch, &f);
    CU_ASSERT(f.count == 0 || f.last.severity == NFL_SEVERITY_INFO);
    nfl_watch_free(watch);
}

static void test_a_slow_scan_is_found_within_a_day_and_told_once(void)
{
    nfl_watch *watch = watch_make(NULL);
    found f = {0};
    for (uint16_t port = 1; port <= 60; port++) /* one port in 20 minutes */
        feed_refused(watch, port * 1200 * TEST_SECOND, SCANNER, 47833, TARGET, port);
    nfl_watch_flush(watch);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 1);
    CU_ASSERT_EQUAL(f.last.severity, NFL_SEVERITY_LOW);
    CU_ASSERT_EQUAL(f.last.threshold, 25);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.message, "within a day"));
    for (uint16_t n = 1; n <= 5; n++) /* pauses of more than an hour do not make it new */
        feed_refused(watch, (72000 + n * 5400) * TEST_SECOND, SCANNER, 47833, TARGET, (uint16_t)(60 + n));
    nfl_watch_flush(watch);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 1);
    nfl_watch_free(watch);
}

static void test_many_sources_do_not_push_out_a_scanner_that_was_found(void)
{
    nfl_watch *watch = watch_make("scan_vertical");
    found f = {0};
    for (uint16_t port = 1; port <= 20; port++)
        feed_refused(watch, port, SCANNER, 47833, TARGET, port);
    for (uint32_t i = 0; i < 2000; i++) /* forged sources, more than there is room for */
        feed_refused(watch, TEST_SECOND, OUTSIDE + i, 1000, TARGET, 80);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 1);
    for (uint16_t port = 21; port <= 80; port++)
        feed_refused(watch, 2 * TEST_SECOND, SCANNER, 47833, TARGET, port);
    collect(watch, &f);
    CU_ASSERT_EQUAL(f.count, 2); /* the same episode, now high */
    CU_ASSERT_EQUAL(f.last.severity, NFL_SEVERITY_HIGH);
    nfl_watch_free(watch);
}

NFL_SUITE("scan",
          {"many closed ports of one target are a vertical scan",
           test_many_closed_ports_of_one_target_are_a_vertical_scan},
          {"an episode is told a few times with growing numbers",
           test_an_episode_is_told_a_few_times_with_growing_numbers},
          {"one port of many targets is a horizontal scan",
           test_one_port_of_many_targets_is_a_horizontal_scan},
          {"what is no scan", test_what_is_no_scan},
          {"peers of a file sharing network are worth a note only",
           test_peers_of_a_file_sharing_network_are_worth_a_note_only},
          {"a slow scan is found within a day and told once",
           test_a_slow_scan_is_found_within_a_day_and_told_once},
          {"many sources do not push out a scanner that was found",
           test_many_sources_do_not_push_out_a_scanner_that_was_found})

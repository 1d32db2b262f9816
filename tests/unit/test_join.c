#include <CUnit/Basic.h>

#include <netflow/connection.h>

#include "flows.h"
#include "support.h"

#include <string.h>

#define CLIENT 0x0a4d0115u /* 10.77.1.21 */
#define SERVER 0x0a4d0216u /* 10.77.2.22 */

static nfl_join *join_make(uint32_t max_connections)
{
    nfl_join *join = NULL;
    NFL_OPTS(nfl_join_opts, o, .max_connections = max_connections, .seed = 5);
    CU_ASSERT_EQUAL_FATAL(nfl_join_new(&o, &join, NULL), NFL_OK);
    return join;
}

/* A TCP session with both sides: teaches the join that the exporter sees both directions. */
static void feed_session(nfl_join *join, nfl_usec at, uint16_t client_port)
{
    nfl_flow ask = test_record(at, 6, CLIENT, client_port, SERVER, 443, SYN | ACK | PSH | FIN, 8);
    nfl_flow answer = test_record(at, 6, SERVER, 443, CLIENT, client_port, SYN | ACK | PSH | FIN, 9);
    nfl_join_feed(join, &ask);
    nfl_join_feed(join, &answer);
}

/* What one record, or two, turn out to be. */
typedef struct record {
    uint32_t src;
    uint16_t src_port;
    uint32_t dst;
    uint16_t dst_port;
    uint16_t flags;
    uint16_t packets; /* 0 = there is no such record */
    int32_t start_ms; /* relative to the others */
} record;

static void feed_record(nfl_join *join, const record *r, uint8_t proto)
{
    if (!r->packets)
        return;
    nfl_flow flow =
        test_record(TEST_SECOND, proto, r->src, r->src_port, r->dst, r->dst_port, r->flags, r->packets);
    flow.first_us += r->start_ms * TEST_MS;
    nfl_join_feed(join, &flow);
}

static void test_outcomes_and_direction(void)
{
    static const struct {
        const char *name;
        uint8_t proto;
        record first, second;
        uint32_t want_src;
        uint8_t want_outcome, want_certain;
    } t[] = {
        {"session, client first",
         6,
         {CLIENT, 40000, SERVER, 443, 0x1b, 8, 0},
         {SERVER, 443, CLIENT, 40000, 0x1b, 9, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"session, server first",
         6,
         {SERVER, 443, CLIENT, 40000, 0x1b, 9, 0},
         {CLIENT, 40000, SERVER, 443, 0x1b, 8, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"session on high ports, the earlier start began",
         6,
         {SERVER, 20001, CLIENT, 20000, 0x1b, 9, 5},
         {CLIENT, 20000, SERVER, 20001, 0x1b, 8, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"refused, answer first",
         6,
         {SERVER, 25, CLIENT, 40000, RST | ACK, 1, 0},
         {CLIENT, 40000, SERVER, 25, SYN, 1, 0},
         CLIENT,
         NFL_OUTCOME_REFUSED,
         1},
        {"refused, source port below 1024",
         6,
         {CLIENT, 53, SERVER, 4444, SYN, 1, 0},
         {SERVER, 4444, CLIENT, 53, RST | ACK, 1, 0},
         CLIENT,
         NFL_OUTCOME_REFUSED,
         1},
        {"half-open: nmap resets after SYN+ACK",
         6,
         {CLIENT, 40000, SERVER, 22, SYN | RST, 2, 0},
         {SERVER, 22, CLIENT, 40000, SYN | ACK, 1, 0},
         CLIENT,
         NFL_OUTCOME_HALF_OPEN,
         1},
        {"connect scan of an open port is answered",
         6,
         {CLIENT, 40000, SERVER, 22, SYN | ACK | RST, 3, 0},
         {SERVER, 22, CLIENT, 40000, SYN | ACK, 1, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"unanswered SYN", 6, {CLIENT, 40000, SERVER, 23, SYN, 3, 0}, {0}, CLIENT, NFL_OUTCOME_UNANSWERED, 1},
        {"session whose answers went another way",
         6,
         {CLIENT, 40000, SERVER, 443, 0x1b, 8, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"lone reset is an answer",
         6,
         {SERVER, 50000, CLIENT, 40000, RST | ACK, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
        {"lone SYN+ACK is an answer",
         6,
         {SERVER, 50000, CLIENT, 40000, SYN | ACK, 3, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
        {"session reset by the server",
         6,
         {CLIENT, 40000, SERVER, 443, SYN | ACK | PSH, 8, 0},
         {SERVER, 443, CLIENT, 40000, SYN | ACK | PSH | RST, 8, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"middle of a session",
         6,
         {CLIENT, 40000, SERVER, 443, ACK, 8, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
        {"no flags at all, no answer",
         6,
         {CLIENT, 40000, SERVER, 81, 0, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNANSWERED,
         0},
        {"query with answer",
         17,
         {SERVER, 53, CLIENT, 40000, 0, 1, 0},
         {CLIENT, 40000, SERVER, 53, 0, 1, 0},
         CLIENT,
         NFL_OUTCOME_ANSWERED,
         0},
        {"query without answer",
         17,
         {CLIENT, 40000, SERVER, 53, 0, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNANSWERED,
         0},
        {"answer without query",
         17,
         {SERVER, 53, CLIENT, 40000, 0, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
        {"multicast expects no answer",
         17,
         {CLIENT, 5353, 0xe00000fb, 5353, 0, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
        {"a protocol without ports expects none",
         47,
         {CLIENT, 0, SERVER, 0, 0, 1, 0},
         {0},
         CLIENT,
         NFL_OUTCOME_UNKNOWN,
         0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_join *join = join_make(64);
        const nfl_connection *c = NULL;
        feed_session(join, 0, 33333);
        feed_record(join, &t[i].first, t[i].proto);
        feed_record(join, &t[i].second, t[i].proto);
        nfl_join_flush(join);
        while (nfl_join_next(join, &c) == NFL_OK)
            if (c->src_port != 33333 && c->dst_port != 33333)
                break;
        nfl_ip want = nfl_ip_from_v4(t[i].want_src);
        NFL_CHECK(t[i].name, memcmp(&c->src, &want, sizeof want) == 0);
        NFL_CHECK(t[i].name, c->outcome == t[i].want_outcome);
        NFL_CHECK(t[i].name, c->certain == t[i].want_certain);
        nfl_join_free(join);
    }
    nfl_join_free(NULL);
}

static void test_biflows_are_turned_round(void)
{
    /* softflowd 1.1.0 -b: the lower address comes first, whoever began */
    nfl_join *join = join_make(64);
    nfl_flow flow = test_record(0, 6, CLIENT, 25, SERVER, 40000, RST | ACK, 1);
    flow.reverse_packets = 1;
    flow.reverse_bytes = 44;
    flow.reverse_tcp_flags = SYN;
    nfl_join_feed(join, &flow);
    const nfl_connection *c;
    CU_ASSERT_EQUAL_FATAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT_EQUAL(c->outcome, NFL_OUTCOME_REFUSED);
    CU_ASSERT_EQUAL(c->src_port, 40000);
    CU_ASSERT_EQUAL(c->src_bytes, 44);
    CU_ASSERT_EQUAL(c->dst_bytes, 60);
    nfl_join_free(join);
}

static nfl_flow icmp_record(nfl_usec at, uint32_t src, uint32_t dst, uint8_t type)
{
    nfl_flow flow = test_record(at, 1, src, 0, dst, 0, 0, 1);
    flow.icmp_type = type;
    return flow;
}

static void test_echo_and_reply_are_one_connection(void)
{
    nfl_join *join = join_make(64);
    nfl_flow reply = icmp_record(0, SERVER, CLIENT, 0), request = icmp_record(0, CLIENT, SERVER, 8);
    nfl_join_feed(join, &reply);
    nfl_join_feed(join, &request);
    nfl_join_flush(join);
    const nfl_connection *c;
    CU_ASSERT_EQUAL_FATAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT(memcmp(&c->src, &request.src, sizeof c->src) == 0);
    CU_ASSERT_EQUAL(c->outcome, NFL_OUTCOME_ANSWERED);
    CU_ASSERT_EQUAL(c->certain, 1);
    CU_ASSERT_EQUAL(c->dst_port, 8 << 8);
    CU_ASSERT_EQUAL(nfl_join_next(join, &c), NFL_DONE);
    nfl_join_free(join);
}

static void test_failures_come_early_and_once_more_at_their_end(void)
{
    static const struct {
        const char *name;
        uint8_t proto;
        uint16_t flags, answer_flags;
        uint32_t after_s;
        uint8_t outcome;
    } t[] = {
        {"refused: at once", 6, SYN, RST | ACK, 0, NFL_OUTCOME_REFUSED},
        {"half-open: at once", 6, SYN, SYN | ACK, 0, NFL_OUTCOME_HALF_OPEN},
        {"lone SYN: 2 s", 6, SYN, 0, 2, NFL_OUTCOME_UNANSWERED},
        {"lone UDP: 20 s", 17, 0, 0, 20, NFL_OUTCOME_UNANSWERED},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_join *join = join_make(64);
        const nfl_connection *c;
        feed_session(join, 0, 33333);
        nfl_flow ask = test_record(TEST_SECOND, t[i].proto, CLIENT, 40000, SERVER, 99, t[i].flags, 1);
        nfl_flow answer =
            test_record(TEST_SECOND, t[i].proto, SERVER, 99, CLIENT, 40000, t[i].answer_flags, 1);
        nfl_join_feed(join, &ask);
        if (t[i].answer_flags)
            nfl_join_feed(join, &answer);
        nfl_usec due = ask.received_us + t[i].after_s * TEST_SECOND;
        nfl_join_advance(join, due - 1);
        NFL_CHECK(t[i].name, !t[i].after_s || nfl_join_next(join, &c) == NFL_DONE);
        nfl_join_advance(join, due);
        NFL_CHECK(t[i].name, nfl_join_next(join, &c) == NFL_OK && c->part == NFL_PART_EARLY);
        NFL_CHECK(t[i].name, c->outcome == t[i].outcome && c->told_us == due);
        NFL_CHECK(t[i].name, nfl_join_next(join, &c) == NFL_DONE);
        nfl_join_advance(join, ask.received_us + 60 * TEST_SECOND);
        NFL_CHECK(t[i].name,
                  nfl_join_next(join, &c) == NFL_OK && c->part == NFL_PART_WHOLE); /* the session */
        NFL_CHECK(t[i].name, nfl_join_next(join, &c) == NFL_OK && c->part == NFL_PART_AGAIN);
        NFL_CHECK(t[i].name, nfl_join_next(join, &c) == NFL_DONE);
        nfl_join_free(join);
    }
}

static void test_a_late_answer_prevents_the_early_judgement(void)
{
    nfl_join *join = join_make(64);
    const nfl_connection *c;
    feed_session(join, 0, 33333);
    nfl_flow ask = test_record(TEST_SECOND, 17, CLIENT, 40000, SERVER, 99, 0, 1);
    nfl_flow answer = test_record(18 * TEST_SECOND, 17, SERVER, 99, CLIENT, 40000, 0, 1);
    nfl_join_feed(join, &ask);
    nfl_join_feed(join, &answer);
    nfl_join_advance(join, TEST_START + 59 * TEST_SECOND);
    CU_ASSERT_EQUAL(nfl_join_next(join, &c), NFL_DONE);
    nfl_join_free(join);
}

static void test_unanswered_needs_an_exporter_that_sees_both_directions(void)
{
    nfl_join *join = join_make(64);
    const nfl_connection *c;
    for (uint16_t i = 0; i < 10; i++) { /* sessions of which only one side is exported */
        nfl_flow half = test_record(0, 6, CLIENT, (uint16_t)(40000 + i), SERVER, 443, SYN | ACK | PSH, 9);
        nfl_join_feed(join, &half);
    }
    nfl_flow ask = test_record(TEST_SECOND, 17, CLIENT, 40000, SERVER, 99, 0, 1);
    nfl_join_feed(join, &ask);
    nfl_join_flush(join);
    while (nfl_join_next(join, &c) == NFL_OK)
        CU_ASSERT_EQUAL(c->outcome, c->proto == 6 ? NFL_OUTCOME_ANSWERED : NFL_OUTCOME_UNKNOWN);
    nfl_join_free(join);
}

static void test_sampled_records_prove_no_failure(void)
{
    nfl_join *join = join_make(64);
    const nfl_connection *c;
    nfl_flow ask = test_record(0, 6, CLIENT, 40000, SERVER, 99, SYN, 1);
    ask.sampling = 100;
    nfl_join_feed(join, &ask);
    nfl_join_flush(join);
    CU_ASSERT_EQUAL_FATAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT_EQUAL(c->outcome, NFL_OUTCOME_UNKNOWN);
    CU_ASSERT_EQUAL(c->src_packets, 100);
    nfl_join_free(join);
}

static void test_parts_of_a_long_flow_are_joined_and_keep_their_direction(void)
{
    nfl_join *join = join_make(64);
    const nfl_connection *c;
    nfl_flow first = test_record(0, 6, CLIENT, 40000, SERVER, 8443, SYN | RST, 10);
    nfl_flow answer = test_record(0, 6, SERVER, 8443, CLIENT, 40000, SYN | ACK | PSH, 10);
    nfl_join_feed(join, &first);
    nfl_join_feed(join, &answer);
    nfl_flow again = first;
    again.received_us += 30 * TEST_SECOND;
    nfl_join_feed(join, &again);
    nfl_join_advance(join, again.received_us + 60 * TEST_SECOND);
    CU_ASSERT_EQUAL(nfl_join_next(join, &c), NFL_OK); /* early */
    CU_ASSERT_EQUAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT_EQUAL(c->src_packets, 20);
    CU_ASSERT_EQUAL(c->records, 3);
    /* half an hour later the server speaks first */
    nfl_flow later = test_record(1800 * TEST_SECOND, 6, SERVER, 8443, CLIENT, 40000, ACK | PSH, 10);
    nfl_join_feed(join, &later);
    nfl_join_flush(join);
    CU_ASSERT_EQUAL_FATAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT_EQUAL(c->src_port, 40000);
    CU_ASSERT_EQUAL(c->certain, 0);
    nfl_join_free(join);
}

static void test_two_exporters_do_not_count_twice(void)
{
    nfl_join *join = join_make(64);
    const nfl_connection *c;
    nfl_flow one = test_record(0, 6, CLIENT, 40000, SERVER, 443, SYN | ACK | PSH, 10), two = one;
    two.exporter = nfl_ip_from_v4(0x7f000002);
    nfl_join_feed(join, &one);
    nfl_join_feed(join, &two);
    nfl_join_flush(join);
    CU_ASSERT_EQUAL_FATAL(nfl_join_next(join, &c), NFL_OK);
    CU_ASSERT_EQUAL(c->src_packets, 10);
    CU_ASSERT_EQUAL(c->records, 2);
    nfl_join_free(join);
}

static void test_a_full_table_gives_out_the_oldest(void)
{
    nfl_join *join = join_make(10);
    const nfl_connection *c;
    size_t given = 0;
    for (uint16_t i = 0; i < 100; i++) {
        nfl_flow flow = test_record(i, 6, CLIENT, (uint16_t)(1024 + i), SERVER, 443, SYN | ACK | PSH, 2);
        nfl_join_feed(join, &flow);
        while (nfl_join_next(join, &c) == NFL_OK)
            CU_ASSERT_EQUAL(c->src_port, 1024 + given++);
    }
    CU_ASSERT_EQUAL(given, 90);
    CU_ASSERT_EQUAL(nfl_join_evicted(join), 90);
    nfl_join_free(join);
}

static void test_nobody_pulling_loses_the_oldest_only(void)
{
    nfl_join *join = join_make(10);
    const nfl_connection *c;
    for (uint16_t i = 0; i < 1000; i++) {
        nfl_flow flow = test_record(i * TEST_SECOND, 6, CLIENT, (uint16_t)(1024 + i), SERVER, 443, SYN, 1);
        nfl_join_feed(join, &flow);
    }
    nfl_join_flush(join);
    size_t given = 0;
    while (nfl_join_next(join, &c) == NFL_OK)
        given++;
    CU_ASSERT(given >= 10 && given <= 27);
    nfl_join_free(join);
}

/* One line per connection, for comparing runs. */
static uint64_t digest(uint64_t sum, const nfl_connection *c)
{
    const uint8_t *bytes = (const uint8_t *)c;
    for (size_t i = 0; i < sizeof *c; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t random_run(uint32_t advance_every)
{
    test_random r = {test_seed()};
    nfl_join *join = join_make(500);
    const nfl_connection *c;
    uint64_t sum = 1;
    nfl_usec now = TEST_START, told = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        nfl_flow flow;
        test_flow(&r, &flow);
        now += (nfl_usec)test_below(&r, 200) * TEST_MS;
        flow.received_us = now;
        if (advance_every && i % advance_every == 0) {
            nfl_join_advance(join, now);
            while (nfl_join_next(join, &c) == NFL_OK)
                sum = digest(sum, c);
        }
        nfl_join_feed(join, &flow);
        while (nfl_join_next(join, &c) == NFL_OK) {
            CU_ASSERT_FATAL(c->told_us >= told);
            told = c->told_us;
            sum = digest(sum, c);
        }
    }
    nfl_join_flush(join);
    while (nfl_join_next(join, &c) == NFL_OK)
        sum = digest(sum, c);
    nfl_join_free(join);
    return sum;
}

static void test_it_does_not_matter_when_the_time_is_told(void)
{
    uint64_t want = random_run(0);
    CU_ASSERT_EQUAL(random_run(1), want);
    CU_ASSERT_EQUAL(random_run(7), want);
}

static nfl_status join_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_join *join;
    NFL_OPTS(nfl_join_opts, o, .alloc = alloc, .max_connections = 100);
    nfl_status status = nfl_join_new(&o, &join, NULL);
    if (status < 0)
        return status;
    test_allocator *counted = alloc->ctx;
    long requests = counted->requests;
    test_random r = {test_seed()};
    for (uint32_t i = 0; i < 500; i++) {
        nfl_flow flow;
        test_flow(&r, &flow);
        nfl_join_feed(join, &flow);
    }
    CU_ASSERT_EQUAL(counted->requests, requests);
    CU_ASSERT_EQUAL(nfl_join_memory(join), (size_t)counted->live);
    nfl_join_free(join);
    return NFL_OK;
}

static void test_only_creation_allocates(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(join_scenario, NULL, 0), 4);
    NFL_OPTS(nfl_join_opts, o, .max_connections = UINT32_MAX);
    nfl_join *join;
    CU_ASSERT_EQUAL(nfl_join_new(&o, &join, NULL), NFL_E_ARG);
}

NFL_SUITE("join", {"outcome and direction", test_outcomes_and_direction},
          {"biflows are turned round", test_biflows_are_turned_round},
          {"echo and reply are one connection", test_echo_and_reply_are_one_connection},
          {"failures come early and once more at their end",
           test_failures_come_early_and_once_more_at_their_end},
          {"a late answer prevents the early judgement", test_a_late_answer_prevents_the_early_judgement},
          {"unanswered needs an exporter that sees both directions",
           test_unanswered_needs_an_exporter_that_sees_both_directions},
          {"sampled records prove no failure", test_sampled_records_prove_no_failure},
          {"parts of a long flow are joined and keep their direction",
           test_parts_of_a_long_flow_are_joined_and_keep_their_direction},
          {"two exporters do not count twice", test_two_exporters_do_not_count_twice},
          {"a full table gives out the oldest", test_a_full_table_gives_out_the_oldest},
          {"nobody pulling loses the oldest only", test_nobody_pulling_loses_the_oldest_only},
          {"it does not matter when the time is told", test_it_does_not_matter_when_the_time_is_told},
          {"only creation allocates", test_only_creation_allocates})

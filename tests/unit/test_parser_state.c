#include <CUnit/Basic.h>

#include "parser_feed.h"

#include <stdlib.h>
#include <string.h>

/* Sequence numbers of datagrams with 2 records each: what is lost, late, came twice, and how often the exporter
 * restarted. */
static void loss_is_counted_in_the_unit_of_the_version(void)
{
    static const struct {
        const char *name;
        uint16_t version;
        uint32_t numbers[6];
        size_t count;
        uint64_t lost, late, restarts, duplicates;
    } t[] = {
        {"v9 in order", 9, {5, 6, 7}, 3, 0, 0, 0, 0},
        {"v9 one lost", 9, {5, 7, 8}, 3, 1, 0, 0, 0},
        {"v9 late, not lost", 9, {5, 7, 6, 8}, 4, 0, 1, 0, 0},
        {"v9 wrap", 9, {0xffffffff, 0, 1}, 3, 0, 0, 0, 0},
        {"v9 two lost, one of them late", 9, {5, 8, 6, 9}, 4, 1, 1, 0, 0},
        {"v9 late out of the middle of a gap", 9, {5, 10, 7, 6, 9}, 5, 1, 3, 0, 0},
        {"v9 one twice", 9, {5, 6, 6, 7}, 4, 0, 0, 0, 1},
        {"v9 one twice, the second time late", 9, {5, 6, 7, 5, 8}, 5, 0, 0, 0, 1},
        {"v9 late, and that twice", 9, {5, 7, 6, 6, 8}, 5, 0, 1, 0, 1},
        {"v9 one twice behind a gap, which stays", 9, {5, 8, 8, 9}, 4, 2, 0, 0, 1},
        {"v9 one three times", 9, {5, 6, 6, 6, 7}, 5, 0, 0, 0, 2},
        {"v9 all twice over the wrap", 9, {0xffffffff, 0xffffffff, 0, 0, 1, 1}, 6, 0, 0, 0, 3},
        {"v9 a jump too far", 9, {5, 5000000, 5000001}, 3, 0, 0, 1, 0},
        {"v5 counts flows", 5, {10, 12, 14}, 3, 0, 0, 0, 0},
        {"v5 four flows lost", 5, {10, 16, 18}, 3, 4, 0, 0, 0},
        {"v5 late", 5, {10, 14, 12, 16}, 4, 0, 1, 0, 0},
        {"IPFIX counts records", 10, {10, 12, 14}, 3, 0, 0, 0, 0},
        {"IPFIX loss", 10, {10, 20}, 2, 8, 0, 0, 0},
        {"IPFIX late", 10, {10, 14, 12, 16}, 4, 0, 1, 0, 0},
        {"IPFIX one twice", 10, {10, 12, 12, 14}, 4, 0, 0, 0, 1},
        {"IPFIX late, and that twice", 10, {10, 14, 12, 12, 16}, 5, 0, 1, 0, 1},
        {"v5 one twice", 5, {10, 12, 14, 12, 16}, 5, 0, 0, 0, 1},
        {"v5 one twice behind a gap, which stays", 5, {10, 16, 16, 18}, 4, 4, 0, 0, 1},
    };
    static test_datagram d;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        outcome out;
        for (size_t j = 0; j < t[i].count; j++) {
            if (t[i].version == 5) {
                test_v5(&d, 2, UPTIME, SECONDS, t[i].numbers[j], 0);
                for (int k = 0; k < 24; k++)
                    test_bytes(&d, "00000000");
            } else if (t[i].version == 9) {
                test_v9(&d, UPTIME, SECONDS, t[i].numbers[j], 7);
                test_bytes(&d, SET_T9 SET_D SET_D);
            } else {
                test_ipfix(&d, SECONDS, t[i].numbers[j], 7);
                test_bytes(&d, SET_T10 SET_D SET_D);
            }
            feed(parser, &d, &out);
        }
        nfl_domain_info info = info_of(parser);
        nfl_parser_stats s = stats_of(parser);
        NFL_CHECK(t[i].name, info.lost == t[i].lost);
        NFL_CHECK(t[i].name, info.late == t[i].late);
        NFL_CHECK(t[i].name, info.restarts == t[i].restarts);
        NFL_CHECK(t[i].name, info.duplicates == t[i].duplicates);
        NFL_CHECK(t[i].name, s.lost_flows + s.lost_datagrams + s.lost_records == t[i].lost);
        NFL_CHECK(t[i].name, s.late_datagrams == t[i].late && s.restarts == t[i].restarts);
        NFL_CHECK(t[i].name, s.duplicate_datagrams == t[i].duplicates);
        nfl_parser_free(parser);
    }
}

enum { NUMBER_BEFORE, NUMBER_INCLUDED, NUMBER_MESSAGES };

/* One message numbered in a way of its own; *number goes on, also where the message is lost. */
static void feed_numbered(nfl_parser *parser, int numbering, uint32_t *number, uint32_t count, int lost)
{
    static test_datagram d;
    outcome out;
    uint32_t own = numbering == NUMBER_INCLUDED ? count : 0;
    test_ipfix(&d, SECONDS, *number + own, 7);
    test_bytes(&d, SET_T10);
    for (uint32_t i = 0; i < count; i++)
        test_bytes(&d, SET_D);
    *number += numbering == NUMBER_MESSAGES ? 1 : count;
    if (!lost)
        feed(parser, &d, &out);
}

static int same_losses(const nfl_domain_info *a, const nfl_domain_info *b)
{
    return a->lost == b->lost && a->late == b->late && a->restarts == b->restarts && a->duplicates == b->duplicates;
}

/* VMware NSX includes a message's own records in its number, others count messages. Bursts of 0 to 3 records. */
static void numbers_of_other_meaning_are_understood(void)
{
    static const struct {
        const char *name;
        int numbering;
        uint64_t lost; /* by one message of 3 records */
    } t[] = {{"records before", NUMBER_BEFORE, 3},
             {"records included", NUMBER_INCLUDED, 3},
             {"messages", NUMBER_MESSAGES, 1}};
    static const uint32_t counts[] = {2, 1, 3, 0, 1, 2, 1, 3, 2, 0, 1, 3, 0, 2, 1, 1, 3, 0};
    enum { MESSAGES = sizeof counts / sizeof *counts, LEARNT = MESSAGES, LOST = 2 * MESSAGES + 2 };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        nfl_domain_info learnt = {0}, info = {0};
        uint32_t number = 1000;
        for (uint32_t j = 0; j < 3 * MESSAGES; j++) {
            feed_numbered(parser, t[i].numbering, &number, counts[j % MESSAGES], j == LOST);
            if (j == LEARNT)
                learnt = info_of(parser);
            if (j == LOST)
                info = info_of(parser);
        }
        NFL_CHECK(t[i].name,
                  t[i].numbering != NUMBER_BEFORE || learnt.lost + learnt.late + learnt.restarts == 0);
        NFL_CHECK(t[i].name, same_losses(&info, &learnt));
        info = info_of(parser);
        learnt.lost += t[i].lost;
        NFL_CHECK(t[i].name, same_losses(&info, &learnt));
        NFL_CHECK(t[i].name, info.next_sequence == number);
        NFL_CHECK(t[i].name, stats_of(parser).lost_records == info.lost);
        NFL_CHECK(t[i].name, stats_of(parser).late_datagrams == info.late);
        for (uint32_t j = 0; j < 2 * MESSAGES; j++) { /* a new firmware does as the standard says */
            feed_numbered(parser, NUMBER_BEFORE, &number, counts[j % MESSAGES], 0);
            if (j == LEARNT)
                learnt = info_of(parser);
        }
        info = info_of(parser);
        NFL_CHECK(t[i].name, same_losses(&info, &learnt));
        nfl_parser_free(parser);
    }
}

/* The number alone makes no duplicate; and of those long ago nothing is known. */
static void only_the_same_datagram_is_a_duplicate(void)
{
    enum { TWICE = 1, LATE = 2 };
    static const struct {
        const char *name;
        uint32_t uptimes[2], seconds[2];
        const char *sets[2];
        uint32_t between; /* datagrams */
        int what;
    } t[] = {
        {"the same", {UPTIME, UPTIME}, {SECONDS, SECONDS}, {SET_T9 SET_D, SET_T9 SET_D}, 0, TWICE},
        {"63 others between", {UPTIME, UPTIME}, {SECONDS, SECONDS}, {SET_T9 SET_D, SET_T9 SET_D}, 63, TWICE},
        {"64 others between", {UPTIME, UPTIME}, {SECONDS, SECONDS}, {SET_T9 SET_D, SET_T9 SET_D}, 64, LATE},
        {"another uptime", {UPTIME, UPTIME + 1}, {SECONDS, SECONDS}, {SET_T9 SET_D, SET_T9 SET_D}, 0, LATE},
        {"another time", {UPTIME, UPTIME}, {SECONDS, SECONDS - 1}, {SET_T9 SET_D, SET_T9 SET_D}, 0, LATE},
        {"another length", {UPTIME, UPTIME}, {SECONDS, SECONDS}, {SET_T9 SET_D, SET_T9 SET_D SET_D}, 0, LATE},
    };
    static test_datagram d;
    outcome out;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        for (uint32_t j = 0; j < t[i].between + 2; j++) {
            size_t last = j == t[i].between + 1;
            test_v9(&d, t[i].uptimes[last], t[i].seconds[last], last ? 100 : 100 + j, 7);
            test_bytes(&d, t[i].sets[last]);
            feed(parser, &d, &out);
        }
        CU_ASSERT(out.flow_count > 0); /* decoded like the others */
        NFL_CHECK(t[i].name, info_of(parser).duplicates == (t[i].what == TWICE));
        NFL_CHECK(t[i].name, info_of(parser).late == (t[i].what == LATE));
        NFL_CHECK(t[i].name, info_of(parser).lost == 0);
        nfl_parser_free(parser);
    }
}

/* IPFIX: what a message counts may be 0, unknown, or part of its own number. */
static void duplicates_of_ipfix_are_told_from_messages_that_look_alike(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    for (unsigned i = 0; i < 3; i++) { /* no records: the next one has the same number, whatever it holds */
        test_ipfix(&d, SECONDS, 10, 7);
        test_bytes(&d, SET_T10);
        feed(parser, &d, &out);
    }
    CU_ASSERT(info_of(parser).duplicates == 0 && info_of(parser).late == 0);
    for (unsigned i = 0; i < 2; i++) { /* without template */
        test_ipfix(&d, SECONDS, 10, 7);
        test_bytes(&d, "0110 000c 0a000001 00000001");
        feed(parser, &d, &out);
    }
    CU_ASSERT(info_of(parser).duplicates == 1 && info_of(parser).late == 0);
    nfl_parser_free(parser);
    parser = new_parser(0);
    uint32_t number = 1000;
    for (uint32_t i = 0; i < 20; i++)
        feed_numbered(parser, NUMBER_INCLUDED, &number, 1 + i % 3, 0);
    nfl_domain_info learnt = info_of(parser);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t again = number;
        feed_numbered(parser, NUMBER_INCLUDED, &number, 2, 0);
        feed_numbered(parser, NUMBER_INCLUDED, &again, 2, 0);
    }
    nfl_domain_info info = info_of(parser);
    CU_ASSERT(info.duplicates == learnt.duplicates + 3 && info.lost == learnt.lost && info.late == learnt.late);
    CU_ASSERT_EQUAL(info.next_sequence, number);
    nfl_parser_free(parser);
}

static void uncountable_records_are_not_reported_lost(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_ipfix(&d, SECONDS, 10, 7);
    test_bytes(&d, SET_D); /* no template: how many records? */
    feed(parser, &d, &out);
    test_ipfix(&d, SECONDS, 60, 7);
    test_bytes(&d, SET_T10 SET_D);
    feed(parser, &d, &out);
    test_ipfix(&d, SECONDS, 63, 7);
    test_bytes(&d, SET_D);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(info_of(parser).lost, 2);
    CU_ASSERT_EQUAL(info_of(parser).next_sequence, 64);
    nfl_parser_free(parser);
}

static void a_restarted_exporter_is_no_loss(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    static const uint32_t v9[][3] = {{UPTIME, SECONDS, 5000},
                                     {UPTIME + 1000, SECONDS + 1, 5001},
                                     {3000, SECONDS + 60, 0},
                                     {4000, SECONDS + 61, 1}};
    for (size_t i = 0; i < 4; i++) {
        test_v9(&d, v9[i][0], v9[i][1], v9[i][2], 7);
        feed(parser, &d, &out);
    }
    CU_ASSERT(info_of(parser).lost == 0 && info_of(parser).restarts == 1 && info_of(parser).late == 0);
    nfl_parser_free(parser);
    parser = new_parser(0); /* sysUptime wraps after 49.7 days: no restart */
    static const uint32_t wrap[][3] = {{0xfffffc18, SECONDS, 5}, {0, SECONDS + 1, 6}, {1000, SECONDS + 2, 7}};
    for (size_t i = 0; i < 3; i++) {
        test_v9(&d, wrap[i][0], wrap[i][1], wrap[i][2], 7);
        feed(parser, &d, &out);
    }
    CU_ASSERT(info_of(parser).lost == 0 && info_of(parser).restarts == 0);
    nfl_parser_free(parser);
}

static void limits_hold(void)
{
    static test_datagram d;
    outcome out;
    NFL_OPTS(nfl_parser_opts, opts, .max_templates = 2, .max_fields = 3);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, "0002 0018 0100 0004 0008 0004 0001 0004 0002 0004 0003 0004"); /* 4 fields */
    test_bytes(&d, "0002 001c 0101 0001 0008 0004 0102 0001 0008 0004 0103 0001 0008 0004");
    test_bytes(&d, "0101 0008 0a000001 0102 0008 0a000001 0103 0008 0a000001");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.flow_count, 2);
    CU_ASSERT_EQUAL(out.errors, 3); /* too many fields, too many templates, a set without template */
    CU_ASSERT_EQUAL(stats_of(parser).refused_templates, 2);
    nfl_parser_free(parser);
}

static void templates_expire(void)
{
    static test_datagram d;
    outcome out;
    NFL_OPTS(nfl_parser_opts, opts, .template_ttl_s = 60, .max_templates = 1, .flags = NFL_PARSER_NO_PENDING);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_T10);
    feed(parser, &d, &out);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_D);
    test_close(&d);
    feed_bytes(parser, d.bytes, d.len, NOW + 59 * SECOND, &out);
    CU_ASSERT_EQUAL(out.flow_count, 1);
    feed_bytes(parser, d.bytes, d.len, NOW + 61 * SECOND, &out);
    CU_ASSERT_EQUAL(out.last_error, NFL_E_NO_TEMPLATE);
    CU_ASSERT_EQUAL(stats_of(parser).expired_templates, 1);
    nfl_parser_free(parser);
}

/* A flood of forged exporters within a memory limit: nothing crashes, the limit holds, an exporter in service keeps
 * its templates. */
static void a_flood_displaces_only_newcomers(void)
{
    static test_datagram d;
    outcome out;
    NFL_OPTS(nfl_parser_opts, opts, .max_domains = 16, .max_bytes = 200000, .seed = 99,
             .flags = NFL_PARSER_NO_PENDING);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    for (int i = 0; i < 3; i++) { /* two minutes of service */
        test_ipfix(&d, SECONDS, 0, 7);
        test_bytes(&d, SET_T10);
        test_close(&d);
        feed_bytes(parser, d.bytes, d.len, NOW + i * 60 * SECOND, &out);
    }
    for (uint32_t i = 0; i < 3000; i++) {
        nfl_ip forged = nfl_ip_from_v4(0xc6120000u + i);
        const nfl_flow *flow;
        test_ipfix(&d, SECONDS, 0, i);
        for (unsigned j = 0; j < 3; j++)
            test_bytes(&d, SET_T10);
        d.bytes[20] = (uint8_t)(1 + i % 7);
        test_close(&d);
        nfl_status status = nfl_parser_feed(parser, &forged, NOW + 300 * SECOND, d.bytes, d.len, NULL);
        while (status == NFL_OK && nfl_parser_next(parser, &flow, NULL) != NFL_DONE)
            continue;
        CU_ASSERT(nfl_parser_memory(parser) <= 200000);
    }
    test_ipfix(&d, SECONDS, 0, 7);
    test_bytes(&d, SET_D);
    test_close(&d);
    feed_bytes(parser, d.bytes, d.len, NOW + 301 * SECOND, &out);
    CU_ASSERT_EQUAL(out.flow_count, 1);
    CU_ASSERT_EQUAL(stats_of(parser).domains, 16);
    CU_ASSERT_EQUAL(stats_of(parser).evicted_domains, 3001 - 16);
    nfl_parser_free(parser);
}

static nfl_status allocation_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    static test_datagram d;
    NFL_OPTS(nfl_parser_opts, opts, .alloc = alloc, .flags = NFL_PARSER_COPY_INPUT);
    nfl_parser *parser = NULL;
    nfl_status status = nfl_parser_new(&opts, &parser, NULL), worst = NFL_OK;
    if (status < 0)
        return status;
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d,
               SET_D SET_T10 SET_D "0003 0012 0101 0002 0001 0095 0004 0022 0002 0101 000a 00000007 0064");
    for (unsigned i = 0; i < 12; i++) {
        test_set(&d, 2);
        test_number(&d, 300 + i, 2);
        test_bytes(&d, "0002 0008 0004 0052 ffff");
    }
    test_close(&d);
    for (int i = 0; i < 2; i++) {
        const nfl_flow *flow;
        status = nfl_parser_feed(parser, &exporter, NOW, d.bytes, d.len, NULL);
        while (status == NFL_OK && (status = nfl_parser_next(parser, &flow, NULL)) != NFL_DONE) {
            if (status == NFL_E_NOMEM)
                worst = status;
            status = NFL_OK;
        }
        if (status == NFL_E_NOMEM)
            worst = status;
    }
    nfl_parser_free(parser);
    return worst;
}

static void allocation_failures_leak_nothing(void)
{
    /* a waiting set or a sampler that found no memory is counted or learnt later, not reported; growth that fails is
     * tried again smaller */
    long points = test_allocation_failures(allocation_scenario, NULL, 12);
    CU_ASSERT(points > 15);
}

static void steady_state_allocates_nothing(void)
{
    static test_datagram d;
    test_allocator t;
    test_allocator_init(&t, -1, 0);
    NFL_OPTS(nfl_parser_opts, opts, .alloc = &t.alloc, .flags = NFL_PARSER_COPY_INPUT);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    outcome out;
    long before = 0;
    for (uint32_t i = 0; i < 200; i++) {
        test_ipfix(&d, SECONDS, i, 7);
        test_bytes(&d, SET_T10 "0003 0012 0101 0002 0001 0095 0004 0022 0002 0101 000a 00000007 0064");
        test_bytes(&d, "0002 0010 012c 0002 0008 0004 0052 ffff 012c 000b 0a000001 02 6162");
        test_bytes(&d, SET_D SET_D);
        feed(parser, &d, &out);
        CU_ASSERT_EQUAL(out.flow_count, 3);
        if (i == 1)
            before = t.requests;
    }
    CU_ASSERT_EQUAL(t.requests, before);
    CU_ASSERT_EQUAL(nfl_parser_memory(parser), (size_t)t.live);
    nfl_parser_free(parser);
    CU_ASSERT_EQUAL(t.live, 0);
}

NFL_SUITE("parser state",
          {"loss is counted in the unit of the version", loss_is_counted_in_the_unit_of_the_version},
          {"numbers of another meaning are understood", numbers_of_other_meaning_are_understood},
          {"only the same datagram is a duplicate", only_the_same_datagram_is_a_duplicate},
          {"duplicates of IPFIX are told from messages that look alike",
           duplicates_of_ipfix_are_told_from_messages_that_look_alike},
          {"records that cannot be counted are not reported lost", uncountable_records_are_not_reported_lost},
          {"a restarted exporter is no loss", a_restarted_exporter_is_no_loss}, {"limits hold", limits_hold},
          {"templates expire", templates_expire},
          {"a flood displaces only newcomers", a_flood_displaces_only_newcomers},
          {"allocation failures leak nothing", allocation_failures_leak_nothing},
          {"steady state allocates nothing", steady_state_allocates_nothing})

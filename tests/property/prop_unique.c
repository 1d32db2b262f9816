/* A query that counts once what several exporters saw gives what the plain query gives over those records that a plain evaluation
 * keeps; wherever the records are held, whatever the blocks. */
#include <CUnit/Basic.h>

#include "answers.h"
#include "column_source.h"
#include "query/exec.h"

#include <netflow/filter.h>
#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 400, ROUNDS = 300, MANY = 6000, BUDGETS = 20 };

#define START INT64_C(1795440000000000)
#define HOUR INT64_C(3600000000)

typedef struct point {
    uint64_t packets, bytes;
} point;

/* --- The plain evaluation ---- */

static uint64_t number(const nfl_flow *flow, uint32_t field, uint64_t value)
{
    return flow->present & NFL_HAS(field) ? value : 0;
}

static int is_icmp(const nfl_flow *flow)
{
    uint64_t proto = number(flow, NFL_FIELD_PROTO, flow->proto);
    return proto == 1 || proto == 58;
}

static int64_t hour_of(const nfl_flow *flow)
{
    int64_t hour = flow->first_us / HOUR;
    return hour * HOUR > flow->first_us ? hour - 1 : hour;
}

static int same_ports(const nfl_flow *a, const nfl_flow *b)
{
    if (is_icmp(a))
        return number(a, NFL_FIELD_ICMP_TYPE, a->icmp_type) == number(b, NFL_FIELD_ICMP_TYPE, b->icmp_type) &&
               number(a, NFL_FIELD_ICMP_CODE, a->icmp_code) == number(b, NFL_FIELD_ICMP_CODE, b->icmp_code);
    return number(a, NFL_FIELD_SRC_PORT, a->src_port) == number(b, NFL_FIELD_SRC_PORT, b->src_port) &&
           number(a, NFL_FIELD_DST_PORT, a->dst_port) == number(b, NFL_FIELD_DST_PORT, b->dst_port);
}

static int same_traffic(const nfl_flow *a, const nfl_flow *b)
{
    return nfl_ip_compare(&a->src, &b->src) == 0 && nfl_ip_compare(&a->dst, &b->dst) == 0 &&
           number(a, NFL_FIELD_PROTO, a->proto) == number(b, NFL_FIELD_PROTO, b->proto) && hour_of(a) == hour_of(b) && same_ports(a, b);
}

static int has_ends(const nfl_flow *flow)
{
    return (flow->present & NFL_HAS(NFL_FIELD_SRC)) && (flow->present & NFL_HAS(NFL_FIELD_DST));
}

/* Below 0: the point of a comes first, by its name. */
static int compare_points(const nfl_flow *a, const nfl_flow *b)
{
    uint64_t in = number(a, NFL_FIELD_DIRECTION, a->direction), out = number(b, NFL_FIELD_DIRECTION, b->direction);
    int order = nfl_ip_compare(&a->exporter, &b->exporter);
    if (order == 0)
        order = a->domain < b->domain ? -1 : a->domain > b->domain;
    return order ? order : in < out ? -1 : in > out;
}

static point saw(const nfl_flow *flows, size_t count, const nfl_flow *by)
{
    point sum = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (!has_ends(&flows[i]) || !same_traffic(&flows[i], by) || compare_points(&flows[i], by) != 0)
            continue;
        sum.packets += nfl_flow_scaled(&flows[i], number(&flows[i], NFL_FIELD_PACKETS, flows[i].packets));
        sum.bytes += nfl_flow_scaled(&flows[i], number(&flows[i], NFL_FIELD_BYTES, flows[i].bytes));
    }
    return sum;
}

static int is_best(const nfl_flow *flows, const point *points, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++) {
        if (!has_ends(&flows[i]) || !same_traffic(&flows[i], &flows[at]))
            continue;
        int order = points[i].packets != points[at].packets ? (points[i].packets > points[at].packets ? -1 : 1)
                    : points[i].bytes != points[at].bytes   ? (points[i].bytes > points[at].bytes ? -1 : 1)
                                                            : compare_points(&flows[i], &flows[at]);
        if (order < 0)
            return 0;
    }
    return 1;
}

/* The flows that a query shall see; returns how many, and in *matched how many window and filter let pass. */
static size_t evaluate(const nfl_flow *flows, size_t count, const nfl_query *query, nfl_flow *kept, size_t *matched)
{
    nfl_filter *filter = NULL;
    nfl_flow *passed = calloc(count, sizeof *passed);
    point *points = calloc(count, sizeof *points);
    size_t n = 0, kept_count = 0;
    if (!passed || !points || nfl_filter_new(query->filter ? query->filter : "", NULL, &filter, NULL) != NFL_OK)
        abort();
    for (size_t i = 0; i < count; i++)
        if ((!query->from_us || flows[i].first_us >= query->from_us) && (!query->to_us || flows[i].first_us < query->to_us) &&
            nfl_filter_match(filter, &flows[i]))
            passed[n++] = flows[i];
    for (size_t i = 0; i < n; i++)
        points[i] = saw(passed, n, &passed[i]);
    for (size_t i = 0; i < n; i++)
        if (!has_ends(&passed[i]) || is_best(passed, points, n, i))
            kept[kept_count++] = passed[i];
    *matched = n;
    free(points);
    free(passed);
    nfl_filter_free(filter);
    return kept_count;
}

/* --- Flows and queries ---- */

/* Few conversations, several exporters, all of it again and again. */
static void overlapping_flow(test_random *random, uint32_t hosts, uint32_t number, nfl_flow *flow)
{
    static const uint8_t protos[] = {6, 6, 17, 1, 58};
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    flow->received_us = START + (nfl_usec)number * 1000;
    flow->first_us = START + (nfl_usec)test_below(random, 3) * HOUR + (nfl_usec)test_below(random, 50) * 60000000 -
                     (test_chance(random, 5) ? START + HOUR + 1 : 0);
    flow->last_us = flow->first_us + (nfl_usec)test_below(random, 60) * 60000000;
    flow->flows = 1;
    flow->src = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    flow->dst = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    if (test_chance(random, 30))
        flow->src.b[0] = flow->dst.b[0] = 0x20; /* IPv6 */
    flow->src_port = (uint16_t)test_below(random, 2);
    flow->dst_port = (uint16_t)(test_below(random, 2) * 443);
    flow->proto = protos[test_below(random, sizeof protos)];
    flow->icmp_type = (uint8_t)(test_below(random, 2) * 8);
    flow->icmp_code = (uint8_t)test_below(random, 2);
    flow->exporter = nfl_ip_from_v4(0xc0000200u + (uint32_t)test_below(random, 3));
    flow->exporter.b[0] = test_chance(random, 20) ? 0x20 : 0;
    flow->domain = (uint32_t)test_below(random, 2);
    flow->direction = (uint8_t)test_below(random, 2);
    flow->packets = 1 + test_below(random, 3);
    flow->bytes = flow->packets * 100 + test_below(random, 2);
    flow->sampling = test_chance(random, 20) ? 2 : 1;
    flow->in_if = number;
    flow->present = NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_SAMPLING) | (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_SRC) : 0) |
                    (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_DST) : 0) | (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_PROTO) : 0) |
                    (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_BYTES) : 0) |
                    (is_icmp(flow) && test_chance(random, 95) ? NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE) : 0) |
                    (test_chance(random, 90) ? NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) : 0) |
                    (test_chance(random, 80) ? NFL_HAS(NFL_FIELD_DIRECTION) : 0);
}

static void choose_query(test_random *random, nfl_query *query)
{
    static const char *const filters[] = {NULL, NULL, "udp or icmp", "src ip 10.0.0.1", "exporter 192.0.2.1", "packets > 1", "not exists direction"};
    static const char *const groups[] = {NULL, "proto", "src,dst", "exporter,domain"};
    *query = (nfl_query){.struct_size = sizeof *query, .filter = filters[test_below(random, 7)], .group_by = groups[test_below(random, 4)]};
    query->columns = query->group_by ? "bytes,packets,flows,in_if" : "in_if,bytes,packets";
    if (query->group_by && test_chance(random, 40))
        query->bucket_us = (nfl_usec)(1 + test_below(random, 5)) * HOUR / 4;
    if (query->group_by && test_chance(random, 20))
        query->columns = "bytes,packets,distinct(in_if)";
    query->order_by = query->group_by || test_chance(random, 50) ? "bytes" : NULL;
    query->limit = test_chance(random, 30) ? 1 + test_below(random, 10) : 0;
    query->from_us = test_chance(random, 30) ? START + (nfl_usec)test_below(random, 90) * 60000000 : 0;
    query->to_us = test_chance(random, 30) ? START + (nfl_usec)test_below(random, 180) * 60000000 : 0;
    query->flags = (test_chance(random, 30) ? NFL_QUERY_UNSCALED : 0) | (query->bucket_us && test_chance(random, 30) ? NFL_QUERY_SPREAD : 0);
    if (query->flags & NFL_QUERY_SPREAD)
        query->from_us = query->to_us = 0; /* these would be another window */
    if (query->flags & NFL_QUERY_UNSCALED && query->filter && strcmp(query->filter, "packets > 1") == 0)
        query->filter = NULL; /* evaluate() matches scaled counters */
}

/* --- Laws ---- */

/* The answer of a store with the kept flows only. */
static nfl_cursor *ask_kept(const nfl_flow *kept, size_t count, const nfl_query *query)
{
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    nfl_error err;
    if (nfl_store_new("mem:", NULL, &store, NULL) != NFL_OK || (count && nfl_store_append(store, kept, count, sizeof *kept, NULL) != NFL_OK))
        abort();
    if (nfl_store_query(store, query, &cursor, &err) != NFL_OK) {
        printf("\n    %s\n", err.message);
        abort();
    }
    nfl_store_free(store);
    return cursor;
}

static int same_answer(const nfl_query *query, nfl_cursor *asked, const nfl_flow *kept, size_t count, size_t matched)
{
    nfl_query plain = *query;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    plain.flags &= ~NFL_QUERY_UNIQUE;
    plain.max_memory_bytes = 0;
    nfl_cursor *expected = ask_kept(kept, count, &plain);
    int same = asked && test_same_answers(asked, expected) && test_same_totals(asked, expected);
    nfl_cursor_get_stats(asked, &stats);
    nfl_cursor_free(expected);
    return same && stats.rows_duplicate == matched - count;
}

static void test_answers_are_those_of_the_records_that_count(void)
{
    static nfl_flow flows[FLOWS], kept[FLOWS];
    test_random random = {test_seed()};
    uint64_t seed = random.state;
    size_t left_out = 0, matched;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t hosts = 1 + (uint32_t)test_below(&random, 5);
        nfl_query query;
        for (uint32_t i = 0; i < FLOWS && round % 20 == 0; i++)
            overlapping_flow(&random, hosts, i, &flows[i]);
        choose_query(&random, &query);
        size_t count = evaluate(flows, FLOWS, &query, kept, &matched);
        left_out += matched - count;
        query.flags |= NFL_QUERY_UNIQUE;
        for (uint32_t block_rows = 3; block_rows <= 300; block_rows *= 10) {
            test_columns columns;
            test_columns_init(&columns, flows, FLOWS, block_rows, seed + round);
            nfl_cursor *cursor = test_ask_columns(&columns, &query);
            if (!same_answer(&query, cursor, kept, count, matched)) {
                printf("\n    NFL_SEED=%llu, round %u: filter '%s' by '%s' flags %u\n", (unsigned long long)seed, round,
                       query.filter ? query.filter : "", query.group_by ? query.group_by : "", query.flags);
                CU_FAIL("see above");
            }
            nfl_cursor_free(cursor);
            CU_ASSERT_EQUAL(columns.references, 0);
            CU_ASSERT_EQUAL(columns.opened, 0);
            CU_ASSERT_EQUAL(columns.misuse, 0);
        }
    }
    CU_ASSERT(left_out > ROUNDS * FLOWS / 20);
}

static void test_questions_may_be_asked_together(void)
{
    static nfl_flow flows[FLOWS];
    test_random random = {test_seed()};
    nfl_store *store = NULL;
    for (uint32_t i = 0; i < FLOWS; i++)
        overlapping_flow(&random, 3, i, &flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(store, flows, FLOWS, sizeof *flows, NULL), NFL_OK);
    for (unsigned round = 0; round < 50; round++) {
        nfl_query asked[3];
        const nfl_query *queries[3] = {&asked[0], &asked[1], &asked[2]};
        nfl_cursor *cursors[3];
        nfl_usec from_us = round % 3 ? START + (nfl_usec)test_below(&random, 90) * 60000000 : 0;
        for (int i = 0; i < 3; i++) {
            choose_query(&random, &asked[i]);
            asked[i].filter = "not (proto 253 and proto 254)";
            asked[i].from_us = from_us;
            asked[i].to_us = 0;
            asked[i].flags |= test_chance(&random, 60) ? NFL_QUERY_UNIQUE : 0;
            asked[i].max_memory_bytes = round % 2 ? 0 : 600000 + 20000 * test_below(&random, 20);
        }
        CU_ASSERT_EQUAL_FATAL(nfl_store_query_all(store, queries, 3, cursors, NULL), NFL_OK);
        for (int i = 0; i < 3; i++) {
            nfl_cursor *alone = NULL;
            asked[i].max_memory_bytes = 0;
            CU_ASSERT_EQUAL_FATAL(nfl_store_query(store, &asked[i], &alone, NULL), NFL_OK);
            CU_ASSERT(test_same_answers(cursors[i], alone));
            CU_ASSERT(test_same_totals(cursors[i], alone));
            nfl_cursor_free(alone);
            nfl_cursor_free(cursors[i]);
        }
    }
    nfl_store_free(store);
}

static void test_several_passes_see_the_same_records(void)
{
    static nfl_flow flows[MANY], kept[MANY];
    test_random random = {test_seed()};
    uint64_t several = 0;
    size_t matched;
    NFL_OPTS(nfl_query, query, .group_by = "in_if", .columns = "bytes,flows", .order_by = "bytes", .limit = 20, .flags = NFL_QUERY_UNIQUE);
    for (uint32_t i = 0; i < MANY; i++) {
        overlapping_flow(&random, 1, i, &flows[i]);
        if (test_chance(&random, 90)) { /* one point has most of it: many records, few conversations */
            flows[i].exporter = nfl_ip_from_v4(0xc0000201u);
            flows[i].domain = flows[i].direction = 0;
        }
    }
    size_t count = evaluate(flows, MANY, &query, kept, &matched);
    CU_ASSERT(count > MANY / 2 && count < MANY);
    for (unsigned round = 0; round < BUDGETS; round++) {
        nfl_query_stats stats = {.struct_size = sizeof stats};
        test_columns columns;
        query.max_memory_bytes = 600000 + 15000 * round;
        test_columns_init(&columns, flows, MANY, 1500, random.state);
        nfl_cursor *cursor = test_ask_columns(&columns, &query);
        CU_ASSERT(same_answer(&query, cursor, kept, count, matched));
        nfl_cursor_get_stats(cursor, &stats);
        CU_ASSERT(stats.memory_bytes <= query.max_memory_bytes);
        several += stats.passes > 1;
        nfl_cursor_free(cursor);
    }
    CU_ASSERT(several > 2);
}

NFL_SUITE("unique laws", {"answers are those of the records that count", test_answers_are_those_of_the_records_that_count},
          {"questions may be asked together", test_questions_may_be_asked_together},
          {"several passes see the same records", test_several_passes_see_the_same_records})

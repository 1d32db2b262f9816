/* A query over biflows gives what the plain query gives over the records that a plain evaluation puts together; wherever the records
 * are held, whatever the blocks. Nothing is lost or counted twice. */
#include <CUnit/Basic.h>

#include "answers.h"
#include "column_source.h"
#include "query/exec.h"
#include "record/fields.h"

#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 400, ROUNDS = 200, MANY = 6000, BUDGETS = 12 };

#define START INT64_C(1795440000000000)
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

#define HAS_REVERSE (NFL_HAS(NFL_FIELD_REVERSE_BYTES) | NFL_HAS(NFL_FIELD_REVERSE_PACKETS) | NFL_HAS(NFL_FIELD_REVERSE_TCP_FLAGS))

/* --- The plain evaluation ---- */

typedef struct evaluation {
    nfl_flow waiting[MANY]; /* in order of arrival */
    size_t waiting_count;
    nfl_flow *out;
    size_t out_count;
    size_t joined;
} evaluation;

static int has(const nfl_flow *flow, uint32_t field)
{
    return (flow->present & NFL_HAS(field)) != 0;
}

static void give(evaluation *e, const nfl_flow *flow, const nfl_flow *answer)
{
    nfl_flow *out = &e->out[e->out_count++];
    *out = *flow;
    out->present |= has(answer ? answer : flow, NFL_FIELD_BYTES) ? NFL_HAS(NFL_FIELD_REVERSE_BYTES) : 0;
    out->present |= has(answer ? answer : flow, NFL_FIELD_PACKETS) ? NFL_HAS(NFL_FIELD_REVERSE_PACKETS) : 0;
    if (!answer)
        return;
    e->joined++;
    out->present |= has(answer, NFL_FIELD_TCP_FLAGS) ? NFL_HAS(NFL_FIELD_REVERSE_TCP_FLAGS) : 0;
    out->reverse_bytes = answer->bytes;
    out->reverse_packets = answer->packets;
    out->reverse_tcp_flags = answer->tcp_flags;
    out->received_us = flow->received_us > answer->received_us ? flow->received_us : answer->received_us;
    if (has(answer, NFL_FIELD_LAST) && (!has(flow, NFL_FIELD_LAST) || answer->last_us > flow->last_us)) {
        out->present |= NFL_HAS(NFL_FIELD_LAST);
        out->last_us = answer->last_us;
    }
}

static void remove_waiting(evaluation *e, size_t at)
{
    memmove(&e->waiting[at], &e->waiting[at + 1], (--e->waiting_count - at) * sizeof *e->waiting);
}

/* Question or answer of ICMP: the type of the question, 1000 more for answers, 0 for all else; -1 = can have no answer. */
static int role(const nfl_flow *flow)
{
    if (flow->proto == 1)
        return flow->icmp_type == 8 ? 8 : flow->icmp_type == 0 ? 1008 : flow->icmp_type == 13 ? 13 : flow->icmp_type == 14 ? 1013 : -1;
    if (flow->proto == 58)
        return flow->icmp_type == 128 ? 128 : flow->icmp_type == 129 ? 1128 : -1;
    return 0;
}

static int same_point(const nfl_flow *a, const nfl_flow *b)
{
    return nfl_ip_compare(&a->exporter, &b->exporter) == 0 && a->domain == b->domain && a->proto == b->proto &&
           (a->sampling ? a->sampling : 1) == (b->sampling ? b->sampling : 1);
}

static int same_ends(const nfl_flow *a, const nfl_flow *b)
{
    return nfl_ip_compare(&a->src, &b->src) == 0 && nfl_ip_compare(&a->dst, &b->dst) == 0 && a->src_port == b->src_port &&
           a->dst_port == b->dst_port && role(a) == role(b);
}

static int opposite_ends(const nfl_flow *a, const nfl_flow *b)
{
    return nfl_ip_compare(&a->src, &b->dst) == 0 && nfl_ip_compare(&a->dst, &b->src) == 0 && a->src_port == b->dst_port &&
           a->dst_port == b->src_port && (role(a) == 0 ? role(b) == 0 : role(a) - role(b) == 1000 || role(b) - role(a) == 1000);
}

static nfl_usec end_of(const nfl_flow *flow)
{
    return has(flow, NFL_FIELD_LAST) && flow->last_us > flow->first_us ? flow->last_us : flow->first_us;
}

static int fit(const nfl_flow *a, const nfl_flow *b)
{
    nfl_usec gap = (a->first_us > b->first_us ? a->first_us : b->first_us) - (a->first_us > b->first_us ? end_of(b) : end_of(a));
    return same_point(a, b) && opposite_ends(a, b) && llabs(a->received_us - b->received_us) <= 120 * SECOND &&
           llabs(a->first_us - b->first_us) <= HOUR && gap <= 60 * SECOND;
}

static int began(const nfl_flow *a, const nfl_flow *b)
{
    if (a->first_us != b->first_us)
        return a->first_us < b->first_us;
    if (role(a) != role(b))
        return role(a) < role(b);
    return a->src_port != b->src_port ? a->src_port > b->src_port : nfl_ip_compare(&a->src, &b->src) < 0;
}

static void take(evaluation *e, const nfl_flow *flow)
{
    size_t best = SIZE_MAX, alike = 0, oldest = SIZE_MAX;
    for (size_t i = 0; i < e->waiting_count; i++) {
        const nfl_flow *other = &e->waiting[i];
        if (fit(other, flow) && (best == SIZE_MAX || llabs(other->first_us - flow->first_us) < llabs(e->waiting[best].first_us - flow->first_us)))
            best = i;
        if (same_point(other, flow) && same_ends(other, flow) && alike++ == 0)
            oldest = i;
    }
    if (best != SIZE_MAX) {
        nfl_flow other = e->waiting[best];
        remove_waiting(e, best);
        if (began(&other, flow))
            give(e, &other, flow);
        else
            give(e, flow, &other);
        return;
    }
    if (alike >= 8) {
        give(e, &e->waiting[oldest], NULL);
        remove_waiting(e, oldest);
    }
    e->waiting[e->waiting_count++] = *flow;
}

/* What a query shall see instead of the flows; returns how many records. */
static size_t evaluate(const nfl_flow *flows, size_t count, const nfl_query *query, nfl_flow *out, size_t *joined)
{
    evaluation *e = calloc(1, sizeof *e);
    nfl_usec clock_us = INT64_MIN;
    if (!e)
        abort();
    e->out = out;
    for (size_t i = 0; i < count; i++) {
        const nfl_flow *flow = &flows[i];
        if ((query->from_us && flow->first_us < query->from_us - HOUR) || (query->to_us && flow->first_us >= query->to_us + HOUR))
            continue;
        clock_us = flow->received_us > clock_us ? flow->received_us : clock_us;
        while (e->waiting_count && e->waiting[0].received_us + 120 * SECOND < clock_us) {
            give(e, &e->waiting[0], NULL);
            remove_waiting(e, 0);
        }
        if (flow->present & HAS_REVERSE || !has(flow, NFL_FIELD_SRC) || !has(flow, NFL_FIELD_DST))
            out[e->out_count++] = *flow;
        else if (role(flow) < 0 || (nfl_ip_compare(&flow->src, &flow->dst) == 0 && flow->src_port == flow->dst_port))
            give(e, flow, NULL);
        else
            take(e, flow);
    }
    for (; e->waiting_count; remove_waiting(e, 0))
        give(e, &e->waiting[0], NULL);
    size_t n = e->out_count;
    *joined = e->joined;
    free(e);
    return n;
}

/* --- Flows and queries ---- */

/* What is not there is 0. */
static void clear_absent(nfl_flow *flow)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (nfl__field_row(field) && !nfl__flow_has(flow, field))
            memset(nfl__flow_slot(flow, field), 0, nfl__field_slots[field].width);
}

static void answer(const nfl_flow *question, nfl_flow *flow)
{
    flow->src = question->dst;
    flow->dst = question->src;
    flow->src_port = question->dst_port;
    flow->dst_port = question->src_port;
    flow->proto = question->proto;
    flow->icmp_type = question->icmp_type == 8 ? 0 : question->icmp_type == 13 ? 14 : question->icmp_type == 128 ? 129 : question->icmp_type;
    flow->exporter = question->exporter;
    flow->domain = question->domain;
    flow->sampling = question->sampling;
    flow->first_us = question->first_us + 1000 * (question->first_us % 3);
    flow->last_us = flow->first_us + 5 * SECOND;
}

/* Few endpoints, each direction again and again, sometimes hours apart. */
static void talking_flow(test_random *random, uint32_t hosts, int hours, uint32_t number, nfl_flow *flow)
{
    static const uint8_t protos[] = {6, 6, 17, 1, 58}, types[] = {8, 0, 13, 14, 3, 128, 129};
    static const uint16_t ports[] = {443, 40000, 443};
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    flow->received_us = START + number * SECOND - (nfl_usec)test_below(random, test_chance(random, 10) ? 60 * 1000000 : 1000000);
    flow->first_us = flow->received_us - (nfl_usec)test_below(random, test_chance(random, 20) ? 200 : 20) * SECOND +
                     (hours ? (nfl_usec)test_below(random, 10) * HOUR / 2 : 0);
    flow->last_us = flow->first_us + (nfl_usec)test_below(random, 40) * SECOND;
    flow->flows = 1;
    flow->src = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    flow->dst = nfl_ip_from_v4(0x0a000000u + (uint32_t)test_below(random, hosts));
    flow->proto = protos[test_below(random, sizeof protos)];
    if (flow->proto == 1 || flow->proto == 58)
        flow->icmp_type = types[test_below(random, sizeof types)];
    flow->src_port = flow->icmp_type || flow->proto == 1 || flow->proto == 58 ? 0 : ports[test_below(random, 2)];
    flow->dst_port = flow->src_port ? ports[test_below(random, 3)] : 0;
    flow->exporter = nfl_ip_from_v4(0xc0000201u + (test_chance(random, 10) ? 1u : 0u));
    flow->domain = (uint32_t)test_chance(random, 5);
    flow->tcp_flags = (uint16_t)test_below(random, 64);
    flow->packets = 1 + test_below(random, 9);
    flow->bytes = flow->packets * 100 + test_below(random, 50);
    flow->reverse_bytes = test_below(random, 1000);
    flow->sampling = test_chance(random, 10) ? 10 : (uint32_t)test_below(random, 2);
    flow->in_if = number;
    if (number && test_chance(random, 40))
        answer(flow - 1 - test_below(random, number < 8 ? number : 8), flow);
    flow->present = NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_SAMPLING) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_ICMP_TYPE) |
                    (test_chance(random, 97) ? NFL_HAS(NFL_FIELD_SRC) : 0) | (test_chance(random, 97) ? NFL_HAS(NFL_FIELD_DST) : 0) |
                    (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_PACKETS) : 0) | (test_chance(random, 95) ? NFL_HAS(NFL_FIELD_BYTES) : 0) |
                    (test_chance(random, 90) ? NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) : 0) |
                    (test_chance(random, 80) ? NFL_HAS(NFL_FIELD_TCP_FLAGS) : 0) |
                    (test_chance(random, 90) ? NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) : 0) |
                    (test_chance(random, 5) ? NFL_HAS(NFL_FIELD_REVERSE_BYTES) : 0);
    clear_absent(flow);
}

static void choose_query(test_random *random, nfl_query *query)
{
    static const char *const filters[] = {NULL, NULL, "reverse_packets = 0", "src ip 10.0.0.1", "reverse_bytes > 500 and tcp",
                                          "flags S and not exists reverse_tcp_flags", "duration > 20s"};
    static const char *const groups[] = {NULL, "proto", "src,dst", "exporter,domain"};
    *query = (nfl_query){.struct_size = sizeof *query, .filter = filters[test_below(random, 7)], .group_by = groups[test_below(random, 4)]};
    query->columns = query->group_by ? "bytes,reverse_bytes,reverse_packets,flows,reverse_tcp_flags,last"
                                     : "in_if,bytes,src,src_port,reverse_bytes,reverse_packets,reverse_tcp_flags,last,received";
    if (query->group_by && test_chance(random, 40))
        query->bucket_us = (nfl_usec)(1 + test_below(random, 5)) * 60 * SECOND;
    query->order_by = query->group_by || test_chance(random, 50) ? "reverse_bytes" : NULL;
    query->limit = test_chance(random, 30) ? 1 + test_below(random, 10) : 0;
    query->from_us = test_chance(random, 40) ? START + (nfl_usec)test_below(random, 9000) * SECOND : 0;
    query->to_us = test_chance(random, 40) ? START + (nfl_usec)test_below(random, 18000) * SECOND : 0;
    query->flags = (test_chance(random, 20) ? NFL_QUERY_UNSCALED : 0) | (test_chance(random, 30) ? NFL_QUERY_ASCENDING : 0);
}

/* --- Laws ---- */

static nfl_store *make_store(const nfl_flow *flows, size_t count)
{
    nfl_store *store = NULL;
    if (nfl_store_new("mem:", NULL, &store, NULL) != NFL_OK || (count && nfl_store_append(store, flows, count, sizeof *flows, NULL) != NFL_OK))
        abort();
    return store;
}

static int same_answer(const nfl_query *query, const nfl_flow *flows, size_t flow_count, uint32_t block_rows, nfl_store *expected, uint64_t seed)
{
    nfl_query plain = *query;
    nfl_cursor *asked = NULL;
    nfl_error err;
    test_columns columns;
    plain.flags &= ~NFL_QUERY_BIFLOW;
    plain.max_memory_bytes = 0;
    test_columns_init(&columns, flows, flow_count, block_rows, seed);
    if (nfl__query_run(query, NULL, &columns.scannable, &asked, &err) != NFL_OK) {
        printf("\n    %s\n", err.message);
        return 0;
    }
    nfl_cursor *wanted = test_ask(expected, &plain);
    int same = test_same_answers(asked, wanted) && test_same_totals(asked, wanted);
    nfl_cursor_free(wanted);
    nfl_cursor_free(asked);
    return same && columns.references == 0 && columns.opened == 0 && !columns.misuse;
}

static void test_answers_are_those_of_the_records_put_together(void)
{
    static nfl_flow flows[FLOWS], out[FLOWS];
    test_random random = {test_seed()};
    uint64_t seed = random.state;
    size_t joined, all_joined = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t hosts = 2 + (uint32_t)test_below(&random, 4);
        nfl_query query;
        for (uint32_t i = 0; i < FLOWS && round % 10 == 0; i++)
            talking_flow(&random, hosts, round % 20 == 0, i, &flows[i]);
        choose_query(&random, &query);
        nfl_store *expected = make_store(out, evaluate(flows, FLOWS, &query, out, &joined));
        all_joined += joined;
        query.flags |= NFL_QUERY_BIFLOW;
        for (uint32_t block_rows = 3; block_rows <= 300; block_rows *= 10)
            if (!same_answer(&query, flows, FLOWS, block_rows, expected, seed + round)) {
                printf("\n    NFL_SEED=%llu, round %u: filter '%s' by '%s' flags %u\n", (unsigned long long)seed, round,
                       query.filter ? query.filter : "", query.group_by ? query.group_by : "", query.flags);
                CU_FAIL("see above");
            }
        nfl_store_free(expected);
    }
    CU_ASSERT(all_joined > ROUNDS * FLOWS / 20);
}

static void sums(nfl_store *store, uint32_t flags, uint64_t out[2])
{
    NFL_OPTS(nfl_query, query, .columns = "bytes,reverse_bytes,packets,reverse_packets", .flags = flags);
    nfl_cursor *cursor = test_ask(store, &query);
    nfl_value value = {.struct_size = sizeof value};
    out[0] = out[1] = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK)
        for (uint32_t i = 0; i < 4; i++) {
            nfl_cursor_get(cursor, i, &value);
            out[i / 2] += value.present ? value.u64 : 0;
        }
    nfl_cursor_free(cursor);
}

static void test_nothing_is_lost_or_counted_twice(void)
{
    static nfl_flow flows[MANY];
    test_random random = {test_seed()};
    for (unsigned round = 0; round < 6; round++) {
        uint64_t plain[2], together[2];
        for (uint32_t i = 0; i < MANY; i++)
            talking_flow(&random, 2 + round * 10, round % 2 == 0, i, &flows[i]);
        nfl_store *store = make_store(flows, MANY);
        sums(store, 0, plain);
        sums(store, NFL_QUERY_BIFLOW, together);
        CU_ASSERT_EQUAL(together[0], plain[0]);
        CU_ASSERT_EQUAL(together[1], plain[1]);
        CU_ASSERT(plain[0] > MANY);
        nfl_store_free(store);
    }
}

static void test_several_passes_see_the_same_records(void)
{
    static nfl_flow flows[MANY], out[MANY];
    test_random random = {test_seed()};
    uint64_t several = 0;
    size_t joined;
    NFL_OPTS(nfl_query, query, .group_by = "in_if", .columns = "bytes,reverse_bytes", .order_by = "reverse_bytes", .limit = 20);
    for (uint32_t i = 0; i < MANY; i++)
        talking_flow(&random, 5, 0, i, &flows[i]);
    nfl_store *expected = make_store(out, evaluate(flows, MANY, &query, out, &joined));
    query.flags = NFL_QUERY_BIFLOW;
    for (unsigned round = 0; round < BUDGETS; round++) {
        nfl_query_stats stats = {.struct_size = sizeof stats};
        nfl_cursor *cursor = NULL;
        test_columns columns;
        query.max_memory_bytes = 940000 + 15000 * round;
        CU_ASSERT(same_answer(&query, flows, MANY, 1500, expected, random.state));
        test_columns_init(&columns, flows, MANY, 1500, random.state);
        CU_ASSERT_EQUAL_FATAL(nfl__query_run(&query, NULL, &columns.scannable, &cursor, NULL), NFL_OK);
        nfl_cursor_get_stats(cursor, &stats);
        several += stats.passes > 1;
        nfl_cursor_free(cursor);
    }
    CU_ASSERT(several > 2);
    nfl_store_free(expected);
}

NFL_SUITE("biflow laws", {"answers are those of the records put together", test_answers_are_those_of_the_records_put_together},
          {"nothing is lost or counted twice", test_nothing_is_lost_or_counted_twice},
          {"several passes see the same records", test_several_passes_see_the_same_records})

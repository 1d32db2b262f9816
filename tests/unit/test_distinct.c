#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "record/fields.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 500 };

typedef struct fixture {
    nfl_flow flows[FLOWS];
    nfl_store *store;
    uint64_t expected; /* sum over all groups */
} fixture;

static void random_flow(test_random *random, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    flow->received_us = flow->first_us = INT64_C(1795440000000000) + (nfl_usec)test_below(random, 3600) * 1000000;
    flow->flows = 1;
    flow->bytes = test_below(random, 1000);
    flow->src = nfl_ip_from_v4((uint32_t)test_below(random, 40));
    flow->dst = nfl_ip_from_v4((uint32_t)test_below(random, 20));
    if (test_chance(random, 40))
        flow->dst.b[0] = (uint8_t)(1 + test_below(random, 3)); /* not IPv4 */
    flow->dst_port = (uint16_t)test_below(random, 9);
    flow->proto = (uint8_t)test_below(random, 4);
    flow->present = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_SRC) | (test_chance(random, 90) ? NFL_HAS(NFL_FIELD_DST) : 0) |
                    (test_chance(random, 90) ? NFL_HAS(NFL_FIELD_PROTO) : 0) | NFL_HAS(NFL_FIELD_DST_PORT);
}

static fixture *make(uint64_t seed)
{
    fixture *f = calloc(1, sizeof *f);
    test_random random = {seed};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (size_t i = 0; i < FLOWS; i++)
        random_flow(&random, &f->flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &f->store, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_store_append(f->store, f->flows, FLOWS, sizeof *f->flows, NULL), NFL_OK);
    return f;
}

static void unmake(fixture *f)
{
    nfl_store_free(f->store);
    free(f);
}

static int same(const nfl_flow *a, const nfl_flow *b, uint32_t field)
{
    int has = nfl__flow_has(a, field);
    return has == nfl__flow_has(b, field) &&
           (!has || memcmp(nfl__flow_at(a, field), nfl__flow_at(b, field), nfl__field_slots[field].width) == 0);
}

/* Different values of `field` among flows that agree with `like` in `key` (and, with buckets, its bucket). */
static uint64_t count(const fixture *f, const nfl_flow *like, uint32_t key, uint32_t field, nfl_usec bucket_us)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FLOWS; i++) {
        const nfl_flow *flow = &f->flows[i];
        int first = nfl__flow_has(flow, field);
        for (size_t j = 0; j <= i && first; j++) {
            const nfl_flow *other = &f->flows[j];
            int in_group = same(other, like, key) && (!bucket_us || other->first_us / bucket_us == like->first_us / bucket_us);
            if (j == i)
                first = in_group;
            else if (in_group && same(other, flow, field))
                first = 0;
        }
        n += (uint64_t)first;
    }
    return n;
}

/* The flow that a result row is about. */
static nfl_flow row_key(const nfl_cursor *cursor, uint32_t key, int bucketed)
{
    nfl_flow like = {.struct_size = sizeof like};
    nfl_value value = {.struct_size = sizeof value};
    nfl_cursor_get(cursor, (uint32_t)bucketed, &value);
    if (value.present)
        like.present |= NFL_HAS(key);
    if (value.present && value.type == NFL_TYPE_IP)
        memcpy(nfl__flow_slot(&like, key), &value.ip, sizeof value.ip);
    else if (value.present)
        nfl__flow_set_u64(&like, key, value.u64);
    like.first_us = (nfl_usec)nfl_cursor_u64(cursor, 0);
    return like;
}

static void test_counts_are_those_of_a_plain_count(void)
{
    static const struct {
        const char *group_by, *columns, *order_by;
        uint32_t key, field;
        int minutes;
        uint64_t limit;
    } cases[] = {
        {"proto", "distinct(dst)", NULL, NFL_FIELD_PROTO, NFL_FIELD_DST, 0, 0},
        {"proto", "distinct(dst),bytes,flows", "distinct(dst)", NFL_FIELD_PROTO, NFL_FIELD_DST, 0, 2},
        {"src", "bytes,distinct(dst_port),first", "distinct(dst_port)", NFL_FIELD_SRC, NFL_FIELD_DST_PORT, 0, 10},
        {"dst", "distinct(src)", "distinct(src)", NFL_FIELD_DST, NFL_FIELD_SRC, 0, 0},
        {"dst", "bytes,distinct(bytes)", NULL, NFL_FIELD_DST, NFL_FIELD_BYTES, 0, 5},
        {"proto", "distinct(dst),bytes", NULL, NFL_FIELD_PROTO, NFL_FIELD_DST, 10, 0},
        {"proto", "distinct(src)", "distinct(src)", NFL_FIELD_PROTO, NFL_FIELD_SRC, 10, 3},
    };
    fixture *f = make(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .columns = cases[i].columns, .order_by = cases[i].order_by,
                 .bucket_us = cases[i].minutes * INT64_C(60000000), .limit = cases[i].limit);
        nfl_cursor *cursor = NULL;
        nfl_column_info info = {.struct_size = sizeof info};
        uint64_t last = UINT64_MAX;
        uint32_t column = 0;
        CU_ASSERT_EQUAL_FATAL(nfl_store_query(f->store, &query, &cursor, NULL), NFL_OK);
        while (nfl_cursor_column(cursor, column, &info) == NFL_OK && strncmp(info.name, "distinct(", 9) != 0)
            column++;
        CU_ASSERT_EQUAL(info.type, NFL_TYPE_U64);
        CU_ASSERT_EQUAL(info.field, cases[i].field);
        while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
            nfl_flow like = row_key(cursor, cases[i].key, cases[i].minutes > 0);
            uint64_t counted = nfl_cursor_u64(cursor, column);
            CU_ASSERT_EQUAL(counted, count(f, &like, cases[i].key, cases[i].field, query.bucket_us));
            if (cases[i].order_by && !cases[i].minutes)
                CU_ASSERT(counted <= last);
            last = counted;
        }
        CU_ASSERT(last != UINT64_MAX);
        nfl_cursor_free(cursor);
    }
    unmake(f);
}

/* The other columns are as they would be without the count. */
static void test_sums_are_not_changed(void)
{
    fixture *f = make(2);
    nfl_cursor *with = NULL, *without = NULL;
    NFL_OPTS(nfl_query, counted, .group_by = "src", .columns = "bytes,packets,flows,last,distinct(dst)", .having = "flows > 5");
    NFL_OPTS(nfl_query, plain, .group_by = "src", .columns = "bytes,packets,flows,last", .having = "flows > 5");
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(f->store, &counted, &with, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_store_query(f->store, &plain, &without, NULL), NFL_OK);
    nfl_status status;
    while ((status = nfl_cursor_next(with, NULL)) == nfl_cursor_next(without, NULL) && status == NFL_OK)
        for (uint32_t c = 0; c < 5; c++)
            CU_ASSERT_EQUAL(nfl_cursor_u64(with, c), nfl_cursor_u64(without, c));
    CU_ASSERT_EQUAL(status, NFL_DONE);
    nfl_query_stats stats[2] = {{.struct_size = sizeof *stats}, {.struct_size = sizeof *stats}};
    nfl_cursor_get_stats(with, &stats[0]);
    nfl_cursor_get_stats(without, &stats[1]);
    CU_ASSERT_EQUAL(stats[0].groups, stats[1].groups);
    nfl_cursor_free(with);
    nfl_cursor_free(without);
    unmake(f);
}

static void test_counts_that_make_no_sense_are_refused(void)
{
    static const struct {
        const char *group_by, *columns, *order_by, *message;
    } cases[] = {
        {NULL, "distinct(src)", NULL, "columns: 'distinct(src)' needs groups"},
        {"src", "distinct(src)", NULL, "columns: 'src' is grouped by, so it has one value in a group"},
        {"src", "distinct(dst),distinct(proto)", NULL,
         "columns: 'distinct(proto)' is a second one; one distinct() is counted in a query"},
        {"src", "distinct(dst),distinct(dst)", NULL, "columns: 'distinct(dst)' is named twice"},
        {"src", "distinct(bps)", NULL, "columns: 'bps' cannot be counted; it is computed"},
        {"src", "distinct(nonsense)", NULL, "columns: 'nonsense' is not a field"},
        {"src", "bytes", "distinct(", "order_by: 'distinct(' is not a field"},
        {"distinct(src)", "bytes", NULL, "group_by: 'distinct(src)' is not a field"},
    };
    fixture *f = make(3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nfl_error err = {.code = 0};
        nfl_cursor *cursor = NULL;
        NFL_OPTS(nfl_query, query, .group_by = cases[i].group_by, .columns = cases[i].columns, .order_by = cases[i].order_by);
        CU_ASSERT_EQUAL(nfl_store_query(f->store, &query, &cursor, &err), NFL_E_SYNTAX);
        CU_ASSERT_EQUAL(strncmp(err.message, cases[i].message, strlen(cases[i].message)), 0);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            printf("\n    %s\n", err.message);
        nfl_cursor_free(cursor);
    }
    unmake(f);
}

static nfl_status ask(const nfl_alloc *alloc, void *ctx)
{
    fixture *f = ctx;
    NFL_OPTS(nfl_store_opts, opts, .alloc = alloc);
    NFL_OPTS(nfl_query, query, .group_by = "src", .columns = "distinct(dst),bytes", .having = "bytes > 5");
    nfl_store *store = NULL;
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_new("mem:", &opts, &store, NULL);
    if (status == NFL_OK)
        status = nfl_store_append(store, f->flows, 20, sizeof *f->flows, NULL);
    if (status == NFL_OK)
        status = nfl_store_query(store, &query, &cursor, NULL);
    uint64_t sum = 0;
    while (status == NFL_OK && nfl_cursor_next(cursor, NULL) == NFL_OK)
        sum += nfl_cursor_u64(cursor, 1);
    if (status == NFL_OK && f->expected)
        CU_ASSERT_EQUAL(sum, f->expected);
    f->expected = status == NFL_OK ? sum : f->expected;
    nfl_cursor_free(cursor);
    nfl_store_free(store);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    fixture *f = make(4);
    CU_ASSERT_EQUAL(ask(NULL, f), NFL_OK);
    CU_ASSERT(f->expected > 5);
    /* The memory ring keeps what it gets, groups without memory for an array are counted by key: the answer is the same. */
    CU_ASSERT(test_allocation_failures(ask, f, 12) > 10);
    unmake(f);
}

NFL_SUITE("distinct", {"counts are those of a plain count", test_counts_are_those_of_a_plain_count},
          {"sums are not changed", test_sums_are_not_changed},
          {"counts that make no sense are refused", test_counts_that_make_no_sense_are_refused},
          {"every allocation may fail", test_every_allocation_may_fail})

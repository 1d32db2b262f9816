/* Random queries over random flows: the memory store and columns of every form give what a plain evaluation,
 * flow by flow, gives: the same rows, in the same order, with the same totals. */
#include <CUnit/Basic.h>

#include "answers.h"
#include "column_source.h"
#include "query/derive.h"
#include "query/exec.h"
#include "record/fields.h"

#include <netflow/filter.h>
#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 300, ROUNDS = 700, COLUMNS = 16, TEXT = 256 };

#define HOUR_START INT64_C(1795440000000000)

/* What a query shall return. */
typedef struct row {
    nfl_value columns[COLUMNS];
    nfl_value keys[COLUMNS];
    nfl_value order;
    nfl_usec bucket;
    nfl_usec received;
    size_t sequence;
    uint64_t words[NFL_FIELD_STORED_COUNT]; /* sums, least, largest */
    nfl_ip addresses[NFL_FIELD_STORED_COUNT];
    uint64_t seen;
} row;

typedef struct test_case {
    test_random random;
    nfl_flow flows[FLOWS];
    nfl_query query;
    char filter[TEXT], group_by[TEXT], columns[TEXT], order_by[TEXT];
    uint32_t keys[COLUMNS], outputs[COLUMNS]; /* NFL_FIELD_* */
    unsigned key_count, output_count;
    uint32_t order;
    unsigned condition; /* of conditions[] */
    int ordered, grouped;
    row rows[FLOWS];
    size_t row_count;
    uint64_t matched, bytes, packets, groups;
} test_case;

/* --- Queries ---- */

static const uint32_t key_fields[] = {
    NFL_FIELD_SRC,      NFL_FIELD_DST,    NFL_FIELD_PROTO,     NFL_FIELD_DST_PORT, NFL_FIELD_IN_IF,
    NFL_FIELD_EXPORTER, NFL_FIELD_SRC_AS, NFL_FIELD_TCP_FLAGS, NFL_FIELD_VERSION,  NFL_FIELD_DOMAIN,
    NFL_FIELD_RECEIVED, NFL_FIELD_TOS,    NFL_FIELD_LAST};
static const uint32_t column_fields[] = {
    NFL_FIELD_BYTES,   NFL_FIELD_PACKETS,  NFL_FIELD_FLOWS,    NFL_FIELD_FIRST,
    NFL_FIELD_LAST,    NFL_FIELD_DURATION, NFL_FIELD_BPS,      NFL_FIELD_PPS,
    NFL_FIELD_BPP,     NFL_FIELD_OUT_IF,   NFL_FIELD_DST_AS,   NFL_FIELD_SRC_PORT,
    NFL_FIELD_SRC_MAC, NFL_FIELD_NEXT_HOP, NFL_FIELD_SAMPLING, NFL_FIELD_DST};
static const char *const filters[] = {"",
                                      "",
                                      "tcp",
                                      "not tcp",
                                      "src net 10.0.0.0/16",
                                      "dst port 443 or udp",
                                      "exists src_as",
                                      "in_if < 4 and not flags S",
                                      "port in (53, 80)",
                                      "proto 200",
                                      "duration > 1s"};

/* Conditions on groups: a value of it must be above a number. */
static const struct {
    const char *text;
    uint32_t field;
    uint64_t above;
} conditions[] = {{NULL, 0, 0},
                  {NULL, 0, 0},
                  {"flows > 1", NFL_FIELD_FLOWS, 1},
                  {"bytes > 100k", NFL_FIELD_BYTES, 100000},
                  {"packets > 50 and (flows > 1 or flows <= 1)", NFL_FIELD_PACKETS, 50},
                  {"bpp > 300", NFL_FIELD_BPP, 300},
                  {"bps > 1000 and exists first", NFL_FIELD_BPS, 1000},
                  {"duration > 10s", NFL_FIELD_DURATION, 10000000}};

static uint32_t choose(test_case *t, const uint32_t *from, size_t n)
{
    return from[test_below(&t->random, n)];
}

static void append_name(char *list, uint32_t field)
{
    size_t len = strlen(list);
    snprintf(list + len, TEXT - len, "%s%s", len ? "," : "", (const char *)nfl__field_row(field)->name);
}

static int is_output(const test_case *t, uint32_t field)
{
    for (unsigned i = 0; i < t->output_count; i++)
        if (t->outputs[i] == field)
            return 1;
    return 0;
}

static void add_output(test_case *t, uint32_t field, char *list)
{
    if (is_output(t, field))
        return;
    t->outputs[t->output_count++] = field;
    if (list)
        append_name(list, field);
}

static void choose_fields(test_case *t)
{
    unsigned keys = (unsigned)test_below(&t->random, 4);
    t->output_count = t->key_count = 0;
    t->group_by[0] = t->columns[0] = 0;
    t->query.bucket_us =
        test_chance(&t->random, 25) ? (nfl_usec)(1 + test_below(&t->random, 900)) * 1000000 : 0;
    if (t->query.bucket_us)
        add_output(t, NFL_FIELD_TIME, NULL);
    for (unsigned i = 0; i < keys; i++) {
        uint32_t field = choose(t, key_fields, sizeof key_fields / sizeof *key_fields);
        if (is_output(t, field))
            continue;
        t->keys[t->key_count++] = field;
        add_output(t, field, t->group_by);
    }
    t->grouped = t->key_count > 0 || t->query.bucket_us > 0;
    unsigned columns = 1 + (unsigned)test_below(&t->random, 5);
    for (unsigned i = 0; i < columns; i++)
        add_output(t, choose(t, column_fields, sizeof column_fields / sizeof *column_fields), t->columns);
}

static void choose_order(test_case *t)
{
    t->order_by[0] = 0;
    t->ordered = t->grouped;
    t->order = NFL_FIELD_BYTES;
    if (test_chance(&t->random, 60)) {
        t->ordered = 1;
        t->order = test_chance(&t->random, 30)
                       ? choose(t, key_fields, sizeof key_fields / sizeof *key_fields)
                       : choose(t, column_fields, sizeof column_fields / sizeof *column_fields);
        if (t->query.bucket_us && test_chance(&t->random, 20)) {
            t->order = NFL_FIELD_TIME;
            t->ordered = 0;
        }
        append_name(t->order_by, t->order);
    }
}

static void choose_query(test_case *t)
{
    memset(&t->query, 0, sizeof t->query);
    t->query.struct_size = sizeof t->query;
    choose_fields(t);
    choose_order(t);
    strcpy(t->filter, filters[test_below(&t->random, sizeof filters / sizeof *filters)]);
    t->query.filter = t->filter;
    t->query.group_by = t->key_count ? t->group_by : NULL;
    t->query.columns = t->columns[0] ? t->columns : NULL;
    t->query.order_by = t->order_by[0] ? t->order_by : NULL;
    if (!t->query.columns) { /* all chosen were keys */
        static const uint32_t usual[] = {NFL_FIELD_BYTES, NFL_FIELD_PACKETS, NFL_FIELD_FLOWS};
        for (unsigned i = 0; i < 3; i++)
            add_output(t, usual[i], NULL);
    }
    t->condition = t->grouped ? (unsigned)test_below(&t->random, sizeof conditions / sizeof *conditions) : 0;
    t->query.having = conditions[t->condition].text;
    t->query.flags = (test_chance(&t->random, 30) ? NFL_QUERY_UNSCALED : 0) |
                     (test_chance(&t->random, 30) ? NFL_QUERY_ASCENDING : 0);
    t->query.limit = test_chance(&t->random, 60) ? 1 + test_below(&t->random, 20) : 0;
    t->query.offset = test_chance(&t->random, 30) ? test_below(&t->random, 20) : 0;
    t->query.from_us =
        test_chance(&t->random, 30) ? HOUR_START + (nfl_usec)test_below(&t->random, 2000) * 1000000 : 0;
    t->query.to_us =
        test_chance(&t->random, 30) ? HOUR_START + (nfl_usec)test_below(&t->random, 4000) * 1000000 : 0;
}

/* --- The plain evaluation ---- */

static nfl_value get(const nfl_flow *flow, uint32_t field)
{
    nfl_value value = {.struct_size = sizeof value};
    nfl_flow_get(flow, field, &value);
    return value;
}

static int compare_values(const nfl_value *a, const nfl_value *b)
{
    if (a->present != b->present)
        return a->present ? 1 : -1;
    if (a->type == NFL_TYPE_IP)
        return nfl_ip_compare(&a->ip, &b->ip);
    if (a->type == NFL_TYPE_TIME)
        return (int64_t)a->u64 < (int64_t)b->u64 ? -1 : (int64_t)a->u64 > (int64_t)b->u64;
    return a->u64 < b->u64 ? -1 : a->u64 > b->u64;
}

static const test_case *sorting; /* qsort has no context */

static int compare_keys(const row *a, const row *b)
{
    for (unsigned i = 0; i < sorting->key_count; i++)
        if (a->keys[i].present != b->keys[i].present)
            return a->keys[i].present ? 1 : -1;
    for (unsigned i = 0; i < sorting->key_count; i++) {
        int order = compare_values(&a->keys[i], &b->keys[i]);
        if (order)
            return order;
    }
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static int compare_ranks(const row *a, const row *b)
{
    int ascending = (sorting->query.flags & NFL_QUERY_ASCENDING) != 0;
    if (sorting->ordered) {
        if (a->order.present != b->order.present)
            return a->order.present ? -1 : 1;
        int order = compare_values(&a->order, &b->order);
        if (order)
            return ascending ? order : -order;
    }
    if (sorting->grouped)
        return compare_keys(a, b);
    if (sorting->ordered && a->received != b->received)
        return a->received < b->received ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static int compare_rows(const void *left, const void *right)
{
    const row *a = left, *b = right;
    int newest_first = sorting->order == NFL_FIELD_TIME && !(sorting->query.flags & NFL_QUERY_ASCENDING);
    if (a->bucket != b->bucket)
        return (a->bucket < b->bucket) != newest_first ? -1 : 1;
    return compare_ranks(a, b);
}

static int compare_totals(const void *left, const void *right)
{
    return compare_ranks(left, right);
}

static void aggregate(row *r, const nfl_flow *flow)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        nfl_value value = get(flow, field);
        uint64_t *word = &r->words[field];
        int seen = (int)(r->seen >> field & 1);
        if (!value.present)
            continue;
        r->seen |= NFL_HAS(field);
        if (value.type == NFL_TYPE_IP) {
            if (!seen || nfl_ip_compare(&value.ip, &r->addresses[field]) > 0)
                r->addresses[field] = value.ip;
        } else if (value.kind == NFL_KIND_COUNTER) {
            *word += value.u64;
        } else if (value.kind == NFL_KIND_FLAGS) {
            *word |= value.u64;
        } else if (!seen || (field == NFL_FIELD_FIRST ? value.u64 < *word : value.u64 > *word)) {
            *word = value.u64;
        }
    }
}

static void merge(row *to, const row *from)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        uint8_t kind = nfl__field_row(field)->kind;
        int seen = (int)(to->seen >> field & 1);
        if (!(from->seen >> field & 1))
            continue;
        to->seen |= NFL_HAS(field);
        if (kind == NFL_KIND_COUNTER)
            to->words[field] += from->words[field];
        else if (kind == NFL_KIND_FLAGS)
            to->words[field] |= from->words[field];
        else if (!seen || (field == NFL_FIELD_FIRST ? from->words[field] < to->words[field]
                                                    : from->words[field] > to->words[field]))
            to->words[field] = from->words[field];
        if (!seen || nfl_ip_compare(&from->addresses[field], &to->addresses[field]) > 0)
            to->addresses[field] = from->addresses[field];
    }
}

static nfl_value group_value(const test_case *t, const row *r, uint32_t field)
{
    const nfl_field_info *info = nfl__field_row(field);
    nfl_value value = {.struct_size = sizeof value, .type = info->type, .kind = info->kind};
    nfl_usec duration =
        nfl__duration((nfl_usec)r->words[NFL_FIELD_FIRST], (nfl_usec)r->words[NFL_FIELD_LAST]);
    for (unsigned i = 0; i < t->key_count; i++)
        if (t->keys[i] == field)
            return r->keys[i];
    uint64_t needs = nfl__derive_reads(field);
    value.present = (r->seen & needs) == needs;
    if (!value.present)
        return value;
    switch (field) {
    case NFL_FIELD_TIME:
        value.u64 = (uint64_t)r->bucket;
        break;
    case NFL_FIELD_DURATION:
        value.u64 = (uint64_t)duration;
        break;
    case NFL_FIELD_BPS:
        value.u64 = nfl__bits_per_second(r->words[NFL_FIELD_BYTES], duration);
        break;
    case NFL_FIELD_PPS:
        value.u64 = nfl__per_second(r->words[NFL_FIELD_PACKETS], duration);
        break;
    case NFL_FIELD_BPP:
        value.u64 = r->words[NFL_FIELD_BYTES] / r->words[NFL_FIELD_PACKETS];
        break;
    default:
        value.present = r->seen >> field & 1;
        value.u64 = value.present && info->type != NFL_TYPE_IP ? r->words[field] : 0;
        if (value.present)
            value.ip = r->addresses[field];
    }
    return value;
}

static row *find_group(test_case *t, const row *wanted)
{
    for (size_t i = 0; i < t->row_count; i++) {
        int same = t->rows[i].bucket == wanted->bucket;
        for (unsigned k = 0; k < t->key_count && same; k++)
            same = compare_values(&t->rows[i].keys[k], &wanted->keys[k]) == 0;
        if (same)
            return &t->rows[i];
    }
    t->rows[t->row_count] = *wanted;
    return &t->rows[t->row_count++];
}

static void add_flow(test_case *t, const nfl_flow *flow, size_t sequence)
{
    static row made;
    memset(&made, 0, sizeof made);
    for (unsigned k = 0; k < t->key_count; k++)
        made.keys[k] = get(flow, t->keys[k]);
    if (t->query.bucket_us)
        made.bucket = flow->first_us / t->query.bucket_us * t->query.bucket_us;
    if (t->grouped) {
        aggregate(find_group(t, &made), flow);
        return;
    }
    made.sequence = sequence;
    made.received = flow->received_us;
    for (unsigned i = 0; i < t->output_count; i++)
        made.columns[i] = get(flow, t->outputs[i]);
    made.order = get(flow, t->order);
    t->rows[t->row_count++] = made;
}

/* Drop the groups that the condition refuses. */
static size_t apply_condition(const test_case *t, row *rows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        nfl_value value = group_value(t, &rows[i], conditions[t->condition].field);
        if (!conditions[t->condition].text || (value.present && value.u64 > conditions[t->condition].above))
            rows[kept++] = rows[i];
    }
    return kept;
}

/* With buckets and groups, limit and offset choose groups by their totals. */
static void keep_groups(test_case *t)
{
    static row totals[FLOWS];
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < t->row_count; i++) {
        size_t at = 0;
        while (at < count && compare_keys(&totals[at], &t->rows[i]) != 0)
            at++;
        if (at < count) {
            merge(&totals[at], &t->rows[i]);
        } else {
            totals[count] = t->rows[i];
            totals[count++].bucket = 0;
        }
    }
    count = apply_condition(t, totals, count);
    for (size_t i = 0; i < count; i++)
        totals[i].order = group_value(t, &totals[i], t->order);
    qsort(totals, count, sizeof *totals, compare_totals);
    t->groups = count;
    size_t start = t->query.offset < count ? (size_t)t->query.offset : count;
    size_t stop = t->query.limit && t->query.limit < count - start ? start + (size_t)t->query.limit : count;
    for (size_t i = 0; i < t->row_count; i++) {
        int keep = 0;
        for (size_t j = start; j < stop && !keep; j++)
            keep = compare_keys(&totals[j], &t->rows[i]) == 0;
        if (keep)
            t->rows[kept++] = t->rows[i];
    }
    t->row_count = kept;
}

static void evaluate(test_case *t)
{
    nfl_filter *filter = NULL;
    if (nfl_filter_new(t->filter, NULL, &filter, NULL) != NFL_OK)
        abort();
    t->row_count = 0;
    t->matched = t->bytes = t->packets = 0;
    for (size_t i = 0; i < FLOWS; i++) {
        nfl_flow flow = t->flows[i];
        if ((t->query.from_us && flow.first_us < t->query.from_us) ||
            (t->query.to_us && flow.first_us >= t->query.to_us) || !nfl_filter_match(filter, &flow))
            continue;
        nfl_value sampling = get(&flow, NFL_FIELD_SAMPLING);
        if (t->query.flags & NFL_QUERY_UNSCALED)
            flow.sampling = 0;
        t->matched++;
        t->bytes += get(&flow, NFL_FIELD_BYTES).u64;
        t->packets += get(&flow, NFL_FIELD_PACKETS).u64;
        size_t before = t->row_count;
        add_flow(t, &flow, i);
        for (unsigned k = 0; k < t->output_count && !t->grouped && t->row_count > before; k++)
            if (t->outputs[k] == NFL_FIELD_SAMPLING)
                t->rows[before].columns[k] = sampling;
        if (!t->grouped && t->order == NFL_FIELD_SAMPLING)
            t->rows[before].order = sampling;
        if (t->grouped && sampling.present) { /* unscaled flows keep their rate as a value */
            static row key;
            memset(&key, 0, sizeof key);
            for (unsigned k = 0; k < t->key_count; k++)
                key.keys[k] = get(&flow, t->keys[k]);
            key.bucket = t->query.bucket_us ? flow.first_us / t->query.bucket_us * t->query.bucket_us : 0;
            row *group = find_group(t, &key);
            if (sampling.u64 > group->words[NFL_FIELD_SAMPLING])
                group->words[NFL_FIELD_SAMPLING] = sampling.u64;
        }
    }
    nfl_filter_free(filter);
    if (t->grouped && !(t->query.bucket_us && t->key_count))
        t->row_count = apply_condition(t, t->rows, t->row_count);
    t->groups = t->row_count;
    sorting = t;
    if (t->query.bucket_us && t->key_count)
        keep_groups(t);
    for (size_t i = 0; i < t->row_count && t->grouped; i++) {
        t->rows[i].order = group_value(t, &t->rows[i], t->order);
        for (unsigned k = 0; k < t->output_count; k++)
            t->rows[i].columns[k] = group_value(t, &t->rows[i], t->outputs[k]);
    }
    qsort(t->rows, t->row_count, sizeof *t->rows, compare_rows);
}

/* --- Comparison ---- */

static int same_row(const test_case *t, const nfl_cursor *cursor, const row *expected)
{
    for (unsigned i = 0; i < t->output_count; i++) {
        nfl_value value = {.struct_size = sizeof value};
        nfl_cursor_get(cursor, i, &value);
        if (value.type != expected->columns[i].type || compare_values(&value, &expected->columns[i]) != 0)
            return 0;
    }
    return 1;
}

static int same_result(const test_case *t, nfl_cursor *cursor)
{
    int by_group = t->query.bucket_us && t->key_count;
    size_t start = by_group || t->query.offset > t->row_count ? 0 : (size_t)t->query.offset;
    size_t stop = t->row_count;
    if (!by_group && t->query.offset > t->row_count)
        start = t->row_count;
    if (!by_group && t->query.limit && t->query.limit < stop - start)
        stop = start + (size_t)t->query.limit;
    if (nfl_cursor_columns(cursor) != t->output_count)
        return 0;
    for (size_t i = start; i < stop; i++)
        if (nfl_cursor_next(cursor, NULL) != NFL_OK || !same_row(t, cursor, &t->rows[i]))
            return 0;
    if (nfl_cursor_next(cursor, NULL) != NFL_DONE || nfl_cursor_next(cursor, NULL) != NFL_DONE)
        return 0;
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor_get_stats(cursor, &stats);
    return stats.rows_matched == t->matched && stats.flows == t->matched && stats.bytes == t->bytes &&
           stats.packets == t->packets && stats.groups == t->groups && stats.memory_bytes > 0;
}

static void report(const test_case *t, uint64_t seed, const char *where)
{
    const char *having = conditions[t->condition].text;
    printf("\n    NFL_SEED=%llu, %s: filter '%s' by '%s' columns '%s' order '%s' having '%s' bucket %lld limit %llu "
           "offset %llu flags %u\n",
           (unsigned long long)seed, where, t->filter, t->group_by, t->columns, t->order_by, having ? having : "",
           (long long)t->query.bucket_us, (unsigned long long)t->query.limit,
           (unsigned long long)t->query.offset, t->query.flags);
    CU_FAIL("see above");
}

static int run_store(const test_case *t, nfl_store *store)
{
    nfl_cursor *cursor = NULL;
    nfl_error err;
    if (nfl_store_query(store, &t->query, &cursor, &err) != NFL_OK) {
        printf("\n    %s\n", err.message);
        return 0;
    }
    int same = same_result(t, cursor);
    nfl_cursor_free(cursor);
    return same;
}

static int run_columns(const test_case *t, uint32_t block_rows, uint64_t seed)
{
    test_columns columns;
    nfl_cursor *cursor = NULL;
    test_columns_init(&columns, t->flows, FLOWS, block_rows, seed);
    if (nfl__query_run(&t->query, NULL, &columns.scannable, &cursor, NULL) != NFL_OK)
        return 0;
    int same = same_result(t, cursor);
    nfl_cursor_free(cursor);
    return same && columns.references == 0 && columns.opened == 0 && !columns.misuse;
}

static void test_queries_equal_a_plain_evaluation(void)
{
    static test_case t;
    uint64_t seed = test_seed();
    nfl_store *store = NULL;
    t.random.state = seed;
    for (size_t i = 0; i < FLOWS; i++)
        test_flow_with_gaps(&t.random, &t.flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_store_append(store, t.flows, FLOWS, sizeof *t.flows, NULL), NFL_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        choose_query(&t);
        evaluate(&t);
        if (!run_store(&t, store))
            report(&t, seed, "memory store");
        if (!run_columns(&t, 200, seed + round))
            report(&t, seed, "columns");
        if (!run_columns(&t, 3, seed + round))
            report(&t, seed, "small blocks");
    }
    nfl_store_free(store);
}

/* --- Several at once ---- */

enum { TOGETHER = 4 };

static int same_answers(const test_case *t, nfl_cursor *a, nfl_cursor *b)
{
    nfl_query_stats stats[2] = {{.struct_size = sizeof *stats}, {.struct_size = sizeof *stats}};
    nfl_status status;
    while ((status = nfl_cursor_next(a, NULL)) == nfl_cursor_next(b, NULL) && status == NFL_OK)
        for (uint32_t i = 0; i < t->output_count; i++) {
            nfl_value x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
            nfl_cursor_get(a, i, &x);
            nfl_cursor_get(b, i, &y);
            if (compare_values(&x, &y) != 0)
                return 0;
        }
    nfl_cursor_get_stats(a, &stats[0]);
    nfl_cursor_get_stats(b, &stats[1]);
    return status == NFL_DONE && stats[0].groups == stats[1].groups && stats[0].bytes == stats[1].bytes &&
           stats[0].rows_matched == stats[1].rows_matched;
}

/* What several questions get when they are asked together, each gets alone. budget: of the first one. */
static int together_as_alone(test_case *cases, test_random *random, nfl_store *store, uint64_t budget)
{
    const nfl_query *queries[TOGETHER];
    nfl_cursor *cursors[TOGETHER];
    int same = 1, refused = 0;
    for (int i = 0; i < TOGETHER; i++) {
        choose_query(&cases[i]);
        if (i && test_chance(random, 80)) {
            strcpy(cases[i].filter, cases[0].filter);
            cases[i].query.from_us = cases[0].query.from_us;
            cases[i].query.to_us = cases[0].query.to_us;
            cases[i].query.flags ^= (cases[i].query.flags ^ cases[0].query.flags) & NFL_QUERY_UNSCALED;
        }
        queries[i] = &cases[i].query;
    }
    cases[0].query.max_memory_bytes = budget;
    nfl_status status = nfl_store_query_all(store, queries, TOGETHER, cursors, NULL);
    for (int i = 0; i < TOGETHER; i++) {
        nfl_cursor *alone = NULL;
        nfl_status own = nfl_store_query(store, queries[i], &alone, NULL);
        if (own == NFL_E_LIMIT && status == NFL_OK) { /* alone, it pays for reading too */
            cases[i].query.max_memory_bytes = 0;
            own = nfl_store_query(store, queries[i], &alone, NULL);
        }
        if (status == NFL_OK)
            same = same && own == NFL_OK && same_answers(&cases[i], cursors[i], alone);
        refused |= own == NFL_E_LIMIT && status == NFL_E_LIMIT && !cursors[i];
        nfl_cursor_free(alone);
        nfl_cursor_free(cursors[i]);
    }
    return status == NFL_OK ? same : refused;
}

static void test_questions_may_be_asked_together(void)
{
    static test_case cases[TOGETHER];
    uint64_t seed = test_seed();
    nfl_store *store = NULL;
    for (int i = 0; i < TOGETHER; i++)
        cases[i].random.state = seed + (uint64_t)i;
    for (size_t i = 0; i < FLOWS; i++)
        test_flow_with_gaps(&cases[0].random, &cases[0].flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_store_append(store, cases[0].flows, FLOWS, sizeof(nfl_flow), NULL), NFL_OK);
    for (unsigned round = 0; round < ROUNDS / 2; round++) {
        test_random random = {seed + round};
        if (!together_as_alone(cases, &random, store, round % 3 ? 0 : 100000 + 10000 * (round % 50)))
            report(&cases[0], seed, "together");
    }
    nfl_store_free(store);
}

/* --- Pages ---- */

/* Rows from a cursor to an array, the token of the last one with them. */
static size_t take_rows(const test_case *t, nfl_cursor *cursor, row *rows, char token[NFL_TOKEN_SIZE])
{
    size_t n = 0;
    while (nfl_cursor_next(cursor, NULL) == NFL_OK) {
        for (unsigned i = 0; i < t->output_count; i++) {
            rows[n].columns[i] = (nfl_value){.struct_size = sizeof(nfl_value)};
            nfl_cursor_get(cursor, i, &rows[n].columns[i]);
        }
        if (token && nfl_cursor_token(cursor, token, NULL) != NFL_OK)
            abort();
        n++;
    }
    return n;
}

/* Page after page, the rows of the whole. */
static int pages_make_the_whole(const test_case *t, nfl_store *store, uint64_t page_rows)
{
    static row whole[FLOWS], page[FLOWS];
    char token[NFL_TOKEN_SIZE], after[NFL_TOKEN_SIZE];
    nfl_query query = t->query;
    size_t count, got = 0, n;
    query.limit = query.offset = 0;
    nfl_cursor *cursor = test_ask(store, &query);
    count = take_rows(t, cursor, whole, NULL);
    nfl_cursor_free(cursor);
    query.limit = page_rows;
    do {
        cursor = test_ask(store, &query);
        n = take_rows(t, cursor, page, token);
        nfl_query_stats stats = {.struct_size = sizeof stats};
        nfl_cursor_get_stats(cursor, &stats);
        nfl_cursor_free(cursor);
        if (got + n > count || n > page_rows || stats.groups < n)
            return 0;
        for (size_t i = 0; i < n; i++)
            for (unsigned c = 0; c < t->output_count; c++)
                if (compare_values(&page[i].columns[c], &whole[got + i].columns[c]) != 0)
                    return 0;
        got += n;
        memcpy(after, token, sizeof after);
        query.after = after;
    } while (n == page_rows);
    return got == count;
}

static void test_pages_make_the_whole(void)
{
    static test_case t;
    uint64_t seed = test_seed();
    nfl_store *store = NULL;
    unsigned asked = 0;
    t.random.state = seed;
    for (size_t i = 0; i < FLOWS; i++)
        test_flow_with_gaps(&t.random, &t.flows[i]);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new("mem:", NULL, &store, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_store_append(store, t.flows, FLOWS, sizeof *t.flows, NULL), NFL_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        choose_query(&t);
        if (!t.ordered || t.query.bucket_us)
            continue;
        asked++;
        if (!pages_make_the_whole(&t, store, 1 + test_below(&t.random, 40)))
            report(&t, seed, "pages");
    }
    CU_ASSERT(asked > ROUNDS / 5);
    nfl_store_free(store);
}

/* --- Memory ---- */

enum { MANY = 5000, BUDGETS = 40 };

static int same_rows(nfl_cursor *a, nfl_cursor *b)
{
    for (;;) {
        nfl_status left = nfl_cursor_next(a, NULL), right = nfl_cursor_next(b, NULL);
        if (left != right || left < 0)
            return 0;
        if (left == NFL_DONE)
            return 1;
        for (uint32_t i = 0; i < nfl_cursor_columns(a); i++) {
            nfl_value x = {.struct_size = sizeof x}, y = {.struct_size = sizeof y};
            nfl_cursor_get(a, i, &x);
            nfl_cursor_get(b, i, &y);
            if (compare_values(&x, &y) != 0)
                return 0;
        }
    }
}

static int same_stats(const nfl_query_stats *a, const nfl_query_stats *b)
{
    return a->rows_matched == b->rows_matched && a->bytes == b->bytes && a->packets == b->packets && a->flows == b->flows &&
           a->groups == b->groups;
}

/* Returns the passes of the smaller budget, 0 on a difference. */
static uint64_t compare_budgets(const nfl_flow *flows, const nfl_query *asked, uint64_t budget, uint64_t seed)
{
    nfl_query small = *asked, large = *asked;
    nfl_query_stats stats[2] = {{.struct_size = sizeof *stats}, {.struct_size = sizeof *stats}};
    test_columns columns[2];
    nfl_cursor *cursors[2] = {NULL, NULL};
    nfl_error err = {0};
    small.max_memory_bytes = budget;
    large.max_memory_bytes = 64 << 20;
    test_columns_init(&columns[0], flows, MANY, 1500, seed);
    test_columns_init(&columns[1], flows, MANY, 1500, seed + 1);
    int same = nfl__query_run(&small, NULL, &columns[0].scannable, &cursors[0], &err) == NFL_OK &&
               nfl__query_run(&large, NULL, &columns[1].scannable, &cursors[1], &err) == NFL_OK &&
               same_rows(cursors[0], cursors[1]);
    for (unsigned i = 0; i < 2 && same; i++)
        nfl_cursor_get_stats(cursors[i], &stats[i]);
    same = same && same_stats(&stats[0], &stats[1]) && stats[0].memory_bytes <= budget && stats[1].passes == 1;
    if (!same)
        printf("\n    %s", err.message);
    nfl_cursor_free(cursors[0]);
    nfl_cursor_free(cursors[1]);
    return same ? stats[0].passes : 0;
}

static void test_results_do_not_depend_on_the_memory_budget(void)
{
    static const char *const group_bys[] = {"first", "src,dst,dst_port", "last,src", "dst,src_port", "bytes,proto,next_hop"};
    static const char *const orders[] = {"bytes", "flows", "src_as", "duration", "first"};
    static nfl_flow flows[MANY];
    test_random random = {test_seed()};
    uint64_t seed = random.state, several = 0;
    for (size_t i = 0; i < MANY; i++) {
        test_flow_with_gaps(&random, &flows[i]);
        flows[i].first_us += (nfl_usec)test_below(&random, 1000000);
        flows[i].src.b[15] = (uint8_t)test_below(&random, 256);
        flows[i].src.b[14] = (uint8_t)test_below(&random, 256);
    }
    for (unsigned round = 0; round < BUDGETS; round++) {
        NFL_OPTS(nfl_query, query, .group_by = group_bys[test_below(&random, 5)], .limit = 1 + test_below(&random, 50),
                 .columns = "packets,flows,tcp_flags,out_if",
                 .order_by = orders[test_below(&random, 5)], .offset = test_below(&random, 3),
                 .flags = test_chance(&random, 30) ? NFL_QUERY_ASCENDING : 0);
        uint64_t budget = 550000 + test_below(&random, 250000);
        uint64_t passes = compare_budgets(flows, &query, budget, seed + round);
        if (passes == 0) {
            printf("\n    NFL_SEED=%llu, round %u: by '%s' order '%s' in %llu bytes\n", (unsigned long long)seed, round,
                   query.group_by, query.order_by, (unsigned long long)budget);
            CU_FAIL("see above");
        }
        several += passes > 1;
    }
    CU_ASSERT(several > BUDGETS / 4);
}

NFL_SUITE("query laws", {"results do not depend on the memory budget", test_results_do_not_depend_on_the_memory_budget},
          {"pages make the whole", test_pages_make_the_whole},
          {"questions may be asked together", test_questions_may_be_asked_together},
          {"queries equal a plain evaluation", test_queries_equal_a_plain_evaluation})

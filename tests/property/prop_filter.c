/* Random filters over random flows: rows, columns and zones agree with a plain evaluation of the expression
 * the text was made from. */
#include <CUnit/Basic.h>

#include "column_source.h"
#include "query/filter_plan.h"
#include "record/fields.h"

#include <netflow/filter.h>

#include <stdlib.h>
#include <string.h>

enum { FLOWS = 400, ROUNDS = 1500, TEXT = 16384, NODES = 64, LIST = 6, WORD = 12 };

#define NOW INT64_C(1795442400000000) /* some flows are earlier, some later */

/* An expression and its text grow together. */
typedef struct expression {
    enum { EXPR_COMPARE, EXPR_EXISTS, EXPR_MASK, EXPR_IN, EXPR_FIELDS, EXPR_RECENT, EXPR_TEXT, EXPR_NOT, EXPR_AND, EXPR_OR } kind;
    uint32_t field, other;
    nfl_value list[LIST];
    const char *sign;
    nfl_value value;
    char word[WORD + 1];
    int left, right;
} expression;

typedef struct generator {
    test_random random;
    const nfl_flow *flows;
    expression nodes[NODES];
    int node_count;
    char text[TEXT];
    size_t len;
    char lists[TEXT]; /* texts of the named lists, each with its NUL; a list's name is the place where its text begins */
    size_t lists_len;
} generator;

static void emit(generator *g, const char *text)
{
    size_t n = strlen(text);
    if (g->len + n + 1 > sizeof g->text)
        abort();
    memcpy(g->text + g->len, text, n + 1);
    g->len += n;
}

static const char *pick(generator *g, const char *const *from, size_t n)
{
    return from[test_below(&g->random, n)];
}

static const uint32_t fields[] = {
    NFL_FIELD_FIRST,  NFL_FIELD_LAST,     NFL_FIELD_BYTES,    NFL_FIELD_PACKETS,  NFL_FIELD_SRC,
    NFL_FIELD_DST,    NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT, NFL_FIELD_PROTO,    NFL_FIELD_TCP_FLAGS,
    NFL_FIELD_IN_IF,  NFL_FIELD_OUT_IF,   NFL_FIELD_SRC_AS,   NFL_FIELD_SAMPLING, NFL_FIELD_EXPORTER,
    NFL_FIELD_DOMAIN, NFL_FIELD_VERSION,  NFL_FIELD_SRC_MAC,  NFL_FIELD_DURATION, NFL_FIELD_BPS,
    NFL_FIELD_PPS,    NFL_FIELD_BPP,      NFL_FIELD_TOS};

/* now-15us, now +15us, now - 15us; in named lists without spaces, as written in a filter. */
static void format_relative(generator *g, nfl_usec time_us, const char *space, char *text, size_t room)
{
    int before = time_us < NOW;
    uint64_t length = before ? (uint64_t)NOW - (uint64_t)time_us : (uint64_t)time_us - (uint64_t)NOW;
    const char *front = test_chance(&g->random, 60) ? space : "", *behind = test_chance(&g->random, 50) ? front : "";
    snprintf(text, room, "now%s%c%s%lluus", front, before ? '-' : '+', behind, (unsigned long long)length);
}

static void format_value(generator *g, const nfl_value *value, const char *space, char *text, size_t room)
{
    if (value->kind == NFL_KIND_TIME && test_chance(&g->random, 50))
        format_relative(g, (nfl_usec)value->u64, space, text, room);
    else if (value->type == NFL_TYPE_IP || value->kind == NFL_KIND_TIME || value->kind == NFL_KIND_MAC)
        nfl_value_format(value, NFL_TEXT_PLAIN, text, room);
    else if (value->kind == NFL_KIND_DURATION)
        snprintf(text, room, "%lluus", (unsigned long long)value->u64);
    else
        snprintf(text, room, "%llu", (unsigned long long)value->u64);
}

static void emit_value(generator *g, const nfl_value *value)
{
    char text[NFL_VALUE_TEXT_SIZE];
    format_value(g, value, " ", text, sizeof text);
    emit(g, text);
}

static int add_node(generator *g, expression node)
{
    if (g->node_count == NODES)
        abort();
    g->nodes[g->node_count] = node;
    return g->node_count++;
}

/* A value some flow has, or its neighbour. */
static nfl_value pick_value(generator *g, uint32_t field)
{
    nfl_value value = {.struct_size = sizeof value};
    nfl_flow_get(&g->flows[test_below(&g->random, FLOWS)], field, &value);
    value.present = 1; /* where it was not sent, 0 is as good a value as any */
    if (value.type != NFL_TYPE_IP && test_chance(&g->random, 20) && value.u64 > 0 && value.u64 < 200)
        value.u64 += test_chance(&g->random, 50) ? 1 : (uint64_t)-1;
    return value;
}

/* Another field of the same kind, counters and numbers being one; perhaps the same one. */
static uint32_t pick_other(generator *g, uint32_t field)
{
    for (;;) {
        uint32_t other = fields[test_below(&g->random, sizeof fields / sizeof *fields)];
        uint8_t a = nfl__field_row(field)->kind, b = nfl__field_row(other)->kind;
        if ((a == NFL_KIND_COUNTER ? NFL_KIND_NUMBER : a) == (b == NFL_KIND_COUNTER ? NFL_KIND_NUMBER : b))
            return other;
    }
}

static nfl_status list_of(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err)
{
    generator *g = ctx;
    *text = g->lists + strtoul(name, NULL, 10);
    *len = strlen(*text);
    (void)err;
    return NFL_OK;
}

/* A list apart from the filter's text. */
static void generate_named_list(generator *g, expression *node)
{
    static const char *const ends[] = {"\n", "\r\n", " # comment\n", "\n\n; comment\n"};
    char text[NFL_VALUE_TEXT_SIZE];
    snprintf(text, sizeof text, test_chance(&g->random, 50) ? " @%zu" : " @'%zu'", g->lists_len);
    emit(g, text);
    for (int i = 0; i < LIST; i++) {
        node->list[i] = pick_value(g, node->field);
        format_value(g, &node->list[i], "", text, sizeof text);
        int wrote = snprintf(g->lists + g->lists_len, TEXT - g->lists_len, "%s%s", text, pick(g, ends, 4));
        if ((g->lists_len += (size_t)wrote) + 1 >= TEXT)
            abort();
    }
    g->lists_len++;
}

static int generate_list(generator *g, expression *node)
{
    node->kind = EXPR_IN;
    node->sign = test_chance(&g->random, 50) ? "in" : "not in";
    emit(g, node->sign);
    if (test_chance(&g->random, 50)) {
        generate_named_list(g, node);
        return add_node(g, *node);
    }
    emit(g, " [");
    for (int i = 0; i < LIST; i++) {
        node->list[i] = pick_value(g, node->field);
        emit_value(g, &node->list[i]);
        emit(g, i == LIST - 1 ? "]" : test_chance(&g->random, 50) || node->value.kind == NFL_KIND_TIME ? ", " : " ");
    }
    return add_node(g, *node);
}

/* in last 15us: reaches back to some flow. */
static int generate_recent(generator *g, expression *node)
{
    char text[NFL_VALUE_TEXT_SIZE];
    node->kind = EXPR_RECENT;
    node->sign = test_chance(&g->random, 50) ? "in" : "not in";
    if ((nfl_usec)node->value.u64 > NOW)
        node->value.u64 = (uint64_t)NOW;
    snprintf(text, sizeof text, "%s last %lluus", node->sign, (unsigned long long)NOW - node->value.u64);
    emit(g, text);
    return add_node(g, *node);
}

static const uint32_t shown[] = {NFL_FIELD_SRC, NFL_FIELD_DST,      NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT, NFL_FIELD_PROTO,   NFL_FIELD_APP,
                                 NFL_FIELD_EXPORTER, NFL_FIELD_NAT_SRC, NFL_FIELD_NAT_DST, NFL_FIELD_SRC_MAC, NFL_FIELD_DST_MAC};

/* text "1.2": a piece of what some flow shows. */
static int generate_text(generator *g)
{
    expression node = {.kind = EXPR_TEXT};
    char text[NFL_VALUE_TEXT_SIZE];
    nfl_value value = pick_value(g, shown[test_below(&g->random, sizeof shown / sizeof *shown)]);
    size_t len = nfl_value_format(&value, NFL_TEXT_HUMAN, text, sizeof text), start = test_below(&g->random, len);
    snprintf(node.word, sizeof node.word, "%.*s", (int)(1 + test_below(&g->random, WORD)), text + start);
    emit(g, "text '");
    for (const char *c = node.word; *c; c++)
        emit(g, (char[]){test_chance(&g->random, 20) && *c >= 'a' && *c <= 'z' ? (char)(*c - 0x20) : *c, 0});
    emit(g, "'");
    return add_node(g, node);
}

static int generate_leaf(generator *g)
{
    static const char *const signs[] = {"=", "!=", "<", "<=", ">", ">="};
    expression node = {.kind = EXPR_COMPARE,
                       .field = fields[test_below(&g->random, sizeof fields / sizeof *fields)]};
    const char *name = nfl__field_row(node.field)->name;
    if (test_chance(&g->random, 10))
        return generate_text(g);
    if (test_chance(&g->random, 8)) {
        node.kind = EXPR_EXISTS;
        emit(g, "exists ");
        emit(g, name);
        return add_node(g, node);
    }
    node.value = pick_value(g, node.field);
    node.sign = pick(g, signs, 6);
    emit(g, name);
    emit(g, " ");
    if (test_chance(&g->random, 15))
        return generate_list(g, &node);
    if (node.value.kind == NFL_KIND_TIME && test_chance(&g->random, 30))
        return generate_recent(g, &node);
    if (test_chance(&g->random, 15)) {
        node.kind = EXPR_FIELDS;
        node.other = pick_other(g, node.field);
        emit(g, node.sign);
        emit(g, " ");
        emit(g, nfl__field_row(node.other)->name);
        return add_node(g, node);
    }
    if (node.field == NFL_FIELD_TCP_FLAGS && node.value.u64 && test_chance(&g->random, 50))
        node.kind = EXPR_MASK;
    else
        emit(g, node.sign);
    emit(g, " ");
    emit_value(g, &node.value);
    return add_node(g, node);
}

static int generate(generator *g, unsigned depth)
{
    static const char *const ands[] = {" and ", " && ", " "}, *const ors[] = {" or ", " || "};
    if (depth == 0 || test_chance(&g->random, 30))
        return generate_leaf(g);
    expression node = {.kind = EXPR_NOT};
    if (test_chance(&g->random, 25)) {
        emit(g, "not (");
        node.left = generate(g, depth - 1);
    } else {
        emit(g, "(");
        node.kind = test_chance(&g->random, 50) ? EXPR_AND : EXPR_OR;
        node.left = generate(g, depth - 1);
        emit(g, node.kind == EXPR_AND ? pick(g, ands, 3) : pick(g, ors, 2));
        node.right = generate(g, depth - 1);
    }
    emit(g, ")");
    return add_node(g, node);
}

static int compare_values(const nfl_value *a, const nfl_value *b)
{
    if (a->type == NFL_TYPE_IP)
        return nfl_ip_compare(&a->ip, &b->ip);
    if (a->type == NFL_TYPE_TIME)
        return (int64_t)a->u64 < (int64_t)b->u64 ? -1 : (int64_t)a->u64 > (int64_t)b->u64;
    return a->u64 < b->u64 ? -1 : a->u64 > b->u64;
}

static int is_listed(const expression *node, const nfl_value *value)
{
    for (int i = 0; i < LIST; i++)
        if (compare_values(value, &node->list[i]) == 0)
            return 1;
    return 0;
}

static int shows(const expression *node, const nfl_flow *flow)
{
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        nfl_value value = {.struct_size = sizeof value};
        char text[NFL_VALUE_TEXT_SIZE];
        nfl_flow_get(flow, shown[i], &value);
        nfl_value_format(&value, NFL_TEXT_HUMAN, text, sizeof text);
        if (value.present && strcasestr(text, node->word))
            return 1;
    }
    return 0;
}

static int evaluate_leaf(const expression *node, const nfl_flow *flow)
{
    nfl_value value = {.struct_size = sizeof value};
    if (node->kind == EXPR_TEXT)
        return shows(node, flow);
    nfl_flow_get(flow, node->field, &value);
    if (!value.present || node->kind == EXPR_EXISTS)
        return value.present;
    if (node->kind == EXPR_MASK)
        return (value.u64 & node->value.u64) == node->value.u64;
    if (node->kind == EXPR_IN)
        return is_listed(node, &value) == (node->sign[0] == 'i');
    if (node->kind == EXPR_RECENT)
        return ((nfl_usec)value.u64 >= (nfl_usec)node->value.u64 && (nfl_usec)value.u64 <= NOW) == (node->sign[0] == 'i');
    nfl_value other = node->value;
    if (node->kind == EXPR_FIELDS && (nfl_flow_get(flow, node->other, &other), !other.present))
        return 0;
    int order = compare_values(&value, &other);
    switch (node->sign[0]) {
    case '=':
        return order == 0;
    case '!':
        return order != 0;
    case '<':
        return order < 0 || (order == 0 && node->sign[1]);
    default:
        return order > 0 || (order == 0 && node->sign[1]);
    }
}

static int evaluate(const generator *g, int at, const nfl_flow *flow)
{
    const expression *node = &g->nodes[at];
    switch (node->kind) {
    case EXPR_NOT:
        return !evaluate(g, node->left, flow);
    case EXPR_AND:
        return evaluate(g, node->left, flow) && evaluate(g, node->right, flow);
    case EXPR_OR:
        return evaluate(g, node->left, flow) || evaluate(g, node->right, flow);
    default:
        return evaluate_leaf(node, flow);
    }
}

static void fail(const generator *g, uint64_t seed, const char *what)
{
    printf("\n    NFL_SEED=%llu: %s: %s\n", (unsigned long long)seed, what, g->text);
    CU_FAIL("see above");
}

/* All columns forms and blocks, zones included: the rows a query lists are those that match. */
static int columns_agree(const generator *g, const nfl_filter *filter, int root, uint64_t seed)
{
    test_columns columns;
    nfl__source *source = NULL;
    nfl__filter_scratch *scratch = NULL;
    uint64_t selected[NFL__BATCH_ROWS / 64];
    size_t expected = 0, found = 0;
    int good = 1;
    for (size_t i = 0; i < FLOWS; i++)
        expected += (size_t)evaluate(g, root, &g->flows[i]);
    test_columns_init(&columns, g->flows, FLOWS, 150, seed);
    if (columns.scannable.open(&columns, filter, nfl__filter_fields(filter), &source, NULL) != NFL_OK ||
        nfl__filter_scratch_new(filter, NULL, &scratch, NULL) != NFL_OK)
        abort();
    while (nfl__source_next(source, NULL) == NFL_OK) {
        uint32_t count = 0;
        good &= nfl__filter_select(filter, scratch, source, selected, &count, NULL) == NFL_OK;
        for (uint32_t i = 0; i < source->batch.rows; i++)
            good &= nfl__bit_get(selected, i) == evaluate(g, root, &columns.block[i]);
        found += count;
    }
    nfl__filter_scratch_free(scratch);
    source->ops->free(source);
    return good && found == expected && !columns.misuse;
}

static void test_rows_columns_and_zones_agree(void)
{
    uint64_t seed = test_seed();
    static nfl_flow flows[FLOWS];
    static generator g;
    g.random.state = seed;
    for (size_t i = 0; i < FLOWS; i++)
        test_flow_with_gaps(&g.random, &flows[i]);
    g.flows = flows;
    for (unsigned round = 0; round < ROUNDS; round++) {
        nfl_filter *filter = NULL;
        nfl_error err = {0};
        NFL_OPTS(nfl_filter_opts, opts, .now_us = NOW, .list = list_of, .list_ctx = &g);
        g.node_count = 0;
        g.len = g.lists_len = 0;
        int root = generate(&g, 4);
        if (nfl_filter_new(g.text, &opts, &filter, &err) != NFL_OK) {
            fail(&g, seed, err.message);
            return;
        }
        for (size_t i = 0; i < FLOWS; i++) {
            if (nfl_filter_match(filter, &flows[i]) != evaluate(&g, root, &flows[i])) {
                fail(&g, seed, "row");
                nfl_filter_free(filter);
                return;
            }
        }
        if (!columns_agree(&g, filter, root, seed + round))
            fail(&g, seed, "columns");
        nfl_filter_free(filter);
    }
}

NFL_SUITE("filter laws",
          {"rows, columns and zones agree with the expression", test_rows_columns_and_zones_agree})

#include "query/filter_parse.h"

#include "base/error.h"
#include "query/filter_build.h"
#include "query/filter_hint.h"
#include "query/filter_lex.h"
#include "query/filter_list.h"
#include "query/filter_text.h"
#include "query/filter_value.h"
#include "record/fields.h"
#include "record/text.h"

#include <string.h>

#define PARSE_MAX_TEXT (4u << 20) /* 65,536 IPv6 addresses in full length, quoted and separated, take 3 MiB */
#define PARSE_MAX_NESTING 40u /* parentheses and `not`; a level adds at most two nodes of depth */
#define PARSE_NAME_SIZE 40u

typedef struct parse_state {
    nfl_filter *filter;
    const char *text;
    uint32_t pos; /* behind `token` */
    uint32_t nesting;
    int negated; /* the term is turned round by the `not` before it, without parentheses between */
    nfl__token token; /* the next one, not consumed */
    const nfl_filter_opts *opts;
    int unscaled;
    nfl_error *err;
} parse_state;

/* What is compared: one field, or two (ip, port, as and others) of which either may match, or both must. */
typedef struct parse_operand {
    uint8_t fields[2];
    uint8_t count;
    uint8_t both;
    uint8_t net; /* said as `net`: a netmask may follow the address */
} parse_operand;

static const struct {
    const char *name;
    parse_operand operand;
} parse_pairs[] = {{"ip", {{NFL_FIELD_SRC, NFL_FIELD_DST}, 2, 0, 0}},
                   {"port", {{NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT}, 2, 0, 0}},
                   {"as", {{NFL_FIELD_SRC_AS, NFL_FIELD_DST_AS}, 2, 0, 0}},
                   {"if", {{NFL_FIELD_IN_IF, NFL_FIELD_OUT_IF}, 2, 0, 0}},
                   {"mac", {{NFL_FIELD_SRC_MAC, NFL_FIELD_DST_MAC}, 2, 0, 0}},
                   {"mask", {{NFL_FIELD_SRC_MASK, NFL_FIELD_DST_MASK}, 2, 0, 0}},
                   {"nip", {{NFL_FIELD_NAT_SRC, NFL_FIELD_NAT_DST}, 2, 0, 0}},
                   {"xip", {{NFL_FIELD_NAT_SRC, NFL_FIELD_NAT_DST}, 2, 0, 0}},
                   {"nport", {{NFL_FIELD_NAT_SRC_PORT, NFL_FIELD_NAT_DST_PORT}, 2, 0, 0}},
                   {"xport", {{NFL_FIELD_NAT_SRC_PORT, NFL_FIELD_NAT_DST_PORT}, 2, 0, 0}}};

enum { PARSE_PAIR_IP = 0, PARSE_PAIR_PORT = 1, PARSE_PAIR_MAC = 4, PARSE_PAIRS = sizeof parse_pairs / sizeof *parse_pairs };

static nfl_status parse_or(parse_state *p, uint32_t *out);

static nfl_status parse_advance(parse_state *p)
{
    return nfl__filter_lex(p->text, &p->pos, &p->token, p->err);
}

/* "found 'x', <expected> expected" at the current token. */
static nfl_status parse_fail(parse_state *p, const char *expected)
{
    const nfl__token *t = &p->token;
    if (t->kind == NFL__TOKEN_END)
        return nfl__fail(p->err, NFL_E_SYNTAX, t->column, "the text ends, %s expected", expected);
    return nfl__fail(p->err, NFL_E_SYNTAX, t->column, "found '%.*s', %s expected",
                     t->len < 60 ? (int)t->len : 60, t->text, expected);
}

static nfl_status parse_unknown(parse_state *p)
{
    char hint[NFL__HINT_SIZE];
    nfl__filter_hint(p->token.text, p->token.len, 1, hint);
    return nfl__fail(p->err, NFL_E_SYNTAX, p->token.column,
                     "found '%.*s', a field, address, port, protocol or service name expected%s",
                     p->token.len < 60 ? (int)p->token.len : 60, p->token.text, hint);
}

/* --- Operands ---- */

/* Append a word to a name, behind an underscore; 0 when it gets too long to be a name. */
static int parse_join(char name[PARSE_NAME_SIZE], const nfl__token *word)
{
    size_t len = strlen(name);
    if (len + word->len + 2 > PARSE_NAME_SIZE)
        return 0;
    if (len)
        name[len++] = '_';
    for (uint32_t i = 0; i < word->len; i++)
        name[len + i] = word->text[i] == '-' ? '_' : word->text[i]; /* icmp-type */
    name[len + word->len] = 0;
    return 1;
}

static int parse_find_operand(const char *name, size_t len, parse_operand *out)
{
    uint32_t field = nfl_field_find(name, len);
    const char *pair = field != NFL_FIELD_NONE ? (const char *)nfl__field_row(field)->name : NULL;
    for (size_t i = 0; i < PARSE_PAIRS; i++) {
        const char *known = parse_pairs[i].name;
        nfl__token word = {pair ? pair : name, (uint32_t)(pair ? strlen(pair) : len), 0, NFL__TOKEN_WORD};
        if (nfl__token_is(&word, known)) {
            *out = parse_pairs[i].operand;
            out->net = (uint8_t)(len == 3 && nfl__text_is("net", name, len));
            return 1;
        }
    }
    if (field == NFL_FIELD_NONE || field == NFL_FIELD_TIME)
        return 0;
    *out = (parse_operand){{(uint8_t)field, 0}, 1, 0, 0};
    return 1;
}

static const nfl_field_info *parse_operand_row(const parse_operand *operand)
{
    return nfl__field_row(operand->fields[0]);
}

/* `src ip`, `dst net`, `src host`: the second word adds nothing. */
static nfl_status parse_skip_address_word(parse_state *p, parse_operand *out)
{
    if (parse_operand_row(out)->kind != NFL_KIND_ADDRESS || out->count != 1)
        return NFL_OK;
    out->net |= (uint8_t)nfl__token_is(&p->token, "net");
    if (nfl__token_is(&p->token, "ip") || nfl__token_is(&p->token, "host") || nfl__token_is(&p->token, "net"))
        return parse_advance(p);
    return NFL_OK;
}

/* The longest run of up to three words that names a field when joined by underscores: `src port`,
 * `nat src port`, `in if`, `tcp flags`. *found = 0 and nothing consumed if there is none. */
static nfl_status parse_field_words(parse_state *p, parse_operand *out, int *found)
{
    parse_state ahead = *p, best = *p;
    char name[PARSE_NAME_SIZE] = "";
    ahead.err = NULL;
    *found = 0;
    for (unsigned words = 0; words < 3 && ahead.token.kind == NFL__TOKEN_WORD; words++) {
        if (!parse_join(name, &ahead.token) || parse_advance(&ahead) != NFL_OK)
            break;
        if (parse_find_operand(name, strlen(name), out)) {
            best = ahead;
            *found = 1;
        }
    }
    if (!*found)
        return NFL_OK;
    best.err = p->err;
    *p = best;
    return parse_skip_address_word(p, out);
}

/* `src or dst port`, `src and dst net`: a name for two fields with the way to join them said. */
static void parse_either_words(parse_state *p, parse_operand *out, int *found)
{
    parse_state ahead = *p;
    nfl__token words[4];
    ahead.err = NULL;
    *found = 0;
    for (unsigned i = 0; i < 4; i++) {
        words[i] = ahead.token;
        if (parse_advance(&ahead) != NFL_OK)
            return;
    }
    const char *second = nfl__token_is(&words[0], "src")   ? "dst"
                         : nfl__token_is(&words[0], "dst") ? "src"
                                                           : NULL;
    int joined = words[1].kind == NFL__TOKEN_OR || words[1].kind == NFL__TOKEN_AND;
    if (!second || !joined || !nfl__token_is(&words[2], second) || words[3].kind != NFL__TOKEN_WORD ||
        !parse_find_operand(words[3].text, words[3].len, out) || out->count != 2 ||
        out->fields[0] == NFL_FIELD_IN_IF)
        return;
    *found = 1;
    out->both = words[1].kind == NFL__TOKEN_AND;
    ahead.err = p->err;
    *p = ahead;
}

static nfl_status parse_operand_words(parse_state *p, parse_operand *out, int *found)
{
    parse_either_words(p, out, found);
    return *found ? NFL_OK : parse_field_words(p, out, found);
}

/* --- Values ---- */

static nfl__literal_type parse_literal_type(const parse_state *p, const parse_operand *operand,
                                            const char *name)
{
    const nfl_field_info *row = parse_operand_row(operand);
    nfl__literal_type type = {name ? name : (const char *)row->name, p->opts->now_us, row->kind, row->type,
                              (uint8_t)row->width};
    return type;
}

/* Name of an operand for messages. */
static const char *parse_operand_name(const parse_operand *operand)
{
    for (size_t i = 0; i < PARSE_PAIRS && operand->count == 2; i++)
        if (parse_pairs[i].operand.fields[0] == operand->fields[0])
            return parse_pairs[i].name;
    return parse_operand_row(operand)->name;
}

/* The length of time at the current token, which is consumed. */
static nfl_status parse_length(parse_state *p, nfl_usec *out)
{
    static const nfl__literal_type type = {"time", 0, NFL_KIND_DURATION, NFL_TYPE_TIME, sizeof(uint64_t)};
    nfl__range ranges[NFL__LITERAL_RANGES];
    uint32_t count;
    NFL_TRY(nfl__literal_parse(&type, &p->token, ranges, &count, p->err));
    *out = nfl__key_to_time(ranges[0].first);
    return parse_advance(p);
}

/* `now - 15m`, `2026-11-23 + 8h`: a length of time behind the time just read moves it. */
static nfl_status parse_time_offset(parse_state *p, nfl__range *time)
{
    if (p->token.kind != NFL__TOKEN_WORD || (*p->token.text != '-' && *p->token.text != '+'))
        return NFL_OK;
    int before = *p->token.text == '-';
    nfl_usec length_us, time_us = nfl__key_to_time(time->first);
    uint32_t column = p->token.column;
    p->token.text++;
    p->token.column++;
    if (--p->token.len == 0)
        NFL_TRY(parse_advance(p));
    NFL_TRY(parse_length(p, &length_us));
    if (__builtin_add_overflow(time_us, before ? -length_us : length_us, &time_us))
        return nfl__fail(p->err, NFL_E_SYNTAX, column, "the time is out of range");
    time->first = time->last = nfl__key_time(time_us);
    return NFL_OK;
}

/* The literal at the current token becomes ranges of the filter. */
static nfl_status parse_value(parse_state *p, const parse_operand *operand)
{
    nfl__literal_type type = parse_literal_type(p, operand, parse_operand_name(operand));
    nfl__range ranges[NFL__LITERAL_RANGES];
    uint32_t count = 0;
    NFL_TRY(nfl__literal_parse(&type, &p->token, ranges, &count, p->err));
    NFL_TRY(parse_advance(p));
    if (type.kind == NFL_KIND_TIME)
        NFL_TRY(parse_time_offset(p, ranges));
    for (uint32_t i = 0; i < count; i++)
        NFL_TRY(nfl__filter_add_range(p->filter, &ranges[i], p->err));
    return NFL_OK;
}

/* `net 10.0.0.0 255.0.0.0`: what follows the address just read is a netmask if it is ones and then zeros. */
static nfl_status parse_netmask(parse_state *p, size_t range_at)
{
    nfl__range *range = &p->filter->ranges[range_at], masks[NFL__LITERAL_RANGES];
    nfl__literal_type type = {"net", 0, NFL_KIND_ADDRESS, NFL_TYPE_IP, sizeof(nfl_ip)};
    nfl__key zero = nfl__key_number(UINT64_C(0xffff00000000)); /* 0.0.0.0 among the IPv6 addresses */
    uint32_t count;
    nfl_error detail;
    if (p->token.kind != NFL__TOKEN_WORD || nfl__literal_parse(&type, &p->token, masks, &count, &detail) != NFL_OK)
        return NFL_OK;
    nfl__range mask = masks[0];
    uint32_t hosts = ~(uint32_t)mask.first.low;
    int is_mask = nfl__key_compare(mask.first, mask.last) == 0 && mask.first.high == 0 && mask.first.low >= zero.low &&
                  (hosts & (hosts + 1)) == 0;
    if (!is_mask || nfl__key_compare(range->first, range->last) != 0 || range->first.high != 0 || range->first.low < zero.low)
        return NFL_OK;
    range->first.low &= ~(uint64_t)hosts;
    range->last.low |= hosts;
    return parse_advance(p);
}

/* ( value , value ... ) or [ ... ]; commas may be left out. */
static nfl_status parse_list(parse_state *p, const parse_operand *operand)
{
    if (p->token.kind != NFL__TOKEN_OPEN)
        return parse_fail(p, "'(' or '[' and a list, or '@' and its name,");
    char open = *p->token.text;
    NFL_TRY(parse_advance(p));
    do {
        NFL_TRY(parse_value(p, operand));
        if (p->token.kind == NFL__TOKEN_COMMA)
            NFL_TRY(parse_advance(p));
    } while (p->token.kind != NFL__TOKEN_CLOSE);
    if ((*p->token.text == ')') != (open == '('))
        return parse_fail(p, open == '(' ? "')'" : "']'");
    return parse_advance(p);
}

/* @name: a list that the caller of the library knows. */
static nfl_status parse_named_list(parse_state *p, const parse_operand *operand)
{
    nfl__literal_type type = parse_literal_type(p, operand, parse_operand_name(operand));
    NFL_TRY(parse_advance(p));
    if (p->token.kind != NFL__TOKEN_WORD && p->token.kind != NFL__TOKEN_STRING)
        return parse_fail(p, "the name of a list");
    NFL_TRY(nfl__filter_add_list(p->filter, p->opts, &type, &p->token, p->err));
    return parse_advance(p);
}

/* last 2h: from so long ago up to now. */
static nfl_status parse_recent(parse_state *p)
{
    nfl_usec length_us, from_us;
    if (p->opts->now_us == 0)
        return parse_fail(p, "a list (what is now is not known here)");
    NFL_TRY(parse_advance(p));
    uint32_t column = p->token.column;
    NFL_TRY(parse_length(p, &length_us));
    if (__builtin_sub_overflow(p->opts->now_us, length_us, &from_us))
        return nfl__fail(p->err, NFL_E_SYNTAX, column, "the time is out of range");
    nfl__range range = {nfl__key_time(from_us), nfl__key_time(p->opts->now_us)};
    return nfl__filter_add_range(p->filter, &range, p->err);
}

/* What follows `in`. */
static nfl_status parse_members(parse_state *p, const parse_operand *operand)
{
    if (p->token.kind == NFL__TOKEN_AT)
        return parse_named_list(p, operand);
    if (parse_operand_row(operand)->kind == NFL_KIND_TIME && nfl__token_is(&p->token, "last"))
        return parse_recent(p);
    return parse_list(p, operand);
}

/* --- Comparisons ---- */

/* One leaf per field of the operand, joined by `op` when there are two. */
static nfl_status parse_emit(parse_state *p, const parse_operand *operand, const nfl__filter_leaf *leaf,
                             uint32_t op, uint32_t *out)
{
    uint32_t first, second;
    NFL_TRY(nfl__filter_add_leaf(p->filter, operand->fields[0], leaf, p->unscaled, &first, p->err));
    *out = first;
    if (operand->count == 1)
        return NFL_OK;
    NFL_TRY(nfl__filter_add_leaf(p->filter, operand->fields[1], leaf, p->unscaled, &second, p->err));
    p->filter->nodes[first].sibling = second;
    return nfl__filter_add_node(p->filter, operand->both ? NFL__NODE_AND : op, first, out, p->err);
}

static nfl_status parse_emit_ranges(parse_state *p, const parse_operand *operand, size_t range_at,
                                    uint32_t op, uint32_t *out)
{
    nfl__filter_leaf leaf = {0};
    leaf.test = NFL__TEST_RANGES;
    leaf.range_at = (uint32_t)range_at;
    leaf.range_count = (uint32_t)(p->filter->range_count - range_at);
    return parse_emit(p, operand, &leaf, op, out);
}

/* Turn the ranges from range_at on into what lies outside of them. */
static nfl_status parse_negate(parse_state *p, const parse_operand *operand, size_t range_at)
{
    const nfl_field_info *row = parse_operand_row(operand);
    nfl__range room = {{0, 0}, {0, 0}};
    uint32_t count = (uint32_t)(p->filter->range_count - range_at);
    NFL_TRY(nfl__filter_add_range(p->filter, &room, p->err));
    count = nfl__ranges_complement(p->filter->ranges + range_at, count, nfl__key_max(row->type, row->width));
    p->filter->range_count = range_at + count;
    return NFL_OK;
}

/* The ranges from range_at on are the values of = ; make them those of another operator. For < and > of a
 * prefix its lowest and highest address count. */
static nfl_status parse_apply(parse_state *p, const parse_operand *operand, uint32_t sign, size_t range_at)
{
    nfl_filter *filter = p->filter;
    const nfl_field_info *row = parse_operand_row(operand);
    nfl__key lowest = {0, 0}, highest = nfl__key_max(row->type, row->width);
    uint32_t count = (uint32_t)(filter->range_count - range_at);
    if (count > 0) /* of an empty list: none */
        count = nfl__ranges_normalize(filter->ranges + range_at, count);
    filter->range_count = range_at + count;
    if (sign == NFL__TOKEN_EQ)
        return NFL_OK;
    if (sign == NFL__TOKEN_NE)
        return parse_negate(p, operand, range_at);
    /* x <= v is [0, v] and x >= v is [v, max]; > and < are what these leave. */
    nfl__range *ranges = filter->ranges + range_at;
    int upwards = sign == NFL__TOKEN_LT || sign == NFL__TOKEN_GE;
    nfl__range below = {lowest, ranges[count - 1].last}, above = {ranges[0].first, highest};
    ranges[0] = upwards ? above : below;
    filter->range_count = range_at + 1;
    return sign == NFL__TOKEN_LE || sign == NFL__TOKEN_GE ? NFL_OK : parse_negate(p, operand, range_at);
}

static nfl_status parse_emit_mask(parse_state *p, const parse_operand *operand, uint64_t flags, uint32_t *out)
{
    nfl__filter_leaf leaf = {0};
    leaf.test = NFL__TEST_MASK;
    leaf.mask = flags;
    return parse_emit(p, operand, &leaf, NFL__NODE_OR, out);
}

/* One of the flags or more: what `not flags AF` turns round. */
static nfl_status parse_any_flag(parse_state *p, const parse_operand *operand, uint64_t flags, uint32_t *out)
{
    uint32_t first, last, next;
    NFL_TRY(parse_emit_mask(p, operand, flags & -flags, &first));
    last = first;
    while ((flags &= flags - 1) != 0) {
        NFL_TRY(parse_emit_mask(p, operand, flags & -flags, &next));
        p->filter->nodes[last].sibling = next;
        last = next;
    }
    *out = first;
    return last == first ? NFL_OK : nfl__filter_add_node(p->filter, NFL__NODE_OR, first, out, p->err);
}

/* `flags SA` without an operator: these and perhaps more. `not flags SA`: none of these, as in nfdump, where "only
 * SYN" is written `flags S and not flags AFRPU`. */
static nfl_status parse_mask(parse_state *p, const parse_operand *operand, size_t range_at, uint32_t *out)
{
    const nfl__range *value = &p->filter->ranges[range_at];
    if (nfl__key_compare(value->first, value->last) != 0 || value->first.low == 0)
        return parse_emit_ranges(p, operand, range_at, NFL__NODE_OR, out);
    uint64_t flags = value->first.low;
    p->filter->range_count = range_at;
    return p->negated ? parse_any_flag(p, operand, flags, out) : parse_emit_mask(p, operand, flags, out);
}

/* `in (...)`, `in @name`, `in last 2h`, and the same with `not`; the words are consumed. */
static nfl_status parse_membership(parse_state *p, const parse_operand *operand, int negated, uint32_t *out)
{
    size_t range_at = p->filter->range_count;
    NFL_TRY(parse_members(p, operand));
    NFL_TRY(parse_apply(p, operand, negated ? NFL__TOKEN_NE : NFL__TOKEN_EQ, range_at));
    return parse_emit_ranges(p, operand, range_at, negated ? NFL__NODE_AND : NFL__NODE_OR, out);
}

/* Numbers of any meaning compare; otherwise only what is of the same kind. */
static int parse_is_comparable(const nfl_field_info *a, const nfl_field_info *b)
{
    int numbers = (a->kind == NFL_KIND_COUNTER || a->kind == NFL_KIND_NUMBER) &&
                  (b->kind == NFL_KIND_COUNTER || b->kind == NFL_KIND_NUMBER);
    return numbers || a->kind == b->kind;
}

/* `src_port = dst_port`: what follows the sign is a field and not a value. *found = 0, and nothing consumed, if not:
 * a word that is both, as `domain`, is the value. */
static nfl_status parse_other_field(parse_state *p, const parse_operand *operand, uint32_t sign, uint32_t *out, int *found)
{
    static const uint8_t orders[] = {NFL__ORDER_EQUAL,
                                     NFL__ORDER_LESS | NFL__ORDER_GREATER,
                                     NFL__ORDER_LESS,
                                     NFL__ORDER_LESS | NFL__ORDER_EQUAL,
                                     NFL__ORDER_GREATER,
                                     NFL__ORDER_GREATER | NFL__ORDER_EQUAL}; /* from NFL__TOKEN_EQ on */
    nfl__literal_type type = parse_literal_type(p, operand, NULL);
    parse_state ahead = *p;
    parse_operand other = {{0, 0}, 0, 0, 0};
    nfl__range ranges[NFL__LITERAL_RANGES];
    uint32_t count;
    nfl_error detail;
    *found = 0;
    if (p->token.kind != NFL__TOKEN_WORD || nfl__literal_parse(&type, &p->token, ranges, &count, &detail) == NFL_OK)
        return NFL_OK;
    NFL_TRY(parse_field_words(&ahead, &other, found));
    if (!*found)
        return NFL_OK;
    const nfl_field_info *mine = parse_operand_row(operand), *theirs = parse_operand_row(&other);
    if (operand->count != 1 || other.count != 1)
        return parse_fail(p, "a value (only single fields such as 'src_port' compare with each other)");
    if (!parse_is_comparable(mine, theirs))
        return nfl__fail(p->err, NFL_E_SYNTAX, p->token.column, "found '%s', which is of another kind than '%s'",
                         (const char *)theirs->name, (const char *)mine->name);
    *p = ahead;
    return nfl__filter_add_order(p->filter, operand->fields[0], orders[sign - NFL__TOKEN_EQ], other.fields[0], p->unscaled,
                                 out, p->err);
}

/* What follows an operand: [sign] value, sign field, or [not] in list. `port != 80` means neither port is 80. */
static nfl_status parse_comparison(parse_state *p, const parse_operand *operand, uint32_t *out)
{
    uint32_t sign = p->token.kind;
    if (nfl__token_is(&p->token, "in")) {
        NFL_TRY(parse_advance(p));
        return parse_membership(p, operand, 0, out);
    }
    if (sign == NFL__TOKEN_NOT) {
        NFL_TRY(parse_advance(p));
        if (!nfl__token_is(&p->token, "in"))
            return parse_fail(p, "'in' and a list");
        NFL_TRY(parse_advance(p));
        return parse_membership(p, operand, 1, out);
    }
    int has_sign = sign >= NFL__TOKEN_EQ && sign <= NFL__TOKEN_GE;
    if (has_sign) {
        int found;
        NFL_TRY(parse_advance(p));
        NFL_TRY(parse_other_field(p, operand, sign, out, &found));
        if (found)
            return NFL_OK;
    }
    size_t range_at = p->filter->range_count;
    NFL_TRY(parse_value(p, operand));
    if (operand->net)
        NFL_TRY(parse_netmask(p, range_at));
    if (!has_sign && parse_operand_row(operand)->kind == NFL_KIND_FLAGS)
        return parse_mask(p, operand, range_at, out);
    NFL_TRY(parse_apply(p, operand, has_sign ? sign : NFL__TOKEN_EQ, range_at));
    return parse_emit_ranges(p, operand, range_at, sign == NFL__TOKEN_NE ? NFL__NODE_AND : NFL__NODE_OR, out);
}

/* --- Terms ---- */

/* `exists field`, `absent field`. */
static nfl_status parse_exists(parse_state *p, int wanted, uint32_t *out)
{
    parse_operand operand = {{0, 0}, 0, 0, 0};
    nfl__filter_leaf leaf = {0};
    int found;
    leaf.test = NFL__TEST_EXISTS;
    NFL_TRY(parse_advance(p));
    NFL_TRY(parse_operand_words(p, &operand, &found));
    if (!found)
        return parse_fail(p, "a field name");
    NFL_TRY(parse_emit(p, &operand, &leaf, NFL__NODE_OR, out));
    return wanted ? NFL_OK : nfl__filter_add_node(p->filter, NFL__NODE_NOT, *out, out, p->err);
}

/* `ipv4`, `ipv6`: an address of that family. */
static nfl_status parse_family(parse_state *p, int v4, uint32_t *out)
{
    const parse_operand *ip = &parse_pairs[PARSE_PAIR_IP].operand;
    nfl_ip first = nfl_ip_from_v4(0), last = nfl_ip_from_v4(UINT32_MAX);
    nfl__range range = {nfl__key_ip(&first), nfl__key_ip(&last)};
    size_t range_at = p->filter->range_count;
    NFL_TRY(nfl__filter_add_range(p->filter, &range, p->err));
    if (!v4)
        NFL_TRY(parse_negate(p, ip, range_at));
    NFL_TRY(parse_emit_ranges(p, ip, range_at, NFL__NODE_OR, out));
    return parse_advance(p);
}

/* `text "10.1. https"`: every word stands in what some field shows. */
static nfl_status parse_text(parse_state *p, uint32_t *out)
{
    NFL_TRY(parse_advance(p));
    if (p->token.kind != NFL__TOKEN_WORD && p->token.kind != NFL__TOKEN_STRING)
        return parse_fail(p, "the text to look for");
    NFL_TRY(nfl__filter_add_text(p->filter, &p->token, out, p->err));
    return parse_advance(p);
}

static int parse_is_number(const nfl__token *token)
{
    uint32_t digits = 0;
    while (digits < token->len && token->text[digits] >= '0' && token->text[digits] <= '9')
        digits++;
    return digits > 0 && digits == token->len;
}

/* A value alone: what kind of thing it looks like decides the field; a number is a port. *found = 0 if it
 * looks like nothing. */
static nfl_status parse_bare_value(parse_state *p, uint32_t *out, int *found)
{
    static const parse_operand proto = {{NFL_FIELD_PROTO, 0}, 1, 0, 0};
    const parse_operand *port = &parse_pairs[PARSE_PAIR_PORT].operand;
    const parse_operand *tries[] = {&parse_pairs[PARSE_PAIR_IP].operand, &parse_pairs[PARSE_PAIR_MAC].operand,
                                    &proto, port};
    *found = parse_is_number(&p->token);
    if (*found)
        return parse_comparison(p, port, out);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        nfl__literal_type type = parse_literal_type(p, tries[i], NULL);
        nfl__range ranges[NFL__LITERAL_RANGES];
        uint32_t count;
        nfl_error detail;
        *found = nfl__literal_parse(&type, &p->token, ranges, &count, &detail) == NFL_OK;
        if (*found)
            return parse_comparison(p, tries[i], out);
    }
    return NFL_OK;
}

static int parse_token_is_one_of(const nfl__token *token, const char *a, const char *b)
{
    return nfl__token_is(token, a) || nfl__token_is(token, b);
}

static nfl_status parse_term(parse_state *p, uint32_t *out)
{
    parse_operand operand = {{0, 0}, 0, 0, 0};
    int found;
    if (nfl__token_is(&p->token, "any")) {
        NFL_TRY(nfl__filter_add_node(p->filter, NFL__NODE_ANY, 0, out, p->err));
        return parse_advance(p);
    }
    if (parse_token_is_one_of(&p->token, "exists", "absent"))
        return parse_exists(p, nfl__token_is(&p->token, "exists"), out);
    if (parse_token_is_one_of(&p->token, "ipv4", "inet") || parse_token_is_one_of(&p->token, "ipv6", "inet6"))
        return parse_family(p, parse_token_is_one_of(&p->token, "ipv4", "inet"), out);
    if (nfl__token_is(&p->token, "text"))
        return parse_text(p, out);
    NFL_TRY(parse_operand_words(p, &operand, &found));
    if (found)
        return parse_comparison(p, &operand, out);
    NFL_TRY(parse_bare_value(p, out, &found));
    return found ? NFL_OK : parse_unknown(p);
}

/* --- and, or, not ---- */

static nfl_status parse_nest(parse_state *p)
{
    if (++p->nesting > PARSE_MAX_NESTING)
        return nfl__fail(p->err, NFL_E_LIMIT, p->token.column, "nested more than %u deep", PARSE_MAX_NESTING);
    return parse_advance(p);
}

static nfl_status parse_primary(parse_state *p, uint32_t *out)
{
    if (p->token.kind == NFL__TOKEN_WORD || p->token.kind == NFL__TOKEN_STRING)
        return parse_term(p, out);
    if (p->token.kind != NFL__TOKEN_OPEN || *p->token.text != '(')
        return parse_fail(p, "a comparison");
    int negated = p->negated;
    p->negated = 0;
    NFL_TRY(parse_nest(p));
    NFL_TRY(parse_or(p, out));
    p->negated = negated;
    if (p->token.kind != NFL__TOKEN_CLOSE || *p->token.text != ')')
        return parse_fail(p, "')', 'and' or 'or'");
    p->nesting--;
    return parse_advance(p);
}

static nfl_status parse_not(parse_state *p, uint32_t *out)
{
    if (p->token.kind != NFL__TOKEN_NOT)
        return parse_primary(p, out);
    uint32_t child;
    NFL_TRY(parse_nest(p));
    p->negated = !p->negated;
    NFL_TRY(parse_not(p, &child));
    p->negated = !p->negated;
    p->nesting--;
    return nfl__filter_add_node(p->filter, NFL__NODE_NOT, child, out, p->err);
}

/* Does another term follow that is meant to be joined by `and`? */
static int parse_term_follows(const parse_state *p)
{
    return p->token.kind == NFL__TOKEN_WORD || p->token.kind == NFL__TOKEN_STRING ||
           p->token.kind == NFL__TOKEN_NOT || (p->token.kind == NFL__TOKEN_OPEN && *p->token.text == '(');
}

static nfl_status parse_and(parse_state *p, uint32_t *out)
{
    uint32_t first, last, next;
    NFL_TRY(parse_not(p, &first));
    last = first;
    while (p->token.kind == NFL__TOKEN_AND || parse_term_follows(p)) {
        if (p->token.kind == NFL__TOKEN_AND)
            NFL_TRY(parse_advance(p));
        NFL_TRY(parse_not(p, &next));
        p->filter->nodes[last].sibling = next;
        last = next;
    }
    *out = first;
    return last == first ? NFL_OK : nfl__filter_add_node(p->filter, NFL__NODE_AND, first, out, p->err);
}

static nfl_status parse_or(parse_state *p, uint32_t *out)
{
    uint32_t first, last, next;
    NFL_TRY(parse_and(p, &first));
    last = first;
    while (p->token.kind == NFL__TOKEN_OR) {
        NFL_TRY(parse_advance(p));
        NFL_TRY(parse_and(p, &next));
        p->filter->nodes[last].sibling = next;
        last = next;
    }
    *out = first;
    return last == first ? NFL_OK : nfl__filter_add_node(p->filter, NFL__NODE_OR, first, out, p->err);
}

nfl_status nfl__filter_parse(nfl_filter *filter, const char *text, const nfl_filter_opts *opts, int unscaled,
                             uint32_t *root, nfl_error *err)
{
    if (strnlen(text, PARSE_MAX_TEXT + 1) > PARSE_MAX_TEXT)
        return nfl__fail(err, NFL_E_LIMIT, PARSE_MAX_TEXT, "filter is longer than %u bytes", PARSE_MAX_TEXT);
    parse_state p = {.filter = filter, .text = text, .opts = opts, .unscaled = unscaled, .err = err};
    NFL_TRY(parse_advance(&p));
    if (p.token.kind == NFL__TOKEN_END)
        return nfl__filter_add_node(filter, NFL__NODE_ANY, 0, root, err);
    NFL_TRY(parse_or(&p, root));
    return p.token.kind == NFL__TOKEN_END ? NFL_OK : parse_fail(&p, "'and', 'or' or the end");
}

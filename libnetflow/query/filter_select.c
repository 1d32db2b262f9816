/* A filter over the columns of a block: bitmaps of rows.
 *
 * A node gets the rows that are still of interest and gives those of them that match. `and` passes on what
 * is left, `or` what is not found yet, and both stop when that is nothing, so that columns nobody needs any
 * more are not even loaded. Words of 64 rows without interest are passed over. What an `and` at the root has left is all that the
 * query will ever look at: the source is told.
 */
#include "base/error.h"
#include "base/rd.h"
#include "query/derive.h"
#include "query/filter_tree.h"

#define SELECT_WORDS (NFL__BATCH_ROWS / 64u)
#define SELECT_FEW_RANGES 4u    /* so many are tested one after the other, all rows at once */
#define SELECT_RANGE_COST 16u   /* values of a dictionary that are tested while the ends of one range are looked up */
#define SELECT_TABLE_ROWS 1024u /* from so many rows on a table of all ports is worth making */

struct nfl__filter_scratch {
    nfl__memory memory;
    uint64_t *bitmaps; /* two per level of the tree */
    uint32_t bitmap_count;
    uint8_t *dictionary;  /* per code: does its value match? */
    nfl__range *ranges;   /* those of a leaf, divided by a sampling rate */
    uint32_t range_count; /* room */
    uint32_t words;       /* of the current block */
};

typedef struct select_run {
    const nfl_filter *filter;
    nfl__filter_scratch *scratch;
    nfl__source *source;
    nfl_error *err;
} select_run;

/* A leaf as it is applied to one column: with ranges that fit the column's values. */
typedef struct select_test {
    const nfl__column *column;
    const nfl__range *ranges;
    uint32_t range_count;
    uint8_t test, type;
    const nfl_filter *filter;
    const nfl__filter_leaf *leaf;
} select_test;

void nfl__filter_scratch_free(nfl__filter_scratch *scratch)
{
    if (!scratch)
        return;
    nfl__memory memory = scratch->memory;
    nfl__delete(&memory, scratch->bitmaps, scratch->bitmap_count, SELECT_WORDS * sizeof(uint64_t));
    nfl__delete(&memory, scratch->dictionary, NFL__BATCH_ROWS, 1);
    nfl__delete(&memory, scratch->ranges, scratch->range_count, sizeof *scratch->ranges);
    nfl__delete(&memory, scratch, 1, sizeof *scratch);
}

nfl_status nfl__filter_scratch_new(const nfl_filter *filter, const nfl_alloc *alloc,
                                   nfl__filter_scratch **out, nfl_error *err)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__filter_scratch *scratch = nfl__new(&memory, 1, sizeof *scratch);
    if (!scratch)
        return nfl__fail_nomem(err, sizeof *scratch);
    scratch->memory = memory;
    scratch->bitmap_count = 2 * filter->depth + 1;
    scratch->range_count = filter->max_ranges + 1;
    scratch->bitmaps = nfl__new(&scratch->memory, scratch->bitmap_count, SELECT_WORDS * sizeof(uint64_t));
    scratch->dictionary = nfl__new(&scratch->memory, NFL__BATCH_ROWS, 1);
    scratch->ranges = nfl__new(&scratch->memory, scratch->range_count, sizeof *scratch->ranges);
    if (!scratch->bitmaps || !scratch->dictionary || !scratch->ranges) {
        nfl__filter_scratch_free(scratch);
        return nfl__fail_nomem(err, (2 * (size_t)filter->depth + 1) * SELECT_WORDS * sizeof(uint64_t));
    }
    *out = scratch;
    return NFL_OK;
}

static uint64_t *select_bitmap(const nfl__filter_scratch *scratch, uint32_t level, uint32_t which)
{
    return scratch->bitmaps + (size_t)(2 * level + which) * SELECT_WORDS;
}

static int select_is_empty(const uint64_t *bits, uint32_t words)
{
    uint64_t any = 0;
    for (uint32_t w = 0; w < words; w++)
        any |= bits[w];
    return any == 0;
}

static void select_clear(uint64_t *out, uint32_t words)
{
    memset(out, 0, words * sizeof *out);
}

/* out = rows of interest that have the field. */
static void select_valid(const nfl__column *column, const uint64_t *in, uint64_t *out, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        out[w] = in[w] & (column->valid ? column->valid[w] : UINT64_MAX);
}

/* --- 64 values against one range: first .. first + span ---- */

/* 64 bytes of 0 or 1 to bits: the multiplication brings the lowest bits of eight bytes together. */
static uint64_t select_gather(const uint8_t flags[64])
{
    uint64_t bits = 0;
    for (uint32_t at = 0; at < 64; at += 8) {
        uint64_t eight = nfl__load_le64(flags + at);
        bits |= (eight * UINT64_C(0x0102040810204080) >> 56) << at;
    }
    return bits;
}

static uint64_t select_word_u8(const uint8_t *values, uint32_t n, uint8_t first, uint8_t span)
{
    uint8_t flags[64] = {0};
    for (uint32_t i = 0; i < n; i++)
        flags[i] = (uint8_t)(values[i] - first) <= span;
    return select_gather(flags);
}

static uint64_t select_word_u16(const uint16_t *values, uint32_t n, uint16_t first, uint16_t span)
{
    uint8_t flags[64] = {0};
    for (uint32_t i = 0; i < n; i++)
        flags[i] = (uint16_t)(values[i] - first) <= span;
    return select_gather(flags);
}

static uint64_t select_word_u32(const uint32_t *values, uint32_t n, uint32_t first, uint32_t span)
{
    uint8_t flags[64] = {0};
    for (uint32_t i = 0; i < n; i++)
        flags[i] = values[i] - first <= span;
    return select_gather(flags);
}

static uint64_t select_word_u64(const uint64_t *values, uint32_t n, uint64_t first, uint64_t span)
{
    uint8_t flags[64] = {0};
    for (uint32_t i = 0; i < n; i++)
        flags[i] = values[i] - first <= span;
    return select_gather(flags);
}

/* The n values from row on against one range. Times: taking the sign flip off both ends keeps the span. */
static uint64_t select_word(const select_test *test, uint32_t row, uint32_t n, const nfl__range *range)
{
    const void *values = test->column->values;
    uint64_t first = range->first.low, span = range->last.low - range->first.low;
    if (test->type == NFL_TYPE_TIME)
        first ^= NFL__KEY_SIGN;
    switch (test->column->width) {
    case 1:
        return select_word_u8((const uint8_t *)values + row, n, (uint8_t)first, (uint8_t)span);
    case 2:
        return select_word_u16((const uint16_t *)values + row, n, (uint16_t)first, (uint16_t)span);
    case 4:
        return select_word_u32((const uint32_t *)values + row, n, (uint32_t)first, (uint32_t)span);
    default:
        return select_word_u64((const uint64_t *)values + row, n, first, span);
    }
}

/* --- One leaf over one column ---- */

static int select_value(const select_test *test, const void *value)
{
    nfl__key key = nfl__key_at(test->type, value, test->column->width);
    if (test->test == NFL__TEST_RANGES)
        return nfl__ranges_contain(test->ranges, test->range_count, key);
    return nfl__leaf_test(test->filter, test->leaf, key);
}

/* Row by row, those of interest only. */
static uint64_t select_each(const select_test *test, uint32_t row, uint64_t interest)
{
    uint64_t bits = 0;
    for (; interest; interest &= interest - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(interest);
        bits |= (uint64_t)select_value(test, nfl__column_at(test->column, row + i)) << i;
    }
    return bits;
}

static void select_plain(const select_test *test, const uint64_t *in, uint64_t *out, uint32_t words,
                         uint32_t rows)
{
    int direct =
        test->test == NFL__TEST_RANGES && test->type != NFL_TYPE_IP && test->range_count <= SELECT_FEW_RANGES;
    for (uint32_t w = 0; w < words; w++) {
        uint32_t row = w * 64, n = rows - row < 64 ? rows - row : 64;
        uint64_t interest = in[w] & (test->column->valid ? test->column->valid[w] : UINT64_MAX), bits = 0;
        if (interest && direct)
            for (uint32_t i = 0; i < test->range_count; i++)
                bits |= select_word(test, row, n, &test->ranges[i]);
        else if (interest)
            bits = select_each(test, row, interest);
        out[w] = bits & interest;
    }
}

/* Many ranges of ports: a table over all 65536 of them. */
static void select_by_table(const select_test *test, uint8_t *table, const uint64_t *in, uint64_t *out,
                            uint32_t words, uint32_t rows)
{
    const uint16_t *values = test->column->values;
    memset(table, 0, NFL__BATCH_ROWS);
    for (uint32_t i = 0; i < test->range_count; i++)
        memset(table + test->ranges[i].first.low, 1,
               (size_t)(test->ranges[i].last.low - test->ranges[i].first.low + 1));
    select_valid(test->column, in, out, words);
    for (uint32_t w = 0; w < words; w++) {
        uint32_t row = w * 64, n = rows - row < 64 ? rows - row : 64;
        uint64_t bits = 0;
        for (uint32_t i = 0; i < n && out[w]; i++)
            bits |= (uint64_t)table[values[row + i]] << i;
        out[w] &= bits;
    }
}

/* How many of the values of a dictionary, which ascend, are below a key, or not above it. */
static uint32_t select_codes_below(const select_test *test, nfl__key key, int or_equal)
{
    const nfl__column *column = test->column;
    uint32_t from = 0, to = column->dict_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        const uint8_t *value = (const uint8_t *)column->values + (size_t)middle * column->width;
        if (nfl__key_compare(nfl__key_at(test->type, value, column->width), key) < or_equal)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Which codes match. */
typedef struct select_codes {
    uint32_t matches;
    uint32_t first, last; /* among them */
} select_codes;

static void select_add_codes(select_codes *codes, uint8_t *table, uint32_t first, uint32_t count)
{
    memset(table + first, 1, count);
    codes->first = codes->matches ? codes->first : first;
    codes->last = first + count - 1;
    codes->matches += count;
}

/* Look up the ends of each range, or test each value, whichever is less. */
static select_codes select_match_codes(const select_test *test, uint8_t *table)
{
    const nfl__column *column = test->column;
    select_codes codes = {0, 0, 0};
    memset(table, 0, column->dict_count);
    if (test->test == NFL__TEST_RANGES && test->range_count < column->dict_count / SELECT_RANGE_COST) {
        for (uint32_t i = 0; i < test->range_count; i++) {
            uint32_t first = select_codes_below(test, test->ranges[i].first, 0);
            uint32_t end = select_codes_below(test, test->ranges[i].last, 1);
            if (first < end) /* a damaged dictionary may not ascend */
                select_add_codes(&codes, table, first, end - first);
        }
        return codes;
    }
    for (uint32_t code = 0; code < column->dict_count; code++)
        if (select_value(test, (const uint8_t *)column->values + (size_t)code * column->width))
            select_add_codes(&codes, table, code, 1);
    return codes;
}

/* Codes decide: none, all, one run of codes, or by table. */
static void select_dictionary(const select_test *test, uint8_t *table, const uint64_t *in, uint64_t *out,
                              uint32_t words, uint32_t rows)
{
    const nfl__column *column = test->column;
    select_codes codes = select_match_codes(test, table);
    uint32_t matches = codes.matches, first = codes.first, last = codes.last;
    if (matches == 0) {
        select_clear(out, words);
        return;
    }
    select_valid(column, in, out, words);
    if (matches == column->dict_count)
        return;
    int run = last - first + 1 == matches;
    for (uint32_t w = 0; w < words; w++) {
        uint32_t row = w * 64, n = rows - row < 64 ? rows - row : 64;
        uint64_t bits = 0;
        if (!out[w])
            continue;
        if (run)
            bits = select_word_u16(column->codes + row, n, (uint16_t)first, (uint16_t)(last - first));
        else
            for (uint32_t i = 0; i < n; i++)
                bits |= (uint64_t)table[column->codes[row + i]] << i;
        out[w] &= bits;
    }
}

static void select_column(const select_run *run, const select_test *test, const uint64_t *in, uint64_t *out)
{
    const nfl__column *column = test->column;
    uint32_t words = run->scratch->words, rows = run->source->batch.rows;
    if (column->form == NFL__COLUMN_NULL)
        select_clear(out, words);
    else if (test->test == NFL__TEST_EXISTS ||
             (column->form == NFL__COLUMN_CONST && select_value(test, column->values)))
        select_valid(column, in, out, words);
    else if (column->form == NFL__COLUMN_CONST)
        select_clear(out, words);
    else if (column->form == NFL__COLUMN_DICT)
        select_dictionary(test, run->scratch->dictionary, in, out, words, rows);
    else if (column->width == 2 && test->test == NFL__TEST_RANGES && test->range_count > SELECT_FEW_RANGES &&
             rows >= SELECT_TABLE_ROWS)
        select_by_table(test, run->scratch->dictionary, in, out, words, rows);
    else
        select_plain(test, in, out, words, rows);
}

/* --- Leaves that need arithmetic ---- */

static uint32_t select_sampling(const nfl__batch *batch, uint32_t row)
{
    const nfl__column *sampling = &batch->columns[NFL_FIELD_SAMPLING];
    return nfl__column_has(sampling, row) ? (uint32_t)nfl__column_u64(sampling, row) : 1;
}

/* With one rate for the whole block the bounds are divided instead of every value multiplied. 0 if there are
 * several rates. value * rate (saturating) >= a  <=>  value >= ceil(a / rate); likewise <= b, floor. */
static int select_divide_ranges(const select_run *run, const nfl__filter_leaf *leaf, select_test *test)
{
    const nfl__column *sampling = &run->source->batch.columns[NFL_FIELD_SAMPLING];
    if (sampling->form == NFL__COLUMN_NULL)
        return 1;
    if (sampling->form != NFL__COLUMN_CONST || sampling->valid)
        return 0;
    uint64_t rate = nfl__value_u64(sampling->values, sampling->width);
    if (rate <= 1)
        return 1;
    uint32_t made = 0;
    for (uint32_t i = 0; i < leaf->range_count; i++) {
        uint64_t first = test->ranges[i].first.low, last = test->ranges[i].last.low;
        nfl__range divided = {nfl__key_number(first / rate + (first % rate != 0)),
                              nfl__key_number(last == UINT64_MAX ? UINT64_MAX : last / rate)};
        if (nfl__key_compare(divided.first, divided.last) <= 0)
            run->scratch->ranges[made++] = divided;
    }
    test->ranges = run->scratch->ranges;
    test->range_count = made;
    return 1;
}

static int select_derive(const nfl__filter_leaf *leaf, const nfl__batch *batch, uint32_t row, uint64_t *value)
{
    nfl__derive_input input = {0, 0, 0, 0, 0};
    uint64_t numbers[4] = {0, 0, 0, 0};
    static const uint8_t fields[4] = {NFL_FIELD_FIRST, NFL_FIELD_LAST, NFL_FIELD_BYTES, NFL_FIELD_PACKETS};
    for (unsigned i = 0; i < 4; i++) {
        const nfl__column *column = &batch->columns[fields[i]];
        if (!(leaf->reads & NFL_HAS(fields[i])) || !nfl__column_has(column, row))
            continue;
        input.present |= NFL_HAS(fields[i]);
        numbers[i] = nfl__column_u64(column, row);
    }
    uint32_t rate = leaf->reads & NFL_HAS(NFL_FIELD_SAMPLING) ? select_sampling(batch, row) : 1;
    input.first_us = (nfl_usec)numbers[0];
    input.last_us = (nfl_usec)numbers[1];
    input.bytes = nfl__scale(numbers[2], rate);
    input.packets = nfl__scale(numbers[3], rate);
    return nfl__derive(leaf->field, &input, value);
}

/* The value that a leaf looks at; 0 if the row does not have it. */
static int select_key(const nfl__filter_leaf *leaf, const nfl__batch *batch, uint32_t row, nfl__key *key)
{
    uint64_t value;
    if (leaf->derived) {
        if (!select_derive(leaf, batch, row, &value))
            return 0;
        *key = nfl__key_u64(leaf->type, value);
        return 1;
    }
    const nfl__column *column = &batch->columns[leaf->field];
    if (!nfl__column_has(column, row))
        return 0;
    if (leaf->scaled)
        *key = nfl__key_number(nfl__scale(nfl__column_u64(column, row), select_sampling(batch, row)));
    else
        *key = nfl__key_at(leaf->type, nfl__column_at(column, row), column->width);
    return 1;
}

static int select_row(const select_run *run, const nfl__filter_leaf *leaf, uint32_t row)
{
    const nfl__batch *batch = &run->source->batch;
    nfl__key key, other;
    if (!select_key(leaf, batch, row, &key))
        return 0;
    if (leaf->test == NFL__TEST_FIELD)
        return select_key(&run->filter->leaves[leaf->other], batch, row, &other) && nfl__leaf_test_order(leaf, key, other);
    return nfl__leaf_test(run->filter, leaf, key);
}

static void select_by_row(const select_run *run, const nfl__filter_leaf *leaf, const uint64_t *in,
                          uint64_t *out)
{
    for (uint32_t w = 0; w < run->scratch->words; w++) {
        uint64_t bits = 0;
        for (uint64_t left = in[w]; left; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(left);
            bits |= (uint64_t)select_row(run, leaf, w * 64 + i) << i;
        }
        out[w] = bits;
    }
}

static nfl_status select_leaf(const select_run *run, const nfl__filter_leaf *leaf, const uint64_t *in,
                              uint64_t *out)
{
    NFL_TRY(nfl__source_need(run->source, leaf->reads, run->err));
    select_test test = {
        NULL, nfl__leaf_ranges(run->filter, leaf), leaf->range_count, leaf->test, leaf->type, run->filter, leaf};
    if (leaf->test == NFL__TEST_FIELD)
        NFL_TRY(nfl__source_need(run->source, run->filter->leaves[leaf->other].reads, run->err));
    if (leaf->derived || leaf->test == NFL__TEST_FIELD ||
        (leaf->scaled && leaf->test == NFL__TEST_RANGES && !select_divide_ranges(run, leaf, &test))) {
        select_by_row(run, leaf, in, out);
        return NFL_OK;
    }
    test.column = &run->source->batch.columns[leaf->field];
    select_column(run, &test, in, out);
    return NFL_OK;
}

/* --- The tree ---- */

static nfl_status select_node(const select_run *run, uint32_t at, uint32_t level, const uint64_t *in,
                              uint64_t *out);

static nfl_status select_and(const select_run *run, uint32_t child, uint32_t level, const uint64_t *in,
                             uint64_t *out)
{
    uint32_t words = run->scratch->words;
    uint64_t *found = select_bitmap(run->scratch, level, 0);
    memcpy(out, in, words * sizeof *out);
    for (; child != NFL__FILTER_NONE && !select_is_empty(out, words);
         child = run->filter->nodes[child].sibling) {
        NFL_TRY(select_node(run, child, level + 1, out, found));
        memcpy(out, found, words * sizeof *out);
        if (level == 0)
            nfl__source_narrow(run->source, out);
    }
    return NFL_OK;
}

static nfl_status select_or(const select_run *run, uint32_t child, uint32_t level, const uint64_t *in,
                            uint64_t *out)
{
    uint32_t words = run->scratch->words;
    uint64_t *found = select_bitmap(run->scratch, level, 0), *rest = select_bitmap(run->scratch, level, 1);
    select_clear(out, words);
    memcpy(rest, in, words * sizeof *rest);
    for (; child != NFL__FILTER_NONE && !select_is_empty(rest, words);
         child = run->filter->nodes[child].sibling) {
        NFL_TRY(select_node(run, child, level + 1, rest, found));
        for (uint32_t w = 0; w < words; w++) {
            out[w] |= found[w];
            rest[w] &= ~found[w];
        }
    }
    return NFL_OK;
}

static nfl_status select_node(const select_run *run, uint32_t at, uint32_t level, const uint64_t *in,
                              uint64_t *out)
{
    const nfl__filter_node *node = &run->filter->nodes[at];
    uint32_t words = run->scratch->words;
    switch (node->op) {
    case NFL__NODE_ANY:
        memcpy(out, in, words * sizeof *out);
        return NFL_OK;
    case NFL__NODE_LEAF:
        return select_leaf(run, &run->filter->leaves[node->child], in, out);
    case NFL__NODE_AND:
        return select_and(run, node->child, level, in, out);
    case NFL__NODE_OR:
        return select_or(run, node->child, level, in, out);
    default:
        NFL_TRY(select_node(run, node->child, level + 1, in, out));
        for (uint32_t w = 0; w < words; w++)
            out[w] = in[w] & ~out[w];
        return NFL_OK;
    }
}

nfl_status nfl__filter_select(const nfl_filter *filter, nfl__filter_scratch *scratch, nfl__source *source,
                              uint64_t *selected, uint32_t *count, nfl_error *err)
{
    uint32_t rows = source->batch.rows;
    nfl__assert(rows <= NFL__BATCH_ROWS);
    scratch->words = (rows + 63) / 64;
    uint64_t *all = select_bitmap(scratch, filter->depth, 0);
    memset(all, 0xff, scratch->words * sizeof *all);
    if (rows % 64)
        all[scratch->words - 1] = (UINT64_C(1) << rows % 64) - 1;
    select_run run = {filter, scratch, source, err};
    NFL_TRY(select_node(&run, filter->root, 0, all, selected));
    *count = 0;
    for (uint32_t w = 0; w < scratch->words; w++)
        *count += (uint32_t)__builtin_popcountll(selected[w]);
    return NFL_OK;
}

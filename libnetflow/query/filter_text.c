#include "query/filter_text.h"

#include "base/error.h"
#include "query/filter_build.h"
#include "record/text.h"

/* What a person reads in a row and would type again. Plain counters and times are left out: their digits are in every row. */
static const uint8_t text_fields[] = {NFL_FIELD_SRC,     NFL_FIELD_DST,      NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT,
                                      NFL_FIELD_PROTO,   NFL_FIELD_APP,      NFL_FIELD_EXPORTER, NFL_FIELD_NAT_SRC,
                                      NFL_FIELD_NAT_DST, NFL_FIELD_SRC_MAC, NFL_FIELD_DST_MAC};

static int text_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int nfl__leaf_test_text(const nfl_filter *filter, const nfl__filter_leaf *leaf, nfl__key key)
{
    char text[NFL_VALUE_TEXT_SIZE];
    const char *word = filter->words + leaf->word_at;
    nfl_value value = {.struct_size = sizeof value, .type = leaf->type, .kind = nfl__field_row(leaf->field)->kind, .present = 1};
    value.u64 = key.low;
    if (leaf->type == NFL_TYPE_IP)
        value.ip = nfl__key_to_ip(key);
    size_t len = nfl_value_format(&value, NFL_TEXT_HUMAN, text, sizeof text);
    for (size_t at = 0; at + leaf->word_len <= len; at++) {
        size_t i = 0;
        while (i < leaf->word_len && nfl__text_lower(text[at + i]) == word[i])
            i++;
        if (i == leaf->word_len)
            return 1;
    }
    return 0;
}

/* A word among the filter's, in lower case. */
static nfl_status text_keep(nfl_filter *filter, const char *word, uint32_t len, nfl_error *err)
{
    if (!nfl__grow(&filter->memory, (void **)&filter->words, &filter->word_capacity, filter->word_count + len, 1))
        return nfl__fail_nomem(err, len);
    for (uint32_t i = 0; i < len; i++)
        filter->words[filter->word_count++] = nfl__text_lower(word[i]);
    return NFL_OK;
}

/* One word in any of the fields. */
static nfl_status text_add_word(nfl_filter *filter, const char *word, uint32_t len, uint32_t *out, nfl_error *err)
{
    nfl__filter_leaf leaf = {0};
    uint32_t first = NFL__FILTER_NONE;
    leaf.test = NFL__TEST_TEXT;
    leaf.word_at = (uint32_t)filter->word_count;
    leaf.word_len = len;
    NFL_TRY(text_keep(filter, word, len, err));
    for (size_t i = sizeof text_fields; i-- > 0;) {
        uint32_t node;
        NFL_TRY(nfl__filter_add_leaf(filter, text_fields[i], &leaf, 1, &node, err));
        filter->nodes[node].sibling = first;
        first = node;
    }
    return nfl__filter_add_node(filter, NFL__NODE_OR, first, out, err);
}

nfl_status nfl__filter_add_text(nfl_filter *filter, const nfl__token *token, uint32_t *out, nfl_error *err)
{
    uint32_t at = 0, first = NFL__FILTER_NONE;
    for (;;) {
        while (at < token->len && text_is_space(token->text[at]))
            at++;
        if (at == token->len)
            break;
        uint32_t start = at, node;
        while (at < token->len && !text_is_space(token->text[at]))
            at++;
        NFL_TRY(text_add_word(filter, token->text + start, at - start, &node, err));
        filter->nodes[node].sibling = first;
        first = node;
    }
    if (first == NFL__FILTER_NONE)
        return nfl__fail(err, NFL_E_SYNTAX, token->column, "found no letter or digit, the text to look for expected");
    return nfl__filter_add_node(filter, NFL__NODE_AND, first, out, err);
}

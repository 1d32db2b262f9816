#include "query/filter_lex.h"

#include "base/error.h"

#include <string.h>

static char lex_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int lex_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int lex_is_word(char c)
{
    char lower = lex_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr(".:/_-+", c));
}

int nfl__token_is(const nfl__token *token, const char *word)
{
    for (uint32_t i = 0; i < token->len; i++)
        if (lex_lower(token->text[i]) != word[i])
            return 0;
    return token->kind != NFL__TOKEN_STRING && word[token->len] == 0;
}

/* Signs, longer ones first. */
static const struct {
    const char text[3];
    uint8_t kind;
} lex_signs[] = {{"==", NFL__TOKEN_EQ},   {"!=", NFL__TOKEN_NE},   {"<>", NFL__TOKEN_NE},
                 {"<=", NFL__TOKEN_LE},   {">=", NFL__TOKEN_GE},   {"&&", NFL__TOKEN_AND},
                 {"||", NFL__TOKEN_OR},   {"=", NFL__TOKEN_EQ},    {"<", NFL__TOKEN_LT},
                 {">", NFL__TOKEN_GT},    {"!", NFL__TOKEN_NOT},   {"&", NFL__TOKEN_AND},
                 {"|", NFL__TOKEN_OR},    {"(", NFL__TOKEN_OPEN},  {"[", NFL__TOKEN_OPEN},
                 {")", NFL__TOKEN_CLOSE}, {"]", NFL__TOKEN_CLOSE}, {",", NFL__TOKEN_COMMA},
                 {"@", NFL__TOKEN_AT}};

/* Words that mean the same as a sign. */
static const struct {
    const char text[4];
    uint8_t kind;
} lex_words[] = {{"and", NFL__TOKEN_AND}, {"or", NFL__TOKEN_OR}, {"not", NFL__TOKEN_NOT},
                 {"eq", NFL__TOKEN_EQ},   {"ne", NFL__TOKEN_NE}, {"lt", NFL__TOKEN_LT},
                 {"le", NFL__TOKEN_LE},   {"gt", NFL__TOKEN_GT}, {"ge", NFL__TOKEN_GE}};

static void lex_word(nfl__token *token)
{
    while (lex_is_word(token->text[token->len]))
        token->len++;
    token->kind = NFL__TOKEN_WORD;
    for (size_t i = 0; i < sizeof lex_words / sizeof *lex_words; i++)
        if (nfl__token_is(token, lex_words[i].text))
            token->kind = lex_words[i].kind;
}

static nfl_status lex_string(nfl__token *token, uint32_t *pos, nfl_error *err)
{
    char quote = *token->text++;
    while (token->text[token->len] && token->text[token->len] != quote)
        token->len++;
    if (!token->text[token->len])
        return nfl__fail(err, NFL_E_SYNTAX, token->column, "quoted text does not end: %c expected", quote);
    token->kind = NFL__TOKEN_STRING;
    *pos += token->len + 2;
    return NFL_OK;
}

nfl_status nfl__filter_lex(const char *text, uint32_t *pos, nfl__token *out, nfl_error *err)
{
    while (lex_is_space(text[*pos]))
        ++*pos;
    nfl__token token = {text + *pos, 0, *pos, NFL__TOKEN_END};
    char c = *token.text;
    *out = token;
    if (c == 0)
        return NFL_OK;
    if (c == '"' || c == '\'') {
        NFL_TRY(lex_string(&token, pos, err));
    } else if (lex_is_word(c)) {
        lex_word(&token);
        *pos += token.len;
    } else {
        for (size_t i = 0; i < sizeof lex_signs / sizeof *lex_signs && !token.len; i++)
            if (strncmp(token.text, lex_signs[i].text, strlen(lex_signs[i].text)) == 0) {
                token.kind = lex_signs[i].kind;
                token.len = (uint32_t)strlen(lex_signs[i].text);
            }
        if (!token.len)
            return nfl__fail(err, NFL_E_SYNTAX, token.column,
                             c >= ' ' && c <= '~' ? "'%c' has no meaning here"
                                                  : "byte 0x%02x has no meaning here",
                             (unsigned char)c);
        *pos += token.len;
    }
    *out = token;
    return NFL_OK;
}

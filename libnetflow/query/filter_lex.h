/* Words and signs of the filter language. */
#ifndef NFL_QUERY_FILTER_LEX_H
#define NFL_QUERY_FILTER_LEX_H

#include <netflow/base.h>

enum {
    NFL__TOKEN_END = 0,
    NFL__TOKEN_WORD,   /* letters digits . : / _ - + */
    NFL__TOKEN_STRING, /* the inside of "..." or '...' */
    NFL__TOKEN_OPEN,   /* ( or [ */
    NFL__TOKEN_CLOSE,  /* ) or ] */
    NFL__TOKEN_COMMA,
    NFL__TOKEN_AT,  /* @ */
    NFL__TOKEN_AND, /* && or & */
    NFL__TOKEN_OR,  /* || or | */
    NFL__TOKEN_NOT, /* ! */
    NFL__TOKEN_EQ,
    NFL__TOKEN_NE,
    NFL__TOKEN_LT,
    NFL__TOKEN_LE,
    NFL__TOKEN_GT,
    NFL__TOKEN_GE
};

typedef struct nfl__token {
    const char *text; /* in the filter's text, not terminated */
    uint32_t len;
    uint32_t column; /* of its first byte */
    uint32_t kind;   /* NFL__TOKEN_*; `and`, `eq` and other words of that meaning have the sign's kind */
} nfl__token;

/* The token at *pos, which is moved behind it. NFL_E_SYNTAX for bytes outside of the language. */
nfl_status nfl__filter_lex(const char *text, uint32_t *pos, nfl__token *out, nfl_error *err);

/* 1 if the token is this word in lower case, whatever its own case. */
int nfl__token_is(const nfl__token *token, const char *word);

#endif

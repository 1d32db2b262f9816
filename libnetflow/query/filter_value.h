/* Literals: what 10/8, https, 10k, 5s, SA, 2026-11-23 mean for a field of a kind, as a range of keys. */
#ifndef NFL_QUERY_FILTER_VALUE_H
#define NFL_QUERY_FILTER_VALUE_H

#include "query/filter_lex.h"
#include "query/ranges.h"

typedef struct nfl__literal_type {
    const char *name; /* of the field, for messages */
    nfl_usec now_us;  /* for relative times; 0: not allowed */
    uint8_t kind;     /* NFL_KIND_* */
    uint8_t type;     /* NFL_TYPE_* */
    uint8_t width;    /* bytes */
} nfl__literal_type;

/* Most ranges that one literal becomes: a service name without protocol is one application per protocol. */
#define NFL__LITERAL_RANGES 8u

/* Ranges of a literal, at least one. NFL_E_SYNTAX tells what the field expects. */
nfl_status nfl__literal_parse(const nfl__literal_type *type, const nfl__token *token,
                              nfl__range out[NFL__LITERAL_RANGES], uint32_t *count, nfl_error *err);

#endif

/* Templates of one domain: what records look like, by template id.
 *
 * Data templates and options templates share one id space (RFC 7011 3.4.1, RFC 3954 5.2): the last definition
 * wins. A template is one block of memory: the struct, its fields, their offsets, its decode plan. The cache is
 * an open-addressing table of pointers, probed linearly from a seeded hash of the id, at most 3/4 full;
 * deletion shifts entries back, so there are no tombstones.
 *
 * Costs: find O(1); define O(fields), no allocation when the definition is the one known already (exporters
 * repeat their templates every few minutes); withdraw O(1), withdraw all O(table).
 * Limits: templates a domain and fields a template are checked here, bytes by the caller's nfl__memory and by
 * `byte_limit`, so that one domain cannot use up the memory of all.
 */
#ifndef NFL_WIRE_TEMPLATE_H
#define NFL_WIRE_TEMPLATE_H

#include "base/alloc.h"
#include "wire/plan.h"

enum { NFL__VARIABLE_LEN = 65535 };

typedef struct nfl__template {
    uint16_t id;
    uint16_t scope_count; /* of the first fields; options templates only */
    uint8_t options;
    uint8_t variable; /* has a field of variable length */
    uint16_t reserved;
    uint32_t field_count;
    uint32_t record_len;   /* bytes of a record; the least if variable */
    nfl_usec refreshed_us; /* last definition */
    size_t size;           /* bytes of this block */
    nfl_template_field *fields;
    uint32_t *offsets; /* of the fields in a record of fixed length */
    nfl__plan plan;
} nfl__template;

/* A definition as read from a datagram or a file. */
typedef struct nfl__template_def {
    uint16_t id;
    uint16_t scope_count;
    uint8_t options;
    uint32_t field_count;
    const nfl_template_field *fields;
} nfl__template_def;

typedef struct nfl__template_limits {
    uint32_t max_templates; /* a domain */
    size_t max_bytes;       /* a domain */
    nfl_usec ttl_us;        /* INT64_MAX = for ever */
} nfl__template_limits;

typedef struct nfl__templates {
    nfl__template **slots;
    uint32_t slot_count; /* power of two, or 0 */
    uint32_t count;
    size_t bytes;
} nfl__templates;

/* Bytes that a definition takes. */
size_t nfl__template_size(const nfl__template_def *def);

void nfl__templates_done(nfl__templates *templates, nfl__memory *memory);

/* NULL when unknown. */
nfl__template *nfl__templates_find(const nfl__templates *templates, uint64_t seed, uint16_t id);

/* Learn a definition. NFL_E_LIMIT or NFL_E_NOMEM leave the cache as it was. */
nfl_status nfl__templates_define(nfl__templates *templates, nfl__memory *memory, uint64_t seed,
                                 const nfl__plan_map *map, const nfl__template_limits *limits,
                                 const nfl__template_def *def, nfl_usec now_us, nfl__template **out,
                                 nfl_error *err);

/* Forget one template; 1 if it was known. */
int nfl__templates_remove(nfl__templates *templates, nfl__memory *memory, uint64_t seed, uint16_t id);

/* Forget all data templates, or all options templates (RFC 7011 8.1: withdrawal of set id 2 or 3). */
void nfl__templates_remove_kind(nfl__templates *templates, nfl__memory *memory, uint64_t seed, int options);

/* Drop what was last defined before `before_us`; returns how many. */
uint32_t nfl__templates_expire(nfl__templates *templates, nfl__memory *memory, uint64_t seed,
                               nfl_usec before_us);

#endif

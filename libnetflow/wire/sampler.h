/* Sampling rates of one domain, learnt from options data (RFC 3954 section 8, RFC 5477).
 *
 * A rate belongs to a sampler id (48 flowSamplerId, 302 selectorId), to an interface (scope), or to the whole
 * domain. Later options data updates it: exporters change rates without a restart. A record takes the first rate
 * found: its own elements, its sampler, its input interface, the domain.
 *
 * A short array searched from the front, newest hit moved nowhere: exporters have a handful of samplers. Limit:
 * NFL__SAMPLERS a domain, then the oldest is overwritten. Cost O(samplers), no allocation in steady state.
 */
#ifndef NFL_WIRE_SAMPLER_H
#define NFL_WIRE_SAMPLER_H

#include "base/alloc.h"

#include <netflow/ip.h>

enum { NFL__SAMPLERS = 256 };

enum { NFL__SAMPLER_DOMAIN = 1, NFL__SAMPLER_ID = 2, NFL__SAMPLER_INTERFACE = 3 };

typedef struct nfl__sampler {
    uint32_t kind; /* NFL__SAMPLER_* */
    uint32_t rate; /* 1 in N */
    uint64_t id;   /* sampler or interface; 0 for the domain */
} nfl__sampler;

typedef struct nfl__samplers {
    nfl__sampler *items;
    size_t capacity;
    uint32_t count;
    uint32_t next;   /* position to be overwritten when full */
    uint32_t latest; /* rate told last; 0 = none */
} nfl__samplers;

void nfl__samplers_done(nfl__samplers *samplers, nfl__memory *memory);

/* 0 when out of memory. */
int nfl__samplers_set(nfl__samplers *samplers, nfl__memory *memory, uint32_t kind, uint64_t id,
                      uint32_t rate);

/* Rate, or 0 when none is known. */
uint32_t nfl__samplers_get(const nfl__samplers *samplers, uint32_t kind, uint64_t id);

/* Rates that the host has set (nfl_parser_set_sampling()), by exporter and domain. Looked at when a domain is made or a
 * rate is set, not for records. Limit: NFL__OVERRIDES. */
enum { NFL__OVERRIDES = 4096 };

typedef struct nfl__override {
    nfl_ip exporter;
    int64_t domain; /* -1 = all of the exporter */
    uint32_t rate;
    uint32_t reserved;
} nfl__override;

typedef struct nfl__overrides {
    nfl__override *items;
    size_t capacity;
    size_t count;
} nfl__overrides;

void nfl__overrides_done(nfl__overrides *overrides, nfl__memory *memory);

/* rate 0 takes the override away. NFL_E_LIMIT or NFL_E_NOMEM leave all as it was. */
nfl_status nfl__overrides_set(nfl__overrides *overrides, nfl__memory *memory, const nfl_ip *exporter, int64_t domain,
                              uint32_t rate, nfl_error *err);

/* That of the domain, else that of all the exporter's; 0 = none. */
uint32_t nfl__overrides_get(const nfl__overrides *overrides, const nfl_ip *exporter, uint32_t domain);

#endif

/* State per exporter address, protocol version and observation domain (RFC 7011 3.1, RFC 3954 5.1 source id).
 *
 * The table: a chained hash with a seeded hash of the key, a dense array for going through all, and two lists in
 * the order of hearing, so that what a flood of forged senders can displace is bounded:
 *
 *     newcomers    heard, but not proven;  the least recently heard goes first when room is needed
 *     established  datagrams over at least a minute;  at most 3/4 of the table, and one makes room for a
 *                  newcomer only after half an hour of silence
 *
 * A forged exporter becomes a newcomer and displaces newcomers; states of exporters in service stay. When all
 * places are held by established ones, newcomers are refused until one falls silent.
 *
 * Costs: find O(1); insert O(1) amortised; no allocation in steady state. Limit: max_domains.
 */
#ifndef NFL_WIRE_DOMAIN_H
#define NFL_WIRE_DOMAIN_H

#include "wire/names.h"
#include "wire/sampler.h"
#include "wire/sequence.h"
#include "wire/template.h"

typedef struct nfl__domain nfl__domain;

struct nfl__domain {
    nfl_ip exporter;
    nfl_ip agent; /* sFlow: the one the sequence is of */
    uint32_t id;
    uint16_t version;
    uint8_t established;
    uint8_t reserved;
    uint32_t set_rate; /* sampling rate set by the host; 0 = none */
    nfl__domain *chain; /* next in the hash bucket */
    nfl__domain *newer; /* in its list */
    nfl__domain *older;
    size_t position; /* in the dense array */
    nfl__templates templates;
    nfl__samplers samplers;
    nfl__names names;
    nfl__sequence sequence;
    nfl__boot boot;
    nfl_usec boot_us; /* IPFIX systemInitTimeMilliseconds from options data; 0 = not told */
    nfl_usec first_seen_us;
    nfl_usec last_seen_us;
    uint64_t datagrams;
    uint64_t flows;
    struct nfl__pending_set *pending_oldest; /* data sets waiting for templates, see pending.h */
    struct nfl__pending_set *pending_youngest;
    size_t pending_bytes;
};

typedef struct nfl__domain_list {
    nfl__domain *newest;
    nfl__domain *oldest;
    uint32_t count;
} nfl__domain_list;

typedef struct nfl__domains {
    nfl__domain **all;
    size_t capacity;
    uint32_t count;
    uint32_t max_count;
    nfl__domain **buckets;
    uint32_t bucket_count;     /* power of two */
    nfl__domain_list lists[2]; /* newcomers, established */
} nfl__domains;

void nfl__domains_done(nfl__domains *domains, nfl__memory *memory);

nfl__domain *nfl__domains_find(const nfl__domains *domains, uint64_t seed, const nfl_ip *exporter,
                               uint16_t version, uint32_t id);

/* The one to be displaced by a newcomer at `now_us`; NULL = none may be. */
nfl__domain *nfl__domains_victim(const nfl__domains *domains, nfl_usec now_us);

/* A new state. There must be room (count < max_count). NULL when out of memory. */
nfl__domain *nfl__domains_add(nfl__domains *domains, nfl__memory *memory, uint64_t seed,
                              const nfl_ip *exporter, uint16_t version, uint32_t id, nfl_usec now_us);

void nfl__domains_remove(nfl__domains *domains, nfl__memory *memory, uint64_t seed, nfl__domain *domain);

/* A datagram of it came: move it to the front, perhaps establish it. */
void nfl__domains_touch(nfl__domains *domains, nfl__domain *domain, nfl_usec now_us);

#endif

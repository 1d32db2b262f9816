/* Data sets that wait for their template (RFC 3954 section 9: a collector should keep them for a while).
 *
 * Every set stands in two lists in the order of arrival: that of all sets, for ageing, and that of its domain, so
 * that looking for a template's sets costs nothing to the others. An entry is one block: this struct and the set's
 * bytes. When a template is defined, the waiting sets of its id are taken out one by one and decoded with the
 * header of their own datagram.
 *
 * Limits: bytes in all, and a sixteenth of that a domain, the oldest going first (a domain displaces its own); age,
 * checked when a datagram comes. Costs: add O(1) amortised; take O(sets of the domain).
 */
#ifndef NFL_WIRE_PENDING_H
#define NFL_WIRE_PENDING_H

#include "wire/domain.h"

typedef struct nfl__pending_set nfl__pending_set;

struct nfl__pending_set {
    nfl__pending_set *older; /* of all */
    nfl__pending_set *younger;
    nfl__pending_set *domain_older; /* of the domain */
    nfl__pending_set *domain_younger;
    nfl__domain *domain;
    nfl_usec received_us;
    nfl_export_header header;
    uint16_t set_id;
    uint16_t reserved;
    uint32_t offset; /* of the content in its datagram */
    uint32_t len;    /* bytes behind this struct */
    size_t size;     /* bytes of this block */
};

typedef struct nfl__pending {
    nfl__pending_set *oldest;
    nfl__pending_set *youngest;
    size_t bytes;
    size_t max_bytes;
    nfl_usec ttl_us;
    uint64_t dropped; /* sets lost: too old, no room, no memory, domain gone */
} nfl__pending;

/* Content of a set that was kept. */
static inline const uint8_t *nfl__pending_data(const nfl__pending_set *set)
{
    return (const uint8_t *)(set + 1);
}

void nfl__pending_done(nfl__pending *pending, nfl__memory *memory);

/* Keep a copy of the set. When it cannot be kept it counts as dropped. */
void nfl__pending_add(nfl__pending *pending, nfl__memory *memory, nfl__domain *domain,
                      const nfl_export_header *header, nfl_usec received_us, uint16_t set_id, uint32_t offset,
                      const uint8_t *data, size_t len);

/* Take the oldest set with this id of the domain out of the queue; NULL = none. Free it with _release. */
nfl__pending_set *nfl__pending_take(nfl__pending *pending, nfl__domain *domain, uint16_t set_id);

void nfl__pending_release(nfl__memory *memory, nfl__pending_set *set);

/* Drop what is too old at `now_us`. */
void nfl__pending_expire(nfl__pending *pending, nfl__memory *memory, nfl_usec now_us);

/* Drop all of a domain that goes away. */
void nfl__pending_forget(nfl__pending *pending, nfl__memory *memory, nfl__domain *domain);

#endif

#include "wire/pending.h"

#include <string.h>

static void pending_unlink(nfl__pending *pending, nfl__pending_set *set)
{
    nfl__domain *domain = set->domain;
    *(set->older ? &set->older->younger : &pending->oldest) = set->younger;
    *(set->younger ? &set->younger->older : &pending->youngest) = set->older;
    *(set->domain_older ? &set->domain_older->domain_younger : &domain->pending_oldest) = set->domain_younger;
    *(set->domain_younger ? &set->domain_younger->domain_older : &domain->pending_youngest) =
        set->domain_older;
    pending->bytes -= set->size;
    domain->pending_bytes -= set->size;
}

static void pending_link(nfl__pending *pending, nfl__pending_set *set)
{
    nfl__domain *domain = set->domain;
    set->older = pending->youngest;
    *(set->older ? &set->older->younger : &pending->oldest) = set;
    pending->youngest = set;
    set->domain_older = domain->pending_youngest;
    *(set->domain_older ? &set->domain_older->domain_younger : &domain->pending_oldest) = set;
    domain->pending_youngest = set;
    pending->bytes += set->size;
    domain->pending_bytes += set->size;
}

void nfl__pending_release(nfl__memory *memory, nfl__pending_set *set)
{
    if (set)
        nfl__delete(memory, set, set->size, 1);
}

static void pending_drop(nfl__pending *pending, nfl__memory *memory, nfl__pending_set *set)
{
    pending_unlink(pending, set);
    nfl__pending_release(memory, set);
    pending->dropped++;
}

void nfl__pending_done(nfl__pending *pending, nfl__memory *memory)
{
    while (pending->oldest)
        pending_drop(pending, memory, pending->oldest);
}

nfl__pending_set *nfl__pending_take(nfl__pending *pending, nfl__domain *domain, uint16_t set_id)
{
    nfl__pending_set *set = domain->pending_oldest;
    while (set && set->set_id != set_id)
        set = set->domain_younger;
    if (set)
        pending_unlink(pending, set);
    return set;
}

void nfl__pending_forget(nfl__pending *pending, nfl__memory *memory, nfl__domain *domain)
{
    while (domain->pending_oldest)
        pending_drop(pending, memory, domain->pending_oldest);
}

void nfl__pending_expire(nfl__pending *pending, nfl__memory *memory, nfl_usec now_us)
{
    while (pending->oldest && now_us - pending->oldest->received_us > pending->ttl_us)
        pending_drop(pending, memory, pending->oldest);
}

/* Room for `size` more bytes of the domain; 0 when it can never fit. */
static int pending_make_room(nfl__pending *pending, nfl__memory *memory, nfl__domain *domain, size_t size)
{
    size_t share = pending->max_bytes / 16;
    if (size > share)
        return 0;
    while (domain->pending_bytes + size > share)
        pending_drop(pending, memory, domain->pending_oldest);
    while (pending->bytes + size > pending->max_bytes)
        pending_drop(pending, memory, pending->oldest);
    return 1;
}

void nfl__pending_add(nfl__pending *pending, nfl__memory *memory, nfl__domain *domain,
                      const nfl_export_header *header, nfl_usec received_us, uint16_t set_id, uint32_t offset,
                      const uint8_t *data, size_t len)
{
    size_t size = sizeof(nfl__pending_set) + len;
    nfl__pending_set *set = NULL;
    if (pending_make_room(pending, memory, domain, size))
        set = nfl__new(memory, size, 1);
    if (!set) {
        pending->dropped++;
        return;
    }
    set->domain = domain;
    set->received_us = received_us;
    set->header = *header;
    set->set_id = set_id;
    set->offset = offset;
    set->len = (uint32_t)len;
    set->size = size;
    memcpy(set + 1, data, len);
    pending_link(pending, set);
}

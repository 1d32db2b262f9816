#include "wire/fragment.h"

#include <string.h>

enum {
    FRAGMENT_UNIT = 8,
    FRAGMENT_MAX_BYTES = 65536,
    FRAGMENT_TIMEOUT_US = 30 * 1000 * 1000
};

struct nfl__fragment_slot {
    nfl_ip src;
    nfl_ip dst;
    nfl_usec started_us;
    uint32_t id;
    uint32_t pieces;    /* 0 = slot is free */
    uint32_t units;     /* come so far */
    uint32_t reached;   /* where the farthest piece ends */
    uint32_t total_len; /* 0 = the last piece has not come */
    uint8_t protocol;   /* of the first piece, which alone counts (RFC 8200 4.5) */
    uint8_t seen[FRAGMENT_MAX_BYTES / FRAGMENT_UNIT / 8];
    uint8_t data[FRAGMENT_MAX_BYTES];
};

void nfl__fragments_init(nfl__fragments *fragments, nfl__memory *memory)
{
    memset(fragments, 0, sizeof *fragments);
    fragments->memory = memory;
}

void nfl__fragments_done(nfl__fragments *fragments)
{
    for (size_t i = 0; i < NFL__FRAGMENT_SLOTS; i++)
        nfl__delete(fragments->memory, fragments->slots[i], 1, sizeof *fragments->slots[i]);
}

static void fragment_drop(nfl__fragments *fragments, nfl__fragment_slot *slot)
{
    fragments->lost += slot->pieces;
    slot->pieces = 0;
}

void nfl__fragments_flush(nfl__fragments *fragments)
{
    for (size_t i = 0; i < NFL__FRAGMENT_SLOTS; i++)
        if (fragments->slots[i])
            fragment_drop(fragments, fragments->slots[i]);
}

static int fragment_is_expired(const nfl__fragment_slot *slot, nfl_usec now_us)
{
    uint64_t later = (uint64_t)now_us - (uint64_t)slot->started_us, earlier = 0 - later;
    return later > FRAGMENT_TIMEOUT_US && earlier > FRAGMENT_TIMEOUT_US;
}

static int fragment_belongs(const nfl__fragment_slot *slot, const nfl__frame *packet)
{
    return slot->pieces && slot->id == packet->id && nfl_ip_compare(&slot->src, &packet->src) == 0 &&
           nfl_ip_compare(&slot->dst, &packet->dst) == 0;
}

static unsigned fragment_cost(const nfl__fragment_slot *slot)
{
    if (!slot)
        return 1; /* to be allocated */
    return slot->pieces ? 2 : 0;
}

/* Which of two slots to use for a new packet: a free one, else one not allocated, else the older. */
static int fragment_is_better(const nfl__fragment_slot *slot, const nfl__fragment_slot *than)
{
    unsigned cost = fragment_cost(slot), than_cost = fragment_cost(than);
    return cost != than_cost ? cost < than_cost : cost == 2 && slot->started_us < than->started_us;
}

/* The slot in which the packet is assembled; a new one is started if need be. NULL when out of memory. */
static nfl__fragment_slot *fragment_find(nfl__fragments *fragments, const nfl__frame *packet, nfl_usec now_us)
{
    size_t best = 0;
    for (size_t i = 0; i < NFL__FRAGMENT_SLOTS; i++) {
        nfl__fragment_slot *slot = fragments->slots[i];
        if (slot && slot->pieces && fragment_is_expired(slot, now_us))
            fragment_drop(fragments, slot);
        if (slot && fragment_belongs(slot, packet))
            return slot;
        if (fragment_is_better(slot, fragments->slots[best]))
            best = i;
    }
    nfl__fragment_slot **slot = &fragments->slots[best];
    if (!*slot)
        *slot = nfl__new(fragments->memory, 1, sizeof **slot);
    if (!*slot)
        return NULL;
    fragment_drop(fragments, *slot);
    memset(*slot, 0, offsetof(nfl__fragment_slot, data));
    (*slot)->src = packet->src;
    (*slot)->dst = packet->dst;
    (*slot)->id = packet->id;
    (*slot)->started_us = now_us;
    return *slot;
}

/* Marks the units of a piece as come; returns how many of them had come before. */
static uint32_t fragment_mark(nfl__fragment_slot *slot, uint32_t first, uint32_t count)
{
    uint32_t before = 0;
    for (uint32_t unit = first; unit < first + count; unit++) {
        uint8_t bit = (uint8_t)(1u << unit % 8);
        before += (slot->seen[unit / 8] & bit) != 0;
        slot->seen[unit / 8] |= bit;
    }
    return before;
}

/* A piece that contradicts itself or the others makes the packet useless. */
static int fragment_is_bad(const nfl__fragment_slot *slot, const nfl__frame *packet)
{
    uint32_t limit = packet->offset + packet->len;
    if (packet->more && packet->len % FRAGMENT_UNIT) /* RFC 8200 4.5: all but the last are multiples of 8 */
        return 1;
    if (limit > FRAGMENT_MAX_BYTES - 1)
        return 1;
    if (!packet->more && limit < slot->reached)
        return 1;
    return slot->total_len && (packet->more ? limit > slot->total_len : limit != slot->total_len);
}

nfl_status nfl__fragments_add(nfl__fragments *fragments, nfl__frame *packet, nfl_usec now_us)
{
    if (packet->len == 0 || packet->len >= FRAGMENT_MAX_BYTES) {
        fragments->lost++;
        return NFL_PENDING;
    }
    nfl__fragment_slot *slot = fragment_find(fragments, packet, now_us);
    if (!slot)
        return NFL_E_NOMEM;
    slot->pieces++;
    uint32_t units = (packet->len + FRAGMENT_UNIT - 1) / FRAGMENT_UNIT;
    int bad = fragment_is_bad(slot, packet);
    uint32_t before = bad ? 0 : fragment_mark(slot, packet->offset / FRAGMENT_UNIT, units);
    if (before == units)
        return NFL_PENDING; /* came twice */
    if (bad || before) {
        fragment_drop(fragments, slot);
        return NFL_PENDING;
    }
    memcpy(slot->data + packet->offset, packet->payload, packet->len);
    slot->units += units;
    if (slot->reached < packet->offset + packet->len)
        slot->reached = packet->offset + packet->len;
    if (packet->offset == 0)
        slot->protocol = packet->protocol;
    if (!packet->more)
        slot->total_len = packet->offset + packet->len;
    if (!slot->total_len || slot->units < (slot->total_len + FRAGMENT_UNIT - 1) / FRAGMENT_UNIT)
        return NFL_PENDING;
    slot->pieces = 0;
    packet->payload = slot->data;
    packet->len = slot->total_len;
    packet->protocol = slot->protocol;
    return NFL_OK;
}

#include "detect/fanout.h"

#include "base/hash.h"

#include <string.h>

#define FANOUT_WAYS 8
#define FANOUT_SLOTS 4
#define FANOUT_BITS 128u
#define FANOUT_RECENT_PANE_US INT64_C(120000000)
#define FANOUT_DAY_PANE_US INT64_C(43200000000)

typedef struct fanout_source {
    nfl_ip ip;
    nfl_usec last_us; /* 0 = unused */
    nfl__fan_slot slots[FANOUT_SLOTS];
} fanout_source;

struct nfl__fanout {
    fanout_source *sources;
    size_t source_count; /* FANOUT_WAYS times a power of two */
    uint64_t seed;
};

nfl__fanout *nfl__fanout_new(nfl__memory *memory, uint32_t max_sources, uint64_t seed)
{
    nfl__fanout *fanout = nfl__new(memory, 1, sizeof *fanout);
    if (!fanout)
        return NULL;
    fanout->seed = seed;
    fanout->source_count = FANOUT_WAYS;
    while (fanout->source_count < max_sources)
        fanout->source_count *= 2;
    fanout->sources = nfl__new(memory, fanout->source_count, sizeof *fanout->sources);
    if (!fanout->sources) {
        nfl__delete(memory, fanout, 1, sizeof *fanout);
        return NULL;
    }
    return fanout;
}

void nfl__fanout_free(nfl__fanout *fanout, nfl__memory *memory)
{
    if (!fanout)
        return;
    nfl__delete(memory, fanout->sources, fanout->source_count, sizeof *fanout->sources);
    nfl__delete(memory, fanout, 1, sizeof *fanout);
}

/* ---- finding the place ---- */

static fanout_source *fanout_set(nfl__fanout *fanout, const nfl_ip *ip)
{
    uint64_t hash = nfl__hash(ip, sizeof *ip, fanout->seed);
    return fanout->sources + (hash & (fanout->source_count / FANOUT_WAYS - 1)) * FANOUT_WAYS;
}

static fanout_source *fanout_find_source(nfl__fanout *fanout, const nfl_ip *ip)
{
    fanout_source *set = fanout_set(fanout, ip);
    for (size_t i = 0; i < FANOUT_WAYS; i++)
        if (set[i].last_us && memcmp(&set[i].ip, ip, sizeof *ip) == 0)
            return &set[i];
    return NULL;
}

static int fanout_is_marked(const fanout_source *source)
{
    int marked = 0;
    for (size_t i = 0; i < FANOUT_SLOTS; i++)
        marked |= source->slots[i].mark != 0;
    return marked;
}

/* Negative if a should give way before b: unused, then unmarked, then seen less recently. */
static int fanout_order_sources(const fanout_source *a, const fanout_source *b)
{
    int a_marked = fanout_is_marked(a), b_marked = fanout_is_marked(b);
    if (a_marked != b_marked)
        return a_marked - b_marked;
    return a->last_us < b->last_us ? -1 : a->last_us > b->last_us;
}

static fanout_source *fanout_take_source(nfl__fanout *fanout, const nfl_ip *ip)
{
    fanout_source *set = fanout_set(fanout, ip), *victim = set;
    for (size_t i = 1; i < FANOUT_WAYS; i++)
        if (fanout_order_sources(&set[i], victim) < 0)
            victim = &set[i];
    memset(victim, 0, sizeof *victim);
    victim->ip = *ip;
    return victim;
}

static nfl__fan_slot *fanout_find_slot(fanout_source *source, const nfl_ip *key)
{
    for (size_t i = 0; i < FANOUT_SLOTS; i++)
        if (source->slots[i].first_us && memcmp(&source->slots[i].key, key, sizeof *key) == 0)
            return &source->slots[i];
    return NULL;
}

static int fanout_order_slots(const nfl__fan_slot *a, const nfl__fan_slot *b)
{
    if ((a->mark != 0) != (b->mark != 0))
        return (a->mark != 0) - (b->mark != 0);
    uint32_t a_count = nfl__fan_day(a), b_count = nfl__fan_day(b);
    if (a_count != b_count)
        return a_count < b_count ? -1 : 1;
    return a->last_us < b->last_us ? -1 : a->last_us > b->last_us;
}

static nfl__fan_slot *fanout_take_slot(fanout_source *source, const nfl_ip *key, nfl_usec now_us)
{
    nfl__fan_slot *victim = source->slots;
    for (size_t i = 1; i < FANOUT_SLOTS; i++)
        if (fanout_order_slots(&source->slots[i], victim) < 0)
            victim = &source->slots[i];
    memset(victim, 0, sizeof *victim);
    victim->key = *key;
    victim->first_us = now_us;
    return victim;
}

/* ---- counting ---- */

/* Empties the panes that have become too old. Time before `epoch` (a late record) counts as now. */
static void fanout_rotate(nfl__fan_bits *panes, size_t count, int64_t *epoch, int64_t now)
{
    for (size_t n = 0; *epoch < now && n < count; n++) {
        ++*epoch;
        panes[(uint64_t)*epoch % count] = (nfl__fan_bits){{0, 0}};
    }
    if (*epoch < now) { /* a long pause: all are empty */
        memset(panes, 0, count * sizeof *panes);
        *epoch = now;
    }
}

static void fanout_set_bit(nfl__fan_bits *bits, uint64_t element)
{
    bits->word[element >> 6 & 1] |= UINT64_C(1) << (element & 63);
}

/* Expected number of different elements that set so many of the bits: the sum of BITS/k over the zeros that
 * were there, in 1/65536. */
static uint32_t fanout_estimate(const nfl__fan_bits *panes, size_t count)
{
    nfl__fan_bits all = panes[0];
    for (size_t i = 1; i < count; i++) {
        all.word[0] |= panes[i].word[0];
        all.word[1] |= panes[i].word[1];
    }
    uint32_t ones = (uint32_t)__builtin_popcountll(all.word[0]) + (uint32_t)__builtin_popcountll(all.word[1]);
    uint64_t sum = 0;
    for (uint32_t zeros = FANOUT_BITS; zeros > FANOUT_BITS - ones; zeros--)
        sum += ((uint64_t)FANOUT_BITS << 16) / zeros;
    return (uint32_t)((sum + 0x8000) >> 16);
}

nfl__fan_slot *nfl__fanout_add(nfl__fanout *fanout, const nfl_ip *source, const nfl_ip *key, uint64_t element,
                               nfl_usec now_us)
{
    fanout_source *s = fanout_find_source(fanout, source);
    if (!s)
        s = fanout_take_source(fanout, source);
    nfl__fan_slot *slot = fanout_find_slot(s, key);
    if (!slot)
        slot = fanout_take_slot(s, key, now_us);
    s->last_us = slot->last_us = now_us;
    fanout_rotate(slot->recent, NFL__FANOUT_RECENT_PANES, &slot->recent_epoch,
                  now_us / FANOUT_RECENT_PANE_US);
    fanout_rotate(slot->day, NFL__FANOUT_DAY_PANES, &slot->day_epoch, now_us / FANOUT_DAY_PANE_US);
    fanout_set_bit(&slot->recent[(uint64_t)slot->recent_epoch % NFL__FANOUT_RECENT_PANES], element);
    fanout_set_bit(&slot->day[(uint64_t)slot->day_epoch % NFL__FANOUT_DAY_PANES], element);
    return slot;
}

nfl__fan_slot *nfl__fanout_find(nfl__fanout *fanout, const nfl_ip *source, const nfl_ip *key)
{
    fanout_source *s = fanout_find_source(fanout, source);
    return s ? fanout_find_slot(s, key) : NULL;
}

uint32_t nfl__fan_recent(const nfl__fan_slot *slot)
{
    return fanout_estimate(slot->recent, NFL__FANOUT_RECENT_PANES);
}

uint32_t nfl__fan_day(const nfl__fan_slot *slot)
{
    return fanout_estimate(slot->day, NFL__FANOUT_DAY_PANES);
}

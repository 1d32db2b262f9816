/* How many different things has a source touched lately? Distinct counts in fixed memory.
 *
 * Per source four slots; a slot counts different elements under one key (vertical scan: key = target,
 * elements = ports; horizontal scan: key = port, elements = targets). A slot has bitmaps of 128 bits in
 * panes of time, and is a linear counter (Whang et al. 1990) over the union of its panes:
 *
 *     recent: 3 panes of 2 min, covers the last 4 to 6 minutes
 *     day:    2 panes of 12 h, covers the last 12 to 24 hours
 *
 * A repeated element costs nothing. The weakest slot of a source gives way to a new key, the source seen
 * least recently to a new source of the same set of 8; marked ones go last. Counts of 15 come out within
 * 1 or 2, counts of 50 within 4; from about 400 on they are a lower bound.
 */
#ifndef NFL_DETECT_FANOUT_H
#define NFL_DETECT_FANOUT_H

#include <netflow/ip.h>

#include "base/alloc.h"

#define NFL__FANOUT_RECENT_PANES 3
#define NFL__FANOUT_DAY_PANES 2

typedef struct nfl__fan_bits {
    uint64_t word[2];
} nfl__fan_bits;

typedef struct nfl__fan_slot {
    nfl_ip key;
    nfl_usec first_us; /* 0 = unused */
    nfl_usec last_us;
    nfl__fan_bits recent[NFL__FANOUT_RECENT_PANES];
    nfl__fan_bits day[NFL__FANOUT_DAY_PANES];
    int64_t recent_epoch;
    int64_t day_epoch;
    uint32_t mark;     /* for the detector; slots with a mark are kept */
    uint32_t answered; /* for the detector */
} nfl__fan_slot;

typedef struct nfl__fanout nfl__fanout;

/* NULL when out of memory. */
nfl__fanout *nfl__fanout_new(nfl__memory *memory, uint32_t max_sources, uint64_t seed);
void nfl__fanout_free(nfl__fanout *fanout, nfl__memory *memory);

/* Counts an element. The slot is valid until the next call. */
nfl__fan_slot *nfl__fanout_add(nfl__fanout *fanout, const nfl_ip *source, const nfl_ip *key, uint64_t element,
                               nfl_usec now_us);

/* The slot if there is one, else NULL. */
nfl__fan_slot *nfl__fanout_find(nfl__fanout *fanout, const nfl_ip *source, const nfl_ip *key);

/* Different elements in the last minutes and in the last day, as of the last add. */
uint32_t nfl__fan_recent(const nfl__fan_slot *slot);
uint32_t nfl__fan_day(const nfl__fan_slot *slot);

#endif

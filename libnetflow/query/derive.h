/* Fields that are computed from others: duration, bps, pps, bpp, of a flow or of a group of flows. */
#ifndef NFL_QUERY_DERIVE_H
#define NFL_QUERY_DERIVE_H

#include "record/fields.h"

/* What they are computed from; members that a field does not read may be left 0. `present`: NFL_HAS() bits. */
typedef struct nfl__derive_input {
    uint64_t present;
    nfl_usec first_us, last_us;
    uint64_t bytes, packets; /* scaled or not, as the result shall be */
} nfl__derive_input;

/* Stored fields that a derived field reads; 0 if it cannot be computed (filter-only fields, `time`). */
uint64_t nfl__derive_reads(uint32_t field);

/* 1 and *out set, or 0 if something that it needs was not sent. */
int nfl__derive(uint32_t field, const nfl__derive_input *input, uint64_t *out);

#endif

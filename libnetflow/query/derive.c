#include "query/derive.h"

uint64_t nfl__derive_reads(uint32_t field)
{
    uint64_t times = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST);
    switch (field) {
    case NFL_FIELD_DURATION:
        return times;
    case NFL_FIELD_BPS:
        return times | NFL_HAS(NFL_FIELD_BYTES);
    case NFL_FIELD_PPS:
        return times | NFL_HAS(NFL_FIELD_PACKETS);
    case NFL_FIELD_BPP:
        return NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS);
    default:
        return 0;
    }
}

int nfl__derive(uint32_t field, const nfl__derive_input *input, uint64_t *out)
{
    uint64_t reads = nfl__derive_reads(field);
    if (reads == 0 || (input->present & reads) != reads)
        return 0;
    nfl_usec duration_us = nfl__duration(input->first_us, input->last_us);
    switch (field) {
    case NFL_FIELD_DURATION:
        *out = (uint64_t)duration_us;
        return 1;
    case NFL_FIELD_BPS:
        *out = nfl__bits_per_second(input->bytes, duration_us);
        return 1;
    case NFL_FIELD_PPS:
        *out = nfl__per_second(input->packets, duration_us);
        return 1;
    default:
        *out = input->packets ? input->bytes / input->packets : 0;
        return input->packets != 0;
    }
}

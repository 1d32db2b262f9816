/* The field table for the layers above: where a stored field lies in nfl_flow, and the arithmetic of derived
 * and scaled fields, so that filters, reports and single flows give the same numbers.
 *
 * Built from fields.def. Rows and slots are constants in read-only memory; every call here is O(1).
 */
#ifndef NFL_RECORD_FIELDS_H
#define NFL_RECORD_FIELDS_H

#include <netflow/flow.h>

#include <string.h>

/* Where a stored field lies in nfl_flow. */
typedef struct nfl__field_slot {
    uint16_t offset;
    uint8_t width; /* 1, 2, 4, 8 or 16 bytes */
    uint8_t type;  /* NFL_TYPE_* */
} nfl__field_slot;

extern const nfl__field_slot nfl__field_slots[NFL_FIELD_STORED_COUNT];

/* Fields that are multiplied by the sampling rate when read: NFL_HAS() bits. `flows` is none of them: a
 * record stays one record however few packets were looked at. */
#define NFL__SCALED_FIELDS                                                                   \
    (NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_OUT_BYTES) |   \
     NFL_HAS(NFL_FIELD_OUT_PACKETS) | NFL_HAS(NFL_FIELD_REVERSE_BYTES) |                     \
     NFL_HAS(NFL_FIELD_REVERSE_PACKETS))

/* Fields that nfl_flow always fills in, whatever `present` says (flow.h): `first` is the arrival time where the
 * exporter sent none, so that a time window never loses a flow. `last` counts only where it was sent: without
 * it there is no duration and no rate. */
#define NFL__FIELDS_ALWAYS                                                                   \
    (NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_FLOWS) |     \
     NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_VERSION))

/* Row of a field, stored or derived; NULL if there is none of that number. */
const nfl_field_info *nfl__field_row(uint32_t field);

/* The i-th row of the table, stored fields first; NULL behind the last. For loops over all fields. */
const nfl_field_info *nfl__field_at(uint32_t i);

/* Does the flow have this stored field: sent or always filled in, and not behind the end of a flow that an older
 * caller wrote? */
static inline int nfl__flow_has(const nfl_flow *flow, uint32_t field)
{
    const nfl__field_slot *slot = &nfl__field_slots[field];
    return ((flow->present | NFL__FIELDS_ALWAYS) >> field & 1) &&
           (uint32_t)slot->offset + slot->width <= flow->struct_size;
}

/* The bytes of a stored field. */
static inline const void *nfl__flow_at(const nfl_flow *flow, uint32_t field)
{
    return (const uint8_t *)flow + nfl__field_slots[field].offset;
}

static inline void *nfl__flow_slot(nfl_flow *flow, uint32_t field)
{
    return (uint8_t *)flow + nfl__field_slots[field].offset;
}

/* A stored number as sent, unscaled; of an address the first 8 bytes, which mean nothing. */
static inline uint64_t nfl__flow_u64(const nfl_flow *flow, uint32_t field)
{
    const void *at = nfl__flow_at(flow, field);
    switch (nfl__field_slots[field].width) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default: {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    }
}

/* Set a stored number, cut to the field's width, and its present bit. Not for addresses. */
static inline void nfl__flow_set_u64(nfl_flow *flow, uint32_t field, uint64_t value)
{
    void *at = nfl__flow_slot(flow, field);
    switch (nfl__field_slots[field].width) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        memcpy(at, &value, sizeof value);
    }
    flow->present |= NFL_HAS(field);
}

/* counter times the sampling rate (0 and 1 = not sampled), saturating. */
static inline uint64_t nfl__scale(uint64_t counter, uint32_t sampling)
{
    if (sampling <= 1)
        return counter;
    return counter > UINT64_MAX / sampling ? UINT64_MAX : counter * sampling;
}

/* Length of time between two times; 0 when they are out of order. */
static inline nfl_usec nfl__duration(nfl_usec first_us, nfl_usec last_us)
{
    if (last_us <= first_us)
        return 0;
    uint64_t length = (uint64_t)last_us - (uint64_t)first_us;
    return length > INT64_MAX ? INT64_MAX : (nfl_usec)length;
}

/* count per second over a duration; over one second when it is shorter. Rounded down, saturating. */
uint64_t nfl__per_second(uint64_t count, nfl_usec duration_us);

/* The same in bits for a number of bytes. */
uint64_t nfl__bits_per_second(uint64_t bytes, nfl_usec duration_us);

#endif

/* Decode plans: a template compiled once into the few steps that turn its records into flow records.
 *
 * A plan is an array of operations in template order. An operation knows where its element stands in the
 * record, how long it is, and where in nfl_flow the value goes; kinds are specialised for the lengths that
 * exporters use, so that a record of a fixed-length template costs one load and one store an element:
 *
 *     template   8:4  12:4  7:2  11:2  4:1  1:4  2:4  22:4  21:4
 *     plan       IP4  IP4   U16  U16   U8   N    N    SLOT  SLOT     then finish: times, ICMP, sampling
 *
 * Elements that need others to be understood (uptime-relative times, ICMP type and code, samplers) are put
 * into slots of a scratch area; the finishing step reads these. Where several elements fill one flow field,
 * the rules are: the same element repeated - the first wins (RFC 7011 section 8: order is outermost first);
 * different elements - the first in the record wins unless it is zero, as from exporters that send the IPv4 and
 * the IPv6 address in one template. Of counters, and of what tells the type of service, the one listed first in record/fields.def wins even when zero:
 * a delta of zero is no reason to take a total, and the two are never added.
 *
 * The map from elements to fields is built per parser from the `elements` column of record/fields.def, so a
 * new field is one line there. Cost: compile O(fields^2) in the worst case of one flow field, else linear;
 * run linear in operations, no allocation. A plan lives in the memory of its template.
 */
#ifndef NFL_WIRE_PLAN_H
#define NFL_WIRE_PLAN_H

#include <netflow/flow.h>
#include <netflow/parser.h>

/* Scratch values that the finishing step combines. */
enum {
    NFL__SLOT_START,           /* 150, 152, 154, 156 as microseconds since 1970 */
    NFL__SLOT_STOP,            /* 151, 153, 155, 157 */
    NFL__SLOT_START_UPTIME,    /* 22: milliseconds of sysUptime */
    NFL__SLOT_STOP_UPTIME,     /* 21 */
    NFL__SLOT_BOOT,            /* 160 systemInitTimeMilliseconds, as microseconds */
    NFL__SLOT_START_DELTA,     /* 158: microseconds before the export time */
    NFL__SLOT_STOP_DELTA,      /* 159 */
    NFL__SLOT_DURATION_MS,     /* 161 */
    NFL__SLOT_DURATION_US,     /* 162 */
    NFL__SLOT_OBSERVED,        /* 322 to 325: one packet or event */
    NFL__SLOT_ICMP,            /* 32: type << 8 | code */
    NFL__SLOT_ICMP6,           /* 139 */
    NFL__SLOT_SAMPLER,         /* 48: flowSamplerId */
    NFL__SLOT_SELECTOR,        /* 302: selectorId */
    NFL__SLOT_INTERVAL,        /* 34, 50: 1 in N */
    NFL__SLOT_PACKET_INTERVAL, /* 305 */
    NFL__SLOT_PACKET_SPACE,    /* 306 */
    NFL__SLOT_SIZE,            /* 309 */
    NFL__SLOT_POPULATION,      /* 310 */
    NFL__SLOT_COUNT
};
#define NFL__SLOT(slot) (UINT32_C(1) << (slot))
#define NFL__SLOTS_TIME (NFL__SLOT(NFL__SLOT_ICMP) - 1)
#define NFL__SLOTS_ICMP (NFL__SLOT(NFL__SLOT_ICMP) | NFL__SLOT(NFL__SLOT_ICMP6))
#define NFL__SLOTS_RATE                                                                                      \
    (NFL__SLOT(NFL__SLOT_INTERVAL) | NFL__SLOT(NFL__SLOT_PACKET_INTERVAL) |                                  \
     NFL__SLOT(NFL__SLOT_PACKET_SPACE) | NFL__SLOT(NFL__SLOT_SIZE) | NFL__SLOT(NFL__SLOT_POPULATION))
#define NFL__SLOTS_SAMPLING (NFL__SLOTS_RATE | NFL__SLOT(NFL__SLOT_SAMPLER) | NFL__SLOT(NFL__SLOT_SELECTOR))

/* Only the slots in `have` hold values. */
typedef struct nfl__slots {
    uint32_t have;
    uint64_t value[NFL__SLOT_COUNT];
} nfl__slots;

typedef struct nfl__plan_op {
    uint8_t kind;    /* PLAN_* in plan.c */
    uint8_t field;   /* NFL_FIELD_*; or slot; or kind of frame section */
    uint16_t index;  /* of the element in the template */
    uint32_t offset; /* in a record of fixed length */
    uint16_t len;    /* as in the template; 65535 = variable */
    uint16_t target; /* offset in nfl_flow */
} nfl__plan_op;

typedef struct nfl__plan {
    nfl__plan_op *ops;
    uint32_t op_count;
    uint32_t slots;    /* mask of slots that may be filled */
    uint64_t present;  /* fields every record of fixed length has */
    uint8_t is_flow;   /* describes traffic: has addresses, counters or a frame */
    uint8_t has_frame; /* has a piece of a packet (313, 315, 104) */
} nfl__plan;

/* Position of a field inside one record of variable length. */
typedef struct nfl__span {
    uint32_t offset;
    uint32_t len;
} nfl__span;

/* Which operation an element becomes. */
typedef struct nfl__plan_rule {
    uint32_t pen;
    uint16_t id;
    uint8_t kind;
    uint8_t field;
    uint8_t rank; /* lower wins: twice the place in the `elements` column, odd ones between these */
} nfl__plan_rule;

enum { NFL__PLAN_IANA = 512, NFL__PLAN_RULES = 192 };

/* Element to rule, built once per parser. */
typedef struct nfl__plan_map {
    uint8_t iana[NFL__PLAN_IANA]; /* 1 + position in rules; 0 = none */
    uint32_t rule_count;
    nfl__plan_rule rules[NFL__PLAN_RULES];
} nfl__plan_map;

void nfl__plan_map_init(nfl__plan_map *map);

/* Compile fields into plan->ops, which has room for `count` operations. */
void nfl__plan_compile(nfl__plan *plan, const nfl__plan_map *map, const nfl_template_field *fields,
                       const uint32_t *offsets, uint32_t count);

/* Run over a record of fixed length; the record has been checked to be that long. */
void nfl__plan_run(const nfl__plan *plan, const uint8_t *record, nfl_flow *flow, nfl__slots *slots);

/* Run over a record whose fields stand at spans[]. */
void nfl__plan_run_spans(const nfl__plan *plan, const uint8_t *record, const nfl__span *spans, nfl_flow *flow,
                         nfl__slots *slots);

/* Slot that an element fills, or -1; *value is converted. For options data, where order does not matter. */
int32_t nfl__plan_slot(const nfl__plan_map *map, uint32_t pen, uint16_t id, const uint8_t *data, size_t len,
                       uint64_t *value);

/* applicationId of at least 2 bytes as nfl_flow::app_id has it. */
uint64_t nfl__plan_app_id(const uint8_t *data, size_t len);

/* Sampling rate that the slots tell: 1 in the returned number; 0 = they do not. */
uint32_t nfl__plan_rate(const nfl__slots *slots);

#endif

#include "wire/plan.h"

#include "base/error.h"
#include "base/rd.h"
#include "record/fields.h"
#include "wire/packet.h"

#include <string.h>

enum {
    PLAN_NONE,
    PLAN_COPY_1,          /* number of 1 byte into 1 byte */
    PLAN_COPY_2,          /* 2 into 2 */
    PLAN_COPY_4,          /* 4 into 4 */
    PLAN_COPY_8,          /* 8 into 8 */
    PLAN_COPY_4_8,        /* 4 into 8 */
    PLAN_COPY_2_4,        /* 2 into 4 */
    PLAN_NUMBER,          /* any length into any width (RFC 7011 6.2) */
    PLAN_IP4,             /* ipv4Address */
    PLAN_IP6,             /* ipv6Address */
    PLAN_TCP_FLAGS,       /* 12 bits (RFC 7125) */
    PLAN_MORE_TCP_FLAGS,  /* the same, joined with what other elements tell */
    PLAN_FLOW_LABEL,      /* 20 bits */
    PLAN_MPLS,            /* label 20, traffic class 3, bottom of stack 1 */
    PLAN_APP_ID,          /* RFC 6759 */
    PLAN_DSCP,            /* upper six bits of the type of service */
    PLAN_SLOT,            /* number into a slot */
    PLAN_SLOT_S,          /* seconds since 1970 into a slot */
    PLAN_SLOT_MS,         /* milliseconds since 1970 */
    PLAN_SLOT_NTP,        /* NTP timestamp (RFC 5905): seconds since 1900, 32 bits of fraction */
    PLAN_FRAME,           /* piece of a packet */
    PLAN_OTHERWISE = 0x80 /* flag: only where the field is still zero */
};

/* Elements that are more than a number going into a field. */
static const nfl__plan_rule plan_specials[] = {
    {0, 6, PLAN_TCP_FLAGS, NFL_FIELD_TCP_FLAGS, 0},
    {29305, 6, PLAN_TCP_FLAGS, NFL_FIELD_REVERSE_TCP_FLAGS, 0},
    /* YAF (CERT, PEN 6871) tells flags of the first packet and of all others; bit 0x4000 of the id is the reverse */
    {6871, 14, PLAN_MORE_TCP_FLAGS, NFL_FIELD_TCP_FLAGS, 1},
    {6871, 15, PLAN_MORE_TCP_FLAGS, NFL_FIELD_TCP_FLAGS, 1},
    {6871, 0x4000 | 14, PLAN_MORE_TCP_FLAGS, NFL_FIELD_REVERSE_TCP_FLAGS, 1},
    {6871, 0x4000 | 15, PLAN_MORE_TCP_FLAGS, NFL_FIELD_REVERSE_TCP_FLAGS, 1},
    {0, 31, PLAN_FLOW_LABEL, NFL_FIELD_FLOW_LABEL, 0},
    {0, 70, PLAN_MPLS, NFL_FIELD_MPLS_LABEL, 0},
    {0, 95, PLAN_APP_ID, NFL_FIELD_APP_ID, 0},
    {0, 195, PLAN_DSCP, NFL_FIELD_TOS, 1}, /* Cisco AVC and WLC send it instead of 5, which tells more */
    /* initiator and responder counters make one record of two directions; 232 and 299 are in the table. They count
     * since the last report, so they come behind the delta (rank 0) and before the total (rank 2) */
    {0, 231, PLAN_NUMBER, NFL_FIELD_BYTES, 1},
    {0, 298, PLAN_NUMBER, NFL_FIELD_PACKETS, 1},
    {0, 22, PLAN_SLOT, NFL__SLOT_START_UPTIME, 0},
    {0, 21, PLAN_SLOT, NFL__SLOT_STOP_UPTIME, 0},
    {0, 150, PLAN_SLOT_S, NFL__SLOT_START, 0},
    {0, 151, PLAN_SLOT_S, NFL__SLOT_STOP, 0},
    {0, 152, PLAN_SLOT_MS, NFL__SLOT_START, 0},
    {0, 153, PLAN_SLOT_MS, NFL__SLOT_STOP, 0},
    {0, 154, PLAN_SLOT_NTP, NFL__SLOT_START, 0},
    {0, 155, PLAN_SLOT_NTP, NFL__SLOT_STOP, 0},
    {0, 156, PLAN_SLOT_NTP, NFL__SLOT_START, 0},
    {0, 157, PLAN_SLOT_NTP, NFL__SLOT_STOP, 0},
    {0, 158, PLAN_SLOT, NFL__SLOT_START_DELTA, 0},
    {0, 159, PLAN_SLOT, NFL__SLOT_STOP_DELTA, 0},
    {0, 160, PLAN_SLOT_MS, NFL__SLOT_BOOT, 0},
    {0, 161, PLAN_SLOT, NFL__SLOT_DURATION_MS, 0},
    {0, 162, PLAN_SLOT, NFL__SLOT_DURATION_US, 0},
    {0, 322, PLAN_SLOT_S, NFL__SLOT_OBSERVED, 0},
    {0, 323, PLAN_SLOT_MS, NFL__SLOT_OBSERVED, 0},
    {0, 324, PLAN_SLOT_NTP, NFL__SLOT_OBSERVED, 0},
    {0, 325, PLAN_SLOT_NTP, NFL__SLOT_OBSERVED, 0},
    {0, 32, PLAN_SLOT, NFL__SLOT_ICMP, 0},
    {0, 139, PLAN_SLOT, NFL__SLOT_ICMP6, 0},
    {0, 48, PLAN_SLOT, NFL__SLOT_SAMPLER, 0},
    {0, 302, PLAN_SLOT, NFL__SLOT_SELECTOR, 0},
    {0, 34, PLAN_SLOT, NFL__SLOT_INTERVAL, 0},
    {0, 50, PLAN_SLOT, NFL__SLOT_INTERVAL, 0},
    {0, 305, PLAN_SLOT, NFL__SLOT_PACKET_INTERVAL, 0},
    {0, 306, PLAN_SLOT, NFL__SLOT_PACKET_SPACE, 0},
    {0, 309, PLAN_SLOT, NFL__SLOT_SIZE, 0},
    {0, 310, PLAN_SLOT, NFL__SLOT_POPULATION, 0},
    {0, 104, PLAN_FRAME, NFL__PACKET_ETHERNET, 0},
    {0, 315, PLAN_FRAME, NFL__PACKET_ETHERNET, 0},
    {0, 313, PLAN_FRAME, NFL__PACKET_IP, 0},
    /* the flow tells the address the datagram came from and its domain: a record's own claim stays readable */
    {0, 130, PLAN_NONE, 0, 0},
    {0, 131, PLAN_NONE, 0, 0},
    {0, 149, PLAN_NONE, 0, 0},
};

/* A record with any of these is about traffic. */
#define PLAN_TRAFFIC                                                                                         \
    (NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_BYTES) |                            \
     NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_SRC_MAC) | NFL_HAS(NFL_FIELD_DST_MAC) |                  \
     NFL_HAS(NFL_FIELD_NAT_SRC) | NFL_HAS(NFL_FIELD_SRC_PORT))

static const nfl__plan_rule *plan_find(const nfl__plan_map *map, uint32_t pen, uint16_t id)
{
    if (pen == 0 && id < NFL__PLAN_IANA)
        return map->iana[id] ? &map->rules[map->iana[id] - 1] : NULL;
    for (uint32_t i = 0; i < map->rule_count; i++)
        if (map->rules[i].pen == pen && map->rules[i].id == id)
            return &map->rules[i];
    return NULL;
}

static void plan_map_add(nfl__plan_map *map, const nfl__plan_rule *rule)
{
    if (map->rule_count == NFL__PLAN_RULES || plan_find(map, rule->pen, rule->id))
        return;
    map->rules[map->rule_count++] = *rule;
    if (rule->pen == 0 && rule->id < NFL__PLAN_IANA)
        map->iana[rule->id] = (uint8_t)map->rule_count;
}

static uint32_t plan_digits(const char **text)
{
    uint32_t value = 0;
    for (; **text >= '0' && **text <= '9'; ++*text)
        value = value * 10 + (uint32_t)(**text - '0');
    return value;
}

/* "8 27" or "29305/1 232", see record/fields.def. */
static void plan_map_add_elements(nfl__plan_map *map, const nfl_field_info *row)
{
    const char *text = row->elements;
    for (uint8_t rank = 0; text && *text; rank = (uint8_t)(rank + 2)) {
        uint32_t pen = 0, id = plan_digits(&text);
        if (*text == '/') {
            text++;
            pen = id;
            id = plan_digits(&text);
        }
        nfl__plan_rule rule = {pen, (uint16_t)id, PLAN_NUMBER, row->field, rank};
        plan_map_add(map, &rule);
        while (*text && (*text < '0' || *text > '9'))
            text++;
    }
}

void nfl__plan_map_init(nfl__plan_map *map)
{
    memset(map, 0, sizeof *map);
    for (size_t i = 0; i < sizeof plan_specials / sizeof *plan_specials; i++)
        plan_map_add(map, &plan_specials[i]);
    for (uint32_t i = 0; i < NFL_FIELD_STORED_COUNT; i++) {
        const nfl_field_info *row = nfl__field_at(i);
        if (row && !row->derived)
            plan_map_add_elements(map, row);
    }
}

/* The specialised form of PLAN_NUMBER for a source and a destination width; 0 = the element is of no use. */
static uint8_t plan_number_kind(uint16_t len, const nfl__field_slot *slot)
{
    if (slot->type == NFL_TYPE_IP)
        return len == 4 ? PLAN_IP4 : len == 16 ? PLAN_IP6 : PLAN_NONE;
    if (len == slot->width)
        return len == 1 ? PLAN_COPY_1 : len == 2 ? PLAN_COPY_2 : len == 4 ? PLAN_COPY_4 : PLAN_COPY_8;
    if (len == 4 && slot->width == 8)
        return PLAN_COPY_4_8;
    if (len == 2 && slot->width == 4)
        return PLAN_COPY_2_4;
    return PLAN_NUMBER;
}

/* Least length at which a kind can be read. */
static uint16_t plan_least_len(uint8_t kind)
{
    switch (kind) {
    case PLAN_MPLS:
        return 3;
    case PLAN_APP_ID:
        return 2;
    case PLAN_SLOT_NTP:
        return 8;
    default:
        return 1;
    }
}

static int plan_into_field(uint8_t kind)
{
    return kind < PLAN_SLOT;
}

/* Compile state: which element has filled a flow field so far. */
typedef struct plan_winner {
    uint32_t op; /* 1 + position */
    uint32_t pen;
    uint16_t id;
    uint8_t rank;
} plan_winner;

/* Two elements for one field: decide which is the first choice. Returns 0 when the new one is dropped. */
static int plan_contest(nfl__plan *plan, plan_winner *winner, const nfl_template_field *field,
                        const nfl__plan_rule *rule, nfl__plan_op *op)
{
    int ranked = ((NFL__SCALED_FIELDS | NFL_HAS(NFL_FIELD_TOS)) >> rule->field & 1) != 0;
    if (winner->pen == field->pen && winner->id == field->id)
        return 0; /* RFC 7011 section 8: the first is the outermost */
    if (rule->rank >= winner->rank || !ranked) {
        op->kind |= PLAN_OTHERWISE;
        return !ranked;
    }
    plan->ops[winner->op - 1].kind = PLAN_NONE;
    return 1;
}

static void plan_add_field(nfl__plan *plan, plan_winner *winners, const nfl_template_field *field,
                           const nfl__plan_rule *rule, nfl__plan_op *op)
{
    const nfl__field_slot *slot = &nfl__field_slots[rule->field];
    if (op->kind == PLAN_NUMBER && field->len != UINT16_MAX)
        op->kind = plan_number_kind(field->len, slot);
    if (op->kind == PLAN_NONE || (slot->type == NFL_TYPE_IP && field->len == UINT16_MAX))
        return;
    op->target = slot->offset;
    if (rule->kind == PLAN_MORE_TCP_FLAGS) { /* no contest: all of them count */
        plan->ops[plan->op_count++] = *op;
        plan->present |= NFL_HAS(rule->field);
        return;
    }
    plan_winner *winner = &winners[rule->field];
    if (winner->op && !plan_contest(plan, winner, field, rule, op))
        return;
    plan->ops[plan->op_count++] = *op;
    if (op->kind & PLAN_OTHERWISE)
        return;
    *winner = (plan_winner){plan->op_count, field->pen, field->id, rule->rank};
    plan->present |= NFL_HAS(rule->field);
}

static void plan_add(nfl__plan *plan, plan_winner *winners, const nfl_template_field *field,
                     const nfl__plan_rule *rule, nfl__plan_op *op)
{
    op->kind = rule->kind;
    op->field = rule->field;
    op->len = field->len;
    if (rule->kind == PLAN_NONE || field->len < plan_least_len(rule->kind))
        return;
    if (plan_into_field(rule->kind)) {
        plan_add_field(plan, winners, field, rule, op);
        return;
    }
    if (rule->kind == PLAN_FRAME)
        plan->has_frame = 1;
    else
        plan->slots |= NFL__SLOT(rule->field);
    plan->ops[plan->op_count++] = *op;
}

void nfl__plan_compile(nfl__plan *plan, const nfl__plan_map *map, const nfl_template_field *fields,
                       const uint32_t *offsets, uint32_t count)
{
    plan_winner winners[NFL_FIELD_STORED_COUNT];
    memset(winners, 0, sizeof winners);
    plan->op_count = 0;
    plan->slots = 0;
    plan->present = 0;
    plan->has_frame = 0;
    for (uint32_t i = 0; i < count; i++) {
        const nfl__plan_rule *rule = plan_find(map, fields[i].pen, fields[i].id);
        if (!rule)
            continue;
        nfl__plan_op op = {.index = (uint16_t)i, .offset = offsets[i]};
        plan_add(plan, winners, &fields[i], rule, &op);
    }
    plan->is_flow = (plan->present & PLAN_TRAFFIC) != 0 || plan->has_frame;
}

/* Big-endian number of any length; what is too large for 64 bits becomes the largest number. */
static uint64_t plan_number(const uint8_t *data, size_t len)
{
    for (; len > 8; data++, len--)
        if (*data)
            return UINT64_MAX;
    return nfl__load_be(data, len);
}

/* Into a member of 1, 2, 4 or 8 bytes; what is too large becomes the largest number. */
static void plan_store(nfl_flow *flow, uint8_t field, uint64_t value)
{
    unsigned width = nfl__field_slots[field].width;
    uint64_t most = width >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
    nfl__flow_set_u64(flow, field, value < most ? value : most);
}

static uint64_t plan_ntp_us(const uint8_t *data)
{
    /* RFC 7011 6.1.9: seconds since 1900; era 1 begins in 2036 */
    uint64_t seconds = nfl__load_be32(data), fraction = nfl__load_be32(data + 4);
    if (seconds < UINT64_C(0x80000000))
        seconds += UINT64_C(1) << 32;
    return (seconds - UINT64_C(2208988800)) * 1000000 + (fraction * 1000000 >> 32);
}

uint64_t nfl__plan_app_id(const uint8_t *data, size_t len)
{
    return (uint64_t)data[0] << 56 | (plan_number(data + 1, len - 1) & ((UINT64_C(1) << 56) - 1));
}

/* Milliseconds or seconds since 1970 as microseconds, within what nfl_usec can hold. */
static uint64_t plan_scale_time(uint64_t value, uint64_t factor)
{
    return value > INT64_MAX / 4 / factor ? 0 : value * factor;
}

static uint64_t plan_slot_value(uint8_t kind, const uint8_t *data, size_t len)
{
    switch (kind) {
    case PLAN_SLOT_S:
        return plan_scale_time(plan_number(data, len), 1000000);
    case PLAN_SLOT_MS:
        return plan_scale_time(plan_number(data, len), 1000);
    case PLAN_SLOT_NTP:
        return plan_ntp_us(data);
    default:
        return plan_number(data, len);
    }
}

static void plan_set_slot(nfl__slots *slots, const nfl__plan_op *op, const uint8_t *data, size_t len)
{
    uint32_t bit = NFL__SLOT(op->field);
    /* the first one counts, unless it said nothing */
    if ((slots->have & bit) && slots->value[op->field] != 0)
        return;
    slots->value[op->field] = plan_slot_value(op->kind, data, len);
    slots->have |= bit;
}

static void plan_read_frame(nfl_flow *flow, const nfl__plan_op *op, const uint8_t *data, size_t len)
{
    uint32_t ip_len = 0;
    if (nfl__packet_read(data, len, op->field, flow, &ip_len) < 0)
        return;
    if (!nfl__flow_has(flow, NFL_FIELD_PACKETS))
        nfl__flow_set_u64(flow, NFL_FIELD_PACKETS, 1);
    if (!nfl__flow_has(flow, NFL_FIELD_BYTES) && ip_len)
        nfl__flow_set_u64(flow, NFL_FIELD_BYTES, ip_len);
}

static void plan_copy_ip4(void *target, const uint8_t *data)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(target, mapped, sizeof mapped);
    memcpy((uint8_t *)target + 12, data, 4);
}

static inline void plan_store_u16(void *target, uint16_t value)
{
    memcpy(target, &value, sizeof value);
}

static inline void plan_join_u16(void *target, uint16_t bits)
{
    uint16_t value;
    memcpy(&value, target, sizeof value);
    plan_store_u16(target, (uint16_t)(value | bits));
}

static inline void plan_store_u32(void *target, uint32_t value)
{
    memcpy(target, &value, sizeof value);
}

static inline void plan_store_u64(void *target, uint64_t value)
{
    memcpy(target, &value, sizeof value);
}

/* One operation whose data has at least plan_least_len() bytes. */
static inline void plan_step(uint8_t kind, const nfl__plan_op *op, const uint8_t *data, size_t len,
                             nfl_flow *flow, nfl__slots *slots)
{
    void *target = (uint8_t *)flow + op->target;
    switch (kind) {
    case PLAN_COPY_1:
        *(uint8_t *)target = *data;
        break;
    case PLAN_COPY_2:
        plan_store_u16(target, nfl__load_be16(data));
        break;
    case PLAN_COPY_4:
        plan_store_u32(target, nfl__load_be32(data));
        break;
    case PLAN_COPY_8:
        plan_store_u64(target, nfl__load_be64(data));
        break;
    case PLAN_COPY_4_8:
        plan_store_u64(target, nfl__load_be32(data));
        break;
    case PLAN_COPY_2_4:
        plan_store_u32(target, nfl__load_be16(data));
        break;
    case PLAN_IP4:
        plan_copy_ip4(target, data);
        break;
    case PLAN_IP6:
        memcpy(target, data, 16);
        break;
    case PLAN_NUMBER:
        plan_store(flow, op->field, plan_number(data, len));
        break;
    case PLAN_TCP_FLAGS:
        plan_store_u16(target, (uint16_t)(plan_number(data, len) & 0x0fff));
        break;
    case PLAN_MORE_TCP_FLAGS:
        plan_join_u16(target, (uint16_t)(plan_number(data, len) & 0x0fff));
        break;
    case PLAN_FLOW_LABEL:
        plan_store_u32(target, (uint32_t)(plan_number(data, len) & 0xfffff));
        break;
    case PLAN_MPLS:
        plan_store_u32(target, (uint32_t)(nfl__load_be(data, 3) >> 4));
        break;
    case PLAN_APP_ID:
        plan_store_u64(target, nfl__plan_app_id(data, len));
        break;
    case PLAN_DSCP:
        *(uint8_t *)target = (uint8_t)(plan_number(data, len) << 2);
        break;
    case PLAN_FRAME:
        break; /* read last: elements win over what the frame tells */
    default:
        plan_set_slot(slots, op, data, len);
    }
}

static int plan_is_zero(const nfl_flow *flow, uint8_t field)
{
    static const uint8_t v6_zero[16];
    static const uint8_t v4_zero[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const void *at = nfl__flow_at(flow, field);
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        return memcmp(at, v4_zero, 16) == 0 || memcmp(at, v6_zero, 16) == 0;
    return nfl__flow_u64(flow, field) == 0;
}

static void plan_step_any(const nfl__plan_op *op, const uint8_t *data, size_t len, nfl_flow *flow,
                          nfl__slots *slots)
{
    if (op->kind == PLAN_NONE)
        return;
    if (!(op->kind & PLAN_OTHERWISE))
        plan_step(op->kind, op, data, len, flow, slots);
    else if (plan_is_zero(flow, op->field) && plan_number(data, len) != 0)
        plan_step((uint8_t)(op->kind & ~PLAN_OTHERWISE), op, data, len, flow, slots);
}

void nfl__plan_run(const nfl__plan *plan, const uint8_t *record, nfl_flow *flow, nfl__slots *slots)
{
    slots->have = 0;
    flow->present |= plan->present;
    const nfl__plan_op *stop = plan->ops + plan->op_count;
    for (const nfl__plan_op *op = plan->ops; op < stop; op++) {
        if (op->kind == PLAN_NONE || op->kind & PLAN_OTHERWISE)
            plan_step_any(op, record + op->offset, op->len, flow, slots);
        else
            plan_step(op->kind, op, record + op->offset, op->len, flow, slots);
    }
    if (!plan->has_frame)
        return;
    for (const nfl__plan_op *op = plan->ops; op < stop; op++)
        if (op->kind == PLAN_FRAME)
            plan_read_frame(flow, op, record + op->offset, op->len);
}

void nfl__plan_run_spans(const nfl__plan *plan, const uint8_t *record, const nfl__span *spans, nfl_flow *flow,
                         nfl__slots *slots)
{
    slots->have = 0;
    const nfl__plan_op *stop = plan->ops + plan->op_count;
    for (const nfl__plan_op *op = plan->ops; op < stop; op++) {
        const nfl__span *span = &spans[op->index];
        if (span->len < plan_least_len((uint8_t)(op->kind & ~PLAN_OTHERWISE)))
            continue; /* empty: the exporter has no value */
        plan_step_any(op, record + span->offset, span->len, flow, slots);
        if (plan_into_field((uint8_t)(op->kind & ~PLAN_OTHERWISE)) && op->kind != PLAN_NONE)
            flow->present |= NFL_HAS(op->field);
    }
    for (const nfl__plan_op *op = plan->ops; op < stop; op++)
        if (op->kind == PLAN_FRAME)
            plan_read_frame(flow, op, record + spans[op->index].offset, spans[op->index].len);
}

int32_t nfl__plan_slot(const nfl__plan_map *map, uint32_t pen, uint16_t id, const uint8_t *data, size_t len,
                       uint64_t *value)
{
    const nfl__plan_rule *rule = plan_find(map, pen, id);
    if (!rule || plan_into_field(rule->kind) || rule->kind == PLAN_FRAME || len < plan_least_len(rule->kind))
        return -1;
    *value = plan_slot_value(rule->kind, data, len);
    return rule->field;
}

static uint64_t plan_slot_get(const nfl__slots *slots, uint32_t slot)
{
    return slots->have & NFL__SLOT(slot) ? slots->value[slot] : 0;
}

uint32_t nfl__plan_rate(const nfl__slots *slots)
{
    uint64_t taken = plan_slot_get(slots, NFL__SLOT_PACKET_INTERVAL);
    uint64_t skipped = plan_slot_get(slots, NFL__SLOT_PACKET_SPACE);
    uint64_t size = plan_slot_get(slots, NFL__SLOT_SIZE),
             population = plan_slot_get(slots, NFL__SLOT_POPULATION);
    uint64_t rate = plan_slot_get(slots, NFL__SLOT_INTERVAL);
    if (rate == 0 && taken && (slots->have & NFL__SLOT(NFL__SLOT_PACKET_SPACE)))
        rate = skipped / taken + 1; /* RFC 5477: `taken` in a row, then `skipped` not */
    else if (rate == 0 && size && population)
        rate = population / size;
    else if (rate == 0)
        rate = taken; /* without 306, exporters mean 1 in N */
    return rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
}

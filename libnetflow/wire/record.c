/* Raw records into flow records: see plan.h for the elements, here is what needs more than one of them. */
#include "record/fields.h"
#include "wire/decoder.h"

#include <string.h>

enum { RECORD_ICMP = 1, RECORD_ICMP6 = 58 };

void nfl__record_prepare(nfl_parser *parser)
{
    const nfl__context *context = parser->context;
    nfl_flow *base = &parser->base;
    memset(base, 0, sizeof *base);
    base->struct_size = (uint32_t)sizeof *base;
    base->first_us = context->received_us;
    base->last_us = context->received_us;
    base->received_us = context->received_us;
    base->flows = 1;
    base->exporter = parser->domain->exporter;
    base->domain = context->header.domain;
    base->version = (uint8_t)context->header.version;
    base->sampling = context->header.sampling & 0x3fff; /* v5: two mode bits, which exporters leave 0 */
    base->present = NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_FLOWS) | NFL_HAS(NFL_FIELD_EXPORTER) |
                    NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_VERSION);
    if (base->sampling)
        base->present |= NFL_HAS(NFL_FIELD_SAMPLING);
}

nfl_usec nfl__record_export_us(const nfl__domain *domain, const nfl_export_header *header)
{
    nfl_usec seconds = (nfl_usec)header->seconds * 1000000;
    if (header->nanoseconds && header->nanoseconds < 1000000000)
        return seconds + header->nanoseconds / 1000;
    if (header->version == 10 || !domain->boot.known)
        return seconds;
    nfl_usec finer = (domain->boot.earliest_ms + (nfl_usec)header->uptime_ms) * 1000;
    return finer >= seconds && finer < seconds + 1000000 ? finer : seconds;
}

static int record_has(const nfl__slots *slots, uint32_t slot)
{
    return (slots->have & NFL__SLOT(slot)) != 0;
}

/* A time on the sysUptime clock. IPFIX needs to be told when the clock started (RFC 5102 5.9.9). */
static int record_uptime(const nfl_parser *parser, uint32_t slot, nfl_usec *out)
{
    const nfl__slots *slots = &parser->slots;
    const nfl__context *context = parser->context;
    if (!record_has(slots, slot))
        return 0;
    uint32_t uptime_ms = context->header.uptime_ms;
    if (context->header.version == 10) {
        nfl_usec boot_us = record_has(slots, NFL__SLOT_BOOT) ? (nfl_usec)slots->value[NFL__SLOT_BOOT]
                                                             : parser->domain->boot_us;
        if (boot_us <= 0)
            return 0;
        uptime_ms = (uint32_t)((context->export_us - boot_us) / 1000);
    }
    *out = context->export_us - (nfl_usec)(int32_t)(uptime_ms - (uint32_t)slots->value[slot]) * 1000;
    return 1;
}

/* The first source that tells a time: absolute, by sysUptime, by distance from the export time. */
static int record_time(const nfl_parser *parser, uint32_t absolute, uint32_t uptime, uint32_t delta,
                       nfl_usec *out)
{
    const nfl__slots *slots = &parser->slots;
    if (record_has(slots, absolute) && slots->value[absolute] != 0) {
        *out = (nfl_usec)slots->value[absolute];
        return 1;
    }
    if (record_uptime(parser, uptime, out))
        return 1;
    if (!record_has(slots, delta) || slots->value[delta] > UINT32_MAX)
        return 0;
    *out = parser->context->export_us - (nfl_usec)slots->value[delta];
    return 1;
}

static nfl_usec record_duration(const nfl__slots *slots)
{
    uint64_t ms = record_has(slots, NFL__SLOT_DURATION_MS) ? slots->value[NFL__SLOT_DURATION_MS] : 0;
    uint64_t us = record_has(slots, NFL__SLOT_DURATION_US) ? slots->value[NFL__SLOT_DURATION_US] : 0;
    if (us == 0)
        us = ms > UINT32_MAX ? 0 : ms * 1000;
    return us > (uint64_t)UINT32_MAX * 1000 ? 0 : (nfl_usec)us;
}

static void record_set_times(const nfl_parser *parser, nfl_flow *flow)
{
    const nfl__slots *slots = &parser->slots;
    nfl_usec first = 0, last = 0;
    int has_first =
        record_time(parser, NFL__SLOT_START, NFL__SLOT_START_UPTIME, NFL__SLOT_START_DELTA, &first);
    int has_last = record_time(parser, NFL__SLOT_STOP, NFL__SLOT_STOP_UPTIME, NFL__SLOT_STOP_DELTA, &last);
    nfl_usec duration = record_duration(slots);
    if (!has_first && !has_last && record_has(slots, NFL__SLOT_OBSERVED) &&
        slots->value[NFL__SLOT_OBSERVED]) {
        first = last = (nfl_usec)slots->value[NFL__SLOT_OBSERVED];
        has_first = has_last = 1;
    } else if (has_first != has_last) { /* one and perhaps a duration tell the other */
        if (has_first)
            last = first + duration;
        else
            first = last - duration;
        has_first |= duration != 0;
        has_last |= duration != 0;
    } else if (!has_first) {
        return;
    }
    flow->first_us = first;
    flow->last_us = last;
    flow->present |= (has_first ? NFL_HAS(NFL_FIELD_FIRST) : 0) | (has_last ? NFL_HAS(NFL_FIELD_LAST) : 0);
}

static void record_set_icmp(const nfl_parser *parser, nfl_flow *flow)
{
    const nfl__slots *slots = &parser->slots;
    uint64_t own = NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE);
    uint64_t ports = NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    uint32_t first = flow->proto == RECORD_ICMP6 ? NFL__SLOT_ICMP6 : NFL__SLOT_ICMP;
    uint32_t second = flow->proto == RECORD_ICMP6 ? NFL__SLOT_ICMP : NFL__SLOT_ICMP6;
    uint64_t both = 0;
    int told = (slots->have & NFL__SLOTS_ICMP) != 0 || (flow->present & NFL_HAS(NFL_FIELD_DST_PORT));
    if (record_has(slots, first))
        both = slots->value[first];
    if (!both && record_has(slots, second))
        both = slots->value[second];
    if (!both)
        both = flow->dst_port; /* type * 256 + code: v5, and v9 of Cisco IOS */
    if (told && (!(flow->present & own) || (both && !flow->icmp_type && !flow->icmp_code))) {
        flow->icmp_type = (uint8_t)(both >> 8);
        flow->icmp_code = (uint8_t)both;
        flow->present |= own;
    }
    flow->src_port = 0;
    flow->dst_port = 0;
    flow->present &= ~ports;
}

/* Exporters with one template for all protocols send ICMP elements, as zeros, for every flow. */
static void record_clear_icmp(nfl_flow *flow)
{
    flow->icmp_type = 0;
    flow->icmp_code = 0;
    flow->present &= ~(NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE));
}

static uint32_t record_known_rate(const nfl_parser *parser, const nfl_flow *flow)
{
    const nfl__samplers *samplers = &parser->domain->samplers;
    const nfl__slots *slots = &parser->slots;
    uint32_t rate = 0;
    if (record_has(slots, NFL__SLOT_SAMPLER))
        rate = nfl__samplers_get(samplers, NFL__SAMPLER_ID, slots->value[NFL__SLOT_SAMPLER]);
    if (!rate && record_has(slots, NFL__SLOT_SELECTOR))
        rate = nfl__samplers_get(samplers, NFL__SAMPLER_ID, slots->value[NFL__SLOT_SELECTOR]);
    if (!rate && nfl__flow_has(flow, NFL_FIELD_IN_IF))
        rate = nfl__samplers_get(samplers, NFL__SAMPLER_INTERFACE, flow->in_if);
    if (!rate)
        rate = nfl__samplers_get(samplers, NFL__SAMPLER_DOMAIN, 0);
    if (!rate && samplers->count == 1 && !(slots->have & NFL__SLOTS_SAMPLING))
        rate = samplers->items[0].rate; /* the only sampler there is */
    return rate;
}

static void record_set_sampling(const nfl_parser *parser, nfl_flow *flow)
{
    uint32_t rate = parser->domain->set_rate;
    if (!rate && (parser->slots.have & NFL__SLOTS_RATE))
        rate = nfl__plan_rate(&parser->slots);
    if (!rate && parser->domain->samplers.count)
        rate = record_known_rate(parser, flow);
    if (!rate)
        return;
    flow->sampling = rate;
    flow->present |= NFL_HAS(NFL_FIELD_SAMPLING);
}

void nfl__record_finish(nfl_parser *parser, nfl_flow *flow)
{
    if (flow->proto == RECORD_ICMP || flow->proto == RECORD_ICMP6)
        record_set_icmp(parser, flow);
    else if (nfl__flow_has(flow, NFL_FIELD_PROTO))
        record_clear_icmp(flow);
    else if (parser->slots.have & NFL__SLOTS_ICMP)
        record_set_icmp(parser, flow);
    if (parser->domain->set_rate || parser->domain->samplers.count || (parser->slots.have & NFL__SLOTS_RATE))
        record_set_sampling(parser, flow);
}

void nfl__record_to_flow(nfl_parser *parser)
{
    const nfl__template *template = parser->record.template;
    nfl_flow *flow = &parser->flow;
    *flow = parser->base;
    if (template->variable)
        nfl__plan_run_spans(&template->plan, parser->record.data, parser->spans, flow, &parser->slots);
    else
        nfl__plan_run(&template->plan, parser->record.data, flow, &parser->slots);
    if (parser->slots.have & NFL__SLOTS_TIME)
        record_set_times(parser, flow);
    nfl__record_finish(parser, flow);
    if (flow->flows == 0)
        flow->flows = 1;
    parser->flow_set = 1;
}

/* RFC 7011 section 7: one byte of length, or 255 and two bytes. NetFlow v9 of H3C does the same. */
uint32_t nfl__record_variable_len(nfl__rd *rd)
{
    uint8_t len = nfl__rd_u8(rd);
    return len < 255 ? len : nfl__rd_u16(rd);
}

int nfl__record_find_spans(nfl_parser *parser, const nfl__template *template, const nfl__rd *rd,
                           uint32_t *len)
{
    nfl__rd record = nfl__rd_make(rd->pos, nfl__rd_left(rd));
    for (uint32_t i = 0; i < template->field_count; i++) {
        uint32_t field_len = template->fields[i].len;
        if (field_len == NFL__VARIABLE_LEN)
            field_len = nfl__record_variable_len(&record);
        parser->spans[i] = (nfl__span){(uint32_t)nfl__rd_offset(&record), field_len};
        nfl__rd_skip(&record, field_len);
        if (record.failed)
            return 0;
    }
    *len = (uint32_t)nfl__rd_offset(&record);
    return 1;
}

/* Flows into datagrams. What a flow has decides its template: the set of present fields, the address family of each
 * address, and whether its times need microseconds. Templates are kept in order of their ids; encoder.h shows the datagram.
 *
 * Which element a field becomes stands in record/fields.def: the first one listed, or for addresses (and what goes with
 * them: masks, ICMP) the first for IPv4 and the second for IPv6. Everything is written big-endian at fixed lengths.
 *
 * Costs: a flow costs its fields; a template look-up is a comparison of keys, most recently used first. Limits: 64
 * templates, one datagram of max_len bytes, all memory taken at creation.
 */
#include "wire/encoder.h"

#include "base/error.h"
#include "base/opts.h"
#include "base/wr.h"
#include "record/fields.h"

#include <string.h>

enum {
    MAX_LEN = 1400,
    TEMPLATE_EVERY = 20,
    V5_HEADER = 24,
    V5_RECORD = 48,
    V5_MAX_RECORDS = 30,
    V9_HEADER = 20,
    IPFIX_HEADER = 16,
    SET_HEADER = 4,
    PADDING_MAX = 3,
    AS_TRANS = 23456 /* RFC 6793: stands for an AS that does not fit 16 bits */
};

/* Longest sysUptime before the exporter "boots" again; its 32 bits hold 49.7 days. */
#define UPTIME_MAX_US (INT64_C(48) * 86400 * 1000000)

/* Fields that are no elements of a data record: known from the datagram, or computed. */
#define ENCODER_NEVER (NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_VERSION) | NFL_HAS(NFL_FIELD_APP))

/* Fields that only a relay or an archive writes into its records. */
#define ENCODER_WHEN_ASKED (NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN))

/* One element of a template. */
typedef struct encoder_element {
    uint32_t pen;
    uint16_t id;
    uint8_t len;
    uint8_t field;
} encoder_element;

/* What makes two flows share a template. */
typedef struct encoder_key {
    uint64_t fields;
    uint64_t v6;     /* of the address fields, those that are IPv6 */
    uint64_t micros; /* 1: times need microseconds (IPFIX) */
} encoder_key;

typedef struct nfl__encoder_flow_template {
    encoder_key key;
    uint32_t count;
    uint32_t record_len;
    uint32_t size;        /* of its template record */
    uint64_t sent_in;     /* 1 + number of the datagram it was last sent in; 0 = never */
    encoder_element elements[NFL_FIELD_STORED_COUNT];
} encoder_template;

/* --- creation --- */

static nfl_status encoder_check(nfl_encoder_opts *o, nfl_error *err)
{
    o->version = o->version ? o->version : 10;
    o->max_len = o->max_len ? o->max_len : MAX_LEN;
    o->template_every = o->template_every ? o->template_every : TEMPLATE_EVERY;
    o->max_records = o->max_records ? o->max_records : UINT16_MAX;
    if (o->version != 5 && o->version != 9 && o->version != 10)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "version %u: 5, 9 or 10 expected", o->version);
    if (o->max_len < 512 || o->max_len > UINT16_MAX)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "max_len %u: 512 to 65535 expected", o->max_len);
    if (o->version == 5 && o->domain > UINT16_MAX)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "domain %u: v5 has 16 bits for engine type and id", o->domain);
    if (o->version == 5 && o->max_records > V5_MAX_RECORDS)
        o->max_records = V5_MAX_RECORDS;
    return NFL_OK;
}

nfl_status nfl_encoder_new(const nfl_encoder_opts *opts, nfl_encoder **out, nfl_error *err)
{
    nfl_encoder_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    NFL_TRY(encoder_check(&o, err));
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_encoder *encoder = nfl__new(&memory, 1, sizeof *encoder);
    if (!encoder)
        return nfl__fail_nomem(err, sizeof *encoder);
    encoder->memory = memory;
    encoder->opts = o;
    encoder->data = nfl__new(&encoder->memory, o.max_len, 1);
    encoder->templates = nfl__new(&encoder->memory, NFL__ENCODER_TEMPLATES, sizeof *encoder->templates);
    if (!encoder->data || !encoder->templates) {
        nfl_encoder_free(encoder);
        return nfl__fail_nomem(err, NFL__ENCODER_TEMPLATES * sizeof *encoder->templates);
    }
    *out = encoder;
    return NFL_OK;
}

void nfl_encoder_free(nfl_encoder *encoder)
{
    if (!encoder)
        return;
    nfl__encoder_free_own(encoder);
    nfl__memory memory = encoder->memory;
    nfl__delete(&memory, encoder->data, encoder->opts.max_len, 1);
    nfl__delete(&memory, encoder->templates, NFL__ENCODER_TEMPLATES, sizeof *encoder->templates);
    nfl__delete(&memory, encoder, 1, sizeof *encoder);
}

/* --- fields to elements --- */

/* The n-th element of "8 27", "29305/1"; 0 if there is none. */
static int encoder_nth_element(const char *elements, unsigned n, uint32_t *pen, uint32_t *id)
{
    for (const char *p = elements; *p;) {
        uint32_t number = 0;
        *pen = 0;
        for (; *p && *p != ' '; p++) {
            if (*p == '/') {
                *pen = number;
                number = 0;
            } else {
                number = number * 10 + (uint32_t)(*p - '0');
            }
        }
        *id = number;
        if (n-- == 0)
            return 1;
        p += *p == ' ';
    }
    return 0;
}

/* Does the field take its second element: because it is, or belongs to, an IPv6 address? */
static unsigned encoder_second(const encoder_key *key, uint32_t field)
{
    switch (field) {
    case NFL_FIELD_SRC_MASK:
    case NFL_FIELD_ICMP_TYPE:
    case NFL_FIELD_ICMP_CODE:
        return (key->v6 & NFL_HAS(NFL_FIELD_SRC)) != 0;
    case NFL_FIELD_DST_MASK:
        return (key->v6 & NFL_HAS(NFL_FIELD_DST)) != 0;
    default:
        return (key->v6 & NFL_HAS(field)) != 0;
    }
}

static uint8_t encoder_len(const nfl_encoder *encoder, const encoder_key *key, uint32_t field)
{
    const nfl_field_info *info = nfl__field_row(field);
    if (info->type == NFL_TYPE_IP)
        return key->v6 & NFL_HAS(field) ? 16 : 4;
    if (info->kind == NFL_KIND_MAC)
        return 6;
    if (field == NFL_FIELD_MPLS_LABEL)
        return 3;
    if (info->kind == NFL_KIND_FLAGS && encoder->opts.version == 9)
        return 1; /* RFC 3954 section 8 */
    return (uint8_t)info->width;
}

/* 0 when this version has no element for the field. */
static int encoder_element_of(const nfl_encoder *encoder, const encoder_key *key, uint32_t field, encoder_element *out)
{
    uint32_t pen, id;
    out->field = (uint8_t)field;
    out->len = encoder_len(encoder, key, field);
    if (field == NFL_FIELD_FIRST || field == NFL_FIELD_LAST) {
        uint32_t first = encoder->opts.version == 9 ? 22 : key->micros ? 154 : 152, last = first == 22 ? 21 : first + 1;
        out->pen = 0;
        out->id = (uint16_t)(field == NFL_FIELD_FIRST ? first : last);
        out->len = encoder->opts.version == 9 ? 4 : 8;
        return 1;
    }
    if (!encoder_nth_element(nfl__field_row(field)->elements, encoder_second(key, field), &pen, &id))
        return 0;
    if (encoder->opts.version == 9 ? pen != 0 : id >= 0x8000)
        return 0;
    out->pen = pen;
    out->id = (uint16_t)id;
    return 1;
}

static encoder_key encoder_key_of(const nfl_encoder *encoder, const nfl_flow *flow)
{
    uint64_t wanted = encoder->opts.fields ? encoder->opts.fields : ~ENCODER_WHEN_ASKED;
    encoder_key key = {flow->present & wanted & ~ENCODER_NEVER & (UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT)), 0, 0};
    if (flow->flows == 1 && !encoder->opts.fields)
        key.fields &= ~NFL_HAS(NFL_FIELD_FLOWS); /* what every record is */
    for (uint64_t left = key.fields; left; left &= left - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(left);
        if (nfl__field_slots[field].type == NFL_TYPE_IP && !nfl_ip_is_v4(nfl__flow_at(flow, field)))
            key.v6 |= NFL_HAS(field);
    }
    if (encoder->opts.version == 10 && (key.fields & (NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST))))
        key.micros = flow->first_us % 1000 != 0 || flow->last_us % 1000 != 0;
    return key;
}

/* --- templates --- */

static void encoder_compile(const nfl_encoder *encoder, encoder_template *t)
{
    t->size = 4;
    for (uint64_t left = t->key.fields; left; left &= left - 1) {
        encoder_element *element = &t->elements[t->count];
        if (!encoder_element_of(encoder, &t->key, (uint32_t)__builtin_ctzll(left), element))
            continue;
        t->count++;
        t->record_len += element->len;
        t->size += element->pen ? 8 : 4;
    }
}

static nfl_status encoder_find_template(nfl_encoder *encoder, const nfl_flow *flow, encoder_template **out, nfl_error *err)
{
    encoder_key key = encoder_key_of(encoder, flow);
    for (uint32_t i = 0; i < encoder->template_count; i++) {
        uint32_t at = (encoder->last_used + i) % encoder->template_count;
        if (memcmp(&encoder->templates[at].key, &key, sizeof key) == 0) {
            encoder->last_used = at;
            *out = &encoder->templates[at];
            return NFL_OK;
        }
    }
    if (encoder->template_count == NFL__ENCODER_TEMPLATES)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %d combinations of fields", NFL__ENCODER_TEMPLATES);
    encoder_template *t = &encoder->templates[encoder->template_count];
    memset(t, 0, sizeof *t);
    t->key = key;
    encoder_compile(encoder, t);
    if (t->record_len == 0)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "the flow has no field that can be written");
    encoder->last_used = encoder->template_count++;
    *out = t;
    return NFL_OK;
}

static uint16_t encoder_template_id(const nfl_encoder *encoder, const encoder_template *t)
{
    return (uint16_t)(NFL__ENCODER_FIRST + (t - encoder->templates));
}

/* --- writing --- */

uint8_t *nfl__encoder_room(nfl_encoder *encoder, size_t n)
{
    uint8_t *room = encoder->data + encoder->len;
    encoder->len += n;
    return room;
}

void nfl__encoder_put(nfl_encoder *encoder, uint64_t value, size_t n)
{
    nfl__store_be(nfl__encoder_room(encoder, n), value, n);
}

void nfl__encoder_close_set(nfl_encoder *encoder)
{
    if (!encoder->set_at)
        return;
    size_t padding = (4 - encoder->len % 4) % 4;
    if (padding < encoder->set_record_len) /* RFC 7011 3.3.1: padding is shorter than any record of the set */
        nfl__encoder_put(encoder, 0, padding);
    nfl__store_be(encoder->data + encoder->set_at + 2, encoder->len - encoder->set_at, 2);
    encoder->set_at = 0;
}

void nfl__encoder_open_set(nfl_encoder *encoder, uint16_t id, uint32_t record_len)
{
    nfl__encoder_close_set(encoder);
    encoder->set_at = encoder->len;
    encoder->set_id = id;
    encoder->set_record_len = record_len;
    nfl__encoder_put(encoder, id, 2);
    nfl__encoder_put(encoder, 0, 2);
}

/* RFC 7011 3.2: the enterprise bit announces the number that follows. */
void nfl__encoder_put_element(nfl_encoder *encoder, uint32_t pen, uint32_t id, uint32_t len)
{
    nfl__encoder_put(encoder, pen ? id | 0x8000 : id, 2);
    nfl__encoder_put(encoder, len, 2);
    if (pen)
        nfl__encoder_put(encoder, pen, 4);
}

static void encoder_write_template(nfl_encoder *encoder, encoder_template *t)
{
    nfl__encoder_open_set(encoder, encoder->opts.version == 9 ? 0 : 2, t->size);
    nfl__encoder_put(encoder, encoder_template_id(encoder, t), 2);
    nfl__encoder_put(encoder, t->count, 2);
    for (uint32_t i = 0; i < t->count; i++)
        nfl__encoder_put_element(encoder, t->elements[i].pen, t->elements[i].id, t->elements[i].len);
    nfl__encoder_close_set(encoder);
    encoder->records++;
    t->sent_in = encoder->datagrams + 1;
}

/* RFC 3954 6.1: scope System, sampling interval and algorithm (1 = deterministic). */
static void encoder_write_options_v9(nfl_encoder *encoder)
{
    nfl__encoder_open_set(encoder, 1, 18);
    nfl__encoder_put(encoder, NFL__ENCODER_SAMPLING, 2);
    nfl__encoder_put(encoder, 4, 2); /* bytes of scope */
    nfl__encoder_put(encoder, 8, 2); /* bytes of options */
    nfl__encoder_put_element(encoder, 0, 1, 4);
    nfl__encoder_put_element(encoder, 0, 34, 4);
    nfl__encoder_put_element(encoder, 0, 35, 1);
    nfl__encoder_open_set(encoder, NFL__ENCODER_SAMPLING, 9);
    nfl__encoder_put(encoder, 0, 4);
    nfl__encoder_put(encoder, encoder->opts.sampling, 4);
    nfl__encoder_put(encoder, 1, 1);
}

/* RFC 7011 3.4.2.2, RFC 5477 8.2: by observation domain, 1 packet taken, N - 1 left out. */
static void encoder_write_options_ipfix(nfl_encoder *encoder)
{
    nfl__encoder_open_set(encoder, 3, 18);
    nfl__encoder_put(encoder, NFL__ENCODER_SAMPLING, 2);
    nfl__encoder_put(encoder, 3, 2); /* fields */
    nfl__encoder_put(encoder, 1, 2); /* of them scope */
    nfl__encoder_put_element(encoder, 0, 149, 4);
    nfl__encoder_put_element(encoder, 0, 305, 4);
    nfl__encoder_put_element(encoder, 0, 306, 4);
    nfl__encoder_open_set(encoder, NFL__ENCODER_SAMPLING, 12);
    nfl__encoder_put(encoder, encoder->opts.domain, 4);
    nfl__encoder_put(encoder, 1, 4);
    nfl__encoder_put(encoder, encoder->opts.sampling - 1, 4);
}

static void encoder_write_options(nfl_encoder *encoder)
{
    if (encoder->opts.version == 9)
        encoder_write_options_v9(encoder);
    else
        encoder_write_options_ipfix(encoder);
    nfl__encoder_close_set(encoder);
    encoder->records += 2;
    encoder->data_records++;
    encoder->sampling_sent_in = encoder->datagrams + 1;
}

enum { SAMPLING_BYTES = 48 }; /* no less than either of the two writes */

/* --- values --- */

/* sysUptime, in which v5 and v9 tell times: 32 bits of milliseconds. */
static uint32_t encoder_uptime(const nfl_encoder *encoder, nfl_usec time_us)
{
    return (uint32_t)((time_us - encoder->opts.boot_us) / 1000);
}

/* RFC 7011 6.1.9: seconds since 1900 and a binary fraction whose last 11 bits are 0; rounded up, so that cutting off
 * gives the microsecond back. */
static uint64_t encoder_ntp(nfl_usec time_us)
{
    uint64_t seconds = (uint64_t)(time_us / 1000000) + UINT64_C(2208988800), micros = (uint64_t)(time_us % 1000000);
    uint64_t steps = ((micros << 21) + 999999) / 1000000;
    return seconds << 32 | steps << 11;
}

static uint64_t encoder_time(const nfl_encoder *encoder, const encoder_template *t, nfl_usec time_us)
{
    if (encoder->opts.version == 9)
        return encoder_uptime(encoder, time_us);
    return t->key.micros ? encoder_ntp(time_us) : (uint64_t)(time_us / 1000);
}

static void encoder_write_field(nfl_encoder *encoder, const encoder_template *t, const encoder_element *element,
                                const nfl_flow *flow)
{
    uint8_t *dst = nfl__encoder_room(encoder, element->len);
    if (nfl__field_slots[element->field].type == NFL_TYPE_IP) {
        const uint8_t *ip = nfl__flow_at(flow, element->field);
        memcpy(dst, ip + 16 - element->len, element->len);
        return;
    }
    uint64_t value = nfl__flow_u64(flow, element->field);
    if (element->field == NFL_FIELD_FIRST || element->field == NFL_FIELD_LAST)
        value = encoder_time(encoder, t, (nfl_usec)value);
    else if (element->field == NFL_FIELD_MPLS_LABEL)
        value = value << 4 | 1; /* RFC 3032 2.1: label, class, bottom of stack */
    nfl__store_be(dst, value, element->len);
}

static void encoder_write_record(nfl_encoder *encoder, const encoder_template *t, const nfl_flow *flow)
{
    uint16_t id = encoder_template_id(encoder, t);
    if (!encoder->set_at || encoder->set_id != id)
        nfl__encoder_open_set(encoder, id, t->record_len);
    for (uint32_t i = 0; i < t->count; i++)
        encoder_write_field(encoder, t, &t->elements[i], flow);
    encoder->records++;
    encoder->data_records++;
}

/* --- v5 --- */

static uint64_t encoder_fit(uint64_t value, uint64_t max)
{
    return value > max ? max : value;
}

static uint16_t encoder_fit_as(uint32_t as)
{
    return as > UINT16_MAX ? AS_TRANS : (uint16_t)as;
}

static void encoder_put_v4(nfl_encoder *encoder, const nfl_flow *flow, uint32_t field)
{
    const uint8_t *ip = nfl__flow_at(flow, field);
    memcpy(nfl__encoder_room(encoder, 4), ip + 12, 4);
}

static void encoder_write_v5(nfl_encoder *encoder, const nfl_flow *flow)
{
    int icmp = (flow->present & NFL_HAS(NFL_FIELD_ICMP_TYPE)) != 0;
    encoder_put_v4(encoder, flow, NFL_FIELD_SRC);
    encoder_put_v4(encoder, flow, NFL_FIELD_DST);
    encoder_put_v4(encoder, flow, NFL_FIELD_NEXT_HOP);
    nfl__encoder_put(encoder, encoder_fit(flow->in_if, UINT16_MAX), 2);
    nfl__encoder_put(encoder, encoder_fit(flow->out_if, UINT16_MAX), 2);
    nfl__encoder_put(encoder, encoder_fit(flow->packets, UINT32_MAX), 4);
    nfl__encoder_put(encoder, encoder_fit(flow->bytes, UINT32_MAX), 4);
    nfl__encoder_put(encoder, encoder_uptime(encoder, flow->first_us), 4);
    nfl__encoder_put(encoder, encoder_uptime(encoder, flow->last_us), 4);
    nfl__encoder_put(encoder, flow->src_port, 2);
    nfl__encoder_put(encoder, icmp ? (uint64_t)flow->icmp_type << 8 | flow->icmp_code : flow->dst_port, 2);
    nfl__encoder_put(encoder, 0, 1);
    nfl__encoder_put(encoder, flow->tcp_flags & 0xff, 1);
    nfl__encoder_put(encoder, flow->proto, 1);
    nfl__encoder_put(encoder, flow->tos, 1);
    nfl__encoder_put(encoder, encoder_fit_as(flow->src_as), 2);
    nfl__encoder_put(encoder, encoder_fit_as(flow->dst_as), 2);
    nfl__encoder_put(encoder, flow->src_mask, 1);
    nfl__encoder_put(encoder, flow->dst_mask, 1);
    nfl__encoder_put(encoder, 0, 2);
    encoder->records++;
    encoder->data_records++;
}

static nfl_status encoder_add_v5(nfl_encoder *encoder, const nfl_flow *flow, nfl_error *err)
{
    static const uint32_t addresses[] = {NFL_FIELD_SRC, NFL_FIELD_DST, NFL_FIELD_NEXT_HOP};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (nfl__flow_has(flow, addresses[i]) && !nfl_ip_is_v4(nfl__flow_at(flow, addresses[i])))
            return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "NetFlow v5 carries no IPv6 addresses");
    if (encoder->records >= encoder->opts.max_records || encoder->len + V5_RECORD > encoder->opts.max_len)
        return NFL_PENDING;
    encoder_write_v5(encoder, flow);
    return NFL_OK;
}

/* --- datagrams --- */

static size_t encoder_header_len(const nfl_encoder *encoder)
{
    return encoder->opts.version == 5 ? V5_HEADER : encoder->opts.version == 9 ? V9_HEADER : IPFIX_HEADER;
}

int nfl__encoder_is_due(const nfl_encoder *encoder, uint64_t sent_in)
{
    return sent_in == 0 || encoder->datagrams + 1 - sent_in >= encoder->opts.template_every;
}

/* Length of the datagram with one more record of template `id` and the sets that must precede it. */
static size_t encoder_need(const nfl_encoder *encoder, uint16_t id, size_t record_len, size_t before)
{
    int goes_on = encoder->set_at && encoder->set_id == id && before == 0;
    size_t need = encoder->len + record_len + before;
    if (!goes_on)
        need += PADDING_MAX + SET_HEADER;
    return (need + PADDING_MAX) & ~(size_t)PADDING_MAX;
}

nfl_status nfl__encoder_fits(const nfl_encoder *encoder, uint16_t id, size_t record_len, size_t before, nfl_error *err)
{
    size_t need = encoder_need(encoder, id, record_len, before);
    if (need <= encoder->opts.max_len && encoder->data_records < encoder->opts.max_records)
        return NFL_OK;
    if (encoder->data_records > 0)
        return NFL_PENDING;
    return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%zu bytes for one record and its template, a datagram has %u", need,
                     encoder->opts.max_len);
}

static nfl_status encoder_add_record(nfl_encoder *encoder, const nfl_flow *flow, nfl_error *err)
{
    encoder_template *t = NULL;
    NFL_TRY(encoder_find_template(encoder, flow, &t, err));
    int template_due = nfl__encoder_is_due(encoder, t->sent_in);
    int sampling_due = encoder->opts.sampling > 0 && nfl__encoder_is_due(encoder, encoder->sampling_sent_in);
    size_t before = (template_due ? SET_HEADER + t->size : 0) + (sampling_due ? SAMPLING_BYTES : 0);
    nfl_status status = nfl__encoder_fits(encoder, encoder_template_id(encoder, t), t->record_len, before, err);
    if (status != NFL_OK)
        return status;
    if (sampling_due)
        encoder_write_options(encoder);
    if (template_due)
        encoder_write_template(encoder, t);
    encoder_write_record(encoder, t, flow);
    return NFL_OK;
}

/* When the exporter "booted": an hour before the first flow, and again before 32 bits of milliseconds (49.7 days) are
 * used up. In whole milliseconds, so that times told as distances from it come back exactly. */
static void encoder_boot(nfl_encoder *encoder, nfl_usec now_us, nfl_usec first_us)
{
    nfl_usec *boot_us = &encoder->opts.boot_us;
    if (*boot_us == 0 || now_us - *boot_us > UPTIME_MAX_US)
        *boot_us = first_us - INT64_C(3600000000);
    *boot_us -= *boot_us % 1000;
}

void nfl__encoder_begin(nfl_encoder *encoder, nfl_usec now_us, nfl_usec first_us)
{
    if (encoder->len > 0)
        return;
    encoder_boot(encoder, now_us, first_us);
    encoder->len = encoder_header_len(encoder);
    memset(encoder->data, 0, encoder->len);
}

nfl_status nfl_encoder_add(nfl_encoder *encoder, const nfl_flow *flow, nfl_usec now_us, nfl_error *err)
{
    nfl__encoder_begin(encoder, now_us, flow->first_us);
    return encoder->opts.version == 5 ? encoder_add_v5(encoder, flow, err) : encoder_add_record(encoder, flow, err);
}

static void encoder_write_header_v5(nfl_encoder *encoder, nfl_usec now_us)
{
    nfl__wr wr = nfl__wr_make(encoder->data, V5_HEADER);
    nfl__wr_u16(&wr, 5);
    nfl__wr_u16(&wr, (uint16_t)encoder->records);
    nfl__wr_u32(&wr, encoder_uptime(encoder, now_us));
    nfl__wr_u32(&wr, (uint32_t)(now_us / 1000000));
    nfl__wr_u32(&wr, (uint32_t)(now_us % 1000000 / 1000 * 1000000)); /* whole milliseconds, as sysUptime */
    nfl__wr_u32(&wr, encoder->sequence);
    nfl__wr_u16(&wr, (uint16_t)encoder->opts.domain);
    uint32_t interval = encoder->opts.sampling;
    nfl__wr_u16(&wr, interval ? (uint16_t)(0x4000 | encoder_fit(interval, 0x3fff)) : 0);
    encoder->sequence += encoder->records;
}

/* RFC 3954 5.1: the sequence number counts datagrams. The header has whole seconds, so sysUptime is what it was at that
 * second: their difference, from which readers compute all times, is the boot time exactly. */
static void encoder_write_header_v9(nfl_encoder *encoder, nfl_usec now_us)
{
    nfl__wr wr = nfl__wr_make(encoder->data, V9_HEADER);
    nfl__wr_u16(&wr, 9);
    nfl__wr_u16(&wr, (uint16_t)encoder->records);
    nfl__wr_u32(&wr, encoder_uptime(encoder, now_us - now_us % 1000000));
    nfl__wr_u32(&wr, (uint32_t)(now_us / 1000000));
    nfl__wr_u32(&wr, encoder->sequence++);
    nfl__wr_u32(&wr, encoder->opts.domain);
}

/* RFC 7011 3.1: it counts data records sent before. */
static void encoder_write_header_ipfix(nfl_encoder *encoder, nfl_usec now_us)
{
    nfl__wr wr = nfl__wr_make(encoder->data, IPFIX_HEADER);
    nfl__wr_u16(&wr, 10);
    nfl__wr_u16(&wr, (uint16_t)encoder->len);
    nfl__wr_u32(&wr, (uint32_t)(now_us / 1000000));
    nfl__wr_u32(&wr, encoder->sequence);
    nfl__wr_u32(&wr, encoder->opts.domain);
    encoder->sequence += encoder->data_records;
}

const uint8_t *nfl_encoder_take(nfl_encoder *encoder, nfl_usec now_us, size_t *len)
{
    if (encoder->data_records == 0)
        return NULL;
    nfl__encoder_close_set(encoder);
    if (encoder->opts.version == 5)
        encoder_write_header_v5(encoder, now_us);
    else if (encoder->opts.version == 9)
        encoder_write_header_v9(encoder, now_us);
    else
        encoder_write_header_ipfix(encoder, now_us);
    *len = encoder->len;
    encoder->len = 0;
    encoder->records = encoder->data_records = 0;
    encoder->datagrams++;
    return encoder->data;
}

#include "record/fields.h"

#include "base/opts.h"
#include "record/text.h"

enum {
    WIDTH_U8 = 1,
    WIDTH_U16 = 2,
    WIDTH_U32 = 4,
    WIDTH_U64 = 8,
    WIDTH_TIME = 8,
    WIDTH_IP = 16,
    FIRST_DERIVED = 64
};

/* The table agrees with nfl_flow and with the generated numbers. */
#define FIELD(number, ENUM, member, type, kind, name, aliases, title, elements, doc)                   \
    _Static_assert(sizeof(((nfl_flow *)0)->member) == WIDTH_##type, name ": width differs from type"); \
    _Static_assert(offsetof(nfl_flow, member) % (WIDTH_##type > 8 ? 8 : WIDTH_##type) == 0,            \
                   name ": not aligned");                                                              \
    _Static_assert(NFL_FIELD_##ENUM == (number), name ": run tools/gen_fields.py");
#define DERIVED(number, ENUM, type, kind, name, aliases, title, doc) \
    _Static_assert(NFL_FIELD_##ENUM == (number), name ": run tools/gen_fields.py");
#include "record/fields.def"
#undef FIELD
#undef DERIVED

#define FIELD(number, ENUM, member_name, type_name, kind, name, aliases, title, elements, doc) \
    [number] = {.offset = (uint16_t)offsetof(nfl_flow, member_name),                           \
                .width = WIDTH_##type_name,                                                    \
                .type = NFL_TYPE_##type_name},
#define DERIVED(number, ENUM, type_name, kind, name, aliases, title, doc)
const nfl__field_slot nfl__field_slots[NFL_FIELD_STORED_COUNT] = {
#include "record/fields.def"
};
#undef FIELD
#undef DERIVED

#define FIELD(number, ENUM, member, type_name, kind_name, name_text, alias_text, title_text, element_text, doc_text) \
    {.struct_size = sizeof(nfl_field_info),                                                                        \
     .field = (number),                                                                                            \
     .type = NFL_TYPE_##type_name,                                                                                 \
     .kind = NFL_KIND_##kind_name,                                                                                 \
     .derived = 0,                                                                                                 \
     .width = WIDTH_##type_name,                                                                                   \
     .offset = (uint32_t)offsetof(nfl_flow, member),                                                               \
     .name = (name_text),                                                                                          \
     .aliases = (alias_text),                                                                                      \
     .title = (title_text),                                                                                        \
     .elements = (element_text),                                                                                   \
     .doc = (doc_text)},
#define DERIVED(number, ENUM, type_name, kind_name, name_text, alias_text, title_text, doc_text) \
    {.struct_size = sizeof(nfl_field_info),                                                      \
     .field = (number),                                                                          \
     .type = NFL_TYPE_##type_name,                                                               \
     .kind = NFL_KIND_##kind_name,                                                               \
     .derived = 1,                                                                               \
     .width = WIDTH_##type_name,                                                                 \
     .offset = 0,                                                                                \
     .name = (name_text),                                                                        \
     .aliases = (alias_text),                                                                    \
     .title = (title_text),                                                                      \
     .elements = "",                                                                             \
     .doc = (doc_text)},
static const nfl_field_info fields_table[] = {
#include "record/fields.def"
};
#undef FIELD
#undef DERIVED

enum { FIELDS_COUNT = sizeof fields_table / sizeof *fields_table };

const nfl_field_info *nfl__field_at(uint32_t i)
{
    return i < FIELDS_COUNT ? &fields_table[i] : NULL;
}

const nfl_field_info *nfl__field_row(uint32_t field)
{
    uint32_t i = field;
    if (field >= FIRST_DERIVED)
        i = NFL_FIELD_STORED_COUNT + (field - FIRST_DERIVED);
    else if (field >= NFL_FIELD_STORED_COUNT)
        return NULL;
    return nfl__field_at(i);
}

nfl_status nfl_field_get(uint32_t field, nfl_field_info *out)
{
    const nfl_field_info *row = nfl__field_row(field);
    if (!row)
        return NFL_E_NOT_FOUND;
    return nfl__opts_write(out, row, sizeof *row) ? NFL_OK : NFL_E_ARG;
}

/* Is name (len bytes) one of the words of a space-separated list? */
static int fields_is_word_of(const char *list, const char *name, size_t len)
{
    for (const char *word = list; *word;) {
        size_t n = strcspn(word, " ");
        size_t same = 0;
        while (n == len && same < len && word[same] == nfl__text_lower(name[same]))
            same++;
        if (len && same == len)
            return 1;
        word += n;
        word += *word == ' ';
    }
    return 0;
}

uint32_t nfl_field_find(const char *name, size_t len)
{
    for (uint32_t i = 0; i < FIELDS_COUNT; i++) {
        const nfl_field_info *row = &fields_table[i];
        if (fields_is_word_of(row->name, name, len) || fields_is_word_of(row->aliases, name, len))
            return row->field;
    }
    return NFL_FIELD_NONE;
}

/* count * unit / duration_us without overflow on machines that have no 128-bit numbers. */
static uint64_t fields_rate(uint64_t count, uint64_t unit, nfl_usec duration_us)
{
    uint64_t length = duration_us > 1000000 ? (uint64_t)duration_us : 1000000;
    /* Beyond 12 days the last bits do not matter; below 2^40 the remainder times 8000000 fits 64 bits. */
    for (; length >> 40; length >>= 1)
        count >>= 1;
    uint64_t whole = count / length, rest = count % length * unit / length;
    if (whole > (UINT64_MAX - rest) / unit)
        return UINT64_MAX;
    return whole * unit + rest;
}

uint64_t nfl__per_second(uint64_t count, nfl_usec duration_us)
{
    return fields_rate(count, 1000000, duration_us);
}

uint64_t nfl__bits_per_second(uint64_t bytes, nfl_usec duration_us)
{
    return fields_rate(bytes, 8000000, duration_us);
}

uint64_t nfl_flow_scaled(const nfl_flow *flow, uint64_t counter)
{
    return nfl__scale(counter, flow->sampling);
}

/* Duration, rates and sizes need the fields they are computed from; filter-only fields are never there. */
static void fields_derive(const nfl_flow *flow, uint32_t field, nfl_value *value)
{
    nfl_usec duration = nfl__duration(flow->first_us, flow->last_us);
    uint64_t times = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST), needs = 0;
    switch (field) {
    case NFL_FIELD_DURATION:
        needs = times;
        value->u64 = (uint64_t)duration;
        break;
    case NFL_FIELD_BPS:
        needs = times | NFL_HAS(NFL_FIELD_BYTES);
        value->u64 = nfl__bits_per_second(nfl_flow_scaled(flow, flow->bytes), duration);
        break;
    case NFL_FIELD_PPS:
        needs = times | NFL_HAS(NFL_FIELD_PACKETS);
        value->u64 = nfl__per_second(nfl_flow_scaled(flow, flow->packets), duration);
        break;
    case NFL_FIELD_BPP: /* the sampling rate cancels out */
        needs = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS);
        value->u64 = flow->packets ? flow->bytes / flow->packets : 0;
        break;
    default:
        return;
    }
    value->present = ((flow->present | NFL__FIELDS_ALWAYS) & needs) == needs &&
                     !(field == NFL_FIELD_BPP && flow->packets == 0);
    if (!value->present)
        value->u64 = 0;
}

static void fields_read(const nfl_flow *flow, uint32_t field, nfl_value *value)
{
    value->present = (uint8_t)nfl__flow_has(flow, field);
    if (!value->present)
        return;
    if (value->type == NFL_TYPE_IP) {
        memcpy(&value->ip, nfl__flow_at(flow, field), sizeof value->ip);
        return;
    }
    value->u64 = nfl__flow_u64(flow, field);
    if (NFL__SCALED_FIELDS & NFL_HAS(field))
        value->u64 = nfl_flow_scaled(flow, value->u64);
}

void nfl_flow_get(const nfl_flow *flow, uint32_t field, nfl_value *out)
{
    nfl_value value = {.struct_size = sizeof value};
    const nfl_field_info *row = nfl__field_row(field);
    if (row) {
        value.type = row->type;
        value.kind = row->kind;
        if (row->derived)
            fields_derive(flow, field, &value);
        else
            fields_read(flow, field, &value);
    }
    nfl__opts_write(out, &value, sizeof value);
}

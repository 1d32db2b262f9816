/* What options data teach about an exporter: sampling rates, its boot time, and names (sampler.h, names.h); and the
 * names read out again. */
#include "base/opts.h"
#include "wire/decoder.h"

#include <string.h>

enum { OPTIONS_NAMES_SHARE = 4, OPTIONS_KEYS = 4 };

static int options_has(const nfl__slots *slots, uint32_t slot)
{
    return (slots->have & NFL__SLOT(slot)) != 0;
}

/* v9 scope types (RFC 3954 6.1) that matter here; IPFIX scopes are elements. */
enum { OPTIONS_SCOPE_INTERFACE = 2 };

static int options_is_interface(const nfl_parser *parser, const nfl_record_field *field)
{
    if (!field->scope || field->len == 0 || field->len > 8)
        return 0;
    if (parser->context->header.version == 9)
        return field->id == OPTIONS_SCOPE_INTERFACE;
    return field->pen == 0 && (field->id == 10 || field->id == 14); /* ingressInterface, egressInterface */
}

/* Collect what the record tells; 1 and *interface if it is about one interface. */
static int options_read(nfl_parser *parser, uint64_t *interface)
{
    int about_interface = 0;
    nfl_record_field field;
    for (uint32_t i = 0; nfl_parser_field(parser, i, &field) == NFL_OK; i++) {
        if (options_is_interface(parser, &field)) {
            about_interface = 1;
            *interface = nfl__load_be(field.data, field.len);
        }
        if (field.scope && parser->context->header.version == 9)
            continue;
        uint64_t value;
        int32_t slot = nfl__plan_slot(&parser->map, field.pen, field.id, field.data, field.len, &value);
        if (slot < 0 || (parser->slots.have & NFL__SLOT(slot)))
            continue;
        parser->slots.value[slot] = value;
        parser->slots.have |= NFL__SLOT(slot);
    }
    return about_interface;
}

static void options_learn_rate(nfl_parser *parser)
{
    const nfl__slots *slots = &parser->slots;
    uint64_t id = 0;
    uint32_t kind = NFL__SAMPLER_DOMAIN;
    parser->slots.have = 0;
    if (options_read(parser, &id))
        kind = NFL__SAMPLER_INTERFACE;
    if (options_has(slots, NFL__SLOT_BOOT))
        parser->domain->boot_us = (nfl_usec)slots->value[NFL__SLOT_BOOT];
    uint32_t rate = nfl__plan_rate(slots);
    if (rate == 0)
        return;
    if (options_has(slots, NFL__SLOT_SAMPLER) || options_has(slots, NFL__SLOT_SELECTOR)) {
        kind = NFL__SAMPLER_ID;
        id = slots->value[options_has(slots, NFL__SLOT_SAMPLER) ? NFL__SLOT_SAMPLER : NFL__SLOT_SELECTOR];
    }
    /* out of memory: the rate stays unknown until the exporter repeats it, which it does by the minute */
    (void)nfl__samplers_set(&parser->domain->samplers, &parser->memory, kind, id, rate);
}

enum { OPTIONS_KEY, OPTIONS_NAME, OPTIONS_DESCRIPTION };

/* Elements that say which thing a record is about, and what it is called. */
static const struct {
    uint16_t id;
    uint8_t kind;
    uint8_t part;
} options_elements[] = {
    {10, NFL_NAME_INTERFACE, OPTIONS_KEY},          /* ingressInterface */
    {14, NFL_NAME_INTERFACE, OPTIONS_KEY},          /* egressInterface */
    {252, NFL_NAME_INTERFACE, OPTIONS_KEY},         /* ingressPhysicalInterface */
    {253, NFL_NAME_INTERFACE, OPTIONS_KEY},         /* egressPhysicalInterface */
    {82, NFL_NAME_INTERFACE, OPTIONS_NAME},         /* interfaceName */
    {83, NFL_NAME_INTERFACE, OPTIONS_DESCRIPTION},  /* interfaceDescription */
    {234, NFL_NAME_VRF, OPTIONS_KEY},               /* ingressVRFID */
    {235, NFL_NAME_VRF, OPTIONS_KEY},               /* egressVRFID */
    {236, NFL_NAME_VRF, OPTIONS_NAME},              /* VRFname */
    {95, NFL_NAME_APPLICATION, OPTIONS_KEY},        /* applicationId */
    {96, NFL_NAME_APPLICATION, OPTIONS_NAME},       /* applicationName */
    {94, NFL_NAME_APPLICATION, OPTIONS_DESCRIPTION}, /* applicationDescription */
    {48, NFL_NAME_SAMPLER, OPTIONS_KEY},            /* samplerId */
    {302, NFL_NAME_SAMPLER, OPTIONS_KEY},           /* selectorId */
    {84, NFL_NAME_SAMPLER, OPTIONS_NAME},           /* samplerName */
    {335, NFL_NAME_SAMPLER, OPTIONS_NAME},          /* selectorName */
};

/* What a record says about things of one kind. Cisco IOS XR tells an interface as input and as output. */
typedef struct options_thing {
    uint64_t ids[OPTIONS_KEYS];
    uint32_t id_count;
    nfl__text name;
    nfl__text description;
} options_thing;

static void options_add_key(options_thing *thing, uint64_t id)
{
    for (uint32_t i = 0; i < thing->id_count; i++)
        if (thing->ids[i] == id)
            return;
    if (thing->id_count < OPTIONS_KEYS)
        thing->ids[thing->id_count++] = id;
}

/* The first text that says something; exporters send samplerName and its successor selectorName. */
static void options_add_text(nfl__text *text, const nfl_record_field *field)
{
    if (!text->data || text->len == 0 || text->data[0] == 0)
        *text = (nfl__text){field->data, field->len};
}

static void options_add_part(options_thing *thing, uint8_t kind, uint8_t part, const nfl_record_field *field)
{
    if (part == OPTIONS_NAME)
        options_add_text(&thing->name, field);
    else if (part == OPTIONS_DESCRIPTION)
        options_add_text(&thing->description, field);
    else if (kind == NFL_NAME_APPLICATION && field->len >= 2)
        options_add_key(thing, nfl__plan_app_id(field->data, field->len));
    else if (kind != NFL_NAME_APPLICATION && field->len >= 1 && field->len <= 8)
        options_add_key(thing, nfl__load_be(field->data, field->len));
}

static void options_read_field(const nfl_parser *parser, const nfl_record_field *field, options_thing *things)
{
    if (field->scope && parser->context->header.version == 9) {
        if (options_is_interface(parser, field))
            options_add_key(&things[NFL_NAME_INTERFACE], nfl__load_be(field->data, field->len));
        return;
    }
    for (size_t i = 0; field->pen == 0 && i < sizeof options_elements / sizeof *options_elements; i++)
        if (options_elements[i].id == field->id)
            options_add_part(&things[options_elements[i].kind], options_elements[i].kind, options_elements[i].part,
                             field);
}

/* Names of an exporter in service may displace newcomers; those of a newcomer, which may be forged, displace nothing but
 * its own. */
nfl_status nfl__options_tell(nfl_parser *parser, nfl__domain *domain, const nfl__telling *telling, nfl_usec told_us)
{
    nfl_status status;
    do
        status = nfl__names_tell(&domain->names, &parser->memory, parser->seed,
                                 parser->limits.max_bytes / OPTIONS_NAMES_SHARE, telling, told_us,
                                 &parser->stats.dropped_names);
    while (status == NFL_E_NOMEM && domain->established &&
           nfl__parser_make_room(parser, domain, nfl__names_room(&domain->names, telling), told_us));
    parser->stats.dropped_names += status < 0;
    if (status == NFL_E_NOMEM && nfl__parser_is_full(parser, nfl__names_room(&domain->names, telling)))
        return NFL_E_LIMIT;
    return status;
}

static void options_learn_names(nfl_parser *parser)
{
    options_thing things[NFL_NAME_COUNT];
    nfl_record_field field;
    memset(things, 0, sizeof things);
    for (uint32_t i = 0; nfl_parser_field(parser, i, &field) == NFL_OK; i++)
        options_read_field(parser, &field, things);
    for (uint32_t kind = 1; kind < NFL_NAME_COUNT; kind++) {
        const options_thing *thing = &things[kind];
        for (uint32_t i = 0; i < thing->id_count && (thing->name.data || thing->description.data); i++) {
            nfl__telling telling = {thing->ids[i], kind, 0, thing->name, thing->description};
            /* no room: the name stays unknown until the exporter repeats it */
            (void)nfl__options_tell(parser, parser->domain, &telling, parser->context->received_us);
        }
    }
}

void nfl__options_learn(nfl_parser *parser)
{
    options_learn_rate(parser);
    options_learn_names(parser);
}

static void options_write(const nfl__domain *domain, const nfl__name *name, nfl_name *out)
{
    nfl_name found = {.version = domain->version,
                      .kind = name->kind,
                      .exporter = domain->exporter,
                      .domain = domain->id,
                      .id = name->id,
                      .told_us = name->told_us,
                      .name = nfl__name_text(name),
                      .description = nfl__name_description(name)};
    (void)nfl__opts_write(out, &found, sizeof found);
}

/* The domain whose word counts, of those that know the name: see nfl_parser_name(). */
static int options_better(const nfl__domain *domain, const nfl__name *name, const nfl__domain *best,
                          const nfl__name *best_name)
{
    if (!best || domain->id == 0)
        return 1;
    if (best->id == 0)
        return 0;
    return name->told_us != best_name->told_us ? name->told_us > best_name->told_us : domain->id < best->id;
}

static nfl_status options_search(const nfl_parser *parser, const nfl_ip *exporter, uint16_t version, uint32_t kind,
                                 uint64_t id, nfl_name *out)
{
    const nfl__domain *best = NULL;
    const nfl__name *best_name = NULL;
    for (uint32_t i = 0; i < parser->domains.count; i++) {
        const nfl__domain *domain = parser->domains.all[i];
        if (domain->names.count == 0 || domain->version != version ||
            memcmp(&domain->exporter, exporter, sizeof *exporter) != 0)
            continue;
        const nfl__name *name = nfl__names_find(&domain->names, parser->seed, kind, id);
        if (!name || !options_better(domain, name, best, best_name))
            continue;
        best = domain;
        best_name = name;
    }
    if (!best)
        return NFL_DONE;
    options_write(best, best_name, out);
    return NFL_OK;
}

nfl_status nfl_parser_name(const nfl_parser *parser, const nfl_ip *exporter, uint16_t version, uint32_t domain,
                           uint32_t kind, uint64_t id, nfl_name *out)
{
    const nfl__domain *own = nfl__domains_find(&parser->domains, parser->seed, exporter, version, domain);
    const nfl__name *name = own ? nfl__names_find(&own->names, parser->seed, kind, id) : NULL;
    if (!name)
        return options_search(parser, exporter, version, kind, id, out);
    options_write(own, name, out);
    return NFL_OK;
}

nfl_status nfl_parser_domain_name(const nfl_parser *parser, size_t domain, size_t i, nfl_name *out)
{
    if (domain >= parser->domains.count || i >= parser->domains.all[domain]->names.count)
        return NFL_DONE;
    const nfl__domain *of = parser->domains.all[domain];
    options_write(of, of->names.all[i], out);
    return NFL_OK;
}

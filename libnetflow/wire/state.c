/* Templates, samplers and names of all domains as bytes, so that a restarted collector decodes at once.
 *
 *     magic "NFLT"  u16 version = 2  u16 0  u64 hash of all that follows  u32 domains
 *     domain:    exporter 16, u16 version, u16 0, u32 id, u32 templates, u32 samplers, u32 names (version 1: none)
 *     template:  i64 refreshed (us), u16 id, u16 scope count, u16 options, u16 0, u32 fields
 *     field:     u32 pen, u16 id, u16 len
 *     sampler:   u32 kind, u32 rate, u64 id
 *     name:      u16 kind, u8 length of the name, u8 of the description, u64 id, i64 told (us), the two
 *
 * Little-endian. Domains go from the least to the most recently heard and names from the least to the most recently
 * told, so that loading keeps their order. The
 * checksum finds damage, not forgery: a hostile file is bounded by the same checks and limits as datagrams are. It is
 * read twice: once to see that all of it is sound, then to learn it, so that a bad file changes nothing. */
#include "base/error.h"
#include "base/hash.h"
#include "base/wr.h"
#include "wire/decoder.h"

enum {
    STATE_VERSION = 2,
    STATE_WITH_NAMES = 2,
    STATE_HEAD_LEN = 16,
    STATE_FIRST_ID = 256,
    STATE_FIELD_LEN = 8,
    STATE_SAMPLER_LEN = 16
};
#define STATE_MAGIC UINT32_C(0x544c464e)

static void state_write_template(nfl__wr *wr, const nfl__template *template)
{
    nfl__wr_le(wr, (uint64_t) template->refreshed_us, 8);
    nfl__wr_le(wr, template->id, 2);
    nfl__wr_le(wr, template->scope_count, 2);
    nfl__wr_le(wr, template->options, 2);
    nfl__wr_le(wr, 0, 2);
    nfl__wr_le(wr, template->field_count, 4);
    for (uint32_t i = 0; i < template->field_count; i++) {
        nfl__wr_le(wr, template->fields[i].pen, 4);
        nfl__wr_le(wr, template->fields[i].id, 2);
        nfl__wr_le(wr, template->fields[i].len, 2);
    }
}

static void state_write_name(nfl__wr *wr, const nfl__name *name)
{
    nfl__wr_le(wr, name->kind, 2);
    nfl__wr_le(wr, name->name_len, 1);
    nfl__wr_le(wr, name->description_len, 1);
    nfl__wr_le(wr, name->id, 8);
    nfl__wr_le(wr, (uint64_t)name->told_us, 8);
    nfl__wr_bytes(wr, nfl__name_text(name), name->name_len);
    nfl__wr_bytes(wr, nfl__name_description(name), name->description_len);
}

static void state_write_domain(nfl__wr *wr, const nfl__domain *domain)
{
    nfl__wr_bytes(wr, domain->exporter.b, sizeof domain->exporter.b);
    nfl__wr_le(wr, domain->version, 2);
    nfl__wr_le(wr, 0, 2);
    nfl__wr_le(wr, domain->id, 4);
    nfl__wr_le(wr, domain->templates.count, 4);
    nfl__wr_le(wr, domain->samplers.count, 4);
    nfl__wr_le(wr, domain->names.count, 4);
    for (uint32_t i = 0; i < domain->templates.slot_count; i++)
        if (domain->templates.slots[i])
            state_write_template(wr, domain->templates.slots[i]);
    for (uint32_t i = 0; i < domain->samplers.count; i++) {
        nfl__wr_le(wr, domain->samplers.items[i].kind, 4);
        nfl__wr_le(wr, domain->samplers.items[i].rate, 4);
        nfl__wr_le(wr, domain->samplers.items[i].id, 8);
    }
    for (const nfl__name *name = domain->names.oldest; name; name = name->newer)
        state_write_name(wr, name);
}

static void state_write(nfl__wr *wr, const nfl_parser *parser)
{
    nfl__wr_le(wr, STATE_MAGIC, 4);
    nfl__wr_le(wr, STATE_VERSION, 2);
    nfl__wr_le(wr, 0, 2);
    nfl__wr_le(wr, 0, 8); /* the hash comes last */
    nfl__wr_le(wr, parser->domains.count, 4);
    for (unsigned list = 0; list < 2; list++)
        for (const nfl__domain *domain = parser->domains.lists[list].oldest; domain; domain = domain->newer)
            state_write_domain(wr, domain);
}

nfl_status nfl_parser_save(const nfl_parser *parser, void *dst, size_t cap, size_t *need, nfl_error *err)
{
    nfl__wr size = nfl__wr_make(NULL, 0);
    state_write(&size, parser);
    *need = size.need;
    if (cap < size.need)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "state: %zu bytes, room for %zu", size.need, cap);
    nfl__wr wr = nfl__wr_make(dst, cap);
    state_write(&wr, parser);
    uint8_t *bytes = dst;
    nfl__store_le(bytes + 8, nfl__hash(bytes + STATE_HEAD_LEN, size.need - STATE_HEAD_LEN, 0), 8);
    return NFL_OK;
}

static nfl_status state_corrupt(const nfl__rd *rd, const char *what, nfl_error *err)
{
    return nfl__fail(err, NFL_E_CORRUPT, nfl__rd_offset(rd), "saved state: %s", what);
}

/* Read the fields of a template into parser->fields. */
static nfl_status state_read_fields(nfl_parser *parser, nfl__rd *rd, uint32_t count, nfl_error *err)
{
    void *fields = parser->fields, *spans = parser->spans;
    int ok = nfl__grow(&parser->memory, &fields, &parser->field_capacity, count, sizeof *parser->fields);
    parser->fields = fields;
    ok = ok && nfl__grow(&parser->memory, &spans, &parser->span_capacity, count, sizeof *parser->spans);
    parser->spans = spans;
    if (!ok)
        return nfl__fail_nomem(err, count * sizeof *parser->spans);
    for (uint32_t i = 0; i < count; i++) {
        parser->fields[i].pen = nfl__rd_u32_le(rd);
        parser->fields[i].id = nfl__rd_u16_le(rd);
        parser->fields[i].len = nfl__rd_u16_le(rd);
    }
    return NFL_OK;
}

/* Is something last told at `told_us` still to be believed? */
static int state_is_young(const nfl_parser *parser, nfl_usec told_us, nfl_usec now_us)
{
    return told_us <= now_us && (parser->limits.ttl_us == INT64_MAX || told_us >= now_us - parser->limits.ttl_us);
}

/* One template; learnt if `domain` is given, does not know it, and it is young enough. */
static nfl_status state_read_template(nfl_parser *parser, nfl__rd *rd, nfl__domain *domain, nfl_usec now_us,
                                      nfl_error *err)
{
    nfl_usec refreshed_us = (nfl_usec)nfl__rd_u64_le(rd);
    nfl__template_def def = {0};
    def.id = nfl__rd_u16_le(rd);
    def.scope_count = nfl__rd_u16_le(rd);
    uint16_t options = nfl__rd_u16_le(rd);
    nfl__rd_skip(rd, 2);
    def.field_count = nfl__rd_u32_le(rd);
    def.options = options == 1;
    if (rd->failed || def.id < STATE_FIRST_ID || options > 1 || def.field_count == 0 ||
        def.field_count > parser->max_fields || def.scope_count > def.field_count ||
        nfl__rd_left(rd) / STATE_FIELD_LEN < def.field_count)
        return state_corrupt(rd, "a template contradicts itself or is cut off", err);
    if (!domain || nfl__templates_find(&domain->templates, parser->seed, def.id) ||
        !state_is_young(parser, refreshed_us, now_us)) {
        nfl__rd_skip(rd, (size_t)def.field_count * STATE_FIELD_LEN);
        return NFL_OK;
    }
    NFL_TRY(state_read_fields(parser, rd, def.field_count, err));
    def.fields = parser->fields;
    nfl__template *template;
    nfl_status status = nfl__parser_define(parser, domain, &def, refreshed_us, &template, err);
    return status == NFL_E_LIMIT ? NFL_OK : status; /* what does not fit is left out */
}

static nfl_status state_read_sampler(nfl_parser *parser, nfl__rd *rd, nfl__domain *domain, nfl_error *err)
{
    uint32_t kind = nfl__rd_u32_le(rd), rate = nfl__rd_u32_le(rd);
    uint64_t id = nfl__rd_u64_le(rd);
    if (rd->failed || kind < NFL__SAMPLER_DOMAIN || kind > NFL__SAMPLER_INTERFACE || rate == 0)
        return state_corrupt(rd, "a sampler contradicts itself or is cut off", err);
    if (!domain || nfl__samplers_get(&domain->samplers, kind, id))
        return NFL_OK;
    if (!nfl__samplers_set(&domain->samplers, &parser->memory, kind, id, rate))
        return nfl__fail_nomem(err, sizeof(nfl__sampler));
    return NFL_OK;
}

static nfl_status state_read_name(nfl_parser *parser, nfl__rd *rd, nfl__domain *domain, nfl_usec now_us,
                                  nfl_error *err)
{
    nfl__telling telling = {.kind = nfl__rd_u16_le(rd)};
    telling.name.len = nfl__rd_u8(rd);
    telling.description.len = nfl__rd_u8(rd);
    telling.id = nfl__rd_u64_le(rd);
    nfl_usec told_us = (nfl_usec)nfl__rd_u64_le(rd);
    telling.name.data = nfl__rd_bytes(rd, telling.name.len);
    telling.description.data = nfl__rd_bytes(rd, telling.description.len);
    if (rd->failed || telling.kind == 0 || telling.kind >= NFL_NAME_COUNT)
        return state_corrupt(rd, "a name contradicts itself or is cut off", err);
    if (!domain || !state_is_young(parser, told_us, now_us) ||
        nfl__names_find(&domain->names, parser->seed, telling.kind, telling.id))
        return NFL_OK;
    if (nfl__options_tell(parser, domain, &telling, told_us) == NFL_E_NOMEM)
        return nfl__fail_nomem(err, nfl__names_room(&domain->names, &telling));
    return NFL_OK; /* what does not fit is left out */
}

static nfl_status state_read_domain(nfl_parser *parser, nfl__rd *rd, uint16_t format, int learn, nfl_usec now_us,
                                    nfl_error *err)
{
    nfl_ip exporter = {{0}};
    const uint8_t *address = nfl__rd_bytes(rd, sizeof exporter.b);
    uint16_t version = nfl__rd_u16_le(rd);
    nfl__rd_skip(rd, 2);
    uint32_t id = nfl__rd_u32_le(rd), templates = nfl__rd_u32_le(rd), samplers = nfl__rd_u32_le(rd);
    uint32_t names = format >= STATE_WITH_NAMES ? nfl__rd_u32_le(rd) : 0;
    if (rd->failed || !nfl__parser_speaks(version) || samplers > NFL__SAMPLERS || names > NFL__NAMES)
        return state_corrupt(rd, "a domain contradicts itself or is cut off", err);
    memcpy(exporter.b, address, sizeof exporter.b);
    nfl__domain *domain = NULL;
    if (learn && templates + (uint64_t)samplers + names > 0) {
        nfl_status status = nfl__parser_domain_of(parser, &exporter, version, id, now_us, &domain, err);
        if (status < 0 && status != NFL_E_LIMIT)
            return status;
    }
    for (uint32_t i = 0; i < templates; i++)
        NFL_TRY(state_read_template(parser, rd, domain, now_us, err));
    for (uint32_t i = 0; i < samplers; i++)
        NFL_TRY(state_read_sampler(parser, rd, domain, err));
    for (uint32_t i = 0; i < names; i++)
        NFL_TRY(state_read_name(parser, rd, domain, now_us, err));
    return NFL_OK;
}

static nfl_status state_read(nfl_parser *parser, nfl__rd rd, uint16_t format, int learn, nfl_usec now_us, nfl_error *err)
{
    uint32_t domains = nfl__rd_u32_le(&rd);
    for (uint32_t i = 0; i < domains; i++)
        NFL_TRY(state_read_domain(parser, &rd, format, learn, now_us, err));
    if (rd.failed || nfl__rd_left(&rd))
        return state_corrupt(&rd, "its length is wrong", err);
    return NFL_OK;
}

nfl_status nfl_parser_load(nfl_parser *parser, const void *data, size_t len, nfl_usec now_us, nfl_error *err)
{
    nfl__rd rd = nfl__rd_make(data, len);
    uint32_t magic = nfl__rd_u32_le(&rd);
    uint16_t version = nfl__rd_u16_le(&rd);
    nfl__rd_skip(&rd, 2);
    uint64_t hash = nfl__rd_u64_le(&rd);
    if (rd.failed || magic != STATE_MAGIC)
        return state_corrupt(&rd, "not a saved state", err);
    if (version > STATE_VERSION)
        return nfl__fail(err, NFL_E_VERSION, 4, "saved state: version %u, this library knows %d", version,
                         STATE_VERSION);
    if (hash != nfl__hash(rd.pos, nfl__rd_left(&rd), 0))
        return state_corrupt(&rd, "the checksum is wrong", err);
    NFL_TRY(state_read(parser, rd, version, 0, now_us, err));
    nfl__parser_close(parser); /* an open datagram may hold on to templates that make room now */
    return state_read(parser, rd, version, 1, now_us, err);
}

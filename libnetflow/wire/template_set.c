/* Template sets and options template sets (RFC 3954 5.2 and 6.1, RFC 7011 3.4).
 *
 *     v9      set 0: { id, field count, fields }        set 1: { id, scope bytes, option bytes, fields }
 *     IPFIX   set 2: { id, field count, fields }        set 3: { id, field count, scope count, fields }
 *
 * A v9 field is type and length, and types of 32768 and more are plain types; in IPFIX that bit says that an
 * enterprise number follows. A set may end in padding, which must not be taken for a template: ids 0 to 255 are no
 * template ids. An IPFIX field count of 0 withdraws the template, or with id 2 or 3 all of that kind. */
#include "base/error.h"
#include "wire/decoder.h"

enum { TEMPLATE_FIRST_ID = 256, TEMPLATE_ENTERPRISE = 0x8000, TEMPLATE_FIELD_LEN = 4 };

/* What the header of a definition says. */
typedef struct template_head {
    uint16_t id;
    uint16_t scope_count;
    uint32_t field_count;
    uint32_t offset; /* in the datagram */
} template_head;

static int template_set_is_v9(const nfl_parser *parser)
{
    return parser->own.header.version == 9;
}

static int template_set_is_options(const nfl_parser *parser)
{
    return parser->set_id == 1 || parser->set_id == 3;
}

/* Skip what is left of the set: nothing in it can be found any more. */
static void template_set_close(nfl_parser *parser)
{
    parser->templates.pos = parser->templates.limit;
}

static nfl_status template_set_fail(nfl_parser *parser, const template_head *head, const char *what,
                                    nfl_error *err)
{
    template_set_close(parser);
    parser->stats.bad_sets++;
    return nfl__fail(err, NFL_E_FORMAT, head->offset, "set %u: template %u: %s", parser->set_id, head->id,
                     what);
}

/* Read the head; NFL_DONE at padding. */
static nfl_status template_read_head(nfl_parser *parser, template_head *head, nfl_error *err)
{
    nfl__rd *rd = &parser->templates;
    head->offset = (uint32_t)(rd->pos - parser->start);
    head->scope_count = 0;
    head->id = 0;
    if (nfl__rd_left(rd) >= 4)
        head->id = nfl__rd_u16(rd);
    if (head->id == 0) {
        template_set_close(parser);
        return NFL_DONE;
    }
    head->field_count = nfl__rd_u16(rd);
    if (!template_set_is_options(parser))
        return NFL_OK;
    if (template_set_is_v9(parser)) { /* lengths in bytes, RFC 3954 6.1 */
        uint32_t scope_len = head->field_count, option_len = nfl__rd_u16(rd);
        head->scope_count = (uint16_t)(scope_len / TEMPLATE_FIELD_LEN);
        head->field_count = head->scope_count + option_len / TEMPLATE_FIELD_LEN;
        if (scope_len % TEMPLATE_FIELD_LEN || option_len % TEMPLATE_FIELD_LEN)
            return template_set_fail(parser, head, "scope or option length is no multiple of 4", err);
    } else if (head->field_count) {
        head->scope_count = nfl__rd_u16(rd);
    }
    if (rd->failed)
        return template_set_fail(parser, head, "cut off", err);
    if (head->scope_count > head->field_count)
        return template_set_fail(parser, head, "more scope fields than fields", err);
    return NFL_OK;
}

/* Read the fields into parser->fields, or only skip them. Returns 0 when the set ends before. */
static int template_read_fields(nfl_parser *parser, uint32_t count, int keep)
{
    nfl__rd *rd = &parser->templates;
    int v9 = template_set_is_v9(parser);
    for (uint32_t i = 0; i < count && !rd->failed; i++) {
        nfl_template_field field = {.id = nfl__rd_u16(rd)};
        field.len = nfl__rd_u16(rd);
        if (!v9 && (field.id & TEMPLATE_ENTERPRISE)) {
            field.id &= (uint16_t)~TEMPLATE_ENTERPRISE;
            field.pen = nfl__rd_u32(rd);
        }
        if (keep)
            parser->fields[i] = field;
    }
    return !rd->failed;
}

static nfl_status template_refuse(nfl_parser *parser, nfl_status status)
{
    parser->stats.refused_templates++;
    return status;
}

/* Arrays for the largest template so far; afterwards records need no memory. */
static nfl_status template_make_room(nfl_parser *parser, const template_head *head, nfl_error *err)
{
    void *fields = parser->fields, *spans = parser->spans;
    int ok = nfl__grow(&parser->memory, &fields, &parser->field_capacity, head->field_count,
                       sizeof *parser->fields);
    parser->fields = fields;
    ok = ok &&
         nfl__grow(&parser->memory, &spans, &parser->span_capacity, head->field_count, sizeof *parser->spans);
    parser->spans = spans;
    return ok ? NFL_OK : nfl__fail_nomem(err, head->field_count * sizeof *parser->spans);
}

static void template_found(nfl_parser *parser, const nfl__template *template, const template_head *head)
{
    parser->kind = NFL_EVENT_TEMPLATE;
    parser->stats.templates++;
    parser->replay_id = template->id;
    parser->record = (nfl__record){
        template, NULL, (uint32_t)(parser->templates.pos - parser->start) - head->offset, head->offset};
}

static nfl_status template_define(nfl_parser *parser, const template_head *head, nfl_error *err)
{
    if (head->field_count > parser->max_fields) {
        if (!template_read_fields(parser, head->field_count, 0))
            return template_set_fail(parser, head, "its fields run past the end of the set", err);
        return template_refuse(parser, nfl__fail(err, NFL_E_LIMIT, head->offset,
                                                 "template %u: %u fields, at most %u are allowed", head->id,
                                                 head->field_count, parser->max_fields));
    }
    nfl_status status = template_make_room(parser, head, err);
    if (!template_read_fields(parser, head->field_count, status == NFL_OK))
        return template_set_fail(parser, head, "its fields run past the end of the set", err);
    if (status != NFL_OK)
        return template_refuse(parser, status);
    nfl__template_def def = {head->id, head->scope_count, (uint8_t)template_set_is_options(parser),
                             head->field_count, parser->fields};
    nfl__template *template = NULL;
    status = nfl__parser_define(parser, parser->domain, &def, parser->own.received_us, &template, err);
    if (status != NFL_OK)
        return template_refuse(parser, status);
    template_found(parser, template, head);
    return NFL_OK;
}

/* Over UDP a withdrawal is not allowed (RFC 7011 8.4) but meant as it reads; the template comes back if need be. */
static nfl_status template_withdraw(nfl_parser *parser, const template_head *head)
{
    nfl__templates *templates = &parser->domain->templates;
    if (head->id == parser->set_id)
        nfl__templates_remove_kind(templates, &parser->memory, parser->seed, template_set_is_options(parser));
    else
        nfl__templates_remove(templates, &parser->memory, parser->seed, head->id);
    parser->kind = NFL_EVENT_WITHDRAW;
    parser->record = (nfl__record){NULL, NULL, 4, head->offset};
    parser->event.template_id = head->id;
    return NFL_OK;
}

nfl_status nfl__template_set_step(nfl_parser *parser, nfl_error *err)
{
    template_head head;
    nfl_status status = template_read_head(parser, &head, err);
    if (status != NFL_OK)
        return status;
    int withdrawal = !template_set_is_v9(parser) && head.field_count == 0;
    if (withdrawal && (head.id >= TEMPLATE_FIRST_ID || head.id == parser->set_id))
        return template_withdraw(parser, &head);
    if (head.id < TEMPLATE_FIRST_ID)
        return template_set_fail(parser, &head, "ids below 256 are reserved", err);
    if (head.field_count == 0)
        return template_set_fail(parser, &head, "it has no fields", err);
    return template_define(parser, &head, err);
}

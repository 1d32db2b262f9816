/* Structured data (RFC 6313 4.5): lists inside a field.
 *
 *     basicList              semantic 1, field id 2 (+ enterprise bit), length 2, [enterprise 4], values
 *     subTemplateList        semantic 1, template id 2, records
 *     subTemplateMultiList   semantic 1, then any number of { template id 2, length 2, records }
 *
 * The length in a subTemplateMultiList counts its own four bytes. Values and records of variable length carry
 * their lengths as in any data set. There is no padding, so a rest is a fault.
 *
 * A list is read as groups of elements of one layout: a basicList and a subTemplateList are one group, a
 * subTemplateMultiList is many. `group_stop` bounds the open group; `pos` is where the next element, or behind the
 * group the next group, begins. Every call of nfl_list_next() consumes bytes or says NFL_DONE: elements of no bytes
 * are refused with their group. */
#include <netflow/element.h>
#include <netflow/list.h>

#include "base/error.h"
#include "wire/decoder.h"

#include <string.h>

enum { LIST_GROUP_HEAD = 4, LIST_ENTERPRISE = 0x8000 };

static uint32_t list_kind(const nfl_element *element)
{
    if (!element || element->type < NFL_ELEMENT_BASIC_LIST ||
        element->type > NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST)
        return 0;
    return element->type;
}

uint32_t nfl_list_kind(const nfl_record_field *field)
{
    return list_kind(nfl_element_find(field->pen, field->id));
}

/* The head of a list; *rd is left at what follows it. */
static void list_read_head(nfl_list *list, nfl__rd *rd)
{
    list->semantic = nfl__rd_u8(rd);
    if (list->kind == NFL_ELEMENT_BASIC_LIST) {
        list->field_id = nfl__rd_u16(rd);
        list->field_len = nfl__rd_u16(rd);
        if (list->field_id & LIST_ENTERPRISE) {
            list->field_id &= (uint16_t)~LIST_ENTERPRISE;
            list->field_pen = nfl__rd_u32(rd);
        }
    } else if (list->kind == NFL_ELEMENT_SUB_TEMPLATE_LIST) {
        list->template_id = nfl__rd_u16(rd);
    }
    list->pos = (uint32_t)nfl__rd_offset(rd);
    list->group_stop = list->kind == NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST ? list->pos : list->len;
}

nfl_status nfl_list_open(nfl_list *list, const nfl_parser *parser, const nfl_list *within,
                         const nfl_record_field *field, nfl_error *err)
{
    uint32_t depth = within ? within->depth + 1 : 0;
    if (list->struct_size < sizeof *list)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "list: struct_size %u, need %zu", list->struct_size,
                         sizeof *list);
    uint32_t kind = list_kind(nfl_parser_describe(parser, field->pen, field->id));
    nfl_list opened = {.struct_size = list->struct_size, .kind = (uint16_t)kind, .depth = depth};
    if (!opened.kind)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "element %u/%u is no list", field->pen, field->id);
    if (depth >= NFL_LIST_MAX_DEPTH)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "list: within %u others, at most %d are opened",
                         depth, NFL_LIST_MAX_DEPTH);
    nfl__rd rd = nfl__rd_make(field->data, field->len);
    opened.parser = parser;
    opened.data = field->data;
    opened.len = field->len;
    list_read_head(&opened, &rd);
    if (rd.failed)
        return nfl__fail(err, NFL_E_TRUNCATED, NFL_NO_OFFSET, "list: %u bytes, its head takes more",
                         field->len);
    *list = opened;
    return NFL_OK;
}

static const nfl__template *list_template(const nfl_list *list)
{
    const nfl_parser *parser = list->parser;
    if (!parser->domain)
        return NULL;
    return nfl__templates_find(&parser->domain->templates, parser->seed, list->template_id);
}

/* What is left of the open group becomes the element that cannot be read. */
static void list_give_up_group(nfl_list *list)
{
    list->element = list->data + list->pos;
    list->element_len = list->group_stop - list->pos;
    list->pos = list->group_stop;
    list->field_index = UINT32_MAX;
}

static nfl_status list_fail(nfl_list *list, const char *what, nfl_error *err)
{
    list_give_up_group(list);
    return nfl__fail(err, NFL_E_FORMAT, NFL_NO_OFFSET, "list: %s (%u bytes are left)", what,
                     list->element_len);
}

/* Open the next group of a subTemplateMultiList, whole heads of empty groups are passed over. */
static nfl_status list_next_group(nfl_list *list, nfl_error *err)
{
    while (list->pos == list->group_stop && list->pos < list->len) {
        nfl__rd rd = nfl__rd_make(list->data + list->pos, list->len - list->pos);
        list->template_id = nfl__rd_u16(&rd);
        uint32_t len = nfl__rd_u16(&rd);
        if (rd.failed || len < LIST_GROUP_HEAD || len > list->len - list->pos) {
            list->group_stop = list->len;
            return list_fail(list, "the length of a group is wrong", err);
        }
        list->group_stop = list->pos + len;
        list->pos += LIST_GROUP_HEAD;
    }
    return NFL_OK;
}

/* Bytes of a field or an element, its length prefix included; nothing is read behind the group. */
static void list_skip_field(nfl__rd *rd, uint16_t len)
{
    nfl__rd_skip(rd, len == NFL__VARIABLE_LEN ? nfl__record_variable_len(rd) : len);
}

static void list_skip_record(nfl__rd *rd, const nfl__template *template)
{
    if (!template->variable) {
        nfl__rd_skip(rd, template->record_len);
        return;
    }
    for (uint32_t i = 0; i < template->field_count && !rd->failed; i++)
        list_skip_field(rd, template->fields[i].len);
}

static nfl_status list_next_element(nfl_list *list, nfl_error *err)
{
    nfl__rd rd = nfl__rd_make(list->data + list->pos, list->group_stop - list->pos);
    if (list->kind == NFL_ELEMENT_BASIC_LIST) {
        list_skip_field(&rd, list->field_len);
    } else {
        const nfl__template *template = list_template(list);
        if (!template) {
            list_give_up_group(list);
            return nfl__fail(err, NFL_E_NO_TEMPLATE, NFL_NO_OFFSET,
                             "list: template %u is not known (%u bytes)", list->template_id,
                             list->element_len);
        }
        list_skip_record(&rd, template);
    }
    if (rd.failed)
        return list_fail(list, "an element runs past its end", err);
    if (nfl__rd_offset(&rd) == 0)
        return list_fail(list, "elements of 0 bytes", err);
    list->element = rd.start;
    list->element_len = (uint32_t)nfl__rd_offset(&rd);
    list->pos += list->element_len;
    list->field_index = 0;
    list->field_pos = 0;
    return NFL_OK;
}

nfl_status nfl_list_next(nfl_list *list, nfl_error *err)
{
    list->element = NULL;
    list->element_len = 0;
    if (list->kind == NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST)
        NFL_TRY(list_next_group(list, err));
    return list->pos == list->group_stop ? NFL_DONE : list_next_element(list, err);
}

/* What the next field of the element is; 0 if there is none. */
static int list_field_spec(const nfl_list *list, nfl_template_field *spec)
{
    if (!list->element)
        return 0;
    if (list->kind == NFL_ELEMENT_BASIC_LIST) {
        *spec = (nfl_template_field){list->field_pen, list->field_id, list->field_len};
        return list->field_index == 0;
    }
    const nfl__template *template = list_template(list);
    if (!template || list->field_index >= template->field_count)
        return 0;
    *spec = template->fields[list->field_index];
    return 1;
}

nfl_status nfl_list_next_field(nfl_list *list, nfl_record_field *out)
{
    nfl_template_field spec;
    if (!list_field_spec(list, &spec))
        return NFL_DONE;
    nfl__rd rd = nfl__rd_make(list->element, list->element_len);
    nfl__rd_skip(&rd, list->field_pos);
    uint32_t len = spec.len == NFL__VARIABLE_LEN ? nfl__record_variable_len(&rd) : spec.len;
    const uint8_t *data = nfl__rd_bytes(&rd, len);
    if (rd.failed) /* the template was redefined after nfl_list_next() */
        return NFL_DONE;
    list->field_index++;
    list->field_pos = (uint32_t)nfl__rd_offset(&rd);
    memset(out, 0, sizeof *out);
    out->pen = spec.pen;
    out->id = spec.id;
    out->len = len;
    out->sent_len = len;
    out->data = data;
    return NFL_OK;
}

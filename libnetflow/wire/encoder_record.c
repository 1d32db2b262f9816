/* Records of the caller's own templates, octets as given: what nfl_parser_field() reads can be written again. */
#include "wire/encoder.h"

#include "base/error.h"
#include "base/wr.h"

#include <string.h>

enum {
    VARIABLE = 65535,
    LONG_LENGTH = 255, /* RFC 7011 section 7: announces a length of two octets */
    SET_HEADER = 4,
    TEMPLATE_HEADER = 4,
    OPTIONS_HEADER = 6,
    ENTERPRISE_ID_MAX = 0x7fff
};

void nfl__encoder_free_own(nfl_encoder *encoder)
{
    for (uint32_t i = 0; i < encoder->own_count; i++)
        nfl__delete(&encoder->memory, encoder->own[i].fields, encoder->own[i].count, sizeof *encoder->own[i].fields);
}

/* --- templates --- */

static nfl_status encoder_own_check_field(const nfl_encoder *encoder, const nfl_template_field *field, uint32_t at, nfl_error *err)
{
    if (encoder->opts.version == 9 && field->pen)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "field %u: NetFlow v9 has no enterprise elements", at);
    if (encoder->opts.version == 9 && field->len == VARIABLE)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "field %u: NetFlow v9 has no variable length", at);
    if (encoder->opts.version == 10 && field->id > ENTERPRISE_ID_MAX)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "field %u: element %u, at most 32767 expected", at, field->id);
    return NFL_OK;
}

static nfl_status encoder_own_measure(const nfl_encoder *encoder, nfl__encoder_own *own, nfl_error *err)
{
    own->size = own->scope_count ? OPTIONS_HEADER : TEMPLATE_HEADER;
    for (uint32_t i = 0; i < own->count; i++) {
        const nfl_template_field *field = &own->fields[i];
        NFL_TRY(encoder_own_check_field(encoder, field, i, err));
        own->size += field->pen ? 8 : 4;
        own->min_len += field->len == VARIABLE ? 1 : field->len;
    }
    if (own->min_len == 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "a template of %u fields and records of 0 bytes", own->count);
    return NFL_OK;
}

static nfl_status encoder_own_check(const nfl_encoder *encoder, nfl__encoder_own *own, nfl_error *err)
{
    if (encoder->opts.version == 5)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "NetFlow v5 has no templates");
    if (own->count > encoder->opts.max_len / 4)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%u fields do not fit a datagram of %u bytes", own->count,
                         encoder->opts.max_len);
    if (own->scope_count > own->count)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u scope fields of %u", own->scope_count, own->count);
    if (encoder->own_count == NFL__ENCODER_TEMPLATES)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %d templates", NFL__ENCODER_TEMPLATES);
    NFL_TRY(encoder_own_measure(encoder, own, err));
    /* What every datagram has room for: header of 20 bytes, two sets and their padding. */
    size_t need = 20 + SET_HEADER + own->size + SET_HEADER + own->min_len + 3;
    if (need > encoder->opts.max_len)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%zu bytes for template and record, a datagram has %u", need,
                         encoder->opts.max_len);
    return NFL_OK;
}

nfl_status nfl_encoder_define(nfl_encoder *encoder, const nfl_template_field *fields, uint32_t count, uint32_t scope_count,
                              uint16_t *id, nfl_error *err)
{
    /* Checked where they lie; only what is good is copied. */
    nfl__encoder_own own = {(nfl_template_field *)(uintptr_t)fields, count, scope_count, 0, 0, 0};
    NFL_TRY(encoder_own_check(encoder, &own, err));
    own.fields = nfl__new(&encoder->memory, count, sizeof *fields);
    if (!own.fields)
        return nfl__fail_nomem(err, count * sizeof *fields);
    memcpy(own.fields, fields, count * sizeof *fields);
    *id = (uint16_t)(NFL__ENCODER_FIRST_OWN + encoder->own_count);
    encoder->own[encoder->own_count++] = own;
    return NFL_OK;
}

static void encoder_own_write_scope_counts(nfl_encoder *encoder, const nfl__encoder_own *own)
{
    if (encoder->opts.version == 9) { /* RFC 3954 6.1: lengths in bytes of the two parts */
        nfl__encoder_put(encoder, own->scope_count * 4, 2);
        nfl__encoder_put(encoder, (own->count - own->scope_count) * 4, 2);
    } else { /* RFC 7011 3.4.2.2 */
        nfl__encoder_put(encoder, own->count, 2);
        nfl__encoder_put(encoder, own->scope_count, 2);
    }
}

static void encoder_own_write_template(nfl_encoder *encoder, nfl__encoder_own *own, uint16_t id)
{
    uint16_t first = encoder->opts.version == 9 ? 0 : 2; /* set ids: templates, options templates */
    nfl__encoder_open_set(encoder, own->scope_count ? first + 1u : first, own->size);
    nfl__encoder_put(encoder, id, 2);
    if (own->scope_count)
        encoder_own_write_scope_counts(encoder, own);
    else
        nfl__encoder_put(encoder, own->count, 2);
    for (uint32_t i = 0; i < own->count; i++)
        nfl__encoder_put_element(encoder, own->fields[i].pen, own->fields[i].id, own->fields[i].len);
    nfl__encoder_close_set(encoder);
    encoder->records++;
    own->sent_in = encoder->datagrams + 1;
}

/* --- records --- */

static size_t encoder_own_value_len(const nfl_template_field *field, const nfl_record_field *value)
{
    size_t prefix = field->len != VARIABLE ? 0 : value->len < LONG_LENGTH ? 1 : 3;
    return prefix + value->len;
}

/* Length of the record if the values are those of the template. */
static nfl_status encoder_own_match(const nfl__encoder_own *own, const nfl_record_field *values, uint32_t count, size_t *len,
                            nfl_error *err)
{
    if (count != own->count)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u values, the template has %u fields", count, own->count);
    *len = 0;
    for (uint32_t i = 0; i < count; i++) {
        const nfl_template_field *field = &own->fields[i];
        if (values[i].pen != field->pen || values[i].id != field->id)
            return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "value %u is of element %u/%u, the field of %u/%u", i, values[i].pen,
                             values[i].id, field->pen, field->id);
        if (field->len != VARIABLE ? values[i].len != field->len : values[i].len > UINT16_MAX)
            return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "value %u has %u bytes, the field %u", i, values[i].len, field->len);
        *len += encoder_own_value_len(field, &values[i]);
    }
    return NFL_OK;
}

static void encoder_own_write_value(nfl_encoder *encoder, const nfl_template_field *field, const nfl_record_field *value)
{
    if (field->len == VARIABLE && value->len < LONG_LENGTH) {
        nfl__encoder_put(encoder, value->len, 1);
    } else if (field->len == VARIABLE) {
        nfl__encoder_put(encoder, LONG_LENGTH, 1);
        nfl__encoder_put(encoder, value->len, 2);
    }
    if (value->len)
        memcpy(nfl__encoder_room(encoder, value->len), value->data, value->len);
}

static void encoder_own_write_record(nfl_encoder *encoder, const nfl__encoder_own *own, uint16_t id, const nfl_record_field *values)
{
    if (!encoder->set_at || encoder->set_id != id)
        nfl__encoder_open_set(encoder, id, own->min_len);
    for (uint32_t i = 0; i < own->count; i++)
        encoder_own_write_value(encoder, &own->fields[i], &values[i]);
    encoder->records++;
    encoder->data_records++;
}

nfl_status nfl_encoder_add_record(nfl_encoder *encoder, uint16_t id, const nfl_record_field *values, uint32_t count,
                                  nfl_usec now_us, nfl_error *err)
{
    size_t len = 0;
    if (id < NFL__ENCODER_FIRST_OWN || id >= NFL__ENCODER_FIRST_OWN + encoder->own_count)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "template %u is not defined", id);
    nfl__encoder_own *own = &encoder->own[id - NFL__ENCODER_FIRST_OWN];
    NFL_TRY(encoder_own_match(own, values, count, &len, err));
    nfl__encoder_begin(encoder, now_us, now_us);
    int due = nfl__encoder_is_due(encoder, own->sent_in);
    nfl_status status = nfl__encoder_fits(encoder, id, len, due ? SET_HEADER + own->size : 0, err);
    if (status != NFL_OK)
        return status;
    if (due)
        encoder_own_write_template(encoder, own, id);
    encoder_own_write_record(encoder, own, id, values);
    return NFL_OK;
}

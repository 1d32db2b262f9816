/* Names of things as options records: the ready-made templates that nfl_encoder_add_name() writes and parsers read
 * (options.c), one a kind, defined when first needed. Strings have variable length in IPFIX; NetFlow v9 has no string type,
 * exporters send them in fields of fixed length filled up with NULs. */
#include "wire/encoder.h"

#include "base/error.h"
#include "base/wr.h"

#include <string.h>

enum { NAMES_V9_LEN = 64, NAMES_MAX_FIELDS = 4, NAMES_SYSTEM_LEN = 4 };

enum { NAMES_SCOPE_SYSTEM = 1, NAMES_SCOPE_INTERFACE = 2 }; /* RFC 3954 6.1 */

typedef struct names_layout {
    uint16_t key; /* scope in IPFIX; in v9 behind scope System, or itself scope Interface */
    uint16_t key_len;
    uint16_t name;
    uint16_t description; /* 0 = the kind has none */
} names_layout;

static const names_layout names_v9[NFL_NAME_COUNT] = {
    [NFL_NAME_INTERFACE] = {NAMES_SCOPE_INTERFACE, 4, 82, 83},
    [NFL_NAME_VRF] = {234, 4, 236, 0},
    [NFL_NAME_APPLICATION] = {95, 8, 96, 94},
    [NFL_NAME_SAMPLER] = {48, 4, 84, 0},
};

static const names_layout names_ipfix[NFL_NAME_COUNT] = {
    [NFL_NAME_INTERFACE] = {10, 4, 82, 83},
    [NFL_NAME_VRF] = {234, 4, 236, 0},
    [NFL_NAME_APPLICATION] = {95, 8, 96, 94},
    [NFL_NAME_SAMPLER] = {302, 8, 335, 0},
};

/* One record, with room for what its values point to. */
typedef struct names_record {
    nfl_record_field values[NAMES_MAX_FIELDS];
    uint32_t count;
    uint32_t reserved;
    uint8_t key[8];
    uint8_t texts[2][NAMES_V9_LEN];
} names_record;

static void names_add(names_record *record, uint16_t element, const void *data, size_t len)
{
    record->values[record->count++] = (nfl_record_field){.id = element, .len = (uint32_t)len, .data = data};
}

/* As many bytes as the field has, but no part of a character. */
static size_t names_cut(const char *text, size_t len)
{
    size_t most = NAMES_V9_LEN;
    if (len <= most)
        return len;
    while (most && ((uint8_t)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static void names_add_text(names_record *record, uint32_t version, uint16_t element, const char *text, uint8_t *padded)
{
    size_t len = text ? strlen(text) : 0;
    if (version == 10) {
        names_add(record, element, text, len < UINT32_MAX ? len : UINT32_MAX);
        return;
    }
    if (len)
        memcpy(padded, text, names_cut(text, len));
    names_add(record, element, padded, NAMES_V9_LEN);
}

static void names_fill(names_record *record, const names_layout *layout, uint32_t version, uint64_t id, const char *name,
                       const char *description)
{
    static const uint8_t system[NAMES_SYSTEM_LEN];
    memset(record, 0, sizeof *record);
    nfl__store_be(record->key, id, layout->key_len);
    if (version == 9 && layout->key != NAMES_SCOPE_INTERFACE)
        names_add(record, NAMES_SCOPE_SYSTEM, system, sizeof system);
    names_add(record, layout->key, record->key, layout->key_len);
    names_add_text(record, version, layout->name, name, record->texts[0]);
    if (layout->description)
        names_add_text(record, version, layout->description, description, record->texts[1]);
}

/* The template of a kind, defined if it is not yet. */
static nfl_status names_define(nfl_encoder *encoder, uint32_t kind, const names_record *record,
                               const names_layout *layout, nfl_error *err)
{
    nfl_template_field fields[NAMES_MAX_FIELDS] = {{0}};
    if (encoder->name_templates[kind])
        return NFL_OK;
    for (uint32_t i = 0; i < record->count; i++) {
        uint16_t id = record->values[i].id;
        int text = encoder->opts.version == 10 && (id == layout->name || id == layout->description);
        fields[i] = (nfl_template_field){0, id, text ? UINT16_MAX : (uint16_t)record->values[i].len};
    }
    return nfl_encoder_define(encoder, fields, record->count, 1, &encoder->name_templates[kind], err);
}

nfl_status nfl_encoder_add_name(nfl_encoder *encoder, uint32_t kind, uint64_t id, const char *name, const char *description,
                                nfl_usec now_us, nfl_error *err)
{
    if (encoder->opts.version == 5)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "NetFlow v5 has no names");
    if (kind == 0 || kind >= NFL_NAME_COUNT)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "kind of name %u, 1 to %d expected", kind, NFL_NAME_COUNT - 1);
    const names_layout *layout = encoder->opts.version == 9 ? &names_v9[kind] : &names_ipfix[kind];
    if (layout->key == 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "elements are told with records of the caller's own");
    if (layout->key_len < 8 && id >> 8 * layout->key_len)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "a number of more than %u bytes", layout->key_len);
    if (!layout->description && description && *description)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "names of kind %u have no description", kind);
    names_record record;
    names_fill(&record, layout, encoder->opts.version, id, name, description);
    NFL_TRY(names_define(encoder, kind, &record, layout, err));
    return nfl_encoder_add_record(encoder, encoder->name_templates[kind], record.values, record.count, now_us, err);
}

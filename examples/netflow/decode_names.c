/* A value is written as its element's type says, and as octets in hexadecimal digits when its length does not fit the
 * type or the element is not known (then its name is "enterprise/number"). A list is an object:
 *
 *     {"semantic": 3, "elements": [{"fields": [...]}, {"template": 257, "fields": [...]},
 *                                  {"template": 300, "unread": "0a0000010050"}]}
 *
 * Behind the number of an interface, VRF, application or sampler stands what the exporter calls it, if it told that
 * before: ["ingressInterface", 7, "eth0"]. Behind events, directions and the like stands IANA's word for the number:
 * ["firewallEvent", 3, "flow denied"].
 */
#include "decode_names.h"

#include "decode_words.h"
#include "text.h"

#include <netflow/element.h>
#include <netflow/list.h>
#include <netflow/time.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REVERSE_PEN 29305u /* RFC 5103 6.1 */

/* Scope types of NetFlow v9 (RFC 3954 6.1), which are no field types. */
static const char *const names_v9_scopes[] = {NULL, "System", "Interface", "Line Card", "Cache", "Template"};
enum { NAMES_V9_SCOPES = sizeof names_v9_scopes / sizeof *names_v9_scopes };

/* A v9 scope has no element; of others NULL = not registered. */
static const nfl_element *names_element(const decode_source *source, const nfl_record_field *field)
{
    return field->scope && source->version == 9 ? NULL : nfl_parser_describe(source->parser, field->pen, field->id);
}

static void names_print_name(const decode_source *source, const nfl_record_field *field)
{
    const nfl_element *element = names_element(source, field);
    if (!element && field->scope && source->version == 9 && field->id < NAMES_V9_SCOPES && names_v9_scopes[field->id])
        printf("\"%s\"", names_v9_scopes[field->id]);
    else if (!element)
        printf("\"%" PRIu32 "/%u\"", field->pen, field->id);
    else if (field->pen == REVERSE_PEN) /* RFC 5103 6.1: "reverse", and the first letter a capital */
        printf("\"reverse%c%s\"", element->name[0] & ~0x20, element->name + 1);
    else
        printf("\"%s\"", element->name);
}

static void names_print_octets(const uint8_t *data, uint32_t len)
{
    putchar('"');
    for (uint32_t i = 0; i < len; i++)
        printf("%02x", data[i]);
    putchar('"');
}

static uint64_t names_number(const nfl_record_field *field)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < field->len; i++)
        value = value << 8 | field->data[i];
    return value;
}

static int names_print_unsigned(const nfl_record_field *field)
{
    if (field->len == 0 || field->len > 8)
        return 0;
    printf("%" PRIu64, names_number(field));
    return 1;
}

static int names_print_signed(const nfl_record_field *field)
{
    if (field->len == 0 || field->len > 8)
        return 0;
    uint64_t value = names_number(field), sign = UINT64_C(1) << (field->len * 8 - 1);
    if (value & sign) /* the magnitude: the number is shorter than 64 bits */
        printf("-%" PRIu64, sign + (sign - value));
    else
        printf("%" PRIu64, value);
    return 1;
}

static int names_print_boolean(const nfl_record_field *field)
{
    if (field->len != 1 || field->data[0] < 1 || field->data[0] > 2)
        return 0;
    fputs(field->data[0] == 1 ? "true" : "false", stdout);
    return 1;
}

static int names_print_address(const nfl_record_field *field)
{
    nfl_ip ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    char text[NFL_IP_TEXT_SIZE];
    if (field->len != 4 && field->len != 16)
        return 0;
    memcpy(ip.b + sizeof ip.b - field->len, field->data, field->len);
    nfl_ip_format(&ip, text, sizeof text);
    printf("\"%s\"", text);
    return 1;
}

static int names_print_mac(const nfl_record_field *field)
{
    const uint8_t *p = field->data;
    if (field->len != 6)
        return 0;
    printf("\"%02x:%02x:%02x:%02x:%02x:%02x\"", p[0], p[1], p[2], p[3], p[4], p[5]);
    return 1;
}

/* Exporters fill strings of fixed length up with NULs; other NULs make it no text. */
static int names_print_string(const nfl_record_field *field)
{
    char text[65536];
    uint32_t len = field->len;
    while (len && field->data[len - 1] == 0)
        len--;
    if (len >= sizeof text || (len && memchr(field->data, 0, len)))
        return 0;
    if (len)
        memcpy(text, field->data, len);
    text[len] = 0;
    text_print_json(stdout, text);
    return 1;
}

static int names_print_time(nfl_usec time_us)
{
    char text[NFL_TIME_TEXT_SIZE];
    nfl_time_format(time_us, text, sizeof text);
    printf("\"%s\"", text);
    return 1;
}

static int names_print_seconds(const nfl_record_field *field)
{
    return field->len == 4 && names_print_time((nfl_usec)names_number(field) * 1000000);
}

static int names_print_milliseconds(const nfl_record_field *field)
{
    uint64_t value = names_number(field);
    return field->len == 8 && value < INT64_MAX / 1000 / 1000 && names_print_time((nfl_usec)value * 1000);
}

/* Seconds since 1900 and 32 bits of fraction (RFC 7011 6.1.9); era 1 begins in 2036. */
static int names_print_ntp(const nfl_record_field *field)
{
    uint64_t value = field->len == 8 ? names_number(field) : 0, seconds = value >> 32, fraction = value & UINT32_MAX;
    if (value == 0)
        return 0;
    if (seconds < UINT64_C(0x80000000))
        seconds += UINT64_C(1) << 32;
    return names_print_time((nfl_usec)((seconds - UINT64_C(2208988800)) * 1000000 + (fraction * 1000000 >> 32)));
}

/* RFC 7011 6.2: float64 may be sent as float32. JSON knows finite numbers only. */
static int names_print_float(const nfl_record_field *field)
{
    uint32_t narrow = (uint32_t)names_number(field);
    uint64_t wide = names_number(field);
    float single;
    double value;
    memcpy(&single, &narrow, sizeof single);
    memcpy(&value, &wide, sizeof value);
    if (field->len == 4)
        value = (double)single;
    if ((field->len != 4 && field->len != 8) || !isfinite(value))
        return 0;
    printf("%.*g", field->len == 4 ? 9 : 17, value);
    return 1;
}

/* How the types are written; those left out as octets. Each returns 0, and prints nothing, if the length does not
 * fit. */
static int (*const names_printers[])(const nfl_record_field *field) = {
    [NFL_ELEMENT_U8] = names_print_unsigned,
    [NFL_ELEMENT_U16] = names_print_unsigned,
    [NFL_ELEMENT_U32] = names_print_unsigned,
    [NFL_ELEMENT_U64] = names_print_unsigned,
    [NFL_ELEMENT_I8] = names_print_signed,
    [NFL_ELEMENT_I16] = names_print_signed,
    [NFL_ELEMENT_I32] = names_print_signed,
    [NFL_ELEMENT_I64] = names_print_signed,
    [NFL_ELEMENT_F32] = names_print_float,
    [NFL_ELEMENT_F64] = names_print_float,
    [NFL_ELEMENT_BOOL] = names_print_boolean,
    [NFL_ELEMENT_MAC] = names_print_mac,
    [NFL_ELEMENT_STRING] = names_print_string,
    [NFL_ELEMENT_SECONDS] = names_print_seconds,
    [NFL_ELEMENT_MILLISECONDS] = names_print_milliseconds,
    [NFL_ELEMENT_MICROSECONDS] = names_print_ntp,
    [NFL_ELEMENT_NANOSECONDS] = names_print_ntp,
    [NFL_ELEMENT_IPV4] = names_print_address,
    [NFL_ELEMENT_IPV6] = names_print_address,
};

static void names_print_list(const decode_source *source, const nfl_list *within, const nfl_record_field *field);

/* Elements whose numbers exporters give names to. */
static const struct {
    uint16_t id;
    uint16_t kind;
} names_told[] = {
    {10, NFL_NAME_INTERFACE},  {14, NFL_NAME_INTERFACE}, {252, NFL_NAME_INTERFACE}, {253, NFL_NAME_INTERFACE},
    {234, NFL_NAME_VRF},       {235, NFL_NAME_VRF},      {95, NFL_NAME_APPLICATION}, {48, NFL_NAME_SAMPLER},
    {302, NFL_NAME_SAMPLER},
};

/* Application ids are told by engine and selector (RFC 6759), whatever their length. */
static uint64_t names_told_id(const nfl_record_field *field)
{
    uint64_t value = names_number(field);
    if (field->id != 95)
        return value;
    nfl_record_field selector = *field;
    selector.data++;
    selector.len--;
    return (uint64_t)field->data[0] << 56 | (names_number(&selector) & ((UINT64_C(1) << 56) - 1));
}

/* What the registry calls the value. */
static void names_print_word(const nfl_record_field *field)
{
    const char *word = field->pen == 0 && field->len >= 1 && field->len <= 8 ? decode_word(field->id, names_number(field))
                                                                             : NULL;
    if (!word)
        return;
    fputs(", ", stdout);
    text_print_json(stdout, word);
}

/* What the exporter calls the thing: behind the value, when it has told so in options data. */
static void names_print_told(const decode_source *source, const nfl_record_field *field)
{
    nfl_name name = {.struct_size = sizeof name};
    if (field->pen != 0 || field->len == 0)
        return;
    for (size_t i = 0; i < sizeof names_told / sizeof *names_told; i++) {
        if (names_told[i].id != field->id ||
            nfl_parser_name(source->parser, source->exporter, source->version, source->domain, names_told[i].kind,
                            names_told_id(field), &name) != NFL_OK)
            continue;
        fputs(", ", stdout);
        text_print_json(stdout, name.name[0] ? name.name : name.description);
    }
}

static int names_is_list(const nfl_element *element)
{
    return element->type >= NFL_ELEMENT_BASIC_LIST && element->type <= NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST;
}

static void names_print_field(const decode_source *source, const nfl_list *within, const nfl_record_field *field)
{
    const nfl_element *element = names_element(source, field);
    putchar('[');
    names_print_name(source, field);
    fputs(", ", stdout);
    if (element && names_is_list(element))
        names_print_list(source, within, field);
    else if (!element || element->type >= sizeof names_printers / sizeof *names_printers ||
             !names_printers[element->type] || !names_printers[element->type](field))
        names_print_octets(field->data, field->len);
    if (!field->scope || source->version != 9) {
        names_print_told(source, field);
        names_print_word(field);
    }
    putchar(']');
}

static void names_print_list_element(const decode_source *source, nfl_list *list, nfl_status status)
{
    nfl_record_field field;
    putchar('{');
    if (list->template_id)
        printf("\"template\": %u, ", list->template_id);
    if (status < 0) {
        fputs("\"unread\": ", stdout);
        names_print_octets(list->element, list->element_len);
    } else {
        fputs("\"fields\": [", stdout);
        for (int first = 1; nfl_list_next_field(list, &field) == NFL_OK; first = 0) {
            fputs(first ? "" : ", ", stdout);
            names_print_field(source, list, &field);
        }
        putchar(']');
    }
    putchar('}');
}

static void names_print_list(const decode_source *source, const nfl_list *within, const nfl_record_field *field)
{
    nfl_list list = {.struct_size = sizeof list};
    nfl_status status = nfl_list_open(&list, source->parser, within, field, NULL);
    if (status < 0) {
        names_print_octets(field->data, field->len);
        return;
    }
    printf("{\"semantic\": %u, \"elements\": [", list.semantic);
    for (int first = 1; (status = nfl_list_next(&list, NULL)) != NFL_DONE; first = 0) {
        fputs(first ? "" : ", ", stdout);
        names_print_list_element(source, &list, status);
    }
    fputs("]}", stdout);
}

void decode_named_fields(const decode_source *source)
{
    nfl_record_field field;
    putchar('[');
    for (uint32_t i = 0; nfl_parser_field(source->parser, i, &field) == NFL_OK; i++) {
        fputs(i ? ", " : "", stdout);
        names_print_field(source, NULL, &field);
    }
    putchar(']');
}

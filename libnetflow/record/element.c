#include <netflow/element.h>

#include <string.h>

#define REVERSE_PEN 29305u /* RFC 5103 6.1 */

/* Sorted by (pen, id). */
#define ROW(pen_number, number, type_name, semantics_name, text) \
    {.pen = (pen_number),                                        \
     .id = (number),                                             \
     .type = NFL_ELEMENT_##type_name,                            \
     .semantics = NFL_SEMANTICS_##semantics_name,                \
     .name = (text)}
static const nfl_element element_table[] = {
#include "record/element_table.inc"
};
#undef ROW

enum { ELEMENT_COUNT = sizeof element_table / sizeof *element_table };

static uint64_t element_key(uint32_t pen, uint16_t id)
{
    return (uint64_t)pen << 16 | id;
}

const nfl_element *nfl_element_find(uint32_t pen, uint16_t id)
{
    uint64_t key = element_key(pen == REVERSE_PEN ? 0 : pen, id);
    size_t low = 0, high = ELEMENT_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (element_key(element_table[middle].pen, element_table[middle].id) < key)
            low = middle + 1;
        else
            high = middle;
    }
    const nfl_element *row = nfl_element_at(low);
    return row && element_key(row->pen, row->id) == key ? row : NULL;
}

const nfl_element *nfl_element_find_name(const char *name)
{
    for (size_t i = 0; i < ELEMENT_COUNT; i++) {
        if (strcmp(element_table[i].name, name) == 0)
            return &element_table[i];
    }
    return NULL;
}

size_t nfl_element_count(void)
{
    return ELEMENT_COUNT;
}

const nfl_element *nfl_element_at(size_t i)
{
    return i < ELEMENT_COUNT ? &element_table[i] : NULL;
}

const char *nfl_element_type_name(uint32_t type)
{
    static const char names[][24] = {
        [NFL_ELEMENT_OCTETS] = "octetArray",
        [NFL_ELEMENT_U8] = "unsigned8",
        [NFL_ELEMENT_U16] = "unsigned16",
        [NFL_ELEMENT_U32] = "unsigned32",
        [NFL_ELEMENT_U64] = "unsigned64",
        [NFL_ELEMENT_I8] = "signed8",
        [NFL_ELEMENT_I16] = "signed16",
        [NFL_ELEMENT_I32] = "signed32",
        [NFL_ELEMENT_I64] = "signed64",
        [NFL_ELEMENT_F32] = "float32",
        [NFL_ELEMENT_F64] = "float64",
        [NFL_ELEMENT_BOOL] = "boolean",
        [NFL_ELEMENT_MAC] = "macAddress",
        [NFL_ELEMENT_STRING] = "string",
        [NFL_ELEMENT_SECONDS] = "dateTimeSeconds",
        [NFL_ELEMENT_MILLISECONDS] = "dateTimeMilliseconds",
        [NFL_ELEMENT_MICROSECONDS] = "dateTimeMicroseconds",
        [NFL_ELEMENT_NANOSECONDS] = "dateTimeNanoseconds",
        [NFL_ELEMENT_IPV4] = "ipv4Address",
        [NFL_ELEMENT_IPV6] = "ipv6Address",
        [NFL_ELEMENT_BASIC_LIST] = "basicList",
        [NFL_ELEMENT_SUB_TEMPLATE_LIST] = "subTemplateList",
        [NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST] = "subTemplateMultiList",
        [NFL_ELEMENT_U256] = "unsigned256",
    };
    return type < sizeof names / sizeof *names ? names[type] : "?";
}

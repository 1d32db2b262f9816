#include <CUnit/Basic.h>

#include "parser_feed.h"

#include <netflow/element.h>
#include <netflow/list.h>

#include <stdio.h>

/* 256: a list of variable length and a protocol, in the middle of which the list must end.
 * 257: address, port. 258: a string. 259: a list again. */
#define LIST_TEMPLATES(kind)                                                                                 \
    "0100 0002 " kind " ffff 0004 0001 0101 0002 0008 0004 0007 0002 0102 0001 0052 ffff "                   \
    "0103 0001 0123 ffff 0104 0001 0052 0000"
#define BASIC "0123"
#define SUB "0124"
#define MULTI "0125"

/* A record with the list in the parser; its bytes are to be freed. */
static uint8_t *open_record(nfl_parser *parser, const char *kind, const char *list_hex,
                            nfl_record_field *field)
{
    static test_datagram d;
    char templates[300];
    size_t len;
    uint8_t *bytes = test_hex(list_hex, &len);
    snprintf(templates, sizeof templates, LIST_TEMPLATES("%s"), kind);
    test_ipfix(&d, SECONDS, 1, 7);
    test_set(&d, 2);
    test_bytes(&d, templates);
    test_set(&d, 256);
    test_number(&d, len, 1);
    test_bytes(&d, list_hex);
    test_bytes(&d, "06");
    test_close(&d);
    free(bytes);
    bytes = test_exact(d.bytes, d.len);
    const nfl_event *event;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, NOW, bytes, d.len, NULL), NFL_OK);
    do {
        CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
    } while (event->kind != NFL_EVENT_RECORD);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_field(parser, 0, field), NFL_OK);
    return bytes;
}

static void append(char *text, size_t cap, const char *format, uint64_t number)
{
    size_t len = strlen(text);
    snprintf(text + len, cap - len, format, (unsigned long long)number);
}

static void append_field(char *text, size_t cap, const nfl_record_field *field)
{
    if (field->pen)
        append(text, cap, "%llu/", field->pen);
    append(text, cap, "%llu=", field->id);
    for (uint32_t i = 0; i < field->len; i++)
        append(text, cap, "%02llx", field->data[i]);
}

/* Write a list as text: [template: fields | ...], lists within it the same way, faults as their status. */
static void describe(const nfl_parser *parser, const nfl_list *within, const nfl_record_field *field,
                     char *text, size_t cap)
{
    nfl_list list = {.struct_size = sizeof list};
    nfl_status status = nfl_list_open(&list, parser, within, field, NULL);
    if (status < 0) {
        append(text, cap, "!%lld", (uint64_t)(int64_t)status);
        return;
    }
    append(text, cap, "%llu[", list.semantic);
    while ((status = nfl_list_next(&list, NULL)) != NFL_DONE) {
        if (list.template_id)
            append(text, cap, "%llu:", list.template_id);
        if (status < 0)
            append(text, cap, status == NFL_E_NO_TEMPLATE ? "unknown %llu" : "bad %llu", list.element_len);
        nfl_record_field inner;
        while (nfl_list_next_field(&list, &inner) == NFL_OK) {
            CU_ASSERT_FATAL(status == NFL_OK);
            if (nfl_list_kind(&inner))
                describe(parser, &list, &inner, text, cap);
            else
                append_field(text, cap, &inner);
            append(text, cap, " ", 0);
        }
        append(text, cap, "|", 0);
    }
    append(text, cap, "]", 0);
    CU_ASSERT_EQUAL(nfl_list_next(&list, NULL), NFL_DONE);
}

static void lists_come_out(void)
{
    static const struct {
        const char *name, *kind, *hex, *want;
    } t[] = {
        {"a basicList", BASIC, "03 000a 0004 00000001 00000002", "3[10=00000001 |10=00000002 |]"},
        {"an empty basicList", BASIC, "ff 000a 0004", "255[]"},
        {"a basicList of an enterprise", BASIC, "00 8001 0002 00003039 0102 0304",
         "0[12345/1=0102 |12345/1=0304 |]"},
        {"a basicList of strings", BASIC, "04 0052 ffff 02 6162 00 ff0001 63", "4[82=6162 |82= |82=63 |]"},
        {"a subTemplateList", SUB, "01 0101 0a000001 0050 0a000002 01bb",
         "1[257:8=0a000001 7=0050 |257:8=0a000002 7=01bb |]"},
        {"an empty subTemplateList", SUB, "01 0101", "1[]"},
        {"a subTemplateList of variable records", SUB, "03 0102 01 61 00", "3[258:82=61 |258:82= |]"},
        {"a subTemplateMultiList", MULTI, "02 0101 000a 0a000001 0050 0102 0008 01 61 01 62",
         "2[257:8=0a000001 7=0050 |258:82=61 |258:82=62 |]"},
        {"an empty group", MULTI, "02 0101 0004 0102 0006 01 61", "2[258:82=61 |]"},
        {"a basicList in a subTemplateList", SUB, "03 0103 07 03 0004 0001 06 11 06 03 0004 0001 3a",
         "3[259:3[4=06 |4=11 |] |259:3[4=3a |] |]"},
        {"lists within lists", BASIC, "03 0123 ffff 06 03 0004 0001 06 06 03 0004 0001 11",
         "3[3[4=06 |] |3[4=11 |] |]"},
        {"a group of an unknown template does not hide the next", MULTI,
         "02 0999 0008 00000000 0102 0006 01 61", "2[2457:unknown 4|258:82=61 |]"},
        {"a subTemplateList of an unknown template", SUB, "02 0999 00000000", "2[2457:unknown 4|]"},
        {"values of 0 bytes would never end", BASIC, "03 000a 0000 01", "3[bad 1|]"},
        {"records of 0 bytes would never end", SUB, "03 0104 01", "3[260:bad 1|]"},
        {"a rest shorter than a value", BASIC, "03 000a 0004 00000001 0000", "3[10=00000001 |bad 2|]"},
        {"a value longer than its list", BASIC, "03 0052 ffff 05 61", "3[bad 2|]"},
        {"a length of three bytes that is cut", BASIC, "03 0052 ffff ff00", "3[bad 2|]"},
        {"a group length of 3", MULTI, "02 0101 0003 0102 0006 01 61", "2[257:bad 10|]"},
        {"a group longer than its list", MULTI, "02 0101 0020 0a000001 0050", "2[257:bad 10|]"},
        {"a group head that is cut", MULTI, "02 0101 00", "2[257:bad 3|]"},
        {"a fault in a group stays in it", MULTI, "02 0101 0006 0a00 0102 0006 01 61",
         "2[257:bad 2|258:82=61 |]"},
    };
    char text[400];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        nfl_record_field field;
        uint8_t *bytes = open_record(parser, t[i].kind, t[i].hex, &field);
        text[0] = 0;
        describe(parser, NULL, &field, text, sizeof text);
        NFL_CHECK(t[i].name, strcmp(text, t[i].want) == 0);
        if (strcmp(text, t[i].want) != 0)
            printf("    got %s\n", text);
        free(bytes);
        nfl_parser_free(parser);
    }
}

static void heads_are_checked(void)
{
    static const struct {
        const char *name, *kind, *hex;
    } t[] = {
        {"nothing", BASIC, ""},
        {"a basicList's head", BASIC, "03 000a 00"},
        {"an enterprise", BASIC, "03 8001 0004 0000"},
        {"a template id", SUB, "03 01"},
        {"a semantic", MULTI, ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        nfl_record_field field;
        nfl_error err;
        uint8_t *bytes = open_record(parser, t[i].kind, t[i].hex, &field);
        nfl_list list = {.struct_size = sizeof list, .depth = 77};
        NFL_CHECK(t[i].name, nfl_list_open(&list, parser, NULL, &field, &err) == NFL_E_TRUNCATED);
        NFL_CHECK(t[i].name, list.depth == 77);
        free(bytes);
        nfl_parser_free(parser);
    }
}

static void arguments_are_checked(void)
{
    nfl_parser *parser = new_parser(0);
    nfl_record_field field;
    uint8_t *bytes = open_record(parser, BASIC, "03 000a 0004 00000001", &field);
    nfl_list small = {.struct_size = 4}, list = {.struct_size = sizeof list};
    CU_ASSERT_EQUAL(nfl_list_open(&small, parser, NULL, &field, NULL), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_list_kind(&field), NFL_ELEMENT_BASIC_LIST);
    nfl_record_field proto;
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 1, &proto), NFL_OK);
    CU_ASSERT(proto.id == 4 && nfl_list_kind(&proto) == 0);
    CU_ASSERT_EQUAL(nfl_list_open(&list, parser, NULL, &proto, NULL), NFL_E_ARG);
    CU_ASSERT_EQUAL_FATAL(nfl_list_open(&list, parser, NULL, &field, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_list_next_field(&list, &proto), NFL_DONE); /* no element yet */
    free(bytes);
    nfl_parser_free(parser);
}

static void depth_is_bounded(void)
{
    nfl_parser *parser = new_parser(0);
    nfl_record_field field;
    uint8_t *bytes = open_record(parser, BASIC, "03 0123 0005 03 0123 0005", &field);
    nfl_list within = {.struct_size = sizeof within, .depth = NFL_LIST_MAX_DEPTH - 2};
    nfl_list list = {.struct_size = sizeof list};
    CU_ASSERT_EQUAL(nfl_list_open(&list, parser, &within, &field, NULL), NFL_OK);
    CU_ASSERT_EQUAL(list.depth, NFL_LIST_MAX_DEPTH - 1);
    within.depth++;
    CU_ASSERT_EQUAL(nfl_list_open(&list, parser, &within, &field, NULL), NFL_E_LIMIT);
    free(bytes);
    nfl_parser_free(parser);
}

/* Read all there is, lists within lists too; returns the number of elements, faults included. */
static size_t read_all(const nfl_parser *parser, const nfl_list *within, const nfl_record_field *field)
{
    nfl_list list = {.struct_size = sizeof list};
    size_t elements = 0;
    nfl_status status;
    if (nfl_list_open(&list, parser, within, field, NULL) < 0)
        return 0;
    while ((status = nfl_list_next(&list, NULL)) != NFL_DONE) {
        nfl_record_field inner;
        elements++;
        CU_ASSERT_FATAL(elements <= field->len);
        CU_ASSERT(list.element >= field->data && list.element + list.element_len <= field->data + field->len);
        while (nfl_list_next_field(&list, &inner) == NFL_OK) {
            CU_ASSERT(inner.data >= list.element &&
                      inner.data + inner.len <= list.element + list.element_len);
            elements += nfl_list_kind(&inner) ? read_all(parser, &list, &inner) : 0;
        }
    }
    return elements;
}

/* Every list of the table, cut and changed at each byte: no element reaches beyond its list, no list is endless. */
static void any_bytes_are_safe(void)
{
    static const char *const t[][2] = {
        {BASIC, "03 0123 ffff 06 03 0004 0001 06 06 03 0004 0001 11"},
        {SUB, "03 0103 07 03 0004 0001 06 11 3a 05 03 0004 0001"},
        {MULTI, "02 0101 000a 0a000001 0050 0102 0008 01 61 01 62 0104 0004 0103 000a 05 03 0004 0001"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        nfl_record_field field;
        uint8_t *bytes = open_record(parser, t[i][0], t[i][1], &field);
        uint32_t len = field.len;
        const uint8_t *original = field.data;
        for (uint32_t at = 0; at < len; at++) {
            uint8_t *cut = test_exact(original, at);
            field.data = cut;
            field.len = at;
            (void)read_all(parser, NULL, &field);
            free(cut);
            for (unsigned value = 0; value < 256; value++) {
                uint8_t *changed = test_exact(original, len);
                changed[at] = (uint8_t)value;
                field.data = changed;
                field.len = len;
                (void)read_all(parser, NULL, &field);
                free(changed);
            }
        }
        free(bytes);
        nfl_parser_free(parser);
    }
}

NFL_SUITE("list", {"lists come out", lists_come_out}, {"heads are checked", heads_are_checked},
          {"arguments are checked", arguments_are_checked}, {"depth is bounded", depth_is_bounded},
          {"any bytes are safe", any_bytes_are_safe})

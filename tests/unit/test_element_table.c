#include <CUnit/Basic.h>
#include <netflow/element.h>
#include <netflow/list.h>
#include <netflow/parser.h>

#include "datagram.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* From an exact-size block, so that a byte too far is seen. */
static nfl_status load(const char *text, size_t len, nfl_element_table **out, nfl_error *err)
{
    void *copy = test_exact(text, len);
    nfl_status status = nfl_element_table_load(copy, len, NULL, out, err);
    free(copy);
    return status;
}

static int is_element(const nfl_element *e, uint32_t pen, uint16_t id, uint8_t type, uint8_t semantics,
                      const char *name)
{
    return e && e->pen == pen && e->id == id && e->type == type && e->semantics == semantics &&
           strcmp(e->name, name) == 0;
}

static void rows_become_elements(void)
{
    static const struct {
        const char *name, *text;
        size_t count;
        uint32_t pen;
        uint16_t id;
        uint8_t type, semantics;
        const char *wanted;
    } t[] = {
        {"without titles", "12345,1,acmeUser,string\n", 1, 12345, 1, NFL_ELEMENT_STRING, 0, "acmeUser"},
        {"semantics", "12345,1,acmeBytes,unsigned64,deltaCounter\n", 1, 12345, 1, NFL_ELEMENT_U64,
         NFL_SEMANTICS_DELTA_COUNTER, "acmeBytes"},
        {"no type", "12345,1,acmeThing", 1, 12345, 1, NFL_ELEMENT_OCTETS, 0, "acmeThing"},
        {"a type nobody knows", "12345,1,acmeThing,aclid\n", 1, 12345, 1, NFL_ELEMENT_OCTETS, 0, "acmeThing"},
        {"upper and lower case of a type", "12345,1,acmeThing,IPV6ADDRESS\n", 1, 12345, 1, NFL_ELEMENT_IPV6, 0,
         "acmeThing"},
        {"titles as in merged lists", "pen,vendor,ie,name,type,source\n5951,Citrix,3,nsThing,unsigned8,x.csv\n", 1, 5951,
         3, NFL_ELEMENT_U8, 0, "nsThing"},
        {"titles as IANA's, and rows of what is not assigned",
         "elementId,name,dataType,semantics,units\r\n0,Reserved,,,\r\n1,myOctets,unsigned64,deltaCounter,\"a \"\"b\"\" c,\n"
         "d\"\r\n65-69,Assigned,,,\r\n",
         1, 0, 1, NFL_ELEMENT_U64, NFL_SEMANTICS_DELTA_COUNTER, "myOctets"},
        {"a built-in one renamed", "0,8,clientAddress,ipv4Address\n", 1, 0, 8, NFL_ELEMENT_IPV4, 0, "clientAddress"},
        {"listed twice", "1,2,old,string\n7,7,x,string\n1,2,new,unsigned8\n", 2, 1, 2, NFL_ELEMENT_U8, 0, "new"},
        {"comments, empty lines, a byte order mark", "\xef\xbb\xbf; from Acme\n\n# more\n\n12345,1,acme User 2.0,string\n\n",
         1, 12345, 1, NFL_ELEMENT_STRING, 0, "acme User 2.0"},
        {"quotes", "\"12345\",\"1\",\"acmeUser\",\"string\"\r\n", 1, 12345, 1, NFL_ELEMENT_STRING, 0, "acmeUser"},
        {"reverse elements are told by the forward ones", "29305,8,wrong,string\n0,8,right,ipv4Address\n", 1, 29305, 8,
         NFL_ELEMENT_IPV4, 0, "right"},
        {"largest numbers", "4294967295,65535,last,float64\n", 1, 4294967295u, 65535, NFL_ELEMENT_F64, 0, "last"},
        {"more columns than are looked at", "1,2,n,string,,,,,,,,,,,,,,,,,,,,,\n", 1, 1, 2, NFL_ELEMENT_STRING, 0, "n"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_element_table *table = NULL;
        nfl_error err = {0};
        NFL_CHECK(t[i].name, load(t[i].text, strlen(t[i].text), &table, &err) == NFL_OK);
        if (!table)
            continue;
        const nfl_element *e = nfl_element_table_find(table, t[i].pen, t[i].id);
        uint32_t pen = t[i].pen == 29305 ? 0 : t[i].pen;
        NFL_CHECK(t[i].name, is_element(e, pen, t[i].id, t[i].type, t[i].semantics, t[i].wanted));
        NFL_CHECK(t[i].name, nfl_element_table_count(table) == t[i].count);
        NFL_CHECK(t[i].name, nfl_element_table_find(table, 0, 12) == nfl_element_find(0, 12));
        NFL_CHECK(t[i].name, nfl_element_table_find(table, 77, 12) == NULL);
        nfl_element_table_free(table);
    }
    CU_ASSERT_PTR_EQUAL(nfl_element_table_find(NULL, 0, 12), nfl_element_find(0, 12));
    nfl_element_table_free(NULL);
}

static void faults_are_told_with_their_line(void)
{
    static const struct {
        const char *text, *message;
    } t[] = {
        {"1,2,n\n1,x,n\n", "line 2: no element number: \"x\""},
        {"1,65536,n\n", "line 1: no element number: \"65536\""},
        {"1,2,n\n\n# c\n4294967296,2,n\n", "line 4: no enterprise number: \"4294967296\""},
        {"pen,id,name\n-1,2,n\n", "line 2: no enterprise number: \"-1\""},
        {"1,2\n", "line 1: no name of 1 to 127 printable characters: \"\""},
        {"1,2,\"a\"\"b\"\n", "line 1: no name of 1 to 127 printable characters: \"a\"\"b\""},
        {"1,2,a\\b\n", "line 1: no name of 1 to 127 printable characters: \"a\\b\""},
        {"1,2,\"n\n\n", "line 1: a quote is not closed"},
        {"1,2,\"n\"x\n", "line 1: text behind a closing quote"},
        {"elementId,name,dataType\n1,\"a\n\n\",string\n", "line 2: no name of 1 to 127 printable characters: \"a\n\n\""},
        {"id,name,type\n\"\n\n\",n,string\n1,n,string\n", "line 2: no element number: \"\n\n\""},
        {"1,2,\"n\",\"\n\"\n3,,n\n", "line 3: no element number: \"\""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_element_table *table = NULL;
        nfl_error err = {0};
        NFL_CHECK(t[i].message, load(t[i].text, strlen(t[i].text), &table, &err) == NFL_E_SYNTAX);
        NFL_CHECK(t[i].message, table == NULL && strcmp(err.message, t[i].message) == 0);
        if (strcmp(err.message, t[i].message) != 0)
            printf("    got: %s\n", err.message);
    }
}

static void tables_are_bounded(void)
{
    enum { ROW = 12, MOST = 65536 };
    char *text = malloc((size_t)ROW * (MOST + 1) + 1);
    nfl_element_table *table = NULL;
    nfl_error err = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i <= MOST; i++)
        snprintf(text + i * ROW, ROW + 1, "%03zu,%05zu,n\n", i / 60000, i % 60000);
    CU_ASSERT_EQUAL(load(text, (size_t)ROW * MOST, &table, &err), NFL_OK);
    CU_ASSERT(table && nfl_element_table_count(table) == MOST);
    CU_ASSERT(is_element(nfl_element_table_find(table, 1, 5535), 1, 5535, NFL_ELEMENT_OCTETS, 0, "n"));
    CU_ASSERT(nfl_element_table_memory(table) < 4 << 20);
    nfl_element_table_free(table);
    CU_ASSERT_EQUAL(load(text, (size_t)ROW * (MOST + 1), &table, &err), NFL_E_LIMIT);
    CU_ASSERT_STRING_EQUAL(err.message, "line 65537: more than 65536 elements");
    free(text);
    CU_ASSERT_EQUAL(load("", 0, &table, &err), NFL_OK);
    CU_ASSERT_EQUAL(nfl_element_table_count(table), 0);
    nfl_element_table_free(table);
    CU_ASSERT_EQUAL(nfl_element_table_load(NULL, 0, NULL, &table, &err), NFL_OK);
    nfl_element_table_free(table);
}

/* Text of the characters that matter, at random: it loads or it does not. */
static void any_text_is_harmless(void)
{
    static const char letters[] = ",,,\"\"\n\r1239nab;#\\\0\xff";
    test_random r = {test_seed()};
    for (int round = 0; round < 20000; round++) {
        char text[48];
        size_t len = test_below(&r, sizeof text);
        nfl_element_table *table = NULL;
        for (size_t i = 0; i < len; i++)
            text[i] = letters[test_below(&r, sizeof letters - 1)];
        nfl_status status = load(text, len, &table, NULL);
        CU_ASSERT(status == NFL_OK || status == NFL_E_SYNTAX);
        CU_ASSERT((table != NULL) == (status == NFL_OK));
        nfl_element_table_free(table);
    }
}

static void the_parser_uses_the_hosts_elements(void)
{
    static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};
    static const char text[] = "12345,7,acmeList,basicList\n";
    static test_datagram d;
    const nfl_event *event;
    nfl_record_field field, inner;
    nfl_element_table *table = NULL;
    CU_ASSERT_EQUAL_FATAL(load(text, strlen(text), &table, NULL), NFL_OK);
    test_ipfix(&d, 1694498816, 1, 7);
    test_bytes(&d, "0002 0010 0100 0001 8007 ffff 00003039 0100 000c 07 03 0004 0001 06 11");
    test_close(&d);
    for (int with = 0; with < 2; with++) {
        NFL_OPTS(nfl_parser_opts, opts, .elements = with ? table : NULL);
        nfl_parser *parser = NULL;
        nfl_list list = {.struct_size = sizeof list};
        CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
        CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, 1, d.bytes, d.len, NULL), NFL_OK);
        do {
            CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
        } while (event->kind != NFL_EVENT_RECORD);
        CU_ASSERT_EQUAL_FATAL(nfl_parser_field(parser, 0, &field), NFL_OK);
        const nfl_element *element = nfl_parser_describe(parser, field.pen, field.id);
        nfl_status status = nfl_list_open(&list, parser, NULL, &field, NULL);
        CU_ASSERT(status == (with ? NFL_OK : NFL_E_ARG));
        CU_ASSERT((element != NULL) == with);
        if (status == NFL_OK) {
            CU_ASSERT(nfl_list_next(&list, NULL) == NFL_OK && nfl_list_next_field(&list, &inner) == NFL_OK);
            CU_ASSERT(inner.id == 4 && inner.len == 1 && inner.data[0] == 6);
        }
        nfl_parser_free(parser);
    }
    nfl_element_table_free(table);
}

static nfl_status scenario(const nfl_alloc *alloc, void *ctx)
{
    nfl_element_table *table = NULL;
    const char *text = ctx;
    nfl_status status = nfl_element_table_load(text, strlen(text), alloc, &table, NULL);
    nfl_element_table_free(table);
    return status;
}

static void allocation_failures_leak_nothing(void)
{
    static char text[] = "1,2,a,string\n3,4,b,string\n";
    CU_ASSERT_EQUAL(test_allocation_failures(scenario, text, 0), 3);
}

/* IANA's own list and the merged one of vendors: all of it is what is built in. */
static void registries_load(void)
{
    static const struct {
        const char *file;
        size_t least;
    } t[] = {{"registries/iana/ipfix-information-elements.csv", 450},
             {"registries/enterprise/enterprise-ies-merged.csv", 2000}};
    if (!test_shared()) {
        printf("\n    skipped: NETFLOW_SHARED is not set ");
        return;
    }
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char path[512];
        size_t len = 0;
        nfl_error err = {0};
        nfl_element_table *table = NULL;
        snprintf(path, sizeof path, "%s/%s", test_shared(), t[i].file);
        uint8_t *text = test_read_file(path, &len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT_EQUAL(nfl_element_table_load(text, len, NULL, &table, &err), NFL_OK);
        free(text);
        if (!table) {
            printf("\n    %s: %s\n", t[i].file, err.message);
            continue;
        }
        NFL_CHECK(t[i].file, nfl_element_table_count(table) >= t[i].least);
        for (size_t j = 0; i == 0 && nfl_element_at(j) && nfl_element_at(j)->pen == 0 && nfl_element_at(j)->id < 32768; j++) {
            const nfl_element *built_in = nfl_element_at(j);
            NFL_CHECK(built_in->name, is_element(nfl_element_table_find(table, 0, built_in->id), 0, built_in->id,
                                                 built_in->type, built_in->semantics, built_in->name));
        }
        nfl_element_table_free(table);
    }
}

NFL_SUITE("element table", {"rows become elements", rows_become_elements},
          {"faults are told with their line", faults_are_told_with_their_line},
          {"tables are bounded", tables_are_bounded}, {"any text is harmless", any_text_is_harmless},
          {"the parser uses the host's elements", the_parser_uses_the_hosts_elements},
          {"allocation failures leak nothing", allocation_failures_leak_nothing},
          {"registries load", registries_load})

#include <CUnit/Basic.h>
#include <netflow/element.h>

#include "record/fields.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void test_elements_are_as_registered(void)
{
    static const struct {
        uint16_t id;
        uint8_t type, semantics;
        const char *name;
    } t[] = {
        {1, NFL_ELEMENT_U64, NFL_SEMANTICS_DELTA_COUNTER, "octetDeltaCount"},
        {4, NFL_ELEMENT_U8, NFL_SEMANTICS_IDENTIFIER, "protocolIdentifier"},
        {6, NFL_ELEMENT_U16, NFL_SEMANTICS_FLAGS, "tcpControlBits"},
        {8, NFL_ELEMENT_IPV4, NFL_SEMANTICS_DEFAULT, "sourceIPv4Address"},
        {28, NFL_ELEMENT_IPV6, NFL_SEMANTICS_DEFAULT, "destinationIPv6Address"},
        {56, NFL_ELEMENT_MAC, NFL_SEMANTICS_DEFAULT, "sourceMacAddress"},
        {85, NFL_ELEMENT_U64, NFL_SEMANTICS_TOTAL_COUNTER, "octetTotalCount"},
        {95, NFL_ELEMENT_OCTETS, NFL_SEMANTICS_DEFAULT, "applicationId"},
        {96, NFL_ELEMENT_STRING, NFL_SEMANTICS_DEFAULT, "applicationName"},
        {152, NFL_ELEMENT_MILLISECONDS, NFL_SEMANTICS_DEFAULT, "flowStartMilliseconds"},
        {154, NFL_ELEMENT_MICROSECONDS, NFL_SEMANTICS_DEFAULT, "flowStartMicroseconds"},
        {291, NFL_ELEMENT_BASIC_LIST, NFL_SEMANTICS_LIST, "basicList"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const nfl_element *e = nfl_element_find(0, t[i].id);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        NFL_CHECK(t[i].name, e->pen == 0 && e->id == t[i].id && e->type == t[i].type && e->semantics == t[i].semantics);
        NFL_CHECK(t[i].name, strcmp(e->name, t[i].name) == 0);
        NFL_CHECK(t[i].name, nfl_element_find_name(t[i].name) == e);
    }
}

static void test_elements_nobody_registered_are_not_found(void)
{
    static const struct {
        uint32_t pen;
        uint16_t id;
    } t[] = {{0, 0}, {0, 105}, {0, 32767}, {0, 65535}, {4294967295u, 1}, {4294967294u, 130}, {1, 1}, {29305, 0}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        CU_ASSERT_PTR_NULL(nfl_element_find(t[i].pen, t[i].id));
    CU_ASSERT_PTR_NULL(nfl_element_find_name("nosuchElement"));
    CU_ASSERT_PTR_NULL(nfl_element_find_name("sourceipv4address"));
    CU_ASSERT_PTR_NULL(nfl_element_find_name(""));
}

static void test_a_reverse_element_is_described_by_its_forward_one(void)
{
    CU_ASSERT_PTR_EQUAL(nfl_element_find(29305, 1), nfl_element_find(0, 1));
}

static void test_field_types_of_netflow_9_vendors_are_known(void)
{
    CU_ASSERT_STRING_EQUAL(nfl_element_find(0, 33002)->name, "fwExtEvent");
    CU_ASSERT_STRING_EQUAL(nfl_element_find(0, 56701)->name, "paloAltoAppId");
}

static void test_the_table_is_sorted_and_every_row_is_found(void)
{
    const nfl_element *last = NULL;
    for (size_t i = 0; i < nfl_element_count(); i++) {
        const nfl_element *e = nfl_element_at(i);
        NFL_CHECK(e->name, nfl_element_find(e->pen, e->id) == e);
        NFL_CHECK(e->name, !last || last->pen < e->pen || (last->pen == e->pen && last->id < e->id));
        NFL_CHECK(e->name, *e->name && strspn(e->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == strlen(e->name));
        NFL_CHECK(e->name, *nfl_element_type_name(e->type) != '?' && e->semantics <= NFL_SEMANTICS_SNMP_GAUGE);
        NFL_CHECK(e->name, nfl_element_find_name(e->name)->pen <= e->pen);
        last = e;
    }
    CU_ASSERT_PTR_NULL(nfl_element_at(nfl_element_count()));
    CU_ASSERT(nfl_element_count() >= 500);
}

/* What fields.def says about elements exists. */
static void test_the_elements_of_every_field_are_registered(void)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        const nfl_field_info *row = nfl__field_row(field);
        for (const char *p = row->elements; *p;) {
            char *rest;
            unsigned long id = strtoul(p, &rest, 10), pen = 0;
            if (*rest == '/') {
                pen = id;
                id = strtoul(rest + 1, &rest, 10);
            }
            NFL_CHECK(row->name, rest > p && nfl_element_find((uint32_t)pen, (uint16_t)id) != NULL);
            p = rest + (*rest == ' ');
        }
    }
}

static void test_types_have_the_names_of_the_rfc(void)
{
    CU_ASSERT_STRING_EQUAL(nfl_element_type_name(NFL_ELEMENT_OCTETS), "octetArray");
    CU_ASSERT_STRING_EQUAL(nfl_element_type_name(NFL_ELEMENT_SUB_TEMPLATE_MULTI_LIST), "subTemplateMultiList");
    CU_ASSERT_STRING_EQUAL(nfl_element_type_name(NFL_ELEMENT_U256), "unsigned256");
    CU_ASSERT_STRING_EQUAL(nfl_element_type_name(24), "?");
    CU_ASSERT_STRING_EQUAL(nfl_element_type_name(UINT32_MAX), "?");
}

NFL_SUITE("element", {"elements are as registered", test_elements_are_as_registered},
          {"elements nobody registered are not found", test_elements_nobody_registered_are_not_found},
          {"a reverse element is described by its forward one", test_a_reverse_element_is_described_by_its_forward_one},
          {"field types of NetFlow v9 vendors are known", test_field_types_of_netflow_9_vendors_are_known},
          {"the table is sorted and every row is found", test_the_table_is_sorted_and_every_row_is_found},
          {"the elements of every field are registered", test_the_elements_of_every_field_are_registered},
          {"types have the names of the RFC", test_types_have_the_names_of_the_rfc})

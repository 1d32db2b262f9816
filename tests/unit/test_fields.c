#include <CUnit/Basic.h>

#include "record/fields.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static nfl_value fields_get(const nfl_flow *flow, uint32_t field)
{
    nfl_value value = {.struct_size = sizeof value};
    nfl_flow_get(flow, field, &value);
    return value;
}

static void test_every_field_has_a_row_that_describes_the_flow(void)
{
    for (uint32_t field = 0; field < 300; field++) {
        nfl_field_info info = {.struct_size = sizeof info};
        nfl_status status = nfl_field_get(field, &info);
        int exists = field < NFL_FIELD_STORED_COUNT || (field >= 64 && field <= NFL_FIELD_TIME);
        CU_ASSERT_EQUAL(status, exists ? NFL_OK : NFL_E_NOT_FOUND);
        if (status != NFL_OK)
            continue;
        NFL_CHECK(info.name, info.field == field);
        NFL_CHECK(info.name, info.derived == (field >= 64));
        NFL_CHECK(info.name, info.derived || info.offset + info.width <= sizeof(nfl_flow));
        NFL_CHECK(info.name, *info.name && *info.title && *info.doc);
        NFL_CHECK(info.name, info.doc[strlen(info.doc) - 1] == '.');
    }
}

static void test_no_two_stored_fields_overlap(void)
{
    uint8_t used[sizeof(nfl_flow)] = {0};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        for (uint32_t i = 0; i < nfl__field_slots[field].width; i++)
            NFL_CHECK(nfl__field_row(field)->name, used[nfl__field_slots[field].offset + i]++ == 0);
    }
}

static void test_the_rows_can_be_walked(void)
{
    uint32_t i = 0;
    for (const nfl_field_info *row; (row = nfl__field_at(i)) != NULL; i++)
        CU_ASSERT_PTR_EQUAL(nfl__field_row(row->field), row);
    CU_ASSERT_EQUAL(i, NFL_FIELD_STORED_COUNT + NFL_FIELD_TIME - 63);
}

static void test_a_caller_of_another_age_gets_what_it_has_room_for(void)
{
    struct {
        nfl_field_info info;
        uint64_t later;
    } newer = {.info = {.struct_size = sizeof newer}, .later = 7};
    CU_ASSERT_EQUAL(nfl_field_get(NFL_FIELD_SRC, &newer.info), NFL_OK);
    CU_ASSERT_EQUAL(newer.info.struct_size, sizeof newer);
    CU_ASSERT_STRING_EQUAL(newer.info.name, "src");
    nfl_field_info older = {.struct_size = offsetof(nfl_field_info, elements), .doc = "kept"};
    CU_ASSERT_EQUAL(nfl_field_get(NFL_FIELD_SRC, &older), NFL_OK);
    CU_ASSERT_STRING_EQUAL(older.title, "Source");
    CU_ASSERT_STRING_EQUAL(older.doc, "kept");
    nfl_field_info unset = {.struct_size = 0};
    CU_ASSERT_EQUAL(nfl_field_get(NFL_FIELD_SRC, &unset), NFL_E_ARG);
}

static void test_fields_are_found_by_name_and_alias(void)
{
    static const struct {
        const char *name;
        uint32_t want;
    } t[] = {
        {"bytes", NFL_FIELD_BYTES},     {"octets", NFL_FIELD_BYTES},   {"BYTES", NFL_FIELD_BYTES},
        {"Src_Port", NFL_FIELD_SRC_PORT}, {"host", NFL_FIELD_IP},      {"net", NFL_FIELD_IP},
        {"host net", NFL_FIELD_NONE},   {"interface", NFL_FIELD_IF},   {"duration", NFL_FIELD_DURATION},
        {"", NFL_FIELD_NONE},           {"byte", NFL_FIELD_NONE},      {"bytesx", NFL_FIELD_NONE},
        {"hostnet", NFL_FIELD_NONE},    {"src\x5fport", NFL_FIELD_SRC_PORT},
        {"src\x7fport", NFL_FIELD_NONE},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *exact = test_exact(t[i].name, strlen(t[i].name));
        NFL_CHECK(t[i].name, nfl_field_find(exact, strlen(t[i].name)) == t[i].want);
        free(exact);
    }
}

static void test_every_name_and_alias_is_found_and_unique(void)
{
    for (uint32_t i = 0; nfl__field_at(i); i++) {
        const nfl_field_info *row = nfl__field_at(i);
        NFL_CHECK(row->name, nfl_field_find(row->name, strlen(row->name)) == row->field);
        for (const char *word = row->aliases; *word; word += strspn(word, " ")) {
            size_t len = strcspn(word, " ");
            NFL_CHECK(word, nfl_field_find(word, len) == row->field);
            word += len;
        }
    }
}

static void test_what_is_set_is_read_back(void)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        const nfl_field_info *row = nfl__field_row(field);
        nfl_flow flow = {.struct_size = sizeof flow};
        if (row->type == NFL_TYPE_IP)
            continue;
        uint64_t largest = row->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * row->width) - 1;
        nfl__flow_set_u64(&flow, field, UINT64_MAX);
        nfl_value value = fields_get(&flow, field);
        NFL_CHECK(row->name, value.present && value.u64 == largest);
        NFL_CHECK(row->name, value.type == row->type && value.kind == row->kind);
        NFL_CHECK(row->name, flow.present == NFL_HAS(field));
    }
}

static void test_addresses_are_read(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .present = NFL_HAS(NFL_FIELD_DST)};
    flow.dst = nfl_ip_from_v4(0x0a000001);
    nfl_value dst = fields_get(&flow, NFL_FIELD_DST), src = fields_get(&flow, NFL_FIELD_SRC);
    CU_ASSERT(dst.present && nfl_ip_compare(&dst.ip, &flow.dst) == 0);
    CU_ASSERT(!src.present && src.type == NFL_TYPE_IP);
}

static void test_counters_are_scaled_by_the_sampling_rate(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .bytes = 1000, .packets = 10, .flows = 1, .sampling = 100, .present = UINT64_MAX};
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_BYTES).u64, 100000);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_PACKETS).u64, 1000);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_FLOWS).u64, 1);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_SAMPLING).u64, 100);
    CU_ASSERT_EQUAL(nfl_flow_scaled(&flow, UINT64_MAX / 100 + 1), UINT64_MAX);
    CU_ASSERT_EQUAL(nfl_flow_scaled(&flow, UINT64_MAX / 100), UINT64_MAX / 100 * 100);
    flow.sampling = 0;
    CU_ASSERT_EQUAL(nfl_flow_scaled(&flow, 5), 5);
    flow.sampling = 1;
    CU_ASSERT_EQUAL(nfl_flow_scaled(&flow, UINT64_MAX), UINT64_MAX);
}

static void test_derived_fields_are_computed(void)
{
    nfl_flow flow = {.struct_size = sizeof flow,
                     .first_us = 1000000,
                     .last_us = 3500000,
                     .bytes = 1000,
                     .packets = 3,
                     .sampling = 10,
                     .present = UINT64_MAX};
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_DURATION).u64, 2500000);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_BPS).u64, 32000);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_PPS).u64, 12);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_BPP).u64, 333);
    flow.packets = 0;
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_BPP).present);
    flow.last_us = 1000;
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_DURATION).u64, 0);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_BPS).u64, 80000);
    flow.present &= ~NFL_HAS(NFL_FIELD_LAST);
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_DURATION).present);
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_BPS).present);
}

static void test_what_is_always_filled_in_is_present(void)
{
    static const uint32_t always[] = {NFL_FIELD_FIRST, NFL_FIELD_RECEIVED, NFL_FIELD_FLOWS, NFL_FIELD_EXPORTER, NFL_FIELD_DOMAIN, NFL_FIELD_VERSION};
    nfl_flow flow = {.struct_size = sizeof flow, .first_us = 7, .last_us = 7, .received_us = 7};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        CU_ASSERT(fields_get(&flow, always[i]).present);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_FIRST).u64, 7);
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_LAST).present);
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_DURATION).present);
}

static void test_an_older_flow_lacks_later_fields(void)
{
    nfl_flow flow = {.struct_size = offsetof(nfl_flow, fw_event), .fw_event = 3, .max_ttl = 64, .present = UINT64_MAX};
    CU_ASSERT(fields_get(&flow, NFL_FIELD_MAX_TTL).present);
    CU_ASSERT_FALSE(fields_get(&flow, NFL_FIELD_FW_EVENT).present);
    CU_ASSERT_EQUAL(fields_get(&flow, NFL_FIELD_FW_EVENT).u64, 0);
}

static void test_fields_for_filters_only_are_absent(void)
{
    static const uint32_t fields[] = {NFL_FIELD_IP, NFL_FIELD_PORT, NFL_FIELD_AS, NFL_FIELD_IF, NFL_FIELD_TIME, 63, 200, 255};
    nfl_flow flow = {.struct_size = sizeof flow, .present = UINT64_MAX};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        CU_ASSERT_FALSE(fields_get(&flow, fields[i]).present);
}

static void test_rates_neither_overflow_nor_divide_by_zero(void)
{
    CU_ASSERT_EQUAL(nfl__bits_per_second(UINT64_MAX, 0), UINT64_MAX);
    CU_ASSERT_EQUAL(nfl__bits_per_second(0, 0), 0);
    CU_ASSERT_EQUAL(nfl__per_second(UINT64_MAX, 1000000), UINT64_MAX);
    CU_ASSERT_EQUAL(nfl__per_second(7, 2000000), 3);
    CU_ASSERT_EQUAL(nfl__per_second(7, -5), 7);
    uint64_t longest = nfl__per_second(UINT64_MAX, INT64_MAX);
    CU_ASSERT(longest >= 1999998 && longest <= 2000001);
    /* Thirty days at 10 Gbit/s. */
    CU_ASSERT_EQUAL(nfl__bits_per_second(UINT64_C(3240000000000000), INT64_C(2592000000000)), UINT64_C(10000000000));
    CU_ASSERT_EQUAL(nfl__duration(INT64_MIN, INT64_MAX), INT64_MAX);
    CU_ASSERT_EQUAL(nfl__duration(INT64_MAX, INT64_MIN), 0);
}

NFL_SUITE("fields", {"every field has a row that describes the flow", test_every_field_has_a_row_that_describes_the_flow},
          {"no two stored fields overlap", test_no_two_stored_fields_overlap},
          {"the rows can be walked", test_the_rows_can_be_walked},
          {"a caller of another age gets what it has room for", test_a_caller_of_another_age_gets_what_it_has_room_for},
          {"fields are found by name and alias", test_fields_are_found_by_name_and_alias},
          {"every name and alias is found and unique", test_every_name_and_alias_is_found_and_unique},
          {"what is set is read back", test_what_is_set_is_read_back},
          {"addresses are read", test_addresses_are_read},
          {"counters are scaled by the sampling rate", test_counters_are_scaled_by_the_sampling_rate},
          {"derived fields are computed", test_derived_fields_are_computed},
          {"what is always filled in is present", test_what_is_always_filled_in_is_present},
          {"an older flow lacks later fields", test_an_older_flow_lacks_later_fields},
          {"fields for filters only are absent", test_fields_for_filters_only_are_absent},
          {"rates neither overflow nor divide by zero", test_rates_neither_overflow_nor_divide_by_zero})

#include <CUnit/Basic.h>

#include "record/fields.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void value_check(nfl_value value, uint32_t form, const char *want)
{
    char text[NFL_VALUE_TEXT_SIZE];
    value.struct_size = sizeof value;
    value.present = 1;
    size_t len = nfl_value_format(&value, form, text, sizeof text);
    if (strcmp(text, want) != 0)
        printf("\n    got '%s'", text);
    NFL_CHECK(want, strcmp(text, want) == 0 && len == strlen(want));
}

static void test_numbers_in_three_forms(void)
{
    static const struct {
        uint8_t kind;
        uint64_t u64;
        const char *plain, *json, *human;
    } t[] = {
        {NFL_KIND_NUMBER, 0, "0", "0", "0"},
        {NFL_KIND_NUMBER, UINT64_MAX, "18446744073709551615", "18446744073709551615", "18446744073709551615"},
        {NFL_KIND_COUNTER, 999, "999", "999", "999"},
        {NFL_KIND_COUNTER, 1000, "1000", "1000", "1.0 k"},
        {NFL_KIND_COUNTER, 1049, "1049", "1049", "1.0 k"},
        {NFL_KIND_COUNTER, 1050, "1050", "1050", "1.1 k"},
        {NFL_KIND_COUNTER, 1500000, "1500000", "1500000", "1.5 M"},
        {NFL_KIND_COUNTER, 999949, "999949", "999949", "999.9 k"},
        {NFL_KIND_COUNTER, 999950, "999950", "999950", "1.0 M"},
        {NFL_KIND_COUNTER, UINT64_C(12345678901), "12345678901", "12345678901", "12.3 G"},
        {NFL_KIND_COUNTER, UINT64_MAX, "18446744073709551615", "18446744073709551615", "18.4 E"},
        {NFL_KIND_PORT, 443, "443", "443", "443"},
        {NFL_KIND_PROTO, 6, "6", "6", "tcp"},
        {NFL_KIND_PROTO, 58, "58", "58", "icmp6"},
        {NFL_KIND_PROTO, 253, "253", "253", "253"},
        {NFL_KIND_PROTO, 262, "262", "262", "262"},
        {NFL_KIND_FLAGS, 0x1a, "26", "26", "·AP·S·"},
        {NFL_KIND_FLAGS, 0x3f, "63", "63", "UAPRSF"},
        {NFL_KIND_FLAGS, 0, "0", "0", "······"},
        {NFL_KIND_FLAGS, 0xc2, "194", "194", "CE····S·"},
        {NFL_KIND_FLAGS, 0x42, "66", "66", "·E····S·"},
        {NFL_KIND_FLAGS, 0x101, "257", "257", "N·······F"},
        {NFL_KIND_DURATION, 0, "0", "0", "0 us"},
        {NFL_KIND_DURATION, 7, "0.000007", "0.000007", "7 us"},
        {NFL_KIND_DURATION, 250000, "0.25", "0.25", "250 ms"},
        {NFL_KIND_DURATION, 2500000, "2.5", "2.5", "2.5 s"},
        {NFL_KIND_DURATION, 10000000, "10", "10", "10.0 s"},
        {NFL_KIND_DURATION, 90000000, "90", "90", "1 m 30 s"},
        {NFL_KIND_DURATION, UINT64_C(3900000000), "3900", "3900", "1 h 5 m"},
        {NFL_KIND_DURATION, UINT64_C(183600000000), "183600", "183600", "2 d 3 h"},
        {NFL_KIND_DURATION, (uint64_t)-1500000, "-1.5", "-1.5", "-1.5"},
        {NFL_KIND_DURATION, (uint64_t)INT64_MIN, "-9223372036854.775808", "-9223372036854.775808", "-9223372036854.775808"},
        {NFL_KIND_TIME, UINT64_C(1795442709250000), "2026-11-23T14:05:09.250Z", "\"2026-11-23T14:05:09.250Z\"", "2026-11-23 14:05:09.250"},
        {NFL_KIND_TIME, (uint64_t)-1, "1969-12-31T23:59:59.999999Z", "\"1969-12-31T23:59:59.999999Z\"", "1969-12-31 23:59:59.999999"},
        {NFL_KIND_MAC, UINT64_C(0x00005e0053af), "00:00:5e:00:53:af", "\"00:00:5e:00:53:af\"", "00:00:5e:00:53:af"},
        {NFL_KIND_APP, 6u << 16 | 443, "https", "\"https\"", "https"},
        {NFL_KIND_APP, 6u << 16 | 65535, "tcp/65535", "\"tcp/65535\"", "tcp/65535"},
        {0, 5, "5", "5", "5"},
        {200, 5, "5", "5", "5"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_value value = {.kind = t[i].kind, .u64 = t[i].u64};
        value_check(value, NFL_TEXT_PLAIN, t[i].plain);
        value_check(value, NFL_TEXT_JSON, t[i].json);
        value_check(value, NFL_TEXT_HUMAN, t[i].human);
        value_check(value, 99, t[i].plain);
    }
}

static void test_addresses_in_three_forms(void)
{
    nfl_value value = {.type = NFL_TYPE_IP, .kind = NFL_KIND_ADDRESS, .ip = nfl_ip_from_v4(0xc0000201)};
    value_check(value, NFL_TEXT_PLAIN, "192.0.2.1");
    value_check(value, NFL_TEXT_JSON, "\"192.0.2.1\"");
    value_check(value, NFL_TEXT_HUMAN, "192.0.2.1");
    memset(value.ip.b, 0xfd, sizeof value.ip.b);
    value_check(value, NFL_TEXT_JSON, "\"fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd\"");
}

static void test_what_is_absent_looks_absent(void)
{
    static const char *const want[] = {"", "null", "-"};
    for (uint8_t kind = 0; kind < 20; kind++) {
        for (uint32_t form = NFL_TEXT_PLAIN; form <= NFL_TEXT_HUMAN; form++) {
            nfl_value value = {.struct_size = sizeof value, .kind = kind, .u64 = 7};
            char text[NFL_VALUE_TEXT_SIZE];
            CU_ASSERT_EQUAL(nfl_value_format(&value, form, text, sizeof text), strlen(want[form]));
            CU_ASSERT_STRING_EQUAL(text, want[form]);
        }
    }
}

static void test_every_value_fits_the_promised_room(void)
{
    static const uint64_t extremes[] = {0, 1, 999, 999999, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    for (uint8_t kind = 0; kind < 20; kind++) {
        for (uint32_t form = NFL_TEXT_PLAIN; form <= NFL_TEXT_HUMAN; form++) {
            for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
                nfl_value value = {.struct_size = sizeof value, .kind = kind, .present = 1, .u64 = extremes[i]};
                memset(value.ip.b, 0xee, sizeof value.ip.b);
                char text[NFL_VALUE_TEXT_SIZE];
                size_t len = nfl_value_format(&value, form, text, sizeof text);
                CU_ASSERT(len > 0 && len < sizeof text && strlen(text) == len);
                for (size_t cap = 0; cap <= len; cap++) {
                    char *exact = malloc(cap ? cap : 1);
                    CU_ASSERT_EQUAL(nfl_value_format(&value, form, exact, cap), len);
                    CU_ASSERT(cap == 0 || strlen(exact) == cap - 1);
                    free(exact);
                }
            }
        }
    }
}

static void test_every_field_of_a_flow_has_text(void)
{
    test_random random = {test_seed()};
    for (unsigned n = 0; n < 50; n++) {
        nfl_flow flow;
        test_flow(&random, &flow);
        for (uint32_t i = 0; nfl__field_at(i); i++) {
            nfl_value value = {.struct_size = sizeof value};
            nfl_flow_get(&flow, nfl__field_at(i)->field, &value);
            char text[NFL_VALUE_TEXT_SIZE];
            size_t len = nfl_value_format(&value, NFL_TEXT_PLAIN, text, sizeof text);
            NFL_CHECK(nfl__field_at(i)->name, (len != 0) == value.present);
        }
    }
}

NFL_SUITE("value", {"numbers in three forms", test_numbers_in_three_forms},
          {"addresses in three forms", test_addresses_in_three_forms},
          {"what is absent looks absent", test_what_is_absent_looks_absent},
          {"every value fits the promised room", test_every_value_fits_the_promised_room},
          {"every field of a flow has text", test_every_field_of_a_flow_has_text})

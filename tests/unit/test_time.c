#include <CUnit/Basic.h>
#include <netflow/time.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1795442709250000) /* 2026-11-23T14:05:09.250Z */
#define DAY INT64_C(86400000000)
#define TODAY (NOW - NOW % DAY)

static void test_times_are_written_as_rfc_3339(void)
{
    static const struct {
        nfl_usec time_us;
        const char *want;
    } t[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {NOW, "2026-11-23T14:05:09.250Z"},
        {NOW + 1, "2026-11-23T14:05:09.250001Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(4107542399000000), "2100-02-28T23:59:59.000Z"},
        {INT64_C(4107542400000000), "2100-03-01T00:00:00.000Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
        {INT64_C(-62167219200000000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(-62162035200000001), "0000-02-29T23:59:59.999999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char text[NFL_TIME_TEXT_SIZE];
        size_t len = nfl_time_format(t[i].time_us, text, sizeof text);
        NFL_CHECK(t[i].want, strcmp(text, t[i].want) == 0 && len == strlen(t[i].want));
    }
}

static void test_text_is_cut_to_the_buffer(void)
{
    CU_ASSERT_EQUAL(nfl_time_format(0, NULL, 0), 24);
    for (size_t cap = 1; cap < NFL_TIME_TEXT_SIZE; cap++) {
        char *text = malloc(cap);
        CU_ASSERT_EQUAL(nfl_time_format(0, text, cap), 24);
        CU_ASSERT_EQUAL(strlen(text), cap <= 24 ? cap - 1 : 24);
        free(text);
    }
}

static void test_times_are_read(void)
{
    static const struct {
        const char *text;
        nfl_usec want;
    } t[] = {
        {"2026-11-23T14:05:09.25Z", NOW},
        {"2026-11-23t14:05:09.250000z", NOW},
        {"2026-11-23 14:05:09.250", NOW},
        {"2026-11-23 14:05:09.2500009", NOW},
        {"2026-11-23T15:05:09.25+01:00", NOW},
        {"2026-11-22T22:05:09.25-16:00", NOW},
        {"2026-11-24 00:05:09.25+10:00", NOW},
        {"2026-11-23 15:05+01:00", NOW - 9250000},
        {"2026-11-23 14:05", NOW - 9250000},
        {"2026-11-23", TODAY},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2024-02-29", INT64_C(1709164800000000)},
        {"0000-01-01", INT64_C(-62167219200000000)},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"1795442709.25", NOW},
        {"1795442709", NOW - 250000},
        {"0", 0},
        {"0.000001", 1},
        {"2026", INT64_C(2026000000)},
        {"now", NOW},
        {"NOW", NOW},
        {"today", TODAY},
        {"Yesterday", TODAY - DAY},
        {"tomorrow", TODAY + DAY},
        {"-2h", NOW - INT64_C(7200000000)},
        {"+30s", NOW + 30000000},
        {"-1d12h", NOW - DAY * 3 / 2},
        {"-1.5d", NOW - DAY * 3 / 2},
        {"-2w", NOW - 14 * DAY},
        {"-5m250ms7us", NOW - 300250007},
        {"now-15m", NOW - INT64_C(900000000)},
        {"now+1h30m", NOW + INT64_C(5400000000)},
        {"today+8h", TODAY + INT64_C(28800000000)},
        {"Yesterday-1d", TODAY - 2 * DAY},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_usec got = 42;
        nfl_error err;
        NFL_CHECK(t[i].text, nfl_time_parse(text, NOW, &got, &err) == NFL_OK && got == t[i].want);
        free(text);
    }
}

static void test_what_is_no_time_fails_at_its_column(void)
{
    static const struct {
        const char *text;
        uint64_t column;
    } t[] = {
        {"", 0},
        {" now", 0},
        {"noww", 0},
        {"2026-13-01", 5},
        {"2026-00-01", 5},
        {"2026-02-29", 8},
        {"2026-11-31", 8},
        {"2026-1-1", 5},
        {"2026-11-23T", 11},
        {"2026-11-23T24:00", 11},
        {"2026-11-23T14:60", 14},
        {"2026-11-23T14:05:61", 17},
        {"2026-11-23T14:05:09.", 20},
        {"2026-11-23T14", 13},
        {"2026-11-23T14:05 Z", 16},
        {"2026-11-23T14:05+0100", 19},
        {"2026-11-23T14:05+24:00", 17},
        {"2026-11-23Z", 10},
        {"-", 1},
        {"-2", 2},
        {"-2y", 2},
        {"-2h3", 4},
        {"-2h-3m", 3},
        {"now-", 4},
        {"now-15", 6},
        {"now-15m-", 7},
        {"now -15m", 0},
        {"noon-15m", 0},
        {"-99999999999999w", 1},
        {"1795442709.", 11},
        {"1795442709x", 10},
        {"99999999999999999999", 12},
        {"20261-01-01", 5},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_usec got = 42;
        nfl_error err = {0};
        NFL_CHECK(t[i].text, nfl_time_parse(text, NOW, &got, &err) == NFL_E_SYNTAX);
        NFL_CHECK(t[i].text, got == 42 && err.code == NFL_E_SYNTAX && err.offset == t[i].column);
        NFL_CHECK(t[i].text, nfl_time_parse(text, NOW, &got, NULL) == NFL_E_SYNTAX);
        free(text);
    }
}

static void test_no_sum_leaves_the_range(void)
{
    nfl_usec got = 42;
    CU_ASSERT_EQUAL(nfl_time_parse("-1us", INT64_MIN, &got, NULL), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(nfl_time_parse("+1us", INT64_MAX, &got, NULL), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(nfl_time_parse("today", INT64_MIN, &got, NULL), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(nfl_time_parse("now", INT64_MIN, &got, NULL), NFL_OK);
    CU_ASSERT_EQUAL(got, INT64_MIN);
    CU_ASSERT_EQUAL(nfl_time_parse("today", -1, &got, NULL), NFL_OK);
    CU_ASSERT_EQUAL(got, -DAY);
    CU_ASSERT_EQUAL(nfl_time_parse("today", -DAY, &got, NULL), NFL_OK);
    CU_ASSERT_EQUAL(got, -DAY);
}

static void test_durations_are_read(void)
{
    static const struct {
        const char *text;
        nfl_usec want;
    } t[] = {
        {"5m", 300000000},      {"90s", 90000000},        {"1h30m", INT64_C(5400000000)},
        {"250ms", 250000},      {"7us", 7},               {"90", 90000000},
        {"0", 0},               {"2.5", 2500000},         {"0.000001", 1},
        {"1.5h", INT64_C(5400000000)}, {"2w", 14 * DAY},  {"1d", DAY},
        {"9223372036853", INT64_C(9223372036853000000)},  {"922337203685477579us", INT64_C(922337203685477579)},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_usec got = 42;
        NFL_CHECK(t[i].text, nfl_duration_parse(text, &got, NULL) == NFL_OK && got == t[i].want);
        free(text);
    }
}

static void test_what_is_no_duration_fails_at_its_column(void)
{
    static const struct {
        const char *text;
        uint64_t column;
    } t[] = {
        {"", 0},    {"m", 0},      {"-5m", 0},  {"5 m", 1}, {"5m ", 2}, {"1h30", 4}, {"5.m", 2},
        {"5x", 1},  {"5mm", 2},    {"1..5s", 2}, {"99999999999999999999", 12}, {"9223372036855s", 0},
        {"9223372036854s9223372036854s", 14}, {"5M", 1},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_usec got = 42;
        nfl_error err = {0};
        NFL_CHECK(t[i].text, nfl_duration_parse(text, &got, &err) == NFL_E_SYNTAX && got == 42);
        NFL_CHECK(t[i].text, err.offset == t[i].column);
        free(text);
    }
}

NFL_SUITE("time", {"times are written as RFC 3339", test_times_are_written_as_rfc_3339},
          {"text is cut to the buffer", test_text_is_cut_to_the_buffer}, {"times are read", test_times_are_read},
          {"what is no time fails at its column", test_what_is_no_time_fails_at_its_column},
          {"no sum leaves the range", test_no_sum_leaves_the_range}, {"durations are read", test_durations_are_read},
          {"what is no duration fails at its column", test_what_is_no_duration_fails_at_its_column})

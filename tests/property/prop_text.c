/* Laws of text: what is written is read back, and no text breaks a reader. */
#include <CUnit/Basic.h>
#include <netflow/ip.h>
#include <netflow/time.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static test_random text_random(void)
{
    test_random r = {test_seed()};
    printf("(NFL_SEED=%llu) ", (unsigned long long)r.state);
    return r;
}

/* Random addresses with runs of zeros, some of them IPv4. */
static nfl_ip random_ip(test_random *r)
{
    nfl_ip ip = nfl_ip_from_v4((uint32_t)test_next(r));
    if (test_chance(r, 25))
        return ip;
    for (unsigned i = 0; i < 16; i++)
        ip.b[i] = (uint8_t)test_next(r);
    for (unsigned i = 0; i < 8; i++) {
        if (test_chance(r, 50))
            ip.b[2 * i] = ip.b[2 * i + 1] = 0;
    }
    return ip;
}

static void test_addresses_written_are_read_back(void)
{
    test_random r = text_random();
    for (unsigned n = 0; n < 20000; n++) {
        nfl_ip ip = random_ip(&r), back;
        char text[NFL_IP_TEXT_SIZE];
        size_t len = nfl_ip_format(&ip, text, sizeof text);
        NFL_CHECK(text, len == strlen(text) && len < sizeof text);
        NFL_CHECK(text, nfl_ip_parse(text, &back, NULL) == NFL_OK && nfl_ip_compare(&ip, &back) == 0);
    }
}

static void test_a_prefix_holds_exactly_the_addresses_that_share_its_bits(void)
{
    test_random r = text_random();
    for (unsigned n = 0; n < 20000; n++) {
        nfl_ip ip = random_ip(&r), first, last;
        int v4 = nfl_ip_is_v4(&ip);
        unsigned length = (unsigned)test_below(&r, v4 ? 33 : 129), bits = length + (v4 ? 96 : 0);
        char text[NFL_IP_TEXT_SIZE + 4];
        size_t len = nfl_ip_format(&ip, text, sizeof text);
        snprintf(text + len, sizeof text - len, "/%u", length);
        NFL_CHECK(text, nfl_ip_parse_prefix(text, &first, &last, NULL) == NFL_OK);
        for (unsigned bit = 0; bit < 128; bit++) {
            unsigned mask = 0x80u >> bit % 8;
            int a = (first.b[bit / 8] & mask) != 0, b = (last.b[bit / 8] & mask) != 0;
            int own = (ip.b[bit / 8] & mask) != 0;
            NFL_CHECK(text, bit < bits ? a == own && b == own : !a && b);
        }
    }
}

static void test_times_written_are_read_back(void)
{
    test_random r = text_random();
    for (unsigned n = 0; n < 20000; n++) {
        nfl_usec time_us = (nfl_usec)test_below(&r, UINT64_C(315569520000000000)) - INT64_C(62167219200000000), back;
        if (test_chance(&r, 50))
            time_us -= time_us % 1000;
        char text[NFL_TIME_TEXT_SIZE];
        nfl_time_format(time_us, text, sizeof text);
        NFL_CHECK(text, nfl_time_parse(text, 0, &back, NULL) == NFL_OK && back == time_us);
    }
}

static void test_the_calendar_is_that_of_libc(void)
{
    test_random r = text_random();
    for (unsigned n = 0; n < 20000; n++) {
        time_t seconds = (time_t)test_below(&r, UINT64_C(253402300800));
        struct tm tm;
        char want[NFL_TIME_TEXT_SIZE], text[NFL_TIME_TEXT_SIZE];
        gmtime_r(&seconds, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        nfl_time_format((nfl_usec)seconds * 1000000, text, sizeof text);
        NFL_CHECK(want, strcmp(text, want) == 0);
    }
}

static void test_any_text_is_safe_to_read(void)
{
    static const char letters[] = "0123456789abcfF:.:./+-TZ hmsduwnot%";
    test_random r = text_random();
    for (unsigned n = 0; n < 50000; n++) {
        size_t len = test_below(&r, 24);
        char *text = malloc(len + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = test_chance(&r, 2) ? (char)(1 + test_below(&r, 255)) : letters[test_below(&r, sizeof letters - 1)];
        text[len] = 0;
        nfl_ip ip, last;
        nfl_usec time_us;
        nfl_error err = {0};
        nfl_status statuses[4];
        for (unsigned i = 0; i < 4; i++) {
            err.offset = 0;
            statuses[i] = i == 0   ? nfl_ip_parse(text, &ip, &err)
                          : i == 1 ? nfl_ip_parse_prefix(text, &ip, &last, &err)
                          : i == 2 ? nfl_time_parse(text, (nfl_usec)test_next(&r), &time_us, &err)
                                   : nfl_duration_parse(text, &time_us, &err);
            NFL_CHECK(text, statuses[i] == NFL_OK || statuses[i] == NFL_E_SYNTAX);
            NFL_CHECK(text, err.offset <= len);
        }
        NFL_CHECK(text, statuses[0] != NFL_OK || statuses[1] == NFL_OK); /* an address is a prefix */
        NFL_CHECK(text, statuses[3] != NFL_OK || time_us >= 0);
        free(text);
    }
}

NFL_SUITE("text", {"addresses written are read back", test_addresses_written_are_read_back},
          {"a prefix holds exactly the addresses that share its bits", test_a_prefix_holds_exactly_the_addresses_that_share_its_bits},
          {"times written are read back", test_times_written_are_read_back},
          {"the calendar is that of libc", test_the_calendar_is_that_of_libc},
          {"any text is safe to read", test_any_text_is_safe_to_read})

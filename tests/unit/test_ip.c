#include <CUnit/Basic.h>
#include <netflow/ip.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

static nfl_ip ip_of(const uint16_t group[8])
{
    nfl_ip ip;
    for (unsigned i = 0; i < 8; i++) {
        ip.b[2 * i] = (uint8_t)(group[i] >> 8);
        ip.b[2 * i + 1] = (uint8_t)group[i];
    }
    return ip;
}

static void test_addresses_are_written_by_rfc_5952(void)
{
    static const struct {
        uint16_t group[8];
        const char *want;
    } t[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0}, "::"},
        {{0, 0, 0, 0, 0, 0, 0, 1}, "::1"},
        {{1, 0, 0, 0, 0, 0, 0, 0}, "1::"},
        {{0x2001, 0xdb8, 0, 0, 0, 0, 2, 1}, "2001:db8::2:1"},
        {{0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: one group is not shortened */
        {{0x2001, 0, 0, 1, 0, 0, 0, 1}, "2001:0:0:1::1"},            /* 4.2.3: the longest run */
        {{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, "2001:db8::1:0:0:1"},    /* 4.2.3: the first of equals */
        {{0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, 0xaaaa}, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"},
        {{0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0}, "2001:db8:a::"},
        {{0, 0, 1, 0, 0, 0, 0, 0}, "0:0:1::"},
        {{0, 1, 2, 3, 4, 5, 6, 7}, "0:1:2:3:4:5:6:7"},
        {{1, 2, 3, 4, 5, 6, 7, 0}, "1:2:3:4:5:6:7:0"},
        {{0, 0, 1, 2, 3, 4, 5, 6}, "::1:2:3:4:5:6"},
        {{1, 2, 3, 4, 5, 6, 0, 0}, "1:2:3:4:5:6::"},
        {{0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201}, "192.0.2.1"},
        {{0, 0, 0, 0, 0, 0xffff, 0, 0}, "0.0.0.0"},
        {{0, 0, 0, 0, 0, 0xffff, 0xffff, 0xffff}, "255.255.255.255"},
        {{0, 0, 0, 0, 0, 0, 0xc000, 0x0201}, "::c000:201"}, /* IPv4-compatible is deprecated: plain IPv6 */
        {{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char text[NFL_IP_TEXT_SIZE];
        nfl_ip ip = ip_of(t[i].group), back;
        size_t len = nfl_ip_format(&ip, text, sizeof text);
        NFL_CHECK(t[i].want, strcmp(text, t[i].want) == 0 && len == strlen(text));
        NFL_CHECK(t[i].want, nfl_ip_parse(text, &back, NULL) == NFL_OK && nfl_ip_compare(&ip, &back) == 0);
        NFL_CHECK(t[i].want, nfl_ip_is_v4(&ip) == (strchr(t[i].want, '.') != NULL));
    }
}

static void test_text_is_cut_to_the_buffer(void)
{
    nfl_ip ip = nfl_ip_from_v4(0xffffffff);
    CU_ASSERT_EQUAL(nfl_ip_format(&ip, NULL, 0), 15);
    for (size_t cap = 1; cap < 20; cap++) {
        char *text = malloc(cap);
        CU_ASSERT_EQUAL(nfl_ip_format(&ip, text, cap), 15);
        CU_ASSERT_EQUAL(strlen(text), cap <= 15 ? cap - 1 : 15);
        free(text);
    }
}

static void test_addresses_are_read(void)
{
    static const struct {
        const char *text;
        const char *want; /* as written */
    } t[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"010.000.0.001", "10.0.0.1"}, /* decimal, as RFC 3986 and administrators mean it; never octal */
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::A", "2001:db8::a"},
        {"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
        {"::192.0.2.1", "::c000:201"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"1:2:3:4:5::1.2.3.4", "1:2:3:4:5:0:102:304"},
        {"fe80::", "fe80::"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        char written[NFL_IP_TEXT_SIZE];
        nfl_ip ip;
        nfl_error err;
        NFL_CHECK(t[i].text, nfl_ip_parse(text, &ip, &err) == NFL_OK);
        nfl_ip_format(&ip, written, sizeof written);
        NFL_CHECK(t[i].text, strcmp(written, t[i].want) == 0);
        free(text);
    }
}

static void test_what_is_no_address_fails_at_its_column(void)
{
    static const struct {
        const char *text;
        uint64_t column;
    } t[] = {
        {"", 0},
        {" 1.2.3.4", 0},
        {"1.2.3.4 ", 7},
        {"1.2.3", 5},
        {"1.2.3.", 6},
        {"1.2.3.4.5", 7},
        {"1.2.3.256", 9},
        {"1.2.3.0001", 10},
        {"1..2.3", 2},
        {"1.2.3.4/24", 7},
        {"a.b.c.d", 0},
        {"1.2.3.x", 6},
        {"12345", 4},
        {":", 0},
        {":1", 0},
        {":::", 2},
        {"1:", 2},
        {"1:2:3:4:5:6:7", 13},
        {"1:2:3:4:5:6:7:", 14},
        {"1:2:3:4:5:6:7:8:9", 17},
        {"1:2:3:4:5:6:7:8::", 17},
        {"::1:2:3:4:5:6:7:8", 17},
        {"1::2::3", 4},
        {"12345::", 5},
        {"::12345", 7},
        {"::g", 2},
        {"fe80::1%eth0", 7},
        {"::1.2.3", 7},
        {"::1.2.3.4.5", 9},
        {"::1.2.3.4:5", 9},
        {"1.2.3.4::", 7},
        {"::1.2.3.256", 11},
        {"1:2:3:4:5:6:7:1.2.3.4", 21},
        {"[::1]", 0},
        {"localhost", 0},
        {"1:2:3:4:5:6:7:8:", 16},
        {"::1:", 4},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_ip ip, before;
        memset(&ip, 0xaa, sizeof ip);
        before = ip;
        nfl_error err = {0};
        NFL_CHECK(t[i].text, nfl_ip_parse(text, &ip, &err) == NFL_E_SYNTAX && err.code == NFL_E_SYNTAX);
        NFL_CHECK(t[i].text, nfl_ip_compare(&ip, &before) == 0);
        NFL_CHECK(t[i].text, err.offset == t[i].column);
        NFL_CHECK(t[i].text, nfl_ip_parse(text, &ip, NULL) == NFL_E_SYNTAX);
        free(text);
    }
}

static void test_prefixes_are_read(void)
{
    static const struct {
        const char *text, *first, *last;
    } t[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255"},
        {"10.1.2.3/8", "10.0.0.0", "10.255.255.255"},
        {"10/8", "10.0.0.0", "10.255.255.255"},
        {"10.1/16", "10.1.0.0", "10.1.255.255"},
        {"172.16/12", "172.16.0.0", "172.31.255.255"},
        {"192.168.1/24", "192.168.1.0", "192.168.1.255"},
        {"192.0.2.77/31", "192.0.2.76", "192.0.2.77"},
        {"192.0.2.77/32", "192.0.2.77", "192.0.2.77"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
        {"0/0", "0.0.0.0", "255.255.255.255"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.255"},
        {"::1", "::1", "::1"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8::1/127", "2001:db8::", "2001:db8::1"},
        {"2001:db8::1/128", "2001:db8::1", "2001:db8::1"},
        {"fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255"},
        {"::ffff:0:0/96", "0.0.0.0", "255.255.255.255"},
        {"10.0.0.0/008", "10.0.0.0", "10.255.255.255"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        char a[NFL_IP_TEXT_SIZE], b[NFL_IP_TEXT_SIZE];
        nfl_ip first, last;
        NFL_CHECK(t[i].text, nfl_ip_parse_prefix(text, &first, &last, NULL) == NFL_OK);
        nfl_ip_format(&first, a, sizeof a);
        nfl_ip_format(&last, b, sizeof b);
        NFL_CHECK(t[i].text, strcmp(a, t[i].first) == 0 && strcmp(b, t[i].last) == 0);
        free(text);
    }
}

static void test_what_is_no_prefix_fails_at_its_column(void)
{
    static const struct {
        const char *text;
        uint64_t column;
    } t[] = {
        {"", 0},          {"/8", 0},         {"10.0.0.0/", 9},   {"10.0.0.0/33", 9},  {"10.0.0.0/-1", 9},
        {"10.0.0.0/8 ", 9}, {"10.0.0.0/8/8", 9}, {"10", 2},      {"10.1", 4},         {"::/129", 3},
        {"::/", 3},       {"::/0000", 3},    {"10.0.0.0/0x8", 9}, {"::1/64x", 4},     {"10.0.0.0/99999999999999999999", 9},
        {"10./8", 3},     {"10.1.2.3.4/8", 8}, {"example/8", 0}, {"2001:db8/32", 8},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *text = test_exact(t[i].text, strlen(t[i].text) + 1);
        nfl_ip first, last;
        memset(&first, 0xaa, sizeof first);
        last = first;
        nfl_error err = {0};
        NFL_CHECK(t[i].text, nfl_ip_parse_prefix(text, &first, &last, &err) == NFL_E_SYNTAX);
        NFL_CHECK(t[i].text, first.b[0] == 0xaa && last.b[15] == 0xaa);
        NFL_CHECK(t[i].text, err.offset == t[i].column);
        free(text);
    }
}

static void test_addresses_are_ordered_as_numbers(void)
{
    static const char *const sorted[] = {"::", "::1", "::c000:201", "0.0.0.0", "9.255.255.255", "10.0.0.0", "255.255.255.255", "64:ff9b::", "2001:db8::", "ff02::1"};
    for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++) {
        for (size_t j = 0; j < sizeof sorted / sizeof *sorted; j++) {
            nfl_ip a, b;
            CU_ASSERT_EQUAL(nfl_ip_parse(sorted[i], &a, NULL), NFL_OK);
            CU_ASSERT_EQUAL(nfl_ip_parse(sorted[j], &b, NULL), NFL_OK);
            int order = nfl_ip_compare(&a, &b);
            NFL_CHECK(sorted[i], i < j ? order < 0 : i > j ? order > 0 : order == 0);
        }
    }
}

static void test_numbers_become_ipv4_addresses(void)
{
    nfl_ip ip = nfl_ip_from_v4(0x01020304), same;
    CU_ASSERT_EQUAL(nfl_ip_parse("1.2.3.4", &same, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_ip_compare(&ip, &same), 0);
    CU_ASSERT(nfl_ip_is_v4(&ip));
    ip.b[11] = 0xfe;
    CU_ASSERT_FALSE(nfl_ip_is_v4(&ip));
}

NFL_SUITE("ip", {"addresses are written by RFC 5952", test_addresses_are_written_by_rfc_5952},
          {"text is cut to the buffer", test_text_is_cut_to_the_buffer},
          {"addresses are read", test_addresses_are_read},
          {"what is no address fails at its column", test_what_is_no_address_fails_at_its_column},
          {"prefixes are read", test_prefixes_are_read},
          {"what is no prefix fails at its column", test_what_is_no_prefix_fails_at_its_column},
          {"addresses are ordered as numbers", test_addresses_are_ordered_as_numbers},
          {"numbers become IPv4 addresses", test_numbers_become_ipv4_addresses})

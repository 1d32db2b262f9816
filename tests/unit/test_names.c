#include <CUnit/Basic.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

static int names_same(const char *got, const char *want)
{
    return got && want ? strcmp(got, want) == 0 : got == want;
}

static void test_protocols_have_the_names_people_use(void)
{
    static const struct {
        uint8_t proto;
        const char *want;
    } t[] = {{0, "hopopt"}, {1, "icmp"}, {2, "igmp"}, {6, "tcp"}, {17, "udp"}, {41, "ipv6"}, {47, "gre"}, {50, "esp"},
             {58, "icmp6"}, {89, "ospf"}, {108, "ipcomp"}, {132, "sctp"}, {136, "udplite"}, {61, NULL}, {253, NULL}, {255, NULL}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        NFL_CHECK(t[i].want ? t[i].want : "none", names_same(nfl_proto_name(t[i].proto), t[i].want));
}

static void test_protocols_are_found_by_name(void)
{
    static const struct {
        const char *name;
        int32_t want;
    } t[] = {{"tcp", 6}, {"TCP", 6}, {"icmp6", 58}, {"ipv6-icmp", 58}, {"ICMPv6", 58}, {"ospfigp", 89}, {"hopopt", 0},
             {"", -1}, {"tc", -1}, {"tcpx", -1}, {"6", -1}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *exact = test_exact(t[i].name, strlen(t[i].name));
        NFL_CHECK(t[i].name, nfl_proto_find(exact, strlen(t[i].name)) == t[i].want);
        free(exact);
    }
    for (unsigned proto = 0; proto < 256; proto++) {
        const char *name = nfl_proto_name((uint8_t)proto);
        if (name)
            NFL_CHECK(name, nfl_proto_find(name, strlen(name)) == (int32_t)proto);
    }
}

static void test_services_have_the_names_people_use(void)
{
    static const struct {
        uint8_t proto;
        uint16_t port;
        const char *want;
    } t[] = {{6, 80, "http"},   {6, 443, "https"}, {17, 443, "quic"},   {17, 53, "dns"},    {6, 53, "dns"},
             {6, 445, "smb"},   {6, 3389, "rdp"},  {6, 22, "ssh"},      {17, 123, "ntp"},   {17, 514, "syslog"},
             {6, 514, "rsh"},   {132, 443, "https"}, {136, 53, "dns"},  {17, 51820, "wireguard"},
             {6, 0, NULL},      {17, 0, NULL},       {1, 80, NULL},      {6, 65535, NULL}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        NFL_CHECK(t[i].want ? t[i].want : "none", names_same(nfl_service_name(t[i].proto, t[i].port), t[i].want));
    }
}

static void test_services_are_found_by_name_and_alias(void)
{
    static const struct {
        uint8_t proto;
        const char *name;
        int32_t want;
    } t[] = {{0, "http", 80},     {6, "HTTPS", 443},  {17, "https", 443}, {0, "dns", 53},     {0, "domain", 53},
             {6, "ssh", 22},      {0, "rdp", 3389},   {0, "ms-wbt-server", 3389},             {0, "smb", 445},
             {0, "microsoft-ds", 445}, {0, "ntp", 123}, {0, "postgres", 5432}, {0, "mail", 25}, {0, "smtp", 25},
             {0, "imap", 143},    {0, "pop3", 110},   {0, "ldap", 389},   {0, "snmp", 161},   {0, "sip", 5060},
             {0, "syslog", 514},  {6, "syslog", -1},  {0, "quic", 443},   {0, "isakmp", 500}, {0, "ike", 500},
             {0, "bootps", 67},   {0, "vnc", 5900},   {0, "rfb", 5900},   {0, "www", 80},     {0, "http-alt", 8080},
             {1, "http", -1},     {0, "", -1},        {0, "htt", -1},     {0, "httpsx", -1},   {0, "nosuchservice", -1}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *exact = test_exact(t[i].name, strlen(t[i].name));
        NFL_CHECK(t[i].name, nfl_service_find(t[i].proto, exact, strlen(t[i].name)) == t[i].want);
        free(exact);
    }
}

static void test_the_servers_side_is_the_application(void)
{
    static const struct {
        const char *name;
        uint8_t proto;
        uint16_t src, dst;
        uint32_t want;
    } t[] = {{"client to https", 6, 51000, 443, 6u << 16 | 443},
             {"answer of https", 6, 443, 51000, 6u << 16 | 443},
             {"registered below 1024 beats registered", 6, 3306, 22, 6u << 16 | 22},
             {"registered beats a lower unregistered port", 6, 8443, 4, 6u << 16 | 8443},
             {"lower of two below 1024", 6, 443, 80, 6u << 16 | 80},
             {"lower of two registered", 6, 5432, 3306, 6u << 16 | 3306},
             {"lower of two unregistered", 6, 65533, 65532, 6u << 16 | 65532},
             {"quic", 17, 60000, 443, 17u << 16 | 443},
             {"both ports the same", 17, 123, 123, 17u << 16 | 123},
             {"icmp has no ports", 1, 0, 2048, 1u << 16},
             {"esp has no ports", 50, 5, 6, 50u << 16},
             {"a fragment without ports", 6, 0, 0, 6u << 16}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        NFL_CHECK(t[i].name, nfl_app_of(t[i].proto, t[i].src, t[i].dst) == t[i].want);
}

static void test_applications_are_written(void)
{
    static const struct {
        uint32_t app;
        const char *want;
    } t[] = {{6u << 16 | 443, "https"},   {17u << 16 | 443, "quic"},    {17u << 16 | 53, "dns"}, {6u << 16 | 53, "dns/tcp"},
             {1u << 16, "icmp"},          {58u << 16, "icmp6"},         {6u << 16, "tcp"},       {27u << 16, "rdp/0"},
             {6u << 16 | 65535, "tcp/65535"}, {253u << 16, "253/0"},    {253u << 16 | 7, "253/7"}, {136u << 16 | 53, "dns/udplite"},
             {47u << 16 | 80, "gre/80"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char text[NFL_VALUE_TEXT_SIZE];
        size_t len = nfl_app_format(t[i].app, text, sizeof text);
        NFL_CHECK(t[i].want, strcmp(text, t[i].want) == 0 && len == strlen(text));
    }
    char cut[4];
    CU_ASSERT_EQUAL(nfl_app_format(6u << 16 | 443, cut, sizeof cut), 5);
    CU_ASSERT_STRING_EQUAL(cut, "htt");
    CU_ASSERT_EQUAL(nfl_app_format(6u << 16 | 443, NULL, 0), 5);
}

static void test_applications_are_found(void)
{
    static const struct {
        const char *name;
        uint32_t want;
    } t[] = {{"https", 6u << 16 | 443}, {"HTTPS", 6u << 16 | 443}, {"icmp", 1u << 16}, {"tcp/8443", 6u << 16 | 8443},
             {"udp/53", 17u << 16 | 53}, {"dns", 17u << 16 | 53}, {"domain", 17u << 16 | 53}, {"dns/tcp", 6u << 16 | 53},
             {"17/53", 17u << 16 | 53}, {"253/0", 253u << 16}, {"rdp", 6u << 16 | 3389}, {"rdp/0", 27u << 16},
             {"a/n", 107u << 16}, {"", 0}, {"/", 0}, {"tcp/", 0}, {"/80", 0}, {"tcp/65536", 0}, {"tcp/99999999999", 0},
             {"256/1", 0}, {"nosuch", 0}, {"nosuch/tcp", 0}, {"dns/nosuch", 0}, {"tcp/-1", 0}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *exact = test_exact(t[i].name, strlen(t[i].name));
        NFL_CHECK(t[i].name, nfl_app_find(exact, strlen(t[i].name)) == t[i].want);
        free(exact);
    }
}

/* What a report prints can be used in a filter; and no name needs quoting in JSON or CSV. */
static void test_every_application_is_read_back(void)
{
    static const uint8_t protos[] = {6, 17, 33, 132, 136};
    unsigned wrong = 0;
    for (size_t p = 0; p < sizeof protos; p++) {
        for (uint32_t port = 0; port < 65536; port++) {
            uint32_t app = (uint32_t)protos[p] << 16 | port;
            if (port > 1024 && !nfl_service_name(protos[p], (uint16_t)port) && port % 97)
                continue;
            char text[NFL_VALUE_TEXT_SIZE];
            size_t len = nfl_app_format(app, text, sizeof text);
            if (nfl_app_find(text, len) != app || len >= sizeof text || strpbrk(text, "\"\\ ,;") || !len) {
                if (wrong++ < 10)
                    printf("\n    %u/%u is written as %s, read as %x\n", protos[p], port, text, nfl_app_find(text, len));
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    for (uint32_t proto = 1; proto < 256; proto++) {
        char text[NFL_VALUE_TEXT_SIZE];
        size_t len = nfl_app_format(proto << 16, text, sizeof text);
        NFL_CHECK(text, nfl_app_find(text, len) == proto << 16);
    }
}

NFL_SUITE("names", {"protocols have the names people use", test_protocols_have_the_names_people_use},
          {"protocols are found by name", test_protocols_are_found_by_name},
          {"services have the names people use", test_services_have_the_names_people_use},
          {"services are found by name and alias", test_services_are_found_by_name_and_alias},
          {"the server's side is the application", test_the_servers_side_is_the_application},
          {"applications are written", test_applications_are_written},
          {"applications are found", test_applications_are_found},
          {"every application is read back", test_every_application_is_read_back})

#include <CUnit/Basic.h>

#include "record/fields.h"
#include "support.h"

#include <netflow/filter.h>
#include <netflow/time.h>

#include <stdlib.h>
#include <string.h>

/* 2026-11-23T10:00:00Z */
#define TEN INT64_C(1795428000000000)
#define SECOND INT64_C(1000000)

enum { WEB = 1, DNS = 2, V6 = 4, PING = 8, BARE = 16, ALL = 31, FLOWS = 5 };

static nfl_ip address(const char *text)
{
    nfl_ip ip;
    if (nfl_ip_parse(text, &ip, NULL) != NFL_OK)
        abort();
    return ip;
}

static nfl_flow start_flow(const char *src, const char *dst, uint8_t proto, uint64_t bytes, uint64_t packets)
{
    nfl_flow flow;
    memset(&flow, 0, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.src = address(src);
    flow.dst = address(dst);
    flow.proto = proto;
    flow.bytes = bytes;
    flow.packets = packets;
    flow.flows = 1;
    flow.first_us = flow.last_us = flow.received_us = TEN;
    flow.exporter = address("192.0.2.1");
    flow.version = 9;
    flow.present = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_PROTO) |
                   NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_FLOWS) |
                   NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_RECEIVED) |
                   NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_VERSION);
    return flow;
}

static void set_ports(nfl_flow *flow, uint16_t src_port, uint16_t dst_port, uint16_t flags)
{
    flow->src_port = src_port;
    flow->dst_port = dst_port;
    flow->present |= NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    if (flow->proto == 6) {
        flow->tcp_flags = flags;
        flow->present |= NFL_HAS(NFL_FIELD_TCP_FLAGS);
    }
}

/* The flows of every case, in the order of the bits above. */
static void make_flows(nfl_flow flows[FLOWS])
{
    flows[0] = start_flow("10.1.2.3", "192.0.2.80", 6, 20000, 20);
    set_ports(&flows[0], 51000, 443, 0x1b); /* F S P A */
    flows[0].last_us = TEN + 5 * SECOND;
    flows[0].in_if = 3;
    flows[0].out_if = 4;
    flows[0].src_as = 64512;
    flows[0].dst_as = 15169;
    flows[0].vlan = 12;
    flows[0].tos = 0x10;
    flows[0].src_mac = UINT64_C(0x001122aabbcc);
    flows[0].app = 6u << 16 | 443;
    flows[0].present |= NFL_HAS(NFL_FIELD_IN_IF) | NFL_HAS(NFL_FIELD_OUT_IF) | NFL_HAS(NFL_FIELD_SRC_AS) |
                        NFL_HAS(NFL_FIELD_DST_AS) | NFL_HAS(NFL_FIELD_VLAN) | NFL_HAS(NFL_FIELD_TOS) |
                        NFL_HAS(NFL_FIELD_SRC_MAC) | NFL_HAS(NFL_FIELD_APP);
    flows[1] = start_flow("10.1.2.3", "10.0.0.53", 17, 120, 1);
    set_ports(&flows[1], 40000, 53, 0);
    flows[1].first_us = flows[1].last_us = TEN + 60 * SECOND;
    flows[1].app = 17u << 16 | 53;
    flows[1].present |= NFL_HAS(NFL_FIELD_APP);
    flows[2] = start_flow("2001:db8::1", "2001:db8::80", 6, 60, 1);
    set_ports(&flows[2], 50000, 80, 0x02); /* S */
    flows[2].first_us = TEN - 3600 * SECOND;
    flows[2].last_us = TEN - 3600 * SECOND + SECOND / 4;
    flows[3] = start_flow("172.16.5.5", "10.1.2.3", 1, 84, 1);
    flows[3].icmp_type = 8;
    flows[3].sampling = 1000;
    flows[3].present |=
        NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE) | NFL_HAS(NFL_FIELD_SAMPLING);
    flows[4] = start_flow("0.0.0.0", "0.0.0.0", 0, 0, 0);
    flows[4].exporter = address("2001:db8::fe");
    flows[4].present = 0;
}

static const struct {
    const char *name, *text;
} lists[] = {
    {"hosts", "# two of them\n10.1.2.3\n\n2001:db8::/32 ; and a network\n"},
    {"windows", "\t172.16.0.0/12 \r\n  10.0.0.53\r\n"},
    {"no end", "443\ndomain"},
    {"none", "# nothing\n;\n \n"},
    {"empty", ""},
    {"wrong/3", "10.1.2.3\n\n10.1.2.300 # out of range\n"},
    {"long/1", "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111\n"},
    {"days", "2026-11-23T10:01Z\n2026-11-23 09:00\nnow-1m"},
};

/* Hands out exact copies and holds one at a time, so that ASan sees whoever reads one byte too far or too late. */
static nfl_status list_of(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err)
{
    char **held = ctx;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(lists[i].name, name) != 0)
            continue;
        free(*held);
        *text = *held = test_exact(lists[i].text, *len = strlen(lists[i].text));
        return NFL_OK;
    }
    snprintf(err->message, sizeof err->message, "nobody knows it");
    return NFL_E_NOT_FOUND;
}

static nfl_status compile(const char *text, nfl_filter **out, nfl_error *err)
{
    char *held = NULL;
    NFL_OPTS(nfl_filter_opts, opts, .now_us = TEN + 60 * SECOND, .list = list_of, .list_ctx = &held);
    char *copy = test_exact(text, strlen(text) + 1);
    nfl_status status = nfl_filter_new(copy, &opts, out, err);
    free(copy);
    free(held);
    return status;
}

static const struct {
    const char *text;
    unsigned want;
} matches[] = {
    {"", ALL},
    {"  \t\n", ALL},
    {"any", ALL},
    {"not any", 0},
    {"any or tcp", ALL},
    /* addresses */
    {"src ip 10.1.2.3", WEB | DNS},
    {"src 10.1.2.3", WEB | DNS},
    {"src host 10.1.2.3", WEB | DNS},
    {"dst ip 10.1.2.3", PING},
    {"ip 10.1.2.3", WEB | DNS | PING},
    {"host 10.1.2.3", WEB | DNS | PING},
    {"host = 10.1.2.3", WEB | DNS | PING},
    {"10.1.2.3", WEB | DNS | PING},
    {"'10.1.2.3'", WEB | DNS | PING},
    {"net 10.0.0.0/8", WEB | DNS | PING},
    {"net 10/8", WEB | DNS | PING},
    {"src net 10.0.0.0/8", WEB | DNS},
    {"src net 172.16/12", PING},
    {"net 10.0.0.0 255.0.0.0", WEB | DNS | PING},
    {"src net 10.9.9.9 255.0.0.0 and udp", DNS},
    {"dst net 10.1.2.0 255.255.255.0", PING},
    {"net 10.1.2.3 255.255.255.255", WEB | DNS | PING},
    {"net 0.0.0.0 0.0.0.0", WEB | DNS | PING},
    {"src and dst net 10.0.0.0 255.0.0.0", DNS},
    {"exporter net 192.0.0.0 255.255.0.0", ALL & ~BARE},
    {"net 10.1.2.3 192.0.2.80", WEB},       /* no mask: another address */
    {"ip 10.1.2.3 255.0.0.0", 0},           /* only behind `net` */
    {"net 10/8 255.255.255.0", 0},          /* has its length already */
    {"net 10.1.2.3 255.0.255.0", 0},        /* not ones and then zeros */
    {"net 2001:db8:: 255.0.0.0", 0},        /* of another family */
    {"172.16.0.0/12", PING},
    {"ip in [192.0.2.80, 2001:db8::/32, 172.16/12]", WEB | V6 | PING},
    {"ip in (192.0.2.80 172.16/12)", WEB | PING},
    {"src not in [10/8]", V6 | PING},
    {"ip not in [10/8]", V6},
    {"ip != 10.1.2.3", V6},
    {"not ip 10.1.2.3", V6 | BARE},
    {"src != 10.1.2.3", V6 | PING},
    {"dst >= 192.0.2.0", WEB | V6},
    {"dst > 10.0.0.0/8", WEB | V6},
    {"src < 172.16.5.5 and src != ::", WEB | DNS},
    {"2001:db8::1", V6},
    {"src 2001:DB8::1", V6},
    {"::/0", ALL & ~BARE},
    {"ip in [::/0, 10/8]", ALL & ~BARE},
    {"ip not in [10/8, ::/0]", 0},
    {"ipv4", WEB | DNS | PING},
    {"inet", WEB | DNS | PING},
    {"ipv6", V6},
    {"inet6 and tcp", V6},
    {"exporter 192.0.2.1", ALL & ~BARE},
    {"exporter ip 2001:db8::fe", BARE},
    {"router 192.0.2.0/24", ALL & ~BARE},
    /* protocols */
    {"tcp", WEB | V6},
    {"proto tcp", WEB | V6},
    {"proto 6", WEB | V6},
    {"protocol = 17", DNS},
    {"proto in [tcp, 1]", WEB | V6 | PING},
    {"proto != tcp", DNS | PING},
    {"not tcp", DNS | PING | BARE},
    {"udp or icmp", DNS | PING},
    {"UDP OR ICMP", DNS | PING},
    {"icmp_type 8", PING},
    {"icmp type = 8 and icmp code 0", PING},
    {"icmp-type 8 and icmp-code = 0", PING},
    /* ports */
    {"port 443", WEB},
    {"dst port https", WEB},
    {"https", WEB},
    {"443", WEB},
    {"domain 0", ALL},
    {"port domain", DNS},
    {"port in (80,443)", WEB | V6},
    {"port in [80 , 53]", DNS | V6},
    {"src port > 1023", WEB | DNS | V6},
    {"src_port > 50000", WEB},
    {"port 50000-51000", WEB | V6},
    {"port in [1-60, 443]", WEB | DNS},
    {"port != 443", DNS | V6},
    {"port > 1023", WEB | DNS | V6},
    {"dst port < 100", DNS | V6},
    {"port <= 65535", WEB | DNS | V6},
    {"dst port not in (80, 443)", DNS},
    /* counters and units */
    {"bytes > 10k", WEB | PING},
    {"bytes >= 20000", WEB | PING},
    {"bytes > 20k", PING},
    {"bytes = 84k", PING},
    {"octets 120", DNS},
    {"bytes < 1ki", DNS | V6},
    {"bytes 0.12k", DNS},
    {"bytes 0x78", DNS},
    {"bytes <= 18446744073709551615", ALL & ~BARE},
    {"bytes > 18446744073709551615", 0},
    {"bytes < 0", 0},
    {"bytes in [60, 120]", DNS | V6},
    {"packets = 20", WEB},
    {"packets 1000", PING},
    {"flows 1", ALL},
    {"duration > 5s", 0},
    {"duration >= 5s", WEB},
    {"duration = 250ms", V6},
    {"duration < 1", DNS | V6 | PING},
    {"bps > 31k", WEB | PING},
    {"bps = 32000", WEB},
    {"bps eq 672k", PING},
    {"pps 4", WEB},
    {"bpp = 84", PING},
    {"bpp ge 100", WEB | DNS},
    /* flags: without operator these and perhaps more, with it exactly these */
    {"flags S", WEB | V6},
    {"flags SA", WEB},
    {"tcp_flags AS", WEB},
    {"tcp flags SA", WEB},
    {"flags S and not flags AF", V6},
    {"flags S and not flags AR", V6},           /* none of them */
    {"flags S and not flags AFRPU", V6},        /* only SYN */
    {"not flags AR", ALL & ~WEB},
    {"not (flags AR)", ALL},                    /* not all of them */
    {"not not flags AR", 0},
    {"not not not flags AR", ALL & ~WEB},
    {"not (tcp and not flags AR)", ALL & ~V6},
    {"not flags = SA", ALL},
    {"flags = S", V6},
    {"flags in [S, SA]", V6},
    {"flags 0x12", WEB},
    {"flags != S", WEB},
    {"flags ...AP.SF", WEB},
    {"flags X", 0},
    {"flags R", 0},
    {"flags 0", 0},
    /* numbers */
    {"in if 3", WEB},
    {"out if 3", 0},
    {"if 3", WEB},
    {"if 4", WEB},
    {"interface in [1,4]", WEB},
    {"in_if != 3", 0},
    {"src as 64512", WEB},
    {"as in [1, 15169]", WEB},
    {"tos 0x10", WEB},
    {"vlan 12", WEB},
    {"src vlan 12", WEB},
    {"mac 00:11:22:aa:bb:cc", WEB},
    {"src mac 0011.22aa.bbcc", WEB},
    {"00-11-22-aa-bb-cc", WEB},
    {"app https", WEB},
    {"app tcp/443", WEB},
    {"app in [domain, https]", WEB | DNS},
    {"application udp/53", DNS},
    {"app 393659", WEB}, /* 6 << 16 | 443 */
    {"port in (1-100, 50-60, 90-443)", WEB | DNS | V6},
    {"version 9", ALL},
    {"in src mac 00:11:22:aa:bb:cc", WEB},
    {"flow 1", ALL},
    {"observation domain id 0", ALL},
    {"next ip 10.0.0.1 or bgpnext ip 10.0.0.1", 0},
    {"absent mask and absent nip and absent xport", ALL},
    {"sampling > 1", PING},
    /* times */
    {"first >= 2026-11-23T10:00Z", ALL & ~V6},
    {"first = 2026-11-23T10:00:00Z", WEB | PING | BARE},
    {"first < '2026-11-23 10:00'", V6},
    {"first > -59s", DNS},
    {"first >= -1m", ALL & ~V6},
    {"last < -1h", V6},
    {"received 1795428000", ALL},
    {"first < now", ALL & ~DNS},
    {"first > now - 59s", DNS},
    {"first >= now-1m", ALL & ~V6},
    {"first >= NOW -1m", ALL & ~V6},
    {"start < now - 1h and tcp", V6},
    {"first = today + 10h", WEB | PING | BARE},
    {"first = 2026-11-23 + 10h", WEB | PING | BARE},
    {"first = 2026-11-23T10:01Z - 60", WEB | PING | BARE},
    {"first in (now - 1m, now)", ALL & ~V6},
    {"first in (2026-11-23T10:01Z -1m now)", ALL & ~V6},
    {"first in last 60s", ALL & ~V6},
    {"start in last 1h and tcp", WEB},
    {"first in last 2h", ALL},
    {"first not in last 60s", V6},
    {"last in last 2h", ALL & ~BARE},
    {"last in last 1m", WEB | DNS | PING},
    /* named lists */
    {"src in @hosts", WEB | DNS | V6},
    {"ip in @hosts", WEB | DNS | V6 | PING},
    {"src not in @hosts", PING},
    {"not src in @hosts", PING | BARE},
    {"ip in @windows", DNS | PING},
    {"ip in @'windows' and udp", DNS},
    {"src and dst ip in @hosts", V6},
    {"port in @'no end'", WEB | DNS},
    {"src in @none", 0},
    {"first in @days", ALL},
    {"src not in @empty", ALL & ~BARE},
    {"port not in @none", WEB | DNS | V6},
    /* text */
    {"text 10.1.2.3", WEB | DNS | PING},
    {"text 10.1.", WEB | DNS | PING},
    {"text '.53'", DNS},
    {"text 2001:DB8", V6 | BARE}, /* BARE by its exporter */
    {"text 44", WEB},
    {"text https", WEB},
    {"text HTTP", WEB},
    {"text icmp", PING},
    {"text cp", WEB | V6},
    {"text '10.1.2 https'", WEB},
    {"text ' https\t10.1.2 '", WEB},
    {"text '10.1.2 icmp udp'", 0},
    {"text aa:bb", WEB},
    {"not text 10.1.2.3", V6 | BARE},
    {"text 192.0.2.1", ALL & ~BARE}, /* the exporter */
    {"text '\"'", 0},
    {"text \"caf\xc3\xa9\"", 0},
    {"text tcp text 80", WEB | V6},
    {"text text", 0},
    /* two fields */
    {"src_port > dst_port", WEB | DNS | V6},
    {"src port <= dst port", 0},
    {"not src port > dst port", PING | BARE},
    {"src < dst", WEB | V6},
    {"src ge dst ip", DNS | PING},
    {"first = last", DNS | PING},
    {"first != last and tcp", WEB | V6},
    {"in_if < out_if", WEB},
    {"bytes = bytes", ALL & ~BARE},
    {"bytes > bpp", WEB | PING}, /* scaled: 84000 against 84 */
    {"bps > pps", WEB | DNS | V6 | PING},
    {"port = domain", DNS}, /* the service, not the field */
    /* presence */
    {"exists src_as", WEB},
    {"exists as", WEB},
    {"absent src as", ALL & ~WEB},
    {"absent dst port", PING | BARE},
    {"exists duration", ALL & ~BARE},
    {"exists first", ALL},
    /* operators and joining */
    {"tcp and port 443", WEB},
    {"tcp && port 443", WEB},
    {"tcp & port 443", WEB},
    {"tcp port 443", WEB},
    {"10.1.2.3 https", WEB},
    {"10.1.2.3 not https", DNS | PING},
    {"10.1.2.3 !https", DNS | PING},
    {"udp || icmp", DNS | PING},
    {"udp | icmp", DNS | PING},
    {"udp or icmp and ip 172.16.5.5", DNS | PING},
    {"(udp or icmp) and ip 172.16.5.5", PING},
    {"not (udp or icmp)", WEB | V6 | BARE},
    {"not not udp", DNS},
    {"!udp and !tcp", PING | BARE},
    {"tcp(port 443 or port 80)", WEB | V6},
    {"((((tcp))))", WEB | V6},
    {"src ip 10.0.0.0/8 and dst port 443 and bytes > 10k", WEB},
    {"bytes>10k", WEB | PING},
    {"bytes==120||packets==20", WEB | DNS},
    {"src or dst port 443", WEB},
    {"dst or src net 10.1.0.0/16", WEB | DNS | PING},
    {"src and dst net 10/8", DNS},
    {"src and dst port > 1023 or icmp", PING},
    {"dst and src port > 50", WEB | DNS | V6},
    {"src or dst as in [1, 15169]", WEB},
    {"bytes <> 120", ALL & ~(DNS | BARE)},
};

static void test_a_filter_selects_the_flows_it_describes(void)
{
    nfl_flow flows[FLOWS];
    make_flows(flows);
    for (size_t i = 0; i < sizeof matches / sizeof *matches; i++) {
        nfl_filter *filter = NULL;
        nfl_error err = {0};
        unsigned found = 0;
        nfl_status status = compile(matches[i].text, &filter, &err);
        if (status != NFL_OK)
            printf("\n    '%s': column %llu: %s\n", matches[i].text, (unsigned long long)err.offset,
                   err.message);
        NFL_CHECK(matches[i].text, status == NFL_OK);
        if (status != NFL_OK)
            continue;
        for (unsigned f = 0; f < FLOWS; f++)
            found |= (unsigned)nfl_filter_match(filter, &flows[f]) << f;
        if (found != matches[i].want)
            printf("\n    '%s': found %u, want %u\n", matches[i].text, found, matches[i].want);
        CU_ASSERT_EQUAL(found, matches[i].want);
        nfl_filter_free(filter);
    }
}

static const struct {
    const char *text;
    uint64_t column;
    const char *message; /* a part of it */
} mistakes[] = {
    {"srcc ip 1.2.3.4", 0, "did you mean 'src'"},
    {"tcp and dst_prot 80", 8, "did you mean 'dst_port'"},
    {"tpc", 0, "did you mean 'tcp'"},
    {"xyzzyplugh", 0, "a field, address, port, protocol or service name expected"},
    {"tcp and", 7, "the text ends, a comparison expected"},
    {"and tcp", 0, "found 'and', a comparison expected"},
    {"tcp or or udp", 7, "a comparison expected"},
    {"(tcp", 4, "')', 'and' or 'or' expected"},
    {"tcp)", 3, "'and', 'or' or the end expected"},
    {"()", 1, "a comparison expected"},
    {"(tcp]", 4, "')', 'and' or 'or' expected"},
    {"not", 3, "a comparison expected"},
    {"port", 4, "a value expected for 'port'"},
    {"port >", 6, "a value expected for 'port'"},
    {"port nosuchservice", 5, "a port number or service name expected for 'port'"},
    {"port 65536", 5, "at most 65535 expected for 'port'"},
    {"70000", 0, "at most 65535 expected"},
    {"tos 256", 4, "at most 255"},
    {"src or dst in 3", 4, "found 'or', a value expected for 'src'"},
    {"src or dst", 4, "a value expected for 'src'"},
    {"port 90-80", 5, "a number"},
    {"port in", 7, "'(' or '[' and a list, or '@' and its name, expected"},
    {"port in 80", 8, "'(' or '[' and a list"},
    {"port in last 2h", 8, "found 'last', '(' or '['"},
    {"port = @hosts", 7, "found '@'"},
    {"src in @", 8, "the name of a list expected"},
    {"src in @''", 8, "1 to 255 bytes"},
    {"src in @wrong/3", 8, "list 'wrong/3', line 3: found '10.1.2.300', an address or prefix such as"},
    {"port in @hosts", 9, "list 'hosts', line 2: found '10.1.2.3', a number expected for 'port'"},
    {"tcp and src in @long/1", 16, "list 'long/1', line 1: found"},
    {"first > now - ", 14, "the text ends, a value expected for 'time'"},
    {"first > now -", 13, "the text ends, a value expected for 'time'"},
    {"first > now - tcp", 14, "found 'tcp', a duration"},
    {"first > now -x", 13, "found 'x', a duration"},
    {"first in last", 13, "the text ends, a value"},
    {"first in last week", 14, "found 'week', a duration"},
    {"first > now - 292000000h - 1h", 25, "found '-'"},
    {"text", 4, "the text ends, the text to look for expected"},
    {"text and", 5, "found 'and', the text to look for expected"},
    {"text ''", 5, "found no letter or digit"},
    {"tcp text '  '", 9, "found no letter or digit"},
    {"texd 1", 0, "did you mean 'text'"},
    {"port in ()", 9, "a value expected"},
    {"port in (80,", 12, "a value expected"},
    {"port in (80]", 11, "')' expected"},
    {"port not 80", 9, "'in' and a list expected"},
    {"src 10.0.0.256", 4, "an address or prefix"},
    {"src https", 4, "an address or prefix"},
    {"net 10.0.0.0/33", 4, "an address or prefix"},
    {"proto foo", 6, "a protocol name or number"},
    {"flags SQ", 6, "letters of"},
    {"bytes > 10q", 8, "a number"},
    {"bytes > 1.2345678m", 8, "a number"},
    {"bytes > 0.0001k", 8, "a number"},
    {"bytes > 99999999999999999999", 8, "a number"},
    {"bytes > 18446744073709551615k", 8, "a number"},
    {"bytes > -1", 8, "a number"},
    {"duration > fast", 11, "a duration"},
    {"first > yester", 8, "a time"},
    {"mac 00:11", 4, "an address such as"},
    {"app 99999999999", 4, "at most 4294967295"},
    {"src 111111111111111111111111111111111111111111111111111111111111111111111111111111111111", 4,
     "something shorter"},
    {"a_name_that_is_much_too_long_to_be_the_name_of_anything", 0, "expected"},
    {"app nosuchthing", 4, "an application"},
    {"exists", 6, "a field name expected"},
    {"exists 10.1.1.1", 7, "a field name expected"},
    {"time > -1h", 5, "found '>'"}, /* the service, not the bucket */
    {"tcp # udp", 4, "'#' has no meaning here"},
    {"tcp \x80", 4, "byte 0x80 has no meaning here"},
    {"src '10.1.1.1", 4, "quoted text does not end"},
    {"src_port = dst", 11, "found 'dst', which is of another kind than 'src_port'"},
    {"port = src_port", 7, "only single fields"},
    {"src = port", 6, "only single fields"},
    {"first < duration", 8, "of another kind"},
    {"src = in [10/8]", 6, "an address or prefix"},
    {"bytes > ''", 8, "a value expected"},
};

static void test_errors_point_at_the_place(void)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        nfl_filter *filter = NULL;
        nfl_error err = {0};
        nfl_status status = compile(mistakes[i].text, &filter, &err);
        NFL_CHECK(mistakes[i].text, status == NFL_E_SYNTAX);
        NFL_CHECK(mistakes[i].text, filter == NULL);
        int good = err.offset == mistakes[i].column && strstr(err.message, mistakes[i].message);
        if (!good)
            printf("\n    '%s': column %llu: %s\n", mistakes[i].text, (unsigned long long)err.offset,
                   err.message);
        CU_ASSERT(good);
        nfl_filter_free(filter);
    }
}

/* Each word of a list, as `exists word` with underscores, hyphens and spaces. */
static unsigned check_names(const char *list)
{
    unsigned words = 0;
    for (const char *word = list; *word; words++) {
        size_t len = strcspn(word, " ");
        for (const char *between = "_- "; *between; between++) {
            char text[80];
            nfl_filter *filter = NULL;
            snprintf(text, sizeof text, "exists %.*s", (int)len, word);
            for (char *c = text; *c; c++)
                *c = *c == '_' ? *between : *c;
            NFL_CHECK(text, compile(text, &filter, NULL) == NFL_OK);
            nfl_filter_free(filter);
        }
        word += len;
        word += *word == ' ';
    }
    return words;
}

static void test_every_field_is_known_by_all_its_names(void)
{
    unsigned names = 0;
    const nfl_field_info *row;
    for (uint32_t i = 0; (row = nfl__field_at(i)) != NULL; i++)
        if (row->field != NFL_FIELD_TIME)
            names += check_names(row->name) + check_names(row->aliases);
    CU_ASSERT(names > 80);
}

static void test_relative_times_need_a_now(void)
{
    nfl_filter *filter = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_filter_new("tcp and first > -1h", NULL, &filter, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(err.offset, 16);
    CU_ASSERT_EQUAL(nfl_filter_new("first > 2026-11-23", NULL, &filter, &err), NFL_OK);
    nfl_filter_free(filter);
}

static void test_last_needs_a_now(void)
{
    nfl_filter *filter = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_filter_new("first in last 2h", NULL, &filter, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(err.offset, 9);
    CU_ASSERT_EQUAL(nfl_filter_new("first > now - 2h", NULL, &filter, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(err.offset, 8);
}

static void test_times_out_of_range_are_refused(void)
{
    static const struct {
        const char *text;
        uint64_t column;
    } t[] = {{"first > now - 2000000000h", 12}, {"first in last 2000000000h", 14}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        NFL_OPTS(nfl_filter_opts, opts, .now_us = INT64_MIN / 2);
        nfl_filter *filter = NULL;
        nfl_error err = {0};
        NFL_CHECK(t[i].text, nfl_filter_new(t[i].text, &opts, &filter, &err) == NFL_E_SYNTAX);
        NFL_CHECK(t[i].text, err.offset == t[i].column && strstr(err.message, "out of range"));
    }
}

static void test_lists_nobody_knows_are_refused(void)
{
    nfl_filter *filter = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL(compile("tcp and src in @bad", &filter, &err), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(err.offset, 16);
    CU_ASSERT_STRING_EQUAL(err.message, "list 'bad': nobody knows it");
    CU_ASSERT_EQUAL(compile("src in @bad", &filter, NULL), NFL_E_NOT_FOUND);
    CU_ASSERT_EQUAL(nfl_filter_new("src in @hosts", NULL, &filter, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(err.offset, 8);
    CU_ASSERT_STRING_EQUAL(err.message, "lists by name are not known here");
    char text[300] = "src in @'";
    memset(text + 9, 'x', 256);
    text[265] = '\'';
    CU_ASSERT_EQUAL(compile(text, &filter, &err), NFL_E_SYNTAX);
    CU_ASSERT_EQUAL(err.offset, 8);
    CU_ASSERT_PTR_NULL(filter);
}

static nfl_status numbers_list(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err)
{
    (void)name;
    (void)err;
    *text = ctx;
    *len = strlen(*text);
    return NFL_OK;
}

static void test_values_of_named_lists_have_a_limit_of_their_own(void)
{
    enum { MOST = 1 << 20, LINE = 8 };
    char *numbers = malloc((size_t)(MOST + 1) * LINE + 1);
    nfl_filter *filter = NULL;
    nfl_error err;
    if (!numbers)
        abort();
    for (uint32_t i = 0; i <= MOST; i++)
        snprintf(numbers + (size_t)i * LINE, LINE + 1, "%7u\n", 2 * i);
    NFL_OPTS(nfl_filter_opts, opts, .max_values = 1, .list = numbers_list, .list_ctx = numbers);
    CU_ASSERT_EQUAL(nfl_filter_new("bytes in @even", &opts, &filter, &err), NFL_E_LIMIT);
    CU_ASSERT_STRING_EQUAL(err.message, "list 'even', line 1048577: more than 1048576 values in lists");
    numbers[(size_t)MOST * LINE] = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_filter_new("bytes in @even", &opts, &filter, &err), NFL_OK);
    nfl_flow flow = start_flow("10.0.0.0", "192.0.2.80", 6, 0, 1);
    for (uint32_t i = 0; i < 2 * MOST + 10; i += 1001) {
        flow.bytes = i;
        if (nfl_filter_match(filter, &flow) != (i % 2 == 0 && i < 2 * MOST))
            CU_FAIL("a number is in the list or not");
    }
    nfl_filter_free(filter);
    free(numbers);
}

static void test_null_text_matches_all(void)
{
    nfl_filter *filter = NULL;
    nfl_flow flows[FLOWS];
    make_flows(flows);
    CU_ASSERT_EQUAL_FATAL(nfl_filter_new(NULL, NULL, &filter, NULL), NFL_OK);
    CU_ASSERT(nfl_filter_match(filter, &flows[4]));
    nfl_filter_free(filter);
    nfl_filter_free(NULL);
}

/* Text of `count` times `part`, closed by as many `behind`. */
static char *repeat(const char *part, size_t count, const char *middle, const char *behind)
{
    size_t part_len = strlen(part), behind_len = strlen(behind);
    char *text = malloc(count * (part_len + behind_len) + strlen(middle) + 1), *at = text;
    if (!text)
        abort();
    for (size_t i = 0; i < count; i++, at += part_len)
        memcpy(at, part, part_len);
    memcpy(at, middle, strlen(middle));
    at += strlen(middle);
    for (size_t i = 0; i < count; i++, at += behind_len)
        memcpy(at, behind, behind_len);
    *at = 0;
    return text;
}

static void test_size_and_depth_are_limited(void)
{
    static const struct {
        const char *part, *middle, *behind;
        size_t count;
        nfl_status want;
    } cases[] = {
        {"(", "tcp", ")", 40, NFL_OK},
        {"(", "tcp", ")", 41, NFL_E_LIMIT},
        {"not ", "tcp", "", 40, NFL_OK},
        {"not ", "tcp", "", 10000, NFL_E_LIMIT},
        {"!(", "tcp", ")", 20, NFL_OK},
        {"(", "", "", 60000, NFL_E_LIMIT},
        {"tcp or ", "udp", "", 1000, NFL_OK},
        {"tcp or ", "udp", "", 3000, NFL_E_LIMIT},
        {" ", "tcp", "", 4194301, NFL_OK},
        {" ", "tcp", "", 4194302, NFL_E_LIMIT},
        {"(tcp or udp and ", "icmp", ")", 40, NFL_OK},
    };
    nfl_flow flows[FLOWS];
    make_flows(flows);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].part, cases[i].count, cases[i].middle, cases[i].behind);
        nfl_filter *filter = NULL;
        nfl_status status = compile(text, &filter, NULL);
        if (status != cases[i].want)
            printf("\n    %zu times '%s': %d\n", cases[i].count, cases[i].part, status);
        CU_ASSERT_EQUAL(status, cases[i].want);
        if (filter)
            CU_ASSERT(nfl_filter_match(filter, &flows[0]) == 1 || cases[i].part[0] == '(');
        nfl_filter_free(filter);
        free(text);
    }
}

static void test_the_callers_limit_counts(void)
{
    NFL_OPTS(nfl_filter_opts, opts, .max_nodes = 8);
    nfl_filter *filter = NULL;
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_filter_new("tcp and udp", &opts, &filter, &err), NFL_OK);
    nfl_filter_free(filter);
    filter = NULL;
    CU_ASSERT_EQUAL(nfl_filter_new("tcp and udp and icmp and port 5", &opts, &filter, &err), NFL_E_LIMIT);
    CU_ASSERT_PTR_NULL(filter);
}

/* "src in [" and `count` addresses from 10.0.0.0 on, two apart, and one from 2001:db8::. */
static char *long_list(uint32_t count)
{
    size_t room = (size_t)count * 20 + 64, len = 0;
    char *text = malloc(room);
    if (!text)
        abort();
    len += (size_t)snprintf(text, room, "src in [2001:db8::1 ");
    for (uint32_t i = count; i-- > 0;) { /* not in order */
        uint32_t host = 2 * i;
        len += (size_t)snprintf(text + len, room - len, "10.%u.%u.%u, ", host >> 16, host >> 8 & 255, host & 255);
    }
    snprintf(text + len - 2, room - len + 2, "]");
    return text;
}

static void test_lists_of_many_thousand_addresses(void)
{
    enum { MANY = 60000 };
    nfl_flow flow = start_flow("10.0.0.0", "192.0.2.80", 6, 1, 1);
    nfl_filter *filter = NULL;
    char *text = long_list(MANY);
    CU_ASSERT_EQUAL_FATAL(nfl_filter_new(text, NULL, &filter, NULL), NFL_OK);
    for (uint32_t i = 0; i < 2 * MANY + 10; i++) {
        flow.src = nfl_ip_from_v4(UINT32_C(0x0a000000) + i);
        if (nfl_filter_match(filter, &flow) != (i % 2 == 0 && i < 2 * MANY))
            CU_FAIL("an address is in the list or not");
    }
    flow.src = address("2001:db8::1");
    CU_ASSERT(nfl_filter_match(filter, &flow));
    nfl_filter_free(filter);
    free(text);
}

static void test_the_number_of_values_is_limited(void)
{
    NFL_OPTS(nfl_filter_opts, opts, .max_values = 11);
    nfl_filter *filter = NULL;
    nfl_error err;
    char *text = long_list(11);
    CU_ASSERT_EQUAL(nfl_filter_new(text, &opts, &filter, &err), NFL_E_LIMIT);
    CU_ASSERT_STRING_EQUAL(err.message, "filter has more than 11 values");
    free(text);
    text = long_list(10);
    CU_ASSERT_EQUAL(nfl_filter_new(text, &opts, &filter, &err), NFL_OK);
    nfl_filter_free(filter);
    free(text);
    filter = NULL;
    text = long_list(70000); /* the default */
    CU_ASSERT_EQUAL(nfl_filter_new(text, NULL, &filter, &err), NFL_E_LIMIT);
    CU_ASSERT_PTR_NULL(filter);
    free(text);
}

/* A flow written by an older library ends before fields that it did not know. */
static void test_short_flows_lack_later_fields(void)
{
    nfl_flow flow = start_flow("10.1.2.3", "192.0.2.80", 6, 20000, 20), *old;
    size_t len = offsetof(nfl_flow, src_port);
    set_ports(&flow, 1, 2, 3);
    flow.struct_size = (uint32_t)len;
    old = test_exact(&flow, len);
    nfl_filter *filter = NULL;
    CU_ASSERT_EQUAL_FATAL(
        nfl_filter_new("src 10.1.2.3 absent src_port absent proto absent version", NULL, &filter, NULL),
        NFL_OK);
    CU_ASSERT(nfl_filter_match(filter, old));
    nfl_filter_free(filter);
    free(old);
}

static nfl_status compile_and_match(const nfl_alloc *alloc, void *ctx)
{
    char *held = NULL;
    NFL_OPTS(nfl_filter_opts, opts, .alloc = alloc, .list = list_of, .list_ctx = &held);
    nfl_filter *filter = NULL;
    nfl_error err;
    nfl_status status = nfl_filter_new("(src net 10/8 or not port in (80,443)) and bytes > 1k and flags S and src_port > dst_port "
                                       "and src in @hosts and text 'https 10.1'",
                                       &opts, &filter, &err);
    free(held);
    if (status == NFL_OK)
        CU_ASSERT(nfl_filter_match(filter, ctx));
    nfl_filter_free(filter);
    return status;
}

static void test_running_out_of_memory(void)
{
    nfl_flow flows[FLOWS];
    make_flows(flows);
    /* An array that cannot double still grows by one. */
    CU_ASSERT(test_allocation_failures(compile_and_match, &flows[0], 10) > 3);
}

NFL_SUITE("filter", {"a filter selects the flows it describes", test_a_filter_selects_the_flows_it_describes},
          {"errors point at the place", test_errors_point_at_the_place},
          {"every field is known by all its names", test_every_field_is_known_by_all_its_names},
          {"relative times need a now", test_relative_times_need_a_now},
          {"`last` needs a now", test_last_needs_a_now},
          {"times out of range are refused", test_times_out_of_range_are_refused},
          {"lists nobody knows are refused", test_lists_nobody_knows_are_refused},
          {"values of named lists have a limit of their own", test_values_of_named_lists_have_a_limit_of_their_own},
          {"null text matches all", test_null_text_matches_all},
          {"size and depth are limited", test_size_and_depth_are_limited},
          {"the caller's limit counts", test_the_callers_limit_counts},
          {"lists of many thousand addresses", test_lists_of_many_thousand_addresses},
          {"the number of values is limited", test_the_number_of_values_is_limited},
          {"short flows lack later fields", test_short_flows_lack_later_fields},
          {"running out of memory", test_running_out_of_memory})

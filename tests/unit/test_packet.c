#include <CUnit/Basic.h>

#include "record/fields.h"
#include "support.h"
#include "wire/packet.h"

#include <stdlib.h>
#include <string.h>

#define MACS "020000000002 020000000001"
#define IPV4_TCP "45b80034 0001 0000 4006 0000 c0000201 c6336402"
#define TCP_443 "9c40 01bb 00000001 00000002 5012 ffff 0000 0000"
#define IPV6 "6ab12345 0014"
#define IPV6_ADDRESSES "20010db8000000000000000000000001 20010db8000000000000000000000002"

/* What is expected, as "name=value" words; every other field must be absent. */
static const struct {
    const char *name;
    uint32_t start;
    const char *frame;
    const char *want;
    int32_t offset;
    uint32_t ip_len;
} packets[] = {
    {"plain TCP over IPv4", NFL__PACKET_ETHERNET, MACS "0800" IPV4_TCP TCP_443,
     "src=192.0.2.1 dst=198.51.100.2 src_port=40000 dst_port=443 proto=6 tcp_flags=18 tos=184 min_ttl=64 max_ttl=64 "
     "src_mac=02:00:00:00:00:01 dst_mac=02:00:00:00:00:02 ether_type=2048", 14, 52},
    {"the IP header alone", NFL__PACKET_IP, IPV4_TCP TCP_443,
     "src=192.0.2.1 dst=198.51.100.2 src_port=40000 dst_port=443 proto=6 tcp_flags=18 tos=184 min_ttl=64 max_ttl=64", 0, 52},
    {"QinQ: the outer tag is the VLAN", NFL__PACKET_ETHERNET, MACS "88a8 0064 8100 20c8 0800" IPV4_TCP "0035",
     "vlan=100 src=192.0.2.1 dst=198.51.100.2 proto=6 tos=184 min_ttl=64 max_ttl=64 src_mac=02:00:00:00:00:01 "
     "dst_mac=02:00:00:00:00:02 ether_type=2048", 22, 52},
    {"MPLS stack, IPv4 below", NFL__PACKET_MPLS, "0001f040 00bc6140" "45000014 0001 0000 4011 0000 c0000201 c6336402 0035 ffff",
     "mpls_label=31 src=192.0.2.1 dst=198.51.100.2 src_port=53 dst_port=65535 proto=17 tos=0 min_ttl=64 max_ttl=64", 8, 20},
    {"MPLS pseudowire: Ethernet behind the control word", NFL__PACKET_MPLS,
     "00bc6140 00000000" MACS "0800" "4500001c 0001 0000 4001 0000 c0000201 c6336402 0303",
     "mpls_label=3014 src_mac=02:00:00:00:00:01 dst_mac=02:00:00:00:00:02 ether_type=2048 src=192.0.2.1 dst=198.51.100.2 proto=1 "
     "icmp_type=3 icmp_code=3 tos=0 min_ttl=64 max_ttl=64", 22, 28},
    {"PPPoE session", NFL__PACKET_ETHERNET, MACS "8864 1100 0001 0036 0021" IPV4_TCP TCP_443,
     "src_mac=02:00:00:00:00:01 dst_mac=02:00:00:00:00:02 ether_type=34916 src=192.0.2.1 dst=198.51.100.2 src_port=40000 dst_port=443 "
     "proto=6 tcp_flags=18 tos=184 min_ttl=64 max_ttl=64", 22, 52},
    {"IPv4 options are passed over", NFL__PACKET_IP, "46000020 0001 0000 0111 0000 c0000201 c6336402 94040000 0035 0036",
     "src=192.0.2.1 dst=198.51.100.2 src_port=53 dst_port=54 proto=17 tos=0 min_ttl=1 max_ttl=1", 0, 32},
    {"a later fragment has no ports", NFL__PACKET_IP, "45000034 0001 2001 4006 0000 c0000201 c6336402" TCP_443,
     "src=192.0.2.1 dst=198.51.100.2 proto=6 tos=0 min_ttl=64 max_ttl=64", 0, 52},
    {"IPv6 with hop-by-hop, routing and destination options", NFL__PACKET_IP,
     "6ab12345 0024 00 40" IPV6_ADDRESSES "2b00010400000000 3c00000000000000 0600010400000000" TCP_443,
     "src=2001:db8::1 dst=2001:db8::2 src_port=40000 dst_port=443 proto=6 tcp_flags=18 tos=171 flow_label=74565 min_ttl=64 max_ttl=64", 0, 76},
    {"IPv6 first fragment", NFL__PACKET_IP, IPV6 "2c 40" IPV6_ADDRESSES "1100000100000001" "0035 0036",
     "src=2001:db8::1 dst=2001:db8::2 src_port=53 dst_port=54 proto=17 tos=171 flow_label=74565 min_ttl=64 max_ttl=64", 0, 60},
    {"IPv6 later fragment", NFL__PACKET_IP, IPV6 "2c 40" IPV6_ADDRESSES "1100000900000001" "0035 0036",
     "src=2001:db8::1 dst=2001:db8::2 proto=17 tos=171 flow_label=74565 min_ttl=64 max_ttl=64", 0, 60},
    {"IPv6 authentication header, ICMPv6", NFL__PACKET_IP,
     IPV6 "33 ff" IPV6_ADDRESSES "3a01 0000 00000001 00000002" "8000",
     "src=2001:db8::1 dst=2001:db8::2 proto=58 icmp_type=128 icmp_code=0 tos=171 flow_label=74565 min_ttl=255 max_ttl=255", 0, 60},
    {"GRE: the outer header is the flow", NFL__PACKET_IP,
     "45000034 0001 0000 402f 0000 c0000201 c6336402 0000 0800" IPV4_TCP TCP_443,
     "src=192.0.2.1 dst=198.51.100.2 proto=47 tos=0 min_ttl=64 max_ttl=64", 0, 52},
    {"a frame without IP", NFL__PACKET_ETHERNET, MACS "0806 0001",
     "src_mac=02:00:00:00:00:01 dst_mac=02:00:00:00:00:02 ether_type=2054", -1, 0},
    {"an 802.3 length is no Ethertype", NFL__PACKET_ETHERNET, MACS "0026 4242 03",
     "src_mac=02:00:00:00:00:01 dst_mac=02:00:00:00:00:02", -1, 0},
    {"PPP", NFL__PACKET_PPP, "0057" IPV6 "3b 40" IPV6_ADDRESSES,
     "src=2001:db8::1 dst=2001:db8::2 proto=59 tos=171 flow_label=74565 min_ttl=64 max_ttl=64", 2, 60},
    {"an IPv4 header length below 20", NFL__PACKET_IP, "44000034 0001 0000 4006 0000 c0000201 c6336402" TCP_443,
     "src=192.0.2.1 dst=198.51.100.2 proto=6 tos=0 min_ttl=64 max_ttl=64", 0, 52},
    {"neither version 4 nor 6", NFL__PACKET_IP, "75000034", "", -1, 0},
    {"nothing", NFL__PACKET_ETHERNET, "", "", -1, 0},
};

/* The present fields as "name=value" words in the order of the table, for comparison. */
static int packet_has(const nfl_flow *flow, const char *want)
{
    uint64_t expected = 0;
    char copy[512], *rest = copy;
    snprintf(copy, sizeof copy, "%s", want);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(word, '='), text[NFL_VALUE_TEXT_SIZE];
        *value++ = 0;
        uint32_t field = nfl_field_find(word, strlen(word));
        nfl_value got = {.struct_size = sizeof got};
        nfl_flow_get(flow, field, &got);
        nfl_value_format(&got, NFL_TEXT_PLAIN, text, sizeof text);
        if (field >= NFL_FIELD_STORED_COUNT || !got.present || strcmp(text, value) != 0) {
            printf("\n    %s is '%s', expected '%s'\n", word, text, value);
            return 0;
        }
        expected |= NFL_HAS(field);
    }
    if (flow->present != expected)
        printf("\n    present %llx, expected %llx\n", (unsigned long long)flow->present, (unsigned long long)expected);
    return flow->present == expected;
}

static void test_headers_become_flows(void)
{
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        size_t len;
        uint8_t *frame = test_hex(packets[i].frame, &len);
        nfl_flow flow = {.struct_size = sizeof flow};
        uint32_t ip_len;
        NFL_CHECK(packets[i].name, nfl__packet_read(frame, len, packets[i].start, &flow, &ip_len) == packets[i].offset);
        NFL_CHECK(packets[i].name, packet_has(&flow, packets[i].want));
        NFL_CHECK(packets[i].name, ip_len == packets[i].ip_len);
        free(frame);
    }
}

/* Cut at every byte: what is set must be what the whole frame says, and nothing is read beyond the end. */
static void test_a_cut_header_tells_a_part_of_the_same(void)
{
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        size_t len;
        uint8_t *frame = test_hex(packets[i].frame, &len);
        nfl_flow whole = {.struct_size = sizeof whole};
        uint32_t ip_len;
        nfl__packet_read(frame, len, packets[i].start, &whole, &ip_len);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *part = test_exact(frame, cut);
            nfl_flow flow = {.struct_size = sizeof flow};
            nfl__packet_read(part, cut, packets[i].start, &flow, &ip_len);
            NFL_CHECK(packets[i].name, (flow.present & ~whole.present) == 0);
            free(part);
        }
        free(frame);
    }
}

static void test_every_byte_may_be_anything(void)
{
    test_random random = {test_seed()};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        size_t len;
        uint8_t *frame = test_hex(packets[i].frame, &len);
        for (size_t at = 0; at < len; at++) {
            uint8_t kept = frame[at];
            for (unsigned n = 0; n < 16; n++) {
                nfl_flow flow = {.struct_size = sizeof flow};
                uint32_t ip_len;
                frame[at] = (uint8_t)test_next(&random);
                int32_t offset = nfl__packet_read(frame, len, packets[i].start, &flow, &ip_len);
                NFL_CHECK(packets[i].name, offset < (int32_t)len);
            }
            frame[at] = kept;
        }
        free(frame);
    }
}

static void test_what_the_exporter_said_stays(void)
{
    size_t len;
    uint8_t *frame = test_hex(packets[0].frame, &len);
    nfl_flow flow = {.struct_size = sizeof flow, .dst_port = 80, .src = nfl_ip_from_v4(1)};
    flow.present = NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_SRC);
    uint32_t ip_len;
    nfl__packet_read(frame, len, NFL__PACKET_ETHERNET, &flow, &ip_len);
    CU_ASSERT_EQUAL(flow.dst_port, 80);
    CU_ASSERT_EQUAL(flow.src.b[15], 1);
    CU_ASSERT_EQUAL(flow.src_port, 40000);
    free(frame);
}

NFL_SUITE("packet", {"headers become flows", test_headers_become_flows},
          {"a cut header tells a part of the same", test_a_cut_header_tells_a_part_of_the_same},
          {"every byte may be anything", test_every_byte_may_be_anything},
          {"what the exporter said stays", test_what_the_exporter_said_stays})

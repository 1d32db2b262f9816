#include <CUnit/Basic.h>

#include "parser_feed.h"

#include <stdlib.h>
#include <string.h>

static void v5_gives_every_field(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v5(&d, 1, UPTIME, SECONDS, 10, 0x4000 | 100);
    test_bytes(&d, "0a000001 c6336402 0a0000fe 0001 0002 00000003 000005dc 00017318 00017700 3039 01bb 00 1b "
                   "06 10 fde8 fde9 18 10 0000");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 1);
    const nfl_flow *f = &out.flows[0];
    CU_ASSERT(nfl_ip_is_v4(&f->src) && f->src.b[12] == 10 && f->src.b[15] == 1);
    CU_ASSERT_EQUAL(f->dst.b[12], 198);
    CU_ASSERT_EQUAL(f->next_hop.b[15], 254);
    CU_ASSERT(f->in_if == 1 && f->out_if == 2 && f->packets == 3 && f->bytes == 1500);
    CU_ASSERT(f->src_port == 12345 && f->dst_port == 443 && f->tcp_flags == 0x1b && f->proto == 6 &&
              f->tos == 16);
    CU_ASSERT(f->src_as == 65000 && f->dst_as == 65001 && f->src_mask == 24 && f->dst_mask == 16);
    CU_ASSERT_EQUAL(f->first_us, SECONDS * SECOND - 5 * SECOND);
    CU_ASSERT_EQUAL(f->last_us, SECONDS * SECOND - 4 * SECOND);
    CU_ASSERT(f->received_us == NOW && f->flows == 1 && f->version == 5 && f->domain == 0x0102);
    CU_ASSERT(f->sampling == 100 && (f->present & NFL_HAS(NFL_FIELD_SAMPLING)));
    CU_ASSERT(!(f->present & NFL_HAS(NFL_FIELD_SRC_MAC)));
    CU_ASSERT_EQUAL(memcmp(&f->exporter, &exporter, 16), 0);
    CU_ASSERT_EQUAL(info_of(parser).next_sequence, 11);
    nfl_parser_free(parser);
}

#define FIXED_COMMON                                                                                         \
    "0a000001 c6336402 0a0000fe 0001 0002 00000003 000005dc 00017318 00017700 3039 01bb "

static void clients_and_servers_are_sources_and_destinations(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_ipfix(&d, SECONDS, 1, 7); /* Cisco AVC: no other addresses */
    test_bytes(&d, "0002 0018 0100 0002 afcc 0004 00000009 afcd 0004 00000009 0100 000c 0a000001 c6336402");
    test_bytes(&d, "0002 0018 0101 0002 afce 0010 00000009 afcf 0010 00000009"
                   "0101 0024 20010db8000000000000000000000001 20010db8000000000000000000000002");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 2);
    CU_ASSERT(out.flows[0].src.b[12] == 10 && out.flows[0].dst.b[12] == 198);
    CU_ASSERT(out.flows[1].src.b[15] == 1 && out.flows[1].dst.b[15] == 2 && out.flows[1].dst.b[0] == 0x20);
    nfl_parser_free(parser);
}

static void v1_gives_what_it_has(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v1(&d, 2, UPTIME, SECONDS);
    test_bytes(&d, FIXED_COMMON "0000 06 10 1b 000000 0000000000000000");
    test_bytes(&d, FIXED_COMMON "0000 11 00 00 000000 0000000000000000");
    for (int i = 0; i < 2; i++) { /* it has no sequence number: nothing is lost or late */
        feed(parser, &d, &out);
        CU_ASSERT_EQUAL(out.errors, 0);
        CU_ASSERT_EQUAL_FATAL(out.flow_count, 2);
    }
    const nfl_flow *f = &out.flows[0];
    CU_ASSERT(f->src.b[12] == 10 && f->dst.b[12] == 198 && f->next_hop.b[15] == 254);
    CU_ASSERT(f->in_if == 1 && f->out_if == 2 && f->packets == 3 && f->bytes == 1500);
    CU_ASSERT(f->proto == 6 && f->tos == 16 && f->tcp_flags == 0x1b && f->version == 1);
    CU_ASSERT_EQUAL(f->first_us, SECONDS * SECOND - 5 * SECOND);
    CU_ASSERT(!(f->present & (NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_SRC_MASK))));
    CU_ASSERT_EQUAL(out.flows[1].proto, 17);
    CU_ASSERT(stats_of(parser).lost_flows == 0 && stats_of(parser).late_datagrams == 0);
    nfl_parser_free(parser);
}

/* softflowd and fprobe leave out the last four bytes. */
static void v1_records_may_be_short(void)
{
    enum { MANY = 13 }; /* as long as 12 of full length: only the count tells */
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v1(&d, MANY, UPTIME, SECONDS);
    for (int i = 0; i < MANY; i++)
        test_bytes(&d, FIXED_COMMON "0000 06 10 1b 000000 00000000");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.errors, 0);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, MANY);
    for (int i = 0; i < MANY; i++) {
        const nfl_flow *f = &out.flows[i];
        CU_ASSERT(f->src.b[12] == 10 && f->packets == 3 && f->dst_port == 443 && f->proto == 6 && f->tcp_flags == 0x1b);
    }
    test_v1(&d, MANY - 1, UPTIME, SECONDS);
    for (int i = 0; i < MANY - 1; i++)
        test_bytes(&d, FIXED_COMMON "0000 06 10 1b 000000 0000000000000000");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.errors, 0);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, MANY - 1);
    CU_ASSERT(out.flows[MANY - 2].src.b[12] == 10 && out.flows[MANY - 2].dst_port == 443);
    nfl_parser_free(parser);
}

static void v7_gives_every_field_and_counts_loss(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v7(&d, 1, UPTIME, SECONDS, 10);
    test_bytes(&d, FIXED_COMMON "00 1b 06 10 fde8 fde9 18 10 0000 0a0000fd");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 1);
    const nfl_flow *f = &out.flows[0];
    CU_ASSERT(f->src_port == 12345 && f->dst_port == 443 && f->proto == 6 && f->tos == 16);
    CU_ASSERT(f->src_as == 65000 && f->dst_as == 65001 && f->src_mask == 24 && f->dst_mask == 16);
    CU_ASSERT(f->tcp_flags == 0x1b && f->version == 7 && f->bytes == 1500);
    test_v7(&d, 2, UPTIME + 1, SECONDS, 15);
    test_bytes(&d, FIXED_COMMON "00 1b 06 10 fde8 fde9 18 10 0000 0a0000fd");
    feed(parser, &d, &out);
    CU_ASSERT(out.flow_count == 1 && out.errors == 1 && out.last_error == NFL_E_TRUNCATED);
    CU_ASSERT_EQUAL(stats_of(parser).lost_flows, 4);
    nfl_parser_free(parser);
}

static void v5_count_is_not_believed(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v5(&d, 55582, UPTIME, SECONDS, 1, 0);
    for (int i = 0; i < 60; i++)
        test_bytes(&d, "00000000");
    test_bytes(&d, "0000");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.flow_count, 5);
    CU_ASSERT_EQUAL(out.errors, 1);
    CU_ASSERT_EQUAL(out.last_error, NFL_E_TRUNCATED);
    test_v5(&d, 0, UPTIME, SECONDS, 1, 0);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.flow_count + out.errors, 0);
    nfl_parser_free(parser);
}

static void v9_template_then_data(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v9(&d, UPTIME, SECONDS, 1, 7);
    test_set(&d, 0);
    test_bytes(&d, TEMPLATE_256);
    test_set(&d, 256);
    test_bytes(&d, RECORD_256 RECORD_256 "ffffff"); /* padding need not be zero */
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.errors, 0);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 2);
    const nfl_flow *f = &out.flows[1];
    CU_ASSERT(f->src_port == 12345 && f->dst_port == 443 && f->proto == 6 && f->bytes == 1500 &&
              f->packets == 3);
    CU_ASSERT_EQUAL(f->first_us, SECONDS * SECOND - 5 * SECOND);
    CU_ASSERT_EQUAL(f->last_us, SECONDS * SECOND - 4 * SECOND);
    CU_ASSERT(f->version == 9 && f->domain == 7 && f->app == 0);
    nfl_parser_free(parser);
}

/* One record of one template, in IPFIX or v9: which values and which present bits come out. */
typedef struct value_case {
    const char *name;
    int v9;
    uint16_t fields;
    const char *definition;
    const char *record;
    uint32_t field;
    uint64_t want;
    int absent;
} value_case;

static const value_case value_cases[] = {
    {"a counter of 3 bytes", 0, 2, "0008 0004 0001 0003", "0a000001 010203", NFL_FIELD_BYTES, 0x010203, 0},
    {"a counter of 8 bytes", 0, 2, "0008 0004 0001 0008", "0a000001 0000000102030405", NFL_FIELD_BYTES,
     0x0102030405, 0},
    {"an interface of 2 bytes", 0, 2, "0008 0004 000a 0002", "0a000001 0102", NFL_FIELD_IN_IF, 0x0102, 0},
    {"an interface of 8 bytes that fits", 0, 2, "0008 0004 000a 0008", "0a000001 0000000000000102",
     NFL_FIELD_IN_IF, 0x0102, 0},
    {"an interface too large becomes the largest", 0, 2, "0008 0004 000a 0008", "0a000001 0100000000000102",
     NFL_FIELD_IN_IF, UINT32_MAX, 0},
    {"a counter of 10 bytes that fits", 0, 2, "0008 0004 0001 000a", "0a000001 00000000000000000102",
     NFL_FIELD_BYTES, 0x0102, 0},
    {"a port of 1 byte", 0, 2, "0008 0004 000b 0001", "0a000001 50", NFL_FIELD_DST_PORT, 0x50, 0},
    {"the first of repeated elements wins", 0, 3, "0008 0004 0004 0001 0004 0001", "0a000001 06 11",
     NFL_FIELD_PROTO, 6, 0},
    {"a delta of zero is no reason to take the total", 0, 3, "0008 0004 0001 0004 0055 0004",
     "0a000001 00000000 00000009", NFL_FIELD_BYTES, 0, 0},
    {"a delta after its total wins", 0, 3, "0008 0004 0055 0004 0001 0004", "0a000001 00000009 00000005",
     NFL_FIELD_BYTES, 5, 0},
    {"a total alone counts", 0, 2, "0008 0004 0055 0004", "0a000001 00000009", NFL_FIELD_BYTES, 9, 0},
    {"a mask of the other family counts when the first is zero", 0, 3, "0008 0004 0009 0001 001d 0001",
     "0a000001 00 40", NFL_FIELD_SRC_MASK, 64, 0},
    {"tcp flags of 2 bytes lose the data offset", 0, 2, "0008 0004 0006 0002", "0a000001 5112",
     NFL_FIELD_TCP_FLAGS, 0x112, 0},
    {"tcp flags of 1 byte", 0, 2, "0008 0004 0006 0001", "0a000001 12", NFL_FIELD_TCP_FLAGS, 0x12, 0},
    {"a flow label of 4 bytes", 0, 2, "0008 0004 001f 0004", "0a000001 600abcde", NFL_FIELD_FLOW_LABEL,
     0xabcde, 0},
    {"an MPLS label is the upper 20 bits", 0, 2, "0008 0004 0046 0003", "0a000001 012345",
     NFL_FIELD_MPLS_LABEL, 0x1234, 0},
    {"an application id of 4 bytes", 0, 2, "0008 0004 005f 0004", "0a000001 03000050", NFL_FIELD_APP_ID,
     UINT64_C(0x0300000000000050), 0},
    {"an application id with an enterprise number", 0, 2, "0008 0004 005f 0008", "0a000001 1400000009000001",
     NFL_FIELD_APP_ID, UINT64_C(0x1400000009000001), 0},
    {"a MAC address", 0, 2, "0008 0004 0038 0006", "0a000001 020304050607", NFL_FIELD_SRC_MAC,
     UINT64_C(0x020304050607), 0},
    {"the reverse of bytes (RFC 5103)", 0, 2, "0008 0004 8001 0004 00007279", "0a000001 00000063",
     NFL_FIELD_REVERSE_BYTES, 99, 0},
    {"responder octets are the reverse of bytes", 0, 3, "0008 0004 00e7 0004 00e8 0004",
     "0a000001 00000001 00000002", NFL_FIELD_REVERSE_BYTES, 2, 0},
    {"the reverse of a total (YAF)", 0, 3, "0008 0004 0055 0004 8055 0004 00007279", "0a000001 00000001 00000063",
     NFL_FIELD_REVERSE_BYTES, 99, 0},
    {"a reverse delta wins over the reverse total", 0, 3, "0008 0004 8056 0004 00007279 8002 0004 00007279",
     "0a000001 00000063 00000002", NFL_FIELD_REVERSE_PACKETS, 2, 0},
    {"the reverse of bytes (Ixia)", 0, 2, "0008 0004 80b0 0004 00000bee", "0a000001 00000063", NFL_FIELD_REVERSE_BYTES,
     99, 0},
    {"a client's port (Cisco AVC)", 0, 2, "afcc 0004 00000009 afd0 0002 00000009", "0a000001 c000", NFL_FIELD_SRC_PORT,
     49152, 0},
    {"a server's port (Cisco AVC)", 0, 2, "afcd 0004 00000009 afd1 0002 00000009", "0a000001 0050", NFL_FIELD_DST_PORT,
     80, 0},
    {"the physical interface where there is no other", 0, 2, "0008 0004 00fc 0004", "0a000001 00000007",
     NFL_FIELD_IN_IF, 7, 0},
    {"the interface wins over the physical one", 0, 3, "0008 0004 000e 0004 00fd 0004", "0a000001 00000008 00000007",
     NFL_FIELD_OUT_IF, 8, 0},
    {"a DSCP is the upper six bits of the type of service", 0, 2, "0008 0004 00c3 0001", "0a000001 2e", NFL_FIELD_TOS,
     0xb8, 0},
    {"the type of service wins over the DSCP before it", 0, 3, "0008 0004 00c3 0001 0005 0001", "0a000001 2e ba",
     NFL_FIELD_TOS, 0xba, 0},
    {"the type of service wins over the DSCP behind it", 0, 3, "0008 0004 0005 0001 00c3 0001", "0a000001 00 2e",
     NFL_FIELD_TOS, 0, 0},
    {"a port block's start is no port", 0, 3, "0008 0004 0169 0002 00e6 0001", "0a000001 0400 10", NFL_FIELD_SRC_PORT, 0,
     1},
    {"a port block is a translation event", 0, 3, "0008 0004 0169 0002 00e6 0001", "0a000001 0400 10",
     NFL_FIELD_NAT_EVENT, 16, 0},
    {"the customer's VLAN is not the flow's", 0, 3, "0008 0004 00f3 0002 00f5 0002", "0a000001 0064 00c8",
     NFL_FIELD_VLAN, 100, 0},
    {"why a flow ended", 0, 2, "0008 0004 0088 0001", "0a000001 03", NFL_FIELD_END_REASON, 3, 0},
    {"initiator octets are bytes", 0, 3, "0008 0004 00e7 0004 00e8 0004", "0a000001 00000001 00000002",
     NFL_FIELD_BYTES, 1, 0},
    {"initiator octets of 0 are no reason to take a total", 0, 3, "0008 0004 00e7 0004 0055 0004",
     "0a000001 00000000 00000009", NFL_FIELD_BYTES, 0, 0},
    {"bytes of the old firewall's teardown are its total", 1, 3, "0008 0004 0055 0004 9c45 0001",
     "0a000001 00000009 02", NFL_FIELD_BYTES, 9, 0},
    {"v9 type 40005 is the firewall event", 1, 2, "0008 0004 9c45 0001", "0a000001 03", NFL_FIELD_FW_EVENT, 3, 0},
    {"a firewall's create event has no bytes", 1, 2, "0008 0004 00e9 0001", "0a000001 01", NFL_FIELD_BYTES, 0, 1},
    {"v9 type 40003 is the translated source port", 1, 2, "0008 0004 9c43 0002", "0a000001 1f90",
     NFL_FIELD_NAT_SRC_PORT, 8080, 0},
    {"v9 type 40004 is the translated destination port", 1, 2, "0008 0004 9c44 0002", "0a000001 1f91",
     NFL_FIELD_NAT_DST_PORT, 8081, 0},
    {"a total after a middlebox", 0, 2, "0008 0004 00ab 0004", "0a000001 00000007", NFL_FIELD_OUT_BYTES, 7, 0},
    {"a delta after a middlebox wins over its total", 0, 3, "0008 0004 00ac 0004 0018 0004",
     "0a000001 00000007 00000002", NFL_FIELD_OUT_PACKETS, 2, 0},
    {"first and later tcp flags of YAF are joined", 0, 3, "0008 0004 800e 0001 00001ad7 800f 0001 00001ad7",
     "0a000001 02 18", NFL_FIELD_TCP_FLAGS, 0x1a, 0},
    {"bit 0x4000 of YAF's elements is the reverse", 0, 3, "0008 0004 c00e 0001 00001ad7 c00f 0001 00001ad7",
     "0a000001 12 11", NFL_FIELD_REVERSE_TCP_FLAGS, 0x13, 0},
    {"reverse tcp flags of YAF are no forward ones", 0, 2, "0008 0004 c00e 0001 00001ad7", "0a000001 12",
     NFL_FIELD_TCP_FLAGS, 0, 1},
    {"YAF's tcp flags of variable length", 0, 4, "0008 0004 800e 0001 00001ad7 0052 ffff 800f 0001 00001ad7",
     "0a000001 02 01 61 10", NFL_FIELD_TCP_FLAGS, 0x12, 0},
    {"the outermost of IOS-XR's repeated ports", 0, 4, "0008 0004 000b 0002 0008 0004 000b 0002",
     "0a000001 0050 0a000002 01bb", NFL_FIELD_DST_PORT, 80, 0},
    {"forwarding status of 4 bytes does not shift what follows", 0, 3, "0008 0004 0059 0004 0001 0004",
     "0a000001 00000040 00000009", NFL_FIELD_BYTES, 9, 0},
    {"an unknown enterprise's element 1 is not bytes", 0, 2, "0008 0004 8001 0004 00003039",
     "0a000001 00000063", NFL_FIELD_BYTES, 0, 1},
    {"v9 type 32769 is no enterprise element", 1, 2, "0008 0004 8001 0004", "0a000001 00000063",
     NFL_FIELD_BYTES, 0, 1},
    {"v9 type 33002 is the extended firewall event", 1, 2, "0008 0004 80ea 0002", "0a000001 03e9",
     NFL_FIELD_FW_EXT_EVENT, 1001, 0},
    {"the sampling interval of a record", 1, 2, "0008 0004 0022 0004", "0a000001 00000064",
     NFL_FIELD_SAMPLING, 100, 0},
    {"packet interval and space give the rate", 0, 3, "0008 0004 0131 0004 0132 0004",
     "0a000001 00000001 00000063", NFL_FIELD_SAMPLING, 100, 0},
    {"sample size and population give the rate", 0, 3, "0008 0004 0135 0004 0136 0004",
     "0a000001 00000002 000000c8", NFL_FIELD_SAMPLING, 100, 0},
    {"no sampling told is absent", 0, 2, "0008 0004 0001 0004", "0a000001 00000001", NFL_FIELD_SAMPLING, 0,
     1},
    {"icmp type and code from element 32", 0, 3, "0008 0004 0004 0001 0020 0002", "0a000001 01 0301",
     NFL_FIELD_ICMP_TYPE, 3, 0},
    {"icmpv6 type and code from element 139", 0, 3, "001b 0010 0004 0001 008b 0002",
     "20010db8000000000000000000000001 3a 8000", NFL_FIELD_ICMP_TYPE, 128, 0},
    {"icmp code from element 177", 0, 4, "0008 0004 0004 0001 00b0 0001 00b1 0001", "0a000001 01 03 01",
     NFL_FIELD_ICMP_CODE, 1, 0},
    {"icmp type and code from the port", 1, 3, "0008 0004 0004 0001 000b 0002", "0a000001 01 0301",
     NFL_FIELD_ICMP_CODE, 1, 0},
    {"icmp has no ports", 1, 3, "0008 0004 0004 0001 000b 0002", "0a000001 01 0301", NFL_FIELD_DST_PORT, 0,
     1},
    {"tcp has no icmp type", 0, 3, "0008 0004 0004 0001 0020 0002", "0a000001 06 0000", NFL_FIELD_ICMP_TYPE,
     0, 1},
    {"an address of 5 bytes is no address", 0, 2, "0001 0004 0008 0005", "00000001 0a00000100", NFL_FIELD_SRC,
     0, 1},
    {"a field of 0 bytes is absent", 0, 2, "0008 0004 0001 0000", "0a000001", NFL_FIELD_BYTES, 0, 1},
    {"a counter of variable length", 0, 2, "0008 0004 0001 ffff", "0a000001 02 0102", NFL_FIELD_BYTES, 0x0102,
     0},
    {"an empty counter of variable length is absent", 0, 2, "0008 0004 0001 ffff", "0a000001 00",
     NFL_FIELD_BYTES, 0, 1},
    {"what follows a long string", 0, 3, "0008 0004 0052 ffff 0001 0002", "0a000001 ff0003 616263 0102",
     NFL_FIELD_BYTES, 0x0102, 0},
    {"v9 has variable lengths too", 1, 3, "0008 0004 0052 ffff 0001 0002", "0a000001 03 616263 0102",
     NFL_FIELD_BYTES, 0x0102, 0},
};

static void values_come_out(void)
{
    static test_datagram d;
    for (size_t i = 0; i < sizeof value_cases / sizeof *value_cases; i++) {
        const value_case *c = &value_cases[i];
        nfl_parser *parser = new_parser(0);
        outcome out;
        if (c->v9)
            test_v9(&d, UPTIME, SECONDS, 1, 7);
        else
            test_ipfix(&d, SECONDS, 1, 7);
        test_set(&d, c->v9 ? 0 : 2);
        test_number(&d, 300, 2);
        test_number(&d, c->fields, 2);
        test_bytes(&d, c->definition);
        test_set(&d, 300);
        test_bytes(&d, c->record);
        feed(parser, &d, &out);
        NFL_CHECK(c->name, out.flow_count == 1 && out.errors == 0);
        nfl_value value = {.struct_size = sizeof value};
        nfl_flow flow = out.flows[0];
        flow.sampling = c->field == NFL_FIELD_SAMPLING ? flow.sampling : 0;
        nfl_flow_get(&flow, c->field, &value);
        NFL_CHECK(c->name, value.present == !c->absent);
        NFL_CHECK(c->name, c->absent || value.u64 == c->want);
        nfl_parser_free(parser);
    }
}

typedef struct time_case {
    const char *name;
    int v9;
    uint16_t fields;
    const char *definition;
    const char *record;
    nfl_usec first;
    nfl_usec last;
    int present;
} time_case;

#define EXPORT_US (SECONDS * SECOND)
static const time_case time_cases[] = {
    {"no times: arrival", 0, 1, "0008 0004", "0a000001", NOW, NOW, 0},
    {"seconds", 0, 3, "0008 0004 0096 0004 0097 0004", "0a000001 65000000 65000001",
     INT64_C(0x65000000) * SECOND, INT64_C(0x65000001) * SECOND, 1},
    {"milliseconds", 0, 3, "0008 0004 0098 0008 0099 0008", "0a000001 0000018a876d3880 0000018a876d3881",
     INT64_C(0x18a876d3880) * 1000, INT64_C(0x18a876d3881) * 1000, 1},
    {"NTP microseconds", 0, 3, "0008 0004 009a 0008 009b 0008", "0a000001 e8aa7e8080000000 e8aa7e81c0000000",
     (INT64_C(0xe8aa7e80) - INT64_C(2208988800)) * SECOND + 500000,
     (INT64_C(0xe8aa7e81) - INT64_C(2208988800)) * SECOND + 750000, 1},
    {"NTP nanoseconds after 2036", 0, 3, "0008 0004 009c 0008 009d 0008",
     "0a000001 0000000080000000 0000000180000000",
     (INT64_C(0x100000000) - INT64_C(2208988800)) * SECOND + 500000,
     (INT64_C(0x100000001) - INT64_C(2208988800)) * SECOND + 500000, 1},
    {"microseconds before the export", 0, 3, "0008 0004 009e 0004 009f 0004", "0a000001 001e8480 000f4240",
     EXPORT_US - 2 * SECOND, EXPORT_US - SECOND, 1},
    {"sysUptime", 1, 3, "0008 0004 0016 0004 0015 0004", "0a000001 00017318 00017700", EXPORT_US - 5 * SECOND,
     EXPORT_US - 4 * SECOND, 1},
    {"sysUptime before the wrap", 1, 3, "0008 0004 0016 0004 0015 0004", "0a000001 ffffffff 00000000",
     EXPORT_US - UPTIME * 1000 - 1000, EXPORT_US - UPTIME * 1000, 1},
    {"sysUptime slightly in the future", 1, 3, "0008 0004 0016 0004 0015 0004", "0a000001 000186a0 000186a1",
     EXPORT_US, EXPORT_US + 1000, 1},
    {"sysUptime in IPFIX needs the boot time", 0, 3, "0008 0004 0016 0004 0015 0004",
     "0a000001 00017318 00017700", NOW, NOW, 0},
    {"sysUptime in IPFIX with the boot time", 0, 4, "0008 0004 0016 0004 0015 0004 00a0 0008",
     "0a000001 00000064 000000c8 0000018a8755afe0", INT64_C(0x18a8755afe0) * 1000 + 100000,
     INT64_C(0x18a8755afe0) * 1000 + 200000, 1},
    {"start and duration", 0, 3, "0008 0004 0096 0004 00a1 0004", "0a000001 65000000 000003e8",
     INT64_C(0x65000000) * SECOND, INT64_C(0x65000001) * SECOND, 1},
    {"time of one observation", 0, 2, "0008 0004 0143 0008", "0a000001 0000018a876d3880",
     INT64_C(0x18a876d3880) * 1000, INT64_C(0x18a876d3880) * 1000, 1},
};

static void times_come_out(void)
{
    static test_datagram d;
    for (size_t i = 0; i < sizeof time_cases / sizeof *time_cases; i++) {
        const time_case *c = &time_cases[i];
        nfl_parser *parser = new_parser(0);
        outcome out;
        if (c->v9)
            test_v9(&d, UPTIME, SECONDS, 1, 7);
        else
            test_ipfix(&d, SECONDS, 1, 7);
        test_set(&d, c->v9 ? 0 : 2);
        test_number(&d, 300, 2);
        test_number(&d, c->fields, 2);
        test_bytes(&d, c->definition);
        test_set(&d, 300);
        test_bytes(&d, c->record);
        feed(parser, &d, &out);
        uint64_t bits = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST);
        NFL_CHECK(c->name, out.flow_count == 1);
        NFL_CHECK(c->name, out.flows[0].first_us == c->first);
        NFL_CHECK(c->name, out.flows[0].last_us == c->last);
        NFL_CHECK(c->name, (out.flows[0].present & bits) == (c->present ? bits : 0));
        nfl_parser_free(parser);
    }
}

static void v9_seconds_get_finer(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    /* booted at .600 of a second: export times are cut to seconds */
    for (unsigned ms = 0; ms < 1000; ms += 100) {
        test_v9(&d, 10000 + ms, SECONDS + (ms + 600) / 1000, 1 + ms / 100, 7);
        test_set(&d, 0);
        test_bytes(&d, "0100 0002 0008 0004 0016 0004");
        test_set(&d, 256);
        test_bytes(&d, "0a000001 00002710"); /* 10000 */
        feed(parser, &d, &out);
    }
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 1);
    CU_ASSERT(out.flows[0].first_us >= EXPORT_US + 500000 && out.flows[0].first_us <= EXPORT_US + 700000);
    nfl_parser_free(parser);
}

/* Datagrams that are malformed in one place: how many flows are saved, how many errors are reported. */
typedef struct broken_case {
    const char *name;
    int v9;
    const char *sets; /* after the header, complete with set headers */
    size_t flows;
    size_t errors;
    nfl_status status;
} broken_case;


static const broken_case broken_cases[] = {
    {"a tail of zeros ends the datagram", 1, SET_T9 SET_D "00000000 00000000 00000000 000000", 1, 0, 0},
    {"a rest shorter than a set header is padding", 1, SET_T9 SET_D "ffffff", 1, 0, 0},
    {"a set length of 0", 1, SET_T9 "0100 0000" SET_D, 0, 1, NFL_E_FORMAT},
    {"a set length of 3", 0, SET_T10 "0100 0003" SET_D, 0, 1, NFL_E_FORMAT},
    {"an empty data set", 0, SET_T10 "0100 0004" SET_D, 1, 0, 0},
    {"a set longer than the datagram keeps its complete records", 0,
     SET_T10 "0100 0020 0a000001 00000001 0a0000", 1, 1, NFL_E_TRUNCATED},
    {"a reserved set is passed over", 0, SET_T10 "0004 0008 00000000" SET_D, 1, 1, NFL_E_FORMAT},
    {"v9 template sets are reserved in IPFIX", 0, SET_T9 SET_D, 0, 2, NFL_E_NO_TEMPLATE},
    {"set lengths need not be multiples of 4", 0, SET_T10 "0100 000d 0a000001 00000001 00" SET_D, 2, 0, 0},
    {"padding in a template set is no template", 0, "0002 0014 0100 0002 0008 0004 0001 0004 0000 0000" SET_D,
     1, 0, 0},
    {"two bytes of padding in a template set", 0, "0002 0012 0100 0002 0008 0004 0001 0004 0000" SET_D, 1, 0,
     0},
    {"template id 255", 0, "0002 0010 00ff 0002 0008 0004 0001 0004" SET_T10 SET_D, 1, 1, NFL_E_FORMAT},
    {"a field count beyond the set", 0, "0002 0010 0100 0009 0008 0004 0001 0004", 0, 1, NFL_E_FORMAT},
    {"a v9 template without fields", 1, "0000 0008 0100 0000" SET_T9 SET_D, 1, 1, NFL_E_FORMAT},
    {"records of 0 bytes would never end", 1, "0000 000c 0100 0001 0008 0000" SET_D, 0, 1, NFL_E_FORMAT},
    {"a scope of 0 bytes is legal", 1,
     "0001 0012 0101 0004 0004 0001 0000 0022 0004 0101 0008 00000064" SET_T9 SET_D, 1, 0, 0},
    {"scope length of 3 bytes", 1, "0001 0012 0101 0003 0004 0001 0000 0022 0004" SET_T9 SET_D, 1, 1,
     NFL_E_FORMAT},
    {"more scope fields than fields", 0, "0003 0010 0101 0001 0002 0001 0004 0000" SET_T10 SET_D, 1, 1,
     NFL_E_FORMAT},
    {"a record runs past its set", 0, "0002 000c 0100 0001 0052 ffff 0100 0007 05 6162" SET_T10 SET_D, 1, 1,
     NFL_E_FORMAT},
};

static void malformed_parts_are_passed_over(void)
{
    static test_datagram d;
    for (size_t i = 0; i < sizeof broken_cases / sizeof *broken_cases; i++) {
        const broken_case *c = &broken_cases[i];
        nfl_parser *parser = new_parser(0);
        outcome out;
        if (c->v9)
            test_v9(&d, UPTIME, SECONDS, 1, 7);
        else
            test_ipfix(&d, SECONDS, 1, 7);
        test_bytes(&d, c->sets);
        feed(parser, &d, &out);
        NFL_CHECK(c->name, out.flow_count == c->flows);
        NFL_CHECK(c->name, out.errors == c->errors);
        NFL_CHECK(c->name, out.last_error == c->status);
        nfl_parser_free(parser);
    }
}

static void bad_headers_are_refused(void)
{
    static const struct {
        const char *name;
        const char *hex;
        nfl_status want;
    } t[] = {
        {"nothing", "", NFL_E_TRUNCATED},
        {"one byte", "00", NFL_E_TRUNCATED},
        {"version 0", "0000 0000", NFL_E_UNSUPPORTED},
        {"v1 header cut", "0001 0001 00000000 00000000 000000", NFL_E_TRUNCATED},
        {"v7 header cut", "0007 0001 00000000 00000000 00000000 00000000 000000", NFL_E_TRUNCATED},
        {"the number sFlow has here", "0069 0001 00000000 00000000 00000000 00000000", NFL_E_UNSUPPORTED},
        {"sFlow v4", "00000004 00000001 00000000 00000000 00000000 00000000", NFL_E_UNSUPPORTED},
        {"sFlow cut", "00000005 00000001", NFL_E_TRUNCATED},
        {"v5 header cut", "0005 0001 00000000 00000000 00000000 00000000 0000", NFL_E_TRUNCATED},
        {"v9 header cut", "0009 0001 00000000 00000000 00000000 000000", NFL_E_TRUNCATED},
        {"IPFIX header cut", "000a 0010 00000000 00000000 000000", NFL_E_TRUNCATED},
        {"IPFIX length below its header", "000a 000f 00000000 00000000 00000000", NFL_E_FORMAT},
    };
    nfl_parser *parser = new_parser(0);
    outcome out;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t len;
        uint8_t *bytes = test_hex(t[i].hex, &len);
        feed_bytes(parser, bytes, len, NOW, &out);
        NFL_CHECK(t[i].name, out.last_error == t[i].want && out.errors == 1);
        NFL_CHECK(t[i].name, out.detail.code == t[i].want && out.detail.message[0]);
        free(bytes);
    }
    CU_ASSERT_EQUAL(stats_of(parser).bad_datagrams, sizeof t / sizeof *t);
    CU_ASSERT_EQUAL(nfl_parser_feed(parser, &exporter, NOW, NULL, 5, NULL), NFL_E_ARG);
    nfl_parser_free(parser);
}

static void bytes_behind_an_ipfix_message_are_no_part_of_it(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_T10 SET_D);
    test_close(&d);
    test_bytes(&d, SET_D);
    feed_bytes(parser, d.bytes, d.len, NOW, &out);
    CU_ASSERT_EQUAL(out.flow_count, 1);
    nfl_parser_free(parser);
}

static void the_last_definition_wins_over_both_kinds(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_T10 SET_D);
    test_bytes(&d, "0003 0012 0100 0002 0001 0095 0004 0022 0004"); /* the same id as options */
    test_bytes(&d, SET_D);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.flow_count, 1);
    CU_ASSERT_EQUAL(stats_of(parser).options_records, 1);
    CU_ASSERT_EQUAL(info_of(parser).templates, 1);
    nfl_parser_free(parser);
}

static void a_withdrawn_template_drops_its_records(void)
{
    static const struct {
        const char *name;
        const char *withdrawal;
        size_t flows;
    } t[] = {
        {"by id", "0002 0008 0100 0000", 0},
        {"all data templates", "0002 0008 0002 0000", 0},
        {"all options templates", "0003 0008 0003 0000", 1},
        {"another id", "0002 0008 0101 0000", 1},
    };
    static test_datagram d;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        outcome out;
        test_ipfix(&d, SECONDS, 1, 7);
        test_bytes(&d, SET_T10);
        test_bytes(&d, t[i].withdrawal);
        test_bytes(&d, SET_D);
        feed(parser, &d, &out);
        NFL_CHECK(t[i].name, out.flow_count == t[i].flows);
        NFL_CHECK(t[i].name, out.errors == 1 - t[i].flows);
        nfl_parser_free(parser);
    }
}

static void templates_belong_to_their_domain(void)
{
    nfl_parser *parser = new_parser(NFL_PARSER_NO_PENDING);
    static test_datagram d;
    outcome out;
    test_v9(&d, UPTIME, SECONDS, 1, 7);
    test_bytes(&d, SET_T9);
    feed(parser, &d, &out);
    test_v9(&d, UPTIME, SECONDS, 1, 8);
    test_bytes(&d, SET_D);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.last_error, NFL_E_NO_TEMPLATE);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_D);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.last_error, NFL_E_NO_TEMPLATE);
    test_close(&d);
    test_v9(&d, UPTIME, SECONDS, 2, 7);
    test_bytes(&d, SET_D);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL(out.flow_count, 1);
    CU_ASSERT_EQUAL(stats_of(parser).domains, 3);
    CU_ASSERT_EQUAL(stats_of(parser).dropped_sets, 2);
    nfl_parser_free(parser);
}

static void data_before_its_template_is_replayed(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    outcome out;
    test_v9(&d, UPTIME, SECONDS, 1, 7);
    test_set(&d, 256);
    test_bytes(&d, RECORD_256);
    test_close(&d);
    feed_bytes(parser, d.bytes, d.len, NOW - 5 * SECOND, &out);
    CU_ASSERT_EQUAL(out.last_error, NFL_E_NO_TEMPLATE);
    CU_ASSERT(info_of(parser).pending_bytes > 0);
    test_v9(&d, UPTIME + 5000, SECONDS + 5, 2, 7);
    test_set(&d, 256);
    test_bytes(&d, RECORD_256 RECORD_256);
    test_set(&d, 0);
    test_bytes(&d, TEMPLATE_256);
    test_set(&d, 256);
    test_bytes(&d, RECORD_256);
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 4);
    CU_ASSERT_EQUAL(out.flows[0].received_us, NOW - 5 * SECOND);
    CU_ASSERT_EQUAL(out.flows[0].first_us, EXPORT_US - 5 * SECOND);
    CU_ASSERT_EQUAL(out.flows[1].received_us, NOW);
    CU_ASSERT_EQUAL(out.flows[3].received_us, NOW);
    CU_ASSERT_EQUAL(out.flows[3].first_us, EXPORT_US - 5 * SECOND);
    CU_ASSERT_EQUAL(info_of(parser).pending_bytes, 0);
    nfl_parser_stats stats = stats_of(parser);
    CU_ASSERT(stats.replayed_sets == 2 && stats.dropped_sets == 0 && stats.unknown_sets == 2);
    nfl_parser_free(parser);
}

static void waiting_data_is_bounded_and_ages(void)
{
    NFL_OPTS(nfl_parser_opts, opts, .max_pending_bytes = 16 * 400, .pending_ttl_s = 10);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    static test_datagram d;
    outcome out;
    for (uint32_t i = 0; i < 20; i++) {
        test_v9(&d, UPTIME, SECONDS, i, 7);
        test_bytes(&d, SET_D);
        feed(parser, &d, &out);
        CU_ASSERT(info_of(parser).pending_bytes <= 400);
    }
    CU_ASSERT(stats_of(parser).dropped_sets > 10);
    test_v9(&d, UPTIME, SECONDS, 20, 7);
    test_close(&d);
    feed_bytes(parser, d.bytes, d.len, NOW + 11 * SECOND, &out);
    CU_ASSERT_EQUAL(info_of(parser).pending_bytes, 0);
    CU_ASSERT_EQUAL(stats_of(parser).dropped_sets, 20);
    nfl_parser_free(parser);
}

/* Options data, then a record: the rate it gets. */
static void options_data_tells_sampling(void)
{
    static const struct {
        const char *name;
        int v9;
        const char *options; /* template set and data set */
        const char *record;  /* elements 8, 48, 10 */
        uint32_t want;
    } t[] = {
        {"of the system", 1, "0001 0012 0101 0004 0004 0001 0000 0022 0004 0101 0008 00000064",
         "0a000001 00 0001", 100},
        {"of a sampler", 1, "0001 0016 0101 0004 0008 0001 0000 0030 0001 0032 0004 0101 0009 05 00000064",
         "0a000001 05 0001", 100},
        {"of another sampler", 1,
         "0001 0016 0101 0004 0008 0001 0000 0030 0001 0032 0004 0101 0009 05 00000064", "0a000001 06 0001",
         0},
        {"of an interface", 1, "0001 0012 0101 0004 0004 0002 0002 0022 0004 0101 000a 0001 00000064",
         "0a000001 00 0001", 100},
        {"of another interface", 1, "0001 0012 0101 0004 0004 0002 0002 0022 0004 0101 000a 0002 00000064",
         "0a000001 00 0001", 0},
        {"of an interface behind scope System", 1,
         "0001 0016 0101 0004 0008 0001 0000 000a 0002 0022 0004 0101 000a 0001 00000064", "0a000001 00 0001", 100},
        {"of another interface behind scope System", 1,
         "0001 0016 0101 0004 0008 0001 0000 000a 0002 0022 0004 0101 000a 0002 00000064", "0a000001 00 0001", 0},
        {"of no interface behind scope System", 1,
         "0001 0016 0101 0004 0008 0001 0000 000a 0002 0022 0004 0101 000a 0000 00000064", "0a000001 00 0001", 100},
        {"of a selector", 0, "0003 0016 0101 0003 0001 012e 0001 0131 0002 0132 0002 0101 0009 05 0001 0063",
         "0a000001 05 0001", 100},
        {"of the domain", 0, "0003 0012 0101 0002 0001 0095 0004 0022 0002 0101 000a 00000007 0064",
         "0a000001 00 0001", 100},
    };
    static test_datagram d;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        outcome out;
        if (t[i].v9)
            test_v9(&d, UPTIME, SECONDS, 1, 7);
        else
            test_ipfix(&d, SECONDS, 1, 7);
        test_bytes(&d, t[i].options);
        test_set(&d, t[i].v9 ? 0 : 2);
        test_bytes(&d, t[i].v9 ? "0100 0003 0008 0004 0030 0001 000a 0002"
                               : "0100 0003 0008 0004 012e 0001 000a 0002");
        test_set(&d, 256);
        test_bytes(&d, t[i].record);
        feed(parser, &d, &out);
        NFL_CHECK(t[i].name, out.flow_count == 1 && out.errors == 0);
        NFL_CHECK(t[i].name, out.flows[0].sampling == t[i].want);
        nfl_parser_free(parser);
    }
}

/* A record of domain 7 that tells a rate of 100 itself. */
static uint32_t rate_of_a_record(nfl_parser *parser)
{
    static test_datagram d;
    outcome out;
    test_v9(&d, UPTIME, SECONDS, 1, 7);
    test_bytes(&d, "0000 0010 0100 0002 0008 0004 0022 0004" "0100 000c 0a000001 00000064");
    feed(parser, &d, &out);
    CU_ASSERT_EQUAL_FATAL(out.flow_count, 1);
    CU_ASSERT(out.flows[0].present & NFL_HAS(NFL_FIELD_SAMPLING));
    return out.flows[0].sampling;
}

static void the_rate_the_host_sets_wins(void)
{
    nfl_parser *parser = new_parser(0);
    nfl_ip other = exporter;
    other.b[15]++;
    static const struct {
        const char *name;
        int64_t domain;
        uint32_t rate, want;
        int other;
    } t[] = {
        {"of another exporter", -1, 9, 100, 1},
        {"of all its domains, before the first datagram", -1, 500, 500, 0},
        {"of another domain", 8, 600, 500, 0},
        {"of the domain", 7, 700, 700, 0},
        {"of all its domains again", -1, 800, 700, 0},
        {"of the domain again", 7, 1, 1, 0},
        {"of the domain no more", 7, 0, 800, 0},
        {"of none", -1, 0, 100, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, t[i].other ? &other : &exporter, t[i].domain, t[i].rate, NULL),
                        NFL_OK);
        NFL_CHECK(t[i].name, rate_of_a_record(parser) == t[i].want);
    }
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, -2, 1, NULL), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, INT64_C(1) << 32, 1, NULL), NFL_E_ARG);
    for (int64_t i = 0; i < 4094; i++)
        CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, i + 100, 2, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, 99, 2, NULL), NFL_E_LIMIT);
    nfl_parser_free(parser);
}

static void the_rate_the_host_sets_is_for_v5_and_needs_memory(void)
{
    test_allocator memory;
    test_allocator_init(&memory, -1, 0);
    NFL_OPTS(nfl_parser_opts, opts, .alloc = &memory.alloc);
    nfl_parser *parser = NULL;
    static test_datagram d;
    outcome out;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    memory.fail_at = memory.requests;
    memory.fail_on = 1;
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, -1, 50, NULL), NFL_E_NOMEM);
    memory.fail_at = -1;
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, -1, 50, NULL), NFL_OK);
    test_v5(&d, 1, UPTIME, SECONDS, 10, 1000); /* an MX80 sends the interval with mode 0 */
    for (int i = 0; i < 12; i++)
        test_bytes(&d, "00000000");
    feed(parser, &d, &out);
    CU_ASSERT(out.flow_count == 1 && out.flows[0].sampling == 50 && info_of(parser).sampling == 50);
    CU_ASSERT_EQUAL(nfl_parser_set_sampling(parser, &exporter, -1, 0, NULL), NFL_OK);
    feed(parser, &d, &out);
    CU_ASSERT(out.flow_count == 1 && out.flows[0].sampling == 1000);
    nfl_parser_free(parser);
    CU_ASSERT_EQUAL(memory.live, 0);
}

static void events_tell_everything_in_order(void)
{
    nfl_parser *parser = new_parser(NFL_PARSER_NO_PENDING);
    static test_datagram d;
    test_ipfix(&d, SECONDS, 41, 7);
    test_bytes(
        &d, SET_T10 SET_D
        "0003 000e 0101 0001 0001 0095 0004 0101 0008 00000007 0177 0008 01020304 0002 0008 0100 0000");
    test_close(&d);
    uint8_t *bytes = test_exact(d.bytes, d.len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, NOW, bytes, d.len, NULL), NFL_OK);
    static const struct {
        uint16_t kind, template_id, set_id;
        uint32_t offset, len, fields;
    } want[] = {
        {NFL_EVENT_HEADER, 0, 0, 0, 16, 0},      {NFL_EVENT_TEMPLATE, 256, 2, 20, 12, 2},
        {NFL_EVENT_RECORD, 256, 256, 36, 8, 2},  {NFL_EVENT_TEMPLATE, 257, 3, 48, 10, 1},
        {NFL_EVENT_OPTIONS, 257, 257, 62, 4, 1}, {NFL_EVENT_UNKNOWN_SET, 375, 375, 70, 4, 0},
        {NFL_EVENT_WITHDRAW, 256, 2, 78, 4, 0},
    };
    const nfl_event *event = NULL;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        CU_ASSERT_EQUAL_FATAL(nfl_parser_next_event(parser, &event, NULL), NFL_OK);
        CU_ASSERT(event->kind == want[i].kind && event->template_id == want[i].template_id);
        CU_ASSERT(event->set_id == want[i].set_id && event->offset == want[i].offset &&
                  event->len == want[i].len);
        CU_ASSERT(event->field_count == want[i].fields && event->domain == 7 &&
                  event->header->sequence == 41);
        CU_ASSERT_EQUAL(event->flow != NULL, event->kind == NFL_EVENT_RECORD);
        CU_ASSERT_EQUAL(event->options, want[i].template_id == 257);
    }
    CU_ASSERT_EQUAL(nfl_parser_next_event(parser, &event, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_parser_next_event(parser, &event, NULL), NFL_DONE);
    free(bytes);
    nfl_parser_free(parser);
}

static void fields_stay_readable_in_order(void)
{
    nfl_parser *parser = new_parser(0);
    static test_datagram d;
    test_ipfix(&d, SECONDS, 1, 7);
    test_set(&d, 2);
    test_bytes(&d, "0100 0004 0008 0004 0004 0001 8001 ffff 00003039 0004 0001");
    test_set(&d, 256);
    test_bytes(&d, "0a000001 06 03 616263 11");
    test_close(&d);
    uint8_t *bytes = test_exact(d.bytes, d.len);
    const nfl_flow *flow;
    nfl_record_field field;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, NOW, bytes, d.len, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 0, &field), NFL_DONE);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_next(parser, &flow, NULL), NFL_OK);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_field(parser, 2, &field), NFL_OK);
    CU_ASSERT(field.pen == 12345 && field.id == 1 && field.len == 3 && memcmp(field.data, "abc", 3) == 0);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_field(parser, 3, &field), NFL_OK);
    CU_ASSERT(field.id == 4 && field.data[0] == 17);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_element(parser, 0, 4, &field), NFL_OK);
    CU_ASSERT_EQUAL(field.data[0], 6);
    CU_ASSERT_EQUAL(nfl_parser_element(parser, 0, 1, &field), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_parser_field(parser, 4, &field), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_parser_next(parser, &flow, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_parser_element(parser, 0, 4, &field), NFL_DONE);
    free(bytes);
    nfl_parser_free(parser);
}

static void copied_input_may_be_released_at_once(void)
{
    nfl_parser *parser = new_parser(NFL_PARSER_COPY_INPUT);
    static test_datagram d;
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, SET_T10 SET_D);
    test_close(&d);
    uint8_t *bytes = test_exact(d.bytes, d.len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_feed(parser, &exporter, NOW, bytes, d.len, NULL), NFL_OK);
    free(bytes);
    const nfl_flow *flow = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_next(parser, &flow, NULL), NFL_OK);
    CU_ASSERT_EQUAL(flow->bytes, 1);
    nfl_parser_free(parser);
}

/* Every vector above once more: cut at every byte, and with every byte changed. */
static void hostile_feed(nfl_parser *parser, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = test_exact(bytes, len);
    const nfl_event *event;
    size_t steps = 0;
    volatile uint8_t touched = 0;
    if (nfl_parser_feed(parser, &exporter, NOW, copy, len, NULL) == NFL_OK)
        while (nfl_parser_next_event(parser, &event, NULL) != NFL_DONE) {
            nfl_record_field field;
            for (uint32_t i = 0; nfl_parser_field(parser, i, &field) == NFL_OK; i++)
                for (uint32_t j = 0; j < field.len; j++)
                    touched = (uint8_t)(touched ^ field.data[j]);
            CU_ASSERT_FATAL(steps++ < 20 * 65535);
        }
    free(copy);
}

static void hostile_variants(const uint8_t *bytes, size_t len)
{
    static const uint8_t masks[] = {0xff, 0x01, 0x80};
    nfl_parser *parser = new_parser(0);
    for (size_t cut = 0; cut < len; cut++)
        hostile_feed(parser, bytes, cut);
    uint8_t *changed = test_exact(bytes, len);
    for (size_t i = 0; i < len; i++)
        for (size_t j = 0; j < sizeof masks; j++) {
            changed[i] ^= masks[j];
            hostile_feed(parser, changed, len);
            changed[i] ^= masks[j];
        }
    free(changed);
    nfl_parser_free(parser);
}

static void any_bytes_are_safe(void)
{
    static test_datagram d;
    for (size_t i = 0; i < sizeof broken_cases / sizeof *broken_cases; i++) {
        if (broken_cases[i].v9)
            test_v9(&d, UPTIME, SECONDS, 1, 7);
        else
            test_ipfix(&d, SECONDS, 1, 7);
        test_bytes(&d, broken_cases[i].sets);
        test_close(&d);
        hostile_variants(d.bytes, d.len);
    }
    test_v9(&d, UPTIME, SECONDS, 1, 7);
    test_set(&d, 0);
    test_bytes(&d, TEMPLATE_256);
    test_set(&d, 256);
    test_bytes(&d, RECORD_256 RECORD_256);
    test_close(&d);
    hostile_variants(d.bytes, d.len);
    test_v5(&d, 1, UPTIME, SECONDS, 1, 0);
    test_bytes(&d, "0a000001 c6336402 0a0000fe 0001 0002 00000003 000005dc 00017318 00017700 3039 01bb 00 1b "
                   "06 10 fde8 fde9 18 10 0000");
    hostile_variants(d.bytes, d.len);
    test_ipfix(&d, SECONDS, 1, 7);
    test_set(&d, 2); /* a sampled frame */
    test_bytes(&d, "0100 0003 0008 0004 013b ffff 0052 ffff");
    test_set(&d, 256);
    test_bytes(&d, "0a000001 2a 020000000001 020000000002 0800 4500001c 00000000 40110000 0a000001 0a000002 "
                   "0035 0035 0008 0000 03616263");
    hostile_variants(d.bytes, d.len);
}

static void options_are_checked(void)
{
    nfl_parser *parser = NULL;
    NFL_OPTS(nfl_parser_opts, bad, .flags = 0x80);
    CU_ASSERT_EQUAL(nfl_parser_new(&bad, &parser, NULL), NFL_E_ARG);
    bad.flags = 0;
    bad.struct_size = 0;
    CU_ASSERT_EQUAL(nfl_parser_new(&bad, &parser, NULL), NFL_E_ARG);
    CU_ASSERT_PTR_NULL(parser);
    CU_ASSERT_EQUAL(nfl_parser_new(NULL, &parser, NULL), NFL_OK);
    const nfl_flow *flow;
    CU_ASSERT_EQUAL(nfl_parser_next(parser, &flow, NULL), NFL_DONE);
    nfl_parser_free(parser);
    nfl_parser_free(NULL);
}

NFL_SUITE("parser", {"options are checked", options_are_checked},
          {"clients and servers are sources and destinations", clients_and_servers_are_sources_and_destinations},
          {"v1 gives what it has", v1_gives_what_it_has},
          {"v1 records may be short", v1_records_may_be_short},
          {"v7 gives every field and counts loss", v7_gives_every_field_and_counts_loss},
          {"v5 gives every field", v5_gives_every_field},
          {"the count of v5 is not believed", v5_count_is_not_believed},
          {"a v9 template, then data", v9_template_then_data},
          {"values come out", values_come_out},
          {"times come out", times_come_out},
          {"export times in seconds get finer", v9_seconds_get_finer},
          {"malformed parts are passed over", malformed_parts_are_passed_over},
          {"bad headers are refused", bad_headers_are_refused},
          {"bytes behind an IPFIX message are no part of it", bytes_behind_an_ipfix_message_are_no_part_of_it},
          {"the last definition wins over both kinds", the_last_definition_wins_over_both_kinds},
          {"a withdrawn template drops its records", a_withdrawn_template_drops_its_records},
          {"templates belong to their domain", templates_belong_to_their_domain},
          {"data before its template is replayed", data_before_its_template_is_replayed},
          {"waiting data is bounded and ages", waiting_data_is_bounded_and_ages},
          {"options data tells sampling", options_data_tells_sampling},
          {"the rate the host sets wins", the_rate_the_host_sets_wins},
          {"the rate the host sets is for v5 and needs memory", the_rate_the_host_sets_is_for_v5_and_needs_memory},
          {"events tell everything in order", events_tell_everything_in_order},
          {"fields stay readable in order", fields_stay_readable_in_order},
          {"copied input may be released at once", copied_input_may_be_released_at_once},
          {"any bytes are safe", any_bytes_are_safe})

#include <CUnit/Basic.h>

#include "parser_feed.h"

#include "wire/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "eth0" and "uplink" */
#define ETH0 "65746830"
#define UPLINK "75706c696e6b"
#define PADDED_ETH0 ETH0 "00000000"

static int has_name(const nfl_parser *parser, uint16_t version, uint32_t domain, uint32_t kind, uint64_t id,
                    const char *name, const char *description)
{
    nfl_name found = {.struct_size = sizeof found};
    if (nfl_parser_name(parser, &exporter, version, domain, kind, id, &found) != NFL_OK)
        return 0;
    return found.kind == kind && found.id == id && found.version == version &&
           memcmp(&found.exporter, &exporter, sizeof exporter) == 0 && strcmp(found.name, name) == 0 &&
           strcmp(found.description, description) == 0;
}

static int has_no_name(const nfl_parser *parser, uint16_t version, uint32_t domain, uint32_t kind, uint64_t id)
{
    nfl_name found = {.struct_size = sizeof found};
    return nfl_parser_name(parser, &exporter, version, domain, kind, id, &found) == NFL_DONE;
}

/* Feed sets to one domain of one exporter. */
static void tell_from(nfl_parser *parser, const nfl_ip *from, uint16_t version, uint32_t domain, nfl_usec now_us,
                      const char *sets)
{
    static test_datagram d;
    const nfl_flow *flow;
    if (version == 9)
        test_v9(&d, UPTIME, SECONDS, 1, domain);
    else
        test_ipfix(&d, SECONDS, 1, domain);
    test_bytes(&d, sets);
    test_close(&d);
    uint8_t *copy = test_exact(d.bytes, d.len);
    if (nfl_parser_feed(parser, from, now_us, copy, d.len, NULL) == NFL_OK)
        while (nfl_parser_next(parser, &flow, NULL) != NFL_DONE)
            continue;
    free(copy);
}

static void tell(nfl_parser *parser, uint16_t version, uint32_t domain, const char *sets)
{
    tell_from(parser, &exporter, version, domain, NOW, sets);
}

static void options_data_tell_names(void)
{
    static const struct {
        const char *name;
        uint16_t version;
        const char *sets;
        uint32_t kind;
        uint64_t id;
        const char *told, *described;
    } t[] = {
        {"v9: scope Interface", 9, "0001 0012 0101 0004 0004 0002 0002 0052 0008 0101 000e 0007" PADDED_ETH0,
         NFL_NAME_INTERFACE, 7, "eth0", ""},
        {"v9: scope System, the interface as a field (Cisco ASR 9000)", 9,
         "0001 0016 0101 0004 0008 0001 0004 000a 0004 0053 0008 0101 0014 c0000201 0000004a" PADDED_ETH0,
         NFL_NAME_INTERFACE, 74, "", "eth0"},
        {"IPFIX: input and output are the same interface (IOS XR)", 10,
         "0003 001a 0101 0004 0002 000a 0004 000e 0004 0053 ffff 0052 ffff"
         "0101 0018 0000002a 0000002a 06" UPLINK "04" ETH0,
         NFL_NAME_INTERFACE, 42, "eth0", "uplink"},
        {"IPFIX: physical interface", 10, "0003 0012 0101 0002 0001 00fc 0004 0052 0004 0101 000c 00000009" ETH0,
         NFL_NAME_INTERFACE, 9, "eth0", ""},
        {"IPFIX: VRF, id repeated (IOS XR)", 10,
         "0003 001e 0101 0005 0001 00ea 0004 00ec 0008 00ea 0004 00eb 0004 005a 0008"
         "0101 0020 60000001 " PADDED_ETH0 "60000001 60000001 0000000000000000",
         NFL_NAME_VRF, 0x60000001, "eth0", ""},
        {"v9: VRF 0", 9, "0001 0016 0101 0004 0008 0001 0004 00ea 0004 00ec 0008 0101 0014 c0000201 00000000" PADDED_ETH0,
         NFL_NAME_VRF, 0, "eth0", ""},
        {"v9: application of 4 bytes (Cisco WLC)", 9,
         "0001 0016 0101 0004 0008 0001 0004 005f 0004 0060 0008 0101 0014 c0000201 0d0001c5" PADDED_ETH0,
         NFL_NAME_APPLICATION, UINT64_C(13) << 56 | 453, "eth0", ""},
        {"IPFIX: application with description, of 9 bytes (RFC 6759, engine 20)", 10,
         "0003 0016 0101 0003 0001 005f 0009 0060 ffff 005e ffff 0101 0019 140000304400012345 04" ETH0 "06" UPLINK,
         NFL_NAME_APPLICATION, UINT64_C(20) << 56 | UINT64_C(0x304400012345), "eth0", "uplink"},
        {"v9: sampler", 9, "0001 0016 0101 0004 0008 0001 0004 0030 0002 0054 0008 0101 0012 c0000201 0001" PADDED_ETH0,
         NFL_NAME_SAMPLER, 1, "eth0", ""},
        {"IPFIX: selector; samplerName is empty, selectorName is not", 10,
         "0003 0016 0101 0003 0001 012e 0004 0054 0002 014f ffff 0101 0014 00000003 0000 06" UPLINK "000000",
         NFL_NAME_SAMPLER, 3, "uplink", ""},
        {"not UTF-8, as it was sent", 10, "0003 0012 0101 0002 0001 000a 0004 0052 0004 0101 000c 00000009 fffe41c3",
         NFL_NAME_INTERFACE, 9, "\xff\xfe\x41\xc3", ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        tell(parser, t[i].version, 7, t[i].sets);
        NFL_CHECK(t[i].name, has_name(parser, t[i].version, 7, t[i].kind, t[i].id, t[i].told, t[i].described));
        NFL_CHECK(t[i].name, info_of(parser).names == 1);
        for (uint32_t kind = 0; kind <= NFL_NAME_COUNT; kind++)
            NFL_CHECK(t[i].name, kind == t[i].kind || has_no_name(parser, t[i].version, 7, kind, t[i].id));
        NFL_CHECK(t[i].name, has_no_name(parser, t[i].version, 7, t[i].kind, t[i].id + 1));
        NFL_CHECK(t[i].name, has_no_name(parser, t[i].version == 9 ? 10 : 9, 7, t[i].kind, t[i].id));
        nfl_parser_free(parser);
    }
}

static void what_names_nothing_teaches_nothing(void)
{
    static const struct {
        const char *name;
        uint16_t version;
        const char *sets;
    } t[] = {
        {"a name of nothing", 10, "0003 0012 0101 0002 0001 008f 0004 0052 0004 0101 000c 00000009" ETH0},
        {"a number without a name", 10, "0003 0012 0101 0002 0001 000a 0004 000e 0004 0101 000c 00000009 00000009"},
        {"an empty name", 10, "0003 0012 0101 0002 0001 000a 0004 0052 ffff 0101 0009 00000009 00"},
        {"a name of NULs", 10, "0003 0012 0101 0002 0001 000a 0004 0052 0004 0101 000c 00000009 00000000"},
        {"a number of no bytes", 10, "0003 0012 0101 0002 0001 000a ffff 0052 0004 0101 0009 00" ETH0},
        {"a number of 9 bytes", 10, "0003 0012 0101 0002 0001 000a 0009 0052 0004 0101 0011 000000000000000001" ETH0},
        {"an application of 1 byte", 10, "0003 0012 0101 0002 0001 005f 0001 0060 0004 0101 0009 03" ETH0},
        {"an enterprise's element 82", 10,
         "0003 0016 0101 0002 0001 000a 0004 8052 0004 00000009 0101 000c 00000009" ETH0},
        {"v9: scope type 10 is no field type", 9,
         "0001 0012 0101 0004 0004 000a 0004 0052 0004 0101 000c 00000009" ETH0},
        {"a data record", 10, "0002 0010 0101 0002 000a 0004 0052 0004 0101 000c 00000009" ETH0},
        {"a record that is cut", 10, "0003 0012 0101 0002 0001 000a 0004 0052 ffff 0101 000a 00000009 0865"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_parser *parser = new_parser(0);
        tell(parser, t[i].version, 7, t[i].sets);
        NFL_CHECK(t[i].name, info_of(parser).names == 0);
        nfl_parser_free(parser);
    }
}

#define BOTH_TEMPLATE "0003 0016 0101 0003 0001 000a 0004 0052 ffff 0053 ffff"
#define NAME_TEMPLATE "0003 0012 0102 0002 0001 000a 0004 0052 ffff"

static void what_is_told_last_counts(void)
{
    nfl_parser *parser = new_parser(0);
    tell(parser, 10, 7, BOTH_TEMPLATE "0101 0014 00000009 04" ETH0 "06" UPLINK);
    tell(parser, 10, 7, NAME_TEMPLATE "0102 000b 00000009 02 6131"); /* says nothing of a description */
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a1", "uplink"));
    tell(parser, 10, 7, "0101 000c 00000009 02 6132 00");
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a2", ""));
    CU_ASSERT_EQUAL(info_of(parser).names, 1);
    tell(parser, 10, 7, "0101 000a 00000009 00 00"); /* it has neither now */
    CU_ASSERT(has_no_name(parser, 10, 7, NFL_NAME_INTERFACE, 9));
    CU_ASSERT_EQUAL(info_of(parser).names, 0);
    CU_ASSERT_EQUAL(stats_of(parser).dropped_names, 0);
    nfl_parser_free(parser);
}

static void long_text_is_cut(void)
{
    static test_datagram d;
    outcome out;
    nfl_parser *parser = new_parser(0);
    char longest[NFL__NAME_MAX + 1];
    memset(longest, 'x', NFL__NAME_MAX);
    longest[NFL__NAME_MAX] = 0;
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, NAME_TEMPLATE);
    test_set(&d, 0x102);
    test_bytes(&d, "00000009 ff 0400");
    for (int i = 0; i < 0x400; i++)
        test_bytes(&d, "78");
    feed(parser, &d, &out);
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, longest, ""));
    nfl_parser_free(parser);
}

static void names_of_other_domains_of_the_exporter_are_found(void)
{
    static const nfl_ip other = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}};
    nfl_parser *parser = new_parser(0);
    tell_from(parser, &other, 10, 7, NOW, NAME_TEMPLATE "0102 000b 00000009 02 6f74");
    CU_ASSERT(has_no_name(parser, 10, 7, NFL_NAME_INTERFACE, 9));
    tell_from(parser, &exporter, 10, 8, NOW + SECOND, NAME_TEMPLATE "0102 000b 00000009 02 6138");
    tell_from(parser, &exporter, 10, 6, NOW, NAME_TEMPLATE "0102 000b 00000009 02 6136");
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a8", "")); /* told last */
    tell_from(parser, &exporter, 10, 6, NOW + SECOND, NAME_TEMPLATE "0102 000b 00000009 02 6136");
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a6", "")); /* at the same time: the lower */
    tell(parser, 10, 0, NAME_TEMPLATE "0102 000b 00000009 02 6130");
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a0", ""));
    tell(parser, 10, 7, NAME_TEMPLATE "0102 000b 00000009 02 6137");
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "a7", ""));
    CU_ASSERT(has_name(parser, 10, 8, NFL_NAME_INTERFACE, 9, "a8", ""));
    CU_ASSERT(has_name(parser, 10, 99, NFL_NAME_INTERFACE, 9, "a0", "")); /* never heard of */
    nfl_parser_free(parser);
}

/* All names by position: each once, and none more. */
static void all_names_can_be_gone_through(void)
{
    static test_datagram d;
    outcome out;
    nfl_parser *parser = new_parser(0);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, "0003 0012 0102 0002 0001 000a 0004 0052 0004");
    test_set(&d, 0x102);
    for (uint32_t i = 0; i < 100; i++) {
        test_number(&d, i, 4);
        test_bytes(&d, ETH0);
    }
    feed(parser, &d, &out);
    unsigned char seen[100] = {0};
    nfl_name name = {.struct_size = sizeof name};
    size_t n = 0;
    for (; nfl_parser_domain_name(parser, 0, n, &name) == NFL_OK; n++)
        if (name.id < 100 && strcmp(name.name, "eth0") == 0 && name.told_us == NOW && name.domain == 7)
            seen[name.id]++;
    CU_ASSERT_EQUAL(n, 100);
    for (size_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(seen[i], 1);
    CU_ASSERT_EQUAL(nfl_parser_domain_name(parser, 1, 0, &name), NFL_DONE);
    nfl_parser_free(parser);
}

static nfl_status tell_number(nfl__names *names, nfl__memory *memory, size_t max_bytes, uint64_t id, uint64_t *dropped)
{
    char text[24];
    int len = snprintf(text, sizeof text, "if%llu", (unsigned long long)id);
    nfl__telling telling = {id, NFL_NAME_INTERFACE, 0, {(const uint8_t *)text, (size_t)len}, {NULL, 0}};
    return nfl__names_tell(names, memory, 1, max_bytes, &telling, NOW, dropped);
}

static void the_least_recently_told_names_go_first(void)
{
    nfl__names names = {0};
    nfl__memory memory;
    uint64_t dropped = 0;
    nfl__memory_init(&memory, NULL, 0);
    for (uint64_t i = 0; i < NFL__NAMES; i++)
        CU_ASSERT_EQUAL_FATAL(tell_number(&names, &memory, SIZE_MAX, i, &dropped), NFL_OK);
    CU_ASSERT(names.count == NFL__NAMES && dropped == 0);
    CU_ASSERT_EQUAL(tell_number(&names, &memory, SIZE_MAX, 0, &dropped), NFL_OK); /* still in use */
    for (uint64_t i = NFL__NAMES; i < NFL__NAMES + 100; i++)
        CU_ASSERT_EQUAL_FATAL(tell_number(&names, &memory, SIZE_MAX, i, &dropped), NFL_OK);
    CU_ASSERT(names.count == NFL__NAMES && dropped == 100);
    CU_ASSERT_PTR_NOT_NULL(nfl__names_find(&names, 1, NFL_NAME_INTERFACE, 0));
    for (uint64_t i = 1; i < NFL__NAMES + 100; i++)
        CU_ASSERT((nfl__names_find(&names, 1, NFL_NAME_INTERFACE, i) != NULL) == (i > 100));
    size_t bytes = names.bytes;
    dropped = 0;
    CU_ASSERT_EQUAL(tell_number(&names, &memory, bytes / 2, 1, &dropped), NFL_OK);
    CU_ASSERT(names.bytes <= bytes / 2 && names.count + dropped == NFL__NAMES + 1u);
    CU_ASSERT_EQUAL(tell_number(&names, &memory, 8, 2, &dropped), NFL_E_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(nfl__names_find(&names, 1, NFL_NAME_INTERFACE, 1));
    nfl__names_done(&names, &memory);
    CU_ASSERT_EQUAL(memory.held, 0);
}

/* Every exporter in a flood of forged ones tells as many names as it can: the memory limit holds, and one in service
 * keeps its names and learns more. */
static void forged_exporters_displace_no_names(void)
{
    static test_datagram d;
    NFL_OPTS(nfl_parser_opts, opts, .max_bytes = 200000, .seed = 99);
    nfl_parser *parser = NULL;
    const nfl_flow *flow;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    for (int i = 0; i < 3; i++) /* two minutes of service */
        tell_from(parser, &exporter, 10, 7, NOW + i * 60 * SECOND, NAME_TEMPLATE "0102 000d 00000009 04" ETH0);
    test_ipfix(&d, SECONDS, 1, 7);
    test_bytes(&d, NAME_TEMPLATE);
    test_set(&d, 0x102);
    for (uint32_t i = 0; i < 200; i++) {
        test_number(&d, i, 4);
        test_bytes(&d, "06" UPLINK);
    }
    test_close(&d);
    for (uint32_t i = 0; i < 200; i++) {
        nfl_ip forged = nfl_ip_from_v4(0xc6120000u + i);
        if (nfl_parser_feed(parser, &forged, NOW + 300 * SECOND, d.bytes, d.len, NULL) == NFL_OK)
            while (nfl_parser_next(parser, &flow, NULL) != NFL_DONE)
                continue;
        CU_ASSERT(nfl_parser_memory(parser) <= 200000);
    }
    CU_ASSERT(stats_of(parser).dropped_names > 0);
    CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, 9, "eth0", ""));
    for (uint32_t i = 10; i < 30; i++) {
        char sets[100];
        snprintf(sets, sizeof sets, "0102 000f %08x 06" UPLINK, i);
        tell_from(parser, &exporter, 10, 7, NOW + 301 * SECOND, sets);
        CU_ASSERT(has_name(parser, 10, 7, NFL_NAME_INTERFACE, i, "uplink", ""));
    }
    nfl_parser_free(parser);
}

static void names_end_with_the_session(void)
{
    nfl_parser *parser = new_parser(0);
    tell(parser, 10, 7, NAME_TEMPLATE "0102 000d 00000009 04" ETH0);
    CU_ASSERT_EQUAL(nfl_parser_forget(parser, &exporter, 10), 1);
    CU_ASSERT(has_no_name(parser, 10, 7, NFL_NAME_INTERFACE, 9));
    nfl_parser_free(parser);
}

static nfl_status allocation_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl__names names = {0};
    nfl__memory memory;
    uint64_t dropped = 0;
    nfl_status status = NFL_OK;
    nfl__memory_init(&memory, alloc, 0);
    for (uint64_t i = 0; i < 40 && status == NFL_OK; i++) {
        status = tell_number(&names, &memory, SIZE_MAX, i, &dropped);
        CU_ASSERT((nfl__names_find(&names, 1, NFL_NAME_INTERFACE, i) != NULL) == (status == NFL_OK));
    }
    nfl__names_done(&names, &memory);
    return status;
}

static void allocation_failures_leak_nothing(void)
{
    CU_ASSERT(test_allocation_failures(allocation_scenario, NULL, 4) > 40);
}

static void names_told_again_allocate_nothing(void)
{
    test_allocator t;
    test_allocator_init(&t, -1, 0);
    NFL_OPTS(nfl_parser_opts, opts, .alloc = &t.alloc);
    nfl_parser *parser = NULL;
    long before = 0;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    for (int i = 0; i < 20; i++) {
        tell(parser, 10, 7, BOTH_TEMPLATE "0101 0014 00000009 04" ETH0 "06" UPLINK);
        if (i == 1)
            before = t.requests;
    }
    CU_ASSERT_EQUAL(t.requests, before);
    CU_ASSERT_EQUAL(nfl_parser_memory(parser), (size_t)t.live);
    nfl_parser_free(parser);
    CU_ASSERT_EQUAL(t.live, 0);
}

NFL_SUITE("names told by exporters",
          {"options data tell names", options_data_tell_names},
          {"what names nothing teaches nothing", what_names_nothing_teaches_nothing},
          {"what is told last counts", what_is_told_last_counts}, {"long text is cut", long_text_is_cut},
          {"names of other domains of the exporter are found", names_of_other_domains_of_the_exporter_are_found},
          {"all names can be gone through", all_names_can_be_gone_through},
          {"the least recently told names go first", the_least_recently_told_names_go_first},
          {"forged exporters displace no names", forged_exporters_displace_no_names},
          {"names end with the session", names_end_with_the_session},
          {"allocation failures leak nothing", allocation_failures_leak_nothing},
          {"names told again allocate nothing", names_told_again_allocate_nothing})

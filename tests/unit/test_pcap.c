#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/pcap.h>

#include <stdlib.h>
#include <string.h>

/* Captures are built here: bytes appended to a block, numbers in the byte order asked for. */
typedef struct build {
    uint8_t bytes[400000];
    size_t len;
    int little;
} build;

static void put(build *b, const void *data, size_t len)
{
    if (b->len + len > sizeof b->bytes)
        abort();
    memcpy(b->bytes + b->len, data, len);
    b->len += len;
}

static void put_number(build *b, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (b->little ? i : len - 1 - i));
        put(b, &byte, 1);
    }
}

static void put_hex(build *b, const char *hex)
{
    size_t len;
    uint8_t *bytes = test_hex(hex, &len);
    put(b, bytes, len);
    free(bytes);
}

static build *build_new(int little)
{
    build *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->little = little;
    return b;
}

static void put_header(build *b, uint32_t magic, uint32_t link_type)
{
    put_number(b, magic, 4);
    put_number(b, 0x00020004, 4);
    put_number(b, 0, 8);
    put_number(b, 65535, 4);
    put_number(b, link_type, 4);
}

static void put_packet(build *b, uint32_t seconds, uint32_t fraction, const uint8_t *frame, size_t len)
{
    put_number(b, seconds, 4);
    put_number(b, fraction, 4);
    put_number(b, len, 4);
    put_number(b, len, 4);
    put(b, frame, len);
}

/* A block of pcapng around a body in hexadecimal plus bytes. */
static void put_block(build *b, uint32_t type, const build *body)
{
    size_t padding = (4 - body->len % 4) % 4, len = 12 + body->len + padding;
    put_number(b, type, 4);
    put_number(b, len, 4);
    put(b, body->bytes, body->len);
    put(b, "\0\0\0", padding);
    put_number(b, len, 4);
}

static void put_section(build *b, int little)
{
    build *body = build_new(little);
    b->little = little;
    put_number(body, 0x1a2b3c4d, 4);
    put_number(body, little ? 0x00000001 : 0x00010000, 4);
    put_number(body, UINT64_MAX, 8);
    put_block(b, 0x0a0d0d0a, body);
    free(body);
}

/* resolution < 0: no option. */
static void put_interface(build *b, uint16_t link_type, int resolution, int64_t offset_s)
{
    build *body = build_new(b->little);
    put_number(body, link_type, 2);
    put_number(body, 0, 2);
    put_number(body, 0, 4);
    put_number(body, 2, 2); /* if_name, to be passed over */
    put_number(body, 3, 2);
    put(body, "eth", 4);
    if (resolution >= 0) {
        put_number(body, 9, 2);
        put_number(body, 1, 2);
        put_number(body, (uint64_t)resolution, 1);
        put(body, "\0\0\0", 3);
    }
    if (offset_s) {
        put_number(body, 14, 2);
        put_number(body, 8, 2);
        put_number(body, (uint64_t)offset_s, 8);
    }
    put_number(body, 0, 4);
    put_block(b, 1, body);
    free(body);
}

static void put_enhanced(build *b, uint32_t interface, uint64_t ticks, const uint8_t *frame, size_t len)
{
    build *body = build_new(b->little);
    put_number(body, interface, 4);
    put_number(body, ticks >> 32, 4);
    put_number(body, ticks, 4);
    put_number(body, len, 4);
    put_number(body, len, 4);
    put(body, frame, len);
    put_block(b, 6, body);
    free(body);
}

/* 192.0.2.1:5000 > 192.0.2.2:2055, "hello": the IPv4 packet in hexadecimal. */
#define V4 "45000021 0001 0000 40 11 0000 c0000201 c0000202 1388 0807 000d 0000 68656c6c6f"
#define UDP "1388 0807 000d 0000 68656c6c6f"
#define V6_SRC "20010db8000000000000000000000001"
#define V6_DST "20010db8000000000000000000000002"
#define MACS "020000000001 020000000002"

/* What reading a capture came to. */
typedef struct outcome {
    nfl_status status; /* the last one */
    unsigned count;
    uint64_t digest; /* of all datagrams with times, ports and addresses */
    nfl_datagram last;
    char text[64]; /* of the last */
    nfl_pcap_stats stats;
    nfl_error err;
} outcome;

static void outcome_add(outcome *o, const nfl_datagram *datagram)
{
    uint64_t sum = o->digest * 31 + (uint64_t)datagram->time_us + datagram->src_port * 7u + datagram->dst_port;
    for (size_t i = 0; i < datagram->len; i++)
        sum = sum * 31 + datagram->data[i];
    for (size_t i = 0; i < 16; i++)
        sum = sum * 31 + datagram->src.b[i] * 3u + datagram->dst.b[i];
    o->digest = sum;
    o->count++;
    o->last = *datagram;
    memset(o->text, 0, sizeof o->text);
    memcpy(o->text, datagram->data, datagram->len < 63 ? datagram->len : 63);
}

static outcome read_split(const uint8_t *bytes, size_t len, size_t piece, const nfl_alloc *alloc)
{
    outcome o = {.stats = {.struct_size = sizeof o.stats}};
    nfl_pcap *pcap = NULL;
    o.status = nfl_pcap_new(alloc, &pcap, &o.err);
    if (o.status < 0)
        return o;
    size_t at = 0;
    for (;;) {
        const nfl_datagram *datagram;
        o.status = nfl_pcap_next(pcap, &datagram, &o.err);
        if (o.status == NFL_OK)
            outcome_add(&o, datagram);
        else if (o.status != NFL_PENDING)
            break;
        else {
            size_t n = len - at < piece ? len - at : piece;
            uint8_t *copy = test_exact(bytes + at, n);
            o.status = nfl_pcap_feed(pcap, copy, n, &o.err);
            while (o.status == NFL_OK && (o.status = nfl_pcap_next(pcap, &datagram, &o.err)) == NFL_OK)
                outcome_add(&o, datagram);
            free(copy);
            at += n;
            if (o.status != NFL_PENDING)
                break;
        }
    }
    nfl_pcap_get_stats(pcap, &o.stats);
    nfl_pcap_free(pcap);
    return o;
}

static outcome read_all(const build *b)
{
    return read_split(b->bytes, b->len, b->len, NULL);
}

static outcome read_frame(uint32_t link_type, const char *hex)
{
    build *b = build_new(1);
    put_header(b, 0xa1b2c3d4, link_type);
    size_t len;
    uint8_t *frame = test_hex(hex, &len);
    put_packet(b, 1, 2, frame, len);
    outcome o = read_all(b);
    free(frame);
    free(b);
    return o;
}

static void test_byte_orders(void)
{
    static const struct {
        const char *name;
        int little;
        uint32_t magic;
        uint32_t fraction;
    } rows[] = {
        {"little endian, microseconds", 1, 0xa1b2c3d4, 654321},
        {"big endian, microseconds", 0, 0xa1b2c3d4, 654321},
        {"little endian, nanoseconds", 1, 0xa1b23c4d, 654321987},
        {"big endian, nanoseconds", 0, 0xa1b23c4d, 654321987},
    };
    size_t len;
    uint8_t *frame = test_hex(V4, &len);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        build *b = build_new(rows[i].little);
        put_header(b, rows[i].magic, 101);
        put_packet(b, 1795440000, rows[i].fraction, frame, len);
        outcome o = read_all(b);
        NFL_CHECK(rows[i].name, o.status == NFL_DONE && o.count == 1);
        NFL_CHECK(rows[i].name, o.last.time_us == INT64_C(1795440000654321));
        NFL_CHECK(rows[i].name, o.last.src_port == 5000 && o.last.dst_port == 2055 && o.last.len == 5);
        NFL_CHECK(rows[i].name, strcmp(o.text, "hello") == 0);
        nfl_ip src = nfl_ip_from_v4(0xc0000201), dst = nfl_ip_from_v4(0xc0000202);
        NFL_CHECK(rows[i].name, nfl_ip_compare(&o.last.src, &src) == 0 && nfl_ip_compare(&o.last.dst, &dst) == 0);
        free(b);
    }
    free(frame);
}

typedef struct frame_row {
    const char *name;
    uint32_t link_type;
    const char *hex;
    char expected; /* d datagram, o other, c cut, f fragment that stays alone */
} frame_row;

static void check_frames(const frame_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        outcome o = read_frame(rows[i].link_type, rows[i].hex);
        char got = o.stats.datagrams ? 'd' : o.stats.other ? 'o' : o.stats.cut ? 'c' : o.stats.fragments ? 'f' : '?';
        NFL_CHECK(rows[i].name, o.status == NFL_DONE);
        NFL_CHECK(rows[i].name, got == rows[i].expected);
        NFL_CHECK(rows[i].name, o.stats.packets == 1);
        NFL_CHECK(rows[i].name, o.stats.datagrams + o.stats.other + o.stats.cut + o.stats.fragments == 1);
        if (rows[i].expected == 'd')
            NFL_CHECK(rows[i].name, o.count == 1 && o.last.len == 5 && strcmp(o.text, "hello") == 0);
    }
}

static void test_link_types(void)
{
    static const frame_row rows[] = {
        {"Ethernet", 1, MACS "0800" V4, 'd'},
        {"Ethernet with padding and trailer", 1, MACS "0800" V4 "000000000000deadbeef", 'd'},
        {"Ethernet, frame check sequence length in the link field", 0x54000001, MACS "0800" V4 "deadbeef", 'd'},
        {"VLAN", 1, MACS "8100 0064 0800" V4, 'd'},
        {"QinQ", 1, MACS "88a8 0064 8100 0065 0800" V4, 'd'},
        {"three tags, old types", 1, MACS "9100 0064 9200 0065 8100 0066 0800" V4, 'd'},
        {"Linux cooked", 113, "0000 0001 0006 0200000000010000 0800" V4, 'd'},
        {"Linux cooked with VLAN", 113, "0000 0001 0006 0200000000010000 8100 0064 0800" V4, 'd'},
        {"Linux cooked 2", 276, "0800 0000 00000003 0001 00 06 0200000000010000" V4, 'd'},
        {"raw", 101, V4, 'd'},
        {"raw by DLT number", 12, V4, 'd'},
        {"raw by DLT number of OpenBSD", 14, V4, 'd'},
        {"IPv4", 228, V4, 'd'},
        {"loopback of a little-endian host", 0, "02000000" V4, 'd'},
        {"loopback of a big-endian host", 0, "00000002" V4, 'd'},
        {"loopback of OpenBSD", 108, "00000002" V4, 'd'},
        {"unknown link type", 147, V4, 'o'},
        {"ARP", 1, MACS "0806 0001080006040001", 'o'},
        {"frame shorter than its link header", 1, "020000000001 0200", 'c'},
        {"frame that ends in a VLAN tag", 1, MACS "8100 00", 'c'},
        {"frame that ends behind the link header", 1, MACS "0800", 'c'},
        {"IP version 5", 101, "55000021", 'o'},
        {"empty packet", 101, "", 'c'},
    };
    check_frames(rows, sizeof rows / sizeof *rows);
}

static void test_ip_headers(void)
{
    static const frame_row rows[] = {
        {"IPv4 options", 101, "47000029 0001 0000 40 11 0000 c0000201 c0000202 9404000001010101" UDP, 'd'},
        {"IPv4 length 0 from segmentation offload", 101, "45000000 0001 0000 40 11 0000 c0000201 c0000202" UDP, 'd'},
        {"IPv4 TCP", 101, "45000028 0001 0000 40 06 0000 c0000201 c0000202" UDP UDP, 'o'},
        {"IPv4 header length below 20", 101, "44000021 0001 0000 40 11 0000 c0000201 c0000202" UDP, 'o'},
        {"IPv4 total length below the header", 101, "45000013 0001 0000 40 11 0000 c0000201 c0000202" UDP, 'o'},
        {"IPv4 captured short", 101, "45000022 0001 0000 40 11 0000 c0000201 c0000202" UDP, 'c'},
        {"IPv4 header captured short", 101, "45000021 0001 0000 40 11 0000 c0000201", 'c'},
        {"UDP longer than its packet", 101,
         "45000021 0001 0000 40 11 0000 c0000201 c0000202 1388 0807 000e 0000 68656c6c6f", 'o'},
        {"UDP shorter than its header", 101,
         "45000021 0001 0000 40 11 0000 c0000201 c0000202 1388 0807 0007 0000 68656c6c6f", 'o'},
        {"UDP shorter than its packet", 101,
         "45000023 0001 0000 40 11 0000 c0000201 c0000202 1388 0807 000d 0000 68656c6c6f ffff", 'd'},
        {"IPv6", 101, "60000000 000d 11 40" V6_SRC V6_DST UDP, 'd'},
        {"IPv6 on Ethernet", 1, MACS "86dd 60000000 000d 11 40" V6_SRC V6_DST UDP, 'd'},
        {"IPv6 on loopback", 0, "1e000000 60000000 000d 11 40" V6_SRC V6_DST UDP, 'd'},
        {"IPv6 link type", 229, "60000000 000d 11 40" V6_SRC V6_DST UDP, 'd'},
        {"IPv6 hop-by-hop, routing, destination options", 101,
         "60000000 002d 00 40" V6_SRC V6_DST "2b00010400000000 3c01000000000000 0000000000000000 1100010400000000" UDP,
         'd'},
        {"IPv6 authentication header", 101,
         "60000000 0025 33 40" V6_SRC V6_DST "1104000000000000 0000000000000000 0000000000000000" UDP, 'd'},
        {"IPv6 atomic fragment", 101, "60000000 0015 2c 40" V6_SRC V6_DST "1100000000000007" UDP, 'd'},
        {"IPv6 jumbogram", 101,
         "60000000 0000 00 40" V6_SRC V6_DST "1100c20400000015 1388 0807 0000 0000 68656c6c6f", 'd'},
        {"IPv6 with ICMP", 101, "60000000 000d 3a 40" V6_SRC V6_DST UDP, 'o'},
        {"IPv6 extension that reaches out of the packet", 101, "60000000 0008 00 40" V6_SRC V6_DST "11ff010400000000",
         'o'},
        {"IPv6 fragment header cut short by the packet", 101, "60000000 0004 2c 40" V6_SRC V6_DST "11000000", 'o'},
        {"IPv6 captured short", 101, "60000000 000e 11 40" V6_SRC V6_DST UDP, 'c'},
        {"IPv6 TCP captured short", 101, "60000000 000e 06 40" V6_SRC V6_DST UDP, 'o'},
        {"IPv4 first fragment alone", 101, "45000024 0001 2000 40 11 0000 c0000201 c0000202 1388 0807 0018 0000 6162636465666768", 'f'},
        {"IPv4 TCP fragment", 101, "45000024 0001 2000 40 06 0000 c0000201 c0000202 1388 0807 0018 0000 6162636465666768", 'o'},
    };
    check_frames(rows, sizeof rows / sizeof *rows);
}

/* Fragments of the UDP packet 5000 > 2055 with the payload "abc...", pieces as given. */
typedef struct piece {
    unsigned offset; /* in the IP payload */
    unsigned len;
    int more;
    uint32_t id;
    uint32_t seconds;
} piece;

#define FRAGMENTED_LEN 48 /* UDP header and 40 bytes */

static void fragmented(uint8_t bytes[FRAGMENTED_LEN + 16])
{
    static const uint8_t header[] = {0x13, 0x88, 0x08, 0x07, 0, FRAGMENTED_LEN, 0, 0};
    memcpy(bytes, header, sizeof header);
    for (unsigned i = sizeof header; i < FRAGMENTED_LEN + 16; i++)
        bytes[i] = (uint8_t)('a' + (i - sizeof header) % 26);
}

static void put_fragment(build *b, int v6, const piece *p)
{
    uint8_t whole[FRAGMENTED_LEN + 16];
    fragmented(whole);
    build *frame = build_new(0);
    if (v6) {
        put_hex(frame, "60000000");
        put_number(frame, p->len + 8, 2);
        put_hex(frame, "2c40" V6_SRC V6_DST "1100");
        put_number(frame, p->offset | (unsigned)p->more, 2);
        put_number(frame, p->id, 4);
    } else {
        put_hex(frame, "4500");
        put_number(frame, p->len + 20, 2);
        put_number(frame, p->id, 2);
        put_number(frame, p->offset / 8 | (p->more ? 0x2000u : 0), 2);
        put_hex(frame, "40110000c0000201c0000202");
    }
    put(frame, whole + p->offset, p->len);
    put_packet(b, p->seconds, 0, frame->bytes, frame->len);
    free(frame);
}

static outcome read_fragments(int v6, const piece *pieces, size_t count)
{
    build *b = build_new(1);
    put_header(b, 0xa1b2c3d4, 101);
    for (size_t i = 0; i < count && pieces[i].len; i++)
        put_fragment(b, v6, &pieces[i]);
    outcome o = read_split(b->bytes, b->len, 61, NULL);
    free(b);
    return o;
}

static void test_fragments(void)
{
    static const struct {
        const char *name;
        unsigned datagrams;
        unsigned lost;
        piece pieces[6];
    } rows[] = {
        {"in order", 1, 0, {{0, 16, 1, 7, 1}, {16, 24, 1, 7, 1}, {40, 8, 0, 7, 1}}},
        {"last first", 1, 0, {{40, 8, 0, 7, 1}, {16, 24, 1, 7, 1}, {0, 16, 1, 7, 1}}},
        {"one comes twice", 1, 0, {{0, 16, 1, 7, 1}, {0, 16, 1, 7, 1}, {16, 32, 0, 7, 1}}},
        {"one is missing", 0, 2, {{0, 16, 1, 7, 1}, {40, 8, 0, 7, 1}}},
        {"other identifications do not mix", 0, 2, {{0, 16, 1, 7, 1}, {16, 32, 0, 8, 1}}},
        {"two packets interleaved", 2, 0,
         {{0, 16, 1, 7, 1}, {0, 16, 1, 8, 1}, {16, 32, 0, 7, 1}, {16, 32, 0, 8, 1}}},
        {"overlap drops the packet", 0, 2, {{0, 24, 1, 7, 1}, {16, 32, 0, 7, 1}}},
        {"a piece beyond the end drops the packet", 0, 2, {{40, 8, 0, 7, 1}, {48, 8, 1, 7, 1}}},
        {"an end before what has come drops the packet", 0, 2, {{48, 8, 1, 7, 1}, {32, 8, 0, 7, 1}}},
        {"two ends drop the packet", 0, 2, {{40, 8, 0, 7, 1}, {48, 8, 0, 7, 1}}},
        {"a middle piece of odd length is useless", 0, 1, {{0, 15, 1, 7, 1}}},
        {"half a minute is not too late", 1, 0, {{0, 16, 1, 7, 1}, {16, 32, 0, 7, 31}}},
        {"more than that is", 0, 2, {{0, 16, 1, 7, 1}, {16, 32, 0, 7, 32}}},
        {"times slightly out of order", 1, 0, {{0, 16, 1, 7, 5}, {16, 32, 0, 7, 4}}},
    };
    uint8_t whole[FRAGMENTED_LEN + 16];
    fragmented(whole);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int v6 = 0; v6 < 2; v6++) {
            outcome o = read_fragments(v6, rows[i].pieces, 6);
            NFL_CHECK(rows[i].name, o.status == NFL_DONE);
            NFL_CHECK(rows[i].name, o.stats.datagrams == rows[i].datagrams && o.count == rows[i].datagrams);
            NFL_CHECK(rows[i].name, o.stats.fragments == rows[i].lost);
            if (rows[i].datagrams)
                NFL_CHECK(rows[i].name, o.last.len == 40 && memcmp(o.text, whole + 8, 40) == 0);
        }
}

static void test_fragment_bounds(void)
{
    build *b = build_new(1);
    put_header(b, 0xa1b2c3d4, 101);
    for (uint32_t id = 0; id < 40; id++)
        put_fragment(b, 0, &(piece){0, 16, 1, id, 1 + id % 20});
    test_allocator t;
    test_allocator_init(&t, -1, 0);
    outcome o = read_split(b->bytes, b->len, 1000, &t.alloc);
    CU_ASSERT_EQUAL(o.status, NFL_DONE);
    CU_ASSERT_EQUAL(o.stats.fragments, 40);
    CU_ASSERT(t.peak < 16 * 67 * 1024 + 16 * 1024);
    CU_ASSERT_EQUAL(t.live, 0);
    free(b);
}

/* A pcapng with all that one can have. Five datagrams. */
static build *build_pcapng(void)
{
    size_t len;
    uint8_t *raw = test_hex(V4, &len), *ethernet = test_hex(MACS "0800" V4, &len);
    size_t raw_len = len - 14;
    build *b = build_new(0), *body = build_new(1);
    put_section(b, 1);
    put_interface(b, 101, -1, 0);
    put_interface(b, 1, 9, 0);
    put_hex(body, "00010203");
    put_block(b, 4, body); /* name resolution: passed over */
    put_enhanced(b, 0, UINT64_C(1795440000000001), raw, raw_len);
    put_enhanced(b, 1, UINT64_C(1795440000000002999), ethernet, len);
    put_enhanced(b, 7, 0, raw, raw_len); /* no such interface: other */
    put_section(b, 0);
    put_interface(b, 101, 0x80 | 10, 100);
    put_enhanced(b, 0, 1024 * 5 + 512, raw, raw_len);
    body->len = 0;
    body->little = 0;
    put_number(body, raw_len, 4);
    put(body, raw, raw_len);
    put_block(b, 3, body);
    body->len = 0;
    put_number(body, 0, 4);
    put_number(body, 2048, 8);
    put_number(body, raw_len, 4);
    put_number(body, raw_len, 4);
    put(body, raw, raw_len);
    put_block(b, 2, body);
    free(body);
    free(raw);
    free(ethernet);
    return b;
}

static void test_pcapng(void)
{
    build *b = build_pcapng();
    nfl_pcap *pcap;
    const nfl_datagram *datagram;
    static const nfl_usec times[] = {INT64_C(1795440000000001), INT64_C(1795440000000002), 105500000, 0, 102000000};
    CU_ASSERT_EQUAL_FATAL(nfl_pcap_new(NULL, &pcap, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, b->bytes, b->len, NULL), NFL_OK);
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL_FATAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_OK);
        CU_ASSERT_EQUAL(datagram->time_us, times[i]);
        CU_ASSERT_EQUAL(datagram->len, 5);
    }
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, NULL, 0, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_DONE);
    nfl_pcap_stats stats = {.struct_size = sizeof stats};
    nfl_pcap_get_stats(pcap, &stats);
    CU_ASSERT_EQUAL(stats.packets, 6);
    CU_ASSERT_EQUAL(stats.other, 1);
    CU_ASSERT_EQUAL(stats.bytes, b->len);
    nfl_pcap_free(pcap);
    free(b);
}

static void test_resolutions(void)
{
    static const struct {
        const char *name;
        int resolution;
        int64_t offset_s;
        uint64_t ticks;
        nfl_usec time_us;
    } rows[] = {
        {"seconds", 0, 0, 12, 12000000},
        {"milliseconds", 3, 0, 12345, 12345000},
        {"microseconds by default", -1, 0, 12345678, 12345678},
        {"nanoseconds", 9, 0, UINT64_C(1795440000123456789), INT64_C(1795440000123456)},
        {"picoseconds", 12, 0, UINT64_C(12345678999999), 12345678},
        {"10^-19", 19, 0, UINT64_C(12345678999999999999), 1234567},
        {"10^-20 cannot be told", 20, 0, 12345, 0},
        {"2^-1", 0x81, 0, 3, 1500000},
        {"2^-20", 0x94, 0, (UINT64_C(7) << 20) + (1u << 19), 7500000},
        {"2^-63", 0xbf, 0, (UINT64_C(1) << 63) + (UINT64_C(1) << 62), 1500000},
        {"2^-64 cannot be told", 0xc0, 0, 12345, 0},
        {"offset", -1, 1000, 1, 1000000001},
        {"negative offset", -1, -10, 5000000, -5000000},
        {"beyond 64 bits", 0, 0, UINT64_MAX, 0},
        {"offset beyond 64 bits", -1, INT64_MAX, 5000000, 0},
    };
    size_t len;
    uint8_t *frame = test_hex(V4, &len);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        build *b = build_new(1);
        put_section(b, 1);
        put_interface(b, 101, rows[i].resolution, rows[i].offset_s);
        put_enhanced(b, 0, rows[i].ticks, frame, len);
        outcome o = read_all(b);
        NFL_CHECK(rows[i].name, o.count == 1);
        NFL_CHECK(rows[i].name, o.last.time_us == rows[i].time_us);
        free(b);
    }
    free(frame);
}

static void test_large_blocks(void)
{
    size_t len;
    uint8_t *frame = test_hex(V4, &len);
    build *b = build_new(1), *body = build_new(1);
    put_section(b, 1);
    put_interface(b, 101, -1, 0);
    body->len = 300000;
    put_block(b, 10, body); /* decryption secrets, say */
    put_enhanced(b, 0, 1, frame, len);
    outcome o = read_split(b->bytes, b->len, 5000, NULL);
    CU_ASSERT_EQUAL(o.status, NFL_DONE);
    CU_ASSERT_EQUAL(o.count, 1);
    CU_ASSERT_EQUAL(o.stats.packets, 1);
    CU_ASSERT_EQUAL(o.stats.bytes, b->len);
    b->len = 0;
    put_section(b, 1);
    put_interface(b, 101, -1, 0);
    put_block(b, 6, body); /* a packet longer than 256 KiB */
    put_enhanced(b, 0, 1, frame, len);
    o = read_split(b->bytes, b->len, 70000, NULL);
    CU_ASSERT_EQUAL(o.status, NFL_DONE);
    CU_ASSERT_EQUAL(o.count, 1);
    CU_ASSERT_EQUAL(o.stats.cut, 1);
    free(body);
    free(frame);
    free(b);
}

static build *build_classic(void)
{
    build *b = build_new(1);
    size_t len;
    uint8_t *frame = test_hex(V4, &len);
    put_header(b, 0xa1b2c3d4, 101);
    for (uint32_t i = 0; i < 3; i++)
        put_packet(b, i, i, frame, len);
    put_fragment(b, 1, &(piece){0, 16, 1, 7, 1});
    put_fragment(b, 1, &(piece){16, 32, 0, 7, 1});
    put_packet(b, 1, 1, (const uint8_t *)"", 0);
    put_packet(b, 9, 9, frame, len);
    free(frame);
    return b;
}

static void test_splits(void)
{
    build *captures[] = {build_classic(), build_pcapng()};
    for (size_t i = 0; i < 2; i++) {
        outcome whole = read_all(captures[i]);
        CU_ASSERT_EQUAL(whole.count, 5);
        for (size_t piece_len = 1; piece_len < captures[i]->len; piece_len++) {
            outcome split = read_split(captures[i]->bytes, captures[i]->len, piece_len, NULL);
            CU_ASSERT_EQUAL(split.status, NFL_DONE);
            CU_ASSERT_EQUAL(split.digest, whole.digest);
            CU_ASSERT_EQUAL(memcmp(&split.stats, &whole.stats, sizeof whole.stats), 0);
        }
        free(captures[i]);
    }
}

static void test_truncation(void)
{
    build *captures[] = {build_classic(), build_pcapng()};
    for (size_t i = 0; i < 2; i++) {
        unsigned before = 0, whole_items = 0;
        for (size_t len = 0; len <= captures[i]->len; len++) {
            outcome o = read_split(captures[i]->bytes, len, 50, NULL);
            CU_ASSERT(o.status == NFL_DONE || o.status == (len < 4 ? NFL_E_FORMAT : NFL_E_TRUNCATED));
            CU_ASSERT(o.count >= before && o.count <= before + 1);
            CU_ASSERT(o.status == NFL_DONE || o.err.offset <= len);
            before = o.count;
            whole_items += o.status == NFL_DONE;
        }
        CU_ASSERT_EQUAL(before, 5);
        CU_ASSERT_EQUAL(whole_items, i == 0 ? 8 : 12); /* headers, packets and blocks end where they should */
        free(captures[i]);
    }
}

static void test_bit_flips(void)
{
    build *captures[] = {build_classic(), build_pcapng()};
    for (size_t i = 0; i < 2; i++) {
        build *b = captures[i];
        for (size_t bit = 0; bit < b->len * 8; bit++) {
            b->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            outcome o = read_split(b->bytes, b->len, 100, NULL);
            CU_ASSERT(o.status == NFL_DONE || o.status == NFL_E_FORMAT || o.status == NFL_E_TRUNCATED);
            CU_ASSERT(o.stats.packets >= o.stats.datagrams && o.stats.bytes <= b->len);
            b->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(b);
    }
}

static void test_broken(void)
{
    static const struct {
        const char *name;
        const char *hex;
        nfl_status status;
        uint64_t offset;
        uint64_t cut;
    } rows[] = {
        {"nothing", "", NFL_E_FORMAT, 0, 0},
        {"three bytes", "d4c3b2", NFL_E_FORMAT, 0, 0},
        {"text", "68656c6c6f20776f726c64", NFL_E_FORMAT, 0, 0},
        {"header alone", "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000", NFL_DONE, 0, 0},
        {"packet of 256 KiB and a byte",
         "a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000065 00000001 00000001 00040001 00040001", NFL_E_FORMAT,
         24, 0},
        {"section of unknown byte order", "0a0d0d0a 0000001c 00000000 00010000 ffffffffffffffff 0000001c",
         NFL_E_FORMAT, 0, 0},
        {"section shorter than its fields", "0a0d0d0a 00000010 1a2b3c4d 00000010", NFL_E_FORMAT, 0, 0},
        {"section too long", "0a0d0d0a 7fffffff 1a2b3c4d 00010000", NFL_E_FORMAT, 0, 0},
        {"block shorter than a block",
         "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000005 00000008", NFL_E_FORMAT, 28, 0},
        {"block length of no multiple of 4",
         "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000005 0000000d", NFL_E_FORMAT, 28, 0},
        {"block with two lengths",
         "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000005 0000000c 00000010", NFL_E_FORMAT,
         28, 0},
        {"interface without fields",
         "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000001 00000010 00010000 00000010",
         NFL_E_FORMAT, 28, 0},
        {"packet that does not fit its block",
         "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c"
         "00000006 00000020 00000000 00000000 00000000 00000040 00000040 00000020",
         NFL_DONE, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len;
        uint8_t *bytes = test_hex(rows[i].hex, &len);
        outcome o = read_split(bytes, len, len ? len : 1, NULL);
        NFL_CHECK(rows[i].name, o.status == rows[i].status);
        NFL_CHECK(rows[i].name, o.status == NFL_DONE || o.err.offset == rows[i].offset);
        NFL_CHECK(rows[i].name, o.status == NFL_DONE || (o.err.code == o.status && o.err.message[0]));
        NFL_CHECK(rows[i].name, o.count == 0 && o.stats.cut == rows[i].cut);
        free(bytes);
    }
}

static void test_states(void)
{
    build *b = build_classic();
    nfl_pcap *pcap;
    const nfl_datagram *datagram;
    nfl_error err;
    CU_ASSERT_EQUAL_FATAL(nfl_pcap_new(NULL, &pcap, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, b->bytes, b->len, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, b->bytes, b->len, &err), NFL_E_STATE);
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, NULL, 0, &err), NFL_E_STATE);
    while (nfl_pcap_next(pcap, &datagram, NULL) == NFL_OK)
        ;
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, NULL, 0, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_pcap_next(pcap, &datagram, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_pcap_feed(pcap, b->bytes, b->len, &err), NFL_E_STATE);
    nfl_pcap_free(pcap);
    nfl_pcap_free(NULL);
    free(b);
}

static nfl_status read_all_of(const nfl_alloc *alloc, void *ctx)
{
    const build *b = ctx;
    outcome o = read_split(b->bytes, b->len, 70, alloc);
    return o.status;
}

static void test_allocations(void)
{
    build *captures[] = {build_classic(), build_pcapng()};
    for (size_t i = 0; i < 2; i++) {
        /* A buffer that cannot be doubled is grown by what is needed: that failure is not noticed. */
        CU_ASSERT(test_allocation_failures(read_all_of, captures[i], 2) >= 3);
        free(captures[i]);
    }
}

NFL_SUITE("pcap", {"both byte orders and resolutions give the same time", test_byte_orders},
          {"every link type leads to the datagram", test_link_types},
          {"IP headers with options and extensions lead to the datagram", test_ip_headers},
          {"fragments are put together in any order", test_fragments},
          {"fragments take bounded memory", test_fragment_bounds},
          {"pcapng with sections of both byte orders and several interfaces", test_pcapng},
          {"time stamps of any resolution become microseconds", test_resolutions},
          {"blocks beyond the limit are passed over", test_large_blocks},
          {"any split of the input gives the same datagrams", test_splits},
          {"a capture cut at any byte gives what was whole", test_truncation},
          {"a capture with any bit flipped does no harm", test_bit_flips},
          {"broken captures are refused where they break", test_broken},
          {"feeding at the wrong time is refused", test_states},
          {"running out of memory is reported and leaks nothing", test_allocations})

#include "wire/frame.h"

#include "base/rd.h"

enum {
    PACKET_ETHERTYPE_IPV4 = 0x0800,
    PACKET_ETHERTYPE_IPV6 = 0x86dd,
    PACKET_PROTOCOL_UDP = 17,
    PACKET_UDP_HEADER_LEN = 8,
    PACKET_NO_ETHERTYPE = 255
};

/* Link layers (https://www.tcpdump.org/linktypes.html). Without an ethertype the IP version tells the rest; BSD
 * loopback has an address family instead, whose numbers differ between systems (10, 24, 28, 30 for IPv6). */
static const struct {
    uint16_t link_type;
    uint8_t header_len;
    uint8_t ethertype_at;
} frame_links[] = {
    {0, 4, PACKET_NO_ETHERTYPE},   /* NULL: BSD loopback, host byte order */
    {1, 14, 12},                   /* ETHERNET */
    {12, 0, PACKET_NO_ETHERTYPE},  /* DLT_RAW of most systems, met in files */
    {14, 0, PACKET_NO_ETHERTYPE},  /* DLT_RAW of OpenBSD, met in files */
    {101, 0, PACKET_NO_ETHERTYPE}, /* RAW */
    {108, 4, PACKET_NO_ETHERTYPE}, /* LOOP: OpenBSD loopback, network byte order */
    {113, 16, 14},                 /* LINUX_SLL */
    {228, 0, PACKET_NO_ETHERTYPE}, /* IPV4 */
    {229, 0, PACKET_NO_ETHERTYPE}, /* IPV6 */
    {276, 20, 0},                  /* LINUX_SLL2 */
};

/* 802.1Q, 802.1ad and the types in use before it. */
static int frame_is_vlan(uint16_t ethertype)
{
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100 || ethertype == 0x9200;
}

/* Skips the link layer header and VLAN tags. Returns 0 if no IP follows, or the link type is not known. */
static int frame_skip_link(uint32_t link_type, nfl__rd *rd)
{
    size_t i = 0, links = sizeof frame_links / sizeof *frame_links;
    while (i < links && frame_links[i].link_type != link_type)
        i++;
    if (i == links)
        return 0;
    const uint8_t *header = nfl__rd_bytes(rd, frame_links[i].header_len);
    if (!header || frame_links[i].ethertype_at == PACKET_NO_ETHERTYPE)
        return header != NULL;
    uint16_t ethertype = nfl__load_be16(header + frame_links[i].ethertype_at);
    while (frame_is_vlan(ethertype) && !rd->failed) {
        nfl__rd_skip(rd, 2);
        ethertype = nfl__rd_u16(rd);
    }
    return rd->failed || ethertype == PACKET_ETHERTYPE_IPV4 || ethertype == PACKET_ETHERTYPE_IPV6;
}

static nfl_ip frame_read_ip(nfl__rd *rd, int v6)
{
    nfl_ip ip = nfl_ip_from_v4(0);
    const uint8_t *bytes = nfl__rd_bytes(rd, v6 ? 16 : 4);
    if (bytes)
        memcpy(v6 ? ip.b : ip.b + 12, bytes, v6 ? 16 : 4);
    return ip;
}

/* The payload: `len` bytes as the header says, or all there is if it says nothing (len 0, see the callers). */
static nfl__frame_kind frame_set_payload(nfl__rd *rd, size_t len, nfl__frame *out)
{
    if (len == 0)
        len = nfl__rd_left(rd);
    out->payload = nfl__rd_bytes(rd, len);
    out->len = (uint32_t)len;
    return out->payload ? NFL__FRAME_WHOLE : NFL__FRAME_CUT;
}

/* RFC 791 3.1. */
static nfl__frame_kind frame_read_v4(nfl__rd *rd, nfl__frame *out)
{
    uint8_t header_len = (uint8_t)((nfl__rd_u8(rd) & 0x0f) * 4);
    nfl__rd_skip(rd, 1);
    uint16_t total_len = nfl__rd_u16(rd);
    out->id = nfl__rd_u16(rd);
    uint16_t fragment = nfl__rd_u16(rd);
    nfl__rd_skip(rd, 1);
    out->protocol = nfl__rd_u8(rd);
    nfl__rd_skip(rd, 2);
    out->src = frame_read_ip(rd, 0);
    out->dst = frame_read_ip(rd, 0);
    if (rd->failed)
        return NFL__FRAME_CUT;
    /* Total length 0: the sending host left it to segmentation offload; the capture has the packet whole. */
    if (out->protocol != PACKET_PROTOCOL_UDP || header_len < 20 || (total_len != 0 && total_len <= header_len))
        return NFL__FRAME_OTHER;
    nfl__rd_skip(rd, header_len - 20u);
    nfl__frame_kind kind = frame_set_payload(rd, total_len ? (size_t)total_len - header_len : 0, out);
    out->more = (fragment & 0x2000) != 0;
    out->offset = (fragment & 0x1fffu) * 8;
    if (kind == NFL__FRAME_WHOLE && (out->more || out->offset))
        return NFL__FRAME_FRAGMENT;
    return kind;
}

enum {
    PACKET_IPV6_FRAGMENT = 44,
    PACKET_IPV6_AUTHENTICATION = 51
};

/* Extension headers that start with the next header's number and a length (RFC 8200 4, RFC 4302, RFC 7045). */
static int frame_is_extension(uint8_t protocol)
{
    static const uint8_t extensions[] = {0, 43, PACKET_IPV6_AUTHENTICATION, 60, 135, 139, 140};
    for (size_t i = 0; i < sizeof extensions; i++)
        if (extensions[i] == protocol)
            return 1;
    return 0;
}

/* Skips extension headers up to UDP, a fragment header, or something else; returns its number. */
static uint8_t frame_skip_extensions(nfl__rd *rd, uint8_t protocol)
{
    while (frame_is_extension(protocol) && !rd->failed) {
        size_t unit = protocol == PACKET_IPV6_AUTHENTICATION ? 4 : 8; /* RFC 4302 2.2 counts words, less 2 */
        protocol = nfl__rd_u8(rd);
        size_t units = nfl__rd_u8(rd);
        nfl__rd_skip(rd, (unit == 4 ? (units + 2) * 4 : (units + 1) * 8) - 2);
    }
    return protocol;
}

/* RFC 8200 4.5. */
static nfl__frame_kind frame_read_v6_fragment(nfl__rd *rd, nfl__frame *out)
{
    out->protocol = nfl__rd_u8(rd);
    nfl__rd_skip(rd, 1);
    uint16_t fragment = nfl__rd_u16(rd);
    out->id = nfl__rd_u32(rd);
    if (rd->failed || nfl__rd_left(rd) == 0)
        return NFL__FRAME_OTHER;
    out->offset = fragment & 0xfff8u;
    out->more = fragment & 1;
    nfl__frame_kind kind = frame_set_payload(rd, 0, out);
    if (out->protocol != PACKET_PROTOCOL_UDP && !frame_is_extension(out->protocol))
        return NFL__FRAME_OTHER;
    /* RFC 8200 4.5, "atomic fragment": offset 0 and no more is a whole packet. */
    return kind == NFL__FRAME_WHOLE && (out->more || out->offset) ? NFL__FRAME_FRAGMENT : kind;
}

/* RFC 8200 3. */
static nfl__frame_kind frame_read_v6(nfl__rd *rd, nfl__frame *out)
{
    nfl__rd_skip(rd, 4);
    uint16_t payload_len = nfl__rd_u16(rd);
    out->protocol = nfl__rd_u8(rd);
    nfl__rd_skip(rd, 1);
    out->src = frame_read_ip(rd, 1);
    out->dst = frame_read_ip(rd, 1);
    if (rd->failed)
        return NFL__FRAME_CUT;
    nfl__rd chain = *rd;
    /* Payload length 0 is a jumbogram (RFC 2675 3) or left to segmentation offload. */
    nfl__frame_kind kind = frame_set_payload(rd, payload_len, out);
    if (kind == NFL__FRAME_WHOLE)
        chain = nfl__rd_make(out->payload, out->len);
    uint8_t protocol = frame_skip_extensions(&chain, out->protocol);
    if (!chain.failed && protocol != PACKET_PROTOCOL_UDP && protocol != PACKET_IPV6_FRAGMENT)
        return NFL__FRAME_OTHER;
    if (kind != NFL__FRAME_WHOLE)
        return kind;
    if (chain.failed)
        return NFL__FRAME_OTHER;
    return protocol == PACKET_IPV6_FRAGMENT ? frame_read_v6_fragment(&chain, out) : kind;
}

nfl__frame_kind nfl__frame_read(uint32_t link_type, const uint8_t *data, size_t len, nfl__frame *out)
{
    nfl__rd rd = nfl__rd_make(data, len);
    memset(out, 0, sizeof *out);
    if (!frame_skip_link(link_type, &rd))
        return rd.failed ? NFL__FRAME_CUT : NFL__FRAME_OTHER;
    if (rd.failed || nfl__rd_left(&rd) == 0)
        return NFL__FRAME_CUT;
    switch (*rd.pos >> 4) {
    case 4:
        return frame_read_v4(&rd, out);
    case 6:
        return frame_read_v6(&rd, out);
    default:
        return NFL__FRAME_OTHER;
    }
}

nfl__frame_kind nfl__frame_udp(const nfl__frame *packet, nfl_datagram *out)
{
    nfl__rd rd = nfl__rd_make(packet->payload, packet->len);
    uint8_t protocol = packet->protocol;
    if (!nfl_ip_is_v4(&packet->src))
        protocol = frame_skip_extensions(&rd, protocol);
    uint16_t src_port = nfl__rd_u16(&rd), dst_port = nfl__rd_u16(&rd), udp_len = nfl__rd_u16(&rd);
    nfl__rd_skip(&rd, 2);
    if (rd.failed || protocol != PACKET_PROTOCOL_UDP || (udp_len != 0 && udp_len < PACKET_UDP_HEADER_LEN))
        return NFL__FRAME_OTHER;
    /* RFC 2675 4: length 0 in a jumbogram is "to the end of the packet". */
    size_t len = udp_len ? udp_len - (size_t)PACKET_UDP_HEADER_LEN : nfl__rd_left(&rd);
    const uint8_t *data = nfl__rd_bytes(&rd, len);
    if (!data)
        return NFL__FRAME_OTHER;
    out->src = packet->src;
    out->dst = packet->dst;
    out->src_port = src_port;
    out->dst_port = dst_port;
    out->len = (uint32_t)len;
    out->data = data;
    return NFL__FRAME_WHOLE;
}

#include "wire/packet.h"

#include "base/rd.h"
#include "record/fields.h"

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_QINQ = 0x88a8,      /* IEEE 802.1ad */
    ETHERTYPE_QINQ_OLD = 0x9100,  /* the same before the standard */
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_MULTICAST = 0x8848,
    ETHERTYPE_PPPOE = 0x8864,     /* RFC 2516 session stage */
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,
    PPP_MPLS = 0x0281,
    PROTO_HOP_BY_HOP = 0,
    PROTO_ICMP = 1,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_DCCP = 33,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_AUTHENTICATION = 51,
    PROTO_ICMPV6 = 58,
    PROTO_DESTINATION = 60,
    PROTO_MOBILITY = 135,
    PROTO_SCTP = 132,
    PROTO_UDPLITE = 136,
    PROTO_HIP = 139,
    PROTO_SHIM6 = 140
};

typedef struct packet_reader {
    nfl__rd rd;
    nfl_flow *flow;
    int32_t ip_offset;
    uint32_t ip_len;
} packet_reader;

/* What follows a layer. */
typedef enum packet_next { PACKET_STOP, PACKET_ETHERTYPE, PACKET_IP_LAYER, PACKET_MPLS_LAYER, PACKET_FRAME } packet_next;

static void packet_set(packet_reader *p, uint32_t field, uint64_t value)
{
    if (!nfl__flow_has(p->flow, field))
        nfl__flow_set_u64(p->flow, field, value);
}

static void packet_set_ip(packet_reader *p, uint32_t field, const uint8_t *bytes, size_t len)
{
    if (nfl__flow_has(p->flow, field))
        return;
    nfl_ip ip = nfl_ip_from_v4(0);
    memcpy(ip.b + sizeof ip.b - len, bytes, len);
    memcpy(nfl__flow_slot(p->flow, field), &ip, sizeof ip);
    p->flow->present |= NFL_HAS(field);
}

/* --- layer 4 --- */

static void packet_tcp(packet_reader *p)
{
    nfl__rd_skip(&p->rd, 8);                           /* sequence and acknowledgment numbers */
    uint16_t flags = nfl__rd_u16(&p->rd) & 0x0fff;     /* without the data offset */
    if (!p->rd.failed)
        packet_set(p, NFL_FIELD_TCP_FLAGS, flags);
}

static void packet_ports(packet_reader *p, uint8_t proto)
{
    uint16_t src = nfl__rd_u16(&p->rd), dst = nfl__rd_u16(&p->rd);
    if (p->rd.failed)
        return;
    packet_set(p, NFL_FIELD_SRC_PORT, src);
    packet_set(p, NFL_FIELD_DST_PORT, dst);
    if (proto == PROTO_TCP)
        packet_tcp(p);
}

static void packet_icmp(packet_reader *p)
{
    uint8_t type = nfl__rd_u8(&p->rd), code = nfl__rd_u8(&p->rd);
    if (p->rd.failed)
        return;
    packet_set(p, NFL_FIELD_ICMP_TYPE, type);
    packet_set(p, NFL_FIELD_ICMP_CODE, code);
}

static void packet_layer4(packet_reader *p, uint8_t proto)
{
    packet_set(p, NFL_FIELD_PROTO, proto);
    switch (proto) {
    case PROTO_TCP:
    case PROTO_UDP:
    case PROTO_DCCP:
    case PROTO_SCTP:
    case PROTO_UDPLITE:
        packet_ports(p, proto);
        break;
    case PROTO_ICMP:
    case PROTO_ICMPV6:
        packet_icmp(p);
        break;
    default:
        break;
    }
}

/* --- layer 3 --- */

static void packet_ttl(packet_reader *p, uint8_t ttl)
{
    packet_set(p, NFL_FIELD_MIN_TTL, ttl);
    packet_set(p, NFL_FIELD_MAX_TTL, ttl);
}

/* RFC 791 3.1 */
static void packet_ipv4(packet_reader *p)
{
    size_t header_start = nfl__rd_offset(&p->rd);
    const uint8_t *h = nfl__rd_bytes(&p->rd, 20);
    if (!h)
        return;
    p->ip_offset = (int32_t)header_start;
    p->ip_len = nfl__load_be16(h + 2);
    packet_set_ip(p, NFL_FIELD_SRC, h + 12, 4);
    packet_set_ip(p, NFL_FIELD_DST, h + 16, 4);
    packet_set(p, NFL_FIELD_TOS, h[1]);
    packet_ttl(p, h[8]);
    size_t options_len = (size_t)(h[0] & 0x0f) * 4;
    unsigned fragment_offset = nfl__load_be16(h + 6) & 0x1fff;
    if (options_len < 20 || fragment_offset) {
        packet_set(p, NFL_FIELD_PROTO, h[9]);
        return;
    }
    nfl__rd_skip(&p->rd, options_len - 20);
    packet_layer4(p, h[9]);
}

/* RFC 8200 4: extension headers up to the upper layer. Returns its protocol, or -1 if that cannot be told: cut off,
 * or not the first fragment (then *proto is what the fragment header says). */
static int packet_ipv6_extensions(packet_reader *p, uint8_t next, uint8_t *proto)
{
    for (;;) {
        *proto = next;
        const uint8_t *h;
        switch (next) {
        case PROTO_HOP_BY_HOP:
        case PROTO_ROUTING:
        case PROTO_DESTINATION:
        case PROTO_MOBILITY:
        case PROTO_HIP:
        case PROTO_SHIM6:
            if ((h = nfl__rd_bytes(&p->rd, 8)) == NULL)
                return -1;
            nfl__rd_skip(&p->rd, (size_t)h[1] * 8);
            break;
        case PROTO_AUTHENTICATION: /* RFC 4302 2.2: length in units of 4 bytes, minus 2 */
            if ((h = nfl__rd_bytes(&p->rd, 8)) == NULL)
                return -1;
            nfl__rd_skip(&p->rd, (size_t)h[1] * 4);
            break;
        case PROTO_FRAGMENT:
            if ((h = nfl__rd_bytes(&p->rd, 8)) == NULL)
                return -1;
            if (nfl__load_be16(h + 2) & 0xfff8) {
                *proto = h[0];
                return -1;
            }
            break;
        default:
            return next;
        }
        if (p->rd.failed)
            return -1;
        next = h[0];
    }
}

static void packet_ipv6(packet_reader *p)
{
    size_t header_start = nfl__rd_offset(&p->rd);
    const uint8_t *h = nfl__rd_bytes(&p->rd, 40);
    if (!h)
        return;
    p->ip_offset = (int32_t)header_start;
    p->ip_len = 40u + nfl__load_be16(h + 4);
    packet_set_ip(p, NFL_FIELD_SRC, h + 8, 16);
    packet_set_ip(p, NFL_FIELD_DST, h + 24, 16);
    packet_set(p, NFL_FIELD_TOS, (nfl__load_be16(h) >> 4) & 0xff);
    packet_set(p, NFL_FIELD_FLOW_LABEL, nfl__load_be32(h) & 0xfffff);
    packet_ttl(p, h[7]);
    uint8_t proto;
    int upper = packet_ipv6_extensions(p, h[6], &proto);
    if (upper < 0)
        packet_set(p, NFL_FIELD_PROTO, proto);
    else
        packet_layer4(p, (uint8_t)upper);
}

static void packet_ip(packet_reader *p)
{
    if (nfl__rd_left(&p->rd) == 0)
        return;
    unsigned version = p->rd.pos[0] >> 4;
    if (version == 4)
        packet_ipv4(p);
    else if (version == 6)
        packet_ipv6(p);
}

/* --- below --- */

/* RFC 3032 2.1: labels up to the bottom of the stack. What follows is told by the first nibble (RFC 4928): 4 and 6
 * are IP, 0 is a pseudowire control word with Ethernet behind it (RFC 4448). */
static packet_next packet_mpls(packet_reader *p)
{
    uint32_t entry;
    do {
        entry = nfl__rd_u32(&p->rd);
        if (p->rd.failed)
            return PACKET_STOP;
        packet_set(p, NFL_FIELD_MPLS_LABEL, entry >> 12);
    } while (!(entry & 0x100));
    if (nfl__rd_left(&p->rd) == 0)
        return PACKET_STOP;
    unsigned nibble = p->rd.pos[0] >> 4;
    if (nibble == 4 || nibble == 6)
        return PACKET_IP_LAYER;
    if (nibble != 0)
        return PACKET_STOP;
    nfl__rd_skip(&p->rd, 4);
    return PACKET_FRAME;
}

static packet_next packet_ppp(packet_reader *p)
{
    switch (nfl__rd_u16(&p->rd)) {
    case PPP_IPV4:
    case PPP_IPV6:
        return PACKET_IP_LAYER;
    case PPP_MPLS:
        return PACKET_MPLS_LAYER;
    default:
        return PACKET_STOP;
    }
}

static packet_next packet_ethertype(packet_reader *p)
{
    uint16_t type = nfl__rd_u16(&p->rd);
    while (!p->rd.failed && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD)) {
        packet_set(p, NFL_FIELD_VLAN, nfl__rd_u16(&p->rd) & 0x0fff);
        type = nfl__rd_u16(&p->rd);
    }
    if (p->rd.failed || type < 0x0600) /* a length: IEEE 802.3 with LLC */
        return PACKET_STOP;
    packet_set(p, NFL_FIELD_ETHER_TYPE, type);
    switch (type) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
        return PACKET_IP_LAYER;
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_MULTICAST:
        return PACKET_MPLS_LAYER;
    case ETHERTYPE_PPPOE:
        nfl__rd_skip(&p->rd, 6);
        return packet_ppp(p);
    default:
        return PACKET_STOP;
    }
}

static packet_next packet_ethernet(packet_reader *p)
{
    const uint8_t *h = nfl__rd_bytes(&p->rd, 12);
    if (!h)
        return PACKET_STOP;
    packet_set(p, NFL_FIELD_DST_MAC, nfl__load_be(h, 6));
    packet_set(p, NFL_FIELD_SRC_MAC, nfl__load_be(h + 6, 6));
    return PACKET_ETHERTYPE;
}

static packet_next packet_first(uint32_t start, packet_reader *p)
{
    switch (start) {
    case NFL__PACKET_ETHERNET:
        return PACKET_FRAME;
    case NFL__PACKET_IP:
        return PACKET_IP_LAYER;
    case NFL__PACKET_MPLS:
        return PACKET_MPLS_LAYER;
    default:
        return packet_ppp(p);
    }
}

int32_t nfl__packet_read(const uint8_t *data, size_t len, uint32_t start, nfl_flow *flow, uint32_t *ip_len)
{
    packet_reader p = {nfl__rd_make(data, len), flow, -1, 0};
    packet_next next = packet_first(start, &p);
    while (next != PACKET_STOP) { /* every layer consumes bytes or stops */
        switch (next) {
        case PACKET_FRAME:
            next = packet_ethernet(&p);
            break;
        case PACKET_ETHERTYPE:
            next = packet_ethertype(&p);
            break;
        case PACKET_MPLS_LAYER:
            next = packet_mpls(&p);
            break;
        default:
            packet_ip(&p);
            next = PACKET_STOP;
        }
    }
    *ip_len = p.ip_len;
    return p.ip_offset;
}

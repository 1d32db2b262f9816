/* Sampled packet headers: the first bytes of a packet as the flow they belong to.
 *
 * For sFlow raw packet headers and for the IPFIX and PSAMP elements ipHeaderPacketSection (313),
 * dataLinkFrameSection (315) and layer2packetSection (104), where the 5-tuple stands only inside the frame.
 *
 * Walked: Ethernet, 802.1Q and QinQ tags, PPPoE session, MPLS stack (then IPv4, IPv6, or Ethernet behind a
 * pseudowire control word), IPv4 with options, IPv6 with extension headers, TCP, UDP, SCTP, UDP-Lite, DCCP,
 * ICMP, ICMPv6. Of a tunnel (GRE, VXLAN, IP in IP) the outermost IP header is the flow, as it is for the router
 * that forwards it and as RFC 7011 section 8 orders repeated elements: the first is the outer one. Layer 4 is read
 * in first fragments only.
 *
 * A header is cut where the exporter cut it. What is complete is set, with its present bits; nothing is guessed,
 * and no field is overwritten that is present already (the exporter's own elements win). Work is linear in len:
 * every step consumes bytes. No allocation.
 */
#ifndef NFL_WIRE_PACKET_H
#define NFL_WIRE_PACKET_H

#include <netflow/flow.h>

/* What the first byte is. */
enum {
    NFL__PACKET_ETHERNET = 1,
    NFL__PACKET_IP = 2, /* IPv4 or IPv6, told by the version nibble */
    NFL__PACKET_MPLS = 3,
    NFL__PACKET_PPP = 4 /* PPP protocol field */
};

/* Add what the header tells to *flow. Returns the offset of the IP header, or -1 if none was found. *ip_len is
 * set to the length the IP header claims, header included (for byte counts), 0 if there is none. */
int32_t nfl__packet_read(const uint8_t *data, size_t len, uint32_t start, nfl_flow *flow, uint32_t *ip_len);

#endif

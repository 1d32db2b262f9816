/* From a captured frame to the UDP datagram in it: link layer, IPv4 or IPv6 with its extension headers, UDP.
 *
 * Nothing is copied or allocated: everything points into the frame. Lengths come from the IP and UDP
 * headers, so that Ethernet padding and capture trailers stay out. Checksums are not verified, because
 * captures on the sending host have none (offload).
 *
 * Reading goes in two steps, because a fragment must be put together (fragment.h) between them:
 * nfl__frame_read() takes a frame as far as the IP payload, nfl__frame_udp() takes that payload further.
 */
#ifndef NFL_WIRE_FRAME_H
#define NFL_WIRE_FRAME_H

#include <netflow/pcap.h>

/* What stands in a frame. */
typedef enum nfl__frame_kind {
    NFL__FRAME_OTHER,    /* no UDP over IP, or malformed */
    NFL__FRAME_CUT,      /* captured shorter than it was */
    NFL__FRAME_FRAGMENT, /* one piece of an IP packet */
    NFL__FRAME_WHOLE     /* a complete IP packet */
} nfl__frame_kind;

/* An IP packet, or a piece of one. */
typedef struct nfl__frame {
    nfl_ip src;
    nfl_ip dst;
    const uint8_t *payload; /* what follows the IP header; IPv6: what follows the fragment header, if any */
    uint32_t len;           /* of the payload */
    uint32_t id;            /* FRAGMENT: identification */
    uint32_t offset;        /* FRAGMENT: where the payload stands in the whole packet's, in bytes */
    uint8_t more;           /* FRAGMENT: more follow */
    uint8_t protocol;       /* of the payload; IPv6: may be an extension header */
} nfl__frame;

/* Reads a frame of the link type (LINKTYPE_* of tcpdump.org) as far as the IP payload. */
nfl__frame_kind nfl__frame_read(uint32_t link_type, const uint8_t *data, size_t len, nfl__frame *out);

/* Reads on from a whole IP payload: fills in src, dst, ports, data and len of *out. WHOLE when it is UDP. */
nfl__frame_kind nfl__frame_udp(const nfl__frame *packet, nfl_datagram *out);

#endif

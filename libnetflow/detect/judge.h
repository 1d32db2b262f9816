/* What a conversation was: who began it and how it went. Pure functions over what is known of both sides.
 *
 * A conversation is held by its two ends in numeric order, so that records of both directions meet. Which
 * end began is decided here and not by the exporter: softflowd 1.1.0 puts the lower address first in its
 * biflows, later parts of a long flow may start with the server's packet, and answers arrive before their
 * questions.
 */
#ifndef NFL_DETECT_JUDGE_H
#define NFL_DETECT_JUDGE_H

#include <netflow/connection.h>

#include "record/icmp.h"

#define NFL__TCP_FIN 0x01u
#define NFL__TCP_SYN 0x02u
#define NFL__TCP_RST 0x04u
#define NFL__TCP_PSH 0x08u
#define NFL__TCP_ACK 0x10u

#define NFL__PROTO_TCP 6u
#define NFL__PROTO_UDP 17u

/* In nfl__side.flags of ICMP: what this side has sent. */
#define NFL__ICMP_ASKED 0x01u
#define NFL__ICMP_ANSWERED 0x02u

/* What one end has sent. */
typedef struct nfl__side {
    uint64_t bytes;
    uint64_t packets; /* 0 = nothing seen */
    nfl_usec first_us;
    uint32_t exporter; /* hash of the exporter that counts for this side */
    uint16_t flags;    /* TCP flags, or NFL__ICMP_* */
    uint16_t reserved;
} nfl__side;

typedef struct nfl__talk {
    nfl_ip ip[2];     /* ip[0], port[0] is the numerically lower end */
    uint16_t port[2]; /* ICMP: both hold type << 8 | code of the request */
    uint8_t proto;
    uint8_t sampled;   /* some record was sampled: absence proves nothing */
    uint8_t first_end; /* end that sent the first record that came */
    uint8_t began;     /* 1 + the end that began an earlier part, 0 = unknown */
    nfl__side side[2];
} nfl__talk;

typedef struct nfl__verdict {
    uint8_t initiator; /* 0 or 1 */
    uint8_t certain;
    uint8_t outcome; /* NFL_OUTCOME_* */
} nfl__verdict;

/* sees_both: the exporters are known to see both directions. */
nfl__verdict nfl__judge(const nfl__talk *talk, int sees_both);

#endif

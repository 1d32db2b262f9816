/* Which ICMP messages answer which. */
#ifndef NFL_RECORD_ICMP_H
#define NFL_RECORD_ICMP_H

#include <stdint.h>

#define NFL__PROTO_ICMP 1u
#define NFL__PROTO_ICMP6 58u

/* The request type that belongs to an ICMP echo, timestamp, information or mask message of either direction;
 * *answer tells which it was. Returns -1 for other types. */
int nfl__icmp_request(uint8_t proto, uint8_t type, int *answer);

#endif

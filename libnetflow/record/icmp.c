#include "record/icmp.h"

#include <stddef.h>

int nfl__icmp_request(uint8_t proto, uint8_t type, int *answer)
{
    /* RFC 792 (8/0, 13/14, 15/16), RFC 950 (17/18), RFC 4443 (128/129) */
    static const struct {
        uint8_t proto, request, reply;
    } pairs[] = {
        {NFL__PROTO_ICMP, 8, 0},   {NFL__PROTO_ICMP, 13, 14},    {NFL__PROTO_ICMP, 15, 16},
        {NFL__PROTO_ICMP, 17, 18}, {NFL__PROTO_ICMP6, 128, 129},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (proto != pairs[i].proto || (type != pairs[i].request && type != pairs[i].reply))
            continue;
        *answer = type == pairs[i].reply;
        return pairs[i].request;
    }
    return -1;
}

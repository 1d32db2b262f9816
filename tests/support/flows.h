/* Flow records by hand, for tests of the join and the detectors. */
#ifndef NFL_TEST_FLOWS_H
#define NFL_TEST_FLOWS_H

#include <netflow/flow.h>

#include <string.h>

#define TEST_START INT64_C(1795440000000000)
#define TEST_MS INT64_C(1000)
#define TEST_SECOND INT64_C(1000000)

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* One record, received `at` after TEST_START; its packets were seen 15 s before. */
static inline nfl_flow test_record(nfl_usec at, uint8_t proto, uint32_t src, uint16_t src_port, uint32_t dst,
                                   uint16_t dst_port, uint16_t flags, uint64_t packets)
{
    nfl_flow flow;
    memset(&flow, 0, sizeof flow);
    flow.struct_size = sizeof flow;
    flow.received_us = TEST_START + at;
    flow.first_us = flow.last_us = flow.received_us - 15 * TEST_SECOND;
    flow.flows = 1;
    flow.packets = packets;
    flow.bytes = packets * 60;
    flow.src = nfl_ip_from_v4(src);
    flow.dst = nfl_ip_from_v4(dst);
    flow.exporter = nfl_ip_from_v4(0x7f000001);
    flow.src_port = src_port;
    flow.dst_port = dst_port;
    flow.tcp_flags = flags;
    flow.proto = proto;
    return flow;
}

#endif

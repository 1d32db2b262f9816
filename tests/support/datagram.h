/* Export datagrams made by hand: headers, sets with their lengths filled in, contents as hexadecimal text. */
#ifndef NFL_TEST_DATAGRAM_H
#define NFL_TEST_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct test_datagram {
    uint8_t bytes[65535];
    size_t len;
    size_t set; /* where the open set starts; 0 = none */
} test_datagram;

void test_v5(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence,
             uint16_t sampling);
void test_v1(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds);
void test_v7(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence);
void test_v9(test_datagram *d, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence, uint32_t source);
void test_ipfix(test_datagram *d, uint32_t seconds, uint32_t sequence, uint32_t domain);

void test_sflow(test_datagram *d, const char *agent, uint32_t sub_agent, uint32_t sequence, uint32_t samples);

/* Close the open sample, if any, and begin one of this data format; 0 = only close. */
void test_sample(test_datagram *d, uint32_t format);

/* Close the open set, if any, and begin one. */
void test_set(test_datagram *d, uint16_t id);

/* Append bytes. */
void test_bytes(test_datagram *d, const char *hex);
void test_number(test_datagram *d, uint64_t value, size_t len);

/* Close the last set and fill in the message length of IPFIX. */
void test_close(test_datagram *d);

#endif

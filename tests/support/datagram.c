#include "datagram.h"

#include "support.h"

#include <stdlib.h>
#include <string.h>

void test_number(test_datagram *d, uint64_t value, size_t len)
{
    if (d->len + len > sizeof d->bytes)
        abort();
    for (size_t i = 0; i < len; i++)
        d->bytes[d->len++] = (uint8_t)(value >> 8 * (len - 1 - i));
}

void test_bytes(test_datagram *d, const char *hex)
{
    size_t len;
    uint8_t *bytes = test_hex(hex, &len);
    if (d->len + len > sizeof d->bytes)
        abort();
    memcpy(d->bytes + d->len, bytes, len);
    d->len += len;
    free(bytes);
}

static void datagram_start(test_datagram *d)
{
    d->len = 0;
    d->set = 0;
}

void test_v5(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence,
             uint16_t sampling)
{
    datagram_start(d);
    test_number(d, 5, 2);
    test_number(d, count, 2);
    test_number(d, uptime_ms, 4);
    test_number(d, seconds, 4);
    test_number(d, 0, 4);
    test_number(d, sequence, 4);
    test_number(d, 0x0102, 2);
    test_number(d, sampling, 2);
}

void test_v1(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds)
{
    datagram_start(d);
    test_number(d, 1, 2);
    test_number(d, count, 2);
    test_number(d, uptime_ms, 4);
    test_number(d, seconds, 4);
    test_number(d, 0, 4);
}

void test_v7(test_datagram *d, uint16_t count, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence)
{
    datagram_start(d);
    test_number(d, 7, 2);
    test_number(d, count, 2);
    test_number(d, uptime_ms, 4);
    test_number(d, seconds, 4);
    test_number(d, 0, 4);
    test_number(d, sequence, 4);
    test_number(d, 0, 4);
}

void test_v9(test_datagram *d, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence, uint32_t source)
{
    datagram_start(d);
    test_number(d, 9, 2);
    test_number(d, 77, 2); /* what exporters say here means nothing */
    test_number(d, uptime_ms, 4);
    test_number(d, seconds, 4);
    test_number(d, sequence, 4);
    test_number(d, source, 4);
}

void test_ipfix(test_datagram *d, uint32_t seconds, uint32_t sequence, uint32_t domain)
{
    datagram_start(d);
    test_number(d, 10, 2);
    test_number(d, 0, 2);
    test_number(d, seconds, 4);
    test_number(d, sequence, 4);
    test_number(d, domain, 4);
}

static void datagram_close_set(test_datagram *d)
{
    if (!d->set)
        return;
    size_t len = d->len - d->set;
    d->bytes[d->set + 2] = (uint8_t)(len >> 8);
    d->bytes[d->set + 3] = (uint8_t)len;
    d->set = 0;
}

void test_set(test_datagram *d, uint16_t id)
{
    datagram_close_set(d);
    d->set = d->len;
    test_number(d, id, 2);
    test_number(d, 0, 2);
}

void test_close(test_datagram *d)
{
    datagram_close_set(d);
    if (d->bytes[1] != 10)
        return;
    d->bytes[2] = (uint8_t)(d->len >> 8);
    d->bytes[3] = (uint8_t)d->len;
}

void test_sflow(test_datagram *d, const char *agent, uint32_t sub_agent, uint32_t sequence, uint32_t samples)
{
    datagram_start(d);
    test_number(d, 5, 4);
    test_bytes(d, agent);
    test_number(d, sub_agent, 4);
    test_number(d, sequence, 4);
    test_number(d, 60000, 4);
    test_number(d, samples, 4);
}

void test_sample(test_datagram *d, uint32_t format)
{
    if (d->set) {
        size_t len = d->len - d->set - 8;
        for (size_t i = 0; i < 4; i++)
            d->bytes[d->set + 4 + i] = (uint8_t)(len >> 8 * (3 - i));
        test_number(d, 0, (4 - len % 4) % 4);
    }
    d->set = format ? d->len : 0;
    if (format)
        test_number(d, (uint64_t)format << 32, 8);
}

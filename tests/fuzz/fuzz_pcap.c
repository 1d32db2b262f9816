/* The first byte says how the rest, a capture, is split. */
#include "support.h"

#include <netflow/pcap.h>

#include <stdlib.h>

static uint64_t sum_datagrams(nfl_pcap *pcap, uint64_t sum)
{
    const nfl_datagram *datagram;
    nfl_status status;
    while ((status = nfl_pcap_next(pcap, &datagram, NULL)) == NFL_OK) {
        for (size_t i = 0; i < datagram->len; i++)
            sum = sum * 31 + datagram->data[i];
        sum += (uint64_t)datagram->time_us + datagram->src_port + datagram->src.b[15];
    }
    return sum;
}

static uint64_t read_split(const uint8_t *data, size_t size, size_t piece)
{
    nfl_pcap *pcap;
    uint64_t sum = 0;
    if (nfl_pcap_new(NULL, &pcap, NULL) != NFL_OK)
        abort();
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = test_exact(data + at, n);
        if (nfl_pcap_feed(pcap, copy, n, NULL) == NFL_OK)
            sum = sum_datagrams(pcap, sum);
        free(copy);
    }
    if (nfl_pcap_feed(pcap, NULL, 0, NULL) == NFL_OK)
        sum = sum_datagrams(pcap, sum);
    nfl_pcap_stats stats = {.struct_size = sizeof stats};
    nfl_pcap_get_stats(pcap, &stats);
    if (stats.bytes > size || stats.datagrams > stats.packets)
        abort();
    nfl_pcap_free(pcap);
    return sum + stats.packets + stats.other + stats.cut + stats.fragments;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (read_split(data + 1, size - 1, size) != read_split(data + 1, size - 1, 1u + data[0]))
        abort();
    return 0;
}

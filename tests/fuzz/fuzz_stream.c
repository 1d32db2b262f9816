/* The first byte says how the rest, an IPFIX stream, is split: every split gives the same messages and the same end. */
#include "support.h"

#include <netflow/stream.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static uint64_t take_messages(nfl_stream *stream, uint64_t sum, nfl_status *status)
{
    const uint8_t *message;
    size_t len;
    while ((*status = nfl_stream_next(stream, &message, &len, NULL)) == NFL_OK) {
        require(len >= 16 && len == ((size_t)message[2] << 8 | message[3]));
        for (size_t i = 0; i < len; i++)
            sum = sum * 31 + message[i];
    }
    return sum;
}

static uint64_t read_split(const uint8_t *data, size_t size, size_t piece)
{
    nfl_stream *stream;
    uint64_t sum = 0;
    nfl_status status = NFL_PENDING;
    require(nfl_stream_new(NULL, &stream, NULL) == NFL_OK);
    for (size_t at = 0; at < size && status == NFL_PENDING; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = test_exact(data + at, n);
        require(nfl_stream_feed(stream, copy, n, NULL) == NFL_OK);
        sum = take_messages(stream, sum, &status);
        free(copy);
    }
    if (status == NFL_PENDING && nfl_stream_feed(stream, NULL, 0, NULL) == NFL_OK)
        sum = take_messages(stream, sum, &status);
    require(status != NFL_PENDING && nfl_stream_offset(stream) <= size && nfl_stream_memory(stream) <= 66000);
    sum = sum * 31 + (uint64_t)(int64_t)status + nfl_stream_offset(stream);
    nfl_stream_free(stream);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2)
        require(read_split(data + 1, size - 1, size) == read_split(data + 1, size - 1, 1u + data[0]));
    return 0;
}

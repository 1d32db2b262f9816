/* Messages out of a stream. One that lies whole in the input is returned where it lies; one in pieces is put together
 * in `held`, which grows to the longest such message and so to 65535 bytes at most.
 *
 *   input of feed()   ...message | message | mess      what is left goes to `held`, then NFL_PENDING
 *   the next one      age | message ...                 and is completed from here
 *
 * Version and length are looked at as soon as they are there, so that every split of a stream gives the same messages
 * and the same error.
 */
#include <netflow/stream.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rd.h"

enum { STREAM_VERSION = 10, STREAM_HEADER = 16, STREAM_START = 4 /* version and length */ };

struct nfl_stream {
    nfl__memory memory;
    const uint8_t *input;
    size_t input_len;
    uint8_t *held;
    size_t held_capacity;
    size_t held_len;
    uint64_t offset; /* of the message looked at */
    size_t returned; /* length of the message returned last; not yet in `offset` */
    uint8_t ended;   /* no more input */
    uint8_t finished;
};

nfl_status nfl_stream_new(const nfl_alloc *alloc, nfl_stream **out, nfl_error *err)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl_stream *stream = nfl__new(&memory, 1, sizeof *stream);
    if (!stream)
        return nfl__fail_nomem(err, sizeof *stream);
    stream->memory = memory;
    *out = stream;
    return NFL_OK;
}

void nfl_stream_free(nfl_stream *stream)
{
    if (!stream)
        return;
    nfl__memory memory = stream->memory;
    nfl__delete(&memory, stream->held, stream->held_capacity, 1);
    nfl__delete(&memory, stream, 1, sizeof *stream);
}

nfl_status nfl_stream_feed(nfl_stream *stream, const void *data, size_t len, nfl_error *err)
{
    if (stream->ended || stream->finished || stream->input_len)
        return nfl__fail(err, NFL_E_STATE, nfl_stream_offset(stream), "%s",
                         stream->input_len ? "the bytes before were not used up" : "the stream has ended");
    stream->input = data;
    stream->input_len = len;
    stream->ended = len == 0;
    return NFL_OK;
}

/* Length of the message that starts here, 0 while it is not known. */
static nfl_status stream_check(const nfl_stream *stream, const uint8_t *data, size_t len, size_t *message, nfl_error *err)
{
    *message = 0;
    if (len >= 2 && nfl__load_be16(data) != STREAM_VERSION)
        return nfl__fail(err, NFL_E_FORMAT, stream->offset, "version %u where an IPFIX message starts, 10 expected",
                         nfl__load_be16(data));
    if (len < STREAM_START)
        return NFL_OK;
    *message = nfl__load_be16(data + 2);
    if (*message < STREAM_HEADER)
        return nfl__fail(err, NFL_E_FORMAT, stream->offset, "IPFIX message of length %zu, at least 16 expected", *message);
    return NFL_OK;
}

/* Move input to `held` until that has `wanted` bytes or the input is used up. */
static nfl_status stream_hold(nfl_stream *stream, size_t wanted, nfl_error *err)
{
    size_t n = wanted - stream->held_len;
    n = n < stream->input_len ? n : stream->input_len;
    void *held = stream->held;
    if (!nfl__grow(&stream->memory, &held, &stream->held_capacity, wanted, 1))
        return nfl__fail_nomem(err, wanted);
    stream->held = held;
    if (n)
        memcpy(stream->held + stream->held_len, stream->input, n);
    stream->held_len += n;
    stream->input += n;
    stream->input_len -= n;
    return NFL_OK;
}

static nfl_status stream_return(nfl_stream *stream, const uint8_t *from, size_t message, const uint8_t **data, size_t *len)
{
    stream->returned = message;
    *data = from;
    *len = message;
    return NFL_OK;
}

static nfl_status stream_from_input(nfl_stream *stream, const uint8_t **data, size_t *len, nfl_error *err)
{
    size_t message;
    NFL_TRY(stream_check(stream, stream->input, stream->input_len, &message, err));
    if (message && message <= stream->input_len) {
        const uint8_t *from = stream->input;
        stream->input += message;
        stream->input_len -= message;
        return stream_return(stream, from, message, data, len);
    }
    NFL_TRY(stream_hold(stream, message ? message : STREAM_START, err));
    return NFL_PENDING;
}

static nfl_status stream_from_held(nfl_stream *stream, const uint8_t **data, size_t *len, nfl_error *err)
{
    size_t message = 0;
    if (stream->held_len < STREAM_START)
        NFL_TRY(stream_hold(stream, STREAM_START, err));
    NFL_TRY(stream_check(stream, stream->held, stream->held_len, &message, err));
    if (!message)
        return NFL_PENDING;
    NFL_TRY(stream_hold(stream, message, err));
    if (stream->held_len < message)
        return NFL_PENDING;
    stream->held_len = 0;
    return stream_return(stream, stream->held, message, data, len);
}

static nfl_status stream_end(nfl_stream *stream, nfl_error *err)
{
    stream->finished = 1;
    if (stream->held_len)
        return nfl__fail(err, NFL_E_TRUNCATED, stream->offset, "the stream ends %zu bytes into a message", stream->held_len);
    return NFL_DONE;
}

nfl_status nfl_stream_next(nfl_stream *stream, const uint8_t **data, size_t *len, nfl_error *err)
{
    stream->offset += stream->returned;
    stream->returned = 0;
    if (stream->finished)
        return NFL_DONE;
    if (stream->ended)
        return stream_end(stream, err);
    if (stream->input_len == 0)
        return NFL_PENDING;
    nfl_status status = stream->held_len ? stream_from_held(stream, data, len, err) : stream_from_input(stream, data, len, err);
    if (status < 0) {
        stream->finished = 1;
        stream->input_len = 0;
    }
    return status;
}

uint64_t nfl_stream_offset(const nfl_stream *stream)
{
    return stream->offset + stream->returned;
}

size_t nfl_stream_memory(const nfl_stream *stream)
{
    return stream->memory.held;
}

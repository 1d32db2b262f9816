/* Files for pcap.h and stream.h: open, look at the first bytes, read in chunks, feed.
 *
 * An IPFIX file begins with the version 10 of its first message, 00 0a; no kind of packet capture does.
 */
#include <netflow/capture.h>
#include <netflow/stream.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CAPTURE_CHUNK = 64 * 1024, CAPTURE_MAGIC = 2, CAPTURE_IPFIX = 10 };

struct nfl_capture {
    nfl__memory memory;
    nfl_pcap *pcap;
    nfl_stream *stream; /* NULL = packets, or nothing read yet */
    nfl_datagram message;
    uint64_t messages;
    uint64_t size;
    int started;
    int fd;
    uint8_t chunk[CAPTURE_CHUNK];
};

static nfl_status capture_open(nfl_capture *capture, const char *path, nfl_error *err)
{
    capture->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (capture->fd < 0)
        return nfl__fail_io(err, errno, "cannot open capture '%.100s'", path);
    struct stat st;
    if (fstat(capture->fd, &st) == 0 && S_ISREG(st.st_mode))
        capture->size = (uint64_t)st.st_size;
    return NFL_OK;
}

nfl_status nfl_capture_new(const char *path, const nfl_alloc *alloc, nfl_capture **out, nfl_error *err)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl_capture *capture = nfl__new(&memory, 1, sizeof *capture);
    if (!capture)
        return nfl__fail_nomem(err, sizeof *capture);
    capture->memory = memory;
    capture->fd = -1;
    nfl_status status = nfl_pcap_new(alloc, &capture->pcap, err);
    if (status == NFL_OK)
        status = capture_open(capture, path, err);
    if (status == NFL_OK)
        *out = capture;
    else
        nfl_capture_free(capture);
    return status;
}

void nfl_capture_free(nfl_capture *capture)
{
    if (!capture)
        return;
    if (capture->fd > STDIN_FILENO)
        (void)close(capture->fd);
    nfl_pcap_free(capture->pcap);
    nfl_stream_free(capture->stream);
    nfl__memory memory = capture->memory;
    nfl__delete(&memory, capture, 1, sizeof *capture);
}

/* Bytes read, 0 at the end; -1 after an error. */
static ssize_t capture_read(nfl_capture *capture, size_t at)
{
    ssize_t n;
    do
        n = read(capture->fd, capture->chunk + at, sizeof capture->chunk - at);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Decide by the first bytes, of which a pipe may give one at a time, what kind of file it is. */
static nfl_status capture_start(nfl_capture *capture, size_t *len, nfl_error *err)
{
    ssize_t n = 1;
    while (*len < CAPTURE_MAGIC && (n = capture_read(capture, *len)) > 0)
        *len += (size_t)n;
    if (n < 0)
        return nfl__fail_io(err, errno, "cannot read the capture");
    if (*len >= CAPTURE_MAGIC && nfl__load_be16(capture->chunk) == CAPTURE_IPFIX)
        NFL_TRY(nfl_stream_new(&capture->memory.alloc, &capture->stream, err));
    capture->started = 1;
    return NFL_OK;
}

static nfl_status capture_feed(nfl_capture *capture, nfl_error *err)
{
    size_t len = 0;
    if (!capture->started) {
        NFL_TRY(capture_start(capture, &len, err));
    } else {
        ssize_t n = capture_read(capture, 0);
        if (n < 0)
            return nfl__fail_io(err, errno, "cannot read the capture");
        len = (size_t)n;
    }
    return capture->stream ? nfl_stream_feed(capture->stream, capture->chunk, len, err)
                           : nfl_pcap_feed(capture->pcap, capture->chunk, len, err);
}

/* A message of an IPFIX file: nothing tells where it came from; its time is that of its export. */
static nfl_status capture_next_message(nfl_capture *capture, const nfl_datagram **out, nfl_error *err)
{
    size_t len;
    const uint8_t *data;
    nfl_status status = nfl_stream_next(capture->stream, &data, &len, err);
    if (status != NFL_OK)
        return status;
    capture->message.data = data;
    capture->message.len = (uint32_t)len;
    capture->message.time_us = (nfl_usec)nfl__load_be32(data + 4) * 1000000;
    capture->messages++;
    *out = &capture->message;
    return NFL_OK;
}

nfl_status nfl_capture_next(nfl_capture *capture, const nfl_datagram **out, nfl_error *err)
{
    for (;;) {
        nfl_status status =
            capture->stream ? capture_next_message(capture, out, err) : nfl_pcap_next(capture->pcap, out, err);
        if (status != NFL_PENDING)
            return status;
        NFL_TRY(capture_feed(capture, err));
    }
}

void nfl_capture_get_stats(const nfl_capture *capture, nfl_pcap_stats *out)
{
    nfl_pcap_get_stats(capture->pcap, out);
    if (!capture->stream)
        return;
    out->packets = out->datagrams = capture->messages;
    out->bytes = nfl_stream_offset(capture->stream);
}

uint64_t nfl_capture_size(const nfl_capture *capture)
{
    return capture->size;
}

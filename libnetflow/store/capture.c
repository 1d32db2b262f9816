/* Files for pcap.h: open, read in chunks, feed. */
#include <netflow/capture.h>

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CAPTURE_CHUNK = 64 * 1024 };

struct nfl_capture {
    nfl__memory memory;
    nfl_pcap *pcap;
    uint64_t size;
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
    nfl__memory memory = capture->memory;
    nfl__delete(&memory, capture, 1, sizeof *capture);
}

static nfl_status capture_feed(nfl_capture *capture, nfl_error *err)
{
    ssize_t n;
    do
        n = read(capture->fd, capture->chunk, sizeof capture->chunk);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return nfl__fail_io(err, errno, "cannot read the capture");
    return nfl_pcap_feed(capture->pcap, capture->chunk, (size_t)n, err);
}

nfl_status nfl_capture_next(nfl_capture *capture, const nfl_datagram **out, nfl_error *err)
{
    for (;;) {
        nfl_status status = nfl_pcap_next(capture->pcap, out, err);
        if (status != NFL_PENDING)
            return status;
        NFL_TRY(capture_feed(capture, err));
    }
}

void nfl_capture_get_stats(const nfl_capture *capture, nfl_pcap_stats *out)
{
    nfl_pcap_get_stats(capture->pcap, out);
}

uint64_t nfl_capture_size(const nfl_capture *capture)
{
    return capture->size;
}

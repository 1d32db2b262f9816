#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/capture.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A header and `packets` packets: 192.0.2.1:5000 > 192.0.2.2:2055, "hello", raw IP. */
#define HEADER "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000"
#define PACKET "01000000 02000000 21000000 21000000" \
               "45000021 0001 0000 40 11 0000 c0000201 c0000202 1388 0807 000d 0000 68656c6c6f"

static char *capture_file(unsigned packets, size_t leave_out)
{
    static const char template[] = "/tmp/nfl_test_capture_XXXXXX";
    char *path = test_exact(template, sizeof template);
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    size_t header_len, packet_len;
    uint8_t *header = test_hex(HEADER, &header_len), *packet = test_hex(PACKET, &packet_len);
    if (!file || fwrite(header, 1, header_len, file) != header_len)
        abort();
    for (unsigned i = 0; i < packets; i++)
        if (fwrite(packet, 1, packet_len - (i + 1 == packets ? leave_out : 0), file) == 0)
            abort();
    if (fclose(file) != 0)
        abort();
    free(header);
    free(packet);
    return path;
}

static nfl_status count_datagrams(const char *path, const nfl_alloc *alloc, unsigned *count, nfl_error *err)
{
    nfl_capture *capture = NULL;
    const nfl_datagram *datagram;
    *count = 0;
    nfl_status status = nfl_capture_new(path, alloc, &capture, err);
    while (status == NFL_OK) {
        status = nfl_capture_next(capture, &datagram, err);
        *count += status == NFL_OK && datagram->len == 5 && memcmp(datagram->data, "hello", 5) == 0;
    }
    nfl_capture_free(capture);
    return status;
}

static void test_whole(void)
{
    char *path = capture_file(5000, 0); /* several chunks, packets across their edges */
    unsigned count;
    CU_ASSERT_EQUAL(count_datagrams(path, NULL, &count, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(count, 5000);
    nfl_capture *capture;
    const nfl_datagram *datagram;
    CU_ASSERT_EQUAL_FATAL(nfl_capture_new(path, NULL, &capture, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_capture_next(capture, &datagram, NULL), NFL_OK);
    nfl_pcap_stats stats = {.struct_size = sizeof stats};
    nfl_capture_get_stats(capture, &stats);
    CU_ASSERT_EQUAL(stats.datagrams, 1);
    CU_ASSERT_EQUAL(nfl_capture_size(capture), 24 + 5000 * 49);
    nfl_capture_free(capture);
    unlink(path);
    free(path);
}

static void test_truncated(void)
{
    char *path = capture_file(3, 1);
    unsigned count;
    nfl_error err;
    CU_ASSERT_EQUAL(count_datagrams(path, NULL, &count, &err), NFL_E_TRUNCATED);
    CU_ASSERT_EQUAL(count, 2);
    unlink(path);
    free(path);
}

static void test_errors(void)
{
    unsigned count;
    nfl_error err;
    CU_ASSERT_EQUAL(count_datagrams("/nonexistent/x.pcap", NULL, &count, &err), NFL_E_IO);
    CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
    CU_ASSERT(strstr(err.message, "/nonexistent/x.pcap") != NULL);
    CU_ASSERT_EQUAL(count_datagrams("/tmp", NULL, &count, &err), NFL_E_IO);
    CU_ASSERT_EQUAL(err.sys_errno, EISDIR);
    CU_ASSERT_EQUAL(count_datagrams("/dev/null", NULL, &count, &err), NFL_E_FORMAT);
    nfl_capture_free(NULL);
}

static void test_standard_input(void)
{
    char *path = capture_file(3, 0);
    int saved = dup(STDIN_FILENO);
    unsigned count;
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(path, "rb", stdin));
    CU_ASSERT_EQUAL(count_datagrams("-", NULL, &count, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT(lseek(STDIN_FILENO, 0, SEEK_CUR) > 0); /* standard input is left open */
    (void)dup2(saved, STDIN_FILENO);
    close(saved);
    unlink(path);
    free(path);
}

static nfl_status read_file(const nfl_alloc *alloc, void *ctx)
{
    unsigned count;
    return count_datagrams(ctx, alloc, &count, NULL);
}

static void test_allocations(void)
{
    char *path = capture_file(2000, 0);
    CU_ASSERT(test_allocation_failures(read_file, path, 1) >= 3);
    unlink(path);
    free(path);
}

NFL_SUITE("capture", {"a file is read to its end", test_whole},
          {"a truncated file gives its whole packets", test_truncated},
          {"files that cannot be read are refused with their name", test_errors},
          {"a dash is standard input", test_standard_input},
          {"running out of memory is reported and leaks nothing", test_allocations})

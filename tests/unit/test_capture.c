#include <CUnit/Basic.h>

#include "support.h"

#include <netflow/capture.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

/* Two messages of IPFIX files, exported at 1 and 2 seconds. */
#define MESSAGES "000a 0010 00000001 00000000 00000007" "000a 0014 00000002 00000000 00000007 0002 0004"

static char *ipfix_file(size_t leave_out)
{
    static const char template[] = "/tmp/nfl_test_capture_XXXXXX";
    char *path = test_exact(template, sizeof template);
    size_t len;
    uint8_t *bytes = test_hex(MESSAGES, &len);
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, bytes, len - leave_out) != (ssize_t)(len - leave_out) || close(fd) != 0)
        abort();
    free(bytes);
    return path;
}

static void check_messages(nfl_capture *capture)
{
    static const nfl_ip nowhere = {{0}};
    const nfl_datagram *datagram;
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(nfl_capture_next(capture, &datagram, NULL), NFL_OK);
        CU_ASSERT_EQUAL(datagram->len, 16 + 4 * i);
        CU_ASSERT_EQUAL(datagram->data[7], 1 + i);
        CU_ASSERT_EQUAL(datagram->time_us, (1 + (nfl_usec)i) * 1000000);
        CU_ASSERT_EQUAL(nfl_ip_compare(&datagram->src, &nowhere), 0);
    }
    CU_ASSERT_EQUAL(nfl_capture_next(capture, &datagram, NULL), NFL_DONE);
    nfl_pcap_stats stats = {.struct_size = sizeof stats};
    nfl_capture_get_stats(capture, &stats);
    CU_ASSERT(stats.datagrams == 2 && stats.packets == 2 && stats.bytes == 36 && stats.other == 0);
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

static void test_ipfix_file(void)
{
    char *path = ipfix_file(0);
    nfl_capture *capture = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_capture_new(path, NULL, &capture, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_capture_size(capture), 36);
    check_messages(capture);
    nfl_capture_free(capture);
    unlink(path);
    free(path);
    path = ipfix_file(1);
    unsigned count;
    nfl_error err;
    CU_ASSERT_EQUAL(count_datagrams(path, NULL, &count, &err), NFL_E_TRUNCATED);
    CU_ASSERT_EQUAL(err.offset, 16);
    unlink(path);
    free(path);
}

/* A pipe may give a byte at a time; here the first one comes alone. */
static void test_ipfix_from_a_pipe(void)
{
    size_t len;
    uint8_t *bytes = test_hex(MESSAGES, &len);
    int saved = dup(STDIN_FILENO), ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)!write(ends[1], bytes, 1);
        (void)usleep(20000);
        (void)!write(ends[1], bytes + 1, len - 1);
        _exit(0);
    }
    close(ends[1]);
    (void)dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    nfl_capture *capture = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_capture_new("-", NULL, &capture, NULL), NFL_OK);
    check_messages(capture);
    nfl_capture_free(capture);
    (void)dup2(saved, STDIN_FILENO);
    close(saved);
    (void)waitpid(child, NULL, 0);
    free(bytes);
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
    path = ipfix_file(0);
    CU_ASSERT(test_allocation_failures(read_file, path, 0) >= 3);
    unlink(path);
    free(path);
}

NFL_SUITE("capture", {"a file is read to its end", test_whole},
          {"a truncated file gives its whole packets", test_truncated},
          {"files that cannot be read are refused with their name", test_errors},
          {"a dash is standard input", test_standard_input},
          {"an IPFIX file is told by its first bytes and gives its messages", test_ipfix_file},
          {"an IPFIX file may come through a pipe", test_ipfix_from_a_pipe},
          {"running out of memory is reported and leaks nothing", test_allocations})

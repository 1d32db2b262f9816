#include "captures.h"

#include "options.h"
#include "paths.h"
#include "report.h"

#include <netflow/capture.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_EVERY_US = 100000, PROGRESS_LOOK_EVERY = 64, PROGRESS_WIDTH = 40 };

static volatile sig_atomic_t captures_interrupted;

static void captures_interrupt(int number)
{
    (void)number;
    captures_interrupted = 1;
}

/* The first Ctrl-C asks for an end in good order, a second one ends at once. */
static void captures_watch_interrupts(struct sigaction *before)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = captures_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    captures_interrupted = 0;
    sigaction(SIGINT, &action, before);
}

/* ---- progress ---- */

static void progress_draw(captures *c, uint64_t bytes)
{
    double part = c->bytes_expected ? (double)bytes / (double)c->bytes_expected : 0;
    int full = (int)((part > 1 ? 1 : part) * PROGRESS_WIDTH);
    char bar[PROGRESS_WIDTH + 1];
    for (int i = 0; i < PROGRESS_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[PROGRESS_WIDTH] = 0;
    fprintf(stderr, "\r[%s] %3d %%", bar, full * 100 / PROGRESS_WIDTH);
    c->progress_drawn = 1;
}

static void progress_tell(captures *c, const nfl_capture *capture, nfl_usec *next_us)
{
    nfl_usec now_us = clock_now_us();
    if (now_us < *next_us)
        return;
    *next_us = now_us + PROGRESS_EVERY_US;
    NFL_OPTS(nfl_pcap_stats, stats, .reserved = 0);
    nfl_capture_get_stats(capture, &stats);
    progress_draw(c, c->packets.bytes + stats.bytes);
}

static void progress_clear(captures *c)
{
    if (!c->progress_drawn)
        return;
    c->progress_drawn = 0;
    fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH + 10, "");
}

/* ---- reading ---- */

/* The address of IPFIX files, which have no sender. */
static const nfl_ip captures_nowhere = {{0}};

/* Who told a flow of an IPFIX file, if its record says so (exporterIPv4Address, exporterIPv6Address,
 * observationDomainId), as files of `netflow export` do. A datagram's sender is known and needs no claim. */
static void captures_take_claim(const nfl_parser *parser, nfl_flow *flow)
{
    nfl_record_field field;
    if (nfl_parser_element(parser, 0, 130, &field) == NFL_OK && field.len == 4) {
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        memcpy(flow->exporter.b, mapped, sizeof mapped);
        memcpy(flow->exporter.b + sizeof mapped, field.data, 4);
    }
    if (nfl_parser_element(parser, 0, 131, &field) == NFL_OK && field.len == 16)
        memcpy(flow->exporter.b, field.data, 16);
    if (nfl_parser_element(parser, 0, 149, &field) == NFL_OK && field.len == 4)
        flow->domain = (uint32_t)field.data[0] << 24 | (uint32_t)field.data[1] << 16 |
                       (uint32_t)field.data[2] << 8 | field.data[3];
}

static int captures_take_flow(captures *c, const nfl_datagram *datagram, const nfl_flow *flow)
{
    if (nfl_ip_compare(&datagram->src, &captures_nowhere) != 0)
        return c->take(c->context, flow);
    nfl_flow claimed = *flow;
    captures_take_claim(c->parser, &claimed);
    return c->take(c->context, &claimed);
}

/* Decode one datagram, or hand it on as it is; what is wrong in it is in the parser's counters. */
static void captures_take_datagram(captures *c, const nfl_datagram *datagram)
{
    nfl_error err;
    const nfl_flow *flow;
    nfl_status status;
    if (c->take_datagram) {
        c->failed = c->take_datagram(c->context, datagram);
        return;
    }
    if (nfl_parser_feed(c->parser, &datagram->src, datagram->time_us, datagram->data, datagram->len, &err) <
        0)
        return;
    while (!c->failed && (status = nfl_parser_next(c->parser, &flow, &err)) != NFL_DONE)
        if (status == NFL_OK)
            c->failed = captures_take_flow(c, datagram, flow);
}

static void captures_add_packets(captures *c, const nfl_capture *capture)
{
    NFL_OPTS(nfl_pcap_stats, stats, .reserved = 0);
    nfl_capture_get_stats(capture, &stats);
    c->packets.packets += stats.packets;
    c->packets.datagrams += stats.datagrams;
    c->packets.other += stats.other;
    c->packets.cut += stats.cut;
    c->packets.fragments += stats.fragments;
    c->packets.bytes += stats.bytes;
}

static nfl_status captures_read_open(captures *c, nfl_capture *capture, nfl_usec *next_us, nfl_error *err)
{
    int terminal = isatty(STDERR_FILENO);
    const nfl_datagram *datagram;
    nfl_status status = NFL_OK;
    for (uint64_t n = 1; !captures_interrupted && !c->failed; n++) {
        status = nfl_capture_next(capture, &datagram, err);
        if (status != NFL_OK)
            break;
        captures_take_datagram(c, datagram);
        if (terminal && n % PROGRESS_LOOK_EVERY == 0)
            progress_tell(c, capture, next_us);
    }
    captures_add_packets(c, capture);
    progress_clear(c);
    return status;
}

static void captures_read_file(captures *c, const char *path, nfl_usec *next_us)
{
    nfl_error err;
    nfl_capture *capture = NULL;
    nfl_status status = nfl_capture_new(path, NULL, &capture, &err);
    if (status == NFL_OK) {
        status = captures_read_open(c, capture, next_us, &err);
        nfl_capture_free(capture);
        if (c->parser)
            c->sessions += nfl_parser_forget(c->parser, &captures_nowhere, 10); /* an IPFIX file is one session */
    }
    if (captures_interrupted || c->failed)
        return; /* a read that Ctrl-C broke off is not the file's fault */
    if (status < 0) {
        complain_about(path, &err);
        c->broken_files++;
    } else {
        c->files++;
    }
}

int captures_read(captures *c, char *const *names, int count)
{
    struct sigaction before;
    paths files = {0};
    for (int i = 0; i < count; i++)
        paths_add(&files, names[i]);
    c->bytes_expected = files.bytes;
    captures_watch_interrupts(&before);
    nfl_usec next_us = clock_now_us() + PROGRESS_EVERY_US;
    for (size_t i = 0; i < files.count && !captures_interrupted && !c->failed; i++)
        captures_read_file(c, files.names[i], &next_us);
    c->stopped = captures_interrupted != 0;
    if (!c->stopped)
        sigaction(SIGINT, &before, NULL);
    int missing = files.missing > 0;
    paths_done(&files);
    if (c->stopped)
        complain("stopped; what was read is kept");
    return c->broken_files || missing || c->stopped || c->failed ? EXIT_FAILED : EXIT_DONE;
}

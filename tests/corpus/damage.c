/* Every datagram of captures cut at each length and with each byte changed: nothing crashes or reads too far, every call ends,
 * and a sound datagram of another exporter still decodes to the same flow afterwards.
 *
 *   corpus_damage [STRIDE [FOLDER]]     FOLDER: what NETFLOW_CORPUS says; captures below it
 *
 * STRIDE 1 (default) tries every byte; ctest runs it with 7. Datagrams are copied to
 * blocks of exactly their size, so that AddressSanitizer sees one byte too many. Exit status 77: there is no corpus. */
#include <netflow/capture.h>
#include <netflow/parser.h>

#include "support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

typedef struct damage {
    size_t stride;
    uint64_t captures, datagrams, fed;
    nfl_flow expected; /* of the sound datagram */
    nfl_parser *parser;
} damage;

/* NetFlow v5: one record, 10.0.0.1 -> 10.0.0.2, TCP, 7 packets, 700 bytes. */
static const uint8_t sound[72] = {0, 5, 0, 1, 0, 0, 3, 232, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
                                  0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 7, 0, 0, 2, 188, 0, 0, 0, 100, 0, 0, 3, 132, 4, 0, 0, 80, 0, 27, 6, 0,
                                  0, 0, 0, 0, 24, 24, 0, 0};

static void feed(damage *d, const nfl_datagram *datagram, const uint8_t *data, size_t len)
{
    const nfl_flow *flow;
    nfl_error err;
    /* A call may only be made as often as there are bytes: each one consumes. */
    size_t calls = 0, most = 64 * len + 1000000;
    d->fed++;
    if (nfl_parser_feed(d->parser, &datagram->src, datagram->time_us, data, len, &err) != NFL_OK)
        return;
    while (nfl_parser_next(d->parser, &flow, &err) != NFL_DONE) {
        if (++calls > most) {
            fprintf(stderr, "no end after %zu calls\n", calls);
            abort();
        }
    }
}

static void feed_copy(damage *d, const nfl_datagram *datagram, size_t len, size_t changed)
{
    uint8_t *copy = test_exact(datagram->data, len);
    if (changed < len)
        copy[changed] ^= 0xff;
    feed(d, datagram, copy, len);
    free(copy);
}

/* 1 if the sound datagram decodes as it should. */
static int check_sound(damage *d, nfl_usec now_us)
{
    static const nfl_ip other = {{0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}};
    const nfl_flow *flow;
    uint8_t *copy = test_exact(sound, sizeof sound);
    int good = nfl_parser_feed(d->parser, &other, now_us, copy, sizeof sound, NULL) == NFL_OK &&
               nfl_parser_next(d->parser, &flow, NULL) == NFL_OK && flow->bytes == 700 && flow->packets == 7 &&
               flow->src_port == 1024 && flow->dst_port == 80 && flow->proto == 6 && flow->src.b[15] == 1 &&
               nfl_parser_next(d->parser, &flow, NULL) == NFL_DONE;
    free(copy);
    return good;
}

static int damage_datagram(damage *d, const nfl_datagram *datagram)
{
    d->datagrams++;
    size_t start = d->datagrams % d->stride; /* other places in each datagram */
    for (size_t len = start; len < datagram->len; len += d->stride)
        feed_copy(d, datagram, len, SIZE_MAX);
    for (size_t at = start; at < datagram->len; at += d->stride)
        feed_copy(d, datagram, datagram->len, at);
    feed_copy(d, datagram, datagram->len, SIZE_MAX);
    return check_sound(d, datagram->time_us);
}

static int damage_capture(damage *d, const char *path)
{
    nfl_capture *capture;
    const nfl_datagram *datagram;
    nfl_error err;
    int good = 1;
    if (nfl_parser_new(NULL, &d->parser, &err) != NFL_OK || nfl_capture_new(path, NULL, &capture, &err) != NFL_OK) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 0;
    }
    while (good && nfl_capture_next(capture, &datagram, &err) == NFL_OK)
        good = damage_datagram(d, datagram);
    if (!good)
        fprintf(stderr, "%s: the sound datagram behind datagram %llu did not decode\n", path, (unsigned long long)d->datagrams);
    nfl_capture_free(capture);
    nfl_parser_free(d->parser);
    d->captures++;
    return good;
}

static int damage_folder(damage *d, const char *folder)
{
    DIR *dir = opendir(folder);
    int good = dir != NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char path[PATH_SIZE];
        struct stat status;
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path ||
            stat(path, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode))
            good &= damage_folder(d, path);
        else if (len > 5 && strcmp(entry->d_name + len - 5, ".pcap") == 0)
            good &= damage_capture(d, path);
    }
    if (dir)
        closedir(dir);
    return good;
}

int main(int argc, char **argv)
{
    damage d = {.stride = argc > 1 ? strtoul(argv[1], NULL, 10) : 1};
    const char *folder = argc > 2 ? argv[2] : getenv("NETFLOW_CORPUS");
    if (!folder) {
        puts("NETFLOW_CORPUS is not set: no captures to damage");
        return 77;
    }
    if (d.stride == 0) {
        fputs("usage: corpus_damage [STRIDE [FOLDER]]\n", stderr);
        return 2;
    }
    int good = damage_folder(&d, folder);
    printf("%llu captures, %llu datagrams, %llu fed damaged: %s\n", (unsigned long long)d.captures, (unsigned long long)d.datagrams,
           (unsigned long long)d.fed, good ? "all is well" : "FAILED");
    return !good;
}

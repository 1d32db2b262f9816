/* Detection on recorded attacks: what is found, how fast, and what is found that is not there.
 *
 *     quality_detect_scenarios            with NETFLOW_SHARED set
 *
 * The scan scenarios and the benign one are asserted in v5, v9 and IPFIX; findings on everything else are
 * printed, so that false alerts are seen. Exit code 77 = no data. */
#include <netflow/capture.h>
#include <netflow/detect.h>
#include <netflow/parser.h>

#include "support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FINDINGS 100

typedef struct outcome {
    uint64_t flows;
    size_t count;
    nfl_finding findings[MAX_FINDINGS];
} outcome;

static void collect(nfl_watch *watch, outcome *o, nfl_usec begin, int print)
{
    for (const nfl_finding *f; nfl_watch_next(watch, &f) == NFL_OK; o->count++) {
        if (o->count < MAX_FINDINGS)
            o->findings[o->count] = *f;
        if (print)
            printf("    +%.1f s, %.1f s after the last packet: %s, %s, confidence %u: %s\n",
                   (double)(f->found_us - begin) / 1e6, (double)(f->found_us - f->last_us) / 1e6, f->detector,
                   nfl_severity_name(f->severity), f->confidence, f->message);
    }
}

/* Feeds a capture; datagrams the parser refuses are none of our business here. */
static void run(const char *path, const char *inside, int print, outcome *o)
{
    nfl_capture *capture;
    nfl_parser *parser;
    nfl_watch *watch;
    NFL_OPTS(nfl_watch_opts, opts, .seed = 1, .inside = inside);
    memset(o, 0, sizeof *o);
    if (nfl_capture_new(path, NULL, &capture, NULL) < 0 || nfl_parser_new(NULL, &parser, NULL) < 0 ||
        nfl_watch_new(&opts, &watch, NULL) < 0) {
        printf("    cannot be opened: %s\n", path);
        exit(1);
    }
    nfl_usec begin = 0;
    const nfl_datagram *d;
    for (nfl_status status; (status = nfl_capture_next(capture, &d, NULL)) != NFL_DONE;) {
        if (status < 0 || nfl_parser_feed(parser, &d->src, d->time_us, d->data, d->len, NULL) < 0)
            continue;
        begin = begin ? begin : d->time_us;
        const nfl_flow *flow;
        for (nfl_status next; (next = nfl_parser_next(parser, &flow, NULL)) != NFL_DONE;) {
            if (next < 0)
                continue;
            nfl_watch_feed(watch, flow);
            o->flows++;
        }
        collect(watch, o, begin, print);
    }
    nfl_watch_flush(watch);
    collect(watch, o, begin, print);
    nfl_watch_free(watch);
    nfl_parser_free(parser);
    nfl_capture_free(capture);
}

/* Findings of one detector about one entity, and findings of anything else. */
static void tally(const outcome *o, const char *detector, const char *entity, size_t *hits, size_t *others)
{
    nfl_ip ip;
    *hits = *others = 0;
    if (nfl_ip_parse(entity, &ip, NULL) < 0)
        exit(1);
    for (size_t i = 0; i < o->count && i < MAX_FINDINGS; i++) {
        const nfl_finding *f = &o->findings[i];
        int hit = strcmp(f->detector, detector) == 0 && memcmp(&f->entity, &ip, sizeof ip) == 0;
        ++*(hit ? hits : others);
    }
}

static int check_scenarios(const char *shared)
{
    static const struct {
        const char *scenario, *detector, *entity; /* NULL = nothing must be found */
    } t[] = {
        {"scan_vertical_syn", "scan_vertical", "203.0.113.5"},
        {"scan_horizontal_lan", "scan_horizontal", "10.77.1.34"},
        {"benign_10m", NULL, "::"},
    };
    static const char *const protocols[] = {"nf5", "nf9", "ipfix"};
    int failed = 0;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        for (size_t p = 0; p < 3; p++) {
            char path[1024];
            static outcome o;
            size_t hits, others;
            snprintf(path, sizeof path, "%s/scenarios/%s/%s.pcap", shared, t[i].scenario, protocols[p]);
            run(path, NULL, 0, &o);
            tally(&o, t[i].detector ? t[i].detector : "", t[i].entity, &hits, &others);
            int good = o.flows > 0 && others == 0 && (hits > 0) == (t[i].detector != NULL);
            printf("scenario=%s protocol=%s flows=%llu found=%zu false=%zu %s\n", t[i].scenario, protocols[p],
                   (unsigned long long)o.flows, hits, others, good ? "ok" : "FAILED");
            failed |= !good;
        }
    }
    return failed;
}

static void show(const char *path, const char *title)
{
    /* the one public server of these captures is its own inside */
    const char *inside = strstr(title, "public_server") ? "64.225.56.201" : NULL;
    static outcome o;
    printf("  %s\n", title);
    run(path, inside, 1, &o);
    printf("    flows=%llu findings=%zu\n", (unsigned long long)o.flows, o.count);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every capture of a folder, one level deep. */
static void show_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[1024];
        const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (dot && strcmp(dot, ".pcap") == 0)
            show(path, path + strlen(folder) + 1 -
                           (strstr(folder, "scenarios") ? strlen(strrchr(folder, '/')) : 0));
        else if (!dot)
            show_folder(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(void)
{
    const char *shared = test_shared();
    if (!shared) {
        printf("skipped: NETFLOW_SHARED is not set\n");
        return 77;
    }
    int failed = check_scenarios(shared);
    char folder[1024];
    static const char *const folders[] = {"scenarios", "realflows"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(folder, sizeof folder, "%s/%s", shared, folders[i]);
        printf("%s\n", folders[i]);
        show_folder(folder);
    }
    return failed;
}

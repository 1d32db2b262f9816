/* The join and the detectors wired together. Each flow is taken in and all that follows from it is worked
 * off at once, so findings do not depend on how flows are batched or when nfl_watch_next() is called. */
#include <netflow/detect.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"
#include "detect/detector.h"

#include <string.h>

static const nfl__detector *const watch_detectors[] = {
    &nfl__detector_scan_vertical,
    &nfl__detector_scan_horizontal,
};

#define WATCH_DETECTORS (sizeof watch_detectors / sizeof *watch_detectors)
#define WATCH_MAX_SOURCES (UINT32_C(1) << 22)

struct nfl_watch {
    nfl__memory memory;
    nfl_join *join;
    nfl__networks inside;
    nfl__findings findings;
    void *states[WATCH_DETECTORS]; /* NULL = not wanted */
};

const char *nfl_severity_name(uint32_t severity)
{
    static const char *const names[] = {"?", "info", "low", "medium", "high", "critical"};
    return names[severity < sizeof names / sizeof *names ? severity : 0];
}

const char *nfl_detector_name(size_t i)
{
    return i < WATCH_DETECTORS ? watch_detectors[i]->name : NULL;
}

const char *nfl_detector_about(size_t i)
{
    return i < WATCH_DETECTORS ? watch_detectors[i]->about : NULL;
}

/* ---- creation ---- */

static nfl_status watch_find_detector(const char *name, size_t len, size_t column, size_t *found,
                                      nfl_error *err)
{
    for (size_t i = 0; i < WATCH_DETECTORS; i++) {
        if (strlen(watch_detectors[i]->name) == len && memcmp(watch_detectors[i]->name, name, len) == 0) {
            *found = i;
            return NFL_OK;
        }
    }
    return nfl__fail(err, NFL_E_NOT_FOUND, column, "no detector is called '%.*s'",
                     (int)(len < 100 ? len : 100), name);
}

/* Names by comma, NULL = all; wanted has WATCH_DETECTORS flags. */
static nfl_status watch_choose(const char *names, uint8_t *wanted, nfl_error *err)
{
    memset(wanted, names == NULL, WATCH_DETECTORS);
    if (!names)
        return NFL_OK;
    for (size_t column = strspn(names, " ,"); names[column]; column += strspn(names + column, " ,")) {
        size_t len = strcspn(names + column, " ,"), found = 0;
        NFL_TRY(watch_find_detector(names + column, len, column, &found, err));
        wanted[found] = 1;
        column += len;
    }
    return NFL_OK;
}

static nfl_status watch_open(nfl_watch *watch, const nfl_watch_opts *o, const uint8_t *wanted, nfl_error *err)
{
    NFL_OPTS(nfl_join_opts, join_opts, .max_connections = o->max_connections, .alloc = o->alloc,
             .idle_s = o->idle_s, .seed = o->seed);
    NFL_TRY(nfl_join_new(&join_opts, &watch->join, err));
    NFL_TRY(nfl__networks_parse(&watch->inside, &watch->memory, o->inside, err));
    watch->findings.ring = nfl__new(&watch->memory, NFL__FINDINGS_CAP, sizeof *watch->findings.ring);
    if (!watch->findings.ring)
        return nfl__fail_nomem(err, NFL__FINDINGS_CAP * sizeof *watch->findings.ring);
    nfl__detect_env env = {&watch->memory, &watch->inside, &watch->findings, o->seed,
                           o->max_sources ? o->max_sources : 16384};
    for (size_t i = 0; i < WATCH_DETECTORS; i++)
        if (wanted[i])
            NFL_TRY(watch_detectors[i]->create(&env, &watch->states[i], err));
    return NFL_OK;
}

nfl_status nfl_watch_new(const nfl_watch_opts *opts, nfl_watch **out, nfl_error *err)
{
    nfl_watch_opts o;
    uint8_t wanted[WATCH_DETECTORS];
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    if (o.max_sources > WATCH_MAX_SOURCES)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u sources, at most %u", o.max_sources,
                         WATCH_MAX_SOURCES);
    NFL_TRY(watch_choose(o.detectors, wanted, err));
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_watch *watch = nfl__new(&memory, 1, sizeof *watch);
    if (!watch)
        return nfl__fail_nomem(err, sizeof *watch);
    watch->memory = memory;
    nfl_status status = watch_open(watch, &o, wanted, err);
    if (status < 0) {
        nfl_watch_free(watch);
        return status;
    }
    *out = watch;
    return NFL_OK;
}

void nfl_watch_free(nfl_watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < WATCH_DETECTORS; i++)
        watch_detectors[i]->destroy(&watch->memory, watch->states[i]);
    nfl_join_free(watch->join);
    nfl__networks_free(&watch->inside, &watch->memory);
    nfl__memory memory = watch->memory;
    nfl__delete(&memory, watch->findings.ring, NFL__FINDINGS_CAP, sizeof *watch->findings.ring);
    nfl__delete(&memory, watch, 1, sizeof *watch);
}

/* ---- flow ---- */

static void watch_drain(nfl_watch *watch)
{
    for (const nfl_connection *c; nfl_join_next(watch->join, &c) == NFL_OK;)
        for (size_t i = 0; i < WATCH_DETECTORS; i++)
            if (watch->states[i])
                watch_detectors[i]->feed(watch->states[i], c);
}

void nfl_watch_feed(nfl_watch *watch, const nfl_flow *flow)
{
    nfl_watch_advance(watch, flow->received_us); /* what was due before this record comes first */
    nfl_join_feed(watch->join, flow);
    watch_drain(watch);
}

void nfl_watch_advance(nfl_watch *watch, nfl_usec now_us)
{
    nfl_join_advance(watch->join, now_us);
    watch_drain(watch);
}

void nfl_watch_flush(nfl_watch *watch)
{
    nfl_join_flush(watch->join);
    watch_drain(watch);
}

nfl_status nfl_watch_next(nfl_watch *watch, const nfl_finding **out)
{
    const nfl__report *report = nfl__findings_take(&watch->findings);
    if (!report)
        return NFL_DONE;
    *out = &report->finding;
    return NFL_OK;
}

size_t nfl_watch_memory(const nfl_watch *watch)
{
    return watch->memory.held + nfl_join_memory(watch->join);
}

uint64_t nfl_watch_dropped(const nfl_watch *watch)
{
    return watch->findings.dropped;
}

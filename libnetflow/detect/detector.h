/* What a detector is made of: one const table per kind, listed in watch.c.
 *
 * feed() gets connections in order of nfl_connection::told_us and leaves findings in env->findings. It
 * allocates nothing; all memory is taken in create(). The same connections give the same findings.
 */
#ifndef NFL_DETECT_DETECTOR_H
#define NFL_DETECT_DETECTOR_H

#include <netflow/detect.h>

#include "base/alloc.h"
#include "detect/findings.h"
#include "detect/networks.h"

typedef struct nfl__detect_env {
    nfl__memory *memory;
    const nfl__networks *inside;
    nfl__findings *findings;
    uint64_t seed;
    uint32_t max_sources;
} nfl__detect_env;

typedef struct nfl__detector {
    const char *name;
    const char *about; /* one sentence */
    nfl_status (*create)(const nfl__detect_env *env, void **state, nfl_error *err);
    void (*destroy)(nfl__memory *memory, void *state); /* state may be NULL */
    void (*feed)(void *state, const nfl_connection *connection);
} nfl__detector;

extern const nfl__detector nfl__detector_scan_vertical;
extern const nfl__detector nfl__detector_scan_horizontal;

#endif

/* Queue of findings with their texts: a ring of fixed size between the detectors and nfl_watch_next(). */
#ifndef NFL_DETECT_FINDINGS_H
#define NFL_DETECT_FINDINGS_H

#include <netflow/detect.h>

#define NFL__FINDINGS_CAP 256

/* A detector fills in `finding` but for its texts; constant texts go to the pointers, made ones here. */
typedef struct nfl__report {
    nfl_finding finding;
    char filter[256];
    char message[256];
} nfl__report;

typedef struct nfl__findings {
    nfl__report *ring; /* NFL__FINDINGS_CAP */
    uint32_t first;
    uint32_t count;
    uint64_t dropped;
} nfl__findings;

/* A zeroed report to fill in, or NULL when the ring is full: then it is counted as dropped. */
nfl__report *nfl__findings_add(nfl__findings *findings);

/* The oldest report, taken out; valid until the next add. NULL when there is none. */
const nfl__report *nfl__findings_take(nfl__findings *findings);

#endif

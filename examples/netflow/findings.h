/* Findings of a scan: the last state of each episode, in the order they were found. */
#ifndef NETFLOW_TOOL_FINDINGS_H
#define NETFLOW_TOOL_FINDINGS_H

#include "options.h"

#include <netflow/detect.h>

typedef struct findings {
    nfl_finding *items; /* their texts are copies */
    size_t count, room;
} findings;

/* Keep a finding, in place of the earlier state of its episode if there is one. */
void findings_add(findings *f, const nfl_finding *finding);

void findings_print(const findings *f, const options *given);

void findings_done(findings *f);

#endif

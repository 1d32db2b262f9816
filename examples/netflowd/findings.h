/* What the detectors found: the latest in memory for the dashboard, all of them as JSON lines on disk.
 *
 * STORE/findings.jsonl gets one line a report and becomes findings.jsonl.1 when it is full, so both together are
 * bounded. They are read at start. An episode that is reported again replaces its earlier report in memory;
 * on disk the last line of an id counts. All calls but open and close may come from any thread. */
#ifndef NETFLOWD_FINDINGS_H
#define NETFLOWD_FINDINGS_H

#include "json.h"

#include <netflow/detect.h>

typedef struct findings findings;

/* Returns 0 or an errno. */
int findings_open(findings **out, const char *store);
void findings_close(findings *f);

/* Returns 0 or an errno; the finding is in memory in any case. */
int findings_add(findings *f, const nfl_finding *finding);

/* Make the lines durable. Returns 0 or an errno. */
int findings_sync(findings *f);

/* Write members "total" and "findings": the latest n that overlap the window, newest first. */
void findings_write(findings *f, json *j, nfl_usec from_us, nfl_usec to_us, size_t n);

size_t findings_count(findings *f);

#endif

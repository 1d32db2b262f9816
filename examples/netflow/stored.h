/* Flows of a store one by one, as they were when they were stored. */
#ifndef NETFLOW_TOOL_STORED_H
#define NETFLOW_TOOL_STORED_H

#include "options.h"

#include <netflow/flow.h>

/* Hand the flows of given->store that match its times, and its filter if `filtered`, to `take` in order of arrival,
 * with the fields named in `columns`; NULL = all. `take` returns 0 to go on. Problems are told on standard error.
 * Returns the exit status. */
int stored_read(const options *given, const char *columns, int filtered,
                int (*take)(void *context, const nfl_flow *flow), void *context);

#endif

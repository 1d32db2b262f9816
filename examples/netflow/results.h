/* The result of a query as table, CSV or JSON. */
#ifndef NETFLOW_TOOL_RESULTS_H
#define NETFLOW_TOOL_RESULTS_H

#include "options.h"

#include <netflow/query.h>
#include <netflow/store.h>

/* Rows a table of records looks at before it decides how wide its columns are. */
enum { RESULTS_HELD_ROWS = 1000 };

/* Open given->store for reading. 1 if *out is set; else a message was printed. */
int store_open_to_read(const options *given, nfl_store **out);

/* The arguments joined by spaces: a filter. Free it. NULL when there are none. */
char *filter_of(const options *given);

/* Ask one question and read its result oneself; NULL: a message was printed. Closing frees the cursor too. */
typedef struct results_source results_source;
results_source *results_open(const options *given, nfl_query *query, nfl_cursor **out);
void results_close(results_source *source, nfl_cursor *cursor);

/* Questions that are asked together, at most. */
enum { RESULTS_QUERIES = 16 };

/* Ask `queries` (their filter, times and limits are filled in from `given`) and print the results, one after the other. `gauge`:
 * TABLE_*. Returns the exit status. */
int results_run(const options *given, nfl_query *queries, size_t count, int gauge);

#endif

/* netflow top: the groups of flows with the most bytes, packets or flows. */
#include "commands.h"
#include "report.h"
#include "results.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* Lists of fields, separated by semicolons, which become NULs. Returns how many; 0 if there are too many. */
static size_t top_split(char *text, const char *lists[RESULTS_QUERIES])
{
    size_t count = 0;
    for (char *next = text; next; count++) {
        if (count == RESULTS_QUERIES)
            return 0;
        lists[count] = next;
        next = strchr(next, ';');
        if (next)
            *next++ = 0;
    }
    return count;
}

int command_top(const options *given)
{
    const char *lists[RESULTS_QUERIES];
    nfl_query queries[RESULTS_QUERIES];
    char *by = strdup(given->by);
    size_t count = by ? top_split(by, lists) : 0;
    if (count == 0) {
        complain("--by: at most %d lists of fields", RESULTS_QUERIES);
        free(by);
        return EXIT_USAGE;
    }
    memset(queries, 0, sizeof queries);
    for (size_t i = 0; i < count; i++) {
        queries[i].group_by = lists[i];
        queries[i].columns = given->columns;
        queries[i].order_by = given->order;
        queries[i].having = given->having;
    }
    int status = results_run(given, queries, count, TABLE_SHARE);
    free(by);
    return status;
}

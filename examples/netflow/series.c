/* netflow series: traffic over time. */
#include "commands.h"
#include "results.h"
#include "table.h"

int command_series(const options *given)
{
    options own = *given;
    if (!given->by && !(given->given & OPTION_LIMIT))
        own.limit = 0; /* the default limits groups, not the buckets of one line */
    nfl_query query = {.group_by = given->by, .columns = given->columns, .order_by = given->order, .bucket_us = given->bucket_us,
                       .having = given->having, .flags = NFL_QUERY_FILL};
    return results_run(&own, &query, TABLE_BAR);
}

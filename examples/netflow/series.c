/* netflow series: traffic over time. */
#include "commands.h"
#include "facts.h"
#include "report.h"
#include "results.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

static nfl_query series_query(const options *given)
{
    return (nfl_query){.group_by = given->by, .columns = given->columns, .order_by = given->order, .bucket_us = given->bucket_us,
                       .having = given->having, .flags = NFL_QUERY_FILL | (given->spread ? NFL_QUERY_SPREAD : 0)};
}

static uint64_t *series_values(nfl_cursor *cursor, size_t *count, nfl_status *status, nfl_error *err)
{
    uint64_t *values = NULL;
    size_t capacity = 0;
    *count = 0;
    while ((*status = nfl_cursor_next(cursor, err)) == NFL_OK) {
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            values = tool_grow(values, capacity * sizeof *values);
        }
        values[(*count)++] = nfl_cursor_u64(cursor, 1);
    }
    return values;
}

/* What is paid for: of the buckets' bytes a second, the highest when the top percents are left out. */
static void series_say_percentile(const options *given, uint64_t bytes, size_t buckets)
{
    char rate[NFL_VALUE_TEXT_SIZE];
    uint64_t us = (uint64_t)given->bucket_us;
    uint64_t bits = bytes > UINT64_MAX / 8000000 ? UINT64_MAX / us * 8 : bytes * 8000000 / us;
    printf("\npercentile %u: %sbit/s (of %zu buckets, empty ones included)\n", (unsigned)given->percentile, fact_human(bits, rate), buckets);
}

static int series_percentile(const options *given)
{
    options own = *given;
    nfl_cursor *cursor;
    nfl_error err;
    nfl_status status;
    size_t count;
    nfl_query query = series_query(given);
    query.columns = "bytes";
    query.order_by = NULL;
    own.limit = 0;
    results_source *source = results_open(&own, &query, &cursor);
    if (!source)
        return EXIT_FAILED;
    uint64_t *values = series_values(cursor, &count, &status, &err);
    if (status >= 0)
        series_say_percentile(given, nfl_percentile(values, count, (uint32_t)given->percentile * 10), count);
    else
        complain("%s", err.message);
    free(values);
    results_close(source, cursor);
    return report_output(status < 0 ? EXIT_FAILED : EXIT_DONE);
}

int command_series(const options *given)
{
    options own = *given;
    if (!given->by && !(given->given & OPTION_LIMIT))
        own.limit = 0; /* the default limits groups, not the buckets of one line */
    if (given->given & OPTION_PERCENTILE && (given->by || given->percentile < 1 || given->percentile > 100)) {
        complain("--percentile: from 1 to 100, without --by");
        return EXIT_USAGE;
    }
    nfl_query query = series_query(given);
    int status = results_run(&own, &query, 1, TABLE_BAR);
    return status == EXIT_DONE && given->given & OPTION_PERCENTILE && given->format == FORMAT_TABLE ? series_percentile(given) : status;
}

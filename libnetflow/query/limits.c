#include "query/limits.h"

#include "base/error.h"

#include <inttypes.h>

void nfl__limits_begin(nfl__limits *limits, const nfl_query *query, const nfl__scannable *store)
{
    *limits = (nfl__limits){.cancel = query->cancel, .max_rows = query->max_rows, .clock = store->clock};
    if (!store->clock || query->max_time_us == 0)
        return;
    limits->max_time_us = query->max_time_us;
    limits->begun_us = store->clock();
}

nfl_status nfl__limits_check(nfl__limits *limits, uint32_t rows, nfl_error *err)
{
    limits->examined += rows;
    if (limits->cancel && *limits->cancel)
        return nfl__fail(err, NFL_E_CANCELLED, NFL_NO_OFFSET, "query was cancelled");
    if (limits->max_rows && limits->examined > limits->max_rows)
        return nfl__fail(err, NFL_E_CANCELLED, NFL_NO_OFFSET, "query has to examine more than the %" PRIu64 " rows it may",
                         limits->max_rows);
    if (limits->max_time_us && (uint64_t)(limits->clock() - limits->begun_us) > limits->max_time_us)
        return nfl__fail(err, NFL_E_CANCELLED, NFL_NO_OFFSET, "query took longer than the %" PRIu64 " ms it may",
                         limits->max_time_us / 1000);
    return NFL_OK;
}

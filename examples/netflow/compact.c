/* netflow compact: few large segments instead of many small ones. */
#include "commands.h"
#include "facts.h"
#include "report.h"

#include <netflow/store.h>

static nfl_status compact_all(nfl_store *store, nfl_usec sums_before_us, nfl_store_info *before, nfl_store_info *after, nfl_error *err)
{
    NFL_OPTS(nfl_compact_opts, opts, .flags = NFL_COMPACT_ALL, .sums_before_us = sums_before_us);
    nfl_status status = nfl_store_get_info(store, before, err);
    while (status == NFL_OK)
        status = nfl_store_compact(store, &opts, err);
    return status == NFL_DONE ? nfl_store_get_info(store, after, err) : status;
}

int command_compact(const options *given)
{
    nfl_store *store;
    nfl_error err;
    NFL_OPTS(nfl_store_info, before, .flows = 0);
    NFL_OPTS(nfl_store_info, after, .flows = 0);
    nfl_status status = nfl_store_new(given->store, NULL, &store, &err);
    if (status == NFL_OK) {
        status = compact_all(store, given->sums_before_us, &before, &after, &err);
        nfl_store_free(store);
    }
    if (status < 0) {
        complain_about(given->store, &err);
        return EXIT_FAILED;
    }
    const fact facts[] = {
        {"store", "store", FACT_TEXT, 0, given->store},
        {"flows", "flow records", FACT_COUNT, after.flows, NULL},
        {"summed_flows", "records kept as sums", FACT_COUNT, after.summed_flows, NULL},
        {"segments_before", "segments before", FACT_COUNT, before.segments, NULL},
        {"segments", "segments", FACT_COUNT, after.segments, NULL},
        {"bytes_before", "size before", FACT_BYTES, before.bytes, NULL},
        {"bytes", "size", FACT_BYTES, after.bytes, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, given->format);
    return report_output(EXIT_DONE);
}

/* netflow expire: drop the oldest flows by age, size and free space. */
#include "commands.h"
#include "facts.h"
#include "report.h"

#include <netflow/store.h>

static nfl_status expire_run(const options *given, nfl_store *store, nfl_store_info *before, nfl_store_info *after, nfl_error *err)
{
    NFL_OPTS(nfl_retention, wanted, .before_us = given->before_us, .max_bytes = given->max_bytes,
             .min_free_bytes = given->min_free_bytes);
    nfl_status status = nfl_store_get_info(store, before, err);
    if (status != NFL_OK)
        return status;
    nfl_status kept = nfl_store_retain(store, &wanted, err);
    if (kept < 0)
        return kept;
    status = nfl_store_get_info(store, after, err);
    return status == NFL_OK ? kept : status;
}

int command_expire(const options *given)
{
    nfl_store *store;
    nfl_error err;
    NFL_OPTS(nfl_store_info, before, .flows = 0);
    NFL_OPTS(nfl_store_info, after, .flows = 0);
    if (!(given->given & (OPTION_BEFORE | OPTION_MAX_SIZE | OPTION_MIN_FREE))) {
        complain("--before, --max-size or --min-free is needed");
        return EXIT_USAGE;
    }
    nfl_status status = nfl_store_new(given->store, NULL, &store, &err);
    if (status == NFL_OK) {
        status = expire_run(given, store, &before, &after, &err);
        nfl_store_free(store);
    }
    if (status < 0) {
        complain_about(given->store, &err);
        return EXIT_FAILED;
    }
    const fact facts[] = {
        {"store", "store", FACT_TEXT, 0, given->store},
        {"result", "result", FACT_TEXT, 0, status == NFL_PENDING ? "more is kept: held, or not sealed yet" : "limits are kept"},
        {"dropped_flows", "records dropped", FACT_COUNT, before.flows - after.flows, NULL},
        {"dropped_summed_flows", "of those kept as sums", FACT_COUNT, before.summed_flows - after.summed_flows, NULL},
        {"dropped_segments", "segments dropped", FACT_COUNT, before.segments - after.segments, NULL},
        {"dropped_bytes", "size dropped", FACT_BYTES, before.bytes - after.bytes, NULL},
        {"flows", "flow records left", FACT_COUNT, after.flows, NULL},
        {"bytes", "size", FACT_BYTES, after.bytes, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, given->format);
    return report_output(EXIT_DONE);
}

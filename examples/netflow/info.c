/* netflow info, verify, repair: what is in a store, whether it can be read, and saving what can. */
#include "commands.h"
#include "facts.h"
#include "report.h"
#include "results.h"

#include <netflow/store.h>

int command_info(const options *given)
{
    nfl_store *store = NULL;
    if (!store_open_to_read(given, &store))
        return EXIT_FAILED;
    nfl_error err;
    NFL_OPTS(nfl_store_info, info, .flows = 0);
    nfl_status status = nfl_store_get_info(store, &info, &err);
    nfl_store_free(store);
    if (status < 0) {
        complain_about(given->store, &err);
        return EXIT_FAILED;
    }
    const fact facts[] = {
        {"store", "store", FACT_TEXT, 0, given->store},
        {"format_version", "file format version", FACT_COUNT, info.format_version, NULL},
        {"flows", "flow records", FACT_COUNT, info.flows, NULL},
        {"journal_flows", "of these not yet sealed", FACT_COUNT, info.journal_flows, NULL},
        {"summed_flows", "records kept as sums", FACT_COUNT, info.summed_flows, NULL},
        {"segments", "sealed segments", FACT_COUNT, info.segments, NULL},
        {"bytes", "size in bytes", FACT_BYTES, info.bytes, NULL},
        {"first", "first flow starts", FACT_TIME, (uint64_t)info.first_us, NULL},
        {"last", "last flow starts", FACT_TIME, (uint64_t)info.last_us, NULL},
        {"received_first", "first received", FACT_TIME, (uint64_t)info.received_first_us, NULL},
        {"received_last", "last received", FACT_TIME, (uint64_t)info.received_last_us, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, given->format);
    return report_output(EXIT_DONE);
}

int command_verify(const options *given)
{
    nfl_store *store = NULL;
    if (!store_open_to_read(given, &store))
        return EXIT_FAILED;
    nfl_error err;
    NFL_OPTS(nfl_verify_report, report, .files = 0);
    nfl_status status = nfl_store_verify(store, &report, &err);
    nfl_store_free(store);
    if (status < 0 && status != NFL_E_CORRUPT) {
        complain_about(given->store, &err);
        return EXIT_FAILED;
    }
    const fact facts[] = {
        {"store", "store", FACT_TEXT, 0, given->store},
        {"result", "result", FACT_TEXT, 0, status == NFL_OK ? "good" : "damaged"},
        {"files", "files checked", FACT_COUNT, report.files, NULL},
        {"blocks", "blocks checked", FACT_COUNT, report.blocks, NULL},
        {"flows", "flow records in good blocks", FACT_COUNT, report.flows, NULL},
        {"bad_files", "files that cannot be used", FACT_COUNT, report.bad_files, NULL},
        {"bad_blocks", "blocks that failed", FACT_COUNT, report.bad_blocks, NULL},
        {"first_problem", "first problem", FACT_TEXT, 0, report.first_problem},
    };
    facts_print(facts, sizeof facts / sizeof *facts, given->format);
    return report_output(status == NFL_OK ? EXIT_DONE : EXIT_FAILED);
}

int command_repair(const options *given)
{
    nfl_error err;
    NFL_OPTS(nfl_repair_report, report, .flows = 0);
    if (nfl_store_repair(given->store, &report, &err) < 0) {
        complain_about(given->store, &err);
        return EXIT_FAILED;
    }
    const fact facts[] = {
        {"store", "store", FACT_TEXT, 0, given->store},
        {"result", "result", FACT_TEXT, 0, report.first_problem[0] ? "repaired" : "was good"},
        {"manifest_rebuilt", "manifest made anew", FACT_TROUBLE, report.manifest_rebuilt, NULL},
        {"segments", "segments", FACT_COUNT, report.segments, NULL},
        {"damaged_segments", "segments with damage, kept aside", FACT_TROUBLE, report.damaged_segments, NULL},
        {"missing_segments", "segments missing", FACT_TROUBLE, report.missing_segments, NULL},
        {"flows", "flow records in segments", FACT_COUNT, report.flows, NULL},
        {"lost_flows", "flow records lost", FACT_TROUBLE, report.lost_flows, NULL},
        {"first_problem", "first problem", FACT_TEXT, 0, report.first_problem},
    };
    facts_print(facts, sizeof facts / sizeof *facts, given->format);
    return report_output(EXIT_DONE);
}

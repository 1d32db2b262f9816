/* netflow import: flows of captured exports into a store. */
#include "captures.h"
#include "commands.h"
#include "facts.h"
#include "report.h"

#include <netflow/enrich.h>
#include <netflow/store.h>

#include <stdlib.h>
#include <string.h>

enum { IMPORT_BATCH = 1024 };

typedef struct import {
    const options *given;
    nfl_store *store;
    uint64_t stored;
    size_t count;
    nfl_flow batch[IMPORT_BATCH];
} import;

/* Append what is in the batch. 0 = done. */
static int import_flush(import *m)
{
    nfl_error err;
    if (m->count == 0)
        return 0;
    if (nfl_store_append(m->store, m->batch, m->count, sizeof m->batch[0], &err) < 0) {
        complain_about(m->given->store, &err);
        return 1;
    }
    m->stored += m->count;
    m->count = 0;
    return 0;
}

static int import_take(void *context, const nfl_flow *flow)
{
    import *m = context;
    m->batch[m->count] = *flow;
    nfl_enrich_app(&m->batch[m->count]);
    m->count++;
    return m->count == IMPORT_BATCH ? import_flush(m) : 0;
}

static void import_summary(const import *m, const captures *c)
{
    NFL_OPTS(nfl_parser_stats, s, .domains = 0);
    nfl_parser_get_stats(c->parser, &s);
    const fact facts[] = {
        {"files", "files read", FACT_COUNT, c->files, NULL},
        {"broken_files", "files broken", FACT_TROUBLE, c->broken_files, NULL},
        {"datagrams", "datagrams", FACT_COUNT, s.datagrams, NULL},
        {"bytes", "bytes in them", FACT_BYTES, s.bytes, NULL},
        {"records", "flow records stored", FACT_COUNT, m->stored, NULL},
        {"exporters", "exporters (address, version, domain)", FACT_COUNT, s.domains + c->sessions, NULL},
        {"templates", "template definitions", FACT_COUNT, s.templates, NULL},
        {"options_records", "options records", FACT_TROUBLE, s.options_records, NULL},
        {"other_records", "records that are no flows", FACT_TROUBLE, s.other_records, NULL},
        {"lost_flows", "flows lost before (v5)", FACT_TROUBLE, s.lost_flows, NULL},
        {"lost_datagrams", "datagrams lost before (v9)", FACT_TROUBLE, s.lost_datagrams, NULL},
        {"lost_records", "records lost before (IPFIX)", FACT_TROUBLE, s.lost_records, NULL},
        {"late_datagrams", "datagrams out of order", FACT_TROUBLE, s.late_datagrams, NULL},
        {"duplicate_datagrams", "datagrams received twice", FACT_TROUBLE, s.duplicate_datagrams, NULL},
        {"restarts", "exporter restarts", FACT_TROUBLE, s.restarts, NULL},
        {"unknown_sets", "sets before their template", FACT_TROUBLE, s.unknown_sets, NULL},
        {"replayed_sets", "of these decoded later", FACT_TROUBLE, s.replayed_sets, NULL},
        {"dropped_sets", "of these dropped", FACT_TROUBLE, s.dropped_sets, NULL},
        {"bad_datagrams", "datagrams that are no export", FACT_TROUBLE, s.bad_datagrams, NULL},
        {"bad_sets", "malformed sets", FACT_TROUBLE, s.bad_sets, NULL},
        {"refused_templates", "templates refused", FACT_TROUBLE, s.refused_templates, NULL},
        {"other_packets", "packets that are not UDP", FACT_TROUBLE, c->packets.other, NULL},
        {"cut_packets", "packets captured incompletely", FACT_TROUBLE, c->packets.cut, NULL},
        {"lone_fragments", "fragments without their rest", FACT_TROUBLE, c->packets.fragments, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, m->given->format);
}

static int import_run(import *m, captures *c)
{
    nfl_error err;
    int status = captures_read(c, m->given->arguments, m->given->argument_count);
    if (!c->failed && import_flush(m))
        status = EXIT_FAILED;
    if (nfl_store_sync(m->store, NFL_SYNC_SEAL, &err) < 0) {
        complain_about(m->given->store, &err);
        return EXIT_FAILED;
    }
    import_summary(m, c);
    return report_output(status);
}

int command_import(const options *given)
{
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE | NFL_STORE_NO_JOURNAL);
    nfl_error err;
    import *m = tool_grow(NULL, sizeof *m);
    memset(m, 0, sizeof *m);
    m->given = given;
    captures c = {.take = import_take, .context = m};
    int status = EXIT_FAILED;
    if (nfl_store_new(given->store, &opts, &m->store, &err) < 0)
        complain_about(given->store, &err);
    else if (nfl_parser_new(NULL, &c.parser, &err) < 0)
        complain("%s", err.message);
    else
        status = import_run(m, &c);
    nfl_parser_free(c.parser);
    nfl_store_free(m->store);
    free(m);
    return status;
}

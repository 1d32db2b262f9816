/* netflow export: flows of a store or of captures into an IPFIX file (RFC 5655).
 *
 * The file is one transport session: a template stands once, before its first record. The domain of its messages means
 * nothing (RFC 7011 3.1: 0, and others when one domain has no room for more templates); who told a flow stands in its
 * record, as exporterIPv4Address or exporterIPv6Address and observationDomainId. Messages have the second in which their
 * flows were received as export time, and are in order of it. */
#include "captures.h"
#include "commands.h"
#include "facts.h"
#include "packer.h"
#include "report.h"
#include "stored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct export {
    const options *given;
    FILE *file;
    packer packer;
} export;

static int export_put(void *context, const uint8_t *data, size_t len)
{
    export *e = context;
    if (fwrite(data, 1, len, e->file) == len)
        return 0;
    complain("%s: %s", e->given->out, strerror(errno));
    return 1;
}

static int export_take(void *context, const nfl_flow *flow)
{
    export *e = context;
    return packer_add(&e->packer, flow);
}

static int export_captures(export *e)
{
    nfl_error err;
    captures c = {.take = export_take, .context = e};
    if (nfl_parser_new(NULL, &c.parser, &err) < 0) {
        complain("%s", err.message);
        return EXIT_FAILED;
    }
    int status = captures_read(&c, e->given->arguments, e->given->argument_count);
    nfl_parser_free(c.parser);
    return status;
}

static int export_run(export *e)
{
    int status = e->given->store ? stored_read(e->given, NULL, 1, export_take, e) : export_captures(e);
    if (packer_flush(&e->packer))
        status = EXIT_FAILED;
    packer_done(&e->packer);
    return status;
}

static void export_summary(const export *e)
{
    const fact facts[] = {
        {"file", "file", FACT_TEXT, 0, e->given->out},
        {"records", "flow records written", FACT_COUNT, e->packer.flows, NULL},
        {"skipped", "flow records without a field to write", FACT_TROUBLE, e->packer.skipped, NULL},
        {"messages", "messages", FACT_COUNT, e->packer.datagrams, NULL},
        {"bytes", "bytes", FACT_BYTES, e->packer.bytes, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, FORMAT_TABLE);
}

int command_export(const options *given)
{
    export e = {.given = given, .packer = {.put = export_put}};
    if (!given->store && !given->argument_count) {
        complain("either a store (-s STORE) or files expected");
        return EXIT_USAGE;
    }
    if (!given->store && given->given & (OPTION_FROM | OPTION_TO)) {
        complain("--from and --to choose from a store; files are taken whole");
        return EXIT_USAGE;
    }
    if (given->wire != 10) {
        complain("files are IPFIX; NetFlow v5 and v9 have none (netflow replay sends them)");
        return EXIT_USAGE;
    }
    int standard = strcmp(given->out, "-") == 0;
    e.file = standard ? stdout : fopen(given->out, "wbe");
    if (!e.file) {
        complain("%s: %s", given->out, strerror(errno));
        return EXIT_FAILED;
    }
    e.packer.context = &e;
    e.packer.opts = (nfl_encoder_opts){.struct_size = sizeof e.packer.opts, .version = 10, .max_len = UINT16_MAX,
                                       .template_every = UINT32_MAX, .fields = UINT64_MAX};
    int status = export_run(&e);
    if (!standard && fclose(e.file) != 0) {
        complain("%s: %s", given->out, strerror(errno));
        return EXIT_FAILED;
    }
    if (!standard)
        export_summary(&e);
    return report_output(status);
}

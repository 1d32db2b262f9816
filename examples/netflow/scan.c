/* netflow scan: findings of the detectors, over a store or over captures. */
#include "captures.h"
#include "commands.h"
#include "findings.h"
#include "report.h"
#include "stored.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct scan {
    const options *given;
    nfl_watch *watch;
    findings found;
    uint64_t flows;
} scan;

static void scan_collect(scan *s)
{
    const nfl_finding *finding;
    while (nfl_watch_next(s->watch, &finding) == NFL_OK)
        findings_add(&s->found, finding);
}

static int scan_take(void *context, const nfl_flow *flow)
{
    scan *s = context;
    nfl_watch_feed(s->watch, flow);
    s->flows++;
    scan_collect(s);
    return 0;
}

static int scan_files(scan *s)
{
    nfl_error err;
    captures c = {.take = scan_take, .context = s};
    if (nfl_parser_new(NULL, &c.parser, &err) < 0) {
        complain("%s", err.message);
        return EXIT_FAILED;
    }
    int status = captures_read(&c, s->given->arguments, s->given->argument_count);
    nfl_parser_free(c.parser);
    return status;
}

/* ---- from a store ---- */

/* What detectors look at. */
static const char scan_columns[] =
    "received,first,last,bytes,packets,flows,src,dst,src_port,dst_port,proto,tcp_flags,icmp_type,icmp_code,"
    "direction,end_reason,in_if,out_if,sampling,exporter,domain,version,reverse_bytes,reverse_packets,"
    "reverse_tcp_flags";

static int scan_store(scan *s)
{
    return stored_read(s->given, scan_columns, 0, scan_take, s);
}

static void scan_print(const scan *s)
{
    findings_print(&s->found, s->given);
    if (s->given->format == FORMAT_TABLE)
        printf("%zu finding%s in %" PRIu64 " flow records\n", s->found.count, s->found.count == 1 ? "" : "s",
               s->flows);
}

int command_scan(const options *given)
{
    scan s = {.given = given};
    nfl_error err;
    if (!given->store == !given->argument_count) {
        complain("either a store (-s STORE) or capture files expected");
        return EXIT_USAGE;
    }
    if (!given->store && given->given & (OPTION_FROM | OPTION_TO)) {
        complain("--from and --to choose from a store; files are read whole");
        return EXIT_USAGE;
    }
    if (nfl_watch_new(NULL, &s.watch, &err) < 0) {
        complain("%s", err.message);
        return EXIT_FAILED;
    }
    int status = given->store ? scan_store(&s) : scan_files(&s);
    nfl_watch_flush(s.watch);
    scan_collect(&s);
    scan_print(&s);
    nfl_watch_free(s.watch);
    findings_done(&s.found);
    return report_output(status);
}

/* netflow scan: findings of the detectors, over a store or over captures. */
#include "captures.h"
#include "commands.h"
#include "findings.h"
#include "report.h"
#include "results.h"

#include <netflow/query.h>
#include <netflow/time.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* For sorting flows of a store by arrival; more flows are read in several parts. */
#define SCAN_MEMORY_BYTES (UINT64_C(256) << 20)

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

static void scan_put(nfl_flow *flow, const nfl_field_info *info, const nfl_value *value)
{
    unsigned char *member = (unsigned char *)flow + info->offset;
    uint8_t u8 = (uint8_t)value->u64;
    uint16_t u16 = (uint16_t)value->u64;
    uint32_t u32 = (uint32_t)value->u64;
    const void *from = info->width == 1   ? (const void *)&u8
                       : info->width == 2 ? (const void *)&u16
                       : info->width == 4 ? (const void *)&u32
                       : info->width == 8 ? (const void *)&value->u64
                                          : (const void *)&value->ip;
    memcpy(member, from, info->width);
    flow->present |= NFL_HAS(info->field);
}

/* The current row as the flow it was. */
static void scan_flow(const nfl_cursor *cursor, const nfl_field_info *fields, uint32_t count, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    for (uint32_t i = 0; i < count; i++) {
        nfl_value value = {.struct_size = sizeof value};
        nfl_cursor_get(cursor, i, &value);
        if (value.present)
            scan_put(flow, &fields[i], &value);
    }
    if (!(flow->present & NFL_HAS(NFL_FIELD_FIRST)))
        flow->first_us = flow->received_us;
    if (!(flow->present & NFL_HAS(NFL_FIELD_LAST)))
        flow->last_us = flow->received_us;
}

static nfl_status scan_cursor(scan *s, nfl_cursor *cursor, nfl_error *err)
{
    nfl_field_info fields[64];
    uint32_t count = nfl_cursor_columns(cursor);
    for (uint32_t i = 0; i < count && i < 64; i++) {
        NFL_OPTS(nfl_column_info, column, .field = 0);
        fields[i].struct_size = sizeof fields[i];
        nfl_status status = nfl_cursor_column(cursor, i, &column);
        if (status < 0 || (status = nfl_field_get(column.field, &fields[i])) < 0)
            return status;
    }
    nfl_status status;
    while ((status = nfl_cursor_next(cursor, err)) == NFL_OK) {
        nfl_flow flow;
        scan_flow(cursor, fields, count, &flow);
        scan_take(s, &flow);
    }
    return status;
}

/* Flows received from `from_us` up to before `to_us`, in order of arrival. When sorting them takes too much memory,
 * the two halves of the time one after the other. */
static nfl_status scan_range(scan *s, nfl_store *store, nfl_usec from_us, nfl_usec to_us, nfl_error *err)
{
    char filter[128], from[NFL_TIME_TEXT_SIZE], to[NFL_TIME_TEXT_SIZE];
    nfl_time_format(from_us, from, sizeof from);
    nfl_time_format(to_us, to, sizeof to);
    snprintf(filter, sizeof filter, "received >= %s and received < %s", from, to);
    NFL_OPTS(nfl_query, query, .flags = NFL_QUERY_UNSCALED | NFL_QUERY_ASCENDING,
             .from_us = s->given->from_us, .to_us = s->given->to_us, .filter = filter,
             .columns = scan_columns, .order_by = "received", .now_us = s->given->now_us,
             .max_memory_bytes = SCAN_MEMORY_BYTES);
    nfl_cursor *cursor = NULL;
    nfl_status status = nfl_store_query(store, &query, &cursor, err);
    if (status == NFL_E_LIMIT && to_us - from_us > 1) {
        nfl_usec middle_us = from_us + (to_us - from_us) / 2;
        status = scan_range(s, store, from_us, middle_us, err);
        return status < 0 ? status : scan_range(s, store, middle_us, to_us, err);
    }
    if (status == NFL_OK)
        status = scan_cursor(s, cursor, err);
    nfl_cursor_free(cursor);
    return status;
}

static int scan_store(scan *s)
{
    nfl_store *store = NULL;
    if (!store_open_to_read(s->given, &store))
        return EXIT_FAILED;
    nfl_error err;
    NFL_OPTS(nfl_store_info, info, .flows = 0);
    nfl_status status = nfl_store_get_info(store, &info, &err);
    if (status == NFL_OK && info.flows)
        status = scan_range(s, store, info.received_first_us, info.received_last_us + 1, &err);
    nfl_store_free(store);
    if (status < 0)
        complain_about(s->given->store, &err);
    return status < 0 ? EXIT_FAILED : EXIT_DONE;
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

/* netflow resolve: names of addresses. */
#include "commands.h"
#include "report.h"
#include "text.h"

#include <netflow/dns.h>
#include <netflow/resolver.h>

#include <inttypes.h>
#include <stdlib.h>

enum { RESOLVE_POLL_MS = 100 };

static void resolve_print(const char *address, const char *name, uint32_t format)
{
    if (format == FORMAT_JSON) {
        fputs("{\"address\": ", stdout);
        text_print_json(stdout, address);
        fputs(", \"name\": ", stdout);
        if (name)
            text_print_json(stdout, name);
        else
            fputs("null", stdout);
        puts("}");
    } else if (format == FORMAT_CSV) {
        printf("%s,", address);
        text_print_csv(stdout, name ? name : "");
        fputs("\r\n", stdout);
    } else {
        printf("%s ", address);
        text_print(stdout, name ? name : "-");
        putchar('\n');
    }
}

/* Ask for all addresses, then wait until each has its answer. */
static nfl_status resolve_all(nfl_resolver *resolver, nfl_dns *dns, const nfl_ip *addresses, int count,
                              nfl_error *err)
{
    const char *name;
    for (int i = 0; i < count; i++)
        (void)!nfl_resolver_lookup(resolver, &addresses[i], clock_now_us(), &name);
    for (int i = 0; i < count;) {
        if (nfl_resolver_lookup(resolver, &addresses[i], clock_now_us(), &name) == NFL_OK) {
            i++;
            continue;
        }
        nfl_status status = nfl_dns_poll(dns, clock_now_us(), RESOLVE_POLL_MS, err);
        if (status < 0)
            return status;
    }
    return NFL_OK;
}

static int resolve_answers(nfl_resolver *resolver, const nfl_ip *addresses, const options *given)
{
    if (given->format == FORMAT_CSV)
        fputs("address,name\r\n", stdout);
    for (int i = 0; i < given->argument_count; i++) {
        const char *name = NULL;
        char address[NFL_IP_TEXT_SIZE];
        nfl_ip_format(&addresses[i], address, sizeof address);
        (void)!nfl_resolver_lookup(resolver, &addresses[i], clock_now_us(), &name);
        resolve_print(address, name, given->format);
    }
    NFL_OPTS(nfl_resolver_stats, stats, .entries = 0);
    nfl_resolver_get_stats(resolver, &stats);
    if (stats.failures)
        complain("no answer to %" PRIu64 " of %" PRIu64 " questions", stats.failures, stats.asked);
    return stats.failures ? EXIT_FAILED : EXIT_DONE;
}

/* 1 if all arguments are addresses. */
static int resolve_parse(const options *given, nfl_ip *addresses)
{
    for (int i = 0; i < given->argument_count; i++) {
        nfl_error err;
        if (nfl_ip_parse(given->arguments[i], &addresses[i], &err) < 0) {
            complain_at(&err, "address", given->arguments[i]);
            return 0;
        }
    }
    return 1;
}

static int resolve_run(const options *given, const nfl_ip *addresses)
{
    nfl_error err;
    nfl_resolver *resolver = NULL;
    nfl_dns *dns = NULL;
    NFL_OPTS(nfl_dns_opts, opts, .servers = given->server);
    nfl_status status = nfl_resolver_new(NULL, &resolver, &err);
    if (status == NFL_OK)
        status = nfl_dns_new(resolver, &opts, &dns, &err);
    if (status == NFL_OK)
        status = resolve_all(resolver, dns, addresses, given->argument_count, &err);
    int exit_status = EXIT_FAILED;
    if (status < 0)
        complain("%s", err.message);
    else
        exit_status = resolve_answers(resolver, addresses, given);
    nfl_dns_free(dns);
    nfl_resolver_free(resolver);
    return exit_status;
}

int command_resolve(const options *given)
{
    nfl_ip *addresses = tool_grow(NULL, (size_t)given->argument_count * sizeof *addresses);
    int status = resolve_parse(given, addresses) ? resolve_run(given, addresses) : EXIT_USAGE;
    free(addresses);
    return report_output(status);
}

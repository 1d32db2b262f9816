/* Names of the addresses given as arguments, asked from the server given first:
 *     dns_driver 127.0.0.1:5300 192.0.2.1 2001:db8::1
 * prints "address name", "address -" for no name; the last line has the counters. */
#include <netflow/dns.h>

#include <stdio.h>
#include <stdlib.h>

#define START INT64_C(1795440000000000)

static const char *name_of(nfl_resolver *resolver, const char *text)
{
    nfl_ip ip;
    const char *name = NULL;
    if (nfl_ip_parse(text, &ip, NULL) < 0)
        exit(2);
    nfl_status status = nfl_resolver_lookup(resolver, &ip, START, &name);
    return status == NFL_PENDING ? "?" : name ? name : "-";
}

int main(int argc, char **argv)
{
    nfl_resolver *resolver;
    nfl_dns *dns;
    nfl_error err;
    if (argc < 2 || nfl_resolver_new(NULL, &resolver, &err) < 0)
        return 2;
    NFL_OPTS(nfl_dns_opts, opts, .servers = argv[1], .timeout_ms = 300, .tries = 2);
    if (nfl_dns_new(resolver, &opts, &dns, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 2; i < argc; i++)
        (void)name_of(resolver, argv[i]);
    while (nfl_dns_poll(dns, START, 200, &err) == NFL_PENDING)
        ;
    for (int i = 2; i < argc; i++)
        printf("%s %s\n", argv[i], name_of(resolver, argv[i]));
    nfl_resolver_stats s = {.struct_size = sizeof s};
    nfl_resolver_get_stats(resolver, &s);
    printf("names %llu no_names %llu failures %llu refused %llu\n", (unsigned long long)s.names,
           (unsigned long long)s.no_names, (unsigned long long)s.failures,
           (unsigned long long)s.refused_names);
    nfl_dns_free(dns);
    nfl_resolver_free(resolver);
    return 0;
}

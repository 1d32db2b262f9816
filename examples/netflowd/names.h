/* Names of addresses for the dashboard: the resolver behind a lock. Nothing is asked unless somebody asks. */
#ifndef NETFLOWD_NAMES_H
#define NETFLOWD_NAMES_H

#include "json.h"

typedef struct names names;

/* Without a server: as the system is set up. NFL_E_UNSUPPORTED: built without c-ares. */
nfl_status names_open(names **out, const char *server, uint64_t seed, nfl_error *err);
void names_close(names *n);

/* Write members "names" (address: name or null) and "pending" (not known yet: ask again). Waits a little. */
void names_resolve(names *n, json *j, const nfl_ip *ips, size_t count);

#endif

/* A short list of networks: the ones that are "inside". */
#ifndef NFL_DETECT_NETWORKS_H
#define NFL_DETECT_NETWORKS_H

#include <netflow/ip.h>

#include "base/alloc.h"

typedef struct nfl__network {
    nfl_ip first;
    nfl_ip last;
} nfl__network;

typedef struct nfl__networks {
    nfl__network *list;
    size_t count;
    size_t capacity;
} nfl__networks;

/* text: prefixes by comma, blanks allowed; NULL = private and local ranges. */
nfl_status nfl__networks_parse(nfl__networks *networks, nfl__memory *memory, const char *text,
                               nfl_error *err);
void nfl__networks_free(nfl__networks *networks, nfl__memory *memory);
int nfl__networks_contain(const nfl__networks *networks, const nfl_ip *ip);

#endif

/* A condition on groups: a filter that is asked about a flow which has the group's keys, sums and times. */
#ifndef NFL_QUERY_HAVING_H
#define NFL_QUERY_HAVING_H

#include <netflow/filter.h>

#include "query/addresses.h"
#include "query/plan.h"

typedef struct nfl__having {
    nfl_filter *filter; /* NULL = every group passes */
    uint64_t fields;    /* that it looks at: NFL_HAS() bits */
} nfl__having;

/* Compile the query's condition, and have the plan measure what it looks at. NFL_E_SYNTAX: also a field that groups do not have. */
nfl_status nfl__having_open(nfl__having *having, nfl__plan *plan, const nfl_alloc *alloc, nfl_error *err);
void nfl__having_close(nfl__having *having);

int nfl__having_takes(const nfl__having *having, const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group);

#endif

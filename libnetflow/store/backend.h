/* What every store is behind nfl_store: memory ring, columnar files, a host's own. */
#ifndef NFL_STORE_BACKEND_H
#define NFL_STORE_BACKEND_H

#include <netflow/store.h>

#include "query/source.h"

typedef struct nfl__store_ops {
    nfl_status (*append)(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err);
    nfl_status (*sync)(void *self, uint32_t level, nfl_error *err);
    nfl_status (*retain)(void *self, const nfl_retention *wanted, nfl_error *err);
    nfl_status (*compact)(void *self, const nfl_compact_opts *opts, nfl_error *err);
    nfl_status (*open_source)(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                              nfl_error *err);
    nfl_status (*info)(void *self, nfl_store_info *out, nfl_error *err);
    nfl_status (*verify)(void *self, nfl_verify_report *out, nfl_error *err);
    nfl_status (*hold)(void *self, const nfl_hold *hold, const char *name, nfl_error *err); /* hold NULL: release; may be NULL */
    nfl_status (*get_hold)(void *self, size_t i, nfl_hold *out, nfl_error *err);           /* may be NULL */
    void (*close)(void *self);
} nfl__store_ops;

/* compact() of stores that have nothing to compact. */
nfl_status nfl__store_compact_nothing(void *self, const nfl_compact_opts *opts, nfl_error *err);

/* A backend sets *self and *ops; opts is a full-size copy. */
nfl_status nfl__memory_store_open(const nfl_store_opts *opts, void **self, const nfl__store_ops **ops,
                                  nfl_error *err);
nfl_status nfl__file_store_open(const char *path, const nfl_store_opts *opts, void **self,
                                const nfl__store_ops **ops, nfl_error *err);
nfl_status nfl__file_store_repair(const char *path, nfl_repair_report *out, nfl_error *err);
nfl_status nfl__host_store_open(const nfl_store_opts *opts, void **self, const nfl__store_ops **ops,
                                nfl_error *err);

#endif

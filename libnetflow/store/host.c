/* A store of the host's own, given as nfl_store_backend. */
#include "base/error.h"
#include "base/opts.h"
#include "query/filter_plan.h"
#include "store/backend.h"

typedef struct host_store {
    nfl__memory memory;
    nfl_store_backend backend; /* copy, of our size */
    void *self;
} host_store;

typedef struct host_scan {
    nfl__memory memory;
    host_store *store;
    void *scan; /* the host's */
} host_scan;

static nfl_status host_unsupported(const char *what, nfl_error *err)
{
    return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "this store cannot %s", what);
}

static nfl_status host_append(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    host_store *store = self;
    return store->backend.append ? store->backend.append(store->self, flows, n, stride, err)
                                 : host_unsupported("append", err);
}

static nfl_status host_sync(void *self, uint32_t level, nfl_error *err)
{
    host_store *store = self;
    return store->backend.sync ? store->backend.sync(store->self, level, err) : host_unsupported("sync", err);
}

static nfl_status host_expire(void *self, nfl_usec before_us, nfl_error *err)
{
    host_store *store = self;
    return store->backend.expire ? store->backend.expire(store->self, before_us, err)
                                 : host_unsupported("expire", err);
}

static nfl_status host_pull(void *ctx, const nfl_flow **flows, size_t *n, size_t *stride, nfl_error *err)
{
    host_scan *scan = ctx;
    return scan->store->backend.scan_next(scan->scan, flows, n, stride, err);
}

static void host_scan_done(void *ctx)
{
    host_scan *scan = ctx;
    if (scan->store->backend.scan_end)
        scan->store->backend.scan_end(scan->scan);
    nfl__memory memory = scan->memory;
    nfl__delete(&memory, scan, 1, sizeof *scan);
}

static nfl_status host_open_source(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                                   nfl_error *err)
{
    host_store *store = self;
    nfl_store_scan wanted = {.fields = fields};
    nfl__memory memory;
    if (!store->backend.scan || !store->backend.scan_next)
        return host_unsupported("be queried", err);
    nfl__filter_window(filter, &wanted.from_us, &wanted.to_us);
    nfl__memory_init(&memory, &store->memory.alloc, 0);
    host_scan *scan = nfl__new(&memory, 1, sizeof *scan);
    if (!scan)
        return nfl__fail_nomem(err, sizeof *scan);
    scan->memory = memory;
    scan->store = store;
    nfl_status status = store->backend.scan(store->self, &wanted, &scan->scan, err);
    if (status != NFL_OK) {
        nfl__delete(&memory, scan, 1, sizeof *scan);
        return status < 0
                   ? status
                   : nfl__fail(err, NFL_E_STATE, NFL_NO_OFFSET, "scan of the store returned %d", status);
    }
    status = nfl__row_source_new(&store->memory.alloc, host_pull, scan, host_scan_done, out, err);
    if (status != NFL_OK)
        host_scan_done(scan);
    return status;
}

static nfl_status host_info(void *self, nfl_store_info *out, nfl_error *err)
{
    host_store *store = self;
    (void)err;
    if (store->backend.info)
        store->backend.info(store->self, out);
    return NFL_OK;
}

static nfl_status host_verify(void *self, nfl_verify_report *out, nfl_error *err)
{
    (void)self;
    (void)out;
    return host_unsupported("be verified", err);
}

static void host_close(void *self)
{
    host_store *store = self;
    if (store->backend.close)
        store->backend.close(store->self);
    nfl__memory memory = store->memory;
    nfl__delete(&memory, store, 1, sizeof *store);
}

nfl_status nfl__host_store_open(const nfl_store_opts *opts, void **self, const nfl__store_ops **ops,
                                nfl_error *err)
{
    static const nfl__store_ops host_ops = {host_append, host_sync,   host_expire, nfl__store_compact_nothing, host_open_source,
                                            host_info,   host_verify, host_close};
    nfl_store_backend backend;
    NFL_TRY(nfl__opts_read(&backend, sizeof backend, opts->backend, err));
    nfl__memory memory;
    nfl__memory_init(&memory, opts->alloc, 0);
    host_store *store = nfl__new(&memory, 1, sizeof *store);
    if (!store)
        return nfl__fail_nomem(err, sizeof *store);
    store->memory = memory;
    store->backend = backend;
    store->self = opts->backend_self;
    *self = store;
    *ops = &host_ops;
    return NFL_OK;
}

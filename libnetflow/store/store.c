#include <netflow/store.h>

#include "base/error.h"
#include "base/opts.h"
#include "query/exec.h"
#include "store/backend.h"

#include <string.h>
#include <time.h>

struct nfl_store {
    nfl__memory memory;
    const nfl__store_ops *ops;
    void *self;          /* the backend */
    uint64_t references; /* the handle and each cursor */
    uint32_t read_only;
};

/* The part of a URI behind "scheme:", or NULL if it has another scheme. */
static const char *store_after(const char *uri, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(uri, scheme, len) == 0 ? uri + len : NULL;
}

static nfl_status store_open_backend(const char *uri, const nfl_store_opts *opts, nfl_store *store,
                                     nfl_error *err)
{
    if (opts->backend)
        return nfl__host_store_open(opts, &store->self, &store->ops, err);
    if (!uri)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "no uri and no backend");
    if (store_after(uri, "mem:"))
        return nfl__memory_store_open(opts, &store->self, &store->ops, err);
    const char *path = store_after(uri, "file:");
    if (!path && strstr(uri, "://"))
        return nfl__fail(err, NFL_E_UNSUPPORTED, 0, "'%.80s': mem:, file: or a path expected", uri);
#ifdef NFL_WITH_FILE_STORE
    return nfl__file_store_open(path ? path : uri, opts, &store->self, &store->ops, err);
#else
    return nfl__fail(err, NFL_E_UNSUPPORTED, 0, "'%.80s': file stores are not compiled in", uri);
#endif
}

nfl_status nfl_store_new(const char *uri, const nfl_store_opts *opts, nfl_store **out, nfl_error *err)
{
    const uint32_t known = NFL_STORE_READ_ONLY | NFL_STORE_CREATE | NFL_STORE_NO_JOURNAL;
    nfl_store_opts options;
    NFL_TRY(nfl__opts_read(&options, sizeof options, opts, err));
    if (options.flags & ~known)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "store flags 0x%x are not known",
                         options.flags & ~known);
    nfl__memory memory;
    nfl__memory_init(&memory, options.alloc, 0);
    nfl_store *store = nfl__new(&memory, 1, sizeof *store);
    if (!store)
        return nfl__fail_nomem(err, sizeof *store);
    store->memory = memory;
    store->references = 1;
    store->read_only = options.flags & NFL_STORE_READ_ONLY;
    nfl_status status = store_open_backend(uri, &options, store, err);
    if (status != NFL_OK) {
        nfl__delete(&memory, store, 1, sizeof *store);
        return status;
    }
    *out = store;
    return NFL_OK;
}

static void store_retain(void *self)
{
    ((nfl_store *)self)->references++;
}

static void store_release(void *self)
{
    nfl_store *store = self;
    if (--store->references)
        return;
    store->ops->close(store->self);
    nfl__memory memory = store->memory;
    nfl__delete(&memory, store, 1, sizeof *store);
}

void nfl_store_free(nfl_store *store)
{
    if (store)
        store_release(store);
}

static nfl_status store_check_writable(const nfl_store *store, nfl_error *err)
{
    if (store->read_only)
        return nfl__fail(err, NFL_E_STATE, NFL_NO_OFFSET, "the store was opened for reading only");
    return NFL_OK;
}

/* Backends may rely on every flow being as long as it says, up to `present` at least. */
static nfl_status store_check_flows(const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    const size_t least = offsetof(nfl_flow, present) + sizeof flows->present;
    for (size_t i = 0; i < n; i++) {
        const nfl_flow *flow = (const nfl_flow *)(const void *)((const uint8_t *)flows + i * stride);
        if (stride < least || stride % sizeof(uint64_t) || flow->struct_size < least ||
            flow->struct_size > stride)
            return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "flow %zu: struct_size %u, %zu bytes apart", i,
                             stride < least ? 0 : flow->struct_size, stride);
    }
    return NFL_OK;
}

nfl_status nfl_store_append(nfl_store *store, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    NFL_TRY(store_check_writable(store, err));
    NFL_TRY(store_check_flows(flows, n, stride, err));
    return n ? store->ops->append(store->self, flows, n, stride, err) : NFL_OK;
}

nfl_status nfl_store_sync(nfl_store *store, uint32_t level, nfl_error *err)
{
    NFL_TRY(store_check_writable(store, err));
    if (level < NFL_SYNC_VISIBLE || level > NFL_SYNC_SEAL)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "sync level is %u, 1 to 3 expected", level);
    return store->ops->sync(store->self, level, err);
}

nfl_status nfl_store_retain(nfl_store *store, const nfl_retention *wanted, nfl_error *err)
{
    nfl_retention limits;
    NFL_TRY(nfl__opts_read(&limits, sizeof limits, wanted, err));
    NFL_TRY(store_check_writable(store, err));
    return store->ops->retain(store->self, &limits, err);
}

nfl_status nfl_store_expire(nfl_store *store, nfl_usec before_us, nfl_error *err)
{
    NFL_OPTS(nfl_retention, wanted, .before_us = before_us);
    nfl_status status = nfl_store_retain(store, &wanted, err);
    return status == NFL_PENDING ? NFL_OK : status;
}

static nfl_status store_check_holds(const nfl_store *store, nfl_error *err)
{
    if (!store->ops->hold)
        return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "only file stores keep holds");
    return NFL_OK;
}

nfl_status nfl_store_hold(nfl_store *store, const nfl_hold *hold, nfl_error *err)
{
    nfl_hold copy;
    NFL_TRY(store_check_holds(store, err));
    NFL_TRY(nfl__opts_read(&copy, sizeof copy, hold, err));
    return store->ops->hold(store->self, &copy, copy.name, err);
}

nfl_status nfl_store_release(nfl_store *store, const char *name, nfl_error *err)
{
    NFL_TRY(store_check_holds(store, err));
    return store->ops->hold(store->self, NULL, name ? name : "", err);
}

nfl_status nfl_store_get_hold(nfl_store *store, size_t i, nfl_hold *out, nfl_error *err)
{
    nfl_hold hold = {.struct_size = sizeof hold};
    NFL_TRY(store_check_holds(store, err));
    nfl_status status = store->ops->get_hold(store->self, i, &hold, err);
    if (status != NFL_OK)
        return status;
    if (!nfl__opts_write(out, &hold, sizeof hold))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "struct_size of the hold is not set");
    return NFL_OK;
}

nfl_status nfl__store_compact_nothing(void *self, const nfl_compact_opts *opts, nfl_error *err)
{
    (void)self;
    (void)opts;
    (void)err;
    return NFL_DONE;
}

nfl_status nfl_store_compact(nfl_store *store, const nfl_compact_opts *opts, nfl_error *err)
{
    nfl_compact_opts options;
    NFL_TRY(nfl__opts_read(&options, sizeof options, opts, err));
    if (options.flags & ~NFL_COMPACT_ALL)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "compact flags 0x%x are not known", options.flags & ~NFL_COMPACT_ALL);
    NFL_TRY(store_check_writable(store, err));
    return store->ops->compact(store->self, &options, err);
}

static nfl_status store_open_source(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                                    nfl_error *err)
{
    nfl_store *store = self;
    return store->ops->open_source(store->self, filter, fields, out, err);
}

static nfl_usec store_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (nfl_usec)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

nfl_status nfl_store_query(nfl_store *store, const nfl_query *query, nfl_cursor **out, nfl_error *err)
{
    const nfl__scannable scannable = {store, store_open_source, store_retain, store_release, store_clock};
    return nfl__query_run(query, &store->memory.alloc, &scannable, out, err);
}

nfl_status nfl_store_query_all(nfl_store *store, const nfl_query *const *queries, size_t count, nfl_cursor **out, nfl_error *err)
{
    const nfl__scannable scannable = {store, store_open_source, store_retain, store_release, store_clock};
    if (count == 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "there is no question");
    return nfl__query_run_all(queries, count, &store->memory.alloc, &scannable, out, err);
}

nfl_status nfl_store_verify(nfl_store *store, nfl_verify_report *out, nfl_error *err)
{
    nfl_verify_report report = {.struct_size = sizeof report};
    nfl_status status = store->ops->verify(store->self, &report, err);
    if (status != NFL_OK && status != NFL_E_CORRUPT)
        return status;
    if (!nfl__opts_write(out, &report, sizeof report))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "struct_size of the report is not set");
    return status;
}

nfl_status nfl_store_repair(const char *uri, nfl_repair_report *out, nfl_error *err)
{
    nfl_repair_report report = {.struct_size = sizeof report};
    const char *path = uri ? store_after(uri, "file:") : NULL;
    if (!uri || (!path && (strstr(uri, "://") || store_after(uri, "mem:"))))
        return nfl__fail(err, NFL_E_UNSUPPORTED, 0, "only file stores can be repaired");
#ifdef NFL_WITH_FILE_STORE
    NFL_TRY(nfl__file_store_repair(path ? path : uri, &report, err));
#else
    return nfl__fail(err, NFL_E_UNSUPPORTED, 0, "file stores are not compiled in");
#endif
    if (!nfl__opts_write(out, &report, sizeof report))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "struct_size of the report is not set");
    return NFL_OK;
}

nfl_status nfl_store_get_info(nfl_store *store, nfl_store_info *out, nfl_error *err)
{
    nfl_store_info info = {.struct_size = sizeof info};
    NFL_TRY(store->ops->info(store->self, &info, err));
    if (!nfl__opts_write(out, &info, sizeof info))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "struct_size of the info is not set");
    return NFL_OK;
}

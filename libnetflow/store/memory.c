/* `mem:`: the latest flows in a ring.
 *
 * Flows are numbered from 0 in order of arrival; flow i lies at place i % max_flows. The array grows with
 * what is held until it has max_flows places; from then on each new flow overwrites the oldest.
 *
 *   append O(1) a flow, expire O(flows dropped), query O(flows held); memory: flows held * sizeof(nfl_flow)
 *
 * A cursor reads the flows that were there when the query was made; of those overwritten since then it
 * misses what it has not read yet. A block is copied before the caller can append again.
 */
#include "base/error.h"
#include "store/backend.h"

#include <string.h>

#define MEMORY_MAX_FLOWS 65536u

typedef struct memory_store {
    nfl__memory memory;
    nfl_flow *flows;
    size_t capacity; /* places allocated */
    uint64_t max_flows;
    uint64_t first; /* number of the oldest flow held */
    uint64_t next;  /* number of the next flow to come */
    uint64_t dropped;
} memory_store;

typedef struct memory_scan {
    nfl__memory memory;
    const memory_store *store;
    uint64_t at;   /* number of the next flow to read */
    uint64_t stop; /* one past the last */
} memory_scan;

static nfl_flow *memory_at(const memory_store *store, uint64_t number)
{
    return &store->flows[number % store->max_flows];
}

/* Room for flows up to number `next`, without moving those that are there out of their places. */
static nfl_status memory_make_room(memory_store *store, uint64_t next, nfl_error *err)
{
    uint64_t needed = next < store->max_flows ? next : store->max_flows,
             places = 2 * (uint64_t)store->capacity;
    if (needed <= store->capacity)
        return NFL_OK;
    places = places < needed ? needed : places > store->max_flows ? store->max_flows : places;
    nfl_flow *flows = places > SIZE_MAX ? NULL
                                        : nfl__renew(&store->memory, store->flows, store->capacity,
                                                     (size_t)places, sizeof *flows);
    if (!flows)
        return nfl__fail_nomem(err, sizeof *flows);
    store->flows = flows;
    store->capacity = (size_t)places;
    return NFL_OK;
}

/* A flow of any age becomes one of ours. */
static void memory_copy_flow(nfl_flow *to, const nfl_flow *from)
{
    size_t len = from->struct_size < sizeof *to ? from->struct_size : sizeof *to;
    memset(to, 0, sizeof *to);
    memcpy(to, from, len);
    to->struct_size = sizeof *to;
    to->present &= NFL_HAS(NFL_FIELD_STORED_COUNT) - 1;
}

static nfl_status memory_append(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    memory_store *store = self;
    NFL_TRY(memory_make_room(store, store->next + n, err));
    for (size_t i = 0; i < n; i++)
        memory_copy_flow(memory_at(store, store->next++),
                         (const void *)((const uint8_t *)flows + i * stride));
    if (store->next - store->first > store->max_flows) {
        store->dropped += store->next - store->first - store->max_flows;
        store->first = store->next - store->max_flows;
    }
    return NFL_OK;
}

static nfl_status memory_sync(void *self, uint32_t level, nfl_error *err)
{
    (void)self;
    (void)level;
    (void)err;
    return NFL_OK;
}

static nfl_status memory_expire(void *self, nfl_usec before_us, nfl_error *err)
{
    memory_store *store = self;
    (void)err;
    while (store->first < store->next && memory_at(store, store->first)->received_us < before_us)
        store->first++;
    return NFL_OK;
}

static nfl_status memory_pull(void *ctx, const nfl_flow **flows, size_t *n, size_t *stride, nfl_error *err)
{
    memory_scan *scan = ctx;
    const memory_store *store = scan->store;
    (void)err;
    if (scan->at < store->first)
        scan->at = store->first;
    if (scan->at >= scan->stop)
        return NFL_DONE;
    uint64_t count = scan->stop - scan->at, to_turn = store->max_flows - scan->at % store->max_flows;
    count = count < to_turn ? count : to_turn;
    *n = (size_t)(count < NFL__ROW_BLOCK ? count : NFL__ROW_BLOCK);
    *flows = memory_at(store, scan->at);
    *stride = sizeof **flows;
    scan->at += *n;
    return NFL_OK;
}

static void memory_scan_done(void *ctx)
{
    memory_scan *scan = ctx;
    nfl__memory memory = scan->memory;
    nfl__delete(&memory, scan, 1, sizeof *scan);
}

static nfl_status memory_open_source(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out,
                                     nfl_error *err)
{
    memory_store *store = self;
    nfl__memory memory;
    (void)filter;
    (void)fields;
    nfl__memory_init(&memory, &store->memory.alloc, 0);
    memory_scan *scan = nfl__new(&memory, 1, sizeof *scan);
    if (!scan)
        return nfl__fail_nomem(err, sizeof *scan);
    scan->memory = memory;
    scan->store = store;
    scan->at = store->first;
    scan->stop = store->next;
    nfl_status status =
        nfl__row_source_new(&store->memory.alloc, memory_pull, scan, memory_scan_done, out, err);
    if (status != NFL_OK)
        memory_scan_done(scan);
    return status;
}

static nfl_status memory_info(void *self, nfl_store_info *out, nfl_error *err)
{
    const memory_store *store = self;
    (void)err;
    out->flows = store->next - store->first;
    out->bytes = store->memory.held;
    out->dropped_flows = store->dropped;
    for (uint64_t i = store->first; i < store->next; i++) {
        const nfl_flow *flow = memory_at(store, i);
        int only = i == store->first;
        out->first_us = only || flow->first_us < out->first_us ? flow->first_us : out->first_us;
        out->last_us = only || flow->first_us > out->last_us ? flow->first_us : out->last_us;
        out->received_first_us =
            only || flow->received_us < out->received_first_us ? flow->received_us : out->received_first_us;
        out->received_last_us =
            only || flow->received_us > out->received_last_us ? flow->received_us : out->received_last_us;
    }
    return NFL_OK;
}

static nfl_status memory_verify(void *self, nfl_verify_report *out, nfl_error *err)
{
    const memory_store *store = self;
    (void)err;
    out->flows = store->next - store->first;
    return NFL_OK;
}

static void memory_close(void *self)
{
    memory_store *store = self;
    nfl__memory memory = store->memory;
    nfl__delete(&memory, store->flows, store->capacity, sizeof *store->flows);
    nfl__delete(&memory, store, 1, sizeof *store);
}

nfl_status nfl__memory_store_open(const nfl_store_opts *opts, void **self, const nfl__store_ops **ops,
                                  nfl_error *err)
{
    static const nfl__store_ops memory_ops = {memory_append, memory_sync,   memory_expire, nfl__store_compact_nothing, memory_open_source,
                                              memory_info,   memory_verify, memory_close};
    nfl__memory memory;
    nfl__memory_init(&memory, opts->alloc, 0);
    memory_store *store = nfl__new(&memory, 1, sizeof *store);
    if (!store)
        return nfl__fail_nomem(err, sizeof *store);
    store->memory = memory;
    store->max_flows = opts->max_flows ? opts->max_flows : MEMORY_MAX_FLOWS;
    *self = store;
    *ops = &memory_ops;
    return NFL_OK;
}

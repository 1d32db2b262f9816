/* Dropping what is too old or too much, and what must not be dropped. */
#include "base/error.h"
#include "store/file_store.h"
#include "store/holds.h"

#include <errno.h>

/* What a run of retention knows while it looks at the segments, oldest first. */
typedef struct retain_state {
    const nfl_retention *wanted;
    nfl__holds holds;
    uint64_t bytes;     /* of the segments that are left */
    int64_t free_bytes; /* that there will be */
} retain_state;

static int retain_is_old(const retain_state *state, const nfl__segment_entry *entry)
{
    return state->wanted->before_us && entry->extent.received_max < state->wanted->before_us;
}

/* Is there too much in the store or on the disk? */
static int retain_is_much(const retain_state *state)
{
    const nfl_retention *wanted = state->wanted;
    return (wanted->max_bytes && state->bytes > wanted->max_bytes) ||
           (wanted->min_free_bytes && state->free_bytes >= 0 && (uint64_t)state->free_bytes < wanted->min_free_bytes);
}

static nfl_status retain_measure(nfl__file_store *s, retain_state *state, nfl_error *err)
{
    NFL_TRY(nfl__holds_read(&state->holds, s->files, s->root, &s->memory, err));
    for (size_t i = 0; i < s->manifest.count; i++)
        state->bytes += s->manifest.segments[i].bytes;
    if (!state->wanted->min_free_bytes)
        return NFL_OK;
    state->free_bytes = s->files->free_bytes(s->files->ctx, s->root);
    return state->free_bytes < 0 ? nfl__fail_io(err, (int)-state->free_bytes, "free space") : NFL_OK;
}

/* The segments that stay to `kept`, the others to `dropped`. */
static nfl_status retain_choose(nfl__file_store *s, retain_state *state, nfl__manifest *kept, nfl__manifest *dropped, nfl_error *err)
{
    for (size_t i = 0; i < s->manifest.count; i++) {
        const nfl__segment_entry *entry = &s->manifest.segments[i];
        int drop = (retain_is_old(state, entry) || retain_is_much(state)) &&
                   !nfl__holds_mark(&state->holds, entry->extent.first_min, entry->extent.first_max);
        nfl__manifest *to = drop ? dropped : kept;
        NFL_TRY(nfl__manifest_reserve(to, &s->memory, err));
        to->segments[to->count++] = *entry;
        if (!drop)
            continue;
        state->bytes -= entry->bytes;
        state->free_bytes += (int64_t)entry->bytes;
        if (kept->expired_before_us <= entry->extent.received_max)
            kept->expired_before_us = entry->extent.received_max + 1;
    }
    return NFL_OK;
}

/* Make `kept` the state and delete the rest. *kept is taken over or freed. */
static nfl_status retain_apply(nfl__file_store *s, nfl__manifest *kept, const nfl__manifest *dropped, nfl_error *err)
{
    int replaced;
    nfl_status status = nfl__file_write_manifest(s, kept, &replaced, err);
    if (!replaced)
        return status;
    nfl__manifest_free(&s->manifest, &s->memory);
    s->manifest = *kept;
    memset(kept, 0, sizeof *kept);
    for (size_t i = 0; i < dropped->count; i++) {
        nfl_status removed = nfl__file_remove_segment(s, &dropped->segments[i], err);
        status = status == NFL_OK ? removed : status;
    }
    return status;
}

/* Is there still more than allowed, because of holds or of what is not sealed? */
static int retain_falls_short(const nfl__file_store *s, const retain_state *state)
{
    for (size_t i = 0; i < s->manifest.count; i++)
        if (retain_is_old(state, &s->manifest.segments[i]))
            return 1;
    return retain_is_much(state);
}

static nfl_status retain_run(nfl__file_store *s, retain_state *state, nfl__manifest *kept, nfl__manifest *dropped, nfl_error *err)
{
    NFL_TRY(retain_measure(s, state, err));
    NFL_TRY(retain_choose(s, state, kept, dropped, err));
    if (dropped->count)
        NFL_TRY(retain_apply(s, kept, dropped, err));
    return retain_falls_short(s, state) ? NFL_PENDING : NFL_OK;
}

nfl_status nfl__file_lock_holds(nfl__file_store *s, int *file, nfl_error *err)
{
    *file = s->files->open(s->files->ctx, s->root, "lock", NFL__FILE_WRITE);
    if (*file < 0)
        return nfl__fail_io(err, -*file, "open lock");
    int result = s->files->lock(s->files->ctx, *file, NFL__LOCK_HOLDS, 1, NFL__LOCK_EXCLUSIVE);
    if (result == 0)
        return NFL_OK;
    s->files->close(s->files->ctx, *file);
    if (result == -EAGAIN)
        return nfl__fail(err, NFL_E_BUSY, NFL_NO_OFFSET, "holds are being changed or flows dropped just now");
    return nfl__fail_io(err, -result, "lock holds");
}

nfl_status nfl__file_retain(void *self, const nfl_retention *wanted, nfl_error *err)
{
    nfl__file_store *s = self;
    retain_state state = {.wanted = wanted};
    nfl__manifest kept = s->manifest, dropped = {0};
    kept.segments = NULL;
    kept.count = kept.capacity = 0;
    if (kept.expired_before_us < wanted->before_us)
        kept.expired_before_us = wanted->before_us;
    int lock;
    NFL_TRY(nfl__file_lock_holds(s, &lock, err));
    nfl_status status = retain_run(s, &state, &kept, &dropped, err);
    s->files->close(s->files->ctx, lock);
    nfl__manifest_free(&kept, &s->memory);
    nfl__manifest_free(&dropped, &s->memory);
    nfl__holds_free(&state.holds, &s->memory);
    return status;
}

nfl_status nfl__file_hold(void *self, const nfl_hold *hold, const char *name, nfl_error *err)
{
    nfl__file_store *s = self;
    int lock;
    NFL_TRY(nfl__file_lock_holds(s, &lock, err));
    nfl_status status = nfl__holds_change(s->files, s->root, hold, name, &s->memory, err);
    s->files->close(s->files->ctx, lock);
    return status;
}

nfl_status nfl__file_get_hold(void *self, size_t i, nfl_hold *out, nfl_error *err)
{
    nfl__file_store *s = self;
    nfl__holds holds;
    NFL_TRY(nfl__holds_read(&holds, s->files, s->root, &s->memory, err));
    nfl_status status = i < holds.count ? NFL_OK : NFL_DONE;
    if (status == NFL_OK)
        *out = holds.holds[i];
    nfl__holds_free(&holds, &s->memory);
    return status;
}

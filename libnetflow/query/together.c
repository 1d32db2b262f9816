/* Several queries in one reading. */
#include "base/error.h"
#include "query/exec.h"
#include "query/exec_steps.h"

static int together_same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Flags that decide which flows count, and how. */
#define TOGETHER_FLAGS (NFL_QUERY_UNSCALED | NFL_QUERY_SPREAD | NFL_QUERY_UNIQUE | NFL_QUERY_BIFLOW)

/* Do both look at the same flows, in the same way? */
static int together_same_flows(const nfl_query *a, const nfl_query *b)
{
    return a->from_us == b->from_us && a->to_us == b->to_us && together_same_text(a->filter, b->filter) && a->now_us == b->now_us &&
           (a->flags & TOGETHER_FLAGS) == (b->flags & TOGETHER_FLAGS) && a->filter_list == b->filter_list &&
           a->filter_list_ctx == b->filter_list_ctx && a->cancel == b->cancel &&
           a->max_rows == b->max_rows && a->max_time_us == b->max_time_us;
}

/* Reading together pays for groups of flows that a filter chooses; without filter, sums may answer each by itself. */
static int together_may_share(const nfl_cursor *cursor)
{
    return cursor->plan.grouped && cursor->plan.query.filter && cursor->plan.query.filter[0];
}

/* Cursors that read together; those that need more than one reading drop out. */
typedef struct together_readers {
    nfl__memory memory; /* of the reading; no budget has it */
    nfl_cursor **cursors;
    size_t count;
    nfl__scan *scan;
} together_readers;

static int together_is_reading(const nfl_cursor *cursor)
{
    return cursor->groups.memory != NULL;
}

/* A failure of one that another reading, of its own, may mend. */
static nfl_status together_drop_out(nfl_cursor *cursor, nfl_status status, const nfl_error *why, nfl_error *err)
{
    if (status == NFL_E_LIMIT) {
        nfl__exec_forget_groups(cursor);
        return NFL_OK;
    }
    if (status != NFL_OK && err)
        *err = *why;
    return status;
}

static nfl_status together_begin(together_readers *s, nfl_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        nfl_cursor *cursor = s->cursors[i];
        nfl_error why;
        nfl__addresses_init(&cursor->addresses, cursor->memory.limit / 4, &cursor->memory);
        nfl_status status = nfl__groups_init(&cursor->groups, &cursor->plan, &cursor->addresses, &cursor->memory, &why);
        NFL_TRY(together_drop_out(cursor, status, &why, err));
    }
    return NFL_OK;
}

typedef nfl_status together_step(nfl__groups *groups, nfl__scan *scan, nfl_error *err);

static nfl_status together_enter(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    return nfl__groups_block(groups, scan, err);
}

static nfl_status together_leave(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    return nfl__groups_flush(groups, scan, 0, err);
}

static nfl_status together_end(nfl__groups *groups, nfl__scan *scan, nfl_error *err)
{
    return nfl__groups_flush(groups, scan, 1, err);
}

static nfl_status together_each(together_readers *s, together_step *step, nfl_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        nfl_cursor *cursor = s->cursors[i];
        nfl_error why;
        if (together_is_reading(cursor))
            NFL_TRY(together_drop_out(cursor, step(&cursor->groups, s->scan, &why), &why, err));
    }
    return NFL_OK;
}

static nfl_status together_read(together_readers *s, nfl_error *err)
{
    nfl_status status;
    NFL_TRY(together_begin(s, err));
    while ((status = nfl__scan_block(s->scan, err)) == NFL_OK) {
        NFL_TRY(together_each(s, together_enter, err));
        while (nfl__scan_rows(s->scan))
            NFL_TRY(together_each(s, nfl__groups_add, err));
        NFL_TRY(together_each(s, together_leave, err));
        for (size_t i = 0; i < s->count; i++)
            nfl__cursor_note_memory(s->cursors[i]);
    }
    return status == NFL_DONE ? together_each(s, together_end, err) : status;
}

static nfl_status together_finish(together_readers *s, nfl_error *err)
{
    for (size_t i = 0; i < s->count; i++) {
        nfl_cursor *cursor = s->cursors[i];
        nfl_error why;
        if (!together_is_reading(cursor))
            continue;
        NFL_TRY(together_drop_out(cursor, nfl__exec_gathered(cursor, &why), &why, err));
        if (!together_is_reading(cursor))
            continue;
        nfl__top_finish(&cursor->top);
        nfl__exec_take_stats(cursor, s->scan);
        cursor->shared = 1;
    }
    return NFL_OK;
}

/* Read once for all of them. */
static nfl_status together_share(together_readers *s, const nfl_alloc *alloc, nfl_error *err)
{
    nfl_cursor *leader = s->cursors[0];
    uint64_t reads = 0;
    for (size_t i = 0; i < s->count; i++)
        reads |= s->cursors[i]->plan.reads;
    s->scan = nfl__new(&s->memory, 1, sizeof *s->scan);
    if (!s->scan)
        return nfl__fail_nomem(err, sizeof *s->scan);
    s->scan->memory = &leader->memory;
    nfl_status status = nfl__scan_open(s->scan, &leader->plan, reads, alloc, &leader->store, err);
    if (status == NFL_OK && leader->plan.query.flags & NFL_QUERY_UNIQUE)
        status = nfl__scan_make_unique(s->scan, err);
    if (status == NFL_OK)
        status = together_read(s, err);
    if (status == NFL_OK)
        status = together_finish(s, err);
    nfl__scan_close(s->scan);
    nfl__delete(&s->memory, s->scan, 1, sizeof *s->scan);
    return status;
}

/* Cursor `at`: with those behind it that look at the same flows, or alone. */
static nfl_status together_run_one(nfl_cursor **cursors, size_t count, size_t at, const nfl_alloc *alloc, nfl_error *err)
{
    together_readers s = {.count = 0};
    nfl_status status = NFL_OK;
    nfl__memory_init(&s.memory, alloc, 0);
    s.cursors = nfl__new(&s.memory, count, sizeof *s.cursors);
    if (!s.cursors)
        return nfl__fail_nomem(err, count * sizeof *s.cursors);
    for (size_t i = at; i < count; i++)
        if (!cursors[i]->shared && together_may_share(cursors[i]) && together_same_flows(&cursors[at]->plan.query, &cursors[i]->plan.query))
            s.cursors[s.count++] = cursors[i];
    if (s.count > 1 && together_may_share(cursors[at]))
        status = together_share(&s, alloc, err);
    nfl__delete(&s.memory, s.cursors, count, sizeof *s.cursors);
    if (status == NFL_OK && !cursors[at]->shared)
        status = nfl__exec_start(cursors[at], alloc, err);
    cursors[at]->shared = 1;
    return status;
}

nfl_status nfl__query_run_all(const nfl_query *const *queries, size_t count, const nfl_alloc *alloc, const nfl__scannable *store,
                              nfl_cursor **out, nfl_error *err)
{
    nfl_status status = NFL_OK;
    for (size_t i = 0; i < count; i++)
        out[i] = NULL;
    for (size_t i = 0; i < count && status == NFL_OK; i++)
        status = nfl__exec_open(queries[i], alloc, store, &out[i], err);
    for (size_t i = 0; i < count && status == NFL_OK; i++)
        if (!out[i]->shared)
            status = together_run_one(out, count, i, alloc, err);
    for (size_t i = 0; i < count; i++) {
        if (status == NFL_OK) {
            nfl__exec_forget_texts(out[i]);
            continue;
        }
        nfl_cursor_free(out[i]);
        out[i] = NULL;
    }
    return status;
}

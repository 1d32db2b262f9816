/* Compaction: neighbouring small segments of a day become one, block by block.
 *
 * Which ones: the first run of neighbours, in order of arrival, of one UTC day, whose rows together fit into max_rows, and that
 * pays: at least RUN_MIN of them or most of max_rows, and none larger than the others together, so that a row is
 * rewritten a few times in all. Of a day that is over (a younger segment exists) any two pay, and one that is not compact yet.
 *
 * Where flows are to be replaced by their sums (sums.h), that comes first, in the same steps: the new segment has no blocks, and the
 * manifest's entry says so. Holds are looked at when a run is chosen, and again, locked, before the manifest changes.
 *
 * What a step holds: the blocks being filled and read (about 15 MB), the encoder (10 MB), the bytes of the new segment. When the
 * run is read, the new segment is written and read back; then the manifest names it instead of the run. Should a
 * segment of the run be expired meanwhile, the work is dropped. The run's files are deleted as soon as no reader holds a
 * state that names them (file_store.h), which is tried at each step; what a dead writer leaves is swept by the next one. */
#include "base/error.h"
#include "store/file_store.h"
#include "store/holds.h"
#include "store/holds.h"

enum { RUN_MIN = 8, MAX_ROWS = 1 << 20 };

/* Files of segments that no manifest names from a generation on. */
typedef struct compact_replaced {
    nfl__segment_entry entry;
    uint64_t generation;
} compact_replaced;

struct nfl__compaction {
    nfl__segment_builder *builder;
    nfl__segment_entry *run; /* what is being merged */
    size_t run_count, run_capacity;
    unsigned level;          /* of the segment being made */
    size_t next;             /* of the run, to be opened: the one before is being read */
    nfl__segment segment;    /* file -1 = none open */
    uint32_t next_block;
    nfl__loader loader;
    nfl__columns *columns;   /* the block being filled */
    uint64_t *skipped;       /* ids of damaged segments: runs end before them */
    size_t skipped_count, skipped_capacity;
    compact_replaced *replaced;
    size_t replaced_count, replaced_capacity;
};

/* --- choosing --- */

typedef struct compact_choice {
    size_t from, count;
} compact_choice;

static int compact_pays(const nfl__segment_entry *run, size_t count, uint64_t rows, uint64_t largest, uint64_t max_rows, int over)
{
    if (over)
        return count > 1 || !(run->flags & NFL__ENTRY_COMPACT);
    return (count >= RUN_MIN || rows > max_rows / 4 * 3) && count > 1 && largest <= rows / 2;
}

static int compact_is_skipped(const nfl__compaction *c, uint64_t id)
{
    for (size_t i = 0; i < c->skipped_count; i++)
        if (c->skipped[i] == id)
            return 1;
    return 0;
}

/* The run that starts at `from`: as long as it fits. */
static size_t compact_run(const nfl__compaction *c, const nfl__manifest *manifest, size_t from, uint64_t max_rows, uint64_t *rows,
                          uint64_t *largest)
{
    const nfl__segment_entry *entries = manifest->segments;
    int64_t day = nfl__file_day(entries[from].extent.received_min);
    size_t count = 0;
    *rows = *largest = 0;
    while (from + count < manifest->count) {
        const nfl__segment_entry *entry = &entries[from + count];
        if (compact_is_skipped(c, entry->id) || (entry->flags & NFL__ENTRY_SUMS) || nfl__file_day(entry->extent.received_min) != day ||
            (count && entry->extent.rows > max_rows - *rows))
            break;
        *rows += entry->extent.rows;
        *largest = entry->extent.rows > *largest ? entry->extent.rows : *largest;
        count++;
        if (*rows >= max_rows)
            break;
    }
    return count;
}

static compact_choice compact_choose(const nfl__compaction *c, const nfl__manifest *manifest, uint64_t max_rows, int all)
{
    compact_choice choice = {0, 0};
    for (size_t from = 0; from < manifest->count; from++) {
        uint64_t rows, largest;
        size_t count = compact_run(c, manifest, from, max_rows, &rows, &largest);
        if (count == 0)
            continue;
        const nfl__segment_entry *last = &manifest->segments[manifest->count - 1];
        int64_t day = nfl__file_day(manifest->segments[from].extent.received_min);
        int over = all || nfl__file_day(last->extent.received_max) > day;
        if (compact_pays(&manifest->segments[from], count, rows, largest, max_rows, over)) {
            choice.from = from;
            choice.count = count;
            return choice;
        }
    }
    return choice;
}

/* Segments of a day whose flows are to be replaced by their sums. A million flows are so few that all their sums fit in memory. */
static compact_choice compact_choose_sums(const nfl__compaction *c, const nfl__manifest *manifest, const nfl__holds *holds,
                                          nfl_usec before_us)
{
    compact_choice choice = {0, 0};
    uint64_t rows = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        const nfl__segment_entry *entry = &manifest->segments[i], *first = &manifest->segments[choice.from];
        int wanted = !(entry->flags & NFL__ENTRY_SUMS) && entry->extent.received_max < before_us && !compact_is_skipped(c, entry->id) &&
                     !nfl__holds_mark(holds, entry->extent.first_min, entry->extent.first_max);
        if (choice.count && (!wanted || entry->extent.rows > MAX_ROWS - rows ||
                             nfl__file_day(entry->extent.received_min) != nfl__file_day(first->extent.received_min)))
            break;
        if (!wanted)
            continue;
        if (choice.count++ == 0)
            choice.from = i;
        rows += entry->extent.rows < MAX_ROWS - rows ? entry->extent.rows : MAX_ROWS - rows;
    }
    return choice;
}

/* Where the run stands in the manifest; SIZE_MAX if it is no longer there as a whole. */
static size_t compact_find(const nfl__manifest *manifest, const nfl__compaction *c)
{
    for (size_t at = 0; at + c->run_count <= manifest->count; at++) {
        if (manifest->segments[at].id != c->run[0].id)
            continue;
        for (size_t i = 1; i < c->run_count; i++)
            if (manifest->segments[at + i].id != c->run[i].id)
                return SIZE_MAX;
        return at;
    }
    return SIZE_MAX;
}

/* --- work --- */

static void compact_stop(nfl__compaction *c)
{
    nfl__segment_close(&c->segment);
    c->run_count = c->next = 0;
    if (c->columns)
        nfl__columns_clear(c->columns);
}

void nfl__compaction_free(nfl__file_store *s)
{
    nfl__compaction *c = s->compaction;
    if (!c)
        return;
    compact_stop(c);
    nfl__segment_builder_free(c->builder);
    nfl__columns_release(c->columns);
    nfl__loader_free(&c->loader);
    nfl__delete(&s->memory, c->run, c->run_capacity, sizeof *c->run);
    nfl__delete(&s->memory, c->skipped, c->skipped_capacity, sizeof *c->skipped);
    nfl__delete(&s->memory, c->replaced, c->replaced_capacity, sizeof *c->replaced);
    nfl__delete(&s->memory, c, 1, sizeof *c);
    s->compaction = NULL;
}

static nfl_status compact_new(nfl__file_store *s, nfl_error *err)
{
    nfl__compaction *c = nfl__new(&s->memory, 1, sizeof *c);
    if (!c)
        return nfl__fail_nomem(err, sizeof *c);
    s->compaction = c;
    c->segment.file = -1;
    nfl__loader_init(&c->loader, &s->memory);
    c->builder = nfl__segment_builder_new(&s->memory.alloc);
    c->columns = nfl__columns_new(&s->memory.alloc, NFL__BATCH_ROWS);
    if (c->builder && c->columns)
        return NFL_OK;
    nfl__compaction_free(s);
    return nfl__fail_nomem(err, sizeof *c->columns);
}

/* What is to be done next; choice->count 0 = nothing. */
static nfl_status compact_plan(nfl__file_store *s, const nfl_compact_opts *opts, compact_choice *choice, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    nfl__holds holds;
    *choice = (compact_choice){0, 0};
    c->level = NFL__SEGMENT_SUMS;
    if (opts->sums_before_us) {
        NFL_TRY(nfl__holds_read(&holds, s->files, s->root, &s->memory, err));
        *choice = compact_choose_sums(c, &s->manifest, &holds, opts->sums_before_us);
        nfl__holds_free(&holds, &s->memory);
    }
    if (choice->count)
        return NFL_OK;
    c->level = NFL__SEGMENT_COMPACT;
    *choice = compact_choose(c, &s->manifest, opts->max_rows ? opts->max_rows : MAX_ROWS, (int)(opts->flags & NFL_COMPACT_ALL));
    return NFL_OK;
}

/* Start on a run: NFL_DONE if there is none. */
static nfl_status compact_start(nfl__file_store *s, const nfl_compact_opts *opts, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    compact_choice choice;
    NFL_TRY(compact_plan(s, opts, &choice, err));
    if (choice.count == 0)
        return NFL_DONE;
    if (!nfl__grow(&s->memory, (void **)&c->run, &c->run_capacity, choice.count, sizeof *c->run) ||
        !nfl__grow(&s->memory, (void **)&c->replaced, &c->replaced_capacity, c->replaced_count + choice.count, sizeof *c->replaced))
        return nfl__fail_nomem(err, choice.count * sizeof *c->replaced);
    NFL_TRY(nfl__segment_start(c->builder, c->level, err));
    memcpy(c->run, s->manifest.segments + choice.from, choice.count * sizeof *c->run);
    c->run_count = choice.count;
    c->next = 0;
    return NFL_OK;
}

/* Rows of a batch to the block being filled, and full blocks to the builder. */
static nfl_status compact_take(nfl__compaction *c, const nfl__batch *batch, nfl_error *err)
{
    for (uint32_t from = 0; from < batch->rows;) {
        uint32_t room = NFL__BATCH_ROWS - c->columns->rows, left = batch->rows - from, n = left < room ? left : room;
        if (!nfl__columns_append(c->columns, batch, from, n))
            return nfl__fail_nomem(err, n);
        from += n;
        if (c->columns->rows < NFL__BATCH_ROWS)
            continue;
        NFL_TRY(nfl__segment_add(c->builder, c->columns, err));
        nfl__columns_clear(c->columns);
    }
    return NFL_OK;
}

static nfl_status compact_open(nfl__file_store *s, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    const nfl__segment_entry *entry = &c->run[c->next++];
    char name[NFL__NAME_SIZE];
    nfl__segment_name(entry, name);
    NFL_TRY(nfl__segment_open(&c->segment, s->files, s->root, name, &s->memory, err));
    if (c->segment.digest != entry->digest || c->segment.extent.rows != entry->extent.rows)
        return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s: not the file that the manifest names", name);
    c->next_block = 0;
    return NFL_OK;
}

/* The next block of the run; NFL_DONE when all are read. */
static nfl_status compact_block(nfl__file_store *s, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    if (c->segment.file >= 0 && c->next_block == c->segment.block_count)
        nfl__segment_close(&c->segment);
    if (c->segment.file < 0) {
        if (c->next == c->run_count)
            return NFL_DONE;
        NFL_TRY(compact_open(s, err));
    }
    const nfl__block *block = &c->segment.blocks[c->next_block++];
    nfl__batch batch = {.rows = block->rows};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        NFL_TRY(nfl__segment_load(&c->segment, block, field, &c->loader, &batch, err));
    return compact_take(c, &batch, err);
}

/* --- putting it in place --- */

static nfl_status compact_check_block(nfl__compaction *c, const nfl__segment *segment, const nfl__block *block, nfl_error *err)
{
    nfl__batch batch = {.rows = block->rows};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        NFL_TRY(nfl__segment_load(segment, block, field, &c->loader, &batch, err));
    return NFL_OK;
}

/* Read back what was written: every column decodes, and the file is the one that was made. */
static nfl_status compact_check(nfl__file_store *s, const nfl__segment_entry *entry, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    nfl__segment segment;
    char name[NFL__NAME_SIZE];
    nfl__segment_name(entry, name);
    NFL_TRY(nfl__segment_open(&segment, s->files, s->root, name, &s->memory, err));
    nfl_status status = nfl__segment_check_digest(&segment, err);
    if (status == NFL_OK && segment.digest != entry->digest)
        status = nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s: not what was written", name);
    if (status == NFL_OK)
        status = nfl__segment_read_sums(&segment, err);
    for (uint32_t b = 0; b < segment.block_count && status == NFL_OK; b++)
        status = compact_check_block(c, &segment, &segment.blocks[b], err);
    for (size_t b = 0; b < segment.sum_block_count && status == NFL_OK; b++)
        status = compact_check_block(c, &segment, &segment.sum_blocks[b], err);
    nfl__segment_close(&segment);
    return status;
}

/* A manifest that names the new segment instead of the run; NFL_DONE if the run is gone. */
static nfl_status compact_publish(nfl__file_store *s, const nfl__segment_entry *entry, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    nfl__manifest after = s->manifest;
    size_t at = compact_find(&s->manifest, c);
    int replaced;
    if (at == SIZE_MAX)
        return NFL_DONE;
    after.segments = NULL;
    after.count = after.capacity = 0;
    if (!nfl__grow(&s->memory, (void **)&after.segments, &after.capacity, s->manifest.count, sizeof *after.segments))
        return nfl__fail_nomem(err, s->manifest.count * sizeof *after.segments);
    size_t rest = s->manifest.count - at - c->run_count;
    memcpy(after.segments, s->manifest.segments, at * sizeof *after.segments);
    after.segments[at] = *entry;
    memcpy(after.segments + at + 1, s->manifest.segments + at + c->run_count, rest * sizeof *after.segments);
    after.count = at + 1 + rest;
    nfl_status status = nfl__file_write_manifest(s, &after, &replaced, err);
    if (!replaced) {
        nfl__manifest_free(&after, &s->memory);
        return status;
    }
    nfl__manifest_free(&s->manifest, &s->memory);
    s->manifest = after;
    for (size_t i = 0; i < c->run_count; i++)
        c->replaced[c->replaced_count++] = (compact_replaced){c->run[i], after.generation};
    return NFL_OK;
}

/* The same for sums in the place of flows, unless a hold marks these by now. */
static nfl_status compact_publish_sums(nfl__file_store *s, const nfl__segment_entry *entry, nfl_error *err)
{
    const nfl__compaction *c = s->compaction;
    nfl__holds holds;
    int lock, held = 0;
    NFL_TRY(nfl__file_lock_holds(s, &lock, err));
    nfl_status status = nfl__holds_read(&holds, s->files, s->root, &s->memory, err);
    for (size_t i = 0; status == NFL_OK && i < c->run_count; i++)
        held |= nfl__holds_mark(&holds, c->run[i].extent.first_min, c->run[i].extent.first_max);
    if (status == NFL_OK)
        status = held ? NFL_DONE : compact_publish(s, entry, err);
    nfl__holds_free(&holds, &s->memory);
    s->files->close(s->files->ctx, lock);
    return status;
}

static nfl_status compact_finish(nfl__file_store *s, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    nfl__segment_entry entry = {.id = s->manifest.next_id++ /* also if this fails: no id is used twice */, .flags = NFL__ENTRY_COMPACT};
    int sums = c->level == NFL__SEGMENT_SUMS;
    const nfl__buffer *bytes;
    entry.flags |= sums ? NFL__ENTRY_SUMS : 0;
    if (c->columns->rows)
        NFL_TRY(nfl__segment_add(c->builder, c->columns, err));
    for (size_t i = 0; i < c->run_count; i++)
        NFL_TRY(nfl__segment_comes_from(c->builder, c->run[i].id, err));
    NFL_TRY(nfl__segment_finish(c->builder, &bytes, &entry.extent, &entry.digest, err));
    entry.bytes = bytes->len;
    NFL_TRY(nfl__file_write_segment(s, &entry, bytes, err));
    nfl_status status = compact_check(s, &entry, err);
    if (status == NFL_OK)
        status = sums ? compact_publish_sums(s, &entry, err) : compact_publish(s, &entry, err);
    if (status != NFL_OK)
        (void)!nfl__file_remove_segment(s, &entry, NULL);
    compact_stop(c);
    return status == NFL_DONE ? NFL_OK : status;
}

/* Delete the files that nobody can be reading any more. */
static void compact_remove(nfl__file_store *s)
{
    nfl__compaction *c = s->compaction;
    size_t kept = 0;
    for (size_t i = 0; i < c->replaced_count; i++) {
        const compact_replaced *old = &c->replaced[i];
        if (s->root_unsynced || nfl__file_is_read_since(s, old->generation) ||
            nfl__file_remove_segment(s, &old->entry, NULL) != NFL_OK)
            c->replaced[kept++] = *old;
    }
    c->replaced_count = kept;
}

/* The segment being read is damaged: leave it alone. Without memory to note that, it is met again. */
static void compact_skip(nfl__file_store *s)
{
    nfl__compaction *c = s->compaction;
    if (nfl__grow(&s->memory, (void **)&c->skipped, &c->skipped_capacity, c->skipped_count + 1, sizeof *c->skipped))
        c->skipped[c->skipped_count++] = c->run[c->next - 1].id;
}

static nfl_status compact_step(nfl__file_store *s, const nfl_compact_opts *opts, nfl_error *err)
{
    nfl__compaction *c = s->compaction;
    if (c->run_count && compact_find(&s->manifest, c) == SIZE_MAX)
        compact_stop(c); /* expired meanwhile */
    nfl_status status = c->run_count ? NFL_OK : compact_start(s, opts, err);
    if (status != NFL_OK)
        return status;
    status = compact_block(s, err);
    if (status == NFL_E_CORRUPT || status == NFL_E_LIMIT) /* a segment of too many flows for their sums */
        compact_skip(s);
    return status == NFL_DONE ? compact_finish(s, err) : status;
}

nfl_status nfl__file_compact(void *self, const nfl_compact_opts *opts, nfl_error *err)
{
    nfl__file_store *s = self;
    if (!s->compaction)
        NFL_TRY(compact_new(s, err));
    NFL_TRY(nfl__file_sync_root(s, err));
    compact_remove(s);
    nfl_status status = compact_step(s, opts, err);
    if (status < 0) {
        compact_stop(s->compaction);
        return status;
    }
    compact_remove(s);
    return status;
}

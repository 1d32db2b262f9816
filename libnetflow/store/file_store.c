#include "store/file_store.h"

#include "base/error.h"
#include "query/sort.h"
#include "store/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SEGMENT_ROWS = 262144,
    SEGMENT_ROWS_MAX = 1 << 24,
    SEGMENT_S = 300,
    REFUSE_AT = 4,       /* times segment_rows, when sealing keeps failing */
    FRAME_BYTES = 1 << 20, /* a frame in memory is written when it has grown so large */
    JOURNAL_ROWS = 1024,   /* rows for which frame memory is reserved at a time */
    JOURNAL_BLOCK_ROWS = 8192, /* a reader's blocks of a journal, which is short as a rule */
    SNAPSHOT_TRIES = 100
};

#define DAY_US INT64_C(86400000000)

/* --- sealing --- */

nfl_status nfl__file_write_segment(nfl__file_store *s, const nfl__segment_entry *entry, const nfl__buffer *bytes, nfl_error *err)
{
    char folder[NFL__NAME_SIZE], name[NFL__NAME_SIZE];
    nfl__segment_folder(entry, folder);
    nfl__segment_name(entry, name);
    NFL_TRY(nfl__files_ensure_folder(s->files, s->root, folder, "segments", err));
    int file = s->files->open(s->files->ctx, s->root, name, NFL__FILE_CREATE);
    if (file < 0)
        return nfl__fail_io(err, -file, "create %s", name);
    nfl_status status = nfl__files_write_all(s->files, file, name, bytes->data, bytes->len, 0, err);
    if (status == NFL_OK)
        status = nfl__files_sync(s->files, file, name, err);
    s->files->close(s->files->ctx, file);
    if (status == NFL_OK)
        status = nfl__files_sync_folder(s->files, s->root, folder, err);
    if (status != NFL_OK) /* no manifest names it; what cannot be deleted now goes when the store is opened */
        (void)!nfl__files_remove(s->files, s->root, name, NULL);
    return status;
}

/* A journal that is sealed. A damaged one is kept: somebody should know that flows were lost. */
static void file_remove_journal(nfl__file_store *s, uint64_t id)
{
    char name[NFL__NAME_SIZE], kept[NFL__NAME_SIZE];
    nfl__journal_name(id, name);
    nfl__journal_damaged_name(id, kept);
    if (id == s->damaged_journal)
        (void)s->files->rename(s->files->ctx, s->root, name, kept);
    else
        (void)!nfl__files_remove(s->files, s->root, name, NULL);
}

static int file_has_journal(const nfl__file_store *s)
{
    return !(s->flags & NFL_STORE_NO_JOURNAL);
}

/* Write the manifest. What readers find is the state, even if it may not be durable yet. */
nfl_status nfl__file_write_manifest(nfl__file_store *s, nfl__manifest *manifest, int *replaced, nfl_error *err)
{
    nfl_status status = nfl__manifest_write(manifest, s->files, s->root, &s->memory, replaced, err);
    if (*replaced)
        s->root_unsynced = status != NFL_OK;
    return status;
}

nfl_status nfl__file_sync_root(nfl__file_store *s, nfl_error *err)
{
    if (s->root_unsynced)
        NFL_TRY(nfl__files_sync_folder(s->files, s->root, ".", err));
    s->root_unsynced = 0;
    return NFL_OK;
}

/* Make the segment and the new journal the state; on failure the state is as before. */
static nfl_status file_publish(nfl__file_store *s, const nfl__segment_entry *entry, const nfl__journal *next, nfl_error *err)
{
    nfl__manifest after = s->manifest;
    int replaced;
    after.segments[after.count++] = *entry;
    after.journal_id = next->file < 0 ? 0 : next->id;
    nfl_status status = nfl__file_write_manifest(s, &after, &replaced, err);
    if (!replaced)
        return status;
    s->manifest = after;
    return NFL_OK;
}

static nfl_status file_seal_rows(nfl__file_store *s, nfl_error *err)
{
    const nfl__buffer *bytes;
    nfl__segment_entry entry = {.id = s->manifest.next_id};
    nfl__journal next = {.file = -1};
    s->manifest.next_id += 2; /* also if this fails: no id is used twice */
    NFL_TRY(nfl__manifest_reserve(&s->manifest, &s->memory, err));
    size_t blocks = s->rows.count;
    while (blocks && s->rows.blocks[blocks - 1]->rows == 0)
        blocks--;
    if (!s->builder && !(s->builder = nfl__segment_builder_new(&s->memory.alloc)))
        return nfl__fail_nomem(err, 0);
    NFL_TRY(nfl__segment_start(s->builder, NFL__SEGMENT_FAST, err));
    for (size_t i = 0; i < blocks; i++)
        NFL_TRY(nfl__segment_add(s->builder, s->rows.blocks[i], err));
    if (s->manifest.journal_id)
        NFL_TRY(nfl__segment_comes_from(s->builder, s->manifest.journal_id, err));
    NFL_TRY(nfl__segment_finish(s->builder, &bytes, &entry.extent, &entry.digest, err));
    entry.bytes = bytes->len;
    NFL_TRY(nfl__file_write_segment(s, &entry, bytes, err));
    if (file_has_journal(s))
        NFL_TRY(nfl__journal_create(&next, s->files, s->root, entry.id + 1, &s->memory, err));
    uint64_t old_journal = s->manifest.journal_id;
    nfl_status status = file_publish(s, &entry, &next, err);
    if (status != NFL_OK) {
        nfl__journal_close(&next);
        return status;
    }
    nfl__journal_close(&s->journal);
    s->journal = next;
    s->journal_behind = 0;
    nfl__row_blocks_clear(&s->rows);
    if (old_journal && !s->root_unsynced)
        file_remove_journal(s, old_journal);
    return NFL_OK;
}

static nfl_status file_seal(nfl__file_store *s, nfl_error *err)
{
    NFL_TRY(nfl__file_sync_root(s, err));
    if (s->rows.extent.rows == 0)
        return NFL_OK;
    nfl_status status = file_seal_rows(s, err);
    return status == NFL_OK ? nfl__file_sync_root(s, err) : status;
}

/* --- appending --- */

int64_t nfl__file_day(nfl_usec time_us)
{
    return time_us / DAY_US - (time_us % DAY_US < 0);
}

/* Is it time to seal what is there, before a flow that arrived at this time? */
static int file_seal_is_due(const nfl__file_store *s, nfl_usec received_us)
{
    const nfl__extent *extent = &s->rows.extent;
    if (extent->rows == 0)
        return 0;
    /* The time bounds the journal; without one, few large segments are better than many small ones. */
    int old = file_has_journal(s) && received_us - extent->received_min >= s->segment_us;
    return old || extent->rows >= s->segment_rows || nfl__file_day(received_us) != nfl__file_day(extent->received_min);
}

static const nfl_flow *file_row(const nfl_flow *flows, size_t i, size_t stride)
{
    return (const nfl_flow *)(const void *)((const uint8_t *)flows + i * stride);
}

/* Rows of any age become ours. */
static void file_copy_rows(const nfl_flow *flows, uint32_t n, size_t stride, nfl_flow *out)
{
    memset(out, 0, n * sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        const nfl_flow *from = file_row(flows, i, stride);
        memcpy(&out[i], from, from->struct_size < sizeof *out ? from->struct_size : sizeof *out);
        out[i].struct_size = sizeof *out;
    }
}

static int file_rows_are_ours(const nfl_flow *flows, uint32_t n, size_t stride)
{
    for (uint32_t i = 0; i < n; i++)
        if (file_row(flows, i, stride)->struct_size != sizeof *flows)
            return 0;
    return stride % sizeof(uint64_t) == 0;
}

static nfl_status file_reserve(nfl__file_store *s, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    uint64_t fields = NFL__FIELDS_ALWAYS;
    for (size_t i = 0; i < n; i++)
        fields |= file_row(flows, i, stride)->present & NFL__FIELDS_STORED;
    NFL_TRY(nfl__row_blocks_reserve(&s->rows, n, fields, err));
    return s->journal.file < 0 || s->journal_behind ? NFL_OK : nfl__journal_reserve(&s->journal, JOURNAL_ROWS, err);
}

/* Row i of an append goes to the journal, for which file_reserve() made room. Large appends become several frames; when
 * even that finds no memory, the rows are safe by sealing only. */
static void file_journal_row(nfl__file_store *s, const nfl_flow *flow, size_t i)
{
    if (s->journal.file < 0 || s->journal_behind)
        return;
    if (i > 0 && i % JOURNAL_ROWS == 0) {
        if (s->journal.frame.len >= FRAME_BYTES) /* only to bound it; a failure shows up at the next sync */
            (void)!nfl__journal_flush(&s->journal, NULL);
        if (nfl__journal_reserve(&s->journal, JOURNAL_ROWS, NULL) != NFL_OK) {
            s->journal_behind = 1;
            return;
        }
    }
    nfl__journal_add(&s->journal, flow);
}

static int file_durable_is_due(const nfl__file_store *s)
{
    uint64_t done = s->durable_id == s->journal.id ? s->durable_size : 0;
    return s->durable_bytes && s->journal.size - done >= s->durable_bytes;
}

/* What is in the journal's file survives a loss of power. */
static nfl_status file_make_durable(nfl__file_store *s, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    NFL_TRY(nfl__file_sync_root(s, err));
    nfl__journal_name(s->journal.id, name);
    nfl_status status = nfl__files_sync(s->files, s->journal.file, name, err);
    if (status != NFL_OK) {
        s->journal_behind = 1; /* the kernel may drop what it could not write and call the next try a success */
        return status;
    }
    s->durable_id = s->journal.id;
    s->durable_size = s->journal.size;
    return NFL_OK;
}

static nfl_status file_append(void *self, const nfl_flow *flows, size_t n, size_t stride, nfl_error *err)
{
    nfl__file_store *s = self;
    nfl_flow rows[NFL__COLUMNS_STEP];
    if (file_seal_is_due(s, flows->received_us)) {
        nfl_status status = file_seal(s, err);
        if (status != NFL_OK && s->rows.extent.rows >= (uint64_t)s->segment_rows * REFUSE_AT)
            return status;
    }
    NFL_TRY(file_reserve(s, flows, n, stride, err));
    for (size_t i = 0; i < n; i += NFL__COLUMNS_STEP) {
        uint32_t step = n - i < NFL__COLUMNS_STEP ? (uint32_t)(n - i) : NFL__COLUMNS_STEP;
        const nfl_flow *from = file_row(flows, i, stride);
        size_t apart = stride;
        if (!file_rows_are_ours(from, step, stride)) {
            file_copy_rows(from, step, stride, rows);
            from = rows;
            apart = sizeof *rows;
        }
        nfl__row_blocks_add(&s->rows, from, step, apart);
        for (uint32_t j = 0; j < step && s->journal.file >= 0; j++)
            file_journal_row(s, file_row(from, j, apart), i + j);
    }
    if (s->journal.file >= 0 && s->journal.frame.len >= FRAME_BYTES && nfl__journal_flush(&s->journal, NULL) == NFL_OK &&
        file_durable_is_due(s))
        (void)!file_make_durable(s, NULL); /* the flows are there; that they are not durable shows at the next sync */
    return NFL_OK;
}

static nfl_status file_sync(void *self, uint32_t level, nfl_error *err)
{
    nfl__file_store *s = self;
    if (level == NFL_SYNC_SEAL || !file_has_journal(s) || s->journal_behind)
        return file_seal(s, err);
    NFL_TRY(nfl__journal_flush(&s->journal, err));
    return level == NFL_SYNC_DURABLE || file_durable_is_due(s) ? file_make_durable(s, err) : NFL_OK;
}

/* --- expiry --- */

nfl_status nfl__file_remove_segment(nfl__file_store *s, const nfl__segment_entry *entry, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    nfl__segment_name(entry, name);
    NFL_TRY(nfl__files_remove(s->files, s->root, name, err));
    nfl__segment_folder(entry, name);
    (void)s->files->remove_folder(s->files->ctx, s->root, name); /* refused unless it was the last of its day */
    return NFL_OK;
}

/* --- snapshots --- */

static nfl_status file_copy_entries(const nfl__manifest *manifest, nfl__memory *memory, nfl__snapshot *out, nfl_error *err)
{
    if (manifest->count == 0)
        return NFL_OK;
    out->entries = nfl__new(memory, manifest->count, sizeof *out->entries);
    if (!out->entries)
        return nfl__fail_nomem(err, manifest->count * sizeof *out->entries);
    out->entry_count = manifest->count;
    memcpy(out->entries, manifest->segments, manifest->count * sizeof *out->entries);
    return NFL_OK;
}

static nfl_status file_copy_tails(const nfl__row_blocks *rows, nfl__memory *memory, nfl__snapshot *out, nfl_error *err)
{
    size_t count = rows->count;
    while (count && rows->blocks[count - 1]->rows == 0)
        count--;
    if (count == 0)
        return NFL_OK;
    nfl__columns **tails = nfl__new(memory, count, sizeof *tails);
    uint32_t *tail_rows = nfl__new(memory, count, sizeof *tail_rows);
    if (!tails || !tail_rows) {
        nfl__delete(memory, tails, count, sizeof *tails);
        nfl__delete(memory, tail_rows, count, sizeof *tail_rows);
        return nfl__fail_nomem(err, count * sizeof *tails);
    }
    for (size_t i = 0; i < count; i++) {
        nfl__columns_retain(rows->blocks[i]);
        tails[i] = rows->blocks[i];
        tail_rows[i] = rows->blocks[i]->rows;
    }
    out->tails = tails;
    out->tail_rows = tail_rows;
    out->tail_count = count;
    return NFL_OK;
}

/* Rows of the journal that a manifest names. NFL_PENDING: it is gone, so the manifest was replaced. */
static nfl_status file_read_journal(nfl__file_store *s, uint64_t id, nfl__row_blocks *rows, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    nfl__journal_extent extent;
    if (id == 0)
        return NFL_OK;
    nfl__journal_name(id, name);
    int file = s->files->open(s->files->ctx, s->root, name, NFL__FILE_READ);
    if (file == -ENOENT)
        return NFL_PENDING;
    if (file < 0)
        return nfl__fail_io(err, -file, "open %s", name);
    nfl_status status = nfl__journal_read(s->files, file, id, rows->memory, nfl__row_blocks_visit, rows, &extent, err);
    s->files->close(s->files->ctx, file);
    if (status == NFL_OK && extent.damaged)
        return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s: %llu flows or more are damaged", name,
                         (unsigned long long)extent.damaged_rows);
    return status;
}

/* Let nobody delete what a snapshot of this generation names. A file system without locks gives none; then a reader whose
 * segment was merged away meanwhile gets an error (file_source.c). */
static void file_hold(nfl__file_store *s, uint64_t generation, nfl__snapshot *out)
{
    out->files = s->files;
    if (out->lock < 0)
        out->lock = s->files->open(s->files->ctx, s->root, "lock", NFL__FILE_READ);
    if (out->lock < 0 || s->files->lock(s->files->ctx, out->lock, NFL__LOCK_READERS + generation, 1, NFL__LOCK_SHARED) == 0)
        return;
    s->files->close(s->files->ctx, out->lock);
    out->lock = -1;
}

/* While the manifest is being read, nothing at all is deleted. */
static void file_hold_all(nfl__file_store *s, nfl__snapshot *out)
{
    out->files = s->files;
    out->lock = s->files->open(s->files->ctx, s->root, "lock", NFL__FILE_READ);
    if (out->lock >= 0)
        (void)s->files->lock(s->files->ctx, out->lock, NFL__LOCK_SNAPSHOT, 1, NFL__LOCK_SHARED);
}

int nfl__file_is_read_since(const nfl__file_store *s, uint64_t generation)
{
    return s->files->lock(s->files->ctx, s->lock, NFL__LOCK_SNAPSHOT, generation + 1, NFL__LOCK_TEST) == -EAGAIN;
}

static nfl_status file_try_snapshot(nfl__file_store *s, nfl__memory *memory, nfl__snapshot *out, nfl_error *err)
{
    nfl__manifest manifest;
    nfl__row_blocks rows = {.memory = memory, .block_rows = JOURNAL_BLOCK_ROWS};
    file_hold_all(s, out);
    nfl_status status = nfl__manifest_read(&manifest, s->files, s->root, memory, err);
    if (status != NFL_OK) {
        nfl__snapshot_free(out, memory);
        return status;
    }
    file_hold(s, manifest.generation, out);
    if (out->lock >= 0)
        (void)s->files->lock(s->files->ctx, out->lock, NFL__LOCK_SNAPSHOT, 1, NFL__LOCK_RELEASE);
    status = file_read_journal(s, manifest.journal_id, &rows, err);
    if (status == NFL_OK)
        status = file_copy_entries(&manifest, memory, out, err);
    if (status == NFL_OK)
        status = file_copy_tails(&rows, memory, out, err);
    if (status != NFL_OK)
        nfl__snapshot_free(out, memory);
    nfl__row_blocks_free(&rows);
    nfl__manifest_free(&manifest, memory);
    return status;
}

nfl_status nfl__file_store_snapshot(nfl__file_store *s, nfl__memory *memory, nfl__snapshot *out, nfl_error *err)
{
    memset(out, 0, sizeof *out);
    out->lock = -1;
    if (s->lock >= 0) { /* the writer knows its state */
        file_hold(s, s->manifest.generation, out);
        nfl_status status = file_copy_entries(&s->manifest, memory, out, err);
        if (status == NFL_OK)
            status = file_copy_tails(&s->rows, memory, out, err);
        if (status != NFL_OK)
            nfl__snapshot_free(out, memory);
        return status;
    }
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        nfl_status status = file_try_snapshot(s, memory, out, err);
        if (status != NFL_PENDING)
            return status;
    }
    return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "the journal that the manifest names is missing");
}

static nfl_status file_open_source(void *self, const nfl_filter *filter, uint64_t fields, nfl__source **out, nfl_error *err)
{
    nfl__file_store *s = self;
    nfl__memory memory;
    nfl__snapshot snapshot;
    (void)fields; /* columns are read when they are loaded */
    nfl__memory_init(&memory, &s->memory.alloc, 0);
    NFL_TRY(nfl__file_store_snapshot(s, &memory, &snapshot, err));
    nfl_status status = nfl__file_source_new(&s->memory.alloc, s->files, s->root, filter, &snapshot, out, err);
    if (status != NFL_OK)
        nfl__snapshot_free(&snapshot, &memory);
    return status;
}

/* --- info --- */

static nfl_status file_info(void *self, nfl_store_info *out, nfl_error *err)
{
    nfl__file_store *s = self;
    nfl__memory memory;
    nfl__snapshot snapshot;
    nfl__extent all = {0};
    nfl__memory_init(&memory, &s->memory.alloc, 0);
    NFL_TRY(nfl__file_store_snapshot(s, &memory, &snapshot, err));
    for (size_t i = 0; i < snapshot.entry_count; i++) {
        nfl__extent_add(&all, &snapshot.entries[i].extent);
        out->bytes += snapshot.entries[i].bytes;
        out->summed_flows += snapshot.entries[i].flags & NFL__ENTRY_SUMS ? snapshot.entries[i].extent.rows : 0;
    }
    for (size_t i = 0; i < snapshot.tail_count; i++) {
        const nfl_usec *received = snapshot.tails[i]->values[NFL_FIELD_RECEIVED];
        const nfl_usec *first = snapshot.tails[i]->values[NFL_FIELD_FIRST];
        out->journal_flows += snapshot.tail_rows[i];
        for (uint32_t row = 0; row < snapshot.tail_rows[i]; row++) {
            nfl__extent one = {1, received[row], received[row], first[row], first[row]};
            nfl__extent_add(&all, &one);
        }
    }
    out->format_version = 1;
    out->flows = all.rows - out->summed_flows;
    out->segments = snapshot.entry_count;
    out->first_us = all.first_min;
    out->last_us = all.first_max;
    out->received_first_us = all.received_min;
    out->received_last_us = all.received_max;
    nfl__snapshot_free(&snapshot, &memory);
    return NFL_OK;
}

/* --- opening --- */

/* What no manifest names is left over from a writer that died: delete it. */
typedef struct file_sweep {
    nfl__file_store *store;
    const char *folder;
    const char *suffix;
    uint64_t *ids; /* that the manifest names, sorted */
    size_t id_count;
} file_sweep;

static int file_compare_ids(const void *a, const void *b, void *ctx)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    (void)ctx;
    return x < y ? -1 : x > y;
}

static int file_is_named(const file_sweep *sweep, const char *entry)
{
    uint64_t id = strtoull(entry, NULL, 16);
    size_t low = 0, high = sweep->id_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sweep->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sweep->id_count && sweep->ids[low] == id;
}

static int file_sweep_file(void *ctx, const char *entry, int is_dir)
{
    file_sweep *sweep = ctx;
    char name[NFL__NAME_SIZE];
    size_t len = strlen(entry), suffix = strlen(sweep->suffix);
    int written = snprintf(name, sizeof name, "%s/%s", sweep->folder, entry);
    if (is_dir || written >= (int)sizeof name || len != 16 + suffix || strcmp(entry + 16, sweep->suffix) != 0)
        return 0;
    if (!file_is_named(sweep, entry))
        (void)!nfl__files_remove(sweep->store->files, sweep->store->root, name, NULL);
    return 0;
}

static int file_sweep_day(void *ctx, const char *entry, int is_dir)
{
    file_sweep *above = ctx;
    char folder[NFL__NAME_SIZE];
    if (!is_dir || snprintf(folder, sizeof folder, "segments/%s", entry) >= (int)sizeof folder)
        return 0;
    file_sweep sweep = *above;
    sweep.folder = folder;
    return sweep.store->files->list(sweep.store->files->ctx, sweep.store->root, folder, file_sweep_file, &sweep);
}

static void file_sweep_all(nfl__file_store *s)
{
    size_t count = s->manifest.count + 1;
    uint64_t *ids = nfl__new(&s->memory, count, sizeof *ids);
    if (!ids) /* the next writer will do it */
        return;
    ids[0] = s->manifest.journal_id;
    for (size_t i = 1; i < count; i++)
        ids[i] = s->manifest.segments[i - 1].id;
    nfl__sort(ids, count, sizeof *ids, file_compare_ids, NULL);
    file_sweep journals = {s, "journal", ".nfj", ids, count}, segments = {s, "segments", ".nfs", ids, count};
    (void)s->files->list(s->files->ctx, s->root, "journal", file_sweep_file, &journals);
    if (!nfl__file_is_read_since(s, s->manifest.generation + 1)) /* merged segments may be in use */
        (void)s->files->list(s->files->ctx, s->root, "segments", file_sweep_day, &segments);
    nfl__delete(&s->memory, ids, count, sizeof *ids);
}

/* Take the rows of the journal back into memory and go on with it. */
static nfl_status file_recover(nfl__file_store *s, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    nfl__journal_extent extent;
    uint64_t id = s->manifest.journal_id;
    nfl__journal_name(id, name);
    int file = s->files->open(s->files->ctx, s->root, name, NFL__FILE_WRITE);
    if (file < 0)
        return nfl__fail_io(err, -file, "open %s", name);
    nfl_status status = nfl__journal_read(s->files, file, id, &s->memory, nfl__row_blocks_visit, &s->rows, &extent, err);
    int resume = status == NFL_OK && !extent.damaged && file_has_journal(s);
    if (resume)
        status = nfl__journal_resume(&s->journal, s->files, file, id, &extent, &s->memory, err);
    if (status != NFL_OK || !resume)
        s->files->close(s->files->ctx, file);
    if (status == NFL_OK && extent.damaged)
        s->damaged_journal = id;
    return status;
}

/* A manifest without a journal, when one is wanted: from a writer without journal, or a new store. */
static nfl_status file_start_journal(nfl__file_store *s, nfl_error *err)
{
    uint64_t id = s->manifest.next_id;
    int replaced;
    NFL_TRY(nfl__journal_create(&s->journal, s->files, s->root, id, &s->memory, err));
    s->manifest.next_id = id + 1;
    s->manifest.journal_id = id;
    return nfl__file_write_manifest(s, &s->manifest, &replaced, err);
}

/* What could be read of a damaged journal is sealed, and the store goes on without it. */
static nfl_status file_leave_damaged(nfl__file_store *s, nfl_error *err)
{
    int replaced;
    if (s->rows.extent.rows)
        return file_seal(s, err);
    if (file_has_journal(s)) {
        NFL_TRY(file_start_journal(s, err));
    } else {
        s->manifest.journal_id = 0;
        NFL_TRY(nfl__file_write_manifest(s, &s->manifest, &replaced, err));
    }
    file_remove_journal(s, s->damaged_journal);
    return NFL_OK;
}

static nfl_status file_create(nfl__file_store *s, nfl_error *err)
{
    NFL_TRY(nfl__files_ensure_folder(s->files, s->root, "segments", ".", err));
    NFL_TRY(nfl__files_ensure_folder(s->files, s->root, "journal", ".", err));
    int replaced;
    s->manifest.next_id = 1;
    return nfl__file_write_manifest(s, &s->manifest, &replaced, err);
}

static nfl_status file_lock(nfl__file_store *s, const char *path, nfl_error *err)
{
    s->lock = s->files->open(s->files->ctx, s->root, "lock", NFL__FILE_CREATE);
    if (s->lock < 0)
        return nfl__fail_io(err, -s->lock, "create %.120s/lock", path);
    int result = s->files->lock(s->files->ctx, s->lock, NFL__LOCK_WRITER, 1, NFL__LOCK_EXCLUSIVE);
    if (result == -EAGAIN)
        return nfl__fail(err, NFL_E_BUSY, NFL_NO_OFFSET, "%.160s: another process writes to this store", path);
    return result < 0 ? nfl__fail_io(err, -result, "lock %.120s/lock", path) : NFL_OK;
}

/* The manifest, if there is one: NFL_DONE when there is none and one may be made. */
static nfl_status file_read_manifest(nfl__file_store *s, nfl_error *err)
{
    nfl_error why;
    nfl_status status = nfl__manifest_read(&s->manifest, s->files, s->root, &s->memory, &why);
    if (status == NFL_E_NOT_FOUND && (s->flags & NFL_STORE_CREATE))
        return NFL_DONE;
    if (status != NFL_OK && err)
        *err = why;
    return status;
}

static nfl_status file_open_writer(nfl__file_store *s, const char *path, nfl_error *err)
{
    NFL_TRY(file_read_manifest(s, err)); /* not a store: touch nothing */
    nfl__manifest_free(&s->manifest, &s->memory);
    NFL_TRY(file_lock(s, path, err));
    nfl_status status = file_read_manifest(s, err); /* now nobody changes it */
    if (status == NFL_DONE)
        status = file_create(s, err);
    NFL_TRY(status);
    file_sweep_all(s);
    if (s->manifest.journal_id)
        NFL_TRY(file_recover(s, err));
    if (s->damaged_journal)
        return file_leave_damaged(s, err);
    return file_has_journal(s) && s->journal.file < 0 ? file_start_journal(s, err) : NFL_OK;
}

static nfl_status file_open_reader(nfl__file_store *s, nfl_error *err)
{
    nfl__manifest manifest;
    NFL_TRY(nfl__manifest_read(&manifest, s->files, s->root, &s->memory, err));
    nfl__manifest_free(&manifest, &s->memory);
    return NFL_OK;
}

static void file_close(void *self)
{
    nfl__file_store *s = self;
    if (s->lock >= 0 && s->manifest.next_id)
        (void)!file_sync(s, NFL_SYNC_DURABLE, NULL);
    nfl__journal_close(&s->journal);
    nfl__row_blocks_free(&s->rows);
    nfl__segment_builder_free(s->builder);
    nfl__compaction_free(s);
    nfl__manifest_free(&s->manifest, &s->memory);
    if (s->lock >= 0)
        s->files->close(s->files->ctx, s->lock);
    if (s->root >= 0)
        s->files->close(s->files->ctx, s->root);
    nfl__memory memory = s->memory;
    nfl__delete(&memory, s, 1, sizeof *s);
}

static void file_init(nfl__file_store *s, const nfl__files *files, const nfl_store_opts *opts)
{
    uint32_t rows = opts->segment_rows ? opts->segment_rows : SEGMENT_ROWS;
    s->files = files;
    s->flags = opts->flags;
    s->root = s->lock = s->journal.file = -1;
    s->segment_rows = rows > SEGMENT_ROWS_MAX ? SEGMENT_ROWS_MAX : rows;
    s->durable_bytes = opts->durable_bytes;
    s->segment_us = (opts->segment_s ? opts->segment_s : SEGMENT_S) * INT64_C(1000000);
    s->rows.memory = &s->memory;
    s->rows.block_rows = s->segment_rows < NFL__BATCH_ROWS ? s->segment_rows : NFL__BATCH_ROWS;
}

static nfl_status file_open_root(nfl__file_store *s, const char *path, int create, nfl_error *err)
{
    s->root = s->files->open_root(s->files->ctx, path, create);
    if (s->root == -ENOENT)
        return nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "%.160s: there is no store", path);
    if (s->root < 0)
        return nfl__fail_io(err, -s->root, "open %.160s", path);
    return NFL_OK;
}

static nfl_status file_open(nfl__file_store *s, const char *path, nfl_error *err)
{
    int read_only = (int)(s->flags & NFL_STORE_READ_ONLY);
    NFL_TRY(file_open_root(s, path, !read_only && s->flags & NFL_STORE_CREATE, err));
    return read_only ? file_open_reader(s, err) : file_open_writer(s, path, err);
}

nfl_status nfl__file_store_open_locked(const nfl__files *files, const char *path, nfl__file_store **out, nfl_error *err)
{
    const nfl_store_opts opts = {.struct_size = sizeof opts};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__file_store *s = nfl__new(&memory, 1, sizeof *s);
    if (!s)
        return nfl__fail_nomem(err, sizeof *s);
    s->memory = memory;
    file_init(s, files, &opts);
    nfl_status status = file_open_root(s, path, 0, err);
    if (status == NFL_OK)
        status = file_lock(s, path, err);
    if (status == NFL_OK)
        *out = s;
    else
        nfl__file_store_close_locked(s);
    return status;
}

void nfl__file_store_close_locked(nfl__file_store *s)
{
    s->manifest.next_id = 0; /* nothing to sync */
    file_close(s);
}

nfl_status nfl__file_store_open_with(const nfl__files *files, const char *path, const nfl_store_opts *opts, void **self,
                                     const nfl__store_ops **ops, nfl_error *err)
{
    static const nfl__store_ops file_ops = {file_append, file_sync, nfl__file_retain, nfl__file_compact, file_open_source,
                                            file_info, nfl__file_store_verify, nfl__file_hold, nfl__file_get_hold, file_close};
    nfl__memory memory;
    nfl__memory_init(&memory, opts->alloc, 0);
    nfl__file_store *s = nfl__new(&memory, 1, sizeof *s);
    if (!s)
        return nfl__fail_nomem(err, sizeof *s);
    s->memory = memory;
    file_init(s, files, opts);
    nfl_status status = file_open(s, path, err);
    if (status != NFL_OK) {
        s->manifest.next_id = 0; /* nothing to sync */
        file_close(s);
        return status;
    }
    *self = s;
    *ops = &file_ops;
    return NFL_OK;
}

nfl_status nfl__file_store_open(const char *path, const nfl_store_opts *opts, void **self, const nfl__store_ops **ops,
                                nfl_error *err)
{
    return nfl__file_store_open_with(&nfl__files_system, path, opts, self, ops, err);
}

/* Saving what is intact in a damaged store.
 *
 * First the manifest: as it is, or made anew from the segments and journals on disk. Files overlap when a writer died between
 * naming a merged or sealed segment and deleting what it was made of; each segment tells the ids it comes from, and what another
 * one comes from is left out. Then every segment: sound ones stay, of others the good blocks are written to a new one and the
 * file is renamed to <id>.nfs.damaged. Last the manifest is written, and the store opened and closed once by an ordinary
 * writer, which seals what can be read of a damaged journal (file_store.c). */
#include "base/error.h"
#include "store/file_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DAMAGED ".damaged"

typedef struct repair {
    nfl__file_store *store;
    nfl_repair_report *report;
    nfl__loader loader;
    uint64_t *origins; /* rebuilding: ids that some segment comes from */
    size_t origin_count, origin_capacity;
    uint64_t journal;  /* rebuilding: the youngest */
    nfl__segment_entry *aside; /* whose files are set aside once the manifest does not name them */
    size_t aside_count, aside_capacity;
    nfl_status failed; /* of a walk over folders */
    nfl_error *err;
} repair;

/* Damage is reported and repaired; anything else ends the repair. */
static int repair_is_damage(nfl_status status)
{
    return status == NFL_E_CORRUPT || status == NFL_E_NOT_FOUND;
}

static void repair_note(repair *r, const char *message)
{
    if (!r->report->first_problem[0])
        (void)snprintf(r->report->first_problem, sizeof r->report->first_problem, "%.200s", message);
}

static nfl_status repair_give_up(repair *r, nfl_status status, const nfl_error *why)
{
    if (r->err)
        *r->err = *why;
    return status;
}

static nfl_status repair_set_aside(repair *r, const char *name)
{
    const nfl__files *files = r->store->files;
    char aside[NFL__NAME_SIZE];
    (void)snprintf(aside, sizeof aside, "%.*s" DAMAGED, (int)(NFL__NAME_SIZE - sizeof DAMAGED), name);
    int result = files->rename(files->ctx, r->store->root, name, aside);
    return result < 0 ? nfl__fail_io(r->err, -result, "rename %s", name) : NFL_OK;
}

/* --- the manifest made anew --- */

static nfl_status repair_found_segment(repair *r, const char *name, uint64_t id)
{
    nfl__file_store *s = r->store;
    nfl__segment segment;
    nfl_error why;
    nfl_status status = nfl__segment_open(&segment, s->files, s->root, name, &s->memory, &why);
    if (repair_is_damage(status)) {
        r->report->damaged_segments++;
        repair_note(r, why.message);
        return repair_set_aside(r, name);
    }
    if (status != NFL_OK)
        return repair_give_up(r, status, &why);
    /* An origin that cannot be read is none: rather a flow twice than not at all. */
    status = nfl__segment_read_origin(&segment, &r->origins, &r->origin_count, &r->origin_capacity, &why);
    if (status == NFL_E_CORRUPT)
        repair_note(r, why.message);
    if (status == NFL_OK || status == NFL_E_CORRUPT)
        status = nfl__manifest_reserve(&s->manifest, &s->memory, &why);
    if (status == NFL_OK)
        s->manifest.segments[s->manifest.count++] =
            (nfl__segment_entry){.id = id, .bytes = segment.size, .digest = segment.digest, .extent = segment.extent,
                                 .flags = segment.block_count ? 0 : NFL__ENTRY_COMPACT | NFL__ENTRY_SUMS};
    nfl__segment_close(&segment);
    if (id >= s->manifest.next_id)
        s->manifest.next_id = id + 1;
    return status == NFL_OK ? NFL_OK : repair_give_up(r, status, &why);
}

/* The id that a file name begins with; 0 if it is none of ours. */
static uint64_t repair_id(const char *entry, const char *suffix)
{
    char *end;
    uint64_t id = strtoull(entry, &end, 16);
    return strlen(entry) == 16 + strlen(suffix) && end == entry + 16 && strcmp(end, suffix) == 0 ? id : 0;
}

typedef struct repair_folder {
    repair *r;
    const char *folder;
} repair_folder;

static int repair_see_segment(void *ctx, const char *entry, int is_dir)
{
    const repair_folder *f = ctx;
    char name[NFL__NAME_SIZE];
    uint64_t id = is_dir ? 0 : repair_id(entry, ".nfs");
    if (id == 0 || snprintf(name, sizeof name, "%s/%s", f->folder, entry) >= (int)sizeof name)
        return 0;
    f->r->failed = repair_found_segment(f->r, name, id);
    return f->r->failed == NFL_OK ? 0 : -1;
}

static int repair_see_day(void *ctx, const char *entry, int is_dir)
{
    repair *r = ctx;
    char folder[NFL__NAME_SIZE];
    if (!is_dir || snprintf(folder, sizeof folder, "segments/%s", entry) >= (int)sizeof folder)
        return 0;
    repair_folder f = {r, folder};
    return r->store->files->list(r->store->files->ctx, r->store->root, folder, repair_see_segment, &f);
}

static int repair_see_journal(void *ctx, const char *entry, int is_dir)
{
    repair *r = ctx;
    uint64_t id = is_dir ? 0 : repair_id(entry, ".nfj");
    if (id == 0)
        return 0;
    if (id >= r->store->manifest.next_id)
        r->store->manifest.next_id = id + 1;
    for (size_t i = 0; i < r->origin_count; i++)
        if (r->origins[i] == id) /* sealed already */
            return 0;
    if (id > r->journal)
        r->journal = id;
    return 0;
}

static nfl_status repair_walk(repair *r, const char *folder, nfl__files_visit visit)
{
    int result = r->store->files->list(r->store->files->ctx, r->store->root, folder, visit, r);
    if (r->failed != NFL_OK)
        return r->failed;
    return result < 0 ? nfl__fail_io(r->err, -result, "list %s", folder) : NFL_OK;
}

static int repair_is_origin(const repair *r, uint64_t id)
{
    for (size_t i = 0; i < r->origin_count; i++)
        if (r->origins[i] == id)
            return 1;
    return 0;
}

/* In order of arrival, without those that others were made of. */
static void repair_order(repair *r)
{
    nfl__manifest *m = &r->store->manifest;
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        nfl__segment_entry entry = m->segments[i];
        if (repair_is_origin(r, entry.id))
            continue;
        size_t at = kept++;
        while (at > 0 && (m->segments[at - 1].extent.received_min > entry.extent.received_min ||
                          (m->segments[at - 1].extent.received_min == entry.extent.received_min && m->segments[at - 1].id > entry.id))) {
            m->segments[at] = m->segments[at - 1];
            at--;
        }
        m->segments[at] = entry;
    }
    m->count = kept;
}

static nfl_status repair_rebuild(repair *r, const nfl_error *why)
{
    nfl__manifest *m = &r->store->manifest;
    memset(m, 0, sizeof *m);
    m->next_id = 1;
    r->report->manifest_rebuilt = 1;
    repair_note(r, why->message);
    NFL_TRY(repair_walk(r, "segments", repair_see_day));
    NFL_TRY(repair_walk(r, "journal", repair_see_journal));
    repair_order(r);
    m->journal_id = r->journal;
    m->generation = m->next_id; /* never less than it was: every state that was written took an id */
    return NFL_OK;
}

static nfl_status repair_manifest(repair *r)
{
    nfl__file_store *s = r->store;
    nfl_error why;
    nfl_status status = nfl__manifest_read(&s->manifest, s->files, s->root, &s->memory, &why);
    if (status == NFL_OK)
        return NFL_OK;
    return repair_is_damage(status) ? repair_rebuild(r, &why) : repair_give_up(r, status, &why);
}

/* --- segments --- */

/* The good blocks of a segment to the builder; how many rows they have and lack. */
static nfl_status repair_blocks(repair *r, nfl__segment *segment, nfl__columns *columns, uint64_t *good, uint64_t *bad)
{
    nfl_error why;
    for (uint32_t b = 0; b < segment->block_count; b++) {
        nfl__batch batch = {.rows = segment->blocks[b].rows};
        nfl_status status = NFL_OK;
        for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT && status == NFL_OK; field++)
            status = nfl__segment_load(segment, &segment->blocks[b], field, &r->loader, &batch, &why);
        if (repair_is_damage(status)) {
            repair_note(r, why.message);
            *bad += batch.rows;
            continue;
        }
        if (status != NFL_OK)
            return repair_give_up(r, status, &why);
        *good += batch.rows;
        if (!columns)
            continue;
        nfl__columns_clear(columns);
        if (!nfl__columns_append(columns, &batch, 0, batch.rows))
            return nfl__fail_nomem(r->err, batch.rows);
        NFL_TRY(nfl__segment_add(r->store->builder, columns, r->err));
    }
    return NFL_OK;
}

/* A new segment of the good blocks in the place of *entry; rows 0 if there are none. */
static nfl_status repair_rewrite(repair *r, nfl__segment *segment, nfl__segment_entry *entry)
{
    nfl__file_store *s = r->store;
    nfl__segment_entry fresh = {.id = s->manifest.next_id++, .flags = entry->flags};
    const nfl__buffer *bytes;
    uint64_t good = 0, bad = 0;
    uint32_t rows = 1; /* of the largest block */
    for (uint32_t b = 0; b < segment->block_count; b++)
        rows = segment->blocks[b].rows > rows ? segment->blocks[b].rows : rows;
    nfl__columns *columns = nfl__columns_new(&s->memory.alloc, rows);
    if (!columns || (!s->builder && !(s->builder = nfl__segment_builder_new(&s->memory.alloc)))) {
        nfl__columns_release(columns);
        return nfl__fail_nomem(r->err, sizeof *columns);
    }
    nfl_status status = nfl__segment_start(s->builder, entry->flags & NFL__ENTRY_COMPACT ? NFL__SEGMENT_COMPACT : NFL__SEGMENT_FAST, r->err);
    if (status == NFL_OK)
        status = repair_blocks(r, segment, columns, &good, &bad);
    nfl__columns_release(columns);
    if (status == NFL_OK && good) {
        status = nfl__segment_comes_from(s->builder, entry->id, r->err);
        if (status == NFL_OK)
            status = nfl__segment_finish(s->builder, &bytes, &fresh.extent, &fresh.digest, r->err);
        if (status == NFL_OK) {
            fresh.bytes = bytes->len;
            status = nfl__file_write_segment(s, &fresh, bytes, r->err);
        }
    }
    r->report->lost_flows += bad;
    if (status == NFL_OK)
        *entry = fresh;
    return status;
}

/* Look at a segment; *entry becomes what stands for it afterwards, rows 0 = nothing. *aside: its file is to be set aside. */
static nfl_status repair_segment(repair *r, nfl__segment_entry *entry, int *aside)
{
    nfl__file_store *s = r->store;
    nfl__segment segment;
    nfl_error why;
    char name[NFL__NAME_SIZE];
    uint64_t good = 0, bad = 0;
    nfl__segment_name(entry, name);
    nfl_status status = nfl__segment_open(&segment, s->files, s->root, name, &s->memory, &why);
    *aside = status == NFL_E_CORRUPT;
    if (repair_is_damage(status)) {
        repair_note(r, why.message);
        r->report->missing_segments += status == NFL_E_NOT_FOUND;
        r->report->damaged_segments += status == NFL_E_CORRUPT;
        r->report->lost_flows += entry->extent.rows;
        entry->extent.rows = 0;
        return NFL_OK;
    }
    if (status != NFL_OK)
        return repair_give_up(r, status, &why);
    status = repair_blocks(r, &segment, NULL, &good, &bad);
    if (status == NFL_OK) {
        status = nfl__segment_check_digest(&segment, &why);
        *aside = bad || status != NFL_OK || segment.digest != entry->digest;
        if (status != NFL_OK && !repair_is_damage(status)) {
            nfl__segment_close(&segment);
            return repair_give_up(r, status, &why);
        }
        if (*aside)
            repair_note(r, status == NFL_OK ? "a segment is not the one that the manifest names" : why.message);
        status = *aside ? repair_rewrite(r, &segment, entry) : NFL_OK;
        r->report->damaged_segments += (uint64_t)*aside;
        if (*aside && segment.block_count == 0)
            r->report->lost_flows += segment.extent.rows; /* as sums */
    }
    nfl__segment_close(&segment);
    return status;
}

static nfl_status repair_segments(repair *r)
{
    nfl__manifest *m = &r->store->manifest;
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        nfl__segment_entry entry = m->segments[i], old = entry;
        int aside;
        if (!nfl__grow(&r->store->memory, (void **)&r->aside, &r->aside_capacity, r->aside_count + 1, sizeof *r->aside))
            return nfl__fail_nomem(r->err, sizeof *r->aside);
        NFL_TRY(repair_segment(r, &entry, &aside));
        if (aside)
            r->aside[r->aside_count++] = old;
        if (entry.extent.rows == 0)
            continue;
        r->report->flows += entry.flags & NFL__ENTRY_SUMS ? 0 : entry.extent.rows;
        m->segments[kept++] = entry;
    }
    m->count = kept;
    r->report->segments = kept;
    return NFL_OK;
}

/* --- the rest --- */

/* A journal that is named and missing is no longer named. */
static nfl_status repair_journal(repair *r)
{
    nfl__file_store *s = r->store;
    char name[NFL__NAME_SIZE];
    if (s->manifest.journal_id == 0)
        return NFL_OK;
    nfl__journal_name(s->manifest.journal_id, name);
    int file = s->files->open(s->files->ctx, s->root, name, NFL__FILE_READ);
    if (file >= 0) {
        s->files->close(s->files->ctx, file);
        return NFL_OK;
    }
    if (file != -ENOENT)
        return nfl__fail_io(r->err, -file, "open %s", name);
    repair_note(r, "the journal that the manifest names is missing");
    s->manifest.journal_id = 0;
    return NFL_OK;
}

static nfl_status repair_all(repair *r)
{
    int replaced;
    NFL_TRY(repair_manifest(r));
    NFL_TRY(repair_segments(r));
    NFL_TRY(repair_journal(r));
    if (!r->report->first_problem[0])
        return NFL_OK;
    NFL_TRY(nfl__file_write_manifest(r->store, &r->store->manifest, &replaced, r->err));
    for (size_t i = 0; i < r->aside_count; i++) { /* not before: until then they are all there is */
        char name[NFL__NAME_SIZE];
        nfl__segment_name(&r->aside[i], name);
        NFL_TRY(repair_set_aside(r, name));
    }
    return NFL_OK;
}

/* Is there anything of a store? Otherwise nothing may be made. */
static nfl_status repair_is_store(const nfl__files *files, const char *path, nfl_error *err)
{
    static const char *const parts[] = {"manifest", "segments", "journal"};
    int root = files->open_root(files->ctx, path, 0), found = 0;
    if (root < 0)
        return nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "%.160s: there is no store", path);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !found; i++) {
        int file = files->open(files->ctx, root, parts[i], NFL__FILE_READ);
        found = file >= 0;
        if (file >= 0)
            files->close(files->ctx, file);
    }
    files->close(files->ctx, root);
    return found ? NFL_OK : nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "%.160s: there is no store", path);
}

nfl_status nfl__file_store_repair_with(const nfl__files *files, const char *path, nfl_repair_report *out, nfl_error *err)
{
    repair r = {.report = out, .err = err};
    NFL_TRY(repair_is_store(files, path, err));
    NFL_TRY(nfl__file_store_open_locked(files, path, &r.store, err));
    nfl__loader_init(&r.loader, &r.store->memory);
    nfl_status status = repair_all(&r);
    nfl__loader_free(&r.loader);
    nfl__delete(&r.store->memory, r.origins, r.origin_capacity, sizeof *r.origins);
    nfl__delete(&r.store->memory, r.aside, r.aside_capacity, sizeof *r.aside);
    nfl__file_store_close_locked(r.store);
    if (status != NFL_OK)
        return status;
    const nfl_store_opts opts = {.struct_size = sizeof opts};
    const nfl__store_ops *ops;
    void *self;
    NFL_TRY(nfl__file_store_open_with(files, path, &opts, &self, &ops, err));
    ops->close(self);
    return NFL_OK;
}

nfl_status nfl__file_store_repair(const char *path, nfl_repair_report *out, nfl_error *err)
{
    return nfl__file_store_repair_with(&nfl__files_system, path, out, err);
}

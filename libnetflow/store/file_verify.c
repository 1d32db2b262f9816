/* Reading everything back: each segment's digest, directory and every column, and the journal. */
#include "base/error.h"
#include "store/file_store.h"
#include "store/segment.h"

#include <stdio.h>

typedef struct verifier {
    nfl__file_store *store;
    nfl__memory memory;
    nfl_verify_report *report;
    nfl__loader loader;
} verifier;

/* Damage is counted and the check goes on; what says nothing about the files (no memory, failed read) ends it. */
static nfl_status verify_count(verifier *v, nfl_status status, uint64_t *bad, const nfl_error *why, nfl_error *err)
{
    if (status == NFL_E_NOMEM || status == NFL_E_IO) {
        if (err)
            *err = *why;
        return status;
    }
    if (status != NFL_OK) {
        ++*bad;
        if (!v->report->first_problem[0])
            (void)snprintf(v->report->first_problem, sizeof v->report->first_problem, "%s", why->message);
    }
    return NFL_OK;
}

static nfl_status verify_block(verifier *v, const nfl__segment *segment, const nfl__block *block, nfl_error *err)
{
    nfl__batch batch = {.rows = block->rows};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        NFL_TRY(nfl__segment_load(segment, block, field, &v->loader, &batch, err));
    return NFL_OK;
}

static nfl_status verify_sums(verifier *v, nfl__segment *segment, nfl_error *err)
{
    nfl_error why;
    NFL_TRY(verify_count(v, nfl__segment_read_sums(segment, &why), &v->report->bad_blocks, &why, err));
    for (size_t i = 0; i < segment->sum_block_count; i++) {
        v->report->blocks++;
        NFL_TRY(verify_count(v, verify_block(v, segment, &segment->sum_blocks[i], &why), &v->report->bad_blocks, &why, err));
    }
    return NFL_OK;
}

static nfl_status verify_blocks(verifier *v, nfl__segment *segment, nfl_error *err)
{
    nfl_error why;
    for (uint32_t i = 0; i < segment->block_count; i++) {
        v->report->blocks++;
        nfl_status status = verify_block(v, segment, &segment->blocks[i], &why);
        if (status == NFL_OK)
            v->report->flows += segment->blocks[i].rows;
        NFL_TRY(verify_count(v, status, &v->report->bad_blocks, &why, err));
    }
    return verify_sums(v, segment, err);
}

static nfl_status verify_segment(verifier *v, const nfl__segment_entry *entry, nfl_error *err)
{
    nfl__segment segment;
    nfl_error why;
    char name[NFL__NAME_SIZE];
    nfl__segment_name(entry, name);
    v->report->files++;
    nfl_status status = nfl__segment_open(&segment, v->store->files, v->store->root, name, &v->memory, &why);
    if (status == NFL_OK) {
        nfl_status blocks = verify_blocks(v, &segment, err);
        status = nfl__segment_check_digest(&segment, &why);
        if (status == NFL_OK && segment.digest != entry->digest)
            status = nfl__fail(&why, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s: not the file that the manifest names", name);
        nfl__segment_close(&segment);
        NFL_TRY(blocks);
    }
    return verify_count(v, status, &v->report->bad_files, &why, err);
}

/* A journal that a writer set aside. Its good flows are sealed; the others are lost. */
static int verify_see_journal(void *ctx, const char *name, int is_dir)
{
    verifier *v = ctx;
    size_t len = strlen(name), end = strlen(NFL__JOURNAL_DAMAGED);
    nfl_error why;
    if (is_dir || len < end || strcmp(name + len - end, NFL__JOURNAL_DAMAGED) != 0)
        return 0;
    v->report->files++;
    nfl_status status = nfl__fail(&why, NFL_E_CORRUPT, NFL_NO_OFFSET,
                                  "journal/%.60s: flows were lost; delete the file when you have taken note", name);
    (void)verify_count(v, status, &v->report->bad_files, &why, NULL);
    return 0;
}

/* A reader's snapshot was read from the journal and so checked it; a writer's is its memory, so its file is read here. */
static nfl_status verify_journal(verifier *v, nfl_error *err)
{
    const nfl__journal *journal = &v->store->journal;
    nfl__journal_extent extent = {0};
    char name[NFL__NAME_SIZE];
    nfl_error why;
    if (v->store->lock < 0 || journal->file < 0)
        return NFL_OK;
    nfl__journal_name(journal->id, name);
    nfl_status status =
        nfl__journal_read(v->store->files, journal->file, journal->id, &v->memory, NULL, NULL, &extent, &why);
    if (status == NFL_OK && (extent.damaged || extent.good_bytes != journal->size))
        status = nfl__fail(&why, NFL_E_CORRUPT, extent.good_bytes, "%s: %llu flows or more are damaged", name,
                           (unsigned long long)extent.damaged_rows);
    return verify_count(v, status, &v->report->bad_files, &why, err);
}

static nfl_status verify_all(verifier *v, const nfl__snapshot *snapshot, nfl_error *err)
{
    const nfl__files *files = v->store->files;
    v->report->files += snapshot->tail_count > 0 ? 2 : 1; /* manifest, journal */
    for (size_t i = 0; i < snapshot->entry_count; i++)
        NFL_TRY(verify_segment(v, &snapshot->entries[i], err));
    for (size_t i = 0; i < snapshot->tail_count; i++)
        v->report->flows += snapshot->tail_rows[i];
    NFL_TRY(verify_journal(v, err));
    int result = files->list(files->ctx, v->store->root, "journal", verify_see_journal, v);
    if (result < 0)
        return nfl__fail_io(err, -result, "list journal");
    if (v->report->bad_files + v->report->bad_blocks == 0)
        return NFL_OK;
    return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "%llu bad files, %llu bad blocks; first: %.150s",
                     (unsigned long long)v->report->bad_files, (unsigned long long)v->report->bad_blocks,
                     v->report->first_problem);
}

nfl_status nfl__file_store_verify(void *self, nfl_verify_report *out, nfl_error *err)
{
    nfl__file_store *store = self;
    verifier v = {.store = store, .report = out};
    nfl__snapshot snapshot;
    nfl__memory_init(&v.memory, &store->memory.alloc, 0);
    nfl__loader_init(&v.loader, &v.memory);
    nfl_error why;
    nfl_status status = nfl__file_store_snapshot(store, &v.memory, &snapshot, &why);
    NFL_TRY(verify_count(&v, status, &out->bad_files, &why, err));
    status = verify_all(&v, &snapshot, err);
    nfl__snapshot_free(&snapshot, &v.memory);
    nfl__loader_free(&v.loader);
    return status;
}

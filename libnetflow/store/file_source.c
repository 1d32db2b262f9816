#include "store/file_source.h"

#include "base/error.h"
#include "query/filter_address.h"
#include "query/filter_plan.h"
#include "store/address_index.h"
#include "store/segment.h"

typedef struct file_source {
    nfl__source source;
    nfl__memory memory;
    const nfl__files *files;
    int root;
    const nfl_filter *filter;
    nfl__snapshot snapshot;
    size_t next_entry;
    size_t next_tail;
    nfl__segment segment; /* file -1 = none open */
    uint32_t next_block;
    uint64_t may_match;    /* groups of its blocks, by the addresses they have */
    uint32_t blocks_a_bit;
    int has_address;       /* the filter says something about addresses */
    const nfl__adding *adding; /* sums will do; NULL = they will not */
    uint32_t next_sum, end_sum; /* blocks of sums of the open segment that are read instead of its flows; alike = none */
    uint8_t sums;          /* NFL__SUMS_* of them */
    uint64_t stands_for;   /* flows of the open segment, as long as that was not told */
    const nfl__block *block;      /* the current one is of the open segment ... */
    const nfl__columns *columns;  /* ... or not sealed */
    nfl__loader loader;
} file_source;

void nfl__snapshot_free(nfl__snapshot *snapshot, nfl__memory *memory)
{
    for (size_t i = 0; i < snapshot->tail_count; i++)
        nfl__columns_release(snapshot->tails[i]);
    nfl__delete(memory, snapshot->entries, snapshot->entry_count, sizeof *snapshot->entries);
    nfl__delete(memory, snapshot->tails, snapshot->tail_count, sizeof *snapshot->tails);
    nfl__delete(memory, snapshot->tail_rows, snapshot->tail_count, sizeof *snapshot->tail_rows);
    if (snapshot->files && snapshot->lock >= 0)
        snapshot->files->close(snapshot->files->ctx, snapshot->lock);
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->lock = -1;
}

/* Can any row of these extents match? Everything else about them is unknown. */
static int source_may_match(const file_source *s, const nfl__extent *extent)
{
    nfl__zone zones[NFL_FIELD_STORED_COUNT] = {0};
    zones[NFL_FIELD_FIRST] = (nfl__zone){.known = 1, .min = (uint64_t)extent->first_min, .max = (uint64_t)extent->first_max};
    zones[NFL_FIELD_RECEIVED] =
        (nfl__zone){.known = 1, .min = (uint64_t)extent->received_min, .max = (uint64_t)extent->received_max};
    return nfl__filter_may_match(s->filter, zones);
}

/* A segment's file is not there: fine if it was expired since. Without a lock it may have been merged instead, however old. */
static nfl_status source_missing(file_source *s, const nfl__segment_entry *entry, const char *name, nfl_error *err)
{
    nfl__manifest manifest;
    int named = 0;
    NFL_TRY(nfl__manifest_read(&manifest, s->files, s->root, &s->memory, err));
    for (size_t i = 0; i < manifest.count; i++)
        named |= manifest.segments[i].id == entry->id;
    int expired = !named && s->snapshot.lock >= 0 && entry->extent.received_max < manifest.expired_before_us;
    nfl__manifest_free(&manifest, &s->memory);
    if (expired)
        return NFL_OK;
    return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s is missing%s", name,
                     named ? "" : ": it was dropped or merged into another segment while it was being read; ask again");
}

static nfl_status source_find_address(void *ctx, uint32_t field, const nfl__range *ranges, uint32_t count, uint64_t *bits,
                                      nfl_error *err)
{
    return nfl__address_index_find(ctx, ranges, count, field == NFL_FIELD_DST, bits, err);
}

/* Which blocks may match, by the addresses that the filter names. */
static nfl_status source_look_up(file_source *s, nfl_error *err)
{
    nfl__address_index index;
    s->may_match = UINT64_MAX;
    s->blocks_a_bit = 1;
    if (!s->has_address || s->segment.addresses.len == 0)
        return NFL_OK;
    NFL_TRY(nfl__address_index_open(&index, &s->memory, nfl__segment_read_index, &s->segment, s->segment.addresses.len, err));
    nfl_status status = nfl__filter_address_bits(s->filter, source_find_address, &index, &s->may_match, err);
    s->blocks_a_bit = index.blocks_a_bit;
    nfl__address_index_close(&index);
    return status;
}

static int source_has_address(const file_source *s, uint32_t block)
{
    uint32_t bit = block / s->blocks_a_bit;
    return bit > 63 || s->may_match >> bit & 1;
}

static nfl_status source_open_segment(file_source *s, const nfl__segment_entry *entry, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    nfl_error why;
    nfl__segment_name(entry, name);
    nfl_status status = nfl__segment_open_ends(&s->segment, s->files, s->root, name, &s->memory, &why);
    if (status == NFL_E_NOT_FOUND)
        return source_missing(s, entry, name, err);
    if (status == NFL_OK && s->segment.digest != entry->digest)
        status = nfl__fail(&why, NFL_E_CORRUPT, NFL_NO_OFFSET, "%s: not the file that the manifest names", name);
    if (status == NFL_OK)
        status = source_look_up(s, &why);
    if (status != NFL_OK && err)
        *err = why;
    return status;
}

/* Can these sums be read instead of the segment's flows? If the window cuts the segment, only in the place of flows that are gone,
 * and by their buckets. */
static int source_takes_sums(const file_source *s, const nfl__sums_kind *kind, int whole)
{
    nfl_usec from_us, to_us;
    nfl__filter_window(s->filter, &from_us, &to_us);
    return nfl__sums_answer(kind, s->adding) &&
           (whole || nfl__sums_cut(kind, from_us == INT64_MIN ? 0 : from_us, to_us == INT64_MAX ? 0 : to_us));
}

static uint64_t source_sum_rows(const file_source *s, const nfl__segment_sums *sums)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < sums->count; i++)
        rows += s->segment.sum_blocks[sums->first + i].rows;
    return rows;
}

/* Look for the fewest sums that tell what is asked. */
static nfl_status source_use_sums(file_source *s, const nfl__segment_entry *entry, nfl_error *err)
{
    int whole = s->adding && nfl__filter_takes_all(s->filter, entry->extent.first_min, entry->extent.first_max);
    int cut = s->adding && (entry->flags & NFL__ENTRY_SUMS) && nfl__filter_is_window(s->filter);
    s->next_sum = s->end_sum = 0;
    if (!whole && !cut)
        return NFL_OK;
    NFL_TRY(nfl__segment_read_sums(&s->segment, err));
    uint64_t fewest = UINT64_MAX;
    for (uint32_t i = 0; i < s->segment.sum_kind_count; i++) {
        const nfl__segment_sums *sums = &s->segment.sum_kinds[i];
        if (!source_takes_sums(s, sums->kind, whole) || source_sum_rows(s, sums) >= fewest)
            continue;
        fewest = source_sum_rows(s, sums);
        s->next_sum = sums->first;
        s->end_sum = sums->first + sums->count;
        s->sums = whole ? NFL__SUMS_WHOLE : NFL__SUMS_CUT;
        s->stands_for = entry->extent.rows;
    }
    return NFL_OK;
}

/* What is to be read of the segment. */
static nfl_status source_enter_segment(file_source *s, const nfl__segment_entry *entry, nfl_error *err)
{
    s->next_block = 0;
    NFL_TRY(source_use_sums(s, entry, err));
    if (s->next_sum < s->end_sum)
        return NFL_OK;
    if (!(entry->flags & NFL__ENTRY_SUMS))
        return nfl__segment_read_blocks(&s->segment, err);
    s->source.rows_reduced += entry->extent.rows;
    return NFL_OK; /* there are no blocks */
}

/* Open the next segment that may match. NFL_DONE: there is none. */
static nfl_status source_next_segment(file_source *s, nfl_error *err)
{
    nfl__segment_close(&s->segment);
    while (s->next_entry < s->snapshot.entry_count) {
        const nfl__segment_entry *entry = &s->snapshot.entries[s->next_entry++];
        if (!source_may_match(s, &entry->extent)) {
            s->source.blocks_skipped += (entry->extent.rows + NFL__BATCH_ROWS - 1) / NFL__BATCH_ROWS;
            continue;
        }
        NFL_TRY(source_open_segment(s, entry, err));
        if (s->segment.file >= 0 && s->may_match)
            return source_enter_segment(s, entry, err);
        if (s->segment.file >= 0)
            s->source.blocks_skipped += (entry->extent.rows + NFL__BATCH_ROWS - 1) / NFL__BATCH_ROWS;
        nfl__segment_close(&s->segment);
    }
    return NFL_DONE;
}

/* The next block of sums that may match; 0 when there are no more. */
static int source_next_sum(file_source *s)
{
    while (s->next_sum < s->end_sum) {
        s->block = &s->segment.sum_blocks[s->next_sum++];
        if (s->sums == NFL__SUMS_CUT && !nfl__filter_may_match(s->filter, s->block->zones))
            continue;
        s->source.batch.rows = s->block->rows;
        s->source.sums = s->sums;
        s->source.stands_for = s->stands_for;
        s->stands_for = 0;
        return 1;
    }
    return 0;
}

static nfl_status source_next_sealed(file_source *s, nfl_error *err)
{
    for (;;) {
        if (s->segment.file < 0) {
            nfl_status status = source_next_segment(s, err);
            if (status != NFL_OK)
                return status;
        }
        if (source_next_sum(s))
            return NFL_OK;
        while (s->end_sum == 0 && s->next_block < s->segment.block_count) {
            s->block = &s->segment.blocks[s->next_block++];
            if (source_has_address(s, s->next_block - 1) && nfl__filter_may_match(s->filter, s->block->zones)) {
                s->source.batch.rows = s->block->rows;
                return NFL_OK;
            }
            s->source.blocks_skipped++;
        }
        nfl__segment_close(&s->segment);
    }
}

static nfl_status source_next(nfl__source *source, nfl_error *err)
{
    file_source *s = (file_source *)source;
    source->batch.loaded = 0;
    source->sums = NFL__SUMS_NONE;
    s->block = NULL;
    s->columns = NULL;
    nfl_status status = source_next_sealed(s, err);
    if (status == NFL_DONE && s->next_tail < s->snapshot.tail_count) {
        s->columns = s->snapshot.tails[s->next_tail];
        source->batch.rows = s->snapshot.tail_rows[s->next_tail++];
        status = NFL_OK;
    }
    source->blocks_read += status == NFL_OK;
    return status;
}

static nfl_status source_load(nfl__source *source, uint32_t field, nfl_error *err)
{
    file_source *s = (file_source *)source;
    nfl__column *column = &source->batch.columns[field];
    if (source->batch.loaded & NFL_HAS(field))
        return NFL_OK;
    if (s->columns) {
        nfl__columns_view(s->columns, source->batch.rows, field, column);
    } else {
        s->loader.only = source->only;
        s->loader.only_count = source->only_count;
        return nfl__segment_load(&s->segment, s->block, field, &s->loader, &source->batch, err);
    }
    source->batch.loaded |= NFL_HAS(field);
    return NFL_OK;
}

static void source_add_up(nfl__source *source, const nfl__adding *asked)
{
    ((file_source *)source)->adding = asked;
}

static void source_free(nfl__source *source)
{
    file_source *s = (file_source *)source;
    nfl__segment_close(&s->segment);
    nfl__snapshot_free(&s->snapshot, &s->memory);
    nfl__loader_free(&s->loader);
    nfl__memory memory = s->memory;
    nfl__delete(&memory, s, 1, sizeof *s);
}

nfl_status nfl__file_source_new(const nfl_alloc *alloc, const nfl__files *files, int root, const nfl_filter *filter,
                                nfl__snapshot *snapshot, nfl__source **out, nfl_error *err)
{
    static const nfl__source_ops ops = {source_next, source_load, source_free, source_add_up};
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    file_source *s = nfl__new(&memory, 1, sizeof *s);
    if (!s)
        return nfl__fail_nomem(err, sizeof *s);
    s->source.ops = &ops;
    s->memory = memory;
    s->files = files;
    s->root = root;
    s->filter = filter;
    s->snapshot = *snapshot;
    s->segment.file = -1;
    s->has_address = nfl__filter_has_address(filter);
    nfl__loader_init(&s->loader, &s->memory);
    *out = &s->source;
    return NFL_OK;
}

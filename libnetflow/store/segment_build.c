#include "base/error.h"
#include "base/hash.h"
#include "store/address_index.h"
#include "store/compress.h"
#include "store/segment.h"
#include "store/segment_format.h"

enum {
    COMPRESS_FROM = 64,    /* bytes */
    COMPRESSION_PAYS = 2,  /* it must save one part in so many: a compressed column can only be read as a whole */
    COMPRESSION_TRIED = 8  /* blocks between trying both forms of a column */
};

struct nfl__segment_builder {
    nfl__memory memory;
    nfl__encoder *encoder;
    uint32_t encoder_rows;
    unsigned level;
    uint32_t blocks;
    nfl__extent extent;
    nfl__buffer out;
    nfl__index_builder index;
    nfl__buffer directory;
    nfl__buffer origin;
    nfl__buffer sums_directory;
    nfl__sums_builder *sums; /* of level COMPACT */
    nfl__buffer planes;     /* a chunk in the form that compresses well */
    nfl__buffer compressed;
    void *compressor;
    uint8_t compresses[NFL_FIELD_STORED_COUNT]; /* the compressed form won when both were tried */
    uint32_t tried_at[NFL_FIELD_STORED_COUNT];  /* number of that block, from 1; 0 = not yet in this segment */
    nfl_error *err;
};

typedef nfl__segment_builder segment_builder;

void nfl__segment_builder_free(nfl__segment_builder *b)
{
    if (!b)
        return;
    nfl__memory memory = b->memory;
    nfl__encoder_free(b->encoder, &b->memory);
    nfl__buffer_free(&b->out);
    nfl__index_builder_free(&b->index);
    nfl__sums_builder_free(b->sums);
    nfl__buffer_free(&b->sums_directory);
    nfl__buffer_free(&b->directory);
    nfl__buffer_free(&b->origin);
    nfl__buffer_free(&b->planes);
    nfl__buffer_free(&b->compressed);
    nfl__compressor_free(b->compressor);
    nfl__delete(&memory, b, 1, sizeof *b);
}

nfl__segment_builder *nfl__segment_builder_new(const nfl_alloc *alloc)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__segment_builder *b = nfl__new(&memory, 1, sizeof *b);
    if (!b)
        return NULL;
    b->memory = memory;
    b->out.memory = b->directory.memory = b->origin.memory = b->sums_directory.memory = b->planes.memory = b->compressed.memory = &b->memory;
    return b;
}

static nfl_status build_nomem(segment_builder *b)
{
    return nfl__fail_nomem(b->err, b->out.len);
}

static nfl_status build_bytes(segment_builder *b, nfl__buffer *buffer, const void *src, size_t len)
{
    uint8_t *dst = nfl__buffer_room(buffer, len);
    if (!dst)
        return build_nomem(b);
    if (len)
        memcpy(dst, src, len);
    return NFL_OK;
}

static nfl_status build_number(segment_builder *b, nfl__buffer *buffer, uint64_t value, size_t len)
{
    uint8_t *dst = nfl__buffer_room(buffer, len);
    if (!dst)
        return build_nomem(b);
    nfl__store_le(dst, value, len);
    return NFL_OK;
}

static nfl_status build_zone(segment_builder *b, nfl__buffer *directory, const nfl__zone *zone, int addresses)
{
    if (addresses) {
        NFL_TRY(build_bytes(b, directory, &zone->min_ip, sizeof zone->min_ip));
        return build_bytes(b, directory, &zone->max_ip, sizeof zone->max_ip);
    }
    NFL_TRY(build_number(b, directory, zone->min, 8));
    return build_number(b, directory, zone->max, 8);
}

static nfl_status build_packed(segment_builder *b, uint32_t field, nfl__chunk *chunk)
{
    *chunk = (nfl__chunk){.offset = b->out.len};
    if (!nfl__encode_column(b->encoder, field, 0, &b->out, &chunk->form))
        return build_nomem(b);
    chunk->len = chunk->raw_len = (uint32_t)(b->out.len - chunk->offset);
    return NFL_OK;
}

/* As byte planes, compressed, to b->compressed. */
static nfl_status build_planes(segment_builder *b, uint32_t field, nfl__chunk *chunk)
{
    size_t len;
    *chunk = (nfl__chunk){.offset = b->out.len, .compression = SEGMENT_ZSTD};
    b->planes.len = b->compressed.len = 0;
    if (!nfl__encode_column(b->encoder, field, 1, &b->planes, &chunk->form) || !nfl__compressor_new(&b->compressor) ||
        !nfl__buffer_room(&b->compressed, nfl__compress_bound(b->planes.len)))
        return build_nomem(b);
    if (!nfl__compress(b->compressor, b->compressed.data, b->compressed.len, b->planes.data, b->planes.len, &len))
        return build_nomem(b);
    chunk->len = (uint32_t)len;
    chunk->raw_len = (uint32_t)b->planes.len;
    return NFL_OK;
}

/* Both forms, of which the compressed one must be clearly smaller; what wins is taken for the next blocks, too. */
static nfl_status build_smaller(segment_builder *b, uint32_t field, nfl__chunk *chunk)
{
    nfl__chunk planes;
    NFL_TRY(build_packed(b, field, chunk));
    b->compresses[field] = 0;
    if (chunk->len < COMPRESS_FROM)
        return NFL_OK;
    NFL_TRY(build_planes(b, field, &planes));
    if (planes.len > chunk->len - chunk->len / COMPRESSION_PAYS)
        return NFL_OK;
    b->compresses[field] = 1;
    memcpy(b->out.data + chunk->offset, b->compressed.data, planes.len);
    b->out.len = chunk->offset + planes.len;
    planes.offset = chunk->offset;
    *chunk = planes;
    return NFL_OK;
}

static nfl_status build_as_before(segment_builder *b, uint32_t field, nfl__chunk *chunk)
{
    if (!b->compresses[field])
        return build_packed(b, field, chunk);
    NFL_TRY(build_planes(b, field, chunk));
    return build_bytes(b, &b->out, b->compressed.data, chunk->len);
}

static nfl_status build_form(segment_builder *b, uint32_t field, nfl__chunk *chunk)
{
    if (b->level == NFL__SEGMENT_FAST || !NFL__CAN_COMPRESS)
        return build_packed(b, field, chunk);
    int try_both = b->tried_at[field] == 0 || b->blocks - b->tried_at[field] >= COMPRESSION_TRIED;
    if (!try_both)
        return build_as_before(b, field, chunk);
    b->tried_at[field] = b->blocks;
    return build_smaller(b, field, chunk);
}

/* The column's chunk at the end of the file; of a partner, that of the first one of the pair. */
static nfl_status build_chunk(segment_builder *b, uint32_t field, nfl__chunk *chunks)
{
    nfl__chunk *chunk = &chunks[field];
    NFL_TRY(build_form(b, field, chunk));
    if (chunk->form.encoding == NFL__ENCODING_PARTNER) {
        nfl__chunk_form form = chunk->form;
        b->out.len = chunk->offset;
        *chunk = chunks[form.reference];
        chunk->form = form;
        return NFL_OK;
    }
    chunk->hash = nfl__hash(b->out.data + chunk->offset, chunk->len, 0);
    return NFL_OK;
}

static nfl_status build_entry(segment_builder *b, nfl__buffer *directory, uint32_t field, const nfl__chunk *chunk,
                              const nfl__zone *zone)
{
    int addresses = nfl__field_slots[field].type == NFL_TYPE_IP;
    uint8_t row[SEGMENT_CHUNK] = {(uint8_t)field, chunk->form.encoding, chunk->compression,
                                  (uint8_t)((zone->has_null ? SEGMENT_CHUNK_HAS_NULL : 0) | (addresses ? SEGMENT_CHUNK_ADDRESSES : 0))};
    nfl__store_le(row + 4, chunk->len, 4);
    nfl__store_le(row + 8, chunk->offset, 8);
    nfl__store_le(row + 16, chunk->hash, 8);
    nfl__store_le(row + 24, chunk->raw_len, 4);
    row[28] = chunk->form.reference;
    row[29] = chunk->form.validity_of;
    NFL_TRY(build_bytes(b, directory, row, sizeof row));
    return build_zone(b, directory, zone, addresses);
}

/* Views of the columns that some row has, and their zones. */
static void build_views(const nfl__columns *columns, nfl__batch *batch, nfl__zone *zones)
{
    memset(batch, 0, sizeof *batch);
    batch->rows = columns->rows;
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        nfl__column *view = &batch->columns[field];
        nfl__columns_view(columns, columns->rows, field, view);
        if (view->form == NFL__COLUMN_NULL)
            continue;
        nfl__zone_compute(&zones[field], field, view->values, view->valid, columns->rows);
        if (zones[field].all_null)
            view->form = NFL__COLUMN_NULL;
    }
}

/* An encoder for blocks of so many rows. */
static nfl_status build_prepare(segment_builder *b, uint32_t rows)
{
    if (b->encoder && b->encoder_rows >= rows)
        return NFL_OK;
    nfl__encoder_free(b->encoder, &b->memory);
    b->encoder = nfl__encoder_new(&b->memory, rows);
    b->encoder_rows = b->encoder ? rows : 0;
    return b->encoder ? NFL_OK : build_nomem(b);
}

/* The chunks of the block that the encoder has been started with, and its entry in a directory. */
static nfl_status build_chunks(segment_builder *b, nfl__buffer *directory, const nfl__batch *batch, const nfl__zone *zones)
{
    nfl__chunk chunks[NFL_FIELD_STORED_COUNT];
    uint32_t count = 0;
    NFL_TRY(build_number(b, directory, batch->rows, 4));
    size_t count_at = directory->len;
    NFL_TRY(build_number(b, directory, 0, 4));
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        if (batch->columns[field].form == NFL__COLUMN_NULL)
            continue;
        NFL_TRY(build_chunk(b, field, chunks));
        NFL_TRY(build_entry(b, directory, field, &chunks[field], &zones[field]));
        count++;
    }
    nfl__store_le(directory->data + count_at, count, 4);
    return NFL_OK;
}

static nfl_status build_block(segment_builder *b, const nfl__columns *columns)
{
    nfl__batch batch;
    nfl__zone zones[NFL_FIELD_STORED_COUNT];
    build_views(columns, &batch, zones);
    nfl__encoder_start(b->encoder, &batch);
    if (!nfl__index_builder_add(&b->index, b->encoder, &batch))
        return build_nomem(b);
    if (b->level != NFL__SEGMENT_FAST)
        NFL_TRY(nfl__sums_add(b->sums, b->encoder, &batch, b->err));
    if (b->level == NFL__SEGMENT_SUMS)
        return NFL_OK;
    b->blocks++;
    return build_chunks(b, &b->directory, &batch, zones);
}

/* --- sums --- */

static nfl_status build_sums_block(segment_builder *b, const nfl__columns *columns)
{
    nfl__batch batch;
    nfl__zone zones[NFL_FIELD_STORED_COUNT];
    NFL_TRY(build_prepare(b, columns->rows));
    build_views(columns, &batch, zones);
    nfl__encoder_start(b->encoder, &batch);
    return build_chunks(b, &b->sums_directory, &batch, zones);
}

static nfl_status build_sums_kind(segment_builder *b, uint32_t i)
{
    nfl__buffer *directory = &b->sums_directory;
    const nfl__columns *columns;
    size_t head_at = directory->len;
    uint32_t blocks = 0;
    for (;;) {
        NFL_TRY(nfl__sums_next(b->sums, i, &columns, b->err));
        if (!columns)
            break;
        if (blocks++ == 0) {
            NFL_TRY(build_number(b, directory, nfl__sums_kinds[i].id, 4));
            NFL_TRY(build_number(b, directory, 0, 4));
        }
        NFL_TRY(build_sums_block(b, columns));
    }
    if (blocks)
        nfl__store_le(directory->data + head_at + 4, blocks, 4);
    return NFL_OK;
}

/* Sums are compressed by what is found about them, not about the flows. */
static nfl_status build_sums(segment_builder *b)
{
    for (uint32_t i = 0; i < NFL__SUMS_KINDS; i++) {
        memset(b->tried_at, 0, sizeof b->tried_at);
        NFL_TRY(build_sums_kind(b, i));
    }
    return NFL_OK;
}

/* The head of the directory, for which room was left. */
static void build_directory_head(segment_builder *b)
{
    uint8_t *dst = b->directory.data;
    nfl__store_le(dst, b->extent.rows, 8);
    nfl__store_le(dst + 8, (uint64_t)b->extent.received_min, 8);
    nfl__store_le(dst + 16, (uint64_t)b->extent.received_max, 8);
    nfl__store_le(dst + 24, (uint64_t)b->extent.first_min, 8);
    nfl__store_le(dst + 32, (uint64_t)b->extent.first_max, 8);
    nfl__store_le(dst + 40, b->blocks, 8);
}

static nfl_status build_section(segment_builder *b, nfl__buffer *table, uint32_t type, uint32_t flags, uint64_t from)
{
    uint8_t row[SEGMENT_SECTION];
    nfl__store_le(row, type, 4);
    nfl__store_le(row + 4, flags, 4);
    nfl__store_le(row + 8, from, 8);
    nfl__store_le(row + 16, b->out.len - from, 8);
    nfl__store_le(row + 24, nfl__hash(b->out.data + from, b->out.len - from, 0), 8);
    return build_bytes(b, table, row, sizeof row);
}

/* The sections; their table, in the place of the chunk that was compressed last. */
static nfl_status build_sections(segment_builder *b, nfl__buffer *table)
{
    uint64_t from = b->out.len;
    table->len = 0;
    NFL_TRY(build_bytes(b, &b->out, b->directory.data, b->directory.len));
    NFL_TRY(build_section(b, table, SEGMENT_DIRECTORY, SEGMENT_MUST_UNDERSTAND, from));
    from = b->out.len;
    if (!nfl__index_builder_write(&b->index, nfl__encoder_work(b->encoder), &b->out))
        return build_nomem(b);
    NFL_TRY(build_section(b, table, SEGMENT_ADDRESSES, 0, from));
    from = b->out.len;
    NFL_TRY(build_bytes(b, &b->out, b->origin.data, b->origin.len));
    NFL_TRY(build_section(b, table, SEGMENT_ORIGIN, 0, from));
    from = b->out.len;
    if (b->sums_directory.len == 0)
        return NFL_OK;
    NFL_TRY(build_bytes(b, &b->out, b->sums_directory.data, b->sums_directory.len));
    return build_section(b, table, SEGMENT_SUMS, 0, from);
}

/* Sections, their table, footer. */
static nfl_status build_end(segment_builder *b, uint64_t *digest)
{
    nfl__buffer *table = &b->planes;
    NFL_TRY(build_sections(b, table));
    uint64_t table_at = b->out.len;
    NFL_TRY(build_bytes(b, &b->out, table->data, table->len));
    *digest = nfl__hash(b->out.data, b->out.len, 0);
    NFL_TRY(build_number(b, &b->out, table_at, 8));
    NFL_TRY(build_number(b, &b->out, table->len / SEGMENT_SECTION, 4));
    NFL_TRY(build_number(b, &b->out, SEGMENT_VERSION, 4));
    NFL_TRY(build_number(b, &b->out, *digest, 8));
    NFL_TRY(build_number(b, &b->out, b->extent.rows, 8));
    NFL_TRY(build_number(b, &b->out, nfl__hash(table->data, table->len, 0), 8));
    return build_bytes(b, &b->out, SEGMENT_END_MAGIC, 8);
}

static void build_add_extent(nfl__extent *extent, const nfl__columns *columns)
{
    const nfl_usec *received = columns->values[NFL_FIELD_RECEIVED], *first = columns->values[NFL_FIELD_FIRST];
    for (uint32_t i = 0; i < columns->rows; i++) {
        nfl__extent one = {1, received[i], received[i], first[i], first[i]};
        nfl__extent_add(extent, &one);
    }
}

static nfl_status build_start_sums(segment_builder *b)
{
    if (!b->sums && !(b->sums = nfl__sums_builder_new(&b->memory.alloc)))
        return build_nomem(b);
    return nfl__sums_start(b->sums, b->level == NFL__SEGMENT_SUMS, b->err);
}

nfl_status nfl__segment_start(nfl__segment_builder *b, unsigned level, nfl_error *err)
{
    uint8_t head[SEGMENT_HEAD] = SEGMENT_MAGIC;
    b->err = err;
    b->level = level;
    b->out.len = b->directory.len = b->origin.len = b->sums_directory.len = 0;
    b->blocks = 0;
    memset(b->tried_at, 0, sizeof b->tried_at);
    memset(&b->extent, 0, sizeof b->extent);
    nfl__index_builder_start(&b->index, &b->memory);
    if (level != NFL__SEGMENT_FAST)
        NFL_TRY(build_start_sums(b));
    nfl__store_le(head + 8, SEGMENT_VERSION, 4);
    NFL_TRY(build_bytes(b, &b->out, head, sizeof head));
    return nfl__buffer_room(&b->directory, SEGMENT_DIRECTORY_HEAD) ? NFL_OK : build_nomem(b);
}

nfl_status nfl__segment_add(nfl__segment_builder *b, const nfl__columns *block, nfl_error *err)
{
    b->err = err;
    NFL_TRY(build_prepare(b, block->rows));
    build_add_extent(&b->extent, block);
    return build_block(b, block);
}

nfl_status nfl__segment_comes_from(nfl__segment_builder *b, uint64_t id, nfl_error *err)
{
    b->err = err;
    return build_number(b, &b->origin, id, 8);
}

nfl_status nfl__segment_finish(nfl__segment_builder *b, const nfl__buffer **bytes, nfl__extent *extent, uint64_t *digest,
                               nfl_error *err)
{
    b->err = err;
    if (b->level != NFL__SEGMENT_FAST)
        NFL_TRY(build_sums(b));
    build_directory_head(b);
    NFL_TRY(build_end(b, digest));
    *bytes = &b->out;
    *extent = b->extent;
    return NFL_OK;
}

nfl_status nfl__segment_build(nfl__segment_builder *b, nfl__columns *const *blocks, size_t count, unsigned level,
                              const nfl__buffer **bytes, nfl__extent *extent, uint64_t *digest, nfl_error *err)
{
    NFL_TRY(nfl__segment_start(b, level, err));
    for (size_t i = 0; i < count; i++)
        NFL_TRY(nfl__segment_add(b, blocks[i], err));
    return nfl__segment_finish(b, bytes, extent, digest, err);
}

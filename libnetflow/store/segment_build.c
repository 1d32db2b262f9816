#include "base/error.h"
#include "base/hash.h"
#include "store/segment.h"
#include "store/segment_format.h"

typedef struct segment_builder {
    nfl__memory *memory;
    nfl__encoder_work *work;
    nfl__buffer *out;
    nfl__buffer directory;
    nfl_error *err;
} segment_builder;

static nfl_status build_nomem(segment_builder *b)
{
    return nfl__fail_nomem(b->err, b->out->len);
}

static nfl_status build_bytes(segment_builder *b, nfl__buffer *buffer, const void *src, size_t len)
{
    uint8_t *dst = nfl__buffer_room(buffer, len);
    if (!dst)
        return build_nomem(b);
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

static nfl_status build_zone(segment_builder *b, const nfl__zone *zone, int addresses)
{
    if (addresses) {
        NFL_TRY(build_bytes(b, &b->directory, &zone->min_ip, sizeof zone->min_ip));
        return build_bytes(b, &b->directory, &zone->max_ip, sizeof zone->max_ip);
    }
    NFL_TRY(build_number(b, &b->directory, zone->min, 8));
    return build_number(b, &b->directory, zone->max, 8);
}

/* One column: chunk into the file, row into the directory. */
static nfl_status build_column(segment_builder *b, const nfl__columns *columns, uint32_t field, uint32_t *chunks)
{
    nfl__column view;
    nfl__zone zone;
    nfl__columns_view(columns, columns->rows, field, &view);
    if (view.form == NFL__COLUMN_NULL)
        return NFL_OK;
    nfl__zone_compute(&zone, field, view.values, view.valid, columns->rows);
    if (zone.all_null)
        return NFL_OK;
    uint32_t reference = nfl__encoding_reference(field);
    size_t offset = b->out->len;
    uint32_t encoding = nfl__encode_column(b->work, field, view.values, view.valid, columns->rows,
                                           reference == NFL_FIELD_NONE ? NULL : columns->values[reference], b->out);
    if (!encoding)
        return build_nomem(b);
    int addresses = nfl__field_slots[field].type == NFL_TYPE_IP;
    size_t len = b->out->len - offset;
    uint8_t head[8] = {(uint8_t)field, (uint8_t)encoding, 0,
                       (uint8_t)((zone.has_null ? SEGMENT_CHUNK_HAS_NULL : 0) | (addresses ? SEGMENT_CHUNK_ADDRESSES : 0))};
    nfl__store_le(head + 4, len, 4);
    NFL_TRY(build_bytes(b, &b->directory, head, sizeof head));
    NFL_TRY(build_number(b, &b->directory, offset, 8));
    NFL_TRY(build_number(b, &b->directory, nfl__hash(b->out->data + offset, len, 0), 8));
    (*chunks)++;
    return build_zone(b, &zone, addresses);
}

static nfl_status build_block(segment_builder *b, const nfl__columns *columns)
{
    uint32_t chunks = 0;
    NFL_TRY(build_number(b, &b->directory, columns->rows, 4));
    size_t count_at = b->directory.len;
    NFL_TRY(build_number(b, &b->directory, 0, 4));
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        NFL_TRY(build_column(b, columns, field, &chunks));
    nfl__store_le(b->directory.data + count_at, chunks, 4);
    return NFL_OK;
}

static nfl_status build_directory_head(segment_builder *b, const nfl__extent *extent, size_t blocks)
{
    NFL_TRY(build_number(b, &b->directory, extent->rows, 8));
    NFL_TRY(build_number(b, &b->directory, (uint64_t)extent->received_min, 8));
    NFL_TRY(build_number(b, &b->directory, (uint64_t)extent->received_max, 8));
    NFL_TRY(build_number(b, &b->directory, (uint64_t)extent->first_min, 8));
    NFL_TRY(build_number(b, &b->directory, (uint64_t)extent->first_max, 8));
    return build_number(b, &b->directory, blocks, 8);
}

/* Directory section, section table, footer. */
static nfl_status build_end(segment_builder *b, const nfl__extent *extent, uint64_t *digest)
{
    uint64_t directory_at = b->out->len;
    NFL_TRY(build_bytes(b, b->out, b->directory.data, b->directory.len));
    uint64_t table_at = b->out->len;
    NFL_TRY(build_number(b, b->out, SEGMENT_DIRECTORY, 4));
    NFL_TRY(build_number(b, b->out, SEGMENT_MUST_UNDERSTAND, 4));
    NFL_TRY(build_number(b, b->out, directory_at, 8));
    NFL_TRY(build_number(b, b->out, b->directory.len, 8));
    NFL_TRY(build_number(b, b->out, nfl__hash(b->directory.data, b->directory.len, 0), 8));
    *digest = nfl__hash(b->out->data, b->out->len, 0);
    uint64_t table_hash = nfl__hash(b->out->data + table_at, b->out->len - table_at, 0);
    NFL_TRY(build_number(b, b->out, table_at, 8));
    NFL_TRY(build_number(b, b->out, 1, 4));
    NFL_TRY(build_number(b, b->out, SEGMENT_VERSION, 4));
    NFL_TRY(build_number(b, b->out, *digest, 8));
    NFL_TRY(build_number(b, b->out, extent->rows, 8));
    NFL_TRY(build_number(b, b->out, table_hash, 8));
    return build_bytes(b, b->out, SEGMENT_END_MAGIC, 8);
}

static void build_add_extent(nfl__extent *extent, const nfl__columns *columns)
{
    const nfl_usec *received = columns->values[NFL_FIELD_RECEIVED], *first = columns->values[NFL_FIELD_FIRST];
    for (uint32_t i = 0; i < columns->rows; i++) {
        nfl__extent one = {1, received[i], received[i], first[i], first[i]};
        nfl__extent_add(extent, &one);
    }
}

static nfl_status build_all(segment_builder *b, nfl__columns *const *blocks, size_t count, nfl__extent *extent, uint64_t *digest)
{
    uint8_t head[SEGMENT_HEAD] = SEGMENT_MAGIC;
    nfl__store_le(head + 8, SEGMENT_VERSION, 4);
    NFL_TRY(build_bytes(b, b->out, head, sizeof head));
    memset(extent, 0, sizeof *extent);
    for (size_t i = 0; i < count; i++)
        build_add_extent(extent, blocks[i]);
    NFL_TRY(build_directory_head(b, extent, count));
    for (size_t i = 0; i < count; i++)
        NFL_TRY(build_block(b, blocks[i]));
    return build_end(b, extent, digest);
}

nfl_status nfl__segment_build(nfl__columns *const *blocks, size_t count, nfl__buffer *out, nfl__extent *extent,
                              uint64_t *digest, nfl_error *err)
{
    uint32_t rows = 0; /* of the largest block */
    for (size_t i = 0; i < count; i++)
        rows = blocks[i]->rows > rows ? blocks[i]->rows : rows;
    segment_builder b = {out->memory, nfl__encoder_work_new(out->memory, rows), out, {out->memory, NULL, 0, 0}, err};
    nfl_status status = b.work ? build_all(&b, blocks, count, extent, digest) : build_nomem(&b);
    nfl__encoder_work_free(b.work, b.memory);
    nfl__buffer_free(&b.directory);
    return status;
}

#include "base/error.h"
#include "base/hash.h"
#include "base/rd.h"
#include "store/compress.h"
#include "store/segment.h"
#include "store/segment_format.h"

#include <errno.h>

static nfl_status segment_corrupt(const nfl__segment *segment, uint64_t offset, const char *what, nfl_error *err)
{
    return nfl__fail(err, NFL_E_CORRUPT, offset, "%s: %s", segment->name, what);
}

/* --- directory --- */

static void segment_read_zone(nfl__rd *rd, int addresses, int has_null, nfl__zone *zone)
{
    zone->all_null = 0;
    zone->has_null = (uint8_t)has_null;
    if (!addresses) {
        zone->min = nfl__rd_u64_le(rd);
        zone->max = nfl__rd_u64_le(rd);
        return;
    }
    const uint8_t *min = nfl__rd_bytes(rd, 16), *max = nfl__rd_bytes(rd, 16);
    if (max) {
        memcpy(&zone->min_ip, min, 16);
        memcpy(&zone->max_ip, max, 16);
    }
}

static nfl_status segment_read_chunk(const nfl__segment *segment, nfl__rd *rd, nfl__block *block, nfl_error *err)
{
    uint8_t field = nfl__rd_u8(rd), encoding = nfl__rd_u8(rd), compression = nfl__rd_u8(rd), flags = nfl__rd_u8(rd);
    nfl__chunk chunk = {.form = {.encoding = encoding}, .compression = compression};
    nfl__zone zone = {.known = 1};
    chunk.len = nfl__rd_u32_le(rd);
    chunk.offset = nfl__rd_u64_le(rd);
    chunk.hash = nfl__rd_u64_le(rd);
    chunk.raw_len = nfl__rd_u32_le(rd);
    chunk.form.reference = nfl__rd_u8(rd);
    chunk.form.validity_of = nfl__rd_u8(rd);
    nfl__rd_skip(rd, 2);
    segment_read_zone(rd, flags & SEGMENT_CHUNK_ADDRESSES, flags & SEGMENT_CHUNK_HAS_NULL, &zone);
    if (rd->failed || chunk.len == 0 || chunk.offset > segment->size || chunk.len > segment->size - chunk.offset)
        return segment_corrupt(segment, chunk.offset, "a chunk lies outside of the file", err);
    if (field >= NFL_FIELD_STORED_COUNT) /* of a newer library */
        return NFL_OK;
    int addresses = nfl__field_slots[field].type == NFL_TYPE_IP;
    if (addresses != ((flags & SEGMENT_CHUNK_ADDRESSES) != 0) || block->chunks[field].len)
        return segment_corrupt(segment, chunk.offset, "the directory contradicts itself", err);
    block->chunks[field] = chunk;
    block->zones[field] = zone;
    return NFL_OK;
}

static nfl_status segment_read_block(const nfl__segment *segment, nfl__rd *rd, nfl__block *block, nfl_error *err)
{
    block->rows = nfl__rd_u32_le(rd);
    uint32_t chunks = nfl__rd_u32_le(rd);
    if (rd->failed || block->rows == 0 || block->rows > NFL__BATCH_ROWS || chunks > 256)
        return segment_corrupt(segment, NFL_NO_OFFSET, "a block has an impossible size", err);
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        block->zones[field] = (nfl__zone){.known = 1, .all_null = 1, .has_null = 1};
    for (uint32_t i = 0; i < chunks; i++)
        NFL_TRY(segment_read_chunk(segment, rd, block, err));
    return NFL_OK;
}

static nfl_status segment_read_flows(const nfl__segment *segment, nfl__rd *rd, nfl__block *block, nfl_error *err)
{
    NFL_TRY(segment_read_block(segment, rd, block, err));
    for (uint64_t always = NFL__FIELDS_ALWAYS; always; always &= always - 1)
        if (!block->chunks[__builtin_ctzll(always)].len)
            return segment_corrupt(segment, NFL_NO_OFFSET, "a column that every block has is missing", err);
    return NFL_OK;
}

static nfl_status segment_parse_directory(nfl__segment *segment, nfl__rd *rd, nfl_error *err)
{
    segment->extent.rows = nfl__rd_u64_le(rd);
    segment->extent.received_min = (nfl_usec)nfl__rd_u64_le(rd);
    segment->extent.received_max = (nfl_usec)nfl__rd_u64_le(rd);
    segment->extent.first_min = (nfl_usec)nfl__rd_u64_le(rd);
    segment->extent.first_max = (nfl_usec)nfl__rd_u64_le(rd);
    uint32_t count = nfl__rd_u32_le(rd);
    nfl__rd_skip(rd, 4);
    if (rd->failed || (count == 0 && segment->sums.len == 0) || count > nfl__rd_left(rd) / 8)
        return segment_corrupt(segment, NFL_NO_OFFSET, "the directory is too short", err);
    if (count == 0)
        return NFL_OK;
    segment->blocks = nfl__new(segment->memory, count, sizeof *segment->blocks);
    if (!segment->blocks)
        return nfl__fail_nomem(err, nfl__mul(count, sizeof *segment->blocks));
    segment->block_count = count;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        NFL_TRY(segment_read_flows(segment, rd, &segment->blocks[i], err));
        rows += segment->blocks[i].rows;
    }
    return rows == segment->extent.rows && nfl__rd_left(rd) == 0
               ? NFL_OK
               : segment_corrupt(segment, NFL_NO_OFFSET, "the directory contradicts itself", err);
}

typedef nfl_status segment_parse(nfl__segment *segment, nfl__rd *rd, nfl_error *err);

/* Read and check a section, and parse it. */
static nfl_status segment_read_section(nfl__segment *segment, const nfl__section *section, const char *name, segment_parse *parse,
                                       nfl_error *err)
{
    uint64_t len = section->len;
    if (len > segment->size || section->offset > segment->size - len)
        return nfl__fail(err, NFL_E_CORRUPT, section->offset, "%s: the %s lies outside of the file", segment->name, name);
    uint8_t *data = nfl__new(segment->memory, (size_t)len, 1);
    if (!data)
        return nfl__fail_nomem(err, (size_t)len);
    nfl_status status =
        nfl__files_read_all(segment->files, segment->file, segment->name, data, (size_t)len, section->offset, err);
    if (status == NFL_OK && nfl__hash(data, (size_t)len, 0) != section->hash)
        status = nfl__fail(err, NFL_E_CORRUPT, section->offset, "%s: the checksum of the %s is wrong", segment->name, name);
    nfl__rd rd = nfl__rd_make(data, (size_t)len);
    if (status == NFL_OK)
        status = parse(segment, &rd, err);
    nfl__delete(segment->memory, data, (size_t)len, 1);
    return status;
}

/* --- sums --- */

static nfl_status segment_parse_sums_kind(nfl__segment *segment, nfl__rd *rd, nfl_error *err)
{
    uint32_t id = nfl__rd_u32_le(rd), count = nfl__rd_u32_le(rd);
    nfl__segment_sums sums = {NULL, (uint32_t)segment->sum_block_count, count};
    if (rd->failed || count == 0 || count > nfl__rd_left(rd) / (8 + SEGMENT_CHUNK) ||
        count > segment->extent.rows / NFL__BATCH_ROWS + 1)
        return segment_corrupt(segment, NFL_NO_OFFSET, "the directory of sums has an impossible size", err);
    for (uint32_t i = 0; i < NFL__SUMS_KINDS; i++)
        if (nfl__sums_kinds[i].id == id)
            sums.kind = &nfl__sums_kinds[i];
    if (!nfl__grow(segment->memory, (void **)&segment->sum_blocks, &segment->sum_block_capacity, segment->sum_block_count + count,
                   sizeof *segment->sum_blocks))
        return nfl__fail_nomem(err, nfl__mul(count, sizeof *segment->sum_blocks));
    for (uint32_t i = 0; i < count; i++) {
        nfl__block *block = &segment->sum_blocks[segment->sum_block_count++];
        memset(block, 0, sizeof *block);
        NFL_TRY(segment_read_block(segment, rd, block, err));
    }
    if (sums.kind && segment->sum_kind_count < NFL__SUMS_KINDS)
        segment->sum_kinds[segment->sum_kind_count++] = sums;
    return NFL_OK;
}

static nfl_status segment_parse_sums(nfl__segment *segment, nfl__rd *rd, nfl_error *err)
{
    while (nfl__rd_left(rd))
        NFL_TRY(segment_parse_sums_kind(segment, rd, err));
    return NFL_OK;
}

nfl_status nfl__segment_read_sums(nfl__segment *segment, nfl_error *err)
{
    if (segment->sums.len == 0 || segment->sum_block_count)
        return NFL_OK;
    return segment_read_section(segment, &segment->sums, "directory of sums", segment_parse_sums, err);
}

/* --- sections --- */

static nfl_status segment_note_sections(nfl__segment *segment, nfl__rd *rd, uint32_t count, nfl_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type = nfl__rd_u32_le(rd), flags = nfl__rd_u32_le(rd);
        uint64_t offset = nfl__rd_u64_le(rd), len = nfl__rd_u64_le(rd), hash = nfl__rd_u64_le(rd);
        if (type == SEGMENT_DIRECTORY)
            segment->directory = (nfl__section){offset, len, hash};
        else if (type == SEGMENT_ADDRESSES)
            segment->addresses = (nfl__section){offset, len, hash};
        else if (type == SEGMENT_ORIGIN)
            segment->origin = (nfl__section){offset, len, hash};
        else if (type == SEGMENT_SUMS)
            segment->sums = (nfl__section){offset, len, hash};
        else if (flags & SEGMENT_MUST_UNDERSTAND)
            return nfl__fail(err, NFL_E_VERSION, offset, "%s: section type %u is not known to this library", segment->name, type);
    }
    if (segment->addresses.len > segment->size || segment->addresses.offset > segment->size - segment->addresses.len)
        return segment_corrupt(segment, NFL_NO_OFFSET, "the address index lies outside of the file", err);
    return segment->directory.len ? NFL_OK : segment_corrupt(segment, NFL_NO_OFFSET, "there is no directory", err);
}

static nfl_status segment_read_table(nfl__segment *segment, uint64_t offset, uint32_t count, uint64_t hash, nfl_error *err)
{
    uint64_t len = (uint64_t)count * SEGMENT_SECTION, end = segment->size - SEGMENT_FOOTER;
    if (count == 0 || len > end || offset != end - len)
        return segment_corrupt(segment, offset, "the section table is not where the footer says", err);
    uint8_t *data = nfl__new(segment->memory, (size_t)len, 1);
    if (!data)
        return nfl__fail_nomem(err, (size_t)len);
    nfl_status status = nfl__files_read_all(segment->files, segment->file, segment->name, data, (size_t)len, offset, err);
    if (status == NFL_OK && nfl__hash(data, (size_t)len, 0) != hash)
        status = segment_corrupt(segment, offset, "the checksum of the section table is wrong", err);
    nfl__rd rd = nfl__rd_make(data, (size_t)len);
    if (status == NFL_OK)
        status = segment_note_sections(segment, &rd, count, err);
    nfl__delete(segment->memory, data, (size_t)len, 1);
    return status;
}

static nfl_status segment_read_ends(nfl__segment *segment, nfl_error *err)
{
    uint8_t head[SEGMENT_HEAD], footer[SEGMENT_FOOTER];
    int64_t size = segment->files->size(segment->files->ctx, segment->file);
    if (size < 0)
        return nfl__fail_io(err, (int)-size, "size of %s", segment->name);
    segment->size = (uint64_t)size;
    if (segment->size < SEGMENT_HEAD + SEGMENT_SECTION + SEGMENT_FOOTER)
        return segment_corrupt(segment, segment->size, "too short for a segment", err);
    NFL_TRY(nfl__files_read_all(segment->files, segment->file, segment->name, head, sizeof head, 0, err));
    NFL_TRY(nfl__files_read_all(segment->files, segment->file, segment->name, footer, sizeof footer,
                                segment->size - SEGMENT_FOOTER, err));
    if (memcmp(head, SEGMENT_MAGIC, 8) != 0 || memcmp(footer + 40, SEGMENT_END_MAGIC, 8) != 0)
        return segment_corrupt(segment, 0, "not a whole segment", err);
    uint32_t version = nfl__load_le32(footer + 12);
    if (version != nfl__load_le32(head + 8))
        return segment_corrupt(segment, 8, "head and footer disagree about the version", err);
    if (version > SEGMENT_VERSION)
        return nfl__fail(err, NFL_E_VERSION, 8, "%s: version %u, this library knows up to %d", segment->name, version,
                         SEGMENT_VERSION);
    segment->digest = nfl__load_le64(footer + 16);
    segment->extent.rows = nfl__load_le64(footer + 24);
    return segment_read_table(segment, nfl__load_le64(footer), nfl__load_le32(footer + 8), nfl__load_le64(footer + 32), err);
}

nfl_status nfl__segment_read_blocks(nfl__segment *segment, nfl_error *err)
{
    uint64_t rows = segment->extent.rows; /* as the footer says */
    if (segment->blocks)
        return NFL_OK;
    NFL_TRY(segment_read_section(segment, &segment->directory, "directory", segment_parse_directory, err));
    return segment->extent.rows == rows ? NFL_OK : segment_corrupt(segment, segment->size, "footer and directory disagree", err);
}

nfl_status nfl__segment_open(nfl__segment *segment, const nfl__files *files, int root, const char *name,
                             nfl__memory *memory, nfl_error *err)
{
    NFL_TRY(nfl__segment_open_ends(segment, files, root, name, memory, err));
    nfl_status status = nfl__segment_read_blocks(segment, err);
    if (status != NFL_OK)
        nfl__segment_close(segment);
    return status;
}

nfl_status nfl__segment_open_ends(nfl__segment *segment, const nfl__files *files, int root, const char *name,
                                  nfl__memory *memory, nfl_error *err)
{
    memset(segment, 0, sizeof *segment);
    segment->files = files;
    segment->memory = memory;
    memcpy(segment->name, name, strlen(name) + 1);
    segment->file = files->open(files->ctx, root, name, NFL__FILE_READ);
    if (segment->file == -ENOENT)
        return nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "%s is gone", name);
    if (segment->file < 0)
        return nfl__fail_io(err, -segment->file, "open %s", name);
    nfl_status status = segment_read_ends(segment, err);
    if (status != NFL_OK)
        nfl__segment_close(segment);
    return status;
}

void nfl__segment_close(nfl__segment *segment)
{
    if (segment->file < 0 || !segment->files)
        return;
    segment->files->close(segment->files->ctx, segment->file);
    nfl__delete(segment->memory, segment->blocks, segment->block_count, sizeof *segment->blocks);
    nfl__delete(segment->memory, segment->sum_blocks, segment->sum_block_capacity, sizeof *segment->sum_blocks);
    memset(segment, 0, sizeof *segment);
    segment->file = -1;
}

/* --- columns --- */

void nfl__loader_init(nfl__loader *loader, nfl__memory *memory)
{
    memset(loader, 0, sizeof *loader);
    loader->bytes.memory = loader->plain.memory = memory;
}

void nfl__loader_free(nfl__loader *loader)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        nfl__decoded_free(&loader->decoded[field], loader->bytes.memory);
    nfl__buffer_free(&loader->bytes);
    nfl__buffer_free(&loader->plain);
    nfl__decompressor_free(loader->decompressor);
    loader->decompressor = NULL;
}

/* The bytes of a chunk as they were before compression. */
static nfl_status segment_decompress(const nfl__segment *segment, const nfl__chunk *chunk, nfl__loader *loader,
                                     const uint8_t **data, nfl_error *err)
{
    if (chunk->compression != SEGMENT_ZSTD || !NFL__CAN_COMPRESS)
        return nfl__fail(err, NFL_E_VERSION, chunk->offset, "%s: compression %u is not known to this library", segment->name,
                         chunk->compression);
    if (chunk->raw_len > SEGMENT_RAW_MAX)
        return segment_corrupt(segment, chunk->offset, "a chunk is too long", err);
    loader->plain.len = 0;
    uint8_t *plain = nfl__buffer_room(&loader->plain, chunk->raw_len);
    if (!plain || !nfl__decompressor_new(&loader->decompressor))
        return nfl__fail_nomem(err, chunk->raw_len);
    if (!nfl__decompress(loader->decompressor, plain, chunk->raw_len, loader->bytes.data, chunk->len))
        return segment_corrupt(segment, chunk->offset, "a chunk cannot be decompressed", err);
    *data = plain;
    return NFL_OK;
}

static nfl_status segment_read_bytes(const nfl__segment *segment, const nfl__chunk *chunk, nfl__loader *loader,
                                     const uint8_t **data, nfl_error *err)
{
    loader->bytes.len = 0;
    uint8_t *bytes = nfl__buffer_room(&loader->bytes, chunk->len);
    if (!bytes)
        return nfl__fail_nomem(err, chunk->len);
    NFL_TRY(nfl__files_read_all(segment->files, segment->file, segment->name, bytes, chunk->len, chunk->offset, err));
    if (nfl__hash(bytes, chunk->len, 0) != chunk->hash)
        return segment_corrupt(segment, chunk->offset, "the checksum of a chunk is wrong", err);
    *data = bytes;
    return chunk->compression ? segment_decompress(segment, chunk, loader, data, err) : NFL_OK;
}

/* A column that another one refers to; NULL if there is no such reference. */
static nfl_status segment_load_reference(const nfl__segment *segment, const nfl__block *block, uint32_t field,
                                         nfl__loader *loader, nfl__batch *batch, const nfl__column **out, nfl_error *err)
{
    *out = NULL;
    if (field >= NFL_FIELD_STORED_COUNT)
        return NFL_OK;
    NFL_TRY(nfl__segment_load(segment, block, field, loader, batch, err));
    *out = &batch->columns[field];
    return NFL_OK;
}

static nfl_status segment_decode(const nfl__segment *segment, const nfl__block *block, uint32_t field, nfl__loader *loader,
                                 nfl__batch *batch, nfl_error *err)
{
    const nfl__chunk *chunk = &block->chunks[field];
    uint32_t partner = chunk->form.encoding == NFL__ENCODING_PAIR ? nfl__encoding_partner(field) : NFL_FIELD_NONE;
    nfl__chunk_context context = {.memory = segment->memory, .rows = block->rows, .only_count = loader->only_count, .only = loader->only,
                                  .decoded = &loader->decoded[field], .column = &batch->columns[field]};
    const uint8_t *data = NULL;
    nfl_error why;
    NFL_TRY(segment_load_reference(segment, block, chunk->form.reference, loader, batch, &context.reference, err));
    NFL_TRY(segment_load_reference(segment, block, chunk->form.validity_of, loader, batch, &context.validity, err));
    NFL_TRY(segment_read_bytes(segment, chunk, loader, &data, err));
    if (partner != NFL_FIELD_NONE && block->chunks[partner].form.encoding == NFL__ENCODING_PARTNER) {
        context.partner = &batch->columns[partner];
        context.partner_decoded = &loader->decoded[partner];
    }
    nfl_status status = nfl__decode_column(field, chunk->form.encoding, data, chunk->raw_len, &context, &why);
    if (status == NFL_OK) {
        batch->loaded |= NFL_HAS(field) | (context.partner ? NFL_HAS(partner) : 0);
        return NFL_OK;
    }
    uint64_t offset = why.offset == NFL_NO_OFFSET ? chunk->offset : chunk->offset + why.offset;
    return nfl__fail(err, status, offset, "%s: %.150s", segment->name, why.message);
}

/* The second column of a pair comes with the first one. */
static nfl_status segment_load_partner(const nfl__segment *segment, const nfl__block *block, uint32_t field, nfl__loader *loader,
                                       nfl__batch *batch, nfl_error *err)
{
    const nfl__chunk *chunk = &block->chunks[field];
    uint32_t first = chunk->form.reference;
    if (first >= NFL_FIELD_STORED_COUNT || nfl__encoding_partner(first) != field ||
        block->chunks[first].form.encoding != NFL__ENCODING_PAIR)
        return segment_corrupt(segment, chunk->offset, "a column lacks its partner", err);
    return nfl__segment_load(segment, block, first, loader, batch, err);
}

nfl_status nfl__segment_load(const nfl__segment *segment, const nfl__block *block, uint32_t field, nfl__loader *loader,
                             nfl__batch *batch, nfl_error *err)
{
    const nfl__chunk *chunk = &block->chunks[field];
    if (batch->loaded & NFL_HAS(field))
        return NFL_OK;
    if (chunk->len == 0) {
        batch->columns[field] = (nfl__column){.width = nfl__field_slots[field].width};
        batch->loaded |= NFL_HAS(field);
        return NFL_OK;
    }
    if (loader->loading & NFL_HAS(field))
        return segment_corrupt(segment, chunk->offset, "a column refers to itself", err);
    loader->loading |= NFL_HAS(field);
    nfl_status status = chunk->form.encoding == NFL__ENCODING_PARTNER
                            ? segment_load_partner(segment, block, field, loader, batch, err)
                            : segment_decode(segment, block, field, loader, batch, err);
    loader->loading &= ~NFL_HAS(field);
    return status;
}

nfl_status nfl__segment_read_index(void *ctx, void *dst, size_t len, uint64_t offset, nfl_error *err)
{
    const nfl__segment *segment = ctx;
    return nfl__files_read_all(segment->files, segment->file, segment->name, dst, len, segment->addresses.offset + offset, err);
}

nfl_status nfl__segment_read_origin(const nfl__segment *segment, uint64_t **ids, size_t *count, size_t *capacity, nfl_error *err)
{
    uint64_t len = segment->origin.len, n = len / 8;
    if (len % 8 || len > segment->size || segment->origin.offset > segment->size - len)
        return segment_corrupt(segment, segment->origin.offset, "the origin lies outside of the file", err);
    if (n == 0)
        return NFL_OK;
    if (!nfl__grow(segment->memory, (void **)ids, capacity, *count + (size_t)n, sizeof **ids))
        return nfl__fail_nomem(err, (size_t)len);
    uint8_t *bytes = (uint8_t *)(*ids + *count);
    NFL_TRY(nfl__files_read_all(segment->files, segment->file, segment->name, bytes, (size_t)len, segment->origin.offset, err));
    if (nfl__hash(bytes, (size_t)len, 0) != segment->origin.hash)
        return segment_corrupt(segment, segment->origin.offset, "the checksum of the origin is wrong", err);
    for (uint64_t i = 0; i < n; i++)
        (*ids)[*count + i] = nfl__load_le64(bytes + 8 * i);
    *count += (size_t)n;
    return NFL_OK;
}

nfl_status nfl__segment_check_digest(const nfl__segment *segment, nfl_error *err)
{
    size_t len = (size_t)(segment->size - SEGMENT_FOOTER);
    uint8_t *data = nfl__new(segment->memory, len, 1);
    if (!data)
        return nfl__fail_nomem(err, len);
    nfl_status status = nfl__files_read_all(segment->files, segment->file, segment->name, data, len, 0, err);
    if (status == NFL_OK && nfl__hash(data, len, 0) != segment->digest)
        status = segment_corrupt(segment, NFL_NO_OFFSET, "the digest of the file is wrong", err);
    nfl__delete(segment->memory, data, len, 1);
    return status;
}

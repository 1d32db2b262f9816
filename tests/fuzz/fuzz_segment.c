/* Files of a store from a hostile hand. The first byte says which part the rest is:
 *   0  a chunk: field u8, encoding u8, rows u16, what it may refer to u8, bytes
 *   1  a segment's directory, put into a segment with the right checksums
 *   2  a journal    3  a manifest    4  a segment as it is    5  a journal's payload with the right checksums */
#include "base/hash.h"
#include "base/rd.h"
#include "base/wr.h"
#include "memory_file.h"
#include "store/journal.h"
#include "store/manifest.h"
#include "store/segment.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* All rows, or those that were wanted alone. */
static void fuzz_touch(const nfl__column *column, uint32_t rows, const nfl__chunk_context *context)
{
    uint64_t sum = 0;
    uint32_t count = context->only_count ? context->only_count : rows;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = context->only_count ? context->only[i] : i;
        if (nfl__column_has(column, row))
            sum += *(const uint8_t *)nfl__column_at(column, row);
    }
    *(volatile uint64_t *)&sum = sum;
}

static void fuzz_chunk(nfl__memory *memory, nfl__rd rd)
{
    static const int64_t one = 1000;
    static const nfl_ip addresses[2];
    static const uint16_t codes[65536];
    static const uint64_t valid[1024] = {5};
    static const uint32_t some_rows[] = {0, 1500};
    uint32_t field = nfl__rd_u8(&rd) % NFL_FIELD_STORED_COUNT, encoding = nfl__rd_u8(&rd);
    uint32_t rows = 1u + nfl__rd_u16_le(&rd);
    const nfl__column references[] = {
        {.values = &one, .form = NFL__COLUMN_CONST, .width = 8},
        {.values = addresses, .codes = codes, .dict_count = 2, .form = NFL__COLUMN_DICT, .width = 16},
        {.values = &one, .valid = valid, .form = NFL__COLUMN_CONST, .width = 8}};
    uint8_t given = nfl__rd_u8(&rd);
    nfl__decoded decoded = {0}, partner_decoded = {0};
    nfl__column column, partner;
    nfl__chunk_context context = {.memory = memory, .rows = rows, .decoded = &decoded, .column = &column};
    if (given & 3)
        context.reference = &references[(given & 3) - 1];
    if (given & 4)
        context.validity = &references[2];
    if (given & 8) {
        context.partner = &partner;
        context.partner_decoded = &partner_decoded;
    }
    if (given & 16) {
        context.only = some_rows;
        context.only_count = rows > some_rows[1] ? 2 : 1;
    }
    if (nfl__decode_column(field, encoding, rd.pos, nfl__rd_left(&rd), &context, NULL) == NFL_OK) {
        fuzz_touch(&column, rows, &context);
        if (encoding == NFL__ENCODING_PAIR)
            fuzz_touch(&partner, rows, &context);
    }
    nfl__decoded_free(&decoded, memory);
    nfl__decoded_free(&partner_decoded, memory);
}

static void fuzz_block(const nfl__segment *segment, const nfl__block *block, nfl__loader *loader)
{
    nfl__batch batch = {.rows = block->rows};
    const nfl__chunk_context all = {.only_count = 0};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        if (nfl__segment_load(segment, block, field, loader, &batch, NULL) == NFL_OK)
            fuzz_touch(&batch.columns[field], batch.rows, &all);
}

static void fuzz_segment(nfl__memory *memory, const uint8_t *bytes, size_t len)
{
    test_memory_file file;
    nfl__segment segment;
    nfl__loader loader;
    test_memory_file_init(&file, bytes, len);
    if (nfl__segment_open(&segment, &file.table, 0, "segment", memory, NULL) != NFL_OK)
        return;
    nfl__loader_init(&loader, memory);
    for (uint32_t i = 0; i < segment.block_count && i < 8; i++)
        fuzz_block(&segment, &segment.blocks[i], &loader);
    if (nfl__segment_read_sums(&segment, NULL) == NFL_OK)
        for (size_t i = 0; i < segment.sum_block_count && i < 8; i++)
            fuzz_block(&segment, &segment.sum_blocks[i], &loader);
    (void)!nfl__segment_check_digest(&segment, NULL);
    nfl__loader_free(&loader);
    nfl__segment_close(&segment);
}

/* head 16 | directory | table 32 | footer 48, see segment.h */
static void fuzz_directory(nfl__memory *memory, nfl__rd rd)
{
    size_t len = nfl__rd_left(&rd), total = 16 + len + 32 + 48;
    uint8_t *bytes = calloc(total, 1), *table = bytes + 16 + len, *footer = table + 32;
    if (!bytes)
        abort();
    memcpy(bytes, "NFLSEG1\n\1", 9);
    memcpy(bytes + 16, rd.pos, len);
    nfl__store_le(table, 1, 4);
    nfl__store_le(table + 4, 1, 4);
    nfl__store_le(table + 8, 16, 8);
    nfl__store_le(table + 16, len, 8);
    nfl__store_le(table + 24, nfl__hash(bytes + 16, len, 0), 8);
    nfl__store_le(footer, 16 + len, 8);
    nfl__store_le(footer + 8, 1, 4);
    nfl__store_le(footer + 12, 1, 4);
    nfl__store_le(footer + 16, nfl__hash(bytes, 16 + len + 32, 0), 8);
    nfl__store_le(footer + 24, len >= 8 ? nfl__load_le64(bytes + 16) : 0, 8);
    nfl__store_le(footer + 32, nfl__hash(table, 32, 0), 8);
    memcpy(footer + 40, "NFLSEGE\n", 8);
    fuzz_segment(memory, bytes, total);
    free(bytes);
}

static nfl_status fuzz_row(void *ctx, const nfl_flow *flow, nfl_error *err)
{
    (void)err;
    *(uint64_t *)ctx += flow->bytes;
    return NFL_OK;
}

static void fuzz_journal(nfl__memory *memory, const uint8_t *bytes, size_t len)
{
    test_memory_file file;
    nfl__journal_extent extent;
    uint64_t sum = 0;
    test_memory_file_init(&file, bytes, len);
    if (nfl__journal_read(&file.table, 3, 1, memory, fuzz_row, &sum, &extent, NULL) == NFL_OK &&
        (extent.good_bytes > extent.file_bytes || extent.file_bytes != len))
        abort();
}

/* head 24 | frame head 32 | payload, see journal.h */
static void fuzz_payload(nfl__memory *memory, nfl__rd rd)
{
    uint32_t rows = nfl__rd_u8(&rd);
    size_t len = nfl__rd_left(&rd);
    uint8_t *bytes = calloc(24 + 32 + len, 1), *frame = bytes + 24;
    if (!bytes)
        abort();
    memcpy(bytes, "NFLJRN1\n\1", 9);
    bytes[16] = 1;
    memcpy(frame, "NFRM", 4);
    nfl__store_le(frame + 4, len, 4);
    nfl__store_le(frame + 8, rows, 4);
    nfl__store_le(frame + 16, nfl__hash(frame, 16, 1), 8);
    memcpy(frame + 32, rd.pos, len);
    nfl__store_le(frame + 24, nfl__hash(frame + 32, len, 0), 8);
    fuzz_journal(memory, bytes, 24 + 32 + len);
    free(bytes);
}

static void fuzz_manifest(nfl__memory *memory, nfl__rd rd)
{
    test_memory_file file;
    nfl__manifest manifest;
    size_t len = nfl__rd_left(&rd);
    uint8_t *bytes = calloc(len + 8, 1);
    if (!bytes)
        abort();
    memcpy(bytes, rd.pos, len);
    nfl__store_le(bytes + len, nfl__hash(bytes, len, 0), 8);
    test_memory_file_init(&file, bytes, len + 8);
    if (nfl__manifest_read(&manifest, &file.table, 0, memory, NULL) == NFL_OK) {
        char name[NFL__NAME_SIZE];
        for (size_t i = 0; i < manifest.count; i++)
            nfl__segment_name(&manifest.segments[i], name);
        nfl__manifest_free(&manifest, memory);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 256u << 20);
    nfl__rd rd = nfl__rd_make(data, len);
    switch (nfl__rd_u8(&rd) % 6) {
    case 0:
        fuzz_chunk(&memory, rd);
        break;
    case 1:
        fuzz_directory(&memory, rd);
        break;
    case 2:
        fuzz_journal(&memory, rd.pos, nfl__rd_left(&rd));
        break;
    case 3:
        fuzz_manifest(&memory, rd);
        break;
    case 4:
        fuzz_segment(&memory, rd.pos, nfl__rd_left(&rd));
        break;
    default:
        fuzz_payload(&memory, rd);
    }
    if (memory.held)
        abort();
    return 0;
}

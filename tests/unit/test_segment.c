#include <CUnit/Basic.h>

#include "base/hash.h"
#include "base/rd.h"
#include "memory_file.h"
#include "store/manifest.h"
#include "store/segment.h"
#include "store_rows.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { FOOTER = 48, SECTION = 32 };

/* A segment of blocks with these numbers of rows; flows are numbered through. */
static void build(nfl__memory *memory, const uint32_t *rows, size_t blocks, nfl__buffer *out)
{
    nfl__columns *columns[8];
    nfl__extent extent;
    uint64_t digest;
    uint32_t next = 0;
    *out = (nfl__buffer){memory, NULL, 0, 0};
    for (size_t b = 0; b < blocks; b++) {
        columns[b] = nfl__columns_new(&memory->alloc, rows[b]);
        if (!columns[b])
            abort();
        for (uint32_t i = 0; i < rows[b]; i++) {
            nfl_flow flow;
            test_numbered_flow(next++, &flow);
            if (!nfl__columns_reserve(columns[b], nfl__columns_fields_of(&flow)))
                abort();
            nfl__columns_add(columns[b], &flow);
        }
    }
    CU_ASSERT_EQUAL_FATAL(nfl__segment_build(columns, blocks, out, &extent, &digest, NULL), NFL_OK);
    CU_ASSERT_EQUAL(extent.rows, next);
    for (size_t b = 0; b < blocks; b++)
        nfl__columns_release(columns[b]);
}

static nfl_status open_bytes(test_memory_file *file, const void *bytes, size_t len, nfl__memory *memory, nfl__segment *out)
{
    test_memory_file_init(file, bytes, len);
    return nfl__segment_open(out, &file->table, 0, "segment", memory, NULL);
}

static nfl_status load(const nfl__segment *segment, const nfl__block *block, uint32_t field, nfl__batch *batch,
                       nfl__decoded *decoded, nfl__buffer *scratch)
{
    uint32_t of = nfl__encoding_reference(field);
    const nfl__column *reference = of == NFL_FIELD_NONE ? NULL : &batch->columns[of];
    return nfl__segment_column(segment, block, field, reference, scratch, &decoded[field], &batch->columns[field], NULL);
}

static void test_blocks_come_back(void)
{
    static const uint32_t rows[] = {1, 31, 1024, 1025, 3000};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__buffer bytes, scratch = {&memory, NULL, 0, 0};
    nfl__decoded decoded[NFL_FIELD_STORED_COUNT] = {0};
    nfl__segment segment;
    test_memory_file file;
    build(&memory, rows, 5, &bytes);
    CU_ASSERT_EQUAL_FATAL(open_bytes(&file, bytes.data, bytes.len, &memory, &segment), NFL_OK);
    CU_ASSERT_EQUAL(segment.block_count, 5);
    uint32_t next = 0, wrong = 0;
    for (uint32_t b = 0; b < segment.block_count; b++) {
        nfl__batch batch = {.rows = segment.blocks[b].rows};
        CU_ASSERT_EQUAL(batch.rows, rows[b]);
        wrong += load(&segment, &segment.blocks[b], NFL_FIELD_RECEIVED, &batch, decoded, &scratch) != NFL_OK;
        for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
            if (field != NFL_FIELD_RECEIVED)
                wrong += load(&segment, &segment.blocks[b], field, &batch, decoded, &scratch) != NFL_OK;
        for (uint32_t i = 0; i < batch.rows; i++) {
            nfl_flow flow;
            test_numbered_flow(next++, &flow);
            wrong += !test_row_equals(&batch, i, &flow);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
        nfl__decoded_free(&decoded[field], &memory);
    nfl__segment_close(&segment);
    nfl__buffer_free(&scratch);
    nfl__buffer_free(&bytes);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_zones_hold_every_value(void)
{
    static const uint32_t rows[] = {500};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__buffer bytes;
    nfl__segment segment;
    test_memory_file file;
    int right = 1;
    build(&memory, rows, 1, &bytes);
    CU_ASSERT_EQUAL_FATAL(open_bytes(&file, bytes.data, bytes.len, &memory, &segment), NFL_OK);
    const nfl__zone *zones = segment.blocks[0].zones;
    for (uint32_t i = 0; i < rows[0]; i++) {
        nfl_flow flow;
        test_numbered_flow(i, &flow);
        right &= flow.first_us >= (nfl_usec)zones[NFL_FIELD_FIRST].min && flow.first_us <= (nfl_usec)zones[NFL_FIELD_FIRST].max;
        right &= nfl_ip_compare(&flow.src, &zones[NFL_FIELD_SRC].min_ip) >= 0;
        right &= nfl_ip_compare(&flow.src, &zones[NFL_FIELD_SRC].max_ip) <= 0;
        right &= flow.bytes >= zones[NFL_FIELD_BYTES].min && flow.bytes <= zones[NFL_FIELD_BYTES].max;
        right &= (flow.present & NFL_HAS(NFL_FIELD_LAST)) || zones[NFL_FIELD_LAST].has_null;
        right &= !zones[NFL_FIELD_SRC].has_null && !zones[NFL_FIELD_FIRST].has_null;
    }
    CU_ASSERT(right);
    nfl__segment_close(&segment);
    nfl__buffer_free(&bytes);
}

/* The segment with one more section of the given type and flags, its bytes before the section table. */
static uint8_t *with_section(const nfl__buffer *bytes, uint32_t type, uint32_t flags, size_t *len)
{
    size_t table_at = bytes->len - FOOTER - SECTION;
    *len = bytes->len + 5 + SECTION;
    uint8_t *out = calloc(*len, 1);
    if (!out)
        abort();
    uint8_t *section = out + table_at, *table = section + 5, *footer = table + 2 * SECTION;
    memcpy(out, bytes->data, table_at);
    memcpy(section, "later", 5);
    memcpy(table + SECTION, bytes->data + table_at, SECTION); /* the directory second */
    nfl__store_le(table, type, 4);
    nfl__store_le(table + 4, flags, 4);
    nfl__store_le(table + 8, table_at, 8);
    nfl__store_le(table + 16, 5, 8);
    nfl__store_le(table + 24, nfl__hash("later", 5, 0), 8);
    memcpy(footer, bytes->data + bytes->len - FOOTER, FOOTER);
    nfl__store_le(footer, (uint64_t)(table - out), 8);
    nfl__store_le(footer + 8, 2, 4);
    nfl__store_le(footer + 16, nfl__hash(out, *len - FOOTER, 0), 8);
    nfl__store_le(footer + 32, nfl__hash(table, 2 * SECTION, 0), 8);
    return out;
}

static void test_sections_of_later_versions(void)
{
    static const uint32_t rows[] = {10};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__buffer bytes;
    nfl__segment segment;
    test_memory_file file;
    build(&memory, rows, 1, &bytes);
    size_t len;
    uint8_t *later = with_section(&bytes, 77, 0, &len);
    CU_ASSERT_EQUAL(open_bytes(&file, later, len, &memory, &segment), NFL_OK);
    CU_ASSERT_EQUAL(nfl__segment_check_digest(&segment, NULL), NFL_OK);
    nfl__segment_close(&segment);
    free(later);
    later = with_section(&bytes, 77, 1, &len); /* must be understood */
    CU_ASSERT_EQUAL(open_bytes(&file, later, len, &memory, &segment), NFL_E_VERSION);
    free(later);
    bytes.data[8] = 2; /* version, in head and footer */
    bytes.data[bytes.len - FOOTER + 12] = 2;
    CU_ASSERT_EQUAL(open_bytes(&file, bytes.data, bytes.len, &memory, &segment), NFL_E_VERSION);
    nfl__buffer_free(&bytes);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_a_segment_cut_anywhere_is_refused(void)
{
    static const uint32_t rows[] = {20};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__buffer bytes;
    nfl__segment segment;
    test_memory_file file;
    build(&memory, rows, 1, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = test_exact(bytes.data, len);
        CU_ASSERT_EQUAL(open_bytes(&file, cut, len, &memory, &segment), NFL_E_CORRUPT);
        free(cut);
    }
    nfl__buffer_free(&bytes);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_a_manifest_with_longer_entries_is_read(void)
{
    enum { HEAD = 48, ENTRY = 64, LONGER = 80 };
    uint8_t bytes[HEAD + 2 * LONGER + 8] = "NFLMAN1\n";
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__manifest manifest;
    test_memory_file file;
    nfl__store_le(bytes + 8, 1, 4);
    nfl__store_le(bytes + 12, LONGER, 4);
    nfl__store_le(bytes + 24, 9, 8);
    nfl__store_le(bytes + 40, 2, 8);
    nfl__store_le(bytes + HEAD, 5, 8);
    nfl__store_le(bytes + HEAD + LONGER, 6, 8);
    memset(bytes + HEAD + ENTRY, 0xff, LONGER - ENTRY);
    nfl__store_le(bytes + sizeof bytes - 8, nfl__hash(bytes, sizeof bytes - 8, 0), 8);
    test_memory_file_init(&file, bytes, sizeof bytes);
    CU_ASSERT_EQUAL_FATAL(nfl__manifest_read(&manifest, &file.table, 0, &memory, NULL), NFL_OK);
    CU_ASSERT_EQUAL(manifest.next_id, 9);
    CU_ASSERT_EQUAL_FATAL(manifest.count, 2);
    CU_ASSERT_EQUAL(manifest.segments[0].id, 5);
    CU_ASSERT_EQUAL(manifest.segments[1].id, 6);
    nfl__manifest_free(&manifest, &memory);
    bytes[8] = 2;
    CU_ASSERT_EQUAL(nfl__manifest_read(&manifest, &file.table, 0, &memory, NULL), NFL_E_VERSION);
    CU_ASSERT_EQUAL(memory.held, 0);
}

NFL_SUITE("segment", {"blocks come back", test_blocks_come_back}, {"zones hold every value", test_zones_hold_every_value},
          {"sections of later versions", test_sections_of_later_versions},
          {"a segment cut anywhere is refused", test_a_segment_cut_anywhere_is_refused},
          {"a manifest with longer entries is read", test_a_manifest_with_longer_entries_is_read})

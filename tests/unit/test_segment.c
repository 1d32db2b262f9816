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

enum { FOOTER = 48, SECTION = 32, SECTIONS = 3 /* directory, address index, origin */ };

/* The segment of some columns, as bytes of its own. */
static void build_columns(nfl__columns *const *columns, size_t blocks, unsigned level, nfl__buffer *out, nfl__extent *extent)
{
    nfl__segment_builder *builder = nfl__segment_builder_new(NULL);
    const nfl__buffer *bytes;
    uint64_t digest;
    CU_ASSERT_FATAL(builder != NULL);
    CU_ASSERT_EQUAL_FATAL(nfl__segment_build(builder, columns, blocks, level, &bytes, extent, &digest, NULL), NFL_OK);
    uint8_t *copy = nfl__buffer_room(out, bytes->len);
    if (!copy)
        abort();
    memcpy(copy, bytes->data, bytes->len);
    nfl__segment_builder_free(builder);
}

/* A segment of blocks with these numbers of rows; flows are numbered through. */
static void build(nfl__memory *memory, const uint32_t *rows, size_t blocks, nfl__buffer *out)
{
    nfl__columns *columns[8];
    nfl__extent extent;
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
            nfl__columns_add(columns[b], &flow, 1, sizeof flow);
        }
    }
    build_columns(columns, blocks, NFL__SEGMENT_FAST, out, &extent);
    CU_ASSERT_EQUAL(extent.rows, next);
    for (size_t b = 0; b < blocks; b++)
        nfl__columns_release(columns[b]);
}

static nfl_status open_bytes(test_memory_file *file, const void *bytes, size_t len, nfl__memory *memory, nfl__segment *out)
{
    test_memory_file_init(file, bytes, len);
    return nfl__segment_open(out, &file->table, 0, "segment", memory, NULL);
}

static void test_blocks_come_back(void)
{
    static const uint32_t rows[] = {1, 31, 1024, 1025, 3000};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__buffer bytes;
    nfl__loader loader;
    nfl__segment segment;
    test_memory_file file;
    build(&memory, rows, 5, &bytes);
    nfl__loader_init(&loader, &memory);
    CU_ASSERT_EQUAL_FATAL(open_bytes(&file, bytes.data, bytes.len, &memory, &segment), NFL_OK);
    CU_ASSERT_EQUAL(segment.block_count, 5);
    uint32_t next = 0, wrong = 0;
    for (uint32_t b = 0; b < segment.block_count; b++) {
        nfl__batch batch = {.rows = segment.blocks[b].rows};
        CU_ASSERT_EQUAL(batch.rows, rows[b]);
        for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++)
            wrong += nfl__segment_load(&segment, &segment.blocks[b], field, &loader, &batch, NULL) != NFL_OK;
        for (uint32_t i = 0; i < batch.rows; i++) {
            nfl_flow flow;
            test_numbered_flow(next++, &flow);
            wrong += !test_row_equals(&batch, i, &flow);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    nfl__loader_free(&loader);
    nfl__segment_close(&segment);
    nfl__buffer_free(&bytes);
    CU_ASSERT_EQUAL(memory.held, 0);
}

/* --- every shape of every column --- */

enum { SHAPES = 8, SHAPED_ROWS = 5000 };

static uint64_t shaped_number(test_random *random, unsigned shape, uint32_t i)
{
    switch (shape) {
    case 0:
        return 7; /* all alike */
    case 1:
        return test_below(random, 4); /* few values */
    case 2:
        return i * UINT64_C(1000); /* rising, in whole milliseconds */
    case 3:
        return test_next(random); /* anything */
    case 4:
        return UINT64_MAX - test_below(random, 100);
    case 5:
        return test_below(random, 20) ? test_below(random, 1500) : test_next(random) >> 20; /* outliers */
    case 6:
        return i / 20 * UINT64_C(999331); /* repeated */
    default:
        return (uint64_t)-(int64_t)test_below(random, 1000000) * 1000; /* below zero for times */
    }
}

/* A flow whose fields have values of random shapes; some shapes make pairs that are exchanged. */
static void shaped_flow(test_random *random, const uint8_t *shapes, uint64_t fields, uint32_t i, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
        uint64_t number = shaped_number(random, shapes[f], i);
        if (!(fields >> f & 1) && !(NFL__FIELDS_ALWAYS >> f & 1))
            continue;
        if (nfl__field_slots[f].type == NFL_TYPE_IP) {
            nfl_ip ip = nfl_ip_from_v4((uint32_t)number);
            for (unsigned b = 0; number & 1 && b < 12; b++)
                ip.b[b] = (uint8_t)(number >> b);
            memcpy(nfl__flow_slot(flow, f), &ip, sizeof ip);
            flow->present |= NFL_HAS(f);
        } else {
            nfl__flow_set_u64(flow, f, number);
        }
    }
    flow->present &= fields;
    if (i % 2 && shapes[NFL_FIELD_SRC] % 2) { /* the answer to the row before would have them exchanged */
        nfl_ip swap = flow->src;
        flow->src = flow->dst;
        flow->dst = swap;
    }
}

/* Which fields a row has: all, none, or by chance; ICMP instead of ports as exporters do. */
static uint64_t shaped_fields(test_random *random, const uint8_t *holes)
{
    uint64_t fields = 0;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++)
        fields |= (uint64_t)(holes[f] == 0 || (holes[f] == 1 && test_chance(random, 70))) << f;
    uint64_t ports = NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    uint64_t icmp = NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE);
    if (holes[NFL_FIELD_PROTO] != 2)
        fields = test_chance(random, 80) ? (fields | ports) & ~icmp : (fields | icmp) & ~ports;
    return fields;
}

/* A few rows that are wanted, loaded without the others. */
static void check_some_rows(const nfl__segment *segment, const nfl__block *block, nfl__memory *memory, const nfl_flow *flows,
                            uint32_t step)
{
    uint32_t only[200], wrong = 0;
    nfl__batch batch = {.rows = block->rows};
    nfl__loader loader;
    nfl__loader_init(&loader, memory);
    loader.only = only;
    for (uint32_t row = step / 2; row < block->rows && loader.only_count < 200; row += step)
        only[loader.only_count++] = row;
    for (uint32_t f = NFL_FIELD_STORED_COUNT; f-- > 0;)
        NFL_CHECK(nfl__field_row(f)->name, nfl__segment_load(segment, block, f, &loader, &batch, NULL) == NFL_OK);
    for (uint32_t i = 0; i < loader.only_count; i++)
        wrong += !test_row_equals(&batch, only[i], &flows[only[i]]);
    CU_ASSERT_EQUAL(wrong, 0);
    nfl__loader_free(&loader);
}

static void check_shapes(test_random *random, unsigned level, uint32_t rows)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__columns *columns = nfl__columns_new(NULL, rows);
    nfl_flow *flows = calloc(rows, sizeof *flows);
    nfl__buffer bytes = {&memory, NULL, 0, 0};
    nfl__extent extent;
    nfl__loader loader;
    nfl__segment segment;
    test_memory_file file;
    uint8_t shapes[NFL_FIELD_STORED_COUNT], holes[NFL_FIELD_STORED_COUNT];
    if (!columns || !flows)
        abort();
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
        shapes[f] = (uint8_t)test_below(random, SHAPES);
        holes[f] = (uint8_t)(test_chance(random, 60) ? 0 : 1 + test_below(random, 2)); /* no, some, all rows without */
    }
    for (uint32_t i = 0; i < rows; i++) {
        shaped_flow(random, shapes, shaped_fields(random, holes), i, &flows[i]);
        if (!nfl__columns_reserve(columns, nfl__columns_fields_of(&flows[i])))
            abort();
        nfl__columns_add(columns, &flows[i], 1, sizeof *flows);
    }
    build_columns(&columns, 1, level, &bytes, &extent);
    nfl__loader_init(&loader, &memory);
    CU_ASSERT_EQUAL_FATAL(open_bytes(&file, bytes.data, bytes.len, &memory, &segment), NFL_OK);
    nfl__batch batch = {.rows = rows};
    for (uint32_t f = NFL_FIELD_STORED_COUNT; f-- > 0;) /* those that refer to others first */
        NFL_CHECK(nfl__field_row(f)->name, nfl__segment_load(&segment, &segment.blocks[0], f, &loader, &batch, NULL) == NFL_OK);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < rows; i++)
        wrong += !test_row_equals(&batch, i, &flows[i]);
    CU_ASSERT_EQUAL(wrong, 0);
    check_some_rows(&segment, &segment.blocks[0], &memory, flows, 1 + rows / 150);
    nfl__loader_free(&loader);
    nfl__segment_close(&segment);
    nfl__buffer_free(&bytes);
    nfl__columns_release(columns);
    free(flows);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_every_shape_of_every_column_comes_back(void)
{
    static const uint32_t row_counts[] = {1, 2, 63, 64, 1024, 1025, SHAPED_ROWS};
    test_random random = {test_seed()};
    for (int round = 0; round < 12; round++)
        for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++)
            check_shapes(&random, round % 2 ? NFL__SEGMENT_COMPACT : NFL__SEGMENT_FAST, row_counts[r]);
}

static void test_a_full_block_comes_back(void)
{
    test_random random = {test_seed()};
    check_shapes(&random, NFL__SEGMENT_FAST, NFL__BATCH_ROWS);
    check_shapes(&random, NFL__SEGMENT_COMPACT, NFL__BATCH_ROWS);
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
    size_t table_at = bytes->len - FOOTER - SECTIONS * SECTION;
    *len = bytes->len + 5 + SECTION;
    uint8_t *out = calloc(*len, 1);
    if (!out)
        abort();
    uint8_t *section = out + table_at, *table = section + 5, *footer = table + (1 + SECTIONS) * SECTION;
    memcpy(out, bytes->data, table_at);
    memcpy(section, "later", 5);
    memcpy(table + SECTION, bytes->data + table_at, SECTIONS * SECTION); /* the others behind it */
    nfl__store_le(table, type, 4);
    nfl__store_le(table + 4, flags, 4);
    nfl__store_le(table + 8, table_at, 8);
    nfl__store_le(table + 16, 5, 8);
    nfl__store_le(table + 24, nfl__hash("later", 5, 0), 8);
    memcpy(footer, bytes->data + bytes->len - FOOTER, FOOTER);
    nfl__store_le(footer, (uint64_t)(table - out), 8);
    nfl__store_le(footer + 8, 1 + SECTIONS, 4);
    nfl__store_le(footer + 16, nfl__hash(out, *len - FOOTER, 0), 8);
    nfl__store_le(footer + 32, nfl__hash(table, (1 + SECTIONS) * SECTION, 0), 8);
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
    enum { HEAD = 56, ENTRY = 72, LONGER = 88 };
    uint8_t bytes[HEAD + 2 * LONGER + 8] = "NFLMAN1\n";
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__manifest manifest;
    test_memory_file file;
    nfl__store_le(bytes + 8, 1, 4);
    nfl__store_le(bytes + 12, LONGER, 4);
    nfl__store_le(bytes + 24, 9, 8);
    nfl__store_le(bytes + 48, 2, 8);
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

NFL_SUITE("segment", {"blocks come back", test_blocks_come_back},
          {"every shape of every column comes back", test_every_shape_of_every_column_comes_back},
          {"a full block comes back", test_a_full_block_comes_back}, {"zones hold every value", test_zones_hold_every_value},
          {"sections of later versions", test_sections_of_later_versions},
          {"a segment cut anywhere is refused", test_a_segment_cut_anywhere_is_refused},
          {"a manifest with longer entries is read", test_a_manifest_with_longer_entries_is_read})

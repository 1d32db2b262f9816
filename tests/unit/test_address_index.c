#include <CUnit/Basic.h>

#include <netflow/query.h>
#include <netflow/store.h>

#include "base/hash.h"
#include "store/address_index.h"
#include "store_files.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 300 };

typedef struct section {
    nfl__memory memory;
    nfl__buffer out;
    nfl_ip *ips[2]; /* of every row, block after block */
    uint32_t blocks;
} section;

/* Few addresses, so that they repeat; some of IPv6, some between the ranges. */
static nfl_ip some_ip(test_random *random, uint32_t spread)
{
    nfl_ip ip = nfl_ip_from_v4((uint32_t)test_below(random, spread) * 7);
    if (test_chance(random, 30))
        ip.b[test_below(random, 10)] = (uint8_t)test_below(random, 3);
    return ip;
}

static void section_make(section *s, test_random *random, uint32_t blocks, uint32_t spread)
{
    nfl__index_builder builder = {0};
    memset(s, 0, sizeof *s);
    nfl__memory_init(&s->memory, NULL, 0);
    s->out.memory = &s->memory;
    s->blocks = blocks;
    nfl__encoder *encoder = nfl__encoder_new(&s->memory, ROWS);
    nfl__index_builder_start(&builder, &s->memory);
    for (int side = 0; side < 2; side++)
        s->ips[side] = calloc((size_t)blocks * ROWS, sizeof **s->ips);
    for (uint32_t b = 0; b < blocks; b++) {
        nfl__batch batch = {.rows = ROWS};
        for (int side = 0; side < 2; side++) {
            nfl_ip *ips = s->ips[side] + (size_t)b * ROWS;
            for (uint32_t i = 0; i < ROWS; i++)
                ips[i] = some_ip(random, spread);
            batch.columns[side ? NFL_FIELD_DST : NFL_FIELD_SRC] =
                (nfl__column){.values = ips, .form = NFL__COLUMN_PLAIN, .width = sizeof(nfl_ip)};
        }
        nfl__encoder_start(encoder, &batch);
        CU_ASSERT_FATAL(nfl__index_builder_add(&builder, encoder, &batch));
    }
    CU_ASSERT_FATAL(nfl__index_builder_write(&builder, nfl__encoder_work(encoder), &s->out));
    nfl__index_builder_free(&builder);
    nfl__encoder_free(encoder, &s->memory);
}

static void section_free(section *s)
{
    free(s->ips[0]);
    free(s->ips[1]);
    nfl__buffer_free(&s->out);
    CU_ASSERT_EQUAL(s->memory.held, 0);
}

static nfl_status section_read(void *ctx, void *dst, size_t len, uint64_t offset, nfl_error *err)
{
    const nfl__buffer *bytes = ctx;
    (void)err;
    if (offset > bytes->len || len > bytes->len - offset)
        return NFL_E_CORRUPT;
    memcpy(dst, bytes->data + offset, len);
    return NFL_OK;
}

static nfl_status section_open(nfl__buffer *bytes, nfl__memory *memory, nfl__address_index *index)
{
    return nfl__address_index_open(index, memory, section_read, bytes, bytes->len, NULL);
}

/* Groups of blocks that have an address of the range, by looking at every row. */
static uint64_t section_truth(const section *s, const nfl__range *range, int side, uint32_t blocks_a_bit)
{
    uint64_t bits = 0;
    for (uint32_t row = 0; row < s->blocks * ROWS; row++) {
        nfl__key key = nfl__key_ip(&s->ips[side][row]);
        if (nfl__key_compare(key, range->first) >= 0 && nfl__key_compare(key, range->last) <= 0)
            bits |= UINT64_C(1) << row / ROWS / blocks_a_bit;
    }
    return bits;
}

static nfl__range some_range(test_random *random, uint32_t spread)
{
    nfl_ip a = some_ip(random, spread), b = some_ip(random, spread);
    nfl__key x = nfl__key_ip(&a), y = nfl__key_ip(test_chance(random, 70) ? &a : &b);
    nfl__range range = {nfl__key_compare(x, y) < 0 ? x : y, nfl__key_compare(x, y) < 0 ? y : x};
    return range;
}

static void test_look_ups_are_exact(void)
{
    static const struct {
        uint32_t blocks, spread;
    } t[] = {{1, 10}, {3, 1000}, {16, 100000}, {64, 3000}, {65, 100}, {200, 4000}};
    test_random random = {test_seed()};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        section s;
        nfl__address_index index;
        section_make(&s, &random, t[i].blocks, t[i].spread);
        CU_ASSERT_EQUAL_FATAL(section_open(&s.out, &s.memory, &index), NFL_OK);
        CU_ASSERT(t[i].blocks <= 64 * index.blocks_a_bit);
        index.pages_left = UINT32_MAX;
        uint32_t wrong = 0;
        for (int n = 0; n < 200; n++) {
            nfl__range range = some_range(&random, t[i].spread);
            unsigned side = (unsigned)n % 2;
            uint64_t bits = 0;
            wrong += nfl__address_index_find(&index, &range, 1, side, &bits, NULL) != NFL_OK;
            wrong += bits != section_truth(&s, &range, (int)side, index.blocks_a_bit);
        }
        CU_ASSERT_EQUAL(wrong, 0);
        nfl__address_index_close(&index);
        section_free(&s);
    }
}

static void test_many_pages_mean_any_block(void)
{
    test_random random = {test_seed()};
    nfl__range all = {{0, 0}, {UINT64_MAX, UINT64_MAX}}, one;
    section s;
    nfl__address_index index;
    uint64_t bits;
    section_make(&s, &random, 20, 1000000);
    CU_ASSERT_EQUAL_FATAL(section_open(&s.out, &s.memory, &index), NFL_OK);
    CU_ASSERT(index.pages > 4);
    index.pages_left = 2;
    one = some_range(&random, 1000000);
    one.last = one.first;
    CU_ASSERT_EQUAL(nfl__address_index_find(&index, &one, 1, 0, &bits, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl__address_index_find(&index, &all, 1, 0, &bits, NULL), NFL_OK);
    CU_ASSERT_EQUAL(bits & 0xfffff, 0xfffff);
    nfl__address_index_close(&index);
    section_free(&s);
}

/* Each byte changed: an error, or the right answer from a part that was not changed. */
static void test_damage_is_found(void)
{
    test_random random = {test_seed()};
    section s;
    nfl__address_index index;
    section_make(&s, &random, 4, 100);
    nfl__range range = some_range(&random, 100);
    uint64_t truth = section_truth(&s, &range, 0, 1), bits;
    for (size_t at = 0; at < s.out.len; at++) {
        s.out.data[at] ^= 0x10;
        nfl_status status = section_open(&s.out, &s.memory, &index);
        if (status == NFL_OK) {
            status = nfl__address_index_find(&index, &range, 1, 0, &bits, NULL);
            CU_ASSERT(status == NFL_E_CORRUPT || bits == truth);
            nfl__address_index_close(&index);
        }
        CU_ASSERT(status == NFL_OK || status == NFL_E_CORRUPT);
        s.out.data[at] ^= 0x10;
    }
    for (size_t len = 0; len < s.out.len; len++) {
        nfl__buffer cut = s.out;
        cut.len = len;
        if (section_open(&cut, &s.memory, &index) != NFL_OK)
            continue;
        CU_ASSERT(nfl__address_index_find(&index, &range, 1, 0, &bits, NULL) == NFL_E_CORRUPT || bits == truth);
        nfl__address_index_close(&index);
    }
    section_free(&s);
}

/* Right checksums over anything: nothing is read beyond its end, and every answer is one or an error. */
static void test_hostile_pages(void)
{
    test_random random = {test_seed()};
    section s;
    section_make(&s, &random, 4, 400);
    for (int n = 0; n < 3000; n++) {
        nfl__address_index index;
        nfl__range range = some_range(&random, 400);
        uint64_t bits;
        nfl__buffer bytes = s.out;
        bytes.data = test_exact(s.out.data, s.out.len);
        uint8_t *fences = bytes.data + 24, *page = fences + 32 * nfl__load_le32(bytes.data + 8);
        uint32_t len = nfl__load_le32(fences + 20);
        for (int c = 0; c < 1 + n % 4; c++)
            bytes.data[test_below(&random, n % 3 ? bytes.len : 60)] = (uint8_t)test_next(&random);
        if (n % 2)
            page[test_below(&random, len)] = (uint8_t)test_next(&random);
        nfl__store_le(fences + 24, nfl__hash(page, len, 0), 8);
        uint32_t pages = nfl__load_le32(bytes.data + 8);
        if (pages <= (bytes.len - 24) / 32)
            nfl__store_le(bytes.data + 16, nfl__hash(fences, (size_t)pages * 32, nfl__hash(bytes.data, 16, 0)), 8);
        if (section_open(&bytes, &s.memory, &index) == NFL_OK) {
            nfl_status status = nfl__address_index_find(&index, &range, 1, 0, &bits, NULL);
            CU_ASSERT(status == NFL_OK || status == NFL_E_CORRUPT);
            nfl__address_index_close(&index);
        }
        free(bytes.data);
    }
    section_free(&s);
}

/* --- through a store --- */

static uint64_t count_rows(nfl_store *store, const char *filter, uint64_t *blocks_read)
{
    NFL_OPTS(nfl_query, query, .filter = filter, .columns = "src");
    nfl_query_stats stats = {.struct_size = sizeof stats};
    nfl_cursor *cursor;
    nfl_error err;
    if (nfl_store_query(store, &query, &cursor, &err) != NFL_OK)
        return UINT64_MAX;
    while (nfl_cursor_next(cursor, &err) == NFL_OK)
        ;
    nfl_cursor_get_stats(cursor, &stats);
    nfl_cursor_free(cursor);
    *blocks_read = stats.blocks_read;
    return stats.rows_matched;
}

static void test_queries_open_only_blocks_that_have_the_address(void)
{
    static const struct {
        const char *filter;
        uint64_t rows, blocks;
    } t[] = {{"ip 192.0.2.3", 10, 1},
             {"dst ip 192.0.2.3", 0, 0},
             {"dst ip 198.51.100.1", 80, 8},
             {"src ip 192.0.2.3 or src ip 192.0.2.5", 20, 2},
             {"src ip 192.0.2.3 and src ip 192.0.2.5", 0, 0},
             {"src ip 192.0.2.3 and dst ip 203.0.113.1", 0, 0},
             {"net 192.0.2.4/31", 20, 2},
             {"ip 192.0.2.77", 0, 0},
             {"not ip 192.0.2.3", 70, 7},
             {"src ip 192.0.2.3 or packets > 0", 80, 8},
             {"ip 2001:db8::1", 0, 0}};
    char path[TEST_PATH_SIZE];
    nfl_store *store;
    NFL_OPTS(nfl_store_opts, opts, .flags = NFL_STORE_CREATE);
    test_make_folder(path);
    CU_ASSERT_EQUAL_FATAL(nfl_store_new(path, &opts, &store, NULL), NFL_OK);
    for (uint32_t s = 0; s < 8; s++) { /* one segment each, with a source of its own */
        nfl_flow flow = {.struct_size = sizeof flow, .received_us = 1000000 + s, .first_us = 1000000, .packets = 1,
                         .src = nfl_ip_from_v4(0xc0000200u + s), .dst = nfl_ip_from_v4(0xc6336401u), .flows = 1,
                         .present = NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_PACKETS)};
        for (int i = 0; i < 10; i++)
            CU_ASSERT_EQUAL(nfl_store_append(store, &flow, 1, sizeof flow, NULL), NFL_OK);
        CU_ASSERT_EQUAL(nfl_store_sync(store, NFL_SYNC_SEAL, NULL), NFL_OK);
    }
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint64_t blocks = 0;
        NFL_CHECK(t[i].filter, count_rows(store, t[i].filter, &blocks) == t[i].rows);
        NFL_CHECK(t[i].filter, blocks == t[i].blocks);
    }
    nfl_store_free(store);
    test_remove_folder(path);
}

NFL_SUITE("address_index", {"look-ups are exact", test_look_ups_are_exact},
          {"many pages mean any block", test_many_pages_mean_any_block}, {"damage is found", test_damage_is_found},
          {"hostile pages", test_hostile_pages},
          {"queries open only blocks that have the address", test_queries_open_only_blocks_that_have_the_address})

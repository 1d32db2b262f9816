#include <CUnit/Basic.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/opts.h"
#include "base/rd.h"
#include "base/wr.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_errors_tell_code_place_and_text(void)
{
    nfl_error err;
    CU_ASSERT_EQUAL(nfl__fail(&err, NFL_E_FORMAT, 7, "set %u: length %u, need at least %u", 3u, 2u, 4u), NFL_E_FORMAT);
    CU_ASSERT_EQUAL(err.code, NFL_E_FORMAT);
    CU_ASSERT_EQUAL(err.offset, 7);
    CU_ASSERT_STRING_EQUAL(err.message, "set 3: length 2, need at least 4");
    CU_ASSERT_EQUAL(nfl__fail_io(&err, ENOENT, "open %s", "x"), NFL_E_IO);
    CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
    CU_ASSERT_STRING_EQUAL(err.message, "open x: No such file or directory");
    CU_ASSERT_EQUAL(nfl__fail(NULL, NFL_E_ARG, 0, "nobody listens"), NFL_E_ARG);
}

static void test_a_message_too_long_is_cut(void)
{
    char text[500];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 0;
    nfl_error err;
    nfl__fail(&err, NFL_E_ARG, 0, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.message), sizeof err.message - 1);
    nfl__fail_io(&err, EIO, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.message), sizeof err.message - 1);
}

static void test_every_status_has_a_name(void)
{
    CU_ASSERT_STRING_EQUAL(nfl_status_name(NFL_E_NO_TEMPLATE), "NFL_E_NO_TEMPLATE");
    CU_ASSERT_STRING_EQUAL(nfl_status_name(-9999), "NFL_?");
    CU_ASSERT_EQUAL(nfl_version(), 100);
}

static void test_memory_is_counted_and_limited(void)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 100);
    void *p = nfl__new(&memory, 10, 6);
    CU_ASSERT_PTR_NOT_NULL(p);
    CU_ASSERT_EQUAL(memory.held, 60);
    CU_ASSERT_PTR_NULL(nfl__new(&memory, 41, 1));
    CU_ASSERT_PTR_NULL(nfl__renew(&memory, p, 10, 17, 6));
    p = nfl__renew(&memory, p, 10, 16, 6);
    CU_ASSERT_EQUAL(memory.held, 96);
    CU_ASSERT_PTR_NULL(nfl__new(&memory, SIZE_MAX / 2, 3));
    nfl__delete(&memory, p, 16, 6);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_arrays_grow_and_keep_their_content(void)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    uint32_t *array = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        CU_ASSERT_FATAL(nfl__grow(&memory, (void **)&array, &capacity, i + 1, sizeof *array));
        array[i] = i;
    }
    int same = 1;
    for (uint32_t i = 0; i < 1000; i++)
        same &= array[i] == i;
    CU_ASSERT(same);
    nfl__delete(&memory, array, capacity, sizeof *array);
    CU_ASSERT_EQUAL(memory.held, 0);
}

static void test_an_array_grows_to_the_limit_exactly(void)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 10);
    char *array = NULL;
    size_t capacity = 0;
    CU_ASSERT(nfl__grow(&memory, (void **)&array, &capacity, 8, 1));
    CU_ASSERT(nfl__grow(&memory, (void **)&array, &capacity, 10, 1)); /* doubling would be over the limit */
    CU_ASSERT(!nfl__grow(&memory, (void **)&array, &capacity, 11, 1));
    CU_ASSERT_EQUAL(capacity, 10);
    nfl__delete(&memory, array, capacity, 1);
}

static void test_options_of_other_ages(void)
{
    struct options {
        uint32_t struct_size, a;
        uint64_t b;
    } known;
    nfl_error err;
    struct {
        struct options known;
        uint64_t future;
    } newer = {{.struct_size = sizeof newer, .a = 1, .b = 2}, 0};
    CU_ASSERT_EQUAL(nfl__opts_read(&known, sizeof known, &newer, &err), NFL_OK);
    CU_ASSERT_EQUAL(known.b, 2);
    newer.future = 1;
    CU_ASSERT_EQUAL(nfl__opts_read(&known, sizeof known, &newer, &err), NFL_E_VERSION);
    CU_ASSERT_EQUAL(err.offset, sizeof known);
    struct options older = {.struct_size = 8, .a = 3, .b = 9};
    CU_ASSERT_EQUAL(nfl__opts_read(&known, sizeof known, &older, &err), NFL_OK);
    CU_ASSERT_EQUAL(known.a, 3);
    CU_ASSERT_EQUAL(known.b, 0);
    older.struct_size = 0;
    CU_ASSERT_EQUAL(nfl__opts_read(&known, sizeof known, &older, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl__opts_read(&known, sizeof known, NULL, &err), NFL_OK);
    CU_ASSERT_EQUAL(known.a, 0);

    struct options out = {.struct_size = 8, .b = 77}, in = {.struct_size = sizeof in, .a = 5, .b = 6};
    CU_ASSERT(nfl__opts_write(&out, &in, sizeof in));
    CU_ASSERT_EQUAL(out.struct_size, 8);
    CU_ASSERT_EQUAL(out.a, 5);
    CU_ASSERT_EQUAL(out.b, 77);
    out.struct_size = 0;
    CU_ASSERT(!nfl__opts_write(&out, &in, sizeof in));
}

static void test_a_reader_never_reads_too_far(void)
{
    uint8_t *data = test_exact("\1\2\3\4\5\6\7\10\11\12\13", 11);
    nfl__rd rd = nfl__rd_make(data, 11);
    CU_ASSERT_EQUAL(nfl__rd_u8(&rd), 1);
    CU_ASSERT_EQUAL(nfl__rd_u16(&rd), 0x0203);
    CU_ASSERT_EQUAL(nfl__rd_u32(&rd), 0x04050607);
    CU_ASSERT_EQUAL(nfl__rd_offset(&rd), 7);
    nfl__rd sub = nfl__rd_sub(&rd, 2);
    CU_ASSERT_EQUAL(nfl__rd_u16_le(&sub), 0x0908);
    CU_ASSERT_EQUAL(nfl__rd_u8(&sub), 0);
    CU_ASSERT(sub.failed);
    CU_ASSERT(!rd.failed);
    CU_ASSERT_EQUAL(nfl__rd_u64(&rd), 0);
    CU_ASSERT(rd.failed);
    CU_ASSERT_EQUAL(nfl__rd_left(&rd), 2);
    CU_ASSERT_PTR_NULL(nfl__rd_bytes(&rd, SIZE_MAX));
    sub = nfl__rd_sub(&rd, 3);
    CU_ASSERT(sub.failed);
    CU_ASSERT_EQUAL(nfl__rd_left(&sub), 0);
    free(data);
}

static void test_what_is_written_is_read_back(void)
{
    static const uint64_t values[] = {0, 1, 0x7f, 0x80, 0x3fff, 0x4000, UINT32_MAX, UINT64_MAX};
    uint8_t buffer[200];
    nfl__wr wr = nfl__wr_make(buffer, sizeof buffer);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        nfl__wr_varint(&wr, values[i]);
        nfl__wr_u64(&wr, values[i]);
        nfl__wr_le(&wr, values[i], 8);
    }
    CU_ASSERT(!wr.failed);
    nfl__rd rd = nfl__rd_make(buffer, wr.need);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CU_ASSERT_EQUAL(nfl__rd_varint(&rd), values[i]);
        CU_ASSERT_EQUAL(nfl__rd_u64(&rd), values[i]);
        CU_ASSERT_EQUAL(nfl__rd_u64_le(&rd), values[i]);
    }
    CU_ASSERT(!rd.failed);
    CU_ASSERT_EQUAL(nfl__rd_left(&rd), 0);
    nfl__wr count = nfl__wr_make(NULL, 0);
    nfl__wr_u32(&count, 1);
    CU_ASSERT_EQUAL(count.need, 4);
    CU_ASSERT(count.failed);
}

static void test_an_endless_varint_fails(void)
{
    uint8_t bytes[11];
    memset(bytes, 0xff, sizeof bytes);
    nfl__rd rd = nfl__rd_make(bytes, sizeof bytes);
    nfl__rd_varint(&rd);
    CU_ASSERT(rd.failed);
}

/* Values of libxxhash's XXH64. */
static void test_the_hash_is_xxh64(void)
{
    uint8_t data[101];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 1);
    CU_ASSERT_EQUAL(nfl__hash(NULL, 0, 0), UINT64_C(0xef46db3751d8e999));
    CU_ASSERT_EQUAL(nfl__hash("abc", 3, 0), UINT64_C(0x44bc2cf5ad770999));
    CU_ASSERT_NOT_EQUAL(nfl__hash(data, 101, 0), nfl__hash(data, 101, 1));
    CU_ASSERT_NOT_EQUAL(nfl__hash(data, 100, 0), nfl__hash(data, 101, 0));
}

NFL_SUITE("base", {"errors tell code, place and text", test_errors_tell_code_place_and_text},
          {"a message too long is cut", test_a_message_too_long_is_cut},
          {"every status has a name", test_every_status_has_a_name},
          {"memory is counted and limited", test_memory_is_counted_and_limited},
          {"arrays grow and keep their content", test_arrays_grow_and_keep_their_content},
          {"an array grows to the limit exactly", test_an_array_grows_to_the_limit_exactly},
          {"options of other ages", test_options_of_other_ages},
          {"a reader never reads too far", test_a_reader_never_reads_too_far},
          {"what is written is read back", test_what_is_written_is_read_back},
          {"an endless varint fails", test_an_endless_varint_fails},
          {"the hash is XXH64", test_the_hash_is_xxh64})

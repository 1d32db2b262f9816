#include <CUnit/Basic.h>

#include <netflow/topk.h>

#include "base/hash.h"
#include "base/wr.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define KEY_LEN 4u

static nfl_topk *topk_make(uint32_t counters, uint64_t seed)
{
    nfl_topk *topk = NULL;
    NFL_OPTS(nfl_topk_opts, o, .counters = counters, .key_len = KEY_LEN, .seed = seed);
    CU_ASSERT_EQUAL_FATAL(nfl_topk_new(&o, &topk, NULL), NFL_OK);
    return topk;
}

static void topk_add_number(nfl_topk *topk, uint32_t number, uint64_t weight)
{
    uint8_t *key = test_exact(&number, sizeof number);
    nfl_topk_add(topk, key, weight);
    free(key);
}

static void test_few_keys_are_exact_and_in_order(void)
{
    nfl_topk *topk = topk_make(64, 1);
    topk_add_number(topk, 7, 5);
    topk_add_number(topk, 8, 100);
    topk_add_number(topk, 7, 6);
    topk_add_number(topk, 9, 0);
    nfl_topk_item items[4];
    CU_ASSERT_EQUAL(nfl_topk_list(topk, items, 4), 2);
    uint32_t first;
    memcpy(&first, items[0].key, sizeof first);
    CU_ASSERT_EQUAL(first, 8);
    CU_ASSERT_EQUAL(items[0].weight, 100);
    CU_ASSERT_EQUAL(items[1].weight, 11);
    CU_ASSERT_EQUAL(items[1].max_error, 0);
    CU_ASSERT_EQUAL(items[1].certain, 1);
    CU_ASSERT_EQUAL(nfl_topk_total(topk), 111);
    CU_ASSERT_EQUAL(nfl_topk_list(topk, items, 0), 0);
    nfl_topk_free(topk);
    nfl_topk_free(NULL);
}

static void test_equal_weights_are_listed_by_key(void)
{
    nfl_topk *topk = topk_make(64, 1);
    uint8_t keys[3][KEY_LEN] = {{3, 0, 0, 0}, {1, 0, 0, 0}, {2, 0, 0, 0}};
    for (size_t i = 0; i < 3; i++)
        nfl_topk_add(topk, keys[i], 10);
    nfl_topk_item items[2];
    CU_ASSERT_EQUAL(nfl_topk_list(topk, items, 2), 2);
    CU_ASSERT_EQUAL(items[0].key[0], 1);
    CU_ASSERT_EQUAL(items[1].key[0], 2);
    CU_ASSERT_EQUAL(items[1].certain, 1); /* key 3 is as heavy, not heavier */
    nfl_topk_free(topk);
}

static void test_a_newcomer_inherits_the_smallest_count_as_error(void)
{
    nfl_topk *topk = topk_make(8, 1); /* one bucket */
    for (uint32_t i = 0; i < 8; i++)
        topk_add_number(topk, i, 10 + i);
    topk_add_number(topk, 100, 5);
    uint32_t key = 100;
    uint64_t upper;
    CU_ASSERT_EQUAL(nfl_topk_get(topk, &key, &upper), 5);
    CU_ASSERT_EQUAL(upper, 15);
    key = 0; /* was evicted with 10 */
    CU_ASSERT_EQUAL(nfl_topk_get(topk, &key, &upper), 0);
    CU_ASSERT_EQUAL(upper, 11);
    nfl_topk_item items[9];
    CU_ASSERT_EQUAL(nfl_topk_list(topk, items, 9), 8);
    CU_ASSERT_EQUAL(items[7].certain, 0);
    CU_ASSERT_EQUAL(items[0].certain, 1);
    nfl_topk_free(topk);
}

static void test_counts_saturate(void)
{
    nfl_topk *topk = topk_make(8, 1);
    topk_add_number(topk, 1, UINT64_MAX - 1);
    topk_add_number(topk, 1, 5);
    uint32_t key = 1;
    uint64_t upper;
    CU_ASSERT_EQUAL(nfl_topk_get(topk, &key, &upper), UINT64_MAX);
    CU_ASSERT_EQUAL(upper, UINT64_MAX);
    CU_ASSERT_EQUAL(nfl_topk_total(topk), UINT64_MAX);
    nfl_topk_reset(topk);
    CU_ASSERT_EQUAL(nfl_topk_get(topk, &key, &upper), 0);
    CU_ASSERT_EQUAL(nfl_topk_total(topk), 0);
    nfl_topk_free(topk);
}

static void test_options_out_of_range_are_refused(void)
{
    static const struct {
        const char *name;
        uint32_t counters, key_len;
        nfl_status want;
    } t[] = {
        {"largest key", 8, NFL_TOPK_MAX_KEY, NFL_OK},
        {"key too long", 8, NFL_TOPK_MAX_KEY + 1, NFL_E_ARG},
        {"too many counters", (1u << 24) + 1, 4, NFL_E_ARG},
        {"one counter is rounded up", 1, 4, NFL_OK},
        {"defaults", 0, 0, NFL_OK},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        nfl_topk *topk = NULL;
        NFL_OPTS(nfl_topk_opts, o, .counters = t[i].counters, .key_len = t[i].key_len);
        NFL_CHECK(t[i].name, nfl_topk_new(&o, &topk, NULL) == t[i].want);
        nfl_topk_free(topk);
    }
}

static void test_merging_adds_weights(void)
{
    nfl_topk *a = topk_make(64, 1), *b = topk_make(64, 1), *other = topk_make(64, 2),
             *small = topk_make(8, 1);
    topk_add_number(a, 1, 10);
    topk_add_number(b, 1, 5);
    topk_add_number(b, 2, 7);
    CU_ASSERT_EQUAL(nfl_topk_merge(a, b, NULL), NFL_OK);
    uint32_t key = 1;
    CU_ASSERT_EQUAL(nfl_topk_get(a, &key, NULL), 15);
    key = 2;
    CU_ASSERT_EQUAL(nfl_topk_get(a, &key, NULL), 7);
    CU_ASSERT_EQUAL(nfl_topk_total(a), 22);
    nfl_error err;
    CU_ASSERT_EQUAL(nfl_topk_merge(a, other, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_topk_merge(a, small, &err), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_topk_total(a), 22);
    nfl_topk_free(a);
    nfl_topk_free(b);
    nfl_topk_free(other);
    nfl_topk_free(small);
}

static nfl_topk *topk_make_filled(void)
{
    nfl_topk *topk = topk_make(32, 1);
    for (uint32_t i = 0; i < 200; i++)
        topk_add_number(topk, i, 1 + i * i % 50);
    return topk;
}

static uint8_t *topk_save(const nfl_topk *topk, size_t *len)
{
    CU_ASSERT_EQUAL(nfl_topk_save(topk, NULL, 0, len, NULL), NFL_E_LIMIT);
    uint8_t *data = malloc(*len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(nfl_topk_save(topk, data, *len - 1, len, NULL), NFL_E_LIMIT);
    CU_ASSERT_EQUAL(nfl_topk_save(topk, data, *len, len, NULL), NFL_OK);
    return data;
}

static void test_a_loaded_sketch_goes_on_like_the_saved_one(void)
{
    nfl_topk *a = topk_make_filled(), *b = topk_make(32, 1);
    topk_add_number(b, 12345, 1000000);
    size_t len, again_len;
    uint8_t *saved = topk_save(a, &len);
    CU_ASSERT_EQUAL(nfl_topk_load(b, saved, len, NULL), NFL_OK);
    for (uint32_t i = 1000; i < 1100; i++) {
        topk_add_number(a, i, i);
        topk_add_number(b, i, i);
    }
    free(saved);
    saved = topk_save(a, &len);
    uint8_t *again = topk_save(b, &again_len);
    CU_ASSERT_EQUAL(len, again_len);
    CU_ASSERT(len == again_len && memcmp(saved, again, len) == 0);
    free(saved);
    free(again);
    nfl_topk_free(a);
    nfl_topk_free(b);
}

static void test_other_geometry_or_seed_is_not_loaded(void)
{
    nfl_topk *a = topk_make_filled(), *seed = topk_make(32, 2), *size = topk_make(64, 1);
    size_t len;
    uint8_t *saved = topk_save(a, &len);
    CU_ASSERT_EQUAL(nfl_topk_load(seed, saved, len, NULL), NFL_E_ARG);
    CU_ASSERT_EQUAL(nfl_topk_load(size, saved, len, NULL), NFL_E_ARG);
    free(saved);
    nfl_topk_free(a);
    nfl_topk_free(seed);
    nfl_topk_free(size);
}

static void test_damaged_bytes_leave_the_sketch_unchanged(void)
{
    nfl_topk *a = topk_make_filled(), *b = topk_make_filled();
    size_t len, want_len;
    uint8_t *saved = topk_save(a, &len), *want = topk_save(b, &want_len);
    for (size_t i = 0; i < len; i++) {
        uint8_t *damaged = test_exact(saved, len);
        damaged[i] ^= 1;
        CU_ASSERT_EQUAL(nfl_topk_load(b, damaged, len, NULL), NFL_E_CORRUPT);
        free(damaged);
        uint8_t *cut = test_exact(saved, i);
        CU_ASSERT_EQUAL(nfl_topk_load(b, cut, i, NULL), NFL_E_CORRUPT);
        free(cut);
    }
    size_t now_len;
    uint8_t *now = topk_save(b, &now_len);
    CU_ASSERT(now_len == want_len && memcmp(now, want, now_len) == 0);
    free(now);
    free(want);
    free(saved);
    nfl_topk_free(a);
    nfl_topk_free(b);
}

/* With a good checksum the structure must still be checked. Offsets: topk.c, "save and load". */
static void test_forged_structure_is_refused(void)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } t[] = {
        {"more buckets than there are", 32, 200},
        {"bucket index too large", 36, 99},
        {"no counter in a bucket", 40, 0},
        {"nine counters in a bucket", 40, 9},
        {"count is zero", 41, 0},
        {"error above count", 42, 0x7f},
        {"key of another bucket", 43, 0xee},
    };
    nfl_topk *a = topk_make(32, 1);
    for (uint32_t key = 0; key < 20; key++)
        topk_add_number(a, key, 5);
    size_t len;
    uint8_t *saved = topk_save(a, &len);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t *forged = test_exact(saved, len);
        forged[t[i].at] = t[i].value;
        nfl__store_le(forged + len - 8, nfl__hash(forged, len - 8, 0), 8);
        nfl_error err = {0};
        NFL_CHECK(t[i].name, nfl_topk_load(a, forged, len, &err) == NFL_E_CORRUPT);
        free(forged);
    }
    free(saved);
    nfl_topk_free(a);
}

static nfl_status topk_scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_topk *topk;
    NFL_OPTS(nfl_topk_opts, o, .alloc = alloc, .counters = 64, .key_len = KEY_LEN);
    nfl_status status = nfl_topk_new(&o, &topk, NULL);
    if (status < 0)
        return status;
    test_allocator *counted = alloc->ctx;
    long requests = counted->requests;
    for (uint32_t i = 0; i < 1000; i++)
        topk_add_number(topk, i, i);
    nfl_topk_item items[10];
    CU_ASSERT_EQUAL(nfl_topk_list(topk, items, 10), 10);
    CU_ASSERT_EQUAL(counted->requests, requests);
    CU_ASSERT_EQUAL(nfl_topk_memory(topk), (size_t)counted->live);
    nfl_topk_free(topk);
    return NFL_OK;
}

static void test_only_creation_allocates(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(topk_scenario, NULL, 0), 2);
}

NFL_SUITE("topk", {"few keys are exact and in order", test_few_keys_are_exact_and_in_order},
          {"equal weights are listed by key", test_equal_weights_are_listed_by_key},
          {"a newcomer inherits the smallest count as error",
           test_a_newcomer_inherits_the_smallest_count_as_error},
          {"counts saturate", test_counts_saturate},
          {"options out of range are refused", test_options_out_of_range_are_refused},
          {"merging adds weights", test_merging_adds_weights},
          {"a loaded sketch goes on like the saved one", test_a_loaded_sketch_goes_on_like_the_saved_one},
          {"other geometry or seed is not loaded", test_other_geometry_or_seed_is_not_loaded},
          {"damaged bytes leave the sketch unchanged", test_damaged_bytes_leave_the_sketch_unchanged},
          {"forged structure is refused", test_forged_structure_is_refused},
          {"only creation allocates", test_only_creation_allocates})

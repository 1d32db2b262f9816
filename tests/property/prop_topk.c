/* Laws of the top-N sketch, against exact sums: bounds hold, also after merging; `certain` is true;
 * merge(a, b) equals merge(b, a). */
#include <CUnit/Basic.h>

#include <netflow/topk.h>

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 4000u

typedef struct stream {
    uint64_t exact[KEYS];
    uint64_t total;
} stream;

static nfl_topk *topk_make(uint32_t counters)
{
    nfl_topk *topk = NULL;
    NFL_OPTS(nfl_topk_opts, o, .counters = counters, .key_len = 4, .seed = 99);
    CU_ASSERT_EQUAL_FATAL(nfl_topk_new(&o, &topk, NULL), NFL_OK);
    return topk;
}

static uint32_t random_key(test_random *r)
{
    uint32_t bits = (uint32_t)test_below(r, 13);
    return (uint32_t)(test_next(r) & ((1u << bits) - 1)) % KEYS;
}

static void stream_add(stream *s, nfl_topk *topk, test_random *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t key = random_key(r);
        uint64_t weight = 1 + (test_next(r) >> (40 + test_below(r, 24)));
        nfl_topk_add(topk, &key, weight);
        s->exact[key] += weight;
        s->total += weight;
    }
}

static void check_bounds(const stream *s, const nfl_topk *topk)
{
    int hold = 1;
    for (uint32_t key = 0; key < KEYS; key++) {
        uint64_t upper, lower = nfl_topk_get(topk, &key, &upper);
        hold &= lower <= s->exact[key] && s->exact[key] <= upper;
    }
    CU_ASSERT(hold);
    CU_ASSERT_EQUAL(nfl_topk_total(topk), s->total);
}

static void check_certain(const stream *s, const nfl_topk *topk, size_t cap)
{
    nfl_topk_item items[100];
    uint8_t listed[KEYS] = {0};
    size_t n = nfl_topk_list(topk, items, cap);
    uint64_t heaviest_outside = 0;
    uint32_t key;
    for (size_t i = 0; i < n; i++) {
        memcpy(&key, items[i].key, sizeof key);
        listed[key] = 1;
        CU_ASSERT(!i || items[i - 1].weight - items[i - 1].max_error >= items[i].weight - items[i].max_error);
    }
    for (key = 0; key < KEYS; key++)
        if (!listed[key] && s->exact[key] > heaviest_outside)
            heaviest_outside = s->exact[key];
    for (size_t i = 0; i < n; i++) {
        memcpy(&key, items[i].key, sizeof key);
        CU_ASSERT(!items[i].certain || s->exact[key] >= heaviest_outside);
    }
}

static void check_same(const nfl_topk *a, const nfl_topk *b)
{
    static uint8_t bytes[2][1 << 20];
    size_t len[2];
    CU_ASSERT_EQUAL(nfl_topk_save(a, bytes[0], sizeof bytes[0], &len[0], NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_topk_save(b, bytes[1], sizeof bytes[1], &len[1], NULL), NFL_OK);
    CU_ASSERT(len[0] == len[1] && memcmp(bytes[0], bytes[1], len[0]) == 0);
}

static void test_bounds_always_hold(void)
{
    test_random r = {test_seed()};
    for (uint32_t counters = 8; counters <= 8192; counters *= 4) {
        stream s = {0};
        nfl_topk *topk = topk_make(counters);
        for (size_t round = 0; round < 4; round++) {
            stream_add(&s, topk, &r, 5000);
            check_bounds(&s, topk);
            check_certain(&s, topk, 1 + test_below(&r, 100));
        }
        nfl_topk_free(topk);
    }
}

static void test_merging_keeps_the_bounds(void)
{
    test_random r = {test_seed() + 1};
    for (uint32_t counters = 8; counters <= 8192; counters *= 4) {
        stream s = {0};
        nfl_topk *sum = topk_make(counters);
        for (size_t part = 0; part < 6; part++) {
            nfl_topk *a = topk_make(counters), *mirror = topk_make(counters);
            stream_add(&s, a, &r, part % 2 ? 20 : 3000);
            CU_ASSERT_EQUAL(nfl_topk_merge(mirror, a, NULL), NFL_OK);
            CU_ASSERT_EQUAL(nfl_topk_merge(mirror, sum, NULL), NFL_OK);
            CU_ASSERT_EQUAL(nfl_topk_merge(sum, a, NULL), NFL_OK);
            check_same(sum, mirror);
            check_bounds(&s, sum);
            check_certain(&s, sum, 20);
            nfl_topk_free(a);
            nfl_topk_free(mirror);
        }
        stream_add(&s, sum, &r, 1000);
        check_bounds(&s, sum);
        nfl_topk_free(sum);
    }
}

NFL_SUITE("topk laws", {"bounds always hold", test_bounds_always_hold},
          {"merging keeps the bounds and does not depend on the order", test_merging_keeps_the_bounds})

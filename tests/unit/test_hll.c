#include <CUnit/Basic.h>

#include <netflow/ip.h>

#include "query/hll.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nfl__memory plain_memory(void)
{
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    return memory;
}

/* The i-th value of a set: numbers in a row, numbers by steps, addresses of a network, random ones. */
static uint64_t hash_of(int kind, uint64_t i)
{
    test_random random = {i};
    nfl_ip ip = nfl_ip_from_v4((uint32_t)(0x0a000000 + i));
    uint64_t number = kind == 0 ? i : kind == 1 ? i * 4096 : test_next(&random);
    return kind == 2 ? nfl__hll_hash(&ip, sizeof ip) : nfl__hll_hash(&number, sizeof number);
}

enum { KINDS = 4 };

static void test_counts_are_within_the_bound(void)
{
    static const uint64_t counts[] = {10, 50, 100, 192, 193, 200, 300, 500, 1000, 2000, 5000, 10000, 30000, 100000, 300000, 1000000};
    enum { COUNTS = sizeof counts / sizeof *counts };
    nfl__memory memory = plain_memory();
    double worst = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        nfl__hll hll = {0};
        uint64_t seen = 0;
        for (size_t c = 0; c < COUNTS; c++) {
            for (; seen < counts[c]; seen++)
                CU_ASSERT_EQUAL_FATAL(nfl__hll_add(&hll, hash_of(kind, seen), &memory), 1);
            uint64_t got = nfl__hll_count(&hll), off = got > seen ? got - seen : seen - got;
            CU_ASSERT(off * 1000 <= NFL__HLL_ERROR_PER_MILLE * seen);
            if (seen <= NFL__HLL_MOST_EXACT)
                CU_ASSERT_EQUAL(got, seen);
            CU_ASSERT_EQUAL(nfl__hll_is_estimate(&hll), seen > NFL__HLL_MOST_EXACT);
            worst = (double)off / (double)seen > worst ? (double)off / (double)seen : worst;
        }
        nfl__hll_free(&hll, &memory);
    }
    printf("(largest error %.2f %%) ", 100 * worst);
    CU_ASSERT_EQUAL(memory.held, 0);
}

/* Many small sets tell the standard error, and whether it leans to one side. */
static void test_the_standard_error_is_what_the_theory_says(void)
{
    enum { SETS = 300 };
    static const uint64_t sizes[] = {250, 2000, 6000, 20000};
    nfl__memory memory = plain_memory();
    uint64_t next = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double squares = 0, sum = 0;
        for (int set = 0; set < SETS; set++) {
            nfl__hll hll = {0};
            for (uint64_t i = 0; i < sizes[s]; i++, next++)
                CU_ASSERT_EQUAL_FATAL(nfl__hll_add(&hll, nfl__hll_hash(&next, sizeof next), &memory), 1);
            double error = (double)nfl__hll_count(&hll) / (double)sizes[s] - 1;
            squares += error * error;
            sum += error;
            nfl__hll_free(&hll, &memory);
        }
        double standard = sqrt(squares / SETS), mean = sum / SETS;
        printf("(%u: %.2f %%, mean %+.2f %%) ", (unsigned)sizes[s], 100 * standard, 100 * mean);
        CU_ASSERT(standard < 0.023 * 1.15);
        CU_ASSERT(fabs(mean) < 0.023 * 4 / sqrt(SETS));
    }
}

static void test_order_and_repetition_do_not_matter(void)
{
    static const uint64_t sizes[] = {1, 7, 150, 192, 193, 250, 3000};
    nfl__memory memory = plain_memory();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        nfl__hll forth = {0}, back = {0};
        for (uint64_t i = 0; i < sizes[s]; i++) {
            CU_ASSERT_EQUAL(nfl__hll_add(&forth, hash_of(3, i), &memory), 1);
            CU_ASSERT_EQUAL(nfl__hll_add(&forth, hash_of(3, i / 2), &memory), 1);
            CU_ASSERT_EQUAL(nfl__hll_add(&back, hash_of(3, sizes[s] - 1 - i), &memory), 1);
        }
        CU_ASSERT_EQUAL(nfl__hll_count(&forth), nfl__hll_count(&back));
        if (nfl__hll_is_estimate(&forth))
            CU_ASSERT_EQUAL(memcmp(forth.cells, back.cells, NFL__HLL_REGISTERS), 0);
        nfl__hll_free(&forth, &memory);
        nfl__hll_free(&back, &memory);
    }
}

/* Results are the same everywhere and always: XXH64 with the key 0x9c7e1f1e53a2d46b, as its specification has it. */
static void test_the_hash_does_not_change(void)
{
    static const uint8_t number[8] = {1, 0, 0, 0, 0, 0, 0, 0};
    nfl__memory memory = plain_memory();
    nfl__hll hll = {0};
    CU_ASSERT_EQUAL(nfl__hll_hash(number, sizeof number), UINT64_C(0x20ee65535b3fc23b));
    for (uint64_t i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(nfl__hll_add(&hll, hash_of(2, i), &memory), 1);
    CU_ASSERT_EQUAL(nfl__hll_count(&hll), 5196);
    nfl__hll_free(&hll, &memory);
}

static void test_extreme_hashes(void)
{
    nfl__memory memory = plain_memory();
    nfl__hll hll = {0};
    CU_ASSERT_EQUAL(nfl__hll_count(&hll), 0);
    for (uint64_t i = 1; i <= 300; i++) /* all in the first register */
        CU_ASSERT_EQUAL(nfl__hll_add(&hll, i, &memory), 1);
    CU_ASSERT(nfl__hll_is_estimate(&hll));
    CU_ASSERT(nfl__hll_count(&hll) >= 1);
    for (uint64_t i = 0; i < NFL__HLL_REGISTERS; i++) /* every register at its end */
        CU_ASSERT_EQUAL(nfl__hll_add(&hll, i << 53, &memory), 1);
    CU_ASSERT(nfl__hll_count(&hll) > UINT64_C(1) << 60);
    nfl__hll_free(&hll, &memory);
    nfl__hll_free(&hll, &memory);
}

static nfl_status fill(const nfl_alloc *alloc, void *ctx)
{
    nfl__memory memory;
    nfl__hll hll = {0};
    nfl_status status = NFL_OK;
    (void)ctx;
    nfl__memory_init(&memory, alloc, 0);
    for (uint64_t i = 0; i < 1000 && status == NFL_OK; i++) {
        uint64_t before = nfl__hll_count(&hll);
        if (nfl__hll_add(&hll, hash_of(3, i), &memory))
            continue;
        CU_ASSERT_EQUAL(nfl__hll_count(&hll), before);
        status = NFL_E_NOMEM;
    }
    nfl__hll_free(&hll, &memory);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    CU_ASSERT_EQUAL(test_allocation_failures(fill, NULL, 0), 7);
}

NFL_SUITE("hll", {"counts are within the bound", test_counts_are_within_the_bound},
          {"the standard error is what the theory says", test_the_standard_error_is_what_the_theory_says},
          {"order and repetition do not matter", test_order_and_repetition_do_not_matter},
          {"the hash does not change", test_the_hash_does_not_change}, {"extreme hashes", test_extreme_hashes},
          {"every allocation may fail", test_every_allocation_may_fail})

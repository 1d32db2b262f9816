/* What every test needs: suites, exact-size copies, a failing allocator, seeded random numbers. */
#ifndef NFL_TEST_SUPPORT_H
#define NFL_TEST_SUPPORT_H

#include <netflow/base.h>
#include <netflow/flow.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* NFL_SUITE("parser", {"a withdrawn template drops its records", test_withdraw}, ...) defines main().
 * Include <CUnit/Basic.h> before this header. Test names are sentences. */
#define NFL_SUITE(name, ...)                                                              \
    int main(void)                                                                        \
    {                                                                                     \
        CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL};                           \
        CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL}; \
        if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) \
            return 2;                                                                     \
        CU_basic_set_mode(CU_BRM_VERBOSE);                                                \
        CU_basic_run_tests();                                                             \
        unsigned failures = CU_get_number_of_failures();                                  \
        CU_cleanup_registry();                                                            \
        return failures != 0;                                                             \
    }

/* CU_ASSERT with the name of a table row printed when it fails. */
#define NFL_CHECK(row, condition)                                              \
    do {                                                                       \
        int check_ok_ = (condition) != 0;                                      \
        if (!check_ok_)                                                        \
            printf("\n    %s:%d: case '%s': %s\n", __FILE__, __LINE__, row, #condition); \
        CU_ASSERT(check_ok_);                                                  \
    } while (0)

/* Heap copy of exactly len bytes (1 if len is 0), so that ASan sees one byte too far. free() it. */
void *test_exact(const void *data, size_t len);

/* Bytes from hexadecimal text, spaces ignored, in an exact-size block; *len is set. free() it. */
uint8_t *test_hex(const char *hex, size_t *len);

/* Allocator that counts live bytes and fails. fail_at: the number of the request that fails (0 = first);
 * -1 = none. fail_on: also every later one. Hand &t.alloc to the options. */
typedef struct test_allocator {
    nfl_alloc alloc;
    long fail_at;
    int fail_on;
    long requests;
    long live; /* bytes; must be 0 at the end */
    long peak;
} test_allocator;
void test_allocator_init(test_allocator *t, long fail_at, int fail_on);

/* Runs `scenario` with the n-th allocation failing, n = 0, 1, ... until it succeeds; once failing one time,
 * once failing from there on. The scenario returns NFL_E_NOMEM if it ran out of memory, 0 or positive if it
 * got through; anything else, leaked bytes, or success in spite of a failure it never noticed more than
 * `tolerated` times, fails the test. Returns the number of allocation points. */
typedef nfl_status (*test_scenario)(const nfl_alloc *alloc, void *ctx);
long test_allocation_failures(test_scenario scenario, void *ctx, long tolerated);

/* Random numbers (splitmix64). The seed comes from NFL_SEED or is fixed; print it when a property fails. */
typedef struct test_random {
    uint64_t state;
} test_random;
uint64_t test_seed(void);
uint64_t test_next(test_random *r);
uint64_t test_below(test_random *r, uint64_t bound); /* 0 .. bound-1 */
int test_chance(test_random *r, unsigned percent);

/* A plausible flow: v4 or v6, TCP/UDP/ICMP, Zipf-like hosts, every optional field sometimes absent. */
void test_flow(test_random *r, nfl_flow *flow);

/* Folder of shared test data (environment NETFLOW_SHARED), or NULL: then skip with a message. */
const char *test_shared(void);

/* Whole file in an exact-size block, or NULL. free() it. */
uint8_t *test_read_file(const char *path, size_t *len);

#endif

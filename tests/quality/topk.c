/* Recall and error of the top-N sketch on Zipf keys with heavy-tailed weights, by memory. */
#include <netflow/topk.h>

#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UPDATES 4000000u
#define DISTINCT 500000u
#define TOP 100u

typedef struct zipf {
    double cdf[DISTINCT];
} zipf;

static void zipf_init(zipf *z, double exponent)
{
    double sum = 0;
    for (uint32_t i = 0; i < DISTINCT; i++)
        z->cdf[i] = sum += pow(i + 1.0, -exponent);
    for (uint32_t i = 0; i < DISTINCT; i++)
        z->cdf[i] /= sum;
}

static uint32_t zipf_draw(const zipf *z, test_random *r)
{
    double u = (double)(test_next(r) >> 11) / 9007199254740992.0;
    uint32_t low = 0, high = DISTINCT - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (z->cdf[middle] < u)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void key_of(uint32_t number, uint8_t key[16])
{
    memset(key, 0, 16);
    memcpy(key, &number, sizeof number);
}

static int by_weight_down(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static uint64_t weight_of_rank(const uint64_t *exact, uint32_t rank)
{
    uint64_t *sorted = malloc(DISTINCT * sizeof *sorted);
    if (!sorted)
        exit(2);
    memcpy(sorted, exact, DISTINCT * sizeof *sorted);
    qsort(sorted, DISTINCT, sizeof *sorted, by_weight_down);
    uint64_t weight = sorted[rank - 1];
    free(sorted);
    return weight;
}

static void report(const nfl_topk *topk, const uint64_t *exact, double exponent, double ns)
{
    nfl_topk_item items[TOP];
    size_t n = nfl_topk_list(topk, items, TOP);
    uint64_t limit = weight_of_rank(exact, TOP);
    uint32_t found = 0, certain = 0, broken = 0;
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t number;
        memcpy(&number, items[i].key, sizeof number);
        uint64_t lower = items[i].weight - items[i].max_error, truth = exact[number];
        found += truth >= limit;
        certain += items[i].certain;
        broken += lower > truth || truth > items[i].weight;
        error += (double)(truth - lower) / (double)truth;
    }
    printf("topk zipf=%.1f memory_kb=%zu recall@100=%.2f relative_error=%.4f certain=%u bounds_broken=%u "
           "ns_per_add=%.0f\n",
           exponent, nfl_topk_memory(topk) / 1024, found / (double)TOP, error / TOP, certain, broken, ns);
}

/* What is fed, made before the clock runs. */
typedef struct update {
    uint32_t number;
    uint32_t weight;
} update;

static void make_updates(const zipf *z, update *updates, uint64_t *exact)
{
    test_random r = {test_seed()};
    memset(exact, 0, DISTINCT * sizeof *exact);
    for (uint32_t i = 0; i < UPDATES; i++) {
        updates[i].number = zipf_draw(z, &r);
        updates[i].weight = 40 + (uint32_t)(test_next(&r) >> (44 + test_below(&r, 20)));
        exact[updates[i].number] += updates[i].weight;
    }
}

static void run(double exponent, uint32_t counters, const uint64_t *exact, const update *updates)
{
    NFL_OPTS(nfl_topk_opts, o, .counters = counters, .seed = 7);
    nfl_topk *topk;
    if (nfl_topk_new(&o, &topk, NULL) != NFL_OK)
        exit(2);
    struct timespec begin, finish;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (uint32_t i = 0; i < UPDATES; i++) {
        uint8_t key[16];
        key_of(updates[i].number, key);
        nfl_topk_add(topk, key, updates[i].weight);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &finish);
    double ns = (double)(finish.tv_sec - begin.tv_sec) * 1e9 + (double)(finish.tv_nsec - begin.tv_nsec);
    report(topk, exact, exponent, ns / UPDATES);
    nfl_topk_free(topk);
}

int main(void)
{
    static const double exponents[] = {0.8, 1.0, 1.2};
    static const uint32_t counters[] = {1024, 4096, 16384};
    zipf *z = malloc(sizeof *z);
    uint64_t *exact = malloc(DISTINCT * sizeof *exact);
    update *updates = malloc(UPDATES * sizeof *updates);
    if (!z || !exact || !updates)
        return 2;
    for (size_t e = 0; e < sizeof exponents / sizeof *exponents; e++) {
        zipf_init(z, exponents[e]);
        make_updates(z, updates, exact);
        for (size_t c = 0; c < sizeof counters / sizeof *counters; c++)
            run(exponents[e], counters[c], exact, updates);
    }
    free(z);
    free(exact);
    free(updates);
    return 0;
}

/* Weighted space-saving (Metwally, Agrawal, El Abbadi 2005) in buckets of 8 counters.
 *
 * A key lives in one bucket, chosen by a seeded hash. The sketch keeps for every bucket:
 *
 *     true weight of a held key     in [count - error, count]
 *     true weight of any other key  <= smallest count of the bucket if it is full, else 0
 *
 * Used counters are the first ones of a bucket and have count > 0. An update touches one bucket: one to
 * three cache lines, no pointers to follow. Keys are ranked by count - error, which finds more of the true
 * top keys than ranking by count does, because a newcomer's inherited error does not lift it.
 *
 * The seed must be secret: who knows it can choose keys that share a bucket.
 */
#include <netflow/topk.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/opts.h"
#include "base/rd.h"
#include "base/wr.h"

#include <string.h>

#define TOPK_WAYS 8
#define TOPK_MAX_COUNTERS (UINT32_C(1) << 24)
#define TOPK_MAGIC "NFLTOPK1"
#define TOPK_MAGIC_LEN 8
#define TOPK_CHECKSUM_LEN 8

typedef struct topk_bucket {
    uint64_t count[TOPK_WAYS];
    uint64_t error[TOPK_WAYS];
    uint16_t tag[TOPK_WAYS];
    uint8_t keys[]; /* TOPK_WAYS * key_len */
} topk_bucket;

struct nfl_topk {
    nfl__memory memory;
    uint8_t *buckets;
    size_t bucket_size;
    uint32_t bucket_count; /* power of two */
    uint32_t key_len;
    uint64_t seed;
    uint64_t total;
};

/* One counter outside of its bucket, for merging. */
typedef struct topk_counter {
    uint64_t count;
    uint64_t error;
    const uint8_t *key;
} topk_counter;

static uint64_t topk_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t topk_hash(const nfl_topk *topk, const void *key)
{
    return nfl__hash(key, topk->key_len, topk->seed);
}

static uint32_t topk_index(const nfl_topk *topk, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & (topk->bucket_count - 1);
}

static topk_bucket *topk_at(const nfl_topk *topk, size_t index)
{
    return (topk_bucket *)(void *)(topk->buckets + index * topk->bucket_size);
}

static uint8_t *topk_key(const nfl_topk *topk, topk_bucket *bucket, size_t way)
{
    return bucket->keys + way * topk->key_len;
}

static size_t topk_used(const topk_bucket *bucket)
{
    size_t used = 0;
    while (used < TOPK_WAYS && bucket->count[used])
        used++;
    return used;
}

/* The counter with the smallest count; an empty one if there is any. */
static size_t topk_smallest(const topk_bucket *bucket)
{
    size_t smallest = 0;
    for (size_t i = 1; i < TOPK_WAYS; i++)
        if (bucket->count[i] < bucket->count[smallest])
            smallest = i;
    return smallest;
}

/* No key outside the bucket weighs more than this. */
static uint64_t topk_absent_bound(const topk_bucket *bucket)
{
    return bucket->count[topk_smallest(bucket)];
}

/* The counter of a key, or TOPK_WAYS. */
static size_t topk_find(const nfl_topk *topk, topk_bucket *bucket, const void *key, uint16_t tag)
{
    for (size_t i = 0; i < TOPK_WAYS; i++)
        if (bucket->tag[i] == tag && bucket->count[i] &&
            memcmp(topk_key(topk, bucket, i), key, topk->key_len) == 0)
            return i;
    return TOPK_WAYS;
}

static void topk_set(const nfl_topk *topk, topk_bucket *bucket, size_t way, const topk_counter *counter)
{
    bucket->count[way] = counter->count;
    bucket->error[way] = counter->error;
    bucket->tag[way] = (uint16_t)topk_hash(topk, counter->key);
    memcpy(topk_key(topk, bucket, way), counter->key, topk->key_len);
}

static uint32_t topk_round_buckets(uint32_t counters)
{
    uint32_t buckets = 1;
    while (buckets * TOPK_WAYS < counters)
        buckets *= 2;
    return buckets;
}

nfl_status nfl_topk_new(const nfl_topk_opts *opts, nfl_topk **out, nfl_error *err)
{
    nfl_topk_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    uint32_t counters = o.counters ? o.counters : 4096;
    uint32_t key_len = o.key_len ? o.key_len : 16;
    if (counters > TOPK_MAX_COUNTERS)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u counters, at most %u", counters,
                         TOPK_MAX_COUNTERS);
    if (key_len > NFL_TOPK_MAX_KEY)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "keys of %u bytes, at most %d", key_len,
                         NFL_TOPK_MAX_KEY);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_topk *topk = nfl__new(&memory, 1, sizeof *topk);
    if (!topk)
        return nfl__fail_nomem(err, sizeof *topk);
    topk->memory = memory;
    topk->bucket_count = topk_round_buckets(counters);
    topk->key_len = key_len;
    topk->bucket_size = (sizeof(topk_bucket) + (size_t)TOPK_WAYS * key_len + 7) & ~(size_t)7;
    topk->seed = o.seed;
    topk->buckets = nfl__new(&topk->memory, topk->bucket_count, topk->bucket_size);
    if (!topk->buckets) {
        size_t wanted = nfl__mul(topk->bucket_count, topk->bucket_size);
        nfl_topk_free(topk);
        return nfl__fail_nomem(err, wanted);
    }
    *out = topk;
    return NFL_OK;
}

void nfl_topk_free(nfl_topk *topk)
{
    if (!topk)
        return;
    nfl__memory memory = topk->memory;
    nfl__delete(&memory, topk->buckets, topk->bucket_count, topk->bucket_size);
    nfl__delete(&memory, topk, 1, sizeof *topk);
}

void nfl_topk_reset(nfl_topk *topk)
{
    memset(topk->buckets, 0, topk->bucket_count * topk->bucket_size);
    topk->total = 0;
}

void nfl_topk_add(nfl_topk *topk, const void *key, uint64_t weight)
{
    if (!weight) /* count 0 marks an empty counter */
        return;
    uint64_t hash = topk_hash(topk, key);
    topk_bucket *bucket = topk_at(topk, topk_index(topk, hash));
    size_t way = topk_find(topk, bucket, key, (uint16_t)hash);
    topk->total = topk_sum(topk->total, weight);
    if (way == TOPK_WAYS) {
        way = topk_smallest(bucket);
        bucket->error[way] = bucket->count[way];
        bucket->tag[way] = (uint16_t)hash;
        memcpy(topk_key(topk, bucket, way), key, topk->key_len);
    }
    bucket->count[way] = topk_sum(bucket->count[way], weight);
}

uint64_t nfl_topk_get(const nfl_topk *topk, const void *key, uint64_t *upper)
{
    uint64_t hash = topk_hash(topk, key);
    topk_bucket *bucket = topk_at(topk, topk_index(topk, hash));
    size_t way = topk_find(topk, bucket, key, (uint16_t)hash);
    int held = way < TOPK_WAYS;
    if (upper)
        *upper = held ? bucket->count[way] : topk_absent_bound(bucket);
    return held ? bucket->count[way] - bucket->error[way] : 0;
}

/* ---- merge ---- */

/* Counters of one bucket with what the other one knows about their keys added. Keys held by both are
 * given only on request. Returns how many were written. */
static size_t topk_gather(const nfl_topk *topk, topk_bucket *bucket, topk_bucket *other, int with_shared,
                          topk_counter *out)
{
    uint64_t absent = topk_absent_bound(other);
    size_t n = 0;
    for (size_t i = 0, used = topk_used(bucket); i < used; i++) {
        topk_counter c = {bucket->count[i], bucket->error[i], topk_key(topk, bucket, i)};
        size_t way = topk_find(topk, other, c.key, bucket->tag[i]);
        if (way < TOPK_WAYS && !with_shared)
            continue;
        int held = way < TOPK_WAYS;
        c.count = topk_sum(c.count, held ? other->count[way] : absent);
        c.error = topk_sum(c.error, held ? other->error[way] : absent);
        out[n++] = c;
    }
    return n;
}

/* From large to small count, then by key: the same for merge(a, b) and merge(b, a). */
static void topk_sort_counters(topk_counter *c, size_t n, size_t key_len)
{
    for (size_t i = 1; i < n; i++) {
        topk_counter moved = c[i];
        size_t at = i;
        for (; at && (c[at - 1].count < moved.count ||
                      (c[at - 1].count == moved.count && memcmp(c[at - 1].key, moved.key, key_len) > 0));
             at--)
            c[at] = c[at - 1];
        c[at] = moved;
    }
}

/* Keeping the 8 largest counts keeps both promises: what is dropped has no larger upper bound than what
 * stays, and if either bucket was full, 8 counters reach the sum of the two bounds for absent keys. */
static void topk_merge_bucket(nfl_topk *topk, topk_bucket *bucket, topk_bucket *other)
{
    topk_counter all[2 * TOPK_WAYS];
    size_t n = topk_gather(topk, bucket, other, 1, all);
    n += topk_gather(topk, other, bucket, 0, all + n);
    topk_sort_counters(all, n, topk->key_len);
    uint8_t keys[TOPK_WAYS * NFL_TOPK_MAX_KEY]; /* the keys point into the bucket that is overwritten */
    size_t kept = n < TOPK_WAYS ? n : TOPK_WAYS;
    for (size_t i = 0; i < kept; i++) {
        memcpy(keys + i * topk->key_len, all[i].key, topk->key_len);
        all[i].key = keys + i * topk->key_len;
    }
    for (size_t i = 0; i < kept; i++)
        topk_set(topk, bucket, i, &all[i]);
}

nfl_status nfl_topk_merge(nfl_topk *topk, const nfl_topk *other, nfl_error *err)
{
    if (topk->bucket_count != other->bucket_count || topk->key_len != other->key_len)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u counters of %u bytes, other has %u of %u",
                         topk->bucket_count * TOPK_WAYS, topk->key_len, other->bucket_count * TOPK_WAYS,
                         other->key_len);
    if (topk->seed != other->seed)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "sketches have different seeds");
    for (size_t i = 0; i < topk->bucket_count; i++)
        topk_merge_bucket(topk, topk_at(topk, i), topk_at(other, i));
    topk->total = topk_sum(topk->total, other->total);
    return NFL_OK;
}

/* ---- list ---- */

/* Positive if a ranks before b: larger lower bound, then smaller key. */
static int topk_rank(const nfl_topk_item *a, const nfl_topk_item *b)
{
    uint64_t a_lower = a->weight - a->max_error, b_lower = b->weight - b->max_error;
    if (a_lower != b_lower)
        return a_lower > b_lower ? 1 : -1;
    return memcmp(b->key, a->key, NFL_TOPK_MAX_KEY);
}

static void topk_item_of(const nfl_topk *topk, topk_bucket *bucket, size_t way, nfl_topk_item *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->key, topk_key(topk, bucket, way), topk->key_len);
    out->weight = bucket->count[way];
    out->max_error = bucket->error[way];
}

/* Heap in the caller's array, the lowest rank at the root. */
static void topk_sift_down(nfl_topk_item *heap, size_t n, size_t at)
{
    nfl_topk_item moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && topk_rank(&heap[child + 1], &heap[child]) < 0)
            child++;
        if (topk_rank(&moved, &heap[child]) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void topk_sift_up(nfl_topk_item *heap, size_t at)
{
    nfl_topk_item moved = heap[at];
    for (; at && topk_rank(&moved, &heap[(at - 1) / 2]) < 0; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moved;
}

static size_t topk_heap_add(nfl_topk_item *heap, size_t n, size_t cap, const nfl_topk_item *item)
{
    if (n < cap) {
        heap[n] = *item;
        topk_sift_up(heap, n);
        return n + 1;
    }
    if (topk_rank(item, &heap[0]) > 0) {
        heap[0] = *item;
        topk_sift_down(heap, n, 0);
    }
    return n;
}

/* The heap becomes a list from large to small. */
static void topk_heap_sort(nfl_topk_item *heap, size_t n)
{
    while (n > 1) {
        nfl_topk_item lowest = heap[0];
        heap[0] = heap[--n];
        heap[n] = lowest;
        topk_sift_down(heap, n, 0);
    }
}

/* Largest weight that a key outside the list may have. */
static uint64_t topk_outside_bound(const nfl_topk *topk, const nfl_topk_item *last)
{
    uint64_t bound = 0;
    for (size_t i = 0; i < topk->bucket_count; i++) {
        topk_bucket *bucket = topk_at(topk, i);
        uint64_t absent = topk_absent_bound(bucket);
        bound = absent > bound ? absent : bound;
        for (size_t way = 0, used = topk_used(bucket); way < used; way++) {
            nfl_topk_item item;
            if (bucket->count[way] <= bound)
                continue;
            topk_item_of(topk, bucket, way, &item);
            if (topk_rank(&item, last) < 0)
                bound = item.weight;
        }
    }
    return bound;
}

size_t nfl_topk_list(const nfl_topk *topk, nfl_topk_item *out, size_t cap)
{
    if (!cap)
        return 0;
    size_t n = 0;
    for (size_t i = 0; i < topk->bucket_count; i++) {
        topk_bucket *bucket = topk_at(topk, i);
        for (size_t way = 0, used = topk_used(bucket); way < used; way++) {
            nfl_topk_item item;
            topk_item_of(topk, bucket, way, &item);
            n = topk_heap_add(out, n, cap, &item);
        }
    }
    if (!n)
        return 0;
    topk_heap_sort(out, n);
    uint64_t bound = topk_outside_bound(topk, &out[n - 1]);
    for (size_t i = 0; i < n; i++)
        out[i].certain = out[i].weight - out[i].max_error >= bound;
    return n;
}

size_t nfl_topk_key_len(const nfl_topk *topk)
{
    return topk->key_len;
}

uint64_t nfl_topk_total(const nfl_topk *topk)
{
    return topk->total;
}

size_t nfl_topk_memory(const nfl_topk *topk)
{
    return topk->memory.held;
}

/* ---- save and load ----
 *
 *     magic 8 | key_len u32 | counters u32 | fingerprint of the seed u64 | total u64 | buckets u32
 *     per non-empty bucket: index u32 | used u8 | used * (count varint | error varint | key)
 *     XXH64 of everything before, seed 0: u64
 *
 * All little-endian. The order inside a bucket is kept, so a loaded sketch goes on exactly like the saved. */

/* Tells whether two seeds are the same without telling the seed. */
static uint64_t topk_fingerprint(const nfl_topk *topk)
{
    return nfl__hash(TOPK_MAGIC, TOPK_MAGIC_LEN, topk->seed);
}

static uint32_t topk_nonempty(const nfl_topk *topk)
{
    uint32_t n = 0;
    for (size_t i = 0; i < topk->bucket_count; i++)
        n += topk_used(topk_at(topk, i)) != 0;
    return n;
}

static void topk_write(const nfl_topk *topk, nfl__wr *wr)
{
    nfl__wr_bytes(wr, TOPK_MAGIC, TOPK_MAGIC_LEN);
    nfl__wr_le(wr, topk->key_len, 4);
    nfl__wr_le(wr, topk->bucket_count * TOPK_WAYS, 4);
    nfl__wr_le(wr, topk_fingerprint(topk), 8);
    nfl__wr_le(wr, topk->total, 8);
    nfl__wr_le(wr, topk_nonempty(topk), 4);
    for (size_t i = 0; i < topk->bucket_count; i++) {
        topk_bucket *bucket = topk_at(topk, i);
        size_t used = topk_used(bucket);
        if (!used)
            continue;
        nfl__wr_le(wr, i, 4);
        nfl__wr_u8(wr, (uint8_t)used);
        for (size_t way = 0; way < used; way++) {
            nfl__wr_varint(wr, bucket->count[way]);
            nfl__wr_varint(wr, bucket->error[way]);
            nfl__wr_bytes(wr, topk_key(topk, bucket, way), topk->key_len);
        }
    }
}

nfl_status nfl_topk_save(const nfl_topk *topk, void *dst, size_t cap, size_t *need, nfl_error *err)
{
    nfl__wr size = nfl__wr_make(NULL, 0);
    topk_write(topk, &size);
    *need = size.need + TOPK_CHECKSUM_LEN;
    if (cap < *need)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%zu bytes of room, need %zu", cap, *need);
    nfl__wr wr = nfl__wr_make(dst, cap);
    topk_write(topk, &wr);
    nfl__wr_le(&wr, nfl__hash(dst, wr.need, 0), TOPK_CHECKSUM_LEN);
    return NFL_OK;
}

/* One counter of a saved bucket. The key stays in the input. */
static int topk_read_counter(const nfl_topk *topk, nfl__rd *rd, size_t index, topk_counter *out)
{
    out->count = nfl__rd_varint(rd);
    out->error = nfl__rd_varint(rd);
    out->key = nfl__rd_bytes(rd, topk->key_len);
    return !rd->failed && out->count && out->error <= out->count &&
           topk_index(topk, topk_hash(topk, out->key)) == index;
}

/* Reads and checks one saved bucket; with `apply` it is written to the sketch. */
static int topk_read_bucket(const nfl_topk *topk, nfl__rd *rd, int64_t *last, int apply)
{
    uint32_t index = nfl__rd_u32_le(rd);
    size_t used = nfl__rd_u8(rd);
    if (rd->failed || index >= topk->bucket_count || (int64_t)index <= *last || !used || used > TOPK_WAYS)
        return 0;
    *last = index;
    topk_counter counters[TOPK_WAYS];
    for (size_t i = 0; i < used; i++) {
        if (!topk_read_counter(topk, rd, index, &counters[i]))
            return 0;
        for (size_t k = 0; k < i; k++)
            if (memcmp(counters[k].key, counters[i].key, topk->key_len) == 0)
                return 0;
        if (apply)
            topk_set(topk, topk_at(topk, index), i, &counters[i]);
    }
    return 1;
}

/* Walks over all saved buckets; with `apply` they are written to the sketch. */
static int topk_read_buckets(const nfl_topk *topk, nfl__rd rd, int apply)
{
    int64_t last = -1;
    for (uint32_t n = nfl__rd_u32_le(&rd); n; n--)
        if (!topk_read_bucket(topk, &rd, &last, apply))
            return 0;
    return !rd.failed && nfl__rd_left(&rd) == 0;
}

nfl_status nfl_topk_load(nfl_topk *topk, const void *data, size_t len, nfl_error *err)
{
    nfl__rd rd = nfl__rd_make(data, len);
    nfl__rd body = nfl__rd_sub(&rd, len > TOPK_CHECKSUM_LEN ? len - TOPK_CHECKSUM_LEN : len + 1);
    const uint8_t *magic = nfl__rd_bytes(&body, TOPK_MAGIC_LEN);
    if (!magic || memcmp(magic, TOPK_MAGIC, TOPK_MAGIC_LEN) != 0)
        return nfl__fail(err, NFL_E_CORRUPT, 0, "no saved sketch of this version");
    if (nfl__rd_u64_le(&rd) != nfl__hash(data, len - TOPK_CHECKSUM_LEN, 0))
        return nfl__fail(err, NFL_E_CORRUPT, len - TOPK_CHECKSUM_LEN, "checksum of the sketch is wrong");
    uint32_t key_len = nfl__rd_u32_le(&body), counters = nfl__rd_u32_le(&body);
    uint64_t fingerprint = nfl__rd_u64_le(&body), total = nfl__rd_u64_le(&body);
    if (key_len != topk->key_len || counters != topk->bucket_count * TOPK_WAYS ||
        fingerprint != topk_fingerprint(topk))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "saved with another geometry or seed");
    if (!topk_read_buckets(topk, body, 0))
        return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "structure of the sketch is wrong");
    nfl_topk_reset(topk);
    (void)topk_read_buckets(topk, body, 1);
    topk->total = total;
    return NFL_OK;
}

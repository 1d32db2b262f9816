#include "query/fill.h"

#include "base/error.h"
#include "base/wr.h"
#include "query/key.h"
#include "query/measure.h"

nfl_usec nfl__bucket_start(nfl_usec time_us, nfl_usec length)
{
    nfl_usec into = time_us % length, start = time_us - into;
    if (into >= 0)
        return start;
    return start < INT64_MIN + length ? INT64_MIN : start - length;
}

static nfl_usec fill_bucket_of(const nfl__plan *plan, const uint64_t *group)
{
    return (nfl_usec)(nfl__load_be64(nfl__group_key_bytes(plan, group)) ^ NFL__KEY_SIGN);
}

nfl_status nfl__fill_buckets(const nfl__table *table, nfl__buckets *out, nfl_error *err)
{
    const nfl__plan *plan = table->plan;
    const nfl_query *query = &plan->query;
    nfl_usec first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < table->pool.count; i++) {
        nfl_usec start = fill_bucket_of(plan, nfl__pool_at(&table->pool, i));
        first = start < first ? start : first;
        last = start > last ? start : last;
    }
    if (query->from_us)
        first = nfl__bucket_start(query->from_us, query->bucket_us);
    if (query->to_us)
        last = nfl__bucket_start(query->to_us - 1, query->bucket_us);
    *out = (nfl__buckets){first, 0};
    if (first > last || first == INT64_MAX)
        return NFL_OK;
    out->count = ((uint64_t)last - (uint64_t)first) / (uint64_t)query->bucket_us + 1;
    return out->count <= NFL__FILL_MOST
               ? NFL_OK
               : nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%llu buckets to fill, %llu at most", (unsigned long long)out->count,
                           (unsigned long long)NFL__FILL_MOST);
}

/* Sums of no flows are 0; there are no times, flags or addresses of none. */
static void fill_with_zeros(const nfl__plan *plan, uint64_t *group)
{
    nfl__measures_clear(plan, group);
    for (uint32_t i = 0; i < plan->measure_count; i++)
        if (plan->measures[i].how == NFL__MEASURE_SUM)
            group[plan->seen_word] |= UINT64_C(1) << i;
}

nfl_status nfl__fill_group(nfl__table *table, const nfl__buckets *buckets, const uint8_t *key, nfl_error *err)
{
    const nfl__plan *plan = table->plan;
    uint64_t words[NFL__PLAN_FIELDS * 3]; /* a key has at most 16 bytes a field, two bits and a bucket */
    uint8_t *wanted = (uint8_t *)words;
    nfl__assert(plan->key_bytes <= sizeof words);
    if (key)
        memcpy(wanted, key, plan->key_bytes);
    else
        memset(wanted, 0, plan->key_bytes);
    for (uint64_t i = 0; i < buckets->count; i++) {
        nfl__store_be(wanted, ((uint64_t)buckets->first + i * (uint64_t)plan->query.bucket_us) ^ NFL__KEY_SIGN, 8);
        uint64_t hash = nfl__table_hash(table, wanted);
        NFL_TRY(nfl__table_reserve(table, &hash, 1, err));
        size_t known = table->pool.count;
        uint64_t *group = nfl__table_get(table, wanted, hash);
        if (table->pool.count > known)
            fill_with_zeros(plan, group);
    }
    return NFL_OK;
}

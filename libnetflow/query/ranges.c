#include "query/ranges.h"

#include "query/sort.h"

static int ranges_order(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return nfl__key_compare(((const nfl__range *)a)->first, ((const nfl__range *)b)->first);
}

static nfl__key ranges_next(nfl__key key)
{
    key.low++;
    key.high += key.low == 0;
    return key;
}

static nfl__key ranges_previous(nfl__key key)
{
    key.high -= key.low == 0;
    key.low--;
    return key;
}

static int ranges_is_last(nfl__key key)
{
    return key.high == UINT64_MAX && key.low == UINT64_MAX;
}

uint32_t nfl__ranges_normalize(nfl__range *ranges, uint32_t n)
{
    if (n == 0)
        return 0;
    nfl__sort(ranges, n, sizeof *ranges, ranges_order, NULL);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < n; i++) {
        nfl__range *last = &ranges[kept];
        int touches =
            ranges_is_last(last->last) || nfl__key_compare(ranges[i].first, ranges_next(last->last)) <= 0;
        if (!touches)
            ranges[++kept] = ranges[i];
        else if (nfl__key_compare(ranges[i].last, last->last) > 0)
            last->last = ranges[i].last;
    }
    return kept + 1;
}

uint32_t nfl__ranges_complement(nfl__range *ranges, uint32_t n, nfl__key max)
{
    nfl__key start = {0, 0};
    uint32_t made = 0;
    for (uint32_t i = 0; i < n; i++) {
        nfl__range gone = ranges[i];
        if (nfl__key_compare(start, gone.first) < 0) {
            ranges[made].first = start;
            ranges[made++].last = ranges_previous(gone.first);
        }
        if (nfl__key_compare(gone.last, max) >= 0)
            return made;
        start = ranges_next(gone.last);
    }
    ranges[made].first = start;
    ranges[made++].last = max;
    return made;
}

/* The first range that ends at the key or behind it; n if there is none. */
static uint32_t ranges_find(const nfl__range *ranges, uint32_t n, nfl__key key)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (nfl__key_compare(ranges[middle].last, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int nfl__ranges_contain(const nfl__range *ranges, uint32_t n, nfl__key key)
{
    uint32_t i = ranges_find(ranges, n, key);
    return i < n && nfl__key_compare(ranges[i].first, key) <= 0;
}

int nfl__ranges_overlap(const nfl__range *ranges, uint32_t n, nfl__key first, nfl__key last)
{
    uint32_t i = ranges_find(ranges, n, first);
    return i < n && nfl__key_compare(ranges[i].first, last) <= 0;
}

int nfl__ranges_cover(const nfl__range *ranges, uint32_t n, nfl__key first, nfl__key last)
{
    uint32_t i = ranges_find(ranges, n, first);
    return i < n && nfl__key_compare(ranges[i].first, first) <= 0 &&
           nfl__key_compare(ranges[i].last, last) >= 0;
}

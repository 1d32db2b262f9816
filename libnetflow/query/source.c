#include "query/source.h"

#include "base/error.h"

nfl_status nfl__source_next(nfl__source *source, nfl_error *err)
{
    source->only_count = 0;
    return source->ops->next(source, err);
}

void nfl__source_narrow(nfl__source *source, const uint64_t *rows)
{
    uint32_t words = (source->batch.rows + 63) / 64, count = 0;
    for (uint32_t w = 0; w < words; w++)
        count += (uint32_t)__builtin_popcountll(rows[w]);
    if (count == 0 || count > source->batch.rows / NFL__ONLY_ONE_IN)
        return;
    source->only_count = 0;
    for (uint32_t w = 0; w < words; w++)
        for (uint64_t bits = rows[w]; bits; bits &= bits - 1)
            source->only[source->only_count++] = w * 64 + (uint32_t)__builtin_ctzll(bits);
}

nfl_status nfl__source_need(nfl__source *source, uint64_t fields, nfl_error *err)
{
    uint64_t missing = fields & ~source->batch.loaded;
    for (uint32_t field = 0; missing >> field; field++)
        if (missing >> field & 1)
            NFL_TRY(source->ops->load(source, field, err));
    return NFL_OK;
}

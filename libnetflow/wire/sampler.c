#include "wire/sampler.h"

#include "base/error.h"

#include <string.h>

void nfl__samplers_done(nfl__samplers *samplers, nfl__memory *memory)
{
    nfl__delete(memory, samplers->items, samplers->capacity, sizeof *samplers->items);
    memset(samplers, 0, sizeof *samplers);
}

static nfl__sampler *sampler_find(const nfl__samplers *samplers, uint32_t kind, uint64_t id)
{
    for (uint32_t i = 0; i < samplers->count; i++)
        if (samplers->items[i].id == id && samplers->items[i].kind == kind)
            return &samplers->items[i];
    return NULL;
}

int nfl__samplers_set(nfl__samplers *samplers, nfl__memory *memory, uint32_t kind, uint64_t id, uint32_t rate)
{
    nfl__sampler *sampler = sampler_find(samplers, kind, id);
    if (!sampler && samplers->count < NFL__SAMPLERS) {
        void *items = samplers->items;
        if (!nfl__grow(memory, &items, &samplers->capacity, (size_t)samplers->count + 1,
                       sizeof *samplers->items))
            return 0;
        samplers->items = items;
        sampler = &samplers->items[samplers->count++];
    } else if (!sampler) {
        sampler = &samplers->items[samplers->next];
        samplers->next = (samplers->next + 1) % NFL__SAMPLERS;
    }
    *sampler = (nfl__sampler){kind, rate, id};
    samplers->latest = rate;
    return 1;
}

uint32_t nfl__samplers_get(const nfl__samplers *samplers, uint32_t kind, uint64_t id)
{
    const nfl__sampler *sampler = sampler_find(samplers, kind, id);
    return sampler ? sampler->rate : 0;
}

void nfl__overrides_done(nfl__overrides *overrides, nfl__memory *memory)
{
    nfl__delete(memory, overrides->items, overrides->capacity, sizeof *overrides->items);
    memset(overrides, 0, sizeof *overrides);
}

static nfl__override *override_find(const nfl__overrides *overrides, const nfl_ip *exporter, int64_t domain)
{
    for (size_t i = 0; i < overrides->count; i++)
        if (overrides->items[i].domain == domain &&
            memcmp(&overrides->items[i].exporter, exporter, sizeof *exporter) == 0)
            return &overrides->items[i];
    return NULL;
}

nfl_status nfl__overrides_set(nfl__overrides *overrides, nfl__memory *memory, const nfl_ip *exporter,
                              int64_t domain, uint32_t rate, nfl_error *err)
{
    nfl__override *item = override_find(overrides, exporter, domain);
    if (item && rate) {
        item->rate = rate;
        return NFL_OK;
    }
    if (item) {
        *item = overrides->items[--overrides->count];
        return NFL_OK;
    }
    if (!rate)
        return NFL_OK;
    if (overrides->count == NFL__OVERRIDES)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "sampling rates: %d are set, the most allowed",
                         NFL__OVERRIDES);
    void *items = overrides->items;
    if (!nfl__grow(memory, &items, &overrides->capacity, overrides->count + 1, sizeof *overrides->items))
        return nfl__fail_nomem(err, sizeof *overrides->items);
    overrides->items = items;
    overrides->items[overrides->count++] =
        (nfl__override){.exporter = *exporter, .domain = domain, .rate = rate};
    return NFL_OK;
}

uint32_t nfl__overrides_get(const nfl__overrides *overrides, const nfl_ip *exporter, uint32_t domain)
{
    const nfl__override *item = override_find(overrides, exporter, domain);
    if (!item)
        item = override_find(overrides, exporter, -1);
    return item ? item->rate : 0;
}

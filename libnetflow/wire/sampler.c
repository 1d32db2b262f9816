#include "wire/sampler.h"

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

#include "wire/domain.h"

#include "base/hash.h"

#include <string.h>

#define DOMAIN_PROVING_US INT64_C(60000000)   /* of being heard until established */
#define DOMAIN_SILENCE_US INT64_C(1800000000) /* after which an established one may go */

static uint32_t domain_bucket(const nfl__domains *domains, uint64_t seed, const nfl_ip *exporter,
                              uint16_t version, uint32_t id)
{
    uint64_t h = nfl__hash(exporter->b, sizeof exporter->b, seed);
    return (uint32_t)nfl__hash_u64(h ^ ((uint64_t)version << 32 | id), seed) & (domains->bucket_count - 1);
}

static void domain_unlist(nfl__domains *domains, nfl__domain *domain)
{
    nfl__domain_list *list = &domains->lists[domain->established];
    *(domain->newer ? &domain->newer->older : &list->newest) = domain->older;
    *(domain->older ? &domain->older->newer : &list->oldest) = domain->newer;
    list->count--;
}

static void domain_list(nfl__domains *domains, nfl__domain *domain)
{
    nfl__domain_list *list = &domains->lists[domain->established];
    domain->newer = NULL;
    domain->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = domain;
    list->newest = domain;
    list->count++;
}

static void domain_free(nfl__domain *domain, nfl__memory *memory)
{
    nfl__templates_done(&domain->templates, memory);
    nfl__samplers_done(&domain->samplers, memory);
    nfl__names_done(&domain->names, memory);
    nfl__delete(memory, domain, 1, sizeof *domain);
}

void nfl__domains_done(nfl__domains *domains, nfl__memory *memory)
{
    for (uint32_t i = 0; i < domains->count; i++)
        domain_free(domains->all[i], memory);
    nfl__delete(memory, domains->all, domains->capacity, sizeof *domains->all);
    nfl__delete(memory, domains->buckets, domains->bucket_count, sizeof *domains->buckets);
    memset(domains, 0, sizeof *domains);
}

nfl__domain *nfl__domains_find(const nfl__domains *domains, uint64_t seed, const nfl_ip *exporter,
                               uint16_t version, uint32_t id)
{
    if (domains->count == 0)
        return NULL;
    nfl__domain *domain = domains->buckets[domain_bucket(domains, seed, exporter, version, id)];
    while (domain && (domain->id != id || domain->version != version ||
                      memcmp(&domain->exporter, exporter, sizeof *exporter) != 0))
        domain = domain->chain;
    return domain;
}

nfl__domain *nfl__domains_victim(const nfl__domains *domains, nfl_usec now_us)
{
    if (domains->lists[0].oldest)
        return domains->lists[0].oldest;
    nfl__domain *oldest = domains->lists[1].oldest;
    return oldest && now_us - oldest->last_seen_us > DOMAIN_SILENCE_US ? oldest : NULL;
}

static void domain_chain(nfl__domains *domains, uint64_t seed, nfl__domain *domain)
{
    uint32_t bucket = domain_bucket(domains, seed, &domain->exporter, domain->version, domain->id);
    domain->chain = domains->buckets[bucket];
    domains->buckets[bucket] = domain;
}

/* As many buckets as states, at least; 0 when out of memory. */
static int domain_reserve(nfl__domains *domains, nfl__memory *memory, uint64_t seed)
{
    void *all = domains->all;
    if (!nfl__grow(memory, &all, &domains->capacity, (size_t)domains->count + 1, sizeof *domains->all))
        return 0;
    domains->all = all;
    if (domains->count < domains->bucket_count)
        return 1;
    uint32_t wanted = domains->bucket_count ? domains->bucket_count * 2 : 16;
    nfl__domain **buckets = nfl__new(memory, wanted, sizeof *buckets);
    if (!buckets)
        return 0;
    nfl__delete(memory, domains->buckets, domains->bucket_count, sizeof *domains->buckets);
    domains->buckets = buckets;
    domains->bucket_count = wanted;
    for (uint32_t i = 0; i < domains->count; i++)
        domain_chain(domains, seed, domains->all[i]);
    return 1;
}

nfl__domain *nfl__domains_add(nfl__domains *domains, nfl__memory *memory, uint64_t seed,
                              const nfl_ip *exporter, uint16_t version, uint32_t id, nfl_usec now_us)
{
    if (!domain_reserve(domains, memory, seed))
        return NULL;
    nfl__domain *domain = nfl__new(memory, 1, sizeof *domain);
    if (!domain)
        return NULL;
    domain->exporter = *exporter;
    domain->version = version;
    domain->id = id;
    domain->first_seen_us = now_us;
    domain->last_seen_us = now_us;
    domain->position = domains->count;
    domains->all[domains->count++] = domain;
    domain_chain(domains, seed, domain);
    domain_list(domains, domain);
    return domain;
}

void nfl__domains_remove(nfl__domains *domains, nfl__memory *memory, uint64_t seed, nfl__domain *domain)
{
    nfl__domain **link =
        &domains->buckets[domain_bucket(domains, seed, &domain->exporter, domain->version, domain->id)];
    while (*link != domain)
        link = &(*link)->chain;
    *link = domain->chain;
    domain_unlist(domains, domain);
    nfl__domain *last = domains->all[--domains->count];
    domains->all[domain->position] = last;
    last->position = domain->position;
    domain_free(domain, memory);
}

void nfl__domains_touch(nfl__domains *domains, nfl__domain *domain, nfl_usec now_us)
{
    int establish = !domain->established && now_us - domain->first_seen_us >= DOMAIN_PROVING_US &&
                    domains->lists[1].count < domains->max_count - domains->max_count / 4;
    domain->last_seen_us = now_us;
    if (!establish && domains->lists[domain->established].newest == domain)
        return;
    domain_unlist(domains, domain);
    domain->established |= (uint8_t)establish;
    domain_list(domains, domain);
}

#include "wire/names.h"

#include "base/hash.h"

#include <string.h>

static size_t name_size(const nfl__name *name)
{
    return sizeof *name + name->name_len + name->description_len + 2u;
}

static uint32_t name_bucket(const nfl__names *names, uint64_t seed, uint32_t kind, uint64_t id)
{
    return (uint32_t)nfl__hash_u64(id + kind, seed) & (names->bucket_count - 1);
}

static void name_free(nfl__name *name, nfl__memory *memory)
{
    nfl__delete(memory, name, 1, name_size(name));
}

void nfl__names_done(nfl__names *names, nfl__memory *memory)
{
    for (uint32_t i = 0; i < names->count; i++)
        name_free(names->all[i], memory);
    nfl__delete(memory, names->all, names->capacity, sizeof *names->all);
    nfl__delete(memory, names->buckets, names->bucket_count, sizeof *names->buckets);
    memset(names, 0, sizeof *names);
}

static nfl__name *name_find(const nfl__names *names, uint64_t seed, uint32_t kind, uint64_t id)
{
    if (names->count == 0)
        return NULL;
    nfl__name *name = names->buckets[name_bucket(names, seed, kind, id)];
    while (name && (name->id != id || name->kind != kind))
        name = name->chain;
    return name;
}

const nfl__name *nfl__names_find(const nfl__names *names, uint64_t seed, uint32_t kind, uint64_t id)
{
    return name_find(names, seed, kind, id);
}

static void name_unlist(nfl__names *names, nfl__name *name)
{
    *(name->newer ? &name->newer->older : &names->newest) = name->older;
    *(name->older ? &name->older->newer : &names->oldest) = name->newer;
}

static void name_list(nfl__names *names, nfl__name *name)
{
    name->newer = NULL;
    name->older = names->newest;
    *(names->newest ? &names->newest->newer : &names->oldest) = name;
    names->newest = name;
}

static void name_chain(nfl__names *names, uint64_t seed, nfl__name *name)
{
    uint32_t bucket = name_bucket(names, seed, name->kind, name->id);
    name->chain = names->buckets[bucket];
    names->buckets[bucket] = name;
}

static void name_remove(nfl__names *names, nfl__memory *memory, uint64_t seed, nfl__name *name)
{
    nfl__name **link = &names->buckets[name_bucket(names, seed, name->kind, name->id)];
    while (*link != name)
        link = &(*link)->chain;
    *link = name->chain;
    name_unlist(names, name);
    nfl__name *last = names->all[--names->count];
    names->all[name->position] = last;
    last->position = name->position;
    names->bytes -= name_size(name);
    name_free(name, memory);
}

/* Room for one more: a place in the dense array, and as many buckets as names. 0 when out of memory. */
static int name_reserve(nfl__names *names, nfl__memory *memory, uint64_t seed)
{
    void *all = names->all;
    if (!nfl__grow(memory, &all, &names->capacity, (size_t)names->count + 1, sizeof *names->all))
        return 0;
    names->all = all;
    if (names->count < names->bucket_count)
        return 1;
    uint32_t wanted = names->bucket_count ? names->bucket_count * 2 : 8;
    nfl__name **buckets = nfl__new(memory, wanted, sizeof *buckets);
    if (!buckets)
        return 0;
    nfl__delete(memory, names->buckets, names->bucket_count, sizeof *names->buckets);
    names->buckets = buckets;
    names->bucket_count = wanted;
    for (uint32_t i = 0; i < names->count; i++)
        name_chain(names, seed, names->all[i]);
    return 1;
}

static void name_insert(nfl__names *names, uint64_t seed, nfl__name *name)
{
    name->position = names->count;
    names->all[names->count++] = name;
    names->bytes += name_size(name);
    name_chain(names, seed, name);
    name_list(names, name);
}

/* Strings of fixed length are filled up with NULs (RFC 3954 has no string type; exporters do so). */
static nfl__text name_cut(nfl__text text)
{
    if (text.len > NFL__NAME_MAX)
        text.len = NFL__NAME_MAX;
    const uint8_t *nul = text.len ? memchr(text.data, 0, text.len) : NULL;
    if (nul)
        text.len = (size_t)(nul - text.data);
    return text;
}

/* What the record says, else what was known. */
static nfl__text name_merge(nfl__text told, const char *known, size_t known_len)
{
    return told.data ? name_cut(told) : (nfl__text){(const uint8_t *)known, known_len};
}

static int name_is(const char *known, size_t known_len, nfl__text text)
{
    return known_len == text.len && (text.len == 0 || memcmp(known, text.data, text.len) == 0);
}

static void name_put(char *to, nfl__text text)
{
    if (text.len)
        memcpy(to, text.data, text.len);
    to[text.len] = 0;
}

static nfl__name *name_new(nfl__memory *memory, const nfl__telling *telling, nfl_usec now_us, nfl__text name,
                           nfl__text description)
{
    nfl__name *made = nfl__new(memory, 1, sizeof *made + name.len + description.len + 2);
    if (!made)
        return NULL;
    made->id = telling->id;
    made->told_us = now_us;
    made->kind = (uint16_t)telling->kind;
    made->name_len = (uint8_t)name.len;
    made->description_len = (uint8_t)description.len;
    name_put(made->text, name);
    name_put(made->text + name.len + 1, description);
    return made;
}

size_t nfl__names_room(const nfl__names *names, const nfl__telling *telling)
{
    return sizeof(nfl__name) + telling->name.len + telling->description.len + NFL__NAME_MAX + 2 +
           (names->capacity + names->bucket_count + 8) * 2 * sizeof(nfl__name *);
}

/* A new entry in place of the known one, if any, and of the least recently told ones if there is no room. */
static nfl_status name_replace(nfl__names *names, nfl__memory *memory, uint64_t seed, size_t max_bytes,
                               nfl__name *known, nfl__name *made, uint64_t *dropped)
{
    if (!made || !name_reserve(names, memory, seed)) {
        if (made)
            name_free(made, memory);
        return NFL_E_NOMEM;
    }
    if (known)
        name_remove(names, memory, seed, known);
    for (; names->count >= NFL__NAMES || names->bytes + name_size(made) > max_bytes; ++*dropped)
        name_remove(names, memory, seed, names->oldest);
    name_insert(names, seed, made);
    return NFL_OK;
}

nfl_status nfl__names_tell(nfl__names *names, nfl__memory *memory, uint64_t seed, size_t max_bytes,
                           const nfl__telling *telling, nfl_usec now_us, uint64_t *dropped)
{
    nfl__name *known = name_find(names, seed, telling->kind, telling->id);
    nfl__text name = name_merge(telling->name, known ? known->text : "", known ? known->name_len : 0);
    nfl__text description = name_merge(telling->description, known ? nfl__name_description(known) : "",
                                       known ? known->description_len : 0);
    if (name.len + description.len == 0) {
        if (known)
            name_remove(names, memory, seed, known);
        return NFL_OK;
    }
    if (known && name_is(known->text, known->name_len, name) &&
        name_is(nfl__name_description(known), known->description_len, description)) {
        known->told_us = now_us;
        name_unlist(names, known);
        name_list(names, known);
        return NFL_OK;
    }
    if (sizeof *known + name.len + description.len + 2 > max_bytes)
        return NFL_E_LIMIT;
    nfl__name *made = name_new(memory, telling, now_us, name, description);
    return name_replace(names, memory, seed, max_bytes, known, made, dropped);
}

/* Names of one domain, learnt from options data: what its interfaces, VRFs, applications and samplers are called.
 *
 * A name belongs to a kind (NFL_NAME_*) and a number. What an exporter tells last wins; it repeats its tables every few
 * minutes, so the same text again costs no memory, and a thing it has renamed keeps its place. An entry is one block:
 * the struct, the name, a NUL, the description, a NUL. Text is kept as it was sent, up to the first NUL.
 *
 *     buckets   chained hash of (kind, number), seeded
 *     all       dense array, for going through
 *     list      from the least to the most recently told: the first goes when there is no room
 *
 * Costs: find and tell O(1), no allocation for what is known already. Limits: NFL__NAMES a domain, NFL__NAME_MAX bytes
 * a text, and `max_bytes` for all of a domain, so that one domain displaces its own names only.
 */
#ifndef NFL_WIRE_NAMES_H
#define NFL_WIRE_NAMES_H

#include "base/alloc.h"

enum { NFL__NAMES = 8192, NFL__NAME_MAX = 255 };

typedef struct nfl__name nfl__name;

struct nfl__name {
    nfl__name *chain; /* next in the hash bucket */
    nfl__name *newer;
    nfl__name *older;
    uint64_t id;
    nfl_usec told_us;
    uint32_t position; /* in the dense array */
    uint16_t kind;     /* NFL_NAME_* */
    uint8_t name_len;
    uint8_t description_len;
    char text[]; /* name, NUL, description, NUL */
};

/* Text of a message; data NULL = it says nothing about it, len 0 = it has none. */
typedef struct nfl__text {
    const uint8_t *data;
    size_t len;
} nfl__text;

/* What a record tells about one thing. */
typedef struct nfl__telling {
    uint64_t id;
    uint32_t kind;
    uint32_t reserved;
    nfl__text name;
    nfl__text description;
} nfl__telling;

typedef struct nfl__names {
    nfl__name **buckets;
    uint32_t bucket_count; /* power of two, or 0 */
    uint32_t count;
    nfl__name **all;
    size_t capacity;
    nfl__name *newest;
    nfl__name *oldest;
    size_t bytes; /* of the entries */
} nfl__names;

void nfl__names_done(nfl__names *names, nfl__memory *memory);

/* NULL when it has not been told. */
const nfl__name *nfl__names_find(const nfl__names *names, uint64_t seed, uint32_t kind, uint64_t id);

/* Learn; a thing left without any text is forgotten. `dropped` counts names that had to go for this one.
 * NFL_E_NOMEM leaves what was known as it was. NFL_E_LIMIT: the text alone is more than `max_bytes`. */
nfl_status nfl__names_tell(nfl__names *names, nfl__memory *memory, uint64_t seed, size_t max_bytes,
                           const nfl__telling *telling, nfl_usec now_us, uint64_t *dropped);

/* Bytes that the entry of a telling takes at most: what has to be free for nfl__names_tell() to succeed. */
size_t nfl__names_room(const nfl__names *names, const nfl__telling *telling);

static inline const char *nfl__name_text(const nfl__name *name)
{
    return name->text;
}

static inline const char *nfl__name_description(const nfl__name *name)
{
    return name->text + name->name_len + 1;
}

#endif

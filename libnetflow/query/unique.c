#include "query/unique.h"

#include "base/error.h"
#include "base/hash.h"
#include "query/addresses.h"
#include "record/icmp.h"

#define UNIQUE_FIRST_SLOTS 1024u
#define UNIQUE_HOUR INT64_C(3600000000)

/* Words of an entry, and how the third and fourth are made up. */
enum { UNIQUE_ENDS = 0, UNIQUE_POINT = 1, UNIQUE_KIND = 2, UNIQUE_TIME = 3, UNIQUE_KEY_WORDS = 4, UNIQUE_PACKETS = 4, UNIQUE_BYTES = 5, UNIQUE_WORDS = 6 };
enum { UNIQUE_PORTS_AT = 32, UNIQUE_PROTO_AT = 24, UNIQUE_DIRECTION_AT = 16, UNIQUE_LONG_SRC = 1, UNIQUE_LONG_DST = 2, UNIQUE_LONG_EXPORTER = 4 };
#define UNIQUE_LEFT_OUT UINT64_C(1) /* of UNIQUE_TIME; the hour is above */

/* The bits of UNIQUE_KIND that belong to the observation point. */
#define UNIQUE_KIND_POINT ((UINT64_C(0xff) << UNIQUE_DIRECTION_AT) | UNIQUE_LONG_EXPORTER)

typedef struct unique_key {
    uint64_t words[UNIQUE_KEY_WORDS];
} unique_key;

struct nfl__unique {
    nfl__memory *memory;
    nfl__addresses addresses;
    nfl__pool entries;
    uint64_t *slots; /* hash << 32 | number of the entry + 1 */
    size_t slot_count;
    uint64_t seed;
    uint64_t rows;   /* of the first reading */
    uint64_t passed; /* of this reading */
    uint8_t complete[NFL__SCAN_ROWS]; /* rows with both addresses */
    uint64_t values[NFL__SCAN_ROWS], bytes[NFL__SCAN_ROWS];
    uint64_t hashes[NFL__SCAN_ROWS];
    unique_key keys[NFL__SCAN_ROWS];
};

nfl_status nfl__unique_new(nfl__memory *memory, nfl__unique **out, nfl_error *err)
{
    nfl__unique *unique = nfl__new(memory, 1, sizeof *unique);
    if (!unique)
        return nfl__query_nomem(memory, sizeof *unique, err);
    unique->memory = memory;
    unique->slot_count = UNIQUE_FIRST_SLOTS;
    unique->slots = nfl__new(memory, unique->slot_count, sizeof *unique->slots);
    if (!unique->slots) {
        nfl__delete(memory, unique, 1, sizeof *unique);
        return nfl__query_nomem(memory, UNIQUE_FIRST_SLOTS * sizeof *unique->slots, err);
    }
    /* As in table.c: nothing that is returned depends on it. */
    unique->seed = nfl__hash_u64((uint64_t)(uintptr_t)unique, UINT64_C(0x756e6971));
    nfl__addresses_init(&unique->addresses, memory->limit, memory);
    nfl__pool_init(&unique->entries, memory, UNIQUE_WORDS);
    *out = unique;
    return NFL_OK;
}

void nfl__unique_free(nfl__unique *unique)
{
    if (!unique)
        return;
    nfl__memory *memory = unique->memory;
    nfl__addresses_done(&unique->addresses);
    nfl__pool_done(&unique->entries);
    nfl__delete(memory, unique->slots, unique->slot_count, sizeof *unique->slots);
    nfl__delete(memory, unique, 1, sizeof *unique);
}

/* --- Keys of rows ---- */

/* Number of each row's address, 0 where it has none; the rows that lack it are marked. */
static nfl_status unique_number(nfl__unique *unique, const nfl__scan *scan, uint32_t field, nfl_error *err)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    for (uint32_t i = 0; i < scan->count; i++) {
        unique->values[i] = 0;
        if (nfl__column_has(column, scan->rows[i]))
            NFL_TRY(nfl__addresses_number(&unique->addresses, nfl__column_at(column, scan->rows[i]), &unique->values[i], err));
        else
            unique->complete[i] = 0;
    }
    return NFL_OK;
}

static nfl_status unique_pack_addresses(nfl__unique *unique, const nfl__scan *scan, nfl_error *err)
{
    static const struct {
        uint8_t field, word, at, mark;
    } addresses[] = {{NFL_FIELD_SRC, UNIQUE_ENDS, 32, UNIQUE_LONG_SRC},
                     {NFL_FIELD_DST, UNIQUE_ENDS, 0, UNIQUE_LONG_DST},
                     {NFL_FIELD_EXPORTER, UNIQUE_POINT, 32, UNIQUE_LONG_EXPORTER}};
    for (size_t a = 0; a < sizeof addresses / sizeof *addresses; a++) {
        NFL_TRY(unique_number(unique, scan, addresses[a].field, err));
        for (uint32_t i = 0; i < scan->count; i++) {
            uint64_t number = unique->values[i];
            unique->keys[i].words[addresses[a].word] |= (uint64_t)(uint32_t)number << addresses[a].at;
            unique->keys[i].words[UNIQUE_KIND] |= number & NFL__ADDRESS_NUMBERED ? addresses[a].mark : 0;
        }
    }
    return NFL_OK;
}

static int unique_is_icmp(const unique_key *key)
{
    uint8_t proto = (uint8_t)(key->words[UNIQUE_KIND] >> UNIQUE_PROTO_AT);
    return proto == NFL__PROTO_ICMP || proto == NFL__PROTO_ICMP6;
}

/* Ports, or where there are none ICMP type and code. The protocol is in the keys already. */
static void unique_pack_ports(nfl__unique *unique, const nfl__scan *scan)
{
    static const uint8_t fields[2][2] = {{NFL_FIELD_SRC_PORT, NFL_FIELD_DST_PORT}, {NFL_FIELD_ICMP_TYPE, NFL_FIELD_ICMP_CODE}};
    for (int icmp = 0; icmp < 2; icmp++)
        for (uint32_t end = 0; end < 2; end++) {
            nfl__scan_values(scan, fields[icmp][end], unique->values);
            for (uint32_t i = 0; i < scan->count; i++)
                if (unique_is_icmp(&unique->keys[i]) == icmp)
                    unique->keys[i].words[UNIQUE_KIND] |= unique->values[i] << (UNIQUE_PORTS_AT + 16 * end);
        }
}

static uint64_t unique_hour(uint64_t first_us)
{
    int64_t us = (int64_t)first_us;
    return (uint64_t)(us / UNIQUE_HOUR - (us % UNIQUE_HOUR < 0));
}

/* Keys of the scan's current rows, and their hashes. */
static nfl_status unique_pack(nfl__unique *unique, const nfl__scan *scan, nfl_error *err)
{
    static const struct {
        uint8_t field, word, at;
    } numbers[] = {{NFL_FIELD_DOMAIN, UNIQUE_POINT, 0},
                   {NFL_FIELD_PROTO, UNIQUE_KIND, UNIQUE_PROTO_AT},
                   {NFL_FIELD_DIRECTION, UNIQUE_KIND, UNIQUE_DIRECTION_AT}};
    memset(unique->keys, 0, scan->count * sizeof *unique->keys);
    memset(unique->complete, 1, scan->count);
    NFL_TRY(unique_pack_addresses(unique, scan, err));
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        nfl__scan_values(scan, numbers[n].field, unique->values);
        for (uint32_t i = 0; i < scan->count; i++)
            unique->keys[i].words[numbers[n].word] |= unique->values[i] << numbers[n].at;
    }
    unique_pack_ports(unique, scan);
    nfl__scan_values(scan, NFL_FIELD_FIRST, unique->values);
    for (uint32_t i = 0; i < scan->count; i++) {
        unique_key *key = &unique->keys[i];
        key->words[UNIQUE_TIME] = unique_hour(unique->values[i]) << 1;
        unique->hashes[i] = unique->seed;
        for (uint32_t w = 0; w < UNIQUE_KEY_WORDS; w++)
            unique->hashes[i] = nfl__hash_u64(key->words[w], unique->hashes[i]);
        __builtin_prefetch(&unique->slots[(unique->hashes[i] >> 32) & (unique->slot_count - 1)]);
    }
    return NFL_OK;
}

/* --- Entries ---- */

static int unique_same(const uint64_t *entry, const uint64_t *key)
{
    return entry[UNIQUE_ENDS] == key[UNIQUE_ENDS] && entry[UNIQUE_POINT] == key[UNIQUE_POINT] &&
           entry[UNIQUE_KIND] == key[UNIQUE_KIND] && (entry[UNIQUE_TIME] | UNIQUE_LEFT_OUT) == (key[UNIQUE_TIME] | UNIQUE_LEFT_OUT);
}

/* The slot of a key: that of its entry, or the free one where it belongs. */
static uint64_t *unique_probe(const nfl__unique *unique, const unique_key *key, uint64_t hash)
{
    for (size_t at = (hash >> 32) & (unique->slot_count - 1);; at = (at + 1) & (unique->slot_count - 1)) {
        uint64_t slot = unique->slots[at];
        if (!slot)
            return &unique->slots[at];
        if (slot >> 32 == hash >> 32 && unique_same(nfl__pool_at(&unique->entries, (uint32_t)slot - 1), key->words))
            return &unique->slots[at];
    }
}

static nfl_status unique_too_many(const nfl__unique *unique, size_t size, nfl_error *err)
{
    nfl_status status = nfl__query_nomem(unique->memory, size, NULL);
    if (status != NFL_E_LIMIT)
        return nfl__fail_nomem(err, size);
    return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                     "counting once what several exporters saw needs more than the %zu bytes of the query's memory budget, which were "
                     "used up by %zu conversations: choose a shorter window or a narrower filter, or allow more",
                     unique->memory->limit, unique->entries.count);
}

static nfl_status unique_grow(nfl__unique *unique, nfl_error *err)
{
    size_t count = unique->slot_count * 2;
    uint64_t *slots = nfl__new(unique->memory, count, sizeof *slots);
    if (!slots)
        return unique_too_many(unique, count * sizeof *slots, err);
    for (size_t i = 0; i < unique->slot_count; i++) {
        size_t at = (unique->slots[i] >> 32) & (count - 1);
        if (!unique->slots[i])
            continue;
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = unique->slots[i];
    }
    nfl__delete(unique->memory, unique->slots, unique->slot_count, sizeof *slots);
    unique->slots = slots;
    unique->slot_count = count;
    return NFL_OK;
}

/* Room for the entries of so many rows. */
static nfl_status unique_reserve(nfl__unique *unique, uint32_t rows, nfl_error *err)
{
    size_t count = unique->entries.count + rows;
    if (count >= UINT32_MAX)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %u conversations: choose a shorter window", UINT32_MAX);
    while (count * 4 > unique->slot_count * 3)
        NFL_TRY(unique_grow(unique, err));
    if (!nfl__pool_reserve(&unique->entries, rows))
        return unique_too_many(unique, NFL__POOL_ROWS * UNIQUE_WORDS * sizeof(uint64_t), err);
    return NFL_OK;
}

/* The entry of a key; there is room for it. */
static uint64_t *unique_entry(nfl__unique *unique, const unique_key *key, uint64_t hash)
{
    uint64_t *slot = unique_probe(unique, key, hash);
    if (*slot)
        return nfl__pool_at(&unique->entries, (uint32_t)*slot - 1);
    uint64_t *entry = nfl__pool_add(&unique->entries);
    memcpy(entry, key->words, sizeof key->words);
    *slot = (hash >> 32 << 32) | (uint32_t)unique->entries.count;
    return entry;
}

nfl_status nfl__unique_add(nfl__unique *unique, const nfl__scan *scan, nfl_error *err)
{
    NFL_TRY(unique_reserve(unique, scan->count, err)); /* slots do not move after the keys are packed */
    NFL_TRY(unique_pack(unique, scan, err));
    nfl__scan_values(scan, NFL_FIELD_PACKETS, unique->values);
    nfl__scan_values(scan, NFL_FIELD_BYTES, unique->bytes);
    for (uint32_t i = 0; i < scan->count; i++) {
        if (!unique->complete[i])
            continue;
        uint64_t *entry = unique_entry(unique, &unique->keys[i], unique->hashes[i]);
        entry[UNIQUE_PACKETS] = nfl__add_saturated(entry[UNIQUE_PACKETS], unique->values[i]);
        entry[UNIQUE_BYTES] = nfl__add_saturated(entry[UNIQUE_BYTES], unique->bytes[i]);
    }
    unique->rows += scan->count;
    return NFL_OK;
}

/* --- The best point ---- */

static uint64_t unique_kind(const uint64_t *entry)
{
    return entry[UNIQUE_KIND] & ~UNIQUE_KIND_POINT;
}

/* The same conversation in the same hour, seen from wherever. */
static int unique_same_traffic(const uint64_t *a, const uint64_t *b)
{
    return a[UNIQUE_ENDS] == b[UNIQUE_ENDS] && unique_kind(a) == unique_kind(b) &&
           (a[UNIQUE_TIME] | UNIQUE_LEFT_OUT) == (b[UNIQUE_TIME] | UNIQUE_LEFT_OUT);
}

static nfl_ip unique_exporter(const nfl__unique *unique, const uint64_t *entry)
{
    uint64_t number = entry[UNIQUE_POINT] >> 32;
    return nfl__addresses_get(&unique->addresses, number | (entry[UNIQUE_KIND] & UNIQUE_LONG_EXPORTER ? NFL__ADDRESS_NUMBERED : 0));
}

/* Does a point come before another? More packets, more bytes, the lower exporter, domain, direction. */
static int unique_better(const nfl__unique *unique, const uint64_t *a, const uint64_t *b)
{
    if (a[UNIQUE_PACKETS] != b[UNIQUE_PACKETS])
        return a[UNIQUE_PACKETS] > b[UNIQUE_PACKETS];
    if (a[UNIQUE_BYTES] != b[UNIQUE_BYTES])
        return a[UNIQUE_BYTES] > b[UNIQUE_BYTES];
    nfl_ip left = unique_exporter(unique, a), right = unique_exporter(unique, b);
    int order = nfl_ip_compare(&left, &right);
    if (order)
        return order < 0;
    if ((uint32_t)a[UNIQUE_POINT] != (uint32_t)b[UNIQUE_POINT])
        return (uint32_t)a[UNIQUE_POINT] < (uint32_t)b[UNIQUE_POINT];
    return a[UNIQUE_KIND] < b[UNIQUE_KIND];
}

/* Put an entry beside the best one of its traffic so far; the worse of the two is left out. best: as `slots`, by traffic. */
static void unique_compare(const nfl__unique *unique, uint64_t *best, size_t number)
{
    uint64_t *entry = nfl__pool_at(&unique->entries, number);
    uint64_t hash = nfl__hash_u64(entry[UNIQUE_ENDS], unique->seed);
    hash = nfl__hash_u64(unique_kind(entry), hash);
    hash = nfl__hash_u64(entry[UNIQUE_TIME], hash);
    size_t mask = unique->slot_count - 1, at = (hash >> 32) & mask;
    for (; best[at]; at = (at + 1) & mask) {
        uint64_t *other = nfl__pool_at(&unique->entries, (uint32_t)best[at] - 1);
        if (best[at] >> 32 != hash >> 32 || !unique_same_traffic(entry, other))
            continue;
        if (!unique_better(unique, entry, other)) {
            entry[UNIQUE_TIME] |= UNIQUE_LEFT_OUT;
            return;
        }
        other[UNIQUE_TIME] |= UNIQUE_LEFT_OUT;
        break;
    }
    best[at] = (hash >> 32 << 32) | (uint32_t)(number + 1);
}

nfl_status nfl__unique_choose(nfl__unique *unique, nfl_error *err)
{
    uint64_t *best = nfl__new(unique->memory, unique->slot_count, sizeof *best);
    if (!best)
        return unique_too_many(unique, unique->slot_count * sizeof *best, err);
    for (size_t i = 0; i < unique->entries.count; i++)
        unique_compare(unique, best, i);
    nfl__delete(unique->memory, best, unique->slot_count, sizeof *best);
    return NFL_OK;
}

/* --- The second reading ---- */

void nfl__unique_again(nfl__unique *unique)
{
    unique->passed = 0;
}

nfl_status nfl__unique_keep(nfl__unique *unique, const nfl__scan *scan, uint8_t keep[NFL__SCAN_ROWS], uint32_t *duplicates,
                            nfl_error *err)
{
    *duplicates = 0;
    NFL_TRY(unique_pack(unique, scan, err));
    for (uint32_t i = 0; i < scan->count; i++) {
        keep[i] = unique->passed++ < unique->rows;
        if (!keep[i] || !unique->complete[i])
            continue;
        uint64_t slot = *unique_probe(unique, &unique->keys[i], unique->hashes[i]);
        keep[i] = slot && !(nfl__pool_at(&unique->entries, (uint32_t)slot - 1)[UNIQUE_TIME] & UNIQUE_LEFT_OUT);
        *duplicates += slot && !keep[i];
    }
    return NFL_OK;
}

#include "query/addresses.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/rd.h"

#define ADDRESSES_FIRST_SLOTS 256u

void nfl__addresses_init(nfl__addresses *addresses, size_t most_bytes, nfl__memory *memory)
{
    nfl__pool_init(&addresses->pool, memory, sizeof(nfl_ip) / sizeof(uint64_t));
    addresses->most_bytes = most_bytes;
    addresses->seed = nfl__hash_u64((uint64_t)(uintptr_t)addresses, UINT64_C(0x6e666c69));
}

void nfl__addresses_done(nfl__addresses *addresses)
{
    if (!addresses->pool.memory)
        return;
    nfl__delete(addresses->pool.memory, addresses->slots, addresses->slot_count, sizeof *addresses->slots);
    nfl__pool_done(&addresses->pool);
    *addresses = (nfl__addresses){.slots = NULL};
}

static uint64_t addresses_hash(const nfl__addresses *addresses, const nfl_ip *ip)
{
    uint64_t words[2];
    memcpy(words, ip, sizeof words);
    return nfl__hash_u64(words[1], nfl__hash_u64(words[0], addresses->seed));
}

static nfl_status addresses_grow(nfl__addresses *addresses, nfl_error *err)
{
    nfl__memory *memory = addresses->pool.memory;
    size_t count = addresses->slot_count ? addresses->slot_count * 2 : ADDRESSES_FIRST_SLOTS;
    if (count * (sizeof *addresses->slots + sizeof(nfl_ip)) > addresses->most_bytes)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "more than %zu bytes of addresses", addresses->most_bytes);
    uint64_t *slots = nfl__new(memory, count, sizeof *slots);
    if (!slots)
        return nfl__query_nomem(memory, count * sizeof *slots, err);
    for (size_t i = 0; i < addresses->slot_count; i++) {
        size_t at = (addresses->slots[i] >> 32) & (count - 1);
        if (!addresses->slots[i])
            continue;
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = addresses->slots[i];
    }
    nfl__delete(memory, addresses->slots, addresses->slot_count, sizeof *slots);
    addresses->slots = slots;
    addresses->slot_count = count;
    return NFL_OK;
}

nfl_status nfl__addresses_number(nfl__addresses *addresses, const nfl_ip *ip, uint64_t *out, nfl_error *err)
{
    static const nfl_ip v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
    if (memcmp(ip, &v4, 12) == 0) {
        *out = nfl__load_be(ip->b + 12, 4);
        return NFL_OK;
    }
    if ((addresses->pool.count + 1) * 2 > addresses->slot_count)
        NFL_TRY(addresses_grow(addresses, err));
    uint64_t hash = addresses_hash(addresses, ip);
    size_t at = (hash >> 32) & (addresses->slot_count - 1);
    for (uint64_t slot; (slot = addresses->slots[at]) != 0; at = (at + 1) & (addresses->slot_count - 1)) {
        *out = NFL__ADDRESS_NUMBERED | ((uint32_t)slot - 1);
        if (slot >> 32 == hash >> 32 && memcmp(nfl__pool_at(&addresses->pool, (uint32_t)slot - 1), ip, sizeof *ip) == 0)
            return NFL_OK;
    }
    uint64_t *row = nfl__pool_add(&addresses->pool);
    if (!row)
        return nfl__query_nomem(addresses->pool.memory, NFL__POOL_ROWS * sizeof *ip, err);
    memcpy(row, ip, sizeof *ip);
    addresses->slots[at] = (hash >> 32 << 32) | (uint32_t)addresses->pool.count;
    *out = NFL__ADDRESS_NUMBERED | (uint32_t)(addresses->pool.count - 1);
    return NFL_OK;
}

nfl_ip nfl__addresses_get(const nfl__addresses *addresses, uint64_t number)
{
    nfl_ip ip;
    if (!(number & NFL__ADDRESS_NUMBERED))
        return nfl_ip_from_v4((uint32_t)number);
    memcpy(&ip, nfl__pool_at(&addresses->pool, (uint32_t)number), sizeof ip);
    return ip;
}

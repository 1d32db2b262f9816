#include "store/address_dict.h"

enum { SLOTS_FEW = 65536 /* to start with: they stay in the second-level cache, and are enough for most blocks */ };

int nfl__address_dict_init(nfl__address_dict *a, nfl__memory *memory, uint32_t rows)
{
    memset(a, 0, sizeof *a);
    a->capacity = rows;
    for (a->slot_most = 64; a->slot_most < 4 * rows;) /* two columns, half full at most */
        a->slot_most *= 2;
    size_t both = (size_t)2 * rows;
    int good = (a->distinct = nfl__new(memory, both, sizeof *a->distinct)) != NULL;
    good &= (a->sorted = nfl__new(memory, both, sizeof *a->sorted)) != NULL;
    good &= (a->slots = nfl__new(memory, a->slot_most, sizeof *a->slots)) != NULL;
    for (int i = 0; i < 2; i++) {
        good &= (a->order[i] = nfl__new(memory, both, sizeof **a->order)) != NULL;
        good &= (a->codes[i] = nfl__new(memory, rows, sizeof **a->codes)) != NULL;
    }
    good &= (a->halves = nfl__new(memory, both, sizeof *a->halves)) != NULL;
    if (!good)
        nfl__address_dict_free(a, memory);
    return good;
}

void nfl__address_dict_free(nfl__address_dict *a, nfl__memory *memory)
{
    size_t both = (size_t)2 * a->capacity;
    nfl__delete(memory, a->distinct, both, sizeof *a->distinct);
    nfl__delete(memory, a->sorted, both, sizeof *a->sorted);
    nfl__delete(memory, a->slots, a->slot_most, sizeof *a->slots);
    for (int i = 0; i < 2; i++) {
        nfl__delete(memory, a->order[i], both, sizeof **a->order);
        nfl__delete(memory, a->codes[i], a->capacity, sizeof **a->codes);
    }
    nfl__delete(memory, a->halves, both, sizeof *a->halves);
    memset(a, 0, sizeof *a);
}

/* --- collecting --- */

static int address_dict_equal(const nfl_ip *a, const nfl_ip *b)
{
    uint64_t x[2], y[2];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static uint32_t address_dict_hash(const nfl_ip *ip, uint64_t seed)
{
    uint64_t half[2];
    memcpy(half, ip, sizeof half);
    /* The upper bits of a product depend on all bits below them, so each half is folded before it is multiplied. */
    uint64_t mixed = (half[0] ^ half[0] >> 32 ^ seed) * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= mixed >> 32 ^ half[1] ^ half[1] >> 32;
    return (uint32_t)(mixed * UINT64_C(0xD6E8FEB86659FD93) >> 32);
}

static uint32_t *address_dict_slot(const nfl__address_dict *a, const nfl_ip *ip)
{
    uint32_t last = a->slot_count - 1, at = address_dict_hash(ip, (uint64_t)(uintptr_t)a->slots) & last;
    while (a->slots[at] && !address_dict_equal(&a->distinct[a->slots[at] - 1], ip))
        at = (at + 1) & last;
    return &a->slots[at];
}

static void address_dict_clear(nfl__address_dict *a, uint32_t slots)
{
    a->slot_count = slots < a->slot_most ? slots : a->slot_most;
    memset(a->slots, 0, a->slot_count * sizeof *a->slots);
}

static void address_dict_more_slots(nfl__address_dict *a)
{
    address_dict_clear(a, a->slot_most);
    for (uint32_t i = 0; i < a->count; i++)
        *address_dict_slot(a, &a->distinct[i]) = i + 1;
}

static uint32_t address_dict_find(nfl__address_dict *a, const nfl_ip *ip)
{
    uint32_t *slot = address_dict_slot(a, ip);
    if (*slot)
        return *slot - 1;
    a->distinct[a->count++] = *ip;
    *slot = a->count;
    if (a->count > a->slot_count / 2)
        address_dict_more_slots(a);
    return a->count - 1;
}

static void address_dict_collect_one(nfl__address_dict *a, const nfl__column *column, uint32_t rows, uint32_t *codes)
{
    const nfl_ip *ips = column->values, *last = NULL;
    uint32_t code = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if ((!column->valid || nfl__bit_get(column->valid, i)) && !(last && address_dict_equal(last, &ips[i]))) {
            code = address_dict_find(a, &ips[i]);
            last = &ips[i];
        }
        codes[i] = code;
    }
}

static void address_dict_collect_two(nfl__address_dict *a, const nfl_ip *first, const nfl_ip *second, uint32_t rows)
{
    uint32_t *one = a->codes[0], *other = a->codes[1];
    for (uint32_t i = 0; i < rows; i++) {
        if (i && address_dict_equal(&first[i], &second[i - 1]) && address_dict_equal(&second[i], &first[i - 1])) {
            one[i] = other[i - 1];
            other[i] = one[i - 1];
            continue;
        }
        one[i] = address_dict_find(a, &first[i]);
        other[i] = address_dict_find(a, &second[i]);
    }
}

/* --- sorting --- */

/* Sort order[0][0..count) by bytes `from` to 15 of the addresses: least significant digit radix sort; digits that all
 * share take a look. The result is in order[0]. */
static void address_dict_sort_part(nfl__address_dict *a, uint32_t *order, uint32_t *spare, uint32_t count, unsigned from)
{
    uint32_t *to = spare, *start = order;
    for (unsigned digit = 16; digit-- > from && count > 1;) {
        uint32_t at[257] = {0};
        for (uint32_t i = 0; i < count; i++)
            at[a->distinct[order[i]].b[digit] + 1]++;
        if (at[a->distinct[order[0]].b[digit] + 1] == count)
            continue;
        for (unsigned value = 0; value < 256; value++)
            at[value + 1] += at[value];
        for (uint32_t i = 0; i < count; i++)
            to[at[a->distinct[order[i]].b[digit]]++] = order[i];
        uint32_t *swap = order;
        order = to;
        to = swap;
    }
    if (order != start)
        memcpy(start, order, count * sizeof *order);
}

/* Positions by appearance, those of IPv4 first, to the final order: below, IPv4, above. */
static void address_dict_order(nfl__address_dict *a)
{
    uint32_t *order = a->order[0], *spare = a->order[1], others = 0;
    a->v4 = 0;
    for (uint32_t i = 0; i < a->count; i++)
        a->v4 += nfl_ip_is_v4(&a->distinct[i]) != 0;
    for (uint32_t i = 0, v4 = 0; i < a->count; i++) {
        if (nfl_ip_is_v4(&a->distinct[i]))
            order[v4++] = i;
        else
            order[a->v4 + others++] = i;
    }
    address_dict_sort_part(a, order, spare, a->v4, 12);
    address_dict_sort_part(a, order + a->v4, spare, others, 0);
    const nfl_ip first_v4 = nfl_ip_from_v4(0);
    a->below = 0;
    while (a->below < others && nfl_ip_compare(&a->distinct[order[a->v4 + a->below]], &first_v4) < 0)
        a->below++;
    memcpy(spare, order + a->v4, a->below * sizeof *order);
    memmove(order + a->below, order, a->v4 * sizeof *order);
    memcpy(order, spare, a->below * sizeof *order);
}

void nfl__address_dict_collect(nfl__address_dict *a, const nfl__column *first, const nfl__column *second, uint32_t rows)
{
    address_dict_clear(a, SLOTS_FEW);
    a->count = 0;
    if (second && !first->valid && !second->valid) {
        address_dict_collect_two(a, first->values, second->values, rows);
    } else {
        address_dict_collect_one(a, first, rows, a->codes[0]);
        if (second)
            address_dict_collect_one(a, second, rows, a->codes[1]);
    }
    address_dict_order(a);
    uint32_t *ranks = a->slots; /* no longer needed */
    for (uint32_t i = 0; i < a->count; i++) {
        a->sorted[i] = a->distinct[a->order[0][i]];
        ranks[a->order[0][i]] = i;
    }
    for (int c = 0; c < (second ? 2 : 1); c++)
        for (uint32_t i = 0; i < rows; i++)
            a->codes[c][i] = ranks[a->codes[c][i]];
}

/* --- writing --- */

/* One half of the addresses outside of the IPv4 range. */
static int address_dict_write_halves(nfl__address_dict *a, nfl__numbers_work *work, unsigned half, unsigned how, nfl__buffer *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->count; i++)
        if (i < a->below || i >= a->below + a->v4)
            a->halves[n++] = nfl__load_be64(a->sorted[i].b + (size_t)8 * half);
    return n == 0 || nfl__numbers_write(work, a->halves, n, how, out);
}

int nfl__address_dict_write(nfl__address_dict *a, nfl__numbers_work *work, unsigned how, nfl__buffer *out)
{
    uint8_t *head = nfl__buffer_room(out, 12);
    if (!head)
        return 0;
    nfl__store_le(head, a->below, 4);
    nfl__store_le(head + 4, a->v4, 4);
    nfl__store_le(head + 8, a->count - a->below - a->v4, 4);
    if (!address_dict_write_halves(a, work, 0, how | NFL__NUMBERS_SORTED, out) ||
        !address_dict_write_halves(a, work, 1, how | NFL__NUMBERS_SIMPLE, out))
        return 0;
    for (uint32_t i = 0; i < a->v4; i++)
        a->halves[i] = nfl__load_be32(a->sorted[a->below + i].b + 12);
    return a->v4 == 0 || nfl__numbers_write(work, a->halves, a->v4, how | NFL__NUMBERS_SORTED, out);
}

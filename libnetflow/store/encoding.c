#include "store/encoding.h"

#include "base/error.h"
#include "query/sort.h"
#include "record/fields.h"
#include "store/minipage.h"

enum {
    SLOTS_MIN = 4096, /* for samples */
    NUMBER_DICT_MAX = 8192, /* larger dictionaries of numbers gain nothing over packing */
    SAMPLE = 512,
    SAMPLE_DISTINCT_MAX = 256
};

#define SIGN_BIT (UINT64_C(1) << 63)

struct nfl__encoder_work {
    uint32_t rows;
    uint32_t slot_count; /* power of two, at least twice the rows */
    uint64_t *numbers;   /* the column, rows without the field filled up */
    uint64_t *differences;
    uint64_t *dict;      /* distinct numbers, first in order of appearance, then sorted */
    uint64_t *keys[2];   /* radix sort */
    nfl_ip *ips;
    nfl_ip *sorted_ips;
    uint32_t *codes;
    uint32_t *ranks;     /* code by appearance -> code by order */
    uint32_t *slots;     /* 1 + code; 0 = free */
};

uint32_t nfl__encoding_reference(uint32_t field)
{
    switch (field) {
    case NFL_FIELD_FIRST:
        return NFL_FIELD_RECEIVED;
    case NFL_FIELD_LAST:
        return NFL_FIELD_FIRST;
    default:
        return NFL_FIELD_NONE;
    }
}

void nfl__encoder_work_free(nfl__encoder_work *work, nfl__memory *memory)
{
    if (!work)
        return;
    uint64_t *numbers[] = {work->numbers, work->differences, work->dict, work->keys[0], work->keys[1]};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        nfl__delete(memory, numbers[i], work->rows, sizeof **numbers);
    nfl__delete(memory, work->ips, work->rows, sizeof *work->ips);
    nfl__delete(memory, work->sorted_ips, work->rows, sizeof *work->sorted_ips);
    nfl__delete(memory, work->codes, work->rows, sizeof *work->codes);
    nfl__delete(memory, work->ranks, work->rows, sizeof *work->ranks);
    nfl__delete(memory, work->slots, work->slot_count, sizeof *work->slots);
    nfl__delete(memory, work, 1, sizeof *work);
}

nfl__encoder_work *nfl__encoder_work_new(nfl__memory *memory, uint32_t rows)
{
    nfl__encoder_work *work = nfl__new(memory, 1, sizeof *work);
    if (!work)
        return NULL;
    work->rows = rows;
    for (work->slot_count = SLOTS_MIN; work->slot_count < 2 * rows;)
        work->slot_count *= 2;
    uint64_t **numbers[] = {&work->numbers, &work->differences, &work->dict, &work->keys[0], &work->keys[1]};
    int good = 1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        good &= (*numbers[i] = nfl__new(memory, rows, sizeof **numbers[i])) != NULL;
    good &= (work->ips = nfl__new(memory, rows, sizeof *work->ips)) != NULL;
    good &= (work->sorted_ips = nfl__new(memory, rows, sizeof *work->sorted_ips)) != NULL;
    good &= (work->codes = nfl__new(memory, rows, sizeof *work->codes)) != NULL;
    good &= (work->ranks = nfl__new(memory, rows, sizeof *work->ranks)) != NULL;
    good &= (work->slots = nfl__new(memory, work->slot_count, sizeof *work->slots)) != NULL;
    if (good)
        return work;
    nfl__encoder_work_free(work, memory);
    return NULL;
}

/* --- sorting of dictionaries --- */

/* Least significant digit radix sort of keys by their upper 32 bits. Returns where the result is. */
static uint64_t *encoding_radix_sort(nfl__encoder_work *work, uint32_t count)
{
    uint64_t *from = work->keys[0], *to = work->keys[1];
    for (unsigned shift = 32; shift < 64; shift += 8) {
        uint32_t at[257] = {0};
        for (uint32_t i = 0; i < count; i++)
            at[(from[i] >> shift & 0xff) + 1]++;
        for (unsigned digit = 0; digit < 256; digit++)
            at[digit + 1] += at[digit];
        for (uint32_t i = 0; i < count; i++)
            to[at[from[i] >> shift & 0xff]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static int encoding_compare_numbers(const void *a, const void *b, void *ctx)
{
    const uint64_t *dict = ctx;
    uint64_t x = dict[*(const uint32_t *)a], y = dict[*(const uint32_t *)b];
    return x < y ? -1 : x > y;
}

static int encoding_compare_ips(const void *a, const void *b, void *ctx)
{
    const nfl_ip *ips = ctx;
    return nfl_ip_compare(&ips[*(const uint32_t *)a], &ips[*(const uint32_t *)b]);
}

/* order[] = codes by appearance in order of their values; the ranks follow from it. */
static void encoding_rank(nfl__encoder_work *work, const uint32_t *order, uint32_t count, uint32_t first_rank)
{
    for (uint32_t i = 0; i < count; i++)
        work->ranks[order[i]] = first_rank + i;
}

static void encoding_recode(nfl__encoder_work *work, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++)
        work->codes[i] = work->ranks[work->codes[i]];
}

/* --- numbers --- */

static uint64_t encoding_flip(uint32_t field)
{
    return nfl__field_slots[field].type == NFL_TYPE_TIME ? SIGN_BIT : 0;
}

/* The column as 64-bit numbers. A row without the field takes the value before it, leading ones the first. */
static void encoding_widen(uint64_t *numbers, const uint8_t *values, uint32_t width, const uint64_t *valid, uint32_t rows)
{
    uint64_t last = 0;
    uint32_t leading = 0;
    while (valid && leading < rows && !nfl__bit_get(valid, leading))
        leading++;
    if (leading < rows)
        last = nfl__value_u64(values + (size_t)leading * width, width);
    for (uint32_t i = 0; i < rows; i++) {
        if (!valid || nfl__bit_get(valid, i))
            last = nfl__value_u64(values + (size_t)i * width, width);
        numbers[i] = last;
    }
}

static int encoding_all_equal(const uint64_t *numbers, uint32_t rows)
{
    uint64_t difference = 0;
    for (uint32_t i = 1; i < rows; i++)
        difference |= numbers[i] ^ numbers[0];
    return difference == 0;
}

/* Codes by appearance of the numbers; returns how many distinct ones, 0 when more than `most`. */
static uint32_t encoding_collect_numbers(nfl__encoder_work *work, const uint64_t *numbers, uint32_t rows, uint32_t step,
                                         uint32_t slots, uint32_t most)
{
    uint32_t count = 0;
    memset(work->slots, 0, slots * sizeof *work->slots);
    for (uint32_t i = 0; i < rows; i += step) {
        uint32_t at = (uint32_t)(numbers[i] * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (slots - 1);
        while (work->slots[at] && work->dict[work->slots[at] - 1] != numbers[i])
            at = (at + 1) & (slots - 1);
        if (!work->slots[at]) {
            if (count == most)
                return 0;
            work->dict[count++] = numbers[i];
            work->slots[at] = count;
        }
        work->codes[i] = work->slots[at] - 1;
    }
    return count;
}

/* Sorted dictionary in work->dict and codes in work->codes; returns its size, 0 when it is not worth it. */
static uint32_t encoding_number_dict(nfl__encoder_work *work, uint32_t rows)
{
    uint32_t step = rows > SAMPLE ? rows / SAMPLE : 1;
    if (!encoding_collect_numbers(work, work->numbers, rows, step, 4 * SAMPLE, SAMPLE_DISTINCT_MAX))
        return 0;
    uint32_t most = work->slot_count / 2 < NUMBER_DICT_MAX ? work->slot_count / 2 : NUMBER_DICT_MAX;
    uint32_t slots = work->slot_count < 4 * NUMBER_DICT_MAX ? work->slot_count : 4 * NUMBER_DICT_MAX;
    uint32_t count = encoding_collect_numbers(work, work->numbers, rows, 1, slots, most);
    if (!count)
        return 0;
    uint32_t *order = work->slots; /* no longer needed */
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    nfl__sort(order, count, sizeof *order, encoding_compare_numbers, work->dict);
    encoding_rank(work, order, count, 0);
    for (uint32_t i = 0; i < count; i++)
        work->keys[0][i] = work->dict[order[i]];
    memcpy(work->dict, work->keys[0], count * sizeof *work->dict);
    encoding_recode(work, rows);
    return count;
}

static void encoding_difference(nfl__encoder_work *work, const int64_t *reference, const uint64_t *valid, uint32_t rows)
{
    uint64_t last = 0;
    uint32_t leading = 0;
    while (valid && leading < rows && !nfl__bit_get(valid, leading))
        leading++;
    if (leading < rows)
        last = work->numbers[leading] - (uint64_t)reference[leading];
    for (uint32_t i = 0; i < rows; i++) {
        if (!valid || nfl__bit_get(valid, i))
            last = work->numbers[i] - (uint64_t)reference[i];
        work->differences[i] = last;
    }
}

typedef struct encoding_choice {
    uint32_t encoding;
    uint32_t dict_count;
    size_t size;
} encoding_choice;

static void encoding_offer(encoding_choice *best, uint32_t encoding, size_t size)
{
    if (size < best->size) {
        best->encoding = encoding;
        best->size = size;
    }
}

static encoding_choice encoding_choose_number(nfl__encoder_work *work, uint32_t field, const uint64_t *valid,
                                              uint32_t rows, const int64_t *reference)
{
    uint32_t width = nfl__field_slots[field].width;
    uint64_t flip = encoding_flip(field);
    encoding_choice best = {NFL__ENCODING_CONST, 0, width};
    if (encoding_all_equal(work->numbers, rows))
        return best;
    best.encoding = NFL__ENCODING_PLAIN;
    best.size = (size_t)rows * width;
    best.dict_count = encoding_number_dict(work, rows);
    if (best.dict_count)
        encoding_offer(&best, NFL__ENCODING_DICT,
                       4 + nfl__minipages_size(work->dict, best.dict_count, 0) + nfl__codes_size(rows, best.dict_count));
    encoding_offer(&best, NFL__ENCODING_PACKED, nfl__minipages_size(work->numbers, rows, flip));
    if (reference) {
        encoding_difference(work, reference, valid, rows);
        encoding_offer(&best, NFL__ENCODING_RELATIVE, 1 + nfl__minipages_size(work->differences, rows, SIGN_BIT));
    }
    return best;
}

static void encoding_write_plain(const uint64_t *numbers, uint32_t rows, uint32_t width, uint8_t *dst)
{
    for (uint32_t i = 0; i < rows; i++)
        nfl__store_le(dst + (size_t)i * width, numbers[i], width);
}

static void encoding_write_number(nfl__encoder_work *work, const encoding_choice *choice, uint32_t field, uint32_t rows,
                                  uint8_t *dst)
{
    uint32_t width = nfl__field_slots[field].width;
    switch (choice->encoding) {
    case NFL__ENCODING_CONST:
        nfl__store_le(dst, work->numbers[0], width);
        break;
    case NFL__ENCODING_PACKED:
        nfl__minipages_write(work->numbers, rows, encoding_flip(field), dst);
        break;
    case NFL__ENCODING_RELATIVE:
        dst[0] = (uint8_t)nfl__encoding_reference(field);
        nfl__minipages_write(work->differences, rows, SIGN_BIT, dst + 1);
        break;
    case NFL__ENCODING_DICT:
        nfl__store_le(dst, choice->dict_count, 4);
        nfl__minipages_write(work->dict, choice->dict_count, 0, dst + 4);
        nfl__codes_write(work->codes, rows, choice->dict_count,
                         dst + 4 + nfl__minipages_size(work->dict, choice->dict_count, 0));
        break;
    default:
        encoding_write_plain(work->numbers, rows, width, dst);
    }
}

/* --- addresses --- */

static uint32_t encoding_ip_hash(const nfl_ip *ip)
{
    uint64_t high, low;
    memcpy(&high, ip->b, 8);
    memcpy(&low, ip->b + 8, 8);
    return (uint32_t)((high * UINT64_C(0x9E3779B97F4A7C15) ^ low) * UINT64_C(0xD6E8FEB86659FD93) >> 32);
}

/* Codes by appearance in work->codes, addresses in work->ips; returns how many. */
static uint32_t encoding_collect_ips(nfl__encoder_work *work, const nfl_ip *ips, const uint64_t *valid, uint32_t rows)
{
    uint32_t count = 0, code = 0;
    uint32_t last_slot = work->slot_count - 1;
    memset(work->slots, 0, work->slot_count * sizeof *work->slots);
    for (uint32_t i = 0; i < rows; i++) {
        if (!valid || nfl__bit_get(valid, i)) {
            uint32_t at = encoding_ip_hash(&ips[i]) & last_slot;
            while (work->slots[at] && memcmp(&work->ips[work->slots[at] - 1], &ips[i], sizeof *ips) != 0)
                at = (at + 1) & last_slot;
            if (!work->slots[at]) {
                work->ips[count++] = ips[i];
                work->slots[at] = count;
            }
            code = work->slots[at] - 1;
        }
        work->codes[i] = code;
    }
    return count;
}

/* How many addresses of a dictionary lie below, inside and above the IPv4 range. */
typedef struct encoding_parts {
    uint32_t below, v4, above;
} encoding_parts;

/* Sort the dictionary into work->sorted_ips, IPv4 also as numbers into work->dict, and recode. */
static encoding_parts encoding_sort_ips(nfl__encoder_work *work, uint32_t count, uint32_t rows)
{
    encoding_parts parts = {0, 0, 0};
    uint32_t *others = work->slots, other_count = 0; /* slots are no longer needed */
    for (uint32_t i = 0; i < count; i++) {
        if (nfl_ip_is_v4(&work->ips[i]))
            work->keys[0][parts.v4++] = (uint64_t)nfl__load_be32(work->ips[i].b + 12) << 32 | i;
        else
            others[other_count++] = i;
    }
    const uint64_t *v4 = encoding_radix_sort(work, parts.v4);
    nfl__sort(others, other_count, sizeof *others, encoding_compare_ips, work->ips);
    nfl_ip first_v4 = nfl_ip_from_v4(0);
    while (parts.below < other_count && nfl_ip_compare(&work->ips[others[parts.below]], &first_v4) < 0)
        parts.below++;
    parts.above = other_count - parts.below;
    uint32_t *order = others + work->slot_count / 2;
    memcpy(order, others, parts.below * sizeof *order);
    for (uint32_t i = 0; i < parts.v4; i++) {
        order[parts.below + i] = (uint32_t)v4[i];
        work->dict[i] = v4[i] >> 32;
    }
    memcpy(order + parts.below + parts.v4, others + parts.below, parts.above * sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        work->sorted_ips[i] = work->ips[order[i]];
    encoding_rank(work, order, count, 0);
    encoding_recode(work, rows);
    return parts;
}

static size_t encoding_ip_dict_size(const nfl__encoder_work *work, const encoding_parts *parts)
{
    return 12 + 16 * ((size_t)parts->below + parts->above) + nfl__minipages_size(work->dict, parts->v4, 0);
}

static void encoding_write_ips(const nfl__encoder_work *work, const encoding_parts *parts, uint32_t rows, uint8_t *dst)
{
    const nfl_ip *above = work->sorted_ips + parts->below + parts->v4;
    nfl__store_le(dst, parts->below, 4);
    nfl__store_le(dst + 4, parts->v4, 4);
    nfl__store_le(dst + 8, parts->above, 4);
    memcpy(dst + 12, work->sorted_ips, parts->below * sizeof *above);
    memcpy(dst + 12 + parts->below * sizeof *above, above, parts->above * sizeof *above);
    uint8_t *v4 = dst + 12 + ((size_t)parts->below + parts->above) * sizeof *above;
    nfl__minipages_write(work->dict, parts->v4, 0, v4);
    nfl__codes_write(work->codes, rows, parts->below + parts->v4 + parts->above,
                     v4 + nfl__minipages_size(work->dict, parts->v4, 0));
}

static uint32_t encoding_encode_ips(nfl__encoder_work *work, const nfl_ip *ips, const uint64_t *valid, uint32_t rows,
                                    nfl__buffer *out)
{
    uint32_t count = encoding_collect_ips(work, ips, valid, rows);
    if (count == 1) {
        uint8_t *dst = nfl__buffer_room(out, sizeof *ips);
        if (dst)
            memcpy(dst, &work->ips[0], sizeof *ips);
        return dst ? NFL__ENCODING_CONST : 0;
    }
    encoding_parts parts = encoding_sort_ips(work, count, rows);
    uint8_t *dst = nfl__buffer_room(out, encoding_ip_dict_size(work, &parts) + nfl__codes_size(rows, count));
    if (dst)
        encoding_write_ips(work, &parts, rows, dst);
    return dst ? NFL__ENCODING_DICT : 0;
}

/* --- encode --- */

static int encoding_all_valid(const uint64_t *valid, uint32_t rows)
{
    for (uint32_t i = 0; valid && i < rows; i++)
        if (!nfl__bit_get(valid, i))
            return 0;
    return 1;
}

static int encoding_write_validity(const uint64_t *valid, uint32_t rows, nfl__buffer *out)
{
    int all = encoding_all_valid(valid, rows);
    size_t len = all ? 0 : ((size_t)rows + 7) / 8;
    uint8_t *dst = nfl__buffer_room(out, 1 + len);
    if (!dst)
        return 0;
    dst[0] = (uint8_t)!all;
    for (size_t i = 0; i < len; i++)
        dst[1 + i] = (uint8_t)(valid[i / 8] >> (i % 8 * 8));
    if (len && rows % 8) /* bits behind the last row are 0 */
        dst[len] &= (uint8_t)((1u << rows % 8) - 1);
    return 1;
}

uint32_t nfl__encode_column(nfl__encoder_work *work, uint32_t field, const void *values, const uint64_t *valid,
                            uint32_t rows, const int64_t *reference, nfl__buffer *out)
{
    if (!encoding_write_validity(valid, rows, out))
        return 0;
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        return encoding_encode_ips(work, values, valid, rows, out);
    encoding_widen(work->numbers, values, nfl__field_slots[field].width, valid, rows);
    encoding_choice choice = encoding_choose_number(work, field, valid, rows, reference);
    uint8_t *dst = nfl__buffer_room(out, choice.size);
    if (!dst)
        return 0;
    encoding_write_number(work, &choice, field, rows, dst);
    return choice.encoding;
}

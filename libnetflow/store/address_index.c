#include "store/address_index.h"

#include "base/error.h"
#include "base/hash.h"
#include "store/address_dict.h"

enum {
    PAGE = NFL__NUMBERS_PAGE,
    HEAD = 24,
    FENCE = 32,
    FENCE_OFFSET = 16,
    FENCE_LEN = 20,
    FENCE_HASH = 24,
    PAGE_BYTES_MAX = 1 << 16,
    PAGES_MOST = 64 /* read for one filter and segment: more than that, and reading blocks is as good */
};

/* --- building --- */

void nfl__index_builder_start(nfl__index_builder *b, nfl__memory *memory)
{
    b->memory = memory;
    b->count = 0;
    b->block = 0;
    b->blocks_a_bit = 1;
}

void nfl__index_builder_free(nfl__index_builder *b)
{
    for (int i = 0; i < 2 && b->memory; i++)
        nfl__delete(b->memory, b->entries[i], b->capacity[i], sizeof **b->entries);
    if (b->memory)
        nfl__delete(b->memory, b->sides, b->sides_capacity, 1);
    memset(b, 0, sizeof *b);
}

/* Halve the bits, since there are more blocks than they can tell apart. */
static void index_widen(nfl__index_builder *b)
{
    for (size_t i = 0; i < b->count; i++) {
        for (int side = 0; side < 2; side++) {
            uint64_t bits = b->entries[0][i].blocks[side], halved = 0;
            for (unsigned bit = 0; bit < 64; bit++)
                halved |= (bits >> bit & 1) << bit / 2;
            b->entries[0][i].blocks[side] = halved;
        }
    }
    b->blocks_a_bit *= 2;
}

/* Which addresses of the block are sources, which destinations. */
static void index_mark(uint8_t *sides, const uint32_t *codes, const nfl__column *column, uint32_t rows, unsigned bit)
{
    for (uint32_t i = 0; codes && i < rows; i++)
        if (nfl__column_has(column, i))
            sides[codes[i]] |= (uint8_t)bit;
}

static void index_merge(nfl__index_builder *b, const nfl__address_dict *block, uint64_t bit)
{
    const nfl__index_entry *old = b->entries[0], *end = old + b->count;
    nfl__index_entry *to = b->entries[1];
    for (uint32_t i = 0; i < block->count; i++) {
        if (!b->sides[i])
            continue;
        while (old < end && nfl_ip_compare(&old->ip, &block->sorted[i]) < 0)
            *to++ = *old++;
        if (old < end && memcmp(&old->ip, &block->sorted[i], sizeof old->ip) == 0)
            *to = *old++;
        else
            *to = (nfl__index_entry){block->sorted[i], {0, 0}};
        to->blocks[0] |= b->sides[i] & 1 ? bit : 0;
        to->blocks[1] |= b->sides[i] & 2 ? bit : 0;
        to++;
    }
    while (old < end)
        *to++ = *old++;
    b->count = (size_t)(to - b->entries[1]);
    nfl__index_entry *swap = b->entries[0];
    size_t capacity = b->capacity[0];
    b->entries[0] = b->entries[1];
    b->capacity[0] = b->capacity[1];
    b->entries[1] = swap;
    b->capacity[1] = capacity;
}

int nfl__index_builder_add(nfl__index_builder *b, const nfl__encoder *encoder, const nfl__batch *block)
{
    const uint32_t *codes[2];
    const nfl__address_dict *sides = nfl__encoder_sides(encoder, codes);
    if (!nfl__grow(b->memory, (void **)&b->entries[1], &b->capacity[1], b->count + sides->count, sizeof **b->entries) ||
        !nfl__grow(b->memory, (void **)&b->sides, &b->sides_capacity, (size_t)sides->count + 1, 1))
        return 0;
    memset(b->sides, 0, sides->count);
    index_mark(b->sides, codes[0], &block->columns[NFL_FIELD_SRC], block->rows, 1);
    index_mark(b->sides, codes[1], &block->columns[NFL_FIELD_DST], block->rows, 2);
    if (b->block / b->blocks_a_bit >= 64)
        index_widen(b);
    index_merge(b, sides, UINT64_C(1) << b->block / b->blocks_a_bit);
    b->block++;
    return 1;
}

static int index_write_numbers(nfl__numbers_work *work, const uint64_t *numbers, uint32_t rows, int sorted, nfl__buffer *out)
{
    return nfl__numbers_write(work, numbers, rows, sorted ? NFL__NUMBERS_SORTED : NFL__NUMBERS_SIMPLE, out);
}

static int index_write_page(const nfl__index_entry *entries, uint32_t rows, nfl__numbers_work *work, nfl__buffer *out)
{
    uint64_t numbers[4][PAGE];
    for (uint32_t i = 0; i < rows; i++) {
        numbers[0][i] = nfl__load_be64(entries[i].ip.b);
        numbers[1][i] = nfl__load_be64(entries[i].ip.b + 8);
        numbers[2][i] = entries[i].blocks[0];
        numbers[3][i] = entries[i].blocks[1];
    }
    return index_write_numbers(work, numbers[0], rows, 1, out) &&
           index_write_numbers(work, numbers[1], rows, numbers[0][0] == numbers[0][rows - 1], out) &&
           index_write_numbers(work, numbers[2], rows, 0, out) && index_write_numbers(work, numbers[3], rows, 0, out);
}

int nfl__index_builder_write(nfl__index_builder *b, nfl__numbers_work *work, nfl__buffer *out)
{
    uint32_t pages = (uint32_t)((b->count + PAGE - 1) / PAGE);
    size_t start = out->len, fences = HEAD + (size_t)pages * FENCE;
    if (!nfl__buffer_room(out, fences))
        return 0;
    for (uint32_t p = 0; p < pages; p++) {
        const nfl__index_entry *entries = b->entries[0] + (size_t)p * PAGE;
        size_t at = out->len, left = b->count - (size_t)p * PAGE;
        if (!index_write_page(entries, left < PAGE ? (uint32_t)left : PAGE, work, out))
            return 0;
        uint8_t *fence = out->data + start + HEAD + (size_t)p * FENCE;
        memcpy(fence, &entries->ip, sizeof entries->ip);
        nfl__store_le(fence + FENCE_OFFSET, at - start - fences, 4);
        nfl__store_le(fence + FENCE_LEN, out->len - at, 4);
        nfl__store_le(fence + FENCE_HASH, nfl__hash(out->data + at, out->len - at, 0), 8);
    }
    uint8_t *head = out->data + start;
    nfl__store_le(head, b->count, 8);
    nfl__store_le(head + 8, pages, 4);
    nfl__store_le(head + 12, b->blocks_a_bit, 4);
    nfl__store_le(head + 16, nfl__hash(head + HEAD, fences - HEAD, nfl__hash(head, 16, 0)), 8);
    return 1;
}

/* --- reading --- */

void nfl__address_index_close(nfl__address_index *index)
{
    if (!index->memory)
        return;
    nfl__delete(index->memory, index->fences, (size_t)index->pages * FENCE, 1);
    nfl__delete(index->memory, index->values, (size_t)4 * PAGE, sizeof *index->values);
    nfl__delete(index->memory, index->bytes, index->bytes_capacity, 1);
    memset(index, 0, sizeof *index);
}

static nfl_status index_corrupt(nfl_error *err, const char *what)
{
    return nfl__fail(err, NFL_E_CORRUPT, NFL_NO_OFFSET, "address index: %s", what);
}

static nfl_status index_read_fences(nfl__address_index *index, const uint8_t head[HEAD], nfl_error *err)
{
    uint32_t pages = nfl__load_le32(head + 8);
    index->addresses = nfl__load_le64(head);
    index->blocks_a_bit = nfl__load_le32(head + 12);
    if (index->addresses > (index->len - HEAD) * 8 || pages != (index->addresses + PAGE - 1) / PAGE ||
        pages > (index->len - HEAD) / FENCE || index->blocks_a_bit == 0)
        return index_corrupt(err, "the head is wrong");
    if (pages == 0)
        return NFL_OK;
    index->fences = nfl__new(index->memory, (size_t)pages * FENCE, 1);
    index->values = nfl__new(index->memory, (size_t)4 * PAGE, sizeof *index->values);
    index->pages = index->fences ? pages : 0;
    if (!index->fences || !index->values)
        return nfl__fail_nomem(err, (size_t)pages * FENCE);
    NFL_TRY(index->read(index->ctx, index->fences, (size_t)pages * FENCE, HEAD, err));
    if (nfl__hash(index->fences, (size_t)pages * FENCE, nfl__hash(head, 16, 0)) != nfl__load_le64(head + 16))
        return index_corrupt(err, "the checksum of the fences is wrong");
    return NFL_OK;
}

nfl_status nfl__address_index_open(nfl__address_index *index, nfl__memory *memory, nfl__index_read read, void *ctx, uint64_t len,
                                   nfl_error *err)
{
    uint8_t head[HEAD];
    *index = (nfl__address_index){.memory = memory, .read = read, .ctx = ctx, .len = len, .page = UINT32_MAX, .pages_left = PAGES_MOST};
    nfl_status status = len < HEAD ? index_corrupt(err, "too short") : read(ctx, head, HEAD, 0, err);
    if (status == NFL_OK)
        status = index_read_fences(index, head, err);
    if (status != NFL_OK)
        nfl__address_index_close(index);
    return status;
}

static nfl__key index_fence_key(const nfl__address_index *index, uint32_t page)
{
    const uint8_t *fence = index->fences + (size_t)page * FENCE;
    nfl__key key = {nfl__load_be64(fence), nfl__load_be64(fence + 8)};
    return key;
}

static uint32_t index_page_rows(const nfl__address_index *index, uint32_t page)
{
    uint64_t left = index->addresses - (uint64_t)page * PAGE;
    return left < PAGE ? (uint32_t)left : PAGE;
}

/* Read a page into index->values. */
static nfl_status index_read_page(nfl__address_index *index, uint32_t page, nfl_error *err)
{
    const uint8_t *fence = index->fences + (size_t)page * FENCE;
    uint32_t offset = nfl__load_le32(fence + FENCE_OFFSET), len = nfl__load_le32(fence + FENCE_LEN);
    uint64_t at = HEAD + (uint64_t)index->pages * FENCE + offset;
    if (page == index->page)
        return NFL_OK;
    if (len > PAGE_BYTES_MAX || at > index->len || len > index->len - at)
        return index_corrupt(err, "a page lies outside");
    if (!nfl__grow(index->memory, (void **)&index->bytes, &index->bytes_capacity, len, 1))
        return nfl__fail_nomem(err, len);
    NFL_TRY(index->read(index->ctx, index->bytes, len, at, err));
    if (nfl__hash(index->bytes, len, 0) != nfl__load_le64(fence + FENCE_HASH))
        return index_corrupt(err, "the checksum of a page is wrong");
    nfl__rd rd = nfl__rd_make(index->bytes, len);
    index->page = UINT32_MAX;
    for (uint32_t part = 0; part < 4; part++)
        if (!nfl__numbers_read(&rd, index_page_rows(index, page), index->values + (size_t)part * PAGE))
            return index_corrupt(err, "a page is cut short");
    index->page = page;
    return NFL_OK;
}

/* The last page that begins at or before the key, or the first one. */
static uint32_t index_page_of(const nfl__address_index *index, nfl__key key)
{
    uint32_t low = 0, high = index->pages;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (nfl__key_compare(index_fence_key(index, middle), key) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Groups of blocks of the addresses of the page that lie in the range. */
static uint64_t index_page_bits(const nfl__address_index *index, const nfl__range *range, unsigned side)
{
    uint32_t rows = index_page_rows(index, index->page), low = 0, high = rows;
    const uint64_t *upper = index->values, *lower = upper + PAGE, *blocks = upper + (size_t)(2 + side) * PAGE;
    uint64_t bits = 0;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (nfl__key_compare((nfl__key){upper[middle], lower[middle]}, range->first) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < rows && nfl__key_compare((nfl__key){upper[low], lower[low]}, range->last) <= 0; low++)
        bits |= blocks[low];
    return bits;
}

nfl_status nfl__address_index_find(nfl__address_index *index, const nfl__range *ranges, uint32_t count, unsigned side,
                                   uint64_t *bits, nfl_error *err)
{
    *bits = 0;
    for (uint32_t i = 0; i < count && index->pages && ~*bits; i++) {
        uint32_t page = index_page_of(index, ranges[i].first);
        for (; page < index->pages && nfl__key_compare(index_fence_key(index, page), ranges[i].last) <= 0; page++) {
            if (page != index->page && index->pages_left-- == 0) {
                index->pages_left = 0;
                *bits = UINT64_MAX;
                return NFL_OK;
            }
            NFL_TRY(index_read_page(index, page, err));
            *bits |= index_page_bits(index, &ranges[i], side);
        }
    }
    return NFL_OK;
}

/* Sequences of numbers from bytes: the reading half of numbers.h. Everything read here may be hostile. */
#include "base/error.h"
#include "store/numbers.h"
#include "store/numbers_format.h"

enum { PAGE = NFL__NUMBERS_PAGE };

static int numbers_open_repeat(nfl__numbers *n, nfl__rd *rd)
{
    n->stored = nfl__rd_u32_le(rd);
    n->repeat = nfl__rd_bytes(rd, ((size_t)n->count + 7) / 8);
    if (!n->repeat || n->stored == 0 || n->stored > n->count || !(n->repeat[0] & 1))
        return 0;
    uint32_t set = 0; /* what the bitmap asks for must be there */
    for (uint32_t i = 0; i < n->count; i += 64) {
        uint32_t left = n->count - i;
        uint64_t bits = 0;
        for (uint32_t b = 0; b < 64 && b < left; b += 8)
            bits |= (uint64_t)n->repeat[(i + b) / 8] << b;
        set += numbers_popcount(left < 64 ? bits & ((UINT64_C(1) << left) - 1) : bits);
    }
    return set == n->stored;
}

static int numbers_open_packed(nfl__numbers *n, nfl__rd *rd)
{
    uint32_t pages = numbers_pages(n->stored);
    size_t packed = 0, patches = 0;
    n->bases = nfl__rd_bytes(rd, (size_t)pages * 8);
    n->widths = nfl__rd_bytes(rd, pages);
    if (n->form & NUMBERS_PATCHED)
        n->patch_counts = nfl__rd_bytes(rd, (size_t)pages * 2);
    if (rd->failed)
        return 0;
    for (uint32_t page = 0; page < pages; page++) {
        if (n->widths[page] > 64)
            return 0;
        packed += numbers_packed_size(numbers_page_rows(n->stored, page), n->widths[page]);
        if (n->patch_counts)
            patches += nfl__load_le16(n->patch_counts + (size_t)page * 2);
    }
    n->packed = nfl__rd_bytes(rd, packed);
    if (n->patch_counts) {
        n->patch_bytes = nfl__rd_u8(rd);
        if (n->patch_bytes == 0 || n->patch_bytes > 8)
            return 0;
        n->patches = nfl__rd_bytes(rd, patches * (2 + (size_t)n->patch_bytes));
    }
    return !rd->failed;
}

static int numbers_open_body(nfl__numbers *n, nfl__rd *rd)
{
    switch (n->form & NUMBERS_BODY) {
    case NUMBERS_CONST:
        n->base = nfl__rd_u64_le(rd);
        return !rd->failed;
    case NUMBERS_PACKED:
        return numbers_open_packed(n, rd);
    case NUMBERS_PLANES:
        n->base = nfl__rd_u64_le(rd);
        n->plane_bytes = nfl__rd_u8(rd);
        n->planes = n->plane_bytes <= 8 ? nfl__rd_bytes(rd, (size_t)n->stored * n->plane_bytes) : NULL;
        return n->planes != NULL && !rd->failed;
    default:
        return 0;
    }
}

static void numbers_start(nfl__numbers *n, nfl__rd *rd, uint32_t count)
{
    /* Not the buffer. */
    memset(n, 0, offsetof(nfl__numbers, buffer));
    n->count = n->stored = count;
    n->mapped = 1;
    n->held = n->used = 1;
    n->form = nfl__rd_u8(rd);
}

nfl_status nfl__numbers_open(nfl__numbers *n, nfl__rd *rd, uint32_t count, nfl__memory *memory, uint64_t **dict,
                             size_t *dict_capacity)
{
    numbers_start(n, rd, count);
    if (rd->failed || n->form & ~NUMBERS_KNOWN || count == 0 || count > NFL__NUMBERS_MAX)
        return NFL_E_CORRUPT;
    if ((n->form & NUMBERS_REPEAT) && !numbers_open_repeat(n, rd))
        return NFL_E_CORRUPT;
    if (n->form & NUMBERS_DICT) {
        n->distinct = nfl__rd_u32_le(rd);
        if (rd->failed || n->distinct == 0 || n->distinct > n->stored)
            return NFL_E_CORRUPT;
        if (!nfl__grow(memory, (void **)dict, dict_capacity, (size_t)numbers_pages(n->distinct) * PAGE, sizeof **dict))
            return NFL_E_NOMEM;
        if (!nfl__numbers_read(rd, n->distinct, *dict))
            return NFL_E_CORRUPT;
        n->dict = *dict;
    }
    return numbers_open_body(n, rd) ? NFL_OK : NFL_E_CORRUPT;
}

/* --- pages of the body --- */

static void numbers_unpack(const uint8_t *src, uint32_t rows, uint64_t base, unsigned width, uint64_t *values)
{
    uint32_t plane[PAGE];
    uint32_t filled = (rows + NFL__BITPACK_LANES - 1) / NFL__BITPACK_LANES * NFL__BITPACK_LANES;
    nfl__bitunpack(src, rows, width < 32 ? width : 32, plane);
    for (uint32_t i = 0; i < filled; i++)
        values[i] = base + plane[i];
    if (width <= 32)
        return;
    nfl__bitunpack(src + nfl__bitpack_size(rows, 32), rows, width - 32, plane);
    for (uint32_t i = 0; i < filled; i++)
        values[i] += (uint64_t)plane[i] << 32;
}

static int numbers_patch(nfl__numbers *n, uint32_t rows, unsigned width, uint64_t *values)
{
    uint32_t count = nfl__load_le16(n->patch_counts + (size_t)n->page * 2);
    if (count && width >= 64)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = nfl__load_le16(n->patches);
        uint64_t upper = 0;
        for (unsigned b = 0; b < n->patch_bytes; b++)
            upper |= (uint64_t)n->patches[2 + b] << (8 * b);
        if (at >= rows)
            return 0;
        values[at] += upper << width;
        n->patches += 2 + n->patch_bytes;
    }
    return 1;
}

static int numbers_packed_page(nfl__numbers *n, uint32_t rows, uint64_t *values)
{
    unsigned width = n->widths[n->page];
    numbers_unpack(n->packed, rows, nfl__load_le64(n->bases + (size_t)n->page * 8), width, values);
    n->packed += numbers_packed_size(rows, width);
    return !n->patch_counts || numbers_patch(n, rows, width, values);
}

static void numbers_planes_page(const nfl__numbers *n, uint32_t rows, uint64_t *values)
{
    for (uint32_t i = 0; i < rows; i++)
        values[i] = n->base;
    for (unsigned b = 0; b < n->plane_bytes; b++) {
        const uint8_t *plane = n->planes + (size_t)b * n->stored + n->taken;
        for (uint32_t i = 0; i < rows; i++)
            values[i] += (uint64_t)plane[i] << (8 * b);
    }
}

static void numbers_sum(nfl__numbers *n, uint32_t rows, uint64_t *values)
{
    uint64_t sum = n->last;
    for (uint32_t i = 0; i < rows; i++)
        values[i] = sum += values[i];
    n->last = sum;
}

/* Positions to numbers; they are checked even if they stay positions. */
static int numbers_map(const nfl__numbers *n, uint32_t rows, uint64_t *values)
{
    uint64_t highest = 0;
    for (uint32_t i = 0; i < rows; i++)
        highest = values[i] > highest ? values[i] : highest;
    if (highest >= n->distinct)
        return 0;
    for (uint32_t i = 0; n->mapped && i < rows; i++)
        values[i] = n->dict[values[i]];
    return 1;
}

/* The next page of the body; 0 at its end or when it is wrong. */
static uint32_t numbers_body_page(nfl__numbers *n, uint64_t *values)
{
    uint32_t left = n->stored - n->taken, rows = left < PAGE ? left : PAGE;
    int good = 1;
    if (rows == 0)
        return 0;
    switch (n->form & NUMBERS_BODY) {
    case NUMBERS_CONST:
        for (uint32_t i = 0; i < rows; i++)
            values[i] = n->base;
        break;
    case NUMBERS_PACKED:
        good = numbers_packed_page(n, rows, values);
        break;
    default:
        numbers_planes_page(n, rows, values);
    }
    if (n->form & NUMBERS_SUMMED)
        numbers_sum(n, rows, values);
    if (n->distinct)
        good &= numbers_map(n, rows, values);
    n->taken += rows;
    n->page++;
    return good ? rows : 0;
}

/* Enough of the body for a page: buffer[0] is the number before, what is not given yet follows it. */
static int numbers_fill(nfl__numbers *n)
{
    memmove(n->buffer + 1, n->buffer + n->used, (n->held - n->used) * sizeof *n->buffer);
    n->held = 1 + n->held - n->used;
    n->used = 1;
    while (n->held <= PAGE && n->taken < n->stored) {
        uint32_t rows = numbers_body_page(n, n->buffer + n->held);
        if (rows == 0)
            return 0;
        n->held += rows;
    }
    return 1;
}

/* Spread the numbers of the body over those that repeat them; without branches, since nobody can guess them. The bitmap
 * has exactly as many bits as the body has numbers, and its first one is set. */
static uint32_t numbers_repeat_page(nfl__numbers *n, uint64_t *page)
{
    uint32_t left = n->count - n->given, rows = left < PAGE ? left : PAGE;
    const uint8_t *bits = n->repeat + n->given / 8;
    if (!numbers_fill(n))
        return 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < rows; i++) {
        at += bits[i / 8] >> (i % 8) & 1;
        page[i] = n->buffer[at];
    }
    n->used = at + 1;
    n->buffer[0] = n->buffer[at];
    return rows;
}

uint32_t nfl__numbers_next(nfl__numbers *n, uint64_t page[NFL__NUMBERS_PAGE])
{
    uint32_t rows = n->repeat ? numbers_repeat_page(n, page) : numbers_body_page(n, page);
    n->given += rows;
    return rows;
}

int nfl__numbers_read(nfl__rd *rd, uint32_t count, uint64_t *values)
{
    nfl__numbers n;
    if (count == 0)
        return 1;
    numbers_start(&n, rd, count);
    if (rd->failed || n.form & ~NUMBERS_KNOWN || n.form & (NUMBERS_DICT | NUMBERS_REPEAT) || count > NFL__NUMBERS_MAX ||
        !numbers_open_body(&n, rd))
        return 0;
    for (uint32_t rows; n.given < count; values += rows)
        if ((rows = nfl__numbers_next(&n, values)) == 0)
            return 0;
    return 1;
}

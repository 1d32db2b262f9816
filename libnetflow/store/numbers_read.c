/* Sequences of numbers from bytes: the reading half of numbers.h. Everything read here may be hostile. */
#include "base/error.h"
#include "store/numbers.h"
#include "store/numbers_format.h"

enum { PAGE = NFL__NUMBERS_PAGE };

/* Bits of 64 numbers of the bitmap; those behind its end are 0 or do not matter. */
static uint64_t numbers_repeat_word(const nfl__numbers *n, uint32_t word)
{
    size_t left = ((size_t)n->count + 7) / 8 - (size_t)word * 8;
    uint64_t bits = 0;
    if (left >= 8)
        return nfl__load_le64(n->repeat + (size_t)word * 8);
    for (size_t b = 0; b < left; b++)
        bits |= (uint64_t)n->repeat[(size_t)word * 8 + b] << (8 * b);
    return bits;
}

static int numbers_open_repeat(nfl__numbers *n, nfl__rd *rd)
{
    n->stored = nfl__rd_u32_le(rd);
    n->repeat = nfl__rd_bytes(rd, ((size_t)n->count + 7) / 8);
    if (!n->repeat || n->stored == 0 || n->stored > n->count || !(n->repeat[0] & 1))
        return 0;
    uint32_t set = 0; /* what the bitmap asks for must be there */
    for (uint32_t word = 0; word * 64 < n->count; word++) {
        uint32_t left = n->count - word * 64;
        uint64_t bits = numbers_repeat_word(n, word);
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
        uint32_t outliers = n->patch_counts ? nfl__load_le16(n->patch_counts + (size_t)page * 2) : 0;
        if (outliers > PAGE || (outliers && n->widths[page] == 64))
            return 0;
        patches += outliers;
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

static uint64_t numbers_patch_upper(const nfl__numbers *n, const uint8_t *patch)
{
    uint64_t upper = 0;
    for (unsigned b = 0; b < n->patch_bytes; b++)
        upper |= (uint64_t)patch[2 + b] << (8 * b);
    return upper;
}

static int numbers_patch(nfl__numbers *n, uint32_t rows, unsigned width, uint64_t *values)
{
    uint32_t count = nfl__load_le16(n->patch_counts + (size_t)n->page * 2);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = nfl__load_le16(n->patches);
        if (at >= rows)
            return 0;
        values[at] += numbers_patch_upper(n, n->patches) << width;
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
    const uint64_t *buffer = n->buffer;
    uint32_t at = 0, i = 0;
    for (; i + 8 <= rows; i += 8) {
        unsigned eight = bits[i / 8];
        for (unsigned b = 0; b < 8; b++) {
            at += eight >> b & 1;
            page[i + b] = buffer[at];
        }
    }
    for (; i < rows; i++) {
        at += bits[i / 8] >> (i % 8) & 1;
        page[i] = buffer[at];
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

/* --- small numbers --- */

/* Bits above the lowest 32 and those of numbers that are not below `limit` leave the top bit set: vector code has no unsigned
 * comparison. */
static int numbers_narrow(const uint64_t *values, uint32_t rows, uint64_t limit, uint16_t *codes)
{
    uint64_t signs = 0;
    for (uint32_t i = 0; i < rows; i++) {
        signs |= values[i] | (limit - 1 - values[i]);
        codes[i] = (uint16_t)values[i];
    }
    return signs >> 63 == 0;
}

/* The bits above the width of numbers of at most 16. */
static int numbers_patch_codes(nfl__numbers *n, uint32_t rows, unsigned width, uint32_t *values)
{
    uint32_t count = n->patch_counts ? nfl__load_le16(n->patch_counts + (size_t)n->page * 2) : 0;
    for (uint32_t i = 0; i < count; i++, n->patches += 2 + n->patch_bytes) {
        uint32_t at = nfl__load_le16(n->patches);
        uint64_t upper = numbers_patch_upper(n, n->patches);
        if (at >= rows || upper >> (16 - width))
            return 0;
        values[at] += (uint32_t)upper << width;
    }
    return 1;
}

/* The next page of the body, which is packed so narrowly that 32 bits suffice; positions stay positions. */
static int numbers_packed_codes(nfl__numbers *n, uint32_t rows, uint32_t limit, uint16_t *codes)
{
    uint32_t values[PAGE], base = nfl__load_le32(n->bases + (size_t)n->page * 8), signs = 0;
    unsigned width = n->widths[n->page];
    nfl__bitunpack(n->packed, rows, width, values);
    n->packed += numbers_packed_size(rows, width);
    if (!numbers_patch_codes(n, rows, width, values))
        return 0;
    for (uint32_t i = 0; i < rows; i++) {
        signs |= limit - 1 - base - values[i];
        codes[i] = (uint16_t)(base + values[i]);
    }
    n->taken += rows;
    n->page++;
    return signs >> 31 == 0;
}

static int numbers_is_narrow(const nfl__numbers *n, uint32_t limit)
{
    return (n->form & (NUMBERS_BODY | NUMBERS_SUMMED)) == NUMBERS_PACKED && n->widths[n->page] <= 16 &&
           nfl__load_le64(n->bases + (size_t)n->page * 8) < limit;
}

/* All of the body, positions as positions. */
static int numbers_body_codes(nfl__numbers *n, uint32_t limit, uint16_t *codes)
{
    while (n->taken < n->stored) {
        uint32_t rows = numbers_page_rows(n->stored, n->page);
        uint64_t values[PAGE];
        uint16_t *out = codes + n->taken;
        if (numbers_is_narrow(n, limit)) {
            if (!numbers_packed_codes(n, rows, limit, out))
                return 0;
        } else if (numbers_body_page(n, values) == 0 || !numbers_narrow(values, rows, limit, out)) {
            return 0;
        }
    }
    return 1;
}

static int numbers_map_codes(const nfl__numbers *n, uint32_t limit, uint16_t *codes)
{
    for (uint32_t i = 0; i < n->distinct; i++)
        if (n->dict[i] >= limit)
            return 0;
    for (uint32_t i = 0; i < n->stored; i++)
        codes[i] = (uint16_t)n->dict[codes[i]];
    return 1;
}

/* Spread a body over the numbers that repeat it. It stands behind `codes`, where it ends with them: never are there more
 * numbers left in it than places. */
static void numbers_repeat_codes(const nfl__numbers *n, const uint16_t *body, uint16_t *codes)
{
    uint32_t at = UINT32_MAX, i = 0;
    for (; i + 8 <= n->count; i += 8) {
        unsigned eight = n->repeat[i / 8];
        for (unsigned b = 0; b < 8; b++) {
            at += eight >> b & 1;
            codes[i + b] = body[at];
        }
    }
    for (; i < n->count; i++) {
        at += n->repeat[i / 8] >> (i % 8) & 1;
        codes[i] = body[at];
    }
}

int nfl__numbers_codes(nfl__numbers *n, uint32_t limit, uint16_t *codes)
{
    uint16_t *body = codes + (n->count - n->stored);
    uint8_t mapped = n->mapped;
    n->mapped = 0;
    int good = numbers_body_codes(n, n->distinct ? n->distinct : limit, body);
    n->mapped = mapped;
    if (!good || (mapped && n->distinct && !numbers_map_codes(n, limit, body)))
        return 0;
    if (n->repeat)
        numbers_repeat_codes(n, body, codes);
    n->given = n->count;
    return 1;
}

/* --- single numbers --- */

/* Go to the page with number `at` of the body. */
static void numbers_seek(nfl__numbers *n, uint32_t at)
{
    for (; n->page < at / PAGE; n->page++) {
        n->packed += numbers_packed_size(numbers_page_rows(n->stored, n->page), n->widths[n->page]);
        if (n->patch_counts)
            n->patches += (size_t)nfl__load_le16(n->patch_counts + (size_t)n->page * 2) * (2 + (size_t)n->patch_bytes);
    }
}

static uint64_t numbers_pick_patch(const nfl__numbers *n, uint32_t row, unsigned width)
{
    uint32_t count = nfl__load_le16(n->patch_counts + (size_t)n->page * 2);
    const uint8_t *patch = n->patches;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++, patch += 2 + n->patch_bytes)
        if (nfl__load_le16(patch) == row)
            sum += numbers_patch_upper(n, patch) << width;
    return sum;
}

static uint64_t numbers_pick_packed(nfl__numbers *n, uint32_t at)
{
    numbers_seek(n, at);
    unsigned width = n->widths[n->page];
    uint32_t row = at % PAGE;
    uint64_t value = nfl__load_le64(n->bases + (size_t)n->page * 8);
    if (width > 0)
        value += nfl__bitunpack_one(n->packed, width < 32 ? width : 32, row);
    if (width > 32)
        value += (uint64_t)nfl__bitunpack_one(n->packed + nfl__bitpack_size(numbers_page_rows(n->stored, n->page), 32), width - 32, row)
                 << 32;
    return n->patch_counts ? value + numbers_pick_patch(n, row, width) : value;
}

static uint64_t numbers_pick_planes(const nfl__numbers *n, uint32_t at)
{
    uint64_t value = n->base;
    for (unsigned b = 0; b < n->plane_bytes; b++)
        value += (uint64_t)n->planes[(size_t)b * n->stored + at] << (8 * b);
    return value;
}

/* Number `at` of the body. */
static uint64_t numbers_pick_one(nfl__numbers *n, uint32_t at)
{
    switch (n->form & NUMBERS_BODY) {
    case NUMBERS_CONST:
        return n->base;
    case NUMBERS_PACKED:
        return numbers_pick_packed(n, at);
    default:
        return numbers_pick_planes(n, at);
    }
}

/* Where in the body each number stands: before it are as many as there are bits up to it. */
static void numbers_body_places(const nfl__numbers *n, const uint32_t *at, uint32_t count, uint64_t *places)
{
    uint32_t word = 0, before = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (; word < at[i] / 64; word++)
            before += numbers_popcount(numbers_repeat_word(n, word));
        places[i] = before + numbers_popcount(numbers_repeat_word(n, word) << (63 - at[i] % 64)) - 1;
    }
}

int nfl__numbers_can_pick(const nfl__numbers *n)
{
    return !(n->form & NUMBERS_SUMMED);
}

int nfl__numbers_pick(nfl__numbers *n, const uint32_t *at, uint32_t count, uint64_t *out)
{
    if (n->repeat)
        numbers_body_places(n, at, count, out);
    for (uint32_t i = 0; i < count; i++)
        out[i] = numbers_pick_one(n, n->repeat ? (uint32_t)out[i] : at[i]);
    return n->distinct == 0 || numbers_map(n, count, out);
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

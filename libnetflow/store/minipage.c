#include "store/minipage.h"

#include "store/bitpack.h"

enum { PAGE = NFL__BITPACK_COUNT, PAGE_HEAD = 9 /* base and width */ };

static uint32_t minipage_pages(uint32_t count)
{
    return (count + PAGE - 1) / PAGE;
}

static uint32_t minipage_rows(uint32_t count, uint32_t page)
{
    uint32_t left = count - page * PAGE;
    return left < PAGE ? left : PAGE;
}

/* Bits that hold every number up to max. */
static unsigned minipage_width(uint64_t max)
{
    return max ? 64u - (unsigned)__builtin_clzll(max) : 0;
}

static size_t minipage_packed_size(uint32_t rows, unsigned width)
{
    return width <= 32 ? nfl__bitpack_size(rows, width)
                       : nfl__bitpack_size(rows, 32) + nfl__bitpack_size(rows, width - 32);
}

static uint64_t minipage_base(const uint64_t *values, uint32_t rows, uint64_t flip, unsigned *width)
{
    uint64_t min = values[0] ^ flip, max = min;
    for (uint32_t i = 1; i < rows; i++) {
        uint64_t value = values[i] ^ flip;
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    *width = minipage_width(max - min);
    return min ^ flip;
}

size_t nfl__minipages_size(const uint64_t *values, uint32_t count, uint64_t flip)
{
    size_t size = 0;
    for (uint32_t page = 0; page < minipage_pages(count); page++) {
        uint32_t rows = minipage_rows(count, page);
        unsigned width;
        (void)minipage_base(values + (size_t)page * PAGE, rows, flip, &width);
        size += PAGE_HEAD + minipage_packed_size(rows, width);
    }
    return size;
}

/* One plane of up to 32 bits: bits `shift` and up of value - base. */
static void minipage_pack(const uint64_t *values, uint32_t rows, uint64_t base, unsigned shift, unsigned width,
                          uint8_t *dst)
{
    uint32_t plane[PAGE] = {0};
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    for (uint32_t i = 0; i < rows; i++)
        plane[i] = (uint32_t)((values[i] - base) >> shift) & mask;
    nfl__bitpack(plane, rows, width, dst);
}

void nfl__minipages_write(const uint64_t *values, uint32_t count, uint64_t flip, uint8_t *dst)
{
    uint32_t pages = minipage_pages(count);
    uint8_t *bases = dst, *widths = dst + (size_t)pages * 8, *packed = widths + pages;
    for (uint32_t page = 0; page < pages; page++) {
        const uint64_t *at = values + (size_t)page * PAGE;
        uint32_t rows = minipage_rows(count, page);
        unsigned width;
        uint64_t base = minipage_base(at, rows, flip, &width);
        nfl__store_le(bases + (size_t)page * 8, base, 8);
        widths[page] = (uint8_t)width;
        unsigned low = width < 32 ? width : 32;
        minipage_pack(at, rows, base, 0, low, packed);
        if (width > 32)
            minipage_pack(at, rows, base, 32, width - 32, packed + nfl__bitpack_size(rows, 32));
        packed += minipage_packed_size(rows, width);
    }
}

static void minipage_unpack(const uint8_t *src, uint32_t rows, uint64_t base, unsigned width, uint64_t *values)
{
    uint32_t plane[PAGE];
    unsigned low = width < 32 ? width : 32;
    uint32_t filled = (rows + NFL__BITPACK_LANES - 1) / NFL__BITPACK_LANES * NFL__BITPACK_LANES;
    nfl__bitunpack(src, rows, low, plane);
    for (uint32_t i = 0; i < filled; i++)
        values[i] = base + plane[i];
    if (width <= 32)
        return;
    nfl__bitunpack(src + nfl__bitpack_size(rows, 32), rows, width - 32, plane);
    for (uint32_t i = 0; i < filled; i++)
        values[i] += (uint64_t)plane[i] << 32;
}

int nfl__minipages_read(nfl__rd *rd, uint32_t count, uint64_t *values)
{
    uint32_t pages = minipage_pages(count);
    const uint8_t *bases = nfl__rd_bytes(rd, (size_t)pages * 8), *widths = nfl__rd_bytes(rd, pages);
    for (uint32_t page = 0; page < pages && !rd->failed; page++) {
        uint32_t rows = minipage_rows(count, page);
        const uint8_t *packed = widths[page] <= 64 ? nfl__rd_bytes(rd, minipage_packed_size(rows, widths[page])) : NULL;
        if (!packed)
            return 0;
        minipage_unpack(packed, rows, nfl__load_le64(bases + (size_t)page * 8), widths[page], values + (size_t)page * PAGE);
    }
    return !rd->failed;
}

size_t nfl__codes_size(uint32_t count, uint32_t distinct)
{
    unsigned width = minipage_width(distinct - 1);
    uint32_t whole = count / PAGE, rest = count % PAGE;
    return (size_t)whole * nfl__bitpack_size(PAGE, width) + (rest ? nfl__bitpack_size(rest, width) : 0);
}

void nfl__codes_write(const uint32_t *codes, uint32_t count, uint32_t distinct, uint8_t *dst)
{
    unsigned width = minipage_width(distinct - 1);
    for (uint32_t page = 0; page < minipage_pages(count); page++) {
        uint32_t plane[PAGE] = {0}, rows = minipage_rows(count, page);
        memcpy(plane, codes + (size_t)page * PAGE, rows * sizeof *plane);
        nfl__bitpack(plane, rows, width, dst);
        dst += nfl__bitpack_size(rows, width);
    }
}

int nfl__codes_read(nfl__rd *rd, uint32_t count, uint32_t distinct, uint16_t *codes)
{
    unsigned width = minipage_width(distinct - 1);
    uint32_t highest = 0;
    for (uint32_t page = 0; page < minipage_pages(count); page++) {
        uint32_t plane[PAGE], rows = minipage_rows(count, page);
        const uint8_t *packed = nfl__rd_bytes(rd, nfl__bitpack_size(rows, width));
        if (!packed)
            return 0;
        nfl__bitunpack(packed, rows, width, plane);
        for (uint32_t i = 0; i < rows; i++) {
            highest = plane[i] > highest ? plane[i] : highest;
            codes[(size_t)page * PAGE + i] = (uint16_t)plane[i];
        }
    }
    return highest < distinct;
}

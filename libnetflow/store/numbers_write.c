/* Sequences of numbers to bytes: the writing half of numbers.h. */
#include "store/numbers.h"
#include "store/numbers_format.h"

#include "query/sort.h"

enum {
    PAGE = NFL__NUMBERS_PAGE,
    PAGES_MAX = NFL__NUMBERS_MAX / NFL__NUMBERS_PAGE,
    DENSE = 131072,      /* numbers less than this apart are counted in a bitmap */
    SAMPLE = 512,        /* others: is a dictionary worth looking for? */
    SAMPLE_DISTINCT_MAX = 256,
    HASHED_MAX = 8192,   /* larger dictionaries of numbers far apart gain nothing */
    SLOTS = 4 * HASHED_MAX,
    PATCH_HEAD = 2       /* position of an outlier */
};

#define SIGN_BIT (UINT64_C(1) << 63)

typedef struct numbers_page {
    uint64_t base;
    uint16_t patches;
    uint8_t width;
} numbers_page;

/* Smallest and largest of a sequence. */
typedef struct numbers_span {
    uint64_t min, max;
} numbers_span;

struct nfl__numbers_work {
    uint32_t capacity;
    uint64_t *stored;   /* without repetitions, or differences */
    uint64_t *codes;
    uint64_t *dict;     /* sorted */
    uint64_t *sums;     /* differences of the dictionary */
    uint64_t *hashed;   /* distinct numbers in order of appearance */
    uint32_t *slots;    /* 1 + position in `hashed`; 0 = free. Later the ranks */
    uint64_t *dense;    /* bitmap of DENSE bits */
    uint32_t *ranks;    /* position in the dictionary of number - min; set for those in `dense` */
    uint32_t dense_count; /* distinct numbers in `dense`, if it is that of the sequence being written; 0 = it is not */
    int planned;        /* `pages` and `plan_size` are for the body that comes next */
    unsigned patch_bytes; /* of an outlier's upper part; 0 = no outliers */
    size_t plan_size;
    numbers_page pages[PAGES_MAX];
};

void nfl__numbers_work_free(nfl__numbers_work *work, nfl__memory *memory)
{
    if (!work)
        return;
    nfl__delete(memory, work->stored, work->capacity, sizeof *work->stored);
    nfl__delete(memory, work->codes, work->capacity, sizeof *work->codes);
    nfl__delete(memory, work->dict, work->capacity, sizeof *work->dict);
    nfl__delete(memory, work->sums, work->capacity, sizeof *work->sums);
    nfl__delete(memory, work->hashed, HASHED_MAX, sizeof *work->hashed);
    nfl__delete(memory, work->slots, SLOTS, sizeof *work->slots);
    nfl__delete(memory, work->dense, DENSE / 64, sizeof *work->dense);
    nfl__delete(memory, work->ranks, DENSE, sizeof *work->ranks);
    nfl__delete(memory, work, 1, sizeof *work);
}

nfl__numbers_work *nfl__numbers_work_new(nfl__memory *memory, uint32_t count)
{
    nfl__numbers_work *work = nfl__new(memory, 1, sizeof *work);
    if (!work)
        return NULL;
    if (count < PAGE) /* a page always fits */
        count = PAGE;
    work->capacity = count;
    int good = (work->stored = nfl__new(memory, count, sizeof *work->stored)) != NULL;
    good &= (work->codes = nfl__new(memory, count, sizeof *work->codes)) != NULL;
    good &= (work->dict = nfl__new(memory, count, sizeof *work->dict)) != NULL;
    good &= (work->sums = nfl__new(memory, count, sizeof *work->sums)) != NULL;
    good &= (work->hashed = nfl__new(memory, HASHED_MAX, sizeof *work->hashed)) != NULL;
    good &= (work->slots = nfl__new(memory, SLOTS, sizeof *work->slots)) != NULL;
    good &= (work->dense = nfl__new(memory, DENSE / 64, sizeof *work->dense)) != NULL;
    good &= (work->ranks = nfl__new(memory, DENSE, sizeof *work->ranks)) != NULL;
    if (good)
        return work;
    nfl__numbers_work_free(work, memory);
    return NULL;
}

static uint64_t numbers_flip(unsigned how)
{
    return how & NFL__NUMBERS_SIGNED ? SIGN_BIT : 0;
}

/* Bits that hold every number up to max. */
static unsigned numbers_width(uint64_t max)
{
    return max ? 64u - (unsigned)__builtin_clzll(max) : 0;
}

/* `flip` is xored to numbers for comparing: the sign bit for signed ones. */
static numbers_span numbers_range(const uint64_t *numbers, uint32_t count, uint64_t flip)
{
    uint64_t low = numbers[0] ^ flip, high = low;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t number = numbers[i] ^ flip;
        low = number < low ? number : low;
        high = number > high ? number : high;
    }
    return (numbers_span){low ^ flip, high ^ flip};
}

/* --- pages --- */

/* The width at which a page is smallest when what exceeds it stands apart. */
static unsigned numbers_best_width(const uint64_t *numbers, uint32_t rows, uint64_t base, unsigned most, unsigned *patches)
{
    uint32_t counts[65] = {0};
    for (uint32_t i = 0; i < rows; i++)
        counts[numbers_width(numbers[i] - base)]++;
    size_t best_size = SIZE_MAX;
    unsigned best = most;
    uint32_t above = 0;
    *patches = 0;
    for (unsigned width = most;; width--) {
        size_t size = numbers_packed_size(rows, width) + above * (PATCH_HEAD + ((size_t)most - width + 7) / 8);
        if (size < best_size) {
            best_size = size;
            best = width;
            *patches = above;
        }
        above += counts[width];
        if (width == 0 || above > rows / 4)
            return best;
    }
}

/* Choose base and width of each page; returns what the body takes as PACKED. */
static size_t numbers_plan(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint64_t flip)
{
    uint32_t pages = numbers_pages(count), patches = 0;
    unsigned bits = 0; /* of the largest outlier's upper part */
    size_t size = (size_t)pages * NUMBERS_PAGE_HEAD;
    for (uint32_t p = 0; p < pages; p++) {
        const uint64_t *at = numbers + (size_t)p * PAGE;
        uint32_t rows = numbers_page_rows(count, p);
        unsigned apart = 0;
        numbers_span span = numbers_range(at, rows, flip);
        work->pages[p].base = span.min;
        unsigned most = numbers_width(span.max - span.min);
        unsigned width = most > 1 ? numbers_best_width(at, rows, work->pages[p].base, most, &apart) : most;
        work->pages[p].width = (uint8_t)width;
        work->pages[p].patches = (uint16_t)apart;
        patches += apart;
        if (apart && most - width > bits)
            bits = most - width;
        size += numbers_packed_size(rows, width);
    }
    work->patch_bytes = (bits + 7) / 8;
    if (patches)
        size += (size_t)pages * 2 + 1 + patches * (PATCH_HEAD + (size_t)work->patch_bytes);
    work->plan_size = size;
    work->planned = 1;
    return size;
}

static uint8_t *numbers_put_patches(const uint64_t *at, uint32_t rows, const numbers_page *page, unsigned bytes, uint8_t *dst)
{
    for (uint32_t i = 0; i < rows && page->patches; i++) {
        uint64_t upper = (at[i] - page->base) >> page->width;
        if (upper == 0)
            continue;
        nfl__store_le(dst, i, 2);
        nfl__store_le(dst + 2, upper, bytes);
        dst += PATCH_HEAD + bytes;
    }
    return dst;
}

/* One plane of up to 32 bits: bits `shift` and up of number - base. */
static void numbers_pack(const uint64_t *at, uint32_t rows, uint64_t base, unsigned shift, unsigned width, uint8_t *dst)
{
    uint32_t plane[PAGE];
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    for (uint32_t i = 0; i < rows; i++)
        plane[i] = (uint32_t)((at[i] - base) >> shift) & mask;
    for (uint32_t i = rows; i < PAGE && i % NFL__BITPACK_LANES; i++)
        plane[i] = 0;
    nfl__bitpack(plane, rows, width, dst);
}

static void numbers_write_packed(const nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, unsigned patch_bytes,
                                 uint8_t *dst)
{
    uint32_t pages = numbers_pages(count);
    uint8_t *bases = dst, *widths = bases + (size_t)pages * 8, *patch_counts = widths + pages;
    uint8_t *packed = patch_counts + (patch_bytes ? (size_t)pages * 2 : 0);
    for (uint32_t p = 0; p < pages; p++) {
        const numbers_page *page = &work->pages[p];
        uint32_t rows = numbers_page_rows(count, p);
        const uint64_t *at = numbers + (size_t)p * PAGE;
        nfl__store_le(bases + (size_t)p * 8, page->base, 8);
        widths[p] = page->width;
        if (patch_bytes)
            nfl__store_le(patch_counts + (size_t)p * 2, page->patches, 2);
        numbers_pack(at, rows, page->base, 0, page->width < 32 ? page->width : 32, packed);
        if (page->width > 32)
            numbers_pack(at, rows, page->base, 32, page->width - 32u, packed + nfl__bitpack_size(rows, 32));
        packed += numbers_packed_size(rows, page->width);
    }
    if (!patch_bytes)
        return;
    *packed++ = (uint8_t)patch_bytes;
    for (uint32_t p = 0; p < pages; p++)
        packed = numbers_put_patches(numbers + (size_t)p * PAGE, numbers_page_rows(count, p), &work->pages[p], patch_bytes, packed);
}

/* --- bodies --- */

static int numbers_body_packed(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint64_t flip, size_t form_at,
                               nfl__buffer *out)
{
    if (!work->planned)
        (void)numbers_plan(work, numbers, count, flip);
    work->planned = 0;
    uint8_t *dst = nfl__buffer_room(out, work->plan_size);
    if (!dst)
        return 0;
    out->data[form_at] |= (uint8_t)(NUMBERS_PACKED | (work->patch_bytes ? NUMBERS_PATCHED : 0));
    numbers_write_packed(work, numbers, count, work->patch_bytes, dst);
    return 1;
}

static int numbers_body_planes(const uint64_t *numbers, uint32_t count, numbers_span span, size_t form_at, nfl__buffer *out)
{
    uint64_t min = span.min;
    unsigned bytes = (numbers_width(span.max - min) + 7) / 8;
    uint8_t *dst = nfl__buffer_room(out, 9 + (size_t)count * bytes);
    if (!dst)
        return 0;
    out->data[form_at] |= NUMBERS_PLANES;
    nfl__store_le(dst, min, 8);
    dst[8] = (uint8_t)bytes;
    dst += 9;
    for (unsigned b = 0; b < bytes; b++)
        for (uint32_t i = 0; i < count; i++)
            *dst++ = (uint8_t)((numbers[i] - min) >> (8 * b));
    return 1;
}

/* The body of a sequence whose head, with the form at `form_at`, is written. */
static int numbers_write_body(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, numbers_span span, unsigned how,
                              size_t form_at, nfl__buffer *out)
{
    if (span.min == span.max) {
        uint8_t *dst = nfl__buffer_room(out, 8);
        if (dst)
            nfl__store_le(dst, span.min, 8);
        return dst != NULL;
    }
    if (how & NFL__NUMBERS_PLANES)
        return numbers_body_planes(numbers, count, span, form_at, out);
    return numbers_body_packed(work, numbers, count, numbers_flip(how), form_at, out);
}

/* --- repetitions --- */

static uint32_t numbers_count_repeats(const uint64_t *numbers, uint32_t count)
{
    uint32_t repeats = 0;
    for (uint32_t i = 1; i < count; i++)
        repeats += numbers[i] == numbers[i - 1];
    return repeats;
}

/* Bitmap of the numbers that differ from the one before; those to work->stored. */
static uint32_t numbers_leave_out(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint8_t *bits)
{
    uint32_t stored = 0;
    uint64_t last = ~numbers[0];
    memset(bits, 0, ((size_t)count + 7) / 8);
    for (uint32_t i = 0; i < count; i++) {
        unsigned other = numbers[i] != last;
        last = numbers[i];
        bits[i / 8] |= (uint8_t)(other << (i % 8));
        work->stored[stored] = last;
        stored += other;
    }
    return stored;
}

/* --- dictionaries --- */

/* Numbers that lie close together: their bitmap is a sorted dictionary. Returns how many there are. */
static uint32_t numbers_dense_dict(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint64_t min, uint32_t span)
{
    uint32_t words = span / 64 + 1, distinct = 0;
    memset(work->dense, 0, words * sizeof *work->dense);
    for (uint32_t i = 0; i < count; i++)
        work->dense[(numbers[i] - min) / 64] |= UINT64_C(1) << ((numbers[i] - min) % 64);
    for (uint32_t w = 0; w < words; w++)
        distinct += numbers_popcount(work->dense[w]);
    return distinct;
}

static void numbers_dense_codes(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint64_t min, uint32_t span)
{
    for (uint32_t w = 0, at = 0; w <= span / 64; w++) {
        for (uint64_t bits = work->dense[w]; bits; bits &= bits - 1, at++) {
            uint32_t offset = w * 64 + (uint32_t)__builtin_ctzll(bits);
            work->dict[at] = min + offset;
            work->ranks[offset] = at;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        work->codes[i] = work->ranks[numbers[i] - min];
}

/* Codes by appearance of every step-th number; returns how many distinct ones, 0 when more than `most`. */
static uint32_t numbers_collect(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, uint32_t step, uint32_t slots,
                                uint32_t most)
{
    uint32_t distinct = 0;
    memset(work->slots, 0, slots * sizeof *work->slots);
    for (uint32_t i = 0; i < count; i += step) {
        uint64_t folded = numbers[i] ^ numbers[i] >> 32; /* the upper bits of a product depend on the bits below them */
        uint32_t at = (uint32_t)(folded * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (slots - 1);
        while (work->slots[at] && work->hashed[work->slots[at] - 1] != numbers[i])
            at = (at + 1) & (slots - 1);
        if (!work->slots[at]) {
            if (distinct == most)
                return 0;
            work->hashed[distinct++] = numbers[i];
            work->slots[at] = distinct;
        }
        work->codes[i] = work->slots[at] - 1;
    }
    return distinct;
}

static int numbers_compare(const void *a, const void *b, void *ctx)
{
    const uint64_t *numbers = ctx;
    uint64_t x = numbers[*(const uint32_t *)a], y = numbers[*(const uint32_t *)b];
    return x < y ? -1 : x > y;
}

/* Numbers far apart, if a sample has few: dictionary and codes. Returns how many distinct ones, 0 = not worth it. */
static uint32_t numbers_hashed_dict(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count)
{
    uint32_t step = count > SAMPLE ? count / SAMPLE : 1;
    if (!numbers_collect(work, numbers, count, step, 4 * SAMPLE, SAMPLE_DISTINCT_MAX))
        return 0;
    uint32_t distinct = numbers_collect(work, numbers, count, 1, SLOTS, HASHED_MAX);
    uint32_t *order = work->slots, *ranks = work->slots + HASHED_MAX; /* slots are no longer needed */
    for (uint32_t i = 0; i < distinct; i++)
        order[i] = i;
    nfl__sort(order, distinct, sizeof *order, numbers_compare, work->hashed);
    for (uint32_t i = 0; i < distinct; i++) {
        work->dict[i] = work->hashed[order[i]];
        ranks[order[i]] = i;
    }
    for (uint32_t i = 0; i < count && distinct; i++)
        work->codes[i] = ranks[work->codes[i]];
    return distinct;
}

/* What a dictionary spread evenly over `length` takes with its codes, about. */
static size_t numbers_dict_size(uint32_t count, uint32_t distinct, uint64_t length)
{
    unsigned gap = numbers_width(length / distinct) + 2, width = numbers_width(distinct - 1);
    uint32_t rest = count % PAGE;
    size_t codes = (count / PAGE) * numbers_packed_size(PAGE, width) + (rest ? numbers_packed_size(rest, width) : 0);
    return codes + (size_t)numbers_pages(count) * NUMBERS_PAGE_HEAD + (size_t)distinct * gap / 8 + 32;
}

/* A dictionary in work->dict and work->codes if it makes `numbers` smaller; returns its size, 0 = none. */
static uint32_t numbers_find_dict(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, numbers_span span, unsigned how)
{
    uint64_t length = span.max - span.min;
    uint32_t distinct;
    if (length < 2)
        return 0;
    if (length >= DENSE)
        distinct = numbers_hashed_dict(work, numbers, count);
    else /* leaving out repetitions leaves the dictionary as it is */
        distinct = work->dense_count ? work->dense_count : numbers_dense_dict(work, numbers, count, span.min, (uint32_t)length);
    if (!distinct)
        return 0;
    size_t without = how & NFL__NUMBERS_PLANES ? (size_t)count * numbers_width(length) / 8
                                               : numbers_plan(work, numbers, count, numbers_flip(how));
    if (numbers_dict_size(count, distinct, length) >= without)
        return 0;
    if (length < DENSE)
        numbers_dense_codes(work, numbers, count, span.min, (uint32_t)length);
    work->planned = 0;
    return distinct;
}

static void numbers_difference(const uint64_t *numbers, uint32_t count, uint64_t *differences)
{
    differences[0] = numbers[0];
    for (uint32_t i = 1; i < count; i++)
        differences[i] = numbers[i] - numbers[i - 1];
}

/* A sequence of its own: form and body of differences, the first of which is a number by itself and stands out. */
static int numbers_write_sorted(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, unsigned how, nfl__buffer *out)
{
    size_t form_at = out->len;
    uint8_t *form = nfl__buffer_room(out, 1);
    if (!form)
        return 0;
    work->planned = 0;
    *form = NUMBERS_SUMMED;
    numbers_difference(numbers, count, work->sums);
    numbers_span span = numbers_range(work->sums, count, 0);
    return numbers_write_body(work, work->sums, count, span, how & NFL__NUMBERS_PLANES, form_at, out);
}

/* --- sequences --- */

/* Is a bitmap smaller than the numbers that it saves? */
static int numbers_repeats_pay(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, numbers_span span)
{
    uint32_t repeats = numbers_count_repeats(numbers, count);
    uint64_t length = span.max - span.min;
    if (repeats <= count / 8 || repeats == count - 1)
        return 0;
    unsigned bits = numbers_width(length); /* of a number, by range or in a dictionary */
    if (length < DENSE) {
        work->dense_count = numbers_dense_dict(work, numbers, count, span.min, (uint32_t)length);
        bits = numbers_width(work->dense_count - 1);
    }
    return (uint64_t)repeats * bits > count;
}

int nfl__numbers_write(nfl__numbers_work *work, const uint64_t *numbers, uint32_t count, unsigned how, nfl__buffer *out)
{
    if (how & NFL__NUMBERS_SORTED)
        return numbers_write_sorted(work, numbers, count, how, out);
    size_t form_at = out->len;
    uint8_t *dst = nfl__buffer_room(out, 1);
    if (!dst)
        return 0;
    *dst = 0;
    work->planned = 0;
    work->dense_count = 0;
    numbers_span span = numbers_range(numbers, count, numbers_flip(how));
    if (how & NFL__NUMBERS_SIMPLE)
        return numbers_write_body(work, numbers, count, span, how, form_at, out);
    if (numbers_repeats_pay(work, numbers, count, span)) {
        dst = nfl__buffer_room(out, 4 + ((size_t)count + 7) / 8);
        if (!dst)
            return 0;
        out->data[form_at] |= NUMBERS_REPEAT;
        uint32_t stored = numbers_leave_out(work, numbers, count, dst + 4);
        nfl__store_le(dst, stored, 4);
        numbers = work->stored;
        count = stored;
    }
    uint32_t distinct = numbers_find_dict(work, numbers, count, span, how);
    if (!distinct)
        return numbers_write_body(work, numbers, count, span, how, form_at, out);
    out->data[form_at] |= NUMBERS_DICT;
    dst = nfl__buffer_room(out, 4);
    if (!dst)
        return 0;
    nfl__store_le(dst, distinct, 4);
    return numbers_write_sorted(work, work->dict, distinct, how, out) &&
           numbers_write_body(work, work->codes, count, (numbers_span){0, distinct - 1}, how & ~NFL__NUMBERS_SIGNED, form_at, out);
}

#include <CUnit/Basic.h>

#include "record/fields.h"
#include "store/bitpack.h"
#include "store/columns.h"
#include "store/encoding.h"
#include "store/numbers.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void test_bit_packing_keeps_every_width(void)
{
    test_random random = {test_seed()};
    static const uint32_t counts[] = {1, 31, 32, 33, 1000, 1024};
    for (unsigned width = 0; width <= 32; width++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            uint32_t values[1024] = {0}, back[1024];
            for (uint32_t i = 0; i < counts[c]; i++)
                values[i] = width ? (uint32_t)(test_next(&random) >> 32) >> (32 - width) : 0;
            size_t size = nfl__bitpack_size(counts[c], width);
            uint8_t *packed = test_exact("", 0);
            packed = realloc(packed, size ? size : 1);
            nfl__bitpack(values, counts[c], width, packed);
            nfl__bitunpack(packed, counts[c], width, back);
            CU_ASSERT_EQUAL(memcmp(values, back, counts[c] * sizeof *values), 0);
            free(packed);
        }
    }
}

/* Shapes of columns: what value row i has. */
static uint64_t shape_value(test_random *random, unsigned shape, uint32_t i)
{
    switch (shape) {
    case 0:
        return 7; /* all alike */
    case 1:
        return test_below(random, 4); /* few values */
    case 2:
        return i; /* rising */
    case 3:
        return test_next(random); /* anything */
    case 4:
        return UINT64_MAX - test_below(random, 100);
    case 5:
        return test_below(random, 20) ? test_below(random, 1500) : test_next(random) >> 20; /* outliers */
    case 6:
        return test_below(random, 20) ? test_below(random, 30) : test_below(random, 50000); /* outliers that are codes */
    case 7:
        return 1000 * test_below(random, 60); /* few values far apart */
    default:
        return (uint64_t)-(int64_t)test_below(random, 1000000); /* below zero for times */
    }
}

enum { SHAPES = 9 };

static nfl_ip shape_ip(test_random *random, unsigned shape, uint32_t i)
{
    uint64_t value = shape_value(random, shape, i);
    nfl_ip ip = nfl_ip_from_v4((uint32_t)value);
    if (shape == 3 || (shape == 5 && value & 1))
        for (unsigned b = 0; b < 12; b++)
            ip.b[b] = (uint8_t)(value >> b);
    return ip;
}

/* --- sequences of numbers --- */

enum { COUNT_MAX = 5000 };

typedef struct sequence {
    nfl__memory memory;
    nfl__numbers_work *work;
    nfl__buffer out;
    uint64_t *dict;
    size_t dict_capacity;
} sequence;

static void sequence_start(sequence *s)
{
    memset(s, 0, sizeof *s);
    nfl__memory_init(&s->memory, NULL, 0);
    s->work = nfl__numbers_work_new(&s->memory, COUNT_MAX);
    s->out.memory = &s->memory;
}

static void sequence_finish(sequence *s)
{
    nfl__numbers_work_free(s->work, &s->memory);
    nfl__buffer_free(&s->out);
    nfl__delete(&s->memory, s->dict, s->dict_capacity, sizeof *s->dict);
    CU_ASSERT_EQUAL(s->memory.held, 0);
}

static nfl_status sequence_read(sequence *s, const uint8_t *data, size_t len, uint32_t count, uint64_t *out)
{
    nfl__numbers numbers;
    uint64_t page[NFL__NUMBERS_PAGE];
    nfl__rd rd = nfl__rd_make(data, len);
    nfl_status status = nfl__numbers_open(&numbers, &rd, count, &s->memory, &s->dict, &s->dict_capacity);
    while (status == NFL_OK && numbers.given < count) {
        uint32_t at = numbers.given, rows = nfl__numbers_next(&numbers, page);
        if (rows == 0)
            return NFL_E_CORRUPT;
        memcpy(out + at, page, rows * sizeof *out);
    }
    return status == NFL_OK && nfl__rd_left(&rd) ? NFL_E_CORRUPT : status;
}

/* Some of the numbers alone, in steps of up to `step`; 1 = they could be read and are those of `numbers`, which may be NULL. */
static int sequence_picks(sequence *s, test_random *random, const uint8_t *data, size_t len, uint32_t count, uint32_t step,
                          const uint64_t *numbers)
{
    nfl__numbers reader;
    uint32_t at[100];
    uint64_t picked[100];
    nfl__rd rd = nfl__rd_make(data, len);
    if (nfl__numbers_open(&reader, &rd, count, &s->memory, &s->dict, &s->dict_capacity) != NFL_OK)
        return 0;
    for (uint32_t next = 0, n; next < count && nfl__numbers_can_pick(&reader);) {
        for (n = 0; n < 100 && next < count; n++) {
            at[n] = next;
            next += 1 + (uint32_t)test_below(random, step);
        }
        if (!nfl__numbers_pick(&reader, at, n, picked))
            return 0;
        for (uint32_t i = 0; numbers && i < n; i++)
            if (picked[i] != numbers[at[i]])
                return 0;
    }
    return 1;
}

/* All of them as codes; 1 = they could be read and are those of `numbers`, which may be NULL. None is ever beyond the limit. */
static int sequence_codes(sequence *s, const uint8_t *data, size_t len, uint32_t count, uint32_t limit, const uint64_t *numbers)
{
    nfl__numbers reader;
    nfl__rd rd = nfl__rd_make(data, len);
    if (nfl__numbers_open(&reader, &rd, count, &s->memory, &s->dict, &s->dict_capacity) != NFL_OK)
        return 0;
    uint16_t *codes = malloc(count * sizeof *codes); /* a write behind its end is seen by the sanitizer */
    int taken = nfl__numbers_codes(&reader, limit, codes), same = taken;
    for (uint32_t i = 0; taken && i < count; i++) {
        CU_ASSERT(codes[i] < limit);
        same &= !numbers || codes[i] == numbers[i];
    }
    free(codes);
    return same;
}

static uint64_t sequence_highest(const uint64_t *numbers, uint32_t count)
{
    uint64_t highest = 0;
    for (uint32_t i = 0; i < count; i++)
        highest = numbers[i] > highest ? numbers[i] : highest;
    return highest;
}

/* Numbers of a shape, some of them repeated. */
static void sequence_fill(test_random *random, unsigned shape, unsigned repeated_percent, uint32_t count, uint64_t *numbers)
{
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = i && test_chance(random, repeated_percent) ? numbers[i - 1] : shape_value(random, shape, i);
}

static const uint32_t sequence_counts[] = {1, 2, 63, 64, 1024, 1025, COUNT_MAX};

static void test_sequences_come_back(void)
{
    static const unsigned hows[] = {0, NFL__NUMBERS_SIGNED, NFL__NUMBERS_PLANES, NFL__NUMBERS_SIMPLE, NFL__NUMBERS_SORTED,
                                    NFL__NUMBERS_SORTED | NFL__NUMBERS_PLANES};
    test_random random = {test_seed()};
    uint64_t numbers[COUNT_MAX], back[COUNT_MAX + NFL__NUMBERS_PAGE];
    sequence s;
    sequence_start(&s);
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        for (size_t c = 0; c < sizeof sequence_counts / sizeof *sequence_counts; c++) {
            for (size_t h = 0; h < sizeof hows / sizeof *hows; h++) {
                uint32_t count = sequence_counts[c];
                sequence_fill(&random, shape, shape % 2 ? 50 : 0, count, numbers);
                s.out.len = 0;
                CU_ASSERT_FATAL(nfl__numbers_write(s.work, numbers, count, hows[h], &s.out));
                uint8_t *data = test_exact(s.out.data, s.out.len);
                CU_ASSERT_EQUAL(sequence_read(&s, data, s.out.len, count, back), NFL_OK);
                CU_ASSERT_EQUAL(memcmp(numbers, back, count * sizeof *numbers), 0);
                CU_ASSERT(sequence_picks(&s, &random, data, s.out.len, count, 1 + count / 3, numbers));
                CU_ASSERT(sequence_picks(&s, &random, data, s.out.len, count, 2, numbers));
                uint64_t highest = sequence_highest(numbers, count);
                if (highest < 65536)
                    CU_ASSERT(sequence_codes(&s, data, s.out.len, count, (uint32_t)highest + 1, numbers));
                if (highest)
                    CU_ASSERT(!sequence_codes(&s, data, s.out.len, count, highest < 65536 ? (uint32_t)highest : 65536, NULL));
                nfl__rd rd = nfl__rd_make(data, s.out.len);
                if (hows[h] & (NFL__NUMBERS_SIMPLE | NFL__NUMBERS_SORTED)) {
                    CU_ASSERT(nfl__numbers_read(&rd, count, back));
                    CU_ASSERT_EQUAL(memcmp(numbers, back, count * sizeof *numbers), 0);
                }
                free(data);
            }
        }
    }
    sequence_finish(&s);
}

/* Every form is made, and each for what it is good for. */
static void test_each_shape_gets_its_form(void)
{
    static const struct {
        const char *name;
        unsigned shape, repeated, how;
        uint8_t form;
        uint32_t most_bytes;
    } cases[] = {{"all alike: one number", 0, 0, 0, 0x00, 16},
                 {"few values: a dictionary", 1, 0, 0, 0x01, 1400},
                 {"rising: their steps", 2, 0, NFL__NUMBERS_SORTED, 0x21, 200},
                 {"outliers stand apart", 5, 0, 0, 0x05, 10000},
                 {"repetitions are left out", 4, 80, 0, 0x11, 2200},
                 {"planes for a compressor", 4, 0, NFL__NUMBERS_PLANES, 0x02, 5100}};
    test_random random = {test_seed()};
    uint64_t numbers[COUNT_MAX];
    sequence s;
    sequence_start(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sequence_fill(&random, cases[i].shape, cases[i].repeated, COUNT_MAX, numbers);
        s.out.len = 0;
        CU_ASSERT_FATAL(nfl__numbers_write(s.work, numbers, COUNT_MAX, cases[i].how, &s.out));
        NFL_CHECK(cases[i].name, s.out.data[0] == cases[i].form && s.out.len <= cases[i].most_bytes);
    }
    for (uint32_t i = 0; i < COUNT_MAX; i++) /* a few numbers far apart */
        numbers[i] = test_below(&random, 100) * UINT64_C(1000003);
    s.out.len = 0;
    CU_ASSERT_FATAL(nfl__numbers_write(s.work, numbers, COUNT_MAX, 0, &s.out));
    CU_ASSERT_EQUAL(s.out.data[0], 0x09);
    sequence_finish(&s);
}

static void test_hostile_sequences_are_refused_or_read(void)
{
    test_random random = {test_seed()};
    uint64_t numbers[300], back[300 + NFL__NUMBERS_PAGE];
    sequence s;
    sequence_start(&s);
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        for (unsigned how = 0; how < 16; how++) {
            sequence_fill(&random, shape, shape % 2 ? 50 : 0, 300, numbers);
            s.out.len = 0;
            CU_ASSERT_FATAL(nfl__numbers_write(s.work, numbers, 300, how, &s.out));
            for (size_t cut = 0; cut < s.out.len; cut++) {
                uint8_t *data = test_exact(s.out.data, cut);
                CU_ASSERT_EQUAL(sequence_read(&s, data, cut, 300, back), NFL_E_CORRUPT);
                free(data);
            }
            for (int n = 0; n < 300; n++) {
                uint8_t *data = test_exact(s.out.data, s.out.len);
                data[test_below(&random, s.out.len)] = (uint8_t)test_next(&random);
                nfl_status status = sequence_read(&s, data, s.out.len, 300, back);
                CU_ASSERT(status == NFL_OK || status == NFL_E_CORRUPT);
                sequence_picks(&s, &random, data, s.out.len, 300, 20, NULL);
                sequence_codes(&s, data, s.out.len, 300, 1 + (uint32_t)test_below(&random, 65536), NULL);
                free(data);
            }
        }
    }
    sequence_finish(&s);
}

/* --- chunks --- */

static void chunk_fill(test_random *random, uint32_t field, unsigned shape, uint32_t rows, uint8_t *values)
{
    uint32_t width = nfl__field_slots[field].width;
    for (uint32_t i = 0; i < rows; i++) {
        if (width == sizeof(nfl_ip)) {
            nfl_ip ip = shape_ip(random, shape, i);
            memcpy(values + i * sizeof ip, &ip, sizeof ip);
        } else {
            nfl__store_le(values + (size_t)i * width, shape_value(random, shape, i), width);
        }
    }
}

/* Any bytes, and every chunk with bytes changed or cut, decode to something or to an error. */
static void test_hostile_chunks_are_refused_or_read(void)
{
    enum { ROWS = 300 };
    static const uint32_t fields[] = {NFL_FIELD_SRC, NFL_FIELD_SRC_PORT, NFL_FIELD_BYTES, NFL_FIELD_LAST, NFL_FIELD_NEXT_HOP};
    static const int64_t received[ROWS] = {0};
    static const uint32_t only[3] = {0, 77, ROWS - 1};
    test_random random = {test_seed()};
    nfl__memory memory;
    nfl__memory_init(&memory, NULL, 0);
    nfl__encoder *encoder = nfl__encoder_new(&memory, ROWS);
    nfl__decoded decoded = {0}, partner_decoded = {0};
    nfl__buffer out = {&memory, NULL, 0, 0};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (unsigned shape = 0; shape < SHAPES; shape++) {
            uint32_t field = fields[f], other = nfl__encoding_partner(field);
            uint64_t values[2][ROWS * 2];
            nfl__batch batch = {.rows = ROWS};
            nfl__column column, partner, reference = {.values = received, .form = NFL__COLUMN_PLAIN, .width = 8};
            nfl__chunk_context context = {.memory = &memory, .rows = ROWS, .reference = &reference, .decoded = &decoded, .column = &column,
                                          .partner_decoded = &partner_decoded, .partner = &partner, .only = only};
            nfl__chunk_form form;
            batch.columns[NFL_FIELD_RECEIVED] = reference;
            for (int side = 0; side < (other == NFL_FIELD_NONE ? 1 : 2); side++) {
                chunk_fill(&random, field, shape, ROWS, (uint8_t *)values[side]);
                batch.columns[side ? other : field] = (nfl__column){.values = values[side], .form = NFL__COLUMN_PLAIN,
                                                                    .width = nfl__field_slots[field].width};
            }
            nfl__encoder_start(encoder, &batch);
            out.len = 0;
            CU_ASSERT_FATAL(nfl__encode_column(encoder, field, 0, &out, &form));
            for (size_t cut = 0; cut < out.len; cut++) {
                uint8_t *data = test_exact(out.data, cut);
                CU_ASSERT_EQUAL(nfl__decode_column(field, form.encoding, data, cut, &context, NULL), NFL_E_CORRUPT);
                free(data);
            }
            for (int n = 0; n < 300; n++) {
                uint8_t *data = test_exact(out.data, out.len);
                data[test_below(&random, out.len)] = (uint8_t)test_next(&random);
                uint32_t encoding = test_chance(&random, 50) ? form.encoding : (uint32_t)test_below(&random, 9);
                nfl_status status = nfl__decode_column(field, encoding, data, out.len, &context, NULL);
                for (uint32_t i = 0; status == NFL_OK && i < ROWS; i++)
                    CU_ASSERT(!nfl__column_has(&column, i) || nfl__column_at(&column, i) != NULL);
                context.only_count = 3;
                status = nfl__decode_column(field, encoding, data, out.len, &context, NULL);
                for (uint32_t i = 0; status == NFL_OK && i < 3; i++)
                    CU_ASSERT(!nfl__column_has(&column, only[i]) || nfl__column_at(&column, only[i]) != NULL);
                context.only_count = 0;
                free(data);
            }
        }
    }
    nfl__decoded_free(&decoded, &memory);
    nfl__decoded_free(&partner_decoded, &memory);
    nfl__encoder_free(encoder, &memory);
    nfl__buffer_free(&out);
    CU_ASSERT_EQUAL(memory.held, 0);
}

NFL_SUITE("encoding", {"bit packing keeps every width", test_bit_packing_keeps_every_width},
          {"sequences come back", test_sequences_come_back}, {"each shape gets its form", test_each_shape_gets_its_form},
          {"hostile sequences are refused or read", test_hostile_sequences_are_refused_or_read},
          {"hostile chunks are refused or read", test_hostile_chunks_are_refused_or_read})

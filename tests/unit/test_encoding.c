#include <CUnit/Basic.h>

#include "record/fields.h"
#include "store/bitpack.h"
#include "store/columns.h"
#include "store/encoding.h"
#include "store/minipage.h"
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
    default:
        return (uint64_t)-(int64_t)test_below(random, 1000000); /* below zero for times */
    }
}

enum { SHAPES = 7 };

static nfl_ip shape_ip(test_random *random, unsigned shape, uint32_t i)
{
    uint64_t value = shape_value(random, shape, i);
    nfl_ip ip = nfl_ip_from_v4((uint32_t)value);
    if (shape == 3 || (shape == 5 && value & 1))
        for (unsigned b = 0; b < 12; b++)
            ip.b[b] = (uint8_t)(value >> b);
    return ip;
}

static void encoding_fill(test_random *random, uint32_t field, unsigned shape, uint32_t rows, uint8_t *values)
{
    uint32_t width = nfl__field_slots[field].width;
    for (uint32_t i = 0; i < rows; i++) {
        if (width == sizeof(nfl_ip)) {
            nfl_ip ip = shape_ip(random, shape, i);
            memcpy(values + i * sizeof ip, &ip, sizeof ip);
        } else {
            uint64_t value = shape_value(random, shape, i);
            uint8_t v8 = (uint8_t)value;
            uint16_t v16 = (uint16_t)value;
            uint32_t v32 = (uint32_t)value;
            const void *from = width == 1 ? (void *)&v8 : width == 2 ? (void *)&v16 : width == 4 ? (void *)&v32 : (void *)&value;
            memcpy(values + (size_t)i * width, from, width);
        }
    }
}

typedef struct encoding_case {
    nfl__memory memory;
    nfl__encoder_work *work;
    nfl__buffer out;
    nfl__decoded decoded, reference_decoded;
} encoding_case;

static void encoding_start(encoding_case *c)
{
    memset(c, 0, sizeof *c);
    nfl__memory_init(&c->memory, NULL, 0);
    c->work = nfl__encoder_work_new(&c->memory, NFL__BATCH_ROWS);
    c->out.memory = &c->memory;
}

static void encoding_finish(encoding_case *c)
{
    nfl__encoder_work_free(c->work, &c->memory);
    nfl__buffer_free(&c->out);
    nfl__decoded_free(&c->decoded, &c->memory);
    nfl__decoded_free(&c->reference_decoded, &c->memory);
    CU_ASSERT_EQUAL(c->memory.held, 0);
}

static void encoding_check(encoding_case *c, uint32_t field, const uint8_t *values, const uint64_t *valid, uint32_t rows,
                           const int64_t *reference, const char *name)
{
    static const uint8_t zeros[16];
    uint32_t width = nfl__field_slots[field].width;
    nfl__column column, reference_column = {.values = reference, .form = NFL__COLUMN_PLAIN, .width = 8};
    nfl_error err = {0};
    c->out.len = 0;
    uint32_t encoding = nfl__encode_column(c->work, field, values, valid, rows, reference, &c->out);
    CU_ASSERT_NOT_EQUAL_FATAL(encoding, 0);
    uint8_t *data = test_exact(c->out.data, c->out.len);
    nfl_status status = nfl__decode_column(field, encoding, data, c->out.len, rows, reference ? &reference_column : NULL,
                                           &c->decoded, &c->memory, &column, &err);
    free(data);
    NFL_CHECK(name, status == NFL_OK);
    int same = status == NFL_OK;
    for (uint32_t i = 0; same && i < rows; i++) {
        int has = !valid || nfl__bit_get(valid, i);
        same = nfl__column_has(&column, i) == has;
        if (column.form == NFL__COLUMN_PLAIN || has) /* without the field: 0, or any code */
            same &= memcmp(nfl__column_at(&column, i), has ? values + (size_t)i * width : zeros, width) == 0;
    }
    NFL_CHECK(name, same);
}

static void test_every_field_and_shape_comes_back(void)
{
    static const uint32_t row_counts[] = {1, 2, 63, 64, 1025, 5000};
    encoding_case c;
    encoding_start(&c);
    test_random random = {test_seed()};
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        for (unsigned shape = 0; shape < SHAPES; shape++) {
            for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++) {
                uint32_t rows = row_counts[r];
                size_t len = (size_t)rows * nfl__field_slots[field].width;
                uint8_t *values = malloc(len);
                uint64_t valid[(5000 + 63) / 64] = {0};
                int64_t reference[5000];
                encoding_fill(&random, field, shape, rows, values);
                for (uint32_t i = 0; i < rows; i++) {
                    reference[i] = (int64_t)test_next(&random);
                    if (i == rows / 2 || test_chance(&random, 70))
                        nfl__bit_set(valid, i);
                }
                int relative = nfl__encoding_reference(field) != NFL_FIELD_NONE;
                encoding_check(&c, field, values, NULL, rows, relative ? reference : NULL, nfl__field_row(field)->name);
                encoding_check(&c, field, values, valid, rows, relative ? reference : NULL, nfl__field_row(field)->name);
                free(values);
            }
        }
    }
    encoding_finish(&c);
}

static void test_a_full_block_comes_back(void)
{
    static const uint32_t fields[] = {NFL_FIELD_SRC, NFL_FIELD_BYTES, NFL_FIELD_SRC_PORT, NFL_FIELD_PROTO, NFL_FIELD_FIRST};
    encoding_case c;
    encoding_start(&c);
    test_random random = {test_seed()};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (unsigned shape = 0; shape < SHAPES; shape++) {
            uint8_t *values = malloc((size_t)NFL__BATCH_ROWS * 16);
            encoding_fill(&random, fields[f], shape, NFL__BATCH_ROWS, values);
            encoding_check(&c, fields[f], values, NULL, NFL__BATCH_ROWS, NULL, nfl__field_row(fields[f])->name);
            free(values);
        }
    }
    encoding_finish(&c);
}

static void test_times_near_each_other_are_small(void)
{
    encoding_case c;
    encoding_start(&c);
    test_random random = {test_seed()};
    int64_t first[5000], last[5000];
    for (uint32_t i = 0; i < 5000; i++) {
        first[i] = INT64_C(1795440000000000) + (int64_t)test_below(&random, INT64_C(300000000));
        last[i] = first[i] + (int64_t)test_below(&random, 1000);
    }
    CU_ASSERT_EQUAL(nfl__encode_column(c.work, NFL_FIELD_LAST, last, NULL, 5000, first, &c.out), NFL__ENCODING_RELATIVE);
    CU_ASSERT(c.out.len < 5000 * 2);
    encoding_finish(&c);
}

/* Any bytes, and every chunk with bytes changed or cut, decode to something or to an error. */
static void test_hostile_chunks_are_refused_or_read(void)
{
    encoding_case c;
    encoding_start(&c);
    test_random random = {test_seed()};
    static const uint32_t fields[] = {NFL_FIELD_SRC, NFL_FIELD_BYTES, NFL_FIELD_SRC_PORT, NFL_FIELD_LAST};
    int64_t reference[300] = {0};
    nfl__column column, reference_column = {.values = reference, .form = NFL__COLUMN_PLAIN, .width = 8};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (unsigned shape = 0; shape < SHAPES; shape++) {
            uint8_t values[300 * 16];
            encoding_fill(&random, fields[f], shape, 300, values);
            c.out.len = 0;
            uint32_t encoding = nfl__encode_column(c.work, fields[f], values, NULL, 300, reference, &c.out);
            for (size_t cut = 0; cut < c.out.len; cut++) {
                uint8_t *data = test_exact(c.out.data, cut);
                CU_ASSERT_EQUAL(nfl__decode_column(fields[f], encoding, data, cut, 300, &reference_column, &c.decoded, &c.memory,
                                                   &column, NULL),
                                NFL_E_CORRUPT);
                free(data);
            }
            for (int n = 0; n < 300; n++) {
                uint8_t *data = test_exact(c.out.data, c.out.len);
                data[test_below(&random, c.out.len)] = (uint8_t)test_next(&random);
                uint32_t other = test_chance(&random, 50) ? encoding : (uint32_t)test_below(&random, 8);
                nfl_status status = nfl__decode_column(fields[f], other, data, c.out.len, 300, &reference_column, &c.decoded,
                                                       &c.memory, &column, NULL);
                for (uint32_t i = 0; status == NFL_OK && i < 300; i++)
                    CU_ASSERT(!nfl__column_has(&column, i) || nfl__column_at(&column, i) != NULL);
                free(data);
            }
        }
    }
    encoding_finish(&c);
}

NFL_SUITE("encoding", {"bit packing keeps every width", test_bit_packing_keeps_every_width},
          {"every field and shape comes back", test_every_field_and_shape_comes_back},
          {"a full block comes back", test_a_full_block_comes_back},
          {"times near each other are small", test_times_near_each_other_are_small},
          {"hostile chunks are refused or read", test_hostile_chunks_are_refused_or_read})

#include <CUnit/Basic.h>

#include "support.h"

#include "wire/template.h"

#include <string.h>

enum { SEED = 7 };

static const nfl__template_limits generous = {65536, SIZE_MAX, INT64_MAX};

typedef struct fixture {
    nfl__memory memory;
    nfl__plan_map map;
    nfl__templates templates;
} fixture;

static void set_up(fixture *f, const nfl_alloc *alloc)
{
    memset(f, 0, sizeof *f);
    nfl__memory_init(&f->memory, alloc, 0);
    nfl__plan_map_init(&f->map);
}

static void tear_down(fixture *f)
{
    nfl__templates_done(&f->templates, &f->memory);
    CU_ASSERT_EQUAL(f->memory.held, 0);
}

static nfl_status define(fixture *f, const nfl__template_limits *limits, uint16_t id, uint8_t options,
                         uint16_t len, nfl_usec now_us)
{
    const nfl_template_field fields[] = {{0, 8, 4}, {0, 1, len}};
    nfl__template_def def = {id, options, options, 2, fields};
    nfl__template *template = NULL;
    nfl_status status = nfl__templates_define(&f->templates, &f->memory, SEED, &f->map, limits, &def, now_us,
                                              &template, NULL);
    if (status == NFL_OK)
        CU_ASSERT(template == nfl__templates_find(&f->templates, SEED, id));
    return status;
}

static void thousands_are_found_and_forgotten(void)
{
    fixture f;
    set_up(&f, NULL);
    for (unsigned id = 256; id < 65536; id += 7)
        CU_ASSERT_EQUAL(define(&f, &generous, (uint16_t)id, id % 2, 4, 1), NFL_OK);
    for (unsigned id = 256; id < 65536; id += 14)
        CU_ASSERT(nfl__templates_remove(&f.templates, &f.memory, SEED, (uint16_t)id));
    int wrong = 0;
    for (unsigned id = 256; id < 65536; id++) {
        const nfl__template *template = nfl__templates_find(&f.templates, SEED, (uint16_t)id);
        int want = (id - 256) % 7 == 0 && (id - 256) % 14 != 0;
        wrong += (template != NULL) != want || (template && template->id != id);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(!nfl__templates_remove(&f.templates, &f.memory, SEED, 256));
    tear_down(&f);
}

static void all_of_a_kind_are_forgotten(void)
{
    fixture f;
    set_up(&f, NULL);
    for (unsigned id = 256; id < 300; id++)
        CU_ASSERT_EQUAL(define(&f, &generous, (uint16_t)id, id % 2, 4, 1), NFL_OK);
    nfl__templates_remove_kind(&f.templates, &f.memory, SEED, 1);
    CU_ASSERT_EQUAL(f.templates.count, 22);
    for (unsigned id = 256; id < 300; id++)
        CU_ASSERT_EQUAL(nfl__templates_find(&f.templates, SEED, (uint16_t)id) != NULL, id % 2 == 0);
    tear_down(&f);
}

static void old_ones_expire(void)
{
    fixture f;
    set_up(&f, NULL);
    for (unsigned id = 256; id < 300; id++)
        CU_ASSERT_EQUAL(define(&f, &generous, (uint16_t)id, 0, 4, id), NFL_OK);
    CU_ASSERT_EQUAL(define(&f, &generous, 256, 0, 4, 400), NFL_OK); /* refreshed */
    CU_ASSERT_EQUAL(nfl__templates_expire(&f.templates, &f.memory, SEED, 280), 23);
    CU_ASSERT_EQUAL(f.templates.count, 21);
    CU_ASSERT_PTR_NOT_NULL(nfl__templates_find(&f.templates, SEED, 256));
    CU_ASSERT_PTR_NULL(nfl__templates_find(&f.templates, SEED, 279));
    tear_down(&f);
}

static void repeating_a_definition_allocates_nothing(void)
{
    fixture f;
    test_allocator t;
    test_allocator_init(&t, -1, 0);
    set_up(&f, &t.alloc);
    CU_ASSERT_EQUAL(define(&f, &generous, 256, 0, 4, 1), NFL_OK);
    long before = t.requests;
    CU_ASSERT_EQUAL(define(&f, &generous, 256, 0, 4, 2), NFL_OK);
    CU_ASSERT_EQUAL(t.requests, before);
    CU_ASSERT_EQUAL(define(&f, &generous, 256, 0, 8, 3), NFL_OK); /* another one: replaced */
    CU_ASSERT(t.requests > before);
    CU_ASSERT_EQUAL(nfl__templates_find(&f.templates, SEED, 256)->record_len, 12);
    CU_ASSERT_EQUAL(f.templates.count, 1);
    CU_ASSERT_EQUAL(f.templates.bytes, nfl__templates_find(&f.templates, SEED, 256)->size);
    tear_down(&f);
}

static void limits_refuse_and_change_nothing(void)
{
    fixture f;
    set_up(&f, NULL);
    nfl__template_limits few = {2, SIZE_MAX, INT64_MAX};
    CU_ASSERT_EQUAL(define(&f, &few, 256, 0, 4, 1), NFL_OK);
    CU_ASSERT_EQUAL(define(&f, &few, 257, 0, 4, 1), NFL_OK);
    CU_ASSERT_EQUAL(define(&f, &few, 258, 0, 4, 1), NFL_E_LIMIT);
    CU_ASSERT_EQUAL(define(&f, &few, 257, 0, 8, 1), NFL_OK); /* a known id may change */
    nfl__template_limits small = {100, f.templates.bytes, INT64_MAX};
    CU_ASSERT_EQUAL(define(&f, &small, 258, 0, 4, 1), NFL_E_LIMIT);
    CU_ASSERT_EQUAL(f.templates.count, 2);
    CU_ASSERT_PTR_NULL(nfl__templates_find(&f.templates, SEED, 258));
    tear_down(&f);
}

static void records_are_measured(void)
{
    fixture f;
    set_up(&f, NULL);
    CU_ASSERT_EQUAL(define(&f, &generous, 256, 0, 4, 1), NFL_OK);
    const nfl__template *fixed = nfl__templates_find(&f.templates, SEED, 256);
    CU_ASSERT(fixed->record_len == 8 && !fixed->variable && fixed->offsets[1] == 4);
    CU_ASSERT_EQUAL(define(&f, &generous, 257, 0, NFL__VARIABLE_LEN, 1), NFL_OK);
    const nfl__template *variable = nfl__templates_find(&f.templates, SEED, 257);
    CU_ASSERT(variable->record_len == 5 && variable->variable);
    CU_ASSERT(fixed->plan.is_flow && fixed->plan.op_count == 2);
    CU_ASSERT_EQUAL(define(&f, &generous, 258, 1, 4, 1), NFL_OK);
    CU_ASSERT_EQUAL(nfl__templates_find(&f.templates, SEED, 258)->plan.op_count, 0);
    tear_down(&f);
}

static nfl_status scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    fixture f;
    nfl_status worst = NFL_OK;
    set_up(&f, alloc);
    for (unsigned id = 256; id < 276; id++) {
        nfl_status status = define(&f, &generous, (uint16_t)id, 0, 4, 1);
        CU_ASSERT_EQUAL(nfl__templates_find(&f.templates, SEED, (uint16_t)id) != NULL, status == NFL_OK);
        worst = status < 0 ? status : worst;
    }
    tear_down(&f);
    return worst;
}

static void allocation_failures(void)
{
    CU_ASSERT(test_allocation_failures(scenario, NULL, 0) > 20);
}

NFL_SUITE("template", {"thousands are found and forgotten", thousands_are_found_and_forgotten},
          {"all of a kind are forgotten", all_of_a_kind_are_forgotten}, {"old ones expire", old_ones_expire},
          {"repeating a definition allocates nothing", repeating_a_definition_allocates_nothing},
          {"limits refuse and change nothing", limits_refuse_and_change_nothing},
          {"records are measured", records_are_measured},
          {"allocation failures leave the cache as it was", allocation_failures})

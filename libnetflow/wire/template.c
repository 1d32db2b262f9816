#include "wire/template.h"

#include "base/error.h"
#include "base/hash.h"

#include <string.h>

static uint32_t template_home(const nfl__templates *templates, uint64_t seed, uint16_t id)
{
    return (uint32_t)nfl__hash_u64(id, seed) & (templates->slot_count - 1);
}

void nfl__templates_done(nfl__templates *templates, nfl__memory *memory)
{
    for (uint32_t i = 0; i < templates->slot_count; i++)
        if (templates->slots[i])
            nfl__delete(memory, templates->slots[i], templates->slots[i]->size, 1);
    nfl__delete(memory, templates->slots, templates->slot_count, sizeof *templates->slots);
    memset(templates, 0, sizeof *templates);
}

nfl__template *nfl__templates_find(const nfl__templates *templates, uint64_t seed, uint16_t id)
{
    if (templates->count == 0)
        return NULL;
    uint32_t mask = templates->slot_count - 1;
    for (uint32_t i = template_home(templates, seed, id); templates->slots[i]; i = (i + 1) & mask)
        if (templates->slots[i]->id == id)
            return templates->slots[i];
    return NULL;
}

/* Position of a known template, or of the empty slot where it would go. */
static uint32_t template_slot(const nfl__templates *templates, uint64_t seed, uint16_t id)
{
    uint32_t mask = templates->slot_count - 1, i = template_home(templates, seed, id);
    while (templates->slots[i] && templates->slots[i]->id != id)
        i = (i + 1) & mask;
    return i;
}

/* Make room for one more; 0 when out of memory. */
static int template_reserve(nfl__templates *templates, nfl__memory *memory, uint64_t seed)
{
    if ((templates->count + 1) * 4 <= templates->slot_count * 3)
        return 1;
    nfl__templates larger = *templates;
    larger.slot_count = templates->slot_count ? templates->slot_count * 2 : 8;
    larger.slots = nfl__new(memory, larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return 0;
    for (uint32_t i = 0; i < templates->slot_count; i++)
        if (templates->slots[i])
            larger.slots[template_slot(&larger, seed, templates->slots[i]->id)] = templates->slots[i];
    nfl__delete(memory, templates->slots, templates->slot_count, sizeof *templates->slots);
    *templates = larger;
    return 1;
}

static void template_remove_at(nfl__templates *templates, nfl__memory *memory, uint64_t seed, uint32_t hole)
{
    uint32_t mask = templates->slot_count - 1;
    templates->bytes -= templates->slots[hole]->size;
    templates->count--;
    nfl__delete(memory, templates->slots[hole], templates->slots[hole]->size, 1);
    templates->slots[hole] = NULL;
    for (uint32_t i = (hole + 1) & mask; templates->slots[i]; i = (i + 1) & mask) {
        /* an entry may move into the hole unless its home lies between the hole and itself */
        uint32_t home = template_home(templates, seed, templates->slots[i]->id);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        templates->slots[hole] = templates->slots[i];
        templates->slots[i] = NULL;
        hole = i;
    }
}

int nfl__templates_remove(nfl__templates *templates, nfl__memory *memory, uint64_t seed, uint16_t id)
{
    if (!nfl__templates_find(templates, seed, id))
        return 0;
    template_remove_at(templates, memory, seed, template_slot(templates, seed, id));
    return 1;
}

void nfl__templates_remove_kind(nfl__templates *templates, nfl__memory *memory, uint64_t seed, int options)
{
    for (uint32_t i = 0; i < templates->slot_count;) {
        if (templates->slots[i] && templates->slots[i]->options == options)
            template_remove_at(templates, memory, seed, i); /* another one may have moved here */
        else
            i++;
    }
}

uint32_t nfl__templates_expire(nfl__templates *templates, nfl__memory *memory, uint64_t seed,
                               nfl_usec before_us)
{
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < templates->slot_count;) {
        if (!templates->slots[i] || templates->slots[i]->refreshed_us >= before_us) {
            i++;
            continue;
        }
        template_remove_at(templates, memory, seed, i);
        dropped++;
    }
    return dropped;
}

static int template_is(const nfl__template *template, const nfl__template_def *def)
{
    return template->options == def->options && template->scope_count == def->scope_count &&
           template->field_count == def->field_count &&
           memcmp(template->fields, def->fields, def->field_count * sizeof *def->fields) == 0;
}

/* Offsets and record length from the field lengths. */
static void template_measure(nfl__template *template)
{
    uint32_t offset = 0;
    for (uint32_t i = 0; i < template->field_count; i++) {
        template->offsets[i] = offset;
        int variable = template->fields[i].len == NFL__VARIABLE_LEN;
        template->variable |= (uint8_t)variable;
        offset += variable ? 1 : template->fields[i].len; /* at least a length byte, RFC 7011 section 7 */
    }
    template->record_len = offset;
}

size_t nfl__template_size(const nfl__template_def *def)
{
    size_t n = def->field_count, op_count = def->options ? 0 : n;
    return sizeof(nfl__template) + n * (sizeof(nfl_template_field) + sizeof(uint32_t)) +
           op_count * sizeof(nfl__plan_op);
}

/* Options data makes no flows, so it needs no plan. */
static nfl__template *template_make(nfl__memory *memory, const nfl__plan_map *map,
                                    const nfl__template_def *def)
{
    size_t n = def->field_count, size = nfl__template_size(def);
    nfl__template *template = nfl__new(memory, size, 1);
    if (!template)
        return NULL;
    template->id = def->id;
    template->options = def->options;
    template->scope_count = def->scope_count;
    template->field_count = def->field_count;
    template->size = size;
    template->fields = (nfl_template_field *)(template + 1);
    template->offsets = (uint32_t *)(template->fields + n);
    template->plan.ops = (nfl__plan_op *)(template->offsets + n);
    if (n)
        memcpy(template->fields, def->fields, n * sizeof *def->fields);
    template_measure(template);
    if (!def->options)
        nfl__plan_compile(&template->plan, map, template->fields, template->offsets, def->field_count);
    return template;
}

static nfl_status template_refuse(const nfl__memory *memory, size_t size, const nfl__template_def *def,
                                  nfl_error *err)
{
    if (memory->limit - memory->held < size)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                         "template %u: %zu bytes, the limit of %zu is reached", def->id, size, memory->limit);
    return nfl__fail_nomem(err, size);
}

/* Put a template with a new id into the table, or in place of the old one. */
static nfl_status template_insert(nfl__templates *templates, nfl__memory *memory, uint64_t seed,
                                  nfl__template *template, int known)
{
    if (!known && !template_reserve(templates, memory, seed))
        return NFL_E_NOMEM;
    nfl__template **slot = &templates->slots[template_slot(templates, seed, template->id)];
    if (*slot) {
        templates->bytes -= (*slot)->size;
        templates->count--;
        nfl__delete(memory, *slot, (*slot)->size, 1);
    }
    *slot = template;
    templates->count++;
    templates->bytes += template->size;
    return NFL_OK;
}

nfl_status nfl__templates_define(nfl__templates *templates, nfl__memory *memory, uint64_t seed,
                                 const nfl__plan_map *map, const nfl__template_limits *limits,
                                 const nfl__template_def *def, nfl_usec now_us, nfl__template **out,
                                 nfl_error *err)
{
    nfl__template *known = nfl__templates_find(templates, seed, def->id);
    if (known && template_is(known, def)) {
        known->refreshed_us = now_us;
        *out = known;
        return NFL_OK;
    }
    if (!known && templates->count >= limits->max_templates)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                         "template %u: the domain has %u templates, the most allowed", def->id,
                         templates->count);
    nfl__template *template = template_make(memory, map, def);
    if (!template)
        return template_refuse(memory, nfl__template_size(def), def, err);
    size_t freed = known ? known->size : 0, size = template->size;
    nfl_status status = NFL_OK;
    if (templates->bytes - freed + size > limits->max_bytes)
        status = nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                           "template %u: the domain's templates take %zu bytes, the most is %zu", def->id,
                           templates->bytes, limits->max_bytes);
    else if (template_insert(templates, memory, seed, template, known != NULL) != NFL_OK)
        status = template_refuse(memory, templates->slot_count * 2 * sizeof(void *), def, err);
    if (status != NFL_OK) {
        nfl__delete(memory, template, size, 1);
        return status;
    }
    template->refreshed_us = now_us;
    *out = template;
    return NFL_OK;
}

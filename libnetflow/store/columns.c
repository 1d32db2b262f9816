#include "store/columns.h"

#include <string.h>

void nfl__extent_add(nfl__extent *extent, const nfl__extent *more)
{
    if (more->rows == 0)
        return;
    if (extent->rows == 0) {
        *extent = *more;
        return;
    }
    extent->rows += more->rows;
    if (more->received_min < extent->received_min)
        extent->received_min = more->received_min;
    if (more->received_max > extent->received_max)
        extent->received_max = more->received_max;
    if (more->first_min < extent->first_min)
        extent->first_min = more->first_min;
    if (more->first_max > extent->first_max)
        extent->first_max = more->first_max;
}

void nfl__extent_add_flow(nfl__extent *extent, const nfl_flow *flow)
{
    nfl__extent one = {1, flow->received_us, flow->received_us, flow->first_us, flow->first_us};
    nfl__extent_add(extent, &one);
}

static size_t columns_words(uint32_t rows)
{
    return ((size_t)rows + 63) / 64;
}

nfl__columns *nfl__columns_new(const nfl_alloc *alloc, uint32_t capacity)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl__columns *columns = nfl__new(&memory, 1, sizeof *columns);
    if (columns) {
        columns->memory = memory;
        columns->references = 1;
        columns->capacity = capacity;
    }
    return columns;
}

void nfl__columns_retain(nfl__columns *columns)
{
    columns->references++;
}

void nfl__columns_release(nfl__columns *columns)
{
    if (!columns || --columns->references)
        return;
    nfl__memory memory = columns->memory;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
        nfl__delete(&memory, columns->values[f], columns->capacity, nfl__field_slots[f].width);
        nfl__delete(&memory, columns->valid[f], columns_words(columns->capacity), sizeof(uint64_t));
    }
    nfl__delete(&memory, columns, 1, sizeof *columns);
}

uint64_t nfl__columns_fields_of(const nfl_flow *flow)
{
    return (flow->present & NFL__FIELDS_STORED) | NFL__FIELDS_ALWAYS;
}

int nfl__columns_reserve(nfl__columns *columns, uint64_t fields)
{
    for (uint64_t missing = fields & ~columns->fields; missing; missing &= missing - 1) {
        unsigned f = (unsigned)__builtin_ctzll(missing);
        void *values = nfl__new(&columns->memory, columns->capacity, nfl__field_slots[f].width);
        uint64_t *valid = nfl__new(&columns->memory, columns_words(columns->capacity), sizeof *valid);
        if (!values || !valid) {
            nfl__delete(&columns->memory, values, columns->capacity, nfl__field_slots[f].width);
            nfl__delete(&columns->memory, valid, columns_words(columns->capacity), sizeof *valid);
            return 0;
        }
        columns->values[f] = values;
        columns->valid[f] = valid;
        columns->fields |= NFL_HAS(f);
    }
    return 1;
}

/* memcpy with a constant length in each branch is one move. */
static void columns_copy(void *dst, const void *src, size_t width)
{
    switch (width) {
    case 1:
        memcpy(dst, src, 1);
        break;
    case 2:
        memcpy(dst, src, 2);
        break;
    case 4:
        memcpy(dst, src, 4);
        break;
    case 8:
        memcpy(dst, src, 8);
        break;
    default:
        memcpy(dst, src, 16);
    }
}

void nfl__columns_add(nfl__columns *columns, const nfl_flow *flow)
{
    uint32_t row = columns->rows++;
    for (uint64_t left = nfl__columns_fields_of(flow); left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        size_t width = nfl__field_slots[f].width;
        columns_copy((uint8_t *)columns->values[f] + row * width,
                     (const uint8_t *)flow + nfl__field_slots[f].offset, width);
        if (flow->present & NFL_HAS(f))
            nfl__bit_set(columns->valid[f], row);
    }
}

void nfl__columns_view(const nfl__columns *columns, uint32_t rows, uint32_t field, nfl__column *out)
{
    memset(out, 0, sizeof *out);
    out->width = nfl__field_slots[field].width;
    if (rows == 0 || !(columns->fields & NFL_HAS(field)))
        return;
    out->form = NFL__COLUMN_PLAIN;
    out->values = columns->values[field];
    out->valid = NFL__FIELDS_ALWAYS & NFL_HAS(field) ? NULL : columns->valid[field];
}

void nfl__columns_row(const nfl__columns *columns, uint32_t row, nfl_flow *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    for (uint64_t left = columns->fields; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctzll(left);
        size_t width = nfl__field_slots[f].width;
        columns_copy((uint8_t *)out + nfl__field_slots[f].offset,
                     (const uint8_t *)columns->values[f] + row * width, width);
        if (nfl__bit_get(columns->valid[f], row))
            out->present |= NFL_HAS(f);
    }
}

static void columns_zone_ip(nfl__zone *zone, const nfl_ip *ips, const uint64_t *valid, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (valid && !nfl__bit_get(valid, i))
            continue;
        if (zone->all_null || memcmp(&ips[i], &zone->min_ip, sizeof *ips) < 0)
            zone->min_ip = ips[i];
        if (zone->all_null || memcmp(&ips[i], &zone->max_ip, sizeof *ips) > 0)
            zone->max_ip = ips[i];
        zone->all_null = 0;
    }
}

static void columns_zone_number(nfl__zone *zone, uint32_t field, const uint8_t *values, const uint64_t *valid,
                                uint32_t n)
{
    /* Flipping the sign bit makes signed order unsigned order. */
    uint64_t flip = nfl__field_slots[field].type == NFL_TYPE_TIME ? UINT64_C(1) << 63 : 0;
    uint32_t width = nfl__field_slots[field].width;
    uint64_t min = UINT64_MAX, max = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (valid && !nfl__bit_get(valid, i))
            continue;
        uint64_t value = nfl__value_u64(values + (size_t)i * width, width) ^ flip;
        min = value < min ? value : min;
        max = value > max ? value : max;
        zone->all_null = 0;
    }
    zone->min = min ^ flip;
    zone->max = max ^ flip;
}

void nfl__zone_compute(nfl__zone *zone, uint32_t field, const void *values, const uint64_t *valid, uint32_t n)
{
    memset(zone, 0, sizeof *zone);
    zone->known = 1;
    zone->all_null = 1;
    for (uint32_t i = 0; valid && i < n && !zone->has_null; i++)
        zone->has_null = !nfl__bit_get(valid, i);
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        columns_zone_ip(zone, values, valid, n);
    else
        columns_zone_number(zone, field, values, valid, n);
    if (zone->all_null)
        zone->min = zone->max = 0;
}

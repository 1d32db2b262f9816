#include "store_rows.h"

#include "query/filter_plan.h"
#include "record/fields.h"
#include "support.h"

#include <string.h>

int test_row_equals(const nfl__batch *batch, uint32_t row, const nfl_flow *flow)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        const nfl__column *column = &batch->columns[field];
        int has = nfl__flow_has(flow, field);
        if (nfl__column_has(column, row) != has)
            return 0;
        if (has && (column->width != nfl__field_slots[field].width ||
                    memcmp(nfl__column_at(column, row), nfl__flow_at(flow, field), column->width) != 0))
            return 0;
    }
    return 1;
}

static nfl_status store_rows_block(nfl__source *source, const nfl_flow *flows, size_t n, uint8_t *seen,
                                   size_t *strangers, nfl_error *err)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        if (source->batch.loaded & NFL_HAS(field)) /* as a reference of another */
            continue;
        nfl_status status = source->ops->load(source, field, err);
        if (status != NFL_OK)
            return status;
    }
    for (uint32_t row = 0; row < source->batch.rows; row++) {
        const nfl__column *number = &source->batch.columns[NFL_FIELD_IN_IF];
        uint64_t i = nfl__column_has(number, row) ? nfl__column_u64(number, row) : UINT64_MAX;
        if (i < n && test_row_equals(&source->batch, row, &flows[i]))
            seen[i]++;
        else
            ++*strangers;
    }
    return NFL_OK;
}

nfl_status test_store_rows(const nfl__store_ops *ops, void *self, const nfl_flow *flows, size_t n, uint8_t *seen,
                           size_t *strangers, nfl_error *err)
{
    nfl_filter *any;
    nfl__source *source;
    memset(seen, 0, n);
    *strangers = 0;
    nfl_status status = nfl_filter_new(NULL, NULL, &any, err);
    if (status != NFL_OK)
        return status;
    status = ops->open_source(self, any, UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT), &source, err);
    if (status == NFL_OK) {
        while ((status = nfl__source_next(source, err)) == NFL_OK)
            if ((status = store_rows_block(source, flows, n, seen, strangers, err)) != NFL_OK)
                break;
        source->ops->free(source);
    }
    nfl_filter_free(any);
    return status == NFL_DONE ? NFL_OK : status;
}

/* Any value in any field, so that every column is exercised. */
static void store_rows_fill(test_random *random, nfl_flow *flow)
{
    for (uint32_t field = NFL_FIELD_BYTES; field < NFL_FIELD_STORED_COUNT; field++) {
        if ((flow->present & NFL_HAS(field)) || !test_chance(random, 25))
            continue;
        if (nfl__field_slots[field].type == NFL_TYPE_IP) {
            nfl_ip ip = nfl_ip_from_v4((uint32_t)test_below(random, 1000));
            if (test_chance(random, 30))
                ip.b[test_below(random, 16)] = (uint8_t)test_next(random);
            memcpy(nfl__flow_slot(flow, field), &ip, sizeof ip);
            flow->present |= NFL_HAS(field);
        } else {
            nfl__flow_set_u64(flow, field, test_next(random) >> test_below(random, 64));
        }
    }
}

void test_numbered_flow(uint32_t i, nfl_flow *flow)
{
    test_random random = {UINT64_C(0x5eed) * 1000003 + i};
    test_flow(&random, flow);
    if (i % 3 == 0)
        store_rows_fill(&random, flow);
    flow->received_us = INT64_C(1795440000000000) + (nfl_usec)i * 211;
    flow->first_us = flow->received_us - (nfl_usec)test_below(&random, 100000) * 1000;
    flow->last_us = flow->first_us + (nfl_usec)test_below(&random, 100000) * 1000;
    if (i % 11 == 0) { /* no times sent: first is the arrival, last is nothing */
        flow->present &= ~(NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST));
        flow->first_us = flow->received_us;
        flow->last_us = 0;
    }
    flow->in_if = i;
    flow->present |= NFL_HAS(NFL_FIELD_IN_IF);
}

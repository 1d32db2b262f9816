#include "query/having.h"

#include "base/error.h"
#include "query/cursor.h"
#include "query/filter_plan.h"

/* What a group has of its flows' other fields (the largest, mostly) says nothing about the group. */
static nfl_status having_check(const nfl__plan *plan, uint64_t fields, nfl_error *err)
{
    for (uint32_t field = 0; field < NFL_FIELD_STORED_COUNT; field++) {
        const nfl_field_info *row = nfl__field_row(field);
        if (!(fields & NFL_HAS(field)) || nfl__plan_key(plan, field) >= 0 || row->kind == NFL_KIND_COUNTER || field == NFL_FIELD_FIRST ||
            field == NFL_FIELD_LAST)
            continue;
        return nfl__fail(err, NFL_E_SYNTAX, 0, "having: '%s' is neither grouped by nor a sum or time of groups",
                         (const char *)row->name);
    }
    return NFL_OK;
}

nfl_status nfl__having_open(nfl__having *having, nfl__plan *plan, const nfl_alloc *alloc, nfl_error *err)
{
    const nfl_query *query = &plan->query;
    NFL_OPTS(nfl_filter_opts, opts, .alloc = alloc, .now_us = query->now_us, .list = query->filter_list,
             .list_ctx = query->filter_list_ctx);
    nfl_error why;
    memset(having, 0, sizeof *having);
    if (!query->having || !query->having[0])
        return NFL_OK;
    if (!plan->grouped)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "having: the query has no groups");
    /* unscaled: sums of groups are scaled already */
    nfl_status status = nfl__filter_new_window(query->having, &opts, 0, 0, NFL_QUERY_UNSCALED, &having->filter, &why);
    if (status != NFL_OK)
        return nfl__fail(err, status, why.offset, "having: %.200s", why.message);
    having->fields = nfl__filter_fields(having->filter);
    NFL_TRY(having_check(plan, having->fields, err));
    nfl__plan_measure_all(plan, having->fields);
    return NFL_OK;
}

void nfl__having_close(nfl__having *having)
{
    nfl_filter_free(having->filter);
    having->filter = NULL;
}

/* A group as a flow with the fields that are looked at. */
static void having_make_flow(const nfl__having *having, const nfl__plan *plan, const nfl__addresses *addresses,
                             const uint64_t *group, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    for (uint64_t left = having->fields; left; left &= left - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(left);
        nfl_value value = {.struct_size = sizeof value};
        nfl__cursor_field_value(plan, addresses, group, field, &value);
        if (!value.present)
            continue;
        flow->present |= NFL_HAS(field);
        if (nfl__field_slots[field].type == NFL_TYPE_IP)
            memcpy(nfl__flow_slot(flow, field), &value.ip, sizeof value.ip);
        else
            nfl__flow_set_u64(flow, field, value.u64);
    }
}

int nfl__having_takes(const nfl__having *having, const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group)
{
    nfl_flow flow;
    if (!having->filter)
        return 1;
    having_make_flow(having, plan, addresses, group, &flow);
    return nfl_filter_match(having->filter, &flow);
}

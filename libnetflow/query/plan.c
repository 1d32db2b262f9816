#include "query/plan.h"

#include "base/error.h"
#include "base/opts.h"
#include "query/derive.h"
#include "query/filter_hint.h"
#include "record/fields.h"

#include <stdio.h>
#include <string.h>

static const char plan_record_columns[] =
    "first,duration,src,src_port,dst,dst_port,proto,tcp_flags,bytes,packets,in_if,out_if,exporter";
static const char plan_group_columns[] = "bytes,packets,flows";

/* One name of a list separated by commas. */
typedef struct plan_name {
    const char *list; /* "group_by", for messages */
    const char *text; /* the whole list */
    size_t at, len;   /* of the name */
    size_t next;      /* start of the next name; 0 = this was the last */
} plan_name;

static int plan_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void plan_next_name(plan_name *name)
{
    const char *text = name->text;
    size_t start = name->next;
    while (plan_is_space(text[start]))
        start++;
    size_t stop = start + strcspn(text + start, ",");
    name->next = text[stop] ? stop + 1 : 0;
    while (stop > start && plan_is_space(text[stop - 1]))
        stop--;
    name->at = start;
    name->len = stop - start;
}

static nfl_status plan_fail(const plan_name *name, const char *problem, nfl_error *err)
{
    return nfl__fail(err, NFL_E_SYNTAX, name->at, "%s: '%.*s' %s", name->list,
                     name->len < 60 ? (int)name->len : 60, name->text + name->at, problem);
}

/* The name's row of the field table; filter-only fields are refused. */
static nfl_status plan_find(const plan_name *name, const nfl_field_info **out, nfl_error *err)
{
    uint32_t field = nfl_field_find(name->text + name->at, name->len);
    if (field == NFL_FIELD_NONE) {
        char hint[NFL__HINT_SIZE], problem[NFL__HINT_SIZE + 32] = "is not a field";
        nfl__filter_hint(name->text + name->at, name->len, 0, hint);
        memcpy(problem + strlen(problem), hint, strlen(hint) + 1);
        return plan_fail(name, problem, err);
    }
    *out = nfl__field_row(field);
    if ((*out)->derived && field != NFL_FIELD_TIME && nfl__derive_reads(field) == 0)
        return plan_fail(name, "can be used in filters only", err);
    return NFL_OK;
}

int nfl__plan_key(const nfl__plan *plan, uint32_t field)
{
    for (uint32_t i = 0; i + plan->distinct_key < plan->key_count; i++)
        if (plan->keys[i].field == field)
            return (int)i;
    return -1;
}

/* distinct(NAME): 1, and the name inside. */
static int plan_unwrap(plan_name *name)
{
    static const char function[] = "distinct(";
    const char *text = name->text + name->at;
    size_t len = sizeof function - 1;
    if (name->len <= len || strncmp(text, function, len) != 0 || text[name->len - 1] != ')')
        return 0;
    name->at += len;
    name->len -= len + 1;
    return 1;
}

/* A field, or the number of its different values in a group. */
static nfl_status plan_find_any(const nfl__plan *plan, const plan_name *name, const nfl_field_info **out, int *distinct,
                                nfl_error *err)
{
    plan_name inside = *name;
    *distinct = plan_unwrap(&inside);
    NFL_TRY(plan_find(&inside, out, err));
    if (!*distinct)
        return NFL_OK;
    if (!plan->grouped)
        return plan_fail(name, "needs groups", err);
    if ((*out)->derived)
        return plan_fail(&inside, "cannot be counted; it is computed", err);
    if (plan->counts_distinct && plan->distinct_field != (*out)->field)
        return plan_fail(name, "is a second one; one distinct() is counted in a query", err);
    if (nfl__plan_key(plan, (*out)->field) >= 0)
        return plan_fail(&inside, "is grouped by, so it has one value in a group", err);
    return NFL_OK;
}

int nfl__plan_measure(const nfl__plan *plan, uint32_t field)
{
    for (uint32_t i = 0; i < plan->measure_count; i++)
        if (plan->measures[i].field == field)
            return (int)i;
    return -1;
}

static uint8_t plan_how(const nfl_field_info *row)
{
    switch (row->field) {
    case NFL_FIELD_FIRST:
        return NFL__MEASURE_MIN;
    case NFL_FIELD_LAST:
        return NFL__MEASURE_MAX;
    default:
        return row->kind == NFL_KIND_COUNTER ? NFL__MEASURE_SUM
               : row->kind == NFL_KIND_FLAGS ? NFL__MEASURE_UNION
                                             : NFL__MEASURE_MAX;
    }
}

/* Add the measure of a stored field unless there is one; returns its index. */
static uint8_t plan_add_measure(nfl__plan *plan, uint32_t field)
{
    int known = nfl__plan_measure(plan, field);
    if (known >= 0)
        return (uint8_t)known;
    const nfl_field_info *row = nfl__field_row(field);
    nfl__measure measure = {(uint8_t)field, plan_how(row), row->type, (uint8_t)plan->seen_word};
    plan->measures[plan->measure_count] = measure;
    plan->sums_only = (plan->measure_count == 0 || plan->sums_only) && measure.how == NFL__MEASURE_SUM;
    plan->seen_word += row->type == NFL_TYPE_IP ? 2 : 1;
    plan->reads |= NFL_HAS(field);
    return (uint8_t)plan->measure_count++;
}

/* Where the values of a field of the result come from. */
static nfl__output plan_output(nfl__plan *plan, const nfl_field_info *row)
{
    nfl__output output = {row->field, row->type, row->kind, NFL__OUTPUT_STORED, 0, 0};
    uint64_t derived_from = row->derived ? nfl__derive_reads(row->field) : 0;
    int key = nfl__plan_key(plan, row->field);
    if (row->field == NFL_FIELD_TIME) {
        output.from = NFL__OUTPUT_TIME;
    } else if (derived_from) {
        output.from = NFL__OUTPUT_DERIVED;
        plan->reads |= derived_from;
        for (uint32_t field = 0; plan->grouped && derived_from >> field; field++)
            if (derived_from >> field & 1)
                plan_add_measure(plan, field);
    } else if (key >= 0) {
        output.from = NFL__OUTPUT_KEY;
        output.index = (uint8_t)key;
    } else if (plan->grouped) {
        output.from = NFL__OUTPUT_MEASURE;
        output.index = plan_add_measure(plan, row->field);
    } else {
        plan->reads |= NFL_HAS(row->field);
    }
    return output;
}

static nfl__group_key plan_key(const nfl_field_info *row)
{
    return (nfl__group_key){(uint8_t)row->field, row->type, (uint8_t)(row->type == NFL_TYPE_IP ? 4 : row->width), 0};
}

/* The count of different values: its field is a key for that, unless estimates will do. */
static nfl__output plan_distinct(nfl__plan *plan, const nfl_field_info *row)
{
    if (!plan->counts_distinct) {
        plan->counts_distinct = 1;
        plan->distinct_word = (uint8_t)plan->seen_word++;
        plan->distinct_field = row->field;
        plan->distinct_key = !(plan->query.flags & NFL_QUERY_APPROXIMATE);
        if (plan->distinct_key)
            plan->keys[plan->key_count++] = plan_key(row);
        plan->reads |= NFL_HAS(row->field);
        (void)snprintf(plan->distinct_name, sizeof plan->distinct_name, "distinct(%s)", (const char *)row->name);
        (void)snprintf(plan->distinct_title, sizeof plan->distinct_title, "Distinct %s", (const char *)row->title);
    }
    return (nfl__output){row->field, NFL_TYPE_U64, NFL_KIND_NUMBER, NFL__OUTPUT_DISTINCT, 0, 0};
}

static nfl_status plan_add_output(nfl__plan *plan, const plan_name *name, const nfl_field_info *row, int distinct,
                                  nfl_error *err)
{
    for (uint32_t i = 0; i < plan->output_count; i++)
        if (plan->outputs[i].field == row->field && (plan->outputs[i].from == NFL__OUTPUT_DISTINCT) == distinct)
            return plan_fail(name, "is named twice", err);
    nfl__output output = distinct ? plan_distinct(plan, row) : plan_output(plan, row);
    output.word = (uint8_t)plan->row_words;
    plan->row_words += output.type == NFL_TYPE_IP ? 2 : 1;
    plan->outputs[plan->output_count++] = output;
    return NFL_OK;
}

static nfl_status plan_add_keys(nfl__plan *plan, const char *list, nfl_error *err)
{
    plan_name name = {"group_by", list, 0, 0, 0};
    do {
        const nfl_field_info *row = NULL;
        plan_next_name(&name);
        NFL_TRY(plan_find(&name, &row, err));
        if (row->derived)
            return plan_fail(&name, "cannot be grouped by; it is computed", err);
        if (nfl__plan_key(plan, row->field) < 0)
            plan->keys[plan->key_count++] = plan_key(row);
        plan->reads |= NFL_HAS(row->field);
        NFL_TRY(plan_add_output(plan, &name, row, 0, err));
    } while (name.next);
    return NFL_OK;
}

static void plan_lay_out_key(nfl__plan *plan)
{
    uint32_t at = plan->bucketed ? 8 : 0;
    plan->presence_at = at;
    at += (plan->key_count + 7) / 8 * (plan->narrow ? 2 : 1);
    for (uint32_t i = 0; i < plan->key_count; i++) {
        plan->keys[i].offset = (uint16_t)at;
        at += plan->keys[i].width;
    }
    plan->key_bytes = (at + 7) / 8 * 8;
}

/* Of a group. */
static void plan_lay_out_row(nfl__plan *plan)
{
    plan_lay_out_key(plan);
    plan->row_words = plan->seen_word + 1 + plan->key_bytes / 8;
}

void nfl__plan_widen(nfl__plan *plan)
{
    for (uint32_t i = 0; i < plan->key_count; i++)
        if (plan->keys[i].type == NFL_TYPE_IP)
            plan->keys[i].width = sizeof(nfl_ip);
    plan->narrow = 0;
    plan_lay_out_row(plan);
}

static nfl_status plan_add_columns(nfl__plan *plan, const char *list, nfl_error *err)
{
    plan_name name = {"columns", list, 0, 0, 0};
    do {
        const nfl_field_info *row = NULL;
        int distinct;
        plan_next_name(&name);
        NFL_TRY(plan_find_any(plan, &name, &row, &distinct, err));
        if (row->field == NFL_FIELD_TIME)
            return plan_fail(
                &name, plan->bucketed ? "is there already, as the first column" : "needs time buckets", err);
        NFL_TRY(plan_add_output(plan, &name, row, distinct, err));
    } while (name.next);
    return NFL_OK;
}

static nfl_status plan_set_order(nfl__plan *plan, const char *field_name, nfl_error *err)
{
    plan_name name = {"order_by", field_name, 0, 0, 0};
    const nfl_field_info *row = NULL;
    int distinct;
    if (!field_name) {
        plan->ordered = plan->grouped;
        if (plan->grouped)
            plan->order = plan_output(plan, nfl__field_row(NFL_FIELD_BYTES));
        return NFL_OK;
    }
    plan_next_name(&name);
    if (name.next)
        return plan_fail(&name, "is followed by another; one column expected", err);
    NFL_TRY(plan_find_any(plan, &name, &row, &distinct, err));
    if (row->field == NFL_FIELD_TIME && !plan->bucketed)
        return plan_fail(&name, "needs time buckets", err);
    plan->ordered = row->field != NFL_FIELD_TIME;
    plan->newest_first = row->field == NFL_FIELD_TIME && !(plan->query.flags & NFL_QUERY_ASCENDING);
    plan->order = distinct ? plan_distinct(plan, row) : plan_output(plan, row);
    plan->reads |= plan->grouped ? 0 : NFL_HAS(NFL_FIELD_RECEIVED); /* the order of records that are alike */
    return NFL_OK;
}

#define PLAN_FLAGS                                                                                                              \
    (NFL_QUERY_UNSCALED | NFL_QUERY_ASCENDING | NFL_QUERY_FILL | NFL_QUERY_SPREAD | NFL_QUERY_UNIQUE | NFL_QUERY_BIFLOW | \
     NFL_QUERY_APPROXIMATE)

static nfl_status plan_check(const nfl_query *query, nfl_error *err)
{
    if (query->flags & ~PLAN_FLAGS)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "query flags 0x%x are not known", query->flags);
    if (query->flags & NFL_QUERY_UNIQUE && query->flags & NFL_QUERY_BIFLOW)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET,
                         "unique and biflow exclude each other: where directions take different ways, no point has both");
    if (query->flags & NFL_QUERY_SPREAD && query->bucket_us == 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "flows are spread over buckets, and there are none");
    if (query->bucket_us < 0)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "bucket_us is %lld, at least 0 expected",
                         (long long)query->bucket_us);
    return NFL_OK;
}

static int plan_is_text(const char *text)
{
    return text && text[strspn(text, " \t\r\n")];
}

/* Of sums, sums can be made, nothing else; they are scaled, and do not tell who saw what or who
 * answered. */
static void plan_set_adding(nfl__plan *plan)
{
    const uint64_t sums = NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_FLOWS);
    plan->adds_up = plan->grouped && !plan->unscaled && !plan->spread &&
                    !(plan->query.flags & (NFL_QUERY_UNIQUE | NFL_QUERY_BIFLOW));
    plan->adding = (nfl__adding){0, plan->query.bucket_us};
    for (uint32_t i = 0; i < plan->measure_count; i++)
        plan->adds_up = plan->adds_up && (sums & NFL_HAS(plan->measures[i].field));
    for (uint32_t i = 0; i < plan->key_count; i++)
        plan->adding.keys |= NFL_HAS(plan->keys[i].field);
    if (plan->counts_distinct)
        plan->adding.keys |= NFL_HAS(plan->distinct_field);
}

void nfl__plan_measure_all(nfl__plan *plan, uint64_t fields)
{
    for (uint64_t left = fields; left; left &= left - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(left);
        if (nfl__plan_key(plan, field) < 0)
            plan_add_measure(plan, field);
    }
    plan_lay_out_row(plan);
    plan_set_adding(plan);
}

nfl_status nfl__plan_make(const nfl_query *query, nfl__plan *plan, nfl_error *err)
{
    memset(plan, 0, sizeof *plan);
    NFL_TRY(nfl__opts_read(&plan->query, sizeof plan->query, query, err));
    NFL_TRY(plan_check(&plan->query, err));
    const char *group_by = plan_is_text(plan->query.group_by) ? plan->query.group_by : NULL;
    const char *columns = plan_is_text(plan->query.columns) ? plan->query.columns : NULL;
    plan->bucketed = plan->query.bucket_us > 0;
    plan->grouped = group_by || plan->bucketed;
    plan->spread = (plan->query.flags & NFL_QUERY_SPREAD) != 0;
    plan->unscaled = (plan->query.flags & NFL_QUERY_UNSCALED) != 0;
    if (plan->bucketed) {
        plan_name time = {"columns", "time", 0, 4, 0};
        NFL_TRY(plan_add_output(plan, &time, nfl__field_row(NFL_FIELD_TIME), 0, err));
        plan->reads |= NFL_HAS(NFL_FIELD_FIRST) | (plan->spread ? NFL_HAS(NFL_FIELD_LAST) : 0);
    }
    if (group_by)
        NFL_TRY(plan_add_keys(plan, group_by, err));
    plan->narrow = 1;
    if (!plan->grouped)
        plan->row_words = 1; /* presence bits */
    if (!columns)
        columns = plan->grouped ? plan_group_columns : plan_record_columns;
    NFL_TRY(plan_add_columns(plan, columns, err));
    NFL_TRY(plan_set_order(plan, plan_is_text(plan->query.order_by) ? plan->query.order_by : NULL, err));
    if (plan->grouped)
        plan_lay_out_row(plan);
    plan_set_adding(plan);
    return NFL_OK;
}

#include "query/scan.h"

#include "base/error.h"
#include "query/biflow.h"
#include "query/derive.h"
#include "query/unique.h"

static const uint8_t scan_totalled[NFL__SCAN_TOTALS] = {NFL_FIELD_BYTES, NFL_FIELD_PACKETS, NFL_FIELD_FLOWS};
static const uint64_t scan_totals =
    NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_FLOWS);

nfl_status nfl__scan_open(nfl__scan *scan, const nfl__plan *plan, uint64_t reads, const nfl_alloc *alloc,
                          const nfl__scannable *store, nfl_error *err)
{
    const nfl_query *query = &plan->query;
    NFL_OPTS(nfl_filter_opts, opts, .alloc = alloc, .now_us = query->now_us,
             .list = query->filter_list, .list_ctx = query->filter_list_ctx);
    scan->unscaled = plan->unscaled;
    nfl__limits_begin(&scan->limits, query, store);
    scan->reads = reads | scan_totals;
    if (!scan->unscaled)
        scan->reads |= NFL_HAS(NFL_FIELD_SAMPLING);
    NFL_TRY(nfl__filter_new_window(query->filter, &opts, query->from_us, query->to_us, query->flags,
                                   &scan->filter, err));
    if (!nfl__filter_is_any(scan->filter))
        NFL_TRY(nfl__filter_scratch_new(scan->filter, alloc, &scan->scratch, err));
    scan->fields = scan->reads | plan->reads | nfl__filter_fields(scan->filter);
    if (query->flags & NFL_QUERY_UNIQUE)
        scan->fields |= NFL__UNIQUE_FIELDS;
    if (query->flags & NFL_QUERY_BIFLOW)
        NFL_TRY(nfl__biflow_new(query, alloc, scan->memory, &scan->limits, &scan->biflow, err));
    scan->store = store;
    return nfl__scan_again(scan, UINT64_MAX, err);
}

nfl_status nfl__scan_again(nfl__scan *scan, uint64_t most, nfl_error *err)
{
    if (scan->source)
        scan->source->ops->free(scan->source);
    scan->source = NULL;
    scan->stats = (nfl_query_stats){.struct_size = 0};
    scan->most = most;
    if (scan->unique)
        nfl__unique_again(scan->unique);
    NFL_TRY(scan->biflow ? nfl__biflow_open(scan->biflow, scan->store, scan->fields, &scan->source, err)
                         : scan->store->open(scan->store->self, scan->filter, scan->fields, &scan->source, err));
    if (scan->adding && most == UINT64_MAX) /* sums cannot be cut where a pass before ended */
        nfl__scan_add_up(scan, scan->adding);
    return NFL_OK;
}

void nfl__scan_add_up(nfl__scan *scan, const nfl__adding *adding)
{
    scan->adding = adding;
    if (scan->source->ops->add_up)
        scan->source->ops->add_up(scan->source, adding);
}

void nfl__scan_close(nfl__scan *scan)
{
    if (scan->source)
        scan->source->ops->free(scan->source);
    nfl__unique_free(scan->unique);
    nfl__biflow_free(scan->biflow);
    nfl__filter_scratch_free(scan->scratch);
    nfl_filter_free(scan->filter);
    scan->source = NULL;
    scan->scratch = NULL;
    scan->filter = NULL;
    scan->unique = NULL;
    scan->biflow = NULL;
}

static void scan_set_sampled(nfl__scan *scan)
{
    const nfl__column *sampling = nfl__scan_column(scan, NFL_FIELD_SAMPLING);
    scan->sampled =
        !scan->unscaled && sampling->form != NFL__COLUMN_NULL &&
        !(sampling->form == NFL__COLUMN_CONST && nfl__value_u64(sampling->values, sampling->width) <= 1);
}

/* Without a filter no scratch memory is needed either. */
static nfl_status scan_select(nfl__scan *scan, nfl_error *err)
{
    uint32_t rows = scan->source->batch.rows;
    if (scan->scratch && scan->source->sums != NFL__SUMS_WHOLE)
        return nfl__filter_select(scan->filter, scan->scratch, scan->source, scan->selected,
                                  &scan->selected_count, err);
    memset(scan->selected, 0xff, (rows + 63) / 64 * sizeof *scan->selected);
    if (rows % 64)
        scan->selected[rows / 64] = (UINT64_C(1) << rows % 64) - 1;
    scan->selected_count = rows;
    return NFL_OK;
}

static void scan_count_summed(nfl__scan *scan, uint64_t flows)
{
    scan->stats.rows_matched += flows;
    scan->stats.rows_summed += flows;
}

/* The next block, and what of it window and filter let pass: maybe nothing. */
static nfl_status scan_next_block(nfl__scan *scan, nfl_error *err)
{
    nfl__source *source = scan->source;
    NFL_TRY(nfl__limits_check(&scan->limits, 0, err));
    nfl_status status = nfl__source_next(source, err);
    scan->stats.blocks_read = source->blocks_read;
    scan->stats.blocks_skipped = source->blocks_skipped;
    scan->stats.rows_reduced = source->rows_reduced;
    if (status != NFL_OK)
        return status;
    scan->stats.rows_read += source->batch.rows;
    if (!scan->biflow) /* which counts what it reads, not what it makes of that */
        NFL_TRY(nfl__limits_check(&scan->limits, source->batch.rows, err));
    NFL_TRY(scan_select(scan, err));
    nfl__source_narrow(source, scan->selected);
    return NFL_OK;
}

static void scan_first_row(nfl__scan *scan)
{
    scan->dense = scan->selected_count == scan->source->batch.rows;
    scan->word = 0;
    scan->bits = scan->selected[0];
}

static nfl_status scan_drop_duplicates(nfl__scan *scan, nfl_error *err);

nfl_status nfl__scan_block(nfl__scan *scan, nfl_error *err)
{
    nfl__source *source = scan->source;
    if (scan->stats.rows_matched >= scan->most)
        return NFL_DONE;
    do {
        nfl_status status = scan_next_block(scan, err);
        if (status != NFL_OK)
            return status;
        if (scan->unique)
            NFL_TRY(scan_drop_duplicates(scan, err));
    } while (scan->selected_count == 0);
    if (source->sums == NFL__SUMS_WHOLE)
        scan_count_summed(scan, source->stands_for);
    NFL_TRY(nfl__source_need(source, scan->reads, err));
    scan_set_sampled(scan);
    scan_first_row(scan);
    return NFL_OK;
}

static void scan_set_rates(nfl__scan *scan)
{
    const nfl__column *sampling = nfl__scan_column(scan, NFL_FIELD_SAMPLING);
    for (uint32_t i = 0; i < scan->count; i++)
        scan->rates[i] =
            nfl__column_has(sampling, scan->rows[i]) ? (uint32_t)nfl__column_u64(sampling, scan->rows[i]) : 1;
}

/* Sum of a field over the rows. Numbers below 2^54 cannot overflow in one run of rows, so only larger ones are
 * added with care. */
static uint64_t scan_sum(const uint64_t *values, uint32_t count, uint64_t *all_bits)
{
    uint64_t sum = 0, bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += values[i];
        bits |= values[i];
    }
    *all_bits |= bits;
    if (bits >> 54 == 0)
        return sum;
    sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = nfl__add_saturated(sum, values[i]);
    return sum;
}

static void scan_add_totals(nfl__scan *scan)
{
    uint64_t *sums[NFL__SCAN_TOTALS] = {&scan->stats.bytes, &scan->stats.packets, &scan->stats.flows};
    uint64_t flows_before = scan->stats.flows;
    scan->total_bits = 0;
    for (uint32_t i = 0; i < NFL__SCAN_TOTALS; i++) {
        scan->totals[i] = NULL;
        scan->totals[i] = nfl__scan_numbers(scan, scan_totalled[i], scan->totalled[i]);
        *sums[i] = nfl__add_saturated(*sums[i], scan_sum(scan->totals[i], scan->count, &scan->total_bits));
    }
    if (scan->source->sums == NFL__SUMS_NONE)
        scan->stats.rows_matched += scan->count;
    else if (scan->source->sums == NFL__SUMS_CUT) /* nobody knows how many there were, but what they counted */
        scan_count_summed(scan, scan->stats.flows - flows_before);
}

/* The next rows of a block of which all are selected. */
static uint32_t scan_next_dense(nfl__scan *scan)
{
    uint32_t start = scan->word * 64, left = scan->source->batch.rows - start;
    uint32_t n = left < NFL__SCAN_ROWS ? left : NFL__SCAN_ROWS;
    for (uint32_t i = 0; i < n; i++)
        scan->rows[i] = start + i;
    scan->word += (n + 63) / 64;
    return n;
}

static uint32_t scan_next_selected(nfl__scan *scan)
{
    uint32_t words = (scan->source->batch.rows + 63) / 64, n = 0;
    while (n < NFL__SCAN_ROWS) {
        while (scan->bits == 0 && ++scan->word < words)
            scan->bits = scan->selected[scan->word];
        if (scan->word >= words)
            break;
        for (; scan->bits && n < NFL__SCAN_ROWS; scan->bits &= scan->bits - 1)
            scan->rows[n++] = scan->word * 64 + (uint32_t)__builtin_ctzll(scan->bits);
    }
    return n;
}

/* Go to the next rows of the block, and do nothing with them. */
static uint32_t scan_step(nfl__scan *scan)
{
    if (scan->word * 64 >= scan->source->batch.rows)
        scan->count = 0;
    else
        scan->count = scan->dense ? scan_next_dense(scan) : scan_next_selected(scan);
    return scan->count;
}

uint32_t nfl__scan_rows(nfl__scan *scan)
{
    scan_step(scan);
    if (!scan->source->sums && scan->count > scan->most - scan->stats.rows_matched)
        scan->count = (uint32_t)(scan->most - scan->stats.rows_matched);
    if (scan->count == 0)
        return 0;
    if (scan->sampled)
        scan_set_rates(scan);
    scan_add_totals(scan);
    return scan->count;
}

/* --- What several observation points saw ---- */

static nfl_status scan_drop_duplicates(nfl__scan *scan, nfl_error *err)
{
    uint8_t keep[NFL__SCAN_ROWS];
    uint32_t duplicates;
    if (scan->selected_count == 0)
        return NFL_OK;
    NFL_TRY(nfl__source_need(scan->source, NFL__UNIQUE_KEYS, err));
    scan_first_row(scan);
    while (scan_step(scan)) {
        NFL_TRY(nfl__unique_keep(scan->unique, scan, keep, &duplicates, err));
        scan->stats.rows_duplicate += duplicates;
        for (uint32_t i = 0; i < scan->count; i++) {
            scan->selected[scan->rows[i] / 64] &= ~((uint64_t)!keep[i] << scan->rows[i] % 64);
            scan->selected_count -= !keep[i];
        }
    }
    return NFL_OK;
}

static nfl_status scan_read_unique(nfl__scan *scan, nfl_error *err)
{
    nfl_status status;
    while ((status = scan_next_block(scan, err)) == NFL_OK) {
        if (scan->selected_count == 0)
            continue;
        NFL_TRY(nfl__source_need(scan->source, NFL__UNIQUE_FIELDS, err));
        scan_set_sampled(scan);
        scan_first_row(scan);
        while (scan_step(scan)) {
            scan_set_rates(scan);
            NFL_TRY(nfl__unique_add(scan->unique, scan, err));
        }
    }
    return status == NFL_DONE ? nfl__unique_choose(scan->unique, err) : status;
}

nfl_status nfl__scan_make_unique(nfl__scan *scan, nfl_error *err)
{
    uint8_t unscaled = scan->unscaled;
    NFL_TRY(nfl__unique_new(scan->memory, &scan->unique, err));
    scan->unscaled = 0; /* points are compared by what they saw, whatever is asked for */
    nfl_status status = scan_read_unique(scan, err);
    scan->unscaled = unscaled;
    return status == NFL_OK ? nfl__scan_again(scan, UINT64_MAX, err) : status;
}

/* --- Values ---- */

/* out[i] = values[i], whatever the width. */
static void scan_copy(const void *values, uint32_t width, uint32_t n, uint64_t *out)
{
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint8_t *)values)[i];
        break;
    case 2:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint16_t *)values)[i];
        break;
    case 4:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint32_t *)values)[i];
        break;
    default:
        memcpy(out, values, n * sizeof *out);
    }
}

/* out[i] = values[index[i]], whatever the width. */
static void scan_gather(const void *values, uint32_t width, const uint32_t *index, uint32_t n, uint64_t *out)
{
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint8_t *)values)[index[i]];
        break;
    case 2:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint16_t *)values)[index[i]];
        break;
    case 4:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint32_t *)values)[index[i]];
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint64_t *)values)[index[i]];
    }
}

static void scan_gather_dictionary(const nfl__column *column, const uint32_t *rows, uint32_t n, uint64_t *out)
{
    uint32_t codes[NFL__SCAN_ROWS];
    for (uint32_t i = 0; i < n; i++)
        codes[i] = column->codes[rows[i]];
    scan_gather(column->values, column->width, codes, n, out);
}

void nfl__scan_values(const nfl__scan *scan, uint32_t field, uint64_t *out)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    uint32_t n = scan->count;
    if (column->form == NFL__COLUMN_NULL) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    if (column->form == NFL__COLUMN_PLAIN && scan->dense)
        scan_copy((const uint8_t *)column->values + (size_t)scan->rows[0] * column->width, column->width, n, out);
    else if (column->form == NFL__COLUMN_PLAIN)
        scan_gather(column->values, column->width, scan->rows, n, out);
    else if (column->form == NFL__COLUMN_DICT)
        scan_gather_dictionary(column, scan->rows, n, out);
    else
        for (uint32_t i = 0; i < n; i++)
            out[i] = nfl__value_u64(column->values, column->width);
    if (column->valid)
        for (uint32_t i = 0; i < n; i++)
            out[i] = nfl__bit_get(column->valid, scan->rows[i]) ? out[i] : 0;
    if (scan->sampled && (NFL__SCALED_FIELDS & NFL_HAS(field)))
        for (uint32_t i = 0; i < n; i++)
            out[i] = nfl__scale(out[i], scan->rates[i]);
}

const uint64_t *nfl__scan_totalled(const nfl__scan *scan, uint32_t field)
{
    for (uint32_t i = 0; i < NFL__SCAN_TOTALS; i++)
        if (scan_totalled[i] == field)
            return scan->totals[i];
    return NULL;
}

const uint64_t *nfl__scan_numbers(const nfl__scan *scan, uint32_t field, uint64_t *room)
{
    const nfl__column *column = nfl__scan_column(scan, field);
    const uint64_t *totalled = nfl__scan_totalled(scan, field);
    if (totalled)
        return totalled;
    if (scan->dense && column->form == NFL__COLUMN_PLAIN && column->width == sizeof *room && !column->valid &&
        !(scan->sampled && (NFL__SCALED_FIELDS & NFL_HAS(field))))
        return (const uint64_t *)column->values + scan->rows[0];
    nfl__scan_values(scan, field, room);
    return room;
}

static int scan_stored(const nfl__scan *scan, uint32_t field, uint32_t row, uint64_t *out)
{
    const nfl__column *column = nfl__scan_column(scan, field),
                      *sampling = nfl__scan_column(scan, NFL_FIELD_SAMPLING);
    if (!nfl__column_has(column, row))
        return 0;
    *out = nfl__column_u64(column, row);
    if (scan->sampled && (NFL__SCALED_FIELDS & NFL_HAS(field)) && nfl__column_has(sampling, row))
        *out = nfl__scale(*out, (uint32_t)nfl__column_u64(sampling, row));
    return 1;
}

/* Bytes per packet are those of the packets that were seen; for rates the counters are scaled. */
static int scan_derived(const nfl__scan *scan, uint32_t field, uint32_t row, uint64_t *out)
{
    static const uint8_t fields[4] = {NFL_FIELD_FIRST, NFL_FIELD_LAST, NFL_FIELD_BYTES, NFL_FIELD_PACKETS};
    uint64_t reads = nfl__derive_reads(field), present = 0, numbers[4] = {0, 0, 0, 0};
    for (unsigned i = 0; i < 4; i++) {
        const nfl__column *column = nfl__scan_column(scan, fields[i]);
        if (!(reads & NFL_HAS(fields[i])))
            continue;
        int has = field == NFL_FIELD_BPP ? nfl__column_has(column, row)
                                         : scan_stored(scan, fields[i], row, &numbers[i]);
        if (has && field == NFL_FIELD_BPP)
            numbers[i] = nfl__column_u64(column, row);
        present |= has ? NFL_HAS(fields[i]) : 0;
    }
    nfl__derive_input input = {present, (nfl_usec)numbers[0], (nfl_usec)numbers[1], numbers[2], numbers[3]};
    return nfl__derive(field, &input, out);
}

int nfl__scan_value(const nfl__scan *scan, uint32_t field, uint32_t row, uint64_t *out)
{
    return field < NFL_FIELD_STORED_COUNT ? scan_stored(scan, field, row, out)
                                          : scan_derived(scan, field, row, out);
}

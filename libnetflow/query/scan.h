/* The matching rows of a source, some hundreds at a time, and their values as arrays of numbers.
 *
 *     while (nfl__scan_block(scan, err) == NFL_OK)           a block with at least one match
 *         while (nfl__scan_rows(scan))                       scan->rows[0 .. scan->count - 1]
 *             nfl__scan_numbers(scan, NFL_FIELD_BYTES, room) scaled, one per row
 *
 * The totals of all rows that went by are kept in `stats`.
 */
#ifndef NFL_QUERY_SCAN_H
#define NFL_QUERY_SCAN_H

#include <netflow/query.h>

#include "query/filter_plan.h"
#include "query/limits.h"
#include "query/plan.h"
#include "query/source.h"

#define NFL__SCAN_ROWS 1024u
#define NFL__SCAN_TOTALS 3u /* bytes, packets, flows */

struct nfl__unique;
struct nfl__biflow;

typedef struct nfl__scan {
    nfl_filter *filter;
    nfl__filter_scratch *scratch;
    nfl__source *source;
    const nfl__scannable *store;
    nfl__limits limits;
    uint64_t fields;         /* that may be loaded */
    const nfl__adding *adding; /* sums of flows will do; NULL = they will not */
    nfl__memory *memory; /* what unique and biflow hold is counted against it */
    struct nfl__biflow *biflow; /* both directions become one row (biflow.h); NULL = they do not */
    struct nfl__unique *unique; /* rows that count, of what several saw (unique.h); NULL = all */
    uint64_t most;           /* matching rows to go to */
    uint64_t reads;          /* fields loaded for every block with matches */
    uint64_t bits;           /* what is left of the current word of `selected` */
    uint32_t word;           /* its index */
    uint32_t count;          /* rows in `rows` */
    uint32_t selected_count; /* rows of the block */
    uint8_t unscaled;
    uint8_t sampled; /* some row of the block has a sampling rate above 1 */
    uint8_t dense;   /* the rows are consecutive */
    uint8_t reserved[5];
    nfl_query_stats stats;
    uint32_t rows[NFL__SCAN_ROWS];
    uint32_t rates[NFL__SCAN_ROWS];
    uint64_t values[NFL__SCAN_ROWS]; /* for whoever processes the rows */
    uint64_t total_bits; /* those that are set in any of the totals' values of the current rows */
    const uint64_t *totals[NFL__SCAN_TOTALS]; /* the rows' values of what is totalled */
    uint64_t totalled[NFL__SCAN_TOTALS][NFL__SCAN_ROWS];
    uint64_t selected[NFL__BATCH_ROWS / 64];
} nfl__scan;

/* Open a source. reads: fields to load for every block with matches; the plan's other fields may be loaded
 * with nfl__source_need(). *scan is zero before, but for `memory`, which a query with NFL_QUERY_UNIQUE or _BIFLOW needs and which
 * outlives the scan. store is kept. */
nfl_status nfl__scan_open(nfl__scan *scan, const nfl__plan *plan, uint64_t reads, const nfl_alloc *alloc,
                          const nfl__scannable *store, nfl_error *err);
void nfl__scan_close(nfl__scan *scan);

/* Say that sums of flows will do instead of flows; before the first block. adding outlives the scan. */
void nfl__scan_add_up(nfl__scan *scan, const nfl__adding *adding);

/* Leave out what other observation points saw better: reads all of the source once, and begins again. Before the first block.
 * NFL_E_LIMIT. */
nfl_status nfl__scan_make_unique(nfl__scan *scan, nfl_error *err);

/* Begin again, with new statistics, and end after `most` matching rows: since rows come in order of arrival, those that
 * arrived since the first time are left out. */
nfl_status nfl__scan_again(nfl__scan *scan, uint64_t most, nfl_error *err);

/* Go to the next block with a match and load its columns. NFL_OK, NFL_DONE or an error. */
nfl_status nfl__scan_block(nfl__scan *scan, nfl_error *err);

/* The next rows of the block; 0 when it is used up. Adds them to the totals. */
uint32_t nfl__scan_rows(nfl__scan *scan);

/* Values of a stored number for each of the rows, 0 where absent; counters are scaled. */
void nfl__scan_values(const nfl__scan *scan, uint32_t field, uint64_t *out);

/* The same without a copy where the values are there already: the result is `room`, or memory that is valid as long as
 * the current rows are. */
const uint64_t *nfl__scan_numbers(const nfl__scan *scan, uint32_t field, uint64_t *room);

/* The same for bytes, packets and flows, which are always there; NULL for other fields. */
const uint64_t *nfl__scan_totalled(const nfl__scan *scan, uint32_t field);

/* One stored or derived number of one row, scaled. 0 if the row does not have it. */
int nfl__scan_value(const nfl__scan *scan, uint32_t field, uint32_t row, uint64_t *out);

static inline const nfl__column *nfl__scan_column(const nfl__scan *scan, uint32_t field)
{
    return &scan->source->batch.columns[field];
}

#endif

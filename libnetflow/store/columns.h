/* A block of rows held column by column in memory: the block a writer is filling, and a journal's rows for
 * a reader.
 *
 * Capacity is fixed, rows are only added, so a source may keep a reference and the number of rows it saw:
 * what lies below that number never changes. Only fields that some row has take memory. The valid bits tell
 * what was sent; fields of NFL__FIELDS_ALWAYS have a value in every row nevertheless.
 */
#ifndef NFL_STORE_COLUMNS_H
#define NFL_STORE_COLUMNS_H

#include "base/alloc.h"
#include "query/batch.h"
#include "query/source.h"
#include "record/fields.h"

#define NFL__FIELDS_STORED (UINT64_MAX >> (64 - NFL_FIELD_STORED_COUNT))

/* Earliest and latest times of some rows; empty when rows is 0. */
typedef struct nfl__extent {
    uint64_t rows;
    nfl_usec received_min, received_max;
    nfl_usec first_min, first_max;
} nfl__extent;

void nfl__extent_add(nfl__extent *extent, const nfl__extent *more);
void nfl__extent_add_flow(nfl__extent *extent, const nfl_flow *flow);

typedef struct nfl__columns {
    nfl__memory memory;
    uint32_t references;
    uint32_t capacity;
    uint32_t rows;
    uint64_t fields; /* NFL_HAS() bits of the columns that have memory */
    void *values[NFL_FIELD_STORED_COUNT];
    uint64_t *valid[NFL_FIELD_STORED_COUNT];
} nfl__columns;

/* NULL when out of memory. One reference. */
nfl__columns *nfl__columns_new(const nfl_alloc *alloc, uint32_t capacity);
void nfl__columns_retain(nfl__columns *columns);
void nfl__columns_release(nfl__columns *columns); /* NULL is a no-op */

/* Empty again, its memory kept; nobody else holds a reference. */
void nfl__columns_clear(nfl__columns *columns);

/* Fields a row takes memory for. */
uint64_t nfl__columns_fields_of(const nfl_flow *flow);

/* Make memory for these fields; 0 when out of memory. */
int nfl__columns_reserve(nfl__columns *columns, uint64_t fields);

/* Add up to NFL__COLUMNS_STEP rows, `stride` bytes apart, each of the size of this library's nfl_flow; there is room and their
 * fields are reserved. Column by column, which is several times faster than row by row. */
#define NFL__COLUMNS_STEP 64u
void nfl__columns_add(nfl__columns *columns, const nfl_flow *flows, uint32_t n, size_t stride);

/* Add rows from .. from + n - 1 of a batch with all columns loaded; there is room, memory is made as needed. 0 when out of
 * memory (nothing is added). */
int nfl__columns_append(nfl__columns *columns, const nfl__batch *batch, uint32_t from, uint32_t n);

/* The first `rows` rows of a field as a batch column. */
void nfl__columns_view(const nfl__columns *columns, uint32_t rows, uint32_t field, nfl__column *out);

/* One row as it was added, members that were not sent 0. */
void nfl__columns_row(const nfl__columns *columns, uint32_t row, nfl_flow *out);

/* Smallest and largest value of n values of a field; valid NULL = all count. */
void nfl__zone_compute(nfl__zone *zone, uint32_t field, const void *values, const uint64_t *valid, uint32_t n);

#endif

/* Inside of a cursor: the state of a query that runs (listing) or has run (groups, sorted records). */
#ifndef NFL_QUERY_CURSOR_H
#define NFL_QUERY_CURSOR_H

#include "query/group.h"
#include "query/having.h"
#include "query/page.h"
#include "query/scan.h"
#include "query/top.h"

struct nfl_cursor {
    nfl__memory memory; /* counts against the query's budget */
    nfl__plan plan;
    nfl__scannable store;
    nfl_query_stats stats; /* of a finished scan */
    nfl__scan *scan;       /* listing: open to the end */
    nfl__addresses addresses; /* of narrow keys */
    nfl__groups groups;
    nfl__table totals;  /* groups regardless of the bucket */
    nfl__pool records;  /* kept for sorting */
    nfl__top top;
    nfl__having having;
    nfl__page page;
    uint64_t returned;    /* rows */
    uint64_t passed_over; /* rows before them */
    size_t at;            /* next item of `top`, or next of the scan's rows */
    const uint64_t *row;  /* current group or record */
    nfl_status failed;    /* what ended it, or NFL_OK */
    uint8_t on_row;       /* a row is current */
    uint8_t finished;     /* listing: the source is used up */
    uint8_t retained;     /* the store has been */
    uint8_t reserved;
    uint32_t streams; /* that hold it besides its owner */
};

/* Hold the cursor until nfl_cursor_free(), which is to be called once more then. */
nfl_cursor *nfl__cursor_retain(nfl_cursor *cursor);

/* A value of a group. out is zero but for struct_size. */
void nfl__cursor_group_value(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group,
                             const nfl__output *output, nfl_value *out);

/* The same of a stored field, by number: a key or measure; absent if it is neither. */
void nfl__cursor_field_value(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group, uint32_t field,
                             nfl_value *out);

/* A value of a group or kept record as the key it is ordered by. 0 if it is absent. */
int nfl__cursor_order_key(const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *row, nfl__key *out);

/* Remember how much memory is in use. */
void nfl__cursor_note_memory(nfl_cursor *cursor);

#endif

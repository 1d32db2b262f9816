/* Tables for people: columns as wide as what is in them, a gauge at the right, a total at the end. */
#ifndef NETFLOW_TOOL_TABLE_H
#define NETFLOW_TOOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Most columns of a table: every field there is, and some room. */
#define TABLE_COLUMNS 80

/* What stands at the right of each row. */
enum { TABLE_PLAIN, TABLE_SHARE, TABLE_BAR };

typedef struct table_column {
    const char *title;
    int right; /* numbers: aligned at the right */
    size_t width;
} table_column;

typedef struct table {
    table_column columns[TABLE_COLUMNS];
    size_t column_count;
    size_t shown; /* the first so many columns fit the terminal */
    size_t hold;  /* rows kept before the first are printed */
    size_t rows;
    size_t total_row;    /* SIZE_MAX = none */
    int gauge;           /* TABLE_* */
    int started;         /* the header is printed */
    uint64_t gauge_full; /* weight of 100 % or of the longest bar */
    char *text;          /* cells of the held rows, each with its NUL */
    size_t text_len, text_room;
    uint64_t *weights; /* one for each held row */
    size_t weight_room;
} table;

/* Start a table that looks at `hold` rows before it decides how wide columns are; 0 = all. */
void table_init(table *t, size_t hold);

void table_add_column(table *t, const char *title, int right);

/* Next cell of the current row, from left to right. */
void table_cell(table *t, const char *text);

/* The row's cells are all there. `weight`: for the gauge. */
void table_end_row(table *t, uint64_t weight);

/* The next row is the total. */
void table_total(table *t);

/* Print what is held and free it. */
void table_done(table *t);

#endif

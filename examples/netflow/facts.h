/* One thing told by named values: a summary, a report. */
#ifndef NETFLOW_TOOL_FACTS_H
#define NETFLOW_TOOL_FACTS_H

#include "table.h"

#include <netflow/flow.h>

#include <stdint.h>

/* How a fact is written. */
enum {
    FACT_COUNT,   /* number */
    FACT_TROUBLE, /* number; for people only when it is not 0 */
    FACT_BYTES,   /* number; for people with units too */
    FACT_TIME,    /* nfl_usec; 0 = none */
    FACT_TEXT
};

typedef struct fact {
    const char *name;  /* JSON key, CSV column */
    const char *label; /* for people */
    int kind;
    uint64_t number;
    const char *text;
} fact;

/* One row of texts in the asked-for format; table NULL unless that is the table's. */
void facts_row(const char *const *keys, const char *const *texts, size_t count, uint32_t format, table *t);

/* Print facts as lines for people, as CSV or as one JSON object. */
void facts_print(const fact *facts, size_t count, uint32_t format);

/* A counter with a unit, for people: "4.4 M". */
const char *fact_human(uint64_t number, char text[NFL_VALUE_TEXT_SIZE]);

#endif

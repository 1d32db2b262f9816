/* Fields of records for people: names of elements, values by their types, lists opened. */
#ifndef NETFLOW_TOOL_DECODE_NAMES_H
#define NETFLOW_TOOL_DECODE_NAMES_H

#include <netflow/parser.h>

/* Where a record comes from. */
typedef struct decode_source {
    const nfl_parser *parser;
    const nfl_ip *exporter;
    uint32_t domain;
    uint16_t version;
} decode_source;

/* The fields of the parser's current record as a JSON array of [name, value] or [name, value, name of the value]. */
void decode_named_fields(const decode_source *source);

#endif

/* Fields of records for people: elements by name, values by type, lists opened (netflow decode --names). */
#ifndef NETFLOW_TOOL_DECODE_NAMES_H
#define NETFLOW_TOOL_DECODE_NAMES_H

#include <netflow/parser.h>

/* Print the fields of the parser's current record as a JSON array of [name, value] pairs, in the order sent. */
void decode_named_fields(const nfl_parser *parser, const nfl_event *event);

#endif

/* The current row of a cursor as a JSON object, one member a column. */
#ifndef NETFLOWD_ROW_H
#define NETFLOWD_ROW_H

#include "json.h"

#include <netflow/query.h>

void row_write(const nfl_cursor *cursor, json *j);

#endif

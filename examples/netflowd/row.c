#include "row.h"

void row_write(const nfl_cursor *cursor, json *j)
{
    json_open(j, '{');
    for (uint32_t i = 0; i < nfl_cursor_columns(cursor); i++) {
        nfl_column_info column = {.struct_size = sizeof column};
        nfl_value value = {.struct_size = sizeof value};
        if (nfl_cursor_column(cursor, i, &column) < 0)
            continue;
        nfl_cursor_get(cursor, i, &value);
        json_key(j, column.name);
        json_value(j, &value);
    }
    json_close(j, '}');
}

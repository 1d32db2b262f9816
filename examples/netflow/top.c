/* netflow top: the groups of flows with the most bytes, packets or flows. */
#include "commands.h"
#include "results.h"
#include "table.h"

int command_top(const options *given)
{
    nfl_query query = {.group_by = given->by, .columns = given->columns, .order_by = given->order, .having = given->having};
    return results_run(given, &query, TABLE_SHARE);
}

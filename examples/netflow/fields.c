/* netflow fields: names for --by, --order, --columns and filters. */
#include "commands.h"
#include "facts.h"
#include "report.h"
#include "table.h"

#include <netflow/flow.h>

static const char *fields_kind(const nfl_field_info *info)
{
    static const char *const names[] = {
        [NFL_KIND_NUMBER] = "number",     [NFL_KIND_COUNTER] = "counter", [NFL_KIND_TIME] = "time",
        [NFL_KIND_DURATION] = "duration", [NFL_KIND_ADDRESS] = "address", [NFL_KIND_PORT] = "port",
        [NFL_KIND_PROTO] = "protocol",    [NFL_KIND_FLAGS] = "flags",     [NFL_KIND_MAC] = "mac",
        [NFL_KIND_APP] = "application",   [NFL_KIND_COUNTRY] = "country"};
    return info->kind < sizeof names / sizeof *names && names[info->kind] ? names[info->kind] : "";
}

static void fields_print(const nfl_field_info *info, uint32_t format, table *t)
{
    static const char *const keys[] = {"name", "aliases", "kind", "doc"};
    const char *const texts[] = {info->name, info->aliases, fields_kind(info), info->doc};
    facts_row(keys, texts, 4, format, t);
}

int command_fields(const options *given)
{
    table t;
    table_init(&t, 0);
    table_add_column(&t, "Name", 0);
    table_add_column(&t, "Also", 0);
    table_add_column(&t, "Kind", 0);
    table_add_column(&t, "Meaning", 0);
    if (given->format == FORMAT_CSV)
        fputs("name,aliases,kind,doc\r\n", stdout);
    for (uint32_t field = 0; field < NFL_FIELD_NONE; field++) {
        nfl_field_info info = {.struct_size = sizeof info};
        if (nfl_field_get(field, &info) == NFL_OK)
            fields_print(&info, given->format, &t);
    }
    if (given->format == FORMAT_TABLE)
        table_done(&t);
    return report_output(EXIT_DONE);
}

/* netflow hold, release, holds: flows that nothing may drop. The store's writer may run meanwhile. */
#include "commands.h"
#include "facts.h"
#include "report.h"
#include "results.h"
#include "table.h"

#include <netflow/store.h>
#include <netflow/time.h>

#include <string.h>

static int holds_text(char *dst, size_t size, const char *text, const char *what)
{
    if (strlen(text) >= size) {
        complain("the %s has %zu bytes, at most %zu are possible", what, strlen(text), size - 1);
        return 0;
    }
    memcpy(dst, text, strlen(text) + 1);
    return 1;
}

static int holds_end(nfl_store *store, const options *given, nfl_status status, const nfl_error *err)
{
    nfl_store_free(store);
    if (status >= 0)
        return EXIT_DONE;
    complain_about(given->store, err);
    return EXIT_FAILED;
}

int command_hold(const options *given)
{
    NFL_OPTS(nfl_hold, hold, .from_us = given->from_us, .to_us = given->to_us);
    nfl_store *store = NULL;
    nfl_error err;
    const char *note = given->argument_count > 1 ? given->arguments[1] : "";
    if (!holds_text(hold.name, sizeof hold.name, given->arguments[0], "name") ||
        !holds_text(hold.note, sizeof hold.note, note, "note"))
        return EXIT_USAGE;
    if (!store_open_to_read(given, &store))
        return EXIT_FAILED;
    return holds_end(store, given, nfl_store_hold(store, &hold, &err), &err);
}

int command_release(const options *given)
{
    nfl_store *store = NULL;
    nfl_error err;
    if (!store_open_to_read(given, &store))
        return EXIT_FAILED;
    return holds_end(store, given, nfl_store_release(store, given->arguments[0], &err), &err);
}

static void holds_print(const nfl_hold *hold, uint32_t format, table *t)
{
    static const char *const keys[] = {"name", "from", "to", "note"};
    char from[NFL_TIME_TEXT_SIZE], to[NFL_TIME_TEXT_SIZE];
    const char *const texts[] = {hold->name, from, to, hold->note};
    nfl_time_format(hold->from_us, from, sizeof from);
    nfl_time_format(hold->to_us, to, sizeof to);
    facts_row(keys, texts, 4, format, t);
}

int command_holds(const options *given)
{
    nfl_store *store = NULL;
    nfl_error err;
    NFL_OPTS(nfl_hold, hold, .from_us = 0);
    nfl_status status;
    table t;
    if (!store_open_to_read(given, &store))
        return EXIT_FAILED;
    table_init(&t, 0);
    table_add_column(&t, "Name", 0);
    table_add_column(&t, "From", 0);
    table_add_column(&t, "To", 0);
    table_add_column(&t, "Note", 0);
    if (given->format == FORMAT_CSV)
        fputs("name,from,to,note\r\n", stdout);
    for (size_t i = 0; (status = nfl_store_get_hold(store, i, &hold, &err)) == NFL_OK; i++)
        holds_print(&hold, given->format, &t);
    if (given->format == FORMAT_TABLE)
        table_done(&t);
    int ended = holds_end(store, given, status, &err);
    return ended == EXIT_DONE ? report_output(EXIT_DONE) : ended;
}

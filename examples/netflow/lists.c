#include "lists.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than the library takes values, at 45 bytes for the longest address. */
enum { LISTS_MAX_BYTES = 64 << 20, LISTS_STEP_BYTES = 64 << 10 };

static nfl_status lists_fail(nfl_error *err, nfl_status status, const char *message)
{
    err->code = status;
    snprintf(err->message, sizeof err->message, "%s", message);
    return status;
}

nfl_status lists_read(void *context, const char *path, const char **text, size_t *len, nfl_error *err)
{
    list_files *l = context;
    FILE *file = fopen(path, "rb");
    size_t count = 0, room = 0, got;
    if (!file)
        return lists_fail(err, errno == ENOENT ? NFL_E_NOT_FOUND : NFL_E_IO, strerror(errno));
    do {
        if (count == room)
            l->text = tool_grow(l->text, room = room ? 2 * room : LISTS_STEP_BYTES);
        got = fread(l->text + count, 1, room - count, file);
        count += got;
    } while (got > 0 && count <= LISTS_MAX_BYTES);
    int failure = ferror(file) ? errno : 0;
    fclose(file);
    if (failure)
        return lists_fail(err, NFL_E_IO, strerror(failure));
    if (count > LISTS_MAX_BYTES)
        return lists_fail(err, NFL_E_LIMIT, "longer than 64 MiB");
    *text = l->text;
    *len = count;
    return NFL_OK;
}

void lists_done(list_files *l)
{
    free(l->text);
    l->text = NULL;
}

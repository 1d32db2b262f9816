#include "templates.h"

#include "files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATES_FILE_MAX = 64 << 20 };

static void templates_path(const char *store, char *path, size_t capacity)
{
    snprintf(path, capacity, "%s/templates", store);
}

static void templates_complain(const char *path, const char *why)
{
    fprintf(stderr, "netflowd: %s: %s\n", path, why);
}

void templates_load(nfl_parser *parser, const char *store, nfl_usec now_us)
{
    char path[PATH_MAX], *data;
    size_t len;
    nfl_error err;
    templates_path(store, path, sizeof path);
    int result = files_read(path, TEMPLATES_FILE_MAX, &data, &len);
    if (result == ENOENT)
        return;
    if (result) {
        templates_complain(path, strerror(result));
        return;
    }
    if (nfl_parser_load(parser, data, len, now_us, &err) < 0)
        templates_complain(path, err.message);
    free(data);
}

void templates_save(const nfl_parser *parser, const char *store)
{
    char path[PATH_MAX];
    size_t need = 0;
    nfl_error err;
    templates_path(store, path, sizeof path);
    (void)!nfl_parser_save(parser, NULL, 0, &need, NULL); /* asks for the size */
    void *data = malloc(need ? need : 1);
    int result = data ? 0 : ENOMEM;
    if (data && nfl_parser_save(parser, data, need, &need, &err) < 0) {
        templates_complain(path, err.message);
        free(data);
        return;
    }
    if (!result)
        result = files_replace(path, data, need);
    if (result)
        templates_complain(path, strerror(result));
    free(data);
}

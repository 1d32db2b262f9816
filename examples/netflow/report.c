#include "report.h"

#include "options.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *report_name = "";

void report_set_name(const char *name)
{
    report_name = name;
}

void complain(const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(stderr, "netflow%s%s: ", report_name[0] ? " " : "", report_name);
    text_print(stderr, text);
    fputc('\n', stderr);
}

void complain_about(const char *path, const nfl_error *err)
{
    if (strstr(err->message, path))
        complain("%s", err->message);
    else
        complain("%s: %s", path, err->message);
}

void complain_at(const nfl_error *err, const char *name, const char *text)
{
    complain("%s: %s", name, err->message);
    if (err->offset > strlen(text))
        return;
    fputs("  ", stderr);
    text_print(stderr, text);
    fprintf(stderr, "\n  %*s^\n", (int)text_width(text, (size_t)err->offset), "");
}

int report_output(int status)
{
    int failed = fflush(stdout) != 0;
    if (!failed && !ferror(stdout))
        return status;
    complain("standard output: %s", failed ? strerror(errno) : "could not be written");
    return EXIT_FAILED;
}

void *tool_grow(void *block, size_t bytes)
{
    void *grown = realloc(block, bytes);
    if (!grown) {
        complain("no memory for %zu bytes", bytes);
        exit(EXIT_FAILED);
    }
    return grown;
}

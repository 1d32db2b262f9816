/* What goes to standard error, and whether standard output could be written. */
#ifndef NETFLOW_TOOL_REPORT_H
#define NETFLOW_TOOL_REPORT_H

#include <netflow/base.h>

/* Name in front of messages: "netflow top". */
void report_set_name(const char *name);

/* Print "netflow top: message", control characters made harmless. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Print err's message about a file or store; most messages name it themselves. */
void complain_about(const char *path, const nfl_error *err);

/* Print err's message and, where it has a column, `text` with a caret under that column. `name`: what the text is. */
void complain_at(const nfl_error *err, const char *name, const char *text);

/* `status`, or EXIT_FAILED after a message when standard output could not be written. */
int report_output(int status);

/* malloc and realloc for the tool: never NULL; says so and exits when there is no memory. */
void *tool_grow(void *block, size_t bytes);

#endif

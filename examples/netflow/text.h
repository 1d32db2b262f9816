/* Text that may come from the network, written so that it cannot command a terminal or break a format. */
#ifndef NETFLOW_TOOL_TEXT_H
#define NETFLOW_TOOL_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* 1 if the locale's characters are UTF-8. */
int text_is_utf8(void);

/* Print for people: control characters and broken UTF-8 become '?'; in other locales all that is not ASCII. */
void text_print(FILE *to, const char *text);

/* Columns that the first `len` bytes of `text` take when printed by text_print(). */
size_t text_width(const char *text, size_t len);

/* Print as a JSON string with its quotes. */
void text_print_json(FILE *to, const char *text);

/* Print as a CSV field (RFC 4180). */
void text_print_csv(FILE *to, const char *text);

#endif

/* JSON writer over a growing buffer, and a checker for lines read back from disk.
 *
 * Commas come by themselves. A failed allocation is remembered: write on, then ask json_ok() once.
 * Text is escaped strictly; bytes that are no UTF-8 become U+FFFD. Numbers above 2^53 are written as strings,
 * because readers that hold numbers in doubles would round them. */
#ifndef NETFLOWD_JSON_H
#define NETFLOWD_JSON_H

#include <netflow/flow.h>

typedef struct json {
    char *data;
    size_t len;
    size_t capacity;
    int failed;
    int needs_comma;
} json;

void json_done(json *j);
int json_ok(const json *j);

void json_open(json *j, char bracket);
void json_close(json *j, char bracket);
void json_key(json *j, const char *key);

void json_text(json *j, const char *text);
void json_text_or_null(json *j, const char *text);
void json_u64(json *j, uint64_t number);
void json_double(json *j, double number);
void json_bool(json *j, int value);
void json_time(json *j, nfl_usec time_us); /* null when 0 */
void json_ip(json *j, const nfl_ip *ip);
void json_value(json *j, const nfl_value *value);
void json_raw(json *j, const char *value, size_t len); /* a complete value, as it is */

void json_line_feed(json *j); /* ends a line of JSON lines */

/* A key and its value. */
void json_pair_text(json *j, const char *key, const char *text);
void json_pair_u64(json *j, const char *key, uint64_t number);
void json_pair_time(json *j, const char *key, nfl_usec time_us);

/* Is it one complete JSON value? */
int json_valid(const char *text, size_t len);

#endif

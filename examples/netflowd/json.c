#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <netflow/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_SAFE_INTEGER (UINT64_C(1) << 53)

void json_done(json *j)
{
    free(j->data);
    *j = (json){0};
}

int json_ok(const json *j)
{
    return !j->failed;
}

static void json_put(json *j, const char *bytes, size_t len)
{
    if (j->failed)
        return;
    if (j->capacity - j->len < len) {
        size_t capacity = (j->capacity + len) * 2 + 256;
        char *data = realloc(j->data, capacity);
        if (!data) {
            j->failed = 1;
            return;
        }
        j->data = data;
        j->capacity = capacity;
    }
    memcpy(j->data + j->len, bytes, len);
    j->len += len;
}

static void json_before_value(json *j)
{
    if (j->needs_comma)
        json_put(j, ",", 1);
    j->needs_comma = 1;
}

void json_open(json *j, char bracket)
{
    json_before_value(j);
    json_put(j, &bracket, 1);
    j->needs_comma = 0;
}

void json_close(json *j, char bracket)
{
    json_put(j, &bracket, 1);
    j->needs_comma = 1;
}

/* Length of the UTF-8 sequence at the start of text (RFC 3629), or 0. Stops at the terminating NUL. */
static size_t json_utf8_len(const char *text)
{
    const unsigned char *t = (const unsigned char *)text;
    if (t[0] < 0x80)
        return 1;
    size_t len = t[0] >= 0xc2 && t[0] <= 0xdf   ? 2
                 : t[0] >= 0xe0 && t[0] <= 0xef ? 3
                 : t[0] >= 0xf0 && t[0] <= 0xf4 ? 4
                                                : 0;
    for (size_t i = 1; i < len; i++)
        if ((t[i] & 0xc0) != 0x80)
            return 0;
    int overlong = (t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xf0 && t[1] < 0x90);
    int surrogate = t[0] == 0xed && t[1] > 0x9f;
    int too_large = t[0] == 0xf4 && t[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : len;
}

static void json_put_text(json *j, const char *text)
{
    json_put(j, "\"", 1);
    while (*text) {
        size_t len = json_utf8_len(text);
        unsigned char c = (unsigned char)*text;
        if (len == 0) {
            json_put(j, "\xef\xbf\xbd", 3);
            len = 1;
        } else if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            json_put(j, escaped, 2);
        } else if (c < 0x20 || c == 0x7f) {
            char escaped[8];
            json_put(j, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
        } else {
            json_put(j, text, len);
        }
        text += len;
    }
    json_put(j, "\"", 1);
}

void json_key(json *j, const char *key)
{
    json_before_value(j);
    json_put_text(j, key);
    json_put(j, ":", 1);
    j->needs_comma = 0;
}

void json_text(json *j, const char *text)
{
    json_before_value(j);
    json_put_text(j, text);
}

void json_raw(json *j, const char *value, size_t len)
{
    json_before_value(j);
    json_put(j, value, len);
}

void json_line_feed(json *j)
{
    json_put(j, "\n", 1);
    j->needs_comma = 0;
}

void json_text_or_null(json *j, const char *text)
{
    if (text)
        json_text(j, text);
    else
        json_raw(j, "null", 4);
}

void json_u64(json *j, uint64_t number)
{
    char text[32];
    const char *form = number > JSON_SAFE_INTEGER ? "\"%" PRIu64 "\"" : "%" PRIu64;
    json_raw(j, text, (size_t)snprintf(text, sizeof text, form, number));
}

void json_double(json *j, double number)
{
    char text[32];
    if (!isfinite(number))
        json_raw(j, "null", 4);
    else
        json_raw(j, text, (size_t)snprintf(text, sizeof text, "%.10g", number));
}

void json_bool(json *j, int value)
{
    json_raw(j, value ? "true" : "false", value ? 4 : 5);
}

void json_time(json *j, nfl_usec time_us)
{
    char text[NFL_TIME_TEXT_SIZE];
    nfl_time_format(time_us, text, sizeof text);
    json_text_or_null(j, time_us ? text : NULL);
}

void json_ip(json *j, const nfl_ip *ip)
{
    char text[NFL_IP_TEXT_SIZE];
    nfl_ip_format(ip, text, sizeof text);
    json_text(j, text);
}

void json_value(json *j, const nfl_value *value)
{
    char text[NFL_VALUE_TEXT_SIZE];
    int plain_number = value->kind == NFL_KIND_NUMBER || value->kind == NFL_KIND_COUNTER;
    if (value->present && plain_number && value->u64 > JSON_SAFE_INTEGER)
        json_u64(j, value->u64);
    else
        json_raw(j, text, nfl_value_format(value, NFL_TEXT_JSON, text, sizeof text));
}

void json_pair_text(json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_text_or_null(j, text);
}

void json_pair_u64(json *j, const char *key, uint64_t number)
{
    json_key(j, key);
    json_u64(j, number);
}

void json_pair_time(json *j, const char *key, nfl_usec time_us)
{
    json_key(j, key);
    json_time(j, time_us);
}

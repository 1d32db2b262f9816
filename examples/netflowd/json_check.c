/* json_valid(): RFC 8259 grammar without building anything. */
#include "json.h"

#include <string.h>

enum { JSON_DEPTH = 16 };

typedef struct json_scan {
    const char *at;
    const char *end;
    int depth;
} json_scan;

static int json_scan_value(json_scan *s);

static void json_skip_space(json_scan *s)
{
    while (s->at < s->end && memchr(" \t\r\n", *s->at, 4))
        s->at++;
}

static int json_take(json_scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return 0;
    s->at++;
    return 1;
}

static int json_take_word(json_scan *s, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return 0;
    s->at += len;
    return 1;
}

static int json_scan_escape(json_scan *s)
{
    if (s->at == s->end)
        return 0;
    char c = *s->at++;
    if (c != 'u')
        return memchr("\"\\/bfnrt", c, 8) != NULL;
    for (int i = 0; i < 4; i++, s->at++)
        if (s->at == s->end || !memchr("0123456789abcdefABCDEF", *s->at, 22))
            return 0;
    return 1;
}

static int json_scan_text(json_scan *s)
{
    if (!json_take(s, '"'))
        return 0;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at++;
        if (c == '"')
            return 1;
        if (c < 0x20 || (c == '\\' && !json_scan_escape(s)))
            return 0;
    }
    return 0;
}

static int json_scan_digits(json_scan *s)
{
    const char *start = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start;
}

static int json_scan_number(json_scan *s)
{
    (void)json_take(s, '-');
    int zero = s->at < s->end && *s->at == '0';
    const char *start = s->at;
    if (!json_scan_digits(s) || (zero && s->at > start + 1))
        return 0;
    if (json_take(s, '.') && !json_scan_digits(s))
        return 0;
    if (json_take(s, 'e') || json_take(s, 'E')) {
        if (!json_take(s, '+'))
            (void)json_take(s, '-');
        return json_scan_digits(s);
    }
    return 1;
}

static int json_scan_member(json_scan *s)
{
    json_skip_space(s);
    if (!json_scan_text(s))
        return 0;
    json_skip_space(s);
    return json_take(s, ':') && json_scan_value(s);
}

static int json_scan_items(json_scan *s, char close, int (*item)(json_scan *))
{
    if (++s->depth > JSON_DEPTH)
        return 0;
    s->at++;
    json_skip_space(s);
    if (json_take(s, close)) {
        s->depth--;
        return 1;
    }
    do {
        if (!item(s))
            return 0;
        json_skip_space(s);
    } while (json_take(s, ','));
    s->depth--;
    return json_take(s, close);
}

static int json_scan_value(json_scan *s)
{
    json_skip_space(s);
    if (s->at == s->end)
        return 0;
    switch (*s->at) {
    case '{':
        return json_scan_items(s, '}', json_scan_member);
    case '[':
        return json_scan_items(s, ']', json_scan_value);
    case '"':
        return json_scan_text(s);
    case 't':
        return json_take_word(s, "true");
    case 'f':
        return json_take_word(s, "false");
    case 'n':
        return json_take_word(s, "null");
    default:
        return json_scan_number(s);
    }
}

int json_valid(const char *text, size_t len)
{
    json_scan s = {.at = text, .end = text + len};
    if (!json_scan_value(&s))
        return 0;
    json_skip_space(&s);
    return s.at == s.end;
}

#include "text.h"

#include <langinfo.h>
#include <string.h>

int text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Bytes of the UTF-8 character at `p` (RFC 3629), or 0 if it is none; *code is its number. */
static size_t text_character(const unsigned char *p, unsigned *code)
{
    static const struct {
        unsigned char mask, lead;
        unsigned lowest;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t len = 1; len <= 4; len++) {
        if ((p[0] & forms[len - 1].mask) != forms[len - 1].lead)
            continue;
        *code = p[0] & (unsigned char)~forms[len - 1].mask;
        for (size_t i = 1; i < len; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            *code = *code << 6 | (p[i] & 0x3fu);
        }
        int good = *code >= forms[len - 1].lowest && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff);
        return good ? len : 0;
    }
    return 0;
}

/* C0, DEL, C1, and the characters that change the direction of text (UAX 9). */
static int text_is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void text_print(FILE *to, const char *text)
{
    int utf8 = text_is_utf8();
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        unsigned code = 0;
        size_t len = text_character(p, &code);
        if (len == 0 || text_is_control(code))
            fputc('?', to);
        else if (len > 1 && !utf8)
            fputc(code == 0xb7 ? '.' : '?', to); /* the middle dot of flags that are not set */
        else
            fwrite(p, 1, len, to);
        p += len ? len : 1;
    }
}

size_t text_width(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t width = 0;
    for (size_t i = 0; i < len && p[i]; width++) {
        unsigned code = 0;
        size_t step = text_character(p + i, &code);
        i += step ? step : 1;
    }
    return width;
}

void text_print_json(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        unsigned code = 0;
        size_t len = text_character(p, &code);
        if (len == 0)
            fputs("\\ufffd", to);
        else if (code == '"' || code == '\\')
            fprintf(to, "\\%c", (char)code);
        else if (text_is_control(code))
            fprintf(to, "\\u%04x", code);
        else
            fwrite(p, 1, len, to);
        p += len ? len : 1;
    }
    fputc('"', to);
}

void text_print_csv(FILE *to, const char *text)
{
    int quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        unsigned code = 0;
        size_t len = text_character(p, &code);
        if (len == 0 || text_is_control(code))
            fputc('?', to);
        else
            fwrite(p, 1, len, to);
        if (code == '"')
            fputc('"', to);
        p += len ? len : 1;
    }
    if (quoted)
        fputc('"', to);
}

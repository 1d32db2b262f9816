/* Writing text of values into a caller's buffer, and the one form of times that is not public. */
#ifndef NFL_RECORD_TEXT_H
#define NFL_RECORD_TEXT_H

#include <netflow/base.h>

#include <string.h>

/* Copy len bytes of text, cut to fit and terminated when cap > 0. Returns len: how every nfl_*_format ends. */
static inline size_t nfl__text_copy(char *dst, size_t cap, const char *text, size_t len)
{
    if (cap) {
        size_t n = len < cap ? len : cap - 1;
        memcpy(dst, text, n);
        dst[n] = 0;
    }
    return len;
}

static inline char nfl__text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Is name (len bytes, case ignored) the NUL-terminated lower-case word? */
static inline int nfl__text_is(const char *word, const char *name, size_t len)
{
    size_t i = 0;
    while (i < len && word[i] && word[i] == nfl__text_lower(name[i]))
        i++;
    return i == len && word[i] == 0;
}

/* The two digits of a number below 100. */
static inline void nfl__text_two_digits(char *dst, unsigned value)
{
    dst[0] = (char)('0' + value / 10);
    dst[1] = (char)('0' + value % 10);
}

/* Write value in decimal, with zeros in front up to `digits` (at most 20); no NUL. Returns the length. Exports write
 * millions of numbers: several times as fast as snprintf. */
static inline size_t nfl__text_number(char *dst, uint64_t value, size_t digits)
{
    char reversed[20];
    size_t at = sizeof reversed;
    for (; value >= 100; value /= 100)
        nfl__text_two_digits(reversed + (at -= 2), (unsigned)(value % 100));
    if (value >= 10)
        nfl__text_two_digits(reversed + (at -= 2), (unsigned)value);
    else
        reversed[--at] = (char)('0' + value);
    while (sizeof reversed - at < digits)
        reversed[--at] = '0';
    size_t len = sizeof reversed - at;
    for (size_t i = 0; i < len; i++) /* short: a call of memcpy would take longer */
        dst[i] = reversed[at + i];
    return len;
}

/* "2026-11-23" separator "14:05:09.250" zone: what nfl_time_format() writes with 'T' and "Z". zone has at most
 * one character. */
size_t nfl__time_write(nfl_usec time_us, char separator, const char *zone, char *dst, size_t cap);

#endif

#include <netflow/time.h>

#include "base/error.h"
#include "record/text.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)
#define DAY_US (DAY_S * SECOND_US)
#define TIME_DIGITS "0123456789"

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z, the range of RFC 3339. */
#define TIME_FIRST_US (INT64_C(-62167219200) * SECOND_US)
#define TIME_LAST_US (INT64_C(253402300800) * SECOND_US - 1)

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, year 0 or later. The year is counted from
 * March, so that the leap day is its last: then the length of the months before `month` is a linear formula. */
static int64_t time_days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400; /* 400 years have 146097 days */
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468; /* 0000-03-01 to 1970-01-01 */
}

typedef struct time_date {
    unsigned year, month, day;
} time_date;

/* The inverse of time_days_of(). */
static time_date time_date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    time_date date;
    date.day = (unsigned)(day_of_year - (153 * march_month + 2) / 5 + 1);
    date.month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);
    date.year = (unsigned)(year_of_era + era * 400 + (date.month <= 2));
    return date;
}

/* Start of the day, before 1970 too. */
static nfl_usec time_midnight(nfl_usec time_us)
{
    int64_t rest = time_us % DAY_US;
    return time_us - rest - (rest < 0 ? DAY_US : 0);
}

size_t nfl__time_write(nfl_usec time_us, char separator, const char *zone, char *dst, size_t cap)
{
    if (time_us < TIME_FIRST_US)
        time_us = TIME_FIRST_US;
    if (time_us > TIME_LAST_US)
        time_us = TIME_LAST_US;
    nfl_usec midnight = time_midnight(time_us);
    time_date date = time_date_of(midnight / DAY_US);
    unsigned second = (unsigned)((time_us - midnight) / SECOND_US);
    unsigned micro = (unsigned)((time_us - midnight) % SECOND_US);
    char text[40], *own = cap >= NFL_TIME_TEXT_SIZE ? dst : text;
    nfl__text_two_digits(own, date.year / 100);
    nfl__text_two_digits(own + 2, date.year % 100);
    const unsigned parts[] = {date.month, date.day, second / 3600, second / 60 % 60, second % 60};
    const char before[] = {'-', '-', separator, ':', ':'};
    size_t len = 4;
    for (size_t i = 0; i < sizeof before; i++, len += 3) {
        own[len] = before[i];
        nfl__text_two_digits(own + len + 1, parts[i]);
    }
    own[len++] = '.';
    len += micro % 1000 ? nfl__text_number(own + len, micro, 6) : nfl__text_number(own + len, micro / 1000, 3);
    if (*zone)
        own[len++] = *zone;
    if (own == text)
        return nfl__text_copy(dst, cap, text, len);
    own[len] = 0;
    return len;
}

size_t nfl_time_format(nfl_usec time_us, char *dst, size_t cap)
{
    return nfl__time_write(time_us, 'T', "Z", dst, cap);
}

/* --- reading --- */

/* Text being read: p moves on when something was recognised and marks the place of an error. */
typedef struct time_reader {
    const char *start;
    const char *p;
} time_reader;

static nfl_status time_fail(const time_reader *r, const char *expected, nfl_error *err)
{
    return nfl__fail(err, NFL_E_SYNTAX, (uint64_t)(r->p - r->start), "'%.60s' is not %s", r->start, expected);
}

static int time_accept(time_reader *r, char c)
{
    if (*r->p != c)
        return 0;
    r->p++;
    return 1;
}

/* Exactly `digits` digits, value at least low and at most high. On failure p stays. */
static int time_number(time_reader *r, unsigned digits, unsigned low, unsigned high, unsigned *out)
{
    unsigned value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (r->p[i] < '0' || r->p[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(r->p[i] - '0');
    }
    if (value < low || value > high)
        return 0;
    r->p += digits;
    *out = value;
    return 1;
}

/* Digits after a point as millionths, more than six cut off. 0 = no digit. */
static int time_fraction(time_reader *r, int64_t *micro)
{
    int64_t value = 0, unit = 100000;
    const char *first = r->p;
    for (; *r->p >= '0' && *r->p <= '9'; r->p++, unit /= 10)
        value += (*r->p - '0') * unit;
    *micro = value;
    return r->p > first;
}

/* A decimal number of any length, at most `most` whole units. 0 = none, or too large. */
static int time_decimal(time_reader *r, int64_t most, int64_t *whole, int64_t *micro)
{
    const char *first = r->p;
    *whole = *micro = 0;
    for (; *r->p >= '0' && *r->p <= '9'; r->p++) {
        *whole = *whole * 10 + (*r->p - '0');
        if (*whole > most)
            return 0;
    }
    return r->p > first && (!time_accept(r, '.') || time_fraction(r, micro));
}

static unsigned time_days_in(unsigned year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (unsigned)(month == 2 && leap);
}

/* hh:mm[:ss[.fraction]], second 60 allowed (RFC 3339 5.6): it is the first of the next minute. */
static int time_clock(time_reader *r, nfl_usec *out)
{
    unsigned hour, minute, second = 0;
    int64_t micro = 0;
    if (!time_number(r, 2, 0, 23, &hour) || !time_accept(r, ':') || !time_number(r, 2, 0, 59, &minute))
        return 0;
    if (time_accept(r, ':')) {
        if (!time_number(r, 2, 0, 60, &second) || (time_accept(r, '.') && !time_fraction(r, &micro)))
            return 0;
    }
    *out = (hour * INT64_C(3600) + minute * INT64_C(60) + second) * SECOND_US + micro;
    return 1;
}

/* Z or +hh:mm or -hh:mm, or nothing: what has to be subtracted. */
static int time_zone(time_reader *r, nfl_usec *out)
{
    *out = 0;
    if (time_accept(r, 'Z') || time_accept(r, 'z') || (*r->p != '+' && *r->p != '-'))
        return 1;
    int west = *r->p++ == '-';
    unsigned hour, minute;
    if (!time_number(r, 2, 0, 23, &hour) || !time_accept(r, ':') || !time_number(r, 2, 0, 59, &minute))
        return 0;
    nfl_usec east = (hour * INT64_C(3600) + minute * INT64_C(60)) * SECOND_US;
    *out = west ? -east : east;
    return 1;
}

static int time_rfc3339(time_reader *r, nfl_usec *out)
{
    unsigned year, month, day;
    if (!time_number(r, 4, 0, 9999, &year) || !time_accept(r, '-') || !time_number(r, 2, 1, 12, &month) ||
        !time_accept(r, '-') || !time_number(r, 2, 1, time_days_in(year, month), &day))
        return 0;
    nfl_usec clock = 0, zone = 0;
    if (time_accept(r, 'T') || time_accept(r, 't') || time_accept(r, ' ')) {
        if (!time_clock(r, &clock) || !time_zone(r, &zone))
            return 0;
    }
    *out = time_days_of(year, month, day) * DAY_US + clock - zone;
    return *r->p == 0;
}

/* Length of the unit at p, 0 if there is none. */
static int64_t time_unit(time_reader *r)
{
    static const struct {
        char name[3];
        int64_t length_us;
    } units[] = {{"us", 1},
                 {"ms", 1000},
                 {"s", SECOND_US},
                 {"m", 60 * SECOND_US},
                 {"h", 3600 * SECOND_US},
                 {"d", DAY_US},
                 {"w", 7 * DAY_US}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(r->p, units[i].name, len) == 0) {
            r->p += len;
            return units[i].length_us;
        }
    }
    return 0;
}

/* Numbers with units, to the end of the text: 1h30m. */
static int time_units(time_reader *r, nfl_usec *out)
{
    nfl_usec sum = 0;
    do {
        int64_t whole, micro, unit;
        const char *number = r->p;
        if (!time_decimal(r, INT64_MAX / 10 - 1, &whole, &micro))
            return 0;
        unit = time_unit(r);
        if (!unit)
            return 0;
        int64_t part = micro * unit / SECOND_US;
        if (whole > (INT64_MAX - sum - part) / unit) {
            r->p = number;
            return 0;
        }
        sum += whole * unit + part;
    } while (*r->p);
    *out = sum;
    return 1;
}

/* Seconds with an optional fraction, to the end of the text. */
static int time_seconds(time_reader *r, nfl_usec *out)
{
    int64_t whole, micro;
    if (!time_decimal(r, INT64_MAX / SECOND_US - 1, &whole, &micro) || *r->p != 0)
        return 0;
    *out = whole * SECOND_US + micro;
    return 1;
}

/* +1h30m, -2d: that long after or before a time. */
static int time_offset(time_reader *r, nfl_usec base_us, nfl_usec *out)
{
    int before = *r->p++ == '-';
    nfl_usec length;
    if (!time_units(r, &length))
        return 0;
    if (before ? base_us < INT64_MIN + length : base_us > INT64_MAX - length)
        return 0;
    *out = before ? base_us - length : base_us + length;
    return 1;
}

/* len bytes: now, today, yesterday or tomorrow. */
static int time_named(const char *name, size_t len, nfl_usec now_us, nfl_usec *out)
{
    static const struct {
        char name[10];
        int8_t days;
    } words[] = {{"today", 0}, {"yesterday", -1}, {"tomorrow", 1}};
    if (nfl__text_is("now", name, len)) {
        *out = now_us;
        return 1;
    }
    if (now_us < TIME_FIRST_US || now_us > TIME_LAST_US) /* no day to speak of */
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (nfl__text_is(words[i].name, name, len)) {
            *out = time_midnight(now_us) + words[i].days * DAY_US;
            return 1;
        }
    }
    return 0;
}

/* A name, and perhaps how long before or after it: now-15m, today+8h. */
static int time_word(time_reader *r, nfl_usec now_us, nfl_usec *out)
{
    size_t len = strcspn(r->p, "+-");
    if (!time_named(r->p, len, now_us, out))
        return 0;
    r->p += len;
    return *r->p == 0 || time_offset(r, *out, out);
}

nfl_status nfl_time_parse(const char *text, nfl_usec now_us, nfl_usec *out, nfl_error *err)
{
    time_reader r = {text, text};
    nfl_usec time_us;
    int good;
    if (*text == '+' || *text == '-')
        good = time_offset(&r, now_us, &time_us);
    else if (strspn(text, TIME_DIGITS) == 4 && text[4] == '-')
        good = time_rfc3339(&r, &time_us);
    else if (*text >= '0' && *text <= '9')
        good = time_seconds(&r, &time_us);
    else
        good = time_word(&r, now_us, &time_us);
    if (!good)
        return time_fail(&r, "a time: expected 2026-11-23T14:05:09Z, seconds since 1970, now, today, now-15m or -2h", err);
    *out = time_us;
    return NFL_OK;
}

nfl_status nfl_duration_parse(const char *text, nfl_usec *out, nfl_error *err)
{
    time_reader r = {text, text};
    nfl_usec length;
    size_t number_len = strspn(text, TIME_DIGITS ".");
    int good = number_len && text[number_len] == 0 ? time_seconds(&r, &length) : time_units(&r, &length);
    if (!good)
        return time_fail(&r, "a duration: expected seconds or 1h30m, 5m, 250ms", err);
    *out = length;
    return NFL_OK;
}

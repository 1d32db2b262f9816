/* Text of values: one writer a kind, three forms each. */
#include <netflow/time.h>

#include "record/fields.h"
#include "record/text.h"

#include <inttypes.h>
#include <stdio.h>

/* Text without quotes, not terminated; returns its length. VALUE_ROOM bytes are enough for every value. */
typedef size_t value_writer(const nfl_value *value, uint32_t form, char *text);

#define VALUE_ROOM (NFL_VALUE_TEXT_SIZE - 2) /* without the quotes of JSON */

static size_t value_number(const nfl_value *value, uint32_t form, char *text)
{
    (void)form;
    return nfl__text_number(text, value->u64, 1);
}

/* One decimal and a decimal unit: 1.5 M. */
static size_t value_counter(const nfl_value *value, uint32_t form, char *text)
{
    static const char units[] = "kMGTPE";
    if (form != NFL_TEXT_HUMAN || value->u64 < 1000)
        return value_number(value, form, text);
    uint64_t tenths = value->u64 / 100 + (value->u64 % 100 >= 50); /* of the unit */
    size_t unit = 0;
    while (tenths >= 10000) {
        tenths = tenths / 1000 + (tenths % 1000 >= 500);
        unit++;
    }
    return (size_t)snprintf(text, VALUE_ROOM, "%" PRIu64 ".%u %c", tenths / 10, (unsigned)(tenths % 10), units[unit]);
}

static size_t value_time(const nfl_value *value, uint32_t form, char *text)
{
    nfl_usec time_us = (nfl_usec)value->u64;
    if (form == NFL_TEXT_HUMAN)
        return nfl__time_write(time_us, ' ', "", text, VALUE_ROOM);
    return nfl_time_format(time_us, text, VALUE_ROOM);
}

/* The two largest units: 1 h 5 m. */
static size_t value_duration_in_words(uint64_t length_us, char *text)
{
    static const struct {
        char name[3], lower_name[3];
        uint64_t length_us, lower_length_us;
    } units[] = {{"d", "h", UINT64_C(86400000000), UINT64_C(3600000000)},
                 {"h", "m", UINT64_C(3600000000), UINT64_C(60000000)},
                 {"m", "s", UINT64_C(60000000), UINT64_C(1000000)}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (length_us < units[i].length_us)
            continue;
        uint64_t lower = length_us % units[i].length_us / units[i].lower_length_us;
        return (size_t)snprintf(text, VALUE_ROOM, "%" PRIu64 " %s %" PRIu64 " %s", length_us / units[i].length_us,
                                units[i].name, lower, units[i].lower_name);
    }
    if (length_us >= 1000000)
        return (size_t)snprintf(text, VALUE_ROOM, "%" PRIu64 ".%" PRIu64 " s", length_us / 1000000,
                                length_us / 100000 % 10);
    if (length_us >= 1000)
        return (size_t)snprintf(text, VALUE_ROOM, "%" PRIu64 " ms", length_us / 1000);
    return (size_t)snprintf(text, VALUE_ROOM, "%" PRIu64 " us", length_us);
}

/* Seconds, with as many of six decimals as are needed. */
static size_t value_duration(const nfl_value *value, uint32_t form, char *text)
{
    int negative = (int64_t)value->u64 < 0;
    uint64_t length_us = negative ? 0 - value->u64 : value->u64;
    if (form == NFL_TEXT_HUMAN && !negative)
        return value_duration_in_words(length_us, text);
    size_t len = 0;
    if (negative)
        text[len++] = '-';
    len += nfl__text_number(text + len, length_us / 1000000, 1);
    text[len++] = '.';
    len += nfl__text_number(text + len, length_us % 1000000, 6);
    while (text[len - 1] == '0')
        len--;
    return text[len - 1] == '.' ? len - 1 : len;
}

static size_t value_address(const nfl_value *value, uint32_t form, char *text)
{
    (void)form;
    return nfl_ip_format(&value->ip, text, VALUE_ROOM);
}

static size_t value_proto(const nfl_value *value, uint32_t form, char *text)
{
    const char *name = value->u64 <= UINT8_MAX ? nfl_proto_name((uint8_t)value->u64) : NULL;
    if (form != NFL_TEXT_HUMAN || !name)
        return value_number(value, form, text);
    return nfl__text_copy(text, VALUE_ROOM, name, strlen(name));
}

/* Letters from the highest flag to the lowest, a dot for each that is not set: ·AP·S·. The accurate and explicit
 * congestion bits (RFC 9768, RFC 3168) stand in front of the six of RFC 793 only where one of them is set. */
static size_t value_flags(const nfl_value *value, uint32_t form, char *text)
{
    static const char letters[] = "FSRPAUECN";
    if (form != NFL_TEXT_HUMAN)
        return value_number(value, form, text);
    unsigned shown = value->u64 & 0x100 ? 9 : value->u64 & 0xc0 ? 8 : 6;
    size_t len = 0;
    for (unsigned bit = shown; bit-- > 0;) {
        if (value->u64 >> bit & 1) {
            text[len++] = letters[bit];
        } else { /* U+00B7 */
            text[len++] = (char)0xc2;
            text[len++] = (char)0xb7;
        }
    }
    return len;
}

static size_t value_mac(const nfl_value *value, uint32_t form, char *text)
{
    static const char digits[] = "0123456789abcdef";
    (void)form;
    size_t len = 0;
    for (unsigned shift = 48; shift > 0; shift -= 8) {
        unsigned octet = (unsigned)(value->u64 >> (shift - 8)) & 0xff;
        if (len)
            text[len++] = ':';
        text[len++] = digits[octet >> 4];
        text[len++] = digits[octet & 15];
    }
    return len;
}

static size_t value_app(const nfl_value *value, uint32_t form, char *text)
{
    (void)form;
    return nfl_app_format((uint32_t)value->u64, text, VALUE_ROOM);
}

static const struct {
    value_writer *write;
    uint8_t json_quotes;
} value_kinds[] = {
    [NFL_KIND_NUMBER] = {value_number, 0},     [NFL_KIND_COUNTER] = {value_counter, 0},
    [NFL_KIND_TIME] = {value_time, 1},         [NFL_KIND_DURATION] = {value_duration, 0},
    [NFL_KIND_ADDRESS] = {value_address, 1},   [NFL_KIND_PORT] = {value_number, 0},
    [NFL_KIND_PROTO] = {value_proto, 0},       [NFL_KIND_FLAGS] = {value_flags, 0},
    [NFL_KIND_MAC] = {value_mac, 1},           [NFL_KIND_APP] = {value_app, 1},
};

size_t nfl_value_format(const nfl_value *value, uint32_t form, char *dst, size_t cap)
{
    static const char absent[][5] = {[NFL_TEXT_PLAIN] = "", [NFL_TEXT_JSON] = "null", [NFL_TEXT_HUMAN] = "-"};
    if (form > NFL_TEXT_HUMAN)
        form = NFL_TEXT_PLAIN;
    if (!value->present)
        return nfl__text_copy(dst, cap, absent[form], strlen(absent[form]));
    uint8_t kind = value->kind < sizeof value_kinds / sizeof *value_kinds && value_kinds[value->kind].write
                       ? value->kind
                       : NFL_KIND_NUMBER;
    char room[NFL_VALUE_TEXT_SIZE], *text = cap >= sizeof room ? dst : room;
    int quotes = form == NFL_TEXT_JSON && value_kinds[kind].json_quotes;
    size_t len = value_kinds[kind].write(value, form, text + quotes);
    if (quotes) {
        text[0] = '"';
        text[len + 1] = '"';
        len += 2;
    }
    if (text == room)
        return nfl__text_copy(dst, cap, room, len);
    text[len] = 0;
    return len;
}

#include "query/filter_value.h"

#include <netflow/time.h>

#include "base/error.h"

#include <string.h>

#define VALUE_TEXT_SIZE 80u

static nfl_status value_fail(const nfl__literal_type *type, const nfl__token *token, const char *expected,
                             nfl_error *err)
{
    if (token->kind == NFL__TOKEN_END)
        return nfl__fail(err, NFL_E_SYNTAX, token->column, "the text ends, %s expected for '%s'", expected,
                         type->name);
    return nfl__fail(err, NFL_E_SYNTAX, token->column, "found '%.*s', %s expected for '%s'",
                     token->len < 60 ? (int)token->len : 60, token->text, expected, type->name);
}

static int value_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

/* Digits to the given base at *p; returns how many. *good is cleared when the number does not fit. */
static uint32_t value_digits(const char **p, unsigned base, uint64_t *value, int *good)
{
    const char *start = *p;
    for (; value_digit(**p) < (int)base; ++*p) {
        unsigned digit = (unsigned)value_digit(**p);
        if (*value > (UINT64_MAX - digit) / base)
            *good = 0;
        *value = *value * base + digit;
    }
    return (uint32_t)(*p - start);
}

/* k m g t are powers of 1000, ki mi gi ti of 1024. */
static uint64_t value_unit(const char **p)
{
    static const char letters[] = "kmgt";
    const char *letter = **p ? strchr(letters, **p | 0x20) : NULL;
    if (!letter || !*letter)
        return 1;
    ++*p;
    uint64_t base = (**p | 0x20) == 'i' ? 1024 : 1000, unit = 1;
    *p += base == 1024;
    for (const char *l = letters; l <= letter; l++)
        unit *= base;
    return unit;
}

/* A number with unit and fraction ("1.5m"), or hexadecimal, at *p, which is moved behind it. */
static int value_number(const char **p, uint64_t *out)
{
    int good = 1;
    uint64_t value = 0, fraction = 0, divisor = 1;
    if ((*p)[0] == '0' && ((*p)[1] | 0x20) == 'x') {
        *p += 2;
        good = value_digits(p, 16, &value, &good) > 0 && good;
        *out = value;
        return good;
    }
    good = value_digits(p, 10, &value, &good) > 0 && good;
    if (**p == '.') {
        ++*p;
        uint32_t digits = value_digits(p, 10, &fraction, &good);
        good = good && digits > 0 && digits <= 6;
        for (; good && digits > 0; digits--)
            divisor *= 10;
    }
    uint64_t unit = value_unit(p), product, part = 0;
    if (!good || __builtin_mul_overflow(value, unit, &product))
        return 0;
    if (divisor > 1 && (__builtin_mul_overflow(fraction, unit, &part) || part % divisor != 0))
        return 0;
    *out = product + part / divisor;
    return *out >= product;
}

/* "5", "10k", "0x1f", "1000-2000" */
static nfl_status value_parse_number(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                     nfl__range *out, nfl_error *err)
{
    const char *p = text;
    uint64_t first, last;
    int good = value_number(&p, &first);
    last = first;
    if (good && *p == '-') {
        p++;
        good = value_number(&p, &last) && first <= last;
    }
    if (!good || *p)
        return value_fail(type, token, "a number", err);
    if (last > nfl__key_max(type->type, type->width).low)
        return nfl__fail(err, NFL_E_SYNTAX, token->column, "found '%s', at most %llu expected for '%s'", text,
                         (unsigned long long)nfl__key_max(type->type, type->width).low, type->name);
    out->first = nfl__key_number(first);
    out->last = nfl__key_number(last);
    return NFL_OK;
}

static int value_starts_with_digit(const char *text)
{
    return text[0] >= '0' && text[0] <= '9';
}

static void value_set(nfl__range *out, uint64_t value)
{
    out->first = out->last = nfl__key_number(value);
}

static nfl_status value_parse_port(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                   nfl__range *out, nfl_error *err)
{
    int32_t port = nfl_service_find(0, token->text, token->len);
    if (port < 0 && value_starts_with_digit(text))
        return value_parse_number(type, token, text, out, err);
    if (port < 0)
        return value_fail(type, token, "a port number or service name", err);
    value_set(out, (uint64_t)port);
    return NFL_OK;
}

static nfl_status value_parse_proto(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                    nfl__range *out, nfl_error *err)
{
    if (value_starts_with_digit(text))
        return value_parse_number(type, token, text, out, err);
    int32_t proto = nfl_proto_find(token->text, token->len);
    if (proto < 0)
        return value_fail(type, token, "a protocol name or number", err);
    value_set(out, (uint64_t)proto);
    return NFL_OK;
}

/* Letters of the TCP flags (RFC 9293 3.1, RFC 3168, RFC 3540); X = the classic six, a dot = a flag not set. */
static nfl_status value_parse_flags(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                    nfl__range *out, nfl_error *err)
{
    static const char letters[] = "fsrpauecn";
    if (value_starts_with_digit(text))
        return value_parse_number(type, token, text, out, err);
    uint64_t flags = 0;
    for (const char *p = text; *p; p++) {
        const char *letter = strchr(letters, *p | 0x20);
        if ((*p | 0x20) == 'x')
            flags |= 0x3f;
        else if (letter)
            flags |= UINT64_C(1) << (letter - letters);
        else if (*p != '.')
            return value_fail(type, token, "letters of FSRPAUECN or a number", err);
    }
    value_set(out, flags);
    return NFL_OK;
}

static int value_is_relative_time(const char *text)
{
    return !value_starts_with_digit(text);
}

static nfl_status value_parse_time(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                   nfl__range *out, nfl_error *err)
{
    nfl_usec time_us;
    nfl_error detail;
    if (value_is_relative_time(text) && type->now_us == 0)
        return value_fail(type, token, "an absolute time (what is now is not known here)", err);
    if (nfl_time_parse(text, type->now_us, &time_us, &detail) != NFL_OK)
        return value_fail(type, token, "a time such as 2026-11-23T10:00Z or -2h", err);
    out->first = out->last = nfl__key_time(time_us);
    return NFL_OK;
}

static nfl_status value_parse_duration(const nfl__literal_type *type, const nfl__token *token,
                                       const char *text, nfl__range *out, nfl_error *err)
{
    nfl_usec length_us;
    nfl_error detail;
    if (nfl_duration_parse(text, &length_us, &detail) != NFL_OK)
        return value_fail(type, token, "a duration such as 5s, 250ms or 1h30m", err);
    out->first = out->last = nfl__key_time(length_us);
    return NFL_OK;
}

static nfl_status value_parse_ip(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                 nfl__range *out, nfl_error *err)
{
    nfl_ip first, last;
    nfl_error detail;
    if (nfl_ip_parse_prefix(text, &first, &last, &detail) != NFL_OK)
        return value_fail(type, token, "an address or prefix such as 192.0.2.1 or 10.0.0.0/8", err);
    out->first = nfl__key_ip(&first);
    out->last = nfl__key_ip(&last);
    return NFL_OK;
}

/* Twelve hexadecimal digits: aa:bb:cc:dd:ee:ff, aa-bb-cc-dd-ee-ff, aabb.ccdd.eeff. */
static nfl_status value_parse_mac(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                  nfl__range *out, nfl_error *err)
{
    uint64_t mac = 0;
    unsigned digits = 0;
    for (const char *p = text; *p; p++) {
        if (value_digit(*p) < 16) {
            mac = mac << 4 | (unsigned)value_digit(*p);
            digits++;
        } else if (!strchr(":-.", *p)) {
            digits = 0;
            break;
        }
    }
    if (digits != 12)
        return value_fail(type, token, "an address such as 00:11:22:aa:bb:cc", err);
    value_set(out, mac);
    return NFL_OK;
}

/* A name without protocol means the service over any of them, as in reports. */
static nfl_status value_parse_app(const nfl__literal_type *type, const nfl__token *token, const char *text,
                                  nfl__range *out, uint32_t *count, nfl_error *err)
{
    static const uint8_t protos[] = {6, 17, 33, 132};
    uint32_t n = 0, app = nfl_app_find(token->text, token->len);
    if (app)
        value_set(&out[n++], app);
    for (size_t i = 0; i < sizeof protos && !strchr(text, '/'); i++) {
        int32_t port = nfl_service_find(protos[i], token->text, token->len);
        if (port > 0)
            value_set(&out[n++], (uint64_t)protos[i] << 16 | (uint64_t)port);
    }
    *count = n;
    if (n)
        return NFL_OK;
    *count = 1;
    if (value_starts_with_digit(text) && !strchr(text, '/'))
        return value_parse_number(type, token, text, out, err);
    return value_fail(type, token, "an application such as https, icmp or tcp/8443", err);
}

nfl_status nfl__literal_parse(const nfl__literal_type *type, const nfl__token *token,
                              nfl__range out[NFL__LITERAL_RANGES], uint32_t *count, nfl_error *err)
{
    char text[VALUE_TEXT_SIZE];
    if ((token->kind != NFL__TOKEN_WORD && token->kind != NFL__TOKEN_STRING) || token->len == 0)
        return value_fail(type, token, "a value", err);
    if (token->len >= sizeof text)
        return value_fail(type, token, "something shorter", err);
    memcpy(text, token->text, token->len);
    text[token->len] = 0;
    *count = 1;
    switch (type->kind) {
    case NFL_KIND_ADDRESS:
        return value_parse_ip(type, token, text, out, err);
    case NFL_KIND_PORT:
        return value_parse_port(type, token, text, out, err);
    case NFL_KIND_PROTO:
        return value_parse_proto(type, token, text, out, err);
    case NFL_KIND_FLAGS:
        return value_parse_flags(type, token, text, out, err);
    case NFL_KIND_TIME:
        return value_parse_time(type, token, text, out, err);
    case NFL_KIND_DURATION:
        return value_parse_duration(type, token, text, out, err);
    case NFL_KIND_MAC:
        return value_parse_mac(type, token, text, out, err);
    case NFL_KIND_APP:
        return value_parse_app(type, token, text, out, count, err);
    default:
        return value_parse_number(type, token, text, out, err);
    }
}

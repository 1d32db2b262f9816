#include <netflow/ip.h>

#include "base/error.h"
#include "record/text.h"

#include <string.h>

static const uint8_t ip_v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int nfl_ip_is_v4(const nfl_ip *ip)
{
    return memcmp(ip->b, ip_v4_prefix, sizeof ip_v4_prefix) == 0;
}

nfl_ip nfl_ip_from_v4(uint32_t host_order)
{
    nfl_ip ip;
    memcpy(ip.b, ip_v4_prefix, sizeof ip_v4_prefix);
    for (unsigned i = 0; i < 4; i++)
        ip.b[12 + i] = (uint8_t)(host_order >> (24 - 8 * i));
    return ip;
}

int nfl_ip_compare(const nfl_ip *a, const nfl_ip *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

/* RFC 5952 4.2.3: the longest run of at least two zero groups, the first of equals. Returns its length. */
static unsigned ip_longest_zero_run(const uint16_t group[8], unsigned *start)
{
    unsigned best = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && group[i + n] == 0)
            n++;
        if (n > best) {
            best = n;
            *start = i;
        }
        if (n)
            i += n - 1;
    }
    return best >= 2 ? best : 0;
}

static size_t ip_format_v4(const nfl_ip *ip, char *text)
{
    size_t len = 0;
    for (unsigned i = 12; i < 16; i++) {
        unsigned octet = ip->b[i];
        if (len)
            text[len++] = '.';
        if (octet >= 100)
            text[len++] = (char)('0' + octet / 100);
        if (octet >= 10)
            text[len++] = (char)('0' + octet / 10 % 10);
        text[len++] = (char)('0' + octet % 10);
    }
    return len;
}

/* RFC 5952 4.1, 4.3: lower case, no zeros in front. */
static size_t ip_format_group(unsigned group, char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        if (len || shift == 4 || group >> (shift - 4))
            text[len++] = digits[group >> (shift - 4) & 15];
    }
    return len;
}

static size_t ip_format_v6(const nfl_ip *ip, char *text)
{
    uint16_t group[8];
    for (unsigned i = 0; i < 8; i++)
        group[i] = (uint16_t)(ip->b[2 * i] << 8 | ip->b[2 * i + 1]);
    unsigned run_start = 8, run = ip_longest_zero_run(group, &run_start);
    size_t len = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (run && i == run_start) {
            text[len++] = ':';
            text[len++] = ':';
            i += run - 1;
            continue;
        }
        if (i > 0 && !(run && i == run_start + run))
            text[len++] = ':';
        len += ip_format_group(group[i], text + len);
    }
    return len;
}

size_t nfl_ip_format(const nfl_ip *ip, char *dst, size_t cap)
{
    char text[NFL_IP_TEXT_SIZE], *own = cap >= sizeof text ? dst : text;
    size_t len = nfl_ip_is_v4(ip) ? ip_format_v4(ip, own) : ip_format_v6(ip, own);
    if (own == text)
        return nfl__text_copy(dst, cap, text, len);
    own[len] = 0;
    return len;
}

static int ip_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Dotted decimal numbers, up to four; returns how many, 0 if malformed. *p is left behind the last digit. */
static unsigned ip_read_v4(const char **p, uint8_t quad[4])
{
    unsigned n = 0;
    for (const char *q = *p;; q++) {
        unsigned value = 0, digits = 0;
        for (; *q >= '0' && *q <= '9' && digits < 4; q++, digits++)
            value = value * 10 + (unsigned)(*q - '0');
        *p = q;
        if (digits == 0 || digits > 3 || value > 255)
            return 0;
        quad[n++] = (uint8_t)value;
        if (*q != '.' || n == 4)
            return n;
    }
}

/* A group of an IPv6 address at *p, or the IPv4 address at its end. Returns its bytes, 0 if it is malformed or there is
 * no room for it. */
static size_t ip_read_group(const char **p, uint8_t *bytes, size_t room)
{
    const char *start = *p;
    unsigned value = 0, digits = 0;
    for (; ip_hex_digit(**p) >= 0 && digits < 5; (*p)++, digits++)
        value = value << 4 | (unsigned)ip_hex_digit(**p);
    if (**p == '.') {
        uint8_t quad[4];
        *p = start;
        if (ip_read_v4(p, quad) != 4 || room < 4)
            return 0;
        memcpy(bytes, quad, 4);
        return 4;
    }
    if (digits == 0 || digits > 4 || room < 2)
        return 0;
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
    return 2;
}

/* RFC 4291 2.2: groups of hexadecimal digits, one "::", an IPv4 tail. Returns 1 if well formed; *p is left where
 * reading stopped. */
static int ip_read_v6(const char **p, uint8_t bytes[16])
{
    uint8_t groups[16];
    size_t len = 0, gap = 0; /* bytes before the "::" */
    int compressed = 0, more = 1;
    if ((*p)[0] == ':' && (*p)[1] == ':') {
        compressed = 1;
        *p += 2;
        more = ip_hex_digit(**p) >= 0;
    }
    while (more) {
        size_t n = ip_read_group(p, groups + len, sizeof groups - len);
        if (n == 0)
            return 0;
        len += n;
        more = n == 2 && **p == ':';
        if (more && (*p)[1] == ':') {
            if (compressed)
                return 0;
            compressed = 1;
            gap = len;
            *p += 2;
            more = ip_hex_digit(**p) >= 0;
        } else if (more) {
            (*p)++;
        }
    }
    if (compressed ? len > 14 : len != 16)
        return 0;
    memset(bytes, 0, 16);
    memcpy(bytes, groups, gap);
    memcpy(bytes + 16 - (len - gap), groups + gap, len - gap);
    return 1;
}

/* An address at *p, which is left behind it. *quads = numbers of a dotted address, 0 for IPv6. */
static int ip_read(const char **p, nfl_ip *out, unsigned *quads)
{
    *quads = 0;
    if (strchr(*p, ':'))
        return ip_read_v6(p, out->b);
    uint8_t quad[4] = {0, 0, 0, 0};
    *quads = ip_read_v4(p, quad);
    memcpy(out->b, ip_v4_prefix, sizeof ip_v4_prefix);
    memcpy(out->b + 12, quad, 4);
    return *quads != 0;
}

static nfl_status ip_fail(nfl_error *err, const char *text, const char *at, const char *expected)
{
    return nfl__fail(err, NFL_E_SYNTAX, (uint64_t)(at - text), "'%.60s' is not %s", text, expected);
}

nfl_status nfl_ip_parse(const char *text, nfl_ip *out, nfl_error *err)
{
    const char *p = text;
    nfl_ip ip;
    unsigned quads;
    if (!ip_read(&p, &ip, &quads) || *p != 0 || (quads != 0 && quads != 4))
        return ip_fail(err, text, p, "an IP address");
    *out = ip;
    return NFL_OK;
}

/* Prefix length 0..max at p, to the end of the text; -1 if malformed. */
static int ip_read_length(const char *p, unsigned max)
{
    unsigned value = 0, digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
        value = value * 10 + (unsigned)(*p - '0');
    return digits == 0 || digits > 3 || *p != 0 || value > max ? -1 : (int)value;
}

static void ip_prefix_bounds(const nfl_ip *ip, unsigned bits, nfl_ip *first, nfl_ip *last)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned fixed = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
        uint8_t host_mask = (uint8_t)(0xff >> fixed);
        first->b[i] = (uint8_t)(ip->b[i] & ~host_mask);
        last->b[i] = (uint8_t)(ip->b[i] | host_mask);
    }
}

nfl_status nfl_ip_parse_prefix(const char *text, nfl_ip *first, nfl_ip *last, nfl_error *err)
{
    const char *p = text;
    nfl_ip ip;
    unsigned quads;
    if (!ip_read(&p, &ip, &quads))
        return ip_fail(err, text, p, "an IP address or prefix");
    unsigned bits = 128;
    if (*p == '/') {
        int length = ip_read_length(p + 1, quads ? 32 : 128);
        if (length < 0)
            return ip_fail(err, text, p + 1,
                           quads ? "a prefix: length 0 to 32 expected" : "a prefix: length 0 to 128 expected");
        bits = (unsigned)length + (quads ? 96 : 0);
    } else if (*p != 0 || (quads != 0 && quads != 4)) {
        return ip_fail(err, text, p, "an IP address or prefix");
    }
    ip_prefix_bounds(&ip, bits, first, last);
    return NFL_OK;
}

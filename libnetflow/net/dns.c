/* DNS transport of a resolver. c-ares (1.18) sends, repeats, and falls back to TCP for truncated answers;
 * here are the names that are asked for, what the answers say, and the waiting.
 *
 * One channel per object. c-ares needs no ares_library_init() on POSIX systems (it does something on Windows and
 * Android only), so there is no global state.
 */
#include <netflow/dns.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"

#ifdef NFL_WITH_CARES

#include "base/rd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include <ares.h> /* wants fd_set */

/* RFC 1035 3.2.2, 3.2.4, 4.1.1 */
#define DNS_CLASS_IN 1
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_SOA 6
#define DNS_TYPE_PTR 12
#define DNS_HEADER_LEN 12

#define DNS_MAX_ALIASES 8
#define DNS_MAX_TIMEOUT_MS 60000
#define DNS_MAX_TRIES 10
#define DNS_QUESTION_SIZE 80 /* 32 nibbles with dots, and "ip6.arpa" */

struct nfl_dns {
    nfl__memory memory;
    nfl_resolver *resolver;
    ares_channel channel;
    uint32_t open;   /* questions out */
    nfl_usec now_us; /* time of the caller, for the cache */
};

/* Belongs to c-ares between ares_query() and the callback. */
typedef struct dns_question {
    nfl_dns *dns;
    nfl_ip ip;
} dns_question;

/* ---- answers ---- */

typedef struct dns_record {
    size_t owner; /* offset of the owner's name in the message */
    size_t data;  /* offset of the data */
    size_t data_len;
    uint32_t ttl_s;
    uint16_t type;
    uint16_t class_;
} dns_record;

typedef struct dns_message {
    const uint8_t *bytes;
    size_t len;
    nfl__rd rd;
    uint16_t answers;
    uint16_t authorities;
} dns_message;

/* A name in the message is labels up to an empty one or a pointer (RFC 1035 4.1.4). */
static void dns_skip_name(nfl__rd *rd)
{
    for (;;) {
        uint8_t len = nfl__rd_u8(rd);
        if (rd->failed || len == 0)
            return;
        if (len >= 0xc0) {
            nfl__rd_skip(rd, 1);
            return;
        }
        nfl__rd_skip(rd, len);
    }
}

static int dns_read_header(const uint8_t *bytes, size_t len, dns_message *m)
{
    *m = (dns_message){bytes, len, nfl__rd_make(bytes, len), 0, 0};
    nfl__rd_skip(&m->rd, 4); /* id, flags */
    uint16_t questions = nfl__rd_u16(&m->rd);
    m->answers = nfl__rd_u16(&m->rd);
    m->authorities = nfl__rd_u16(&m->rd);
    nfl__rd_skip(&m->rd, 2); /* additional */
    if (questions != 1)
        return 0;
    dns_skip_name(&m->rd);
    nfl__rd_skip(&m->rd, 4); /* type, class */
    return !m->rd.failed;
}

static int dns_read_record(dns_message *m, dns_record *out)
{
    out->owner = nfl__rd_offset(&m->rd);
    dns_skip_name(&m->rd);
    out->type = nfl__rd_u16(&m->rd);
    out->class_ = nfl__rd_u16(&m->rd);
    out->ttl_s = nfl__rd_u32(&m->rd);
    out->data_len = nfl__rd_u16(&m->rd);
    out->data = nfl__rd_offset(&m->rd);
    nfl__rd_skip(&m->rd, out->data_len);
    if (out->ttl_s > INT32_MAX) /* RFC 2181 8 */
        out->ttl_s = 0;
    return !m->rd.failed;
}

/* Name at an offset of the message, or NULL. Release with ares_free_string(). */
static char *dns_name_at(const dns_message *m, size_t offset)
{
    char *name = NULL;
    long used = 0;
    if (offset >= m->len ||
        ares_expand_name(m->bytes + offset, m->bytes, (int)m->len, &name, &used) != ARES_SUCCESS)
        return NULL;
    return name;
}

/* First record of the answer section with that owner that is a PTR or CNAME. */
static int dns_find(const dns_message *message, const char *owner, dns_record *out)
{
    dns_message m = *message;
    for (uint16_t i = 0; i < m.answers; i++) {
        if (!dns_read_record(&m, out))
            return 0;
        if (out->class_ != DNS_CLASS_IN || (out->type != DNS_TYPE_PTR && out->type != DNS_TYPE_CNAME))
            continue;
        char *name = dns_name_at(&m, out->owner);
        int same = name && strcasecmp(name, owner) == 0;
        ares_free_string(name);
        if (same)
            return 1;
    }
    return 0;
}

/* The PTR of the name asked for; aliases lead there where the reverse zone of a small network is delegated
 * (RFC 2317). NULL when there is none. */
static char *dns_read_name(const dns_message *m, uint32_t *ttl_s)
{
    char *name = dns_name_at(m, DNS_HEADER_LEN);
    *ttl_s = UINT32_MAX;
    for (int alias = 0; name && alias <= DNS_MAX_ALIASES; alias++) {
        dns_record record;
        int found = dns_find(m, name, &record);
        ares_free_string(name);
        if (!found)
            return NULL;
        name = dns_name_at(m, record.data);
        *ttl_s = record.ttl_s < *ttl_s ? record.ttl_s : *ttl_s;
        if (record.type == DNS_TYPE_PTR)
            return name;
    }
    ares_free_string(name);
    return NULL;
}

/* How long "there is no name" holds: the smaller of the SOA's own TTL and its last field (RFC 2308 5). */
static uint32_t dns_negative_ttl(dns_message m)
{
    dns_record record;
    for (uint32_t i = 0; i < (uint32_t)m.answers + m.authorities; i++) {
        if (!dns_read_record(&m, &record))
            return 0;
        if (i < m.answers || record.type != DNS_TYPE_SOA || record.data_len < 20)
            continue;
        uint32_t minimum = nfl__load_be32(m.bytes + record.data + record.data_len - 4);
        return minimum < record.ttl_s ? minimum : record.ttl_s;
    }
    return 0;
}

static void dns_answer(nfl_dns *dns, const nfl_ip *ip, const dns_message *m)
{
    uint32_t ttl_s;
    char *name = dns_read_name(m, &ttl_s);
    if (name)
        nfl_resolver_answer(dns->resolver, ip, dns->now_us, NFL_DNS_NAME, name, ttl_s);
    else
        nfl_resolver_answer(dns->resolver, ip, dns->now_us, NFL_DNS_NO_NAME, NULL, dns_negative_ttl(*m));
    ares_free_string(name);
}

static void dns_on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    dns_question *question = arg;
    nfl_dns *dns = question->dns;
    nfl_ip ip = question->ip;
    (void)timeouts;
    nfl__delete(&dns->memory, question, 1, sizeof *question);
    dns->open--;
    dns_message m;
    int answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    if (answered && bytes && len > 0 && dns_read_header(bytes, (size_t)len, &m))
        dns_answer(dns, &ip, &m);
    else
        nfl_resolver_answer(dns->resolver, &ip, dns->now_us, NFL_DNS_FAILED, NULL, 0);
}

/* ---- questions ---- */

/* RFC 1035 3.5, RFC 3596 2.5: the address backwards, by octets or by nibbles. */
static void dns_question_name(const nfl_ip *ip, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    if (nfl_ip_is_v4(ip)) {
        snprintf(dst, DNS_QUESTION_SIZE, "%u.%u.%u.%u.in-addr.arpa", ip->b[15], ip->b[14], ip->b[13],
                 ip->b[12]);
        return;
    }
    for (size_t i = 0; i < 16; i++) {
        *dst++ = digits[ip->b[15 - i] & 15];
        *dst++ = '.';
        *dst++ = digits[ip->b[15 - i] >> 4];
        *dst++ = '.';
    }
    memcpy(dst, "ip6.arpa", sizeof "ip6.arpa");
}

static void dns_ask(nfl_dns *dns, const nfl_ip *ip)
{
    char name[DNS_QUESTION_SIZE];
    dns_question *question = nfl__new(&dns->memory, 1, sizeof *question);
    if (!question) {
        nfl_resolver_answer(dns->resolver, ip, dns->now_us, NFL_DNS_FAILED, NULL, 0);
        return;
    }
    question->dns = dns;
    question->ip = *ip;
    dns->open++;
    dns_question_name(ip, name);
    ares_query(dns->channel, name, DNS_CLASS_IN, DNS_TYPE_PTR, dns_on_answer, question);
}

static void dns_ask_all(nfl_dns *dns)
{
    for (nfl_ip ip; nfl_resolver_ask(dns->resolver, dns->now_us, &ip) == NFL_OK;)
        dns_ask(dns, &ip);
}

/* ---- waiting ---- */

static nfl_usec dns_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (nfl_usec)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Milliseconds until c-ares wants to repeat a question, at most `most_ms`. */
static int dns_wait_ms(nfl_dns *dns, uint32_t most_ms)
{
    struct timeval most = {(time_t)(most_ms / 1000), (suseconds_t)(most_ms % 1000 * 1000)}, wanted;
    const struct timeval *until = ares_timeout(dns->channel, &most, &wanted);
    return (int)(until->tv_sec * 1000 + (until->tv_usec + 999) / 1000);
}

/* Waits for one event, or for the time of a repetition, and lets c-ares work. */
static nfl_status dns_step(nfl_dns *dns, uint32_t most_ms, nfl_error *err)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    int wanted = ares_getsock(dns->channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t count = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        unsigned readable = (unsigned)wanted >> i & 1,
                 writable = (unsigned)wanted >> (i + ARES_GETSOCK_MAXNUM) & 1;
        if (!readable && !writable)
            continue;
        fds[count].fd = sockets[i];
        fds[count].events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
        fds[count++].revents = 0;
    }
    if (poll(fds, count, dns_wait_ms(dns, most_ms)) < 0 && errno != EINTR)
        return nfl__fail_io(err, errno, "waiting for %u answers", dns->open);
    for (nfds_t i = 0; i < count; i++) {
        ares_socket_t in = fds[i].revents & ~POLLOUT ? fds[i].fd : ARES_SOCKET_BAD;
        ares_socket_t out = fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD;
        if (fds[i].revents)
            ares_process_fd(dns->channel, in, out);
    }
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* repetitions that are due */
    return NFL_OK;
}

nfl_status nfl_dns_poll(nfl_dns *dns, nfl_usec now_us, uint32_t timeout_ms, nfl_error *err)
{
    nfl_usec begin = dns_clock_us(), limit = (nfl_usec)timeout_ms * 1000;
    dns->now_us = now_us;
    dns_ask_all(dns);
    while (dns->open) {
        nfl_usec left = begin + limit - dns_clock_us();
        NFL_TRY(dns_step(dns, left > 0 ? (uint32_t)((left + 999) / 1000) : 0, err));
        nfl_usec passed = dns_clock_us() - begin;
        dns->now_us = now_us + passed;
        dns_ask_all(dns); /* answers make room for more questions */
        if (passed >= limit)
            break;
    }
    return dns->open ? NFL_PENDING : NFL_OK;
}

/* ---- life ---- */

static nfl_status dns_open(nfl_dns *dns, const nfl_dns_opts *o, nfl_error *err)
{
    struct ares_options options;
    memset(&options, 0, sizeof options);
    options.timeout = (int)(o->timeout_ms ? o->timeout_ms : 2000);
    options.tries = (int)(o->tries ? o->tries : 2);
    int status = ares_init_options(&dns->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS) {
        dns->channel = NULL;
        return nfl__fail(err, status == ARES_ENOMEM ? NFL_E_NOMEM : NFL_E_IO, NFL_NO_OFFSET, "c-ares: %s",
                         ares_strerror(status));
    }
    if (!o->servers)
        return NFL_OK;
    status = o->servers[0] ? ares_set_servers_ports_csv(dns->channel, o->servers) : ARES_EBADSTR;
    if (status != ARES_SUCCESS)
        return nfl__fail(err, status == ARES_ENOMEM ? NFL_E_NOMEM : NFL_E_ARG, NFL_NO_OFFSET,
                         "servers '%.100s': %s", o->servers, ares_strerror(status));
    return NFL_OK;
}

nfl_status nfl_dns_new(nfl_resolver *resolver, const nfl_dns_opts *opts, nfl_dns **out, nfl_error *err)
{
    nfl_dns_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    if (o.timeout_ms > DNS_MAX_TIMEOUT_MS || o.tries > DNS_MAX_TRIES)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "timeout of %u ms and %u tries, at most %d and %d",
                         o.timeout_ms, o.tries, DNS_MAX_TIMEOUT_MS, DNS_MAX_TRIES);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_dns *dns = nfl__new(&memory, 1, sizeof *dns);
    if (!dns)
        return nfl__fail_nomem(err, sizeof *dns);
    dns->memory = memory;
    dns->resolver = resolver;
    nfl_status status = dns_open(dns, &o, err);
    if (status < 0) {
        nfl_dns_free(dns);
        return status;
    }
    *out = dns;
    return NFL_OK;
}

void nfl_dns_free(nfl_dns *dns)
{
    if (!dns)
        return;
    if (dns->channel)
        ares_destroy(dns->channel); /* calls back for every open question */
    nfl__memory memory = dns->memory;
    nfl__delete(&memory, dns, 1, sizeof *dns);
}

#else

nfl_status nfl_dns_new(nfl_resolver *resolver, const nfl_dns_opts *opts, nfl_dns **out, nfl_error *err)
{
    (void)resolver;
    (void)opts;
    (void)out;
    return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "built without c-ares");
}

void nfl_dns_free(nfl_dns *dns)
{
    (void)dns;
}

nfl_status nfl_dns_poll(nfl_dns *dns, nfl_usec now_us, uint32_t timeout_ms, nfl_error *err)
{
    (void)dns;
    (void)now_us;
    (void)timeout_ms;
    return nfl__fail(err, NFL_E_UNSUPPORTED, NFL_NO_OFFSET, "built without c-ares");
}

#endif

/* Names of addresses: cache and policy, without any input or output of its own.
 *
 * One entry per address, all taken at creation; names are allocated one by one. An entry is
 *
 *     waiting --ask--> asked --answer--> known --expires, looked up again--> waiting
 *
 * Entries hang in three lists by index: the chain of their hash bucket, the order of last use (head = most
 * recent), and, while waiting, the queue of questions. Asked entries are never evicted, so an answer always
 * finds its question. Questions may fill half of the entries at most: a flood of unknown addresses must
 * not push out all names.
 */
#include <netflow/resolver.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/opts.h"

#include <string.h>

#define RESOLVER_NONE UINT32_MAX
#define RESOLVER_MAX_ENTRIES (UINT32_C(1) << 24)
#define RESOLVER_MAX_NAME 253 /* RFC 1035 2.3.4 in text form */
#define RESOLVER_MAX_LABEL 63
#define RESOLVER_SECOND INT64_C(1000000)

enum { RESOLVER_FREE = 0, RESOLVER_WAITING, RESOLVER_ASKED, RESOLVER_KNOWN };

typedef struct resolver_link {
    uint32_t before;
    uint32_t after;
} resolver_link;

typedef struct resolver_list {
    uint32_t head;
    uint32_t tail;
} resolver_list;

typedef struct resolver_entry {
    nfl_ip ip;
    nfl_usec expires_us;
    char *name; /* NULL = none */
    uint32_t name_len;
    uint32_t chain; /* next in hash bucket, or next free entry */
    resolver_link used;
    resolver_link queue;
    uint32_t state;
} resolver_entry;

struct nfl_resolver {
    nfl__memory memory;
    nfl_resolver_opts opts; /* defaults filled in */
    resolver_entry *entries;
    uint32_t *buckets;
    uint32_t bucket_count; /* power of two */
    uint32_t free_head;
    resolver_list used;    /* head = most recently asked for */
    resolver_list waiting; /* head = next question */
    uint32_t waiting_count;
    uint32_t inflight;
    nfl_usec tokens; /* a question costs RESOLVER_SECOND */
    nfl_usec tokens_at_us;
    nfl_resolver_stats stats;
};

/* ---- creation ---- */

static void resolver_defaults(nfl_resolver_opts *o)
{
    o->max_entries = o->max_entries ? o->max_entries : 65536;
    o->max_inflight = o->max_inflight ? o->max_inflight : 64;
    o->max_per_second = o->max_per_second ? o->max_per_second : 200;
    o->min_ttl_s = o->min_ttl_s ? o->min_ttl_s : 60;
    o->max_ttl_s = o->max_ttl_s ? o->max_ttl_s : 86400;
    o->negative_ttl_s = o->negative_ttl_s ? o->negative_ttl_s : 900;
    o->failure_ttl_s = o->failure_ttl_s ? o->failure_ttl_s : 30;
}

static void resolver_link_entries(nfl_resolver *r)
{
    for (uint32_t i = 0; i < r->bucket_count; i++)
        r->buckets[i] = RESOLVER_NONE;
    for (uint32_t i = 0; i < r->opts.max_entries; i++)
        r->entries[i].chain = i + 1 < r->opts.max_entries ? i + 1 : RESOLVER_NONE;
    r->free_head = 0;
    r->used = r->waiting = (resolver_list){RESOLVER_NONE, RESOLVER_NONE};
}

nfl_status nfl_resolver_new(const nfl_resolver_opts *opts, nfl_resolver **out, nfl_error *err)
{
    nfl_resolver_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    resolver_defaults(&o);
    if (o.max_entries > RESOLVER_MAX_ENTRIES)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u entries, at most %u", o.max_entries,
                         RESOLVER_MAX_ENTRIES);
    if (o.min_ttl_s > o.max_ttl_s)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "min_ttl_s %u is above max_ttl_s %u", o.min_ttl_s,
                         o.max_ttl_s);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_resolver *r = nfl__new(&memory, 1, sizeof *r);
    if (!r)
        return nfl__fail_nomem(err, sizeof *r);
    r->memory = memory;
    r->opts = o;
    r->bucket_count = 1;
    while (r->bucket_count < o.max_entries)
        r->bucket_count *= 2;
    r->entries = nfl__new(&r->memory, o.max_entries, sizeof *r->entries);
    r->buckets = r->entries ? nfl__new(&r->memory, r->bucket_count, sizeof *r->buckets) : NULL;
    if (!r->buckets) {
        nfl_resolver_free(r);
        return nfl__fail_nomem(err, nfl__mul(o.max_entries, sizeof *r->entries));
    }
    resolver_link_entries(r);
    *out = r;
    return NFL_OK;
}

static void resolver_forget_name(nfl_resolver *r, resolver_entry *entry)
{
    if (entry->name)
        nfl__delete(&r->memory, entry->name, (size_t)entry->name_len + 1, 1);
    entry->name = NULL;
}

void nfl_resolver_free(nfl_resolver *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; r->entries && i < r->opts.max_entries; i++)
        resolver_forget_name(r, &r->entries[i]);
    nfl__memory memory = r->memory;
    nfl__delete(&memory, r->entries, r->opts.max_entries, sizeof *r->entries);
    nfl__delete(&memory, r->buckets, r->bucket_count, sizeof *r->buckets);
    nfl__delete(&memory, r, 1, sizeof *r);
}

/* ---- lists ---- */

static resolver_link *resolver_used(nfl_resolver *r, uint32_t i)
{
    return &r->entries[i].used;
}

static resolver_link *resolver_queue(nfl_resolver *r, uint32_t i)
{
    return &r->entries[i].queue;
}

typedef resolver_link *(*resolver_member)(nfl_resolver *r, uint32_t i);

static void resolver_unlink(nfl_resolver *r, resolver_list *list, resolver_member link, uint32_t i)
{
    resolver_link l = *link(r, i);
    if (l.before == RESOLVER_NONE)
        list->head = l.after;
    else
        link(r, l.before)->after = l.after;
    if (l.after == RESOLVER_NONE)
        list->tail = l.before;
    else
        link(r, l.after)->before = l.before;
}

static void resolver_push_head(nfl_resolver *r, resolver_list *list, resolver_member link, uint32_t i)
{
    *link(r, i) = (resolver_link){RESOLVER_NONE, list->head};
    if (list->head == RESOLVER_NONE)
        list->tail = i;
    else
        link(r, list->head)->before = i;
    list->head = i;
}

static void resolver_push_tail(nfl_resolver *r, resolver_list *list, resolver_member link, uint32_t i)
{
    *link(r, i) = (resolver_link){list->tail, RESOLVER_NONE};
    if (list->tail == RESOLVER_NONE)
        list->head = i;
    else
        link(r, list->tail)->after = i;
    list->tail = i;
}

/* ---- table ---- */

static uint32_t *resolver_bucket(const nfl_resolver *r, const nfl_ip *ip)
{
    return &r->buckets[nfl__hash(ip, sizeof *ip, r->opts.seed) & (r->bucket_count - 1)];
}

static uint32_t resolver_find(const nfl_resolver *r, const nfl_ip *ip)
{
    uint32_t i = *resolver_bucket(r, ip);
    while (i != RESOLVER_NONE && memcmp(&r->entries[i].ip, ip, sizeof *ip) != 0)
        i = r->entries[i].chain;
    return i;
}

static void resolver_remove(nfl_resolver *r, uint32_t i)
{
    resolver_entry *entry = &r->entries[i];
    uint32_t *from = resolver_bucket(r, &entry->ip);
    while (*from != i)
        from = &r->entries[*from].chain;
    *from = entry->chain;
    resolver_unlink(r, &r->used, resolver_used, i);
    if (entry->state == RESOLVER_WAITING) {
        resolver_unlink(r, &r->waiting, resolver_queue, i);
        r->waiting_count--;
        r->stats.dropped++;
    }
    resolver_forget_name(r, entry);
    entry->state = RESOLVER_FREE;
    entry->chain = r->free_head;
    r->free_head = i;
    r->stats.entries--;
}

/* Makes room by forgetting the least recently used entry that nobody waits for an answer to. */
static int resolver_evict(nfl_resolver *r)
{
    uint32_t i = r->used.tail;
    while (i != RESOLVER_NONE && r->entries[i].state == RESOLVER_ASKED)
        i = r->entries[i].used.before;
    if (i == RESOLVER_NONE)
        return 0;
    resolver_remove(r, i);
    return 1;
}

static uint32_t resolver_insert(nfl_resolver *r, const nfl_ip *ip)
{
    if (r->free_head == RESOLVER_NONE && !resolver_evict(r))
        return RESOLVER_NONE;
    uint32_t i = r->free_head, *bucket = resolver_bucket(r, ip);
    resolver_entry *entry = &r->entries[i];
    r->free_head = entry->chain;
    entry->ip = *ip;
    entry->chain = *bucket;
    *bucket = i;
    resolver_push_head(r, &r->used, resolver_used, i);
    r->stats.entries++;
    return i;
}

/* ---- questions ---- */

static int resolver_may_wait(const nfl_resolver *r)
{
    return r->waiting_count < (r->opts.max_entries + 1) / 2;
}

static void resolver_wait(nfl_resolver *r, uint32_t i)
{
    r->entries[i].state = RESOLVER_WAITING;
    resolver_push_tail(r, &r->waiting, resolver_queue, i);
    r->waiting_count++;
}

/* Takes note of the question for an address that is unknown (i = RESOLVER_NONE) or has expired. */
static void resolver_note(nfl_resolver *r, uint32_t i, const nfl_ip *ip)
{
    if (resolver_may_wait(r)) {
        if (i == RESOLVER_NONE)
            i = resolver_insert(r, ip);
        if (i != RESOLVER_NONE) {
            resolver_wait(r, i);
            return;
        }
    }
    r->stats.dropped++;
}

nfl_status nfl_resolver_lookup(nfl_resolver *r, const nfl_ip *ip, nfl_usec now_us, const char **name)
{
    r->stats.lookups++;
    uint32_t i = resolver_find(r, ip);
    if (i == RESOLVER_NONE) {
        resolver_note(r, i, ip);
        return NFL_PENDING;
    }
    resolver_entry *entry = &r->entries[i];
    resolver_unlink(r, &r->used, resolver_used, i);
    resolver_push_head(r, &r->used, resolver_used, i);
    if (entry->state != RESOLVER_KNOWN)
        return NFL_PENDING;
    if (now_us >= entry->expires_us) {
        resolver_note(r, i, ip);
        return NFL_PENDING;
    }
    r->stats.hits++;
    *name = entry->name;
    return NFL_OK;
}

/* Token bucket holding one second's worth. A clock that was set back only restarts the refill. */
static void resolver_refill(nfl_resolver *r, nfl_usec now_us)
{
    nfl_usec full = RESOLVER_SECOND * r->opts.max_per_second;
    nfl_usec passed = now_us > r->tokens_at_us + RESOLVER_SECOND ? RESOLVER_SECOND : now_us - r->tokens_at_us;
    if (r->stats.asked == 0)
        r->tokens = full;
    else if (passed > 0)
        r->tokens += passed * r->opts.max_per_second;
    r->tokens = r->tokens > full ? full : r->tokens;
    r->tokens_at_us = now_us;
}

nfl_status nfl_resolver_ask(nfl_resolver *r, nfl_usec now_us, nfl_ip *ip)
{
    if (r->waiting.head == RESOLVER_NONE || r->inflight >= r->opts.max_inflight)
        return NFL_DONE;
    resolver_refill(r, now_us);
    if (r->tokens < RESOLVER_SECOND)
        return NFL_DONE;
    uint32_t i = r->waiting.head;
    resolver_unlink(r, &r->waiting, resolver_queue, i);
    r->waiting_count--;
    r->entries[i].state = RESOLVER_ASKED;
    r->inflight++;
    r->tokens -= RESOLVER_SECOND;
    r->stats.asked++;
    *ip = r->entries[i].ip;
    return NFL_OK;
}

/* ---- answers ---- */

/* Letters, digits and hyphen as RFC 1123 2.1 has it, plus the underscore that real hosts use. */
static int resolver_is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Length of a host name without its final dot; 0 if it is none. A name goes into terminals, web pages and
 * shell scripts, so nothing else gets through. */
static size_t resolver_host_name_len(const char *name)
{
    size_t len = 0, label = 0;
    for (; name[len]; len++) {
        if (len > RESOLVER_MAX_NAME)
            return 0;
        if (name[len] == '.') {
            if (!label || name[len - 1] == '-')
                return 0;
            label = 0;
        } else if (!resolver_is_name_char(name[len]) || ++label > RESOLVER_MAX_LABEL ||
                   (label == 1 && name[len] == '-')) {
            return 0;
        }
    }
    len -= len && name[len - 1] == '.';
    return len && len <= RESOLVER_MAX_NAME && name[len - 1] != '-' ? len : 0;
}

static uint32_t resolver_clamp_ttl(const nfl_resolver *r, uint32_t ttl_s, uint32_t standard_s)
{
    if (!ttl_s)
        return standard_s;
    ttl_s = ttl_s < r->opts.min_ttl_s ? r->opts.min_ttl_s : ttl_s;
    return ttl_s > r->opts.max_ttl_s ? r->opts.max_ttl_s : ttl_s;
}

/* Keeps the name; returns the seconds for which. */
static uint32_t resolver_take_name(nfl_resolver *r, resolver_entry *entry, const char *name, uint32_t ttl_s)
{
    size_t len = name ? resolver_host_name_len(name) : 0;
    if (!len) {
        r->stats.refused_names++;
        return resolver_clamp_ttl(r, ttl_s, r->opts.negative_ttl_s);
    }
    entry->name = nfl__copy_text(&r->memory, name, len);
    entry->name_len = (uint32_t)len;
    if (!entry->name) { /* out of memory: ask again soon */
        r->stats.failures++;
        return r->opts.failure_ttl_s;
    }
    r->stats.names++;
    return resolver_clamp_ttl(r, ttl_s, r->opts.min_ttl_s);
}

void nfl_resolver_answer(nfl_resolver *r, const nfl_ip *ip, nfl_usec now_us, uint32_t outcome,
                         const char *name, uint32_t ttl_s)
{
    uint32_t i = resolver_find(r, ip);
    if (i == RESOLVER_NONE || r->entries[i].state != RESOLVER_ASKED)
        return;
    resolver_entry *entry = &r->entries[i];
    resolver_forget_name(r, entry);
    uint32_t keep_s;
    if (outcome == NFL_DNS_NAME) {
        keep_s = resolver_take_name(r, entry, name, ttl_s);
    } else if (outcome == NFL_DNS_NO_NAME) {
        r->stats.no_names++;
        keep_s = resolver_clamp_ttl(r, ttl_s, r->opts.negative_ttl_s);
    } else {
        r->stats.failures++;
        keep_s = r->opts.failure_ttl_s;
    }
    entry->expires_us = now_us + RESOLVER_SECOND * keep_s;
    entry->state = RESOLVER_KNOWN;
    r->inflight--;
}

uint32_t nfl_resolver_inflight(const nfl_resolver *r)
{
    return r->inflight;
}

void nfl_resolver_get_stats(const nfl_resolver *r, nfl_resolver_stats *out)
{
    (void)nfl__opts_write(out, &r->stats, sizeof r->stats);
}

size_t nfl_resolver_memory(const nfl_resolver *r)
{
    return r->memory.held;
}

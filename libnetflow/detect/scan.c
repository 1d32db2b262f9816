/* Port scans: one source fails to connect to many ports of one target (vertical), or to one port of many
 * targets (horizontal).
 *
 * Only failures count (refused, unanswered, half-open), only once per port or target, and only if the
 * initiator was seen: a lone reset is an answer to somebody who forged an address. Thresholds follow
 * DETECTION measurements: 15 in about 5 minutes; sources of the own networks may fail to reach 50 targets
 * on ordinary ports, because clients do that when a service is down; a slow tier looks back a day.
 *
 *     connection --failed?--> fanout (distinct, per source and key) --from 6 on--> episode --> findings
 *
 * An episode keeps the evidence (peers, times, a larger counter) and the suppression: it is reported at the
 * threshold, when it gets worse, and at ten times the number last reported. After an hour without a failure
 * the next one begins a new episode.
 */
#include "detect/detector.h"
#include "detect/fanout.h"
#include "detect/judge.h"

#include "base/error.h"
#include "base/hash.h"

#include <netflow/flow.h>

#include <stdio.h>
#include <string.h>

#define SCAN_CANDIDATE 6 /* distinct failures that open an episode, still far from a finding */
#define SCAN_REARM_US INT64_C(3600000000)
#define SCAN_DAY_US INT64_C(86400000000)
#define SCAN_BACKOFF 10
#define SCAN_HIGH 50
#define SCAN_EPISODE_BITS 2048u

typedef struct scan_episode {
    nfl_ip source;
    nfl_ip key;
    uint64_t id;
    nfl_usec first_us; /* flow time */
    nfl_usec last_us;
    nfl_usec seen_us;      /* received time of the last failure; 0 = unused */
    nfl_usec slow_from_us; /* received time from which on the slow tier may report */
    nfl_ip peers[NFL_FINDING_PEERS];
    uint64_t flows;
    uint64_t distinct_fixed; /* 48.16: estimate grown bit by bit */
    uint64_t bits[SCAN_EPISODE_BITS / 64];
    uint32_t zeros;
    uint32_t next_report; /* 0 = nothing reported yet */
    uint8_t peer_count;
    uint8_t severity; /* last reported */
    uint8_t reserved[6];
} scan_episode;

typedef struct scan scan;

/* What is different between the two. */
typedef struct scan_kind {
    const char *name;
    const char *measure;
    uint32_t day_threshold;
    void (*split)(const nfl_connection *c, nfl_ip *key, nfl_ip *element);
    int (*counts)(const nfl_connection *c);
    uint32_t (*threshold)(const scan *s, const nfl_connection *c);
    uint8_t (*soften)(const scan *s, const nfl_connection *c, const nfl__fan_slot *slot, uint8_t severity);
    void (*describe)(const nfl_connection *c, uint32_t observed, const char *within, nfl__report *report);
} scan_kind;

struct scan {
    const scan_kind *kind;
    const nfl__networks *inside;
    nfl__findings *findings;
    nfl__fanout *fanout;
    scan_episode *episodes;
    uint32_t episode_count;
    uint32_t reserved;
    uint64_t seed;
};

/* ---- what counts ---- */

static int scan_has_ports(const nfl_connection *c)
{
    return c->proto == NFL__PROTO_TCP || c->proto == NFL__PROTO_UDP;
}

/* With an ACK the source was in a conversation, or answered in one. */
static int scan_failed(const nfl_connection *c)
{
    int failed = c->outcome == NFL_OUTCOME_REFUSED || c->outcome == NFL_OUTCOME_UNANSWERED ||
                 c->outcome == NFL_OUTCOME_HALF_OPEN;
    return failed && c->src_packets && !(c->proto == NFL__PROTO_TCP && c->src_flags & NFL__TCP_ACK);
}

/* ---- vertical ---- */

static void scan_vertical_split(const nfl_connection *c, nfl_ip *key, nfl_ip *element)
{
    *key = c->dst;
    memset(element, 0, sizeof *element);
    element->b[0] = c->proto;
    element->b[1] = (uint8_t)(c->dst_port >> 8);
    element->b[2] = (uint8_t)c->dst_port;
}

/* traceroute sends to one UDP port after the other, from 33434 on, and expects no answer */
static int scan_vertical_counts(const nfl_connection *c)
{
    return !(c->proto == NFL__PROTO_UDP && c->dst_port >= 33434 && c->dst_port < 33434 + 256);
}

static uint32_t scan_vertical_threshold(const scan *s, const nfl_connection *c)
{
    (void)s;
    (void)c;
    return 15;
}

static uint8_t scan_vertical_soften(const scan *s, const nfl_connection *c, const nfl__fan_slot *slot,
                                    uint8_t severity)
{
    (void)s;
    (void)c;
    (void)slot;
    return severity;
}

static void scan_vertical_describe(const nfl_connection *c, uint32_t observed, const char *within,
                                   nfl__report *r)
{
    char src[NFL_IP_TEXT_SIZE], dst[NFL_IP_TEXT_SIZE];
    nfl_ip_format(&c->src, src, sizeof src);
    nfl_ip_format(&c->dst, dst, sizeof dst);
    r->finding.attack = "T1046";
    snprintf(r->filter, sizeof r->filter, "src ip %s and dst ip %s and proto %s", src, dst,
             nfl_proto_name(c->proto));
    snprintf(r->message, sizeof r->message, "%s failed to connect to %u different %s ports of %s within %s",
             src, observed, nfl_proto_name(c->proto), dst, within);
}

static const scan_kind scan_vertical = {
    .name = "scan_vertical",
    .measure = "distinct ports of one target that refused or ignored the source",
    .day_threshold = 25,
    .split = scan_vertical_split,
    .counts = scan_vertical_counts,
    .threshold = scan_vertical_threshold,
    .soften = scan_vertical_soften,
    .describe = scan_vertical_describe,
};

/* ---- horizontal ---- */

/* Ports that are swept to spread inside a network, with the technique that would follow (MITRE ATT&CK). A
 * client has no reason to look for them on many hosts. */
static const struct {
    uint16_t port;
    const char *attack;
} scan_spread_ports[] = {
    {22, "T1046,T1021.004"},  {23, "T1046"},   {135, "T1046,T1021.003"},  {139, "T1046,T1021.002"},
    {445, "T1046,T1021.002"}, {1433, "T1046"}, {3389, "T1046,T1021.001"}, {5900, "T1046,T1021.005"},
};

static const char *scan_attack_of(uint16_t port)
{
    for (size_t i = 0; i < sizeof scan_spread_ports / sizeof *scan_spread_ports; i++)
        if (scan_spread_ports[i].port == port)
            return scan_spread_ports[i].attack;
    return NULL;
}

static void scan_horizontal_split(const nfl_connection *c, nfl_ip *key, nfl_ip *element)
{
    *element = c->dst;
    memset(key, 0, sizeof *key);
    key->b[0] = c->proto;
    key->b[1] = (uint8_t)(c->dst_port >> 8);
    key->b[2] = (uint8_t)c->dst_port;
}

static int scan_horizontal_counts(const nfl_connection *c)
{
    (void)c;
    return 1;
}

static uint32_t scan_horizontal_threshold(const scan *s, const nfl_connection *c)
{
    int spread = c->proto == NFL__PROTO_TCP && scan_attack_of(c->dst_port);
    return spread || !nfl__networks_contain(s->inside, &c->src) ? 15 : 50;
}

/* Peers of a file sharing network, and busy clients, fail often and succeed often too. */
static uint8_t scan_horizontal_soften(const scan *s, const nfl_connection *c, const nfl__fan_slot *slot,
                                      uint8_t severity)
{
    (void)s;
    int spread = c->proto == NFL__PROTO_TCP && scan_attack_of(c->dst_port);
    uint32_t failed = nfl__fan_day(slot);
    if (spread)
        return severity;
    if (slot->answered > failed)
        return 0;
    return c->dst_port >= 1024 && slot->answered > failed / 10 ? NFL_SEVERITY_INFO : severity;
}

static void scan_horizontal_describe(const nfl_connection *c, uint32_t observed, const char *within,
                                     nfl__report *r)
{
    char src[NFL_IP_TEXT_SIZE];
    const char *proto = nfl_proto_name(c->proto), *service = nfl_service_name(c->proto, c->dst_port);
    const char *attack = c->proto == NFL__PROTO_TCP ? scan_attack_of(c->dst_port) : NULL;
    nfl_ip_format(&c->src, src, sizeof src);
    r->finding.attack = attack ? attack : "T1046";
    snprintf(r->filter, sizeof r->filter, "src ip %s and dst port %u and proto %s", src, c->dst_port, proto);
    snprintf(r->message, sizeof r->message,
             "%s failed to connect to %s port %u%s%s%s of %u different hosts within %s", src, proto,
             c->dst_port, service ? " (" : "", service ? service : "", service ? ")" : "", observed, within);
}

static const scan_kind scan_horizontal = {
    .name = "scan_horizontal",
    .measure = "distinct targets that refused or ignored the source on one port",
    .day_threshold = 50,
    .split = scan_horizontal_split,
    .counts = scan_horizontal_counts,
    .threshold = scan_horizontal_threshold,
    .soften = scan_horizontal_soften,
    .describe = scan_horizontal_describe,
};

/* ---- episodes ---- */

static scan_episode *scan_find_episode(scan *s, const nfl__fan_slot *slot, const nfl_ip *source)
{
    if (!slot->mark)
        return NULL;
    scan_episode *e = &s->episodes[slot->mark - 1];
    int same = e->seen_us && memcmp(&e->source, source, sizeof *source) == 0 &&
               memcmp(&e->key, &slot->key, sizeof slot->key) == 0;
    return same ? e : NULL; /* else it was given to somebody else */
}

/* Unused, then never reported, then quiet for longest. */
static int scan_order_episodes(const scan_episode *a, const scan_episode *b)
{
    int a_kept = a->seen_us && a->next_report, b_kept = b->seen_us && b->next_report;
    if (a_kept != b_kept)
        return a_kept - b_kept;
    return a->seen_us < b->seen_us ? -1 : a->seen_us > b->seen_us;
}

static void scan_begin(const scan *s, scan_episode *e, const nfl_connection *c, const nfl_ip *key,
                       uint32_t distinct)
{
    struct {
        nfl_ip source, key;
        nfl_usec told_us;
    } identity = {c->src, *key, c->told_us};
    memset(e, 0, sizeof *e);
    e->source = c->src;
    e->key = *key;
    e->id =
        nfl__hash(&identity, sizeof identity, s->seed ^ nfl__hash(s->kind->name, strlen(s->kind->name), 0));
    e->first_us = c->first_us;
    e->zeros = SCAN_EPISODE_BITS;
    e->distinct_fixed = (uint64_t)(distinct ? distinct - 1 : 0) << 16;
    e->flows = distinct ? distinct - 1 : 0; /* those before, at least */
}

static scan_episode *scan_open_episode(scan *s, nfl__fan_slot *slot, const nfl_connection *c,
                                       uint32_t distinct)
{
    scan_episode *e = s->episodes;
    for (uint32_t i = 1; i < s->episode_count; i++)
        if (scan_order_episodes(&s->episodes[i], e) < 0)
            e = &s->episodes[i];
    scan_begin(s, e, c, &slot->key, distinct);
    slot->mark = (uint32_t)(e - s->episodes) + 1;
    return e;
}

/* A reported episode is over and something new begins. What the day has seen so far has been told. */
static void scan_rearm(const scan *s, scan_episode *e, const nfl_connection *c, const nfl__fan_slot *slot)
{
    scan_begin(s, e, c, &slot->key, nfl__fan_recent(slot));
    e->slow_from_us = c->told_us + SCAN_DAY_US;
}

static void scan_add_peer(scan_episode *e, const nfl_ip *peer)
{
    for (size_t i = 0; i < e->peer_count; i++)
        if (memcmp(&e->peers[i], peer, sizeof *peer) == 0)
            return;
    if (e->peer_count < NFL_FINDING_PEERS)
        e->peers[e->peer_count++] = *peer;
}

/* Every new bit stands for BITS / zeros elements: a linear counter that is read without a logarithm. */
static void scan_count(scan_episode *e, uint64_t element)
{
    uint64_t bit = element >> 8 & (SCAN_EPISODE_BITS - 1), mask = UINT64_C(1) << (bit & 63);
    if (e->bits[bit >> 6] & mask || e->zeros == 1)
        return;
    e->bits[bit >> 6] |= mask;
    e->distinct_fixed += ((uint64_t)SCAN_EPISODE_BITS << 16) / e->zeros--;
}

static void scan_extend(scan_episode *e, const nfl_connection *c, uint64_t element)
{
    e->seen_us = c->told_us;
    e->first_us = c->first_us < e->first_us ? c->first_us : e->first_us;
    e->last_us = c->last_us > e->last_us ? c->last_us : e->last_us;
    e->flows++;
    scan_add_peer(e, &c->dst);
    scan_count(e, element);
}

static uint32_t scan_observed(const scan_episode *e, uint32_t recent)
{
    uint64_t distinct = e->distinct_fixed >> 16;
    return distinct > recent ? (uint32_t)(distinct > UINT32_MAX ? UINT32_MAX : distinct) : recent;
}

/* ---- findings ---- */

typedef struct scan_judgement {
    uint32_t observed;
    uint32_t threshold;
    uint8_t severity; /* 0 = nothing to report */
    uint8_t slow;
} scan_judgement;

static scan_judgement scan_judge(const scan *s, const nfl_connection *c, const nfl__fan_slot *slot,
                                 const scan_episode *e)
{
    uint32_t recent = nfl__fan_recent(slot), threshold = s->kind->threshold(s, c);
    scan_judgement j = {scan_observed(e, recent), threshold, 0, 0};
    if (recent >= threshold) {
        int serious = j.observed >= SCAN_HIGH || nfl__networks_contain(s->inside, &c->src);
        j.severity = serious ? NFL_SEVERITY_HIGH : NFL_SEVERITY_MEDIUM;
    } else if (nfl__fan_day(slot) >= s->kind->day_threshold && c->told_us >= e->slow_from_us) {
        j.slow = 1;
        j.observed = scan_observed(e, nfl__fan_day(slot));
        j.threshold = s->kind->day_threshold;
        j.severity = NFL_SEVERITY_LOW;
    }
    if (j.severity)
        j.severity = s->kind->soften(s, c, slot, j.severity);
    return j;
}

/* 60 at the threshold, nearing 100 far above it; less when spread over a day. */
static uint8_t scan_confidence(const scan_judgement *j)
{
    uint32_t confidence = 100 - 40 * j->threshold / (j->observed > j->threshold ? j->observed : j->threshold);
    return (uint8_t)(j->slow ? confidence - 10 : confidence);
}

static void scan_report(scan *s, scan_episode *e, const nfl_connection *c, const scan_judgement *j)
{
    nfl__report *report = nfl__findings_add(s->findings);
    if (!report)
        return;
    nfl_finding *f = &report->finding;
    f->severity = j->severity;
    f->confidence = scan_confidence(j);
    f->id = e->id;
    f->first_us = e->first_us;
    f->last_us = e->last_us;
    f->found_us = c->told_us;
    f->entity = c->src;
    f->peer_count = e->peer_count;
    memcpy(f->peers, e->peers, sizeof f->peers);
    f->observed = j->observed;
    f->threshold = j->threshold;
    f->flows = e->flows;
    f->detector = s->kind->name;
    f->measure = s->kind->measure;
    s->kind->describe(c, j->observed, j->slow ? "a day" : "minutes", report);
    e->severity = j->severity;
    e->next_report = j->observed > UINT32_MAX / SCAN_BACKOFF ? UINT32_MAX : j->observed * SCAN_BACKOFF;
}

static void scan_feed_failure(scan *s, const nfl_connection *c)
{
    nfl_ip key, thing;
    s->kind->split(c, &key, &thing);
    uint64_t element = nfl__hash(&thing, sizeof thing, s->seed);
    nfl__fan_slot *slot = nfl__fanout_add(s->fanout, &c->src, &key, element, c->told_us);
    scan_episode *e = scan_find_episode(s, slot, &c->src);
    uint32_t day = nfl__fan_day(slot);
    if (!e && day < SCAN_CANDIDATE)
        return;
    if (!e)
        e = scan_open_episode(s, slot, c, day);
    else if (c->told_us - e->seen_us > SCAN_REARM_US && e->next_report)
        scan_rearm(s, e, c, slot);
    scan_extend(e, c, element);
    scan_judgement j = scan_judge(s, c, slot, e);
    if (j.severity && (j.severity > e->severity || j.observed >= e->next_report))
        scan_report(s, e, c, &j);
}

static void scan_feed(void *state, const nfl_connection *c)
{
    scan *s = state;
    if (c->part == NFL_PART_AGAIN || !scan_has_ports(c))
        return;
    if (scan_failed(c)) {
        if (s->kind->counts(c))
            scan_feed_failure(s, c);
    } else if (c->outcome == NFL_OUTCOME_ANSWERED) {
        nfl_ip key, element;
        s->kind->split(c, &key, &element);
        nfl__fan_slot *slot = nfl__fanout_find(s->fanout, &c->src, &key);
        if (slot && slot->answered < UINT32_MAX)
            slot->answered++;
    }
}

/* ---- life ---- */

static void scan_destroy(nfl__memory *memory, void *state)
{
    scan *s = state;
    if (!s)
        return;
    nfl__fanout_free(s->fanout, memory);
    nfl__delete(memory, s->episodes, s->episode_count, sizeof *s->episodes);
    nfl__delete(memory, s, 1, sizeof *s);
}

static nfl_status scan_create(const nfl__detect_env *env, const scan_kind *kind, void **state, nfl_error *err)
{
    scan *s = nfl__new(env->memory, 1, sizeof *s);
    if (!s)
        return nfl__fail_nomem(err, sizeof *s);
    s->kind = kind;
    s->inside = env->inside;
    s->findings = env->findings;
    s->seed = env->seed;
    s->episode_count = 16 + env->max_sources / 16;
    s->episodes = nfl__new(env->memory, s->episode_count, sizeof *s->episodes);
    s->fanout = s->episodes ? nfl__fanout_new(env->memory, env->max_sources, env->seed) : NULL;
    if (!s->fanout) {
        scan_destroy(env->memory, s);
        return nfl__fail_nomem(err, nfl__mul(env->max_sources, sizeof *s->episodes));
    }
    *state = s;
    return NFL_OK;
}

static nfl_status scan_create_vertical(const nfl__detect_env *env, void **state, nfl_error *err)
{
    return scan_create(env, &scan_vertical, state, err);
}

static nfl_status scan_create_horizontal(const nfl__detect_env *env, void **state, nfl_error *err)
{
    return scan_create(env, &scan_horizontal, state, err);
}

const nfl__detector nfl__detector_scan_vertical = {
    .name = "scan_vertical",
    .about = "One source tries many ports of one target and finds most of them closed.",
    .create = scan_create_vertical,
    .destroy = scan_destroy,
    .feed = scan_feed,
};

const nfl__detector nfl__detector_scan_horizontal = {
    .name = "scan_horizontal",
    .about = "One source tries one port of many targets and finds most of them closed.",
    .create = scan_create_horizontal,
    .destroy = scan_destroy,
    .feed = scan_feed,
};

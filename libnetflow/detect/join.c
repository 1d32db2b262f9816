/* The join: a bounded table of conversations, aged by the time at which records were received.
 *
 * A slot is free, open or done. Open slots hang in the chain of their hash bucket and in the order of their
 * last record (head = longest quiet). Two cursors walk behind on that order and stop at the first slot that
 * has not been quiet long enough: what lies before them has been looked at for early failures. Every touch
 * moves a slot to the tail, so both cursors and the end of the quiet time see slots in order of time.
 *
 *     head ... quiet >= 60 s | quiet >= 20 s: no answer | quiet >= 2 s: lone SYN | ... tail
 *            given out       ^ cursor[1]                ^ cursor[0]
 *
 * Whatever is due before a record came is worked off before the record is taken in, in order of time: the
 * result does not depend on when the caller looks. Done slots wait in order for nfl_join_next(). An early
 * failure is a copy in a done slot of its own; if there is none to spare, it is not early.
 *
 * Orientation outlives a slot: a lossy array of hash tags remembers who began, for later parts of long flows.
 */
#include <netflow/connection.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/opts.h"
#include "detect/judge.h"

#include <string.h>

#define JOIN_NONE UINT32_MAX
#define JOIN_MAX_CONNECTIONS (UINT32_C(1) << 24)
#define JOIN_SECOND INT64_C(1000000)
#define JOIN_GRACES 2
#define JOIN_EXPORTERS 64

/* How long a failure must stay one. A lone SYN is hardly ever cut off from its session by the exporter; its
 * answer comes in the same or the next datagram. Other answers may be exported an idle timeout (15 s) and
 * a batch later. */
static const nfl_usec join_grace_us[JOIN_GRACES] = {2 * JOIN_SECOND, 20 * JOIN_SECOND};

typedef struct join_slot {
    nfl__talk talk;
    nfl_ip exporter;
    nfl_usec first_us;
    nfl_usec last_us;
    nfl_usec touched_us; /* received time of the last record */
    nfl_usec told_us;    /* done: when */
    uint32_t records;
    uint32_t chain; /* open: hash bucket; free and done: next */
    uint32_t before;
    uint32_t after;
    uint32_t bucket;
    nfl__verdict verdict; /* done */
    uint8_t part;         /* done: NFL_PART_*; open: NFL_PART_EARLY once given out early */
} join_slot;

/* Does this exporter see both directions? Conversations with two sides, and TCP data with one side only, tell.
 * Unanswered questions do not: a scan must not make an exporter look blind. */
typedef struct join_exporter {
    uint32_t id;
    uint16_t both;
    uint16_t single;
} join_exporter;

struct nfl_join {
    nfl__memory memory;
    uint64_t seed;
    nfl_usec idle_us;
    nfl_usec now_us; /* latest received time */
    join_slot *slots;
    uint32_t slot_count;
    uint32_t free_head;
    uint32_t *buckets;
    uint32_t *began;       /* tag << 2 | 1 + end that began */
    uint32_t bucket_count; /* power of two; of `began` too */
    uint32_t open_count;
    uint32_t max_open;
    uint32_t age_head;
    uint32_t age_tail;
    uint32_t cursor[JOIN_GRACES];
    uint32_t done_head;
    uint32_t done_tail;
    uint64_t evicted;
    join_exporter exporters[JOIN_EXPORTERS];
    nfl_connection out;
};

/* ---- creation ---- */

static void join_reset_links(nfl_join *join)
{
    for (uint32_t i = 0; i < join->bucket_count; i++)
        join->buckets[i] = JOIN_NONE;
    for (uint32_t i = 0; i < join->slot_count; i++)
        join->slots[i].chain = i + 1 < join->slot_count ? i + 1 : JOIN_NONE;
    join->free_head = 0;
    join->age_head = join->age_tail = join->done_head = join->done_tail = JOIN_NONE;
    for (size_t g = 0; g < JOIN_GRACES; g++)
        join->cursor[g] = JOIN_NONE;
    join->now_us = INT64_MIN;
}

static int join_allocate(nfl_join *join)
{
    join->bucket_count = 1;
    while (join->bucket_count < join->max_open)
        join->bucket_count *= 2;
    join->slot_count = join->max_open + join->max_open / 8 + 16; /* the rest is for what waits to be pulled */
    join->slots = nfl__new(&join->memory, join->slot_count, sizeof *join->slots);
    join->buckets = nfl__new(&join->memory, join->bucket_count, sizeof *join->buckets);
    join->began = nfl__new(&join->memory, join->bucket_count, sizeof *join->began);
    return join->slots && join->buckets && join->began;
}

nfl_status nfl_join_new(const nfl_join_opts *opts, nfl_join **out, nfl_error *err)
{
    nfl_join_opts o;
    NFL_TRY(nfl__opts_read(&o, sizeof o, opts, err));
    if (o.max_connections > JOIN_MAX_CONNECTIONS)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "%u connections, at most %u", o.max_connections,
                         JOIN_MAX_CONNECTIONS);
    nfl__memory memory;
    nfl__memory_init(&memory, o.alloc, 0);
    nfl_join *join = nfl__new(&memory, 1, sizeof *join);
    if (!join)
        return nfl__fail_nomem(err, sizeof *join);
    join->memory = memory;
    join->seed = o.seed;
    join->idle_us = JOIN_SECOND * (o.idle_s ? o.idle_s : 60);
    join->max_open = o.max_connections ? o.max_connections : 65536;
    if (!join_allocate(join)) {
        size_t wanted = nfl__mul(join->max_open, sizeof *join->slots);
        nfl_join_free(join);
        return nfl__fail_nomem(err, wanted);
    }
    join_reset_links(join);
    *out = join;
    return NFL_OK;
}

void nfl_join_free(nfl_join *join)
{
    if (!join)
        return;
    nfl__memory memory = join->memory;
    nfl__delete(&memory, join->slots, join->slot_count, sizeof *join->slots);
    nfl__delete(&memory, join->buckets, join->bucket_count, sizeof *join->buckets);
    nfl__delete(&memory, join->began, join->bucket_count, sizeof *join->began);
    nfl__delete(&memory, join, 1, sizeof *join);
}

/* ---- what is known about exporters ---- */

static uint32_t join_exporter_id(const nfl_join *join, const nfl_ip *exporter)
{
    return (uint32_t)nfl__hash(exporter, sizeof *exporter, join->seed);
}

static join_exporter *join_exporter_at(nfl_join *join, uint32_t id)
{
    join_exporter *e = &join->exporters[id % JOIN_EXPORTERS];
    if (e->id != id)
        *e = (join_exporter){id, 0, 0};
    return e;
}

static void join_learn(nfl_join *join, const join_slot *slot, int both)
{
    const nfl__side *a = &slot->talk.side[0], *b = &slot->talk.side[1];
    join_exporter *e = join_exporter_at(join, a->packets ? a->exporter : b->exporter);
    e->both = (uint16_t)(e->both + both);
    e->single = (uint16_t)(e->single + !both);
    if (e->both == UINT16_MAX || e->single == UINT16_MAX) {
        e->both /= 2;
        e->single /= 2;
    }
}

/* Data in TCP was acknowledged by somebody whom the exporter did not see. */
static int join_misses_answer(const join_slot *slot)
{
    const nfl__side *a = &slot->talk.side[0], *b = &slot->talk.side[1];
    return slot->talk.proto == NFL__PROTO_TCP && (a->flags | b->flags) & NFL__TCP_PSH &&
           !(a->packets && b->packets);
}

static int join_sees_both(nfl_join *join, const join_slot *slot)
{
    const nfl__side *a = &slot->talk.side[0], *b = &slot->talk.side[1];
    const join_exporter *e = join_exporter_at(join, a->packets ? a->exporter : b->exporter);
    return e->both && e->both >= e->single;
}

/* ---- order of last records ---- */

static void join_age_remove(nfl_join *join, uint32_t i)
{
    join_slot *slot = &join->slots[i];
    for (size_t g = 0; g < JOIN_GRACES; g++)
        if (join->cursor[g] == i)
            join->cursor[g] = slot->after;
    if (slot->before == JOIN_NONE)
        join->age_head = slot->after;
    else
        join->slots[slot->before].after = slot->after;
    if (slot->after == JOIN_NONE)
        join->age_tail = slot->before;
    else
        join->slots[slot->after].before = slot->before;
}

static void join_age_append(nfl_join *join, uint32_t i)
{
    join_slot *slot = &join->slots[i];
    slot->before = join->age_tail;
    slot->after = JOIN_NONE;
    if (join->age_tail == JOIN_NONE)
        join->age_head = i;
    else
        join->slots[join->age_tail].after = i;
    join->age_tail = i;
    for (size_t g = 0; g < JOIN_GRACES; g++)
        if (join->cursor[g] == JOIN_NONE)
            join->cursor[g] = i;
    slot->touched_us = join->now_us;
}

/* ---- giving out ---- */

static void join_append_done(nfl_join *join, uint32_t i)
{
    join->slots[i].chain = JOIN_NONE;
    if (join->done_tail == JOIN_NONE)
        join->done_head = i;
    else
        join->slots[join->done_tail].chain = i;
    join->done_tail = i;
}

static uint32_t join_take_free(nfl_join *join)
{
    uint32_t i = join->free_head;
    if (i != JOIN_NONE)
        join->free_head = join->slots[i].chain;
    return i;
}

static uint32_t join_take_done(nfl_join *join)
{
    uint32_t i = join->done_head;
    join->done_head = join->slots[i].chain;
    if (join->done_head == JOIN_NONE)
        join->done_tail = JOIN_NONE;
    return i;
}

static void join_remember_began(nfl_join *join, const join_slot *slot, uint64_t hash)
{
    if (slot->verdict.certain)
        join->began[hash & (join->bucket_count - 1)] =
            ((uint32_t)(hash >> 32) & ~UINT32_C(3)) | (slot->verdict.initiator + 1u);
}

static uint8_t join_recall_began(const nfl_join *join, uint64_t hash)
{
    uint32_t entry = join->began[hash & (join->bucket_count - 1)];
    return ((entry ^ (uint32_t)(hash >> 32)) & ~UINT32_C(3)) == 0 ? (uint8_t)(entry & 3) : 0;
}

static uint64_t join_hash(const nfl_join *join, const nfl__talk *talk)
{
    uint8_t key[2 * sizeof(nfl_ip) + 5];
    memcpy(key, talk->ip, 2 * sizeof(nfl_ip));
    memcpy(key + 2 * sizeof(nfl_ip), talk->port, 4);
    key[2 * sizeof(nfl_ip) + 4] = talk->proto;
    return nfl__hash(key, sizeof key, join->seed);
}

/* An open slot has come to its end. */
static void join_finish(nfl_join *join, uint32_t i, nfl_usec told_us)
{
    join_slot *slot = &join->slots[i];
    uint32_t *from = &join->buckets[slot->bucket];
    while (*from != i)
        from = &join->slots[*from].chain;
    *from = slot->chain;
    join_age_remove(join, i);
    join->open_count--;
    slot->verdict = nfl__judge(&slot->talk, join_sees_both(join, slot));
    slot->told_us = told_us;
    slot->part = slot->part == NFL_PART_EARLY ? NFL_PART_AGAIN : NFL_PART_WHOLE;
    if (join_misses_answer(slot))
        join_learn(join, slot, 0);
    join_remember_began(join, slot, join_hash(join, &slot->talk));
    join_append_done(join, i);
}

/* Gives an open slot out ahead of its end if it has failed. */
static void join_finish_early(nfl_join *join, uint32_t i, nfl_usec told_us, nfl__verdict verdict)
{
    uint32_t copy = join_take_free(join);
    if (copy == JOIN_NONE)
        return;
    join->slots[i].part = NFL_PART_EARLY;
    join->slots[copy] = join->slots[i];
    join->slots[copy].verdict = verdict;
    join->slots[copy].told_us = told_us;
    join_append_done(join, copy);
}

static int join_is_lone_syn(const join_slot *slot, nfl__verdict v)
{
    return slot->talk.proto == NFL__PROTO_TCP && v.outcome == NFL_OUTCOME_UNANSWERED &&
           slot->talk.side[v.initiator].flags & NFL__TCP_SYN;
}

/* The slot at a cursor has been quiet for its grace. */
static void join_pass(nfl_join *join, size_t grace, nfl_usec due_us)
{
    uint32_t i = join->cursor[grace];
    join_slot *slot = &join->slots[i];
    join->cursor[grace] = slot->after;
    if (slot->part == NFL_PART_EARLY)
        return;
    nfl__verdict v = nfl__judge(&slot->talk, join_sees_both(join, slot));
    if (grace == 0 ? join_is_lone_syn(slot, v) : v.outcome == NFL_OUTCOME_UNANSWERED)
        join_finish_early(join, i, due_us, v);
}

static nfl_usec join_due(const nfl_join *join, uint32_t i, nfl_usec quiet_us)
{
    return i == JOIN_NONE ? INT64_MAX : join->slots[i].touched_us + quiet_us;
}

/* Works off what is due next, if it is due by now. */
static int join_step(nfl_join *join)
{
    nfl_usec due = join_due(join, join->age_head, join->idle_us);
    size_t which = JOIN_GRACES;
    for (size_t g = 0; g < JOIN_GRACES; g++) {
        nfl_usec grace_due = join_due(join, join->cursor[g], join_grace_us[g]);
        if (grace_due <= due) {
            due = grace_due;
            which = g;
        }
    }
    if (due == INT64_MAX || due > join->now_us)
        return 0;
    if (which < JOIN_GRACES)
        join_pass(join, which, due);
    else
        join_finish(join, join->age_head, due);
    return 1;
}

/* ---- taking in ---- */

typedef struct join_key {
    nfl__talk talk; /* only the key is set */
    int from;       /* end that sent the record */
    uint16_t flags; /* of the sender */
} join_key;

static void join_order_ends(const nfl_flow *flow, uint16_t src_port, uint16_t dst_port, join_key *key)
{
    int order = nfl_ip_compare(&flow->src, &flow->dst);
    int from = order ? order > 0 : src_port > dst_port;
    key->from = from;
    key->talk.ip[from] = flow->src;
    key->talk.ip[!from] = flow->dst;
    key->talk.port[from] = src_port;
    key->talk.port[!from] = dst_port;
}

/* ICMP has no ports: question and answer meet under the type of the question. */
static void join_key_of_icmp(const nfl_flow *flow, join_key *key)
{
    int answer = 0, request = nfl__icmp_request(flow->proto, flow->icmp_type, &answer);
    uint16_t port = (uint16_t)(flow->icmp_type << 8 | flow->icmp_code);
    if (request >= 0) {
        port = (uint16_t)(request << 8);
        key->flags = answer ? NFL__ICMP_ANSWERED : NFL__ICMP_ASKED;
    }
    join_order_ends(flow, port, port, key);
}

static join_key join_key_of(const nfl_flow *flow)
{
    join_key key;
    memset(&key, 0, sizeof key);
    key.talk.proto = flow->proto;
    if (flow->proto == NFL__PROTO_ICMP || flow->proto == NFL__PROTO_ICMP6) {
        join_key_of_icmp(flow, &key);
    } else {
        key.flags = flow->tcp_flags;
        join_order_ends(flow, flow->src_port, flow->dst_port, &key);
    }
    return key;
}

static int join_same(const nfl__talk *a, const nfl__talk *b)
{
    return a->proto == b->proto && a->port[0] == b->port[0] && a->port[1] == b->port[1] &&
           memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static uint32_t join_open(nfl_join *join, const join_key *key, uint64_t hash)
{
    if (join->open_count == join->max_open) {
        join->evicted++;
        join_finish(join, join->age_head, join->now_us);
    }
    uint32_t i = join_take_free(join);
    if (i == JOIN_NONE)
        i = join_take_done(join); /* nobody pulls: the oldest is lost */
    join_slot *slot = &join->slots[i];
    memset(slot, 0, sizeof *slot);
    slot->talk = key->talk;
    slot->talk.began = join_recall_began(join, hash);
    slot->talk.first_end = (uint8_t)key->from;
    slot->bucket = (uint32_t)hash & (join->bucket_count - 1);
    slot->chain = join->buckets[slot->bucket];
    join->buckets[slot->bucket] = i;
    join->open_count++;
    join_age_append(join, i);
    return i;
}

static uint32_t join_find(nfl_join *join, const join_key *key)
{
    uint64_t hash = join_hash(join, &key->talk);
    uint32_t i = join->buckets[hash & (join->bucket_count - 1)];
    while (i != JOIN_NONE && !join_same(&join->slots[i].talk, &key->talk))
        i = join->slots[i].chain;
    if (i == JOIN_NONE)
        return join_open(join, key, hash);
    join_age_remove(join, i);
    join_age_append(join, i);
    return i;
}

static uint64_t join_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A flow that passes two exporters is counted once: each side believes the first that told of it. */
static void join_add_side(nfl__side *side, const nfl_flow *flow, uint32_t exporter, uint64_t packets,
                          uint64_t bytes, uint16_t flags)
{
    if (!side->packets) {
        side->exporter = exporter;
        side->first_us = flow->first_us;
    }
    side->flags |= flags;
    side->first_us = flow->first_us < side->first_us ? flow->first_us : side->first_us;
    if (side->exporter != exporter)
        return;
    side->packets = join_sum(side->packets, nfl_flow_scaled(flow, packets ? packets : 1));
    side->bytes = join_sum(side->bytes, nfl_flow_scaled(flow, bytes));
}

static void join_add(nfl_join *join, join_slot *slot, const nfl_flow *flow, const join_key *key)
{
    uint32_t exporter = join_exporter_id(join, &flow->exporter);
    if (!slot->records++) {
        slot->exporter = flow->exporter;
        slot->first_us = flow->first_us;
        slot->last_us = flow->last_us;
    }
    slot->first_us = flow->first_us < slot->first_us ? flow->first_us : slot->first_us;
    slot->last_us = flow->last_us > slot->last_us ? flow->last_us : slot->last_us;
    slot->talk.sampled |= flow->sampling > 1;
    join_add_side(&slot->talk.side[key->from], flow, exporter, flow->packets, flow->bytes, key->flags);
    if (!flow->reverse_packets)
        return;
    uint16_t answer = flow->proto == NFL__PROTO_ICMP || flow->proto == NFL__PROTO_ICMP6
                          ? (key->flags == NFL__ICMP_ASKED ? NFL__ICMP_ANSWERED : NFL__ICMP_ASKED)
                          : flow->reverse_tcp_flags;
    join_add_side(&slot->talk.side[!key->from], flow, exporter, flow->reverse_packets, flow->reverse_bytes,
                  answer);
}

void nfl_join_advance(nfl_join *join, nfl_usec now_us)
{
    if (now_us > join->now_us)
        join->now_us = now_us;
}

void nfl_join_feed(nfl_join *join, const nfl_flow *flow)
{
    nfl_join_advance(join, flow->received_us);
    while (join_step(join))
        ;
    join_key key = join_key_of(flow);
    uint32_t i = join_find(join, &key);
    join_slot *slot = &join->slots[i];
    int had_both = slot->talk.side[0].packets && slot->talk.side[1].packets;
    join_add(join, slot, flow, &key);
    if (!had_both && slot->talk.side[0].packets && slot->talk.side[1].packets)
        join_learn(join, slot, 1);
    if (slot->part == NFL_PART_EARLY)
        return;
    nfl__verdict v = nfl__judge(&slot->talk, 1);
    if (v.outcome == NFL_OUTCOME_REFUSED || v.outcome == NFL_OUTCOME_HALF_OPEN)
        join_finish_early(join, i, join->now_us, v);
}

void nfl_join_flush(nfl_join *join)
{
    while (join_step(join))
        ;
    while (join->age_head != JOIN_NONE)
        join_finish(join, join->age_head, join->now_us);
}

static void join_write(nfl_connection *out, const join_slot *slot)
{
    const nfl__talk *talk = &slot->talk;
    int src = slot->verdict.initiator, dst = !src;
    int icmp = talk->proto == NFL__PROTO_ICMP || talk->proto == NFL__PROTO_ICMP6;
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    out->src_port = icmp ? 0 : talk->port[src];
    out->dst_port = talk->port[dst];
    out->src = talk->ip[src];
    out->dst = talk->ip[dst];
    out->exporter = slot->exporter;
    out->first_us = slot->first_us;
    out->last_us = slot->last_us;
    out->src_bytes = talk->side[src].bytes;
    out->src_packets = talk->side[src].packets;
    out->dst_bytes = talk->side[dst].bytes;
    out->dst_packets = talk->side[dst].packets;
    out->records = slot->records;
    out->src_flags = icmp ? 0 : talk->side[src].flags;
    out->dst_flags = icmp ? 0 : talk->side[dst].flags;
    out->proto = talk->proto;
    out->outcome = slot->verdict.outcome;
    out->certain = slot->verdict.certain;
    out->part = slot->part;
    out->told_us = slot->told_us;
}

nfl_status nfl_join_next(nfl_join *join, const nfl_connection **out)
{
    while (join->done_head == JOIN_NONE)
        if (!join_step(join))
            return NFL_DONE;
    uint32_t i = join_take_done(join);
    join_write(&join->out, &join->slots[i]);
    join->slots[i].chain = join->free_head;
    join->free_head = i;
    *out = &join->out;
    return NFL_OK;
}

size_t nfl_join_memory(const nfl_join *join)
{
    return join->memory.held;
}

uint64_t nfl_join_evicted(const nfl_join *join)
{
    return join->evicted;
}

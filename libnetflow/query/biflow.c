#include "query/biflow.h"

#include "base/error.h"
#include "base/hash.h"
#include "query/filter_plan.h"
#include "query/pool.h"
#include "record/icmp.h"

#include <string.h>

#define BIFLOW_OUT 512u /* rows of a block */
#define BIFLOW_FIRST_CHAINS 1024u
#define BIFLOW_NONE UINT32_MAX

/* Fields that decide, and what becomes the answer's. */
#define BIFLOW_ENDS (NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST))
#define BIFLOW_REVERSE (NFL_HAS(NFL_FIELD_REVERSE_BYTES) | NFL_HAS(NFL_FIELD_REVERSE_PACKETS) | NFL_HAS(NFL_FIELD_REVERSE_TCP_FLAGS))
#define BIFLOW_FIELDS                                                                                                           \
    (BIFLOW_ENDS | BIFLOW_REVERSE | NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) |       \
     NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_SAMPLING) |      \
     NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_BYTES) |               \
     NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_TCP_FLAGS))

/* A half that waits, by number in the pool. */
typedef struct biflow_half {
    nfl_flow flow;
    uint64_t hash;
    uint64_t order; /* of arrival */
    uint32_t next;  /* of its chain, or of the free ones */
    uint32_t older, newer;
    uint32_t reserved;
} biflow_half;

_Static_assert(sizeof(biflow_half) % sizeof(uint64_t) == 0, "halves are rows of words");

struct nfl__biflow {
    nfl__memory *memory;
    nfl_alloc alloc;
    nfl_filter *window; /* of the inner source */
    nfl__limits *limits;
    uint64_t rows;      /* that it had; UINT64_MAX = not known yet */
    uint64_t seed;
};

typedef struct biflow_source {
    nfl__source base;
    nfl__biflow *biflow;
    nfl__source *inner;
    nfl__source *rows; /* over `out` */
    uint64_t fields;
    uint64_t taken; /* rows of the inner source that are in its window */
    uint32_t at;    /* next row of its batch */
    uint8_t ended;  /* it has no more */
    uint8_t has_next;
    nfl_flow next; /* the row that is looked at */
    nfl_usec clock_us; /* latest arrival */
    nfl__pool halves;
    uint32_t *chains;
    size_t chain_count; /* a power of two */
    size_t waiting;
    uint32_t unused; /* first free half */
    uint32_t oldest, newest;
    nfl_flow *out;
    size_t out_count;
} biflow_source;

/* --- The object ---- */

static nfl_usec biflow_add(nfl_usec time_us, nfl_usec more_us)
{
    nfl_usec sum;
    return time_us == 0 || __builtin_add_overflow(time_us, more_us, &sum) ? 0 : sum; /* 0 = open */
}

nfl_status nfl__biflow_new(const nfl_query *query, const nfl_alloc *alloc, nfl__memory *memory, nfl__limits *limits,
                           nfl__biflow **out, nfl_error *err)
{
    NFL_OPTS(nfl_filter_opts, opts, .alloc = alloc);
    nfl__biflow *biflow = nfl__new(memory, 1, sizeof *biflow);
    if (!biflow)
        return nfl__query_nomem(memory, sizeof *biflow, err);
    biflow->memory = memory;
    biflow->alloc = memory->alloc;
    biflow->limits = limits;
    biflow->rows = UINT64_MAX;
    /* As in table.c: nothing that is returned depends on it. */
    biflow->seed = nfl__hash_u64((uint64_t)(uintptr_t)biflow, UINT64_C(0x62696669));
    nfl_status status = nfl__filter_new_window(NULL, &opts, biflow_add(query->from_us, -NFL__BIFLOW_START_US),
                                               biflow_add(query->to_us, NFL__BIFLOW_START_US), query->flags, &biflow->window, err);
    if (status != NFL_OK) {
        nfl__biflow_free(biflow);
        return status;
    }
    *out = biflow;
    return NFL_OK;
}

void nfl__biflow_free(nfl__biflow *biflow)
{
    if (!biflow)
        return;
    nfl_filter_free(biflow->window);
    nfl__delete(biflow->memory, biflow, 1, sizeof *biflow);
}

/* --- What belongs together ---- */

static int biflow_is_icmp(const nfl_flow *flow)
{
    return flow->proto == NFL__PROTO_ICMP || flow->proto == NFL__PROTO_ICMP6;
}

/* What has to be equal besides the ends; of ICMP the type of the request, or -1 if it knows no answers. */
static int biflow_kind(const nfl_flow *flow, int *is_answer)
{
    *is_answer = 0;
    return biflow_is_icmp(flow) ? nfl__icmp_request(flow->proto, flow->icmp_type, is_answer) : 0;
}

/* May it be a half? The same end on both sides has no direction. */
static int biflow_may_pair(const nfl_flow *flow)
{
    int is_answer;
    return biflow_kind(flow, &is_answer) >= 0 && (nfl_ip_compare(&flow->src, &flow->dst) != 0 || flow->src_port != flow->dst_port);
}

static uint32_t biflow_rate(const nfl_flow *flow)
{
    return flow->sampling > 1 ? flow->sampling : 1;
}

/* Of the same conversation and observation point, in whichever direction. */
static int biflow_same_talk(const nfl_flow *a, const nfl_flow *b)
{
    int answers;
    return a->proto == b->proto && a->domain == b->domain && biflow_rate(a) == biflow_rate(b) &&
           biflow_kind(a, &answers) == biflow_kind(b, &answers) && nfl_ip_compare(&a->exporter, &b->exporter) == 0;
}

static int biflow_same_direction(const nfl_flow *a, const nfl_flow *b)
{
    int a_answers, b_answers;
    return biflow_kind(a, &a_answers) == biflow_kind(b, &b_answers) && a_answers == b_answers && a->src_port == b->src_port &&
           a->dst_port == b->dst_port && nfl_ip_compare(&a->src, &b->src) == 0 && nfl_ip_compare(&a->dst, &b->dst) == 0;
}

/* Question and answer: of ICMP one of each. */
static int biflow_opposite(const nfl_flow *a, const nfl_flow *b)
{
    int a_answers, b_answers;
    (void)biflow_kind(a, &a_answers);
    (void)biflow_kind(b, &b_answers);
    return (!biflow_is_icmp(a) || a_answers != b_answers) && a->src_port == b->dst_port && a->dst_port == b->src_port &&
           nfl_ip_compare(&a->src, &b->dst) == 0 && nfl_ip_compare(&a->dst, &b->src) == 0;
}

static uint64_t biflow_distance(nfl_usec a, nfl_usec b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* Time of the last packet. */
static nfl_usec biflow_end(const nfl_flow *flow)
{
    return flow->present & NFL_HAS(NFL_FIELD_LAST) && flow->last_us > flow->first_us ? flow->last_us : flow->first_us;
}

static int biflow_near(const nfl_flow *a, const nfl_flow *b)
{
    const nfl_flow *early = a->first_us <= b->first_us ? a : b, *late = early == a ? b : a;
    return biflow_distance(a->received_us, b->received_us) <= (uint64_t)NFL__BIFLOW_WAIT_US &&
           biflow_distance(a->first_us, b->first_us) <= (uint64_t)NFL__BIFLOW_START_US &&
           (biflow_end(early) >= late->first_us || biflow_distance(late->first_us, biflow_end(early)) <= (uint64_t)NFL__BIFLOW_GAP_US);
}

/* Did a begin? */
static int biflow_initiates(const nfl_flow *a, const nfl_flow *b)
{
    int a_answers, b_answers;
    if (a->first_us != b->first_us)
        return a->first_us < b->first_us;
    (void)biflow_kind(a, &a_answers);
    (void)biflow_kind(b, &b_answers);
    if (a_answers != b_answers)
        return b_answers;
    if (a->src_port != b->src_port)
        return a->src_port > b->src_port;
    return nfl_ip_compare(&a->src, &b->src) < 0;
}

/* The initiator's record with the answer's counters (RFC 5103 6). */
static void biflow_join(nfl_flow *out, const nfl_flow *a, const nfl_flow *b)
{
    const nfl_flow *first = biflow_initiates(a, b) ? a : b, *answer = first == a ? b : a;
    uint64_t has = answer->present;
    *out = *first;
    out->reverse_bytes = answer->bytes;
    out->reverse_packets = answer->packets;
    out->reverse_tcp_flags = answer->tcp_flags;
    out->present |= (has & NFL_HAS(NFL_FIELD_BYTES) ? NFL_HAS(NFL_FIELD_REVERSE_BYTES) : 0) |
                    (has & NFL_HAS(NFL_FIELD_PACKETS) ? NFL_HAS(NFL_FIELD_REVERSE_PACKETS) : 0) |
                    (has & NFL_HAS(NFL_FIELD_TCP_FLAGS) ? NFL_HAS(NFL_FIELD_REVERSE_TCP_FLAGS) : 0);
    if (has & NFL_HAS(NFL_FIELD_LAST) && (!(first->present & NFL_HAS(NFL_FIELD_LAST)) || answer->last_us > first->last_us)) {
        out->last_us = answer->last_us;
        out->present |= NFL_HAS(NFL_FIELD_LAST);
    }
    if (answer->received_us > first->received_us)
        out->received_us = answer->received_us;
}

/* A record without an answer: of the counters that it has, the reverse ones are 0. */
static void biflow_leave_alone(nfl_flow *flow)
{
    uint64_t has = flow->present;
    flow->present |= (has & NFL_HAS(NFL_FIELD_BYTES) ? NFL_HAS(NFL_FIELD_REVERSE_BYTES) : 0) |
                     (has & NFL_HAS(NFL_FIELD_PACKETS) ? NFL_HAS(NFL_FIELD_REVERSE_PACKETS) : 0);
}

/* --- Halves that wait ---- */

static biflow_half *biflow_at(const biflow_source *s, uint32_t number)
{
    return (biflow_half *)(void *)nfl__pool_at(&s->halves, number);
}

static uint64_t biflow_hash_end(const nfl_ip *ip, uint16_t port, uint64_t seed)
{
    return nfl__hash(ip->b, sizeof ip->b, seed + port);
}

/* The same for both directions. */
static uint64_t biflow_hash(const biflow_source *s, const nfl_flow *flow)
{
    int is_answer;
    uint64_t seed = nfl__hash(flow->exporter.b, sizeof flow->exporter.b, s->biflow->seed);
    seed = nfl__hash_u64((uint64_t)flow->domain << 32 | biflow_rate(flow), seed);
    seed = nfl__hash_u64((uint64_t)flow->proto << 32 | (uint32_t)biflow_kind(flow, &is_answer), seed);
    uint64_t ends = biflow_hash_end(&flow->src, flow->src_port, seed) + biflow_hash_end(&flow->dst, flow->dst_port, seed);
    return nfl__hash_u64(ends, seed);
}

static uint32_t *biflow_chain(const biflow_source *s, uint64_t hash)
{
    return &s->chains[(hash >> 32) & (s->chain_count - 1)];
}

static nfl_status biflow_too_many(const biflow_source *s, size_t size, nfl_error *err)
{
    nfl__memory *memory = s->biflow->memory;
    if (nfl__query_nomem(memory, size, NULL) != NFL_E_LIMIT)
        return nfl__fail_nomem(err, size);
    return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET,
                     "putting both directions together needs more than the %zu bytes of the query's memory budget, which were used up "
                     "by %zu records that wait for their answers: allow more",
                     memory->limit, s->waiting);
}

static nfl_status biflow_grow_chains(biflow_source *s, nfl_error *err)
{
    size_t count = s->chain_count * 2;
    uint32_t *chains = nfl__new(s->biflow->memory, count, sizeof *chains);
    if (!chains)
        return biflow_too_many(s, count * sizeof *chains, err);
    memset(chains, 0xff, count * sizeof *chains);
    nfl__delete(s->biflow->memory, s->chains, s->chain_count, sizeof *chains);
    s->chains = chains;
    s->chain_count = count;
    for (uint32_t number = s->oldest; number != BIFLOW_NONE; number = biflow_at(s, number)->newer) {
        biflow_half *half = biflow_at(s, number);
        uint32_t *chain = biflow_chain(s, half->hash);
        half->next = *chain;
        *chain = number;
    }
    return NFL_OK;
}

/* Let a flow wait. */
static nfl_status biflow_wait(biflow_source *s, const nfl_flow *flow, uint64_t hash, nfl_error *err)
{
    uint32_t number = s->unused;
    if (s->waiting >= s->chain_count)
        NFL_TRY(biflow_grow_chains(s, err));
    if (number != BIFLOW_NONE) {
        s->unused = biflow_at(s, number)->next;
    } else {
        if (s->halves.count >= BIFLOW_NONE || !nfl__pool_add(&s->halves))
            return biflow_too_many(s, NFL__POOL_ROWS * sizeof(biflow_half), err);
        number = (uint32_t)(s->halves.count - 1);
    }
    uint32_t *chain = biflow_chain(s, hash);
    *biflow_at(s, number) = (biflow_half){*flow, hash, s->taken, *chain, s->newest, BIFLOW_NONE, 0};
    *chain = number;
    if (s->newest != BIFLOW_NONE)
        biflow_at(s, s->newest)->newer = number;
    else
        s->oldest = number;
    s->newest = number;
    s->waiting++;
    return NFL_OK;
}

/* It waits no longer. What it was can still be read until the next one waits. */
static void biflow_take_out(biflow_source *s, uint32_t number)
{
    biflow_half *half = biflow_at(s, number);
    uint32_t *link = biflow_chain(s, half->hash);
    while (*link != number)
        link = &biflow_at(s, *link)->next;
    *link = half->next;
    if (half->older != BIFLOW_NONE)
        biflow_at(s, half->older)->newer = half->newer;
    else
        s->oldest = half->newer;
    if (half->newer != BIFLOW_NONE)
        biflow_at(s, half->newer)->older = half->older;
    else
        s->newest = half->older;
    half->next = s->unused;
    s->unused = number;
    s->waiting--;
}

/* What waits of the same endpoints as a flow. */
typedef struct biflow_found {
    uint32_t answer; /* the half that fits best, or none */
    uint32_t oldest; /* of those in the same direction */
    uint32_t alike;  /* how many these are */
} biflow_found;

static int biflow_fits_better(const biflow_source *s, const nfl_flow *flow, uint32_t a, uint32_t b)
{
    if (b == BIFLOW_NONE)
        return 1;
    uint64_t left = biflow_distance(biflow_at(s, a)->flow.first_us, flow->first_us);
    uint64_t right = biflow_distance(biflow_at(s, b)->flow.first_us, flow->first_us);
    return left != right ? left < right : biflow_at(s, a)->order < biflow_at(s, b)->order;
}

static biflow_found biflow_find(const biflow_source *s, const nfl_flow *flow, uint64_t hash)
{
    biflow_found found = {BIFLOW_NONE, BIFLOW_NONE, 0};
    for (uint32_t number = *biflow_chain(s, hash); number != BIFLOW_NONE; number = biflow_at(s, number)->next) {
        const biflow_half *half = biflow_at(s, number);
        if (half->hash != hash || !biflow_same_talk(&half->flow, flow))
            continue;
        if (biflow_opposite(&half->flow, flow)) {
            if (biflow_near(&half->flow, flow) && biflow_fits_better(s, flow, number, found.answer))
                found.answer = number;
        } else if (biflow_same_direction(&half->flow, flow)) {
            found.alike++;
            if (found.oldest == BIFLOW_NONE || half->order < biflow_at(s, found.oldest)->order)
                found.oldest = number;
        }
    }
    return found;
}

/* --- Rows in ---- */

static void biflow_copy(const nfl__column *column, uint32_t row, uint32_t field, nfl_flow *flow)
{
    if (!nfl__column_has(column, row))
        return;
    memcpy(nfl__flow_slot(flow, field), nfl__column_at(column, row), nfl__field_slots[field].width);
    flow->present |= NFL_HAS(field);
}

/* Go to the next row of the inner source. NFL_DONE: there is none. */
static nfl_status biflow_go_on(biflow_source *s, nfl_error *err)
{
    for (s->at++; s->at >= s->inner->batch.rows; s->at = 0) {
        nfl_status status = nfl__source_next(s->inner, err);
        if (status == NFL_OK)
            status = nfl__limits_check(s->biflow->limits, s->inner->batch.rows, err);
        if (status == NFL_OK)
            status = nfl__source_need(s->inner, s->fields, err);
        if (status != NFL_OK)
            return status;
    }
    return NFL_OK;
}

static void biflow_read_row(biflow_source *s)
{
    memset(&s->next, 0, sizeof s->next);
    s->next.struct_size = sizeof s->next;
    for (uint64_t left = s->fields; left; left &= left - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(left);
        biflow_copy(&s->inner->batch.columns[field], s->at, field, &s->next);
    }
}

/* The next row that may have a part in an answer, unless there is none. */
static nfl_status biflow_read(biflow_source *s, nfl_error *err)
{
    nfl_status status = NFL_DONE;
    while (s->taken < s->biflow->rows && (status = biflow_go_on(s, err)) == NFL_OK) {
        biflow_read_row(s);
        if (!nfl_filter_match(s->biflow->window, &s->next))
            continue; /* its block has others */
        s->taken++;
        s->has_next = 1;
        if (s->next.received_us > s->clock_us)
            s->clock_us = s->next.received_us;
        return NFL_OK;
    }
    if (status < 0)
        return status;
    s->ended = 1;
    s->biflow->rows = s->taken;
    return NFL_OK;
}

/* --- Rows out ---- */

static void biflow_give_alone(biflow_source *s, const nfl_flow *flow)
{
    nfl_flow *out = &s->out[s->out_count++];
    *out = *flow;
    biflow_leave_alone(out);
}

static void biflow_give_up(biflow_source *s, uint32_t number)
{
    biflow_give_alone(s, &biflow_at(s, number)->flow);
    biflow_take_out(s, number);
}

/* What becomes of the row that was read; one row leaves at most. */
static nfl_status biflow_step(biflow_source *s, nfl_error *err)
{
    const nfl_flow *flow = &s->next;
    s->has_next = 0;
    if (flow->present & BIFLOW_REVERSE || (flow->present & BIFLOW_ENDS) != BIFLOW_ENDS) {
        s->out[s->out_count++] = *flow;
        return NFL_OK;
    }
    if (!biflow_may_pair(flow)) {
        biflow_give_alone(s, flow);
        return NFL_OK;
    }
    uint64_t hash = biflow_hash(s, flow);
    biflow_found found = biflow_find(s, flow, hash);
    if (found.answer != BIFLOW_NONE) {
        biflow_join(&s->out[s->out_count++], &biflow_at(s, found.answer)->flow, flow);
        biflow_take_out(s, found.answer);
        return NFL_OK;
    }
    if (found.alike >= NFL__BIFLOW_ALIKE)
        biflow_give_up(s, found.oldest);
    return biflow_wait(s, flow, hash, err);
}

/* Has the oldest half waited long enough? */
static int biflow_is_over(const biflow_source *s)
{
    if (s->oldest == BIFLOW_NONE || s->ended)
        return s->oldest != BIFLOW_NONE;
    nfl_usec received_us = biflow_at(s, s->oldest)->flow.received_us;
    return s->clock_us > received_us && biflow_distance(s->clock_us, received_us) > (uint64_t)NFL__BIFLOW_WAIT_US;
}

static nfl_status biflow_pull(void *ctx, const nfl_flow **flows, size_t *n, size_t *stride, nfl_error *err)
{
    biflow_source *s = ctx;
    s->out_count = 0;
    while (s->out_count < BIFLOW_OUT) {
        if (!s->has_next && !s->ended)
            NFL_TRY(biflow_read(s, err));
        if (biflow_is_over(s))
            biflow_give_up(s, s->oldest);
        else if (s->has_next)
            NFL_TRY(biflow_step(s, err));
        else
            break;
    }
    *flows = s->out;
    *n = s->out_count;
    *stride = sizeof *s->out;
    return s->out_count ? NFL_OK : NFL_DONE;
}

/* --- The source ---- */

static nfl_status biflow_next(nfl__source *source, nfl_error *err)
{
    biflow_source *s = (biflow_source *)source;
    nfl_status status = nfl__source_next(s->rows, err);
    source->batch = s->rows->batch;
    source->rows_reduced = s->inner->rows_reduced;
    source->blocks_read = s->inner->blocks_read;
    source->blocks_skipped = s->inner->blocks_skipped;
    return status;
}

static nfl_status biflow_load(nfl__source *source, uint32_t field, nfl_error *err)
{
    biflow_source *s = (biflow_source *)source;
    NFL_TRY(nfl__source_need(s->rows, NFL_HAS(field), err));
    source->batch.columns[field] = s->rows->batch.columns[field];
    source->batch.loaded |= NFL_HAS(field);
    return NFL_OK;
}

static void biflow_source_free(nfl__source *source)
{
    biflow_source *s = (biflow_source *)source;
    nfl__memory *memory = s->biflow->memory;
    if (s->inner)
        s->inner->ops->free(s->inner);
    if (s->rows)
        s->rows->ops->free(s->rows);
    nfl__pool_done(&s->halves);
    nfl__delete(memory, s->chains, s->chain_count, sizeof *s->chains);
    nfl__delete(memory, s->out, BIFLOW_OUT, sizeof *s->out);
    nfl__delete(memory, s, 1, sizeof *s);
}

nfl_status nfl__biflow_open(nfl__biflow *biflow, const nfl__scannable *store, uint64_t fields, nfl__source **out, nfl_error *err)
{
    static const nfl__source_ops ops = {biflow_next, biflow_load, biflow_source_free, NULL};
    nfl__memory *memory = biflow->memory;
    biflow_source *s = nfl__new(memory, 1, sizeof *s);
    if (!s)
        return nfl__query_nomem(memory, sizeof *s, err);
    s->base.ops = &ops;
    s->biflow = biflow;
    s->fields = fields | BIFLOW_FIELDS;
    s->at = UINT32_MAX; /* before the first row */
    s->clock_us = INT64_MIN;
    s->oldest = s->newest = s->unused = BIFLOW_NONE;
    nfl__pool_init(&s->halves, memory, sizeof(biflow_half) / sizeof(uint64_t));
    s->chains = nfl__new(memory, BIFLOW_FIRST_CHAINS, sizeof *s->chains);
    s->chain_count = s->chains ? BIFLOW_FIRST_CHAINS : 0;
    s->out = nfl__new(memory, BIFLOW_OUT, sizeof *s->out);
    nfl_status status = s->chains && s->out ? NFL_OK : nfl__query_nomem(memory, BIFLOW_OUT * sizeof *s->out, err);
    if (status == NFL_OK) {
        memset(s->chains, 0xff, s->chain_count * sizeof *s->chains);
        status = store->open(store->self, biflow->window, s->fields, &s->inner, err);
    }
    if (status == NFL_OK)
        status = nfl__row_source_new(&biflow->alloc, biflow_pull, s, NULL, &s->rows, err);
    if (status != NFL_OK) {
        biflow_source_free(&s->base);
        return status;
    }
    *out = &s->base;
    return NFL_OK;
}

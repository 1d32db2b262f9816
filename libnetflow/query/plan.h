/* A checked nfl_query: which fields are keys, which are measured and how, what a result row looks like.
 *
 * A group in memory is a row of 64-bit words:
 *
 *   | measure 0 | measure 1 (an address takes two) | ... | seen | key bytes, padded with zeros |
 *
 * `seen` bit i: some flow of the group had measure i. A key is made so that comparing bytes compares values:
 *
 *   | bucket, 8 bytes, if any | a bit per key field: present | key fields, big-endian, absent = 0 |
 *
 * A plan with distinct(field) has that field as a last key, which is not in the result, and a word for the count behind the
 * measures; when all flows are in, groups that agree in the other keys become one (distinct.h). Unless the count may be an estimate:
 * then the field is no key, and a group has a sketch of its values (estimate.h).
 *
 * A narrow key holds addresses as numbers of 4 bytes (addresses.h), with a bit per key field behind the presence bits:
 * the address is not IPv4, and the number says nothing about its order.
 * Times are kept with their sign bit flipped (key.h). A record kept for sorting is
 *
 *   | present: bit per output | output 0 | output 1 (an address takes two) | ... |
 */
#ifndef NFL_QUERY_PLAN_H
#define NFL_QUERY_PLAN_H

#include <netflow/query.h>

#include "query/key.h"
#include "query/source.h"

#define NFL__PLAN_FIELDS 64u /* most outputs, keys or measures; a field is named once, so it suffices */

enum { NFL__MEASURE_SUM = 0, NFL__MEASURE_MIN = 1, NFL__MEASURE_MAX = 2, NFL__MEASURE_UNION = 3 };

typedef struct nfl__measure {
    uint8_t field; /* stored */
    uint8_t how;   /* NFL__MEASURE_* */
    uint8_t type;  /* NFL_TYPE_* */
    uint8_t word;  /* of the group, its first */
} nfl__measure;

typedef struct nfl__group_key {
    uint8_t field; /* stored */
    uint8_t type;
    uint8_t width;
    uint16_t offset; /* in the key */
} nfl__group_key;

enum {
    NFL__OUTPUT_STORED = 0,
    NFL__OUTPUT_DERIVED = 1,
    NFL__OUTPUT_KEY = 2,
    NFL__OUTPUT_MEASURE = 3,
    NFL__OUTPUT_TIME = 4,
    NFL__OUTPUT_DISTINCT = 5
};

/* A column of the result, or what it is ordered by. */
typedef struct nfl__output {
    uint8_t field;
    uint8_t type;
    uint8_t kind;
    uint8_t from;  /* NFL__OUTPUT_* */
    uint8_t index; /* of the key or measure */
    uint8_t word;  /* records: its first word in a kept row */
} nfl__output;

typedef struct nfl__plan {
    nfl_query query; /* texts in it are not valid after nfl__plan_make() */
    nfl__output outputs[NFL__PLAN_FIELDS];
    nfl__group_key keys[NFL__PLAN_FIELDS];
    nfl__measure measures[NFL__PLAN_FIELDS];
    uint32_t output_count, key_count, measure_count;
    nfl__output order; /* valid if ordered */
    uint8_t ordered;   /* by `order`; else by key alone, or as it arrives */
    uint8_t grouped;   /* groups or buckets; else records */
    uint8_t bucketed;
    uint8_t newest_first; /* buckets from late to early */
    uint8_t unscaled;
    uint8_t spread; /* counters of flows, over the buckets they cover */
    uint8_t sums_only; /* all measures are sums, of a word each */
    uint8_t narrow; /* addresses in keys are numbers */
    uint32_t presence_at; /* offset of the presence bits in a key */
    uint32_t key_bytes;   /* padded to 8 */
    uint32_t seen_word;   /* groups: index of `seen`; the key follows */
    uint32_t row_words;   /* of a group or kept record */
    uint8_t counts_distinct; /* there is a distinct() */
    uint8_t distinct_key;    /* 1 = its field is the last key; 0 = it is none, and counts are estimates */
    uint8_t distinct_field;
    uint8_t distinct_word;   /* of the group, its count */
    char distinct_name[40];  /* "distinct(dst)" */
    char distinct_title[40];
    uint64_t reads;       /* stored fields needed for the result, NFL_HAS() bits */
    uint8_t adds_up;      /* sums of flows will do, as `adding` says */
    nfl__adding adding;
} nfl__plan;

/* Check a request. NFL_E_SYNTAX: a field list is wrong, offset = column in that list. */
nfl_status nfl__plan_make(const nfl_query *query, nfl__plan *out, nfl_error *err);

/* Let keys hold addresses as they are. A plan is made for their numbers, which makes groups much smaller. */
void nfl__plan_widen(nfl__plan *plan);

/* Measure these fields too, except those that are keys. */
void nfl__plan_measure_all(nfl__plan *plan, uint64_t fields);

/* Index of the key of a field, that of distinct() not counted; -1 if it is none. */
int nfl__plan_key(const nfl__plan *plan, uint32_t field);

/* Index of the measure of a stored field, which a plan for derived outputs always has; -1 if there is none. */
int nfl__plan_measure(const nfl__plan *plan, uint32_t field);

#endif

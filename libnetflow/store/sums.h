/* Sums: the flows of a segment added up beforehand by the keys that reports ask for most, so that "top sources of the day" reads
 * a row per source and segment instead of a row per flow.
 *
 * A kind of sums is a list of key fields and a bucket of time: a UTC day, or 5 minutes. Its rows are blocks like those of flows
 * (segment.h), with columns for the keys, `first` as the start of the bucket, and bytes, packets and flows: sums of scaled
 * counters, absent where no flow had them. Rows are sorted by bucket and key, so that ascending addresses take little.
 *
 * A query may read sums instead of a segment's flows when it asks for bytes, packets or flows by keys among those of the kind,
 * wants no other column, filters nothing but time, and its window takes in all of the segment; buckets must be multiples of the
 * kind's. The answer is the same to the last bit, for sums of sums are sums.
 *
 * Sums may also take the place of flows that are older than those are kept (nfl_compact_opts::sums_before_us): then a window may cut
 * them where buckets end, and a query that asks for something else misses them, and says how many flows.
 *
 * They are made by grouping the blocks with the query engine while a segment is compacted: about 100 ns a flow for all kinds and
 * 16 MiB a kind at most; 1 to 2 bytes a flow in the file. A kind that has more than a row for four flows would not pay, and is
 * left out of that segment; queries then read the flows. Where sums are to replace the flows, no kind is left out.
 */
#ifndef NFL_STORE_SUMS_H
#define NFL_STORE_SUMS_H

#include "store/columns.h"
#include "store/encoding.h"

#define NFL__SUMS_KINDS 5u

typedef struct nfl__sums_kind {
    uint32_t id; /* in files: never reused */
    const char *by;
    uint64_t keys; /* the same as NFL_HAS() bits */
    nfl_usec bucket_us;
} nfl__sums_kind;

extern const nfl__sums_kind nfl__sums_kinds[NFL__SUMS_KINDS];

/* Can rows of this kind answer what is asked? */
int nfl__sums_answer(const nfl__sums_kind *kind, const nfl__adding *asked);

/* May a window (0 = open) cut rows of this kind? It must fall on the ends of buckets, except where these are so short that it
 * may be rounded to them. */
#define NFL__SUMS_ROUNDED_US INT64_C(300000000)
int nfl__sums_cut(const nfl__sums_kind *kind, nfl_usec from_us, nfl_usec to_us);

/* Adds up blocks of flows. */
typedef struct nfl__sums_builder nfl__sums_builder;
nfl__sums_builder *nfl__sums_builder_new(const nfl_alloc *alloc); /* NULL when out of memory */
void nfl__sums_builder_free(nfl__sums_builder *builder);

/* Begin with a segment; forget the one before. keep_all: no kind is left out; NFL_E_LIMIT when there are too many rows, which a
 * million flows never make. */
nfl_status nfl__sums_start(nfl__sums_builder *builder, int keep_all, nfl_error *err);

/* The block that the encoder has been started with. */
nfl_status nfl__sums_add(nfl__sums_builder *builder, const nfl__encoder *encoder, const nfl__batch *block, nfl_error *err);

/* The rows of kind i, a block of up to NFL__BATCH_ROWS at each call, until *block is NULL. It is valid until the next call. */
nfl_status nfl__sums_next(nfl__sums_builder *builder, uint32_t i, const nfl__columns **block, nfl_error *err);

#endif

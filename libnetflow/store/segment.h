/* Segments: sealed, immutable files of encoded columns.
 *
 *   head      magic "NFLSEG1\n" | version u32 | 0 u32                                              16 bytes
 *   chunks    one per column and block (encoding.h), in any order
 *   sections  1 the directory, 2 the address index (address_index.h), 3 the origin, 4 sums (sums.h), and whatever later
 *             versions add
 *   table     per section: type u32 | flags u32 | offset u64 | length u64 | XXH64 of it u64        32 bytes each
 *   footer    table offset u64 | sections u32 | version u32 | digest u64 | rows u64 | XXH64 of the table u64 |
 *             magic "NFLSEGE\n"                                                                    48 bytes
 *
 *   sums      per kind: kind u32 | blocks u32, then per block as in the directory; kinds that the reader does not know are passed over
 *   origin    u64 each: ids of the journals and segments whose flows these are, so that a manifest can be made anew
 *   directory rows u64 | received min, max i64 | first min, max i64 | blocks u32 | 0 u32
 *             per block: rows u32 | chunks u32                      (no blocks: the sums stand for the flows)
 *             per chunk: field u8 | encoding u8 | compression u8 | flags u8 | length u32 | offset u64 | XXH64 u64 |
 *                        length before compression u32 | reference u8 | validity of u8 | 0 u16 |
 *                        min, max (8 bytes each; addresses 16 each)
 *             chunk flags: 1 = some row lacks the field, 2 = min and max are addresses
 *             compression: 0 = none, 1 = one zstd frame
 *             reference, validity of: fields that the chunk refers to (encoding.h), 255 = none
 *
 * A block has up to 65536 rows. A field without a chunk is in no row of the block. The digest is the XXH64 of
 * everything before the footer; each chunk and section has its own checksum, so a query checks what it reads and
 * only nfl_store_verify() reads all. Everything is little-endian.
 *
 * Versions: a reader refuses a higher version number. Sections with flag 1 must be understood, others are passed
 * over; chunks of fields that the reader does not know are passed over; an encoding that it does not know is an
 * error when that column is asked for.
 *
 * Nothing in a file is trusted: every offset, length and count is checked before use.
 */
#ifndef NFL_STORE_SEGMENT_H
#define NFL_STORE_SEGMENT_H

#include "store/columns.h"
#include "store/encoding.h"
#include "store/files.h"
#include "store/sums.h"

/* How much work goes into making a segment small. */
enum {
    NFL__SEGMENT_FAST = 0,   /* bit packing: for sealing */
    NFL__SEGMENT_COMPACT = 1, /* and what zstd makes smaller, compressed: for compaction; FAST in a library without zstd */
    NFL__SEGMENT_SUMS = 2     /* only sums of the flows, and their addresses; no blocks */
};

/* Builds segments one after the other; keeps its working memory. */
typedef struct nfl__segment_builder nfl__segment_builder;
nfl__segment_builder *nfl__segment_builder_new(const nfl_alloc *alloc); /* NULL when out of memory */
void nfl__segment_builder_free(nfl__segment_builder *builder);

/* A segment block by block. After a failure start again. */
nfl_status nfl__segment_start(nfl__segment_builder *builder, unsigned level, nfl_error *err);
nfl_status nfl__segment_add(nfl__segment_builder *builder, const nfl__columns *block, nfl_error *err);
/* The flows are those of this journal or segment; may be said more than once before the segment is finished. */
nfl_status nfl__segment_comes_from(nfl__segment_builder *builder, uint64_t id, nfl_error *err);
nfl_status nfl__segment_finish(nfl__segment_builder *builder, const nfl__buffer **bytes, nfl__extent *extent, uint64_t *digest,
                               nfl_error *err);

/* All at once. *bytes is the file, owned by the builder and valid until its next call. *extent and *digest describe it. */
nfl_status nfl__segment_build(nfl__segment_builder *builder, nfl__columns *const *blocks, size_t count, unsigned level,
                              const nfl__buffer **bytes, nfl__extent *extent, uint64_t *digest, nfl_error *err);

/* Where a column of a block is. len 0 = in no row. */
typedef struct nfl__chunk {
    uint64_t offset;
    uint64_t hash;
    uint32_t len;
    uint32_t raw_len; /* before compression */
    nfl__chunk_form form;
    uint8_t compression;
} nfl__chunk;

typedef struct nfl__block {
    uint32_t rows;
    nfl__chunk chunks[NFL_FIELD_STORED_COUNT];
    nfl__zone zones[NFL_FIELD_STORED_COUNT];
} nfl__block;

/* Blocks of sums of one kind. */
typedef struct nfl__segment_sums {
    const nfl__sums_kind *kind;
    uint32_t first, count; /* of the segment's `sum_blocks` */
} nfl__segment_sums;

typedef struct nfl__section {
    uint64_t offset, len, hash;
} nfl__section;

/* A segment opened for reading. */
typedef struct nfl__segment {
    const nfl__files *files;
    nfl__memory *memory;
    int file; /* -1 = not open */
    char name[NFL__NAME_SIZE];
    uint64_t size;
    uint64_t digest; /* as the footer says */
    nfl__section directory, addresses, origin, sums;
    nfl__extent extent; /* before the blocks are read: rows only */
    nfl__block *blocks;
    uint32_t block_count;
    nfl__block *sum_blocks; /* of all kinds */
    size_t sum_block_count, sum_block_capacity;
    nfl__segment_sums sum_kinds[NFL__SUMS_KINDS];
    uint32_t sum_kind_count;
} nfl__segment;

/* Open and read the directory. NFL_E_NOT_FOUND when the file is gone. */
nfl_status nfl__segment_open(nfl__segment *segment, const nfl__files *files, int root, const char *name,
                             nfl__memory *memory, nfl_error *err);
void nfl__segment_close(nfl__segment *segment);

/* The same in two steps, for who may not need the blocks. */
nfl_status nfl__segment_open_ends(nfl__segment *segment, const nfl__files *files, int root, const char *name,
                                  nfl__memory *memory, nfl_error *err);
nfl_status nfl__segment_read_blocks(nfl__segment *segment, nfl_error *err);

/* Read what sums there are, to sum_kinds; none is no error. */
nfl_status nfl__segment_read_sums(nfl__segment *segment, nfl_error *err);

/* nfl__index_read over a segment, for nfl__address_index_open(); there is an index if addresses.len is not 0. */
nfl_status nfl__segment_read_index(void *segment, void *dst, size_t len, uint64_t offset, nfl_error *err);

/* Memory for reading columns, kept from block to block. Zeroed = empty. */
typedef struct nfl__loader {
    nfl__buffer bytes; /* as stored */
    nfl__buffer plain; /* before compression */
    void *decompressor;
    uint64_t loading;  /* columns being decoded: none may refer to itself */
    uint32_t only_count;  /* rows that are wanted, as in nfl__chunk_context */
    const uint32_t *only;
    nfl__decoded decoded[NFL_FIELD_STORED_COUNT];
} nfl__loader;
void nfl__loader_init(nfl__loader *loader, nfl__memory *memory);
void nfl__loader_free(nfl__loader *loader);

/* Read and decode one column of a block into batch->columns, and those it refers to; sets their bits in batch->loaded.
 * Columns of fields in no row are NULL-form. Valid until the loader is used for another block. */
nfl_status nfl__segment_load(const nfl__segment *segment, const nfl__block *block, uint32_t field, nfl__loader *loader,
                             nfl__batch *batch, nfl_error *err);

/* The ids it comes from, to an array that grows. */
nfl_status nfl__segment_read_origin(const nfl__segment *segment, uint64_t **ids, size_t *count, size_t *capacity, nfl_error *err);

/* Compare the whole file with its digest. */
nfl_status nfl__segment_check_digest(const nfl__segment *segment, nfl_error *err);

#endif

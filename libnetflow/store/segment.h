/* Segments: sealed, immutable files of encoded columns.
 *
 *   head      magic "NFLSEG1\n" | version u32 | 0 u32                                              16 bytes
 *   chunks    one per column and block (encoding.h), in any order
 *   sections  the directory, and whatever later versions add
 *   table     per section: type u32 | flags u32 | offset u64 | length u64 | XXH64 of it u64        32 bytes each
 *   footer    table offset u64 | sections u32 | version u32 | digest u64 | rows u64 | XXH64 of the table u64 |
 *             magic "NFLSEGE\n"                                                                    48 bytes
 *
 *   directory rows u64 | received min, max i64 | first min, max i64 | blocks u32 | 0 u32
 *             per block: rows u32 | chunks u32
 *             per chunk: field u8 | encoding u8 | compression u8 | flags u8 | length u32 | offset u64 | XXH64 u64 |
 *                        min, max (8 bytes each; addresses 16 each)
 *             chunk flags: 1 = some row lacks the field, 2 = min and max are addresses
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

/* Encode blocks into `out` (empty). *extent and *digest describe the result. */
nfl_status nfl__segment_build(nfl__columns *const *blocks, size_t count, nfl__buffer *out, nfl__extent *extent,
                              uint64_t *digest, nfl_error *err);

/* Where a column of a block is. length 0 = in no row. */
typedef struct nfl__chunk {
    uint64_t offset;
    uint64_t hash;
    uint32_t len;
    uint8_t encoding;
    uint8_t compression;
    uint8_t reserved[2];
} nfl__chunk;

typedef struct nfl__block {
    uint32_t rows;
    nfl__chunk chunks[NFL_FIELD_STORED_COUNT];
    nfl__zone zones[NFL_FIELD_STORED_COUNT];
} nfl__block;

/* A segment opened for reading. */
typedef struct nfl__segment {
    const nfl__files *files;
    nfl__memory *memory;
    int file; /* -1 = not open */
    char name[NFL__NAME_SIZE];
    uint64_t size;
    uint64_t digest; /* as the footer says */
    nfl__extent extent;
    nfl__block *blocks;
    uint32_t block_count;
} nfl__segment;

/* Open and read the directory. NFL_E_NOT_FOUND when the file is gone. */
nfl_status nfl__segment_open(nfl__segment *segment, const nfl__files *files, int root, const char *name,
                             nfl__memory *memory, nfl_error *err);
void nfl__segment_close(nfl__segment *segment);

/* Read and decode one column of a block; columns of fields in no row are NULL-form. `bytes` is scratch. */
nfl_status nfl__segment_column(const nfl__segment *segment, const nfl__block *block, uint32_t field,
                               const nfl__column *reference, nfl__buffer *bytes, nfl__decoded *decoded,
                               nfl__column *column, nfl_error *err);

/* Compare the whole file with its digest. */
nfl_status nfl__segment_check_digest(const nfl__segment *segment, nfl_error *err);

#endif

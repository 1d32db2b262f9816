/* The address index of a segment: which of its blocks have an address as source, and which as destination. Exact, so an
 * address that is not in it is in no flow of the segment.
 *
 *   head     addresses u64 | pages u32 | blocks a bit u32 | XXH64 of this and the fences, seed 0: u64          24 bytes
 *   fences   per page: its first address (16 bytes) | offset u32 behind the fences | length u32 | XXH64 u64     32 bytes
 *   pages    up to 1024 addresses, ascending: upper halves, lower halves as numbers (big-endian), then the blocks that have them
 *            as source, those that have them as destination: bit i = block i, or any of `blocks a bit` blocks from i times as many on
 *
 * All sequences are such as nfl__numbers_read() reads. A look-up reads the head and the fences (32 bytes for 1024 addresses) once a
 * segment and one page, a few kilobytes; a range of many pages is not followed to its end: then any block may have it.
 * Size: 3 to 6 bytes an address. Building costs a merge with the addresses of each block.
 */
#ifndef NFL_STORE_ADDRESS_INDEX_H
#define NFL_STORE_ADDRESS_INDEX_H

#include "query/key.h"
#include "store/encoding.h"
#include "store/numbers.h"

/* --- building --- */

typedef struct nfl__index_entry {
    nfl_ip ip;
    uint64_t blocks[2]; /* as source, as destination */
} nfl__index_entry;

typedef struct nfl__index_builder {
    nfl__memory *memory;
    nfl__index_entry *entries[2]; /* so far, and room for merging */
    size_t capacity[2];
    size_t count;
    uint32_t block;        /* the next one */
    uint32_t blocks_a_bit; /* power of two */
    uint8_t *sides;        /* of each address of a block: bit 0 source, bit 1 destination */
    size_t sides_capacity;
} nfl__index_builder;

void nfl__index_builder_start(nfl__index_builder *builder, nfl__memory *memory); /* zeroed before the first time */
void nfl__index_builder_free(nfl__index_builder *builder);

/* The block that the encoder has been started with; 0 when out of memory. */
int nfl__index_builder_add(nfl__index_builder *builder, const nfl__encoder *encoder, const nfl__batch *block);

/* Append the section; 0 when out of memory. */
int nfl__index_builder_write(nfl__index_builder *builder, nfl__numbers_work *work, nfl__buffer *out);

/* --- reading --- */

typedef nfl_status (*nfl__index_read)(void *ctx, void *dst, size_t len, uint64_t offset, nfl_error *err);

typedef struct nfl__address_index {
    nfl__memory *memory;
    nfl__index_read read; /* bytes of the section */
    void *ctx;
    uint64_t len;         /* of the section */
    uint64_t addresses;
    uint32_t pages;
    uint32_t blocks_a_bit;
    uint8_t *fences;
    uint32_t page;        /* the one in `values`; UINT32_MAX = none */
    uint32_t pages_left;  /* that look-ups may still read */
    uint64_t *values;     /* upper, lower, source, destination: 1024 each */
    uint8_t *bytes;
    size_t bytes_capacity;
} nfl__address_index;

/* Read head and fences. NFL_E_CORRUPT, NFL_E_IO, NFL_E_NOMEM. */
nfl_status nfl__address_index_open(nfl__address_index *index, nfl__memory *memory, nfl__index_read read, void *ctx, uint64_t len,
                                   nfl_error *err);
void nfl__address_index_close(nfl__address_index *index);

/* *bits: groups of blocks in which an address of the ranges may be source (side 0) or destination (side 1). */
nfl_status nfl__address_index_find(nfl__address_index *index, const nfl__range *ranges, uint32_t count, unsigned side,
                                   uint64_t *bits, nfl_error *err);

#endif

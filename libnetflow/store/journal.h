/* The journal: flows that are not sealed yet, in frames that are wholly there or not at all.
 *
 *   file    magic "NFLJRN1\n" | version u32 | 0 u32 | id u64            24 bytes
 *   frame   magic u32 | payload length u32 | rows u32 | number u32 | XXH64 of these 16 bytes, seed id u64 |
 *           XXH64 of the payload u64                              32 bytes
 *           payload: rows (rowcodec.h), the first one relative to 0
 *
 * Rows collect in memory and become a frame when the writer makes them visible. Frames are numbered from 0. A
 * reader takes whole frames with the right checksums. What is cut short at the end is a torn tail, from a crash in the
 * middle of a write or from a writer that is writing just now, and no loss: it was never acknowledged. A writer that
 * opens the journal again cuts it off and goes on behind the last frame. Anything else that is no frame was damaged
 * after it was written: the reader tells, and goes on at the next head that has its checksum. Little-endian.
 */
#ifndef NFL_STORE_JOURNAL_H
#define NFL_STORE_JOURNAL_H

#include <netflow/flow.h>

#include "store/buffer.h"
#include "store/files.h"

/* The writing end. */
typedef struct nfl__journal {
    const nfl__files *files;
    int file; /* -1 = none */
    uint64_t id;
    uint64_t size;        /* good bytes of the file */
    uint32_t next_frame;
    nfl__buffer frame;    /* the frame being built, room for its head in front */
    uint32_t frame_rows;
    nfl_usec received_us; /* of the last row in the frame */
} nfl__journal;

/* A new, empty journal; its name is durable in the folder. */
nfl_status nfl__journal_create(nfl__journal *journal, const nfl__files *files, int root, uint64_t id,
                               nfl__memory *memory, nfl_error *err);
void nfl__journal_close(nfl__journal *journal);

/* Make room for n more rows: afterwards nfl__journal_add() cannot fail for so many. */
nfl_status nfl__journal_reserve(nfl__journal *journal, size_t n, nfl_error *err);
void nfl__journal_add(nfl__journal *journal, const nfl_flow *flow);

/* Write the frame being built. On failure it stays, to be tried again. */
nfl_status nfl__journal_flush(nfl__journal *journal, nfl_error *err);

/* Called for each row of a journal; negative stops. NULL: rows are only checked. */
typedef nfl_status (*nfl__journal_visit)(void *ctx, const nfl_flow *flow, nfl_error *err);

/* What reading a journal found. */
typedef struct nfl__journal_extent {
    uint64_t good_bytes; /* end of the last whole frame */
    uint64_t file_bytes;
    uint64_t rows;
    uint64_t damaged_rows; /* in frames whose payload is damaged; of others nobody knows */
    uint32_t frames;
    uint32_t damaged; /* 1 = something other than the tail is no frame */
} nfl__journal_extent;

/* Read the frames of journal `id`, open as `file`. */
nfl_status nfl__journal_read(const nfl__files *files, int file, uint64_t id, nfl__memory *memory,
                             nfl__journal_visit visit, void *ctx, nfl__journal_extent *out, nfl_error *err);

/* Go on with a journal that was read: cut its tail, take over the file handle. */
nfl_status nfl__journal_resume(nfl__journal *journal, const nfl__files *files, int file, uint64_t id,
                               const nfl__journal_extent *extent, nfl__memory *memory, nfl_error *err);

void nfl__journal_name(uint64_t id, char name[NFL__NAME_SIZE]);

/* Where a damaged journal is kept after its good frames were taken out of it. */
#define NFL__JOURNAL_DAMAGED ".damaged"
void nfl__journal_damaged_name(uint64_t id, char name[NFL__NAME_SIZE]);

#endif

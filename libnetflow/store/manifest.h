/* The manifest: which segments and which journal make up the store at this instant.
 *
 *   magic "NFLMAN1\n" | version u32 | entry size u32 | generation u64 | next id u64 | journal id u64 | expired before i64 |
 *   segments u64
 *   per segment: id u64 | rows u64 | bytes u64 | received min, max i64 | first min, max i64 | digest u64 |
 *   flags u64
 *   XXH64 of everything before: u64                                                            little-endian
 *
 * It is replaced as a whole: written beside, made durable, renamed over the old one, the folder made durable. So
 * a reader finds the old state or the new one, never a mixture, and a crash leaves one of the two. Entries hold
 * what a query needs to leave a segment unopened. A newer writer may make entries longer: `entry size` tells.
 */
#ifndef NFL_STORE_MANIFEST_H
#define NFL_STORE_MANIFEST_H

#include "store/columns.h"
#include "store/files.h"

#define NFL__ENTRY_COMPACT 0x1u /* made by compaction, as small as it gets */
#define NFL__ENTRY_SUMS 0x2u    /* has sums of its flows instead of them */

typedef struct nfl__segment_entry {
    uint64_t id;
    uint64_t bytes;
    uint64_t digest; /* XXH64 of the file up to its footer */
    uint64_t flags;  /* NFL__ENTRY_* */
    nfl__extent extent;
} nfl__segment_entry;

typedef struct nfl__manifest {
    uint64_t generation;
    uint64_t next_id;
    uint64_t journal_id;
    nfl_usec expired_before_us; /* what arrived before may be gone */
    nfl__segment_entry *segments;
    size_t count;
    size_t capacity;
} nfl__manifest;

void nfl__manifest_free(nfl__manifest *manifest, nfl__memory *memory);

/* NFL_E_NOT_FOUND: there is none. */
nfl_status nfl__manifest_read(nfl__manifest *manifest, const nfl__files *files, int root, nfl__memory *memory,
                              nfl_error *err);

/* Write it with the next generation number. *replaced tells, also on failure, whether readers find it already: then
 * only its durability is in doubt, and the root folder must be synced before anything relies on it. */
nfl_status nfl__manifest_write(nfl__manifest *manifest, const nfl__files *files, int root, nfl__memory *memory,
                               int *replaced, nfl_error *err);

/* Room for one more entry. */
nfl_status nfl__manifest_reserve(nfl__manifest *manifest, nfl__memory *memory, nfl_error *err);

/* "segments/2026-11-23/0000000000000001.nfs", by day of the first arrival; the folder alone. */
void nfl__segment_name(const nfl__segment_entry *entry, char name[NFL__NAME_SIZE]);
void nfl__segment_folder(const nfl__segment_entry *entry, char name[NFL__NAME_SIZE]);

#endif

/* IP packets put together from their fragments (RFC 791 3.2, RFC 8200 4.5), within a small bound.
 *
 * A fixed number of packets may be in assembly; each takes a block of 66 KiB, allocated when first needed and
 * used again. The oldest goes when there is no room, and each after 30 seconds of capture time, because
 * identifications repeat. Which 8-byte units have come is kept in a bitmap, so that work is linear in the
 * bytes of the fragments in any order. Pieces that overlap in part are an attack or an error: the packet is
 * dropped (RFC 5722 3). Pieces that come twice are ignored.
 */
#ifndef NFL_WIRE_FRAGMENT_H
#define NFL_WIRE_FRAGMENT_H

#include "base/alloc.h"
#include "wire/frame.h"

#define NFL__FRAGMENT_SLOTS 16

typedef struct nfl__fragment_slot nfl__fragment_slot;

typedef struct nfl__fragments {
    nfl__memory *memory; /* of the owner */
    nfl__fragment_slot *slots[NFL__FRAGMENT_SLOTS];
    uint64_t lost; /* fragments dropped because others did not come */
} nfl__fragments;

void nfl__fragments_init(nfl__fragments *fragments, nfl__memory *memory);
void nfl__fragments_done(nfl__fragments *fragments);

/* Adds one piece. NFL_OK: the packet is complete, *packet is now the whole one (valid until the next call).
 * NFL_PENDING: others must come, or the piece was of no use. NFL_E_NOMEM. */
nfl_status nfl__fragments_add(nfl__fragments *fragments, nfl__frame *packet, nfl_usec now_us);

/* Gives up all packets in assembly: their pieces are counted as lost. */
void nfl__fragments_flush(nfl__fragments *fragments);

#endif

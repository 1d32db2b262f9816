/* Flows as bytes, one after the other, for the journal: only the fields that are there, numbers as varints.
 *
 *   present varint | fields in order of their numbers
 *
 * `present` has the bits of NFL__FIELDS_ALWAYS set where the value is there though it was not sent; the bits that were
 * really sent follow as a second varint when they differ. Numbers are LEB128; received is the zigzag difference to
 * the row before, first to received, last to first; an address is its length (4 or 16) and its bytes.
 * A typical flow takes 45 to 60 bytes.
 */
#ifndef NFL_STORE_ROWCODEC_H
#define NFL_STORE_ROWCODEC_H

#include <netflow/flow.h>

#include "base/rd.h"

/* No flow takes more bytes. */
#define NFL__ROW_BYTES_MAX 1024u

/* Write a flow; dst has NFL__ROW_BYTES_MAX bytes. *received_us is that of the row before, and updated. Returns the
 * length. */
size_t nfl__row_write(const nfl_flow *flow, nfl_usec *received_us, uint8_t *dst);

/* Read a flow; 0 when the bytes are no flow. */
int nfl__row_read(nfl__rd *rd, nfl_usec *received_us, nfl_flow *flow);

#endif

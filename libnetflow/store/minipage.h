/* Minipages: sequences of up to 65536 64-bit numbers by frame of reference and bit packing, 1024 at a time.
 *
 *   bases  u64 each | widths  u8 each | packed differences, page after page
 *
 * Used for values, differences of times, dictionary codes and dictionaries alike.
 */
#ifndef NFL_STORE_MINIPAGE_H
#define NFL_STORE_MINIPAGE_H

#include "base/rd.h"
#include "store/buffer.h"

/* Bytes that nfl__minipages_write() takes. `flip` is xored to values for comparing: the sign bit for signed ones. */
size_t nfl__minipages_size(const uint64_t *values, uint32_t count, uint64_t flip);

/* dst has room for nfl__minipages_size() bytes. */
void nfl__minipages_write(const uint64_t *values, uint32_t count, uint64_t flip, uint8_t *dst);

/* values has room for count rounded up to a multiple of 32. 0 when the bytes do not suffice or a width is wrong. */
int nfl__minipages_read(nfl__rd *rd, uint32_t count, uint64_t *values);

/* Codes: one width, no bases. */
size_t nfl__codes_size(uint32_t count, uint32_t distinct);
void nfl__codes_write(const uint32_t *codes, uint32_t count, uint32_t distinct, uint8_t *dst);
/* codes has room for count; 0 when the bytes do not suffice or a code is not below `distinct`. */
int nfl__codes_read(nfl__rd *rd, uint32_t count, uint32_t distinct, uint16_t *codes);

#endif

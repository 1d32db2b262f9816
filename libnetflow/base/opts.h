/* Reading versioned structs (first member uint32_t struct_size) given by a caller of any age, and filling
 * versioned structs for one. */
#ifndef NFL_BASE_OPTS_H
#define NFL_BASE_OPTS_H

#include <netflow/base.h>

/* Copy the caller's options into *dst (dst_size bytes, zeroed first). src NULL = all defaults. An older
 * caller's shorter struct is filled up with zeros. A newer caller's longer one must have zeros where this
 * library knows no member, else NFL_E_VERSION. struct_size below 4 is NFL_E_ARG. */
nfl_status nfl__opts_read(void *dst, size_t dst_size, const void *src, nfl_error *err);

/* Copy *src (src_size bytes) into the caller's struct, as much of it as its struct_size has room for, and
 * leave struct_size as it was. Returns 0 and does nothing when struct_size is below 4. */
int nfl__opts_write(void *dst, const void *src, size_t src_size);

#endif

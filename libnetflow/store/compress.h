/* Compression of chunks: zstd when the library is built with it.
 *
 * Contexts are made when first needed and kept, since making one costs as much as a small chunk. zstd allocates them by
 * malloc, about 600 kB for compressing and 160 kB for decompressing. */
#ifndef NFL_STORE_COMPRESS_H
#define NFL_STORE_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef NFL_WITH_ZSTD
#define NFL__CAN_COMPRESS 1
#else
#define NFL__CAN_COMPRESS 0
#endif

/* Make *compressor unless it is there; 0 when out of memory. */
int nfl__compressor_new(void **compressor);
void nfl__compressor_free(void *compressor);
size_t nfl__compress_bound(size_t len);
/* *len is what was written; 0 when out of memory. dst has room for nfl__compress_bound(src_len). */
int nfl__compress(void *compressor, void *dst, size_t cap, const void *src, size_t src_len, size_t *len);

int nfl__decompressor_new(void **decompressor);
void nfl__decompressor_free(void *decompressor);
/* 0 unless src is a frame of exactly len bytes. */
int nfl__decompress(void *decompressor, void *dst, size_t len, const void *src, size_t src_len);

#endif

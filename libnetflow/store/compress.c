#include "store/compress.h"

#ifdef NFL_WITH_ZSTD
#include <zstd.h>

enum { LEVEL = 1 };

int nfl__compressor_new(void **compressor)
{
    if (!*compressor)
        *compressor = ZSTD_createCCtx();
    return *compressor != NULL;
}

void nfl__compressor_free(void *compressor)
{
    (void)ZSTD_freeCCtx(compressor);
}

size_t nfl__compress_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

int nfl__compress(void *compressor, void *dst, size_t cap, const void *src, size_t src_len, size_t *len)
{
    *len = ZSTD_compressCCtx(compressor, dst, cap, src, src_len, LEVEL);
    return !ZSTD_isError(*len);
}

int nfl__decompressor_new(void **decompressor)
{
    if (!*decompressor)
        *decompressor = ZSTD_createDCtx();
    return *decompressor != NULL;
}

void nfl__decompressor_free(void *decompressor)
{
    (void)ZSTD_freeDCtx(decompressor);
}

int nfl__decompress(void *decompressor, void *dst, size_t len, const void *src, size_t src_len)
{
    return ZSTD_decompressDCtx(decompressor, dst, len, src, src_len) == len;
}

#else /* never called: NFL__CAN_COMPRESS is 0 */

int nfl__compressor_new(void **compressor)
{
    (void)compressor;
    return 0;
}

void nfl__compressor_free(void *compressor)
{
    (void)compressor;
}

size_t nfl__compress_bound(size_t len)
{
    return len;
}

int nfl__compress(void *compressor, void *dst, size_t cap, const void *src, size_t src_len, size_t *len)
{
    (void)compressor, (void)dst, (void)cap, (void)src, (void)src_len, (void)len;
    return 0;
}

int nfl__decompressor_new(void **decompressor)
{
    (void)decompressor;
    return 0;
}

void nfl__decompressor_free(void *decompressor)
{
    (void)decompressor;
}

int nfl__decompress(void *decompressor, void *dst, size_t len, const void *src, size_t src_len)
{
    (void)decompressor, (void)dst, (void)len, (void)src, (void)src_len;
    return 0;
}
#endif

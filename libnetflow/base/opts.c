#include "base/opts.h"

#include "base/error.h"

#include <string.h>

nfl_status nfl__opts_read(void *dst, size_t dst_size, const void *src, nfl_error *err)
{
    memset(dst, 0, dst_size);
    if (!src)
        return NFL_OK;
    uint32_t src_size;
    memcpy(&src_size, src, sizeof src_size);
    if (src_size < sizeof src_size)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "struct_size is %u, must be sizeof the struct", src_size);
    for (size_t i = dst_size; i < src_size; i++)
        if (((const uint8_t *)src)[i] != 0)
            return nfl__fail(err, NFL_E_VERSION, i, "byte %zu of the options is set, this library knows %zu", i,
                             dst_size);
    memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
    return NFL_OK;
}

int nfl__opts_write(void *dst, const void *src, size_t src_size)
{
    uint32_t dst_size;
    memcpy(&dst_size, dst, sizeof dst_size);
    if (dst_size < sizeof dst_size)
        return 0;
    size_t n = dst_size < src_size ? dst_size : src_size;
    memcpy((uint8_t *)dst + sizeof dst_size, (const uint8_t *)src + sizeof dst_size, n - sizeof dst_size);
    return 1;
}

/* A saved sketch from anywhere: load refuses it or gives a usable sketch that saves to the same bytes. The
 * checksum is set right, so that the structure behind it is reached. */
#include <netflow/topk.h>

#include "base/hash.h"
#include "base/wr.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NFL_OPTS(nfl_topk_opts, o, .counters = 64, .key_len = 4, .seed = 1);
    nfl_topk *topk;
    if (size < 8 || size > 4096 || nfl_topk_new(&o, &topk, NULL) != NFL_OK)
        return 0;
    uint8_t *input = test_exact(data, size);
    nfl__store_le(input + size - 8, nfl__hash(input, size - 8, 0), 8);
    if (nfl_topk_load(topk, input, size, NULL) == NFL_OK) {
        uint8_t again[8192];
        size_t need = 0;
        nfl_topk_item items[100];
        if (nfl_topk_list(topk, items, 100) > 64)
            abort();
        if (nfl_topk_save(topk, again, sizeof again, &need, NULL) != NFL_OK)
            abort();
        nfl_topk *second;
        if (nfl_topk_new(&o, &second, NULL) != NFL_OK || nfl_topk_load(second, again, need, NULL) != NFL_OK)
            abort();
        nfl_topk_free(second);
        for (uint32_t key = 0; key < 100; key++)
            nfl_topk_add(topk, &key, UINT64_MAX / 8);
    }
    free(input);
    nfl_topk_free(topk);
    return 0;
}

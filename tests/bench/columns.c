/* Where the bytes of a store are: bytes a flow by column and encoding, over the segments of a file store.
 *
 *   nfl_bench_columns DIR
 */
#include "record/fields.h"
#include "store/manifest.h"
#include "store/segment.h"

#include <stdio.h>

typedef struct tally {
    uint64_t rows, file_bytes;
    uint64_t bytes[NFL_FIELD_STORED_COUNT];
    uint64_t blocks[NFL_FIELD_STORED_COUNT][NFL__ENCODING_COUNT];
} tally;

static void add_segment(tally *t, const nfl__segment *segment)
{
    t->rows += segment->extent.rows;
    t->file_bytes += segment->size;
    for (uint32_t b = 0; b < segment->block_count; b++) {
        for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
            const nfl__chunk *chunk = &segment->blocks[b].chunks[f];
            if (!chunk->len)
                continue;
            if (chunk->form.encoding != NFL__ENCODING_PARTNER) /* the same chunk as its partner's */
                t->bytes[f] += chunk->len;
            t->blocks[f][chunk->form.encoding < NFL__ENCODING_COUNT ? chunk->form.encoding : 0]++;
        }
    }
}

static void print(const tally *t)
{
    static const char *const names[NFL__ENCODING_COUNT] = {"?", "const", "numbers", "relative", "addresses", "pair", "partner", "follows"};
    uint64_t columns = 0;
    double rows = t->rows ? (double)t->rows : 1;
    for (uint32_t f = 0; f < NFL_FIELD_STORED_COUNT; f++) {
        if (!t->bytes[f] && !t->blocks[f][NFL__ENCODING_PARTNER])
            continue;
        columns += t->bytes[f];
        printf("%-16s %7.3f bytes a flow ", nfl__field_row(f)->name, (double)t->bytes[f] / rows);
        for (uint32_t e = 0; e < NFL__ENCODING_COUNT; e++)
            if (t->blocks[f][e])
                printf(" %s %llu", names[e], (unsigned long long)t->blocks[f][e]);
        printf("\n");
    }
    printf("columns %.3f, rest of the files %.3f, together %.3f bytes a flow, %llu flows\n", (double)columns / rows,
           (double)(t->file_bytes - columns) / rows, (double)t->file_bytes / rows, (unsigned long long)t->rows);
}

int main(int argc, char **argv)
{
    const nfl__files *files = &nfl__files_system;
    nfl__memory memory;
    nfl__manifest manifest;
    nfl_error err;
    tally t = {0};
    int root = argc == 2 ? files->open_root(files->ctx, argv[1], 0) : -1;
    if (root < 0) {
        fprintf(stderr, "usage: nfl_bench_columns DIR\n");
        return 2;
    }
    nfl__memory_init(&memory, NULL, 0);
    nfl_status status = nfl__manifest_read(&manifest, files, root, &memory, &err);
    for (size_t i = 0; status == NFL_OK && i < manifest.count; i++) {
        nfl__segment segment;
        char name[NFL__NAME_SIZE];
        nfl__segment_name(&manifest.segments[i], name);
        status = nfl__segment_open(&segment, files, root, name, &memory, &err);
        if (status == NFL_OK)
            add_segment(&t, &segment);
        if (status == NFL_OK)
            nfl__segment_close(&segment);
    }
    if (status == NFL_OK) {
        print(&t);
        nfl__manifest_free(&manifest, &memory);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    files->close(files->ctx, root);
    return status == NFL_OK ? 0 : 1;
}

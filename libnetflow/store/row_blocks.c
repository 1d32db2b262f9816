#include "base/error.h"
#include "store/file_store.h"

enum { BLOCKS_KEPT = 4 /* after sealing; usual segments have no more */ };

/* Rows that still fit into the last block. */
static size_t row_blocks_room(const nfl__row_blocks *blocks)
{
    return blocks->count ? blocks->block_rows - blocks->blocks[blocks->count - 1]->rows : 0;
}

static nfl_status row_blocks_grow(nfl__row_blocks *blocks, nfl_error *err)
{
    if (!nfl__grow(blocks->memory, (void **)&blocks->blocks, &blocks->capacity, blocks->count + 1, sizeof *blocks->blocks))
        return nfl__fail_nomem(err, sizeof *blocks->blocks);
    nfl__columns *columns = nfl__columns_new(&blocks->memory->alloc, blocks->block_rows);
    if (!columns)
        return nfl__fail_nomem(err, sizeof *columns);
    blocks->blocks[blocks->count++] = columns;
    return NFL_OK;
}

/* Blocks that are empty because reserving for a refused append failed half-way are used by the next one. */
static size_t row_blocks_first_open(const nfl__row_blocks *blocks)
{
    size_t i = blocks->count;
    while (i > 0 && blocks->blocks[i - 1]->rows < blocks->block_rows)
        i--;
    return i;
}

nfl_status nfl__row_blocks_reserve(nfl__row_blocks *blocks, size_t rows, uint64_t fields, nfl_error *err)
{
    size_t room = 0;
    for (size_t i = row_blocks_first_open(blocks); i < blocks->count; i++)
        room += blocks->block_rows - blocks->blocks[i]->rows;
    while (room < rows) {
        NFL_TRY(row_blocks_grow(blocks, err));
        room += row_blocks_room(blocks);
    }
    for (size_t i = row_blocks_first_open(blocks); i < blocks->count; i++)
        if (!nfl__columns_reserve(blocks->blocks[i], fields))
            return nfl__fail_nomem(err, blocks->block_rows);
    return NFL_OK;
}

void nfl__row_blocks_add(nfl__row_blocks *blocks, const nfl_flow *flows, uint32_t n, size_t stride)
{
    for (size_t i = row_blocks_first_open(blocks); n; i++) {
        nfl__columns *columns = blocks->blocks[i];
        uint32_t room = columns->capacity - columns->rows, step = n < room ? n : room;
        if (step)
            nfl__columns_add(columns, flows, step, stride);
        for (uint32_t row = 0; row < step; row++) {
            nfl__extent_add_flow(&blocks->extent, flows);
            flows = (const nfl_flow *)(const void *)((const uint8_t *)flows + stride);
        }
        n -= step;
    }
}

nfl_status nfl__row_blocks_visit(void *ctx, const nfl_flow *flow, nfl_error *err)
{
    nfl__row_blocks *blocks = ctx;
    NFL_TRY(nfl__row_blocks_reserve(blocks, 1, nfl__columns_fields_of(flow), err));
    nfl__row_blocks_add(blocks, flow, 1, sizeof *flow);
    return NFL_OK;
}

void nfl__row_blocks_clear(nfl__row_blocks *blocks)
{
    size_t kept = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        nfl__columns *columns = blocks->blocks[i];
        if (kept == BLOCKS_KEPT || columns->references > 1) {
            nfl__columns_release(columns);
            continue;
        }
        nfl__columns_clear(columns);
        blocks->blocks[kept++] = columns;
    }
    blocks->count = kept;
    memset(&blocks->extent, 0, sizeof blocks->extent);
}

void nfl__row_blocks_free(nfl__row_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        nfl__columns_release(blocks->blocks[i]);
    nfl__delete(blocks->memory, blocks->blocks, blocks->capacity, sizeof *blocks->blocks);
    blocks->blocks = NULL;
    blocks->count = blocks->capacity = 0;
    memset(&blocks->extent, 0, sizeof blocks->extent);
}

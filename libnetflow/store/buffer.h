/* Bytes that grow: what a segment, a journal frame or a manifest is built in before it is written. */
#ifndef NFL_STORE_BUFFER_H
#define NFL_STORE_BUFFER_H

#include "base/alloc.h"
#include "base/wr.h"

typedef struct nfl__buffer {
    nfl__memory *memory;
    uint8_t *data;
    size_t len;
    size_t capacity;
} nfl__buffer;

/* n bytes at the end to be filled in, or NULL when out of memory (the buffer is as before). */
static inline uint8_t *nfl__buffer_room(nfl__buffer *buffer, size_t n)
{
    if (n > SIZE_MAX - buffer->len ||
        !nfl__grow(buffer->memory, (void **)&buffer->data, &buffer->capacity, buffer->len + n, 1))
        return NULL;
    uint8_t *room = buffer->data + buffer->len;
    buffer->len += n;
    return room;
}

static inline void nfl__buffer_free(nfl__buffer *buffer)
{
    nfl__delete(buffer->memory, buffer->data, buffer->capacity, 1);
    buffer->data = NULL;
    buffer->len = buffer->capacity = 0;
}

#endif

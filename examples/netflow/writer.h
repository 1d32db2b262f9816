/* Text for a stream, gathered into large pieces: stdio's locks and checks would cost more than writing the numbers. */
#ifndef NETFLOW_TOOL_WRITER_H
#define NETFLOW_TOOL_WRITER_H

#include <netflow/flow.h>

#include <stdio.h>
#include <string.h>

enum { WRITER_BYTES = 64 << 10 };

typedef struct writer {
    FILE *to;
    size_t len;
    char bytes[WRITER_BYTES];
} writer;

/* Hand everything to the stream; ferror() tells of failures. */
void writer_flush(writer *w);

/* Where the next `need` bytes, at most 4096, may be written; add to len what was. */
static inline char *writer_room(writer *w, size_t need)
{
    if (w->len + need > WRITER_BYTES)
        writer_flush(w);
    return w->bytes + w->len;
}

/* At most 4096 bytes. */
static inline void writer_add(writer *w, const char *text, size_t len)
{
    memcpy(writer_room(w, len), text, len);
    w->len += len;
}

/* form: NFL_TEXT_PLAIN or NFL_TEXT_JSON; neither needs quotes or escapes beyond its own. */
static inline void writer_value(writer *w, const nfl_value *value, uint32_t form)
{
    w->len += nfl_value_format(value, form, writer_room(w, NFL_VALUE_TEXT_SIZE), NFL_VALUE_TEXT_SIZE);
}

#endif

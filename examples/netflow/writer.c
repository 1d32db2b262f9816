#include "writer.h"

void writer_flush(writer *w)
{
    fwrite(w->bytes, 1, w->len, w->to);
    w->len = 0;
}

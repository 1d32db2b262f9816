#include "store/holds.h"

#include "base/error.h"
#include "base/hash.h"
#include "store/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS_MAGIC "NFLHOLDS1\n"
#define HOLDS_CHECKSUM "checksum "

enum { HOLDS_MAX = 1024, LINE_MAX = NFL_HOLD_NAME_SIZE + NFL_HOLD_NOTE_SIZE + 64, FILE_MAX = HOLDS_MAX * LINE_MAX + 64, TAIL = 26 };

void nfl__holds_free(nfl__holds *holds, nfl__memory *memory)
{
    nfl__delete(memory, holds->holds, holds->capacity, sizeof *holds->holds);
    memset(holds, 0, sizeof *holds);
}

/* --- checking --- */

static int holds_is_name(const char *name, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *end = memchr(name, 0, size);
    return end && end != name && strspn(name, allowed) == (size_t)(end - name);
}

static int holds_is_note(const char *note, size_t size)
{
    const char *end = memchr(note, 0, size);
    for (const char *p = note; end && p < end; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return 0;
    return end != NULL;
}

static nfl_status holds_check(const nfl_hold *hold, nfl_error *err)
{
    if (!holds_is_name(hold->name, sizeof hold->name))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "a hold's name has 1 to %d letters, digits, '.', '_' or '-'",
                         NFL_HOLD_NAME_SIZE - 1);
    if (!holds_is_note(hold->note, sizeof hold->note))
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "a hold's note has up to %d bytes and no control characters",
                         NFL_HOLD_NOTE_SIZE - 1);
    if (hold->from_us >= hold->to_us)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "hold %s: its end is not behind its beginning", hold->name);
    return NFL_OK;
}

/* --- reading --- */

/* A word up to `stop` to dst; returns what follows it, NULL if it does not fit. */
static const char *holds_word(const char *line, const char *end, char stop, char *dst, size_t size)
{
    const char *at = stop ? memchr(line, stop, (size_t)(end - line)) : end;
    if (!at || (size_t)(at - line) >= size)
        return NULL;
    memcpy(dst, line, (size_t)(at - line));
    dst[at - line] = 0;
    return stop ? at + 1 : at;
}

static const char *holds_time(const char *line, const char *end, nfl_usec *out)
{
    char word[24], *stop;
    line = holds_word(line, end, ' ', word, sizeof word);
    if (!line)
        return NULL;
    errno = 0;
    *out = strtoll(word, &stop, 10);
    return errno || stop == word || *stop ? NULL : line;
}

static int holds_parse_line(const char *line, const char *end, nfl_hold *hold)
{
    memset(hold, 0, sizeof *hold);
    hold->struct_size = sizeof *hold;
    line = holds_word(line, end, ' ', hold->name, sizeof hold->name);
    line = line ? holds_time(line, end, &hold->from_us) : NULL;
    line = line ? holds_time(line, end, &hold->to_us) : NULL;
    line = line ? holds_word(line, end, 0, hold->note, sizeof hold->note) : NULL;
    return line && holds_check(hold, NULL) == NFL_OK;
}

static nfl_status holds_corrupt(nfl_error *err, uint64_t offset, const char *what)
{
    return nfl__fail(err, NFL_E_CORRUPT, offset, "holds: %s; nothing is dropped until the file is mended", what);
}

static nfl_status holds_parse(nfl__holds *holds, const char *text, size_t len, nfl__memory *memory, nfl_error *err)
{
    char tail[TAIL + 1];
    const char *line = text + sizeof HOLDS_MAGIC - 1, *end = text + len - TAIL;
    if (len < sizeof HOLDS_MAGIC - 1 + TAIL || memcmp(text, HOLDS_MAGIC, sizeof HOLDS_MAGIC - 1) != 0)
        return holds_corrupt(err, 0, "not a list of holds");
    (void)snprintf(tail, sizeof tail, HOLDS_CHECKSUM "%016" PRIx64 "\n", nfl__hash(text, len - TAIL, 0));
    if (memcmp(end, tail, TAIL) != 0)
        return holds_corrupt(err, len - TAIL, "the checksum is wrong");
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!nfl__grow(memory, (void **)&holds->holds, &holds->capacity, holds->count + 1, sizeof *holds->holds))
            return nfl__fail_nomem(err, sizeof *holds->holds);
        if (!stop || !holds_parse_line(line, stop, &holds->holds[holds->count]))
            return holds_corrupt(err, (uint64_t)(line - text), "a line is wrong");
        holds->count++;
        line = stop + 1;
    }
    return NFL_OK;
}

static nfl_status holds_load(nfl__holds *holds, const nfl__files *files, int file, nfl__memory *memory, nfl_error *err)
{
    int64_t size = files->size(files->ctx, file);
    if (size < 0)
        return nfl__fail_io(err, (int)-size, "size of holds");
    if (size == 0 || size > FILE_MAX)
        return holds_corrupt(err, 0, "of an impossible length");
    char *text = nfl__new(memory, (size_t)size, 1);
    if (!text)
        return nfl__fail_nomem(err, (size_t)size);
    nfl_status status = nfl__files_read_all(files, file, "holds", text, (size_t)size, 0, err);
    if (status == NFL_OK)
        status = holds_parse(holds, text, (size_t)size, memory, err);
    nfl__delete(memory, text, (size_t)size, 1);
    return status;
}

nfl_status nfl__holds_read(nfl__holds *holds, const nfl__files *files, int root, nfl__memory *memory, nfl_error *err)
{
    memset(holds, 0, sizeof *holds);
    int file = files->open(files->ctx, root, "holds", NFL__FILE_READ);
    if (file == -ENOENT)
        return NFL_OK;
    if (file < 0)
        return nfl__fail_io(err, -file, "open holds");
    nfl_status status = holds_load(holds, files, file, memory, err);
    files->close(files->ctx, file);
    if (status != NFL_OK)
        nfl__holds_free(holds, memory);
    return status;
}

/* --- writing --- */

static nfl_status holds_format(const nfl__holds *holds, nfl__buffer *out, nfl_error *err)
{
    char *text = (char *)nfl__buffer_room(out, sizeof HOLDS_MAGIC + holds->count * LINE_MAX + TAIL);
    if (!text)
        return nfl__fail_nomem(err, holds->count * LINE_MAX);
    size_t len = sizeof HOLDS_MAGIC - 1;
    memcpy(text, HOLDS_MAGIC, len);
    for (size_t i = 0; i < holds->count; i++) {
        const nfl_hold *hold = &holds->holds[i];
        len += (size_t)snprintf(text + len, LINE_MAX, "%s %" PRId64 " %" PRId64 " %s\n", hold->name, (int64_t)hold->from_us,
                                (int64_t)hold->to_us, hold->note);
    }
    (void)snprintf(text + len, TAIL + 1, HOLDS_CHECKSUM "%016" PRIx64 "\n", nfl__hash(text, len, 0));
    out->len = len + TAIL;
    return NFL_OK;
}

static nfl_status holds_replace(const nfl__files *files, int root, const nfl__buffer *bytes, nfl_error *err)
{
    int file = files->open(files->ctx, root, "holds.tmp", NFL__FILE_CREATE);
    if (file < 0)
        return nfl__fail_io(err, -file, "create holds.tmp");
    nfl_status status = nfl__files_write_all(files, file, "holds.tmp", bytes->data, bytes->len, 0, err);
    if (status == NFL_OK)
        status = nfl__files_sync(files, file, "holds.tmp", err);
    files->close(files->ctx, file);
    if (status != NFL_OK)
        return status;
    int result = files->rename(files->ctx, root, "holds.tmp", "holds");
    if (result < 0)
        return nfl__fail_io(err, -result, "rename holds.tmp");
    return nfl__files_sync_folder(files, root, ".", err);
}

/* Where the name is, or would be. */
static size_t holds_find(const nfl__holds *holds, const char *name, int *found)
{
    size_t at = 0;
    while (at < holds->count && strcmp(holds->holds[at].name, name) < 0)
        at++;
    *found = at < holds->count && strcmp(holds->holds[at].name, name) == 0;
    return at;
}

static nfl_status holds_edit(nfl__holds *holds, const nfl_hold *hold, const char *name, nfl__memory *memory, nfl_error *err)
{
    int found;
    size_t at = holds_find(holds, name, &found);
    if (!hold && !found)
        return nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "there is no hold '%.63s'", name);
    if (!hold) {
        holds->count--;
        memmove(&holds->holds[at], &holds->holds[at + 1], (holds->count - at) * sizeof *hold);
        return NFL_OK;
    }
    if (!found) {
        if (holds->count == HOLDS_MAX)
            return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "there are %d holds already", HOLDS_MAX);
        if (!nfl__grow(memory, (void **)&holds->holds, &holds->capacity, holds->count + 1, sizeof *hold))
            return nfl__fail_nomem(err, sizeof *hold);
        memmove(&holds->holds[at + 1], &holds->holds[at], (holds->count - at) * sizeof *hold);
        holds->count++;
    }
    holds->holds[at] = *hold;
    return NFL_OK;
}

nfl_status nfl__holds_change(const nfl__files *files, int root, const nfl_hold *hold, const char *name, nfl__memory *memory,
                             nfl_error *err)
{
    nfl__holds holds;
    nfl__buffer bytes = {memory, NULL, 0, 0};
    if (hold)
        NFL_TRY(holds_check(hold, err));
    NFL_TRY(nfl__holds_read(&holds, files, root, memory, err));
    nfl_status status = holds_edit(&holds, hold, name, memory, err);
    if (status == NFL_OK)
        status = holds_format(&holds, &bytes, err);
    if (status == NFL_OK)
        status = holds_replace(files, root, &bytes, err);
    nfl__buffer_free(&bytes);
    nfl__holds_free(&holds, memory);
    return status;
}

int nfl__holds_mark(const nfl__holds *holds, nfl_usec first_min, nfl_usec first_max)
{
    for (size_t i = 0; i < holds->count; i++)
        if (first_min < holds->holds[i].to_us && first_max >= holds->holds[i].from_us)
            return 1;
    return 0;
}

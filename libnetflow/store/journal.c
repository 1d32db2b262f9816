#include "store/journal.h"

#include "base/error.h"
#include "base/hash.h"
#include "store/rowcodec.h"

#include <stdio.h>

#define JOURNAL_MAGIC "NFLJRN1\n"
#define FRAME_MAGIC UINT32_C(0x4d52464e) /* "NFRM" */

enum {
    FILE_HEAD = 24,
    FRAME_HEAD = 32,
    FRAME_HASHED = 16,  /* covered by the head's checksum, which follows, then the payload's */
    FRAME_MAX = 1 << 28,
    JOURNAL_VERSION = 1
};

void nfl__journal_name(uint64_t id, char name[NFL__NAME_SIZE])
{
    (void)snprintf(name, NFL__NAME_SIZE, "journal/%016llx.nfj", (unsigned long long)id);
}

void nfl__journal_damaged_name(uint64_t id, char name[NFL__NAME_SIZE])
{
    (void)snprintf(name, NFL__NAME_SIZE, "journal/%016llx" NFL__JOURNAL_DAMAGED, (unsigned long long)id);
}

static void journal_init(nfl__journal *journal, const nfl__files *files, int file, uint64_t id, nfl__memory *memory)
{
    memset(journal, 0, sizeof *journal);
    journal->files = files;
    journal->file = file;
    journal->id = id;
    journal->frame.memory = memory;
}

nfl_status nfl__journal_create(nfl__journal *journal, const nfl__files *files, int root, uint64_t id,
                               nfl__memory *memory, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    uint8_t head[FILE_HEAD] = JOURNAL_MAGIC;
    nfl__journal_name(id, name);
    nfl__store_le(head + 8, JOURNAL_VERSION, 4);
    nfl__store_le(head + 16, id, 8);
    int file = files->open(files->ctx, root, name, NFL__FILE_CREATE);
    if (file < 0)
        return nfl__fail_io(err, -file, "create %s", name);
    nfl_status status = nfl__files_write_all(files, file, name, head, sizeof head, 0, err);
    if (status == NFL_OK)
        status = nfl__files_sync(files, file, name, err);
    if (status == NFL_OK)
        status = nfl__files_sync_folder(files, root, "journal", err);
    if (status != NFL_OK) {
        files->close(files->ctx, file);
        return status;
    }
    journal_init(journal, files, file, id, memory);
    journal->size = FILE_HEAD;
    return NFL_OK;
}

void nfl__journal_close(nfl__journal *journal)
{
    if (journal->file < 0)
        return;
    journal->files->close(journal->files->ctx, journal->file);
    nfl__buffer_free(&journal->frame);
    journal->file = -1;
}

nfl_status nfl__journal_reserve(nfl__journal *journal, size_t n, nfl_error *err)
{
    nfl__buffer *frame = &journal->frame;
    size_t need = nfl__mul(n, NFL__ROW_BYTES_MAX);
    if (need > FRAME_MAX || frame->len > FRAME_MAX - need)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "%zu flows at once are too many for a journal frame", n);
    if (frame->len == 0 && !nfl__buffer_room(frame, FRAME_HEAD))
        return nfl__fail_nomem(err, FRAME_HEAD);
    if (!nfl__grow(frame->memory, (void **)&frame->data, &frame->capacity, frame->len + need, 1))
        return nfl__fail_nomem(err, need);
    return NFL_OK;
}

void nfl__journal_add(nfl__journal *journal, const nfl_flow *flow)
{
    journal->frame.len += nfl__row_write(flow, &journal->received_us, journal->frame.data + journal->frame.len);
    journal->frame_rows++;
}

nfl_status nfl__journal_flush(nfl__journal *journal, nfl_error *err)
{
    nfl__buffer *frame = &journal->frame;
    char name[NFL__NAME_SIZE];
    if (journal->frame_rows == 0)
        return NFL_OK;
    size_t payload = frame->len - FRAME_HEAD;
    nfl__store_le(frame->data, FRAME_MAGIC, 4);
    nfl__store_le(frame->data + 4, payload, 4);
    nfl__store_le(frame->data + 8, journal->frame_rows, 4);
    nfl__store_le(frame->data + 12, journal->next_frame, 4);
    nfl__store_le(frame->data + FRAME_HASHED, nfl__hash(frame->data, FRAME_HASHED, journal->id), 8);
    nfl__store_le(frame->data + FRAME_HASHED + 8, nfl__hash(frame->data + FRAME_HEAD, payload, 0), 8);
    nfl__journal_name(journal->id, name);
    NFL_TRY(nfl__files_write_all(journal->files, journal->file, name, frame->data, frame->len, journal->size, err));
    journal->size += frame->len;
    journal->next_frame++;
    journal->frame_rows = 0;
    journal->received_us = 0;
    frame->len = 0;
    return NFL_OK;
}

/* --- reading --- */

typedef struct journal_reader {
    const nfl__files *files;
    int file;
    uint64_t id;
    const char *name;
    nfl__memory *memory;
    uint8_t *payload;
    size_t payload_capacity;
    nfl__journal_visit visit;
    void *ctx;
    nfl__journal_extent *extent;
} journal_reader;

static nfl_status journal_check_head(const nfl__files *files, int file, uint64_t id, const char *name, nfl_error *err)
{
    uint8_t head[FILE_HEAD];
    NFL_TRY(nfl__files_read_all(files, file, name, head, sizeof head, 0, err));
    if (memcmp(head, JOURNAL_MAGIC, 8) != 0 || nfl__load_le64(head + 16) != id)
        return nfl__fail(err, NFL_E_CORRUPT, 0, "%s: not this journal", name);
    uint32_t version = nfl__load_le32(head + 8);
    if (version == 0 || nfl__load_le32(head + 12) != 0)
        return nfl__fail(err, NFL_E_CORRUPT, 8, "%s: the head is damaged", name);
    if (version > JOURNAL_VERSION)
        return nfl__fail(err, NFL_E_VERSION, 8, "%s: version %u, this library knows up to %d", name, version, JOURNAL_VERSION);
    return NFL_OK;
}

static nfl_status journal_visit_rows(journal_reader *reader, const uint8_t *payload, size_t len, uint32_t rows, nfl_error *err)
{
    nfl__rd rd = nfl__rd_make(payload, len);
    nfl_usec received_us = 0;
    for (uint32_t i = 0; i < rows; i++) {
        nfl_flow flow;
        if (!nfl__row_read(&rd, &received_us, &flow))
            return nfl__fail(err, NFL_E_CORRUPT, reader->extent->good_bytes, "journal frame %u: row %u of %u is no flow",
                             reader->extent->frames, i, rows);
        if (reader->visit)
            NFL_TRY(reader->visit(reader->ctx, &flow, err));
    }
    return NFL_OK;
}

/* Is there the head of a frame of this journal, number `least` or later? It cannot be there by chance. */
static int journal_is_head(const journal_reader *reader, const uint8_t *head, uint32_t least)
{
    return nfl__load_le32(head) == FRAME_MAGIC && nfl__load_le32(head + 12) >= least &&
           nfl__hash(head, FRAME_HASHED, reader->id) == nfl__load_le64(head + FRAME_HASHED);
}

/* NFL_DONE: the file has become shorter, because a writer has just cut a torn tail off. */
static nfl_status journal_read_at(journal_reader *reader, void *dst, size_t len, uint64_t offset, nfl_error *err)
{
    nfl_error why;
    nfl_status status = nfl__files_read_all(reader->files, reader->file, reader->name, dst, len, offset, &why);
    if (status == NFL_E_CORRUPT)
        return NFL_DONE;
    if (status != NFL_OK && err)
        *err = why;
    return status;
}

/* The bytes at extent->good_bytes are no frame. Look for the next head behind: if there is one, what lies between was
 * damaged after it was written, for frames are written in order. NFL_DONE: there is none, or only zeros. */
static nfl_status journal_find_frame(journal_reader *reader, nfl_error *err)
{
    nfl__journal_extent *extent = reader->extent;
    uint8_t bytes[4096 + FRAME_HEAD];
    uint64_t at = extent->good_bytes;
    uint8_t any = 0;
    for (size_t len; extent->file_bytes - at >= FRAME_HEAD; at += len - FRAME_HEAD + 1) {
        uint64_t left = extent->file_bytes - at;
        len = left < sizeof bytes ? (size_t)left : sizeof bytes;
        nfl_status status = journal_read_at(reader, bytes, len, at, err);
        if (status != NFL_OK)
            return status;
        for (size_t i = 0; i + FRAME_HEAD <= len; i++) {
            any |= bytes[i];
            if (!journal_is_head(reader, bytes + i, extent->frames))
                continue;
            extent->good_bytes = at + i;
            extent->frames = nfl__load_le32(bytes + i + 12);
            extent->damaged = 1;
            return NFL_OK;
        }
    }
    /* A file that grew by blocks which never reached the disk ends in zeros. */
    extent->damaged |= any != 0;
    return NFL_DONE;
}

static nfl_status journal_read_payload(journal_reader *reader, const uint8_t *head, nfl_error *err)
{
    nfl__journal_extent *extent = reader->extent;
    uint32_t len = nfl__load_le32(head + 4), rows = nfl__load_le32(head + 8);
    if (len > extent->file_bytes - extent->good_bytes - FRAME_HEAD) /* torn, or being written */
        return NFL_DONE;
    if (!nfl__grow(reader->memory, (void **)&reader->payload, &reader->payload_capacity, len + (size_t)1, 1))
        return nfl__fail_nomem(err, len);
    nfl_status status = journal_read_at(reader, reader->payload, len, extent->good_bytes + FRAME_HEAD, err);
    if (status != NFL_OK)
        return status;
    if (nfl__hash(reader->payload, len, 0) == nfl__load_le64(head + FRAME_HASHED + 8)) {
        NFL_TRY(journal_visit_rows(reader, reader->payload, len, rows, err));
        extent->rows += rows;
    } else {
        extent->damaged = 1;
        extent->damaged_rows += rows;
    }
    extent->good_bytes += FRAME_HEAD + (uint64_t)len;
    extent->frames++;
    return NFL_OK;
}

/* The next frame. NFL_DONE: the rest of the file is no whole frame. */
static nfl_status journal_read_frame(journal_reader *reader, nfl_error *err)
{
    nfl__journal_extent *extent = reader->extent;
    uint8_t head[FRAME_HEAD];
    if (extent->file_bytes - extent->good_bytes < FRAME_HEAD)
        return NFL_DONE;
    nfl_status status = journal_read_at(reader, head, sizeof head, extent->good_bytes, err);
    if (status != NFL_OK)
        return status;
    if (!journal_is_head(reader, head, extent->frames))
        return journal_find_frame(reader, err);
    extent->damaged |= nfl__load_le32(head + 12) != extent->frames; /* frames are missing */
    extent->frames = nfl__load_le32(head + 12);
    return journal_read_payload(reader, head, err);
}

nfl_status nfl__journal_read(const nfl__files *files, int file, uint64_t id, nfl__memory *memory,
                             nfl__journal_visit visit, void *ctx, nfl__journal_extent *out, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    journal_reader reader = {files, file, id, name, memory, NULL, 0, visit, ctx, out};
    nfl__journal_name(id, name);
    memset(out, 0, sizeof *out);
    NFL_TRY(journal_check_head(files, file, id, name, err));
    int64_t size = files->size(files->ctx, file);
    if (size < 0)
        return nfl__fail_io(err, (int)-size, "size of %s", name);
    out->file_bytes = (uint64_t)size;
    out->good_bytes = FILE_HEAD;
    nfl_status status;
    do
        status = journal_read_frame(&reader, err);
    while (status == NFL_OK);
    nfl__delete(memory, reader.payload, reader.payload_capacity, 1);
    return status == NFL_DONE ? NFL_OK : status;
}

nfl_status nfl__journal_resume(nfl__journal *journal, const nfl__files *files, int file, uint64_t id,
                               const nfl__journal_extent *extent, nfl__memory *memory, nfl_error *err)
{
    char name[NFL__NAME_SIZE];
    nfl__journal_name(id, name);
    int result = extent->file_bytes > extent->good_bytes ? files->truncate(files->ctx, file, extent->good_bytes) : 0;
    if (result < 0)
        return nfl__fail_io(err, -result, "cut the torn tail of %s", name);
    journal_init(journal, files, file, id, memory);
    journal->size = extent->good_bytes;
    journal->next_frame = extent->frames;
    return NFL_OK;
}

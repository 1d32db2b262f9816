#include "store/manifest.h"

#include <netflow/time.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/rd.h"
#include "base/wr.h"

#include <errno.h>
#include <stdio.h>

#define MANIFEST_MAGIC "NFLMAN1\n"

enum { MANIFEST_VERSION = 1, HEAD = 56, ENTRY = 72, TAIL = 8, MANIFEST_MAX = 1 << 30 };

void nfl__segment_folder(const nfl__segment_entry *entry, char name[NFL__NAME_SIZE])
{
    char time[NFL_TIME_TEXT_SIZE];
    nfl_time_format(entry->extent.received_min, time, sizeof time);
    (void)snprintf(name, NFL__NAME_SIZE, "segments/%.10s", time);
}

void nfl__segment_name(const nfl__segment_entry *entry, char name[NFL__NAME_SIZE])
{
    nfl__segment_folder(entry, name);
    size_t len = strlen(name);
    (void)snprintf(name + len, NFL__NAME_SIZE - len, "/%016llx.nfs", (unsigned long long)entry->id);
}

void nfl__manifest_free(nfl__manifest *manifest, nfl__memory *memory)
{
    nfl__delete(memory, manifest->segments, manifest->capacity, sizeof *manifest->segments);
    memset(manifest, 0, sizeof *manifest);
}

nfl_status nfl__manifest_reserve(nfl__manifest *manifest, nfl__memory *memory, nfl_error *err)
{
    if (!nfl__grow(memory, (void **)&manifest->segments, &manifest->capacity, manifest->count + 1,
                   sizeof *manifest->segments))
        return nfl__fail_nomem(err, (manifest->count + 1) * sizeof *manifest->segments);
    return NFL_OK;
}

/* --- reading --- */

static void manifest_read_entry(nfl__rd *rd, nfl__segment_entry *entry)
{
    entry->id = nfl__rd_u64_le(rd);
    entry->extent.rows = nfl__rd_u64_le(rd);
    entry->bytes = nfl__rd_u64_le(rd);
    entry->extent.received_min = (nfl_usec)nfl__rd_u64_le(rd);
    entry->extent.received_max = (nfl_usec)nfl__rd_u64_le(rd);
    entry->extent.first_min = (nfl_usec)nfl__rd_u64_le(rd);
    entry->extent.first_max = (nfl_usec)nfl__rd_u64_le(rd);
    entry->digest = nfl__rd_u64_le(rd);
    entry->flags = nfl__rd_u64_le(rd);
}

static nfl_status manifest_read_entries(nfl__manifest *manifest, nfl__rd *rd, uint64_t count, uint32_t entry_size,
                                        nfl__memory *memory, nfl_error *err)
{
    if (entry_size < ENTRY || count > nfl__rd_left(rd) / entry_size || count * entry_size != nfl__rd_left(rd))
        return nfl__fail(err, NFL_E_CORRUPT, HEAD, "manifest: %llu segments of %u bytes do not fit into it",
                         (unsigned long long)count, entry_size);
    manifest->capacity = 0;
    if (count && !nfl__grow(memory, (void **)&manifest->segments, &manifest->capacity, (size_t)count, sizeof *manifest->segments))
        return nfl__fail_nomem(err, (size_t)count * sizeof *manifest->segments);
    for (manifest->count = 0; manifest->count < count; manifest->count++) {
        nfl__rd entry = nfl__rd_sub(rd, entry_size);
        manifest_read_entry(&entry, &manifest->segments[manifest->count]);
    }
    return NFL_OK;
}

static nfl_status manifest_parse(nfl__manifest *manifest, const uint8_t *data, size_t len, nfl__memory *memory, nfl_error *err)
{
    if (len < HEAD + TAIL || memcmp(data, MANIFEST_MAGIC, 8) != 0)
        return nfl__fail(err, NFL_E_CORRUPT, 0, "manifest: not a manifest");
    uint32_t version = nfl__load_le32(data + 8);
    if (version > MANIFEST_VERSION)
        return nfl__fail(err, NFL_E_VERSION, 8, "manifest: version %u, this library knows up to %d", version, MANIFEST_VERSION);
    if (nfl__hash(data, len - TAIL, 0) != nfl__load_le64(data + len - TAIL))
        return nfl__fail(err, NFL_E_CORRUPT, len - TAIL, "manifest: the checksum is wrong");
    manifest->generation = nfl__load_le64(data + 16);
    manifest->next_id = nfl__load_le64(data + 24);
    manifest->journal_id = nfl__load_le64(data + 32);
    manifest->expired_before_us = (nfl_usec)nfl__load_le64(data + 40);
    nfl__rd rd = nfl__rd_make(data + HEAD, len - HEAD - TAIL);
    return manifest_read_entries(manifest, &rd, nfl__load_le64(data + 48), nfl__load_le32(data + 12), memory, err);
}

static nfl_status manifest_load(nfl__manifest *manifest, const nfl__files *files, int file, nfl__memory *memory, nfl_error *err)
{
    int64_t size = files->size(files->ctx, file);
    if (size < 0)
        return nfl__fail_io(err, (int)-size, "size of manifest");
    if (size == 0 || size > MANIFEST_MAX)
        return nfl__fail(err, NFL_E_CORRUPT, 0, "manifest: %lld bytes long", (long long)size);
    uint8_t *data = nfl__new(memory, (size_t)size, 1);
    if (!data)
        return nfl__fail_nomem(err, (size_t)size);
    nfl_status status = nfl__files_read_all(files, file, "manifest", data, (size_t)size, 0, err);
    if (status == NFL_OK)
        status = manifest_parse(manifest, data, (size_t)size, memory, err);
    nfl__delete(memory, data, (size_t)size, 1);
    return status;
}

nfl_status nfl__manifest_read(nfl__manifest *manifest, const nfl__files *files, int root, nfl__memory *memory, nfl_error *err)
{
    memset(manifest, 0, sizeof *manifest);
    int file = files->open(files->ctx, root, "manifest", NFL__FILE_READ);
    if (file == -ENOENT)
        return nfl__fail(err, NFL_E_NOT_FOUND, NFL_NO_OFFSET, "there is no manifest: not a store");
    if (file < 0)
        return nfl__fail_io(err, -file, "open manifest");
    nfl_status status = manifest_load(manifest, files, file, memory, err);
    files->close(files->ctx, file);
    if (status != NFL_OK)
        nfl__manifest_free(manifest, memory);
    return status;
}

/* --- writing --- */

static void manifest_write_entry(nfl__wr *wr, const nfl__segment_entry *entry)
{
    nfl__wr_le(wr, entry->id, 8);
    nfl__wr_le(wr, entry->extent.rows, 8);
    nfl__wr_le(wr, entry->bytes, 8);
    nfl__wr_le(wr, (uint64_t)entry->extent.received_min, 8);
    nfl__wr_le(wr, (uint64_t)entry->extent.received_max, 8);
    nfl__wr_le(wr, (uint64_t)entry->extent.first_min, 8);
    nfl__wr_le(wr, (uint64_t)entry->extent.first_max, 8);
    nfl__wr_le(wr, entry->digest, 8);
    nfl__wr_le(wr, entry->flags, 8);
}

static void manifest_format(const nfl__manifest *manifest, uint8_t *data, size_t len)
{
    nfl__wr wr = nfl__wr_make(data, len);
    nfl__wr_bytes(&wr, MANIFEST_MAGIC, 8);
    nfl__wr_le(&wr, MANIFEST_VERSION, 4);
    nfl__wr_le(&wr, ENTRY, 4);
    nfl__wr_le(&wr, manifest->generation + 1, 8);
    nfl__wr_le(&wr, manifest->next_id, 8);
    nfl__wr_le(&wr, manifest->journal_id, 8);
    nfl__wr_le(&wr, (uint64_t)manifest->expired_before_us, 8);
    nfl__wr_le(&wr, manifest->count, 8);
    for (size_t i = 0; i < manifest->count; i++)
        manifest_write_entry(&wr, &manifest->segments[i]);
    nfl__wr_le(&wr, nfl__hash(data, len - TAIL, 0), 8);
}

static nfl_status manifest_replace(const nfl__files *files, int root, const uint8_t *data, size_t len, int *replaced,
                                   nfl_error *err)
{
    int file = files->open(files->ctx, root, "manifest.tmp", NFL__FILE_CREATE);
    if (file < 0)
        return nfl__fail_io(err, -file, "create manifest.tmp");
    nfl_status status = nfl__files_write_all(files, file, "manifest.tmp", data, len, 0, err);
    if (status == NFL_OK)
        status = nfl__files_sync(files, file, "manifest.tmp", err);
    files->close(files->ctx, file);
    if (status != NFL_OK)
        return status;
    int result = files->rename(files->ctx, root, "manifest.tmp", "manifest");
    if (result < 0)
        return nfl__fail_io(err, -result, "rename manifest.tmp");
    *replaced = 1;
    return nfl__files_sync_folder(files, root, ".", err);
}

nfl_status nfl__manifest_write(nfl__manifest *manifest, const nfl__files *files, int root, nfl__memory *memory,
                               int *replaced, nfl_error *err)
{
    *replaced = 0;
    size_t len = HEAD + manifest->count * ENTRY + TAIL;
    uint8_t *data = nfl__new(memory, len, 1);
    if (!data)
        return nfl__fail_nomem(err, len);
    manifest_format(manifest, data, len);
    nfl_status status = manifest_replace(files, root, data, len, replaced, err);
    nfl__delete(memory, data, len, 1);
    manifest->generation += (uint64_t)*replaced;
    return status;
}

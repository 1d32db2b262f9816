/* Flow records as a stream of CSV (RFC 4180) or JSON, a buffer at a time. */
#ifndef NETFLOWD_EXPORT_H
#define NETFLOWD_EXPORT_H

#include "json.h"
#include "queries.h"

#include <netflow/store.h>
#include <sys/types.h>

typedef struct export export;

enum { EXPORT_CSV = 0, EXPORT_JSON = 1 };

/* Takes slot, store and cursor, on failure too; NULL when out of memory. */
export *export_new(uint32_t form, queries *running, query_slot *slot, nfl_store *store, nfl_cursor *cursor);
void export_free(export *e);

const char *export_content_type(const export *e);
const char *export_file_name(const export *e);

/* Next bytes of the stream: how many, 0 at the end, -1 when reading failed. */
ssize_t export_read(export *e, char *dst, size_t capacity);

#endif

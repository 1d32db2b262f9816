/**
 * @file arrow.h
 * @brief Results of queries as Apache Arrow record batches: the C data and C stream interfaces.
 *
 * The three structs are those of the Arrow specification, with its guards, so that this header may stand beside others
 * that define them (https://arrow.apache.org/docs/format/CDataInterface.html, CStreamInterface.html). No Arrow library is
 * needed on this side.
 */
#ifndef NETFLOW_ARROW_H
#define NETFLOW_ARROW_H

#include <stdint.h>

#include <netflow/base.h>
#include <netflow/query.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
/** The specification's guard of the structs. */
#define ARROW_C_DATA_INTERFACE

/** The order of dictionary codes is that of the values. */
#define ARROW_FLAG_DICTIONARY_ORDERED 1
/** There may be rows without value. */
#define ARROW_FLAG_NULLABLE 2
/** The keys of a map are sorted. */
#define ARROW_FLAG_MAP_KEYS_SORTED 4

/** Type of an array. */
struct ArrowSchema {
    const char *format;            /**< Type. */
    const char *name;              /**< Name of the column. */
    const char *metadata;          /**< Key-value pairs, or NULL. */
    int64_t flags;                 /**< ARROW_FLAG_* bits. */
    int64_t n_children;            /**< Number of children. */
    struct ArrowSchema **children; /**< Types of the columns. */
    struct ArrowSchema *dictionary; /**< Type of the dictionary, or NULL. */
    void (*release)(struct ArrowSchema *); /**< Called by the consumer; NULL = released. */
    void *private_data;            /**< The producer's. */
};

/** Values of an array. */
struct ArrowArray {
    int64_t length;               /**< Number of values. */
    int64_t null_count;           /**< Of these without value. */
    int64_t offset;               /**< Values to leave out at the start. */
    int64_t n_buffers;            /**< Number of buffers. */
    int64_t n_children;           /**< Number of children. */
    const void **buffers;         /**< Validity bitmap and what the type needs. */
    struct ArrowArray **children; /**< Columns. */
    struct ArrowArray *dictionary; /**< Dictionary, or NULL. */
    void (*release)(struct ArrowArray *); /**< Called by the consumer; NULL = released. */
    void *private_data;           /**< The producer's. */
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
/** The specification's guard of the struct. */
#define ARROW_C_STREAM_INTERFACE

/** Arrays of one type, one after the other. */
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out); /**< 0 or an errno value. */
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);    /**< The same; at the end out->release is NULL. */
    const char *(*get_last_error)(struct ArrowArrayStream *);              /**< Message, or NULL. */
    void (*release)(struct ArrowArrayStream *);                            /**< Called by the consumer; NULL = released. */
    void *private_data;                                                    /**< The producer's. */
};

#endif /* ARROW_C_STREAM_INTERFACE */

/** Addresses, MAC addresses and applications as they are held instead of as text. */
#define NFL_ARROW_RAW 0x1u

/**
 * @brief   Read the rows that are left as a stream of record batches.
 *
 * Every batch is a struct array with the cursor's columns, all of them nullable. Their types:
 *
 * | column | type | with ::NFL_ARROW_RAW |
 * |---|---|---|
 * | addresses | utf8 | fixed-size binary of 16 bytes, IPv4 mapped |
 * | MAC addresses | utf8 | uint64 |
 * | applications | utf8 | uint32 |
 * | times | timestamp[us, UTC] | |
 * | durations | duration[us] | |
 * | everything else | uint8, uint16, uint32 or uint64 | |
 *
 * The stream keeps the cursor alive until it is released, in whichever order; rows read with nfl_cursor_next() in between
 * are missing from it. Stream and cursor together are for one thread at a time. Schemas and batches belong to their
 * consumer, outlive stream and cursor, and may be released by any thread if the store's allocator allows that.
 *
 * get_next() reports ENOMEM, ECANCELED (nfl_query::cancel) or EIO, and then the same again.
 *
 * @param   cursor      Cursor.
 * @param   batch_rows  Most rows in a batch, up to 1,048,576; 0 = 65,536.
 * @param   flags       NFL_ARROW_* bits.
 * @param[out] out      The stream; release it with out->release(out).
 * @param[out] err      Detail on failure; may be NULL.
 * @retval  NFL_OK       *out is set.
 * @retval  NFL_E_ARG    Too many rows in a batch, or unknown flags.
 * @retval  NFL_E_NOMEM  Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_cursor_arrow(nfl_cursor *cursor, uint32_t batch_rows, uint32_t flags,
                                                 struct ArrowArrayStream *out, nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

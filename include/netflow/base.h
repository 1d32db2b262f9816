/**
 * @file base.h
 * @brief Status codes, error detail, allocator, versioned structs, time.
 *
 * Everything else in libnetflow builds on these few conventions:
 *
 * - Every call that can fail returns ::nfl_status and takes an ::nfl_error * last (may be NULL).
 *   On failure outputs are untouched and the object is as before, unless its page says otherwise.
 * - `T **out` gives ownership to the caller; `const T **out` is borrowed until the next call on the
 *   same object.
 * - One thread at a time per object; different objects share nothing. There is no global state.
 * - The library reads no clock: time is an argument, in microseconds since 1970 UTC.
 */
#ifndef NETFLOW_BASE_H
#define NETFLOW_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @cond attributes */
#ifndef NFL_API
#if defined(__GNUC__) && !defined(SWIG)
#define NFL_API __attribute__((visibility("default")))
#else
#define NFL_API
#endif
#endif
#if defined(__GNUC__) && !defined(SWIG)
#define NFL_MUST_USE __attribute__((warn_unused_result))
#else
#define NFL_MUST_USE
#endif
/** @endcond */

#define NFL_VERSION_MAJOR 0 /**< Breaks of the ABI; 0 until the first stable release. */
#define NFL_VERSION_MINOR 1 /**< Additions. */
#define NFL_VERSION_PATCH 0 /**< Corrections. */

/** Result of a call: 0 or positive = normal outcome, negative = error. Values are frozen. */
typedef int32_t nfl_status;

enum {
    NFL_OK = 0,      /**< Done; outputs are set. */
    NFL_DONE = 1,    /**< Iteration: no more items. Not an error. */
    NFL_PENDING = 2, /**< The answer is not known yet; ask again later. */

    NFL_E_NOMEM = -1,       /**< The allocator returned NULL. The object is unchanged. */
    NFL_E_ARG = -2,         /**< The caller broke a documented precondition. */
    NFL_E_STATE = -3,       /**< The call is not allowed in this state. */
    NFL_E_VERSION = -4,     /**< A struct or file is newer than this library and uses what it lacks. */
    NFL_E_LIMIT = -5,       /**< A configured limit was hit (templates, memory, keys). */
    NFL_E_IO = -6,          /**< Operating system error; nfl_error::sys_errno is set. */
    NFL_E_UNSUPPORTED = -7, /**< Feature compiled out, or unknown scheme or protocol version. */
    NFL_E_CANCELLED = -8,   /**< The caller's cancel flag was set. */
    NFL_E_BUSY = -9,        /**< Another process holds what this call needs (the store's writer lock). */
    NFL_E_NOT_FOUND = -10,  /**< Nothing has that name, number or path. */

    NFL_E_FORMAT = -100,      /**< Input is malformed; nfl_error::offset says where. */
    NFL_E_TRUNCATED = -101,   /**< Input ends inside an item. */
    NFL_E_NO_TEMPLATE = -102, /**< A data set came before its template. */
    NFL_E_CORRUPT = -110,     /**< Stored data failed its check. */
    NFL_E_SYNTAX = -120       /**< Text (filter, field list, time) does not parse; offset = column. */
};

/** Value of nfl_error::offset when no position applies. */
#define NFL_NO_OFFSET UINT64_MAX

/** Detail of one failure. Caller-allocated, usually on the stack; size frozen at 256 bytes. */
typedef struct nfl_error {
    int32_t code;      /**< The value the call returned. */
    int32_t sys_errno; /**< errno when code is ::NFL_E_IO, else 0. */
    uint64_t offset;   /**< Byte offset in the input, column in a text, or ::NFL_NO_OFFSET. */
    char message[240]; /**< NUL-terminated UTF-8, lower case, no newline: what was found, what expected. */
} nfl_error;

/**
 * @brief   Name of a status value.
 * @param   status  Any value.
 * @return  Static text such as "NFL_E_FORMAT"; "NFL_?" for values this version does not know.
 * @since 0.1
 */
NFL_API const char *nfl_status_name(nfl_status status);

/**
 * @brief   Version of the library in use, which may differ from the headers compiled against.
 * @return  major * 10000 + minor * 100 + patch.
 * @since 0.1
 */
NFL_API uint32_t nfl_version(void);

/**
 * Pointer member that takes 8 bytes on every ABI, so that public structs have one layout everywhere.
 */
#ifdef SWIG
#define NFL_PTR(type, name) type name
#else
#define NFL_PTR(type, name)    \
    union {                    \
        type name;             \
        uint64_t name##_bits_; \
    }
#endif

/**
 * Declare a versioned struct, zero it and set members: `NFL_OPTS(nfl_parser_opts, o, .max_templates = 64);`
 *
 * Versioned structs start with `uint32_t struct_size`. Zero means default in every member. The library
 * reads as many bytes as it knows; non-zero bytes beyond that give ::NFL_E_VERSION.
 */
#ifndef __cplusplus
#define NFL_OPTS(type, variable, ...) \
    type variable = {.struct_size = (uint32_t)sizeof(type), __VA_ARGS__}
#endif

/**
 * Allocator: three functions and a context, copied when an object is created. Sizes are passed back, so
 * an arena needs no block headers and accounting is exact. NULL in options means malloc.
 */
typedef struct nfl_alloc {
    /** Return @p size bytes aligned for any type, or NULL. @p size is never 0. */
    void *(*alloc)(void *ctx, size_t size);
    /** Resize @p p from @p old_size to @p new_size, or return NULL and leave it as it was. */
    void *(*realloc)(void *ctx, void *p, size_t old_size, size_t new_size);
    /** Release @p p of @p size bytes. @p p is never NULL. */
    void (*free)(void *ctx, void *p, size_t size);
    /** Passed to all three. */
    void *ctx;
} nfl_alloc;

/** Microseconds since 1970-01-01 UTC. Exact in a double until 2255, so safe for Lua 5.1 and JSON. */
typedef int64_t nfl_usec;

#ifdef __cplusplus
}
#endif
#endif

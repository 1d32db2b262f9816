/* Filling in nfl_error: the one way in which a call of this library fails.
 *
 *     return nfl__fail(err, NFL_E_FORMAT, offset, "set %u: length %u, need at least 4", id, len);
 *
 * Messages are lower case, tell what was found and what was expected, and end without a newline.
 */
#ifndef NFL_BASE_ERROR_H
#define NFL_BASE_ERROR_H

#include <netflow/base.h>

/* Return early with the status of a fallible expression; only where nothing has been acquired yet. */
#define NFL_TRY(expression)                  \
    do {                                     \
        nfl_status try_status_ = (expression); \
        if (try_status_ < 0)                 \
            return try_status_;              \
    } while (0)

/* Write code, offset and message to err (NULL allowed) and return code. */
nfl_status nfl__fail(nfl_error *err, nfl_status code, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for NFL_E_IO: appends the text of sys_errno, offset = NFL_NO_OFFSET. */
nfl_status nfl__fail_io(nfl_error *err, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NFL_E_NOMEM with the number of bytes that were wanted. */
nfl_status nfl__fail_nomem(nfl_error *err, size_t size);

/* Broken invariants of our own: on in Debug, sanitizer and fuzz builds, no code in Release. */
#ifdef NFL_ASSERT
#define nfl__assert(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define nfl__assert(condition) ((void)0)
#endif

#endif

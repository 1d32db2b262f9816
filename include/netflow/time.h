/**
 * @file time.h
 * @brief Times as people write them. No clock is read: "now" is an argument.
 */
#ifndef NETFLOW_TIME_H
#define NETFLOW_TIME_H

#include <netflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for any time written by nfl_time_format() with its NUL. */
#define NFL_TIME_TEXT_SIZE 32

/**
 * @brief   Write a time as RFC 3339 in UTC: 2026-11-23T14:05:09.250Z.
 *
 * Three fraction digits, six when the microseconds need them.
 *
 * @param   time_us  Years 0000 to 9999; other values are clamped to that range.
 * @param   dst   Buffer, or NULL when @p cap is 0.
 * @param   cap   Bytes at @p dst; ::NFL_TIME_TEXT_SIZE is always enough.
 * @return  Length of the text without NUL. When @p cap > 0 the text is cut to fit and terminated.
 * @since 0.1
 */
NFL_API size_t nfl_time_format(nfl_usec time_us, char *dst, size_t cap);

/**
 * @brief   Read a time.
 *
 * Accepted: RFC 3339 ("2026-11-23T14:05:09.25Z", "2026-11-23 14:05+01:00"; no zone means UTC; the clock
 * part may be missing or stop at minutes), seconds since 1970 with optional fraction ("1795440469.5"),
 * "now", "today", "yesterday", "tomorrow" (00:00 UTC), these with an offset ("now-15m", "today+8h"), and offsets
 * from now alone ("-2h", "+30s", "-1d12h"; units us ms s m h d w).
 *
 * @param   text    NUL-terminated.
 * @param   now_us  What "now" means.
 * @param[out] out  Time.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_SYNTAX  Not a time; nfl_error::offset is the column.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_time_parse(const char *text, nfl_usec now_us, nfl_usec *out,
                                               nfl_error *err);

/**
 * @brief   Read a length of time: "5m", "90s", "1h30m", "250ms"; a bare number is seconds.
 * @param   text  NUL-terminated, not negative.
 * @param[out] out  Microseconds.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK        *out is set.
 * @retval  NFL_E_SYNTAX  Not a duration; nfl_error::offset is the column.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_duration_parse(const char *text, nfl_usec *out, nfl_error *err);

#ifdef __cplusplus
}
#endif
#endif

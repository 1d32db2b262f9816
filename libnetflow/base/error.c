#include "base/error.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_write(nfl_error *err, nfl_status code, int sys_errno, uint64_t offset, const char *format,
                        va_list args)
{
    err->code = code;
    err->sys_errno = sys_errno;
    err->offset = offset;
    (void)vsnprintf(err->message, sizeof err->message, format, args);
}

nfl_status nfl__fail(nfl_error *err, nfl_status code, uint64_t offset, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        error_write(err, code, 0, offset, format, args);
        va_end(args);
    }
    return code;
}

nfl_status nfl__fail_io(nfl_error *err, int sys_errno, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        error_write(err, NFL_E_IO, sys_errno, NFL_NO_OFFSET, format, args);
        va_end(args);
        size_t used = strlen(err->message);
        /* strerror_l shares no buffer between threads, as strerror may, and is in POSIX, glibc and musl. */
        locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (locale != (locale_t)0) {
            (void)snprintf(err->message + used, sizeof err->message - used, ": %s",
                           strerror_l(sys_errno, locale));
            freelocale(locale);
        }
    }
    return NFL_E_IO;
}

nfl_status nfl__fail_nomem(nfl_error *err, size_t size)
{
    return nfl__fail(err, NFL_E_NOMEM, NFL_NO_OFFSET, "out of memory: %zu bytes", size);
}

static const struct {
    nfl_status status;
    const char *name;
} error_names[] = {
    {NFL_OK, "NFL_OK"},
    {NFL_DONE, "NFL_DONE"},
    {NFL_PENDING, "NFL_PENDING"},
    {NFL_E_NOMEM, "NFL_E_NOMEM"},
    {NFL_E_ARG, "NFL_E_ARG"},
    {NFL_E_STATE, "NFL_E_STATE"},
    {NFL_E_VERSION, "NFL_E_VERSION"},
    {NFL_E_LIMIT, "NFL_E_LIMIT"},
    {NFL_E_IO, "NFL_E_IO"},
    {NFL_E_UNSUPPORTED, "NFL_E_UNSUPPORTED"},
    {NFL_E_CANCELLED, "NFL_E_CANCELLED"},
    {NFL_E_BUSY, "NFL_E_BUSY"},
    {NFL_E_NOT_FOUND, "NFL_E_NOT_FOUND"},
    {NFL_E_FORMAT, "NFL_E_FORMAT"},
    {NFL_E_TRUNCATED, "NFL_E_TRUNCATED"},
    {NFL_E_NO_TEMPLATE, "NFL_E_NO_TEMPLATE"},
    {NFL_E_CORRUPT, "NFL_E_CORRUPT"},
    {NFL_E_SYNTAX, "NFL_E_SYNTAX"},
};

const char *nfl_status_name(nfl_status status)
{
    for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
        if (error_names[i].status == status)
            return error_names[i].name;
    return "NFL_?";
}

uint32_t nfl_version(void)
{
    return NFL_VERSION_MAJOR * 10000 + NFL_VERSION_MINOR * 100 + NFL_VERSION_PATCH;
}

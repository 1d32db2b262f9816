/* The two clocks: time of day for flows, elapsed time for deadlines. */
#ifndef NETFLOWD_CLOCK_H
#define NETFLOWD_CLOCK_H

#include <netflow/base.h>
#include <time.h>

static inline nfl_usec clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (nfl_usec)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline nfl_usec clock_now(void)
{
    return clock_read(CLOCK_REALTIME);
}

static inline nfl_usec clock_elapsed(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

#endif

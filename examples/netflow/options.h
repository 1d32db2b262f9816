/* Options of all commands: one table, one struct. */
#ifndef NETFLOW_TOOL_OPTIONS_H
#define NETFLOW_TOOL_OPTIONS_H

#include <netflow/base.h>

#include <stdio.h>

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Forms of output. */
enum { FORMAT_TABLE = 0, FORMAT_CSV = 1, FORMAT_JSON = 2 };

/* Which options a command takes or needs. */
enum {
    OPTION_STORE = 1 << 0,
    OPTION_BY = 1 << 1,
    OPTION_ORDER = 1 << 2,
    OPTION_DESCENDING = 1 << 3,
    OPTION_LIMIT = 1 << 4,
    OPTION_FROM = 1 << 5,
    OPTION_TO = 1 << 6,
    OPTION_COLUMNS = 1 << 7,
    OPTION_BUCKET = 1 << 8,
    OPTION_FORMAT = 1 << 9,
    OPTION_SERVER = 1 << 10,
    OPTION_OUT = 1 << 11,
    OPTION_WIRE = 1 << 12,
    OPTION_COLLECTOR = 1 << 13,
    OPTION_RATE = 1 << 14,
    OPTION_EXPLAIN = 1 << 15,
    OPTION_SUMS_BEFORE = 1 << 16,
    OPTION_HAVING = 1 << 17,
    OPTION_TCP = 1 << 18,
    OPTION_MEMORY = 1 << 19,
    OPTION_PERCENTILE = 1 << 20,
    OPTION_SPREAD = 1 << 21,
    OPTION_BEFORE = 1 << 22,
    OPTION_MAX_SIZE = 1 << 23,
    OPTION_MIN_FREE = 1 << 24,
    OPTION_UNIQUE = 1 << 25,
    OPTION_BIFLOW = 1 << 26,
    OPTION_APPROXIMATE = 1 << 27
};

typedef struct options {
    const char *store;
    const char *by;
    const char *order;
    const char *columns;
    const char *server;
    const char *out;
    const char *collector;
    nfl_usec from_us;
    nfl_usec sums_before_us;
    nfl_usec before_us;
    uint64_t max_bytes;
    uint64_t min_free_bytes;
    nfl_usec to_us;
    nfl_usec bucket_us;
    nfl_usec now_us; /* the system's clock when the program started */
    uint64_t limit;  /* 0 = all */
    uint64_t rate;   /* a second; 0 = without waiting */
    uint32_t format;
    uint32_t wire; /* version of datagrams: 5, 9 or 10 */
    uint32_t descending;
    const char *having;
    uint64_t percentile;
    uint64_t memory_bytes; /* of a query; 0 = the library's default */
    uint32_t spread;
    uint32_t unique;
    uint32_t biflow;
    uint32_t approximate;
    uint32_t explain;
    uint32_t tcp;
    uint32_t given; /* OPTION_* bits */
    int argument_count;
    char **arguments; /* what is left: files, addresses, the words of a filter */
} options;

typedef struct command {
    const char *name;
    const char *arguments; /* for the usage line: "FILE..." */
    const char *about;     /* one line */
    uint32_t accepts;      /* OPTION_* bits */
    uint32_t needs;        /* OPTION_* bits */
    uint64_t limit;        /* rows unless -n says otherwise, 0 = all */
    int min_arguments;
    int max_arguments; /* -1 = any number */
    int (*run)(const options *given);
    int (*run_raw)(int argc, char **argv); /* instead of `run`: reads its arguments itself */
} command;

/* Read the arguments of a command. Returns -1 to go on, or the exit status after help or a mistake. */
int options_read(const command *which, int argc, char **argv, options *out);

/* The system's clock. */
nfl_usec clock_now_us(void);

#endif

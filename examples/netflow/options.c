#include "options.h"

#include "report.h"

#include <netflow/time.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_TEXT, VALUE_COUNT, VALUE_SIZE, VALUE_TIME, VALUE_DURATION, VALUE_FORMAT, VALUE_WIRE, VALUE_NONE };

typedef struct option_row {
    uint32_t bit;
    char letter; /* 0 = long form only */
    uint8_t value;
    size_t offset; /* in `options` */
    const char *name;
    const char *placeholder;
    const char *about;
} option_row;

static const option_row option_rows[] = {
    {OPTION_STORE, 's', VALUE_TEXT, offsetof(options, store), "store", "STORE", "flow store: a directory"},
    {OPTION_BY, 0, VALUE_TEXT, offsetof(options, by), "by", "FIELD[,FIELD]",
     "group by these fields (netflow fields lists them); top: several lists by ;"},
    {OPTION_BUCKET, 0, VALUE_DURATION, offsetof(options, bucket_us), "bucket", "LENGTH",
     "length of a time bucket: 30s, 5m, 1h, 1d"},
    {OPTION_ORDER, 0, VALUE_TEXT, offsetof(options, order), "order", "FIELD", "order by this field"},
    {OPTION_DESCENDING, 0, VALUE_NONE, offsetof(options, descending), "desc", NULL, "from large to small"},
    {OPTION_LIMIT, 'n', VALUE_COUNT, offsetof(options, limit), "limit", "N", "at most N rows; 0 = all"},
    {OPTION_FROM, 0, VALUE_TIME, offsetof(options, from_us), "from", "TIME",
     "flows that start at this time or later: 2026-11-23T14:05, -2h, yesterday"},
    {OPTION_TO, 0, VALUE_TIME, offsetof(options, to_us), "to", "TIME", "flows that start before this time"},
    {OPTION_HAVING, 0, VALUE_TEXT, offsetof(options, having), "having", "CONDITION",
     "only groups whose sums pass: 'bytes > 1G and flows > 100'"},
    {OPTION_SUMS_BEFORE, 0, VALUE_TIME, offsetof(options, sums_before_us), "sums-before", "TIME",
     "keep only sums of the flows that were received before"},
    {OPTION_BEFORE, 0, VALUE_TIME, offsetof(options, before_us), "before", "TIME", "drop what was received before"},
    {OPTION_MAX_SIZE, 0, VALUE_SIZE, offsetof(options, max_bytes), "max-size", "SIZE", "keep at most so many bytes: 500G"},
    {OPTION_MIN_FREE, 0, VALUE_SIZE, offsetof(options, min_free_bytes), "min-free", "SIZE",
     "drop until the disk has so many bytes free: 20G"},
    {OPTION_COLUMNS, 0, VALUE_TEXT, offsetof(options, columns), "columns", "FIELD[,FIELD]",
     "print these fields"},
    {OPTION_SERVER, 0, VALUE_TEXT, offsetof(options, server), "server", "ADDR[:PORT]",
     "name servers by comma, instead of the system's"},
    {OPTION_SPREAD, 0, VALUE_NONE, offsetof(options, spread), "spread", NULL,
     "spread each flow over the buckets it covers, instead of counting it where it starts"},
    {OPTION_UNIQUE, 0, VALUE_NONE, offsetof(options, unique), "unique", NULL,
     "count once what several exporters saw"},
    {OPTION_BIFLOW, 0, VALUE_NONE, offsetof(options, biflow), "biflow", NULL,
     "put both directions of a conversation together: reverse_bytes, reverse_packets"},
    {OPTION_APPROXIMATE, 0, VALUE_NONE, offsetof(options, approximate), "approximate", NULL,
     "estimate distinct() in little memory; the error bound is told beneath"},
    {OPTION_PERCENTILE, 0, VALUE_COUNT, offsetof(options, percentile), "percentile", "P",
     "tell the P-th percentile of the buckets' rates beneath the table: 95"},
    {OPTION_MEMORY, 0, VALUE_SIZE, offsetof(options, memory_bytes), "memory", "SIZE",
     "use up to so many bytes for groups and sorting: 500M, 2G"},
    {OPTION_EXPLAIN, 0, VALUE_NONE, offsetof(options, explain), "explain", NULL,
     "tell what was read and what was left out, on standard error"},
    {OPTION_FORMAT, 0, VALUE_FORMAT, offsetof(options, format), "format", "FORMAT",
     "table (default), csv or json (one object a line)"},
    {OPTION_OUT, 'o', VALUE_TEXT, offsetof(options, out), "out", "FILE", "file to write; - = standard output"},
    {OPTION_WIRE, 0, VALUE_WIRE, offsetof(options, wire), "format", "FORMAT", "ipfix (default), v9 or v5"},
    {OPTION_TCP, 0, VALUE_NONE, offsetof(options, tcp), "tcp", NULL, "connect to the collector: IPFIX over TCP"},
    {OPTION_COLLECTOR, 0, VALUE_TEXT, offsetof(options, collector), "collector", "ADDR:PORT", "where to send"},
    {OPTION_RATE, 0, VALUE_COUNT, offsetof(options, rate), "rate", "N",
     "flows, of captures datagrams, a second instead of the original pace; 0 = no waiting"},
};

static const size_t option_row_count = sizeof option_rows / sizeof *option_rows;

static const char *const format_names[] = {
    [FORMAT_TABLE] = "table", [FORMAT_CSV] = "csv", [FORMAT_JSON] = "json"};

nfl_usec clock_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (nfl_usec)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- help ---- */

static void options_print_usage(const command *which, FILE *to)
{
    fprintf(to, "usage: netflow %s", which->name);
    for (size_t i = 0; i < option_row_count; i++) {
        const option_row *row = &option_rows[i];
        if (!(which->accepts & row->bit))
            continue;
        const char *open = which->needs & row->bit ? "" : "[", *close = which->needs & row->bit ? "" : "]";
        if (row->letter)
            fprintf(to, " %s-%c %s%s", open, row->letter, row->placeholder, close);
        else
            fprintf(to, " %s--%s%s%s%s", open, row->name, row->placeholder ? " " : "",
                    row->placeholder ? row->placeholder : "", close);
    }
    fprintf(to, "%s%s\n", which->arguments[0] ? " " : "", which->arguments);
}

static int options_help(const command *which)
{
    options_print_usage(which, stdout);
    printf("\n%s\n\n", which->about);
    for (size_t i = 0; i < option_row_count; i++) {
        const option_row *row = &option_rows[i];
        if (!(which->accepts & row->bit))
            continue;
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->placeholder ? " " : "",
                 row->placeholder ? row->placeholder : "");
        printf("  %c%c%c %-24s %s\n", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
               row->letter ? ',' : ' ', left, row->about);
    }
    printf("      %-24s %s\n", "--help", "this text");
    return EXIT_DONE;
}

static int options_mistake(const command *which, const char *what, const char *text, const char *expected)
{
    complain("%s '%s': %s", what, text, expected);
    options_print_usage(which, stderr);
    return EXIT_USAGE;
}

/* ---- values ---- */

static int option_set_format(const char *text, uint32_t *out)
{
    for (uint32_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *out = i;
            return 1;
        }
    }
    complain("--format '%s': table, csv or json expected", text);
    return 0;
}

static int option_set_wire(const char *text, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t version;
    } forms[] = {{"ipfix", 10}, {"v9", 9}, {"v5", 5}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(text, forms[i].name) == 0) {
            *out = forms[i].version;
            return 1;
        }
    }
    complain("--format '%s': ipfix, v9 or v5 expected", text);
    return 0;
}

static int option_set_count(const option_row *row, const char *text, uint64_t *out)
{
    size_t len = strlen(text);
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len) {
        complain("--%s '%s': a number expected", row->name, text);
        return 0;
    }
    *out = strtoull(text, NULL, 10);
    return 1;
}

/* Bytes, with k, M, G or T behind the number (powers of 1000). */
static int option_set_size(const option_row *row, const char *text, uint64_t *out)
{
    static const char units[] = "kMGT";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    *out = strtoull(text, NULL, 10);
    for (const char *u = units; unit && u <= unit; u++)
        *out = *out > UINT64_MAX / 1000 ? 0 : *out * 1000;
    if (digits > 0 && digits <= 18 && *out && (unit ? text[digits + 1] : text[digits]) == 0)
        return 1;
    complain("--%s '%s': bytes such as 500M or 2G expected", row->name, text);
    return 0;
}

static void option_complain(const option_row *row, const char *text, const nfl_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "--%s", row->name);
    complain_at(err, name, text);
}

static int option_set_time(const option_row *row, const char *text, nfl_usec now_us, nfl_usec *out)
{
    nfl_error err;
    nfl_status status = row->value == VALUE_TIME ? nfl_time_parse(text, now_us, out, &err)
                                                 : nfl_duration_parse(text, out, &err);
    if (status == NFL_OK && row->value == VALUE_DURATION && *out <= 0) {
        complain("--%s '%s': more than nothing expected", row->name, text);
        return 0;
    }
    if (status < 0)
        option_complain(row, text, &err);
    return status == NFL_OK;
}

/* 1 if the value is good. */
static int option_set(const option_row *row, const char *text, options *out)
{
    void *member = (char *)out + row->offset;
    switch (row->value) {
    case VALUE_NONE:
        *(uint32_t *)member = 1;
        return 1;
    case VALUE_TEXT:
        *(const char **)member = text;
        return 1;
    case VALUE_COUNT:
        return option_set_count(row, text, member);
    case VALUE_SIZE:
        return option_set_size(row, text, member);
    case VALUE_FORMAT:
        return option_set_format(text, member);
    case VALUE_WIRE:
        return option_set_wire(text, member);
    default:
        return option_set_time(row, text, out->now_us, member);
    }
}

/* ---- arguments ---- */

/* The row of an argument of this command such as --from, --from=-2h, -n or -n5, and the value in the same word or NULL. */
static const option_row *option_find(const command *which, const char *word, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < option_row_count; i++) {
        const option_row *row = &option_rows[i];
        if (!(which->accepts & row->bit))
            continue;
        if (word[1] != '-') {
            if (row->letter && word[1] == row->letter) {
                *value = word[2] ? word + 2 : NULL;
                return row;
            }
            continue;
        }
        size_t len = strlen(row->name);
        if (strncmp(word + 2, row->name, len) == 0 && (word[2 + len] == 0 || word[2 + len] == '=')) {
            *value = word[2 + len] ? word + 3 + len : NULL;
            return row;
        }
    }
    return NULL;
}

/* Take the option at argv[*at]; its value may be the next word. -1, or an exit status. */
static int option_take(const command *which, int argc, char **argv, int *at, options *out)
{
    const char *word = argv[*at], *value;
    const option_row *row = option_find(which, word, &value);
    if (!row)
        return options_mistake(which, "option", word, "not known here");
    if (row->value == VALUE_NONE && value)
        return options_mistake(which, "option", word, "takes no value");
    if (row->value != VALUE_NONE && !value) {
        if (*at + 1 >= argc)
            return options_mistake(which, "option", word, "a value must follow");
        value = argv[++*at];
    }
    if (!option_set(row, value, out))
        return EXIT_USAGE;
    out->given |= row->bit;
    return -1;
}

static int options_check(const command *which, const options *given)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const option_row *row = &option_rows[i];
        if (which->needs & row->bit & ~given->given) {
            complain("--%s is missing", row->name);
            options_print_usage(which, stderr);
            return EXIT_USAGE;
        }
    }
    if (given->argument_count < which->min_arguments)
        return options_mistake(which, "arguments", which->arguments, "missing");
    if (which->max_arguments >= 0 && given->argument_count > which->max_arguments)
        return options_mistake(which, "argument", given->arguments[which->max_arguments], "not expected");
    if (given->given & OPTION_FROM && given->given & OPTION_TO && given->from_us >= given->to_us) {
        complain("--from is not before --to");
        return EXIT_USAGE;
    }
    return -1;
}

int options_read(const command *which, int argc, char **argv, options *out)
{
    *out = (options){.now_us = clock_now_us(), .limit = which->limit, .wire = 10, .arguments = argv + 1};
    int only_arguments = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (only_arguments || word[0] != '-' || word[1] == 0) {
            out->arguments[out->argument_count++] = argv[i];
        } else if (strcmp(word, "--") == 0) {
            only_arguments = 1;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            return options_help(which);
        } else {
            int status = option_take(which, argc, argv, &i, out);
            if (status >= 0)
                return status;
        }
    }
    return options_check(which, out);
}

#include "config.h"

#include <errno.h>
#include <netflow/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config_help[] =
    "usage: netflowd --store DIR [option ...]\n"
    "\n"
    "Collects NetFlow (v1, v5, v7, v9), IPFIX and sFlow, keeps the flows, watches them and shows them in a "
    "browser.\n"
    "\n"
    "  --store DIR             where flows are kept; created if missing\n"
    "  --listen ADDR:PORT      export datagrams come here; may be repeated (127.0.0.1:2055)\n"
    "  --tcp ADDR:PORT         IPFIX over TCP comes here; may be repeated (none)\n"
    "  --http ADDR:PORT        dashboard and API (127.0.0.1:8080)\n"
    "  --http-name NAME        further host name by which browsers call the dashboard; may be repeated\n"
    "  --durable MS            flows survive a loss of power after so many milliseconds (10000)\n"
    "  --keep DAYS             drop flows after so many days (keep all)\n"
    "  --keep-flows DAYS       after so many days, keep only sums of the flows (keep flows)\n"
    "  --max-size SIZE         drop the oldest flows when the store takes more: 500G (no limit)\n"
    "  --min-free SIZE         drop the oldest flows when the disk has less left: 20G (no limit)\n"
    "  --dns-server ADDR:PORT  ask this server for names (as the system is set up)\n"
    "  --config FILE           lines 'name = value' with the names above, without dashes\n"
    "  --help, --version\n"
    "\n"
    "ADDR is an IP address, IPv6 in brackets; without it (':2055') every address of this machine. Port 0 "
    "takes a\n"
    "free one; the line 'netflowd: ready' tells which. Both listen on loopback unless told otherwise.\n"
    "Exit status: 0 stopped by a signal, 1 failed, 2 wrong usage. More: man netflowd\n";

/* Where a setting came from, for messages. */
typedef struct config_place {
    const char *file; /* NULL: the command line */
    unsigned line;
} config_place;

static void config_complain(const config_place *place, const char *what, const char *text)
{
    if (place->file)
        fprintf(stderr, "netflowd: %s:%u: %s '%s'\n", place->file, place->line, what, text);
    else
        fprintf(stderr, "netflowd: %s '%s' (try --help)\n", what, text);
}

static int config_set_text(char *target, size_t capacity, const char *value)
{
    if (*value == '\0' || strlen(value) >= capacity)
        return 0;
    memcpy(target, value, strlen(value) + 1);
    return 1;
}

static int config_add(config_list *list, const char *value)
{
    if (list->count == CONFIG_LIST_MAX || !config_set_text(list->text[list->count], CONFIG_TEXT_SIZE, value))
        return 0;
    list->count++;
    return 1;
}

static int config_set_listen(config *c, const char *value)
{
    return config_add(&c->listen, value);
}

static int config_set_tcp(config *c, const char *value)
{
    return config_add(&c->tcp, value);
}

static int config_set_http(config *c, const char *value)
{
    return config_set_text(c->http, sizeof c->http, value);
}

static int config_set_http_name(config *c, const char *value)
{
    return config_add(&c->http_names, value);
}

static int config_set_store(config *c, const char *value)
{
    return config_set_text(c->store, sizeof c->store, value);
}

static int config_set_dns_server(config *c, const char *value)
{
    return config_set_text(c->dns_server, sizeof c->dns_server, value);
}

static int config_set_days(uint32_t *out, const char *value)
{
    enum { CENTURY = 36500 };
    char *rest;
    long days = strtol(value, &rest, 10);
    if (rest == value || *rest || *value == ' ' || days < 1 || days > CENTURY)
        return 0;
    *out = (uint32_t)days;
    return 1;
}

static int config_set_durable(config *c, const char *value)
{
    enum { HOUR_MS = 3600000 };
    char *rest;
    long ms = strtol(value, &rest, 10);
    if (rest == value || *rest || *value == ' ' || ms < 1 || ms > HOUR_MS)
        return 0;
    c->durable_ms = (uint32_t)ms;
    return 1;
}

static int config_set_keep(config *c, const char *value)
{
    return config_set_days(&c->keep_days, value);
}

static int config_set_keep_flows(config *c, const char *value)
{
    return config_set_days(&c->keep_flows_days, value);
}

/* A number of bytes with k, M, G or T behind it (powers of 1000). */
static int config_size(const char *value, uint64_t *size)
{
    static const char units[] = "kMGT";
    char *rest;
    errno = 0;
    unsigned long long number = strtoull(value, &rest, 10);
    uint64_t unit = 1;
    const char *found = *rest ? strchr(units, *rest) : NULL;
    for (const char *u = units; found && u <= found; u++)
        unit *= 1000;
    if (*value < '1' || *value > '9' || errno || (found ? rest[1] : *rest) || number > UINT64_MAX / unit)
        return 0;
    *size = number * unit;
    return 1;
}

static int config_set_max_size(config *c, const char *value)
{
    return config_size(value, &c->max_size);
}

static int config_set_min_free(config *c, const char *value)
{
    return config_size(value, &c->min_free);
}

static const struct {
    const char *name;
    int (*set)(config *c, const char *value);
    const char *wrong;
} config_settings[] = {
    {"listen", config_set_listen, "empty, too long or too many listen addresses:"},
    {"tcp", config_set_tcp, "empty, too long or too many tcp addresses:"},
    {"http", config_set_http, "empty or too long http address:"},
    {"http-name", config_set_http_name, "empty, too long or too many http names:"},
    {"store", config_set_store, "empty or too long store directory:"},
    {"durable", config_set_durable, "durable wants milliseconds from 1 to 3600000, not"},
    {"keep", config_set_keep, "keep wants days from 1 to 36500, not"},
    {"keep-flows", config_set_keep_flows, "keep-flows wants days from 1 to 36500, not"},
    {"max-size", config_set_max_size, "max-size wants bytes such as 500G, not"},
    {"min-free", config_set_min_free, "min-free wants bytes such as 20G, not"},
    {"dns-server", config_set_dns_server, "empty or too long dns server:"},
};

static int config_set(config *c, const config_place *place, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof config_settings / sizeof *config_settings; i++) {
        if (strcmp(config_settings[i].name, name) != 0)
            continue;
        if (config_settings[i].set(c, value))
            return 1;
        config_complain(place, config_settings[i].wrong, value);
        return 0;
    }
    config_complain(place, place->file ? "unknown setting" : "unknown option", name);
    return 0;
}

/* Cut space from both sides, in place. */
static char *config_trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static int config_read_line(config *c, const config_place *place, char *line)
{
    char *text = config_trim(line);
    if (*text == '\0' || *text == '#')
        return 1;
    char *equals = strchr(text, '=');
    if (!equals) {
        config_complain(place, "'name = value' expected, found", text);
        return 0;
    }
    *equals = '\0';
    return config_set(c, place, config_trim(text), config_trim(equals + 1));
}

static int config_read_file(config *c, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "netflowd: config file %s: %s\n", path, strerror(errno));
        return 0;
    }
    char line[CONFIG_PATH_SIZE + 256];
    config_place place = {.file = path};
    int good = 1;
    while (good && fgets(line, sizeof line, file)) {
        place.line++;
        if (strlen(line) == sizeof line - 1) {
            fprintf(stderr, "netflowd: %s:%u: line too long\n", path, place.line);
            good = 0;
        } else {
            good = config_read_line(c, &place, line);
        }
    }
    if (good && ferror(file)) {
        fprintf(stderr, "netflowd: config file %s: %s\n", path, strerror(errno));
        good = 0;
    }
    fclose(file);
    return good;
}

/* One option: "--name value" or "--name=value". Returns arguments used, 0 if wrong. */
static int config_read_option(char **argv, char *name, size_t capacity, const char **value)
{
    static const config_place place = {0};
    const char *text = argv[0];
    size_t len = strcspn(text, "=");
    if (strncmp(text, "--", 2) != 0 || len - 2 >= capacity) {
        config_complain(&place, "unexpected argument", text);
        return 0;
    }
    memcpy(name, text + 2, len - 2);
    name[len - 2] = '\0';
    if (text[len] == '=') {
        *value = text + len + 1;
        return 1;
    }
    if (!argv[1]) {
        config_complain(&place, "a value is missing after", text);
        return 0;
    }
    *value = argv[1];
    return 2;
}

static int config_read_options(config *c, const char **file, char **argv)
{
    static const config_place place = {0};
    for (int used; *argv; argv += used) {
        char name[32];
        const char *value;
        used = config_read_option(argv, name, sizeof name, &value);
        if (!used)
            return 0;
        if (strcmp(name, "config") == 0)
            *file = value;
        else if (!config_set(c, &place, name, value))
            return 0;
    }
    return 1;
}

static void config_take(char *target, const char *source, size_t capacity)
{
    if (*source)
        memcpy(target, source, capacity);
}

/* Lay what the command line said over what the file said. */
static void config_overlay(config *c, const config *above)
{
    if (above->listen.count)
        c->listen = above->listen;
    if (above->tcp.count)
        c->tcp = above->tcp;
    if (above->http_names.count)
        c->http_names = above->http_names;
    config_take(c->http, above->http, sizeof c->http);
    config_take(c->store, above->store, sizeof c->store);
    config_take(c->dns_server, above->dns_server, sizeof c->dns_server);
    if (above->keep_days)
        c->keep_days = above->keep_days;
    if (above->durable_ms)
        c->durable_ms = above->durable_ms;
    if (above->keep_flows_days)
        c->keep_flows_days = above->keep_flows_days;
    if (above->max_size)
        c->max_size = above->max_size;
    if (above->min_free)
        c->min_free = above->min_free;
}

static int config_print_and_stop(const char *argument)
{
    if (strcmp(argument, "--help") == 0)
        fputs(config_help, stdout);
    else if (strcmp(argument, "--version") == 0)
        printf("netflowd %d.%d.%d\n", NFL_VERSION_MAJOR, NFL_VERSION_MINOR, NFL_VERSION_PATCH);
    else
        return 0;
    return 1;
}

int config_read(config *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (config_print_and_stop(argv[i]))
            return CONFIG_STOP;
    config above = {0};
    const char *file = NULL;
    *c = (config){.http = "127.0.0.1:8080"};
    if (!config_read_options(&above, &file, argv + (argc > 0)) || (file && !config_read_file(c, file)))
        return CONFIG_WRONG;
    config_overlay(c, &above);
    if (c->listen.count == 0)
        (void)config_add(&c->listen, "127.0.0.1:2055");
    if (*c->store == '\0') {
        fputs("netflowd: where shall the flows be kept? --store DIR is missing (try --help)\n", stderr);
        return CONFIG_WRONG;
    }
    return CONFIG_RUN;
}

/* Settings from the command line and the configuration file. */
#ifndef NETFLOWD_CONFIG_H
#define NETFLOWD_CONFIG_H

#include <stddef.h>
#include <stdint.h>

enum { CONFIG_LIST_MAX = 16, CONFIG_TEXT_SIZE = 256, CONFIG_PATH_SIZE = 3072 };

/* Texts that may be given more than once. */
typedef struct config_list {
    char text[CONFIG_LIST_MAX][CONFIG_TEXT_SIZE];
    size_t count;
} config_list;

typedef struct config {
    config_list listen; /* addresses for export datagrams */
    config_list tcp;    /* addresses for IPFIX over TCP */
    config_list
        http_names; /* names under which browsers may call the dashboard, besides addresses and localhost */
    char http[CONFIG_TEXT_SIZE];
    char dns_server[CONFIG_TEXT_SIZE]; /* empty: as the system is set up */
    char store[CONFIG_PATH_SIZE];
    uint32_t keep_days; /* 0: keep everything */
    uint32_t durable_ms; /* 0: the engine's default */
    uint32_t keep_flows_days; /* then sums only; 0: as long as everything */
    uint64_t max_size;  /* bytes of the store; 0: no limit */
    uint64_t min_free;  /* bytes left on the disk; 0: no limit */
} config;

enum {
    CONFIG_RUN = 0,
    CONFIG_STOP = 1, /* --help or --version was printed */
    CONFIG_WRONG = 2 /* a message was printed */
};

/* Read the command line and the file it names; what the command line says wins. */
int config_read(config *c, int argc, char **argv);

#endif

/* Captures of flow exports and IPFIX files, read file after file through one parser. */
#ifndef NETFLOW_TOOL_CAPTURES_H
#define NETFLOW_TOOL_CAPTURES_H

#include <netflow/parser.h>
#include <netflow/pcap.h>

#include <stdint.h>

typedef struct captures {
    nfl_parser *parser;
    int (*take)(void *context, const nfl_flow *flow); /* one flow; 0 = go on */
    int (*take_datagram)(void *context, const nfl_datagram *datagram); /* instead: not decoded, no parser */
    void *context;

    uint64_t files;          /* read to their end */
    uint64_t broken_files;   /* not */
    uint64_t sessions;       /* observation domains of IPFIX files; the parser has forgotten them */
    nfl_pcap_stats packets;  /* of all files */
    uint64_t bytes_expected; /* of all files */
    int progress_drawn;
    int stopped; /* by Ctrl-C */
    int failed;  /* `take` said so */
} captures;

/* Read files and directories (their *.pcap, *.pcapng, *.cap and *.ipfix, by name, and those of their directories). Problems
 * are told on standard error and the rest is read. Ctrl-C ends the reading in good order. Returns the exit status. */
int captures_read(captures *c, char *const *paths, int count);

#endif

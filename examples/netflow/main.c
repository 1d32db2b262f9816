/* netflow: import captures of flow exports, ask questions, find scans. Each command has its own file. */
#include "commands.h"
#include "report.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

enum {
    OPTIONS_WINDOW = OPTION_STORE | OPTION_FROM | OPTION_TO | OPTION_FORMAT,
    OPTIONS_ASK = OPTIONS_WINDOW | OPTION_COLUMNS | OPTION_ORDER | OPTION_LIMIT | OPTION_MEMORY | OPTION_EXPLAIN | OPTION_UNIQUE |
                  OPTION_BIFLOW,
    OPTIONS_ANY_NUMBER = -1
};

static const command commands[] = {
    {"import", "FILE...",
     "Put the flows of export datagrams in captures (pcap, pcapng) or IPFIX files into a store.",
     OPTION_STORE | OPTION_FORMAT, OPTION_STORE, 0, 1, OPTIONS_ANY_NUMBER, command_import, NULL},
    {"top", "[FILTER]", "Who has the most: flows grouped by fields, the heaviest first.",
     OPTIONS_ASK | OPTION_BY | OPTION_HAVING | OPTION_APPROXIMATE, OPTION_STORE | OPTION_BY, 10, 0,
     OPTIONS_ANY_NUMBER, command_top, NULL},
    {"flows", "[FILTER]", "Flow records one by one, in order of arrival or of a field.",
     OPTIONS_ASK | OPTION_DESCENDING, OPTION_STORE,
     0, 0, OPTIONS_ANY_NUMBER, command_flows, NULL},
    {"series", "[FILTER]",
     "Traffic over time. With --by: of each of the N heaviest groups (5 unless -n says otherwise).",
     OPTIONS_ASK | OPTION_BUCKET | OPTION_BY | OPTION_HAVING | OPTION_SPREAD | OPTION_PERCENTILE | OPTION_APPROXIMATE,
     OPTION_STORE | OPTION_BUCKET, 5, 0, OPTIONS_ANY_NUMBER, command_series, NULL},
    {"scan", "[FILE...]", "Findings of the detectors, in a store or in captures.", OPTIONS_WINDOW, 0, 0, 0,
     OPTIONS_ANY_NUMBER, command_scan, NULL},
    {"export", "[FILTER | FILE...]", "Flows of a store or of captures into an IPFIX file.",
     OPTION_STORE | OPTION_FROM | OPTION_TO | OPTION_OUT | OPTION_WIRE, OPTION_OUT, 0, 0, OPTIONS_ANY_NUMBER,
     command_export, NULL},
    {"replay", "[FILTER | FILE...]",
     "Send the flows of a store or the datagrams of captures to a collector by UDP or TCP.",
     OPTION_STORE | OPTION_FROM | OPTION_TO | OPTION_COLLECTOR | OPTION_WIRE | OPTION_RATE | OPTION_TCP, OPTION_COLLECTOR, 0,
     0, OPTIONS_ANY_NUMBER, command_replay, NULL},
    {"decode", "FILE...", "Every datagram of captures, field by field, as JSON lines.", 0, 0, 0, 0, 0, NULL,
     command_decode},
    {"info", "", "Size and times of a store.", OPTION_STORE | OPTION_FORMAT, OPTION_STORE, 0, 0, 0,
     command_info, NULL},
    {"verify", "", "Read every byte of a store back and check it.", OPTION_STORE | OPTION_FORMAT,
     OPTION_STORE, 0, 0, 0, command_verify, NULL},
    {"compact", "", "Merge the small segments of a store into fewer, smaller ones. No other program may write to it.",
     OPTION_STORE | OPTION_SUMS_BEFORE | OPTION_FORMAT, OPTION_STORE, 0, 0, 0, command_compact, NULL},
    {"expire", "", "Drop the oldest flows of a store, but not what is held. No other program may write to it.",
     OPTION_STORE | OPTION_BEFORE | OPTION_MAX_SIZE | OPTION_MIN_FREE | OPTION_FORMAT, OPTION_STORE, 0, 0, 0, command_expire, NULL},
    {"repair", "", "Save what is intact in a damaged store, and tell what is lost. No other program may write to it.",
     OPTION_STORE | OPTION_FORMAT, OPTION_STORE, 0, 0, 0, command_repair, NULL},
    {"hold", "NAME [NOTE]", "Mark the flows of a time that nothing may drop: evidence, a legal duty.",
     OPTION_STORE | OPTION_FROM | OPTION_TO, OPTION_STORE | OPTION_FROM | OPTION_TO, 0, 1, 2, command_hold, NULL},
    {"release", "NAME", "Let go what hold has marked.", OPTION_STORE, OPTION_STORE, 0, 1, 1, command_release, NULL},
    {"holds", "", "What is marked.", OPTION_STORE | OPTION_FORMAT, OPTION_STORE, 0, 0, 0, command_holds, NULL},
    {"resolve", "ADDRESS...", "Names of addresses, from the DNS.", OPTION_SERVER | OPTION_FORMAT, 0, 0, 1,
     OPTIONS_ANY_NUMBER, command_resolve, NULL},
    {"fields", "", "Fields for --by, --order, --columns and filters.", OPTION_FORMAT, 0, 0, 0, 0,
     command_fields, NULL},
};

static const size_t command_count = sizeof commands / sizeof *commands;

static void print_help(FILE *to)
{
    fputs("usage: netflow COMMAND [OPTION...] [ARGUMENT...]\n\n", to);
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].about);
    fputs("\nnetflow COMMAND --help explains a command, man netflow all of them.\n"
          "A filter looks like this: src ip 10.0.0.0/8 and dst port 443 and bytes > 10k\n",
          to);
}

static void print_version(void)
{
    uint32_t library = nfl_version();
    printf("netflow %d.%d.%d (library %u.%u.%u)\n", NFL_VERSION_MAJOR, NFL_VERSION_MINOR, NFL_VERSION_PATCH,
           library / 10000, library / 100 % 100, library % 100);
}

static int run(const command *which, int argc, char **argv)
{
    report_set_name(which->name);
    if (which->run_raw)
        return which->run_raw(argc, argv);
    options given;
    int status = options_read(which, argc, argv, &given);
    return status >= 0 ? report_output(status) : which->run(&given);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_DFL); /* `netflow flows | head` ends without a word, whatever the parent has set */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return report_output(EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return report_output(EXIT_DONE);
    }
    complain("'%s' is no command; netflow --help lists them", argv[1]);
    return EXIT_USAGE;
}

/* For the suites of the parser: feed a datagram, collect what comes out. Include <CUnit/Basic.h> first. */
#ifndef NFL_TEST_PARSER_FEED_H
#define NFL_TEST_PARSER_FEED_H

#include "datagram.h"
#include "support.h"

#include <netflow/parser.h>

#include <stdlib.h>
#include <string.h>

enum { SECONDS = 1694498816, UPTIME = 100000 };
#define NOW INT64_C(1694498820000000)
#define SECOND INT64_C(1000000)

static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

/* What came out of one datagram. */
typedef struct outcome {
    nfl_flow flows[40];
    size_t flow_count;
    size_t errors;
    nfl_status last_error;
    nfl_error detail;
} outcome;

static inline nfl_parser *new_parser(uint32_t flags)
{
    NFL_OPTS(nfl_parser_opts, opts, .flags = flags);
    nfl_parser *parser = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_parser_new(&opts, &parser, NULL), NFL_OK);
    return parser;
}

static inline void feed_bytes(nfl_parser *parser, const uint8_t *data, size_t len, nfl_usec now_us, outcome *out)
{
    uint8_t *copy = test_exact(data, len);
    memset(out, 0, sizeof *out);
    nfl_status status = nfl_parser_feed(parser, &exporter, now_us, copy, len, &out->detail);
    const nfl_flow *flow;
    if (status < 0) {
        out->errors++;
        out->last_error = status;
    } else {
        while ((status = nfl_parser_next(parser, &flow, &out->detail)) != NFL_DONE) {
            if (status < 0) {
                out->errors++;
                out->last_error = status;
            } else if (out->flow_count < sizeof out->flows / sizeof *out->flows) {
                out->flows[out->flow_count++] = *flow;
            }
        }
    }
    free(copy);
}

static inline void feed(nfl_parser *parser, test_datagram *d, outcome *out)
{
    test_close(d);
    feed_bytes(parser, d->bytes, d->len, NOW, out);
}

static inline nfl_parser_stats stats_of(const nfl_parser *parser)
{
    nfl_parser_stats stats = {.struct_size = sizeof stats};
    nfl_parser_get_stats(parser, &stats);
    return stats;
}

static inline nfl_domain_info info_of(const nfl_parser *parser)
{
    nfl_domain_info info = {.struct_size = sizeof info};
    CU_ASSERT_EQUAL(nfl_parser_domain(parser, 0, &info), NFL_OK);
    return info;
}

#define TEMPLATE_256                                                                                         \
    "0100 0009 0008 0004 000c 0004 0007 0002 000b 0002 0004 0001 0001 0004 0002 0004 0016 0004 0015 0004"
#define RECORD_256 "0a000001 c6336402 3039 01bb 06 000005dc 00000003 00017318 00017700"

#define SET_T9 "0000 0010 0100 0002 0008 0004 0001 0004"
#define SET_T10 "0002 0010 0100 0002 0008 0004 0001 0004"
#define SET_D "0100 000c 0a000001 00000001"

#endif

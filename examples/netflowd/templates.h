/* The parser's templates on disk, so that a restart loses no flows that come before the next template. */
#ifndef NETFLOWD_TEMPLATES_H
#define NETFLOWD_TEMPLATES_H

#include <netflow/parser.h>

/* Problems are told on stderr: the collector goes on without, exporters repeat their templates. */
void templates_load(nfl_parser *parser, const char *store, nfl_usec now_us);
void templates_save(const nfl_parser *parser, const char *store);

#endif

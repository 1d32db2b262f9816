/* The commands; main.c has their table. Each returns the exit status. */
#ifndef NETFLOW_TOOL_COMMANDS_H
#define NETFLOW_TOOL_COMMANDS_H

#include "options.h"

int command_import(const options *given);
int command_top(const options *given);
int command_flows(const options *given);
int command_series(const options *given);
int command_scan(const options *given);
int command_export(const options *given);
int command_replay(const options *given);
int command_info(const options *given);
int command_verify(const options *given);
int command_repair(const options *given);
int command_compact(const options *given);
int command_expire(const options *given);
int command_hold(const options *given);
int command_release(const options *given);
int command_holds(const options *given);
int command_resolve(const options *given);
int command_fields(const options *given);
int command_decode(int argc, char **argv);

#endif

/**
 * @file netflow.h
 * @brief All public headers of libnetflow.
 */
#ifndef NETFLOW_NETFLOW_H
#define NETFLOW_NETFLOW_H

#include <netflow/arrow.h>
#include <netflow/base.h>
#include <netflow/capture.h>
#include <netflow/connection.h>
#include <netflow/detect.h>
#include <netflow/dns.h>
#include <netflow/element.h>
#include <netflow/encoder.h>
#include <netflow/engine.h>
#include <netflow/enrich.h>
#include <netflow/fields.h>
#include <netflow/filter.h>
#include <netflow/flow.h>
#include <netflow/ip.h>
#include <netflow/list.h>
#include <netflow/parser.h>
#include <netflow/pcap.h>
#include <netflow/query.h>
#include <netflow/resolver.h>
#include <netflow/store.h>
#include <netflow/stream.h>
#include <netflow/tcp.h>
#include <netflow/time.h>
#include <netflow/topk.h>
#include <netflow/udp.h>

#endif

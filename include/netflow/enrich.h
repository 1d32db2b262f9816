/**
 * @file enrich.h
 * @brief What the library adds to a flow after decoding: application names.
 */
#ifndef NETFLOW_ENRICH_H
#define NETFLOW_ENRICH_H

#include <netflow/base.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @brief Fill nfl_flow::app from protocol and ports, unless it is set already. @since 0.1 */
NFL_API void nfl_enrich_app(nfl_flow *flow);

#ifdef __cplusplus
}
#endif
#endif

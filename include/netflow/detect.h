/**
 * @file detect.h
 * @brief Flows in, findings out: the connection join and the detectors behind it.
 *
 * A detector looks at connections (connection.h) and reports findings. Each kind is one const table in
 * libnetflow/detect/; nfl_detector_name() lists them. The same flows with the same times give the same
 * findings, however they are batched.
 */
#ifndef NETFLOW_DETECT_H
#define NETFLOW_DETECT_H

#include <netflow/base.h>
#include <netflow/connection.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How bad it would be. */
enum {
    NFL_SEVERITY_INFO = 1,    /**< Worth knowing. */
    NFL_SEVERITY_LOW = 2,     /**< Look when there is time. */
    NFL_SEVERITY_MEDIUM = 3,  /**< Look today. */
    NFL_SEVERITY_HIGH = 4,    /**< Look now. */
    NFL_SEVERITY_CRITICAL = 5 /**< Act now. */
};

/** Most peers a finding names. */
#define NFL_FINDING_PEERS 8

/** What a detector saw. Plain data, except for the texts, which are borrowed like the finding. */
typedef struct nfl_finding {
    uint32_t struct_size;  /**< sizeof(nfl_finding) of the library. */
    uint8_t severity;      /**< NFL_SEVERITY_*. */
    uint8_t confidence;    /**< How sure, 0 to 100. */
    uint8_t peer_count;    /**< Used entries of `peers`. */
    uint8_t reserved;      /**< 0. */
    uint64_t id;           /**< Same id = the same episode reported again with higher numbers. */
    nfl_usec first_us;     /**< First flow of the episode. */
    nfl_usec last_us;      /**< Last flow so far. */
    nfl_usec found_us;     /**< When it was found, in received time. */
    nfl_ip entity;         /**< Who did it (attacker; victim where it is about the victim). */
    nfl_ip peers[NFL_FINDING_PEERS]; /**< With whom, at most 8 of them. */
    double observed;       /**< What was measured. */
    double threshold;      /**< From where on it is reported. */
    uint64_t flows;        /**< Connections that count towards it. */
    NFL_PTR(const char *, detector); /**< "scan_vertical". */
    NFL_PTR(const char *, measure);  /**< What `observed` counts: "distinct ports in 300 s". */
    NFL_PTR(const char *, attack);   /**< MITRE ATT&CK technique ids by comma: "T1046". */
    NFL_PTR(const char *, filter);   /**< Filter text that shows the flows. */
    NFL_PTR(const char *, message);  /**< One sentence for people. */
} nfl_finding;

/** @return Name of a severity: "info" ... "critical". Static. @since 0.1 */
NFL_API const char *nfl_severity_name(uint32_t severity);

/** @return Name of detector @p i, or NULL when @p i is too large. Static. @since 0.1 */
NFL_API const char *nfl_detector_name(size_t i);

/** @return One sentence about detector @p i, or NULL. Static. @since 0.1 */
NFL_API const char *nfl_detector_about(size_t i);

/** The join and the detectors wired together. Opaque. One thread at a time. */
typedef struct nfl_watch nfl_watch;

/** Options of nfl_watch_new(). Zero in a member means its default. */
typedef struct nfl_watch_opts {
    uint32_t struct_size; /**< sizeof(nfl_watch_opts). */
    uint32_t max_connections; /**< Of the join; 0 = 65536. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t idle_s;      /**< Of the join; 0 = 60. */
    uint32_t max_sources; /**< Hosts a detector remembers; 0 = 16384. About 600 bytes each and detector. */
    uint64_t seed;        /**< Secret of the hash tables. */
    NFL_PTR(const char *, detectors); /**< Names by comma, or NULL for all. */
    NFL_PTR(const char *, inside); /**< Own networks by comma; NULL = private and local ranges. */
} nfl_watch_opts;

/**
 * @brief   Create a watch.
 * @param   opts  Options, or NULL for defaults. Not kept.
 * @param[out] out Owned by the caller, free with nfl_watch_free().
 * @param[out] err Detail on failure; may be NULL.
 * @retval  NFL_OK           *out is set.
 * @retval  NFL_E_NOT_FOUND  A detector name is unknown.
 * @retval  NFL_E_SYNTAX     `inside` does not parse.
 * @retval  NFL_E_NOMEM      Out of memory.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_watch_new(const nfl_watch_opts *opts, nfl_watch **out,
                                              nfl_error *err);

/** @brief Free a watch; NULL is allowed. @since 0.1 */
NFL_API void nfl_watch_free(nfl_watch *watch);

/** @brief Add a flow. Allocates nothing. @since 0.1 */
NFL_API void nfl_watch_feed(nfl_watch *watch, const nfl_flow *flow);

/** @brief Tell the time when no flows come. @since 0.1 */
NFL_API void nfl_watch_advance(nfl_watch *watch, nfl_usec now_us);

/** @brief End of input: judge what is still open. @since 0.1 */
NFL_API void nfl_watch_flush(nfl_watch *watch);

/**
 * @brief   Next finding.
 * @param   watch   Watch.
 * @param[out] out  Borrowed; valid until the next call on @p watch.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  Nothing new.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_watch_next(nfl_watch *watch, const nfl_finding **out);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_watch_memory(const nfl_watch *watch);

/** @return Findings lost because nfl_watch_next() was not called often enough. @since 0.1 */
NFL_API uint64_t nfl_watch_dropped(const nfl_watch *watch);

#ifdef __cplusplus
}
#endif
#endif

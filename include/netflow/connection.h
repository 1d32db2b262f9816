/**
 * @file connection.h
 * @brief Flows in, connections out: both directions of a conversation put together, with their outcome.
 *
 * A flow record tells one direction. Whether a connection was answered, refused or ignored shows only when
 * both are joined. The join holds one slot per conversation in a bounded table; a slot is given out when
 * it has been quiet for `idle_s`, and the oldest one goes early when the table is full. Parts of one long
 * flow (active timeout) are joined too.
 *
 * A connection that failed is given out twice: ahead of its end, as soon as the failure is certain
 * (nfl_connection::part tells), and at its end with all that came later.
 *
 * Direction: SYN without ACK, the kind of ICMP message, the answer nobody asked for, an earlier part of the
 * same conversation, a port below 1024, and the earlier start decide in this order who began. Exporters are
 * not believed about it (see docs/reference/detection.md).
 */
#ifndef NETFLOW_CONNECTION_H
#define NETFLOW_CONNECTION_H

#include <netflow/base.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a connection went. */
enum {
    NFL_OUTCOME_UNKNOWN = 0,    /**< Cannot be told: sampled, multicast, the middle of something, an answer
                                     without its question, or an exporter that sees one direction only. */
    NFL_OUTCOME_ANSWERED = 1,   /**< Both sides spoke; TCP: handshake done. */
    NFL_OUTCOME_REFUSED = 2,    /**< TCP reset without SYN from the target. */
    NFL_OUTCOME_UNANSWERED = 3, /**< No answer at all. */
    NFL_OUTCOME_HALF_OPEN = 4   /**< SYN+ACK came, the initiator never finished the handshake. */
};

/** Whether a connection is given out once or in two parts. */
enum {
    NFL_PART_WHOLE = 0, /**< At its end, for the first time. */
    NFL_PART_EARLY = 1, /**< Ahead of its end: it has failed. */
    NFL_PART_AGAIN = 2  /**< At its end; it was given out early before. Do not count it twice. */
};

/** One connection, oriented: `src` began it. Plain data. */
typedef struct nfl_connection {
    uint32_t struct_size;  /**< sizeof(nfl_connection) of the library. */
    uint16_t src_port;     /**< Port of the initiator. */
    uint16_t dst_port;     /**< Port of the target; ICMP: type << 8 | code. */
    nfl_ip src;            /**< Initiator. */
    nfl_ip dst;            /**< Target. */
    nfl_ip exporter;       /**< Who told. */
    nfl_usec first_us;     /**< First packet of either side. */
    nfl_usec last_us;      /**< Last packet of either side. */
    uint64_t src_bytes;    /**< From the initiator, scaled by the sampling rate. */
    uint64_t src_packets;  /**< From the initiator, scaled. */
    uint64_t dst_bytes;    /**< From the target, scaled. */
    uint64_t dst_packets;  /**< From the target, scaled. */
    uint32_t records;      /**< Flow records that went into it. */
    uint16_t src_flags;    /**< TCP flags of the initiator. */
    uint16_t dst_flags;    /**< TCP flags of the target. */
    uint8_t proto;         /**< IP protocol. */
    uint8_t outcome;       /**< NFL_OUTCOME_*. */
    uint8_t certain;       /**< 1 if SYN or ICMP type tells who began; 0 if guessed. */
    uint8_t part;          /**< NFL_PART_*. */
    uint8_t reserved[4];   /**< 0. */
    nfl_usec told_us;      /**< When this became known, in received time. Never runs backwards. */
} nfl_connection;

/** The join. Opaque. One thread at a time. */
typedef struct nfl_join nfl_join;

/** Options of nfl_join_new(). Zero in a member means its default. */
typedef struct nfl_join_opts {
    uint32_t struct_size; /**< sizeof(nfl_join_opts). */
    uint32_t max_connections; /**< Slots; 0 = 65536. All memory is taken at creation. */
    NFL_PTR(const nfl_alloc *, alloc); /**< NULL = malloc. Copied. */
    uint32_t idle_s;      /**< A connection is given out after so long without a record; 0 = 60. */
    uint32_t reserved;    /**< 0. */
    uint64_t seed;        /**< Secret of the hash table. */
} nfl_join_opts;

/** @brief Create a join. @retval NFL_OK *out is set. @retval NFL_E_NOMEM Out of memory. @since 0.1 */
NFL_API NFL_MUST_USE nfl_status nfl_join_new(const nfl_join_opts *opts, nfl_join **out, nfl_error *err);

/** @brief Free a join; NULL is allowed. @since 0.1 */
NFL_API void nfl_join_free(nfl_join *join);

/**
 * @brief   Add a flow. Allocates nothing. Pull with nfl_join_next() until ::NFL_DONE after each call.
 * @param   join  Join.
 * @param   flow  Flow; its nfl_flow::received_us drives ageing and must not run backwards by much.
 * @since 0.1
 */
NFL_API void nfl_join_feed(nfl_join *join, const nfl_flow *flow);

/** @brief Tell the time when no flows come, so that quiet connections are given out. @since 0.1 */
NFL_API void nfl_join_advance(nfl_join *join, nfl_usec now_us);

/** @brief Give out everything now: end of input. @since 0.1 */
NFL_API void nfl_join_flush(nfl_join *join);

/**
 * @brief   Next connection, in order of nfl_connection::told_us.
 * @param   join    Join.
 * @param[out] out  Borrowed; valid until the next call on @p join.
 * @retval  NFL_OK    *out is set.
 * @retval  NFL_DONE  None is finished.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_join_next(nfl_join *join, const nfl_connection **out);

/** @return Bytes of memory held. @since 0.1 */
NFL_API size_t nfl_join_memory(const nfl_join *join);

/** @return Connections given out early for want of room. @since 0.1 */
NFL_API uint64_t nfl_join_evicted(const nfl_join *join);

#ifdef __cplusplus
}
#endif
#endif

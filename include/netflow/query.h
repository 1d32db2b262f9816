/**
 * @file query.h
 * @brief One request for reports, detail records and trends, and the cursor that reads its result.
 */
#ifndef NETFLOW_QUERY_H
#define NETFLOW_QUERY_H

#include <netflow/base.h>
#include <netflow/filter.h>
#include <netflow/flow.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counters as the exporter sent them, not multiplied by the sampling rate. */
#define NFL_QUERY_UNSCALED 0x1u
/** Order from small to large; the default is from large to small. */
#define NFL_QUERY_ASCENDING 0x2u
/** With buckets: those without flows have rows too, of zeros, from the beginning of the window (or the first flow) to its end (or the
 *  last flow); of every group that is returned. At most 1048576 buckets. */
#define NFL_QUERY_FILL 0x4u
/** With buckets: bytes, packets and other counters of a flow are spread evenly over the buckets that its time from first to last
 *  packet covers, and the parts add up to the whole; `flows` counts in the bucket of the start. With a window, flows that overlap it
 *  count, each with its part in it; nfl_query_stats has the flows' whole sums. A flow may cover 4096 buckets (::NFL_E_LIMIT). */
#define NFL_QUERY_SPREAD 0x8u
/**
 * Count once what several exporters saw. A flow that crosses several routers, or is exported by one router where it comes in and where
 * it goes out, is recorded several times; without this flag sums count it as often.
 *
 * Records that match window and filter are put together by `src`, `dst`, `proto`, `src_port` and `dst_port` (of ICMP and ICMPv6:
 * `icmp_type` and `icmp_code` instead), and by the hour, of UTC, of `first`. An observation point is the triple of `exporter`, `domain`
 * and `direction`. Of each conversation direction and hour only the records of that point count which saw the most packets in it, in all
 * its records together; ties: the most bytes, then the lowest exporter, domain, direction. Packets and bytes are multiplied by the
 * sampling rate for that, whether ::NFL_QUERY_UNSCALED or not. What was not sent counts as 0. Records without `src` or `dst` all count.
 *
 * So parts of a flow that were cut by different active timeouts never add up across points, and a change of route costs at most the
 * hour it happens in: then the part that the weaker point saw. Addresses that a router translates are two conversations. A filter may
 * choose the points: `exporter 192.0.2.1` leaves that one alone.
 *
 * The matching records are read twice, and meanwhile 64 bytes or so held in memory for each conversation direction, hour and point
 * (::NFL_E_LIMIT beyond `max_memory_bytes`). Sums of compacted flows cannot be used: flows that are gone
 * (nfl_compact_opts::sums_before_us) count as `rows_reduced`. nfl_query_stats::rows_duplicate tells what was left out.
 */
#define NFL_QUERY_UNIQUE 0x10u
/**
 * Both directions of a conversation as one record, a biflow (RFC 5103): the record of the side that began, with `reverse_bytes`,
 * `reverse_packets` and `reverse_tcp_flags` of the answer's record. Sums of bytes and reverse_bytes over all records, together, are the
 * sum of bytes without this flag; the same of packets.
 *
 * Two records are the halves of one if they are from the same `exporter`, `domain` and with the same `sampling`, of the same `proto`,
 * with `src` and `src_port` of one as `dst` and `dst_port` of the other (what was not sent counts as 0), of ICMP and ICMPv6 request and
 * answer of an echo, timestamp, information or mask message; if they overlap in time or are at most 60 seconds apart, start at most an
 * hour apart, and arrived at most 120 seconds apart. In order of arrival, each record takes, of the halves that wait and fit, the one
 * whose start is nearest to its own (ties: the one that came first), or waits itself; at most 8 of the same endpoints and direction
 * wait, a ninth makes the oldest go alone.
 *
 * The side that began is that whose record starts first; ties: that of the ICMP request, that with the higher port, the lower address.
 * `last` is the later one of both, `received` too; all else is that of its record, `flows` included. Records that stay alone have
 * `reverse_bytes` and `reverse_packets` of 0 where they have `bytes` and `packets`. Records that have reverse counters already, or lack
 * `src` or `dst`, stay as they are.
 *
 * Window and filter look at the biflows: `reverse_packets = 0` finds the unanswered ones, `src ip 192.0.2.1` what that address began,
 * and a flow belongs to the window if its initiator's half starts in it. So everything in the window, and an hour before and after it,
 * is read; no block is left out for any other reason than its times. Records of listings without order come when both halves have
 * arrived, or waited long enough. What waits is held in memory, 360 bytes a record (::NFL_E_LIMIT beyond `max_memory_bytes`). Sums of
 * compacted flows cannot be used: flows that are gone count as `rows_reduced`. nfl_query_stats::rows_read counts biflows.
 *
 * Not together with ::NFL_QUERY_UNIQUE (::NFL_E_ARG): where both directions take different ways, no observation point has both, and to
 * count one point only would lose one of them.
 */
#define NFL_QUERY_BIFLOW 0x20u
/**
 * `distinct(field)` may be an estimate. Up to 192 different values of a group are counted exactly; beyond, HyperLogLog tells how many
 * there are, in 2 KiB a group, however many it is, instead of holding every combination of group and value. nfl_query_stats::
 * distinct_error_per_mille bounds the error.
 *
 * Values are hashed with a key that is the same everywhere: the same flows give the same counts, in whatever order, block or store
 * they come. It also means that who knows this library can choose values (ports, addresses) that make the estimate wrong: of counts
 * that decide about an attacker, ask for exact ones.
 */
#define NFL_QUERY_APPROXIMATE 0x80u

/** Most bytes of a token of nfl_cursor_token(), NUL included. */
#define NFL_TOKEN_SIZE 512

/**
 * A question to a store.
 *
 * Without `group_by` and `bucket_us` the result is flow records, one row each, with `columns`.
 *
 * With `group_by` it is one row per distinct combination of stored fields: the grouping fields, then
 * `columns` as sums (counters), earliest (`first`), union (TCP flags) or largest (`last` and everything else)
 * of the group's flows. `duration` of a group is the time from its first to its last packet, `bps` and `pps`
 * are its sums over that time, `bpp` is bytes by packets. Flows without a field form a group of their own.
 *
 * One of the columns of groups may be `distinct(field)`: how many different values of that field the group's flows have, counted
 * exactly unless ::NFL_QUERY_APPROXIMATE; flows without it do not count. It may be ordered by (with buckets and groups: by the sum of
 * the buckets' counts). All combinations are held in memory meanwhile (::NFL_E_LIMIT beyond `max_memory_bytes`).
 *
 * With `bucket_us` there is a first column `time` and one row per bucket (and group), ordered by time; a
 * flow counts in the bucket of its start, unless ::NFL_QUERY_SPREAD. Buckets without flows have no row, unless ::NFL_QUERY_FILL.
 *
 * Rows are ordered by `order_by`, which need not be among the columns; rows without a value come last;
 * equal rows are ordered by their grouping fields, records by time of arrival. With buckets, `order_by` orders the
 * groups within each, and `order_by` "time" puts the newest bucket first unless ascending.
 *
 * Results are exact, unless ::NFL_QUERY_APPROXIMATE. Sums stop at 2^64 - 1.
 */
typedef struct nfl_query {
    uint32_t struct_size; /**< sizeof(nfl_query). */
    uint32_t flags;       /**< NFL_QUERY_* bits. */
    nfl_usec from_us;     /**< Flows that start at this time or later; 0 = from the beginning. */
    nfl_usec to_us;       /**< Flows that start before this time; 0 = to the end. */
    NFL_PTR(const char *, filter);   /**< Filter text, or NULL for all. See filter.h. */
    NFL_PTR(const char *, group_by); /**< Fields by comma: "src", "dst,dst_port". NULL = none. */
    NFL_PTR(const char *, columns);  /**< Fields by comma. NULL = "bytes,packets,flows" for groups, else the usual detail columns. */
    NFL_PTR(const char *, order_by); /**< Column. NULL: "bytes" for groups, none for records (then in order of arrival). */
    nfl_usec bucket_us;   /**< Length of a time bucket, aligned to 1970; 0 = none. */
    nfl_usec now_us;      /**< For relative times in the filter; 0 = none allowed. */
    uint64_t limit;       /**< Rows returned; 0 = all. With buckets and groups: groups kept, by their total. */
    uint64_t offset;      /**< Rows passed over first; groups with buckets and groups. */
    /** For groups and sorting; 0 = 128 MiB with a limit, 1 GiB without or with distinct(), ::NFL_QUERY_UNIQUE or
     *  ::NFL_QUERY_BIFLOW. Groups with a limit and without buckets are counted in
     *  several passes when they do not fit; that takes some hundred kilobytes at least. Beyond it: ::NFL_E_LIMIT. */
    uint64_t max_memory_bytes;
    NFL_PTR(const volatile int32_t *, cancel); /**< Set non-zero by anyone to stop; may be NULL. */
    NFL_PTR(nfl_filter_list, filter_list); /**< Knows the lists that the filter names; called while the query starts. NULL: none. */
    NFL_PTR(void *, filter_list_ctx);      /**< For `filter_list`. */
    /** Condition on groups, in the language of filters: "bytes > 1G and flows > 100". Of fields that are grouped by, and of sums and
     *  times of groups (and rates of these). With buckets and groups, on a group's totals. NULL = none. */
    NFL_PTR(const char *, having);
    NFL_PTR(const char *, after); /**< Token of the last row that is known: the result begins behind it. NULL = at the beginning. */
    uint64_t max_rows; /**< Stored rows that may be examined, in all readings together; beyond it ::NFL_E_CANCELLED. 0 = no such limit. */
    /** Time from the start of the query, by a clock that only goes forward; beyond it ::NFL_E_CANCELLED. It is
     *  looked at between blocks, of up to 65536 rows; of a listing, which reads as it goes, the caller's own time counts. 0 = no such
     *  limit. */
    uint64_t max_time_us;
} nfl_query;

/** Reader of a result. Opaque. One thread at a time. Keeps the store alive until freed. */
typedef struct nfl_cursor nfl_cursor;

/** Description of a result column. */
typedef struct nfl_column_info {
    uint32_t struct_size; /**< Set by the caller before the call. */
    uint32_t field;       /**< NFL_FIELD_*; of `distinct(field)`, which is a number, that field. */
    uint8_t type;         /**< NFL_TYPE_*. */
    uint8_t kind;         /**< NFL_KIND_*. */
    uint8_t is_key;       /**< 1 for grouping columns. */
    uint8_t reserved[5];  /**< 0. */
    NFL_PTR(const char *, name);  /**< JSON key. Lives as long as the cursor. */
    NFL_PTR(const char *, title); /**< Header for people. Lives as long as the cursor. */
} nfl_column_info;

/**
 * What a query matched and what it cost. Complete once nfl_cursor_next() returned ::NFL_DONE.
 *
 * A listing of records reads as it goes: who fetches `limit` rows and stops spares the rest; the call that
 * returns ::NFL_DONE runs through it to complete the counters.
 */
typedef struct nfl_query_stats {
    uint32_t struct_size;    /**< Set by the caller before the call. */
    uint32_t reserved;       /**< 0. */
    uint64_t rows_matched;   /**< Stored flow records that passed window and filter; not those in `rows_duplicate`. */
    uint64_t bytes;          /**< Sum over them. */
    uint64_t packets;        /**< Sum over them. */
    uint64_t flows;          /**< Sum over them. */
    uint64_t groups;         /**< Distinct groups (with buckets alone: buckets) that `having` lets pass, or rows, before limit and
                                  offset; of a result that begins behind a token, what follows. */
    uint64_t rows_read;      /**< Rows examined. */
    uint64_t blocks_read;    /**< Blocks decoded. */
    uint64_t blocks_skipped; /**< Blocks left out because their summaries exclude a match. */
    uint64_t memory_bytes;   /**< Peak memory of the query. */
    uint64_t passes;         /**< How often the data were read: more than once where groups did not fit in memory;
                                  the counters above are those of one pass. 0 for a listing. The first
                                  reading for ::NFL_QUERY_UNIQUE is not counted. */
    uint64_t rows_summed;    /**< Of those that matched, the ones that were not read, but taken from sums that were made of
                                  them when their segment was compacted. Where a window cuts sums whose flows are gone
                                  (nfl_compact_opts::sums_before_us), they count by their `flows`. */
    uint64_t rows_reduced;   /**< Records that may match and are missing in the result: their flows are gone, and their sums do
                                  not tell what was asked. */
    uint64_t rows_duplicate; /**< Records that passed window and filter, but were left out: see ::NFL_QUERY_UNIQUE. */
    uint64_t distinct_error_per_mille; /**< How far counts of ::NFL_QUERY_APPROXIMATE may be off: 69 = in 997 of 1000 cases by no more
                                  than 6.9 % of the true number, three standard errors of 1.04 / sqrt(2048) (Flajolet, Fusy, Gandouet,
                                  Meunier, "HyperLogLog", 2007). 0 = all counts are exact. */
} nfl_query_stats;

/**
 * @brief   Go to the next row.
 * @param   cursor  Cursor.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK           A row is current.
 * @retval  NFL_DONE         No more rows.
 * @retval  NFL_E_CORRUPT    Stored data failed its check (the message names the file and place).
 * @retval  NFL_E_CANCELLED  nfl_query::cancel was set, or nfl_query::max_rows or max_time_us exceeded.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_cursor_next(nfl_cursor *cursor, nfl_error *err);

/** @return Number of columns. @since 0.1 */
NFL_API uint32_t nfl_cursor_columns(const nfl_cursor *cursor);

/**
 * @brief   Describe a column.
 * @retval  NFL_OK     *out is set.
 * @retval  NFL_E_ARG  No such column.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_cursor_column(const nfl_cursor *cursor, uint32_t column,
                                                  nfl_column_info *out);

/**
 * @brief   Read a value of the current row.
 * @param   cursor  Cursor on a row.
 * @param   column  0 .. nfl_cursor_columns() - 1; others give an absent value.
 * @param[out] out  Value; set `struct_size` before the call. `present` is 0 when no exporter sent it.
 * @since 0.1
 */
NFL_API void nfl_cursor_get(const nfl_cursor *cursor, uint32_t column, nfl_value *out);

/** @return The column's number in the current row; 0 when absent or an address. @since 0.1 */
NFL_API uint64_t nfl_cursor_u64(const nfl_cursor *cursor, uint32_t column);

/**
 * @brief   Where the row stands that nfl_cursor_next() returned last: a token with which a query of the same words
 *          (nfl_query::after) goes on behind it.
 *
 * It names the row by its value of the ordering column and, among rows with the same value, by its grouping fields or its time of
 * arrival; so it stays good when flows arrive or are dropped, segments are merged, or the process ends. Rows that sort behind it are
 * returned, others are not: flows that arrive later are seen if they sort behind it, and nothing is returned twice that did not
 * change. Groups change when flows arrive in their window, and relative times in a filter are another window each time; ask for a
 * window that is over. nfl_query::offset counts from the token on.
 *
 * @param   cursor  Cursor on a row or behind its last one, of an ordered query without buckets.
 * @param   dst     Room for ::NFL_TOKEN_SIZE bytes. NUL-terminated, printable, of letters and digits.
 * @param[out] err  Detail on failure; may be NULL.
 * @retval  NFL_OK       *dst is set.
 * @retval  NFL_E_STATE  No row was returned, or the query has no order, or has buckets.
 * @retval  NFL_E_LIMIT  There are too many grouping fields for a token.
 * @since 0.1
 */
NFL_API NFL_MUST_USE nfl_status nfl_cursor_token(const nfl_cursor *cursor, char dst[NFL_TOKEN_SIZE], nfl_error *err);

/**
 * @brief   Percentile by nearest rank: the smallest of the values that at least so many of them do not exceed.
 *
 * As billing by the 95th percentile has it: of the averages of 5 minutes of a month, the highest 5 percent are dropped, and the
 * highest of the rest counts. Buckets without traffic belong to them: see ::NFL_QUERY_FILL.
 *
 * @param   values     Sorted in place.
 * @param   count      0 gives 0.
 * @param   per_mille  1 to 1000: 950 = 95th percentile, 500 = median, 1000 = the largest. Others are brought into that range.
 * @return  One of the values.
 * @since 0.1
 */
NFL_API uint64_t nfl_percentile(uint64_t *values, size_t count, uint32_t per_mille);

/** @brief Read the counters. @since 0.1 */
NFL_API void nfl_cursor_get_stats(const nfl_cursor *cursor, nfl_query_stats *out);

/** @brief Free a cursor; NULL is allowed. @since 0.1 */
NFL_API void nfl_cursor_free(nfl_cursor *cursor);

#ifdef __cplusplus
}
#endif
#endif

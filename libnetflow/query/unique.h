/* Which records count when several observation points saw the same traffic (NFL_QUERY_UNIQUE in query.h).
 *
 * Two readings. In the first, every row that window and filter let pass adds its packets and bytes to an entry for its conversation
 * direction, hour and observation point; then the best point of each conversation and hour is chosen; in the second, rows of the
 * others are left out. An entry is six words:
 *
 *   | src, dst | exporter, domain | ports or ICMP type and code, protocol, direction, which addresses are not IPv4 | hour, left out |
 *   | packets | bytes |
 *
 * with addresses as numbers (addresses.h). Keys are compared, not hashes of them, so the answer is exact.
 *
 * Cost: a hash and a probe per row and reading. Memory: 48 bytes an entry and 11 to 22 of slots, and while points are chosen as many
 * slots again, counted against the query's budget.
 */
#ifndef NFL_QUERY_UNIQUE_H
#define NFL_QUERY_UNIQUE_H

#include "query/scan.h"

/* Fields that tell what a record is about, and those that decide. */
#define NFL__UNIQUE_KEYS                                                                                                        \
    (NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_SRC_PORT) |                 \
     NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_ICMP_TYPE) | NFL_HAS(NFL_FIELD_ICMP_CODE) |     \
     NFL_HAS(NFL_FIELD_EXPORTER) | NFL_HAS(NFL_FIELD_DOMAIN) | NFL_HAS(NFL_FIELD_DIRECTION))
#define NFL__UNIQUE_FIELDS                                                                                                      \
    (NFL__UNIQUE_KEYS | NFL_HAS(NFL_FIELD_PACKETS) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_SAMPLING))

typedef struct nfl__unique nfl__unique;

nfl_status nfl__unique_new(nfl__memory *memory, nfl__unique **out, nfl_error *err);
void nfl__unique_free(nfl__unique *unique);

/* First reading: the scan's current rows, scaled. NFL__UNIQUE_FIELDS are loaded. NFL_E_LIMIT. */
nfl_status nfl__unique_add(nfl__unique *unique, const nfl__scan *scan, nfl_error *err);

/* All rows are in. NFL_E_LIMIT. */
nfl_status nfl__unique_choose(nfl__unique *unique, nfl_error *err);

/* Another reading begins. */
void nfl__unique_again(nfl__unique *unique);

/* keep[i] = 1 if the i-th of the scan's current rows counts. NFL__UNIQUE_KEYS are loaded. Rows that the first reading did not have are
 * left out too. Returns in *duplicates how many others are. */
nfl_status nfl__unique_keep(nfl__unique *unique, const nfl__scan *scan, uint8_t keep[NFL__SCAN_ROWS], uint32_t *duplicates,
                            nfl_error *err);

#endif

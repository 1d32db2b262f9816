/* Flows spread over the buckets that they cover.
 *
 * A flow's time from first to last packet (a moment, where `last` is absent or before `first`) is cut at the ends of buckets and of
 * the window. Of a counter V, what was counted up to t of the flow's length L is floor(V * t / L), and a part is the difference of
 * two of these: so parts add up to V, whatever the cuts. `first` and `last` of a part are its own, so that rates are those of the
 * bucket. L beyond 2^32 us, 71 minutes, is measured in as many steps.
 *
 * Cost: a look-up in the table of groups a part, a thousand parts at a time. */
#ifndef NFL_QUERY_SPREAD_H
#define NFL_QUERY_SPREAD_H

#include "query/estimate.h"
#include "query/measure.h"
#include "query/table.h"

#define NFL__SPREAD_MOST 4096u /* buckets that a flow may cover inside the window */

/* Memory for parts. estimates: what values of parts go to too; may be NULL. */
typedef struct nfl__spread nfl__spread;
nfl__spread *nfl__spread_new(const nfl__plan *plan, nfl__estimates *estimates, nfl__memory *memory); /* NULL when out of memory */
void nfl__spread_free(nfl__spread *spread, const nfl__plan *plan, nfl__memory *memory);

/* Add the parts of the scan's rows. keys: of these rows, packed, with room for the bucket. NFL_E_LIMIT. */
nfl_status nfl__spread_add(nfl__spread *spread, nfl__table *table, nfl__scan *scan, const uint8_t *keys, nfl_error *err);

/* floor(value * t / length), in the steps said above; value if t is not below length. */
uint64_t nfl__spread_share(uint64_t value, uint64_t t, uint64_t length);

#endif

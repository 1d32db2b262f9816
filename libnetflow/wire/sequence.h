/* Sequence numbers and clocks of one domain: what was lost, what was late, what came twice, when the exporter
 * started.
 *
 * NetFlow v5 and v7 number flows, v9 and sFlow datagrams, IPFIX data records (options data included, templates
 * not), all modulo 2^32. A number beyond the expected one opens a gap, counted as lost at once; a datagram that comes late and falls
 * into one of the last gaps takes back what it brings, so `lost` is exact whatever the order. A jump too far to
 * be loss, or a number that falls back while export time goes on, is a restart: counting resumes there.
 *
 * What a datagram counts is known at once for v5 and v9, but only at its end for IPFIX, and not at all if one of
 * its data sets had no template or was malformed: then the next number is taken as it comes and nothing is
 * reported as lost. Hence two calls a datagram.
 *
 * A datagram whose number lies back is late, unless it is one of the last NFL__SEQUENCE_RECENT over again: the same number
 * and the same mark, a hash of the rest of its header. The number alone does not tell: IPFIX messages without records have
 * that of the one behind them, exporters that do not count have the same always. A duplicate brings nothing, so it
 * leaves `lost` alone.
 *
 * Not all exporters number what the standards say (RFC 7011 3.1: the records before the message). VMware NSX includes the
 * records of the message itself, others count messages in IPFIX. Each numbering says what the difference to the
 * datagram before must be:
 *
 *     before     what the datagram before counted          the standard, assumed first
 *     included   what this datagram counts
 *     messages   one
 *
 * A difference that fits another numbering and not the assumed one is a sign. Six signs for the same one, without a
 * difference that does not fit it in between, make it the assumed one; what was counted until then stays. Where the
 * message's own records are included, the number it begins with is known only at its end.
 *
 * The boot time: v5 and v9 tell the export time in whole seconds and the time since boot in milliseconds. Every
 * datagram says boot lies in [seconds * 1000 - uptime, that + 999]; the intersection over many datagrams is narrow.
 * The lower bound is used, so that the first datagram gives the plain arithmetic of RFC 3954. An empty intersection
 * is a clock step, a wrap of sysUptime, or a restart; only a restart sets the sequence back.
 *
 * Costs: O(gaps), 8 gaps; what lies back is looked for among 64 others. No memory beyond the struct.
 */
#ifndef NFL_WIRE_SEQUENCE_H
#define NFL_WIRE_SEQUENCE_H

#include <netflow/base.h>

enum { NFL__SEQUENCE_GAPS = 8, NFL__SEQUENCE_SIGNS = 6, NFL__SEQUENCE_RECENT = 64 };

enum { NFL__NUMBERING_BEFORE, NFL__NUMBERING_INCLUDED, NFL__NUMBERING_MESSAGES, NFL__NUMBERING_COUNT };

typedef struct nfl__gap {
    uint32_t first;
    uint32_t len;
} nfl__gap;

typedef struct nfl__seen {
    uint32_t number;
    uint32_t mark; /* 0 = none */
} nfl__seen;

/* What the header of a datagram tells. */
typedef struct nfl__numbered {
    uint32_t number;
    uint32_t mark;     /* of the rest of the header; not 0 */
    uint32_t seconds;  /* export time */
    uint32_t furthest; /* the largest jump taken for loss */
} nfl__numbered;

typedef struct nfl__sequence {
    uint32_t expected; /* number of the next datagram in order */
    uint32_t last;     /* number of the latest datagram */
    uint32_t seconds;  /* its export time */
    uint8_t started;   /* a datagram has been seen */
    uint8_t known;     /* `expected` is certain */
    uint8_t late;      /* the current datagram fills a gap or repeats */
    uint8_t was_known; /* `known` before the current datagram, if it is late */
    uint8_t next_gap;  /* position to be overwritten */
    uint8_t numbering; /* NFL__NUMBERING_* assumed */
    uint8_t candidate; /* another one */
    uint8_t signs;     /* for the candidate */
    uint8_t before_known;
    uint8_t duplicate; /* the current datagram is one of the last over again; then it is late, too */
    uint8_t next_seen; /* position to be overwritten */
    uint8_t reserved;
    uint32_t before;         /* number of the datagram before, as sent */
    uint32_t before_count;   /* what it counted, if before_known */
    nfl__numbered begun;     /* the current datagram */
    nfl__gap gaps[NFL__SEQUENCE_GAPS];
    nfl__seen seen[NFL__SEQUENCE_RECENT];
    uint64_t lost;
    uint64_t late_count; /* without duplicates */
    uint64_t duplicates;
    uint64_t restarts;
} nfl__sequence;

/* A datagram came. restarted: the exporter is known to have started anew. */
void nfl__sequence_begin(nfl__sequence *sequence, const nfl__numbered *datagram, int restarted);

/* It counted this much; known = 0 when that cannot be told. */
void nfl__sequence_end(nfl__sequence *sequence, uint32_t count, int known);

typedef struct nfl__boot {
    int64_t earliest_ms; /* boot lies in [earliest, latest], milliseconds since 1970 */
    int64_t latest_ms;
    uint32_t uptime_ms; /* of the latest datagram */
    uint8_t known;
    uint8_t reserved[3];
} nfl__boot;

/* Take the clocks of a datagram in; 1 when the exporter has restarted. width_ms: what the export time leaves open,
 * 999 for whole seconds, 0 for exact. */
int nfl__boot_note(nfl__boot *boot, int64_t export_ms, uint32_t uptime_ms, uint32_t width_ms);

#endif

/* netflow replay: the flows of a store, or the datagrams of captures, to a collector by UDP or, IPFIX alone, TCP (RFC 7011 10.4).
 *
 * Flows and datagrams go out as far apart as they once came in, or --rate a second, or without waiting (--rate 0).
 * Datagrams of captures are sent as they were; flows of a store are packed anew and keep their times. */
#include "captures.h"
#include "commands.h"
#include "facts.h"
#include "packer.h"
#include "report.h"
#include "sender.h"
#include "stored.h"

#include <inttypes.h>
#include <string.h>

enum {
    REPLAY_HOLD_US = 100000, /* a datagram being built waits so long for further flows */
    REPLAY_NAP_US = 1000     /* not worth sleeping for less */
};

typedef struct replay {
    const options *given;
    sender sender;
    packer packer;
    nfl_usec first_us; /* when the first flow or datagram came in */
    uint64_t items;    /* flows or datagrams */
    uint64_t datagrams, bytes;
} replay;

static int replay_put(void *context, const uint8_t *data, size_t len)
{
    replay *r = context;
    r->datagrams++;
    r->bytes += len;
    return sender_send(&r->sender, data, len);
}

/* Wait until the next item is due, which came in at `time_us`. */
static int replay_wait(replay *r, nfl_usec time_us)
{
    if (r->items++ == 0)
        r->first_us = time_us;
    if (r->given->given & OPTION_RATE && r->given->rate == 0)
        return 0;
    nfl_usec due_us = r->given->given & OPTION_RATE
                          ? (nfl_usec)((double)(r->items - 1) * 1e6 / (double)r->given->rate)
                          : time_us - r->first_us;
    nfl_usec wait_us = sender_wait_us(&r->sender, due_us);
    if (wait_us > REPLAY_HOLD_US && packer_flush(&r->packer))
        return 1;
    if (wait_us > REPLAY_NAP_US)
        sender_sleep(wait_us);
    return 0;
}

static int replay_flow(void *context, const nfl_flow *flow)
{
    replay *r = context;
    return replay_wait(r, flow->received_us) || packer_add(&r->packer, flow);
}

static int replay_datagram(void *context, const nfl_datagram *datagram)
{
    replay *r = context;
    unsigned version = datagram->len < 2 ? 0 : (unsigned)datagram->data[0] << 8 | datagram->data[1];
    if (r->given->tcp && version != 10) {
        complain("datagram %" PRIu64 " of the captures has version %u: only IPFIX (10) goes over TCP", r->items + 1, version);
        return 1;
    }
    return replay_wait(r, datagram->time_us) || replay_put(r, datagram->data, datagram->len);
}

static int replay_store(replay *r)
{
    r->packer = (packer){.put = replay_put, .context = r};
    r->packer.opts = (nfl_encoder_opts){.struct_size = sizeof r->packer.opts, .version = r->given->wire,
                                        .fields = r->given->wire == 10 ? UINT64_MAX : 0};
    int status = stored_read(r->given, NULL, 1, replay_flow, r);
    if (packer_flush(&r->packer))
        status = EXIT_FAILED;
    packer_done(&r->packer);
    return status;
}

static int replay_captures(replay *r)
{
    captures c = {.take_datagram = replay_datagram, .context = r};
    return captures_read(&c, r->given->arguments, r->given->argument_count);
}

static void replay_summary(const replay *r)
{
    const fact facts[] = {
        {"collector", "sent to", FACT_TEXT, 0, r->given->collector},
        {"datagrams", "datagrams", FACT_COUNT, r->datagrams, NULL},
        {"bytes", "bytes in them", FACT_BYTES, r->bytes, NULL},
        {"records", "flow records", r->given->store ? FACT_COUNT : FACT_TROUBLE, r->packer.flows, NULL},
        {"skipped", "flow records that the version cannot carry", FACT_TROUBLE, r->packer.skipped, NULL},
        {"refused", "times told that nobody listens there", FACT_TROUBLE, r->sender.refused, NULL},
    };
    facts_print(facts, sizeof facts / sizeof *facts, FORMAT_TABLE);
}

static int replay_check(const options *given)
{
    if (!given->store && !given->argument_count) {
        complain("either a store (-s STORE) or captures expected");
        return 0;
    }
    if (!given->store && given->given & (OPTION_FROM | OPTION_TO | OPTION_WIRE)) {
        complain("--from, --to and --format are for stores; datagrams of captures are sent as they are");
        return 0;
    }
    if (given->tcp && given->wire != 10) {
        complain("only --format ipfix goes over TCP");
        return 0;
    }
    return 1;
}

int command_replay(const options *given)
{
    replay r = {.given = given};
    if (!replay_check(given))
        return EXIT_USAGE;
    if (!sender_open(&r.sender, given->collector, given->tcp != 0))
        return EXIT_FAILED;
    int status = given->store ? replay_store(&r) : replay_captures(&r);
    sender_close(&r.sender);
    replay_summary(&r);
    return report_output(status);
}

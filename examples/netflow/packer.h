/* Flows into datagrams or messages, one after the other. */
#ifndef NETFLOW_TOOL_PACKER_H
#define NETFLOW_TOOL_PACKER_H

#include <netflow/encoder.h>

typedef struct packer {
    nfl_encoder_opts opts; /* version, lengths; set by the caller */
    int (*put)(void *context, const uint8_t *data, size_t len); /* one datagram; 0 = go on */
    void *context;

    nfl_encoder *encoder;
    nfl_usec second_us; /* in which the flows of the datagram being built were received */
    uint64_t flows;     /* packed */
    uint64_t skipped;   /* flows that the version cannot carry */
    uint64_t datagrams;
    uint64_t bytes;
} packer;

/* Add a flow. A datagram's export time is the second in which its flows were received. 0, or 1 when `put` said so or
 * after a message. */
int packer_add(packer *p, const nfl_flow *flow);

/* Hand out what is not yet. 0 or 1 as above. */
int packer_flush(packer *p);

void packer_done(packer *p);

#endif

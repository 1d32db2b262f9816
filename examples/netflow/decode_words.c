#include "decode_words.h"

#include <stddef.h>

/* Words of one element, by value; NULL = reserved. */
typedef struct words_list {
    uint16_t element;
    uint16_t count;
    const char *const *words;
} words_list;

#define LIST(element, words)                                  \
    {                                                         \
        (element), sizeof(words) / sizeof *(words), (words)   \
    }

static const char *const words_direction[] = {"ingress", "egress"};
static const char *const words_end_reason[] = {NULL,         "idle timeout",     "active timeout", "end of flow",
                                               "forced end", "lack of resources"};
static const char *const words_nat_event[] = {NULL,
                                              "NAT translation create",
                                              "NAT translation delete",
                                              "NAT addresses exhausted",
                                              "NAT44 session create",
                                              "NAT44 session delete",
                                              "NAT64 session create",
                                              "NAT64 session delete",
                                              "NAT44 BIB create",
                                              "NAT44 BIB delete",
                                              "NAT64 BIB create",
                                              "NAT64 BIB delete",
                                              "NAT ports exhausted",
                                              "quota exceeded",
                                              "address binding create",
                                              "address binding delete",
                                              "port block allocation",
                                              "port block de-allocation",
                                              "threshold reached"};
static const char *const words_firewall_event[] = {"ignore",      "flow created", "flow deleted",
                                                   "flow denied", "flow alert",   "flow update"};
static const char *const words_biflow_direction[] = {"arbitrary", "initiator", "reverse initiator", "perimeter"};
static const char *const words_nat_type[] = {
    "unknown", "NAT44", "NAT64", "NAT46", "IPv4, no NAT", "NAT66", "IPv6, no NAT"};
static const char *const words_selector[] = {NULL,
                                             "systematic count-based sampling",
                                             "systematic time-based sampling",
                                             "random n-out-of-N sampling",
                                             "uniform probabilistic sampling",
                                             "property match filtering",
                                             "hash-based filtering using BOB",
                                             "hash-based filtering using IPSX",
                                             "hash-based filtering using CRC"};

static const words_list words_lists[] = {
    LIST(61, words_direction),         /* flowDirection */
    LIST(136, words_end_reason),       /* flowEndReason */
    LIST(230, words_nat_event),        /* natEvent (RFC 8158) */
    LIST(233, words_firewall_event),   /* firewallEvent */
    LIST(239, words_biflow_direction), /* biflowDirection (RFC 5103) */
    LIST(297, words_nat_type),         /* natType */
    LIST(304, words_selector),         /* selectorAlgorithm (RFC 5477) */
};

const char *decode_word(uint16_t element, uint64_t value)
{
    for (size_t i = 0; i < sizeof words_lists / sizeof *words_lists; i++)
        if (words_lists[i].element == element && value < words_lists[i].count)
            return words_lists[i].words[value];
    return NULL;
}

#include "detect/judge.h"

#include <netflow/flow.h>

#include <string.h>

/* ---- who began ---- */

static int judge_syn_only(const nfl__side *side)
{
    return (side->flags & (NFL__TCP_SYN | NFL__TCP_ACK)) == NFL__TCP_SYN;
}

/* SYN without ACK is sent by who begins (RFC 9293 3.5). A whole session shows the same union of flags on both
 * sides and does not tell. */
static int judge_by_syn(const nfl__talk *talk)
{
    if (talk->proto != NFL__PROTO_TCP)
        return -1;
    int a = judge_syn_only(&talk->side[0]), b = judge_syn_only(&talk->side[1]);
    if (a != b)
        return a ? 0 : 1;
    return -1;
}

static int judge_by_icmp(const nfl__talk *talk)
{
    if (talk->proto != NFL__PROTO_ICMP && talk->proto != NFL__PROTO_ICMP6)
        return -1;
    for (int end = 0; end < 2; end++) {
        if (talk->side[end].flags & NFL__ICMP_ASKED)
            return end;
        if (talk->side[end].flags & NFL__ICMP_ANSWERED)
            return !end;
    }
    return talk->first_end; /* errors and the like: who sent it */
}

/* SYN+ACK or a reset with nobody on the other side is an answer; else the victim of a scan, or of somebody
 * who forges addresses, would be taken for the scanner. */
static int judge_by_lone_answer(const nfl__talk *talk)
{
    if (talk->proto != NFL__PROTO_TCP)
        return -1;
    for (int end = 0; end < 2; end++) {
        unsigned flags = talk->side[end].flags;
        if (talk->side[!end].packets == 0 &&
            (flags == (NFL__TCP_SYN | NFL__TCP_ACK) || flags == (NFL__TCP_RST | NFL__TCP_ACK) ||
             flags == NFL__TCP_RST))
            return !end;
    }
    return -1;
}

/* A system port (RFC 6335 6) is the server's. Higher registered ports tell little: old clients use 1025 to
 * 5000 for themselves. */
static int judge_by_system_port(const nfl__talk *talk)
{
    int a = talk->port[0] < 1024, b = talk->port[1] < 1024;
    return a == b ? -1 : a;
}

static int judge_by_start(const nfl__talk *talk)
{
    const nfl__side *a = &talk->side[0], *b = &talk->side[1];
    if (!a->packets || !b->packets || a->first_us == b->first_us)
        return -1;
    return a->first_us < b->first_us ? 0 : 1;
}

/* Both started in the same millisecond. */
static int judge_by_registered_port(const nfl__talk *talk)
{
    if (!talk->side[0].packets || !talk->side[1].packets)
        return -1;
    int a = nfl_service_name(talk->proto, talk->port[0]) != NULL;
    int b = nfl_service_name(talk->proto, talk->port[1]) != NULL;
    return a == b ? -1 : a;
}

static nfl__verdict judge_initiator(const nfl__talk *talk)
{
    static int (*const certain[])(const nfl__talk *) = {judge_by_syn, judge_by_icmp};
    static int (*const guesses[])(const nfl__talk *) = {judge_by_system_port, judge_by_start,
                                                        judge_by_registered_port};
    nfl__verdict v = {talk->first_end, 1, NFL_OUTCOME_UNKNOWN};
    for (size_t i = 0; i < sizeof certain / sizeof *certain; i++) {
        int end = certain[i](talk);
        if (end >= 0) {
            v.initiator = (uint8_t)end;
            return v;
        }
    }
    v.certain = 0;
    int end = judge_by_lone_answer(talk);
    if (end < 0 && talk->began)
        end = talk->began - 1;
    for (size_t i = 0; end < 0 && i < sizeof guesses / sizeof *guesses; i++)
        end = guesses[i](talk);
    if (end >= 0)
        v.initiator = (uint8_t)end;
    return v;
}

/* ---- how it went ---- */

/* Does the reset of the target end an attempt, or a session that had been going on? */
static int judge_is_refusal(const nfl__side *from, const nfl__side *to)
{
    if (!(to->flags & NFL__TCP_RST) || to->flags & (NFL__TCP_SYN | NFL__TCP_PSH | NFL__TCP_FIN))
        return 0;
    return !(from->flags & NFL__TCP_ACK);
}

static uint8_t judge_tcp(const nfl__side *from, const nfl__side *to, int sampled, int sees_both)
{
    if (to->packets && from->packets) {
        if (judge_is_refusal(from, to))
            return sampled ? NFL_OUTCOME_UNKNOWN : NFL_OUTCOME_REFUSED;
        int handshake = (to->flags & (NFL__TCP_SYN | NFL__TCP_ACK)) == (NFL__TCP_SYN | NFL__TCP_ACK);
        if (handshake && judge_syn_only(from))
            return sampled ? NFL_OUTCOME_UNKNOWN : NFL_OUTCOME_HALF_OPEN;
        return NFL_OUTCOME_ANSWERED;
    }
    if ((from->flags & (NFL__TCP_SYN | NFL__TCP_ACK)) == (NFL__TCP_SYN | NFL__TCP_ACK))
        return NFL_OUTCOME_ANSWERED; /* it acknowledged something: the answers went another way */
    int flags_unknown = from->flags == 0 && sees_both; /* some hardware exports none */
    return (judge_syn_only(from) || flags_unknown) && !sampled ? NFL_OUTCOME_UNANSWERED : NFL_OUTCOME_UNKNOWN;
}

static int judge_is_group(const nfl_ip *ip)
{
    if (nfl_ip_is_v4(ip))
        return ip->b[12] >= 224; /* multicast, reserved and 255.255.255.255 */
    return ip->b[0] == 0xff;
}

static int judge_expects_answer(const nfl__talk *talk, const nfl__side *from)
{
    if (talk->proto == NFL__PROTO_ICMP || talk->proto == NFL__PROTO_ICMP6)
        return (from->flags & NFL__ICMP_ASKED) != 0;
    return talk->proto == NFL__PROTO_UDP;
}

nfl__verdict nfl__judge(const nfl__talk *talk, int sees_both)
{
    nfl__verdict v = judge_initiator(talk);
    const nfl__side *from = &talk->side[v.initiator], *to = &talk->side[!v.initiator];
    if (!from->packets)
        return v;
    if (talk->proto == NFL__PROTO_TCP)
        v.outcome = judge_tcp(from, to, talk->sampled, sees_both);
    else if (to->packets)
        v.outcome = NFL_OUTCOME_ANSWERED;
    else if (judge_expects_answer(talk, from) && sees_both && !talk->sampled &&
             !judge_is_group(&talk->ip[!v.initiator]))
        v.outcome = NFL_OUTCOME_UNANSWERED;
    return v;
}

#include "wire/sequence.h"

#include <stddef.h>

static void sequence_open_gap(nfl__sequence *sequence, uint32_t first, uint32_t len)
{
    sequence->gaps[sequence->next_gap] = (nfl__gap){first, len};
    sequence->next_gap = (uint8_t)((sequence->next_gap + 1) % NFL__SEQUENCE_GAPS);
    sequence->lost += len;
}

static nfl__gap *sequence_gap_of(nfl__sequence *sequence, uint32_t number)
{
    for (unsigned i = 0; i < NFL__SEQUENCE_GAPS; i++)
        if (number - sequence->gaps[i].first < sequence->gaps[i].len)
            return &sequence->gaps[i];
    return NULL;
}

/* A late datagram takes [number, number + count) out of its gap; what is left on either side stays lost. */
static void sequence_fill_gap(nfl__sequence *sequence, uint32_t number, uint32_t count)
{
    nfl__gap *gap = sequence_gap_of(sequence, number);
    if (!gap)
        return; /* from before the gaps that are remembered */
    uint32_t before = number - gap->first, room = gap->len - before;
    uint32_t filled = count < room ? count : room, after = room - filled;
    sequence->lost -= filled;
    gap->len = before;
    if (!after)
        return;
    if (!before) {
        *gap = (nfl__gap){number + filled, after};
        return;
    }
    sequence->lost -= after; /* counted again by the new gap */
    sequence_open_gap(sequence, number + filled, after);
}

static void sequence_resume(nfl__sequence *sequence, uint32_t number, int restarted)
{
    for (unsigned i = 0; i < NFL__SEQUENCE_GAPS; i++)
        sequence->gaps[i].len = 0;
    sequence->expected = number;
    sequence->restarts += (uint64_t)restarted;
}

/* What the numbers have come to. */
static uint32_t sequence_head(const nfl__sequence *sequence)
{
    return sequence->known ? sequence->expected : sequence->last;
}

/* A datagram overtaken by others: its number and its export time lie back. */
static int sequence_is_late(nfl__sequence *sequence, uint32_t number, const nfl__numbered *datagram)
{
    uint32_t distance = sequence_head(sequence) - number;
    if (distance == 0 || distance > datagram->furthest)
        return 0;
    return sequence_gap_of(sequence, number) || datagram->seconds <= sequence->seconds;
}

/* One of the last datagrams over again? Not if it is what is expected now: a message without records may be followed by
 * one that looks the same. */
static int sequence_is_duplicate(const nfl__sequence *sequence, uint32_t number, const nfl__numbered *datagram)
{
    uint32_t distance = sequence_head(sequence) - number;
    if (distance > datagram->furthest || (distance == 0 && sequence->known))
        return 0;
    for (unsigned i = 0; i < NFL__SEQUENCE_RECENT; i++)
        if (sequence->seen[i].number == datagram->number && sequence->seen[i].mark == datagram->mark)
            return 1;
    return 0;
}

static void sequence_remember(nfl__sequence *sequence, const nfl__numbered *datagram)
{
    sequence->seen[sequence->next_seen] = (nfl__seen){datagram->number, datagram->mark};
    sequence->next_seen = (uint8_t)((sequence->next_seen + 1) % NFL__SEQUENCE_RECENT);
}

static void sequence_step(nfl__sequence *sequence, uint32_t number, uint32_t furthest)
{
    uint32_t ahead = number - sequence->expected;
    if (sequence->known && ahead == 0)
        return;
    if (!sequence->known || number == sequence->last)
        sequence_resume(sequence, number,
                        0); /* nothing to compare with, or an exporter that does not count */
    else if (ahead > furthest)
        sequence_resume(sequence, number, 1);
    else if (ahead)
        sequence_open_gap(sequence, sequence->expected, ahead);
}

/* Take the number of the current datagram in; `number` is what it begins with. */
static void sequence_enter(nfl__sequence *sequence, uint32_t number, int restarted)
{
    const nfl__numbered *datagram = &sequence->begun;
    if (!sequence->started || restarted)
        sequence_resume(sequence, number, sequence->started);
    else if (sequence_is_duplicate(sequence, number, datagram))
        sequence->duplicate = sequence->late = 1;
    else if (sequence_is_late(sequence, number, datagram))
        sequence->late = 1;
    else
        sequence_step(sequence, number, datagram->furthest);
    sequence->started = 1;
    if (sequence->duplicate) {
        sequence->duplicates++;
        return;
    }
    sequence_remember(sequence, datagram);
    if (sequence->late) {
        sequence->late_count++;
    } else {
        sequence->last = number;
        sequence->seconds = datagram->seconds;
    }
}

void nfl__sequence_begin(nfl__sequence *sequence, const nfl__numbered *datagram, int restarted)
{
    sequence->late = 0;
    sequence->duplicate = 0;
    sequence->was_known = sequence->known;
    sequence->begun = *datagram;
    if (sequence->numbering != NFL__NUMBERING_INCLUDED)
        sequence_enter(sequence, datagram->number, restarted);
    sequence->known = 0; /* until the end of the datagram is reached */
}

/* Has the candidate enough signs to be assumed? `fits` is a mask of numberings. */
static void sequence_weigh(nfl__sequence *sequence, unsigned fits)
{
    if (!(fits >> sequence->candidate & 1) || sequence->candidate == sequence->numbering)
        sequence->signs = 0;
    if (fits >> sequence->numbering & 1)
        return;
    for (uint8_t i = 0; !sequence->signs && i < NFL__NUMBERING_COUNT; i++)
        if (fits >> i & 1) {
            sequence->candidate = i;
            break;
        }
    if (!(fits >> sequence->candidate & 1) || ++sequence->signs < NFL__SEQUENCE_SIGNS)
        return;
    sequence->numbering = sequence->candidate;
    sequence->signs = 0;
}

static void sequence_judge(nfl__sequence *sequence, uint32_t number, uint32_t count, int known)
{
    uint32_t difference = number - sequence->before;
    if (sequence->before_known && known)
        sequence_weigh(sequence, (unsigned)(difference == sequence->before_count) << NFL__NUMBERING_BEFORE |
                                     (unsigned)(difference == count) << NFL__NUMBERING_INCLUDED |
                                     (unsigned)(difference == 1) << NFL__NUMBERING_MESSAGES);
    sequence->before = number;
    sequence->before_count = count;
    sequence->before_known = (uint8_t)known;
}

void nfl__sequence_end(nfl__sequence *sequence, uint32_t count, int known)
{
    uint32_t number = sequence->begun.number, first = number, records = count;
    int records_known = known;
    if (sequence->numbering == NFL__NUMBERING_INCLUDED) {
        first = known ? number - count : number;
        sequence->known = sequence->was_known;
        sequence_enter(sequence, first, 0);
    } else if (sequence->numbering == NFL__NUMBERING_MESSAGES) {
        count = 1;
        known = 1;
    }
    if (!sequence->duplicate)
        sequence_judge(sequence, number, records, records_known);
    if (sequence->late) {
        sequence->known = sequence->was_known;
        if (known && !sequence->duplicate)
            sequence_fill_gap(sequence, first, count);
        return;
    }
    sequence->expected = first + count;
    sequence->known = (uint8_t)known;
}

int nfl__boot_note(nfl__boot *boot, int64_t export_ms, uint32_t uptime_ms, uint32_t width_ms)
{
    int64_t earliest = export_ms - (int64_t)uptime_ms, latest = earliest + width_ms;
    int went_back = boot->known && (int32_t)(uptime_ms - boot->uptime_ms) < 0;
    int restarted = went_back && earliest > boot->latest_ms + 5000;
    if (!boot->known || earliest > boot->latest_ms || latest < boot->earliest_ms) {
        boot->earliest_ms = earliest;
        boot->latest_ms = latest;
    } else {
        boot->earliest_ms = earliest > boot->earliest_ms ? earliest : boot->earliest_ms;
        boot->latest_ms = latest < boot->latest_ms ? latest : boot->latest_ms;
    }
    boot->known = 1;
    boot->uptime_ms = uptime_ms;
    return restarted;
}

/* Capture files: framing of pcap and pcapng. What is in a frame is the business of frame.h.
 *
 * Input comes in any split. An item (file header, packet, block) that lies in one piece in what was fed is
 * read in place; one that is cut in two is gathered in `kept` first. `kept` is grown by nfl_pcap_feed(), up to
 * the longest item, so that reading never fails for want of memory because of a split.
 *
 * Formats: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ and draft-ietf-opsawg-pcapng.
 */
#include <netflow/pcap.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/opts.h"
#include "base/rd.h"
#include "wire/fragment.h"
#include "wire/frame.h"

#define PCAP_MAX_INTERFACES 4096

enum {
    PCAP_MAX_PACKET = 256 * 1024, /* libpcap's limit too */
    PCAP_MAX_ITEM = PCAP_MAX_PACKET + 4096, /* with headers and the options of a block */

    PCAP_HEADER_LEN = 24,
    PCAP_PACKET_HEADER_LEN = 16,
    PCAP_BLOCK_HEADER_LEN = 8,
    PCAP_BLOCK_MIN_LEN = 12,
    PCAP_SECTION_MIN_LEN = 28,

    PCAP_BLOCK_INTERFACE = 1,
    PCAP_BLOCK_OBSOLETE_PACKET = 2,
    PCAP_BLOCK_SIMPLE_PACKET = 3,
    PCAP_BLOCK_ENHANCED_PACKET = 6,

    PCAP_OPTION_TSRESOL = 9,
    PCAP_OPTION_TSOFFSET = 14
};

#define PCAP_BLOCK_SECTION 0x0a0d0d0au
#define PCAP_BYTE_ORDER_MAGIC 0x1a2b3c4du
#define PCAP_MAGIC_MICROSECONDS 0xa1b2c3d4u
#define PCAP_MAGIC_NANOSECONDS 0xa1b23c4du

typedef struct pcap_interface {
    uint64_t ticks_per_second; /* 0: a resolution we cannot tell times in */
    int64_t offset_s;
    uint32_t link_type;
    uint32_t snap_len;
} pcap_interface;

typedef enum pcap_format { PCAP_UNKNOWN, PCAP_CLASSIC, PCAP_NG } pcap_format;

struct nfl_pcap {
    nfl__memory memory;

    const uint8_t *input; /* fed and not used up */
    size_t input_len;
    uint8_t *kept; /* first part of an item */
    size_t kept_len;
    size_t kept_cap;
    uint64_t skip; /* bytes to pass over */
    int ended;     /* no more will be fed */
    int finished;  /* NFL_DONE or an error was returned */

    pcap_format format;
    int little; /* byte order of file or section */
    pcap_interface *interfaces; /* classic: one */
    size_t interface_count;
    size_t interface_cap;

    nfl__fragments fragments;
    nfl_datagram datagram;
    nfl_pcap_stats stats;
};

/* One captured packet, whatever the format. Without an interface it is of no use. */
typedef struct pcap_packet {
    const pcap_interface *interface;
    const uint8_t *data;
    size_t len;
    nfl_usec time_us;
} pcap_packet;

nfl_status nfl_pcap_new(const nfl_alloc *alloc, nfl_pcap **out, nfl_error *err)
{
    nfl__memory memory;
    nfl__memory_init(&memory, alloc, 0);
    nfl_pcap *pcap = nfl__new(&memory, 1, sizeof *pcap);
    if (!pcap)
        return nfl__fail_nomem(err, sizeof *pcap);
    pcap->memory = memory;
    nfl__fragments_init(&pcap->fragments, &pcap->memory);
    *out = pcap;
    return NFL_OK;
}

void nfl_pcap_free(nfl_pcap *pcap)
{
    if (!pcap)
        return;
    nfl__fragments_done(&pcap->fragments);
    nfl__delete(&pcap->memory, pcap->interfaces, pcap->interface_cap, sizeof *pcap->interfaces);
    nfl__delete(&pcap->memory, pcap->kept, pcap->kept_cap, 1);
    nfl__memory memory = pcap->memory;
    nfl__delete(&memory, pcap, 1, sizeof *pcap);
}

nfl_status nfl_pcap_feed(nfl_pcap *pcap, const void *data, size_t len, nfl_error *err)
{
    if (pcap->input_len || pcap->ended)
        return nfl__fail(err, NFL_E_STATE, NFL_NO_OFFSET,
                         pcap->ended ? "feed after the end of the capture" : "%zu bytes fed before are not used up",
                         pcap->input_len);
    size_t need = len < PCAP_MAX_ITEM - pcap->kept_len ? pcap->kept_len + len : PCAP_MAX_ITEM;
    if (!nfl__grow(&pcap->memory, (void **)&pcap->kept, &pcap->kept_cap, need, 1))
        return nfl__fail_nomem(err, need);
    pcap->input = data;
    pcap->input_len = len;
    pcap->ended = len == 0;
    return NFL_OK;
}

/* Input: peek at the next bytes, then consume what was peeked at. */

static void pcap_advance(nfl_pcap *pcap, size_t n)
{
    pcap->input += n;
    pcap->input_len -= n;
}

/* The next n bytes in one piece; NULL when they have not all been fed (what is there has been kept). */
static const uint8_t *pcap_peek(nfl_pcap *pcap, size_t n)
{
    nfl__assert(n <= PCAP_MAX_ITEM);
    if (pcap->kept_len >= n)
        return pcap->kept;
    if (pcap->kept_len == 0 && n <= pcap->input_len)
        return pcap->input;
    size_t more = n - pcap->kept_len;
    if (more > pcap->input_len)
        more = pcap->input_len;
    if (more) {
        memcpy(pcap->kept + pcap->kept_len, pcap->input, more);
        pcap_advance(pcap, more);
        pcap->kept_len += more;
    }
    return pcap->kept_len == n ? pcap->kept : NULL;
}

/* Consumes the n bytes last peeked at. They stay where they are until the next call from outside. */
static void pcap_consume(nfl_pcap *pcap, size_t n)
{
    nfl__assert(pcap->kept_len == 0 || pcap->kept_len == n);
    if (pcap->kept_len)
        pcap->kept_len = 0;
    else
        pcap_advance(pcap, n);
    pcap->stats.bytes += n;
}

/* Passes over what is to be skipped; returns 0 if more must be fed for that. */
static int pcap_skip(nfl_pcap *pcap)
{
    size_t n = pcap->skip < pcap->input_len ? (size_t)pcap->skip : pcap->input_len;
    if (n)
        pcap_advance(pcap, n);
    pcap->skip -= n;
    pcap->stats.bytes += n;
    return pcap->skip == 0;
}

static uint16_t pcap_u16(const nfl_pcap *pcap, nfl__rd *rd)
{
    return pcap->little ? nfl__rd_u16_le(rd) : nfl__rd_u16(rd);
}

static uint32_t pcap_u32(const nfl_pcap *pcap, nfl__rd *rd)
{
    return pcap->little ? nfl__rd_u32_le(rd) : nfl__rd_u32(rd);
}

/* Interfaces and their clocks. */

/* Adds an interface; those beyond the limit are not kept, their packets count as "other". */
static nfl_status pcap_add_interface(nfl_pcap *pcap, const pcap_interface *interface, nfl_error *err)
{
    size_t count = pcap->interface_count;
    if (count >= PCAP_MAX_INTERFACES)
        return NFL_OK;
    if (!nfl__grow(&pcap->memory, (void **)&pcap->interfaces, &pcap->interface_cap, count + 1,
                   sizeof *pcap->interfaces))
        return nfl__fail_nomem(err, sizeof *pcap->interfaces);
    pcap->interfaces[count] = *interface;
    pcap->interface_count = count + 1;
    return NFL_OK;
}

/* if_tsresol: a negative power of 10, or of 2 if the highest bit is set. 0 if 64 bits do not hold it. */
static uint64_t pcap_ticks_per_second(uint8_t resolution)
{
    unsigned exponent = resolution & 0x7f;
    if (resolution & 0x80)
        return exponent < 64 ? UINT64_C(1) << exponent : 0;
    uint64_t ticks = 1;
    for (unsigned i = 0; i < exponent; i++)
        if (__builtin_mul_overflow(ticks, 10, &ticks))
            return 0;
    return ticks;
}

/* Microseconds since 1970; 0 (unknown) if they cannot be told. */
static nfl_usec pcap_time(const pcap_interface *interface, uint64_t ticks)
{
    const uint64_t million = 1000000;
    uint64_t per_second = interface->ticks_per_second;
    if (per_second == 0)
        return 0;
    uint64_t rest = ticks % per_second, micros;
    if (per_second <= UINT64_MAX / million)
        micros = rest * million / per_second;
    else
        micros = rest / (per_second / million);
    if (micros >= million)
        micros = million - 1; /* per_second is no multiple of a million */
    int64_t seconds, time_us;
    if (__builtin_add_overflow(ticks / per_second, interface->offset_s, &seconds) ||
        __builtin_mul_overflow(seconds, (int64_t)million, &time_us) ||
        __builtin_add_overflow(time_us, (int64_t)micros, &time_us))
        return 0;
    return time_us;
}

/* Packets: each function consumes one item and sets *packet, or leaves packet->data NULL. NFL_PENDING: feed. */

static nfl_status pcap_fail(const nfl_pcap *pcap, nfl_error *err, const char *what, uint64_t found)
{
    return nfl__fail(err, NFL_E_FORMAT, pcap->stats.bytes, "byte %llu of the capture: %s %llu",
                     (unsigned long long)pcap->stats.bytes, what, (unsigned long long)found);
}

static nfl_status pcap_next_classic(nfl_pcap *pcap, pcap_packet *packet, nfl_error *err)
{
    const uint8_t *bytes = pcap_peek(pcap, PCAP_PACKET_HEADER_LEN);
    if (!bytes)
        return NFL_PENDING;
    nfl__rd rd = nfl__rd_make(bytes, PCAP_PACKET_HEADER_LEN);
    uint32_t seconds = pcap_u32(pcap, &rd), fraction = pcap_u32(pcap, &rd), len = pcap_u32(pcap, &rd);
    if (len > PCAP_MAX_PACKET)
        return pcap_fail(pcap, err, "packet longer than 256 KiB:", len);
    bytes = pcap_peek(pcap, PCAP_PACKET_HEADER_LEN + (size_t)len);
    if (!bytes)
        return NFL_PENDING;
    const pcap_interface *interface = pcap->interfaces;
    rd = nfl__rd_make(bytes, PCAP_PACKET_HEADER_LEN + (size_t)len);
    nfl__rd_skip(&rd, PCAP_PACKET_HEADER_LEN);
    packet->interface = interface;
    packet->len = len;
    packet->data = nfl__rd_bytes(&rd, len);
    packet->time_us = pcap_time(interface, seconds * interface->ticks_per_second + fraction);
    pcap_consume(pcap, PCAP_PACKET_HEADER_LEN + (size_t)len);
    return NFL_OK;
}

static void pcap_read_interface_options(const nfl_pcap *pcap, nfl__rd *rd, pcap_interface *interface)
{
    while (nfl__rd_left(rd) >= 4) {
        uint16_t code = pcap_u16(pcap, rd), len = pcap_u16(pcap, rd);
        nfl__rd value = nfl__rd_sub(rd, len);
        nfl__rd_skip(rd, (4u - len % 4u) % 4u);
        if (code == 0)
            return;
        if (code == PCAP_OPTION_TSRESOL && len == 1)
            interface->ticks_per_second = pcap_ticks_per_second(nfl__rd_u8(&value));
        if (code == PCAP_OPTION_TSOFFSET && len == 8)
            interface->offset_s = (int64_t)(pcap->little ? nfl__rd_u64_le(&value) : nfl__rd_u64(&value));
    }
}

static nfl_status pcap_read_interface(nfl_pcap *pcap, nfl__rd *body, nfl_error *err)
{
    pcap_interface interface = {.ticks_per_second = 1000000};
    interface.link_type = pcap_u16(pcap, body);
    nfl__rd_skip(body, 2);
    interface.snap_len = pcap_u32(pcap, body);
    if (body->failed)
        return pcap_fail(pcap, err, "interface block without its fields, body length", nfl__rd_offset(body));
    pcap_read_interface_options(pcap, body, &interface);
    return pcap_add_interface(pcap, &interface, err);
}

/* Enhanced and obsolete packet blocks differ in the width of the interface number only. */
static void pcap_read_packet(nfl_pcap *pcap, uint32_t type, nfl__rd *body, pcap_packet *packet)
{
    uint32_t number;
    if (type == PCAP_BLOCK_ENHANCED_PACKET) {
        number = pcap_u32(pcap, body);
    } else {
        number = pcap_u16(pcap, body);
        nfl__rd_skip(body, 2);
    }
    uint64_t ticks = (uint64_t)pcap_u32(pcap, body) << 32;
    ticks |= pcap_u32(pcap, body);
    packet->len = pcap_u32(pcap, body);
    nfl__rd_skip(body, 4);
    packet->data = nfl__rd_bytes(body, packet->len);
    if (!body->failed && number < pcap->interface_count) {
        packet->interface = &pcap->interfaces[number];
        packet->time_us = pcap_time(packet->interface, ticks);
    }
}

/* A simple packet block has no time, no captured length, and belongs to the first interface. */
static void pcap_read_simple_packet(nfl_pcap *pcap, nfl__rd *body, pcap_packet *packet)
{
    packet->len = pcap_u32(pcap, body);
    if (pcap->interface_count == 0)
        return;
    uint32_t snap_len = pcap->interfaces->snap_len;
    if (snap_len && packet->len > snap_len)
        packet->len = snap_len;
    packet->data = nfl__rd_bytes(body, packet->len);
    packet->interface = packet->data ? pcap->interfaces : NULL;
}

static int pcap_is_packet_block(uint32_t type)
{
    return type == PCAP_BLOCK_ENHANCED_PACKET || type == PCAP_BLOCK_OBSOLETE_PACKET ||
           type == PCAP_BLOCK_SIMPLE_PACKET;
}

static nfl_status pcap_read_block(nfl_pcap *pcap, uint32_t type, nfl__rd *body, pcap_packet *packet, nfl_error *err)
{
    if (type == PCAP_BLOCK_SECTION) {
        pcap->interface_count = 0;
        return NFL_OK;
    }
    if (type == PCAP_BLOCK_INTERFACE)
        return pcap_read_interface(pcap, body, err);
    if (!pcap_is_packet_block(type))
        return NFL_OK;
    if (type == PCAP_BLOCK_SIMPLE_PACKET)
        pcap_read_simple_packet(pcap, body, packet);
    else
        pcap_read_packet(pcap, type, body, packet);
    if (!packet->interface) {
        packet->data = NULL;
        pcap->stats.packets++;
        pcap->stats.cut += (uint64_t)body->failed;
        pcap->stats.other += (uint64_t)!body->failed;
    }
    return NFL_OK;
}

/* A section header says in which byte order its section is; it comes before anything else. */
static nfl_status pcap_read_byte_order(nfl_pcap *pcap, nfl_error *err)
{
    const uint8_t *bytes = pcap_peek(pcap, PCAP_BLOCK_HEADER_LEN + 4);
    if (!bytes)
        return NFL_PENDING;
    nfl__rd rd = nfl__rd_make(bytes, PCAP_BLOCK_HEADER_LEN + 4);
    nfl__rd_skip(&rd, PCAP_BLOCK_HEADER_LEN);
    uint32_t magic = nfl__rd_u32(&rd);
    if (magic != PCAP_BYTE_ORDER_MAGIC && magic != __builtin_bswap32(PCAP_BYTE_ORDER_MAGIC))
        return pcap_fail(pcap, err, "unknown byte order magic", magic);
    pcap->little = magic != PCAP_BYTE_ORDER_MAGIC;
    return NFL_OK;
}

static nfl_status pcap_check_block(const nfl_pcap *pcap, uint32_t type, uint32_t len, nfl_error *err)
{
    uint32_t least = type == PCAP_BLOCK_SECTION ? PCAP_SECTION_MIN_LEN : PCAP_BLOCK_MIN_LEN;
    if (len < least || len % 4)
        return pcap_fail(pcap, err, "bad block length", len);
    if (len > PCAP_MAX_ITEM && (type == PCAP_BLOCK_SECTION || type == PCAP_BLOCK_INTERFACE))
        return pcap_fail(pcap, err, "section or interface block longer than 260 KiB:", len);
    return NFL_OK;
}

static nfl_status pcap_next_block(nfl_pcap *pcap, pcap_packet *packet, nfl_error *err)
{
    const uint8_t *bytes = pcap_peek(pcap, PCAP_BLOCK_HEADER_LEN);
    if (!bytes)
        return NFL_PENDING;
    /* The type of a section header reads the same in both byte orders. */
    nfl__rd rd = nfl__rd_make(bytes, PCAP_BLOCK_HEADER_LEN);
    uint32_t type = pcap_u32(pcap, &rd);
    if (type == PCAP_BLOCK_SECTION) {
        nfl_status status = pcap_read_byte_order(pcap, err);
        if (status != NFL_OK)
            return status;
    }
    uint32_t len = pcap_u32(pcap, &rd);
    NFL_TRY(pcap_check_block(pcap, type, len, err));
    if (len > PCAP_MAX_ITEM) {
        pcap->stats.packets += (uint64_t)pcap_is_packet_block(type);
        pcap->stats.cut += (uint64_t)pcap_is_packet_block(type);
        pcap_consume(pcap, PCAP_BLOCK_HEADER_LEN);
        pcap->skip = len - PCAP_BLOCK_HEADER_LEN;
        return NFL_OK;
    }
    bytes = pcap_peek(pcap, len);
    if (!bytes)
        return NFL_PENDING;
    rd = nfl__rd_make(bytes, len);
    nfl__rd_skip(&rd, PCAP_BLOCK_HEADER_LEN);
    nfl__rd body = nfl__rd_sub(&rd, len - PCAP_BLOCK_MIN_LEN);
    uint32_t len_again = pcap_u32(pcap, &rd);
    if (len_again != len)
        return pcap_fail(pcap, err, "block lengths before and behind differ, behind:", len_again);
    NFL_TRY(pcap_read_block(pcap, type, &body, packet, err));
    pcap_consume(pcap, len);
    return NFL_OK;
}

/* Classic file header: both byte orders, micro- and nanoseconds. */
static nfl_status pcap_read_header(nfl_pcap *pcap, uint32_t magic, nfl_error *err)
{
    const uint8_t *bytes = pcap_peek(pcap, PCAP_HEADER_LEN);
    if (!bytes)
        return NFL_PENDING;
    nfl__rd rd = nfl__rd_make(bytes, PCAP_HEADER_LEN);
    nfl__rd_skip(&rd, 16);
    pcap_interface interface = {.snap_len = pcap_u32(pcap, &rd)};
    interface.link_type = pcap_u32(pcap, &rd) & 0xffff; /* above: length of the frame check sequence */
    interface.ticks_per_second = magic == PCAP_MAGIC_NANOSECONDS ? 1000000000 : 1000000;
    NFL_TRY(pcap_add_interface(pcap, &interface, err));
    pcap->format = PCAP_CLASSIC;
    pcap_consume(pcap, PCAP_HEADER_LEN);
    return NFL_OK;
}

static nfl_status pcap_detect(nfl_pcap *pcap, nfl_error *err)
{
    const uint8_t *bytes = pcap_peek(pcap, 4);
    if (!bytes)
        return NFL_PENDING;
    uint32_t magic = nfl__load_be32(bytes);
    if (magic == PCAP_BLOCK_SECTION) {
        pcap->format = PCAP_NG;
        return NFL_OK;
    }
    pcap->little = magic != PCAP_MAGIC_MICROSECONDS && magic != PCAP_MAGIC_NANOSECONDS;
    if (pcap->little)
        magic = nfl__load_le32(bytes);
    if (magic != PCAP_MAGIC_MICROSECONDS && magic != PCAP_MAGIC_NANOSECONDS)
        return nfl__fail(err, NFL_E_FORMAT, 0, "not a capture: starts with %02x%02x%02x%02x", bytes[0], bytes[1],
                         bytes[2], bytes[3]);
    return pcap_read_header(pcap, magic, err);
}

/* One step forward in the file. */
static nfl_status pcap_step(nfl_pcap *pcap, pcap_packet *packet, nfl_error *err)
{
    if (!pcap_skip(pcap))
        return NFL_PENDING;
    switch (pcap->format) {
    case PCAP_CLASSIC:
        return pcap_next_classic(pcap, packet, err);
    case PCAP_NG:
        return pcap_next_block(pcap, packet, err);
    default:
        return pcap_detect(pcap, err);
    }
}

/* Looks into a packet. NFL_OK: pcap->datagram is set. NFL_PENDING: there is none in it. */
static nfl_status pcap_open_packet(nfl_pcap *pcap, const pcap_packet *packet, nfl_error *err)
{
    nfl__frame ip;
    nfl__frame_kind kind = nfl__frame_read(packet->interface->link_type, packet->data, packet->len, &ip);
    pcap->stats.packets++;
    if (kind == NFL__FRAME_FRAGMENT) {
        nfl_status status = nfl__fragments_add(&pcap->fragments, &ip, packet->time_us);
        if (status < 0)
            return nfl__fail(err, status, NFL_NO_OFFSET, "out of memory for fragments");
        if (status == NFL_PENDING)
            return NFL_PENDING;
        kind = NFL__FRAME_WHOLE;
    }
    if (kind == NFL__FRAME_WHOLE)
        kind = nfl__frame_udp(&ip, &pcap->datagram);
    pcap->stats.cut += kind == NFL__FRAME_CUT;
    pcap->stats.other += kind == NFL__FRAME_OTHER;
    pcap->stats.datagrams += kind == NFL__FRAME_WHOLE;
    pcap->datagram.time_us = packet->time_us;
    return kind == NFL__FRAME_WHOLE ? NFL_OK : NFL_PENDING;
}

static nfl_status pcap_finish(nfl_pcap *pcap, nfl_error *err)
{
    uint64_t at = pcap->stats.bytes;
    nfl__fragments_flush(&pcap->fragments);
    if (pcap->format == PCAP_UNKNOWN && at == 0 && pcap->kept_len < 4)
        return nfl__fail(err, NFL_E_FORMAT, 0, "not a capture: %zu bytes", pcap->kept_len);
    if (pcap->kept_len || pcap->skip || pcap->format == PCAP_UNKNOWN)
        return nfl__fail(err, NFL_E_TRUNCATED, at, "the capture ends inside the item that starts at byte %llu",
                         (unsigned long long)at);
    return NFL_DONE;
}

nfl_status nfl_pcap_next(nfl_pcap *pcap, const nfl_datagram **out, nfl_error *err)
{
    if (pcap->finished)
        return NFL_DONE;
    nfl_status status;
    do {
        pcap_packet packet = {0};
        status = pcap_step(pcap, &packet, err);
        if (status != NFL_OK)
            break;
        status = packet.data ? pcap_open_packet(pcap, &packet, err) : NFL_PENDING;
        if (status == NFL_OK)
            *out = &pcap->datagram;
    } while (status == NFL_PENDING);
    if (status == NFL_PENDING && pcap->ended)
        status = pcap_finish(pcap, err);
    if (status == NFL_DONE || status < 0) {
        pcap->finished = pcap->ended = 1;
        pcap->input_len = 0;
    }
    return status;
}

void nfl_pcap_get_stats(const nfl_pcap *pcap, nfl_pcap_stats *out)
{
    nfl_pcap_stats stats = pcap->stats;
    stats.fragments = pcap->fragments.lost;
    (void)nfl__opts_write(out, &stats, sizeof stats);
}

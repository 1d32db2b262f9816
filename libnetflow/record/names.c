/* Names of protocols, services and applications.
 *
 * The tables are constants without pointers: names lie in one block of text, rows hold offsets into it. Rows of
 * services are sorted by port; of several names of a port and transport the first is printed, the others (marked
 * as aliases) are only understood. Printed names are unique, so that text written by nfl_app_format() is read back
 * by nfl_app_find(). By number: O(log n) among the 256 ports of a page. By name: O(n), for texts people type.
 */
#include <netflow/flow.h>

#include "record/text.h"

#include <stdio.h>

typedef struct proto_row {
    uint8_t number;
    uint16_t name; /* offset in proto_names */
} proto_row;

typedef struct service_row {
    uint16_t port;
    uint16_t name; /* offset in service_names */
    uint8_t name_len;
    uint8_t bits; /* 1 << transport for each, main transport << 4, SERVICE_ALIAS */
} service_row;

enum { SERVICE_TRANSPORTS = 0x0f, SERVICE_MAIN_SHIFT = 4, SERVICE_MAIN_MASK = 3, SERVICE_ALIAS = 0x80 };

/* IP protocols by number of transport: TCP, UDP, SCTP, DCCP. */
static const uint8_t service_protos[4] = {6, 17, 132, 33};

#include "record/services_table.inc"

enum {
    PROTO_ROWS = sizeof proto_rows / sizeof *proto_rows,
    PROTO_ALIASES = sizeof proto_aliases / sizeof *proto_aliases,
    SERVICE_ROWS = sizeof service_rows / sizeof *service_rows
};

static const char *proto_text(const proto_row *row)
{
    return (const char *)&proto_names + row->name;
}

static const char *service_text(const service_row *row)
{
    return (const char *)&service_names + row->name;
}

const char *nfl_proto_name(uint8_t proto)
{
    size_t low = 0, high = PROTO_ROWS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (proto_rows[middle].number < proto)
            low = middle + 1;
        else
            high = middle;
    }
    return low < PROTO_ROWS && proto_rows[low].number == proto ? proto_text(&proto_rows[low]) : NULL;
}

int32_t nfl_proto_find(const char *name, size_t len)
{
    for (size_t i = 0; i < PROTO_ROWS; i++) {
        if (nfl__text_is(proto_text(&proto_rows[i]), name, len))
            return proto_rows[i].number;
    }
    for (size_t i = 0; i < PROTO_ALIASES; i++) {
        if (nfl__text_is(proto_text(&proto_aliases[i]), name, len))
            return proto_aliases[i].number;
    }
    return -1;
}

/* Bit of the transport in service_row.bits, 0 if the protocol has no ports. RFC 3828 8: UDP-Lite uses the ports
 * registered for UDP. */
static unsigned service_bit(uint8_t proto)
{
    uint8_t registry = proto == 136 ? 17 : proto;
    for (unsigned i = 0; i < sizeof service_protos; i++) {
        if (service_protos[i] == registry)
            return 1u << i;
    }
    return 0;
}

/* The row that names a port of a transport, NULL if it is not registered. */
static const service_row *service_find_port(unsigned bit, uint16_t port)
{
    size_t low = service_pages[port >> 8], high = service_pages[(port >> 8) + 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (service_rows[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < SERVICE_ROWS && service_rows[low].port == port; low++) {
        if ((service_rows[low].bits & bit) && !(service_rows[low].bits & SERVICE_ALIAS))
            return &service_rows[low];
    }
    return NULL;
}

/* The row of a name among the transports in bits: printed names before aliases. */
static const service_row *service_find_name(unsigned bits, const char *name, size_t len)
{
    const service_row *alias = NULL;
    for (const service_row *row = service_rows; row < service_rows + SERVICE_ROWS; row++) {
        if (row->name_len != len || !(row->bits & bits) || !nfl__text_is(service_text(row), name, len))
            continue;
        if (!(row->bits & SERVICE_ALIAS))
            return row;
        if (!alias)
            alias = row;
    }
    return alias;
}

const char *nfl_service_name(uint8_t proto, uint16_t port)
{
    const service_row *row = service_find_port(service_bit(proto), port);
    return row ? service_text(row) : NULL;
}

int32_t nfl_service_find(uint8_t proto, const char *name, size_t len)
{
    const service_row *row = service_find_name(proto ? service_bit(proto) : SERVICE_TRANSPORTS, name, len);
    return row ? row->port : -1;
}

/* --- applications --- */

/* Which of two ports is the server's: 2 registered below 1024, 1 registered, 0 neither. */
static unsigned app_rank(unsigned bit, uint16_t port)
{
    if (!service_find_port(bit, port))
        return 0;
    return port < 1024 ? 2 : 1;
}

uint32_t nfl_app_of(uint8_t proto, uint16_t src_port, uint16_t dst_port)
{
    unsigned bit = service_bit(proto);
    if (!bit)
        return (uint32_t)proto << 16;
    uint16_t lower = src_port < dst_port ? src_port : dst_port;
    uint16_t higher = src_port < dst_port ? dst_port : src_port;
    unsigned rank = app_rank(bit, lower);
    if (rank < (higher < 1024 ? 2u : 1u) && app_rank(bit, higher) > rank)
        lower = higher;
    return (uint32_t)proto << 16 | lower;
}

static uint8_t service_main_proto(const service_row *row)
{
    return service_protos[row->bits >> SERVICE_MAIN_SHIFT & SERVICE_MAIN_MASK];
}

/* Names of protocols and services are so short that a call of memcpy would take longer. */
static size_t app_append(char *text, size_t len, const char *name)
{
    while (*name)
        text[len++] = *name++;
    return len;
}

/* "https", of a transport that is not the service's main one "dns/tcp", without name "tcp/33001"; of a protocol
 * without ports "icmp", or "rdp/0" where a service has the same name. */
size_t nfl_app_format(uint32_t app, char *dst, size_t cap)
{
    uint8_t proto = (uint8_t)(app >> 16);
    uint16_t port = (uint16_t)app;
    const service_row *service = service_find_port(service_bit(proto), port);
    const char *proto_name = nfl_proto_name(proto);
    char number[4], text[NFL_VALUE_TEXT_SIZE];
    size_t len = 0;
    if (!proto_name) {
        number[nfl__text_number(number, proto, 1)] = 0;
        proto_name = number;
    }
    if (service)
        len = app_append(text, len, service_text(service));
    if (!service || service_main_proto(service) != proto) {
        if (service)
            text[len++] = '/';
        len = app_append(text, len, proto_name);
    }
    if (!service && (port || proto_name == number || service_find_name(SERVICE_TRANSPORTS, proto_name, strlen(proto_name)))) {
        text[len++] = '/';
        len += nfl__text_number(text + len, port, 1);
    }
    return nfl__text_copy(dst, cap, text, len);
}

/* A decimal number 0..most that fills the text, or -1. */
static int32_t app_number(const char *text, size_t len, int32_t most)
{
    int32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || value > most)
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return len == 0 || value > most ? -1 : value;
}

/* "tcp/8443", "253/0", "dns/tcp". */
static uint32_t app_find_pair(const char *left, size_t left_len, const char *right, size_t right_len)
{
    int32_t port = app_number(right, right_len, UINT16_MAX);
    int32_t proto = port >= 0 ? nfl_proto_find(left, left_len) : nfl_proto_find(right, right_len);
    if (port >= 0 && proto < 0)
        proto = app_number(left, left_len, UINT8_MAX);
    if (port < 0 && proto > 0)
        port = nfl_service_find((uint8_t)proto, left, left_len);
    return proto < 0 || port < 0 ? 0 : (uint32_t)proto << 16 | (uint32_t)port;
}

uint32_t nfl_app_find(const char *name, size_t len)
{
    const service_row *service = service_find_name(SERVICE_TRANSPORTS, name, len);
    if (service)
        return (uint32_t)service_main_proto(service) << 16 | service->port;
    int32_t proto = nfl_proto_find(name, len);
    if (proto >= 0)
        return (uint32_t)proto << 16;
    size_t slash = len;
    while (slash > 0 && name[slash - 1] != '/')
        slash--;
    return slash ? app_find_pair(name, slash - 1, name + slash, len - slash) : 0;
}

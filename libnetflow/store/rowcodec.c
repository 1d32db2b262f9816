#include "store/rowcodec.h"

#include "base/wr.h"
#include "record/fields.h"
#include "store/columns.h"

static uint64_t rowcodec_zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t rowcodec_unzigzag(uint64_t value)
{
    return value >> 1 ^ (value & 1 ? UINT64_MAX : 0);
}

/* What a time is told relative to; 0 for other fields. */
static uint64_t rowcodec_base(const nfl_flow *flow, uint32_t field, nfl_usec received_us)
{
    switch (field) {
    case NFL_FIELD_RECEIVED:
        return (uint64_t)received_us;
    case NFL_FIELD_FIRST:
        return (uint64_t)flow->received_us;
    case NFL_FIELD_LAST:
        return (uint64_t)flow->first_us;
    default:
        return 0;
    }
}

static void rowcodec_write_ip(nfl__wr *wr, const nfl_ip *ip)
{
    size_t len = nfl_ip_is_v4(ip) ? 4 : 16;
    nfl__wr_u8(wr, (uint8_t)len);
    nfl__wr_bytes(wr, ip->b + 16 - len, len);
}

static void rowcodec_write_field(nfl__wr *wr, const nfl_flow *flow, uint32_t field, nfl_usec received_us)
{
    if (nfl__field_slots[field].type == NFL_TYPE_IP)
        rowcodec_write_ip(wr, nfl__flow_at(flow, field));
    else if (nfl__field_slots[field].type == NFL_TYPE_TIME)
        nfl__wr_varint(wr, rowcodec_zigzag(nfl__flow_u64(flow, field) - rowcodec_base(flow, field, received_us)));
    else
        nfl__wr_varint(wr, nfl__flow_u64(flow, field));
}

/* Received before first before last: each is told relative to the one before. */
#define ROWCODEC_TIMES (NFL_HAS(NFL_FIELD_RECEIVED) | NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST))

size_t nfl__row_write(const nfl_flow *flow, nfl_usec *received_us, uint8_t *dst)
{
    nfl__wr wr = nfl__wr_make(dst, NFL__ROW_BYTES_MAX);
    uint64_t sent = flow->present & NFL__FIELDS_STORED, held = sent | NFL__FIELDS_ALWAYS;
    nfl__wr_varint(&wr, held);
    nfl__wr_varint(&wr, held ^ sent);
    rowcodec_write_field(&wr, flow, NFL_FIELD_RECEIVED, *received_us);
    rowcodec_write_field(&wr, flow, NFL_FIELD_FIRST, *received_us);
    if (held & NFL_HAS(NFL_FIELD_LAST))
        rowcodec_write_field(&wr, flow, NFL_FIELD_LAST, *received_us);
    for (uint64_t left = held & ~ROWCODEC_TIMES; left; left &= left - 1)
        rowcodec_write_field(&wr, flow, (uint32_t)__builtin_ctzll(left), *received_us);
    *received_us = flow->received_us;
    return wr.need;
}

static int rowcodec_read_field(nfl__rd *rd, nfl_flow *flow, uint32_t field, nfl_usec received_us)
{
    if (nfl__field_slots[field].type == NFL_TYPE_IP) {
        uint8_t len = nfl__rd_u8(rd);
        const uint8_t *bytes = len == 4 || len == 16 ? nfl__rd_bytes(rd, len) : NULL;
        if (!bytes)
            return 0;
        nfl_ip ip = nfl_ip_from_v4(0);
        memcpy(ip.b + 16 - len, bytes, len);
        memcpy(nfl__flow_slot(flow, field), &ip, sizeof ip);
        return 1;
    }
    uint64_t value = nfl__rd_varint(rd);
    if (nfl__field_slots[field].type == NFL_TYPE_TIME)
        value = rowcodec_unzigzag(value) + rowcodec_base(flow, field, received_us);
    nfl__flow_set_u64(flow, field, value);
    return !rd->failed;
}

int nfl__row_read(nfl__rd *rd, nfl_usec *received_us, nfl_flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->struct_size = sizeof *flow;
    uint64_t held = nfl__rd_varint(rd), unsent = nfl__rd_varint(rd);
    if (rd->failed || (held & ~NFL__FIELDS_STORED) || (~held & NFL__FIELDS_ALWAYS) || (unsent & ~held))
        return 0;
    int good = rowcodec_read_field(rd, flow, NFL_FIELD_RECEIVED, *received_us) &&
               rowcodec_read_field(rd, flow, NFL_FIELD_FIRST, *received_us) &&
               (!(held & NFL_HAS(NFL_FIELD_LAST)) || rowcodec_read_field(rd, flow, NFL_FIELD_LAST, *received_us));
    for (uint64_t left = held & ~ROWCODEC_TIMES; good && left; left &= left - 1)
        good = rowcodec_read_field(rd, flow, (uint32_t)__builtin_ctzll(left), *received_us);
    flow->present = held & ~unsent;
    *received_us = flow->received_us;
    return good;
}

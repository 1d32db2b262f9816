/* The encoder's inside: the datagram being built. encoder.c writes flows, encoder_record.c records of the caller's own
 * templates, encoder_names.c records of ready-made ones; both go through the functions below.
 *
 *   datagram | header | template set? | data set (template a) | data set (template b) | ...
 *
 * One set is open at most; it goes on as long as records of the same template follow. Template ids:
 *
 *   256 to 319  combinations of flow fields    320  sampling    321 to 384  templates of the caller
 *
 * The header is written last, when the datagram is taken.
 */
#ifndef NFL_WIRE_ENCODER_H
#define NFL_WIRE_ENCODER_H

#include <netflow/encoder.h>

#include "base/alloc.h"

enum {
    NFL__ENCODER_TEMPLATES = 64, /* of each kind */
    NFL__ENCODER_FIRST = 256,
    NFL__ENCODER_SAMPLING = NFL__ENCODER_FIRST + NFL__ENCODER_TEMPLATES,
    NFL__ENCODER_FIRST_OWN = NFL__ENCODER_SAMPLING + 1
};

struct nfl__encoder_flow_template;

/* A template of the caller. */
typedef struct nfl__encoder_own {
    nfl_template_field *fields;
    uint32_t count;
    uint32_t scope_count; /* 0 = data template */
    uint32_t min_len;     /* of its records */
    uint32_t size;        /* of its template record */
    uint64_t sent_in;     /* 1 + number of the datagram it was last sent in; 0 = never */
} nfl__encoder_own;

struct nfl_encoder {
    nfl__memory memory;
    nfl_encoder_opts opts;
    uint8_t *data;
    size_t len;              /* 0 = no datagram begun */
    uint32_t records;        /* in this datagram: what the v5 and v9 headers count */
    uint32_t data_records;   /* those that IPFIX counts */
    size_t set_at;           /* where the open set starts; 0 = none */
    uint32_t set_record_len; /* shortest record of the open set */
    uint16_t set_id;
    uint16_t own_count;
    uint32_t sequence;
    uint64_t datagrams;       /* taken */
    uint64_t sampling_sent_in; /* as nfl__encoder_own.sent_in */
    uint32_t template_count;
    uint32_t last_used;
    struct nfl__encoder_flow_template *templates;
    nfl__encoder_own own[NFL__ENCODER_TEMPLATES];
    uint16_t name_templates[NFL_NAME_COUNT]; /* of nfl_encoder_add_name(), by kind; 0 = not defined yet */
};

/* Begin a datagram if none is begun. */
void nfl__encoder_begin(nfl_encoder *encoder, nfl_usec now_us, nfl_usec first_us);

uint8_t *nfl__encoder_room(nfl_encoder *encoder, size_t n);
void nfl__encoder_put(nfl_encoder *encoder, uint64_t value, size_t n);
void nfl__encoder_open_set(nfl_encoder *encoder, uint16_t id, uint32_t record_len);
void nfl__encoder_close_set(nfl_encoder *encoder);
void nfl__encoder_put_element(nfl_encoder *encoder, uint32_t pen, uint32_t id, uint32_t len);

/* Must what was sent in that datagram be sent again? */
int nfl__encoder_is_due(const nfl_encoder *encoder, uint64_t sent_in);

/* Is there room for a record of `id` behind `before` bytes of sets? NFL_OK, NFL_PENDING: take the datagram first, or
 * NFL_E_LIMIT: no datagram has. */
nfl_status nfl__encoder_fits(const nfl_encoder *encoder, uint16_t id, size_t record_len, size_t before, nfl_error *err);

/* encoder_record.c */
void nfl__encoder_free_own(nfl_encoder *encoder);

#endif

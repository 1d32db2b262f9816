/* C side of the bindings: constructors without options structs, owned copies, flat findings. Each function is a
 * few lines over the public API; errors go to *err, which the typemaps turn into exceptions. */
#ifndef NETFLOW_BINDINGS_HELPERS_H
#define NETFLOW_BINDINGS_HELPERS_H

#include <netflow/netflow.h>

#include <stdbool.h>

const char *binding_version(void);
char *binding_field_names(void); /* "first last bytes ...", malloc */
char *binding_app_name(uint32_t app); /* malloc */

nfl_value binding_flow_get(const nfl_flow *flow, const char *field, nfl_error *err);
nfl_status binding_flow_set(nfl_flow *flow, const char *field, const char *text, nfl_error *err);

nfl_parser *binding_parser_new(uint32_t max_templates, nfl_error *err);
nfl_flow *binding_parser_next(nfl_parser *parser); /* owned copy or NULL at the end; bad sets are skipped */
/* What the exporter calls the interface, VRF or application in a field of its flow; borrowed, NULL if it has not told. */
const char *binding_parser_name(const nfl_parser *parser, const nfl_flow *flow, const char *field, nfl_error *err);

/* The same for an encoder to tell; true when added, false when the datagram is full or on errors. */
bool binding_encoder_name(nfl_encoder *encoder, const char *field, uint64_t id, const char *name, nfl_usec now_us,
                          const char *description, nfl_error *err);

/* A capture file with a parser and an optional filter behind it. */
typedef struct binding_reader binding_reader;
binding_reader *binding_reader_new(const char *path, const char *filter, nfl_error *err);
void binding_reader_free(binding_reader *reader);
nfl_flow *binding_reader_next(binding_reader *reader, nfl_error *err);
const char *binding_reader_name(const binding_reader *reader, const nfl_flow *flow, const char *field, nfl_error *err);
uint64_t binding_reader_problems(const binding_reader *reader);

nfl_filter *binding_filter_new(const char *text, nfl_error *err);

nfl_store *binding_store_new(const char *uri, bool create, bool read_only, nfl_error *err);
nfl_status binding_store_compact(nfl_store *store, bool all, nfl_error *err);
nfl_status binding_store_hold(nfl_store *store, const char *name, nfl_usec from_us, nfl_usec to_us, const char *note,
                              nfl_error *err);
uint64_t binding_store_count(nfl_store *store, nfl_error *err);
/* An nfl_filter_list. Its context is a text with all lists, each behind a line "@name"; NULL: there are none. */
nfl_status binding_list(void *ctx, const char *name, const char **text, size_t *len, nfl_error *err);
/* To be freed. */
char *binding_cursor_token(nfl_cursor *cursor, nfl_error *err);
const char *binding_cursor_name(const nfl_cursor *cursor, uint32_t column);
uint64_t binding_cursor_matched(const nfl_cursor *cursor);

nfl_topk *binding_topk_new(uint32_t counters, uint32_t key_len, uint64_t seed, nfl_error *err);
nfl_status binding_topk_add(nfl_topk *topk, const void *key, size_t len, uint64_t weight, nfl_error *err);
typedef struct binding_topk_items {
    nfl_topk_item *items; /* malloc, released by the typemap */
    size_t count;
    size_t key_len;
} binding_topk_items;
binding_topk_items binding_topk_list(const nfl_topk *topk, size_t n);

/* nfl_finding with texts of its own. */
typedef struct binding_finding {
    char *detector, *measure, *attack, *filter, *message, *entity, *peers;
    const char *severity;
    int confidence;
    nfl_usec first_us, last_us, found_us;
    double observed, threshold;
    uint64_t flows;
} binding_finding;
nfl_watch *binding_watch_new(const char *detectors, const char *inside, nfl_error *err);
binding_finding *binding_watch_next(nfl_watch *watch); /* NULL when there is nothing new */
void binding_finding_free(binding_finding *finding);

nfl_encoder *binding_encoder_new(uint32_t version, uint32_t domain, nfl_error *err);
typedef struct binding_bytes {
    const uint8_t *data; /* borrowed; copied by the typemap */
    size_t len;
} binding_bytes;

#endif

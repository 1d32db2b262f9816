/* Python and Lua modules. Everything here is one C call away from include/netflow; what is language business
 * (iterators, keyword arguments, exceptions, text for addresses) stands in python/python.i and lua/lua.i.
 *
 * Shape: classes Parser, Capture, Reader, Flow, Filter, Store, Cursor, TopK, Watch, Finding, Encoder.
 * Methods with a body are renamed where Tag_method would be the name of the C function they call.
 * Every call that fails raises netflow.Error (Python) or an error string (Lua).
 */
%module netflow
%feature("autodoc", "0");
%{
#include <netflow/netflow.h>
#include "helpers.h"
#include <stdlib.h>
#include <string.h>
%}
%include <stdint.i>
%include <exception.i>

#ifdef SWIGPYTHON
%include "python/python.i"
#endif
#ifdef SWIGLUA
%include "lua/lua.i"
#endif

typedef int64_t nfl_usec;
%nodefaultctor;
%nodefaultdtor;

/* ---- functions ---- */
%rename(version) binding_version;
%rename(field_names) binding_field_names;
%rename(app_name) binding_app_name;
const char *binding_version(void);
%newobject binding_field_names;
char *binding_field_names(void);
%newobject binding_app_name;
char *binding_app_name(uint32_t app);

/* ---- Flow: an owned copy of one record ---- */
%rename(Flow) nfl_flow;
%rename(get) nfl_flow::value_of;
%rename(set) nfl_flow::set_text;
typedef struct nfl_flow {} nfl_flow;
%extend nfl_flow {
    nfl_flow() {
        nfl_flow *flow = calloc(1, sizeof *flow);
        if (flow)
            flow->struct_size = sizeof *flow;
        return flow;
    }
    ~nfl_flow() { free($self); }
    /* Value of a field by name; absent fields are None or nil; an unknown name is an error. */
    nfl_value value_of(const char *field, nfl_error *err) { return binding_flow_get($self, field, err); }
    /* Set a field by name from text, for tests and generators. */
    nfl_status set_text(const char *field, const char *text, nfl_error *err) { return binding_flow_set($self, field, text, err); }
}

/* ---- Parser: datagrams in, flows out ---- */
%rename(Parser) nfl_parser;
%rename(name) nfl_parser::name_of;
typedef struct nfl_parser {} nfl_parser;
%newobject nfl_parser::_next;
%extend nfl_parser {
    nfl_parser(nfl_error *err, uint32_t max_templates = 0) { return binding_parser_new(max_templates, err); }
    ~nfl_parser() { nfl_parser_free($self); }
    nfl_status feed(const nfl_ip *exporter, nfl_usec now_us, const void *data, size_t len, nfl_error *err);
    nfl_flow *_next(void) { return binding_parser_next($self); }
    /* What the exporter calls the thing in in_if, out_if, in_vrf, out_vrf or app_id of its flow; None or nil if it has not
     * told. */
    const char *name_of(const nfl_flow *flow, const char *field, nfl_error *err) { return binding_parser_name($self, flow, field, err); }
}

/* ---- Reader: a capture file, decoded ---- */
%rename(Reader) binding_reader;
%rename(name) binding_reader::name_of;
typedef struct binding_reader {} binding_reader;
%newobject binding_reader::_next;
%extend binding_reader {
    binding_reader(nfl_error *err, const char *path, const char *filter = NULL) { return binding_reader_new(path, filter, err); }
    ~binding_reader() { binding_reader_free($self); }
    nfl_flow *_next(nfl_error *err) { return binding_reader_next($self, err); }
    /* As Parser.name. */
    const char *name_of(const nfl_flow *flow, const char *field, nfl_error *err) { return binding_reader_name($self, flow, field, err); }
    /* Problems met so far: bad sets, sets without template, lost records. */
    uint64_t problems(void);
}

/* ---- Filter ---- */
%rename(Filter) nfl_filter;
%rename(match) nfl_filter::matches;
typedef struct nfl_filter {} nfl_filter;
%extend nfl_filter {
    nfl_filter(const char *text, nfl_error *err) { return binding_filter_new(text, err); }
    ~nfl_filter() { nfl_filter_free($self); }
    bool matches(const nfl_flow *flow) { return nfl_filter_match($self, flow) != 0; }
}

/* ---- Store and Cursor ---- */
%rename(Cursor) nfl_cursor;
%newobject nfl_cursor::_token;
typedef struct nfl_cursor {} nfl_cursor;
%extend nfl_cursor {
    ~nfl_cursor() { nfl_cursor_free($self); }
    bool _next(nfl_error *err) { return nfl_cursor_next($self, err) == NFL_OK; }
    uint32_t _width(void) { return nfl_cursor_columns($self); }
    const char *_name(uint32_t column) { return binding_cursor_name($self, column); }
    nfl_value _value(uint32_t column) { nfl_value v = {.struct_size = sizeof v}; nfl_cursor_get($self, column, &v); return v; }
    /* Where the row stands that was read last: for `after` of the next page. */
    char *_token(nfl_error *err) { return binding_cursor_token($self, err); }
    /* Flow records that passed window and filter; complete after the last row. */
    uint64_t matched(void) { return binding_cursor_matched($self); }
    /* How far distinct() of an approximate query may be off, per mille; 0 = not at all. Complete after the last row. */
    uint64_t distinct_error_per_mille(void) { NFL_OPTS(nfl_query_stats, stats, .reserved = 0); nfl_cursor_get_stats($self, &stats); return stats.distinct_error_per_mille; }
}

%rename(Store) nfl_store;
%rename(append) nfl_store::append_one;
%rename(sync) nfl_store::sync_to;
%rename(retain) nfl_store::retain_limits;
%rename(compact) nfl_store::compact_all;
%rename(hold) nfl_store::hold_times;
%rename(release) nfl_store::release_hold;
typedef struct nfl_store {} nfl_store;
%newobject nfl_store::_query;
%extend nfl_store {
    nfl_store(nfl_error *err, const char *uri, bool create = false, bool read_only = false) { return binding_store_new(uri, create, read_only, err); }
    ~nfl_store() { nfl_store_free($self); }
    nfl_status append_one(const nfl_flow *flow, nfl_error *err) { return nfl_store_append($self, flow, 1, sizeof *flow, err); }
    /* level: 1 visible to other processes, 2 durable, 3 in sealed segments. */
    nfl_status sync_to(nfl_error *err, uint32_t level = 2) { return nfl_store_sync($self, level, err); }
    nfl_status expire(nfl_usec before_us, nfl_error *err);
    /* Drop the oldest segments until all limits are kept; 0 = no such limit. */
    nfl_status retain_limits(nfl_error *err, nfl_usec before_us = 0, uint64_t max_bytes = 0, uint64_t min_free_bytes = 0) {
        NFL_OPTS(nfl_retention, wanted, .before_us = before_us, .max_bytes = max_bytes, .min_free_bytes = min_free_bytes);
        return nfl_store_retain($self, &wanted, err);
    }
    /* Merge small segments until nothing is left to merge. */
    nfl_status compact_all(nfl_error *err, bool all = false) { return binding_store_compact($self, all, err); }
    /* Flows that start from .. to must not be dropped. */
    nfl_status hold_times(const char *name, nfl_usec from_us, nfl_usec to_us, const char *note, nfl_error *err) {
        return binding_store_hold($self, name, from_us, to_us, note, err);
    }
    nfl_status release_hold(const char *name, nfl_error *err) { return nfl_store_release($self, name, err); }
    /* Flow records held. */
    uint64_t count(nfl_error *err) { return binding_store_count($self, err); }
    nfl_cursor *_query(const char *filter, const char *group_by, const char *columns, const char *order_by,
                       nfl_usec from_us, nfl_usec to_us, nfl_usec bucket_us, uint64_t limit, uint64_t offset,
                       bool ascending, nfl_usec now_us, const char *lists, const char *having, bool fill, const char *after, bool spread,
                       bool unique, bool biflow, bool approximate, uint64_t max_rows, uint64_t max_time_us, nfl_error *err) {
        NFL_OPTS(nfl_query, query, .filter = filter, .group_by = group_by, .columns = columns, .order_by = order_by,
                 .from_us = from_us, .to_us = to_us, .bucket_us = bucket_us, .limit = limit, .offset = offset,
                 .flags = (ascending ? NFL_QUERY_ASCENDING : 0) | (fill ? NFL_QUERY_FILL : 0) | (spread ? NFL_QUERY_SPREAD : 0) |
                          (unique ? NFL_QUERY_UNIQUE : 0) | (biflow ? NFL_QUERY_BIFLOW : 0) |
                          (approximate ? NFL_QUERY_APPROXIMATE : 0), .now_us = now_us,
                 .having = having, .after = after, .max_rows = max_rows, .max_time_us = max_time_us,
                 .filter_list = binding_list, .filter_list_ctx = (void *)(uintptr_t)lists);
        nfl_cursor *cursor = NULL;
        return nfl_store_query($self, &query, &cursor, err) < 0 ? NULL : cursor;
    }
}

/* ---- TopK: heaviest keys of a stream ---- */
%rename(TopK) nfl_topk;
typedef struct nfl_topk {} nfl_topk;
%extend nfl_topk {
    nfl_topk(nfl_error *err, uint32_t counters = 4096, uint32_t key_len = 16, uint64_t seed = 0) { return binding_topk_new(counters, key_len, seed, err); }
    ~nfl_topk() { nfl_topk_free($self); }
    nfl_status _add(const void *data, size_t len, uint64_t weight, nfl_error *err) { return binding_topk_add($self, data, len, weight, err); }
    nfl_status merge(const nfl_topk *other, nfl_error *err);
    uint64_t total(void);
    /* The heaviest keys: bytes, weight, max_error, certain. */
    binding_topk_items _list(size_t n) { return binding_topk_list($self, n); }
}

/* ---- Watch: flows in, findings out ---- */
%rename(Finding) binding_finding;
%immutable;
typedef struct binding_finding {
    char *detector, *measure, *attack, *filter, *message, *entity, *peers;
    const char *severity;
    int confidence;
    nfl_usec first_us, last_us, found_us;
    double observed, threshold;
    uint64_t flows;
} binding_finding;
%mutable;
%extend binding_finding {
    ~binding_finding() { binding_finding_free($self); }
}
%rename(Watch) nfl_watch;
typedef struct nfl_watch {} nfl_watch;
%newobject nfl_watch::_next;
%extend nfl_watch {
    nfl_watch(nfl_error *err, const char *detectors = NULL, const char *inside = NULL) { return binding_watch_new(detectors, inside, err); }
    ~nfl_watch() { nfl_watch_free($self); }
    void feed(const nfl_flow *flow);
    void advance(nfl_usec now_us);
    void flush(void);
    binding_finding *_next(void) { return binding_watch_next($self); }
}

/* ---- Encoder: flows in, datagrams out ---- */
%rename(Encoder) nfl_encoder;
%rename(add) nfl_encoder::add_flow;
%rename(add_name) nfl_encoder::tell_name;
%rename(take) nfl_encoder::take_bytes;
typedef struct nfl_encoder {} nfl_encoder;
%extend nfl_encoder {
    nfl_encoder(nfl_error *err, uint32_t version = 10, uint32_t domain = 0) { return binding_encoder_new(version, domain, err); }
    ~nfl_encoder() { nfl_encoder_free($self); }
    /* True when added; False when the datagram is full: take() it and add the flow again. */
    bool add_flow(const nfl_flow *flow, nfl_usec now_us, nfl_error *err) { return nfl_encoder_add($self, flow, now_us, err) == NFL_OK; }
    /* Tell what the interface, VRF or application of a number is called, of the field it stands in; True and False as above. */
    bool tell_name(const char *field, uint64_t id, const char *name, nfl_usec now_us, nfl_error *err, const char *description = NULL)
    { return binding_encoder_name($self, field, id, name, now_us, description, err); }
    /* The datagram built so far, or None or nil. */
    binding_bytes take_bytes(nfl_usec now_us) { binding_bytes b = {NULL, 0}; b.data = nfl_encoder_take($self, now_us, &b.len); return b; }
}

#ifdef SWIGPYTHON
%include "python/classes.i"
#endif
#ifdef SWIGLUA
%include "lua/classes.i"
#endif

/* Datagrams one after the other: u16 length and bytes each. Bit 0 of the first byte chooses nfl_parser_next() or
 * _next_event(), bits 1 to 3 give small limits. Asserts progress, bounds, and that the state saves and loads. */
#include <netflow/list.h>
#include <netflow/parser.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* Read the list a field may hold, and those within it; what they give lies inside the field. */
static void read_list(const nfl_parser *parser, const nfl_list *within, const nfl_record_field *field)
{
    nfl_list list = {.struct_size = sizeof list};
    size_t elements = 0;
    if (!nfl_list_kind(field) || nfl_list_open(&list, parser, within, field, NULL) < 0)
        return;
    while (nfl_list_next(&list, NULL) != NFL_DONE) {
        nfl_record_field inner;
        require(elements++ < field->len);
        require(list.element >= field->data && list.element + list.element_len <= field->data + field->len);
        while (nfl_list_next_field(&list, &inner) == NFL_OK) {
            require(inner.data >= list.element && inner.data + inner.len <= list.element + list.element_len);
            read_list(parser, &list, &inner);
        }
    }
}

static void drain(nfl_parser *parser, int events)
{
    const nfl_event *event;
    const nfl_flow *flow;
    size_t steps = 0;
    while ((events ? nfl_parser_next_event(parser, &event, NULL) : nfl_parser_next(parser, &flow, NULL)) !=
           NFL_DONE) {
        nfl_record_field field;
        volatile uint8_t touched = 0;
        for (uint32_t i = 0; nfl_parser_field(parser, i, &field) == NFL_OK; i++) {
            for (uint32_t j = 0; j < field.len; j++)
                touched = (uint8_t)(touched ^ field.data[j]);
            read_list(parser, NULL, &field);
        }
        require(steps++ < 1000000);
    }
}

/* Every name that a domain lists is found by its number. */
static void read_names(const nfl_parser *parser)
{
    nfl_domain_info info = {.struct_size = sizeof info};
    for (size_t i = 0; nfl_parser_domain(parser, i, &info) == NFL_OK; i++) {
        nfl_name name = {.struct_size = sizeof name}, found = {.struct_size = sizeof found};
        size_t n = 0;
        for (; nfl_parser_domain_name(parser, i, n, &name) == NFL_OK; n++) {
            require(nfl_parser_name(parser, &name.exporter, name.version, name.domain, name.kind, name.id, &found) ==
                    NFL_OK);
            require(found.name == name.name && strlen(name.name) < 256 && strlen(name.description) < 256);
        }
        require(n == info.names);
    }
}

static void save_and_load(const nfl_parser *parser)
{
    size_t need = 0;
    require(nfl_parser_save(parser, NULL, 0, &need, NULL) == NFL_E_LIMIT);
    uint8_t *state = malloc(need);
    nfl_parser *other = NULL;
    require(state && nfl_parser_new(NULL, &other, NULL) == NFL_OK);
    require(nfl_parser_save(parser, state, need, &need, NULL) == NFL_OK);
    require(nfl_parser_load(other, state, need, 1000000, NULL) == NFL_OK);
    nfl_parser_free(other);
    free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int choice = data[0];
    NFL_OPTS(nfl_parser_opts, opts, .max_domains = choice & 2 ? 2 : 0, .max_templates = choice & 4 ? 2 : 0,
             .max_bytes = choice & 8 ? 32768 : 0, .max_pending_bytes = choice & 4 ? 4096 : 0);
    nfl_parser *parser = NULL;
    require(nfl_parser_new(&opts, &parser, NULL) == NFL_OK);
    nfl_ip exporter = {{0x20, 0x01, 0x0d, 0xb8}};
    nfl_usec now_us = 1000000;
    for (size_t at = 1; size - at >= 2;) {
        size_t len = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        len = len < size - at ? len : size - at;
        uint8_t *datagram = malloc(len ? len : 1);
        require(datagram != NULL);
        memcpy(datagram, data + at, len);
        at += len;
        if (nfl_parser_feed(parser, &exporter, now_us, datagram, len, NULL) == NFL_OK)
            drain(parser, choice & 1);
        free(datagram);
    }
    require(!opts.max_bytes || nfl_parser_memory(parser) <= opts.max_bytes);
    read_names(parser);
    save_and_load(parser);
    nfl_parser_free(parser);
    return 0;
}

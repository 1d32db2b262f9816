/* netflow decode FILE...: what export datagrams say, one JSON object a line, nothing left out.
 *
 * Prints the datagrams of a capture in order: header, templates, withdrawals, records with every field as raw
 * octets, sets without template, sFlow samples. Data sets that come before their template are shown as such and not
 * kept, so that the output tells the datagrams and not the decoder's memory. Of NetFlow v1 and v7, whose records say
 * nothing that v5 does not, the headers are shown. With --names fields have names and typed values. Malformed parts are reported on standard error and passed over. */
#include "decode_names.h"

#include <netflow/capture.h>
#include <netflow/parser.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_decode(int argc, char **argv);

static void decode_address(const nfl_ip *ip)
{
    char text[NFL_IP_TEXT_SIZE];
    nfl_ip_format(ip, text, sizeof text);
    printf("\"%s\"", text);
}

static void decode_hex(const uint8_t *data, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < len; i++) {
        putchar(digits[data[i] >> 4]);
        putchar(digits[data[i] & 15]);
    }
}

static void decode_header(const nfl_export_header *h, const nfl_ip *exporter)
{
    if (h->version == 1 || h->version == 7) {
        printf("{\"ev\": \"header\", \"ver\": %u, \"count\": %u}\n", h->version, h->count);
        return;
    }
    printf("{\"ev\": \"header\", \"ver\": %u, ", h->version);
    if (h->version == 10)
        printf("\"length\": %u, \"secs\": %u, \"seq\": %u, \"odid\": %u", h->length, h->seconds, h->sequence,
               h->domain);
    else
        printf("\"count\": %u, \"uptime\": %u, \"secs\": %u, ", h->count, h->uptime_ms, h->seconds);
    if (h->version == 9)
        printf("\"seq\": %u, \"odid\": %u", h->sequence, h->domain);
    else if (h->version == 5)
        printf("\"nsecs\": %u, \"seq\": %u, \"engine_type\": %u, \"engine_id\": %u, \"sampling\": %u",
               h->nanoseconds, h->sequence, h->domain >> 8, h->domain & 255, h->sampling);
    printf(", \"exporter\": ");
    decode_address(exporter);
    puts("}");
}

static void decode_sflow_header(const nfl_export_header *h)
{
    printf("{\"ev\": \"header\", \"ver\": \"sflow5\", \"agent\": ");
    decode_address(&h->agent);
    printf(", \"sub_agent\": %u, \"seq\": %u, \"uptime\": %u, \"nsamples\": %u}\n", h->domain, h->sequence,
           h->uptime_ms, h->samples);
}

static void decode_template(const nfl_event *event)
{
    printf("{\"ev\": \"template\", \"ver\": %u, \"odid\": %u, \"id\": %u, \"kind\": \"%s\", \"scope\": %u, "
           "\"fields\": [",
           event->version, event->domain, event->template_id, event->options ? "options" : "data",
           event->scope_count);
    for (uint32_t i = 0; i < event->field_count; i++)
        printf("%s[%u, %u, %u]", i ? ", " : "", event->fields[i].pen, event->fields[i].id,
               event->fields[i].len);
    puts("]}");
}

static void decode_record(const nfl_parser *parser, const nfl_event *event, const nfl_ip *exporter, int names)
{
    printf("{\"ev\": \"%s\", \"ver\": %u, \"odid\": %u, \"tmpl\": %u, \"fields\": ",
           event->kind == NFL_EVENT_OPTIONS ? "options" : "record", event->version, event->domain,
           event->template_id);
    if (names) {
        decode_source source = {parser, exporter, event->domain, event->version};
        decode_named_fields(&source);
        puts("}");
        return;
    }
    putchar('[');
    nfl_record_field field;
    for (uint32_t i = 0; nfl_parser_field(parser, i, &field) == NFL_OK; i++) {
        printf("%s[%u, %u, %u, \"", i ? ", " : "", field.pen, field.id, field.len);
        decode_hex(field.data, field.len);
        fputs("\"]", stdout);
    }
    puts("]}");
}

/* Layout of a v5 record: name and bytes; 0 = an address. */
static const struct {
    const char *name;
    unsigned len;
} decode_v5_fields[] = {
    {"srcaddr", 0}, {"dstaddr", 0}, {"nexthop", 0},   {"input", 2},    {"output", 2},
    {"dPkts", 4},   {"dOctets", 4}, {"first", 4},     {"last", 4},     {"srcport", 2},
    {"dstport", 2}, {"pad1", 1},    {"tcp_flags", 1}, {"prot", 1},     {"tos", 1},
    {"src_as", 2},  {"dst_as", 2},  {"src_mask", 1},  {"dst_mask", 1}, {"pad2", 2},
};

static void decode_v5(const uint8_t *p)
{
    printf("{\"ev\": \"v5\"");
    for (size_t i = 0; i < sizeof decode_v5_fields / sizeof *decode_v5_fields; i++) {
        unsigned len = decode_v5_fields[i].len;
        if (!len) {
            printf(", \"%s\": \"%u.%u.%u.%u\"", decode_v5_fields[i].name, p[0], p[1], p[2], p[3]);
            p += 4;
            continue;
        }
        uint32_t value = 0;
        for (unsigned j = 0; j < len; j++)
            value = value << 8 | *p++;
        printf(", \"%s\": %" PRIu32, decode_v5_fields[i].name, value);
    }
    puts("}");
}

/* The members of a sample's header by its format; compact ones as the one number that was sent. */
static void decode_sample_header(const nfl_sample *s)
{
    switch (s->format) {
    case 1:
        printf(", \"seq\": %u, \"source_id\": %u, \"rate\": %u, \"pool\": %u, \"drops\": %u, \"input\": %u, "
               "\"output\": %u",
               s->sequence, s->source_class << 24 | s->source_index, s->rate, s->pool, s->drops,
               s->input_format << 30 | s->input, s->output_format << 30 | s->output);
        break;
    case 3:
        printf(
            ", \"seq\": %u, \"ds_class\": %u, \"ds_index\": %u, \"rate\": %u, \"pool\": %u, \"drops\": %u, "
            "\"in_fmt\": %u, \"in_val\": %u, \"out_fmt\": %u, \"out_val\": %u",
            s->sequence, s->source_class, s->source_index, s->rate, s->pool, s->drops, s->input_format,
            s->input, s->output_format, s->output);
        break;
    case 5:
        printf(", \"seq\": %u, \"ds_class\": %u, \"ds_index\": %u, \"drops\": %u, \"input\": %u, "
               "\"output\": %u, \"reason\": %u",
               s->sequence, s->source_class, s->source_index, s->drops, s->input, s->output, s->reason);
        break;
    default:
        printf(", \"seq\": %u", s->sequence);
    }
}

static void decode_sample(const nfl_parser *parser, const nfl_event *event, const uint8_t *data)
{
    const nfl_sample *sample = event->sample;
    printf("{\"ev\": \"sflow_sample\", \"ent\": %u, \"fmt\": %u, \"len\": %u", sample->enterprise,
           sample->format, sample->len);
    if (sample->enterprise != 0 || sample->format < 1 || sample->format > 5) {
        fputs(", \"hex\": \"", stdout);
        decode_hex(data + event->offset + event->len - sample->len, sample->len);
        puts("\"}");
        return;
    }
    decode_sample_header(sample);
    fputs(", \"records\": [", stdout);
    nfl_record_field record;
    for (uint32_t i = 0; nfl_parser_field(parser, i, &record) == NFL_OK; i++) {
        printf("%s{\"ent\": %u, \"fmt\": %u, \"len\": %u, \"hex\": \"", i ? ", " : "", record.pen, record.id,
               record.sent_len);
        decode_hex(record.data, record.len);
        fputs("\"}", stdout);
    }
    puts("]}");
}

static void decode_event(const nfl_parser *parser, const nfl_event *event, const nfl_datagram *datagram,
                         int names)
{
    switch (event->kind) {
    case NFL_EVENT_HEADER:
        if (event->version == NFL_VERSION_SFLOW5)
            decode_sflow_header(event->header);
        else
            decode_header(event->header, &datagram->src);
        break;
    case NFL_EVENT_TEMPLATE:
        decode_template(event);
        break;
    case NFL_EVENT_WITHDRAW:
        printf("{\"ev\": \"withdraw\", \"odid\": %u, \"id\": %u, \"set\": %u}\n", event->domain,
               event->template_id, event->set_id);
        break;
    case NFL_EVENT_RECORD:
    case NFL_EVENT_OPTIONS:
        if (event->version == 5)
            decode_v5(datagram->data + event->offset);
        else if (event->version == 9 || event->version == 10)
            decode_record(parser, event, &datagram->src, names);
        break;
    case NFL_EVENT_SAMPLE:
        decode_sample(parser, event, datagram->data);
        break;
    case NFL_EVENT_UNKNOWN_SET:
        printf("{\"ev\": \"unknown_set\", \"ver\": %u, \"odid\": %u, \"id\": %u, \"len\": %u}\n",
               event->version, event->domain, event->set_id, event->len);
        break;
    default:
        printf("{\"ev\": \"zero_record_template\", \"id\": %u}\n", event->set_id);
    }
}

static void decode_complain(const char *path, uint64_t number, const nfl_error *err)
{
    fprintf(stderr, "%s: datagram %" PRIu64 ": %s\n", path, number, err->message);
}

static void decode_datagram(nfl_parser *parser, const char *path, uint64_t number,
                            const nfl_datagram *datagram, int names)
{
    nfl_error err;
    printf("{\"ev\": \"datagram\", \"n\": %" PRIu64 ", \"exporter\": ", number);
    decode_address(&datagram->src);
    printf(", \"len\": %u}\n", datagram->len);
    nfl_status status =
        nfl_parser_feed(parser, &datagram->src, datagram->time_us, datagram->data, datagram->len, &err);
    if (status < 0) {
        decode_complain(path, number, &err);
        return;
    }
    const nfl_event *event;
    while ((status = nfl_parser_next_event(parser, &event, &err)) != NFL_DONE) {
        if (status == NFL_OK)
            decode_event(parser, event, datagram, names);
        else
            decode_complain(path, number, &err);
    }
}

/* 0, or 1 when the file cannot be read to its end. */
static int decode_file(nfl_parser *parser, const char *path, int names)
{
    static const nfl_ip nowhere = {{0}}; /* where messages of IPFIX files come from */
    nfl_error err;
    nfl_capture *capture = NULL;
    if (nfl_capture_new(path, NULL, &capture, &err) < 0) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 1;
    }
    const nfl_datagram *datagram;
    nfl_status status;
    for (uint64_t n = 1; (status = nfl_capture_next(capture, &datagram, &err)) == NFL_OK; n++)
        decode_datagram(parser, path, n, datagram, names);
    nfl_capture_free(capture);
    nfl_parser_forget(parser, &nowhere, 10); /* an IPFIX file is one session */
    if (status < 0)
        fprintf(stderr, "%s: %s\n", path, err.message);
    return status < 0;
}

enum { DECODE_MAX_ELEMENTS = 16 << 20 }; /* bytes of a list of elements */

/* The host's own elements; NULL, with a message, when they cannot be read. */
static nfl_element_table *decode_load_elements(const char *path)
{
    nfl_error err;
    nfl_element_table *table = NULL;
    FILE *file = fopen(path, "rbe");
    char *text = malloc(DECODE_MAX_ELEMENTS);
    size_t len = file && text ? fread(text, 1, DECODE_MAX_ELEMENTS, file) : 0;
    if (!file || !text || ferror(file))
        perror(path);
    else if (len == DECODE_MAX_ELEMENTS)
        fprintf(stderr, "%s: larger than %d bytes\n", path, DECODE_MAX_ELEMENTS);
    else if (nfl_element_table_load(text, len, NULL, &table, &err) < 0)
        fprintf(stderr, "%s: %s\n", path, err.message);
    if (file)
        fclose(file);
    free(text);
    return table;
}

/* What the command line says. */
typedef struct decode_options {
    int names;
    const char *elements;
    int first_file; /* position in argv; 0 = the line is wrong */
} decode_options;

static decode_options decode_read_options(int argc, char **argv)
{
    decode_options given = {0};
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--names") == 0) {
            given.names = 1;
        } else if (strcmp(argv[i], "--elements") == 0 && i + 1 < argc) {
            given.names = 1;
            given.elements = argv[++i];
        } else {
            return given;
        }
    }
    given.first_file = i < argc ? i : 0;
    return given;
}

/* All files of the command line; 1 when something failed. */
static int decode_files(const decode_options *given, char **files, const nfl_element_table *elements)
{
    nfl_error err;
    nfl_parser *parser = NULL;
    NFL_OPTS(nfl_parser_opts, opts, .flags = NFL_PARSER_NO_PENDING, .elements = elements);
    if (nfl_parser_new(&opts, &parser, &err) < 0) {
        fprintf(stderr, "netflow decode: %s\n", err.message);
        return 1;
    }
    int failed = 0;
    for (; *files; files++)
        failed |= decode_file(parser, *files, given->names);
    nfl_parser_free(parser);
    return failed;
}

int command_decode(int argc, char **argv)
{
    int help = argc > 1 && strcmp(argv[1], "--help") == 0;
    decode_options given = decode_read_options(argc, argv);
    if (help || !given.first_file) {
        fputs("usage: netflow decode [--names] [--elements CSV] FILE...\n"
              "Print every datagram of capture files (pcap, pcapng) and message of IPFIX files as JSON lines; - is\n"
              "standard input.\n"
              "\n"
              "  --names         Fields by name, values by type, lists opened, instead of numbers and octets.\n"
              "  --elements CSV  Elements of your own, as pen,id,name,type; implies --names.\n",
              help ? stdout : stderr);
        return help ? 0 : 2;
    }
    nfl_element_table *elements = given.elements ? decode_load_elements(given.elements) : NULL;
    if (given.elements && !elements)
        return 1;
    int failed = decode_files(&given, argv + given.first_file, elements);
    nfl_element_table_free(elements);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("netflow decode: standard output");
        failed = 1;
    }
    return failed;
}

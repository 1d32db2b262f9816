/* Flow generator: a day of traffic of a site as export datagrams in a pcap file, deterministic by its seed.
 *
 *   nfl_generate --out FILE [--flows N] [--version 5|9|10] [--seed S] [--hours H] [--records N] [--v6 PERCENT]
 *                [--sampling N] [--day D]
 *
 * Clients and servers follow a Zipf law, bytes a Pareto law; every request flow is followed by its answer with exchanged
 * addresses; arrival follows the time of day. The totals printed are what the records say; with --sampling, which tells
 * that one packet in N was looked at, a collector must report N times the bytes and packets.
 */
#include <netflow/encoder.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS = 4096, SERVERS = 65536, EXPORTERS = 4 };

typedef struct options {
    const char *out;
    uint64_t flows, seed, hours, records, v6, sampling, day;
    uint32_t version;
} options;

typedef struct generator {
    options o;
    uint64_t state;
    double host_rank[HOSTS], server_rank[SERVERS]; /* cumulated Zipf weights */
    FILE *file;
    uint64_t bytes, packets, written, datagrams;
} generator;

static uint64_t next_random(generator *g)
{
    uint64_t z = g->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static double next_unit(generator *g)
{
    return (double)(next_random(g) >> 11) * 0x1p-53;
}

static void make_zipf(double *cumulated, uint32_t n, double exponent)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        cumulated[i] = sum += 1 / pow(i + 1, exponent);
    for (uint32_t i = 0; i < n; i++)
        cumulated[i] /= sum;
}

static uint32_t pick(generator *g, const double *cumulated, uint32_t n)
{
    double u = next_unit(g);
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cumulated[middle] < u)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static nfl_ip inside(uint32_t host, int v6)
{
    if (!v6)
        return nfl_ip_from_v4(0x0a000000u | (host >> 8) << 16 | (host & 0xff));
    return (nfl_ip){{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, (uint8_t)(host >> 8), 0, 0, 0, 0, 0, 0, 0, (uint8_t)host}};
}

static nfl_ip outside(uint32_t server, int v6)
{
    uint32_t scattered = server * 2654435761u;
    if (!v6)
        return nfl_ip_from_v4(0x20000000u + scattered % 0x80000000u);
    return (nfl_ip){{0x20, 0x01, 0x0d, 0xb8, 0xff, (uint8_t)(scattered >> 24), (uint8_t)(scattered >> 16), (uint8_t)(scattered >> 8), 0,
                     0, 0, 0, 0, 0, (uint8_t)(server >> 8), (uint8_t)server}};
}

/* Services of a site: port, protocol, share in a thousand, mean packets. */
static const struct {
    uint16_t port;
    uint8_t proto;
    uint16_t share, packets;
} services[] = {{443, 6, 420, 30}, {53, 17, 280, 1}, {80, 6, 90, 12}, {443, 17, 80, 40}, {123, 17, 30, 1}, {22, 6, 15, 60},
                {3389, 6, 10, 90}, {25, 6, 10, 14}, {445, 6, 15, 25}, {0, 1, 20, 4}, {8443, 6, 30, 20}};

static uint64_t pareto(generator *g, double mean)
{
    double x = mean * 0.25 / pow(1 - next_unit(g), 1 / 1.3);
    return x < 1 ? 1 : x > 1e7 ? 10000000 : (uint64_t)x;
}

static void make_request(generator *g, nfl_flow *flow, nfl_usec end_us)
{
    uint32_t choice = (uint32_t)(next_random(g) % 1000), s = 0;
    while (s + 1 < sizeof services / sizeof *services && choice >= services[s].share)
        choice -= services[s++].share;
    int v6 = next_random(g) % 100 < g->o.v6;
    *flow = (nfl_flow){.struct_size = sizeof *flow, .flows = 1, .proto = services[s].proto, .tos = next_random(g) % 16 ? 0 : 184};
    flow->packets = pareto(g, services[s].packets);
    flow->bytes = flow->packets * (60 + next_random(g) % 400);
    flow->last_us = end_us / 1000 * 1000;
    flow->first_us = flow->last_us - (nfl_usec)(flow->packets > 1 ? next_random(g) % 60000 : 0) * 1000;
    flow->src = inside(pick(g, g->host_rank, HOSTS), v6);
    flow->dst = outside(pick(g, g->server_rank, SERVERS), v6);
    flow->src_port = services[s].port ? (uint16_t)(32768 + next_random(g) % 28232) : 0;
    flow->dst_port = services[s].port;
    flow->tcp_flags = services[s].proto == 6 ? 0x1b : 0;
    flow->in_if = 1 + (uint32_t)(next_random(g) % 4);
    flow->out_if = 10;
    flow->dst_as = 64512 + flow->dst.b[12] % 64;
    flow->src_as = 65000;
    flow->present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) |
                    NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) |
                    NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_TCP_FLAGS) | NFL_HAS(NFL_FIELD_TOS) | NFL_HAS(NFL_FIELD_IN_IF) |
                    NFL_HAS(NFL_FIELD_OUT_IF) | NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_DST_AS);
}

static void make_answer(generator *g, const nfl_flow *request, nfl_flow *answer)
{
    *answer = *request;
    answer->src = request->dst;
    answer->dst = request->src;
    answer->src_port = request->dst_port;
    answer->dst_port = request->src_port;
    answer->src_as = request->dst_as;
    answer->dst_as = request->src_as;
    answer->in_if = request->out_if;
    answer->out_if = request->in_if;
    answer->packets = request->packets + next_random(g) % (request->packets + 1);
    answer->bytes = answer->packets * (80 + next_random(g) % 1300);
}

static void put_le(uint8_t *p, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* pcap, link type 101: raw IP. */
static void write_datagram(generator *g, const uint8_t *data, size_t len, uint32_t exporter, nfl_usec now_us)
{
    uint8_t head[16 + 28] = {0}, *ip = head + 16, *udp = ip + 20;
    put_le(head, (uint64_t)now_us / 1000000, 4);
    put_le(head + 4, (uint64_t)now_us % 1000000, 4);
    put_le(head + 8, 28 + len, 4);
    put_le(head + 12, 28 + len, 4);
    ip[0] = 0x45;
    ip[2] = (uint8_t)((28 + len) >> 8);
    ip[3] = (uint8_t)(28 + len);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, (uint8_t[]){192, 0, 2, (uint8_t)(1 + exporter)}, 4);
    memcpy(ip + 16, (uint8_t[]){127, 0, 0, 1}, 4);
    udp[0] = udp[2] = 8; /* port 2055 */
    udp[1] = udp[3] = 7;
    udp[4] = (uint8_t)((8 + len) >> 8);
    udp[5] = (uint8_t)(8 + len);
    if (fwrite(head, sizeof head, 1, g->file) != 1 || fwrite(data, len, 1, g->file) != 1)
        exit(1);
    g->datagrams++;
}

static void add(generator *g, nfl_encoder *encoder, uint32_t exporter, const nfl_flow *flow, nfl_usec now_us)
{
    nfl_error err;
    nfl_status status;
    size_t len;
    while ((status = nfl_encoder_add(encoder, flow, now_us, &err)) == NFL_PENDING) {
        const uint8_t *data = nfl_encoder_take(encoder, now_us, &len);
        write_datagram(g, data, len, exporter, now_us);
    }
    if (status < 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    g->bytes += flow->bytes;
    g->packets += flow->packets;
    g->written++;
}

static void generate(generator *g)
{
    const nfl_usec start_us = (INT64_C(1795392000) + (nfl_usec)g->o.day * 86400) * 1000000; /* 2026-11-23T00:00:00Z, or D days later */
    nfl_encoder *encoders[EXPORTERS];
    nfl_error err;
    for (uint32_t i = 0; i < EXPORTERS; i++) {
        NFL_OPTS(nfl_encoder_opts, opts, .version = g->o.version, .domain = i, .max_records = (uint32_t)g->o.records,
                 .sampling = (uint32_t)g->o.sampling, .boot_us = start_us - INT64_C(86400000000));
        if (nfl_encoder_new(&opts, &encoders[i], &err) < 0) {
            fprintf(stderr, "%s\n", err.message);
            exit(2);
        }
    }
    nfl_usec step_us = (nfl_usec)(g->o.hours * 3600000000u / (g->o.flows ? g->o.flows : 1)), now_us = start_us;
    for (uint64_t i = 0; i < g->o.flows; i += 2) {
        nfl_flow request, answer;
        now_us += 2 * step_us;
        uint32_t exporter = (uint32_t)(next_random(g) % EXPORTERS);
        make_request(g, &request, now_us);
        make_answer(g, &request, &answer);
        add(g, encoders[exporter], exporter, &request, now_us);
        if (i + 1 < g->o.flows)
            add(g, encoders[exporter], exporter, &answer, now_us);
    }
    for (uint32_t i = 0; i < EXPORTERS; i++) {
        size_t len;
        const uint8_t *data = nfl_encoder_take(encoders[i], now_us, &len);
        if (data)
            write_datagram(g, data, len, i, now_us);
        nfl_encoder_free(encoders[i]);
    }
}

static int read_options(options *o, int argc, char **argv)
{
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--flows", &o->flows}, {"--seed", &o->seed}, {"--hours", &o->hours}, {"--records", &o->records}, {"--v6", &o->v6},
                   {"--sampling", &o->sampling}, {"--day", &o->day}};
    for (int i = 1; i + 1 < argc; i += 2) {
        size_t n = 0;
        while (n < sizeof numbers / sizeof *numbers && strcmp(argv[i], numbers[n].name) != 0)
            n++;
        if (n < sizeof numbers / sizeof *numbers)
            *numbers[n].to = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--version") == 0)
            o->version = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--out") == 0)
            o->out = argv[i + 1];
        else
            return 0;
    }
    if (o->version == 5)
        o->v6 = 0;
    return argc % 2 && o->out;
}

int main(int argc, char **argv)
{
    static generator g = {.o = {.flows = 1000000, .seed = 1, .hours = 24, .v6 = 15, .version = 9}};
    if (!read_options(&g.o, argc, argv)) {
        fprintf(stderr, "usage: nfl_generate --out FILE [--flows N] [--version 5|9|10] [--seed S] [--hours H] [--records N] "
                        "[--v6 PERCENT] [--sampling N] [--day D]\n");
        return 2;
    }
    uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0};
    put_le(head + 16, 65535, 4);
    put_le(head + 20, 101, 4);
    g.file = fopen(g.o.out, "wb");
    if (!g.file || fwrite(head, sizeof head, 1, g.file) != 1) {
        perror(g.o.out);
        return 1;
    }
    g.state = g.o.seed;
    make_zipf(g.host_rank, HOSTS, 0.9);
    make_zipf(g.server_rank, SERVERS, 1.0);
    generate(&g);
    if (fclose(g.file) != 0) {
        perror(g.o.out);
        return 1;
    }
    printf("{\"flows\": %llu, \"bytes\": %llu, \"packets\": %llu, \"datagrams\": %llu}\n", (unsigned long long)g.written,
           (unsigned long long)g.bytes, (unsigned long long)g.packets, (unsigned long long)g.datagrams);
    return 0;
}

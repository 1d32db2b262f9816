/* Decoding speed: datagrams in memory to nfl_flow, one core. One line a metric: version, records per datagram, million
 * records per second, instructions per record (where the kernel lets us count them), allocations in steady state.
 * With the arguments VERSION RECORDS TIMES it only decodes, for instructions.sh. */
#include <netflow/encoder.h>
#include <netflow/parser.h>

#include "support.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAMS = 512, MAX_DATAGRAM = 8192 };

typedef struct trace {
    uint8_t data[DATAGRAMS][MAX_DATAGRAM];
    size_t len[DATAGRAMS];
    uint64_t records;
} trace;

static int open_instruction_counter(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE, .size = sizeof attr, .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1, .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t read_counter(int fd)
{
    uint64_t value = 0;
    return fd >= 0 && read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Typical flows of a router: the 17 fields that IOS and softflowd send. */
static void bench_flow(test_random *r, nfl_flow *flow)
{
    do
        test_flow(r, flow);
    while (flow->proto != 6 || !nfl_ip_is_v4(&flow->src));
    flow->src_as = flow->dst_as = 64512;
    flow->next_hop = flow->dst;
    flow->present = NFL_HAS(NFL_FIELD_FIRST) | NFL_HAS(NFL_FIELD_LAST) | NFL_HAS(NFL_FIELD_BYTES) | NFL_HAS(NFL_FIELD_PACKETS) |
                    NFL_HAS(NFL_FIELD_SRC) | NFL_HAS(NFL_FIELD_DST) | NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT) |
                    NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_TCP_FLAGS) | NFL_HAS(NFL_FIELD_TOS) | NFL_HAS(NFL_FIELD_IN_IF) |
                    NFL_HAS(NFL_FIELD_OUT_IF) | NFL_HAS(NFL_FIELD_SRC_AS) | NFL_HAS(NFL_FIELD_DST_AS) | NFL_HAS(NFL_FIELD_NEXT_HOP) |
                    NFL_HAS(NFL_FIELD_SRC_MASK) | NFL_HAS(NFL_FIELD_DST_MASK);
}

static void make_trace(trace *t, uint32_t version, uint32_t records)
{
    NFL_OPTS(nfl_encoder_opts, opts, .version = version, .max_records = records, .max_len = MAX_DATAGRAM, .template_every = 1000000,
             .boot_us = INT64_C(1795430000000000));
    nfl_encoder *encoder;
    test_random random = {test_seed()};
    nfl_usec now_us = INT64_C(1795440000000000);
    if (nfl_encoder_new(&opts, &encoder, NULL) != NFL_OK)
        exit(1);
    t->records = 0;
    for (size_t i = 0; i < DATAGRAMS; i++) {
        size_t len;
        for (uint32_t n = 0; n < records; n++, t->records++) {
            nfl_flow flow;
            bench_flow(&random, &flow);
            if (nfl_encoder_add(encoder, &flow, now_us, NULL) != NFL_OK)
                exit(1);
        }
        const uint8_t *data = nfl_encoder_take(encoder, now_us, &len);
        memcpy(t->data[i], data, len);
        t->len[i] = len;
    }
    nfl_encoder_free(encoder);
}

static uint64_t decode_all(nfl_parser *parser, const trace *t, nfl_usec now_us)
{
    nfl_ip exporter = nfl_ip_from_v4(0xc0000201);
    const nfl_flow *flow;
    uint64_t sum = 0;
    for (size_t i = 0; i < DATAGRAMS; i++) {
        if (nfl_parser_feed(parser, &exporter, now_us, t->data[i], t->len[i], NULL) != NFL_OK)
            exit(1);
        for (nfl_status s; (s = nfl_parser_next(parser, &flow, NULL)) != NFL_DONE;)
            sum += s == NFL_OK;
    }
    return sum;
}

static void bench(trace *t, uint32_t version, uint32_t records, int counter)
{
    test_allocator allocator;
    test_allocator_init(&allocator, -1, 0);
    NFL_OPTS(nfl_parser_opts, opts, .alloc = &allocator.alloc);
    nfl_parser *parser;
    make_trace(t, version, records);
    if (nfl_parser_new(&opts, &parser, NULL) != NFL_OK || decode_all(parser, t, 1) != t->records)
        exit(1);
    long allocations = allocator.requests;
    uint64_t decoded = 0, instructions = read_counter(counter);
    double start_s = now_s();
    while (now_s() - start_s < 0.5)
        decoded += decode_all(parser, t, 2);
    double seconds = now_s() - start_s;
    instructions = read_counter(counter) - instructions;
    printf("decode version %2u, %2u records a datagram: %6.2f M records/s, %ld allocations", version, records,
           (double)decoded / seconds / 1e6, allocator.requests - allocations);
    if (counter >= 0)
        printf(", %.0f instructions/record", (double)instructions / (double)decoded);
    printf("\n");
    nfl_parser_free(parser);
}

/* Decode the trace so many times and say how many records that were: for tools that count instructions. */
static void decode_times(trace *t, uint32_t version, uint32_t records, unsigned times)
{
    nfl_parser *parser;
    uint64_t decoded = 0;
    make_trace(t, version, records);
    if (nfl_parser_new(NULL, &parser, NULL) != NFL_OK)
        exit(1);
    for (unsigned i = 0; i < times; i++)
        decoded += decode_all(parser, t, 1);
    printf("%llu\n", (unsigned long long)decoded);
    nfl_parser_free(parser);
}

int main(int argc, char **argv)
{
    static const uint32_t versions[] = {5, 9, 10}, records[] = {1, 20, 30};
    trace *t = malloc(sizeof *t);
    if (t && argc == 4) {
        decode_times(t, (uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
        free(t);
        return 0;
    }
    int counter = open_instruction_counter();
    for (size_t v = 0; t && v < 3; v++)
        for (size_t r = 0; r < 3; r++)
            bench(t, versions[v], records[r], counter);
    free(t);
    return t == NULL;
}

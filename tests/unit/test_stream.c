#include <CUnit/Basic.h>
#include <netflow/stream.h>

#include "parser_feed.h"

#define MESSAGE_16 "000a 0010 64ffffff 00000001 00000007"
#define MESSAGE_20 "000a 0014 64ffffff 00000001 00000007 0002 0004"

/* What a stream gave: lengths of messages, a sum over their bytes, and how it ended. */
typedef struct reading {
    size_t lens[8];
    size_t count;
    uint64_t sum;
    nfl_status last;
    nfl_error err;
    uint64_t offset;
    size_t memory;
} reading;

static nfl_stream *stream_make(void)
{
    nfl_stream *stream = NULL;
    CU_ASSERT_EQUAL_FATAL(nfl_stream_new(NULL, &stream, NULL), NFL_OK);
    return stream;
}

static nfl_status drain(nfl_stream *stream, reading *r)
{
    const uint8_t *data;
    size_t len;
    nfl_status status;
    while ((status = nfl_stream_next(stream, &data, &len, &r->err)) == NFL_OK) {
        if (r->count < 8)
            r->lens[r->count] = len;
        r->count++;
        for (size_t i = 0; i < len; i++)
            r->sum = r->sum * 31 + data[i];
    }
    return status;
}

/* All of it, `piece` bytes at a time; 0 = pieces at random. Each piece in a block of its own that is gone afterwards. */
static reading read_split(const uint8_t *bytes, size_t len, size_t piece, test_random *random)
{
    reading r = {.last = NFL_PENDING};
    nfl_stream *stream = stream_make();
    for (size_t at = 0; at < len && r.last == NFL_PENDING;) {
        size_t n = piece ? piece : 1 + (size_t)test_below(random, 40);
        n = n < len - at ? n : len - at;
        uint8_t *copy = test_exact(bytes + at, n);
        CU_ASSERT_EQUAL(nfl_stream_feed(stream, copy, n, NULL), NFL_OK);
        r.last = drain(stream, &r);
        free(copy);
        at += n;
    }
    if (r.last == NFL_PENDING && nfl_stream_feed(stream, NULL, 0, NULL) == NFL_OK)
        r.last = drain(stream, &r);
    r.offset = nfl_stream_offset(stream);
    r.memory = nfl_stream_memory(stream);
    nfl_stream_free(stream);
    return r;
}

static void test_messages_come_out_whole_or_the_stream_is_refused(void)
{
    static const struct {
        const char *name, *hex;
        size_t count;
        nfl_status last;
        uint64_t offset; /* of the error */
        const char *message;
    } rows[] = {
        {"nothing", "", 0, NFL_DONE, 0, NULL},
        {"one", MESSAGE_16, 1, NFL_DONE, 0, NULL},
        {"three", MESSAGE_16 MESSAGE_20 MESSAGE_16, 3, NFL_DONE, 0, NULL},
        {"ends in a header", MESSAGE_16 "000a 00", 1, NFL_E_TRUNCATED, 16, "the stream ends 3 bytes into a message"},
        {"ends after a byte", MESSAGE_20 "00", 1, NFL_E_TRUNCATED, 20, "the stream ends 1 bytes into a message"},
        {"ends in a body", MESSAGE_16 "000a 0014 64ffffff", 1, NFL_E_TRUNCATED, 16, "the stream ends 8 bytes into a message"},
        {"NetFlow v9", "0009 0001 00000000", 0, NFL_E_FORMAT, 0, "version 9 where an IPFIX message starts, 10 expected"},
        {"lost its place", MESSAGE_16 "6874 7470", 1, NFL_E_FORMAT, 16, "version 26740 where an IPFIX message starts, 10 expected"},
        {"two wrong bytes", MESSAGE_16 "000b", 1, NFL_E_FORMAT, 16, "version 11 where an IPFIX message starts, 10 expected"},
        {"no length", "000a 0000", 0, NFL_E_FORMAT, 0, "IPFIX message of length 0, at least 16 expected"},
        {"a header too short", MESSAGE_20 "000a 000f 0000", 1, NFL_E_FORMAT, 20, "IPFIX message of length 15, at least 16 expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len;
        uint8_t *bytes = test_hex(rows[i].hex, &len);
        reading whole = read_split(bytes, len, len + 1, NULL);
        for (size_t piece = 1; piece <= len + 1; piece++) {
            reading r = read_split(bytes, len, piece, NULL);
            NFL_CHECK(rows[i].name, r.count == rows[i].count && r.last == rows[i].last && r.sum == whole.sum);
            NFL_CHECK(rows[i].name, r.offset == whole.offset && memcmp(r.lens, whole.lens, sizeof r.lens) == 0);
            NFL_CHECK(rows[i].name, !rows[i].message ||
                                        (strcmp(r.err.message, rows[i].message) == 0 && r.err.offset == rows[i].offset));
        }
        free(bytes);
    }
}

static void test_every_split_gives_the_same_messages(void)
{
    test_random random = {test_seed()};
    printf("(NFL_SEED=%llu) ", (unsigned long long)random.state);
    enum { ROOM = 8 * 65535 };
    uint8_t *bytes = malloc(ROOM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (unsigned round = 0; round < 200; round++) {
        size_t len = 0;
        for (size_t n = 1 + (size_t)test_below(&random, 8); n > 0; n--) {
            size_t message = test_chance(&random, 3) ? 65535 : 16 + (size_t)test_below(&random, 100);
            for (size_t i = 0; i < message; i++)
                bytes[len + i] = (uint8_t)test_next(&random);
            memcpy(bytes + len, "\x00\x0a", 2);
            bytes[len + 2] = (uint8_t)(message >> 8);
            bytes[len + 3] = (uint8_t)message;
            len += message;
        }
        len -= test_chance(&random, 30) ? (size_t)test_below(&random, 16) : 0;
        reading whole = read_split(bytes, len, len, NULL), split = read_split(bytes, len, 0, &random);
        CU_ASSERT(whole.count == split.count && whole.sum == split.sum && whole.last == split.last);
        CU_ASSERT(whole.offset == split.offset && memcmp(whole.lens, split.lens, sizeof split.lens) == 0);
        CU_ASSERT(split.memory <= 65536 + 256);
    }
    free(bytes);
}

static void test_messages_that_are_not_split_are_not_copied(void)
{
    size_t len, got;
    uint8_t *bytes = test_hex(MESSAGE_16 MESSAGE_20, &len);
    nfl_stream *stream = stream_make();
    size_t before = nfl_stream_memory(stream);
    const uint8_t *data;
    CU_ASSERT_EQUAL(nfl_stream_feed(stream, bytes, len, NULL), NFL_OK);
    CU_ASSERT(nfl_stream_next(stream, &data, &got, NULL) == NFL_OK && data == bytes && got == 16);
    CU_ASSERT_EQUAL(nfl_stream_offset(stream), 16);
    CU_ASSERT(nfl_stream_next(stream, &data, &got, NULL) == NFL_OK && data == bytes + 16 && got == 20);
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_stream_offset(stream), 36);
    CU_ASSERT_EQUAL(nfl_stream_memory(stream), before);
    nfl_stream_free(stream);
    free(bytes);
}

static void test_calls_out_of_order_are_refused(void)
{
    size_t len, got;
    uint8_t *bytes = test_hex(MESSAGE_16 MESSAGE_16, &len);
    const uint8_t *data;
    nfl_error err;
    nfl_stream *stream = stream_make();
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_PENDING);
    CU_ASSERT_EQUAL(nfl_stream_feed(stream, bytes, len, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_stream_feed(stream, bytes, len, &err), NFL_E_STATE);
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_stream_feed(stream, NULL, 0, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_DONE);
    CU_ASSERT_EQUAL(nfl_stream_feed(stream, bytes, len, NULL), NFL_E_STATE);
    nfl_stream_free(stream);
    nfl_stream_free(NULL);
    free(bytes);
}

/* --- sessions: a parser forgets what one of them told --- */

#define IPFIX_16 "000a %04x 64ffffff 00000000 %08x"

static void feed_sets(nfl_parser *parser, const nfl_ip *from, unsigned domain, const char *sets, nfl_status want)
{
    char hex[400];
    size_t sets_len, len;
    free(test_hex(sets, &sets_len));
    snprintf(hex, sizeof hex, IPFIX_16 "%s", (unsigned)(16 + sets_len), domain, sets);
    uint8_t *bytes = test_hex(hex, &len);
    const nfl_flow *flow;
    CU_ASSERT_EQUAL(nfl_parser_feed(parser, from, NOW, bytes, len, NULL), NFL_OK);
    CU_ASSERT_EQUAL(nfl_parser_next(parser, &flow, NULL), want);
    free(bytes);
}

static void test_the_end_of_a_session_takes_its_templates(void)
{
    nfl_parser *parser = new_parser(NFL_PARSER_NO_PENDING);
    nfl_ip other = nfl_ip_from_v4(0xc0000263);
    for (unsigned domain = 0; domain < 5; domain++)
        feed_sets(parser, &exporter, domain, SET_T10, NFL_DONE);
    feed_sets(parser, &other, 1, SET_T10, NFL_DONE);
    feed_sets(parser, &exporter, 1, SET_D, NFL_OK); /* read half: over as well */
    CU_ASSERT_EQUAL(nfl_parser_forget(parser, &exporter, 9), 0);
    CU_ASSERT_EQUAL(nfl_parser_forget(parser, &exporter, 10), 5);
    const nfl_flow *flow;
    CU_ASSERT_EQUAL(nfl_parser_next(parser, &flow, NULL), NFL_DONE);
    for (unsigned domain = 0; domain < 5; domain++)
        feed_sets(parser, &exporter, domain, SET_D, NFL_E_NO_TEMPLATE);
    feed_sets(parser, &other, 1, SET_D, NFL_OK);
    nfl_parser_stats stats = stats_of(parser);
    CU_ASSERT_EQUAL(stats.datagrams, 13);
    CU_ASSERT_EQUAL(stats.flows, 2);
    CU_ASSERT_EQUAL(stats.domains, 6);
    CU_ASSERT_EQUAL(stats.evicted_domains, 0);
    CU_ASSERT_EQUAL(nfl_parser_forget(parser, &other, 10), 1);
    CU_ASSERT_EQUAL(nfl_parser_forget(parser, &other, 10), 0);
    nfl_parser_free(parser);
}

static nfl_status in_pieces(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_stream *stream = NULL;
    const uint8_t *data;
    size_t len, got;
    uint8_t *bytes = test_hex(MESSAGE_16 MESSAGE_20, &len);
    nfl_status status = nfl_stream_new(alloc, &stream, NULL);
    for (size_t at = 0; at < len && status >= 0; at++) {
        status = nfl_stream_feed(stream, bytes + at, 1, NULL);
        while (status >= 0 && (status = nfl_stream_next(stream, &data, &got, NULL)) == NFL_OK)
            ;
    }
    if (stream && status == NFL_E_NOMEM) {
        CU_ASSERT_EQUAL(nfl_stream_next(stream, &data, &got, NULL), NFL_DONE);
    }
    nfl_stream_free(stream);
    free(bytes);
    return status;
}

static void test_every_allocation_may_fail(void)
{
    CU_ASSERT(test_allocation_failures(in_pieces, NULL, 2) >= 2); /* an array that cannot double grows to what it needs */
}

NFL_SUITE("stream", {"messages come out whole or the stream is refused", test_messages_come_out_whole_or_the_stream_is_refused},
          {"every split gives the same messages", test_every_split_gives_the_same_messages},
          {"messages that are not split are not copied", test_messages_that_are_not_split_are_not_copied},
          {"calls out of order are refused", test_calls_out_of_order_are_refused},
          {"the end of a session takes its templates", test_the_end_of_a_session_takes_its_templates},
          {"every allocation may fail", test_every_allocation_may_fail})

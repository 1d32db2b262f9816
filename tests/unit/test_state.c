#include <CUnit/Basic.h>

#include "datagram.h"
#include "support.h"

#include "base/hash.h"
#include "base/wr.h"

#include <netflow/parser.h>

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1694498820000000)
#define SECOND INT64_C(1000000)

enum { HASH_AT = 8, HASHED_FROM = 16 };

static const nfl_ip exporter = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};

static nfl_parser *new_parser(const nfl_alloc *alloc)
{
    NFL_OPTS(nfl_parser_opts, opts, .alloc = alloc, .template_ttl_s = 600, .flags = NFL_PARSER_NO_PENDING);
    nfl_parser *parser = NULL;
    return nfl_parser_new(&opts, &parser, NULL) == NFL_OK ? parser : NULL;
}

/* Feed one datagram; returns the number of flows, and the last of them. */
static size_t feed(nfl_parser *parser, test_datagram *d, nfl_flow *last)
{
    const nfl_flow *flow;
    nfl_status status;
    size_t n = 0;
    test_close(d);
    if (nfl_parser_feed(parser, &exporter, NOW, d->bytes, d->len, NULL) < 0)
        return 0;
    while ((status = nfl_parser_next(parser, &flow, NULL)) != NFL_DONE)
        if (status == NFL_OK) {
            *last = *flow;
            n++;
        }
    return n;
}

static void learn(nfl_parser *parser, uint32_t domain)
{
    static test_datagram d;
    nfl_flow flow;
    test_v9(&d, 1000, 1694498816, 1, domain);
    test_bytes(&d, "0000 0010 0100 0002 0008 0004 0001 0004 0000 0010 0101 0002 0008 0004 0052 ffff");
    test_bytes(&d, "0001 0012 0102 0004 0004 0001 0000 0022 0004 0102 0008 00000064");
    test_bytes(&d, "0001 0012 0103 0004 0004 0002 0002 0052 0004 0103 000a 0007 65746830"); /* interface 7 is eth0 */
    (void)feed(parser, &d, &flow);
}

static int knows_name(const nfl_parser *parser, uint32_t domain)
{
    nfl_name name = {.struct_size = sizeof name};
    return nfl_parser_name(parser, &exporter, 9, domain, NFL_NAME_INTERFACE, 7, &name) == NFL_OK &&
           name.domain == domain && strcmp(name.name, "eth0") == 0 && name.told_us == NOW;
}

static int knows(nfl_parser *parser, uint32_t domain)
{
    static test_datagram d;
    nfl_flow flow;
    test_v9(&d, 1000, 1694498816, 2, domain);
    test_bytes(&d, "0100 000c 0a000001 00000005 0101 0008 0a000001 00");
    d.bytes[d.len - 1] = 0;
    return feed(parser, &d, &flow) >= 1 && flow.sampling == 100;
}

static uint8_t *save(const nfl_parser *parser, size_t *len)
{
    CU_ASSERT_EQUAL(nfl_parser_save(parser, NULL, 0, len, NULL), NFL_E_LIMIT);
    uint8_t *state = test_exact("", 0);
    state = realloc(state, *len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_save(parser, state, *len, len, NULL), NFL_OK);
    return state;
}

static void a_loaded_state_decodes_at_once(void)
{
    nfl_parser *first = new_parser(NULL), *second = new_parser(NULL);
    for (uint32_t domain = 0; domain < 40; domain++)
        learn(first, domain);
    size_t len = 0, again_len = 0;
    uint8_t *state = save(first, &len);
    CU_ASSERT_EQUAL_FATAL(nfl_parser_load(second, state, len, NOW + SECOND, NULL), NFL_OK);
    uint8_t *again = save(second, &again_len);
    CU_ASSERT_EQUAL(again_len, len);
    for (uint32_t domain = 0; domain < 40; domain++) {
        CU_ASSERT(knows_name(second, domain));
        CU_ASSERT(knows(second, domain));
    }
    CU_ASSERT(!knows(second, 41));
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW, NULL), NFL_OK); /* twice changes nothing */
    free(state);
    free(again);
    nfl_parser_free(first);
    nfl_parser_free(second);
}

static void an_empty_state_is_sound(void)
{
    nfl_parser *parser = new_parser(NULL);
    size_t len = 0;
    uint8_t *state = save(parser, &len);
    CU_ASSERT_EQUAL(nfl_parser_load(parser, state, len, NOW, NULL), NFL_OK);
    free(state);
    nfl_parser_free(parser);
}

static void old_templates_are_left_out(void)
{
    nfl_parser *first = new_parser(NULL), *second = new_parser(NULL);
    learn(first, 1);
    size_t len = 0;
    uint8_t *state = save(first, &len);
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW + 601 * SECOND, NULL), NFL_OK);
    CU_ASSERT(!knows_name(second, 1));
    CU_ASSERT(!knows(second, 1));
    free(state);
    nfl_parser_free(first);
    nfl_parser_free(second);
}

static void known_templates_are_newer_and_stay(void)
{
    static test_datagram d;
    nfl_flow flow;
    nfl_parser *first = new_parser(NULL), *second = new_parser(NULL);
    learn(first, 1);
    size_t len = 0;
    uint8_t *state = save(first, &len);
    test_v9(&d, 1000, 1694498816, 1, 1);
    test_bytes(&d, "0000 0010 0100 0002 0001 0004 0008 0004"); /* the other way round */
    (void)feed(second, &d, &flow);
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW, NULL), NFL_OK);
    test_v9(&d, 1000, 1694498816, 2, 1);
    test_bytes(&d, "0100 000c 00000005 0a000001");
    CU_ASSERT_EQUAL(feed(second, &d, &flow), 1);
    CU_ASSERT_EQUAL(flow.bytes, 5);
    CU_ASSERT(knows_name(second, 1));
    test_v9(&d, 1000, 1694498816, 3, 1);
    test_bytes(&d, "0103 000a 0007 65746831"); /* eth1 now */
    (void)feed(second, &d, &flow);
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW, NULL), NFL_OK);
    CU_ASSERT(!knows_name(second, 1));
    free(state);
    nfl_parser_free(first);
    nfl_parser_free(second);
}

static void fix_hash(uint8_t *state, size_t len)
{
    if (len >= HASHED_FROM)
        nfl__store_le(state + HASH_AT, nfl__hash(state + HASHED_FROM, len - HASHED_FROM, 0), 8);
}

/* Version 1 had no names and no count of them. */
static void a_state_of_version_1_loads(void)
{
    enum { VERSION_AT = 4, NAMES_AT = 20 + 32, NAME_LEN = 24 };
    nfl_parser *first = new_parser(NULL), *second = new_parser(NULL);
    learn(first, 1);
    size_t len = 0;
    uint8_t *state = save(first, &len);
    state[VERSION_AT] = 1;
    len -= NAME_LEN; /* the only name comes last */
    memmove(state + NAMES_AT, state + NAMES_AT + 4, len - NAMES_AT - 4);
    len -= 4;
    fix_hash(state, len);
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW, NULL), NFL_OK);
    CU_ASSERT(knows(second, 1));
    CU_ASSERT(!knows_name(second, 1));
    state[VERSION_AT] = 3;
    CU_ASSERT_EQUAL(nfl_parser_load(second, state, len, NOW, NULL), NFL_E_VERSION);
    free(state);
    nfl_parser_free(first);
    nfl_parser_free(second);
}

/* Damage is found by the checksum; with the checksum made to fit, by the structure, or it is harmless. */
static void hostile_states_are_harmless(void)
{
    nfl_parser *first = new_parser(NULL);
    learn(first, 1);
    learn(first, 2);
    size_t len = 0;
    uint8_t *state = save(first, &len);
    for (size_t cut = 0; cut < len; cut++) {
        nfl_parser *parser = new_parser(NULL);
        uint8_t *part = test_exact(state, cut);
        CU_ASSERT_EQUAL(nfl_parser_load(parser, part, cut, NOW, NULL), NFL_E_CORRUPT);
        fix_hash(part, cut);
        CU_ASSERT(nfl_parser_load(parser, part, cut, NOW, NULL) < 0);
        nfl_parser_stats stats = {.struct_size = sizeof stats};
        nfl_parser_get_stats(parser, &stats);
        CU_ASSERT_EQUAL(stats.domains, 0);
        free(part);
        nfl_parser_free(parser);
    }
    for (size_t i = 0; i < len; i++) {
        nfl_parser *parser = new_parser(NULL);
        uint8_t *changed = test_exact(state, len);
        changed[i] ^= 0xff;
        nfl_status status = nfl_parser_load(parser, changed, len, NOW, NULL);
        CU_ASSERT(status == NFL_E_CORRUPT || status == NFL_E_VERSION || i == 6 || i == 7);
        fix_hash(changed, len);
        status = nfl_parser_load(parser, changed, len, NOW, NULL);
        CU_ASSERT(status == NFL_OK || status == NFL_E_CORRUPT || status == NFL_E_VERSION);
        (void)knows(parser, 1);
        free(changed);
        nfl_parser_free(parser);
    }
    free(state);
    nfl_parser_free(first);
}

static uint8_t *scenario_state;
static size_t scenario_len;

static nfl_status scenario(const nfl_alloc *alloc, void *ctx)
{
    (void)ctx;
    nfl_parser *parser = new_parser(alloc);
    if (!parser)
        return NFL_E_NOMEM;
    nfl_status status = nfl_parser_load(parser, scenario_state, scenario_len, NOW, NULL);
    nfl_parser_free(parser);
    return status;
}

static void allocation_failures_leak_nothing(void)
{
    nfl_parser *parser = new_parser(NULL);
    for (uint32_t domain = 0; domain < 20; domain++)
        learn(parser, domain);
    scenario_state = save(parser, &scenario_len);
    CU_ASSERT(test_allocation_failures(scenario, NULL, 50) > 60); /* growth is tried again smaller */
    free(scenario_state);
    nfl_parser_free(parser);
}

NFL_SUITE("state", {"a loaded state decodes at once", a_loaded_state_decodes_at_once},
          {"an empty state is sound", an_empty_state_is_sound},
          {"old templates are left out", old_templates_are_left_out},
          {"known templates are newer and stay", known_templates_are_newer_and_stay},
          {"a state of version 1 loads", a_state_of_version_1_loads},
          {"hostile states are harmless", hostile_states_are_harmless},
          {"allocation failures leak nothing", allocation_failures_leak_nothing})

#include <CUnit/Basic.h>
#include <netflow/enrich.h>

#include "support.h"

static void test_a_flow_gets_the_application_of_its_server(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .proto = 6, .src_port = 443, .dst_port = 50000};
    flow.present = NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_SRC_PORT) | NFL_HAS(NFL_FIELD_DST_PORT);
    nfl_enrich_app(&flow);
    CU_ASSERT_EQUAL(flow.app, 6u << 16 | 443);
    CU_ASSERT(flow.present & NFL_HAS(NFL_FIELD_APP));
}

static void test_an_application_that_is_set_stays(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .proto = 6, .dst_port = 443, .app = 6u << 16 | 22};
    flow.present = NFL_HAS(NFL_FIELD_PROTO) | NFL_HAS(NFL_FIELD_DST_PORT) | NFL_HAS(NFL_FIELD_APP);
    nfl_enrich_app(&flow);
    CU_ASSERT_EQUAL(flow.app, 6u << 16 | 22);
}

static void test_a_flow_without_protocol_has_no_application(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .dst_port = 443, .present = NFL_HAS(NFL_FIELD_DST_PORT)};
    nfl_enrich_app(&flow);
    CU_ASSERT_EQUAL(flow.app, 0);
    CU_ASSERT_EQUAL(flow.present, NFL_HAS(NFL_FIELD_DST_PORT));
}

static void test_a_flow_without_ports_has_the_protocol_as_application(void)
{
    nfl_flow flow = {.struct_size = sizeof flow, .proto = 47, .present = NFL_HAS(NFL_FIELD_PROTO)};
    nfl_enrich_app(&flow);
    CU_ASSERT_EQUAL(flow.app, 47u << 16);
}

NFL_SUITE("enrich", {"a flow gets the application of its server", test_a_flow_gets_the_application_of_its_server},
          {"an application that is set stays", test_an_application_that_is_set_stays},
          {"a flow without protocol has no application", test_a_flow_without_protocol_has_no_application},
          {"a flow without ports has the protocol as application", test_a_flow_without_ports_has_the_protocol_as_application})

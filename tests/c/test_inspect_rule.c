/* Inspection's rules: what they say over the global values, and the audit trail. */
#include "world.h"

static void
test_audit_trail_reports_start_and_stop_with_bytes(void)
{
    /* P22. */
    struct world *world = world_inspect(100);
    const struct flow_event *event = NULL;

    world->inspect.audit_trail = 1;
    world_set(world);
    world_handshake(world, &world_ends);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_START, &event));
    EXPECT_EQ(40000, event->tuple.fport);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = WORLD_C + 1,
                               .ack = WORLD_S + 1,
                               .flags = WORLD_ACK,
                               .payload = 22});
    world_tcp(world, &world_ends, true,
              (struct segment){.seq = WORLD_S + 1,
                               .ack = WORLD_C + 23,
                               .flags = WORLD_ACK,
                               .payload = 208});
    world_tcp(world, &world_ends, true,
              (struct segment){.seq = WORLD_S + 209,
                               .ack = WORLD_C + 23,
                               .flags = WORLD_RST | WORLD_ACK});
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_STOP, &event));
    EXPECT_EQ(22, event->bytes[0]);
    EXPECT_EQ(208, event->bytes[1]);
    EXPECT_EQ(FLOW_END_RST, event->reason);
    EXPECT_EQ(6, event->protocol);
    world_free(world);
}

static void
test_rule_wins_over_the_global_value(void)
{
    /* P21, P22: alert and audit of a rule; P06: its timeout. */
    struct world *world = world_inspect(100);

    world->inspect.audit_trail = 1;
    world->inspect.rule[FLOW_TCP].audit = FLOW_OFF;
    world->inspect.rule[FLOW_TCP].timeout_ms = 7000;
    world->inspect.application_count = 1;
    world->inspect.application[0] = (struct flow_application){
        .port = 80,
        .protocol = 6,
        .rule = {.inspect = 1, .audit = FLOW_ON, .timeout_ms = 9000}};
    world_set(world);
    world_handshake(world, &world_ends);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_START, NULL));
    world_wait(world, 8999);
    EXPECT_TRUE(world_has(world, &world_ends));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &world_ends));
    world_free(world);
}

static void
test_protocol_that_is_not_inspected_passes_without_a_session(void)
{
    struct world *world = world_inspect(100);

    world->inspect.rule[FLOW_TCP].inspect = 0;
    world->inspect.rule[FLOW_UDP].inspect = 0;
    world->inspect.rule[FLOW_ICMP].inspect = 0;
    world_set(world);
    world_syn(world, &world_ends);
    world_udp(world, &world_ends, false, 1);
    world_icmp(world, &world_ends, true, 0);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(0, world_stats(world)->sessions_created);
    world_free(world);
}

static void
test_sessions_outlive_the_applications_of_their_time(void)
{
    /* A shorter list: their rule is that of TCP again. */
    struct world *world = world_inspect(100);

    world->inspect.application_count = 1;
    world->inspect.application[0] = (struct flow_application){
        .port = 80,
        .protocol = 6,
        .rule = {.inspect = 1, .audit = FLOW_ON, .timeout_ms = 9000}};
    world_set(world);
    world_handshake(world, &world_ends);
    world->inspect.application_count = 0;
    world_set(world);
    world_ack(world, &world_ends);
    EXPECT_EQ(world->now_ms + 9000, flow_next_deadline(world->flow));
    world_wait(world, 10000);
    EXPECT_TRUE(world_has(world, &world_ends));
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_audit_trail_reports_start_and_stop_with_bytes),
    TEST(test_rule_wins_over_the_global_value),
    TEST(test_protocol_that_is_not_inspected_passes_without_a_session),
    TEST(test_sessions_outlive_the_applications_of_their_time),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

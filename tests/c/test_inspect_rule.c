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

/* The sessions of one SYN, one datagram and one echo, begun on a side. */
static uint64_t
begun_on(struct world *world, uint32_t side, uint8_t octet)
{
    struct ends ends = world_ends;
    uint64_t before = world_stats(world)->sessions_created;

    ends.client += octet;
    world->side = side;
    world_syn(world, &ends);
    world_udp(world, &ends, false, 1);
    world_icmp(world, &ends, false, 8);
    return world_stats(world)->sessions_created - before;
}

static void
test_rules_hold_for_the_side_that_a_session_begins_on(void)
{
    struct world *world = world_inspect(100);

    world->inspect.by_side = 1;
    world->inspect.rule[FLOW_UDP].inspect = 0;
    world->inspect.rule[FLOW_ICMP].inspect = 0;
    world->inspect.server_rule[FLOW_TCP].inspect = 0;
    world_set(world);
    EXPECT_EQ(1, begun_on(world, FLOW_CLIENT, 1));
    EXPECT_EQ(2, begun_on(world, FLOW_SERVER, 2));
    /* On a tap what either side inspects is inspected. */
    EXPECT_EQ(3, begun_on(world, FLOW_TAP, 3));
    /* With one set for both, that of the clients' side is it. */
    world->inspect.by_side = 0;
    world_set(world);
    EXPECT_EQ(1, begun_on(world, FLOW_SERVER, 4));
    world_free(world);
}

static void
test_reply_is_under_the_rules_of_its_request(void)
{
    /* Echoes from inside are inspected, so a reply to none of them is refused;
     * those from outside are not, so theirs passes. */
    struct world *world = world_inspect(100);

    world->inspect.by_side = 1;
    world->inspect.rule[FLOW_ICMP].inspect = 0;
    world_set(world);
    world->side = FLOW_SERVER;
    world_icmp(world, &world_ends, true, 0);
    EXPECT_EQ(FLOW_DROP_ICMP_REPLY, world->verdict);
    world_icmp(world, &world_ends, false, 8);
    world_icmp(world, &world_ends, true, 0);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    world->side = FLOW_CLIENT;
    world_icmp(world, &world_ends, true, 0);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    world_free(world);
}

/* A connection begun on a side is forgotten after so long. */
static void
lives(struct world *world, uint32_t side, const struct ends *ends, uint64_t ms)
{
    world->side = side;
    world_handshake(world, ends);
    world_wait(world, ms - 1);
    EXPECT_TRUE(world_has(world, ends));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, ends));
}

static void
test_application_of_a_side_is_for_its_sessions_alone(void)
{
    struct world *world = world_inspect(100);
    struct ends other = world_ends;

    other.server_port = 443;
    world->inspect.by_side = 1;
    world->inspect.rule[FLOW_TCP].timeout_ms = 5000;
    world->inspect.server_rule[FLOW_TCP].timeout_ms = 6000;
    world->inspect.application_count = 2;
    world->inspect.application[0] =
        (struct flow_application){.port = 80,
                                  .protocol = 6,
                                  .side = FLOW_RULE_INSIDE,
                                  .rule = {.inspect = 1, .timeout_ms = 7000}};
    world->inspect.application[1] =
        (struct flow_application){.port = 443,
                                  .protocol = 6,
                                  .side = FLOW_RULE_OUTSIDE,
                                  .rule = {.inspect = 1, .timeout_ms = 8000}};
    world_set(world);
    lives(world, FLOW_CLIENT, &world_ends, 5000);
    lives(world, FLOW_SERVER, &world_ends, 7000);
    lives(world, FLOW_CLIENT, &other, 8000);
    lives(world, FLOW_SERVER, &other, 6000);
    world->inspect.by_side = 0;
    world_set(world);
    lives(world, FLOW_SERVER, &other, 8000);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_audit_trail_reports_start_and_stop_with_bytes),
    TEST(test_rule_wins_over_the_global_value),
    TEST(test_protocol_that_is_not_inspected_passes_without_a_session),
    TEST(test_sessions_outlive_the_applications_of_their_time),
    TEST(test_rules_hold_for_the_side_that_a_session_begins_on),
    TEST(test_reply_is_under_the_rules_of_its_request),
    TEST(test_application_of_a_side_is_for_its_sessions_alone),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

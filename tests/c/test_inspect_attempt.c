/* Inspection: attempts, thresholds, a full table. */
#include "world.h"

/* Thresholds of (low, high), and of the rate. */
static void
thresholds(struct world *world, uint32_t low, uint32_t high, uint32_t rate_low,
           uint32_t rate_high)
{
    world->inspect.max_incomplete_low = low;
    world->inspect.max_incomplete_high = high;
    world->inspect.one_minute_low = rate_low;
    world->inspect.one_minute_high = rate_high;
    world_set(world);
}

static void
test_501st_half_open_session_begins_aggressive_mode(void)
{
    /* P09: TCP and UDP count together, ICMP does not. */
    struct world *world = world_inspect(2000);
    const struct flow_event *event = NULL;

    thresholds(world, 400, 500, 100000, 100000);
    world_half_open(world, 0, 300);
    for (uint32_t i = 0; i < 200; i++) {
        struct ends ends = world_other(i);

        world_udp(world, &ends, false, 10);
        world_icmp(world, &ends, false, 8);
    }
    EXPECT_EQ(500, world_stats(world)->incomplete);
    EXPECT_EQ(200, world_stats(world)->uncounted);
    EXPECT_EQ(0, world_stats(world)->aggressive);
    world_half_open(world, 1000, 1);
    EXPECT_EQ(1, world_stats(world)->aggressive);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, &event));
    EXPECT_EQ(501, event->incomplete);
    EXPECT_EQ(500, event->limit);
    EXPECT_EQ(500, event->number);
    EXPECT_EQ(world->now_ms, world_stats(world)->aggressive_since_ms);
    EXPECT_EQ(200, event->udp);
    EXPECT_EQ(501, event->rate);
    EXPECT_EQ(FLOW_REASON_INCOMPLETE, event->reason);
    EXPECT_EQ(0, world_reported(world, FLOW_EVENT_EVICTED, NULL));
    world_free(world);
}

static void
test_501st_attempt_within_a_minute_begins_aggressive_mode(void)
{
    /* P10, P11: the count is as it is then, before the session is made. */
    struct world *world = world_inspect(2000);
    const struct flow_event *event = NULL;

    thresholds(world, 400, 700, 400, 500);
    for (uint32_t i = 0; i < 501; i++) {
        struct ends ends = world_other(i);

        world_handshake(world, &ends);
        world_wait(world, 100);
    }
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, &event));
    EXPECT_EQ(0, event->incomplete);
    EXPECT_EQ(501, event->rate);
    EXPECT_EQ(500, event->number);
    EXPECT_EQ(FLOW_REASON_RATE, event->reason);
    world_wait(world, 60000);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_CALM, &event));
    EXPECT_EQ(0, event->incomplete);
    EXPECT_EQ(400, event->limit);
    EXPECT_TRUE(event->rate < 400 && event->rate >= 390);
    world_free(world);
}

static void
test_attempt_that_is_not_counted_evicts_nothing(void)
{
    struct world *world = world_inspect(100);
    struct ends ends = world_other(50);

    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 4);
    EXPECT_EQ(1, world_stats(world)->aggressive);
    uint64_t evicted = world_stats(world)->ended[FLOW_END_EVICTED_COUNT];
    world_icmp(world, &ends, false, 8);
    EXPECT_EQ(1, world_stats(world)->uncounted);
    EXPECT_EQ(evicted, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    ends = world_other(51);
    world_syn(world, &ends);
    EXPECT_EQ(evicted + 1, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    world_free(world);
}

static void
test_aggressive_mode_ends_below_low_only(void)
{
    /* P12. */
    struct world *world = world_inspect(100);

    thresholds(world, 4, 5, 100000, 100000);
    world_half_open(world, 0, 6);
    EXPECT_EQ(1, world_stats(world)->aggressive);
    for (uint32_t i = 0; i < 3; i++) {
        struct ends ends = world_other(i);

        EXPECT_EQ(6 - i, world_stats(world)->incomplete);
        EXPECT_EQ(1, world_stats(world)->aggressive);
        world_syn_ack(world, &ends);
        world_ack(world, &ends);
    }
    EXPECT_EQ(3, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->aggressive);
    world_free(world);
}

static void
test_unlimited_thresholds_never_begin_anything(void)
{
    /* P24, smaller. */
    struct world *world = world_inspect(2000);

    thresholds(world, 0, 0, 0, 0);
    world_half_open(world, 0, 600);
    EXPECT_EQ(600, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->aggressive);
    world_free(world);
}

static void
test_full_table_of_established_passes_without_a_session(void)
{
    struct world *world = world_inspect(2);
    struct ends late = world_other(2);

    for (uint32_t i = 0; i < 2; i++) {
        struct ends ends = world_other(i);

        world_handshake(world, &ends);
    }
    world_syn(world, &late);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_TRUE(!world_has(world, &late));
    EXPECT_EQ(1, world_stats(world)->table_full);
    world_free(world);
}

static void
test_alerts_off_changes_reports_and_nothing_else(void)
{
    /* P21. */
    struct world *world = world_inspect(100);

    world->inspect.alert = 0;
    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 5);
    EXPECT_EQ(0, world->events);
    EXPECT_EQ(1, world_stats(world)->aggressive);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_501st_half_open_session_begins_aggressive_mode),
    TEST(test_501st_attempt_within_a_minute_begins_aggressive_mode),
    TEST(test_attempt_that_is_not_counted_evicts_nothing),
    TEST(test_aggressive_mode_ends_below_low_only),
    TEST(test_unlimited_thresholds_never_begin_anything),
    TEST(test_full_table_of_established_passes_without_a_session),
    TEST(test_alerts_off_changes_reports_and_nothing_else),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Inspection: attempts, thresholds, victims, deletion and timers. */
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
test_detect_only_judges_and_touches_nothing(void)
{
    struct world *world = world_inspect(100);

    world->inspect.detect_only = 1;
    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 10);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, NULL));
    EXPECT_EQ(4, world_stats(world)->incomplete);
    EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
    world_free(world);
}

static void
test_bursts_stop_while_rings_are_full(void)
{
    struct world *world = world_inspect(100);

    world->client.ring.count = WORLD_SLOTS - FLOW_TX_ROOM + 1;
    world_ring_clear(&world->rx);
    world->rx.ring.count = 1;
    EXPECT_EQ(0, flow_burst(world->flow, world->now_ms, &world->rx.ring, 0,
                            &world->client.ring, &world->server.ring));
    EXPECT_EQ(0, world->rx.ring.next);
    world_free(world);
}

static void
test_aggressive_mode_tells_its_reason(void)
{
    struct world *world = world_inspect(100);

    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 10);
    EXPECT_EQ(FLOW_REASON_INCOMPLETE, world_stats(world)->aggressive_reason);
    EXPECT_EQ(world->now_ms, world_stats(world)->aggressive_since_ms);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_detect_only_judges_and_touches_nothing),
    TEST(test_bursts_stop_while_rings_are_full),
    TEST(test_aggressive_mode_tells_its_reason),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Defaults are in range; new values are judged by the next call. */
#include "world.h"

#include "../../csrc/flow/flow_range.h"

static void
test_new_thresholds_are_judged_by_the_next_call(void)
{
    struct world *world = world_inspect(50);

    world_half_open(world, 0, 20);
    world->inspect.max_incomplete_low = 5;
    world->inspect.max_incomplete_high = 10;
    world->inspect.aggressive_evict = FLOW_EVICT_SWEEP;
    world_set(world);
    EXPECT_EQ(world->now_ms, flow_next_deadline(world->flow));
    world_wait(world, 0);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, NULL));
    EXPECT_EQ(4, world_stats(world)->incomplete);
    EXPECT_EQ(16, world->server.ring.count);
    world_free(world);
}

static void
test_defaults_are_in_range(void)
{
    struct world *world = world_inspect(5);
    struct flow_intercept_tunables intercept;
    struct flow_inspect_tunables inspect;

    flow_intercept_default(&intercept);
    flow_inspect_default(&inspect);
    EXPECT_TRUE(flow_intercept_valid(&intercept));
    EXPECT_TRUE(flow_inspect_valid(&inspect));
    EXPECT_TRUE(flow_set_inspect(world->flow, world->now_ms, &inspect));
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_defaults_are_in_range),
    TEST(test_new_thresholds_are_judged_by_the_next_call),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

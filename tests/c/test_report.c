/* Events about sessions. */
#include "world.h"

#include "../../csrc/flow/report.h"

static void
test_debug_events_need_debug(void)
{
    struct world *world = world_inspect(10);

    EXPECT_TRUE(report_event(world->flow, NULL, FLOW_EVENT_EVICTED) == NULL);
    EXPECT_TRUE(report_event(world->flow, NULL, FLOW_EVENT_STOP) != NULL);
    world->inspect.debug = 1;
    world_set(world);
    EXPECT_TRUE(report_event(world->flow, NULL, FLOW_EVENT_EVICTED) != NULL);
    world_free(world);
}

static void
test_events_that_nobody_takes_are_lost_and_counted(void)
{
    struct world *world = world_inspect(10);
    struct flow_event taken;

    while (report_event(world->flow, NULL, FLOW_EVENT_STOP) != NULL)
        ;
    uint64_t lost = world->flow->stats.journal_lost;
    EXPECT_TRUE(lost > 0);
    EXPECT_TRUE(report_event(world->flow, NULL, FLOW_EVENT_STOP) == NULL);
    EXPECT_EQ(lost + 1, world->flow->stats.journal_lost);
    EXPECT_EQ(1, flow_events(world->flow, &taken, 1));
    EXPECT_TRUE(report_event(world->flow, NULL, FLOW_EVENT_STOP) != NULL);
    EXPECT_EQ(lost + 1, world->flow->stats.journal_lost);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_debug_events_need_debug),
    TEST(test_events_that_nobody_takes_are_lost_and_counted),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

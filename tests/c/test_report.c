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

static const struct test tests[] = {
    TEST(test_debug_events_need_debug),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

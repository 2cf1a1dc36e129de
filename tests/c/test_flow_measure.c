/* Samples for the threshold advisor, and the counters of handshake ages. */
#include "world.h"

#include "../../csrc/flow/age.h"

static void
test_ages_have_four_counters_to_an_octave(void)
{
    /* A counter's first age is the one its number tells. */
    for (uint32_t i = 0; i < FLOW_AGES - 1; i++) {
        uint64_t first = i < 4 ? i : (UINT64_C(4) + i % 4) << (i / 4 - 1);
        EXPECT_EQ(i, age_counter(first));
        if (first > 0)
            EXPECT_EQ(i - 1, age_counter(first - 1));
    }
}

static void
test_the_last_counter_takes_all_that_are_older(void)
{
    /* Nothing is written beyond it. */
    EXPECT_EQ(FLOW_AGES - 1, age_counter(UINT64_C(7) << 14));
    EXPECT_EQ(FLOW_AGES - 1, age_counter(UINT64_MAX));
}

static void
test_time_is_that_of_the_latest_call(void)
{
    /* A call with an earlier time does not set it back. */
    struct world *world = world_inspect(50);
    struct flow_sample sample;

    EXPECT_EQ(0, flow_now_ms(world->flow));
    world_half_open(world, 20, 3);
    flow_measure(world->flow, world->now_ms + 5000, &sample);
    flow_measure(world->flow, world->now_ms + 4000, &sample);
    EXPECT_EQ(world->now_ms + 5000, flow_now_ms(world->flow));
    world_free(world);
}

static void
test_sample_has_the_heaviest_destination_of_tcp(void)
{
    /* UDP has its own count; without TCP there is none. */
    struct world *world = world_inspect(50);
    struct flow_sample sample;

    for (uint32_t i = 0; i < 9; i++) {
        struct ends ends = world_other(i);
        world_udp(world, &ends, false, 10);
    }
    flow_measure(world->flow, world->now_ms, &sample);
    EXPECT_EQ(0, sample.host_count);
    world_half_open(world, 20, 3);
    flow_measure(world->flow, world->now_ms, &sample);
    EXPECT_EQ(3, sample.host_count);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_ages_have_four_counters_to_an_octave),
    TEST(test_the_last_counter_takes_all_that_are_older),
    TEST(test_time_is_that_of_the_latest_call),
    TEST(test_sample_has_the_heaviest_destination_of_tcp),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

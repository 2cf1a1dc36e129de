/* A capture at its own clock: what is due between packets happens in time. */
#include "world.h"

/* Slot i holds a SYN of client i at a time. */
static void
capture(struct world *world, uint32_t count, const uint64_t *time_ms)
{
    static struct packet packet;
    struct syncache_ring *rx = &world->rx.ring;

    world_ring_clear(&world->rx);
    for (uint32_t i = 0; i < count; i++) {
        struct ends ends = world_other(i);

        world_segment(&packet, &ends, false,
                      (struct segment){.seq = WORLD_C, .flags = WIRE_SYN});
        memcpy(rx->memory + (size_t)i * WORLD_SLOT_SIZE, packet.bytes,
               packet.size);
        rx->slot[i] = (struct syncache_slot){.size = (uint32_t)packet.size,
                                             .handle = time_ms[i]};
    }
    rx->count = count;
}

static void
test_timers_run_between_packets(void)
{
    /* The first session is over when the third packet comes. */
    static const uint64_t times[] = {5000000, 5000000, 5040000, 5040010};
    struct world *world = world_inspect(10);

    world->inspect.audit_trail = 1;
    world_set(world);
    capture(world, 4, times);
    EXPECT_EQ(4, flow_replay(world->flow, UINT64_MAX, &world->rx.ring));
    world_check(world);
    EXPECT_EQ(4, world->events - 2);
    EXPECT_EQ(2, world_stats(world)->incomplete);
    EXPECT_EQ(2, world_stats(world)->ended[FLOW_END_SYNWAIT]);
    EXPECT_EQ(FLOW_EVENT_STOP, world->event[2].kind);
    EXPECT_EQ(5030000, world->event[2].time_ms);
    EXPECT_EQ(5030000, world->event[3].time_ms);
    EXPECT_EQ(5040000, world->event[4].time_ms);
    EXPECT_EQ(5040010, world->event[5].time_ms);
    world_free(world);
}

static void
test_replay_stops_at_the_time_asked_for(void)
{
    static const uint64_t times[] = {5000000, 5000999, 5001000, 5002000};
    struct world *world = world_inspect(10);

    capture(world, 4, times);
    EXPECT_EQ(2, flow_replay(world->flow, 5001000, &world->rx.ring));
    EXPECT_EQ(2, world->rx.ring.next);
    EXPECT_EQ(4, world->rx.ring.count);
    EXPECT_EQ(2, flow_replay(world->flow, 5003000, &world->rx.ring));
    EXPECT_EQ(4, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_clock_that_goes_back_in_a_capture_stands_still(void)
{
    static const uint64_t times[] = {5000000, 4000000};
    struct world *world = world_inspect(10);

    capture(world, 2, times);
    EXPECT_EQ(2, flow_replay(world->flow, UINT64_MAX, &world->rx.ring));
    EXPECT_EQ(5000000, world->flow->now_ms);
    EXPECT_EQ(2, world_stats(world)->incomplete);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_timers_run_between_packets),
    TEST(test_replay_stops_at_the_time_asked_for),
    TEST(test_clock_that_goes_back_in_a_capture_stands_still),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

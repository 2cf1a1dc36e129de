/* Inspection: victims, and how a half-open session is deleted. */
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
test_new_session_in_aggressive_mode_deletes_the_oldest(void)
{
    /* P13: RST|ACK s+1, c+1 to the client, RST c+1 to the server. */
    struct world *world = world_inspect(100);
    struct ends oldest = world_other(0);
    struct ends newest = world_other(50);
    struct syncache_fields fields;

    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 1);
    world_syn_ack(world, &oldest);
    world_half_open(world, 1, 3);
    EXPECT_EQ(0, world->client.ring.count);
    world_syn(world, &newest);
    EXPECT_TRUE(!world_has(world, &oldest) && world_has(world, &newest));
    EXPECT_EQ(4, world_stats(world)->incomplete);
    EXPECT_EQ(1, world->client.ring.count);
    EXPECT_EQ(1, world->server.ring.count);
    fields = world_sent(&world->client, 0);
    EXPECT_EQ(WIRE_RST | WIRE_ACK, fields.flags);
    EXPECT_EQ(WORLD_S + 1, fields.seq);
    EXPECT_EQ(WORLD_C + 1, fields.ack);
    EXPECT_EQ(oldest.client_port, fields.dport);
    fields = world_sent(&world->server, 0);
    EXPECT_EQ(WIRE_RST, fields.flags);
    EXPECT_EQ(WORLD_C + 1, fields.seq);
    EXPECT_EQ(80, fields.dport);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    world_free(world);
}

static void
test_reset_of_an_unanswered_syn_has_number_0(void)
{
    struct world *world = world_inspect(100);
    struct syncache_fields fields;

    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 5);
    EXPECT_EQ(1, world->client.ring.count);
    fields = world_sent(&world->client, 0);
    EXPECT_EQ(WIRE_RST | WIRE_ACK, fields.flags);
    EXPECT_EQ(0, fields.seq);
    EXPECT_EQ(WORLD_C + 1, fields.ack);
    world_free(world);
}

static void
test_deleted_udp_session_vanishes_silently(void)
{
    struct world *world = world_inspect(100);
    struct ends oldest = world_other(0);

    thresholds(world, 2, 3, 100000, 100000);
    world_udp(world, &oldest, false, 1);
    world_half_open(world, 1, 4);
    EXPECT_TRUE(!world_has(world, &oldest));
    EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
    world_free(world);
}

static void
test_sweep_deletes_down_to_below_low(void)
{
    /* P14. */
    struct world *world = world_inspect(100);
    struct ends left = world_other(9);

    world->inspect.aggressive_evict = FLOW_EVICT_SWEEP;
    thresholds(world, 4, 12, 5, 100000);
    world_half_open(world, 0, 12);
    EXPECT_EQ(12, world_stats(world)->incomplete);
    world_half_open(world, 12, 1);
    EXPECT_EQ(3, world_stats(world)->incomplete);
    left = world_other(10);
    EXPECT_TRUE(world_has(world, &left));
    left = world_other(9);
    EXPECT_TRUE(!world_has(world, &left));
    /* Still aggressive by the rate: the count stays below low. */
    EXPECT_EQ(1, world_stats(world)->aggressive);
    world_half_open(world, 13, 5);
    EXPECT_EQ(3, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_random_victims_are_spread(void)
{
    struct world *world = world_inspect(100);
    uint32_t gone_old = 0;

    world->inspect.drop_mode = FLOW_DROP_RANDOM;
    thresholds(world, 1, 39, 100000, 100000);
    world_half_open(world, 0, 40);
    world_half_open(world, 40, 20);
    EXPECT_EQ(40, world_stats(world)->incomplete);
    for (uint32_t i = 0; i < 20; i++) {
        struct ends ends = world_other(i);

        gone_old += !world_has(world, &ends);
    }
    EXPECT_TRUE(gone_old > 0 && gone_old < 20);
    world_free(world);
}

static void
test_heaviest_destination_loses_its_own(void)
{
    /* P29, smaller: 48 to A, 2 to B, all evictions hit A. */
    struct world *world = world_inspect(200);

    world->inspect.drop_mode = FLOW_DROP_HEAVIEST;
    thresholds(world, 1, 49, 100000, 100000);
    for (uint32_t i = 0; i < 2; i++) {
        struct ends ends = world_other(i);

        ends.server++;
        world_syn(world, &ends);
    }
    world_half_open(world, 2, 48);
    world_half_open(world, 50, 40);
    EXPECT_EQ(40, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    for (uint32_t i = 0; i < 2; i++) {
        struct ends ends = world_other(i);

        EXPECT_TRUE(world_has(world, &ends));
    }
    world_free(world);
}

static void
test_heaviest_below_a_quarter_is_spared(void)
{
    /* One honest server among many attacked ones keeps its handshakes. */
    struct world *world = world_inspect(200);
    struct ends oldest = world_other(0);
    struct ends honest = world_other(1);

    world->inspect.drop_mode = FLOW_DROP_HEAVIEST;
    thresholds(world, 1, 40, 100000, 100000);
    for (uint32_t i = 0; i < 41; i++) {
        struct ends ends = world_other(i);

        ends.server += i < 1 || i > 9 ? i : 1;
        world_syn(world, &ends);
    }
    world_half_open(world, 41, 1);
    EXPECT_TRUE(!world_has(world, &oldest));
    EXPECT_TRUE(world_has(world, &honest));
    world_free(world);
}

static void
test_full_table_evicts_the_oldest_half_open(void)
{
    struct world *world = world_inspect(4);
    struct ends oldest = world_other(0);

    world_half_open(world, 0, 5);
    EXPECT_TRUE(!world_has(world, &oldest));
    EXPECT_EQ(4, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_EVICTED_FULL]);
    world_free(world);
}

static void
test_tap_sends_resets_only_when_told_to(void)
{
    struct world *world = world_inspect(100);

    world->side = FLOW_TAP;
    thresholds(world, 2, 3, 100000, 100000);
    world_half_open(world, 0, 5);
    EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
    EXPECT_EQ(0, world->rx.ring.passed_count);
    world->inspect.tap_reset = 1;
    world_set(world);
    world_half_open(world, 5, 1);
    EXPECT_EQ(1, world->client.ring.count);
    EXPECT_EQ(1, world->server.ring.count);
    world_free(world);
}

static void
test_resets_wait_for_room(void)
{
    /* A sweep of more than the rings hold: all go, some a call later. */
    struct world *world = world_inspect(2000);

    world->inspect.aggressive_evict = FLOW_EVICT_SWEEP;
    thresholds(world, 1, 999, 100000, 100000);
    world_half_open(world, 0, 999);
    world_half_open(world, 999, 1);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(WORLD_SLOTS - FLOW_TX_ROOM + 1, world->client.ring.count);
    EXPECT_EQ(world->now_ms, flow_next_deadline(world->flow));
    world_ring_clear(&world->client);
    world_ring_clear(&world->server);
    flow_poll(world->flow, world->now_ms, &world->client.ring,
              &world->server.ring);
    EXPECT_EQ(1000 - (WORLD_SLOTS - FLOW_TX_ROOM + 1),
              world->client.ring.count);
    EXPECT_EQ(1000, world_stats(world)->resets_server);
    world_check(world);
    world_free(world);
}

static void
test_rate_alone_costs_one_for_each_new_one_unless_sweeping(void)
{
    /* Far below low: a sweep has nothing to do. */
    for (uint32_t mode = 0; mode <= FLOW_EVICT_NOBODY; mode++) {
        struct world *world = world_inspect(100);

        world->inspect.aggressive_evict = mode;
        thresholds(world, 50, 60, 1, 2);
        world_half_open(world, 0,
                        3); /* the third is above the rate, and costs one */
        world_half_open(world, 3, 5);
        EXPECT_EQ(mode == FLOW_EVICT_PER_NEW ? 2 : 8,
                  world_stats(world)->incomplete);
        world_free(world);
    }
}

static void
test_sweep_without_a_low_mark_deletes_nothing(void)
{
    /* Unlimited count, aggressive by the rate: there is nothing to sweep down to. */
    struct world *world = world_inspect(100);

    world->inspect.aggressive_evict = FLOW_EVICT_SWEEP;
    thresholds(world, 0, 0, 1, 2);
    world_half_open(world, 0, 8);
    EXPECT_EQ(1, world_stats(world)->aggressive);
    EXPECT_EQ(8, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_heaviest_with_a_quarter_loses_its_own(void)
{
    struct world *world = world_inspect(200);
    struct ends oldest = world_other(0);
    struct ends heaviest = world_other(1);

    world->inspect.drop_mode = FLOW_DROP_HEAVIEST;
    thresholds(world, 1, 40, 100000, 100000);
    for (uint32_t i = 0; i < 41; i++) {
        struct ends ends = world_other(i);

        ends.server += i < 1 || i > 11 ? i : 1;
        world_syn(world, &ends);
    }
    world_half_open(world, 41, 1);
    EXPECT_TRUE(world_has(world, &oldest));
    EXPECT_TRUE(!world_has(world, &heaviest));
    world_free(world);
}

static void
test_full_table_without_a_half_open_session_takes_no_new_one(void)
{
    struct world *world = world_inspect(4);

    for (uint32_t i = 0; i < 4; i++) {
        struct ends ends = world_other(i);

        world_handshake(world, &ends);
    }
    world_half_open(world, 9, 1);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(4, world_stats(world)->established);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_full_table_of_silent_clients_loses_one_of_theirs(void)
{
    struct world *world = world_inspect(FLOW_SILENT_FEW + 4);
    struct ends newest = world_other(500);

    for (uint32_t i = 0; i < FLOW_SILENT_FEW + 4; i++) {
        struct ends ends = world_other(i);

        world_handshake(world, &ends);
    }
    world_wait(world, FLOW_SILENT_GRACE_MS + 1);
    world_syn(world, &newest);
    EXPECT_TRUE(world_has(world, &newest));
    EXPECT_EQ(FLOW_SILENT_FEW + 3, world_stats(world)->established);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_EVICTED_FULL]);
    EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_new_session_in_aggressive_mode_deletes_the_oldest),
    TEST(test_reset_of_an_unanswered_syn_has_number_0),
    TEST(test_deleted_udp_session_vanishes_silently),
    TEST(test_sweep_deletes_down_to_below_low),
    TEST(test_random_victims_are_spread),
    TEST(test_heaviest_destination_loses_its_own),
    TEST(test_heaviest_below_a_quarter_is_spared),
    TEST(test_full_table_evicts_the_oldest_half_open),
    TEST(test_tap_sends_resets_only_when_told_to),
    TEST(test_resets_wait_for_room),
    TEST(test_rate_alone_costs_one_for_each_new_one_unless_sweeping),
    TEST(test_sweep_without_a_low_mark_deletes_nothing),
    TEST(test_heaviest_with_a_quarter_loses_its_own),
    TEST(test_full_table_without_a_half_open_session_takes_no_new_one),
    TEST(test_full_table_of_silent_clients_loses_one_of_theirs),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

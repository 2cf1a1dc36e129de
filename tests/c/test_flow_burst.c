/* Rings of packets: stages change no result, and what is no session's passes. */
#include "world.h"

static struct packet script[WORLD_SLOTS];

/* Many connections at once, their packets in an order of chance. */
static uint32_t
make_script(void)
{
    uint32_t count = 0;

    while (count < 400) {
        struct ends ends = world_other((uint32_t)test_random_below(30));
        uint64_t what = test_random_below(5);
        struct segment segment = {.seq = WORLD_C, .flags = WIRE_SYN};

        if (what == 1)
            segment = (struct segment){.seq = WORLD_S,
                                       .ack = WORLD_C + 1,
                                       .flags = WIRE_SYN | WIRE_ACK};
        else if (what == 2)
            segment = (struct segment){
                .seq = WORLD_C + 1, .ack = WORLD_S + 1, .flags = WIRE_ACK};
        else if (what == 3)
            segment = (struct segment){.seq = WORLD_C + 1,
                                       .ack = WORLD_S + 1,
                                       .flags = WIRE_ACK | WIRE_FIN};
        else if (what == 4)
            segment = (struct segment){.seq = WORLD_C + 1, .flags = WIRE_RST};
        world_segment(&script[count++], &ends, what == 1, segment);
    }
    return count;
}

static void
test_bursts_do_what_single_packets_do(void)
{
    struct world *single = world_inspect(20);
    struct world *burst = world_inspect(20);
    uint32_t count = make_script();
    struct syncache_ring *rx = &burst->rx.ring;

    single->inspect.max_incomplete_high = burst->inspect.max_incomplete_high =
        10;
    single->inspect.max_incomplete_low = burst->inspect.max_incomplete_low = 5;
    world_set(single);
    world_set(burst);
    for (uint32_t i = 0; i < count; i++) {
        world_put(single, &script[i], FLOW_TAP);
        memcpy(rx->memory + (size_t)i * WORLD_SLOT_SIZE, script[i].bytes,
               script[i].size);
        rx->slot[i].size = (uint32_t)script[i].size;
    }
    rx->count = count;
    EXPECT_EQ(count, flow_burst(burst->flow, burst->now_ms, rx, FLOW_TAP,
                                &burst->client.ring, &burst->server.ring));
    world_check(burst);
    EXPECT_TRUE(world_stats(single)->completed > 0);
    EXPECT_BYTES((const uint8_t *)world_stats(single),
                 (const uint8_t *)world_stats(burst),
                 sizeof(struct flow_stats));
    world_free(single);
    world_free(burst);
}

static void
test_what_is_not_looked_into_passes_untouched(void)
{
    struct world *world = world_inspect(10);
    static struct packet packet;
    uint8_t before[100];

    for (uint32_t size = 0; size < 100; size += 7) {
        packet.size = size;
        test_random_bytes(packet.bytes, size);
        if (size > 0 && size % 2 == 0)
            packet.bytes[0] = (uint8_t)(size % 4 == 0 ? 0x45 : 0x60);
        memcpy(before, packet.bytes, size);
        world_put(world, &packet, FLOW_CLIENT);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        EXPECT_EQ(1, world->rx.ring.passed_count);
        EXPECT_BYTES(before, world->rx.memory, size);
    }
    world_free(world);
}

static void
test_packets_are_counted_by_protocol(void)
{
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    world_udp(world, &world_ends, false, 3);
    world_udp(world, &world_ends, true, 3);
    world_icmp(world, &world_ends, false, 8);
    EXPECT_EQ(1, world_stats(world)->packets_tcp);
    EXPECT_EQ(2, world_stats(world)->packets_udp);
    EXPECT_EQ(1, world_stats(world)->packets_icmp);
    EXPECT_EQ(4, world_stats(world)->verdicts[FLOW_FORWARD]);
    world_free(world);
}

static void
test_time_that_goes_back_stands_still(void)
{
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    world->now_ms -= 500;
    world_ack(world, &world_ends);
    EXPECT_EQ(world->now_ms + 500, world->flow->now_ms);
    world_free(world);
}

static void
test_without_rings_to_send_into_answers_are_lost_and_counted(void)
{
    struct world *world = world_inspect(10);

    world->inspect.max_incomplete_low = 1;
    world->inspect.max_incomplete_high = 1;
    world_set(world);
    world_half_open(world, 0, 2);
    EXPECT_EQ(0, flow_poll(world->flow, world->now_ms, NULL, NULL));
    static struct packet packet;
    struct ends ends = world_other(5);
    struct syncache_ring *rx = &world->rx.ring;
    world_segment(&packet, &ends, false,
                  (struct segment){.seq = 1, .flags = WIRE_SYN});
    world_ring_clear(&world->rx);
    memcpy(rx->memory, packet.bytes, packet.size);
    rx->slot[0].size = (uint32_t)packet.size;
    rx->count = 1;
    EXPECT_EQ(
        1, flow_burst(world->flow, world->now_ms, rx, FLOW_CLIENT, NULL, NULL));
    EXPECT_EQ(2, world_stats(world)->tx_lost);
    EXPECT_EQ(0, world_stats(world)->resets_server);
    world_free(world);
}

/* Segments of so many clients in one burst; each ACKs what it was sent. */
static void
together(struct world *world, uint32_t count, uint8_t flags)
{
    struct syncache_ring *rx = &world->rx.ring;

    world_ring_clear(&world->rx);
    for (uint32_t i = 0; i < count; i++) {
        static struct packet packet;
        struct ends ends = world_other(i);
        struct segment segment = {.seq = WORLD_C, .flags = flags};

        if (flags == WIRE_ACK) {
            segment.seq++;
            segment.ack = world_sent(&world->client, i).seq + 1;
        }
        world_segment(&packet, &ends, false, segment);
        memcpy(rx->memory + (size_t)i * WORLD_SLOT_SIZE, packet.bytes,
               packet.size);
        rx->slot[i] = (struct syncache_slot){.size = (uint32_t)packet.size};
        rx->count++;
    }
    EXPECT_EQ(count, flow_burst(world->flow, world->now_ms, rx, FLOW_CLIENT,
                                &world->client.ring, &world->server.ring));
    world_check(world);
}

static struct world *
world_protected(uint32_t synack, uint32_t high)
{
    struct world *world = world_new(FLOW_INTERCEPT, 100);
    struct flow_intercept_tunables tunables;
    struct flow_rule rule = {.protocol = 6, .permit = 1};
    const uint8_t key[16] = {1};

    flow_intercept_default(&tunables);
    tunables.synack = synack;
    tunables.max_incomplete_low = 1;
    tunables.max_incomplete_high = high;
    EXPECT_TRUE(flow_set_intercept(world->flow, world->now_ms, &tunables));
    memset(rule.source_wildcard, 0xff, 16);
    memset(rule.destination_wildcard, 0xff, 16);
    EXPECT_TRUE(flow_set_rules(world->flow, &rule, 1, true));
    flow_set_key(world->flow, 0, key);
    return world;
}

static void
test_limit_that_is_crossed_in_a_burst_is_judged_there(void)
{
    for (int inspect = 0; inspect <= 1; inspect++) {
        struct world *world = inspect ? world_inspect(100)
                                      : world_protected(FLOW_SYNACK_CACHE, 3);
        const struct flow_event *event = NULL;

        world->inspect.max_incomplete_low = 1;
        world->inspect.max_incomplete_high = 3;
        if (inspect)
            world_set(world);
        together(world, 8, WIRE_SYN);
        EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, &event));
        EXPECT_EQ(4, event->incomplete);
        EXPECT_EQ(4, event->rate); /* the fourth, not the fifth */
        EXPECT_EQ(4, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
        world_free(world);
    }
}

static void
test_cookies_redeemed_in_a_burst_keep_to_the_limit(void)
{
    struct world *world = world_protected(FLOW_SYNACK_COOKIE, 2);

    together(world, 5, WIRE_SYN);
    EXPECT_EQ(5, world_stats(world)->cookies_sent);
    together(world, 5, WIRE_ACK);
    EXPECT_EQ(5, world_stats(world)->cookies_redeemed);
    EXPECT_EQ(3, world_stats(world)->incomplete);
    EXPECT_EQ(2, world_stats(world)->ended[FLOW_END_EVICTED_COUNT]);
    world_free(world);
}

static void
test_packets_of_other_protocols_pass_and_are_counted(void)
{
    static struct packet packet;
    struct world *world = world_inspect(10);

    packet_ip(&packet, 4, 47, 40);
    for (uint32_t i = 1; i <= 3; i++) {
        world_put(world, &packet, FLOW_CLIENT);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        EXPECT_EQ(i, world_stats(world)->packets_other);
    }
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_bursts_do_what_single_packets_do),
    TEST(test_what_is_not_looked_into_passes_untouched),
    TEST(test_packets_are_counted_by_protocol),
    TEST(test_time_that_goes_back_stands_still),
    TEST(test_without_rings_to_send_into_answers_are_lost_and_counted),
    TEST(test_limit_that_is_crossed_in_a_burst_is_judged_there),
    TEST(test_cookies_redeemed_in_a_burst_keep_to_the_limit),
    TEST(test_packets_of_other_protocols_pass_and_are_counted),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

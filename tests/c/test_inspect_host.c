/* Inspection: the limit of a destination, and its block. */
#include "world.h"

static struct world *
limited(uint32_t limit, uint32_t block_ms)
{
    struct world *world = world_inspect(1000);

    world->inspect.tcp_max_incomplete_host = limit;
    world->inspect.tcp_block_time_ms = block_ms;
    world_set(world);
    return world;
}

static void
test_51st_half_open_of_a_host_costs_its_oldest(void)
{
    /* P15. */
    struct world *world = limited(50, 0);
    struct ends other = world_other(900);
    struct ends oldest = world_other(0);
    const struct flow_event *event = NULL;

    other.server++;
    world_syn(world, &other);
    world_half_open(world, 0, 50);
    EXPECT_EQ(0, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    world_half_open(world, 50, 1);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_HOST_ALERT, &event));
    EXPECT_EQ(50, event->limit);
    EXPECT_EQ(51, event->incomplete);
    EXPECT_EQ(4, event->top_family);
    EXPECT_EQ(50, event->top_count);
    EXPECT_EQ(80, event->top_port);
    EXPECT_EQ(WORLD_SERVER, load32_be(event->tuple.laddr));
    EXPECT_TRUE(!world_has(world, &oldest) && world_has(world, &other));
    EXPECT_EQ(51, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_EVICTED_HOST]);
    world_free(world);
}

static void
test_host_alert_comes_once_per_excursion(void)
{
    struct world *world = limited(10, 0);

    world_half_open(world, 0, 20);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    /* Half of them complete: armed again. */
    for (uint32_t i = 10; i < 15; i++) {
        struct ends ends = world_other(i);

        world_syn_ack(world, &ends);
        world_ack(world, &ends);
    }
    world_half_open(world, 20, 10);
    EXPECT_EQ(2, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    world_free(world);
}

static void
test_host_alert_comes_again_after_a_minute(void)
{
    struct world *world = limited(2, 0);

    world->inspect.tcp_synwait_time_ms = 600000;
    world_set(world);
    world_half_open(world, 0, 3);
    world_wait(world, 59999);
    world_half_open(world, 3, 1);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    world_wait(world, 1);
    world_half_open(world, 4, 1);
    EXPECT_EQ(2, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    world_free(world);
}

static void
test_block_deletes_all_and_refuses_until_it_is_over(void)
{
    /* P16, P18: to the millisecond, and not prolonged by attempts. */
    struct world *world = limited(50, 120000);
    struct ends late = world_other(400);
    const struct flow_event *event = NULL;

    world_half_open(world, 0, 51);
    EXPECT_EQ(FLOW_DROP_BLOCKED, world->verdict);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(50, world->server.ring.count);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_HOST_ALERT, NULL));
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_BLOCK, &event));
    EXPECT_EQ(120000, event->number);
    EXPECT_EQ(50, event->limit);
    EXPECT_EQ(51, world_stats(world)->one_minute);
    world_wait(world, 119999);
    EXPECT_EQ(0, world_reported(world, FLOW_EVENT_UNBLOCK, NULL));
    world_syn(world, &late);
    EXPECT_EQ(FLOW_DROP_BLOCKED, world->verdict);
    EXPECT_EQ(0, world->rx.ring.passed_count);
    EXPECT_EQ(1, world_stats(world)->one_minute);
    world_wait(world, 1);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_UNBLOCK, &event));
    EXPECT_EQ(WORLD_SERVER, load32_be(event->tuple.laddr));
    world_wait(world, 100);
    world_syn(world, &late);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->hosts_blocked);
    world_free(world);
}

static void
test_block_leaves_others_alone(void)
{
    /* P17: established sessions, UDP, other hosts. */
    struct world *world = limited(5, 60000);
    struct ends established = world_other(900);
    struct ends other = world_other(901);

    world_handshake(world, &established);
    world_half_open(world, 0, 6);
    world_tcp(world, &established, false,
              (struct segment){.seq = WORLD_C + 1,
                               .ack = WORLD_S + 1,
                               .flags = WORLD_ACK,
                               .payload = 5});
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_TRUE(world_has(world, &established));
    world_udp(world, &other, false, 5);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    other.server++;
    world_syn(world, &other);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(1, world_stats(world)->incomplete_udp);
    EXPECT_EQ(2, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_block_that_does_not_clear_keeps_half_open_sessions(void)
{
    struct world *world = limited(5, 60000);

    world->inspect.block_clears = 0;
    world_set(world);
    world_half_open(world, 0, 6);
    EXPECT_EQ(5, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->hosts_blocked);
    world_free(world);
}

static void
test_block_action_evict_blocks_nobody(void)
{
    struct world *world = limited(5, 60000);

    world->inspect.block_action = FLOW_BLOCK_EVICT;
    world_set(world);
    world_half_open(world, 0, 9);
    EXPECT_EQ(5, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->blocks);
    world_free(world);
}

static void
test_limit_is_of_destinations_and_of_tcp(void)
{
    /* P19, P20. */
    struct world *world = limited(5, 0);

    for (uint32_t i = 0; i < 10; i++) {
        struct ends ends = world_ends;

        ends.server += 1 + i;
        world_syn(world, &ends);
        ends = world_other(i);
        world_udp(world, &ends, false, 1);
    }
    EXPECT_EQ(0, world_stats(world)->host_alerts);
    for (uint32_t i = 0; i < 6; i++) {
        struct ends ends = world_other(i);

        ends.server_port = (uint16_t)(80 + i % 2);
        world_syn(world, &ends);
    }
    EXPECT_EQ(1, world_stats(world)->host_alerts);
    world_free(world);
}

static void
test_silent_rule_blocks_without_a_word(void)
{
    struct world *world = limited(5, 1000);

    world->inspect.rule[FLOW_TCP].alert = FLOW_OFF;
    world_set(world);
    world_half_open(world, 0, 6);
    world_wait(world, 2000);
    EXPECT_EQ(1, world_stats(world)->blocks);
    EXPECT_EQ(0, world->events);
    world_free(world);
}

/* A block of 5 minutes with this action is on; answers are counted from 0. */
static struct world *
challenged(uint32_t action)
{
    struct world *world = limited(5, 300000);
    uint8_t key[16];

    test_random_bytes(key, sizeof key);
    flow_set_key(world->flow, 0, key);
    world->inspect.block_action = action;
    world->inspect.options = FLOW_OPTIONS_CISCO;
    world_set(world);
    world_half_open(world, 0, 6);
    EXPECT_EQ(FLOW_CONSUMED, world->verdict);
    return world;
}

/* The handshake of a client whose SYN was answered by us. */
static void
answer_challenge(struct world *world, const struct ends *ends)
{
    struct syncache_fields syn_ack =
        world_sent(&world->client, world->client.ring.count - 1);
    struct syncache_fields syn;
    uint32_t before = world->server.ring.count;

    EXPECT_EQ(WIRE_SYN | WIRE_ACK, syn_ack.flags);
    EXPECT_EQ(WORLD_C + 1, syn_ack.ack);
    EXPECT_EQ(ends->client_port, syn_ack.dport);
    world_tcp(world, ends, false,
              (struct segment){.seq = WORLD_C + 1,
                               .ack = syn_ack.seq + 1,
                               .flags = WORLD_ACK});
    EXPECT_EQ(FLOW_CONSUMED, world->verdict);
    EXPECT_EQ(before + 1, world->server.ring.count);
    syn = world_sent(&world->server, before);
    EXPECT_EQ(WIRE_SYN, syn.flags);
    EXPECT_EQ(WORLD_C, syn.seq);
    world_syn_ack(world, ends);
    EXPECT_EQ(FLOW_CONSUMED, world->verdict);
}

static void
test_block_action_cookie_lets_real_clients_in(void)
{
    /* P28: no state for the others. */
    struct world *world = challenged(FLOW_BLOCK_COOKIE);
    struct ends real = world_other(100);

    EXPECT_EQ(0, world_stats(world)->incomplete);
    world_half_open(world, 200, 100);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(101, world_stats(world)->cookies_sent);
    EXPECT_EQ(5, world->server.ring.count);
    world_syn(world, &real);
    answer_challenge(world, &real);
    EXPECT_EQ(1, world_stats(world)->established);
    EXPECT_EQ(1, world_stats(world)->cookies_redeemed);
    EXPECT_TRUE(world_has(world, &real));
    /* It goes on when the block is over, and is still translated. */
    world_wait(world, 300000);
    world_tcp(world, &real, true,
              (struct segment){.seq = WORLD_S + 1,
                               .ack = WORLD_C + 1,
                               .flags = WORLD_ACK,
                               .payload = 10});
    EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world->verdict);
    world_free(world);
}

static void
test_block_action_intercept_lets_real_clients_in(void)
{
    struct world *world = challenged(FLOW_BLOCK_INTERCEPT);
    struct ends real = world_other(100);

    world_syn(world, &real);
    EXPECT_EQ(2, world_stats(world)->incomplete);
    answer_challenge(world, &real);
    EXPECT_EQ(1, world_stats(world)->established);
    /* The other one is given up after 31 s, without a RST that reflects. */
    world_wait(world, 31000);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(5, world_stats(world)->resets_client);
    world_free(world);
}

static void
test_forged_ack_opens_nothing(void)
{
    struct world *world = challenged(FLOW_BLOCK_COOKIE);
    struct ends real = world_other(100);

    for (uint32_t i = 0; i < 100; i++)
        world_tcp(world, &real, false,
                  (struct segment){.seq = WORLD_C + 1,
                                   .ack = (uint32_t)test_random(),
                                   .flags = WORLD_ACK});
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_TRUE(!world_has(world, &real));
    EXPECT_EQ(5, world->server.ring.count);
    world_free(world);
}

static void
test_block_action_cookie_without_a_key_names_the_reason(void)
{
    struct world *world = limited(5, 300000);

    world->inspect.block_action = FLOW_BLOCK_COOKIE;
    world_set(world);
    world_half_open(world, 0, 9);
    EXPECT_EQ(FLOW_DROP_NO_KEY, world->verdict);
    EXPECT_EQ(4, world_stats(world)->verdicts[FLOW_DROP_NO_KEY]);
    world_free(world);
}

static void
test_tap_and_detect_only_challenge_nobody(void)
{
    for (int tap = 0; tap <= 1; tap++) {
        struct world *world = limited(5, 300000);
        uint8_t key[16] = {1};

        flow_set_key(world->flow, 0, key);
        world->side = tap ? FLOW_TAP : FLOW_CLIENT;
        world->inspect.detect_only = tap == 0;
        world->inspect.block_action = FLOW_BLOCK_COOKIE;
        world_set(world);
        world_half_open(world, 0, 9);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        EXPECT_EQ(1, world_stats(world)->blocks);
        EXPECT_EQ(0, world_stats(world)->cookies_sent);
        world_free(world);
    }
}

static void
test_those_above_the_limit_are_challenged_one_by_one_without_a_block(void)
{
    struct world *world = limited(5, 0);
    uint8_t key[16] = {1};

    flow_set_key(world->flow, 0, key);
    world->inspect.block_action = FLOW_BLOCK_COOKIE;
    world_set(world);
    world_half_open(world, 0, 8);
    EXPECT_EQ(3, world_stats(world)->cookies_sent);
    EXPECT_EQ(5, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->blocks);
    EXPECT_EQ(0, world_stats(world)->ended[FLOW_END_EVICTED_HOST]);
    world_free(world);
}

static void
test_challenge_at_a_limit_of_all_costs_the_oldest(void)
{
    struct world *world = challenged(FLOW_BLOCK_INTERCEPT);
    uint32_t before = world_stats(world)->incomplete;

    world->inspect.max_incomplete_high = before;
    world->inspect.max_incomplete_low = 1;
    world_set(world);
    world_half_open(world, 100, 1); /* begins aggressive mode */
    world_half_open(world, 101, 3);
    EXPECT_EQ(before + 1, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_alert_of_a_host_says_which_and_what_its_limit_is(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct world *world = limited(2, 0);
        const struct flow_event *event = NULL;

        for (uint32_t i = 0; i < 3; i++) {
            struct ends ends = world_other(i);
            ends.family = family;
            world_syn(world, &ends);
        }
        EXPECT_EQ(1, world_reported(world, FLOW_EVENT_HOST_ALERT, &event));
        EXPECT_EQ(6, event->protocol);
        EXPECT_EQ(FLOW_REASON_HOST, event->reason);
        EXPECT_EQ(2, event->limit);
        EXPECT_EQ(family, event->tuple.family);
        EXPECT_EQ(WORLD_SERVER,
                  load32_be(event->tuple.laddr + (family == 4 ? 0 : 12)));
        EXPECT_EQ(2, event->incomplete);
        EXPECT_EQ(2, event->top_count);
        EXPECT_EQ(family, event->top_family);
        EXPECT_EQ(80, event->top_port);
        world_free(world);
    }
}

static void
test_limit_of_one_leaves_the_newest(void)
{
    struct world *world = limited(1, 0);
    struct ends newest = world_other(2);

    world_half_open(world, 0, 3);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_TRUE(world_has(world, &newest));
    EXPECT_EQ(2, world_stats(world)->ended[FLOW_END_EVICTED_HOST]);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_51st_half_open_of_a_host_costs_its_oldest),
    TEST(test_host_alert_comes_once_per_excursion),
    TEST(test_host_alert_comes_again_after_a_minute),
    TEST(test_block_deletes_all_and_refuses_until_it_is_over),
    TEST(test_block_leaves_others_alone),
    TEST(test_block_that_does_not_clear_keeps_half_open_sessions),
    TEST(test_block_action_evict_blocks_nobody),
    TEST(test_limit_is_of_destinations_and_of_tcp),
    TEST(test_silent_rule_blocks_without_a_word),
    TEST(test_block_action_cookie_lets_real_clients_in),
    TEST(test_block_action_intercept_lets_real_clients_in),
    TEST(test_forged_ack_opens_nothing),
    TEST(test_block_action_cookie_without_a_key_names_the_reason),
    TEST(test_tap_and_detect_only_challenge_nobody),
    TEST(test_those_above_the_limit_are_challenged_one_by_one_without_a_block),
    TEST(test_challenge_at_a_limit_of_all_costs_the_oldest),
    TEST(test_alert_of_a_host_says_which_and_what_its_limit_is),
    TEST(test_limit_of_one_leaves_the_newest),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* TCP Intercept's policy: what is protected, aggressive mode, a full table. */
#include "handshake.h"

static struct flow_event events[64];

static uint32_t
count_events(uint8_t kind)
{
    uint32_t taken = flow_events(world.flow, events, 64), count = 0;
    for (uint32_t i = 0; i < taken; i++)
        count += events[i].kind == kind;
    return count;
}

static void
test_unprotected_syn_passes_without_a_trace(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    world.sport = 443;
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_EQ(1, between_send(&world, said));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_BYTES(packet, world.rx.memory, size);
    EXPECT_EQ(0, world.flow->stats.requests);
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_TRUE(flow_set_rules(world.flow, NULL, 0, false));
    EXPECT_EQ(1, handshake_syn(40000));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ(0, world.flow->sessions.count);
    between_close(&world);
}

static void
test_removed_list_leaves_spliced_connections_alone(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    uint32_t p = handshake_whole(40000);
    EXPECT_TRUE(flow_set_rules(world.flow, NULL, 0, false));
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                   S_ISN + 1, C_ISN + 1, 9)));
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(1, handshake_syn(40001));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    between_close(&world);
}

static void
test_one_eviction_per_further_syn_and_one_alert(void)
{
    /* high = 3: the 4th makes it aggressive, each further one costs one. */
    handshake_start(FLOW_SYNACK_CACHE, 3);
    for (uint16_t i = 0; i < 4; i++) {
        EXPECT_EQ(1, handshake_syn((uint16_t)(40000 + i)));
        EXPECT_EQ(i == 3, world.flow->threshold.aggressive);
        EXPECT_EQ(i + 1u, world.flow->stats.incomplete);
        world.now_ms += 10;
    }
    EXPECT_EQ(1, count_events(FLOW_EVENT_AGGRESSIVE));
    EXPECT_EQ(4, events[0].incomplete);
    EXPECT_EQ(3, events[0].limit);
    for (uint16_t i = 4; i < 8; i++) {
        EXPECT_EQ(1, handshake_syn((uint16_t)(40000 + i)));
        EXPECT_EQ(4, world.flow->stats.incomplete);
        EXPECT_EQ(i - 3u, world.flow->stats.ended[FLOW_END_EVICTED_COUNT]);
        world.cport = (uint16_t)(40000 + i - 4); /* the oldest */
        EXPECT_TRUE(between_session(&world) == NULL);
    }
    EXPECT_EQ(0, count_events(FLOW_EVENT_AGGRESSIVE));
    between_close(&world);
}

static void
test_evicted_client_comes_in_by_its_cookie(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1);
    EXPECT_EQ(1, handshake_syn(40000));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(1, handshake_syn(40001));
    EXPECT_EQ(1, handshake_syn(40002));
    world.cport = 40000;
    EXPECT_TRUE(between_session(&world) == NULL);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    EXPECT_EQ(C_ISN, world.out[0].seq);
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    EXPECT_EQ(1, world.flow->stats.cookies_redeemed);
    EXPECT_EQ(1, world.flow->stats.collateral);
    between_close(&world);
}

static void
test_auto_holds_no_state_while_aggressive_and_does_not_flap(void)
{
    handshake_start(FLOW_SYNACK_AUTO, 2);
    for (uint16_t i = 0; i < 3; i++)
        EXPECT_EQ(1, handshake_syn((uint16_t)(40000 + i)));
    EXPECT_TRUE(world.flow->threshold.aggressive);
    EXPECT_EQ(1, handshake_syn(41000));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(3, world.flow->sessions.count);
    EXPECT_EQ(1, world.flow->stats.cookies_sent);
    /* The three give up at 31 s; a cookie every 10 s is all that is left. */
    uint64_t begin = world.now_ms;
    for (uint32_t s = 10; s <= 80; s += 10) {
        for (uint64_t at = begin + s * 1000 - 10000; at < begin + s * 1000;
             at += 500) {
            world.now_ms = at;
            (void)between_poll(&world);
        }
        for (uint16_t i = 0; i < 3; i++)
            EXPECT_EQ(1, handshake_syn((uint16_t)(42000 + s + i)));
    }
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_TRUE(world.flow->threshold.aggressive);
    EXPECT_EQ(1, world.flow->stats.aggressive_count);
    world.now_ms += 32000;
    (void)between_poll(&world);
    EXPECT_TRUE(!world.flow->threshold.aggressive);
    /* A cookie does not outlive its key. */
    world.cport = 41000;
    EXPECT_EQ(0, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    between_close(&world);
}

static void
test_redeemed_cookies_do_not_exceed_the_limit(void)
{
    /* high = 2, three entries, then three clients redeem theirs. */
    uint32_t p[3];
    handshake_start(FLOW_SYNACK_AUTO, 2);
    for (uint16_t i = 0; i < 3; i++)
        EXPECT_EQ(1, handshake_syn((uint16_t)(40000 + i)));
    for (uint16_t i = 0; i < 3; i++) {
        EXPECT_EQ(1, handshake_syn((uint16_t)(41000 + i)));
        p[i] = world.out[0].seq;
    }
    EXPECT_EQ(3, world.flow->stats.cookies_sent);
    for (uint16_t i = 0; i < 3; i++) {
        world.cport = (uint16_t)(41000 + i);
        EXPECT_EQ(1,
                  between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                    C_ISN + 1, p[i] + 1, 0)));
        EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
        EXPECT_EQ(3, world.flow->stats.incomplete);
    }
    EXPECT_EQ(3, world.flow->stats.ended[FLOW_END_EVICTED_COUNT]);
    between_close(&world);
}

static void
test_full_table_of_connections_answers_by_cookie(void)
{
    between_open(&world, 2);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_CACHE;
    between_tune(&world, &tunables);
    (void)handshake_whole(40000);
    (void)handshake_whole(40001);
    EXPECT_EQ(1, handshake_syn(40002));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(1, world.flow->stats.cookies_sent);
    EXPECT_EQ(0, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_DROP_NO_ROOM, world.verdict);
    /* One place free: the same ACK, sent again, is taken. */
    world.cport = 40001;
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_RST,
                                                   S_ISN + 1, 0, 0)));
    world.now_ms += 5000;
    (void)between_poll(&world);
    world.cport = 40002;
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    between_close(&world);
}

static void
test_full_table_without_a_key_names_the_reason(void)
{
    const uint8_t families[] = {4, 6},
                  synacks[] = {FLOW_SYNACK_CACHE, FLOW_SYNACK_AUTO,
                               FLOW_SYNACK_COOKIE};
    for (size_t i = 0; i < 6; i++) {
        between_open(&world, 2);
        world.flow->keyed = false; /* as before flow_set_key() */
        world.family = families[i / 3];
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.synack = synacks[i % 3];
        between_tune(&world, &tunables);
        (void)handshake_whole(40000);
        (void)handshake_whole(40001);
        EXPECT_EQ(0, handshake_syn(40002));
        EXPECT_EQ(FLOW_DROP_NO_KEY, world.verdict);
        EXPECT_EQ(1, world.flow->stats.verdicts[FLOW_DROP_NO_KEY]);
        EXPECT_EQ(0, world.flow->stats.verdicts[FLOW_DROP_NO_ROOM]);
        between_close(&world);
    }
}

static void
test_signed_syn_passes_and_is_watched(void)
{
    /* RFC 2385: nobody may rewrite such a connection. */
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    said.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_TIMESTAMPS;
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[40] = 19;
    packet[41] = 18;
    (void)between_packet(&world, FLOW_CLIENT, packet, size,
                         SYNCACHE_CHECKSUM_VALID);
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ('W', between_session(&world)->mode);
    between_close(&world);
}

static void
test_full_table_of_half_open_ones_makes_room(void)
{
    /* One place: a new SYN, then the cookie of the one that went. */
    between_open(&world, 1);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_CACHE;
    tunables.options = FLOW_OPTIONS_CISCO;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, handshake_syn(40000));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(1, handshake_syn(40001));
    EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_EVICTED_FULL]);
    world.cport = 40000;
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    EXPECT_EQ(2, world.flow->stats.ended[FLOW_END_EVICTED_FULL]);
    /* Watched: it passes and is not remembered. */
    EXPECT_EQ(
        2, between_send(&world, between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                             S_ISN, C_ISN + 1, 0)));
    tunables.mode = FLOW_MODE_WATCH;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, handshake_syn(40002));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ(1, world.flow->sessions.count);
    /* As a connection does that the server opens. */
    tunables.mode = FLOW_MODE_INTERCEPT;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, between_send(&world,
                              between_said(FLOW_SERVER, WIRE_SYN, 100, 0, 0)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    between_close(&world);
}

static void
test_syn_that_crosses_the_rate_is_itself_answered_by_cookie(void)
{
    handshake_start(FLOW_SYNACK_AUTO, 1100);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.one_minute_low = 2;
    tunables.one_minute_high = 3;
    between_tune(&world, &tunables);
    for (uint16_t i = 0; i < 3; i++)
        EXPECT_EQ(1, handshake_syn((uint16_t)(40000 + i)));
    EXPECT_EQ(0, world.flow->stats.cookies_sent);
    EXPECT_EQ(1, handshake_syn(40003));
    EXPECT_EQ(1, world.flow->stats.cookies_sent);
    EXPECT_EQ(3, world.flow->sessions.count);
    EXPECT_EQ(4, world.flow->stats.syn_acks);
    between_close(&world);
}

static void
test_clients_that_say_nothing_are_reset_beyond_their_number(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.silent_max = 2;
    between_tune(&world, &tunables);
    for (uint16_t i = 0; i < 3; i++) {
        (void)handshake_whole((uint16_t)(40000 + i));
        world.now_ms += 60000; /* long enough to have spoken */
        (void)between_poll(&world);
    }
    EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_SILENT]);
    EXPECT_EQ(2, world.flow->stats.established);
    world.cport = 40000;
    EXPECT_TRUE(between_session(&world) == NULL);
    world.cport = 40002;
    EXPECT_TRUE(between_session(&world) != NULL);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_full_table_of_half_open_ones_makes_room),
    TEST(test_unprotected_syn_passes_without_a_trace),
    TEST(test_removed_list_leaves_spliced_connections_alone),
    TEST(test_one_eviction_per_further_syn_and_one_alert),
    TEST(test_evicted_client_comes_in_by_its_cookie),
    TEST(test_auto_holds_no_state_while_aggressive_and_does_not_flap),
    TEST(test_redeemed_cookies_do_not_exceed_the_limit),
    TEST(test_full_table_of_connections_answers_by_cookie),
    TEST(test_full_table_without_a_key_names_the_reason),
    TEST(test_signed_syn_passes_and_is_watched),
    TEST(test_syn_that_crosses_the_rate_is_itself_answered_by_cookie),
    TEST(test_clients_that_say_nothing_are_reset_beyond_their_number),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

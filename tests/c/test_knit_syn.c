/* SYNs in the client's name on a connection that is spliced. */
#include "handshake.h"

/* Spliced, but the server has said nothing yet.  Returns p. */
static uint32_t
spliced(uint8_t family)
{
    between_open(&world, 32);
    world.family = family;
    return handshake_whole(world.cport);
}

static uint32_t
syn(uint16_t flags, uint32_t seq)
{
    return between_send(&world, between_said(FLOW_CLIENT, flags, seq, 0, 0));
}

static void
expect_challenge(uint32_t p)
{
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_EQ(WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
}

/* Our ACK was lost, the server keeps no state, and somebody sends SYNs. */
static void
test_spliced_and_not_heard_by_the_server_rcv_syn_challenges(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint32_t p = spliced(family);
        for (uint32_t i = 0; i < 8; i++) {
            world.now_ms += 7000;
            (void)between_poll(&world);
            EXPECT_EQ(
                1, syn(i & 1 ? WIRE_SYN | WIRE_FIN : WIRE_SYN, C_ISN + 1 + i));
            expect_challenge(p);
        }
        /* C's own, come late: no server takes another one for it. */
        EXPECT_EQ(1, syn(WIRE_SYN, C_ISN));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        /* What C says makes the connection at S, too. */
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                       C_ISN + 1, p + 1, 5)));
        EXPECT_EQ(S_ISN + 1, world.out[0].ack);
        EXPECT_EQ(1, syn(WIRE_SYN, 500000));
        expect_challenge(p);
        EXPECT_EQ(1,
                  between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                    S_ISN + 1, C_ISN + 6, 0)));
        /* S is there, and answers SYNs as it does. */
        EXPECT_EQ(1, syn(WIRE_SYN, 500000));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        EXPECT_EQ('I', between_session(&world)->mode);
        between_close(&world);
    }
}

static void
test_spliced_and_begun_anew_by_the_client_ends_by_its_rst(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint32_t p = spliced(family);
        EXPECT_EQ(1, syn(WIRE_SYN, 500000));
        expect_challenge(p);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_RST,
                                                       C_ISN + 1, 0, 0)));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
        EXPECT_EQ(1, syn(WIRE_SYN, 500000));
        EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
        EXPECT_EQ(WIRE_SYN | WIRE_ACK, world.out[0].flags);
        EXPECT_EQ(500001, world.out[0].ack);
        between_close(&world);
    }
}

static void
test_spliced_and_silent_for_a_minute_lets_the_syn_pass(void)
{
    /* S has given up by then, or it is there. */
    (void)spliced(4);
    world.now_ms += 63000;
    (void)between_poll(&world);
    EXPECT_EQ(1, syn(WIRE_SYN, 500000));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    between_close(&world);
}

/* A device that starts with the same ISN and port each time; both ends forgot. */
static void
test_spliced_and_begun_anew_with_the_same_isn_is_another_connection(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t p = spliced(i & 1 ? 6 : 4);
        if (i & 2) {
            EXPECT_EQ(
                1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                     S_ISN + 1, C_ISN + 1, 9)));
            EXPECT_EQ(p + 1, world.out[0].seq);
        }
        world.now_ms += 120000;
        (void)between_poll(&world);
        EXPECT_EQ(1, syn(WIRE_SYN, C_ISN));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        /* That of the connection that there was, again: our ACK. */
        EXPECT_EQ(1, between_send(&world,
                                  between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                               S_ISN, C_ISN + 1, 0)));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        EXPECT_EQ('I', between_session(&world)->mode);
        EXPECT_EQ(1, between_send(&world,
                                  between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                               700000, C_ISN + 1, 0)));
        EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
        EXPECT_EQ(700000, world.out[0].seq);
        EXPECT_EQ('W', between_session(&world)->mode);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                       C_ISN + 1, 700001, 5)));
        EXPECT_EQ(700001, world.out[0].ack);
        EXPECT_EQ(1, world.flow->stats.established);
        between_close(&world);
    }
}

static void
test_challenges_of_a_tuple_are_bounded(void)
{
    (void)spliced(4);
    uint32_t answered = 0;
    for (uint32_t i = 0; i < 1000; i++)
        answered += syn(WIRE_SYN, 500000 + i);
    EXPECT_EQ(10, answered);
    EXPECT_EQ(FLOW_DROP_LIMIT, world.verdict);
    /* A wrong checksum draws none. */
    world.now_ms += 2000;
    (void)between_poll(&world);
    uint8_t packet[BETWEEN_SLOT_SIZE];
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, 500000, 0, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[37] ^= 1;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_BAD_CHECKSUM, world.verdict);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_spliced_and_not_heard_by_the_server_rcv_syn_challenges),
    TEST(test_spliced_and_begun_anew_by_the_client_ends_by_its_rst),
    TEST(test_spliced_and_silent_for_a_minute_lets_the_syn_pass),
    TEST(test_spliced_and_begun_anew_with_the_same_isn_is_another_connection),
    TEST(test_challenges_of_a_tuple_are_bounded),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Half-handshakes whose client or server begins again: other SYNs, other answers. */
#include "between.h"

#include "../../csrc/flow/proxy.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

static void
start(uint32_t synack)
{
    between_open(&world, 32);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = synack;
    tunables.options = FLOW_OPTIONS_CLIENT;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

static uint32_t
from(uint8_t side, uint16_t flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
    return between_send(&world, between_said(side, flags, seq, ack, payload));
}

/* A SYN that offers a scale.  Returns the ISN of the answer. */
static uint32_t
scaled_syn(uint32_t isn)
{
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, isn, 0, 0);
    syn.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    syn.mss = 1460;
    syn.wscale = 7;
    EXPECT_EQ(1, between_send(&world, syn));
    return world.out[0].seq;
}

static uint32_t
syn_sent(void)
{
    uint32_t p = scaled_syn(C_ISN);
    EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, p + 1, 0));
    return p;
}

static void
test_repeated_syn_with_fewer_options_leaves_the_first_answer_open(void)
{
    /* The ACK of either answer opens the connection. */
    for (int first = 0; first < 2; first++) {
        start(FLOW_SYNACK_AUTO);
        uint32_t p = scaled_syn(C_ISN);
        EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0));
        uint32_t again = world.out[0].seq;
        EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
        EXPECT_TRUE(world.flow->gate_stamped);
        EXPECT_EQ(world.now_ms, world.flow->gate_ms);
        EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_ACK, C_ISN + 1,
                          (first ? p : again) + 1, 0));
        EXPECT_EQ(WIRE_SYN, world.out[0].flags);
        EXPECT_EQ(first ? WIRE_HAS_MSS | WIRE_HAS_WSCALE : WIRE_HAS_MSS,
                  world.out[0].has | WIRE_HAS_MSS);
        between_close(&world);
    }
}

static void
test_syn_of_another_isn_gets_a_cookie_beside_the_entry(void)
{
    /* With the options that it offers itself, and counted. */
    start(FLOW_SYNACK_AUTO);
    EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0));
    EXPECT_EQ(0, world.flow->stats.cookies_sent);
    world.now_ms += 500;
    world.flow->gate_stamped = false;
    uint32_t p = scaled_syn(C_ISN + 70000);
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE, world.out[0].has);
    EXPECT_EQ(1, world.flow->stats.cookies_sent);
    EXPECT_TRUE(world.flow->gate_stamped);
    EXPECT_EQ(world.now_ms, world.flow->gate_ms);
    EXPECT_EQ(C_ISN, between_session(&world)->c);
    EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_ACK, C_ISN + 70001, p + 1, 0));
    EXPECT_EQ(C_ISN + 70000, world.out[0].seq);
    between_close(&world);
}

static void
test_rst_counts_what_the_client_said_to_the_server_that_is_asked(void)
{
    /* As much as a window without scale holds. */
    for (uint32_t more = 0; more < 2; more++) {
        start(FLOW_SYNACK_CACHE);
        uint32_t p = syn_sent();
        uint32_t end = C_ISN + UINT16_MAX + more;
        EXPECT_EQ(0, from(FLOW_CLIENT, WIRE_ACK, end - 10, p + 1, 10));
        EXPECT_EQ(0, from(FLOW_CLIENT, WIRE_RST, end, 0, 0));
        EXPECT_EQ(more, between_session(&world) != NULL);
        between_close(&world);
    }
}

static void
test_old_connection_of_the_server_is_reset_and_asked_anew_once(void)
{
    start(FLOW_SYNACK_CACHE);
    (void)syn_sent();
    EXPECT_EQ(2, from(FLOW_SERVER, WIRE_ACK, 77, 78, 0));
    uint32_t syns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        syns += world.out[i].flags == WIRE_SYN;
        EXPECT_TRUE(world.out[i].flags == WIRE_SYN ||
                    (world.out[i].flags == WIRE_RST && world.out[i].seq == 78));
    }
    EXPECT_EQ(1, syns);
    EXPECT_EQ(1, world.flow->stats.rexmts_server);
    EXPECT_EQ(1, from(FLOW_SERVER, WIRE_ACK, 77, 78, 0));
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    /* Once a wait. */
    world.now_ms += 1000;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(2, world.flow->stats.rexmts_server);
    EXPECT_EQ(2, from(FLOW_SERVER, WIRE_ACK, 77, 78, 0));
    EXPECT_EQ(3, world.flow->stats.rexmts_server);
    between_close(&world);
}

static void
test_answer_to_another_syn_is_reset_and_no_more(void)
{
    start(FLOW_SYNACK_CACHE);
    (void)syn_sent();
    EXPECT_EQ(1, from(FLOW_SERVER, WIRE_SYN | WIRE_ACK, 77, 78, 0));
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(0, world.flow->stats.rexmts_server);
    between_close(&world);
}

static void
test_syn_is_answered_again_so_often_and_no_more(void)
{
    start(FLOW_SYNACK_CACHE);
    EXPECT_EQ(1, from(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0));
    uint32_t p = world.out[0].seq, answers = 0;
    while (from(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0) == 1 && answers < 100) {
        EXPECT_EQ(FLOW_CONSUMED, world.verdict);
        EXPECT_EQ(p, world.out[0].seq);
        answers++;
    }
    EXPECT_EQ(FLOW_DROP_LIMIT, world.verdict);
    EXPECT_EQ(8, answers);
    between_close(&world);
}

static void
test_timestamps_are_for_who_has_them_in_its_ack(void)
{
    for (uint32_t left_out = 0; left_out < 2; left_out++) {
        start(FLOW_SYNACK_CACHE);
        struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
        said.has = WIRE_HAS_MSS | WIRE_HAS_TIMESTAMPS;
        said.mss = 1460;
        said.tsval = 5;
        EXPECT_EQ(1, between_send(&world, said));
        EXPECT_TRUE(world.out[0].has & WIRE_HAS_TIMESTAMPS);
        said = between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1,
                            world.out[0].seq + 1, 0);
        said.window = 1234;
        said.has = left_out ? 0 : WIRE_HAS_TIMESTAMPS;
        said.tsval = 6;
        EXPECT_EQ(1, between_send(&world, said));
        EXPECT_EQ(left_out ? 0 : WIRE_HAS_TIMESTAMPS,
                  world.out[0].has & WIRE_HAS_TIMESTAMPS);
        EXPECT_EQ(left_out ? 0 : 6, world.out[0].tsval);
        EXPECT_EQ(1234, between_session(&world)->client_window);
        between_close(&world);
    }
}

static const struct test tests[] = {
    TEST(test_repeated_syn_with_fewer_options_leaves_the_first_answer_open),
    TEST(test_syn_of_another_isn_gets_a_cookie_beside_the_entry),
    TEST(test_rst_counts_what_the_client_said_to_the_server_that_is_asked),
    TEST(test_old_connection_of_the_server_is_reset_and_asked_anew_once),
    TEST(test_answer_to_another_syn_is_reset_and_no_more),
    TEST(test_syn_is_answered_again_so_often_and_no_more),
    TEST(test_timestamps_are_for_who_has_them_in_its_ack),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Packets of the SYN proxy: whose they seem, what they offer; the probe. */
#include "between.h"

#include "../../csrc/flow/proxy_send.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

#define THREE (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)

static void
start(uint32_t options)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = options;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

/* Both halves up to the server's SYN-ACK; the client offers these. */
static uint32_t
asked(uint8_t offered)
{
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = WIRE_HAS_MSS | offered;
    syn.mss = 1460;
    syn.wscale = 9;
    syn.window = 500;
    syn.tsval = 333;
    EXPECT_EQ(1, between_send(&world, syn));
    struct said ack =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, world.out[0].seq + 1, 0);
    ack.has = world.out[0].has & WIRE_HAS_TIMESTAMPS;
    ack.tsval = 334;
    EXPECT_EQ(1, between_send(&world, ack));
    return ack.ack - 1;
}

static struct said
syn_ack(uint32_t ack, uint8_t has)
{
    struct said said =
        between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, ack, 0);
    said.has = has;
    said.mss = 1200;
    said.wscale = 6;
    said.window = 0x4000;
    return said;
}

static void
test_syn_offers_only_what_the_client_was_granted(void)
{
    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
    EXPECT_EQ(1460, world.out[0].mss);
    EXPECT_EQ(600, world.out[0].window);
    EXPECT_TRUE(world.out[0].from_client && world.out[0].good);
    between_close(&world);

    start(FLOW_OPTIONS_CLIENT);
    (void)asked(THREE);
    EXPECT_EQ(WIRE_HAS_MSS | THREE, world.out[0].has);
    EXPECT_EQ(9, world.out[0].wscale);
    EXPECT_EQ(334, world.out[0].tsval);
    EXPECT_EQ(65535, world.out[0].window); /* 600 << 9 unscaled */
    between_close(&world);
}

static void
test_resets_are_exact_on_either_side(void)
{
    start(FLOW_OPTIONS_CISCO);
    uint32_t p = asked(0);
    struct session *session = between_session(&world);
    between_begin(&world);
    world.flow->tx[FLOW_CLIENT] = &world.client.ring;
    world.flow->tx[FLOW_SERVER] = &world.server.ring;
    EXPECT_TRUE(proxy_reset_client(world.flow, session));
    EXPECT_TRUE(proxy_reset_server(world.flow, session));
    between_collect(&world, FLOW_CLIENT);
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(WIRE_RST | WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(C_ISN + 1, world.out[1].seq);
    EXPECT_EQ(WIRE_RST, world.out[1].flags);
    EXPECT_EQ(1, world.flow->stats.resets_client);
    EXPECT_EQ(1, world.flow->stats.resets_server);
    /* Without a link nothing is sent, and that is counted. */
    world.flow->tx[FLOW_CLIENT] = NULL;
    EXPECT_TRUE(!proxy_reset_client(world.flow, session));
    EXPECT_EQ(1, world.flow->stats.tx_lost);
    between_close(&world);
}

static void
test_giveup_resets_only_whom_it_is_told_to(void)
{
    /* The first half, the first half of a client that acknowledged and is
     * waited for, the second half. */
    enum { FIRST, ACKED, SECOND };
    static const struct {
        uint32_t giveup;
        int half;
        uint64_t resets;
    } rows[] = {
        {FLOW_GIVEUP_NEVER, SECOND, 0},     {FLOW_GIVEUP_NEVER, FIRST, 0},
        {FLOW_GIVEUP_VALIDATED, FIRST, 0},  {FLOW_GIVEUP_VALIDATED, ACKED, 1},
        {FLOW_GIVEUP_VALIDATED, SECOND, 1}, {FLOW_GIVEUP_ALWAYS, FIRST, 1},
        {FLOW_GIVEUP_ALWAYS, SECOND, 1},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(FLOW_OPTIONS_CISCO);
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.reset_client_on_giveup = rows[i].giveup;
        tunables.wait_for_data = rows[i].half == ACKED;
        tunables.synack_window = 100;
        between_tune(&world, &tunables);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                       C_ISN, 0, 0)));
        uint32_t p = world.out[0].seq;
        if (rows[i].half != FIRST)
            (void)between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                    C_ISN + 1, p + 1, 0));
        EXPECT_EQ(rows[i].half == SECOND ? FLOW_SYNSENT : FLOW_SYNRCVD,
                  between_session(&world)->state);
        world.now_ms += 40000;
        for (int polls = 0; polls < 6; polls++)
            (void)between_poll(&world);
        EXPECT_TRUE(between_session(&world) == NULL);
        EXPECT_EQ(rows[i].resets, world.flow->stats.resets_client);
        EXPECT_EQ(0, world.flow->stats.resets_server);
        between_close(&world);
    }
}

static void
test_rst_of_a_client_that_sent_nothing_more_ends_the_second_half(void)
{
    start(FLOW_OPTIONS_CISCO);
    (void)asked(0);
    EXPECT_EQ(0, between_send(&world, between_said(FLOW_CLIENT, WIRE_RST,
                                                   C_ISN + 1, 0, 0)));
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_unknown_server_is_probed_and_the_next_client_told(void)
{
    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    EXPECT_EQ(3, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    struct said probe = world.out[2];
    EXPECT_EQ(FLOW_SERVER, probe.side);
    EXPECT_EQ(WIRE_SYN, probe.flags);
    EXPECT_EQ(WIRE_HAS_MSS | THREE, probe.has);
    EXPECT_TRUE(probe.from_client && probe.sport != 40000);
    EXPECT_EQ(1, world.flow->sessions.count);
    /* Its answer is learned from, and refused. */
    world.cport = probe.sport;
    struct said answer = syn_ack(probe.seq + 1, WIRE_HAS_MSS | THREE);
    EXPECT_EQ(1, between_send(&world, answer));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(probe.seq + 1, world.out[0].seq);
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    world.cport = 40001;
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = WIRE_HAS_MSS | THREE;
    EXPECT_EQ(1, between_send(&world, syn));
    EXPECT_EQ(WIRE_HAS_MSS | THREE, world.out[0].has);
    EXPECT_EQ(6, world.out[0].wscale);
    EXPECT_EQ(1200, world.out[0].mss);
    between_close(&world);
}

static void
test_nothing_is_probed_that_is_known_or_not_asked_for(void)
{
    /* A client without options; a server whose SYN-ACK tells; options=client;
     * a second time within a second. */
    start(FLOW_OPTIONS_LEARN);
    (void)asked(0);
    EXPECT_EQ(2, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    world.cport++;
    (void)asked(THREE);
    EXPECT_EQ(3, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    world.cport++;
    (void)asked(THREE);
    EXPECT_EQ(2, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    between_close(&world);

    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    EXPECT_EQ(2, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_WSCALE)));
    between_close(&world);

    start(FLOW_OPTIONS_CLIENT);
    (void)asked(WIRE_HAS_SACK_PERMITTED);
    EXPECT_EQ(2, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    between_close(&world);
}

static void
test_server_that_refused_is_asked_again_after_10_minutes(void)
{
    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    EXPECT_EQ(3, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    struct said probe = world.out[2];
    world.cport = probe.sport;
    EXPECT_EQ(1, between_send(&world, syn_ack(probe.seq + 1, WIRE_HAS_WSCALE)));
    for (uint16_t i = 0; i < 3; i++) {
        world.cport = (uint16_t)(50000 + i);
        (void)asked(THREE);
        EXPECT_EQ(i == 2 ? 3 : 2,
                  between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_WSCALE)));
        world.now_ms += i == 0 ? 599999 : 1;
        (void)between_poll(&world);
    }
    between_close(&world);
}

static void
test_forged_answer_to_a_probe_teaches_nothing(void)
{
    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    EXPECT_EQ(3, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
    struct said probe = world.out[2];
    world.cport = probe.sport;
    EXPECT_EQ(1, between_send(&world, syn_ack(probe.seq + 2, THREE)));
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    world.cport = 40001;
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = WIRE_HAS_MSS | THREE;
    EXPECT_EQ(1, between_send(&world, syn));
    EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
    between_close(&world);
}

static void
test_repeated_window_update_tells_the_window_as_it_is(void)
{
    start(FLOW_OPTIONS_CLIENT);
    uint32_t p = asked(WIRE_HAS_WSCALE);
    EXPECT_EQ(2, between_send(&world, syn_ack(C_ISN + 1,
                                              WIRE_HAS_MSS | WIRE_HAS_WSCALE)));
    EXPECT_EQ(0x4000 >> 7, world.out[0].window);
    /* S speaks first; its window is scaled now. */
    struct said hello =
        between_said(FLOW_SERVER, WIRE_ACK, S_ISN + 1, C_ISN + 1, 40);
    hello.window = 1000; /* << 6 */
    EXPECT_EQ(1, between_send(&world, hello));
    EXPECT_EQ(500, world.out[0].window);
    world.now_ms += 200;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(500, world.out[0].window);
    EXPECT_EQ(p + 41, world.out[0].seq);
    between_close(&world);
}

static void
test_probe_comes_from_a_port_that_clients_have(void)
{
    for (uint16_t i = 0; i < 16; i++) {
        start(FLOW_OPTIONS_LEARN);
        world.cport = (uint16_t)(1000 + i);
        for (uint16_t n = 0; n <= i; n++)
            (void)box_random(world.flow);
        (void)asked(THREE);
        EXPECT_EQ(3, between_send(&world, syn_ack(C_ISN + 1, WIRE_HAS_MSS)));
        EXPECT_TRUE(world.out[2].sport >= 1024);
        between_close(&world);
    }
}

/* Lets the units send, or not, without a packet that comes in. */
static void
links(bool there)
{
    between_begin(&world);
    world.flow->tx[FLOW_CLIENT] = there ? &world.client.ring : NULL;
    world.flow->tx[FLOW_SERVER] = there ? &world.server.ring : NULL;
}

static void
test_reset_of_the_server_that_has_no_link_is_none(void)
{
    start(FLOW_OPTIONS_CISCO);
    (void)asked(0);
    links(false);
    EXPECT_TRUE(!proxy_reset_server(world.flow, between_session(&world)));
    EXPECT_EQ(0, world.flow->stats.resets_server);
    between_close(&world);
}

static void
test_refusals_are_counted_by_side_if_they_leave(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    struct arrival arrival = {.side = FLOW_SERVER, .link = packet};
    start(FLOW_OPTIONS_CISCO);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t side = i % 2 == 0 ? FLOW_SERVER : FLOW_CLIENT;
        struct said said = between_said(side, WIRE_ACK, 1, 2, 0);
        size_t size =
            between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VALID);
        view_parse(packet, size, SYNCACHE_CHECKSUM_VALID, &arrival.view);
        arrival.side = side;
        links(i < 2);
        proxy_refuse(world.flow, &arrival);
        EXPECT_EQ(1, world.flow->stats.resets_server);
        EXPECT_EQ(i > 0, world.flow->stats.resets_client);
    }
    between_close(&world);
}

static void
test_window_is_closed_only_by_the_server(void)
{
    /* What scaling leaves nothing of is 1. */
    for (uint16_t window = 0; window < 2; window++) {
        start(FLOW_OPTIONS_CLIENT);
        (void)asked(WIRE_HAS_WSCALE);
        struct said answer = syn_ack(C_ISN + 1, WIRE_HAS_MSS | WIRE_HAS_WSCALE);
        answer.window = window;
        EXPECT_EQ(2, between_send(&world, answer));
        EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
        EXPECT_EQ(window, world.out[0].window);
        between_close(&world);
    }
}

static void
test_server_is_probed_in_the_first_second_too(void)
{
    start(FLOW_OPTIONS_LEARN);
    (void)asked(THREE);
    struct session *session = between_session(&world);
    struct syncache_tuple tuple;
    session_tuple(session, &tuple);
    links(true);
    world.flow->now_ms = 500;
    profile_learn(&world.flow->profiles, 500, &tuple, WIRE_HAS_MSS,
                  WIRE_HAS_MSS, 1200, SYNCACHE_WSCALE_NONE);
    proxy_probe(world.flow, session);
    EXPECT_EQ(1, world.server.ring.count);
    world.flow->now_ms = 1499;
    proxy_probe(world.flow, session);
    EXPECT_EQ(1, world.server.ring.count);
    world.flow->now_ms = 1500;
    proxy_probe(world.flow, session);
    EXPECT_EQ(2, world.server.ring.count);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_syn_offers_only_what_the_client_was_granted),
    TEST(test_resets_are_exact_on_either_side),
    TEST(test_giveup_resets_only_whom_it_is_told_to),
    TEST(test_rst_of_a_client_that_sent_nothing_more_ends_the_second_half),
    TEST(test_unknown_server_is_probed_and_the_next_client_told),
    TEST(test_nothing_is_probed_that_is_known_or_not_asked_for),
    TEST(test_server_that_refused_is_asked_again_after_10_minutes),
    TEST(test_forged_answer_to_a_probe_teaches_nothing),
    TEST(test_repeated_window_update_tells_the_window_as_it_is),
    TEST(test_probe_comes_from_a_port_that_clients_have),
    TEST(test_reset_of_the_server_that_has_no_link_is_none),
    TEST(test_refusals_are_counted_by_side_if_they_leave),
    TEST(test_window_is_closed_only_by_the_server),
    TEST(test_server_is_probed_in_the_first_second_too),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

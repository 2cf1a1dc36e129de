/* The two half-handshakes: their packets, their schedules, who ends them. */
#include "between.h"

#include "../../csrc/flow/proxy.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

static void
start(void)
{
    between_open(&world, 32);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_CACHE;
    tunables.synack_window = 0;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

static uint32_t
client(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
    return between_send(&world, (struct said){.side = FLOW_CLIENT,
                                              .flags = flags,
                                              .seq = seq,
                                              .ack = ack,
                                              .window = 60000,
                                              .payload = payload});
}

static uint32_t
server(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
    return between_send(&world, (struct said){.side = FLOW_SERVER,
                                              .flags = flags,
                                              .seq = seq,
                                              .ack = ack,
                                              .window = 30000,
                                              .payload = payload});
}

/* C's SYN.  Returns p. */
static uint32_t
syn_received(void)
{
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN, 0, 0));
    return world.out[0].seq;
}

static uint32_t
syn_sent(void)
{
    uint32_t p = syn_received();
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    return p;
}

static void
test_syn_is_answered_in_the_servers_name(void)
{
    start();
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN, 0, 0));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_TRUE(!world.out[0].forwarded && world.out[0].good);
    EXPECT_EQ(80, world.out[0].sport);
    EXPECT_EQ(WIRE_SYN | WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(0, world.out[0].window);
    EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
    EXPECT_EQ(536, world.out[0].mss);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    between_close(&world);
}

static void
test_ack_opens_the_server_with_the_clients_isn(void)
{
    start();
    uint32_t p = syn_received();
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    EXPECT_EQ(C_ISN, world.out[0].seq);
    EXPECT_EQ(40000, world.out[0].sport);
    EXPECT_TRUE(world.out[0].good);
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    between_close(&world);
}

static void
test_bad_ack_changes_nothing_and_may_be_refused(void)
{
    start();
    uint32_t p = syn_received();
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1, p + 2, 0));
    EXPECT_EQ(FLOW_DROP_BAD_ACK, world.verdict);
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 2, p + 1, 0));
    EXPECT_EQ(2, world.flow->stats.bad_ack);
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.bad_ack_rst = 1;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 2, 0));
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(p + 2, world.out[0].seq);
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    /* Data that overtook C's ACK: it is C that sends it. */
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 701, p + 1, 700));
    EXPECT_EQ(4, world.flow->stats.bad_ack);
    /* So many a second; the others are counted. */
    EXPECT_EQ(0, world.flow->stats.resets_withheld);
    uint32_t sent = 1;
    for (uint32_t i = 0; i < 2 * REPEATS_A_SECOND; i++)
        sent += client(WIRE_ACK, C_ISN + 1, p + 2, 0) == 1;
    EXPECT_EQ(REPEATS_A_SECOND / REPEATS_SYN, sent);
    EXPECT_EQ(2 * REPEATS_A_SECOND + 1 - sent,
              world.flow->stats.resets_withheld);
    between_close(&world);
}

/* C's ACK was lost, and it has data for the window 0 that it was told. */
static void
test_client_that_asks_about_its_window_has_the_first_half(void)
{
    start();
    uint32_t p = syn_received();
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN, p + 2, 0));
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN, p + 1, 0));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    EXPECT_EQ(C_ISN, world.out[0].seq);
    EXPECT_EQ(1, world.flow->stats.bad_ack);
    between_close(&world);
}

static void
test_repeated_syn_gets_the_same_answer_and_moves_nothing(void)
{
    start();
    uint32_t p = syn_received();
    uint64_t deadline = between_session(&world)->deadline_ms;
    world.now_ms += 500;
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN, 0, 0));
    EXPECT_EQ(p, world.out[0].seq);
    EXPECT_EQ(1, world.flow->stats.requests);
    EXPECT_EQ(deadline, between_session(&world)->deadline_ms);
    between_close(&world);
}

static void
test_other_isn_never_replaces_and_can_come_in_by_its_cookie(void)
{
    start();
    uint32_t p = syn_received();
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN + 777, 0, 0));
    uint32_t other = world.out[0].seq;
    EXPECT_TRUE(other != p);
    EXPECT_EQ(C_ISN, between_session(&world)->c);
    EXPECT_EQ(1, world.flow->stats.requests);
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 778, other + 1, 0));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    EXPECT_EQ(C_ISN + 777, world.out[0].seq);
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    EXPECT_EQ(C_ISN + 777, between_session(&world)->c);
    between_close(&world);
}

static void
test_other_isn_behind_the_first_half_is_challenged(void)
{
    start();
    uint32_t p = syn_sent(), sent = 0;
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN + 999, 0, 0));
    EXPECT_EQ(WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(C_ISN, between_session(&world)->c);
    for (int i = 0; i < REPEATS_A_SECOND; i++)
        sent += client(WIRE_SYN, C_ISN + 999, 0, 0);
    EXPECT_EQ(REPEATS_A_SECOND / REPEATS_SYN - 1, sent);
    EXPECT_EQ(FLOW_DROP_LIMIT, world.verdict);
    /* C has forgotten its half, and begins anew. */
    EXPECT_EQ(0, client(WIRE_RST, C_ISN + 1, 0, 0));
    EXPECT_TRUE(between_session(&world) == NULL);
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN + 999, 0, 0));
    EXPECT_EQ(WIRE_SYN | WIRE_ACK, world.out[0].flags);
    between_close(&world);
}

static void
test_only_the_exact_rst_ends_the_first_half(void)
{
    start();
    (void)syn_received();
    EXPECT_EQ(0, client(WIRE_RST, C_ISN + 2, 0, 0));
    EXPECT_TRUE(between_session(&world) != NULL);
    EXPECT_EQ(0, client(WIRE_RST, C_ISN + 1, 0, 0));
    EXPECT_TRUE(between_session(&world) == NULL);
    EXPECT_EQ(0, world.flow->stats.incomplete);
    between_close(&world);
}

static void
test_early_data_is_dropped_and_counted(void)
{
    start();
    uint32_t p = syn_sent();
    EXPECT_EQ(0, client(WIRE_ACK | WIRE_PSH, C_ISN + 1, p + 1, 100));
    EXPECT_EQ(FLOW_DROP_EARLY, world.verdict);
    EXPECT_EQ(1, world.flow->stats.client_dropped_synsent);
    /* A RST behind that data is C's own. */
    EXPECT_EQ(0, client(WIRE_RST, C_ISN + 50, 0, 0));
    EXPECT_TRUE(between_session(&world) != NULL);
    EXPECT_EQ(0, client(WIRE_RST, C_ISN + 101, 0, 0));
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_refusing_server_is_passed_on_at_once(void)
{
    start();
    uint32_t p = syn_sent();
    /* Without the right ACK it may be anybody's. */
    EXPECT_EQ(0, server(WIRE_RST, 0, 0, 0));
    EXPECT_EQ(0, server(WIRE_RST | WIRE_ACK, 0, C_ISN + 2, 0));
    EXPECT_EQ(1, server(WIRE_RST | WIRE_ACK, 0, C_ISN + 1, 0));
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    world.now_ms += 4999;
    between_poll(&world);
    EXPECT_TRUE(between_session(&world) != NULL);
    world.now_ms += 1;
    between_poll(&world);
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_old_connection_of_the_server_draws_a_rst(void)
{
    /* And C's SYN again at once. */
    start();
    (void)syn_sent();
    EXPECT_EQ(2, server(WIRE_ACK, S_ISN, 4711, 0));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(4711, world.out[0].seq);
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    between_close(&world);
}

static void
test_waiting_for_data_opens_the_server_with_the_first_byte(void)
{
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.wait_for_data = 1;
    EXPECT_TRUE(!flow_set_intercept(world.flow, world.now_ms, &tunables));
    tunables.synack_window = 1000;
    between_tune(&world, &tunables);
    uint32_t p = syn_received();
    EXPECT_EQ(536, world.out[0].window); /* of the MSS that is told */
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    world.now_ms += 1000;
    EXPECT_EQ(0, between_poll(&world));
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 10));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    between_close(&world);
}

static void
test_spoiled_segments_change_nothing(void)
{
    /* Each with a wrong checksum where it would matter. */
    uint8_t packet[BETWEEN_SLOT_SIZE];
    start();
    uint32_t p = syn_received();
    struct said ack = {
        .side = FLOW_CLIENT, .flags = WIRE_ACK, .seq = C_ISN + 1, .ack = p + 1};
    size_t size = between_make(&world, &ack, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[37] ^= 1;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_BAD_CHECKSUM, world.verdict);
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    /* The link vouches for it, whatever it says. */
    EXPECT_EQ(1, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VALID));
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    between_close(&world);
}

static void
test_steps_are_reported_in_order_when_debugging(void)
{
    static const uint8_t kinds[] = {
        FLOW_EVENT_NEW,        FLOW_EVENT_SYN_ACK,     FLOW_EVENT_REXMT_SYN_ACK,
        FLOW_EVENT_FIRST_HALF, FLOW_EVENT_SYN,         FLOW_EVENT_EARLY,
        FLOW_EVENT_REXMT_SYN,  FLOW_EVENT_SECOND_HALF, FLOW_EVENT_ACK,
        FLOW_EVENT_WINDOW,
    };
    static const uint8_t ours[] = {0, 1, 1, 0, 1, 0, 1, 0, 1, 1};
    struct flow_event events[16];
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.debug = 1;
    between_tune(&world, &tunables);
    uint32_t p = syn_received();
    world.now_ms += 1000;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1, p + 1, 5));
    world.now_ms += 1000;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(2, server(WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1, 0));
    EXPECT_EQ(10, flow_events(world.flow, events, 16));
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        EXPECT_EQ(kinds[i], events[i].kind);
        EXPECT_EQ(ours[i], events[i].ours);
        EXPECT_EQ(40000, events[i].tuple.fport);
        EXPECT_EQ(80, events[i].tuple.lport);
    }
    EXPECT_EQ(1, events[2].number);
    EXPECT_EQ(1, events[6].number);
    between_close(&world);
}

static void
test_odd_segments_of_a_half_handshake_are_dropped(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    start();
    uint32_t p = syn_received();
    /* In SYNRCVD: SYN with another flag, a spoiled SYN, S out of turn. */
    EXPECT_EQ(0, client(WIRE_SYN | WIRE_ACK, C_ISN, p + 1, 0));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    struct said said = {.side = FLOW_CLIENT, .flags = WIRE_SYN, .seq = 1};
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[37] ^= 1;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_BAD_CHECKSUM, world.verdict);
    EXPECT_EQ(0, server(WIRE_ACK, S_ISN, C_ISN + 1, 0));
    EXPECT_EQ(FLOW_DROP_SERVER, world.verdict);
    /* In SYNSENT: C's SYN again, S's spoiled SYN-ACK, S's bare ACK or SYN. */
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    EXPECT_EQ(0, client(WIRE_SYN, C_ISN, 0, 0));
    EXPECT_EQ(FLOW_DROP_EARLY, world.verdict);
    said = (struct said){.side = FLOW_SERVER,
                         .flags = WIRE_SYN | WIRE_ACK,
                         .seq = S_ISN,
                         .ack = C_ISN + 1};
    size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[37] ^= 1;
    EXPECT_EQ(0, between_packet(&world, FLOW_SERVER, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_BAD_CHECKSUM, world.verdict);
    EXPECT_EQ(0, server(WIRE_ACK, S_ISN, C_ISN + 1, 0));
    EXPECT_EQ(0, server(WIRE_SYN, S_ISN, 0, 0));
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    /* Refused by S: nothing is left to translate. */
    EXPECT_EQ(1, server(WIRE_RST | WIRE_ACK, 0, C_ISN + 1, 0));
    EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1, p + 1, 5));
    EXPECT_EQ(FLOW_DROP_EARLY, world.verdict);
    EXPECT_EQ(0, server(WIRE_ACK, S_ISN, C_ISN + 1, 0));
    EXPECT_EQ(FLOW_DROP_SERVER, world.verdict);
    between_close(&world);
}

static void
test_syn_ack_echoes_the_clients_timestamp_again_and_is_counted(void)
{
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = FLOW_OPTIONS_CLIENT;
    between_tune(&world, &tunables);
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = WIRE_HAS_TIMESTAMPS;
    syn.tsval = 333;
    EXPECT_EQ(1, between_send(&world, syn));
    EXPECT_EQ(333, world.out[0].tsecr);
    EXPECT_EQ(1, world.flow->stats.syn_acks);
    world.now_ms += 1000;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(333, world.out[0].tsecr);
    EXPECT_EQ(2, world.flow->stats.syn_acks);
    between_close(&world);
}

static void
test_syn_with_another_flag_is_no_repetition(void)
{
    static const uint16_t more[] = {WIRE_ACK, WIRE_RST, WIRE_FIN};
    for (size_t i = 0; i < TEST_COUNT(more); i++) {
        start();
        (void)syn_received();
        EXPECT_EQ(0, client(WIRE_SYN | more[i], C_ISN, 0, 0));
        EXPECT_EQ(1, world.flow->stats.syn_acks);
        EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
        between_close(&world);
    }
}

static void
test_what_was_said_early_goes_with_its_session(void)
{
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack_window = 1000;
    between_tune(&world, &tunables);
    for (uint16_t i = 0; i < 40; i++) { /* more than there are places */
        world.cport = (uint16_t)(40000 + i);
        uint32_t p = syn_sent();
        EXPECT_EQ(0, client(WIRE_ACK | WIRE_PSH, C_ISN + 1, p + 1, 100));
        EXPECT_TRUE(between_session(&world)->half_early != EARLY_NONE);
        EXPECT_EQ(0, client(WIRE_RST, C_ISN + 101, 0, 0));
        EXPECT_TRUE(between_session(&world) == NULL);
    }
    EXPECT_EQ(1, world.flow->early.used);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_syn_is_answered_in_the_servers_name),
    TEST(test_ack_opens_the_server_with_the_clients_isn),
    TEST(test_bad_ack_changes_nothing_and_may_be_refused),
    TEST(test_client_that_asks_about_its_window_has_the_first_half),
    TEST(test_repeated_syn_gets_the_same_answer_and_moves_nothing),
    TEST(test_other_isn_never_replaces_and_can_come_in_by_its_cookie),
    TEST(test_other_isn_behind_the_first_half_is_challenged),
    TEST(test_only_the_exact_rst_ends_the_first_half),
    TEST(test_early_data_is_dropped_and_counted),
    TEST(test_refusing_server_is_passed_on_at_once),
    TEST(test_old_connection_of_the_server_draws_a_rst),
    TEST(test_waiting_for_data_opens_the_server_with_the_first_byte),
    TEST(test_spoiled_segments_change_nothing),
    TEST(test_steps_are_reported_in_order_when_debugging),
    TEST(test_odd_segments_of_a_half_handshake_are_dropped),
    TEST(test_syn_ack_echoes_the_clients_timestamp_again_and_is_counted),
    TEST(test_syn_with_another_flag_is_no_repetition),
    TEST(test_what_was_said_early_goes_with_its_session),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

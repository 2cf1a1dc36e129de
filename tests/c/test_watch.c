/* Watch mode: everything passes as it is; what does not establish is reset. */
#include "handshake.h"

#include "../../csrc/flow/watch.h"

static void
start(void)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.mode = FLOW_MODE_WATCH;
    between_tune(&world, &tunables);
}

/* Sends a segment and expects exactly its bytes on the other side. */
static void
passes(uint8_t side, uint16_t flags, uint32_t seq, uint32_t ack)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    struct said said = between_said(side, flags, seq, ack, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_EQ(1, between_packet(&world, side, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_TRUE(world.out[0].forwarded);
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_BYTES(packet, world.rx.memory, size);
}

static void
test_handshake_passes_byte_for_byte(void)
{
    start();
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    EXPECT_EQ('W', between_session(&world)->mode);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
    EXPECT_EQ(0, world.flow->stats.incomplete);
    EXPECT_EQ(1, world.flow->stats.established);
    world.now_ms += 40000;
    EXPECT_EQ(0, between_poll(&world));
    EXPECT_EQ(1, world.flow->sessions.count);
    world.now_ms += world.flow->intercept.connection_timeout_ms;
    EXPECT_EQ(0, between_poll(&world));
    EXPECT_EQ(0, world.flow->sessions.count);
    between_close(&world);
}

static void
test_syn_ack_passes_whatever_was_repeated(void)
{
    start();
    for (unsigned i = 0; i < 20; i++) {
        uint8_t packet[BETWEEN_SLOT_SIZE];
        struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
        size_t size =
            between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
        between_packet(&world, FLOW_CLIENT, packet, size,
                       SYNCACHE_CHECKSUM_VERIFY);
    }
    EXPECT_EQ(FLOW_DROP_LIMIT, world.verdict);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
    EXPECT_EQ(1, world.flow->stats.established);
    between_close(&world);
}

static void
test_expiry_counts_from_the_syn_and_resets_the_server(void)
{
    start();
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    uint64_t begin = world.now_ms;
    world.now_ms = begin + 2000;
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    world.now_ms = begin + 6000;
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    world.now_ms = begin + 29999;
    EXPECT_EQ(0, between_poll(&world));
    world.now_ms++;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(C_ISN + 1, world.out[0].seq);
    EXPECT_TRUE(world.out[0].from_client);
    EXPECT_EQ(0, world.flow->stats.incomplete);
    between_close(&world);
}

static void
test_watch_reset_says_who_is_told(void)
{
    static const struct {
        uint32_t reset;
        bool syn_ack;
        uint32_t left;
    } rows[] = {
        {FLOW_RESET_SERVER, true, 1},  {FLOW_RESET_BOTH, true, 2},
        {FLOW_RESET_BOTH, false, 1},   {FLOW_RESET_NONE, true, 0},
        {FLOW_RESET_SERVER, false, 1},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start();
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.watch_reset = rows[i].reset;
        between_tune(&world, &tunables);
        passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
        if (rows[i].syn_ack)
            passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
        world.now_ms += 30000;
        EXPECT_EQ(rows[i].left, between_poll(&world));
        if (rows[i].left == 2) {
            EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
            EXPECT_EQ(S_ISN + 1, world.out[0].seq);
            EXPECT_EQ(C_ISN + 1, world.out[0].ack);
            EXPECT_EQ(WIRE_RST | WIRE_ACK, world.out[0].flags);
        }
        EXPECT_TRUE(between_session(&world) == NULL);
        between_close(&world);
    }
}

static void
test_established_and_forgotten_by_both_ends_is_a_new_connection(void)
{
    start();
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
    passes(FLOW_CLIENT, WIRE_SYN, 77, 0);
    EXPECT_EQ(1, world.flow->stats.established);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, 88, 78);
    EXPECT_EQ(0, world.flow->stats.established);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    EXPECT_EQ(2, world.flow->stats.requests);
    passes(FLOW_CLIENT, WIRE_ACK, 78, 89);
    EXPECT_EQ(1, world.flow->stats.established);
    passes(FLOW_CLIENT, WIRE_ACK | WIRE_FIN, 78, 89);
    passes(FLOW_SERVER, WIRE_ACK | WIRE_FIN, 89, 79);
    EXPECT_EQ(1, world.flow->stats.terminating);
    between_close(&world);
}

static void
test_same_isn_is_a_new_connection_if_the_servers_is(void)
{
    for (unsigned closed = 0; closed < 2; closed++) {
        start();
        passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
        passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
        passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
        if (closed) {
            passes(FLOW_CLIENT, WIRE_ACK | WIRE_FIN, C_ISN + 1, S_ISN + 1);
            passes(FLOW_SERVER, WIRE_ACK | WIRE_FIN, S_ISN + 1, C_ISN + 2);
        }
        passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
        passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
        EXPECT_EQ(1, world.flow->stats.requests);
        EXPECT_EQ(closed, world.flow->stats.terminating);
        passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, 88, C_ISN + 1);
        EXPECT_EQ(2, world.flow->stats.requests);
        EXPECT_EQ(1, world.flow->stats.incomplete);
        passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, 89);
        EXPECT_EQ(1, world.flow->stats.established);
        between_close(&world);
    }
}

static void
test_spoofed_ack_and_rst_do_not_end_the_watch(void)
{
    start();
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 2);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 2, S_ISN + 99);
    passes(FLOW_CLIENT, WIRE_RST, C_ISN + 2, 0);
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    passes(FLOW_CLIENT, WIRE_RST, C_ISN + 1, 0);
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    world.now_ms += 5000;
    EXPECT_EQ(0, between_poll(&world));
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_deadline_follows_the_mode_both_ways(void)
{
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.max_incomplete_low = tunables.max_incomplete_high = 2;
    between_tune(&world, &tunables);
    uint64_t begin = world.now_ms;
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    EXPECT_EQ(begin + 30000, between_session(&world)->deadline_ms);
    world.now_ms = begin + 20000;
    world.cport = 40001;
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    world.cport = 40002;
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    EXPECT_TRUE(world.flow->threshold.aggressive);
    EXPECT_EQ(begin + 35000, between_session(&world)->deadline_ms);
    /* The first is 20 s old: it goes with the next tick. */
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(40000, world.out[0].sport);
    EXPECT_EQ(2, world.flow->stats.incomplete);
    world.cport = 40001;
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0); /* again: nothing moves */
    EXPECT_EQ(begin + 35000, between_session(&world)->deadline_ms);
    tunables.max_incomplete_low = tunables.max_incomplete_high = 9;
    world.now_ms += 1000;
    between_tune(&world, &tunables);
    (void)between_poll(&world);
    EXPECT_TRUE(!world.flow->threshold.aggressive);
    EXPECT_EQ(begin + 50000, between_session(&world)->deadline_ms);
    tunables.watch_timeout_ms = 1500;
    between_tune(&world, &tunables);
    (void)between_poll(&world);
    EXPECT_EQ(begin + 21500, between_session(&world)->deadline_ms);
    between_close(&world);
}

static void
test_switch_at_run_time_keeps_both_kinds(void)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    uint32_t p = handshake_whole(world.cport);
    tunables.mode = FLOW_MODE_WATCH;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                   S_ISN + 1, C_ISN + 1, 9)));
    EXPECT_EQ(p + 1, world.out[0].seq);
    world.cport = 40001;
    passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    EXPECT_EQ('W', between_session(&world)->mode);
    tunables.mode = FLOW_MODE_INTERCEPT;
    between_tune(&world, &tunables);
    passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
    EXPECT_EQ(2, world.flow->stats.established);
    between_close(&world);
}

static void
test_watched_syn_ack_teaches_intercept_mode(void)
{
    start();
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    said.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    EXPECT_EQ(1, between_send(&world, said));
    said = between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1, 0);
    said.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    said.mss = 1200;
    said.wscale = 6;
    EXPECT_EQ(1, between_send(&world, said));
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.mode = FLOW_MODE_INTERCEPT;
    between_tune(&world, &tunables);
    world.cport = 40001;
    said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    said.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    EXPECT_EQ(1, between_send(&world, said));
    EXPECT_EQ(1200, world.out[0].mss);
    EXPECT_EQ(6, world.out[0].wscale);
    between_close(&world);
}

static void
test_adopted_connection_expects_what_its_first_segment_says(void)
{
    for (uint32_t from = FLOW_CLIENT; from <= FLOW_SERVER; from++) {
        between_open(&world, 8);
        (void)between_poll(&world);
        struct arrival arrival = {.side = (uint8_t)from};
        struct said said = between_said((uint8_t)from, WIRE_ACK, 100, 7000, 20);
        uint8_t packet[BETWEEN_SLOT_SIZE];
        size_t size =
            between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
        view_parse(packet, (uint32_t)size, SYNCACHE_CHECKSUM_VERIFY,
                   &arrival.view);
        arrival.key.family = 4;
        arrival.key.protocol = 6;
        arrival.key.port[0] = from == FLOW_CLIENT ? 40000 : 80;
        arrival.key.port[1] = from == FLOW_CLIENT ? 80 : 40000;
        memcpy(arrival.key.address[from], between_client[0], 16);
        memcpy(arrival.key.address[1 - from], between_server[0], 16);
        watch_adopt(world.flow, &arrival, from);
        struct session *session = between_session(&world);
        EXPECT_TRUE(session != NULL);
        if (session == NULL)
            return;
        uint32_t to = 1 - from;
        EXPECT_EQ(FLOW_ESTAB, session->state);
        EXPECT_EQ(120, session->nxt[from]);
        EXPECT_EQ(100, session->ack[to]);
        EXPECT_EQ(7000, session->nxt[to]);
        EXPECT_EQ(7000, session->ack[from]);
        EXPECT_EQ(UINT16_MAX, session->wnd[0]);
        EXPECT_EQ(UINT16_MAX, session->wnd[1]);
        EXPECT_EQ(FLOW_CLIENT, session->side);
        between_close(&world);
    }
}

static void
test_only_fins_keep_a_connection_that_ends(void)
{
    /* What comes behind both of them waits anew, behind a RST it does not. */
    for (int fins = 0; fins < 2; fins++) {
        start();
        passes(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
        passes(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
        passes(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
        if (fins)
            passes(FLOW_CLIENT, WIRE_FIN | WIRE_ACK, C_ISN + 1, S_ISN + 1);
        passes(FLOW_SERVER, fins ? WIRE_FIN | WIRE_ACK : WIRE_RST, S_ISN + 1,
               C_ISN + 1 + (uint32_t)fins);
        EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
        uint64_t deadline_ms = between_session(&world)->deadline_ms;
        world.now_ms += 100;
        passes(FLOW_SERVER, WIRE_ACK, S_ISN + 1 + (uint32_t)fins,
               C_ISN + 1 + (uint32_t)fins);
        EXPECT_EQ(deadline_ms + (fins ? 100 : 0),
                  between_session(&world)->deadline_ms);
        between_close(&world);
    }
}

/* A tap sees a segment of a side. */
static void
seen(uint8_t side, uint16_t flags, uint32_t seq, uint32_t ack)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    struct said said = between_said(side, flags, seq, ack, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    (void)between_packet(&world, FLOW_TAP, packet, size,
                         SYNCACHE_CHECKSUM_VERIFY);
}

static void
test_tap_may_see_the_answer_before_the_syn(void)
{
    start();
    seen(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1);
    EXPECT_TRUE(between_session(&world) == NULL);
    seen(FLOW_CLIENT, WIRE_SYN, C_ISN, 0);
    seen(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1);
    EXPECT_EQ(1, world.flow->stats.established);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_handshake_passes_byte_for_byte),
    TEST(test_syn_ack_passes_whatever_was_repeated),
    TEST(test_expiry_counts_from_the_syn_and_resets_the_server),
    TEST(test_watch_reset_says_who_is_told),
    TEST(test_established_and_forgotten_by_both_ends_is_a_new_connection),
    TEST(test_same_isn_is_a_new_connection_if_the_servers_is),
    TEST(test_spoofed_ack_and_rst_do_not_end_the_watch),
    TEST(test_deadline_follows_the_mode_both_ways),
    TEST(test_switch_at_run_time_keeps_both_kinds),
    TEST(test_watched_syn_ack_teaches_intercept_mode),
    TEST(test_adopted_connection_expects_what_its_first_segment_says),
    TEST(test_only_fins_keep_a_connection_that_ends),
    TEST(test_tap_may_see_the_answer_before_the_syn),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* A half-handshake: its schedule, its end, its link headers. */
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

/* C's SYN.  Returns p. */
static uint32_t
syn_received(void)
{
    EXPECT_EQ(1, client(WIRE_SYN, C_ISN, 0, 0));
    return world.out[0].seq;
}

static void
test_first_half_is_repeated_at_1_3_7_15_and_given_up_at_31(void)
{
    /* Milliseconds after the SYN at which something leaves; the last one is
     * the giving up, which is silent towards an address that proved nothing. */
    static const uint32_t due[] = {1000, 3000, 7000, 15000};
    start();
    uint32_t p = syn_received();
    uint64_t begin = world.now_ms;
    size_t next = 0;
    for (uint32_t ms = 1; ms < 32000; ms += ms < 31000 ? 1 : 999) {
        world.now_ms = begin + ms;
        uint32_t left = between_poll(&world);
        if (left == 0)
            continue;
        EXPECT_EQ(1, left);
        EXPECT_EQ(WIRE_SYN | WIRE_ACK, world.out[0].flags);
        EXPECT_EQ(p, world.out[0].seq);
        EXPECT_EQ(next < 4 ? due[next] : 0, ms);
        next++;
        EXPECT_EQ(begin + (next < 4 ? due[next & 3] : 31000),
                  between_session(&world)->deadline_ms);
    }
    EXPECT_EQ(4, next);
    EXPECT_EQ(4, world.flow->stats.rexmts_client);
    EXPECT_EQ(0, world.flow->stats.rexmts_server);
    EXPECT_TRUE(between_session(&world) == NULL);
    EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_GIVEUP_CLIENT]);
    EXPECT_EQ(0, world.flow->stats.resets_client);
    between_close(&world);
}

static void
test_second_half_begins_its_own_schedule_and_ends_in_a_rst(void)
{
    static const uint32_t due[] = {1000, 3000, 7000, 15000, 31000};
    start();
    uint32_t p = syn_received();
    world.now_ms += 500;
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    uint64_t begin = world.now_ms;
    for (size_t i = 0; i < TEST_COUNT(due); i++) {
        world.now_ms = begin + due[i] - 1;
        EXPECT_EQ(0, between_poll(&world));
        world.now_ms++;
        EXPECT_EQ(1, between_poll(&world));
        EXPECT_EQ(i < 4 ? FLOW_SERVER : FLOW_CLIENT, world.out[0].side);
        EXPECT_EQ(i < 4 ? WIRE_SYN : WIRE_RST | WIRE_ACK, world.out[0].flags);
        EXPECT_EQ(i < 4 ? C_ISN : p + 1, world.out[0].seq);
    }
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(4, world.flow->stats.rexmts_server);
    EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_GIVEUP_SERVER]);
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_late_timers_do_not_shift_the_schedule(void)
{
    start();
    (void)syn_received();
    uint64_t begin = world.now_ms;
    world.now_ms = begin + 2500;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(begin + 3000, between_session(&world)->deadline_ms);
    world.now_ms = begin + 6000;
    EXPECT_EQ(1, between_poll(&world));
    EXPECT_EQ(begin + 7000, between_session(&world)->deadline_ms);
    between_close(&world);
}

static void
test_aggressive_half_waits_half_as_long_to_its_end(void)
{
    static const uint32_t due[] = {500, 1500, 3500, 7500};
    start();
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.max_incomplete_low = tunables.max_incomplete_high = 1;
    between_tune(&world, &tunables);
    (void)syn_received();
    EXPECT_TRUE(!world.flow->threshold.aggressive);
    world.cport = 40001;
    (void)syn_received();
    EXPECT_TRUE(world.flow->threshold.aggressive);
    world.cport = 40002;
    (void)syn_received(); /* and one of the others is gone */
    EXPECT_EQ(2, world.flow->stats.incomplete);
    uint64_t begin = world.now_ms;
    for (size_t i = 0; i < TEST_COUNT(due); i++) {
        EXPECT_EQ(begin + due[i], between_session(&world)->deadline_ms);
        world.now_ms = begin + due[i];
        between_poll(&world);
    }
    EXPECT_EQ(begin + 15500, between_session(&world)->deadline_ms);
    world.cport = 40001; /* it began in peace */
    EXPECT_EQ(begin + 15000, between_session(&world)->deadline_ms);
    between_close(&world);
}

static void
test_packets_of_timers_carry_the_link_header_of_their_side(void)
{
    /* Ethernet, and with a VLAN tag; between_take() looks at the addresses. */
    for (uint8_t link_size = 14; link_size <= 18; link_size += 4) {
        start();
        world.link_size = link_size;
        uint32_t p = syn_received();
        EXPECT_EQ(link_size, world.out[0].link_size);
        world.now_ms += 1000;
        EXPECT_EQ(1, between_poll(&world));
        EXPECT_EQ(link_size, world.out[0].link_size);
        EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
        world.now_ms += 1000;
        EXPECT_EQ(1, between_poll(&world));
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        EXPECT_EQ(link_size, world.out[0].link_size);
        between_close(&world);
    }
}

static void
test_server_is_asked_as_the_client_asked(void)
{
    /* Hop limit, class and flow label of its SYN; none is the box's own. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint8_t packet[BETWEEN_SLOT_SIZE];
        start();
        world.family = family;
        struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
        size_t size =
            between_make(&world, &syn, packet, SYNCACHE_CHECKSUM_VALID);
        packet[family == 6 ? 7 : 8] = 77;
        if (family == 6)
            store32_be(packet, 0x6b812345);
        else
            packet[1] = 0xb8;
        EXPECT_EQ(1, between_packet(&world, FLOW_CLIENT, packet, size,
                                    SYNCACHE_CHECKSUM_VALID));
        EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, world.out[0].seq + 1, 0));
        EXPECT_EQ(WIRE_SYN, world.out[0].flags);
        EXPECT_EQ(77, world.out[0].hop_limit);
        EXPECT_EQ(0xb8, world.out[0].tos);
        EXPECT_EQ(family == 6 ? 0x12345 : 0,
                  load32_be(world.server.memory) & (family == 6 ? 0xfffff : 0));
        EXPECT_EQ(C_ISN + 1, between_session(&world)->nxt[FLOW_CLIENT]);
        between_close(&world);
    }
}

static void
test_link_headers_that_have_no_room_are_counted(void)
{
    start();
    world.link_size = 14;
    world.flow->headers.refused = 5; /* by others, before */
    (void)syn_received();
    EXPECT_EQ(5, world.flow->stats.headers_full);
    between_close(&world);
}

/* What S receives once it has answered the SYN. */
static void
answer(void)
{
    EXPECT_TRUE(
        between_send(&world, between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                          S_ISN, C_ISN + 1, 0)) > 0);
}

static void
test_fin_right_behind_kept_data_goes_with_it(void)
{
    /* Not one elsewhere, with data of its own, or a second one. */
    static const struct {
        uint16_t flags;
        uint32_t seq, payload;
        bool kept;
    } rows[] = {
        {WIRE_FIN | WIRE_ACK, C_ISN + 11, 0, true},
        {WIRE_FIN | WIRE_ACK, C_ISN + 12, 0, false},
        {WIRE_FIN | WIRE_ACK, C_ISN + 10, 0, false},
        {WIRE_FIN | WIRE_ACK, C_ISN + 11, 1, false},
        {WIRE_ACK, C_ISN + 11, 0, false},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start();
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.synack_window = 1000;
        between_tune(&world, &tunables);
        uint32_t p = syn_received();
        EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 10));
        EXPECT_EQ(0,
                  client(rows[i].flags, rows[i].seq, p + 1, rows[i].payload));
        EXPECT_EQ(rows[i].kept ? FLOW_CONSUMED : FLOW_DROP_EARLY,
                  world.verdict);
        if (rows[i].kept) {
            EXPECT_EQ(0, client(rows[i].flags, rows[i].seq, p + 1, 0));
            EXPECT_EQ(FLOW_DROP_EARLY, world.verdict);
        }
        answer();
        EXPECT_EQ(1, world.flow->early.free); /* given back */
        bool found = false;
        for (uint32_t n = 0; n < world.out_count; n++) {
            if (world.out[n].payload == 0)
                continue;
            found = true;
            EXPECT_EQ(10, world.out[n].payload);
            EXPECT_EQ(C_ISN + 1, world.out[n].seq);
            EXPECT_EQ(rows[i].kept ? WIRE_FIN : 0,
                      world.out[n].flags & WIRE_FIN);
            EXPECT_TRUE(world.out[n].good);
        }
        EXPECT_TRUE(found);
        EXPECT_EQ(world.now_ms + world.flow->proxy.idle_ms,
                  between_session(&world)->deadline_ms);
        EXPECT_EQ(rows[i].kept,
                  (between_session(&world)->flags & SESSION_FIN_CLIENT) != 0);
        between_close(&world);
    }
}

static void
test_data_is_kept_and_a_mere_acknowledgment_is_not(void)
{
    for (uint32_t cookie = 0; cookie < 2; cookie++) {
        for (uint32_t payload = 0; payload < 2; payload++) {
            start();
            struct flow_intercept_tunables tunables = world.flow->intercept;
            tunables.synack_window = 1000;
            tunables.synack = cookie ? FLOW_SYNACK_COOKIE : FLOW_SYNACK_CACHE;
            between_tune(&world, &tunables);
            uint32_t p = syn_received();
            EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, payload));
            bool kept = between_session(&world)->half_early != EARLY_NONE;
            EXPECT_EQ(payload != 0, kept);
            EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1 + payload, p + 1, 0));
            EXPECT_EQ(FLOW_DROP_EARLY, world.verdict);
            EXPECT_EQ(0, client(WIRE_ACK, C_ISN + 1, p + 1, 5));
            EXPECT_EQ(kept ? FLOW_DROP_EARLY : FLOW_CONSUMED, world.verdict);
            between_close(&world);
        }
    }
}

static void
test_refusal_without_its_flag_of_an_acknowledgment_is_none(void)
{
    start();
    uint32_t p = syn_received();
    EXPECT_EQ(1, client(WIRE_ACK, C_ISN + 1, p + 1, 0));
    (void)between_send(&world,
                       between_said(FLOW_SERVER, WIRE_RST, 0, C_ISN + 1, 0));
    EXPECT_EQ(FLOW_DROP_SERVER, world.verdict);
    EXPECT_EQ(FLOW_SYNSENT, between_session(&world)->state);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_first_half_is_repeated_at_1_3_7_15_and_given_up_at_31),
    TEST(test_second_half_begins_its_own_schedule_and_ends_in_a_rst),
    TEST(test_late_timers_do_not_shift_the_schedule),
    TEST(test_aggressive_half_waits_half_as_long_to_its_end),
    TEST(test_packets_of_timers_carry_the_link_header_of_their_side),
    TEST(test_server_is_asked_as_the_client_asked),
    TEST(test_link_headers_that_have_no_room_are_counted),
    TEST(test_fin_right_behind_kept_data_goes_with_it),
    TEST(test_data_is_kept_and_a_mere_acknowledgment_is_not),
    TEST(test_refusal_without_its_flag_of_an_acknowledgment_is_none),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* What belongs to no session: strangers, adopted flows, errors, a tap. */
#include "handshake.h"

static void
test_unknown_segments_are_dropped_after_the_time_to_learn(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    static const uint16_t flags[] = {WIRE_ACK, WIRE_RST, WIRE_ACK | WIRE_FIN,
                                     WIRE_SYN | WIRE_ACK, 0};
    (void)between_poll(&world);
    for (size_t late = 0; late < 2; late++) {
        for (size_t i = 0; i < TEST_COUNT(flags); i++) {
            world.cport = (uint16_t)(50000 + i);
            EXPECT_EQ(1 - late,
                      between_send(&world, between_said(FLOW_CLIENT, flags[i],
                                                        1, 1, 0)));
            EXPECT_EQ(late ? FLOW_DROP_UNKNOWN : FLOW_FORWARD, world.verdict);
        }
        world.now_ms += 60000;
    }
    EXPECT_EQ(0, world.flow->sessions.count);
    between_close(&world);
}

static void
test_server_adopts_what_was_there_before(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK, 100,
                                                   200, 50)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ(1, world.flow->stats.established);
    EXPECT_EQ(world.cport, between_session(&world)->port[FLOW_CLIENT]);
    world.now_ms += 60000;
    EXPECT_EQ(1, between_send(
                     &world, between_said(FLOW_CLIENT, WIRE_ACK, 200, 150, 9)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ(1, between_send(&world,
                              between_said(FLOW_SERVER, WIRE_RST, 150, 0, 0)));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    between_close(&world);
}

static void
test_connections_that_the_server_opens_pass(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    world.now_ms += 100;
    (void)between_poll(&world);
    world.now_ms += 60000;
    EXPECT_EQ(1, between_send(&world,
                              between_said(FLOW_SERVER, WIRE_SYN, 100, 0, 0)));
    EXPECT_EQ(
        1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN | WIRE_ACK,
                                             700, 101, 0)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK, 101,
                                                   701, 10)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    between_close(&world);
}

static void
test_syn_ack_for_nobody_is_refused_in_the_clients_name(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    (void)between_poll(&world);
    world.now_ms += 60000;
    EXPECT_EQ(
        1, between_send(&world, between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                             S_ISN, 4242, 0)));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(WIRE_RST, world.out[0].flags);
    EXPECT_EQ(4242, world.out[0].seq);
    EXPECT_TRUE(world.out[0].from_client);
    between_close(&world);
}

static void
test_spoofed_side_is_not_believed(void)
{
    /* S's segment of a spliced connection, from the client's link. */
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    (void)handshake_whole(40000);
    struct said said =
        between_said(FLOW_SERVER, WIRE_RST, S_ISN + 1, C_ISN + 1, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    between_close(&world);
}

/* Both ends forgot a spliced connection: C begins it again, S answers. */
static void
test_spliced_and_forgotten_by_both_ends_begins_anew(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        handshake_start(FLOW_SYNACK_CACHE, 1100);
        world.family = family;
        (void)handshake_whole(40000);
        world.now_ms += 120000;
        (void)between_poll(&world);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                       500000, 0, 0)));
        /* One that answers neither SYN changes nothing. */
        EXPECT_EQ(0, between_send(&world,
                                  between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                               700000, 500002, 0)));
        EXPECT_EQ('I', between_session(&world)->mode);
        EXPECT_EQ(1, between_send(&world,
                                  between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                               700000, 500001, 0)));
        EXPECT_EQ(700000, world.out[0].seq);
        EXPECT_EQ(500001, world.out[0].ack);
        EXPECT_EQ('W', between_session(&world)->mode);
        EXPECT_EQ(1, world.flow->stats.incomplete);
        EXPECT_EQ(2, world.flow->stats.requests);
        EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_REPLACED]);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                       500001, 700001, 5)));
        EXPECT_EQ(700001, world.out[0].ack);
        EXPECT_EQ(1, world.flow->stats.established);
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                       700001, 500006, 9)));
        EXPECT_EQ(700001, world.out[0].seq);
        between_close(&world);
    }
}

/* S's last bytes were lost, and somebody sends a SYN in C's name. */
static void
test_syn_ends_no_spliced_connection_that_owes_bytes(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        handshake_start(FLOW_SYNACK_CACHE, 1100);
        world.family = family;
        uint32_t p = handshake_whole(40000);
        (void)between_send(&world,
                           between_said(FLOW_CLIENT, WIRE_FIN | WIRE_ACK,
                                        C_ISN + 1, p + 1, 0));
        for (uint32_t again = 0; again < 2; again++) {
            EXPECT_EQ(
                1, between_send(&world,
                                between_said(FLOW_SERVER, WIRE_FIN | WIRE_ACK,
                                             S_ISN + 1, C_ISN + 2, 84)));
            EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
            EXPECT_EQ(p + 1, world.out[0].seq);
            EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
            /* S gets it as in any other state, and answers as it does. */
            EXPECT_EQ(1,
                      between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                        500000, 0, 0)));
            EXPECT_EQ(FLOW_SERVER, world.out[0].side);
            EXPECT_EQ(1, world.flow->stats.requests);
        }
        /* It knows nothing any more: the SYN was C's. */
        EXPECT_EQ(1, between_send(&world,
                                  between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                               700000, 500001, 0)));
        EXPECT_EQ(700000, world.out[0].seq);
        EXPECT_EQ(2, world.flow->stats.requests);
        EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_REPLACED]);
        between_close(&world);
    }
}

static void
test_spliced_and_finished_is_kept_until_both_fins_are_acknowledged(void)
{
    /* The last ACK was lost: S waits longer and longer, up to two minutes. */
    static const uint32_t waits_ms[] = {400, 3200, 51200, 119999, 0};
    for (uint32_t family = 4; family <= 6; family += 2) {
        handshake_start(FLOW_SYNACK_CACHE, 1100);
        world.family = (uint8_t)family;
        uint32_t p = handshake_whole(40000);
        (void)between_send(&world,
                           between_said(FLOW_CLIENT, WIRE_FIN | WIRE_ACK,
                                        C_ISN + 1, p + 1, 0));
        for (uint32_t i = 0; i < TEST_COUNT(waits_ms); i++) {
            EXPECT_EQ(
                1, between_send(&world,
                                between_said(FLOW_SERVER, WIRE_FIN | WIRE_ACK,
                                             S_ISN + 1, C_ISN + 2, 0)));
            EXPECT_EQ(p + 1, world.out[0].seq);
            world.now_ms += waits_ms[i];
            (void)between_poll(&world);
        }
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                       C_ISN + 2, p + 2, 0)));
        EXPECT_EQ(S_ISN + 2, world.out[0].ack);
        world.now_ms += 4999;
        (void)between_poll(&world);
        EXPECT_EQ(1, world.flow->stats.terminating);
        world.now_ms += 1;
        (void)between_poll(&world);
        EXPECT_EQ(0, world.flow->stats.terminating);
        between_close(&world);
    }
}

static void
test_segment_of_a_protected_server_without_a_session_is_refused(void)
{
    /* The client would see numbers that it never heard of. */
    static const uint16_t flags[] = {WIRE_ACK, WIRE_ACK | WIRE_FIN, WIRE_FIN,
                                     WIRE_ACK | WIRE_RST, WIRE_RST};
    for (uint32_t i = 0; i < 3 * TEST_COUNT(flags); i++) {
        uint16_t flag = flags[i / 3];
        handshake_start(FLOW_SYNACK_CACHE, 1100);
        world.family = i / 3 & 1 ? 6 : 4;
        struct flow_intercept_tunables tuned = world.flow->intercept;
        tuned.learn_time_ms = i % 3 == 1 ? 1000 : 0;
        tuned.unknown = i % 3 == 2 ? FLOW_UNKNOWN_FORWARD : FLOW_UNKNOWN_DROP;
        between_tune(&world, &tuned);
        uint32_t out =
            between_send(&world, between_said(FLOW_SERVER, flag, 700, 900, 0));
        bool answered = flag & WIRE_ACK && !(flag & WIRE_RST);
        EXPECT_EQ(i % 3 > 0 || answered, out);
        EXPECT_EQ(i % 3 > 0  ? FLOW_FORWARD
                  : answered ? FLOW_CONSUMED
                             : FLOW_DROP_UNKNOWN,
                  world.verdict);
        if (i % 3 == 0 && answered) {
            EXPECT_EQ(FLOW_SERVER, world.out[0].side);
            EXPECT_EQ(WIRE_RST, world.out[0].flags);
            EXPECT_EQ(900, world.out[0].seq);
        }
        between_close(&world);
    }
}

static void
test_spliced_syn_of_another_isn_alone_changes_nothing(void)
{
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    uint32_t p = handshake_whole(40000);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                   500000, 0, 0)));
    /* S lives, and says so; C gets it translated. */
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_ACK,
                                                   S_ISN + 1, C_ISN + 1, 0)));
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    EXPECT_EQ('I', between_session(&world)->mode);
    between_close(&world);
}

static void
test_fragments_and_bad_headers_do_not_reach_a_protected_server(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[6] = 0x20;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    packet[6] = 0x40;
    packet[32] = 0x20;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    EXPECT_TRUE(flow_set_rules(world.flow, NULL, 0, false));
    (void)between_packet(&world, FLOW_CLIENT, packet, size,
                         SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_EQ(FLOW_FORWARD, world.verdict);
    between_close(&world);
}

/* An ICMP error to one side, quoting a segment that `quoted` sent. */
static size_t
icmp(uint8_t packet[static BETWEEN_SLOT_SIZE], const struct said *quoted)
{
    uint8_t inner[BETWEEN_SLOT_SIZE];
    size_t size = between_make(&world, quoted, inner, SYNCACHE_CHECKSUM_VERIFY);
    size_t total = 28 + size;
    memset(packet, 0, 28);
    packet[0] = 0x45;
    store16_be(packet + 2, (uint16_t)total);
    packet[8] = 64;
    packet[9] = 1;
    memcpy(packet + 12, "\313\0\161\1", 4); /* some router */
    memcpy(packet + 16, inner + 12, 4);     /* to whom it was that sent */
    store16_be(packet + 10, (uint16_t)~wire_sum(0, packet, 20));
    packet[20] = 3;
    packet[21] = 1;
    memcpy(packet + 28, inner, size);
    store16_be(packet + 22, (uint16_t)~wire_sum(0, packet + 20, total - 20));
    return total;
}

static void
test_icmp_errors_speak_of_each_sides_own_numbers(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    uint32_t p = handshake_whole(40000);
    /* To S, about a segment that C's side saw with p's numbers. */
    struct said quoted =
        between_said(FLOW_SERVER, WIRE_ACK, p + 1, C_ISN + 1, 0);
    size_t size = icmp(packet, &quoted);
    EXPECT_EQ(1, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world.verdict);
    const uint8_t *tcp = world.rx.memory + 28 + 20;
    EXPECT_EQ(S_ISN + 1, load32_be(tcp + 4));
    EXPECT_EQ(0xffff, wire_sum(0, world.rx.memory + 20, size - 20));
    /* To C, about one that S's side saw with s's. */
    quoted = between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1, 0);
    size = icmp(packet, &quoted);
    EXPECT_EQ(1, between_packet(&world, FLOW_SERVER, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(p + 1, load32_be(tcp + 8));
    EXPECT_EQ(0xffff, wire_sum(0, world.rx.memory + 20, size - 20));
    /* About a SYN-ACK of ours that S never sent. */
    world.now_ms += 60000;
    (void)between_poll(&world);
    EXPECT_EQ(1, handshake_syn(40001));
    quoted = between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, world.out[0].seq,
                          C_ISN + 1, 0);
    size = icmp(packet, &quoted);
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_ICMP_QUOTE, world.verdict);
    world.cport = 40002;
    size = icmp(packet, &quoted);
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    between_close(&world);
}

static void
test_syns_that_nobody_can_mean_are_dropped(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    EXPECT_EQ(
        0, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN | WIRE_FIN,
                                             C_ISN, 0, 0)));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    packet[37] ^= 1;
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_BAD_CHECKSUM, world.verdict);
    memset(packet + 12, 0, 4); /* from 0.0.0.0 */
    EXPECT_EQ(0, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    EXPECT_EQ(0, world.flow->stats.requests);
    between_close(&world);
}

static void
test_tap_watches_and_touches_nothing(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    handshake_start(FLOW_SYNACK_CACHE, 1100);
    static const struct {
        uint8_t side;
        uint16_t flags;
        uint32_t seq, ack;
    } rows[] = {
        {FLOW_CLIENT, WIRE_SYN, C_ISN, 0},
        {FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1},
        {FLOW_CLIENT, WIRE_ACK, C_ISN + 1, S_ISN + 1},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct said said = between_said(rows[i].side, rows[i].flags,
                                        rows[i].seq, rows[i].ack, 0);
        size_t size =
            between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_EQ(0, between_packet(&world, FLOW_TAP, packet, size,
                                    SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(FLOW_FORWARD, world.verdict);
    }
    EXPECT_EQ('W', between_session(&world)->mode);
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    /* Strangers of either direction. */
    world.cport = 41000;
    for (size_t i = 1; i < TEST_COUNT(rows); i++) {
        struct said said = between_said(rows[i].side, rows[i].flags, 1, 2, 0);
        size_t size =
            between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
        (void)between_packet(&world, FLOW_TAP, packet, size,
                             SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_EQ(FLOW_FORWARD, world.verdict);
    }
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_unknown_segments_are_dropped_after_the_time_to_learn),
    TEST(test_server_adopts_what_was_there_before),
    TEST(test_connections_that_the_server_opens_pass),
    TEST(test_syn_ack_for_nobody_is_refused_in_the_clients_name),
    TEST(test_spoofed_side_is_not_believed),
    TEST(test_spliced_and_forgotten_by_both_ends_begins_anew),
    TEST(test_syn_ends_no_spliced_connection_that_owes_bytes),
    TEST(test_spliced_and_finished_is_kept_until_both_fins_are_acknowledged),
    TEST(test_segment_of_a_protected_server_without_a_session_is_refused),
    TEST(test_spliced_syn_of_another_isn_alone_changes_nothing),
    TEST(test_fragments_and_bad_headers_do_not_reach_a_protected_server),
    TEST(test_icmp_errors_speak_of_each_sides_own_numbers),
    TEST(test_syns_that_nobody_can_mean_are_dropped),
    TEST(test_tap_watches_and_touches_nothing),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

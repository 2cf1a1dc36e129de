/* Inspection of TCP: P01 to P04 and what must change nothing. */
#include "world.h"

#include "../../csrc/flow/strays.h"

static void
test_handshake_half_open_until_the_ack(void)
{
    /* P01, both families. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct world *world = world_inspect(10);
        struct ends ends = world_ends;

        ends.family = family;
        world_syn(world, &ends);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        world_syn_ack(world, &ends);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        world_ack(world, &ends);
        EXPECT_EQ(0, world_stats(world)->incomplete);
        EXPECT_EQ(1, world_stats(world)->established);
        EXPECT_EQ(1, world_stats(world)->completed);
        EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
        world_free(world);
    }
}

static void
test_sessions_may_begin_on_either_side(void)
{
    struct world *world = world_inspect(10);

    world->side = FLOW_SERVER;
    world_handshake(world, &world_ends);
    EXPECT_EQ(1, world_stats(world)->established);
    world_free(world);
}

static void
test_syn_ack_passes_whatever_was_repeated(void)
{
    /* Copies of the SYN are limited; the answer to the first is none of them. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct world *world = world_inspect(10);
        struct ends ends = world_ends;

        ends.family = family;
        for (unsigned i = 0; i <= REPEATS_A_SECOND / REPEATS_SYN; i++) {
            world_syn(world, &ends);
            EXPECT_EQ(FLOW_FORWARD, world->verdict);
        }
        world_syn(world, &ends);
        EXPECT_EQ(FLOW_DROP_LIMIT, world->verdict);
        world_syn_ack(world, &ends);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        world_syn_ack(world, &ends);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        world_ack(world, &ends);
        EXPECT_EQ(1, world_stats(world)->established);
        world_syn_ack(world, &ends);
        EXPECT_EQ(FLOW_DROP_LIMIT, world->verdict);
        world_free(world);
    }
}

static void
test_half_open_session_ends_after_synwait(void)
{
    /* P02: a repeated SYN does not move it. */
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    EXPECT_EQ(world->now_ms + 30000, flow_next_deadline(world->flow));
    world_wait(world, 10000);
    world_syn(world, &world_ends);
    EXPECT_EQ(1, world_stats(world)->requests);
    world_wait(world, 19999);
    EXPECT_TRUE(world_has(world, &world_ends));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &world_ends));
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_SYNWAIT]);
    EXPECT_EQ(0, world->client.ring.count + world->server.ring.count);
    world_free(world);
}

static void
fin(struct world *world, bool from_server)
{
    world_tcp(world, &world_ends, from_server,
              (struct segment){.seq = from_server ? WORLD_S + 1 : WORLD_C + 1,
                               .ack = from_server ? WORLD_C + 1 : WORLD_S + 1,
                               .flags = WORLD_FIN | WORLD_ACK});
}

/* Each end has heard the other's FIN. */
static void
last_acks(struct world *world)
{
    for (uint32_t from_server = 0; from_server < 2; from_server++)
        world_tcp(
            world, &world_ends, from_server != 0,
            (struct segment){.seq = from_server ? WORLD_S + 2 : WORLD_C + 2,
                             .ack = from_server ? WORLD_C + 2 : WORLD_S + 2,
                             .flags = WORLD_ACK});
}

static void
test_session_ends_finwait_after_the_second_fin(void)
{
    /* P03: later segments do not prolong it. */
    struct world *world = world_inspect(10);

    world_handshake(world, &world_ends);
    world_wait(world, 50000);
    fin(world, false);
    EXPECT_EQ(0, world_stats(world)->terminating);
    fin(world, true);
    EXPECT_EQ(1, world_stats(world)->terminating);
    EXPECT_EQ(0, world_stats(world)->established);
    world_wait(world, 1000);
    fin(world, true);
    world_wait(world, 3999);
    EXPECT_TRUE(world_has(world, &world_ends));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &world_ends));
    world_free(world);
}

static void
test_session_ends_when_idle(void)
{
    /* P04. */
    struct world *world = world_inspect(10);

    world_handshake(world, &world_ends);
    world_wait(world, 3000000);
    fin(world, false);
    world_wait(world, 3599999);
    EXPECT_TRUE(world_has(world, &world_ends));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &world_ends));
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_TIMEOUT]);
    world_free(world);
}

static void
test_valid_rst_ends_the_session_at_once(void)
{
    struct world *world = world_inspect(10);

    world_handshake(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = WORLD_C + 1, .flags = WORLD_RST});
    EXPECT_EQ(0, world_stats(world)->established);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_RST]);
    world_free(world);
}

static void
test_blind_rst_changes_nothing(void)
{
    /* Only RCV.NXT itself, with a right checksum, from the right side. */
    struct world *world = world_inspect(10);

    world_handshake(world, &world_ends);
    for (int off = -1; off <= 1; off += 2)
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = WORLD_C + 1 + (uint32_t)off,
                                   .flags = WORLD_RST});
    world_tcp(
        world, &world_ends, false,
        (struct segment){.seq = WORLD_C + 1, .flags = WORLD_RST, .bad = true});
    world->side = FLOW_SERVER;
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = WORLD_C + 1, .flags = WORLD_RST});
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(1, world_stats(world)->established);
    world_free(world);
}

static void
test_closed_port_ends_the_session(void)
{
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    world_tcp(
        world, &world_ends, true,
        (struct segment){.ack = WORLD_C + 2, .flags = WORLD_RST | WORLD_ACK});
    EXPECT_EQ(1, world_stats(world)->incomplete);
    world_tcp(
        world, &world_ends, true,
        (struct segment){.ack = WORLD_C + 1, .flags = WORLD_RST | WORLD_ACK});
    EXPECT_EQ(0, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_new_syn_replaces_a_closing_session_only(void)
{
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = 77, .flags = WORLD_SYN});
    EXPECT_EQ(1, world_stats(world)->requests);
    world_syn_ack(world, &world_ends);
    world_ack(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = 77, .flags = WORLD_SYN});
    EXPECT_EQ(1, world_stats(world)->requests);
    fin(world, false);
    fin(world, true);
    last_acks(world);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = 77, .flags = WORLD_SYN});
    EXPECT_EQ(2, world_stats(world)->requests);
    EXPECT_EQ(0, world_stats(world)->terminating);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_REPLACED]);
    world_free(world);
}

/* Whoever knows the tuple can send it, while bytes are still to be repeated. */
static void
test_syn_ends_no_session_that_owes_bytes_unless_it_is_answered(void)
{
    for (uint32_t tap = 0; tap < 2; tap++) {
        struct world *world = world_inspect(10);

        if (tap)
            world->side = FLOW_TAP;
        world_handshake(world, &world_ends);
        fin(world, false);
        fin(world, true);
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = 77, .flags = WORLD_SYN});
        EXPECT_EQ(1, world_stats(world)->requests);
        EXPECT_EQ(1, world_stats(world)->terminating);
        world_tcp(world, &world_ends, true,
                  (struct segment){
                      .seq = 88, .ack = 78, .flags = WORLD_SYN | WORLD_ACK});
        EXPECT_EQ(2, world_stats(world)->requests);
        EXPECT_EQ(0, world_stats(world)->terminating);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        world_free(world);
    }
}

static void
test_late_syn_of_a_closing_session_is_no_attempt(void)
{
    for (uint32_t tap = 0; tap < 2; tap++) {
        struct world *world = world_inspect(10);

        if (tap)
            world->side = FLOW_TAP;
        world_handshake(world, &world_ends);
        fin(world, false);
        fin(world, true);
        world_syn(world, &world_ends);
        world_syn_ack(world, &world_ends);
        EXPECT_EQ(1, world_stats(world)->requests);
        EXPECT_EQ(1, world_stats(world)->terminating);
        EXPECT_EQ(0, world_stats(world)->incomplete);
        world_free(world);
    }
}

static void
test_same_isn_answered_by_another_is_another_attempt(void)
{
    /* A device that begins with the same ISN each time. */
    for (uint32_t closed = 0; closed < 2; closed++) {
        struct world *world = world_inspect(10);

        world_handshake(world, &world_ends);
        if (closed) {
            fin(world, false);
            fin(world, true);
        }
        world_syn(world, &world_ends);
        world_tcp(world, &world_ends, true,
                  (struct segment){.seq = 88,
                                   .ack = WORLD_C + 1,
                                   .flags = WORLD_SYN | WORLD_ACK});
        EXPECT_EQ(2, world_stats(world)->requests);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        world_tcp(world, &world_ends, false,
                  (struct segment){
                      .seq = WORLD_C + 1, .ack = 89, .flags = WORLD_ACK});
        EXPECT_EQ(1, world_stats(world)->established);
        EXPECT_EQ(0, world_stats(world)->terminating);
        world_free(world);
    }
}

static void
test_established_and_answered_anew_is_another_attempt(void)
{
    for (uint32_t tap = 0; tap < 2; tap++) {
        struct world *world = world_inspect(10);

        if (tap)
            world->side = FLOW_TAP;
        world_handshake(world, &world_ends);
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = 77, .flags = WORLD_SYN});
        EXPECT_EQ(1, world_stats(world)->established);
        world_tcp(world, &world_ends, true,
                  (struct segment){
                      .seq = 88, .ack = 78, .flags = WORLD_SYN | WORLD_ACK});
        EXPECT_EQ(2, world_stats(world)->requests);
        EXPECT_EQ(0, world_stats(world)->established);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = 78, .ack = 89, .flags = WORLD_ACK});
        EXPECT_EQ(1, world_stats(world)->established);
        EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_REPLACED]);
        world_free(world);
    }
}

static void
test_syn_in_an_atomic_fragment_begins_a_session(void)
{
    static const uint8_t header[8] = {6, 0, 0, 0, 1, 2, 3, 4};
    static struct packet packet;
    struct world *world = world_inspect(10);
    struct ends ends = world_ends;

    ends.family = 6;
    world_segment(&packet, &ends, false,
                  (struct segment){.seq = WORLD_C, .flags = WORLD_SYN});
    packet_insert(&packet, header, sizeof header);
    packet.bytes[6] = 44;
    world_put(world, &packet, world->side);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->requests);
    world_free(world);
}

static void
test_what_is_no_syn_makes_no_session(void)
{
    struct world *world = world_inspect(10);

    world_ack(world, &world_ends);
    world_syn_ack(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.flags = WORLD_SYN | WORLD_FIN});
    world_tcp(world, &world_ends, false,
              (struct segment){.flags = WORLD_SYN, .bad = true});
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(1, world->rx.ring.passed_count);
    EXPECT_EQ(0, world_stats(world)->sessions_created);
    EXPECT_EQ(0, world_stats(world)->requests);
    world_free(world);
}

static void
test_syns_that_others_count_are_counted_on_a_tap_alone(void)
{
    for (int tap = 0; tap <= 1; tap++) {
        struct world *world = world_inspect(10);
        struct ends other = world_other(1);

        world->side = tap ? FLOW_TAP : FLOW_CLIENT;
        world_syn(world, &world_ends);
        world_syn(world, &world_ends);
        EXPECT_EQ(0, world_stats(world)->syns_other);
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = WORLD_C + 9, .flags = WIRE_SYN});
        EXPECT_EQ(tap, world_stats(world)->syns_other);
        world_tcp(world, &world_ends, false,
                  (struct segment){.seq = WORLD_C + 9, .flags = WIRE_SYN});
        EXPECT_EQ(tap, world_stats(world)->syns_other);
        EXPECT_EQ(0, world_stats(world)->syns_odd);
        world_tcp(world, &other, false,
                  (struct segment){.seq = 1, .flags = WIRE_SYN | WIRE_FIN});
        world_tcp(world, &other, false,
                  (struct segment){.seq = 1, .flags = WIRE_SYN | WIRE_RST});
        EXPECT_EQ(2 * tap, world_stats(world)->syns_odd);
        world_syn_ack(world, &world_ends);
        EXPECT_EQ(2 * tap, world_stats(world)->syns_odd);
        EXPECT_EQ(tap, world_stats(world)->syns_other);
        world_free(world);
    }
}

static void
test_attempt_anew_is_judged_before_it_is_half_open(void)
{
    struct world *world = world_inspect(10);
    const struct flow_event *event = NULL;

    world->inspect.one_minute_low = 1;
    world->inspect.one_minute_high = 1;
    world_set(world);
    world_handshake(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = 7777, .flags = WIRE_SYN});
    world_tcp(world, &world_ends, true,
              (struct segment){.seq = WORLD_S + 5,
                               .ack = 7778,
                               .flags = WIRE_SYN | WIRE_ACK});
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_reported(world, FLOW_EVENT_AGGRESSIVE, &event));
    EXPECT_EQ(0, event->incomplete);
    EXPECT_EQ(2, event->rate);
    world_free(world);
}

static void
test_segment_of_no_session_is_limited_where_both_ways_are_inspected(void)
{
    /* TCP that the server begins, from the port that the client used. */
    for (uint32_t off = 0; off < 2; off++) {
        struct world *world = world_inspect(10);
        uint32_t passed = 0;

        world->inspect.tcp_stray_limit = 3;
        if (off)
            world->inspect.rule[FLOW_TCP].inspect = 0;
        world_set(world);
        for (uint32_t i = 0; i < 10; i++) {
            struct ends ends = world_other(i);
            world_ack(world, &ends);
            passed += world->verdict == FLOW_FORWARD;
        }
        EXPECT_EQ(off ? 10 : 3, passed);
        world_free(world);
    }
}

static void
test_syn_of_the_other_end_replaces_what_is_closing(void)
{
    /* Whatever its number: it is not the old SYN come late. */
    struct world *world = world_inspect(10);

    world_handshake(world, &world_ends);
    fin(world, false);
    fin(world, true);
    last_acks(world);
    world_tcp(world, &world_ends, true,
              (struct segment){.seq = WORLD_C, .flags = WORLD_SYN});
    EXPECT_EQ(2, world_stats(world)->requests);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_REPLACED]);
    world_free(world);
}

static void
test_packet_prolongs_an_open_session(void)
{
    struct world *world = world_inspect(10);
    struct flow_session_view view;
    uint64_t cursor = 0;

    world_handshake(world, &world_ends);
    world_wait(world, 5000);
    world_ack(world, &world_ends);
    EXPECT_EQ(1, flow_walk(world->flow, &cursor, &view, 1));
    EXPECT_EQ(world->now_ms, view.last_ms);
    EXPECT_EQ(world->now_ms + 3600000, view.deadline_ms);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_handshake_half_open_until_the_ack),
    TEST(test_sessions_may_begin_on_either_side),
    TEST(test_syn_ack_passes_whatever_was_repeated),
    TEST(test_half_open_session_ends_after_synwait),
    TEST(test_session_ends_finwait_after_the_second_fin),
    TEST(test_session_ends_when_idle),
    TEST(test_valid_rst_ends_the_session_at_once),
    TEST(test_blind_rst_changes_nothing),
    TEST(test_closed_port_ends_the_session),
    TEST(test_new_syn_replaces_a_closing_session_only),
    TEST(test_syn_ends_no_session_that_owes_bytes_unless_it_is_answered),
    TEST(test_late_syn_of_a_closing_session_is_no_attempt),
    TEST(test_same_isn_answered_by_another_is_another_attempt),
    TEST(test_established_and_answered_anew_is_another_attempt),
    TEST(test_syn_in_an_atomic_fragment_begins_a_session),
    TEST(test_what_is_no_syn_makes_no_session),
    TEST(test_syns_that_others_count_are_counted_on_a_tap_alone),
    TEST(test_attempt_anew_is_judged_before_it_is_half_open),
    TEST(test_segment_of_no_session_is_limited_where_both_ways_are_inspected),
    TEST(test_syn_of_the_other_end_replaces_what_is_closing),
    TEST(test_packet_prolongs_an_open_session),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

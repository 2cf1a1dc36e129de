/* A tap that missed more than a window, and hosts that refuse: what is believed. */
#include "tracked.h"

enum { FAR = 50000, RUN = 0x100000 };

/* 100 bytes behind a gap, which acknowledge 70,000. */
static struct segment
behind(bool from_server)
{
    uint32_t mine = from_server ? S : C, other = from_server ? C : S;

    return (struct segment){.seq = mine + 1 + FAR,
                            .ack = other + 1 + 70000,
                            .flags = WIRE_ACK,
                            .window = 500,
                            .payload = 100};
}

/* What the other end says to it. */
static struct segment
agreeing(bool from_server)
{
    struct segment said = behind(!from_server);

    return (struct segment){.seq = said.ack,
                            .ack = said.seq + 100,
                            .flags = WIRE_ACK,
                            .window = 700};
}

static void
test_numbers_behind_a_gap_count_once_both_ends_agree_on_them(void)
{
    for (uint32_t late = 0; late < 2; late++) {
        struct session session = open_on_a_tap();
        uint32_t other = 1 - late;
        struct segment said = behind(late != 0), answer = agreeing(late == 0);

        EXPECT_EQ(TRACK_NONE, pass(&session, late != 0, said));
        EXPECT_EQ((late ? S : C) + 1, session.nxt[late]);
        EXPECT_EQ((late ? C : S) + 1, session.ack[late]);
        answer.payload = 20;
        EXPECT_EQ(TRACK_NONE, pass(&session, late == 0, answer));
        EXPECT_EQ(said.seq + 100, session.nxt[late]);
        EXPECT_EQ(said.ack, session.ack[late]);
        EXPECT_EQ(UINT16_MAX, session.wnd[late]);
        EXPECT_EQ(answer.seq + 20, session.nxt[other]);
        EXPECT_EQ(answer.ack, session.ack[other]);
        EXPECT_EQ(700, session.wnd[other]);
        EXPECT_EQ(SESSION_SYNACK, session.flags);
        EXPECT_EQ(100, session.bytes[late]);
    }
}

static void
test_gap_is_known_by_acknowledgments_from_its_run_alone(void)
{
    static const struct {
        uint32_t ack, seq; /* beside those that agree */
        bool good;
    } rows[] = {{0, 0, true},        {1, 0, false},
                {0u - 100, 0, true}, {0u - 101, 0, false},
                {0, RUN, true},      {0, RUN + 1, false},
                {0, 0u - RUN, true}, {0, 0u - RUN - 1, false}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct session session = open_on_a_tap();
        struct segment answer = agreeing(true);

        pass(&session, false, behind(false));
        answer.ack += rows[i].ack;
        answer.seq += rows[i].seq;
        pass(&session, true, answer);
        EXPECT_EQ(rows[i].good ? answer.seq : S + 1, session.nxt[FLOW_SERVER]);
    }
}

static void
test_gap_is_one_of_a_tap_and_of_segments_that_are_sound(void)
{
    for (int wrong = 0; wrong <= 6; wrong++) {
        struct session session = open_on_a_tap();
        struct segment said = behind(false), answer = agreeing(true);
        bool good = wrong == 0 || wrong == 6;

        if (wrong == 1)
            session.side = FLOW_CLIENT;
        if (wrong == 4)
            session.state = FLOW_SYNRCVD;
        if (wrong == 5)
            session.state = FLOW_SYNSENT;
        if (wrong == 6)
            session.state = FLOW_CLOSING;
        if (wrong == 2)
            said.flags = 0;
        answer.bad = wrong == 3;
        pass(&session, false, said);
        pass(&session, true, answer);
        EXPECT_EQ(good ? answer.seq : S + 1, session.nxt[FLOW_SERVER]);
        EXPECT_EQ(good ? said.ack : S + 1, session.ack[FLOW_CLIENT]);
    }
}

static void
test_run_behind_a_gap_grows_and_does_not_shrink(void)
{
    struct session session = open_on_a_tap();
    struct segment said = behind(false), again = said, next = said;
    struct segment answer = agreeing(true);

    next.seq += 100;
    next.ack += 10;
    next.payload = 50;
    again.ack += 20;
    again.payload = 30;
    pass(&session, false, said);
    pass(&session, false, next);
    pass(&session, false, again);
    answer.ack = next.seq + 50;
    answer.seq += 20;
    pass(&session, true, answer);
    EXPECT_EQ(next.seq + 50, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(again.ack, session.ack[FLOW_CLIENT]);
}

static void
test_what_is_further_apart_is_another_run(void)
{
    for (uint32_t far = 0; far < 2; far++) {
        struct session session = open_on_a_tap();
        struct segment said = behind(false), next = said;
        struct segment answer = agreeing(true);

        next.seq += RUN + far;
        pass(&session, false, said);
        pass(&session, false, next);
        pass(&session, true, answer);
        EXPECT_EQ(far ? S + 1 : answer.seq, session.nxt[FLOW_SERVER]);
        if (far) { /* the later one is */
            answer.ack = next.seq;
            pass(&session, true, answer);
            EXPECT_EQ(S + 1, session.nxt[FLOW_SERVER]);
        }
    }
    /* A run that goes back is another one, too. */
    struct session session = open_on_a_tap();
    struct segment said = behind(false), earlier = said;
    struct segment answer = agreeing(true);

    earlier.seq -= 500;
    answer.ack = earlier.seq + 100;
    pass(&session, false, said);
    pass(&session, false, earlier);
    pass(&session, true, answer);
    EXPECT_EQ(answer.ack, session.nxt[FLOW_CLIENT]);
}

static void
test_gap_that_was_found_is_not_found_again(void)
{
    struct session session = open_on_a_tap();
    struct segment answer = agreeing(true), far = answer;

    pass(&session, false, behind(false));
    pass(&session, true, answer);
    far.seq += 200000;
    pass(&session, true, far);
    EXPECT_EQ(answer.seq, session.nxt[FLOW_SERVER]);
}

static void
test_fin_behind_a_gap_is_one_once_the_ends_agree(void)
{
    for (uint32_t late = 0; late < 2; late++) {
        struct session session = open_on_a_tap();
        struct segment said = behind(late != 0), answer = agreeing(late == 0);
        uint16_t fin = late ? SESSION_FIN_SERVER : SESSION_FIN_CLIENT;

        said.flags |= WIRE_FIN;
        answer.ack++;
        pass(&session, late != 0, said);
        EXPECT_EQ(SESSION_SYNACK, session.flags);
        pass(&session, late == 0, answer);
        EXPECT_EQ(SESSION_SYNACK | fin, session.flags);
        answer.flags |= WIRE_FIN;
        EXPECT_EQ(TRACK_CLOSED, pass(&session, late == 0, answer));
    }
    /* Not the FIN of a run that another took the place of. */
    struct session session = open_on_a_tap();
    struct segment said = behind(false), answer = agreeing(true);

    said.flags |= WIRE_FIN;
    pass(&session, false, said);
    said.flags = WIRE_ACK;
    said.seq -= 5000;
    answer.ack = said.seq + 100;
    pass(&session, false, said);
    pass(&session, true, answer);
    EXPECT_EQ(answer.ack, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(SESSION_SYNACK, session.flags);
}

static void
test_windows_behind_a_gap_are_scaled_and_do_not_shrink(void)
{
    struct session session = open_on_a_tap();

    session.wscale[FLOW_CLIENT] = 2;
    session.wscale[FLOW_SERVER] = 3;
    session.wnd[FLOW_CLIENT] = 100000;
    struct segment said = behind(false), answer = agreeing(true);
    said.seq += 100000;
    answer.ack += 100000;
    pass(&session, false, said);
    pass(&session, true, answer);
    EXPECT_EQ(100000, session.wnd[FLOW_CLIENT]);
    EXPECT_EQ(700 << 3, session.wnd[FLOW_SERVER]);
    /* One end that does not scale: none does. */
    session = open_on_a_tap();
    session.wscale[FLOW_CLIENT] = 2;
    pass(&session, false, behind(false));
    pass(&session, true, agreeing(true));
    EXPECT_EQ(700, session.wnd[FLOW_SERVER]);
}

/* What a router says of the client's first packet, which begins at its ISN. */
static bool
refused(struct session session, uint8_t family, uint8_t type, uint8_t code,
        uint32_t from)
{
    static struct packet packet;
    struct view view;

    packet_icmp(&packet, family, type, family == 4 ? 40 : 60);
    packet.bytes[packet.upper + 1] = code;
    packet_seal(&packet, family == 4 ? 1 : 58, 2);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    EXPECT_EQ(VIEW_QUOTE, view.kind);
    return track_is_refused(&session, &view, from);
}

static void
test_attempt_is_refused_by_an_error_that_asks_for_no_smaller_packet(void)
{
    static const struct {
        uint8_t family, type, code;
        bool refused;
    } rows[] = {{4, 3, 1, true},  {4, 3, 3, true},  {4, 3, 4, false},
                {4, 11, 4, true}, {4, 12, 0, true}, {6, 1, 4, true},
                {6, 2, 0, false}, {6, 3, 0, true},  {6, 4, 4, true}};
    struct session half = {
        .state = FLOW_SYNRCVD, .protocol = 6, .c = 0xfffffff0};

    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_EQ(rows[i].refused, refused(half, rows[i].family, rows[i].type,
                                           rows[i].code, FLOW_CLIENT));
}

static void
test_error_refuses_the_attempt_that_it_quotes_while_that_is_unanswered(void)
{
    struct session half = {
        .state = FLOW_SYNRCVD, .protocol = 6, .c = 0xfffffff0};
    struct session other = half;

    EXPECT_TRUE(refused(half, 4, 3, 1, FLOW_CLIENT));
    EXPECT_TRUE(!refused(half, 4, 3, 1, FLOW_SERVER));
    other.c++;
    EXPECT_TRUE(!refused(other, 4, 3, 1, FLOW_CLIENT));
    other.protocol = 17; /* UDP has no such number */
    EXPECT_TRUE(refused(other, 4, 3, 1, FLOW_CLIENT));
    half.flags = SESSION_SYNACK;
    EXPECT_TRUE(!refused(half, 4, 3, 1, FLOW_CLIENT));
    half.flags = SESSION_OTHER_ISN;
    EXPECT_TRUE(refused(half, 4, 3, 1, FLOW_CLIENT));
    half.state = FLOW_ESTAB;
    EXPECT_TRUE(!refused(half, 4, 3, 1, FLOW_CLIENT));
}

static const struct test tests[] = {
    TEST(test_numbers_behind_a_gap_count_once_both_ends_agree_on_them),
    TEST(test_gap_is_known_by_acknowledgments_from_its_run_alone),
    TEST(test_gap_is_one_of_a_tap_and_of_segments_that_are_sound),
    TEST(test_run_behind_a_gap_grows_and_does_not_shrink),
    TEST(test_what_is_further_apart_is_another_run),
    TEST(test_gap_that_was_found_is_not_found_again),
    TEST(test_fin_behind_a_gap_is_one_once_the_ends_agree),
    TEST(test_windows_behind_a_gap_are_scaled_and_do_not_shrink),
    TEST(test_attempt_is_refused_by_an_error_that_asks_for_no_smaller_packet),
    TEST(
        test_error_refuses_the_attempt_that_it_quotes_while_that_is_unanswered),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

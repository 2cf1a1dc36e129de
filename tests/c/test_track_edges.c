/* Numbers at the edges of what a connection that passes takes. */
#include "tracked.h"

static uint32_t
useless(const struct session *session, struct segment segment)
{
    struct view view = parsed(false, segment);

    return track_useless(session, &view, FLOW_CLIENT);
}

/* In line, where nothing is missed. */
static struct session
open_in_line(void)
{
    struct session session = open_on_a_tap();

    session.side = FLOW_CLIENT;
    return session;
}

static void
test_acknowledgment_is_taken_from_a_window_back_to_what_was_sent(void)
{
    /* RFC 5961 5.2; a window of 1,000 and the largest without a scale. */
    static const struct {
        uint32_t ack; /* beside the highest one */
        bool taken;
    } rows[] = {{0, true},
                {50, true},
                {51, false},
                {0u - 1000 - UINT16_MAX, true},
                {0u - 1001 - UINT16_MAX, false}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct session session = open_in_line();
        struct segment said = {.seq = C + 1,
                               .ack = S + 1 + rows[i].ack,
                               .flags = WIRE_ACK,
                               .payload = 10};

        session.nxt[FLOW_SERVER] += 50;
        EXPECT_EQ(rows[i].taken ? 0 : 1, useless(&session, said));
        pass(&session, false, said);
        EXPECT_EQ(rows[i].taken ? C + 11 : C + 1, session.nxt[FLOW_CLIENT]);
        EXPECT_EQ(i == 1 ? S + 51 : S + 1, session.ack[FLOW_CLIENT]);
    }
}

static void
test_segment_is_taken_that_touches_the_window(void)
{
    /* The server has taken 100 bytes of more, and has a window of 1,000. */
    static const struct {
        uint32_t seq, payload;
        bool taken;
    } rows[] = {{C + 101, 0, true},   {C + 1, 100, true},    {C + 1, 99, false},
                {C + 1101, 20, true}, {C + 1102, 20, false}, {C + 1, 0, false},
                {C + 1, 200, true}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct session session = open_in_line();
        struct segment said = {.seq = rows[i].seq,
                               .ack = S + 1,
                               .flags = WIRE_ACK,
                               .window = 3000,
                               .payload = (uint16_t)rows[i].payload};

        session.ack[FLOW_SERVER] += 100;
        EXPECT_EQ(rows[i].taken ? 0 : 1, useless(&session, said));
        pass(&session, false, said);
        EXPECT_EQ(rows[i].taken ? 3000 : 1000, session.wnd[FLOW_CLIENT]);
    }
}

static void
test_edge_moves_with_the_acknowledgment_and_not_back(void)
{
    static const struct {
        uint32_t ack, window, wnd;
    } rows[] = {{0, 1000, 1000},      {0, 999, 1000}, {0, 1001, 1001},
                {50, 950, 950},       {50, 949, 950}, {50, 951, 951},
                {0u - 10, 2000, 1000}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct session session = open_in_line();

        session.nxt[FLOW_SERVER] += 50;
        pass(&session, false,
             (struct segment){.seq = C + 1,
                              .ack = S + 1 + rows[i].ack,
                              .flags = WIRE_ACK,
                              .window = (uint16_t)rows[i].window});
        EXPECT_EQ(rows[i].wnd, session.wnd[FLOW_CLIENT]);
    }
}

static void
test_connection_that_is_closed_waits_longer_while_an_end_owes_an_ack(void)
{
    uint16_t both = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    for (uint32_t end = FLOW_CLIENT; end <= FLOW_SERVER; end++) {
        struct session session = open_in_line();

        session.flags |= both;
        EXPECT_TRUE(!track_is_owed(&session));
        EXPECT_EQ(5007, track_closing_ms(&session, 5000, 7));
        session.nxt[end]++;
        EXPECT_TRUE(track_is_owed(&session));
        EXPECT_EQ(125000, track_closing_ms(&session, 5000, 7));
        EXPECT_EQ(125000, track_closing_ms(&session, 5000, 120000));
        EXPECT_EQ(125001, track_closing_ms(&session, 5000, 120001));
        session.flags &=
            (uint16_t)~(end ? SESSION_FIN_CLIENT : SESSION_FIN_SERVER);
        EXPECT_TRUE(!track_is_owed(&session));
    }
}

static void
test_answer_of_another_isn_begins_anew_unless_it_is_the_first_one_again(void)
{
    struct segment answer = {
        .seq = 7777, .ack = 5001, .flags = WIRE_SYN | WIRE_ACK};
    struct segment late = answer, bad = answer, fin = answer;
    struct session session = open_in_line();

    late.ack = C + 1;
    bad.bad = true;
    fin.flags |= WIRE_FIN;
    session.p = 5000;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, answer));
    session.flags |= SESSION_OTHER_ISN;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, late));
    EXPECT_EQ(TRACK_NONE, pass(&session, true, bad));
    EXPECT_EQ(TRACK_NONE, pass(&session, true, fin));
    EXPECT_EQ(TRACK_ANEW, pass(&session, true, answer));
    answer.seq = S; /* the server's number is enough of a difference */
    EXPECT_EQ(TRACK_ANEW, pass(&session, true, answer));
    session.state = FLOW_CLOSING;
    EXPECT_EQ(TRACK_ANEW, pass(&session, true, answer));
    session.p = C; /* the client begins with the same one each time */
    late.seq = S;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, late));
    late.seq = S + 1;
    EXPECT_EQ(TRACK_ANEW, pass(&session, true, late));
}

static void
test_answer_to_data_on_the_syn_may_take_it_or_not(void)
{
    for (uint32_t ack = C; ack <= C + 12; ack++) {
        struct session session = open_in_line();
        bool right = ack == C + 1 || ack == C + 11;

        session.flags = 0;
        session.state = FLOW_SYNRCVD;
        session.nxt[FLOW_CLIENT] = C + 11;
        EXPECT_EQ(right ? TRACK_SYN_ACK : TRACK_NONE,
                  pass(&session, true,
                       (struct segment){.seq = 7777,
                                        .ack = ack,
                                        .flags = WIRE_SYN | WIRE_ACK}));
        EXPECT_EQ(right ? 7777 : S, session.s);
        session.flags = 0;
        EXPECT_EQ(
            right ? TRACK_RST : TRACK_NONE,
            pass(&session, true,
                 (struct segment){.ack = ack, .flags = WIRE_RST | WIRE_ACK}));
        EXPECT_EQ(TRACK_NONE,
                  pass(&session, true,
                       (struct segment){.ack = ack, .flags = WIRE_RST}));
    }
}

static void
test_nothing_counts_before_the_answer_to_the_syn(void)
{
    struct session session = open_in_line();
    struct segment data = {
        .seq = C + 1, .ack = S + 1, .flags = WIRE_ACK, .payload = 10};

    session.flags = 0;
    session.state = FLOW_SYNRCVD;
    EXPECT_EQ(TRACK_NONE, pass(&session, false, data));
    EXPECT_EQ(C + 1, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(10, session.bytes[FLOW_CLIENT]);
    session.flags = SESSION_ADOPTED;
    session.state = FLOW_ESTAB;
    EXPECT_EQ(TRACK_NONE, pass(&session, false, data));
    EXPECT_EQ(C + 11, session.nxt[FLOW_CLIENT]);
}

static const struct test tests[] = {
    TEST(test_acknowledgment_is_taken_from_a_window_back_to_what_was_sent),
    TEST(test_segment_is_taken_that_touches_the_window),
    TEST(test_edge_moves_with_the_acknowledgment_and_not_back),
    TEST(test_connection_that_is_closed_waits_longer_while_an_end_owes_an_ack),
    TEST(
        test_answer_of_another_isn_begins_anew_unless_it_is_the_first_one_again),
    TEST(test_answer_to_data_on_the_syn_may_take_it_or_not),
    TEST(test_nothing_counts_before_the_answer_to_the_syn),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* What a handshake that passes tells of its ends: numbers, windows, options. */
#include "between.h"

#include "../../csrc/flow/track.h"

static const struct between world = {
    .family = 4, .chost = 10, .cport = 40000, .sport = 80};

enum { C = 100, S = 900 };

static struct view
parsed(struct said said)
{
    static uint8_t packet[BETWEEN_SLOT_SIZE];
    struct view view;
    size_t size = between_make(&world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    view_parse(packet, size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return view;
}

static enum track_change
pass(struct session *session, struct said said)
{
    struct view view = parsed(said);
    return track_segment(session, &view, said.side);
}

static struct said
offering(uint8_t side, uint16_t flags, uint32_t seq, uint32_t ack,
         uint8_t wscale)
{
    struct said said = between_said(side, flags, seq, ack, 0);
    said.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    said.mss = 1234;
    said.wscale = wscale;
    return said;
}

static struct session
syn_seen(uint32_t payload)
{
    struct session session = {.state = FLOW_SYNRCVD, .protocol = 6};
    struct said syn = offering(FLOW_CLIENT, WIRE_SYN, C, 0, 5);
    syn.payload = payload;
    struct view view = parsed(syn);
    track_syn(&session, &view);
    return session;
}

static void
test_syn_tells_the_numbers_and_options_of_the_client(void)
{
    struct session session = syn_seen(7);
    EXPECT_EQ(C, session.c);
    EXPECT_EQ(C + 8, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(600, session.wnd[FLOW_CLIENT]);
    EXPECT_EQ(5, session.wscale[FLOW_CLIENT]);
    EXPECT_EQ(1234, session.mss);
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE, session.offered);
    EXPECT_EQ(7, session.bytes[FLOW_CLIENT]);
}

static void
test_syn_ack_tells_the_numbers_and_options_of_the_server(void)
{
    struct session session = syn_seen(0);
    EXPECT_EQ(TRACK_SYN_ACK,
              pass(&session,
                   offering(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S, C + 1, 3)));
    EXPECT_EQ(S, session.s);
    EXPECT_EQ(S + 1, session.nxt[FLOW_SERVER]);
    EXPECT_EQ(S + 1, session.ack[FLOW_CLIENT]);
    EXPECT_EQ(C + 1, session.ack[FLOW_SERVER]);
    EXPECT_EQ(600, session.wnd[FLOW_SERVER]);
    EXPECT_EQ(3, session.wscale[FLOW_SERVER]);
}

static void
test_ack_completes_from_the_isn_or_behind_the_data_of_the_syn(void)
{
    static const struct {
        uint32_t seq;
        bool completes;
    } rows[] = {{C, false},     {C + 1, true}, {C + 2, false},
                {C + 7, false}, {C + 8, true}, {C + 9, false}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct session session = syn_seen(7);
        EXPECT_EQ(TRACK_SYN_ACK,
                  pass(&session, offering(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S,
                                          C + 1, 3)));
        enum track_change change =
            pass(&session,
                 between_said(FLOW_CLIENT, WIRE_ACK, rows[i].seq, S + 1, 0));
        EXPECT_EQ(rows[i].completes, change == TRACK_ESTABLISHED);
    }
}

static void
test_server_that_takes_the_other_syn_has_its_numbers(void)
{
    struct session session = syn_seen(0);
    EXPECT_EQ(TRACK_NONE,
              pass(&session, offering(FLOW_CLIENT, WIRE_SYN, 5000, 0, 9)));
    EXPECT_EQ(5, session.wscale[FLOW_CLIENT]);
    EXPECT_EQ(
        TRACK_SYN_ACK,
        pass(&session, offering(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S, 5001, 3)));
    EXPECT_EQ(5000, session.c);
    EXPECT_EQ(5001, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(9, session.wscale[FLOW_CLIENT]);
    EXPECT_EQ(SESSION_SYNACK, session.flags);
}

static const struct test tests[] = {
    TEST(test_syn_tells_the_numbers_and_options_of_the_client),
    TEST(test_syn_ack_tells_the_numbers_and_options_of_the_server),
    TEST(test_ack_completes_from_the_isn_or_behind_the_data_of_the_syn),
    TEST(test_server_that_takes_the_other_syn_has_its_numbers),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

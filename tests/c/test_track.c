/* Validated transitions of connections that pass. */
#include "world.h"

#include "../../csrc/flow/strays.h"
#include "../../csrc/flow/track.h"

enum { C = 100, S = 900 };

static uint32_t
weight(const struct session *session, bool from_server, struct segment segment)
{
    static struct packet packet;
    struct view view;

    world_segment(&packet, &world_ends, from_server, segment);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return track_useless(session, &view,
                         from_server ? FLOW_SERVER : FLOW_CLIENT);
}

static enum track_change
pass(struct session *session, bool from_server, struct segment segment)
{
    static struct packet packet;
    struct view view;

    world_segment(&packet, &world_ends, from_server, segment);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return track_segment(session, &view,
                         from_server ? FLOW_SERVER : FLOW_CLIENT);
}

/* A session whose SYN has passed. */
static struct session
syn_seen(void)
{
    struct session session = {.state = FLOW_SYNRCVD, .protocol = 6};
    static struct packet packet;
    struct view view;

    world_segment(
        &packet, &world_ends, false,
        (struct segment){.seq = C, .flags = WIRE_SYN, .window = 1000});
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    session.wscale[FLOW_SERVER] = SYNCACHE_WSCALE_NONE;
    track_syn(&session, &view);
    return session;
}

static struct session
syn_ack_seen(void)
{
    struct session session = syn_seen();

    EXPECT_EQ(TRACK_SYN_ACK, pass(&session, true,
                                  (struct segment){.seq = S,
                                                   .ack = C + 1,
                                                   .flags = WIRE_SYN | WIRE_ACK,
                                                   .window = 1000}));
    return session;
}

static struct session
established(void)
{
    struct session session = syn_ack_seen();

    EXPECT_EQ(TRACK_ESTABLISHED, pass(&session, false,
                                      (struct segment){.seq = C + 1,
                                                       .ack = S + 1,
                                                       .flags = WIRE_ACK,
                                                       .window = 1000}));
    session.state = FLOW_ESTAB;
    return session;
}

static void
test_syn_ack_counts_if_it_answers_the_syn(void)
{
    struct session session = syn_seen();
    struct segment wrong = {.seq = S, .ack = C, .flags = WIRE_SYN | WIRE_ACK};

    EXPECT_EQ(TRACK_NONE, pass(&session, true, wrong));
    wrong.ack = C + 1;
    wrong.bad = true;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, wrong));
    EXPECT_EQ(0, session.flags & SESSION_SYNACK);
    session = syn_ack_seen();
    EXPECT_EQ(S, session.s);
}

static void
test_ack_completes_if_both_numbers_are_right(void)
{
    struct session session = syn_ack_seen();
    struct segment ack = {.seq = C + 1, .ack = S + 1, .flags = WIRE_ACK};

    for (uint32_t off = 1; off <= 2; off++) {
        struct segment wrong = ack;

        wrong.seq += 2 * off - 3;
        EXPECT_EQ(TRACK_NONE, pass(&session, false, wrong));
        wrong = ack;
        wrong.ack += 2 * off - 3;
        EXPECT_EQ(TRACK_NONE, pass(&session, false, wrong));
    }
    EXPECT_EQ(TRACK_NONE, pass(&session, true, ack));
    ack.bad = true;
    EXPECT_EQ(TRACK_NONE, pass(&session, false, ack));
    (void)established();
}

static void
test_syns_that_cross_are_established_by_both_syn_acks(void)
{
    struct segment ours = {
        .seq = C, .ack = S + 1, .flags = WIRE_SYN | WIRE_ACK};
    struct segment theirs = {
        .seq = S, .ack = C + 1, .flags = WIRE_SYN | WIRE_ACK};

    for (uint32_t wrong = 0; wrong < 4; wrong++) {
        struct segment said = ours;
        bool good = wrong == 0;

        said.seq += wrong == 1;
        said.ack += wrong == 2;
        said.bad = wrong == 3;
        struct session session = syn_seen();
        pass(&session, true, (struct segment){.seq = S, .flags = WIRE_SYN});
        EXPECT_EQ(TRACK_NONE, pass(&session, false, said));
        EXPECT_EQ(good ? TRACK_ESTABLISHED : TRACK_SYN_ACK,
                  pass(&session, true, theirs));
        session = syn_seen();
        pass(&session, true, (struct segment){.seq = S, .flags = WIRE_SYN});
        EXPECT_EQ(TRACK_SYN_ACK, pass(&session, true, theirs));
        EXPECT_EQ(good ? TRACK_ESTABLISHED : TRACK_NONE,
                  pass(&session, false, said));
    }
    /* The highest ISN, where the fields begin. */
    struct session session = syn_seen();
    theirs.seq = UINT32_MAX;
    EXPECT_EQ(TRACK_SYN_ACK, pass(&session, true, theirs));
}

static void
test_ack_before_the_syn_ack_completes_nothing(void)
{
    struct session session = syn_seen();

    EXPECT_EQ(TRACK_NONE, pass(&session, false,
                               (struct segment){
                                   .seq = C + 1, .ack = 1, .flags = WIRE_ACK}));
}

static void
test_server_that_takes_the_other_syn_is_followed(void)
{
    /* A restarted client: its new SYN counts once the server answers it. */
    struct session session = syn_seen();

    pass(&session, false, (struct segment){.seq = 5000, .flags = WIRE_SYN});
    EXPECT_EQ(C, session.c);
    EXPECT_EQ(TRACK_SYN_ACK,
              pass(&session, true,
                   (struct segment){
                       .seq = S, .ack = 5001, .flags = WIRE_SYN | WIRE_ACK}));
    EXPECT_EQ(5000, session.c);
    EXPECT_EQ(5001, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(
        TRACK_ESTABLISHED,
        pass(&session, false,
             (struct segment){.seq = 5001, .ack = S + 1, .flags = WIRE_ACK}));
}

static void
test_only_a_plain_syn_is_another_one(void)
{
    static const uint16_t more[] = {WIRE_ACK, WIRE_RST, WIRE_FIN,
                                    WIRE_RST | WIRE_FIN, 0};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct session session = syn_seen();
        static struct packet packet;
        struct view view;

        world_segment(&packet, &world_ends, false,
                      (struct segment){.seq = 5000,
                                       .flags = (uint8_t)(WIRE_SYN | more[i])});
        view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
        track_other_syn(&session, &view);
        EXPECT_EQ(more[i] == 0, (session.flags & SESSION_OTHER_ISN) != 0);
    }
}

static void
test_syn_ack_that_is_waited_for_weighs_nothing(void)
{
    struct session session = syn_seen();
    struct segment syn = {.seq = 5000, .flags = WIRE_SYN};
    struct segment answer = {
        .seq = S, .ack = C + 1, .flags = WIRE_SYN | WIRE_ACK};
    struct segment wrong = {
        .seq = S, .ack = C + 2, .flags = WIRE_SYN | WIRE_ACK};
    struct segment other = {
        .seq = S, .ack = 5001, .flags = WIRE_SYN | WIRE_ACK};
    struct segment refusing = answer;

    refusing.flags |= WIRE_FIN;
    EXPECT_EQ(0, weight(&session, true, answer));
    EXPECT_EQ(REPEATS_SYN, weight(&session, true, wrong));
    EXPECT_EQ(REPEATS_SYN, weight(&session, true, other));
    EXPECT_EQ(REPEATS_SYN, weight(&session, true, refusing));
    EXPECT_EQ(REPEATS_SYN, weight(&session, false, answer));
    EXPECT_EQ(REPEATS_SYN, weight(&session, false, syn));
    pass(&session, false, syn);
    EXPECT_EQ(0, weight(&session, true, other));
    session = established();
    EXPECT_EQ(REPEATS_SYN, weight(&session, true, answer));
    pass(&session, false, syn);
    EXPECT_EQ(0, weight(&session, true, other));
}

static void
test_rst_counts_if_it_is_exactly_expected(void)
{
    struct session session = established();

    pass(&session, true,
         (struct segment){
             .seq = S + 1, .ack = C + 1, .flags = WIRE_ACK, .payload = 50});
    for (uint32_t seq = S - 2; seq < S + 60; seq++) {
        enum track_change expected =
            seq == S + 1 || seq == S + 51 ? TRACK_RST : TRACK_NONE;

        EXPECT_EQ(expected,
                  pass(&session, true,
                       (struct segment){.seq = seq, .flags = WIRE_RST}));
    }
}

static void
test_rst_counts_with_the_number_of_a_fin(void)
{
    struct segment rst = {.seq = C + 1, .flags = WIRE_RST};

    for (uint32_t server = 0; server <= 1; server++) {
        struct session session = established();
        struct segment fin = {
            .seq = C + 1, .ack = S + 1, .flags = WIRE_FIN | WIRE_ACK};

        if (server) {
            fin.seq = S + 1;
            fin.ack = C + 1;
        }
        rst.seq = fin.seq - 1;
        EXPECT_EQ(TRACK_NONE, pass(&session, server != 0, rst));
        EXPECT_EQ(TRACK_NONE, pass(&session, server != 0, fin));
        fin.ack = fin.seq + 1;
        fin.seq = server ? C + 1 : S + 1;
        fin.flags = WIRE_ACK;
        EXPECT_EQ(TRACK_NONE, pass(&session, server == 0, fin));
        EXPECT_EQ(TRACK_NONE, pass(&session, server != 0, rst));
        rst.seq++;
        EXPECT_EQ(TRACK_RST, pass(&session, server != 0, rst));
    }
}

static void
test_ack_of_some_early_data_completes(void)
{
    /* Fast Open: the server has sent two segments, the first ACK was lost. */
    struct session session = syn_ack_seen();
    struct segment data = {
        .seq = S + 1, .ack = C + 1, .flags = WIRE_ACK, .payload = 100};

    EXPECT_EQ(TRACK_NONE, pass(&session, true, data));
    data.seq += 100;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, data));
    struct segment ack = {.seq = C + 1, .ack = S + 202, .flags = WIRE_ACK};
    EXPECT_EQ(TRACK_NONE, pass(&session, false, ack));
    ack.ack = S + 101;
    EXPECT_EQ(TRACK_ESTABLISHED, pass(&session, false, ack));
}

static void
test_refusal_counts_if_it_acknowledges_the_syn(void)
{
    struct session session = syn_seen();
    struct segment refusal = {.ack = C + 2, .flags = WIRE_RST | WIRE_ACK};

    EXPECT_EQ(TRACK_NONE, pass(&session, true, refusal));
    refusal.ack = C + 1;
    EXPECT_EQ(TRACK_RST, pass(&session, true, refusal));
    refusal.flags = WIRE_RST;
    EXPECT_EQ(TRACK_NONE, pass(&session, true, refusal));
}

static void
test_fins_count_within_the_window(void)
{
    struct session session = established();
    struct segment fin = {
        .seq = C + 1 + 1001, .ack = S + 1, .flags = WIRE_FIN | WIRE_ACK};

    EXPECT_EQ(TRACK_NONE, pass(&session, false, fin));
    EXPECT_EQ(0, session.flags & SESSION_FIN_CLIENT);
    fin.seq = C + 1;
    EXPECT_EQ(TRACK_NONE, pass(&session, false, fin));
    EXPECT_TRUE((session.flags & SESSION_FIN_CLIENT) != 0);
    EXPECT_EQ(TRACK_NONE, pass(&session, false, fin));
    fin = (struct segment){
        .seq = S + 1, .ack = C + 2, .flags = WIRE_FIN | WIRE_ACK};
    EXPECT_EQ(TRACK_CLOSED, pass(&session, true, fin));
}

static void
test_segment_beyond_the_window_moves_nothing(void)
{
    /* Else a blind segment would spoil what a RST is measured by. */
    struct session session = established();
    struct session before = session;

    pass(&session, true,
         (struct segment){
             .seq = S + 5000, .ack = C + 1, .flags = WIRE_ACK, .payload = 9});
    EXPECT_EQ(before.nxt[FLOW_SERVER], session.nxt[FLOW_SERVER]);
    pass(&session, true,
         (struct segment){.seq = S + 1, .ack = C + 500, .flags = WIRE_ACK});
    EXPECT_EQ(before.ack[FLOW_SERVER], session.ack[FLOW_SERVER]);
}

static void
test_edge_of_the_window_does_not_move_back(void)
{
    struct session session = established();

    pass(&session, false,
         (struct segment){
             .seq = C + 1, .ack = S + 1, .flags = WIRE_ACK, .window = 10});
    EXPECT_EQ(1000, session.wnd[FLOW_CLIENT]);
    pass(&session, false,
         (struct segment){
             .seq = C + 1, .ack = S + 1, .flags = WIRE_ACK, .window = 2000});
    EXPECT_EQ(2000, session.wnd[FLOW_CLIENT]);
}

static void
test_payload_is_counted_for_its_sender(void)
{
    struct session session = established();

    pass(&session, false,
         (struct segment){
             .seq = C + 1, .ack = S + 1, .flags = WIRE_ACK, .payload = 22});
    pass(&session, true,
         (struct segment){
             .seq = S + 1, .ack = C + 23, .flags = WIRE_ACK, .payload = 208});
    EXPECT_EQ(22, session.bytes[FLOW_CLIENT]);
    EXPECT_EQ(208, session.bytes[FLOW_SERVER]);
}

static void
test_connection_anew_begins_with_the_scale_of_its_own_syn(void)
{
    struct session before = established(), session = {.state = FLOW_SYNRCVD};
    static struct packet packet;
    struct view view;

    before.p = 5000;
    before.other_wscale = 9;
    world_segment(&packet, &world_ends, true,
                  (struct segment){
                      .seq = 777, .ack = 5001, .flags = WIRE_SYN | WIRE_ACK});
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    track_renew(&session, &before, &view);
    EXPECT_EQ(5000, session.c);
    EXPECT_EQ(5001, session.nxt[FLOW_CLIENT]);
    EXPECT_EQ(UINT16_MAX, session.wnd[FLOW_CLIENT]);
    EXPECT_EQ(9, session.wscale[FLOW_CLIENT]);
    EXPECT_EQ(778, session.nxt[FLOW_SERVER]);
}

/* How many pieces of work such a segment of the client's is counted as. */
static uint32_t
useless(const struct session *session, struct segment segment)
{
    static struct packet packet;
    struct view view;

    world_segment(&packet, &world_ends, false, segment);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return track_useless(session, &view, FLOW_CLIENT);
}

static void
test_segment_beyond_the_window_is_useless_where_that_is_sure(void)
{
    struct segment good = {.seq = C + 1, .ack = S + 1, .flags = WIRE_ACK};
    struct segment far = good, early = good, plain = good;
    struct session session = established();

    far.seq += 100000;
    early.ack += 100000;
    plain.flags = 0;
    EXPECT_EQ(0, useless(&session, good));
    EXPECT_EQ(1, useless(&session, far));
    EXPECT_EQ(1, useless(&session, early));
    EXPECT_EQ(1, useless(&session, plain));
    session.flags |= SESSION_ADOPTED;
    EXPECT_EQ(0, useless(&session, far));
    session = syn_ack_seen();
    EXPECT_EQ(0, useless(&session, far));
    far.flags = WIRE_RST;
    EXPECT_EQ(0, useless(&session, far));
    session = established();
    EXPECT_EQ(REPEATS_SYN, useless(&session, far));
    far.seq = C + 1;
    EXPECT_EQ(0, useless(&session, far));
}

static const struct test tests[] = {
    TEST(test_syn_ack_counts_if_it_answers_the_syn),
    TEST(test_ack_completes_if_both_numbers_are_right),
    TEST(test_syns_that_cross_are_established_by_both_syn_acks),
    TEST(test_ack_before_the_syn_ack_completes_nothing),
    TEST(test_server_that_takes_the_other_syn_is_followed),
    TEST(test_only_a_plain_syn_is_another_one),
    TEST(test_syn_ack_that_is_waited_for_weighs_nothing),
    TEST(test_rst_counts_if_it_is_exactly_expected),
    TEST(test_rst_counts_with_the_number_of_a_fin),
    TEST(test_ack_of_some_early_data_completes),
    TEST(test_refusal_counts_if_it_acknowledges_the_syn),
    TEST(test_fins_count_within_the_window),
    TEST(test_segment_beyond_the_window_moves_nothing),
    TEST(test_edge_of_the_window_does_not_move_back),
    TEST(test_payload_is_counted_for_its_sender),
    TEST(test_connection_anew_begins_with_the_scale_of_its_own_syn),
    TEST(test_segment_beyond_the_window_is_useless_where_that_is_sure),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Spliced connections in the kernel's hands: given, looked at, given back. */
#include "between.h"

#include "../../csrc/flow/proxy.h"

static struct between world;
static struct flow_handed_session record[8];

#define C_ISN 5000u
#define S_ISN 900000u
#define IDLE_MS 10000u

static struct said
client(uint32_t seq, uint32_t ack, uint32_t payload)
{
    return between_said(FLOW_CLIENT, WIRE_ACK, seq, ack, payload);
}

static struct said
server(uint32_t seq, uint32_t ack, uint32_t payload)
{
    return between_said(FLOW_SERVER, WIRE_ACK, seq, ack, payload);
}

/* A connection up to the splice, its client not heard since.  Returns p. */
static uint32_t
spliced(bool on)
{
    between_open(&world, 8);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = FLOW_OPTIONS_CLIENT;
    tunables.connection_timeout_ms = IDLE_MS;
    between_tune(&world, &tunables);
    flow_hand_over(world.flow, on);
    struct said syn = client(C_ISN, 0, 0);
    syn.flags = WIRE_SYN;
    syn.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
    syn.wscale = 3;
    EXPECT_EQ(1, between_send(&world, syn));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 0)));
    struct said syn_ack = server(S_ISN, C_ISN + 1, 0);
    syn_ack.flags = WIRE_SYN | WIRE_ACK;
    syn_ack.has = syn.has;
    syn_ack.wscale = 4;
    EXPECT_EQ(2, between_send(&world, syn_ack));
    return p;
}

static uint32_t
handed(void)
{
    return flow_handed(world.flow, world.now_ms, record, 8);
}

static void
wait_ms(uint64_t ms)
{
    world.now_ms += ms;
    (void)between_poll(&world);
}

/* One that was given away. */
static uint32_t
given(void)
{
    uint32_t p = spliced(true);

    (void)between_send(&world, client(C_ISN + 1, p + 1, 100));
    EXPECT_EQ(1, handed());
    return p;
}

static void
test_connection_is_offered_once_its_client_was_heard(void)
{
    uint32_t p = spliced(true);
    EXPECT_EQ(0, handed());
    EXPECT_EQ(1, between_send(&world, server(S_ISN + 1, C_ISN + 1, 10)));
    EXPECT_EQ(0, handed());
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 100)));
    EXPECT_EQ(1, handed());
    EXPECT_EQ(p - S_ISN, record[0].delta);
    EXPECT_EQ(C_ISN + 101, record[0].nxt[FLOW_CLIENT]);
    EXPECT_EQ(S_ISN + 11, record[0].nxt[FLOW_SERVER]);
    EXPECT_EQ(100, record[0].bytes[FLOW_CLIENT]);
    EXPECT_EQ(40000, record[0].tuple.fport);
    /* Once; what still comes is translated. */
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 101, p + 11, 5)));
    EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world.verdict);
    EXPECT_EQ(0, handed());
    between_close(&world);
}

static void
test_nothing_is_offered_unless_asked_for(void)
{
    uint32_t p = spliced(false);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 100)));
    EXPECT_EQ(0, handed());
    flow_hand_over(world.flow, true);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 101, p + 1, 1)));
    /* Off: those that wait are asked for again later. */
    flow_hand_over(world.flow, false);
    EXPECT_EQ(0, handed());
    flow_hand_over(world.flow, true);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 102, p + 1, 1)));
    EXPECT_EQ(1, handed());
    between_close(&world);
}

static void
test_connection_that_ended_while_it_waited_is_not_given_away(void)
{
    uint32_t p = spliced(true);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 100)));
    struct said rst = client(C_ISN + 101, p + 1, 0);
    rst.flags = WIRE_RST;
    EXPECT_EQ(1, between_send(&world, rst));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    EXPECT_EQ(0, handed());
    EXPECT_EQ(HANDED_NOT, between_session(&world)->splice.handed);
    between_close(&world);
}

static void
test_place_of_a_session_that_is_gone_is_not_given_away(void)
{
    uint32_t p = spliced(true);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 100)));
    wait_ms(IDLE_MS + 1);
    EXPECT_TRUE(between_session(&world) == NULL);
    EXPECT_EQ(0, handed());
    between_close(&world);
}

static void
test_idle_connection_ends_only_by_a_look_that_came_later(void)
{
    (void)given();
    uint64_t began_ms = world.now_ms;
    wait_ms(IDLE_MS + 1000);
    EXPECT_EQ(1, world.flow->stats.established);
    /* It was busy in the kernel's hands. */
    record[0].age_ms = 400;
    record[0].bytes[FLOW_SERVER] = 7777;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(1, record[0].known);
    EXPECT_EQ(7777, between_session(&world)->bytes[FLOW_SERVER]);
    flow_handed_looked(world.flow, world.now_ms);
    wait_ms(IDLE_MS - 500);
    EXPECT_EQ(1, world.flow->stats.established);
    wait_ms(1000);
    EXPECT_EQ(1, world.flow->stats.established);
    /* A look that began before its time was over says nothing. */
    flow_handed_looked(world.flow, began_ms);
    wait_ms(1000);
    EXPECT_EQ(1, world.flow->stats.established);
    flow_handed_looked(world.flow, world.now_ms);
    wait_ms(1000);
    EXPECT_EQ(0, world.flow->stats.established);
    EXPECT_EQ(1, world.flow->stats.ended[FLOW_END_TIMEOUT]);
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(0, record[0].known);
    between_close(&world);
}

static void
test_numbers_that_come_back_judge_the_end(void)
{
    uint32_t p = given();
    record[0].nxt[FLOW_CLIENT] += 50000;
    record[0].ack[FLOW_CLIENT] += 3000000;
    record[0].nxt[FLOW_SERVER] += 3000000;
    record[0].ack[FLOW_SERVER] = record[0].nxt[FLOW_CLIENT];
    flow_handed_back(world.flow, world.now_ms, record, 1);
    struct said rst = client(C_ISN + 101, p + 1, 0);
    rst.flags = WIRE_RST;
    EXPECT_EQ(1, between_send(&world, rst));
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    rst.seq += 50000;
    EXPECT_EQ(1, between_send(&world, rst));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    between_close(&world);
}

static void
test_earlier_acknowledgement_moves_nothing_back(void)
{
    (void)given();
    uint32_t ack = between_session(&world)->ack[FLOW_SERVER];
    record[0].ack[FLOW_SERVER] = ack - 50;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(FLOW_KNOWN, record[0].known);
    EXPECT_EQ(ack, between_session(&world)->ack[FLOW_SERVER]);
    record[0].ack[FLOW_SERVER] = ack + 50;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(ack + 50, between_session(&world)->ack[FLOW_SERVER]);
    between_close(&world);
}

static void
test_later_number_counts_whoever_has_it(void)
{
    uint32_t p = given();
    /* What was in a queue went through the engine meanwhile. */
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 101, p + 1, 500)));
    flow_handed_back(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(C_ISN + 601, between_session(&world)->nxt[FLOW_CLIENT]);
    /* And it is offered again behind its next packet. */
    EXPECT_EQ(0, handed());
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 601, p + 1, 1)));
    EXPECT_EQ(1, handed());
    between_close(&world);
}

static void
test_fin_of_one_end_leaves_the_rest_to_the_kernel(void)
{
    uint32_t p = given();
    flow_handed_back(world.flow, world.now_ms, record, 1);
    struct said fin = client(C_ISN + 101, p + 1, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    EXPECT_EQ(1, handed());
    flow_handed_back(world.flow, world.now_ms, record, 1);
    fin = server(S_ISN + 1, C_ISN + 102, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    EXPECT_EQ(0, handed());
    between_close(&world);
}

static void
test_news_moves_the_deadline_of_an_open_connection_only(void)
{
    uint32_t p = given();
    struct said rst = client(C_ISN + 101, p + 1, 0);
    rst.flags = WIRE_RST;
    world.now_ms += 50;
    record[0].age_ms = 20;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(UINT16_MAX << 3, between_session(&world)->wnd[FLOW_CLIENT]);
    EXPECT_EQ(UINT16_MAX << 4, between_session(&world)->wnd[FLOW_SERVER]);
    EXPECT_EQ(world.now_ms - 20 + IDLE_MS,
              between_session(&world)->deadline_ms);
    EXPECT_EQ(1, between_send(&world, rst));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    uint64_t deadline_ms = between_session(&world)->deadline_ms;
    record[0].age_ms = 0;
    flow_handed_seen(world.flow, world.now_ms + 1, record, 1);
    EXPECT_EQ(FLOW_KNOWN, record[0].known);
    EXPECT_EQ(deadline_ms, between_session(&world)->deadline_ms);
    between_close(&world);
}

static void
test_window_of_the_kernels_connection_is_as_large_as_its_scale_allows(void)
{
    for (uint32_t end = FLOW_CLIENT; end <= FLOW_SERVER; end++) {
        (void)given();
        between_session(&world)->wscale[end] = SYNCACHE_WSCALE_NONE;
        flow_handed_seen(world.flow, world.now_ms, record, 1);
        EXPECT_EQ(UINT16_MAX, between_session(&world)->wnd[FLOW_CLIENT]);
        EXPECT_EQ(UINT16_MAX, between_session(&world)->wnd[FLOW_SERVER]);
        between_close(&world);
    }
}

static void
test_record_of_another_session_changes_nothing(void)
{
    (void)given();
    struct flow_handed_session other = record[0];
    other.tuple.fport++;
    struct flow_handed_session far = record[0];
    far.number = 7;
    flow_handed_seen(world.flow, world.now_ms, &other, 1);
    EXPECT_EQ(0, other.known);
    flow_handed_seen(world.flow, world.now_ms, &far, 1);
    EXPECT_EQ(0, far.known);
    flow_handed_back(world.flow, world.now_ms, &far, 1);
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(1, record[0].known);
    between_close(&world);
}

/* What the kernel's map of IPv6 says of a connection. */
static struct flow_handed_session
named(void)
{
    struct flow_handed_session name = record[0];

    memset(name.tuple.faddr, 0, 12);
    memset(name.tuple.laddr, 7, sizeof name.tuple.laddr);
    memcpy(name.tuple.faddr + 12, record[0].tuple.faddr + 12, 4);
    name.known = FLOW_KNOWN_BY_NAME;
    return name;
}

static void
test_record_with_a_name_is_of_the_session_with_its_number_and_delta(void)
{
    given();
    struct flow_handed_session right = named(), delta = named(), port = named(),
                               client_ = named(), number = named();
    flow_handed_seen(world.flow, world.now_ms, &right, 1);
    EXPECT_EQ(FLOW_KNOWN, right.known);
    delta.delta++;
    port.tuple.lport++;
    client_.tuple.faddr[15]++;
    number.number++;
    flow_handed_seen(world.flow, world.now_ms, &delta, 1);
    flow_handed_seen(world.flow, world.now_ms, &port, 1);
    flow_handed_seen(world.flow, world.now_ms, &client_, 1);
    flow_handed_seen(world.flow, world.now_ms, &number, 1);
    EXPECT_EQ(FLOW_KNOWN_NOT, delta.known);
    EXPECT_EQ(FLOW_KNOWN_NOT, port.known);
    EXPECT_EQ(FLOW_KNOWN_NOT, client_.known);
    EXPECT_EQ(FLOW_KNOWN_NOT, number.known);
    right = named();
    flow_handed_back(world.flow, world.now_ms, &right, 1);
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(FLOW_KNOWN_NOT, record[0].known);
    between_close(&world);
}

static void
test_place_of_a_connection_that_ended_is_not_given_away(void)
{
    uint32_t p = spliced(true);
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 100)));
    struct session *session = between_session(&world);
    EXPECT_TRUE(session->flags & SESSION_SPLICED);
    session->flags &= (uint16_t)~SESSION_SPLICED; /* another one's by now */
    EXPECT_EQ(0, handed());
    session->flags |= SESSION_SPLICED;
    between_close(&world);
}

static void
test_walk_names_the_scales_of_both_ends(void)
{
    struct flow_session_view seen;
    uint64_t cursor = 0;
    (void)spliced(false);
    EXPECT_EQ(1, flow_walk(world.flow, &cursor, &seen, 1));
    EXPECT_EQ(3, seen.client_wscale);
    EXPECT_EQ(4, seen.server_wscale);
    between_close(&world);
}

static void
test_asking_tells_the_time(void)
{
    (void)given();
    (void)flow_handed(world.flow, world.now_ms + 7, record, 8);
    EXPECT_EQ(world.now_ms + 7, world.flow->now_ms);
    between_close(&world);
}

static void
test_flags_that_the_kernel_has_cleared_are_cleared(void)
{
    (void)given();
    between_session(&world)->splice.flags = 3;
    record[0].flags = 1;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(FLOW_KNOWN, record[0].known);
    EXPECT_EQ(1, between_session(&world)->splice.flags);
    between_close(&world);
}

static void
test_record_says_all_that_carrying_a_connection_takes(void)
{
    uint32_t p = spliced(true);
    (void)between_send(&world, client(C_ISN + 1, p + 1, 100));
    (void)between_send(&world, server(S_ISN + 1, C_ISN + 101, 30));
    struct session *session = between_session(&world);
    session->splice.ts_delta = 11;
    session->splice.ts_floor = 12;
    session->splice.flags = 1;
    session->splice.shift_to_client = -2;
    session->splice.shift_to_server = 3;
    world.now_ms += 40;
    memset(record, 0xee, sizeof record);
    EXPECT_EQ(1, handed());
    EXPECT_EQ(11, record[0].ts_delta);
    EXPECT_EQ(12, record[0].ts_floor);
    EXPECT_EQ(1, record[0].flags);
    EXPECT_TRUE(record[0].shift_to_client == -2);
    EXPECT_TRUE(record[0].shift_to_server == 3);
    EXPECT_EQ(40, record[0].age_ms);
    EXPECT_EQ(0, record[0].number);
    EXPECT_EQ(0, record[0].known);
    EXPECT_EQ(30, record[0].bytes[FLOW_SERVER]);
    EXPECT_EQ(session->ack[FLOW_CLIENT], record[0].ack[FLOW_CLIENT]);
    EXPECT_EQ(C_ISN + 101, record[0].ack[FLOW_SERVER]);
    between_close(&world);
}

static void
test_every_record_of_a_look_is_read_and_no_more(void)
{
    (void)given();
    for (uint32_t i = 1; i < 4; i++)
        record[i] = record[0];
    record[3].known = 77;
    flow_handed_seen(world.flow, world.now_ms, record, 3);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_EQ(FLOW_KNOWN, record[i].known);
    EXPECT_EQ(77, record[3].known);
    record[0].number = 5; /* coming back, too */
    record[1].bytes[FLOW_SERVER] = 4000;
    flow_handed_back(world.flow, world.now_ms, record, 2);
    EXPECT_EQ(4000, between_session(&world)->bytes[FLOW_SERVER]);
    EXPECT_EQ(HANDED_NOT, between_session(&world)->splice.handed);
    between_close(&world);
}

static void
test_half_open_session_is_no_carried_one(void)
{
    (void)given();
    struct session *session = between_session(&world);
    session->flags &= (uint16_t)~SESSION_SPLICED;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(FLOW_KNOWN_NOT, record[0].known);
    session->flags |= SESSION_SPLICED | SESSION_OWES_RST;
    flow_handed_seen(world.flow, world.now_ms, record, 1);
    EXPECT_EQ(FLOW_KNOWN_NOT, record[0].known);
    between_close(&world);
}

static void
test_news_counts_where_it_is_later(void)
{
    (void)given();
    struct session *session = between_session(&world);
    uint64_t last_ms = session->last_ms;
    for (uint32_t end = FLOW_CLIENT; end <= FLOW_SERVER; end++) {
        struct flow_handed_session in = record[0];
        uint32_t nxt = session->nxt[end], ack = session->ack[end];
        uint64_t bytes = session->bytes[end];
        in.age_ms = 1000000;
        in.nxt[end] = nxt - 5;
        in.ack[end] = ack - 5;
        in.bytes[end] = 0;
        flow_handed_seen(world.flow, world.now_ms, &in, 1);
        EXPECT_EQ(nxt, session->nxt[end]);
        EXPECT_EQ(ack, session->ack[end]);
        EXPECT_EQ(bytes, session->bytes[end]);
        EXPECT_EQ(last_ms, session->last_ms);
        in.nxt[end] = nxt + 5;
        in.ack[end] = ack + 6;
        in.bytes[end] = bytes + 7;
        flow_handed_seen(world.flow, world.now_ms, &in, 1);
        EXPECT_EQ(nxt + 5, session->nxt[end]);
        EXPECT_EQ(ack + 6, session->ack[end]);
        EXPECT_EQ(bytes + 7, session->bytes[end]);
    }
    struct flow_handed_session in = record[0];
    world.now_ms += 100;
    in.age_ms = 30;
    flow_handed_seen(world.flow, world.now_ms, &in, 1);
    EXPECT_EQ(world.now_ms - 30, session->last_ms);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_window_of_the_kernels_connection_is_as_large_as_its_scale_allows),
    TEST(test_news_moves_the_deadline_of_an_open_connection_only),
    TEST(test_connection_is_offered_once_its_client_was_heard),
    TEST(test_nothing_is_offered_unless_asked_for),
    TEST(test_connection_that_ended_while_it_waited_is_not_given_away),
    TEST(test_place_of_a_session_that_is_gone_is_not_given_away),
    TEST(test_idle_connection_ends_only_by_a_look_that_came_later),
    TEST(test_numbers_that_come_back_judge_the_end),
    TEST(test_earlier_acknowledgement_moves_nothing_back),
    TEST(test_later_number_counts_whoever_has_it),
    TEST(test_fin_of_one_end_leaves_the_rest_to_the_kernel),
    TEST(test_record_of_another_session_changes_nothing),
    TEST(test_record_with_a_name_is_of_the_session_with_its_number_and_delta),
    TEST(test_place_of_a_connection_that_ended_is_not_given_away),
    TEST(test_walk_names_the_scales_of_both_ends),
    TEST(test_asking_tells_the_time),
    TEST(test_flags_that_the_kernel_has_cleared_are_cleared),
    TEST(test_record_says_all_that_carrying_a_connection_takes),
    TEST(test_every_record_of_a_look_is_read_and_no_more),
    TEST(test_half_open_session_is_no_carried_one),
    TEST(test_news_counts_where_it_is_later),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Spliced connections over a restart: exported, taken up, checked, refused. */
#include "between.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

static struct said
client(uint32_t seq, uint32_t ack, uint32_t payload)
{
    return (struct said){.side = FLOW_CLIENT,
                         .flags = WIRE_ACK,
                         .seq = seq,
                         .ack = ack,
                         .window = 600,
                         .payload = payload};
}

static struct said
server(uint32_t seq, uint32_t ack, uint32_t payload)
{
    struct said said = client(seq, ack, payload);

    said.side = FLOW_SERVER;
    return said;
}

/* A connection with all options, through options=client.  Returns p. */
static uint32_t
spliced(void)
{
    between_open(&world, 8);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = FLOW_OPTIONS_CLIENT;
    between_tune(&world, &tunables);
    struct said syn = client(C_ISN, 0, 0);
    syn.flags = WIRE_SYN;
    syn.has = WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED |
              WIRE_HAS_TIMESTAMPS;
    syn.mss = 1460;
    syn.wscale = 9;
    EXPECT_EQ(1, between_send(&world, syn));
    uint32_t p = world.out[0].seq;
    struct said ack = client(C_ISN + 1, p + 1, 0);
    ack.has = WIRE_HAS_TIMESTAMPS;
    EXPECT_EQ(1, between_send(&world, ack));
    struct said syn_ack = server(S_ISN, C_ISN + 1, 0);
    syn_ack.flags = WIRE_SYN | WIRE_ACK;
    syn_ack.has = syn.has;
    syn_ack.mss = 1400;
    syn_ack.wscale = 4;
    syn_ack.tsval = 77;
    EXPECT_EQ(2, between_send(&world, syn_ack));
    return p;
}

/* Exports, and begins anew with what was exported. */
static struct flow_splice
restarted(uint32_t expected)
{
    struct flow_splice state[2];
    uint64_t cursor = 0;
    uint64_t now_ms = world.now_ms;
    memset(state, 0, sizeof state);
    EXPECT_EQ(1, flow_export(world.flow, now_ms, &cursor, state, 2));
    EXPECT_EQ(0, flow_export(world.flow, now_ms, &cursor, state + 1, 1));
    between_close(&world);
    between_open(&world, 8);
    world.now_ms = now_ms + 3000;
    EXPECT_EQ(expected, flow_import(world.flow, world.now_ms, state, 1));
    box_selfcheck(world.flow);
    return state[0];
}

static void
test_connection_goes_on_after_a_restart(void)
{
    uint32_t p = spliced();
    EXPECT_EQ(1, between_send(&world, server(S_ISN + 1, C_ISN + 1, 100)));
    (void)restarted(1);
    EXPECT_EQ(1, world.flow->stats.established);
    EXPECT_EQ(1, between_send(&world, server(S_ISN + 101, C_ISN + 1, 50)));
    EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world.verdict);
    EXPECT_EQ(p + 101, world.out[0].seq);
    EXPECT_EQ(600 >> 3, world.out[0].window); /* 4 real, 7 told */
    EXPECT_TRUE(world.out[0].good);
    struct said ack = client(C_ISN + 1, p + 151, 0);
    ack.sack[0] = p + 201;
    ack.sack[1] = p + 301;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(S_ISN + 151, world.out[0].ack);
    EXPECT_EQ(S_ISN + 201, world.out[0].sack[0]);
    EXPECT_EQ(S_ISN + 301, world.out[0].sack[1]);
    /* It closes as any other. */
    struct said fin = server(S_ISN + 151, C_ISN + 1, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    fin = client(C_ISN + 1, p + 152, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    between_close(&world);
}

static void
test_first_number_far_away_drops_the_connection(void)
{
    /* 2^20 either way is near; one more is another connection. */
    static const int32_t far[] = {1048576, -1048576, 1048577, -1048577};
    for (size_t i = 0; i < TEST_COUNT(far); i++) {
        for (int from_client = 0; from_client < 2; from_client++) {
            bool near = i < 2;
            uint32_t p = spliced();
            (void)restarted(1);
            uint32_t away = (uint32_t)far[i];
            if (from_client)
                between_send(&world, client(C_ISN + 1 + away, p + 1, 0));
            else
                between_send(&world, server(S_ISN + 1 + away, C_ISN + 1, 0));
            EXPECT_EQ(near ? FLOW_FORWARD_REWRITTEN : FLOW_DROP_RECLAIMED,
                      world.verdict);
            EXPECT_EQ(near, between_session(&world) != NULL);
            between_close(&world);
        }
    }
}

static void
test_idle_time_counts_over_each_restart(void)
{
    (void)spliced();
    for (uint64_t restarts = 1; restarts <= 2; restarts++) {
        world.now_ms += 1000;
        EXPECT_EQ(1000 * restarts, restarted(1).idle_ms);
        EXPECT_EQ(world.now_ms - 1000 * restarts + 86400000,
                  between_session(&world)->deadline_ms);
    }
    between_close(&world);
}

static void
test_senseless_states_are_refused(void)
{
    (void)spliced();
    struct flow_splice good = restarted(1);
    struct flow_splice bad[10];
    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        bad[i] = good;
        bad[i].tuple.fport++;
    }
    bad[0] = good; /* known already */
    bad[1].tuple.family = 5;
    bad[2].state = FLOW_SYNSENT;
    bad[3].flags = 0x80;
    bad[4].client_wscale = 15;
    bad[5].server_wscale = 15;
    bad[6].told_wscale = 15;
    bad[7].told_wscale = SYNCACHE_WSCALE_NONE;
    bad[8].client_wscale = SYNCACHE_WSCALE_NONE;
    memset(bad[9].tuple.faddr, 0, 16);
    EXPECT_EQ(0, flow_import(world.flow, world.now_ms, bad, 10));
    EXPECT_EQ(1, world.flow->stats.established);
    /* Nor is anything taken that finds no room. */
    struct flow_splice many[9];
    for (uint16_t i = 0; i < 9; i++) {
        many[i] = good;
        many[i].tuple.fport = (uint16_t)(1 + i);
    }
    EXPECT_EQ(7, flow_import(world.flow, world.now_ms, many, 9));
    box_selfcheck(world.flow);
    between_close(&world);
}

static void
test_what_is_not_spliced_is_not_exported(void)
{
    struct flow_splice state[2];
    uint64_t cursor = 0;
    (void)spliced();
    world.cport = 40001;
    struct said syn = client(C_ISN, 0, 0);
    syn.flags = WIRE_SYN;
    EXPECT_EQ(1, between_send(&world, syn));
    EXPECT_EQ(2, world.flow->sessions.count);
    EXPECT_EQ(1, flow_export(world.flow, world.now_ms, &cursor, state, 2));
    EXPECT_EQ(40000, state[0].tuple.fport);
    between_close(&world);
}

static void
test_scales_are_taken_over_the_restart(void)
{
    /* A client that scales before a server that does not, and both. */
    for (int both = 0; both < 2; both++) {
        (void)spliced();
        struct flow_splice state = restarted(1);
        state.tuple.fport = 50000;
        if (!both)
            state.server_wscale = SYNCACHE_WSCALE_NONE;
        EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &state, 1));
        world.cport = 50000;
        const struct session *session = between_session(&world);
        EXPECT_EQ(9, session->wscale[FLOW_CLIENT]);
        EXPECT_EQ(state.server_wscale, session->wscale[FLOW_SERVER]);
        EXPECT_EQ(both ? 0 : 9, session->splice.shift_to_server);
        between_close(&world);
    }
}

static void
test_connections_of_ipv6_are_taken_up(void)
{
    (void)spliced();
    struct flow_splice state = restarted(1);
    for (uint8_t i = 1; i < 16; i++)
        state.tuple.faddr[i] = state.tuple.laddr[i] = i;
    state.tuple.faddr[0] = state.tuple.laddr[0] = 0x20;
    state.tuple.laddr[15]++;
    state.tuple.family = 7;
    EXPECT_EQ(0, flow_import(world.flow, world.now_ms, &state, 1));
    state.tuple.family = 6;
    EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &state, 1));
    between_close(&world);
}

/* A state that an engine may have written. */
static struct flow_splice
any_state(uint16_t number)
{
    bool told = test_random_below(3) > 0;
    struct flow_splice state = {
        .tuple = {.family = test_random() & 1 ? 4 : 6,
                  .fport = (uint16_t)(1024 + number),
                  .lport = 80},
        .delta = (uint32_t)test_random(),
        .ts_delta = (uint32_t)test_random(),
        .ts_floor = (uint32_t)test_random(),
        .seq = {(uint32_t)test_random(), (uint32_t)test_random()},
        .flags = (uint8_t)test_random_below(16),
        .state = test_random() & 1 ? FLOW_ESTAB : FLOW_CLOSING,
        .client_wscale = SYNCACHE_WSCALE_NONE,
        .server_wscale = SYNCACHE_WSCALE_NONE,
        .told_wscale = SYNCACHE_WSCALE_NONE,
    };
    uint32_t v6 = state.tuple.family == 6;

    memcpy(state.tuple.faddr, between_client[v6], 16);
    memcpy(state.tuple.laddr, between_server[v6], 16);
    if (told) {
        state.told_wscale = (uint8_t)test_random_below(15);
        state.client_wscale = (uint8_t)test_random_below(15);
        if (test_random() & 1)
            state.server_wscale = (uint8_t)test_random_below(15);
    }
    return state;
}

static void
test_state_that_is_read_is_written_again(void)
{
    for (uint16_t i = 0; i < 200; i++) {
        struct flow_splice in = any_state(i), out;
        uint64_t cursor = 0;
        between_open(&world, 8);
        EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &in, 1));
        EXPECT_EQ(1, flow_export(world.flow, world.now_ms, &cursor, &out, 1));
        EXPECT_BYTES((uint8_t *)&in, (uint8_t *)&out, sizeof in);
        between_close(&world);
    }
}

static void
test_connection_that_is_read_has_what_is_known_of_it(void)
{
    for (uint16_t i = 0; i < 100; i++) {
        struct flow_splice in = any_state(i);
        in.idle_ms = (uint32_t)test_random_below(2) * 700;
        between_open(&world, 8);
        EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &in, 1));
        const struct session *session = session_at(&world.flow->sessions, 0);
        const struct proxy_limits *limits = &world.flow->proxy;
        bool scales = in.server_wscale != SYNCACHE_WSCALE_NONE;
        bool told = in.told_wscale != SYNCACHE_WSCALE_NONE;
        EXPECT_EQ('I', session->mode);
        EXPECT_EQ(SESSION_SPLICED | SESSION_SYNACK | SESSION_HEARD |
                      SESSION_UNCHECKED | SESSION_UNCHECKED_S,
                  session->flags);
        EXPECT_EQ(in.state, session->state);
        EXPECT_EQ(FLOW_CLIENT, session->side);
        EXPECT_EQ(in.seq[FLOW_CLIENT], session->ack[FLOW_SERVER]);
        EXPECT_EQ(in.seq[FLOW_SERVER], session->ack[FLOW_CLIENT]);
        EXPECT_TRUE(session->splice.shift_to_client ==
                    (scales ? in.server_wscale : 0) -
                        (told ? in.told_wscale : 0));
        EXPECT_TRUE(session->splice.shift_to_server ==
                    (told && !scales ? in.client_wscale : 0));
        EXPECT_EQ(
            world.now_ms - in.idle_ms +
                (in.state == FLOW_ESTAB ? limits->idle_ms : limits->closing_ms),
            session->deadline_ms);
        between_close(&world);
    }
}

static void
test_time_without_a_packet_is_written(void)
{
    struct flow_splice state;
    uint64_t cursor = 0;
    (void)spliced();
    EXPECT_EQ(
        1, flow_export(world.flow, world.now_ms + 12345, &cursor, &state, 1));
    EXPECT_EQ(12345, state.idle_ms);
    cursor = 0;
    EXPECT_EQ(1, flow_export(world.flow, world.now_ms - 5, &cursor, &state, 1));
    EXPECT_EQ(0, state.idle_ms);
    cursor = 0;
    EXPECT_EQ(1, flow_export(world.flow, world.now_ms + (UINT64_C(5) << 32),
                             &cursor, &state, 1));
    EXPECT_EQ(UINT32_MAX, state.idle_ms);
    /* Past its time already: it ends at once. */
    between_close(&world);
    between_open(&world, 8);
    EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &state, 1));
    EXPECT_EQ(world.now_ms, session_at(&world.flow->sessions, 0)->deadline_ms);
    between_close(&world);
}

static void
test_stamps_and_timestamps_are_not_both_rewritten(void)
{
    (void)spliced();
    struct flow_splice state = restarted(1);
    state.tuple.fport++;
    state.flags = SPLICE_STAMP | SPLICE_TIMESTAMPS;
    EXPECT_EQ(0, flow_import(world.flow, world.now_ms, &state, 1));
    state.flags = SPLICE_STAMP;
    EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &state, 1));
    state.tuple.fport++;
    state.flags = SPLICE_TIMESTAMPS;
    state.state = FLOW_CLOSING;
    EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &state, 1));
    /* Fewer places than sessions: the rest comes later. */
    struct flow_splice some[3];
    uint64_t cursor = 0;
    EXPECT_EQ(2, flow_export(world.flow, world.now_ms, &cursor, some, 2));
    EXPECT_EQ(1, flow_export(world.flow, world.now_ms, &cursor, some, 2));
    EXPECT_EQ(0, flow_export(world.flow, world.now_ms, &cursor, some, 2));
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_connection_goes_on_after_a_restart),
    TEST(test_first_number_far_away_drops_the_connection),
    TEST(test_idle_time_counts_over_each_restart),
    TEST(test_senseless_states_are_refused),
    TEST(test_what_is_not_spliced_is_not_exported),
    TEST(test_connections_of_ipv6_are_taken_up),
    TEST(test_scales_are_taken_over_the_restart),
    TEST(test_state_that_is_read_is_written_again),
    TEST(test_connection_that_is_read_has_what_is_known_of_it),
    TEST(test_time_without_a_packet_is_written),
    TEST(test_stamps_and_timestamps_are_not_both_rewritten),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

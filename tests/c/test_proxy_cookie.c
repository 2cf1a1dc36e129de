/* What a client is granted, and cookies from their SYN-ACK to their ACK. */
#include "between.h"

#include "../../csrc/flow/intercept.h"
#include "../../csrc/flow/proxy.h"
#include "../../csrc/flow/proxy_grant.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

#define THREE (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)

static void
start(uint32_t options)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_COOKIE;
    tunables.options = options;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

static struct syncache_tuple
tuple_of(uint8_t family)
{
    struct syncache_tuple tuple = {.family = family, .fport = 1, .lport = 80};

    memcpy(tuple.laddr, between_server[family == 6], 16);
    return tuple;
}

static struct said
syn(void)
{
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);

    said.has = WIRE_HAS_MSS | THREE;
    said.mss = 1452;
    said.wscale = 9;
    said.tsval = 333;
    return said;
}

static void
test_cookie_brings_back_what_was_granted(void)
{
    start(FLOW_OPTIONS_CLIENT);
    EXPECT_EQ(1, between_send(&world, syn()));
    struct said syn_ack = world.out[0];
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_EQ(WIRE_HAS_MSS | THREE, syn_ack.has);
    EXPECT_EQ(1, unanswered_count(&world.flow->unanswered, world.flow->now_ms));
    struct said ack =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, syn_ack.seq + 1, 20);
    ack.has = WIRE_HAS_TIMESTAMPS;
    ack.tsval = 400;
    ack.tsecr = syn_ack.tsval;
    EXPECT_EQ(1, between_send(&world, ack));
    struct said server_syn = world.out[0];
    EXPECT_EQ(WIRE_SYN, server_syn.flags);
    EXPECT_EQ(C_ISN, server_syn.seq);
    EXPECT_EQ(WIRE_HAS_MSS | THREE, server_syn.has);
    EXPECT_EQ(1452, server_syn.mss);
    EXPECT_EQ(8, server_syn.wscale); /* rounded down */
    EXPECT_EQ(400, server_syn.tsval);
    EXPECT_EQ(0, server_syn.tsecr);
    EXPECT_EQ(7, between_session(&world)->wscale_told);
    EXPECT_EQ(0, unanswered_count(&world.flow->unanswered, world.flow->now_ms));
    EXPECT_EQ(0, world.flow->stats.collateral);
    EXPECT_EQ(1, world.flow->stats.incomplete);
    between_close(&world);
}

static void
test_scale_told_before_the_server_changed_it_is_remembered(void)
{
    start(FLOW_OPTIONS_LEARN);
    struct syncache_tuple tuple = tuple_of(4);
    profile_learn(&world.flow->profiles, 1, &tuple, THREE, WIRE_HAS_WSCALE, 0,
                  3);
    EXPECT_EQ(1, between_send(&world, syn()));
    EXPECT_EQ(3, world.out[0].wscale);
    uint32_t p = world.out[0].seq;
    profile_learn(&world.flow->profiles, world.now_ms, &tuple, THREE,
                  WIRE_HAS_WSCALE, 0, 6);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(3, between_session(&world)->wscale_told);
    between_close(&world);
}

static void
test_scale_of_the_server_comes_back_with_the_cookie(void)
{
    static const uint8_t scales[] = {SYNCACHE_WSCALE_NONE, 0, 3, 14};
    for (size_t i = 0; i < TEST_COUNT(scales); i++) {
        bool scaled = scales[i] != SYNCACHE_WSCALE_NONE;
        start(FLOW_OPTIONS_LEARN);
        struct syncache_tuple tuple = tuple_of(4);
        profile_learn(&world.flow->profiles, 1, &tuple, THREE,
                      scaled ? WIRE_HAS_WSCALE : 0, 0, scales[i]);
        EXPECT_EQ(1, between_send(&world, syn()));
        EXPECT_EQ(scaled, (world.out[0].has & WIRE_HAS_WSCALE) != 0);
        uint32_t p = world.out[0].seq;
        EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                       C_ISN + 1, p + 1, 0)));
        EXPECT_EQ(WIRE_SYN, world.out[0].flags);
        EXPECT_EQ(scales[i], between_session(&world)->wscale_told);
        between_close(&world);
    }
}

/* Machine A sent the SYN-ACK, machine B has the ACK: B sent no cookie, and has
 * learnt another scale of the server, or none. */
static void
test_other_machine_redeems_the_cookie(void)
{
    static const uint32_t options[] = {FLOW_OPTIONS_CISCO, FLOW_OPTIONS_LEARN,
                                       FLOW_OPTIONS_CLIENT};
    static const uint8_t scales[] = {255, 0, 3, 14};
    for (size_t i = 0; i < TEST_COUNT(options) * TEST_COUNT(scales); i++) {
        uint8_t scale = scales[i / TEST_COUNT(options)];
        start(options[i % TEST_COUNT(options)]);
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.cookie_gate = SYNCACHE_GATE_ALWAYS;
        between_tune(&world, &tunables);
        struct syncache_tuple tuple = tuple_of(4);
        profile_learn(&world.flow->profiles, 1, &tuple, THREE, THREE, 0, 5);
        EXPECT_EQ(1, between_send(&world, syn()));
        struct said syn_ack = world.out[0];
        between_close(&world);

        start(options[i % TEST_COUNT(options)]);
        (void)between_poll(&world);
        world.now_ms += 40000; /* beyond the lifetime after its start */
        if (scale != 255)
            profile_learn(&world.flow->profiles, 1, &tuple, THREE, THREE, 0,
                          scale);
        struct said ack =
            between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, syn_ack.seq + 1, 0);
        if (syn_ack.has & WIRE_HAS_TIMESTAMPS) {
            ack.has = WIRE_HAS_TIMESTAMPS;
            ack.tsecr = syn_ack.tsval;
        }
        EXPECT_EQ(0, between_send(&world, ack)); /* its gate is closed */
        between_tune(&world, &tunables);
        EXPECT_EQ(1, between_send(&world, ack));
        EXPECT_EQ(WIRE_SYN, world.out[0].flags);
        EXPECT_EQ(syn_ack.has & WIRE_HAS_WSCALE ? 7 : 255,
                  between_session(&world)->wscale_told);
        between_close(&world);
    }
}

static void
test_gate_is_open_for_a_lifetime_after_a_start_with_keys_of_before(void)
{
    start(FLOW_OPTIONS_CISCO);
    EXPECT_EQ(1, between_send(&world, syn()));
    struct said ack =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, world.out[0].seq + 1, 0);
    between_close(&world);
    for (uint32_t late = 0; late < 2; late++) {
        start(FLOW_OPTIONS_CISCO);
        (void)between_poll(&world);
        world.now_ms += 32000 + late;
        EXPECT_EQ(late ? 0u : 1u, between_send(&world, ack));
        between_close(&world);
    }
}

static void
test_gate_is_open_for_two_lifetimes_after_the_last_cookie(void)
{
    start(FLOW_OPTIONS_CISCO);
    (void)between_poll(&world);
    world.now_ms += 100000;
    EXPECT_EQ(1, between_send(&world, syn()));
    uint64_t sent_ms = world.now_ms;
    for (uint32_t late = 0; late < 2; late++) {
        world.now_ms = sent_ms + 2 * world.flow->proxy.lifetime_ms + late;
        EXPECT_EQ(0, between_send(
                         &world, between_said(FLOW_CLIENT, WIRE_ACK, 1, 1, 0)));
        EXPECT_EQ(1, world.flow->stats.cookies_failed); /* not tried again */
    }
    between_close(&world);
}

static void
test_what_is_no_cookie_opens_nothing(void)
{
    start(FLOW_OPTIONS_CISCO);
    /* No cookie was sent since the first lifetime: nothing is tried at all. */
    (void)between_poll(&world);
    world.now_ms += 32001;
    EXPECT_EQ(
        0, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK, 1, 1, 0)));
    EXPECT_EQ(0, world.flow->stats.cookies_failed);
    EXPECT_EQ(1, between_send(&world, syn()));
    uint32_t p = world.out[0].seq;
    static const struct {
        uint32_t seq, ack;
        uint16_t flags;
    } rows[] = {
        {1, 2, WIRE_ACK},
        {2, 1, WIRE_ACK},
        {1, 1, WIRE_ACK | WIRE_SYN},
        {1, 1, WIRE_ACK | WIRE_RST},
        {1, 1, 0},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        EXPECT_EQ(0,
                  between_send(&world, between_said(FLOW_CLIENT, rows[i].flags,
                                                    C_ISN + rows[i].seq,
                                                    p + rows[i].ack, 0)));
        EXPECT_EQ(FLOW_DROP_UNKNOWN, world.verdict);
    }
    world.chost++; /* another client */
    EXPECT_EQ(0, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(3, world.flow->stats.cookies_failed);
    EXPECT_EQ(0, world.flow->sessions.count);
    between_close(&world);
}

/* Its ACK was lost, and it has data for the window 0 that it was told. */
static void
test_client_that_asks_about_its_window_redeems_its_cookie(void)
{
    static const struct {
        uint32_t window, payload;
        uint16_t flags;
        uint32_t left;
    } rows[] = {
        {0, 0, WIRE_ACK, 1},
        {0, 0, WIRE_ACK | WIRE_FIN, 0},
        {0, 1, WIRE_ACK, 0},
        {1000, 0, WIRE_ACK, 0},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(FLOW_OPTIONS_CISCO);
        struct flow_intercept_tunables tunables = world.flow->intercept;
        tunables.synack_window = rows[i].window;
        between_tune(&world, &tunables);
        EXPECT_EQ(1, between_send(&world, syn()));
        struct said asks = between_said(FLOW_CLIENT, rows[i].flags, C_ISN,
                                        world.out[0].seq + 1, rows[i].payload);
        EXPECT_EQ(rows[i].left, between_send(&world, asks));
        if (rows[i].left == 1)
            EXPECT_EQ(C_ISN, world.out[0].seq);
        between_close(&world);
    }
}

static void
test_echo_that_we_cannot_have_sent_is_refused(void)
{
    static const struct {
        int32_t later;
        uint32_t left;
    } rows[] = {{0, 1}, {1000, 1}, {1001, 0}, {-64000, 1}, {-64001, 0}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(FLOW_OPTIONS_CLIENT);
        EXPECT_EQ(1, between_send(&world, syn()));
        struct said ack = between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1,
                                       world.out[0].seq + 1, 0);
        ack.has = WIRE_HAS_TIMESTAMPS;
        ack.tsecr = world.out[0].tsval + (uint32_t)rows[i].later;
        EXPECT_EQ(rows[i].left, between_send(&world, ack));
        between_close(&world);
    }
}

static void
test_unanswered_cookies_are_forgotten_after_31_seconds(void)
{
    start(FLOW_OPTIONS_CISCO);
    uint64_t begin = world.now_ms;
    for (uint16_t i = 0; i < 5; i++) {
        world.cport++;
        EXPECT_EQ(1, between_send(&world, syn()));
    }
    world.now_ms = begin + 30999;
    (void)between_poll(&world);
    EXPECT_EQ(5, unanswered_count(&world.flow->unanswered, world.flow->now_ms));
    world.now_ms = begin + 31000;
    (void)between_poll(&world);
    EXPECT_EQ(0, unanswered_count(&world.flow->unanswered, world.flow->now_ms));
    EXPECT_EQ(1, between_send(&world, syn()));
    world.now_ms += 3600000;
    (void)between_poll(&world);
    EXPECT_EQ(0, unanswered_count(&world.flow->unanswered, world.flow->now_ms));
    between_close(&world);
}

static void
test_data_is_waited_for_without_state(void)
{
    start(FLOW_OPTIONS_CISCO);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.wait_for_data = 1;
    tunables.synack_window = 5000;
    between_tune(&world, &tunables);
    EXPECT_EQ(1, between_send(&world, syn()));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(0, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 1)));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    between_close(&world);
}

static void
test_spliced_connection_is_listed_with_its_difference(void)
{
    start(FLOW_OPTIONS_CLIENT);
    EXPECT_EQ(1, between_send(&world, syn()));
    struct said syn_ack = world.out[0];
    struct said ack =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, syn_ack.seq + 1, 0);
    ack.has = WIRE_HAS_TIMESTAMPS;
    ack.tsval = 400;
    ack.tsecr = syn_ack.tsval;
    EXPECT_EQ(1, between_send(&world, ack));
    struct said answer =
        between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1, 0);
    answer.has = WIRE_HAS_MSS | THREE;
    answer.mss = 1400;
    answer.wscale = 7;
    answer.tsval = 9000;
    answer.tsecr = world.out[0].tsval;
    (void)between_send(&world, answer);
    EXPECT_EQ(1, world.flow->stats.established);
    struct flow_session_view seen;
    uint64_t cursor = 0;
    EXPECT_EQ(1, flow_walk(world.flow, &cursor, &seen, 1));
    EXPECT_EQ(FLOW_ESTAB, seen.state);
    EXPECT_EQ(syn_ack.seq - S_ISN, (uint32_t)seen.delta);
    between_close(&world);
}

static void
test_good_cookie_without_room_for_its_session_is_dropped_and_counted(void)
{
    start(FLOW_OPTIONS_CLIENT);
    EXPECT_EQ(1, between_send(&world, syn()));
    struct said syn_ack = world.out[0];
    for (uint8_t i = 0; i < 16; i++) {
        struct session_key key = {.family = 4, .protocol = 6};
        key.address[0][0] = i;
        key.hash = session_hash(world.flow->hash_key, &key);
        struct session *session =
            box_open(world.flow, &key, FLOW_CLIENT, FLOW_ESTAB, false);
        EXPECT_TRUE(session != NULL);
        box_arm(world.flow, session, world.now_ms + 100000);
    }
    struct said ack =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, syn_ack.seq + 1, 0);
    ack.has = WIRE_HAS_TIMESTAMPS;
    ack.tsval = 400;
    ack.tsecr = syn_ack.tsval;
    EXPECT_EQ(0, between_send(&world, ack));
    EXPECT_EQ(FLOW_DROP_NO_ROOM, world.verdict);
    EXPECT_EQ(1, world.flow->stats.table_full);
    EXPECT_EQ(0, world.flow->stats.cookies_redeemed);
    between_close(&world);
}

static void
test_eviction_keeps_the_gate_open_for_two_lifetimes(void)
{
    start(FLOW_OPTIONS_CISCO);
    (void)between_poll(&world);
    world.now_ms += 100000;
    EXPECT_EQ(1, between_send(&world, syn())); /* opens it */
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_CACHE;
    between_tune(&world, &tunables);
    world.now_ms += 2 * world.flow->proxy.lifetime_ms;
    world.cport = 40001;
    EXPECT_EQ(1, between_send(&world, syn()));
    EXPECT_TRUE(intercept_evict(world.flow, FLOW_END_EVICTED_COUNT));
    uint64_t evicted_ms = world.now_ms;
    for (uint32_t late = 0; late < 2; late++) {
        world.now_ms = evicted_ms + 2 * world.flow->proxy.lifetime_ms + late;
        EXPECT_EQ(0, between_send(
                         &world, between_said(FLOW_CLIENT, WIRE_ACK, 1, 1, 0)));
        EXPECT_EQ(1, world.flow->stats.cookies_failed);
    }
    between_close(&world);
}

static void
test_base_of_timestamps_counts_for_all_lifetimes_of_a_cookie(void)
{
    start(FLOW_OPTIONS_CLIENT);
    (void)between_poll(&world);
    uint64_t lives_ms =
        2 * (uint64_t)world.flow->proxy.lifetime_ms + world.flow->proxy.skew_ms;
    world.flow->ts_base_before = world.flow->ts_base + 7;
    world.flow->ts_changed_ms = 0; /* it never changed */
    world.flow->now_ms = lives_ms;
    EXPECT_EQ(0, proxy_ts_back(world.flow));
    world.flow->ts_changed_ms = world.now_ms;
    world.flow->now_ms = world.now_ms + lives_ms;
    EXPECT_EQ(7, proxy_ts_back(world.flow));
    world.flow->now_ms++;
    EXPECT_EQ(0, proxy_ts_back(world.flow));
    between_close(&world);
}

static void
test_server_of_a_cookie_is_asked_on_its_link(void)
{
    /* With the link header and the hop limit of the client's ACK. */
    start(FLOW_OPTIONS_CISCO);
    world.link_size = 14;
    EXPECT_EQ(1, between_send(&world, syn()));
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_EQ(
        1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1,
                                             world.out[0].seq + 1, 0)));
    EXPECT_EQ(WIRE_SYN, world.out[0].flags);
    EXPECT_EQ(14, world.out[0].link_size);
    EXPECT_EQ(60, world.out[0].hop_limit);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_gate_is_open_for_two_lifetimes_after_the_last_cookie),
    TEST(test_scale_of_the_server_comes_back_with_the_cookie),
    TEST(test_spliced_connection_is_listed_with_its_difference),
    TEST(test_good_cookie_without_room_for_its_session_is_dropped_and_counted),
    TEST(test_cookie_brings_back_what_was_granted),
    TEST(test_scale_told_before_the_server_changed_it_is_remembered),
    TEST(test_other_machine_redeems_the_cookie),
    TEST(test_gate_is_open_for_a_lifetime_after_a_start_with_keys_of_before),
    TEST(test_what_is_no_cookie_opens_nothing),
    TEST(test_client_that_asks_about_its_window_redeems_its_cookie),
    TEST(test_echo_that_we_cannot_have_sent_is_refused),
    TEST(test_unanswered_cookies_are_forgotten_after_31_seconds),
    TEST(test_data_is_waited_for_without_state),
    TEST(test_eviction_keeps_the_gate_open_for_two_lifetimes),
    TEST(test_base_of_timestamps_counts_for_all_lifetimes_of_a_cookie),
    TEST(test_server_of_a_cookie_is_asked_on_its_link),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

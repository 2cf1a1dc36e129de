/* The splice: what the server's SYN-ACK settles, and packets through it. */
#include "between.h"

#include "../../csrc/flow/proxy.h"
#include "../../csrc/flow/proxy_grant.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

#define ALL                                                     \
    (WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | \
     WIRE_HAS_TIMESTAMPS)

/* What the server answers with. */
struct answer {
    uint8_t has;
    uint8_t wscale;
    uint16_t window;
};

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

static void
start(uint8_t family, uint32_t options)
{
    between_open(&world, 16);
    world.family = family;
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = options;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

/* Both halves up to the server's SYN-ACK.  Returns p. */
static uint32_t
asked(uint8_t offered)
{
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = offered;
    syn.mss = 1460;
    syn.wscale = 9;
    syn.tsval = 333;
    EXPECT_EQ(1, between_send(&world, syn));
    uint32_t p = world.out[0].seq;
    struct said ack = client(C_ISN + 1, p + 1, 0);
    ack.has = world.out[0].has & WIRE_HAS_TIMESTAMPS;
    ack.tsval = 334;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    return p;
}

static uint32_t
answered(struct answer answer)
{
    struct said syn_ack =
        between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1, 0);
    syn_ack.has = answer.has;
    syn_ack.mss = 1400;
    syn_ack.wscale = answer.wscale;
    syn_ack.window = answer.window;
    syn_ack.tsval = 7777;
    syn_ack.tsecr = 334;
    return between_send(&world, syn_ack);
}

static uint32_t
spliced(uint8_t offered, struct answer answer)
{
    uint32_t p = asked(offered);
    EXPECT_EQ(2, answered(answer));
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    return p;
}

static void
test_syn_ack_is_consumed_and_both_ends_are_told(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    uint32_t p = asked(ALL);
    EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
    EXPECT_EQ(2, answered((struct answer){.window = 30000}));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_EQ(p + 1, world.out[0].seq);
    EXPECT_EQ(C_ISN + 1, world.out[0].ack);
    EXPECT_EQ(30000, world.out[0].window);
    EXPECT_EQ(WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(FLOW_SERVER, world.out[1].side);
    EXPECT_EQ(C_ISN + 1, world.out[1].seq);
    EXPECT_EQ(S_ISN + 1, world.out[1].ack);
    EXPECT_EQ(WIRE_ACK, world.out[1].flags);
    EXPECT_EQ(0, world.flow->stats.incomplete);
    EXPECT_EQ(1, world.flow->stats.established);
    between_close(&world);
}

static void
test_numbers_are_translated_both_ways_in_both_families(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        start(family, FLOW_OPTIONS_CLIENT);
        uint32_t p = spliced(WIRE_HAS_MSS | WIRE_HAS_SACK_PERMITTED,
                             (struct answer){.has = ALL, .window = 100});
        EXPECT_EQ(1, between_send(&world, server(S_ISN + 1, C_ISN + 1, 100)));
        EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world.verdict);
        EXPECT_TRUE(world.out[0].forwarded && world.out[0].good);
        EXPECT_EQ(p + 1, world.out[0].seq);
        EXPECT_EQ(C_ISN + 1, world.out[0].ack);
        struct said ack = client(C_ISN + 1, p + 101, 0);
        ack.sack[0] = p + 201;
        ack.sack[1] = p + 301;
        EXPECT_EQ(1, between_send(&world, ack));
        EXPECT_TRUE(world.out[0].good);
        EXPECT_EQ(C_ISN + 1, world.out[0].seq);
        EXPECT_EQ(S_ISN + 101, world.out[0].ack);
        EXPECT_EQ(S_ISN + 201, world.out[0].sack[0]);
        EXPECT_EQ(S_ISN + 301, world.out[0].sack[1]);
        between_close(&world);
    }
}

static void
test_partial_checksum_is_left_for_the_link(void)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    start(4, FLOW_OPTIONS_CISCO);
    uint32_t p = spliced(0, (struct answer){0});
    struct said data = client(C_ISN + 1, p + 1, 50);
    size_t size =
        between_make(&world, &data, packet, SYNCACHE_CHECKSUM_PARTIAL);
    EXPECT_EQ(1, between_packet(&world, FLOW_CLIENT, packet, size,
                                SYNCACHE_CHECKSUM_PARTIAL));
    EXPECT_EQ(S_ISN + 1, world.out[0].ack);
    EXPECT_BYTES(packet + 36, world.rx.memory + 36, 2);
    EXPECT_EQ(SYNCACHE_CHECKSUM_PARTIAL, world.rx.slot[0].checksum);
    between_close(&world);
}

static void
test_timestamps_begin_where_the_window_update_says(void)
{
    start(4, FLOW_OPTIONS_CLIENT);
    uint32_t p = asked(ALL);
    struct syncache_tuple tuple;
    session_tuple(between_session(&world), &tuple);
    uint32_t syn_ack_tsval = proxy_ts(world.flow, &tuple);
    world.now_ms += 40;
    EXPECT_EQ(2, answered((struct answer){.has = ALL, .wscale = 7}));
    EXPECT_EQ(syn_ack_tsval + 40, world.out[0].tsval);
    EXPECT_EQ(334, world.out[0].tsecr);
    EXPECT_EQ(334, world.out[1].tsval);
    EXPECT_EQ(7777, world.out[1].tsecr);
    /* S's clock goes on in its own steps. */
    struct said data = server(S_ISN + 1, C_ISN + 1, 5);
    data.has = WIRE_HAS_TIMESTAMPS;
    data.tsval = 7780;
    data.tsecr = 334;
    EXPECT_EQ(1, between_send(&world, data));
    EXPECT_EQ(syn_ack_tsval + 43, world.out[0].tsval);
    EXPECT_EQ(334, world.out[0].tsecr);
    /* An echo of our own SYN-ACK is older than anything S ever said. */
    struct said ack = client(C_ISN + 1, p + 1, 10);
    ack.has = WIRE_HAS_TIMESTAMPS;
    ack.tsval = 400;
    ack.tsecr = syn_ack_tsval;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(7777, world.out[0].tsecr);
    EXPECT_EQ(400, world.out[0].tsval);
    ack.tsecr = syn_ack_tsval + 43;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(7780, world.out[0].tsecr);
    EXPECT_TRUE(world.out[0].good);
    between_close(&world);
}

static void
test_windows_are_shifted_when_scales_differ(void)
{
    /* C was told 7 (nothing was known); S has another scale or none. */
    static const struct {
        uint8_t has;
        uint8_t wscale;
        uint16_t from_server, to_client;
        uint16_t from_client, to_server;
        uint16_t update;
    } rows[] = {
        {WIRE_HAS_WSCALE, 7, 512, 512, 300, 300, 30000 >> 7},
        {WIRE_HAS_WSCALE, 5, 512, 128, 300, 300, 30000 >> 7},
        {WIRE_HAS_WSCALE, 10, 512, 4096, 300, 300, 30000 >> 7},
        {WIRE_HAS_WSCALE, 10, 60000, 65535, 0, 0, 30000 >> 7},
        {WIRE_HAS_WSCALE, 0, 1, 1, 300, 300, 30000 >> 7},
        {WIRE_HAS_WSCALE, 0, 0, 0, 300, 300, 30000 >> 7},
        {0, 0, 512, 4, 100, 51200, 30000 >> 7},
        {0, 0, 64, 1, 300, 65535, 30000 >> 7},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(4, FLOW_OPTIONS_CLIENT);
        uint8_t offered = WIRE_HAS_MSS | WIRE_HAS_WSCALE;
        uint32_t p = asked(offered);
        EXPECT_EQ(2, answered((struct answer){.has = rows[i].has,
                                              .wscale = rows[i].wscale,
                                              .window = 30000}));
        EXPECT_EQ(rows[i].update, world.out[0].window);
        struct said data = server(S_ISN + 1, C_ISN + 1, 5);
        data.window = rows[i].from_server;
        EXPECT_EQ(1, between_send(&world, data));
        EXPECT_EQ(rows[i].to_client, world.out[0].window);
        EXPECT_TRUE(world.out[0].good);
        data = client(C_ISN + 1, p + 1, 5);
        data.window = rows[i].from_client;
        EXPECT_EQ(1, between_send(&world, data));
        EXPECT_EQ(rows[i].to_server, world.out[0].window);
        EXPECT_TRUE(world.out[0].good);
        between_close(&world);
    }
}

static void
test_refused_sack_is_overwritten(void)
{
    start(4, FLOW_OPTIONS_CLIENT);
    uint32_t p = spliced(WIRE_HAS_MSS | WIRE_HAS_SACK_PERMITTED,
                         (struct answer){.has = WIRE_HAS_MSS});
    struct said ack = client(C_ISN + 1, p + 1, 0);
    ack.sack[0] = p + 201;
    ack.sack[1] = p + 301;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(0, world.out[0].sack[1]);
    EXPECT_TRUE(world.out[0].good);
    between_close(&world);
}

static void
test_window_update_is_repeated_until_the_client_sends(void)
{
    static const uint32_t due[] = {200, 600, 1400};
    for (int quiet = 0; quiet < 2; quiet++) {
        start(4, FLOW_OPTIONS_CISCO);
        uint32_t p = spliced(0, (struct answer){.window = 1000});
        uint64_t begin = world.now_ms;
        for (size_t i = 0; i < TEST_COUNT(due); i++) {
            world.now_ms = begin + due[i] - 1;
            EXPECT_EQ(0, between_poll(&world));
            world.now_ms++;
            EXPECT_EQ(i == 0 || quiet, between_poll(&world));
            if (i == 0 || quiet) {
                EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
                EXPECT_EQ(p + 1, world.out[0].seq);
                EXPECT_EQ(1000, world.out[0].window);
            }
            if (!quiet)
                EXPECT_EQ(1, between_send(&world, client(C_ISN + 1, p + 1, 1)));
        }
        world.now_ms = begin + 86400000 - 1;
        EXPECT_EQ(0, between_poll(&world));
        EXPECT_TRUE(between_session(&world) != NULL);
        world.now_ms = begin + 86400000 + (quiet ? 0 : 1400);
        EXPECT_EQ(0, between_poll(&world));
        EXPECT_TRUE(between_session(&world) == NULL);
        between_close(&world);
    }
}

static void
test_early_data_counts_as_heard_and_as_sent(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    uint32_t p = asked(0);
    EXPECT_EQ(0, between_send(&world, client(C_ISN + 1, p + 1, 5)));
    EXPECT_EQ(3, answered((struct answer){.window = 1000}));
    EXPECT_EQ(5, world.out[2].payload);
    EXPECT_EQ(C_ISN + 6, between_session(&world)->nxt[FLOW_CLIENT]);
    EXPECT_TRUE(between_session(&world)->flags & SESSION_SPLICED);
    EXPECT_TRUE(between_session(&world)->flags & SESSION_HEARD);
    world.now_ms += 200;
    EXPECT_EQ(0, between_poll(&world));
    between_close(&world);
}

static void
test_repeated_syn_ack_draws_our_ack_again(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    (void)spliced(0, (struct answer){.window = 1000});
    EXPECT_EQ(1, answered((struct answer){.window = 1000}));
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(S_ISN + 1, world.out[0].ack);
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    between_close(&world);
}

static void
test_only_an_exact_rst_or_both_fins_begin_the_end(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    uint32_t p = spliced(0, (struct answer){.window = 1000});
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_RST,
                                                   S_ISN + 2, 0, 0)));
    EXPECT_EQ(p + 2, world.out[0].seq);
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_SERVER, WIRE_RST,
                                                   S_ISN + 1, 0, 0)));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    between_close(&world);

    start(4, FLOW_OPTIONS_CISCO);
    p = spliced(0, (struct answer){.window = 1000});
    struct said fin = client(C_ISN + 1, p + 1, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    fin = server(S_ISN + 1, C_ISN + 2, 0);
    fin.flags |= WIRE_FIN;
    EXPECT_EQ(1, between_send(&world, fin));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    world.now_ms += 4999;
    EXPECT_EQ(1, between_send(&world, client(C_ISN + 2, p + 2, 0)));
    EXPECT_EQ(S_ISN + 2, world.out[0].ack);
    world.now_ms += 4999;
    (void)between_poll(&world);
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    world.now_ms += 1;
    (void)between_poll(&world);
    EXPECT_TRUE(between_session(&world) == NULL);
    between_close(&world);
}

static void
test_fin_is_judged_by_the_window_that_was_announced(void)
{
    /* C announced 600 << 9 to S, S 500 unscaled to C. */
    static const struct {
        uint32_t beyond;
        bool taken;
    } rows[] = {{600 << 9, true}, {(600 << 9) + 1, false}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(4, FLOW_OPTIONS_CLIENT);
        uint32_t p =
            spliced(WIRE_HAS_MSS | WIRE_HAS_WSCALE,
                    (struct answer){
                        .has = WIRE_HAS_WSCALE, .wscale = 7, .window = 500});
        struct said fin = client(C_ISN + 1 + 500, p + 1, 0);
        fin.flags |= WIRE_FIN;
        EXPECT_EQ(1, between_send(&world, fin));
        EXPECT_TRUE(between_session(&world)->flags & SESSION_FIN_CLIENT);
        fin = server(S_ISN + 1 + rows[i].beyond, C_ISN + 1, 0);
        fin.flags |= WIRE_FIN;
        EXPECT_EQ(1, between_send(&world, fin));
        EXPECT_EQ(rows[i].taken ? FLOW_CLOSING : FLOW_ESTAB,
                  between_session(&world)->state);
        between_close(&world);
    }
}

static void
test_reasons_of_the_end_are_counted_apart(void)
{
    static const struct {
        uint16_t flags;
        uint32_t wait_ms;
        enum flow_end end;
    } rows[] = {
        {WIRE_RST, 5000, FLOW_END_RST},
        {WIRE_FIN, 5000, FLOW_END_FIN},
        {0, 86400000, FLOW_END_TIMEOUT},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(4, FLOW_OPTIONS_CISCO);
        uint32_t p = spliced(0, (struct answer){.window = 1000});
        struct said said = client(C_ISN + 1, p + 1, 0);
        said.flags |= rows[i].flags;
        EXPECT_EQ(1, between_send(&world, said));
        if (rows[i].flags == WIRE_FIN) {
            said = server(S_ISN + 1, C_ISN + 2, 0);
            said.flags |= WIRE_FIN;
            EXPECT_EQ(1, between_send(&world, said));
            said = client(C_ISN + 2, p + 2, 0);
            EXPECT_EQ(1, between_send(&world, said));
        }
        world.now_ms += rows[i].wait_ms - 1;
        (void)between_poll(&world);
        EXPECT_TRUE(between_session(&world) != NULL);
        world.now_ms++;
        (void)between_poll(&world);
        EXPECT_EQ(1, world.flow->stats.ended[rows[i].end]);
        EXPECT_TRUE(between_session(&world) == NULL);
        between_close(&world);
    }
}

static void
test_foreign_syn_ack_on_a_spliced_connection_is_swallowed(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    (void)spliced(0, (struct answer){.window = 1000});
    struct said said =
        between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN + 5, C_ISN + 1, 0);
    EXPECT_EQ(0, between_send(&world, said));
    said = between_said(FLOW_SERVER, WIRE_SYN, S_ISN, C_ISN + 1, 0);
    EXPECT_EQ(0, between_send(&world, said));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    between_close(&world);
}

static void
test_syn_of_the_next_connection_replaces_one_that_is_over(void)
{
    start(4, FLOW_OPTIONS_CISCO);
    uint32_t p = spliced(0, (struct answer){.window = 1000});
    EXPECT_EQ(1, between_send(&world, server(S_ISN + 1, C_ISN + 1, 1)));
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                   C_ISN + 9999, 0, 0)));
    EXPECT_EQ(FLOW_FORWARD, world.verdict); /* S challenges it */
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_RST,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(FLOW_CLOSING, between_session(&world)->state);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_SYN,
                                                   C_ISN + 9999, 0, 0)));
    EXPECT_EQ(FLOW_CONSUMED, world.verdict);
    EXPECT_EQ(FLOW_SYNRCVD, between_session(&world)->state);
    EXPECT_EQ(C_ISN + 9999, between_session(&world)->c);
    between_close(&world);
}

static void
test_what_was_not_granted_is_not_rewritten(void)
{
    start(4, FLOW_OPTIONS_CLIENT);
    (void)spliced(WIRE_HAS_MSS, (struct answer){.has = ALL, .window = 100});
    const struct session *session = between_session(&world);
    EXPECT_EQ(0, session->splice.flags);
    EXPECT_EQ(0, session->splice.ts_delta);
    EXPECT_EQ(600, session->wnd[FLOW_CLIENT]);
    EXPECT_EQ(100, session->wnd[FLOW_SERVER]);
    EXPECT_EQ(C_ISN + 1, session->ack[FLOW_SERVER]);
    EXPECT_EQ(S_ISN + 1, session->ack[FLOW_CLIENT]);
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_syn_ack_is_consumed_and_both_ends_are_told),
    TEST(test_numbers_are_translated_both_ways_in_both_families),
    TEST(test_partial_checksum_is_left_for_the_link),
    TEST(test_timestamps_begin_where_the_window_update_says),
    TEST(test_windows_are_shifted_when_scales_differ),
    TEST(test_refused_sack_is_overwritten),
    TEST(test_window_update_is_repeated_until_the_client_sends),
    TEST(test_early_data_counts_as_heard_and_as_sent),
    TEST(test_repeated_syn_ack_draws_our_ack_again),
    TEST(test_only_an_exact_rst_or_both_fins_begin_the_end),
    TEST(test_fin_is_judged_by_the_window_that_was_announced),
    TEST(test_reasons_of_the_end_are_counted_apart),
    TEST(test_foreign_syn_ack_on_a_spliced_connection_is_swallowed),
    TEST(test_syn_of_the_next_connection_replaces_one_that_is_over),
    TEST(test_what_was_not_granted_is_not_rewritten),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

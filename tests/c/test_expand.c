/* An ACK against the entry of its tuple. */
#include "cache.h"

static const uint8_t families[] = {4, 6};
static uint32_t iss;

/* Peer 1 has sent its option-rich SYN. */
static void
start_syn_received(void)
{
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    iss = reply.seq;
}

static struct seg
final_ack(void)
{
    return (struct seg){
        .peer = 1, .flags = ACK, .seq = peer_irs(1) + 1, .ack = iss + 1};
}

static void
test_syn_received_rcv_ack_completes_with_what_the_syn_said(void)
{
    /* Statement 2, in both families. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        cache_defaults();
        family = families[i];
        start_syn_received();
        uint32_t offset = reply_tsval() - (uint32_t)now;
        struct seg seg = final_ack();
        seg.options = ts_option(600, reply_tsval());
        seg.options_size = 12;
        seg.window = 100;
        seg.payload_size = 9;
        EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(seg));
        struct syncache_tuple tuple = peer_tuple(1);
        EXPECT_BYTES((const uint8_t *)&tuple,
                     (const uint8_t *)&result.conn.tuple, sizeof tuple);
        EXPECT_EQ(iss, result.conn.iss);
        EXPECT_EQ(peer_irs(1), result.conn.irs);
        EXPECT_EQ(65535, result.conn.rcv_wnd);
        EXPECT_EQ(100 << 7, result.conn.snd_wnd);
        EXPECT_EQ(7, result.conn.snd_wscale);
        EXPECT_EQ(6, result.conn.rcv_wscale);
        EXPECT_EQ(1, result.conn.sack_permitted);
        EXPECT_EQ(1, result.conn.timestamps);
        EXPECT_EQ(600, result.conn.ts_recent);
        EXPECT_EQ(offset, result.conn.ts_offset);
        EXPECT_EQ(family == 4 ? 1460 : 1440, result.conn.peer_mss);
        EXPECT_EQ(SYNCACHE_VIA_CACHE, result.conn.via);
        EXPECT_EQ(1, result.conn.rxmits);
        EXPECT_EQ(9, result.conn.payload_size);
        EXPECT_EQ(endpoint_number, result.conn.endpoint);
        syncache_accepted(cache, &result.conn, 5, true);
        EXPECT_EQ(0, syncache_count(cache));
        EXPECT_EQ(1, stats()->sc_completed);
        EXPECT_EQ(1, stats()->accepts);
        expect_balance();
    }
}

static void
test_syn_received_rcv_ack_of_wrong_number_resets_and_keeps_entry(void)
{
    /* Statement 3. */
    cache_defaults();
    start_syn_received();
    uint64_t deadline = first_entry().deadline_ms;
    struct seg wrong = final_ack();
    wrong.ack += 1;
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(wrong));
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(wrong.ack, reply.seq);
    EXPECT_EQ(0, reply.ack);
    EXPECT_EQ(deadline, first_entry().deadline_ms);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_syn_received_rcv_ack_of_wrong_number_blackhole_is_silent(void)
{
    /* blackhole 3 hushes the listener's RSTs as well. */
    cache_defaults();
    tunables.blackhole = 3;
    start_syn_received();
    struct seg wrong = final_ack();
    wrong.ack += 1;
    EXPECT_EQ(SYNCACHE_DROP_BLACKHOLE, send_seg(wrong));
    EXPECT_EQ(SYNCACHE_DROP_BLACKHOLE, send_ack(2, 7));
    EXPECT_EQ(0, stats()->rst_sent);
}

static void
test_syn_received_rcv_ack_seq_decides_between_accept_and_challenge(void)
{
    /* Statement 4: irs < SEG.SEQ <= irs + wnd, also across the wrap. */
    static const struct {
        uint32_t offset;
        bool accepted;
    } rows[] = {{0, false},    {1, true},      {2, true},
                {65535, true}, {65536, false}, {0xffffffff, false}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        for (uint32_t wrap = 0; wrap <= 1; wrap++) {
            uint32_t irs = wrap ? 0xffffffff : 5000;
            cache_defaults();
            cache_start();
            (void)send_seg((struct seg){.peer = 1, .flags = SYN, .seq = irs});
            iss = reply.seq;
            enum syncache_verdict verdict =
                send_seg((struct seg){.peer = 1,
                                      .flags = ACK,
                                      .seq = irs + rows[i].offset,
                                      .ack = iss + 1});
            EXPECT_EQ(rows[i].accepted ? SYNCACHE_ACCEPT_CACHE
                                       : SYNCACHE_REPLY_CHALLENGE_ACK,
                      verdict);
            EXPECT_EQ(1, syncache_count(cache));
            if (rows[i].accepted)
                continue;
            EXPECT_EQ(ACK, reply.flags);
            EXPECT_EQ(iss + 1, reply.seq);
            EXPECT_EQ(irs + 1, reply.ack);
            EXPECT_EQ(0, stats()->badrst);
        }
    }
}

static void
test_syn_received_zero_window_challenges_every_ack(void)
{
    /* Spec 3.5: an empty window holds no sequence number. */
    cache_defaults();
    endpoint.rcv_wnd = 0;
    start_syn_received();
    EXPECT_EQ(0, reply.window);
    EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK, send_ack(1, iss));
}

static void
test_syn_received_rcv_ack_timestamps_old_equal_missing(void)
{
    /* Statements 40 and 41: PAWS is silent and keeps the entry. */
    struct seg seg;
    cache_defaults();
    tunables.tolerate_missing_ts = 0;
    start_syn_received();
    uint32_t echo = reply_tsval();
    seg = final_ack();
    seg.options_size = 12;
    seg.options = ts_option(499, echo);
    EXPECT_EQ(SYNCACHE_DROP_PAWS, send_seg(seg));
    EXPECT_EQ(SYNCACHE_DROP_MISSING_TS, send_seg(final_ack()));
    EXPECT_EQ(1, syncache_count(cache));
    seg.options = ts_option(500, echo);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(seg));
    EXPECT_EQ(500, result.conn.ts_recent);
}

static void
test_syn_received_rcv_ack_without_timestamps_is_tolerated(void)
{
    /* Statement 41: the connection still has them. */
    cache_defaults();
    start_syn_received();
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    EXPECT_EQ(1, result.conn.timestamps);
    EXPECT_EQ(500, result.conn.ts_recent);
}

static void
test_syn_received_rcv_ack_timestamps_not_negotiated_are_ignored(void)
{
    /* Statement 42. */
    cache_defaults();
    cache_start();
    (void)send_syn_plain(1);
    iss = reply.seq;
    struct seg seg = final_ack();
    seg.options = ts_option(1, 1);
    seg.options_size = 12;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(seg));
    EXPECT_EQ(0, result.conn.timestamps);
    EXPECT_EQ(0, result.conn.ts_recent);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, result.conn.snd_wscale);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, result.conn.rcv_wscale);
    EXPECT_EQ(29200, result.conn.snd_wnd);
}

static void
test_syn_received_rcv_ack_beyond_rcv_nxt_keeps_ts_recent(void)
{
    /* RFC 7323 4.3: only a segment at or left of what was acknowledged. */
    cache_defaults();
    start_syn_received();
    struct seg seg = final_ack();
    seg.seq += 10;
    seg.options = ts_option(900, 0);
    seg.options_size = 12;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(seg));
    EXPECT_EQ(500, result.conn.ts_recent);
}

static void
test_syn_received_rcv_ack_mss_of_the_connection(void)
{
    /* None: the default of the family; tiny: minmss; large: the path's. */
    static const struct {
        uint8_t family;
        uint16_t mss;
        uint16_t expected;
    } rows[] = {{4, 0, 536},     {4, 100, 216}, {4, 1400, 1400},
                {4, 9000, 1460}, {6, 0, 1220},  {6, 9000, 1440}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t option[4] = {2, 4, (uint8_t)(rows[i].mss >> 8),
                             (uint8_t)rows[i].mss};
        cache_defaults();
        family = rows[i].family;
        cache_start();
        (void)send_seg((struct seg){.peer = 1,
                                    .flags = SYN,
                                    .seq = peer_irs(1),
                                    .options = option,
                                    .options_size = rows[i].mss ? 4 : 0});
        EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, reply.seq));
        EXPECT_EQ(rows[i].expected, result.conn.peer_mss);
    }
}

static void
test_syn_received_rcv_cookie_ack_of_other_isn_wins_over_the_entry(void)
{
    /* departure 6: a SYN in the peer's name came first. */
    cache_defaults();
    start_syn_received();
    (void)send_seg((struct seg){.peer = 1, .flags = SYN, .seq = 77});
    uint32_t other = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE,
              send_seg((struct seg){
                  .peer = 1, .flags = ACK, .seq = 78, .ack = other + 1}));
    EXPECT_EQ(77, result.conn.irs);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->cookie_over_entry);
    expect_balance();
}

static void
test_syn_received_rcv_cookie_ack_is_not_held_to_another_syns_tsval(void)
{
    /* A TSval far ahead, sent in the peer's name, locks nobody out. */
    struct seg seg = {
        .peer = 1, .flags = ACK, .seq = peer_irs(1) + 1, .options_size = 12};
    cache_defaults();
    tunables.tolerate_missing_ts = 0;
    cache_start();
    (void)send_seg((struct seg){.peer = 1,
                                .flags = SYN,
                                .seq = 77,
                                .options = syn_options(500 + 0x40000000),
                                .options_size = 20});
    EXPECT_EQ(SYNCACHE_REPLY_OTHER_ISN, send_syn(1));
    seg.ack = reply.seq;
    seg.options = ts_option(600, reply_tsval());
    EXPECT_EQ(SYNCACHE_DROP_PAWS, send_seg(seg)); /* no cookie of ours */
    EXPECT_EQ(1, stats()->sc_failcookie);
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_DROP_MISSING_TS, send_ack(1, seg.ack - 1));
    seg.ack++;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(seg));
    EXPECT_EQ(600, result.conn.ts_recent);
    EXPECT_EQ(0, syncache_count(cache));
}

static void
test_syn_received_rcv_ack_of_the_entry_is_not_a_cookie_past_paws(void)
{
    /* The entry's ISS is a cookie, too, and the gate is open. */
    cache_defaults();
    tunables.cookie_gate = SYNCACHE_GATE_ALWAYS;
    start_syn_received();
    struct seg seg = final_ack();
    seg.options = ts_option(499, reply_tsval());
    seg.options_size = 12;
    EXPECT_EQ(SYNCACHE_DROP_PAWS, send_seg(seg));
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_failcookie);
}

static void
test_listen_rcv_unsigned_cookie_of_a_peer_with_a_key_drops(void)
{
    /* RFC 2385: by a cookie as by an entry, signed or not at all. */
    cache_defaults();
    tunables.syncookies_only = 1;
    cache_start();
    (void)send_syn_plain(1);
    iss = reply.seq;
    struct syncache_tuple tuple = peer_tuple(1);
    EXPECT_TRUE(syncache_md5_key(cache, endpoint_number, 4, tuple.faddr,
                                 tuple.laddr, 4));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_ack(1, iss));
    EXPECT_EQ(0, stats()->sc_recvcookie);
}

static void
test_listen_rcv_ack_without_overflow_resets_even_a_cookie(void)
{
    /* Statement 5. */
    cache_defaults();
    start_syn_received();
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(1, iss));
    EXPECT_EQ(iss + 1, reply.seq);
    EXPECT_EQ(1, stats()->sc_spurcookie);
    EXPECT_EQ(0, stats()->sc_recvcookie);
}

static void
test_listen_rcv_ack_unknown_passes_if_the_stack_answers(void)
{
    /* established_max 0: what nobody knows is the stack's. */
    cache_defaults();
    config.established_max = 0;
    cache_start();
    EXPECT_EQ(SYNCACHE_PASS_NO_ENDPOINT, send_ack(1, 7));
    EXPECT_EQ(0, stats()->rst_sent);
}

static const struct test tests[] = {
    TEST(test_syn_received_rcv_ack_completes_with_what_the_syn_said),
    TEST(test_syn_received_rcv_ack_of_wrong_number_resets_and_keeps_entry),
    TEST(test_syn_received_rcv_ack_of_wrong_number_blackhole_is_silent),
    TEST(test_syn_received_rcv_ack_seq_decides_between_accept_and_challenge),
    TEST(test_syn_received_zero_window_challenges_every_ack),
    TEST(test_syn_received_rcv_ack_timestamps_old_equal_missing),
    TEST(test_syn_received_rcv_ack_without_timestamps_is_tolerated),
    TEST(test_syn_received_rcv_ack_timestamps_not_negotiated_are_ignored),
    TEST(test_syn_received_rcv_ack_beyond_rcv_nxt_keeps_ts_recent),
    TEST(test_syn_received_rcv_ack_mss_of_the_connection),
    TEST(test_syn_received_rcv_cookie_ack_of_other_isn_wins_over_the_entry),
    TEST(test_syn_received_rcv_cookie_ack_is_not_held_to_another_syns_tsval),
    TEST(test_syn_received_rcv_ack_of_the_entry_is_not_a_cookie_past_paws),
    TEST(test_listen_rcv_unsigned_cookie_of_a_peer_with_a_key_drops),
    TEST(test_listen_rcv_ack_without_overflow_resets_even_a_cookie),
    TEST(test_listen_rcv_ack_unknown_passes_if_the_stack_answers),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* RST, ICMP errors, SYN-ACKs that could not be sent, the challenge limit. */
#include "cache.h"

static uint32_t iss;

static void
start_syn_received(void)
{
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
}

static void
unreach(uint32_t seq)
{
    struct syncache_tuple tuple = peer_tuple(1);
    syncache_unreach(cache, now, &tuple, seq);
}

static void
test_syn_received_rcv_rst_at_rcv_nxt_removes_entry(void)
{
    /* Statement 23. */
    start_syn_received();
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_reset);
    EXPECT_EQ(0, stats()->badrst);
    expect_balance();
}

static void
test_syn_received_rcv_rst_in_window_sends_challenge_ack(void)
{
    /* Statement 24, at both ends of the window. */
    static const uint32_t offsets[] = {2, 65535};
    for (size_t i = 0; i < TEST_COUNT(offsets); i++) {
        start_syn_received();
        EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK,
                  send_rst(1, peer_irs(1) + offsets[i]));
        EXPECT_EQ(ACK, reply.flags);
        EXPECT_EQ(iss + 1, reply.seq);
        EXPECT_EQ(peer_irs(1) + 1, reply.ack);
        EXPECT_EQ(500, load32_be(reply_option(8) + 4));
        EXPECT_EQ(1, stats()->badrst);
        EXPECT_EQ(1, stats()->challenge_acks);
        EXPECT_EQ(1, syncache_count(cache));
    }
}

static void
test_syn_received_rcv_rst_in_window_insecure_removes_entry(void)
{
    /* Statement 24 with insecure_rst. */
    start_syn_received();
    tunables.insecure_rst = 1;
    cache_tune();
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 65535));
    EXPECT_EQ(0, syncache_count(cache));
}

static void
test_syn_received_rcv_rst_outside_is_silent(void)
{
    /* Statement 25. */
    static const uint32_t offsets[] = {0, 65536, 0x80000000};
    for (size_t i = 0; i < TEST_COUNT(offsets); i++) {
        start_syn_received();
        EXPECT_EQ(SYNCACHE_DROP_RST_OUTSIDE,
                  send_rst(1, peer_irs(1) + offsets[i]));
        EXPECT_EQ(1, stats()->badrst);
        EXPECT_EQ(1, syncache_count(cache));
    }
}

static void
test_syn_received_zero_window_rcv_rst_only_exact(void)
{
    /* Spec 3.6: an empty window still has its left edge. */
    start_syn_received();
    endpoint.rcv_wnd = 0;
    cache_start();
    (void)send_syn(1);
    EXPECT_EQ(SYNCACHE_DROP_RST_OUTSIDE, send_rst(1, peer_irs(1) + 2));
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
}

static void
test_challenge_acks_are_limited_in_each_window(void)
{
    /* Statement 26: five a second, a sixth in the next. */
    start_syn_received();
    for (uint32_t i = 0; i < 5; i++)
        EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK, send_rst(1, peer_irs(1) + 2));
    now += 999;
    EXPECT_EQ(SYNCACHE_DROP_CHALLENGE_LIMIT, send_rst(1, peer_irs(1) + 2));
    now += 1;
    EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK, send_rst(1, peer_irs(1) + 2));
    EXPECT_EQ(6, stats()->challenge_acks);
}

static void
test_challenge_limit_of_one_peer_does_not_show_at_another(void)
{
    /* CVE-2016-5696: nothing is shared. */
    start_syn_received();
    (void)send_syn(2);
    for (uint32_t i = 0; i < 6; i++)
        (void)send_rst(1, peer_irs(1) + 2);
    EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK, send_rst(2, peer_irs(2) + 2));
}

static void
test_challenge_limit_of_zero_is_none(void)
{
    /* Either tunable at 0 switches it off. */
    for (int i = 0; i < 2; i++) {
        start_syn_received();
        *(i == 0 ? &tunables.ack_war_cnt : &tunables.ack_war_timewindow_ms) = 0;
        cache_tune();
        for (uint32_t k = 0; k < 300; k++)
            EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK,
                      send_rst(1, peer_irs(1) + 2));
    }
}

static void
test_listen_rcv_rst_counts_only_where_something_was_looked_up(void)
{
    /* Statement 27. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_DROP_RST_NO_ENTRY, send_rst(1, 5));
    EXPECT_EQ(1, stats()->badrst);
    tunables.syncookies_only = 1;
    cache_tune();
    EXPECT_EQ(SYNCACHE_DROP_RST_NO_ENTRY, send_rst(1, 5));
    EXPECT_EQ(1, stats()->badrst);
}

static void
test_syn_received_unreach_with_wrong_seq_changes_nothing(void)
{
    /* Statement 28. */
    start_syn_received();
    unreach(iss + 1);
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(1, reply.dont_fragment);
}

static void
test_syn_received_unreach_clears_df_then_removes_late(void)
{
    /* Statement 29: two errors before 7.4 s do not remove. */
    start_syn_received();
    EXPECT_EQ(1, reply.dont_fragment);
    unreach(iss);
    unreach(iss);
    EXPECT_EQ(1, syncache_count(cache));
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(0, reply.dont_fragment);
    now += 2200;
    EXPECT_EQ(1, poll_now());
    unreach(iss);
    EXPECT_EQ(1, syncache_count(cache));
    now += 4200;
    EXPECT_EQ(1, poll_now());
    unreach(iss);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_unreach);
    expect_balance();
}

static void
test_syn_received_unsent_first_leaves_no_trace(void)
{
    /* Statement 45, a first SYN-ACK. */
    struct syncache_tuple tuple = peer_tuple(1);
    start_syn_received();
    syncache_unsent(cache, &tuple, iss);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_added);
    EXPECT_EQ(1, stats()->sc_dropped);
}

static void
test_syn_received_unsent_again_removes_entry(void)
{
    /* Statement 45, a retransmission and a duplicate. */
    struct syncache_tuple tuple = peer_tuple(1);
    for (int duplicate = 0; duplicate <= 1; duplicate++) {
        start_syn_received();
        now += 1000;
        if (duplicate)
            (void)send_syn(1);
        else
            (void)poll_now();
        syncache_unsent(cache, &tuple, iss);
        EXPECT_EQ(0, syncache_count(cache));
        EXPECT_EQ(1, stats()->sc_added);
        EXPECT_EQ(1, stats()->sc_dropped);
    }
}

static void
test_syn_received_unsent_of_another_number_keeps_entry(void)
{
    /* A cookie of another ISN was not sent; the entry has its own. */
    struct syncache_tuple tuple = peer_tuple(1);
    start_syn_received();
    syncache_unsent(cache, &tuple, iss + 1);
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_dropped);
}

static void
test_challenge_limit_beyond_what_is_counted_is_none(void)
{
    /* `challenges` is a byte and stays at its end. */
    start_syn_received();
    tunables.ack_war_cnt = 1000;
    cache_tune();
    for (uint32_t k = 0; k < 600; k++)
        EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK, send_rst(1, peer_irs(1) + 2));
}

static void
test_listen_unsent_of_an_unknown_tuple_only_counts(void)
{
    /* A cookie was not stored. */
    struct syncache_tuple tuple = peer_tuple(2);
    start_syn_received();
    syncache_unsent(cache, &tuple, iss);
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_added);
    EXPECT_EQ(1, stats()->sc_dropped);
}

static const struct test tests[] = {
    TEST(test_syn_received_rcv_rst_at_rcv_nxt_removes_entry),
    TEST(test_syn_received_rcv_rst_in_window_sends_challenge_ack),
    TEST(test_syn_received_rcv_rst_in_window_insecure_removes_entry),
    TEST(test_syn_received_rcv_rst_outside_is_silent),
    TEST(test_syn_received_zero_window_rcv_rst_only_exact),
    TEST(test_challenge_acks_are_limited_in_each_window),
    TEST(test_challenge_limit_of_one_peer_does_not_show_at_another),
    TEST(test_challenge_limit_of_zero_is_none),
    TEST(test_listen_rcv_rst_counts_only_where_something_was_looked_up),
    TEST(test_syn_received_unreach_with_wrong_seq_changes_nothing),
    TEST(test_syn_received_unreach_clears_df_then_removes_late),
    TEST(test_syn_received_unsent_first_leaves_no_trace),
    TEST(test_syn_received_unsent_again_removes_entry),
    TEST(test_syn_received_unsent_of_another_number_keeps_entry),
    TEST(test_challenge_limit_beyond_what_is_counted_is_none),
    TEST(test_listen_unsent_of_an_unknown_tuple_only_counts),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

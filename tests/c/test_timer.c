/* Retransmission, expiry, purge, debts and the next deadline. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

/* Polls at every deadline up to `until_ms`; notes when a packet left. */
static uint32_t sent_count;
static uint64_t sent_ms[64];
static struct syncache_fields sent_reply[64];

static void
run_until(uint64_t until_ms)
{
    for (;;) {
        uint64_t next_ms = syncache_next_deadline(cache);
        if (next_ms > until_ms)
            break;
        now = next_ms > now ? next_ms : now;
        uint32_t sent = poll_now();
        for (uint32_t i = 0; i < sent; i++) {
            sent_reply[sent_count] = reply;
            sent_ms[sent_count++] = now;
        }
        cache_keys();
        /* A deadline that was served may not be given again. */
        EXPECT_TRUE(syncache_next_deadline(cache) > now);
    }
    now = until_ms;
    (void)poll_now();
}

static uint32_t iss;

static void
start_syn_received(void)
{
    sent_count = 0;
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
}

static void
test_syn_received_unanswered_retransmits_and_expires_on_schedule(void)
{
    /* Statement 6, never early and less than 4 ms late, wherever time began. */
    static const uint64_t starts[] = {0, 10000, 10001, 4294967295u,
                                      UINT64_C(1) << 53};
    static const uint32_t schedule[] = {1000, 3200, 7400};
    for (size_t k = 0; k < TEST_COUNT(starts); k++) {
        cache_defaults();
        now = starts[k];
        start_syn_received();
        run_until(starts[k] + 15599);
        EXPECT_EQ(3, sent_count);
        EXPECT_EQ(1, syncache_count(cache));
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT_TRUE(sent_ms[i] - starts[k] >= schedule[i]);
            EXPECT_TRUE(sent_ms[i] - starts[k] < schedule[i] + 4);
            EXPECT_EQ(iss, sent_reply[i].seq);
        }
        run_until(starts[k] + 15604);
        EXPECT_EQ(0, syncache_count(cache));
        EXPECT_EQ(1, stats()->sc_stale);
        EXPECT_EQ(3, stats()->sc_retransmitted);
        EXPECT_EQ(4, stats()->sndacks);
        expect_balance();
    }
}

static void
test_syn_received_rexmtlimit_sets_the_number_of_attempts(void)
{
    /* Statement 7: the back-off is capped at 64 s. */
    static const struct {
        uint32_t limit;
        uint64_t last_ms;
        uint64_t stale_ms;
    } rows[] = {
        {0, 0, 1000}, {1, 1000, 3200}, {5, 31800, 64000}, {12, 448000, 512000}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        tunables.rexmtlimit = rows[i].limit;
        start_syn_received();
        run_until(10000 + rows[i].stale_ms - 1);
        EXPECT_EQ(rows[i].limit, sent_count);
        EXPECT_EQ(1, syncache_count(cache));
        if (sent_count > 0)
            EXPECT_EQ(10000 + rows[i].last_ms, sent_ms[sent_count - 1]);
        run_until(10000 + rows[i].stale_ms);
        EXPECT_EQ(0, syncache_count(cache));
        EXPECT_EQ(1, stats()->sc_stale);
    }
}

static void
test_syn_received_intime_base_retransmits_at_3_9_21(void)
{
    /* Statement 61: three second base, no slop. */
    static const uint64_t schedule[] = {3000, 9000, 21000};
    cache_defaults();
    tunables.rexmit_initial_ms = 3000;
    tunables.rexmit_slop_ms = 0;
    start_syn_received();
    run_until(10000 + 45000);
    EXPECT_EQ(3, sent_count);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_EQ(10000 + schedule[i], sent_ms[i]);
    EXPECT_EQ(1, stats()->sc_stale);
}

static void
test_syn_received_ecn_is_given_up_at_the_second_retransmission(void)
{
    /* Statement 35. */
    cache_defaults();
    sent_count = 0;
    cache_start();
    (void)send_seg((struct seg){.peer = 1, .flags = SYN | WIRE_CWR | WIRE_ECE});
    EXPECT_EQ(SYN | ACK | WIRE_ECE, reply.flags);
    run_until(10000 + 8000);
    EXPECT_EQ(SYN | ACK | WIRE_ECE, sent_reply[0].flags);
    EXPECT_EQ(SYN | ACK, sent_reply[1].flags);
    EXPECT_EQ(SYN | ACK, sent_reply[2].flags);
    EXPECT_EQ(2, stats()->ecn_shs);
}

static void
test_syn_received_after_retransmission_conn_tells_so(void)
{
    /* Statement 55: the stack then begins with one segment. */
    cache_defaults();
    start_syn_received();
    now += 1000;
    (void)poll_now();
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    EXPECT_EQ(2, result.conn.rxmits);
}

static void
test_syn_received_listener_closed_goes_on_to_the_end(void)
{
    /* Statement 59: retransmissions, a RST for the ACK, stale at last. */
    cache_defaults();
    EXPECT_EQ(4, family);
    start_syn_received();
    uint8_t own[16];
    own_address(own);
    EXPECT_TRUE(syncache_address(cache, 4, own));
    syncache_unlisten(cache, endpoint_number);
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(61, reply.hop_limit);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(1, iss));
    EXPECT_EQ(1, syncache_count(cache));
    run_until(10000 + 15600);
    EXPECT_EQ(1, stats()->sc_stale);
}

static void
test_pause_of_the_bucket_policy_purges_within_its_timers(void)
{
    /* Statement 50: gone by 8.2 s, under no other counter. */
    cache_defaults();
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    config.hashsize = 1;
    config.bucketlimit = 3;
    config.cachelimit = 3;
    start_syn_received();
    (void)send_syn(2);
    run_until(10000 + 7500); /* both wait for their end, the longest gap */
    (void)send_syn(3);
    (void)send_syn(4);
    EXPECT_TRUE(syncache_paused(cache));
    sent_count = 0;
    run_until(17500 + 8200);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(0, sent_count);
    EXPECT_EQ(3, stats()->purged);
    EXPECT_EQ(0, stats()->sc_stale + stats()->sc_reset + stats()->sc_dropped);
    expect_balance();
}

static void
test_cookies_only_sends_nothing_again(void)
{
    /* Statement 16. */
    cache_defaults();
    tunables.syncookies_only = 1;
    start_syn_received();
    run_until(10000 + 60000);
    EXPECT_EQ(0, sent_count);
}

static void
test_poll_goes_on_where_a_full_ring_stopped_it(void)
{
    /* Nothing is lost and nothing is sent twice. */
    cache_defaults();
    cache_start();
    for (uint32_t peer = 1; peer <= 40; peer++)
        (void)send_syn(peer);
    now += 1000;
    uint32_t total = 0;
    uint32_t sent;
    do {
        ring_reset(&tx, 7);
        sent = syncache_poll(cache, now, &tx.ring);
        total += sent;
        EXPECT_TRUE(sent <= 7);
    } while (sent == 7);
    EXPECT_EQ(40, total);
    EXPECT_EQ(40, stats()->sc_retransmitted);
    EXPECT_TRUE(syncache_next_deadline(cache) > now);
}

static void
test_long_silence_makes_everything_due(void)
{
    /* A gap beyond what 16-bit deadlines span. */
    cache_defaults();
    start_syn_received();
    now += 700000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(iss, reply.seq);
}

static void
test_clock_going_back_counts_as_standing_still(void)
{
    /* Nothing fires, nothing asserts. */
    cache_defaults();
    start_syn_received();
    now -= 5000;
    EXPECT_EQ(0, poll_now());
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_next_deadline_is_the_end_of_the_epoch_when_idle(void)
{
    /* The next key is due then. */
    uint64_t next_ms;
    cache_defaults();
    cache_start();
    (void)syncache_epoch(cache, now, &next_ms);
    EXPECT_EQ(next_ms, syncache_next_deadline(cache));
    EXPECT_EQ(10000 + 32000, next_ms);
}

static void
test_syn_received_rexmit_min_bounds_the_time_from_below(void)
{
    /* And rexmit_max from above. */
    cache_defaults();
    tunables.rexmit_min_ms = 7000;
    start_syn_received();
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(now + 7000, first_entry().deadline_ms);
}

static void
test_next_deadline_counts_an_offer_and_a_debt(void)
{
    /* The earliest wins; a debt is due at once, an offer only if it ends. */
    cache_defaults();
    tunables.rexmit_initial_ms = 3000;
    tunables.offer_timeout_ms = 2000;
    start_syn_received();
    (void)send_ack(1, reply.seq);
    struct syncache_conn conn = result.conn;
    EXPECT_EQ(now + 2000, syncache_next_deadline(cache));
    tunables.offer_timeout_ms = 4000;
    cache_tune();
    EXPECT_EQ(now + 3000, syncache_next_deadline(cache));
    tunables.offer_timeout_ms = 0;
    tunables.rst_on_sock_fail = 1;
    cache_tune();
    EXPECT_EQ(now + 3000, syncache_next_deadline(cache));
    (void)send_syn(2);
    now += 5000;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
    syncache_accepted(cache, &conn, 0, false);
    EXPECT_EQ(now - 2000, syncache_next_deadline(cache));
    (void)poll_now();
    EXPECT_EQ(now + 3000, syncache_next_deadline(cache));
}

static void
test_poll_one_sends_what_poll_sends_without_a_ring(void)
{
    /* Three SYN-ACKs that are due, one a call, then nothing. */
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint32_t seen = 0;

    cache_defaults();
    cache_start();
    for (uint32_t peer = 1; peer <= 3; peer++)
        (void)send_syn(peer);
    EXPECT_EQ(0, syncache_poll_one(cache, now, packet));
    now = syncache_next_deadline(cache) + 4;
    for (uint32_t size;
         (size = syncache_poll_one(cache, now, packet)) > 0 && seen < 9;) {
        reply_read(packet, size);
        EXPECT_EQ(SYN | ACK, reply.flags);
        seen++;
    }
    EXPECT_EQ(3, seen);
    EXPECT_EQ(3, stats()->sc_retransmitted);
    EXPECT_TRUE(syncache_next_deadline(cache) > now);
}

static void
test_syn_acks_again_leave_at_rexmit_rate_at_most(void)
{
    /* Twenty are due in the same second, and in each later one of the
     * schedule; what is withheld counts as sent and lost. */
    cache_defaults();
    tunables.rexmit_rate = 5;
    sent_count = 0;
    cache_start();
    uint64_t start = now;
    for (uint32_t peer = 1; peer <= 20; peer++)
        (void)send_syn(peer);
    run_until(start + 1500);
    EXPECT_EQ(5, sent_count);
    EXPECT_EQ(15, stats()->rexmit_withheld);
    run_until(start + 16000);
    EXPECT_EQ(15, stats()->sc_retransmitted);
    EXPECT_EQ(45, stats()->rexmit_withheld);
    EXPECT_EQ(20, stats()->sc_stale);
    EXPECT_EQ(0, syncache_count(cache));
}

static const struct test tests[] = {
    TEST(test_syn_received_unanswered_retransmits_and_expires_on_schedule),
    TEST(test_syn_received_rexmtlimit_sets_the_number_of_attempts),
    TEST(test_syn_received_intime_base_retransmits_at_3_9_21),
    TEST(test_syn_received_ecn_is_given_up_at_the_second_retransmission),
    TEST(test_syn_received_after_retransmission_conn_tells_so),
    TEST(test_syn_received_listener_closed_goes_on_to_the_end),
    TEST(test_pause_of_the_bucket_policy_purges_within_its_timers),
    TEST(test_cookies_only_sends_nothing_again),
    TEST(test_poll_goes_on_where_a_full_ring_stopped_it),
    TEST(test_long_silence_makes_everything_due),
    TEST(test_clock_going_back_counts_as_standing_still),
    TEST(test_next_deadline_is_the_end_of_the_epoch_when_idle),
    TEST(test_syn_received_rexmit_min_bounds_the_time_from_below),
    TEST(test_next_deadline_counts_an_offer_and_a_debt),
    TEST(test_poll_one_sends_what_poll_sends_without_a_ring),
    TEST(test_syn_acks_again_leave_at_rexmit_rate_at_most),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

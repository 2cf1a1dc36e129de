/* An ACK as a cookie: the gate, the keys, the echoed timestamp, the replay. */
#include "cache.h"

static uint32_t iss;
static uint32_t tsval;

/* Everything is answered by cookies; peer 1 has been. */
static void
start_cookie(void)
{
    tunables.syncookies_only = 1;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(1));
    iss = reply.seq;
    tsval = reply_tsval();
}

static struct seg
cookie_ack(void)
{
    return (struct seg){
        .peer = 1, .flags = ACK, .seq = peer_irs(1) + 1, .ack = iss + 1};
}

static void
advance(uint64_t ms)
{
    now += ms;
    cache_keys();
}

static void
test_cookie_restores_what_the_syn_said(void)
{
    /* MSS and scale quantised, SACK exact, timestamps from the ACK. */
    cache_defaults();
    start_cookie();
    struct seg seg = cookie_ack();
    seg.options = ts_option(600, tsval);
    seg.options_size = 12;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(seg));
    EXPECT_EQ(iss, result.conn.iss);
    EXPECT_EQ(peer_irs(1), result.conn.irs);
    EXPECT_EQ(1460, result.conn.peer_mss);
    EXPECT_EQ(7, result.conn.snd_wscale);
    EXPECT_EQ(6, result.conn.rcv_wscale);
    EXPECT_EQ(1, result.conn.sack_permitted);
    EXPECT_EQ(1, result.conn.timestamps);
    EXPECT_EQ(600, result.conn.ts_recent);
    EXPECT_EQ(tsval - (uint32_t)now, result.conn.ts_offset);
    EXPECT_EQ(SYNCACHE_VIA_COOKIE, result.conn.via);
    EXPECT_EQ(SYNCACHE_ECN_ECHO, result.conn.ecn);
    EXPECT_EQ(0, result.conn.rxmits);
    EXPECT_EQ(1, stats()->sc_recvcookie);
    EXPECT_EQ(0, stats()->sc_completed);
}

static void
test_cookie_without_timestamps_has_none(void)
{
    /* Statement 19, its second half. */
    cache_defaults();
    start_cookie();
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
    EXPECT_EQ(0, result.conn.timestamps);
}

static void
test_cookie_with_a_changed_number_or_port_fails(void)
{
    /* Statement 12: each input of the MAC counts. */
    cache_defaults();
    start_cookie();
    struct seg seg = cookie_ack();
    seg.seq++;
    EXPECT_EQ(SYNCACHE_DROP_COOKIE_DATA, send_seg(seg));
    seg = cookie_ack();
    seg.ack++;
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(seg));
    seg = cookie_ack();
    seg.sport = 5;
    EXPECT_EQ(SYNCACHE_DROP_COOKIE_DATA, send_seg(seg));
    seg = cookie_ack();
    seg.peer = 2;
    EXPECT_EQ(SYNCACHE_DROP_COOKIE_DATA, send_seg(seg));
    EXPECT_EQ(4, stats()->sc_failcookie);
    EXPECT_EQ(4, stats()->cookie_bad_mac + stats()->cookie_no_key);
}

static void
test_cookie_lives_until_its_key_retires(void)
{
    /* Statement 13 with two periods of 32 s: issued 10 s into the first. */
    for (int late = 0; late <= 1; late++) {
        cache_defaults();
        cache_start();
        now += 10000;
        tunables.syncookies_only = 1;
        cache_tune();
        (void)send_syn(1);
        iss = reply.seq;
        advance(32000);
        advance(late ? 22000 : 21999);
        EXPECT_EQ(late ? SYNCACHE_DROP_COOKIE_DATA : SYNCACHE_ACCEPT_COOKIE,
                  send_seg(cookie_ack()));
    }
}

static void
test_gate_opens_with_an_unstored_syn_and_closes_after_two_lifetimes(void)
{
    /* departure 3, per endpoint. */
    static const uint32_t waits[] = {64000, 64001};
    for (size_t i = 0; i < TEST_COUNT(waits); i++) {
        cache_defaults();
        start_cookie();
        tunables.syncookies_only = 0;
        cache_tune();
        advance(32000);
        advance(waits[i] - 32000);
        uint64_t spurious = stats()->sc_spurcookie;
        EXPECT_EQ(i > 0 ? SYNCACHE_REPLY_RST : SYNCACHE_DROP_COOKIE_DATA,
                  send_seg(cookie_ack()));
        EXPECT_EQ(i, stats()->sc_spurcookie - spurious);
    }
}

static void
test_gate_of_one_endpoint_does_not_open_another(void)
{
    /* One flooded port does not weaken the others. */
    uint32_t other_number;
    cache_defaults();
    start_cookie();
    tunables.syncookies_only = 0;
    cache_tune();
    struct syncache_endpoint other = endpoint;
    other.lport = 81;
    EXPECT_TRUE(syncache_listen(cache, &other, &other_number));
    struct seg seg = cookie_ack();
    seg.dport = 81;
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(seg));
    EXPECT_EQ(1, stats()->sc_spurcookie);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
}

static void
test_gate_of_the_bucket_rule_counts_whole_seconds(void)
{
    /* Statement 52: through U0 + 15, not at U0 + 16. */
    for (uint32_t late = 0; late <= 1; late++) {
        cache_defaults();
        config.hashsize = 1;
        config.bucketlimit = 1;
        config.cachelimit = 1;
        tunables.cookie_gate = SYNCACHE_GATE_BUCKET;
        tunables.cookie_lifetime_ms = 15000;
        tunables.pause_policy = SYNCACHE_PAUSE_NONE;
        now = 10900;
        cache_start();
        (void)send_syn(1);
        iss = reply.seq;
        now += 800; /* U = 0 */
        (void)send_syn(2);
        advance(15199 + late);
        uint64_t spurious = stats()->sc_spurcookie;
        (void)send_seg(cookie_ack());
        EXPECT_EQ(late, stats()->sc_spurcookie - spurious);
    }
}

static void
test_gate_always_needs_no_overflow(void)
{
    /* For machines that share keys: the SYN may have been another's. */
    cache_defaults();
    tunables.cookie_gate = SYNCACHE_GATE_ALWAYS;
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    (void)send_rst(1, peer_irs(1) + 1);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
}

static void
test_gate_is_open_for_a_lifetime_after_a_start_with_loaded_keys(void)
{
    /* departure 9: cookies of the process before. */
    uint8_t key[16];
    for (uint32_t late = 0; late <= 1; late++) {
        cache_defaults();
        tunables.cookie_lifetime_ms = 32000;
        cache_start();
        syncache_set_epoch(cache, 100, now);
        for (uint64_t epoch = 100; epoch <= 101; epoch++) {
            cache_key_of(epoch, key);
            syncache_set_key(cache, epoch, key);
        }
        (void)send_syn(1);
        iss = reply.seq;
        (void)send_rst(1, peer_irs(1) + 1);
        now += 32000 + late;
        EXPECT_EQ(late ? SYNCACHE_REPLY_RST : SYNCACHE_ACCEPT_COOKIE,
                  send_seg(cookie_ack()));
    }
}

static void
test_cookie_echoing_a_strange_time_is_refused(void)
{
    /* departure 8: from -skew to two lifetimes, in the units of ts_hz. */
    static const struct {
        int32_t age_ms;
        bool accepted;
    } rows[] = {{-1001, false}, {-1000, true}, {0, true}, {20000, true}};
    static const uint32_t hz[] = {1000, 100, 1000000};
    for (size_t i = 0; i < TEST_COUNT(rows) * TEST_COUNT(hz); i++) {
        uint32_t rate = hz[i / TEST_COUNT(rows)];
        int64_t ticks = (int64_t)rows[i % 4].age_ms * rate / 1000;
        cache_defaults();
        config.ts_hz = rate;
        start_cookie();
        struct seg seg = cookie_ack();
        seg.options = ts_option(600, tsval - (uint32_t)ticks);
        seg.options_size = 12;
        /* At 100 Hz a tick is 10 ms: the edge is not the same. */
        if (rate == 100 && rows[i % 4].age_ms == -1001)
            continue;
        EXPECT_EQ(rows[i % 4].accepted ? SYNCACHE_ACCEPT_COOKIE
                                       : SYNCACHE_REPLY_RST,
                  send_seg(seg));
        EXPECT_EQ(!rows[i % 4].accepted, stats()->ts_refused);
    }
}

static void
test_cookie_echoing_an_old_time_is_refused_unless_off(void)
{
    /* Older than any cookie can be. */
    for (uint32_t off = 0; off <= 1; off++) {
        cache_defaults();
        tunables.cookie_ts = off ? SYNCACHE_TS_OFF : SYNCACHE_TS_CHECK;
        start_cookie();
        struct seg seg = cookie_ack();
        seg.options = ts_option(600, tsval - 64001);
        seg.options_size = 12;
        EXPECT_EQ(off ? SYNCACHE_ACCEPT_COOKIE : SYNCACHE_REPLY_RST,
                  send_seg(seg));
    }
}

static void
test_cookie_without_timestamps_is_refused_where_required(void)
{
    /* require always; auto once more than 1,000 fail in a second. */
    cache_defaults();
    tunables.cookie_ts = SYNCACHE_TS_REQUIRE;
    start_cookie();
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(1, stats()->ts_refused);
    cache_defaults();
    tunables.cookie_ts = SYNCACHE_TS_AUTO;
    start_cookie();
    struct seg wrong = cookie_ack();
    for (uint32_t i = 0; i < 1000; i++) {
        wrong.ack += 256;
        (void)send_seg(wrong);
    }
    EXPECT_EQ(1000, stats()->sc_failcookie);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
    syncache_accepted(cache, &result.conn, 0, false);
    wrong.ack += 256;
    (void)send_seg(wrong);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    now += 2000;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
}

static void
test_cookie_redeemed_is_not_redeemed_again(void)
{
    /* departure 7: once accepted, and not before. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    start_cookie();
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
    syncache_accepted(cache, &result.conn, 0, false);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
    syncache_accepted(cache, &result.conn, 0, true);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(1, stats()->replayed);
    EXPECT_EQ(0, stats()->sc_failcookie);
}

static void
test_cached_handshake_is_not_replayed_as_a_cookie(void)
{
    /* departure 7: its ISS was a cookie, too. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    tunables.cookie_gate = SYNCACHE_GATE_ALWAYS;
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(cookie_ack()));
    syncache_accepted(cache, &result.conn, 0, true);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(1, stats()->replayed);
}

static void
test_what_overtakes_the_cookie_is_dropped_while_the_gate_is_open(void)
{
    /* Departure 12: what starts at irs + 1 comes again, and redeems. */
    static const struct {
        uint16_t flags, size;
    } rows[] = {{ACK, 100}, {ACK | FIN, 0}, {ACK, 0}, {ACK | FIN, 100}};
    for (uint32_t i = 0; i < 4 * TEST_COUNT(rows); i++) {
        bool rst = i & 1, alone = i & 2;
        cache_defaults();
        config.established_max = alone ? 0 : config.established_max;
        tunables.failcookie_rst = rst;
        start_cookie();
        struct seg data = cookie_ack(), later = data;
        data.payload_size = 100;
        later.seq += 2000;
        later.flags = rows[i / 4].flags;
        later.payload_size = rows[i / 4].size;
        EXPECT_EQ(!rst    ? SYNCACHE_DROP_COOKIE_DATA
                  : alone ? SYNCACHE_PASS_NO_ENDPOINT
                          : SYNCACHE_REPLY_RST,
                  send_seg(later));
        EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(data));
        EXPECT_EQ(100, result.conn.payload_size);
    }
}

static void
test_failing_ack_that_no_other_number_mends_draws_a_rst(void)
{
    /* Its parity has no key, or it lacks the timestamp; data comes again. */
    for (uint32_t i = 0; i < 6; i++) {
        cache_defaults();
        tunables.cookie_ts = i & 1 ? SYNCACHE_TS_REQUIRE : SYNCACHE_TS_CHECK;
        start_cookie();
        struct seg seg = cookie_ack();
        seg.ack += i & 1 ? 0 : 1;
        seg.payload_size = i / 2 == 1 ? 100 : 0;
        seg.flags |= i / 2 == 2 ? FIN : 0;
        EXPECT_EQ(i < 2 ? SYNCACHE_REPLY_RST : SYNCACHE_DROP_COOKIE_DATA,
                  send_seg(seg));
    }
}

static void
test_cookie_of_the_old_scale_is_tried_for_a_lifetime(void)
{
    /* departure 10: maxsockbuf changed between SYN-ACK and ACK. */
    for (uint32_t late = 0; late <= 1; late++) {
        cache_defaults();
        start_cookie();
        tunables.maxsockbuf = 262144;
        cache_tune();
        advance(32000 + late);
        EXPECT_EQ(late ? SYNCACHE_DROP_COOKIE_DATA : SYNCACHE_ACCEPT_COOKIE,
                  send_seg(cookie_ack()));
        if (!late)
            EXPECT_EQ(6, result.conn.rcv_wscale);
    }
}

static void
test_cookie_of_the_endpoint_before_is_tried_for_a_lifetime(void)
{
    /* The same for an endpoint that took the place of another. */
    for (uint32_t late = 0; late <= 1; late++) {
        cache_defaults();
        endpoint.rcv_wscale = 2;
        start_cookie();
        syncache_unlisten(cache, endpoint_number);
        endpoint.rcv_wscale = 9;
        EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
        advance(32000 + late);
        EXPECT_EQ(late ? SYNCACHE_DROP_COOKIE_DATA : SYNCACHE_ACCEPT_COOKIE,
                  send_seg(cookie_ack()));
        if (!late)
            EXPECT_EQ(2, result.conn.rcv_wscale);
    }
}

static void
test_cookies_off_are_never_tried(void)
{
    /* spurcookie counts them, as FreeBSD does. */
    cache_defaults();
    start_cookie();
    tunables.syncookies = 0;
    tunables.syncookies_only = 0;
    cache_tune();
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(1, stats()->sc_spurcookie);
}

static void
test_cookie_restores_what_the_endpoint_grants(void)
{
    /* No timestamps where it takes no options, no ECN where it has none. */
    cache_defaults();
    endpoint.options = 0;
    endpoint.ecn = 0;
    start_cookie();
    struct seg seg = cookie_ack();
    seg.options = ts_option(600, 1);
    seg.options_size = 12;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(seg));
    EXPECT_EQ(0, result.conn.timestamps);
    EXPECT_EQ(SYNCACHE_ECN_NONE, result.conn.ecn);
}

static void
test_many_failures_count_in_the_next_second_too(void)
{
    /* The second that runs may only have begun. */
    cache_defaults();
    tunables.cookie_ts = SYNCACHE_TS_AUTO;
    start_cookie();
    struct seg wrong = cookie_ack();
    for (uint32_t i = 0; i < 1001; i++) {
        wrong.ack += 256;
        (void)send_seg(wrong);
    }
    now += 1000;
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg(cookie_ack()));
    EXPECT_EQ(2, stats()->ts_refused);
    now += 1000;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
}

static void
test_few_failures_of_the_last_second_require_nothing(void)
{
    /* A thousand is not more than a thousand. */
    cache_defaults();
    tunables.cookie_ts = SYNCACHE_TS_AUTO;
    start_cookie();
    struct seg wrong = cookie_ack();
    wrong.ack += 256;
    (void)send_seg(wrong);
    now += 1000;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_seg(cookie_ack()));
}

static void
test_count_of_failures_stays_at_its_end(void)
{
    /* 2^32 failures in a second are not none. */
    cache_defaults();
    start_cookie();
    struct seg wrong = cookie_ack();
    wrong.ack += 256;
    (void)send_seg(wrong);
    cache->failures.count = UINT32_MAX;
    (void)send_seg(wrong);
    EXPECT_EQ(UINT32_MAX, cache->failures.count);
}

static const struct test tests[] = {
    TEST(test_cookie_restores_what_the_syn_said),
    TEST(test_cookie_without_timestamps_has_none),
    TEST(test_cookie_with_a_changed_number_or_port_fails),
    TEST(test_cookie_lives_until_its_key_retires),
    TEST(test_gate_opens_with_an_unstored_syn_and_closes_after_two_lifetimes),
    TEST(test_gate_of_one_endpoint_does_not_open_another),
    TEST(test_gate_of_the_bucket_rule_counts_whole_seconds),
    TEST(test_gate_always_needs_no_overflow),
    TEST(test_gate_is_open_for_a_lifetime_after_a_start_with_loaded_keys),
    TEST(test_cookie_echoing_a_strange_time_is_refused),
    TEST(test_cookie_echoing_an_old_time_is_refused_unless_off),
    TEST(test_cookie_without_timestamps_is_refused_where_required),
    TEST(test_cookie_redeemed_is_not_redeemed_again),
    TEST(test_cached_handshake_is_not_replayed_as_a_cookie),
    TEST(test_what_overtakes_the_cookie_is_dropped_while_the_gate_is_open),
    TEST(test_failing_ack_that_no_other_number_mends_draws_a_rst),
    TEST(test_cookie_of_the_old_scale_is_tried_for_a_lifetime),
    TEST(test_cookie_of_the_endpoint_before_is_tried_for_a_lifetime),
    TEST(test_cookies_off_are_never_tried),
    TEST(test_cookie_restores_what_the_endpoint_grants),
    TEST(test_many_failures_count_in_the_next_second_too),
    TEST(test_few_failures_of_the_last_second_require_nothing),
    TEST(test_count_of_failures_stays_at_its_end),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

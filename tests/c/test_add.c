/* A new SYN for a listener: what is stored and answered; eviction, overflow. */
#include "cache.h"

static const uint8_t families[] = {4, 6};

/* One bucket of two entries. */
static void
start_tiny(void)
{
    config.hashsize = 1;
    config.bucketlimit = 2;
    config.cachelimit = 100;
    cache_start();
}

static void
test_listen_syn_stores_one_entry_and_answers(void)
{
    /* Statement 1, in both families. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        cache_defaults();
        family = families[i];
        cache_start();
        EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
        EXPECT_EQ(SYN | ACK, reply.flags);
        EXPECT_EQ(peer_irs(1) + 1, reply.ack);
        EXPECT_EQ(CACHE_PORT, reply.sport);
        EXPECT_EQ(CACHE_PEER_PORT, reply.dport);
        EXPECT_EQ(61, reply.hop_limit);
        EXPECT_EQ(0x28, reply.tos);
        EXPECT_EQ(65535, reply.window);
        EXPECT_EQ(1, syncache_count(cache));
        EXPECT_EQ(1, stats()->sc_added);
        EXPECT_EQ(1, stats()->sc_sendcookie);
        EXPECT_EQ(1, stats()->sndacks);
        EXPECT_EQ(0, stats()->accepts);
    }
}

static void
test_listen_syn_options_decide_what_the_syn_ack_offers(void)
{
    /* Statements 30 and 31. */
    static const uint8_t only_mss[] = {2, 4, 5, 180};
    static const uint8_t with_sack[] = {2, 4, 5, 180, 4, 2, 0, 0};
    static const uint8_t head[] = {2, 4, 5, 180, 1, 3, 3, 6, 4, 2, 8, 10};
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    EXPECT_EQ(20, reply.options_size);
    EXPECT_BYTES(head, reply_options, sizeof head);
    EXPECT_EQ(500, load32_be(reply_options + 16));
    (void)send_syn_plain(2);
    EXPECT_EQ(4, reply.options_size);
    EXPECT_BYTES(only_mss, reply_options, sizeof only_mss);
    (void)send_seg((struct seg){.peer = 3,
                                .flags = SYN,
                                .options = with_sack,
                                .options_size = sizeof with_sack});
    EXPECT_EQ(8, reply.options_size);
    EXPECT_BYTES(with_sack, reply_options, sizeof with_sack);
}

static void
test_listen_syn_rfc1323_limits_what_is_negotiated(void)
{
    /* Statement 34. */
    for (uint32_t rfc1323 = 0; rfc1323 <= 3; rfc1323++) {
        cache_defaults();
        tunables.rfc1323 = rfc1323;
        cache_start();
        (void)send_syn(1);
        EXPECT_EQ(rfc1323 == 1 || rfc1323 == 2, reply_option(3) != NULL);
        EXPECT_EQ(rfc1323 == 1 || rfc1323 == 3, reply_option(8) != NULL);
        EXPECT_TRUE(reply_option(4) != NULL);
        tunables.sack_enable = 0;
        cache_tune();
        (void)send_syn(2);
        EXPECT_TRUE(reply_option(4) == NULL);
    }
}

static void
test_listen_syn_noopt_endpoint_offers_nothing(void)
{
    /* Statement 34, the listener's half. */
    cache_defaults();
    endpoint.options = 0;
    cache_start();
    (void)send_syn(1);
    EXPECT_EQ(0, reply.options_size);
}

static void
test_listen_syn_data_is_not_acknowledged(void)
{
    /* Statement 36. */
    cache_defaults();
    cache_start();
    (void)send_seg(
        (struct seg){.peer = 1, .flags = SYN, .seq = 100, .payload_size = 10});
    EXPECT_EQ(101, reply.ack);
}

static void
test_listen_syn_ecn_bits_are_answered_by_enable_and_endpoint(void)
{
    /* Spec 3.2: classic, accurate by IP-ECN field, and neither. */
    static const struct {
        uint32_t enable;
        uint16_t flags;
        uint8_t tos;
        uint8_t allowed;
        uint16_t answer;
    } rows[] = {
        {2, WIRE_CWR | WIRE_ECE, 0, 1, WIRE_ECE},
        {0, WIRE_CWR | WIRE_ECE, 0, 1, 0},
        {2, WIRE_CWR | WIRE_ECE, 0, 0, 0},
        {2, WIRE_ECE, 0, 1, 0},
        {2, WIRE_AE | WIRE_CWR | WIRE_ECE, 0, 1, WIRE_ECE},
        {3, WIRE_CWR | WIRE_ECE, 0, 1, WIRE_ECE},
        {3, WIRE_AE | WIRE_CWR | WIRE_ECE, 0, 1, WIRE_CWR},
        {3, WIRE_AE | WIRE_CWR | WIRE_ECE, 1, 1, WIRE_CWR | WIRE_ECE},
        {4, WIRE_AE | WIRE_CWR | WIRE_ECE, 2, 1, WIRE_AE},
        {4, WIRE_AE, 3, 1, WIRE_AE | WIRE_CWR},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        tunables.ecn_enable = rows[i].enable;
        endpoint.ecn = rows[i].allowed;
        cache_start();
        (void)send_seg((struct seg){
            .peer = 1, .flags = SYN | rows[i].flags, .tos = rows[i].tos});
        EXPECT_EQ(SYN | ACK | rows[i].answer, reply.flags);
        EXPECT_EQ(rows[i].answer != 0, stats()->ecn_shs);
        EXPECT_EQ(0, reply.tos & 3);
    }
}

static void
test_listen_syn_fin_is_a_syn_unless_drop_synfin(void)
{
    /* Statement 37. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK,
              send_seg((struct seg){.peer = 1, .flags = SYN | FIN}));
    tunables.drop_synfin = 1;
    cache_tune();
    EXPECT_EQ(SYNCACHE_DROP_SYN_FIN,
              send_seg((struct seg){.peer = 2, .flags = SYN | FIN}));
    EXPECT_EQ(1, stats()->badsyn);
}

static void
test_listen_syn_bucket_full_recycles_oldest(void)
{
    /* Statement 8: the oldest goes, and its peer still has its cookie. */
    cache_defaults();
    start_tiny();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    (void)send_syn(2);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
    EXPECT_EQ(2, syncache_count(cache));
    EXPECT_EQ(1, stats()->evicted);
    EXPECT_EQ(1, stats()->sc_bucketoverflow);
    EXPECT_EQ(peer_irs(2), first_entry().irs);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
    expect_balance();
}

static void
test_listen_syn_without_cookies_evicts_without_a_pause(void)
{
    /* Statement 10: k evictions count k, and the evicted peer gets a RST. */
    cache_defaults();
    tunables.syncookies = 0;
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    start_tiny();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    for (uint32_t peer = 2; peer <= 5; peer++)
        (void)send_syn(peer);
    EXPECT_EQ(3, stats()->sc_bucketoverflow);
    EXPECT_EQ(3, stats()->evicted);
    EXPECT_EQ(0, stats()->sc_sendcookie);
    EXPECT_TRUE(!syncache_paused(cache));
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(1, iss));
    EXPECT_EQ(1, stats()->sc_spurcookie);
    expect_balance();
}

static void
test_listen_syn_bucket_policy_pauses_on_overflow(void)
{
    /* Statements 9 and 11: one pause, no more entries, cookies come in. */
    cache_defaults();
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    start_tiny();
    (void)send_syn(1);
    uint32_t before = reply.seq;
    (void)send_syn(2);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
    EXPECT_TRUE(syncache_paused(cache));
    EXPECT_EQ(1, stats()->sc_bucketoverflow);
    EXPECT_EQ(1, stats()->pauses);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(4));
    uint32_t during = reply.seq;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(2));
    EXPECT_EQ(1, stats()->sc_bucketoverflow);
    EXPECT_EQ(0, stats()->sc_dupsyn);
    EXPECT_EQ(2, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, before));
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(4, during));
    EXPECT_EQ(2, stats()->sc_recvcookie);
}

static void
test_listen_syn_cookies_only_stores_nothing(void)
{
    /* Statement 15: it works alone. */
    cache_defaults();
    tunables.syncookies = 0;
    tunables.syncookies_only = 1;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(1));
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_added);
    EXPECT_EQ(1, stats()->cookie_only_synacks);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, reply.seq));
}

static void
test_listen_syn_cookies_only_without_key_is_dropped(void)
{
    /* Nothing can be minted and nothing may be stored. */
    cache_defaults();
    tunables.syncookies_only = 1;
    cache_start_keyless();
    EXPECT_EQ(SYNCACHE_DROP_NO_KEY, send_syn(1));
    EXPECT_EQ(0, stats()->sc_sendcookie);
    EXPECT_EQ(1, stats()->syn_no_key);
    EXPECT_EQ(1, stats()->verdicts[SYNCACHE_DROP_NO_KEY]);
    cache_keys();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(1));
}

static void
test_listen_syn_cache_full_without_key_says_so(void)
{
    /* With a key it would have been answered; drop-new asks for none. */
    for (uint32_t drop_new = 0; drop_new <= 1; drop_new++) {
        uint32_t refused = 0;
        cache_defaults();
        tunables.overflow =
            drop_new ? SYNCACHE_OVERFLOW_DROP_NEW : SYNCACHE_OVERFLOW_EVICT;
        config.cachelimit = 1;
        config.hashsize = 1024;
        cache_start_keyless();
        for (uint32_t peer = 1; peer <= 11; peer++)
            refused += send_syn(peer) == (drop_new ? SYNCACHE_DROP_CACHE_FULL
                                                   : SYNCACHE_DROP_NO_KEY);
        EXPECT_TRUE(refused >= 9);
        EXPECT_EQ(drop_new ? 1 : 11, stats()->syn_no_key);
    }
}

static void
test_listen_syn_key_not_renewed_goes_on_answering(void)
{
    /* Given once, it is in force for as long as no other is given. */
    uint64_t times[] = {0, 31999, 32000, 64000, 140000, 3600000};
    for (uint32_t only = 0; only <= 1; only++) {
        cache_defaults();
        tunables.syncookies_only = only;
        cache_start();
        uint64_t start = now;
        for (size_t i = 0; i < TEST_COUNT(times); i++) {
            uint32_t peer = (uint32_t)i + 1;
            now = start + times[i];
            EXPECT_EQ(only ? SYNCACHE_REPLY_SYN_COOKIE : SYNCACHE_REPLY_SYN_ACK,
                      send_syn(peer));
            now += 10;
            EXPECT_EQ(only ? SYNCACHE_ACCEPT_COOKIE : SYNCACHE_ACCEPT_CACHE,
                      send_ack(peer, reply.seq));
        }
        EXPECT_EQ(0, stats()->syn_no_key);
    }
}

static void
test_listen_syn_without_key_gets_a_clocked_iss(void)
{
    /* RFC 6528: 250 a millisecond, the same hash. */
    cache_defaults();
    cache_start_keyless();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    uint32_t first = reply.seq;
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
    now += 2;
    (void)send_syn(1);
    EXPECT_EQ(first + 500, reply.seq);
    EXPECT_EQ(0, stats()->sc_sendcookie);
}

static void
test_listen_syn_cookie_only_says_no_ecn(void)
{
    /* departure 4, and FreeBSD's way. */
    for (uint32_t in_cookie = 0; in_cookie <= 1; in_cookie++) {
        cache_defaults();
        tunables.syncookies_only = 1;
        tunables.ecn_in_cookie = in_cookie;
        cache_start();
        (void)send_seg((struct seg){
            .peer = 1, .flags = SYN | WIRE_CWR | WIRE_ECE, .seq = peer_irs(1)});
        EXPECT_EQ(SYN | ACK | (in_cookie ? WIRE_ECE : 0), reply.flags);
        EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, reply.seq));
        EXPECT_EQ(in_cookie ? SYNCACHE_ECN_NONE : SYNCACHE_ECN_ECHO,
                  result.conn.ecn);
    }
}

static void
test_listen_syn_cachelimit_evicts_from_its_bucket(void)
{
    /* Statement 43, under the names of each policy. */
    for (int freebsd = 0; freebsd <= 1; freebsd++) {
        cache_defaults();
        tunables.pause_policy =
            freebsd ? SYNCACHE_PAUSE_BUCKET : SYNCACHE_PAUSE_NONE;
        config.hashsize = 1;
        config.cachelimit = 1;
        cache_start();
        (void)send_syn(1);
        EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(2));
        EXPECT_EQ(1, syncache_count(cache));
        EXPECT_EQ(freebsd, stats()->sc_zonefail);
        EXPECT_EQ(!freebsd, stats()->sc_cacheoverflow);
        EXPECT_EQ(freebsd, syncache_paused(cache));
        expect_balance();
    }
}

static void
test_listen_syn_bucket_and_cache_full_counts_by_policy(void)
{
    /* FreeBSD allocates first: a zone failure; else the bucket comes first. */
    for (int freebsd = 0; freebsd <= 1; freebsd++) {
        cache_defaults();
        tunables.pause_policy =
            freebsd ? SYNCACHE_PAUSE_BUCKET : SYNCACHE_PAUSE_NONE;
        config.hashsize = 1;
        config.bucketlimit = 1;
        config.cachelimit = 1;
        cache_start();
        (void)send_syn(1);
        EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(2));
        EXPECT_EQ(freebsd, stats()->sc_zonefail);
        EXPECT_EQ(0, stats()->sc_cacheoverflow);
        EXPECT_EQ(1, stats()->sc_bucketoverflow);
        EXPECT_EQ(1, stats()->evicted);
        expect_balance();
    }
}

static void
test_listen_syn_cache_full_bucket_empty_cookie_or_drop(void)
{
    /* Statement 44: with cookies an answer, without them silence. */
    for (uint32_t cookies = 0; cookies <= 1; cookies++) {
        uint32_t answered = 0;
        cache_defaults();
        tunables.syncookies = cookies;
        config.cachelimit = 1;
        config.hashsize = 1024;
        cache_start();
        (void)send_syn(1);
        /* Of ten others at least nine have other buckets than the first. */
        for (uint32_t peer = 2; peer <= 11; peer++)
            answered += send_syn(peer) == (cookies ? SYNCACHE_REPLY_SYN_COOKIE
                                                   : SYNCACHE_DROP_CACHE_FULL);
        EXPECT_TRUE(answered >= 9);
        EXPECT_EQ(10, stats()->sc_cacheoverflow);
        EXPECT_EQ(1, syncache_count(cache));
    }
}

static void
test_listen_syn_drop_new_keeps_the_old(void)
{
    /* x.overflow: what stacks without a syncache do. */
    cache_defaults();
    tunables.overflow = SYNCACHE_OVERFLOW_DROP_NEW;
    start_tiny();
    (void)send_syn(1);
    (void)send_syn(2);
    EXPECT_EQ(SYNCACHE_DROP_CACHE_FULL, send_syn(3));
    EXPECT_EQ(2, syncache_count(cache));
    EXPECT_EQ(0, stats()->evicted);
    EXPECT_EQ(peer_irs(1), first_entry().irs);
}

static void
test_listen_syn_age_policy_pauses_only_when_victims_are_young(void)
{
    /* A flood that evicts within the pause age pauses insertion, not lookup. */
    cache_defaults();
    start_tiny();
    for (uint32_t peer = 1; peer <= 400; peer++) {
        now += 10;
        (void)send_syn(peer);
    }
    EXPECT_TRUE(syncache_paused(cache));
    EXPECT_EQ(1, stats()->pauses);
    EXPECT_TRUE(stats()->cookie_only_synacks > 100);
    EXPECT_EQ(2, syncache_count(cache));
    struct syncache_half_open held = first_entry();
    uint32_t peer = held.irs / 1000;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(peer, held.iss));
    now += 20000;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1000));
    EXPECT_TRUE(!syncache_paused(cache));
    EXPECT_TRUE(stats()->paused_ms >= 5000);
}

static void
test_listen_syn_gets_the_options_that_the_stack_can_do(void)
{
    /* In the SYN-ACK, from the table and from a cookie, and in what is handed
     * over. */
    for (uint32_t i = 0; i < 16; i++) {
        uint8_t can = (uint8_t)(SYNCACHE_OPTION_MSS | (i & 7) << 2);
        bool scale = can & SYNCACHE_OPTION_SCALE;
        bool sack = can & SYNCACHE_OPTION_SACK;
        bool timestamps = can & SYNCACHE_OPTION_TIMESTAMPS;

        cache_defaults();
        tunables.syncookies_only = i / 8;
        endpoint.options = can;
        cache_start();
        (void)send_syn(1);
        EXPECT_TRUE(reply_option(2) != NULL);
        EXPECT_EQ(scale, reply_option(3) != NULL);
        EXPECT_EQ(sack, reply_option(4) != NULL);
        EXPECT_EQ(timestamps, reply_option(8) != NULL);
        struct seg ack = {.peer = 1,
                          .flags = ACK,
                          .seq = peer_irs(1) + 1,
                          .ack = reply.seq + 1,
                          .options = ts_option(501, reply_tsval()),
                          .options_size = 12};
        EXPECT_EQ(SYNCACHE_ACCEPT, syncache_kind(send_seg(ack)));
        EXPECT_EQ(scale, result.conn.snd_wscale != SYNCACHE_WSCALE_NONE);
        EXPECT_EQ(sack, result.conn.sack_permitted);
        EXPECT_EQ(timestamps, result.conn.timestamps);
    }
}

static const struct test tests[] = {
    TEST(test_listen_syn_stores_one_entry_and_answers),
    TEST(test_listen_syn_options_decide_what_the_syn_ack_offers),
    TEST(test_listen_syn_rfc1323_limits_what_is_negotiated),
    TEST(test_listen_syn_noopt_endpoint_offers_nothing),
    TEST(test_listen_syn_data_is_not_acknowledged),
    TEST(test_listen_syn_ecn_bits_are_answered_by_enable_and_endpoint),
    TEST(test_listen_syn_fin_is_a_syn_unless_drop_synfin),
    TEST(test_listen_syn_bucket_full_recycles_oldest),
    TEST(test_listen_syn_without_cookies_evicts_without_a_pause),
    TEST(test_listen_syn_bucket_policy_pauses_on_overflow),
    TEST(test_listen_syn_cookies_only_stores_nothing),
    TEST(test_listen_syn_cookies_only_without_key_is_dropped),
    TEST(test_listen_syn_cache_full_without_key_says_so),
    TEST(test_listen_syn_key_not_renewed_goes_on_answering),
    TEST(test_listen_syn_without_key_gets_a_clocked_iss),
    TEST(test_listen_syn_cookie_only_says_no_ecn),
    TEST(test_listen_syn_cachelimit_evicts_from_its_bucket),
    TEST(test_listen_syn_bucket_and_cache_full_counts_by_policy),
    TEST(test_listen_syn_cache_full_bucket_empty_cookie_or_drop),
    TEST(test_listen_syn_drop_new_keeps_the_old),
    TEST(test_listen_syn_age_policy_pauses_only_when_victims_are_young),
    TEST(test_listen_syn_gets_the_options_that_the_stack_can_do),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

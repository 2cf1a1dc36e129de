/* Time, hashes and derived values that every event relies on. */
#include "cache.h"

#define LIFETIME_MS 32000

static void
test_ts_clock_runs_at_its_rate_and_wraps(void)
{
    /* TSval = ts_base + now_ms * ts_hz / 1000, modulo 2^32, at any now. */
    static const struct {
        uint64_t now_ms;
        uint32_t hz;
        uint32_t expected;
    } rows[] = {{1500, 1000, 1500 + 7},
                {1500, 100, 150 + 7},
                {1500, 1000000, 1500000 + 7},
                {UINT64_C(4294967296), 1000, 7},
                {UINT64_C(18446744073709000000), 1000, 4294415680u + 7}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        config.ts_hz = rows[i].hz;
        config.ts_base = 7;
        now = rows[i].now_ms;
        cache_start();
        EXPECT_EQ(rows[i].expected, engine_ts_clock(cache));
    }
}

static void
test_ts_offset_is_per_tuple_per_host_pair_or_none(void)
{
    /* CVE-2026-23247: ports count unless the operator says otherwise. */
    cache_defaults();
    cache_start();
    struct syncache_tuple a = peer_tuple(1);
    struct syncache_tuple b = a;
    b.fport++;
    EXPECT_TRUE(engine_ts_offset(cache, &a) != engine_ts_offset(cache, &b));
    tunables.ts_offset_per_conn = 0;
    cache_tune();
    EXPECT_EQ(engine_ts_offset(cache, &a), engine_ts_offset(cache, &b));
    EXPECT_TRUE(engine_ts_offset(cache, &a) != 0);
    config.ts_per_tuple = 0;
    cache_start();
    EXPECT_EQ(0, engine_ts_offset(cache, &a));
}

static void
test_mss_follows_mtu_bounds_and_defaults(void)
{
    /* Spec 3.2, both directions. */
    static const struct {
        uint8_t family;
        uint16_t mtu;
        uint16_t mss_max;
        uint16_t announced;
        uint16_t usable_of_9000;
    } rows[] = {{4, 1500, 0, 1460, 1460},    {6, 1500, 0, 1440, 1440},
                {4, 0, 0, 536, 9000},        {6, 0, 0, 1220, 9000},
                {4, 1500, 1400, 1400, 1400}, {4, 128, 0, 88, 88},
                {6, 128, 0, 68, 68},         {4, 20, 0, 1, 1},
                {4, 1500, 100, 100, 100},    {4, 0, 100, 100, 100},
                {4, 9000, 0, 8960, 8960},    {4, 1500, 1460, 1460, 1460}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        endpoint.mtu = rows[i].mtu;
        endpoint.mss_max = rows[i].mss_max;
        cache_start();
        EXPECT_EQ(rows[i].announced,
                  engine_mss_announced(cache, 0, rows[i].family));
        EXPECT_EQ(rows[i].usable_of_9000,
                  engine_mss_usable(cache, 0, rows[i].family, 9000));
    }
}

static void
test_time_never_goes_back_and_starts_anywhere(void)
{
    /* Also at the far end of 64 bits. */
    cache_defaults();
    now = UINT64_MAX - 100000;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    engine_advance(cache, 5);
    EXPECT_EQ(now, cache->now_ms);
    EXPECT_EQ(0, engine_uptime_s(cache));
    now += 1003;
    EXPECT_EQ(1, poll_now());
}

static void
test_time_stops_before_a_deadline_would_not_fit(void)
{
    /* A caller's -1 must not make a timer that is due for ever. */
    cache_defaults();
    now = UINT64_MAX;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, reply.seq));
    EXPECT_EQ(0, poll_now());
    EXPECT_TRUE(syncache_next_deadline(cache) > cache->now_ms);
}

static void
test_paused_time_is_counted_to_its_end(void)
{
    /* FreeBSD's first pause: 15 s, however late anybody looks. */
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    config.cachelimit = 1;
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    cache_start();
    (void)send_syn(1);
    (void)send_syn(2);
    now += 14999;
    (void)poll_now();
    EXPECT_TRUE(syncache_paused(cache));
    EXPECT_EQ(14999, stats()->paused_ms);
    now += 5000;
    (void)poll_now();
    EXPECT_TRUE(!syncache_paused(cache));
    EXPECT_EQ(15000, stats()->paused_ms);
}

static void
test_pause_outlasts_an_epoch_whose_key_is_late(void)
{
    /* The caller asks for the epoch, and only then gives its key. */
    uint64_t next_ms;
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    config.cachelimit = 1;
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    cache_start();
    (void)syncache_epoch(cache, now, &next_ms);
    now = next_ms - 1;
    (void)send_syn(1);
    (void)send_syn(2);
    EXPECT_TRUE(syncache_paused(cache));
    now = next_ms;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(3)); /* by the last key */
    cache_keys();
    EXPECT_TRUE(syncache_paused(cache));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(3));
}

static const uint8_t *
key_of(uint64_t epoch)
{
    static uint8_t key[16];
    cache_key_of(epoch, key);
    return key;
}

static void
test_cookies_of_a_moment_ago_outlive_a_clock_that_is_set(void)
{
    /* Either way and however far, for a lifetime at least. */
    static const int64_t leaps[] = {-1000000, -9, -8, -2, -1,
                                    1,        2,  8,  9,  4000000};
    for (size_t i = 0; i < sizeof leaps / sizeof *leaps; i++) {
        const uint64_t before = 5000000;
        const uint64_t after = before + (uint64_t)leaps[i];
        const uint8_t *keys[SECRET_CANDIDATES];
        uint8_t key[16];
        struct secret secret;

        memset(&secret, 0, sizeof secret);
        secret_init(&secret);
        secret_set_epoch(&secret, before, 1000);
        for (uint64_t of = before - 2; of <= before + 1; of++)
            secret_set_key(&secret, of, key_of(of));
        secret_advance(&secret, 2000, LIFETIME_MS, 1000);
        secret_use(&secret);
        memcpy(key, secret_mint(&secret), sizeof key);
        uint32_t parity = secret_parity(&secret);
        secret_set_epoch(&secret, after, 1500);
        for (uint64_t of = after - 2; of <= after + 1; of++)
            if (of != before)
                secret_set_key(&secret, of, key_of(of));
        for (now = 2000; now < 1500 + LIFETIME_MS; now += 1000) {
            secret_advance(&secret, now, LIFETIME_MS, 1000);
            secret_use(&secret);
            uint32_t count = secret_candidates(&secret, now, LIFETIME_MS, 1000,
                                               parity, keys);
            bool found = false;
            for (uint32_t j = 0; j < count; j++)
                found |= memcmp(keys[j], key, sizeof key) == 0;
            EXPECT_TRUE(found);
        }
    }
}

static void
test_keys_are_looked_at_only_when_one_changes_its_part(void)
{
    const uint8_t key[16] = {7};
    uint64_t next_ms;

    cache_defaults();
    cache_start();
    (void)syncache_epoch(cache, now, &next_ms);
    engine_advance(cache, now);
    EXPECT_EQ(next_ms, cache->keys_ms);
    engine_advance(cache, next_ms - 1);
    EXPECT_EQ(next_ms, cache->keys_ms);
    /* Neither a key, nor an epoch, nor its length waits for that time. */
    syncache_set_key(cache, 0, key);
    engine_advance(cache, next_ms - 1);
    EXPECT_EQ(0, memcmp(key, secret_mint(&cache->secret), sizeof key));
    tunables.cookie_lifetime_ms /= 4;
    cache_tune();
    engine_advance(cache, next_ms - 1);
    EXPECT_EQ(3, cache->secret.epoch);
    syncache_set_epoch(cache, 90, next_ms - 1);
    EXPECT_EQ(90, syncache_epoch(cache, next_ms - 1, &next_ms));
    cache_stop();
}

static void
test_eviction_from_a_closed_endpoint_opens_the_gate_of_its_heir(void)
{
    /* Here the wildcard that listens on the port now. */
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    endpoint.family = 4;
    own_address(endpoint.laddr);
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    syncache_unlisten(cache, endpoint_number);
    memset(endpoint.laddr, 0, sizeof endpoint.laddr);
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(2));
    EXPECT_EQ(1, stats()->evicted);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
}

static void
test_eviction_from_a_closed_endpoint_is_remembered_until_it_opens(void)
{
    /* Nobody listens there meanwhile; the entry is evicted by another port. */
    uint32_t other;
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    syncache_unlisten(cache, endpoint_number);
    endpoint.lport = 81;
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &other));
    EXPECT_EQ(
        SYNCACHE_REPLY_SYN_ACK,
        send_seg((struct seg){.peer = 2, .flags = SYN, .seq = 1, .dport = 81}));
    EXPECT_EQ(1, stats()->evicted);
    endpoint.lport = CACHE_PORT;
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
}

static void
test_epoch_told_anew_ends_when_it_is_said_to(void)
{
    /* Before the one that was told first would have. */
    uint64_t next_ms;

    cache_defaults();
    cache_start();
    syncache_set_epoch(cache, 4, now);
    EXPECT_EQ(4, syncache_epoch(cache, now, &next_ms));
    EXPECT_EQ(now + tunables.cookie_lifetime_ms, next_ms);
    syncache_set_epoch(cache, 6, now - tunables.cookie_lifetime_ms + 10);
    EXPECT_EQ(6, syncache_epoch(cache, now + 9, &next_ms));
    EXPECT_EQ(now + 10, next_ms);
    EXPECT_EQ(7, syncache_epoch(cache, now + 10, &next_ms));
}

static const struct test tests[] = {
    TEST(test_ts_clock_runs_at_its_rate_and_wraps),
    TEST(test_ts_offset_is_per_tuple_per_host_pair_or_none),
    TEST(test_mss_follows_mtu_bounds_and_defaults),
    TEST(test_time_never_goes_back_and_starts_anywhere),
    TEST(test_time_stops_before_a_deadline_would_not_fit),
    TEST(test_paused_time_is_counted_to_its_end),
    TEST(test_pause_outlasts_an_epoch_whose_key_is_late),
    TEST(test_cookies_of_a_moment_ago_outlive_a_clock_that_is_set),
    TEST(test_keys_are_looked_at_only_when_one_changes_its_part),
    TEST(test_eviction_from_a_closed_endpoint_opens_the_gate_of_its_heir),
    TEST(test_eviction_from_a_closed_endpoint_is_remembered_until_it_opens),
    TEST(test_epoch_told_anew_ends_when_it_is_said_to),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Defaults are legal, ranges are kept, a refusal changes nothing. */
#include "cache.h"

static void
test_defaults_are_accepted(void)
{
    /* And are what a new engine has. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(3, cache->tunables.rexmtlimit);
    EXPECT_EQ(6, cache->wscale);
    EXPECT_EQ(32000, cache->tunables.cookie_lifetime_ms);
}

static void
test_defaults_are_those_of_the_specification(void)
{
    /* Its section 2, and the departures; what is not named is 0. */
    static const struct syncache_tunables expected = {
        .struct_size = sizeof expected,
        .syncookies = 1,
        .rexmtlimit = 3,
        .rexmit_initial_ms = 1000,
        .rexmit_slop_ms = 200,
        .rexmit_min_ms = 30,
        .rexmit_max_ms = 64000,
        .ecn_enable = 2,
        .ecn_maxretries = 1,
        .rfc1323 = 1,
        .sack_enable = 1,
        .mssdflt = 536,
        .v6mssdflt = 1220,
        .minmss = 216,
        .maxsockbuf = 2097152,
        .tolerate_missing_ts = 1,
        .ts_offset_per_conn = 1,
        .ack_war_cnt = 5,
        .rst_limit = 200,
        .ack_war_timewindow_ms = 1000,
        .path_mtu_discovery = 1,
        .pause_policy = SYNCACHE_PAUSE_AGE,
        .pause_age_ms = 1000,
        .cookie_gate = SYNCACHE_GATE_ENDPOINT,
        .offer_timeout_ms = 5000,
        .dupsyn_limit = 8,
        .cookie_ts = SYNCACHE_TS_CHECK,
        .clock_skew_ms = 1000,
        .cookie_lifetime_ms = 32000,
        .cookie_layout = SYNCACHE_LAYOUT_WIDE,
        .overflow = SYNCACHE_OVERFLOW_EVICT,
    };
    struct syncache_tunables actual;
    memset(&actual, 0xa5, sizeof actual);
    syncache_tunables_default(&actual);
    EXPECT_BYTES((const uint8_t *)&expected, (const uint8_t *)&actual,
                 sizeof expected);
}

static void
test_out_of_range_is_refused_and_changes_nothing(void)
{
    /* Statement 7: 13 is refused, 12 accepted; and so for every bound. */
    cache_defaults();
    cache_start();
    struct syncache_tunables before = cache->tunables;
#define REFUSED(field, value)                                           \
    do {                                                                \
        tunables = before;                                              \
        tunables.field = (value);                                       \
        EXPECT_TRUE(!syncache_set_tunables(cache, &tunables));          \
        EXPECT_BYTES((const uint8_t *)&before,                          \
                     (const uint8_t *)&cache->tunables, sizeof before); \
    } while (0)
    REFUSED(struct_size, 1);
    REFUSED(rexmtlimit, 13);
    REFUSED(rexmit_initial_ms, 0);
    REFUSED(rexmit_initial_ms, 64001);
    REFUSED(rexmit_slop_ms, 64001);
    REFUSED(rexmit_min_ms, 0);
    REFUSED(rexmit_max_ms, 64001);
    REFUSED(ecn_enable, 5);
    REFUSED(ecn_maxretries, 13);
    REFUSED(rfc1323, 4);
    REFUSED(minmss, 47);
    REFUSED(rexmit_max_ms, 29);
    REFUSED(pause_age_ms, 0);
    REFUSED(offer_timeout_ms, 60001);
    REFUSED(dupsyn_limit, 256);
    REFUSED(cookie_lifetime_ms, 3600001);
    REFUSED(mssdflt, 65536);
    REFUSED(mssdflt, 215);
    REFUSED(v6mssdflt, 0);
    REFUSED(ack_war_timewindow_ms, 30001);
    REFUSED(blackhole, 4);
    REFUSED(rst_limit, 65001);
    REFUSED(pause_policy, 3);
    REFUSED(cookie_gate, 3);
    REFUSED(cookie_ts, 4);
    REFUSED(cookie_layout, 3);
    REFUSED(overflow, 2);
    REFUSED(cookie_lifetime_ms, 999);
    REFUSED(clock_skew_ms, 16001);
    tunables = before;
    tunables.rexmtlimit = 12;
    cache_tune();
    EXPECT_EQ(12, cache->tunables.rexmtlimit);
}

static void
test_every_row_is_the_range_of_its_member(void)
{
    /* The edges are taken and what is beyond them is not, where no relation
     * between members stands in the way. */
    struct syncache_tunables wide;
    syncache_tunables_default(&wide);
    wide.rexmit_min_ms = 1;
    wide.minmss = 48;
    wide.mssdflt = wide.v6mssdflt = 65535;
    wide.clock_skew_ms = 0;
    wide.cookie_lifetime_ms = 3600000;
    cache_defaults();
    cache_start();
#define EDGES(member, name, kind, value, low, high, ...)                 \
    do {                                                                 \
        const uint32_t numbers[] = {(low), (high), (uint32_t)(low) - 1u, \
                                    (uint32_t)(high) + 1u};              \
        for (int i = 0; i < 4; i++) {                                    \
            struct syncache_tunables edge = wide;                        \
            edge.member = numbers[i];                                    \
            EXPECT_EQ(i < 2 || (high) == UINT32_MAX,                     \
                      syncache_set_tunables(cache, &edge));              \
        }                                                                \
    } while (0);
    SYNCACHE_TUNABLES(EDGES)
    SYNCACHE_KEY_TUNABLES(EDGES)
}

static void
test_maxsockbuf_sets_the_scale(void)
{
    /* Spec section 2: 65535 << s is just short of a power of two. */
    static const struct {
        uint32_t maxsockbuf;
        uint8_t scale;
    } rows[] = {{0, 0},       {65535, 0},       {65536, 1},
                {262144, 3},  {2097152, 6},     {4194240, 6},
                {4194241, 7}, {1073741824, 14}, {4294967295u, 14}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_EQ(rows[i].scale, engine_wscale_of(rows[i].maxsockbuf));
}

static void
test_syncookies_switched_off_end_a_pause(void)
{
    /* Spec 3.8: at once. */
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    config.cachelimit = 1;
    tunables.pause_policy = SYNCACHE_PAUSE_BUCKET;
    cache_start();
    (void)send_syn(1);
    (void)send_syn(2);
    EXPECT_TRUE(syncache_paused(cache));
    tunables.syncookies = 0;
    cache_tune();
    EXPECT_TRUE(!syncache_paused(cache));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
}

static const struct test tests[] = {
    TEST(test_defaults_are_accepted),
    TEST(test_defaults_are_those_of_the_specification),
    TEST(test_out_of_range_is_refused_and_changes_nothing),
    TEST(test_every_row_is_the_range_of_its_member),
    TEST(test_maxsockbuf_sets_the_scale),
    TEST(test_syncookies_switched_off_end_a_pause),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* The kernels' shapes follow the time, the keys and the tunables. */
#include "cache.h"

static void
test_shape_has_the_key_and_the_clock_in_force(void)
{
    const struct simd_shape *shape;
    uint32_t clock;

    cache_defaults();
    cache_start();
    engine_advance(cache, now);
    shape = cache->quick.shape;
    EXPECT_TRUE(cache->quick.open);
    for (int v6 = 0; v6 < 2; v6++) {
        EXPECT_TRUE(shape[v6].cookie_key == secret_mint(&cache->secret));
        EXPECT_EQ(secret_parity(&cache->secret), shape[v6].parity);
    }
    clock = shape[0].ts_clock;
    engine_advance(cache, cache->now_ms + 5000);
    EXPECT_EQ(clock + 5000 * config.ts_hz / 1000, shape[0].ts_clock);
    EXPECT_EQ(shape[0].ts_clock, shape[1].ts_clock);
}

static void
test_short_way_is_closed_while_no_cookie_can_be_made(void)
{
    cache_defaults();
    cache_start();
    tunables.syncookies = 0;
    EXPECT_TRUE(syncache_set_tunables(cache, &tunables));
    engine_advance(cache, cache->now_ms + 1);
    EXPECT_TRUE(!cache->quick.open);
    tunables.syncookies = 1;
    EXPECT_TRUE(syncache_set_tunables(cache, &tunables));
    engine_advance(cache, cache->now_ms + 1);
    EXPECT_TRUE(cache->quick.open);
}

static void
test_layout_that_the_kernels_do_not_know_closes_it(void)
{
    cache_defaults();
    tunables.cookie_layout = SYNCACHE_LAYOUT_MSS;
    cache_start();
    engine_advance(cache, cache->now_ms + 1);
    EXPECT_TRUE(!cache->quick.open);
}

static const struct test tests[] = {
    TEST(test_shape_has_the_key_and_the_clock_in_force),
    TEST(test_short_way_is_closed_while_no_cookie_can_be_made),
    TEST(test_layout_that_the_kernels_do_not_know_closes_it),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

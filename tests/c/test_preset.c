/* Engines made to measure, and the tunables of a slow host. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

static void
test_config_fits_and_one_more_entry_would_not(void)
{
    for (size_t bytes = 1024; bytes <= 64u << 20; bytes += bytes / 3) {
        struct syncache_config fit;

        if (!syncache_config_fit(&fit, bytes)) {
            EXPECT_TRUE(bytes < sizeof(struct syncache) + 4096);
            continue;
        }
        EXPECT_TRUE(syncache_size(&fit) > 0 && syncache_size(&fit) <= bytes);
        EXPECT_EQ(fit.hashsize * fit.bucketlimit, fit.cachelimit);
        EXPECT_EQ(0, fit.established_max);
        EXPECT_TRUE(fit.replay_entries > 0);
        if (bytes > 256 * 1024) /* three quarters of it are entries */
            EXPECT_TRUE(fit.cachelimit * sizeof(struct table_entry) * 4 >
                        bytes * 3);
        struct syncache_config more = fit;
        more.bucketlimit++;
        EXPECT_TRUE(fit.bucketlimit == 62 || syncache_size(&more) > bytes);
    }
}

static void
test_engine_made_to_measure_serves(void)
{
    cache_defaults();
    EXPECT_TRUE(syncache_config_fit(&config, 64 * 1024));
    syncache_tunables_host(&tunables);
    EXPECT_EQ(50, tunables.rexmit_rate);
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, reply.seq));
}

static void
test_tunables_of_a_host_are_the_defaults_but_for_one(void)
{
    /* Whatever was there before. */
    struct syncache_tunables usual, host;

    memset(&usual, 0, sizeof usual);
    memset(&host, 0, sizeof host);
    syncache_tunables_default(&usual);
    host.syncookies = 77;
    syncache_tunables_host(&host);
    EXPECT_TRUE(host.rexmit_rate != usual.rexmit_rate);
    host.rexmit_rate = usual.rexmit_rate;
    EXPECT_EQ(0, memcmp(&usual, &host, sizeof usual));
}

static const struct test tests[] = {
    TEST(test_config_fits_and_one_more_entry_would_not),
    TEST(test_engine_made_to_measure_serves),
    TEST(test_tunables_of_a_host_are_the_defaults_but_for_one),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

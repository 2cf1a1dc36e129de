/* A SYN for a tuple that has an entry: the same again, or with another ISN. */
#include "cache.h"

static void
test_syn_received_rcv_same_syn_answers_within_its_limit(void)
{
    /* departure 6: as many answers as allowed, timer and budget untouched. */
    cache_defaults();
    tunables.dupsyn_limit = 2;
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    uint64_t deadline = first_entry().deadline_ms;
    now += 100;
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN, send_syn(1));
    EXPECT_EQ(iss, reply.seq);
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN, send_syn(1));
    EXPECT_EQ(SYNCACHE_DROP_DUPSYN_LIMIT, send_syn(1));
    EXPECT_EQ(3, stats()->sc_dupsyn);
    EXPECT_EQ(1, stats()->sc_added);
    EXPECT_EQ(deadline, first_entry().deadline_ms);
    EXPECT_EQ(1, first_entry().rxmits);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_syn_received_rcv_same_syn_freebsd_restarts_the_budget(void)
{
    /* Statement 20: next timer a second later, three more retransmissions. */
    cache_defaults();
    tunables.dupsyn_limit = 0;
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    now += 1000;
    EXPECT_EQ(1, poll_now());
    now += 500;
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN, send_syn(1));
    EXPECT_EQ(iss, reply.seq);
    EXPECT_EQ(now + 1000, first_entry().deadline_ms);
    EXPECT_EQ(1, first_entry().rxmits);
    EXPECT_EQ(1, stats()->sc_dupsyn);
    for (uint32_t i = 1; i < 300; i++) /* more than a byte counts */
        EXPECT_EQ(SYNCACHE_REPLY_DUPSYN, send_syn(1));
}

static void
test_syn_received_rcv_same_syn_renews_or_ends_timestamps(void)
{
    /* Statement 22. */
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    (void)send_seg((struct seg){.peer = 1,
                                .flags = SYN,
                                .seq = peer_irs(1),
                                .options = syn_options(777),
                                .options_size = 20});
    EXPECT_EQ(777, load32_be(reply_option(8) + 4));
    (void)send_syn_plain(1);
    EXPECT_TRUE(reply_option(8) == NULL);
    EXPECT_TRUE(reply_option(3) != NULL);
    (void)send_syn(1);
    EXPECT_TRUE(reply_option(8) == NULL);
}

static void
test_syn_received_rcv_other_isn_is_answered_without_touching_it(void)
{
    /* departure 6: both handshakes can complete, by whoever knows the ISS. */
    struct seg other = {.peer = 1, .flags = SYN, .seq = 77};
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    struct syncache_half_open before = first_entry();
    EXPECT_EQ(SYNCACHE_REPLY_OTHER_ISN, send_seg(other));
    EXPECT_EQ(78, reply.ack);
    EXPECT_TRUE(reply.seq != iss);
    struct syncache_half_open after = first_entry();
    EXPECT_BYTES((const uint8_t *)&before, (const uint8_t *)&after,
                 sizeof before);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_syn_received_rcv_other_isn_without_cookies_renews_nothing(void)
{
    /* departure 6: the entry's own SYN-ACK, with what its own SYN said. */
    cache_defaults();
    tunables.syncookies = 0;
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN,
              send_seg((struct seg){.peer = 1,
                                    .flags = SYN,
                                    .seq = 77,
                                    .options = syn_options(999),
                                    .options_size = 20}));
    EXPECT_EQ(iss, reply.seq);
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
    EXPECT_EQ(500, load32_be(reply_option(8) + 4));
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN,
              send_seg((struct seg){.peer = 1, .flags = SYN, .seq = 77}));
    EXPECT_EQ(500, load32_be(reply_option(8) + 4));
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_syn_received_rcv_other_isn_freebsd_acks_the_old_one(void)
{
    /* Statement 21: the RST that this draws removes the entry. */
    cache_defaults();
    tunables.dupsyn_limit = 0;
    cache_start();
    (void)send_syn(1);
    EXPECT_EQ(SYNCACHE_REPLY_DUPSYN,
              send_seg((struct seg){.peer = 1, .flags = SYN, .seq = 77}));
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_reset);
}

static const struct test tests[] = {
    TEST(test_syn_received_rcv_same_syn_answers_within_its_limit),
    TEST(test_syn_received_rcv_same_syn_freebsd_restarts_the_budget),
    TEST(test_syn_received_rcv_same_syn_renews_or_ends_timestamps),
    TEST(test_syn_received_rcv_other_isn_is_answered_without_touching_it),
    TEST(test_syn_received_rcv_other_isn_without_cookies_renews_nothing),
    TEST(test_syn_received_rcv_other_isn_freebsd_acks_the_old_one),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

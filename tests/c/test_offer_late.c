/* Offers that end by something else than their own answer: their entries end. */
#include "cache.h"

/* Polls once a second for longer than any entry lives. */
static void
poll_for_long(void)
{
    for (int i = 0; i < 60; i++) {
        now += 1000;
        (void)poll_now();
    }
}

/* Peer 1's handshake from this ISN is offered. */
static struct syncache_conn
start_offered(uint32_t irs)
{
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK,
              send_seg((struct seg){.peer = 1, .flags = SYN, .seq = irs}));
    EXPECT_EQ(
        SYNCACHE_ACCEPT_CACHE,
        send_seg((struct seg){
            .peer = 1, .flags = ACK, .seq = irs + 1, .ack = reply.seq + 1}));
    return result.conn;
}

static void
test_offered_then_opened_by_the_stack_entry_expires(void)
{
    /* The tuple is the stack's, so nobody will answer the offer. */
    struct syncache_tuple tuple;
    cache_defaults();
    cache_start();
    (void)start_offered(5);
    tuple = peer_tuple(1);
    EXPECT_TRUE(syncache_opened(cache, &tuple, 9));
    EXPECT_EQ(1, syncache_count(cache));
    poll_for_long();
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_stale);
}

static void
test_offered_again_and_the_first_accepted_late_entry_expires(void)
{
    /* The second offer is refused, and that is too late as well. */
    struct syncache_conn first;
    struct syncache_conn second;
    cache_defaults();
    cache_start();
    first = start_offered(5);
    poll_for_long();
    EXPECT_EQ(1, stats()->offer_timeout);
    second = start_offered(77);
    syncache_accepted(cache, &first, 6, true);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, second.iss));
    EXPECT_EQ(6, result.handle);
    syncache_accepted(cache, &second, 7, false);
    EXPECT_EQ(1, syncache_count(cache));
    poll_for_long();
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_aborted);
}

static const struct test tests[] = {
    TEST(test_offered_then_opened_by_the_stack_entry_expires),
    TEST(test_offered_again_and_the_first_accepted_late_entry_expires),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* How long a TFO request is pending, and what a sender in another's name can do
 * about it (RFC 7413 5.1). */
#include "cache.h"

/* MSS, then a TFO option with a cookie, padded. */
static uint8_t options[16] = {2, 4, 5, 180, 34, 10, [14] = 1, 1};

static enum syncache_verdict
send_fastopen(uint32_t peer)
{
    return send_seg((struct seg){.peer = peer,
                                 .flags = SYN,
                                 .seq = peer_irs(peer),
                                 .options = options,
                                 .options_size = 16,
                                 .payload_size = 50});
}

/* Puts the peer's cookie into its options; its entry is gone. */
static void
take_cookie(uint32_t peer)
{
    memset(options + 6, 0, 8);
    (void)send_fastopen(peer);
    memcpy(options + 6, reply_option(34), 8);
    (void)send_rst(peer, peer_irs(peer) + 1);
}

/* Peer 1's request is accepted, and one more is none too many. */
static uint32_t
start_pending(void)
{
    cache_defaults();
    tunables.fastopen_server_enable = 1;
    endpoint.fastopen = 1;
    cache_start();
    take_cookie(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1));
    syncache_accepted(cache, &result.conn, 6, true);
    return result.conn.iss;
}

static uint64_t
pending(void)
{
    return cache->endpoints.slots[endpoint_number].fastopen_pending;
}

static void
test_request_is_pending_until_an_ack_within_a_syns_window(void)
{
    /* Blind, one ACK in 65,536 settles it; half of all are after the ISS. */
    static const struct {
        uint32_t offset;
        uint64_t pending;
    } rows[] = {{0, 1},     {1, 0},          {65537, 0},
                {65538, 1}, {0x7fffffff, 1}, {0xffffffff, 1}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint32_t iss = start_pending();
        EXPECT_EQ(1, pending());
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss + rows[i].offset - 1));
        EXPECT_EQ(rows[i].pending, pending());
    }
}

static void
test_each_request_is_settled_once(void)
{
    /* The second ACK of one connection does not settle another's request. */
    cache_defaults();
    tunables.fastopen_server_enable = 1;
    endpoint.fastopen = 8;
    cache_start();
    for (uint32_t peer = 1; peer <= 2; peer++) {
        take_cookie(peer);
        EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(peer));
        syncache_accepted(cache, &result.conn, peer, true);
    }
    uint32_t iss = result.conn.iss;
    EXPECT_EQ(2, pending());
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(2, iss));
        EXPECT_EQ(1, pending());
    }
}

static void
test_request_whose_connection_is_gone_is_pending_for_a_minute(void)
{
    /* RFC 7413 5.1: a RST of a host in whose name the SYN was sent. */
    struct syncache_tuple tuple;
    (void)start_pending();
    tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(1, pending());
    now += 59999;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1));
    EXPECT_EQ(1, pending());
    (void)send_rst(1, peer_irs(1) + 1);
    now += 1;
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1));
    EXPECT_EQ(1, pending());
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(1, reply.seq));
    EXPECT_EQ(0, pending());
}

static void
test_acknowledged_request_whose_connection_is_gone_is_not_pending(void)
{
    /* An ordinary connection that ended. */
    struct syncache_tuple tuple;
    uint32_t iss = start_pending();
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
    tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(0, pending());
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1));
}

static void
test_acknowledged_offer_that_times_out_owes_a_rst(void)
{
    /* Data of the SYN was acknowledged, whether or not the peer has said so. */
    cache_defaults();
    tunables.fastopen_server_enable = 1;
    endpoint.fastopen = 1;
    cache_start();
    take_cookie(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1));
    uint32_t iss = reply.seq;
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(1, iss));
    now += tunables.offer_timeout_ms;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(iss + 1, reply.seq);
    EXPECT_EQ(0, pending());
}

static void
test_request_of_the_slots_last_endpoint_is_not_the_next_ones(void)
{
    /* It ended with its endpoint; a connection may last longer. */
    struct syncache_tuple tuple;
    (void)start_pending();
    syncache_unlisten(cache, endpoint_number);
    endpoint.lport = 81;
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
    EXPECT_EQ(0, endpoint_number);
    tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(0, pending());
    EXPECT_EQ(0, cache->endpoints.slots[0].fastopen_abandoned);
}

static const struct test tests[] = {
    TEST(test_request_is_pending_until_an_ack_within_a_syns_window),
    TEST(test_each_request_is_settled_once),
    TEST(test_request_whose_connection_is_gone_is_pending_for_a_minute),
    TEST(test_acknowledged_request_whose_connection_is_gone_is_not_pending),
    TEST(test_acknowledged_offer_that_times_out_owes_a_rst),
    TEST(test_request_of_the_slots_last_endpoint_is_not_the_next_ones),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

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

static const struct test tests[] = {
    TEST(test_request_is_pending_until_an_ack_within_a_syns_window),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* TFO on the passive side: cookies, pending requests, data on the SYN. */
#include "cache.h"

#include "../../csrc/core/derive.h"

/* MSS, then a TFO option with cookie_size bytes, padded. */
static uint8_t options[16];

static uint16_t
fastopen_options(const uint8_t *cookie, uint8_t cookie_size)
{
    uint16_t size = (uint16_t)((4 + 2 + cookie_size + 3) / 4 * 4);
    memset(options, 1, sizeof options);
    memcpy(options, (const uint8_t[]){2, 4, 5, 180, 34}, 5);
    options[5] = (uint8_t)(2 + cookie_size);
    if (cookie_size > 0)
        memcpy(options + 6, cookie, cookie_size);
    return size;
}

static enum syncache_verdict
send_fastopen(uint32_t peer, const uint8_t *cookie, uint8_t cookie_size)
{
    uint16_t size = fastopen_options(cookie, cookie_size);
    return send_seg((struct seg){.peer = peer,
                                 .flags = SYN,
                                 .seq = peer_irs(peer),
                                 .options = options,
                                 .options_size = size,
                                 .payload_size = 50});
}

static uint8_t cookie[8];

/* Peer 1 has asked for a cookie, which is in `cookie`; its entry is gone. */
static void
start_fastopen(uint32_t pending)
{
    tunables.fastopen_server_enable = 1;
    endpoint.fastopen = pending;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1, NULL, 0));
    memcpy(cookie, reply_option(34), 8);
    (void)send_rst(1, peer_irs(1) + 1);
}

static void
test_listen_syn_asking_for_a_cookie_gets_one_and_no_more(void)
{
    /* RFC 7413 4.1.2: data is not acknowledged without a cookie. */
    cache_defaults();
    tunables.fastopen_server_enable = 1;
    endpoint.fastopen = 4;
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1, NULL, 0));
    EXPECT_TRUE(reply_option(34) != NULL);
    EXPECT_EQ(10, reply_option(34)[-1]);
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
    EXPECT_EQ(1, stats()->fastopen_cookies);
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_TRUE(reply_option(34) == NULL);
}

static void
test_listen_syn_with_its_cookie_is_accepted_with_its_data(void)
{
    /* Nothing is cached; the SYN-ACK acknowledges the data. */
    cache_defaults();
    start_fastopen(4);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
    EXPECT_EQ(SYN | ACK, reply.flags);
    EXPECT_EQ(peer_irs(1) + 51, reply.ack);
    EXPECT_EQ(SYNCACHE_VIA_FASTOPEN, result.conn.via);
    EXPECT_EQ(reply.seq, result.conn.iss);
    EXPECT_EQ(50, result.conn.payload_size);
    EXPECT_EQ(29200, result.conn.snd_wnd);
    EXPECT_EQ(0, syncache_count(cache));
    syncache_accepted(cache, &result.conn, 6, true);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, reply.seq));
    EXPECT_EQ(6, result.handle);
}

static void
test_listen_syn_with_a_wrong_cookie_takes_the_long_way(void)
{
    /* Another peer's, one bit wrong, and one too short; a right one comes. */
    cache_defaults();
    start_fastopen(4);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(2, cookie, 8));
    EXPECT_TRUE(reply_option(34) != NULL);
    uint8_t wrong[8];
    memcpy(wrong, cookie, 8);
    wrong[7] ^= 1;
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1, wrong, 8));
    EXPECT_BYTES(cookie, reply_option(34), 8);
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
    EXPECT_EQ(2, stats()->fastopen_refused);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(3, cookie, 4));
    EXPECT_EQ(2, stats()->fastopen_refused);
}

static void
test_pending_requests_are_bounded_until_acknowledged(void)
{
    /* RFC 7413 5.1: beyond the bound the option is not looked at. */
    cache_defaults();
    start_fastopen(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
    uint32_t iss = reply.seq;
    syncache_accepted(cache, &result.conn, 0, true);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(2, NULL, 0));
    uint8_t second[8];
    memcpy(second, reply_option(34), 8);
    (void)send_rst(2, peer_irs(2) + 1);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(2, second, 8));
    EXPECT_TRUE(reply_option(34) == NULL);
    (void)send_rst(2, peer_irs(2) + 1);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss - 1));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(2, second, 8));
    (void)send_rst(2, peer_irs(2) + 1);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(2, second, 8));
}

static void
test_pending_request_ends_when_refused(void)
{
    /* A refusal owes a RST: data of the SYN was acknowledged. */
    cache_defaults();
    start_fastopen(1);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
        uint32_t iss = reply.seq;
        syncache_accepted(cache, &result.conn, 0, false);
        EXPECT_EQ(1, poll_now());
        EXPECT_EQ(RST, reply.flags);
        EXPECT_EQ(iss + 1, reply.seq);
    }
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
}

static void
test_without_known_table_acceptance_ends_pending(void)
{
    /* established_max 0: no later segment is seen. */
    cache_defaults();
    config.established_max = 0;
    start_fastopen(1);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
        syncache_accepted(cache, &result.conn, 0, i != 1);
    }
}

static void
test_fastopen_off_ignores_the_option(void)
{
    /* By tunable, and by endpoint in both ways. */
    for (uint32_t i = 0; i < 3; i++) {
        cache_defaults();
        tunables.fastopen_server_enable = i > 0;
        endpoint.fastopen = i == 1 ? 0 : 4;
        endpoint.options = i != 2;
        cache_start();
        EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1, NULL, 0));
        EXPECT_TRUE(reply_option(34) == NULL);
        EXPECT_EQ(0, stats()->fastopen_cookies);
    }
}

static void
test_listen_syn_with_its_cookie_negotiates_as_any_syn(void)
{
    /* RFC 7323 2.2: the window of a SYN is not scaled; its TSval is recent. */
    uint8_t both[40];
    memcpy(both, syn_options(500), 20);
    cache_defaults();
    start_fastopen(4);
    uint16_t size = fastopen_options(cookie, 8);
    memcpy(both + 20, options + 4, size - 4u);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN,
              send_seg((struct seg){.peer = 1,
                                    .flags = SYN,
                                    .seq = peer_irs(1),
                                    .options = both,
                                    .options_size = (uint16_t)(16 + size)}));
    EXPECT_EQ(7, result.conn.snd_wscale);
    EXPECT_EQ(29200, result.conn.snd_wnd);
    EXPECT_EQ(500, result.conn.ts_recent);
}

static void
test_listen_syn_without_key_is_accepted_with_a_clocked_iss(void)
{
    /* TFO does not need SYN cookies. */
    cache_defaults();
    tunables.syncookies = 0;
    start_fastopen(4);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
    EXPECT_EQ(0, stats()->sc_sendcookie);
    struct syncache_tuple tuple = peer_tuple(1);
    EXPECT_EQ(derive_isn(cache->iss_key, &tuple, cache->now_ms),
              result.conn.iss);
}

static void
test_known_table_full_takes_the_long_way(void)
{
    /* What cannot be offered is cached, its data not acknowledged. */
    struct syncache_tuple other = peer_tuple(9);
    cache_defaults();
    config.established_max = 1;
    start_fastopen(4);
    EXPECT_TRUE(syncache_opened(cache, &other, 3));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_fastopen(1, cookie, 8));
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
}

static void
test_pending_request_is_settled_by_an_ack_alone(void)
{
    /* RFC 7413 4.2: neither by a SYN again nor by a RST. */
    cache_defaults();
    start_fastopen(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
    syncache_accepted(cache, &result.conn, 0, true);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_fastopen(1, cookie, 8));
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_rst(1, peer_irs(1) + 1));
    EXPECT_EQ(1, cache->endpoints.slots[endpoint_number].fastopen_pending);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, result.conn.iss));
    EXPECT_EQ(1, cache->endpoints.slots[endpoint_number].fastopen_pending);
}

static void
test_request_refused_twice_is_settled_once(void)
{
    /* Without the table of known tuples a stack may say it again. */
    cache_defaults();
    config.established_max = 0;
    start_fastopen(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_FASTOPEN, send_fastopen(1, cookie, 8));
    struct syncache_conn conn = result.conn;
    syncache_accepted(cache, &conn, 0, false);
    syncache_accepted(cache, &conn, 0, false);
    EXPECT_EQ(0, cache->endpoints.slots[endpoint_number].fastopen_pending);
}

static const struct test tests[] = {
    TEST(test_listen_syn_asking_for_a_cookie_gets_one_and_no_more),
    TEST(test_listen_syn_with_its_cookie_is_accepted_with_its_data),
    TEST(test_listen_syn_with_a_wrong_cookie_takes_the_long_way),
    TEST(test_pending_requests_are_bounded_until_acknowledged),
    TEST(test_pending_request_ends_when_refused),
    TEST(test_without_known_table_acceptance_ends_pending),
    TEST(test_fastopen_off_ignores_the_option),
    TEST(test_listen_syn_with_its_cookie_negotiates_as_any_syn),
    TEST(test_listen_syn_without_key_is_accepted_with_a_clocked_iss),
    TEST(test_known_table_full_takes_the_long_way),
    TEST(test_pending_request_is_settled_by_an_ack_alone),
    TEST(test_request_refused_twice_is_settled_once),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

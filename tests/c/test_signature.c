/* Signed handshakes (RFC 2385) in every event: what is unsigned or signed with
 * another key has no effect, and every answer is signed. */
#include "cache.h"

static const uint8_t key[] = "shared";
static uint8_t options[20] = {19, 18};
static uint32_t iss;

/* Sends a segment signed with key[0 .. key_size). */
static enum syncache_verdict
send_signed(struct seg seg, size_t key_size)
{
    struct syncache_tuple tuple = peer_tuple(seg.peer);
    seg.options = options;
    seg.options_size = sizeof options;
    options[18] = 1;
    uint32_t size = seg_build(&seg, cache_packet);
    wire_md5(&tuple, true, cache_packet + 20, size - 20, key, key_size,
             options + 2);
    return send_seg(seg);
}

static void
expect_reply_signed(void)
{
    struct syncache_tuple tuple = peer_tuple(1);
    uint8_t digest[16];
    wire_md5(&tuple, false, result.reply + 20, result.reply_size - 20, key,
             sizeof key, digest);
    EXPECT_TRUE(reply_option(19) != NULL);
    EXPECT_BYTES(digest, reply_option(19), 16);
}

/* Peer 1 has a key and sent a signed SYN. */
static void
start_signed(void)
{
    struct syncache_tuple tuple = peer_tuple(1);
    cache_start();
    EXPECT_TRUE(syncache_md5_key(cache, endpoint_number, 4, tuple.faddr, key,
                                 sizeof key));
    EXPECT_EQ(
        tunables.syncookies_only ? SYNCACHE_REPLY_SYN_COOKIE
                                 : SYNCACHE_REPLY_SYN_ACK,
        send_signed((struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)},
                    sizeof key));
    expect_reply_signed();
    iss = reply.seq;
}

static struct seg
final_ack(void)
{
    return (struct seg){
        .peer = 1, .flags = ACK, .seq = peer_irs(1) + 1, .ack = iss + 1};
}

static void
test_syn_received_rcv_rst_must_be_signed(void)
{
    /* RFC 2385 2.0: an attacker's RST is what the option is there against. */
    struct seg rst = {.peer = 1, .flags = RST, .seq = peer_irs(1) + 1};
    cache_defaults();
    start_signed();
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_seg(rst));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_signed(rst, sizeof key - 1));
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_DROP_RST, send_signed(rst, sizeof key));
    EXPECT_EQ(0, syncache_count(cache));
}

static void
test_syn_received_rcv_rst_in_window_is_challenged_signed(void)
{
    /* RFC 5961 3.2 and RFC 2385 together. */
    cache_defaults();
    start_signed();
    EXPECT_EQ(SYNCACHE_REPLY_CHALLENGE_ACK,
              send_signed(
                  (struct seg){.peer = 1, .flags = RST, .seq = peer_irs(1) + 9},
                  sizeof key));
    expect_reply_signed();
}

static void
test_syn_received_rcv_ack_must_be_signed(void)
{
    /* The entry stays for the ACK that is. */
    cache_defaults();
    start_signed();
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_seg(final_ack()));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_signed(final_ack(), sizeof key - 1));
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_signed(final_ack(), sizeof key));
    EXPECT_EQ(1, result.conn.md5);
}

static void
test_syn_received_unsigned_rcv_signed_ack_without_key_is_dropped(void)
{
    /* Nobody can say whether it is right. */
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_signed(final_ack(), sizeof key));
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(final_ack()));
    EXPECT_EQ(0, result.conn.md5);
}

static void
test_cookie_ack_that_is_signed_must_be_signed_right(void)
{
    /* A cookie restores that the handshake was signed from the ACK itself. */
    cache_defaults();
    tunables.syncookies_only = 1;
    start_signed();
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_signed(final_ack(), sizeof key - 1));
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_signed(final_ack(), sizeof key));
    EXPECT_EQ(1, result.conn.md5);
}

static const struct test tests[] = {
    TEST(test_syn_received_rcv_rst_must_be_signed),
    TEST(test_syn_received_rcv_rst_in_window_is_challenged_signed),
    TEST(test_syn_received_rcv_ack_must_be_signed),
    TEST(test_syn_received_unsigned_rcv_signed_ack_without_key_is_dropped),
    TEST(test_cookie_ack_that_is_signed_must_be_signed_right),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

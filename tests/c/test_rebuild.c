/* The SYN of a completed handshake, as a stack that takes only SYNs needs it. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

/* Completes peer 3's handshake, which result.conn then holds. */
static void
connect_peer(const uint8_t *options, uint16_t size, uint16_t flags)
{
    struct seg syn = {.peer = 3,
                      .flags = (uint16_t)(SYN | flags),
                      .seq = peer_irs(3),
                      .options = options,
                      .options_size = size};

    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_seg(syn));
    struct seg ack = {.peer = 3,
                      .flags = ACK,
                      .seq = peer_irs(3) + 1,
                      .ack = reply.seq + 1,
                      .options = ts_option(777, 0)};
    if (reply_option(8) != NULL)
        ack.options_size = 12;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_seg(ack));
}

static void
rebuild(uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    uint32_t size = syncache_syn_packet(&result.conn, packet);

    EXPECT_TRUE(size >= 40 && size <= SYNCACHE_REPLY_MAX);
    reply_read(packet, size);
}

static void
test_syn_packet_is_the_peers_with_what_was_agreed(void)
{
    for (family = 4; family <= 6; family += 2) {
        uint8_t packet[SYNCACHE_REPLY_MAX];
        uint8_t address[16];
        uint8_t f = family;

        cache_defaults();
        family = f;
        connect_peer(syn_options(500), 20, WIRE_ECE | WIRE_CWR);
        rebuild(packet);
        peer_address(3, address);
        EXPECT_BYTES(address, reply.saddr, 16);
        own_address(address);
        EXPECT_BYTES(address, reply.daddr, 16);
        EXPECT_EQ(CACHE_PEER_PORT, reply.sport);
        EXPECT_EQ(CACHE_PORT, reply.dport);
        EXPECT_EQ(SYN | WIRE_ECE | WIRE_CWR, reply.flags);
        EXPECT_EQ(peer_irs(3), reply.seq);
        EXPECT_EQ(0, reply.payload_size);
        EXPECT_EQ(65535, reply.window); /* 29200 << 7 */
        EXPECT_EQ(f == 4 ? 1460 : 1440, load16_be(reply_option(2)));
        EXPECT_EQ(7, reply_option(3)[0]);
        EXPECT_TRUE(reply_option(4) != NULL);
        EXPECT_EQ(777, reply_tsval());
        EXPECT_EQ(f == 4 ? 20 : 40, syncache_tcp_offset(packet));
        EXPECT_EQ(f, syncache_destination(packet, address));
        EXPECT_BYTES(reply.daddr, address, f == 4 ? 4 : 16);
        EXPECT_EQ(f, syncache_source(packet, address));
        EXPECT_BYTES(reply.saddr, address, f == 4 ? 4 : 16);
        family = f;
    }
}

static void
test_syn_packet_leaves_out_what_was_not_agreed(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];

    cache_defaults();
    connect_peer(syn_options(0), 4, 0);
    rebuild(packet);
    EXPECT_EQ(SYN, reply.flags);
    EXPECT_EQ(4, reply.options_size);
    EXPECT_EQ(29200, reply.window);
}

static void
test_syn_packet_given_again_is_an_ordinary_syn(void)
{
    /* Another engine takes it as it would have taken the peer's own. */
    uint8_t packet[SYNCACHE_REPLY_MAX];

    cache_defaults();
    connect_peer(syn_options(500), 20, 0);
    uint32_t size = syncache_syn_packet(&result.conn, packet);
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_packet(packet, size));
    EXPECT_EQ(peer_irs(3) + 1, reply.ack);
}

static void
test_syn_segment_is_the_packet_without_its_ip_header(void)
{
    for (uint8_t f = 4; f <= 6; f += 2) {
        uint8_t packet[SYNCACHE_REPLY_MAX], segment[SYNCACHE_REPLY_MAX];

        cache_defaults();
        family = f;
        connect_peer(syn_options(500), 20, 0);
        uint32_t size = syncache_syn_packet(&result.conn, packet);
        uint32_t header = f == 4 ? 20 : 40;
        EXPECT_EQ(size - header, syncache_syn_segment(&result.conn, segment));
        EXPECT_BYTES(packet + header, segment, size - header);
    }
}

static const struct test tests[] = {
    TEST(test_syn_packet_is_the_peers_with_what_was_agreed),
    TEST(test_syn_packet_leaves_out_what_was_not_agreed),
    TEST(test_syn_packet_given_again_is_an_ordinary_syn),
    TEST(test_syn_segment_is_the_packet_without_its_ip_header),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* The packets that the events send, as bytes and fields. */
#include "cache.h"

#include "../../csrc/core/event.h"

static uint8_t packet[SYNCACHE_REPLY_MAX];

/* An entry of peer 1 as a test wants it. */
static struct table_entry
entry_with(uint16_t flags)
{
    struct syncache_tuple tuple = peer_tuple(1);
    struct table_entry entry = {.irs = 100,
                                .iss = 0xabcde123,
                                .tsreflect = 500,
                                .fport = tuple.fport,
                                .lport = tuple.lport,
                                .scales = 7 << 4 | 6};
    memcpy(entry.faddr, tuple.faddr, 16);
    memcpy(entry.laddr, tuple.laddr, 16);
    entry.flags = (uint16_t)(flags | (family == 6 ? ENTRY_V6 : 0));
    return entry;
}

static void
test_syn_ack_lengths_follow_what_was_negotiated(void)
{
    /* FreeBSD's order and padding of options. */
    static const struct {
        uint16_t flags;
        uint16_t size;
    } rows[] = {{0, 4},
                {ENTRY_WINSCALE, 8},
                {ENTRY_SACK, 8},
                {ENTRY_WINSCALE | ENTRY_SACK, 12},
                {ENTRY_TIMESTAMP, 16},
                {ENTRY_SACK | ENTRY_TIMESTAMP, 16},
                {ENTRY_WINSCALE | ENTRY_TIMESTAMP, 20},
                {ENTRY_WINSCALE | ENTRY_SACK | ENTRY_TIMESTAMP, 20}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        cache_start();
        struct table_entry entry = entry_with(rows[i].flags);
        reply_read(packet, respond_syn_ack(cache, &entry, NULL, packet));
        EXPECT_EQ(rows[i].size, reply.options_size);
    }
}

static void
test_syn_ack_v6_carries_a_flow_label_of_its_iss(void)
{
    /* 20 bits of it. */
    cache_defaults();
    family = 6;
    cache_start();
    struct table_entry entry = entry_with(0);
    reply_read(packet, respond_syn_ack(cache, &entry, NULL, packet));
    EXPECT_EQ(0xde123, reply.flow_label);
    EXPECT_EQ(1440, load16_be(reply_option(2)));
}

static void
test_df_follows_path_mtu_discovery_and_unreach(void)
{
    /* Statement 29 and section 2, in SYN-ACKs and challenge ACKs alike. */
    for (uint32_t i = 0; i < 4; i++) {
        cache_defaults();
        tunables.path_mtu_discovery = i & 1;
        cache_start();
        struct table_entry entry = entry_with(i & 2 ? ENTRY_UNREACH : 0);
        reply_read(packet, respond_syn_ack(cache, &entry, NULL, packet));
        EXPECT_EQ(i == 1, reply.dont_fragment);
        EXPECT_EQ(0, reply.ip_id);
        reply_read(packet, respond_challenge_ack(cache, &entry, packet));
        EXPECT_EQ(i == 1, reply.dont_fragment);
    }
}

static void
test_challenge_ack_has_no_ecn_and_no_syn_options(void)
{
    /* Spec 3.2 and 3.6: timestamps if negotiated, nothing else. */
    cache_defaults();
    cache_start();
    struct table_entry entry = entry_with(ENTRY_TIMESTAMP | ENTRY_WINSCALE |
                                          ENTRY_SACK | 1 << ENTRY_ECN_SHIFT);
    reply_read(packet, respond_challenge_ack(cache, &entry, packet));
    EXPECT_EQ(ACK, reply.flags);
    EXPECT_EQ(12, reply.options_size);
    EXPECT_EQ(500, load32_be(reply_option(8) + 4));
    EXPECT_EQ(65535, reply.window);
    EXPECT_EQ(1, stats()->challenge_acks);
}

static void
test_rst_uses_the_endpoint_or_defaults(void)
{
    /* Hop limit and TOS, without the ECN bits. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    endpoint.tos = 0x2b;
    cache_start();
    reply_read(packet, respond_rst_owed(cache, &tuple, 7, packet));
    EXPECT_EQ(61, reply.hop_limit);
    EXPECT_EQ(0x28, reply.tos);
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(7, reply.seq);
    EXPECT_EQ(0, reply.options_size);
    tuple.lport = 81;
    reply_read(packet, respond_rst_owed(cache, &tuple, 7, packet));
    EXPECT_EQ(64, reply.hop_limit);
    EXPECT_EQ(0, reply.tos);
    EXPECT_EQ(2, stats()->rst_sent);
    EXPECT_EQ(2, stats()->sndtotal);
}

/* RSTs of ACKs at one time from a prefix, none of which has a connection. */
static uint32_t
refused(uint32_t prefix, uint32_t acks)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < acks; i++) {
        struct syncache_fields fields = {.sport = (uint16_t)(1000 + i),
                                         .dport = CACHE_PORT,
                                         .family = family,
                                         .hop_limit = 55,
                                         .flags = ACK};
        own_address(fields.daddr);
        store32_be(fields.saddr, 0x20000000 + (prefix << 8) + i % 256);
        if (family == 6) {
            store32_be(fields.saddr, 0x20010000 + (prefix >> 16));
            store32_be(fields.saddr + 4, prefix << 16 | i);
        }
        count +=
            send_packet(cache_packet,
                        syncache_build(&fields, NULL, NULL,
                                       SYNCACHE_CHECKSUM_VALID, cache_packet,
                                       CACHE_PACKET_MAX)) == SYNCACHE_REPLY_RST;
    }
    return count;
}

static void
test_rsts_to_a_prefix_are_limited_and_their_number_is_drawn(void)
{
    uint32_t lowest = UINT32_MAX, highest = 0;

    cache_defaults();
    cache_start();
    uint64_t start = (now / 1024 + 1) * 1024;
    for (uint32_t i = 0; i < 50; i++) {
        now = start + 1024 * i;
        uint32_t count = refused(1, 300);
        lowest = count < lowest ? count : lowest;
        highest = count > highest ? count : highest;
        now += 1023;
        EXPECT_EQ(0, refused(1, 300));
    }
    EXPECT_TRUE(lowest >= 200 && highest <= 215 && lowest < highest);
    EXPECT_EQ(50 * 600,
              stats()->rst_sent + stats()->verdicts[SYNCACHE_DROP_RST_LIMIT]);
    tunables.rst_limit = 3;
    cache_tune();
    now += 1;
    EXPECT_TRUE(refused(1, 300) <= 3 + 15);
    tunables.rst_limit = 0;
    cache_tune();
    EXPECT_EQ(300, refused(1, 300));
}

/* Two prefixes share a place one second in 1,024. */
static void
test_rsts_to_a_prefix_leave_those_to_another(void)
{
    uint32_t without = 0;

    cache_defaults();
    cache_start();
    for (uint32_t i = 0; i < 20; i++) {
        now += 1024;
        (void)refused(1, 300);
        without += refused(2 + i, 10) < 10;
        without += refused(70000 + i, 10) < 10;
    }
    EXPECT_TRUE(without <= 2);
}

/* From everywhere each draws its own; what a second brings at most is known. */
static void
test_rsts_to_all_prefixes_have_a_bound(void)
{
    uint32_t count = 0;

    cache_defaults();
    tunables.rst_limit = 2;
    cache_start();
    now = (now / 1024 + 1) * 1024;
    for (uint32_t prefix = 0; prefix < 40000; prefix++)
        count += refused(prefix, 1);
    EXPECT_TRUE(count >= 2 * 1024 && count <= (2 + 15) * 1024);
}

static const struct test tests[] = {
    TEST(test_syn_ack_lengths_follow_what_was_negotiated),
    TEST(test_syn_ack_v6_carries_a_flow_label_of_its_iss),
    TEST(test_df_follows_path_mtu_discovery_and_unreach),
    TEST(test_challenge_ack_has_no_ecn_and_no_syn_options),
    TEST(test_rst_uses_the_endpoint_or_defaults),
    TEST(test_rsts_to_a_prefix_are_limited_and_their_number_is_drawn),
    TEST(test_rsts_to_a_prefix_leave_those_to_another),
    TEST(test_rsts_to_all_prefixes_have_a_bound),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

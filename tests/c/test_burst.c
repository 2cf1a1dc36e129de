/* A ring of packets is the same packets one by one, up to the room in tx. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

static struct cache_ring rx;

static void
rx_push(const uint8_t *packet, uint32_t size, uint16_t link_size)
{
    uint32_t index = rx.ring.count++;
    uint8_t *slot = rx.memory + index * CACHE_RING_SLOT_SIZE;
    memset(slot, (int)(0x30 + index), link_size);
    memcpy(slot + link_size, packet, size);
    rx.slot[index] =
        (struct syncache_slot){.size = size, .link_size = link_size};
}

static void
rx_push_seg(struct seg seg, uint16_t link_size)
{
    rx_push(cache_packet, seg_build(&seg, cache_packet), link_size);
}

static void
start_rings(uint32_t tx_slots)
{
    cache_start();
    ring_reset(&rx, CACHE_RING_SLOTS);
    ring_reset(&tx, tx_slots);
}

static void
test_burst_answers_in_order_behind_the_link_header(void)
{
    /* A reply names its request and has its link header and checksums. */
    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    rx_push_seg((struct seg){.peer = 1, .flags = SYN, .seq = 5}, 14);
    rx_push_seg((struct seg){.peer = 2, .flags = RST}, 14);
    rx_push_seg((struct seg){.peer = 3, .flags = SYN, .seq = 6}, 18);
    EXPECT_EQ(3, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(3, rx.ring.next);
    EXPECT_EQ(0, rx.ring.passed_count);
    EXPECT_EQ(SYNCACHE_DROP_RST_NO_ENTRY, rx.slot[1].verdict);
    EXPECT_EQ(2, tx.ring.count);
    EXPECT_EQ(0, tx.slot[0].request);
    EXPECT_EQ(2, tx.slot[1].request);
    EXPECT_EQ(18, tx.slot[1].link_size);
    EXPECT_EQ(SYNCACHE_CHECKSUM_VALID, tx.slot[1].checksum);
    EXPECT_BYTES(rx.memory + 2 * CACHE_RING_SLOT_SIZE,
                 tx.memory + CACHE_RING_SLOT_SIZE, 18);
    reply_read(tx.memory + CACHE_RING_SLOT_SIZE + 18, tx.slot[1].size);
    EXPECT_EQ(7, reply.ack);
}

static void
test_burst_lists_what_belongs_to_the_stack(void)
{
    /* Its own segments with their handle, and what completed a handshake. */
    struct syncache_tuple tuple = peer_tuple(9);
    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    EXPECT_TRUE(syncache_opened(cache, &tuple, 77));
    rx_push_seg((struct seg){.peer = 2, .flags = SYN}, 0);
    rx_push_seg((struct seg){.peer = 9, .flags = ACK, .payload_size = 3}, 0);
    rx_push_seg((struct seg){.peer = 1,
                             .flags = ACK,
                             .seq = peer_irs(1) + 1,
                             .ack = iss + 1,
                             .payload_size = 4},
                0);
    EXPECT_EQ(3, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(2, rx.ring.passed_count);
    EXPECT_EQ(1, rx.passed[0]);
    EXPECT_EQ(2, rx.passed[1]);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, rx.slot[1].verdict);
    EXPECT_EQ(77, rx.slot[1].handle);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, rx.slot[2].verdict);
    EXPECT_EQ(iss, rx.conn[2].iss);
    EXPECT_EQ(4, rx.conn[2].payload_size);
}

static void
test_burst_stops_before_the_reply_that_has_no_room(void)
{
    /* Nothing of that packet has happened, and the next call goes on there. */
    cache_defaults();
    start_rings(1);
    rx_push_seg((struct seg){.peer = 1, .flags = SYN}, 0);
    rx_push(cache_packet, 10, 0);
    rx_push_seg((struct seg){.peer = 2, .flags = SYN}, 0);
    EXPECT_EQ(2, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(2, rx.ring.next);
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(1, stats()->rcvtotal);
    EXPECT_EQ(0, syncache_burst(cache, now, &rx.ring, &tx.ring));
    ring_reset(&tx, 1);
    EXPECT_EQ(1, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(2, syncache_count(cache));
    EXPECT_EQ(2, tx.slot[0].request);
}

static void
test_burst_never_writes_beyond_a_slot(void)
{
    /* A link header that leaves too little of a slot counts as no room. */
    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    tx.ring.slot_size = SYNCACHE_REPLY_MAX;
    rx_push_seg((struct seg){.peer = 1, .flags = SYN}, 14);
    EXPECT_EQ(0, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(0, tx.ring.count);
}

/* A packet out of everything that can happen, some of it broken. */
static uint32_t
random_packet(const uint32_t *iss, uint8_t *packet)
{
    static const uint16_t flags[] = {SYN, SYN, SYN,       ACK,       ACK,
                                     ACK, RST, SYN | ACK, SYN | RST, FIN};
    uint32_t peer = 1 + (uint32_t)test_random_below(12);
    struct seg seg = {.peer = peer,
                      .flags = flags[test_random_below(TEST_COUNT(flags))],
                      .seq = peer_irs(peer)};
    if (test_random_below(8) == 0)
        seg.seq += (uint32_t)test_random_below(3) - 1;
    if (seg.flags & (ACK | RST))
        seg.seq++;
    if (seg.flags & ACK)
        seg.ack = iss[peer] + 1 + (test_random_below(8) == 0);
    if (seg.flags & SYN) {
        seg.options = syn_options((uint32_t)test_random());
        seg.options_size = test_random_below(3) == 0 ? 4 : 20;
    }
    if (test_random_below(6) == 0)
        seg.payload_size = (uint32_t)test_random_below(20);
    if (test_random_below(20) == 0)
        seg.dport = 81;
    uint32_t size = seg_build(&seg, packet);
    if (test_random_below(20) == 0)
        packet[test_random_below(size)] ^=
            (uint8_t)(1 + test_random_below(255));
    if (test_random_below(40) == 0)
        size = (uint32_t)test_random_below(size);
    return size;
}

#define MIX_PACKETS 4000

static uint8_t mix_bytes[MIX_PACKETS][256];
static uint32_t mix_size[MIX_PACKETS];
static uint8_t mix_verdict[MIX_PACKETS];
static struct syncache_conn mix_conn[MIX_PACKETS];
static uint8_t mix_reply[MIX_PACKETS][SYNCACHE_REPLY_MAX];
static uint32_t mix_reply_size[MIX_PACKETS];

static void
start_mix(uint32_t syncookies_only)
{
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 6;
    config.cachelimit = 6;
    tunables.syncookies_only = syncookies_only;
    cache_start();
}

/* One by one: notes the packets and everything that came of them. */
static void
mix_single(void)
{
    uint32_t iss[13] = {0};
    for (uint32_t i = 0; i < MIX_PACKETS; i++) {
        mix_size[i] = random_packet(iss, mix_bytes[i]);
        now = 10000 + i / 40 * 50;
        mix_verdict[i] = (uint8_t)send_packet(mix_bytes[i], mix_size[i]);
        mix_reply_size[i] = result.reply_size;
        memcpy(mix_reply[i], result.reply, result.reply_size);
        mix_conn[i] = result.conn;
        if (mix_verdict[i] == SYNCACHE_REPLY_SYN_ACK ||
            mix_verdict[i] == SYNCACHE_REPLY_SYN_COOKIE)
            iss[(reply.ack - 1) / 1000 % 13] = reply.seq;
    }
}

/* The same through rings of forty, with little room for replies. */
static void
mix_burst(void)
{
    for (uint32_t first = 0; first < MIX_PACKETS; first += 40) {
        now = 10000 + first / 40 * 50;
        ring_reset(&rx, CACHE_RING_SLOTS);
        for (uint32_t i = 0; i < 40; i++)
            rx_push(mix_bytes[first + i], mix_size[first + i], 0);
        while (rx.ring.next < 40) {
            ring_reset(&tx, 7);
            uint32_t from = rx.ring.next;
            uint32_t done = syncache_burst(cache, now, &rx.ring, &tx.ring);
            EXPECT_TRUE(done > 0 && rx.ring.next == from + done);
            for (uint32_t k = 0; k < tx.ring.count; k++) {
                uint32_t i = first + tx.slot[k].request;
                EXPECT_EQ(mix_reply_size[i], tx.slot[k].size);
                EXPECT_BYTES(mix_reply[i], tx.memory + k * CACHE_RING_SLOT_SIZE,
                             tx.slot[k].size);
                mix_reply_size[i] = 0;
            }
        }
        for (uint32_t i = 0; i < 40; i++) {
            EXPECT_EQ(mix_verdict[first + i], rx.slot[i].verdict);
            EXPECT_EQ(0, mix_reply_size[first + i]);
            if (syncache_kind(mix_verdict[first + i]) == SYNCACHE_ACCEPT)
                EXPECT_BYTES((uint8_t *)&mix_conn[first + i],
                             (uint8_t *)&rx.conn[i], sizeof rx.conn[i]);
        }
    }
}

static void
test_burst_equals_single_packets_bit_by_bit(void)
{
    /* A random mix, cache and cookies; counters too. */
    for (uint32_t only = 0; only <= 1; only++) {
        start_mix(only);
        mix_single();
        struct syncache_stats single = *stats();
        uint32_t count = syncache_count(cache);
        EXPECT_TRUE(single.verdicts[SYNCACHE_REPLY_RST] > 0);
        EXPECT_TRUE(single.verdicts[SYNCACHE_ACCEPT_CACHE] +
                        single.verdicts[SYNCACHE_ACCEPT_COOKIE] >
                    0);
        start_mix(only);
        mix_burst();
        EXPECT_BYTES((const uint8_t *)&single, (const uint8_t *)stats(),
                     sizeof single);
        EXPECT_EQ(count, syncache_count(cache));
    }
}

static void
test_burst_longer_than_a_stage_answers_all_of_it(void)
{
    /* SYNCACHE_BURST_MAX at a time, as if it were one. */
    enum { COUNT = SYNCACHE_BURST_MAX + 3 };
    static struct syncache_slot slots[COUNT];
    static struct syncache_conn conns[COUNT];
    static uint32_t passed[COUNT];
    static uint8_t memory[COUNT * 128];
    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    rx.ring = (struct syncache_ring){.memory = memory,
                                     .slot = slots,
                                     .conn = conns,
                                     .passed = passed,
                                     .slots = COUNT,
                                     .slot_size = 128,
                                     .count = COUNT};
    for (uint32_t i = 0; i < COUNT; i++)
        slots[i].size =
            seg_build(&(struct seg){.peer = 1, .flags = RST}, memory + i * 128);
    EXPECT_EQ(COUNT, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(COUNT, stats()->verdicts[SYNCACHE_DROP_RST_NO_ENTRY]);
}

static void
test_burst_with_tx_full_goes_on_over_what_draws_no_reply(void)
{
    /* Another host's packet, and a known tuple's; an owed RST needs room. */
    struct syncache_tuple tuple = peer_tuple(9);
    cache_defaults();
    endpoint.family = 4;
    own_address(endpoint.laddr);
    tunables.rst_on_sock_fail = 1;
    start_rings(1);
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    syncache_accepted(cache, &result.conn, 0, false);
    EXPECT_TRUE(syncache_opened(cache, &tuple, 77));
    rx_push_seg((struct seg){.peer = 2, .flags = SYN}, 0);
    rx_push_seg((struct seg){.peer = 9, .flags = ACK}, 0);
    struct syncache_fields elsewhere = {.saddr = {192, 0, 2, 3},
                                        .daddr = {198, 51, 100, 10},
                                        .family = 4,
                                        .hop_limit = 9,
                                        .flags = SYN,
                                        .dport = CACHE_PORT};
    rx_push(cache_packet,
            (uint32_t)syncache_build(&elsewhere, NULL, NULL,
                                     SYNCACHE_CHECKSUM_VALID, cache_packet,
                                     CACHE_PACKET_MAX),
            0);
    rx_push_seg((struct seg){.peer = 1, .flags = ACK, .ack = iss + 1}, 0);
    EXPECT_EQ(3, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, rx.slot[1].verdict);
    EXPECT_EQ(SYNCACHE_PASS_NOT_OURS, rx.slot[2].verdict);
    ring_reset(&tx, 1);
    EXPECT_EQ(1, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(SYNCACHE_REPLY_RST, rx.slot[3].verdict);
}

static void
test_burst_describes_what_belongs_to_the_stack(void)
{
    /* Values of the segment, places in the packet; padding is not payload. */
    static const uint8_t options[] = {
        1, 1, 8, 10, 0, 0, 0,  7,  0, 0, 0, 9, 1, 1, 5, 10, 0, 0, 0, 1,
        0, 0, 0, 2,  1, 1, 19, 18, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0};
    struct syncache_arrival arrival[2];
    struct syncache_tuple tuple = peer_tuple(9);
    struct seg seg = {.peer = 9,
                      .flags = ACK,
                      .seq = 5,
                      .ack = 6,
                      .options = options,
                      .options_size = 24,
                      .payload_size = 3,
                      .tos = 2,
                      .window = 77};
    cache_defaults();
    endpoint.family = 4;
    own_address(endpoint.laddr);
    start_rings(CACHE_RING_SLOTS);
    memset(arrival, 0xff, sizeof arrival);
    rx.ring.arrival = arrival;
    EXPECT_TRUE(syncache_opened(cache, &tuple, 77));
    rx_push_seg((struct seg){.peer = 1, .flags = SYN}, 14);
    rx_push(cache_packet, seg_build(&seg, cache_packet) + 6, 14);
    rx_push((const uint8_t *)"nothing", 7, 14);
    EXPECT_EQ(3, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(1, rx.ring.passed_count);
    EXPECT_EQ(1, arrival[0].slot);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, arrival[0].verdict);
    EXPECT_EQ(77, arrival[0].handle);
    EXPECT_EQ(CACHE_RING_SLOT_SIZE + 14, arrival[0].place);
    EXPECT_EQ(rx.slot[1].size, arrival[0].size);
    EXPECT_EQ(0, memcmp(&tuple, &arrival[0].tuple, sizeof tuple));
    EXPECT_EQ(1, arrival[0].is_tcp);
    EXPECT_EQ(5, arrival[0].seq);
    EXPECT_EQ(6, arrival[0].ack);
    EXPECT_EQ(ACK, arrival[0].flags);
    EXPECT_EQ(77, arrival[0].window);
    EXPECT_EQ(2, arrival[0].ecn);
    EXPECT_EQ(1, arrival[0].timestamps);
    EXPECT_EQ(7, arrival[0].tsval);
    EXPECT_EQ(9, arrival[0].tsecr);
    EXPECT_EQ(1, arrival[0].sack_count);
    EXPECT_EQ(arrival[0].tcp + 20 + 16, arrival[0].sack);
    EXPECT_EQ(0, arrival[0].md5);
    EXPECT_EQ(20, arrival[0].tcp);
    EXPECT_EQ(arrival[0].tcp + 44, arrival[0].payload);
    EXPECT_EQ(3, arrival[0].payload_size);
    EXPECT_EQ(0xff, arrival[1].verdict);
    seg.options_size = sizeof options;
    ring_reset(&rx, CACHE_RING_SLOTS);
    rx.ring.arrival = arrival;
    rx_push_seg(seg, 0);
    EXPECT_EQ(1, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(0, arrival[0].md5);
    EXPECT_EQ(1, arrival[0].sack_count);
}

static void
test_burst_trusts_the_checksums_that_its_link_vouches_for(void)
{
    /* Each SYN by its own slot: every other one is wrong, and vouched for. */
    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    for (uint32_t i = 0; i < 8; i++) {
        rx_push_seg((struct seg){.peer = i + 1, .flags = SYN}, 0);
        rx.memory[i * CACHE_RING_SLOT_SIZE + 20 + 16] ^= i & 1;
        rx.slot[i].checksum =
            i & 2 ? SYNCACHE_CHECKSUM_VALID : SYNCACHE_CHECKSUM_VERIFY;
    }
    EXPECT_EQ(8, syncache_burst(cache, now, &rx.ring, &tx.ring));
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQ((i & 3) == 1 ? SYNCACHE_DROP_CHECKSUM
                               : SYNCACHE_REPLY_SYN_ACK,
                  rx.slot[i].verdict);
}

static void
test_burst_describes_icmp_and_what_it_quotes(void)
{
    /* The message is the payload; an error has the tuple that it quotes. */
    static const uint8_t error[] = {
        69,  0, 0,   56,  0,   0, 0,  0,  64,  1,   124, 194, 203, 0,
        113, 1, 192, 0,   2,   1, 3,  4,  109, 239, 0,   0,   5,   120,
        69,  0, 5,   220, 0,   0, 0,  0,  64,  6,   0,   0,   192, 0,
        2,   1, 198, 51,  100, 7, 18, 52, 0,   80,  255, 255, 255, 240};
    static const uint8_t echo[] = {
        69, 0, 0, 33, 0, 0,   0,   0,  64, 1, 124, 217, 203, 0,   113, 1,  192,
        0,  2, 1, 8,  0, 161, 248, 18, 52, 0, 1,   104, 101, 108, 108, 111};
    static const uint8_t udp[] = {69,  0,   0,   28, 0,   0, 0,   0, 64, 17,
                                  124, 206, 203, 0,  113, 1, 192, 0, 2,  1,
                                  0,   5,   0,   6,  0,   8, 0,   0};
    struct syncache_arrival arrival[3];

    cache_defaults();
    start_rings(CACHE_RING_SLOTS);
    rx.ring.arrival = arrival;
    memset(arrival, 0xff, sizeof arrival);
    rx_push(error, sizeof error, 14);
    rx_push(echo, sizeof echo, 0);
    rx_push(udp, sizeof udp, 0);
    EXPECT_EQ(3, syncache_burst(cache, now, &rx.ring, &tx.ring));
    EXPECT_EQ(3, rx.ring.passed_count);
    for (size_t i = 0; i < TEST_COUNT(arrival); i++) {
        EXPECT_EQ(0, arrival[i].is_tcp);
        EXPECT_EQ(4, arrival[i].tuple.family);
        EXPECT_EQ(i == 0 ? 198 : 203, arrival[i].tuple.faddr[0]);
        EXPECT_EQ(i == 2 ? 0 : 20, arrival[i].payload);
    }
    EXPECT_EQ(SYNCACHE_PASS_ICMP, arrival[0].verdict);
    EXPECT_EQ(80, arrival[0].tuple.fport);
    EXPECT_EQ(4660, arrival[0].tuple.lport);
    EXPECT_EQ(0xfffffff0, arrival[0].seq);
    EXPECT_EQ(3, arrival[0].icmp_type);
    EXPECT_EQ(4, arrival[0].icmp_code);
    EXPECT_EQ(8 + 28, arrival[0].payload_size);
    EXPECT_EQ(1400, arrival[0].mtu);
    EXPECT_EQ(SYNCACHE_PASS_NOT_TCP, arrival[1].verdict);
    EXPECT_EQ(0, arrival[1].tuple.fport);
    EXPECT_EQ(8, arrival[1].icmp_type);
    EXPECT_EQ(0, arrival[1].icmp_code);
    EXPECT_EQ(13, arrival[1].payload_size);
    EXPECT_EQ(0, arrival[1].mtu);
    EXPECT_EQ(0, arrival[1].seq);
    EXPECT_EQ(SYNCACHE_PASS_NOT_TCP, arrival[2].verdict);
}

static void
test_burst_answers_each_address_as_its_own_endpoint_says(void)
{
    /* Beside one of every address, one of the peers' with another window. */
    for (family = 4; family <= 6; family += 2) {
        uint32_t number;
        uint8_t of = family;
        cache_defaults();
        family = of;
        start_rings(CACHE_RING_SLOTS);
        struct syncache_endpoint other = endpoint;
        struct syncache_tuple tuple = peer_tuple(1);
        other.family = family;
        memcpy(other.laddr, tuple.laddr, 16);
        other.rcv_wnd = 4096;
        EXPECT_TRUE(syncache_listen(cache, &other, &number));
        for (uint32_t i = 0; i < 8; i++)
            rx_push_seg((struct seg){.peer = 1 + i,
                                     .flags = SYN,
                                     .options = syn_options(1),
                                     .options_size = 20},
                        0);
        EXPECT_EQ(8, syncache_burst(cache, now, &rx.ring, &tx.ring));
        EXPECT_EQ(8, tx.ring.count);
        for (uint32_t i = 0; i < 8; i++) {
            reply_read(tx.memory + i * CACHE_RING_SLOT_SIZE, tx.slot[i].size);
            EXPECT_EQ(4096, reply.window);
        }
    }
    family = 4;
}

static const struct test tests[] = {
    TEST(test_burst_answers_in_order_behind_the_link_header),
    TEST(test_burst_lists_what_belongs_to_the_stack),
    TEST(test_burst_stops_before_the_reply_that_has_no_room),
    TEST(test_burst_never_writes_beyond_a_slot),
    TEST(test_burst_equals_single_packets_bit_by_bit),
    TEST(test_burst_longer_than_a_stage_answers_all_of_it),
    TEST(test_burst_with_tx_full_goes_on_over_what_draws_no_reply),
    TEST(test_burst_describes_what_belongs_to_the_stack),
    TEST(test_burst_trusts_the_checksums_that_its_link_vouches_for),
    TEST(test_burst_describes_icmp_and_what_it_quotes),
    TEST(test_burst_answers_each_address_as_its_own_endpoint_says),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

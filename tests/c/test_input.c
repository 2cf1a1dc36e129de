/* Whose a packet is, and that it is counted once. */
#include "packet.h"

#include "../../csrc/syncache_host.h"

#include "cache.h"

static const uint8_t families[] = {4, 6};

static void
expect_verdicts_sum(uint64_t expected)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SYNCACHE_VERDICT_COUNT; i++)
        sum += stats()->verdicts[i];
    EXPECT_EQ(expected, sum);
}

static void
test_each_packet_counts_one_verdict(void)
{
    /* Whatever it was. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(2, 9));
    EXPECT_EQ(SYNCACHE_DROP_TRUNCATED, send_packet(cache_packet, 10));
    EXPECT_EQ(1, stats()->verdicts[SYNCACHE_REPLY_SYN_ACK]);
    EXPECT_EQ(1, stats()->verdicts[SYNCACHE_REPLY_RST]);
    EXPECT_EQ(1, stats()->verdicts[SYNCACHE_DROP_TRUNCATED]);
    expect_verdicts_sum(3);
    EXPECT_EQ(2, stats()->rcvtotal);
}

static void
test_listen_rcv_segment_without_syn_or_ack_is_silent(void)
{
    /* Statements 38 and 39. */
    static const struct {
        uint16_t flags;
        enum syncache_verdict verdict;
    } rows[] = {{0, SYNCACHE_DROP_NO_SYN},
                {FIN, SYNCACHE_DROP_NO_SYN},
                {WIRE_URG, SYNCACHE_DROP_NO_SYN},
                {SYN | ACK, SYNCACHE_DROP_SYN_ACK}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        cache_defaults();
        cache_start();
        EXPECT_EQ(rows[i].verdict,
                  send_seg((struct seg){.peer = 1, .flags = rows[i].flags}));
        EXPECT_EQ(1, stats()->badsyn);
        EXPECT_EQ(0, result.reply_size);
    }
}

static void
test_syn_received_rcv_syn_ack_keeps_entry(void)
{
    /* Statement 38: silent, and badack stays 0. */
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    EXPECT_EQ(SYNCACHE_DROP_SYN_ACK,
              send_seg((struct seg){
                  .peer = 1, .flags = SYN | ACK, .ack = reply.seq + 1}));
    EXPECT_EQ(1, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_badack);
}

static void
test_closed_port_answers_as_rfc_9293_says(void)
{
    /* 3.10.7.1: by SEG.ACK, or else acknowledging all of it. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_RST,
              send_seg((struct seg){
                  .peer = 1, .dport = 81, .flags = ACK, .ack = 900}));
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(900, reply.seq);
    EXPECT_EQ(64, reply.hop_limit);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_seg((struct seg){.peer = 1,
                                                        .dport = 81,
                                                        .flags = SYN | FIN,
                                                        .seq = 100,
                                                        .payload_size = 7}));
    EXPECT_EQ(RST | ACK, reply.flags);
    EXPECT_EQ(0, reply.seq);
    EXPECT_EQ(109, reply.ack);
    EXPECT_EQ(SYNCACHE_DROP_RST_NO_ENTRY,
              send_seg((struct seg){.peer = 1, .dport = 81, .flags = RST}));
    EXPECT_EQ(2, stats()->rst_sent);
}

static void
test_closed_port_blackhole_levels(void)
{
    /* 1 hushes SYNs, 2 everything; a listener answers until 3. */
    for (uint32_t level = 0; level <= 3; level++) {
        cache_defaults();
        tunables.blackhole = level;
        cache_start();
        EXPECT_EQ(level >= 1 ? SYNCACHE_DROP_BLACKHOLE : SYNCACHE_REPLY_RST,
                  send_seg((struct seg){.peer = 1, .dport = 81, .flags = SYN}));
        EXPECT_EQ(level >= 2 ? SYNCACHE_DROP_BLACKHOLE : SYNCACHE_REPLY_RST,
                  send_seg((struct seg){.peer = 1, .dport = 81, .flags = ACK}));
        EXPECT_EQ(level >= 3 ? SYNCACHE_DROP_BLACKHOLE : SYNCACHE_REPLY_RST,
                  send_ack(1, 9));
    }
}

static void
test_closed_port_passes_if_the_stack_answers(void)
{
    /* established_max 0. */
    cache_defaults();
    config.established_max = 0;
    cache_start();
    EXPECT_EQ(SYNCACHE_PASS_NO_ENDPOINT,
              send_seg((struct seg){.peer = 1, .dport = 81, .flags = SYN}));
}

static void
test_packet_to_another_address_passes(void)
{
    /* An endpoint on one address makes only that one ours. */
    cache_defaults();
    endpoint.family = 4;
    own_address(endpoint.laddr);
    endpoint.laddr[3]++;
    cache_start();
    EXPECT_EQ(SYNCACHE_PASS_NOT_OURS, send_syn(1));
    EXPECT_EQ(0, syncache_count(cache));
}

static void
test_bad_addresses_are_dropped_by_name(void)
{
    /* Statement 39: LAND, group and broadcast. */
    struct syncache_fields fields = {.family = 4,
                                     .hop_limit = 9,
                                     .flags = SYN,
                                     .sport = CACHE_PORT,
                                     .dport = CACHE_PORT};
    static const struct {
        uint32_t saddr;
        uint32_t daddr;
        enum syncache_verdict verdict;
    } rows[] = {{0xc6336409, 0xc6336409, SYNCACHE_DROP_LAND},
                {0xe0000001, 0xc6336409, SYNCACHE_DROP_SOURCE},
                {0, 0xc6336409, SYNCACHE_DROP_SOURCE},
                {0xffffffff, 0xc6336409, SYNCACHE_DROP_SOURCE},
                {0xc0000201, 0xe0000001, SYNCACHE_DROP_DESTINATION},
                {0xc0000201, 0xffffffff, SYNCACHE_DROP_DESTINATION}};
    cache_defaults();
    cache_start();
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        store32_be(fields.saddr, rows[i].saddr);
        store32_be(fields.daddr, rows[i].daddr);
        size_t size =
            syncache_build(&fields, NULL, NULL, SYNCACHE_CHECKSUM_VALID,
                           cache_packet, sizeof cache_packet);
        EXPECT_EQ(rows[i].verdict, send_packet(cache_packet, size));
    }
    EXPECT_EQ(0, syncache_count(cache));
}

/* An ordinary SYN from an address of the form ::x:c000:201. */
static size_t
syn_from_low_address(uint32_t word, uint8_t *packet)
{
    struct syncache_fields fields = {.family = 6,
                                     .hop_limit = 9,
                                     .flags = SYN,
                                     .sport = CACHE_PEER_PORT,
                                     .dport = CACHE_PORT,
                                     .options_size = 20};

    own_address(fields.daddr);
    store32_be(fields.saddr + 8, word);
    store32_be(fields.saddr + 12, 0xc0000201);
    return syncache_build(&fields, syn_options(1), NULL,
                          SYNCACHE_CHECKSUM_VALID, packet, CACHE_PACKET_MAX);
}

static void
test_mapped_address_of_ipv4_is_none_on_the_wire(void)
{
    /* It would speak for a peer of the other family; alone and in a burst. */
    static struct cache_ring rx;
    uint8_t packet[CACHE_PACKET_MAX];

    cache_defaults();
    family = 6;
    cache_start();
    ring_reset(&rx, 8);
    ring_reset(&tx, 8);
    EXPECT_EQ(SYNCACHE_DROP_SOURCE,
              send_packet(packet, syn_from_low_address(0xffff, packet)));
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t *slot = rx.memory + i * CACHE_RING_SLOT_SIZE;
        uint32_t word = i % 2 == 0 ? 0xffff : 0x10000 + i;
        rx.slot[i].size = (uint32_t)syn_from_low_address(word, slot);
    }
    rx.ring.count = 8;
    EXPECT_EQ(8, syncache_burst(cache, now, &rx.ring, &tx.ring));
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQ(i % 2 == 0 ? SYNCACHE_DROP_SOURCE : SYNCACHE_REPLY_SYN_ACK,
                  rx.slot[i].verdict);
    family = 4;
}

static void
test_same_peer_at_two_local_addresses_is_two_entries(void)
{
    /* Statement 53. */
    struct syncache_fields fields;
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    uint32_t size =
        seg_build(&(struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)},
                  cache_packet);
    EXPECT_EQ(
        SYNCACHE_PASS_KNOWN,
        syncache_parse(cache_packet, size, SYNCACHE_CHECKSUM_VERIFY, &fields));
    fields.daddr[3]++;
    fields.options_size = 0;
    size_t other = syncache_build(&fields, NULL, NULL, SYNCACHE_CHECKSUM_VALID,
                                  cache_packet, sizeof cache_packet);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_packet(cache_packet, other));
    EXPECT_EQ(2, syncache_count(cache));
    EXPECT_EQ(0, stats()->sc_dupsyn);
}

static void
test_families_never_match_each_other(void)
{
    /* Statement 54: ::c000:0201 is not 192.0.2.1. */
    struct syncache_fields fields = {.family = 6,
                                     .hop_limit = 9,
                                     .flags = SYN,
                                     .sport = CACHE_PEER_PORT,
                                     .dport = CACHE_PORT};
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    struct syncache_tuple tuple = peer_tuple(1);
    memcpy(fields.saddr, tuple.faddr, 16);
    memcpy(fields.daddr, tuple.laddr, 16);
    size_t size = syncache_build(&fields, NULL, NULL, SYNCACHE_CHECKSUM_VALID,
                                 cache_packet, sizeof cache_packet);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_packet(cache_packet, size));
    EXPECT_EQ(2, syncache_count(cache));
}

static struct packet icmp;

/* An ICMP error that quotes a segment of ours to peer 1. */
static enum syncache_verdict
send_icmp(uint32_t seq)
{
    struct syncache_tuple tuple = peer_tuple(1);
    packet_icmp(&icmp, family, family == 4 ? 3 : 1,
                8 + (family == 4 ? 20 : 40));
    uint8_t *quoted = icmp.bytes + icmp.upper + 8;
    size_t address_size = family == 4 ? 4 : 16;
    size_t address_at = family == 4 ? 12 : 8;
    memcpy(icmp.bytes + address_at + address_size, tuple.laddr, address_size);
    if (family == 4)
        packet_seal_ip(&icmp);
    memcpy(quoted + address_at, tuple.laddr, address_size);
    memcpy(quoted + address_at + address_size, tuple.faddr, address_size);
    uint8_t *tcp = quoted + (family == 4 ? 20 : 40);
    store16_be(tcp, tuple.lport);
    store16_be(tcp + 2, tuple.fport);
    store32_be(tcp + 4, seq);
    packet_seal(&icmp, family == 4 ? 1 : 58, 2);
    return send_packet(icmp.bytes, icmp.size);
}

static void
test_icmp_error_is_consumed_if_it_quotes_a_half_open_tuple(void)
{
    /* Whether its number is right or not; the stack gets all others. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        cache_defaults();
        family = families[i];
        cache_start();
        EXPECT_EQ(SYNCACHE_PASS_ICMP, send_icmp(5));
        (void)send_syn(1);
        uint32_t iss = reply.seq;
        EXPECT_EQ(SYNCACHE_DROP_ICMP, send_icmp(iss));
        EXPECT_EQ(SYNCACHE_DROP_ICMP, send_icmp(iss + 1));
        EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
        EXPECT_EQ(SYNCACHE_PASS_ICMP, send_icmp(iss));
    }
}

static void
test_other_protocols_pass(void)
{
    /* UDP is the stack's. */
    cache_defaults();
    cache_start();
    packet_ip(&icmp, 4, 17, 8);
    EXPECT_EQ(SYNCACHE_PASS_NOT_TCP, send_packet(icmp.bytes, icmp.size));
    EXPECT_EQ(0, stats()->rcvtotal);
}

static void
test_segment_call_gives_what_the_packet_call_gives(void)
{
    /* For stacks that read the IP header themselves. */
    uint32_t iss[2];
    for (int i = 0; i < 2; i++) {
        cache_defaults();
        cache_start();
        uint32_t size =
            seg_build(&(struct seg){.peer = 1,
                                    .flags = SYN | WIRE_CWR | WIRE_ECE,
                                    .seq = 5,
                                    .options = syn_options(500),
                                    .options_size = 20},
                      cache_packet);
        struct syncache_tuple tuple = peer_tuple(1);
        if (i == 0) {
            EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_packet(cache_packet, size));
        } else {
            EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK,
                      syncache_segment(cache, now, 4, tuple.faddr, tuple.laddr,
                                       0, cache_packet + 20, size - 20, 0,
                                       SYNCACHE_CHECKSUM_VERIFY, &result));
            reply_read(result.reply, result.reply_size);
        }
        iss[i] = reply.seq;
        EXPECT_EQ(SYN | ACK | WIRE_ECE, reply.flags);
    }
    EXPECT_EQ(iss[0], iss[1]);
}

static void
test_segment_call_takes_ipv6_and_names_a_fault(void)
{
    /* As the packet call does. */
    cache_defaults();
    family = 6;
    cache_start();
    uint32_t size = seg_build(&(struct seg){.peer = 1, .flags = SYN, .seq = 5},
                              cache_packet);
    struct syncache_tuple tuple = peer_tuple(1);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK,
              syncache_segment(cache, now, 6, tuple.faddr, tuple.laddr, 0,
                               cache_packet + 40, size - 40, 0,
                               SYNCACHE_CHECKSUM_VERIFY, &result));
    reply_read(result.reply, result.reply_size);
    EXPECT_EQ(6, reply.ack);
    EXPECT_EQ(SYNCACHE_DROP_TCP_HEADER,
              syncache_segment(cache, now, 6, tuple.faddr, tuple.laddr, 0,
                               cache_packet + 40, 19, 0,
                               SYNCACHE_CHECKSUM_VERIFY, &result));
}

static const struct test tests[] = {
    TEST(test_each_packet_counts_one_verdict),
    TEST(test_listen_rcv_segment_without_syn_or_ack_is_silent),
    TEST(test_syn_received_rcv_syn_ack_keeps_entry),
    TEST(test_closed_port_answers_as_rfc_9293_says),
    TEST(test_closed_port_blackhole_levels),
    TEST(test_closed_port_passes_if_the_stack_answers),
    TEST(test_packet_to_another_address_passes),
    TEST(test_bad_addresses_are_dropped_by_name),
    TEST(test_mapped_address_of_ipv4_is_none_on_the_wire),
    TEST(test_same_peer_at_two_local_addresses_is_two_entries),
    TEST(test_families_never_match_each_other),
    TEST(test_icmp_error_is_consumed_if_it_quotes_a_half_open_tuple),
    TEST(test_other_protocols_pass),
    TEST(test_segment_call_gives_what_the_packet_call_gives),
    TEST(test_segment_call_takes_ipv6_and_names_a_fault),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

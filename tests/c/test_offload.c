/*
 * Offloads described to the kernel, and done where it cannot: segments are
 * verified by the engine's own parser, which shares no code with them.
 */
#include "test.h"

#include "../../csrc/link/offload.h"

enum {
    PACKET_MAX = 9000,
    RANDOM_PACKETS = 100000,
    ETHERNET = 14,
    TCP_FLAGS = 13
};

static uint8_t packet[PACKET_MAX];

static uint32_t
fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Makes a TCP packet with a checksum of the pseudo header alone. */
static struct syncache_slot
partial_tcp(uint8_t family, uint16_t flags, uint32_t payload_size)
{
    static uint8_t payload[PACKET_MAX], options[12] = {1, 1, 8, 10};
    struct syncache_fields fields = {.saddr = {10, 0, 0, 1},
                                     .daddr = {10, 0, 0, 2},
                                     .sport = 1000,
                                     .dport = 80,
                                     .family = family,
                                     .hop_limit = 64,
                                     .ip_id = 65535,
                                     .seq = 0xffffff00,
                                     .flags = flags,
                                     .options_size = sizeof options,
                                     .payload_size = payload_size};
    test_random_bytes(payload, payload_size);
    size_t size = syncache_build(&fields, options, payload,
                                 SYNCACHE_CHECKSUM_PARTIAL, packet, PACKET_MAX);
    return (struct syncache_slot){.size = (uint32_t)size,
                                  .checksum = SYNCACHE_CHECKSUM_PARTIAL};
}

static void
test_segments_carry_the_payload_with_checksums_of_their_own(void)
{
    /* Sequence numbers go on, FIN and PSH stay with the last, CWR the first. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct syncache_slot slot = partial_tcp(family, 0x99, 2500);
        struct offload_cut cut;
        uint32_t at = 0;
        slot.gso_size = 1000;
        EXPECT_TRUE(offload_cut(&slot, packet, &cut));
        EXPECT_EQ(3, cut.count);
        for (uint32_t i = 0; i < cut.count; i++) {
            uint8_t out[OFFLOAD_HEADERS_MAX + 1000];
            struct syncache_fields fields;
            uint32_t size = offload_segment(&cut, i, out);
            memcpy(out + cut.headers, packet + cut.headers + at, size);
            EXPECT_EQ(SYNCACHE_PASS_KNOWN,
                      syncache_parse(out, cut.headers + size,
                                     SYNCACHE_CHECKSUM_VERIFY, &fields));
            EXPECT_EQ(0xffffff00 + at, fields.seq);
            EXPECT_EQ(size, fields.payload_size);
            EXPECT_EQ(i == 2 ? 0x19 : i == 0 ? 0x90 : 0x10, fields.flags);
            if (family == 4)
                EXPECT_EQ((65535 + i) & 0xffff, fields.ip_id);
            at += size;
        }
        EXPECT_EQ(2500, at);
    }
}

static void
test_packet_without_segments_is_finished_as_one(void)
{
    /* Also one that says gso_size but has no more than one segment. */
    for (uint16_t gso_size = 0; gso_size <= 100; gso_size += 100) {
        struct syncache_slot slot = partial_tcp(4, 0x18, 99);
        struct syncache_fields fields;
        struct offload_cut cut;
        uint8_t out[OFFLOAD_HEADERS_MAX + 99];
        slot.gso_size = gso_size;
        EXPECT_TRUE(offload_cut(&slot, packet, &cut));
        EXPECT_EQ(1, cut.count);
        uint32_t size = offload_segment(&cut, 0, out);
        memcpy(out + cut.headers, packet + cut.headers, size);
        EXPECT_EQ(SYNCACHE_PASS_KNOWN,
                  syncache_parse(out, cut.headers + size,
                                 SYNCACHE_CHECKSUM_VERIFY, &fields));
    }
}

static void
test_udp_is_finished_but_not_cut(void)
{
    /* A sum of zero would say that there is none (RFC 768). */
    static const uint8_t udp[] = {0x45, 0, 0, 30, 0, 0,    0, 0, 64, 17,
                                  0,    0, 0, 0,  0, 0,    0, 0, 0,  0,
                                  0,    0, 0, 0,  0, 0x0a, 0, 0, 0,  0};
    struct syncache_slot slot = {.size = sizeof udp,
                                 .checksum = SYNCACHE_CHECKSUM_PARTIAL};
    struct offload_cut cut;
    uint8_t out[OFFLOAD_HEADERS_MAX];
    EXPECT_TRUE(offload_cut(&slot, udp, &cut));
    offload_segment(&cut, 0, out);
    uint32_t sum = 17 + 10 + 10 + (uint32_t)(out[26] << 8 | out[27]);
    EXPECT_EQ(0xffff, fold(sum));
    uint8_t zero[sizeof udp];
    memcpy(zero, udp, sizeof zero);
    zero[28] = 0xff; /* with 17 and twice 10 it is 0xffff */
    zero[29] = 0xff - 37;
    EXPECT_TRUE(offload_cut(&slot, zero, &cut));
    offload_segment(&cut, 0, out);
    EXPECT_EQ(0xffff, out[26] << 8 | out[27]);
    slot.gso_size = 1;
    EXPECT_TRUE(!offload_cut(&slot, udp, &cut));
}

static void
test_kernel_is_told_where_the_checksum_belongs(void)
{
    /* Both ways, with a link header that it counts and a tag that it does not.
     */
    struct syncache_slot slot = partial_tcp(6, 0x80, 3000);
    struct virtio_net_hdr header;
    slot.gso_size = 1400;
    EXPECT_TRUE(offload_write(&slot, packet, ETHERNET, &header));
    EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, header.flags);
    EXPECT_EQ(ETHERNET + 40, header.csum_start);
    EXPECT_EQ(16, header.csum_offset);
    EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
              header.gso_type);
    EXPECT_EQ(1400, header.gso_size);
    EXPECT_EQ(ETHERNET + 40 + 32, header.hdr_len);

    struct syncache_slot back = {0};
    offload_read(&header, ETHERNET, &back);
    EXPECT_EQ(SYNCACHE_CHECKSUM_PARTIAL, back.checksum);
    EXPECT_EQ(40, back.csum_start);
    EXPECT_EQ(16, back.csum_offset);
    EXPECT_EQ(1400, back.gso_size);
}

static void
test_place_that_the_kernel_told_is_kept(void)
{
    /* A checksum that is neither TCP's nor UDP's goes on as it came. */
    uint8_t sctp[60] = {0x45, [9] = 132};
    struct virtio_net_hdr came = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .csum_start = ETHERNET + 20,
                                  .csum_offset = 8};
    struct virtio_net_hdr goes;
    struct syncache_slot slot = {.size = sizeof sctp};
    struct offload_cut cut;
    offload_read(&came, ETHERNET, &slot);
    EXPECT_TRUE(offload_write(&slot, sctp, ETHERNET, &goes));
    EXPECT_EQ(came.csum_start, goes.csum_start);
    EXPECT_EQ(came.csum_offset, goes.csum_offset);
    EXPECT_TRUE(!offload_cut(&slot, sctp, &cut));
}

static void
test_place_of_a_checksum_is_within_the_packet(void)
{
    /* One that is neither TCP's nor UDP's, which no kernel cuts into segments. */
    for (uint32_t size = 28; size <= 33; size++) {
        uint8_t sctp[40] = {0x45, [9] = 132};
        uint8_t *copy = test_heap_copy(sctp, size);
        struct syncache_slot slot = {.size = size,
                                     .checksum = SYNCACHE_CHECKSUM_PARTIAL,
                                     .csum_start = 20,
                                     .csum_offset = 8};
        struct virtio_net_hdr goes;
        EXPECT_EQ(size >= 30, offload_write(&slot, copy, 0, &goes));
        slot.gso_size = 1;
        EXPECT_TRUE(!offload_write(&slot, copy, 0, &goes));
        free(copy);
    }
}

static void
test_super_segment_of_udp_is_described(void)
{
    static const uint8_t udp[60] = {0x45, [9] = 17};
    struct syncache_slot slot = {.size = sizeof udp,
                                 .checksum = SYNCACHE_CHECKSUM_PARTIAL,
                                 .gso_size = 16};
    struct virtio_net_hdr header;
    EXPECT_TRUE(offload_write(&slot, udp, ETHERNET, &header));
    EXPECT_EQ(5, header.gso_type); /* VIRTIO_NET_HDR_GSO_UDP_L4 */
    EXPECT_EQ(16, header.gso_size);
    EXPECT_EQ(ETHERNET + 28, header.hdr_len);
    EXPECT_EQ(6, header.csum_offset);
}

static void
test_what_the_kernel_does_not_say_is_not_there(void)
{
    /* Whatever the slot said before; a place at the begin of IP is none. */
    struct virtio_net_hdr header = {.gso_size = 9};
    struct syncache_slot slot = {.checksum = SYNCACHE_CHECKSUM_PARTIAL,
                                 .gso_size = 9};
    offload_read(&header, ETHERNET, &slot);
    EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, slot.checksum);
    EXPECT_EQ(0, slot.gso_size);
    header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                     .csum_start = ETHERNET,
                                     .csum_offset = 16};
    offload_read(&header, ETHERNET, &slot);
    EXPECT_EQ(0, slot.csum_start);
    EXPECT_EQ(0, slot.csum_offset);
}

static void
test_headers_have_a_least_and_a_greatest_size(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        struct syncache_slot slot = partial_tcp(4, 0, 1000);
        struct offload_cut cut;
        packet[20 + 12] = (uint8_t)(0x40 + 0x10 * more);
        EXPECT_EQ(more == 1, offload_cut(&slot, packet, &cut));
        slot.csum_start = (uint16_t)(OFFLOAD_HEADERS_MAX - 20 + more);
        slot.csum_offset = 16;
        packet[slot.csum_start + 12] = 0x50;
        EXPECT_EQ(more == 0, offload_cut(&slot, packet, &cut));
    }
}

static void
test_place_within_the_ip_header_is_refused(void)
{
    /* Or in what is no IP packet: its headers would be made of what is not there. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint32_t behind = family == 4 ? 20 : 40;
        struct offload_cut cut;
        for (uint16_t start = 1; start <= behind; start++) {
            struct syncache_slot slot = partial_tcp(family, 0, 1000);
            packet[start + 12] = 0x50;
            slot.csum_start = start;
            slot.csum_offset = 16;
            EXPECT_EQ(start == behind, offload_cut(&slot, packet, &cut));
            packet[0] = 0x10;
            EXPECT_TRUE(!offload_cut(&slot, packet, &cut));
        }
    }
}

static void
test_header_that_the_packet_cuts_is_not_finished(void)
{
    /* The least of it, to the byte. */
    for (uint32_t less = 0; less < 2; less++) {
        struct syncache_slot slot = partial_tcp(4, 0, 0);
        struct offload_cut cut;
        packet[20 + 12] = 0x50;
        slot.size = 40 - less;
        EXPECT_EQ(less == 0, offload_cut(&slot, packet, &cut));
    }
}

static void
test_packet_that_needs_nothing_needs_no_description(void)
{
    /* Whatever it carries; but segments without PARTIAL make no sense. */
    uint8_t other[40] = {0x45, [9] = 50};
    struct syncache_slot slot = {.size = sizeof other,
                                 .checksum = SYNCACHE_CHECKSUM_VALID};
    struct virtio_net_hdr header;
    EXPECT_TRUE(offload_write(&slot, other, 0, &header));
    EXPECT_EQ(0, header.flags);
    slot.gso_size = 10;
    EXPECT_TRUE(!offload_write(&slot, other, 0, &header));
    slot = (struct syncache_slot){.size = sizeof other,
                                  .checksum = SYNCACHE_CHECKSUM_PARTIAL};
    EXPECT_TRUE(!offload_write(&slot, other, 0, &header));
}

static void
test_any_bytes_stay_within_their_packet(void)
{
    /* A frame of another machine may say PARTIAL too; ASan watches the ends. */
    for (int n = 0; n < RANDOM_PACKETS; n++) {
        uint8_t bytes[200], out[OFFLOAD_HEADERS_MAX];
        size_t size = (size_t)test_random_below(sizeof bytes);
        struct syncache_slot slot = {.size = (uint32_t)size,
                                     .checksum = SYNCACHE_CHECKSUM_PARTIAL};
        struct virtio_net_hdr header;
        struct offload_cut cut;
        test_random_bytes(bytes, sizeof bytes);
        bytes[0] = (uint8_t)(n % 2 ? 0x45 : 0x60);
        bytes[n % 2 ? 9 : 6] = n % 4 < 2 ? 6 : 17;
        slot.gso_size = (uint16_t)test_random_below(50);
        if (n % 3 == 0) {
            slot.csum_start = (uint16_t)test_random_below(n % 2 ? 300 : 65536);
            slot.csum_offset = (uint16_t[]){16, 6, 8}[n / 3 % 3];
        }
        uint8_t *copy = test_heap_copy(bytes, size);
        offload_write(&slot, copy, ETHERNET, &header);
        if (offload_cut(&slot, copy, &cut)) {
            uint32_t sum = cut.headers;
            for (uint32_t i = 0; i < cut.count; i++)
                sum += offload_segment(&cut, i, out);
            EXPECT_EQ(size, sum);
        }
        free(copy);
    }
}

static const struct test tests[] = {
    TEST(test_segments_carry_the_payload_with_checksums_of_their_own),
    TEST(test_packet_without_segments_is_finished_as_one),
    TEST(test_udp_is_finished_but_not_cut),
    TEST(test_kernel_is_told_where_the_checksum_belongs),
    TEST(test_place_that_the_kernel_told_is_kept),
    TEST(test_place_of_a_checksum_is_within_the_packet),
    TEST(test_super_segment_of_udp_is_described),
    TEST(test_what_the_kernel_does_not_say_is_not_there),
    TEST(test_headers_have_a_least_and_a_greatest_size),
    TEST(test_place_within_the_ip_header_is_refused),
    TEST(test_header_that_the_packet_cuts_is_not_finished),
    TEST(test_packet_that_needs_nothing_needs_no_description),
    TEST(test_any_bytes_stay_within_their_packet),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Link headers and all that may lie between them and IP: nothing is read beyond
 * a frame. */
#include "encap_row.h"

enum { ROUNDS = 300000 };

static const struct row rows[] = {
    {"BSD loopback", 0, 4, {2}, 4, 0, 0},
    {"SLIP", 8, 16, {0}, 4, 0, 0},
    {"Ethernet, IPv4", 1, 14, {MACS, 8, 0}, 4, 0, 0},
    {"Ethernet, IPv6", 1, 14, {MACS, 0x86, 0xdd}, 6, 0, 0},
    {"802.1Q", 1, 18, {MACS, 0x81, 0, 0, 5, 8, 0}, 4, 0, 0},
    {"0x9100", 1, 18, {MACS, 0x91, 0, 0, 5, 8, 0}, 4, 0, 0},
    {"0x9200", 1, 18, {MACS, 0x92, 0, 0, 5, 8, 0}, 4, 0, 0},
    {"three tags",
     1,
     26,
     {MACS, 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0},
     4,
     0,
     0},
    {"802.1BR", 1, 22, {MACS, 0x89, 0x3f, 0, 0, 0, 0, 0, 0, 8, 0}, 4, 0, 0},
    {"TrustSec", 1, 22, {MACS, 0x89, 9, 1, 1, 0, 1, 0, 9, 8, 0}, 4, 0, 0},
    {"802.1ah", 1, 32, {MACS, 0x88, 0xe7, 0, 0, 0, 1, MACS, 8, 0}, 4, 0, 0},
    {"MPLS, one label", 1, 18, {MACS, 0x88, 0x47, 0, 1, 1, 64}, 4, 0, 0},
    {"MPLS, two labels",
     1,
     22,
     {MACS, 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64},
     6,
     0,
     0},
    {"MPLS, a frame of Ethernet",
     1,
     32,
     {MACS, 0x88, 0x47, 0, 1, 1, 64, MACS, 8, 0},
     4,
     0,
     0},
    {"MPLS, a frame with a tag",
     1,
     36,
     {MACS, 0x88, 0x47, 0, 1, 1, 64, MACS, 0x81, 0, 0, 5, 0x86, 0xdd},
     6,
     0,
     0},
    {"MPLS, a control word and a frame",
     1,
     36,
     {MACS, 0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 9, MACS, 8, 0},
     4,
     0,
     0},
    {"MPLS, a control word and a frame with two tags",
     1,
     44,
     {MACS, 0x88, 0x47, 0, 1, 1,    64, 0, 0, 0, 9,
      MACS, 0x88, 0xa8, 0, 5, 0x81, 0,  0, 6, 8, 0},
     4,
     0,
     0},
    {"MPLS without IP",
     1,
     19,
     {MACS, 0x88, 0x48, 0, 1, 1, 64, 0},
     4,
     ENCAP_MPLS,
     0},
    {"PPPoE, IPv4",
     1,
     22,
     {MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x21},
     4,
     0,
     0},
    {"PPPoE, IPv6",
     1,
     22,
     {MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x57},
     6,
     0,
     0},
    {"PPPoE, LCP",
     1,
     22,
     {MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0xc0, 0x21},
     4,
     ENCAP_PPP,
     0xc021},
    {"PPPoE behind a tag",
     1,
     26,
     {MACS, 0x81, 0, 0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x21},
     4,
     0,
     0},
    {"SNAP", 1, 22, {MACS, 0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 4, 0, 0},
    {"SNAP, then a tag",
     1,
     26,
     {MACS, 0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0, 0, 5, 8, 0},
     4,
     0,
     0},
    {"SNAP, 802.1H",
     1,
     22,
     {MACS, 0, 50, 0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0},
     4,
     0,
     0},
    {"SNAP of a vendor",
     1,
     22,
     {MACS, 0, 50, 0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0},
     4,
     ENCAP_SNAP,
     0x2000},
    {"SNAP of the vendor of one bit",
     1,
     22,
     {MACS, 0, 50, 0xaa, 0xaa, 3, 1, 0, 0, 8, 0},
     4,
     ENCAP_SNAP,
     0x0800},
    {"NSH, IPv4", 1, 38, {MACS, 0x89, 0x4f, 0, 6, 1, 1}, 4, 0, 0},
    {"NSH of an unknown kind",
     1,
     38,
     {MACS, 0x89, 0x4f, 0, 6, 1, 9},
     4,
     ENCAP_ETHERTYPE,
     0x894f},
    {"TRILL with many options",
     1,
     54,
     {MACS, 0x22, 0xf3, 1, 0x40, 0, 1, 0, 2, [40] = MACS, 8, 0},
     4,
     0,
     0},
    {"TRILL with an option",
     1,
     38,
     {MACS, 0x22, 0xf3, 0, 0x40, 0, 1, 0, 2, 0, 0, 0, 0, MACS, 8, 0},
     4,
     0,
     0},
    {"LLC, IP", 1, 17, {MACS, 0, 50, 6, 6, 3}, 4, 0, 0},
    {"LLC, NLPID", 1, 18, {MACS, 0, 50, 0xfe, 0xfe, 3, 0xcc}, 4, 0, 0},
    {"spanning tree", 1, 17, {MACS, 0, 38, 0x42, 0x42, 3}, 4, ENCAP_LLC, 0x42},
    {"a tag, then 802.3",
     1,
     26,
     {MACS, 0x81, 0, 0, 5, 0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0},
     4,
     0,
     0},
    {"ARP", 1, 14, {MACS, 8, 6}, 4, ENCAP_ETHERTYPE, 0x0806},
    {"ARP in a VLAN",
     1,
     18,
     {MACS, 0x81, 0, 0, 5, 8, 6},
     4,
     ENCAP_ETHERTYPE,
     0x0806},
    {"version 5", 1, 14, {MACS, 8, 0}, 5, ENCAP_VERSION, 5},
    {"PPP", 9, 2, {0, 0x21}, 4, 0, 0},
    {"PPP with address and control", 9, 4, {0xff, 3, 0, 0x57}, 6, 0, 0},
    {"PPP, compressed protocol", 50, 1, {0x21}, 4, 0, 0},
    {"PPP, MPLS", 50, 8, {0xff, 3, 2, 0x81, 0, 1, 1, 64}, 4, 0, 0},
    {"PPPoE session", 51, 8, {0x11, 0, 0, 1, 0, 9, 0, 0x21}, 4, 0, 0},
    {"FDDI", 10, 21, {0x50, MACS, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 4, 0, 0},
    {"ATM", 100, 8, {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 4, 0, 0},
    {"raw, BSD", 12, 0, {0}, 4, 0, 0},
    {"raw, OpenBSD", 14, 0, {0}, 6, 0, 0},
    {"raw", 101, 0, {0}, 6, 0, 0},
    {"Cisco HDLC", 104, 4, {0x0f, 0, 8, 0}, 4, 0, 0},
    {"Cisco HDLC, SLARP",
     104,
     4,
     {0x0f, 0, 0x80, 0x35},
     4,
     ENCAP_ETHERTYPE,
     0x8035},
    {"OpenBSD loopback", 108, 4, {0, 0, 0, 24}, 6, 0, 0},
    {"OpenBSD encapsulated IP", 109, 12, {2}, 4, 0, 0},
    {"cooked", 113, 16, {[14] = 8, 0}, 4, 0, 0},
    {"cooked, tag", 113, 20, {[14] = 0x81, 0, 0, 5, 8, 0}, 4, 0, 0},
    {"cooked, service tag", 113, 20, {[14] = 0x88, 0xa8, 0, 5, 8, 0}, 4, 0, 0},
    {"cooked, tag too early",
     113,
     20,
     {[12] = 0x81, 0, 0, 5, 0, 0, 8, 0},
     4,
     0,
     0},
    {"cooked, tag for type", 113, 18, {[14] = 0, 5, 8, 0}, 4, 0, 0},
    {"cooked, LLC", 113, 24, {[15] = 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 4, 0, 0},
    {"cooked, a tag that looks like a type",
     113,
     18,
     {[14] = 0x81, 0, 8, 0},
     4,
     ENCAP_ETHERTYPE,
     0x4000},
    {"cooked 2", 276, 20, {8, 0}, 4, 0, 0},
    {"cooked 2, tag", 276, 24, {0x81, 0, [20] = 0, 5, 8, 0}, 4, 0, 0},
    {"cooked 2, two tags",
     276,
     28,
     {0x88, 0xa8, [20] = 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd},
     6,
     0,
     0},
    {"pf log, 61 bytes", 117, 64, {61, 2}, 4, 0, 0},
    {"pf log, 48 bytes", 117, 48, {48, 24}, 6, 0, 0},
    {"IEEE 1394", 138, 18, {[16] = 8, 0}, 4, 0, 0},
    {"pppd", 166, 4, {0xff, 3, 0, 0x21}, 4, 0, 0},
    {"PPP with direction", 204, 3, {1, 0, 0x21}, 4, 0, 0},
    {"IPv4", 228, 0, {0}, 4, 0, 0},
    {"IPv6", 229, 0, {0}, 6, 0, 0},
    {"netfilter log",
     239,
     16,
     {2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0, 44, 0, 9, 0},
     4,
     0,
     0},
    {"netANALYZER", 240, 18, {[16] = 8, 0}, 4, 0, 0},
    {"netANALYZER with preamble", 241, 26, {[24] = 8, 0}, 4, 0, 0},
    {"InfiniBand", 242, 44, {[40] = 8, 0}, 4, 0, 0},
    {"mPackets", 274, 22, {[20] = 8, 0}, 4, 0, 0},
    {"unknown", 147, 4, {8}, 4, ENCAP_LINKTYPE, 147},
};

static void
test_each_way_to_ip_is_followed(void)
{
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        expect_row(&rows[i]);
}

static void
test_a_netfilter_log_is_in_the_byte_order_of_its_machine(void)
{
    /* Lengths of a big-endian one. */
    static const uint8_t frame[] = {10, 0, 0, 0, 0, 8, 0, 1,   8,
                                    0,  0, 0, 0, 9, 0, 9, 0x60};
    struct encap found = encap_frame(239, frame, sizeof frame, true);
    EXPECT_EQ(ENCAP_NONE, found.reason);
    EXPECT_EQ(16, found.offset);
}

static void
test_any_bytes_stay_within_their_frame(void)
{
    /* Types of all kinds at every place; ASan watches the ends. */
    static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100,
                                     0x8847, 0x8864, 0x880b, 0x88e7, 0x6558,
                                     0x0026, 0xaaaa, 0x0300, 0x893f, 0x8909};
    for (int n = 0; n < ROUNDS; n++) {
        const struct row *row = &rows[test_random_below(TEST_COUNT(rows))];
        uint8_t bytes[FRAME_MAX];
        uint32_t size = (uint32_t)test_random_below(FRAME_MAX + 1);
        test_random_bytes(bytes, sizeof bytes);
        memcpy(bytes, row->head, row->size);
        for (uint64_t k = test_random_below(8); k > 0; k--) {
            uint16_t type = types[test_random_below(TEST_COUNT(types))];
            size_t at = (size_t)test_random_below(FRAME_MAX - 1);
            bytes[at] = (uint8_t)(type >> 8);
            bytes[at + 1] = (uint8_t)type;
        }
        uint8_t *frame = test_heap_copy(bytes, size);
        struct encap found =
            encap_frame(row->linktype, frame, size, (n & 1) != 0);
        EXPECT_TRUE(found.reason < ENCAP_REASON_COUNT);
        if (found.reason == ENCAP_NONE)
            EXPECT_TRUE(found.offset < size && (frame[found.offset] >> 4 == 4 ||
                                                frame[found.offset] >> 4 == 6));
        free(frame);
    }
}

static void
test_long_attributes_of_a_netfilter_log_are_passed_over(void)
{
    uint8_t frame[4 + 516 + 4 + 20] = {10, 0, 0, 0};
    for (int big = 0; big < 2; big++) {
        frame[4] = big ? 2 : 3; /* 515 bytes, padded */
        frame[5] = big ? 3 : 2;
        frame[6] = big ? 0 : 1;
        frame[7] = big ? 1 : 0;
        frame[520] = 24;
        frame[522] = big ? 0 : 9;
        frame[523] = big ? 9 : 0;
        frame[524] = 0x45;
        struct encap found = encap_frame(239, frame, sizeof frame, big);
        EXPECT_EQ(ENCAP_NONE, found.reason);
        EXPECT_EQ(524, found.offset);
    }
}

static void
test_packet_that_looks_like_a_type_is_where_its_header_says(void)
{
    /* Its length is 0x0800, and its number begins as a packet does. */
    static const uint8_t frame[60] = {[14] = 8, 0,    0x45, 0,         8,
                                      0,        0x45, 0,    [24] = 64, 6};
    struct encap found = encap_frame(113, frame, sizeof frame, false);
    EXPECT_EQ(ENCAP_NONE, found.reason);
    EXPECT_EQ(16, found.offset);
}

static const struct test tests[] = {
    TEST(test_each_way_to_ip_is_followed),
    TEST(test_a_netfilter_log_is_in_the_byte_order_of_its_machine),
    TEST(test_any_bytes_stay_within_their_frame),
    TEST(test_long_attributes_of_a_netfilter_log_are_passed_over),
    TEST(test_packet_that_looks_like_a_type_is_where_its_header_says),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Link headers that are no row of a table: nothing is read beyond a frame. */
#include "encap_row.h"

enum { ROUNDS = 200000 };

#define WLAN_REST 0, 0, MACS, 0, 0, 0, 0, 0, 0, 0, 0
#define SNAP 0xaa, 0xaa, 3, 0, 0, 0, 8, 0

static const struct row rows[] = {
    {"Broadcom's tag", 281, 18, {MACS, 0, 0, 0, 3, 8, 0}, 4, 0, 0},
    {"Broadcom's tag in front", 282, 18, {0, 0, 0, 3, MACS, 8, 0}, 4, 0, 0},
    {"Marvell's tag", 284, 18, {MACS, 0xc0, 8, 0, 0, 8, 0}, 4, 0, 0},
    {"Marvell's tag with a type",
     285,
     22,
     {MACS, 0xda, 0xda, 0, 0, 0xc0, 8, 0, 0, 8, 0},
     4,
     0,
     0},
    {"FabricPath", 1, 30, {MACS, 0x89, 3, 0, 0x60, MACS, 8, 0}, 4, 0, 0},
    {"VN-Tag", 1, 20, {MACS, 0x89, 0x26, 0, 1, 0, 2, 8, 0}, 4, 0, 0},
    {"MACsec, clear",
     1,
     22,
     {MACS, 0x88, 0xe5, 1, 0, 0, 0, 0, 7, 8, 0},
     4,
     0,
     0},
    {"MACsec, encrypted",
     1,
     22,
     {MACS, 0x88, 0xe5, 0x0d, 0, 0, 0, 0, 7, 8, 0},
     4,
     ENCAP_ETHERTYPE,
     0x88e5},
    {"Cisco HDLC under PPP", 9, 4, {0x8f, 0, 8, 0}, 4, 0, 0},
    {"Juniper, an extension",
     178,
     23,
     {'M', 'G', 'C', 0x81, 0, 3, 2, 1, 4, MACS, 8, 0},
     4,
     0,
     0},
    {"ERF, Ethernet", 197, 32, {[8] = 2, [18] = MACS, 8, 0}, 4, 0, 0},
    {"ERF, two more headers",
     197,
     48,
     {[8] = 0x82, [16] = 0x83, [24] = 3, [34] = MACS, 8, 0},
     4,
     0,
     0},
    {"ERF, HDLC", 197, 20, {[8] = 1, [16] = 0x0f, 0, 8, 0}, 4, 0, 0},
    {"ERF, IPv4", 197, 16, {[8] = 22}, 4, 0, 0},
    {"ERF, IPv6", 197, 16, {[8] = 23}, 6, 0, 0},
    {"ERF, ATM", 197, 20, {[8] = 3}, 4, ENCAP_LINKTYPE, 197},
    {"Juniper, no frame", 178, 8, {'M', 'G', 'C', 3, 2}, 4, 0, 0},
    {"Juniper, another number",
     178,
     18,
     {'M', 'G', 'D', 1, MACS, 8, 0},
     4,
     ENCAP_LINKTYPE,
     178},
    {"802.11", 105, 32, {8, 1, WLAN_REST, SNAP}, 4, 0, 0},
    {"802.11, four addresses",
     105,
     38,
     {8, 3, WLAN_REST, 0, 0, 0, 0, 0, 0, SNAP},
     4,
     0,
     0},
    {"802.11, QoS and HT control",
     105,
     38,
     {0x88, 0x81, WLAN_REST, 0, 0, 1, 2, 3, 4, SNAP},
     4,
     0,
     0},
    {"802.11, several in one",
     105,
     48,
     {0x88, 1, WLAN_REST, 0x80, 0, MACS, 0, 60, SNAP},
     4,
     0,
     0},
    {"802.11, encrypted",
     105,
     32,
     {8, 0x41, WLAN_REST, SNAP},
     4,
     ENCAP_LINKTYPE,
     105},
    {"802.11, a beacon", 105, 32, {0x80, 0, WLAN_REST}, 4, ENCAP_LINKTYPE, 105},
    {"802.11, no data", 105, 32, {0x48, 1, WLAN_REST}, 4, ENCAP_LINKTYPE, 105},
    {"radiotap",
     127,
     40,
     {0, 0, 8, 0, 0, 0, 0, 0, 8, 1, WLAN_REST, SNAP},
     4,
     0,
     0},
    {"radiotap, two words, a time, flags that say padded",
     127,
     61,
     {0, 0, 25, 0, 3, 0, 0, 0x80, 0,    0, 0,         0, 0, 0, 0, 0,   0,
      0, 0, 0,  0, 0, 0, 0, 0x20, 0x88, 1, WLAN_REST, 0, 0, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap, flags that say not padded",
     127,
     43,
     {0, 0, 9, 0, 2, 0, 0, 0, 0, 0x88, 1, WLAN_REST, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap without the flags that it announces",
     127,
     42,
     {0, 0, 8, 0, 2, 0, 0, 0, 0xa8, 1, WLAN_REST, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap, a rate that looks like flags",
     127,
     43,
     {0, 0, 9, 0, 4, 0, 0, 0, 0x20, 0x88, 1, WLAN_REST, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap, a time with a byte behind it that looks like flags",
     127,
     51,
     {0, 0, 17, 0, 1,    0,    0, 0,         0, 0, 0,   0,
      0, 0, 0,  0, 0x20, 0x88, 1, WLAN_REST, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap, padded, with a field of bit 24",
     127,
     45,
     {0, 0, 9, 0, 2, 0, 0, 1, 0x20, 0x88, 1, WLAN_REST, 0, 0, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap, flags of another kind",
     127,
     43,
     {0, 0, 9, 0, 2, 0, 0, 0, 0x5f, 0x88, 1, WLAN_REST, 0, 0, SNAP},
     4,
     0,
     0},
    {"radiotap without a word", 127, 7, {0, 0, 7, 0, 0, 0, 0}, 4, ENCAP_CUT, 0},
    {"AVS",
     163,
     40,
     {0x80, 0x21, 0x10, 1, 0, 0, 0, 8, 8, 1, WLAN_REST, SNAP},
     4,
     0,
     0},
    {"Prism, little-endian",
     119,
     40,
     {0x44, 0, 0, 0, 8, 0, 0, 0, 8, 1, WLAN_REST, SNAP},
     4,
     0,
     0},
    {"Prism, big-endian",
     119,
     40,
     {0, 0, 0, 0x44, 0, 0, 0, 8, 8, 1, WLAN_REST, SNAP},
     4,
     0,
     0},
    {"PPI", 192, 22, {0, 0, 8, 0, 1, 0, 0, 0, MACS, 8, 0}, 4, 0, 0},
    {"PPI in PPI", 192, 22, {0, 0, 8, 0, 192}, 4, ENCAP_LINKTYPE, 192},
    {"PKTAP",
     258,
     26,
     {12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, MACS, 8, 0},
     4,
     0,
     0},
    {"PKTAP without a size", 258, 26, {0}, 4, ENCAP_LINKTYPE, 0},
    {"frame relay", 107, 4, {0x18, 0x41, 3, 0xcc}, 4, 0, 0},
    {"frame relay, four bytes", 107, 6, {0x18, 0x40, 0, 1, 3, 0xcc}, 4, 0, 0},
    {"frame relay, SNAP",
     107,
     10,
     {0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0},
     4,
     0,
     0},
    {"frame relay, bridged",
     107,
     24,
     {0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7, MACS, 8, 0},
     4,
     0,
     0},
    {"frame relay, bridged, with its check sequence",
     107,
     24,
     {0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 1, MACS, 8, 0},
     4,
     0,
     0},
    {"frame relay, bridged token ring",
     107,
     24,
     {0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 3, MACS, 8, 0},
     4,
     ENCAP_SNAP,
     3},
    {"frame relay, Cisco", 107, 4, {0x18, 0x41, 8, 0}, 4, 0, 0},
    {"frame relay with direction", 206, 5, {1, 0x18, 0x41, 3, 0xcc}, 4, 0, 0},
    {"frame relay, LMI", 107, 4, {0x18, 0x41, 3, 8}, 4, ENCAP_LLC, 8},
    {"token ring", 6, 22, {0x10, 0x40, MACS, SNAP}, 4, 0, 0},
    {"token ring, routed",
     6,
     28,
     {0x10, 0x40, 1,  2, 3, 4, 5, 6, 0x87, 8,   9,
      10,   11,   12, 6, 0, 0, 0, 0, 0,    SNAP},
     4,
     0,
     0},
    {"MPLS", 219, 4, {0, 1, 1, 64}, 4, 0, 0},
    {"unknown", 147, 4, {0}, 4, ENCAP_LINKTYPE, 147},
};

static void
test_each_way_to_ip_is_followed(void)
{
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        expect_row(&rows[i]);
}

static void
test_frames_that_end_early_are_told_from_others(void)
{
    static const struct row shorts[] = {
        {"Juniper", 178, 5, {'M', 'G', 'D', 1}, 0, ENCAP_CUT, 0},
        {"no Juniper", 178, 6, {'M', 'G', 'D', 1}, 0, ENCAP_LINKTYPE, 178},
        {"PKTAP", 258, 11, {12, [8] = 147}, 0, ENCAP_CUT, 0},
        {"PKTAP, then nothing",
         258,
         12,
         {12, [8] = 147},
         0,
         ENCAP_LINKTYPE,
         147},
        {"PPI", 192, 7, {0, 0, 8, 0, 147}, 0, ENCAP_CUT, 0},
        {"PPI, then nothing",
         192,
         8,
         {0, 0, 8, 0, 147},
         0,
         ENCAP_LINKTYPE,
         147},
        {"frame relay", 107, 9, {0x18, 0x41, 3, 0, 0x80}, 0, ENCAP_LLC, 0x80},
        {"frame relay, SNAP and no more",
         107,
         10,
         {0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0},
         0,
         ENCAP_CUT,
         0},
    };
    for (size_t i = 0; i < TEST_COUNT(shorts); i++) {
        const struct row *row = &shorts[i];
        uint8_t *copy = test_heap_copy(row->head, row->size);
        struct encap found = encap_frame(row->linktype, copy, row->size, false);
        test_row = row->name;
        EXPECT_EQ(row->reason, found.reason);
        EXPECT_EQ(row->number, found.number);
        free(copy);
    }
}

static void
test_any_bytes_stay_within_their_frame(void)
{
    for (int n = 0; n < ROUNDS; n++) {
        const struct row *row = &rows[test_random_below(TEST_COUNT(rows))];
        uint8_t bytes[FRAME_MAX];
        uint32_t size = (uint32_t)test_random_below(FRAME_MAX + 1);
        test_random_bytes(bytes, sizeof bytes);
        memcpy(bytes, row->head, row->size);
        for (uint64_t k = test_random_below(4); k > 0; k--)
            bytes[test_random_below(FRAME_MAX)] = (uint8_t)test_random();
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

static const struct test tests[] = {
    TEST(test_each_way_to_ip_is_followed),
    TEST(test_frames_that_end_early_are_told_from_others),
    TEST(test_any_bytes_stay_within_their_frame),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

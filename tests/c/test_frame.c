/* Ethernet headers, good and bad: nothing is read beyond a frame. */
#include "test.h"

#include "../../csrc/link/frame.h"

enum { FRAME_MAX = 64, RANDOM_FRAMES = 200000 };

/* Puts the types and tags of a header together; 0 ends the list. */
static size_t
header(uint8_t *frame, const uint16_t *types)
{
    size_t at = 2 * FRAME_MAC;
    memset(frame, 0xaa, FRAME_MAX);
    for (; *types != 0; types++) {
        frame[at++] = (uint8_t)(*types >> 8);
        frame[at++] = (uint8_t)*types;
        if (types[1] != 0)
            at += 2; /* the VLAN */
    }
    return at;
}

static void
test_ip_is_found_behind_at_most_two_tags(void)
{
    /* 802.1Q, 802.1ad and the type in use before it; a third tag is too many.
     */
    static const struct {
        const char *name;
        uint16_t types[5];
        uint32_t offset;
    } rows[] = {
        {"IPv4", {0x0800}, 14},
        {"IPv6", {0x86dd}, 14},
        {"802.1Q", {0x8100, 0x0800}, 18},
        {"802.1ad", {0x88a8, 0x8100, 0x86dd}, 22},
        {"old double tags", {0x9100, 0x8100, 0x0800}, 22},
        {"three tags", {0x88a8, 0x8100, 0x8100, 0x0800}, 0},
        {"ARP", {0x0806}, 0},
        {"ARP in a VLAN", {0x8100, 0x0806}, 0},
        {"802.3 length", {0x0026}, 0},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t frame[FRAME_MAX];
        size_t end = header(frame, rows[i].types);
        test_row = rows[i].name;
        EXPECT_EQ(rows[i].offset, frame_ip_offset(frame, sizeof frame));
        for (size_t size = 0; size <= end; size++) {
            uint8_t *cut = test_heap_copy(frame, size);
            EXPECT_EQ(size < end ? 0 : rows[i].offset,
                      frame_ip_offset(cut, size));
            free(cut);
        }
    }
}

static void
test_slot_says_what_is_header_and_what_is_packet(void)
{
    /* Without IP a frame is all header, and wanted only by a forwarder. */
    static const uint16_t ip[] = {0x8100, 0x0800, 0}, arp[] = {0x0806, 0};
    struct syncache_slot slot = {0};
    uint8_t frame[FRAME_MAX];
    header(frame, ip);
    EXPECT_TRUE(frame_describe(frame, sizeof frame, false, &slot));
    EXPECT_EQ(18, slot.link_size);
    EXPECT_EQ(FRAME_MAX - 18, slot.size);
    EXPECT_EQ(FRAME_MAX, frame_size(&slot));
    header(frame, arp);
    EXPECT_TRUE(!frame_describe(frame, sizeof frame, false, &slot));
    EXPECT_TRUE(frame_describe(frame, sizeof frame, true, &slot));
    EXPECT_EQ(FRAME_MAX, slot.link_size);
    EXPECT_EQ(0, slot.size);
    EXPECT_TRUE(!frame_describe(frame, FRAME_HEADER_MIN - 1, true, &slot));
    EXPECT_TRUE(frame_describe(frame, FRAME_HEADER_MIN, true, &slot));
    EXPECT_EQ(FRAME_HEADER_MIN, slot.link_size);
    /* Only a size that the field holds; no byte behind the header is read. */
    EXPECT_TRUE(frame_describe(frame, UINT16_MAX, true, &slot));
    EXPECT_TRUE(!frame_describe(frame, UINT16_MAX + 1, true, &slot));
}

static void
test_turned_round_twice_a_frame_is_as_it_was(void)
{
    /* Only the two addresses move. */
    uint8_t frame[FRAME_HEADER_MIN], before[FRAME_HEADER_MIN];
    test_random_bytes(frame, sizeof frame);
    memcpy(before, frame, sizeof frame);
    frame_turn_round(frame);
    EXPECT_BYTES(before, frame + FRAME_MAC, FRAME_MAC);
    EXPECT_BYTES(before + FRAME_MAC, frame, FRAME_MAC);
    frame_turn_round(frame);
    EXPECT_BYTES(before, frame, sizeof frame);
}

static void
test_any_bytes_stay_within_their_frame(void)
{
    /* Sizes always add up; ASan watches the ends. */
    static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100};
    for (int n = 0; n < RANDOM_FRAMES; n++) {
        uint8_t bytes[FRAME_MAX];
        size_t size = (size_t)test_random_below(FRAME_MAX + 1);
        struct syncache_slot slot = {0};
        test_random_bytes(bytes, sizeof bytes);
        for (size_t at = 12; at < 24; at += 4) {
            uint16_t type = types[test_random_below(TEST_COUNT(types))];
            bytes[at] = (uint8_t)(type >> 8);
            bytes[at + 1] = (uint8_t)type;
        }
        uint8_t *frame = test_heap_copy(bytes, size);
        if (frame_describe(frame, size, n % 2, &slot))
            EXPECT_EQ(size, frame_size(&slot));
        free(frame);
    }
}

static const struct test tests[] = {
    TEST(test_ip_is_found_behind_at_most_two_tags),
    TEST(test_slot_says_what_is_header_and_what_is_packet),
    TEST(test_turned_round_twice_a_frame_is_as_it_was),
    TEST(test_any_bytes_stay_within_their_frame),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

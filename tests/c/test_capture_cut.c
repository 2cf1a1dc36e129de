/* What a capture kept of a packet: slots that it fits, lengths that are its own. */
#include "capture.h"

static void
test_a_cut_packet_has_its_length_on_the_wire(void)
{
    /* 40 of 100 bytes were kept; the rest reads as zeros. */
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, IP_SIZE, 100);
    frame(NULL, 0);
    memset(rx.memory, 0xff, sizeof rx.memory);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(100, rx.slot[0].size);
    EXPECT_EQ(0, rx.memory[IP_SIZE]);
    EXPECT_EQ(0, rx.memory[99]);
    EXPECT_EQ(0xff, rx.memory[100]);
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, IP_SIZE, IP_SIZE + 1);
    frame(NULL, 0);
    memset(rx.memory, 0xff, sizeof rx.memory);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, rx.memory[IP_SIZE]);
}

static void
test_packet_of_the_size_of_a_slot_fits(void)
{
    /* Whole or cut; one of a byte more does not. */
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t size = RING_SLOT_SIZE + i % 2;
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1, 0, i < 2 ? IP_SIZE : size, size);
        frame(NULL, 0);
        put(0, i < 2 ? 0 : size - IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1 - i % 2, rx.ring.count);
        EXPECT_EQ(i % 2, capture.skipped);
        EXPECT_EQ(i % 2 ? ENCAP_LONG : 0, capture.passed[0].reason);
        EXPECT_EQ(0, capture.passed[0].number);
    }
}

static void
test_packet_that_is_longer_than_its_record_is_bad_or_cut(void)
{
    /* Only a record that says that it was cut may have lost the rest. */
    for (uint32_t cut = 0; cut < 2; cut++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1, 0, IP_SIZE, IP_SIZE + cut);
        frame(NULL, 0);
        file[24 + 16 + 3] = IP_SIZE + 20;
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(cut ? ENCAP_CUT : ENCAP_BAD, capture.passed[0].reason);
    }
}

static void
test_a_packet_cut_within_its_headers_is_counted(void)
{
    /* Its ports or flags would be made up. */
    for (uint32_t kept = 1; kept < IP_SIZE; kept++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1, 0, kept, IP_SIZE);
        frame(NULL, 0);
        file_size -= IP_SIZE - kept;
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(0, rx.ring.count);
        EXPECT_EQ(1, capture.skipped);
        EXPECT_EQ(ENCAP_CUT, capture.passed[0].reason);
        EXPECT_EQ(0, capture.passed[0].number);
    }
}

static void
test_datagram_and_message_need_eight_bytes(void)
{
    /* Of a UDP datagram its header, of an ICMP message as much. */
    static const uint8_t protocols[] = {17, 1};
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t packet[28] = {0x45, [3] = 60, [8] = 64, protocols[i / 2],
                              8,    [25] = 40};
        uint32_t kept = sizeof packet - (i & 1);
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1, 0, kept, 60);
        put_bytes(packet, kept);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(i & 1, capture.passed_count);
        EXPECT_EQ(1 - (i & 1), rx.ring.count);
    }
}

/* A TCP segment in IP in a frame that is padded, of which `kept` bytes are there. */
static void
padded(uint32_t kept)
{
    static const uint8_t head[34] = {
        [12] = 8, [14] = 0x45, [17] = 60, [22] = 64, [23] = 4};
    start(false);
    capture.tunnels = true;
    classic(0xa1b2c3d4, 1);
    record(1, 0, kept, sizeof head + IP_SIZE + 6);
    frame(head, sizeof head);
    put(0x777777777777, 6);
    file_size -= (uint32_t)sizeof head + IP_SIZE + 6 - kept;
    memset(rx.memory, 0xff, sizeof rx.memory);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.entered[TUNNEL_IPIP]);
    EXPECT_EQ(0, capture.passed_count);
    EXPECT_EQ(1, rx.ring.count);
    EXPECT_EQ(IP_SIZE, rx.slot[0].size);
    EXPECT_EQ(0xee, rx.memory[IP_SIZE - 1]);
}

static void
test_padding_behind_a_tunnel_is_none_of_the_packet_in_it(void)
{
    /* Neither if it is there nor if it was cut off. */
    padded(34 + IP_SIZE + 6);
    EXPECT_EQ(0xff, rx.memory[20 + IP_SIZE + 6]);
    padded(34 + IP_SIZE);
}

static const struct test tests[] = {
    TEST(test_a_cut_packet_has_its_length_on_the_wire),
    TEST(test_packet_of_the_size_of_a_slot_fits),
    TEST(test_packet_that_is_longer_than_its_record_is_bad_or_cut),
    TEST(test_a_packet_cut_within_its_headers_is_counted),
    TEST(test_datagram_and_message_need_eight_bytes),
    TEST(test_padding_behind_a_tunnel_is_none_of_the_packet_in_it),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Packets that a capture has twice. */
#include "packet.h"
#include "test.h"

#include "../../csrc/link/capture.h"

static struct link_capture capture;

/* Was it recorded before, as captured whole? */
static bool
again(const struct packet *packet, uint64_t time_ms)
{
    uint8_t *copy = test_heap_copy(packet->bytes, packet->size);
    struct view view;
    view_parse(copy, packet->size, SYNCACHE_CHECKSUM_VALID, &view);
    bool found =
        link_capture_double(&capture, &view, (uint32_t)packet->size, time_ms);
    free(copy);
    return found;
}

static const uint8_t families[] = {4, 6};

static void
test_a_segment_that_comes_again_at_once_is_a_double(void)
{
    /* Also behind a router; not with other bytes, and not later. */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        memset(&capture, 0, sizeof capture);
        packet_tcp(&packet, families[i], 0x18, NULL, 0, 33);
        EXPECT_TRUE(!again(&packet, 1000));
        packet.bytes[families[i] == 4 ? 8 : 7]--;
        if (families[i] == 4)
            packet.bytes[10] ^= 1;
        EXPECT_TRUE(again(&packet, 1000 + LINK_CAPTURE_DOUBLE_MS));
        packet.bytes[packet.size - 1] ^= 1;
        EXPECT_TRUE(!again(&packet, 1001 + LINK_CAPTURE_DOUBLE_MS));
        EXPECT_TRUE(!again(&packet, 1002 + 2 * LINK_CAPTURE_DOUBLE_MS));
    }
}

static struct link_capture_shared shared;

static void
test_captures_that_share_have_each_packet_once(void)
{
    /* An ACK too, which its sender may send twice: of the other capture it is
   * a double, of the same one it is not. */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        memset(&capture, 0, sizeof capture);
        memset(&shared, 0, sizeof shared);
        capture.shared = &shared;
        packet_tcp(&packet, families[i], 0x10, NULL, 0, 0);
        if (families[i] == 4)
            packet.bytes[4] = packet.bytes[5] = 0;
        capture.number = 1;
        EXPECT_TRUE(!again(&packet, 1000));
        EXPECT_TRUE(!again(&packet, 1001));
        capture.number = 2;
        EXPECT_TRUE(again(&packet, 1003));
        EXPECT_TRUE(again(&packet, 1001));
        EXPECT_TRUE(!again(&packet, 1002 + LINK_CAPTURE_DOUBLE_MS));
    }
}

static void
test_oldest_packets_give_room_to_new_ones(void)
{
    /* Of twice as many as there is room for, the latest are still known. */
    enum {
        PACKETS = 2 * LINK_CAPTURE_SHARED,
        LATEST = LINK_CAPTURE_SHARED / 2
    };
    static struct packet packet;
    uint32_t found = 0;
    memset(&capture, 0, sizeof capture);
    memset(&shared, 0, sizeof shared);
    capture.shared = &shared;
    packet_tcp(&packet, 4, 0x18, NULL, 0, 33);
    for (uint32_t i = 0; i < PACKETS + LATEST; i++) {
        uint32_t n = i < PACKETS ? i : i - LATEST;
        capture.number = i < PACKETS ? 1 : 2;
        store32_be(packet.bytes + packet.size - 4, n);
        bool known = again(&packet, 1000 + n);
        EXPECT_TRUE(i >= PACKETS || !known);
        found += known;
    }
    EXPECT_TRUE(found > LATEST - LATEST / 20);
}

static void
test_bytes_that_pad_a_frame_do_not_tell_two_apart(void)
{
    /* A tap on Ethernet has them, one behind it has not. */
    static struct packet packet;
    memset(&capture, 0, sizeof capture);
    packet_tcp(&packet, 4, 0x02, NULL, 0, 0);
    EXPECT_TRUE(!again(&packet, 1000));
    memset(packet.bytes + packet.size, 0x77, 6);
    packet.size += 6;
    EXPECT_TRUE(again(&packet, 1001));
}

static void
test_first_bytes_alone_tell_two_apart(void)
{
    /* 128 of them; what is behind may be cut off in one capture. */
    static struct packet packet;
    memset(&capture, 0, sizeof capture);
    packet_tcp(&packet, 6, 0x18, NULL, 0, 200);
    EXPECT_TRUE(!again(&packet, 1000));
    packet.bytes[128] ^= 1;
    EXPECT_TRUE(again(&packet, 1000));
    packet.bytes[127] ^= 1;
    EXPECT_TRUE(!again(&packet, 1000));
}

static void
test_what_takes_room_is_a_double_without_identification(void)
{
    /* SYN, FIN and a byte of data, which have a number of their own. */
    static struct packet packet;
    for (uint32_t i = 0; i < 3; i++) {
        memset(&capture, 0, sizeof capture);
        packet_tcp(&packet, 6, (uint8_t[]){0x02, 0x11, 0x10}[i], NULL, 0,
                   i == 2);
        EXPECT_TRUE(!again(&packet, 1000));
        EXPECT_TRUE(again(&packet, 1000));
    }
}

static void
test_double_may_come_behind_other_packets(void)
{
    static struct packet packet;
    memset(&capture, 0, sizeof capture);
    packet_tcp(&packet, 4, 0x18, NULL, 0, 33);
    for (uint32_t i = 0; i < 8; i++) {
        packet.bytes[packet.size - 1] = (uint8_t)(i % 4);
        EXPECT_EQ(i >= 4, again(&packet, 1000));
    }
}

static void
test_an_ack_that_may_have_been_sent_twice_is_none(void)
{
    /* Without data and without identification; with one it is. */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        memset(&capture, 0, sizeof capture);
        packet_tcp(&packet, families[i], 0x10, NULL, 0, 0);
        if (families[i] == 4)
            packet.bytes[4] = packet.bytes[5] = 0;
        EXPECT_TRUE(!again(&packet, 1000));
        EXPECT_TRUE(!again(&packet, 1000));
    }
    packet_tcp(&packet, 4, 0x10, NULL, 0, 0);
    packet.bytes[5] = 7;
    EXPECT_TRUE(!again(&packet, 1000));
    EXPECT_TRUE(again(&packet, 1000));
}

static void
test_a_datagram_without_identification_is_one_where_doubles_go(void)
{
    /* Its checksum says that its bytes are the same; without one they may not be.
   */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        for (uint32_t dedup = 0; dedup < 2; dedup++) {
            memset(&capture, 0, sizeof capture);
            capture.dedup = dedup;
            packet_ip(&packet, families[i], 17, 308);
            uint8_t *udp = packet.bytes + packet.upper;
            store16_be(udp + 2, 53);
            store16_be(udp + 4, 308);
            packet_seal(&packet, 17, 6);
            if (families[i] == 4)
                packet.bytes[4] = packet.bytes[5] = 0;
            EXPECT_TRUE(!again(&packet, 1000));
            EXPECT_EQ(dedup, again(&packet, 1001));
            udp[6] = 0x12; /* one whose lower byte is 0 is one */
            udp[7] = udp[8] = 0;
            EXPECT_TRUE(!again(&packet, 1002));
            EXPECT_EQ(dedup, again(&packet, 1002));
            udp[6] = 0;
            EXPECT_TRUE(!again(&packet, 1002));
            EXPECT_TRUE(!again(&packet, 1003));
        }
    }
}

static void
test_a_double_may_have_the_earlier_time(void)
{
    /* As clocks of two machines have it; just as near. */
    static struct packet packet;
    packet_tcp(&packet, 4, 0x18, NULL, 0, 33);
    for (uint32_t more = 0; more < 2; more++) {
        memset(&capture, 0, sizeof capture);
        EXPECT_TRUE(!again(&packet, 5000));
        EXPECT_EQ(1 - more,
                  again(&packet, 5000 - LINK_CAPTURE_DOUBLE_MS - more));
    }
}

static void
test_a_packet_without_transport_is_no_double(void)
{
    /* One that is a fragment, say. */
    static struct packet packet;
    memset(&capture, 0, sizeof capture);
    packet_tcp(&packet, 4, 0x18, NULL, 0, 33);
    packet.bytes[7] = 8;
    EXPECT_TRUE(!again(&packet, 1000));
    EXPECT_TRUE(!again(&packet, 1000));
}

static void
test_each_byte_of_data_tells_two_apart(void)
{
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++)
        for (size_t last = 1; last <= 33; last++) {
            memset(&capture, 0, sizeof capture);
            packet_tcp(&packet, families[i], 0x18, NULL, 0, 33);
            EXPECT_TRUE(!again(&packet, 1000));
            packet.bytes[packet.size - last] ^= 0x40;
            EXPECT_TRUE(!again(&packet, 1000));
        }
}

static const struct test tests[] = {
    TEST(test_oldest_packets_give_room_to_new_ones),
    TEST(test_a_segment_that_comes_again_at_once_is_a_double),
    TEST(test_captures_that_share_have_each_packet_once),
    TEST(test_bytes_that_pad_a_frame_do_not_tell_two_apart),
    TEST(test_first_bytes_alone_tell_two_apart),
    TEST(test_what_takes_room_is_a_double_without_identification),
    TEST(test_double_may_come_behind_other_packets),
    TEST(test_an_ack_that_may_have_been_sent_twice_is_none),
    TEST(test_a_datagram_without_identification_is_one_where_doubles_go),
    TEST(test_a_double_may_have_the_earlier_time),
    TEST(test_a_packet_without_transport_is_no_double),
    TEST(test_each_byte_of_data_tells_two_apart),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

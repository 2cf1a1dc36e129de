/*
 * The AF_PACKET calls over a receive ring of blocks written by hand and a pair
 * of datagram sockets; a ring of frames: test_packet_frames.c, the queue beside:
 * test_packet_queue.c.  The kernel's own ring: tests/netns/test_packet.py.
 */
#undef _GNU_SOURCE /* its getsockname() takes a union of pointers */
#define _DEFAULT_SOURCE

#include "blocks.h"

/* What the kernel answers when asked why there is no frame. */
static int pending_error, socket_answer, ifindex = 3;

int
getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    (void)fd;
    EXPECT_TRUE(level == SOL_SOCKET && name == SO_ERROR);
    EXPECT_EQ(sizeof pending_error, *size);
    memcpy(value, &pending_error, sizeof pending_error);
    errno = EIO;
    return pending_error < 0 ? -1 : 0;
}

int
getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    struct sockaddr_ll bound = {.sll_ifindex = ifindex};
    (void)fd;
    EXPECT_EQ(sizeof bound, *size);
    memcpy(address, &bound, sizeof bound);
    errno = ENOTSOCK;
    return socket_answer;
}
static void
test_receive_takes_frames_of_blocks_that_were_handed_over(void)
{
    /* A block goes back once its last frame is taken; then comes the next. */
    start();
    for (uint8_t i = 0; i < 3; i++)
        fill(0, frames_marked(i), FRAME_SIZE);
    for (uint8_t i = 3; i < 6; i++)
        fill(1, frames_marked(i), FRAME_SIZE);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    hand_over(0);
    hand_over(1);
    EXPECT_EQ(RING_SLOTS, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(TP_STATUS_KERNEL, block(0)->hdr.bh1.block_status);
    EXPECT_EQ(TP_STATUS_USER, block(1)->hdr.bh1.block_status);
    for (uint32_t i = 0; i < RING_SLOTS; i++) {
        EXPECT_EQ(ETHERNET, ring.slot[i].link_size);
        EXPECT_EQ(40, ring.slot[i].size);
        EXPECT_BYTES(frames_marked((uint8_t)i),
                     ring.memory + i * RING_SLOT_SIZE, FRAME_SIZE);
    }
    ring.ring.count = 0;
    EXPECT_EQ(2, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(TP_STATUS_KERNEL, block(1)->hdr.bh1.block_status);
    ring.ring.count = 0;
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(6, link_.received);
    memset(block(0), 0, BLOCK_SIZE); /* and the first again */
    fill(0, frames_marked(7), FRAME_SIZE);
    hand_over(0);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    stop();
}

static void
test_receive_survives_a_block_without_frames(void)
{
    /* The clock may hand one over. */
    start();
    hand_over(0);
    fill(1, frames_marked(0), FRAME_SIZE);
    hand_over(1);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(TP_STATUS_KERNEL, block(0)->hdr.bh1.block_status);
    stop();
}

static void
test_receive_puts_the_outer_tag_back(void)
{
    /* Its type too, where the kernel tells it. */
    static const uint8_t tag[] = {0x88, 0xa8, 0x20, 7}, plain[] = {0x81, 0};
    start();
    struct tpacket3_hdr *header = fill(0, frames_marked(1), FRAME_SIZE);
    header->tp_status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
    header->hv1.tp_vlan_tpid = 0x88a8;
    header->hv1.tp_vlan_tci = 0x2007;
    header = fill(0, frames_marked(2), FRAME_SIZE);
    header->tp_status = TP_STATUS_VLAN_VALID;
    hand_over(0);
    EXPECT_EQ(2, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(ETHERNET + 4, ring.slot[0].link_size);
    EXPECT_EQ(40, ring.slot[0].size);
    EXPECT_BYTES(frames_marked(1), ring.memory, 12);
    EXPECT_BYTES(tag, ring.memory + 12, sizeof tag);
    EXPECT_BYTES(frames_marked(1) + 12, ring.memory + 16, FRAME_SIZE - 12);
    EXPECT_BYTES(plain, ring.memory + RING_SLOT_SIZE + 12, sizeof plain);
    stop();
}

static void
test_receive_takes_the_kernels_offloads(void)
{
    /* They lie in front of the frame, and do not count the tag. */
    struct virtio_net_hdr offloads = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                      .gso_size = 1400,
                                      .csum_start = ETHERNET + 20,
                                      .csum_offset = 16};
    start();
    struct tpacket3_hdr *header = fill(0, frames_marked(0), FRAME_SIZE);
    header->tp_status = TP_STATUS_VLAN_VALID;
    memcpy((uint8_t *)header + MAC_AT - sizeof offloads, &offloads,
           sizeof offloads);
    hand_over(0);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(SYNCACHE_CHECKSUM_PARTIAL, ring.slot[0].checksum);
    EXPECT_EQ(1400, ring.slot[0].gso_size);
    EXPECT_EQ(20, ring.slot[0].csum_start);
    stop();
}

static void
test_receive_passes_over_what_does_not_fit_or_is_no_ip(void)
{
    /* Cut off by the kernel, longer than a slot, without IP: each is counted.
     */
    static const uint8_t arp[60] = {[12] = 8, 6}, large[RING_SLOT_SIZE] = {0};
    start();
    fill(0, frames_marked(0), FRAME_SIZE)->tp_len++;
    fill(0, large, RING_SLOT_SIZE - 3);
    fill(0, arp, sizeof arp);
    fill(0, frames_marked(9), FRAME_SIZE);
    hand_over(0);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(9, ring.memory[FRAME_SIZE - 1]);
    EXPECT_EQ(2, link_.too_large);
    EXPECT_EQ(1, link_.skipped);
    stop();
}

static void
test_frame_that_fills_a_slot_with_its_tag_is_received(void)
{
    uint8_t frame[RING_SLOT_SIZE - 4] = {0};
    memcpy(frame, frames_marked(0), FRAME_SIZE);
    start();
    fill(0, frame, sizeof frame)->tp_status = TP_STATUS_VLAN_VALID;
    hand_over(0);
    ring.ring.count = RING_SLOTS - 1;
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(sizeof frame - ETHERNET, ring.slot[RING_SLOTS - 1].size);
    EXPECT_EQ(ETHERNET + 4, ring.slot[RING_SLOTS - 1].link_size);
    EXPECT_EQ(1, link_.received);
    stop();
}

static void
test_receive_of_nothing_tells_why(void)
{
    /* An interface that is down for a while is still there. */
    start();
    stop();
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    pending_error = ENETDOWN;
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    ifindex = 1;
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    ifindex = 0;
    EXPECT_EQ((uint32_t)-ENODEV,
              (uint32_t)link_packet_receive(&link_, &ring.ring));
    ring.ring.count = ring.ring.slots; /* which is no news of it */
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    ring.ring.count = 0;
    ifindex = -1;
    EXPECT_EQ((uint32_t)-ENODEV,
              (uint32_t)link_packet_receive(&link_, &ring.ring));
    socket_answer = -1;
    EXPECT_EQ((uint32_t)-ENOTSOCK,
              (uint32_t)link_packet_receive(&link_, &ring.ring));
    pending_error = -1;
    EXPECT_EQ((uint32_t)-EIO,
              (uint32_t)link_packet_receive(&link_, &ring.ring));
    pending_error = socket_answer = 0;
    ifindex = 3;
}

static void
test_block_holds_a_super_segment_longer_than_a_slot(void)
{
    /* It comes in pieces, each of whole segments. */
    deliver_long(FRAME_SIZE + 120, 0);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    for (uint32_t i = 0; i < 3; i++) {
        const uint8_t *piece = ring.memory + i * RING_SLOT_SIZE;
        EXPECT_EQ(40 + 40, ring.slot[i].size);
        EXPECT_EQ(40 * i, piece[41]);
        EXPECT_BYTES(long_frame(), piece, ETHERNET);
        EXPECT_BYTES(long_frame() + FRAME_SIZE + 40 * i, piece + FRAME_SIZE,
                     40);
    }
    EXPECT_EQ(0, link_.too_large);
    stop();
}

static void
test_pieces_that_find_no_slot_come_with_the_next_call(void)
{
    deliver_long(FRAME_SIZE + 120, 0);
    ring.ring.slots = 2;
    EXPECT_EQ(2, link_packet_receive(&link_, &ring.ring));
    ring.ring.count = 0;
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(80, ring.memory[41]);
    stop();
}

static void
test_tag_does_not_move_the_zeros_of_what_was_cut_off(void)
{
    static const uint8_t zeros[40];
    deliver_long(FRAME_SIZE + 80, 1);
    ((struct tpacket3_hdr *)(void *)(shared.bytes + 64))->tp_status =
        TP_STATUS_VLAN_VALID;
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(40 + 40, ring.slot[2].size);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_BYTES(i < 2 ? long_frame() + FRAME_SIZE + 40 * i : zeros,
                     ring.memory + i * RING_SLOT_SIZE + FRAME_SIZE + 4, 40);
    stop();
}

static void
test_tap_takes_the_headers_of_what_no_block_holds(void)
{
    /* Numbers and lengths are right, and what was cut off is zeros. */
    static const uint8_t zeros[40];
    deliver_long(FRAME_SIZE + 40, 1);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(80, ring.memory[2 * RING_SLOT_SIZE + 41]);
    EXPECT_EQ(40 + 40, ring.slot[2].size);
    EXPECT_BYTES(zeros, ring.memory + 2 * RING_SLOT_SIZE + FRAME_SIZE, 40);
    EXPECT_BYTES(long_frame() + FRAME_SIZE, ring.memory + FRAME_SIZE, 40);
    stop();
}

static void
test_long_frame_of_a_block_that_cannot_be_cut_is_counted(void)
{
    /* It is UDP. */
    deliver_long(FRAME_SIZE + 120, 0);
    ((uint8_t *)block(0))[64 + MAC_AT + 23] = 17;
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    stop();
}

static void
test_forwarder_drops_what_no_block_holds(void)
{
    /* Zeros would be somebody's data. */
    deliver_long(FRAME_SIZE + 40, 0);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    stop();
}

static void
test_long_frame_is_copied_to_the_byte(void)
{
    /* The block ends with it, and the room beside, whole or cut off. */
    enum { SIZE = FRAME_SIZE + 120 };
    for (uint32_t tap = 0; tap < 2; tap++) {
        uint32_t kept = tap ? FRAME_SIZE + 40 : SIZE;
        deliver_long(kept, tap);
        uint8_t *memory = test_heap_copy(shared.bytes, 64 + MAC_AT + kept);
        uint8_t *beside = test_heap_copy(link_.split.memory, SIZE + 4);
        link_.memory = memory;
        link_.blocks = 1;
        link_.split.memory = beside;
        link_.split.memory_size = SIZE + 4;
        EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
        free(memory);
        free(beside);
        stop();
    }
}

static void
test_long_frame_needs_room_for_its_tag_beside(void)
{
    /* To the byte. */
    for (uint32_t less = 0; less < 2; less++) {
        deliver_long(FRAME_SIZE + 120, 0);
        link_.split.memory_size = FRAME_SIZE + 120 + 4 - less;
        EXPECT_EQ(less ? 0 : 3, link_packet_receive(&link_, &ring.ring));
        EXPECT_EQ(less, link_.too_large);
        stop();
    }
}

static void
test_forwarder_receives_frames_without_ip_as_all_header(void)
{
    /* Their size is 0, so no engine takes them for a packet. */
    static const uint8_t arp[60] = {[12] = 8, 6};
    start();
    link_.forward = 1;
    fill(0, arp, sizeof arp);
    hand_over(0);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(60, ring.slot[0].link_size);
    EXPECT_EQ(0, ring.slot[0].size);
    stop();
}

static void
test_frame_shorter_than_its_addresses_is_skipped(void)
{
    start();
    fill(0, frames_marked(0), 11);
    hand_over(0);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.skipped);
    stop();
}

static const struct test tests[] = {
    TEST(test_receive_takes_frames_of_blocks_that_were_handed_over),
    TEST(test_receive_survives_a_block_without_frames),
    TEST(test_block_holds_a_super_segment_longer_than_a_slot),
    TEST(test_pieces_that_find_no_slot_come_with_the_next_call),
    TEST(test_tag_does_not_move_the_zeros_of_what_was_cut_off),
    TEST(test_tap_takes_the_headers_of_what_no_block_holds),
    TEST(test_long_frame_of_a_block_that_cannot_be_cut_is_counted),
    TEST(test_forwarder_drops_what_no_block_holds),
    TEST(test_receive_puts_the_outer_tag_back),
    TEST(test_receive_takes_the_kernels_offloads),
    TEST(test_receive_passes_over_what_does_not_fit_or_is_no_ip),
    TEST(test_frame_that_fills_a_slot_with_its_tag_is_received),
    TEST(test_receive_of_nothing_tells_why),
    TEST(test_long_frame_is_copied_to_the_byte),
    TEST(test_long_frame_needs_room_for_its_tag_beside),
    TEST(test_forwarder_receives_frames_without_ip_as_all_header),
    TEST(test_frame_shorter_than_its_addresses_is_skipped),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

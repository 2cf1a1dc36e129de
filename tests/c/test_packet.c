/*
 * The AF_PACKET calls over a receive ring of blocks written by hand and a pair
 * of datagram sockets; a ring of frames: test_packet_frames.c.  The kernel's own ring: tests/netns/test_packet.py.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "frames.h"

#include "../../csrc/link/split.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 4096,
    BLOCKS = 2,
    MAC_AT = 96 /* from the frame's header to the frame */
};

/* C11 has no way to say that a byte array may hold the kernel's structures. */
static union {
    uint64_t alignment;
    uint8_t bytes[BLOCK_SIZE * BLOCKS];
} shared;

static struct test_ring ring;
static struct link_packet link_;
static int peer;
static uint32_t passed[RING_SLOTS];

static void
start(void)
{
    int fds[2];
    frames_pair(fds);
    ring_clear(&ring);
    ring.ring.passed = passed;
    memset(&shared, 0, sizeof shared);
    link_ = (struct link_packet){.fd = fds[0],
                                 .queue_fd = -1,
                                 .route = {.fd4 = -1, .fd6 = -1},
                                 .block_size = BLOCK_SIZE,
                                 .blocks = BLOCKS,
                                 .memory = shared.bytes};
    peer = fds[1];
}

static void
stop(void)
{
    close(link_.fd);
    close(peer);
}

static struct tpacket_block_desc *
block(uint32_t i)
{
    return (void *)(shared.bytes + (size_t)i * BLOCK_SIZE);
}

/* Appends a frame to a block that is still the kernel's. */
static struct tpacket3_hdr *
fill(uint32_t i, const uint8_t *frame, uint32_t size)
{
    struct tpacket_hdr_v1 *head = &block(i)->hdr.bh1;
    uint32_t step = (MAC_AT + size + 63) / 64 * 64;
    if (head->num_pkts == 0)
        head->offset_to_first_pkt = head->blk_len = 64;
    struct tpacket3_hdr *header = (void *)((uint8_t *)block(i) + head->blk_len);
    header->tp_next_offset = step;
    header->tp_snaplen = header->tp_len = size;
    header->tp_mac = MAC_AT;
    memcpy((uint8_t *)header + MAC_AT, frame, size);
    head->blk_len += step;
    head->num_pkts++;
    return header;
}

static void
hand_over(uint32_t i)
{
    block(i)->hdr.bh1.block_status = TP_STATUS_USER;
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

/* A super-segment of three segments of 40 bytes, longer than a slot; its bytes. */
static const uint8_t *
long_frame(void)
{
    static uint8_t frame[FRAME_SIZE + 120];
    memcpy(frame, frames_marked(0), FRAME_SIZE);
    for (uint32_t i = 0; i < 120; i++)
        frame[FRAME_SIZE + i] = (uint8_t)(i + 1);
    return frame;
}

/* Hands it over, cut off behind `kept` bytes, to a link with room beside. */
static void
deliver_long(uint32_t kept, uint32_t tap)
{
    static uint8_t beside[SPLIT_MARGIN + 1024];
    struct virtio_net_hdr offloads = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                      .gso_size = 40,
                                      .csum_start = ETHERNET + 20,
                                      .csum_offset = 16};
    memset(beside, 0xee, sizeof beside);
    start();
    link_.tap = tap;
    link_.split.memory = beside;
    link_.split.memory_size = sizeof beside;
    struct tpacket3_hdr *header = fill(0, long_frame(), kept);
    header->tp_len = FRAME_SIZE + 120;
    memcpy((uint8_t *)header + MAC_AT - sizeof offloads, &offloads,
           sizeof offloads);
    hand_over(0);
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
        EXPECT_BYTES(long_frame() + FRAME_SIZE + 40 * i, piece + FRAME_SIZE,
                     40);
    }
    EXPECT_EQ(0, link_.too_large);
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
test_forwarder_drops_what_no_block_holds(void)
{
    /* Zeros would be somebody's data. */
    deliver_long(FRAME_SIZE + 40, 0);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    stop();
}

/* Puts a frame into the queue of a socket beside, offloads in front. */
static void
queue(int to, const uint8_t *frame, uint32_t size)
{
    struct virtio_net_hdr offloads = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                      .gso_size = 40,
                                      .csum_start = ETHERNET + 20,
                                      .csum_offset = 16};
    uint8_t bytes[sizeof offloads + 1024];
    memcpy(bytes, &offloads, sizeof offloads);
    memcpy(bytes + sizeof offloads, frame, size);
    EXPECT_EQ(sizeof offloads + size,
              (size_t)write(to, bytes, sizeof offloads + size));
}

static void
test_frame_longer_than_a_block_is_read_from_the_queue_beside(void)
{
    /* In its turn; frames whose place in the ring was lost are passed over. */
    enum { SIZE = FRAME_SIZE + 120 };
    uint8_t other[SIZE];
    int fds[2];
    frames_pair(fds);
    deliver_long(SIZE - 70, 0);
    fill(0, frames_marked(2), FRAME_SIZE);
    link_.queue_fd = fds[0];
    memcpy(other, long_frame(), SIZE);
    other[3] ^= 8;
    queue(fds[1], other, SIZE);
    memcpy(other, long_frame(), SIZE);
    other[FRAME_SIZE - 1] ^= 8;
    queue(fds[1], other, SIZE);
    queue(fds[1], long_frame(), SIZE - 1);
    queue(fds[1], long_frame(), SIZE);
    queue(fds[1], other, SIZE);
    EXPECT_EQ(4, link_packet_receive(&link_, &ring.ring));
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_BYTES(long_frame() + FRAME_SIZE + 40 * i,
                     ring.memory + i * RING_SLOT_SIZE + FRAME_SIZE, 40);
    EXPECT_BYTES(frames_marked(2), ring.memory + 3 * RING_SLOT_SIZE,
                 FRAME_SIZE);
    EXPECT_EQ(0, link_.too_large);
    /* What is queued behind it is not its. */
    EXPECT_EQ(sizeof(struct virtio_net_hdr) + SIZE,
              (size_t)recv(fds[0], other, sizeof other, MSG_TRUNC));
    EXPECT_EQ(-1, recv(fds[0], other, sizeof other, MSG_DONTWAIT));
    stop();
    close(fds[0]);
    close(fds[1]);
}

static void
test_frame_longer_than_a_block_that_no_queue_has_is_counted(void)
{
    int fds[2];
    frames_pair(fds);
    deliver_long(FRAME_SIZE + 40, 0);
    link_.queue_fd = fds[0];
    queue(fds[1], frames_marked(1), FRAME_SIZE);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    EXPECT_EQ(-1, recv(fds[0], shared.bytes, 1, MSG_DONTWAIT));
    stop();
    close(fds[0]);
    close(fds[1]);
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

static const struct test tests[] = {
    TEST(test_receive_takes_frames_of_blocks_that_were_handed_over),
    TEST(test_receive_survives_a_block_without_frames),
    TEST(test_block_holds_a_super_segment_longer_than_a_slot),
    TEST(test_tap_takes_the_headers_of_what_no_block_holds),
    TEST(test_forwarder_drops_what_no_block_holds),
    TEST(test_frame_longer_than_a_block_is_read_from_the_queue_beside),
    TEST(test_frame_longer_than_a_block_that_no_queue_has_is_counted),
    TEST(test_receive_puts_the_outer_tag_back),
    TEST(test_receive_takes_the_kernels_offloads),
    TEST(test_receive_passes_over_what_does_not_fit_or_is_no_ip),
    TEST(test_forwarder_receives_frames_without_ip_as_all_header),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/*
 * AF_PACKET's receive ring of frames, written by hand, and the queue of those
 * that are longer than its own.  The kernel's: tests/netns/test_packet.py.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "frames.h"

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <unistd.h>

#include "../../csrc/link/split.h"

enum {
    MAC_AT = 96, /* from the frame's header to the frame */
    RING_FRAME = 512,
    RING_FRAMES = 16
};

/* C11 has no way to say that a byte array may hold the kernel's structures. */
static union {
    uint64_t alignment;
    uint8_t bytes[RING_FRAME * RING_FRAMES];
} shared;

static struct test_ring ring;
static struct link_packet link_;
static int peer;

static void
start(void)
{
    int fds[2];
    frames_pair(fds);
    ring_clear(&ring);
    memset(&shared, 0, sizeof shared);
    link_ = (struct link_packet){.fd = fds[0],
                                 .route = {.fd4 = -1, .fd6 = -1},
                                 .frame_size = RING_FRAME,
                                 .frames = RING_FRAMES,
                                 .memory = shared.bytes};
    peer = fds[1];
}

static void
stop(void)
{
    close(link_.fd);
    close(peer);
}

/* Hands a frame over as the kernel does. */
static struct tpacket2_hdr *
deliver(uint32_t i, const uint8_t *frame, uint32_t size, uint32_t status)
{
    struct tpacket2_hdr *header = (void *)(shared.bytes + i * RING_FRAME);
    header->tp_snaplen = header->tp_len = size;
    header->tp_mac = MAC_AT;
    memcpy((uint8_t *)header + MAC_AT, frame, size);
    header->tp_status = TP_STATUS_USER | status;
    return header;
}

static void
test_ring_of_frames_hands_each_over_at_once_and_goes_round(void)
{
    /* The frame behind it is still the kernel's. */
    start();
    for (uint32_t i = 0; i < 2 * RING_FRAMES + 1; i++) {
        ring.ring.count = 0;
        EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
        struct tpacket2_hdr *header =
            deliver(i % RING_FRAMES, frames_marked((uint8_t)i), FRAME_SIZE, 0);
        EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
        EXPECT_EQ(TP_STATUS_KERNEL, header->tp_status);
        EXPECT_EQ(ETHERNET, ring.slot[0].link_size);
        EXPECT_EQ(40, ring.slot[0].size);
        EXPECT_BYTES(frames_marked((uint8_t)i), ring.memory, FRAME_SIZE);
    }
    EXPECT_EQ(2 * RING_FRAMES + 1, link_.received);
    stop();
}

static void
test_ring_of_frames_is_left_where_the_slots_end(void)
{
    /* The rest comes with the next call, in order. */
    start();
    for (uint32_t i = 0; i <= RING_SLOTS; i++)
        deliver(i, frames_marked((uint8_t)i), FRAME_SIZE, 0);
    EXPECT_EQ(RING_SLOTS, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    ring.ring.count = 0;
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_BYTES(frames_marked(RING_SLOTS), ring.memory, FRAME_SIZE);
    stop();
}

static void
test_ring_of_frames_puts_the_outer_tag_back(void)
{
    /* Offloads do not count it. */
    static const uint8_t tag[] = {0x88, 0xa8, 0x20, 7};
    struct virtio_net_hdr offloads = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .csum_start = ETHERNET + 20,
                                      .csum_offset = 16};
    start();
    struct tpacket2_hdr *header =
        deliver(0, frames_marked(1), FRAME_SIZE,
                TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID);
    header->tp_vlan_tpid = 0x88a8;
    header->tp_vlan_tci = 0x2007;
    memcpy((uint8_t *)header + MAC_AT - sizeof offloads, &offloads,
           sizeof offloads);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(ETHERNET + 4, ring.slot[0].link_size);
    EXPECT_EQ(40, ring.slot[0].size);
    EXPECT_EQ(20, ring.slot[0].csum_start);
    EXPECT_BYTES(tag, ring.memory + 12, sizeof tag);
    EXPECT_BYTES(frames_marked(1) + 12, ring.memory + 16, FRAME_SIZE - 12);
    stop();
}

/* Puts a frame into the socket's queue, offloads in front. */
static void
queue(const struct virtio_net_hdr *offloads, const uint8_t *frame,
      uint32_t size)
{
    uint8_t bytes[sizeof *offloads + 2 * RING_SLOT_SIZE];
    memcpy(bytes, offloads, sizeof *offloads);
    memcpy(bytes + sizeof *offloads, frame, size);
    EXPECT_EQ(sizeof *offloads + size,
              (size_t)write(peer, bytes, sizeof *offloads + size));
}

static void
test_frame_longer_than_the_rings_is_read_from_the_queue(void)
{
    /* The ring has its beginning only; order and offloads are kept. */
    static uint8_t large[RING_SLOT_SIZE] = {[12] = 8, 0, 0x45};
    struct virtio_net_hdr offloads = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                      .gso_size = 1400,
                                      .csum_start = ETHERNET + 20,
                                      .csum_offset = 16};
    const uint32_t size = RING_SLOT_SIZE - 4;
    large[size - 1] = 77;
    start();
    queue(&offloads, large, size);
    deliver(0, frames_marked(1), FRAME_SIZE, 0);
    deliver(1, large, FRAME_SIZE, TP_STATUS_COPY)->tp_len = size;
    deliver(2, frames_marked(2), FRAME_SIZE, 0);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    EXPECT_BYTES(large, ring.memory + RING_SLOT_SIZE, size);
    EXPECT_EQ(size - ETHERNET, ring.slot[1].size);
    EXPECT_EQ(1400, ring.slot[1].gso_size);
    EXPECT_EQ(20, ring.slot[1].csum_start);
    EXPECT_BYTES(frames_marked(2), ring.memory + 2 * RING_SLOT_SIZE,
                 FRAME_SIZE);
    stop();
}

static void
test_frame_of_the_queue_stays_within_the_last_slot(void)
{
    static const uint8_t large[RING_SLOT_SIZE - 4] = {[12] = 8, 0, 0x45};
    const struct virtio_net_hdr none = {0};
    start();
    queue(&none, large, sizeof large);
    for (uint32_t i = 0; i + 1 < RING_SLOTS; i++)
        deliver(i, frames_marked(1), FRAME_SIZE, 0);
    deliver(RING_SLOTS - 1, large, FRAME_SIZE, TP_STATUS_COPY);
    EXPECT_EQ(RING_SLOTS, link_packet_receive(&link_, &ring.ring));
    stop();
}

static void
test_frame_of_the_ring_leaves_room_for_a_tag(void)
{
    /* To the byte; of the queue one without a type is no IP, and not too large. */
    static const uint8_t large[RING_SLOT_SIZE] = {[12] = 8, 0, 0x45};
    const struct virtio_net_hdr none = {0};
    start();
    deliver(0, large, RING_SLOT_SIZE - 3, 0);
    deliver(1, large, RING_SLOT_SIZE - 4, 0);
    queue(&none, large, 12);
    deliver(2, large, 12, TP_STATUS_COPY);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    EXPECT_EQ(1, link_.skipped);
    stop();
}

static void
test_longest_slot_that_takes_the_rest_from_beside_it(void)
{
    /* With a tag it ends where the room begins; one of a byte more has no room. */
    enum { LONGEST = SPLIT_MARGIN - 4, LONG = LONGEST + 100 };
    static uint8_t beside[SPLIT_MARGIN + 1024], memory[SPLIT_MARGIN];
    static uint8_t bytes[sizeof(struct virtio_net_hdr) + LONG];
    const struct virtio_net_hdr offloads = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .gso_size = 1000};
    memcpy(bytes, &offloads, sizeof offloads);
    memcpy(bytes + sizeof offloads, frames_marked(0), FRAME_SIZE);
    for (uint32_t more = 0; more < 2; more++) {
        struct syncache_slot slot = {0};
        struct syncache_ring one = {.memory = memory,
                                    .slot = &slot,
                                    .slots = 1,
                                    .slot_size = LONGEST + more};
        start();
        link_.split.memory = beside;
        link_.split.memory_size = sizeof beside;
        EXPECT_EQ(sizeof bytes, (size_t)write(peer, bytes, sizeof bytes));
        deliver(0, frames_marked(0), FRAME_SIZE, TP_STATUS_COPY);
        EXPECT_EQ(1 - more, (uint32_t)link_packet_receive(&link_, &one));
        EXPECT_EQ(more, link_.too_large);
        stop();
    }
}

static void
test_frame_that_no_queue_or_slot_holds_is_counted(void)
{
    /* Whatever the queue has for it is gone from there. */
    static const uint8_t large[2 * RING_SLOT_SIZE] = {0};
    const struct virtio_net_hdr none = {0};
    start();
    queue(&none, large, sizeof large);
    queue(&none, large, 5);
    deliver(0, large, FRAME_SIZE, TP_STATUS_COPY);
    deliver(1, large, FRAME_SIZE, TP_STATUS_COPY);
    deliver(2, large, FRAME_SIZE, TP_STATUS_COPY);
    deliver(3, large, FRAME_SIZE, 0)->tp_len = FRAME_SIZE + 1;
    deliver(4, frames_marked(9), FRAME_SIZE, 0);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(9, ring.memory[FRAME_SIZE - 1]);
    EXPECT_EQ(3, link_.too_large);
    EXPECT_EQ(1, link_.unkept);
    stop();
}

static const struct test tests[] = {
    TEST(test_ring_of_frames_hands_each_over_at_once_and_goes_round),
    TEST(test_ring_of_frames_is_left_where_the_slots_end),
    TEST(test_ring_of_frames_puts_the_outer_tag_back),
    TEST(test_frame_longer_than_the_rings_is_read_from_the_queue),
    TEST(test_frame_of_the_queue_stays_within_the_last_slot),
    TEST(test_frame_of_the_ring_leaves_room_for_a_tag),
    TEST(test_longest_slot_that_takes_the_rest_from_beside_it),
    TEST(test_frame_that_no_queue_or_slot_holds_is_counted),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

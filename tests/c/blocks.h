/* A ring of blocks of AF_PACKET, written by hand, and a link that reads it: for the
 * units of packet sockets. */
#ifndef SYNCACHE_TEST_BLOCKS_H
#define SYNCACHE_TEST_BLOCKS_H

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

static inline void
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

static inline void
stop(void)
{
    close(link_.fd);
    close(peer);
}

static inline struct tpacket_block_desc *
block(uint32_t i)
{
    return (void *)(shared.bytes + (size_t)i * BLOCK_SIZE);
}

/* Appends a frame to a block that is still the kernel's. */
static inline struct tpacket3_hdr *
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

static inline void
hand_over(uint32_t i)
{
    block(i)->hdr.bh1.block_status = TP_STATUS_USER;
}

/* A super-segment of three segments of 40 bytes, longer than a slot; its bytes. */
static inline const uint8_t *
long_frame(void)
{
    static uint8_t frame[FRAME_SIZE + 120];
    memcpy(frame, frames_marked(0), FRAME_SIZE);
    for (uint32_t i = 0; i < 120; i++)
        frame[FRAME_SIZE + i] = (uint8_t)(i + 1);
    return frame;
}

/* Hands it over, cut off behind `kept` bytes, to a link with room beside. */
static inline void
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

#endif

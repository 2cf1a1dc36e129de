/*
 * AF_PACKET's queue beside a ring of blocks, for frames that no block holds: which
 * frame of it is meant, and what the kernel says of it beside.
 */
#define _DEFAULT_SOURCE

#include "blocks.h"

/* The kernel: how often it is interrupted, and what it says beside a frame. */
static unsigned interrupted;
static struct tpacket_auxdata known;
static struct {
    size_t size;
    int level, type;
} beside;

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
    uint8_t bytes[2048];
    struct cmsghdr *part = message->msg_control;
    size_t at = 0;
    errno = EINTR;
    if (interrupted > 0) {
        interrupted--;
        return -1;
    }
    ssize_t got = recv(fd, bytes, sizeof bytes, flags);
    if (got < 0)
        return got;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        size_t more = (size_t)got - at;
        if (more > message->msg_iov[i].iov_len)
            more = message->msg_iov[i].iov_len;
        memcpy(message->msg_iov[i].iov_base, bytes + at, more);
        at += more;
    }
    message->msg_flags = at < (size_t)got ? MSG_TRUNC : 0;
    EXPECT_TRUE(message->msg_controllen >= CMSG_SPACE(sizeof known));
    message->msg_controllen = beside.size;
    part->cmsg_len = beside.size;
    part->cmsg_level = beside.level;
    part->cmsg_type = beside.type;
    memcpy(CMSG_DATA(part), &known, sizeof known);
    return got;
}

/* A kernel that says nothing beside. */
static void
deliver(uint32_t kept)
{
    deliver_long(kept, 0);
    memset(&known, 0, sizeof known);
    beside.size = CMSG_LEN(sizeof known);
    beside.level = SOL_PACKET;
    beside.type = PACKET_AUXDATA;
    interrupted = 0;
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
    deliver(SIZE - 70);
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
    deliver(FRAME_SIZE + 40);
    link_.queue_fd = fds[0];
    queue(fds[1], frames_marked(1), FRAME_SIZE);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    EXPECT_EQ(-1, recv(fds[0], shared.bytes, 1, MSG_DONTWAIT));
    stop();
    close(fds[0]);
    close(fds[1]);
}

/* Receives a long frame from the queue beside; returns the first piece. */
static const uint8_t *
receive_queued(void)
{
    enum { SIZE = FRAME_SIZE + 120 };
    int fds[2];
    frames_pair(fds);
    link_.queue_fd = fds[0];
    queue(fds[1], long_frame(), SIZE);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    stop();
    close(fds[0]);
    close(fds[1]);
    return ring.memory;
}

static void
test_frame_from_the_queue_has_its_tag_and_addresses(void)
{
    /* In each of its pieces; offloads do not count it. */
    static const uint8_t tag[] = {0x88, 0xa8, 0x20, 7};
    deliver(FRAME_SIZE);
    known.tp_status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
    known.tp_vlan_tpid = 0x88a8;
    known.tp_vlan_tci = 0x2007;
    const uint8_t *piece = receive_queued();
    for (uint32_t i = 0; i < 3; i++, piece += RING_SLOT_SIZE) {
        EXPECT_BYTES(long_frame(), piece, 12);
        EXPECT_BYTES(tag, piece + 12, sizeof tag);
        EXPECT_BYTES(long_frame() + 12, piece + 16, 4);
        EXPECT_BYTES(long_frame() + FRAME_SIZE + 40 * i, piece + FRAME_SIZE + 4,
                     40);
        EXPECT_EQ(ETHERNET + 4, ring.slot[i].link_size);
        EXPECT_EQ(20, ring.slot[i].csum_start);
    }
}

static void
test_frame_from_the_queue_that_fits_a_slot_has_its_tag(void)
{
    enum { SIZE = FRAME_SIZE + 40 };
    int fds[2];
    frames_pair(fds);
    deliver(FRAME_SIZE);
    ((struct tpacket3_hdr *)(void *)(shared.bytes + 64))->tp_len = SIZE;
    known.tp_status = TP_STATUS_VLAN_VALID;
    link_.queue_fd = fds[0];
    queue(fds[1], long_frame(), SIZE);
    EXPECT_EQ(1, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(ETHERNET + 4, ring.slot[0].link_size);
    EXPECT_EQ(SIZE - ETHERNET, ring.slot[0].size);
    EXPECT_BYTES(long_frame() + 12, ring.memory + 16, SIZE - 12);
    stop();
    close(fds[0]);
    close(fds[1]);
}

static void
test_other_messages_of_the_kernel_are_no_tags(void)
{
    /* Of another level or type, or shorter. */
    const struct {
        size_t size;
        int level, type;
    } others[] = {
        {CMSG_LEN(sizeof known), SOL_SOCKET, PACKET_AUXDATA},
        {CMSG_LEN(sizeof known), SOL_PACKET, PACKET_AUXDATA + 1},
        {CMSG_LEN(sizeof known - 1), SOL_PACKET, PACKET_AUXDATA},
        {0, SOL_PACKET, PACKET_AUXDATA},
    };
    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        deliver(FRAME_SIZE);
        known.tp_status = TP_STATUS_VLAN_VALID;
        beside.size = others[i].size;
        beside.level = others[i].level;
        beside.type = others[i].type;
        EXPECT_BYTES(long_frame(), receive_queued(), ETHERNET);
    }
}

/* Expects the long frame of the queue to be lost, and counted. */
static void
expect_lost(void)
{
    int fds[2];
    frames_pair(fds);
    link_.queue_fd = fds[0];
    queue(fds[1], long_frame(), FRAME_SIZE + 120);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    stop();
    close(fds[0]);
    close(fds[1]);
}

static void
test_long_frame_without_room_beside_is_counted(void)
{
    deliver(FRAME_SIZE);
    link_.split.memory = NULL;
    link_.split.memory_size = 0;
    expect_lost();
}

static void
test_addresses_alone_do_not_tell_a_frame(void)
{
    deliver(12);
    expect_lost();
}

static void
test_interrupted_read_of_the_queue_is_repeated(void)
{
    deliver(FRAME_SIZE);
    interrupted = 2;
    EXPECT_BYTES(long_frame(), receive_queued(), ETHERNET);
    EXPECT_EQ(0, interrupted);
}

static void
test_queue_may_be_descriptor_0(void)
{
    /* A daemon has closed its standard input. */
    int fds[2];
    frames_pair(fds);
    dup2(fds[0], 0);
    close(fds[0]);
    deliver(FRAME_SIZE);
    link_.queue_fd = 0;
    queue(fds[1], long_frame(), FRAME_SIZE + 120);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    stop();
    close(fds[1]);
}

static void
test_long_frame_of_the_queue_that_cannot_be_cut_is_counted(void)
{
    /* It is UDP. */
    uint8_t frame[FRAME_SIZE + 120];
    int fds[2];
    memcpy(frame, long_frame(), sizeof frame);
    frame[23] = 17;
    frame[27] = 0x50; /* as long as a header of TCP, if it were one */
    frames_pair(fds);
    deliver(FRAME_SIZE);
    ((uint8_t *)block(0))[64 + MAC_AT + 23] = 17;
    ((uint8_t *)block(0))[64 + MAC_AT + 27] = 0x50;
    link_.queue_fd = fds[0];
    queue(fds[1], frame, sizeof frame);
    EXPECT_EQ(0, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.too_large);
    stop();
    close(fds[0]);
    close(fds[1]);
}

static void
test_empty_message_of_the_queue_is_no_frame(void)
{
    int fds[2];
    uint8_t none = 0;
    frames_pair(fds);
    deliver(FRAME_SIZE);
    link_.queue_fd = fds[0];
    EXPECT_EQ(0, send(fds[1], &none, 0, 0));
    queue(fds[1], long_frame(), FRAME_SIZE + 120);
    EXPECT_EQ(3, link_packet_receive(&link_, &ring.ring));
    EXPECT_EQ(0, link_.too_large);
    stop();
    close(fds[0]);
    close(fds[1]);
}

static const struct test tests[] = {
    TEST(test_frame_longer_than_a_block_is_read_from_the_queue_beside),
    TEST(test_frame_longer_than_a_block_that_no_queue_has_is_counted),
    TEST(test_frame_from_the_queue_has_its_tag_and_addresses),
    TEST(test_frame_from_the_queue_that_fits_a_slot_has_its_tag),
    TEST(test_other_messages_of_the_kernel_are_no_tags),
    TEST(test_long_frame_without_room_beside_is_counted),
    TEST(test_addresses_alone_do_not_tell_a_frame),
    TEST(test_interrupted_read_of_the_queue_is_repeated),
    TEST(test_queue_may_be_descriptor_0),
    TEST(test_long_frame_of_the_queue_that_cannot_be_cut_is_counted),
    TEST(test_empty_message_of_the_queue_is_no_frame),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

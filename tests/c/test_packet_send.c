/*
 * The AF_PACKET calls that send, over a pair of datagram sockets.  The kernel's
 * own link: tests/netns/test_packet.py.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "frames.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <unistd.h>

#include "../../csrc/link/batch.h"

static struct test_ring ring;
static struct link_packet link_;
static int peer;
static uint32_t passed[RING_SLOTS];

/* The kernel: what it takes of the next calls, frames or -errno; 0: all. */
static int answers[2 * BATCH_MAX];
static uint32_t answer;

int
sendmmsg(int fd, struct mmsghdr *message, unsigned count, int flags)
{
    int most = answer < TEST_COUNT(answers) ? answers[answer++] : 0;
    unsigned sent = 0;
    EXPECT_TRUE((flags & MSG_DONTWAIT) && count <= BATCH_MAX);
    if (most < 0) {
        errno = -most;
        return -1;
    }
    for (; sent < count && (most == 0 || sent < (unsigned)most); sent++)
        if (sendmsg(fd, &message[sent].msg_hdr, flags) < 0)
            return sent > 0 ? (int)sent : -1;
    return (int)sent;
}

static void
start(void)
{
    int fds[2];
    frames_pair(fds);
    ring_clear(&ring);
    ring.ring.passed = passed;
    memset(answers, 0, sizeof answers);
    answer = 0;
    link_ = (struct link_packet){
        .fd = fds[0], .queue_fd = -1, .route = {.fd4 = -1, .fd6 = -1}};
    peer = fds[1];
}

static void
stop(void)
{
    close(link_.fd);
    close(peer);
}

/* Reads what was sent: a header of offloads, then the frame. */
static void
expect_sent(const struct virtio_net_hdr *offloads, const uint8_t *frame)
{
    uint8_t bytes[sizeof *offloads + FRAME_SIZE + 1];
    EXPECT_EQ(sizeof *offloads + FRAME_SIZE,
              (size_t)read(peer, bytes, sizeof bytes));
    EXPECT_BYTES((const uint8_t *)offloads, bytes, sizeof *offloads);
    EXPECT_BYTES(frame, bytes + sizeof *offloads, FRAME_SIZE);
}

static struct syncache_slot *
push(uint8_t mark, uint16_t request)
{
    struct syncache_slot *slot =
        ring_push(&ring, frames_marked(mark), FRAME_SIZE);
    slot->link_size = ETHERNET;
    slot->size = FRAME_SIZE - ETHERNET;
    slot->checksum = SYNCACHE_CHECKSUM_VALID;
    slot->request = request;
    return slot;
}

static void
test_send_turns_a_reply_round_and_nothing_else(void)
{
    /* A forwarder's replies have the right header already. */
    const struct virtio_net_hdr none = {0};
    uint8_t turned[FRAME_SIZE];
    memcpy(turned, frames_marked(7), FRAME_SIZE);
    memset(turned, 2, 6);
    memset(turned + 6, 1, 6);
    start();
    push(7, 0);
    push(8, UINT16_MAX);
    EXPECT_EQ(2, link_packet_send(&link_, &ring.ring));
    expect_sent(&none, turned);
    expect_sent(&none, frames_marked(8));
    link_.forward = 1;
    push(9, 0);
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    expect_sent(&none, frames_marked(9));
    EXPECT_EQ(3, link_.sent);
    stop();
}

static void
test_send_describes_what_is_left_to_the_kernel(void)
{
    /* A partial checksum, counted from the begin of the frame. */
    const struct virtio_net_hdr offloads = {.flags =
                                                VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                            .csum_start = ETHERNET + 20,
                                            .csum_offset = 16};
    start();
    push(1, UINT16_MAX)->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    expect_sent(&offloads, frames_marked(1));
    stop();
}

static void
test_send_counts_what_is_refused_and_goes_on(void)
{
    /* A super-segment without partial checksum makes no sense. */
    const struct virtio_net_hdr none = {0};
    start();
    push(1, UINT16_MAX)->gso_size = 10;
    push(2, UINT16_MAX);
    EXPECT_EQ(2, link_packet_send(&link_, &ring.ring));
    expect_sent(&none, frames_marked(2));
    EXPECT_EQ(1, link_.send_failed);
    EXPECT_EQ(1, link_.sent);
    stop();
}

static void
test_send_waits_while_the_kernel_takes_no_more(void)
{
    /* The frame that waits is turned round only once. */
    start();
    uint8_t turned[FRAME_SIZE];
    uint32_t count = 0;
    do {
        ring_clear(&ring);
        push(7, 0);
        count++;
    } while (link_packet_send(&link_, &ring.ring) == 1);
    EXPECT_EQ(0, link_packet_send(&link_, &ring.ring));
    memcpy(turned, ring.memory, FRAME_SIZE);
    EXPECT_EQ(2, turned[0]);
    for (uint8_t bytes[100]; count > 1; count--)
        EXPECT_TRUE(read(peer, bytes, sizeof bytes) > 0);
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    const struct virtio_net_hdr none = {0};
    expect_sent(&none, turned);
    stop();
}

static void
test_send_to_a_device_that_is_gone_says_so(void)
{
    /* What was not sent stays. */
    start();
    push(1, UINT16_MAX);
    stop();
    EXPECT_EQ((uint32_t)-ENODEV,
              (uint32_t)link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(0, ring.ring.next);
    ring.ring.passed_count = 1;
    passed[0] = 0;
    EXPECT_EQ((uint32_t)-ENODEV,
              (uint32_t)link_packet_forward(&link_, &ring.ring));
}

static void
test_forward_sends_the_passed_frames_in_order(void)
{
    /* As they are, whatever they answer. */
    const struct virtio_net_hdr none = {0};
    start();
    for (uint8_t i = 0; i < 4; i++)
        push(i, 0);
    ring.slot[2].gso_size = 10;
    passed[0] = 0;
    passed[1] = 2;
    passed[2] = 3;
    ring.ring.passed_count = 3;
    EXPECT_EQ(2, link_packet_forward(&link_, &ring.ring));
    expect_sent(&none, frames_marked(0));
    expect_sent(&none, frames_marked(3));
    EXPECT_EQ(2, link_.sent);
    EXPECT_EQ(1, link_.send_failed);
    ring.ring.passed_count = 0;
    EXPECT_EQ(0, link_packet_forward(&link_, &ring.ring));
    stop();
}

static void
test_error_of_the_link_is_kept_and_of_one_destination_is_not(void)
{
    start();
    push(1, UINT16_MAX);
    push(2, UINT16_MAX);
    answers[0] = -EHOSTUNREACH;
    EXPECT_EQ(2, link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(0, link_.send_error);
    EXPECT_EQ(1, link_.send_failed);
    push(3, UINT16_MAX);
    answers[answer] = -ENOBUFS;
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(ENOBUFS, link_.send_error);
    stop();
}

static void
test_frame_that_cannot_be_described_is_an_error_of_ours(void)
{
    start();
    push(1, UINT16_MAX)->gso_size = 10;
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(EINVAL, link_.send_error);
    stop();
}

static void
test_packet_without_link_header_goes_by_the_route(void)
{
    /* Behind a frame, by itself; what one destination refuses is no error. */
    const struct virtio_net_hdr none = {0};
    start();
    push(1, UINT16_MAX);
    push(2, UINT16_MAX)->link_size = 0;
    memmove(ring.memory + RING_SLOT_SIZE,
            ring.memory + RING_SLOT_SIZE + ETHERNET, FRAME_SIZE - ETHERNET);
    link_.route.fd4 = link_.fd;
    answers[1] = -EHOSTUNREACH;
    EXPECT_EQ(2, link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(1, link_.sent);
    EXPECT_EQ(1, link_.send_failed);
    EXPECT_EQ(0, link_.send_error);
    expect_sent(&none, frames_marked(1));
    EXPECT_EQ(-1, recv(peer, ring.memory, 1, MSG_DONTWAIT));
    stop();
}

static void
test_send_to_a_device_that_goes_keeps_the_rest(void)
{
    start();
    push(1, UINT16_MAX);
    push(2, UINT16_MAX);
    answers[0] = 1;
    answers[1] = -ENODEV;
    EXPECT_EQ(1, link_packet_send(&link_, &ring.ring));
    EXPECT_EQ(1, ring.ring.next);
    EXPECT_EQ(0, link_.send_error);
    stop();
}

static void
test_forward_goes_on_behind_what_the_kernel_took(void)
{
    /* In order, none twice. */
    const struct virtio_net_hdr none = {0};
    start();
    for (uint8_t i = 0; i < 4; i++) {
        push(i, 0);
        passed[i] = i;
    }
    ring.ring.passed_count = 4;
    answers[0] = 1;
    answers[1] = 2;
    EXPECT_EQ(4, link_packet_forward(&link_, &ring.ring));
    for (uint8_t i = 0; i < 4; i++)
        expect_sent(&none, frames_marked(i));
    EXPECT_EQ(4, link_.sent);
    EXPECT_EQ(0, link_.send_failed);
    EXPECT_EQ(-1, recv(peer, ring.memory, 1, MSG_DONTWAIT));
    stop();
}

static void
test_forward_passes_over_a_refused_frame(void)
{
    const struct virtio_net_hdr none = {0};
    start();
    for (uint8_t i = 0; i < 3; i++) {
        push(i, 0);
        passed[i] = i;
    }
    ring.ring.passed_count = 3;
    answers[0] = 1;
    answers[1] = -EMSGSIZE;
    EXPECT_EQ(2, link_packet_forward(&link_, &ring.ring));
    expect_sent(&none, frames_marked(0));
    expect_sent(&none, frames_marked(2));
    EXPECT_EQ(1, link_.send_failed);
    EXPECT_EQ(0, link_.send_error);
    answer = 0;
    answers[0] = 2;
    EXPECT_EQ(2, link_packet_forward(&link_, &ring.ring));
    EXPECT_EQ(EMSGSIZE, link_.send_error);
    stop();
}

static void
test_forward_of_more_than_one_batch_sends_all(void)
{
    /* Also if the first of them is refused as a whole. */
    enum { COUNT = BATCH_MAX + 1 };
    static uint8_t memory[COUNT * RING_SLOT_SIZE];
    static struct syncache_slot slots[COUNT];
    static uint32_t all[COUNT];
    const struct virtio_net_hdr none = {0};
    start();
    struct syncache_ring many = {.memory = memory,
                                 .slot = slots,
                                 .slots = COUNT,
                                 .slot_size = RING_SLOT_SIZE,
                                 .count = COUNT,
                                 .passed = all,
                                 .passed_count = COUNT};
    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(memory + i * RING_SLOT_SIZE, frames_marked((uint8_t)i),
               FRAME_SIZE);
        slots[i] = (struct syncache_slot){.link_size = ETHERNET,
                                          .size = FRAME_SIZE - ETHERNET,
                                          .checksum = SYNCACHE_CHECKSUM_VALID};
        all[i] = i;
        answers[i] = i < BATCH_MAX ? -EMSGSIZE : 0;
    }
    EXPECT_EQ(1, link_packet_forward(&link_, &many));
    expect_sent(&none, frames_marked(BATCH_MAX));
    EXPECT_EQ(BATCH_MAX, link_.send_failed);
    EXPECT_EQ(1, link_.sent);
    answers[answer] = BATCH_MAX;
    EXPECT_TRUE(link_packet_send(&link_, &many) > 0);
    stop();
}

static const struct test tests[] = {
    TEST(test_send_turns_a_reply_round_and_nothing_else),
    TEST(test_send_describes_what_is_left_to_the_kernel),
    TEST(test_send_counts_what_is_refused_and_goes_on),
    TEST(test_send_waits_while_the_kernel_takes_no_more),
    TEST(test_send_to_a_device_that_is_gone_says_so),
    TEST(test_forward_sends_the_passed_frames_in_order),
    TEST(test_error_of_the_link_is_kept_and_of_one_destination_is_not),
    TEST(test_frame_that_cannot_be_described_is_an_error_of_ours),
    TEST(test_packet_without_link_header_goes_by_the_route),
    TEST(test_send_to_a_device_that_goes_keeps_the_rest),
    TEST(test_forward_goes_on_behind_what_the_kernel_took),
    TEST(test_forward_passes_over_a_refused_frame),
    TEST(test_forward_of_more_than_one_batch_sends_all),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

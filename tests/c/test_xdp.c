/*
 * The AF_XDP calls over rings in the test's own memory, with a sendto() that
 * stands for the kernel.  The kernel's own rings: tests/netns/test_xdp.py.
 */
#undef _GNU_SOURCE /* its sendto() takes a union of pointers */
#define _DEFAULT_SOURCE

#include "ring.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAMES = 4,
    UMEM_FRAME = 256,
    HEADROOM = 32, /* of the kernel's, in front of what it received */
    ETHERNET = 14,
    FRAME_SIZE = ETHERNET + 40
};

static struct kernel_ring {
    uint32_t producer, consumer, flags;
    union {
        uint64_t address[FRAMES];
        struct xdp_desc descriptor[FRAMES];
    };
} rx, tx, fill, completion;

static uint8_t umem[2 * FRAMES * UMEM_FRAME];
static uint64_t unused[FRAMES];
static struct test_ring ring;
static struct link_xdp link_;
static uint32_t passed[RING_SLOTS];

/* The kernel: how many frames it sends a call, or -errno; and what it sent. */
static int budget;
static uint8_t sent[16][FRAME_SIZE];
static uint32_t sent_count;

ssize_t
sendto(int fd, const void *data, size_t size, int flags,
       const struct sockaddr *to, socklen_t to_size)
{
    (void)fd, (void)data, (void)size, (void)to, (void)to_size;
    EXPECT_TRUE(flags & MSG_DONTWAIT);
    if (budget < 0) {
        errno = -budget;
        return -1;
    }
    for (int i = 0; i < budget && tx.consumer != tx.producer; i++) {
        struct xdp_desc *at = &tx.descriptor[tx.consumer++ % FRAMES];
        memcpy(sent[sent_count++], umem + at->addr, FRAME_SIZE);
        completion.address[completion.producer++ % FRAMES] = at->addr;
    }
    if (tx.consumer == tx.producer)
        return 0;
    errno = EAGAIN;
    return -1;
}

static struct link_xdp_ring
view(struct kernel_ring *of)
{
    memset(of, 0, sizeof *of);
    return (struct link_xdp_ring){.producer = &of->producer,
                                  .consumer = &of->consumer,
                                  .flags = &of->flags,
                                  .entries = of->address,
                                  .mask = FRAMES - 1};
}

static void
start(void)
{
    ring_clear(&ring);
    ring.ring.passed = passed;
    memset(umem, 0, sizeof umem);
    link_ = (struct link_xdp){.route = {.fd4 = -1, .fd6 = -1},
                              .fd = socket(AF_UNIX, SOCK_DGRAM, 0),
                              .rx = view(&rx),
                              .tx = view(&tx),
                              .fill = view(&fill),
                              .completion = view(&completion),
                              .frame_size = UMEM_FRAME,
                              .frames = FRAMES,
                              .umem = umem,
                              .unused = unused};
    tx.flags = XDP_RING_NEED_WAKEUP;
    budget = FRAMES;
    sent_count = 0;
    link_xdp_begin(&link_);
}

static void
stop(void)
{
    close(link_.fd);
}

/* An IPv4 TCP packet in a frame; `mark` is its last byte. */
static uint8_t *
frame_marked(uint8_t mark)
{
    static uint8_t frame[FRAME_SIZE] = {1,  1,          1,    1, 1,         1,
                                        2,  2,          2,    2, 2,         2,
                                        8,  0,          0x45, 0, 0,         40,
                                        64, [23] = 6,   10,   0, [26] = 10, 0,
                                        0,  1,          10,   0, 0,         2,
                                        4,  [46] = 0x50};
    frame[FRAME_SIZE - 1] = mark;
    return frame;
}

/* The kernel receives a frame into the next one that it was given. */
static void
arrive(const uint8_t *frame, uint32_t size)
{
    EXPECT_TRUE(fill.consumer != fill.producer);
    uint64_t at = fill.address[fill.consumer++ % FRAMES] + HEADROOM;
    memcpy(umem + at, frame, size);
    rx.descriptor[rx.producer++ % FRAMES] =
        (struct xdp_desc){.addr = at, .len = size};
}

static void
test_kernel_begins_with_half_of_the_frames(void)
{
    /* The other half is for sending; none is in both. */
    start();
    EXPECT_EQ(FRAMES, fill.producer);
    EXPECT_EQ(FRAMES, link_.unused_count);
    for (uint64_t i = 0; i < FRAMES; i++) {
        EXPECT_EQ(i * UMEM_FRAME, fill.address[i]);
        EXPECT_EQ((FRAMES + i) * UMEM_FRAME, unused[i]);
    }
    stop();
}

static void
test_received_frames_go_back_to_the_kernel_at_once(void)
{
    /* Many times round, so every index wraps. */
    start();
    for (uint8_t n = 0; n < 100; n++) {
        arrive(frame_marked(n), FRAME_SIZE);
        ring.ring.count = 0;
        EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
        EXPECT_EQ(ETHERNET, ring.slot[0].link_size);
        EXPECT_EQ(40, ring.slot[0].size);
        EXPECT_EQ(n, ring.memory[FRAME_SIZE - 1]);
        EXPECT_EQ(FRAMES, fill.producer - fill.consumer);
    }
    EXPECT_EQ(0, fill.address[0] % UMEM_FRAME);
    EXPECT_EQ(100, link_.received);
    stop();
}

static void
test_receive_into_a_full_ring_leaves_frames_with_the_kernel(void)
{
    /* They come with the next call. */
    start();
    for (uint8_t i = 0; i < FRAMES; i++)
        arrive(frame_marked(i), FRAME_SIZE);
    ring.ring.slots = 3;
    EXPECT_EQ(3, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(0, link_xdp_receive(&link_, &ring.ring));
    ring.ring.count = 0;
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(3, ring.memory[FRAME_SIZE - 1]);
    stop();
}

static void
test_receive_passes_over_what_does_not_fit_or_is_no_ip(void)
{
    /* Each is counted, and its frame of umem goes back. */
    static const uint8_t arp[60] = {[12] = 8, 6}, large[RING_SLOT_SIZE + 1];
    start();
    arrive(arp, sizeof arp);
    arrive(large, sizeof large);
    arrive(frame_marked(9), FRAME_SIZE);
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(9, ring.memory[FRAME_SIZE - 1]);
    EXPECT_EQ(1, link_.skipped);
    EXPECT_EQ(1, link_.too_large);
    EXPECT_EQ(FRAMES, fill.producer - fill.consumer);
    link_.forward = 1; /* then it comes as all link header */
    arrive(arp, sizeof arp);
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(60, ring.slot[1].link_size);
    EXPECT_EQ(0, ring.slot[1].size);
    stop();
}

static void
test_sum_of_the_pseudo_header_is_a_partial_checksum(void)
{
    /* Only where senders are local, in a whole packet without padding. */
    const uint32_t sum = 0x0a00 + 1 + 0x0a00 + 2 + 6 + 20;
    uint8_t *frame = frame_marked(0);
    for (int local = 0; local < 2; local++) {
        start();
        link_.partial = (uint32_t)local;
        frame[ETHERNET + 36] = (uint8_t)(sum >> 8);
        frame[ETHERNET + 37] = (uint8_t)sum;
        arrive(frame, FRAME_SIZE);
        frame[ETHERNET + 37]++;
        arrive(frame, FRAME_SIZE);
        frame[ETHERNET + 37]--;
        frame[ETHERNET + 9] = 17;
        arrive(frame, FRAME_SIZE);
        frame[ETHERNET + 9] = 6;
        EXPECT_EQ(3, link_xdp_receive(&link_, &ring.ring));
        EXPECT_EQ(local ? SYNCACHE_CHECKSUM_PARTIAL : SYNCACHE_CHECKSUM_VERIFY,
                  ring.slot[0].checksum);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[1].checksum);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[2].checksum);
        stop();
    }
    frame[ETHERNET + 36] = frame[ETHERNET + 37] = 0;
}

static void
test_partial_checksum_of_udp_is_noticed_but_not_of_a_fragment(void)
{
    /* What follows the header of a fragment may lie in another one. */
    const uint32_t sum = 0x0a00 + 1 + 0x0a00 + 2 + 17 + 20;
    uint8_t frame[FRAME_SIZE + 6];
    memcpy(frame, frame_marked(0), FRAME_SIZE);
    memset(frame + FRAME_SIZE, 0, 6);
    frame[ETHERNET + 9] = 17;
    frame[ETHERNET + 26] = (uint8_t)(sum >> 8);
    frame[ETHERNET + 27] = (uint8_t)sum;
    start();
    link_.partial = 1;
    arrive(frame, FRAME_SIZE);
    arrive(frame, FRAME_SIZE + 6); /* padded: a wire has carried it */
    frame[ETHERNET + 6] = 0x20;
    arrive(frame, FRAME_SIZE);
    EXPECT_EQ(3, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(SYNCACHE_CHECKSUM_PARTIAL, ring.slot[0].checksum);
    EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[1].checksum);
    EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[2].checksum);
    stop();
}

static void
test_any_bytes_stay_within_their_frame(void)
{
    /* Frames at the end of umem, cut off anywhere; ASan watches. */
    for (int n = 0; n < 100000; n++) {
        uint8_t bytes[RING_SLOT_SIZE];
        uint32_t size = (uint32_t)test_random_below(sizeof bytes);
        uint8_t *heap;
        start();
        close(link_.fd);
        test_random_bytes(bytes, sizeof bytes);
        memcpy(bytes + 12, n % 2 ? "\x08\x00\x45" : "\x86\xdd\x60", 3);
        bytes[n % 2 ? 23 : 20] = 6;
        heap = test_heap_copy(bytes, size);
        link_.umem = heap;
        link_.partial = 1;
        rx.descriptor[rx.producer++] = (struct xdp_desc){.len = size};
        fill.consumer++;
        link_xdp_receive(&link_, &ring.ring);
        if (ring.ring.count > 0)
            EXPECT_EQ(size, ring.slot[0].link_size + ring.slot[0].size);
        free(heap);
    }
}

static struct syncache_slot *
push(uint8_t mark, uint16_t request)
{
    struct syncache_slot *slot =
        ring_push(&ring, frame_marked(mark), FRAME_SIZE);
    slot->link_size = ETHERNET;
    slot->size = FRAME_SIZE - ETHERNET;
    slot->checksum = SYNCACHE_CHECKSUM_VALID;
    slot->request = request;
    return slot;
}

static void
test_send_turns_a_reply_round_and_nothing_else(void)
{
    /* The frame of umem is turned, the slot is not. */
    start();
    push(7, 0);
    push(8, UINT16_MAX);
    EXPECT_EQ(2, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(2, sent_count);
    EXPECT_EQ(2, sent[0][0]);
    EXPECT_EQ(1, sent[0][6]);
    EXPECT_EQ(7, sent[0][FRAME_SIZE - 1]);
    EXPECT_BYTES(frame_marked(8), sent[1], FRAME_SIZE);
    EXPECT_EQ(1, ring.memory[0]);
    EXPECT_EQ(FRAMES, link_.unused_count);
    EXPECT_EQ(2, link_.sent);
    stop();
}

static void
test_send_goes_on_while_the_kernel_sends_some_at_a_time(void)
{
    /* It says EAGAIN, and moves. */
    start();
    budget = 1;
    for (uint8_t i = 0; i < FRAMES; i++)
        push(i, UINT16_MAX);
    EXPECT_EQ(FRAMES, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(FRAMES, sent_count);
    EXPECT_EQ(3, sent[3][FRAME_SIZE - 1]);
    stop();
}

static void
test_send_waits_when_every_frame_is_the_kernels(void)
{
    /* What is on the ring already leaves with a later call, also a receiving. */
    start();
    budget = 0;
    for (uint8_t i = 0; i < FRAMES; i++)
        push(i, UINT16_MAX);
    EXPECT_EQ(FRAMES, link_xdp_send(&link_, &ring.ring));
    ring_clear(&ring);
    push(9, UINT16_MAX);
    EXPECT_EQ(0, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(0, ring.ring.next);
    budget = FRAMES;
    link_xdp_receive(&link_, &(struct test_ring){.ring.slots = 1}.ring);
    EXPECT_EQ(FRAMES, sent_count);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(9, sent[FRAMES][FRAME_SIZE - 1]);
    stop();
}

static void
test_send_while_the_interface_is_down_loses_packets_not_the_link(void)
{
    /* Once umem is full of what could not leave, each counts as refused. */
    start();
    budget = -ENETDOWN;
    for (uint8_t i = 0; i < FRAMES; i++)
        push(i, UINT16_MAX);
    EXPECT_EQ(FRAMES, link_xdp_send(&link_, &ring.ring));
    ring_clear(&ring);
    push(9, UINT16_MAX);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(ENETDOWN, link_.send_error);
    EXPECT_EQ(1, link_.send_failed);
    stop();
}

static void
test_send_to_a_device_that_is_gone_says_so(void)
{
    /* At the latest when there is no frame left. */
    start();
    budget = -ENXIO;
    for (uint8_t i = 0; i < FRAMES; i++)
        push(i, UINT16_MAX);
    link_xdp_send(&link_, &ring.ring);
    ring_clear(&ring);
    push(9, UINT16_MAX);
    EXPECT_EQ((uint32_t)-ENODEV, (uint32_t)link_xdp_send(&link_, &ring.ring));
    stop();
}

static void
test_send_counts_what_is_refused_and_goes_on(void)
{
    /* An unfinished checksum, a super-segment, more than a frame of umem. */
    start();
    push(1, UINT16_MAX)->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    push(2, UINT16_MAX)->gso_size = 10;
    push(3, UINT16_MAX)->size = UMEM_FRAME;
    push(4, UINT16_MAX);
    EXPECT_EQ(4, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(1, sent_count);
    EXPECT_EQ(4, sent[0][FRAME_SIZE - 1]);
    EXPECT_EQ(3, link_.send_failed);
    EXPECT_EQ(0, link_.send_error);
    stop();
}

static void
test_packet_without_link_header_goes_another_way(void)
{
    /* Here there is none: the sockets are missing. */
    start();
    push(1, UINT16_MAX)->link_size = 0;
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(0, sent_count);
    EXPECT_EQ(EINVAL, link_.send_error);
    stop();
}

static void
pass(uint32_t slot)
{
    passed[ring.ring.passed_count++] = slot;
}

static void
test_forward_sends_the_passed_frames_as_they_are(void)
{
    /* Also those that answer something. */
    start();
    link_.forward = 1;
    for (uint8_t i = 0; i < 4; i++)
        push(i, 0);
    ring.slot[2].size = UMEM_FRAME;
    pass(0);
    pass(2);
    pass(3);
    EXPECT_EQ(2, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(2, sent_count);
    EXPECT_BYTES(frame_marked(3), sent[1], FRAME_SIZE);
    ring_clear(&ring);
    push(5, 0);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_BYTES(frame_marked(5), sent[2], FRAME_SIZE);
    stop();
}

static void
test_forward_finishes_checksums_and_cuts_super_segments(void)
{
    /* 20 bytes of payload in segments of 12: lengths and SEQ follow. */
    uint8_t frame[FRAME_SIZE + 20] = {0};
    memcpy(frame, frame_marked(0), FRAME_SIZE);
    frame[ETHERNET + 3] = 60;
    start();
    link_.forward = 1;
    struct syncache_slot *slot = ring_push(&ring, frame, sizeof frame);
    slot->link_size = ETHERNET;
    slot->size = 60;
    slot->gso_size = 12;
    slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    pass(0);
    EXPECT_EQ(1, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(2, sent_count);
    EXPECT_EQ(52, sent[0][ETHERNET + 3]);
    EXPECT_EQ(48, sent[1][ETHERNET + 3]);
    EXPECT_EQ(12, sent[1][ETHERNET + 27]);
    EXPECT_TRUE(sent[0][ETHERNET + 36] != 0 || sent[0][ETHERNET + 37] != 0);
    EXPECT_EQ(FRAMES, link_.unused_count);
    EXPECT_EQ(1, link_.sent);
    stop();
}

static void
test_forward_keeps_no_queue(void)
{
    /* Nothing leaves: what umem cannot hold is lost and counted. */
    start();
    link_.forward = 1;
    budget = 0;
    for (uint8_t i = 0; i < 4; i++) {
        push(i, UINT16_MAX);
        pass(i);
    }
    EXPECT_EQ(FRAMES, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(0, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(FRAMES, link_.send_failed);
    budget = -ENXIO;
    EXPECT_EQ((uint32_t)-ENODEV,
              (uint32_t)link_xdp_forward(&link_, &ring.ring));
    stop();
}

static const struct test tests[] = {
    TEST(test_kernel_begins_with_half_of_the_frames),
    TEST(test_received_frames_go_back_to_the_kernel_at_once),
    TEST(test_receive_into_a_full_ring_leaves_frames_with_the_kernel),
    TEST(test_receive_passes_over_what_does_not_fit_or_is_no_ip),
    TEST(test_sum_of_the_pseudo_header_is_a_partial_checksum),
    TEST(test_partial_checksum_of_udp_is_noticed_but_not_of_a_fragment),
    TEST(test_any_bytes_stay_within_their_frame),
    TEST(test_send_turns_a_reply_round_and_nothing_else),
    TEST(test_send_goes_on_while_the_kernel_sends_some_at_a_time),
    TEST(test_send_waits_when_every_frame_is_the_kernels),
    TEST(test_send_while_the_interface_is_down_loses_packets_not_the_link),
    TEST(test_send_to_a_device_that_is_gone_says_so),
    TEST(test_send_counts_what_is_refused_and_goes_on),
    TEST(test_packet_without_link_header_goes_another_way),
    TEST(test_forward_sends_the_passed_frames_as_they_are),
    TEST(test_forward_finishes_checksums_and_cuts_super_segments),
    TEST(test_forward_keeps_no_queue),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

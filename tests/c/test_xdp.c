/* What an AF_XDP link receives. */
#include "xdp.h"

/* The kernel: what it was asked to bind, and what it answers. */
static struct sockaddr_xdp bound;
static int bind_error;

int
bind(int fd, const struct sockaddr *address, socklen_t size)
{
    EXPECT_EQ(7, fd);
    EXPECT_EQ(sizeof bound, size);
    memcpy(&bound, address, sizeof bound);
    errno = bind_error != 0 ? bind_error : EBADF; /* another call's */
    return bind_error != 0 ? -1 : 0;
}

/* How often the kernel was told that there is room again. */
static uint32_t told;

ssize_t
recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from,
         socklen_t *from_size)
{
    EXPECT_TRUE(fd == link_.fd && data == NULL && size == 0);
    EXPECT_TRUE(from == NULL && from_size == NULL && (flags & MSG_DONTWAIT));
    told++;
    return -1;
}

static void
test_kernel_that_waits_or_is_polled_is_told_to_receive(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        start();
        told = 0;
        fill.flags = i == 1 ? XDP_RING_NEED_WAKEUP : 0;
        link_.busy_poll = i == 2;
        EXPECT_EQ(0, link_xdp_receive(&link_, &ring.ring));
        EXPECT_EQ(i > 0, told);
        stop();
    }
}

static void
test_bind_names_the_queue_and_tells_the_kernels_error(void)
{
    bind_error = 0;
    EXPECT_EQ(0, link_xdp_bind(7, 3, 5, XDP_COPY));
    EXPECT_EQ(3, bound.sxdp_ifindex);
    EXPECT_EQ(5, bound.sxdp_queue_id);
    EXPECT_EQ(XDP_COPY, bound.sxdp_flags);
    bind_error = EBUSY;
    EXPECT_EQ((uint32_t)-EBUSY, (uint32_t)link_xdp_bind(7, 3, 5, 0));
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
    ring.ring.count = 0;
    errno = EIO; /* another call's */
    EXPECT_EQ(0, link_xdp_receive(&link_, &ring.ring));
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
    EXPECT_EQ(FRAMES, link_.received);
    stop();
}

static void
test_receive_passes_over_what_does_not_fit_or_is_no_ip(void)
{
    /* Each is counted, and its frame of umem goes back. */
    static const uint8_t arp[60] = {[12] = 8, 6}, large[RING_SLOT_SIZE + 1];
    uint8_t full[RING_SLOT_SIZE] = {0};
    memcpy(full, frame_marked(8), FRAME_SIZE);
    start();
    arrive(arp, sizeof arp);
    arrive(large, sizeof large);
    arrive(frame_marked(9), FRAME_SIZE);
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(9, ring.memory[FRAME_SIZE - 1]);
    arrive(full, sizeof full);
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(1, link_.skipped);
    EXPECT_EQ(1, link_.too_large);
    EXPECT_EQ(FRAMES, fill.producer - fill.consumer);
    link_.forward = 1; /* then it comes as all link header */
    arrive(arp, sizeof arp);
    EXPECT_EQ(1, link_xdp_receive(&link_, &ring.ring));
    EXPECT_EQ(60, ring.slot[2].link_size);
    EXPECT_EQ(0, ring.slot[2].size);
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
        frame[ETHERNET + 9] = 1;
        arrive(frame, FRAME_SIZE);
        frame[ETHERNET + 9] = 6;
        EXPECT_EQ(4, link_xdp_receive(&link_, &ring.ring));
        EXPECT_EQ(local ? SYNCACHE_CHECKSUM_PARTIAL : SYNCACHE_CHECKSUM_VERIFY,
                  ring.slot[0].checksum);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[1].checksum);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[2].checksum);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[3].checksum);
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

static const struct test tests[] = {
    TEST(test_kernel_that_waits_or_is_polled_is_told_to_receive),
    TEST(test_bind_names_the_queue_and_tells_the_kernels_error),
    TEST(test_kernel_begins_with_half_of_the_frames),
    TEST(test_received_frames_go_back_to_the_kernel_at_once),
    TEST(test_receive_into_a_full_ring_leaves_frames_with_the_kernel),
    TEST(test_receive_passes_over_what_does_not_fit_or_is_no_ip),
    TEST(test_sum_of_the_pseudo_header_is_a_partial_checksum),
    TEST(test_partial_checksum_of_udp_is_noticed_but_not_of_a_fragment),
    TEST(test_any_bytes_stay_within_their_frame),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

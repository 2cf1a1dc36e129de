/* What an AF_XDP link sends and forwards. */
#include "xdp.h"

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

/* Sends as many frames as there are to a kernel that takes so many of them at a time. */
static void
start_full(int allowed)
{
    start();
    budget = allowed;
    for (uint8_t i = 0; i < FRAMES; i++)
        push(i, UINT16_MAX);
    EXPECT_EQ(FRAMES, link_xdp_send(&link_, &ring.ring));
}

static void
test_send_goes_on_while_the_kernel_sends_some_at_a_time(void)
{
    /* It says EAGAIN, and moves. */
    start_full(1);
    EXPECT_EQ(FRAMES, sent_count);
    EXPECT_EQ(3, sent[3][FRAME_SIZE - 1]);
    stop();
}

static void
test_send_waits_when_every_frame_is_the_kernels(void)
{
    /* What is on the ring already leaves with a later call, also a receiving. */
    start_full(0);
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
    push(2, UINT16_MAX)->gso_size = 1;
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
    EXPECT_EQ(ETHERNET + 52, tx.descriptor[0].len);
    EXPECT_EQ(ETHERNET + 48, tx.descriptor[1].len);
    EXPECT_TRUE(sent[0][ETHERNET + 36] != 0 || sent[0][ETHERNET + 37] != 0);
    EXPECT_EQ(FRAMES, link_.unused_count);
    EXPECT_EQ(1, link_.sent);
    stop();
}

static void
test_kernel_that_sends_later_has_no_error(void)
{
    /* Whatever another call's was. */
    start_full(LATER);
    ring_clear(&ring);
    push(9, UINT16_MAX);
    errno = ENXIO;
    EXPECT_EQ(0, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(0, ring.ring.next);
    stop();
}

/* Forwards 24 bytes in segments of 12 over umem of this size of frames. */
static int32_t
forward_two(uint32_t frame_size)
{
    uint8_t frame[FRAME_SIZE + 24];
    memcpy(frame, frame_marked(0), FRAME_SIZE);
    frame[ETHERNET + 3] = 64;
    for (uint8_t i = 0; i < 24; i++)
        frame[FRAME_SIZE + i] = i;
    ring_clear(&ring);
    ring.ring.passed = passed;
    link_.forward = 1;
    link_.frame_size = frame_size;
    struct syncache_slot *slot = ring_push(&ring, frame, sizeof frame);
    slot->link_size = ETHERNET;
    slot->size = 64;
    slot->gso_size = 12;
    slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    pass(0);
    return link_xdp_forward(&link_, &ring.ring);
}

static void
test_segments_fill_frames_of_umem_with_their_payload(void)
{
    /* To the byte. */
    for (uint32_t less = 0; less < 2; less++) {
        start();
        EXPECT_EQ(1 - less, (uint32_t)forward_two(FRAME_SIZE + 12 - less));
        EXPECT_EQ(less ? EMSGSIZE : 0, link_.send_error);
        for (uint8_t i = 0; less == 0 && i < 24; i++)
            EXPECT_EQ(i,
                      umem[tx.descriptor[i / 12].addr + FRAME_SIZE + i % 12]);
        stop();
    }
}

static void
test_super_segment_without_frames_is_lost(void)
{
    start_full(0);
    EXPECT_EQ(0, forward_two(UMEM_FRAME));
    EXPECT_EQ(1, link_.send_failed);
    EXPECT_EQ(0, link_.unused_count);
    stop();
}

static void
test_super_segment_may_take_every_frame(void)
{
    /* One of a segment more never has room. */
    for (uint8_t more = 0; more < 2; more++) {
        uint8_t frame[FRAME_SIZE + 49] = {0};
        memcpy(frame, frame_marked(0), FRAME_SIZE);
        frame[ETHERNET + 3] = 88 + more;
        start();
        link_.forward = 1;
        struct syncache_slot *slot =
            ring_push(&ring, frame, FRAME_SIZE + 48u + more);
        slot->link_size = ETHERNET;
        slot->size = 88u + more;
        slot->gso_size = 12;
        slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
        pass(0);
        EXPECT_EQ(1 - more, link_xdp_forward(&link_, &ring.ring));
        EXPECT_EQ(more ? 0 : FRAMES, sent_count);
        stop();
    }
}

static void
test_frame_of_the_size_of_one_of_umem_is_sent(void)
{
    for (uint32_t less = 0; less < 2; less++) {
        start();
        link_.frame_size = FRAME_SIZE - less;
        push(1, UINT16_MAX);
        EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
        EXPECT_EQ(1 - less, sent_count);
        EXPECT_EQ(less ? EMSGSIZE : 0, link_.send_error);
        stop();
    }
}

static void
test_send_waits_while_the_kernel_is_busy(void)
{
    static const int busy[] = {EBUSY, ENOBUFS};
    for (size_t i = 0; i < TEST_COUNT(busy); i++) {
        start_full(-busy[i]);
        ring_clear(&ring);
        push(9, UINT16_MAX);
        EXPECT_EQ(0, link_xdp_send(&link_, &ring.ring));
        EXPECT_EQ(0, link_.send_failed);
        stop();
    }
}

static void
test_super_segment_is_put_on_frames_that_have_just_left(void)
{
    /* The kernel is reminded of those that wait, and gives them back. */
    uint8_t frame[FRAME_SIZE + 20] = {0};
    start_full(0);
    EXPECT_EQ(0, link_.unused_count);
    budget = FRAMES;
    link_.forward = 1;
    ring_clear(&ring);
    ring.ring.passed = passed;
    memcpy(frame, frame_marked(0), FRAME_SIZE);
    frame[ETHERNET + 3] = 60;
    struct syncache_slot *slot = ring_push(&ring, frame, sizeof frame);
    slot->link_size = ETHERNET;
    slot->size = 60;
    slot->gso_size = 12;
    slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    pass(0);
    EXPECT_EQ(1, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(FRAMES + 2, sent_count);
    stop();
}

static void
test_kernel_that_looks_by_itself_is_not_reminded(void)
{
    start();
    tx.flags = 0;
    push(1, UINT16_MAX);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(0, reminders);
    tx.flags = XDP_RING_NEED_WAKEUP;
    push(2, UINT16_MAX);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(1, reminders);
    EXPECT_EQ(2, sent_count);
    stop();
}

static void
test_packet_to_an_interface_that_is_gone_stays(void)
{
    /* Behind others it ends the call, alone it is the error. */
    start();
    link_.route.fd4 = link_.fd;
    close(link_.fd);
    push(1, UINT16_MAX);
    push(2, UINT16_MAX)->link_size = 0;
    memmove(ring.memory + RING_SLOT_SIZE,
            ring.memory + RING_SLOT_SIZE + ETHERNET, 40);
    EXPECT_EQ(1, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(1, ring.ring.next);
    EXPECT_EQ((uint32_t)-ENODEV, (uint32_t)link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(1, ring.ring.next);
    EXPECT_EQ(0, link_.send_failed);
    EXPECT_EQ(0, link_.send_error);
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

static void
test_send_goes_on_behind_a_packet_without_link_header(void)
{
    start();
    push(1, UINT16_MAX);
    push(2, UINT16_MAX)->link_size = 0;
    push(3, UINT16_MAX);
    EXPECT_EQ(3, link_xdp_send(&link_, &ring.ring));
    EXPECT_EQ(2, sent_count);
    EXPECT_EQ(3, sent[1][FRAME_SIZE - 1]);
    stop();
}

static void
test_forward_finishes_a_checksum_alone(void)
{
    start();
    link_.forward = 1;
    push(0, 0)->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    ring.memory[ETHERNET + 3] = 40;
    pass(0);
    EXPECT_EQ(1, link_xdp_forward(&link_, &ring.ring));
    EXPECT_EQ(1, sent_count);
    EXPECT_TRUE(sent[0][ETHERNET + 36] != 0 || sent[0][ETHERNET + 37] != 0);
    stop();
}

static const struct test tests[] = {
    TEST(test_send_turns_a_reply_round_and_nothing_else),
    TEST(test_send_goes_on_while_the_kernel_sends_some_at_a_time),
    TEST(test_send_waits_when_every_frame_is_the_kernels),
    TEST(test_send_while_the_interface_is_down_loses_packets_not_the_link),
    TEST(test_send_to_a_device_that_is_gone_says_so),
    TEST(test_send_counts_what_is_refused_and_goes_on),
    TEST(test_packet_without_link_header_goes_another_way),
    TEST(test_forward_sends_the_passed_frames_as_they_are),
    TEST(test_forward_finishes_checksums_and_cuts_super_segments),
    TEST(test_kernel_that_sends_later_has_no_error),
    TEST(test_segments_fill_frames_of_umem_with_their_payload),
    TEST(test_super_segment_without_frames_is_lost),
    TEST(test_super_segment_may_take_every_frame),
    TEST(test_frame_of_the_size_of_one_of_umem_is_sent),
    TEST(test_send_waits_while_the_kernel_is_busy),
    TEST(test_super_segment_is_put_on_frames_that_have_just_left),
    TEST(test_kernel_that_looks_by_itself_is_not_reminded),
    TEST(test_packet_to_an_interface_that_is_gone_stays),
    TEST(test_forward_keeps_no_queue),
    TEST(test_send_goes_on_behind_a_packet_without_link_header),
    TEST(test_forward_finishes_a_checksum_alone),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

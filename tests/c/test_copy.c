/* Rings without an engine: what goes from ring to ring, what stays, what passes. */
#include "ring.h"

static struct test_ring from, to;

static void
start(void)
{
    ring_clear(&from);
    ring_clear(&to);
}

static void
test_copy_takes_bytes_and_offloads_behind_the_link_header(void)
{
    /* A packet begins link_size into its slot, and arrives at 0. */
    static const uint8_t frame[] = {9, 9, 1, 2, 3};
    uint32_t dropped = 7;
    start();
    struct syncache_slot *slot = ring_push(&from, frame, sizeof frame);
    slot->size = 3;
    slot->link_size = 2;
    slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    slot->gso_size = 1400;
    EXPECT_EQ(1, link_copy(&from.ring, &to.ring, &dropped));
    EXPECT_EQ(0, dropped);
    EXPECT_EQ(1, to.ring.count);
    EXPECT_EQ(3, to.slot[0].size);
    EXPECT_EQ(0, to.slot[0].link_size);
    EXPECT_EQ(SYNCACHE_CHECKSUM_PARTIAL, to.slot[0].checksum);
    EXPECT_EQ(1400, to.slot[0].gso_size);
    EXPECT_EQ(UINT16_MAX, to.slot[0].request);
    EXPECT_BYTES(frame + 2, to.memory, 3);
}

static void
test_copy_of_each_slot_is_its_own(void)
{
    uint32_t dropped;
    start();
    for (uint8_t i = 0; i < RING_SLOTS; i++)
        ring_push(&from, &i, sizeof i);
    EXPECT_EQ(RING_SLOTS, link_copy(&from.ring, &to.ring, &dropped));
    for (uint8_t i = 0; i < RING_SLOTS; i++)
        EXPECT_EQ(i, to.memory[i * RING_SLOT_SIZE]);
}

static void
test_copy_into_a_full_ring_leaves_the_rest(void)
{
    /* What does not fit stays in `from`, to be copied later. */
    static const uint8_t packet[] = {1};
    uint32_t dropped;
    start();
    for (int i = 0; i < RING_SLOTS; i++)
        ring_push(&from, packet, sizeof packet);
    ring_push(&to, packet, sizeof packet);
    EXPECT_EQ(RING_SLOTS - 1, link_copy(&from.ring, &to.ring, &dropped));
    EXPECT_EQ(RING_SLOTS - 1, from.ring.next);
    to.ring.count = 0;
    EXPECT_EQ(1, link_copy(&from.ring, &to.ring, &dropped));
    EXPECT_EQ(RING_SLOTS, from.ring.next);
}

static void
test_copy_drops_what_no_slot_can_hold(void)
{
    /* A packet longer than a slot is consumed and counted. */
    static const uint8_t packet[RING_SLOT_SIZE] = {1};
    uint32_t dropped;
    start();
    to.ring.slot_size = RING_SLOT_SIZE / 2;
    ring_push(&from, packet, RING_SLOT_SIZE / 2 + 1);
    ring_push(&from, packet, RING_SLOT_SIZE / 2);
    EXPECT_EQ(2, link_copy(&from.ring, &to.ring, &dropped));
    EXPECT_EQ(1, dropped);
    EXPECT_EQ(1, to.ring.count);
    EXPECT_EQ(RING_SLOT_SIZE / 2, to.slot[0].size);
}

static void
test_pass_lists_what_is_left_and_consumes_it(void)
{
    /* What an engine consumed before is not listed again. */
    static const uint8_t packet[] = {1};
    uint32_t passed[RING_SLOTS];
    start();
    from.ring.passed = passed;
    for (int i = 0; i < RING_SLOTS; i++)
        ring_push(&from, packet, sizeof packet);
    from.ring.next = 1;
    link_pass(&from.ring);
    EXPECT_EQ(RING_SLOTS - 1, from.ring.passed_count);
    EXPECT_EQ(1, passed[0]);
    EXPECT_EQ(RING_SLOTS - 1, passed[RING_SLOTS - 2]);
    EXPECT_EQ(RING_SLOTS, from.ring.next);
    link_pass(&from.ring);
    EXPECT_EQ(0, from.ring.passed_count);
}

static const struct test tests[] = {
    TEST(test_pass_lists_what_is_left_and_consumes_it),
    TEST(test_copy_takes_bytes_and_offloads_behind_the_link_header),
    TEST(test_copy_of_each_slot_is_its_own),
    TEST(test_copy_into_a_full_ring_leaves_the_rest),
    TEST(test_copy_drops_what_no_slot_can_hold),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

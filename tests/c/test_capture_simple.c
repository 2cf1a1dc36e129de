/* Captures in blocks: simple blocks, which have no time, and where they are cut. */
#include "capture.h"

static void
test_ng_simple_and_old_blocks(void)
{
    /* A simple block has no time: it takes that of the packet before. */
    start(false);
    section();
    interface(101, 6, 0);
    put(2, 4);
    put(32 + IP_SIZE, 4);
    put(0, 4);
    put(0, 4);
    put(3000000, 4);
    put(IP_SIZE, 4);
    put(IP_SIZE, 4);
    frame(NULL, 0);
    put(32 + IP_SIZE, 4);
    put(3, 4);
    put(16 + IP_SIZE, 4);
    put(IP_SIZE, 4);
    frame(NULL, 0);
    put(16 + IP_SIZE, 4);
    put(5, 4); /* interface statistics: passed over */
    put(12, 4);
    put(12, 4);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(2, rx.ring.count);
    EXPECT_EQ(3000, rx.slot[0].handle);
    EXPECT_EQ(3000, rx.slot[1].handle);
    EXPECT_EQ(0xee, rx.memory[RING_SLOT_SIZE + IP_SIZE - 1]);
}

/* A simple block of the bytes of a frame, of a packet of `size`. */
static void
simple(uint32_t size, uint32_t kept)
{
    uint32_t whole = 16 + (kept + 3) / 4 * 4;

    put(3, 4);
    put(whole, 4);
    put(size, 4);
    frame(NULL, 0);
    file_size -= IP_SIZE - kept;
    put(0, whole - 16 - kept);
    put(whole, 4);
}

static void
test_ng_simple_block_is_cut_where_its_interface_cuts(void)
{
    static const struct {
        uint32_t snaplen, size, taken;
    } rows[] = {{0, IP_SIZE, 1},
                {IP_SIZE, IP_SIZE, 1},
                {IP_SIZE, 60, 1},
                {1, IP_SIZE, 0}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(i & 1);
        section();
        interface(101, 6, 0);
        file_size = 28 + 12;
        put(rows[i].snaplen, 4);
        file_size = 28 + 44;
        simple(rows[i].size, rows[i].taken ? IP_SIZE : 1);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, capture.packets);
        EXPECT_EQ(rows[i].taken, rx.ring.count);
        EXPECT_EQ(rows[i].taken ? rows[i].size : 0, rx.slot[0].size);
    }
}

static void
test_ng_simple_block_without_an_interface_is_passed_over(void)
{
    /* If it is whole, as any other. */
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        section();
        simple(IP_SIZE + more, IP_SIZE);
        EXPECT_EQ(more ? LINK_CAPTURE_CONTRADICTION : LINK_CAPTURE_MORE,
                  parse());
        EXPECT_EQ(1 - more, capture.packets);
        EXPECT_EQ(1 - more, capture.passed_count);
    }
    EXPECT_EQ(0, rx.ring.count);
}

static void
test_ng_simple_block_without_a_byte_is_a_record(void)
{
    start(false);
    section();
    interface(101, 6, 0);
    put(3, 4);
    put(16, 4);
    put(0, 4);
    put(16, 4);
    enhanced(0, 1000000, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, rx.ring.count);
}

static void
test_ng_simple_block_that_is_longer_than_its_bytes_is_damage(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        section();
        interface(101, 6, 0);
        put(3, 4);
        put(16 + IP_SIZE, 4);
        put(IP_SIZE + more, 4);
        frame(NULL, 0);
        put(16 + IP_SIZE, 4);
        EXPECT_EQ(more ? LINK_CAPTURE_CONTRADICTION : LINK_CAPTURE_MORE,
                  parse());
        EXPECT_EQ(1 - more, rx.ring.count);
    }
}

static const struct test tests[] = {
    TEST(test_ng_simple_and_old_blocks),
    TEST(test_ng_simple_block_is_cut_where_its_interface_cuts),
    TEST(test_ng_simple_block_without_an_interface_is_passed_over),
    TEST(test_ng_simple_block_without_a_byte_is_a_record),
    TEST(test_ng_simple_block_that_is_longer_than_its_bytes_is_damage),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

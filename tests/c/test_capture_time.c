/* Times of a capture: steps back, packets out of order, and none. */
#include "capture.h"

static void
test_time_that_steps_back_is_a_status_of_its_own(void)
{
    /* 100 s, 99.5 s out of order, then 40 s: the clock goes on at 100 s. */
    start(false);
    classic(0xa1b2c3d4, 101);
    static const uint32_t ms[] = {100000, 99500, 40000, 41000};
    for (int i = 0; i < 4; i++) {
        record(ms[i] / 1000, ms[i] % 1000 * 1000, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
    }
    EXPECT_EQ(LINK_CAPTURE_STEP,
              link_capture_parse(&capture, file, file_size, &rx.ring));
    EXPECT_EQ(2, rx.ring.count);
    EXPECT_EQ(99500, rx.slot[1].handle);
    EXPECT_EQ(60000, capture.shift_ms);
    uint32_t at = (uint32_t)capture.consumed;
    link_capture_parse(&capture, file + at, file_size - at, &rx.ring);
    EXPECT_EQ(4, rx.ring.count);
    EXPECT_EQ(100000, rx.slot[2].handle);
    EXPECT_EQ(101000, rx.slot[3].handle);
    EXPECT_EQ(1, capture.steps);
    EXPECT_EQ(60000, capture.step_ms);
    EXPECT_EQ(0, capture.gap_ms);
}

static void
test_second_back_is_out_of_order_and_no_step(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(100, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        record(98, 1000000 - more * 1000, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(more, capture.steps);
    }
}

static void
test_capture_may_begin_at_the_time_zero(void)
{
    start(false);
    classic(0xa1b2c3d4, 101);
    for (int i = 0; i < 2; i++) {
        record(0, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
    }
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, capture.untimed);
}

static const struct test tests[] = {
    TEST(test_time_that_steps_back_is_a_status_of_its_own),
    TEST(test_second_back_is_out_of_order_and_no_step),
    TEST(test_capture_may_begin_at_the_time_zero),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

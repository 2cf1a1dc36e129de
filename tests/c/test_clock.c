/* A 32-bit clock made long: it wraps, it stands still, it is asked late;
 * and one of ticks. */
#include "../../csrc/syncache_host.h"
#include "test.h"

static void
test_clock_goes_on_when_32_bits_wrap(void)
{
    struct syncache_clock_state clock = {0};
    uint64_t expected = 4294967000u;

    EXPECT_EQ(expected, syncache_clock(&clock, 4294967000u));
    for (uint32_t step = 1; step < 5000000; step += 4999) {
        expected += step;
        EXPECT_EQ(expected, syncache_clock(&clock, (uint32_t)expected));
    }
    EXPECT_TRUE(expected > UINT64_C(1) << 32);
}

static void
test_time_before_the_last_one_counts_as_the_last(void)
{
    /* Not as 49.7 days later, and not at the wrap either. */
    struct syncache_clock_state clock = {0};

    EXPECT_EQ(5, syncache_clock(&clock, 5));
    EXPECT_EQ(5, syncache_clock(&clock, 3));
    EXPECT_EQ(5, syncache_clock(&clock, 0xfffffff0u));
    EXPECT_EQ(6, syncache_clock(&clock, 6));
}

static void
test_calls_may_be_24_days_apart(void)
{
    struct syncache_clock_state clock = {0};

    EXPECT_EQ(0, syncache_clock(&clock, 0));
    EXPECT_EQ(INT32_MAX, syncache_clock(&clock, INT32_MAX));
    EXPECT_EQ(2 * (uint64_t)INT32_MAX,
              syncache_clock(&clock, 2 * (uint32_t)INT32_MAX));
}

static void
test_ticks_of_any_width_and_rate_become_milliseconds(void)
{
    static const struct {
        uint32_t bits, hz;
    } counters[] = {{16, 128},  {32, 128},   {32, 100},    {8, 50},
                    {16, 1000}, {24, 32768}, {32, 1000000}};

    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        struct syncache_ticks_state clock = {0};
        uint32_t bits = counters[i].bits, hz = counters[i].hz;
        uint64_t span = UINT64_C(1) << bits, ticks = 5;

        for (uint32_t step = 0; step < 40; step++) { /* wraps several times */
            EXPECT_EQ(
                ticks * 1000 / hz,
                syncache_ticks(&clock, (uint32_t)(ticks % span), bits, hz));
            ticks += span / 3;
        }
    }
}

static void
test_tick_before_the_last_one_counts_as_the_last(void)
{
    struct syncache_ticks_state clock = {0};

    EXPECT_EQ(500, syncache_ticks(&clock, 50, 16, 100));
    EXPECT_EQ(500, syncache_ticks(&clock, 49, 16, 100));
    EXPECT_EQ(510, syncache_ticks(&clock, 51, 16, 100));
    /* Half the span is the most that it goes on by. */
    EXPECT_EQ(510 + 327670, syncache_ticks(&clock, 51 + 32767, 16, 100));
    EXPECT_EQ(510 + 327670, syncache_ticks(&clock, 50, 16, 100));
}

static void
test_counter_that_cannot_be_has_no_time(void)
{
    struct syncache_ticks_state clock = {0};

    EXPECT_EQ(500, syncache_ticks(&clock, 50, 16, 100));
    EXPECT_EQ(0, syncache_ticks(&clock, 51, 16, 0));
    EXPECT_EQ(0, syncache_ticks(&clock, 51, 7, 100));
    EXPECT_EQ(0, syncache_ticks(&clock, 51, 33, 100));
    EXPECT_EQ(510, syncache_ticks(&clock, 51, 16, 100));
}

static const struct test tests[] = {
    TEST(test_clock_goes_on_when_32_bits_wrap),
    TEST(test_time_before_the_last_one_counts_as_the_last),
    TEST(test_calls_may_be_24_days_apart),
    TEST(test_ticks_of_any_width_and_rate_become_milliseconds),
    TEST(test_tick_before_the_last_one_counts_as_the_last),
    TEST(test_counter_that_cannot_be_has_no_time),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

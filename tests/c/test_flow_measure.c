/* Samples for the threshold advisor, and the counters of handshake ages. */
#include "test.h"

#include "../../csrc/flow/age.h"

static void
test_ages_have_four_counters_to_an_octave(void)
{
    /* A counter's first age is the one its number tells. */
    for (uint32_t i = 0; i < FLOW_AGES - 1; i++) {
        uint64_t first = i < 4 ? i : (UINT64_C(4) + i % 4) << (i / 4 - 1);
        EXPECT_EQ(i, age_counter(first));
        if (first > 0)
            EXPECT_EQ(i - 1, age_counter(first - 1));
    }
}

static void
test_the_last_counter_takes_all_that_are_older(void)
{
    /* Nothing is written beyond it. */
    EXPECT_EQ(FLOW_AGES - 1, age_counter(UINT64_C(7) << 14));
    EXPECT_EQ(FLOW_AGES - 1, age_counter(UINT64_MAX));
}

static const struct test tests[] = {
    TEST(test_ages_have_four_counters_to_an_octave),
    TEST(test_the_last_counter_takes_all_that_are_older),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Cookies that nobody has answered yet, by the second. */
#include "test.h"

#include "../../csrc/flow/unanswered.h"

static void
test_cookie_counts_for_31_seconds(void)
{
    struct unanswered unanswered = {.count = 0};

    for (uint64_t ms = 5000; ms < 9000; ms += 1000)
        unanswered_sent(&unanswered, ms);
    EXPECT_EQ(4, unanswered_count(&unanswered, 35999));
    EXPECT_EQ(3, unanswered_count(&unanswered, 36000));
    EXPECT_EQ(1, unanswered_count(&unanswered, 38999));
    EXPECT_EQ(0, unanswered_count(&unanswered, 39000));
}

static void
test_redeemed_cookie_counts_against_the_youngest(void)
{
    struct unanswered unanswered = {.count = 0};

    unanswered_sent(&unanswered, 0);
    unanswered_sent(&unanswered, 10000);
    unanswered_redeemed(&unanswered, 20000);
    EXPECT_EQ(1, unanswered_count(&unanswered, 30999));
    EXPECT_EQ(0, unanswered_count(&unanswered, 31000));
}

static void
test_more_redeemed_than_sent_is_none(void)
{
    /* Another machine's cookie is redeemed here. */
    struct unanswered unanswered = {.count = 0};

    unanswered_redeemed(&unanswered, 1000);
    EXPECT_EQ(0, unanswered_count(&unanswered, 1000));
    unanswered_sent(&unanswered, 2000);
    EXPECT_EQ(1, unanswered_count(&unanswered, 2000));
}

static void
test_silence_of_any_length_forgets_all(void)
{
    static const uint64_t silence_ms[] = {31000, 32000, 3600000, UINT32_MAX,
                                          UINT64_C(1) << 60};

    for (size_t i = 0; i < TEST_COUNT(silence_ms); i++) {
        struct unanswered unanswered = {.count = 0};

        unanswered_sent(&unanswered, 1000);
        EXPECT_EQ(0, unanswered_count(&unanswered, 1000 + silence_ms[i]));
    }
}

static const struct test tests[] = {
    TEST(test_cookie_counts_for_31_seconds),
    TEST(test_redeemed_cookie_counts_against_the_youngest),
    TEST(test_more_redeemed_than_sent_is_none),
    TEST(test_silence_of_any_length_forgets_all),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

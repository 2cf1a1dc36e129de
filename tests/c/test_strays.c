/* The quotas of segments that belong nowhere. */
#include "../../csrc/flow/strays.h"
#include "test.h"

#include <stdlib.h>

#define LIMIT 10
#define OUTSIDE 0
#define INSIDE 1

static void *memory;

static void
begin(struct strays *strays)
{
    free(memory);
    memory = malloc(strays_bytes(1000));
    strays_init(strays, memory, 1000);
}

static unsigned
flood(struct strays *strays, uint64_t now_ms, unsigned count, bool speaks)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < count; i++)
        passed += strays_pass(strays, now_ms, 1000000 + i * 2654435761u,
                              OUTSIDE, speaks, LIMIT);
    return passed;
}

static void
test_limit_holds_for_each_second_and_side(void)
{
    static struct strays strays;

    begin(&strays);
    EXPECT_EQ(LIMIT, flood(&strays, 5000, 1000, true));
    EXPECT_EQ(0, flood(&strays, 5999, 1000, true));
    EXPECT_TRUE(strays_pass(&strays, 5999, 7, INSIDE, true, LIMIT));
    EXPECT_EQ(LIMIT, flood(&strays, 6000, 1000, false));
    for (unsigned second = 7; second < 9; second++)
        for (unsigned i = 0; i <= LIMIT; i++)
            EXPECT_EQ(i < LIMIT, strays_pass(&strays, second * 1000, 500 + i,
                                             INSIDE, false, LIMIT));
}

static void
test_places_are_a_power_of_two_between_their_bounds(void)
{
    size_t place = 2 * sizeof(struct stray_place); /* of either side */

    EXPECT_EQ(64 * place, strays_bytes(1));
    EXPECT_EQ(64 * place, strays_bytes(64));
    EXPECT_EQ(128 * place, strays_bytes(65));
    EXPECT_EQ(1024 * place, strays_bytes(1000));
    EXPECT_EQ(STRAYS_PLACES_MAX * place, strays_bytes(STRAYS_PLACES_MAX - 1));
    EXPECT_EQ(STRAYS_PLACES_MAX * place, strays_bytes(UINT32_MAX));
}

static void
test_limit_of_zero_lets_everything_pass(void)
{
    static struct strays strays;

    begin(&strays);
    for (unsigned i = 0; i < 100; i++)
        EXPECT_TRUE(strays_pass(&strays, 0, i, OUTSIDE, true, 0));
}

static void
test_tuple_of_which_the_other_side_spoke_passes_beyond_the_limit(void)
{
    static struct strays strays;

    begin(&strays);
    EXPECT_TRUE(strays_pass(&strays, 0, 7, INSIDE, true, LIMIT));
    EXPECT_TRUE(strays_pass(&strays, 0, 6, INSIDE, true, LIMIT));
    EXPECT_TRUE(strays_pass(&strays, 0, 8, INSIDE, false, LIMIT)); /* a RST */
    EXPECT_EQ(LIMIT, flood(&strays, 0, 1000, true));
    EXPECT_TRUE(strays_pass(&strays, 999, 7, OUTSIDE, true, LIMIT));
    EXPECT_TRUE(strays_pass(&strays, 999, 6, OUTSIDE, true, LIMIT));
    EXPECT_TRUE(!strays_pass(&strays, 999, 8, OUTSIDE, true, LIMIT));
    EXPECT_TRUE(!strays_pass(&strays, 999, 9, OUTSIDE, true, LIMIT));
    /* It said so itself: that is no word of the other side. */
    EXPECT_TRUE(!strays_pass(&strays, 999, 9, OUTSIDE, true, LIMIT));
}

static void
test_word_of_the_other_side_grows_old(void)
{
    static struct strays strays;

    begin(&strays);
    EXPECT_TRUE(strays_pass(&strays, 0, 7, INSIDE, true, LIMIT));
    EXPECT_EQ(LIMIT, flood(&strays, 300000, 1000, true));
    EXPECT_TRUE(strays_pass(&strays, 300000, 7, OUTSIDE, true, LIMIT));
    EXPECT_EQ(LIMIT, flood(&strays, 301000, 1000, true));
    EXPECT_TRUE(!strays_pass(&strays, 301000, 7, OUTSIDE, true, LIMIT));
}

static void
test_refused_segment_lets_the_other_side_speak(void)
{
    static struct strays strays;

    begin(&strays);
    EXPECT_EQ(LIMIT, flood(&strays, 0, 1000, true));
    EXPECT_TRUE(!strays_pass(&strays, 0, 7, OUTSIDE, true, LIMIT));
    for (unsigned i = 0; i < LIMIT; i++)
        EXPECT_TRUE(strays_pass(&strays, 0, 900 + i, INSIDE, true, LIMIT));
    EXPECT_TRUE(!strays_pass(&strays, 0, 950, INSIDE, true, LIMIT));
    EXPECT_TRUE(strays_pass(&strays, 0, 7, INSIDE, true, LIMIT));
    EXPECT_TRUE(strays_pass(&strays, 0, 7, OUTSIDE, true, LIMIT));
}

static void
test_repeats_have_a_number_a_second_by_tuple(void)
{
    static struct strays strays;

    begin(&strays);
    for (unsigned i = 0; i < REPEATS_A_SECOND; i++)
        EXPECT_TRUE(strays_repeat(&strays, 1500, 7, 1));
    EXPECT_TRUE(!strays_repeat(&strays, 1999, 7, 1));
    EXPECT_TRUE(strays_repeat(&strays, 1999, 8, 1));
    EXPECT_TRUE(strays_repeat(&strays, 2000, 7, 1));
}

static void
test_what_asks_for_answers_counts_more(void)
{
    static struct strays strays;

    begin(&strays);
    for (unsigned i = 0; i < REPEATS_A_SECOND / REPEATS_SYN; i++)
        EXPECT_TRUE(strays_repeat(&strays, 1500, 7, REPEATS_SYN));
    EXPECT_TRUE(!strays_repeat(&strays, 1500, 7, REPEATS_SYN));
    EXPECT_TRUE(!strays_repeat(&strays, 1500, 7, 1));
}

static void
test_what_the_other_side_said_holds_for_five_minutes(void)
{
    /* Beyond the limit of the second, whatever the clock began with. */
    static const uint32_t seconds[] = {0, 1, 100, 299, 300, 301};
    static struct strays strays;

    for (size_t i = 0; i < TEST_COUNT(seconds); i++) {
        uint64_t now_ms = 1000 + 1000 * (uint64_t)seconds[i];

        begin(&strays);
        EXPECT_TRUE(strays_pass(&strays, 1000, 77, INSIDE, true, LIMIT));
        (void)flood(&strays, now_ms, 2 * LIMIT, false);
        EXPECT_EQ(seconds[i] <= 300,
                  strays_pass(&strays, now_ms, 77, OUTSIDE, false, LIMIT));
    }
}

static void
test_each_side_has_its_limit_anew_in_each_second(void)
{
    static struct strays strays;

    begin(&strays);
    for (unsigned second = 1; second < 5; second++)
        for (uint8_t side = OUTSIDE; side <= INSIDE; side++)
            for (unsigned i = 0; i <= LIMIT; i++)
                EXPECT_EQ(i < LIMIT, strays_pass(&strays, second * 1000,
                                                 side * 100000u + i * 977, side,
                                                 false, LIMIT));
}

static void
test_tuples_in_other_places_do_not_disturb_each_other(void)
{
    static struct strays strays;

    begin(&strays);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_TRUE(strays_pass(&strays, 1000, i, INSIDE, true, 1000));
    (void)flood(&strays, 1000, 2 * LIMIT, false);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_TRUE(strays_pass(&strays, 1000, i, OUTSIDE, false, LIMIT));
}

static const struct test tests[] = {
    TEST(test_places_are_a_power_of_two_between_their_bounds),
    TEST(test_limit_holds_for_each_second_and_side),
    TEST(test_limit_of_zero_lets_everything_pass),
    TEST(test_tuple_of_which_the_other_side_spoke_passes_beyond_the_limit),
    TEST(test_word_of_the_other_side_grows_old),
    TEST(test_refused_segment_lets_the_other_side_speak),
    TEST(test_repeats_have_a_number_a_second_by_tuple),
    TEST(test_what_asks_for_answers_counts_more),
    TEST(test_what_the_other_side_said_holds_for_five_minutes),
    TEST(test_each_side_has_its_limit_anew_in_each_second),
    TEST(test_tuples_in_other_places_do_not_disturb_each_other),
};

int
main(int argc, char **argv)
{
    int status = test_main(argc, argv, tests, TEST_COUNT(tests));

    free(memory);
    return status;
}

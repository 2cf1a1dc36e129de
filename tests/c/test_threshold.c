/* Rate and judgement of aggressive mode. */
#include "test.h"

#include "../../csrc/flow/threshold.h"

static const struct threshold_limits limits = {.incomplete_low = 900,
                                               .incomplete_high = 1100,
                                               .rate_low = 900,
                                               .rate_high = 1100};

static void
count(struct threshold *threshold, uint32_t number, uint64_t now_ms)
{
    for (uint32_t i = 0; i < number; i++)
        threshold_count(threshold, now_ms);
}

static void
test_minute_slides_by_seconds(void)
{
    struct threshold threshold;

    threshold_init(&threshold);
    count(&threshold, 3, 1000);
    count(&threshold, 2, 2500);
    EXPECT_EQ(5, threshold_rate(&threshold, &limits, 60999));
    EXPECT_EQ(2, threshold_rate(&threshold, &limits, 61000));
    EXPECT_EQ(0, threshold_rate(&threshold, &limits, 62000));
    count(&threshold, 1, 62000);
    EXPECT_EQ(1, threshold_rate(&threshold, &limits, 62000));
    EXPECT_EQ(0, threshold_rate(&threshold, &limits, UINT64_MAX));
}

static void
test_sliding_rate_agrees_with_a_list_of_times(void)
{
    enum { TIMES = 3000 };
    static uint64_t time_ms[TIMES];
    struct threshold threshold;
    uint64_t now_ms = 123456789;

    threshold_init(&threshold);
    for (uint32_t i = 0; i < TIMES; i++) {
        uint32_t rate = 0;

        now_ms += test_random_below(200) * (i % 100 == 0 ? 100 : 1);
        time_ms[i] = now_ms;
        threshold_count(&threshold, now_ms);
        for (uint32_t k = 0; k <= i; k++)
            rate += time_ms[k] / 1000 + 60 > now_ms / 1000;
        EXPECT_EQ(rate, threshold_rate(&threshold, &limits, now_ms));
    }
}

static void
test_fixed_rate_begins_anew_with_each_minute(void)
{
    struct threshold threshold;
    struct threshold_limits fixed = limits;

    fixed.rate_method = FLOW_RATE_FIXED;
    threshold_init(&threshold);
    count(&threshold, 7, 59999);
    EXPECT_EQ(7, threshold_rate(&threshold, &fixed, 59999));
    EXPECT_EQ(0, threshold_rate(&threshold, &fixed, 60000));
}

/* exp(-x) for x >= 0: its series at x / 1024, squared ten times. */
static double
decay(double x)
{
    double y = x / 1024;
    double e = 1 - y + y * y / 2 - y * y * y / 6 + y * y * y * y / 24;

    for (int i = 0; i < 10; i++)
        e *= e;
    return e;
}

static void
test_ewma_decays_as_the_exponential_does(void)
{
    struct threshold_limits ewma = limits;

    ewma.rate_method = FLOW_RATE_EWMA;
    for (uint64_t ms = 1; ms < 700000; ms = ms * 3 + 1) {
        struct threshold threshold;
        double expected = 100000 * decay((double)ms / 60000);
        double got;

        threshold_init(&threshold);
        count(&threshold, 100000, 5);
        got = threshold_rate(&threshold, &ewma, 5 + ms);
        EXPECT_TRUE(got - expected < 2 && expected - got < 2);
    }
}

static void
test_every_factor_of_the_ewma_is_right_to_its_last_bit(void)
{
    struct threshold_limits ewma = limits;

    ewma.rate_method = FLOW_RATE_EWMA;
    for (uint32_t i = 0; i < 20; i++) {
        struct threshold threshold;
        double expected = 4294967296.0 * decay((double)(1u << i) / 60000);

        threshold_init(&threshold);
        threshold_count(&threshold, 5);
        threshold.ewma = UINT64_C(1) << 63;
        threshold_rate(&threshold, &ewma, 5 + (UINT64_C(1) << i));
        EXPECT_EQ((uint64_t)(expected + 0.5), threshold.ewma >> 31);
    }
}

static void
test_rate_of_one_changes_too(void)
{
    static const uint32_t methods[] = {FLOW_RATE_SLIDING, FLOW_RATE_FIXED,
                                       FLOW_RATE_EWMA};
    static const uint64_t change_ms[] = {91000, 60000, 32300};
    for (uint32_t i = 0; i < 3; i++) {
        struct threshold_limits of = limits;
        struct threshold threshold;

        of.rate_method = methods[i];
        threshold_init(&threshold);
        EXPECT_EQ(SYNCACHE_NEVER, threshold_change_ms(&threshold, &of, 1, 0));
        threshold_count(&threshold, 31300);
        EXPECT_EQ(change_ms[i], threshold_change_ms(&threshold, &of, 31300, 0));
    }
}

static void
test_begins_above_high_by_either(void)
{
    /* I21, I23: strictly greater. */
    struct threshold threshold;

    threshold_init(&threshold);
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &limits, 0, 1100));
    EXPECT_EQ(THRESHOLD_BEGINS, threshold_judge(&threshold, &limits, 0, 1101));
    EXPECT_EQ(FLOW_REASON_INCOMPLETE, threshold.reason);
    threshold_init(&threshold);
    count(&threshold, 1100, 0);
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &limits, 0, 0));
    EXPECT_EQ(SYNCACHE_NEVER, threshold_next_ms(&threshold));
    count(&threshold, 1, 0);
    EXPECT_EQ(THRESHOLD_BEGINS, threshold_judge(&threshold, &limits, 0, 0));
    EXPECT_EQ(FLOW_REASON_RATE, threshold.reason);
    EXPECT_EQ(1000, threshold_next_ms(&threshold));
}

static void
test_ends_below_both_lows(void)
{
    /* I22. */
    struct threshold threshold;

    threshold_init(&threshold);
    count(&threshold, 899, 0);
    threshold_judge(&threshold, &limits, 0, 1101);
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &limits, 1, 900));
    count(&threshold, 1, 1);
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &limits, 1, 899));
    EXPECT_EQ(THRESHOLD_ENDS, threshold_judge(&threshold, &limits, 60000, 899));
    EXPECT_EQ(SYNCACHE_NEVER, threshold_next_ms(&threshold));
}

static void
test_unlimited_pair_neither_begins_nor_hinders(void)
{
    struct threshold_limits half = limits;
    struct threshold threshold;

    half.rate_high = 0;
    threshold_init(&threshold);
    count(&threshold, 5000, 0);
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &half, 0, 1100));
    EXPECT_EQ(THRESHOLD_BEGINS, threshold_judge(&threshold, &half, 0, 1101));
    EXPECT_EQ(THRESHOLD_ENDS, threshold_judge(&threshold, &half, 0, 899));
    half = limits;
    half.incomplete_high = 0;
    EXPECT_EQ(THRESHOLD_BEGINS, threshold_judge(&threshold, &half, 0, 5));
    EXPECT_EQ(THRESHOLD_ENDS, threshold_judge(&threshold, &half, 60000, 5000));
}

static void
test_rare_checks_see_the_end_late(void)
{
    /* calm_check_interval 30 imitates IOS. */
    struct threshold_limits rare = limits;
    struct threshold threshold;

    rare.check_ms = 30000;
    threshold_init(&threshold);
    threshold_judge(&threshold, &rare, 500, 1101);
    EXPECT_EQ(30500, threshold_next_ms(&threshold));
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &rare, 30499, 0));
    EXPECT_EQ(THRESHOLD_ENDS, threshold_judge(&threshold, &rare, 30500, 0));
}

static void
test_minimum_time_holds_the_mode(void)
{
    struct threshold_limits slow = limits;
    struct threshold threshold;

    slow.min_active_ms = 5000;
    threshold_init(&threshold);
    threshold_judge(&threshold, &slow, 100, 1101);
    EXPECT_EQ(5100, threshold_next_ms(&threshold));
    EXPECT_EQ(THRESHOLD_STAYS, threshold_judge(&threshold, &slow, 5099, 0));
    EXPECT_EQ(THRESHOLD_ENDS, threshold_judge(&threshold, &slow, 5100, 0));
}

/* Nothing moves and no rate changes before the time, which may be NEVER. */
static void
expect_change(struct threshold threshold, const struct threshold_limits *of,
              uint64_t now_ms, uint32_t incomplete)
{
    uint64_t change_ms =
        threshold_change_ms(&threshold, of, now_ms, incomplete);
    uint32_t rate = threshold_rate(&threshold, of, now_ms);
    uint64_t last_ms = now_ms + 200000;

    for (uint64_t ms = now_ms + 1; ms <= last_ms; ms++) {
        enum threshold_move move =
            threshold_judge(&threshold, of, ms, incomplete);
        if (move == THRESHOLD_STAYS &&
            threshold_rate(&threshold, of, ms) == rate)
            continue;
        if (of->rate_method == FLOW_RATE_EWMA && ms < now_ms + 1000)
            ms = now_ms + 1000;
        EXPECT_TRUE(change_ms <= ms);
        return;
    }
    EXPECT_EQ(SYNCACHE_NEVER, change_ms);
}

static void
test_next_change_is_the_first_that_happens(void)
{
    /* By all ways of counting, calm and aggressive, checked often and rarely. */
    for (uint32_t i = 0; i < 48; i++) {
        struct threshold_limits of = limits;
        struct threshold threshold;
        uint32_t incomplete = i % 4 == 0 ? 1101 : i % 4 == 1 ? 950 : 0;

        of.rate_method = i / 4 % 3;
        of.check_ms = i / 12 % 2 == 0 ? 0 : 30000;
        of.min_active_ms = i / 24 == 0 ? 0 : 5000;
        threshold_init(&threshold);
        count(&threshold, i % 3 == 0 ? 0 : 3, 1300);
        count(&threshold, 2, 31700);
        if (i % 4 < 3)
            threshold_judge(&threshold, &of, 31700, 1101);
        threshold_judge(&threshold, &of, 31700, incomplete);
        expect_change(threshold, &of, 31700, incomplete);
    }
}

static void
test_what_stays_is_changed_by_no_judgement(void)
{
    /* By all ways of counting, calm and aggressive, checked often and rarely;
     * both answers come often enough to mean something. */
    uint32_t stays = 0, moves = 0;

    for (uint32_t i = 0; i < 48; i++) {
        for (uint64_t ms = 31700; ms < 100000; ms += 37) {
            struct threshold_limits of = limits;
            struct threshold threshold, judged;
            uint32_t incomplete = (uint32_t)ms % 1500;

            of.rate_method = i / 4 % 3;
            of.check_ms = i / 12 % 2 == 0 ? 0 : 30000;
            of.min_active_ms = i / 24 == 0 ? 0 : 5000;
            threshold_init(&threshold);
            count(&threshold, i % 3 == 0 ? 0 : 3, 1300);
            count(&threshold, 2, ms - ms % 3000);
            if (i % 4 < 3)
                threshold_judge(&threshold, &of, ms - ms % 3000, 1101);
            judged = threshold;
            if (!threshold_stays(&threshold, &of, ms, incomplete)) {
                moves += threshold_judge(&judged, &of, ms, incomplete) !=
                         THRESHOLD_STAYS;
                continue;
            }
            stays++;
            EXPECT_EQ(THRESHOLD_STAYS,
                      threshold_judge(&judged, &of, ms, incomplete));
            EXPECT_EQ(0, memcmp(&judged, &threshold, sizeof judged));
        }
    }
    EXPECT_TRUE(stays > 1000 && moves > 1000);
}

static void
test_nothing_is_left_of_an_average_after_a_quarter_of_an_hour(void)
{
    struct threshold_limits ewma = limits;
    struct threshold threshold;

    ewma.rate_method = FLOW_RATE_EWMA;
    threshold_init(&threshold);
    threshold_count(&threshold, 5);
    threshold.ewma = UINT64_MAX;
    (void)threshold_rate(&threshold, &ewma, 5 + (UINT64_C(1) << 20));
    EXPECT_EQ(0, threshold.ewma);
}

static void
test_minute_that_began_a_minute_after_the_first_second_ends_at_its_own(void)
{
    struct threshold_limits sliding = limits;
    struct threshold threshold;

    sliding.rate_method = FLOW_RATE_SLIDING;
    for (uint64_t s = 58; s < 63; s++) {
        threshold_init(&threshold);
        threshold_count(&threshold, s * 1000 + 300);
        EXPECT_EQ((s + 60) * 1000,
                  threshold_change_ms(&threshold, &sliding, s * 1000 + 300, 0));
    }
}

static void
test_begins_with_nothing_whatever_its_memory_held(void)
{
    struct threshold threshold;
    static const uint32_t methods[] = {FLOW_RATE_SLIDING, FLOW_RATE_FIXED,
                                       FLOW_RATE_EWMA};

    for (uint32_t i = 0; i < 3; i++) {
        struct threshold_limits of = limits;

        of.rate_method = methods[i];
        memset(&threshold, 0xa5, sizeof threshold);
        threshold_init(&threshold);
        EXPECT_EQ(0, threshold_rate(&threshold, &of, 30000));
        threshold_count(&threshold, 30000);
        EXPECT_EQ(1, threshold_rate(&threshold, &of, 30000));
    }
}

static const struct test tests[] = {
    TEST(test_every_factor_of_the_ewma_is_right_to_its_last_bit),
    TEST(test_rate_of_one_changes_too),
    TEST(test_what_stays_is_changed_by_no_judgement),
    TEST(test_next_change_is_the_first_that_happens),
    TEST(test_minute_slides_by_seconds),
    TEST(test_sliding_rate_agrees_with_a_list_of_times),
    TEST(test_fixed_rate_begins_anew_with_each_minute),
    TEST(test_ewma_decays_as_the_exponential_does),
    TEST(test_begins_above_high_by_either),
    TEST(test_ends_below_both_lows),
    TEST(test_unlimited_pair_neither_begins_nor_hinders),
    TEST(test_rare_checks_see_the_end_late),
    TEST(test_minimum_time_holds_the_mode),
    TEST(test_nothing_is_left_of_an_average_after_a_quarter_of_an_hour),
    TEST(
        test_minute_that_began_a_minute_after_the_first_second_ends_at_its_own),
    TEST(test_begins_with_nothing_whatever_its_memory_held),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Pauses: FreeBSD's lengths, and the age policy's windows. */
#include "test.h"

#include "../../csrc/core/pause.h"

#define AGE SYNCACHE_PAUSE_AGE
#define BUCKET SYNCACHE_PAUSE_BUCKET
#define AGE_MS 1000u

static struct pause
pause_new(void)
{
    struct pause pause;
    memset(&pause, 0xa5, sizeof pause);
    pause_init(&pause);
    return pause;
}

/* When the pause that runs ends under policy bucket, to the millisecond. */
static uint64_t
end_of(struct pause *pause, uint64_t now)
{
    EXPECT_EQ(pause->until_ms, pause_next_ms(pause, BUCKET));
    while (pause->paused)
        pause_advance(pause, ++now, BUCKET, AGE_MS, 100);
    return now;
}

static void
test_bucket_policy_doubles_from_15_to_960_s(void)
{
    /* Overflow as soon as the pause ends, from any phase of a second. */
    static const uint64_t lengths[] = {15, 30, 60, 120, 240, 480, 960, 960};
    static const uint64_t starts[] = {0, 3700, UINT64_C(1) << 32,
                                      UINT64_C(1) << 63};
    for (size_t i = 0; i < TEST_COUNT(starts); i++) {
        struct pause pause = pause_new();
        uint64_t now = starts[i];
        for (size_t j = 0; j < TEST_COUNT(lengths); j++) {
            EXPECT_TRUE(pause_begin(&pause, now));
            EXPECT_EQ(now, pause.started_ms);
            uint64_t end = end_of(&pause, now);
            EXPECT_EQ(lengths[j] * 1000, end - now);
            now = end;
        }
    }
}

static void
test_bucket_policy_quiet_spell_as_long_as_the_last_pause_starts_anew(void)
{
    /* Within it the length doubles; from then on it is 15 s again. */
    static const struct {
        uint64_t quiet_ms;
        uint8_t backoff;
    } rows[] = {{0, 2}, {29999, 2}, {30000, 0}, {40000, 0}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct pause pause = pause_new();
        pause_begin(&pause, 1000);
        uint64_t end = end_of(&pause, 1000);
        pause_begin(&pause, end);
        end = end_of(&pause, end);
        EXPECT_EQ(1000 + 45000, end);
        EXPECT_TRUE(pause_begin(&pause, end + rows[i].quiet_ms));
        EXPECT_EQ(rows[i].backoff, pause.backoff);
    }
}

static void
test_begin_while_paused_changes_nothing(void)
{
    /* bucketoverflow counts once a pause. */
    struct pause pause = pause_new();
    EXPECT_TRUE(pause_begin(&pause, 1000));
    struct pause before = pause;
    EXPECT_TRUE(!pause_begin(&pause, 2000));
    EXPECT_BYTES((uint8_t *)&before, (uint8_t *)&pause, sizeof pause);
}

static void
test_end_ends_at_once(void)
{
    /* syncookies was switched off. */
    struct pause pause = pause_new();
    pause_begin(&pause, 1000);
    pause_end(&pause);
    EXPECT_TRUE(!pause.paused);
    EXPECT_EQ(SYNCACHE_NEVER, pause_next_ms(&pause, BUCKET));
}

static void
test_policy_none_ends_a_pause_and_never_begins_one(void)
{
    /* As FreeBSD 4 did, and after a change of policy. */
    struct pause pause = pause_new();
    pause_begin(&pause, 0);
    for (uint64_t now = 0; now < 10000; now += 100) {
        for (int i = 0; i < 1000; i++)
            pause_note_syn(&pause);
        pause_note_victim(&pause, 0, AGE_MS);
        EXPECT_TRUE(
            !pause_advance(&pause, now, SYNCACHE_PAUSE_NONE, AGE_MS, 10));
        EXPECT_TRUE(!pause.paused);
    }
    EXPECT_EQ(SYNCACHE_NEVER, pause_next_ms(&pause, SYNCACHE_PAUSE_NONE));
}

/* What a second brings. */
struct second {
    uint32_t syns;
    uint32_t young;
    uint32_t old;
    uint32_t unplaced;
};

/* One second from its start to its end, in steps; says if a pause began. */
static bool
live(struct pause *pause, uint64_t *now, struct second second)
{
    for (uint32_t i = 0; i < second.syns; i++)
        pause_note_syn(pause);
    for (uint32_t i = 0; i < second.young; i++)
        pause_note_victim(pause, AGE_MS - 1, AGE_MS);
    for (uint32_t i = 0; i < second.old; i++)
        pause_note_victim(pause, AGE_MS, AGE_MS);
    for (uint32_t i = 0; i < second.unplaced; i++)
        pause_note_unplaced(pause);
    bool began = false;
    for (int i = 0; i < 10; i++) {
        *now += 100;
        began |= pause_advance(pause, *now, AGE, AGE_MS, 100);
    }
    return began;
}

static void
test_age_policy_begins_when_most_victims_were_young_and_the_rate_is_high(void)
{
    /* Capacity 100, age 1 s: more than 100 SYN/s evict that young. */
    static const struct {
        struct second second;
        bool begins;
    } rows[] = {
        {{101, 1, 0, 0}, true},  {{101, 0, 1, 0}, false},
        {{101, 1, 1, 0}, false}, {{101, 2, 1, 0}, true},
        {{100, 5, 0, 0}, false}, {{101, 0, 0, 0}, false},
        {{101, 0, 0, 1}, true},  {{101, 0, 9, 1}, true},
        {{100, 0, 0, 9}, false}, {{5000, 0, 0, 0}, false},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct pause pause = pause_new();
        uint64_t now = 5000;
        pause_advance(&pause, now, AGE, AGE_MS, 100);
        EXPECT_TRUE(!live(&pause, &now, (struct second){5000, 0, 0, 0}));
        EXPECT_EQ(rows[i].begins, live(&pause, &now, rows[i].second));
        EXPECT_EQ(rows[i].begins, pause.paused);
        /* The next second knows nothing of this one's victims. */
        if (!rows[i].begins)
            EXPECT_TRUE(!live(&pause, &now, (struct second){5000, 0, 0, 0}));
    }
}

static void
test_age_policy_pause_ends_when_the_rate_of_5_s_is_low(void)
{
    /* At the end of a window, after five seconds at the earliest. */
    static const struct {
        uint32_t before; /* SYN/s until the pause begins */
        uint32_t after;  /* and from then on */
        uint64_t lasts_s;
    } rows[] = {{10000, 0, 5},   {101, 0, 5},      {101, 99, 5},
                {10000, 100, 5}, {10000, 101, 15}, {10000, 1000, 15}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct pause pause = pause_new();
        uint64_t now = 0;
        pause_advance(&pause, now, AGE, AGE_MS, 100);
        struct second flood = {rows[i].before, 9, 0, 0};
        EXPECT_TRUE(live(&pause, &now, flood));
        EXPECT_EQ(1000, pause.started_ms);
        uint64_t lasted_s = 0;
        struct second after = {rows[i].after, 0, 0, 0};
        for (; pause.paused && lasted_s < 100; lasted_s++)
            EXPECT_TRUE(!live(&pause, &now, after));
        EXPECT_EQ(rows[i].lasts_s, lasted_s);
    }
}

static void
test_age_policy_rate_is_of_the_last_five_windows(void)
{
    /* A burst counts for five seconds, then it is forgotten. */
    struct pause pause = pause_new();
    uint64_t now = 0;
    pause_advance(&pause, now, AGE, AGE_MS, 100);
    live(&pause, &now, (struct second){1000, 1, 0, 0});
    struct second burst = {501, 0, 0, 0};
    struct second quiet = {0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        live(&pause, &now, quiet);
    live(&pause, &now, burst);
    for (int i = 0; i < 4; i++) {
        EXPECT_TRUE(pause.paused);
        live(&pause, &now, quiet);
    }
    EXPECT_TRUE(pause.paused);
    live(&pause, &now, quiet);
    EXPECT_TRUE(!pause.paused);
}

static void
test_age_policy_pause_ended_early_counts_from_its_end(void)
{
    /* The next pause is longer if it comes within the last one's length. */
    static const struct {
        uint64_t quiet_s;
        uint64_t length_s;
    } rows[] = {{1, 30}, {13, 30}, {15, 15}, {100, 15}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct pause pause = pause_new();
        uint64_t now = 0;
        pause_advance(&pause, now, AGE, AGE_MS, 100);
        struct second flood = {1000, 1000, 0, 0};
        live(&pause, &now, flood);
        while (pause.paused)
            live(&pause, &now, (struct second){0, 0, 0, 0});
        EXPECT_EQ(6000, now);
        for (uint64_t s = 0; s < rows[i].quiet_s; s++)
            live(&pause, &now, (struct second){0, 0, 0, 0});
        EXPECT_TRUE(live(&pause, &now, flood));
        EXPECT_EQ(rows[i].length_s * 1000, pause.until_ms - pause.started_ms);
    }
}

static void
test_age_policy_gap_after_a_bad_second_begins_nothing(void)
{
    /* What was two seconds ago is no reason to stop inserting now. */
    for (uint64_t gap = 1000; gap < 9000; gap += 250) {
        struct pause pause = pause_new();
        pause_advance(&pause, 0, AGE, AGE_MS, 100);
        for (int i = 0; i < 1000; i++) {
            pause_note_syn(&pause);
            pause_note_victim(&pause, 0, AGE_MS);
        }
        EXPECT_EQ(1000, pause_next_ms(&pause, AGE));
        EXPECT_EQ(gap < 2000, pause_advance(&pause, gap, AGE, AGE_MS, 100));
        EXPECT_EQ(gap < 2000, pause.paused);
    }
}

static void
test_age_policy_gap_during_a_pause_ends_it(void)
{
    /* After a gap the rate of the last five seconds is that of the gap. */
    for (uint64_t gap = 1000; gap < 400000; gap = gap * 5 / 4) {
        struct pause pause = pause_new();
        uint64_t now = 0;
        pause_advance(&pause, now, AGE, AGE_MS, 100);
        live(&pause, &now, (struct second){1000, 1000, 0, 0});
        EXPECT_EQ(2000, pause_next_ms(&pause, AGE));
        pause_advance(&pause, now + gap, AGE, AGE_MS, 100);
        EXPECT_EQ(gap < 5000, pause.paused);
    }
    /* And if the second before the gap was a bad one. */
    for (uint64_t gap = 1000; gap < 15000; gap += 500) {
        struct pause pause = pause_new();
        uint64_t now = 0;
        pause_advance(&pause, now, AGE, AGE_MS, 100);
        live(&pause, &now, (struct second){1000, 1000, 0, 0});
        for (int i = 0; i < 1000; i++)
            pause_note_syn(&pause);
        pause_advance(&pause, now + gap, AGE, AGE_MS, 100);
        EXPECT_EQ(gap < 6000, pause.paused);
    }
}

static void
test_nothing_noted_needs_no_call(void)
{
    /* An idle engine is not woken every second. */
    struct pause pause = pause_new();
    pause_advance(&pause, 500, AGE, AGE_MS, 100);
    pause_note_syn(&pause);
    EXPECT_EQ(SYNCACHE_NEVER, pause_next_ms(&pause, AGE));
    EXPECT_EQ(SYNCACHE_NEVER, pause_next_ms(&pause, BUCKET));
    struct pause other = pause;
    pause_note_victim(&other, AGE_MS, AGE_MS);
    EXPECT_EQ(1500, pause_next_ms(&other, AGE));
    pause_note_unplaced(&pause);
    EXPECT_EQ(1, pause.unplaced);
    EXPECT_EQ(1500, pause_next_ms(&pause, AGE));
    EXPECT_EQ(SYNCACHE_NEVER, pause_next_ms(&pause, BUCKET));
}

static void
test_pause_that_ends_within_its_window_says_so(void)
{
    /* One that the bucket policy began lies across the windows. */
    struct pause pause = pause_new();
    pause_advance(&pause, 0, BUCKET, AGE_MS, 100);
    EXPECT_TRUE(pause_begin(&pause, 300));
    pause_advance(&pause, 15200, BUCKET, AGE_MS, 100);
    EXPECT_EQ(15300, pause_next_ms(&pause, AGE));
}

static void
test_largest_counts_do_not_overflow(void)
{
    /* 2^32 - 1 SYNs and the longest age against the largest capacity. */
    struct pause pause = pause_new();
    pause_advance(&pause, 0, AGE, UINT32_MAX, UINT32_MAX);
    pause.syns[0] = UINT32_MAX;
    pause.victims = UINT32_MAX;
    pause.victims_young = UINT32_MAX;
    EXPECT_TRUE(pause_advance(&pause, 1000, AGE, UINT32_MAX, UINT32_MAX));
    for (uint64_t now = 2000; now <= 8000; now += 1000) {
        pause.syns[pause.window_index] = UINT32_MAX;
        pause_advance(&pause, now, AGE, UINT32_MAX, UINT32_MAX);
        EXPECT_TRUE(pause.paused);
    }
    pause_advance(&pause, 9000, AGE, 0, UINT32_MAX);
    EXPECT_TRUE(!pause.paused);
}

static const struct test tests[] = {
    TEST(test_bucket_policy_doubles_from_15_to_960_s),
    TEST(test_bucket_policy_quiet_spell_as_long_as_the_last_pause_starts_anew),
    TEST(test_begin_while_paused_changes_nothing),
    TEST(test_end_ends_at_once),
    TEST(test_policy_none_ends_a_pause_and_never_begins_one),
    TEST(
        test_age_policy_begins_when_most_victims_were_young_and_the_rate_is_high),
    TEST(test_age_policy_pause_ends_when_the_rate_of_5_s_is_low),
    TEST(test_age_policy_rate_is_of_the_last_five_windows),
    TEST(test_age_policy_pause_ended_early_counts_from_its_end),
    TEST(test_age_policy_gap_after_a_bad_second_begins_nothing),
    TEST(test_age_policy_gap_during_a_pause_ends_it),
    TEST(test_nothing_noted_needs_no_call),
    TEST(test_pause_that_ends_within_its_window_says_so),
    TEST(test_largest_counts_do_not_overflow),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

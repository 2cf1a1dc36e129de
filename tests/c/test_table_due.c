/* Deadlines and the sweep: never early, less than 4 ms late, at any age. */
#include "table_model.h"

#define UNIT TABLE_DUE_MS
#define SPAN_MS (UINT64_C(65535) * UNIT) /* units wrap */

/* Times around which something wraps. */
static const uint64_t starts[] = {
    0,
    1,
    SPAN_MS - 70000,
    SPAN_MS - 2,
    2 * SPAN_MS - 64001,
    (UINT64_C(1) << 18) - 3,
    (UINT64_C(1) << 32) - 30000,
    (UINT64_C(1) << 63) - 5,
    UINT64_C(1) << 63,
};

/* The next due entry alone, or none. */
static struct table_ref
next_due(struct table *table, uint64_t now, uint32_t *cursor)
{
    struct table_ref ref = {.entry = NULL};
    (void)table_take_due(table, now, cursor, &ref, 1);
    return ref;
}

static bool
is_due(const struct table *table, struct table_ref ref, uint64_t now)
{
    return table_deadline_ms(table, ref, now) <= now;
}

static void
test_deadline_is_never_early_and_less_than_4_ms_late(void)
{
    /* At each time before and after, for deadlines at every phase. */
    static const uint32_t delays[] = {1,    2,    3,     4,     5,    999,
                                      1000, 3200, 31800, 63999, 64000};
    struct table_block block = table_new(1, 1, 1);
    struct table *table = &block.table;
    struct table_ref ref = insert_number(table, 0);
    for (size_t i = 0; i < TEST_COUNT(starts) * 4; i++) {
        uint64_t now = starts[i / 4] + i % 4;
        table_sweep(table, now);
        for (size_t j = 0; j < TEST_COUNT(delays); j++) {
            uint64_t deadline = now + delays[j];
            table_arm(table, ref, deadline, now);
            uint64_t kept = table_deadline_ms(table, ref, now);
            EXPECT_TRUE(kept >= deadline && kept < deadline + UNIT);
            EXPECT_TRUE(!is_due(table, ref, deadline - 1));
            EXPECT_TRUE(!is_due(table, ref, kept - 1));
            EXPECT_TRUE(is_due(table, ref, kept));
            EXPECT_TRUE(is_due(table, ref, kept + 50000));
            EXPECT_EQ(kept, table_deadline_ms(table, ref, kept + 50000));
            uint32_t cursor = 0;
            EXPECT_TRUE(next_due(table, kept - 1, &cursor).entry == NULL);
            EXPECT_TRUE(next_due(table, kept, &cursor).entry == NULL);
            cursor = 0;
            EXPECT_TRUE(next_due(table, kept, &cursor).entry == ref.entry);
        }
    }
    free(block.memory);
}

static void
test_deadline_in_the_past_is_due_now(void)
{
    /* A zero or negative timeout is not 4 ms of waiting. */
    for (size_t i = 0; i < TEST_COUNT(starts); i++) {
        struct table_block block = table_new(1, 1, 1);
        struct table_ref ref = insert_number(&block.table, 0);
        uint64_t now = starts[i] + 100;
        table_sweep(&block.table, now);
        table_arm(&block.table, ref, now - 57, now);
        EXPECT_TRUE(is_due(&block.table, ref, now));
        EXPECT_TRUE(block.table.next_due_ms <= now);
        free(block.memory);
    }
}

static void
test_deadline_beyond_64_s_is_cut(void)
{
    /* What 16 bits cannot hold comes due early rather than never. */
    struct table_block block = table_new(1, 1, 1);
    struct table_ref ref = insert_number(&block.table, 0);
    table_arm(&block.table, ref, 1000000, 0);
    EXPECT_EQ(TABLE_ARM_MAX_MS, table_deadline_ms(&block.table, ref, 0));
    table_arm(&block.table, ref, SYNCACHE_NEVER, 8);
    EXPECT_EQ(TABLE_ARM_MAX_MS + 8, table_deadline_ms(&block.table, ref, 8));
    free(block.memory);
}

static void
test_due_entries_come_in_bucket_order_oldest_first(void)
{
    /* Retransmissions leave in the order in which their SYNs came. */
    struct table_block block = table_new(4, 30, 120);
    struct table *table = &block.table;
    uint32_t count = 0;
    for (uint32_t n = 0; n < 90; n++) {
        uint32_t bucket = table_bucket(table, hash_number(n));
        if (table_bucket_full(table, bucket))
            continue;
        table_arm(table, insert_number(table, n), 1000 + n % 3, 0);
        count++;
    }
    uint32_t cursor = 0;
    EXPECT_TRUE(next_due(table, 999, &cursor).entry == NULL);
    cursor = 0;
    uint32_t bucket = 0;
    uint32_t last = 0;
    struct table_ref ref = next_due(table, 1004, &cursor);
    for (; ref.entry != NULL; ref = next_due(table, 1004, &cursor)) {
        EXPECT_TRUE(ref.bucket >= bucket);
        EXPECT_TRUE(ref.bucket > bucket || ref.entry->irs >= last);
        EXPECT_EQ(ref.bucket, cursor);
        bucket = ref.bucket;
        last = ref.entry->irs;
        table_arm(table, ref, 2000, 1004);
        count--;
    }
    EXPECT_EQ(0, count);
    EXPECT_EQ(4, cursor);
    EXPECT_EQ(2000, table->next_due_ms);
    free(block.memory);
}

static void
test_table_without_deadlines_has_none(void)
{
    /* Removal leaves a bound, the next look for due entries takes it away. */
    struct table_block block = table_new(2, 2, 4);
    EXPECT_EQ(SYNCACHE_NEVER, block.table.next_due_ms);
    struct table_ref ref = insert_number(&block.table, 0);
    EXPECT_EQ(SYNCACHE_NEVER, block.table.next_due_ms);
    table_arm(&block.table, ref, 1000, 0);
    EXPECT_EQ(1000, block.table.next_due_ms);
    table_remove(&block.table, ref);
    uint32_t cursor = 0;
    EXPECT_TRUE(next_due(&block.table, 1000, &cursor).entry == NULL);
    EXPECT_EQ(SYNCACHE_NEVER, block.table.next_due_ms);
    free(block.memory);
}

static void
test_gap_of_any_length_leaves_due_what_was_due(void)
{
    /* Sweep after minutes, hours, at the wrap of 16 bits, after 2^40 ms. */
    static const uint64_t gaps[] = {30000,           93999,
                                    94000,           123999,
                                    124000,          124001,
                                    131067,          131068,
                                    131069,          SPAN_MS - 1,
                                    SPAN_MS,         SPAN_MS + 1,
                                    SPAN_MS + 64000, SPAN_MS * 5 + 30000,
                                    3600000,         UINT64_C(1) << 40};
    for (size_t i = 0; i < TEST_COUNT(gaps); i++) {
        struct table_block block = table_new(2, 30, 60);
        struct table *table = &block.table;
        uint64_t swept = 1000000;
        table_sweep(table, swept);
        for (uint32_t n = 0; n < 20; n++) {
            uint64_t armed = swept + 1490 * n;
            table_arm(table, insert_number(table, n), armed + 3200 * n, armed);
        }
        uint64_t now = swept + gaps[i];
        table_sweep(table, now);
        for (uint32_t n = 0; n < 20; n++) {
            uint64_t deadline = swept + (1490 + 3200) * n;
            struct table_ref ref = find_number(table, n);
            uint64_t kept = (deadline + UNIT - 1) / UNIT * UNIT;
            EXPECT_EQ(now >= kept, is_due(table, ref, now));
            EXPECT_EQ(now >= kept ? now / UNIT * UNIT : kept,
                      table_deadline_ms(table, ref, now));
            EXPECT_TRUE(table->next_due_ms <= now || now < kept);
        }
        free(block.memory);
    }
}

/* Is an ACK war's window of this length still open, as the events read it? */
static bool
window_open(const struct table_entry *entry, uint64_t now, uint32_t window)
{
    uint16_t age = (uint16_t)(now - entry->challenge_ms);
    return entry->challenges > 0 && age < window;
}

static void
test_challenge_window_ends_for_good(void)
{
    /* Its 16-bit start must not look young again after 65 s, at any gap. */
    static const uint64_t begins[] = {0, 1, 500, 15000, 29999};
    for (uint64_t gap = 30000; gap < 140000; gap += 1117) {
        for (size_t i = 0; i < TEST_COUNT(begins); i++) {
            struct table_block block = table_new(4, 2, 8);
            struct table *table = &block.table;
            uint64_t swept = 400000;
            table_sweep(table, swept);
            struct table_ref ref = insert_number(table, 1);
            uint64_t begin = swept + begins[i];
            ref.entry->challenge_ms = (uint16_t)begin;
            ref.entry->challenges = 5;
            table_mark_challenge(table, ref);
            EXPECT_EQ(1, table->challenge_buckets);
            for (uint64_t now = swept + gap; now < swept + gap + 200000;
                 now += gap) {
                table_sweep(table, now);
                EXPECT_EQ(now - begin < TABLE_CHALLENGE_MAX_MS,
                          window_open(ref.entry, now, TABLE_CHALLENGE_MAX_MS));
                /* And right up to the next sweep. */
                for (uint64_t t = now; t < now + 29999; t += 3333)
                    EXPECT_EQ(
                        t - begin < TABLE_CHALLENGE_MAX_MS,
                        window_open(ref.entry, t, TABLE_CHALLENGE_MAX_MS));
            }
            EXPECT_EQ(0, table->challenge_buckets);
            free(block.memory);
        }
    }
}

static void
challenge(struct table *table, uint32_t n, uint64_t now)
{
    struct table_ref ref = find_number(table, n);
    ref.entry->challenge_ms = (uint16_t)now;
    ref.entry->challenges = 1;
    table_mark_challenge(table, ref);
}

static void
test_marks_are_counted_by_bucket(void)
{
    /* Two entries of a bucket are one mark, which the last of them takes. */
    for (uint32_t first = 0; first < 2; first++) {
        struct table_block block = table_new(1, 4, 4);
        struct table *table = &block.table;
        table_sweep(table, 100000);
        insert_number(table, 0);
        insert_number(table, 1);
        challenge(table, first, 100000);
        challenge(table, 1 - first, 120000);
        EXPECT_EQ(1, table->challenge_buckets);
        table_sweep(table, 130000);
        EXPECT_EQ(0, find_number(table, first).entry->challenges);
        EXPECT_EQ(1, find_number(table, 1 - first).entry->challenges);
        EXPECT_EQ(1, table->challenge_buckets);
        table_sweep(table, 160000);
        EXPECT_EQ(0, find_number(table, 1 - first).entry->challenges);
        EXPECT_EQ(0, table->challenge_buckets);
        challenge(table, first, 170000);
        EXPECT_EQ(1, table->challenge_buckets);
        free(block.memory);
    }
}

static void
test_removed_entry_takes_its_mark_along(void)
{
    /* What its memory still says does not count. */
    struct table_block block = table_new(1, 4, 4);
    struct table *table = &block.table;
    table_sweep(table, 100000);
    insert_number(table, 0);
    challenge(table, 0, 129000);
    table_remove(table, find_number(table, 0));
    table_sweep(table, 130000);
    EXPECT_EQ(0, table->challenge_buckets);
    free(block.memory);
}

#define PEERS 200
#define OUT UINT64_MAX /* not in the table */

/* Deadlines as plain 64-bit times, rounded up; OUT where there is no entry. */
static uint64_t model[PEERS];

static void
expect_deadlines(const struct table *table, uint64_t now)
{
    uint64_t earliest = SYNCACHE_NEVER;
    for (uint32_t n = 0; n < PEERS; n++) {
        struct table_ref ref = find_number(table, n);
        EXPECT_EQ(model[n] != OUT, ref.entry != NULL);
        if (ref.entry == NULL)
            continue;
        EXPECT_EQ(now >= model[n], is_due(table, ref, now));
        if (now < model[n])
            EXPECT_EQ(model[n], table_deadline_ms(table, ref, now));
        if (model[n] < earliest)
            earliest = model[n];
    }
    EXPECT_TRUE(table->next_due_ms <= earliest);
}

/* Takes out everything due; re-arms some, as a retransmission does. */
static void
poll_all(struct table *table, uint64_t now)
{
    uint32_t cursor = 0;
    struct table_ref ref = next_due(table, now, &cursor);
    for (; ref.entry != NULL; ref = next_due(table, now, &cursor)) {
        uint32_t n = ref.entry->irs;
        EXPECT_TRUE(model[n] != OUT && now >= model[n]);
        if (test_random_below(4) == 0) {
            table_remove(table, ref);
            model[n] = OUT;
            continue;
        }
        uint64_t deadline = now + 1 + test_random_below(TABLE_ARM_MAX_MS);
        table_arm(table, ref, deadline, now);
        model[n] = (deadline + UNIT - 1) / UNIT * UNIT;
    }
    for (uint32_t n = 0; n < PEERS; n++)
        EXPECT_TRUE(model[n] == OUT || now < model[n]);
}

/* Time passes as on a busy, a quiet, or a stopped machine. */
static uint64_t
random_gap(void)
{
    switch (test_random_below(40)) {
    case 0:
        return test_random_below(400000);
    case 1:
        return SPAN_MS - 5 + test_random_below(10);
    case 2:
        return test_random_below(UINT64_C(1) << 40);
    default:
        return test_random_below(10) * test_random_below(200);
    }
}

static void
walk_from(uint64_t now)
{
    struct table_block block = table_new(8, 30, 240);
    struct table *table = &block.table;
    for (uint32_t n = 0; n < PEERS; n++)
        model[n] = OUT;
    for (int i = 0; i < 8000; i++) {
        now += random_gap();
        if (now - table->swept_ms >= TABLE_SWEEP_MS)
            table_sweep(table, now);
        uint32_t n = (uint32_t)test_random_below(PEERS);
        uint32_t bucket = table_bucket(table, hash_number(n));
        if (model[n] == OUT && !table_bucket_full(table, bucket)) {
            uint64_t deadline = now + test_random_below(TABLE_ARM_MAX_MS + 1);
            table_arm(table, insert_number(table, n), deadline, now);
            uint64_t up = deadline == now ? 0 : UNIT - 1;
            model[n] = (deadline + up) / UNIT * UNIT;
        }
        if (i % 16 == 0)
            expect_deadlines(table, now);
        if (test_random_below(3) == 0)
            poll_all(table, now);
    }
    free(block.memory);
}

static void
test_random_steps_follow_64_bit_deadlines(void)
{
    /* 16 bits and a sweep say the same as 64 bits, over any gap and start. */
    for (size_t i = 0; i < TEST_COUNT(starts); i++)
        walk_from(starts[i]);
}

static void
test_sweep_soon_after_a_sweep_keeps_young_challenges(void)
{
    /* A caller may sweep more often than it must. */
    struct table_block block = table_new(1, 2, 2);
    struct table *table = &block.table;
    table_sweep(table, 100000);
    insert_number(table, 0);
    challenge(table, 0, 100000);
    table_sweep(table, 100005);
    EXPECT_EQ(1, find_number(table, 0).entry->challenges);
    EXPECT_EQ(1, table->challenge_buckets);
    free(block.memory);
}

static void
test_age_of_an_entry_does_not_wrap(void)
{
    /* In steps of any length, one of them of 2^32 ms and more. */
    static const uint64_t steps[] = {30000,       1000000000,     1073771823,
                                     1073771824,  4294967295,     4294967296,
                                     34359738369, UINT64_MAX >> 4};
    for (size_t i = 0; i < TEST_COUNT(steps); i++) {
        struct table_block block = table_new(1, 2, 2);
        struct table *table = &block.table;
        struct table_entry *old = insert_number(table, 0).entry;
        uint64_t now = 0;
        old->born_ms = 0;
        for (unsigned step = 0; step < 300; step++) {
            now += steps[i] / (step % 3 + 1) + step % 2;
            table_sweep(table, now);
            EXPECT_EQ(now < TABLE_AGE_MAX_MS ? now : TABLE_AGE_MAX_MS,
                      table_age_ms(old, now));
            if (step % 100 == 50)
                now += UINT64_C(1) << 32;
            if (step == 200) {
                struct table_entry *young = insert_number(table, 1).entry;
                young->born_ms = (uint32_t)now;
                table_sweep(table, now + 30000);
                EXPECT_EQ(30000, table_age_ms(young, now + 30000));
            }
        }
        free(block.memory);
    }
}

static const struct test tests[] = {
    TEST(test_deadline_is_never_early_and_less_than_4_ms_late),
    TEST(test_deadline_in_the_past_is_due_now),
    TEST(test_deadline_beyond_64_s_is_cut),
    TEST(test_due_entries_come_in_bucket_order_oldest_first),
    TEST(test_table_without_deadlines_has_none),
    TEST(test_gap_of_any_length_leaves_due_what_was_due),
    TEST(test_challenge_window_ends_for_good),
    TEST(test_marks_are_counted_by_bucket),
    TEST(test_removed_entry_takes_its_mark_along),
    TEST(test_random_steps_follow_64_bit_deadlines),
    TEST(test_sweep_soon_after_a_sweep_keeps_young_challenges),
    TEST(test_age_of_an_entry_does_not_wrap),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

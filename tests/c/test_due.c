/* The wheel of deadlines, against a table that is searched. */
#include "test.h"

#include "../../csrc/flow/session.h"

enum { MAX = 40 };

static void
test_item_is_due_at_its_time_and_not_before(void)
{
    static const uint64_t times[] = {
        0,    1,     63,     64,       65,         4095,
        4096, 30000, 262144, 86400000, 1ull << 40, UINT64_MAX - 1};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct due due;
        struct due_item item[1];

        due_init(&due, item, 1);
        due_arm(&due, 0, times[i]);
        EXPECT_EQ(times[i], due_next_ms(&due));
        if (times[i] > 0)
            EXPECT_EQ(SESSION_NONE, due_pop(&due, times[i] - 1));
        EXPECT_TRUE(due_armed(&due, 0));
        EXPECT_EQ(0, due_pop(&due, times[i]));
        EXPECT_TRUE(!due_armed(&due, 0));
        EXPECT_EQ(SYNCACHE_NEVER, due_next_ms(&due));
    }
}

static void
test_item_in_the_past_is_due_at_once(void)
{
    struct due due;
    struct due_item item[1];

    due_init(&due, item, 1);
    EXPECT_EQ(SESSION_NONE, due_pop(&due, 5000));
    due_arm(&due, 0, 10);
    EXPECT_EQ(5000, due_next_ms(&due));
    EXPECT_EQ(0, due_pop(&due, 5000));
}

static void
test_crowded_slot_gives_a_bound_that_is_never_too_late(void)
{
    enum { CROWD = 500 };
    struct due due;
    struct due_item item[CROWD];
    uint64_t now_ms = 7;

    due_init(&due, item, CROWD);
    for (uint32_t i = 0; i < CROWD; i++)
        due_arm(&due, i, 30000 + i);
    /* Waking up at each bound ends at the first item. */
    for (uint32_t i = 0; i < 10 && now_ms < 30000; i++) {
        uint64_t next_ms = due_next_ms(&due);

        EXPECT_TRUE(next_ms > now_ms && next_ms <= 30000);
        now_ms = next_ms;
        if (now_ms < 30000)
            EXPECT_EQ(SESSION_NONE, due_pop(&due, now_ms));
    }
    EXPECT_EQ(30000, now_ms);
    EXPECT_EQ(0, due_pop(&due, now_ms));
}

static uint64_t
some_time(uint64_t now_ms)
{
    return now_ms + (test_random() >> (34 + test_random_below(30)));
}

static void
test_random_walk_agrees_with_a_search(void)
{
    struct due due;
    struct due_item item[MAX];
    uint64_t key_ms[MAX];
    bool armed[MAX] = {false};
    uint64_t now_ms = 0;

    due_init(&due, item, MAX);
    for (uint32_t step = 0; step < 30000; step++) {
        uint32_t number = (uint32_t)test_random_below(MAX);
        uint64_t what = test_random_below(4);
        uint64_t first_ms = SYNCACHE_NEVER;

        if (what <= 1) {
            key_ms[number] = some_time(now_ms);
            armed[number] = true;
            due_arm(&due, number, key_ms[number]);
        } else if (what == 2) {
            armed[number] = false;
            due_disarm(&due, number);
        } else {
            uint64_t last_ms = 0;
            uint32_t popped;

            now_ms = some_time(now_ms);
            while ((popped = due_pop(&due, now_ms)) != SESSION_NONE) {
                EXPECT_TRUE(armed[popped] && key_ms[popped] <= now_ms);
                EXPECT_TRUE(key_ms[popped] >= last_ms);
                last_ms = key_ms[popped];
                armed[popped] = false;
            }
        }
        for (uint32_t i = 0; i < MAX; i++) {
            EXPECT_EQ(armed[i], due_armed(&due, i));
            if (armed[i] && key_ms[i] < first_ms)
                first_ms = key_ms[i];
        }
        EXPECT_EQ(first_ms, due_next_ms(&due));
        EXPECT_TRUE(due_not_before_ms(&due) <= first_ms);
        EXPECT_TRUE(first_ms > now_ms || what <= 2);
    }
}

static void
test_the_next_two_items_are_seen_in_the_order_in_which_they_come(void)
{
    struct due due;
    struct due_item item[3];
    uint32_t next, behind;

    due_init(&due, item, 3);
    due_peek(&due, &next, &behind);
    EXPECT_EQ(SESSION_NONE, next);
    EXPECT_EQ(SESSION_NONE, behind);
    due_arm(&due, 2, 9);
    due_arm(&due, 0, 5);
    due_arm(&due, 1, 5);
    for (int left = 3; left > 0; left--) {
        due_peek(&due, &next, &behind);
        EXPECT_EQ(next, due_pop(&due, 20));
        if (left > 1)
            EXPECT_EQ(behind, due.head[0][due.item[behind].key_ms % DUE_SLOTS]);
        else
            EXPECT_EQ(SESSION_NONE, behind);
    }
}

static const struct test tests[] = {
    TEST(test_item_is_due_at_its_time_and_not_before),
    TEST(test_item_in_the_past_is_due_at_once),
    TEST(test_crowded_slot_gives_a_bound_that_is_never_too_late),
    TEST(test_random_walk_agrees_with_a_search),
    TEST(test_the_next_two_items_are_seen_in_the_order_in_which_they_come),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

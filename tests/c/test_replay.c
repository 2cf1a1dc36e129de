/* The memory of redeemed handshakes against a list for each set. */
#include "test.h"

#include "../../csrc/core/replay.h"

struct replay_block {
    struct replay replay;
    void *memory;
};

static struct replay_block
replay_new(uint32_t entries)
{
    struct replay_block block = {.memory = NULL};
    size_t size = replay_bytes(entries);
    if (size > 0) {
        block.memory = aligned_alloc(64, size);
        if (block.memory == NULL)
            abort();
        memset(block.memory, 0xa5, size);
    }
    replay_init(&block.replay, block.memory, entries);
    return block;
}

/* A fingerprint of this set (of a power of two of them) and number. */
static uint64_t
fingerprint(uint32_t set, uint32_t set_count, uint32_t number)
{
    uint64_t upper = ((UINT64_C(1) << 32) / set_count) * set;
    return upper << 32 | number;
}

static void
test_no_entries_remember_nothing(void)
{
    /* The freebsd preset switches it off. */
    struct replay_block block = replay_new(0);
    EXPECT_EQ(0, replay_bytes(0));
    replay_remember(&block.replay, 5);
    EXPECT_TRUE(!replay_seen(&block.replay, 5));
}

static void
test_entries_are_rounded_up_to_whole_lines(void)
{
    /* A set is a cache line of eight, and one entry is a whole one. */
    struct replay_block block = replay_new(1);
    EXPECT_TRUE(!replay_seen(&block.replay, 0xa5a5a5a5a5a5a5a5));
    for (uint32_t n = 1; n <= 8; n++)
        replay_remember(&block.replay, n);
    EXPECT_TRUE(replay_seen(&block.replay, 1));
    free(block.memory);
    EXPECT_EQ(64, replay_bytes(1));
    EXPECT_EQ(64, replay_bytes(8));
    EXPECT_EQ(128, replay_bytes(9));
    EXPECT_EQ((size_t)65536 * 8, replay_bytes(65536));
    EXPECT_EQ(((size_t)UINT32_MAX + 1) * 8, replay_bytes(UINT32_MAX));
}

static void
test_ninth_of_a_set_pushes_out_the_oldest(void)
{
    /* It forgets, oldest first, rather than refuse what is new. */
    struct replay_block block = replay_new(32);
    for (uint32_t n = 1; n <= 50; n++) {
        uint64_t print = fingerprint(2, 4, n);
        EXPECT_TRUE(!replay_seen(&block.replay, print));
        replay_remember(&block.replay, print);
        for (uint32_t old = 1; old <= n; old++)
            EXPECT_EQ(old + 8 > n,
                      replay_seen(&block.replay, fingerprint(2, 4, old)));
        EXPECT_TRUE(!replay_seen(&block.replay, fingerprint(1, 4, n)));
    }
    free(block.memory);
}

static void
test_remembering_again_makes_it_the_newest(void)
{
    /* And takes no second place from the others. */
    struct replay_block block = replay_new(8);
    for (uint32_t n = 1; n <= 8; n++)
        replay_remember(&block.replay, n);
    replay_remember(&block.replay, 1);
    replay_remember(&block.replay, 9);
    EXPECT_TRUE(replay_seen(&block.replay, 1));
    EXPECT_TRUE(!replay_seen(&block.replay, 2));
    for (uint32_t n = 3; n <= 9; n++)
        EXPECT_TRUE(replay_seen(&block.replay, n));
    free(block.memory);
}

static void
test_fingerprint_0_is_not_an_empty_place(void)
{
    /* An empty table has seen nothing, not even 0. */
    struct replay_block block = replay_new(8);
    EXPECT_TRUE(!replay_seen(&block.replay, 0));
    EXPECT_TRUE(!replay_seen(&block.replay, 0x0101010101010101));
    replay_remember(&block.replay, 0);
    EXPECT_TRUE(replay_seen(&block.replay, 0));
    EXPECT_TRUE(!replay_seen(&block.replay, 2));
    free(block.memory);
}

enum { HISTORY = 4000 };

/* Seen, if fewer than eight others of its set came since. */
static bool
model_seen(const uint64_t *history, uint32_t count, uint64_t print,
           uint64_t sets)
{
    uint64_t others[8];
    size_t others_count = 0;
    while (count > 0 && others_count < 8) {
        uint64_t old = history[--count];
        if (old == print)
            return true;
        if ((old >> 32) * sets >> 32 != (print >> 32) * sets >> 32)
            continue;
        size_t i = 0;
        while (i < others_count && others[i] != old)
            i++;
        if (i == others_count)
            others[others_count++] = old;
    }
    return false;
}

static void
test_random_steps_follow_lists(void)
{
    /* Any number of sets; the model searches its history backwards. */
    static const uint32_t sizes[] = {8, 24, 64, 1000};
    static uint64_t history[HISTORY];
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct replay_block block = replay_new(sizes[i]);
        uint64_t sets = (sizes[i] + 7) / 8;
        for (uint32_t n = 0; n < HISTORY; n++) {
            uint32_t back = (uint32_t)test_random_below(sizes[i] * 2);
            bool again = back < n && test_random_below(3) == 0;
            uint64_t print = again ? history[n - 1 - back] : test_random();
            EXPECT_EQ(model_seen(history, n, print, sets),
                      replay_seen(&block.replay, print));
            replay_remember(&block.replay, print);
            history[n] = print;
        }
        free(block.memory);
    }
}

static const struct test tests[] = {
    TEST(test_no_entries_remember_nothing),
    TEST(test_entries_are_rounded_up_to_whole_lines),
    TEST(test_ninth_of_a_set_pushes_out_the_oldest),
    TEST(test_remembering_again_makes_it_the_newest),
    TEST(test_fingerprint_0_is_not_an_empty_place),
    TEST(test_random_steps_follow_lists),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

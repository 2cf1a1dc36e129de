/* Sequence arithmetic at its edges: 0, 2^31, 2^32 - 1.  RFC 9293 3.4. */
#include "test.h"

#include "../../csrc/core/seq.h"

static void
test_comparison_across_wrap_orders_by_distance(void)
{
    /* One table for the four comparisons: which holds of a against b. */
    static const struct {
        const char *name;
        uint32_t a, b;
        bool lt, gt;
    } rows[] = {
        {"equal at 0", 0, 0, false, false},
        {"equal at the top", UINT32_MAX, UINT32_MAX, false, false},
        {"next", 7, 8, true, false},
        {"previous", 8, 7, false, true},
        {"next across the wrap", UINT32_MAX, 0, true, false},
        {"previous across the wrap", 0, UINT32_MAX, false, true},
        {"next across the sign", 0x7fffffff, 0x80000000, true, false},
        {"farthest ahead", 5, 5 + 0x7fffffffu, true, false},
        {"farthest behind", 5 + 0x7fffffffu, 5, false, true},
        {"half the space apart", 0, 0x80000000, true, true},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint32_t a = rows[i].a;
        uint32_t b = rows[i].b;
        test_row = rows[i].name;
        EXPECT_EQ(rows[i].lt, seq_lt(a, b));
        EXPECT_EQ(rows[i].gt, seq_lt(b, a));
        EXPECT_EQ(rows[i].lt || a == b, seq_leq(a, b));
    }
}

static void
test_comparison_of_shifted_pairs_is_unchanged(void)
{
    /* Order depends on the distance alone, wherever the pair lies. */
    for (int i = 0; i < 10000; i++) {
        uint32_t a = (uint32_t)test_random();
        uint32_t distance = (uint32_t)test_random() >> test_random_below(32);
        bool ahead = distance > 0 && distance <= 0x80000000u;
        EXPECT_EQ(ahead, seq_lt(a, a + distance));
    }
}

static void
test_window_holds_left_edge_and_not_right_edge(void)
{
    /* left <= seq < left + size, also when the window wraps. */
    static const struct {
        const char *name;
        uint32_t seq, left, size;
        bool inside;
    } rows[] = {
        {"left edge", 100, 100, 10, true},
        {"last", 109, 100, 10, true},
        {"right edge", 110, 100, 10, false},
        {"below", 99, 100, 10, false},
        {"empty window", 100, 100, 0, false},
        {"wrapped, last", 4, 0xfffffffb, 10, true},
        {"wrapped, right edge", 5, 0xfffffffb, 10, false},
        {"widest window", 0x3fffffff, 0, 0x40000000, true},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        test_row = rows[i].name;
        EXPECT_EQ(rows[i].inside,
                  seq_in_window(rows[i].seq, rows[i].left, rows[i].size));
    }
}

static const struct test tests[] = {
    TEST(test_comparison_across_wrap_orders_by_distance),
    TEST(test_comparison_of_shifted_pairs_is_unchanged),
    TEST(test_window_holds_left_edge_and_not_right_edge),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

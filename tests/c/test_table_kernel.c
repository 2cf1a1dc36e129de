/* The table's inner loops: their two forms agree, and do what they say. */
#include "test.h"

#include "../../csrc/core/table_kernel.h"

#define ROUNDS 20000

/* A line with few values, so that lanes match, and with empty ones. */
static void
random_line(uint16_t line[TABLE_LANES])
{
    for (uint32_t i = 0; i < TABLE_LANES; i++) {
        uint32_t tag = (uint32_t)test_random_below(4) * 0x5500;
        uint32_t rank = (uint32_t)test_random_below(240);
        bool empty = test_random_below(5) == 0;
        line[i] = (uint16_t)(empty ? TABLE_EMPTY : (tag & 0xff00) | rank);
    }
}

/* Deadlines near `now`, near half a span from it, or anywhere. */
static void
random_dues(uint16_t line[TABLE_LANES], uint32_t now)
{
    for (uint32_t i = 0; i < TABLE_LANES; i++) {
        uint32_t near = (uint32_t)test_random_below(3) * 32767;
        uint32_t due = now + near + (uint32_t)test_random_below(5) - 2;
        if (test_random_below(3) == 0)
            due = (uint32_t)test_random();
        line[i] = (uint16_t)(test_random_below(4) == 0 ? TABLE_DUE_NONE : due);
    }
}

static uint32_t
random_now(void)
{
    static const uint32_t edges[] = {0, 1, 32766, 32767, 32768, 65533, 65534};
    if (test_random_below(2) == 0)
        return edges[test_random_below(TEST_COUNT(edges))];
    return (uint32_t)test_random_below(65535);
}

static void
test_match_names_the_lanes_that_have_the_value(void)
{
    /* Tag, rank, or the whole of an empty slot, told apart by the mask. */
    uint16_t line[TABLE_LANES] = {0x1203, 0x1204, 0x3403};
    for (size_t i = 3; i < TABLE_LANES; i++)
        line[i] = TABLE_EMPTY;
    EXPECT_EQ(0x3, table_match(line, TABLE_TAG_MASK, 0x1200));
    EXPECT_EQ(0x5, table_match(line, TABLE_RANK_MASK, 3));
    EXPECT_EQ(0xfffffff8, table_match(line, TABLE_EMPTY, TABLE_EMPTY));
    EXPECT_EQ(0, table_match(line, TABLE_RANK_MASK, 0));
}

static void
test_match_forms_agree(void)
{
    /* For any line, mask and value. */
    static const uint32_t masks[] = {TABLE_TAG_MASK, TABLE_RANK_MASK,
                                     TABLE_EMPTY};
    uint16_t line[TABLE_LANES];
    for (int i = 0; i < ROUNDS; i++) {
        random_line(line);
        uint32_t mask = masks[test_random_below(TEST_COUNT(masks))];
        uint32_t value = line[test_random_below(TABLE_LANES)] & mask;
        EXPECT_EQ(table_match_portable(line, mask, value),
                  table_match(line, mask, value));
    }
}

static void
test_close_empties_the_rank_and_moves_up_what_was_younger(void)
{
    /* Empty slots and lanes beyond the count stay as they are. */
    uint16_t line[TABLE_LANES] = {0x1200, 0x1202,      0xff03, 0x3401,
                                  0xff04, TABLE_EMPTY, 0x1201, 0x1204};
    table_close(line, 6, 1);
    EXPECT_EQ(0x1200, line[0]);
    EXPECT_EQ(0x1201, line[1]);
    EXPECT_EQ(0xff02, line[2]);
    EXPECT_EQ(TABLE_EMPTY, line[3]);
    EXPECT_EQ(0xff03, line[4]);
    EXPECT_EQ(TABLE_EMPTY, line[5]);
    EXPECT_EQ(0x1201, line[6]);
    EXPECT_EQ(0x1204, line[7]);
}

static void
test_close_forms_agree(void)
{
    /* For any line, number of lanes and rank. */
    uint16_t line[TABLE_LANES];
    uint16_t expected[TABLE_LANES];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t lanes = 1 + (uint32_t)test_random_below(TABLE_LANES);
        uint32_t rank = (uint32_t)test_random_below(240);
        random_line(line);
        memcpy(expected, line, sizeof line);
        table_close_portable(expected, lanes, rank);
        table_close(line, lanes, rank);
        EXPECT_BYTES((uint8_t *)expected, (uint8_t *)line, sizeof line);
    }
}

static void
test_due_is_what_is_past_and_never_none(void)
{
    /* Over the end of the span too: 65534 is the unit before 0. */
    uint16_t line[TABLE_LANES];
    for (size_t i = 0; i < TABLE_LANES; i++)
        line[i] = TABLE_DUE_NONE;
    line[0] = 1;
    line[1] = 2;
    line[2] = 65534;
    line[3] = 40000;
    line[4] = 30000;
    line[31] = 0;
    EXPECT_EQ(0x8000000d, table_due_lanes(line, 1));
    line[0] = 65533;
    line[1] = 32800;
    EXPECT_EQ(0x0000000f, table_due_lanes(line, 65534));
}

static void
test_due_forms_agree(void)
{
    /* For any deadlines and any time. */
    uint16_t line[TABLE_LANES];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t now = random_now();
        random_dues(line, now);
        EXPECT_EQ(table_due_portable(line, now), table_due_lanes(line, now));
    }
}

static void
test_soonest_is_the_earliest_of_the_lanes_asked_for(void)
{
    /* Over the end of the span too; now + distance is the deadline again. */
    uint16_t line[TABLE_LANES];
    for (size_t i = 0; i < TABLE_LANES; i++)
        line[i] = TABLE_DUE_NONE;
    EXPECT_EQ(TABLE_FAR, table_soonest(line, UINT32_MAX, 7));
    line[3] = 4;
    line[30] = 65530;
    EXPECT_EQ(2, table_soonest(line, UINT32_MAX, 65528));
    EXPECT_EQ(4, (uint16_t)(65528 + table_soonest(line, 1u << 3, 65528)));
    EXPECT_EQ(65530, (uint16_t)(4 + table_soonest(line, UINT32_MAX, 4)));
    EXPECT_EQ(TABLE_FAR, table_soonest(line, 1u << 4, 65528));
}

static void
test_soonest_forms_agree(void)
{
    /* For any deadlines, time and choice of lanes. */
    uint16_t line[TABLE_LANES];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t now = random_now();
        uint32_t bits = (uint32_t)(test_random() & test_random());
        random_dues(line, now);
        EXPECT_EQ(table_soonest_portable(line, bits, now),
                  table_soonest(line, bits, now));
    }
}

static void
test_lane_bits_are_the_first_ones(void)
{
    /* All of them from 32 on. */
    EXPECT_EQ(0, table_lane_bits(0));
    EXPECT_EQ(1, table_lane_bits(1));
    EXPECT_EQ(0x7fffffff, table_lane_bits(31));
    EXPECT_EQ(0xffffffff, table_lane_bits(32));
    EXPECT_EQ(0xffffffff, table_lane_bits(240));
}

static void
test_bits_are_counted(void)
{
    /* Against the compiler's own. */
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t bits = (uint32_t)test_random();
        EXPECT_EQ(__builtin_popcount(bits), table_count_bits(bits));
    }
}

static const struct test tests[] = {
    TEST(test_match_names_the_lanes_that_have_the_value),
    TEST(test_match_forms_agree),
    TEST(test_close_empties_the_rank_and_moves_up_what_was_younger),
    TEST(test_close_forms_agree),
    TEST(test_due_is_what_is_past_and_never_none),
    TEST(test_due_forms_agree),
    TEST(test_soonest_is_the_earliest_of_the_lanes_asked_for),
    TEST(test_soonest_forms_agree),
    TEST(test_lane_bits_are_the_first_ones),
    TEST(test_bits_are_counted),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

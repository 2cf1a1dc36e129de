/* Classic BPF: what each instruction does, and programs that are refused. */
#include "test.h"

#include "../../csrc/link/filter.h"

enum { ROUNDS = 300000, PROGRAM_MAX = 24 };

static const uint8_t frame[] = {0x45, 1, 2, 3, 0xff, 0xfe, 7, 8};

/* Runs `load`, then `A = A op k`, and compares A with a number. */
static bool
gives(struct filter_instruction load, struct filter_instruction operation,
      uint32_t expected)
{
    struct filter_instruction program[] = {load,
                                           operation,
                                           {0x15, 0, 1, expected},
                                           {0x06, 0, 0, 1},
                                           {0x06, 0, 0, 0}};

    EXPECT_TRUE(filter_valid(program, TEST_COUNT(program)));
    return filter_run(program, frame, sizeof frame, 99);
}

static void
test_loads_and_arithmetic(void)
{
    static const struct filter_instruction none = {0x04, 0, 0, 0}; /* A += 0 */
    EXPECT_TRUE(
        gives((struct filter_instruction){0x20, 0, 0, 0}, none, 0x45010203));
    EXPECT_TRUE(
        gives((struct filter_instruction){0x28, 0, 0, 4}, none, 0xfffe));
    EXPECT_TRUE(gives((struct filter_instruction){0x30, 0, 0, 7}, none, 8));
    EXPECT_TRUE(gives((struct filter_instruction){0x80, 0, 0, 0}, none, 99));
    static const struct {
        uint16_t code;
        uint32_t k, result; /* of 40 */
    } rows[] = {{0x04, 2, 42}, {0x14, 2, 38},           {0x24, 3, 120},
                {0x34, 7, 5},  {0x34, 3, 13},           {0x44, 3, 43},
                {0x54, 12, 8}, {0x64, 2, 160},          {0x64, 32, 0},
                {0x74, 2, 10}, {0x74, 40, 0},           {0x94, 7, 5},
                {0xa4, 1, 41}, {0x84, 0, (uint32_t)-40}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_TRUE(
            gives((struct filter_instruction){0x00, 0, 0, 40},
                  (struct filter_instruction){rows[i].code, 0, 0, rows[i].k},
                  rows[i].result));
}

static void
test_registers_and_memory(void)
{
    /* X = 4 * (frame[0] & 15) = 20; M[3] = X; A = M[3] - X; X + 0 is beyond. */
    struct filter_instruction program[] = {
        {0xb1, 0, 0, 0}, {0x03, 0, 0, 3}, {0x60, 0, 0, 3},
        {0x1c, 0, 0, 0}, {0x07, 0, 0, 0}, {0x40, 0, 0, 0},
        {0x87, 0, 0, 0}, {0x04, 0, 0, 1}, {0x16, 0, 0, 0}};
    EXPECT_TRUE(filter_valid(program, TEST_COUNT(program)));
    EXPECT_TRUE(filter_run(program, frame, sizeof frame, 8));
    program[5].k = 5; /* the load of a word at X + 5 does not fit */
    EXPECT_TRUE(!filter_run(program, frame, sizeof frame, 8));
}

static void
test_registers_go_into_each_other_and_into_memory(void)
{
    /* Then A is a number. */
    static const struct {
        const char *name;
        struct filter_instruction step[5];
        uint32_t count, result;
    } rows[] = {
        {"A = X", {{0x01, 0, 0, 7}, {0x87, 0, 0, 0}}, 2, 7},
        {"X = A",
         {{0x00, 0, 0, 5}, {0x07, 0, 0, 0}, {0x00, 0, 0, 1}, {0x87, 0, 0, 0}},
         4,
         5},
        {"M = A",
         {{0x00, 0, 0, 5}, {0x02, 0, 0, 2}, {0x00, 0, 0, 1}, {0x60, 0, 0, 2}},
         4,
         5},
        {"M = X",
         {{0x01, 0, 0, 9},
          {0x03, 0, 0, 15},
          {0x01, 0, 0, 1},
          {0x61, 0, 0, 15},
          {0x87, 0, 0, 0}},
         5,
         9},
        {"X = length", {{0x81, 0, 0, 0}, {0x87, 0, 0, 0}}, 2, 99},
        {"X = header", {{0xb1, 0, 0, 0}, {0x87, 0, 0, 0}}, 2, 20},
        {"X = half word", {{0x29, 0, 0, 4}, {0x87, 0, 0, 0}}, 2, 0xfffe},
        {"jump", {{0x00, 0, 0, 3}, {0x05, 0, 0, 1}, {0x00, 0, 0, 1}}, 3, 3},
    };

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct filter_instruction program[8];
        uint32_t count = rows[i].count;

        test_row = rows[i].name;
        memcpy(program, rows[i].step, sizeof rows[i].step);
        program[count] =
            (struct filter_instruction){0x15, 0, 1, rows[i].result};
        program[count + 1] = (struct filter_instruction){0x06, 0, 0, 1};
        program[count + 2] = (struct filter_instruction){0x06, 0, 0, 0};
        EXPECT_TRUE(filter_valid(program, count + 3));
        EXPECT_TRUE(filter_run(program, frame, sizeof frame, 99));
    }
    test_row = "";
}

static void
test_what_is_no_instruction_refuses(void)
{
    /* A way to load and an operation that do not exist; a header beyond. */
    static const struct filter_instruction steps[] = {
        {0xc0, 0, 0, 0}, {0xb4, 0, 0, 1}, {0xb1, 0, 0, 8}};

    for (size_t i = 0; i < TEST_COUNT(steps); i++) {
        struct filter_instruction program[] = {steps[i], {0x06, 0, 0, 1}};
        EXPECT_TRUE(!filter_run(program, frame, sizeof frame, 8));
    }
}

static void
test_longest_program_is_valid(void)
{
    static struct filter_instruction program[FILTER_INSTRUCTIONS_MAX + 1];

    for (size_t i = 0; i < TEST_COUNT(program); i++)
        program[i].code = 0x06;
    EXPECT_TRUE(filter_valid(program, FILTER_INSTRUCTIONS_MAX));
    EXPECT_TRUE(!filter_valid(program, FILTER_INSTRUCTIONS_MAX + 1));
}

static void
test_a_load_beyond_the_frame_and_a_division_by_zero_refuse(void)
{
    struct filter_instruction program[] = {{0x30, 0, 0, 8}, {0x06, 0, 0, 1}};
    EXPECT_TRUE(!filter_run(program, frame, sizeof frame, 8));
    EXPECT_TRUE(filter_run(program, frame, 0, 8) == false);
    program[0] = (struct filter_instruction){0x34, 0, 0, 0};
    EXPECT_TRUE(!filter_run(program, frame, sizeof frame, 8));
}

static void
test_programs_that_could_leave_themselves_are_refused(void)
{
    struct filter_instruction program[] = {{0x15, 1, 0, 0}, {0x06, 0, 0, 1}};
    EXPECT_TRUE(!filter_valid(program, 2)); /* beyond the end */
    EXPECT_TRUE(!filter_valid(program, 0));
    program[0].jump_true = 0;
    EXPECT_TRUE(filter_valid(program, 2));
    program[0] = (struct filter_instruction){0x05, 0, 0, 1};
    EXPECT_TRUE(!filter_valid(program, 2));
    program[0] = (struct filter_instruction){0x02, 0, 0, 16}; /* M[16] */
    EXPECT_TRUE(!filter_valid(program, 2));
    program[0] = (struct filter_instruction){0x06, 0, 0, 1};
    program[1] = (struct filter_instruction){0x04, 0, 0, 1};
    EXPECT_TRUE(!filter_valid(program, 2)); /* no return at the end */
}

static void
test_any_valid_program_ends(void)
{
    /* Random instructions; ASan watches frame and scratch. */
    for (int n = 0; n < ROUNDS; n++) {
        struct filter_instruction program[PROGRAM_MAX];
        uint32_t count = 1 + (uint32_t)test_random_below(PROGRAM_MAX);
        for (uint32_t i = 0; i < count; i++)
            program[i] = (struct filter_instruction){
                (uint16_t)test_random_below(256), (uint8_t)test_random_below(5),
                (uint8_t)test_random_below(5),
                (uint32_t)test_random_below(n & 1 ? 20 : UINT32_MAX)};
        program[count - 1].code = n & 2 ? 0x06 : 0x16;
        uint8_t *copy = test_heap_copy(frame, sizeof frame);
        if (filter_valid(program, count))
            filter_run(program, copy, sizeof frame, 8);
        free(copy);
    }
}

static void
test_jumps_decide_at_their_number(void)
{
    /* JEQ, JGT, JGE and JSET of 39, 40 and 41, and of X = 0, against 40. */
    static const struct {
        uint16_t code;
        uint8_t taken; /* of 39, 40, 41: bits 0, 1, 2 */
    } rows[] = {{0x15, 2}, {0x25, 4}, {0x35, 6}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        for (uint32_t n = 0; n < 3; n++) {
            struct filter_instruction program[] = {{0x00, 0, 0, 39 + n},
                                                   {rows[i].code, 0, 1, 40},
                                                   {0x06, 0, 0, 1},
                                                   {0x06, 0, 0, 0}};
            EXPECT_EQ(rows[i].taken >> n & 1,
                      filter_run(program, frame, sizeof frame, 8));
        }
    struct filter_instruction bits[] = {
        {0x00, 0, 0, 6}, {0x45, 0, 1, 9}, {0x06, 0, 0, 1}, {0x06, 0, 0, 0}};
    EXPECT_TRUE(!filter_run(bits, frame, sizeof frame, 8));
    bits[1].k = 12;
    EXPECT_TRUE(filter_run(bits, frame, sizeof frame, 8));
}

static const struct test tests[] = {
    TEST(test_loads_and_arithmetic),
    TEST(test_registers_and_memory),
    TEST(test_registers_go_into_each_other_and_into_memory),
    TEST(test_what_is_no_instruction_refuses),
    TEST(test_longest_program_is_valid),
    TEST(test_a_load_beyond_the_frame_and_a_division_by_zero_refuse),
    TEST(test_programs_that_could_leave_themselves_are_refused),
    TEST(test_any_valid_program_ends),
    TEST(test_jumps_decide_at_their_number),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

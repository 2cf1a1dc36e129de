/*
 * A harness for C units in one header: a table of tests, expectations that
 * count instead of stopping, and random numbers from a seed that is printed and
 * can be given back.
 *
 *     static void test_state_event_outcome(void) { ... EXPECT_EQ(1, f()); }
 *     static const struct test tests[] = {TEST(test_state_event_outcome)};
 *     int main(int argc, char **argv)
 *     {
 *         return test_main(argc, argv, tests, TEST_COUNT(tests));
 *     }
 *
 * Run as `test_x [seed] [name]`: a number is the seed, a word selects the tests
 * whose names contain it.  Exit status 0 only if at least one test ran and no
 * expectation failed.
 */
#ifndef SYNCACHE_TEST_H
#define SYNCACHE_TEST_H

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}
#define TEST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Unsigned values of any width, also enums and booleans. */
#define EXPECT_EQ(expected, actual)                                   \
    test_expect_eq(__FILE__, __LINE__, #actual, (uint64_t)(expected), \
                   (uint64_t)(actual))

#define EXPECT_TRUE(condition) EXPECT_EQ(1, (condition) ? 1 : 0)

#define EXPECT_BYTES(expected, actual, size) \
    test_expect_bytes(__FILE__, __LINE__, #actual, (expected), (actual), (size))

/* What a row of a table is called in messages; "" again after the table. */
static const char *test_row = "";
static unsigned test_failures;
static uint64_t test_seed = 20260101;
static uint64_t test_random_state;

static inline void
test_fail(const char *file, int line, const char *what)
{
    test_failures++;
    printf("%s:%d: %s%s%s: ", file, line, test_row, *test_row ? ": " : "",
           what);
}

static inline void
test_expect_eq(const char *file, int line, const char *what, uint64_t expected,
               uint64_t actual)
{
    if (expected == actual)
        return;
    test_fail(file, line, what);
    printf("expected %" PRIu64 " (0x%" PRIx64 "), got %" PRIu64 " (0x%" PRIx64
           ")\n",
           expected, expected, actual, actual);
}

static inline void
test_print_bytes(const char *label, const uint8_t *bytes, size_t size)
{
    printf("    %s", label);
    for (size_t i = 0; i < size; i++)
        printf("%02x%s", bytes[i], i % 4 == 3 ? " " : "");
    printf("\n");
}

static inline void
test_expect_bytes(const char *file, int line, const char *what,
                  const uint8_t *expected, const uint8_t *actual, size_t size)
{
    if (size == 0 || memcmp(expected, actual, size) == 0)
        return;
    test_fail(file, line, what);
    printf("%zu bytes differ\n", size);
    test_print_bytes("expected ", expected, size);
    test_print_bytes("got      ", actual, size);
}

/* SplitMix64: good enough to choose test cases, and the same everywhere. */
static inline uint64_t
test_random(void)
{
    uint64_t z = test_random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A number below limit, which is not 0. */
static inline uint64_t
test_random_below(uint64_t limit)
{
    return test_random() % limit;
}

static inline void
test_random_bytes(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)test_random();
}

/* A heap copy of exactly `size` bytes, so that ASan sees the first byte beyond.
 * The caller frees it. */
static inline uint8_t *
test_heap_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static inline int
test_main(int argc, char **argv, const struct test *tests, size_t count)
{
    const char *wanted = "";
    size_t ran = 0;
    unsigned failed = 0;
    for (int i = 1; i < argc; i++) {
        if (isdigit((unsigned char)argv[i][0]))
            test_seed = strtoull(argv[i], NULL, 0);
        else
            wanted = argv[i];
    }
    printf("seed %" PRIu64 "\n", test_seed);
    for (size_t i = 0; i < count; i++) {
        if (strstr(tests[i].name, wanted) == NULL)
            continue;
        ran++;
        test_failures = 0;
        test_random_state = test_seed;
        test_row = "";
        tests[i].run();
        if (test_failures > 0) {
            failed++;
            printf("FAILED %s\n", tests[i].name);
        }
    }
    printf("%zu tests, %u failed\n", ran, failed);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

/* The names of the verdicts, and their counters as lines. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

static void
test_every_verdict_has_the_name_of_its_kind(void)
{
    static const char *const kinds[] = {"PASS_", "ACCEPT_", "REPLY_", "DROP_"};

    for (uint32_t i = 0; i < SYNCACHE_VERDICT_COUNT; i++) {
        enum syncache_verdict verdict = (enum syncache_verdict)i;
        const char *name = syncache_verdict_name(verdict);
        const char *kind = kinds[syncache_kind(verdict)];

        EXPECT_TRUE(name != NULL && strncmp(kind, name, strlen(kind)) == 0);
        for (uint32_t j = 0; j < i; j++)
            EXPECT_TRUE(strcmp(name, syncache_verdict_name(
                                         (enum syncache_verdict)j)) != 0);
    }
    EXPECT_TRUE(strcmp("DROP_RST_LIMIT",
                       syncache_verdict_name(SYNCACHE_DROP_RST_LIMIT)) == 0);
}

static void
test_number_beyond_the_verdicts_has_no_name(void)
{
    EXPECT_TRUE(syncache_verdict_name(SYNCACHE_VERDICT_COUNT) == NULL);
}

static void
test_report_is_a_line_for_each_verdict_that_there_was(void)
{
    char line[SYNCACHE_LINE_MAX];
    uint32_t at = 0;

    cache_defaults();
    cache_start();
    EXPECT_TRUE(!syncache_report(cache, &at, line));
    at = 0;
    for (uint32_t i = 0; i < 10; i++)
        send_seg((struct seg){.peer = i, .flags = SYN, .seq = 5});
    send_seg((struct seg){.peer = 20, .flags = FIN, .seq = 5});
    EXPECT_TRUE(syncache_report(cache, &at, line));
    EXPECT_EQ(0, strcmp("REPLY_SYN_ACK: 10", line));
    EXPECT_TRUE(syncache_report(cache, &at, line));
    EXPECT_EQ(0, strcmp("DROP_NO_SYN: 1", line));
    EXPECT_TRUE(!syncache_report(cache, &at, line));
}

static void
test_loop_over_the_lines_sees_each_one_once(void)
{
    const char *lines[] = {"REPLY_SYN_ACK: 2", "DROP_NO_SYN: 1"};
    size_t seen = 0;

    cache_defaults();
    cache_start();
    SYNCACHE_EACH_LINE (cache, line)
        seen++;
    EXPECT_EQ(0, seen);
    for (uint32_t i = 0; i < 2; i++)
        send_seg((struct seg){.peer = i, .flags = SYN, .seq = 5});
    send_seg((struct seg){.peer = 20, .flags = FIN, .seq = 5});
    SYNCACHE_EACH_LINE (cache, line)
        EXPECT_EQ(0, strcmp(lines[seen++], line.text));
    EXPECT_EQ(2, seen);
}

static void
test_longest_line_of_a_report_fits(void)
{
    /* ": ", the 20 digits of 2^64 - 1, and the zero */
    for (uint32_t i = 0; i < SYNCACHE_VERDICT_COUNT; i++)
        EXPECT_TRUE(strlen(syncache_verdict_name((enum syncache_verdict)i)) +
                        23 <=
                    SYNCACHE_LINE_MAX);
}

static void
test_report_without_an_engine_is_empty(void)
{
    char line[SYNCACHE_LINE_MAX];
    uint32_t at = 0;

    EXPECT_TRUE(!syncache_report(NULL, &at, line));
}

static const struct test tests[] = {
    TEST(test_every_verdict_has_the_name_of_its_kind),
    TEST(test_number_beyond_the_verdicts_has_no_name),
    TEST(test_report_is_a_line_for_each_verdict_that_there_was),
    TEST(test_loop_over_the_lines_sees_each_one_once),
    TEST(test_longest_line_of_a_report_fits),
    TEST(test_report_without_an_engine_is_empty),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

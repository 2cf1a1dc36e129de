/* The names of the verdicts. */
#include "../../csrc/syncache_host.h"
#include "test.h"

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
    EXPECT_TRUE(strcmp("DROP_KNOWN_LIMIT",
                       syncache_verdict_name(SYNCACHE_DROP_KNOWN_LIMIT)) == 0);
}

static void
test_number_beyond_the_verdicts_has_no_name(void)
{
    EXPECT_TRUE(syncache_verdict_name(SYNCACHE_VERDICT_COUNT) == NULL);
}

static const struct test tests[] = {
    TEST(test_every_verdict_has_the_name_of_its_kind),
    TEST(test_number_beyond_the_verdicts_has_no_name),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

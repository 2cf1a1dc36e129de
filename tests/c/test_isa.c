/* Which level is chosen, by name and by the environment. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include "../../csrc/simd/simd.h"

static void
test_level_is_never_above_the_one_asked_for(void)
{
    /* What the machine lacks falls to the best below it. */
    static const struct {
        const char *name;
        enum syncache_isa isa;
    } rows[] = {
#ifdef SIMD_NEON
        {"neon", SYNCACHE_ISA_NEON},
        {"neon-sha3", SYNCACHE_ISA_NEON_SHA3},
#else
        {"avx2", SYNCACHE_ISA_AVX2},
        {"avx512", SYNCACHE_ISA_AVX512},
#endif
    };
    enum syncache_isa best = simd_kernels_named(NULL)->isa;

    EXPECT_EQ(SYNCACHE_ISA_PORTABLE, simd_kernels_named("portable")->isa);
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_EQ(best < rows[i].isa ? best : rows[i].isa,
                  simd_kernels_named(rows[i].name)->isa);
}

static void
test_unknown_name_asks_for_nothing(void)
{
    /* As if the variable were not set. */
    EXPECT_TRUE(simd_kernels_named(NULL) == simd_kernels_named("sse9"));
    EXPECT_TRUE(simd_kernels_named(NULL) == simd_kernels_named(""));
#ifdef SIMD_NEON
    EXPECT_TRUE(simd_kernels_named(NULL) == simd_kernels_named("avx2"));
#else
    EXPECT_TRUE(simd_kernels_named(NULL) == simd_kernels_named("neon"));
#endif
}

static void
test_environment_decides(void)
{
    /* SYNCACHE_ISA is read when an engine is made. */
    EXPECT_EQ(0, setenv("SYNCACHE_ISA", "portable", 1));
    EXPECT_TRUE(simd_kernels() == &simd_portable);
    EXPECT_EQ(0, unsetenv("SYNCACHE_ISA"));
    EXPECT_TRUE(simd_kernels() == simd_kernels_named(NULL));
}

static const struct test tests[] = {
    TEST(test_level_is_never_above_the_one_asked_for),
    TEST(test_unknown_name_asks_for_nothing),
    TEST(test_environment_decides),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

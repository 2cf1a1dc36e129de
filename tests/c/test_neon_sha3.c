/* The kernels of NEON with SHA-3 are those of the portable level, bit for bit. */
#include "kernels.h"

static void
test_kernels_equal_the_portable_ones(void)
{
    /* Random SYNs, spoiled ones among them; nothing on another machine. */
    kernels_tested = simd_kernels_named("neon-sha3");
    if (kernels_tested->isa != SYNCACHE_ISA_NEON_SHA3) {
        printf("this machine has no NEON with SHA-3\n");
        return;
    }
    expect_kernels_like_portable();
}

static const struct test tests[] = {
    TEST(test_kernels_equal_the_portable_ones),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

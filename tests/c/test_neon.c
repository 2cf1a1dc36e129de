/* The kernels of NEON are those of the portable level, bit for bit. */
#include "kernels.h"

static void
test_kernels_equal_the_portable_ones(void)
{
    /* Random SYNs, spoiled ones among them; nothing on another machine. */
    kernels_tested = simd_kernels_named("neon");
    if (kernels_tested->isa != SYNCACHE_ISA_NEON) {
        printf("this machine has no NEON\n");
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

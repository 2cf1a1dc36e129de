/*
 * kernel_rounds LEVEL FAMILY ROUNDS: what the kernels of a level do for 64 SYNs of one
 * family with cookies, again and again, for who counts instructions.
 */
#include "kernels.h"

int
main(int argc, char **argv)
{
    const struct simd_kernels *kernels;
    struct simd_lanes *lanes = &kernels_lanes;
    int rounds = argc == 4 ? atoi(argv[3]) : 0;
    bool v6 = argc == 4 && strcmp(argv[2], "6") == 0;

    if (rounds == 0)
        return 2;
    kernels = simd_kernels_named(argv[1]);
    kernels_shape_of(v6);
    kernels_shape.ts_per_tuple = true;
    lanes->syns = lanes->count = SIMD_LANES;
    lanes->v6 = v6;
    for (uint32_t lane = 0; lane < SIMD_LANES; lane++) {
        kernels_syn(kernels_packet[lane], v6);
        lanes->packet[lane] = kernels_packet[lane];
        lanes->template[lane] = kernels_template;
    }
    for (int i = 0; i < rounds; i++) {
        (void)kernels->match(lanes);
        kernels->cookies(&kernels_shape, lanes);
        for (uint32_t lane = 0; lane < SIMD_LANES; lane++)
            lanes->out[lane] = kernels_reply[0][lane];
        kernels->replies(&kernels_shape, lanes);
    }
    return test_failures != 0;
}

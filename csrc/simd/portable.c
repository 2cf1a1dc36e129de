/*
 * The kernels one lane after the other: the level that every machine has, and
 * the twin that the others are compared with.
 */
#include "scalar.h"

static uint64_t
portable_match(struct simd_lanes *lanes)
{
    uint64_t good = 0;

    for (uint32_t lane = 0; lane < lanes->syns; lane++) {
        lanes->out[lane] = lanes->nowhere;
        good |= (uint64_t)(lanes->v6 ? scalar_match_v6(lanes, lane)
                                     : scalar_match_v4(lanes, lane))
                << lane;
    }
    return good;
}

static void
portable_cookies(const struct simd_shape *shape, struct simd_lanes *lanes)
{
    for (uint32_t lane = 0; lane < lanes->syns; lane++)
        scalar_cookies(shape, lanes, lane);
}

static void
portable_hashes(const uint8_t key[static SYNCACHE_KEY_BYTES],
                struct simd_lanes *lanes)
{
    for (uint32_t lane = 0; lane < lanes->count; lane++)
        lanes->hash[lane] = scalar_tuple_hash(lanes, lane, key, true);
}

static void
portable_replies(const struct simd_shape *shape, struct simd_lanes *lanes)
{
    for (uint32_t lane = 0; lane < lanes->syns; lane++) {
        if (lanes->v6)
            scalar_reply_v6(shape, lanes, lane);
        else
            scalar_reply_v4(shape, lanes, lane);
    }
}

const struct simd_kernels simd_portable = {
    .isa = SYNCACHE_ISA_PORTABLE,
    .match = portable_match,
    .cookies = portable_cookies,
    .hashes = portable_hashes,
    .replies = portable_replies,
};

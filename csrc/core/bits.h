/*
 * The lowest bit that is set, and a hint to fetch memory: the compiler's own, or plain C for one that has none.
 */
#ifndef SYNCACHE_CORE_BITS_H
#define SYNCACHE_CORE_BITS_H

#include <stdint.h>

#ifdef __GNUC__
#define BITS_FETCH(...) __builtin_prefetch(__VA_ARGS__)
#else
#define BITS_FETCH(...) ((void)0)
#endif

/* Place of the lowest bit; not of 0. */
static inline uint32_t
bits_lowest64(uint64_t bits)
{
#ifdef __GNUC__
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t place = 0;
    for (uint32_t step = 32; step > 0; step /= 2) {
        if ((bits & ((UINT64_C(1) << step) - 1)) != 0)
            continue;
        bits >>= step;
        place += step;
    }
    return place;
#endif
}

static inline uint32_t
bits_lowest(uint32_t bits)
{
#ifdef __GNUC__
    return (uint32_t)__builtin_ctz(bits);
#else
    return bits_lowest64(bits);
#endif
}

#endif

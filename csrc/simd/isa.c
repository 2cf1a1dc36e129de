/*
 * Which instructions the kernels may use: what the processor and the system
 * have, unless the environment variable SYNCACHE_ISA asks for less.
 *
 * AVX-512 is taken from the generation on that has VBMI: those before it slow
 * the whole core down for 512-bit registers.
 */
#include "simd.h"

#include <stdlib.h>
#include <string.h>

#if defined(SIMD_NEON) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_SHA3
#define HWCAP_SHA3 (1u << 17)
#endif
#endif

#if defined(__x86_64__) && defined(__GNUC__)
static bool
isa_has(enum syncache_isa isa)
{
    if (isa == SYNCACHE_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vbmi");
    return isa != SYNCACHE_ISA_AVX2 || __builtin_cpu_supports("avx2");
}

static const struct simd_kernels *const isa_levels[] = {
    &simd_avx512, &simd_avx2, &simd_portable};
#elif defined(SIMD_NEON)
/* NEON is part of every 64-bit ARM; SHA-3 is told by the system, or granted. */
static bool
isa_has(enum syncache_isa isa)
{
#if defined(__ARM_FEATURE_SHA3)
    return isa <= SYNCACHE_ISA_NEON_SHA3;
#elif defined(__linux__)
    return isa != SYNCACHE_ISA_NEON_SHA3 ||
           (getauxval(AT_HWCAP) & HWCAP_SHA3) != 0;
#else
    return isa != SYNCACHE_ISA_NEON_SHA3;
#endif
}

static const struct simd_kernels *const isa_levels[] = {
    &simd_neon_sha3, &simd_neon, &simd_portable};
#else
static bool
isa_has(enum syncache_isa isa)
{
    return isa == SYNCACHE_ISA_PORTABLE;
}

static const struct simd_kernels *const isa_levels[] = {&simd_portable};
#endif

#define ISA_LEVELS (sizeof isa_levels / sizeof isa_levels[0])

/* The level of a name; one that is no level of this machine's asks for nothing. */
static enum syncache_isa
isa_named(const char *name)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "neon",
                                        "neon-sha3"};

    for (size_t i = 0; name != NULL && i < ISA_LEVELS; i++) {
        if (strcmp(name, names[isa_levels[i]->isa]) == 0)
            return isa_levels[i]->isa;
    }
    return isa_levels[0]->isa;
}

const struct simd_kernels *
simd_kernels_named(const char *name)
{
    enum syncache_isa most = isa_named(name);
    size_t level = 0;

    while (isa_levels[level]->isa > most || !isa_has(isa_levels[level]->isa))
        level++;
    return isa_levels[level];
}

const struct simd_kernels *
simd_kernels(void)
{
    return simd_kernels_named(getenv("SYNCACHE_ISA"));
}

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

#if defined(__x86_64__) && defined(__GNUC__)
static bool
isa_has(enum syncache_isa isa)
{
    switch (isa) {
    case SYNCACHE_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vbmi");
    case SYNCACHE_ISA_AVX2:
        return __builtin_cpu_supports("avx2");
    case SYNCACHE_ISA_PORTABLE:
        break;
    }
    return true;
}

static const struct simd_kernels *const isa_levels[] = {
    &simd_avx512, &simd_avx2, &simd_portable};
#else
static bool
isa_has(enum syncache_isa isa)
{
    return isa == SYNCACHE_ISA_PORTABLE;
}

static const struct simd_kernels *const isa_levels[] = {&simd_portable};
#endif

/* The level of a name; a name that is none asks for nothing. */
static enum syncache_isa
isa_named(const char *name)
{
    if (name != NULL && strcmp(name, "portable") == 0)
        return SYNCACHE_ISA_PORTABLE;
    if (name != NULL && strcmp(name, "avx2") == 0)
        return SYNCACHE_ISA_AVX2;
    return SYNCACHE_ISA_AVX512;
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

/* The kernels with NEON, which every 64-bit ARM has.  See neon.h. */
#include "simd.h"

#ifdef SIMD_NEON

#define LANES_TARGET
#define lane_rotate64(a, bits) \
    neon32(vsriq_n_u64(vshlq_n_u64(neon64(a), (bits)), neon64(a), 64 - (bits)))

#include "neon.h"

const struct simd_kernels simd_neon = NEON_KERNELS(SYNCACHE_ISA_NEON);

#endif

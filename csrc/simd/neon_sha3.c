/*
 * The kernels with NEON and one of the instructions for SHA-3, XAR: it rotates
 * in one step, of which SipHash has four a round.  See neon.h.
 */
#include "simd.h"

#ifdef SIMD_NEON

#define LANES_TARGET __attribute__((target("arch=armv8.2-a+sha3")))
#define lane_rotate64(a, bits) \
    neon32(vxarq_u64(neon64(a), vdupq_n_u64(0), 64 - (bits)))

#include "neon.h"

const struct simd_kernels simd_neon_sha3 = NEON_KERNELS(SYNCACHE_ISA_NEON_SHA3);

#endif

/*
 * The primitives of lanes.h with NEON: 4 lanes.  neon.c and neon_sha3.c define before they include this file how 64-bit
 * words are rotated, lane_rotate64(a, bits), and for which processors: LANES_TARGET.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define LANES 4
#define LANES_BITS 0xfu
#define LANES_FN static inline __attribute__((always_inline)) LANES_TARGET
#define LANES_KERNEL static LANES_TARGET

typedef uint32x4_t vec;

#define neon64(a) vreinterpretq_u64_u32(a)
#define neon32(a) vreinterpretq_u32_u64(a)
#define neon8(a) vreinterpretq_u8_u32(a)

LANES_FN vec
lane_load(const uint32_t *at)
{
    return vld1q_u32(at);
}

LANES_FN void
lane_store(uint32_t *at, vec a)
{
    vst1q_u32(at, a);
}

LANES_FN vec
lane_all32(uint32_t value)
{
    return vdupq_n_u32(value);
}

LANES_FN vec
lane_all64(uint64_t value)
{
    return neon32(vdupq_n_u64(value));
}

#define lanes_halves(word) vpaddlq_u16(vreinterpretq_u16_u32(word))
#define lane_add_halves(sum, word) \
    vpadalq_u16(sum, vreinterpretq_u16_u32(word))
#define lane_and(a, b) vandq_u32(a, b)
#define lane_or(a, b) vorrq_u32(a, b)
#define lane_xor(a, b) veorq_u32(a, b)
#define lane_add32(a, b) vaddq_u32(a, b)
#define lane_add64(a, b) neon32(vaddq_u64(neon64(a), neon64(b)))
#define lane_min32(a, b) vminq_u32(a, b)
#define lane_left32(a, bits) vshlq_n_u32(a, bits)
#define lane_right32(a, bits) vshrq_n_u32(a, bits)
#define lane_rotate64_32(a) vrev64q_u32(a)
#define lane_unpack_low32(a, b) vzip1q_u32(a, b)
#define lane_unpack_high32(a, b) vzip2q_u32(a, b)
#define lane_unpack_low64(a, b) neon32(vzip1q_u64(neon64(a), neon64(b)))
#define lane_unpack_high64(a, b) neon32(vzip2q_u64(neon64(a), neon64(b)))

/* By whole bytes: one instruction in place of two. */
LANES_FN vec
lane_rotate64_16(vec a)
{
    static const uint8_t order[16] = {6,  7,  0, 1, 2,  3,  4,  5,
                                      14, 15, 8, 9, 10, 11, 12, 13};

    return vreinterpretq_u32_u8(vqtbl1q_u8(neon8(a), vld1q_u8(order)));
}

/* A mask has all bits of a lane. */
typedef vec lane_mask;

#define lane_either(a, b) vorrq_u32(a, b)
#define lane_but(a, b) vbicq_u32(a, b)
#define lane_both(a, b) vandq_u32(a, b)

/* Where the two are equal. */
LANES_FN lane_mask
lane_equal32(vec a, vec b)
{
    return vceqq_u32(a, b);
}

/* A bit for each lane. */
LANES_FN uint32_t
lane_bits(lane_mask mask)
{
    static const uint32_t bit[4] = {1, 2, 4, 8};

    return vaddvq_u32(vandq_u32(mask, vld1q_u32(bit)));
}

/* Counts halves of lanes that are at least those of `lowest` into those of count. */
LANES_FN vec
lane_count_from16(vec count, vec a, uint32_t lowest)
{
    uint16x8_t from = vcgeq_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(lane_all32(lowest)));

    return vreinterpretq_u32_u16(vsubq_u16(vreinterpretq_u16_u32(count), from));
}

LANES_FN vec
lane_if_zero(vec test, vec yes, vec no)
{
    return vbslq_u32(vceqzq_u32(test), yes, no);
}

LANES_FN vec
lane_swap32(vec a)
{
    return vreinterpretq_u32_u8(vrev32q_u8(neon8(a)));
}

/* Words 0 and 2 of a, then of b; words 1 and 3. */
LANES_FN vec
lane_even32(vec a, vec b)
{
    return vuzp1q_u32(a, b);
}

LANES_FN vec
lane_odd32(vec a, vec b)
{
    return vuzp2q_u32(a, b);
}

/* Stores two streams of 64-bit words, in the order of the lanes. */
LANES_FN void
lane_store64(uint64_t *at, vec low, vec high)
{
    vst1q_u64(at, neon64(low));
    vst1q_u64(at + 2, neon64(high));
}

/* Are 4 words the same? */
LANES_FN bool
lane_same64(const uint64_t *at)
{
    return at[0] == at[1] && at[0] == at[2] && at[0] == at[3];
}

/* One chunk of a packet. */
LANES_FN vec
lane_rows(const uint8_t *const *packet, size_t offset)
{
    return vreinterpretq_u32_u8(vld1q_u8(packet[0] + offset));
}

/* A chunk that all packets have. */
LANES_FN vec
lane_chunks(const uint8_t *chunk)
{
    return vreinterpretq_u32_u8(vld1q_u8(chunk));
}

/* One chunk of a reply. */
LANES_FN void
lane_put_rows(uint8_t *const *out, size_t offset, vec row)
{
    vst1q_u8(out[0] + offset, neon8(row));
}

#include "lanes.h"

#define NEON_KERNELS(level)        \
    {                              \
        .isa = level,              \
        .match = lanes_match,      \
        .cookies = lanes_cookies,  \
        .hashes = lanes_hashes,    \
        .replies = lanes_replies,  \
    }

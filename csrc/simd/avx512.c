/*
 * The kernels with AVX-512: 16 lanes.  Only the primitives are here; what is
 * done with them is in lanes.h.
 */
#include "simd.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES 16
#define LANES_BITS 0xffffu
#define LANES_TARGET \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define LANES_FN static inline __attribute__((always_inline)) LANES_TARGET
#define LANES_KERNEL static LANES_TARGET

typedef __m512i vec;

LANES_FN vec
lane_load(const uint32_t *at)
{
    return _mm512_load_si512(at);
}

LANES_FN void
lane_store(uint32_t *at, vec a)
{
    _mm512_store_si512(at, a);
}

LANES_FN vec
lane_all32(uint32_t value)
{
    return _mm512_set1_epi32((int32_t)value);
}

LANES_FN vec
lane_all64(uint64_t value)
{
    return _mm512_set1_epi64((int64_t)value);
}

#define lane_and(a, b) _mm512_and_si512(a, b)
#define lane_or(a, b) _mm512_or_si512(a, b)
#define lane_xor(a, b) _mm512_xor_si512(a, b)
#define lane_add32(a, b) _mm512_add_epi32(a, b)
#define lane_add64(a, b) _mm512_add_epi64(a, b)
#define lane_min32(a, b) _mm512_min_epu32(a, b)
#define lane_left32(a, bits) _mm512_slli_epi32(a, bits)
#define lane_right32(a, bits) _mm512_srli_epi32(a, bits)
#define lane_rotate64(a, bits) _mm512_rol_epi64(a, bits)
#define lane_rotate64_16(a) lane_rotate64(a, 16)
#define lane_rotate64_32(a) _mm512_rol_epi64(a, 32)
#define lane_unpack_low32(a, b) _mm512_unpacklo_epi32(a, b)
#define lane_unpack_high32(a, b) _mm512_unpackhi_epi32(a, b)
#define lane_unpack_low64(a, b) _mm512_unpacklo_epi64(a, b)
#define lane_unpack_high64(a, b) _mm512_unpackhi_epi64(a, b)

/* A mask has a bit for each lane. */
typedef uint32_t lane_mask;

#define lane_either(a, b) ((a) | (b))
#define lane_but(a, b) ((a) & ~(b))
#define lane_both(a, b) ((a) & (b))
#define lane_bits(mask) (mask)

/* Where the two are equal. */
LANES_FN lane_mask
lane_equal32(vec a, vec b)
{
    return _mm512_cmpeq_epi32_mask(a, b);
}

/* Counts halves of lanes that are at least those of `lowest` into those of
 * count. */
LANES_FN vec
lane_count_from16(vec count, vec a, uint32_t lowest)
{
    return _mm512_mask_add_epi16(count,
                                 _mm512_cmpge_epu16_mask(a, lane_all32(lowest)),
                                 count, _mm512_set1_epi16(1));
}

LANES_FN vec
lane_if_zero(vec test, vec yes, vec no)
{
    return _mm512_mask_mov_epi32(no, _mm512_testn_epi32_mask(test, test), yes);
}

LANES_FN vec
lane_swap32(vec a)
{
    const __m128i order =
        _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

    return _mm512_shuffle_epi8(a, _mm512_broadcast_i32x4(order));
}

/* Words 0 and 2 of each part of a, then of b; words 1 and 3. */
LANES_FN vec
lane_even32(vec a, vec b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0x88));
}

LANES_FN vec
lane_odd32(vec a, vec b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0xdd));
}

/* Stores what two streams of 64-bit words hold, in the order of the lanes. */
LANES_FN void
lane_store64(uint64_t *at, vec low, vec high)
{
    const vec first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const vec second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);

    _mm512_store_si512(at, _mm512_permutex2var_epi64(low, first, high));
    _mm512_store_si512(at + 8, _mm512_permutex2var_epi64(low, second, high));
}

/* Are 16 words the same? */
LANES_FN bool
lane_same64(const uint64_t *at)
{
    const vec first = _mm512_set1_epi64((int64_t)at[0]);

    return (_mm512_cmpneq_epi64_mask(first, _mm512_load_si512(at)) |
            _mm512_cmpneq_epi64_mask(first, _mm512_load_si512(at + 8))) == 0;
}

LANES_FN __m128i
lane_chunk(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* One chunk each of packets 0, 4, 8 and 12. */
LANES_FN vec
lane_rows(const uint8_t *const *packet, size_t offset)
{
    vec row = _mm512_castsi128_si512(lane_chunk(packet[0] + offset));

    row = _mm512_inserti32x4(row, lane_chunk(packet[4] + offset), 1);
    row = _mm512_inserti32x4(row, lane_chunk(packet[8] + offset), 2);
    return _mm512_inserti32x4(row, lane_chunk(packet[12] + offset), 3);
}

LANES_FN void
lane_put(uint8_t *out, size_t offset, __m128i chunk)
{
    _mm_storeu_si128((__m128i *)(void *)(out + offset), chunk);
}

/* A chunk that all packets have. */
LANES_FN vec
lane_chunks(const uint8_t *chunk)
{
    return _mm512_broadcast_i32x4(lane_chunk(chunk));
}

/* Four chunks of replies, of packets 0, 4, 8 and 12. */
LANES_FN void
lane_put_rows(uint8_t *const *out, size_t offset, vec row)
{
    lane_put(out[0], offset, _mm512_castsi512_si128(row));
    lane_put(out[4], offset, _mm512_extracti32x4_epi32(row, 1));
    lane_put(out[8], offset, _mm512_extracti32x4_epi32(row, 2));
    lane_put(out[12], offset, _mm512_extracti32x4_epi32(row, 3));
}

#include "lanes.h"

const struct simd_kernels simd_avx512 = {
    .isa = SYNCACHE_ISA_AVX512,
    .match = lanes_match,
    .cookies = lanes_cookies,
    .hashes = lanes_hashes,
    .replies = lanes_replies,
};

#endif

/*
 * The kernels with AVX2: 8 lanes.  Only the primitives are here; what is
 * done with them is in lanes.h.
 */
#include "simd.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES 8
#define LANES_BITS 0xffu
#define LANES_TARGET __attribute__((target("avx2")))
#define LANES_FN static inline __attribute__((always_inline)) LANES_TARGET
#define LANES_KERNEL static LANES_TARGET

typedef __m256i vec;

LANES_FN vec
lane_load(const uint32_t *at)
{
    return _mm256_load_si256((const vec *)(const void *)at);
}

LANES_FN void
lane_store(uint32_t *at, vec a)
{
    _mm256_store_si256((vec *)(void *)at, a);
}

LANES_FN vec
lane_all32(uint32_t value)
{
    return _mm256_set1_epi32((int32_t)value);
}

LANES_FN vec
lane_all64(uint64_t value)
{
    return _mm256_set1_epi64x((int64_t)value);
}

#define lane_and(a, b) _mm256_and_si256(a, b)
#define lane_or(a, b) _mm256_or_si256(a, b)
#define lane_xor(a, b) _mm256_xor_si256(a, b)
#define lane_add32(a, b) _mm256_add_epi32(a, b)
#define lane_add64(a, b) _mm256_add_epi64(a, b)
#define lane_min32(a, b) _mm256_min_epu32(a, b)
#define lane_left32(a, bits) _mm256_slli_epi32(a, bits)
#define lane_right32(a, bits) _mm256_srli_epi32(a, bits)
#define lane_rotate64(a, bits)                    \
    _mm256_or_si256(_mm256_slli_epi64(a, (bits)), \
                    _mm256_srli_epi64(a, 64 - (bits)))
#define lane_rotate64_16(a) lane_rotate64(a, 16)
#define lane_rotate64_32(a) _mm256_shuffle_epi32(a, 0xb1)
#define lane_unpack_low32(a, b) _mm256_unpacklo_epi32(a, b)
#define lane_unpack_high32(a, b) _mm256_unpackhi_epi32(a, b)
#define lane_unpack_low64(a, b) _mm256_unpacklo_epi64(a, b)
#define lane_unpack_high64(a, b) _mm256_unpackhi_epi64(a, b)

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
    return (uint32_t)_mm256_movemask_ps(
        _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)));
}

/* Counts halves of lanes that are at least those of `lowest` into those of
 * count. */
LANES_FN vec
lane_count_from16(vec count, vec a, uint32_t lowest)
{
    vec most = _mm256_max_epu16(a, lane_all32(lowest));

    return _mm256_sub_epi16(count, _mm256_cmpeq_epi16(most, a));
}

LANES_FN vec
lane_if_zero(vec test, vec yes, vec no)
{
    return _mm256_blendv_epi8(no, yes,
                              _mm256_cmpeq_epi32(test, _mm256_setzero_si256()));
}

LANES_FN vec
lane_swap32(vec a)
{
    const __m128i order =
        _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

    return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(order));
}

/* Words 0 and 2 of each part of a, then of b; words 1 and 3. */
LANES_FN vec
lane_even32(vec a, vec b)
{
    return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a),
                                                 _mm256_castsi256_ps(b), 0x88));
}

LANES_FN vec
lane_odd32(vec a, vec b)
{
    return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a),
                                                 _mm256_castsi256_ps(b), 0xdd));
}

/* Stores what two streams of 64-bit words hold, in the order of the lanes. */
LANES_FN void
lane_store64(uint64_t *at, vec low, vec high)
{
    _mm256_store_si256((vec *)(void *)at,
                       _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_store_si256((vec *)(void *)(at + 4),
                       _mm256_permute2x128_si256(low, high, 0x31));
}

/* Are 8 words the same? */
LANES_FN bool
lane_same64(const uint64_t *at)
{
    const vec first = _mm256_set1_epi64x((int64_t)at[0]);
    const vec *other = (const vec *)(const void *)at;

    return _mm256_testc_si256(
               _mm256_and_si256(_mm256_cmpeq_epi64(first, other[0]),
                                _mm256_cmpeq_epi64(first, other[1])),
               _mm256_set1_epi64x(-1)) != 0;
}

LANES_FN __m128i
lane_chunk(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* One chunk each of packets 0 and 4. */
LANES_FN vec
lane_rows(const uint8_t *const *packet, size_t offset)
{
    vec row = _mm256_castsi128_si256(lane_chunk(packet[0] + offset));

    return _mm256_inserti128_si256(row, lane_chunk(packet[4] + offset), 1);
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
    return _mm256_broadcastsi128_si256(lane_chunk(chunk));
}

/* Two chunks of replies, of packets 0 and 4. */
LANES_FN void
lane_put_rows(uint8_t *const *out, size_t offset, vec row)
{
    lane_put(out[0], offset, _mm256_castsi256_si128(row));
    lane_put(out[4], offset, _mm256_extracti128_si256(row, 1));
}

#include "lanes.h"

const struct simd_kernels simd_avx2 = {
    .isa = SYNCACHE_ISA_AVX2,
    .match = lanes_match,
    .cookies = lanes_cookies,
    .hashes = lanes_hashes,
    .replies = lanes_replies,
};

#endif

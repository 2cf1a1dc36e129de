/*
 * The table's inner loops, over one cache line of 32 u16 at a time: which lanes of a tag line match, which ranks move
 * up, which deadlines are due, which is the earliest.  A bit of a result is a lane, the lowest bit the first one.
 *
 * Each has two forms that agree bit for bit (tests/c/test_table_kernel.c): *_portable, and one in SSE2, which every
 * x86-64 has, so that nothing need be chosen when the program runs.  The names without a suffix mean the better one.
 * Lanes that are no slots (table.h draws the bytes behind them) are the caller's to mask out.
 *
 * Not here: where a line lies (table_line.h), the meaning of a lane to the table (table.c, table_due.c).
 */
#ifndef SYNCACHE_CORE_TABLE_KERNEL_H
#define SYNCACHE_CORE_TABLE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define TABLE_LANES 32u               /* u16 in a line */
#define TABLE_EMPTY 0xffffu           /* a tag: slot not in use */
#define TABLE_TAG_MASK 0xff00u
#define TABLE_RANK_MASK 0x00ffu
#define TABLE_DUE_NONE 0xffffu        /* a deadline: none */
#define TABLE_FAR INT16_MAX           /* more units ahead than any deadline */

/* How many bits are set; x86-64 as such has no instruction for it. */
static inline uint32_t
table_count_bits(uint32_t bits)
{
    bits -= bits >> 1 & 0x55555555;
    bits = (bits & 0x33333333) + (bits >> 2 & 0x33333333);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f;
    return bits * 0x01010101 >> 24;
}

/* The first `lanes` lanes, as bits. */
static inline uint32_t
table_lane_bits(uint32_t lanes)
{
    return lanes >= TABLE_LANES ? UINT32_MAX : (UINT32_C(1) << lanes) - 1;
}

/*
 * Units from `now` to a deadline, negative if it is past.  Units are kept modulo 65535 and subtracted modulo 65536, so
 * over the end of the span a distance is one too large; the sign and the order of distances are right, and
 * now + distance, modulo 65536, is the deadline again.
 */
static inline int32_t
table_distance(uint32_t due, uint32_t now)
{
    return (int16_t)(uint16_t)(due - now);
}

/* Lanes that have `value` under `mask`. */
static inline uint32_t
table_match_portable(const uint16_t line[static TABLE_LANES], uint32_t mask, uint32_t value)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < TABLE_LANES; i++)
        bits |= (uint32_t)((line[i] & mask) == value) << i;
    return bits;
}

/*
 * Empties the lane of this rank, if it is among the first `lanes`, and takes one off every rank above it.  All in one,
 * and in whole vectors, because a load of what was just stored in smaller pieces waits for the store to end.
 */
static inline void
table_close_portable(uint16_t line[static TABLE_LANES], uint32_t lanes, uint32_t rank)
{
    for (uint32_t i = 0; i < lanes; i++) {
        uint32_t above = line[i] != TABLE_EMPTY && (line[i] & TABLE_RANK_MASK) > rank;
        bool is = (line[i] & TABLE_RANK_MASK) == rank;
        line[i] = (uint16_t)(is ? TABLE_EMPTY : line[i] - above);
    }
}

/* Takes one off each of the first `lanes` lanes: all ranks of a full bucket, whose rank 0 is written over next. */
static inline void
table_shift_portable(uint16_t line[static TABLE_LANES], uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++)
        line[i] = (uint16_t)(line[i] - 1);
}

/* Lanes whose deadline is now or past. */
static inline uint32_t
table_due_portable(const uint16_t line[static TABLE_LANES], uint32_t now)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < TABLE_LANES; i++) {
        uint32_t due = line[i] != TABLE_DUE_NONE && table_distance(now, line[i]) >= 0;
        bits |= due << i;
    }
    return bits;
}

/* Distance from `now` of the earliest deadline among the lanes in `bits`; TABLE_FAR if there is none. */
static inline int32_t
table_soonest_portable(const uint16_t line[static TABLE_LANES], uint32_t bits, uint32_t now)
{
    int32_t soonest = TABLE_FAR;
    for (uint32_t i = 0; i < TABLE_LANES; i++) {
        int32_t distance = table_distance(line[i], now);
        if ((bits >> i & 1) != 0 && line[i] != TABLE_DUE_NONE && distance < soonest)
            soonest = distance;
    }
    return soonest;
}

#ifdef __SSE2__

#define TABLE_VECTORS 4               /* of 8 lanes in a line */

static inline __m128i
table_load_sse2(const uint16_t *line, int vector)
{
    return _mm_loadu_si128((const __m128i *)(const void *)line + vector);
}

static inline __m128i
table_same_sse2(uint32_t value)
{
    return _mm_set1_epi16((short)(uint16_t)value);
}

/* One bit for each of 32 lanes that are all ones or all zeros. */
static inline uint32_t
table_bits_sse2(__m128i a, __m128i b, __m128i c, __m128i d)
{
    uint32_t low = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(a, b));
    uint32_t high = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(c, d));
    return low | high << 16;
}

static inline uint32_t
table_match_sse2(const uint16_t line[static TABLE_LANES], uint32_t mask, uint32_t value)
{
    __m128i masks = table_same_sse2(mask);
    __m128i values = table_same_sse2(value);
    __m128i hit[TABLE_VECTORS];
    for (int i = 0; i < TABLE_VECTORS; i++)
        hit[i] = _mm_cmpeq_epi16(_mm_and_si128(table_load_sse2(line, i), masks), values);
    return table_bits_sse2(hit[0], hit[1], hit[2], hit[3]);
}

/* All ones in the first `lanes` of 32 lanes: 32 lanes of this, from lane 32 - lanes on. */
static const uint16_t table_lane_ramp[2 * TABLE_LANES] = {
    0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
    0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
    0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
};

static inline void
table_close_sse2(uint16_t line[static TABLE_LANES], uint32_t lanes, uint32_t rank)
{
    const uint16_t *ramp = table_lane_ramp + TABLE_LANES - lanes;
    __m128i empty = table_same_sse2(TABLE_EMPTY);
    __m128i ranks = table_same_sse2(TABLE_RANK_MASK);
    for (int i = 0; i < TABLE_VECTORS; i++) {
        __m128i tags = table_load_sse2(line, i);
        __m128i slots = table_load_sse2(ramp, i);
        __m128i own = _mm_and_si128(tags, ranks);
        __m128i is = _mm_and_si128(_mm_cmpeq_epi16(own, table_same_sse2(rank)), slots);
        __m128i above = _mm_and_si128(_mm_cmpgt_epi16(own, table_same_sse2(rank)), slots);
        above = _mm_andnot_si128(_mm_cmpeq_epi16(tags, empty), above);
        /* All ones is minus one. */
        tags = _mm_or_si128(_mm_add_epi16(tags, above), is);
        _mm_storeu_si128((__m128i *)(void *)line + i, tags);
    }
}

static inline void
table_shift_sse2(uint16_t line[static TABLE_LANES], uint32_t lanes)
{
    const uint16_t *ramp = table_lane_ramp + TABLE_LANES - lanes;
    for (int i = 0; i < TABLE_VECTORS; i++) {
        __m128i tags = _mm_add_epi16(table_load_sse2(line, i), table_load_sse2(ramp, i));
        _mm_storeu_si128((__m128i *)(void *)line + i, tags);
    }
}

static inline uint32_t
table_due_sse2(const uint16_t line[static TABLE_LANES], uint32_t now)
{
    __m128i none = table_same_sse2(TABLE_DUE_NONE);
    __m128i ahead[TABLE_VECTORS]; /* in the sign bit */
    for (int i = 0; i < TABLE_VECTORS; i++) {
        __m128i due = table_load_sse2(line, i);
        ahead[i] = _mm_sub_epi16(table_same_sse2(now), due);
        ahead[i] = _mm_or_si128(ahead[i], _mm_cmpeq_epi16(due, none));
    }
    return ~table_bits_sse2(ahead[0], ahead[1], ahead[2], ahead[3]);
}

static inline int32_t
table_soonest_sse2(const uint16_t line[static TABLE_LANES], uint32_t bits, uint32_t now)
{
    __m128i furthest = table_same_sse2((uint32_t)TABLE_FAR);
    __m128i none = table_same_sse2(TABLE_DUE_NONE);
    __m128i lane = _mm_set_epi16(128, 64, 32, 16, 8, 4, 2, 1);
    __m128i soonest = furthest;
    for (int i = 0; i < TABLE_VECTORS; i++) {
        __m128i due = table_load_sse2(line, i);
        __m128i chosen = _mm_and_si128(table_same_sse2(bits >> 8 * i & 0xff), lane);
        __m128i out = _mm_cmpeq_epi16(chosen, _mm_setzero_si128());
        __m128i distance = _mm_sub_epi16(due, table_same_sse2(now));
        out = _mm_or_si128(out, _mm_cmpeq_epi16(due, none));
        distance = _mm_or_si128(_mm_andnot_si128(out, distance), _mm_and_si128(out, furthest));
        soonest = _mm_min_epi16(soonest, distance);
    }
    soonest = _mm_min_epi16(soonest, _mm_srli_si128(soonest, 8));
    soonest = _mm_min_epi16(soonest, _mm_srli_si128(soonest, 4));
    soonest = _mm_min_epi16(soonest, _mm_srli_si128(soonest, 2));
    return (int16_t)_mm_extract_epi16(soonest, 0);
}

#define TABLE_KERNEL(name) table_##name##_sse2
#else
#define TABLE_KERNEL(name) table_##name##_portable
#endif

static inline uint32_t
table_match(const uint16_t line[static TABLE_LANES], uint32_t mask, uint32_t value)
{
    return TABLE_KERNEL(match)(line, mask, value);
}

static inline void
table_close(uint16_t line[static TABLE_LANES], uint32_t lanes, uint32_t rank)
{
    TABLE_KERNEL(close)(line, lanes, rank);
}

static inline void
table_shift(uint16_t line[static TABLE_LANES], uint32_t lanes)
{
    TABLE_KERNEL(shift)(line, lanes);
}

static inline uint32_t
table_due_lanes(const uint16_t line[static TABLE_LANES], uint32_t now)
{
    return TABLE_KERNEL(due)(line, now);
}

static inline int32_t
table_soonest(const uint16_t line[static TABLE_LANES], uint32_t bits, uint32_t now)
{
    return TABLE_KERNEL(soonest)(line, bits, now);
}

#endif

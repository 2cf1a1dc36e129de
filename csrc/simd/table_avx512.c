/*
 * The table's searches with AVX-512: two lines of code in place of
 * table_kernel.h's loops, and the searches of table_ops.h over them.
 */
#include "table_avx512.h"

#ifdef TABLE_AVX512

#include <immintrin.h>

#include "../core/table_line.h"

#define TABLE_TARGET \
    __attribute__((target("avx512f,avx512bw,avx512vl,bmi,popcnt")))

TABLE_TARGET static inline uint32_t
table_match_wide(const uint16_t *line, uint32_t mask, uint32_t value)
{
    __m512i tags = _mm512_loadu_si512(line);

    tags = _mm512_and_si512(tags, _mm512_set1_epi16((short)(uint16_t)mask));
    return _mm512_cmpeq_epi16_mask(tags,
                                   _mm512_set1_epi16((short)(uint16_t)value));
}

TABLE_TARGET static inline void
table_shift_wide(uint16_t *line, uint32_t lanes)
{
    __m512i tags = _mm512_loadu_si512(line);

    tags = _mm512_mask_sub_epi16(tags, table_lane_bits(lanes), tags,
                                 _mm512_set1_epi16(1));
    _mm512_storeu_si512(line, tags);
}

#define TABLE_FN TABLE_TARGET uint32_t
#define TABLE_OWN TABLE_TARGET static inline uint32_t
#define TABLE_NAME(name) table_##name##_avx512
#define TABLE_MATCH table_match_wide
#define TABLE_SHIFT table_shift_wide
#include "../core/table_ops.h"

#endif

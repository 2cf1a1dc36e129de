/* Makes and checks SYN cookies.  Sees a key, a tuple, an ISN and options; never the table, the clock or the gate. */
#ifndef SYNCACHE_CORE_SYNCOOKIE_H
#define SYNCACHE_CORE_SYNCOOKIE_H

#include "../syncache.h"

/* The cookie byte: bits 7-5 MSS index, 4-2 window scale index, bit 1 SACK-permitted, bit 0 key parity. */
#define SYNCOOKIE_PARITY 0x01
#define SYNCOOKIE_SACK 0x02

/* Parity bit that an ISS claims, whatever its layout. */
static inline uint32_t
syncookie_parity(uint32_t iss)
{
    return ((iss & 0xff) ^ (iss >> 24)) & SYNCOOKIE_PARITY;
}

uint32_t syncookie_generate(const uint8_t key[static SYNCACHE_KEY_BYTES], const struct syncache_tuple *tuple,
                            uint32_t irs, const struct syncache_cookie_options *options, uint32_t parity,
                            uint64_t secmod, enum syncache_layout layout);

/*
 * The same as tables and constants, for SYNs that offer an MSS or none, a window scale and SACK (csrc/simd/): fills
 * tail, mss_floor, mss_none and wscale_floor.  Not of layout mss.
 */
struct simd_shape;
void syncookie_shape(enum syncache_layout layout, uint8_t family, uint64_t secmod, struct simd_shape *shape);
/* The bits that our window scale adds to the last word of the MAC input. */
uint32_t syncookie_scale(enum syncache_layout layout, uint8_t family, uint8_t rcv_wscale);

/* Decodes an ISS; options (but rcv_wscale, which is read) mean something only if the return value is true. */
bool syncookie_lookup(const uint8_t key[static SYNCACHE_KEY_BYTES], const struct syncache_tuple *tuple, uint32_t irs,
                      uint32_t iss, uint64_t secmod, enum syncache_layout layout,
                      struct syncache_cookie_options *options);

#endif

/*
 * A cookie's arithmetic on words, without memory and without calls: shared by syncookie.c and by the programs that
 * run in the kernel (csrc/bpf), so that both make the same bits.  The layout is drawn in syncookie.c.
 */
#ifndef SYNCACHE_CORE_SYNCOOKIE_PACK_H
#define SYNCACHE_CORE_SYNCOOKIE_PACK_H

#include <stdint.h>

#define SYNCOOKIE_MSS_SHIFT 5
#define SYNCOOKIE_WSCALE_SHIFT 2
#define SYNCOOKIE_INDEX_MASK 7
#define SYNCOOKIE_MAC_MASK 0xffffff00u
#define SYNCOOKIE_INDICES 8

/* Index of the largest entry from `first` up to `last` that is not above `value`, or `first`; entries ascend. */
static inline uint32_t
syncookie_index(const uint16_t table[static SYNCOOKIE_INDICES], uint32_t first, uint32_t last, uint32_t value)
{
    uint32_t index = first;

    for (uint32_t i = 1; i < SYNCOOKIE_INDICES; i++)
        index += i > first && i <= last && table[i] <= value;
    return index;
}

/* The ISS: 24 bits of the MAC, and the cookie byte under its top byte. */
static inline uint32_t
syncookie_pack(uint32_t mac, uint32_t byte)
{
    return (mac & SYNCOOKIE_MAC_MASK) | (byte ^ mac >> 24);
}

/* The cookie byte that an ISS claims. */
static inline uint32_t
syncookie_claimed(uint32_t iss)
{
    return (iss & 0xff) ^ iss >> 24;
}

#endif

/*
 * One's complement sums over words as they lie; RFC 1071 2 (B): the byte order does not matter.
 */
#ifndef SYNCACHE_BPF_SUMS_H
#define SYNCACHE_BPF_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "raw.h"

#define SUMS_TCP 0x06000000u /* the pseudo header's protocol, raw */

/* A sum of fewer than 2^16 words to 17 bits. */
static inline uint32_t
sums_short(uint64_t sum)
{
    sum = (uint32_t)sum + (sum >> 32);
    return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

static inline uint32_t
sums_fold(uint64_t sum)
{
    uint32_t folded = sums_short(sum);

    folded = (folded & 0xffff) + (folded >> 16);
    return (folded & 0xffff) + (folded >> 16);
}

/* Is a sum zero?  Both forms of zero that sums_short() leaves. */
static inline bool
sums_is_zero(uint64_t sum)
{
    uint32_t folded = sums_short(sum);

    return folded == 0xffff || folded == 0x1fffe;
}

/* The sum of a pseudo header, without the addresses. */
static inline uint32_t
sums_pseudo(uint32_t segment_size)
{
    return SUMS_TCP + swap32(segment_size);
}

/*
 * Is a checksum right, or left to be finished?  Of a packet that was made on this machine (veth) it is often the sum
 * of the pseudo header alone.
 *
 *   sum     of the segment, the checksum included, and of the pseudo header
 */
static inline bool
sums_right(uint64_t sum, uint64_t pseudo, uint32_t checksum)
{
    return sums_is_zero(sum) || sums_fold(pseudo) == checksum;
}

#endif

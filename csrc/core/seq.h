/*
 * Sequence numbers: comparison modulo 2^32 (RFC 9293 3.4).  The same functions
 * serve timestamps (RFC 7323 5.2).  Numbers exactly 2^31 apart are each less
 * than the other, as everywhere in the field; no window is that wide.
 */
#ifndef SYNCACHE_CORE_SEQ_H
#define SYNCACHE_CORE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
    return (a - b) >> 31 != 0;
}

static inline bool
seq_leq(uint32_t a, uint32_t b)
{
    return a == b || seq_lt(a, b);
}

/* left <= seq < left + size; an empty window holds nothing. */
static inline bool
seq_in_window(uint32_t seq, uint32_t left, uint32_t size)
{
    return seq - left < size;
}

#endif

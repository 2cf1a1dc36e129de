/*
 * The arithmetic of a splice (splice.h), by itself: for the engine and for the program of the kernel that carries
 * spliced connections (csrc/bpf).  Values are in native byte order.
 */
#ifndef SYNCACHE_FLOW_SPLICE_WORDS_H
#define SYNCACHE_FLOW_SPLICE_WORDS_H

#include <stdint.h>

#define SPLICE_TIMESTAMPS 0x01        /* both sides use them */
#define SPLICE_FLOOR 0x02             /* the client may still echo our timestamps from before the SYN-ACK */
#define SPLICE_STRIP_SACK 0x04        /* the client was granted SACK, the server refused it */
#define SPLICE_SACK 0x08              /* both sides use SACK */
#define SPLICE_STAMP 0x10             /* the client was granted timestamps, the server refused them (stamp.h) */

/* Once an echo is this far above the floor, no earlier echo can arrive. */
#define SPLICE_FLOOR_GONE 0x40000000u

/* The window that says the same under another scale: clipped at 65535, and 0 only if it was 0. */
static inline uint16_t
splice_window(uint16_t window, int8_t shift)
{
    uint32_t wide = window;

    if (shift < 0)
        wide >>= -shift;
    else
        wide <<= shift;
    if (wide == 0 && window != 0)
        wide = 1;
    return (uint16_t)(wide > UINT16_MAX ? UINT16_MAX : wide);
}

/* The TSecr that the server gets for the client's; takes SPLICE_FLOOR off once it cannot matter any more. */
static inline uint32_t
splice_echo_word(uint32_t ts_delta, uint32_t ts_floor, uint8_t *flags, uint32_t tsecr)
{
    uint32_t after = tsecr - ts_delta;

    if (!(*flags & SPLICE_FLOOR))
        return after;
    if ((int32_t)(after - ts_floor) < 0)
        return ts_floor;
    if (after - ts_floor >= SPLICE_FLOOR_GONE)
        *flags &= (uint8_t)~SPLICE_FLOOR;
    return after;
}

#endif
